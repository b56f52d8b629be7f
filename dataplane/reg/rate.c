// SPDX-License-Identifier: BSD-3-Clause
// How many REGISTERs a flow may send: a GCRA in one word of the flow (ims.md 4.3 rule 2). Worker
// thread; no clock of its own.
#include "reg.h"
#include "regate/clock.h"

#define DROPS_UNTIL_CLOSE 20

// Takes one REGISTER from the flow's allowance; false when it has none left.
static bool take(const struct rg_reg_cfg *cfg, struct reg_flow *f, uint64_t now_ns) {
	uint64_t each_ns, room_ns, at_ns;

	if (cfg->rate_per_s == 0)
		return true;
	each_ns = RG_NS_PER_S / cfg->rate_per_s;
	room_ns = cfg->rate_burst > 1 ? (cfg->rate_burst - 1) * each_ns : 0;
	at_ns = f->tokens_at_ns > now_ns ? f->tokens_at_ns : now_ns;
	if (at_ns - now_ns > room_ns)
		return false;
	f->tokens_at_ns = at_ns + each_ns;
	return true;
}

void reg_rate(const struct rg_reg_cfg *cfg, struct reg_flow *f, uint64_t now_ns,
	      struct reg_out *out) {
	out->verdict = REG_ANSWER;
	out->reason = RG_WHY_NONE;
	out->answer = (struct sip_answer){0};
	out->is_bind = out->is_moved = false;
	if (take(cfg, f, now_ns)) {
		f->was_limited = false;
		f->n_drops = 0;
		return;
	}
	if (!f->was_limited) { // RFC 3261 21.5.4
		f->was_limited = true;
		out->answer.status = 503;
		out->answer.to_tag = RG_LIT("rate");
		out->answer.headers = RG_LIT("Retry-After: 5\r\n");
		return;
	}
	out->verdict = f->n_drops < DROPS_UNTIL_CLOSE ? REG_DROP : REG_CLOSE;
	if (out->verdict == REG_DROP)
		f->n_drops++;
}
