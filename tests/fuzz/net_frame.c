// SPDX-License-Identifier: BSD-3-Clause
// Frames, to a gateway with IPv4, with both, and with IPv6 in a VLAN: every refusal has its reason;
// answers are well-formed and go to whoever asked, or to all; a TCP segment is a part of its frame,
// padding or not, and never of a frame that was cut; and net_flow() tells the flow as net_input() does.
#include "fuzz.h"
#include "net/net_int.h"

#define MAX_FRAME 2048
#define MORE 256 // room behind a frame

static void config(struct net_cfg *cfg, unsigned i) {
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x99};
	static const uint8_t ip6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 2}, no_ip6[16];

	net_cfg_init(cfg, mac, i == 2 ? 0 : htonl(0x0a4d0002), i == 0 ? no_ip6 : ip6,
		     i == 2 ? 7 : 0, 1);
}

static bool is_sum_good(struct rg_slice a, struct rg_slice b, uint64_t sum) {
	for (size_t i = 0; i < a.len; i++)
		sum += (uint64_t)a.p[i] << (i % 2 == 0 ? 8 : 0);
	for (size_t i = 0; i < b.len; i++)
		sum += (uint64_t)b.p[i] << (i % 2 == 0 ? 8 : 0);
	return sum % 0xffff == 0;
}

static void check_arp(const struct net_cfg *cfg, const uint8_t *asked, const uint8_t *arp) {
	FUZZ_CHECK(net_load16(arp + 6) == 2 && memcmp(arp + 8, cfg->mac, 6) == 0);
	FUZZ_CHECK(memcmp(arp + 14, &cfg->ip_be, 4) == 0 && memcmp(arp + 18, asked + 8, 10) == 0);
}

static void check_ip4(const struct net_cfg *cfg, const uint8_t *asked, struct rg_slice ip) {
	const uint8_t *echo = asked + (size_t)(asked[0] & 15) * 4;

	FUZZ_CHECK(net_load16(ip.p + 2) == ip.len && memcmp(ip.p + 12, &cfg->ip_be, 4) == 0);
	FUZZ_CHECK(memcmp(ip.p + 16, asked + 12, 4) == 0);
	FUZZ_CHECK(is_sum_good(rg_slice(ip.p, 20), (struct rg_slice){0}, 0));
	FUZZ_CHECK(is_sum_good(rg_skip(ip, 20), (struct rg_slice){0}, 0));
	FUZZ_CHECK(ip.p[20] == 0 && ip.p[21] == 0);
	FUZZ_CHECK(memcmp(ip.p + 24, echo + 4, ip.len - 24) == 0);
}

static void check_ip6(const struct net_cfg *cfg, const uint8_t *asked, struct rg_slice ip,
		      enum rg_stat event) {
	static const uint8_t unspecified[16], all_nodes[16] = {0xff, 2, [15] = 1};
	struct rg_slice l4 = rg_skip(ip, 40);
	bool is_probe = memcmp(asked + 8, unspecified, 16) == 0;

	FUZZ_CHECK(ip.p[0] >> 4 == 6 && net_load16(ip.p + 4) == l4.len);
	FUZZ_CHECK(net_ip6_is_ours(cfg, ip.p + 8));
	if (event == RG_STAT_mld_reports) {
		FUZZ_CHECK(ip.p[6] == 0 && ip.p[7] == 1 && ip.p[24] == 0xff);
		l4 = rg_skip(l4, 8);
	} else {
		FUZZ_CHECK(ip.p[6] == NET_PROTO_ICMP6);
		FUZZ_CHECK(memcmp(ip.p + 24, is_probe ? all_nodes : asked + 8, 16) == 0);
	}
	FUZZ_CHECK(is_sum_good(rg_slice(ip.p + 8, 32), l4, l4.len + NET_PROTO_ICMP6));
	FUZZ_CHECK(event != RG_STAT_icmp_echo || (l4.p[0] == 129 && !is_probe));
	FUZZ_CHECK(event != RG_STAT_nd_replies ||
		   (l4.p[0] == 136 && ip.p[7] == 255 && memcmp(l4.p + 26, cfg->mac, 6) == 0));
}

static void check_reply(const struct net_cfg *cfg, const uint8_t *asked, const uint8_t *f,
			const struct net_rx *rx) {
	uint16_t type = net_load16(f + cfg->l2_len - 2);
	struct rg_slice l3 = rg_skip(rg_slice(f, rx->reply_len), cfg->l2_len);

	FUZZ_CHECK(memcmp(f + 6, cfg->mac, 6) == 0);
	FUZZ_CHECK(memcmp(f, asked + 6, 6) == 0 || (f[0] == 0x33 && f[1] == 0x33));
	FUZZ_CHECK(cfg->vlan == 0 || (net_load16(f + 12) == NET_ETHERTYPE_TAG &&
				      (net_load16(f + 14) & 0xfff) == cfg->vlan));
	asked += cfg->vlan != 0 || net_load16(asked + 12) == NET_ETHERTYPE_TAG ? 18 : 14;
	if (type == NET_ETHERTYPE_ARP)
		check_arp(cfg, asked, l3.p);
	else if (type == NET_ETHERTYPE_IP4)
		check_ip4(cfg, asked, l3);
	else
		check_ip6(cfg, asked, l3, rx->event);
}

// Writes over the frame at place; `more` bytes of room are behind it.
static enum net_verdict input(const struct net_cfg *cfg, unsigned place, struct rg_slice in,
			      size_t more, struct net_rx *rx, const uint8_t **frame) {
	static uint8_t buf[MAX_FRAME + 2 * MORE];
	struct rg_slice s;

	memset(buf + in.len, 0, more);
	if (in.len > 0)
		memcpy(buf, in.p, in.len);
	s = fuzz_guard(place, rg_slice(buf, in.len + more));
	*frame = s.p;
	*rx = (struct net_rx){0};
	return net_input(cfg, (uint8_t *)(uintptr_t)s.p, in.len, s.len, rx);
}

static bool is_same_addr(const struct rg_addr *a, const struct rg_addr *b) {
	return a->port == b->port && memcmp(a->ip, b->ip, 16) == 0;
}

static void check_tcp(const struct net_cfg *cfg, struct rg_slice in, const uint8_t *frame,
		      const struct net_rx *rx) {
	size_t end = (size_t)(rx->l4.p + rx->l4.len - frame);
	uint8_t longer[MAX_FRAME + 64] = {0};
	struct net_rx other;

	fuzz_check_in(rg_slice(frame, in.len), rx->l4);
	FUZZ_CHECK(rx->l4.len < 4 || (rx->src.port == net_load16(rx->l4.p) &&
				      rx->dst.port == net_load16(rx->l4.p + 2)));
	(void)net_tcp_checksum(&rx->src, &rx->dst, rx->l4);
	memcpy(longer, in.p, in.len);
	FUZZ_CHECK(input(cfg, 1, rg_slice(longer, in.len + 64), 0, &other, &frame) == NET_TCP);
	FUZZ_CHECK(other.l4.len == rx->l4.len);
	for (size_t n = 0; n < end; n = fuzz_next_cut(n))
		FUZZ_CHECK(input(cfg, 1, rg_slice(in.p, n), 0, &other, &frame) == NET_DROP);
}

static void check(const struct net_cfg *cfg, struct rg_slice in) {
	struct rg_addr src = {0}, dst = {0};
	bool has_flow = net_flow(fuzz_guard(2, in).p, in.len, &src, &dst);
	struct net_rx rx, roomy;
	const uint8_t *frame, *roomy_frame;
	enum net_verdict v = input(cfg, 0, in, 0, &rx, &frame);
	enum net_verdict r = input(cfg, 3, in, MORE, &roomy, &roomy_frame);

	if (v == NET_DROP)
		FUZZ_CHECK(rx.event >= RG_FIRST_DROP && rx.event < RG_N_STATS);
	FUZZ_CHECK(v == r || (v == NET_DROP && rx.event == RG_DROP_no_mbuf && r == NET_REPLY));
	if (v == NET_REPLY)
		FUZZ_CHECK(rx.reply_len <= in.len && rx.reply_len == roomy.reply_len &&
			   memcmp(frame, roomy_frame, rx.reply_len) == 0);
	if (r == NET_REPLY)
		check_reply(cfg, in.p, roomy_frame, &roomy);
	if (v == NET_TCP)
		check_tcp(cfg, in, frame, &rx);
	if ((v == NET_TCP && rx.l4.len >= 4) || v == NET_ERROR)
		FUZZ_CHECK(has_flow && is_same_addr(&src, &rx.src) && is_same_addr(&dst, &rx.dst));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	if (len > MAX_FRAME)
		return 0;
	for (unsigned i = 0; i < 3; i++) {
		struct net_cfg cfg;

		config(&cfg, i);
		check(&cfg, rg_slice(p, len));
	}
	return 0;
}
