// SPDX-License-Identifier: BSD-3-Clause
// Other issuers of the configuration, read again: files of the simulated environment.
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <openssl/ec.h>
#include <stdlib.h>
#include <string.h>

#include "core/env_sim.h"
#include "issuers.h"
#include "lease/adopt.h"
#include "regate/err.h"
#include "store/store_mem.h"

static struct env *env;
static struct conf conf;
static struct conf_wwsf wwsfs[4];
static struct store *store;
static struct issuers issuers;
static unsigned n_ended[3];
static bool has_adopted, has_memory;
static char err[512];

#define LIFE_S 7200
#define POLL_S 900

static struct walk {
	struct env_timer timer;
	void (*done)(void *arg, uint16_t wwsf);
	void *arg;
} walks[3];

static void on_walk_end(struct env_timer *t, uint64_t) {
	struct walk *w = (struct walk *)t;

	w->done(w->arg, (uint16_t)(w - walks));
}

// In place of the lease engine's.
int lease_end_keys(struct lease_engine *, uint16_t wwsf, const uint64_t *, size_t,
		   void (*done)(void *arg, uint16_t wwsf), void *arg) {
	if (!has_memory)
		return -ENOMEM;
	n_ended[wwsf]++;
	walks[wwsf] = (struct walk){.timer.fn = on_walk_end, .done = done, .arg = arg};
	env_timer_set(env, &walks[wwsf].timer, env_now_ns(env) + RG_NS_PER_S);
	return 0;
}

bool lease_has_adopted(const struct lease_engine *, uint16_t) {
	return has_adopted;
}

// A set of one new key.
static void put_set(const char *path) {
	static const char *const text =
		"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"k%u\",\"alg\":\"HS256\",\"k\":"
		"\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH%u4\"}]}";
	static unsigned n;
	char set[512];

	n = (n + 1) % 10;
	snprintf(set, sizeof(set), text, n, n);
	env_sim_file(env, path, rg_str(set));
}

static void start(void) {
	ck_assert_msg(issuers_load(&issuers, &conf, env, err, sizeof(err)) == 0, "%s", err);
	ck_assert_msg(issuers_start(&issuers, &conf, env, NULL, NULL, store, err, sizeof(err)) == 0,
		      "%s", err);
	env_sim_advance(env, RG_NS_PER_S); // the store has it
}

static void stop(void) {
	issuers_fini(&issuers);
	for (unsigned i = 0; i < 3; i++)
		env_timer_cancel(env, &walks[i].timer);
}

static void restart(void) {
	stop();
	start();
}

static void reload(void) {
	ck_assert_int_eq(issuers_reload(&issuers, &conf, env, err, sizeof(err)), 0);
}

static void setup(void) {
	static char *const ids[] = {"w0", "w1", "w2"}, *const files[] = {"0.json", "1.json",
									 "2.json"};
	static char *const names[] = {"https://w0", "https://w1", "https://w2"};

	env = env_sim_new(1);
	memset(wwsfs, 0, sizeof(wwsfs));
	for (unsigned i = 0; i < 3; i++) {
		wwsfs[i].id = ids[i];
		wwsfs[i].issuer = names[i];
		wwsfs[i].jwks = files[i];
		put_set(files[i]);
	}
	conf = (struct conf){.wwsfs = wwsfs, .n_wwsfs = 3, .gateway_id = (char *)"g"};
	conf.token.life_s = LIFE_S;
	ck_assert_int_eq(store_mem_open(env, &store), 0);
	has_adopted = false;
	has_memory = true;
	start();
	memset(n_ended, 0, sizeof(n_ended));
}

static void teardown(void) {
	stop();
	store_close(store);
	env_sim_free(env);
}

// Of the WWSF whose file is bad nothing changes; the others' keys are withdrawn.
START_TEST(one_is_bad) {
	for (unsigned i = 0; i < 3; i++)
		put_set(wwsfs[i].jwks);
	if (_i == 0)
		env_sim_file_error(env, "1.json", EACCES);
	else
		env_sim_file(env, "1.json", RG_LIT("{}"));
	ck_assert_int_ne(issuers_reload(&issuers, &conf, env, err, sizeof(err)), 0);
	ck_assert_ptr_nonnull(strstr(err, "1.json: "));
	ck_assert_uint_eq(n_ended[0], 1);
	ck_assert_uint_eq(n_ended[1], 0);
	ck_assert_uint_eq(n_ended[2], 1);
	env_sim_file_error(env, "2.json", EACCES);
	ck_assert_int_ne(issuers_reload(&issuers, &conf, env, err, sizeof(err)), 0);
	ck_assert_ptr_nonnull(strstr(err, "1.json: ")); // the first
}
END_TEST

// One that is asked about its tokens: with the secret as it is now.
START_TEST(secret) {
	wwsfs[3] = (struct conf_wwsf){
		.id = (char *)"w3",
		.issuer = (char *)"https://w3",
		.introspection = {.uri = (char *)"https://w3/i",
				  .id = (char *)"g",
				  .secret_file = (char *)"3.secret"},
	};
	conf.n_wwsfs = 4;
	env_sim_file(env, "3.secret", RG_LIT("one\n"));
	restart();
	ck_assert_str_eq(issuers.cfgs[3].authorization, "Authorization: Basic ZzpvbmU=");
	env_sim_file(env, "3.secret", RG_LIT("\n"));
	ck_assert_int_ne(issuers_reload(&issuers, &conf, env, err, sizeof(err)), 0);
	ck_assert_ptr_nonnull(strstr(err, "3.secret: "));
	ck_assert_str_eq(issuers.cfgs[3].authorization, "Authorization: Basic ZzpvbmU=");
	env_sim_file(env, "3.secret", RG_LIT("two\n"));
	ck_assert_int_eq(issuers_reload(&issuers, &conf, env, err, sizeof(err)), 0);
	ck_assert_str_eq(issuers.cfgs[3].authorization, "Authorization: Basic Zzp0d28=");
}
END_TEST

// After a start the first reload ends the leases of before only where a key has gone since; the second
// none, nor one when all tokens of that key are over.
START_TEST(reload_after_a_start) {
	restart();
	ck_assert_int_eq(issuers_reload(&issuers, &conf, env, err, sizeof(err)), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(n_ended[i], 0);
	put_set("1.json");
	put_set("2.json");
	restart();
	restart();
	env_sim_file(env, "2.json", RG_LIT("{}")); // not now
	ck_assert_int_ne(issuers_reload(&issuers, &conf, env, err, sizeof(err)), 0);
	put_set("2.json");
	ck_assert_uint_eq(n_ended[0], 0);
	ck_assert_uint_eq(n_ended[1], 1);
	ck_assert_uint_eq(n_ended[2], 0);
	ck_assert_int_eq(issuers_reload(&issuers, &conf, env, err, sizeof(err)), 0);
	ck_assert_uint_eq(n_ended[1], 1);
	ck_assert_uint_eq(n_ended[2], 1);
	put_set("0.json");
	restart();
	env_sim_advance(env, (LIFE_S + 2 * POLL_S) * RG_NS_PER_S);
	restart();
	reload();
	ck_assert_uint_eq(n_ended[0], 0);
}
END_TEST

// A key that went long ago is not made younger by starts; one that was the newest gets old while no
// process runs, but not while one does.
START_TEST(old_keys) {
	struct token_known list[TOKEN_KNOWN_MAX];
	size_t len = sizeof(list);

	if (_i == 0) {
		put_set("0.json");
		restart();
		for (unsigned i = 0; i < 4; i++) {
			env_sim_advance(env, (LIFE_S - 200) * RG_NS_PER_S);
			restart();
		}
	} else if (_i == 1) {
		stop();
		env_sim_advance(env, (LIFE_S + 2 * POLL_S) * RG_NS_PER_S);
		put_set("0.json");
		start();
	} else if (_i == 2) {
		put_set("0.json");
		restart();
		env_sim_advance(env, (LIFE_S + 3 * POLL_S) * RG_NS_PER_S);
		ck_assert_int_eq(store_get(store, "token.known.w0.g", list, &len), 0);
		ck_assert_uint_eq(len, sizeof(*list)); // nor is it kept
	} else {
		env_sim_advance(env, 5 * LIFE_S * RG_NS_PER_S);
		stop();
		env_sim_advance(env, (LIFE_S - 60) * RG_NS_PER_S);
		put_set("0.json");
		start();
	}
	reload();
	ck_assert_uint_eq(n_ended[0], _i == 3);
}
END_TEST

// Killed before all leases have ended that a withdrawn key is good for: the next process ends them, and
// the one after it has nothing to end.
START_TEST(killed_while_they_end) {
	put_set("0.json");
	reload();
	ck_assert_uint_eq(n_ended[0], 1);
	env_sim_advance(env, RG_NS_PER_MS);
	for (unsigned i = 0; i < 3; i++) {
		restart();
		env_sim_advance(env, RG_NS_PER_S);
		ck_assert_uint_eq(n_ended[0], 2);
	}
	reload();
	ck_assert_uint_eq(n_ended[0], 2);
	ck_assert_uint_eq(n_ended[1], 0);
}
END_TEST

// The first of this name, or of one that wrote no such list, which finds leases.
START_TEST(nothing_known) {
	stop();
	conf.gateway_id = (char *)"h";
	has_adopted = _i == 1;
	start();
	restart();
	ck_assert_uint_eq(n_ended[0], 0);
	reload();
	ck_assert_uint_eq(n_ended[0], _i);
	reload();
	ck_assert_uint_eq(n_ended[0], _i);
}
END_TEST

// Tried again; until then the next process hears of that key as of one that may have gone.
START_TEST(no_memory) {
	put_set("0.json");
	has_memory = false;
	reload();
	ck_assert_str_eq(issuers_pending(&issuers, 0), "w0");
	env_sim_advance(env, RG_NS_PER_S);
	has_memory = true;
	if (_i == 0)
		env_sim_advance(env, 60 * RG_NS_PER_S);
	else
		restart();
	if (_i == 1)
		reload();
	ck_assert_uint_eq(n_ended[0], 1);
	ck_assert_ptr_null(issuers_pending(&issuers, 0));
}
END_TEST

int main(void) {
	Suite *s = suite_create("gateway_issuers");
	TCase *tc = tcase_create("issuers");
	SRunner *sr;
	int n_failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, one_is_bad, 0, 2);
	tcase_add_test(tc, secret);
	tcase_add_test(tc, reload_after_a_start);
	tcase_add_loop_test(tc, old_keys, 0, 4);
	tcase_add_test(tc, killed_while_they_end);
	tcase_add_loop_test(tc, nothing_known, 0, 2);
	tcase_add_loop_test(tc, no_memory, 0, 2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
