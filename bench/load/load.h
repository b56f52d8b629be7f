// SPDX-License-Identifier: BSD-3-Clause
// What the files of the load bench share. One gateway worker (the production libraries, unchanged)
// and one generator, joined by a pair of rings: the gateway runs on its own thread and does what
// the generator tells it through struct load_shared.
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/core_int.h"
#include "regate/lease.h"
#include "scenario.h"

#define LOAD_GATEWAY_IP 0x0a4d0002u // 10.77.0.2
#define LOAD_GATEWAY_PORT 443
// Clients have the ports from 1024 of 11.0.0.0 to 11.0.0.255, one engine's addresses.
#define LOAD_CLIENT_NET 0x0b000000u
#define LOAD_N_ADDRS 256u
#define LOAD_FIRST_PORT 1024u
#define LOAD_MAX_CLIENTS (LOAD_N_ADDRS * (UINT16_MAX + 1 - LOAD_FIRST_PORT))

#define LOAD_TOKEN_LEN 200u
#define LOAD_REQUEST_LEN 862u
#define LOAD_CALL_ID_LEN 29u

// What a measurement makes of its scenario.
struct load_plan {
	const struct scenario *sc;
	unsigned n_conns;
	unsigned n_spare;    // slots for connections that open during a measurement
	unsigned n_requests; // of one timed run
	unsigned share;      // of the gateway's time that handshakes may take, percent
};

// --- ident.c: everything about a client follows from its number.
struct load_keys {
	uint8_t key[2][16], iv[2][12]; // as the gateway names them: TLS_RD, TLS_WR
};
uint64_t load_mix(uint64_t x); // splitmix64
void load_keys(uint32_t client, struct load_keys *out);
struct rg_addr load_addr(uint32_t client);
uint32_t load_client(const struct rg_addr *a); // whose address it is; no client of ours: any
// The n-th REGISTER of a client.
void load_request(uint32_t client, uint32_t n, uint8_t out[LOAD_REQUEST_LEN]);
// Publishes the leases of clients [from, to). 0 or negative.
[[nodiscard]] int load_leases(struct rg_lease_table *t, struct rg_digester *d, uint32_t from,
			      uint32_t to, uint64_t now_ns);
struct rg_slice load_call_id(uint32_t client, uint8_t out[LOAD_CALL_ID_LEN]);

// --- gateway.c
enum load_cmd {
	LOAD_IDLE,
	LOAD_RUN,    // worker_run() until is_stopping
	LOAD_PRESET, // every connection that is new gets its TLS keys, its WebSocket and its lease
	LOAD_LIMIT,  // the yardstick's refreshes, as many as n_limit
	LOAD_LIMIT_HANDSHAKE, // the same of handshakes
	LOAD_QUIT,
};

// What the process holds, at these times. EAL's and the generator's part lies between WORKER and READY.
enum load_mark {
	MARK_BEGIN,
	MARK_LEASES,
	MARK_WORKER,
	MARK_READY,
	MARK_OPEN,
	MARK_SET,
	MARK_END,
	N_MARKS
};
struct load_memory {
	uint64_t rss, huge; // bytes: all that is resident, hugetlb too; of it in huge pages
};

struct load_shared {
	_Atomic(bool) is_up;       // gateway: w
	_Atomic(bool) is_gone;     // generator: rw; its process has ended
	pid_t pid;                 // of the gateway's process; 0: ours
	_Atomic(int) cmd;          // generator: w; gateway: LOAD_IDLE when it is done
	_Atomic(bool) is_stopping; // generator: w
	struct worker_stats stats; // gateway: w
	uint64_t cpu_ns;           // of the last LOAD_RUN: processor time of the gateway's thread
	uint64_t wall_ns;          // the same
	uint64_t busy_ns;          // the same, of polls that found something
	uint64_t polls_busy;       // the same: how many
	uint64_t allocated; // the same: bytes that this thread took from the heap, and gave back
	bool is_heap_counted;
	uint32_t n_conns; // after the last command
	struct load_memory marks[N_MARKS];
	uint32_t n_limit; // generator: w
	double limit_ns;  // of the last LOAD_LIMIT, for each; not above 0: it cannot be had
};

struct gateway {
	struct rg_dp dp;
	struct rg_cert_file cert;
	struct rg_dp_cfg cfg;
	struct rg_lease_table *leases;
	struct load_shared *sh;
	struct limit *limit; // made when first asked for
	unsigned limit_batch;
	bool is_sum_by_port;
};

// Before EAL: tables, engines, leases. 0, or negative with one line in err.
[[nodiscard]] int gateway_init(struct gateway *g, const struct load_plan *plan,
			       struct load_shared *sh, char *err, size_t err_len);
void gateway_mark(struct load_shared *sh, enum load_mark m);
// After EAL, once the port `name` exists.
[[nodiscard]] int gateway_start(struct gateway *g, const char *port, char *err, size_t err_len);
void gateway_fini(struct gateway *g);
int gateway_main(void *arg); // of its lcore; struct gateway
// Generator's side: starts a command; waits for its end.
void gateway_tell(struct load_shared *sh, enum load_cmd cmd);
void gateway_wait(struct load_shared *sh);    // or for the end of its process
void gateway_stop(struct load_shared *sh);    // ends LOAD_RUN
bool gateway_is_gone(struct load_shared *sh); // a process of its own, and that has ended
