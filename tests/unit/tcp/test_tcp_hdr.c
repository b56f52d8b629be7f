// SPDX-License-Identifier: BSD-3-Clause
// Header parser and writer: against each other, and every prefix against a guard page.
#include "guard.h"
#include "tcp_rig.h"

#define PORTS "c350 01bb "

START_TEST(fields) {
	struct tcp_seg s;

	ck_assert_int_eq(tcp_hdr_parse(guard_hex(PORTS "01020304 05060708 60fb 1234 0000 0000 "
						       "020405b4 616263"),
				       &s),
			 RG_OK);
	ck_assert_uint_eq(s.seq, 0x01020304);
	ck_assert_uint_eq(s.ack, 0x05060708);
	ck_assert_uint_eq(s.flags, 0x1b); // URG, ECE and CWR mean nothing here
	ck_assert_uint_eq(s.wnd, 0x1234);
	ck_assert_uint_eq(s.mss, 1460);
	ck_assert_uint_eq(s.wscale, TCP_WSCALE_NONE);
	ck_assert_uint_eq(s.data.len, 3);
	ck_assert_mem_eq(s.data.p, "abc", 3);
	ck_assert_uint_eq(tcp_seg_len(&s), 5);
}
END_TEST

START_TEST(written_is_read_back) {
	struct tcp_out o = {.src.port = 443, .dst.port = 50000};
	struct tcp_seg in = {.seq = 0xfffffff0,
			     .ack = 7,
			     .wnd = 512,
			     .flags = _i == 2 ? TCP_ACK | TCP_PSH : TCP_SYN | TCP_ACK,
			     .mss = 1400,
			     .wscale = _i == 0 ? 7 : TCP_WSCALE_NONE};
	struct tcp_seg out;

	memset(o.header, 0xee, sizeof(o.header));
	tcp_hdr_put(&o, &in);
	ck_assert_uint_eq(o.header_len, _i == 0 ? 28 : _i == 1 ? 24 : 20);
	ck_assert_mem_eq(o.header + 16, "\0\0\0\0", 4); // checksum and urgent pointer
	ck_assert_mem_eq(o.header, "\x01\xbb\xc3\x50", 4);
	ck_assert_int_eq(tcp_hdr_parse(guard_copy(rg_slice(o.header, o.header_len)), &out), RG_OK);
	ck_assert_uint_eq(out.seq, in.seq);
	ck_assert_uint_eq(out.ack, in.ack);
	ck_assert_uint_eq(out.wnd, in.wnd);
	ck_assert_uint_eq(out.flags, in.flags);
	ck_assert_uint_eq(out.mss, _i == 2 ? 0 : 1400);
	ck_assert_uint_eq(out.wscale, in.wscale);
	ck_assert_uint_eq(out.data.len, 0);
}
END_TEST

// What a SYN says, and what every segment may say.
START_TEST(options_are_read_back) {
	struct tcp_out o = {.src.port = 443, .dst.port = 50000};
	struct tcp_seg in = {.flags = (_i & 1) != 0 ? TCP_SYN : TCP_ACK,
			     .mss = 1400,
			     .wscale = (_i & 2) != 0 ? 14 : TCP_WSCALE_NONE,
			     .has_sack_ok = (_i & 4) != 0,
			     .has_ts = (_i & 8) != 0,
			     .n_sack = (_i & 1) != 0 ? 0 : (uint8_t)(_i / 16),
			     .sack = {{1, 2}, {3, 4}, {0xfffffff0, 5}, {6, 7}},
			     .ts_val = 0x01020304,
			     .ts_ecr = 0xfffefdfc};
	struct tcp_seg out;
	bool is_syn = (_i & 1) != 0;

	tcp_hdr_put(&o, &in);
	ck_assert_uint_eq(o.header_len % 4, 0);
	ck_assert_int_eq(tcp_hdr_parse(guard_copy(rg_slice(o.header, o.header_len)), &out), RG_OK);
	ck_assert_uint_eq(out.data.len, 0);
	ck_assert_uint_eq(out.mss, is_syn ? 1400 : 0);
	ck_assert_uint_eq(out.wscale, is_syn ? in.wscale : TCP_WSCALE_NONE);
	ck_assert_int_eq(out.has_sack_ok, is_syn && in.has_sack_ok);
	ck_assert_int_eq(out.has_ts, in.has_ts);
	ck_assert_uint_eq(out.ts_val, in.has_ts ? in.ts_val : 0);
	ck_assert_uint_eq(out.ts_ecr, in.has_ts ? in.ts_ecr : 0);
	ck_assert_uint_eq(out.n_sack, in.n_sack);
	ck_assert_mem_eq(out.sack, in.sack, in.n_sack * sizeof(*in.sack));
}
END_TEST

START_TEST(odd_lengths_are_skipped) {
	struct tcp_seg s;

	ck_assert_int_eq(tcp_hdr_parse(guard_hex(PORTS "01020304 05060708 a010 1234 0000 0000 "
						       "050e 0000000100000002 00000003 "
						       "0806 00000001"),
				       &s),
			 RG_OK);
	ck_assert_uint_eq(s.n_sack, 0);
	ck_assert(!s.has_ts);
}
END_TEST

START_TEST(prefixes) {
	struct rg_slice whole = guard_hex(PORTS "01020304 05060708 a002 1234 0000 0000 "
						"020405b4 01 030307 080a0000000000000000 0000");

	for (size_t n = 0; n < whole.len; n++) {
		struct tcp_seg s = {.seq = 99};

		ck_assert_int_eq(tcp_hdr_parse(guard_copy(rg_slice(whole.p, n)), &s), RG_E_PROTO);
		ck_assert_uint_eq(s.seq, 99); // nothing written
	}
}
END_TEST

// Any option bytes at all: good or bad, but never past the end.
START_TEST(random_options) {
	uint32_t rng = 5;

	for (unsigned i = 0; i < 3000; i++) {
		uint8_t b[60] = {[13] = TCP_SYN};
		struct tcp_seg s;
		size_t len;

		rng = rng * 1664525 + 1013904223;
		len = 20 + (rng >> 20) % 11 * 4;
		b[12] = (uint8_t)(len / 4 << 4);
		for (size_t k = 20; k < len; k++) {
			rng = rng * 1664525 + 1013904223;
			b[k] = (uint8_t)(rng >> 24 & (i & 1 ? 0xff : 0x0f));
		}
		if (tcp_hdr_parse(guard_copy(rg_slice(b, len)), &s) == RG_OK)
			ck_assert(s.wscale == TCP_WSCALE_NONE || s.wscale <= 14);
	}
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(fields),
		RIG_ROWS(written_is_read_back, 3),
		RIG_ROWS(options_are_read_back, 64),
		RIG_CASE(odd_lengths_are_skipped),
		RIG_CASE(prefixes),
		RIG_CASE(random_options),
	};

	return rig_main("tcp_hdr", cases, RIG_LEN(cases));
}
