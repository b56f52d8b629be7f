// SPDX-License-Identifier: BSD-3-Clause
// Records of a connection whose keys were taken over (RFC 8446 5.2, 7.3). The ciphers are those of
// dataplane/tls: AES-GCM of a REGISTER costs a fifth of a microsecond, so nothing is sealed ahead.
#include "sock_int.h"

static const struct tls_aead *aead_of(const struct sock *s, const struct conn *c) {
	return &s->crypt->aeads[c->suite];
}

bool sock_keys_init(struct sock *s, struct conn *c, enum tls_dir dir, const uint8_t *secret,
		    uint64_t seq) {
	const struct tls_aead *a = aead_of(s, c);
	struct keys *k = &c->keys[dir];

	k->seq = seq;
	return tls_expand_label(s->crypt, a->hash, secret, "key", k->key, a->key_len) &&
	       tls_expand_label(s->crypt, a->hash, secret, "iv", k->iv, sizeof(k->iv));
}

static void nonce_next(struct keys *k, uint8_t nonce[TLS_NONCE_LEN]) {
	memcpy(nonce, k->iv, TLS_NONCE_LEN);
	for (unsigned i = 0; i < 8; i++)
		nonce[TLS_NONCE_LEN - 1 - i] ^= (uint8_t)(k->seq >> 8 * i);
	k->seq++;
}

size_t sock_seal(struct sock *s, struct conn *c, uint8_t type, struct rg_slice d, uint8_t *out) {
	size_t len = 0;

	do { // an empty one too
		size_t n = d.len < TLS_MAX_PLAIN ? d.len : TLS_MAX_PLAIN;
		uint8_t *rec = out + len, nonce[TLS_NONCE_LEN];
		struct rg_wr w = rg_wr(rec, TLS_HEADER_LEN);

		rg_put_be(&w, SSL3_RT_APPLICATION_DATA, 1);
		rg_put_be(&w, TLS1_2_VERSION, 2);
		rg_put_be(&w, n + 1 + TLS_TAG_LEN, 2);
		if (n > 0)
			memmove(rec + TLS_HEADER_LEN, d.p, n);
		rec[TLS_HEADER_LEN + n] = type;
		nonce_next(&c->keys[TLS_WR], nonce);
		(void)aead_of(s, c)->seal(s->crypt, c->keys[TLS_WR].key, nonce, rec, n + 1);
		len += TLS_HEADER_LEN + n + 1 + TLS_TAG_LEN;
		d = rg_skip(d, n);
	} while (d.len > 0);
	return len;
}

int sock_open(struct sock *s, struct conn *c, struct rg_slice in, size_t *len, uint8_t *type,
	      struct rg_slice *plain, const char **why) {
	struct rg_rd rd = rg_rd(in);
	uint8_t outer = (uint8_t)rg_rd_be(&rd, 1), nonce[TLS_NONCE_LEN];
	uint64_t version = rg_rd_be(&rd, 2), n = rg_rd_be(&rd, 2);

	if (rd.bad)
		return RG_MORE;
	if (outer != SSL3_RT_APPLICATION_DATA || version != TLS1_2_VERSION || n > TLS_MAX_CIPHER ||
	    n <= TLS_TAG_LEN) {
		*why = "something that is no TLS 1.3 record";
		return RG_E_PROTO;
	}
	*len = TLS_HEADER_LEN + (size_t)n;
	if (*len > in.len)
		return RG_MORE;
	nonce_next(&c->keys[TLS_RD], nonce);
	if (!aead_of(s, c)->open(s->crypt, c->keys[TLS_RD].key, nonce, rg_slice(in.p, *len),
				 s->plain)) {
		*why = "a TLS record that does not verify";
		return RG_E_PROTO;
	}
	n -= TLS_TAG_LEN;
	while (n > 0 && s->plain[n - 1] == 0) // padding (RFC 8446 5.4)
		n--;
	if (n == 0) {
		*why = "a TLS record without a content type";
		return RG_E_PROTO;
	}
	*type = s->plain[n - 1];
	*plain = rg_slice(s->plain, (size_t)n - 1);
	return RG_OK;
}
