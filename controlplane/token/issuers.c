// SPDX-License-Identifier: BSD-3-Clause
// Key sets of other issuers (ims.md 2.5) and the verification of their tokens. A set is immutable and
// counted: a job in the crypto pool holds the one that it verifies with, whatever is fetched meanwhile.
#include "token/issuers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"
#include "regate/token.h"
#include "token/introspect.h"
#include "token/jwk.h"
#include "token/jws.h"

#define SETS_MAX 16 // the newest, and those before it
#define JOBS_MAX \
	16 // of one issuer, being verified or waiting for a fetch: there are others to serve
#define BODY_MAX 65536
#define FETCH_TIMEOUT_MS 10000

struct set {
	unsigned n_refs; // loop only
	struct jwk_set keys;
	struct rg_slice text; // ours, to see whether it has changed
	uint64_t until_ns;    // RG_NEVER: the newest
};

struct issuer {
	const struct token_issuer_cfg *cfg;
	struct token_issuers *all;
	struct set *sets[SETS_MAX]; // newest first
	size_t n_sets;
	struct http_request *fetch; // NULL = none under way
	struct parse *parse;        // the same, of what was fetched
	uint64_t fetched_ns;        // when the last one began; 0 = never
	struct env_timer poll;
	unsigned n_jobs;
	bool is_forgetting; // with the next good set
};

struct parse {                 // of a set, in the crypto pool: an RSA key takes 20 ms to check
	struct issuer *issuer; // NULL: it has gone
	struct set *set;
	char why[256];
	size_t len;
	char text[];
};

struct job {
	struct token_issuers *all; // NULL: they have gone
	struct job *prev, *next;
	struct issuer *issuer;
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

struct token_issuers {
	struct token_issuers_cfg cfg;
	struct env *env;
	struct http_client *http;
	struct log *log;
	struct issuer *issuers;
	size_t n_issuers;
	struct job *jobs;
};

// --- key sets

static void set_put(struct set *s) {
	if (s == NULL || --s->n_refs > 0)
		return;
	jwk_set_fini(&s->keys);
	free((void *)s->text.p);
	free(s);
}

static struct set *set_new(struct rg_slice text, bool may_be_secret, char *err, size_t err_len) {
	struct set *s = calloc(1, sizeof(*s));
	char *copy = malloc(text.len + 1);

	snprintf(err, err_len, "no memory");
	if (s != NULL && copy != NULL &&
	    jwk_set_parse(text, may_be_secret, &s->keys, err, err_len) == 0) {
		memcpy(copy, text.p, text.len);
		s->text = rg_slice(copy, text.len);
		s->n_refs = 1;
		s->until_ns = RG_NEVER;
		return s;
	}
	free(copy);
	free(s);
	return NULL;
}

// The set before stays for what its keys have signed already (ims.md 2.5).
static void set_newest(struct issuer *is, struct set *s) {
	uint64_t now_ns = env_now_ns(is->all->env);

	if (is->n_sets > 0)
		is->sets[0]->until_ns = now_ns + is->all->cfg.life_max_s * RG_NS_PER_S;
	while (is->n_sets > 0 &&
	       (is->n_sets == SETS_MAX || is->sets[is->n_sets - 1]->until_ns <= now_ns))
		set_put(is->sets[--is->n_sets]);
	for (size_t i = is->n_sets; i > 0; i--)
		is->sets[i] = is->sets[i - 1];
	is->sets[0] = s;
	is->n_sets++;
	log_put(is->all->log, LOG_INFO, "token.keys_fetched", LOG_S("wwsf", is->cfg->wwsf),
		LOG_U("keys", s->keys.n));
}

static bool has_tag(const struct set *s, uint64_t tag) {
	for (size_t i = 0; i < s->keys.n; i++)
		if (s->keys.keys[i].tag == tag)
			return true;
	return false;
}

// All but the newest set, and whatever only they had.
static void forget_old(struct issuer *is) {
	const struct token_issuers_cfg *cfg = &is->all->cfg;
	uint64_t tags[SETS_MAX * JWK_SET_MAX];
	size_t n = 0;

	is->is_forgetting = false;
	while (is->n_sets > 1) {
		struct set *old = is->sets[--is->n_sets];

		for (size_t i = 0; i < old->keys.n; i++)
			if (!has_tag(is->sets[0], old->keys.keys[i].tag))
				tags[n++] = old->keys.keys[i].tag;
		set_put(old);
	}
	log_put(is->all->log, LOG_INFO, "token.keys_forgotten", LOG_S("wwsf", is->cfg->wwsf),
		LOG_U("keys", n));
	if (n > 0 && cfg->gone != NULL)
		cfg->gone(cfg->arg, is->cfg->wwsf_idx, tags, n);
}

static struct set *set_with(const struct issuer *is, const char *kid) {
	uint64_t now_ns = env_now_ns(is->all->env);

	for (size_t i = 0; i < is->n_sets; i++)
		if (is->sets[i]->until_ns > now_ns && jwk_set_find(&is->sets[i]->keys, kid) != NULL)
			return is->sets[i];
	return NULL;
}

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
	set_put(j->set);
	if (j->all == NULL) { // answered already
		job_free(j);
		return;
	}
	if (rc == 0 && strcmp(j->claims.wwsf, j->issuer->cfg->wwsf) != 0)
		rc = RG_E_AUTH;
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
	j->set = kid_of(&jws) == NULL ? NULL : set_with(j->issuer, kid_of(&jws));
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

// --- fetching

// Those that waited for the keys; one that still has none has none.
static void wake_jobs(struct issuer *is) {
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

static void fetched(struct issuer *is, bool is_good) {
	const struct token_issuers *all = is->all;

	if (is_good && is->is_forgetting)
		forget_old(is);
	env_timer_set(all->env, &is->poll,
		      env_now_ns(all->env) + (is_good ? all->cfg.poll_ns : all->cfg.refetch_ns));
	wake_jobs(is);
}

static void parse_run(void *arg) {
	struct parse *p = arg;

	p->set = set_new(rg_slice(p->text, p->len), false, p->why, sizeof(p->why));
}

static void parse_done(void *arg) {
	struct parse *p = arg;
	struct issuer *is = p->issuer;
	bool is_good = p->set != NULL;

	if (is == NULL) {
		set_put(p->set);
		free(p);
		return;
	}
	is->parse = NULL;
	if (is_good)
		set_newest(is, p->set);
	else
		log_put(is->all->log, LOG_ERROR, "token.keys_refused", LOG_S("wwsf", is->cfg->wwsf),
			LOG_S("uri", is->cfg->jwks_uri), LOG_S("why", p->why));
	free(p);
	fetched(is, is_good);
}

static int parse_begin(struct issuer *is, struct rg_slice text) {
	struct parse *p = malloc(sizeof(*p) + text.len);
	int rc;

	if (p == NULL)
		return -ENOMEM;
	*p = (struct parse){.issuer = is, .why = "the gateway ends", .len = text.len};
	memcpy(p->text, text.p, text.len);
	rc = env_work(is->all->env, parse_run, parse_done, p);
	if (rc == 0)
		is->parse = p;
	else
		free(p);
	return rc;
}

static void on_fetched(void *arg, const struct http_answer *a) {
	struct issuer *is = arg;
	struct token_issuers *all = is->all;
	bool is_good = a->rc == 0 && a->status == 200;

	is->fetch = NULL;
	if (!is_good)
		log_put(all->log, LOG_WARN, "token.keys_unreachable", LOG_S("wwsf", is->cfg->wwsf),
			LOG_S("uri", is->cfg->jwks_uri), LOG_U("status", a->status),
			LOG_S("why", a->rc == 0 ? "not 200" : a->error));
	else if (is->n_sets == 0 || !rg_eq(a->body, is->sets[0]->text))
		is_good = parse_begin(is, a->body) == 0;
	if (is->parse == NULL)
		fetched(is, is_good);
}

static int fetch(struct issuer *is) {
	static const char *headers[] = {"Accept: application/json", NULL};
	struct token_issuers *all = is->all;
	const struct http_ask ask = {
		.method = "GET",
		.url = is->cfg->jwks_uri,
		.headers = headers,
		.ca_file = is->cfg->ca_file,
		.timeout_ms = FETCH_TIMEOUT_MS,
		.max_body = BODY_MAX,
		.done = on_fetched,
		.arg = is,
	};

	is->fetched_ns = env_now_ns(all->env);
	return http_client_ask(all->http, &ask, &is->fetch);
}

static void on_poll(struct env_timer *t, uint64_t now_ns) {
	struct issuer *is = (struct issuer *)((char *)t - offsetof(struct issuer, poll));

	if (is->fetch == NULL && is->parse == NULL && fetch(is) != 0)
		env_timer_set(is->all->env, t, now_ns + is->all->cfg.refetch_ns);
}

void token_issuers_forget(struct token_issuers *s) {
	for (size_t i = 0; i < s->n_issuers; i++) {
		struct issuer *is = &s->issuers[i];

		if (is->cfg->introspection_uri != NULL)
			continue;
		if (is->cfg->jwks_uri == NULL) {
			forget_old(is);
			continue;
		}
		is->is_forgetting = true;
		if (is->fetch != NULL) // of before
			http_request_cancel(is->fetch);
		if (is->parse != NULL)
			is->parse->issuer = NULL;
		is->fetch = NULL;
		is->parse = NULL;
		env_timer_set(s->env, &is->poll, env_now_ns(s->env));
	}
}

int token_issuers_give(struct token_issuers *s, uint16_t wwsf, struct rg_slice keys, char *err,
		       size_t err_len) {
	struct set *set = set_new(keys, true, err, err_len);

	if (set == NULL)
		return RG_E_PROTO;
	for (size_t i = 0; i < s->n_issuers; i++)
		if (s->issuers[i].cfg->wwsf_idx == wwsf) {
			set_newest(&s->issuers[i], set);
			return 0;
		}
	set_put(set);
	return RG_E_STALE;
}

// For a key that nobody has heard of: at most once in a while, or anybody could have us flood a WWSF.
static bool may_fetch(const struct issuer *is) {
	return is->cfg->jwks_uri != NULL &&
	       (is->fetched_ns == 0 ||
		env_now_ns(is->all->env) - is->fetched_ns >= is->all->cfg.refetch_ns);
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

static struct job *job_new(struct token_issuers *s, struct issuer *is, struct rg_slice token) {
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
	if (rc == RG_E_STALE &&
	    (is->fetch != NULL || is->parse != NULL || (may_fetch(is) && fetch(is) == 0)))
		return 0; // waits
	return rc;
}

int token_issuers_verify(struct token_issuers *s, struct rg_slice token, uint16_t wwsf,
			 token_issuers_fn *done, void *arg) {
	struct issuer *is;
	struct job *j;
	int rc = find_issuer(s, token, wwsf, &is);

	if (rc != 0)
		return rc;
	if (token.len > RG_TOKEN_MAX)
		return RG_E_PROTO;
	if (is->n_jobs == JOBS_MAX)
		return -EAGAIN;
	j = job_new(s, is, token);
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

// --- life

static int issuer_init(struct token_issuers *s, const struct token_issuer_cfg *cfg, char *err,
		       size_t err_len) {
	struct issuer *is = &s->issuers[s->n_issuers++];
	struct set *set;

	is->cfg = cfg;
	is->all = s;
	is->poll.fn = on_poll;
	if (cfg->introspection_uri != NULL)
		return 0;
	if (cfg->jwks_uri != NULL) {
		env_timer_set(s->env, &is->poll, env_now_ns(s->env));
		return 0;
	}
	set = set_new(cfg->keys, true, err, err_len);
	if (set == NULL)
		return RG_E_PROTO;
	set_newest(is, set);
	return 0;
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
	for (size_t i = 0; i < s->n_issuers; i++) {
		struct issuer *is = &s->issuers[i];

		env_timer_cancel(s->env, &is->poll);
		if (is->fetch != NULL)
			http_request_cancel(is->fetch);
		if (is->parse != NULL)
			is->parse->issuer = NULL;
		while (is->n_sets > 0)
			set_put(is->sets[--is->n_sets]);
	}
	free(s->issuers);
	free(s);
}
