// SPDX-License-Identifier: BSD-3-Clause
// The signing key: P-256 from PEM, its thumbprint, and the header that all its tokens share. Read
// once, at start.
#include "token/key.h"
#include <errno.h>

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "token/b64url.h"
#include "token/es256.h"

#define KID_LEN 43 // base64url of SHA-256

struct token_key {
	EVP_PKEY *pkey;
	char kid[KID_LEN + 1];
	char header[160]; // base64url of {"typ":"at+jwt","alg":"ES256","kid":...}
	size_t header_len;
};

// RFC 7638 3: members in lexicographic order, no blanks
static int set_kid(struct token_key *k) {
	uint8_t x[ES256_COORD_LEN], y[ES256_COORD_LEN], sha[32];
	char jwk[160];
	struct rg_wr w = rg_wr(jwk, sizeof(jwk));
	int rc = es256_public(k->pkey, x, y);

	if (rc != 0)
		return rc;
	rg_puts(&w, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
	b64url_put(&w, rg_slice(x, sizeof(x)));
	rg_puts(&w, "\",\"y\":\"");
	b64url_put(&w, rg_slice(y, sizeof(y)));
	rg_puts(&w, "\"}");
	if (EVP_Digest(w.p, w.len, sha, NULL, EVP_sha256(), NULL) != 1)
		return -1;
	w = rg_wr(k->kid, KID_LEN);
	b64url_put(&w, rg_slice(sha, sizeof(sha)));
	return 0;
}

static void set_header(struct token_key *k) {
	char json[96];
	struct rg_wr w = rg_wr(json, sizeof(json)), b64 = rg_wr(k->header, sizeof(k->header));

	rg_puts(&w, "{\"typ\":\"at+jwt\",\"alg\":\"ES256\",\"kid\":\"");
	rg_puts(&w, k->kid);
	rg_puts(&w, "\"}");
	b64url_put(&b64, rg_wr_slice(&w));
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
	k->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (k->pkey == NULL) {
		snprintf(err, err_len,
			 "%s: not an unencrypted PEM private key; make one with: openssl ecparam "
			 "-name prime256v1 -genkey -noout",
			 name);
		goto err;
	}
	if (!es256_is_p256(k->pkey)) {
		snprintf(err, err_len,
			 "%s: not an EC P-256 key; make one with: openssl ecparam -name prime256v1 "
			 "-genkey -noout",
			 name);
		goto err;
	}
	if (set_kid(k) != 0) {
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
	EVP_PKEY_free(k->pkey);
	free(k);
}

const char *token_key_kid(const struct token_key *k) {
	return k->kid;
}

EVP_PKEY *token_key_pkey(const struct token_key *k) {
	return k->pkey;
}

struct rg_slice token_key_header(const struct token_key *k) {
	return rg_slice(k->header, k->header_len);
}
