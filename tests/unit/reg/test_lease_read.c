// SPDX-License-Identifier: BSD-3-Clause
// The reader of the lease table against tables laid out by hand: both buckets, every slot, tags
// that lie, places, and what the view points to.
#include <check.h>
#include <stdlib.h>

#include "regate/lease.h"

#define N_BUCKETS 8

static struct rg_lease_bucket buckets[N_BUCKETS];
static const struct rg_lease_table table = {.buckets = buckets, .n_buckets = N_BUCKETS};
static struct rg_lease_view v;

// Buckets 3 and 5, tag 0xab.
static const struct rg_digest digest = {{0, 0, 0, 0x60, 0, 0, 0, 0xa0, 0xaa, 1, 2, 3, 4, 5, 6, 7}};

static void setup(void) {
	memset(buckets, 0, sizeof(buckets));
	memset(&v, 0xee, sizeof(v));
}

#define COMMON "sip:@ims.netA: <sip:@ims.net>\r\nPath: <sip:@g>\r\n"

static struct rg_lease_shared *shared_new(void) {
	static const uint16_t lens[RG_LEASE_N_PARTS] = {4, 8, 8, 22, 5};
	struct rg_lease_shared *s = calloc(1, sizeof(*s) + sizeof(COMMON));

	ck_assert_ptr_nonnull(s);
	s->has_user = true;
	memcpy(s->len, lens, sizeof(lens));
	memcpy(s->bytes, COMMON, sizeof(COMMON));
	return s;
}

static struct rg_lease *lease_new(const struct rg_digest *d, uint32_t idx) {
	static const char text[] = "axxxtag";
	struct rg_lease *l = calloc(1, sizeof(*l) + sizeof(text));

	ck_assert_ptr_nonnull(l);
	l->state = RG_LEASE_ACTIVE;
	l->idx = idx;
	l->gen = 42;
	l->digest = *d;
	l->token_end_ns = 1;
	l->core_end_ns = 2;
	l->core_refresh_ns = 3;
	l->wwsf = 4;
	l->client = 5;
	l->shared = shared_new();
	l->user_len = 1;
	l->handle_len = l->to_tag_len = 3;
	memcpy(l->bytes, text, sizeof(text) - 1);
	return l;
}

static void lease_free(struct rg_lease *l) {
	free(l->shared);
	free(l);
}

// The pieces put together.
static struct rg_slice whole(const struct rg_slice *pieces, unsigned n) {
	static uint8_t buf[256];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	for (unsigned i = 0; i < n; i++)
		rg_put(&w, pieces[i]);
	return rg_wr_slice(&w);
}

static void put(unsigned bucket, unsigned slot, uint8_t tag, struct rg_lease *l) {
	buckets[bucket].slot[slot] = l;
	buckets[bucket].tags |= (uint64_t)tag << (8 * slot);
}

START_TEST(places) {
	ck_assert_uint_eq(rg_lease_bucket_1(&digest, table.n_buckets), 3);
	ck_assert_uint_eq(rg_lease_bucket_2(&digest, table.n_buckets), 5);
	ck_assert_uint_eq(rg_lease_tag(&digest), 0xab);
	ck_assert_uint_eq(rg_lease_tag(&(struct rg_digest){{0}}), 1);
}
END_TEST

START_TEST(every_slot) {
	struct rg_lease *l = lease_new(&digest, 17);

	ck_assert(!rg_lease_find(&table, &digest, &v));
	put(_i / 7 == 0 ? 3 : 5, _i % 7, rg_lease_tag(&digest), l);
	ck_assert(rg_lease_find(&table, &digest, &v));
	ck_assert_uint_eq(v.idx, 17);
	ck_assert_uint_eq(v.at, (_i / 7 == 0 ? 3 : 5) * 8 + _i % 7);
	lease_free(l);
}
END_TEST

START_TEST(view) {
	struct rg_lease *l = lease_new(&digest, 17);

	put(3, 0, rg_lease_tag(&digest), l);
	ck_assert(rg_lease_find(&table, &digest, &v));
	ck_assert_uint_eq(v.state, RG_LEASE_ACTIVE);
	ck_assert_uint_eq(v.gen, 42);
	ck_assert(v.token_end_ns == 1 && v.core_end_ns == 2 && v.core_refresh_ns == 3);
	ck_assert_uint_eq(v.wwsf, 4);
	ck_assert_uint_eq(v.client, 5);
	ck_assert(rg_eq(v.to_tag, RG_LIT("tag")));
	ck_assert(rg_eq(whole(v.impu, 3), RG_LIT("sip:a@ims.net")));
	ck_assert(
		rg_eq(whole(v.headers, 5), RG_LIT("A: <sip:a@ims.net>\r\nPath: <sip:xxx@g>\r\n")));
	ck_assert_ptr_eq(v.impu[1].p, l->bytes); // no copies
	ck_assert_ptr_eq(v.impu[0].p, l->shared->bytes);
	l->shared->has_user = false;
	ck_assert(rg_lease_find(&table, &digest, &v));
	ck_assert(rg_eq(whole(v.impu, 3), RG_LIT("sip:a@ims.net")));
	ck_assert(rg_eq(whole(v.headers, 5), RG_LIT("A: <sip:@ims.net>\r\nPath: <sip:xxx@g>\r\n")));
	ck_assert_ptr_eq(v.digest, &l->digest);
	lease_free(l);
}
END_TEST

// Seven others with the same tag stand in the way.
START_TEST(tags_lie) {
	struct rg_lease *others[14], *l = lease_new(&digest, 17);
	struct rg_digest d = digest;

	for (unsigned i = 0; i < 14; i++) {
		d.b[15] = (uint8_t)(100 + i);
		others[i] = lease_new(&d, i);
		put(i / 7 == 0 ? 3 : 5, i % 7, rg_lease_tag(&digest), others[i]);
	}
	ck_assert(!rg_lease_find(&table, &digest, &v));
	d.b[15] = 113;
	ck_assert(rg_lease_find(&table, &d, &v));
	ck_assert_uint_eq(v.idx, 13);
	buckets[5].slot[6] = l;
	ck_assert(rg_lease_find(&table, &digest, &v));
	ck_assert_uint_eq(v.idx, 17);
	for (unsigned i = 0; i < 14; i++)
		lease_free(others[i]);
	lease_free(l);
}
END_TEST

// Half-done writes: a tag without its entry, an entry without its tag; and a wrong bucket.
START_TEST(half_done) {
	struct rg_lease *l = lease_new(&digest, 17);

	put(3, 2, rg_lease_tag(&digest), NULL);
	ck_assert(!rg_lease_find(&table, &digest, &v));
	put(5, 2, 0, l);
	ck_assert(!rg_lease_find(&table, &digest, &v));
	put(4, 2, rg_lease_tag(&digest), l);
	ck_assert(!rg_lease_find(&table, &digest, &v));
	lease_free(l);
}
END_TEST

// The eighth tag byte has no slot behind it.
START_TEST(eighth_tag) {
	buckets[3].tags = (uint64_t)rg_lease_tag(&digest) << 56;
	buckets[5].tags = (uint64_t)rg_lease_tag(&digest) << 56;
	memset((void *)&buckets[4], 0x55, sizeof(buckets[4])); // what slot[7] of 3 would be
	ck_assert(!rg_lease_find(&table, &digest, &v));
}
END_TEST

START_TEST(by_place) {
	struct rg_lease *l = lease_new(&digest, 17);
	struct rg_lease_view w;

	put(5, 6, rg_lease_tag(&digest), l);
	ck_assert(rg_lease_find(&table, &digest, &v));
	memset(&w, 0xee, sizeof(w));
	ck_assert(rg_lease_at(&table, v.at, &w));
	ck_assert_mem_eq(&v.gen, &w.gen, sizeof(w.gen));
	ck_assert(w.idx == 17 && w.at == v.at && w.digest == v.digest);
	l->state = RG_LEASE_STALE;
	ck_assert(rg_lease_at(&table, v.at, &w));
	ck_assert_uint_eq(w.state, RG_LEASE_STALE);
	buckets[5].slot[6] = NULL; // gone: only the place counts, the tag does not
	ck_assert(!rg_lease_at(&table, v.at, &w));
	ck_assert_uint_eq(w.idx, 17);
	lease_free(l);
}
END_TEST

// Places that no look-up gave, and a table that is smaller than the one they were of.
START_TEST(no_place) {
	static const uint32_t wrong[] = {7, 5 * 8 + 7, N_BUCKETS * 8, UINT32_MAX, UINT32_MAX - 7};

	memset((void *)buckets, 0x55, sizeof(buckets)); // nothing of it may be followed
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		ck_assert(!rg_lease_at(&table, wrong[i], &v));
		rg_lease_prefetch_at(&table, wrong[i]);
		rg_lease_prefetch_entry_at(&table, wrong[i]);
	}
}
END_TEST

// Hints leave everything as it is, whatever they find.
START_TEST(prefetch) {
	struct rg_lease *l = lease_new(&digest, 17);

	for (unsigned i = 0; i < 3; i++) {
		if (i == 1)
			put(5, 2, rg_lease_tag(&digest), NULL);
		if (i == 2)
			put(5, 2, rg_lease_tag(&digest), l);
		rg_lease_prefetch(&table, &digest);
		rg_lease_prefetch_entry(&table, &digest);
		rg_lease_prefetch_at(&table, 5 * 8 + 2);
		rg_lease_prefetch_entry_at(&table, 5 * 8 + 2);
		ck_assert(rg_lease_find(&table, &digest, &v) == (i == 2));
	}
	lease_free(l);
}
END_TEST

START_TEST(state_is_live) {
	struct rg_lease *l = lease_new(&digest, 17);

	put(5, 6, rg_lease_tag(&digest), l);
	l->state = RG_LEASE_ENDING;
	ck_assert(rg_lease_find(&table, &digest, &v));
	ck_assert_uint_eq(v.state, RG_LEASE_ENDING);
	lease_free(l);
}
END_TEST

int main(void) {
	Suite *s = suite_create("reg_lease_read");
	TCase *t = tcase_create("lease_read");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, places);
	tcase_add_loop_test(t, every_slot, 0, 14);
	tcase_add_test(t, view);
	tcase_add_test(t, tags_lie);
	tcase_add_test(t, half_done);
	tcase_add_test(t, eighth_tag);
	tcase_add_test(t, by_place);
	tcase_add_test(t, no_place);
	tcase_add_test(t, prefetch);
	tcase_add_test(t, state_is_live);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
