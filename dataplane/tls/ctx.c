// SPDX-License-Identifier: BSD-3-Clause
// TLS context of one worker: policy, certificate and key, SHA-1. Made and freed by the control
// plane before and after the worker runs; tls_sha1() is the worker's.
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "regate/huge.h"
#include "tls_int.h"

// Where the reason of a failed tls_ctx_new() goes.
struct report {
	char *text;
	size_t len;
};

static void complain(const struct report *err, const char *what, const char *file, const char *why,
		     const char *cure) {
	if (err->len > 0)
		snprintf(err->text, err->len, "%s %s: %s; %s", what, file, why, cure);
}

// The first error is the cause; the ones after it come from the callers of what failed.
static const char *openssl_reason(void) {
	const char *text = ERR_reason_error_string(ERR_peek_error());

	return text == NULL ? "no reason given" : text;
}

// RFC 7301 3.2: http/1.1 when offered; else no_application_protocol. A client without the
// extension never gets here.
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned in_len, void *arg) {
	static const struct rg_slice http = RG_LIT("http/1.1");
	struct rg_rd rd = rg_rd(rg_slice(in, in_len));

	(void)ssl;
	(void)arg;
	while (!rd.bad && rd.p < rd.end) {
		struct rg_slice name = rg_rd_bytes(&rd, rg_rd_be(&rd, 1));

		if (!rg_eq(name, http))
			continue;
		*out = name.p;
		*out_len = (unsigned char)name.len;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// TLS 1.3 only, so no renegotiation; no tickets (12 us each, and nothing here resumes), hence no
// early data either. X25519 and AES-128 first: performance.md 2.
static bool set_policy(SSL_CTX *s) {
	SSL_CTX_set_options(s, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(s, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(s, select_alpn, NULL);
	SSL_CTX_set_msg_callback(s, tls_on_message);
	return SSL_CTX_set_min_proto_version(s, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(s, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_num_tickets(s, 0) == 1 && SSL_CTX_set_max_early_data(s, 0) == 1 &&
	       SSL_CTX_set1_groups_list(s, "X25519:P-256") == 1 &&
	       SSL_CTX_set_ciphersuites(s, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
					   "TLS_CHACHA20_POLY1305_SHA256") == 1;
}

// Can the file be read at all? OpenSSL's own words for that name no cure.
static bool is_readable(const char *what, const char *file, const struct report *err) {
	FILE *f = fopen(file, "rb");
	char byte;
	bool is_ok = f != NULL && fread(&byte, 1, 1, f) == 1;
	int error = errno;

	if (f == NULL && error == ENOENT)
		complain(err, what, file, strerror(error), "create it or name another file");
	else if (f == NULL)
		complain(err, what, file, strerror(error), "make it readable for the daemon");
	else if (!is_ok && ferror(f))
		complain(err, what, file, strerror(error), "name a regular file");
	else if (!is_ok)
		complain(err, what, file, "the file is empty", "write PEM into it");
	if (f != NULL)
		fclose(f);
	return is_ok;
}

static bool load_certificate(struct tls_ctx *c, const char *file, const struct report *err) {
	if (!is_readable("certificate", file, err))
		return false;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(c->ssl, file) == 1)
		return true;
	if (ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_PEM)
		complain(err, "certificate", file, "no PEM certificate in it",
			 "convert it: openssl x509 -inform DER -outform PEM");
	else
		complain(err, "certificate", file, openssl_reason(),
			 "use one with an ECDSA P-256 key, its chain behind it");
	return false;
}

// A daemon has nobody to ask for a password; without this OpenSSL would ask the terminal.
static int refuse_password(char *buf, int size, int is_write, void *was_asked) {
	(void)buf;
	(void)size;
	(void)is_write;
	*(bool *)was_asked = true;
	return -1;
}

static bool use_key(struct tls_ctx *c, EVP_PKEY *key, const char *file, const char *certificate,
		    const struct report *err) {
	char why[512];

	if (X509_check_private_key(SSL_CTX_get0_certificate(c->ssl), key) != 1) {
		snprintf(why, sizeof(why), "does not match certificate %s", certificate);
		complain(err, "key", file, why, "name the key that the certificate was made for");
		return false;
	}
	if (SSL_CTX_use_PrivateKey(c->ssl, key) == 1)
		return true;
	complain(err, "key", file, openssl_reason(), "use an ECDSA P-256 key");
	return false;
}

static bool load_key(struct tls_ctx *c, const char *file, const char *certificate,
		     const struct report *err) {
	bool is_encrypted = false;
	bool is_ok = false;
	EVP_PKEY *key = NULL;
	BIO *in;

	if (!is_readable("key", file, err))
		return false;
	in = BIO_new_file(file, "rb");
	if (in != NULL)
		key = PEM_read_bio_PrivateKey_ex(in, NULL, refuse_password, &is_encrypted, c->lib,
						 NULL);
	BIO_free(in);
	if (key != NULL)
		is_ok = use_key(c, key, file, certificate, err);
	else if (is_encrypted)
		complain(err, "key", file, "is encrypted", "decrypt it: openssl pkey -in");
	else
		complain(err, "key", file, "no PEM private key in it",
			 "convert it: openssl pkey -inform DER -outform PEM");
	EVP_PKEY_free(key);
	return is_ok;
}

// The arrays that connections find by index; not touched before they are needed.
static bool take_memory(struct tls_ctx *c, const struct tls_cfg *cfg) {
	c->max_conns = cfg->max_conns;
	c->max_per_source = cfg->max_per_source;
	c->share = cfg->share;
	c->partials = rg_huge_alloc(TLS_MAX_PARTIAL, sizeof(c->partials[0]));
	c->handshakes = rg_huge_alloc(cfg->max_half_open, sizeof(c->handshakes[0]));
	c->secrets = rg_huge_alloc(cfg->max_conns, sizeof(c->secrets[0]));
	return c->partials != NULL && c->handshakes != NULL && c->secrets != NULL &&
	       tls_pool_init(&c->free_partials, TLS_MAX_PARTIAL) &&
	       tls_pool_init(&c->free_handshakes, cfg->max_half_open);
}

struct tls_ctx *tls_ctx_new(const struct tls_cfg *cfg, char *err, size_t err_len) {
	const struct report report = {err, err_len};
	struct tls_ctx *c = OPENSSL_zalloc(sizeof(*c));

	if (err_len > 0)
		snprintf(err, err_len, "TLS: no memory; give the daemon more");
	if (c == NULL)
		return NULL;
	c->lib = OSSL_LIB_CTX_new();
	if (c->lib == NULL)
		goto err;
	c->ssl = SSL_CTX_new_ex(c->lib, NULL, TLS_server_method());
	c->method = tls_bio_method_new();
	c->sha1 = EVP_MD_fetch(c->lib, "SHA1", NULL);
	c->sha1_ctx = EVP_MD_CTX_new();
	c->crypt = tls_crypt_new(c->lib);
	if (c->ssl == NULL || c->method == NULL || c->sha1 == NULL || c->sha1_ctx == NULL ||
	    c->crypt == NULL || !set_policy(c->ssl) || !take_memory(c, cfg))
		goto err;
	if (!load_certificate(c, cfg->certificate, &report) ||
	    !load_key(c, cfg->key, cfg->certificate, &report))
		goto err;
	ERR_clear_error();
	return c;
err:
	tls_ctx_free(c);
	ERR_clear_error();
	return NULL;
}

void tls_ctx_free(struct tls_ctx *c) {
	if (c == NULL)
		return;
	SSL_CTX_free(c->ssl);
	BIO_meth_free(c->method);
	EVP_MD_CTX_free(c->sha1_ctx);
	EVP_MD_free(c->sha1);
	// Secrets and keys in them were wiped with their connections.
	rg_huge_free(c->partials, TLS_MAX_PARTIAL, sizeof(c->partials[0]));
	rg_huge_free(c->handshakes, c->free_handshakes.n, sizeof(c->handshakes[0]));
	rg_huge_free(c->secrets, c->max_conns, sizeof(c->secrets[0]));
	tls_pool_fini(&c->free_partials);
	tls_pool_fini(&c->free_handshakes);
	tls_crypt_free(c->crypt);
	OSSL_LIB_CTX_free(c->lib);
	OPENSSL_clear_free(c, sizeof(*c));
}

void tls_sha1(struct tls_ctx *c, struct rg_slice in, uint8_t out[20]) {
	// OpenSSL 3.0 makes its state anew each time, so even this can fail. Zeroes then: a client
	// takes no such answer.
	if (EVP_DigestInit_ex(c->sha1_ctx, c->sha1, NULL) != 1 ||
	    EVP_DigestUpdate(c->sha1_ctx, in.p, in.len) != 1 ||
	    EVP_DigestFinal_ex(c->sha1_ctx, out, NULL) != 1) {
		memset(out, 0, 20);
		ERR_clear_error();
	}
}
