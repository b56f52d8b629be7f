// SPDX-License-Identifier: BSD-3-Clause
// Leases by tokens that their issuer is asked about (recheck.c): it is asked again, and what it says then.
// The test is the issuer.
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "rig.h"
#include "token/introspect.h"

#define IMPU "sip:their-0@ims.example.net"
#define WWSF 2
#define CACHE_S 300
#define ASKS_MAX 256

struct asked {
	char token[64];
	void (*done)(void *arg, const struct http_answer *a);
	void *arg;
};

static struct token_issuers *issuers;
static struct token_issuer_cfg cfg;
static struct asked asked[ASKS_MAX]; // oldest first
static unsigned n_asked;

// Instead of HTTP, which the simulated environment has not.
int __wrap_introspect_ask(struct http_client *, const struct introspect_ask *,
			  void (*)(void *, const struct http_answer *), void *,
			  struct http_request **);

int __wrap_introspect_ask(struct http_client *, const struct introspect_ask *ask,
			  void (*done)(void *arg, const struct http_answer *a), void *arg,
			  struct http_request **) {
	struct asked *a = &asked[n_asked++];

	ck_assert_uint_le(n_asked, ASKS_MAX);
	*a = (struct asked){.done = done, .arg = arg};
	snprintf(a->token, sizeof(a->token), "%.*s", (int)ask->token.len, (char *)ask->token.p);
	return 0;
}

// To the oldest question about that token; fails when there is none.
static void answer(const char *token, const char *text) {
	const struct http_answer a = {.status = 200, .body = rg_str(text)};
	struct asked found;
	unsigned i = 0;

	while (i < n_asked && strcmp(asked[i].token, token) != 0)
		i++;
	ck_assert_msg(i < n_asked, "nobody asks about %s", token);
	found = asked[i];
	memmove(&asked[i], &asked[i + 1], (--n_asked - i) * sizeof(*asked));
	found.done(found.arg, &a);
	env_sim_settle(rig.env);
}

static void answer_active(const char *token) {
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"active\":true,\"sub\":\"u1\",\"scope\":\"ims.register\",\"exp\":%jd,"
		 "\"ims\":{\"impi\":\"their-0@ims.example.net\",\"impu\":[\"" IMPU "\"],"
		 "\"wwsf\":\"theirs\",\"pool\":\"theirs\",\"idx\":0,\"gen\":42,\"scn\":3}}",
		 (intmax_t)(env_wall_ms(rig.env) / 1000 + 7200));
	answer(token, text);
}

static void setup(void) {
	static const struct token_issuers_cfg all = {
		"ep-cscf.ims.example.net", 7200, RG_NS_PER_S, RG_NS_PER_S, NULL, NULL, NULL};
	char err[256];

	rig_start();
	rig.conf.token.audience = (char *)all.audience;
	n_asked = 0;
	cfg = (struct token_issuer_cfg){.issuer = "https://theirs.example.net",
					.introspection_uri = "https://theirs.example.net/i",
					.cache_s = CACHE_S,
					.wwsf = "theirs",
					.wwsf_idx = WWSF};
	issuers = token_issuers_new(&all, &cfg, 1, rig.env, NULL, NULL, err, sizeof(err));
	ck_assert_msg(issuers != NULL, "%s", err);
	ims_set_issuers(rig.ims, issuers, rig.digester);
}

static void teardown(void) {
	rig_stop();
	token_issuers_free(issuers);
}

static struct rig_lease show(const char *token) {
	static const uint16_t wwsf = WWSF;
	static uint32_t n;
	struct rig_lease c = {.impu = IMPU, .conn = {.idx = 1000 + ++n, .gen = 1}};

	snprintf(c.token, sizeof(c.token), "%s", token);
	rg_token_digest(rig.digester, rg_str(token), &c.digest);
	rig_send(&c, &(struct rig_register){.wwsf = &wwsf, .reason = RG_WHY_TOKEN_NEW});
	return c;
}

static struct rig_lease register_with(const char *token) {
	struct rig_lease c = show(token);

	answer_active(token);
	rig_core_ok(3600);
	rig_expect_status(200);
	ck_assert_ptr_nonnull(lease_by_digest(rig.leases, &c.digest));
	return c;
}

static const struct lease *lease_of(const struct rig_lease *c) {
	return lease_by_digest(rig.leases, &c->digest);
}

START_TEST(prolonged) {
	struct rig_lease c = register_with("t-1");

	for (unsigned i = 0; i < 5; i++) {
		env_sim_advance(rig.env, CACHE_S * RG_NS_PER_S / 2);
		answer_active("t-1");
	}
	ck_assert_ptr_nonnull(lease_of(&c));
	env_sim_advance(rig.env, CACHE_S * RG_NS_PER_S);
	ck_assert_ptr_null(lease_of(&c)); // no word of it for as long as the last was good
}
END_TEST

// The client has a newer token of the same lease, which its issuer did not withdraw.
START_TEST(old_token_withdrawn) {
	struct rig_lease old = register_with("t-1"), new;

	env_sim_advance(rig.env, 20 * RG_NS_PER_S);
	new = show("t-2");
	answer_active("t-2");
	ck_assert_ptr_eq(lease_of(&new), lease_of(&old));
	env_sim_advance(rig.env, (CACHE_S / 2 - 10) * RG_NS_PER_S);
	answer("t-1", "{\"active\":false}");
	ck_assert_ptr_null(lease_of(&old));
	ck_assert_ptr_nonnull(lease_of(&new));
	env_sim_advance(rig.env, 20 * RG_NS_PER_S);
	answer("t-2", "{\"active\":false}");
	ck_assert_ptr_null(lease_of(&new));
	ck_assert_uint_eq(n_asked, 0);
}
END_TEST

// Bearers that are nobody's, from clients that nobody knows.
START_TEST(asked_again_during_a_flood) {
	struct rig_lease c = register_with("t-1");
	char text[16];

	env_sim_advance(rig.env, CACHE_S * RG_NS_PER_S / 2 - RG_NS_PER_S);
	for (unsigned i = 0; i < 16; i++) {
		snprintf(text, sizeof(text), "x-%u", i);
		show(text);
	}
	show("x-16");
	rig_expect_status(503);
	ck_assert_uint_eq(n_asked, 16);
	env_sim_advance(rig.env, 2 * RG_NS_PER_S);
	answer_active("t-1");
	env_sim_advance(rig.env, (CACHE_S - 10) * RG_NS_PER_S);
	ck_assert_ptr_nonnull(lease_of(&c));
}
END_TEST

START_TEST(first_asked_so_often) {
	char text[16];

	for (unsigned i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "x-%u", i);
		show(text);
		answer(text, "{\"active\":false}");
		rig_expect_status(401);
		rig.n_taken = rig.n_replies = 0;
	}
	show("x-100");
	rig_expect_status(503);
	ck_assert_uint_eq(n_asked, 0);
	env_sim_advance(rig.env, RG_NS_PER_S);
	show("x-100");
	ck_assert_uint_eq(n_asked, 1);
}
END_TEST

// RFC 7662 4: what is not active is not asked about at each try, for a moment; by itself, on its page.
START_TEST(refused_for_a_moment) {
	show("x");
	answer("x", "{\"active\":false}");
	rig_expect_status(401);
	env_sim_advance(rig.env, 4 * RG_NS_PER_S);
	show("x");
	rig_expect_status(401);
	ck_assert_ptr_nonnull(strstr(rig.replies[1].text, "error=\"invalid_token\""));
	ck_assert_uint_eq(n_asked, 0);
	show("y");
	answer("y", ""); // no word: not kept
	rig_expect_status(401);
	show("y");
	ck_assert_uint_eq(n_asked, 1);
	env_sim_advance(rig.env, RG_NS_PER_S);
	register_with("x"); // active by now
}
END_TEST

// An issuer that cannot answer is asked again until the word has run out, not at one time by all.
START_TEST(asked_until_it_answers) {
	struct rig_lease c = register_with("t-1");
	uint64_t last_ns = 0, low_ns = RG_NEVER, high_ns = 0;

	while (lease_of(&c) != NULL) {
		uint64_t gap_ns;

		env_sim_advance(rig.env, RG_NS_PER_S / 10);
		if (n_asked == 0)
			continue;
		answer("t-1", "");
		gap_ns = env_now_ns(rig.env) - last_ns;
		if (last_ns != 0) {
			low_ns = gap_ns < low_ns ? gap_ns : low_ns;
			high_ns = gap_ns > high_ns ? gap_ns : high_ns;
		}
		last_ns = env_now_ns(rig.env);
	}
	ck_assert_uint_ge(low_ns, 5 * RG_NS_PER_S);
	ck_assert_uint_gt(high_ns, low_ns + RG_NS_PER_S);
	ck_assert_uint_le(high_ns, 16 * RG_NS_PER_S);
}
END_TEST

static void add(void *suite) {
	TCase *tc = tcase_create("recheck");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, prolonged);
	tcase_add_test(tc, old_token_withdrawn);
	tcase_add_test(tc, asked_again_during_a_flood);
	tcase_add_test(tc, first_asked_so_often);
	tcase_add_test(tc, refused_for_a_moment);
	tcase_add_test(tc, asked_until_it_answers);
	suite_add_tcase(suite, tc);
}

int main(void) {
	return rig_main("ims_recheck", add);
}
