// SPDX-License-Identifier: BSD-3-Clause
// The decision table, rule by rule, with the instants on either side of each deadline.
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"

// What a case changes; the defaults of ask.h lead to a local 200.
struct change {
	bool is_bound, is_unknown; // the flow; the token
	uint32_t bound_idx;        // instead of 17
	uint64_t bound_gen;        // instead of 42
	uint32_t state_plus_1;     // see IN()
	uint32_t last_cseq;
	const char *last_call_id;
	uint16_t flow_wwsf;
	int64_t token_left_ns, core_left_ns, refresh_in_ns, promise_left_ns;
};

#define IN(state) .state_plus_1 = (state) + 1

static const struct {
	const char *name;
	struct ask_text text;
	struct change change;
	unsigned status; // 0 = punt
	enum rg_punt_reason why;
	const char *error; // of the challenge
} cases[] = {
	{"usual", {0}, {0}, 200, 0, NULL},
	{"usual, bound", {0}, {.is_bound = true}, 200, 0, NULL},

	// rule 4
	{"dereg with token",
	 {.contact = "Contact: " ASK_CONTACT ";expires=0\r\n"},
	 {0},
	 0,
	 RG_WHY_DEREG,
	 NULL},
	{"dereg by header",
	 {.contact = "m: " ASK_CONTACT "\r\nExpires: 0\r\n"},
	 {0},
	 0,
	 RG_WHY_DEREG,
	 NULL},
	{"dereg by star", {.contact = "Contact: *\r\nExpires: 0\r\n"}, {0}, 0, RG_WHY_DEREG, NULL},
	{"dereg, no token, bound",
	 {.contact = "Contact: *\r\nExpires: 0\r\n", .authorization = ""},
	 {.is_bound = true, .is_unknown = true},
	 0,
	 RG_WHY_DEREG,
	 NULL},
	{"dereg, no token, not bound",
	 {.contact = "Contact: *\r\nExpires: 0\r\n", .authorization = ""},
	 {.is_unknown = true},
	 401,
	 0,
	 NULL},
	{"dereg, unknown token, bound",
	 {.contact = "Contact: *\r\nExpires: 0\r\n"},
	 {.is_bound = true, .is_unknown = true},
	 0,
	 RG_WHY_DEREG,
	 NULL},
	{"dereg, unknown token, not bound",
	 {.contact = "Contact: *\r\nExpires: 0\r\n"},
	 {.is_unknown = true},
	 0,
	 RG_WHY_TOKEN_NEW,
	 NULL},
	{"dereg, expired token, bound",
	 {.contact = "Contact: *\r\nExpires: 0\r\n"},
	 {.is_bound = true, .token_left_ns = -1},
	 0,
	 RG_WHY_DEREG,
	 NULL},
	{"dereg, expired token, not bound",
	 {.contact = "Contact: *\r\nExpires: 0\r\n"},
	 {.token_left_ns = -1},
	 401,
	 0,
	 "invalid_token"},
	{"dereg of another",
	 {.contact = "Contact: *\r\nExpires: 0\r\n", .to = "<sip:other@ims.example.net>"},
	 {0},
	 403,
	 0,
	 NULL},
	{"dereg with a short token",
	 {.contact = "Contact: *\r\nExpires: 0\r\n"},
	 {.token_left_ns = 1},
	 0,
	 RG_WHY_DEREG,
	 NULL},

	// rule 5
	{"no token", {.authorization = ""}, {.is_unknown = true}, 401, 0, NULL},
	{"no token, bound",
	 {.authorization = ""},
	 {.is_bound = true, .is_unknown = true},
	 401,
	 0,
	 NULL},
	{"another scheme",
	 {.authorization = "Authorization: Digest a=b\r\n"},
	 {.is_unknown = true},
	 401,
	 0,
	 NULL},
	{"two tokens",
	 {.authorization = "Authorization: Bearer a.b.c\r\nAuthorization: Bearer a.b.c\r\n"},
	 {0},
	 400,
	 0,
	 NULL},
	{"malformed token",
	 {.authorization = "Authorization: Bearer a, b\r\n"},
	 {.is_unknown = true},
	 401,
	 0,
	 "invalid_token"},
	{"unknown JWT", {0}, {.is_unknown = true}, 0, RG_WHY_TOKEN_NEW, NULL},
	{"unknown JWT in the other form",
	 {.authorization = "Authorization: Bearer access_token=\"a-_.B.9\"\r\n"},
	 {.is_unknown = true},
	 0,
	 RG_WHY_TOKEN_NEW,
	 NULL},
	{"unknown, two parts",
	 {.authorization = "Authorization: Bearer a.b\r\n"},
	 {.is_unknown = true},
	 401,
	 0,
	 "invalid_token"},
	{"unknown, four parts",
	 {.authorization = "Authorization: Bearer a.b.c.d\r\n"},
	 {.is_unknown = true},
	 401,
	 0,
	 "invalid_token"},
	{"unknown, first part empty",
	 {.authorization = "Authorization: Bearer .b.c\r\n"},
	 {.is_unknown = true},
	 401,
	 0,
	 "invalid_token"},
	{"unknown, middle part empty",
	 {.authorization = "Authorization: Bearer a..c\r\n"},
	 {.is_unknown = true},
	 401,
	 0,
	 "invalid_token"},
	{"unknown, last part empty",
	 {.authorization = "Authorization: Bearer a.b.\r\n"},
	 {.is_unknown = true},
	 401,
	 0,
	 "invalid_token"},
	{"unknown, not base64url",
	 {.authorization = "Authorization: Bearer a.b/.c\r\n"},
	 {.is_unknown = true},
	 401,
	 0,
	 "invalid_token"},
	{"unknown, padded",
	 {.authorization = "Authorization: Bearer a.b.c=\r\n"},
	 {.is_unknown = true},
	 401,
	 0,
	 "invalid_token"},
	{"expired now", {0}, {.token_left_ns = -1}, 401, 0, "invalid_token"},
	{"one ns short of the floor", {0}, {.token_left_ns = 60 * S - 1}, 401, 0, "invalid_token"},
	{"at the floor", {0}, {.token_left_ns = 60 * S}, 200, 0, NULL},

	// rule 6
	{"other To", {.to = "<sip:pool-00018@ims.example.net>"}, {0}, 403, 0, NULL},
	{"other From", {.from = "<sip:pool-00018@ims.example.net>"}, {0}, 403, 0, NULL},
	{"both other",
	 {.from = "<sip:x@ims.example.net>", .to = "<sip:x@ims.example.net>"},
	 {0},
	 403,
	 0,
	 NULL},
	{"other user",
	 {.from = "<sip:pool-00018@ims.example.net>", .to = "<sip:pool-00018@ims.example.net>"},
	 {0},
	 403,
	 0,
	 NULL},
	{"other domain",
	 {.from = "<sip:pool-00017@ims.example.com>", .to = "<sip:pool-00017@ims.example.com>"},
	 {0},
	 403,
	 0,
	 NULL},
	{"other scheme",
	 {.from = "<tel:pool-00017@ims.example.net>", .to = "<tel:pool-00017@ims.example.net>"},
	 {0},
	 403,
	 0,
	 NULL},
	{"domain cut off",
	 {.from = "<sip:pool-00017@ims.example.ne>", .to = "<sip:pool-00017@ims.example.ne>"},
	 {0},
	 403,
	 0,
	 NULL},
	{"same AoR in other letters",
	 {.from = "sip:pool%2d00017@IMS.example.net",
	  .to = "\"P\" <SIP:pool-00017@ims.Example.NET:5060;user=ip>"},
	 {0},
	 200,
	 0,
	 NULL},
	{"user in other case", {.to = "<sip:POOL-00017@ims.example.net>"}, {0}, 403, 0, NULL},
	{"no SIP URI", {.to = "<tel:+1>"}, {0}, 403, 0, NULL},
	{"other WWSF", {0}, {.flow_wwsf = 4}, 403, 0, NULL},
	{"no Origin", {0}, {.flow_wwsf = NO_WWSF}, 200, 0, NULL},
	{"expired before forbidden",
	 {.to = "<sip:x@y>"},
	 {.token_left_ns = -1},
	 401,
	 0,
	 "invalid_token"},
	{"forbidden before short", {.to = "<sip:x@y>"}, {.token_left_ns = 1}, 403, 0, NULL},

	// rules 8 and 10
	{"offered", {0}, {IN(RG_LEASE_OFFERED)}, 0, RG_WHY_INITIAL, NULL},
	{"stale", {0}, {IN(RG_LEASE_STALE)}, 0, RG_WHY_STALE, NULL},
	{"ending", {0}, {IN(RG_LEASE_ENDING)}, 401, 0, "invalid_token"},
	{"unheard-of state", {0}, {IN(99)}, 401, 0, "invalid_token"},
	{"ending, dereg",
	 {.contact = "Contact: *\r\nExpires: 0\r\n"},
	 {IN(RG_LEASE_ENDING)},
	 0,
	 RG_WHY_DEREG,
	 NULL},
	{"offered, short token",
	 {0},
	 {IN(RG_LEASE_OFFERED), .token_left_ns = 60 * S - 1},
	 401,
	 0,
	 "invalid_token"},

	// RFC 3261 10.2.3: what is registered only the control plane knows
	{"query, bound", {.contact = ""}, {.is_bound = true}, 0, RG_WHY_CHANGED, NULL},
	{"query with Expires: 0, bound",
	 {.contact = "Expires: 0\r\n"},
	 {.is_bound = true},
	 0,
	 RG_WHY_CHANGED,
	 NULL},
	{"query, not bound", {.contact = ""}, {0}, 0, RG_WHY_CHANGED, NULL},
	{"query, no token, bound",
	 {.contact = "", .authorization = ""},
	 {.is_bound = true, .is_unknown = true},
	 401,
	 0,
	 NULL},
	{"query of another, bound",
	 {.contact = "", .to = "<sip:x@y>"},
	 {.is_bound = true},
	 403,
	 0,
	 NULL},
	{"query, offered",
	 {.contact = ""},
	 {.is_bound = true, IN(RG_LEASE_OFFERED)},
	 0,
	 RG_WHY_INITIAL,
	 NULL},

	// rule 9
	{"other Call-ID", {.call_id = "call-2"}, {0}, 0, RG_WHY_CHANGED, NULL},
	{"other contact",
	 {.contact = "Contact: <sip:x@4ej.invalid>\r\n"},
	 {0},
	 0,
	 RG_WHY_CHANGED,
	 NULL},
	{"other reg-id",
	 {.contact = "Contact: <sip:dgtq@4ej.invalid;transport=ws>;reg-id=2;"
		     "+sip.instance=\"<urn:uuid:17>\";expires=300\r\n"},
	 {0},
	 0,
	 RG_WHY_CHANGED,
	 NULL},
	{"one parameter more",
	 {.contact = "Contact: " ASK_CONTACT ";q=1;expires=300\r\n"},
	 {0},
	 0,
	 RG_WHY_CHANGED,
	 NULL},
	{"one more behind expires",
	 {.contact = "Contact: " ASK_CONTACT ";expires=300;q=1\r\n"},
	 {0},
	 0,
	 RG_WHY_CHANGED,
	 NULL},
	{"one parameter less",
	 {.contact = "Contact: <sip:dgtq@4ej.invalid;transport=ws>;reg-id=1;expires=300\r\n"},
	 {0},
	 0,
	 RG_WHY_CHANGED,
	 NULL},
	{"expires in the middle",
	 {.contact = "Contact: <sip:dgtq@4ej.invalid;transport=ws>;reg-id=1;EXPIRES=300 ;"
		     "+sip.instance=\"<urn:uuid:17>\"\r\n"},
	 {0},
	 200,
	 0,
	 NULL},
	{"no expires", {.contact = "Contact: " ASK_CONTACT "\r\n"}, {0}, 200, 0, NULL},
	{"expires that is no number",
	 {.contact = "Contact: " ASK_CONTACT ";expires=x\r\n"},
	 {0},
	 200,
	 0,
	 NULL},
	{"bound to another lease",
	 {0},
	 {.is_bound = true, .bound_idx = 18},
	 0,
	 RG_WHY_CHANGED,
	 NULL},
	{"bound to an older generation", {0}, {.is_bound = true, .bound_gen = 41}, 200, 0, NULL},

	// rule 11
	{"one ns before the core is due", {0}, {.refresh_in_ns = 1}, 200, 0, NULL},
	{"core due now", {0}, {.refresh_in_ns = -1}, 200, 0, NULL},
	{"core due, lasts as long as asked",
	 {0},
	 {.refresh_in_ns = -1, .core_left_ns = 331 * S - 1},
	 0,
	 RG_WHY_CORE_DUE,
	 NULL},
	{"core due, lasts longer",
	 {0},
	 {.refresh_in_ns = -1, .core_left_ns = 331 * S},
	 200,
	 0,
	 NULL},
	{"core due, lower CSeq",
	 {0},
	 {.refresh_in_ns = -1, .last_cseq = 8, .last_call_id = "call-1"},
	 500,
	 0,
	 NULL},

	// rule 12
	{"lower CSeq", {0}, {.last_cseq = 8, .last_call_id = "call-1"}, 500, 0, NULL},
	{"equal CSeq", {0}, {.last_cseq = 7, .last_call_id = "call-1"}, 200, 0, NULL},
	{"higher CSeq", {0}, {.last_cseq = 6, .last_call_id = "call-1"}, 200, 0, NULL},
	{"lower CSeq of another Call-ID",
	 {0},
	 {.last_cseq = 8, .last_call_id = "call-2"},
	 200,
	 0,
	 NULL},

	// the core's binding limits: guard 30, floor 60
	{"core one ns short", {0}, {.core_left_ns = 90 * S - 1}, 0, RG_WHY_SHORT, NULL},
	{"core long enough", {0}, {.core_left_ns = 90 * S}, 200, 0, NULL},
	{"core long gone", {0}, {.core_left_ns = -1}, 0, RG_WHY_SHORT, NULL},
};

static struct ask a;

static void put_before(const struct change *c) {
	struct ask_text t = {.call_id = c->last_call_id};
	char cseq[16];

	snprintf(cseq, sizeof(cseq), "%u", c->last_cseq);
	t.cseq = cseq;
	ask_client(&a, c->last_call_id, ASK_CONTACT);
	ask_write(&a, &t);
	ask_decide(&a);
	ck_assert_uint_eq(a.out.answer.status, 200);
	ck_assert_uint_eq(a.flow.last_cseq, c->last_cseq);
	ask_client(&a, "call-1", ASK_CONTACT);
}

// A left_ns of -1 stands for 0, which is the default.
static uint64_t at(int64_t left_ns) {
	return left_ns < 0 ? NOW : NOW + (uint64_t)left_ns;
}

static void apply(const struct change *c) {
	if (c->last_call_id != NULL)
		put_before(c);
	a.has_lease = !c->is_unknown;
	if (c->is_bound)
		ask_bind(&a);
	if (c->bound_idx != 0)
		a.flow.bound.lease_idx = c->bound_idx;
	if (c->bound_gen != 0)
		a.flow.bound.gen = c->bound_gen;
	if (c->flow_wwsf != 0)
		a.flow.wwsf = c->flow_wwsf;
	if (c->token_left_ns != 0)
		a.lease.token_end_ns = at(c->token_left_ns);
	if (c->core_left_ns != 0)
		a.lease.core_end_ns = at(c->core_left_ns);
	if (c->refresh_in_ns != 0)
		a.lease.core_refresh_ns = at(c->refresh_in_ns);
	if (c->promise_left_ns != 0)
		a.flow.bound.promise_end_ns = at(c->promise_left_ns);
	if (c->state_plus_1 != 0)
		a.lease.state = c->state_plus_1 - 1;
}

static bool contains(struct rg_slice s, const char *text) {
	return memmem(s.p, s.len, text, strlen(text)) != NULL;
}

static void check_challenge(const char *error) {
	struct rg_slice h = a.out.answer.headers;

	ck_assert(rg_is_prefix(h, RG_LIT("WWW-Authenticate: Bearer realm=\"ims.example.net\", "
					 "authz_server=\"https://wwsf.example.net\", "
					 "scope=\"ims.register\"")));
	ck_assert(h.p[h.len - 1] == '\n' && h.p[h.len - 2] == '\r');
	ck_assert_int_eq(contains(h, "error="), error != NULL);
	if (error != NULL)
		ck_assert(contains(h, error));
}

START_TEST(table) {
	struct sip_answer *w = &a.out.answer;

	ask_init(&a);
	apply(&cases[_i].change);
	ask_write(&a, &cases[_i].text);
	ask_decide(&a);
	if (cases[_i].status == 0) {
		ck_assert_msg(a.out.verdict == REG_PUNT, "%s", cases[_i].name);
		ck_assert_msg(a.out.reason == cases[_i].why, "%s: %d", cases[_i].name,
			      a.out.reason);
		return;
	}
	ck_assert_msg(a.out.verdict == REG_ANSWER, "%s", cases[_i].name);
	ck_assert_msg(w->status == cases[_i].status, "%s: %u", cases[_i].name, w->status);
	ck_assert_uint_gt(w->to_tag.len, 0);
	ck_assert_ptr_eq(w->peer, &a.peer);
	if (w->status == 401)
		check_challenge(cases[_i].error);
	ck_assert_int_eq(w->contact.len > 0, w->status == 200);
	ck_assert_int_eq(w->expires > 0, w->status == 200);
}
END_TEST

START_TEST(local_200) {
	ask_init(&a);
	ask_write(&a, &(struct ask_text){0});
	ask_decide(&a);
	ck_assert_uint_eq(a.out.answer.status, 200);
	ck_assert(rg_eq(a.out.answer.contact, RG_LIT(ASK_CONTACT)));
	ck_assert(rg_eq(a.out.answer.to_tag, a.lease.to_tag));
	ck_assert_ptr_eq(a.out.answer.more, a.lease.headers);
	ck_assert_uint_eq(a.out.answer.n_more, 5);
	ck_assert(a.out.is_bind && a.out.is_moved);
	ck_assert_uint_eq(a.out.bound.lease_idx, 17);
	ck_assert_uint_eq(a.out.bound.gen, 42);
	ck_assert_uint_eq(a.out.bound.promise_end_ns, NOW + a.out.answer.expires * S);
	ck_assert_uint_eq(a.flow.last_cseq, 7);
	ck_assert_uint_eq(a.flow.bound.lease_idx, RG_LEASE_NONE); // core binds, not we
}
END_TEST

// On its own flow a refresh renews the promise and moves nothing.
START_TEST(refresh) {
	ask_init(&a);
	ask_bind(&a);
	ask_write(&a, &(struct ask_text){0});
	ask_decide(&a);
	ck_assert(a.out.is_bind && !a.out.is_moved);
	ck_assert_uint_gt(a.out.bound.promise_end_ns, a.flow.bound.promise_end_ns);
	a.flow.bound.promise_end_ns = NOW; // the control plane has heard that it is over
	ask_decide(&a);
	ck_assert(a.out.is_bind && a.out.is_moved);
	ask_bind(&a);
	a.flow.bound.gen = 41;
	ask_decide(&a);
	ck_assert(a.out.is_bind && a.out.is_moved);
}
END_TEST

// Rule 11: the control plane hears of each due time once per flow.
START_TEST(core_due_is_told_once) {
	ask_init(&a);
	ask_bind(&a);
	ask_write(&a, &(struct ask_text){0});
	ask_decide(&a);
	ck_assert(!a.out.is_core_due);
	a.lease.core_refresh_ns = NOW;
	ask_decide(&a);
	ck_assert_uint_eq(a.out.answer.status, 200);
	ck_assert(a.out.is_core_due);
	reg_core_asked(&a.flow, &a.lease);
	ask_decide(&a);
	ck_assert_uint_eq(a.out.answer.status, 200);
	ck_assert(!a.out.is_core_due);
	a.lease.core_refresh_ns = NOW - S; // another one
	ask_decide(&a);
	ck_assert(a.out.is_core_due);
	a.lease.core_end_ns = NOW + 100 * S; // too short for a local answer: no need to tell
	ask_decide(&a);
	ck_assert_int_eq(a.out.verdict, REG_PUNT);
	ck_assert(!a.out.is_core_due);
}
END_TEST

// What was punted counts for the CSeq rule too; what was refused does not.
START_TEST(cseq_marks) {
	ask_init(&a);
	a.lease.state = RG_LEASE_STALE;
	ask_write(&a, &(struct ask_text){.cseq = "9"});
	ask_decide(&a);
	ck_assert_uint_eq(a.flow.last_cseq, 9);
	a.lease.state = RG_LEASE_ACTIVE;
	ask_write(&a, &(struct ask_text){.cseq = "8"});
	ask_decide(&a);
	ck_assert_uint_eq(a.out.answer.status, 500);
	ck_assert_uint_eq(a.flow.last_cseq, 9);
	ask_write(&a, &(struct ask_text){.cseq = "10", .to = "<sip:x@y>"});
	ask_decide(&a);
	ck_assert_uint_eq(a.out.answer.status, 403);
	ck_assert_uint_eq(a.flow.last_cseq, 9);
}
END_TEST

// As real cores do, unless strictness is asked for; the mark never goes back.
START_TEST(cseq_lenient) {
	ask_init(&a);
	a.cfg.is_cseq_strict = false;
	for (unsigned i = 0; i < 2; i++) {
		ask_write(&a, &(struct ask_text){.cseq = i == 0 ? "9" : "8"});
		ask_decide(&a);
		ck_assert_uint_eq(a.out.answer.status, 200);
		ck_assert_uint_eq(a.flow.last_cseq, 9);
	}
}
END_TEST

// A challenge that does not fit leaves a short one, never a bare scheme (ims.md 0.7).
START_TEST(long_realm) {
	static char realm[600];

	ask_init(&a);
	memset(realm, 'r', sizeof(realm) - 1);
	a.cfg.realm = realm;
	ask_write(&a, &(struct ask_text){.authorization = ""});
	ask_decide(&a);
	ck_assert_uint_eq(a.out.answer.status, 401);
	ck_assert(rg_eq(a.out.answer.headers,
			RG_LIT("WWW-Authenticate: Bearer scope=\"ims.register\"\r\n")));
}
END_TEST

// A token of more than RG_TOKEN_MAX bytes is refused, not carried upwards.
START_TEST(long_token) {
	static char line[RG_TOKEN_MAX + 100];

	for (unsigned extra = 0; extra < 2; extra++) {
		size_t n = (size_t)sprintf(line, "Authorization: Bearer a.b.");

		memset(line + n, 'c', RG_TOKEN_MAX - 4 + extra);
		strcpy(line + n + RG_TOKEN_MAX - 4 + extra, "\r\n");
		ask_init(&a);
		a.has_lease = false;
		ask_write(&a, &(struct ask_text){.authorization = line});
		ck_assert_uint_eq(a.reg.bearer.len, RG_TOKEN_MAX + extra);
		ask_decide(&a);
		ck_assert_int_eq(a.out.verdict, extra == 0 ? REG_PUNT : REG_ANSWER);
	}
}
END_TEST

#define LOOP(test, cases) tcase_add_loop_test(t, test, 0, sizeof(cases) / sizeof(*(cases)))

int main(void) {
	Suite *s = suite_create("reg_decide");
	TCase *t = tcase_create("decide");
	SRunner *r = srunner_create(s);
	int failed;

	LOOP(table, cases);
	tcase_add_test(t, local_200);
	tcase_add_test(t, refresh);
	tcase_add_test(t, cseq_marks);
	tcase_add_test(t, cseq_lenient);
	tcase_add_test(t, long_realm);
	tcase_add_test(t, long_token);
	tcase_add_test(t, core_due_is_told_once);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
