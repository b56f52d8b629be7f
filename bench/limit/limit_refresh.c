// SPDX-License-Identifier: BSD-3-Clause
// The unavoidable work of a refresh answered in the dataplane: 862 bytes of REGISTER with a token of
// 200 in one masked frame in one AES-128-GCM record, 618 bytes of answer. Every tag is checked, every
// answer sealed, keys and leases are each connection's own. No reassembly, no windows, no ACKs. In
// stages over a batch, with prefetch.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <immintrin.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <time.h>

#include "limit_int.h"

static __mmask64 below(size_t n) {
	return n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
}

// Slots of b whose tag is t, two bits each.
static unsigned matches(const struct bucket *b, uint16_t t) {
	return (unsigned)_mm_movemask_epi8(
		_mm_cmpeq_epi16(_mm_loadu_si128((const void *)b->tag), _mm_set1_epi16((short)t)));
}

static void prefetch_buckets(const struct limit *l, const struct bucket *t, uint64_t h) {
	__builtin_prefetch(&t[bucket_of(l, h, 0)]);
	__builtin_prefetch(&t[bucket_of(l, h, 1)]);
}

// Index of the first entry that may be it; UINT32_MAX = none.
static uint32_t candidate(const struct limit *l, const struct bucket *t, uint64_t h) {
	for (unsigned i = 0; i < 2; i++) {
		const struct bucket *b = &t[bucket_of(l, h, i)];
		unsigned m = matches(b, tag_of(h));

		if (m != 0)
			return b->idx[__builtin_ctz(m) / 2];
	}
	return UINT32_MAX;
}

static void prefetch_lines(const void *p, size_t len) {
	for (size_t i = 0; i < len; i += 64)
		__builtin_prefetch((const uint8_t *)p + i);
}

static uint32_t find_flow(const struct limit *l, const struct job *j) {
	for (unsigned i = 0; i < 2; i++) {
		const struct bucket *b = &l->flows[bucket_of(l, j->hash, i)];

		for (unsigned m = matches(b, tag_of(j->hash)); m != 0;
		     m &= ~(3u << (__builtin_ctz(m) & ~1))) {
			uint32_t idx = b->idx[__builtin_ctz(m) / 2];

			if (l->conns[idx].ip == j->ip && l->conns[idx].port == j->port)
				return idx;
		}
	}
	return UINT32_MAX;
}

static bool find_lease(const struct limit *l, const struct job *j) {
	uint64_t h = word(j->digest);

	for (unsigned i = 0; i < 2; i++) {
		const struct bucket *b = &l->lease_index[bucket_of(l, h, i)];

		for (unsigned m = matches(b, tag_of(h)); m != 0;
		     m &= ~(3u << (__builtin_ctz(m) & ~1))) {
			const struct llease *e = &l->leases[b->idx[__builtin_ctz(m) / 2]];

			if (memcmp(e->digest, j->digest, sizeof(e->digest)) == 0)
				return e->end != 0;
		}
	}
	return false;
}

static void nonce_of(const uint8_t iv[12], uint64_t seq, uint8_t out[12]) {
	uint64_t w = word(iv + 4) ^ __builtin_bswap64(seq);

	memcpy(out, iv, 4);
	memcpy(out + 4, &w, sizeof(w));
}

// Every request of a class was sealed as the first of its connection.
static void open_record(struct limit *l, struct job *j) {
	struct lconn *c = &l->conns[j->conn];
	size_t n = ((size_t)j->rec[3] << 8 | j->rec[4]) - TAG_LEN;
	uint8_t nonce[12], tag[TAG_LEN];

	nonce_of(c->keys.rd_iv, 0, nonce);
	IMB_AES128_GCM_PRE(l->imb, c->keys.rd_key, &l->key);
	IMB_AES128_GCM_DEC(l->imb, &l->key, &l->gcm, j->plain, j->rec + REC_HEAD, n, nonce, j->rec,
			   REC_HEAD, tag, TAG_LEN);
	l->n_bad += memcmp(tag, j->rec + REC_HEAD + n, TAG_LEN) != 0;
	c->rd_seq++;
}

static void unmask(uint8_t *to, const uint8_t *from, size_t n, uint32_t mask) {
	const __m512i key = _mm512_set1_epi32((int)mask);

	for (size_t i = 0; i < n; i += 64) {
		__mmask64 k = below(n - i);

		_mm512_mask_storeu_epi8(to + i, k,
					_mm512_xor_si512(_mm512_maskz_loadu_epi8(k, from + i),
							 key));
	}
}

// Which header is this line? By its length of name and first letter, as few as there are.
static int part_of(const uint8_t *line, size_t len) {
	if (len < 24)
		return len > 6 && line[4] == ':' && (line[0] | 32) == 'c' ? CSEQ : -1;
	switch (line[0] | 32) {
	case 'v':
		return line[3] == ':' ? VIA : -1;
	case 'f':
		return line[4] == ':' ? FROM : -1;
	case 't':
		return line[2] == ':' ? TO : -1;
	case 'c':
		return line[7] != ':' ? -1 : (line[1] | 32) == 'a' ? CALL_ID : CONTACT;
	case 'a':
		return memcmp(line, "Authorization: Bearer ", 22) == 0 ? TOKEN : -1;
	default:
		return -1;
	}
}

static unsigned scan(struct job *j, size_t n) {
	const __m512i lf = _mm512_set1_epi8('\n');
	const uint8_t *line = j->sip;
	unsigned seen = 0;

	if (memcmp(line, "REGISTER sip:", 13) != 0)
		return 0;
	for (size_t i = 0; i < n; i += 64) {
		uint64_t m = _mm512_mask_cmpeq_epi8_mask(
			below(n - i), _mm512_maskz_loadu_epi8(below(n - i), j->sip + i), lf);

		for (; m != 0; m &= m - 1) {
			const uint8_t *end = j->sip + i + __builtin_ctzll(m);
			size_t len = (size_t)(end - line) - 1;
			int part = part_of(line, len);

			if (part >= 0) {
				j->part[part] = (struct piece){line, len};
				seen |= 1u << part;
			}
			line = end + 1;
		}
	}
	return seen;
}

static void digest_token(struct job *j) {
	SHA256_CTX s;

	SHA256_Init(&s);
	SHA256_Update(&s, j->part[TOKEN].p + 22, j->part[TOKEN].len - 22);
	SHA256_Final(j->digest, &s);
	digest_of_conn(j->digest, j->conn);
}

static uint8_t *put(uint8_t *o, const void *p, size_t n) {
	memcpy(o, p, n);
	return o + n;
}

#define PUT(o, s) put(o, s, sizeof(s) - 1)

static uint8_t *put_line(uint8_t *o, const struct job *j, int part) {
	return put(o, j->part[part].p, j->part[part].len + 2);
}

// The answer as its frame; returns the end.
static uint8_t *write_answer(const struct job *j, uint8_t *f) {
	uint8_t *o = PUT(f + 4, "SIP/2.0 200 OK\r\n");

	o = put_line(o, j, VIA);
	o = put(o, j->part[TO].p, j->part[TO].len);
	o = PUT(o, ";tag=6b8b4567\r\n");
	for (int part = FROM; part <= CONTACT; part++)
		if (part != TO)
			o = put_line(o, j, part);
	o = PUT(o, "Service-Route: <sip:orig@scscf.ims.mnc001.mcc001.3gppnetwork.org;lr>\r\n"
		   "P-Associated-URI: <sip:p@ims.mnc001.mcc001.3gppnetwork.org>\r\n"
		   "Content-Length: 0\r\n\r\n");
	memcpy(f, (const uint8_t[]){0x81, 126, (uint8_t)((o - f - 4) >> 8), (uint8_t)(o - f - 4)},
	       4);
	*o++ = 0x17;
	return o;
}

static void answer(struct limit *l, struct job *j) {
	struct lconn *c = &l->conns[j->conn];
	uint8_t *b = l->tx[l->at_tx++ % N_TX].b, *rec = b + HEAD_LEN, plain[PACKET_LEN], nonce[12];
	size_t n = (size_t)(write_answer(j, plain) - plain);

	memcpy(rec,
	       (const uint8_t[]){0x17, 3, 3, (uint8_t)((n + TAG_LEN) >> 8), (uint8_t)(n + TAG_LEN)},
	       REC_HEAD);
	nonce_of(c->keys.wr_iv, c->wr_seq++, nonce);
	IMB_AES128_GCM_PRE(l->imb, c->keys.wr_key, &l->key);
	IMB_AES128_GCM_ENC(l->imb, &l->key, &l->gcm, rec + REC_HEAD, plain, n, nonce, rec, REC_HEAD,
			   rec + REC_HEAD + n, TAG_LEN);
	memset(b, 0, HEAD_LEN);
	memcpy(b, c->mac, sizeof(c->mac));
	memcpy(b + 30, &c->ip, sizeof(c->ip));
	memcpy(b + 36, &c->port, sizeof(c->port));
	memcpy(b + 38, &c->snd_nxt, sizeof(c->snd_nxt));
	memcpy(b + 42, &c->rcv_nxt, sizeof(c->rcv_nxt));
	c->snd_nxt += (uint32_t)(REC_HEAD + n + TAG_LEN);
}

static void take(struct limit *l, struct job *j) {
	uint32_t pick = l->picks[l->at_pick++];

	j->rec = l->packets[pick % N_CLASSES].b + HEAD_LEN;
	j->ip = 0x0b000000 + pick;
	j->port = 1024 + pick * 7 % 60000;
	j->hash = flow_hash(j->ip, j->port);
	prefetch_buckets(l, l->flows, j->hash);
}

static void prefetch_conn(struct limit *l, struct job *j) {
	uint32_t idx = candidate(l, l->flows, j->hash);

	if (idx != UINT32_MAX)
		prefetch_lines(&l->conns[idx], sizeof(*l->conns));
}

static void take_segment(struct limit *l, struct job *j) {
	struct lconn *c;

	j->conn = find_flow(l, j);
	if (j->conn == UINT32_MAX) {
		l->n_bad++;
		j->conn = 0;
	}
	c = &l->conns[j->conn];
	c->rcv_nxt += REC_HEAD + FRAME_HEAD + REQUEST_LEN + 1 + TAG_LEN;
	c->snd_una = c->snd_nxt;
	c->seen = l->at_pick;
}

static void read_request(struct limit *l, struct job *j) {
	const uint8_t *f = j->plain;
	size_t n = (size_t)f[2] << 8 | f[3];
	uint32_t mask;

	memcpy(&mask, f + 4, sizeof(mask));
	unmask(j->sip, f + FRAME_HEAD, n, mask);
	l->n_bad += scan(j, n) != (1u << N_PIECES) - 1;
}

static void know_token(struct limit *l, struct job *j) {
	digest_token(j);
	prefetch_buckets(l, l->lease_index, word(j->digest));
}

static void prefetch_lease(struct limit *l, struct job *j) {
	uint32_t idx = candidate(l, l->lease_index, word(j->digest));

	if (idx != UINT32_MAX)
		prefetch_lines(&l->leases[idx], sizeof(*l->leases));
}

static void judge(struct limit *l, struct job *j) {
	l->n_bad += !find_lease(l, j);
}

typedef void stage_fn(struct limit *l, struct job *j);

// Inlined with its stage: no calls through pointers.
__attribute__((always_inline)) static inline void each(struct limit *l, stage_fn *stage) {
	for (unsigned i = 0; i < l->batch; i++)
		stage(l, &l->jobs[i]);
}

static void do_batch(struct limit *l) {
	each(l, take);
	each(l, prefetch_conn);
	each(l, take_segment);
	each(l, open_record);
	each(l, read_request);
	each(l, know_token);
	each(l, prefetch_lease);
	each(l, judge);
	each(l, answer);
}

static uint64_t cpu_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

double limit_refresh_ns(struct limit *l, uint32_t n) {
	uint64_t ns;

	n -= n % l->batch;
	free(l->picks);
	l->picks = calloc(n + 1, sizeof(*l->picks));
	if (l->picks == NULL)
		return -1;
	for (uint32_t i = 0; i < n; i++)
		l->picks[i] = (uint32_t)((draw(l) >> 32) * l->n_conns >> 32);
	l->at_pick = 0;
	ns = cpu_ns();
	for (uint32_t i = 0; i < n; i += l->batch)
		do_batch(l);
	ns = cpu_ns() - ns;
	return l->n_bad > 0 ? -1 : (double)ns / n;
}
