// SPDX-License-Identifier: BSD-3-Clause
// Pairs that come in at run time: durable before they go out, found again, and t17_disjoint.
#include <errno.h>
#include <stdio.h>

#include "lease_fixture.h"
#include "regate/err.h"

#define IMPU_MAX 64

static struct fix f;

struct heard {
	unsigned n;
	int rc;
};
static struct heard heard;

static void done(void *arg, int rc) {
	struct heard *h = arg;

	h->n++;
	h->rc = rc;
}

static int import(uint16_t pool, const char *impi, const char *impu) {
	return lease_import(f.e, pool, impi, impu, done, &heard);
}

// One pair "p0@x" in pool 0 by its file, and room for two.
static void setup(void) {
	heard = (struct heard){0};
	fix_init(&f, 1);
	f.n_room = 2;
	fix_restart(&f, 0);
}

static void teardown(void) {
	fix_fini(&f);
}

static unsigned n_free(uint16_t pool) {
	struct lease_pool_stats s;

	lease_get_pool_stats(f.e, pool, &s);
	return s.n_free;
}

START_TEST(durable_before_it_goes_out) {
	ck_assert_int_eq(import(0, "q@x", "sip:q@x"), 0);
	ck_assert_uint_eq(heard.n, 0);
	ck_assert_ptr_null(lease_engine_check(f.e));
	fix_grant(&f, "a"); // p0; takes as long as the import
	ck_assert_uint_eq(f.done.idx, 0);
	ck_assert_uint_eq(heard.n, 1);
	ck_assert_int_eq(heard.rc, 0);
	fix_grant(&f, "b");
	ck_assert_int_eq(f.done.rc, 0);
	ck_assert_str_eq(fix_lease(&f, f.done.idx)->impu, "sip:q@x");
	ck_assert_uint_eq(fix_lease(&f, f.done.idx)->wwsf, 7);
}
END_TEST

START_TEST(withheld_until_then) {
	struct lease_ask ask = fix_ask(&f, "b");

	fix_grant(&f, "a");
	ck_assert_int_eq(import(0, "q@x", "sip:q@x"), 0);
	lease_grant(f.e, &ask);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
}
END_TEST

START_TEST(found_again) {
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), 0);
	fix_restart(&f, 1);
	ck_assert_uint_eq(lease_n_pairs(f.e), 3);
	ck_assert_uint_eq(n_free(1), 1);
	ck_assert_uint_eq(fix_lease(&f, 2)->wwsf, 9);
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), LEASE_IS_THERE);
	fix_restart(&f, 0);
	ck_assert_uint_eq(n_free(1), 1);
}
END_TEST

START_TEST(lost_with_the_power) {
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), 0);
	fix_restart(&f, 0);
	ck_assert_uint_eq(lease_n_pairs(f.e), 2);
	ck_assert_int_eq(heard.rc, -ECANCELED);
}
END_TEST

START_TEST(leased_and_found_again) {
	fix_grant(&f, "a");
	ck_assert_int_eq(import(0, "q@x", "sip:q@x"), 0);
	fix_advance(&f, RG_NS_PER_MS);
	fix_grant(&f, "b");
	fix_restart(&f, 0);
	ck_assert_int_eq(fix_lease(&f, 2)->state, LEASE_OFFERED);
	ck_assert_str_eq(fix_lease(&f, 2)->sub, "b");
	fix_advance(&f, FIX_LIFE + FIX_GUARD + SEC);
	ck_assert_uint_eq(n_free(0), 2);
	fix_restart(&f, 0); // and once more after the lease
	ck_assert_uint_eq(n_free(0), 2);
}
END_TEST

static const struct {
	const char *impi, *impu;
	uint16_t pool;
	int rc;
} taken[] = {
	{"p0@x", "sip:q@x", 0, RG_E_CONFLICT},
	{"q@x", "sip:p0@x", 0, RG_E_CONFLICT},
	{"P0@X", "sip:q@x", 0, RG_E_CONFLICT}, // ASCII case makes no difference
	{"p0@x", "sip:p0@x", 1, RG_E_CONFLICT},
	{"alice@x", "sip:alice@x", 0, RG_E_CONFLICT},
	{"p0@x", "sip:alice@x", 0, RG_E_CONFLICT},
	{"r@x", "sip:r@x", 1, RG_E_CONFLICT}, // imported into pool 0
	{"r@x", "sip:r@x", 0, LEASE_IS_THERE},
};

START_TEST(t17_disjoint) {
	ck_assert_int_eq(import(0, "r@x", "sip:r@x"), 0);
	ck_assert_int_eq(import(taken[_i].pool, taken[_i].impi, taken[_i].impu), taken[_i].rc);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(import(taken[_i].pool, taken[_i].impi, taken[_i].impu), taken[_i].rc);
	ck_assert_uint_eq(heard.n, 1);
}
END_TEST

START_TEST(two_at_once) {
	struct heard other = {0};

	ck_assert_int_eq(import(0, "q@x", "sip:q@x"), 0);
	ck_assert_int_eq(lease_import(f.e, 0, "q@x", "sip:q@x", done, &other), -EBUSY);
}
END_TEST

START_TEST(no_room) {
	ck_assert_int_eq(import(0, "q@x", "sip:q@x"), 0);
	ck_assert_int_eq(import(0, "r@x", "sip:r@x"), 0);
	ck_assert_int_eq(import(0, "s@x", "sip:s@x"), RG_E_LIMIT);
	fix_advance(&f, RG_NS_PER_MS);
	f.n_room = 1; // less than is in the store
	lease_engine_free(f.e);
	f.e = lease_engine_new(&(struct lease_cfg){0}, f.env, f.store, NULL, &(struct lease_ops){0},
			       1);
	lease_set_pool_names(f.e, (const char *const[]){"p1"}, 1);
	lease_set_pool_wwsfs(f.e, (const uint16_t[]){0});
	ck_assert_int_eq(lease_engine_load(f.e), RG_E_LIMIT);
	ck_assert_str_eq(lease_load_fault(f.e), "more than 1 pairs: raise leases.max");
}
END_TEST

START_TEST(store_fails) {
	store_mem_fail(f.store, 1, -EIO);
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), 0);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(heard.rc, -EIO);
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), 0); // again, before the engine tries itself
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_uint_eq(heard.n, 2);
	ck_assert_int_eq(heard.rc, 0);
	fix_restart(&f, 0);
	ck_assert_uint_eq(n_free(1), 1);
}
END_TEST

// "There already" is an acknowledgement as well.
START_TEST(there_once_it_is_durable) {
	store_mem_fail(f.store, 1, -EIO);
	ck_assert_int_eq(import(0, "p0@x", "sip:p0@x"), 0);
	fix_advance(&f, _i == 0 ? RG_NS_PER_MS : 5 * SEC + RG_NS_PER_MS + RG_NS_PER_MS / 2);
	ck_assert_int_eq(heard.rc, -EIO);
	ck_assert_int_eq(import(0, "p0@x", "sip:p0@x"), 0);
	ck_assert_uint_eq(heard.n, 1);
	fix_advance(&f, 2 * RG_NS_PER_MS);
	ck_assert_uint_eq(heard.n, 2);
	ck_assert_int_eq(heard.rc, 0);
	ck_assert_int_eq(import(0, "p0@x", "sip:p0@x"), LEASE_IS_THERE);
}
END_TEST

START_TEST(engine_tries_again) {
	store_mem_fail(f.store, 1, -EIO);
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), 0);
	fix_advance(&f, 6 * SEC);
	ck_assert_uint_eq(heard.n, 1);
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), LEASE_IS_THERE);
}
END_TEST

// A pair of a pool's file, leased: its next record provisions it, whatever was under way.
START_TEST(file_pair_while_leased) {
	struct lease_ask ask = fix_ask(&f, "a");

	lease_grant(f.e, &ask);
	ck_assert_int_eq(import(0, "p0@x", "sip:p0@x"), 0);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_uint_eq(f.done.n, 1);
	ck_assert_uint_eq(heard.n, 0); // the grant's record was on its way already
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_uint_eq(heard.n, 1);
	ck_assert_int_eq(heard.rc, 0);
	f.n_pairs = 0; // the file is gone
	fix_restart(&f, 0);
	ck_assert_int_eq(fix_lease(&f, 1)->state, LEASE_OFFERED);
	ck_assert_str_eq(fix_lease(&f, 1)->impu, "sip:p0@x");
}
END_TEST

START_TEST(into_a_drained_pool) { // which had no pair when it was drained
	struct lease_ask ask = fix_ask(&f, "a");
	struct lease_pool_stats st;

	ck_assert_int_eq(lease_pool_drain(f.e, 1, true, NULL, NULL), 0);
	fix_advance(&f, RG_NS_PER_MS);
	lease_get_pool_stats(f.e, 1, &st);
	ck_assert(st.is_draining && st.n_pairs == 0);
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), 0);
	fix_advance(&f, RG_NS_PER_MS);
	ask.pool = 1;
	lease_grant(f.e, &ask);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(f.done.rc, RG_E_EXHAUSTED);
}
END_TEST

static const struct store_lease rows[] = {
	{.impi = "p0@x", .impu = "sip:q@x", .pool = "p1"},
	{.impi = "q@x", .impu = "sip:p0@x", .pool = "p1"},
	{.impi = "p0@x", .impu = "sip:p0@x", .pool = "p2"},
	{.impi = "alice@x", .impu = "sip:alice@x", .pool = "p1"},
};

static int load_beside_file(const struct store_lease *row) {
	ck_assert_int_eq(store_commit(f.store, row, NULL, NULL), 0);
	env_sim_advance(f.env, RG_NS_PER_MS);
	lease_engine_free(f.e);
	f.e = lease_engine_new(&(struct lease_cfg){0}, f.env, f.store, NULL, &(struct lease_ops){0},
			       9);
	lease_set_pool_names(f.e, (const char *const[]){"p1", "p2"}, 2);
	lease_set_pool_wwsfs(f.e, (const uint16_t[]){0, 0});
	ck_assert_int_eq(lease_add_pair(f.e, 0, 0, "p0@x", "sip:p0@x", NULL), 0);
	ck_assert_int_eq(lease_add_pair(f.e, UINT16_MAX, 0, "alice@x", "sip:alice@x", "alice"), 0);
	return lease_engine_load(f.e);
}

START_TEST(files_against_imports) {
	struct store_lease row = rows[_i];

	row.flags = STORE_IMPORTED;
	ck_assert_int_eq(load_beside_file(&row), RG_E_CONFLICT);
	ck_assert_ptr_nonnull(strstr(lease_load_fault(f.e), row.impi));
	ck_assert_ptr_nonnull(strstr(lease_load_fault(f.e), row.pool));
}
END_TEST

START_TEST(files_before_leases) { // as of before the files were changed: they wait, no more
	ck_assert_int_eq(load_beside_file(&rows[_i]), 0);
	ck_assert_uint_eq(lease_n_pairs(f.e), 2);
}
END_TEST

START_TEST(pool_not_configured) {
	const struct store_lease row = {.impi = "q@x",
					.impu = "sip:q@x",
					.pool = "p3",
					.flags = STORE_IMPORTED};

	ck_assert_int_eq(load_beside_file(&row), 0);
	ck_assert_uint_eq(lease_n_pairs(f.e), 2);
}
END_TEST

START_TEST(imported_twice) { // by two gateways that did not know of each other
	const struct store_lease row = {.impi = "q@x",
					.impu = "sip:Q@x",
					.pool = "p2",
					.flags = STORE_IMPORTED};
	struct store_lease other = row;

	other.impi = "r@x";
	ck_assert_int_eq(store_commit(f.store, &other, NULL, NULL), 0);
	ck_assert_int_eq(load_beside_file(&row), 0);
	ck_assert_uint_eq(lease_n_pairs(f.e), 3);
	ck_assert_str_eq(fix_lease(&f, 2)->impi, "q@x");
}
END_TEST

START_TEST(of_another_record) {
	struct store_stats st;

	store_mem_fail(f.store, UINT32_MAX, -EEXIST); // another gateway's record has its IMPU
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), 0);
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(heard.rc, -EEXIST);
	fix_advance(&f, 60 * SEC); // it is not tried again
	store_get_stats(f.store, &st);
	ck_assert_uint_eq(st.failures, 1);
	ck_assert_uint_eq(n_free(1), 1);
	store_mem_fail(f.store, 0, 0);
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), 0); // unless somebody asks
	fix_advance(&f, RG_NS_PER_MS);
	ck_assert_int_eq(heard.rc, 0);
	ck_assert_int_eq(import(1, "q@x", "sip:q@x"), LEASE_IS_THERE);
}
END_TEST

static int on_row(void *arg, const struct store_lease *row) {
	if (strcmp(row->impi, "q@x") == 0)
		snprintf(arg, IMPU_MAX, "%s", row->impu);
	return 0;
}

// Its IMPI has a record with another IMPU: of a pair that was taken back, or of another gateway's file.
START_TEST(paired_otherwise) {
	struct store_lease row = {.impi = "q@x", .impu = "sip:q@x", .pool = "p1"};
	char impu[IMPU_MAX] = "";
	struct store *other;

	ck_assert_int_eq(store_mem_join(f.store, f.env, &other), 0);
	ck_assert_int_eq(store_commit(f.store, &row, NULL, NULL), 0);
	env_sim_advance(f.env, RG_NS_PER_MS);
	for (unsigned i = 1; i <= 2; i++) {
		ck_assert_int_eq(import(0, "q@x", "sip:r@x"), 0);
		fix_advance(&f, 10 * SEC);
		ck_assert_uint_eq(heard.n, i);
		ck_assert_int_eq(heard.rc, RG_E_CONFLICT);
		ck_assert_uint_eq(n_free(0), 1);
		row.rev = i; // others go on with theirs
		ck_assert_int_eq(store_commit(other, &row, NULL, NULL), 0);
		fix_advance(&f, SEC);
	}
	store_close(other);
	ck_assert_int_eq(store_load_all(f.store, &(struct store_load){on_row, impu}), 0);
	ck_assert_str_eq(impu, "sip:q@x");
	fix_restart(&f, 0);
	ck_assert_int_eq(import(0, "q@x", "sip:q@x"), 0);
	fix_advance(&f, SEC);
	ck_assert_int_eq(heard.rc, 0);
	ck_assert_uint_eq(n_free(0), 2);
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_import");
	TCase *tc = tcase_create("import");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, durable_before_it_goes_out);
	tcase_add_test(tc, withheld_until_then);
	tcase_add_test(tc, found_again);
	tcase_add_test(tc, lost_with_the_power);
	tcase_add_test(tc, leased_and_found_again);
	tcase_add_loop_test(tc, t17_disjoint, 0, sizeof(taken) / sizeof(*taken));
	tcase_add_test(tc, two_at_once);
	tcase_add_test(tc, no_room);
	tcase_add_test(tc, store_fails);
	tcase_add_loop_test(tc, there_once_it_is_durable, 0, 2);
	tcase_add_test(tc, engine_tries_again);
	tcase_add_test(tc, of_another_record);
	tcase_add_test(tc, file_pair_while_leased);
	tcase_add_test(tc, into_a_drained_pool);
	tcase_add_loop_test(tc, files_against_imports, 0, sizeof(rows) / sizeof(*rows));
	tcase_add_loop_test(tc, files_before_leases, 0, sizeof(rows) / sizeof(*rows));
	tcase_add_test(tc, pool_not_configured);
	tcase_add_test(tc, imported_twice);
	tcase_add_test(tc, paired_otherwise);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
