// SPDX-License-Identifier: BSD-3-Clause
// Clients of the world.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/punt.h"

struct gateway;
struct world;

#define USER_TOKENS 4 // of the newest

struct user_token {
	uint32_t number; // 0 = none
	struct rg_digest digest;
	uint64_t end_ns; // true time
	char text[24];
};

struct user {
	uint16_t id; // from 1
	char sub[12];
	uint16_t pool;
	// the lease it was given
	bool has_lease;
	uint32_t idx;
	uint64_t gen;
	struct user_token tokens[USER_TOKENS]; // [0] newest
	unsigned n_pages;                      // page loads: Contact and Call-ID are new each
	unsigned cseq;
	uint32_t conn;           // 0 = none
	uint64_t promise_end_ns; // true time; 0 = not registered as far as it knows
	// the REGISTER without an answer yet
	uint8_t op;
	uint32_t asked_on, asked_token;
	bool is_asked_late; // of a gateway that had not heard all
	uint64_t asked_gen;
};

void user_grant(struct world *w), user_renew(struct world *w);
void user_register(struct world *w), user_deregister(struct world *w), user_revoke(struct world *w);
void user_flow(struct world *w); // a connection ends, or its promise does
// Its lease ends early; is_release: and its pair comes back as soon as it may.
void user_end(struct world *w, struct gateway *g, struct user *c, bool is_release);
void user_login(struct world *w, struct gateway *g, struct user *c);
struct user *user_new(struct world *w, const char *sub, uint16_t pool);
void user_on_answer(struct world *w, uint32_t conn, unsigned status, uint64_t promise_end_ns);
void user_on_close(struct world *w, uint32_t conn);
void user_flow_lost(struct world *w, uint32_t conn, const struct rg_binding *b);
void user_on_crash(struct world *w, const struct gateway *g);
