// SPDX-License-Identifier: BSD-3-Clause
// TLS contexts: the error line for each way a certificate or key can be wrong, what is negotiated
// and what refused, with which alert, SHA-1, and what is left behind when an allocation fails.
#include <check.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peer.h"
#include "regate/err.h"

static const struct {
	const char *certificate, *key;
	const char *file; // named in the line
	const char *why, *cure;
} wrong[] = {
	{"none.crt", "a.key", "none.crt", "certificate", "create it"},
	{"a.crt", "none.key", "none.key", "key", "create it"},
	{"empty", "a.key", "empty", "is empty", "write PEM"},
	{"a.crt", "empty", "empty", "is empty", "write PEM"},
	{"text", "a.key", "text", "no PEM certificate", "openssl x509"},
	{"a.crt", "text", "text", "no PEM private key", "openssl pkey"},
	{"a.key", "a.key", "a.key", "no PEM certificate", "openssl x509"},
	{"a.crt", "a.crt", "a.crt", "no PEM private key", "openssl pkey"},
	{"a.crt", "b.key", "b.key", "does not match", "name the key"},
	{"a.crt", "b.key", "a.crt", "does not match", "name the key"},
	{"a.crt", "rsa.key", "rsa.key", "does not match", "name the key"},
	{"secret.crt", "secret.key", "secret.key", "encrypted", "decrypt it"},
	{"dir", "a.key", "dir", "directory", "regular file"},
};

START_TEST(error_lines) {
	char err[1024] = "";
	struct tls_ctx *c =
		ctx_new(tmp_path(wrong[_i].certificate), tmp_path(wrong[_i].key), err, sizeof(err));

	ck_assert_ptr_null(c);
	ck_assert_msg(strstr(err, tmp_path(wrong[_i].file)) != NULL, "%s", err);
	ck_assert_msg(strstr(err, wrong[_i].why) != NULL, "%s", err);
	ck_assert_msg(strstr(err, wrong[_i].cure) != NULL, "%s", err);
	ck_assert_ptr_null(strchr(err, '\n'));
	ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

START_TEST(unreadable) {
	char err[1024] = "";

	if (geteuid() == 0)
		return; // root reads everything
	ck_assert_int_eq(chmod(tmp_path("b.key"), 0), 0);
	ck_assert_ptr_null(ctx_new(tmp_path("b.crt"), tmp_path("b.key"), err, sizeof(err)));
	ck_assert_msg(strstr(err, "make it readable") != NULL, "%s", err);
}
END_TEST

START_TEST(short_error_buffer) {
	char err[8] = "1234567";

	ck_assert_ptr_null(ctx_new(tmp_path("none"), tmp_path("none"), err, 4));
	ck_assert_str_eq(err, "cer");
	ck_assert_ptr_null(ctx_new(tmp_path("none"), tmp_path("none"), NULL, 0));
}
END_TEST

START_TEST(sha1) {
	static const char accept[] = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	static const uint8_t want[20] = {0xb3, 0x7a, 0x4f, 0x2c, 0xc0, 0x62, 0x4f,
					 0x16, 0x90, 0xf6, 0x46, 0x06, 0xcf, 0x38,
					 0x59, 0x45, 0xb2, 0xbe, 0xc4, 0xea};
	char err[256];
	struct tls_ctx *c = ctx_new(tmp_path("rsa.crt"), tmp_path("rsa.key"), err, sizeof(err));
	uint8_t out[20];
	static const uint8_t zero[20];
	long live;

	ck_assert_msg(c != NULL, "%s", err);
	tls_sha1(c, RG_LIT("warm"), out);
	live = alloc_live();
	for (int i = 0; i < 3; i++) {
		memset(out, 0, sizeof(out));
		tls_sha1(c, rg_str(accept), out);
		ck_assert_mem_eq(out, want, sizeof(out));
	}
	ck_assert_int_eq(alloc_live(), live);
	alloc_fail_at(1);
	tls_sha1(c, rg_str(accept), out);
	alloc_fail_at(0);
	ck_assert_mem_eq(out, zero, sizeof(out));
	ck_assert_uint_eq(ERR_peek_error(), 0);
	tls_sha1(c, rg_str(accept), out);
	ck_assert_mem_eq(out, want, sizeof(out));
	tls_ctx_free(c);
}
END_TEST

START_TEST(leaves_nothing) {
	char err[256];
	long live = 0;

	for (int i = 0; i < 6; i++) {
		struct tls_ctx *c =
			ctx_new(tmp_path("a.crt"), tmp_path(i % 2 == 0 ? "a.key" : "b.key"), err,
				sizeof(err));

		ck_assert((c != NULL) == (i % 2 == 0));
		tls_ctx_free(c);
		if (i == 1)
			live = alloc_live();
	}
	ck_assert_int_eq(alloc_live(), live);
	tls_ctx_free(NULL);
}
END_TEST

// A sample of the thousands of allocations that a context takes, each failing once.
START_TEST(without_memory) {
	char err[256];
	long before = alloc_calls();
	struct tls_ctx *c = ctx_new(tmp_path("a.crt"), tmp_path("a.key"), err, sizeof(err));
	long n = alloc_calls() - before;
	int n_failed = 0;

	ck_assert_ptr_nonnull(c);
	tls_ctx_free(c);
	for (long at = 1; at <= n; at += at < 8 ? 1 : n / 20) {
		err[0] = '\0';
		alloc_fail_at(at);
		c = ctx_new(tmp_path("a.crt"), tmp_path("a.key"), err, sizeof(err));
		alloc_fail_at(0);
		n_failed += c == NULL;
		ck_assert(c != NULL || err[0] != '\0');
		tls_ctx_free(c);
	}
	ck_assert_int_gt(n_failed, 8);
}
END_TEST

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

START_TEST(tls12_refused) {
	struct pair *p;

	SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
	p = pair_new(ctx, client);
	ck_assert(!pair_handshake(p));
	ck_assert_int_eq(p->rc, RG_E_UNSUPPORTED);
	pair_free(p);
	p = pair_new(ctx, client);
	(void)SSL_do_handshake(p->client);
	pair_to_server(p);
	ck_assert_int_eq(pair_client_reason(p), SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
	pair_free(p);
}
END_TEST

static const struct {
	const char *offer; // length-prefixed
	const char *want;  // NULL: refused
} alpn[] = {
	{"\x08http/1.1", "http/1.1"},
	{"\x02h2\x08http/1.1", "http/1.1"},
	{"\x02h2", NULL},
	{"\x08http/1.0\x09http/1.1x", NULL},
	{NULL, ""},
};

START_TEST(alpn_table) {
	struct pair *p = pair_new(ctx, client);
	const unsigned char *got;
	unsigned len;

	if (alpn[_i].offer != NULL)
		ck_assert_int_eq(SSL_set_alpn_protos(p->client, (const uint8_t *)alpn[_i].offer,
						     (unsigned)strlen(alpn[_i].offer)),
				 0);
	if (alpn[_i].want != NULL) {
		ck_assert(pair_handshake(p));
		SSL_get0_alpn_selected(p->client, &got, &len);
		ck_assert(rg_eq(rg_slice(got, len), rg_str(alpn[_i].want)));
	} else {
		(void)SSL_do_handshake(p->client);
		pair_to_server(p);
		ck_assert_int_eq(p->rc, RG_E_PROTO);
		ck_assert_int_eq(pair_client_reason(p), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
	}
	pair_free(p);
}
END_TEST

static const struct {
	const char *offer;
	int want; // 0: refused
} groups[] = {
	{"X25519:P-256", NID_X25519},       {"P-256", NID_X9_62_prime256v1},
	{"P-384:X25519", NID_X25519}, // asks for another share
	{"P-384:P-256:X25519", NID_X25519}, {"P-384", 0},
};

START_TEST(groups_table) {
	struct pair *p;

	ck_assert_int_eq(SSL_CTX_set1_groups_list(client, groups[_i].offer), 1);
	p = pair_new(ctx, client);
	if (groups[_i].want != 0) {
		ck_assert(pair_handshake(p));
		ck_assert_int_eq(SSL_get_negotiated_group(p->client), groups[_i].want);
	} else {
		(void)SSL_do_handshake(p->client);
		pair_to_server(p);
		ck_assert_int_eq(p->rc, RG_E_PROTO);
		ck_assert_int_eq(pair_client_reason(p), SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE);
	}
	pair_free(p);
}
END_TEST

static int n_sessions;

static int on_session(SSL *ssl, SSL_SESSION *s) {
	(void)ssl;
	(void)s;
	n_sessions++;
	return 0;
}

// No ticket is ever sent: between the handshake and the first answer the server says nothing.
START_TEST(no_tickets) {
	struct pair *p;
	char byte;
	size_t before;

	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(client, on_session);
	p = pair_new(ctx, client);
	(void)SSL_do_handshake(p->client);
	pair_to_server(p);
	before = p->n_cipher;
	ck_assert(pair_handshake(p));
	ck_assert_uint_eq(p->n_cipher, before);
	ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("x"), pair_sink(p)), RG_OK);
	ck_assert(pair_client_read(p, &byte, 1));
	ck_assert_int_eq(n_sessions, 0);
	pair_free(p);
}
END_TEST

int main(void) {
	Suite *s = suite_create("tls_ctx");
	TCase *t = tcase_create("ctx");
	TCase *policy = tcase_create("policy");
	SRunner *r = srunner_create(s);
	int failed;

	alloc_init();
	make_pair("a", false, NULL);
	make_pair("b", false, NULL);
	make_pair("rsa", true, NULL);
	make_pair("secret", false, "x");
	tmp_put("empty", "");
	tmp_put("text", "hello\n");
	if (mkdir(tmp_path("dir"), 0700) != 0)
		return 1;
	tcase_add_loop_test(t, error_lines, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(t, short_error_buffer);
	tcase_add_test(t, sha1);
	tcase_add_test(t, leaves_nothing);
	tcase_add_test(t, without_memory);
	tcase_add_test(t, unreadable);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(policy, setup, teardown);
	tcase_add_test(policy, tls12_refused);
	tcase_add_loop_test(policy, alpn_table, 0, sizeof(alpn) / sizeof(alpn[0]));
	tcase_add_loop_test(policy, groups_table, 0, sizeof(groups) / sizeof(groups[0]));
	tcase_add_test(policy, no_tickets);
	suite_add_tcase(s, policy);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	(void)rmdir(tmp_path("dir"));
	tmp_remove();
	return failed != 0;
}
