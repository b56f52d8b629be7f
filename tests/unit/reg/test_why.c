// SPDX-License-Identifier: BSD-3-Clause
// The reason that goes with each refusal: the rule of ims.md 4.3, for its counter.
#include "ask.h"
#include "regate/stats.h"

static const struct {
	const char *name;
	struct ask_text text;
	bool is_unknown;    // the token
	uint64_t left_ns;   // of the token; 0: an hour
	unsigned state;     // of the lease; 0: active
	uint16_t flow_wwsf; // 0: the lease's
	unsigned status;
	enum rg_punt_reason why;
	const char *rule; // that the counter's text begins with
} cases[] = {
	{"two tokens",
	 {.more = "Authorization: Bearer x\r\n"},
	 .status = 400,
	 .why = RG_WHY_TWO_TOKENS,
	 .rule = "rule 1:"},
	{"no token",
	 {.authorization = ""},
	 .is_unknown = true,
	 .status = 401,
	 .why = RG_WHY_NO_TOKEN,
	 .rule = "rule 5:"},
	{"no token of ours",
	 {.authorization = "Authorization: Bearer x\r\n"},
	 .is_unknown = true,
	 .status = 401,
	 .why = RG_WHY_BAD_TOKEN,
	 .rule = "rule 5:"},
	{"expired", {0}, .left_ns = 1, .status = 401, .why = RG_WHY_TOKEN_ENDED, .rule = "rule 5:"},
	{"too little left",
	 {0},
	 .left_ns = 59 * S,
	 .status = 401,
	 .why = RG_WHY_TOKEN_ENDING,
	 .rule = "rule 5:"},
	{"ending",
	 {0},
	 .state = RG_LEASE_ENDING,
	 .status = 401,
	 .why = RG_WHY_LEASE_ENDING,
	 .rule = "rule 5:"},
	{"other To", {.to = "<sip:x@y>"}, .status = 403, .why = RG_WHY_IDENTITY, .rule = "rule 6:"},
	{"other page",
	 {0},
	 .flow_wwsf = 4,
	 .status = 403,
	 .why = RG_WHY_FOREIGN_PAGE,
	 .rule = "rule 6:"},
	{"CSeq went back", {.cseq = "6"}, .status = 500, .why = RG_WHY_CSEQ, .rule = "rule 12:"},
	{"usual", {0}, .status = 200, .why = RG_WHY_NONE},
};

static struct ask a;

START_TEST(reasons) {
	ask_init(&a);
	if (cases[_i].why == RG_WHY_CSEQ) {
		ask_write(&a, &(struct ask_text){0});
		ask_decide(&a);
	}
	a.has_lease = !cases[_i].is_unknown;
	if (cases[_i].left_ns != 0)
		a.lease.token_end_ns = NOW + cases[_i].left_ns - (cases[_i].left_ns == 1);
	if (cases[_i].state != 0)
		a.lease.state = cases[_i].state;
	if (cases[_i].flow_wwsf != 0)
		a.flow.wwsf = cases[_i].flow_wwsf;
	ask_write(&a, &cases[_i].text);
	ask_decide(&a);
	ck_assert_msg(a.out.verdict == REG_ANSWER && a.out.answer.status == cases[_i].status,
		      "%s: %u", cases[_i].name, a.out.answer.status);
	ck_assert_msg(a.out.reason == cases[_i].why, "%s: %d", cases[_i].name, a.out.reason);
	if (cases[_i].rule != NULL) {
		enum rg_stat i = (enum rg_stat)(RG_FIRST_WHY + a.out.reason - RG_WHY_DEREG);

		ck_assert(rg_is_prefix(rg_str(rg_stat_text(i)), rg_str(cases[_i].rule)));
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("reg_why");
	TCase *t = tcase_create("why");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, reasons, 0, sizeof(cases) / sizeof(cases[0]));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
