// SPDX-License-Identifier: BSD-3-Clause
// The operator's commands over the real lease engine and memory store, in simulated time: what they
// say follows what happens to a lease, and no answer holds its token or the token's digest.
#include <stdlib.h>
#include <urcu/urcu-qsbr.h>

#include "ctl/grammar.h"
#include "harness.h"
#include "regate/err.h"

#define TOKEN "eyJhbGciOiJFUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl"

static struct harness h;
static struct env_sim_end *end;
static struct rg_digester *digester;
static struct rg_digest digest;
static uint64_t gen;
static unsigned n_deregs;

static int issue(void *, const struct lease *, uint64_t, struct rg_wr *token) {
	rg_puts(token, TOKEN);
	return 0;
}

static void granted(void *, int rc, const struct lease *l, struct rg_slice) {
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(l->idx, 0);
	gen = l->gen;
}

static void on_deregister(void *, const struct lease *) {
	n_deregs++;
}

static void on_close(void *, struct rg_conn_id, uint16_t) {
}

static void setup(void) {
	static const char *const names[] = {"main", "guests"};
	static const uint8_t key[RG_DIGEST_KEY_LEN] = {1};
	struct lease_cfg cfg = {.clock_error_ns = 5 * RG_NS_PER_S,
				.t_sip_ns = 69 * RG_NS_PER_S,
				.core_slack_ns = 360 * RG_NS_PER_S,
				.release_guard_ns = 5 * RG_NS_PER_S,
				.flow_grace_ns = 60 * RG_NS_PER_S,
				.reg_max_ns = 3600 * RG_NS_PER_S};
	struct lease_ops ops = {NULL, on_deregister, on_close};
	struct lease_ask ask = {.pool = 0,
				.sub = "anon-1",
				.token_life_ns = 1800 * RG_NS_PER_S,
				.issue = issue,
				.done = granted};
	char err[256];

	urcu_qsbr_register_thread();
	harness_start(&h, false);
	ctl_free(h.ctl);
	ck_assert_int_eq(store_mem_open(h.env, &h.deps.store), 0);
	h.deps.leases = lease_engine_new(&cfg, h.env, h.deps.store, NULL, &ops, 8);
	lease_set_pool_names(h.deps.leases, names, 2);
	ck_assert_int_eq(lease_add_pair(h.deps.leases, 0, 0, "p0@x", "sip:p0@x", NULL), 0);
	ck_assert_int_eq(lease_add_pair(h.deps.leases, 0, 0, "p1@x", "sip:p1@x", NULL), 0);
	ck_assert_int_eq(lease_add_pair(h.deps.leases, UINT16_MAX, 0, "a@x", "sip:a@x", "a"), 0);
	ck_assert_int_eq(lease_engine_load(h.deps.leases), 0);
	h.conf.accounts_file = "accounts";
	h.ctl = ctl_new(&h.deps, err, sizeof(err));
	end = harness_connect(&h);
	digester = ask.digester = rg_digester_new(key);
	rg_token_digest(digester, RG_LIT(TOKEN), &digest);
	lease_grant(h.deps.leases, &ask);
	env_sim_advance(h.env, 2 * RG_NS_PER_MS); // a commit of the memory store takes one
	ck_assert_uint_ne(gen, 0);
}

static void teardown(void) {
	struct lease_engine *e = h.deps.leases;
	struct store *s = h.deps.store;

	ctl_free(h.ctl);
	h.ctl = NULL;
	lease_engine_free(e);
	store_close(s);
	rg_digester_free(digester);
	harness_stop(&h);
	urcu_qsbr_unregister_thread();
}

// The answer comes when the store has answered.
static json_t *ask_later(const char *request) {
	json_t *a;

	harness_send(end, request);
	env_sim_advance(h.env, 5 * RG_NS_PER_MS);
	a = harness_read(end);
	ck_assert_ptr_nonnull(a);
	return a;
}

static void assert_state(const char *state) {
	json_t *a =
		harness_ask(&h, end, "{\"cmd\":\"lease show\",\"args\":{\"lease\":\"sip:p0@x\"}}");

	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a, "data"), "state")),
			 state);
	json_decref(a);
}

static void register_it(void) {
	struct lease_binding b = {.contact = RG_LIT("<sip:c>"),
				  .call_id = RG_LIT("c1"),
				  .core_refresh_ns = env_now_ns(h.env) + 300 * RG_NS_PER_S,
				  .core_low_ns = env_now_ns(h.env) + 600 * RG_NS_PER_S,
				  .core_high_ns = env_now_ns(h.env) + 610 * RG_NS_PER_S};
	struct rg_conn_id flow = {.idx = 1, .gen = 2, .worker = 0};

	ck_assert_int_ge(lease_register_begin(h.deps.leases, 0, gen, b.core_high_ns), 0);
	assert_state("pending");
	ck_assert_int_eq(lease_register_done(h.deps.leases, 0, gen, &b, flow,
					     env_now_ns(h.env) + 300 * RG_NS_PER_S),
			 0);
}

START_TEST(states_follow) {
	assert_state("offered");
	register_it();
	assert_state("active");
	json_decref(ask_later("{\"cmd\":\"lease revoke\",\"args\":{\"lease\":\"p0@x\"}}"));
	assert_state("dereg-pending");
	ck_assert_uint_eq(n_deregs, 1);
	lease_dereg_done(h.deps.leases, 0, gen, false);
	assert_state("quarantine");
	harness_refused(harness_ask(&h, end,
				    "{\"cmd\":\"lease revoke\",\"args\":{\"lease\":\"p0@x\"}}"),
			RG_CTL_REFUSED, "quarantine");
}
END_TEST

START_TEST(released) {
	const char *ask = "{\"cmd\":\"lease release\",\"args\":{\"lease\":\"p0@x\"}}";
	json_t *a, *data;

	if (_i == 0) { // never registered
		a = ask_later(ask);
		data = json_object_get(a, "data");
		ck_assert_str_eq(json_string_value(json_object_get(data, "state")), "quarantine");
		ck_assert_str_eq(json_string_value(json_object_get(data, "held_by")),
				 "its end is certain, and the guard time runs");
		json_decref(a);
		env_sim_advance(h.env, 6 * RG_NS_PER_S);
		assert_state("free");
		harness_refused(ask_later(ask), RG_CTL_REFUSED,
				"lease 0 is not leased (state: free)");
		return;
	}
	register_it();
	harness_send(end, ask);
	env_sim_advance(h.env, RG_NS_PER_S);
	ck_assert_uint_eq(n_deregs, 1);
	ck_assert_ptr_null(harness_read(end)); // the core is being asked
	if (_i == 1)
		lease_dereg_done(h.deps.leases, 0, gen, false);
	if (_i == 2)
		lease_dereg_unknown(h.deps.leases, 0, gen);
	env_sim_advance(h.env, 10 * RG_NS_PER_S); // else: it takes its time
	a = harness_read(end);
	ck_assert_ptr_nonnull(a);
	if (_i != 1) {
		harness_refused(a, RG_CTL_REFUSED, "lease 0 is held until 2026-01-01T00:");
		return;
	}
	ck_assert_ptr_nonnull(json_object_get(json_object_get(a, "data"), "held_by"));
	json_decref(a);
}
END_TEST

// The grammar, which regatectl shares, cannot see the engine: the names must be kept the same.
START_TEST(state_names) {
	const struct ctl_arg *a = ctl_arg_find(ctl_cmd_at(CTL_LEASE_LIST), rg_str("state"));
	unsigned n = 0;

	for (; a->choices[n] != NULL; n++)
		ck_assert_str_eq(a->choices[n], lease_state_name((enum lease_state)n));
	ck_assert_uint_eq(n, LEASE_QUARANTINE + 1);
}
END_TEST

START_TEST(pools_count) {
	harness_data(
		harness_ask(&h, end, "{\"cmd\":\"pool list\"}"),
		"{\"pools\":["
		"{\"pool\":\"main\",\"kind\":\"pool\",\"wwsf\":\"demo\",\"pairs\":2,\"free\":1,"
		"\"offered\":1,\"registered\":0,\"quarantine\":0,\"disabled\":0,\"suspect\":0,"
		"\"draining\":false,\"next_free_at\":null},"
		"{\"pool\":\"guests\",\"kind\":\"pool\",\"wwsf\":\"demo\",\"pairs\":0,\"free\":0,"
		"\"offered\":0,\"registered\":0,\"quarantine\":0,\"disabled\":0,\"suspect\":0,"
		"\"draining\":false,\"next_free_at\":null},"
		"{\"pool\":null,\"kind\":\"accounts\",\"wwsf\":\"demo\",\"pairs\":1,\"free\":1,"
		"\"offered\":0,\"registered\":0,\"quarantine\":0,\"disabled\":0,\"suspect\":0,"
		"\"draining\":false,\"next_free_at\":null}]}");
}
END_TEST

static void assert_pool(const char *member, json_int_t want) {
	json_t *a = harness_ask(&h, end, "{\"cmd\":\"pool show\",\"args\":{\"pool\":\"main\"}}");
	json_t *v = json_object_get(json_object_get(a, "data"), member);

	ck_assert_int_eq(json_is_boolean(v) ? json_is_true(v) : json_integer_value(v), want);
	json_decref(a);
}

static int last_rc;

static void on_grant(void *, int rc, const struct lease *, struct rg_slice) {
	last_rc = rc;
}

static int grant(void) {
	struct lease_ask ask = {.sub = "anon-2",
				.token_life_ns = 1800 * RG_NS_PER_S,
				.issue = issue,
				.done = on_grant,
				.digester = digester};

	lease_grant(h.deps.leases, &ask);
	env_sim_advance(h.env, 5 * RG_NS_PER_MS);
	return last_rc;
}

START_TEST(drained_pool_gives_nothing) {
	json_decref(ask_later("{\"cmd\":\"pool drain\",\"args\":{\"pool\":\"main\"}}"));
	assert_pool("draining", 1);
	ck_assert_int_eq(grant(), RG_E_EXHAUSTED);
	assert_state("offered"); // what lives runs on
	json_decref(ask_later("{\"cmd\":\"pool undrain\",\"args\":{\"pool\":\"main\"}}"));
	assert_pool("draining", 0);
	ck_assert_int_eq(grant(), 0);
	harness_refused(ask_later("{\"cmd\":\"pool drain\",\"args\":{\"pool\":\"x\"}}"),
			RG_CTL_NOT_FOUND, "no such pool");
}
END_TEST

START_TEST(suspect_pair_rests) {
	json_t *a = ask_later("{\"cmd\":\"lease suspect\",\"args\":{\"lease\":\"p1@x\"}}");

	ck_assert_str_eq(json_string_value(json_object_get(json_object_get(a, "data"), "suspect")),
			 "operator");
	json_decref(a);
	assert_pool("suspect", 1);
	assert_pool("disabled", 1);
	assert_pool("free", 0);
	ck_assert_int_eq(grant(), RG_E_EXHAUSTED);
	a = harness_ask(&h, end, "{\"cmd\":\"lease list\",\"args\":{\"suspect\":true}}");
	ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(a, "data"), "leases")),
			  1);
	json_decref(a);
	json_decref(ask_later("{\"cmd\":\"lease clear\",\"args\":{\"lease\":\"p1@x\"}}"));
	assert_pool("suspect", 0);
	ck_assert_int_eq(grant(), 0);
}
END_TEST

START_TEST(history_is_told) {
	json_t *a = ask_later("{\"cmd\":\"lease history\",\"args\":{\"lease\":\"p0@x\"}}");
	json_t *list = json_object_get(json_object_get(a, "data"), "history");

	ck_assert_uint_eq(json_array_size(list), 1);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "sub")),
			 "anon-1");
	json_decref(a);
	harness_data(ask_later("{\"cmd\":\"lease history\",\"args\":{\"lease\":\"p1@x\"}}"),
		     "{\"idx\":1,\"history\":[]}");
}
END_TEST

static const char *const slow[] = {
	"{\"cmd\":\"pool drain\",\"args\":{\"pool\":\"main\"}}",
	"{\"cmd\":\"lease suspect\",\"args\":{\"lease\":\"p1@x\"}}",
	"{\"cmd\":\"lease revoke\",\"args\":{\"lease\":\"p0@x\"}}",
	"{\"cmd\":\"lease history\",\"args\":{\"lease\":\"p0@x\"}}",
};

START_TEST(client_leaves_before_the_store_answers) {
	harness_send(end, slow[_i]);
	env_sim_advance(h.env, 0);
	env_sim_reset(end, 104);
	env_sim_advance(h.env, 10 * RG_NS_PER_MS);
	end = harness_connect(&h);
	assert_pool("pairs", 2);
}
END_TEST

// Accounts count, too.
START_TEST(status_counts) {
	json_t *a = harness_ask(&h, end, "{\"cmd\":\"status\"}");
	json_t *leases = json_object_get(json_object_get(a, "data"), "leases");

	ck_assert_int_eq(json_integer_value(json_object_get(leases, "pairs")), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(leases, "free")), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(leases, "offered")), 1);
	json_decref(a);
}
END_TEST

static const char *const requests[] = {
	"{\"cmd\":\"status\"}",
	"{\"cmd\":\"stats\",\"args\":{\"all\":true}}",
	"{\"cmd\":\"pool list\"}",
	"{\"cmd\":\"lease list\"}",
	"{\"cmd\":\"lease show\",\"args\":{\"lease\":\"0\"}}",
	"{\"cmd\":\"lease revoke\",\"args\":{\"lease\":\"0\"}}",
	// A token is no name of a lease, and is not given back in the refusal.
	"{\"cmd\":\"lease show\",\"args\":{\"lease\":\"" TOKEN "\"}}",
	"{\"cmd\":\"" TOKEN "\"}",
	"{\"cmd\":\"lease show\",\"args\":{\"" TOKEN "\":\"1\"}}",
	"{\"cmd\":\"lease list\",\"args\":{\"pool\":\"" TOKEN "\"}}",
	"{\"cmd\":\"lease list\",\"args\":{\"state\":\"" TOKEN "\"}}",
	"{\"cmd\":\"log level\",\"args\":{\"level\":\"" TOKEN "\"}}",
	TOKEN,
};

START_TEST(no_secret_in_answers) {
	char hex[2 * RG_DIGEST_LEN + 1] = "";
	struct rg_wr w = rg_wr(hex, sizeof(hex));
	json_t *a;
	char *text;

	rg_put_hex(&w, rg_slice(digest.b, sizeof(digest.b)));
	register_it();
	ck_assert_ptr_nonnull(lease_by_digest(h.deps.leases, &digest)); // the right digest
	a = ask_later(requests[_i]);
	text = json_dumps(a, 0);
	ck_assert_ptr_null(strstr(text, TOKEN));
	ck_assert_ptr_null(strstr(text, "c2VjcmV0"));
	hex[8] = '\0'; // a part of it gives it away, too
	ck_assert_ptr_null(strstr(text, hex));
	free(text);
	json_decref(a);
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_engine");
	TCase *t = tcase_create("all");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, drained_pool_gives_nothing);
	tcase_add_test(t, suspect_pair_rests);
	tcase_add_test(t, history_is_told);
	tcase_add_loop_test(t, client_leaves_before_the_store_answers, 0, 4);
	tcase_add_test(t, states_follow);
	tcase_add_loop_test(t, released, 0, 4);
	tcase_add_test(t, state_names);
	tcase_add_test(t, pools_count);
	tcase_add_test(t, status_counts);
	tcase_add_loop_test(t, no_secret_in_answers, 0, sizeof(requests) / sizeof(*requests));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
