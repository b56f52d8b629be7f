// SPDX-License-Identifier: BSD-3-Clause
// No traffic secret, and no key made from one, is left in memory that was freed, or with the worker
// once its connection is gone. Looks at every block that free() gets.
#include <check.h>
#include <stdlib.h>

#include "malloc_count.h"
#include "peer.h"
#include "regate/err.h"
#include "tls/tls_int.h"

// _i: suite, then which secret. What the client frees does not count.
START_TEST(wiped) {
	static const char *const suites[TLS_N_SUITES] = {"TLS_AES_128_GCM_SHA256",
							 "TLS_AES_256_GCM_SHA384",
							 "TLS_CHACHA20_POLY1305_SHA256"};
	char err[256];
	struct tls_ctx *ctx = ctx_new(tmp_path("a.crt"), tmp_path("a.key"), err, sizeof(err));
	SSL_CTX *client = client_ctx_new();
	const int dir = _i / TLS_N_SUITES;
	uint8_t key[16], buf[4096];
	struct rg_slice in;
	struct pair *p;
	struct rg_slice secret;
	long n_secrets, n_keys;

	ck_assert_msg(ctx != NULL, "%s", err);
	ck_assert_int_eq(SSL_CTX_set_ciphersuites(client, suites[_i % TLS_N_SUITES]), 1);
	p = pair_new(ctx, client);
	(void)SSL_do_handshake(p->client);
	pair_to_server(p);
	ck_assert_int_eq(SSL_do_handshake(p->client), 1);
	ck_assert_int_eq(SSL_write(p->client, "hello", 5), 5);
	in = rg_slice(buf, (size_t)BIO_read(SSL_get_wbio(p->client), buf, sizeof(buf)));

	secret = client_secret(dir);
	(void)malloc_watch(secret.p, secret.len);
	ck_assert_int_eq(pair_input(p, in), RG_OK);
	ck_assert_uint_eq(p->n_plain, 5);
	n_secrets = malloc_watch(NULL, 0);
	ck_assert_ptr_null(memmem(ctx->crypt, sizeof(*ctx->crypt), secret.p, secret.len));

	memcpy(key, tls_key_of(ctx, p->server, dir), 16);
	(void)malloc_watch(key, 16);
	pair_end(p);
	n_keys = malloc_watch(secret.p, secret.len);
	ck_assert_ptr_null(
		memmem(ctx->secrets, 64 * sizeof(ctx->secrets[0]), secret.p, secret.len));
	ck_assert_ptr_null(memmem(p, sizeof(*p), key, sizeof(key)));
	p->server = NULL;
	tls_ctx_free(ctx);
	n_secrets += malloc_watch(NULL, 0);
	ck_assert_int_eq(n_keys, 0);
	ck_assert_int_eq(n_secrets, 0);
	pair_free(p);
	SSL_CTX_free(client);
}
END_TEST

// The test itself sees what is not wiped.
START_TEST(watching) {
	static const uint8_t bytes[] = "these bytes are looked for";
	uint8_t *p = malloc(100);

	(void)malloc_calls();
	memcpy(p + 40, bytes, sizeof(bytes));
	(void)malloc_watch(bytes, sizeof(bytes));
	__asm__ volatile("" : : "g"(p) : "memory"); // the compiler knows what free() does
	free(p);
	ck_assert_int_eq(malloc_watch(NULL, 0), 1);
	p = OPENSSL_malloc(100);
	memcpy(p + 40, bytes, sizeof(bytes));
	p = OPENSSL_realloc(p, 1000);
	(void)malloc_watch(bytes, sizeof(bytes));
	p = OPENSSL_realloc(p, 100000);
	ck_assert_mem_eq(p + 40, bytes, sizeof(bytes));
	OPENSSL_free(p);
	ck_assert_int_eq(malloc_watch(NULL, 0), 0);
}
END_TEST

int main(void) {
	Suite *s = suite_create("tls_wipe");
	TCase *t = tcase_create("wipe");
	SRunner *r = srunner_create(s);
	int failed;

	if (!tls_wipe_freed())
		return 1;
	(void)malloc_calls(); // installs its hook, if it needs one
	make_pair("a", false, NULL);
	tcase_add_test(t, watching);
	tcase_add_loop_test(t, wiped, 0, TLS_N_DIRS * TLS_N_SUITES);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	tmp_remove();
	return failed != 0;
}
