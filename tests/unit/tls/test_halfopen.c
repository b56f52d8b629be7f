// SPDX-License-Identifier: BSD-3-Clause
// Connections amid their handshake: what they cost before their turn, how many there may be, whose
// turn it is, and how much of the time they get. The clock is an argument.
#include <check.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "guard.h"
#include "peer.h"
#include "regate/clock.h"
#include "regate/err.h"
#include "tls/tls_int.h"

#define MAX_HALF_OPEN 6
#define MAX_PER_SOURCE 3

static struct tls_ctx *ctx;
static SSL_CTX *client;

static void start(unsigned share) {
	const struct rg_cert_file file = {tmp_path("a.crt"), tmp_path("a.key")};
	const struct tls_cfg cfg = {
		.certs = &file,
		.n_certs = 1,
		.max_conns = 16,
		.max_half_open = MAX_HALF_OPEN,
		.max_per_source = MAX_PER_SOURCE,
		.share = share,
	};
	char err[256];

	tls_ctx_free(ctx);
	ctx = tls_ctx_new(&cfg, err, sizeof(err));
	ck_assert_msg(ctx != NULL, "%s", err);
}

static void setup(void) {
	start(100);
	client = client_ctx_new();
}

static void teardown(void) {
	ck_assert_uint_eq(ctx->free_handshakes.n_free, MAX_HALF_OPEN);
	for (int i = 0; i < TLS_N_SOURCES; i++)
		ck_assert_uint_eq(ctx->half_open_quota.n[0][i] + ctx->half_open_quota.n[1][i], 0);
	ck_assert(!tls_is_waiting(ctx));
	ck_assert_uint_eq(ERR_peek_error(), 0);
	tls_ctx_free(ctx);
	ctx = NULL;
	SSL_CTX_free(client);
}

static struct pair *opened(uint32_t slot, uint32_t source) {
	struct pair *p = pair_new(ctx, client);

	tls_conn_init(p->server, slot);
	p->source = source;
	return p;
}

// What the client has to say now. Static storage.
static struct rg_slice said(struct pair *p) {
	static uint8_t buf[65536];
	int n;

	(void)SSL_do_handshake(p->client);
	ERR_clear_error();
	n = BIO_read(SSL_get_wbio(p->client), buf, sizeof(buf));
	return guard_copy(rg_slice(buf, n < 0 ? 0 : (size_t)n));
}

static int feed(struct pair *p, struct rg_slice in) {
	return tls_input(ctx, p->server, in, pair_sink(p));
}

static int step(struct pair *p) {
	return tls_step(ctx, p->server, pair_sink(p));
}

// Nothing is allocated, sent or run before a ClientHello is whole and has its turn.
START_TEST(costs_nothing) {
	struct pair *p = opened(3, 0);
	struct rg_slice hello = said(p);
	long calls = alloc_calls();

	for (size_t i = 0; i < hello.len; i++) {
		ck_assert(!tls_is_waiting(ctx));
		ck_assert_int_eq(feed(p, rg_slice(hello.p + i, 1)), RG_OK);
	}
	ck_assert_int_eq(alloc_calls(), calls);
	ck_assert_uint_eq(p->n_cipher, 0);
	ck_assert(tls_is_waiting(ctx) && !tls_is_finishing(ctx, p->server));
	ck_assert_uint_eq(tls_ready(ctx, RG_NS_PER_S), 3);
	ck_assert_int_eq(step(p), RG_OK);
	ck_assert_uint_gt(p->n_cipher, 0);
	ck_assert(!tls_is_waiting(ctx));
	hello = said(p); // its Finished
	ck_assert(!tls_is_finishing(ctx, p->server));
	ck_assert_int_eq(feed(p, hello), RG_OK);
	ck_assert(!tls_is_established(p->server));
	ck_assert(tls_is_finishing(ctx, p->server));
	ck_assert_uint_eq(tls_ready(ctx, RG_NS_PER_S), 3);
	ck_assert_int_eq(step(p), RG_OK);
	ck_assert(tls_is_established(p->server));
	ck_assert(!tls_is_finishing(ctx, p->server));
	pair_free(p);
}
END_TEST

// Of a ClientHello in records of one byte, each a segment, what was looked at is not looked at again:
// for as long as it is not whole it may be anything.
START_TEST(looked_at_once) {
	struct pair *p = opened(3, 0);
	struct rg_slice hello = said(p);
	struct rg_slice body = rg_skip(hello, 5);
	struct tls_handshake *h = NULL;

	for (size_t i = 0; i + 1 < body.len; i++) {
		const uint8_t rec[] = {22, 3, 1, 0, 1, body.p[i]};

		ck_assert_int_eq(feed(p, rg_slice(rec, sizeof(rec))), RG_OK);
		h = tls_handshake_of(ctx, p->server);
		memset(h->b, 0xff, h->len);
	}
	ck_assert_uint_eq(h->scan.pos, 6 * (body.len - 1));
	pair_free(p);
}
END_TEST

// The newest is shed, the others go on; who ends makes room.
START_TEST(pool_full) {
	struct pair *p[MAX_HALF_OPEN + 1];

	for (uint32_t i = 0; i <= MAX_HALF_OPEN; i++) {
		p[i] = opened(i, i << 24 | i);
		ck_assert_int_eq(feed(p[i], RG_LIT("\x16")),
				 i < MAX_HALF_OPEN ? RG_OK : RG_E_EXHAUSTED);
	}
	ck_assert_int_eq(feed(p[MAX_HALF_OPEN], RG_LIT("\x16")), RG_E_PROTO); // dead
	ck_assert_uint_eq(p[MAX_HALF_OPEN]->n_cipher, 0);
	pair_end(p[2]);
	pair_free(p[MAX_HALF_OPEN]);
	p[MAX_HALF_OPEN] = opened(9, 9);
	ck_assert(pair_handshake(p[MAX_HALF_OPEN]));
	ck_assert_int_eq(feed(p[0], rg_skip(said(p[0]), 1)), RG_OK);
	ck_assert_int_eq(pair_input(p[0], rg_slice("", 0)), RG_OK);
	for (uint32_t i = 0; i <= MAX_HALF_OPEN; i++)
		pair_free(p[i]);
}
END_TEST

// A source has its share, others theirs; both cells of one must be full.
START_TEST(quota) {
	static const uint32_t source = 0x12300456;
	struct pair *p[MAX_PER_SOURCE];
	struct pair *other;

	for (uint32_t i = 0; i < MAX_PER_SOURCE; i++) {
		p[i] = opened(i, source);
		ck_assert_int_eq(feed(p[i], RG_LIT("\x16")), RG_OK);
	}
	other = opened(8, source);
	ck_assert_int_eq(feed(other, RG_LIT("\x16")), -EDQUOT);
	pair_free(other);
	other = opened(8, 0x12300457); // one cell in common
	ck_assert_int_eq(feed(other, RG_LIT("\x16")), RG_OK);
	pair_free(other);
	other = opened(8, 0x12400456);
	ck_assert_int_eq(feed(other, RG_LIT("\x16")), RG_OK);
	pair_free(other);
	pair_free(p[1]);
	p[1] = opened(1, source);
	ck_assert(pair_handshake(p[1])); // no longer amid it
	other = opened(8, source);
	ck_assert_int_eq(feed(other, RG_LIT("\x16")), RG_OK);
	pair_free(other);
	for (uint32_t i = 0; i < MAX_PER_SOURCE; i++)
		pair_free(p[i]);
	ctx->max_per_source = 0;
	for (uint32_t i = 0; i < MAX_PER_SOURCE; i++) {
		p[i] = opened(i, source);
		ck_assert_int_eq(feed(p[i], RG_LIT("\x16")), RG_OK);
	}
	other = opened(8, source);
	ck_assert_int_eq(feed(other, RG_LIT("\x16")), RG_OK);
	pair_free(other);
	for (uint32_t i = 0; i < MAX_PER_SOURCE; i++)
		pair_free(p[i]);
}
END_TEST

static uint32_t next_slot(void) {
	return tls_ready(ctx, RG_NS_PER_S);
}

// First in, first out; who waits for its second step goes first; who is gone is not served.
START_TEST(turns) {
	struct pair *p[5];

	for (uint32_t i = 0; i < 5; i++) {
		p[i] = opened(i, i << 24 | i);
		ck_assert_int_eq(feed(p[i], said(p[i])), RG_OK);
	}
	ck_assert_uint_eq(next_slot(), 0);
	ck_assert_uint_eq(next_slot(), 0); // it is asked only
	ck_assert_int_eq(step(p[0]), RG_OK);
	pair_end(p[2]);
	ck_assert_uint_eq(next_slot(), 1);
	ck_assert_int_eq(step(p[1]), RG_OK);
	ck_assert_uint_eq(next_slot(), 3);
	ck_assert_int_eq(feed(p[1], said(p[1])), RG_OK);
	ck_assert_int_eq(feed(p[0], said(p[0])), RG_OK);
	ck_assert_uint_eq(next_slot(), 1);
	ck_assert_int_eq(step(p[1]), RG_OK);
	ck_assert(tls_is_established(p[1]->server));
	ck_assert_uint_eq(next_slot(), 0);
	pair_end(p[0]);
	ck_assert_uint_eq(next_slot(), 3);
	pair_end(p[4]); // the last one
	pair_free(p[4]);
	p[4] = opened(4, 4);
	ck_assert_int_eq(feed(p[4], said(p[4])), RG_OK);
	ck_assert_int_eq(step(p[3]), RG_OK);
	ck_assert_uint_eq(next_slot(), 4);
	ck_assert_int_eq(step(p[4]), RG_OK);
	ck_assert_uint_eq(next_slot(), TLS_NO_SLOT);
	for (uint32_t i = 0; i < 5; i++)
		pair_free(p[i]);
}
END_TEST

// An established connection has sent something, in the poll that asks.
static uint32_t ready_amid_others(uint64_t now) {
	ctx->is_served = true;
	return tls_ready(ctx, now);
}

// The share of the time: a burst after a rest, then share percent of what passes, to the nanosecond.
START_TEST(share) {
	static const unsigned shares[] = {1, 25, 50, 100};
	const unsigned percent = shares[_i];
	const uint64_t cost = 150000;
	uint64_t now = 77 * RG_NS_PER_S;
	uint64_t spent = 0;
	struct pair *p;

	start(percent);
	p = opened(5, 0);
	ck_assert_int_eq(feed(p, said(p)), RG_OK);
	while (ready_amid_others(now) == 5) { // no time passes
		tls_charge(ctx, cost);
		spent += cost;
	}
	ck_assert_uint_eq(spent, cost);
	spent = 0;
	for (int i = 0; i < 2000000; i++) {
		now += 1000;
		if (ready_amid_others(now) == 5) {
			tls_charge(ctx, cost);
			spent += cost;
		}
	}
	ck_assert_uint_ge(spent + cost, UINT64_C(2000000000) / 100 * percent);
	ck_assert_uint_le(spent, UINT64_C(2000000000) / 100 * percent + cost);
	pair_free(p);
}
END_TEST

// A step that took a minute, for the machine stood still, is not paid for a minute long.
START_TEST(debt) {
	struct pair *p;

	start(50);
	p = opened(5, 0);
	ck_assert_int_eq(feed(p, said(p)), RG_OK);
	ck_assert_uint_eq(ready_amid_others(RG_NS_PER_S), 5);
	for (int i = 0; i < 10; i++)
		tls_charge(ctx, 60 * RG_NS_PER_S);
	ck_assert_uint_eq(ready_amid_others(RG_NS_PER_S), TLS_NO_SLOT);
	ck_assert_uint_eq(ready_amid_others(RG_NS_PER_S + 20 * RG_NS_PER_MS), TLS_NO_SLOT);
	ck_assert_uint_eq(ready_amid_others(RG_NS_PER_S + 21 * RG_NS_PER_MS), 5);
	pair_free(p);
}
END_TEST

// Without anybody else the whole time is theirs, and costs no credit; from his first record on they
// have their share again.
START_TEST(nobody_else) {
	const uint64_t idle_ns = 50000;
	struct pair *p, *other;
	uint64_t now = 77 * RG_NS_PER_S;

	start(1);
	other = opened(4, 0);
	ck_assert(pair_handshake(other));
	p = opened(5, 0);
	ck_assert_int_eq(feed(p, said(p)), RG_OK);
	ctx->credit_ns = 0;
	ctx->earned_ns = ctx->served_ns = now;
	ck_assert_uint_eq(tls_ready(ctx, now + idle_ns - 1), 5); // earned a little
	tls_charge(ctx, RG_NS_PER_MS);
	ck_assert_uint_eq(tls_ready(ctx, now + idle_ns - 1), TLS_NO_SLOT);
	now += idle_ns;
	for (int i = 0; i < 1000; i++) {
		ck_assert_uint_eq(tls_ready(ctx, now), 5);
		tls_charge(ctx, RG_NS_PER_S);
	}
	ck_assert_int_gt(ctx->credit_ns, -RG_NS_PER_MS);
	ck_assert_int_eq(SSL_write(other->client, "x", 1), 1);
	ck_assert_int_eq(feed(other, said(other)), RG_OK);
	ck_assert_uint_eq(tls_ready(ctx, now), TLS_NO_SLOT);
	ck_assert_uint_eq(tls_ready(ctx, now + idle_ns - 1), TLS_NO_SLOT);
	ck_assert_uint_eq(tls_ready(ctx, now + idle_ns), 5);
	pair_free(p);
	pair_free(other);
}
END_TEST

// A ClientHello that grows too long: said to be, or by its records.
START_TEST(too_long) {
	static const uint8_t head[] = {0x16, 3, 1, 0x3f, 0xfb, 1, 0, 0x3f, 0xf7, 3, 3};
	static const uint8_t piece[] = {0x16, 3, 1, 0, 1, 0};
	static uint8_t body[TLS_HELLO_MAX];
	struct pair *p = opened(0, 0);
	int rc;

	ck_assert_int_eq(feed(p, RG_LIT("\x16\x03\x01\x40\0\x01\0\x3f\xf8")), RG_E_LIMIT);
	ck_assert_int_eq(pair_client_reason(p), SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER);
	pair_free(p);
	p = opened(0, 0);
	ck_assert_int_eq(feed(p, rg_slice(head, sizeof(head))), RG_OK);
	ck_assert_int_eq(feed(p, rg_slice(body, TLS_HELLO_MAX - sizeof(head) - 1)), RG_OK);
	ck_assert_int_eq(feed(p, rg_slice(body, 2)), RG_E_LIMIT); // more than it says
	pair_free(p);
	p = opened(0, 0);
	ck_assert_int_eq(feed(p, RG_LIT("\x16\x03\x01\0\x04\x01\0\x3f\xf0")), RG_OK);
	rc = RG_OK;
	for (int i = 0; i < 2728; i++)
		rc = rc == RG_OK ? feed(p, rg_slice(piece, sizeof(piece))) : rc;
	ck_assert_int_eq(rc, RG_OK); // 16 377 bytes
	ck_assert_int_eq(feed(p, rg_slice(piece, sizeof(piece))), RG_OK);
	ck_assert_int_eq(feed(p, rg_slice(piece, sizeof(piece))), RG_E_LIMIT);
	ck_assert_uint_eq(p->n_cipher, 0);
	pair_free(p);
	p = opened(0, 0); // bytes behind a whole one that waits for its turn
	ck_assert_int_eq(feed(p, said(p)), RG_OK);
	ck_assert_int_eq(feed(p, rg_slice(body, 10000)), RG_OK);
	ck_assert_int_eq(feed(p, rg_slice(body, 10000)), RG_E_LIMIT);
	pair_free(p);
}
END_TEST

static const struct {
	const char *in;
	size_t len;
	const char *out; // what the peer gets
	size_t out_len;
	int rc;
} last_words[] = {
	{"GET / HTTP/1.1\r\n", 16, "HTTP/1.1 400 Bad Request\r\n", 26, RG_E_PROTO},
	{"\x80\x2e\x01\x03\x01", 5, "\x15\x03\x01\0\x02\x02\x46", 7, RG_E_PROTO},
	{"\x16\x03\x01\0\x2d\x01\0\0\x29\x03\x01"
	 "01234567890123456789012345678901\0\0\x02\x13\x01\x01\0",
	 50, "\x15\x03\x01\0\x02\x02\x46", 7, RG_E_UNSUPPORTED},
	{"\x17\x03\x03\0\x01x", 6, "\x15\x03\x03\0\x02\x02\x0a", 7, RG_E_PROTO},
	{"\x15\x03\x03\0\x02\x02\x28", 7, "", 0, RG_E_PROTO},
	{"\0\0\0", 3, "", 0, RG_E_PROTO},
};

// What those get who are no client of ours; and that a full queue is noticed.
START_TEST(refused) {
	struct pair *p = opened(0, 0);
	uint8_t buf[1000];
	int n;

	ck_assert_int_eq(feed(p, guard_copy(rg_slice(last_words[_i].in, last_words[_i].len))),
			 last_words[_i].rc);
	n = BIO_read(SSL_get_rbio(p->client), buf, sizeof(buf));
	ck_assert_int_ge(n, _i == 0 ? 26 : (int)last_words[_i].out_len > 0 ? 7 : -1);
	ck_assert(n < 0 || memcmp(buf, last_words[_i].out, last_words[_i].out_len) == 0);
	ck_assert(_i == 0 || n < 8);
	pair_free(p);
	if (last_words[_i].out_len == 0)
		return;
	p = opened(0, 0);
	p->n_refuse = 1;
	ck_assert_int_eq(feed(p, rg_slice(last_words[_i].in, last_words[_i].len)), -ENOBUFS);
	pair_free(p);
}
END_TEST

// The body of the 400 is as long as it says.
START_TEST(http_length) {
	struct pair *p = opened(0, 0);
	char buf[1000], *body;
	int n;

	ck_assert_int_eq(feed(p, RG_LIT("POST / HTTP/1.1\r\n")), RG_E_PROTO);
	n = BIO_read(SSL_get_rbio(p->client), buf, sizeof(buf) - 1);
	buf[n] = '\0';
	body = strstr(buf, "\r\n\r\n");
	ck_assert_ptr_nonnull(body);
	ck_assert_uint_eq(strlen(body + 4),
			  strtoul(strstr(buf, "Content-Length: ") + 16, NULL, 10));
	pair_free(p);
}
END_TEST

// A client that guessed the group wrong: the second ClientHello is a step of its own.
START_TEST(retry) {
	SSL_CTX *other = client_ctx_new();
	struct pair *p;
	int n_steps = 0;

	ck_assert_int_eq(SSL_CTX_set1_groups_list(other, "P-521:X25519"), 1);
	p = pair_new(ctx, other);
	tls_conn_init(p->server, 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(feed(p, said(p)), RG_OK);
		while (next_slot() == 0) {
			n_steps++;
			ck_assert_int_eq(step(p), RG_OK);
		}
	}
	ck_assert_int_eq(n_steps, 3);
	ck_assert(tls_is_established(p->server));
	pair_free(p);
	SSL_CTX_free(other);
}
END_TEST

// Data right behind the Finished, more than can wait: not a byte of it is lost.
START_TEST(eager) {
	static uint8_t data[60000];
	struct pair *p = opened(0, 0);
	struct rg_slice in;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	ck_assert_int_eq(feed(p, said(p)), RG_OK);
	ck_assert_int_eq(step(p), RG_OK);
	ck_assert_int_eq(SSL_do_handshake(p->client), 1);
	ck_assert_int_eq(SSL_write(p->client, data, sizeof(data)), sizeof(data));
	in = said(p);
	ck_assert_uint_gt(in.len, sizeof(data));
	while (in.len > 0) {
		size_t n = in.len < 1460 ? in.len : 1460;

		ck_assert_int_eq(feed(p, rg_slice(in.p, n)), RG_OK);
		in = rg_skip(in, n);
	}
	ck_assert(tls_is_established(p->server));
	ck_assert_uint_eq(p->n_plain, sizeof(data));
	ck_assert_mem_eq(p->plain, data, sizeof(data));
	pair_free(p);
	p = opened(0, 0); // in one piece of its own
	ck_assert_int_eq(feed(p, said(p)), RG_OK);
	ck_assert_int_eq(step(p), RG_OK);
	ck_assert_int_eq(feed(p, rg_slice(data, sizeof(data))), RG_E_LIMIT);
	pair_free(p);
}
END_TEST

// A client that is through, then bends its Finished: refused, and nothing kept.
START_TEST(bad_finished) {
	struct pair *p = opened(0, 0);
	struct rg_slice in;

	ck_assert_int_eq(feed(p, said(p)), RG_OK);
	ck_assert_int_eq(step(p), RG_OK);
	in = said(p);
	((uint8_t *)(uintptr_t)in.p)[in.len - 1] ^= 1;
	ck_assert_int_eq(feed(p, in), RG_OK);
	ck_assert_int_eq(step(p), RG_E_PROTO);
	ck_assert_uint_eq(ctx->free_handshakes.n_free, MAX_HALF_OPEN); // at once
	ck_assert_int_eq(feed(p, in), RG_E_PROTO);
	ck_assert(!tls_is_established(p->server));
	pair_free(p);
}
END_TEST

int main(void) {
	Suite *s = suite_create("tls_halfopen");
	TCase *t = tcase_create("halfopen");
	SRunner *r = srunner_create(s);
	int failed;

	alloc_init();
	make_pair("a", false, NULL);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, costs_nothing);
	tcase_add_test(t, looked_at_once);
	tcase_add_test(t, pool_full);
	tcase_add_test(t, quota);
	tcase_add_test(t, turns);
	tcase_add_loop_test(t, share, 0, 4);
	tcase_add_test(t, debt);
	tcase_add_test(t, nobody_else);
	tcase_add_test(t, too_long);
	tcase_add_loop_test(t, refused, 0, sizeof(last_words) / sizeof(last_words[0]));
	tcase_add_test(t, http_length);
	tcase_add_test(t, retry);
	tcase_add_test(t, eager);
	tcase_add_test(t, bad_finished);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	tmp_remove();
	return failed != 0;
}
