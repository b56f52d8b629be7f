// SPDX-License-Identifier: BSD-3-Clause
// How many REGISTERs a flow may send: a GCRA in one word of the flow (ims.md 4.3 rule 2). Worker
// thread; no clock of its own.
#include "reg.h"
#include "regate/clock.h"

// Takes one REGISTER from the flow's allowance; false when it has none left.
static bool take(const struct rg_reg_cfg *cfg, struct reg_flow *f, uint64_t now_ns) {
	uint32_t now = (uint32_t)(now_ns / REG_TICK_NS), each, room, ahead;

	if (cfg->rate_per_s == 0)
		return true;
	each = RG_NS_PER_S / REG_TICK_NS / cfg->rate_per_s;
	room = cfg->rate_burst > 1 ? (cfg->rate_burst - 1) * each : 0;
	ahead = f->tokens_at == 0 ? 0 : f->tokens_at - now; // 0: never used
	// Further ahead than it is ever set is past. 12 hours after, mistaken: a burst is cut short.
	if (ahead > room + each)
		ahead = 0;
	if (ahead > room)
		return false;
	f->tokens_at = now + ahead + each;
	f->tokens_at -= f->tokens_at == 0;
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
	out->verdict = f->n_drops < REG_DROPS_UNTIL_CLOSE ? REG_DROP : REG_CLOSE;
	if (out->verdict == REG_DROP)
		f->n_drops++;
}
