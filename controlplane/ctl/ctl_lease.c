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
	enum lease_hold hold = lease_hold_of(c->deps.leases, l->idx);
	const struct lease_binding *b = &l->binding;
	json_t *more = json_pack(
		"{s:s, s:s?, s:I, s:b, s:I, s:o, s:s?, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:o}",
		"impi", l->impi, "wwsf", conf_wwsf_id(c->deps.conf, l->wwsf), "scenario",
		(json_int_t)l->scenario, "fixed", l->is_fixed, "tokens", (json_int_t)n_tokens(l),
		"reassign_at", ctl_json_time(c, l->reassign_ns), "held_by",
		hold == LEASE_HOLD_NONE ? NULL : lease_hold_text(hold), "contact",
		text_or_null(b->contact), "call_id", text_or_null(b->call_id), "core_refresh_at",
		ctl_json_time(c, b->core_refresh_ns), "core_until_at",
		ctl_json_time(c, b->core_low_ns), "core_call_id",
		text_or_null(rg_str(l->core_call_id)), "core_cseq", (json_int_t)l->core_cseq,
		"flow", flow_json(l->flow), "gateway",
		text_or_null(rg_str(lease_gateway_name(c->deps.leases, l))));
	int rc = more == NULL ? -1 : json_object_update(o, more);

	json_decref(more);
	return rc;
}

json_t *ctl_json_lease(const struct ctl *c, const struct lease *l, bool is_whole) {
	json_t *o = json_pack("{s:I, s:I, s:s, s:b, s:s*, s:o, s:o, s:o, s:o, s:o}", "idx",
			      (json_int_t)l->idx, "gen", (json_int_t)l->gen, "state",
			      lease_state_name(l->state), "stale", l->is_stale, "suspect",
			      l->suspect == LEASE_SUSPECT_NONE
				      ? NULL
				      : lease_suspect_name((enum lease_suspect)l->suspect),
			      "impu", ctl_json_text(rg_str(l->impu)), "pool", pool_name(c, l),
			      "sub", l->sub == NULL ? json_null() : ctl_json_text(rg_str(l->sub)),
			      "token_ends_at",
			      ctl_json_time(c, l->state == LEASE_FREE ? 0 : lease_token_end_ns(l)),
			      "promised_until_at", ctl_json_time(c, l->promise_end_ns));

	if (o != NULL && is_whole && add_rest(c, l, o) != 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

// --- lease list

// Serves a step of the walk. True when the answer is made.
static bool list_step(struct ctl_client *cl) {
	const struct lease_engine *e = cl->ctl->deps.leases;
	struct ctl_req *r = &cl->req;
	unsigned n = CTL_SCAN_STEP;
	bool is_full = false, is_end;

	while (!is_full && lease_scan(e, &r->filter, &r->next_idx, &n)) {
		ctl_json_add(&r->rows, ctl_json_lease(cl->ctl, lease_at(e, r->next_idx++), false));
		is_full = json_array_size(r->rows) == r->limit;
	}
	is_end = r->next_idx >= lease_n_pairs(e);
	if (!is_full && !is_end)
		return false;
	ctl_answer(cl, json_pack("{s:O, s:o}", "leases", r->rows, "next_after",
				 is_end ? json_null() : json_integer((json_int_t)r->next_idx - 1)));
	return true;
}

// -1 when there is none.
static int32_t wwsf_by_id(const struct conf *conf, const char *id) {
	for (size_t i = 0; i < conf->n_wwsfs; i++)
		if (strcmp(conf->wwsfs[i].id, id) == 0)
			return (int32_t)i;
	return -1;
}

static enum lease_state state_by_name(const char *name) {
	enum lease_state s = LEASE_FREE;

	// The grammar lists the names: one of them matches.
	while (s < LEASE_QUARANTINE && strcmp(lease_state_name(s), name) != 0)
		s++;
	return s;
}

// False after a refusal was sent.
static bool read_filter(struct ctl_client *cl, struct lease_filter *f) {
	const struct conf *conf = cl->ctl->deps.conf;
	const char *wwsf = ctl_arg_str(&cl->req, "wwsf");
	const char *state = ctl_arg_str(&cl->req, "state"), *impu = ctl_arg_str(&cl->req, "impu");

	bool has_pool = ctl_arg_str(&cl->req, "pool") != NULL;
	uint16_t pool = 0;

	if (has_pool && !ctl_pool_arg(cl, &pool))
		return false;
	*f = (struct lease_filter){.pool = has_pool ? pool : -1,
				   .wwsf = wwsf == NULL ? -1 : wwsf_by_id(conf, wwsf),
				   .state = state == NULL ? -1 : (int32_t)state_by_name(state),
				   .sub = ctl_arg_str(&cl->req, "sub"),
				   .is_suspect =
					   json_is_true(json_object_get(cl->req.args, "suspect")),
				   .impu = impu == NULL ? rg_slice(NULL, 0) : rg_str(impu)};
	if (wwsf == NULL || f->wwsf >= 0)
		return true;
	ctl_refuse(cl, RG_CTL_NOT_FOUND,
		   "lease list: no such WWSF: `wwsfs` of the configuration names them");
	return false;
}

void ctl_lease_list(struct ctl_client *cl) {
	struct ctl_req *r = &cl->req;

	if (!read_filter(cl, &r->filter))
		return;
	r->limit = ctl_arg_u64(r, "limit", CTL_LIMIT_DEFAULT);
	r->next_idx = ctl_arg_after(r);
	r->rows = json_array();
	ctl_walk(cl, list_step);
}

// --- lease show, lease revoke, and all that names a pair

void ctl_refuse_state(struct ctl_client *cl, const struct lease *l) {
	ctl_refuse(cl, RG_CTL_REFUSED, "%s: lease %u is not leased (state: %s)", cl->req.cmd->name,
		   l->idx, lease_state_name(l->state));
}

static void revoke(struct ctl_client *cl, const struct lease *l) {
	struct lease_engine *e = cl->ctl->deps.leases;
	uint32_t idx = l->idx;
	uint64_t gen = l->gen;
	int rc = RG_E_STALE;

	if (l->state != LEASE_FREE && l->state != LEASE_QUARANTINE)
		rc = lease_revoke(e, idx, gen);
	if (rc != 0) {
		ctl_refuse_state(cl, l);
		return;
	}
	log_put(cl->ctl->deps.log, LOG_INFO, "ctl.revoke", LOG_U("lease", idx), LOG_U("gen", gen));
	ctl_answer_durable(cl, idx);
}

static void show(struct ctl_client *cl, const struct lease *l) {
	if (cl->req.id == CTL_LEASE_REVOKE)
		revoke(cl, l);
	else if (cl->req.id == CTL_LEASE_RELEASE)
		ctl_lease_release(cl, l);
	else if (cl->req.id == CTL_LEASE_HISTORY)
		ctl_lease_history(cl, l);
	else if (cl->req.id != CTL_LEASE_SHOW)
		ctl_lease_mark(cl, l);
	else
		ctl_answer(cl, ctl_json_lease(cl->ctl, l, true));
}

void ctl_lease_show(struct ctl_client *cl) {
	const struct lease_engine *e = cl->ctl->deps.leases;
	const char *name = ctl_arg_str(&cl->req, "lease");
	bool is_idx;
	uint64_t idx;

	is_idx = rg_parse_u64(rg_str(name), &idx);
	if (!is_idx)
		idx = lease_find(e, name);
	if (idx < lease_n_pairs(e) && lease_is_removed(e, (uint32_t)idx))
		ctl_refuse(cl, RG_CTL_NOT_FOUND, "%s: pair %ju was removed", cl->req.cmd->name,
			   (uintmax_t)idx);
	else if (idx < lease_n_pairs(e))
		show(cl, lease_at(e, (uint32_t)idx));
	else if (lease_n_pairs(e) == 0)
		ctl_refuse(cl, RG_CTL_NOT_FOUND, "%s: there is no pair: `pool import` brings some",
			   cl->req.cmd->name);
	else if (is_idx)
		ctl_refuse(cl, RG_CTL_NOT_FOUND, "%s: no pair %ju: the last one is %ju",
			   cl->req.cmd->name, (uintmax_t)idx, (uintmax_t)lease_n_pairs(e) - 1);
	else
		ctl_refuse(cl, RG_CTL_NOT_FOUND,
			   "%s: no pair has this identity: `lease list` names them",
			   cl->req.cmd->name);
}
