// SPDX-License-Identifier: BSD-3-Clause
// Fills the tables of the yardstick: connections, leases, their indexes, sealed requests.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "limit_int.h"

static void *table(size_t n, size_t size) {
	void *p = mmap(NULL, n * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, n * size, MADV_HUGEPAGE);
	memset(p, 0, n * size);
	return p;
}

static unsigned used(const struct bucket *b) {
	unsigned n = 0;

	while (n < PER_BUCKET && b->tag[n] != 0)
		n++;
	return n;
}

static bool insert(struct limit *l, struct bucket *t, uint64_t h, uint32_t idx) {
	struct bucket *a = &t[bucket_of(l, h, 0)], *b = &t[bucket_of(l, h, 1)];
	struct bucket *to = used(b) < used(a) ? b : a;
	unsigned n = used(to);

	if (n == PER_BUCKET)
		return false;
	to->tag[n] = tag_of(h);
	to->idx[n] = idx;
	return true;
}

static size_t write_request(char *out, size_t len, uint32_t class, const char *token) {
	return (size_t)snprintf(
		out, len,
		"REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\n"
		"Via: SIP/2.0/WSS w%08u.invalid;branch=z9hG4bK%08u\r\n"
		"Max-Forwards: 69\r\n"
		"To: <sip:p%08u@ims.mnc001.mcc001.3gppnetwork.org>\r\n"
		"From: <sip:p%08u@ims.mnc001.mcc001.3gppnetwork.org>;tag=t%08u\r\n"
		"Call-ID: kqct9mrk04l9g2q5ngism%08u\r\n"
		"CSeq: %08u REGISTER\r\n"
		"Contact: <sip:k%08u@w%08u.invalid;transport=ws>;+sip.ice;reg-id=1;"
		"+sip.instance=\"<urn:uuid:6f0d2c1e-93ab-4b57-8e21-5d7c%08u>\";expires=600\r\n"
		"Expires: 600\r\n"
		"Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\n"
		"Supported: path,gruu,outbound\r\n"
		"User-Agent: JsSIP 3.13.8\r\n"
		"Authorization: Bearer %s\r\n"
		"Content-Length: 0\r\n\r\n",
		class, class, class, class, class, class, class, class, class, class, token);
}

static void fill_random(struct limit *l, uint8_t *p, size_t n) {
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)draw(l);
}

// One class: its token's digest, and its request sealed under its key. False when the text has not
// the length it should have.
static bool make_class(struct limit *l, uint32_t class, const struct lkeys *k, uint8_t digest[32]) {
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const size_t n = FRAME_HEAD + REQUEST_LEN + 1;
	char text[REQUEST_LEN + 64], token[TOKEN_LEN + 1] = {0};
	uint8_t *rec = l->packets[class].b + HEAD_LEN, *f = rec + REC_HEAD;

	for (size_t i = 0; i < TOKEN_LEN; i++)
		token[i] = digits[draw(l) & 63];
	SHA256((const uint8_t *)token, TOKEN_LEN, digest);
	if (write_request(text, sizeof(text), class, token) != REQUEST_LEN)
		return false;
	memcpy(rec, (const uint8_t[]){0x17, 3, 3, (n + TAG_LEN) >> 8, (n + TAG_LEN) & 0xff},
	       REC_HEAD);
	memcpy(f, (const uint8_t[]){0x81, 0xfe, REQUEST_LEN >> 8, REQUEST_LEN & 0xff}, 4);
	fill_random(l, f + 4, 4);
	for (size_t i = 0; i < REQUEST_LEN; i++)
		f[FRAME_HEAD + i] = (uint8_t)text[i] ^ f[4 + i % 4];
	f[n - 1] = 0x17;
	IMB_AES128_GCM_PRE(l->imb, k->rd_key, &l->key);
	IMB_AES128_GCM_ENC(l->imb, &l->key, &l->gcm, f, f, n, k->rd_iv, rec, REC_HEAD, f + n,
			   TAG_LEN);
	return true;
}

static bool make_conns(struct limit *l) {
	uint8_t(*digests)[32] = calloc(N_CLASSES, sizeof(*digests));
	bool is_ok = digests != NULL;

	for (uint32_t i = 0; is_ok && i < l->n_conns; i++) {
		uint32_t class = i % N_CLASSES;
		struct lconn *c = &l->conns[i];

		if (i < N_CLASSES) {
			fill_random(l, (uint8_t *)&c->keys, sizeof(c->keys));
			is_ok = make_class(l, class, &c->keys, digests[class]);
		} else {
			c->keys = l->conns[class].keys;
		}
		c->ip = 0x0b000000 + i;
		c->port = (uint16_t)(1024 + i * 7 % 60000);
		memcpy(l->leases[i].digest, digests[class], 32);
		digest_of_conn(l->leases[i].digest, i);
		l->leases[i].end = 1;
		is_ok = is_ok && insert(l, l->flows, flow_hash(c->ip, c->port), i) &&
			insert(l, l->lease_index, word(l->leases[i].digest), i);
	}
	free(digests);
	return is_ok;
}

struct limit *limit_new(uint32_t n_conns, unsigned batch) {
	struct limit *l = aligned_alloc(64, sizeof(*l));
	uint64_t n = 2;

	if (l == NULL)
		return NULL;
	memset(l, 0, sizeof(*l));
	n_conns = n_conns < N_CLASSES ? N_CLASSES : n_conns;
	while (n * PER_BUCKET * 6 / 10 < n_conns)
		n *= 2;
	l->n_conns = n_conns;
	l->batch = batch < 1 || batch > MAX_BATCH ? MAX_BATCH : batch;
	l->mask = (uint32_t)(n - 1);
	l->rng = 1;
	l->conns = table(n_conns, sizeof(*l->conns));
	l->leases = table(n_conns, sizeof(*l->leases));
	l->flows = table(n, sizeof(*l->flows));
	l->lease_index = table(n, sizeof(*l->lease_index));
	l->packets = table(N_CLASSES, sizeof(*l->packets));
	l->tx = table(N_TX, sizeof(*l->tx));
	l->imb = alloc_mb_mgr(0);
	if (l->conns == NULL || l->leases == NULL || l->flows == NULL || l->lease_index == NULL ||
	    l->packets == NULL || l->tx == NULL || l->imb == NULL ||
	    !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
		goto err;
	init_mb_mgr_auto(l->imb, NULL);
	if (!make_conns(l))
		goto err;
	return l;
err:
	limit_free(l);
	return NULL;
}

static void give(void *p, size_t len) {
	if (p != NULL)
		munmap(p, len);
}

void limit_free(struct limit *l) {
	size_t n;

	if (l == NULL)
		return;
	n = (size_t)l->mask + 1;
	give(l->conns, l->n_conns * sizeof(*l->conns));
	give(l->leases, l->n_conns * sizeof(*l->leases));
	give(l->flows, n * sizeof(*l->flows));
	give(l->lease_index, n * sizeof(*l->lease_index));
	give(l->packets, N_CLASSES * sizeof(*l->packets));
	give(l->tx, N_TX * sizeof(*l->tx));
	if (l->imb != NULL)
		free_mb_mgr(l->imb);
	free(l->picks);
	free(l);
}
