// SPDX-License-Identifier: BSD-3-Clause
// Session tickets (RFC 8446 4.6.1) without state: sealed under a key of the current period, opened
// with that of the period before as well, so that no key serves longer than two. All workers, and
// all gateways that were given the same secret, have the same keys, for they are derived from it.
// Runs on a worker, within a step of a handshake.
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "tls_int.h"

static bool derive(struct tls_ctx *x, const char *what, uint64_t period, uint8_t *out, size_t len) {
	char label[40] = {0};
	struct rg_wr w = rg_wr(label, sizeof(label) - 1);

	rg_puts(&w, what);
	rg_put_u64(&w, period);
	return tls_expand_label(x->crypt, TLS_SHA256, x->ticket_secret, label, out, len);
}

// The key of a period; NULL when it cannot be made. Two are kept, the older one gives way.
static const struct tls_ticket_key *key_of(struct tls_ctx *x, uint64_t period) {
	struct tls_ticket_key *k = &x->ticket_keys[period % 2];

	if (k->is_made && k->period == period)
		return k;
	k->is_made = false;
	k->period = period;
	if (!derive(x, "ticket name ", period, k->name, sizeof(k->name)) ||
	    !derive(x, "ticket key ", period, k->cipher, sizeof(k->cipher)) ||
	    !derive(x, "ticket mac ", period, k->mac, sizeof(k->mac)))
		return NULL;
	k->is_made = tls_crypt_forget(x->crypt, TLS_SHA256);
	return k->is_made ? k : NULL;
}

static bool use(const struct tls_ctx *x, const struct tls_ticket_key *k, const uint8_t *iv,
		EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing) {
	uint8_t mac_key[sizeof(k->mac)];
	const OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, mac_key, sizeof(mac_key)),
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 6),
		OSSL_PARAM_END,
	};
	bool is_ok;

	memcpy(mac_key, k->mac, sizeof(mac_key));
	is_ok = EVP_MAC_CTX_set_params(mac, params) == 1 &&
		EVP_CipherInit_ex2(cipher, x->ticket_cipher, k->cipher, iv, is_sealing, NULL) == 1;
	OPENSSL_cleanse(mac_key, sizeof(mac_key));
	return is_ok;
}

// 0 asks for a full handshake: a ticket that is forged, old or of somebody else is no reason to
// refuse a client. OpenSSL checks the MAC before it looks into the ticket.
int tls_on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		  EVP_MAC_CTX *mac, int is_sealing) {
	struct tls_ctx *x = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	uint64_t now = (x->now_ns + x->ticket_offset_ns) / x->ticket_period_ns;
	const struct tls_ticket_key *k;

	if (is_sealing) {
		k = key_of(x, now);
		if (k == NULL || RAND_bytes_ex(x->lib, iv, 16, 0) != 1 ||
		    !use(x, k, iv, cipher, mac, 1))
			return 0;
		memcpy(name, k->name, sizeof(k->name));
		return 1;
	}
	for (uint64_t age = 0; age < 2; age++) {
		k = key_of(x, now - age);
		if (k != NULL && memcmp(name, k->name, sizeof(k->name)) == 0)
			return use(x, k, iv, cipher, mac, 0) ? 2 : 0; // and a new one: C.4
	}
	return 0;
}

bool tls_tickets_init(struct tls_ctx *x, const struct tls_cfg *cfg) {
	x->n_tickets = cfg->n_tickets;
	if (cfg->n_tickets == 0)
		return true;
	x->ticket_period_ns = cfg->ticket_life_s * UINT64_C(1000000000);
	x->ticket_offset_ns = cfg->ticket_offset_ns;
	memcpy(x->ticket_secret, cfg->ticket_secret, sizeof(x->ticket_secret));
	x->ticket_cipher = EVP_CIPHER_fetch(x->lib, "AES-256-CBC", NULL);
	return x->ticket_cipher != NULL;
}

bool tls_tickets_policy(const struct tls_ctx *x, SSL_CTX *s) {
	if (x->n_tickets == 0)
		return SSL_CTX_set_num_tickets(s, 0) == 1;
	(void)SSL_CTX_set_timeout(s, (long)(x->ticket_period_ns / 1000000000));
	return SSL_CTX_set_num_tickets(s, x->n_tickets) == 1 &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(s, tls_on_ticket) == 1;
}
