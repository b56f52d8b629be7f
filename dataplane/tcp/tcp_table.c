// SPDX-License-Identifier: BSD-3-Clause
// The connection table. Runs in a worker; allocates in tcp_table_init() only. Deletion shifts later
// entries back instead of leaving tombstones, so look-ups never slow down with age.
#include "tcp/tcp_table.h"

#include <errno.h>
#include <stdlib.h>

int tcp_table_init(struct tcp_table *tb, uint32_t max) {
	uint64_t n = 8;

	while (n < 2 * (uint64_t)max)
		n *= 2;
	tb->mask = (uint32_t)(n - 1);
	tb->entries = calloc(n, sizeof(*tb->entries));
	return tb->entries == NULL ? -ENOMEM : 0;
}

void tcp_table_fini(struct tcp_table *tb) {
	free(tb->entries);
	tb->entries = NULL;
}

void tcp_table_add(struct tcp_table *tb, uint32_t hash, uint32_t idx) {
	uint32_t i = hash & tb->mask;

	while (tb->entries[i].slot != 0)
		i = (i + 1) & tb->mask;
	tb->entries[i] = (struct tcp_entry){hash, idx + 1};
}

void tcp_table_del(struct tcp_table *tb, uint32_t hash, uint32_t idx) {
	uint32_t hole = hash & tb->mask, i;

	while (tb->entries[hole].slot != idx + 1)
		hole = (hole + 1) & tb->mask;
	for (i = (hole + 1) & tb->mask; tb->entries[i].slot != 0; i = (i + 1) & tb->mask) {
		uint32_t home = tb->entries[i].hash & tb->mask;

		// It may fill the hole unless its home lies behind the hole.
		if (((i - home) & tb->mask) >= ((i - hole) & tb->mask)) {
			tb->entries[hole] = tb->entries[i];
			hole = i;
		}
	}
	tb->entries[hole].slot = 0;
}
