// SPDX-License-Identifier: BSD-3-Clause
// `pool import` and `pool export` over the real lease engine and memory store: counts, refusals with
// their lines, answers only when durable, clients that leave, pages.
#include <errno.h>
#include <stdlib.h>
#include <urcu/urcu-qsbr.h>

#include "ctl/grammar.h"
#include "harness.h"
#include "regate/err.h"
#include "store/store_mem.h"

#define ROOM 3000

static struct harness h;
static struct env_sim_end *end;

static void engine_start(void) {
	static const char *const names[] = {"main", "guests"};
	static const uint16_t wwsfs[] = {0, 0};
	static const struct lease_ops ops = {0};

	h.deps.leases =
		lease_engine_new(&(struct lease_cfg){0}, h.env, h.deps.store, NULL, &ops, ROOM);
	lease_set_pool_names(h.deps.leases, names, 2);
	lease_set_pool_wwsfs(h.deps.leases, wwsfs);
	ck_assert_int_eq(lease_add_pair(h.deps.leases, 1, 0, "g@x", "sip:g@x", NULL), 0);
	ck_assert_int_eq(lease_engine_load(h.deps.leases), 0);
}

static void setup(void) {
	char err[256];

	urcu_qsbr_register_thread();
	harness_start(&h, false);
	ctl_free(h.ctl);
	ck_assert_int_eq(store_mem_open(h.env, &h.deps.store), 0);
	engine_start();
	h.ctl = ctl_new(&h.deps, err, sizeof(err));
	end = harness_connect(&h);
}

static void teardown(void) {
	struct lease_engine *e = h.deps.leases;
	struct store *s = h.deps.store;

	ctl_free(h.ctl);
	h.ctl = NULL;
	ck_assert_ptr_null(lease_engine_check(e));
	lease_engine_free(e);
	store_close(s);
	harness_stop(&h);
	urcu_qsbr_unregister_thread();
}

static void send_text(const char *pool, const char *text, size_t len, const char *format) {
	json_t *o = json_pack("{s:s, s:{s:s, s:s%, s:s*}}", "cmd", "pool import", "args", "pool",
			      pool, "file", text, len, "format", format);
	char *request = json_dumps(o, JSON_COMPACT);

	harness_send(end, request);
	free(request);
	json_decref(o);
}

static json_t *import(const char *pool, const char *text, const char *format) {
	json_t *a = NULL;

	send_text(pool, text, strlen(text), format);
	for (unsigned i = 0; a == NULL && i < 100; i++) {
		env_sim_advance(h.env, RG_NS_PER_MS);
		a = harness_read(end);
	}
	ck_assert_ptr_nonnull(a);
	return a;
}

START_TEST(counts_and_refusals) {
	harness_data(
		import("main",
		       "impi,impu\r\na@x,sip:a@x\nb@x\n\na@x,sip:a@x\ng@x,sip:g@x\n"
		       "c@x,sip:a@x\nC@X,tel:1\nd@x,sip:d@x",
		       NULL),
		"{\"lines\":9,\"new\":2,\"there\":1,\"refused\":4,\"refusals\":["
		"{\"line\":3,\"error\":\"only one field: write impi,impu\"},"
		"{\"line\":6,\"error\":\"its IMPI or IMPU belongs to another pair or pool, and "
		"one pair is one subscription: leave one of the two out\"},"
		"{\"line\":7,\"error\":\"its IMPI or IMPU belongs to another pair or pool, and "
		"one pair is one subscription: leave one of the two out\"},"
		"{\"line\":8,\"error\":\"the IMPU is none: write sip:user@host, at most 255 "
		"bytes, without port or parameters\"}]}");
	ck_assert_uint_eq(lease_n_pairs(h.deps.leases), 3);
}
END_TEST

START_TEST(again) {
	json_decref(import("main", "a@x,sip:a@x\n", "csv"));
	harness_data(import("main", "{\"impi\":\"a@x\",\"impu\":\"sip:a@x\"}\n", "json"),
		     "{\"lines\":1,\"new\":0,\"there\":1,\"refused\":0,\"refusals\":[]}");
}
END_TEST

START_TEST(answer_waits_for_the_disk) {
	store_mem_set_delay(h.deps.store, RG_NS_PER_S);
	send_text("main", "a@x,sip:a@x", 11, NULL);
	env_sim_advance(h.env, RG_NS_PER_S - RG_NS_PER_MS);
	ck_assert_ptr_null(harness_read(end));
	env_sim_advance(h.env, 2 * RG_NS_PER_MS);
	json_decref(harness_read(end));
}
END_TEST

START_TEST(store_fails) {
	store_mem_fail(h.deps.store, 1, -ENOSPC);
	harness_refused(import("main", "a@x,sip:a@x\nb@x,sip:b@x\n", NULL), RG_CTL_REFUSED,
			"1 pairs could not be stored (No space left on device): mend the store, "
			"then import the same file again");
	harness_data(import("main", "a@x,sip:a@x\nb@x,sip:b@x\n", NULL),
		     "{\"lines\":2,\"new\":1,\"there\":1,\"refused\":0,\"refusals\":[]}");
}
END_TEST

static char *many(unsigned n, size_t *len) {
	char *text;
	FILE *f = open_memstream(&text, len);

	for (unsigned i = 0; i < n; i++)
		fprintf(f, "u%u@x,sip:u%u@x\n", i, i);
	fclose(f);
	return text;
}

// In the middle of its lines, and while the store has them: whole pairs stay, nothing else does.
START_TEST(client_leaves) {
	size_t len;
	char *text = many(2000, &len);

	send_text("main", text, len, NULL);
	if (_i == 1)
		env_sim_advance(h.env, 0);
	env_sim_reset(end, ECONNRESET);
	env_sim_advance(h.env, 100 * RG_NS_PER_MS);
	ck_assert_uint_le(lease_n_pairs(h.deps.leases), 2001);
	ck_assert_ptr_null(lease_engine_check(h.deps.leases));
	end = harness_connect(&h);
	json_decref(import("main", "z@x,sip:z@x\n", NULL));
	free(text);
}
END_TEST

START_TEST(engine_ends_first) { // with records under way and a client that waits
	struct lease_engine *e = h.deps.leases;

	store_mem_set_delay(h.deps.store, RG_NS_PER_S);
	send_text("main", "a@x,sip:a@x", 11, NULL);
	env_sim_advance(h.env, RG_NS_PER_MS);
	ctl_free(h.ctl); // as the gateway does
	lease_engine_free(e);
	h.ctl = NULL;
	engine_start();
}
END_TEST

START_TEST(no_room) {
	size_t len;
	char *text = many(ROOM + 200, &len);
	json_t *a = import("main", text, NULL), *data = json_object_get(a, "data");

	ck_assert_int_eq(json_integer_value(json_object_get(data, "new")), ROOM - 1);
	ck_assert_int_eq(json_integer_value(json_object_get(data, "refused")), 201);
	ck_assert_uint_eq(json_array_size(json_object_get(data, "refusals")), 100);
	json_decref(a);
	free(text);
}
END_TEST

static json_t *remove_pairs(const char *text) {
	json_t *o = json_pack("{s:s, s:{s:s, s:s}}", "cmd", "pool remove", "args", "pool", "main",
			      "file", text);
	char *request = json_dumps(o, JSON_COMPACT);
	json_t *a;

	harness_send(end, request);
	env_sim_advance(h.env, 10 * RG_NS_PER_MS);
	a = harness_read(end);
	free(request);
	json_decref(o);
	return a;
}

START_TEST(removal) {
	json_decref(import("main", "a@x,sip:a@x\nb@x,sip:b@x\n", NULL));
	harness_data(
		remove_pairs("impi,impu\na@x,sip:a@x\nz@x,sip:z@x\na@x,sip:b@x\ng@x,sip:g@x\n"),
		"{\"lines\":5,\"removed\":1,\"gone\":1,\"refused\":2,\"leased\":0,\"refusals\":["
		"{\"line\":4,\"error\":\"its IMPI or IMPU belongs to another pair or pool\"},"
		"{\"line\":5,\"error\":\"its IMPI or IMPU belongs to another pair or pool\"}]}");
	harness_refused(harness_ask(&h, end,
				    "{\"cmd\":\"lease show\",\"args\":{\"lease\":\"a@x\"}}"),
			RG_CTL_NOT_FOUND, "no pair has this identity");
	harness_refused(harness_ask(&h, end, "{\"cmd\":\"lease show\",\"args\":{\"lease\":1}}"),
			RG_CTL_NOT_FOUND, "pair 1 was removed");
	harness_data(harness_ask(&h, end, "{\"cmd\":\"pool export\",\"args\":{\"pool\":\"main\"}}"),
		     "{\"pairs\":1,\"next_after\":null,\"text\":\"b@x,sip:b@x\\n\"}");
	store_mem_fail(h.deps.store, 1, -ENOSPC);
	harness_refused(remove_pairs("b@x,sip:b@x\n"), RG_CTL_REFUSED,
			"pool remove: 1 pairs could not be stored (No space left on device): mend "
			"the store, then remove the same file again");
	harness_data(remove_pairs("b@x,sip:b@x\n"), "{\"lines\":1,\"removed\":1,\"gone\":0,"
						    "\"refused\":0,\"leased\":0,\"refusals\":[]}");
}
END_TEST

START_TEST(unknown_pool) {
	harness_refused(import("mian", "a@x,sip:a@x\n", NULL), RG_CTL_NOT_FOUND,
			"pool import: no such pool: `pool list` names them");
	harness_refused(harness_ask(&h, end, "{\"cmd\":\"pool export\",\"args\":{\"pool\":\"x\"}}"),
			RG_CTL_NOT_FOUND, "pool export: no such pool");
	harness_refused(harness_ask(&h, end,
				    "{\"cmd\":\"pool import\",\"args\":{\"pool\":\"main\"}}"),
			RG_CTL_USAGE, "argument file is missing");
}
END_TEST

// All pages of an export, put together.
static char *export(const char *format) {
	char *text, request[256];
	size_t len;
	FILE *f = open_memstream(&text, &len);
	json_t *after = json_integer(-1), *a;

	while (json_is_integer(after)) {
		int n = snprintf(request, sizeof(request),
				 "{\"cmd\":\"pool export\",\"args\":{\"pool\":\"main\",\"format\":"
				 "\"%s\"",
				 format);

		if (json_integer_value(after) >= 0)
			n += snprintf(request + n, sizeof(request) - (size_t)n, ",\"after\":%lld",
				      (long long)json_integer_value(after));
		snprintf(request + n, sizeof(request) - (size_t)n, "}}");
		json_decref(after);
		a = harness_ask(&h, end, request);
		fputs(json_string_value(json_object_get(json_object_get(a, "data"), "text")), f);
		after = json_incref(json_object_get(json_object_get(a, "data"), "next_after"));
		json_decref(a);
	}
	json_decref(after);
	fclose(f);
	return text;
}

START_TEST(there_and_back) {
	size_t len;
	char *text = many(ROOM - 1, &len), *out;

	json_decref(import("main", text, NULL));
	out = export("csv");
	ck_assert_str_eq(out, text);
	free(out);
	out = export("json"); // more than a page
	ck_assert_uint_gt(strlen(out), CTL_TEXT_MAX);
	ck_assert(rg_is_prefix(rg_str(out), RG_LIT("{\"impi\":\"u0@x\",\"impu\":\"sip:u0@x\"}\n")));
	out[CTL_TEXT_MAX / 2] = '\0'; // one request of it
	*(strrchr(out, '\n') + 1) = '\0';
	json_decref(import("guests", out, "json"));
	free(out);
	free(text);
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_import");
	TCase *tc = tcase_create("import");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, counts_and_refusals);
	tcase_add_test(tc, again);
	tcase_add_test(tc, answer_waits_for_the_disk);
	tcase_add_test(tc, store_fails);
	tcase_add_loop_test(tc, client_leaves, 0, 2);
	tcase_add_test(tc, engine_ends_first);
	tcase_add_test(tc, no_room);
	tcase_add_test(tc, removal);
	tcase_add_test(tc, unknown_pool);
	tcase_add_test(tc, there_and_back);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
