// SPDX-License-Identifier: BSD-3-Clause
// REGISTER with tokens that a WWSF issued itself (sight.c): the whole way to the core, and every refusal.
#include <check.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "rig.h"
#include "store/store_mem.h"
#include "token/key.h"

#define ISSUER "https://theirs.example.net"
#define IMPU "sip:their-0@ims.example.net"
#define WWSF 2

static struct token_issuers *issuers;
static struct token_issuer_cfg cfg;
static char *keys;

static void setup(void) {
	static const struct token_issuers_cfg all = {
		"ep-cscf.ims.example.net", 7200, RG_NS_PER_S, RG_NS_PER_S, NULL, NULL, NULL};
	json_t *set;
	char err[256];

	rig_start();
	rig.conf.token.audience = (char *)all.audience;
	set = json_pack("{s:[o]}", "keys", jwk_export(token_key_jws(rig.key)));
	keys = json_dumps(set, 0);
	json_decref(set);
	cfg = (struct token_issuer_cfg){.issuer = ISSUER,
					.keys = rg_str(keys),
					.wwsf = "theirs",
					.wwsf_idx = WWSF};
	issuers = token_issuers_new(&all, &cfg, 1, rig.env, NULL, NULL, err, sizeof(err));
	ck_assert_msg(issuers != NULL, "%s", err);
	ims_set_issuers(rig.ims, issuers, rig.digester);
}

static void teardown(void) {
	token_issuers_free(issuers); // has a timer
	rig_stop();
	free(keys);
}

static struct token_claims good(void) {
	int64_t now_s = env_wall_ms(rig.env) / 1000;

	return (struct token_claims){
		.iss = ISSUER,
		.aud = "ep-cscf.ims.example.net",
		.sub = "u1",
		.impi = "their-0@ims.example.net",
		.impu = IMPU,
		.wwsf = "theirs",
		.pool = "theirs",
		.iat = now_s,
		.nbf = now_s,
		.exp = now_s + 3600,
		.idx = 0, // of theirs
		.gen = 42,
		.scenario = 3,
	};
}

static struct rig_lease client(const struct token_claims *claims) {
	static uint32_t n;
	struct rig_lease c = {.impu = IMPU, .conn = {.idx = 1000 + ++n, .gen = 1}};
	struct rg_wr w = rg_wr(c.token, sizeof(c.token) - 1);
	uint8_t jti[16];

	env_random(rig.env, jti, sizeof(jti));
	ck_assert_int_eq(token_issue(rig.key, claims, jti, &w), 0);
	rg_token_digest(rig.digester, rg_wr_slice(&w), &c.digest);
	return c;
}

static void send(const struct rig_lease *c, uint16_t wwsf) {
	rig_send(c, &(struct rig_register){.wwsf = &wwsf, .reason = RG_WHY_TOKEN_NEW});
}

static const struct lease *lease_of(const struct rig_lease *c) {
	return lease_by_digest(rig.leases, &c->digest);
}

START_TEST(registers) {
	struct token_claims claims = good();
	struct rig_lease c = client(&claims), again;

	send(&c, WWSF);
	rig_core_ok(3600);
	rig_expect_status(200);
	rig_expect_line("To: <" IMPU ">");
	rig_expect_no("Bearer");
	ck_assert_ptr_nonnull(lease_of(&c));
	ck_assert_uint_eq(lease_of(&c)->gen, 42);
	ck_assert_str_eq(lease_of(&c)->sub, "u1");
	ck_assert_int_eq(lease_of(&c)->state, LEASE_ACTIVE);
	claims.exp -= 60; // a new token of the same lease
	again = client(&claims);
	send(&again, WWSF);
	ck_assert_ptr_eq(lease_of(&again), lease_of(&c));
}
END_TEST

static void expect_challenge(void) {
	struct rig_reply *r = rig_reply();

	ck_assert_uint_eq(r->m.status, 401);
	ck_assert_ptr_nonnull(strstr(r->text, "error=\"invalid_token\""));
	ck_assert(rig_core_is_idle());
}

START_TEST(refused_tokens) {
	struct token_claims c;
	struct rig_lease l;

	for (unsigned i = 0; i < 7; i++) {
		c = good();
		switch (i) {
		case 0:
			c.iss = "https://nobody.example.net";
			break;
		case 1:
			c.aud = "elsewhere";
			break;
		case 2:
			c.exp = c.iat;
			break;
		case 3:
			c.exp += 7200;
			break;
		case 4:
			c.wwsf = "ours";
			break;
		case 5:
			c.nbf += 61;
			break;
		default:
			break;
		}
		l = client(&c);
		if (i == 6) // the last digit but one: of the signature
			l.token[strlen(l.token) - 2] ^= 1;
		send(&l, WWSF);
		expect_challenge();
		ck_assert_ptr_null(lease_of(&l));
	}
}
END_TEST

START_TEST(forbidden) {
	struct token_claims c = good();
	struct rig_lease l = client(&c);

	send(&l, 0); // from a page of another WWSF
	rig_expect_status(403);
	c.impi = "pool-00000@ims.example.net"; // ours to hand out
	c.impu = "sip:pool-00000@ims.example.net";
	l = client(&c);
	send(&l, WWSF);
	rig_expect_status(403);
	c = good();
	c.pool = "ours";
	l = client(&c);
	send(&l, WWSF);
	rig_expect_status(403);
	ck_assert(rig_core_is_idle());
	ck_assert_ptr_null(lease_of(&l));
	c = good();
	l = client(&c);
	l.impu = "sip:their-1@ims.example.net"; // To of somebody else
	send(&l, WWSF);
	rig_expect_status(403);
}
END_TEST

START_TEST(generations) {
	struct token_claims c = good();
	struct rig_lease l = client(&c);

	send(&l, WWSF);
	rig_core_ok(3600);
	rig_expect_status(200);
	c.gen = 43;
	c.sub = "u2";
	l = client(&c);
	send(&l, WWSF); // too early
	rig_expect_status(500);
	c.gen = 41;
	l = client(&c);
	send(&l, WWSF);
	expect_challenge();
}
END_TEST

START_TEST(two_at_once) {
	struct token_claims claims = good();
	struct rig_lease c = client(&claims), second = c;
	const uint16_t wwsf = WWSF;

	second.conn.idx++;
	store_mem_set_delay(rig.store, RG_NS_PER_S);
	rig_send(&c, &(struct rig_register){.wwsf = &wwsf});
	rig_send(&second, &(struct rig_register){.wwsf = &wwsf});
	env_sim_advance(rig.env, 5 * RG_NS_PER_S);
	rig_core_ok(3600); // more than was asked: what is left of the token's life
	env_sim_advance(rig.env, 2 * RG_NS_PER_S); // that this core does so is on record first
	rig_expect_status(200);
	ck_assert_ptr_nonnull(lease_of(&c));
}
END_TEST

// While the token is with the store.
START_TEST(end_under_way) {
	struct token_claims claims = good();
	struct rig_lease c = client(&claims);

	store_mem_set_delay(rig.store, RG_NS_PER_S);
	send(&c, WWSF);
	ck_assert_uint_eq(rig.n_replies, 0);
}
END_TEST

// While others wait for it; only the first is in the store's hands.
START_TEST(end_while_one_waits) {
	struct token_claims claims = good();
	struct rig_lease c = client(&claims), second = c;
	const uint16_t wwsf = WWSF;

	second.conn.idx++;
	store_mem_set_delay(rig.store, RG_NS_PER_S);
	rig_send(&c, &(struct rig_register){.wwsf = &wwsf});
	rig_send(&second, &(struct rig_register){.wwsf = &wwsf});
	ck_assert_uint_eq(rig.n_replies, 0);
}
END_TEST

static void add(void *suite) {
	TCase *tc = tcase_create("sight");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, registers);
	tcase_add_test(tc, refused_tokens);
	tcase_add_test(tc, forbidden);
	tcase_add_test(tc, generations);
	tcase_add_test(tc, two_at_once);
	tcase_add_test(tc, end_under_way);
	tcase_add_test(tc, end_while_one_waits);
	suite_add_tcase(suite, tc);
}

int main(void) {
	return rig_main("ims_sight", add);
}
