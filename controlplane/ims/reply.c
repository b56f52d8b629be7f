// SPDX-License-Identifier: BSD-3-Clause
// Answers to clients, through dpport. Control loop. A connection that has gone meanwhile is the
// worker's to notice.
#include <stdlib.h>

#include "ims/b2bua.h"

static void put_answer(struct ims *ims, const struct rg_punt *p, const struct sip_msg *m,
		       struct sip_answer *a, struct rg_reply *reply) {
	uint8_t buf[SIP_MAX_MSG * 2], tag[4], tag_hex[8];
	struct rg_wr w = rg_wr(buf, sizeof(buf)), tw = rg_wr(tag_hex, sizeof(tag_hex));

	if (a->to_tag.len == 0) { // RFC 3261 8.2.6.2
		env_random(ims->env, tag, sizeof(tag));
		rg_put_hex(&tw, rg_slice(tag, sizeof(tag)));
		a->to_tag = rg_wr_slice(&tw);
	}
	a->peer = &p->peer;
	sip_put_answer(&w, m, a);
	if (a->status < 300)
		ims->stats.client_ok++;
	else
		ims->stats.client_refused++;
	reply->kind = RG_REPLY_SIP;
	reply->conn = p->conn;
	if (!w.overflow)
		ims->port->reply(ims->port->ctx, reply, rg_wr_slice(&w));
}

static void count(struct ims *ims, const struct request *r, unsigned status) {
	enum kpi_source source = r->did_ask ? KPI_CORE : KPI_LOCAL;
	uint64_t now_ns = env_now_ns(ims->env);

	kpi_answered(&ims->kpi, r->kind, r->who, source, status);
	if (status == 200 && r->kind <= KPI_RE)
		kpi_took(&ims->kpi, source, now_ns > r->punt.now_ns ? now_ns - r->punt.now_ns : 0);
	audit_put(ims, r, status);
}

static void send_answer(struct ims *ims, struct request *r, struct sip_answer *a,
			struct rg_reply *reply) {
	count(ims, r, a->status);
	put_answer(ims, &r->punt, &r->msg, a, reply);
	free(r);
}

void reply_without_memory(struct ims *ims, const struct rg_punt *p, const struct sip_msg *m) {
	struct sip_answer a = {.status = 500, .headers = RG_LIT("Retry-After: 5\r\n")};
	struct rg_reply reply = {.bound.lease_idx = RG_LEASE_NONE};

	put_answer(ims, p, m, &a, &reply);
}

void reply_status(struct ims *ims, struct request *r, unsigned status, struct rg_slice headers) {
	struct sip_answer a = {.status = status, .headers = headers};
	struct rg_reply reply = {.bound.lease_idx = RG_LEASE_NONE};

	send_answer(ims, r, &a, &reply);
}

void reply_challenge(struct ims *ims, struct request *r, const char *error) {
	uint8_t buf[1024];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	rg_puts(&w, "WWW-Authenticate: Bearer realm=\"");
	rg_puts(&w, ims->conf->reg.domain);
	rg_puts(&w, "\", authz_server=\"");
	rg_puts(&w, ims->conf->reg.authz_server);
	rg_puts(&w, "\", scope=\"ims.register\"");
	if (error != NULL) {
		rg_puts(&w, ", error=\"");
		rg_puts(&w, error);
		rg_puts(&w, "\"");
	}
	rg_puts(&w, "\r\n");
	reply_status(ims, r, 401, w.overflow ? rg_slice(NULL, 0) : rg_wr_slice(&w));
}

void reply_later(struct ims *ims, struct request *r, unsigned status, uint64_t retry_after_s) {
	uint8_t buf[64];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	rg_puts(&w, "Retry-After: ");
	rg_put_u64(&w, retry_after_s);
	rg_puts(&w, "\r\n");
	reply_status(ims, r, status, rg_wr_slice(&w));
}

void reply_registered(struct ims *ims, struct request *r, const struct lease_binding *b,
		      uint32_t expires, const struct rg_binding *bound) {
	struct sip_answer a = {
		.status = 200,
		.to_tag = b->to_tag,
		.contact = b->contact,
		.expires = expires,
		.headers = b->headers,
	};
	struct rg_reply reply = {.bound.lease_idx = RG_LEASE_NONE};

	if (bound != NULL) {
		reply.flags = RG_REPLY_F_BIND;
		reply.bound = *bound;
	}
	send_answer(ims, r, &a, &reply);
}

void reply_done(struct ims *ims, struct request *r, bool is_unbound) {
	struct sip_answer a = {.status = 200};
	struct rg_reply reply = {
		.flags = is_unbound ? RG_REPLY_F_BIND : 0,
		.bound.lease_idx = RG_LEASE_NONE,
	};

	send_answer(ims, r, &a, &reply);
}
