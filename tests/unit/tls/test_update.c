// SPDX-License-Identifier: BSD-3-Clause
// KeyUpdates in every order from both sides, in pieces, in floods; the end of a key and of its
// numbers; and a change of keys without memory. Records made by hand, each suite and engine.
#include <check.h>
#include <errno.h>
#include <openssl/err.h>

#include "peer.h"
#include "regate/err.h"
#include "wire.h"

static struct tls_ctx *ctx;

static void setup(void) {
	char err[256];

	ctx = ctx_new(tmp_path("a.crt"), tmp_path("a.key"), err, sizeof(err));
	ck_assert_msg(ctx != NULL, "%s", err);
}

static void teardown(void) {
	ck_assert_uint_eq(ctx->free_partials.n_free, TLS_MAX_PARTIAL);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	tls_ctx_free(ctx);
}

// Reads one record of data, behind a KeyUpdate if there has to be one.
static void read_data(struct wire *w, bool is_update) {
	struct rg_slice d;

	if (is_update) {
		ck_assert_int_eq(wire_next(w, &d), 22);
		ck_assert(rg_eq(d, RG_LIT("\x18\0\0\x01\0")));
		wire_update(&w->keys[TLS_WR]);
	}
	ck_assert_int_eq(wire_next(w, &d), 23);
	ck_assert(rg_eq(d, RG_LIT("world")));
	ck_assert_uint_eq(w->n_cipher, 0);
}

// Every sequence of five steps: the client updates, asks for an update, sends; the server sends,
// comes to the end of its key.
START_TEST(update_orders) {
	for (unsigned order = 0; order < 5 * 5 * 5 * 5 * 5; order += _i == 0 ? 1 : 17) {
		struct wire *w = wire_new(ctx, _i);
		bool is_due = false;

		for (unsigned step = 0, rest = order; step < 5; step++, rest /= 5)
			switch (rest % 5) {
			case 0:
			case 1:
				ck_assert_int_eq(wire_send_update(w, rest % 5 == 1), RG_OK);
				ck_assert_uint_eq(w->n_cipher, 0);
				is_due = is_due || rest % 5 == 1;
				break;
			case 2:
				w->n_plain = 0;
				ck_assert_int_eq(wire_send(w, 23, RG_LIT("hello")), RG_OK);
				ck_assert(rg_eq(rg_slice(w->plain, w->n_plain), RG_LIT("hello")));
				break;
			case 3:
				ck_assert_int_eq(wire_output(w, "world", 5), RG_OK);
				read_data(w, is_due);
				is_due = false;
				break;
			default:
				w->server->seq[TLS_WR] = TLS_MAX_SEALED;
				w->keys[TLS_WR].seq = TLS_MAX_SEALED;
				is_due = true;
				break;
			}
		wire_free(w);
	}
}
END_TEST

// RFC 8446 5.5: our key never seals more than it may. The room that a user asks for suffices.
START_TEST(key_ends) {
	static uint8_t data[3 * TLS_MAX_PLAIN];
	struct wire *w = wire_new(ctx, _i);
	struct rg_slice d;

	ck_assert_uint_lt(TLS_MAX_SEALED, 1 << 24);
	w->server->seq[TLS_WR] = w->keys[TLS_WR].seq = TLS_MAX_SEALED - 1;
	ck_assert_int_eq(wire_output(w, data, sizeof(data)), RG_OK);
	ck_assert_uint_le(w->n_cipher, tls_sealed_len(sizeof(data)));
	ck_assert_int_eq(wire_next(w, &d), 23);
	ck_assert_int_eq(wire_next(w, &d), 22);
	wire_update(&w->keys[TLS_WR]);
	ck_assert_int_eq(wire_next(w, &d), 23);
	ck_assert_int_eq(wire_next(w, &d), 23);
	ck_assert_int_eq(wire_next(w, &d), -1);
	ck_assert_uint_eq(w->server->seq[TLS_WR], 2);
	wire_free(w);
}
END_TEST

START_TEST(sequence_ends) {
	struct wire *w = wire_new(ctx, _i);

	w->server->seq[TLS_RD] = w->keys[TLS_RD].seq = UINT32_MAX - 1;
	ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), RG_OK);
	ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), RG_E_PROTO);
	ck_assert_int_eq(wire_alert(w), SSL_AD_INTERNAL_ERROR);
	wire_free(w);
	w = wire_new(ctx, _i); // all bytes of the number matter
	w->server->seq[TLS_RD] = w->keys[TLS_RD].seq = 0x01234567;
	ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), RG_OK);
	wire_free(w);
}
END_TEST

START_TEST(update_flood) {
	struct wire *w = wire_new(ctx, _i);

	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(wire_send_update(w, true), RG_OK);
		if (i % 16 == 15)
			ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), RG_OK);
	}
	ck_assert_int_eq(wire_output(w, "world", 5), RG_OK); // one answer for all
	read_data(w, true);
	wire_free(w);
	w = wire_new(ctx, _i);
	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(wire_send_update(w, false), RG_OK);
	ck_assert_int_eq(wire_send_update(w, false), RG_E_PROTO);
	ck_assert_int_eq(wire_alert(w), SSL_AD_UNEXPECTED_MESSAGE);
	wire_free(w);
}
END_TEST

// RFC 8446 5.1: a message may be spread over records, but nothing may come between them.
START_TEST(update_in_pieces) {
	static const uint8_t message[] = {0x18, 0, 0, 1, 1};
	struct wire *w = wire_new(ctx, _i);

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(wire_send(w, 22, rg_slice(message + i, 1)), RG_OK);
	wire_update(&w->keys[TLS_RD]);
	ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), RG_OK);
	ck_assert_int_eq(wire_output(w, "world", 5), RG_OK);
	read_data(w, true);
	wire_free(w);
	for (uint8_t type = 21; type <= 23; type += 2)
		for (size_t n = 1; n < 5; n++) {
			w = wire_new(ctx, _i);
			ck_assert_int_eq(wire_send(w, 22, rg_slice(message, n)), RG_OK);
			ck_assert_int_eq(wire_send(w, type, RG_LIT("\x01\x00")), RG_E_PROTO);
			ck_assert_int_eq(wire_alert(w), SSL_AD_UNEXPECTED_MESSAGE);
			ck_assert_uint_eq(w->n_plain, 0);
			wire_free(w);
		}
}
END_TEST

// Each allocation of a change of keys fails once: the connection ends, nothing else does.
START_TEST(update_without_memory) {
	struct wire *w = wire_new(ctx, _i);
	long before, n;
	int rc;

	ck_assert_int_eq(wire_send_update(w, true), RG_OK);
	before = alloc_calls();
	ck_assert_int_eq(wire_output(w, "world", 5), RG_OK);
	n = alloc_calls() - before;
	ck_assert_int_gt(n, 0);
	wire_free(w);
	for (long at = 1; at <= n; at++) {
		w = wire_new(ctx, _i);
		w->server->is_update_due = true;
		alloc_fail_at(at);
		rc = wire_output(w, "world", 5);
		alloc_fail_at(0);
		ck_assert_msg(rc == -ENOMEM, "%ld of %ld: %d", at, n, rc);
		ck_assert_int_eq(wire_output(w, "world", 5), RG_E_STALE);
		ck_assert_uint_eq(ERR_peek_error(), 0);
		wire_free(w);
		w = wire_new(ctx, _i); // the context is as good as new
		ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), RG_OK);
		ck_assert_int_eq(wire_send_update(w, true), RG_OK);
		ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), RG_OK);
		wire_free(w);
	}
}
END_TEST

// What the worker's HMAC still holds as its key.
static void hmac_of_kept_key(enum tls_hash hash, const uint8_t *key, uint8_t md[48]) {
	EVP_MAC_CTX *m = ctx->crypt->hmac[hash];
	size_t len;

	memset(md, 0, 48);
	ck_assert_int_eq(EVP_MAC_init(m, key, key == NULL ? 0 : tls_hash_len(hash), NULL), 1);
	ck_assert_int_eq(EVP_MAC_update(m, (const uint8_t *)"x", 1), 1);
	ck_assert_int_eq(EVP_MAC_final(m, md, &len, 48), 1);
}

START_TEST(forgets) {
	static const uint8_t zero[TLS_MAX_SECRET];
	struct wire *w = wire_new(ctx, _i);
	enum tls_hash hash = ctx->crypt->aeads[w->server->suite].hash;
	uint8_t kept[48], want[48];

	hmac_of_kept_key(hash, NULL, kept); // of the first keys
	hmac_of_kept_key(hash, zero, want);
	ck_assert_mem_eq(kept, want, 48);
	ck_assert_int_eq(wire_send_update(w, true), RG_OK);
	hmac_of_kept_key(hash, NULL, kept);
	ck_assert_mem_eq(kept, want, 48);
	wire_free(w);
}
END_TEST

int main(void) {
	const TTest *const each[] = {
		update_orders,         key_ends, sequence_ends, update_flood, update_in_pieces,
		update_without_memory, forgets,
	};
	Suite *s = suite_create("tls_update");
	TCase *t = tcase_create("update");
	SRunner *r = srunner_create(s);
	int failed;

	alloc_init();
	make_pair("a", false, NULL);
	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		tcase_add_loop_test(t, each[i], 0, WIRE_N_COMBOS);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	tmp_remove();
	return failed != 0;
}
