// SPDX-License-Identifier: BSD-3-Clause
// The real ims/ with the real lease engine on the simulated environment; the test is the client
// and the core. One rig at a time; everything aborts on misuse.
#pragma once

#include "core/env_sim.h"
#include "ims/ims.h"
#include "regate/err.h"
#include "regate/sip.h"

#define RIG_CONTACT                                                           \
	"<sip:dgtq535e@4ejhaldknkb7.invalid;transport=ws>;+sip.ice;reg-id=1;" \
	"+sip.instance=\"<urn:uuid:17951779-fb82-4c33-8e3b-a3f1e4121a63>\""
#define RIG_CONTACT_2                                                           \
	"<sip:zzzzzzzz@another.invalid;transport=ws>;reg-id=1;+sip.instance=\"" \
	"<urn:uuid:00000000-0000-0000-0000-000000000002>\""

struct rig_lease { // what a client holds
	uint32_t idx;
	uint64_t gen;
	struct rg_digest digest;
	char token[RG_TOKEN_MAX];
	const char *impu;
	struct rg_conn_id conn;
};

struct rig_register {        // a client's REGISTER; zeroes make the usual one
	const char *contact; // NULL = RIG_CONTACT; "" = none
	int expires;         // 0 = 600; negative: -1 = 0, -2 = none
	const char *more;    // header lines
	const char *to, *from;
	bool has_no_token, has_no_outbound;
	uint16_t reason;
	const struct rg_conn_id *conn;
	const uint16_t *wwsf;
	bool is_bound;           // the worker knows the flow as bound to the lease
	uint64_t promise_end_ns; // is_bound: as the worker told the client
};

struct rig_reply {
	struct rg_reply r;
	struct sip_msg m;
	char text[SIP_MAX_MSG * 2];
};

struct rig {
	struct env *env;
	struct conf conf;
	struct store *store;
	struct lease_engine *leases;
	bool is_shared; // the store, with another gateway
	struct store *other_store;
	struct lease_engine *other;
	struct token_key *key;
	struct rg_digester *digester;
	struct ims *ims;
	struct rig_reply replies[8]; // taken by rig_reply()
	unsigned n_replies, n_taken;
	unsigned n_closed; // flows closed by the engine
	struct log *log;
	int log_fd;
	// core
	struct env_sim_end *core;
	char in[1 << 16];
	size_t in_len;
	struct sip_msg request; // last one taken
	char request_text[SIP_MAX_MSG + 1];
};

extern struct rig rig;

void rig_start(void); // TCP
void rig_start_udp(void);
void rig_start_shared(void); // TCP
void rig_restart(void);      // a new process over the same store
void rig_stop(void);
// The last pair, of pool "theirs", is handed out by WWSF 2.
// A pool lease (WWSF 0) or the account alice's (WWSF 1), with a token of that life.
struct rig_lease rig_grant(uint64_t life_s);
struct rig_lease rig_grant_account(uint64_t life_s);
const struct lease *rig_lease_of(const struct rig_lease *c);

void rig_send(const struct rig_lease *c, const struct rig_register *r);
void rig_send_text(const struct rig_lease *c, const struct rig_register *r, const char *text);
// The next answer to a client; fails when there is none.
struct rig_reply *rig_reply(void);
void rig_expect_status(unsigned status);
void rig_expect_silence(void); // no answer to a client, no request to the core

// The next request to the core; fails when there is none.
const struct sip_msg *rig_core_next(void);
bool rig_core_is_idle(void);
// Answers the last request taken; lines end in CRLF.
void rig_core_answer(unsigned status, const char *lines);
// Takes the next request and answers 200 with RIG_CONTACT for expires seconds.
void rig_core_ok(unsigned expires);
void rig_expect_line(const char *line); // a whole line of the last request
void rig_expect_no(const char *text);   // nowhere in it
unsigned rig_count(const char *text);   // how often in it
// A registration that goes well. Returns what the client was told.
unsigned rig_register_well(const struct rig_lease *c);
// Does the log say so?
bool rig_said(const char *text);
// What else the core says, over the same connection.
void rig_core_send(const char *text);
// All that was sent to the core since; "" when there is nothing.
const char *rig_core_text(void);
int rig_main(const char *name, void (*add)(void *suite));
