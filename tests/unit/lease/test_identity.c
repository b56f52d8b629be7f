// SPDX-License-Identifier: BSD-3-Clause
// Identities of pairs: told as they were given, found by either, given once.
#include <stdio.h>

#include "lease_fixture.h"
#include "regate/err.h"

#define MANY 3000

static struct env *env;
static struct store *store;
static struct lease_engine *e;

static void on_deregister(void *, const struct lease *) {
}

static void on_close(void *, struct rg_conn_id, uint16_t) {
}

static void setup(void) {
	const struct lease_ops ops = {NULL, on_deregister, on_close};

	env = env_sim_new(1);
	ck_assert_int_eq(store_mem_open(env, &store), 0);
	e = lease_engine_new(&(struct lease_cfg){0}, env, store, NULL, &ops, MANY);
	ck_assert_ptr_nonnull(e);
}

static void teardown(void) {
	lease_engine_free(e);
	store_close(store);
	env_sim_free(env);
}

static char long_user[400];

static const struct {
	const char *impi, *impu;
} pairs[] = {
	{"a@x", "sip:a@x"},
	{"b@x", "sip:b@x"},
	{"c@realm.example", "sip:other@x"},
	{"no-at", "sip:no-at"},
	{"@", "sip:@"},
	{"", "sips:"},
	{"d@x@y", "sip:d@x@y"},
	{"e@x", "tel:+1555"},
	{"e:f@x", "no scheme"},
	{long_user, "sip:long@x"},
	{"long@x", long_user + 1},
};
#define N (sizeof(pairs) / sizeof(*pairs))

START_TEST(told_as_given) {
	memset(long_user, 'l', 300);
	strcpy(long_user + 300, "@x");
	for (size_t i = 0; i < N; i++)
		ck_assert_int_eq(lease_add_pair(e, 3, 4, pairs[i].impi, pairs[i].impu, NULL), 0);
	ck_assert_uint_eq(lease_n_pairs(e), N);
	for (uint32_t i = 0; i < N; i++) {
		const struct lease *l = lease_at(e, i);

		ck_assert_uint_eq(l->idx, i);
		ck_assert_uint_eq(l->pool, 3);
		ck_assert_uint_eq(l->wwsf, 4);
		ck_assert_int_eq(l->state, LEASE_FREE);
		ck_assert_str_eq(l->impi, pairs[i].impi);
		ck_assert_str_eq(l->impu, pairs[i].impu);
		ck_assert_ptr_null(l->sub);
		ck_assert_int_eq(lease_add_pair(e, 0, 0, pairs[i].impi, "sip:z@z", NULL),
				 RG_E_CONFLICT);
		ck_assert_int_eq(lease_add_pair(e, 0, 0, "z@z", pairs[i].impu, NULL),
				 RG_E_CONFLICT);
	}
	ck_assert_ptr_null(lease_at(e, N));
	ck_assert_ptr_null(lease_engine_check(e));
}
END_TEST

START_TEST(case_makes_no_difference) {
	ck_assert_int_eq(lease_add_pair(e, 0, 0, "User@Realm", "SIP:User@Host", NULL), 0);
	ck_assert_int_eq(lease_add_pair(e, 0, 0, "uSER@rEALM", "sip:x@x", NULL), RG_E_CONFLICT);
	ck_assert_int_eq(lease_add_pair(e, 0, 0, "x@x", "sip:uSER@hOST", NULL), RG_E_CONFLICT);
	ck_assert_int_eq(lease_add_pair(e, 0, 0, "x@x", "sip:x@x", "Alice"), 0);
	ck_assert_int_eq(lease_add_pair(e, 0, 0, "y@y", "sip:y@y", "alice"), 0); // accounts: exact
	ck_assert_int_eq(lease_add_pair(e, 0, 0, "z@z", "sip:z@z", "alice"), RG_E_CONFLICT);
	ck_assert_str_eq(lease_at(e, 0)->impi, "User@Realm");
}
END_TEST

// A domain for each pair, so that all that grows has to, and the engine's room to the last.
START_TEST(many_domains) {
	char impi[64], impu[64];

	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(impi, sizeof(impi), "u%u@realm%u", i, i);
		snprintf(impu, sizeof(impu), "sip:u%u@host%u", i, i);
		ck_assert_int_eq(lease_add_pair(e, 0, 0, impi, impu, i % 2 == 0 ? impi : NULL), 0);
	}
	ck_assert_int_eq(lease_add_pair(e, 0, 0, "x@x", "sip:x@x", NULL), RG_E_LIMIT);
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(impi, sizeof(impi), "u%u@realm%u", i, i);
		snprintf(impu, sizeof(impu), "sip:u%u@host%u", i, i);
		ck_assert_str_eq(lease_at(e, i)->impi, impi);
		ck_assert_str_eq(lease_at(e, i)->impu, impu);
	}
	ck_assert_ptr_null(lease_engine_check(e));
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_identity");
	TCase *tc = tcase_create("identity");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, told_as_given);
	tcase_add_test(tc, case_makes_no_difference);
	tcase_add_test(tc, many_domains);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
