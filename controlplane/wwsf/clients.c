// SPDX-License-Identifier: BSD-3-Clause
#include "wwsf/clients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "regate/base64.h"
#include "regate/err.h"
#include "regate/token.h"

#define SECRET_MIN 32 // characters: nobody guesses it, however often
#define SECRET_MAX 256
#define CREDENTIALS_MAX 512 // bytes of "id:secret"

struct client {
	struct wwsf_client known;
	struct rg_digest secret;
};

struct wwsf_clients {
	struct rg_digester
		*digester; // of a key that nobody has, so comparing takes what time it likes
	struct client *list;
	size_t n;
};

static struct rg_slice first_line(struct rg_slice text) {
	const uint8_t *end = text.len == 0 ? NULL : memchr(text.p, '\n', text.len);

	return rg_trim(end == NULL ? text : rg_slice(text.p, (size_t)(end - text.p)));
}

// RFC 3986 2.3: these look the same whether a client encodes them (RFC 6749 2.3.1) or not.
static bool is_plain(struct rg_slice s) {
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = rg_lower(s.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' &&
		    c != '_' && c != '~')
			return false;
	}
	return true;
}

static int load_one(struct wwsf_clients *c, const struct conf_client *k, struct env *env, char *err,
		    size_t err_len) {
	struct client *client = &c->list[c->n++];
	struct rg_slice secret;
	uint8_t *text;
	size_t len;
	int rc = env_read_file(env, k->secret_file, 4096, &text, &len);

	if (rc != 0) {
		snprintf(err, err_len,
			 "clients.secret_file: %s: %s; correct the path, or make the file",
			 k->secret_file, rg_strerror(rc));
		return rc;
	}
	secret = first_line(rg_slice(text, len));
	if (secret.len < SECRET_MIN || secret.len > SECRET_MAX || !is_plain(secret)) {
		snprintf(err, err_len,
			 "clients.secret_file: %s: write %d to %d letters, digits, '-', '.', '_' "
			 "or '~' in one line, such as from `openssl rand -hex 32`",
			 k->secret_file, SECRET_MIN, SECRET_MAX);
		rc = RG_E_PROTO;
	}
	client->known = (struct wwsf_client){k->id, k->wwsf};
	rg_token_digest(c->digester, secret, &client->secret);
	explicit_bzero(text, len);
	free(text);
	return rc;
}

struct wwsf_clients *wwsf_clients_load(const struct conf *conf, struct env *env, char *err,
				       size_t err_len) {
	struct wwsf_clients *c = calloc(1, sizeof(*c));
	uint8_t key[RG_DIGEST_KEY_LEN];
	int rc = 0;

	snprintf(err, err_len, "no memory");
	if (c == NULL)
		return NULL;
	env_random(env, key, sizeof(key));
	c->digester = rg_digester_new(key);
	explicit_bzero(key, sizeof(key));
	c->list = calloc(conf->n_clients + 1, sizeof(*c->list));
	if (c->digester == NULL || c->list == NULL)
		rc = -ENOMEM;
	for (size_t i = 0; i < conf->n_clients && rc == 0; i++)
		rc = load_one(c, &conf->clients[i], env, err, err_len);
	if (rc == 0)
		return c;
	wwsf_clients_free(c);
	return NULL;
}

int wwsf_clients_reload(struct wwsf_clients *c, const struct conf *conf, struct env *env, char *err,
			size_t err_len) {
	struct wwsf_clients *new = wwsf_clients_load(conf, env, err, err_len), old = *c;

	if (new == NULL)
		return -EINVAL;
	*c = *new;
	*new = old;
	wwsf_clients_free(new);
	return 0;
}

void wwsf_clients_free(struct wwsf_clients *c) {
	if (c == NULL)
		return;
	rg_digester_free(c->digester);
	free(c->list);
	free(c);
}

static const struct wwsf_client *find(const struct wwsf_clients *c, struct rg_slice id,
				      const struct rg_digest *secret) {
	const struct wwsf_client *found = NULL;

	for (size_t i = 0; i < c->n; i++)
		if (rg_eq(id, rg_str(c->list[i].known.id)) &&
		    memcmp(&c->list[i].secret, secret, sizeof(*secret)) == 0)
			found = &c->list[i].known;
	return found;
}

const struct wwsf_client *wwsf_clients_find(struct wwsf_clients *c, struct rg_slice authorization) {
	const struct wwsf_client *found = NULL;
	uint8_t text[CREDENTIALS_MAX];
	struct rg_digest secret;
	const uint8_t *colon;
	size_t len;

	if (authorization.len <= 6 || !rg_ieq(rg_slice(authorization.p, 6), RG_LIT("Basic ")) ||
	    rg_b64_read(rg_trim(rg_skip(authorization, 6)), RG_B64_PADDED, text, sizeof(text),
			&len) != 0)
		return NULL;
	colon = memchr(text, ':', len);
	if (colon != NULL) {
		rg_token_digest(c->digester,
				rg_skip(rg_slice(text, len), (size_t)(colon - text) + 1), &secret);
		found = find(c, rg_slice(text, (size_t)(colon - text)), &secret);
	}
	explicit_bzero(text, sizeof(text));
	return found;
}
