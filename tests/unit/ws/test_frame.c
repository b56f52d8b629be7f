// SPDX-License-Identifier: BSD-3-Clause
// Frames in: each stream is fed at once, byte by byte and in odd cuts, through a buffer that ends
// against a guard page, and must give the same events. Frames out: headers and close frames.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "ws/ws.h"

#define CAP (WS_MAX_MESSAGE + 4096)

static const struct ws_limits limits = {WS_MAX_MESSAGE, WS_MAX_FRAGMENTS};

struct feed {
	struct ws_rx rx;
	uint8_t *end; // of the buffer, at the guard page
	uint8_t held[CAP];
	size_t n_held;
	char log[65536]; // what happened, as text
	size_t n_log;
	int rc; // RG_MORE, or how it failed
};

static struct feed *feed_new(void) {
	static const uint8_t zero[CAP];
	struct feed *f = calloc(1, sizeof(*f));
	struct rg_slice s = guard_copy(rg_slice(zero, CAP));

	f->end = (uint8_t *)(uintptr_t)s.p + CAP;
	f->rc = RG_MORE;
	return f;
}

static void log_event(struct feed *f, const struct ws_event *ev) {
	static const char *const names[] = {"message", "ping", "pong", "close"};
	size_t room = sizeof(f->log) - f->n_log;
	int n = snprintf(f->log + f->n_log, room, "%s %u %u %zu ", names[ev->type], ev->opcode,
			 ev->close_code, ev->data.len);
	struct rg_wr w;

	ck_assert((size_t)n < room);
	f->n_log += (size_t)n;
	w = rg_wr(f->log + f->n_log, sizeof(f->log) - f->n_log);
	rg_put_hex(&w, ev->data);
	rg_putc(&w, '\n');
	ck_assert(!w.overflow);
	f->n_log += w.len;
}

// Gives the engine n more bytes, as a caller does.
static void feed_bytes(struct feed *f, const uint8_t *p, size_t n) {
	ck_assert_uint_le(f->n_held + n, CAP);
	memcpy(f->held + f->n_held, p, n);
	f->n_held += n;
	while (f->rc >= RG_OK) {
		uint8_t *buf = f->end - f->n_held;
		struct ws_event ev;

		memcpy(buf, f->held, f->n_held);
		f->rc = ws_input(&f->rx, &limits, buf, f->n_held, &ev);
		if (f->rc < RG_OK)
			break;
		if (f->rc == RG_OK)
			log_event(f, &ev);
		if (ev.keep + ev.drop > f->n_held)
			ck_abort_msg("removes more than there is");
		memcpy(f->held, buf, ev.keep);
		memcpy(f->held + ev.keep, buf + ev.keep + ev.drop, f->n_held - ev.keep - ev.drop);
		f->n_held -= ev.drop;
		if (f->rc == RG_MORE)
			break;
	}
}

// Feeds s in cuts of `cut` bytes.
static struct feed *feed_all(struct rg_slice s, size_t cut) {
	struct feed *f = feed_new();

	while (s.len > 0 && f->rc >= RG_OK) {
		size_t n = s.len < cut ? s.len : cut;

		feed_bytes(f, s.p, n);
		s = rg_skip(s, n);
	}
	return f;
}

static void check_feed(struct rg_slice s, const char *log, int rc, const char *name) {
	static const size_t cuts[] = {SIZE_MAX, 1, 2, 3, 7, 100};

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct feed *f = feed_all(s, s.len > 4000 && cuts[i] > 4000 ? 4000 : cuts[i]);

		ck_assert_msg(f->rc == rc, "%s by %zu: %d", name, cuts[i], f->rc);
		if (strcmp(f->log, log) != 0)
			ck_abort_msg("%s by %zu:\n%s", name, cuts[i], f->log);
		free(f);
	}
}

// Mask key 00000000 leaves payloads readable; the random test below uses real ones.
#define K "00000000"

static const struct {
	const char *name, *hex, *log;
	int rc;
} streams[] = {
	{"nothing", "", "", RG_MORE},
	{"RFC 6455 5.7: masked Hello", "8185 37fa213d 7f9f4d5158", "message 1 0 5 48656c6c6f\n",
	 RG_MORE},
	{"empty text", "8180" K, "message 1 0 0 \n", RG_MORE},
	{"binary with any bytes", "8283" K "ff00fe", "message 2 0 3 ff00fe\n", RG_MORE},
	{"two messages", "8181" K "61 8181" K "62", "message 1 0 1 61\nmessage 1 0 1 62\n",
	 RG_MORE},
	{"fragments", "0181" K "61 0081" K "62 8081" K "63 8181" K "64",
	 "message 1 0 3 616263\nmessage 1 0 1 64\n", RG_MORE},
	{"empty fragments", "0280" K "0080" K "8080" K, "message 2 0 0 \n", RG_MORE},
	{"control between fragments",
	 "0182" K "6162 8981" K "70 0081" K "63 8a80" K "8981" K "71 8081" K "64",
	 "ping 0 0 1 70\npong 0 0 0 \nping 0 0 1 71\nmessage 1 0 4 61626364\n", RG_MORE},
	{"character over two fragments", "0181" K "c3 8081" K "a4", "message 1 0 2 c3a4\n",
	 RG_MORE},
	{"open message", "0181" K "61 0081" K "62", "", RG_MORE},
	{"ping", "8980" K, "ping 0 0 0 \n", RG_MORE},
	{"pong", "8a81" K "ff", "pong 0 0 1 ff\n", RG_MORE},
	{"close", "8880" K, "close 0 1005 0 \n", RG_MORE},
	{"close 1000", "8882" K "03e8", "close 0 1000 0 \n", RG_MORE},
	{"close with reason", "8884" K "03e9 6869", "close 0 1001 2 6869\n", RG_MORE},
	{"close 3000", "8882" K "0bb8", "close 0 3000 0 \n", RG_MORE},
	{"close 4999", "8882" K "1387", "close 0 4999 0 \n", RG_MORE},
	{"close 1014", "8882" K "03f6", "close 0 1014 0 \n", RG_MORE},
	{"close 1003", "8882" K "03eb", "close 0 1003 0 \n", RG_MORE},
	{"close 1007", "8882" K "03ef", "close 0 1007 0 \n", RG_MORE},
	{"close in a message", "0181" K "61 8880" K, "close 0 1005 0 \n", RG_MORE},
	{"anything after close", "8880" K "ff ff 8180" K, "close 0 1005 0 \n", RG_MORE},
	{"open message, close, more", "0181" K "61 8880" K "8081" K "62", "close 0 1005 0 \n",
	 RG_MORE},
	{"not masked", "8101", "", RG_E_PROTO},
	{"control not masked", "8900", "", RG_E_PROTO},
	{"RSV1", "c1", "", RG_E_PROTO},
	{"RSV2", "a1", "", RG_E_PROTO},
	{"RSV3", "91", "", RG_E_PROTO},
	{"opcode 3", "83", "", RG_E_PROTO},
	{"opcode 7", "87", "", RG_E_PROTO},
	{"opcode 11", "8b", "", RG_E_PROTO},
	{"opcode 15", "8f", "", RG_E_PROTO},
	{"continuation of nothing", "80", "", RG_E_PROTO},
	{"continuation of a whole message", "8180" K "80", "message 1 0 0 \n", RG_E_PROTO},
	{"text in a message", "0180" K "81", "", RG_E_PROTO},
	{"binary in a message", "0180" K "02", "", RG_E_PROTO},
	{"fragmented ping", "09", "", RG_E_PROTO},
	{"fragmented close", "08", "", RG_E_PROTO},
	{"fragmented pong", "0a", "", RG_E_PROTO},
	{"long ping", "89fe", "", RG_E_PROTO},
	{"very long close", "88ff", "", RG_E_PROTO},
	{"16-bit length not minimal", "82fe007d", "", RG_E_PROTO},
	{"64-bit length not minimal", "82ff000000000000ffff", "", RG_E_PROTO},
	{"length 2^63", "82ff8000000000000000", "", RG_E_PROTO},
	{"length 2^64 - 1", "82ffffffffffffffffff", "", RG_E_PROTO},
	{"length 2^63 - 1", "82ff7fffffffffffffff", "", RG_E_LIMIT},
	{"length 65536", "82ff0000000000010000", "", RG_E_LIMIT},
	{"length 8193", "82fe2001", "", RG_E_LIMIT},
	{"fragment that makes it 8193", "0182" K "6161 80fe1fff", "", RG_E_LIMIT},
	{"bad text", "8181" K "ff", "", RG_E_UTF8},
	{"bad text in fragments", "0181" K "c3 8081" K "c3", "", RG_E_UTF8},
	{"bad text in the first of three fragments", "0181" K "ff", "", RG_E_UTF8},
	{"bad text in the middle of a frame", "81fe0400" K "6162ff", "", RG_E_UTF8},
	{"bad third byte in the middle of a frame", "818a" K "61f09041", "", RG_E_UTF8},
	{"bad second byte in the middle of a frame", "818a" K "61eda0", "", RG_E_UTF8},
	{"bad character over three fragments", "0181" K "f4 0081" K "90", "", RG_E_UTF8},
	{"cut character at the end", "8183" K "61e282", "", RG_E_UTF8},
	{"cut character at the end of fragments", "0181" K "61 8082" K "e282", "", RG_E_UTF8},
	{"cut character, empty last fragment", "0181" K "e2 8080" K, "", RG_E_UTF8},
	{"character over four frames",
	 "0181" K "f0 0081" K "9f 8981" K "70 0081" K "98 8081" K "80",
	 "ping 0 0 1 70\nmessage 1 0 4 f09f9880\n", RG_MORE},
	{"bad text in binary is fine", "0281" K "ff 8081" K "fe", "message 2 0 2 fffe\n", RG_MORE},
	{"text after binary", "0281" K "ff 8080" K "0181" K "61 8080" K,
	 "message 2 0 1 ff\nmessage 1 0 1 61\n", RG_MORE},
	{"mask over cuts", "0185 01020304 69676f686e 8082 0a0b0c0d 6b69",
	 "message 1 0 7 68656c6c6f6162\n", RG_MORE},
	{"surrogate", "8183" K "eda080", "", RG_E_UTF8},
	{"close of 1 byte", "8881" K "03", "", RG_E_PROTO},
	{"close 999", "8882" K "03e7", "", RG_E_PROTO},
	{"close 0", "8882" K "0000", "", RG_E_PROTO},
	{"close 1004", "8882" K "03ec", "", RG_E_PROTO},
	{"close 1005", "8882" K "03ed", "", RG_E_PROTO},
	{"close 1006", "8882" K "03ee", "", RG_E_PROTO},
	{"close 1015", "8882" K "03f7", "", RG_E_PROTO},
	{"close 2999", "8882" K "0bb7", "", RG_E_PROTO},
	{"close 5000", "8882" K "1388", "", RG_E_PROTO},
	{"close with bad text", "8883" K "03e8 ff", "", RG_E_UTF8},
};

START_TEST(stream_table) {
	check_feed(guard_hex(streams[_i].hex), streams[_i].log, streams[_i].rc, streams[_i].name);
}
END_TEST

// A masked frame into w.
static void put_frame(struct rg_wr *w, bool is_fin, enum ws_opcode op, struct rg_slice d,
		      uint32_t key) {
	uint8_t k[4];

	memcpy(k, &key, 4);
	rg_putc(w, (char)((is_fin ? 0x80 : 0) | op));
	if (d.len < 126) {
		rg_putc(w, (char)(0x80 | d.len));
	} else {
		rg_putc(w, (char)(0x80 | 126));
		rg_put_be(w, d.len, 2);
	}
	rg_put(w, rg_slice(k, 4));
	for (size_t i = 0; i < d.len; i++)
		rg_putc(w, (char)(d.p[i] ^ k[i & 3]));
	ck_assert(!w->overflow);
}

START_TEST(sizes) {
	static const size_t lens[] = {1, 125, 126, 127, 1000, WS_MAX_MESSAGE};
	static uint8_t data[WS_MAX_MESSAGE], stream[CAP];
	struct rg_wr w = rg_wr(stream, sizeof(stream));
	static char log[65536];
	size_t n = 0;
	struct rg_wr hex;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	put_frame(&w, true, WS_BINARY, rg_slice(data, lens[_i]), 0x9c35f1a7);
	n = (size_t)snprintf(log, sizeof(log), "message 2 0 %zu ", lens[_i]);
	hex = rg_wr(log + n, sizeof(log) - n);
	rg_put_hex(&hex, rg_slice(data, lens[_i]));
	rg_put(&hex, rg_slice("\n", 2));
	check_feed(rg_wr_slice(&w), log, RG_MORE, "size");
}
END_TEST

START_TEST(fragment_cap) {
	uint8_t stream[512];
	struct rg_wr w = rg_wr(stream, sizeof(stream));

	put_frame(&w, false, WS_BINARY, RG_LIT("a"), 1);
	for (int i = 2; i < WS_MAX_FRAGMENTS; i++)
		put_frame(&w, false, WS_CONT, RG_LIT("a"), 1);
	put_frame(&w, true, WS_CONT, RG_LIT("a"), 1);
	check_feed(rg_wr_slice(&w), "message 2 0 16 61616161616161616161616161616161\n", RG_MORE,
		   "16 fragments");
	stream[w.len - 7] &= 0x7f; // the last is no longer the last
	check_feed(rg_wr_slice(&w), "", RG_MORE, "16 fragments, none of them the last");
	rg_putc(&w, (char)0x80);
	check_feed(rg_wr_slice(&w), "", RG_E_LIMIT, "17 fragments");
	w.len--;
	put_frame(&w, true, WS_PING, RG_LIT(""), 1);
	check_feed(rg_wr_slice(&w), "ping 0 0 0 \n", RG_MORE, "a ping is no fragment");
}
END_TEST

// Fills the message to its limit by fragments, the last of them empty.
START_TEST(message_cap) {
	static uint8_t data[WS_MAX_MESSAGE], stream[CAP];
	struct rg_wr w = rg_wr(stream, sizeof(stream));
	struct feed *f;

	put_frame(&w, false, WS_BINARY, rg_slice(data, 8000), 1);
	put_frame(&w, false, WS_CONT, rg_slice(data, 192), 1);
	f = feed_all(rg_wr_slice(&w), 50);
	ck_assert_int_eq(f->rc, RG_MORE);
	ck_assert_uint_eq(f->rx.msg_len, WS_MAX_MESSAGE);
	feed_bytes(f, (const uint8_t *)"\x80\x81", 2);
	ck_assert_int_eq(f->rc, RG_E_LIMIT); // one byte announced, none there
	free(f);
	put_frame(&w, true, WS_CONT, rg_slice(data, 0), 1);
	f = feed_all(rg_wr_slice(&w), 50);
	ck_assert_int_eq(f->rc, RG_MORE);
	ck_assert_msg(rg_is_prefix(rg_str(f->log), RG_LIT("message 2 0 8192 00")), "%.40s", f->log);
	free(f);
}
END_TEST

static uint32_t next_random(uint64_t *seed) {
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

// Random messages, cut into random fragments with pings between them, and what must come out.
START_TEST(random_streams) {
	uint64_t seed = (uint64_t)_i * 1000003 + 1;
	static uint8_t stream[CAP], data[512];
	static char log[65536];
	struct rg_wr w = rg_wr(stream, sizeof(stream));
	struct rg_wr l = rg_wr(log, sizeof(log) - 1);
	char line[64];

	memset(log, 0, sizeof(log));
	for (int m = 0; m < 6; m++) {
		size_t len = next_random(&seed) % (m == 3 ? sizeof(data) : 40);
		unsigned n_frames = 1 + next_random(&seed) % 6;
		size_t done = 0;

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)next_random(&seed);
		for (unsigned i = 0; i < n_frames; i++) {
			size_t n = i + 1 == n_frames ? len - done
						     : next_random(&seed) % (len - done + 1);

			put_frame(&w, i + 1 == n_frames, i == 0 ? WS_BINARY : WS_CONT,
				  rg_slice(data + done, n), next_random(&seed));
			done += n;
			if (i + 1 < n_frames && next_random(&seed) % 2 == 0) {
				put_frame(&w, true, WS_PING, RG_LIT("!"), next_random(&seed));
				rg_puts(&l, "ping 0 0 1 21\n");
			}
		}
		snprintf(line, sizeof(line), "message 2 0 %zu ", len);
		rg_puts(&l, line);
		rg_put_hex(&l, rg_slice(data, len));
		rg_puts(&l, "\n");
	}
	ck_assert(!w.overflow && !l.overflow);
	check_feed(rg_wr_slice(&w), log, RG_MORE, "random");
}
END_TEST

START_TEST(headers_out) {
	static const struct {
		size_t len;
		enum ws_opcode op;
		const char *hex;
	} out[] = {
		{0, WS_PING, "8900"},         {5, WS_TEXT, "8105"},
		{125, WS_BINARY, "827d"},     {126, WS_TEXT, "817e007e"},
		{65535, WS_TEXT, "817effff"}, {65536, WS_TEXT, "817f0000000000010000"},
	};

	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
		uint8_t buf[10];
		struct rg_wr w = rg_wr(buf, sizeof(buf));

		ws_put_header(&w, out[i].op, out[i].len);
		ck_assert_msg(rg_eq(rg_wr_slice(&w), guard_hex(out[i].hex)), "%s", out[i].hex);
	}
}
END_TEST

START_TEST(close_out) {
	char reason[200];
	uint8_t buf[256];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	ws_put_close(&w, WS_POLICY, "hi");
	ck_assert(rg_eq(rg_wr_slice(&w), guard_hex("8804 03f0 6869")));
	w = rg_wr(buf, sizeof(buf));
	ws_put_close(&w, WS_NORMAL, NULL);
	ck_assert(rg_eq(rg_wr_slice(&w), guard_hex("8802 03e8")));
	w = rg_wr(buf, sizeof(buf));
	ws_put_close(&w, WS_NO_STATUS, "x");
	ck_assert(rg_eq(rg_wr_slice(&w), guard_hex("8800")));
	memset(reason, 'a', sizeof(reason));
	reason[199] = '\0';
	w = rg_wr(buf, sizeof(buf));
	ws_put_close(&w, WS_NORMAL, reason);
	ck_assert_uint_eq(w.len, 127);
	ck_assert_uint_eq(buf[1], 125);
	memcpy(reason + 121, "\xe2\x82\xac", 3); // a character over the cut
	w = rg_wr(buf, sizeof(buf));
	ws_put_close(&w, WS_NORMAL, reason);
	ck_assert_uint_eq(w.len, 4 + 121);
	ck_assert_uint_eq(buf[1], 123);
}
END_TEST

START_TEST(close_codes) {
	ck_assert_uint_eq(ws_close_code_of(RG_E_PROTO), 1002);
	ck_assert_uint_eq(ws_close_code_of(RG_E_UTF8), 1007);
	ck_assert_uint_eq(ws_close_code_of(RG_E_LIMIT), 1009);
	ck_assert_uint_eq(ws_close_code_of(RG_E_EXHAUSTED), 1011);
}
END_TEST

int main(void) {
	Suite *s = suite_create("ws_frame");
	TCase *t = tcase_create("frame");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, stream_table, 0, sizeof(streams) / sizeof(streams[0]));
	tcase_add_loop_test(t, sizes, 0, 6);
	tcase_add_test(t, fragment_cap);
	tcase_add_test(t, message_cap);
	tcase_add_loop_test(t, random_streams, 0, 50);
	tcase_add_test(t, headers_out);
	tcase_add_test(t, close_out);
	tcase_add_test(t, close_codes);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
