// SPDX-License-Identifier: BSD-3-Clause
// The simulated environment, shared by its files env_sim*.c.
#pragma once

#include "core/env_impl.h"
#include "core/env_sim.h"

#define SIM_WORK_MAX 64 // as the real one

struct sim_buf { // FIFO of bytes
	uint8_t *p;
	size_t head, len, cap;
};

struct sim_dgram {
	struct sim_dgram *next;
	struct rg_addr local, peer;
	struct sim_buf bytes;
};

struct sim_dgrams { // FIFO
	struct sim_dgram *first, *last;
};

// A stream connection. The code's socket and the test's handle share it; env_sim_free() frees it.
struct env_sim_end {
	struct env_sim_end *next; // of env_sim.ends, in order of creation
	struct env_sock *sock;    // the code's end; NULL before env_accept() and after its close
	struct env_sock *backlog; // listener that has not accepted it yet
	struct rg_addr local;     // the code's address
	struct rg_addr peer;      // the test's address
	struct sim_buf to_code, to_test;
	size_t room;         // the code may send that much more
	int reset_err;       // 0 = no reset
	bool is_outgoing;    // the code connected
	bool is_established; // outgoing: the connect succeeded
	bool is_accepted;    // outgoing: env_sim_accept() has given it out
	bool is_hung_up;     // by the test
	bool is_code_closed;
};

enum sim_kind { SIM_STREAM, SIM_LISTENER, SIM_UDP, SIM_FD };

struct sim_sock {
	struct env_sock base;
	enum sim_kind kind;
	struct env_sim_end *end; // SIM_STREAM
	struct rg_addr local;    // SIM_LISTENER (TCP), SIM_UDP
	char *path;              // SIM_LISTENER (UNIX)
	struct sim_dgrams in;    // SIM_UDP
	int fd;                  // SIM_FD
	int error;               // pending SO_ERROR
	uint64_t born;           // turn it was made in; told from the next one on
};

struct sim_file {
	struct sim_file *next;
	char *path;
	uint8_t *data;
	size_t len;
	int err;
};

struct sim_rule {
	struct sim_rule *next;
	struct rg_addr peer;
	int err; // > 0, or ENV_SIM_HANG
};

struct sim_job {
	void (*done)(void *arg);
	void *arg;
};

struct env_sim {
	struct env base;
	uint64_t seed;
	uint64_t random; // state of env_random(); other uses of the seed get a stream of their own
	uint64_t turn;
	uint16_t next_port;
	bool is_stopped;
	struct sim_job jobs[SIM_WORK_MAX];
	unsigned n_jobs;
	struct sim_file *files;
	struct sim_rule *rules;
	struct env_sim_end *ends, **unsettled; // of them the first that may be accepted; NULL: any
	struct sim_dgrams sent;
};

static inline struct env_sim *env_sim_of(struct env *e) {
	return (struct env_sim *)e;
}

void *env_sim_alloc(size_t len); // zeroed; aborts without memory
void sim_buf_put(struct sim_buf *b, struct rg_slice bytes);
size_t sim_buf_take(struct sim_buf *b, void *p, size_t cap);
void sim_dgrams_put(struct sim_dgrams *q, const struct rg_addr *local, const struct rg_addr *peer,
		    struct rg_slice bytes);
struct sim_dgram *sim_dgrams_take(struct sim_dgrams *q); // NULL; else freed by sim_dgram_free()
void sim_dgram_free(struct sim_dgram *d);
bool sim_addr_eq(const struct rg_addr *a, const struct rg_addr *b);
const struct sim_rule *env_sim_rule(const struct env_sim *sim, const struct rg_addr *peer);

int env_sim_tcp_connect(struct env *e, const struct rg_addr *peer, const struct rg_addr *local,
			struct env_cb cb, struct env_sock **out);
int env_sim_tcp_listen(struct env *e, const struct rg_addr *local, struct env_cb cb,
		       struct env_sock **out);
int env_sim_udp_open(struct env *e, const struct rg_addr *local, struct env_cb cb,
		     struct env_sock **out);
int env_sim_unix_listen(struct env *e, const char *path, mode_t mode, struct env_cb cb,
			struct env_sock **out);
int env_sim_accept_sock(struct env *e, struct env_sock *listener, struct env_cb cb,
			struct env_sock **out);
int env_sim_watch_fd(struct env *e, int fd, struct env_cb cb, struct env_sock **out);
// Tells s what is ready; how many callbacks (0 or 1).
unsigned env_sim_sock_turn(struct env_sock *s);
struct env_sim_end *env_sim_end_new(struct env_sim *sim);
