// SPDX-License-Identifier: BSD-3-Clause
// What a TLS record costs: open and seal at the sizes of a REGISTER refresh, for each suite and
// engine, through tls_input() and tls_write() over as many connections as stay in the cache. Next
// to it the bare calls of libipsec-mb, with the key expanded for each record and once for all.
#include "bench.h"
#include "tls/tls_int.h"

#define N_CONNS 2048
#define OPEN_LEN 870 // REGISTER of 862 bytes in a masked WebSocket frame
#define SEAL_LEN 622 // its answer in a frame
#define RECORD_LEN(n) (TLS_HEADER_LEN + (n) + 1 + TLS_TAG_LEN)

struct work {
	struct tls_ctx ctx;
	union tls_secrets secrets[N_CONNS];
	struct tls_long more[N_CONNS];
	enum tls_suite suite;
	const struct tls_aead *aeads;
	uint64_t n_bytes; // that came out
	uint64_t at;
	struct tls_conn conns[N_CONNS];
	uint8_t records[N_CONNS][(RECORD_LEN(OPEN_LEN) + 63) / 64 * 64];
};

static void take_plain(void *arg, struct rg_slice d) {
	((struct work *)arg)->n_bytes += d.len;
}

static int take_cipher(void *arg, struct rg_slice d) {
	((struct work *)arg)->n_bytes += d.len;
	return 0;
}

static int keep_cipher(void *arg, struct rg_slice d) {
	struct work *w = arg;

	memcpy(w->records[w->at], d.p, d.len);
	return 0;
}

static uint32_t one_source(void *arg) {
	(void)arg;
	return 0;
}

static void run_open(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	const struct tls_sink sink = {w, take_plain, take_cipher, one_source};

	w->ctx.crypt->aeads = w->aeads;
	for (uint64_t i = 0; i < n_ops; i++) {
		struct tls_conn *c = &w->conns[w->at];

		c->seq[TLS_RD] = 0;
		if (tls_input(&w->ctx, c, rg_slice(w->records[w->at], RECORD_LEN(OPEN_LEN)),
			      &sink) != 0)
			abort();
		w->at = (w->at + 1) % N_CONNS;
	}
}

static void run_seal(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	const struct tls_sink sink = {w, take_plain, take_cipher, one_source};
	static uint8_t answer[SEAL_LEN];

	w->ctx.crypt->aeads = w->aeads;
	for (uint64_t i = 0; i < n_ops; i++) {
		struct tls_conn *c = &w->conns[w->at];

		c->seq[TLS_WR] &= 0xffff;
		if (tls_write(&w->ctx, c, rg_slice(answer, SEAL_LEN), &sink) != 0)
			abort();
		w->at = (w->at + 1) % N_CONNS;
	}
}

// The least there is: expand, open or seal, no look at the tag.
static void run_bare_open(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	struct tls_crypt *x = w->ctx.crypt;
	uint8_t tag[TLS_TAG_LEN];

	for (uint64_t i = 0; i < n_ops; i++) {
		struct tls_conn *c = &w->conns[w->at];
		const uint8_t *r = w->records[w->at];

		IMB_AES128_GCM_PRE(x->imb, c->key[TLS_RD], &x->gcm_key);
		IMB_AES128_GCM_DEC(x->imb, &x->gcm_key, &x->gcm, w->ctx.plain, r + TLS_HEADER_LEN,
				   OPEN_LEN + 1, c->iv[TLS_RD], r, TLS_HEADER_LEN, tag,
				   TLS_TAG_LEN);
		w->at = (w->at + 1) % N_CONNS;
	}
	bench_keep(tag[0]);
}

static void run_bare_seal(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	struct tls_crypt *x = w->ctx.crypt;
	uint8_t *r = w->ctx.sealed;

	for (uint64_t i = 0; i < n_ops; i++) {
		struct tls_conn *c = &w->conns[w->at];

		IMB_AES128_GCM_PRE(x->imb, c->key[TLS_WR], &x->gcm_key);
		IMB_AES128_GCM_ENC(x->imb, &x->gcm_key, &x->gcm, r + TLS_HEADER_LEN,
				   r + TLS_HEADER_LEN, SEAL_LEN + 1, c->iv[TLS_WR], r,
				   TLS_HEADER_LEN, r + TLS_HEADER_LEN + SEAL_LEN + 1, TLS_TAG_LEN);
		w->at = (w->at + 1) % N_CONNS;
	}
}

// As run_bare_open(), each connection's key kept expanded: 1 KiB of it per direction. These few
// connections are its best case.
static struct gcm_key_data expanded[N_CONNS] __attribute__((aligned(64)));

static void run_kept_open(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	struct tls_crypt *x = w->ctx.crypt;
	uint8_t tag[TLS_TAG_LEN];

	for (uint64_t i = 0; i < n_ops; i++) {
		const uint8_t *r = w->records[w->at];

		IMB_AES128_GCM_DEC(x->imb, &expanded[w->at], &x->gcm, w->ctx.plain,
				   r + TLS_HEADER_LEN, OPEN_LEN + 1, w->conns[w->at].iv[TLS_RD], r,
				   TLS_HEADER_LEN, tag, TLS_TAG_LEN);
		w->at = (w->at + 1) % N_CONNS;
	}
	bench_keep(tag[0]);
}

static bool fill(struct work *w) {
	const struct tls_sink sink = {w, take_plain, keep_cipher, one_source};
	static uint8_t request[OPEN_LEN];

	w->ctx.crypt->aeads = w->aeads;
	for (w->at = 0; w->at < N_CONNS; w->at++) {
		struct tls_conn *c = &w->conns[w->at];

		tls_conn_init(c, (uint32_t)w->at);
		c->suite = w->suite;
		c->is_established = true;
		for (int i = 0; i < 16; i++)
			c->key[TLS_RD][i] = c->key[TLS_WR][i] = (uint8_t)(w->at * 31 + (uint64_t)i);
		for (int i = 0; w->suite != TLS_AES128 && i < TLS_MAX_KEY; i++)
			w->more[w->at].key[TLS_RD][i] = w->more[w->at].key[TLS_WR][i] =
				(uint8_t)(w->at * 31 + (uint64_t)i);
		if (w->suite != TLS_AES128)
			w->secrets[w->at].more = &w->more[w->at];
		if (w->suite == TLS_AES128 && w->ctx.crypt->imb != NULL)
			IMB_AES128_GCM_PRE(w->ctx.crypt->imb, c->key[TLS_RD], &expanded[w->at]);
		if (tls_write(&w->ctx, c, rg_slice(request, OPEN_LEN), &sink) != 0)
			return false;
	}
	w->at = 0;
	return true;
}

int main(int argc, char **argv) {
	static const char *const names[2][TLS_N_SUITES][2] = {
		{{"imb_aes128_open", "imb_aes128_seal"},
		 {"imb_aes256_open", "imb_aes256_seal"},
		 {"imb_chacha_open", "imb_chacha_seal"}},
		{{"evp_aes128_open", "evp_aes128_seal"},
		 {"evp_aes256_open", "evp_aes256_seal"},
		 {"evp_chacha_open", "evp_chacha_seal"}},
	};
	static struct work works[2][TLS_N_SUITES] __attribute__((aligned(64)));
	struct bench_case cases[16];
	size_t n = 0;

	for (int engine = 0; engine < 2; engine++)
		for (int suite = 0; suite < TLS_N_SUITES; suite++) {
			struct work *w = &works[engine][suite];

			w->ctx.crypt = tls_crypt_new(NULL);
			w->suite = suite;
			w->ctx.secrets = w->secrets;
			w->aeads = engine == 0 ? tls_aead_imb() : tls_aead_evp();
			if (w->ctx.crypt == NULL || (engine == 0 && w->ctx.crypt->imb == NULL) ||
			    !fill(w)) {
				fprintf(stderr, "no memory, or no processor for ipsec-mb\n");
				return 1;
			}
			cases[n++] =
				(struct bench_case){names[engine][suite][0], OPEN_LEN, run_open, w};
			cases[n++] =
				(struct bench_case){names[engine][suite][1], SEAL_LEN, run_seal, w};
		}
	cases[n++] = (struct bench_case){"bare_aes128_open", OPEN_LEN, run_bare_open, &works[0][0]};
	cases[n++] = (struct bench_case){"bare_aes128_seal", SEAL_LEN, run_bare_seal, &works[0][0]};
	cases[n++] = (struct bench_case){"kept_aes128_open", OPEN_LEN, run_kept_open, &works[0][0]};
	return bench_main(argc, argv, cases, n);
}
