// SPDX-License-Identifier: BSD-3-Clause
// The etcd store keeps the contract, over the etcd that ETCD_ENDPOINTS names (scripts/etcd run). Each
// case has a prefix of its own.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract.h"
#include "regate/err.h"
#include "store/store_etcd.h"

#define HANDLES 4 // more than are open at a time
#define NAME_TURNS 100

static char prefix[64];
static const char *endpoints[1];
static const struct store_etcd_cfg cfg = {.endpoints = endpoints,
					  .n_endpoints = 1,
					  .prefix = prefix};

static void start(void) {
	static unsigned n;

	snprintf(prefix, sizeof(prefix), "/contract/%u-%d", n++, rand());
}

static void stop(void) {
}

struct nap {
	struct env_timer timer;
	bool is_over;
};

static void on_nap(struct env_timer *t, uint64_t) {
	((struct nap *)t)->is_over = true;
}

static void turn(struct env *e) {
	struct nap nap = {.timer.fn = on_nap};

	env_timer_set(e, &nap.timer, env_now_ns(e) + 50 * RG_NS_PER_MS);
	while (!nap.is_over)
		ck_assert_int_eq(env_real_turn(e), 0);
}

// --- names

static bool is_lost;

static void on_lost(void *arg) {
	*(bool *)arg = true;
}

static const struct store_etcd_cfg named = {.endpoints = endpoints,
					    .n_endpoints = 1,
					    .prefix = prefix,
					    .name = "g",
					    .name_lost = on_lost,
					    .arg = &is_lost};

// What another process gets that wants the name. It does not close its handle, as after kill -9.
static pid_t try_in_child(void) {
	pid_t pid = fork();
	struct store *s;
	char err[256] = "";
	int rc;

	if (pid != 0)
		return pid;
	rc = store_etcd_open(env_real_new(), &named, &s, err, sizeof(err));
	if (rc == RG_E_CONFLICT && strstr(err, "gateway.id: a gateway named 'g'") != err)
		rc = 1;
	_exit(rc == 0 ? 0 : rc == RG_E_CONFLICT ? 3 : 1);
}

static int exit_code(pid_t pid, struct env *meanwhile) {
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0)
		turn(meanwhile);
	return WEXITSTATUS(status);
}

START_TEST(a_name_is_of_one_handle) {
	struct env *e = env_real_new(), *f = env_real_new();
	struct store *s, *t;
	char err[256];

	start();
	ck_assert_int_eq(exit_code(try_in_child(), e), 0);
	ck_assert_int_eq(store_etcd_open(e, &named, &s, err, sizeof(err)), 0);
	ck_assert_int_eq(exit_code(try_in_child(), e), 3);
	ck_assert(!is_lost);
	// One that sleeps for long loses it, and learns that.
	ck_assert_int_eq(store_etcd_open(f, &named, &t, err, sizeof(err)), 0);
	while (!is_lost)
		turn(e);
	store_close(s);
	// Its end tells nothing of the first one's, until that is on record.
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(store_has_taken_name(t));
		if (i == 1)
			store_settle_name(t);
		store_close(t);
		ck_assert_int_eq(store_etcd_open(f, &named, &t, err, sizeof(err)), 0);
	}
	ck_assert(!store_has_taken_name(t)); // it was given back
	store_close(t);
	env_real_free(e);
	env_real_free(f);
}
END_TEST

// Another one had the name, and gave it back, while this one slept: what it did is not known here.
START_TEST(a_name_may_be_lost_in_sleep) {
	struct env *e = env_real_new(), *f = env_real_new();
	struct store *s, *t;
	char err[256];

	start();
	is_lost = false;
	ck_assert_int_eq(store_etcd_open(e, &named, &s, err, sizeof(err)), 0);
	ck_assert_int_eq(store_etcd_open(f, &named, &t, err, sizeof(err)), 0);
	store_close(t);
	for (unsigned i = 0; i < NAME_TURNS && !is_lost; i++)
		turn(e);
	ck_assert(is_lost);
	store_close(s);
	env_real_free(e);
	env_real_free(f);
}
END_TEST

static struct store *open_handle(struct env *e) {
	static char names[HANDLES][32];
	static struct store_etcd_cfg cfgs[HANDLES];
	static unsigned n;
	unsigned i = n++ % HANDLES;
	struct store *s;
	char err[256];
	int rc;

	snprintf(names[i], sizeof(names[i]), "handle-%u", n);
	cfgs[i] = cfg;
	cfgs[i].name = names[i];
	rc = store_etcd_open(e, &cfgs[i], &s, err, sizeof(err));

	ck_assert_msg(rc == 0, "%s", err);
	return s;
}

// --- requests

#define N_LARGE 126 // one transaction, if it fitted

static void on_stored(void *arg, int rc, uint64_t) {
	ck_assert_int_eq(rc, 0);
	++*(unsigned *)arg;
}

// Each fits; all of them make more than a request may have.
START_TEST(what_is_too_large_together_goes_alone) {
	struct env *e = env_real_new();
	struct store *s;
	char sub[4000], impi[16], impu[16];
	unsigned n = 0;

	start();
	s = open_handle(e);
	memset(sub, '%', sizeof(sub)); // three characters each, in a record
	sub[sizeof(sub) - 1] = '\0';
	for (unsigned i = 0; i < N_LARGE; i++) {
		const struct store_lease l = {.impi = impi,
					      .impu = impu,
					      .pool = "p",
					      .sub = sub,
					      .gateway = "",
					      .gen = 1};

		snprintf(impi, sizeof(impi), "%u@x", i);
		snprintf(impu, sizeof(impu), "sip:%u@x", i);
		ck_assert_int_eq(store_commit(s, &l, on_stored, &n), 0);
	}
	store_flush(s);
	ck_assert_uint_eq(n, N_LARGE);
	store_close(s);
	env_real_free(e);
}
END_TEST

int main(void) {
	static const struct contract c = {"etcd",      start, stop, env_real_new, env_real_free,
					  open_handle, turn,  true, true};
	Suite *suite = suite_create("contract_etcd");
	TCase *own = tcase_create("its own");
	SRunner *sr;
	int failed;

	endpoints[0] = getenv("ETCD_ENDPOINTS");
	if (endpoints[0] == NULL) {
		fprintf(stderr, "ETCD_ENDPOINTS is not set: scripts/etcd run --members 1 -- ...\n");
		return 2;
	}
	contract_add(suite, &c);
	tcase_add_test(own, a_name_is_of_one_handle);
	tcase_add_test(own, a_name_may_be_lost_in_sleep);
	tcase_add_test(own, what_is_too_large_together_goes_alone);
	tcase_set_timeout(own, 60);
	suite_add_tcase(suite, own);
	sr = srunner_create(suite);
	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
