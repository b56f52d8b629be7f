// SPDX-License-Identifier: BSD-3-Clause
// The SQLite store alone: a million new records, durable commits per second by how many wait for one
// fsync, and loading them. usage: bench_store_sqlite DIRECTORY [RECORDS]; the directory's disk decides
// the single commits.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"

#define SECONDS 3.0

static uint64_t *revs;
static unsigned n_bad;

static double now_s(void) {
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_done(void *arg, int rc, uint64_t rev) {
	n_bad += rc != 0;
	*(uint64_t *)arg = rev;
}

static void commit(struct store *s, unsigned i) {
	char impi[48], impu[48], sub[32];
	struct store_lease l = {.impi = impi,
				.impu = impu,
				.pool = "pool",
				.sub = sub,
				.gateway = "gw1.example.net",
				.gen = revs[i],
				.rev = revs[i],
				.state = revs[i] == 0 ? 0 : 1,
				.scenario = 3,
				.granted_ms = 1800000000000,
				.reassign_ms = 1800007634000,
				.tokens = {{{{(uint8_t)i, 1}}, 1800007200000}}};

	snprintf(impi, sizeof(impi), "web-%07u@ims.example.net", i);
	snprintf(impu, sizeof(impu), "sip:web-%07u@ims.example.net", i);
	snprintf(sub, sizeof(sub), "anon-%016x", i);
	n_bad += store_commit(s, &l, on_done, &revs[i]) != 0;
}

static int on_row(void *arg, const struct store_lease *) {
	++*(unsigned *)arg;
	return 0;
}

// step: how far the next record is; 1 = pairs of a pool in turn, large = any.
static void measure(struct store *s, unsigned n, unsigned batch, unsigned step) {
	double start = now_s(), end = start;
	unsigned long n_done = 0;
	unsigned at = 0;

	while (end - start < SECONDS) {
		for (unsigned i = 0; i < batch; i++, at = (at + step) % n)
			commit(s, at);
		store_flush(s);
		n_done += batch;
		end = now_s();
	}
	printf("batch %5u %-8s %9.0f commits/s\n", batch, step == 1 ? "in turn" : "any",
	       (double)n_done / (end - start));
}

int main(int argc, char **argv) {
	unsigned n = argc > 2 ? (unsigned)atoi(argv[2]) : 1000000, n_rows = 0;
	const struct store_load cb = {on_row, &n_rows};
	struct env *env = env_real_new();
	char path[512], err[256];
	struct store *s;
	double start;

	revs = calloc(n, sizeof(*revs));
	if (argc < 2 || env == NULL || revs == NULL) {
		fprintf(stderr, "usage: bench_store_sqlite DIRECTORY [RECORDS]\n");
		return 2;
	}
	snprintf(path, sizeof(path), "%s/bench.db", argv[1]);
	if (store_sqlite_open(env, path, &s, err, sizeof(err)) != 0) {
		fprintf(stderr, "%s\n", err);
		return 1;
	}
	start = now_s();
	for (unsigned i = 0; i < n; i++) {
		commit(s, i);
		if (i % 4096 == 4095)
			store_flush(s);
	}
	store_flush(s);
	printf("new records       %9.0f commits/s\n", n / (now_s() - start));
	for (unsigned batch = 1; batch <= 4096; batch *= 16)
		for (unsigned step = 1; step < 1000000; step += 611952)
			measure(s, n, batch, step);
	start = now_s();
	store_close(s);
	printf("close             %9.2f s\n", now_s() - start);
	start = now_s();
	if (store_sqlite_open(env, path, &s, err, sizeof(err)) != 0 || store_load_all(s, &cb) != 0)
		return 1;
	printf("open and load     %9.2f s, %u records\n", now_s() - start, n_rows);
	store_close(s);
	env_real_free(env);
	unlink(path);
	snprintf(path, sizeof(path), "%s/bench.db.lock", argv[1]);
	unlink(path);
	return n_bad == 0 ? 0 : 1;
}
