// SPDX-License-Identifier: BSD-3-Clause
// What ctx.c and conn.c share.
#pragma once

#include <openssl/ssl.h>

#include "tls.h"

#define TLS_MAX_PLAIN 16384 // of one record (RFC 8446 5.1)

struct tls_ctx {
	OSSL_LIB_CTX *lib; // own: OpenSSL's locks are never shared between workers
	SSL_CTX *ssl;
	BIO_METHOD *method;
	EVP_MD *sha1;
	EVP_MD_CTX *sha1_ctx;
	uint8_t plain[TLS_MAX_PLAIN]; // record just opened, for the sink
};

// conn.c: the BIO that stands between SSL and the caller's memory.
BIO_METHOD *tls_bio_method_new(void);
// conn.c: counts KeyUpdates; SSL_CTX_set_msg_callback().
void tls_on_message(int is_write, int version, int type, const void *buf, size_t len, SSL *ssl,
		    void *arg);
