// SPDX-License-Identifier: BSD-3-Clause
// The record of a registration attempt (OMA SEC-1, ims.md 5.3): one event, one line. Control loop. A
// token never shows: what stands for it is the start of its digest, made with this gateway's key. What
// the client wrote is a value of the log, which keeps it in its field and on its line.
#include "ims/b2bua.h"

#define BURST_NS RG_NS_PER_S // records of one second at once

// One more within log.audit_rate? GCRA in one word, as of a flow (dataplane/reg/rate.c).
static bool take(struct ims *ims) {
	uint64_t now_ns = env_now_ns(ims->env), each = RG_NS_PER_S / ims->conf->audit_rate;

	if (ims->audit.full_ns < now_ns)
		ims->audit.full_ns = now_ns;
	if (ims->audit.full_ns + each > now_ns + BURST_NS) {
		ims->kpi.count[KPI_AUDIT_LOST]++;
		return false;
	}
	ims->audit.full_ns += each;
	return true;
}

static bool is_wanted(struct ims *ims, unsigned status) {
	switch (ims->conf->audit) {
	case CONF_AUDIT_ALL:
		return true;
	case CONF_AUDIT_SAMPLED:
		return status >= 300 || ims->audit.n_good++ % ims->conf->audit_sample == 0;
	default:
		return false;
	}
}

static struct rg_slice put_flow(struct rg_wr *w, struct rg_conn_id c) {
	rg_put_u64(w, c.worker);
	rg_putc(w, '.');
	rg_put_u64(w, c.idx);
	rg_putc(w, '.');
	rg_put_u64(w, c.gen);
	return rg_wr_slice(w);
}

static struct rg_slice put_peer(struct rg_wr *w, const struct rg_addr *a) {
	bool is_v4 = rg_addr_is_v4(a);

	rg_puts(w, is_v4 ? "" : "[");
	rg_put_ip(w, a);
	rg_puts(w, is_v4 ? ":" : "]:");
	rg_put_u64(w, a->port);
	return rg_wr_slice(w);
}

static struct rg_slice put_token(struct rg_wr *w, const struct request *r) {
	if (r->punt.has_digest)
		rg_put_hex(w, rg_slice(r->punt.digest.b, 8));
	else
		rg_putc(w, '-');
	return rg_wr_slice(w);
}

void audit_put(struct ims *ims, const struct request *r, unsigned status) {
	uint8_t flow[48], peer[64], token[16];
	struct rg_wr fw = rg_wr(flow, sizeof(flow)), pw = rg_wr(peer, sizeof(peer)),
		     tw = rg_wr(token, sizeof(token));
	const struct conf *conf = ims->conf;
	uint64_t now_ns = env_now_ns(ims->env), at_ns = r->punt.now_ns;
	bool has_page = r->punt.wwsf < conf->n_wwsfs;

	if (!is_wanted(ims, status) || !take(ims))
		return;
	log_record(ims->log, "audit.register",
		   (const struct log_kv[]){
			   LOG_S("kind", kpi_kind_name(r->kind)),
			   LOG_U("status", status),
			   LOG_S("source", r->did_ask ? "core" : "local"),
			   LOG_S("scenario", kpi_scenario_name(r->who)),
			   LOG_B("flow", put_flow(&fw, r->punt.conn)),
			   LOG_B("peer", put_peer(&pw, &r->punt.peer)),
			   LOG_S("origin", has_page ? conf->wwsfs[r->punt.wwsf].id : "-"),
			   LOG_B("impu", r->reg.to_uri),
			   LOG_B("token", put_token(&tw, r)),
			   LOG_U("ms", now_ns > at_ns ? (now_ns - at_ns) / RG_NS_PER_MS : 0),
			   {.key = NULL},
		   });
}
