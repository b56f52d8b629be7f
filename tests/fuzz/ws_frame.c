// SPDX-License-Identifier: BSD-3-Clause
// WebSocket frames: however the stream is cut, the same events come out and it ends the same way. A
// message that came out goes in again as one frame.
#include "fuzz.h"
#include "ws/ws.h"

#define CAP (WS_MAX_MESSAGE + 4096)

static const struct ws_limits limits = {WS_MAX_MESSAGE, WS_MAX_FRAGMENTS};

struct feed {
	struct ws_rx rx;
	uint8_t held[CAP];
	size_t n_held;
	uint64_t digest; // of all that came out
	unsigned n_events;
	int rc;
};

static void add(struct feed *f, const void *p, size_t len) {
	for (size_t i = 0; i < len; i++)
		f->digest = (f->digest ^ ((const uint8_t *)p)[i]) * UINT64_C(0x100000001b3);
}

static void check_again(const struct ws_event *ev) {
	uint8_t buf[WS_MAX_MESSAGE + 16];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct ws_event back;
	struct ws_rx rx = {0};
	size_t head;

	ws_put_header(&w, ev->opcode, ev->data.len);
	buf[1] |= 0x80; // as a client: masked, by zeroes
	rg_put_be(&w, 0, 4);
	head = w.len;
	rg_put(&w, ev->data);
	FUZZ_CHECK(!w.overflow);
	FUZZ_CHECK(ws_input(&rx, &limits, buf, head - 1, &back) == RG_MORE);
	FUZZ_CHECK(ws_input(&rx, &limits, buf, w.len, &back) == RG_OK);
	FUZZ_CHECK(back.type == WS_EV_MESSAGE && back.opcode == ev->opcode && back.drop == w.len);
	FUZZ_CHECK(rg_eq(back.data, ev->data));
}

static void take_event(struct feed *f, struct rg_slice in, const struct ws_event *ev) {
	uint64_t facts[4] = {ev->type, ev->opcode, ev->close_code, ev->data.len};

	fuzz_check_in(in, ev->data);
	FUZZ_CHECK(ev->type == WS_EV_MESSAGE ? ev->data.len <= WS_MAX_MESSAGE
					     : ev->data.len <= 125);
	if (ev->type == WS_EV_MESSAGE) {
		FUZZ_CHECK(ev->opcode == WS_TEXT || ev->opcode == WS_BINARY);
		FUZZ_CHECK(ev->opcode == WS_BINARY || ws_is_utf8(ev->data));
		check_again(ev);
	}
	add(f, facts, sizeof(facts));
	add(f, ev->data.p, ev->data.len);
	f->n_events++;
}

// Gives the engine n more bytes, as a caller does.
static void feed_bytes(struct feed *f, const uint8_t *p, size_t n) {
	memcpy(f->held + f->n_held, p, n);
	f->n_held += n;
	do {
		struct rg_slice in = fuzz_guard(0, rg_slice(f->held, f->n_held));
		struct ws_event ev;

		f->rc = ws_input(&f->rx, &limits, (uint8_t *)(uintptr_t)in.p, in.len, &ev);
		if (f->rc < RG_OK)
			return;
		FUZZ_CHECK(f->rx.n_fragments <= WS_MAX_FRAGMENTS);
		FUZZ_CHECK(ev.keep + ev.drop <= in.len && ev.keep == f->rx.msg_len);
		if (f->rc == RG_OK)
			take_event(f, in, &ev);
		memcpy(f->held, in.p, ev.keep);
		memcpy(f->held + ev.keep, in.p + ev.keep + ev.drop, in.len - ev.keep - ev.drop);
		f->n_held -= ev.drop;
	} while (f->rc == RG_OK);
}

static void feed_all(struct feed *f, struct rg_slice s, size_t cut) {
	*f = (struct feed){.rc = RG_MORE, .digest = UINT64_C(0xcbf29ce484222325)};
	while (s.len > 0 && f->rc >= RG_OK) {
		size_t n = s.len < cut ? s.len : cut;

		if (n > CAP - f->n_held)
			n = CAP - f->n_held;
		FUZZ_CHECK(n > 0); // more is never held than one message and one frame
		feed_bytes(f, s.p, n);
		s = rg_skip(s, n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	static const size_t cuts[] = {1, 7, 1000};
	static struct feed whole, part;

	if (len > 20000)
		return 0;
	feed_all(&whole, rg_slice(p, len), SIZE_MAX);
	FUZZ_CHECK(whole.rc == RG_MORE || whole.rc == RG_E_PROTO || whole.rc == RG_E_UTF8 ||
		   whole.rc == RG_E_LIMIT);
	FUZZ_CHECK(whole.rc == RG_MORE || ws_close_code_of(whole.rc) != WS_INTERNAL);
	for (size_t i = len < 600 ? 0 : 1; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		feed_all(&part, rg_slice(p, len), cuts[i]);
		FUZZ_CHECK(part.rc == whole.rc && part.n_events == whole.n_events &&
			   part.digest == whole.digest);
		FUZZ_CHECK(part.rx.is_closed == whole.rx.is_closed);
	}
	return 0;
}
