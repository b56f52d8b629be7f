// SPDX-License-Identifier: BSD-3-Clause
// What an idle registered connection takes: two gateways of different size, each in a process of its
// own, and the slope between them. Of what a stage took, the share of the leases, of the worker's
// tables (as they are allocated), and of what connections touch and take when they open.
#include <stdlib.h>
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
	int rc = bed_open(b, 0, b->o.n_conns);

	if (rc == 0 && b->sh->n_conns != b->o.n_conns)
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
static int run_child(struct bed *b, struct memory_run *r) {
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		b->o.n_conns = r->n_conns;
		b->marks = r->marks;
		r->rc = bed_run(b);
		snprintf(r->err, sizeof(r->err), "%.255s", b->err);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	if (WIFSIGNALED(status)) {
		r->rc = -EIO;
		snprintf(r->err, sizeof(r->err), "killed by signal %d", WTERMSIG(status));
	}
	return 0;
}

static void print_run(const struct memory_run *r) {
	const struct load_memory *m = r->marks;
	double n = r->n_conns;

	if (r->rc != 0) {
		printf("{\"conns\": %u, \"failed\": \"%s\"}", r->n_conns, r->err);
		return;
	}
	printf("{\"conns\": %u, \"rss_mib\": %lu, \"huge_mib\": %lu, \"gateway_mib\": %lu,\n"
	       "   \"bytes_per_conn\": {\"all\": %.1f, \"leases\": %.1f, \"worker_tables\": %.1f, "
	       "\"opening\": %.1f, \"registering\": %.1f}}",
	       r->n_conns, m[MARK_SET].rss >> 20, m[MARK_SET].huge >> 20, gateway_bytes(m) >> 20,
	       (double)gateway_bytes(m) / n, (double)stage(m, MARK_BEGIN, MARK_LEASES) / n,
	       (double)stage(m, MARK_LEASES, MARK_WORKER) / n,
	       (double)stage(m, MARK_READY, MARK_OPEN) / n,
	       (double)stage(m, MARK_OPEN, MARK_SET) / n);
}

static void print(const struct bed *b, const struct memory_run *r) {
	printf("{\"bench\": \"memory\",\n ");
	report_host(&b->o);
	printf(",\n \"sizes\": {\"tcp_conn\": %zu, \"conn\": %zu, \"tls_conn\": %zu, "
	       "\"lease_without_text\": %zu, \"lease_bucket\": %zu},\n \"runs\": [",
	       sizeof(struct tcp_conn), sizeof(struct conn), sizeof(struct tls_conn),
	       sizeof(struct rg_lease), sizeof(struct rg_lease_bucket));
	print_run(&r[0]);
	printf(",\n  ");
	print_run(&r[1]);
	printf("]");
	if (r[0].rc == 0 && r[1].rc == 0)
		printf(",\n \"slope_bytes_per_conn\": %.1f",
		       ((double)gateway_bytes(r[1].marks) - (double)gateway_bytes(r[0].marks)) /
			       (r[1].n_conns - r[0].n_conns));
	printf("}\n");
}

int run_memory(struct bed *b) {
	struct memory_run *r = mmap(NULL, 2 * sizeof(*r), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int rc = 0;

	if (r == MAP_FAILED)
		return -errno;
	b->o.is_memif = false; // the generator reads the gateway's memory use
	r[0].n_conns = RTE_MAX(b->o.n_conns / 10, 1u);
	r[1].n_conns = b->o.n_conns;
	for (unsigned i = 0; rc == 0 && i < 2; i++)
		rc = run_child(b, &r[i]);
	if (rc == 0)
		print(b, r);
	munmap(r, 2 * sizeof(*r));
	return rc;
}
