// SPDX-License-Identifier: BSD-3-Clause
// The pulse: once a second PREFIX/pulse/NAME is written, whatever else is. So a gateway knows whether
// etcd is there and whether its watch still tells; and its name is nobody else's. The value is the tag of
// the handle that has the name, empty when it gave it back. A name whose pulse stands still is free for
// the next one: its revision tells, no clock of another machine does.
#include <errno.h>

#include "regate/err.h"
#include "store/etcd_impl.h"

#define PULSE_NS RG_NS_PER_S
#define CLAIM_NS (15 * RG_NS_PER_S)
// Answers in a row, one per tick, that all told the same revision. They are counted because a time
// would run on while etcd has no leader and nobody can write. A living gateway needs less than that
// when its member fails, and the next one as well.
#define STILL_MAX 16

static void send_pulse(struct store_etcd *s, bool is_last);

static size_t put_tag(const struct store_etcd *s, uint8_t out[2 * sizeof(uint64_t)]) {
	struct rg_wr w = rg_wr(out, 2 * sizeof(uint64_t));

	rg_put_hex(&w, rg_slice(&s->author.tag, sizeof(s->author.tag)));
	return w.len;
}

static bool is_our_tag(const struct store_etcd *s, struct rg_slice value) {
	uint8_t tag[2 * sizeof(uint64_t)];

	return rg_eq(value, rg_slice(tag, put_tag(s, tag)));
}

// What was ours is another's also when that one has given it back since.
static bool is_taken(const struct etcd_pulse *p, const struct etcd_kv *now) {
	if (p->state == PULSE_OURS && now->key.len > 0)
		return true;
	return now->value.len > 0 && p->n_still > 0 && p->seen != now->mod_revision;
}

// The key is there, and not as we knew it.
static void refused(struct store_etcd *s, const struct etcd_kv *now) {
	struct etcd_pulse *p = &s->pulse;

	if (is_our_tag(s, now->value)) { // the answer of that was lost
		p->revision = now->mod_revision;
		p->sent_ns = 0;
		p->state = PULSE_OURS;
	} else if (is_taken(p, now)) {
		p->state = PULSE_TAKEN;
	} else if (now->value.len == 0) { // given back, or gone
		p->revision = now->mod_revision;
		p->sent_ns = 0;
		s->s.has_taken_name &= now->key.len == 0;
	} else {
		p->seen = now->mod_revision;
		p->n_still++;
		s->s.has_taken_name = p->n_still >= STILL_MAX;
		p->revision = s->s.has_taken_name ? p->seen : 0;
	}
}

static void answered(struct store_etcd *s, struct etcd_reply *r) {
	struct etcd_kv now, none;
	int rc = etcd_reply_put(r, 0, &now, &none);
	bool was_ours = s->pulse.state == PULSE_OURS;

	if (rc == 0) {
		s->pulse.revision = r->revision;
		s->pulse.state = PULSE_OURS;
		etcd_contact(s, r->revision);
	} else if (rc == RG_E_CONFLICT) {
		etcd_contact(s, 0);
		refused(s, &now);
	}
	if (was_ours && s->pulse.state == PULSE_TAKEN && s->cfg->name_lost != NULL)
		s->cfg->name_lost(s->cfg->arg);
}

static void on_pulse(void *arg, const struct http_answer *a) {
	struct store_etcd *s = arg;
	struct etcd_reply r;

	s->pulse.req = NULL;
	switch (etcd_judge(s, a, &r, &s->pulse.rc)) {
	case ETCD_GOOD:
		answered(s, &r);
		etcd_reply_fini(&r);
		if (s->pulse.state == PULSE_CLAIMING && s->pulse.sent_ns == 0)
			send_pulse(s, false);
		break;
	case ETCD_AGAIN:
		etcd_leave(s, s->pulse.member);
		s->pulse.rc = 0;
		s->pulse.sent_ns = 0; // the next one soon
		break;
	case ETCD_REFUSED:
		break;
	}
}

static void send_pulse(struct store_etcd *s, bool is_last) {
	uint8_t key[ETCD_KEY_MAX], tag[2 * sizeof(uint64_t)], body[4 * ETCD_KEY_MAX];
	struct rg_wr w = rg_wr(body, sizeof(body));
	struct etcd_ask ask = {.path = "/v3/kv/txn",
			       .member = s->member,
			       .timeout_ms = ETCD_TRY_MS,
			       .done = on_pulse,
			       .arg = s};

	etcd_txn_begin(&w);
	etcd_txn_put(&w, &(struct etcd_put){
				 .key = rg_slice(key, etcd_key(s, "pulse/", s->cfg->name, key)),
				 .value = rg_slice(tag, is_last ? 0 : put_tag(s, tag)),
				 .mod_revision = s->pulse.revision,
			 });
	etcd_txn_end(&w);
	ask.body = rg_wr_slice(&w);
	s->pulse.sent_ns = env_now_ns(s->env);
	s->pulse.member = s->member;
	if (etcd_ask(s, &ask, &s->pulse.req) != 0)
		s->pulse.req = NULL;
}

void etcd_pulse_tick(struct store_etcd *s, uint64_t now_ns) {
	uint64_t pause_ns = s->pulse.state == PULSE_OURS ? PULSE_NS : 0;

	if (s->pulse.req == NULL && s->pulse.state != PULSE_OFF && s->pulse.state != PULSE_TAKEN &&
	    now_ns - s->pulse.sent_ns >= pause_ns)
		send_pulse(s, false);
}

int etcd_pulse_claim(struct store_etcd *s) {
	uint64_t end_ns = env_now_ns(s->env) + CLAIM_NS;
	int rc = 0;

	s->pulse.state = PULSE_CLAIMING;
	send_pulse(s, false);
	while (s->pulse.state == PULSE_CLAIMING && rc == 0 && s->pulse.rc == 0) {
		rc = env_real_turn(s->env);
		if (rc == 0 && env_now_ns(s->env) >= end_ns)
			rc = -ETIMEDOUT;
	}
	if (s->pulse.state == PULSE_TAKEN)
		return RG_E_CONFLICT;
	return rc != 0 ? rc : s->pulse.rc;
}

static bool is_under_way(const struct store_etcd *s) {
	return s->pulse.req != NULL && env_real_turn(s->env) == 0;
}

void etcd_pulse_end(struct store_etcd *s) {
	bool is_ours = s->pulse.state == PULSE_OURS;

	s->pulse.state = PULSE_OFF; // no other is begun
	while (is_under_way(s)) {
	}
	if (is_ours && s->pulse.state != PULSE_TAKEN && !s->s.has_taken_name)
		send_pulse(s, true);
	s->pulse.state = PULSE_OFF;
	while (is_under_way(s)) {
	}
	if (s->pulse.req != NULL)
		http_request_cancel(s->pulse.req);
	s->pulse.req = NULL;
}
