// SPDX-License-Identifier: BSD-3-Clause
// lease list, show and revoke over pairs made by hand.
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "regate/err.h"

static struct harness h;
static struct env_sim_end *end;
static char (*names)[32];

static void fill(uint32_t n) {
	fake.pairs = calloc(n, sizeof(*fake.pairs));
	names = calloc(n, sizeof(*names));
	fake.n_pairs = n;
	for (uint32_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "sip:p%u@example.net", i);
		fake.pairs[i] = (struct lease){.idx = i,
					       .gen = 100 + i,
					       .state = i % 2 == 0 ? LEASE_ACTIVE : LEASE_FREE,
					       .pool = i % 4 == 0 ? 1 : 0,
					       .impu = names[i],
					       .impi = names[i] + 4,
					       .sub = "alice"};
		memset(fake.pairs[i].tokens[0].digest.b, 0xd1, RG_DIGEST_LEN);
		fake.pairs[i].tokens[0].end_ns = env_now_ns(h.env) + UINT64_C(86400) * RG_NS_PER_S;
	}
}

static void setup(void) {
	harness_start(&h, false);
	end = harness_connect(&h);
	fill(10);
}

static void teardown(void) {
	harness_stop(&h);
	free(names);
}

static json_t *rows_of(json_t *a) {
	return json_object_get(json_object_get(a, "data"), "leases");
}

static const struct {
	const char *args;
	const char *idx; // of the rows
	int next;        // -1 = null
} lists[] = {
	{"{}", "0 2 4 6 8", -1},
	{"{\"limit\":\"2\"}", "0 2", 2},
	{"{\"limit\":2,\"after\":2}", "4 6", 6},
	{"{\"limit\":2,\"after\":\"7\"}", "8", -1},
	{"{\"limit\":5}", "0 2 4 6 8", 8},
	{"{\"after\":9}", "", -1},
	{"{\"after\":4294967295}", "", -1},
	{"{\"pool\":\"guests\"}", "0 4 8", -1},
	{"{\"pool\":\"main\"}", "2 6", -1},
	{"{\"state\":\"free\"}", "1 3 5 7 9", -1},
	{"{\"state\":\"free\",\"pool\":\"guests\"}", "", -1},
	{"{\"state\":\"quarantine\"}", "", -1},
	{"{\"wwsf\":\"demo\"}", "0 2 4 6 8", -1},
	{"{\"sub\":\"alice\",\"limit\":3}", "0 2 4", 4},
	{"{\"sub\":\"alic\"}", "", -1},
	{"{\"impu\":\"sip:p4\"}", "4", -1},
	{"{\"impu\":\"sip:p\",\"pool\":\"main\"}", "2 6", -1},
	{"{\"impu\":\"sip:p4\",\"pool\":\"main\"}", "", -1},
};

START_TEST(list) {
	char request[128], got[128] = "";
	json_t *a, *row, *next;
	size_t i;

	snprintf(request, sizeof(request), "{\"cmd\":\"lease list\",\"args\":%s}", lists[_i].args);
	a = harness_ask(&h, end, request);
	json_array_foreach(rows_of(a), i, row) {
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%d", i == 0 ? "" : " ",
			 (int)json_integer_value(json_object_get(row, "idx")));
	}
	ck_assert_str_eq(got, lists[_i].idx);
	next = json_object_get(json_object_get(a, "data"), "next_after");
	ck_assert_int_eq(json_is_null(next) ? -1 : json_integer_value(next), lists[_i].next);
	json_decref(a);
}
END_TEST

// Pages laid end to end give every lease once.
START_TEST(pages_join) {
	char request[128];
	unsigned seen = 0;
	json_int_t after = -1;

	for (unsigned page = 0; page < 10; page++) {
		json_t *a, *next;

		snprintf(request, sizeof(request),
			 after < 0 ? "{\"cmd\":\"lease list\",\"args\":{\"limit\":1}}"
				   : "{\"cmd\":\"lease list\",\"args\":{\"limit\":1,\"after\":%d}}",
			 (int)after);
		a = harness_ask(&h, end, request);
		seen += (unsigned)json_array_size(rows_of(a));
		next = json_object_get(json_object_get(a, "data"), "next_after");
		after = json_is_null(next) ? -1 : json_integer_value(next);
		json_decref(a);
		if (after < 0)
			break;
	}
	ck_assert_uint_eq(seen, 5);
}
END_TEST

static const struct {
	const char *lease;
	int idx; // -1 = not found
} shows[] = {
	{"3", 3},
	{"9", 9},
	{"10", -1},
	{"18446744073709551615", -1},
	{"p7@example.net", 7},
	{"sip:p2@example.net", 2},
	{"sip:p77@example.net", -1},
};

START_TEST(show) {
	char request[128];
	json_t *a;

	snprintf(request, sizeof(request), "{\"cmd\":\"lease show\",\"args\":{\"lease\":\"%s\"}}",
		 shows[_i].lease);
	a = harness_ask(&h, end, request);
	if (shows[_i].idx < 0) {
		harness_refused(a, RG_CTL_NOT_FOUND, "no pair");
		return;
	}
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(a, "data"), "idx")),
			 shows[_i].idx);
	json_decref(a);
}
END_TEST

static const char *const asked[] = {"0", "p0@example.net"};

START_TEST(show_without_pairs) {
	char request[128];

	fake.n_pairs = 0;
	snprintf(request, sizeof(request), "{\"cmd\":\"lease show\",\"args\":{\"lease\":\"%s\"}}",
		 asked[_i]);
	harness_refused(harness_ask(&h, end, request), RG_CTL_NOT_FOUND, "there is no pair");
}
END_TEST

START_TEST(show_members) {
	struct lease *l = &fake.pairs[4];

	l->is_stale = true;
	l->scenario = 3;
	l->flow = (struct rg_conn_id){.idx = 5, .gen = 6, .worker = 1};
	l->binding.contact = RG_LIT("<sip:\xff\x00\n@x>");
	l->binding.call_id = RG_LIT("c1");
	l->binding.core_low_ns = env_now_ns(h.env) + 60 * RG_NS_PER_S;
	l->promise_end_ns = RG_NEVER;
	strcpy(l->core_call_id, "abc");
	l->core_cseq = 12;
	l->gateway = 1;
	harness_data(harness_ask(&h, end, "{\"cmd\":\"lease show\",\"args\":{\"lease\":4}}"),
		     "{\"idx\":4,\"gen\":104,\"state\":\"active\",\"stale\":true,"
		     "\"impu\":\"sip:p4@example.net\",\"pool\":\"guests\",\"sub\":\"alice\","
		     "\"token_ends_at\":\"2026-01-02T00:00:00Z\",\"promised_until_at\":null,"
		     "\"impi\":\"p4@example.net\",\"wwsf\":\"demo\",\"scenario\":3,\"fixed\":false,"
		     "\"tokens\":1,\"reassign_at\":null,\"held_by\":null,\"contact\":\"<sip:"
		     "\\\\xff\\\\x00\\n@x>\","
		     "\"call_id\":\"c1\",\"core_refresh_at\":null,"
		     "\"core_until_at\":\"2026-01-01T00:01:00Z\",\"core_call_id\":\"abc\","
		     "\"core_cseq\":12,\"flow\":{\"worker\":1,\"conn\":5,\"gen\":6},\"gateway\":"
		     "\"gw1\"}");
}
END_TEST

// A pair of an account that nobody holds: what is absent is null.
START_TEST(show_free) {
	fake.pairs[5].pool = UINT16_MAX;
	fake.pairs[5].is_fixed = true;
	fake.pairs[5].wwsf = 7;
	fake.pairs[5].sub = NULL;
	harness_data(harness_ask(&h, end, "{\"cmd\":\"lease show\",\"args\":{\"lease\":5}}"),
		     "{\"idx\":5,\"gen\":105,\"state\":\"free\",\"stale\":false,"
		     "\"impu\":\"sip:p5@example.net\",\"pool\":null,\"sub\":null,"
		     "\"token_ends_at\":null,\"promised_until_at\":null,"
		     "\"impi\":\"p5@example.net\",\"wwsf\":null,\"scenario\":0,\"fixed\":true,"
		     "\"tokens\":1,\"reassign_at\":null,\"held_by\":null,\"contact\":null,\"call_"
		     "id\":null,"
		     "\"core_refresh_at\":null,\"core_until_at\":null,\"core_call_id\":null,"
		     "\"core_cseq\":0,\"flow\":null,\"gateway\":null}");
}
END_TEST

static bool holds_secret(json_t *a) {
	char *text = json_dumps(a, JSON_ENSURE_ASCII);
	bool is_found = strstr(text, "d1d1") != NULL || strstr(text, "\\u00d1") != NULL ||
			strstr(text, "digest") != NULL;

	free(text);
	json_decref(a);
	return is_found;
}

START_TEST(no_digest_in_answers) {
	ck_assert(!holds_secret(
		harness_ask(&h, end, "{\"cmd\":\"lease show\",\"args\":{\"lease\":4}}")));
	ck_assert(!holds_secret(harness_ask(&h, end, "{\"cmd\":\"lease list\"}")));
	ck_assert(!holds_secret(
		harness_ask(&h, end, "{\"cmd\":\"lease revoke\",\"args\":{\"lease\":4}}")));
}
END_TEST

START_TEST(revoke) {
	json_t *a =
		harness_ask(&h, end,
			    "{\"cmd\":\"lease revoke\",\"args\":{\"lease\":\"p6@example.net\"}}");

	ck_assert(json_is_true(json_object_get(a, "ok")));
	ck_assert_uint_eq(fake.revoked_idx, 6);
	ck_assert_uint_eq(fake.revoked_gen, 106);
	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a, "data"), "state")),
			 "dereg-pending");
	json_decref(a);
}
END_TEST

START_TEST(revoke_refused) {
	harness_refused(harness_ask(&h, end,
				    "{\"cmd\":\"lease revoke\",\"args\":{\"lease\":\"3\"}}"),
			RG_CTL_REFUSED, "lease 3 is not leased (state: free)");
	fake.pairs[4].state = LEASE_QUARANTINE;
	harness_refused(harness_ask(&h, end,
				    "{\"cmd\":\"lease revoke\",\"args\":{\"lease\":\"4\"}}"),
			RG_CTL_REFUSED, "quarantine");
	ck_assert_uint_eq(fake.revoked_gen, 0);
	fake.revoke_rc = RG_E_STALE;
	harness_refused(harness_ask(&h, end,
				    "{\"cmd\":\"lease revoke\",\"args\":{\"lease\":\"6\"}}"),
			RG_CTL_REFUSED, "lease 6 is not leased");
}
END_TEST

// A walk over many pairs gives the loop back after each step, and ends with its client.
START_TEST(walk_in_steps) {
	json_t *a;

	free(fake.pairs);
	free(names);
	fill(100000);
	for (unsigned i = 0; i < 100000; i++)
		fake.pairs[i].state = LEASE_FREE;
	fake.pairs[99999].state = LEASE_UNKNOWN;
	harness_send(end, "{\"cmd\":\"lease list\",\"args\":{\"state\":\"unknown\"}}");
	harness_send(end, "{\"cmd\":\"lease list\",\"args\":{\"sub\":\"nobody\"}}");
	// 13 steps. A turn has room for two: of its socket and of its timer, of one walk and the next.
	for (unsigned turn = 0; turn < 12; turn++) {
		ck_assert_ptr_null(a = harness_read(end));
		fake.n_scanned = 0;
		env_sim_turn(h.env);
		ck_assert_uint_gt(fake.n_scanned, 0);
		ck_assert_uint_le(fake.n_scanned, 16384);
	}
	a = harness_read(end);
	ck_assert_ptr_nonnull(a);
	ck_assert_uint_eq(json_array_size(rows_of(a)), 1);
	json_decref(a);
	env_sim_turn(h.env);
	env_sim_reset(end, 104);
	fake.n_scanned = 0;
	env_sim_advance(h.env, RG_NS_PER_S);
	ck_assert_uint_eq(fake.n_scanned, 0);
}
END_TEST

// Rows that no message can hold are an error that says how to ask, not a broken answer.
START_TEST(answer_too_big) {
	static char sub[4000];

	free(fake.pairs);
	free(names);
	fill(2000);
	memset(sub, 's', sizeof(sub) - 1);
	for (unsigned i = 0; i < 2000; i++)
		fake.pairs[i].sub = sub;
	harness_refused(harness_ask(&h, end,
				    "{\"cmd\":\"lease list\",\"args\":{\"limit\":\"1000\"}}"),
			RG_CTL_REFUSED, "--limit");
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_lease");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, list, 0, sizeof(lists) / sizeof(*lists));
	tcase_add_test(t, pages_join);
	tcase_add_loop_test(t, show, 0, sizeof(shows) / sizeof(*shows));
	tcase_add_loop_test(t, show_without_pairs, 0, 2);
	tcase_add_test(t, show_members);
	tcase_add_test(t, show_free);
	tcase_add_test(t, no_digest_in_answers);
	tcase_add_test(t, revoke);
	tcase_add_test(t, revoke_refused);
	tcase_add_test(t, walk_in_steps);
	tcase_add_test(t, answer_too_big);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
