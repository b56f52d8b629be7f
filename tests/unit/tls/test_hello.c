// SPDX-License-Identifier: BSD-3-Clause
// The look at a ClientHello: a table of good and bad ones, every cut and every way to spread one
// over records, and OpenSSL as the judge of what must not be refused.
#include <check.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "guard.h"
#include "peer.h"
#include "regate/err.h"
#include "tls/hello.h"

#define RANDOM "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define BODY               \
	"0303" RANDOM "00" \
	"00021301"         \
	"0100"
#define V13 "002b0003020304"
#define SNI "0000000800060000036e6574"

static const struct {
	const char *name;
	const char *body;       // of the ClientHello, extensions apart
	const char *extensions; // NULL = not even their length
	int rc;
	int alert;
	int version;
} hellos[] = {
	{"least", BODY, V13, RG_OK, 0, 0},
	{"1.2 as well", BODY, "002b00050403040303", RG_OK, 0, 0},
	{"1.2 preferred", BODY, "002b00050403030304", RG_OK, 0, 0},
	{"old legacy_version",
	 "0301" RANDOM "0000021301"
	 "0100",
	 V13, RG_OK, 0, 0},
	{"session id of 32", "0303" RANDOM "20" RANDOM "000213010100", V13, RG_OK, 0, 0},
	{"session id of 33",
	 "0303" RANDOM "21" RANDOM "00"
	 "000213010100",
	 V13, RG_E_PROTO, 50, 0x303},
	{"no suites",
	 "0303" RANDOM "00"
	 "0000"
	 "0100",
	 V13, RG_E_PROTO, 50, 0x303},
	{"odd suites",
	 "0303" RANDOM "00"
	 "0003130113"
	 "0100",
	 V13, RG_E_PROTO, 50, 0x303},
	{"no compression",
	 "0303" RANDOM "00"
	 "00021301"
	 "00",
	 V13, RG_E_PROTO, 50, 0x303},
	{"random cut", "030300010203", NULL, RG_E_PROTO, 50, 0x303},
	{"nothing", "", NULL, RG_E_PROTO, 50, 0x303},
	{"1.2 without extensions", BODY, NULL, RG_E_UNSUPPORTED, 70, 0x303},
	{"1.2", BODY, "00170000", RG_E_UNSUPPORTED, 70, 0x303},
	{"1.2 by supported_versions", BODY, "002b0003020303", RG_E_UNSUPPORTED, 70, 0x303},
	{"1.0",
	 "0301" RANDOM "0000021301"
	 "0100",
	 NULL, RG_E_UNSUPPORTED, 70, 0x301},
	{"SSL 3.0",
	 "0300" RANDOM "0000021301"
	 "0100",
	 NULL, RG_E_UNSUPPORTED, 70, 0x300},
	{"0.0",
	 "0000" RANDOM "0000021301"
	 "0100",
	 NULL, RG_E_UNSUPPORTED, 70, 0x303},
	{"from the future",
	 "0399" RANDOM "0000021301"
	 "0100",
	 NULL, RG_E_UNSUPPORTED, 70, 0x303},
	{"drafts", BODY, "002b0003027f1c", RG_E_UNSUPPORTED, 70, 0x303},
	{"no versions", BODY, "002b000100", RG_E_PROTO, 50, 0x303},
	{"odd versions", BODY, "002b00040303047f", RG_E_PROTO, 50, 0x303},
	{"versions too long", BODY, "002b0003040304", RG_E_PROTO, 50, 0x303},
	{"versions and more", BODY, "002b000402030400", RG_E_PROTO, 50, 0x303},
	{"name", BODY, V13 SNI, RG_OK, 0, 0},
	{"name of length 0", BODY, V13 "000000050003000000", RG_E_PROTO, 50, 0x303},
	{"name of another type", BODY, V13 "0000000800060100036e6574", RG_E_PROTO, 50, 0x303},
	{"two names", BODY, V13 "0000000e000c0000036e65740000036e6574", RG_E_PROTO, 50, 0x303},
	{"name too long", BODY, V13 "0000000800060000046e6574", RG_E_PROTO, 50, 0x303},
	{"names too long", BODY, V13 "0000000800070000036e6574", RG_E_PROTO, 50, 0x303},
	{"names too short", BODY, V13 "0000000900060000036e657400", RG_E_PROTO, 50, 0x303},
	{"empty name", BODY, V13 "00000000", RG_E_PROTO, 50, 0x303},
	{"extension twice", BODY, V13 SNI SNI, RG_E_PROTO, 47, 0x303},
	{"unknown extension twice", BODY,
	 V13 "fafa0000"
	     "fafa0000",
	 RG_E_PROTO, 47, 0x303},
	{"unknown extensions", BODY,
	 V13 "fafa0000"
	     "fafb0000"
	     "faf20000",
	 RG_OK, 0, 0},
	{"PSK last", BODY, V13 "00290000", RG_OK, 0, 0},
	{"PSK not last", BODY, "00290000" V13, RG_E_PROTO, 47, 0x303},
	{"extension cut", BODY, V13 "0017", RG_E_PROTO, 50, 0x303},
	{"bytes behind the extensions", BODY "0007" V13 "00", NULL, RG_E_PROTO, 50, 0x303},
	{"extension too long", BODY, V13 "00170001", RG_E_PROTO, 50, 0x303},
};

#define N_HELLOS (sizeof(hellos) / sizeof(hellos[0]))

static size_t put_hex(uint8_t *out, const char *hex) {
	struct rg_slice s = guard_hex(hex);

	if (s.len > 0)
		memcpy(out, s.p, s.len);
	return s.len;
}

// The message, with its header.
static struct rg_slice message(size_t i) {
	static uint8_t m[4096];
	size_t len = 4 + put_hex(m + 4, hellos[i].body);

	if (hellos[i].extensions != NULL) {
		size_t n = put_hex(m + len + 2, hellos[i].extensions);

		m[len] = 0;
		m[len + 1] = (uint8_t)n;
		len += 2 + n;
	}
	memcpy(m, (uint8_t[]){1, 0, (uint8_t)((len - 4) >> 8), (uint8_t)(len - 4)}, 4);
	return rg_slice(m, len);
}

// m in records of at most n bytes.
static struct rg_slice records(struct rg_slice m, size_t n) {
	static uint8_t out[1 << 16];
	struct rg_wr w = rg_wr(out, sizeof(out));

	while (m.len > 0) {
		size_t part = m.len < n ? m.len : n;

		rg_put(&w, RG_LIT("\x16\x03\x01"));
		rg_put_be(&w, part, 2);
		rg_put(&w, rg_slice(m.p, part));
		m = rg_skip(m, part);
	}
	ck_assert(!w.overflow);
	return guard_copy(rg_wr_slice(&w));
}

static uint8_t scratch[TLS_HELLO_MAX];

static void expect(size_t i, struct rg_slice in) {
	struct tls_refusal why = {9, 9, 9};
	struct tls_hello h = {.len = 77};
	int rc = tls_hello_peek(in, scratch, &h, &why);

	ck_assert_msg(rc == hellos[i].rc, "%s: %d", hellos[i].name, rc);
	if (rc == RG_OK) {
		ck_assert_uint_eq(h.len, in.len);
		ck_assert_uint_eq(why.version, 9);
		ck_assert_int_eq(h.sni.len > 0, strstr(hellos[i].name, "name") != NULL);
		ck_assert(h.sni.len == 0 || rg_eq(h.sni, RG_LIT("net")));
		ck_assert_int_eq(h.has_psk, strstr(hellos[i].name, "PSK") != NULL);
	} else {
		ck_assert_uint_eq(h.len, 77);
		ck_assert_msg(why.alert == hellos[i].alert, "%s: %d", hellos[i].name, why.alert);
		ck_assert_msg(why.version == hellos[i].version, "%s", hellos[i].name);
		ck_assert_int_eq(why.kind, TLS_SAY_ALERT);
	}
}

// Whole and in records of each size; what follows it is not looked at, what is cut off is waited for.
START_TEST(table) {
	struct rg_slice m = message((size_t)_i);
	struct tls_refusal why;
	struct tls_hello h;
	struct rg_slice in;

	for (size_t n = 1; n <= m.len; n += n < 12 ? 1 : 37)
		expect((size_t)_i, records(m, n));
	in = records(m, m.len);
	expect((size_t)_i, in);
	for (size_t len = 0; len < in.len; len++)
		ck_assert_int_eq(tls_hello_peek(guard_copy(rg_slice(in.p, len)), scratch, &h, &why),
				 RG_MORE);
	in = records(m, 7);
	for (size_t len = 0; len < in.len; len++)
		ck_assert_int_eq(tls_hello_peek(guard_copy(rg_slice(in.p, len)), scratch, &h, &why),
				 RG_MORE);
}
END_TEST

// Piece by piece the verdict is the same, and nothing that was seen is looked at again: it is
// overwritten. Many small records would cost their square otherwise.
START_TEST(in_pieces) {
	static const size_t sizes[] = {1, 7, 100};
	struct rg_slice m = message((size_t)_i);

	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		struct rg_slice in = records(m, sizes[k]);
		struct tls_hello_scan s = {0};
		struct tls_refusal why;
		uint8_t *b = malloc(in.len);
		int rc = RG_MORE;

		for (size_t len = 1; len <= in.len && rc == RG_MORE; len++) {
			memset(b, 0xff, s.pos);
			memcpy(b + s.pos, in.p + s.pos, len - s.pos);
			rc = tls_hello_scan(guard_copy(rg_slice(b, len)), &s, &why);
			ck_assert_int_eq(rc == RG_MORE, len < in.len);
			ck_assert_uint_lt(len - s.pos, 5 + sizes[k]);
		}
		ck_assert_int_eq(rc, RG_OK);
		ck_assert_uint_eq(s.pos, in.len);
		ck_assert_uint_eq(s.len, m.len);
		free(b);
	}
}
END_TEST

static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	int rc;
	int kind;
	int alert; // of TLS_SAY_ALERT
	int version;
} starts[] = {
	{"nothing", "", 0, RG_MORE, 0, 0, 0},
	{"HTTP", "GET / HTTP/1.1\r\n\r\n", 18, RG_E_PROTO, TLS_SAY_HTTP, 0, 0},
	{"HTTP method", "CONNECT ", 8, RG_E_PROTO, TLS_SAY_HTTP, 0, 0},
	{"perhaps HTTP", "CONNECT", 7, RG_MORE, 0, 0, 0},
	{"perhaps", "P", 1, RG_MORE, 0, 0, 0},
	{"no method", "GETS", 4, RG_E_PROTO, TLS_SAY_NOTHING, 0, 0},
	{"SSH", "SSH-2.0", 7, RG_E_PROTO, TLS_SAY_NOTHING, 0, 0},
	{"zeroes", "\0\0\0", 3, RG_E_PROTO, TLS_SAY_NOTHING, 0, 0},
	{"SSL 2.0", "\x80\x2e\x01\x00\x02", 5, RG_E_PROTO, TLS_SAY_ALERT, 70, 0x301},
	{"SSL 2.0, cut", "\x80\x2e", 2, RG_MORE, 0, 0, 0},
	{"like SSL 2.0", "\x80\x2e\x02\x00\x02", 5, RG_E_PROTO, TLS_SAY_NOTHING, 0, 0},
	{"data first", "\x17\x03\x03\0\x01x", 6, RG_E_PROTO, TLS_SAY_ALERT, 10, 0x303},
	{"change_cipher_spec first", "\x14\x03\x03\0\x01\x01", 6, RG_E_PROTO, TLS_SAY_ALERT, 10,
	 0x303},
	{"alert first", "\x15\x03\x03\0\x02\x02\x28", 7, RG_E_PROTO, TLS_SAY_NOTHING, 0, 0},
	{"heartbeat", "\x18\x03\x03\0\x01\x01", 6, RG_E_PROTO, TLS_SAY_NOTHING, 0, 0},
	{"version 4", "\x16\x04", 2, RG_E_PROTO, TLS_SAY_ALERT, 70, 0x303},
	{"version 3.9", "\x16\x03\x09\0\x01\x01", 6, RG_MORE, 0, 0, 0},
	{"empty record", "\x16\x03\x01\0\0", 5, RG_E_PROTO, TLS_SAY_ALERT, 10, 0x303},
	{"record of 16385", "\x16\x03\x01\x40\x01", 5, RG_E_PROTO, TLS_SAY_ALERT, 22, 0x303},
	{"record of 16384", "\x16\x03\x01\x40\0", 5, RG_MORE, 0, 0, 0},
	{"ServerHello", "\x16\x03\x01\0\x04\x02", 6, RG_E_PROTO, TLS_SAY_ALERT, 10, 0x303},
	{"of 16 MiB", "\x16\x03\x01\0\x05\x01\xff\xff\xff", 9, RG_E_LIMIT, TLS_SAY_ALERT, 47,
	 0x303},
	{"of 16 376", "\x16\x03\x01\0\x05\x01\0\x3f\xf8\0", 10, RG_E_LIMIT, TLS_SAY_ALERT, 47,
	 0x303},
	{"of 16 375", "\x16\x03\x01\0\x05\x01\0\x3f\xf7\0", 10, RG_MORE, 0, 0, 0},
	{"longer record", "\x16\x03\x01\0\x06\x01\0\0\x01", 9, RG_E_PROTO, TLS_SAY_ALERT, 10,
	 0x303},
	{"data between", "\x16\x03\x01\0\x01\x01\x17\x03\x03\0\x01", 11, RG_E_PROTO, TLS_SAY_ALERT,
	 10, 0x303},
	{"empty record between", "\x16\x03\x01\0\x01\x01\x16\x03\x03\0\0", 11, RG_E_PROTO,
	 TLS_SAY_ALERT, 10, 0x303},
};

START_TEST(beginnings) {
	struct rg_slice in = guard_copy(rg_slice(starts[_i].bytes, starts[_i].len));
	struct tls_refusal why = {9, 9, 9};
	struct tls_hello h;
	int rc = tls_hello_peek(in, scratch, &h, &why);

	ck_assert_msg(rc == starts[_i].rc, "%s: %d", starts[_i].name, rc);
	if (rc == RG_MORE) {
		ck_assert_uint_eq(why.alert, 9);
		return;
	}
	ck_assert_msg(why.kind == starts[_i].kind, "%s", starts[_i].name);
	if (why.kind != TLS_SAY_ALERT)
		return;
	ck_assert_msg(why.alert == starts[_i].alert, "%s: %d", starts[_i].name, why.alert);
	ck_assert_msg(why.version == starts[_i].version, "%s", starts[_i].name);
}
END_TEST

// Records of one byte make it six times as long: it does not fit, and that is said.
START_TEST(many_records) {
	static uint8_t m[17000];
	struct tls_refusal why;
	struct tls_hello h;

	memcpy(m, "\x01\0\x0f\x9c\x03\x03", 6);
	ck_assert_int_eq(tls_hello_peek(rg_slice(records(rg_slice(m, 4000), 1).p, 23000), scratch,
					&h, &why),
			 RG_MORE); // the limit on what is kept is its user's
	ck_assert_int_eq(tls_hello_peek(records(rg_slice(m, 4000), 16), scratch, &h, &why),
			 RG_E_PROTO); // zeroes
	memcpy(m, "\x16\x03\x01\0\x01\x01\x16\x03\x01\x40\0", 11);
	ck_assert_int_eq(tls_hello_peek(guard_copy(rg_slice(m, 11 + 16384)), scratch, &h, &why),
			 RG_E_LIMIT);
}
END_TEST

static size_t real_hello(SSL_CTX *ctx, const char *name, uint8_t *out, size_t cap) {
	SSL *s = SSL_new(ctx);
	BIO *wire = BIO_new(BIO_s_mem());
	size_t len;

	SSL_set_bio(s, BIO_new(BIO_s_mem()), wire);
	SSL_set_connect_state(s);
	ck_assert_int_eq(SSL_set_tlsext_host_name(s, name), 1);
	(void)SSL_set_alpn_protos(s, (const uint8_t *)"\x08http/1.1", 9);
	(void)SSL_do_handshake(s);
	len = (size_t)BIO_read(wire, out, (int)cap);
	SSL_free(s);
	ERR_clear_error();
	return len;
}

static bool is_answered(SSL_CTX *server, struct rg_slice hello) {
	SSL *s = SSL_new(server);
	BIO *wire = BIO_new(BIO_s_mem());
	BIO *in = BIO_new(BIO_s_mem());
	uint8_t first = 0;

	SSL_set_bio(s, in, wire);
	SSL_set_accept_state(s);
	ck_assert_int_eq(BIO_write(in, hello.p, (int)hello.len), (int)hello.len);
	(void)SSL_do_handshake(s);
	(void)BIO_read(wire, &first, 1);
	SSL_free(s);
	ERR_clear_error();
	return first == 22;
}

// Each byte of a real one is bent in several ways. What OpenSSL still answers, we let through; but
// an extension twice, which OpenSSL minds with those it knows only.
START_TEST(no_false_refusal) {
	static const uint8_t bends[] = {0x01, 0x80, 0x2b, 0xff};
	SSL_CTX *client = client_ctx_new();
	SSL_CTX *server = SSL_CTX_new(TLS_server_method());
	uint8_t hello[4096];
	size_t len = real_hello(client, "gw.example.net", hello, sizeof(hello));
	long n_answered = 0, n_refused = 0;

	ck_assert_int_eq(SSL_CTX_set_min_proto_version(server, TLS1_3_VERSION), 1);
	ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(server, tmp_path("a.crt")), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(server, tmp_path("a.key"), SSL_FILETYPE_PEM),
			 1);
	for (size_t i = 0; i < len; i++)
		for (size_t k = 0; k < sizeof(bends); k++) {
			struct tls_refusal why;
			struct tls_hello h;
			int rc;

			hello[i] ^= bends[k];
			rc = tls_hello_peek(guard_copy(rg_slice(hello, len)), scratch, &h, &why);
			if (rc < 0)
				n_refused++;
			if (is_answered(server, rg_slice(hello, len))) {
				n_answered++;
				ck_assert_msg(rc == RG_OK, "byte %zu ^ %02x: %d, alert %d", i,
					      bends[k], rc, why.alert);
			}
			hello[i] ^= bends[k];
		}
	ck_assert_int_gt(n_answered, 100);
	ck_assert_int_gt(n_refused, 100);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
}
END_TEST

START_TEST(real) {
	SSL_CTX *client = client_ctx_new();
	uint8_t hello[4096];
	size_t len = real_hello(client, "gw.example.net", hello, sizeof(hello));
	struct tls_refusal why;
	struct tls_hello h;

	ck_assert_int_eq(tls_hello_peek(guard_copy(rg_slice(hello, len)), scratch, &h, &why),
			 RG_OK);
	ck_assert_uint_eq(h.len, len);
	ck_assert(rg_eq(h.sni, RG_LIT("gw.example.net")));
	ck_assert_uint_eq(h.legacy_version, 0x0303);
	ck_assert(h.has_alpn && h.has_ticket && !h.has_psk && !h.has_early_data);
	ck_assert_int_eq(SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION), 1);
	len = real_hello(client, "gw.example.net", hello, sizeof(hello));
	ck_assert_int_eq(tls_hello_peek(guard_copy(rg_slice(hello, len)), scratch, &h, &why),
			 RG_E_UNSUPPORTED);
	SSL_CTX_free(client);
}
END_TEST

int main(void) {
	Suite *s = suite_create("tls_hello");
	TCase *t = tcase_create("hello");
	SRunner *r = srunner_create(s);
	int failed;

	make_pair("a", false, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, table, 0, N_HELLOS);
	tcase_add_loop_test(t, in_pieces, 0, N_HELLOS);
	tcase_add_loop_test(t, beginnings, 0, sizeof(starts) / sizeof(starts[0]));
	tcase_add_test(t, many_records);
	tcase_add_test(t, no_false_refusal);
	tcase_add_test(t, real);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	tmp_remove();
	return failed != 0;
}
