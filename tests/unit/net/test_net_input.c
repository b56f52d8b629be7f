// SPDX-License-Identifier: BSD-3-Clause
// Frames in, verdicts out: good ones once, then one thing wrong at a time.
#include "net_test.h"

#define ETH_US "020000000099 525400123456 "
#define ETH_ALL "ffffffffffff 525400123456 "
#define ARP "0806 0001 0800 06 04 0001 525400123456 0a090002 000000000000 0a090001"
#define PAD " 000000000000000000000000000000000000"
// ICMP echo of 3 bytes, header checksum by hand.
#define ICMP "0800 4500001f12344000 4001 1496 0a090002 0a090001 0800 317a 4242 0001 414243"
#define TCP4                                                                                      \
	"0800 4500002812344000 4006 1488 0a090002 0a090001 c350 01bb 00000001 00000000 5002ffff " \
	"0000 0000"

static enum net_verdict input(const char *hex, struct net_rx *rx, struct rg_slice *frame) {
	return net_test_input(0, hex, rx, frame);
}

START_TEST(arp_reply) {
	static const char *const asked[] = {ETH_ALL ARP, ETH_US ARP, ETH_ALL ARP PAD};
	struct rg_slice f, want = guard_hex("525400123456 020000000099 0806 0001 0800 06 04 0002 "
					    "020000000099 0a090001 525400123456 0a090002");
	struct net_rx rx;

	ck_assert_int_eq(input(asked[_i], &rx, &f), NET_REPLY);
	ck_assert_int_eq(rx.event, RG_STAT_arp_replies);
	ck_assert_uint_eq(rx.reply_len, 42);
	ck_assert_mem_eq(f.p, want.p, 42);
}
END_TEST

START_TEST(icmp_echo) {
	static const char *const asked[] = {
		ETH_US ICMP,
		ETH_US ICMP PAD,
		// With IP options (NOP NOP NOP END), which the answer leaves out.
		ETH_US "0800 4600002312344000 4001 1191 0a090002 0a090001 01010100 "
		       "0800 317a 4242 0001 414243",
	};
	struct rg_slice f;
	struct net_rx rx;

	ck_assert_int_eq(input(asked[_i], &rx, &f), NET_REPLY);
	ck_assert_int_eq(rx.event, RG_STAT_icmp_echo);
	ck_assert_uint_eq(rx.reply_len, 14 + 20 + 11);
	ck_assert_mem_eq(f.p, "\x52\x54\x00\x12\x34\x56\x02\x00\x00\x00\x00\x99\x08\x00\x45", 15);
	ck_assert_uint_eq(slow_sum(f.p + 14, 20), 0);
	ck_assert_mem_eq(f.p + 16, "\x00\x1f", 2);
	ck_assert_mem_eq(f.p + 26, "\x0a\x09\x00\x01\x0a\x09\x00\x02", 8);
	ck_assert_uint_eq(f.p[34], 0);
	ck_assert_uint_eq(slow_sum(f.p + 34, 11), 0);
	ck_assert_mem_eq(f.p + 38,
			 "\x42\x42\x00\x01"
			 "ABC",
			 7);
}
END_TEST

START_TEST(tcp_hand_up) {
	static const char *const asked[] = {ETH_US TCP4, ETH_US TCP4 " 000000000000"};
	struct rg_slice f;
	struct net_rx rx;

	ck_assert_int_eq(input(asked[_i], &rx, &f), NET_TCP);
	ck_assert_ptr_eq(rx.l4.p, f.p + 34);
	ck_assert_uint_eq(rx.l4.len, 20); // padding cut off
	ck_assert_uint_eq(rx.src.port, 50000);
	ck_assert_uint_eq(rx.dst.port, 443);
	ck_assert(rg_addr_is_v4(&rx.src) && rg_addr_is_v4(&rx.dst));
	ck_assert_mem_eq(rx.src.ip + 12, "\x0a\x09\x00\x02", 4);
	ck_assert_mem_eq(rx.dst.ip + 12, "\x0a\x09\x00\x01", 4);
	ck_assert_mem_eq(rx.mac, "\x52\x54\x00\x12\x34\x56", 6);
}
END_TEST

START_TEST(tcp_with_ip_options_and_no_header) {
	struct rg_slice f;
	struct net_rx rx;

	ck_assert_int_eq(input(ETH_US "0800 4600001b12344000 4006 1194 0a090002 0a090001 01010100 "
				      "c35001",
			       &rx, &f),
			 NET_TCP);
	ck_assert_uint_eq(rx.l4.len, 3);
	ck_assert_uint_eq(rx.src.port, 0);
	ck_assert_uint_eq(rx.dst.port, 0);
}
END_TEST

// IPv4 header checksums in these rows are right unless that is the point.
static const struct {
	const char *name, *hex;
	enum rg_stat why;
} drops[] = {
	{"empty", "", RG_DROP_eth_short},
	{"13 bytes", "02000000009952540012345608", RG_DROP_eth_short},
	{"another MAC", "020000000098 525400123456 " ICMP, RG_DROP_eth_not_ours},
	{"ARP for another MAC", "020000000098 525400123456 " ARP, RG_DROP_eth_not_ours},
	{"IP by broadcast", ETH_ALL ICMP, RG_DROP_eth_not_ours},
	{"from a group", "020000000099 535400123456 " ICMP, RG_DROP_eth_not_ours},
	{"from our MAC", "020000000099 020000000099 " ICMP, RG_DROP_eth_not_ours},
	{"EtherType", ETH_US "8863 6000", RG_DROP_eth_type},
	{"VLAN", ETH_US "8100 0001 0800 4500", RG_DROP_vlan_other},
	{"VLAN of an ARP", ETH_ALL "8100 0fff 0806 0001", RG_DROP_vlan_other},
	{"VLAN cut", ETH_US "8100 00", RG_DROP_eth_short},
	{"two tags", ETH_US "8100 0000 8100 0000 0800 4500", RG_DROP_vlan_double},
	{"service tag", ETH_US "88a8 0000 0800 4500", RG_DROP_vlan_double},
	{"ARP cut", ETH_ALL "0806 0001 0800 06 04 0001 525400123456 0a090002 000000000000 0a0900",
	 RG_DROP_arp_bad},
	{"ARP not Ethernet",
	 ETH_ALL "0806 0006 0800 06 04 0001 525400123456 0a090002 000000000000 0a090001",
	 RG_DROP_arp_bad},
	{"ARP answer",
	 ETH_US "0806 0001 0800 06 04 0002 525400123456 0a090002 020000000099 0a090001",
	 RG_DROP_arp_bad},
	{"ARP for another",
	 ETH_ALL "0806 0001 0800 06 04 0001 525400123456 0a090002 000000000000 0a090003",
	 RG_DROP_ip_not_ours},
	{"ARP with our address",
	 ETH_ALL "0806 0001 0800 06 04 0001 525400123456 0a090001 000000000000 0a090001",
	 RG_DROP_arp_bad},
	{"ARP from a group",
	 ETH_ALL "0806 0001 0800 06 04 0001 ffffffffffff 0a090002 000000000000 0a090001",
	 RG_DROP_arp_bad},
	{"IP cut", ETH_US "0800 4500001f12344000 4001 1485 0a090002 0a0900", RG_DROP_ip_bad},
	{"IP version 6",
	 ETH_US "0800 6500001f12344000 4001 f495 0a090002 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_bad},
	{"IP header of 16",
	 ETH_US "0800 4400001f12344000 4001 1596 0a090002 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_bad},
	{"IP header beyond the frame",
	 ETH_US "0800 4f00001f12344000 4001 0a96 0a090002 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_bad},
	{"IP length beyond the frame",
	 ETH_US "0800 4500002012344000 4001 1495 0a090002 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_bad},
	{"IP length below the header",
	 ETH_US "0800 4500001312344000 4001 14a2 0a090002 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_bad},
	{"IP checksum",
	 ETH_US "0800 4500001f12344000 4001 1486 0a090002 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_checksum},
	{"for another IP",
	 ETH_US "0800 4500001f12344000 4001 1495 0a090002 0a090002 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_not_ours},
	{"from our IP (LAND)",
	 ETH_US "0800 4500001f12344000 4001 1497 0a090001 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_bad},
	{"from multicast",
	 ETH_US "0800 4500001f12344000 4001 3e9f e0000001 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_bad},
	{"from broadcast",
	 ETH_US "0800 4500001f12344000 4001 1ea1 ffffffff 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_bad},
	{"from loopback",
	 ETH_US "0800 4500001f12344000 4001 9f9f 7f000001 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_bad},
	{"from 0.0.0.0",
	 ETH_US "0800 4500001f12344000 4001 1ea1 00000000 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_bad},
	{"first fragment",
	 ETH_US "0800 4500001f12342000 4001 3496 0a090002 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_fragment},
	{"later fragment",
	 ETH_US "0800 4500001f12340001 4001 5495 0a090002 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_fragment},
	{"UDP",
	 ETH_US "0800 4500001f12344000 4011 1486 0a090002 0a090001 "
		"0800 317a 4242 0001 414243",
	 RG_DROP_ip_proto},
	{"ICMP checksum",
	 ETH_US "0800 4500001f12344000 4001 1496 0a090002 0a090001 "
		"0800 317b 4242 0001 414243",
	 RG_DROP_icmp_bad},
	{"ICMP cut",
	 ETH_US "0800 4500001b12344000 4001 149a 0a090002 0a090001 "
		"0800 b5bd 424200",
	 RG_DROP_icmp_bad},
	{"ICMP echo reply",
	 ETH_US "0800 4500001f12344000 4001 1496 0a090002 0a090001 "
		"0000 397a 4242 0001 414243",
	 RG_DROP_icmp_bad},
};

START_TEST(dropped) {
	struct rg_slice f;
	struct net_rx rx;
	enum net_verdict v = input(drops[_i].hex, &rx, &f);

	ck_assert_msg(v == NET_DROP && rx.event == drops[_i].why, "%s: verdict %d, %s",
		      drops[_i].name, v, rg_stat_name(rx.event));
}
END_TEST

// No prefix of a good frame is read past its end, and none but padding is good.
START_TEST(prefixes) {
	static const char *const good[] = {ETH_ALL ARP, ETH_US ICMP, ETH_US TCP4};
	struct rg_slice whole = guard_hex(good[_i]);

	for (size_t n = 0; n < whole.len; n++) {
		struct rg_slice f = guard_copy(rg_slice(whole.p, n));
		struct net_cfg c = net_test_cfg(0);
		struct net_rx rx;

		ck_assert_int_eq(net_input(&c, (uint8_t *)(uintptr_t)f.p, n, n, &rx), NET_DROP);
	}
}
END_TEST

#define ECHO_REPLY "0800 4500001f00004000 4001 26ca 0a090001 0a090002 0000 397a 4242 0001 414243"
#define ARP_REPLY "0806 0001 0800 06 04 0002 020000000099 0a090001 525400123456 0a090002"

// In a VLAN only what bears its tag, and answers bear it; outside of it a tag that gives a priority
// only is no VLAN (IEEE 802.1Q 6.9.1), and answers bear none.
START_TEST(vlan_answers) {
	static const struct {
		uint16_t vlan;
		const char *asked, *answer;
		enum rg_stat event;
	} t[] = {
		{100, ETH_US "8100 0064 " ICMP, "525400123456 020000000099 8100 0064 " ECHO_REPLY,
		 RG_STAT_icmp_echo},
		{100, ETH_US "8100 e064 " ICMP, "525400123456 020000000099 8100 0064 " ECHO_REPLY,
		 RG_STAT_icmp_echo},
		{100, ETH_ALL "8100 0064 " ARP, "525400123456 020000000099 8100 0064 " ARP_REPLY,
		 RG_STAT_arp_replies},
		{0, ETH_US "8100 e000 " ICMP, "525400123456 020000000099 " ECHO_REPLY,
		 RG_STAT_icmp_echo},
		{0, ETH_ALL "8100 0000 " ARP, "525400123456 020000000099 " ARP_REPLY,
		 RG_STAT_arp_replies},
	};

	net_test_answer(t[_i].vlan, t[_i].asked, t[_i].answer, t[_i].event);
}
END_TEST

START_TEST(vlan_refused) {
	static const struct {
		const char *hex;
		enum rg_stat why;
	} t[] = {
		{ETH_US TCP4, RG_DROP_vlan_other},
		{ETH_US "8100 0065 " TCP4, RG_DROP_vlan_other},
		{ETH_US "8100 e000 " TCP4, RG_DROP_vlan_other},
		{ETH_US "8100 0064 8100 0064 " TCP4, RG_DROP_vlan_double},
		{ETH_US "88a8 0064 " TCP4, RG_DROP_vlan_double},
		{"020000000098 525400123456 8100 0065 " TCP4, RG_DROP_eth_not_ours},
	};
	struct rg_slice f;
	struct net_rx rx;

	ck_assert_int_eq(net_test_input(100, t[_i].hex, &rx, &f), NET_DROP);
	ck_assert_uint_eq(rx.event, t[_i].why);
}
END_TEST

START_TEST(vlan_tcp) {
	struct rg_slice f;
	struct net_rx rx;

	ck_assert_int_eq(net_test_input(100, ETH_US "8100 2064 " TCP4, &rx, &f), NET_TCP);
	ck_assert_ptr_eq(rx.l4.p, f.p + 38);
	ck_assert_uint_eq(rx.l4.len, 20);
}
END_TEST

static void add(TCase *tc) {
	tcase_add_loop_test(tc, arp_reply, 0, 3);
	tcase_add_loop_test(tc, icmp_echo, 0, 3);
	tcase_add_loop_test(tc, tcp_hand_up, 0, 2);
	tcase_add_test(tc, tcp_with_ip_options_and_no_header);
	tcase_add_loop_test(tc, dropped, 0, sizeof(drops) / sizeof(*drops));
	tcase_add_loop_test(tc, prefixes, 0, 3);
	tcase_add_loop_test(tc, vlan_answers, 0, 5);
	tcase_add_loop_test(tc, vlan_refused, 0, 6);
	tcase_add_test(tc, vlan_tcp);
}

int main(void) {
	return net_test_run("net_input", add);
}
