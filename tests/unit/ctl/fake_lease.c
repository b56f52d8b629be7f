// SPDX-License-Identifier: BSD-3-Clause
// Stand-in for the lease engine and the store: pairs that the test fills in by hand.
#include "harness.h"
#include "lease/operator.h"

#include <errno.h>

#include "regate/err.h"

struct lease_engine; // never made

uint32_t lease_n_pairs(const struct lease_engine *e) {
	(void)e;
	return fake.n_pairs;
}

uint32_t lease_find(const struct lease_engine *e, const char *name) {
	(void)e;
	for (uint32_t i = 0; i < fake.n_pairs; i++)
		if (strcmp(fake.pairs[i].impu, name) == 0 || strcmp(fake.pairs[i].impi, name) == 0)
			return i;
	return RG_LEASE_NONE;
}

static bool fits(const struct lease *l, const struct lease_filter *f) {
	return (f->pool < 0 || l->pool == f->pool) && (f->wwsf < 0 || l->wwsf == f->wwsf) &&
	       (f->state < 0 ? l->state != LEASE_FREE : (int32_t)l->state == f->state) &&
	       (f->sub == NULL || strcmp(l->sub, f->sub) == 0) &&
	       rg_is_prefix(rg_str(l->impu), f->impu);
}

bool lease_scan(const struct lease_engine *e, const struct lease_filter *f, uint32_t *idx,
		unsigned *n) {
	(void)e;
	for (; *n > 0 && *idx < fake.n_pairs; ++*idx) {
		--*n;
		fake.n_scanned++;
		if (fits(&fake.pairs[*idx], f))
			return true;
	}
	return false;
}

const struct lease *lease_at(const struct lease_engine *e, uint32_t idx) {
	(void)e;
	return idx < fake.n_pairs ? &fake.pairs[idx] : NULL;
}

uint64_t lease_token_end_ns(const struct lease *l) {
	return l->tokens[0].end_ns;
}

void lease_get_counters(const struct lease_engine *e, struct lease_counters *out) {
	(void)e;
	*out = fake.lease_counters;
}

bool lease_is_frozen(const struct lease_engine *e) {
	(void)e;
	return false;
}

const char *lease_gateway_name(const struct lease_engine *e, const struct lease *l) {
	(void)e;
	return l->gateway == 0 ? "" : "gw1";
}

const char *lease_state_name(enum lease_state s) {
	static const char *const names[] = {"free",          "offered", "pending",   "active",
					    "dereg-pending", "unknown", "quarantine"};

	return names[s];
}

int lease_revoke(struct lease_engine *e, uint32_t idx, uint64_t gen) {
	(void)e;
	fake.revoked_idx = idx;
	fake.revoked_gen = gen;
	if (fake.revoke_rc == 0)
		fake.pairs[idx].state = LEASE_DEREG_PENDING;
	return fake.revoke_rc;
}

enum lease_hold lease_hold_of(const struct lease_engine *e, uint32_t idx) {
	(void)e;
	return fake.pairs[idx].state == LEASE_DEREG_PENDING ? LEASE_HOLD_SILENT : LEASE_HOLD_NONE;
}

const char *lease_hold_text(enum lease_hold hold) {
	return hold == LEASE_HOLD_SILENT ? "the core is silent" : "nothing";
}

int lease_release(struct lease_engine *e, uint32_t idx) {
	return fake.pairs[idx].state == LEASE_FREE ? RG_E_STALE
						   : lease_revoke(e, idx, fake.pairs[idx].gen);
}

int lease_import(struct lease_engine *e, uint16_t pool, const char *impi, const char *impu,
		 lease_import_fn *done, void *arg) {
	(void)e;
	(void)pool;
	(void)impu;
	(void)done;
	(void)arg;
	return strncmp(impi, "new", 3) == 0 ? RG_E_CONFLICT : LEASE_IS_THERE;
}

int lease_remove(struct lease_engine *e, uint16_t pool, const char *impi, const char *impu,
		 lease_import_fn *done, void *arg) {
	(void)e;
	(void)pool;
	(void)impu;
	(void)done;
	(void)arg;
	return strncmp(impi, "new", 3) == 0 ? -EBUSY : RG_E_STALE;
}

bool lease_is_removed(const struct lease_engine *e, uint32_t idx) {
	(void)e;
	(void)idx;
	return false;
}

int lease_set_suspect(struct lease_engine *e, uint32_t idx, enum lease_suspect cause) {
	(void)e;
	fake.pairs[idx].suspect = (uint8_t)cause;
	return 0;
}

const char *lease_suspect_name(enum lease_suspect cause) {
	return cause == LEASE_SUSPECT_NONE ? "none" : "operator";
}

int lease_await(struct lease_engine *e, uint32_t idx, struct lease_wait *w) {
	(void)e;
	(void)idx;
	(void)w;
	return 0;
}

void lease_await_cancel(struct lease_engine *e, uint32_t idx, struct lease_wait *w) {
	(void)e;
	(void)idx;
	(void)w;
}

int lease_pool_drain(struct lease_engine *e, uint16_t pool, bool is_draining, store_done_fn *done,
		     void *arg) {
	(void)e;
	(void)pool;
	(void)is_draining;
	(void)done;
	(void)arg;
	return -ENOSYS;
}

int store_history(struct store *s, const char *impi, store_history_fn *done, void *arg) {
	(void)s;
	(void)impi;
	(void)done;
	(void)arg;
	return -ENOSYS;
}

void lease_get_pool_stats(const struct lease_engine *e, uint16_t pool,
			  struct lease_pool_stats *out) {
	(void)e;
	*out = pool == 0 ? fake.pool : (struct lease_pool_stats){.next_free_ns = RG_NEVER};
}

void store_get_stats(const struct store *s, struct store_stats *out) {
	(void)s;
	*out = fake.store;
}

void store_get_info(struct store *s, struct store_info *out) {
	(void)s;
	*out = (struct store_info){.kind = "fake", .backup = {.file = ""}};
}

int store_backup(struct store *s, const char *file, bool is_forced) {
	(void)s;
	(void)file;
	(void)is_forced;
	return -ENOSYS;
}
