// SPDX-License-Identifier: BSD-3-Clause
// Leases by tokens that a WWSF issued itself: whose pairs, which generations, when again.
#include <errno.h>
#include <stdio.h>
#include <urcu/urcu-qsbr.h>

#include "lease/adopt.h"
#include "lease_fixture.h"
#include "regate/err.h"
#include "store/store_mem.h"

#define WWSF 4

static struct env *env;
static struct store *store;
static struct lease_engine *e;
static struct rg_digester *digester;
static struct lease_adoption good;
static unsigned n_done;
static int rc;
static uint32_t idx;
static const char *token;
static uint32_t max_pairs = 8;
static char (*more)[2][16]; // pairs of the WWSF
static uint64_t signed_by;  // of what is adopted next

static void on_deregister(void *, const struct lease *) {
}

static void on_close(void *, struct rg_conn_id, uint16_t) {
}

static void make_engine(void) {
	static const struct lease_ops ops = {NULL, on_deregister, on_close};
	static const struct lease_cfg cfg = {.clock_error_ns = 5 * SEC,
					     .t_sip_ns = 69 * SEC,
					     .core_slack_ns = 360 * SEC,
					     .release_guard_ns = 5 * SEC,
					     .flow_grace_ns = 60 * SEC,
					     .reg_max_ns = 3600 * SEC};
	static const char *const names[] = {"ours", "theirs"};

	e = lease_engine_new(&cfg, env, store, NULL, &ops, max_pairs);
	lease_set_pool_names(e, names, 2);
	ck_assert_int_eq(lease_set_pool_foreign(e, 1), 0);
	ck_assert_int_eq(lease_add_pair(e, 0, 0, "o0@x", "sip:o0@x", NULL), 0);
	ck_assert_int_eq(lease_add_pair(e, 1, WWSF, "t0@x", "sip:t0@x", NULL), 0);
	ck_assert_int_eq(lease_add_pair(e, 1, WWSF, "t1@x", "sip:t1@x", NULL), 0);
	for (uint32_t i = 3; more != NULL && i < max_pairs; i++)
		ck_assert_int_eq(lease_add_pair(e, 1, WWSF, more[i - 3][0], more[i - 3][1], NULL),
				 0);
	ck_assert_int_eq(lease_engine_load(e), 0);
}

static void setup(void) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = {3};

	urcu_qsbr_register_thread();
	env = env_sim_new(1);
	ck_assert_int_eq(store_mem_open(env, &store), 0);
	digester = rg_digester_new(key);
	make_engine();
	signed_by = 0;
	good = (struct lease_adoption){WWSF, "theirs", "t0@x", "sip:t0@x", 40, 3};
}

static void teardown(void) {
	lease_engine_free(e);
	env_sim_settle(env);
	store_close(store);
	rg_digester_free(digester);
	env_sim_free(env);
	urcu_qsbr_unregister_thread();
}

static int issue(void *, const struct lease *, uint64_t, struct rg_wr *w) {
	rg_puts(w, token);
	return 0;
}

static void done(void *, int got, const struct lease *l, struct rg_slice) {
	n_done++;
	rc = got;
	idx = l == NULL ? RG_LEASE_NONE : l->idx;
}

static int adopt(const struct lease_adoption *a, const char *sub, const char *text) {
	const struct lease_ask ask = {.sub = sub,
				      .key = signed_by,
				      .token_end_ns = env_now_ns(env) + FIX_LIFE,
				      .issue = issue,
				      .done = done,
				      .digester = digester};

	n_done = 0;
	token = text;
	lease_adopt(e, a, &ask);
	ck_assert_uint_eq(n_done, 0); // never inside the call
	env_sim_advance(env, SEC);
	ck_assert_uint_eq(n_done, 1);
	ck_assert_ptr_null(lease_engine_check(e));
	return rc;
}

static const struct lease *by_token(const char *text) {
	struct rg_digest d;

	rg_token_digest(digester, rg_str(text), &d);
	return lease_by_digest(e, &d);
}

START_TEST(first_sight) {
	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	ck_assert_uint_eq(idx, 1);
	ck_assert_ptr_nonnull(by_token("token-1"));
	ck_assert_uint_eq(by_token("token-1")->gen, 40);
	ck_assert_uint_eq(by_token("token-1")->wwsf, WWSF);
	ck_assert_str_eq(by_token("token-1")->sub, "u");
}
END_TEST

START_TEST(same_generation_renews) {
	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	ck_assert_int_eq(adopt(&good, "u", "token-2"), 0);
	ck_assert_ptr_eq(by_token("token-1"), by_token("token-2"));
	ck_assert_int_eq(adopt(&good, "other", "token-3"), RG_E_STALE); // INV-1
	ck_assert_ptr_null(by_token("token-3"));
}
END_TEST

START_TEST(not_its_partition) {
	struct lease_adoption a = good;

	a.wwsf = 5;
	ck_assert_int_eq(adopt(&a, "u", "t"), RG_E_AUTH);
	a = good;
	a.pool = "ours";
	ck_assert_int_eq(adopt(&a, "u", "t"), RG_E_AUTH);
	a = good;
	a.impi = "o0@x"; // handed out here
	a.impu = "sip:o0@x";
	a.pool = "ours";
	a.wwsf = 0;
	ck_assert_int_eq(adopt(&a, "u", "t"), RG_E_AUTH);
	a = good;
	a.impu = "sip:t1@x"; // of another pair
	ck_assert_int_eq(adopt(&a, "u", "t"), RG_E_AUTH);
	a = good;
	a.impi = "nobody@x";
	ck_assert_int_eq(adopt(&a, "u", "t"), RG_E_AUTH);
	ck_assert_ptr_null(by_token("t"));
}
END_TEST

// Also over a restart: INV-4 and INV-5.
START_TEST(next_owner) {
	struct lease_adoption next = good;

	next.gen = 41;
	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	ck_assert_int_eq(adopt(&next, "v", "token-2"), RG_E_EXHAUSTED); // u has it still
	env_sim_advance(env, FIX_LIFE);
	ck_assert_int_eq(adopt(&next, "v", "token-2"), RG_E_EXHAUSTED); // quarantine
	ck_assert_int_eq(adopt(&good, "u", "token-1"), RG_E_STALE);     // over is over
	env_sim_advance(env, FIX_GUARD);
	if (_i == 1) {
		lease_engine_free(e);
		env_sim_settle(env);
		make_engine();
	}
	ck_assert_int_eq(adopt(&good, "u", "token-1"), RG_E_STALE);
	ck_assert_int_eq(adopt(&next, "v", "token-2"), 0);
	ck_assert_uint_eq(by_token("token-2")->gen, 41);
}
END_TEST

START_TEST(revoked_stays_so) {
	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	ck_assert_int_eq(lease_revoke(e, 1, 40), 0);
	ck_assert_ptr_null(by_token("token-1"));
	ck_assert_int_eq(adopt(&good, "u", "token-1"), RG_E_STALE);
	ck_assert_int_eq(adopt(&good, "u", "token-2"), RG_E_STALE);
}
END_TEST

// Its life is for its WWSF to say: no token of ours prolongs it.
START_TEST(not_renewed_here) {
	const struct lease_ask ask = {.sub = "u",
				      .token_life_ns = 100 * FIX_LIFE,
				      .issue = issue,
				      .done = done,
				      .digester = digester};

	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	token = "token-2";
	lease_renew(e, 1, 40, &ask);
	env_sim_advance(env, SEC);
	ck_assert_int_eq(rc, RG_E_STALE);
	ck_assert_ptr_null(by_token("token-2"));
}
END_TEST

// The generation is good for as long as nothing was stored.
START_TEST(store_away) {
	store_mem_cut(store, true);
	ck_assert_int_eq(adopt(&good, "u", "token-1"), -EAGAIN);
	store_mem_cut(store, false);
	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
}
END_TEST

// It fails only once the record is under way: nobody has had the generation.
START_TEST(store_fails_at_first_sight) {
	store_mem_fail(store, 1, -EIO);
	ck_assert_int_eq(adopt(&good, "u", "token-1"), -EIO);
	ck_assert_ptr_null(by_token("token-1"));
	if (_i == 1) {
		lease_engine_free(e);
		env_sim_settle(env);
		make_engine();
	}
	env_sim_advance(env, 10 * SEC); // the record of before is written again
	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	ck_assert_uint_eq(by_token("token-1")->gen, 40);
	good.gen = 39;
	ck_assert_int_eq(adopt(&good, "u", "token-0"), RG_E_STALE);
}
END_TEST

// What it waited for is not added to the token's life.
START_TEST(end_is_absolute) {
	uint64_t end_ns = env_now_ns(env) + FIX_LIFE;
	const struct lease_ask ask = {.sub = "u",
				      .token_end_ns = end_ns,
				      .issue = issue,
				      .done = done,
				      .digester = digester};
	struct lease_ask late = ask;

	token = "token-1";
	store_mem_set_delay(store, 5 * SEC);
	lease_adopt(e, &good, &ask);
	late.token_end_ns = end_ns + SEC;
	lease_adopt(e, &good, &late); // in the queue behind it
	env_sim_advance(env, 20 * SEC);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(lease_token_end_ns(by_token("token-1")), end_ns + SEC);
	late.token_end_ns = env_now_ns(env);
	lease_adopt(e, &good, &late);
	env_sim_advance(env, SEC);
	ck_assert_int_eq(rc, RG_E_EXPIRED);
}
END_TEST

// Its issuer was asked again: it is still the only token, and ends later or sooner.
START_TEST(same_token_again) {
	uint64_t end_ns;

	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	ck_assert_int_eq(adopt(&good, "u", "token-2"), 0);
	env_sim_advance(env, 100 * SEC);
	end_ns = env_now_ns(env) + FIX_LIFE;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	ck_assert_uint_ge(lease_token_end_ns(by_token("token-1")), end_ns);
	ck_assert_ptr_nonnull(by_token("token-2"));
	if (_i == 1) {
		lease_engine_free(e);
		env_sim_settle(env);
		make_engine();
	}
	env_sim_advance(env, FIX_LIFE - 50 * SEC);
	ck_assert_ptr_nonnull(by_token("token-1"));
	ck_assert_ptr_null(by_token("token-2"));
	ck_assert_uint_eq(by_token("token-1")->tokens[1].end_ns, 0);
}
END_TEST

static struct rg_digest digest_of(const char *text) {
	struct rg_digest d;

	rg_token_digest(digester, rg_str(text), &d);
	return d;
}

// The client has a newer one: the lease goes on, also over a restart, until that one is withdrawn.
START_TEST(token_withdrawn) {
	const char *gone = _i < 2 ? "token-1" : "token-2", *left = _i < 2 ? "token-2" : "token-1";
	struct rg_digest d = digest_of(gone), other = digest_of("token-3");

	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	ck_assert_int_eq(adopt(&good, "u", "token-2"), 0);
	lease_end_token(e, 1, 40, &other);
	lease_end_token(e, 1, 39, &d);
	ck_assert_ptr_nonnull(by_token(gone));
	lease_end_token(e, 1, 40, &d);
	ck_assert_ptr_null(by_token(gone));
	env_sim_advance(env, SEC);
	if (_i % 2 == 1) {
		lease_engine_free(e);
		env_sim_settle(env);
		make_engine();
	}
	ck_assert_ptr_null(by_token(gone));
	ck_assert_ptr_nonnull(by_token(left));
	ck_assert_uint_ne(by_token(left)->tokens[0].end_ns, 0);
	d = digest_of(left);
	lease_end_token(e, 1, 40, &d);
	ck_assert_ptr_null(by_token(left));
	env_sim_advance(env, SEC);
	ck_assert_int_eq(adopt(&good, "u", left), RG_E_STALE);
}
END_TEST

// The newer one is on its way to the store, and may not get there.
START_TEST(token_withdrawn_before_the_next) {
	struct rg_digest d = digest_of("token-1");
	const struct lease_ask ask = {.sub = "u",
				      .token_end_ns = env_now_ns(env) + FIX_LIFE,
				      .issue = issue,
				      .done = done,
				      .digester = digester};

	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	token = "token-2";
	store_mem_fail(store, _i, -EIO);
	lease_adopt(e, &good, &ask);
	lease_end_token(e, 1, 40, &d);
	ck_assert_ptr_null(by_token("token-1"));
	env_sim_advance(env, 20 * SEC);
	ck_assert_int_eq(rc, _i == 0 ? 0 : -EIO);
	ck_assert((by_token("token-2") != NULL) == (_i == 0));
	ck_assert((lease_get(e, 1, 40) != NULL) == (_i == 0));
	ck_assert_ptr_null(by_token("token-1"));
	ck_assert_ptr_null(lease_engine_check(e));
}
END_TEST

// Its key was withdrawn; after a restart nobody knows whether it was this one.
START_TEST(key_withdrawn) {
	static const uint64_t gone[] = {7, 8};
	struct lease_adoption other = good;

	other.impi = "t1@x";
	other.impu = "sip:t1@x";
	signed_by = 8;
	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	signed_by = 9;
	ck_assert_int_eq(adopt(&good, "u", "token-2"), 0);
	ck_assert_int_eq(adopt(&other, "v", "token-3"), 0);
	if (_i == 1) {
		lease_engine_free(e);
		env_sim_settle(env);
		make_engine();
	}
	ck_assert_int_eq(lease_end_keys(e, WWSF + 1, gone, 2, NULL, NULL), 0);
	env_sim_advance(env, SEC);
	ck_assert_ptr_nonnull(by_token("token-2"));
	ck_assert_int_eq(lease_end_keys(e, WWSF, gone, 2, NULL, NULL), 0);
	env_sim_advance(env, SEC);
	ck_assert_ptr_null(by_token("token-1"));
	ck_assert_ptr_null(by_token("token-2"));
	ck_assert((by_token("token-3") != NULL) == (_i == 0));
	env_sim_advance(env, SEC);
	ck_assert_ptr_null(lease_engine_check(e));
	signed_by = 0;
}
END_TEST

static void on_walked(void *arg, uint16_t wwsf) {
	ck_assert_uint_eq(wwsf, WWSF);
	(*(unsigned *)arg)++;
}

// Others have their turn meanwhile; a second one waits for the first.
START_TEST(keys_withdrawn_step_by_step) {
	static char names[3000][2][16];
	static const uint64_t gone[] = {8, 9};
	struct lease_adoption far = good;
	unsigned n_walked = 0;

	for (unsigned i = 0; i < 3000; i++) {
		snprintf(names[i][0], sizeof(names[i][0]), "m%u@x", i);
		snprintf(names[i][1], sizeof(names[i][1]), "sip:m%u@x", i);
	}
	lease_engine_free(e);
	max_pairs = 3003;
	more = names;
	make_engine();
	max_pairs = 8;
	more = NULL;
	far.impi = names[2999][0];
	far.impu = names[2999][1];
	signed_by = 8;
	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	ck_assert_int_eq(adopt(&far, "v", "token-2"), 0);
	signed_by = 9;
	good.impi = "t1@x";
	good.impu = "sip:t1@x";
	ck_assert_int_eq(adopt(&good, "w", "token-3"), 0);
	ck_assert_int_eq(lease_end_keys(e, WWSF, gone, 1, on_walked, &n_walked), 0);
	ck_assert_int_eq(lease_end_keys(e, WWSF, gone + 1, 1, NULL, NULL), 0);
	ck_assert_ptr_nonnull(by_token("token-1"));
	env_sim_settle(env);
	ck_assert_ptr_null(by_token("token-1"));
	ck_assert_ptr_nonnull(by_token("token-2"));
	ck_assert_ptr_nonnull(by_token("token-3"));
	ck_assert_uint_eq(n_walked, 0);
	if (_i == 1) // under way
		return;
	ck_assert(lease_has_adopted(e, WWSF));
	ck_assert(!lease_has_adopted(e, WWSF + 1));
	env_sim_advance(env, SEC);
	ck_assert_uint_eq(n_walked, 1);
	ck_assert(!lease_has_adopted(e, WWSF));
	ck_assert_ptr_null(by_token("token-2"));
	ck_assert_ptr_null(by_token("token-3"));
}
END_TEST

// Its token is in the store's hands, or waits for that.
START_TEST(key_withdrawn_under_way) {
	static const uint64_t gone[] = {8};
	struct lease_ask ask = {.sub = "u",
				.key = _i == 0 ? 8 : 9,
				.token_end_ns = env_now_ns(env) + FIX_LIFE,
				.issue = issue,
				.done = done,
				.digester = digester};

	token = "token-1";
	n_done = 0;
	store_mem_set_delay(store, 5 * SEC);
	lease_adopt(e, &good, &ask);
	ask.key = 8;
	if (_i == 1)
		lease_adopt(e, &good, &ask);
	ck_assert_int_eq(lease_end_keys(e, WWSF, gone, 1, NULL, NULL), 0);
	env_sim_advance(env, 20 * SEC);
	ck_assert_uint_eq(n_done, 1 + (unsigned)_i);
	ck_assert_int_eq(rc, RG_E_STALE);
	ck_assert_ptr_null(by_token("token-1"));
	ck_assert_ptr_null(lease_engine_check(e));
}
END_TEST

START_TEST(drained_pool) {
	struct lease_adoption other = good;

	other.impi = "t1@x";
	other.impu = "sip:t1@x";
	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	ck_assert_int_eq(lease_pool_drain(e, 1, true, NULL, NULL), 0);
	env_sim_advance(env, SEC);
	ck_assert_int_eq(adopt(&other, "v", "token-2"), RG_E_EXHAUSTED);
	ck_assert_int_eq(adopt(&good, "u", "token-3"), 0); // what lives goes on
}
END_TEST

START_TEST(never_granted_here) {
	const struct lease_ask ask = {.pool = 1,
				      .sub = "u",
				      .token_life_ns = FIX_LIFE,
				      .issue = issue,
				      .done = done,
				      .digester = digester};

	lease_grant(e, &ask);
	env_sim_advance(env, SEC);
	ck_assert_int_eq(rc, RG_E_EXHAUSTED);
}
END_TEST

// After the hold, which outlasts all tokens of before, its WWSF goes on counting where it was.
START_TEST(a_lost_store_does_not_count_for_it) {
	struct lease_adoption next = good;

	ck_assert_int_eq(adopt(&good, "u", "token-1"), 0);
	lease_engine_free(e);
	ck_assert_int_eq(store_put(store, STORE_LOST, "\1", 1, false, NULL, NULL), 0);
	env_sim_advance(env, SEC);
	make_engine();
	next.gen++;
	ck_assert_int_eq(adopt(&next, "v", "token-2"), RG_E_EXHAUSTED);
	env_sim_advance(env, (5 + 69 + 360 + 3600) * SEC);
	ck_assert_int_eq(adopt(&good, "u", "token-1"), RG_E_STALE);
	ck_assert_int_eq(adopt(&next, "v", "token-2"), 0);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_adopt");
	TCase *tc = tcase_create("adopt");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, first_sight);
	tcase_add_test(tc, a_lost_store_does_not_count_for_it);
	tcase_add_test(tc, same_generation_renews);
	tcase_add_test(tc, not_its_partition);
	tcase_add_loop_test(tc, next_owner, 0, 2);
	tcase_add_test(tc, revoked_stays_so);
	tcase_add_test(tc, not_renewed_here);
	tcase_add_test(tc, store_away);
	tcase_add_loop_test(tc, store_fails_at_first_sight, 0, 2);
	tcase_add_test(tc, end_is_absolute);
	tcase_add_loop_test(tc, same_token_again, 0, 2);
	tcase_add_loop_test(tc, token_withdrawn, 0, 4);
	tcase_add_loop_test(tc, token_withdrawn_before_the_next, 0, 2);
	tcase_add_loop_test(tc, key_withdrawn, 0, 2);
	tcase_add_loop_test(tc, keys_withdrawn_step_by_step, 0, 2);
	tcase_add_loop_test(tc, key_withdrawn_under_way, 0, 2);
	tcase_add_test(tc, drained_pool);
	tcase_add_test(tc, never_granted_here);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
