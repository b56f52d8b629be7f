// SPDX-License-Identifier: BSD-3-Clause
// A registration in the core: how it begins and what its 200 leads to. Control loop. Promises the
// client nothing past its token and the core's binding (INV-9).
#include <errno.h>

#include "ims/op.h"
#include "regate/err.h"

#define CLIENT_FLOOR_S 10 // shorter grants make JsSIP late (ims.md 3.1)
#define REFRESH_RETRY_NS (60 * RG_NS_PER_S)

// Nobody hears of it: a core that is away for now is asked again later, and what else went wrong the
// next REGISTER meets itself.
static void refresh_failed(struct op *op, unsigned status, bool is_unknown) {
	uint64_t retry_ns = env_now_ns(op->ims->env) + REFRESH_RETRY_NS;

	op_count_alone(op, status);
	if (retry_ns < op->ims->hold_until_ns)
		retry_ns = op->ims->hold_until_ns;
	lease_refresh_failed(op->ims->leases, op->idx, op->gen, is_unknown,
			     status == 504 ? retry_ns : 0);
	op_end(op);
}

void register_failed(struct op *op, unsigned status, bool is_unknown) {
	struct request *r = op->client;

	op->ims->kpi.count[KPI_UNKNOWN_ENDS] += is_unknown;
	if (r == NULL) {
		refresh_failed(op, status, is_unknown);
		return;
	}
	op->client = NULL;
	// What an earlier 200 of this operation bound is not taken back by a later refusal.
	is_unknown |= op->did_rebind || op->did_remove;
	lease_register_failed(op->ims->leases, op->idx, op->gen, is_unknown);
	if (status == 401)
		reply_challenge(op->ims, r, "invalid_token");
	else
		reply_status(op->ims, r, status, rg_slice(NULL, 0));
	op_end(op);
}

// What the client would be promised is not on record: it asks again.
static void not_durable(struct op *op) {
	struct request *r = op->client;

	op->client = NULL;
	lease_register_failed(op->ims->leases, op->idx, op->gen, false);
	reply_later(op->ims, r, 503, OP_STORE_RETRY_S);
	op_end(op);
}

static uint64_t random_below(struct ims *ims, uint64_t n) {
	uint64_t v;

	env_random(ims->env, &v, sizeof(v));
	return n == 0 ? 0 : v % n;
}

// v less 0..10 %, so that clients who came together do not come back together.
static uint64_t jittered(struct ims *ims, uint64_t v) {
	return v - random_below(ims, v / 10 + 1);
}

// What the client is told (ims.md 4.3): never past the token or the core's binding (INV-9); the
// floor holds below these two only.
static uint32_t client_expires(struct ims *ims, const struct sip_register *reg, uint64_t end_ns,
			       uint64_t now_ns) {
	const struct conf *conf = ims->conf;
	uint64_t limit = op_seconds_left(end_ns, now_ns);
	uint64_t e = op_min(reg->has_expires ? reg->expires : conf->reg.client_max_s,
			    conf->reg.client_max_s);

	e = jittered(ims, op_min(e, limit));
	if (e < conf->reg.client_min_s)
		e = op_min(conf->reg.client_min_s, limit);
	return (uint32_t)e;
}

// When what the core holds ends at the latest (ims.md 4.2). From the answer, not from the request:
// later, and so never too early.
static uint64_t core_high(const struct op *op, uint32_t granted, uint64_t now_ns) {
	uint64_t longest = granted > op->expires ? granted : op->expires;

	return now_ns + (longest + op->ims->conf->life.core_slack_s) * RG_NS_PER_S;
}

// Until when it is good counts from the request: the answer may have come late, or we were stopped.
static struct lease_binding make_binding(struct op *op, const struct lease *l, uint32_t granted,
					 uint64_t now_ns) {
	const struct conf *conf = op->ims->conf;
	uint64_t granted_ns = granted * RG_NS_PER_S;

	return (struct lease_binding){
		.contact = op->ours.element,
		.call_id = op->client != NULL ? op->client->reg.call_id : l->binding.call_id,
		.core_refresh_ns = now_ns + jittered(op->ims, granted_ns / 2),
		.core_low_ns = granted > conf->reg.guard_s
				       ? op->sent_ns + granted_ns - conf->reg.guard_s * RG_NS_PER_S
				       : op->sent_ns,
		.core_high_ns = core_high(op, granted, now_ns),
	};
}

static void log_registered(struct op *op, const struct lease *l, uint32_t expires,
			   uint32_t granted) {
	log_put(op->ims->log, LOG_INFO, "ims.registered", LOG_U("lease", op->idx),
		LOG_U("gen", op->gen), LOG_S("impu", l->impu), LOG_U("expires", expires),
		LOG_U("core_expires", granted));
	if (granted > op->expires) // INV-8
		log_put(op->ims->log, LOG_WARN, "core_granted_more", LOG_S("impu", l->impu),
			LOG_U("asked", op->expires), LOG_U("granted", granted));
}

static bool is_good(const struct op *op) {
	const struct lease *l = op_lease(op);

	return l != NULL && lease_token_end_ns(l) > env_now_ns(op->ims->env);
}

static void answer_bound(struct op *op, const struct lease *l) {
	struct request *r = op->client;

	op->client = NULL;
	if (r != NULL && l != NULL && l->state == LEASE_ACTIVE)
		reply_registered(op->ims, r, &l->binding, op->told, &op->bound);
	else if (r != NULL && is_good(op)) // moved to another gateway meanwhile
		reply_later(op->ims, r, 503, OP_STORE_RETRY_S);
	else if (r != NULL) // over
		reply_challenge(op->ims, r, "invalid_token");
	op_end(op);
}

static void on_bound_durable(struct lease_wait *w, int rc) {
	struct op *op = op_waited(w);

	if (rc == 0)
		answer_bound(op, op_lease(op));
	else
		not_durable(op);
}

static void register_bound(struct op *op, const struct lease *l, const struct sip_msg *m,
			   uint32_t granted) {
	uint64_t now_ns = env_now_ns(op->ims->env);
	struct lease_binding b = make_binding(op, l, granted, now_ns);
	uint64_t end_ns = op_min(op->token_end_ns, b.core_low_ns);
	uint32_t expires = op->client != NULL
				   ? client_expires(op->ims, &op->client->reg, end_ns, now_ns)
				   : (uint32_t)op_seconds_left(end_ns, now_ns);
	struct rg_binding bound = {op->idx, op->gen, now_ns + expires * RG_NS_PER_S};
	uint8_t lines[IMS_LINES_MAX], path[512], handle[64], tag[4], tag_hex[8];
	struct rg_wr w = rg_wr(lines, sizeof(lines)), pw = rg_wr(path, sizeof(path)),
		     hw = rg_wr(handle, sizeof(handle)), tw = rg_wr(tag_hex, sizeof(tag_hex));
	struct message_register own = {.conf = op->ims->conf, .has_ob = op->has_ob};
	struct request *r = op->client;
	int rc;

	message_put_handle(&hw, op->ims->mac, op->idx, op->gen);
	own.handle = rg_wr_slice(&hw);
	message_put_path(&pw, &own);
	message_put_client_lines(&w, m, rg_wr_slice(&pw), op->has_ob);
	env_random(op->ims->env, tag, sizeof(tag));
	rg_put_hex(&tw, rg_slice(tag, sizeof(tag)));
	b.to_tag = rg_wr_slice(&tw);
	b.headers = rg_wr_slice(&w);
	if (w.overflow || pw.overflow || expires < CLIENT_FLOOR_S) {
		log_put(op->ims->log, LOG_WARN, "core_unusable_200", LOG_S("impu", l->impu),
			LOG_U("granted", granted));
		register_failed(op, 500, true);
		return;
	}
	if (r != NULL)
		rc = lease_register_done(op->ims->leases, op->idx, op->gen, &b, r->punt.conn,
					 bound.promise_end_ns);
	else
		rc = lease_refresh_done(op->ims->leases, op->idx, op->gen, &b);
	if (rc == -EAGAIN && r != NULL) { // moved to another gateway meanwhile
		not_durable(op);
		return;
	}
	if (rc < 0) { // revoked or over meanwhile: the engine ends what the core has
		op->ims->kpi.count[KPI_STALE_GEN]++;
		register_failed(op, rc == RG_E_STALE || rc == RG_E_CONFLICT ? 401 : 500, true);
		return;
	}
	log_registered(op, l, expires, granted);
	if (r == NULL)
		op_count_alone(op, 200);
	op->told = expires;
	op->bound = bound;
	if (r == NULL || rc != RG_MORE || op_await(op, on_bound_durable) == 0)
		answer_bound(op, l);
}

void register_repeat(struct op *op) {
	uint64_t left = op_seconds_left(op->token_end_ns, env_now_ns(op->ims->env));

	if (left < op->ims->conf->reg.client_min_s) {
		register_failed(op, 401, false);
		return;
	}
	op->expires = (uint32_t)op_min(op->expires, left);
	op_send(op);
}

bool register_again(struct ims *ims, const struct lease *l, struct request *r,
		    uint64_t token_end_ns) {
	uint64_t now_ns = env_now_ns(ims->env);
	uint32_t expires =
		client_expires(ims, &r->reg, op_min(token_end_ns, l->binding.core_low_ns), now_ns);
	struct rg_binding bound = {l->idx, l->gen, now_ns + expires * RG_NS_PER_S};

	if (expires < ims->conf->reg.client_min_s)
		return false;
	lease_flow_bound(ims->leases, l->idx, l->gen, r->punt.conn, bound.promise_end_ns);
	reply_registered(ims, r, &l->binding, expires, &bound);
	return true;
}

static void put_foreign(struct rg_wr *w, const struct contact *c) {
	rg_putc(w, '<');
	rg_put(w, c->uri);
	rg_putc(w, '>');
	if (c->instance.len > 0) {
		rg_puts(w, ";+sip.instance=\"");
		rg_put(w, c->instance);
		rg_putc(w, '"');
	}
	if (c->reg_id != 0) {
		rg_puts(w, ";reg-id=");
		rg_put_u64(w, c->reg_id);
	}
}

// A pool pair belongs to one client: what else is bound there goes (ims.md 6.4), named by its URI
// and its flow. False when that does not fit.
static bool remove_foreign(struct op *op, const struct message_granted *g) {
	struct rg_wr w = rg_wr(op->removed_bytes, sizeof(op->removed_bytes));
	uint8_t buf[RG_CONTACT_MAX];
	struct rg_wr one;

	op->n_removed = 0;
	for (unsigned i = 0; i < g->n_foreign; i++) {
		one = rg_wr(buf, sizeof(buf));
		put_foreign(&one, &g->foreign[i]);
		if (one.overflow || !op_add_removed(op, &w, rg_wr_slice(&one)))
			return false;
	}
	return true;
}

// INV-2: one subscription, one pair. An identity that is another pair's as well takes this one out of
// rotation; its lease goes on.
static void check_identities(const struct op *op, const struct lease *l, const struct sip_msg *m) {
	struct rg_slice uri;
	char name[256];

	for (unsigned i = 0; message_other_id(m, l->impu, i, &uri); i++) {
		log_put(op->ims->log, LOG_ERROR, "core_other_identity", LOG_S("impu", l->impu),
			LOG_B("other", uri));
		if (uri.len >= sizeof(name))
			continue;
		memcpy(name, uri.p, uri.len);
		name[uri.len] = '\0';
		if (lease_find(op->ims->leases, name) != RG_LEASE_NONE)
			(void)!lease_set_suspect(op->ims->leases, op->idx, LEASE_SUSPECT_IDENTITY);
	}
}

void register_answered(struct op *op, const struct sip_msg *m) {
	const struct lease *l = op_lease(op);
	uint64_t now_ns = env_now_ns(op->ims->env);
	struct message_granted g;

	if (l == NULL) { // somebody else's by now
		op->ims->kpi.count[KPI_STALE_GEN]++;
		register_failed(op, 401, true);
		return;
	}
	message_parse_granted(m, &op->ours, op->expires, &g);
	if (!g.is_bound) {
		log_put(op->ims->log, LOG_WARN, "core_not_bound", LOG_S("impu", l->impu));
		if (op->did_rebind) {
			register_failed(op, 500, true);
			return;
		}
		op->did_rebind = true;
		register_repeat(op);
		return;
	}
	suspect_accepted(op->ims, l);
	if (g.expires > op->expires)
		lease_core_exceeded(op->ims->leases);
	lease_register_held(op->ims->leases, op->idx, op->gen, core_high(op, g.expires, now_ns));
	if (!l->is_fixed)
		check_identities(op, l, m);
	if (!l->is_fixed && g.n_foreign > 0) {
		log_put(op->ims->log, LOG_ERROR, "core_foreign_contact", LOG_S("impu", l->impu),
			LOG_B("contact", g.foreign[0].uri));
		if (op->did_remove || !remove_foreign(op, &g)) {
			register_failed(op, 500, true);
			return;
		}
		op->did_remove = true;
		register_repeat(op);
		return;
	}
	register_bound(op, l, m, g.expires);
}

// After a page reload the old Contact goes with the same request that brings the new one (ims.md
// 4.4). Not when both are one flow: then the new one has replaced it (RFC 5626 6).
static void set_old(struct op *op, const struct lease *l) {
	struct rg_wr w = rg_wr(op->removed_bytes, sizeof(op->removed_bytes));
	struct contact old;

	if (l->binding.contact.len == 0 || contact_parse(l->binding.contact, &old) != RG_OK ||
	    contact_is_same(&old, &op->ours))
		return;
	op_add_removed(op, &w, l->binding.contact);
}

// What the client asks for.
static void describe(struct op *op, const struct lease *l) {
	const struct sip_register *reg = &op->client->reg;
	uint8_t key[RG_CONTACT_MAX];
	struct rg_wr w = rg_wr(key, sizeof(key));

	sip_put_contact_key(&w, reg);
	op_set_ours(op, rg_wr_slice(&w));
	set_old(op, l);
	op->has_ob = reg->has_outbound && op->ours.reg_id != 0 && op->ours.instance.len > 0;
}

// The core is asked once the record says what must be on record before.
static void on_begun(struct lease_wait *w, int rc) {
	struct op *op = op_waited(w);

	if (rc != 0 && op->client != NULL)
		not_durable(op);
	else if (rc != 0)
		register_failed(op, 504, false);
	else if (!is_good(op)) // revoked meanwhile
		register_failed(op, 401, false);
	else
		op_send(op);
}

static void begin(struct op *op, const struct lease *l, int rc) {
	op->ims->stats.register_refresh += l->binding.contact.len > 0;
	op->ims->stats.register_initial += l->binding.contact.len == 0;
	if (rc != RG_MORE || op_await(op, on_begun) == 0)
		op_send(op);
}

void op_register(struct ims *ims, const struct lease *l, struct request *r, uint64_t token_end_ns) {
	const struct conf *conf = ims->conf;
	uint64_t now_ns = env_now_ns(ims->env);
	uint64_t e = op_min(conf->reg.max_s, op_seconds_left(token_end_ns, now_ns));
	struct op *op;
	int rc;

	if (e < conf->reg.client_min_s) { // ims.md 6.4: a fresh token first
		reply_challenge(ims, r, "invalid_token");
		return;
	}
	if (now_ns < ims->hold_until_ns) {
		reply_later(ims, r, 504, op_seconds_left(ims->hold_until_ns, now_ns) + 1);
		return;
	}
	rc = lease_register_begin(ims->leases, l->idx, l->gen, now_ns + e * RG_NS_PER_S);
	if (rc < 0) {
		reply_later(ims, r, 500, 1);
		return;
	}
	op = op_new(ims, l, r);
	if (op == NULL) {
		lease_register_failed(ims->leases, l->idx, l->gen, false);
		reply_later(ims, r, 500, 1);
		return;
	}
	op->token_end_ns = token_end_ns;
	op->expires = (uint32_t)e;
	describe(op, l);
	begin(op, l, rc);
}

void op_refresh(struct ims *ims, const struct lease *l) {
	uint64_t now_ns = env_now_ns(ims->env), token_end_ns = lease_token_end_ns(l);
	uint64_t e = op_min(ims->conf->reg.max_s, op_seconds_left(token_end_ns, now_ns));
	struct op *op;
	int rc;

	// Too late for a longer binding, or not now: the client's own REGISTER will find out.
	if (e < ims->conf->reg.client_min_s || now_ns < ims->hold_until_ns)
		return;
	rc = lease_register_begin(ims->leases, l->idx, l->gen, now_ns + e * RG_NS_PER_S);
	if (rc < 0)
		return;
	op = op_new(ims, l, NULL);
	if (op == NULL) {
		lease_refresh_failed(ims->leases, l->idx, l->gen, false, 0);
		return;
	}
	op->token_end_ns = token_end_ns;
	op->expires = (uint32_t)e;
	op_set_ours(op, l->binding.contact);
	op->has_ob = op_is_flow(op, l);
	begin(op, l, rc);
}
