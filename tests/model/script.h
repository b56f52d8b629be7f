// SPDX-License-Identifier: BSD-3-Clause
// Scripted TCP scenarios: segments as text, and the world they happen in (the engine without I/O on
// a virtual clock). The language is described in tcp/README.md.
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tcp/tcp.h"

#define MAX_OPTS 12
#define MAX_PEERS 16
#define MAX_QUEUE 512
#define FIRST_PORT 1000
#define LISTEN_PORT 443
#define MS RG_NS_PER_MS

// Kinds of options beside those of the wire.
enum {
	OPT_EOL = 0,
	OPT_NOP,
	OPT_MSS,
	OPT_WSCALE,
	OPT_SACK_OK,
	OPT_SACK,
	OPT_TS = 8,
	OPT_RAW = 256
};

struct opt {
	unsigned kind;
	unsigned n;    // SACK: blocks; RAW: bytes
	uint32_t v[8]; // MSS, WSCALE, TS: values; SACK: pairs
	uint8_t raw[40];
	bool is_any; // TS: the value is not looked at
};

struct seg { // numbers as in the script: relative
	uint8_t flags;
	uint32_t seq, len, ack;
	int32_t win; // -1: not looked at; sent: 65535
	uint32_t urg, rsv, each;
	int32_t dport, doff, cut; // -1: as it should be
	bool is_other;            // data that differs from what belongs there
	unsigned n_opts;
	struct opt opts[MAX_OPTS];
};

// False: *why says what is not understood. Cuts text up.
bool seg_parse(char *text, struct seg *out, const char **why);
// As the script would have it; leaves out what `like` does not look at (NULL: everything is shown).
void seg_format(const struct seg *s, const struct seg *like, char *out, size_t out_len);
size_t seg_encode_opts(const struct seg *s, uint32_t sack_base, uint32_t val_base,
		       uint32_t ecr_base, uint8_t b[40]);
void seg_decode_opts(struct seg *s, const uint8_t *b, size_t len, uint32_t sack_base,
		     uint32_t val_base, uint32_t ecr_base);

enum event_kind { EV_OPENED, EV_DATA, EV_CLOSED, EV_ENDED };

struct event {
	enum event_kind kind;
	unsigned peer;
	uint32_t n; // DATA: bytes; ENDED: enum tcp_end
	bool is_other;
	uint64_t at_ns;
};

struct sent { // by the engine
	struct seg seg;
	unsigned peer;
	uint64_t at_ns;
};

struct peer {
	uint32_t isn, iss, ts_iss; // bases of the relative numbers: the peer's, the engine's
	bool has_iss, has_ts_iss;
	uint32_t idx; // of the engine's connection
	bool is_up, is_connecting;
	uint32_t n_tx, n_rx; // bytes given to the engine, and by it
};

enum when { WHEN_OPENED, WHEN_DATA, WHEN_CLOSED, N_WHEN };

struct reaction { // what the upper layer does inside an event
	bool is_refused, is_close, is_abort;
	uint32_t send;
};

struct world {
	struct tcp_cfg cfg;
	struct rg_addr local; // the engine's
	struct tcp *t;
	struct rg_stats stats;
	bool is_v6;
	uint64_t now_ns;
	uint32_t isn, ts_base; // of new peers, of every peer's timestamps
	uint32_t last_iss;     // for who has not seen one of his own
	unsigned peer;         // whose turn it is
	struct peer peers[MAX_PEERS];
	struct reaction reactions[N_WHEN];
	struct sent sent[MAX_QUEUE];
	struct event events[MAX_QUEUE];
	unsigned n_sent, n_events;
	// What is being run, for messages.
	const char *file;
	unsigned line;
	bool is_traced, has_failed, is_skipped;
	jmp_buf failed;
};

__attribute__((format(printf, 2, 3), noreturn)) void fail(struct world *w, const char *fmt, ...);

void world_init(struct world *w, unsigned variant);
void world_start(struct world *w); // makes the engine
// Ends what is left, and sees that all of it was given back.
void world_end(struct world *w);
void world_inject(struct world *w, const struct seg *s);
// Lets timers fire until to_ns, or until one of the queues holds something.
void world_advance(struct world *w, uint64_t to_ns, bool is_any_end);
void world_connect(struct world *w, int want);
// mtu counts IPv4's 40 bytes of headers, whatever the family: an MSS and 40.
void world_icmp(struct world *w, enum tcp_icmp kind, uint32_t mtu, uint32_t seq);
void world_send(struct world *w, uint32_t n, int want);
const char *event_text(const struct event *e, char *out, size_t out_len);
