// SPDX-License-Identifier: BSD-3-Clause
// Several certificates: which one a name gets, what is told of them, and sets that are exchanged
// while handshakes are under way. What the client sees is OpenSSL's word.
#include <check.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "guard.h"
#include "peer.h"
#include "regate/err.h"
#include "tls/tls_int.h"

#define N_FILES 3

static struct tls_ctx *ctx;
static SSL_CTX *client;
static struct rg_cert_file files[N_FILES];

static void setup(void) {
	static char paths[N_FILES][2][512];
	static const char *const names[N_FILES] = {"one", "two", "three"};
	struct tls_cfg cfg = {.certs = files,
			      .n_certs = N_FILES,
			      .max_conns = 64,
			      .max_half_open = 8,
			      .share = 100};
	char err[256], file[64];

	for (int i = 0; i < N_FILES; i++) {
		snprintf(file, sizeof(file), "%s.crt", names[i]);
		snprintf(paths[i][0], sizeof(paths[i][0]), "%s", tmp_path(file));
		snprintf(file, sizeof(file), "%s.key", names[i]);
		snprintf(paths[i][1], sizeof(paths[i][1]), "%s", tmp_path(file));
		files[i] = (struct rg_cert_file){paths[i][0], paths[i][1]};
	}
	make_named("one", NULL, 1);
	make_named("two", "DNS:gw.example.net,DNS:*.wild.example.net,IP:192.0.2.1", 2);
	make_named("three", "DNS:exact.wild.example.net,DNS:bad name,DNS:*.Gross.Example",
		   0xabcdef);
	ctx = tls_ctx_new(&cfg, err, sizeof(err));
	ck_assert_msg(ctx != NULL, "%s", err);
	client = client_ctx_new();
}

static void teardown(void) {
	ck_assert_uint_eq(ERR_peek_error(), 0);
	tls_ctx_free(ctx);
	SSL_CTX_free(client);
}

static long serial_seen(const SSL *s) {
	X509 *x = SSL_get1_peer_certificate(s);
	long serial = x == NULL ? -1 : ASN1_INTEGER_get(X509_get0_serialNumber(x));

	X509_free(x);
	return serial;
}

static struct pair *asking(const char *name) {
	struct pair *p = pair_new(ctx, client);

	if (name != NULL)
		ck_assert_int_eq(SSL_set_tlsext_host_name(p->client, name), 1);
	return p;
}

static const struct {
	const char *asked;
	long serial;
} names[] = {
	{NULL, 1},
	{"unknown.example", 1},
	{"gw.example.net", 2},
	{"GW.Example.NET", 2},
	{"gw.example.net.evil", 1},
	{"xgw.example.net", 1},
	{"w.example.net", 1},
	{"a.wild.example.net", 2},
	{"b.WILD.example.net", 2},
	{"exact.wild.example.net", 3}, // before the wildcard
	{"a.b.wild.example.net", 1},   // one label only
	{"wild.example.net", 1},       // and not none
	{".wild.example.net", 1},
	{"*.wild.example.net", 2},
	{"x.gross.example", 3},
	{"bad name", 1},
	{"192.0.2.1", 1},
	{"one", 1}, // the subject says nothing
};

START_TEST(by_name) {
	struct pair *p = asking(names[_i].asked);
	long serial;

	ck_assert(pair_handshake(p));
	serial = serial_seen(p->client);
	ck_assert_msg(serial == (names[_i].serial == 3 ? 0xabcdef : names[_i].serial), "%s: %ld",
		      names[_i].asked, serial);
	pair_free(p);
}
END_TEST

START_TEST(told) {
	const struct tls_certs *set = tls_certs_of(ctx);
	const struct rg_cert_info *info = tls_certs_info(set, 2);

	ck_assert_ptr_null(tls_certs_info(set, 3));
	ck_assert_str_eq(info->file, files[2].certificate);
	ck_assert_str_eq(info->subject, "CN=three");
	ck_assert_str_eq(info->names, "exact.wild.example.net, *.Gross.Example");
	ck_assert_str_eq(info->serial, "ABCDEF");
	ck_assert_int_eq(info->not_after - info->not_before, 86400 + 3600);
	ck_assert_int_lt(llabs(info->not_after - 86400 - (int64_t)time(NULL)), 100);
	ck_assert_str_eq(tls_certs_info(set, 0)->names, "");
	ck_assert_str_eq(tls_certs_info(set, 1)->names, "gw.example.net, *.wild.example.net");
}
END_TEST

// Names by the thousand are cut in what is told, not in what is served.
START_TEST(many_names) {
	static char sans[40000];
	size_t len = 0;
	struct tls_certs *set;
	char err[256];
	struct pair *p;

	for (int i = 0; i < 1000; i++)
		len += (size_t)sprintf(sans + len, "%sDNS:name%d.example.net", i == 0 ? "" : ",",
				       i);
	make_named("two", sans, 7);
	set = tls_certs_new(ctx, files, N_FILES, err, sizeof(err));
	ck_assert_msg(set != NULL, "%s", err);
	ck_assert_uint_lt(strlen(tls_certs_info(set, 1)->names), 1024);
	ck_assert_uint_gt(strlen(tls_certs_info(set, 1)->names), 900);
	tls_certs_free(tls_certs_swap(ctx, set));
	p = asking("name999.example.net");
	ck_assert(pair_handshake(p));
	ck_assert_int_eq(serial_seen(p->client), 7);
	pair_free(p);
}
END_TEST

// A handshake that began with the old set ends with it, though the set is gone; the next one gets
// the new. Connections do not notice.
START_TEST(exchanged) {
	struct pair *before = asking("gw.example.net");
	struct pair *during = asking("gw.example.net");
	struct pair *after = asking("gw.example.net");
	struct tls_certs *set;
	char err[256], buf[2];

	ck_assert(pair_handshake(before));
	(void)SSL_do_handshake(during->client);
	pair_to_server(during);
	make_named("two", "DNS:gw.example.net", 22);
	set = tls_certs_new(ctx, files, N_FILES, err, sizeof(err));
	ck_assert_msg(set != NULL, "%s", err);
	tls_certs_free(tls_certs_swap(ctx, set));
	ck_assert(pair_handshake(during));
	ck_assert_int_eq(serial_seen(during->client), 2);
	ck_assert(pair_handshake(after));
	ck_assert_int_eq(serial_seen(after->client), 22);
	ck_assert(pair_client_write(before, "hi", 2));
	ck_assert_int_eq(tls_write(ctx, before->server, RG_LIT("ho"), pair_sink(before)), RG_OK);
	ck_assert(pair_client_read(before, buf, 2));
	pair_free(before);
	pair_free(during);
	pair_free(after);
}
END_TEST

// One file wrong: no set, its name in the line, the old one goes on.
START_TEST(wrong_file) {
	static const char *const texts[] = {"", "no PEM", NULL};
	char err[512];

	for (int i = 0; i < 3; i++) {
		struct pair *p = asking("gw.example.net");

		if (texts[i] == NULL) {
			make_named("other", NULL, 9);
			files[1].key = tmp_path("other.key");
		} else {
			tmp_put("two.key", texts[i]);
		}
		ck_assert_ptr_null(tls_certs_new(ctx, files, N_FILES, err, sizeof(err)));
		ck_assert_ptr_nonnull(strstr(err, texts[i] == NULL ? "other.key" : "two.key"));
		ck_assert(pair_handshake(p));
		ck_assert_int_eq(serial_seen(p->client), 2);
		pair_free(p);
		make_named("two", "DNS:gw.example.net", 2);
	}
}
END_TEST

// Nothing is kept of 100 sets; each allocation of one fails once.
START_TEST(leaves_nothing) {
	struct tls_certs *set;
	long live, n;
	char err[512];

	for (int i = 0; i < 100; i++) {
		set = tls_certs_new(ctx, files, N_FILES, err, sizeof(err));
		ck_assert_ptr_nonnull(set);
		tls_certs_free(tls_certs_swap(ctx, set));
		if (i == 2)
			live = alloc_live();
	}
	ck_assert_int_eq(alloc_live(), live);
	n = alloc_calls();
	tls_certs_free(tls_certs_new(ctx, files, N_FILES, err, sizeof(err)));
	n = alloc_calls() - n;
	for (long at = 1; at <= n; at += n / 60) {
		alloc_fail_at(at);
		set = tls_certs_new(ctx, files, N_FILES, err, sizeof(err));
		alloc_fail_at(0);
		ck_assert(set != NULL || err[0] != '\0');
		tls_certs_free(set);
	}
	ck_assert_int_le(alloc_live(), live + 10); // what OpenSSL itself loses; a set has hundreds
}
END_TEST

int main(void) {
	Suite *s = suite_create("tls_certs");
	TCase *t = tcase_create("certs");
	SRunner *r = srunner_create(s);
	int failed;

	alloc_init();
	(void)tmp_path(""); // before any fork
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, by_name, 0, sizeof(names) / sizeof(names[0]));
	tcase_add_test(t, told);
	tcase_add_test(t, many_names);
	tcase_add_test(t, exchanged);
	tcase_add_test(t, wrong_file);
	tcase_add_test(t, leaves_nothing);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	tmp_remove();
	return failed != 0;
}
