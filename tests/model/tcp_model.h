// SPDX-License-Identifier: BSD-3-Clause
// The world of the TCP model test: the engine with its upper layer, peers, a link between them.
#pragma once

#include <check.h>
#include <stdlib.h>

#include "net/net.h"
#include "tcp/tcp.h"

#define N_PEERS 3
#define MAX_BYTES 150000
#define MAX_PACKETS 4096
#define MS RG_NS_PER_MS
#define PEER_RTO_NS (300 * MS)

// Check's own assertions cost a system call each, also when they hold.
#define MUST(x) ((x) ? (void)0 : ck_abort_msg("seed %lu: %s", (unsigned long)seed_now, #x))

extern uint64_t seed_now; // for messages only

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

struct packet {
	uint64_t at_ns;
	unsigned peer;
	bool is_to_peer, is_detectable; // what is wrong with it, if anything is
	uint16_t len;
	uint8_t b[1700], good[1700]; // the frame as it comes, and as it was sent
};

// A peer: positions count from its SYN (0), data is 1 to n_tx, FIN is n_tx + 1; the same for what
// comes from the engine.
struct peer {
	uint32_t isn, irs;
	bool has_irs, is_first_to_close, has_fin;
	uint16_t mss, port;
	uint8_t shift, their_shift;
	bool has_ts, has_sack; // offered, so both sides must use them
	uint32_t ts_start, ts_recent;
	uint32_t n_tx, n_rx; // bytes in each direction
	uint32_t una, nxt, top;
	uint32_t edge;     // what they let us send
	uint32_t got, adv; // next position wanted, edge we promise
	uint32_t told;     // the furthest edge that we ever promised
	uint32_t high;     // above all positions that have come
	uint64_t rto_ns, ack_ns, open_ns;
	bool has_opened;             // at the engine
	bool is_given_up;            // by the engine, after nine tries
	uint8_t have[MAX_BYTES + 2]; // positions that have come
};

struct app { // upper layer of one engine connection
	bool is_up, has_peer_fin, has_closed;
	struct peer *p;
	uint32_t n_got, n_sent;
};

struct world {
	uint64_t rng, now_ns;
	unsigned loss, corrupt, dup, jitter_ms; // per mille, ms
	bool is_bad;                            // the engine may give up
	bool is_over;                           // nobody has anything left to say
	bool is_v6;
	uint32_t max_bytes;
	bool has_renegers; // peers that throw away what they have SACKed
	struct tcp *t;
	struct tcp_cfg cfg;
	struct rg_stats stats;
	unsigned n_peers, n_opened, n_ended, n_given_up, n_packets;
	unsigned n_refused, n_missed; // corrupted packets: by their checksums, and not
	unsigned n_overtaken;         // third packets, and the cookie did not show it
	struct net_cfg nets[2];       // the peers' host, the engine's
	struct peer peers[N_PEERS];
	struct app apps[16];
	struct packet *packets; // MAX_PACKETS
};

struct world_sum {
	unsigned n_dialogues, n_given_up, n_refused, n_missed, n_overtaken;
};

void world_init(struct world *w, uint64_t seed, bool is_bad);
void world_add(const struct world *w, struct world_sum *sum);
// The engine against itself.
void pair_run(uint64_t seed, bool is_bad, struct world_sum *sum);

uint32_t rnd(struct world *w, uint32_t n); // below n
uint8_t pattern(const struct peer *p, bool is_to_peer, uint32_t i);

void link_init(struct world *w);
struct rg_addr link_addr(const struct world *w, bool is_engine, uint16_t port);
void link_put(struct world *w, unsigned peer, bool is_to_peer, const uint8_t *b, size_t len);
// False: it does not pass, or should not have.
bool link_take(struct world *w, struct packet *k, struct net_rx *rx);

void peer_init(struct world *w, struct peer *p, unsigned i);
void peer_input(struct world *w, struct peer *p, const uint8_t *b, size_t len);
void peer_tick(struct world *w, struct peer *p);
bool peer_is_done(const struct peer *p);
