// SPDX-License-Identifier: BSD-3-Clause
// Frames: every refusal has its reason; answers are well-formed and go to whoever asked; a TCP
// segment is a part of its frame, padding or not, and never of a frame that was cut.
#include "fuzz.h"
#include "net/net_int.h"

static struct net_cfg config(void) {
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x99}, no_ip6[16];
	struct net_cfg cfg;

	net_cfg_init(&cfg, mac, htonl(0x0a4d0002), no_ip6, 0, 1);
	return cfg;
}

static void check_reply(const struct net_cfg *cfg, const uint8_t *asked, struct rg_slice frame,
			const struct net_rx *rx) {
	const uint8_t *f = frame.p;

	FUZZ_CHECK(rx->reply_len >= NET_ETH_LEN && rx->reply_len <= frame.len);
	FUZZ_CHECK(memcmp(f, asked + 6, 6) == 0 && memcmp(f + 6, cfg->mac, 6) == 0);
	if (rx->event == RG_STAT_arp_replies) {
		FUZZ_CHECK(rx->reply_len == 42 && net_load16(f + 20) == 2);
		FUZZ_CHECK(memcmp(f + 28, &cfg->ip_be, 4) == 0 &&
			   memcmp(f + 32, asked + 22, 10) == 0);
		return;
	}
	FUZZ_CHECK(rx->event == RG_STAT_icmp_echo);
	FUZZ_CHECK(net_load16(f + 16) == rx->reply_len - NET_ETH_LEN);
	FUZZ_CHECK(net_sum_fold(net_sum(f + 14, 20)) == 0);
	FUZZ_CHECK(net_sum_fold(net_sum(f + 34, rx->reply_len - 34)) == 0);
	FUZZ_CHECK(memcmp(f + 26, &cfg->ip_be, 4) == 0 && memcmp(f + 30, asked + 26, 4) == 0);
	FUZZ_CHECK(f[34] == 0 && f[35] == 0);
	asked += NET_ETH_LEN + (size_t)(asked[14] & 15) * 4;
	FUZZ_CHECK(memcmp(f + 38, asked + 4, rx->reply_len - 38) == 0);
}

static enum net_verdict input(const struct net_cfg *cfg, unsigned place, const uint8_t *p,
			      size_t len, struct net_rx *rx) {
	struct rg_slice s = fuzz_guard(place, rg_slice(p, len));

	return net_input(cfg, (uint8_t *)(uintptr_t)s.p, s.len, s.len, rx);
}

static void check_tcp(const struct net_cfg *cfg, struct rg_slice frame, const struct net_rx *rx) {
	size_t end = (size_t)(rx->l4.p + rx->l4.len - frame.p);
	uint8_t longer[2048 + 64] = {0};
	struct net_rx other;

	fuzz_check_in(frame, rx->l4);
	FUZZ_CHECK(rx->l4.len < 4 || (rx->src.port == net_load16(rx->l4.p) &&
				      rx->dst.port == net_load16(rx->l4.p + 2)));
	(void)net_tcp_checksum(&rx->src, &rx->dst, rx->l4);
	memcpy(longer, frame.p, frame.len);
	FUZZ_CHECK(input(cfg, 1, longer, frame.len + 64, &other) == NET_TCP);
	FUZZ_CHECK(other.l4.len == rx->l4.len);
	for (size_t n = 0; n < end; n = fuzz_next_cut(n))
		FUZZ_CHECK(input(cfg, 1, frame.p, n, &other) == NET_DROP);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	const struct net_cfg cfg = config();
	struct net_rx rx = {0};
	struct rg_slice frame;
	enum net_verdict v;

	if (len > 2048)
		return 0;
	frame = fuzz_guard(0, rg_slice(p, len));
	v = net_input(&cfg, (uint8_t *)(uintptr_t)frame.p, frame.len, frame.len, &rx);
	if (v == NET_DROP)
		FUZZ_CHECK(rx.event >= RG_FIRST_DROP && rx.event < RG_N_STATS);
	else if (v == NET_REPLY)
		check_reply(&cfg, p, frame, &rx);
	else if (v == NET_TCP)
		check_tcp(&cfg, frame, &rx);
	return 0;
}
