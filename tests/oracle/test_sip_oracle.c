// SPDX-License-Identifier: BSD-3-Clause
// Our SIP parser against libosip2 and sofia-sip over generated REGISTERs: the same verdict and the same
// fields, but for what forms.c says of a form.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "gen.h"
#include "oracle.h"

#define N_PER_FORM 140
#define N_DAMAGED 50000

static const struct {
	const char *name;
	unsigned bit;
	void (*read)(struct rg_slice in, struct said *s);
} oracles[] = {{"libosip2", OSIP, osip_read}, {"sofia-sip", SOFIA, sofia_read}};

#define N_ORACLES (sizeof(oracles) / sizeof(*oracles))

static struct gen g;
static struct said own, other;

// Of what both know and the oracle reads whole: an escaped NUL ends its text (RFC 4475 3.1.1.4).
static bool is_same(enum field f) {
	return !own.is_known[f] || !other.is_known[f] || strstr(own.text[f], "%00") != NULL ||
	       strcmp(own.text[f], other.text[f]) == 0;
}

static int differing_field(void) {
	for (enum field f = 0; f < N_FIELDS; f++)
		if (!is_same(f))
			return (int)f;
	return -1;
}

// Fails when the oracle says something else of the message, unless its verdict or what it reads may be
// another; true = it is.
static bool is_other(size_t oracle, bool may_judge, bool may_read) {
	int f;

	oracles[oracle].read(rg_slice(g.text, g.len), &other);
	ck_assert_msg(may_judge || own.is_good == other.is_good, "%s %s:\n%.*s",
		      oracles[oracle].name, other.is_good ? "takes" : "refuses", (int)g.len,
		      g.text);
	if (own.is_good != other.is_good)
		return true;
	f = own.is_good ? differing_field() : -1;
	ck_assert_msg(may_read || f < 0, "%s, %s: %s, not %s:\n%.*s", oracles[oracle].name,
		      field_names[f], other.text[f], own.text[f], (int)g.len, g.text);
	return f >= 0;
}

START_TEST(form) {
	const struct form *f = &forms[_i];
	unsigned n_other[N_ORACLES] = {0};

	oracles_init();
	g.seed = (uint64_t)_i;
	for (unsigned i = 0; i < N_PER_FORM; i++) {
		gen_message(&g, f);
		own_read(rg_slice(g.text, g.len), &own);
		ck_assert_msg(own.is_good == f->is_good, "%s:\n%.*s", f->clause, (int)g.len,
			      g.text);
		for (size_t k = 0; k < N_ORACLES; k++) {
			bool may = (f->differs & oracles[k].bit) != 0;

			n_other[k] += is_other(k, may, may);
		}
	}
	for (size_t k = 0; k < N_ORACLES; k++) // or the table says what is not so
		ck_assert_msg((n_other[k] > 0) == ((f->differs & oracles[k].bit) != 0), "%s, %s",
			      oracles[k].name, f->text);
}
END_TEST

// What is left of a good message when bytes of it are damaged may be good or bad. What we take
// sofia-sip takes, libosip2 at times (forms.c); what is taken is read as we do. What they take and we
// do not are the forms of forms.c.
START_TEST(damage) {
	unsigned n_good = 0, n_bad = 0, n_other = 0;

	oracles_init();
	g.seed = 1;
	for (unsigned i = 0; i < N_DAMAGED; i++) {
		gen_message(&g, NULL);
		gen_damage(&g);
		own_read(rg_slice(g.text, g.len), &own);
		n_bad += !own.is_good;
		if (!own.is_good || own.is_foreign)
			continue;
		n_good++;
		for (size_t k = 0; k < N_ORACLES; k++)
			n_other += is_other(k, oracles[k].bit == OSIP, false);
	}
	ck_assert_uint_gt(n_good, N_DAMAGED / 10);
	ck_assert_uint_gt(n_bad, N_DAMAGED / 2);
	ck_assert_uint_lt(n_other, n_good / 100); // or libosip2 reads too little to tell
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_oracle");
	TCase *t = tcase_create("oracle");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, form, 0, (int)n_forms);
	tcase_add_test(t, damage);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
