// SPDX-License-Identifier: BSD-3-Clause
// One gateway of the world: its host (clocks, environment), its process (lease engine, ims/), and a
// worker that answers from the lease table as dataplane/reg does.
#include <stdio.h>
#include <stdlib.h>

#include "lease/operator.h"
#include "lease/table_read.h"
#include "regate/err.h"
#include "world.h"

#define SEC RG_NS_PER_S
#define LOCAL_FLOOR_NS (60 * SEC)
#define LOCAL_MAX_NS (300 * SEC)
#define MILLION 1000000
#define MAX_DRIFT_PPM 10
#define RETRY_NS (5 * SEC)

static int64_t floor_div(int64_t a, int64_t b) {
	return a / b - (a % b < 0);
}

// Rounded so that the true time of a timer is never before it.
uint64_t gateway_to_true(const struct gateway *g, uint64_t env_ns) {
	int64_t ns = (int64_t)(env_ns - g->boot_env_ns);

	return env_ns - g->boot_env_ns + g->boot_true_ns -
	       (uint64_t)floor_div(ns * g->drift_ppm, MILLION + g->drift_ppm);
}

uint64_t gateway_to_env(const struct gateway *g, uint64_t true_ns) {
	int64_t ns = (int64_t)(true_ns - g->boot_true_ns);

	return true_ns - g->boot_true_ns + g->boot_env_ns +
	       (uint64_t)floor_div(ns * g->drift_ppm, MILLION);
}

// --- what the engine and ims/ cause

static void on_deregister(void *ctx, const struct lease *l) {
	struct gateway *g = ctx;

	ims_deregister(g->ims, l);
}

static void on_close(void *ctx, struct rg_conn_id conn, uint16_t code) {
	struct gateway *g = ctx;

	world_assert(g->w, code == 1008, 0);
	world_assert(g->w, conn.idx != 0 && conn.idx <= g->w->n_conns, 0);
	world_assert(g->w, g->w->conns[conn.idx].gateway == g->id, 0);
	user_on_close(g->w, conn.idx);
}

static void bind_flow(struct gateway *g, uint32_t conn, const struct rg_binding *b) {
	struct world *w = g->w;
	bool is_held = b->lease_idx != RG_LEASE_NONE;
	struct history_event e = {.kind = is_held ? EV_FLOW : EV_FLOW_END,
				  .client = w->conns[conn].client,
				  .pair = is_held ? b->lease_idx : w->conns[conn].bound.lease_idx,
				  .gen = is_held ? b->gen : w->conns[conn].bound.gen,
				  .token = conn,
				  .end_ns = is_held ? gateway_to_true(g, b->promise_end_ns) : 0,
				  .gateway = (uint8_t)g->id};

	if (w->conns[conn].is_open && e.pair != RG_LEASE_NONE)
		world_log(w, e);
	w->conns[conn].bound = *b;
}

// Did the core's answer to this client say that another pair's identity goes with this one? Those of
// before it began to are no longer under way.
static bool has_other_id(const struct world *w, uint16_t client, const struct rg_binding *b) {
	uint64_t since_ns = w->other_id_ns[b->lease_idx];

	if (since_ns == 0 || since_ns + 2 * w->cfg.t_sip_ns > w->now_ns)
		return false;
	for (size_t i = w->h.n; i-- > 0;) {
		const struct history_event *e = &w->h.ev[i];

		if (e->kind == EV_BIND && e->pair == b->lease_idx && e->gen == b->gen)
			return true;
		if (e->kind == EV_INVOKE && e->op == OP_REGISTER && e->client == client)
			return false;
	}
	return false;
}

// The worker has the answer: it binds the flow and passes the message on.
static void on_reply(void *ctx, const struct rg_reply *r, struct rg_slice payload) {
	struct gateway *g = ctx;
	struct world *w = g->w;
	struct conn *conn = &w->conns[r->conn.idx];
	uint64_t promise_ns = 0;
	struct sip_msg m;

	history_note(&w->h, payload.p, payload.len);
	world_assert(w, r->kind == RG_REPLY_SIP && sip_parse(payload, &m) == RG_OK, 0);
	if ((r->flags & RG_REPLY_F_BIND) != 0) {
		bind_flow(g, r->conn.idx, &r->bound);
		if (r->bound.lease_idx != RG_LEASE_NONE)
			promise_ns = gateway_to_true(g, r->bound.promise_end_ns);
		if (!conn->is_open && r->bound.lease_idx != RG_LEASE_NONE &&
		    g->n_closed < MAX_CLOSED)
			g->closed[g->n_closed++] = r->conn.idx;
	}
	if (promise_ns != 0 && has_other_id(w, conn->client, &r->bound))
		world_log(w, (struct history_event){.kind = EV_OTHER_ID,
						    .pair = r->bound.lease_idx,
						    .gen = r->bound.gen,
						    .token = w->users[conn->client].asked_token,
						    .gateway = (uint8_t)g->id});
	user_on_answer(w, r->conn.idx, m.status, promise_ns);
}

static uint64_t fence_ask(void *ctx) {
	struct gateway *g = ctx;

	g->fence_ns = g->w->now_ns + world_random(g->w, 20) * RG_NS_PER_MS;
	return ++g->fence_n;
}

static bool fence_is_passed(void *ctx, uint64_t ticket) {
	const struct gateway *g = ctx;

	return ticket < g->fence_n || g->w->now_ns >= g->fence_ns;
}

// --- life

static void make_conf(struct gateway *g) {
	static char domain[] = "ims.example.net", integrity[] = "auth-done",
		    server[] = "https://wwsf.example.net", audience[] = "gw";
	static char p0[] = "p0", p1[] = "p1";
	static struct conf_pool pools[] = {{.name = p0}, {.name = p1, .wwsf = 1}};
	static char hosts[MAX_GATEWAYS][40] = {"gw1.example.net:5060", "gw2.example.net:5060",
					       "gw3.example.net:5060"};
	const struct lease_cfg *c = &g->w->cfg;
	char local[32];

	g->conf = (struct conf){
		.pools = pools,
		.n_pools = 2,
		.reg = {.domain = domain,
			.authz_server = server,
			.client_max_s = 300,
			.client_min_s = 60,
			.max_s = (uint32_t)(c->reg_max_ns / SEC),
			.guard_s = 10,
			.flow_grace_s = (uint32_t)(c->flow_grace_ns / SEC)},
		.core = {.host = hosts[g->id - 1],
			 .visited_network = domain,
			 .integrity_protected = integrity,
			 .timer_f_s = 8},
		.token = {.issuer = server, .audience = audience},
		.life = {.clock_error_s = (uint32_t)(c->clock_error_ns / SEC),
			 .t_sip_s = (uint32_t)(c->t_sip_ns / SEC),
			 .core_slack_s = (uint32_t)(c->core_slack_ns / SEC),
			 .release_guard_s = (uint32_t)(c->release_guard_ns / SEC)},
	};
	snprintf(local, sizeof(local), "192.0.2.%u:5060", g->id);
	world_assert(g->w, rg_addr_parse(RG_LIT("192.0.2.20:5060"), &g->conf.core.address) == 0, 0);
	world_assert(g->w, rg_addr_parse(rg_str(local), &g->conf.core.local) == 0, 0);
}

// NTP. Where several share a store, the sum of two errors must stay below clock_error_ns.
static void set_clock(struct gateway *g) {
	uint64_t error_ms = g->w->n_gateways > 1 ? WALL_ERROR_MS / 2 : WALL_ERROR_MS;

	env_sim_set_wall_ms(g->env,
			    INT64_C(1767225600000) + (int64_t)(g->w->now_ns / RG_NS_PER_MS) -
				    (int64_t)error_ms + (int64_t)world_random(g->w, 2 * error_ms));
}

// XXX The boot's clock goes on: what counts of a reboot is its new id, and a wall clock set anew.
static void boot(struct gateway *g) {
	struct world *w = g->w;
	char id[64];

	g->n_boots++;
	set_clock(g);
	snprintf(id, sizeof(id), "%08u-0000-4000-8000-%08u%04u\n", g->id, (unsigned)w->seed,
		 g->n_boots);
	env_sim_file(g->env, "/proc/sys/kernel/random/boot_id", rg_str(id));
}

// "gw1.example.net:5060"
static uint8_t id_of(const char *name) {
	return *name == '\0' ? 1 : (uint8_t)(name[2] - '0');
}

static uint32_t number_of(const struct world *w, const struct store_token *t) {
	uint32_t n = t->end_ms == 0 ? 0 : w->n_tokens;

	while (n > 0 && memcmp(&w->digests[n], &t->digest, sizeof(t->digest)) != 0)
		n--;
	return n;
}

static void on_record(void *arg, const struct store_lease *l) {
	struct world *w = arg;
	int64_t end_ms = l->tokens[0].end_ms > l->tokens[1].end_ms ? l->tokens[0].end_ms
								   : l->tokens[1].end_ms;

	world_log(w, (struct history_event){
			     .kind = EV_RECORD,
			     .pair = (uint32_t)strtoul(l->impi + strlen("pair-"), NULL, 10),
			     .gen = l->gen,
			     .token = number_of(w, &l->tokens[0]),
			     .token2 = number_of(w, &l->tokens[1]),
			     .asked_ns = (uint64_t)l->reassign_ms,
			     .told_ns = (uint64_t)(l->reassign_ms - end_ms) * RG_NS_PER_MS,
			     .gateway = id_of(l->gateway),
			     .flags = l->flags,
			     .is_free = l->state == LEASE_FREE,
			     .is_over = l->state == LEASE_QUARANTINE});
}

void gateway_init(struct gateway *g, unsigned id) {
	g->id = id;
	g->resume_ns = g->timer_env_ns = g->timer_ns = RG_NEVER;
	make_conf(g);
	g->env = env_sim_new(g->w->seed * 16 + id);
	g->boot_true_ns = g->w->now_ns;
	g->drift_ppm = (int)world_random(g->w, 2 * MAX_DRIFT_PPM + 1) - MAX_DRIFT_PPM;
	g->boot_env_ns = env_now_ns(g->env);
	boot(g);
	g->cfg = g->w->cfg;
	g->cfg.is_shared = g->w->n_gateways > 1;
	g->cfg.gateway = g->conf.core.host;
	if (id == 1)
		world_assert(g->w, store_mem_open(g->env, &g->store) == 0, 0);
	else
		world_assert(g->w, store_mem_join(g->w->gw[0].store, g->env, &g->store) == 0, 0);
	store_mem_set_trace(g->store, on_record, g->w);
	store_mem_set_any_order(g->store, g->cfg.is_shared); // as etcd's transactions
	gateway_start(g);
}

// What is accepted counts, once.
static void provision(struct gateway *g, uint32_t idx, const char *impi, const char *impu,
		      const char *sub, uint32_t impi_no, uint32_t impu_no) {
	uint16_t pool = g->w->rules.pool_of[idx % N_FILED];

	if (lease_add_pair(g->e, pool, sub != NULL ? 2 : pool, impi, impu, sub) == 0 &&
	    g->life == 1)
		world_log(g->w, (struct history_event){.kind = EV_PROVISION,
						       .pair = idx,
						       .token = impi_no,
						       .token2 = impu_no});
}

static void add_pairs(struct gateway *g) {
	char impi[40], impu[40], sub[16];

	for (unsigned i = 0; i < N_FILED; i++) {
		bool is_account = g->w->rules.pool_of[i] == POOL_ACCOUNTS;

		snprintf(impi, sizeof(impi), "pair-%u@ims.example.net", i);
		snprintf(impu, sizeof(impu), "sip:pair-%u@ims.example.net", i);
		snprintf(sub, sizeof(sub), "acct%u", i);
		provision(g, i, impi, impu, is_account ? sub : NULL, i + 1, i + 1);
	}
	// Pairs that share an identity with one that is there are refused (INV-2).
	provision(g, N_FILED, "pair-0@ims.example.net", "sip:new@ims.example.net", NULL, 1, 99);
	provision(g, N_FILED, "new@ims.example.net", "SIP:pair-1@IMS.example.net", NULL, 99, 2);
}

static void stop(struct gateway *g) {
	ims_free(g->ims);
	lease_engine_free(g->e);
	g->ims = NULL;
	g->e = NULL;
	g->in_len = g->n_closed = 0;
	g->core = NULL;
}

void gateway_start(struct gateway *g) {
	static const char *const pools[] = {"p0", "p1"};
	static const uint16_t wwsfs[] = {0, 1};
	const struct lease_ops ops = {g, on_deregister, on_close};
	const struct lease_fence fence = {g, fence_ask, fence_is_passed};
	char err[256];

	if (g->cfg.is_shared) // it is set right before
		set_clock(g);
	// Cut off for hours: what failed to load would fail again, engine after engine.
	if (g->is_load_failed && store_mem_is_cut(g->store)) {
		g->resume_ns = g->w->now_ns + RETRY_NS;
		return;
	}
	g->e = lease_engine_new(&g->cfg, g->env, g->store, NULL, &ops, N_PAIRS + 1);
	world_assert(g->w, g->e != NULL, 0);
	g->life++;
	lease_set_pool_names(g->e, pools, 2);
	lease_set_pool_wwsfs(g->e, wwsfs);
	add_pairs(g);
	g->is_load_failed = lease_engine_load(g->e) != 0;
	if (g->is_load_failed) { // the store is away: whoever watches over it tries again
		stop(g);
		g->resume_ns = g->w->now_ns + RETRY_NS;
		return;
	}
	if (g->is_booting)
		g->w->outage_ns += g->w->now_ns - g->down_ns + 2 * SEC;
	if (g->is_store_lost)
		world_extend(g->w, g->w->now_ns + g->w->rules.hold_ns);
	g->is_booting = g->is_store_lost = false;
	g->has_imported = lease_n_pairs(g->e) > N_FILED && !lease_is_removed(g->e, PAIR_IMPORTED);
	lease_set_fence(g->e, &fence);
	g->port = (struct dpport){g, on_reply};
	g->ims = ims_new(&g->conf, g->env, NULL, g->e, &g->port, err, sizeof(err));
	world_assert(g->w, g->ims != NULL, 0);
	world_log(g->w, (struct history_event){.kind = EV_START, .gateway = (uint8_t)g->id});
}

static bool is_durable(void *arg) {
	return world_chance(arg, 50);
}

void gateway_crash(struct gateway *g, bool is_reboot) {
	struct world *w = g->w;
	struct store_stats st;

	world_log(w, (struct history_event){.kind = EV_CRASH, .gateway = (uint8_t)g->id});
	core_read(g); // what has left the process, it gets
	stop(g);
	user_on_crash(w, g);
	store_get_stats(g->store, &st);
	if (g->cfg.is_shared)
		store_mem_crash_any(g->store, is_durable, w);
	else
		store_mem_crash(g->store, (unsigned)world_random(w, st.queued + 1));
	core_forget(w, g, is_reboot);
	g->is_paused = false;
	env_sim_pause(g->env, gateway_to_env(g, w->now_ns) - env_now_ns(g->env));
	g->is_booting |= is_reboot;
	g->down_ns = w->now_ns;
	if (is_reboot)
		boot(g);
	w->n.crashes++;
	w->n.boots += is_reboot;
}

void gateway_lose_store(struct gateway *g) {
	struct world *w = g->w;

	store_close(g->store);
	world_assert(w, store_mem_open(g->env, &g->store) == 0, 0);
	store_mem_set_trace(g->store, on_record, w);
	world_assert(w, store_put(g->store, STORE_LOST, &(uint8_t){1}, 1, false, NULL, NULL) == 0,
		     0);
	store_flush(g->store);
	g->is_store_lost = true;
	w->n.lost_stores++;
	world_log(w, (struct history_event){.kind = EV_STORE_LOST, .gateway = (uint8_t)g->id});
}

void gateway_fini(struct gateway *g) {
	if (g->env == NULL)
		return;
	g->w->n.overtaken += store_mem_n_overtaken(g->store);
	stop(g);
	store_close(g->store);
	env_sim_free(g->env);
}

struct gateway *gateway_any(struct world *w) {
	struct gateway *g = &w->gw[world_random(w, w->n_gateways)];

	return gateway_serves(g) ? g : NULL;
}

bool gateway_serves(const struct gateway *g) {
	return g->e != NULL && !g->is_paused;
}

// The watch's delay, or a commit of its own whose answer is awaited first.
bool gateway_is_behind(const struct gateway *g) {
	return g->w->n_gateways > 1 &&
	       (store_mem_is_behind(g->store) || g->w->now_ns < g->behind_ns);
}

void gateway_heal(struct gateway *g) {
	store_mem_fail(g->store, 0, 0);
	store_mem_set_delay(g->store, RG_NS_PER_MS);
	store_mem_set_answer_delay(g->store, 0);
	store_mem_set_watch_delay(g->store, RG_NS_PER_MS);
	store_mem_cut(g->store, false);
}

void gateway_check(struct gateway *g) {
	const char *fault = g->e == NULL ? NULL : lease_engine_check(g->e);

	if (fault != NULL)
		world_fail(g->w, fault, N_PAIRS);
	while (g->n_closed > 0 && gateway_serves(g)) {
		uint32_t conn = g->closed[--g->n_closed];
		const struct rg_binding *b = &g->w->conns[conn].bound;

		if (b->lease_idx == RG_LEASE_NONE)
			continue;
		user_flow_lost(g->w, conn, b);
		lease_flow_closed(g->e, b->lease_idx, b->gen,
				  (struct rg_conn_id){.idx = conn, .gen = 1});
	}
}

// --- the worker

// ims.md 4.3: the same registration again, and everything lasts long enough.
static bool answer_here(struct gateway *g, const struct user *c, uint32_t conn,
			const struct rg_lease *en, struct rg_slice text) {
	uint64_t now_ns = env_now_ns(g->env), limit_ns;
	uint8_t key[RG_CONTACT_MAX];
	struct rg_wr w = rg_wr(key, sizeof(key));
	struct sip_register reg;
	struct rg_binding *bound = &g->w->conns[conn].bound;
	struct sip_msg m;

	if (en == NULL || en->token_end_ns <= now_ns || atomic_load(&en->state) != RG_LEASE_ACTIVE)
		return false;
	world_assert(g->w, sip_parse(text, &m) == RG_OK && sip_register_parse(&m, &reg) == RG_OK,
		     c->idx);
	sip_put_contact_key(&w, &reg);
	if (rg_client_hash(rg_call_id_hash(reg.call_id), rg_wr_slice(&w)) != en->client)
		return false;
	limit_ns = en->token_end_ns < en->core_end_ns ? en->token_end_ns : en->core_end_ns;
	if (limit_ns < now_ns + LOCAL_FLOOR_NS)
		return false;
	if (limit_ns > now_ns + LOCAL_MAX_NS)
		limit_ns = now_ns + LOCAL_MAX_NS;
	if (bound->lease_idx != en->idx || bound->gen != en->gen || bound->promise_end_ns <= now_ns)
		lease_flow_bound(g->e, en->idx, en->gen, (struct rg_conn_id){.idx = conn, .gen = 1},
				 limit_ns);
	bind_flow(g, conn, &(struct rg_binding){en->idx, en->gen, limit_ns});
	g->w->n.local++;
	user_on_answer(g->w, conn, 200, gateway_to_true(g, limit_ns));
	return true;
}

void gateway_register(struct gateway *g, struct user *c, uint32_t conn, const struct user_token *t,
		      struct rg_slice text) {
	const struct rg_lease *en = lease_table_get(lease_engine_table(g->e), &t->digest);
	uint64_t now_ns = env_now_ns(g->env),
		 refresh_ns = en == NULL ? RG_NEVER : en->core_refresh_ns;
	uint16_t home = c->pool == POOL_ACCOUNTS ? 2 : c->pool;
	struct rg_punt p = {
		.kind = RG_PUNT_REGISTER,
		.reason = RG_WHY_INITIAL,
		.wwsf = home,
		.has_digest = true,
		.conn = {.idx = conn, .gen = 1},
		.digest = t->digest,
		.bound = g->w->conns[conn].bound,
		.now_ns = now_ns,
		.len = (uint32_t)text.len,
	};
	uint32_t idx = c->idx;
	uint64_t gen = c->gen;

	history_note(&g->w->h, text.p, text.len);
	if (c->op == OP_REGISTER && answer_here(g, c, conn, en, text)) {
		if (now_ns >= refresh_ns) // rule 11
			ims_refresh(g->ims, idx, gen);
		return;
	}
	ims_register(g->ims, &p, text);
}
