// SPDX-License-Identifier: BSD-3-Clause
// IPv6, ICMPv6 and ICMP errors: good frames once, then one thing wrong at a time.
#include "net_test.h"

START_TEST(tcp_hand_up) {
	static const struct {
		const char *hex;
		size_t at; // of the TCP header
	} t[] = {{F_TCP6, 54},      {F_TCP6 "0000", 54},  {F_TCP6_EXT, 54 + 40},
		 {F_EXT8, 54 + 64}, {F_EXT256, 54 + 256}, {F_OPT8, 54 + 24}};
	struct rg_slice f;
	struct net_rx rx;

	ck_assert_int_eq(net_test_input(0, t[_i].hex, &rx, &f), NET_TCP);
	ck_assert_ptr_eq(rx.l4.p, f.p + t[_i].at);
	ck_assert_uint_eq(rx.l4.len, 20);
	ck_assert_uint_eq(rx.src.port, 50000);
	ck_assert_uint_eq(rx.dst.port, 443);
	ck_assert_mem_eq(rx.src.ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
	ck_assert_mem_eq(rx.dst.ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x99", 16);
	ck_assert_mem_eq(rx.mac, "\x52\x54\x00\x12\x34\x56", 6);
	if (_i < 4) // scapy gives raw bytes no checksum
		ck_assert_uint_eq(net_tcp_checksum(&rx.src, &rx.dst, rx.l4), 0);
}
END_TEST

START_TEST(answers) {
	static const struct {
		const char *asked, *answer;
		enum rg_stat event;
	} t[] = {
		{F_ECHO, F_ECHO_REPLY_WANT, RG_STAT_icmp_echo},
		{F_ECHO "0000000000", F_ECHO_REPLY_WANT, RG_STAT_icmp_echo},
		{F_NS, F_NA, RG_STAT_nd_replies},
		{F_NS_UNI, F_NA_UNI, RG_STAT_nd_replies},
		{F_NS_LL, F_NA_LL, RG_STAT_nd_replies},
		{F_NS_DAD, F_NA_DAD, RG_STAT_nd_replies},
		{F_NS_DAD_NONCE, F_NA_DAD, RG_STAT_nd_replies},
		{F_MLDQ, F_MLDR, RG_STAT_mld_reports},
	};

	net_test_answer(0, t[_i].asked, t[_i].answer, t[_i].event);
}
END_TEST

// To our link-local address, behind an extension header, which is not sent back.
START_TEST(echo_link_local) {
	struct rg_slice f;
	struct net_rx rx;

	ck_assert_int_eq(net_test_input(0, F_ECHO_EXT, &rx, &f), NET_REPLY);
	ck_assert_uint_eq(rx.reply_len, 54 + 11);
	ck_assert_mem_eq(f.p + 22, "\xfe\x80\0\0\0\0\0\0\0\0\0\xff\xfe\0\0\x99", 16);
	ck_assert_uint_eq(f.p[54], 129);
}
END_TEST

// An answer that is longer than what asked for it needs room.
START_TEST(no_room) {
	static const char *const asked[] = {F_NS_UNI, F_NS_DAD, F_MLDQ};
	struct rg_slice f;
	struct net_rx rx;

	ck_assert_int_eq(net_test_input(0, asked[_i], &rx, &f), NET_DROP);
	ck_assert_uint_eq(rx.event, RG_DROP_no_mbuf);
}
END_TEST

START_TEST(errors) {
	static const struct {
		const char *hex;
		bool is_v4;
		int kind;
		uint32_t mtu;
	} t[] = {
		{F_PTB6, false, NET_TOO_BIG, 1280},   {F_UNR6, false, NET_HARD, 0},
		{F_UNR6_ADDR, false, NET_SOFT, 0},    {F_UNR6_PORT, false, NET_HARD, 0},
		{F_NEXT6, false, NET_HARD, 0},        {F_TE6, false, NET_SOFT, 0},
		{F_TOOBIG4, true, NET_TOO_BIG, 1400}, {F_TOOBIG4_8, true, NET_TOO_BIG, 1400},
		{F_UNR4, true, NET_SOFT, 0},          {F_UNR4_PORT, true, NET_HARD, 0},
		{F_UNR4_PROTO, true, NET_HARD, 0},    {F_TE4, true, NET_SOFT, 0},
	};
	struct rg_slice f;
	struct net_rx rx;

	ck_assert_int_eq(net_test_input(0, t[_i].hex, &rx, &f), NET_ERROR);
	ck_assert_uint_eq(rx.error.seq, 0x11223344);
	ck_assert((int)rx.error.kind == t[_i].kind);
	ck_assert_uint_eq(rx.error.mtu, t[_i].mtu);
	ck_assert_uint_eq(rx.src.port, 50007);
	ck_assert_uint_eq(rx.dst.port, 443);
	ck_assert(rg_addr_is_v4(&rx.src) == t[_i].is_v4 && rg_addr_is_v4(&rx.dst) == t[_i].is_v4);
	if (t[_i].is_v4) {
		ck_assert_mem_eq(rx.src.ip + 12, "\xc0\x00\x02\x07", 4);
		ck_assert_mem_eq(rx.dst.ip + 12, "\x0a\x09\x00\x01", 4);
	} else {
		ck_assert_mem_eq(rx.src.ip, "\x20\x01\x0d\xb8\0\x01\0\0\0\0\0\0\0\0\0\x07", 16);
		ck_assert_mem_eq(rx.dst.ip, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x99", 16);
	}
}
END_TEST

static const struct {
	const char *name, *hex;
	enum rg_stat why;
} drops[] = {
	{"broadcast", "ffffffffffff52540012345686dd", RG_DROP_eth_not_ours},
	{"no header", "02000000009952540012345686dd60", RG_DROP_ip_bad},
	{"version 4",
	 "02000000009952540012345686dd4000000000003b4020010db800000000000000000000000220010db800000"
	 "0"
	 "000000000000000099",
	 RG_DROP_ip_bad},
	{"length beyond the frame",
	 "02000000009952540012345686dd6000000000013b4020010db800000000000000000000000220010db800000"
	 "0"
	 "000000000000000099",
	 RG_DROP_ip_bad},
	{"from a group", F_SRC_GROUP, RG_DROP_ip_bad},
	{"from loopback", F_SRC_LOOP, RG_DROP_ip_bad},
	{"from an IPv4 address", F_SRC_V4, RG_DROP_ip_bad},
	{"from us", F_SRC_US, RG_DROP_ip_bad},
	{"from our link-local", F_SRC_LL, RG_DROP_ip_bad},
	{"TCP from nobody", F_SRC_NONE, RG_DROP_ip_bad},
	{"to another", F_DST_OTHER, RG_DROP_ip_not_ours},
	{"to a group we are not in", F_DST_GROUP_OTHER, RG_DROP_ip_not_ours},
	{"TCP to a group", F_TCP_GROUP, RG_DROP_ip_bad},
	{"to us in a group's frame", F_TCP_GROUP_MAC, RG_DROP_ip_not_ours},
	{"routing type 0", F_TCP6_RT0, RG_DROP_ip_routing},
	{"routing with segments left", F_TCP6_RT_LEFT, RG_DROP_ip_routing},
	{"fragment", F_FRAG, RG_DROP_ip_fragment},
	{"hop-by-hop not first", F_DEST_HBH, RG_DROP_ip_extension},
	{"option that must be known", F_JUMBO, RG_DROP_ip_extension},
	{"nine extension headers", F_EXT9, RG_DROP_ip_extension},
	{"extension header beyond the packet",
	 "02000000009952540012345686dd6000000000083c4020010db800000000000000000000000220010db800000"
	 "0"
	 "0000000000000000993b01010400000000",
	 RG_DROP_ip_extension},
	{"option beyond its header",
	 "02000000009952540012345686dd6000000000083c4020010db800000000000000000000000220010db800000"
	 "0"
	 "0000000000000000993b00010500000000",
	 RG_DROP_ip_extension},
	{"nine options", F_OPT9, RG_DROP_ip_extension},
	{"264 bytes of extension headers", F_EXT264, RG_DROP_ip_extension},
	{"UDP", F_UDP6, RG_DROP_ip_proto},
	{"no next header", F_NONEXT, RG_DROP_ip_proto},
	{"echo to a group", F_ECHO_GROUP, RG_DROP_icmp_bad},
	{"advertisement", F_NA_IN, RG_DROP_icmp_bad},
	{"solicitation from afar", F_NS_HLIM, RG_DROP_nd_bad},
	{"solicitation, code 1", F_NS_CODE, RG_DROP_nd_bad},
	{"solicitation of a group", F_NS_GROUP_TGT, RG_DROP_nd_bad},
	{"solicitation of another", F_NS_OTHER, RG_DROP_ip_not_ours},
	{"probe with a link-layer address", F_NS_DAD_SLLA, RG_DROP_nd_bad},
	{"probe to us", F_NS_DAD_UNI, RG_DROP_nd_bad},
	{"option of length 0", F_NS_OPT0, RG_DROP_nd_bad},
	{"option beyond its message", F_NS_OPTLONG, RG_DROP_nd_bad},
	{"solicitation cut", F_NS_SHORT, RG_DROP_nd_bad},
	{"ICMPv6 checksum", F_NS_SUM, RG_DROP_icmp_bad},
	{"listener query from afar", F_MLDQ_HLIM, RG_DROP_icmp_bad},
	{"listener query from a global address", F_MLDQ_GLOBAL, RG_DROP_icmp_bad},
	{"listener query from another", F_MLDQ_2080, RG_DROP_icmp_bad},
	{"too big, of another's", F_PTB6_OTHER, RG_DROP_icmp_quote},
	{"too big, UDP", F_PTB6_UDP, RG_DROP_icmp_quote},
	{"too big, cut", F_PTB6_CUT, RG_DROP_icmp_quote},
	{"too big, from nobody", F_PTB6_NOBODY, RG_DROP_icmp_quote},
	{"IPv4 too big, of another's", F_TOOBIG4_OTHER, RG_DROP_icmp_quote},
	{"IPv4 too big, UDP", F_TOOBIG4_UDP, RG_DROP_icmp_quote},
	{"IPv4 too big, cut", F_TOOBIG4_CUT, RG_DROP_icmp_quote},
	{"IPv4 too big, of a fragment", F_TOOBIG4_FRAG, RG_DROP_icmp_quote},
	{"IPv4 source quench", F_QUENCH4, RG_DROP_icmp_bad}, // RFC 6633
};

START_TEST(dropped) {
	struct rg_slice f;
	struct net_rx rx;
	enum net_verdict v = net_test_input(0, drops[_i].hex, &rx, &f);

	ck_assert_msg(v == NET_DROP && rx.event == drops[_i].why, "%s: verdict %d, %s",
		      drops[_i].name, v, rg_stat_name(rx.event));
}
END_TEST

// No prefix of a good frame is read past its end, and none but padding is good.
START_TEST(prefixes) {
	static const char *const good[] = {F_TCP6_EXT, F_ECHO, F_NS, F_PTB6, F_TOOBIG4_8};
	struct rg_slice whole = guard_hex(good[_i]);

	for (size_t n = 0; n < whole.len; n++) {
		struct rg_slice f = guard_copy(rg_slice(whole.p, n));
		struct net_cfg c = net_test_cfg(0);
		struct rg_addr src, dst;
		struct net_rx rx;

		(void)net_flow(f.p, n, &src, &dst);
		ck_assert_int_eq(net_input(&c, (uint8_t *)(uintptr_t)f.p, n, n, &rx), NET_DROP);
	}
}
END_TEST

// Every bit of a good frame turned, one at a time: whatever comes of it, nothing is read or written
// outside. What both checksums cover is never answered.
START_TEST(turned_bits) {
	static const char *const good[] = {F_TCP6_EXT, F_ECHO, F_NS, F_PTB6, F_TOOBIG4_8, F_ARPQ};
	struct rg_slice whole = guard_hex(good[_i]);

	for (size_t bit = 0; bit < whole.len * 8; bit++) {
		struct rg_slice f = guard_copy(whole);
		uint8_t *p = (uint8_t *)(uintptr_t)f.p;
		struct net_cfg c = net_test_cfg(0);
		struct rg_addr src, dst;
		enum net_verdict v;
		struct net_rx rx;

		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		(void)net_flow(p, f.len, &src, &dst);
		v = net_input(&c, p, f.len, f.len, &rx);
		if (bit / 8 >= 54 && (_i == 1 || _i == 2 || _i == 3))
			ck_assert_int_eq(v, NET_DROP);
	}
}
END_TEST

START_TEST(announces) {
	static const char *const want[] = {F_GARP, F_NA_DAD, F_NA_LL_ANN, F_MLDR};
	struct net_cfg c = net_test_cfg(0);
	static const uint8_t none[16];
	uint8_t f[NET_ANNOUNCE_MAX];

	for (unsigned i = 0; i < 4; i++) {
		struct rg_slice w = guard_hex(want[i]);

		ck_assert_uint_eq(net_announce(&c, i, f), w.len);
		ck_assert_mem_eq(f, w.p, w.len);
	}
	ck_assert_uint_eq(net_announce(&c, 4, f), 0);
	net_cfg_init(&c, c.mac, c.ip_be, none, 0, 0);
	ck_assert_uint_eq(net_announce(&c, 0, f), 42);
	ck_assert_uint_eq(net_announce(&c, 1, f), 0);
	c = net_test_cfg(4094);
	net_cfg_init(&c, c.mac, 0, c.ip6, 4094, 0);
	ck_assert_uint_eq(net_announce(&c, 0, f), 90);
	ck_assert_mem_eq(f + 12, "\x81\x00\x0f\xfe\x86\xdd", 6);
	ck_assert_uint_eq(net_announce(&c, 3, f), 0);
}
END_TEST

// A gateway of one family serves nothing of the other.
START_TEST(one_family) {
	static const uint8_t none[16];
	struct net_cfg c = net_test_cfg(0), four, six;
	struct rg_slice f;
	struct net_rx rx;

	net_cfg_init(&four, c.mac, c.ip_be, none, 0, 0);
	net_cfg_init(&six, c.mac, 0, c.ip6, 0, 0);
	f = guard_hex(F_TCP6);
	ck_assert_int_eq(net_input(&four, (uint8_t *)(uintptr_t)f.p, f.len, f.len, &rx), NET_DROP);
	ck_assert_uint_eq(rx.event, RG_DROP_eth_type);
	f = guard_hex(F_TCP4);
	ck_assert_int_eq(net_input(&four, (uint8_t *)(uintptr_t)f.p, f.len, f.len, &rx), NET_TCP);
	ck_assert_int_eq(net_input(&six, (uint8_t *)(uintptr_t)f.p, f.len, f.len, &rx), NET_DROP);
	ck_assert_uint_eq(rx.event, RG_DROP_eth_type);
	f = guard_hex(F_ARPQ);
	ck_assert_int_eq(net_input(&six, (uint8_t *)(uintptr_t)f.p, f.len, f.len, &rx), NET_DROP);
	ck_assert_uint_eq(rx.event, RG_DROP_eth_not_ours);
}
END_TEST

static void add(TCase *tc) {
	tcase_add_loop_test(tc, tcp_hand_up, 0, 6);
	tcase_add_loop_test(tc, answers, 0, 8);
	tcase_add_test(tc, echo_link_local);
	tcase_add_loop_test(tc, no_room, 0, 3);
	tcase_add_loop_test(tc, errors, 0, 12);
	tcase_add_loop_test(tc, dropped, 0, sizeof(drops) / sizeof(*drops));
	tcase_add_loop_test(tc, prefixes, 0, 5);
	tcase_add_loop_test(tc, turned_bits, 0, 6);
	tcase_add_test(tc, announces);
	tcase_add_test(tc, one_family);
}

int main(void) {
	return net_test_run("net_ip6", add);
}
