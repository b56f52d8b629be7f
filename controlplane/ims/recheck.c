// SPDX-License-Identifier: BSD-3-Clause
// Tokens that their issuer was asked about (RFC 7662): its word holds for a while, and at half of it the
// issuer is asked again, so that the client need not come. What it withdrew ends at once, and the lease
// with its last token; while it cannot be asked the word runs out. Such a token is in memory for as long.
// Control loop.
#include <stdlib.h>

#include "ims/b2bua.h"
#include "lease/adopt.h"
#include "regate/err.h"

#define RETRY_NS (10 * RG_NS_PER_S) // on average: not all at once again

struct recheck {
	struct env_timer timer; // first
	struct ims *ims;        // NULL: it has gone
	struct recheck *next, **link;
	struct rg_digest digest;
	uint32_t idx;
	uint64_t gen;
	uint16_t wwsf;
	bool is_asking; // the issuer's or the lease engine's answer comes
	size_t len;
	uint8_t token[];
};

static struct recheck **bucket(struct ims *ims, const struct rg_digest *d) {
	return &ims->rechecks[d->b[0] | (d->b[1] & 3) << 8];
}

static void recheck_free(struct recheck *c) {
	if (c->ims != NULL) {
		env_timer_cancel(c->ims->env, &c->timer);
		*c->link = c->next;
		if (c->next != NULL)
			c->next->link = c->link;
	}
	explicit_bzero(c->token, c->len);
	free(c);
}

void recheck_free_all(struct ims *ims) {
	struct recheck *c;

	for (size_t i = 0; i < IMS_RECHECKS; i++)
		while ((c = ims->rechecks[i]) != NULL) {
			bool is_asking = c->is_asking;

			env_timer_cancel(ims->env, &c->timer);
			ims->rechecks[i] = c->next;
			c->ims = NULL;
			if (!is_asking)
				recheck_free(c);
		}
}

// When the token's word ends; 0: no lease has it any more.
static uint64_t end_of(const struct recheck *c) {
	const struct lease *l = lease_get(c->ims->leases, c->idx, c->gen);

	for (unsigned i = 0; l != NULL && i < STORE_TOKENS; i++)
		if (l->tokens[i].end_ns > env_now_ns(c->ims->env) &&
		    memcmp(&l->tokens[i].digest, &c->digest, sizeof(c->digest)) == 0)
			return l->tokens[i].end_ns;
	return 0;
}

static uint64_t half_ns(const struct recheck *c) {
	return token_issuers_cache_s(c->ims->issuers, c->wwsf) * RG_NS_PER_S / 2;
}

static void retry(struct recheck *c) {
	struct env *env = c->ims->env;
	uint64_t some;

	if (end_of(c) == 0) {
		recheck_free(c);
		return;
	}
	env_random(env, &some, sizeof(some));
	env_timer_set(env, &c->timer, env_now_ns(env) + RETRY_NS / 2 + some % RETRY_NS);
}

// Towards the token's own end there is nothing more to ask.
static void go_on(struct recheck *c) {
	uint64_t end_ns = end_of(c), now_ns = env_now_ns(c->ims->env);

	if (end_ns <= now_ns + half_ns(c))
		recheck_free(c);
	else
		env_timer_set(c->ims->env, &c->timer, end_ns - half_ns(c));
}

static int write_token(void *arg, const struct lease *, uint64_t, struct rg_wr *w) {
	const struct recheck *c = arg;

	rg_put(w, rg_slice(c->token, c->len));
	return 0;
}

static void on_adopted(void *arg, int rc, const struct lease *, struct rg_slice) {
	struct recheck *c = arg;

	c->is_asking = false;
	if (c->ims == NULL)
		recheck_free(c);
	else if (rc == 0)
		go_on(c);
	else
		retry(c);
}

static void prolong(struct recheck *c, const struct token_claims *k) {
	struct ims *ims = c->ims;
	int64_t left_ms = k->exp * 1000 - env_wall_ms(ims->env);
	const struct lease_adoption a = {c->wwsf, k->pool, k->impi, k->impu, k->gen, k->scenario};
	const struct lease_ask ask = {
		.sub = k->sub,
		.token_end_ns = env_now_ns(ims->env) +
				(left_ms <= 0 ? 0 : (uint64_t)left_ms * RG_NS_PER_MS),
		.issue = write_token,
		.done = on_adopted,
		.arg = c,
		.digester = ims->digester,
	};

	c->is_asking = true;
	lease_adopt(ims->leases, &a, &ask);
}

static void withdrawn(struct recheck *c, int rc) {
	log_put(c->ims->log, LOG_INFO, "ims.token_withdrawn", LOG_U("lease", c->idx),
		LOG_U("gen", c->gen), LOG_S("why", rg_strerror(rc)));
	lease_end_token(c->ims->leases, c->idx, c->gen, &c->digest);
	recheck_free(c);
}

static void on_told(void *arg, int rc, uint16_t, const struct token_claims *k) {
	struct recheck *c = arg;
	const struct lease *l;

	c->is_asking = false;
	if (c->ims == NULL) {
		recheck_free(c);
		return;
	}
	l = lease_get(c->ims->leases, c->idx, c->gen);
	if (rc == 0 && (l == NULL || k->gen != c->gen || strcmp(k->impi, l->impi) != 0))
		rc = RG_E_AUTH; // it is another lease's now
	switch (rc) {
	case 0:
		prolong(c, k);
		break;
	case RG_E_STALE: // not active
	case RG_E_AUTH:
	case RG_E_EXPIRED:
		withdrawn(c, rc);
		break;
	default:
		retry(c);
	}
}

static void on_time(struct env_timer *t, uint64_t) {
	struct recheck *c = (struct recheck *)t;

	if (end_of(c) == 0) {
		recheck_free(c);
		return;
	}
	c->is_asking = true;
	if (token_issuers_verify_again(c->ims->issuers, rg_slice(c->token, c->len), c->wwsf,
				       on_told, c) == 0)
		return;
	c->is_asking = false;
	retry(c);
}

void recheck_see(struct ims *ims, const struct request *r, const struct lease *l) {
	struct rg_slice token = r->reg.bearer;
	struct recheck *c, **list = bucket(ims, &r->punt.digest);
	uint64_t end_ns;

	if (r->reg.n_bearer == 0 || token_issuers_cache_s(ims->issuers, l->wwsf) == 0)
		return;
	for (c = *list; c != NULL; c = c->next)
		if (memcmp(&c->digest, &r->punt.digest, sizeof(c->digest)) == 0)
			return;
	c = calloc(1, sizeof(*c) + token.len);
	if (c == NULL)
		return; // its word runs out
	*c = (struct recheck){.timer.fn = on_time,
			      .ims = ims,
			      .next = *list,
			      .link = list,
			      .digest = r->punt.digest,
			      .idx = l->idx,
			      .gen = l->gen,
			      .wwsf = l->wwsf,
			      .len = token.len};
	memcpy(c->token, token.p, token.len);
	if (c->next != NULL)
		c->next->link = &c->next;
	*list = c;
	end_ns = end_of(c);
	env_timer_set(ims->env, &c->timer, end_ns > half_ns(c) ? end_ns - half_ns(c) : 0);
}
