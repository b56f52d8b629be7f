// SPDX-License-Identifier: BSD-3-Clause
// A de-registration in the core (ims.md 4.5), for a client or for the lease engine alone. Control
// loop. Only a 200 that lists the named Contact no more is evidence; all else leaves the end unknown.
#include <errno.h>

#include "ims/op.h"
#include "regate/err.h"

void dereg_unknown(struct op *op, unsigned status) {
	struct request *r = op->client;

	op->client = NULL;
	op->ims->kpi.count[KPI_UNKNOWN_ENDS]++;
	if (r == NULL)
		op_count_alone(op, status);
	lease_dereg_unknown(op->ims->leases, op->idx, op->gen);
	if (r != NULL)
		reply_status(op->ims, r, status, rg_slice(NULL, 0));
	op_end(op);
}

// A user who de-registers may register again with the same token, and an account keeps its pair
// whatever happens. A pool pair whose user left without a word goes back to its pool, as do all whose
// lease the engine is ending: it knows, and keeps no token then. But a 200 to "Contact: *" frees no
// pair: Kamailio's ims_registrar_scscf (5.6) gives it and keeps every binding.
static bool is_token_kept(const struct op *op) {
	const struct lease *l = op_lease(op);

	return op->client != NULL || op->is_star || (l != NULL && l->is_fixed);
}

// Is the pair free sooner than without the core's word?
static bool is_early(const struct op *op) {
	const struct lease *l = op_lease(op);

	return l != NULL && l->reassign_ns > env_now_ns(op->ims->env);
}

static void dereg_confirmed(struct op *op) {
	bool is_kept = is_token_kept(op);
	struct request *r = op->client;

	log_put(op->ims->log, LOG_INFO, "ims.deregistered", LOG_U("lease", op->idx),
		LOG_U("gen", op->gen), LOG_S("by", r != NULL ? "client" : "gateway"));
	op->client = NULL;
	op->ims->kpi.count[KPI_EARLY_RELEASES] += !is_kept && is_early(op);
	if (r == NULL)
		op_count_alone(op, 200);
	if (r != NULL) // the answer unbinds it
		lease_flow_closed(op->ims->leases, op->idx, op->gen, r->punt.conn);
	if (op->is_star)
		lease_dereg_unproved(op->ims->leases, op->idx, op->gen);
	else
		lease_dereg_done(op->ims->leases, op->idx, op->gen, is_kept);
	if (r != NULL)
		reply_done(op->ims, r, true);
	op_end(op);
}

void dereg_answered(struct op *op, const struct sip_msg *m) {
	const struct lease *l = op_lease(op);
	bool is_alone = l != NULL && !l->is_fixed; // nobody else may be bound to a pool pair
	struct message_granted g;

	message_parse_granted(m, &op->ours, 0, &g);
	if (!g.is_bound && !(is_alone && g.n_foreign > 0)) {
		dereg_confirmed(op);
		return;
	}
	if (is_alone && !op->is_star) {
		op->is_star = true;
		op_send(op);
		return;
	}
	log_put(op->ims->log, LOG_WARN, "core_still_bound", LOG_U("lease", op->idx));
	dereg_unknown(op, 500);
}

static void set_ours_of(struct op *op, const struct sip_register *reg) {
	uint8_t key[RG_CONTACT_MAX];
	struct rg_wr w = rg_wr(key, sizeof(key));

	sip_put_contact_key(&w, reg);
	op_set_ours(op, rg_wr_slice(&w));
}

// Which Contact ends: the one of record, else what the client names. Without any (a restart came
// between) a pool pair is cleared whole.
// XXX an account's pair is not, but at its owner's word: other devices are bound there. Such a
// binding runs out in the core instead, and the pair is free the later.
static void set_contact(struct op *op, const struct lease *l) {
	op_set_ours(op, l->binding.contact);
	if (op->ours.uri.len == 0 && op->client != NULL && !op->client->reg.is_star)
		set_ours_of(op, &op->client->reg);
	op->has_ob = op_is_flow(op, l);
	op->is_star = op->ours.uri.len == 0 && (op->client != NULL || !l->is_fixed);
}

// What other gateways have to know first is on record, or is not (rc).
static void resume(struct op *op, int rc) {
	struct request *r = op->client;

	rc = lease_dereg_resume(op->ims->leases, op->idx, op->gen, rc);
	if (rc == 0) {
		op_send(op);
		return;
	}
	op->client = NULL;
	if (rc == RG_E_STALE)
		reply_challenge(op->ims, r, "invalid_token");
	else
		reply_later(op->ims, r, 503, OP_STORE_RETRY_S);
	op_end(op);
}

static void on_begun(struct lease_wait *w, int rc) {
	resume(op_waited(w), rc);
}

// An older owner's request is not over, or no memory: the engine comes back.
static void not_begun(struct ims *ims, const struct lease *l, struct request *r, int rc) {
	if (rc == RG_MORE)
		(void)!lease_dereg_resume(ims->leases, l->idx, l->gen, -EBUSY);
	else if (rc == 0)
		lease_dereg_unknown(ims->leases, l->idx, l->gen);
	if (r != NULL)
		reply_later(ims, r, 500, 1);
}

void op_deregister(struct ims *ims, const struct lease *l, struct request *r) {
	struct op *op = NULL;
	int rc = r != NULL ? lease_dereg_begin(ims->leases, l->idx, l->gen) : 0;

	if (rc >= 0 && op_find(ims, l->idx) == NULL)
		op = op_new(ims, l, r);
	if (op == NULL) {
		not_begun(ims, l, r, rc);
		return;
	}
	op->is_dereg = true;
	set_contact(op, l);
	ims->stats.deregister++;
	if (rc == 0)
		op_send(op);
	else if (op_await(op, on_begun) == 0)
		resume(op, 0);
}
