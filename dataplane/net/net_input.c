// SPDX-License-Identifier: BSD-3-Clause
// One frame in, a verdict out: Ethernet, VLAN tag, ARP. Runs in a worker; keeps no state and trusts
// no length of the peer's before it has been held against the frame.
#include "net/net_int.h"

#define ARP_LEN 28

static bool is_zero(const uint8_t *p, size_t len) {
	uint8_t or = 0;

	for (size_t i = 0; i < len; i++)
		or |= p[i];
	return or == 0;
}

void net_cfg_init(struct net_cfg *cfg, const uint8_t mac[6], uint32_t ip_be, const uint8_t ip6[16],
		  uint16_t vlan, uint64_t label_key) {
	*cfg = (struct net_cfg){
		.vlan = vlan,
		.l2_len = NET_ETH_LEN + (vlan != 0 ? NET_TAG_LEN : 0),
		.has_ip4 = ip_be != 0,
		.has_ip6 = !is_zero(ip6, 16),
		.ip_be = ip_be,
		// RFC 4291 appendix A: the interface identifier from the MAC, its U bit inverted.
		.link_local = {0xfe, 0x80, [8] = mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3],
			       mac[4], mac[5]},
		.label_key = label_key,
	};
	memcpy(cfg->mac, mac, 6);
	memcpy(cfg->ip6, ip6, 16);
}

// RFC 826, answered only when it asks for us.
static enum net_verdict arp_input(struct net_in *in) {
	static const uint8_t request[8] = {0, 1, 8, 0, 6, 4, 0, 1}; // Ethernet, IPv4, 6, 4, request
	const struct net_cfg *cfg = in->cfg;
	uint8_t *arp = in->frame + cfg->l2_len;
	uint8_t *sha = arp + 8, *spa = arp + 14, *tha = arp + 18, *tpa = arp + 24;

	if (in->l3.len < ARP_LEN || memcmp(in->l3.p, request, sizeof(request)) != 0)
		return net_drop(in, RG_DROP_arp_bad);
	memmove(arp, in->l3.p, ARP_LEN); // a priority tag is not sent back
	if (memcmp(tpa, &cfg->ip_be, 4) != 0)
		return net_drop(in, RG_DROP_ip_not_ours);
	// RFC 5227 2.1.1: a probe has sender 0.0.0.0 and wants to hear that the address is taken.
	if ((sha[0] & 1) != 0 || (!net_ip4_is_source(cfg, spa) && !is_zero(spa, 4)))
		return net_drop(in, RG_DROP_arp_bad);
	net_put_eth(in->frame, cfg, in->out->mac, NET_ETHERTYPE_ARP);
	arp[7] = 2;
	memcpy(tha, sha, 10); // sha and spa become tha and tpa
	memcpy(sha, cfg->mac, 6);
	memcpy(spa, &cfg->ip_be, 4);
	in->out->event = RG_STAT_arp_replies;
	in->out->reply_len = cfg->l2_len + ARP_LEN;
	return NET_REPLY;
}

static size_t put_arp_announcement(uint8_t *frame, const struct net_cfg *cfg) {
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct rg_wr w = rg_wr(frame + cfg->l2_len, ARP_LEN);

	net_put_eth(frame, cfg, all, NET_ETHERTYPE_ARP);
	rg_put_be(&w, 0x0001080006040001, 8);
	rg_put(&w, rg_slice(cfg->mac, 6));
	rg_put(&w, rg_slice(&cfg->ip_be, 4));
	rg_put_be(&w, 0, 6);
	rg_put(&w, rg_slice(&cfg->ip_be, 4));
	return cfg->l2_len + w.len;
}

size_t net_announce(const struct net_cfg *cfg, unsigned i, uint8_t frame[NET_ANNOUNCE_MAX]) {
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const struct rg_addr all_nodes = {.ip = {0xff, 2, [15] = 1}};

	i += cfg->has_ip4 ? 0 : 1;
	if (i == 0)
		return put_arp_announcement(frame, cfg);
	if (!cfg->has_ip6 || i > 3)
		return 0;
	if (i == 3)
		return net_put_mld_report(frame, cfg);
	return net_put_advert(frame, cfg, i == 1 ? cfg->ip6 : cfg->link_local, all_nodes_mac,
			      &all_nodes, false);
}

// Takes the tag off: l3 and *type are what follows it. RG_N_STATS when it is one of ours.
static enum rg_stat tag_input(struct net_in *in, uint16_t *type) {
	uint16_t vlan = 0;

	if (*type == NET_ETHERTYPE_TAG) {
		if (in->l3.len < NET_TAG_LEN)
			return RG_DROP_eth_short;
		vlan = net_load16(in->l3.p) & 0xfff;
		*type = net_load16(in->l3.p + 2);
		in->l3 = rg_skip(in->l3, NET_TAG_LEN);
	}
	if (*type == NET_ETHERTYPE_TAG || *type == NET_ETHERTYPE_STAG)
		return RG_DROP_vlan_double;
	return vlan == in->cfg->vlan ? RG_N_STATS : RG_DROP_vlan_other; // 0: priority only
}

enum net_verdict net_input(const struct net_cfg *cfg, uint8_t *frame, size_t len, size_t cap,
			   struct net_rx *out) {
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct net_in in = {.cfg = cfg, .frame = frame, .cap = cap, .out = out};
	bool is_broadcast, is_multicast6;
	enum rg_stat why;
	uint16_t type;

	if (len < NET_ETH_LEN)
		return net_drop(&in, RG_DROP_eth_short);
	in.is_to_us = memcmp(frame, cfg->mac, 6) == 0;
	is_broadcast = memcmp(frame, broadcast, 6) == 0;
	is_multicast6 = frame[0] == 0x33 && frame[1] == 0x33; // RFC 2464 section 7
	memcpy(out->mac, frame + 6, 6);
	// A group address never sends (IEEE 802.3 3.2.3); our own address does not send to us.
	if ((!in.is_to_us && !is_broadcast && !is_multicast6) || (out->mac[0] & 1) != 0 ||
	    memcmp(out->mac, cfg->mac, 6) == 0)
		return net_drop(&in, RG_DROP_eth_not_ours);
	type = net_load16(frame + 12);
	in.l3 = rg_slice(frame + NET_ETH_LEN, len - NET_ETH_LEN);
	why = tag_input(&in, &type);
	if (why != RG_N_STATS)
		return net_drop(&in, why);
	if (type == NET_ETHERTYPE_IP6 && cfg->has_ip6)
		return is_broadcast ? net_drop(&in, RG_DROP_eth_not_ours) : net_ip6_input(&in);
	if (type == NET_ETHERTYPE_ARP && cfg->has_ip4)
		return is_multicast6 ? net_drop(&in, RG_DROP_eth_not_ours) : arp_input(&in);
	if (!in.is_to_us) // RFC 1122 3.3.6: no IPv4 that came as a link-layer broadcast
		return net_drop(&in, RG_DROP_eth_not_ours);
	return type == NET_ETHERTYPE_IP4 && cfg->has_ip4 ? net_ip4_input(&in)
							 : net_drop(&in, RG_DROP_eth_type);
}
