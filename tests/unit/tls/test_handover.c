// SPDX-License-Identifier: BSD-3-Clause
// The hand-over from OpenSSL to our record layer, and life after it, against OpenSSL's client: each
// suite and engine, nothing of OpenSSL left, no secret in freed memory, sequence numbers, KeyUpdates
// from both sides.
#include <check.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "guard.h"
#include "malloc_count.h"
#include "peer.h"
#include "regate/err.h"
#include "tls/tls_int.h"

#define N_COMBOS (2 * TLS_N_SUITES)

static struct tls_ctx *ctx;
static SSL_CTX *client;
static void setup(void) {
	char err[256];

	ctx = ctx_new(tmp_path("a.crt"), tmp_path("a.key"), err, sizeof(err));
	ck_assert_msg(ctx != NULL, "%s", err);
	client = client_ctx_new();
}

static void teardown(void) {
	ck_assert_uint_eq(ctx->free_partials.n_free, TLS_MAX_PARTIAL);
	ck_assert_uint_eq(ctx->free_handshakes.n_free, ctx->free_handshakes.n);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	tls_ctx_free(ctx);
	SSL_CTX_free(client);
}

static void use(int combo) {
	static const char *const suites[TLS_N_SUITES] = {"TLS_AES_128_GCM_SHA256",
							 "TLS_AES_256_GCM_SHA384",
							 "TLS_CHACHA20_POLY1305_SHA256"};

	if (combo >= TLS_N_SUITES)
		ctx->crypt->aeads = tls_aead_evp();
	ck_assert_int_eq(SSL_CTX_set_ciphersuites(client, suites[combo % TLS_N_SUITES]), 1);
}

static struct pair *established(int combo) {
	struct pair *p;

	use(combo);
	p = pair_new(ctx, client);
	ck_assert(pair_handshake(p));
	ck_assert_int_eq(p->server->suite, combo % TLS_N_SUITES);
	return p;
}

START_TEST(sizes) {
	static uint8_t data[TLS_MAX_PLAIN], back[TLS_MAX_PLAIN];
	static const size_t cuts[] = {SIZE_MAX, 1, 1460};
	struct pair *p = established(_i);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	for (size_t n = 1; n <= TLS_MAX_PLAIN; n += n < 40 ? 1 : n < 16000 ? 797 : 12) {
		p->cut = cuts[n % 3];
		p->n_plain = 0;
		ck_assert(pair_client_write(p, data, n));
		ck_assert_int_eq(p->rc, RG_OK);
		ck_assert_uint_eq(p->n_plain, n);
		ck_assert_mem_eq(p->plain, data, n);
		ck_assert_int_eq(tls_write(ctx, p->server, rg_slice(data, n), pair_sink(p)), RG_OK);
		ck_assert(pair_client_read(p, back, n));
		ck_assert_mem_eq(back, data, n);
	}
	pair_free(p);
}
END_TEST

static void talk(struct pair *p) {
	char buf[5];

	p->n_plain = 0;
	ck_assert(pair_client_write(p, "hello", 5));
	ck_assert(rg_eq(rg_slice(p->plain, p->n_plain), RG_LIT("hello")));
	ck_assert_int_eq(tls_write(ctx, p->server, RG_LIT("world"), pair_sink(p)), RG_OK);
	ck_assert(pair_client_read(p, buf, 5));
	ck_assert_mem_eq(buf, "world", 5);
}

// Each sequence of four steps out of: the client updates, asks for an update, the server updates,
// they talk.
START_TEST(key_updates) {
	for (unsigned order = 0; order < 256; order += 5) {
		struct pair *p = established(_i);

		for (unsigned step = 0, rest = order; step < 4; step++, rest /= 4) {
			if (rest % 4 < 2) {
				ck_assert_int_eq(
					SSL_key_update(p->client,
						       rest % 4 == 0 ? SSL_KEY_UPDATE_NOT_REQUESTED
								     : SSL_KEY_UPDATE_REQUESTED),
					1);
				ck_assert_int_eq(SSL_do_handshake(p->client), 1);
				pair_to_server(p);
			} else if (rest % 4 == 2) {
				p->server->is_update_due = true;
			} else {
				talk(p);
			}
		}
		talk(p);
		ck_assert_int_eq(p->rc, RG_OK);
		pair_free(p);
	}
}
END_TEST

// Tickets take sequence numbers before our first record. (We send none; this is the count.)
START_TEST(tickets) {
	for (unsigned n = 0; n < 5; n++) {
		struct pair *p;

		ck_assert_int_eq(SSL_CTX_set_num_tickets(tls_certs_pick(ctx, rg_str("")), n), 1);
		p = established(_i);
		ck_assert_uint_eq(p->server->seq[TLS_WR], n);
		ck_assert_uint_eq(p->server->seq[TLS_RD], 0);
		talk(p);
		pair_free(p);
	}
}
END_TEST

struct flights { // of a client, with the server's answer between them
	struct pair *p;
	uint8_t finished[4096];
	size_t len;
};

// Up to the client's Finished and a record behind it, which the server has yet to see.
static struct flights fly(int combo) {
	struct flights f = {0};
	static uint8_t hello[4096];
	size_t len;

	use(combo);
	f.p = pair_new(ctx, client);
	(void)SSL_do_handshake(f.p->client);
	len = (size_t)BIO_read(SSL_get_wbio(f.p->client), hello, sizeof(hello));
	ck_assert_int_eq(pair_input(f.p, rg_slice(hello, len)), RG_OK);
	ck_assert_int_eq(SSL_do_handshake(f.p->client), 1);
	ck_assert_int_eq(SSL_write(f.p->client, "hello", 5), 5);
	f.len = (size_t)BIO_read(SSL_get_wbio(f.p->client), f.finished, sizeof(f.finished));
	return f;
}

// What is left after the hand-over: nothing, but the keys and secrets that are long.
START_TEST(nothing_left) {
	for (int round = 0; round < 3; round++) { // the first fills caches
		struct flights f = fly(_i);
		long live = alloc_live();
		long left;

		ck_assert_int_eq(pair_input(f.p, rg_slice(f.finished, f.len)), RG_OK);
		ck_assert_uint_eq(f.p->n_plain, 5);
		ck_assert_int_lt(alloc_live(), live - 20);
		live = alloc_live();
		pair_end(f.p);
		left = live - alloc_live();
		f.p->server = NULL;
		ck_assert_int_eq(left, _i % TLS_N_SUITES == TLS_AES128 ? 0 : 1);
		pair_free(f.p);
	}
}
END_TEST

// The client's last flight, cut anywhere or with only a part of the record behind it.
START_TEST(finished_cut) {
	struct flights f = fly(_i);
	size_t len = f.len;

	pair_free(f.p);
	for (size_t cut = 1; cut < len; cut += 3) {
		f = fly(_i);
		ck_assert_int_eq(pair_input(f.p, rg_slice(f.finished, cut)), RG_OK);
		ck_assert_int_eq(pair_input(f.p, rg_slice(f.finished + cut, f.len - cut)), RG_OK);
		ck_assert_uint_eq(f.p->n_plain, 5);
		talk(f.p);
		pair_free(f.p);
	}
}
END_TEST

// OpenSSL frees the SSL object with the secrets in it (tls_wipe_freed() is against that); nothing of
// ours goes unwiped.
START_TEST(own_wiped) {
	for (int dir = 0; dir < TLS_N_DIRS; dir++) {
		struct flights f = fly(_i);
		struct rg_slice secret = client_secret(dir);
		uint8_t key[TLS_MAX_KEY];
		long n;

		(void)malloc_watch(secret.p, secret.len);
		ck_assert_int_eq(pair_input(f.p, rg_slice(f.finished, f.len)), RG_OK);
		n = malloc_watch(NULL, 0);
		ck_assert_int_eq(n, 1);
		memcpy(key, tls_key_of(ctx, f.p->server, dir), 16);
		(void)malloc_watch(key, 16);
		pair_end(f.p);
		n = malloc_watch(NULL, 0);
		ck_assert_int_eq(n, 0);
		pair_free(f.p);
		f = fly(_i);
		secret = client_secret(dir);
		ck_assert_int_eq(pair_input(f.p, rg_slice(f.finished, f.len)), RG_OK);
		(void)malloc_watch(secret.p, secret.len);
		pair_end(f.p);
		n = malloc_watch(NULL, 0);
		ck_assert_int_eq(n, 0);
		pair_free(f.p);
	}
}
END_TEST

// Each allocation of the hand-over fails once.
START_TEST(without_memory) {
	struct flights f = {0};
	long n = 0;
	long live;
	int rc;

	for (int i = 0; i < 3; i++) { // the first of its kind fills caches
		f = fly(_i);
		n = alloc_calls();
		ck_assert_int_eq(pair_input(f.p, rg_slice(f.finished, f.len)), RG_OK);
		n = alloc_calls() - n;
		pair_free(f.p);
	}
	ck_assert_int_gt(n, 10);
	live = alloc_live();
	for (long at = 1; at <= n; at++) {
		f = fly(_i);
		alloc_fail_at(at);
		rc = pair_input(f.p, rg_slice(f.finished, f.len));
		alloc_fail_at(0);
		ck_assert_msg(rc == RG_OK || rc == RG_E_PROTO || rc == -ENOMEM, "%ld: %d", at, rc);
		if (rc == RG_OK)
			talk(f.p);
		else
			ck_assert_int_eq(tls_write(ctx, f.p->server, RG_LIT("x"), pair_sink(f.p)),
					 RG_E_STALE);
		ck_assert_uint_eq(ERR_peek_error(), 0);
		pair_free(f.p);
	}
	ck_assert_int_le(alloc_live(), live);
}
END_TEST

START_TEST(new_without_memory) {
	char err[256];

	for (long at = 1; at < 4000; at += at < 50 ? 1 : 61) {
		struct tls_ctx *c;

		if (!malloc_fail_at(at))
			return; // a sanitizer is in the way
		c = ctx_new(tmp_path("a.crt"), tmp_path("a.key"), err, sizeof(err));
		malloc_fail_at(0);
		ck_assert(c != NULL || err[0] != '\0');
		tls_ctx_free(c);
	}
}
END_TEST

// The engine is ipsec-mb where the processor has what it needs, which the machines that run this
// have; without its manager it is EVP.
START_TEST(engine) {
	ck_assert_ptr_nonnull(ctx->crypt->imb);
	ck_assert_ptr_eq(ctx->crypt->aeads, tls_aead_imb());
	ck_assert_ptr_ne(tls_aead_evp(), tls_aead_imb());
}
END_TEST

static const char *const lines[] = {
	"CLIENT_TRAFFIC_SECRET_0 00 0g",
	"CLIENT_TRAFFIC_SECRET_0 00 0G",
	"CLIENT_TRAFFIC_SECRET_0",
	"CLIENT_TRAFFIC_SECRET_1 00 00",
	"CLIENT_HANDSHAKE_TRAFFIC_SECRET 00 00",
	"CLIENT_TRAFFIC_SECRET_0 00 "
	"00000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000",
	"",
};

// Lines of the key log that are not for us, or that no OpenSSL would write.
START_TEST(odd_lines) {
	static struct tls_handshake h;
	SSL *ssl = SSL_new(tls_certs_pick(ctx, rg_str("")));

	SSL_set_app_data(ssl, &h);
	tls_on_secret(ssl, lines[_i]);
	ck_assert_uint_eq(h.secret_len[TLS_RD], 0);
	ck_assert_uint_eq(h.secret_len[TLS_WR], 0);
	SSL_free(ssl);
}
END_TEST

int main(void) {
	Suite *s = suite_create("tls_handover");
	TCase *t = tcase_create("handover");
	SRunner *r = srunner_create(s);
	int failed;

	alloc_init();
	(void)malloc_calls(); // installs its hook, if it needs one
	make_pair("a", false, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, engine);
	tcase_add_loop_test(t, sizes, 0, N_COMBOS);
	tcase_add_loop_test(t, key_updates, 0, N_COMBOS);
	tcase_add_loop_test(t, tickets, 0, N_COMBOS);
	tcase_add_loop_test(t, nothing_left, 0, N_COMBOS);
	tcase_add_loop_test(t, finished_cut, 0, N_COMBOS);
	tcase_add_loop_test(t, own_wiped, 0, N_COMBOS);
	tcase_add_loop_test(t, without_memory, 0, TLS_N_SUITES);
	tcase_add_test(t, new_without_memory);
	tcase_add_loop_test(t, odd_lines, 0, sizeof(lines) / sizeof(lines[0]));
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	tmp_remove();
	return failed != 0;
}
