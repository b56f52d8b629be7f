// SPDX-License-Identifier: BSD-3-Clause
// Configuration: one schema table, YAML in, every error with file:line:col. Strings are owned by
// the struct conf; everything is immutable after conf_load() and passed on as const.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/log.h"
#include "regate/addr.h"

struct conf_wwsf {
	char *id;       // "demo"
	char **origins; // normalised
	size_t n_origins;
	char *issuer;   // of its own tokens; NULL: it has ours
	char *jwks_uri; // of the keys; or
	char *jwks;     // file with them
	char *jwks_ca;  // PEM, may be NULL
	struct {        // or it is asked about each token; uri NULL: not so
		char *uri, *id, *secret_file, *ca; // ca may be NULL
		uint32_t cache_s;                  // default 300s
	} introspection;
};

struct conf_pool {
	char *name;
	uint16_t wwsf;     // index into conf.wwsfs
	char *file;        // lines "impi impu"; '#' comments; may be NULL
	bool is_anonymous; // anonymous: allow | deny (default deny)
	uint32_t reserve;  // percent that anonymous users leave free, default 0
};

struct conf_client { // of introspection and revocation
	char *id, *secret_file;
	uint16_t wwsf; // index into conf.wwsfs; UINT16_MAX: all of them
};

struct conf_cert { // further certificate, for its own names
	char *certificate, *key;
};

enum conf_audit { CONF_AUDIT_OFF, CONF_AUDIT_ALL, CONF_AUDIT_SAMPLED };

struct conf {
	struct {                                         // dataplane:
		char *port;                              // "net_tap0,iface=dtap0"
		char *lcores;                            // default "0"
		uint32_t workers;                        // default 1, 1..64
		uint64_t memory_bytes;                   // default 256MiB
		int hugepages;                           // 0 auto, 1 yes, 2 no
		bool is_busy;                            // idle: adaptive | busy
		int checksums;                           // 0 auto, 1 software, 2 port
		uint8_t mac[6];                          // default 02:00:00:00:00:99
		struct rg_addr address;                  // "10.77.0.2/24"; all zero: none
		struct rg_addr address6;                 // "2001:db8::2/64"; all zero: none
		uint16_t vlan;                           // default 0, none
		uint16_t listen;                         // default 443
		uint32_t connections;                    // per worker, default 4096
		uint32_t ping_s, pong_misses;            // default 25s, 2
		uint32_t head_timeout_s, idle_timeout_s; // default 10s, 60s
		uint32_t unbound_timeout_s;              // default 600s
		uint32_t tcp_keepalive_s;                // default 0s, never
	} dp;
	struct { // tls:
		char *certificate, *key;
		uint32_t max_half_open;        // per worker, default 4096
		uint32_t half_open_per_source; // default 256, 0 = no limit
		uint32_t handshake_share;      // percent, default 25
		uint32_t tickets;              // default 1
		uint32_t ticket_life_s;        // default 1h
		char *ticket_secret;           // file of 32 bytes; NULL: random
	} tls;
	struct {                       // registration:
		char *domain;          // home domain, realm of To: "ims.example.net"
		char *authz_server;    // https URI in challenges
		uint32_t client_max_s; // default 300s
		uint32_t client_min_s; // default 60s
		uint32_t max_s;   // T_reg, the one maximum registration duration, default 3600s
		uint32_t guard_s; // default 10s
		uint32_t flow_grace_s;           // flow lost until de-registration, default 60s
		uint32_t rate_per_s, rate_burst; // default 2, 5
		bool is_cseq_strict;
		bool is_origin_optional; // origin: require | allow
	} reg;
	struct {                        // core:
		struct rg_addr address; // I-CSCF
		bool is_udp;            // transport: tcp | udp
		struct rg_addr local;   // our side; port 0 = any
		char *host;             // host:port in Via and Path: "epcscf1.ims.example.net:5060"
		char *visited_network;  // P-Visited-Network-ID
		char *integrity_protected; // default auth-done
		uint32_t timer_f_s;        // default 8s
		bool is_required;          // at_start: warn | require
	} core;
	struct {             // token:
		char *key;   // short for keys: with one element
		char **keys; // private keys, PEM; the first signs
		size_t n_keys;
		char *issuer, *audience;
		uint32_t life_s;           // authenticated, default 7200s
		uint32_t anonymous_life_s; // default 1800s
	} token;
	struct {                          // lifetimes: (ims.md 6.1)
		uint32_t clock_error_s;   // eps, default 5s
		uint32_t t_sip_s;         // default 69s
		uint32_t core_slack_s;    // S_core, default 360s
		uint32_t release_guard_s; // T_guard after a clean de-registration, default 5s
	} life;
	uint32_t leases_max;           // leases.max, default 1000000
	struct {                       // quotas: of anonymous leases; 0 = no limit
		uint32_t source_rate;  // per minute and source, default 300
		uint32_t source_burst; // default 300
		uint32_t source_max;   // at a time, default 256
		uint32_t wwsf_rate;    // per second and WWSF, default 1000
		uint32_t wwsf_burst;   // default 5000
		uint32_t wwsf_max;     // at a time, default 0
	} quotas;
	struct conf_cert *certs; // certificates: beside the one of tls:
	size_t n_certs;
	struct conf_wwsf *wwsfs;
	size_t n_wwsfs;
	struct conf_pool *pools;
	size_t n_pools;
	struct conf_client *clients;
	size_t n_clients;
	char *accounts_file;    // accounts.file: lines "user hash impi impu"; may be NULL
	uint16_t accounts_wwsf; // accounts.wwsf
	char *gateway_id;       // gateway.id, default core.host
	char *store_path;       // store.path: SQLite file; NULL with another type
	struct {                // store:
		bool is_etcd;   // type: sqlite | etcd
		char **endpoints;
		size_t n_endpoints;
		char *prefix;                 // default /regate
		char *ca, *certificate, *key; // PEM files; may be NULL
		char *user, *password_file;   // may be NULL
	} store;
	char *ctl_socket; // ctl.socket
	char *wic_dir;    // wic.dir: folder of the page; may be NULL
	char **wss_urls;  // wic.wss: handed to clients, default wss://<address>[:port]/w2, of each
	size_t n_wss_urls;
	enum log_level log_level; // log.level
	uint8_t audit;            // log.audit, enum conf_audit
	uint32_t audit_sample, audit_rate;
	struct {              // test: (regated-test)
		char *impair; // "loss=15,corrupt=15"; may be NULL
		bool is_echo;
	} test;
};

// NULL: there is no such WWSF.
static inline const char *conf_wwsf_id(const struct conf *c, uint16_t wwsf) {
	return wwsf < c->n_wwsfs ? c->wwsfs[wwsf].id : NULL;
}

// Reads path, checks all of it, prints every error ("file:line:col: what, cure") to err, and
// returns NULL on any. The caller frees with conf_free().
[[nodiscard]] struct conf *conf_load(const char *path, FILE *err);
// The same from memory; name stands for the file in messages.
[[nodiscard]] struct conf *conf_parse(const char *name, const char *text, size_t len, FILE *err);
void conf_free(struct conf *c); // accepts NULL
// Every key with type, default, range and text, for `regated --help-config`.
void conf_print_schema(FILE *out);
