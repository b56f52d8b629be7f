// SPDX-License-Identifier: BSD-3-Clause
// The generator: clients that are connections of dataplane/tcp, their packets and their records. One
// thread, one port, one engine.
#pragma once

#include "hist.h"
#include "load.h"
#include "net/net.h"
#include "progress.h"
#include "tcp/tcp.h"

// --- gen.c: the generator
struct ssl_clients;

struct client {
	uint32_t conn;               // its slot in the engine, once it was opened
	uint32_t n_sealed, n_opened; // records
	uint32_t picked_at;          // number of the last request made for it
	uint16_t left;               // of the record that is coming: bytes of its body
	uint8_t n_head;              // the same: bytes of its header that have come
	uint8_t flow;                // gen_ssl.c: 1 + its flow, 0 = TLS is preset
	uint64_t due_tsc;            // when its request under way was to be sent
};
static_assert(sizeof(struct client) == 32, "two in a cache line");

struct request { // sealed beforehand
	uint32_t client;
	uint16_t len;
	uint8_t rec[LOAD_REQUEST_LEN + 40];
};

struct gen_stats {         // since the start, but for the last line
	uint64_t n_opened; // connections
	uint64_t n_ended;  // connections that the gateway ended, or that came to nothing
	uint64_t n_replies, n_checked; // whole records that came; those looked at
	uint64_t n_bad;                // not what a 200 looks like
	uint64_t n_lost;               // packets without a buffer, or that nobody takes
	uint64_t n_packets;            // sent
	uint64_t busy_tsc, wall_tsc;   // of the last run
};

struct gen {
	uint16_t port;
	bool is_started; // the port
	struct rte_mempool *pool;
	struct rte_mbuf *tx[BURST];
	unsigned n_tx;
	struct tcp *tcp;
	struct net_cfg net;
	struct rg_addr gateway;
	struct client *clients;
	uint32_t n_clients; // of these, the last ones are spare
	uint32_t *owners;   // client of each slot of the engine
	uint32_t n_picks;   // requests are made for clients below this
	struct request *requests;
	uint32_t n_requests;
	uint32_t n_made;     // requests, since the start
	uint32_t n_first;    // clients below this have had theirs in turn
	bool is_in_turn;     // until all have
	bool is_sum_by_port; // the gateway's port makes and verifies checksums
	bool is_ack_timed;   // else answers are acknowledged by gen_ack_all()
	bool has_no_timers;  // now: no delayed ACK falls due
	struct tls_crypt *crypt;
	struct ssl_clients *ssl; // NULL: no client does a handshake
	uint64_t rng;
	double tsc_per_ns, ns_per_tsc;
	uint64_t now_ns;     // the engine's
	struct hist *hist;   // NULL, or where the time from due_tsc to the answer goes
	uint64_t came_tsc;   // when the packets in hand did
	uint64_t heard_tsc;  // when anything last came
	uint64_t turned_tsc; // end of the last turn
	uint64_t begin_tsc;  // of the run
	uint64_t idle_tsc;   // since then
	struct progress *progress;
	struct gen_stats s;
	struct rg_stats stats; // of the engine
};

// After EAL. 0, or negative with one line in err.
[[nodiscard]] int gen_init(struct gen *g, const struct load_plan *plan, const char *port, char *err,
			   size_t err_len);
void gen_fini(struct gen *g);
// Opens clients [from, to) by the three-way handshake. False as for gen_turn().
[[nodiscard]] bool gen_open(struct gen *g, uint32_t from, uint32_t to);
// Makes and seals the requests of one run, for clients picked at random, or in turn. False without a
// cipher.
[[nodiscard]] bool gen_make(struct gen *g);
// Around what is timed: how long it took, and how much of it the generator was idle.
void gen_begin(struct gen *g);
void gen_end(struct gen *g);
double gen_busy(const struct gen *g); // share of the last run
// One turn of a loop that sends: what is queued goes out, what came is taken, timers fire. False when
// nothing has come for too long, a connection has ended, or somebody wants the end.
bool gen_turn(struct gen *g, bool is_busy);
void gen_begin_open(struct gen *g, uint32_t client); // sends the SYN
// False: not now, there is no room for it.
[[nodiscard]] bool gen_send_request(struct gen *g, const struct request *r);
uint32_t gen_draw(struct gen *g, uint32_t n); // below n

// --- gen_client.c: what the engine tells
int client_opened(void *ctx, uint32_t conn, uint64_t now_ns);
void client_data(void *ctx, uint32_t conn, struct rg_slice d, uint64_t now_ns);
void client_sent(void *ctx, uint32_t conn, uint64_t now_ns);
void client_peer_closed(void *ctx, uint32_t conn, uint64_t now_ns);
void client_ended(void *ctx, uint32_t conn, enum tcp_end why, uint64_t now_ns);

// --- gen_loop.c: sends what gen_make() made, until all is answered. False as for gen_turn().
// At most `window` unanswered at a time.
[[nodiscard]] bool gen_closed_loop(struct gen *g, unsigned window);

struct open_loop {
	double rate;       // per second, with random gaps
	unsigned room;     // what is due while as many are unanswered is lost; 0: nothing is
	unsigned n_takers; // clients from n_picks on that take turns at handshakes; 0: none do
	uint32_t next_taker;
	uint64_t n_late, n_lost; // sent more than a tenth of a millisecond late; lost
	double sent_s;           // from the first to the last that was sent
};
[[nodiscard]] bool gen_open_loop(struct gen *g, struct open_loop *l);
void gen_ack_all(struct gen *g); // what has not been acknowledged

// --- gen_ssl.c: clients with a real handshake, GEN_N_FLOWS at once
#define GEN_N_FLOWS 64
enum ssl_kind {
	SSL_FULL,  // OpenSSL's client: handshake, upgrade, first REGISTER
	SSL_ONLY,  // the same, done with the handshake
	SSL_HELLO, // one recorded ClientHello, and RST for the answer: costs the generator nothing
};
[[nodiscard]] struct ssl_clients *ssl_clients_new(enum ssl_kind kind); // NULL without memory
void ssl_clients_free(struct ssl_clients *s);                          // accepts NULL
// Sends the SYN of a client that is to do a handshake. False when as many as `window` are at it.
bool ssl_begin(struct gen *g, uint32_t client, unsigned window);
void ssl_opened(struct gen *g, uint32_t client);
void ssl_data(struct gen *g, uint32_t client, struct rg_slice d); // in order
void ssl_ended(struct gen *g, uint32_t client);                   // before it was done
uint64_t ssl_n_done(const struct ssl_clients *s); // handshakes that came to their end
uint64_t ssl_n_failed(const struct ssl_clients *s);
unsigned ssl_n_busy(const struct ssl_clients *s);

// --- gen_wire.c: between engine and port
extern const uint8_t gen_gateway_mac[6];
void gen_wire_init(struct gen *g);
void gen_output(void *ctx, const struct tcp_out *o); // queues a segment; the op of the engine
void gen_flush(struct gen *g);
unsigned gen_poll(struct gen *g); // gives the engine what came; returns the packets

// --- gen_tls.c
// Seals the client's next request.
[[nodiscard]] bool gen_seal(struct gen *g, uint32_t client, struct request *out);
// The client's n-th REGISTER in its masked frame; returns its length, at most LOAD_REQUEST_LEN + 8.
size_t gen_put_frame(uint8_t *f, uint32_t client, uint32_t n);
// Opens the client's next record: is it the 200 to its request?
bool gen_check(struct gen *g, uint32_t client, struct rg_slice record);
