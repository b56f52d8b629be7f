// SPDX-License-Identifier: BSD-3-Clause
// The process that is killed: opens the file, looks whether everything acknowledged is known, and
// grants, renews, registers and ends leases until it dies.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu/urcu-qsbr.h>

#include "core/crash_point.h"
#include "kill.h"
#include "lease/operator.h"
#include "regate/err.h"

#define MS RG_NS_PER_MS
#define N_WAYS 24 // operations at once
#define IMPORTS_OF_A_LIFE 4
#define IMPI "i@x"
#define IMPU "sip:i@x"

struct life;
struct way {
	struct life *life;
	uint32_t sub, idx;
	uint64_t gen, end_ns;
	bool has_lease, is_renewal, is_busy;
	char token[32];
};

struct life {
	const struct kill_world *k;
	struct env *env;
	struct store *store;
	struct lease_engine *e;
	struct rg_digester *digester;
	struct way ways[N_WAYS];
	struct env_timer timer;
	uint64_t rng, n_tokens;
	uint32_t n_subs, importing, n_imports;
	bool is_there, is_swapping; // the imported pair
	int fd;
};

static uint64_t random_below(struct life *f, uint64_t n) {
	f->rng = f->rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (f->rng >> 33) % n;
}

static void tell(struct life *f, const struct note *n) {
	if (write(f->fd, n, sizeof(*n)) != sizeof(*n))
		_exit(3);
}

static _Noreturn void fault(struct life *f, const char *text, uint32_t idx) {
	struct note n = {.kind = NOTE_FAULT, .idx = idx};

	snprintf(n.text, sizeof(n.text), "%s", text);
	tell(f, &n);
	_exit(4);
}

// --- load

static int issue(void *arg, const struct lease *l, uint64_t end_ns, struct rg_wr *token) {
	struct way *w = arg;

	snprintf(w->token, sizeof(w->token), "%llu.%llu", (unsigned long long)w->life->k->life,
		 (unsigned long long)++w->life->n_tokens);
	rg_puts(token, w->token);
	w->end_ns = end_ns;
	if (w->is_renewal)
		tell(w->life, &(struct note){.kind = NOTE_RENEWING, .idx = l->idx, .gen = l->gen});
	return 0;
}

static void on_token(void *arg, int rc, const struct lease *l, struct rg_slice token) {
	struct way *w = arg;
	struct note n = {.kind = w->is_renewal ? NOTE_RENEWED : NOTE_GRANTED};

	w->is_busy = false;
	if (rc != 0) {
		w->has_lease = w->has_lease && rc != RG_E_STALE;
		return;
	}
	w->has_lease = true;
	w->idx = n.idx = l->idx;
	w->gen = n.gen = l->gen;
	n.sub = w->sub;
	n.end_ns = w->end_ns;
	n.at_ns = env_now_ns(w->life->env);
	rg_token_digest(w->life->digester, token, &n.digest);
	tell(w->life, &n);
}

static void ask(struct life *f, struct way *w, bool is_renewal) {
	char sub[16];
	struct lease_ask a = {.sub = sub,
			      .token_life_ns = (20 + random_below(f, 2000)) * MS,
			      .issue = issue,
			      .done = on_token,
			      .arg = w,
			      .digester = f->digester};

	w->is_busy = true;
	w->is_renewal = is_renewal;
	if (!is_renewal)
		w->sub = ++f->n_subs;
	snprintf(sub, sizeof(sub), "u%u", w->sub);
	if (is_renewal)
		lease_renew(f->e, w->idx, w->gen, &a);
	else
		lease_grant(f->e, &a);
}

static void bind(struct life *f, struct way *w) {
	uint64_t now_ns = env_now_ns(f->env);
	const struct lease_binding b = {.contact = RG_LIT("<sip:x@y.invalid>"),
					.call_id = RG_LIT("c"),
					.core_refresh_ns = now_ns + 10 * MS,
					.core_low_ns = now_ns + 20 * MS,
					.core_high_ns = now_ns + 21 * MS};

	if (lease_register_begin(f->e, w->idx, w->gen, now_ns + 20 * MS) == 0)
		(void)!lease_register_done(f->e, w->idx, w->gen, &b,
					   (struct rg_conn_id){.idx = 1, .gen = 1},
					   now_ns + 20 * MS);
}

static void end(struct life *f, struct way *w) {
	tell(f, &(struct note){.kind = NOTE_ENDING, .idx = w->idx, .gen = w->gen});
	(void)!lease_revoke(f->e, w->idx, w->gen);
	w->has_lease = false;
}

static void on_swapped(void *arg, int rc) {
	struct life *f = arg;

	f->is_swapping = false;
	if (rc != 0)
		fault(f, "the imported pair cannot be stored", 0);
	f->is_there = !f->is_there;
	tell(f, &(struct note){.kind = NOTE_SWAPPED, .gen = f->is_there});
}

// A pair of another pool, which nobody gets, is imported and removed again and again.
static void swap(struct life *f) {
	int rc;

	f->is_swapping = true;
	tell(f, &(struct note){.kind = NOTE_SWAPPING});
	if (f->is_there)
		rc = lease_remove(f->e, 1, IMPI, IMPU, on_swapped, f);
	else
		rc = lease_import(f->e, 1, IMPI, IMPU, on_swapped, f);
	if (rc != 0)
		fault(f, "the imported pair is refused", 0);
}

static void on_timer(struct env_timer *t, uint64_t now_ns) {
	struct life *f = (struct life *)((char *)t - offsetof(struct life, timer));

	if (!f->is_swapping && random_below(f, 8) == 0)
		swap(f);

	for (unsigned i = 0; i < 4; i++) {
		struct way *w = &f->ways[random_below(f, N_WAYS)];

		if (w->is_busy)
			continue;
		if (!w->has_lease)
			ask(f, w, false);
		else if (random_below(f, 3) == 0)
			ask(f, w, true);
		else if (random_below(f, 2) == 0)
			bind(f, w);
		else
			end(f, w);
	}
	env_timer_set(f->env, t, now_ns + MS / 10);
}

static void on_deregister(void *ctx, const struct lease *l) {
	struct life *f = ctx;

	lease_dereg_done(f->e, l->idx, l->gen, false);
}

static void on_close(void *, struct rg_conn_id, uint16_t) {
}

// --- start

static void check_pair(struct life *f, uint32_t idx) {
	const struct known_pair *p = &f->k->pairs[idx];
	const struct lease *l = lease_at(f->e, idx);
	char sub[16];

	if (l->gen < p->gen)
		fault(f, "lost: the generation went back", idx);
	if (l->gen > p->gen || p->gen == 0)
		return; // given out again, and nobody was told
	for (unsigned i = 0; i < 2 && i + p->n_unsure < 2; i++) {
		if (p->token_end_ns[i] < env_now_ns(f->env) + 50 * MS || p->is_ending)
			continue;
		l = lease_by_digest(f->e, &p->tokens[i]);
		snprintf(sub, sizeof(sub), "u%u", p->sub);
		if (l == NULL)
			fault(f, "lost: an acknowledged token is not known", idx);
		if (l->idx != idx || l->gen != p->gen || strcmp(l->sub, sub) != 0)
			fault(f, "a token of somebody else's lease", idx);
	}
}

static int import(struct life *f, uint32_t i, lease_import_fn *done) {
	char impi[32], impu[32];

	snprintf(impi, sizeof(impi), "i%u@x", i);
	snprintf(impu, sizeof(impu), "sip:i%u@x", i);
	return lease_import(f->e, 1, impi, impu, done, f);
}

static void import_some(struct life *f);

static void on_imported(void *arg, int rc) {
	struct life *f = arg;

	if (rc == 0)
		tell(f, &(struct note){.kind = NOTE_IMPORTED, .idx = f->importing});
	if (f->n_imports < IMPORTS_OF_A_LIFE)
		import_some(f);
}

static void import_some(struct life *f) {
	f->n_imports++;
	f->importing = (uint32_t)random_below(f, KILL_IMPORTS);
	if (import(f, f->importing, on_imported) < 0)
		fault(f, "not imported", f->importing);
}

static void check_imports(struct life *f) {
	for (uint32_t i = 0; i < KILL_IMPORTS; i++)
		if (f->k->is_imported[i] && import(f, i, on_imported) != LEASE_IS_THERE)
			fault(f, "lost: an acknowledged import", i);
}

static void start(struct life *f) {
	const struct lease_cfg cfg = {.clock_error_ns = MS,
				      .t_sip_ns = MS,
				      .core_slack_ns = MS,
				      .release_guard_ns = MS,
				      .flow_grace_ns = 1000 * MS,
				      .reg_max_ns = 1000 * MS};
	const struct lease_ops ops = {f, on_deregister, on_close};
	static const char *const names[] = {"p", "q"};
	static const uint16_t wwsfs[] = {0, 0};
	const char *wrong;
	char impi[32], impu[32];

	f->e = lease_engine_new(&cfg, f->env, f->store, NULL, &ops, KILL_PAIRS + KILL_IMPORTS + 1);
	if (f->e == NULL)
		_exit(5);
	lease_set_pool_names(f->e, names, 2);
	lease_set_pool_wwsfs(f->e, wwsfs);
	for (unsigned i = 0; i < KILL_PAIRS; i++) {
		snprintf(impi, sizeof(impi), "p%u@x", i);
		snprintf(impu, sizeof(impu), "sip:p%u@x", i);
		if (lease_add_pair(f->e, 0, 0, impi, impu, NULL) != 0)
			_exit(6);
	}
	if (lease_engine_load(f->e) != 0)
		fault(f, "the file cannot be loaded", 0);
	wrong = lease_engine_check(f->e);
	if (wrong != NULL)
		fault(f, wrong, 0);
	for (uint32_t i = 0; i < KILL_PAIRS; i++)
		check_pair(f, i);
	check_imports(f);
	import_some(f);
	f->is_there = lease_find(f->e, IMPI) != RG_LEASE_NONE;
	if (!f->k->is_swapping && f->is_there != f->k->is_there)
		fault(f, "lost: the imported pair", 0);
	tell(f, &(struct note){.kind = NOTE_SWAPPED, .gen = f->is_there});
	tell(f, &(struct note){.kind = NOTE_SERVING});
}

void kill_life(const struct kill_world *k, int fd) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = "kill";
	static struct life f;
	char err[256];

	urcu_qsbr_register_thread();
	f = (struct life){.k = k, .fd = fd, .rng = k->life, .n_subs = k->n_subs};
	f.env = env_real_new();
	f.digester = rg_digester_new(key);
	if (f.env == NULL || f.digester == NULL)
		_exit(7);
	if (store_sqlite_open(f.env, k->path, &f.store, err, sizeof(err)) != 0)
		fault(&f, err, 0);
	if (!crash_point_arm(k->point, k->at))
		_exit(9);
	for (unsigned i = 0; i < N_WAYS; i++)
		f.ways[i].life = &f;
	start(&f);
	f.timer.fn = on_timer;
	env_timer_set(f.env, &f.timer, 0);
	(void)!env_real_run(f.env);
	_exit(8);
}
