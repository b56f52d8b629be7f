// SPDX-License-Identifier: BSD-3-Clause
// The tokens of other issuers (ims.md 2.5): verified with their keys on the crypto pool, or asked about.
#include "token/issuers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"
#include "regate/token.h"
#include "token/introspect.h"
#include "token/issuers_int.h"
#include "token/jws.h"

#define JOBS_MAX \
	16 // of one issuer, being verified or waiting for a fetch: there are others to serve
#define AGAINS_MAX 64  // of one issuer: tokens of leases, which nobody can make more of
#define ASKS_PER_S 100 // of one issuer, about what may be anybody's token

struct job {
	struct token_issuers *all; // NULL: they have gone
	struct job *prev, *next;
	struct issuer *issuer;
	bool is_again;                // of a lease's token
	struct set *set;              // NULL: waits for a fetch, or
	struct http_request *request; // for its issuer's word
	const struct jws_key *key;
	token_issuers_fn *done;
	void *arg;
	const char *iss, *aud;
	int64_t now_s;
	int rc;
	struct token_claims claims;
	size_t len;
	uint8_t token[];
};

// --- jobs

static void job_free(struct job *j) {
	token_claims_free(&j->claims);
	explicit_bzero(j->token, j->len);
	free(j);
}

static void job_unlink(struct job *j) {
	if (j->prev != NULL)
		j->prev->next = j->next;
	else
		j->all->jobs = j->next;
	if (j->next != NULL)
		j->next->prev = j->prev;
	if (j->is_again)
		j->issuer->n_agains--;
	else
		j->issuer->n_jobs--;
	j->all = NULL;
}

static void job_end(struct job *j, int rc) {
	job_unlink(j);
	j->done(j->arg, rc, j->issuer->cfg->wwsf_idx, rc == 0 ? &j->claims : NULL);
	job_free(j);
}

// In the crypto pool.
static void job_run(void *arg) {
	struct job *j = arg;
	const struct jwk_set one = {(struct jws_key *)j->key, 1};

	j->rc = token_verify(&one, rg_slice(j->token, j->len), j->iss, j->aud, j->now_s,
			     &j->claims);
}

static void job_done(void *arg) {
	struct job *j = arg;
	int rc = j->rc;

	j->claims.key = j->key->tag;
	issuer_set_put(j->set); // and j->key, perhaps
	if (j->all == NULL) {   // answered already
		job_free(j);
		return;
	}
	if (rc == 0 && strcmp(j->claims.wwsf, j->issuer->cfg->wwsf) != 0)
		rc = RG_E_AUTH;
	if (rc == 0 && !issuer_has_key(j->issuer, j->claims.key)) // withdrawn meanwhile
		rc = RG_E_STALE;
	if (rc == 0 && j->claims.exp > j->now_s + j->all->cfg.life_max_s)
		rc = RG_E_LIMIT;
	job_end(j, rc);
}

static const char *kid_of(const struct jws *jws) {
	return json_string_value(json_object_get(jws->header, "kid"));
}

// Off to the pool with the key that the token names. RG_E_STALE when there is none.
static int job_start(struct job *j) {
	struct jws jws;
	int rc = jws_parse(rg_slice(j->token, j->len), &jws);

	if (rc != 0)
		return RG_E_PROTO;
	j->set = kid_of(&jws) == NULL ? NULL : issuer_set_with(j->issuer, kid_of(&jws));
	if (j->set != NULL)
		j->key = jwk_set_find(&j->set->keys, kid_of(&jws));
	jws_close(&jws);
	if (j->set == NULL)
		return RG_E_STALE;
	j->now_s = env_wall_ms(j->all->env) / 1000;
	j->rc = -ECANCELED; // in case that run() never comes
	rc = env_work_soon(j->all->env, job_run, job_done, j);
	if (rc == 0)
		j->set->n_refs++;
	else
		j->set = NULL;
	return rc;
}

// Those that waited for the keys; one that still has none has none.
void issuer_wake_jobs(struct issuer *is) {
	struct job *next, *j = is->all->jobs;

	for (; j != NULL; j = next) {
		int rc;

		next = j->next; // done() may add jobs in front, and end none
		if (j->issuer != is || j->set != NULL)
			continue;
		rc = job_start(j);
		if (rc != 0)
			job_end(j, rc);
	}
}

// --- verification

static struct issuer *issuer_of_page(const struct token_issuers *s, uint16_t wwsf) {
	for (size_t i = 0; i < s->n_issuers; i++)
		if (s->issuers[i].cfg->wwsf_idx == wwsf &&
		    s->issuers[i].cfg->introspection_uri != NULL)
			return &s->issuers[i];
	return NULL;
}

uint32_t token_issuers_cache_s(const struct token_issuers *s, uint16_t wwsf) {
	const struct issuer *is = s == NULL ? NULL : issuer_of_page(s, wwsf);

	return is == NULL ? 0 : is->cfg->cache_s;
}

// By iss, which is believed only once the signature is; a token without one is its page's to judge.
static int find_issuer(const struct token_issuers *s, struct rg_slice token, uint16_t wwsf,
		       struct issuer **out) {
	struct jws jws;
	bool is_jws = jws_parse(token, &jws) == 0;
	json_t *claims = is_jws ? jws_parse_object(rg_slice(jws.payload, jws.payload_len)) : NULL;
	const char *iss = json_string_value(json_object_get(claims, "iss"));

	*out = iss == NULL ? issuer_of_page(s, wwsf) : NULL;
	for (size_t i = 0; iss != NULL && i < s->n_issuers; i++)
		if (strcmp(s->issuers[i].cfg->issuer, iss) == 0)
			*out = &s->issuers[i];
	json_decref(claims);
	if (is_jws)
		jws_close(&jws);
	if (*out != NULL)
		return 0;
	return is_jws ? RG_E_STALE : RG_E_PROTO;
}

// --- introspection

static void on_told(void *arg, const struct http_answer *a) {
	struct job *j = arg;
	const struct token_issuer_cfg *cfg = j->issuer->cfg;
	int rc = introspect_read(a, j->iss, j->aud, env_wall_ms(j->all->env) / 1000, cfg->cache_s,
				 &j->claims);

	j->request = NULL;
	if (rc == 0 && strcmp(j->claims.wwsf, cfg->wwsf) != 0)
		rc = RG_E_AUTH;
	if (rc != 0 && rc != RG_E_STALE)
		log_put(j->all->log, LOG_WARN, "token.introspection_failed",
			LOG_S("wwsf", cfg->wwsf), LOG_S("uri", cfg->introspection_uri),
			LOG_U("status", a->status),
			LOG_S("why", a->rc != 0         ? a->error
				     : a->status != 200 ? "not 200"
							: rg_strerror(rc)));
	job_end(j, rc);
}

static int job_ask(struct job *j) {
	const struct token_issuer_cfg *cfg = j->issuer->cfg;
	const struct introspect_ask ask = {cfg->introspection_uri, cfg->ca_file, cfg->authorization,
					   rg_slice(j->token, j->len)};

	return introspect_ask(j->all->http, &ask, on_told, j, &j->request);
}

// What anybody may send has slots of its own, and takes no more of the issuer than it can bear: it is to
// answer about the tokens of leases.
static bool may_begin(struct issuer *is, bool is_again) {
	uint64_t now_s = env_now_ns(is->all->env) / RG_NS_PER_S;

	if (is_again)
		return is->n_agains < AGAINS_MAX;
	if (is->n_jobs == JOBS_MAX)
		return false;
	if (is->cfg->introspection_uri == NULL)
		return true;
	if (is->asks_s != now_s)
		is->n_asks = 0;
	is->asks_s = now_s;
	return is->n_asks++ < ASKS_PER_S;
}

static struct job *job_new(struct issuer *is, struct rg_slice token, bool is_again) {
	struct token_issuers *s = is->all;
	struct job *j = calloc(1, sizeof(*j) + token.len);

	if (j == NULL)
		return NULL;
	j->all = s;
	j->issuer = is;
	j->iss = is->cfg->issuer;
	j->aud = s->cfg.audience;
	j->len = token.len;
	memcpy(j->token, token.p, token.len);
	j->next = s->jobs;
	if (j->next != NULL)
		j->next->prev = j;
	s->jobs = j;
	j->is_again = is_again;
	if (is_again)
		is->n_agains++;
	else
		is->n_jobs++;
	return j;
}

// 0: j goes on by itself.
static int job_begin(struct job *j) {
	struct issuer *is = j->issuer;
	int rc;

	if (is->cfg->introspection_uri != NULL)
		return job_ask(j);
	rc = job_start(j);
	if (rc == RG_E_STALE && issuer_keys_are_coming(is))
		return 0; // waits
	return rc;
}

static int verify(struct token_issuers *s, struct rg_slice token, uint16_t wwsf, bool is_again,
		  token_issuers_fn *done, void *arg) {
	struct issuer *is;
	struct job *j;
	int rc = find_issuer(s, token, wwsf, &is);

	if (rc != 0)
		return rc;
	if (token.len > RG_TOKEN_MAX)
		return RG_E_PROTO;
	if (!may_begin(is, is_again))
		return -EAGAIN;
	j = job_new(is, token, is_again);
	if (j == NULL)
		return -ENOMEM;
	j->done = done;
	j->arg = arg;
	rc = job_begin(j);
	if (rc != 0) {
		job_unlink(j);
		job_free(j);
	}
	return rc;
}

int token_issuers_verify(struct token_issuers *s, struct rg_slice token, uint16_t wwsf,
			 token_issuers_fn *done, void *arg) {
	return verify(s, token, wwsf, false, done, arg);
}

int token_issuers_verify_again(struct token_issuers *s, struct rg_slice token, uint16_t wwsf,
			       token_issuers_fn *done, void *arg) {
	return verify(s, token, wwsf, true, done, arg);
}

// --- life

static int issuer_init(struct token_issuers *s, const struct token_issuer_cfg *cfg, char *err,
		       size_t err_len) {
	struct issuer *is = &s->issuers[s->n_issuers++];

	is->cfg = cfg;
	is->all = s;
	return cfg->introspection_uri != NULL ? 0 : issuer_keys_start(is, err, err_len);
}

struct token_issuers *token_issuers_new(const struct token_issuers_cfg *cfg,
					const struct token_issuer_cfg *list, size_t n,
					struct env *env, struct http_client *http, struct log *log,
					char *err, size_t err_len) {
	struct token_issuers *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	snprintf(err, err_len, "no memory");
	if (s == NULL)
		return NULL;
	*s = (struct token_issuers){.cfg = *cfg, .env = env, .http = http, .log = log};
	s->issuers = calloc(n + 1, sizeof(*s->issuers));
	if (s->issuers != NULL)
		rc = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = issuer_init(s, &list[i], err, err_len);
	if (rc == 0)
		return s;
	token_issuers_free(s);
	return NULL;
}

// All of them end together: none is unlinked.
static void cancel_job(struct job *j) {
	bool is_in_pool = j->set != NULL;

	j->all = NULL;
	if (j->request != NULL)
		http_request_cancel(j->request);
	j->done(j->arg, -ECANCELED, j->issuer->cfg->wwsf_idx, NULL);
	if (!is_in_pool)
		job_free(j); // else job_done() does
}

void token_issuers_free(struct token_issuers *s) {
	if (s == NULL)
		return;
	for (struct job *next, *j = s->jobs; j != NULL; j = next) {
		next = j->next;
		cancel_job(j);
	}
	for (size_t i = 0; i < s->n_issuers; i++)
		issuer_keys_stop(&s->issuers[i]);
	free(s->issuers);
	free(s);
}
