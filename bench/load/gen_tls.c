// SPDX-License-Identifier: BSD-3-Clause
// The client's half of the record layer: seals requests before the clock runs, opens the answers
// that are looked at. Uses the ciphers of dataplane/tls, one set for the generator's thread.
#include "gen.h"
#include "tls/tls_int.h"

#define FRAME_HEAD_LEN 8 // of a masked WebSocket frame
#define RECORD_LEN (TLS_HEADER_LEN + FRAME_HEAD_LEN + LOAD_REQUEST_LEN + 1 + TLS_TAG_LEN)
static_assert(RECORD_LEN <= sizeof(((struct request *)0)->rec), "a request fits");

static void make_nonce(const uint8_t *iv, uint64_t seq, uint8_t nonce[TLS_NONCE_LEN]) {
	memcpy(nonce, iv, TLS_NONCE_LEN);
	for (unsigned i = 0; i < 8; i++)
		nonce[TLS_NONCE_LEN - 1 - i] ^= (uint8_t)(seq >> 8 * i);
}

size_t gen_put_frame(uint8_t *f, uint32_t client, uint32_t n) {
	uint32_t mask = (uint32_t)load_mix((uint64_t)client << 32 | n);
	uint8_t *d = f + FRAME_HEAD_LEN, key[4];

	f[0] = 0x80 | WS_TEXT;
	f[1] = 0x80 | 126;
	f[2] = LOAD_REQUEST_LEN >> 8;
	f[3] = LOAD_REQUEST_LEN & 0xff;
	memcpy(key, &mask, sizeof(key));
	memcpy(f + 4, key, sizeof(key));
	load_request(client, n, d);
	for (unsigned i = 0; i < LOAD_REQUEST_LEN; i++)
		d[i] ^= key[i % 4];
	return FRAME_HEAD_LEN + LOAD_REQUEST_LEN;
}

bool gen_seal(struct gen *g, uint32_t client, struct request *out) {
	struct client *c = &g->clients[client];
	const struct tls_aead *a = &g->crypt->aeads[TLS_AES128];
	const size_t n = FRAME_HEAD_LEN + LOAD_REQUEST_LEN + 1;
	uint8_t *rec = out->rec, nonce[TLS_NONCE_LEN];
	struct load_keys k;

	load_keys(client, &k);
	rec[0] = SSL3_RT_APPLICATION_DATA;
	rec[1] = 3;
	rec[2] = 3;
	rec[3] = (uint8_t)((n + TLS_TAG_LEN) >> 8);
	rec[4] = (uint8_t)(n + TLS_TAG_LEN);
	(void)gen_put_frame(rec + TLS_HEADER_LEN, client, c->n_sealed + 1);
	rec[TLS_HEADER_LEN + n - 1] = SSL3_RT_APPLICATION_DATA;
	make_nonce(k.iv[TLS_RD], c->n_sealed++, nonce);
	out->client = client;
	out->len = RECORD_LEN;
	return a->seal(g->crypt, k.key[TLS_RD], nonce, rec, n);
}

// The answer's frame, its status and its Call-ID.
static bool is_answer(struct rg_slice d, uint32_t client) {
	static const char ok[] = "SIP/2.0 200 OK\r\n";
	uint8_t call_id[LOAD_CALL_ID_LEN];

	load_call_id(client, call_id);
	return d.len > 4 && d.p[0] == (0x80 | WS_TEXT) && d.p[1] == 126 &&
	       ((size_t)d.p[2] << 8 | d.p[3]) == d.len - 4 &&
	       rg_is_prefix(rg_skip(d, 4), RG_LIT(ok)) &&
	       memmem(d.p, d.len, call_id, sizeof(call_id)) != NULL;
}

bool gen_check(struct gen *g, uint32_t client, struct rg_slice record) {
	const struct tls_aead *a = &g->crypt->aeads[TLS_AES128];
	uint8_t nonce[TLS_NONCE_LEN], plain[4096];
	struct load_keys k;
	size_t n;

	if (record.len < TLS_HEADER_LEN + TLS_TAG_LEN + 1 || record.len > sizeof(plain))
		return false;
	n = record.len - TLS_HEADER_LEN - TLS_TAG_LEN;
	load_keys(client, &k);
	make_nonce(k.iv[TLS_WR], g->clients[client].n_opened, nonce);
	return a->open(g->crypt, k.key[TLS_WR], nonce, record, plain) &&
	       plain[n - 1] == SSL3_RT_APPLICATION_DATA &&
	       is_answer(rg_slice(plain, n - 1), client);
}
