// SPDX-License-Identifier: BSD-3-Clause
// The dataplane as the control plane sees it: start, stop, punts up, replies down, counters.
// All functions are called from the control thread. Implemented in dataplane/core.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regate/cert.h"
#include "regate/lease.h"
#include "regate/punt.h"
#include "regate/slice.h"
#include "regate/stage.h"
#include "regate/stats.h"

struct rg_dp;

struct rg_origin {          // one allowed Origin, normalised (lower case, no default port)
	const char *origin; // "https://wwsf.example.net"
	uint16_t wwsf;      // index of the WWSF it belongs to
};

struct rg_file {                  // one file of the WIC page, answered in the worker
	const char *path;         // "/", "/wic.js"
	struct rg_slice response; // whole HTTP response, head and body
	size_t head_len;          // bytes of `response` that a HEAD request gets
};

// How one REGISTER is judged and answered in a worker (ims.md 4.3).
struct rg_reg_cfg {
	const char *realm;        // of the Bearer challenge
	const char *authz_server; // https URI of the challenge
	uint32_t client_max_s;    // longest time granted to a client
	uint32_t client_min_s;    // floor, 60
	uint32_t guard_s;         // promise nothing in the last guard_s of the core's binding
	uint32_t rate_per_s, rate_burst; // REGISTERs per flow
	bool is_cseq_strict;             // a CSeq that went back is answered 500
	bool has_opaque;                 // tokens that are no JWT may be somebody's, too
};

struct rg_dp_test {         // only regated-test obeys; rg_dp_check() refuses it elsewhere
	const char *impair; // of what the port sends and receives, NULL: nothing
	bool is_echo;       // a WebSocket subprotocol that echoes
};

struct rg_tls_cfg {
	uint32_t max_half_open;   // connections of a worker amid their handshake
	uint32_t max_per_source;  // of these, of one address; 0 = all
	uint32_t handshake_share; // percent of a worker's time
	uint32_t n_tickets;       // per handshake: 0 = sessions are not resumed, 1
	uint32_t ticket_life_s;
	uint64_t ticket_offset_ns; // from CLOCK_BOOTTIME to UTC, for periods that gateways share
	uint8_t ticket_secret[32];
};

struct rg_dp_cfg {          // borrowed until rg_dp_stop()
	const char *port;   // vdev with arguments ("net_tap0,iface=dtap0") or PCI address
	const char *lcores; // CPU list, one worker each: "1,2"
	unsigned n_workers;
	unsigned memory_mib;
	enum { RG_HUGE_AUTO, RG_HUGE_YES, RG_HUGE_NO } hugepages;
	bool is_busy;                                                 // never sleep
	enum { RG_SUM_AUTO, RG_SUM_SOFTWARE, RG_SUM_PORT } checksums; // who computes them
	uint8_t mac[6];
	uint32_t ip_be;                   // our IPv4 address, 0: none
	uint8_t ip6[16];                  // our IPv6 address, all zero: none
	uint16_t vlan;                    // of our frames, 0: untagged
	uint16_t listen_port;             // TCP, host order
	uint32_t max_conns;               // per worker
	const struct rg_cert_file *certs; // the first is for names that nobody has
	size_t n_certs;
	struct rg_tls_cfg tls;
	const struct rg_origin *origins;
	size_t n_origins;
	bool is_origin_optional; // accept a WebSocket upgrade without Origin
	const char *ws_path;     // "/w2"
	const struct rg_file *files;
	size_t n_files;
	const char *const *post_paths; // what a long body may be posted to
	size_t n_post_paths;
	struct rg_reg_cfg reg;
	const struct rg_lease_table *leases;
	uint8_t digest_key[RG_DIGEST_KEY_LEN];
	uint8_t secret[32];                 // random: flow hash and label, ISN, cookies
	uint32_t ws_ping_s, ws_pong_misses; // server pings, misses tolerated
	uint32_t head_timeout_s;            // TLS handshake plus HTTP head; one WebSocket message
	uint32_t idle_timeout_s;            // HTTP keep-alive
	uint32_t unbound_timeout_s;         // WebSocket without a registration
	uint32_t tcp_keepalive_s;           // silence until the peer is asked; 0: never
	struct rg_dp_test test;
};

// First thing in main(), before any thread and any use of OpenSSL: has OpenSSL wipe what it frees,
// and blocks the real-time signals that a port may raise per packet (net_tap does; threads inherit
// the mask). False when OpenSSL is in use already.
[[nodiscard]] bool rg_dp_prepare_process(void);

// Checks what needs neither EAL nor port: certificate, key, test. 0, or negative with one line in err.
[[nodiscard]] int rg_dp_check(const struct rg_dp_cfg *cfg, char *err, size_t err_len);

// Starts EAL, port and workers. 0, or negative with one line in err that names place and cure.
// RG_E_TAKEN: RG_HUGE_AUTO, and others took the pages that were free; EAL begins once in a process, so
// it is for a new one to begin with RG_HUGE_NO.
[[nodiscard]] int rg_dp_start(const struct rg_dp_cfg *cfg, struct rg_dp **out, char *err,
			      size_t err_len);
void rg_dp_stop(struct rg_dp *dp); // accepts NULL; ends workers, frees all

// Reads the certificate files again, for handshakes to come; connections keep theirs. 0, or negative
// with one line in err that names file and cure, and everything stays as it was.
[[nodiscard]] int rg_dp_reload_certs(struct rg_dp *dp, char *err, size_t err_len);
// The i-th certificate in use; false when there are no more.
bool rg_dp_cert_info(const struct rg_dp *dp, size_t i, struct rg_cert_info *out);

// Readable when punts wait. Watch it, then call rg_dp_poll().
int rg_dp_event_fd(const struct rg_dp *dp);

// Hands at most max punts to fn; payload is borrowed for the call. Returns how many.
typedef void rg_punt_fn(void *arg, const struct rg_punt *p, struct rg_slice payload);
unsigned rg_dp_poll(struct rg_dp *dp, unsigned max, rg_punt_fn *fn, void *arg);

// 0, or -EAGAIN while the worker's ring is full: keep the reply and come back.
[[nodiscard]] int rg_dp_reply(struct rg_dp *dp, const struct rg_reply *r, struct rg_slice payload);

unsigned rg_dp_n_workers(const struct rg_dp *dp);
const struct rg_stats *rg_dp_stats(const struct rg_dp *dp, unsigned worker);
const struct rg_stages *rg_dp_stages(const struct rg_dp *dp, unsigned worker);
double rg_dp_cycles_per_ns(const struct rg_dp *dp);
