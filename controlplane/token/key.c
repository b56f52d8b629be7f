// SPDX-License-Identifier: BSD-3-Clause
// A signing key: P-256 or Ed25519 from PEM, its thumbprint, and the header that all its tokens share.
#include "token/key.h"
#include "regate/base64.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#define MAKE_KEY "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"

struct token_key {
	struct jws_key key;
	struct jwk_set set; // key alone
	char header[160];   // base64url of {"typ":"at+jwt","alg":"ES256","kid":...}
	size_t header_len;
};

static int set_kid(struct jws_key *k) {
	struct rg_wr w = rg_wr(k->kid, JWS_KID_MAX);

	return jwk_thumbprint(k->pkey, &w);
}

static void set_header(struct token_key *k) {
	char json[96];
	struct rg_wr w = rg_wr(json, sizeof(json)), b64 = rg_wr(k->header, sizeof(k->header));

	rg_puts(&w, "{\"typ\":\"at+jwt\",\"alg\":\"");
	rg_puts(&w, jws_alg_name(k->key.alg));
	rg_puts(&w, "\",\"kid\":\"");
	rg_puts(&w, k->key.kid);
	rg_puts(&w, "\"}");
	rg_b64_put(&b64, RG_B64_URL, rg_wr_slice(&w));
	k->header_len = b64.len;
}

// An encrypted key must not stop the start at a prompt.
static int no_password(char *, int, int, void *) {
	return -1;
}

static struct token_key *key_read(const char *name, BIO *bio, char *err, size_t err_len) {
	struct token_key *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		snprintf(err, err_len, "%s: out of memory", name);
		return NULL;
	}
	k->key.is_ours = true;
	k->set = (struct jwk_set){&k->key, 1};
	k->key.pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (k->key.pkey == NULL) {
		snprintf(err, err_len, "%s: not an unencrypted PEM private key; make one with: %s",
			 name, MAKE_KEY);
		goto err;
	}
	if (!jws_alg_of(k->key.pkey, &k->key.alg) || k->key.alg == JWS_RS256) {
		snprintf(err, err_len, "%s: not an EC P-256 or Ed25519 key; make one with: %s",
			 name, MAKE_KEY);
		goto err;
	}
	if (set_kid(&k->key) != 0) {
		snprintf(err, err_len, "%s: the key has no usable public part", name);
		goto err;
	}
	set_header(k);
	return k;
err:
	token_key_free(k);
	return NULL;
}

// OpenSSL reads the file: this runs at start, before there is a loop whose turn it could hold up.
struct token_key *token_key_load(const char *path, char *err, size_t err_len) {
	BIO *bio = BIO_new_file(path, "r");
	struct token_key *k;

	if (bio == NULL) {
		snprintf(err, err_len, "%s: %s; correct token.key, or make the key", path,
			 strerror(errno));
		return NULL;
	}
	k = key_read(path, bio, err, err_len);
	BIO_free(bio);
	return k;
}

struct token_key *token_key_parse(const char *name, struct rg_slice pem, char *err,
				  size_t err_len) {
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
	struct token_key *k;

	if (bio == NULL) {
		snprintf(err, err_len, "%s: out of memory", name);
		return NULL;
	}
	k = key_read(name, bio, err, err_len);
	BIO_free(bio);
	return k;
}

void token_key_free(struct token_key *k) {
	if (k == NULL)
		return;
	jws_key_fini(&k->key);
	free(k);
}

const char *token_key_kid(const struct token_key *k) {
	return k->key.kid;
}

const struct jws_key *token_key_jws(const struct token_key *k) {
	return &k->key;
}

const struct jwk_set *token_key_set(const struct token_key *k) {
	return &k->set;
}

struct rg_slice token_key_header(const struct token_key *k) {
	return rg_slice(k->header, k->header_len);
}
