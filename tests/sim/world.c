// SPDX-License-Identifier: BSD-3-Clause
// The run: time, faults, steps, and what must hold at its end.
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#define SEC RG_NS_PER_S
#define START_TRUE_NS (UINT64_C(1000000) * SEC)

uint64_t world_random(struct world *w, uint64_t below) { // splitmix64
	uint64_t z = w->rng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return below == 0 ? 0 : (z ^ z >> 31) % below;
}

bool world_chance(struct world *w, unsigned percent) {
	return world_random(w, 100) < percent;
}

void world_fail(struct world *w, const char *what, uint32_t pair) {
	history_print(&w->h, pair);
	fprintf(stderr,
		"FAILED seed %llu, step %u, at %.3f s: %s\nreplay: scripts/test sim --first-seed "
		"%llu "
		"--seeds 1\n",
		(unsigned long long)w->seed, w->step, (double)w->now_ns / 1e9, what,
		(unsigned long long)w->seed);
	exit(1);
}

void world_log(struct world *w, struct history_event e) {
	e.at_ns = w->now_ns;
	history_add(&w->h, &e);
}

void world_extend(struct world *w, uint64_t end_ns) {
	if (end_ns > w->horizon_ns)
		w->horizon_ns = end_ns;
}

// --- INV-13, one gateway: the pair that has been free longest goes out

// How many are free, and of those suspect; a grant between two looks is told apart.
static bool is_as_before(struct world *w) {
	uint64_t n_free = w->n_tokens;
	struct lease_pool_stats st;

	for (unsigned pool = 0; pool <= 2; pool++) {
		lease_get_pool_stats(w->gw[0].e, pool == 2 ? POOL_ACCOUNTS : (uint16_t)pool, &st);
		n_free = n_free << 8 ^ st.n_free << 4 ^ st.n_disabled;
	}
	if (n_free == w->free_seen)
		return true;
	w->free_seen = n_free;
	return false;
}

static void set_freed(struct world *w, uint32_t pair, uint64_t order) {
	// An account's pair goes to nobody else.
	if (w->freed[pair] != order && w->rules.pool_of[pair] != POOL_ACCOUNTS)
		world_log(w,
			  (struct history_event){.kind = EV_FREE, .pair = pair, .asked_ns = order});
	w->freed[pair] = order;
}

static void note_freed(struct world *w) {
	const struct lease_engine *e = w->gw[0].e;
	struct store_stats st;
	bool is_any = false;

	if (w->n_gateways > 1 || e == NULL)
		return;
	// A pair whose record was not what the engine knew goes to the end of the list.
	store_get_stats(w->gw[0].store, &st);
	if (st.conflicts != w->n_conflicts)
		for (uint32_t i = 0; i < N_PAIRS; i++)
			set_freed(w, i, w->free_seen = RG_NEVER);
	w->n_conflicts = st.conflicts;
	if (is_as_before(w))
		return;
	for (uint32_t i = 0; i < N_PAIRS; i++) {
		const struct lease *l = lease_at(e, i);
		bool is_free = l != NULL && l->state == LEASE_FREE &&
			       l->suspect == LEASE_SUSPECT_NONE &&
			       (i != PAIR_IMPORTED || w->gw[0].has_imported);

		if (!is_free)
			set_freed(w, i, RG_NEVER);
		else if (w->freed[i] == RG_NEVER)
			set_freed(w, i, w->n_freed + (is_any = true));
	}
	w->n_freed += is_any;
}

// --- time

// Another turn would find nothing, unless a timer is due.
static bool is_idle(const struct gateway *g) {
	return g->is_idle && env_sim_next_ns(g->env) > env_now_ns(g->env);
}

static unsigned turn(struct gateway *g) {
	unsigned n = g->is_paused ? 0 : env_sim_turn(g->env);

	core_read(g);
	n += g->n_closed;
	if (g->n_closed > 0)
		gateway_check(g);
	return n;
}

static void set_idle(struct world *w, bool is_so) {
	for (unsigned i = 0; i < w->n_gateways; i++)
		w->gw[i].is_idle = is_so;
}

static void settle(struct world *w) {
	unsigned n;

	do {
		n = 0;
		for (unsigned i = 0; i < w->n_gateways; i++) {
			struct gateway *g = &w->gw[i];
			unsigned n_turn = is_idle(g) ? 0 : turn(g);

			g->is_idle = n_turn == 0;
			n += n_turn;
		}
		if (core_run(w))
			set_idle(w, false);
	} while (n > 0);
	note_freed(w);
}

void world_settle(struct world *w) {
	set_idle(w, false);
	settle(w);
}

// Of its timers, true time; most often none has changed.
static uint64_t timer_ns(struct gateway *g) {
	uint64_t at_ns = env_sim_next_ns(g->env);

	if (at_ns != g->timer_env_ns) {
		g->timer_env_ns = at_ns;
		g->timer_ns = at_ns == RG_NEVER ? RG_NEVER : gateway_to_true(g, at_ns);
	}
	return g->timer_ns;
}

static uint64_t next_ns(struct world *w) {
	uint64_t next_ns = core_next_ns(w);

	for (unsigned i = 0; i < w->n_gateways; i++) {
		struct gateway *g = &w->gw[i];

		if (!g->is_paused && timer_ns(g) < next_ns)
			next_ns = timer_ns(g);
		if (g->resume_ns < next_ns)
			next_ns = g->resume_ns;
	}
	return next_ns;
}

// What was answered meanwhile counts from now: the gateway errs to the safe side.
static void extend_by_pause(struct world *w, uint64_t pause_ns) {
	for (uint32_t i = 0; i < N_PAIRS; i++)
		for (unsigned k = 0; k < MAX_BINDINGS; k++)
			if (w->bindings[i][k].is_used)
				world_extend(w, w->bindings[i][k].high_ns + pause_ns +
							w->cfg.core_slack_ns + 2 * w->cfg.t_sip_ns);
}

static void resume(struct gateway *g) {
	bool is_down = g->e == NULL;

	g->is_idle = false;
	g->resume_ns = RG_NEVER;
	if (is_down)
		gateway_start(g);
	if (is_down) {
		g->w->free_seen = RG_NEVER;
		for (uint32_t i = 0; i < N_PAIRS; i++)
			set_freed(g->w, i, RG_NEVER); // the order among them is lost
	} else {
		g->is_paused = false;
		extend_by_pause(g->w, gateway_to_env(g, g->w->now_ns) - env_now_ns(g->env));
		env_sim_pause(g->env, gateway_to_env(g, g->w->now_ns) - env_now_ns(g->env));
	}
}

// Only the clocks: what falls due then runs in world_settle(), where all see each other.
static void move_to(struct world *w, uint64_t to_ns) {
	w->now_ns = to_ns;
	for (unsigned i = 0; i < w->n_gateways; i++) {
		struct gateway *g = &w->gw[i];

		if (!g->is_paused)
			env_sim_set_now(g->env, gateway_to_env(g, to_ns));
		if (g->resume_ns <= to_ns)
			resume(g);
	}
}

void world_advance(struct world *w, uint64_t ns) {
	uint64_t end_ns = w->now_ns + ns, at_ns;

	world_settle(w);
	while ((at_ns = next_ns(w)) <= end_ns) {
		move_to(w, at_ns > w->now_ns ? at_ns : w->now_ns);
		settle(w);
	}
	move_to(w, end_ns);
	settle(w);
}

// To the moment when a pair is free; somebody has waited for that.
static void await_pair(struct world *w, const struct gateway *g) {
	struct lease_pool_stats st;
	uint64_t at_ns;

	lease_get_pool_stats(g->e, 0, &st);
	at_ns = st.next_free_ns == RG_NEVER ? 0 : gateway_to_true(g, st.next_free_ns);
	if (at_ns > w->now_ns)
		world_advance(w, at_ns - w->now_ns + world_random(w, 50 * RG_NS_PER_MS));
	user_grant(w);
}

// Often a little, sometimes past a token's whole life.
static void step_time(struct world *w) {
	static const uint64_t most_s[] = {1, 5, 5, 5, 30, 30, 60, 60, 120, 300, 900, 7200};

	if (world_chance(w, 5) && gateway_serves(&w->gw[0])) {
		await_pair(w, &w->gw[0]);
		return;
	}
	world_advance(w, 1 + world_random(w, most_s[world_random(w, 12)] * SEC));
}

// --- faults

static struct gateway *any(struct world *w) {
	return &w->gw[world_random(w, w->n_gateways)];
}

static bool is_calm(const struct world *w) {
	return w->now_ns < w->calm_until_ns;
}

static void step_crash(struct world *w) {
	struct gateway *g = any(w);
	bool is_lost;

	if (g->e == NULL || is_calm(w))
		return;
	// All that was durable is gone: that lasts, so one run in 16 gets to it, once. A new machine, whose
	// clock is right.
	is_lost = w->seed % 16 == 3 && w->n_gateways == 1 && w->n.lost_stores == 0 &&
		  world_chance(w, 50);
	gateway_crash(g, is_lost || world_chance(w, 30));
	if (is_lost)
		gateway_lose_store(g);
	g->resume_ns = w->now_ns + (world_chance(w, 70) ? 1 : world_random(w, 600 * SEC));
}

static void step_pause(struct world *w) {
	struct gateway *g = any(w);

	if (!gateway_serves(g) || is_calm(w))
		return;
	g->is_paused = true;
	g->resume_ns = w->now_ns + 1 + world_random(w, world_chance(w, 80) ? 60 * SEC : 900 * SEC);
	world_log(w, (struct history_event){.kind = EV_PAUSE,
					    .gateway = (uint8_t)g->id,
					    .end_ns = g->resume_ns});
	w->n.pauses++;
}

static void step_wall(struct world *w) {
	static const int64_t most_ms[] = {1000, 60000, 3600000, INT64_C(315360000000)};
	struct gateway *g = any(w);
	int64_t most = most_ms[world_random(w, 4)];

	if (g->e == NULL) // a boot ends with the right time
		return;
	env_sim_set_wall_ms(g->env, env_wall_ms(g->env) - most +
					    (int64_t)world_random(w, 2 * (uint64_t)most));
	world_log(w, (struct history_event){.kind = EV_WALL_STEP, .gateway = (uint8_t)g->id});
	w->n.wall_steps++;
}

static void step_store(struct world *w) {
	struct gateway *g = any(w);
	unsigned n = 1 + (unsigned)world_random(w, 3);

	if (is_calm(w))
		return;
	w->n.store_faults++;
	switch (world_random(w, 4)) {
	case 0:
		store_mem_fail(g->store, n, -5);
		break;
	case 1: // full: for longer
		store_mem_fail(g->store, 20 * n, -28);
		break;
	case 2:
		store_mem_fail_late(g->store, n, -5);
		break;
	default:
		store_mem_set_delay(g->store,
				    world_chance(w, 50) ? RG_NS_PER_MS : world_random(w, 90 * SEC));
	}
}

// Between a gateway and the store that others use, too.
static void step_net(struct world *w) {
	struct gateway *g = any(w);

	if (w->n_gateways == 1 || is_calm(w))
		return;
	w->n.cuts++;
	switch (world_random(w, 4)) {
	case 0:
		store_mem_cut(g->store, false);
		break;
	case 1:
		store_mem_cut(g->store, true);
		break;
	case 2:
		store_mem_set_watch_delay(g->store,
					  world_random(w, world_chance(w, 50) ? SEC : 120 * SEC));
		break;
	default:
		store_mem_set_answer_delay(g->store,
					   world_chance(w, 50) ? 0 : world_random(w, 20 * SEC));
	}
}

static void step_core(struct world *w) {
	static const uint8_t moods[] = {CORE_WELL, CORE_WELL, CORE_WELL,    CORE_DEAD,
					CORE_SLOW, CORE_BUSY, CORE_REFUSES, CORE_LOSES};
	struct gateway *g = any(w);

	w->mood = moods[world_random(w, sizeof(moods))];
	if (world_chance(w, 20) && g->core != NULL && !is_calm(w)) { // its connection breaks
		env_sim_reset(g->core, 104);
		g->core = NULL;
	}
	if (world_chance(w, 20))
		core_deregister(w);
	if (w->seed % 8 == 5 && world_chance(w, 10) && !w->is_calm) // the HSS is wrong about one
		w->other_id_ns[world_random(w, N_POOLED - 1)] = w->now_ns;
}

// --- the run

static bool is_account(unsigned pair) {
	return pair >= N_FILED - N_ACCOUNTS && pair < N_FILED;
}

void world_init(struct world *w, uint64_t seed) {
	static const uint8_t digest_key[RG_DIGEST_KEY_LEN] = "0123456789abcde";
	// Each second costs as much as all the rest of a seed.
	static const uint16_t marks_s[16] = {1,   10,  60,  60,  60,  60,  300, 300,
					     300, 300, 300, 300, 300, 300, 300, 300};
	char sub[12];

	memset(w, 0, offsetof(struct world, h));
	memset(&w->n, 0, sizeof(w->n));
	history_clear(&w->h);
	w->seed = w->rng = seed;
	w->now_ns = START_TRUE_NS;
	w->n_gateways = 1 + (unsigned)world_random(w, MAX_GATEWAYS);
	w->cfg = (struct lease_cfg){.clock_error_ns = 5 * SEC,
				    .t_sip_ns = 69 * SEC,
				    .core_slack_ns = 360 * SEC,
				    .release_guard_ns = 5 * SEC,
				    .flow_grace_ns = 60 * SEC,
				    .reg_max_ns = 3600 * SEC,
				    .mark_ns = marks_s[world_random(w, 16)] * SEC,
				    .token_max_ns = TOKEN_MAX_NS};
	w->rules = (struct history_rules){.guard_ns = w->cfg.clock_error_ns + w->cfg.t_sip_ns +
						      w->cfg.core_slack_ns,
					  .release_guard_ns = w->cfg.release_guard_ns,
					  .flow_grace_ns = w->cfg.flow_grace_ns,
					  .reg_max_ns = w->cfg.reg_max_ns,
					  .core_slack_ns = w->cfg.core_slack_ns,
					  .token_floor_ns = 70 * SEC,
					  .hold_ns = w->cfg.token_max_ns + w->cfg.clock_error_ns +
						     w->cfg.t_sip_ns + w->cfg.reg_max_ns +
						     w->cfg.core_slack_ns,
					  .imported = 1u << PAIR_IMPORTED,
					  .is_revoke_durable = true};
	w->digester = rg_digester_new(digest_key);
	world_assert(w, w->digester != NULL, 0);
	for (unsigned i = 0; i < N_PAIRS; i++)
		w->rules.pool_of[i] = is_account(i) ? POOL_ACCOUNTS : i == 5;
	for (unsigned i = N_FILED - N_ACCOUNTS; i < N_FILED; i++) {
		snprintf(sub, sizeof(sub), "acct%u", i);
		user_new(w, sub, POOL_ACCOUNTS);
	}
	for (unsigned i = 0; i < w->n_gateways; i++) {
		w->gw[i].w = w;
		gateway_init(&w->gw[i], i + 1);
	}
	for (uint32_t i = 0; i < N_PAIRS; i++)
		set_freed(w, i, i == PAIR_IMPORTED ? RG_NEVER : 1);
	w->n_freed = 1;
}

void world_fini(struct world *w) {
	for (unsigned i = 0; i < w->n_gateways; i++)
		gateway_fini(&w->gw[i]);
	core_fini(w);
	rg_digester_free(w->digester);
}

static void step(struct world *w) {
	static const struct {
		unsigned weight;
		void (*fn)(struct world *w);
	} ops[] = {
		{16, user_grant}, {10, user_renew},   {22, user_register}, {5, user_deregister},
		{3, user_revoke}, {7, user_flow},     {26, step_time},     {3, step_store},
		{4, step_core},   {2, step_crash},    {1, step_pause},     {1, step_wall},
		{2, step_net},    {4, operator_step},
	};
	uint64_t pick = world_random(w, 106);

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		if (pick < ops[i].weight) {
			ops[i].fn(w);
			return;
		}
		pick -= ops[i].weight;
	}
}

// Everything heals.
static void calm_down(struct world *w) {
	w->is_calm = true;
	w->mood = CORE_WELL;
	for (unsigned i = 0; i < w->n_gateways; i++) {
		struct gateway *g = &w->gw[i];

		gateway_heal(g);
		if (g->resume_ns != RG_NEVER)
			resume(g);
	}
	world_advance(w, 0);
	memset(w->other_id_ns, 0, sizeof(w->other_id_ns));
}

static bool is_all_free(const struct world *w) {
	for (unsigned i = 0; i < w->n_gateways; i++)
		for (uint32_t k = 0; k < N_PAIRS; k++)
			if (k < lease_n_pairs(w->gw[i].e) &&
			    lease_at(w->gw[i].e, k)->state != LEASE_FREE)
				return false;
	return true;
}

static void check_free(struct world *w, const struct gateway *g) {
	struct lease_pool_stats st;
	uint32_t n = 0;

	for (uint32_t i = 0; i < N_PAIRS; i++)
		if (lease_at(g->e, i)->state != LEASE_FREE)
			world_fail(w, "a pair is not free when all is over: leaked (I3)", i);
	for (unsigned pool = 0; pool <= 2; pool++) {
		lease_get_pool_stats(g->e, pool == 2 ? POOL_ACCOUNTS : (uint16_t)pool, &st);
		world_assert(w, st.n_free == st.n_pairs, N_PAIRS);
		n += st.n_pairs;
	}
	world_assert(w, n == N_PAIRS, N_PAIRS);
}

// Every pair can be given out once more, and not one more than there are (INV-12).
static void check_all_usable(struct world *w) {
	uint64_t before = w->n.granted;

	for (unsigned i = 0; i <= N_POOLED; i++) {
		user_login(w, &w->gw[0], user_new(w, NULL, i >= N_POOLED - 1));
		if (i ==
		    0) // it finds that the store is back, and may come while all are being recorded
			world_advance(w, 10 * SEC);
		if (i == 0 && w->n.granted == before)
			user_login(w, &w->gw[0], user_new(w, NULL, false));
	}
	for (unsigned i = 1; i <= N_ACCOUNTS; i++)
		user_login(w, &w->gw[0], &w->users[i]);
	world_advance(w, 60 * SEC);
	world_assert(w, w->n.granted - before == N_PAIRS, N_PAIRS);
}

static void finish(struct world *w) {
	const char *fault;
	size_t at;

	calm_down(w);
	world_extend(w, w->now_ns + 120 * SEC); // what the slow store still has
	// Records have whole milliseconds; across a reboot, the wall clock's error at both boots.
	w->rules.clock_ns = 100 * RG_NS_PER_MS;
	if (w->n_gateways > 1)
		w->rules.clock_ns += w->cfg.clock_error_ns;
	else if (w->n.boots > 0)
		w->rules.clock_ns += 2 * WALL_ERROR_MS * RG_NS_PER_MS;
	// Time may have stood still over a reboot (I6).
	world_extend(w, w->horizon_ns + w->outage_ns);
	while (w->now_ns < w->horizon_ns + w->rules.clock_ns + SEC)
		world_advance(w, w->horizon_ns + w->rules.clock_ns + SEC - w->now_ns);
	// XXX And the first formula of ims.md 6.2 may hold. How late a pair may be is not checked:
	// a day is for ever.
	for (unsigned i = 0; i < 86400 / 600 && !is_all_free(w); i++)
		world_advance(w, 600 * SEC);
	operator_heal(w);
	for (unsigned i = 1; i <= w->n_users; i++)
		if (w->users[i].op != 0)
			world_fail(w, "a REGISTER was never answered", w->users[i].idx);
	for (unsigned i = 0; i < w->n_gateways; i++)
		check_free(w, &w->gw[i]);
	check_all_usable(w);
	fault = history_check(&w->h, &w->rules, &at);
	if (fault == NULL)
		return;
	fprintf(stderr, "event %zu, client %u:\n", at, w->h.ev[at].client);
	world_fail(w, fault, w->h.ev[at].pair);
}

void world_run(struct world *w, unsigned n_steps) {
	for (w->step = 1; w->step <= n_steps; w->step++) {
		step(w);
		world_settle(w);
		for (unsigned i = 0; i < w->n_gateways; i++)
			gateway_check(&w->gw[i]);
	}
	w->n.steps = n_steps;
	finish(w);
}
