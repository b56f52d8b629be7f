// SPDX-License-Identifier: BSD-3-Clause
// A scenario: what is to be measured, how, and against whom. One table of keys (scenario_keys.c) is
// the parser, the defaults, the messages, `regate-bench keys` and the echo in a result.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SCENARIO_MAX_RUNS 101
#define SCENARIO_MAX_CONNS 16000000u
#define SCENARIO_WORD 32 // room for the name of a choice

// In the order of the choices of `driver`.
enum scenario_driver { DRIVER_SOCKET, DRIVER_RING, DRIVER_MEMIF, DRIVER_NIC, N_DRIVERS };

// In the order of the choices of `kind` (RFC 7501 terms where there are any).
enum scenario_kind {
	KIND_REFRESH,     // re-registration on an open connection
	KIND_COLD,        // TCP, full TLS handshake, upgrade, token, first REGISTER
	KIND_RESUMPTION,  // the same with a session ticket
	KIND_IDLE,        // connections that stand and do nothing: what they cost
	KIND_MIXED,       // refreshes while others come and go
	KIND_STORM,       // all connections break and come back at once
	KIND_DEREG,       // registration and de-registration in turn
	KIND_LEASE_API,   // HTTPS: a lease taken, renewed, given back
	KIND_CORE_OUTAGE, // refreshes while the core is away
	KIND_HANDSHAKE,   // handshake, upgrade, first REGISTER out of the lease table
	KIND_LATENCY,     // refreshes of an open loop, alone and amid handshakes
	KIND_FLOOD,       // refreshes and newcomers amid SYNs from everywhere
	KIND_MEMORY,      // bytes of an idle registered connection
	N_KINDS
};

// In the order of the choices of `misbehaviour`: what `misbehaving` further clients do meanwhile.
enum scenario_misbehaviour {
	MISBEHAVE_NONE,
	MISBEHAVE_HALF_HANDSHAKE,  // ClientHello, then silence
	MISBEHAVE_HANDSHAKE_FLOOD, // handshakes begun and dropped, as many as misbehave_rate
	MISBEHAVE_SLOW_HEAD,       // request head, a byte at a time
	MISBEHAVE_SLOW_FRAME,      // WebSocket frame, a byte at a time
	MISBEHAVE_NO_READ,         // answers are never read
	MISBEHAVE_NO_CLOSE,        // the gateway's close is never answered
	MISBEHAVE_BAD_TOKEN,       // REGISTERs with a token that is none
	MISBEHAVE_REPLAY,          // REGISTERs with another connection's token
	MISBEHAVE_OVERSIZE,        // messages above the limit
	N_MISBEHAVIOURS
};

enum scenario_loop { LOOP_AUTO, LOOP_OPEN, LOOP_CLOSED };
enum scenario_tokens { TOKENS_ANONYMOUS, TOKENS_ACCOUNT, TOKENS_FILE, TOKENS_NONE };
enum scenario_suite { SUITE_AES128, SUITE_AES256, SUITE_CHACHA20 };
enum scenario_close { CLOSE_RST, CLOSE_FIN, CLOSE_WS };
enum scenario_group { GROUP_X25519, GROUP_P256 };
enum scenario_loss { LOSS_OFF, LOSS_NONE, LOSS_NDR, LOSS_ISC }; // off, 0, 0.001 %, 2.5 %

// Immutable once loaded. Texts are NULL when not given and without a default.
struct scenario {
	char *name, *about;
	unsigned driver, kind; // enum scenario_driver, _kind
	// load
	unsigned conns;
	unsigned rate;       // per second; 0: what the target can, or what suits the kind
	unsigned loop;       // enum scenario_loop; LOOP_AUTO only in the file: resolved when loaded
	unsigned duration_s; // of one run; 0: until `requests` are answered
	unsigned requests;   // of one run; 0: what suits the kind, or until duration_s is over
	unsigned warmup;     // runs that are not counted
	unsigned runs;
	unsigned window; // under way at once in a closed loop
	unsigned seed;
	unsigned search_loss;    // enum scenario_loss
	unsigned search_from;    // first rate of the search; 0: what a closed loop reached
	unsigned misbehaviour;   // enum scenario_misbehaviour
	unsigned misbehaving;    // clients that do it
	unsigned misbehave_rate; // per second, where it is a rate
	char *cpus;              // "0,1": gateway, generator
	// socket
	char *target;      // host:port
	char *server_name; // SNI, and the name that the certificate must have; NULL: host of target
	char *ca;          // PEM file; NULL: the certificate is not checked
	char *path;        // of the WebSocket
	char *origin;      // NULL: none is sent
	char *domain;      // home domain, in the REGISTER
	char *source;    // "127.0.1.0/24": local addresses taken in turn; NULL: the kernel's choice
	unsigned tokens; // enum scenario_tokens
	char *api;       // URL path prefix of the lease API
	char *user;      // account; "%u" becomes the number of the client
	char *password;  // never echoed
	char *token_file; // lines "impu impi token"
	unsigned suite, group;
	unsigned expires_s;              // asked for in a REGISTER
	unsigned timeout_s;              // of one answer
	unsigned close;                  // enum scenario_close: how a client leaves
	unsigned is_tls_only;            // of kind handshake: no upgrade
	unsigned churn, reconnects;      // of kind mixed: per cent of the operations
	char *restart;                   // of kind storm: command that breaks the connections
	char *outage_begin, *outage_end; // of kind core_outage: commands
	unsigned target_pid;             // 0: not known
	char *target_pidfile;
	// ring, memif, nic
	char *port, *generator_port;
	unsigned is_sum_by_port; // checksums
	unsigned is_ack_after;   // acks
	unsigned batch;          // of the yardstick
	unsigned share;          // percent of the gateway's time that handshakes may take
	unsigned syns;           // of a flood, for each packet of a client
	uint64_t memory_bytes;   // of EAL
	unsigned hugepages;      // as in struct rg_dp_cfg
	char *certificate, *key; // PEM files
};

// One change of a scenario from the command line.
struct scenario_set {
	const char *key, *value;
};

// Reads a file, or `text` under that name when it is not NULL; the sets come last. NULL after each
// mistake was written to err: "FILE:LINE:COL: what, cure".
[[nodiscard]] struct scenario *scenario_load(const char *file, const char *text,
					     const struct scenario_set *sets, size_t n_sets,
					     FILE *err);
void scenario_free(struct scenario *sc); // accepts NULL
// Every key with its value, as in the file: {"conns": 1000, "driver": "ring", "ca": null}. NULL
// without memory. The password is left out.
json_t *scenario_json(const struct scenario *sc);
// The table of keys for people: type, range, default, drivers, meaning. is_markdown: for README.md.
void scenario_print_keys(FILE *out, bool is_markdown);
// The value of a key with choices, as in the file: scenario_word(sc, "kind", word).
const char *scenario_word(const struct scenario *sc, const char *key, char out[SCENARIO_WORD]);
double scenario_loss_share(unsigned loss); // 0, 0.00001, 0.025; negative when off
