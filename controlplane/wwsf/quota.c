// SPDX-License-Identifier: BSD-3-Clause
// Sources in a hash table of a fixed size, each with its rate and its leases. One that has neither
// used up its burst nor any lease is forgotten. A full table lets new sources pass: the limit of
// the WWSF still holds.
#include "wwsf/quota.h"

#include <stdlib.h>

#include "regate/siphash.h"

#define N_CHAINS 16384
#define N_SOURCES (4 * N_CHAINS)
#define NO_SLOT UINT32_MAX

struct held { // a lease of a source; gen 0 = none, or not given yet
	uint64_t gen;
	uint32_t idx;
	bool is_used;
};

struct quota_source {
	struct quota_source *next; // of the chain
	uint8_t ip[16];            // IPv6: the /64, then zeroes
	uint64_t tat_ns;           // when its burst is whole again
	struct held *held;
	uint32_t n_held, room;
};

struct quota {
	const struct conf *conf;
	const struct env *env;
	const struct lease_engine *leases;
	uint8_t key[16];
	uint64_t *wwsf_tat_ns; // of each WWSF
	uint32_t n_sources;
	struct quota_source *chains[N_CHAINS];
};

struct quota *quota_new(const struct conf *conf, const struct env *env,
			const struct lease_engine *leases, const uint8_t key[static 16]) {
	struct quota *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->conf = conf;
	q->env = env;
	q->leases = leases;
	memcpy(q->key, key, sizeof(q->key));
	q->wwsf_tat_ns = calloc(conf->n_wwsfs + 1, sizeof(*q->wwsf_tat_ns));
	if (q->wwsf_tat_ns == NULL) {
		quota_free(q);
		return NULL;
	}
	return q;
}

static void source_free(struct quota *q, struct quota_source **at) {
	struct quota_source *s = *at;

	*at = s->next;
	q->n_sources--;
	free(s->held);
	free(s);
}

void quota_free(struct quota *q) {
	if (q == NULL)
		return;
	for (unsigned i = 0; i < N_CHAINS; i++)
		while (q->chains[i] != NULL)
			source_free(q, &q->chains[i]);
	free(q->wwsf_tat_ns);
	free(q);
}

// --- rate: a token bucket as the time at which it is full again

struct rate {
	uint64_t interval_ns; // 0 = no limit
	uint32_t burst;
};

static struct rate source_rate(const struct conf *c) {
	uint32_t n = c->quotas.source_rate;

	return (struct rate){n == 0 ? 0 : 60 * RG_NS_PER_S / n, c->quotas.source_burst};
}

static struct rate wwsf_rate(const struct conf *c) {
	uint32_t n = c->quotas.wwsf_rate;

	return (struct rate){n == 0 ? 0 : RG_NS_PER_S / n, c->quotas.wwsf_burst};
}

// From when on one more fits: now or earlier, it does.
static uint64_t fits_ns(struct rate r, uint64_t tat_ns) {
	uint64_t room_ns = r.interval_ns * (r.burst == 0 ? 0 : r.burst - 1);

	return tat_ns <= room_ns ? 0 : tat_ns - room_ns;
}

static void count(struct rate r, uint64_t *tat_ns, uint64_t now_ns) {
	*tat_ns = (*tat_ns > now_ns ? *tat_ns : now_ns) + r.interval_ns;
}

// --- sources

// Those that have ended make room.
static void drop_ended(const struct quota *q, struct quota_source *s) {
	for (uint32_t i = 0; i < s->room; i++) {
		struct held *h = &s->held[i];

		if (!h->is_used || h->gen == 0 || lease_get(q->leases, h->idx, h->gen) != NULL)
			continue;
		*h = (struct held){0};
		s->n_held--;
	}
}

// The source of this address, made if need be. NULL when there is no room for one more. Forgets those
// of its chain that are as good as new.
static struct quota_source *source_get(struct quota *q, const struct rg_addr *peer) {
	struct quota_source key = {0}, *s, *found = NULL, **at;
	uint64_t now_ns = env_now_ns(q->env);

	memcpy(key.ip, peer->ip, rg_addr_is_v4(peer) ? 16 : 8);
	at = &q->chains[rg_siphash(q->key, key.ip, sizeof(key.ip)) % N_CHAINS];
	while ((s = *at) != NULL) {
		if (memcmp(s->ip, key.ip, sizeof(key.ip)) == 0)
			found = s;
		else if (s->n_held > 0 && s->tat_ns <= now_ns)
			drop_ended(q, s);
		if (s != found && s->n_held == 0 && s->tat_ns <= now_ns)
			source_free(q, at);
		else
			at = &s->next;
	}
	if (found != NULL || q->n_sources == N_SOURCES)
		return found;
	s = malloc(sizeof(*s));
	if (s == NULL)
		return NULL;
	*s = key;
	*at = s;
	q->n_sources++;
	return s;
}

// A place for one more lease; NO_SLOT when the source has all it may have, or without memory.
static uint32_t slot_take(const struct quota *q, struct quota_source *s) {
	uint32_t max = q->conf->quotas.source_max, room = s->room == 0 ? 4 : 2 * s->room;
	struct held *held;

	if (s->n_held == s->room || s->n_held == max)
		drop_ended(q, s);
	if (s->n_held == max)
		return NO_SLOT;
	if (s->n_held == s->room) {
		held = realloc(s->held, room * sizeof(*held));
		if (held == NULL)
			return NO_SLOT;
		memset(held + s->room, 0, (room - s->room) * sizeof(*held));
		s->held = held;
		s->room = room;
	}
	for (uint32_t i = 0;; i++) {
		if (s->held[i].is_used)
			continue;
		s->held[i].is_used = true;
		s->n_held++;
		return i;
	}
}

// --- WWSFs and pools

static bool is_wwsf_full(const struct quota *q, uint16_t wwsf) {
	uint32_t max = q->conf->quotas.wwsf_max;
	uint64_t n = 0;

	for (size_t i = 0; max > 0 && i < q->conf->n_pools; i++) {
		struct lease_pool_stats st;

		if (q->conf->pools[i].wwsf != wwsf)
			continue;
		lease_get_pool_stats(q->leases, (uint16_t)i, &st);
		n += st.n_offered + st.n_registered;
	}
	return max > 0 && n >= max;
}

static bool is_reserved(const struct quota *q, uint16_t pool, uint64_t *retry_ns) {
	uint32_t share = q->conf->pools[pool].reserve; // percent
	struct lease_pool_stats st;

	lease_get_pool_stats(q->leases, pool, &st);
	*retry_ns = st.next_free_ns;
	return share > 0 && (uint64_t)st.n_free * 100 < (uint64_t)st.n_pairs * share + 100;
}

static enum quota_verdict take_source(struct quota *q, struct quota_source *s,
				      struct quota_ticket *t, uint64_t *retry_ns) {
	*retry_ns = fits_ns(source_rate(q->conf), s->tat_ns);
	if (q->conf->quotas.source_rate > 0 && *retry_ns > env_now_ns(q->env))
		return QUOTA_SOURCE;
	*retry_ns = RG_NEVER;
	if (q->conf->quotas.source_max == 0)
		return QUOTA_OK;
	t->slot = slot_take(q, s);
	if (t->slot == NO_SLOT)
		return QUOTA_SOURCE;
	t->source = s;
	return QUOTA_OK;
}

enum quota_verdict quota_take(struct quota *q, const struct rg_addr *peer, uint16_t pool,
			      struct quota_ticket *t, uint64_t *retry_ns) {
	uint16_t wwsf = q->conf->pools[pool].wwsf;
	uint64_t now_ns = env_now_ns(q->env);
	struct quota_source *s = NULL;

	*t = (struct quota_ticket){0};
	*retry_ns = fits_ns(wwsf_rate(q->conf), q->wwsf_tat_ns[wwsf]);
	if (q->conf->quotas.wwsf_rate > 0 && *retry_ns > now_ns)
		return QUOTA_WWSF;
	*retry_ns = RG_NEVER;
	if (is_wwsf_full(q, wwsf))
		return QUOTA_WWSF;
	if (is_reserved(q, pool, retry_ns))
		return QUOTA_RESERVE;
	if (q->conf->quotas.source_rate > 0 || q->conf->quotas.source_max > 0)
		s = source_get(q, peer);
	if (s != NULL && take_source(q, s, t, retry_ns) != QUOTA_OK)
		return QUOTA_SOURCE;
	// Only what is allowed counts: whoever asks in vain does not have to wait longer.
	if (s != NULL)
		count(source_rate(q->conf), &s->tat_ns, now_ns);
	count(wwsf_rate(q->conf), &q->wwsf_tat_ns[wwsf], now_ns);
	return QUOTA_OK;
}

void quota_end(struct quota_ticket *t, const struct lease *l) {
	struct quota_source *s = t->source;

	if (s == NULL)
		return;
	s->held[t->slot] = (struct held){.is_used = l != NULL};
	if (l != NULL) {
		s->held[t->slot].idx = l->idx;
		s->held[t->slot].gen = l->gen;
	} else {
		s->n_held--;
	}
	*t = (struct quota_ticket){0};
}
