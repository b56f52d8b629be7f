// SPDX-License-Identifier: BSD-3-Clause
// ICMPv6 (RFC 4443): echo, neighbour solicitations (RFC 4861) and listener queries (RFC 9777) are
// answered, an error about a segment of ours goes to TCP. Runs in a worker.
#include "net/net_int.h"

#define ICMP_LEN 8
#define ICMP_UNREACHABLE 1
#define ICMP_TOO_BIG 2
#define ICMP_PARAMETER 4
#define ICMP_ECHO 128
#define ICMP_ECHO_REPLY 129
#define MLD_QUERY 130
#define ND_SOLICIT 135
#define ND_ADVERT 136
#define MLD2_REPORT 143
#define ND_LEN 24 // without options
#define ND_OPT_LINK 8
#define ND_OPT_SOURCE_LINK 1
#define ND_OPT_TARGET_LINK 2
#define MLD_QUERY_LEN 24 // of version 1; version 2 adds to it
#define MLD_REPORT_LEN (8 + 2 * 20)
#define ROUTER_ALERT_LEN 8 // a hop-by-hop header of it

static bool is_unspecified(const struct rg_addr *a) {
	static const struct rg_addr zero;

	return memcmp(a->ip, zero.ip, sizeof(zero.ip)) == 0;
}

static enum net_verdict reply(struct net_in *in, size_t len, enum rg_stat what) {
	in->out->reply_len = len;
	in->out->event = what;
	return NET_REPLY;
}

// Writes headers and checksum around a message that stands where it belongs.
static size_t put_around(uint8_t *frame, const struct net_cfg *cfg, const struct net_head *h,
			 uint8_t *msg) {
	size_t head_len = net_put_ip(frame, cfg, h);
	uint16_t sum;

	memset(msg + 2, 0, 2);
	sum = net_l4_checksum(h->src, h->dst, NET_PROTO_ICMP6, rg_slice(msg, h->l4_len));
	memcpy(msg + 2, &sum, 2);
	return head_len + h->l4_len;
}

static enum net_verdict echo_input(struct net_in *in) {
	struct net_rx *out = in->out;
	uint8_t *msg = in->frame + in->cfg->l2_len + NET_IP6_LEN;
	struct net_head h = {.dst_mac = out->mac,
			     .src = &out->dst,
			     .dst = &out->src,
			     .proto = NET_PROTO_ICMP6,
			     .hop_limit = 64,
			     .l4_len = out->l4.len};

	// RFC 4443 4.2 would answer one to a group: that amplifies, and helps nobody find us.
	if (out->dst.ip[0] == 0xff || is_unspecified(&out->src) || out->l4.p[1] != 0)
		return net_drop(in, RG_DROP_icmp_bad);
	memmove(msg, out->l4.p, out->l4.len);
	msg[0] = ICMP_ECHO_REPLY;
	return reply(in, put_around(in->frame, in->cfg, &h, msg), RG_STAT_icmp_echo);
}

size_t net_put_advert(uint8_t *frame, const struct net_cfg *cfg, const uint8_t ip[16],
		      const uint8_t dst_mac[6], const struct rg_addr *dst, bool is_solicited) {
	uint8_t *msg = frame + cfg->l2_len + NET_IP6_LEN;
	struct rg_wr w = rg_wr(msg, ND_LEN + ND_OPT_LINK);
	struct rg_addr src = net_addr6(ip);
	struct net_head h = {.dst_mac = dst_mac,
			     .src = &src,
			     .dst = dst,
			     .proto = NET_PROTO_ICMP6,
			     .hop_limit = 255,
			     .l4_len = ND_LEN + ND_OPT_LINK};

	rg_put_be(&w, (uint64_t)ND_ADVERT << 24, 4);
	rg_put_be(&w, is_solicited ? 0x60000000 : 0x20000000, 4); // S, O; we are no router
	rg_put(&w, rg_slice(src.ip, 16));
	rg_put_be(&w, ND_OPT_TARGET_LINK << 8 | 1, 2);
	rg_put(&w, rg_slice(cfg->mac, 6));
	return put_around(frame, cfg, &h, msg);
}

// RFC 4861 7.1.1. A source link-layer option in a probe is refused.
static bool are_nd_options_ok(struct rg_slice opts, bool is_probe) {
	while (opts.len > 0) {
		size_t len = opts.len < 2 ? 0 : opts.p[1] * 8u;

		if (len == 0 || len > opts.len || (is_probe && opts.p[0] == ND_OPT_SOURCE_LINK))
			return false;
		opts = rg_skip(opts, len);
	}
	return true;
}

static enum net_verdict solicit_input(struct net_in *in) {
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const struct rg_addr all_nodes = {.ip = {0xff, 2, [15] = 1}};
	struct net_rx *out = in->out;
	struct rg_slice nd = out->l4;
	bool is_probe = is_unspecified(&out->src);
	uint8_t target[16];
	struct rg_addr group;

	if (in->l3.p[7] != 255 || nd.len < ND_LEN || nd.p[1] != 0 || nd.p[8] == 0xff ||
	    !are_nd_options_ok(rg_skip(nd, ND_LEN), is_probe))
		return net_drop(in, RG_DROP_nd_bad);
	memcpy(target, nd.p + 8, 16);
	if (!net_ip6_is_ours(in->cfg, target))
		return net_drop(in, RG_DROP_ip_not_ours);
	group = net_solicited_node(target);
	if (is_probe && memcmp(out->dst.ip, group.ip, 16) != 0)
		return net_drop(in, RG_DROP_nd_bad);
	if (in->cap < (size_t)in->cfg->l2_len + NET_IP6_LEN + ND_LEN + ND_OPT_LINK)
		return net_drop(in, RG_DROP_no_mbuf);
	// RFC 4861 7.2.4: to who asked, and to all when a probe has no address to answer.
	return reply(in,
		     is_probe ? net_put_advert(in->frame, in->cfg, target, all_nodes_mac,
					       &all_nodes, false)
			      : net_put_advert(in->frame, in->cfg, target, out->mac, &out->src,
					       true),
		     RG_STAT_nd_replies);
}

// XXX speaks version 2 only: behind a switch whose querier speaks version 1 the groups are unknown
// to it, and neighbours find us by what floods or by our announcements.
size_t net_put_mld_report(uint8_t *frame, const struct net_cfg *cfg) {
	static const uint8_t routers_mac[6] = {0x33, 0x33, 0, 0, 0, 0x16};
	static const struct rg_addr routers = {.ip = {0xff, 2, [15] = 0x16}};
	const uint8_t *const ips[2] = {cfg->ip6, cfg->link_local};
	uint8_t *ext = frame + cfg->l2_len + NET_IP6_LEN, *msg = ext + ROUTER_ALERT_LEN;
	struct rg_wr w = rg_wr(ext, ROUTER_ALERT_LEN + MLD_REPORT_LEN);
	struct rg_addr src = net_addr6(cfg->link_local);
	struct net_head h = {.dst_mac = routers_mac,
			     .src = &src,
			     .dst = &routers,
			     .proto = NET_PROTO_HOP_BY_HOP,
			     .hop_limit = 1,
			     .l4_len = ROUTER_ALERT_LEN + MLD_REPORT_LEN};
	size_t head_len = net_put_ip(frame, cfg, &h);
	uint16_t sum;

	rg_put_be(&w, 0x3a00050200000100, ROUTER_ALERT_LEN); // ICMPv6 next; RFC 2711; PadN
	rg_put_be(&w, (uint64_t)MLD2_REPORT << 56 | 2, 8);   // two groups
	for (unsigned i = 0; i < 2; i++) {
		struct rg_addr group = net_solicited_node(ips[i]);

		rg_put_be(&w, 0x02000000, 4); // excludes no source: all may send to it
		rg_put(&w, rg_slice(group.ip, 16));
	}
	sum = net_l4_checksum(&src, &routers, NET_PROTO_ICMP6, rg_slice(msg, MLD_REPORT_LEN));
	memcpy(msg + 2, &sum, 2);
	return head_len + w.len;
}

// RFC 9777 5.1, 6.2: only from a neighbour. Answered at once; with so few groups there is nothing
// to spread over the time it grants.
static enum net_verdict query_input(struct net_in *in) {
	const struct net_rx *out = in->out;

	if (in->l3.p[7] != 1 || out->src.ip[0] != 0xfe || (out->src.ip[1] & 0xc0) != 0x80 ||
	    out->l4.len < MLD_QUERY_LEN)
		return net_drop(in, RG_DROP_icmp_bad);
	if (in->cap < NET_ANNOUNCE_MAX)
		return net_drop(in, RG_DROP_no_mbuf);
	return reply(in, net_put_mld_report(in->frame, in->cfg), RG_STAT_mld_reports);
}

bool net_is_error6(struct rg_slice icmp) {
	return icmp.len >= ICMP_LEN && icmp.p[0] >= ICMP_UNREACHABLE && icmp.p[0] <= ICMP_PARAMETER;
}

static enum net_verdict error_input(struct net_in *in) {
	struct rg_slice icmp = in->out->l4;
	struct rg_addr ours = in->out->dst;
	struct net_error *e = &in->out->error;

	if (is_unspecified(&in->out->src) ||
	    !net_quote6(rg_skip(icmp, ICMP_LEN), &in->out->dst, &in->out->src, &e->seq) ||
	    memcmp(in->out->dst.ip, ours.ip, sizeof(ours.ip)) != 0)
		return net_drop(in, RG_DROP_icmp_quote);
	e->kind = icmp.p[0] == ICMP_TOO_BIG ? NET_TOO_BIG : NET_SOFT;
	e->mtu = e->kind == NET_TOO_BIG ? net_load32(icmp.p + 4) : 0; // RFC 8201
	// RFC 5461 section 4: port, policy; and who does not know TCP (RFC 4443 3.4).
	if ((icmp.p[0] == ICMP_UNREACHABLE && (icmp.p[1] == 4 || icmp.p[1] == 1)) ||
	    (icmp.p[0] == ICMP_PARAMETER && icmp.p[1] == 1))
		e->kind = NET_HARD;
	return NET_ERROR;
}

enum net_verdict net_icmp6_input(struct net_in *in) {
	struct net_rx *out = in->out;

	if (out->l4.len < ICMP_LEN ||
	    net_l4_checksum(&out->src, &out->dst, NET_PROTO_ICMP6, out->l4) != 0)
		return net_drop(in, RG_DROP_icmp_bad);
	if (net_is_error6(out->l4))
		return error_input(in);
	switch (out->l4.p[0]) {
	case ICMP_ECHO:
		return echo_input(in);
	case MLD_QUERY:
		return query_input(in);
	case ND_SOLICIT:
		return solicit_input(in);
	default:
		return net_drop(in, RG_DROP_icmp_bad);
	}
}
