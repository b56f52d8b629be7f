// SPDX-License-Identifier: BSD-3-Clause
// The generator: clients of a few bytes each, their wire and their records. One thread, one port.
#pragma once

#include "hist.h"
#include "load.h"
#include "progress.h"

// --- gen.c: the generator
enum client_state { CLIENT_NEW, CLIENT_SYN_SENT, CLIENT_OPEN };
struct ssl_clients;

struct client {
	uint32_t snd_nxt, rcv_nxt, ts_recent;
	uint32_t n_sealed, n_opened; // records
	uint32_t picked_at;          // number of the last request made for it
	uint8_t state;               // enum client_state
	bool is_ack_due;             // an answer came that nothing has acknowledged
	uint8_t flow;                // gen_ssl.c: 1 + its flow, 0 = TLS is preset
	uint64_t due_tsc;            // when its request under way was to be sent
};
static_assert(sizeof(struct client) <= 64, "tiny");

struct request { // sealed beforehand
	uint32_t client;
	uint16_t len;
	uint64_t sum; // of rec, not folded
	uint8_t rec[LOAD_REQUEST_LEN + 40];
};

struct gen_stats {                     // since the start, but for the last line
	uint64_t n_opened;             // connections
	uint64_t n_replies, n_checked; // whole records that came; those looked at
	uint64_t n_bad;                // not what a 200 looks like
	uint64_t n_again;              // segments that came twice
	uint64_t n_lost;               // no packet buffer, or nobody who takes it
	uint64_t n_packets;            // sent
	uint64_t idle_tsc, wall_tsc;   // of the last run
};

struct gen {
	uint16_t port;
	bool is_started; // the port
	struct rte_mempool *pool;
	struct rte_mbuf *tx[BURST];
	unsigned n_tx;
	struct client *clients;
	uint32_t n_clients; // of these, the last ones are spare
	uint32_t n_picks;   // requests are made for clients below this
	struct request *requests;
	uint32_t n_requests;
	uint32_t n_made;   // requests, since the start
	uint32_t n_first;  // clients below this have had theirs in turn
	bool is_in_turn;   // until all have
	uint64_t rx_flags; // that the gateway's port would set
	bool is_ack_timed; // else answers are acknowledged by gen_ack_all()
	struct tls_crypt *crypt;
	struct ssl_clients *ssl; // NULL: no client does a handshake
	uint64_t rng;
	double tsc_per_ns;
	uint32_t ts_now;    // ms: our TCP timestamp
	struct hist *hist;  // NULL, or where the time from due_tsc to the answer goes
	uint64_t heard_tsc; // when anything last came
	uint64_t begin_tsc; // of the run
	struct progress *progress;
	struct gen_stats s;
};

// After EAL. 0, or negative with one line in err.
[[nodiscard]] int gen_init(struct gen *g, const struct load_plan *plan, const char *port, char *err,
			   size_t err_len);
void gen_fini(struct gen *g);
// Opens clients [from, to) by the three-way handshake. False when the gateway fell silent.
[[nodiscard]] bool gen_open(struct gen *g, uint32_t from, uint32_t to);
// Makes and seals the requests of one run, for clients picked at random, or in turn. False without a
// cipher.
[[nodiscard]] bool gen_make(struct gen *g);
// Around what is timed: how long it took, and how much of it the generator was idle.
void gen_begin(struct gen *g);
void gen_end(struct gen *g);
double gen_busy(const struct gen *g); // share of the last run
// One turn of a loop that sends: what is queued goes out, what came is taken. False when nothing has
// come for too long, or somebody wants the end.
bool gen_turn(struct gen *g, bool is_busy);
void gen_begin_open(struct gen *g, uint32_t client); // sends the SYN
void gen_send_request(struct gen *g, const struct request *r);
uint32_t gen_draw(struct gen *g, uint32_t n); // below n

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
void gen_ack_all(struct gen *g); // those of is_ack_due

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
void ssl_opened(struct gen *g, uint32_t client);                  // its SYN-ACK came
void ssl_data(struct gen *g, uint32_t client, struct rg_slice d); // in order
uint64_t ssl_n_done(const struct ssl_clients *s); // handshakes that came to their end
uint64_t ssl_n_failed(const struct ssl_clients *s);
unsigned ssl_n_busy(const struct ssl_clients *s);

// --- gen_wire.c
enum { SEG_FIN = 1, SEG_SYN = 2, SEG_RST = 4, SEG_PSH = 8, SEG_ACK = 16 };

struct segment {         // what came, as far as it matters here
	uint32_t client; // by its address; may be no client of ours
	uint32_t seq, ack, ts_val;
	uint8_t flags;
	struct rg_slice data;
};
bool segment_parse(struct rg_slice frame, struct segment *out);

struct tcp_fields {
	uint16_t port; // source
	uint8_t flags;
	uint32_t seq, ack, ts_ecr;
};
uint64_t gen_sum(const uint8_t *p, size_t len); // of 16-bit words in memory order, not folded
// Queues a segment to the gateway; data_sum is gen_sum() of data.
void gen_put(struct gen *g, uint32_t src, const struct tcp_fields *f, struct rg_slice data,
	     uint64_t data_sum);
// The same from a client, whose snd_nxt moves on.
void gen_send(struct gen *g, uint32_t client, uint8_t flags, struct rg_slice data,
	      uint64_t data_sum);
void gen_flush(struct gen *g);

// --- gen_tls.c
// Seals the client's next request.
[[nodiscard]] bool gen_seal(struct gen *g, uint32_t client, struct request *out);
// The client's n-th REGISTER in its masked frame; returns its length, at most LOAD_REQUEST_LEN + 8.
size_t gen_put_frame(uint8_t *f, uint32_t client, uint32_t n);
// Opens the client's next record: is it the 200 to its request?
bool gen_check(struct gen *g, uint32_t client, struct rg_slice record);
