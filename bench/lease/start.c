// SPDX-License-Identifier: BSD-3-Clause
// From a process that begins to leases that are served: the database opens, pairs come from their
// files, and each has a record of a live lease.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "bed.h"
#include "regate/err.h"

#define MAX_ROUNDS 100

struct times {
	double open[MAX_ROUNDS], pairs[MAX_ROUNDS], load[MAX_ROUNDS], all[MAX_ROUNDS],
		cpu[MAX_ROUNDS];
};

// Leases as a gateway leaves them, for hours to come.
static void fill(const char *db, uint32_t n) {
	struct bed b = {0};

	bed_open(&b, db);
	bed_engine(&b, n);
	bed_load(&b);
	bed_grant(&b, n, 10000);
	bed_close(&b);
}

static void write_pool(const char *dir, const char *name, uint32_t from, uint32_t end) {
	char path[512], impi[64], impu[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	if (f == NULL)
		bed_die(path, -errno);
	for (uint32_t i = from; i < end; i++) {
		bed_impi(impi, i);
		bed_impu(impu, i);
		fprintf(f, "%s %s\n", impi, impu);
	}
	if (fclose(f) != 0)
		bed_die(path, -errno);
}

// DIR/regate.db with n leases, whose tokens are "IMPU.1", DIR/pool.txt with their pairs, and a fiftieth
// more in DIR/spare.txt: what a gateway with pools `demo` and `spare` starts on.
int bed_fill(uint32_t n, const char *dir) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = "bench"; // as bed_open() has it
	char db[512];
	struct bed b = {0};

	write_pool(dir, "pool.txt", 0, n);
	write_pool(dir, "spare.txt", n, n + n / 50);
	snprintf(db, sizeof(db), "%s/regate.db", dir);
	bed_remove(db);
	bed_open(&b, db);
	bed_engine(&b, n);
	bed_load(&b);
	bed_grant(&b, n, 10000);
	if (store_put(b.store, "token.digest_key", key, sizeof(key), true, NULL, NULL) != 0)
		bed_die(db, -ENOMEM);
	store_flush(b.store);
	bed_close(&b);
	return 0;
}

static void start(const char *db, uint32_t n, struct times *t, unsigned i) {
	double cpu = bed_cpu_s(), t0 = bed_now_s(), t1, t2, t3;
	struct bed b = {0};

	bed_open(&b, db);
	t1 = bed_now_s();
	bed_engine(&b, n);
	t2 = bed_now_s();
	bed_load(&b);
	t3 = bed_now_s();
	if (lease_at(b.leases, n - 1)->state != LEASE_OFFERED)
		bed_die("the last lease", RG_E_STALE);
	t->open[i] = t1 - t0;
	t->pairs[i] = t2 - t1;
	t->load[i] = t3 - t2;
	t->all[i] = t3 - t0;
	t->cpu[i] = bed_cpu_s() - cpu;
	bed_close(&b);
}

static void print(const char *what, uint32_t n, double *v, unsigned rounds) {
	double median = bed_median(v, rounds);

	printf("{\"bench\":\"lease_start\",\"what\":\"%s\",\"n\":%u,\"rounds\":%u,"
	       "\"s\":{\"median\":%.3f,\"min\":%.3f,\"max\":%.3f}}\n",
	       what, n, rounds, median, v[0], v[rounds - 1]);
}

int bed_start(uint32_t n, unsigned rounds, const char *dir) {
	static struct times t;
	char db[512];

	snprintf(db, sizeof(db), "%s/bench-lease.db", dir);
	bed_remove(db);
	fill(db, n);
	for (unsigned i = 0; i < rounds; i++)
		start(db, n, &t, i);
	bed_remove(db);
	print("open the database", n, t.open, rounds);
	print("add the pairs", n, t.pairs, rounds);
	print("load the leases", n, t.load, rounds);
	print("all", n, t.all, rounds);
	print("all, CPU", n, t.cpu, rounds);
	return 0;
}
