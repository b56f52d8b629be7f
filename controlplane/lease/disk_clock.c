// SPDX-License-Identifier: BSD-3-Clause
// The clock of the records: CLOCK_BOOTTIME plus an offset that is taken from the wall clock once per
// boot and kept in the store. So a step of the wall clock, while we run or across a restart, moves
// no end of a token and no quarantine (reliability.md I6).
// XXX Across a reboot the wall clock is believed: set back, tokens and quarantines last longer by as
// much; set forward, they end early. NTP is a requirement (ims.md 6.4).
#include <stdlib.h>

#include "lease/engine.h"
#include "regate/err.h"

#define KEY "lease.clock"
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_LEN 36

struct record { // no padding between: 36 is a multiple of 4, and offset is copied
	char boot_id[BOOT_ID_LEN];
	uint8_t offset_ms[sizeof(int64_t)];
};

static int64_t now_ms(const struct lease_engine *e) {
	return (int64_t)(env_now_ns(e->env) / RG_NS_PER_MS);
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

static void on_put(void *arg, int rc, uint64_t) {
	*(int *)arg = rc;
}

int lease_clock_init(struct lease_engine *e) {
	int64_t wall_offset_ms = env_wall_ms(e->env) - now_ms(e), step_ms;
	struct record now = {0}, old;
	size_t len = sizeof(old);
	int rc = store_get(e->store, KEY, &old, &len), put_rc = 0;

	e->disk_offset_ms = wall_offset_ms;
	if (rc != 0 && rc != RG_E_STALE)
		return rc;
	if (!read_boot_id(e, now.boot_id))
		return 0;
	if (rc == 0 && len == sizeof(old) && memcmp(old.boot_id, now.boot_id, BOOT_ID_LEN) == 0) {
		memcpy(&e->disk_offset_ms, old.offset_ms, sizeof(e->disk_offset_ms));
		step_ms = wall_offset_ms - e->disk_offset_ms;
		if ((uint64_t)llabs(step_ms) * RG_NS_PER_MS > e->cfg.clock_error_ns)
			log_put(e->log, LOG_WARN, "lease.wall_clock_stepped",
				LOG_U("seconds", (uint64_t)llabs(step_ms) / 1000));
		return 0;
	}
	memcpy(now.offset_ms, &e->disk_offset_ms, sizeof(now.offset_ms));
	rc = store_put(e->store, KEY, &now, sizeof(now), false, on_put, &put_rc);
	if (rc == 0)
		store_flush(e->store);
	return rc == 0 ? put_rc : rc;
}

int64_t lease_clock_now_ms(const struct lease_engine *e) {
	return e->disk_offset_ms + now_ms(e);
}
