// SPDX-License-Identifier: BSD-3-Clause
// Bytes per pair and per lease: what the process's resident memory grows by.
#include <stdio.h>

#include "bed.h"

#define AT_ONCE 10000 // leases: the store's jobs must not count

static void print(const char *name, uint32_t n, uint64_t bytes) {
	printf("{\"bench\":\"lease_memory\",\"what\":\"%s\",\"n\":%u,\"bytes_each\":%.1f}\n", name,
	       n, (double)bytes / n);
	fflush(stdout);
}

// All but the entries: it is there from the start, with room for STORE_TOKENS of each pair.
static uint64_t index_bytes(const struct rg_lease_table *t) {
	return t->n_buckets * sizeof(*t->buckets) +
	       (t->shared_mask + 1) * sizeof(struct rg_lease_shared *);
}

int bed_memory(uint32_t n) {
	struct bed b = {0};
	uint64_t empty, is_free, offered, registered;

	bed_open(&b, NULL);
	empty = bed_rss();
	bed_engine(&b, n);
	is_free = bed_rss();
	print("free pair", n, is_free - empty);
	print("index of the workers' table", n, index_bytes(lease_engine_table(b.leases)));
	bed_grant(&b, n, AT_ONCE);
	offered = bed_rss();
	print("granted lease", n, offered - empty);
	for (uint32_t i = 0; i < n; i++) {
		bed_register(&b, i);
		if (i % AT_ONCE == AT_ONCE - 1)
			bed_run_ms(&b, 1);
	}
	bed_run_ms(&b, 1000); // entries that were replaced are freed a grace period later
	registered = bed_rss();
	print("registered lease", n, registered - empty);
	bed_close(&b);
	return 0;
}
