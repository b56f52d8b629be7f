// SPDX-License-Identifier: BSD-3-Clause
// Starts EAL from our configuration. Control thread, once per process. EAL's own messages are kept
// back; when it fails, its first error becomes part of our one line.
#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core_int.h"

#define HUGE_FREE "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"

// MiB of 2 MiB pages that are free now.
static unsigned huge_free_mib(void) {
	unsigned long n = 0;
	FILE *f = fopen(HUGE_FREE, "re");

	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return (unsigned)RTE_MIN(n * 2, (unsigned long)UINT32_MAX);
}

// "0@(0,1),1@1,2@0": lcore 0 is the control thread and floats, lcore k + 1 is worker k.
static int lcores_arg(const struct rg_dp_cfg *cfg, char *out, size_t len, char *err,
		      size_t err_len) {
	const char *p = cfg->lcores;
	cpu_set_t allowed;
	size_t n;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return -errno;
	n = (size_t)snprintf(out, len, "0@(");
	for (int cpu = 0, is_first = 1; cpu < CPU_SETSIZE && n < len; cpu++)
		if (CPU_ISSET(cpu, &allowed)) {
			n += (size_t)snprintf(out + n, len - n, "%s%d", is_first ? "" : ",", cpu);
			is_first = 0;
		}
	n += (size_t)snprintf(out + n, len - n, ")");
	for (unsigned i = 0; i < cfg->n_workers; i++) {
		char *end;
		long cpu = strtol(p, &end, 10);

		if (end == p || cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &allowed) ||
		    (*end != ',' && *end != '\0') || (*end == '\0' && i + 1 < cfg->n_workers)) {
			snprintf(err, err_len,
				 "dataplane.lcores: '%s' does not name one usable CPU for each of "
				 "%u "
				 "workers; list them like \"0,1\"",
				 cfg->lcores, cfg->n_workers);
			return -EINVAL;
		}
		p = *end == ',' ? end + 1 : end;
		if (n < len)
			n += (size_t)snprintf(out + n, len - n, ",%u@%ld", i + 1, cpu);
	}
	return n < len ? 0 : -ENAMETOOLONG;
}

void eal_log_begin(struct rg_dp *dp) {
	dp->said = open_memstream(&dp->log, &dp->log_len);
	if (dp->said != NULL)
		rte_openlog_stream(dp->said); // else it goes to stderr
}

const char *eal_log_first(struct rg_dp *dp) {
	if (dp->said == NULL || fflush(dp->said) != 0 || dp->log == NULL)
		return "";
	dp->log[strcspn(dp->log, "\n")] = '\0';
	rewind(dp->said);
	return dp->log;
}

void eal_log_end(struct rg_dp *dp) {
	if (dp->said == NULL)
		return;
	rte_openlog_stream(NULL);
	fclose(dp->said);
	free(dp->log);
	dp->said = NULL;
	dp->log = NULL;
}

// What is fatal EAL says to stderr, beside its log.
static int init_quietly(const struct rg_dp *dp, int argc, char **args) {
	FILE *before = stderr;
	int rc;

	if (dp->said != NULL)
		stderr = dp->said;
	rc = rte_eal_init(argc, args);
	stderr = before;
	return rc;
}

int eal_start(struct rg_dp *dp, char *err, size_t err_len) {
	const struct rg_dp_cfg *cfg = dp->cfg;
	char lcores[2048], mem[16], prefix[32], *args[20];
	unsigned free_mib = huge_free_mib();
	bool is_huge = cfg->hugepages == RG_HUGE_YES ||
		       (cfg->hugepages == RG_HUGE_AUTO && free_mib >= cfg->memory_mib);
	bool is_pci = strchr(cfg->port, ':') != NULL && strncmp(cfg->port, "net_", 4) != 0;
	const char *argv[20];
	int argc = 0, rc;

	rc = lcores_arg(cfg, lcores, sizeof(lcores), err, err_len);
	if (rc != 0)
		return rc;
	if (cfg->hugepages == RG_HUGE_YES && free_mib < cfg->memory_mib) {
		snprintf(err, err_len,
			 "dataplane.hugepages: %u MiB wanted, %u MiB free; reserve them with "
			 "'sysctl -w "
			 "vm.nr_hugepages=%u' or set hugepages: auto",
			 cfg->memory_mib, free_mib, cfg->memory_mib / 2);
		return -ENOMEM;
	}
	snprintf(prefix, sizeof(prefix), "regate%d", getpid());
	snprintf(mem, sizeof(mem), "%u", cfg->memory_mib);
	argv[argc++] = "regated";
	argv[argc++] = "--lcores";
	argv[argc++] = lcores;
	argv[argc++] = "--main-lcore";
	argv[argc++] = "0";
	argv[argc++] = "-m";
	argv[argc++] = mem;
	argv[argc++] = "--no-telemetry";
	argv[argc++] = "--log-level=error";
	argv[argc++] = "--file-prefix";
	argv[argc++] = prefix;
	argv[argc++] = "--iova-mode=va";
	argv[argc++] = is_huge ? "--in-memory" : "--no-huge";
	if (!is_huge)
		argv[argc++] = "--no-shconf";
	if (is_pci) {
		argv[argc++] = "-a";
		argv[argc++] = cfg->port;
	} else {
		argv[argc++] = "--no-pci";
	}
	memcpy(args, argv, (size_t)argc * sizeof(*argv)); // EAL permutes the array
	if (init_quietly(dp, argc, args) < 0) {
		rc = rte_errno > 0 ? -rte_errno : -EINVAL;
		snprintf(err, err_len, "dataplane: EAL did not start (%s): %s", rte_strerror(-rc),
			 eal_log_first(dp));
		// Enough was free a moment ago.
		return is_huge && cfg->hugepages == RG_HUGE_AUTO && rc == -ENOMEM ? RG_E_TAKEN : rc;
	}
	return 0;
}

void eal_stop(void) {
	rte_eal_cleanup();
}
