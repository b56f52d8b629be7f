// SPDX-License-Identifier: BSD-3-Clause
// What leases share: put together it is the text that was given, whatever that looks like; equal lines
// are kept once and go with their last lease.
#include <stdio.h>
#include <stdlib.h>

#include "lease/lease_shared.h"
#include "lease/lease_table.h"
#include "lease_fixture.h"

#define LINES(user, handle)                                                         \
	"Service-Route: <sip:s;lr>\r\nP-Associated-URI: <sip:" user "@ims.net>\r\n" \
	"Path: <sip:" handle "@g;lr>\r\nSupported: path\r\n"

#define N50 "01234567890123456789012345678901234567890123456789"
#define N250 N50 N50 N50 N50 N50

static const struct {
	const char *name, *impu, *lines;
	const char *user, *handle; // cut out
	bool has_user;
} texts[] = {
	{"usual", "sip:p17@ims.net", LINES("p17", "l17.g1.ab"), "p17", "l17.g1.ab", true},
	{"no lines", "sip:p17@ims.net", "", "p17", "", false},
	{"no IMPU", "", LINES("p17", "l17"), "", "l17", false},
	{"nothing", "", "", "", "", false},
	{"IMPU of another", "sip:p18@ims.net", LINES("p17", "l17"), "p18", "l17", false},
	{"IMPU that is a part", "sip:p1@ims.net", LINES("p17", "l17"), "p1", "l17", false},
	{"Path before the IMPU", "sip:p17@ims.net",
	 "Path: <sip:l17@g>\r\nP-Associated-URI: <sip:p17@ims.net>\r\n", "p17", "", true},
	{"IMPU twice", "sip:a@b", "X: <sip:a@b>,<sip:a@b>\r\nPath: <sip:h@g>\r\n", "a", "h", true},
	{"Path without a user", "sip:a@b", "X: <sip:a@b>\r\nPath: <sip:g>\r\n", "a", "", true},
	{"Path at the end", "sip:a@b", "X: <sip:a@b>\r\nPath: <sip:", "a", "", true},
	{"IMPU is all", "sip:a@b", "sip:a@b", "a", "", true},
	{"no user", "sip:ims.net", "X: <sip:ims.net>\r\n", "ims.net", "", true},
	{"no scheme", "a@b", "X: <a@b>\r\n", "a", "", true},
	{"tel", "tel:+1", "X: <tel:+1>\r\n", "+1", "", true},
	{"empty user", "sip:@b", "X: <sip:@b>\r\n", "", "", true},
	{"user of 255", "sip:abcde" N250 "@b", "X: <sip:abcde" N250 "@b>\r\n", "abcde" N250, "",
	 true},
	{"user of 256", "sip:abcdef" N250 "@b", "X: <sip:abcdef" N250 "@b>\r\n", "", "", true},
	{"handle of 256", "sip:a@b", LINES("p17", "abcdef" N250), "a", "", false},
};

static struct rg_lease_table *t;

static void setup(void) {
	t = lease_table_new(100);
	ck_assert_ptr_nonnull(t);
}

static void teardown(void) {
	lease_table_free(t);
}

static struct lease_entry entry(uint8_t i, const char *impu, const char *lines) {
	return (struct lease_entry){.digest = {{i, 1, 2, (uint8_t)(i * 37), 4, 5, 6,
						(uint8_t)(i * 101)}},
				    .idx = i,
				    .impu = rg_str(impu),
				    .headers = rg_str(lines),
				    .to_tag = RG_LIT("tag")};
}

static void put(uint8_t i, const char *impu, const char *lines) {
	struct lease_entry e = entry(i, impu, lines);
	struct rg_lease_view v;

	ck_assert_int_eq(lease_table_put(t, &e), 0);
	ck_assert(rg_lease_find(t, &e.digest, &v));
	ck_assert(fix_is_text(v.impu, 3, e.impu));
	ck_assert(fix_is_text(v.headers, 5, e.headers));
	ck_assert(rg_eq(v.to_tag, e.to_tag));
}

static void del(uint8_t i) {
	struct lease_entry e = entry(i, "", "");

	ck_assert_int_eq(lease_table_del(t, &e.digest), 0);
}

static unsigned n_shared(void) {
	unsigned n = 0;

	for (uint64_t i = 0; i <= t->shared_mask; i++)
		for (struct rg_lease_shared *s = t->shared[i]; s != NULL; s = s->next)
			n++;
	return n;
}

START_TEST(cuts) {
	struct lease_texts x = lease_texts_cut(rg_str(texts[_i].impu), rg_str(texts[_i].lines));

	ck_assert_msg(rg_eq(x.user, rg_str(texts[_i].user)), "%s", texts[_i].name);
	ck_assert_msg(rg_eq(x.handle, rg_str(texts[_i].handle)), "%s", texts[_i].name);
	ck_assert_msg(x.has_user == texts[_i].has_user, "%s", texts[_i].name);
	put(1, texts[_i].impu, texts[_i].lines);
}
END_TEST

// All of them in one table, each written twice.
START_TEST(side_by_side) {
	struct rg_lease_view v;

	for (unsigned i = 0; i < 2 * sizeof(texts) / sizeof(*texts); i++)
		put((uint8_t)i, texts[i / 2].impu, texts[i / 2].lines);
	for (unsigned i = 0; i < 2 * sizeof(texts) / sizeof(*texts); i++) {
		struct lease_entry e = entry((uint8_t)i, texts[i / 2].impu, texts[i / 2].lines);

		ck_assert(rg_lease_find(t, &e.digest, &v));
		ck_assert_msg(fix_is_text(v.impu, 3, e.impu), "%s", texts[i / 2].name);
		ck_assert_msg(fix_is_text(v.headers, 5, e.headers), "%s", texts[i / 2].name);
	}
}
END_TEST

START_TEST(kept_once) {
	put(1, "sip:p1@ims.net", LINES("p1", "l1.g7"));
	put(2, "sip:p2@ims.net", LINES("p2", "l2.g9"));
	put(3, "sip:somebody@ims.net", LINES("somebody", ""));
	ck_assert_uint_eq(n_shared(), 1);
	put(4, "sip:p4@other.net", LINES("p4", "l4")); // another domain
	put(5, "sip:p5@ims.net", LINES("p6", "l5"));   // another's identity in the lines
	put(6, "sip:p6@ims.net", LINES("p6", "l6") "A: b\r\n");
	ck_assert_uint_eq(n_shared(), 4);
}
END_TEST

// Cuts in other places, of the same bytes, are not the same.
START_TEST(place_of_the_cut) {
	put(1, "sip:a@b", "X: <sip:a@b>\r\n");
	put(2, "sip:a@b", "X: <sip:@b>\r\n");
	put(3, "sip:@b", "X: <sip:@b>\r\n");
	put(4, "sip:@b", "X: sip<:@b>\r\n");
	put(5, "", "sip:@bX: <sip:@b>\r\n");
	put(6, "a@b", "a@b");
	put(7, "a@b", "@b");
}
END_TEST

START_TEST(gone_with_the_last) {
	put(1, "sip:p1@ims.net", LINES("p1", "l1"));
	put(2, "sip:p2@ims.net", LINES("p2", "l2"));
	put(1, "sip:p1@ims.net", LINES("p1", "l1"));
	del(1);
	ck_assert_uint_eq(n_shared(), 1);
	put(2, "sip:p2@ims.net", ""); // replaced by one of other lines
	ck_assert_uint_eq(n_shared(), 1);
	put(1, "sip:p1@ims.net", LINES("p1", "l1"));
	ck_assert_uint_eq(n_shared(), 2);
	del(1);
	del(2);
	ck_assert_uint_eq(n_shared(), 0);
}
END_TEST

// Many that share nothing, in and out of their lists in another order.
START_TEST(nothing_shared) {
	char lines[32];

	for (unsigned i = 0; i < 100; i++) {
		snprintf(lines, sizeof(lines), "N: %u\r\n", i);
		put((uint8_t)i, "sip:p1@ims.net", lines);
	}
	ck_assert_uint_eq(n_shared(), 100);
	for (unsigned i = 0; i < 100; i++) {
		del((uint8_t)(i * 37 % 100));
		ck_assert_uint_eq(n_shared(), 99 - i);
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("lease_shared");
	TCase *tc = tcase_create("shared");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, cuts, 0, sizeof(texts) / sizeof(*texts));
	tcase_add_test(tc, side_by_side);
	tcase_add_test(tc, kept_once);
	tcase_add_test(tc, place_of_the_cut);
	tcase_add_test(tc, gone_with_the_last);
	tcase_add_test(tc, nothing_shared);
	suite_add_tcase(s, tc);
	return fix_main(s);
}
