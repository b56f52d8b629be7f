// SPDX-License-Identifier: BSD-3-Clause
// Tags of tokens against the definition computed bit by bit, and leases found by them: what is
// remembered is used, and never believed against the table.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "reg/reg.h"

#define N_BUCKETS 8

static struct rg_lease_bucket buckets[N_BUCKETS];
static const struct rg_lease_table table = {.buckets = buckets, .n_buckets = N_BUCKETS};
static struct reg_tag_key key;
static struct reg_tokens tokens = {.leases = &table, .key = &key};
static struct reg_flow flow;
static struct rg_digest digest;
static struct rg_lease_view view;

static uint64_t next(uint64_t *seed) {
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15); // splitmix64

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void fill(void *p, size_t len, uint64_t seed) {
	for (size_t i = 0; i < len; i++)
		((uint8_t *)p)[i] = (uint8_t)next(&seed);
}

static void setup(void) {
	static const uint8_t digest_key[RG_DIGEST_KEY_LEN] = {1};

	fill(&key, sizeof(key), 1);
	memset(buckets, 0, sizeof(buckets));
	flow = (struct reg_flow){.bound.lease_idx = RG_LEASE_NONE};
	tokens.digester = rg_digester_new(digest_key);
	ck_assert_ptr_nonnull(tokens.digester);
}

static void teardown(void) {
	for (unsigned i = 0; i < N_BUCKETS; i++)
		for (unsigned k = 0; k < 7; k++)
			free(buckets[i].slot[k]);
	rg_digester_free(tokens.digester);
}

// --- the hash, slowly

struct poly { // over GF(2), 127 bits
	uint64_t low, high;
};

static struct poly mul(uint64_t a, uint64_t b) {
	struct poly p = {0};

	for (unsigned i = 0; i < 64; i++) {
		if ((b >> i & 1) == 0)
			continue;
		p.low ^= a << i;
		p.high ^= i == 0 ? 0 : a >> (64 - i);
	}
	return p;
}

// Modulo x^64 + x^4 + x^3 + x + 1, from the top bit down.
static uint64_t reduced(struct poly p) {
	for (unsigned i = 64; i-- > 0;) {
		if ((p.high >> i & 1) == 0)
			continue;
		p.low ^= UINT64_C(0x1b) << i;
		p.high ^= i == 0 ? 0 : UINT64_C(0x1b) >> (64 - i);
	}
	return p.low;
}

static uint64_t word(const uint8_t *p) {
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static void add(struct poly *sum, const uint8_t block[16], const uint8_t *k) {
	struct poly p = mul(word(block) ^ word(k), word(block + 8) ^ word(k + 8));

	sum->low ^= p.low;
	sum->high ^= p.high;
}

static uint64_t slow_tag(const uint8_t *p, size_t len) {
	struct poly sum = mul(key.len[0] ^ len, key.len[1]);
	uint8_t last[16] = {0};
	size_t i = 0;

	for (; i + 16 <= len; i += 16)
		add(&sum, p + i, key.blocks + i);
	memcpy(last, len < 16 ? p : p + len - 16, len < 16 ? len : 16);
	if (i < len)
		add(&sum, last, key.blocks + i);
	sum.low ^= reduced(mul(sum.high, key.fold));
	return sum.low == 0 ? 1 : sum.low;
}

START_TEST(as_defined) {
	static const size_t lens[] = {0, 1, 15, 16, 17, 31, 32, 33, 200, 201, 4095, RG_TOKEN_MAX};
	static uint8_t buf[RG_TOKEN_MAX];
	size_t n = lens[_i];

	fill(buf, n, 7 + n);
	ck_assert_uint_eq(reg_token_tag(&key, guard_copy(rg_slice(buf, n))), slow_tag(buf, n));
}
END_TEST

// Every bit of a token and its length count; none when it is too long.
START_TEST(all_bits_count) {
	uint8_t buf[RG_TOKEN_MAX + 1];
	uint64_t t;

	fill(buf, sizeof(buf), 3);
	t = reg_token_tag(&key, rg_slice(buf, 203));
	for (unsigned i = 0; i < 203 * 8; i++) {
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert_uint_ne(reg_token_tag(&key, rg_slice(buf, 203)), t);
		buf[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ck_assert_uint_eq(reg_token_tag(&key, rg_slice(buf, 203)), t);
	memset(buf, 0, 64);
	for (unsigned n = 1; n < 64; n++)
		ck_assert_uint_ne(reg_token_tag(&key, rg_slice(buf, n)),
				  reg_token_tag(&key, rg_slice(buf, n - 1)));
	ck_assert_uint_eq(reg_token_tag(&key, rg_slice(buf, sizeof(buf))), 0);
}
END_TEST

// --- leases by them

static void put(const char *token, unsigned slot, uint32_t idx) {
	static struct rg_lease_shared nothing;
	struct rg_lease *l = calloc(1, sizeof(*l));
	struct rg_lease_bucket *b;

	ck_assert_ptr_nonnull(l);
	rg_token_digest(tokens.digester, rg_str(token), &l->digest);
	l->idx = idx;
	l->shared = &nothing;
	b = &buckets[rg_lease_bucket_1(&l->digest, table.n_buckets)];
	free(b->slot[slot]);
	b->slot[slot] = l;
	b->tags |= (uint64_t)rg_lease_tag(&l->digest) << 8 * slot;
}

static struct rg_lease *lease_of(const char *token) {
	struct rg_digest d;

	rg_token_digest(tokens.digester, rg_str(token), &d);
	for (unsigned i = 0; i < N_BUCKETS; i++)
		for (unsigned k = 0; k < 7; k++)
			if (buckets[i].slot[k] != NULL &&
			    memcmp(&buckets[i].slot[k]->digest, &d, sizeof(d)) == 0)
				return buckets[i].slot[k];
	ck_abort_msg("%s has no lease", token);
}

static bool find(const char *token) {
	struct rg_digest want;
	bool is_found;

	rg_token_digest(tokens.digester, rg_str(token), &want);
	memset(&digest, 0, sizeof(digest));
	is_found = reg_find_lease(&tokens, &flow, rg_str(token), &digest, &view);
	ck_assert_mem_eq(&digest, &want, sizeof(want));
	if (is_found)
		ck_assert_mem_eq(view.digest, &want, sizeof(want));
	return is_found;
}

START_TEST(known_needs_no_digest) {
	struct rg_digester *digester = tokens.digester;

	put("aaa.bbb.ccc", 4, 17);
	ck_assert(find("aaa.bbb.ccc"));
	ck_assert_uint_eq(view.idx, 17);
	tokens.digester = NULL; // whoever digests now, crashes
	digest = (struct rg_digest){0};
	ck_assert(reg_find_lease(&tokens, &flow, RG_LIT("aaa.bbb.ccc"), &digest, &view));
	ck_assert_uint_eq(view.idx, 17);
	ck_assert_mem_eq(&digest, view.digest, sizeof(digest));
	tokens.digester = digester;
}
END_TEST

START_TEST(other_token) {
	put("aaa.bbb.ccc", 4, 17);
	put("aaa.bbb.ddd", 5, 18);
	ck_assert(!find("aaa.bbb.cc"));
	ck_assert_uint_eq(flow.mark, 0); // nothing to remember
	ck_assert(find("aaa.bbb.ccc"));
	ck_assert(!find("aaa.bbb.cc"));
	ck_assert(!find("aaa.bbb.cccc"));
	ck_assert(!find(""));
	ck_assert(find("aaa.bbb.ddd"));
	ck_assert_uint_eq(view.idx, 18);
	ck_assert(find("aaa.bbb.ccc"));
	ck_assert_uint_eq(view.idx, 17);
}
END_TEST

START_TEST(revoked) {
	struct rg_lease *l;

	put("aaa.bbb.ccc", 4, 17);
	ck_assert(find("aaa.bbb.ccc"));
	l = lease_of("aaa.bbb.ccc");
	buckets[flow.lease_at >> 3].slot[4] = NULL;
	ck_assert(!find("aaa.bbb.ccc"));
	free(l);
}
END_TEST

// The place is another lease's now; and the lease came back elsewhere.
START_TEST(place_taken) {
	struct rg_lease *l;
	uint32_t at;

	put("aaa.bbb.ccc", 4, 17);
	ck_assert(find("aaa.bbb.ccc"));
	at = flow.lease_at;
	l = lease_of("aaa.bbb.ccc");
	rg_token_digest(tokens.digester, RG_LIT("other"), &l->digest);
	ck_assert(!find("aaa.bbb.ccc"));
	put("aaa.bbb.ccc", 6, 19);
	ck_assert(find("aaa.bbb.ccc"));
	ck_assert_uint_eq(view.idx, 19);
	ck_assert_uint_ne(flow.lease_at, at);
}
END_TEST

// What is published in its stead counts, and its state as it is now.
START_TEST(replaced) {
	put("aaa.bbb.ccc", 4, 17);
	ck_assert(find("aaa.bbb.ccc"));
	put("aaa.bbb.ccc", 4, 99);
	lease_of("aaa.bbb.ccc")->state = RG_LEASE_ENDING;
	ck_assert(find("aaa.bbb.ccc"));
	ck_assert_uint_eq(view.idx, 99);
	ck_assert_uint_eq(view.state, RG_LEASE_ENDING);
}
END_TEST

START_TEST(prefetch) {
	reg_prefetch(&table, &flow);
	reg_prefetch_lease(&table, &flow);
	put("aaa.bbb.ccc", 4, 17);
	ck_assert(find("aaa.bbb.ccc"));
	reg_prefetch(&table, &flow);
	reg_prefetch_lease(&table, &flow);
	ck_assert(find("aaa.bbb.ccc"));
}
END_TEST

int main(void) {
	Suite *s = suite_create("reg_token");
	TCase *t = tcase_create("token");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, as_defined, 0, 12);
	tcase_add_test(t, all_bits_count);
	tcase_add_test(t, known_needs_no_digest);
	tcase_add_test(t, other_token);
	tcase_add_test(t, revoked);
	tcase_add_test(t, place_taken);
	tcase_add_test(t, replaced);
	tcase_add_test(t, prefetch);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
