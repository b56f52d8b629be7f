// SPDX-License-Identifier: BSD-3-Clause
// `lease list`, `lease show`, `lease revoke`. Control thread. A walk over the pairs goes on in
// steps of CTL_SCAN_STEP per loop turn, so that ten million of them cannot hold up a REGISTER.
#include "ctl/ctl_int.h"

static json_t *pool_name(const struct ctl *c, const struct lease *l) {
	if (l->pool >= c->deps.conf->n_pools)
		return json_null();
	return json_string(c->deps.conf->pools[l->pool].name);
}

static json_t *flow_json(struct rg_conn_id f) {
	if (f.gen == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "worker", (json_int_t)f.worker, "conn",
			 (json_int_t)f.idx, "gen", (json_int_t)f.gen);
}

static json_t *text_or_null(struct rg_slice s) {
	return s.len == 0 ? json_null() : ctl_json_text(s);
}

static unsigned n_tokens(const struct lease *l) {
	unsigned n = 0;

	for (unsigned i = 0; i < STORE_TOKENS; i++)
		n += l->tokens[i].end_ns != 0;
	return n;
}

// Adds what only `lease show` tells. Tokens are counted, never shown.
static int add_rest(const struct ctl *c, const struct lease *l, json_t *o) {
	const struct lease_binding *b = &l->binding;
	json_t *more =
		json_pack("{s:s, s:s?, s:I, s:b, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}",
			  "impi", l->impi, "wwsf",
			  l->wwsf < c->deps.conf->n_wwsfs ? c->deps.conf->wwsfs[l->wwsf].id : NULL,
			  "scenario", (json_int_t)l->scenario, "fixed", l->is_fixed, "tokens",
			  (json_int_t)n_tokens(l), "reassign_at", ctl_json_time(c, l->reassign_ns),
			  "contact", text_or_null(b->contact), "call_id", text_or_null(b->call_id),
			  "core_refresh_at", ctl_json_time(c, b->core_refresh_ns), "core_until_at",
			  ctl_json_time(c, b->core_low_ns), "core_call_id",
			  text_or_null(rg_str(l->core_call_id)), "core_cseq",
			  (json_int_t)l->core_cseq, "flow", flow_json(l->flow));
	int rc = more == NULL ? -1 : json_object_update(o, more);

	json_decref(more);
	return rc;
}

json_t *ctl_json_lease(const struct ctl *c, const struct lease *l, bool is_whole) {
	json_t *o = json_pack("{s:I, s:I, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "idx",
			      (json_int_t)l->idx, "gen", (json_int_t)l->gen, "state",
			      lease_state_name(l->state), "stale", l->is_stale, "impu",
			      ctl_json_text(rg_str(l->impu)), "pool", pool_name(c, l), "sub",
			      l->sub == NULL ? json_null() : ctl_json_text(rg_str(l->sub)),
			      "token_ends_at",
			      ctl_json_time(c, l->state == LEASE_FREE ? 0 : lease_token_end_ns(l)),
			      "promised_until_at", ctl_json_time(c, l->promise_end_ns));

	if (o != NULL && is_whole && add_rest(c, l, o) != 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

// --- walk over the pairs

static struct ctl_client *client_of(struct env_timer *t) {
	return (struct ctl_client *)((char *)t - offsetof(struct ctl_client, step));
}

// Looks at the next pairs with fn until it returns true. True when the walk is over.
static bool walk(struct ctl_client *cl, bool (*fn)(struct ctl_client *cl, const struct lease *l)) {
	const struct lease_engine *e = cl->ctl->deps.leases;
	uint32_t n = lease_n_pairs(e);

	for (unsigned i = 0; i < CTL_SCAN_STEP; i++) {
		if (cl->req.next_idx >= n || fn(cl, lease_at(e, cl->req.next_idx)))
			return true;
		cl->req.next_idx++;
	}
	return false;
}

static void go_on(struct ctl_client *cl, void (*fn)(struct env_timer *t, uint64_t now_ns)) {
	struct env *e = cl->ctl->deps.env;

	cl->step.fn = fn;
	env_timer_set(e, &cl->step, env_now_ns(e));
}

// --- lease list

static bool list_one(struct ctl_client *cl, const struct lease *l) {
	struct ctl_req *r = &cl->req;

	if (json_array_size(r->rows) == r->limit)
		return true; // this pair begins the next page
	if (!r->is_any_pool && l->pool != r->pool)
		return false;
	if (r->is_any_state ? l->state == LEASE_FREE : l->state != r->state)
		return false;
	ctl_json_add(&r->rows, ctl_json_lease(cl->ctl, l, false));
	return false;
}

// Serves a step of the walk. True when the answer is made.
static bool list_step(struct ctl_client *cl) {
	struct ctl_req *r = &cl->req;
	json_t *after;

	if (!walk(cl, list_one))
		return false;
	after = r->next_idx >= lease_n_pairs(cl->ctl->deps.leases)
			? json_null()
			: json_integer((json_int_t)r->next_idx - 1);
	ctl_answer(cl, json_pack("{s:O, s:o}", "leases", r->rows, "next_after", after));
	return true;
}

static void on_list_step(struct env_timer *t, uint64_t now_ns) {
	struct ctl_client *cl = client_of(t);

	(void)now_ns;
	if (list_step(cl))
		ctl_client_run(cl);
	else
		go_on(cl, on_list_step);
}

// False when no pool has that name.
static bool pool_by_name(const struct conf *conf, const char *name, uint16_t *pool) {
	for (size_t i = 0; i < conf->n_pools; i++) {
		if (strcmp(conf->pools[i].name, name) == 0) {
			*pool = (uint16_t)i;
			return true;
		}
	}
	return false;
}

static enum lease_state state_by_name(const char *name) {
	enum lease_state s = LEASE_FREE;

	// The grammar lists the names: one of them matches.
	while (s < LEASE_QUARANTINE && strcmp(lease_state_name(s), name) != 0)
		s++;
	return s;
}

void ctl_lease_list(struct ctl_client *cl) {
	struct ctl_req *r = &cl->req;
	const char *pool = ctl_arg_str(r, "pool");
	const char *state = ctl_arg_str(r, "state");
	const char *after = ctl_arg_str(r, "after");
	uint64_t next = after == NULL ? 0 : ctl_arg_u64(r, "after", 0) + 1;

	r->is_any_pool = pool == NULL;
	if (pool != NULL && !pool_by_name(cl->ctl->deps.conf, pool, &r->pool)) {
		ctl_refuse(cl, RG_CTL_NOT_FOUND,
			   "lease list: no such pool: `pool list` names them");
		return;
	}
	r->is_any_state = state == NULL;
	if (state != NULL)
		r->state = state_by_name(state);
	r->limit = ctl_arg_u64(r, "limit", CTL_LIMIT_DEFAULT);
	r->next_idx = next > UINT32_MAX ? UINT32_MAX : (uint32_t)next;
	r->rows = json_array();
	if (!list_step(cl))
		go_on(cl, on_list_step);
}

// --- lease show, lease revoke

static void revoke(struct ctl_client *cl, const struct lease *l) {
	struct lease_engine *e = cl->ctl->deps.leases;
	uint32_t idx = l->idx;
	uint64_t gen = l->gen;
	int rc = RG_E_STALE;

	if (l->state != LEASE_FREE && l->state != LEASE_QUARANTINE)
		rc = lease_revoke(e, idx, gen);
	if (rc != 0) {
		ctl_refuse(cl, RG_CTL_REFUSED, "lease %u is not leased (state: %s)", idx,
			   lease_state_name(l->state));
		return;
	}
	log_put(cl->ctl->deps.log, LOG_INFO, "ctl.revoke", LOG_U("lease", idx), LOG_U("gen", gen));
	ctl_answer(cl, ctl_json_lease(cl->ctl, lease_at(e, idx), true));
}

static void show(struct ctl_client *cl, const struct lease *l) {
	if (cl->req.id == CTL_LEASE_REVOKE)
		revoke(cl, l);
	else
		ctl_answer(cl, ctl_json_lease(cl->ctl, l, true));
}

static bool is_named(struct ctl_client *cl, const struct lease *l) {
	const char *name = ctl_arg_str(&cl->req, "lease");

	return strcmp(name, l->impu) == 0 || strcmp(name, l->impi) == 0;
}

// XXX: the engine offers no look-up by name, so this walks: about 0.1 s of elapsed (not blocked)
// time per million pairs.
static bool show_step(struct ctl_client *cl) {
	const struct lease_engine *e = cl->ctl->deps.leases;

	if (!walk(cl, is_named))
		return false;
	if (cl->req.next_idx < lease_n_pairs(e))
		show(cl, lease_at(e, cl->req.next_idx));
	else
		ctl_refuse(cl, RG_CTL_NOT_FOUND,
			   "%s: no pair has this identity: `lease list` names them",
			   cl->req.cmd->name);
	return true;
}

static void on_show_step(struct env_timer *t, uint64_t now_ns) {
	struct ctl_client *cl = client_of(t);

	(void)now_ns;
	if (show_step(cl))
		ctl_client_run(cl);
	else
		go_on(cl, on_show_step);
}

void ctl_lease_show(struct ctl_client *cl) {
	const struct lease_engine *e = cl->ctl->deps.leases;
	uint64_t idx;

	if (rg_parse_u64(rg_str(ctl_arg_str(&cl->req, "lease")), &idx)) {
		if (idx < lease_n_pairs(e))
			show(cl, lease_at(e, (uint32_t)idx));
		else
			ctl_refuse(cl, RG_CTL_NOT_FOUND, "%s: no pair %ju: the last one is %ju",
				   cl->req.cmd->name, (uintmax_t)idx,
				   (uintmax_t)lease_n_pairs(e) - 1);
		return;
	}
	if (!show_step(cl))
		go_on(cl, on_show_step);
}
