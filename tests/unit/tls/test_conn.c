// SPDX-License-Identifier: BSD-3-Clause
// TLS connections against OpenSSL's own client in the same process: what works, what is refused,
// and that no connection leaves anything behind for the next.
#include <check.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "guard.h"
#include "peer.h"
#include "regate/err.h"
#include "tls/tls_int.h"

static struct tls_ctx *ctx;
static SSL_CTX *client;

static void setup(void) {
	char err[256];

	ctx = ctx_new(tmp_path("a.crt"), tmp_path("a.key"), err, sizeof(err));
	ck_assert_msg(ctx != NULL, "%s", err);
	client = client_ctx_new();
}

static void teardown(void) {
	tls_ctx_free(ctx);
	SSL_CTX_free(client);
}

static struct pair *established(void) {
	struct pair *p = pair_new(ctx, client);

	ck_assert(pair_handshake(p));
	return p;
}

static bool is_plain(const struct pair *p, const char *want) {
	return rg_eq(rg_slice(p->plain, p->n_plain), rg_str(want));
}

START_TEST(both_ways) {
	static const size_t cuts[] = {SIZE_MAX, 1, 7, 1000};
	struct pair *p = pair_new(ctx, client);
	char buf[16];

	p->cut = cuts[_i];
	ck_assert(!tls_is_established(p->server));
	ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("x"), pair_sink(p)), RG_E_STALE);
	ck_assert(pair_handshake(p));
	ck_assert_str_eq(SSL_get_version(p->client), "TLSv1.3");
	for (int i = 0; i < 3; i++) {
		p->n_plain = 0;
		ck_assert(pair_client_write(p, "hello", 5));
		ck_assert(is_plain(p, "hello"));
		ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("world"), pair_sink(p)), RG_OK);
		ck_assert(pair_client_read(p, buf, 5));
		ck_assert_mem_eq(buf, "world", 5);
	}
	ck_assert_int_eq(pair_input(p, rg_slice(NULL, 0)), RG_OK);
	ck_assert_int_eq(tls_write(ctx, p->server, rg_slice(NULL, 0), pair_sink(p)), RG_OK);
	ck_assert_int_eq(p->rc, RG_OK);
	pair_free(p);
}
END_TEST

// The client's Finished, a request in several records and its close_notify in one segment; each
// record is answered from within the sink.
START_TEST(all_at_once) {
	struct pair *p = pair_new(ctx, client);
	char buf[6];

	p->echo = "ok";
	(void)SSL_do_handshake(p->client);
	pair_to_server(p);
	ck_assert_int_eq(SSL_do_handshake(p->client), 1);
	ck_assert_int_eq(SSL_write(p->client, "one", 3), 3);
	ck_assert_int_eq(SSL_write(p->client, "two", 3), 3);
	ck_assert_int_eq(SSL_write(p->client, "three", 5), 5);
	(void)SSL_shutdown(p->client);
	pair_to_server(p);
	ck_assert(is_plain(p, "onetwothree"));
	ck_assert_int_eq(p->echo_rc, RG_OK);
	ck_assert_int_eq(p->rc, RG_E_CLOSED);
	ck_assert(pair_client_read(p, buf, 6));
	ck_assert_mem_eq(buf, "okokok", 6);
	pair_free(p);
}
END_TEST

START_TEST(big_data) {
	static const size_t lens[] = {1, 16383, 16384, 16385, 32768, 100000};
	static uint8_t data[100000], back[100000];
	struct pair *p = established();
	size_t len = lens[_i];
	size_t before;

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	before = p->n_cipher;
	ck_assert_int_eq(tls_write(ctx, p->server, rg_slice(data, len), pair_sink(p)), RG_OK);
	ck_assert_uint_le(p->n_cipher - before, tls_sealed_len(len));
	ck_assert(pair_client_read(p, back, len));
	ck_assert_mem_eq(back, data, len);
	ck_assert(pair_client_write(p, data, len));
	ck_assert_uint_eq(p->n_plain, len);
	ck_assert_mem_eq(p->plain, data, len);
	pair_free(p);
}
END_TEST

START_TEST(server_closes) {
	struct pair *p = established();
	size_t before;
	uint8_t byte;

	tls_close(ctx, p->server, pair_sink(p));
	before = p->n_cipher;
	tls_close(ctx, p->server, pair_sink(p));
	ck_assert_uint_eq(p->n_cipher, before); // once
	ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("x"), pair_sink(p)), RG_E_STALE);
	ck_assert_int_eq(SSL_get_error(p->client, SSL_read(p->client, &byte, 1)),
			 SSL_ERROR_ZERO_RETURN);
	ck_assert(pair_client_write(p, "still", 5)); // RFC 8446 6.1: each side closes its own
	ck_assert(is_plain(p, "still"));
	ck_assert_int_eq(p->rc, RG_OK);
	(void)SSL_shutdown(p->client);
	pair_to_server(p);
	ck_assert_int_eq(p->rc, RG_E_CLOSED);
	pair_free(p);
}
END_TEST

START_TEST(client_closes) {
	struct pair *p = established();
	char buf[3];
	uint8_t byte;

	(void)SSL_shutdown(p->client);
	pair_to_server(p);
	ck_assert_int_eq(p->rc, RG_E_CLOSED);
	ck_assert_int_eq(pair_input(p, RG_LIT("more")), RG_E_CLOSED);
	ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("bye"), pair_sink(p)), RG_OK);
	tls_close(ctx, p->server, pair_sink(p));
	ck_assert(pair_client_read(p, buf, 3));
	ck_assert_int_eq(SSL_get_error(p->client, SSL_read(p->client, &byte, 1)),
			 SSL_ERROR_ZERO_RETURN);
	pair_free(p);
}
END_TEST

START_TEST(close_in_sink) {
	struct pair *p = established();
	uint8_t byte;

	p->echo = "";
	ck_assert(pair_client_write(p, "one", 3));
	ck_assert(pair_client_write(p, "two", 3));
	ck_assert(is_plain(p, "onetwo"));
	ck_assert_int_eq(p->rc, RG_OK);
	ck_assert_int_eq(SSL_get_error(p->client, SSL_read(p->client, &byte, 1)),
			 SSL_ERROR_ZERO_RETURN);
	pair_free(p);
}
END_TEST

// Nothing to end during the handshake: nothing is sent.
START_TEST(close_early) {
	struct pair *p = pair_new(ctx, client);
	size_t before;

	tls_close(ctx, p->server, pair_sink(p));
	ck_assert_uint_eq(p->n_cipher, 0);
	pair_free(p);
	p = pair_new(ctx, client);
	(void)SSL_do_handshake(p->client);
	pair_to_server(p);
	before = p->n_cipher;
	ck_assert_uint_gt(before, 0);
	tls_close(ctx, p->server, pair_sink(p));
	ck_assert_uint_eq(p->n_cipher, before);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	pair_free(p);
}
END_TEST

static const struct {
	const char *what;
	const char *bytes;
	size_t len;
	int rc;
} garbage[] = {
	{"HTTP", "GET / HTTP/1.1\r\n\r\n", 18, RG_E_PROTO},
	{"zeroes", "\0\0\0\0\0\0\0\0\0\0", 10, RG_E_PROTO},
	{"not a ClientHello", "\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", 10, RG_E_PROTO},
	{"application data first", "\x17\x03\x03\x00\x05\x02\x00\x00\x01\x00", 10, RG_E_PROTO},
	{"alert first", "\x15\x03\x03\x00\x02\x02\x28", 7, RG_E_PROTO},
	{"record too long", "\x16\x03\x01\xff\xff\x01\x00\x00\x01\x00", 10, RG_E_PROTO},
	{"ClientHello of 16 MiB", "\x16\x03\x01\x00\x05\x01\xff\xff\xff\x00", 10, RG_E_LIMIT},
	{"ClientHello with nothing in it", "\x16\x03\x01\x00\x04\x01\x00\x00\x00", 9, RG_E_PROTO},
};

// Each kind of garbage, whole and byte by byte, while another connection is half-way.
START_TEST(garbage_refused) {
	struct rg_slice in = guard_copy(rg_slice(garbage[_i].bytes, garbage[_i].len));

	for (int by_byte = 0; by_byte < 2; by_byte++) {
		struct pair *good = pair_new(ctx, client);
		struct pair *bad = pair_new(ctx, client);
		int rc = RG_OK;

		(void)SSL_do_handshake(good->client);
		pair_to_server(good);
		if (by_byte == 0)
			rc = pair_input(bad, in);
		for (size_t i = 0; by_byte == 1 && i < in.len && rc == RG_OK; i++)
			rc = pair_input(bad, rg_slice(in.p + i, 1));
		ck_assert_msg(rc == garbage[_i].rc, "%s: %d", garbage[_i].what, rc);
		ck_assert_uint_eq(ERR_peek_error(), 0);
		ck_assert_int_eq(pair_input(bad, in), RG_E_PROTO);
		ck_assert_int_eq(tls_write(ctx, bad->server, RG_LIT("x"), pair_sink(bad)),
				 RG_E_STALE);
		ck_assert_int_eq(SSL_do_handshake(good->client), 1);
		pair_to_server(good);
		ck_assert(tls_is_established(good->server));
		pair_free(good);
		pair_free(bad);
	}
}
END_TEST

// Whatever others leave in the thread's error queue is not ours.
START_TEST(foreign_errors) {
	struct pair *p = pair_new(ctx, client);
	struct rg_slice in;
	uint8_t buf[4096];
	char byte;

	(void)SSL_do_handshake(p->client);
	in = rg_slice(buf, (size_t)BIO_read(SSL_get_wbio(p->client), buf, sizeof(buf)));
	ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
	ck_assert_int_eq(pair_input(p, rg_slice(in.p, 10)), RG_OK);
	ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
	ck_assert_int_eq(pair_input(p, rg_skip(in, 10)), RG_OK);
	ck_assert(pair_handshake(p));
	ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
	ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("x"), pair_sink(p)), RG_OK);
	ck_assert(pair_client_read(p, &byte, 1));
	ck_assert_int_eq(SSL_write(p->client, "hello", 5), 5);
	in = rg_slice(buf, (size_t)BIO_read(SSL_get_wbio(p->client), buf, sizeof(buf)));
	ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
	ck_assert_int_eq(pair_input(p, rg_slice(in.p, 10)), RG_OK);
	ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
	ck_assert_int_eq(pair_input(p, rg_skip(in, 10)), RG_OK);
	ck_assert(is_plain(p, "hello"));
	pair_free(p);
}
END_TEST

// One bit wrong in a record: the client is told, and no byte of it is delivered.
START_TEST(bad_record) {
	struct pair *p = established();
	uint8_t buf[256];
	int n;

	ck_assert_int_eq(SSL_write(p->client, "hello", 5), 5);
	n = BIO_read(SSL_get_wbio(p->client), buf, sizeof(buf));
	ck_assert_int_gt(n, 5);
	buf[n - 1] ^= 1;
	ck_assert_int_eq(pair_input(p, rg_slice(buf, (size_t)n)), RG_E_PROTO);
	ck_assert_uint_eq(p->n_plain, 0);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	ck_assert_int_eq(pair_client_reason(p), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
	ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("x"), pair_sink(p)), RG_E_STALE);
	pair_free(p);
}
END_TEST

START_TEST(sink_refuses) {
	struct pair *p = pair_new(ctx, client);

	p->n_refuse = 1; // ServerHello
	ck_assert(!pair_handshake(p));
	ck_assert_int_eq(p->rc, -ENOBUFS);
	pair_free(p);
	p = established();
	p->n_refuse = 1; // a record
	ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("x"), pair_sink(p)), -ENOBUFS);
	ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("x"), pair_sink(p)), RG_E_STALE);
	ck_assert_int_eq(pair_input(p, RG_LIT("x")), RG_E_PROTO);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	pair_free(p);
	p = established();
	p->n_refuse = 1; // an answer from within the sink
	p->echo = "ok";
	ck_assert(pair_client_write(p, "hello", 5));
	ck_assert_int_eq(p->echo_rc, -ENOBUFS);
	ck_assert_int_eq(p->rc, -ENOBUFS);
	pair_free(p);
	p = established();
	p->n_refuse = 1; // close_notify
	tls_close(ctx, p->server, pair_sink(p));
	ck_assert_uint_eq(ERR_peek_error(), 0);
	pair_free(p);
	p = pair_new(ctx, client);
	p->n_refuse = 1; // an alert
	ck_assert_int_eq(pair_input(p, RG_LIT("\x16\x03\x01\xff\xff\x01\x00\x00\x01\x00")),
			 -ENOBUFS);
	pair_free(p);
}
END_TEST

START_TEST(key_updates) {
	struct pair *p = established();
	char buf[5];

	for (int i = 0; i < 40; i++) {
		p->n_plain = 0;
		ck_assert_int_eq(SSL_key_update(p->client, i % 2 ? SSL_KEY_UPDATE_REQUESTED
								 : SSL_KEY_UPDATE_NOT_REQUESTED),
				 1);
		ck_assert(pair_client_write(p, "hello", 5));
		ck_assert(is_plain(p, "hello"));
		ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("world"), pair_sink(p)), RG_OK);
		ck_assert(pair_client_read(p, buf, 5));
	}
	ck_assert_int_eq(p->rc, RG_OK);
	pair_free(p);
}
END_TEST

START_TEST(key_update_flood) {
	struct pair *p = established();

	for (int i = 1; i <= 17; i++) {
		ck_assert_int_eq(p->rc, RG_OK);
		ck_assert_int_eq(SSL_key_update(p->client, SSL_KEY_UPDATE_REQUESTED), 1);
		ck_assert_int_eq(SSL_do_handshake(p->client), 1);
		pair_to_server(p);
	}
	ck_assert_int_eq(p->rc, RG_E_PROTO);
	pair_free(p);
}
END_TEST

START_TEST(lazy) {
	long live = alloc_live();
	struct tls_conn c;

	tls_conn_init(&c, 0);
	ck_assert_int_eq(alloc_live(), live);
	tls_conn_fini(ctx, &c);
	ck_assert_int_eq(alloc_live(), live);
	ck_assert_int_eq(tls_input(ctx, &c, RG_LIT("x"), NULL), RG_E_PROTO);
	tls_conn_fini(ctx, &c); // nothing is given back twice
	ck_assert_uint_eq(ctx->free_handshakes.n_free, ctx->free_handshakes.n);
}
END_TEST

// One life of a connection, which ends in one of several ways.
static void live_and_die(int how) {
	struct pair *p = pair_new(ctx, client);
	char buf[5];

	if (how % 5 == 0) {
		ck_assert_int_eq(pair_input(p, RG_LIT("garbage!")), RG_E_PROTO);
	} else if (how % 5 == 1) {
		(void)SSL_do_handshake(p->client);
		pair_to_server(p); // and never heard of again
	} else {
		ck_assert(pair_handshake(p));
		ck_assert(pair_client_write(p, "hello", 5));
		ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("world"), pair_sink(p)), RG_OK);
		ck_assert(pair_client_read(p, buf, 5));
		if (how % 5 == 2)
			tls_close(ctx, p->server, pair_sink(p));
		if (how % 5 == 3)
			(void)SSL_shutdown(p->client);
		pair_to_server(p);
	}
	pair_free(p);
}

START_TEST(no_leaks) {
	long live;

	for (int i = 0; i < 5; i++)
		live_and_die(i);
	live = alloc_live();
	for (int i = 0; i < 100; i++)
		live_and_die(i);
	ck_assert_int_eq(alloc_live(), live);
}
END_TEST

// Each sampled allocation of the server's side of a handshake fails once.
START_TEST(without_memory) {
	static uint8_t hello[4096];
	struct pair *p = established();
	long before, n, live;
	struct rg_slice in;
	int rc;

	pair_free(p);
	p = pair_new(ctx, client);
	(void)SSL_do_handshake(p->client);
	in = rg_slice(hello, (size_t)BIO_read(SSL_get_wbio(p->client), hello, sizeof(hello)));
	before = alloc_calls();
	ck_assert_int_eq(pair_input(p, in), RG_OK);
	n = alloc_calls() - before;
	ck_assert_int_gt(n, 100);
	pair_free(p);
	live = alloc_live();
	for (long at = 1; at <= n; at += 7) {
		p = pair_new(ctx, client);
		alloc_fail_at(at);
		rc = pair_input(p, in);
		alloc_fail_at(0);
		ck_assert_msg(rc == RG_OK || rc == RG_E_PROTO || rc == -ENOMEM, "%ld: %d", at, rc);
		ck_assert(at > 1 || rc == -ENOMEM);
		ck_assert_uint_eq(ERR_peek_error(), 0);
		pair_free(p);
	}
	ck_assert_int_eq(alloc_live(), live);
	pair_free(established());
}
END_TEST

START_TEST(bio_says_no) {
	BIO_METHOD *m = tls_bio_method_new();
	BIO *b = BIO_new(m);

	ck_assert_int_eq(BIO_flush(b), 1);
	for (int cmd = 1; cmd < 200; cmd++)
		if (cmd != BIO_CTRL_FLUSH)
			ck_assert_int_eq(BIO_ctrl(b, cmd, 0, NULL), 0);
	BIO_free(b);
	BIO_meth_free(m);
}
END_TEST

int main(void) {
	Suite *s = suite_create("tls_conn");
	TCase *t = tcase_create("conn");
	SRunner *r = srunner_create(s);
	int failed;

	alloc_init();
	make_pair("a", false, NULL);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, both_ways, 0, 4);
	tcase_add_test(t, all_at_once);
	tcase_add_loop_test(t, big_data, 0, 6);
	tcase_add_test(t, server_closes);
	tcase_add_test(t, client_closes);
	tcase_add_test(t, close_in_sink);
	tcase_add_test(t, close_early);
	tcase_add_loop_test(t, garbage_refused, 0, sizeof(garbage) / sizeof(garbage[0]));
	tcase_add_test(t, foreign_errors);
	tcase_add_test(t, bad_record);
	tcase_add_test(t, sink_refuses);
	tcase_add_test(t, key_updates);
	tcase_add_test(t, key_update_flood);
	tcase_add_test(t, lazy);
	tcase_add_test(t, no_leaks);
	tcase_add_test(t, without_memory);
	tcase_add_test(t, bio_says_no);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	tmp_remove();
	return failed != 0;
}
