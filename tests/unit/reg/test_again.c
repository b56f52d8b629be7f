// SPDX-License-Identifier: BSD-3-Clause
// A REGISTER that repeats is judged as if it were the first: each message goes both ways, by what the
// flow remembers and by the grammar, and verdict, answer and flow are the same. The messages are
// those of several clients, with other branches, tags and numbers each time, many of them damaged;
// lease, binding and time change under them.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "reg/reg.h"
#include "regate/clock.h"
#include "regate/err.h"

#define S RG_NS_PER_S
#define NOW (5000 * S)
#define N_ROUNDS 60000
#define MAX_TEXT 4096

#define TOKEN "abcdefghijklmnopqrstuvwxyz012345.6789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.abcdefghijklmnop"
#define HEAD "REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\n"
#define PARTY "<sip:pool-17@ims.mnc001.mcc001.3gppnetwork.org>"
#define CALL_ID "kqct9mrk04l9g2q5ngism7"
#define CONTACT                                                                    \
	"<sip:k4711@w-7qzv.invalid;transport=ws>;+sip.ice;reg-id=1;+sip.instance=" \
	"\"<urn:uuid:6f0d2c1e-93ab-4b57-8e21-5d7c12345678>\""

struct client {
	const char *text; // with the branch, the tag and the number to be filled in
	bool is_usual;
};

static const struct client clients[] = {
	{HEAD "Via: SIP/2.0/WSS w00007qzv.invalid;branch=%s\r\nMax-Forwards: 69\r\nTo: " PARTY
	      "\r\nFrom: " PARTY ";tag=%s\r\nCall-ID: " CALL_ID
	      "\r\nCSeq: %u REGISTER\r\nAuthorization: Bearer " TOKEN
	      "\r\nExpires: 600\r\nContact: " CONTACT
	      ";expires=600\r\nSupported: path,gruu,outbound\r\nContent-Length: 0\r\n\r\n",
	 true},
	{HEAD "Via: SIP/2.0/WSS w00007qzv.invalid;branch=%s;rport\r\nFrom: \"A, B; tag=7\" " PARTY
	      ";tag=%s\r\nTo: \"A\" " PARTY "\r\nCall-ID: " CALL_ID
	      "\r\nCSeq: %u REGISTER\r\nContact: " CONTACT
	      "\r\nExpires: 300\r\nAllow: INVITE, ACK\r\nAuthorization: Bearer " TOKEN "\r\n\r\n",
	 true},
	{HEAD "Via: SIP/2.0/WSS w00007qzv.invalid;branch=%s;received=1.2.3.4;rport=5\r\n"
	      "Via: SIP/2.0/TCP [2001:db8::1]:5061;branch=z9\r\nTo: " PARTY
	      ";tag=old\r\nFrom: " PARTY ";tag=%s\r\nCall-ID: " CALL_ID
	      "\r\nCSeq: %u REGISTER\r\nContact: " CONTACT
	      ";expires=4000000\r\nAuthorization: Bearer " TOKEN "\r\nContent-Length: 0\r\n\r\n",
	 false},
	{HEAD "v: SIP/2.0/WSS w00007qzv.invalid;branch=%s\r\nf: " PARTY ";tag=%s\r\nt: " PARTY
	      "\r\ni: " CALL_ID "\r\nCSeq: %u REGISTER\r\nm: " CONTACT
	      ";expires=600\r\nAuthorization: Bearer " TOKEN "\r\nl: 0\r\n\r\n",
	 false},
	{HEAD "Via: SIP/2.0/WSS w00007qzv.invalid;branch=%s\r\nMax-Forwards: 69\r\nTo: " PARTY
	      "\r\nFrom: " PARTY ";tag=%s\r\nCall-ID: " CALL_ID
	      "\r\nCSeq: %u REGISTER\r\nAuthorization: Bearer " TOKEN "\r\nContact: " CONTACT
	      ";expires=0\r\nSupported: path,gruu,outbound\r\nContent-Length: 0\r\n\r\n",
	 false},
	{HEAD
	 "Via: SIP/2.0/WSS w00007qzv.invalid;branch=%s\r\nv: SIP/2.0/TCP b;branch=z9\r\nTo: " PARTY
	 "\r\nFrom: " PARTY ";tag=%s\r\nCall-ID: " CALL_ID
	 "\r\nCSeq: %u REGISTER\r\nContact: " CONTACT ";expires=600\r\nAuthorization: Bearer " TOKEN
	 "\r\nContent-Length: 0\r\n\r\n",
	 false},
	{HEAD "Via: SIP/2.0/WSS w00007qzv.invalid;branch=%s\r\nTo: " PARTY "\r\nFrom: " PARTY
	      ";tag=%s\r\nCall-ID: " CALL_ID "\r\nCSeq: %u REGISTER\r\nContact: "
	      "<sip:k4711@w-7qzv.invalid;transport=ws>;+sip.ice;expires=90;reg-id=1;+sip.instance="
	      "\"<urn:uuid:6f0d2c1e-93ab-4b57-8e21-5d7c12345678>\"\r\nAuthorization: Bearer " TOKEN
	      "\r\nExpires: 600\r\n\r\n",
	 false},
	{HEAD "Via: SIP/2.0/WSS w00007qzv.invalid;branch=%s\r\nTo: " PARTY "\r\nFrom: " PARTY
	      ";tag=%s\r\nCall-ID: " CALL_ID "\r\nCSeq: %u REGISTER\r\nContact: "
	      "<sip:k4711@w-7qzv.invalid;transport=ws>;+sip.ice;expires=600;reg-id=1;+sip.instance="
	      "\"<urn:uuid:6f0d2c1e-93ab-4b57-8e21-5d7c12345678>\"\r\nAuthorization: Bearer " TOKEN
	      "\r\nExpires: 600\r\n\r\n",
	 false},
};
#define N_CLIENTS (sizeof(clients) / sizeof(*clients))

static struct rg_lease_bucket bucket;
static const struct rg_lease_table table = {.buckets = &bucket, .n_buckets = 1};
static struct reg_tag_key key;
static struct reg_tokens tokens = {.leases = &table, .key = &key};
static struct rg_lease *lease;
static struct rg_digest digest; // of TOKEN
static struct rg_reg_cfg cfg;
static uint64_t seed, now_ns;

static uint32_t next(uint32_t below) {
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 33) % below;
}

// A text of the lease and what it shares, as the table would keep it.
static void fill_texts(void) {
	static const char own[] = "pool-17"
				  "handle"
				  "ep1.17.42";
	static const char common[] = "sip:"
				     "@ims.mnc001.mcc001.3gppnetwork.org"
				     "Service-Route: <sip:s;lr>\r\nP-Associated-URI: <sip:"
				     "@ims>\r\nPath: <sip:"
				     "@p;lr>\r\n";
	struct rg_lease_shared *s = calloc(1, sizeof(*s) + sizeof(common));

	lease = calloc(1, sizeof(*lease) + sizeof(own));
	ck_assert(lease != NULL && s != NULL);
	memcpy(lease->bytes, own, sizeof(own));
	lease->user_len = 7;
	lease->handle_len = 6;
	lease->to_tag_len = 9;
	memcpy(s->bytes, common, sizeof(common));
	s->len[RG_PART_SCHEME] = 4;
	s->len[RG_PART_DOMAIN] = 34;
	s->len[RG_PART_LINES_0] = 50;
	s->len[RG_PART_LINES_1] = 18;
	s->len[RG_PART_LINES_2] = 8;
	s->has_user = true;
	lease->shared = s;
}

static void usual_lease(void) {
	lease->digest = digest;
	lease->idx = 17;
	lease->gen = 42;
	lease->wwsf = 3;
	lease->state = RG_LEASE_ACTIVE;
	lease->token_end_ns = NOW + 3600 * S;
	lease->core_end_ns = NOW + 3000 * S;
	lease->core_refresh_ns = NOW + 1500 * S;
	lease->client = rg_client_hash(rg_call_id_hash(RG_LIT(CALL_ID)), RG_LIT(CONTACT));
	now_ns = NOW + next(100) * S;
}

static void setup(void) {
	static const uint8_t digest_key[RG_DIGEST_KEY_LEN] = {1};

	seed = 1;
	for (size_t i = 0; i < sizeof(key); i++)
		((uint8_t *)&key)[i] = (uint8_t)next(256);
	tokens.digester = rg_digester_new(digest_key);
	ck_assert_ptr_nonnull(tokens.digester);
	rg_token_digest(tokens.digester, RG_LIT(TOKEN), &digest);
	fill_texts();
	usual_lease();
	bucket = (struct rg_lease_bucket){0};
	bucket.slot[4] = lease;
	bucket.tags = (uint64_t)rg_lease_tag(&digest) << 32;
	cfg = (struct rg_reg_cfg){
		.realm = "ims.example.net",
		.authz_server = "https://wwsf.example.net",
		.client_max_s = 600,
		.client_min_s = 60,
		.guard_s = 30,
	};
}

static void teardown(void) {
	rg_digester_free(tokens.digester);
	free(lease->shared);
	free(lease);
}

// One way of a message, and what came of it.
struct way {
	struct reg_flow flow;
	int rc;
	struct sip_msg msg;
	struct sip_register r;
	struct rg_lease_view view;
	struct reg_out out;
	uint8_t text[2 * MAX_TEXT];
	struct rg_wr answer;
};

static const struct rg_addr peer = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1}, .port = 4711};

static void answer(struct way *w) {
	w->answer = rg_wr(w->text, sizeof(w->text));
	if (w->out.verdict == REG_ANSWER)
		sip_put_answer(&w->answer, &w->msg, &w->out.answer);
	if (w->out.is_bind)
		w->flow.bound = w->out.bound;
}

static void go_slowly(struct way *w, struct rg_slice in) {
	struct rg_digest d;
	bool has_lease;

	w->rc = sip_parse(in, &w->msg);
	if (w->rc == RG_OK)
		w->rc = sip_register_parse(&w->msg, &w->r);
	if (w->rc != RG_OK)
		return;
	has_lease =
		w->r.n_bearer > 0 && reg_find_lease(&tokens, &w->flow, w->r.bearer, &d, &w->view);
	reg_decide(&cfg, &w->flow, &w->r, &peer, has_lease ? &w->view : NULL, now_ns, &w->out);
	answer(w);
}

static bool go_again(struct way *w, struct rg_slice in) {
	struct sip_again a;

	if (!sip_again_cut(in, &a, &w->msg) || !reg_find_again(&tokens, &w->flow, &a, &w->view))
		return false;
	reg_decide_again(&cfg, &w->flow, &a.r, &peer, &w->view, now_ns, &w->out);
	answer(w);
	return true;
}

static void learn(struct way *w) {
	struct sip_again a;
	struct sip_msg m;

	if (w->rc != RG_OK || w->out.verdict != REG_ANSWER || w->out.answer.status != 200)
		return;
	if (!sip_again_cut(w->msg.raw, &a, &m) || !sip_again_is(&a, &w->r) ||
	    !reg_learn(&tokens, &w->flow, &a, &w->out.answer.contact, &w->view))
		reg_unlearn(&w->flow);
}

static void check_same(const struct way *x, const struct way *y) {
	ck_assert_int_eq(x->rc, RG_OK);
	ck_assert_int_eq(x->out.verdict, y->out.verdict);
	ck_assert_int_eq(x->out.reason, y->out.reason);
	ck_assert_int_eq(x->out.answer.status, y->out.answer.status);
	ck_assert(x->out.is_bind == y->out.is_bind && x->out.is_moved == y->out.is_moved &&
		  x->out.is_core_due == y->out.is_core_due);
	ck_assert(rg_eq(rg_wr_slice(&x->answer), rg_wr_slice(&y->answer)));
	ck_assert(rg_eq(x->msg.raw, y->msg.raw));
	ck_assert_mem_eq(&x->flow.bound, &y->flow.bound, sizeof(x->flow.bound));
	ck_assert_uint_eq(x->flow.call_id_hash, y->flow.call_id_hash);
	ck_assert_uint_eq(x->flow.last_cseq, y->flow.last_cseq);
}

static const char *random_text(char *out, const char *from, unsigned max) {
	unsigned n = 1 + next(max);

	for (unsigned i = 0; i < n; i++)
		out[i] = from[next((uint32_t)strlen(from))];
	out[n] = '\0';
	return out;
}

// Some of what is in the gaps is not good there.
static size_t write_message(const struct client *c, char *out, uint32_t cseq) {
	static const char good[] = "abcdefzABCZ0189-.!%*_+`'~";
	static const char bad[] =
		"abcdefghijklmnopqrstuvwxyz0123456789;,=\"<>@: \t\r\n\\()\x7f\x80";
	char branch[64], tag[64];
	bool is_bad = next(4) == 0;

	random_text(branch, is_bad ? bad : good, 40);
	random_text(tag, is_bad && next(2) == 0 ? bad : good, 40);
	return (size_t)snprintf(out, MAX_TEXT, c->text, branch, tag, cseq);
}

static size_t damage(char *text, size_t len) {
	static const char hot[] = "\r\n\t \"\\<>()[],;:=@?%0129aZ\x7f\x80\xff";
	size_t at = next((uint32_t)len), n = next((uint32_t)(len - at)) % 40;

	switch (next(5)) {
	case 0:
		text[at] = (char)(text[at] ^ 1 << next(8));
		return len;
	case 1:
		text[at] = hot[next(sizeof(hot) - 1)];
		return len;
	case 2:
		memmove(text + at, text + at + n, len - at - n);
		return len - n;
	case 3:
		memmove(text + at + n, text + at, len - at);
		return len + n;
	default:
		return at;
	}
}

// Half of the time all is well.
static void change_world(struct reg_flow *f) {
	bool is_well = next(2) == 0;

	usual_lease();
	cfg.client_max_s = 600;
	if (is_well)
		return;
	switch (next(9)) {
	case 0:
		lease->state = (uint8_t)next(4);
		break;
	case 1:
		now_ns = lease->token_end_ns - next(120) * S;
		break;
	case 2:
		now_ns = lease->core_refresh_ns + next(1600) * S;
		break;
	case 3:
		lease->client++;
		break;
	case 4:
		lease->wwsf = 4;
		break;
	case 5:
		lease->digest.b[8 + next(8)]++;
		break;
	case 6:
		f->bound.gen++;
		break;
	case 7:
		f->bound.lease_idx = next(2) == 0 ? 18 : RG_LEASE_NONE;
		break;
	default:
		cfg.client_max_s = 120;
	}
}

START_TEST(same_both_ways) {
	static struct way slow, again;
	static char text[2 * MAX_TEXT];
	struct reg_flow flow = {.bound = {17, 42, NOW}, .wwsf = 3};
	unsigned n_again = 0, n_refused = 0, n_punted = 0, n_damaged = 0, client = 0;
	uint32_t cseq = 1000;
	uint8_t zero[2 * MAX_TEXT] = {0};
	struct rg_slice area = guard_copy(rg_slice(zero, sizeof(zero)));

	for (unsigned i = 0; i < N_ROUNDS; i++) {
		bool is_damaged = next(3) == 0, is_again;
		struct rg_slice in;
		size_t len;

		client = next(8) == 0 ? next(2 + next(2) * (N_CLIENTS - 2)) : client;
		cseq = next(20) == 0 ? cseq - next(5) : cseq + 1;
		len = write_message(&clients[client], text, cseq);
		len = is_damaged ? damage(text, len) : len;
		in = rg_slice(area.p + area.len - len, len);
		memcpy((uint8_t *)in.p, text, len);
		change_world(&flow);
		slow.flow = again.flow = flow;
		go_slowly(&slow, in);
		is_again = go_again(&again, in);
		if (is_again) {
			check_same(&slow, &again);
			n_again++;
			n_damaged += is_damaged;
			n_refused +=
				again.out.verdict == REG_ANSWER && again.out.answer.status != 200;
			n_punted += again.out.verdict == REG_PUNT;
		}
		learn(&slow);
		flow = is_again ? again.flow : slow.flow;
		if (next(4) == 0)
			flow.bound = (struct rg_binding){17, 42, NOW};
	}
	// all of them were tried, and what was damaged did not pass but where it may
	ck_assert_uint_gt(n_again, N_ROUNDS / 20);
	ck_assert_uint_gt(n_refused, 100);
	ck_assert_uint_gt(n_punted, 100);
	ck_assert_uint_lt(n_damaged, n_again / 10);
}
END_TEST

// Which clients are remembered: so that the test above says something of each.
START_TEST(who_is_remembered) {
	static struct way w;
	char text[MAX_TEXT];
	int n = snprintf(text, sizeof(text), clients[_i].text, "z9hG4bK1", "t1", 7u);

	w.flow = (struct reg_flow){.bound = {17, 42, NOW}, .wwsf = 3};
	go_slowly(&w, guard_copy(rg_slice(text, (size_t)n)));
	ck_assert_int_eq(w.rc, RG_OK);
	learn(&w);
	ck_assert(reg_has_message(&w.flow) == clients[_i].is_usual);
	n = snprintf(text, sizeof(text), clients[_i].text, "z9hG4bK234567", "other", 12345u);
	ck_assert(go_again(&w, guard_copy(rg_slice(text, (size_t)n))) == clients[_i].is_usual);
}
END_TEST

START_TEST(other_lease) {
	static struct way w;
	char text[MAX_TEXT];
	int n = snprintf(text, sizeof(text), clients[0].text, "z9hG4bK1", "t1", 7u);
	struct rg_slice in = guard_copy(rg_slice(text, (size_t)n));

	w.flow = (struct reg_flow){.bound = {17, 42, NOW}, .wwsf = 3};
	go_slowly(&w, in);
	learn(&w);
	ck_assert(go_again(&w, in));
	lease->gen += _i == 0;
	lease->client += _i == 1;
	lease->digest.b[15] += _i == 2;
	ck_assert(!go_again(&w, in));
}
END_TEST

// Blocks of a text that says the same all along do not tell how long it is.
START_TEST(length_counts) {
	static const char pad[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	static struct way w;
	char text[2][MAX_TEXT];
	int n[2];

	for (int i = 0; i < 2; i++)
		n[i] = snprintf(text[i], MAX_TEXT,
				HEAD "Via: SIP/2.0/WSS w00007qzv.invalid;branch=b\r\nTo: " PARTY
				     "\r\nFrom: " PARTY ";tag=t\r\nCall-ID: " CALL_ID
				     "\r\nCSeq: 7 REGISTER\r\nContact: " CONTACT
				     ";expires=600\r\nAuthorization: Bearer " TOKEN
				     "\r\nX-Pad: %.*s\r\n\r\n",
				20 + _i + i, pad);
	w.flow = (struct reg_flow){.bound = {17, 42, NOW}, .wwsf = 3};
	go_slowly(&w, guard_copy(rg_slice(text[0], (size_t)n[0])));
	learn(&w);
	ck_assert(go_again(&w, guard_copy(rg_slice(text[0], (size_t)n[0]))));
	ck_assert(!go_again(&w, guard_copy(rg_slice(text[1], (size_t)n[1]))));
}
END_TEST

int main(void) {
	Suite *s = suite_create("again");
	TCase *tc = tcase_create("again");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, same_both_ways);
	tcase_add_loop_test(tc, who_is_remembered, 0, N_CLIENTS);
	tcase_add_loop_test(tc, other_lease, 0, 3);
	tcase_add_loop_test(tc, length_counts, 0, 32);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
