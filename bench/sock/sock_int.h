// SPDX-License-Identifier: BSD-3-Clause
// What the files of this folder share.
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "driver.h"
#include "sock.h"
#include "wire.h"

struct sock {
	const struct scenario *sc;
	struct progress *progress;
	struct sockaddr_storage to,
		from; // from: the first of n_from; ss_family 0: the kernel's choice
	socklen_t to_len;
	uint32_t n_from, from_at;
	char host[160]; // of target with its port, for Host:
	char ip[64];    // what it came to
	char sni[128];  // empty: an address
	struct tls_crypt *crypt;
	SSL_CTX *ssl_ctx;
	struct rg_slice hello; // recorded
	uint64_t timeout_ns;
	uint64_t salt; // differs from process to process
	uint64_t random;
	bool has_tickets; // they are kept
	bool is_strict;   // set-up: the first failure ends it
	bool is_lenient;  // the target is expected to break off

	int epoll;
	struct conn *conns;
	uint32_t n_conns, n_clients; // clients first, then those that misbehave
	struct list lists[N_LISTS];
	uint64_t drip_ns; // when the next byte of them is due
	uint64_t now_ns, idle_ns;
	uint32_t n_registered, n_busy;           // clients; n_busy: with a job
	uint64_t n_pings, n_requests, n_resumed; // of the target
	struct tally lost;                       // connections that ended with nothing under way
	struct ident *idents;
	uint32_t n_idents;
	char *err; // fatal, once it is not empty
	size_t err_len;

	uint8_t in[SOCK_MAX_IN + TLS_HEADER_LEN + TLS_MAX_CIPHER];
	uint8_t plain[TLS_MAX_CIPHER];
	uint8_t text[WIRE_FRAME_HEAD + SOCK_MAX_OUT]; // what is to be sent
	uint8_t out[SOCK_MAX_OUT + SOCK_MAX_OUT / 128 + 1024];
};

static inline uint32_t sock_index(const struct sock *s, const struct conn *c) {
	return (uint32_t)(c - s->conns);
}

// It waits for the target to end the connection.
static inline bool sock_is_misbehaving(const struct conn *c) {
	return c->step >= STEP_HUSH && c->step <= STEP_OVERSIZE;
}

uint64_t sock_clock(void);

// --- addr.c: fills in to, from, host, ip, sni. 0, or negative with err.
[[nodiscard]] int sock_addr_init(struct sock *s, char *err, size_t err_len);
// The next local address. False: the kernel's choice.
bool sock_addr_next(struct sock *s, struct sockaddr_storage *out);

// --- record.c
bool sock_keys_init(struct sock *s, struct conn *c, enum tls_dir dir, const uint8_t *secret,
		    uint64_t seq);
// Seals d as records; bytes written to out.
size_t sock_seal(struct sock *s, struct conn *c, uint8_t type, struct rg_slice d, uint8_t *out);
// Opens the record at the start of `in` into s->plain. RG_OK, RG_MORE, RG_E_PROTO.
[[nodiscard]] int sock_open(struct sock *s, struct conn *c, struct rg_slice in, size_t *len,
			    uint8_t *type, struct rg_slice *plain, const char **why);

// --- ssl.c
[[nodiscard]] int sock_ssl_init(struct sock *s, char *err, size_t err_len);
void sock_ssl_fini(struct sock *s);
[[nodiscard]] bool sock_tls_begin(struct sock *s, struct conn *c); // false: no memory
// RG_OK: done. RG_MORE. RG_E_PROTO: end, and OpenSSL's words for WHY_TLS.
[[nodiscard]] int sock_tls_step(struct conn *c, struct sock_end *end, const char **why);
[[nodiscard]] int sock_tls_read(struct conn *c, uint8_t *out, size_t room, size_t *n,
				struct sock_end *end, const char **why);
// From OpenSSL to sock_seal() and sock_open(). False: a bug, or no memory.
[[nodiscard]] bool sock_tls_take_over(struct sock *s, struct conn *c);
bool sock_tls_is_resumed(const struct conn *c);
void sock_tls_free(struct conn *c);

// --- conn.c
void sock_connect(struct sock *s, struct conn *c);
void sock_event(struct sock *s, struct conn *c, uint32_t events);
// Application data in s->text + WIRE_FRAME_HEAD.
void sock_send_text(struct sock *s, struct conn *c, size_t len);
void sock_send_frame(struct sock *s, struct conn *c, uint8_t op, size_t len);
void sock_send(struct sock *s, struct conn *c, struct rg_slice plain);
void sock_send_raw(struct sock *s, struct conn *c, struct rg_slice cipher);
void sock_close(struct sock *s, struct conn *c, bool is_rst);

// --- talk.c: what came, in plain text
void sock_plain(struct sock *s, struct conn *c, struct rg_slice d);
void sock_bytes_drop(struct bytes **b);
bool sock_bytes_keep(struct bytes **b, struct rg_slice d); // replaces what was kept
bool sock_bytes_add(struct bytes **b, struct rg_slice d);

// --- job.c
void sock_begin(struct sock *s, struct conn *c, struct stream *st, unsigned mix, uint64_t due_ns);
void sock_step_done(struct sock *s, struct conn *c);
// The step, and with it the job, came to nothing. why: what came, for WHY_TLS and WHY_RUBBISH.
void sock_fail(struct sock *s, struct conn *c, struct sock_end end, const char *why);
// The target ended the connection: WHY_FIN, WHY_RST or WHY_ERRNO.
void sock_ended(struct sock *s, struct conn *c, unsigned tcp, int code);
void sock_expire(struct sock *s);
void sock_drip(struct sock *s);
const char *sock_step_name(unsigned step);
bool sock_job_has(unsigned job, unsigned step);
struct wire_register sock_register_of(struct sock *s, struct conn *c, char *room, size_t room_len);
struct wire_upgrade sock_upgrade_of(const struct sock *s, const struct conn *c);

// --- loop.c
void list_put(struct sock *s, struct conn *c, unsigned list); // from whatever list it is in
void sock_attack_stop(struct sock *s, struct tally *t);       // cuts all that misbehave
// Runs until all streams are done, or until_ns; then until what is under way is done.
[[nodiscard]] int sock_run(struct sock *s, struct stream *streams, unsigned n, uint64_t until_ns,
			   bool is_drained);

// --- tally.c
void tally_end(struct tally *t, const struct sock_end *e);
void tally_tell(const struct tally *t, struct result *r);
void sock_end_text(const struct sock_end *e, char *out, size_t len);

// --- ident.c
[[nodiscard]] int sock_idents_init(struct sock *s, char *err, size_t err_len);
void sock_idents_fini(struct sock *s);
struct rg_slice sock_impu(struct sock *s, uint32_t ident, char *room, size_t room_len);
struct rg_slice sock_token(struct sock *s, uint32_t ident);
void sock_lease_put(struct sock *s, struct conn *c, struct rg_wr *w);
bool sock_lease_answer(struct sock *s, struct conn *c, const struct wire_http *a, const char **why);
