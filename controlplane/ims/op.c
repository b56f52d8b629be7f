// SPDX-License-Identifier: BSD-3-Clause
// One operation of one lease towards the core: a registration or a de-registration, with the
// repeats that ims.md 1.6 allows. Control loop. Whatever the core says, the lease engine and the
// waiting client each hear of it once.
#include <errno.h>
#include <stdlib.h>

#include "ims/b2bua.h"
#include "regate/err.h"

#define CLIENT_FLOOR_S 10 // shorter grants make JsSIP late (ims.md 3.1)
#define HOLD_MAX_S 60     // a Retry-After must not shut us for longer
#define CSEQ_MAX 0x7fffffffu // RFC 3261 8.1.1.5
#define REMOVED_BYTES 2048

struct op {
	struct op *next;
	struct ims *ims;
	uint32_t idx;
	uint64_t gen;
	bool is_dereg;
	struct request *client; // whom to answer; NULL = nobody
	struct request *queued; // the one REGISTER that waits for the end of this
	bool is_end_wanted;     // the engine wants the binding gone
	uint64_t token_end_ns;
	uint32_t expires;
	bool has_ob, is_star;
	bool did_rebind, did_remove, did_423, did_439, did_star;
	struct contact ours; // bytes in own_bytes; uri.len 0 = none known
	struct rg_slice removed[MESSAGE_MAX_REMOVED]; // bytes in removed_bytes
	unsigned n_removed;
	int send_rc; // why the timer runs
	struct env_timer timer;
	uint8_t own_bytes[IMS_CONTACT_MAX];
	uint8_t removed_bytes[REMOVED_BYTES];
};

static void op_send(struct op *op);

struct op *op_find(const struct ims *ims, uint32_t idx) {
	struct op *op = ims->ops[idx % IMS_OP_BUCKETS];

	while (op != NULL && op->idx != idx)
		op = op->next;
	return op;
}

bool op_enqueue(struct op *op, struct request *r) {
	if (op->queued != NULL)
		return false;
	op->queued = r;
	return true;
}

static void op_unlink(struct op *op) {
	struct op **at = &op->ims->ops[op->idx % IMS_OP_BUCKETS];

	while (*at != op)
		at = &(*at)->next;
	*at = op->next;
	env_timer_cancel(op->ims->env, &op->timer);
}

// The lease, as long as it is the one this operation began for.
static const struct lease *op_lease(const struct op *op) {
	const struct lease *l = lease_at(op->ims->leases, op->idx);

	return l != NULL && l->gen == op->gen ? l : NULL;
}

// The client has its answer. What waited goes on: first what the engine wants, then the client.
static void op_end(struct op *op) {
	struct ims *ims = op->ims;
	const struct lease *l = op_lease(op);
	struct request *queued = op->queued;
	bool is_end_due = op->is_end_wanted && !op->is_dereg && l != NULL;

	op_unlink(op);
	free(op);
	if (is_end_due)
		op_deregister(ims, l, NULL);
	if (queued != NULL)
		b2bua_serve(ims, queued);
}

// --- ends of a registration

static void register_failed(struct op *op, unsigned status, bool is_unknown) {
	struct request *r = op->client;

	op->client = NULL;
	lease_register_failed(op->ims->leases, op->idx, op->gen, is_unknown);
	if (status == 401)
		reply_challenge(op->ims, r, "invalid_token");
	else
		reply_status(op->ims, r, status, rg_slice(NULL, 0));
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

static uint64_t min_u64(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

static uint64_t seconds_left(uint64_t end_ns, uint64_t now_ns) {
	return end_ns > now_ns ? (end_ns - now_ns) / RG_NS_PER_S : 0;
}

// What the client is told (ims.md 4.3): never past the token or the core's binding (INV-9); the
// floor holds below these two only.
static uint32_t client_expires(struct op *op, uint64_t core_low_ns, uint64_t now_ns) {
	const struct conf *conf = op->ims->conf;
	const struct sip_register *reg = &op->client->reg;
	uint64_t limit = min_u64(seconds_left(op->token_end_ns, now_ns),
				 seconds_left(core_low_ns, now_ns));
	uint64_t e = min_u64(reg->has_expires ? reg->expires : conf->reg.client_max_s,
			     conf->reg.client_max_s);

	e = jittered(op->ims, min_u64(e, limit));
	if (e < conf->reg.client_min_s)
		e = min_u64(conf->reg.client_min_s, limit);
	return (uint32_t)e;
}

static struct lease_binding make_binding(struct op *op, uint32_t granted, uint64_t now_ns) {
	const struct conf *conf = op->ims->conf;
	uint64_t granted_ns = granted * RG_NS_PER_S, longest = granted;

	if (longest < op->expires)
		longest = op->expires;
	return (struct lease_binding){
		.contact = op->ours.element,
		.call_id = op->client->reg.call_id,
		.core_refresh_ns = now_ns + jittered(op->ims, granted_ns / 2),
		.core_low_ns = granted > conf->reg.guard_s
				       ? now_ns + granted_ns - conf->reg.guard_s * RG_NS_PER_S
				       : now_ns,
		// From the answer, not from the request: later, and so never too early.
		.core_high_ns = now_ns + (longest + conf->life.core_slack_s) * RG_NS_PER_S,
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

static void register_bound(struct op *op, const struct lease *l, const struct sip_msg *m,
			   uint32_t granted) {
	uint64_t now_ns = env_now_ns(op->ims->env);
	struct lease_binding b = make_binding(op, granted, now_ns);
	uint32_t expires = client_expires(op, b.core_low_ns, now_ns);
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
	rc = lease_register_done(op->ims->leases, op->idx, op->gen, &b, r->punt.conn,
				 bound.promise_end_ns);
	if (rc != 0) { // given up meanwhile; the engine ends what the core has
		register_failed(op, rc == RG_E_STALE || rc == RG_E_CONFLICT ? 401 : 500, true);
		return;
	}
	log_registered(op, l, expires, granted);
	op->client = NULL;
	reply_registered(op->ims, r, &b, expires, &bound);
	op_end(op);
}

// Keeps what names a foreign binding to the core: its URI and its flow. False without room.
static bool add_removed(struct op *op, struct rg_wr *w, const struct contact *c) {
	size_t start = w->len;

	if (op->n_removed == MESSAGE_MAX_REMOVED)
		return false;
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
	if (w->overflow)
		return false;
	op->removed[op->n_removed++] = rg_slice(w->p + start, w->len - start);
	return true;
}

// A pool pair belongs to one client: what else is bound there goes (ims.md 6.4).
static bool remove_foreign(struct op *op, const struct message_granted *g) {
	struct rg_wr w = rg_wr(op->removed_bytes, sizeof(op->removed_bytes));

	op->n_removed = 0;
	for (unsigned i = 0; i < g->n_foreign; i++)
		if (!add_removed(op, &w, &g->foreign[i]))
			return false;
	return true;
}

static void register_answered(struct op *op, const struct sip_msg *m) {
	const struct lease *l = op_lease(op);
	struct message_granted g;

	if (l == NULL || op->is_end_wanted) { // revoked meanwhile: op_end() tells the core
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
		op_send(op);
		return;
	}
	if (!l->is_fixed && message_count_other_ids(m, l->impu) > 0)
		log_put(op->ims->log, LOG_ERROR, "core_other_identity", LOG_S("impu", l->impu));
	if (!l->is_fixed && g.n_foreign > 0) {
		log_put(op->ims->log, LOG_ERROR, "core_foreign_contact", LOG_S("impu", l->impu),
			LOG_B("contact", g.foreign[0].uri));
		if (op->did_remove || !remove_foreign(op, &g)) {
			register_failed(op, 500, true);
			return;
		}
		op->did_remove = true;
		op_send(op);
		return;
	}
	register_bound(op, l, m, g.expires);
}

// --- ends of a de-registration

static void dereg_unknown(struct op *op, unsigned status) {
	struct request *r = op->client;

	op->client = NULL;
	lease_dereg_unknown(op->ims->leases, op->idx, op->gen);
	if (r != NULL)
		reply_status(op->ims, r, status, rg_slice(NULL, 0));
	op_end(op);
}

static void dereg_answered(struct op *op, const struct sip_msg *m) {
	const struct lease *l = op_lease(op);
	struct request *r = op->client;
	struct message_granted g;

	message_parse_granted(m, &op->ours, 0, &g);
	if (g.is_bound || (l != NULL && !l->is_fixed && g.n_foreign > 0)) {
		if (!op->did_star && l != NULL && !l->is_fixed) {
			op->did_star = op->is_star = true;
			op_send(op);
			return;
		}
		log_put(op->ims->log, LOG_WARN, "core_still_bound", LOG_U("lease", op->idx));
		dereg_unknown(op, 500);
		return;
	}
	log_put(op->ims->log, LOG_INFO, "ims.deregistered", LOG_U("lease", op->idx),
		LOG_U("gen", op->gen), LOG_S("by", r != NULL ? "client" : "gateway"));
	op->client = NULL;
	lease_dereg_done(op->ims->leases, op->idx, op->gen, r != NULL && !op->is_end_wanted);
	if (r != NULL)
		reply_done(op->ims, r, true);
	op_end(op);
}

// --- refusals (ims.md 1.6)

struct verdict {
	unsigned status; // for the client
	bool is_unknown; // the core may have a binding all the same
	enum log_level level;
	const char *msg; // NULL = nothing to log
};

static struct verdict judge(unsigned status) {
	switch (status) {
	case 401:
	case 407:
		return (struct verdict){500, false, LOG_ERROR, "core_tna_rejected"};
	case 403:
	case 404:
		return (struct verdict){403, false, LOG_WARN, "core_refused"};
	case 420:
		return (struct verdict){500, false, LOG_ERROR, "core_misrouted"};
	case 408:
	case 504:
		return (struct verdict){504, true, LOG_WARN, "core_no_answer"};
	case 480:
	case 503:
		return (struct verdict){504, false, LOG_WARN, "core_unavailable"};
	}
	if (status < 400)
		return (struct verdict){504, false, LOG_WARN, "core_redirects"};
	return (struct verdict){status >= 600 ? 403 : 500, false, LOG_WARN, "core_failed"};
}

// 423: the core's minimum is taken when it is inside our own limits (RFC 3261 10.2.8), once. A
// fresh token may be long enough for it; a minimum over T_reg never will. Never relayed: clients
// repeat a 423 without limit.
static struct verdict judge_too_brief(struct op *op, const struct sip_msg *m, bool *is_retry) {
	uint64_t left = seconds_left(op->token_end_ns, env_now_ns(op->ims->env));
	uint32_t min;

	*is_retry = false;
	if (!message_seconds(m, SIP_HDR_MIN_EXPIRES, &min) || op->is_dereg)
		return judge(400);
	if (min > op->ims->conf->reg.max_s)
		return (struct verdict){403, false, LOG_WARN, "core_min_expires"};
	if (min > left)
		return (struct verdict){401, false, LOG_INFO, "core_min_expires"};
	*is_retry = !op->did_423;
	op->did_423 = true;
	op->expires = min;
	return (struct verdict){403, false, LOG_WARN, "core_min_expires"};
}

static void note_refusal(struct op *op, const struct sip_msg *m, const struct lease *l) {
	uint32_t s;

	if (m->status == 503 && message_seconds(m, SIP_HDR_RETRY_AFTER, &s)) // RFC 3261 21.5.4
		op->ims->hold_until_ns = env_now_ns(op->ims->env) +
					 min_u64(s, HOLD_MAX_S) * RG_NS_PER_S;
	if (m->status == 504 && l != NULL) // restoration: an initial REGISTER has a new Call-ID
		lease_set_core_dialog(op->ims->leases, op->idx, "", 0);
}

static void op_refused(struct op *op, const struct sip_msg *m) {
	const struct lease *l = op_lease(op);
	struct verdict v = judge(m->status);
	bool is_retry = false;

	if (m->status == 423)
		v = judge_too_brief(op, m, &is_retry);
	if (m->status == 439 && op->has_ob && !op->did_439) { // RFC 5626 11.6
		is_retry = op->did_439 = true;
		op->has_ob = false;
	}
	if (is_retry) {
		op_send(op);
		return;
	}
	log_put(op->ims->log, v.level, v.msg, LOG_U("status", m->status), LOG_U("lease", op->idx),
		LOG_S("impu", l != NULL ? l->impu : "-"));
	note_refusal(op, m, l);
	if (op->is_dereg)
		dereg_unknown(op, v.status == 401 ? 500 : v.status);
	else
		register_failed(op, v.status, v.is_unknown);
}

static void op_unanswered(struct op *op, bool is_sent) {
	if (op->is_dereg)
		dereg_unknown(op, 504);
	else
		register_failed(op, 504, is_sent);
}

static void on_result(void *arg, const struct client_result *r) {
	struct op *op = arg;

	if (r->rc != 0)
		op_unanswered(op, r->is_sent);
	else if (r->answer->status >= 300)
		op_refused(op, r->answer);
	else if (op->is_dereg)
		dereg_answered(op, r->answer);
	else
		register_answered(op, r->answer);
}

// --- sending

static void on_timer(struct env_timer *t, uint64_t now_ns) {
	struct op *op = (struct op *)((char *)t - offsetof(struct op, timer));

	(void)now_ns;
	log_put(op->ims->log, LOG_WARN, "core_not_sent", LOG_U("lease", op->idx),
		LOG_S("error", rg_strerror(op->send_rc)));
	op_unanswered(op, false);
}

// Call-ID and CSeq are the gateway's, per binding (ims.md 1.5); after a restart both are new.
static uint32_t next_cseq(struct op *op, const struct lease *l, char call_id[64]) {
	uint32_t cseq = l->core_cseq + 1;
	uint8_t id[12];
	struct rg_wr w = rg_wr(call_id, 63);

	if (l->core_call_id[0] != '\0' && l->core_cseq < CSEQ_MAX) {
		rg_puts(&w, l->core_call_id);
	} else {
		env_random(op->ims->env, id, sizeof(id));
		rg_put_u64(&w, op->idx);
		rg_putc(&w, '.');
		rg_put_hex(&w, rg_slice(id, sizeof(id)));
		cseq = 1;
	}
	call_id[w.len] = '\0';
	lease_set_core_dialog(op->ims->leases, op->idx, call_id, cseq);
	return cseq;
}

struct ids { // unique for this request
	uint8_t branch[CLIENT_BRANCH_MAX], icid[CLIENT_BRANCH_MAX], tag[8], handle[64];
	char call_id[64];
};

static struct rg_slice put_unique(struct ims *ims, uint8_t buf[CLIENT_BRANCH_MAX],
				  const char *prefix) {
	struct rg_wr w = rg_wr(buf, CLIENT_BRANCH_MAX);

	rg_puts(&w, prefix);
	rg_put_hex(&w, rg_slice(&ims->secret, sizeof(ims->secret)));
	rg_putc(&w, '-');
	rg_put_u64(&w, ims->n_sent);
	return rg_wr_slice(&w);
}

static struct message_register make_message(struct op *op, const struct lease *l, struct ids *ids) {
	struct ims *ims = op->ims;
	struct rg_wr hw = rg_wr(ids->handle, sizeof(ids->handle)),
		     tw = rg_wr(ids->tag, sizeof(ids->tag));
	struct message_register r = {
		.conf = ims->conf,
		.impi = l->impi,
		.impu = l->impu,
		.has_ob = op->has_ob,
		.is_outbound_hidden = op->ours.reg_id != 0 && !op->has_ob, // else 439
		.expires = op->is_dereg ? 0 : op->expires,
		.is_star = op->is_star,
	};
	uint8_t tag[4];

	ims->n_sent++;
	r.branch = put_unique(ims, ids->branch, "z9hG4bK"); // RFC 3261 8.1.1.7
	r.icid = put_unique(ims, ids->icid, "");
	env_random(ims->env, tag, sizeof(tag));
	rg_put_hex(&tw, rg_slice(tag, sizeof(tag)));
	r.from_tag = rg_wr_slice(&tw);
	message_put_handle(&hw, ims->mac, op->idx, op->gen);
	r.handle = rg_wr_slice(&hw);
	r.cseq = next_cseq(op, l, ids->call_id);
	r.call_id = rg_str(ids->call_id);
	if (!op->is_star) {
		r.contact = op->ours.element;
		memcpy(r.removed, op->removed, sizeof(r.removed));
		r.n_removed = op->n_removed;
	}
	return r;
}

static int try_send(struct op *op) {
	const struct lease *l = op_lease(op);
	struct client *client = op->ims->client;
	uint8_t buf[SIP_MAX_MSG];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct message_register r;
	struct client_id id;
	struct ids ids;

	if (l == NULL || (!op->is_star && op->ours.element.len == 0))
		return RG_E_STALE;
	r = make_message(op, l, &ids);
	r.is_udp = client_is_udp(client, 0);
	message_put_register(&w, &r);
	if (r.is_udp && !client_is_udp(client, w.len)) { // RFC 3261 18.1.1
		r.is_udp = false;
		w = rg_wr(buf, sizeof(buf));
		message_put_register(&w, &r);
	}
	if (w.overflow)
		return RG_E_LIMIT;
	id = (struct client_id){r.branch, r.call_id, r.cseq};
	return client_send(client, rg_wr_slice(&w), r.is_udp, &id, on_result, op);
}

// A failure to send is delivered by the timer, so that nobody is called back from inside a call.
static void op_send(struct op *op) {
	op->send_rc = try_send(op);
	if (op->send_rc != 0)
		env_timer_set(op->ims->env, &op->timer, env_now_ns(op->ims->env));
}

static struct op *op_new(struct ims *ims, const struct lease *l, struct request *client) {
	struct op *op = calloc(1, sizeof(*op));

	if (op == NULL)
		return NULL;
	op->ims = ims;
	op->idx = l->idx;
	op->gen = l->gen;
	op->client = client;
	op->timer.fn = on_timer;
	op->next = ims->ops[l->idx % IMS_OP_BUCKETS];
	ims->ops[l->idx % IMS_OP_BUCKETS] = op;
	return op;
}

// --- beginnings

static void set_ours(struct op *op, struct rg_slice element) {
	struct rg_wr w = rg_wr(op->own_bytes, sizeof(op->own_bytes));

	rg_put(&w, element);
	if (contact_parse(rg_wr_slice(&w), &op->ours) != RG_OK)
		op->ours = (struct contact){0};
}

// After a page reload the old Contact goes with the same request that brings the new one (ims.md
// 4.4). Not when both are one flow: then the new one has replaced it (RFC 5626 6).
static void set_old(struct op *op, const struct lease *l) {
	struct rg_wr w = rg_wr(op->removed_bytes, sizeof(op->removed_bytes));
	struct contact old;

	if (l->binding.contact.len == 0 || contact_parse(l->binding.contact, &old) != RG_OK ||
	    contact_is_same(&old, &op->ours))
		return;
	rg_put(&w, l->binding.contact);
	if (!w.overflow)
		op->removed[op->n_removed++] = rg_wr_slice(&w);
}

static void start_register(struct op *op, const struct lease *l) {
	const struct sip_register *reg = &op->client->reg;
	uint8_t key[IMS_CONTACT_MAX];
	struct rg_wr w = rg_wr(key, sizeof(key));

	sip_put_contact_key(&w, reg);
	set_ours(op, rg_wr_slice(&w));
	set_old(op, l);
	op->has_ob = reg->has_outbound && op->ours.reg_id != 0 && op->ours.instance.len > 0;
	if (l->state == LEASE_ACTIVE && l->binding.contact.len > 0)
		op->ims->stats.register_refresh++;
	else
		op->ims->stats.register_initial++;
	op_send(op);
}

void op_register(struct ims *ims, const struct lease *l, struct request *r, uint64_t token_end_ns) {
	const struct conf *conf = ims->conf;
	uint64_t now_ns = env_now_ns(ims->env);
	uint64_t e = min_u64(conf->reg.max_s, seconds_left(token_end_ns, now_ns));
	uint64_t end_ns =
		now_ns + (e + conf->life.t_sip_s + conf->life.core_slack_s) * RG_NS_PER_S;
	struct op *op;
	int rc;

	if (e < conf->reg.client_min_s) { // ims.md 6.4: a fresh token first
		reply_challenge(ims, r, "invalid_token");
		return;
	}
	if (now_ns < ims->hold_until_ns) {
		reply_later(ims, r, 504, seconds_left(ims->hold_until_ns, now_ns) + 1);
		return;
	}
	rc = lease_register_begin(ims->leases, l->idx, l->gen, end_ns);
	if (rc != 0) {
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
	start_register(op, l);
}

// Without a Contact of record (a restart came between) a pool pair is cleared whole.
// XXX an account's pair is not: its owner's other devices are bound there. Such a binding runs out
// in the core instead.
static void start_deregister(struct op *op, const struct lease *l) {
	set_ours(op, l->binding.contact);
	if (op->ours.element.len == 0 && op->client != NULL && !op->client->reg.is_star) {
		uint8_t key[IMS_CONTACT_MAX];
		struct rg_wr w = rg_wr(key, sizeof(key));

		sip_put_contact_key(&w, &op->client->reg);
		set_ours(op, rg_wr_slice(&w));
	}
	if (op->ours.element.len == 0 && (op->client != NULL || !l->is_fixed))
		op->is_star = op->did_star = true;
	op->ims->stats.deregister++;
	op_send(op);
}

void op_deregister(struct ims *ims, const struct lease *l, struct request *r) {
	struct op *op = op_find(ims, l->idx);

	if (op != NULL) { // the engine's wish; a client's request is queued before it gets here
		op->is_end_wanted = true;
		return;
	}
	if (r != NULL && lease_dereg_begin(ims->leases, l->idx, l->gen) != 0) {
		reply_later(ims, r, 500, 1);
		return;
	}
	op = op_new(ims, l, r);
	if (op == NULL) {
		// XXX without memory the binding stays until the core's own end of it
		if (r != NULL)
			reply_later(ims, r, 500, 1);
		return;
	}
	op->is_dereg = true;
	start_deregister(op, l);
}

void op_free_all(struct ims *ims) {
	struct op *op;

	for (size_t i = 0; i < IMS_OP_BUCKETS; i++) {
		while ((op = ims->ops[i]) != NULL) {
			op_unlink(op);
			free(op->client);
			free(op->queued);
			free(op);
		}
	}
}
