// SPDX-License-Identifier: BSD-3-Clause
// Reads what there is to know about machine and build.
#include "env.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1e9
#define LOOP_STEPS 20000u // some 20 us
#define CLOCK_READS 100000u
#define PROBE_S 0.2
#define LINE_LEN 8192
#define SYS_CPU "/sys/devices/system/cpu/"
#define SYS_HUGE "/sys/kernel/mm/hugepages/hugepages-2048kB/"

static double now_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * NS_PER_S + (double)ts.tv_nsec;
}

// Each step needs the one before.
static uint64_t spin(uint64_t x) {
	for (unsigned i = 0; i < LOOP_STEPS; i++)
		x = x * UINT64_C(6364136223846793005) + 1;
	return x;
}

int env_probe(int cpu, double seconds, struct env_probe *out) {
	cpu_set_t before, here;
	double begin, last, now;
	volatile uint64_t sink = 1;
	unsigned n = 0;

	CPU_ZERO(&here);
	CPU_SET((size_t)cpu, &here);
	if (sched_getaffinity(0, sizeof(before), &before) != 0 ||
	    sched_setaffinity(0, sizeof(here), &here) != 0)
		return -errno;
	*out = (struct env_probe){.cpu = cpu};
	sink = spin(sink); // and the clock of the CPU goes up
	begin = last = now_ns();
	do {
		sink = spin(sink);
		now = now_ns();
		out->loop_ns = n == 0 || now - last < out->loop_ns ? now - last : out->loop_ns;
		out->worst_ns = now - last > out->worst_ns ? now - last : out->worst_ns;
		last = now;
		n++;
	} while (now - begin < seconds * NS_PER_S);
	out->lost_share = 1 - n * out->loop_ns / (now - begin);
	return sched_setaffinity(0, sizeof(before), &before) == 0 ? 0 : -errno;
}

unsigned env_cpus(const char *list, int out[ENV_MAX_CPUS]) {
	unsigned n = 0;

	for (const char *p = list;; p++) {
		char *end;
		long from = strtol(p, &end, 10), to = from;

		if (end != p && *end == '-') {
			p = end + 1;
			to = strtol(p, &end, 10);
		}
		if (end == p || from < 0 || to >= CPU_SETSIZE)
			return 0;
		for (; from <= to && n < ENV_MAX_CPUS; from++)
			out[n++] = (int)from;
		if (*end == '\0')
			return n;
		if (*end != ',')
			return 0;
		p = end;
	}
}

char *env_line(const char *file, char *out, size_t len) {
	FILE *f = fopen(file, "re");

	out[0] = '\0';
	if (f != NULL) {
		if (fgets(out, (int)len, f) != NULL)
			out[strcspn(out, "\n")] = '\0';
		else
			out[0] = '\0';
		fclose(f);
	}
	return out;
}

long env_long(const char *file) {
	char line[64], *end;
	long n = strtol(env_line(file, line, sizeof(line)), &end, 10);

	return end == line ? -1 : n;
}

// What follows "NAME" and a colon in a file of such lines; "" without it.
static char *field(const char *file, const char *name, char *out, size_t len) {
	static const char blanks[] = " \t:";
	size_t n = strlen(name);
	FILE *f = fopen(file, "re");
	char line[LINE_LEN];

	out[0] = '\0';
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, n) == 0 && strchr(blanks, line[n]) != NULL) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(out, len, "%s", line + n + strspn(line + n, blanks));
			break;
		}
	if (f != NULL)
		fclose(f);
	return out;
}

uint64_t env_meminfo(const char *name) {
	char text[64];

	return strtoull(field("/proc/meminfo", name, text, sizeof(text)), NULL, 10) * 1024;
}

bool env_has_flag(const char *flag) {
	char flags[LINE_LEN];
	char *save = NULL;

	field("/proc/cpuinfo", "flags", flags, sizeof(flags));
	for (char *w = strtok_r(flags, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		if (strcmp(w, flag) == 0)
			return true;
	return false;
}

double env_clock_ns(void) {
	double begin = now_ns();

	for (unsigned i = 0; i < CLOCK_READS; i++)
		(void)now_ns();
	return (now_ns() - begin) / CLOCK_READS;
}

int env_turbo(void) {
	long no_turbo = env_long(SYS_CPU "intel_pstate/no_turbo");

	return no_turbo >= 0 ? no_turbo == 0 : (int)env_long(SYS_CPU "cpufreq/boost");
}

uint64_t env_steal_ms(void) {
	char text[256];
	unsigned long long steal = 0;

	field("/proc/stat", "cpu", text, sizeof(text));
	if (sscanf(text, "%*u %*u %*u %*u %*u %*u %*u %llu", &steal) != 1)
		return 0;
	return steal * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK);
}

double env_load(void) {
	double load = 0;

	return getloadavg(&load, 1) == 1 ? load : 0;
}

static json_t *word_or_null(const char *file) {
	char line[256];

	env_line(file, line, sizeof(line));
	return line[0] == '\0' ? json_null() : json_string(line);
}

static json_t *word(const char *file) {
	char line[256];

	return json_string(env_line(file, line, sizeof(line)));
}

static json_t *bool_or_null(long v) {
	return v < 0 ? json_null() : json_boolean(v);
}

// SHA-256 of the program that runs.
static json_t *binary_json(void) {
	unsigned char buf[65536], digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	FILE *f = fopen("/proc/self/exe", "re");
	unsigned len = 0;
	char hex[2 * EVP_MAX_MD_SIZE + 1] = "";

	if (ctx != NULL && f != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1) {
		for (size_t n; (n = fread(buf, 1, sizeof(buf), f)) > 0;)
			(void)EVP_DigestUpdate(ctx, buf, n);
		(void)EVP_DigestFinal_ex(ctx, digest, &len);
	}
	for (unsigned i = 0; i < len; i++)
		snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
	if (f != NULL)
		fclose(f);
	EVP_MD_CTX_free(ctx);
	return json_string(hex);
}

// Those that the code looks for, or that decide what a figure is worth.
static json_t *flags_json(void) {
	static const char *const flags[] = {
		"avx2", "bmi2",   "avx512f",   "avx512bw",   "avx512vl",     "aes",
		"vaes", "sha_ni", "pclmulqdq", "vpclmulqdq", "constant_tsc", "nonstop_tsc",
	};
	json_t *list = json_array();

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (env_has_flag(flags[i]))
			json_array_append_new(list, json_string(flags[i]));
	return list;
}

static json_t *huge_json(void) {
	long total = env_long(SYS_HUGE "nr_hugepages"), free = env_long(SYS_HUGE "free_hugepages");

	return json_pack("{s:I, s:I, s:i}", "total", (json_int_t)(total < 0 ? 0 : total), "free",
			 (json_int_t)(free < 0 ? 0 : free), "size_bytes", 2 << 20);
}

static json_t *probes_json(const char *cpus) {
	json_t *list = json_array();
	int cpu[ENV_MAX_CPUS];
	unsigned n = env_cpus(cpus, cpu);

	for (unsigned i = 0; i < n; i++) {
		struct env_probe p = {0};

		if (env_probe(cpu[i], PROBE_S, &p) == 0)
			json_array_append_new(list,
					      json_pack("{s:i, s:f, s:f, s:f}", "cpu", p.cpu,
							"loop_ns", p.loop_ns, "worst_ns",
							p.worst_ns, "lost_share", p.lost_share));
	}
	return list;
}

static json_t *build_json(void) {
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "regate", REGATE_VERSION, "commit",
			 BENCH_COMMIT, "dpdk", BENCH_DPDK, "openssl",
			 OpenSSL_version(OPENSSL_VERSION_STRING), "compiler", __VERSION__, "flags",
			 BENCH_FLAGS, "binary_sha256", binary_json());
}

static json_t *machine_json(const char *cpus) {
	char cpu[256];
	struct utsname u = {0};

	uname(&u);
	field("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	return json_pack("{s:s, s:s, s:s, s:o, s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, "
			 "s:I, s:f, s:f, s:o}",
			 "host", u.nodename, "kernel", u.release, "cpu", cpu, "cpu_flags",
			 flags_json(), "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN), "cpus_used",
			 cpus, "governor", word_or_null(SYS_CPU "cpu0/cpufreq/scaling_governor"),
			 "smt", bool_or_null(env_long(SYS_CPU "smt/active")), "turbo",
			 bool_or_null(env_turbo()), "hugepages", huge_json(), "isolcpus",
			 word(SYS_CPU "isolated"), "nohz_full", word(SYS_CPU "nohz_full"),
			 "clocksource",
			 word("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
			 "virtual", env_has_flag("hypervisor"), "memory_bytes",
			 (json_int_t)env_meminfo("MemTotal"), "load_average", env_load(),
			 "clock_probe_ns", env_clock_ns(), "probes", probes_json(cpus));
}

json_t *env_json(const char *cpus) {
	json_t *machine = machine_json(cpus), *build = build_json();

	if (machine == NULL || json_object_update(machine, build) != 0) {
		json_decref(machine);
		machine = NULL;
	}
	json_decref(build);
	return machine;
}
