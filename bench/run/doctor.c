// SPDX-License-Identifier: BSD-3-Clause
// `regate-bench doctor`: what on this machine would distort a measurement, and the cure.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "env.h"

#define PROBE_S 2.0
#define LOST_BAD 0.01      // share of the time that something else has
#define PAUSE_BAD_NS 500e3 // at once
#define HUGE_WANTED_MIB 192
#define MEMORY_WANTED_MIB 1024
#define LOAD_BAD 0.2
#define STEAL_WAIT_US 500000
#define CLOCK_BAD_NS 200 // a clock that asks the hypervisor

enum verdict { VERDICT_OK, VERDICT_DISTORTS, VERDICT_UNKNOWN };

struct finding {
	enum verdict verdict;
	char found[192];
	const char *cure; // when it distorts
};

struct doctor {
	const char *cpus;
	int cpu[ENV_MAX_CPUS];
	unsigned n_cpus;
};

__attribute__((format(printf, 3, 4))) static void say(struct finding *f, enum verdict v,
						      const char *fmt, ...) {
	va_list ap;

	f->verdict = v;
	va_start(ap, fmt);
	vsnprintf(f->found, sizeof(f->found), fmt, ap);
	va_end(ap);
}

// Is each of our CPUs in the list of that file?
static bool are_listed(const struct doctor *d, const char *list) {
	int cpu[ENV_MAX_CPUS];
	unsigned n = env_cpus(list, cpu), n_found = 0;

	for (unsigned i = 0; i < d->n_cpus; i++)
		for (unsigned j = 0; j < n; j++)
			n_found += cpu[j] == d->cpu[i];
	return n_found >= d->n_cpus;
}

static void check_list(const struct doctor *d, struct finding *f, const char *file) {
	char list[256];

	env_line(file, list, sizeof(list));
	say(f, are_listed(d, list) ? VERDICT_OK : VERDICT_DISTORTS, "%s",
	    list[0] == '\0' ? "none" : list);
}

static void check_isolcpus(const struct doctor *d, struct finding *f) {
	check_list(d, f, "/sys/devices/system/cpu/isolated");
	f->cure = "boot with isolcpus= and the CPUs of --cpus, so that the kernel puts nothing "
		  "else there";
}

static void check_nohz(const struct doctor *d, struct finding *f) {
	check_list(d, f, "/sys/devices/system/cpu/nohz_full");
	f->cure = "boot with nohz_full= and rcu_nocbs= and the CPUs of --cpus: no timer tick";
}

static void check_governor(const struct doctor *d, struct finding *f) {
	char file[128], name[64];

	snprintf(file, sizeof(file), "/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor",
		 d->cpu[0]);
	env_line(file, name, sizeof(name));
	if (name[0] == '\0')
		say(f, VERDICT_UNKNOWN, "not visible here: the host decides");
	else
		say(f, strcmp(name, "performance") == 0 ? VERDICT_OK : VERDICT_DISTORTS, "%s",
		    name);
	f->cure = "cpupower frequency-set -g performance";
}

static void check_turbo([[maybe_unused]] const struct doctor *d, struct finding *f) {
	int turbo = env_turbo();

	say(f,
	    turbo < 0    ? VERDICT_UNKNOWN
	    : turbo == 0 ? VERDICT_OK
			 : VERDICT_DISTORTS,
	    "%s",
	    turbo < 0    ? "not visible here: the host decides"
	    : turbo == 0 ? "off"
			 : "on");
	f->cure = "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo, or echo 0 > "
		  "/sys/devices/system/cpu/cpufreq/boost: the clock follows the temperature";
}

static void check_smt(const struct doctor *d, struct finding *f) {
	char file[128], siblings[64];
	int cpu[ENV_MAX_CPUS];
	bool is_shared = false;

	for (unsigned i = 0; i < d->n_cpus; i++) {
		snprintf(file, sizeof(file),
			 "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", d->cpu[i]);
		is_shared |= env_cpus(env_line(file, siblings, sizeof(siblings)), cpu) > 1;
	}
	say(f, is_shared ? VERDICT_DISTORTS : VERDICT_OK, "%s",
	    is_shared ? "a CPU shares its core with another" : "each CPU is a core");
	f->cure =
		"echo off > /sys/devices/system/cpu/smt/control, or name CPUs whose siblings idle";
}

static void check_hugepages([[maybe_unused]] const struct doctor *d, struct finding *f) {
	long n = env_long("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");

	say(f, n * 2 >= HUGE_WANTED_MIB ? VERDICT_OK : VERDICT_DISTORTS, "%ld MiB free",
	    n < 0 ? 0 : n * 2);
	f->cure = "echo 128 > /proc/sys/vm/nr_hugepages; without them packets lie in 4 KiB pages";
}

static void check_load([[maybe_unused]] const struct doctor *d, struct finding *f) {
	double load = env_load();

	say(f, load <= LOAD_BAD ? VERDICT_OK : VERDICT_DISTORTS, "%.2f", load);
	f->cure = "stop what else runs, and wait a minute";
}

static void check_steal([[maybe_unused]] const struct doctor *d, struct finding *f) {
	uint64_t before = env_steal_ms(), ms;

	if (!env_has_flag("hypervisor")) {
		say(f, VERDICT_OK, "no hypervisor");
		return;
	}
	usleep(STEAL_WAIT_US);
	ms = env_steal_ms() - before;
	say(f, ms == 0 ? VERDICT_OK : VERDICT_DISTORTS,
	    "a virtual machine; the host took %llu ms of the last %u", (unsigned long long)ms,
	    STEAL_WAIT_US / 1000);
	f->cure = "give the machine CPUs of its own (pinned vCPUs), or measure elsewhere";
}

static void check_clock([[maybe_unused]] const struct doctor *d, struct finding *f) {
	char name[64];
	double ns = env_clock_ns();

	env_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", name,
		 sizeof(name));
	say(f,
	    ns > CLOCK_BAD_NS || !env_has_flag("constant_tsc") || !env_has_flag("nonstop_tsc")
		    ? VERDICT_DISTORTS
		    : VERDICT_OK,
	    "%s, %.0f ns to read%s", name, ns,
	    env_has_flag("constant_tsc") ? "" : ", its counter follows the CPU's clock");
	f->cure = "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource";
}

static void check_contention(const struct doctor *d, struct finding *f) {
	struct env_probe p = {0}, worst = {.cpu = -1};

	for (unsigned i = 0; i < d->n_cpus; i++) {
		if (env_probe(d->cpu[i], PROBE_S, &p) != 0) {
			say(f, VERDICT_DISTORTS, "CPU %d cannot be used by this process",
			    d->cpu[i]);
			f->cure = "name others with --cpus, or widen the cpuset";
			return;
		}
		if (worst.cpu < 0 || p.lost_share > worst.lost_share)
			worst = p;
	}
	say(f,
	    worst.lost_share > LOST_BAD || worst.worst_ns > PAUSE_BAD_NS ? VERDICT_DISTORTS
									 : VERDICT_OK,
	    "CPU %d loses %.1f %% of its time, up to %.0f us at once", worst.cpu,
	    worst.lost_share * 100, (worst.worst_ns - worst.loop_ns) / 1e3);
	f->cure = "something else runs there: stop it, or isolate the CPUs";
}

static void check_memory([[maybe_unused]] const struct doctor *d, struct finding *f) {
	uint64_t mib = env_meminfo("MemAvailable") >> 20;

	say(f, mib >= MEMORY_WANTED_MIB ? VERDICT_OK : VERDICT_DISTORTS, "%llu MiB available",
	    (unsigned long long)mib);
	f->cure = "free some: a connection and its client take about 2 KiB, requests 1 KiB each";
}

static void check_cpus(const struct doctor *d, struct finding *f) {
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	say(f, n > (long)d->n_cpus ? VERDICT_OK : VERDICT_DISTORTS, "%u used of %ld: %s", d->n_cpus,
	    n,
	    n > (long)d->n_cpus ? "the system has one to itself"
				: "nothing is left for the system");
	f->cure = "use a machine with one more CPU than the bench uses";
}

static const struct check {
	const char *name;
	void (*run)(const struct doctor *d, struct finding *f);
} checks[] = {
	{"cpus", check_cpus},           {"isolcpus", check_isolcpus},
	{"nohz_full", check_nohz},      {"governor", check_governor},
	{"turbo", check_turbo},         {"smt", check_smt},
	{"hugepages", check_hugepages}, {"memory", check_memory},
	{"load", check_load},           {"clock", check_clock},
	{"steal", check_steal},         {"contention", check_contention},
};

static const char *const verdicts[] = {"ok", "distorts", "unknown"};

static bool examine(const struct doctor *d, FILE *table, json_t *list) {
	bool is_good = true;

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct finding f = {0};

		checks[i].run(d, &f);
		is_good &= f.verdict != VERDICT_DISTORTS;
		if (f.verdict != VERDICT_DISTORTS)
			f.cure = NULL;
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s?}", "name", checks[i].name,
						"verdict", verdicts[f.verdict], "found", f.found,
						"cure", f.cure));
		if (table == NULL)
			continue;
		fprintf(table, "%-11s %-9s %s\n", checks[i].name, verdicts[f.verdict], f.found);
		if (f.cure != NULL)
			fprintf(table, "%-11s cure: %s\n", "", f.cure);
	}
	return is_good;
}

int doctor_main(int argc, char **argv) {
	struct doctor d = {.cpus = "0,1"};
	json_t *list = json_array(), *obj;
	bool is_json = false, is_good;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			is_json = true;
		else if (strcmp(argv[i], "--cpus") == 0 && i + 1 < argc)
			d.cpus = argv[++i];
		else {
			fprintf(stderr, "usage: regate-bench doctor [--cpus LIST] [--json]\n");
			return BENCH_USAGE;
		}
	}
	d.n_cpus = env_cpus(d.cpus, d.cpu);
	if (d.n_cpus == 0) {
		fprintf(stderr, "--cpus '%s' is no list of CPUs: write 0,1\n", d.cpus);
		return BENCH_USAGE;
	}
	is_good = examine(&d, is_json ? NULL : stdout, list);
	obj = json_pack("{s:s, s:s, s:b, s:o}", "schema", "regate.doctor/1", "cpus", d.cpus, "ok",
			is_good, "checks", list);
	if (is_json && json_dumpf(obj, stdout, JSON_INDENT(1)) == 0)
		printf("\n");
	json_decref(obj);
	return is_good ? BENCH_DONE : BENCH_FAILED;
}
