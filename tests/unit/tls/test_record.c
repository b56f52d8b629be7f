// SPDX-License-Identifier: BSD-3-Clause
// The record layer against records made by hand, for each suite and engine: known answers, every
// size and cut, what is refused and with which alert, limits. And that an established connection
// allocates nothing.
#include <check.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "guard.h"
#include "malloc_count.h"
#include "peer.h"
#include "regate/err.h"
#include "wire.h"

static struct tls_ctx *ctx;
static uint8_t rec[WIRE_MAX], zeroes[WIRE_MAX];

static void setup(void) {
	char err[256];

	ctx = ctx_new(tmp_path("a.crt"), tmp_path("a.key"), err, sizeof(err));
	ck_assert_msg(ctx != NULL, "%s", err);
}

// However a test went, nothing may be left of it.
static void teardown(void) {
	ck_assert_uint_eq(ctx->free_partials.n_free, TLS_MAX_PARTIAL);
	for (int i = 0; i < TLS_N_SOURCES; i++)
		ck_assert_uint_eq(ctx->partial_quota.n[0][i] + ctx->partial_quota.n[1][i], 0);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	tls_ctx_free(ctx);
}

static size_t seal(struct wire *w, uint8_t type, struct rg_slice d, size_t n_padding) {
	return wire_seal(&w->keys[TLS_RD], type, d, n_padding, rec);
}

// RFC 8448 section 3: the client's and the server's application data.
START_TEST(rfc8448) {
	static const char client_secret[] =
		"9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
	static const char server_secret[] =
		"a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
	static const char client_record[] =
		"1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b39"
		"5bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4";
	static const char server_record[] =
		"17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6df"
		"fc602dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d";
	struct wire *w = wire_new(ctx, _i * TLS_N_SUITES);
	struct tls_handshake h = {0};
	struct rg_slice want;

	memcpy(h.secret[TLS_RD], guard_hex(client_secret).p, 32);
	memcpy(h.secret[TLS_WR], guard_hex(server_secret).p, 32);
	ck_assert(tls_keys_init(ctx, w->server, &h));
	ck_assert_mem_eq(w->server->key[TLS_RD], guard_hex("17422dda596ed5d9acd890e3c63f5051").p,
			 16);
	ck_assert_mem_eq(w->server->iv[TLS_RD], guard_hex("5b78923dee08579033e523d9").p, 12);
	ck_assert_mem_eq(w->server->key[TLS_WR], guard_hex("9f02283b6c9c07efc26bb9f2ac92e356").p,
			 16);
	ck_assert_mem_eq(w->server->iv[TLS_WR], guard_hex("cf782b88dd83549aadf1e984").p, 12);
	want = guard_hex(client_record);
	ck_assert_int_eq(wire_input(w, want.p, want.len), RG_OK);
	ck_assert_uint_eq(w->n_plain, 50);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(w->plain[i], i);
	w->server->seq[TLS_WR] = 1; // a ticket went before
	ck_assert_int_eq(wire_output(w, w->plain, 50), RG_OK);
	want = guard_hex(server_record);
	ck_assert_uint_eq(w->n_cipher, want.len);
	ck_assert_mem_eq(w->cipher, want.p, want.len);
	wire_free(w);
}
END_TEST

START_TEST(sizes) {
	static uint8_t data[TLS_MAX_PLAIN];
	struct wire *w = wire_new(ctx, _i);
	struct rg_slice d;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	for (size_t n = 1; n <= TLS_MAX_PLAIN; n += n < 300 || n > 16350 ? 1 : 193) {
		const struct tls_sink sink = wire_sink(w);
		size_t len = seal(w, 23, rg_slice(data, n), 0);
		struct rg_slice in =
			n % 8 == 0 || n < 300 ? guard_copy(rg_slice(rec, len)) : rg_slice(rec, len);

		w->n_plain = 0;
		ck_assert_int_eq(tls_input(ctx, w->server, in, &sink), RG_OK);
		ck_assert_uint_eq(w->n_plain, n);
		ck_assert_mem_eq(w->plain, data, n);
		ck_assert_int_eq(wire_output(w, data, n), RG_OK);
		ck_assert_uint_le(w->n_cipher, tls_sealed_len(n));
		ck_assert_int_eq(wire_next(w, &d), 23);
		ck_assert(rg_eq(d, rg_slice(data, n)));
	}
	ck_assert_int_eq(wire_output(w, data, 0), RG_OK);
	ck_assert_uint_eq(w->n_cipher, 0);
	wire_free(w);
}
END_TEST

START_TEST(padding) {
	static const size_t pads[] = {0,  1,  6,   7,    8,         9,        15,
				      16, 17, 255, 4096, 16384 - 5, 16384 - 4};
	struct wire *w = wire_new(ctx, _i);

	for (size_t i = 0; i < sizeof(pads) / sizeof(pads[0]); i++) {
		size_t len = seal(w, 23, RG_LIT("he\0l\0"), pads[i]);
		int rc = wire_input(w, rec, len);

		w->n_plain_calls = 0;
		if (5 + pads[i] > TLS_MAX_PLAIN) {
			ck_assert_int_eq(rc, RG_E_PROTO);
			ck_assert_int_eq(wire_alert(w), SSL_AD_RECORD_OVERFLOW);
		} else {
			ck_assert_int_eq(rc, RG_OK);
			ck_assert_uint_eq(w->n_plain, 5 * (i + 1));
			ck_assert_mem_eq(w->plain + 5 * i, "he\0l\0", 5);
		}
	}
	wire_free(w);
}
END_TEST

// Three records, one of them empty, fed in two pieces cut anywhere, or byte by byte.
START_TEST(cuts) {
	struct wire *w = wire_new(ctx, _i);
	static uint8_t all[3 * 100];
	size_t len, want = 0;

	for (size_t cut = 0; cut < 150; cut++) {
		len = wire_seal(&w->keys[TLS_RD], 23, RG_LIT("hello, hello"), 0, all);
		len += wire_seal(&w->keys[TLS_RD], 23, RG_LIT(""), 3, all + len);
		len += wire_seal(&w->keys[TLS_RD], 23, RG_LIT("goodbye"), 1, all + len);
		if (cut == 0) {
			for (size_t i = 0; i < len; i++)
				ck_assert_int_eq(wire_input(w, all + i, 1), RG_OK);
		} else {
			size_t n = cut < len ? cut : len;

			ck_assert_int_eq(wire_input(w, all, n), RG_OK);
			ck_assert_int_eq(wire_input(w, all + n, len - n), RG_OK);
		}
		want += 19;
		ck_assert_uint_eq(w->n_plain, want);
		ck_assert_mem_eq(w->plain + want - 19, "hello, hellogoodbye", 19);
		ck_assert_uint_eq(ctx->free_partials.n_free, TLS_MAX_PARTIAL);
	}
	wire_free(w);
}
END_TEST

// One bit of a record wrong, whichever: nothing of it is delivered.
START_TEST(tampered) {
	for (size_t at = 0; at < 5 + 5 + 1 + 16; at++)
		for (int bit = 0; bit < 8; bit += 7) {
			struct wire *w = wire_new(ctx, _i);
			size_t len = seal(w, 23, RG_LIT("hello"), 0);
			int rc;

			rec[at] ^= (uint8_t)(1 << bit);
			memset(rec + len, 0, 1000); // for a length that grew
			rc = wire_input(w, rec, len + 1000);
			ck_assert_uint_eq(w->n_plain, 0);
			if ((at == 3 || at == 4) && rc == RG_OK) { // waits for more
				ck_assert_uint_eq(ctx->free_partials.n_free, TLS_MAX_PARTIAL - 1);
				ck_assert_uint_eq(w->n_cipher, 0);
			} else {
				ck_assert_int_eq(rc, RG_E_PROTO);
				ck_assert_int_eq(wire_alert(w), at == 0 ? SSL_AD_UNEXPECTED_MESSAGE
								: at == 3 && bit == 7
									? SSL_AD_RECORD_OVERFLOW
									: SSL_AD_BAD_RECORD_MAC);
				ck_assert_int_eq(wire_input(w, rec, len), RG_E_PROTO);
				ck_assert_int_eq(wire_output(w, "x", 1), RG_E_STALE);
				ck_assert_uint_eq(w->n_cipher, 0);
			}
			wire_free(w);
		}
}
END_TEST

// A record again, or one left out.
START_TEST(replayed) {
	struct wire *w = wire_new(ctx, _i);
	size_t len = seal(w, 23, RG_LIT("hello"), 0);

	ck_assert_int_eq(wire_input(w, rec, len), RG_OK);
	ck_assert_int_eq(wire_input(w, rec, len), RG_E_PROTO);
	ck_assert_int_eq(wire_alert(w), SSL_AD_BAD_RECORD_MAC);
	wire_free(w);
	w = wire_new(ctx, _i);
	w->keys[TLS_RD].seq = 1;
	ck_assert_int_eq(wire_send(w, 23, RG_LIT("hello")), RG_E_PROTO);
	ck_assert_int_eq(wire_alert(w), SSL_AD_BAD_RECORD_MAC);
	wire_free(w);
}
END_TEST

static const struct {
	const char *what;
	struct rg_slice header; // these bytes and no record
	struct rg_slice inner;  // else a record with these in it
	int alert;
} refused[] = {
	{"handshake in the clear", RG_LIT("\x16\x03\x03\x00\x20"), {0}, 10},
	{"alert in the clear", RG_LIT("\x15\x03\x03\x00\x02"), {0}, 10},
	{"change_cipher_spec", RG_LIT("\x14\x03\x03\x00\x01"), {0}, 10},
	{"HTTP", RG_LIT("GET / HTTP/1.1\r\n\r\n"), {0}, 10},
	{"16641 bytes", RG_LIT("\x17\x03\x03\x41\x01"), {0}, 22},
	{"65535 bytes", RG_LIT("\x17\x03\x03\xff\xff"), {0}, 22},
	{"15 bytes", RG_LIT("\x17\x03\x03\x00\x0f"), {0}, 20},
	{"no bytes", RG_LIT("\x17\x03\x03\x00\x00"), {0}, 20},
	{"nothing inside", {0}, RG_LIT(""), 10},
	{"padding only", {0}, RG_LIT("\0\0\0\0\0\0\0\0\0\0\0"), 10},
	{"change_cipher_spec inside", {0}, RG_LIT("\x01\x14"), 10},
	{"heartbeat inside", {0}, RG_LIT("\x01\x18"), 10},
	{"type 255", {0}, RG_LIT("\xff"), 10},
	{"alert without bytes", {0}, RG_LIT("\x15"), 10},
	{"half an alert", {0}, RG_LIT("\x01\x15"), 50},
	{"two alerts", {0}, RG_LIT("\x01\x00\x01\x00\x15"), 50},
	{"handshake without bytes", {0}, RG_LIT("\x16"), 10},
	{"ClientHello", {0}, RG_LIT("\x01\x00\x00\x02\x03\x03\x16"), 10},
	{"NewSessionTicket", {0}, RG_LIT("\x04\x00\x00\x01\x00\x16"), 10},
	{"CertificateRequest", {0}, RG_LIT("\x0d\x00\x00\x01\x00\x16"), 10},
	{"Finished", {0}, RG_LIT("\x14\x00\x00\x01\x00\x16"), 10},
	{"KeyUpdate without content", {0}, RG_LIT("\x18\x00\x00\x00\x16"), 50},
	{"KeyUpdate of two bytes", {0}, RG_LIT("\x18\x00\x00\x02\x00\x00\x16"), 50},
	{"KeyUpdate of 64 KiB", {0}, RG_LIT("\x18\x01\x00\x01\x00\x16"), 50},
	{"KeyUpdate for 2", {0}, RG_LIT("\x18\x00\x00\x01\x02\x16"), 47},
	{"two KeyUpdates", {0}, RG_LIT("\x18\x00\x00\x01\x00\x18\x00\x00\x01\x00\x16"), 10},
};

START_TEST(refused_table) {
	for (int by_byte = 0; by_byte < 2; by_byte++)
		for (int combo = 0; combo < WIRE_N_COMBOS; combo++) {
			struct wire *w = wire_new(ctx, combo);
			struct rg_slice in = refused[_i].header;
			int rc = RG_OK;

			if (in.len == 0)
				in = rg_slice(rec, wire_seal_inner(&w->keys[TLS_RD],
								   refused[_i].inner, rec));
			if (by_byte == 0)
				rc = wire_input(w, in.p, in.len);
			for (size_t i = 0; by_byte == 1 && i < in.len && rc == RG_OK; i++)
				rc = wire_input(w, in.p + i, 1);
			ck_assert_msg(rc == RG_E_PROTO, "%s: %d", refused[_i].what, rc);
			rc = wire_alert(w);
			ck_assert_msg(rc == refused[_i].alert, "%s: alert %d", refused[_i].what,
				      rc);
			ck_assert_uint_eq(w->n_plain, 0);
			wire_free(w);
		}
}
END_TEST

// The largest record that a header may announce, full of content or of padding.
START_TEST(too_big) {
	struct wire *w = wire_new(ctx, _i);

	memset(rec, 1, sizeof(rec));
	ck_assert_int_eq(wire_send(w, 23, rg_slice(zeroes, TLS_MAX_PLAIN + 1)), RG_E_PROTO);
	ck_assert_int_eq(wire_alert(w), SSL_AD_RECORD_OVERFLOW);
	wire_free(w);
	w = wire_new(ctx, _i);
	ck_assert_int_eq(wire_input(w, rec, seal(w, 23, RG_LIT("x"), TLS_MAX_CIPHER - 16 - 2)),
			 RG_E_PROTO);
	ck_assert_int_eq(wire_alert(w), SSL_AD_RECORD_OVERFLOW);
	ck_assert_uint_eq(w->n_plain, 0);
	wire_free(w);
}
END_TEST

START_TEST(alerts) {
	static const struct {
		uint8_t level, alert;
		int rc;
	} table[] = {
		{1, 0, RG_E_CLOSED}, {2, 0, RG_E_CLOSED}, {1, 90, RG_OK},       {2, 90, RG_OK},
		{2, 40, RG_E_PROTO}, {1, 40, RG_E_PROTO}, {2, 255, RG_E_PROTO}, {0, 10, RG_E_PROTO},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct wire *w = wire_new(ctx, _i);
		const uint8_t alert[] = {table[i].level, table[i].alert};
		struct rg_slice d;

		ck_assert_int_eq(wire_send(w, 21, rg_slice(alert, 2)), table[i].rc);
		ck_assert_uint_eq(w->n_cipher, 0); // an alert is not answered
		ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), table[i].rc);
		ck_assert_uint_eq(w->n_plain, table[i].rc == RG_OK);
		ck_assert_int_eq(wire_output(w, "bye", 3),
				 table[i].rc == RG_E_PROTO ? RG_E_STALE : RG_OK);
		ck_assert_int_eq(wire_next(w, &d), table[i].rc == RG_E_PROTO ? -1 : 23);
		wire_free(w);
	}
}
END_TEST

// What costs us work and brings nothing: 32 in a row, then no more.
START_TEST(floods) {
	static const struct {
		uint8_t type;
		struct rg_slice d;
	} kinds[] = {{23, RG_LIT("")}, {21, RG_LIT("\x01\x5a")}};
	struct wire *w = wire_new(ctx, _i);

	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(wire_send(w, kinds[i % 2].type, kinds[i % 2].d), RG_OK);
		if (i % 32 == 31)
			ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), RG_OK);
	}
	wire_free(w);
	for (int kind = 0; kind < 2; kind++) {
		w = wire_new(ctx, _i);
		for (int i = 0; i < 32; i++)
			ck_assert_int_eq(wire_send(w, kinds[kind].type, kinds[kind].d), RG_OK);
		ck_assert_int_eq(wire_send(w, kinds[kind].type, kinds[kind].d), RG_E_PROTO);
		ck_assert_int_eq(wire_alert(w), SSL_AD_UNEXPECTED_MESSAGE);
		wire_free(w);
	}
}
END_TEST

// After our close_notify there is nothing to say, whatever the peer does (RFC 8446 6.1).
START_TEST(closed) {
	struct wire *w = wire_new(ctx, _i);
	const struct tls_sink sink = wire_sink(w);
	struct rg_slice d;

	tls_close(ctx, w->server, &sink);
	tls_close(ctx, w->server, &sink);
	ck_assert_int_eq(wire_next(w, &d), 21);
	ck_assert(rg_eq(d, RG_LIT("\x01\x00")));
	ck_assert_int_eq(wire_send_update(w, true), RG_OK);
	ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), RG_OK);
	ck_assert_int_eq(wire_output(w, "x", 1), RG_E_STALE);
	ck_assert_int_eq(wire_input(w, "GET /", 5), RG_E_PROTO);
	ck_assert_int_eq(wire_next(w, &d), -1);
	wire_free(w);
}
END_TEST

START_TEST(refusing_sink) {
	struct wire *w = wire_new(ctx, _i);

	w->n_refuse = 2; // the second record of three
	ck_assert_int_eq(wire_output(w, zeroes, WIRE_MAX), -ENOBUFS);
	ck_assert_int_eq(wire_output(w, "x", 1), RG_E_STALE);
	ck_assert_int_eq(wire_send(w, 23, RG_LIT("x")), RG_E_PROTO);
	wire_free(w);
	w = wire_new(ctx, _i);
	ck_assert_int_eq(wire_send_update(w, true), RG_OK);
	w->n_refuse = 1; // the KeyUpdate
	ck_assert_int_eq(wire_output(w, "x", 1), -ENOBUFS);
	ck_assert_uint_eq(w->n_cipher, 0);
	wire_free(w);
	w = wire_new(ctx, _i);
	w->n_refuse = 1; // the alert
	ck_assert_int_eq(wire_input(w, "GET /", 5), -ENOBUFS);
	wire_free(w);
}
END_TEST

// All buffers for partial records taken: the next that needs one is refused, others go on.
START_TEST(pool_dry) {
	struct wire *a = wire_new(ctx, _i);
	struct wire *b = wire_new(ctx, _i);
	struct wire *c = wire_new(ctx, _i);
	size_t len = seal(a, 23, RG_LIT("hello"), 0);

	ctx->free_partials.n_free = 1;
	ck_assert_int_eq(wire_input(a, rec, 7), RG_OK);
	ck_assert_uint_eq(ctx->free_partials.n_free, 0);
	ck_assert_int_eq(wire_send(b, 23, RG_LIT("whole")), RG_OK);
	ck_assert_int_eq(wire_input(b, "\x17", 1), RG_E_EXHAUSTED);
	ck_assert_int_eq(wire_input(b, "\x17", 1), RG_E_PROTO);
	ck_assert_uint_eq(b->n_cipher, 0);
	len = seal(c, 23, RG_LIT("hello"), 0);
	a->keys[TLS_RD].seq = 0;
	ck_assert_uint_eq(len, seal(a, 23, RG_LIT("hello"), 0));
	ck_assert_int_eq(wire_input(a, rec + 7, len - 7), RG_OK);
	ck_assert_uint_eq(ctx->free_partials.n_free, 1);
	ck_assert_uint_eq(a->n_plain, 5);
	ck_assert_int_eq(wire_input(c, rec, 9), RG_OK);
	ck_assert_uint_eq(ctx->free_partials.n_free, 0);
	wire_free(c); // gives its own back
	ck_assert_uint_eq(ctx->free_partials.n_free, 1);
	ctx->free_partials.n_free = TLS_MAX_PARTIAL;
	wire_free(a);
	wire_free(b);
}
END_TEST

static struct wire *wire_from(uint32_t source, int combo) {
	struct wire *w = wire_new(ctx, combo);

	w->source = source;
	return w;
}

// A source has its share of the buffers, whole records need none of it; others have theirs. Given back
// when the record is whole, and when the connection ends.
START_TEST(partial_quota) {
	const uint32_t source = 0x12300456;
	const size_t max = TLS_MAX_PARTIAL_PER_SOURCE;
	struct wire *w[TLS_MAX_PARTIAL_PER_SOURCE + 1];
	size_t len = 0;

	ctx->max_per_source = 1; // or any other: there is a limit
	for (size_t i = 0; i <= max; i++) {
		w[i] = wire_from(source, _i);
		len = seal(w[i], 23, RG_LIT("hello"), 0);
		ck_assert_int_eq(wire_input(w[i], rec, len - 1), i < max ? RG_OK : -EDQUOT);
	}
	ck_assert_int_eq(wire_input(w[max], "\x17", 1), RG_E_PROTO); // dead
	wire_free(w[max]);
	w[max] = wire_from(source, _i);
	ck_assert_int_eq(wire_send(w[max], 23, RG_LIT("whole")), RG_OK);
	w[max]->source++; // one cell in common
	ck_assert_int_eq(wire_input(w[max], "\x17", 1), RG_OK);
	wire_free(w[max]);
	ck_assert_int_eq(wire_input(w[0], rec + len - 1, 1), RG_OK); // whole: its keys are the same
	wire_free(w[0]);
	wire_free(w[1]);
	w[0] = wire_from(source, _i);
	w[1] = wire_from(source, _i);
	w[max] = wire_from(source, _i);
	ck_assert_int_eq(wire_input(w[0], "\x17", 1), RG_OK);
	ck_assert_int_eq(wire_input(w[1], "\x17", 1), RG_OK);
	ctx->max_per_source = 0;
	ck_assert_int_eq(wire_input(w[max], "\x17", 1), RG_OK);
	for (size_t i = 0; i <= max; i++)
		wire_free(w[i]);
}
END_TEST

// A partial record that turns out bad, or ends the connection, frees its buffer at once.
START_TEST(partial_fails) {
	struct wire *w = wire_new(ctx, _i);
	size_t len = seal(w, 23, RG_LIT("hello"), 0);

	rec[len - 1] ^= 1;
	ck_assert_int_eq(wire_input(w, rec, 10), RG_OK);
	ck_assert_int_eq(wire_input(w, rec + 10, len - 10), RG_E_PROTO);
	ck_assert_uint_eq(ctx->free_partials.n_free, TLS_MAX_PARTIAL);
	wire_free(w);
	w = wire_new(ctx, _i);
	ck_assert_int_eq(wire_input(w, "\x17\x03", 2), RG_OK);
	ck_assert_int_eq(wire_input(w, "\x03\xff\xff", 3), RG_E_PROTO);
	ck_assert_uint_eq(ctx->free_partials.n_free, TLS_MAX_PARTIAL);
	wire_free(w);
}
END_TEST

// 1000 records each way, some in pieces, without one allocation by anybody.
START_TEST(no_allocation) {
	static uint8_t records[1000][700];
	static uint8_t answer[618];
	struct wire *w = wire_new(ctx, _i);
	const struct tls_sink sink = wire_sink(w);
	size_t len = 0;
	long calls, openssl;

	for (int i = 0; i < 1000; i++)
		len = wire_seal(&w->keys[TLS_RD], 23, rg_slice(zeroes, 600), 0, records[i]);
	calls = malloc_calls();
	OPENSSL_free(OPENSSL_malloc(1)); // does the counter count?
	calls = malloc_calls() - calls;
	ck_assert_int_eq(calls, 1);
	calls = malloc_calls();
	openssl = alloc_calls();
	for (int i = 0; i < 1000; i++) {
		size_t cut = i % 3 == 0 ? (size_t)i % len : len;

		w->n_cipher = w->n_plain = 0;
		if (tls_input(ctx, w->server, rg_slice(records[i], cut), &sink) != RG_OK ||
		    tls_input(ctx, w->server, rg_skip(rg_slice(records[i], len), cut), &sink) !=
			    RG_OK ||
		    tls_write(ctx, w->server, rg_slice(answer, sizeof(answer)), &sink) != RG_OK ||
		    w->n_plain != 600)
			ck_abort();
	}
	calls = malloc_calls() - calls;
	ck_assert_int_eq(calls, 0);
	ck_assert_int_eq(alloc_calls(), openssl);
	wire_free(w);
}
END_TEST

int main(void) {
	const TTest *const each[] = {
		sizes,    padding,       cuts,          tampered,      replayed,
		too_big,  alerts,        floods,        closed,        refusing_sink,
		pool_dry, partial_quota, partial_fails, no_allocation,
	};
	Suite *s = suite_create("tls_record");
	TCase *t = tcase_create("record");
	SRunner *r = srunner_create(s);
	int failed;

	alloc_init();
	make_pair("a", false, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, rfc8448, 0, 2);
	tcase_add_loop_test(t, refused_table, 0, sizeof(refused) / sizeof(refused[0]));
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		tcase_add_loop_test(t, each[i], 0, WIRE_N_COMBOS);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	tmp_remove();
	return failed != 0;
}
