// SPDX-License-Identifier: BSD-3-Clause
// One operation of one lease towards the core: a registration or a de-registration, with the
// repeats that ims.md 1.6 allows. Control loop. Whatever the core says, the lease engine and the
// waiting client each hear of it once.
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "core/crash_point.h"
#include "ims/op.h"
#include "regate/err.h"

#define CSEQ_MAX 0x7fffffffu // RFC 3261 8.1.1.5

struct op *op_find(const struct ims *ims, uint32_t idx) {
	struct op *op = ims->ops[idx % IMS_OP_BUCKETS];

	while (op != NULL && op->idx != idx)
		op = op->next;
	return op;
}

bool op_enqueue(struct op *op, struct request *r) {
	if (op->queued != NULL)
		return false;
	r->did_wait = true;
	op->queued = r;
	return true;
}

static void op_unlink(struct op *op) {
	struct op **at = &op->ims->ops[op->idx % IMS_OP_BUCKETS];

	while (*at != op)
		at = &(*at)->next;
	*at = op->next;
	env_timer_cancel(op->ims->env, &op->timer);
	if (op->is_waiting)
		lease_await_cancel(op->ims->leases, op->idx, &op->wait);
}

int op_await(struct op *op, void (*done)(struct lease_wait *w, int rc)) {
	int rc;

	op->wait.done = done;
	rc = lease_await(op->ims->leases, op->idx, &op->wait);
	op->is_waiting = rc != 0;
	return rc;
}

struct op *op_waited(struct lease_wait *w) {
	struct op *op = (struct op *)((char *)w - offsetof(struct op, wait));

	op->is_waiting = false;
	return op;
}

const struct lease *op_lease(const struct op *op) {
	const struct lease *l = lease_at(op->ims->leases, op->idx);

	return l != NULL && l->gen == op->gen ? l : NULL;
}

void op_count_alone(const struct op *op, unsigned status) {
	kpi_answered(&op->ims->kpi, op->is_dereg ? KPI_GW_DEREG : KPI_GW_RE,
		     b2bua_scenario(op_lease(op)), KPI_CORE, status);
}

void op_end(struct op *op) {
	struct ims *ims = op->ims;
	struct request *queued = op->queued;

	op_unlink(op);
	free(op);
	if (queued != NULL)
		b2bua_serve(ims, queued);
}

static void op_unanswered(struct op *op, int rc, bool is_sent) {
	log_put(op->ims->log, LOG_INFO, "ims.unanswered", LOG_U("lease", op->idx),
		LOG_U("gen", op->gen), LOG_S("error", rg_strerror(rc)));
	if (op->is_dereg)
		dereg_unknown(op, 504);
	else
		register_failed(op, 504, is_sent);
}

static void on_result(void *arg, const struct client_result *r) {
	struct op *op = arg;

	CRASH_POINT("ims.after_core_answer");
	if (r->rc == 0)
		kpi_core_answered(&op->ims->kpi, r->answer->status);
	if (r->rc != 0)
		op_unanswered(op, r->rc, r->is_sent);
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
	op_unanswered(op, op->send_rc, false);
}

// Call-ID and CSeq are the gateway's, per binding (ims.md 1.5); after a restart both are new.
static uint32_t next_cseq(struct op *op, const struct lease *l, char call_id[LEASE_CALL_ID_MAX]) {
	uint32_t cseq = l->core_cseq + 1;
	uint8_t id[12];
	struct rg_wr w = rg_wr(call_id, LEASE_CALL_ID_MAX - 1);

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
	char call_id[LEASE_CALL_ID_MAX];
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

// On its way it must not meet the pair's next owner in the core (INV-5).
static bool is_too_late(const struct op *op, const struct lease *l) {
	uint64_t t_sip_ns = op->ims->conf->life.t_sip_s * RG_NS_PER_S;

	return env_now_ns(op->ims->env) + t_sip_ns > l->reassign_ns;
}

static int try_send(struct op *op) {
	const struct lease *l = op_lease(op);
	struct client *client = op->ims->client;
	uint8_t buf[SIP_MAX_MSG];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct message_register r;
	struct client_id id;
	struct ids ids;

	if (l == NULL || is_too_late(op, l) || (!op->is_star && op->ours.element.len == 0))
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
void op_send(struct op *op) {
	op->sent_ns = env_now_ns(op->ims->env);
	CRASH_POINT("ims.before_core_request");
	op->send_rc = try_send(op);
	if (op->client != NULL)
		op->client->did_ask = true;
	CRASH_POINT("ims.after_core_request");
	if (op->send_rc != 0)
		env_timer_set(op->ims->env, &op->timer, env_now_ns(op->ims->env));
}

struct op *op_new(struct ims *ims, const struct lease *l, struct request *client) {
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

void op_set_ours(struct op *op, struct rg_slice element) {
	struct rg_wr w = rg_wr(op->own_bytes, sizeof(op->own_bytes));

	rg_put(&w, element);
	if (contact_parse(rg_wr_slice(&w), &op->ours) != RG_OK)
		op->ours = (struct contact){0};
}

// Was it registered as a flow (RFC 5626)? A registrar that took it for one finds it no other way.
bool op_is_flow(const struct op *op, const struct lease *l) {
	static const char said[] = "Require: outbound";

	if (op->ours.reg_id == 0 || op->ours.instance.len == 0)
		return false;
	return l->binding.headers.len == 0 ||
	       memmem(l->binding.headers.p, l->binding.headers.len, said, sizeof(said) - 1) != NULL;
}

bool op_add_removed(struct op *op, struct rg_wr *w, struct rg_slice element) {
	size_t start = w->len;

	rg_put(w, element);
	if (w->overflow || op->n_removed == MESSAGE_MAX_REMOVED)
		return false;
	op->removed[op->n_removed++] = rg_slice(w->p + start, element.len);
	return true;
}

void op_free_all(struct ims *ims) {
	struct op *op;

	for (size_t i = 0; i < IMS_OP_BUCKETS; i++) {
		while ((op = ims->ops[i]) != NULL) {
			ims->ops[i] = op->next;
			env_timer_cancel(ims->env, &op->timer);
			if (op->is_waiting)
				lease_await_cancel(ims->leases, op->idx, &op->wait);
			free(op->client);
			free(op->queued);
			free(op);
		}
	}
}
