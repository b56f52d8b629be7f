// SPDX-License-Identifier: BSD-3-Clause
// A grant or a renewal on its way through password check, lease engine and store to the answer.
// Loop thread. A call owns itself: it is freed by its last completion, which finds w NULL when the
// WWSF has gone first. The client may be gone as well; the worker drops the answer then.
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"
#include "wwsf/wwsf_int.h"

#define RETRY_BUSY_S 5

struct wwsf_call {
	struct wwsf *w; // NULL = orphan
	struct wwsf_call *next, **link;
	struct wwsf_to to;
	struct lease_ask ask;
	char *sub;
	bool is_renewal;
	struct lease_wait wait;      // of an end
	unsigned status;             // of its answer
	struct rg_digest used;       // of a renewal
	uint64_t token_end_ns;       // of the token issued
	struct token_signer *signer; // of its key; NULL before
	struct quota_ticket ticket;
};

static void call_free(struct wwsf_call *c) {
	if (c->w != NULL) {
		*c->link = c->next;
		if (c->next != NULL)
			c->next->link = c->link;
	}
	token_signer_put(c->signer);
	free(c->sub);
	free(c);
}

void wwsf_call_orphan_all(struct wwsf *w) {
	for (struct wwsf_call *c = w->calls; c != NULL; c = c->next)
		c->w = NULL;
	w->calls = NULL;
}

// Seconds in UTC of a moment of the process's clock, rounded down: a token may only end early.
static int64_t utc_seconds(const struct env *e, uint64_t at_ns) {
	uint64_t now = env_now_ns(e);
	int64_t ms = env_wall_ms(e);

	ms += at_ns >= now ? (int64_t)((at_ns - now) / RG_NS_PER_MS) : 0;
	return ms / 1000;
}

static int call_issue(void *arg, const struct lease *l, uint64_t token_end_ns,
		      struct rg_wr *token) {
	struct wwsf_call *c = arg;
	struct wwsf *w = c->w;
	const struct token_key *key;
	struct token_claims claims;
	uint8_t jti[16];

	if (w == NULL)
		return -ECANCELED;
	claims = (struct token_claims){
		.iss = w->conf->token.issuer,
		.aud = w->conf->token.audience,
		.sub = l->sub,
		.impi = l->impi,
		.impu = l->impu,
		.wwsf = w->conf->wwsfs[l->wwsf].id,
		.pool = l->pool < w->conf->n_pools ? w->conf->pools[l->pool].name : "",
		.iat = env_wall_ms(w->env) / 1000,
		.nbf = env_wall_ms(w->env) / 1000,
		.exp = utc_seconds(w->env, token_end_ns),
		.idx = l->idx,
		.gen = l->gen,
		.scenario = l->scenario,
	};
	c->token_end_ns = token_end_ns;
	env_random(w->env, jti, sizeof(jti));
	key = token_keys_signer(w->keys);
	token_signer_put(c->signer); // of a pair that another gateway took first
	c->signer = token_signer_get(key);
	return c->signer == NULL ? -ENOMEM : token_prepare(key, &claims, jti, token);
}

// Any thread.
static int call_sign(void *arg, struct rg_wr *token) {
	const struct wwsf_call *c = arg;

	return token_sign(c->signer, token);
}

static json_t *lease_json(const struct wwsf_call *c, const struct lease *l, struct rg_slice token) {
	const struct conf *conf = c->w->conf;
	uint64_t now = env_now_ns(c->w->env);
	uint64_t left_s = c->token_end_ns > now ? (c->token_end_ns - now) / RG_NS_PER_S : 0;
	json_t *wss = json_array();

	for (size_t i = 0; i < conf->n_wss_urls; i++)
		if (json_array_append_new(wss, json_string(conf->wss_urls[i])) != 0) {
			json_decref(wss);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:s%, s:I, s:o, s:s, s:s+, s:I}", "impi", l->impi, "impu",
			 l->impu, "token", (const char *)token.p, token.len, "expires_in",
			 (json_int_t)left_s, "wss", wss, "realm", conf->reg.domain, "registrar",
			 "sip:", conf->reg.domain, "max_reg_expires", (json_int_t)conf->reg.max_s);
}

static void call_refused(struct wwsf_call *c, int rc) {
	struct wwsf *w = c->w;
	struct lease_pool_stats stats;

	if (rc == RG_E_EXHAUSTED && !c->ask.is_account) {
		lease_get_pool_stats(w->leases, c->ask.pool, &stats);
		wwsf_refuse_short(w, &c->to, QUOTA_DRY, stats.next_free_ns);
	} else if (rc == RG_E_EXHAUSTED) { // the account's own pair, which is being given back
		wwsf_refuse_later(w, &c->to, 409, RETRY_BUSY_S, "ending",
				  "The last session is still being ended; ask again in a moment.");
	} else if (c->is_renewal && rc == RG_E_STALE) {
		wwsf_challenge(w, &c->to, true, "This lease has ended; ask for a new one.");
	} else {
		log_put(w->log, LOG_WARN, "wwsf.grant_failed", LOG_S("why", rg_strerror(rc)));
		wwsf_refuse_later(w, &c->to, 503, RETRY_BUSY_S, "unavailable",
				  "No lease can be given now; ask again later.");
	}
}

// Who got it: the engine's own line tells of the identity.
static void call_log(const struct wwsf_call *c, const struct lease *l) {
	char ip[64];
	struct rg_wr wr = rg_wr(ip, sizeof(ip));

	rg_put_ip(&wr, &c->to.peer);
	log_put(c->w->log, LOG_INFO, c->is_renewal ? "wwsf.renewed" : "wwsf.leased",
		LOG_U("lease", l->idx), LOG_U("gen", l->gen), LOG_S("sub", l->sub),
		LOG_B("peer", rg_wr_slice(&wr)));
}

static void call_done(void *arg, int rc, const struct lease *l, struct rg_slice token) {
	struct wwsf_call *c = arg;
	struct wwsf *w = c->w;

	if (w == NULL) {
		call_free(c);
		return;
	}
	quota_end(&c->ticket, l);
	if (rc != 0) {
		call_refused(c, rc);
	} else {
		w->stats.leases += !c->is_renewal;
		w->stats.refreshes += c->is_renewal;
		call_log(c, l);
		wwsf_answer(w, &c->to, c->is_renewal ? 200 : 201, "", lease_json(c, l, token));
	}
	call_free(c);
}

// NULL after the refusal was sent.
static struct wwsf_call *call_new(struct wwsf *w, const struct wwsf_to *to, const char *sub,
				  uint32_t life_s) {
	struct wwsf_call *c = calloc(1, sizeof(*c));
	char *copy = strdup(sub);

	if (c == NULL || copy == NULL) {
		free(c);
		free(copy);
		wwsf_refuse_later(w, to, 503, RETRY_BUSY_S, "unavailable",
				  "The gateway is out of memory; ask again later.");
		return NULL;
	}
	c->w = w;
	c->to = *to;
	c->sub = copy;
	c->ask = (struct lease_ask){
		.sub = copy,
		.token_life_ns = life_s * RG_NS_PER_S,
		.issue = call_issue,
		.sign = call_sign,
		.done = call_done,
		.arg = c,
		.digester = w->digester,
	};
	c->next = w->calls;
	c->link = &w->calls;
	if (c->next != NULL)
		c->next->link = &c->next;
	w->calls = c;
	return c;
}

void wwsf_call_anonymous(struct wwsf *w, const struct wwsf_to *to, uint16_t pool) {
	char sub[32];
	struct rg_wr s = rg_wr(sub, sizeof(sub));
	struct quota_ticket ticket;
	enum quota_verdict verdict;
	struct wwsf_call *c;
	uint64_t retry_ns;
	uint8_t id[8];

	verdict = quota_take(w->quota, &to->peer, pool, &ticket, &retry_ns);
	if (verdict != QUOTA_OK) {
		wwsf_refuse_short(w, to, verdict, retry_ns);
		return;
	}
	env_random(w->env, id, sizeof(id));
	rg_puts(&s, "anon-");
	rg_put_hex(&s, rg_slice(id, sizeof(id)));
	rg_put_be(&s, 0, 1);
	c = call_new(w, to, sub, w->conf->token.anonymous_life_s);
	if (c == NULL) {
		quota_end(&ticket, NULL);
		return;
	}
	c->ticket = ticket;
	c->ask.pool = pool;
	lease_grant(w->leases, &c->ask);
}

static void call_checked(void *arg, const struct account *a) {
	struct wwsf_call *c = arg;

	if (c->w == NULL) {
		call_free(c);
	} else if (a == NULL) {
		wwsf_challenge(c->w, &c->to, false, "Check the account and its password.");
		call_free(c);
	} else {
		c->ask.sub = a->user; // as provisioned; lives as long as the WWSF
		lease_grant(c->w->leases, &c->ask);
	}
}

void wwsf_call_account(struct wwsf *w, const struct wwsf_to *to, const char *account,
		       const char *password) {
	struct wwsf_call *c = call_new(w, to, account, w->conf->token.life_s);

	if (c == NULL)
		return;
	c->ask.is_account = true;
	if (account_check(w->accounts, rg_str(account), rg_str(password), call_checked, c) != 0) {
		wwsf_refuse_later(w, to, 503, 1, "busy",
				  "Too many log-ins are waiting; ask again in a moment.");
		call_free(c);
	}
}

static void call_ended(struct lease_wait *wait, int rc) {
	struct wwsf_call *c = (struct wwsf_call *)((char *)wait - offsetof(struct wwsf_call, wait));

	if (c->w != NULL && rc == 0) {
		c->w->stats.releases++;
		wwsf_answer(c->w, &c->to, c->status, "", json_pack("{s:s}", "state", "ending"));
	} else if (c->w != NULL) {
		wwsf_refuse_later(c->w, &c->to, 503, RETRY_BUSY_S, "unavailable",
				  "This cannot be recorded now; ask again later.");
	}
	call_free(c);
}

// Answered once it is on record: a crash does not give the token back.
void wwsf_call_end(struct wwsf *w, const struct wwsf_to *to, const struct lease *l,
		   unsigned status) {
	struct wwsf_call *c = call_new(w, to, l->sub, 0);
	uint32_t idx = l->idx;

	if (c == NULL)
		return;
	c->wait.done = call_ended;
	c->status = status;
	if (lease_revoke(w->leases, idx, l->gen) != 0) {
		wwsf_challenge(w, to, true, "This lease has ended; ask for a new one.");
		call_free(c);
	} else if (lease_await(w->leases, idx, &c->wait) == 0) {
		call_ended(&c->wait, 0);
	}
}

void wwsf_call_renew(struct wwsf *w, const struct wwsf_to *to, const struct lease *l,
		     const struct rg_digest *used) {
	struct wwsf_call *c = call_new(w, to, l->sub,
				       l->scenario == 2 ? w->conf->token.life_s
							: w->conf->token.anonymous_life_s);

	if (c == NULL)
		return;
	c->is_renewal = true;
	c->used = *used;
	c->ask.used = &c->used;
	c->ask.is_account = l->is_fixed;
	c->ask.pool = l->pool;
	lease_renew(w->leases, l->idx, l->gen, &c->ask);
}
