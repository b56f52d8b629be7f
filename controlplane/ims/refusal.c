// SPDX-License-Identifier: BSD-3-Clause
// What the core's refusals mean for the client and for the lease (ims.md 1.6). Control loop.
#include "ims/op.h"

#define HOLD_MAX_S 60 // a Retry-After must not shut us for longer

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
	uint64_t left = op_seconds_left(op->token_end_ns, env_now_ns(op->ims->env));
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
		op->ims->hold_until_ns =
			env_now_ns(op->ims->env) + op_min(s, HOLD_MAX_S) * RG_NS_PER_S;
	if (m->status == 504 && l != NULL) // restoration: an initial REGISTER has a new Call-ID
		lease_set_core_dialog(op->ims->leases, op->idx, "", 0);
}

void op_refused(struct op *op, const struct sip_msg *m) {
	const struct lease *l = op_lease(op);
	struct verdict v = judge(m->status);
	bool is_retry = false;

	if (m->status == 423)
		v = judge_too_brief(op, m, &is_retry);
	if (m->status == 439 && op->has_ob && !op->did_439) { // RFC 5626 11.6
		is_retry = op->did_439 = true;
		op->has_ob = false;
	}
	if (is_retry && op->is_dereg) {
		op_send(op);
		return;
	}
	if (is_retry) {
		register_repeat(op);
		return;
	}
	log_put(op->ims->log, v.level, v.msg, LOG_U("status", m->status), LOG_U("lease", op->idx),
		LOG_S("impu", l != NULL ? l->impu : "-"));
	note_refusal(op, m, l);
	suspect_refused(op, m->status, l);
	if (op->is_dereg)
		dereg_unknown(op, v.status == 401 ? 500 : v.status);
	else
		register_failed(op, v.status, v.is_unknown);
}
