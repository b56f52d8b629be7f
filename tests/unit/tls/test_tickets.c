// SPDX-License-Identifier: BSD-3-Clause
// Session tickets against OpenSSL's client: what resumes, for how long, at which worker, and that
// whatever is wrong with a ticket ends in a full handshake. The clock is an argument.
#include <check.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "guard.h"
#include "peer.h"
#include "regate/clock.h"
#include "regate/err.h"
#include "tls/tls_int.h"

#define LIFE_NS (3600 * RG_NS_PER_S)

static struct tls_ctx *ctx;
static SSL_CTX *client;
static SSL_SESSION *last; // ticket that the client got last, owned
static int n_sessions;

static int on_session(SSL *ssl, SSL_SESSION *s) {
	(void)ssl;
	n_sessions++;
	SSL_SESSION_free(last);
	last = s;
	return 1; // kept
}

static struct tls_ctx *worker(const char *secret, uint64_t offset_ns) {
	const struct rg_cert_file file = {tmp_path("a.crt"), tmp_path("a.key")};
	const struct tls_cfg cfg = {
		.certs = &file,
		.n_certs = 1,
		.max_conns = 64,
		.max_half_open = 8,
		.share = 100,
		.n_tickets = 1,
		.ticket_life_s = 3600,
		.ticket_offset_ns = offset_ns,
		.ticket_secret = (const uint8_t *)secret,
	};
	char err[256];
	struct tls_ctx *x = tls_ctx_new(&cfg, err, sizeof(err));

	ck_assert_msg(x != NULL, "%s", err);
	return x;
}

#define SECRET "a secret of 32 bytes, all shared"

static void setup(void) {
	pair_now_ns = 10 * LIFE_NS + LIFE_NS / 2;
	ctx = worker(SECRET, 0);
	client = client_ctx_new();
	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client, on_session);
	last = NULL;
	n_sessions = 0;
}

static void teardown(void) {
	ck_assert_uint_eq(ERR_peek_error(), 0);
	SSL_SESSION_free(last);
	SSL_CTX_free(client);
	tls_ctx_free(ctx);
}

static void talk(struct pair *p) {
	char buf[5];

	p->n_plain = 0;
	ck_assert(pair_client_write(p, "hello", 5));
	ck_assert(rg_eq(rg_slice(p->plain, p->n_plain), RG_LIT("hello")));
	ck_assert_int_eq(tls_write(p->ctx, p->server, RG_LIT("world"), pair_sink(p)), RG_OK);
	ck_assert(pair_client_read(p, buf, 5));
	ck_assert_mem_eq(buf, "world", 5);
}

// A connection that offers s, or nothing. Was it resumed? Data goes both ways afterwards.
static bool is_resumed(struct tls_ctx *x, SSL_SESSION *s) {
	struct pair *p = pair_new(x, client);
	bool is_resumed;

	SSL_SESSION *once = s == NULL ? NULL : SSL_SESSION_dup(s); // it uses none twice

	if (s != NULL)
		ck_assert_int_eq(SSL_set_session(p->client, once), 1);
	SSL_SESSION_free(once);
	ck_assert(pair_handshake(p));
	ck_assert_uint_eq(p->server->seq[TLS_WR], 1); // the new ticket
	talk(p);
	talk(p);
	is_resumed = SSL_session_reused(p->client) == 1;
	(void)SSL_shutdown(p->client); // or it takes its session for a bad one
	pair_free(p);
	return is_resumed;
}

static SSL_SESSION *ticket(void) {
	SSL_SESSION *s;

	ck_assert(!is_resumed(ctx, NULL));
	ck_assert_ptr_nonnull(last);
	s = last;
	last = NULL;
	return s;
}

// Each suite and each way around; one ticket per handshake, resumed or not.
START_TEST(resumes) {
	static const char *const suites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
					     "TLS_CHACHA20_POLY1305_SHA256"};

	ck_assert_int_eq(SSL_CTX_set_ciphersuites(client, suites[_i]), 1);
	ck_assert(!is_resumed(ctx, NULL));
	for (int i = 1; i < 5; i++) {
		SSL_SESSION *s = last;

		ck_assert_int_eq(n_sessions, i);
		last = NULL;
		ck_assert(is_resumed(ctx, s));
		ck_assert(is_resumed(ctx, s)); // used twice: harmless, as nothing is early
		n_sessions--;
		SSL_SESSION_free(s);
	}
}
END_TEST

// No data before the client's Finished, whatever the ticket says.
START_TEST(no_early_data) {
	SSL_SESSION *s = ticket();

	ck_assert_uint_eq(SSL_SESSION_get_max_early_data(s), 0);
	ck_assert_uint_le(SSL_SESSION_get_ticket_lifetime_hint(s), 3600);
	SSL_SESSION_free(s);
}
END_TEST

// The key of this period and of the one before; a ticket is never good for more than two periods.
START_TEST(rotation) {
	const uint64_t t0 = 10 * LIFE_NS;
	SSL_SESSION *s;

	pair_now_ns = t0;
	s = ticket();
	pair_now_ns = t0 + LIFE_NS - 1;
	ck_assert(is_resumed(ctx, s));
	pair_now_ns = t0 + 2 * LIFE_NS - 1;
	ck_assert(is_resumed(ctx, s));
	pair_now_ns = t0 + 2 * LIFE_NS;
	ck_assert(!is_resumed(ctx, s));
	ck_assert(!is_resumed(ctx, s));
	SSL_SESSION_free(s);
	s = ticket();
	ck_assert(is_resumed(ctx, s));
	SSL_SESSION_free(s);
}
END_TEST

// Keys of two periods differ in every part, and no two parts are alike.
START_TEST(keys_differ) {
	static struct tls_ticket_key seen[4];

	for (int i = 0; i < 4; i++) {
		pair_now_ns = (uint64_t)(20 + i) * LIFE_NS;
		SSL_SESSION_free(ticket());
		seen[i] = ctx->ticket_keys[(20 + i) % 2];
		ck_assert_int_ne(memcmp(seen[i].cipher, seen[i].mac, 32), 0);
		ck_assert_int_ne(memcmp(seen[i].cipher, seen[i].name, 16), 0);
		for (int k = 0; k < i; k++) {
			ck_assert_int_ne(memcmp(seen[i].name, seen[k].name, 16), 0);
			ck_assert_int_ne(memcmp(seen[i].cipher, seen[k].cipher, 32), 0);
			ck_assert_int_ne(memcmp(seen[i].mac, seen[k].mac, 32), 0);
		}
	}
}
END_TEST

// Another worker, or gateway, with the same secret takes it, though it started at another time; one
// with another secret does not.
START_TEST(elsewhere) {
	struct tls_ctx *same = worker(SECRET, 0);
	struct tls_ctx *later = worker(SECRET, 7 * LIFE_NS);
	struct tls_ctx *other = worker("another secret of 32 bytes, yes!", 0);
	SSL_SESSION *s = ticket();

	ck_assert(is_resumed(same, s));
	ck_assert(!is_resumed(later, s)); // its clock says so
	ck_assert(!is_resumed(other, s));
	tls_ctx_free(later);
	later = worker(SECRET, 7 * LIFE_NS);
	pair_now_ns -= 7 * LIFE_NS;
	ck_assert(is_resumed(later, s));
	SSL_SESSION_free(s);
	tls_ctx_free(same);
	tls_ctx_free(later);
	tls_ctx_free(other);
}
END_TEST

// A ClientHello with a ticket, one bit of which is bent (its key's name, its IV, its content, its
// MAC), or which is cut: the handshake is full. The client does not notice: its binder is over the
// bytes it sent, so the server must not get that far.
START_TEST(forged) {
	SSL_SESSION *s = ticket();
	const unsigned char *t;
	size_t len, n_tried = 0;
	uint8_t buf[4096];

	SSL_SESSION_get0_ticket(s, &t, &len);
	ck_assert_uint_gt(len, 16 + 16 + 32);
	for (size_t at = 0; at < len; at += at < 32 || at + 33 > len ? 1 : 16) {
		struct pair *p = pair_new(ctx, client);
		int n, rc;
		uint8_t *found;

		ck_assert_int_eq(SSL_set_session(p->client, s), 1);
		(void)SSL_do_handshake(p->client);
		n = BIO_read(SSL_get_wbio(p->client), buf, sizeof(buf));
		found = memmem(buf, (size_t)n, t, len);
		ck_assert_ptr_nonnull(found);
		found[at] ^= 1 << (at % 8);
		rc = pair_input(p, rg_slice(buf, (size_t)n));
		ck_assert_msg(rc == RG_OK, "byte %zu: %d", at, rc);
		ck_assert_uint_gt(p->n_cipher, 600); // with a certificate
		n_tried++;
		pair_free(p);
	}
	ck_assert_uint_gt(n_tried, 64);
	SSL_SESSION_free(s);
}
END_TEST

// Resumed, the server sends neither certificate nor signature.
START_TEST(shorter) {
	SSL_SESSION *s = ticket();
	struct pair *p = pair_new(ctx, client);

	ck_assert_int_eq(SSL_set_session(p->client, s), 1);
	(void)SSL_do_handshake(p->client);
	pair_to_server(p);
	ck_assert_uint_lt(p->n_cipher, 400);
	pair_free(p);
	SSL_SESSION_free(s);
}
END_TEST

int main(void) {
	Suite *s = suite_create("tls_tickets");
	TCase *t = tcase_create("tickets");
	SRunner *r = srunner_create(s);
	int failed;

	alloc_init();
	make_pair("a", false, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, resumes, 0, 3);
	tcase_add_test(t, no_early_data);
	tcase_add_test(t, rotation);
	tcase_add_test(t, keys_differ);
	tcase_add_test(t, elsewhere);
	tcase_add_test(t, forged);
	tcase_add_test(t, shorter);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	tmp_remove();
	return failed != 0;
}
