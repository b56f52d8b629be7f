// SPDX-License-Identifier: BSD-3-Clause
// What an idle registered connection takes: two gateways of different size, each in a process of its
// own, and the slope between them. Of what a stage took, the share of the leases, of the worker's
// tables (as they are allocated), and of what connections touch and take when they open.
#include <sys/mman.h>
#include <sys/wait.h>

#include "bed.h"
#include "tcp/tcp_conn.h"
#include "tls/tls_int.h"

struct memory_run {
	uint32_t n_conns;
	int rc;
	char err[256];
	struct load_memory marks[N_MARKS];
};

int measure_memory(struct bed *b) {
	int rc = bed_open(b, 0, b->plan.n_conns);

	if (rc == 0 && b->sh->n_conns != b->plan.n_conns)
		rc = -EIO;
	memcpy(b->marks, b->sh->marks, sizeof(b->sh->marks));
	return rc;
}

// What the gateway took: all but what lies between WORKER and READY, which is EAL and generator.
static uint64_t gateway_bytes(const struct load_memory *m) {
	return m[MARK_SET].rss - m[MARK_BEGIN].rss - (m[MARK_READY].rss - m[MARK_WORKER].rss);
}

static uint64_t stage(const struct load_memory *m, enum load_mark from, enum load_mark to) {
	return m[to].rss - m[from].rss;
}

// In a child: EAL starts once in a process.
static int run_child(struct bed *b, struct memory_run *m) {
	pid_t pid;
	int status;

	progress_phase(b->p, "opening %u connections", m->n_conns);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		b->plan.n_conns = m->n_conns;
		b->marks = m->marks;
		b->err = m->err;
		b->err_len = sizeof(m->err);
		b->p = &(struct progress){0}; // the line is our parent's
		m->rc = bed_run(b);
		_exit(0);
	}
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			return -errno;
	if (WIFSIGNALED(status)) {
		m->rc = -EIO;
		snprintf(m->err, sizeof(m->err), "killed by signal %d", WTERMSIG(status));
	}
	if (m->rc != 0)
		snprintf(b->err, b->err_len, "%u connections: %s", m->n_conns, m->err);
	return m->rc;
}

static void add_run(struct bed *b, const struct memory_run m[2]) {
	const struct load_memory *all = m[1].marks;
	double n = m[1].n_conns;
	const struct {
		const char *name;
		double bytes;
	} rows[] = {
		{"bytes_per_conn", (double)gateway_bytes(all) / n},
		{"bytes_of_leases", (double)stage(all, MARK_BEGIN, MARK_LEASES) / n},
		{"bytes_of_worker_tables", (double)stage(all, MARK_LEASES, MARK_WORKER) / n},
		{"bytes_of_opening", (double)stage(all, MARK_READY, MARK_OPEN) / n},
		{"bytes_of_registering", (double)stage(all, MARK_OPEN, MARK_SET) / n},
		{"rss", (double)all[MARK_SET].rss},
		{"rss_in_huge_pages", (double)all[MARK_SET].huge},
	};

	if (m[1].n_conns > m[0].n_conns)
		result_add(b->r, "slope_bytes_per_conn", "B", BETTER_LOWER,
			   ((double)gateway_bytes(all) - (double)gateway_bytes(m[0].marks)) /
				   (m[1].n_conns - m[0].n_conns));
	for (unsigned i = 0; i < RTE_DIM(rows); i++)
		result_add(b->r, rows[i].name, "B", BETTER_LOWER, rows[i].bytes);
}

struct memory {
	struct bed *b;
	struct memory_run *m; // of two sizes; shared with children
};

static int one_run(void *ctx, int run) {
	struct memory *mem = ctx;
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < 2; i++)
		rc = run_child(mem->b, &mem->m[i]);
	if (rc == 0 && run >= 0)
		add_run(mem->b, mem->m);
	return rc;
}

int run_memory(struct bed *b) {
	struct memory mem = {.b = b};
	int rc;

	mem.m = mmap(NULL, 2 * sizeof(*mem.m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (mem.m == MAP_FAILED)
		return -errno;
	mem.m[0].n_conns = RTE_MAX(b->plan.n_conns / 10, 1u);
	mem.m[1].n_conns = b->plan.n_conns;
	rc = progress_runs(b->p, b->sc->warmup, b->sc->runs, one_run, &mem);
	munmap(mem.m, 2 * sizeof(*mem.m));
	result_fact_n(b->r, "bytes_of_struct_tcp_conn", sizeof(struct tcp_conn));
	result_fact_n(b->r, "bytes_of_struct_conn", sizeof(struct conn));
	result_fact_n(b->r, "bytes_of_struct_tls_conn", sizeof(struct tls_conn));
	result_fact_n(b->r, "bytes_of_struct_lease_without_text", sizeof(struct rg_lease));
	result_fact_n(b->r, "bytes_of_struct_lease_bucket", sizeof(struct rg_lease_bucket));
	return rc;
}
