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

#include "tls_half.h"

#define TLS_HEADER_LEN 5
#define TLS_TAG_LEN 16
#define TLS_NONCE_LEN 12
#define TLS_MAX_PLAIN 16384                  // of one record (RFC 8446 5.1)
#define TLS_MAX_INNER (TLS_MAX_PLAIN + 1)    // with its content type and padding (5.4)
#define TLS_MAX_CIPHER (TLS_MAX_PLAIN + 256) // as a header may announce it (5.2)
#define TLS_MAX_KEY 32
// Records under one key of ours; then we update it. RFC 8446 5.5 allows 2^24.5 of full size.
#define TLS_MAX_SEALED ((1u << 24) - 16)

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
	uint32_t source;
	uint8_t b[TLS_HEADER_LEN + TLS_MAX_CIPHER];
};

// What an established connection needs for a change of keys only, by its slot.
union tls_secrets {
	uint8_t secret[TLS_N_DIRS][32]; // of AES-128
	struct tls_long *more;
};
static_assert(sizeof(union tls_secrets) == 64, "one cache line");

// The same for suites whose keys and secrets are longer, and their keys.
struct tls_long {
	uint8_t secret[TLS_N_DIRS][TLS_MAX_SECRET];
	uint8_t key[TLS_N_DIRS][TLS_MAX_KEY];
};

#define TLS_MAX_NAME 253 // RFC 1035 2.3.4

struct tls_name {
	uint32_t cert; // index
	bool is_wildcard;
	uint8_t len;
	char text[TLS_MAX_NAME + 1]; // of a wildcard what follows the asterisk
};

// Immutable once published. Handshakes under way hold their SSL_CTX by themselves.
struct tls_certs {
	size_t n, n_names;
	SSL_CTX **ssl;
	struct rg_cert_info *info;
	struct tls_name *names;
};

struct tls_ctx {
	OSSL_LIB_CTX *lib;                 // own: OpenSSL's locks are never shared between workers
	_Atomic(struct tls_certs *) certs; // ctl: rw, worker: ro
	BIO_METHOD *method;
	EVP_MD *sha1;
	EVP_MD_CTX *sha1_ctx;
	struct tls_crypt *crypt;
	struct tls_partial *partials; // [TLS_MAX_PARTIAL], untouched until needed
	struct tls_pool free_partials;
	struct tls_quota partial_quota;
	struct tls_handshake *handshakes; // [max_half_open]
	struct tls_pool free_handshakes;
	struct tls_queue queues[TLS_N_QUEUES]; // of handshakes whose next step can be made
	int64_t credit_ns;                     // time that they may take now
	uint64_t earned_ns;                    // up to when it is reckoned
	uint64_t served_ns;                    // when established ones last sent something
	bool is_served, is_idle;               // since the last tls_ready(); long not
	unsigned share;                        // of the time, percent
	uint16_t max_per_source;               // 0 = no limit
	struct tls_quota half_open_quota;
	uint32_t max_conns;
	unsigned n_tickets; // per handshake, 0 or 1
	uint64_t now_ns;    // of the last tls_ready()
	uint64_t ticket_period_ns, ticket_offset_ns;
	EVP_CIPHER *ticket_cipher;
	struct tls_ticket_key ticket_keys[2];
	uint8_t ticket_secret[32];
	union tls_secrets *secrets;    // [max_conns], untouched until needed
	uint8_t plain[TLS_MAX_CIPHER]; // record just opened, for the sink
	uint8_t sealed[TLS_HEADER_LEN + TLS_MAX_INNER + TLS_TAG_LEN];
};

static inline struct tls_handshake *tls_handshake_of(const struct tls_ctx *x,
						     const struct tls_conn *c) {
	return &x->handshakes[c->ref];
}

static inline struct tls_partial *tls_partial_of(const struct tls_ctx *x,
						 const struct tls_conn *c) {
	return &x->partials[c->ref];
}

// ctx_certs.c: the one for that name, else the first.
SSL_CTX *tls_certs_pick(struct tls_ctx *x, struct rg_slice asked);

// record.c
int tls_record_input(struct tls_ctx *x, struct tls_conn *c, struct rg_slice in,
		     const struct tls_sink *sink);
// Seals at most TLS_MAX_PLAIN bytes as one record. RG_OK, or -ENOBUFS and c is dead.
int tls_record_seal(struct tls_ctx *x, struct tls_conn *c, uint8_t type, struct rg_slice d,
		    const struct tls_sink *sink);
// What has to go out before more data: a KeyUpdate that is due. RG_OK, -ENOBUFS, -ENOMEM.
int tls_record_renew(struct tls_ctx *x, struct tls_conn *c, const struct tls_sink *sink);
void tls_record_drop(struct tls_ctx *x, struct tls_conn *c); // gives a partial record back

// keys.c: from the secrets of the handshake to keys; from a key to its successor. False without
// memory. Both leave nothing of the secrets behind but in the connection's slot.
bool tls_keys_init(struct tls_ctx *x, struct tls_conn *c, const struct tls_handshake *h);
bool tls_keys_update(struct tls_ctx *x, struct tls_conn *c, enum tls_dir dir);
void tls_keys_fini(struct tls_ctx *x, struct tls_conn *c);
const uint8_t *tls_key_of(const struct tls_ctx *x, const struct tls_conn *c, enum tls_dir dir);
// RFC 8446 7.1, for out_len up to the length of the hash, without a context.
bool tls_expand_label(struct tls_crypt *x, enum tls_hash hash, const uint8_t *secret,
		      const char *label, uint8_t *out, size_t out_len);

bool tls_crypt_forget(struct tls_crypt *x, enum tls_hash hash); // the last secret

// crypt.c
struct tls_crypt *tls_crypt_new(OSSL_LIB_CTX *lib); // NULL without memory
void tls_crypt_free(struct tls_crypt *x);           // accepts NULL
size_t tls_hash_len(enum tls_hash hash);

// aead_imb.c and aead_evp.c: [TLS_N_SUITES]
const struct tls_aead *tls_aead_imb(void);
const struct tls_aead *tls_aead_evp(void);
