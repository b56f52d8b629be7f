// SPDX-License-Identifier: BSD-3-Clause
// The lease table: what the writer puts is what a reader finds.
#include <stdlib.h>

#include "lease/lease_table.h"
#include "lease_fixture.h"
#include "regate/err.h"

static struct rg_digest digest_of(uint64_t i) {
	uint64_t z = i * UINT64_C(0x9e3779b97f4a7c15), w[2];
	struct rg_digest d;

	for (unsigned k = 0; k < 2; k++) { // splitmix64: as even as a hash
		z += UINT64_C(0x9e3779b97f4a7c15);
		w[k] = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		w[k] = (w[k] ^ w[k] >> 27) * UINT64_C(0x94d049bb133111eb);
		w[k] ^= w[k] >> 31;
	}
	memcpy(d.b, w, sizeof(d.b));
	return d;
}

static struct lease_entry entry(uint64_t i) {
	return (struct lease_entry){.digest = digest_of(i),
				    .idx = (uint32_t)i,
				    .gen = i + 1,
				    .state = RG_LEASE_ACTIVE,
				    .token_end_ns = i + 2,
				    .core_end_ns = i + 3,
				    .core_refresh_ns = i + 4,
				    .wwsf = 5,
				    .impu = RG_LIT("sip:a@b"),
				    .contact = RG_LIT("<sip:c@d>"),
				    .call_id = RG_LIT("call"),
				    .to_tag = RG_LIT("tag"),
				    .headers = RG_LIT("H: v\r\n")};
}

static bool find(const struct rg_lease_table *t, uint64_t i, struct rg_lease_view *v) {
	struct rg_digest d = digest_of(i);

	return rg_lease_find(t, &d, v);
}

START_TEST(reader_sees_all_fields) {
	struct rg_lease_table *t = lease_table_new(10);
	struct lease_entry e = entry(1);
	struct rg_lease_view v;

	ck_assert_int_eq(lease_table_put(t, &e), 0);
	ck_assert(find(t, 1, &v));
	ck_assert_uint_eq(v.idx, 1);
	ck_assert_uint_eq(v.gen, 2);
	ck_assert_uint_eq(v.state, RG_LEASE_ACTIVE);
	ck_assert_uint_eq(v.token_end_ns, 3);
	ck_assert_uint_eq(v.core_end_ns, 4);
	ck_assert_uint_eq(v.core_refresh_ns, 5);
	ck_assert_uint_eq(v.wwsf, 5);
	ck_assert(fix_is_text(v.impu, 3, e.impu));
	ck_assert_uint_eq(v.client, rg_client_hash(rg_call_id_hash(e.call_id), e.contact));
	ck_assert(rg_eq(v.to_tag, e.to_tag));
	ck_assert(fix_is_text(v.headers, 5, e.headers));
	ck_assert(!find(t, 2, &v));
	lease_table_free(t);
}
END_TEST

START_TEST(replace_state_delete) {
	struct rg_lease_table *t = lease_table_new(10);
	struct lease_entry e = entry(1);
	struct rg_lease_view v;

	ck_assert_int_eq(lease_table_put(t, &e), 0);
	e.gen = 99;
	ck_assert_int_eq(lease_table_put(t, &e), 0);
	ck_assert_uint_eq(t->n_entries, 1);
	ck_assert(find(t, 1, &v));
	ck_assert_uint_eq(v.gen, 99);
	ck_assert_int_eq(lease_table_set_state(t, &e.digest, RG_LEASE_ENDING), 0);
	ck_assert(find(t, 1, &v));
	ck_assert_uint_eq(v.state, RG_LEASE_ENDING);
	ck_assert_int_eq(lease_table_del(t, &e.digest), 0);
	ck_assert(!find(t, 1, &v));
	ck_assert_int_eq(lease_table_del(t, &e.digest), RG_E_STALE);
	ck_assert_int_eq(lease_table_set_state(t, &e.digest, RG_LEASE_STALE), RG_E_STALE);
	ck_assert_uint_eq(t->n_entries, 0);
	for (uint64_t i = 0; i < t->n_buckets; i++)
		ck_assert_uint_eq(atomic_load(&t->buckets[i].tags), 0);
	lease_table_free(t);
}
END_TEST

START_TEST(bytes_have_a_limit) {
	static uint8_t big[RG_LEASE_BYTES_MAX + 1];
	struct rg_lease_table *t = lease_table_new(10);
	struct lease_entry e = {.digest = digest_of(1)};
	struct rg_lease_view v;

	e.headers = rg_slice(big, RG_LEASE_BYTES_MAX + 1);
	ck_assert_int_eq(lease_table_put(t, &e), RG_E_LIMIT);
	e.headers = rg_slice(big, SIZE_MAX); // no sum may wrap
	ck_assert_int_eq(lease_table_put(t, &e), RG_E_LIMIT);
	e.headers = rg_slice(big, RG_LEASE_BYTES_MAX);
	e.to_tag = rg_slice(big, 1);
	ck_assert_int_eq(lease_table_put(t, &e), RG_E_LIMIT);
	e.to_tag.len = 0;
	ck_assert_int_eq(lease_table_put(t, &e), 0);
	ck_assert(find(t, 1, &v));
	ck_assert(fix_is_text(v.headers, 5, e.headers));
	e.headers.len = 0;
	e.to_tag = rg_slice(big, 256);
	ck_assert_int_eq(lease_table_put(t, &e), RG_E_LIMIT);
	e.to_tag.len = 255;
	ck_assert_int_eq(lease_table_put(t, &e), 0);
	ck_assert(find(t, 1, &v));
	ck_assert_uint_eq(v.to_tag.len, 255);
	lease_table_free(t);
}
END_TEST

// At its full load no pair of buckets overflows, whatever the size.
START_TEST(full_table) {
	static const uint64_t sizes[] = {1, 2, 3, 7, 100, 448, 1792, 28672};
	uint64_t n = sizes[_i];
	struct rg_lease_table *t = lease_table_new(n);
	struct lease_entry e;
	struct rg_lease_view v;

	for (uint64_t i = 0; i < n; i++) {
		e = entry(i);
		ck_assert_int_eq(lease_table_put(t, &e), 0);
	}
	e = entry(n);
	ck_assert_int_eq(lease_table_put(t, &e), RG_E_LIMIT);
	for (uint64_t i = 0; i < n; i++) {
		ck_assert(find(t, i, &v));
		ck_assert_uint_eq(v.idx, i);
	}
	ck_assert(!find(t, n, &v));
	for (uint64_t i = 0; i < 4 * n; i++) { // and goes on being so as entries come and go
		struct rg_digest d = digest_of(i);

		ck_assert_int_eq(lease_table_del(t, &d), 0);
		e = entry(n + i);
		ck_assert_int_eq(lease_table_put(t, &e), 0);
	}
	lease_table_free(t);
}
END_TEST

// As many as go on huge pages: what left makes room for what comes, and a table that goes leaves what
// is still read. Entries of another size are among them.
START_TEST(many_come_and_go) {
	enum { N = 70000, LONG = 100 };
	struct rg_lease_table *t = lease_table_new(N);
	static const char tag[200] = "long";
	struct rg_lease_view v;

	ck_assert_ptr_nonnull(t->slab);
	for (uint64_t i = 0; i < 3 * (uint64_t)N; i++) {
		struct lease_entry e = entry(i);
		struct rg_digest old = digest_of(i - N);

		if (i % LONG == 0)
			e.to_tag = rg_slice(tag, sizeof(tag));
		if (i >= N)
			ck_assert_int_eq(lease_table_del(t, &old), 0);
		ck_assert_int_eq(lease_table_put(t, &e), 0);
		if (i % N == N / 2)
			urcu_qsbr_barrier();
	}
	for (uint64_t i = 2 * (uint64_t)N; i < 3 * (uint64_t)N; i++) {
		ck_assert(find(t, i, &v));
		ck_assert_uint_eq(v.gen, i + 1);
		ck_assert_uint_eq(v.to_tag.len, i % LONG == 0 ? sizeof(tag) : 3);
	}
	lease_table_free(t);
	urcu_qsbr_barrier();
}
END_TEST

START_TEST(null_table) {
	lease_table_free(NULL);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_table");
	TCase *tc = tcase_create("table");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, reader_sees_all_fields);
	tcase_add_test(tc, replace_state_delete);
	tcase_add_test(tc, bytes_have_a_limit);
	tcase_add_loop_test(tc, full_table, 0, 8);
	tcase_add_test(tc, many_come_and_go);
	tcase_add_test(tc, null_table);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
