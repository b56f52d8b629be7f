// SPDX-License-Identifier: BSD-3-Clause
// Inside of controlplane/ims: the client's half (b2bua.c), its answers (reply.c) and the operation
// towards the core (op.c). At most one operation per lease is under way.
#pragma once

#include "ims/client.h"
#include "ims/ims.h"
#include "ims/message.h"

#define IMS_OP_BUCKETS 1024
#define IMS_RECHECKS 1024
#define IMS_REFUSALS 256
#define IMS_CALL_ID_MAX 256
#define IMS_LINES_MAX 2048
#define IMS_RUN_MAX 8

struct op;

struct ims_run { // pairs of one pool that the core refused, none accepted since
	uint32_t idx[IMS_RUN_MAX];
	unsigned n;
};

struct ims_refusal { // an issuer said that this token is not active
	struct rg_digest digest;
	uint16_t wwsf; // whose page showed it
	uint64_t until_ns;
};

struct ims_audit {
	uint64_t n_good;  // attempts that went well, for the sample
	uint64_t full_ns; // up to when the rate is used (GCRA)
};

struct ims {
	const struct conf *conf;
	struct env *env;
	struct log *log;
	struct lease_engine *leases;
	const struct dpport *port;
	struct token_issuers *issuers;             // NULL: all tokens are our own
	struct rg_digester *digester;              // of tokens; with issuers
	struct sight *sights;                      // under way
	struct recheck *rechecks[IMS_RECHECKS];    // by digest
	struct ims_refusal refusals[IMS_REFUSALS]; // by digest
	struct client *client;
	struct rg_digester *mac;        // of the Path handle
	struct op *ops[IMS_OP_BUCKETS]; // by lease index
	uint64_t secret; // in branches and charging ids: unique and not to be guessed
	uint64_t n_sent;
	uint64_t hold_until_ns; // the core asked for a rest (503 with Retry-After)
	struct ims_run *runs;   // of each pool; owned
	struct ims_stats stats;
	struct kpi kpi;
	struct ims_audit audit;
};

struct request { // one REGISTER of a client, kept until it is answered
	struct rg_punt punt;
	struct sip_msg msg;
	struct sip_register reg;
	bool did_wait; // behind another operation
	bool did_see;  // its token was looked at as one of another issuer
	bool did_ask;  // the core
	enum kpi_kind kind;
	enum kpi_scenario who;
	uint8_t bytes[];
};

// b2bua.c: judges r anew and answers it or starts an operation. // consumes r
void b2bua_serve(struct ims *ims, struct request *r);

enum kpi_scenario b2bua_scenario(const struct lease *l); // NULL: KPI_UNKNOWN

// Is r from a page that is not of that WWSF (ims.md 1.3, REQ 3.3)?
bool b2bua_is_foreign_page(const struct ims *ims, const struct request *r, uint16_t wwsf);

// --- sight.c
// r has a token that no lease has. True: it is taken care of. // consumes r then
bool sight_begin(struct ims *ims, struct request *r);
void sight_orphan_all(struct ims *ims); // frees their requests

// --- recheck.c
// The token of r is one of l's: if its issuer was asked about it, it is asked again in time.
void recheck_see(struct ims *ims, const struct request *r, const struct lease *l);
void recheck_free_all(struct ims *ims);

// --- audit.c: the record of r, which is answered now (log.audit)
void audit_put(struct ims *ims, const struct request *r, unsigned status);

// --- reply.c: each answers r and frees it
void reply_status(struct ims *ims, struct request *r, unsigned status, struct rg_slice headers);
// 401 with the Bearer challenge; error may be NULL (RFC 8898 4; never a bare scheme, ims.md 0.7)
void reply_challenge(struct ims *ims, struct request *r, const char *error);
void reply_later(struct ims *ims, struct request *r, unsigned status, uint64_t retry_after_s);
// 500 for a REGISTER that cannot be kept.
void reply_without_memory(struct ims *ims, const struct rg_punt *p, const struct sip_msg *m);
// 200 with the Contact of b for expires seconds.
void reply_registered(struct ims *ims, struct request *r, const struct lease_binding *b,
		      uint32_t expires, const struct rg_binding *bound);
// 200 without a Contact; is_unbound takes the flow's binding away.
void reply_done(struct ims *ims, struct request *r, bool is_unbound);

// --- op.c
struct op *op_find(const struct ims *ims, uint32_t idx);
// r waits for the end of op. False when one waits already.
bool op_enqueue(struct op *op, struct request *r);
// Registers l for r; the token of r ends at token_end_ns. // consumes r
void op_register(struct ims *ims, const struct lease *l, struct request *r, uint64_t token_end_ns);
// Answers r from the binding of l, which is fresh. False: that would promise too little; r stays.
bool register_again(struct ims *ims, const struct lease *l, struct request *r,
		    uint64_t token_end_ns);
// De-registers l; r may be NULL (the engine wants it). // consumes r
void op_deregister(struct ims *ims, const struct lease *l, struct request *r);
// Refreshes the binding of l in the core; nobody waits for it.
void op_refresh(struct ims *ims, const struct lease *l);
void op_free_all(struct ims *ims);
