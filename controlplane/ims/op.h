// SPDX-License-Identifier: BSD-3-Clause
// Inside of an operation towards the core: op.c sends it and hears the answer, refusal.c judges
// what is not a 200, register.c and deregister.c begin and end the two kinds.
#pragma once

#include "ims/b2bua.h"

#define OP_REMOVED_BYTES 2048
#define OP_STORE_RETRY_S 5

struct op {
	struct op *next;
	struct ims *ims;
	uint32_t idx;
	uint64_t gen;
	bool is_dereg;
	struct request *client; // whom to answer; NULL = nobody
	struct request *queued; // the one REGISTER that waits for the end of this
	uint64_t token_end_ns;
	uint32_t expires;
	uint64_t sent_ns; // the request that is under way
	bool has_ob, is_star;
	bool did_rebind, did_remove, did_423, did_439;
	struct contact ours;                          // bytes in own_bytes; uri.len 0 = none known
	struct rg_slice removed[MESSAGE_MAX_REMOVED]; // bytes in removed_bytes
	unsigned n_removed;
	int send_rc; // why the timer runs
	struct env_timer timer;
	struct lease_wait wait; // for the lease's record
	bool is_waiting;
	uint32_t told; // 200 that waits: seconds, and what the flow is bound to
	struct rg_binding bound;
	uint8_t own_bytes[RG_CONTACT_MAX];
	uint8_t removed_bytes[OP_REMOVED_BYTES];
};

struct op *op_new(struct ims *ims, const struct lease *l, struct request *client); // NULL: memory
void op_set_ours(struct op *op, struct rg_slice element);                          // copies
// The lease, as long as it is the one this operation began for.
const struct lease *op_lease(const struct op *op);
// What nobody but the gateway itself waited for has ended.
void op_count_alone(const struct op *op, unsigned status);
// Was the binding of l, whose Contact op names, made as a flow?
bool op_is_flow(const struct op *op, const struct lease *l);
// Sends the REGISTER that op describes now; the answer or the failure comes later.
void op_send(struct op *op);
// The client has its answer: frees op and serves the request that waited for its end.
void op_end(struct op *op);
// RG_MORE: done(&op->wait) runs once the record of the lease is durable, or not; else 0.
[[nodiscard]] int op_await(struct op *op, void (*done)(struct lease_wait *w, int rc));
struct op *op_waited(struct lease_wait *w); // in done()
// Adds a Contact that ends with the next request; w writes to removed_bytes. False without room.
bool op_add_removed(struct op *op, struct rg_wr *w, struct rg_slice element);
static inline uint64_t op_min(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}
static inline uint64_t op_seconds_left(uint64_t end_ns, uint64_t now_ns) {
	return end_ns > now_ns ? (end_ns - now_ns) / RG_NS_PER_S : 0;
}

// suspect.c: the core has answered a REGISTER of l, which is as it was before. Pairs that it refuses
// are marked, until it has refused IMS_RUN_MAX of a pool one after the other and none was accepted.
void suspect_refused(const struct op *op, unsigned status, const struct lease *l);
void suspect_accepted(struct ims *ims, const struct lease *l);

// refusal.c: a final answer that is not a 2xx. // may consume op
void op_refused(struct op *op, const struct sip_msg *m);

// register.c, deregister.c: each ends op but for the repeats of ims.md 1.6
void register_answered(struct op *op, const struct sip_msg *m);
// Once more, for no longer than the token still lasts (ims.md 6.2). // may consume op
void register_repeat(struct op *op);
void register_failed(struct op *op, unsigned status, bool is_unknown);
void dereg_answered(struct op *op, const struct sip_msg *m);
void dereg_unknown(struct op *op, unsigned status);
