// SPDX-License-Identifier: BSD-3-Clause
// The clock of the records: CLOCK_BOOTTIME plus an offset that is taken from the wall clock once per
// boot and kept in the store. So a step of the wall clock, while we run or across a restart, moves
// no end of a token and no quarantine (reliability.md I6). While a lease lives, a high-water mark of
// this clock is written each second: after a boot the wall clock is believed only if it is not before
// the mark, nor further past it than an outage may last. Else time has stood still meanwhile.
#include <stdio.h>
#include <stdlib.h>

#include "lease/engine.h"
#include "regate/err.h"

#define KEY "lease.clock"
#define KEY_MAX 128
#define HOLD_KEY "lease.hold"
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_LEN LEASE_BOOT_ID_LEN
#define LAG_NS (2 * RG_NS_PER_S) // until another gateway's mark is told
#define FREEZE_NS (10 * RG_NS_PER_S)
// Times further away than this are as good as it: no sum of them overflows.
#define FAR_MS (INT64_C(100) * 365 * 86400 * 1000)

struct record { // bytes only: no padding
	char boot_id[BOOT_ID_LEN];
	uint8_t offset_ms[sizeof(int64_t)];
	uint8_t high_ms[sizeof(int64_t)]; // not there in records of older versions
};

struct hold { // INV-11
	int64_t until_ms;
	uint64_t gen_floor;
};

static int64_t now_ms(const struct lease_engine *e) {
	return (int64_t)(env_now_ns(e->env) / RG_NS_PER_MS);
}

int64_t lease_clock_now_ms(const struct lease_engine *e) {
	return e->clock.offset_ms + now_ms(e);
}

int64_t lease_clock_to_disk_ms(const struct lease_engine *e, uint64_t ns) {
	return lease_clock_now_ms(e) +
	       ((int64_t)ns - (int64_t)env_now_ns(e->env)) / (int64_t)RG_NS_PER_MS;
}

uint64_t lease_clock_to_boot_ns(const struct lease_engine *e, int64_t disk_ms) {
	uint64_t now_ns = env_now_ns(e->env), ns;
	int64_t left_ms;

	if (__builtin_sub_overflow(disk_ms, lease_clock_now_ms(e), &left_ms) || left_ms > FAR_MS ||
	    left_ms < -FAR_MS)
		left_ms = disk_ms > 0 ? FAR_MS : -FAR_MS;
	if (left_ms >= 0)
		return now_ns + (uint64_t)left_ms * RG_NS_PER_MS;
	ns = (uint64_t)-left_ms * RG_NS_PER_MS;
	return ns > now_ns ? 0 : now_ns - ns;
}

// Gateways that share a store have one each.
static void key_of(const struct lease_engine *e, char key[KEY_MAX]) {
	if (e->cfg.is_shared)
		snprintf(key, KEY_MAX, KEY ".%s", e->cfg.gateway);
	else
		snprintf(key, KEY_MAX, KEY);
}

// False where the system does not tell: then each start counts as a boot.
static bool read_boot_id(const struct lease_engine *e, char out[BOOT_ID_LEN]) {
	uint8_t *text;
	size_t len;
	bool is_good;

	if (env_read_file(e->env, BOOT_ID_PATH, 2 * BOOT_ID_LEN, &text, &len) != 0)
		return false;
	is_good = len >= BOOT_ID_LEN;
	if (is_good)
		memcpy(out, text, BOOT_ID_LEN);
	free(text);
	return is_good;
}

static bool is_far(const struct lease_engine *e, int64_t ms) {
	return (uint64_t)llabs(ms) * RG_NS_PER_MS > e->cfg.clock_error_ns;
}

static void on_put(void *arg, int rc, uint64_t) {
	*(int *)arg = rc;
}

static int put_now(struct lease_engine *e, const char *key, const void *value, size_t len) {
	int put_rc = 0, rc = store_put(e->store, key, value, len, false, on_put, &put_rc);

	if (rc == 0)
		store_flush(e->store);
	return rc == 0 ? put_rc : rc;
}

static void fill(struct lease_engine *e, struct record *r) {
	int64_t high_ms = lease_clock_now_ms(e);

	memcpy(r->boot_id, e->clock.boot_id, BOOT_ID_LEN);
	memcpy(r->offset_ms, &e->clock.offset_ms, sizeof(r->offset_ms));
	memcpy(r->high_ms, &high_ms, sizeof(r->high_ms));
}

static void log_step(const struct lease_engine *e, int64_t ms, const char *effect) {
	log_put(e->log, LOG_WARN, "lease.wall_clock_stepped", LOG_I("seconds", ms / 1000),
		LOG_S("effect", effect));
}

// What the old record says of the clock now; wall_ms when it says nothing.
static int64_t judge(const struct lease_engine *e, const struct record *old, size_t len,
		     bool is_same_boot, int64_t wall_ms) {
	int64_t offset_ms, high_ms;

	memcpy(&offset_ms, old->offset_ms, sizeof(offset_ms));
	if (is_same_boot && !e->cfg.is_shared)
		return offset_ms + now_ms(e);
	if (len < sizeof(*old))
		return is_same_boot ? offset_ms + now_ms(e) : wall_ms;
	memcpy(&high_ms, old->high_ms, sizeof(high_ms));
	// Where others share the store the clock is UTC, at each start.
	if (wall_ms >= high_ms && (uint64_t)(wall_ms - high_ms) <= e->cfg.outage_ns / RG_NS_PER_MS)
		return wall_ms;
	return is_same_boot ? offset_ms + now_ms(e) : high_ms;
}

static bool is_store_lost(const struct lease_engine *e) {
	uint8_t is_lost = 0;
	size_t len = 1;

	return store_get(e->store, STORE_LOST, &is_lost, &len) == 0 && len == 1 && is_lost != 0;
}

// As long as anything that was given out before may last, and generations beyond all of them: a
// second can have no million of grants. The wall clock counts as well, so that an old copy that is
// restored twice does not get the same floor twice. The lower 20 bits are others after each loss as well:
// the etcd store tells by them that an assignment begins.
static int hold_begin(struct lease_engine *e, struct hold *h) {
	uint64_t span_ns = e->cfg.token_max_ns + e->cfg.clock_error_ns + e->cfg.t_sip_ns +
			   e->cfg.reg_max_ns + e->cfg.core_slack_ns;
	int64_t now_ms = lease_clock_now_ms(e), wall_ms = env_wall_ms(e->env);
	int64_t until_ms = now_ms + (int64_t)(span_ns / RG_NS_PER_MS);
	uint64_t s = (uint64_t)((wall_ms > now_ms ? wall_ms : now_ms) / 1000);
	uint64_t floor = s << 20 | (s % 1023 + 1) << 10;
	int rc;

	h->until_ms = until_ms > h->until_ms ? until_ms : h->until_ms;
	h->gen_floor = lease_later_ns(floor, h->gen_floor + (1u << 20) + (1u << 10));
	rc = put_now(e, HOLD_KEY, h, sizeof(*h));
	if (rc == 0) // a crash before it only begins anew
		rc = put_now(e, STORE_LOST, &(uint8_t){0}, 1);
	log_put(e->log, LOG_WARN, "lease.store_was_lost",
		LOG_S("effect", "no lease is given out until all of before are over"),
		LOG_U("seconds", span_ns / RG_NS_PER_S));
	return rc;
}

static int hold_init(struct lease_engine *e) {
	struct hold h = {0};
	size_t len = sizeof(h);
	int rc = store_get(e->store, HOLD_KEY, &h, &len);

	if (rc != 0 || len != sizeof(h))
		h = (struct hold){0};
	if (is_store_lost(e)) {
		len = sizeof(h);
		rc = hold_begin(e, &h);
	}
	if (rc == RG_E_STALE)
		return 0;
	if (rc != 0 || len != sizeof(h))
		return rc;
	e->hold_until_ns = lease_clock_to_boot_ns(e, h.until_ms);
	e->gen_floor = h.gen_floor;
	return 0;
}

int lease_clock_init(struct lease_engine *e) {
	int64_t wall_ms = env_wall_ms(e->env), disk_ms = wall_ms;
	struct record now = {0}, old;
	char key[KEY_MAX];
	size_t len = sizeof(old);
	bool is_same_boot;
	int rc;

	key_of(e, key);
	rc = store_get(e->store, key, &old, &len);
	if (rc != 0 && rc != RG_E_STALE)
		return rc;
	is_same_boot = read_boot_id(e, e->clock.boot_id) && rc == 0 &&
		       memcmp(old.boot_id, e->clock.boot_id, BOOT_ID_LEN) == 0;
	if (rc == 0 && len >= offsetof(struct record, high_ms))
		disk_ms = judge(e, &old, len, is_same_boot, wall_ms);
	e->clock.offset_ms = disk_ms - now_ms(e);
	e->clock.wall_ahead_ms = wall_ms - disk_ms;
	if (is_far(e, wall_ms - disk_ms))
		log_step(e, wall_ms - disk_ms,
			 is_same_boot ? "none: leases go by the clock of this boot"
				      : "not believed: leases last as long as when we ended");
	if (is_same_boot && !e->cfg.is_shared) // it says so already
		return hold_init(e);
	fill(e, &now);
	rc = put_now(e, key, &now, sizeof(now));
	return rc == 0 ? hold_init(e) : rc;
}

// --- while we run

static void on_tick_put(void *arg, int, uint64_t) {
	struct lease_engine *e = arg;

	e->n_commits--;
	e->clock.is_putting = false;
	if (e->is_dead)
		lease_engine_destroy(e);
}

static void put_mark(struct lease_engine *e) {
	struct record r;
	char key[KEY_MAX];

	if (e->clock.is_putting)
		return;
	key_of(e, key);
	fill(e, &r);
	if (store_put(e->store, key, &r, sizeof(r), false, on_tick_put, e) != 0)
		return;
	e->clock.is_putting = true;
	e->n_commits++;
}

static void on_tick(struct env_timer *t, uint64_t now_ns) {
	struct lease_engine *e =
		(struct lease_engine *)((uint8_t *)t - offsetof(struct lease_engine, clock.timer));
	int64_t ahead_ms = env_wall_ms(e->env) - lease_clock_now_ms(e);

	if (is_far(e, ahead_ms - e->clock.wall_ahead_ms))
		log_step(e, ahead_ms - e->clock.wall_ahead_ms,
			 "none: leases go by the clock of this boot");
	e->clock.wall_ahead_ms = ahead_ms;
	put_mark(e);
	if (e->n_busy > 0)
		env_timer_set(e->env, t, now_ns + e->cfg.mark_ns);
}

void lease_clock_run(struct lease_engine *e) {
	e->clock.timer.fn = on_tick;
	if (!env_timer_is_set(&e->clock.timer))
		env_timer_set(e->env, &e->clock.timer, env_now_ns(e->env) + e->cfg.mark_ns);
}

// Another gateway's mark: far from ours, one of the two clocks is wrong, and ends mean different
// times. Which one nobody can tell.
void lease_clock_on_value(struct lease_engine *e, const char *name) {
	uint64_t now_ns = env_now_ns(e->env);
	int64_t lag_ms = (int64_t)((e->cfg.mark_ns + LAG_NS) / RG_NS_PER_MS);
	int64_t high_ms, ahead_ms;
	struct record r;
	size_t len = sizeof(r);

	if (strncmp(name, KEY ".", sizeof(KEY)) != 0 || store_get(e->store, name, &r, &len) != 0 ||
	    len != sizeof(r))
		return;
	memcpy(&high_ms, r.high_ms, sizeof(high_ms));
	ahead_ms = high_ms - lease_clock_now_ms(e);
	if (!is_far(e, ahead_ms < -lag_ms ? ahead_ms + lag_ms : ahead_ms > 0 ? ahead_ms : 0))
		return;
	if (now_ns >= e->clock.frozen_ns)
		log_put(e->log, LOG_ERROR, "lease.clocks_differ", LOG_S("gateway", name),
			LOG_I("seconds", ahead_ms / 1000), LOG_S("effect", "no pair is given out"),
			LOG_S("cure",
			      "synchronise the clocks, then restart the gateway that was wrong"));
	e->clock.frozen_ns = now_ns + FREEZE_NS;
}

bool lease_is_frozen(const struct lease_engine *e) {
	uint64_t now_ns = env_now_ns(e->env);

	return now_ns < e->clock.frozen_ns || now_ns < e->hold_until_ns;
}
