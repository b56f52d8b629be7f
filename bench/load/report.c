// SPDX-License-Identifier: BSD-3-Clause
// Median and range of the runs, and what machine and build they were taken on. JSON.
#include <openssl/crypto.h>
#include <rte_version.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "bed.h"

void series_add(struct series *s, double v) {
	if (s->n < LOAD_MAX_RUNS)
		s->v[s->n++] = v;
}

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct series sorted(const struct series *s) {
	struct series copy = *s;

	qsort(copy.v, copy.n, sizeof(copy.v[0]), compare);
	return copy;
}

static void report_series(const char *name, const struct series *s) {
	struct series v = sorted(s);

	if (v.n == 0)
		printf("\"%s\": null", name);
	else
		printf("\"%s\": {\"median\": %.6g, \"min\": %.6g, \"max\": %.6g}", name,
		       v.v[v.n / 2], v.v[0], v.v[v.n - 1]);
}

void report_table(const struct named_series *s, unsigned n) {
	for (unsigned i = 0; i < n; i++) {
		printf("%s", i == 0 ? "" : ",\n ");
		report_series(s[i].name, s[i].series);
	}
}

void report_drops(const struct bed *b) {
	const char *comma = "";

	printf("\"drops\": {");
	for (int i = RG_FIRST_DROP; i < RG_N_STATS; i++) {
		uint64_t n = rg_stat_get(&b->sh->stats.s, i);

		if (n > 0)
			printf("%s\"%s\": %lu", comma, rg_stat_name(i), n);
		comma = n > 0 ? ", " : comma;
	}
	printf("}");
}

static void cpu_name(char *out, size_t len) {
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256], name[128];

	snprintf(out, len, "unknown");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "model name : %127[^\n\"\\]", name) == 1) {
			snprintf(out, len, "%s", name);
			break;
		}
	if (f != NULL)
		fclose(f);
}

void report_host(const struct load_opts *o) {
	struct utsname u = {0};
	double load = 0;
	char cpu[128];

	uname(&u);
	cpu_name(cpu, sizeof(cpu));
	(void)getloadavg(&load, 1);
	printf("\"cpu\": \"%s\", \"cpus\": \"%s\", \"load_average\": %.1f, \"kernel\": \"%s\", "
	       "\"dpdk\": \"%s\", \"openssl\": \"%s\", \"compiler\": \"%s\", \"flags\": \"%s\", "
	       "\"commit\": \"%s\"",
	       cpu, o->cpus, load, u.release, rte_version(),
	       OpenSSL_version(OPENSSL_VERSION_STRING), __VERSION__, BENCH_FLAGS, BENCH_COMMIT);
}
