// SPDX-License-Identifier: BSD-3-Clause
// The cases. Each opens one handle (bed.s) or two, as gateways do, each on a loop of its own.
#include "contract_bed.h"

#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"

// --- records

START_TEST(empty_at_first) {
	struct store_stats st;

	ck_assert_uint_eq(bed_load().n, 0);
	store_flush(bed.s);
	store_get_stats(bed.s, &st);
	ck_assert_uint_eq(st.queued, 0);
	ck_assert(st.is_up);
}
END_TEST

START_TEST(a_record_is_as_it_was_written) {
	uint64_t rev[4];
	struct found f;

	for (unsigned i = 0; i < 4; i++)
		rev[i] = bed_commit(i, 10 + i, 0);
	rev[2] = bed_commit(2, 20, rev[2]);
	for (unsigned k = 0; k < 2; k++, bed_reopen()) {
		f = bed_load();
		ck_assert_uint_eq(f.n, 4);
		for (unsigned i = 0; i < 4; i++) {
			ck_assert_uint_eq(f.gen[i], i == 2 ? 20 : 10 + i);
			ck_assert_uint_eq(f.rev[i], rev[i]);
		}
	}
	bed_commit(2, 21, rev[2]);
}
END_TEST

static int on_extreme(void *arg, const struct store_lease *l) {
	const struct store_lease *want = arg;

	ck_assert_str_eq(l->impi, want->impi);
	ck_assert_str_eq(l->impu, want->impu);
	ck_assert_str_eq(l->pool, want->pool);
	ck_assert_str_eq(l->sub, want->sub);
	ck_assert_str_eq(l->gateway, want->gateway);
	ck_assert_uint_eq(l->gen, want->gen);
	ck_assert_uint_eq(l->flags, want->flags);
	ck_assert_uint_eq(l->scenario, want->scenario);
	ck_assert_int_eq(l->granted_ms, want->granted_ms);
	ck_assert_int_eq(l->ended_ms, want->ended_ms);
	ck_assert_int_eq(l->reassign_ms, want->reassign_ms);
	for (unsigned i = 0; i < STORE_TOKENS; i++) {
		ck_assert_mem_eq(&l->tokens[i].digest, &want->tokens[i].digest, RG_DIGEST_LEN);
		ck_assert_int_eq(l->tokens[i].end_ms, want->tokens[i].end_ms);
	}
	return 0;
}

// A record that was never assigned, and one with everything at its limit.
START_TEST(extremes_are_kept) {
	char long_text[256], long_impi[256];
	struct store_lease l = {
		.impi = "never@x", .impu = "sip:never@x", .pool = "", .sub = "", .gateway = ""};
	const struct store_load cb = {on_extreme, &l};
	struct answer a = {0};

	memset(long_text, '\'', sizeof(long_text));
	memset(long_impi, 'x', sizeof(long_impi));
	long_text[255] = long_impi[255] = '\0';
	if (_i == 1)
		l = (struct store_lease){.impi = long_impi,
					 .impu = "sip:%00\"{}\\ \xc3\xa4\t;@x",
					 .pool = long_text,
					 .sub = long_text,
					 .gateway = long_text,
					 .gen = INT64_MAX,
					 .state = 6,
					 .flags = STORE_MOVED | STORE_SUSPECT,
					 .scenario = 3,
					 .granted_ms = INT64_MAX,
					 .ended_ms = INT64_MAX,
					 .reassign_ms = INT64_MAX,
					 .tokens = {{{{0}}, INT64_MAX}, {{{255, 0, 1}}, 0}}};
	ck_assert_int_eq(store_commit(bed.s, &l, bed_on_done, &a), 0);
	store_flush(bed.s);
	ck_assert_int_eq(a.rc, 0);
	ck_assert_int_eq(store_load_all(bed.s, &cb), 0);
	bed_reopen();
	ck_assert_int_eq(store_load_all(bed.s, &cb), 0);
}
END_TEST

START_TEST(answers_come_later) {
	struct answer a[3] = {0};
	struct row r;

	for (unsigned i = 0; i < 3; i++) {
		row_make(&r, i, 1);
		ck_assert_int_eq(store_commit(bed.s, &r.l, bed_on_done, &a[i]), 0);
		ck_assert_uint_eq(a[0].n, 0);
	}
	for (unsigned i = 0; i < N_TURNS && a[2].n == 0; i++)
		bed.c->turn(bed.env);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(a[i].n, 1);
		ck_assert_int_eq(a[i].rc, 0);
	}
}
END_TEST

START_TEST(many_at_once) {
	static struct answer a[N_MANY];
	struct store_stats st;
	struct found f;

	for (unsigned i = 0; i < N_MANY; i++) {
		struct row r;

		row_make(&r, i, 1);
		ck_assert_int_eq(store_commit(bed.s, &r.l, bed_on_done, &a[i]), 0);
	}
	store_flush(bed.s);
	store_get_stats(bed.s, &st);
	ck_assert_uint_eq(st.queued, 0);
	ck_assert_uint_ge(st.commits, N_MANY);
	f = bed_load();
	ck_assert_uint_eq(f.n, N_MANY);
	for (unsigned i = 0; i < N_MANY; i++) {
		ck_assert_uint_eq(f.n_of[i], 1);
		ck_assert_int_eq(a[i].rc, 0);
		ck_assert_uint_eq(a[i].rev, f.rev[i]);
	}
}
END_TEST

START_TEST(loading_stops_when_told) {
	struct found f = {.stop_rc = -ENOSPC};
	const struct store_load cb = {bed_on_row, &f};

	bed_commit(1, 1, 0);
	bed_commit(2, 1, 0);
	ck_assert_int_eq(store_load_all(bed.s, &cb), -ENOSPC);
	ck_assert_uint_eq(f.n, 1);
}
END_TEST

START_TEST(closing_waits_for_what_is_queued) {
	struct answer a[8] = {0};

	for (unsigned i = 0; i < 8; i++) {
		struct row r;

		row_make(&r, i, 1);
		ck_assert_int_eq(store_commit(bed.s, &r.l, bed_on_done, &a[i]), 0);
	}
	store_close(bed.s);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(a[i].n, 1);
		ck_assert_int_eq(a[i].rc, 0);
	}
	bed.s = bed.c->open(bed.env);
	ck_assert(!bed.c->survives || bed_load().n == 8);
	store_close(NULL);
}
END_TEST

// --- compare and swap

START_TEST(a_write_names_what_it_replaces) {
	struct answer a = {0};
	struct told w = {.before = &a};
	uint64_t old = bed_commit(1, 10, 0), rev = bed_commit(1, 11, old);
	// none there was; one of before; one that is not yet
	const uint64_t wrong[] = {0, old, rev + 1000};
	struct store_stats before, after;
	struct row r;

	bed_watch(bed.s, &w);
	store_get_stats(bed.s, &before);
	row_make(&r, 1, 12);
	r.l.rev = wrong[_i];
	ck_assert_int_eq(store_commit(bed.s, &r.l, bed_on_done, &a), 0);
	store_flush(bed.s);
	ck_assert_int_eq(a.rc, RG_E_CONFLICT);
	ck_assert_uint_eq(w.n, 1);
	ck_assert_uint_eq(w.gen, 11);
	ck_assert_uint_eq(w.rev, rev);
	ck_assert_uint_eq(bed_load().gen[1], 11);
	store_get_stats(bed.s, &after);
	ck_assert_uint_eq(after.conflicts - before.conflicts, 1);
	ck_assert_uint_eq(after.failures, before.failures);
	ck_assert(after.is_up);
	w.before = NULL;
	bed_commit(1, 12, w.rev);
	ck_assert_uint_eq(bed_load().gen[1], 12);
}
END_TEST

START_TEST(a_revision_of_nothing_is_a_conflict) {
	struct told w = {0};

	bed_watch(bed.s, &w);
	ck_assert_int_eq(bed_commit_to(bed.s, 1, 10, 7).rc, RG_E_CONFLICT);
	ck_assert_uint_eq(w.n, 0);
	ck_assert_uint_eq(bed_load().n, 0);
}
END_TEST

// One that is refused among many takes none of them along.
START_TEST(a_conflict_is_of_one_record_only) {
	struct answer a[8] = {0};

	bed_commit(3, 1, 0);
	for (unsigned i = 0; i < 8; i++) {
		struct row r;

		row_make(&r, i, 2);
		ck_assert_int_eq(store_commit(bed.s, &r.l, bed_on_done, &a[i]), 0);
	}
	store_flush(bed.s);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_int_eq(a[i].rc, i == 3 ? RG_E_CONFLICT : 0);
	ck_assert_uint_eq(bed_load().n, 8);
	ck_assert_uint_eq(bed_load().gen[3], 1);
}
END_TEST

// --- values

START_TEST(values) {
	static uint8_t big[STORE_VALUE_MAX + 1], buf[STORE_VALUE_MAX];
	size_t len = sizeof(buf);

	memset(big, 0xa5, sizeof(big));
	ck_assert_int_eq(store_get(bed.s, "key", buf, &len), RG_E_STALE);
	ck_assert_int_eq(bed_put(bed.s, "key", "\0\1\2\3", 4, false), 0);
	ck_assert_int_eq(bed_put(bed.s, "key", "45678", 5, false), 0);
	ck_assert_int_eq(bed_put(bed.s, "none", NULL, 0, true), 0);
	ck_assert_int_eq(bed_put(bed.s, "big", big, STORE_VALUE_MAX, true), 0);
	ck_assert_int_eq(bed_put(bed.s, "big", big, STORE_VALUE_MAX + 1, false), RG_E_LIMIT);
	for (unsigned k = 0; k < 2; k++, bed_reopen()) {
		len = sizeof(buf);
		ck_assert_int_eq(store_get(bed.s, "key", buf, &len), 0);
		ck_assert_uint_eq(len, 5);
		ck_assert_mem_eq(buf, "45678", 5);
		len = 4;
		ck_assert_int_eq(store_get(bed.s, "key", buf, &len), RG_E_LIMIT);
		ck_assert_int_eq(store_get(bed.s, "none", buf, &len), 0);
		ck_assert_uint_eq(len, 0);
		len = sizeof(buf);
		ck_assert_int_eq(store_get(bed.s, "big", buf, &len), 0);
		ck_assert_uint_eq(len, STORE_VALUE_MAX);
		ck_assert_mem_eq(buf, big, len);
	}
}
END_TEST

START_TEST(a_new_value_replaces_none) {
	char buf[8];
	size_t len = sizeof(buf);

	ck_assert_int_eq(bed_put(bed.s, "key", "first", 5, true), 0);
	ck_assert_int_eq(bed_put(bed.s, "key", "second", 6, true), RG_E_CONFLICT);
	ck_assert_int_eq(store_get(bed.s, "key", buf, &len), 0);
	ck_assert_uint_eq(len, 5);
	ck_assert_mem_eq(buf, "first", 5);
}
END_TEST

// --- history

struct history {
	int rc;
	size_t n;
	unsigned n_calls;
	struct store_past past[STORE_PASTS];
	char sub[STORE_PASTS][24], gateway[STORE_PASTS][24];
};

static void on_history(void *arg, int rc, const struct store_past *past, size_t n) {
	struct history *h = arg;

	h->n_calls++;
	h->rc = rc;
	h->n = n;
	for (size_t i = 0; i < n; i++) {
		h->past[i] = past[i];
		snprintf(h->sub[i], sizeof(h->sub[i]), "%s", past[i].sub);
		snprintf(h->gateway[i], sizeof(h->gateway[i]), "%s", past[i].gateway);
	}
}

static struct history history(const char *impi) {
	struct history h = {0};

	ck_assert_int_eq(store_history(bed.s, impi, on_history, &h), 0);
	ck_assert_uint_eq(h.n_calls, 0);
	store_flush(bed.s);
	ck_assert_uint_eq(h.n_calls, 1);
	return h;
}

static void check_past(const struct history *h, size_t at, unsigned i, uint64_t gen) {
	int64_t last_end_ms = (int64_t)gen + 10 * (STORE_TOKENS - 1);
	const struct store_past *p = &h->past[at];
	struct row r;

	row_make(&r, i, gen);
	ck_assert_uint_eq(p->gen, gen);
	ck_assert_str_eq(h->sub[at], r.sub);
	ck_assert_str_eq(h->gateway[at], r.gateway);
	ck_assert_int_eq(p->granted_ms, r.l.granted_ms);
	ck_assert_int_eq(p->ended_ms, r.l.ended_ms != 0 ? r.l.ended_ms : last_end_ms);
	ck_assert_int_eq(p->reassign_ms, r.l.reassign_ms);
}

START_TEST(history_of_a_pair) {
	uint64_t rev = bed_commit(1, 0, 0), gen = 0;
	struct history h = history("p1@x");

	bed_commit(2, 1, 0);
	ck_assert_int_eq(h.rc, 0);
	ck_assert_uint_eq(h.n, 0); // provisioned, never assigned
	ck_assert_int_eq(history("p3@x").rc, RG_E_STALE);
	ck_assert_uint_eq(history("p3@x").n, 0);
	for (unsigned k = 0; k < 11; k++) {
		gen += 1 + k % 2; // generations may be left out
		rev = bed_commit(1, gen, rev);
		rev = bed_commit(1, gen, rev); // a renewal is no assignment
		h = history("p1@x");
		ck_assert_int_eq(h.rc, 0);
		ck_assert_uint_eq(h.n, k + 1 < STORE_PASTS ? k + 1 : STORE_PASTS);
		check_past(&h, 0, 1, gen);
	}
	bed_reopen();
	h = history("p1@x");
	ck_assert_uint_eq(h.n, STORE_PASTS);
	for (size_t i = 0; i < h.n; i++) {
		check_past(&h, i, 1, gen);
		gen -= 1 + (10 - i) % 2;
	}
	ck_assert_uint_eq(history("p2@x").n, 1);
	bed_commit(1, 100, rev);
	ck_assert_uint_eq(history("p1@x").past[0].gen, 100);
}
END_TEST

// Its last record is what an assignment is remembered by: here it was given back.
START_TEST(history_has_the_last_word) {
	struct answer a = {0};
	struct history h;
	struct row r;

	row_make(&r, 1, 2);
	ck_assert_int_eq(store_commit(bed.s, &r.l, bed_on_done, &a), 0);
	store_flush(bed.s);
	r.l.rev = a.rev;
	r.l.state = 6;
	r.l.ended_ms = 77;
	r.l.reassign_ms = 88;
	r.l.gateway = "gw-last";
	memset(r.l.tokens, 0, sizeof(r.l.tokens));
	ck_assert_int_eq(store_commit(bed.s, &r.l, bed_on_done, &a), 0);
	store_flush(bed.s);
	bed_commit(1, 3, a.rev);
	h = history("p1@x");
	ck_assert_uint_eq(h.n, 2);
	ck_assert_int_eq(h.past[1].ended_ms, 77);
	ck_assert_int_eq(h.past[1].reassign_ms, 88);
	ck_assert_str_eq(h.gateway[1], "gw-last");
}
END_TEST

// --- several handles

static void turn_until(const unsigned *n, unsigned want) {
	for (unsigned i = 0; i < N_TURNS && *n < want; i++) {
		bed.c->turn(bed.env);
		bed.c->turn(bed.env_t);
	}
	ck_assert_uint_eq(*n, want);
}

START_TEST(others_are_told) {
	struct told ours = {0}, theirs = {0};
	char buf[8];
	size_t len = sizeof(buf);
	uint64_t rev;

	bed_open_second();
	bed_watch(bed.s, &ours);
	bed_watch(bed.t, &theirs);
	rev = bed_commit(1, 10, 0);
	turn_until(&theirs.n, 1);
	ck_assert_uint_eq(theirs.rev, rev);
	ck_assert_uint_eq(theirs.gen, 10);
	ck_assert_int_eq(bed_commit_to(bed.t, 1, 11, rev).rc, 0);
	turn_until(&ours.n, 1);
	ck_assert_uint_eq(ours.gen, 11);
	ck_assert_int_eq(bed_put(bed.s, "key", "1234", 4, true), 0);
	turn_until(&theirs.n_values, 1);
	ck_assert_int_eq(store_get(bed.t, "key", buf, &len), 0);
	ck_assert_uint_eq(len, 4);
	ck_assert_int_eq(bed_put(bed.t, "key", "5678", 4, true), RG_E_CONFLICT);
}
END_TEST

START_TEST(one_of_two_wins) {
	struct told w[2] = {0};
	struct answer a[2] = {0};
	uint64_t rev = bed_commit(1, 10, 0);

	bed_open_second();
	bed_watch(bed.s, &w[0]);
	bed_watch(bed.t, &w[1]);
	for (unsigned i = 0; i < 2; i++) {
		struct row r;

		row_make(&r, 1, 11 + i);
		r.l.rev = rev;
		ck_assert_int_eq(store_commit(i == 0 ? bed.s : bed.t, &r.l, bed_on_done, &a[i]), 0);
	}
	turn_until(&a[0].n, 1);
	turn_until(&a[1].n, 1);
	ck_assert_int_eq(a[0].rc == 0 ? a[1].rc : a[0].rc, RG_E_CONFLICT);
	ck_assert_int_eq(a[0].rc == 0 ? a[0].rc : a[1].rc, 0);
	for (unsigned i = 0; i < 2; i++) {
		if (a[i].rc == 0)
			continue;
		ck_assert_uint_eq(w[i].gen, 12 - i);
		ck_assert_uint_eq(w[i].rev, a[1 - i].rev);
	}
	ck_assert_uint_eq(bed_load().gen[1], a[0].rc == 0 ? 11 : 12);
}
END_TEST

void contract_add(Suite *suite, const struct contract *contract) {
	TCase *tc = tcase_create(contract->name);

	bed.c = contract;
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, bed_setup, bed_teardown);
	tcase_add_test(tc, empty_at_first);
	tcase_add_test(tc, a_record_is_as_it_was_written);
	tcase_add_loop_test(tc, extremes_are_kept, 0, 2);
	tcase_add_test(tc, answers_come_later);
	tcase_add_test(tc, many_at_once);
	tcase_add_test(tc, loading_stops_when_told);
	tcase_add_test(tc, closing_waits_for_what_is_queued);
	tcase_add_loop_test(tc, a_write_names_what_it_replaces, 0, 3);
	tcase_add_test(tc, a_revision_of_nothing_is_a_conflict);
	tcase_add_test(tc, a_conflict_is_of_one_record_only);
	tcase_add_test(tc, values);
	tcase_add_test(tc, a_new_value_replaces_none);
	tcase_add_test(tc, history_of_a_pair);
	tcase_add_test(tc, history_has_the_last_word);
	if (bed.c->is_shared) {
		tcase_add_test(tc, others_are_told);
		tcase_add_test(tc, one_of_two_wins);
	}
	suite_add_tcase(suite, tc);
}
