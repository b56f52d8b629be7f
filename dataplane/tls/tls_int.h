// SPDX-License-Identifier: BSD-3-Clause
// What the files of this folder share: a worker's context, its crypto, a connection in its two
// lives (OpenSSL's handshake, our record layer), and the numbers of RFC 8446 that both use.
#pragma once

#include <assert.h>
#include <stdalign.h>
#define NO_COMPAT_IMB_API_053
#include <intel-ipsec-mb.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tls.h"

#define TLS_HEADER_LEN 5
#define TLS_TAG_LEN 16
#define TLS_NONCE_LEN 12
#define TLS_MAX_PLAIN 16384                  // of one record (RFC 8446 5.1)
#define TLS_MAX_INNER (TLS_MAX_PLAIN + 1)    // with its content type and padding (5.4)
#define TLS_MAX_CIPHER (TLS_MAX_PLAIN + 256) // as a header may announce it (5.2)
#define TLS_MAX_SECRET 48
#define TLS_MAX_KEY 32
// Records under one key of ours; then we update it. RFC 8446 5.5 allows 2^24.5 of full size.
#define TLS_MAX_SEALED ((1u << 24) - 16)

enum tls_dir { TLS_RD, TLS_WR, TLS_N_DIRS };
enum tls_hash { TLS_SHA256, TLS_SHA384, TLS_N_HASHES };
enum tls_suite { TLS_AES128, TLS_AES256, TLS_CHACHA, TLS_N_SUITES };

struct tls_crypt;

// How one suite is done by one engine. A record is its header, n bytes, and its tag.
struct tls_aead {
	uint8_t key_len;
	enum tls_hash hash;
	// The n bytes behind the header are sealed where they lie, the tag goes behind them.
	bool (*seal)(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce, uint8_t *rec,
		     size_t n);
	// Writes rec.len - 21 bytes, which are worth nothing when it returns false.
	bool (*open)(struct tls_crypt *x, const uint8_t *key, const uint8_t *nonce,
		     struct rg_slice rec, uint8_t *out);
};

// The cryptography of one worker. Keys are expanded for each record. Kept expanded, 1 KiB per
// direction, they save 110 ns while few connections fit the cache, and lose 50 with a million.
struct tls_crypt {
	alignas(64) struct gcm_key_data gcm_key; // of the record last done
	struct gcm_context_data gcm;
	struct chacha20_poly1305_context_data chacha;
	const struct tls_aead *aeads; // [TLS_N_SUITES]: the engine
	IMB_MGR *imb;                 // NULL when the processor lacks what it needs
	EVP_CIPHER_CTX *evp[TLS_N_SUITES][TLS_N_DIRS];
	EVP_MAC_CTX *hmac[TLS_N_HASHES];
	void *block; // what was allocated
};

// A record that is not whole yet.
struct tls_partial {
	uint32_t len;
	uint8_t b[TLS_HEADER_LEN + TLS_MAX_CIPHER];
};

struct tls_ctx {
	OSSL_LIB_CTX *lib; // own: OpenSSL's locks are never shared between workers
	SSL_CTX *ssl;
	BIO_METHOD *method;
	EVP_MD *sha1;
	EVP_MD_CTX *sha1_ctx;
	struct tls_crypt *crypt;
	struct tls_partial *partials; // [TLS_MAX_PARTIAL], untouched until needed
	uint16_t free_partials[TLS_MAX_PARTIAL];
	unsigned n_free_partials;
	uint8_t plain[TLS_MAX_CIPHER]; // record just opened, for the sink
	uint8_t sealed[TLS_HEADER_LEN + TLS_MAX_INNER + TLS_TAG_LEN];
};

// The first life: from the first byte to the hand-over.
struct tls_handshake {
	SSL *ssl;
	struct rg_slice in;             // not read by OpenSSL yet; empty between calls
	const struct tls_sink *sink;    // of the call under way, else NULL
	uint64_t n_sealed;              // records that OpenSSL sealed with the application key
	uint32_t n_read;                // bytes
	bool is_refused;                // by the sink
	uint8_t secret_len[TLS_N_DIRS]; // 0 = not heard yet
	uint8_t secret[TLS_N_DIRS][TLS_MAX_SECRET];
};

// Three cache lines, of which a record of AES-128 touches two.
struct tls_conn {
	struct tls_ctx *ctx;
	union {
		struct tls_handshake *handshake; // NULL before the first byte
		struct tls_partial *partial;     // once is_established; NULL between records
	};
	uint8_t suite;          // enum tls_suite
	uint8_t n_key_updates;  // since the last application data
	uint8_t n_idle;         // empty records and warnings since then
	uint8_t n_key_update;   // bytes seen of a KeyUpdate that is spread over records
	bool is_update_due : 1; // the peer asked; goes before our next data
	bool is_established : 1;
	bool is_refused : 1; // by the sink
	bool is_closed : 1;  // we sent close_notify, or never will
	bool is_ended : 1;   // the peer sent close_notify
	bool is_dead : 1;
	uint64_t seq[TLS_N_DIRS];
	uint8_t iv[TLS_N_DIRS][TLS_NONCE_LEN];
	uint8_t key[TLS_N_DIRS][TLS_MAX_KEY];
	union {
		uint8_t secret[TLS_N_DIRS][32];
		uint8_t *long_secrets; // SHA-384: 2 * 48 bytes of their own
	};
};
static_assert(sizeof(struct tls_conn) <= 192, "three cache lines");

// handshake.c: the BIO that stands between SSL and the caller's memory.
BIO_METHOD *tls_bio_method_new(void);
// handshake.c: counts what OpenSSL seals, and sets the next; SSL_CTX_set_msg_callback().
void tls_on_message(int is_write, int version, int type, const void *buf, size_t len, SSL *ssl,
		    void *arg);
// handshake.c: takes the traffic secrets; SSL_CTX_set_keylog_callback().
void tls_on_secret(const SSL *ssl, const char *line);
// handshake.c: runs it over *in. RG_OK when handed over: *in is what followed; RG_MORE; or as
// tls_input().
int tls_handshake_input(struct tls_conn *c, struct rg_slice *in, const struct tls_sink *sink);
void tls_handshake_free(struct tls_handshake *h); // accepts NULL

// record.c
int tls_record_input(struct tls_conn *c, struct rg_slice in, const struct tls_sink *sink);
// Seals at most TLS_MAX_PLAIN bytes as one record. RG_OK, or -ENOBUFS and c is dead.
int tls_record_seal(struct tls_conn *c, uint8_t type, struct rg_slice d,
		    const struct tls_sink *sink);
// What has to go out before more data: a KeyUpdate that is due. RG_OK, -ENOBUFS, -ENOMEM.
int tls_record_renew(struct tls_conn *c, const struct tls_sink *sink);
void tls_record_drop(struct tls_conn *c); // gives a partial record back

// keys.c: from the secrets of the handshake to keys; from a key to its successor. False without
// memory. Both leave nothing of the secrets behind but in c.
bool tls_keys_init(struct tls_conn *c, const struct tls_handshake *h);
bool tls_keys_update(struct tls_conn *c, enum tls_dir dir);
void tls_keys_fini(struct tls_conn *c);
// RFC 8446 7.1, for out_len up to the length of the hash, without a context.
bool tls_expand_label(struct tls_crypt *x, enum tls_hash hash, const uint8_t *secret,
		      const char *label, uint8_t *out, size_t out_len);

// crypt.c
struct tls_crypt *tls_crypt_new(OSSL_LIB_CTX *lib); // NULL without memory
void tls_crypt_free(struct tls_crypt *x);           // accepts NULL
size_t tls_hash_len(enum tls_hash hash);

// aead_imb.c and aead_evp.c: [TLS_N_SUITES]
const struct tls_aead *tls_aead_imb(void);
const struct tls_aead *tls_aead_evp(void);
