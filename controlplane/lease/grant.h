// SPDX-License-Identifier: BSD-3-Clause
// Inside of the lease engine: grants and renewals.
#pragma once

#include "lease/engine.h"

// --- grant.c
struct lease_op *lease_op_new(const struct lease_ask *ask); // NULL without memory
void lease_op_enqueue(struct lease_pair *p, struct lease_op *op);
// Gives p to the owner of op; gen is larger than any before (INV-5).
[[nodiscard]] int lease_op_assign(struct lease_pair *p, struct lease_op *op, uint64_t gen,
				  uint16_t scenario);
bool lease_store_is_up(const struct lease_engine *e);
// 0: now in the store's hands.
[[nodiscard]] int lease_op_start(struct lease_pair *p, struct lease_op *op);
void lease_op_signed(struct lease_pair *p, struct lease_op *op);      // op->rc
void lease_op_end(struct lease_pair *p, struct lease_op *op, int rc); // the store has answered
// Another gateway was first. undo: the pair is as before; again: once what it wrote is merged.
void lease_op_undo(struct lease_pair *p, const struct lease_op *op);
void lease_op_again(struct lease_pair *p, struct lease_op *op);
void lease_op_forget(struct lease_pair *p, const struct lease_op *op); // it is on no record
const struct lease_token *lease_op_kept(const struct lease_pair *p, const struct lease_op *op);
void lease_op_answer_late(struct lease_engine *e, struct lease_op *op, int rc);
void lease_op_cancel(struct lease_op *op); // the engine ends; accepts NULL
void lease_late_fn(struct env_timer *t, uint64_t now_ns);

// --- sign.c
void lease_sign(struct lease_pair *p, struct lease_op *op); // lease_op_signed() follows
void lease_sign_fn(struct env_timer *t, uint64_t now_ns);
void lease_sign_stop(struct lease_engine *e); // cancels what the pool has not
