// SPDX-License-Identifier: BSD-3-Clause
// The world: clients, core and store around the engine. All choices come from one seed.
#include "lease_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"

#define SEC RG_NS_PER_S

uint64_t world_random(struct world *w, uint64_t below) { // splitmix64
	uint64_t z = w->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return below == 0 ? 0 : (z ^ z >> 31) % below;
}

static bool chance(struct world *w, unsigned percent) {
	return world_random(w, 100) < percent;
}

// --- core

static void core_deregister(struct world *w, const struct tx *tx) {
	if (w->core[tx->idx].gen == tx->gen)
		w->core[tx->idx].end_ns = 0;
}

static void forget_flows(struct world *w, uint32_t idx) {
	for (uint32_t i = 1; i <= w->n_flows; i++)
		if (w->flows[i].idx == idx)
			w->flows[i].is_open = false;
}

static void end_deregister(struct world *w, const struct tx *tx) {
	const struct lease *l = lease_get(w->e, tx->idx, tx->gen);

	if (tx->outcome != TX_OK) {
		if (chance(w, 50)) // the request arrived, the answer did not
			core_deregister(w, tx);
		lease_dereg_unknown(w->e, tx->idx, tx->gen);
		return;
	}
	core_deregister(w, tx);
	forget_flows(w, tx->idx);
	lease_dereg_done(w->e, tx->idx, tx->gen, tx->keep_token);
	if (l == NULL || tx->keep_token)
		return;
	l = lease_get(w->e, tx->idx, tx->gen);
	if (l == NULL || l->tokens[0].end_ns == 0) // not renewed meanwhile
		oracle_on_release(w, tx->idx, tx->gen);
}

static void end_register(struct world *w, const struct tx *tx) {
	uint64_t now_ns = env_now_ns(w->env);
	struct lease_binding b = {
		.contact = RG_LIT("<sip:x@y.invalid;transport=ws>;reg-id=1"),
		.call_id = RG_LIT("c1"),
		.headers = RG_LIT("Path: <sip:h@g>\r\n"),
		.to_tag = RG_LIT("t"),
		.core_refresh_ns = now_ns + tx->expires_ns / 2,
		.core_low_ns = now_ns + tx->expires_ns,
		.core_high_ns = now_ns + tx->expires_ns + w->cfg.core_slack_ns,
	};
	bool was_open;
	int rc;

	if (tx->outcome != TX_OK) {
		lease_register_failed(w->e, tx->idx, tx->gen, tx->outcome == TX_SILENT);
		return;
	}
	oracle_on_binding(w, tx, now_ns + tx->expires_ns + world_random(w, w->cfg.core_slack_ns));
	was_open = w->flows[tx->flow.gen].is_open;
	w->flows[tx->flow.gen].is_open = true;
	rc = lease_register_done(w->e, tx->idx, tx->gen, &b, tx->flow, now_ns + 300 * SEC);
	if (rc < 0)
		w->flows[tx->flow.gen].is_open = was_open;
	w->n_registered += rc >= 0;
}

static struct tx *tx_new(struct world *w, uint32_t idx, uint64_t gen, uint64_t max_delay_ns);

static void on_tx(struct env_timer *t, uint64_t) {
	struct tx *slot = (struct tx *)((uint8_t *)t - offsetof(struct tx, timer)), *late;
	struct tx tx = *slot;
	struct world *w = tx.w;

	slot->is_used = false;
	if (tx.is_late) { // a REGISTER that was given up, or sent before the crash
		oracle_on_binding(w, &tx,
				  env_now_ns(w->env) + tx.expires_ns +
					  world_random(w, w->cfg.core_slack_ns));
		return;
	}
	if (!tx.is_dereg && tx.outcome == TX_SILENT && chance(w, 50)) {
		late = tx_new(w, tx.idx, tx.gen, w->cfg.t_sip_ns);
		late->is_late = true;
		late->expires_ns = tx.expires_ns;
	}
	if (tx.is_dereg)
		end_deregister(w, &tx);
	else
		end_register(w, &tx);
}

static struct tx *tx_new(struct world *w, uint32_t idx, uint64_t gen, uint64_t max_delay_ns) {
	for (size_t i = 0; i < MAX_TXS; i++) {
		struct tx *tx = &w->txs[i];

		if (tx->is_used)
			continue;
		*tx = (struct tx){.is_used = true, .w = w, .idx = idx, .gen = gen};
		tx->timer.fn = on_tx;
		tx->outcome = chance(w, 60) ? TX_OK : chance(w, 50) ? TX_REFUSED : TX_SILENT;
		snprintf(tx->sub, sizeof(tx->sub), "%s", lease_at(w->e, idx)->sub);
		env_timer_set(w->env, &tx->timer,
			      env_now_ns(w->env) + 1 + world_random(w, max_delay_ns));
		return tx;
	}
	abort();
}

// --- effects of the engine

static void deregister(void *ctx, const struct lease *l) {
	struct world *w = ctx;
	struct tx *tx;

	world_assert(w, l->state == LEASE_DEREG_PENDING);
	tx = tx_new(w, l->idx, l->gen, 32 * SEC);
	tx->is_dereg = true;
	tx->keep_token = lease_token_end_ns(l) > env_now_ns(w->env);
	if (chance(w, 10)) { // not even sent
		env_timer_cancel(w->env, &tx->timer);
		tx->is_used = false;
		lease_dereg_unknown(w->e, l->idx, l->gen);
	}
}

static void close_flow(void *ctx, struct rg_conn_id conn, uint16_t code) {
	struct world *w = ctx;

	world_assert(w, code == 1008);
	world_assert(w, conn.gen != 0 && conn.gen <= w->n_flows);
	w->flows[conn.gen].is_open = false;
}

// --- life of the engine

static void engine_start(struct world *w) {
	static const char *const names[N_POOLS] = {"p0", "p1"};
	const struct lease_ops ops = {w, deregister, close_flow};

	w->e = lease_engine_new(&w->cfg, w->env, w->store, NULL, &ops, N_PAIRS);
	world_assert(w, w->e != NULL);
	lease_set_pool_names(w->e, names, N_POOLS);
	for (unsigned i = 0; i < N_PAIRS; i++) {
		bool is_account = i >= N_PAIRS - N_ACCOUNTS;
		char impi[32], impu[32], sub[16];

		snprintf(impi, sizeof(impi), "pair-%u@ims", i);
		snprintf(impu, sizeof(impu), "sip:pair-%u@ims", i);
		snprintf(sub, sizeof(sub), "acct%u", i);
		world_assert(w, lease_add_pair(w->e, is_account ? UINT16_MAX : i == 5, 0, impi,
					       impu, is_account ? sub : NULL) == 0);
	}
	world_assert(w, lease_engine_load(w->e) == 0);
}

void world_init(struct world *w, uint64_t seed) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = "0123456789abcde";

	*w = (struct world){.rng = seed, .seed = seed};
	w->cfg = (struct lease_cfg){.clock_error_ns = 5 * SEC,
				    .t_sip_ns = 69 * SEC,
				    .core_slack_ns = 360 * SEC,
				    .release_guard_ns = 5 * SEC,
				    .flow_grace_ns = 60 * SEC,
				    .reg_max_ns = 3600 * SEC};
	w->env = env_sim_new(seed);
	env_sim_file(w->env, "/proc/sys/kernel/random/boot_id",
		     RG_LIT("00000000-1111-2222-3333-444444444444\n"));
	w->digester = rg_digester_new(key);
	if (w->digester == NULL || store_mem_open(w->env, &w->store) != 0)
		abort();
	engine_start(w);
}

void world_fini(struct world *w) {
	lease_engine_free(w->e);
	store_close(w->store);
	env_sim_free(w->env);
	rg_digester_free(w->digester);
}

// Requests of before the crash: nobody hears their answers, the core may still get REGISTERs.
static void orphan_txs(struct world *w) {
	for (size_t i = 0; i < MAX_TXS; i++) {
		struct tx *tx = &w->txs[i];

		if (!tx->is_used || tx->is_late)
			continue;
		if (tx->is_dereg || chance(w, 50)) {
			if (tx->is_dereg && chance(w, 50))
				core_deregister(w, tx);
			env_timer_cancel(w->env, &tx->timer);
			tx->is_used = false;
		} else {
			tx->is_late = true;
		}
	}
}

void world_crash(struct world *w) {
	struct store_stats st;

	lease_engine_free(w->e);
	w->e = NULL;
	store_get_stats(w->store, &st);
	store_mem_crash(w->store, (unsigned)world_random(w, st.queued + 1));
	orphan_txs(w);
	for (uint32_t i = 1; i <= w->n_flows; i++)
		w->flows[i].is_open = false;
	if (chance(w, 30))
		env_sim_advance(w->env, world_random(w, 600 * SEC));
	if (chance(w, 30)) // ten years to either side
		env_sim_set_wall_ms(w->env,
				    env_wall_ms(w->env) - INT64_C(315360000000) +
					    (int64_t)world_random(w, UINT64_C(630720000000)));
	oracle_on_restart(w);
	engine_start(w);
}

// --- clients

static int issue(void *arg, const struct lease *l, uint64_t token_end_ns, struct rg_wr *token) {
	struct request *r = arg;

	oracle_on_issue(r->w, l);
	if (chance(r->w, 2))
		return RG_E_LIMIT;
	rg_puts(token, "token-");
	rg_put_u64(token, ++r->w->n_tokens);
	rg_token_digest(r->w->digester, rg_wr_slice(token), &r->digest);
	r->end_ns = token_end_ns;
	return 0;
}

static int sign(void *arg, struct rg_wr *token) {
	struct request *r = arg;

	rg_puts(token, ".signature");
	rg_token_digest(r->w->digester, rg_wr_slice(token), &r->digest);
	return r->is_unsigned ? RG_E_AUTH : 0;
}

static void done(void *arg, int rc, const struct lease *l, struct rg_slice token) {
	struct request *r = arg;

	if (rc == 0) {
		world_assert(r->w, token.len > 6 && rg_is_prefix(token, RG_LIT("token-")));
		world_assert(r->w, strcmp(l->sub, r->sub) == 0);
		oracle_on_ack(r->w, l, r->end_ns, &r->digest);
	} else {
		world_assert(r->w, l == NULL && token.len == 0);
	}
}

static struct lease_ask ask_new(struct world *w, const char *sub) {
	struct request *r = &w->requests[w->n_requests++];

	world_assert(w, w->n_requests <= MAX_REQUESTS);
	*r = (struct request){.w = w, .is_unsigned = chance(w, 2)};
	snprintf(r->sub, sizeof(r->sub), "%s", sub);
	return (struct lease_ask){.sub = r->sub,
				  .token_life_ns = (60 + world_random(w, 7200)) * SEC,
				  .issue = issue,
				  .sign = chance(w, 70) ? sign : NULL,
				  .done = done,
				  .arg = r,
				  .digester = w->digester};
}

void world_grant(struct world *w) {
	bool is_account = chance(w, 30);
	struct lease_ask ask;
	char sub[16];

	if (is_account)
		snprintf(sub, sizeof(sub), "acct%u",
			 (unsigned)(N_PAIRS - N_ACCOUNTS + world_random(w, N_ACCOUNTS)));
	else
		snprintf(sub, sizeof(sub), "u%u", ++w->n_subs);
	ask = ask_new(w, sub);
	ask.is_account = is_account;
	ask.pool = (uint16_t)world_random(w, N_POOLS);
	lease_grant(w->e, &ask);
}

// One of the last tokens that is still good, by what its holder was told; NULL if none came up.
static const struct ack *any_ack(struct world *w) {
	for (unsigned i = 0; i < 6 && w->n_acks > 0; i++) {
		uint64_t back = world_random(w, w->n_acks < 12 ? w->n_acks : 12);
		const struct ack *a = &w->acks[w->n_acks - 1 - back];

		if (a->state == ACK_GOOD && a->end_ns > env_now_ns(w->env))
			return a;
	}
	return NULL;
}

void world_renew(struct world *w) {
	const struct ack *a = any_ack(w);
	struct lease_ask ask;
	char sub[16];

	if (a == NULL)
		return;
	memcpy(sub, a->sub, sizeof(sub));
	ask = ask_new(w, sub);
	lease_renew(w->e, a->idx, a->gen, &ask);
}

static struct rg_conn_id flow_new(struct world *w, uint32_t idx, uint64_t gen) {
	world_assert(w, w->n_flows + 1 < MAX_FLOWS);
	w->n_flows++;
	w->flows[w->n_flows].idx = idx;
	w->flows[w->n_flows].gen = gen;
	return (struct rg_conn_id){.idx = w->n_flows, .gen = w->n_flows};
}

// A core that forces a longer binding than the token (423), which raises reassign_ns. The record of
// that is awaited here (see lease_register_begin()).
static uint64_t lengthen(struct world *w) {
	store_mem_fail(w->store, 0, 0);
	store_mem_set_delay(w->store, RG_NS_PER_MS);
	return world_random(w, 3600) * SEC;
}

void world_register(struct world *w) {
	const struct ack *a = any_ack(w);
	const struct lease *l = a == NULL ? NULL : lease_by_digest(w->e, &a->digest);
	uint64_t now_ns = env_now_ns(w->env), end_ns;
	bool is_longer = chance(w, 5);
	struct tx *tx;

	if (l == NULL)
		return;
	// ims.md 1.5: clamped to the token, and to T_reg
	end_ns = lease_token_end_ns(l);
	if (end_ns > now_ns + w->cfg.reg_max_ns)
		end_ns = now_ns + w->cfg.reg_max_ns;
	if (is_longer)
		end_ns += lengthen(w);
	if (lease_register_begin(w->e, a->idx, a->gen, end_ns) < 0)
		return;
	if (is_longer)
		env_sim_advance(w->env, 100 * SEC); // more than any delay and a retry
	if (env_now_ns(w->env) >= end_ns) {
		lease_register_failed(w->e, a->idx, a->gen, false);
		return;
	}
	tx = tx_new(w, a->idx, a->gen, 32 * SEC);
	tx->expires_ns = end_ns - env_now_ns(w->env);
	tx->flow = l->flow.gen != 0 && chance(w, 50) ? l->flow : flow_new(w, a->idx, a->gen);
}

void world_deregister(struct world *w) {
	const struct ack *a = any_ack(w);
	struct tx *tx;

	if (a == NULL || lease_dereg_begin(w->e, a->idx, a->gen) != 0)
		return;
	tx = tx_new(w, a->idx, a->gen, 32 * SEC);
	tx->is_dereg = true;
	tx->keep_token = chance(w, 60);
}

void world_revoke(struct world *w) {
	const struct ack *a = any_ack(w);
	const struct lease *l;
	uint64_t reassign_ns;

	if (a == NULL)
		return;
	oracle_on_revoke(w, a->idx, a->gen);
	reassign_ns = lease_at(w->e, a->idx)->reassign_ns;
	if (lease_revoke(w->e, a->idx, a->gen) != 0)
		return;
	// The core had confirmed the end of the binding before: the pair is given back at once.
	l = lease_at(w->e, a->idx);
	if (l->state == LEASE_QUARANTINE && l->reassign_ns < reassign_ns)
		oracle_on_release(w, a->idx, a->gen);
}

// A worker answers from the table: a REGISTER on a new connection.
static void flow_moves(struct world *w, const struct lease *l) {
	struct rg_conn_id conn = flow_new(w, l->idx, l->gen);

	w->flows[conn.gen].is_open = true;
	lease_flow_bound(w->e, l->idx, l->gen, conn, env_now_ns(w->env) + 300 * SEC);
}

void world_flow(struct world *w) {
	const struct ack *a = any_ack(w);
	const struct lease *l = a == NULL ? NULL : lease_get(w->e, a->idx, a->gen);
	struct rg_conn_id conn;

	if (l == NULL)
		return;
	conn = l->flow;
	if (chance(w, 40)) {
		flow_moves(w, l);
	} else if (conn.gen != 0 && chance(w, 60)) {
		w->flows[conn.gen].is_open = false;
		lease_flow_closed(w->e, l->idx, l->gen, conn);
	} else if (conn.gen != 0) {
		lease_flow_expired(w->e, l->idx, l->gen, conn);
	}
}
