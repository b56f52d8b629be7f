// SPDX-License-Identifier: BSD-3-Clause
// What the workers report of client connections, and revocation, which ends them.
#include "core/crash_point.h"
#include "lease/engine.h"

#include "regate/err.h"

// A registration can be on this flow: the core holds a binding, or may.
static bool can_bind(const struct lease_pair *p) {
	enum lease_state s = p->l.state == LEASE_PENDING ? p->before : p->l.state;

	return !p->is_ending && (s == LEASE_ACTIVE || s == LEASE_UNKNOWN);
}

void lease_flow_bound(struct lease_engine *e, uint32_t idx, uint64_t gen, struct rg_conn_id conn,
		      uint64_t promise_end_ns) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	// The worker answered just before the fence reached it. Who is closed comes back and learns.
	if (p == NULL || !can_bind(p)) {
		e->ops.close_flow(e->ops.ctx, conn, 1008);
		return;
	}
	if (p->l.flow.gen != 0 && !rg_conn_eq(p->l.flow, conn)) // INV-10
		e->ops.close_flow(e->ops.ctx, p->l.flow, 1008);
	p->l.flow = conn;
	p->l.promise_end_ns = promise_end_ns;
	p->grace_ns = RG_NEVER;
	lease_pair_arm(p);
}

static void start_grace(struct lease_pair *p) {
	if (!can_bind(p))
		return;
	p->grace_ns = lease_add_ns(env_now_ns(p->e->env), p->e->cfg.flow_grace_ns);
	lease_pair_arm(p);
}

void lease_flow_closed(struct lease_engine *e, uint32_t idx, uint64_t gen, struct rg_conn_id conn) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	if (p == NULL || !rg_conn_eq(p->l.flow, conn))
		return;
	p->l.flow = (struct rg_conn_id){0};
	start_grace(p);
}

void lease_flow_expired(struct lease_engine *e, uint32_t idx, uint64_t gen,
			struct rg_conn_id conn) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	// A promise of ours may be on its way down while the old one's end comes up.
	if (p == NULL || !rg_conn_eq(p->l.flow, conn) || p->l.promise_end_ns > env_now_ns(e->env))
		return;
	p->l.promise_end_ns = 0;
	start_grace(p);
}

static void end_early(struct lease_pair *p) {
	bool is_late = p->lost_register_ns > env_now_ns(p->e->env); // one may still arrive

	if (p->l.state == LEASE_OFFERED && p->l.is_stale && lease_is_ours(p)) {
		p->is_ending = true;
		lease_pair_deregister(p); // registered before the restart, perhaps
	} else if (p->l.state == LEASE_OFFERED && p->has_proof && !is_late) {
		lease_pair_release(p);
	} else {
		lease_pair_end(p);
	}
}

int lease_revoke(struct lease_engine *e, uint32_t idx, uint64_t gen) {
	struct lease_pair *p = lease_pair_find(e, idx, gen);

	if (p == NULL)
		return RG_E_STALE;
	log_put(e->log, LOG_INFO, "lease.revoked", LOG_U("lease", idx), LOG_U("gen", gen));
	lease_pair_drop_tokens(p);
	if (p->l.flow.gen != 0)
		e->ops.close_flow(e->ops.ctx, p->l.flow, 1008);
	p->l.flow = (struct rg_conn_id){0};
	e->counters.n_revoked++;
	lease_pair_void(p);
	if (!p->is_ending)
		end_early(p);
	CRASH_POINT("lease.before_revocation");
	lease_pair_persist(p);
	lease_pair_arm(p);
	return 0;
}
