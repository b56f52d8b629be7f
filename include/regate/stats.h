// SPDX-License-Identifier: BSD-3-Clause
// Counters of one worker. One writer (that worker); the control plane reads them with relaxed
// loads. A refused packet, connection or message ends in exactly one counter of the drop list.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

// X(name, text for operators)
#define RG_STAT_LIST(X)                                                                         \
	X(rx_packets, "packets received")                                                       \
	X(rx_bytes, "bytes received")                                                           \
	X(tx_packets, "packets sent")                                                           \
	X(tx_bytes, "bytes sent")                                                               \
	X(handoff, "packets handed to the worker that owns the flow")                           \
	X(relayed, "packets sent through another worker's queue")                               \
	X(polls, "poll rounds")                                                                 \
	X(polls_busy, "poll rounds that found work")                                            \
	X(busy_ns, "nanoseconds in these")                                                      \
	X(sleeps, "times the worker slept")                                                     \
	X(arp_replies, "ARP requests answered")                                                 \
	X(icmp_echo, "ICMP echoes answered")                                                    \
	X(nd_replies, "neighbour solicitations answered")                                       \
	X(mld_reports, "multicast listener queries answered")                                   \
	X(icmp_errors, "ICMP errors about segments of ours")                                    \
	X(tcp_segs_in, "TCP segments accepted")                                                 \
	X(tcp_segs_out, "TCP segments sent")                                                    \
	X(tcp_retransmits, "TCP segments sent again")                                           \
	X(tcp_opened, "TCP connections established")                                            \
	X(tcp_closed, "TCP connections ended")                                                  \
	X(tcp_path_mtu, "TCP segments made smaller for their path")                             \
	X(tls_handshakes, "TLS handshakes completed")                                           \
	X(http_requests, "HTTP requests")                                                       \
	X(http_static, "HTTP requests answered from the page")                                  \
	X(http_punted, "HTTP requests passed to the control plane")                             \
	X(ws_opened, "WebSocket connections opened")                                            \
	X(ws_pings, "WebSocket pings sent")                                                     \
	X(sip_messages, "SIP messages received")                                                \
	X(reg_local_ok, "REGISTER answered 200 locally")                                        \
	X(reg_refused, "REGISTER refused locally")                                              \
	X(reg_punted, "REGISTER passed to the control plane")                                   \
	X(reg_moved, "rule 13: REGISTER answered 200 locally that moved to this connection")    \
	X(reg_core_due, "rule 11: REGISTER answered 200 locally, and the core asked behind it") \
	X(why_dereg, "rule 4: de-registration, passed on")                                      \
	X(why_token_new, "rule 5: token that the worker does not know, passed on")              \
	X(why_initial, "rule 8: initial REGISTER, passed on")                                   \
	X(why_changed, "rule 9: Contact, Call-ID or lease changed, passed on")                  \
	X(why_stale, "rule 10: registration to be renewed in the core, passed on")              \
	X(why_core_due, "rule 11: core's binding too short for an answer, passed on")           \
	X(why_short, "rule 14: core's binding under the floor, passed on")                      \
	X(why_two_tokens, "rule 1: more than one token, 400")                                   \
	X(why_no_token, "rule 5: no token, 401")                                                \
	X(why_bad_token, "rule 5: no token of ours, 401")                                       \
	X(why_token_ended, "rule 5: token expired, 401")                                        \
	X(why_token_ending, "rule 5: too little left of the token, 401")                        \
	X(why_lease_ending, "rule 5: lease ending, 401")                                        \
	X(why_identity, "rule 6: To or From not the token's, 403")                              \
	X(why_foreign_page, "rule 6: token of another WWSF, 403")                               \
	X(why_cseq, "rule 12: CSeq went back, 500")                                             \
	X(replies, "answers from the control plane sent to a client")                           \
	X(now_conns, "connections, now")                                                        \
	X(now_tcp_slots, "TCP slots in use, now")                                               \
	X(now_tcp_waits, "TCP connections in TIME-WAIT, now")                                   \
	X(now_tcp_buffers, "TCP buffers in use, now")                                           \
	X(now_rx_buffers, "message buffers in use, now")

#define RG_DROP_LIST(X)                                                 \
	X(eth_short, "frame too short")                                 \
	X(eth_not_ours, "frame for another MAC address")                \
	X(eth_type, "EtherType not served")                             \
	X(vlan_other, "frame of another VLAN")                          \
	X(vlan_double, "frame with two VLAN tags")                      \
	X(arp_bad, "malformed ARP")                                     \
	X(ip_bad, "malformed IP header")                                \
	X(ip_checksum, "wrong IP header checksum")                      \
	X(ip_fragment, "IP fragment")                                   \
	X(ip_extension, "IPv6 extension header not served")             \
	X(ip_routing, "IPv6 routing header")                            \
	X(ip_not_ours, "packet for another IP address")                 \
	X(ip_proto, "IP protocol not served")                           \
	X(icmp_bad, "malformed or unserved ICMP")                       \
	X(icmp_quote, "ICMP error that quotes no segment of ours")      \
	X(nd_bad, "malformed neighbour discovery")                      \
	X(tcp_bad, "malformed TCP header")                              \
	X(tcp_checksum, "wrong TCP checksum")                           \
	X(tcp_port, "TCP port not served")                              \
	X(tcp_no_conn, "TCP segment for no connection")                 \
	X(tcp_cookie, "TCP ACK that completes no handshake")            \
	X(tcp_window, "TCP segment outside the window")                 \
	X(tcp_table_full, "TCP connection table full")                  \
	X(tcp_no_buffer, "TCP buffers used up")                         \
	X(tcp_reset, "TCP connections reset by the peer")               \
	X(tcp_timeout, "TCP connections given up after retransmission") \
	X(tcp_icmp, "ICMP error that changes no TCP connection")        \
	X(tcp_unreachable, "TCP peers out of reach when called")        \
	X(no_mbuf, "no packet buffer")                                  \
	X(tx_full, "transmit queue full")                               \
	X(handoff_full, "hand-over ring full")                          \
	X(tls_bad, "TLS handshake or record refused")                   \
	X(tls_no_memory, "TLS objects used up")                         \
	X(tls_version, "TLS 1.3 not offered")                           \
	X(tls_hello_long, "TLS ClientHello too big")                    \
	X(tls_half_open, "TLS handshakes under way used up")            \
	X(tls_source, "TLS handshakes of one source used up")           \
	X(tls_partial, "TLS records begun by one source used up")       \
	X(http_bad, "malformed HTTP")                                   \
	X(http_too_big, "HTTP head or body too big")                    \
	X(http_not_found, "HTTP path not served")                       \
	X(http_method, "HTTP method not served")                        \
	X(ws_version, "WebSocket version not served")                   \
	X(ws_origin, "WebSocket origin not allowed")                    \
	X(ws_subprotocol, "WebSocket without subprotocol sip")          \
	X(ws_bad, "malformed WebSocket frame")                          \
	X(ws_utf8, "WebSocket text that is not UTF-8")                  \
	X(ws_too_big, "WebSocket message too big")                      \
	X(sip_bad, "malformed SIP")                                     \
	X(sip_method, "SIP method not served on this flow")             \
	X(rate, "flow over its message rate")                           \
	X(idle, "connection idle too long")                             \
	X(pong, "WebSocket pings unanswered")                           \
	X(no_rx_buffer, "message buffers used up")                      \
	X(punt_full, "punt ring full")                                  \
	X(reply_stale, "answer for a connection that has gone")

#define RG_STAT_FIELD(name, text) RG_STAT_##name,
#define RG_DROP_FIELD(name, text) RG_DROP_##name,
enum rg_stat { RG_STAT_LIST(RG_STAT_FIELD) RG_DROP_LIST(RG_DROP_FIELD) RG_N_STATS };
#undef RG_STAT_FIELD
#undef RG_DROP_FIELD

#define RG_FIRST_DROP RG_DROP_eth_short
#define RG_FIRST_WHY RG_STAT_why_dereg // as enum rg_punt_reason, from RG_WHY_DEREG on

struct rg_stats {
	_Atomic(uint64_t) v[RG_N_STATS]; // worker: rw, ctl: ro
};

// For the one writer: no locked instruction.
static inline void rg_stat_add(struct rg_stats *s, enum rg_stat i, uint64_t n) {
	uint64_t v = atomic_load_explicit(&s->v[i], memory_order_relaxed);

	atomic_store_explicit(&s->v[i], v + n, memory_order_relaxed);
}

static inline void rg_stat_inc(struct rg_stats *s, enum rg_stat i) {
	rg_stat_add(s, i, 1);
}

// For what goes up and down ("now_").
static inline void rg_stat_set(struct rg_stats *s, enum rg_stat i, uint64_t v) {
	atomic_store_explicit(&s->v[i], v, memory_order_relaxed);
}

static inline uint64_t rg_stat_get(const struct rg_stats *s, enum rg_stat i) {
	return atomic_load_explicit(&s->v[i], memory_order_relaxed);
}

// Name ("drop_" before a drop reason) and text of a counter.
const char *rg_stat_name(enum rg_stat i);
const char *rg_stat_text(enum rg_stat i);
