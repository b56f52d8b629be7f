// SPDX-License-Identifier: BSD-3-Clause
// The look at a ClientHello: what a prefix is, once it is anything, the rest cannot change; how the
// message is spread over records does not matter; what is taken is never more than it may be.
#include "fuzz.h"
#include "tls/hello.h"

static uint8_t scratch[2][TLS_HELLO_MAX];

static int peek(unsigned place, struct rg_slice in, struct tls_hello *h, struct tls_refusal *why) {
	static const struct tls_hello no_hello;
	static const struct tls_refusal no_refusal = {9, 9, 9};
	int rc;

	memset(h, 0, sizeof(*h));
	*why = no_refusal;
	rc = tls_hello_peek(fuzz_guard(place, in), scratch[place], h, why);
	FUZZ_CHECK(rc == RG_OK || rc == RG_MORE || rc == RG_E_PROTO || rc == RG_E_UNSUPPORTED ||
		   rc == RG_E_LIMIT);
	FUZZ_CHECK(rc == RG_OK || memcmp(h, &no_hello, sizeof(*h)) == 0);
	FUZZ_CHECK(rc < RG_OK ? why->kind <= TLS_SAY_HTTP
			      : memcmp(why, &no_refusal, sizeof(*why)) == 0);
	if (rc == RG_E_UNSUPPORTED)
		FUZZ_CHECK(why->kind == TLS_SAY_ALERT && why->alert == 70);
	return rc;
}

// The message of the records of `in`, which are whole, in records of at most n bytes.
static struct rg_slice split(struct rg_slice in, size_t n) {
	static uint8_t message[FUZZ_GUARD_MAX], out[8 * FUZZ_GUARD_MAX];
	struct rg_wr m = rg_wr(message, sizeof(message)), w = rg_wr(out, sizeof(out));
	struct rg_rd rd = rg_rd(in);
	struct rg_slice rest;

	while (rd.p < rd.end) {
		rg_rd_be(&rd, 3);
		rg_put(&m, rg_rd_bytes(&rd, rg_rd_be(&rd, 2)));
		FUZZ_CHECK(!rd.bad);
	}
	for (rest = rg_wr_slice(&m); rest.len > 0; rest = rg_skip(rest, n)) {
		size_t part = rest.len < n ? rest.len : n;

		rg_put_be(&w, 0x160301, 3);
		rg_put_be(&w, part, 2);
		rg_put(&w, rg_slice(rest.p, part));
	}
	FUZZ_CHECK(!m.overflow && !w.overflow);
	return rg_wr_slice(&w);
}

static void check_hello(struct rg_slice in, const struct tls_hello *h) {
	static const size_t sizes[] = {16384, 1, 100};
	uint8_t name[TLS_HELLO_MAX];
	struct tls_refusal why;
	struct tls_hello other;

	FUZZ_CHECK(h->len <= in.len && h->sni.len < TLS_HELLO_MAX);
	in.len = h->len;
	if (h->sni.len > 0)
		memcpy(name, h->sni.p, h->sni.len); // its place is used again below
	for (size_t i = 0; i < 3; i++) {
		struct rg_slice again = split(in, sizes[i]);

		if (again.len > FUZZ_GUARD_MAX)
			continue;
		FUZZ_CHECK(peek(1, again, &other, &why) == RG_OK && other.len == again.len);
		FUZZ_CHECK(other.legacy_version == h->legacy_version &&
			   other.has_alpn == h->has_alpn && other.has_ticket == h->has_ticket &&
			   other.has_psk == h->has_psk &&
			   other.has_early_data == h->has_early_data);
		FUZZ_CHECK(rg_eq(other.sni, rg_slice(name, h->sni.len)));
	}
}

// In pieces of n bytes, what was seen overwritten: the same as at once, but for what lies inside the
// message.
static void check_pieces(struct rg_slice in, size_t n, int rc, const struct tls_refusal *why) {
	static uint8_t b[FUZZ_GUARD_MAX];
	static const struct tls_refusal no_refusal = {9, 9, 9};
	struct tls_refusal part_why = no_refusal;
	struct tls_hello_scan s = {0};
	int part = RG_MORE;

	for (size_t len = 0; len < in.len && part == RG_MORE;) {
		len = in.len - len < n ? in.len : len + n;
		memset(b, 0xff, s.pos);
		memcpy(b + s.pos, in.p + s.pos, len - s.pos);
		part = tls_hello_scan(fuzz_guard(1, rg_slice(b, len)), &s, &part_why);
	}
	FUZZ_CHECK(part == rc || part == RG_OK);
	FUZZ_CHECK((part == RG_MORE) == (rc == RG_MORE));
	if (part < RG_OK)
		FUZZ_CHECK(memcmp(&part_why, why, sizeof(*why)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	struct rg_slice in = rg_slice(p, len);
	struct tls_refusal why, part_why;
	struct tls_hello h, part_hello;
	int rc;

	if (len > 40000)
		return 0;
	rc = peek(0, in, &h, &why);
	FUZZ_CHECK(rc < RG_OK || len < 5 || p[0] != 22 || (p[3] << 8 | p[4]) <= 16384);
	FUZZ_CHECK(rc != RG_MORE || len < 2 * TLS_HELLO_MAX * 6); // each byte may have a header
	for (size_t n = 0; n < len; n = fuzz_next_cut(n)) {
		int part = peek(1, rg_slice(p, n), &part_hello, &part_why);

		FUZZ_CHECK(part == RG_MORE || part == rc);
		FUZZ_CHECK(rc != RG_OK || (part == RG_OK) == (n >= h.len));
		FUZZ_CHECK(part >= RG_OK ||
			   (part_why.kind == why.kind && part_why.alert == why.alert &&
			    part_why.version == why.version));
	}
	check_pieces(in, 1 + len / 50, rc, &why);
	if (rc == RG_OK)
		check_hello(in, &h);
	return 0;
}
