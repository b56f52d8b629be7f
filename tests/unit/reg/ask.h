// SPDX-License-Identifier: BSD-3-Clause
// What the tests of this folder put before reg_decide(): a REGISTER, a flow, a lease and a time
// that fit together, so that a case states only what it changes.
#pragma once

#include <check.h>

#include "guard.h"
#include "reg/reg.h"
#include "regate/clock.h"
#include "regate/err.h"

#define S RG_NS_PER_S
#define NOW (1000 * S)
#define NO_WWSF UINT16_MAX

#define ASK_IMPU "sip:pool-00017@ims.example.net"
#define ASK_CONTACT "<sip:dgtq@4ej.invalid;transport=ws>;reg-id=1;+sip.instance=\"<urn:uuid:17>\""

struct ask_text { // parts of the REGISTER; NULL = the usual one
	const char *from, *to, *call_id, *cseq, *contact, *authorization, *more;
};

struct ask {
	struct rg_reg_cfg cfg;
	struct reg_flow flow;
	struct rg_lease_view lease;
	bool has_lease;
	struct rg_addr peer;
	uint64_t now_ns;
	struct sip_msg msg;
	struct sip_register reg;
	struct reg_out out;
};

// What the lease's client registered.
static inline void ask_client(struct ask *a, const char *call_id, const char *contact) {
	a->lease.client = rg_client_hash(rg_call_id_hash(rg_str(call_id)), rg_str(contact));
}

static inline void ask_init(struct ask *a) {
	memset(a, 0, sizeof(*a));
	a->cfg = (struct rg_reg_cfg){
		.realm = "ims.example.net",
		.authz_server = "https://wwsf.example.net",
		.client_max_s = 600,
		.client_min_s = 60,
		.guard_s = 30,
		.rate_per_s = 2,
		.rate_burst = 5,
		.is_cseq_strict = true,
	};
	a->flow.bound.lease_idx = RG_LEASE_NONE;
	a->flow.wwsf = 3;
	a->has_lease = true;
	a->lease.idx = 17;
	a->lease.gen = 42;
	a->lease.state = RG_LEASE_ACTIVE;
	a->lease.wwsf = 3;
	a->lease.token_end_ns = NOW + 3600 * S;
	a->lease.core_end_ns = NOW + 3000 * S;
	a->lease.core_refresh_ns = NOW + 1500 * S;
	a->lease.impu[0] = RG_LIT("sip:");
	a->lease.impu[1] = RG_LIT("pool-00017");
	a->lease.impu[2] = RG_LIT("@ims.example.net");
	ask_client(a, "call-1", ASK_CONTACT);
	a->lease.to_tag = RG_LIT("ep1.17.42");
	a->lease.headers[0] = RG_LIT("Service-Route: <sip:s;lr>\r\n");
	a->peer = rg_addr_v4(1, 2);
	a->now_ns = NOW;
}

static inline void ask_bind(struct ask *a) {
	a->flow.bound = (struct rg_binding){17, 42, NOW + 100 * S};
}

#define OR(given, usual) ((given) == NULL ? (usual) : (given))

static inline void ask_write(struct ask *a, const struct ask_text *t) {
	static uint8_t buf[SIP_MAX_MSG];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	rg_puts(&w,
		"REGISTER sip:ims.example.net SIP/2.0\r\nVia: SIP/2.0/WSS h;branch=b\r\nFrom: ");
	rg_puts(&w, OR(t->from, "<" ASK_IMPU ">"));
	rg_puts(&w, ";tag=f\r\nTo: ");
	rg_puts(&w, OR(t->to, "<" ASK_IMPU ">"));
	rg_puts(&w, "\r\nCall-ID: ");
	rg_puts(&w, OR(t->call_id, "call-1"));
	rg_puts(&w, "\r\nCSeq: ");
	rg_puts(&w, OR(t->cseq, "7"));
	rg_puts(&w, " REGISTER\r\n");
	rg_puts(&w, OR(t->authorization, "Authorization: Bearer abc.def.ghi\r\n"));
	rg_puts(&w, OR(t->contact, "Contact: " ASK_CONTACT ";expires=300\r\n"));
	rg_puts(&w, OR(t->more, ""));
	rg_puts(&w, "\r\n");
	ck_assert_int_eq(sip_parse(guard_copy(rg_wr_slice(&w)), &a->msg), RG_OK);
	ck_assert_int_eq(sip_register_parse(&a->msg, &a->reg), RG_OK);
}

static inline void ask_decide(struct ask *a) {
	reg_decide(&a->cfg, &a->flow, &a->reg, &a->peer, a->has_lease ? &a->lease : NULL, a->now_ns,
		   &a->out);
}
