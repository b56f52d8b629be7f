// SPDX-License-Identifier: BSD-3-Clause
// IPv4 and its ICMP: echo is answered, an error about a segment of ours goes to TCP. Runs in a
// worker.
#include "net/net_int.h"

#define ICMP_LEN 8
#define ICMP_ECHO_REPLY 0
#define ICMP_UNREACHABLE 3
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETER 12
// Codes of ICMP_UNREACHABLE.
#define ICMP_PROTOCOL 2
#define ICMP_PORT 3
#define ICMP_FRAGMENTATION_NEEDED 4

// RFC 1122 3.2.1.3: no network 0, loopback, multicast,
// reserved or broadcast. Our own address is a LAND attack or an address conflict.
bool net_ip4_is_source(const struct net_cfg *cfg, const uint8_t ip[4]) {
	return ip[0] != 0 && ip[0] != 127 && ip[0] < 224 && memcmp(ip, &cfg->ip_be, 4) != 0;
}

bool net_is_error4(struct rg_slice icmp) {
	return icmp.len >= ICMP_LEN &&
	       (icmp.p[0] == ICMP_UNREACHABLE || icmp.p[0] == ICMP_TIME_EXCEEDED ||
		icmp.p[0] == ICMP_PARAMETER);
}

bool net_quote4(struct rg_slice quote, struct rg_addr *src, struct rg_addr *dst, uint32_t *seq) {
	size_t hdr_len;

	if (quote.len < NET_IP4_LEN || quote.p[0] >> 4 != 4 || quote.p[9] != NET_PROTO_TCP)
		return false;
	hdr_len = (size_t)(quote.p[0] & 15) * 4;
	// RFC 792: at least 64 bits of what followed. A later fragment has no TCP header.
	if (hdr_len < NET_IP4_LEN || quote.len < hdr_len + 8 ||
	    (net_load16(quote.p + 6) & 0x1fff) != 0)
		return false;
	*src = net_addr4(quote.p + 12);
	*dst = net_addr4(quote.p + 16);
	src->port = net_load16(quote.p + hdr_len);
	dst->port = net_load16(quote.p + hdr_len + 2);
	*seq = net_load32(quote.p + hdr_len + 4);
	return true;
}

static enum net_verdict error_input(struct net_in *in) {
	const uint8_t *icmp = in->out->l4.p;
	struct rg_addr ours = in->out->dst;
	struct net_error *e = &in->out->error;

	if (!net_quote4(rg_skip(in->out->l4, ICMP_LEN), &in->out->dst, &in->out->src, &e->seq) ||
	    memcmp(in->out->dst.ip, ours.ip, sizeof(ours.ip)) != 0)
		return net_drop(in, RG_DROP_icmp_quote);
	e->kind = NET_SOFT;
	if (icmp[0] == ICMP_UNREACHABLE && icmp[1] == ICMP_FRAGMENTATION_NEEDED)
		e->kind = NET_TOO_BIG;
	else if (icmp[0] == ICMP_UNREACHABLE &&
		 (icmp[1] == ICMP_PROTOCOL || icmp[1] == ICMP_PORT)) // RFC 1122 4.2.3.9
		e->kind = NET_HARD;
	e->mtu = e->kind == NET_TOO_BIG ? net_load16(icmp + 6) : 0; // RFC 1191 section 4
	return NET_ERROR;
}

// RFC 792 echo, RFC 1122 3.2.2.6. IP options of the request are not sent back: the answer has a
// fresh 20-byte header.
enum net_verdict net_icmp4_input(struct net_in *in) {
	struct net_rx *out = in->out;
	struct net_head h = {.dst_mac = out->mac,
			     .src = &out->dst,
			     .dst = &out->src,
			     .proto = NET_PROTO_ICMP,
			     .hop_limit = 64,
			     .l4_len = out->l4.len};
	uint8_t *msg = in->frame + in->cfg->l2_len + NET_IP4_LEN;
	uint16_t sum;

	if (out->l4.len < ICMP_LEN || net_sum_fold(net_sum(out->l4.p, out->l4.len)) != 0)
		return net_drop(in, RG_DROP_icmp_bad);
	if (net_is_error4(out->l4))
		return error_input(in);
	if (out->l4.p[0] != ICMP_ECHO || out->l4.p[1] != 0)
		return net_drop(in, RG_DROP_icmp_bad);
	memmove(msg, out->l4.p, out->l4.len);
	out->reply_len = net_put_ip(in->frame, in->cfg, &h) + out->l4.len;
	msg[0] = ICMP_ECHO_REPLY;
	memset(msg + 2, 0, 2);
	sum = net_sum_fold(net_sum(msg, out->l4.len));
	memcpy(msg + 2, &sum, 2);
	out->event = RG_STAT_icmp_echo;
	return NET_REPLY;
}

enum net_verdict net_tcp_input(struct net_in *in) {
	struct net_rx *out = in->out;

	if (out->l4.len >= 4) {
		out->src.port = net_load16(out->l4.p);
		out->dst.port = net_load16(out->l4.p + 2);
	}
	return NET_TCP;
}

// 0 when the header holds its own right checksum.
static uint16_t header_sum(const uint8_t *ip, size_t len) {
	uint64_t a, b;
	uint32_t c;

	if (len != NET_IP4_LEN)
		return net_sum_fold(net_sum(ip, len));
	memcpy(&a, ip, sizeof(a));
	memcpy(&b, ip + 8, sizeof(b));
	memcpy(&c, ip + 16, sizeof(c));
	return net_sum_fold((a & UINT32_MAX) + (a >> 32) + (b & UINT32_MAX) + (b >> 32) + c);
}

enum net_verdict net_ip4_input(struct net_in *in) {
	const uint8_t *ip = in->l3.p;
	size_t hdr_len, total_len;

	if (in->l3.len < NET_IP4_LEN || ip[0] >> 4 != 4)
		return net_drop(in, RG_DROP_ip_bad);
	hdr_len = (size_t)(ip[0] & 15) * 4;
	total_len = net_load16(ip + 2);
	// RFC 791 3.1; total_len below the frame's is Ethernet padding.
	if (hdr_len < NET_IP4_LEN || total_len < hdr_len || total_len > in->l3.len)
		return net_drop(in, RG_DROP_ip_bad);
	if (header_sum(ip, hdr_len) != 0) // RFC 1122 3.2.1.2
		return net_drop(in, RG_DROP_ip_checksum);
	if (memcmp(ip + 16, &in->cfg->ip_be, 4) != 0)
		return net_drop(in, RG_DROP_ip_not_ours);
	if (!net_ip4_is_source(in->cfg, ip + 12))
		return net_drop(in, RG_DROP_ip_bad);
	if ((net_load16(ip + 6) & 0x3fff) != 0) // more fragments, or an offset
		return net_drop(in, RG_DROP_ip_fragment);
	in->out->src = net_addr4(ip + 12);
	in->out->dst = net_addr4(ip + 16);
	in->out->l4 = rg_slice(ip + hdr_len, total_len - hdr_len);
	if (ip[9] == NET_PROTO_ICMP)
		return net_icmp4_input(in);
	return ip[9] == NET_PROTO_TCP ? net_tcp_input(in) : net_drop(in, RG_DROP_ip_proto);
}
