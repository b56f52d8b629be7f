// SPDX-License-Identifier: BSD-3-Clause
#include "lease_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "lease/table_read.h"

static void on_deregister(void *ctx, const struct lease *l) {
	struct fix *f = ctx;

	ck_assert_int_eq(l->state, LEASE_DEREG_PENDING);
	f->n_deregister++;
	f->dereg_gen = l->gen;
}

static void on_close(void *ctx, struct rg_conn_id conn, uint16_t code) {
	struct fix *f = ctx;

	f->n_close++;
	f->closed = conn;
	f->close_code = code;
}

void fix_start(struct fix *f) {
	static const char *const names[] = {"p1", "p2"};
	static const uint16_t wwsfs[] = {7, 9};
	struct lease_cfg cfg = {.clock_error_ns = 5 * SEC,
				.t_sip_ns = 69 * SEC,
				.core_slack_ns = 360 * SEC,
				.release_guard_ns = 5 * SEC,
				.flow_grace_ns = 60 * SEC,
				.reg_max_ns = 3600 * SEC};
	const struct lease_ops ops = {f, on_deregister, on_close};

	cfg.gateway = f->gateway;
	cfg.is_shared = f->gateway != NULL;
	cfg.token_max_ns = f->more.token_max_ns;
	cfg.outage_ns = f->more.outage_ns;
	cfg.mark_ns = f->more.mark_ns;

	f->e = lease_engine_new(&cfg, f->env, f->store, NULL, &ops, f->n_pairs + 1 + f->n_room);
	ck_assert_ptr_nonnull(f->e);
	lease_set_pool_names(f->e, names, 2);
	lease_set_pool_wwsfs(f->e, wwsfs);
	for (unsigned i = 0; i < f->n_pairs; i++) {
		char impi[32], impu[32];

		snprintf(impi, sizeof(impi), "p%u@x", i);
		snprintf(impu, sizeof(impu), "sip:p%u@x", i);
		ck_assert_int_eq(lease_add_pair(f->e, 0, 7, impi, impu, NULL), 0);
	}
	ck_assert_int_eq(lease_add_pair(f->e, UINT16_MAX, 8, "alice@x", "sip:alice@x", "alice"), 0);
	ck_assert_int_eq(lease_engine_load(f->e), 0);
	ck_assert_ptr_null(lease_engine_check(f->e));
}

void fix_init(struct fix *f, unsigned n_pairs) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = "fixture";

	*f = (struct fix){.env = env_sim_new(1), .n_pairs = n_pairs};
	env_sim_file(f->env, "/proc/sys/kernel/random/boot_id",
		     RG_LIT("00000000-1111-2222-3333-444444444444\n"));
	f->digester = rg_digester_new(key);
	ck_assert_ptr_nonnull(f->digester);
	ck_assert_int_eq(store_mem_open(f->env, &f->store), 0);
	fix_start(f);
}

void fix_fini(struct fix *f) {
	lease_engine_free(f->e);
	store_close(f->store);
	if (f->is_guest)
		return;
	rg_digester_free(f->digester);
	env_sim_free(f->env);
}

void fix_init_two(struct fix *a, struct fix *b, unsigned n_pairs) {
	fix_init(a, n_pairs);
	lease_engine_free(a->e);
	a->gateway = "a";
	fix_start(a);
	*b = (struct fix){.env = a->env,
			  .digester = a->digester,
			  .n_pairs = n_pairs,
			  .gateway = "b",
			  .is_guest = true};
	ck_assert_int_eq(store_mem_join(a->store, a->env, &b->store), 0);
	fix_start(b);
}

void fix_restart(struct fix *f, unsigned n_durable) {
	lease_engine_free(f->e);
	store_mem_crash(f->store, n_durable);
	fix_start(f);
}

void fix_advance(struct fix *f, uint64_t ns) {
	env_sim_advance(f->env, ns);
	ck_assert_msg(lease_engine_check(f->e) == NULL, "%s", lease_engine_check(f->e));
}

static int issue(void *arg, const struct lease *l, uint64_t, struct rg_wr *token) {
	struct fix *f = arg;

	if (f->issue_rc != 0)
		return f->issue_rc;
	rg_puts(token, l->impu);
	rg_puts(token, f->gateway == NULL ? "" : f->gateway);
	rg_putc(token, '#');
	rg_put_u64(token, ++f->n_issued);
	return 0;
}

static void done(void *arg, int rc, const struct lease *l, struct rg_slice token) {
	struct fix *f = arg;

	f->done.n++;
	f->done.rc = rc;
	if (rc != 0) {
		ck_assert_ptr_null(l);
		ck_assert_uint_eq(token.len, 0);
		return;
	}
	f->done.idx = l->idx;
	f->done.gen = l->gen;
	snprintf(f->done.token, sizeof(f->done.token), "%.*s", (int)token.len, token.p);
	rg_token_digest(f->digester, token, &f->done.digest);
}

struct lease_ask fix_ask(struct fix *f, const char *sub) {
	return (struct lease_ask){.sub = sub,
				  .token_life_ns = FIX_LIFE,
				  .issue = issue,
				  .done = done,
				  .arg = f,
				  .digester = f->digester};
}

static void wait_answer(struct fix *f, unsigned n) {
	ck_assert_uint_eq(f->done.n, n); // never within the call
	fix_advance(f, RG_NS_PER_MS);
	ck_assert_uint_eq(f->done.n, n + 1);
}

void fix_grant(struct fix *f, const char *sub) {
	struct lease_ask ask = fix_ask(f, sub);
	unsigned n = f->done.n;

	lease_grant(f->e, &ask);
	wait_answer(f, n);
}

void fix_account(struct fix *f, const char *sub) {
	struct lease_ask ask = fix_ask(f, sub);
	unsigned n = f->done.n;

	ask.is_account = true;
	lease_grant(f->e, &ask);
	wait_answer(f, n);
}

void fix_renew(struct fix *f, uint32_t idx, uint64_t gen) {
	struct lease_ask ask = fix_ask(f, "x");
	unsigned n = f->done.n;

	lease_renew(f->e, idx, gen, &ask);
	wait_answer(f, n);
}

struct rg_conn_id fix_conn(uint32_t n) {
	return (struct rg_conn_id){.idx = n, .gen = 1};
}

void fix_register(struct fix *f, uint32_t idx, uint64_t gen, uint32_t conn) {
	uint64_t now_ns = env_now_ns(f->env), end_ns = lease_token_end_ns(fix_lease(f, idx));
	const struct lease_binding b = {.contact = RG_LIT("<sip:a@b.invalid>"),
					.call_id = RG_LIT("call"),
					.headers = RG_LIT("Path: <sip:h@g>\r\n"),
					.to_tag = RG_LIT("tag"),
					.core_refresh_ns = now_ns + (end_ns - now_ns) / 2,
					.core_low_ns = end_ns,
					.core_high_ns = end_ns + 360 * SEC};

	ck_assert_int_eq(lease_register_begin(f->e, idx, gen, end_ns), 0);
	ck_assert_int_eq(lease_register_done(f->e, idx, gen, &b, fix_conn(conn),
					     now_ns + 300 * SEC),
			 0);
}

bool fix_is_text(const struct rg_slice *pieces, unsigned n, struct rg_slice text) {
	for (unsigned i = 0; i < n; i++) {
		if (!rg_is_prefix(text, pieces[i]))
			return false;
		text = rg_skip(text, pieces[i].len);
	}
	return text.len == 0;
}

int fix_seen(const struct fix *f, const struct rg_digest *d) {
	const struct rg_lease *l = lease_table_get(lease_engine_table(f->e), d);

	return l == NULL ? -1 : (int)atomic_load(&l->state);
}

const struct lease *fix_lease(const struct fix *f, uint32_t idx) {
	return lease_at(f->e, idx);
}

int fix_main(Suite *s) {
	SRunner *sr = srunner_create(s);
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
