// SPDX-License-Identifier: BSD-3-Clause
// A token that no lease has: perhaps one of a WWSF that signs its own. Verified on the crypto pool, then
// made a lease, then the REGISTER is judged like any other. Control loop.
#include <errno.h>
#include <stdlib.h>

#include "ims/b2bua.h"
#include "lease/adopt.h"
#include "regate/err.h"

#define BUSY_S 1
#define TAKEN_S 5 // until the pair may be free
#define REFUSED_NS \
	(5 * RG_NS_PER_S) // RFC 7662 4: a client that tries again costs the issuer nothing

struct sight {
	struct ims *ims; // NULL: it has gone, and r with it
	struct sight *prev, *next;
	struct request *r;
	uint16_t wwsf;
	bool is_adopting; // in the lease engine's hands
	bool is_waiting;  // for another with the same token, which is
};

static void sight_unlink(struct sight *s) {
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		s->ims->sights = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
}

// What is under way ends with s, too. The request goes on with whoever called.
static struct request *sight_end(struct sight *s) {
	struct request *r = s->r;

	if (s->ims != NULL)
		sight_unlink(s);
	free(s);
	return r;
}

void sight_orphan_all(struct ims *ims) {
	struct sight *next;

	for (struct sight *s = ims->sights; s != NULL; s = next) {
		next = s->next;
		free(s->r);
		s->ims = NULL;
		s->r = NULL;
		if (s->is_waiting) // only its first would call it
			free(s);
	}
	ims->sights = NULL;
}

static enum kpi_token kpi_of(int rc) {
	switch (rc) {
	case RG_E_PROTO:
	case RG_E_LIMIT:
		return KPI_TOKEN_MALFORMED;
	case RG_E_STALE:
		return KPI_TOKEN_INACTIVE;
	case RG_E_EXPIRED:
		return KPI_TOKEN_ENDED;
	case RG_E_AUTH:
		return KPI_TOKEN_FORGED;
	case RG_E_EXHAUSTED:
		return KPI_TOKEN_TAKEN;
	default:
		return rc == 0 ? KPI_TOKEN_OK : KPI_TOKEN_UNJUDGED;
	}
}

static void refuse(struct ims *ims, struct request *r, int rc) {
	ims->kpi.token[kpi_of(rc)]++;
	log_put(ims->log, LOG_INFO, "ims.token_refused", LOG_B("impu", r->reg.to_uri),
		LOG_S("why", rg_strerror(rc)));
	switch (rc) {
	case RG_E_PROTO:
	case RG_E_STALE:
	case RG_E_EXPIRED:
	case RG_E_LIMIT:
	case RG_E_AUTH:
		reply_challenge(ims, r, "invalid_token");
		break;
	case RG_E_EXHAUSTED: // the WWSF was too early (INV-4)
		reply_later(ims, r, 500, TAKEN_S);
		break;
	default:
		reply_later(ims, r, 503, BUSY_S);
	}
}

static int write_token(void *arg, const struct lease *, uint64_t, struct rg_wr *w) {
	struct sight *s = arg;

	if (s->ims == NULL)
		return -ECANCELED;
	rg_put(w, s->r->reg.bearer);
	return 0;
}

static void answer(struct ims *ims, struct request *r, int rc) {
	if (rc == 0) {
		ims->kpi.token[KPI_TOKEN_OK]++;
		b2bua_serve(ims, r);
	} else if (rc == RG_E_AUTH) { // ims.md 1.3: not its pair (REQ 3.2)
		ims->kpi.token[KPI_TOKEN_FORGED]++;
		log_put(ims->log, LOG_WARN, "ims.forbidden", LOG_B("to", r->reg.to_uri),
			LOG_S("why", "the WWSF has no such pair in that pool"));
		reply_status(ims, r, 403, rg_slice(NULL, 0));
	} else {
		refuse(ims, r, rc);
	}
}

static bool is_same_token(const struct request *a, const struct request *b) {
	return memcmp(&a->punt.digest, &b->punt.digest, sizeof(a->punt.digest)) == 0;
}

// The next that waits for the token of r.
static struct sight *waiting_for(const struct ims *ims, const struct request *r) {
	struct sight *s = ims->sights;

	while (s != NULL && !(s->is_waiting && is_same_token(s->r, r)))
		s = s->next;
	return s;
}

static void on_adopted(void *arg, int rc, const struct lease *, struct rg_slice) {
	struct sight *other, *s = arg;
	struct ims *ims = s->ims;
	struct request *r = sight_end(s);

	if (ims == NULL)
		return;
	while ((other = waiting_for(ims, r)) != NULL)
		answer(ims, sight_end(other), rc);
	answer(ims, r, rc);
}

// Is the token of r on its way into the lease engine?
static bool is_adopting(const struct ims *ims, const struct request *r) {
	for (const struct sight *s = ims->sights; s != NULL; s = s->next)
		if (s->is_adopting && is_same_token(s->r, r))
			return true;
	return false;
}

static void adopt(struct sight *s, const struct token_claims *c) {
	struct ims *ims = s->ims;
	int64_t left_ms = c->exp * 1000 - env_wall_ms(ims->env);
	const struct lease_adoption a = {s->wwsf, c->pool, c->impi, c->impu, c->gen, c->scenario};
	const struct lease_ask ask = {
		.sub = c->sub,
		.token_end_ns = env_now_ns(ims->env) +
				(left_ms <= 0 ? 0 : (uint64_t)left_ms * RG_NS_PER_MS),
		.issue = write_token,
		.done = on_adopted,
		.arg = s,
		.digester = ims->digester,
		.key = c->key,
	};

	s->is_adopting = true;
	lease_adopt(ims->leases, &a, &ask);
}

// Where it is, or in whose place it would be.
static struct ims_refusal *refusal_of(struct ims *ims, const struct request *r) {
	const uint8_t *b = r->punt.digest.b; // keyed: nobody aims at another's place

	return &ims->refusals[(b[0] << 8 | b[1]) % IMS_REFUSALS];
}

static bool is_refused(struct ims *ims, const struct request *r) {
	const struct ims_refusal *f = refusal_of(ims, r);

	return f->until_ns > env_now_ns(ims->env) && f->wwsf == r->punt.wwsf &&
	       memcmp(&f->digest, &r->punt.digest, sizeof(f->digest)) == 0;
}

static void keep_refusal(struct ims *ims, const struct request *r) {
	*refusal_of(ims, r) = (struct ims_refusal){r->punt.digest, r->punt.wwsf,
						   env_now_ns(ims->env) + REFUSED_NS};
}

static void on_verified(void *arg, int rc, uint16_t wwsf, const struct token_claims *c) {
	struct sight *s = arg;
	struct ims *ims = s->ims;
	struct request *r = s->r;

	if (ims == NULL) {
		sight_end(s);
		return;
	}
	s->wwsf = wwsf;
	if (rc == RG_E_STALE && token_issuers_cache_s(ims->issuers, wwsf) > 0)
		keep_refusal(ims, r);
	if (rc != 0) {
		refuse(ims, sight_end(s), rc);
	} else if (b2bua_is_foreign_page(ims, r, wwsf)) {
		log_put(ims->log, LOG_WARN, "ims.forbidden", LOG_B("to", r->reg.to_uri),
			LOG_S("why", "token of another WWSF"));
		reply_status(ims, sight_end(s), 403, rg_slice(NULL, 0));
	} else if (lease_by_digest(ims->leases, &r->punt.digest) != NULL) {
		b2bua_serve(ims, sight_end(s)); // meanwhile one by another REGISTER
	} else if (is_adopting(ims, r)) {
		s->is_waiting = true;
	} else {
		adopt(s, c);
	}
}

bool sight_begin(struct ims *ims, struct request *r) {
	struct sight *s;
	int rc;

	if (ims->issuers == NULL || r->did_see || !r->punt.has_digest || is_refused(ims, r))
		return false;
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		reply_later(ims, r, 503, BUSY_S);
		return true;
	}
	s->ims = ims;
	s->r = r;
	s->next = ims->sights;
	if (s->next != NULL)
		s->next->prev = s;
	ims->sights = s;
	r->did_see = true;
	rc = token_issuers_verify(ims->issuers, r->reg.bearer, r->punt.wwsf, on_verified, s);
	if (rc == 0)
		return true;
	sight_end(s);
	if (rc != -EAGAIN && rc != -ENOMEM)
		return false;
	reply_later(ims, r, 503, BUSY_S);
	return true;
}
