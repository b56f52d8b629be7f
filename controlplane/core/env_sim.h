// SPDX-License-Identifier: BSD-3-Clause
// The simulated environment, for tests of every folder under controlplane/ (cp_sim_dep): a virtual
// clock, seeded randomness, files from memory, and sockets whose other end the test holds. Nothing
// happens by itself: env_sim_turn() and env_sim_advance() run the callbacks. The same seed and the
// same calls give the same run.
//
//   struct env *e = env_sim_new(1);
//   x = code_under_test_new(e);                       // connects to peer
//   env_sim_turn(e);                                  // it is told ENV_WRITE
//   struct env_sim_end *end = env_sim_accept(e, &peer);
//   n = env_sim_read(end, buf, sizeof(buf));          // what it sent
//   env_sim_write(end, RG_LIT("SIP/2.0 200 OK..."));
//   env_sim_turn(e);                                  // it is told ENV_READ
//   env_sim_advance(e, 8 * RG_NS_PER_S);              // its timers fire in order
#pragma once

#include "core/env.h"

[[nodiscard]] struct env *env_sim_new(uint64_t seed); // aborts without memory, as all of this does
void env_sim_free(struct env *e);                     // accepts NULL; frees every end, too

// --- running
// One loop turn: finished work, then sockets that are ready (level-triggered, as epoll is), then
// due timers. Returns the number of callbacks made.
unsigned env_sim_turn(struct env *e);
// Turns until nothing is ready. Aborts after 10,000 turns: that code would spin for ever.
void env_sim_settle(struct env *e);
// Moves the clock on by ns: settles, goes to the next timer, settles, and so on to the end.
void env_sim_advance(struct env *e, uint64_t ns);
// When the next timer is due; RG_NEVER without one.
uint64_t env_sim_next_ns(const struct env *e);
// The same, but the process was stopped meanwhile (SIGSTOP, a suspended machine): all that fell due
// fires at the end, late.
void env_sim_pause(struct env *e, uint64_t ns);
// The same without settling: what falls due fires at the next turn.
void env_sim_set_now(struct env *e, uint64_t now_ns);
// Sets wall time for now; it goes on with the clock. At first 2026-01-01T00:00:00Z.
void env_sim_set_wall_ms(struct env *e, int64_t wall_ms);
bool env_sim_is_stopped(const struct env *e); // env_stop() was called

// --- files
void env_sim_file(struct env *e, const char *path, struct rg_slice bytes); // adds or replaces
void env_sim_file_error(struct env *e, const char *path, int err);         // reading gives -err

// --- streams: a connection's end in the test's hand, alive until env_sim_free()
struct env_sim_end;
// The oldest connection to peer that was not yet accepted; NULL when there is none. Later connects
// to addresses with no rule succeed at the next turn, accepted or not.
struct env_sim_end *env_sim_accept(struct env *e, const struct rg_addr *peer);
// Rule for connects to peer, those under way too: err > 0 fails them, ENV_SIM_HANG leaves them
// without an answer, 0 removes the rule.
#define ENV_SIM_HANG (-1)
void env_sim_refuse(struct env *e, const struct rg_addr *peer, int err);
// Connects to a listener of the code under test; NULL when nobody listens there.
struct env_sim_end *env_sim_connect(struct env *e, const struct rg_addr *listener);
struct env_sim_end *env_sim_connect_unix(struct env *e, const char *path);
// Bytes the code sent, 0 when it has closed and all was read, -EAGAIN.
ssize_t env_sim_read(struct env_sim_end *end, void *p, size_t cap);
// 0, or -EPIPE when the code has closed.
int env_sim_write(struct env_sim_end *end, struct rg_slice bytes);
void env_sim_hangup(struct env_sim_end *end); // orderly: the code reads 0, its sends give -EPIPE
void env_sim_reset(struct env_sim_end *end, int err); // ENV_ERROR, then -err from every call
// While stalled env_send() gives -EAGAIN; released, ENV_WRITE if wanted.
void env_sim_stall(struct env_sim_end *end, bool is_stalled);
// The code may send only room more bytes, then it is stalled: partial sends.
void env_sim_set_room(struct env_sim_end *end, size_t room);
// Address the code's end is bound to (a connect's local address).
void env_sim_local(const struct env_sim_end *end, struct rg_addr *out);

// --- datagrams
// The next datagram the code sent, cut to cap; -EAGAIN. Addresses may be NULL.
ssize_t env_sim_udp_take(struct env *e, void *p, size_t cap, struct rg_addr *from_local,
			 struct rg_addr *to_peer);
// 0, or -ECONNREFUSED when no socket is bound to to_local.
int env_sim_udp_deliver(struct env *e, const struct rg_addr *to_local,
			const struct rg_addr *from_peer, struct rg_slice bytes);
