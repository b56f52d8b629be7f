// SPDX-License-Identifier: BSD-3-Clause
// The connection table. Runs in a worker; allocates in tcp_table_init() only. Deletion shifts later
// entries back instead of leaving tombstones, so look-ups never slow down with age.
#include "tcp/tcp_table.h"

#include <errno.h>

#include "regate/huge.h"

int tcp_table_init(struct tcp_table *tb, uint32_t max) {
	tb->n = max < 4 ? 8 : 2 * max;
	tb->entries = rg_huge_alloc(tb->n, sizeof(*tb->entries));
	return tb->entries == NULL ? -ENOMEM : 0;
}

void tcp_table_fini(struct tcp_table *tb) {
	rg_huge_free(tb->entries, tb->n, sizeof(*tb->entries));
	tb->entries = NULL;
}

static uint32_t next(const struct tcp_table *tb, uint32_t i) {
	return i + 1 == tb->n ? 0 : i + 1;
}

// Steps from entry `from` to entry `to`, going round.
static uint32_t distance(const struct tcp_table *tb, uint32_t from, uint32_t to) {
	return to >= from ? to - from : to + tb->n - from;
}

void tcp_table_add(struct tcp_table *tb, uint32_t hash, uint32_t idx) {
	uint32_t i = tcp_table_home(tb, hash);

	while (tb->entries[i].slot != 0)
		i = next(tb, i);
	tb->entries[i] = (struct tcp_entry){hash, idx + 1};
}

void tcp_table_del(struct tcp_table *tb, uint32_t hash, uint32_t idx) {
	uint32_t hole = tcp_table_home(tb, hash), i;

	while (tb->entries[hole].slot != idx + 1)
		hole = next(tb, hole);
	for (i = next(tb, hole); tb->entries[i].slot != 0; i = next(tb, i)) {
		uint32_t home = tcp_table_home(tb, tb->entries[i].hash);

		// It may fill the hole unless its home lies behind the hole.
		if (distance(tb, home, i) >= distance(tb, hole, i)) {
			tb->entries[hole] = tb->entries[i];
			hole = i;
		}
	}
	tb->entries[hole].slot = 0;
}
