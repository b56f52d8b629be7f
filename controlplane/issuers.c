// SPDX-License-Identifier: BSD-3-Clause
// From the configuration to token/issuers.h.
#include "issuers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lease/adopt.h"
#include "regate/err.h"
#include "token/introspect.h"

#define FILE_MAX 65536
#define NAME_MAX 192 // of a value
#define SECRET_MAX 256
#define POLL_NS (900 * RG_NS_PER_S) // ims.md 2.5
#define REFETCH_NS (60 * RG_NS_PER_S)

static void wipe(const char *text) {
	if (text != NULL)
		explicit_bzero((char *)text, strlen(text));
	free((char *)text);
}

// The first line of the file, as a header line, in place of the one before.
static int load_secret(struct token_issuer_cfg *cfg, const struct conf_wwsf *w, struct env *env,
		       char *err, size_t err_len) {
	char line[4096];
	struct rg_wr out = rg_wr(line, sizeof(line) - 1);
	uint8_t *text;
	size_t len;
	int rc = env_read_file(env, w->introspection.secret_file, SECRET_MAX, &text, &len);
	struct rg_slice secret;
	const uint8_t *end;
	char *copy = NULL;

	if (rc != 0) {
		snprintf(err, err_len,
			 "wwsfs.introspection_secret_file: %s: %s; correct the path, or make the "
			 "file",
			 w->introspection.secret_file, rg_strerror(rc));
		return rc;
	}
	end = len == 0 ? NULL : memchr(text, '\n', len);
	secret = rg_trim(rg_slice(text, end == NULL ? len : (size_t)(end - text)));
	introspect_put_authorization(&out, w->introspection.id, secret);
	line[out.len] = '\0';
	if (secret.len == 0 || out.overflow)
		rc = RG_E_PROTO;
	else
		copy = strdup(line);
	if (rc == 0 && copy == NULL)
		rc = -ENOMEM;
	if (rc == 0) {
		wipe(cfg->authorization);
		cfg->authorization = copy;
	} else {
		snprintf(err, err_len,
			 "wwsfs.introspection_secret_file: %s: write the secret in the first line, "
			 "at most %d characters",
			 w->introspection.secret_file, SECRET_MAX);
	}
	explicit_bzero(line, sizeof(line));
	explicit_bzero(text, len);
	free(text);
	return rc;
}

static int load_one(struct issuers *s, const struct conf_wwsf *w, uint16_t idx, struct env *env,
		    char *err, size_t err_len) {
	uint8_t *text = NULL;
	size_t len = 0;
	int rc = w->jwks == NULL ? 0 : env_read_file(env, w->jwks, FILE_MAX, &text, &len);

	if (rc != 0) {
		snprintf(err, err_len, "wwsfs.jwks: %s: %s; correct the path, or make the file",
			 w->jwks, rg_strerror(rc));
		return rc;
	}
	s->cfgs[s->n] = (struct token_issuer_cfg){
		.issuer = w->issuer,
		.jwks_uri = w->jwks_uri,
		.ca_file = w->introspection.uri == NULL ? w->jwks_ca : w->introspection.ca,
		.keys = rg_slice(text, len),
		.wwsf = w->id,
		.wwsf_idx = idx,
		.introspection_uri = w->introspection.uri,
		.cache_s = w->introspection.cache_s,
	};
	s->n++;
	return w->introspection.uri == NULL ? 0
					    : load_secret(&s->cfgs[s->n - 1], w, env, err, err_len);
}

int issuers_load(struct issuers *s, const struct conf *conf, struct env *env, char *err,
		 size_t err_len) {
	int rc = 0;

	s->cfgs = calloc(conf->n_wwsfs + 1, sizeof(*s->cfgs));
	if (s->cfgs == NULL) {
		snprintf(err, err_len, "no memory");
		return -ENOMEM;
	}
	for (size_t i = 0; i < conf->n_wwsfs && rc == 0; i++)
		if (conf->wwsfs[i].issuer != NULL)
			rc = load_one(s, &conf->wwsfs[i], (uint16_t)i, env, err, err_len);
	return rc;
}

static void on_ended(void *arg, uint16_t wwsf) {
	const struct issuers *s = arg;

	token_issuers_ended(s->issuers, wwsf);
}

static int on_gone(void *arg, uint16_t wwsf, const uint64_t *keys, size_t n) {
	struct issuers *s = arg;
	int rc = lease_end_keys(s->leases, wwsf, keys, n, on_ended, s);

	if (rc != 0)
		log_put(s->log, LOG_ERROR, "token.keys_not_withdrawn", LOG_U("wwsf", wwsf),
			LOG_S("why", "no memory; is tried again in a minute"));
	return rc;
}

static void put_name(const struct issuers *s, uint16_t wwsf, char *out) {
	snprintf(out, NAME_MAX, "token.known.%s.%s", s->conf->wwsfs[wwsf].id, s->conf->gateway_id);
}

static void on_put(void *arg, int rc, uint64_t) {
	const struct issuers *s = arg;

	if (rc != 0)
		log_put(s->log, LOG_WARN, "token.keys_not_stored", LOG_S("why", rg_strerror(rc)),
			LOG_S("effect",
			      "after a restart `token reload` may not see which are gone"));
}

static void on_known(void *arg, uint16_t wwsf, const struct token_known *known, size_t n) {
	struct issuers *s = arg;
	char name[NAME_MAX];
	int rc;

	put_name(s, wwsf, name);
	rc = store_put(s->store, name, known, n * sizeof(*known), false, on_put, s);
	if (rc != 0)
		on_put(s, rc, 0);
}

// Without a value that we wrote, leases of before are of nobody knows which keys.
static int load_known(const struct issuers *s, struct token_issuer_cfg *cfg, int64_t now_s) {
	struct token_known *list = calloc(TOKEN_KNOWN_MAX, sizeof(*list));
	size_t len = TOKEN_KNOWN_MAX * sizeof(*list);
	char name[NAME_MAX];

	if (list == NULL)
		return -ENOMEM;
	cfg->before = list;
	put_name(s, cfg->wwsf_idx, name);
	if (store_get(s->store, name, list, &len) != 0 || len % sizeof(*list) != 0) {
		len = lease_has_adopted(s->leases, cfg->wwsf_idx) ? sizeof(*list) : 0;
		list[0] = (struct token_known){TOKEN_KEY_UNKNOWN, now_s + s->conf->token.life_s};
	}
	cfg->n_before = len / sizeof(*list);
	return 0;
}

int issuers_start(struct issuers *s, const struct conf *conf, struct env *env, struct log *log,
		  struct lease_engine *leases, struct store *store, char *err, size_t err_len) {
	const struct token_issuers_cfg cfg = {
		.audience = conf->token.audience,
		.life_max_s = conf->token.life_s,
		.poll_ns = POLL_NS,
		.refetch_ns = REFETCH_NS,
		.gone = on_gone,
		.arg = s,
		.known = on_known,
	};
	char why[256] = "no memory";
	bool has_memory = true;

	if (s->n == 0)
		return 0;
	s->leases = leases;
	s->store = store;
	s->conf = conf;
	s->log = log;
	for (size_t i = 0; i < s->n; i++)
		has_memory &= load_known(s, &s->cfgs[i], env_wall_ms(env) / 1000) == 0;
	s->http = http_client_new(env);
	if (s->http != NULL && has_memory)
		s->issuers =
			token_issuers_new(&cfg, s->cfgs, s->n, env, s->http, log, why, sizeof(why));
	if (s->issuers != NULL)
		return 0;
	snprintf(err, err_len, "wwsfs.jwks: %s", why);
	return -EINVAL;
}

static int give(struct issuers *s, uint16_t wwsf, const char *path, struct env *env, char *err,
		size_t err_len) {
	char why[256];
	uint8_t *text;
	size_t len;
	int rc = env_read_file(env, path, FILE_MAX, &text, &len);

	if (rc != 0) {
		snprintf(err, err_len, "wwsfs.jwks: %s: %s; correct the file", path,
			 rg_strerror(rc));
		return rc;
	}
	rc = token_issuers_give(s->issuers, wwsf, rg_slice(text, len), why, sizeof(why));
	if (rc != 0)
		snprintf(err, err_len, "wwsfs.jwks: %s: %s; correct the file", path, why);
	explicit_bzero(text, len);
	free(text);
	return rc;
}

static int reload_one(struct issuers *s, struct token_issuer_cfg *cfg, const struct conf_wwsf *w,
		      struct env *env, char *err, size_t err_len) {
	int rc = 0;

	if (w->introspection.uri != NULL)
		rc = load_secret(cfg, w, env, err, err_len);
	else if (w->jwks != NULL)
		rc = give(s, cfg->wwsf_idx, w->jwks, env, err, err_len);
	if (rc == 0)
		token_issuers_forget(s->issuers, cfg->wwsf_idx);
	return rc;
}

int issuers_reload(struct issuers *s, const struct conf *conf, struct env *env, char *err,
		   size_t err_len) {
	int rc = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct token_issuer_cfg *cfg = &s->cfgs[i];
		char second[512];
		int one = reload_one(s, cfg, &conf->wwsfs[cfg->wwsf_idx], env,
				     rc == 0 ? err : second, rc == 0 ? err_len : sizeof(second));

		if (rc == 0)
			rc = one;
	}
	return rc;
}

const char *issuers_pending(const struct issuers *s, size_t n) {
	return s->issuers == NULL ? NULL : token_issuers_pending(s->issuers, n);
}

bool issuers_has_opaque(const struct issuers *s) {
	for (size_t i = 0; i < s->n; i++)
		if (s->cfgs[i].introspection_uri != NULL)
			return true;
	return false;
}

void issuers_fini(struct issuers *s) {
	token_issuers_free(s->issuers);
	http_client_free(s->http);
	for (size_t i = 0; i < s->n; i++) {
		wipe(s->cfgs[i].authorization);
		if (s->cfgs[i].keys.p != NULL)
			explicit_bzero((void *)s->cfgs[i].keys.p, s->cfgs[i].keys.len);
		free((void *)s->cfgs[i].keys.p);
		free((void *)s->cfgs[i].before);
	}
	free(s->cfgs);
	*s = (struct issuers){0};
}
