// SPDX-License-Identifier: BSD-3-Clause
// Framing, bounds and time-outs of the operator socket.
#include <errno.h>
#include <stdlib.h>

#include "harness.h"

static struct harness h;

static void setup(void) {
	harness_start(&h, true);
}

static void teardown(void) {
	harness_stop(&h);
}

static void assert_schema(json_t *a, const char *schema) {
	ck_assert_ptr_nonnull(a);
	ck_assert_str_eq(json_string_value(json_object_get(a, "schema")), schema);
	json_decref(a);
}

START_TEST(one_request) {
	struct env_sim_end *end = harness_connect(&h);
	json_t *a = harness_ask(&h, end, "{\"cmd\":\"help\"}");

	ck_assert(json_is_true(json_object_get(a, "ok")));
	ck_assert_str_eq(json_string_value(json_object_get(a, "now_at")), "2026-01-01T00:00:00Z");
	assert_schema(a, "regate.help/1");
	ck_assert(!harness_is_closed(end));
}
END_TEST

START_TEST(byte_by_byte) {
	struct env_sim_end *end = harness_connect(&h);
	const uint8_t msg[] = "\0\0\0\x10{\"cmd\":\"status\"}";

	for (size_t i = 0; i < sizeof(msg) - 1; i++) {
		ck_assert_ptr_null(harness_read(end));
		ck_assert_int_eq(env_sim_write(end, rg_slice(msg + i, 1)), 0);
		env_sim_settle(h.env);
	}
	assert_schema(harness_read(end), "regate.status/1");
}
END_TEST

// One of the socket's event and one of the timer in the first turn, then one each.
START_TEST(pipelined_few_per_turn) {
	struct env_sim_end *end = harness_connect(&h);

	for (unsigned i = 0; i < 5; i++)
		harness_send(end, i % 2 == 0 ? "{\"cmd\":\"help\"}" : "{\"cmd\":\"log level\"}");
	env_sim_turn(h.env);
	assert_schema(harness_read(end), "regate.help/1");
	assert_schema(harness_read(end), "regate.log/1");
	ck_assert_ptr_null(harness_read(end));
	env_sim_turn(h.env);
	assert_schema(harness_read(end), "regate.help/1");
	ck_assert_ptr_null(harness_read(end));
	env_sim_settle(h.env);
	assert_schema(harness_read(end), "regate.log/1");
	assert_schema(harness_read(end), "regate.help/1");
}
END_TEST

START_TEST(partial_writes) {
	struct env_sim_end *end = harness_connect(&h);
	uint8_t got[65536];
	size_t len = 0;

	harness_send(end, "{\"cmd\":\"help\"}");
	for (unsigned i = 0; i < 10000; i++) {
		ssize_t n;

		env_sim_set_room(end, 7);
		env_sim_settle(h.env);
		n = env_sim_read(end, got + len, sizeof(got) - len);
		if (n == -EAGAIN)
			break;
		ck_assert_int_gt(n, 0);
		ck_assert_int_le(n, 7);
		len += (size_t)n;
	}
	ck_assert_uint_gt(len, 1000);
	ck_assert_uint_eq(len, 4 + ((size_t)got[2] << 8 | got[3]));
	assert_schema(json_loadb((char *)got + 4, len - 4, 0, NULL), "regate.help/1");
	env_sim_stall(end, false);
	assert_schema(harness_ask(&h, end, "{\"cmd\":\"status\"}"), "regate.status/1");
}
END_TEST

static const struct {
	const char *request;
	const char *part;
} bad[] = {
	{"", "not one JSON object"},
	{"{", "not one JSON object"},
	{"[]", "not one JSON object"},
	{"null", "not one JSON object"},
	{"{\"cmd\":\"help\"}{}", "not one JSON object"},
	{"{\"cmd\":\"help\",\"cmd\":\"help\"}", "not one JSON object"},
	{"{\"cmd\":\"\xff\"}", "not one JSON object"},
	{"{}", "without \"cmd\""},
	{"{\"cmd\":17}", "without \"cmd\""},
	{"{\"cmd\":\"help\",\"args\":[]}", "without \"cmd\""},
	{"{\"cmd\":\"lease lst\"}", "try `lease list`"},
	{"{\"cmd\":\"xyzzy\"}", "try `help`"},
	{"{\"cmd\":\"help\",\"args\":{\"x\":1}}", "help: unknown argument"},
	{"{\"cmd\":\"lease show\"}", "argument lease is missing"},
	{"{\"cmd\":\"lease list\",\"args\":{\"limit\":0}}", "number from 1 to 1000"},
	{"{\"cmd\":\"lease list\",\"args\":{\"limit\":-5}}", "must be a JSON string"},
	{"{\"cmd\":\"lease list\",\"args\":{\"limit\":true}}", "must be a JSON string"},
	{"{\"cmd\":\"lease list\",\"args\":{\"state\":\"busy\"}}", "must be one of free,"},
	{"{\"cmd\":\"stats\",\"args\":{\"all\":\"yes\"}}", "must be a JSON true or false"},
	{"{\"cmd\":\"lease list\",\"args\":{\"pool\":\"other\"}}", "no such pool"},
};

// A bad request is answered and the connection goes on.
START_TEST(bad_request) {
	struct env_sim_end *end = harness_connect(&h);
	bool is_lookup = strstr(bad[_i].part, "no such") != NULL;

	harness_refused(harness_ask(&h, end, bad[_i].request),
			is_lookup ? RG_CTL_NOT_FOUND : RG_CTL_USAGE, bad[_i].part);
	assert_schema(harness_ask(&h, end, "{\"cmd\":\"help\"}"), "regate.help/1");
}
END_TEST

START_TEST(oversized_length) {
	struct env_sim_end *end = harness_connect(&h);

	ck_assert_int_eq(env_sim_write(end, rg_slice("\0\x10\0\1", 4)), 0);
	env_sim_settle(h.env);
	harness_refused(harness_read(end), RG_CTL_USAGE, "1048577");
	ck_assert(harness_is_closed(end));
}
END_TEST

START_TEST(largest_length) {
	struct env_sim_end *end = harness_connect(&h);
	char *text = malloc(RG_CTL_MAX + 1);

	memset(text, ' ', RG_CTL_MAX);
	text[RG_CTL_MAX] = '\0';
	memcpy(text, "{\"cmd\":\"help\"}", 14);
	assert_schema(harness_ask(&h, end, text), "regate.help/1");
	free(text);
}
END_TEST

START_TEST(idle_times_out) {
	struct env_sim_end *end = harness_connect(&h);

	env_sim_advance(h.env, 29 * RG_NS_PER_S);
	assert_schema(harness_ask(&h, end, "{\"cmd\":\"help\"}"), "regate.help/1");
	env_sim_advance(h.env, 29 * RG_NS_PER_S);
	ck_assert(!harness_is_closed(end));
	env_sim_advance(h.env, 2 * RG_NS_PER_S);
	ck_assert(harness_is_closed(end));
}
END_TEST

// Bytes that trickle in are no progress: only a whole request is.
START_TEST(trickle_times_out) {
	struct env_sim_end *end = harness_connect(&h);

	for (unsigned i = 0; i < 4; i++) {
		ck_assert(!harness_is_closed(end));
		ck_assert_int_eq(env_sim_write(end, rg_slice(&"\0\0\1\0"[i], 1)), 0);
		env_sim_advance(h.env, 8 * RG_NS_PER_S);
	}
	ck_assert(harness_is_closed(end));
}
END_TEST

START_TEST(slow_reader_times_out) {
	struct env_sim_end *end = harness_connect(&h);

	env_sim_set_room(end, 10);
	harness_send(end, "{\"cmd\":\"help\"}");
	env_sim_advance(h.env, 31 * RG_NS_PER_S);
	ck_assert_int_eq(env_sim_write(end, RG_LIT("x")), -EPIPE);
}
END_TEST

START_TEST(client_limit) {
	struct env_sim_end *end[65];

	for (unsigned i = 0; i < 65; i++)
		end[i] = harness_connect(&h);
	harness_refused(harness_read(end[64]), RG_CTL_REFUSED, "64 clients");
	ck_assert(harness_is_closed(end[64]));
	for (unsigned i = 0; i < 64; i++)
		assert_schema(harness_ask(&h, end[i], "{\"cmd\":\"help\"}"), "regate.help/1");
	env_sim_hangup(end[10]);
	env_sim_settle(h.env);
	assert_schema(harness_ask(&h, harness_connect(&h), "{\"cmd\":\"help\"}"), "regate.help/1");
}
END_TEST

START_TEST(clients_that_vanish) {
	struct env_sim_end *a = harness_connect(&h), *b = harness_connect(&h),
			   *c = harness_connect(&h);

	ck_assert_int_eq(env_sim_write(a, RG_LIT("\0\0\0")), 0);
	env_sim_hangup(a);
	env_sim_reset(b, ECONNRESET);
	harness_send(c, "{\"cmd\":\"help\"}");
	env_sim_hangup(c);                        // its answer has nowhere to go
	env_sim_advance(h.env, 60 * RG_NS_PER_S); // no timer of theirs is left
	assert_schema(harness_ask(&h, harness_connect(&h), "{\"cmd\":\"help\"}"), "regate.help/1");
}
END_TEST

// All that is open at the end is given back (ASan looks).
START_TEST(free_with_clients) {
	struct env_sim_end *end = harness_connect(&h);

	harness_connect(&h);
	harness_send(end, "{\"cmd\":\"conn list\"}");
	harness_send(end, "{\"cmd\":\"help\"}");
	env_sim_turn(h.env);
}
END_TEST

START_TEST(socket_in_use) {
	struct ctl_deps deps = h.deps;
	char err[256] = "";

	ck_assert_ptr_null(ctl_new(&deps, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, SOCKET_PATH));
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_server");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_request);
	tcase_add_test(t, byte_by_byte);
	tcase_add_test(t, pipelined_few_per_turn);
	tcase_add_test(t, partial_writes);
	tcase_add_loop_test(t, bad_request, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_test(t, oversized_length);
	tcase_add_test(t, largest_length);
	tcase_add_test(t, idle_times_out);
	tcase_add_test(t, trickle_times_out);
	tcase_add_test(t, slow_reader_times_out);
	tcase_add_test(t, client_limit);
	tcase_add_test(t, clients_that_vanish);
	tcase_add_test(t, free_with_clients);
	tcase_add_test(t, socket_in_use);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
