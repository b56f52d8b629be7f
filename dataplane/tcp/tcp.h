// SPDX-License-Identifier: BSD-3-Clause
// TCP (RFC 9293), an engine without I/O: segments and now_ns in, segments and events out through
// struct tcp_ops. All memory is taken in tcp_new(). One worker owns one engine. Connections
// are slots named by index; a slot's generation tells two uses apart.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regate/addr.h"
#include "regate/clock.h"
#include "regate/slice.h"
#include "regate/stats.h"

struct tcp;

#define TCP_MAX_CONNS 0xffffffu // of one engine
#define TCP_MAX_BUFFERS 0xffffffu
#define TCP_MAX_LOCALS 256
#define TCP_QUICK_ALWAYS 16 // quick_acks: no ACK is delayed

struct tcp_cfg {
	uint32_t max_conns; // at most TCP_MAX_CONNS
	uint32_t n_buffers; // 2 KiB chunks shared by send queues and reassembly; TCP_MAX_BUFFERS
	const struct rg_addr *locals; // our addresses, copied; the port is not looked at
	uint16_t n_locals;            // TCP_MAX_LOCALS
	uint16_t listen_port;         // 0: none, a client only
	uint16_t mss;         // we announce and send at most over IPv4, 1460; over IPv6 20 less
	uint32_t rcv_wnd;     // bytes, window we offer: 65535 without scaling
	uint32_t snd_max;     // bytes queued per connection at most; 8 KiB while buffers are scarce
	uint32_t keepalive_s; // silence until the peer is asked whether it lives; 0: never
	uint8_t quick_acks;   // data segments of a connection acknowledged at once, at most 15
	uint32_t max_time_wait; // records of 64 bytes; 0: a quarter of max_conns, at least 64
	uint8_t secret[32];     // SYN cookies and table hash
};

enum tcp_end {           // why a connection has gone
	TCP_END_CLOSED,  // both sides closed
	TCP_END_RESET,   // RST from the peer, to tcp_connect() too
	TCP_END_TIMEOUT, // retransmissions used up, no FIN of the peer's a minute after ours, or not
			 // all acknowledged five minutes after tcp_close(): RST sent
	TCP_END_UNREACHABLE, // an ICMP error answered tcp_connect()
	TCP_END_ABORTED,     // tcp_abort(), or the peer went on after tcp_close(): RST sent
};

struct tcp_in {
	struct rg_addr src, dst;
	uint8_t mac[6];
	struct rg_slice seg; // header and data; the caller has verified the checksum
	uint32_t hash;       // by tcp_rx_hash()
	bool has_hash;
};

struct tcp_out {
	struct rg_addr src, dst;
	const uint8_t *mac; // where the peer's last segment came from
	uint8_t header[60]; // checksum field zero
	uint8_t header_len;
	unsigned n_data; // payload pieces
	struct rg_slice data[4];
	size_t data_len; // their sum, at most the peer's MSS
};

// Called inside tcp_input(), tcp_tick() and the calls below. An op may call tcp_send(), tcp_close()
// and tcp_abort() for the connection it is told about.
struct tcp_ops {
	void *ctx;
	void (*output)(void *ctx, const struct tcp_out *o);
	// A connection is established. Nonzero refuses it: it is aborted and `ended` is not called.
	int (*opened)(void *ctx, uint32_t idx, uint64_t now_ns);
	// In-order bytes, consumed in full by the callee.
	void (*data)(void *ctx, uint32_t idx, struct rg_slice d, uint64_t now_ns);
	// Bytes were acknowledged and room was freed.
	void (*sent)(void *ctx, uint32_t idx, uint64_t now_ns);
	// FIN from the peer, after all its data. Half-closed: we may still send, then tcp_close().
	void (*peer_closed)(void *ctx, uint32_t idx, uint64_t now_ns);
	// The connection has gone (at most a TIME-WAIT record is left). The slot's upper state ends here.
	void (*ended)(void *ctx, uint32_t idx, enum tcp_end why, uint64_t now_ns);
};

[[nodiscard]] struct tcp *tcp_new(const struct tcp_cfg *cfg, const struct tcp_ops *ops,
				  struct rg_stats *stats); // NULL without memory
void tcp_free(struct tcp *t);                              // accepts NULL

// Three stages before tcp_input() for who has several segments in hand: the last two ask the memory
// for what the next one reads. All may be left out, and change nothing but time.
void tcp_rx_hash(const struct tcp *t, struct tcp_in *in);
void tcp_rx_prefetch_entry(const struct tcp *t, const struct tcp_in *in);
// The slot it is probably for, to fetch the upper layer's part; or TCP_NO_SLOT.
#define TCP_NO_SLOT 0xffffffu
uint32_t tcp_rx_prefetch(const struct tcp *t, const struct tcp_in *in);
// Does a segment bring more than a header, as far as one can tell before it is checked?
static inline bool tcp_has_data(struct rg_slice seg) {
	return seg.len > 13 && seg.len > (size_t)(seg.p[12] >> 4) * 4;
}
void tcp_input(struct tcp *t, const struct tcp_in *in, uint64_t now_ns);
// An ICMP error about a segment of ours. What is not about one in flight is a forgery or late, and
// ignored (RFC 5927 4.1); of the others only the first two do something.
enum tcp_icmp {
	TCP_ICMP_TOO_BIG, // IPv4 "fragmentation needed", IPv6 "packet too big": smaller segments
	TCP_ICMP_HARD, // port, protocol, ... unreachable: ends what tcp_connect() began (RFC 5461 4)
	TCP_ICMP_SOFT, // the rest
};
struct tcp_error {
	enum tcp_icmp kind;
	uint32_t mtu;               // TCP_ICMP_TOO_BIG: what the router said, 0 from old ones
	struct rg_addr local, peer; // of the quoted segment
	uint32_t seq;
};
void tcp_icmp_error(struct tcp *t, const struct tcp_error *e, uint64_t now_ns);
// Fires due timers, at most `budget` of them. Call when tcp_next_deadline() has passed.
void tcp_tick(struct tcp *t, uint64_t now_ns, unsigned budget);
uint64_t tcp_next_deadline(const struct tcp *t); // RG_NEVER = none; may be early, never late

// Asks the memory for what a call below reads of the connection: for who has several to call.
void tcp_prefetch(const struct tcp *t, uint32_t idx);
// Opens a connection from one of our addresses and a port of the caller's choice. `opened` follows,
// or `ended` when it comes to nothing (four minutes without an answer). 0; -EADDRNOTAVAIL (local is
// not ours), -EADDRINUSE (it exists, or is in TIME-WAIT), -ENOBUFS (table full).
[[nodiscard]] int tcp_connect(struct tcp *t, const struct rg_addr *local,
			      const struct rg_addr *peer, const uint8_t mac[6], uint64_t now_ns,
			      uint32_t *idx);
// Bytes that tcp_send() would take now.
size_t tcp_send_room(const struct tcp *t, uint32_t idx);
// Queues d whole and sends what windows allow. 0, -ENOBUFS (nothing queued), RG_E_STALE (closing or gone).
[[nodiscard]] int tcp_send(struct tcp *t, uint32_t idx, struct rg_slice d, uint64_t now_ns);
// FIN after what is queued, which the peer has five minutes to take, however slowly it reads. No
// more tcp_send(); what the peer still sends is thrown away. Before `opened` it is tcp_abort()
// (RFC 9293 3.10.4 would close a half-open connection with a FIN).
// XXX there is no half-close of ours: whoever closes first hears no more of the peer.
void tcp_close(struct tcp *t, uint32_t idx, uint64_t now_ns);
// RST now; `ended` follows before it returns (but inside `opened`).
void tcp_abort(struct tcp *t, uint32_t idx, uint64_t now_ns);

bool tcp_is_open(const struct tcp *t, uint32_t idx); // established, close-wait: may send
uint32_t tcp_gen(const struct tcp *t, uint32_t idx); // never 0
const struct rg_addr *tcp_peer(const struct tcp *t, uint32_t idx);
uint32_t tcp_n_conns(const struct tcp *t);     // slots in use
uint32_t tcp_n_time_wait(const struct tcp *t); // records in use
uint32_t tcp_n_free_buffers(const struct tcp *t);
