// SPDX-License-Identifier: BSD-3-Clause
// Key sets of other issuers (ims.md 2.5), fetched or given. A set is immutable and counted: a job in the
// crypto pool holds the one that it verifies with, whatever is fetched meanwhile. Loop thread.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"
#include "token/issuers_int.h"

#define BODY_MAX 65536
#define FETCH_TIMEOUT_MS 10000

struct parse {                 // of a set, in the crypto pool: an RSA key takes 20 ms to check
	struct issuer *issuer; // NULL: it has gone
	struct set *set;
	char why[256];
	size_t len;
	char text[];
};

// --- key sets

void issuer_set_put(struct set *s) {
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

static bool has_tag(const struct set *s, uint64_t tag) {
	for (size_t i = 0; i < s->keys.n; i++)
		if (s->keys.keys[i].tag == tag)
			return true;
	return false;
}

// --- what the next process has to know

// Newest first: what a key is good for longest goes before.
static void add_known(struct token_known *list, size_t *n, uint64_t tag, int64_t until_s) {
	for (size_t i = 0; i < *n; i++)
		if (list[i].tag == tag)
			return;
	if (*n < TOKEN_KNOWN_MAX)
		list[(*n)++] = (struct token_known){tag, until_s};
}

static int64_t wall_s(const struct issuer *is) {
	return env_wall_ms(is->all->env) / 1000;
}

// The newest keys sign until we hear otherwise, or are told of again: at the next poll, which may be late.
static int64_t until_s(const struct issuer *is, const struct set *s) {
	const struct token_issuers_cfg *cfg = &is->all->cfg;
	uint64_t ns = s->until_ns == RG_NEVER ? cfg->life_max_s * RG_NS_PER_S + 2 * cfg->poll_ns
					      : s->until_ns - env_now_ns(is->all->env);

	return wall_s(is) + (int64_t)(ns / RG_NS_PER_S);
}

static void tell_known(const struct issuer *is) {
	const struct token_issuers_cfg *cfg = &is->all->cfg;
	const struct token_known *before = is->cfg->before;
	struct token_known list[TOKEN_KNOWN_MAX];
	size_t n = 0;

	if (is->n_ending > 0)
		list[n++] = (struct token_known){TOKEN_KEY_WITHDRAWN, wall_s(is) + cfg->life_max_s};
	for (size_t i = 0; i < is->n_sets; i++)
		for (size_t j = 0;
		     is->sets[i]->until_ns > env_now_ns(is->all->env) && j < is->sets[i]->keys.n;
		     j++)
			add_known(list, &n, is->sets[i]->keys.keys[j].tag,
				  until_s(is, is->sets[i]));
	for (size_t i = 0; i < is->n_before; i++)
		if (before[i].until_s > wall_s(is))
			add_known(list, &n, before[i].tag, before[i].until_s);
	if (cfg->known != NULL)
		cfg->known(cfg->arg, is->cfg->wwsf_idx, list, n);
}

// --- sets and keys that give way

// The set before stays for what its keys have signed already (ims.md 2.5).
static void set_newest(struct issuer *is, struct set *s) {
	uint64_t now_ns = env_now_ns(is->all->env);

	if (is->n_sets > 0)
		is->sets[0]->until_ns = now_ns + is->all->cfg.life_max_s * RG_NS_PER_S;
	while (is->n_sets > 0 &&
	       (is->n_sets == SETS_MAX || is->sets[is->n_sets - 1]->until_ns <= now_ns))
		issuer_set_put(is->sets[--is->n_sets]);
	for (size_t i = is->n_sets; i > 0; i--)
		is->sets[i] = is->sets[i - 1];
	is->sets[0] = s;
	is->n_sets++;
	log_put(is->all->log, LOG_INFO, "token.keys_fetched", LOG_S("wwsf", is->cfg->wwsf),
		LOG_U("keys", s->keys.n));
	tell_known(is);
}

// Those that are not in the newest set, of the sets before and of the process before.
static size_t find_gone(const struct issuer *is, uint64_t *tags) {
	const struct token_known *before = is->cfg->before;
	size_t n = 0;

	for (size_t i = 0; i < is->n_before; i++)
		if (before[i].until_s > wall_s(is) && !has_tag(is->sets[0], before[i].tag))
			tags[n++] = before[i].tag;
	for (size_t k = 1; k < is->n_sets; k++)
		for (size_t i = 0; i < is->sets[k]->keys.n; i++)
			if (!has_tag(is->sets[0], is->sets[k]->keys.keys[i].tag))
				tags[n++] = is->sets[k]->keys.keys[i].tag;
	return n;
}

// All but the newest set, and whatever only they had, or the process before this one. Until their leases
// have ended the next process hears of it: it has to do it again.
static void forget_old(struct issuer *is) {
	const struct token_issuers_cfg *cfg = &is->all->cfg;
	uint64_t tags[SETS_MAX * JWK_SET_MAX + TOKEN_KNOWN_MAX];
	size_t n = find_gone(is, tags);

	is->is_forgetting =
		n > 0 && cfg->gone != NULL && cfg->gone(cfg->arg, is->cfg->wwsf_idx, tags, n) != 0;
	if (is->is_forgetting) {
		env_timer_set(is->all->env, &is->poll, env_now_ns(is->all->env) + cfg->refetch_ns);
		return;
	}
	is->n_ending += n > 0 && cfg->gone != NULL;
	is->n_before = 0;
	while (is->n_sets > 1)
		issuer_set_put(is->sets[--is->n_sets]);
	log_put(is->all->log, LOG_INFO, "token.keys_forgotten", LOG_S("wwsf", is->cfg->wwsf),
		LOG_U("keys", n));
	tell_known(is);
}

void token_issuers_ended(struct token_issuers *s, uint16_t wwsf) {
	for (size_t i = 0; i < s->n_issuers; i++)
		if (s->issuers[i].cfg->wwsf_idx == wwsf && s->issuers[i].n_ending > 0 &&
		    --s->issuers[i].n_ending == 0)
			tell_known(&s->issuers[i]);
}

bool issuer_has_key(const struct issuer *is, uint64_t tag) {
	uint64_t now_ns = env_now_ns(is->all->env);

	for (size_t i = 0; i < is->n_sets; i++)
		if (is->sets[i]->until_ns > now_ns && has_tag(is->sets[i], tag))
			return true;
	return false;
}

struct set *issuer_set_with(const struct issuer *is, const char *kid) {
	uint64_t now_ns = env_now_ns(is->all->env);

	for (size_t i = 0; i < is->n_sets; i++)
		if (is->sets[i]->until_ns > now_ns && jwk_set_find(&is->sets[i]->keys, kid) != NULL)
			return is->sets[i];
	return NULL;
}

// --- fetching

static void fetched(struct issuer *is, bool is_good) {
	const struct token_issuers *all = is->all;

	env_timer_set(all->env, &is->poll,
		      env_now_ns(all->env) + (is_good ? all->cfg.poll_ns : all->cfg.refetch_ns));
	if (is_good && is->is_forgetting)
		forget_old(is);
	issuer_wake_jobs(is);
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
		issuer_set_put(p->set);
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

	if (is->n_sets > 0)
		tell_known(is);
	if (is->cfg->jwks_uri == NULL) {
		env_timer_set(is->all->env, t, now_ns + is->all->cfg.poll_ns);
		if (is->is_forgetting)
			forget_old(is);
	} else if (is->fetch == NULL && is->parse == NULL && fetch(is) != 0) {
		env_timer_set(is->all->env, t, now_ns + is->all->cfg.refetch_ns);
	}
}

static void forget(struct issuer *is) {
	if (is->cfg->introspection_uri != NULL)
		return;
	if (is->cfg->jwks_uri == NULL) {
		forget_old(is);
		return;
	}
	is->is_forgetting = true;
	if (is->fetch != NULL) // of before
		http_request_cancel(is->fetch);
	if (is->parse != NULL)
		is->parse->issuer = NULL;
	is->fetch = NULL;
	is->parse = NULL;
	env_timer_set(is->all->env, &is->poll, env_now_ns(is->all->env));
}

void token_issuers_forget(struct token_issuers *s, uint16_t wwsf) {
	for (size_t i = 0; i < s->n_issuers; i++)
		if (s->issuers[i].cfg->wwsf_idx == wwsf)
			forget(&s->issuers[i]);
}

const char *token_issuers_pending(const struct token_issuers *s, size_t n) {
	for (size_t i = 0; i < s->n_issuers; i++)
		if (s->issuers[i].is_forgetting && n-- == 0)
			return s->issuers[i].cfg->wwsf;
	return NULL;
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
	issuer_set_put(set);
	return RG_E_STALE;
}

// For a key that nobody has heard of: at most once in a while, or anybody could have us flood a WWSF.
static bool may_fetch(const struct issuer *is) {
	return is->cfg->jwks_uri != NULL &&
	       (is->fetched_ns == 0 ||
		env_now_ns(is->all->env) - is->fetched_ns >= is->all->cfg.refetch_ns);
}

bool issuer_keys_are_coming(struct issuer *is) {
	return is->fetch != NULL || is->parse != NULL || (may_fetch(is) && fetch(is) == 0);
}

// --- life

int issuer_keys_start(struct issuer *is, char *err, size_t err_len) {
	struct set *set;

	is->poll.fn = on_poll;
	is->n_before = is->cfg->n_before;
	for (size_t i = 0; i < is->n_before; i++)
		is->is_forgetting |= is->cfg->before[i].tag == TOKEN_KEY_WITHDRAWN;
	if (is->cfg->jwks_uri != NULL) {
		env_timer_set(is->all->env, &is->poll, env_now_ns(is->all->env));
		return 0;
	}
	set = set_new(is->cfg->keys, true, err, err_len);
	if (set == NULL)
		return RG_E_PROTO;
	set_newest(is, set);
	env_timer_set(is->all->env, &is->poll, env_now_ns(is->all->env) + is->all->cfg.poll_ns);
	if (is->is_forgetting)
		forget_old(is);
	return 0;
}

void issuer_keys_stop(struct issuer *is) {
	env_timer_cancel(is->all->env, &is->poll);
	if (is->fetch != NULL)
		http_request_cancel(is->fetch);
	if (is->parse != NULL)
		is->parse->issuer = NULL;
	while (is->n_sets > 0)
		issuer_set_put(is->sets[--is->n_sets]);
}
