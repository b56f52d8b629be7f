// SPDX-License-Identifier: BSD-3-Clause
// From the configuration to token/issuers.h.
#include "issuers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regate/err.h"

#define FILE_MAX 65536
#define POLL_NS (900 * RG_NS_PER_S) // ims.md 2.5
#define REFETCH_NS (60 * RG_NS_PER_S)

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
	s->cfgs[s->n++] = (struct token_issuer_cfg){w->issuer,           w->jwks_uri, w->jwks_ca,
						    rg_slice(text, len), w->id,       idx};
	return 0;
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

int issuers_start(struct issuers *s, const struct conf *conf, struct env *env, struct log *log,
		  char *err, size_t err_len) {
	const struct token_issuers_cfg cfg = {conf->token.audience, conf->token.life_s, POLL_NS,
					      REFETCH_NS};
	char why[256] = "no memory";

	if (s->n == 0)
		return 0;
	s->http = http_client_new(env);
	if (s->http != NULL)
		s->issuers =
			token_issuers_new(&cfg, s->cfgs, s->n, env, s->http, log, why, sizeof(why));
	if (s->issuers != NULL)
		return 0;
	snprintf(err, err_len, "wwsfs.jwks: %s", why);
	return -EINVAL;
}

void issuers_fini(struct issuers *s) {
	token_issuers_free(s->issuers);
	http_client_free(s->http);
	for (size_t i = 0; i < s->n; i++) {
		explicit_bzero((void *)s->cfgs[i].keys.p, s->cfgs[i].keys.len);
		free((void *)s->cfgs[i].keys.p);
	}
	free(s->cfgs);
	*s = (struct issuers){0};
}
