// SPDX-License-Identifier: BSD-3-Clause
// Machine, build and their state, as a result keeps them and doctor judges them. Reads /proc and
// /sys; what a machine does not have is "" or negative.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENV_MAX_CPUS 64

// One CPU under a fixed loop, over and over: what keeps it from us.
struct env_probe {
	int cpu;
	double loop_ns;    // least time of the loop
	double worst_ns;   // greatest
	double lost_share; // of the time, beyond what the loops need at their best
};
// On the calling thread, which is moved there and back. 0 or negative errno.
[[nodiscard]] int env_probe(int cpu, double seconds, struct env_probe *out);

// "0,1" or "0-2,5" as numbers; returns how many, 0 when it is no such list.
unsigned env_cpus(const char *list, int out[ENV_MAX_CPUS]);
// First line of a file without its end; "" without it. Returns out.
char *env_line(const char *file, char *out, size_t len);
long env_long(const char *file); // -1 without it
// "MemTotal" of /proc/meminfo, bytes.
uint64_t env_meminfo(const char *name);
bool env_has_flag(const char *flag); // of the first CPU
double env_clock_ns(void);           // one clock_gettime()
int env_turbo(void);                 // 1 on, 0 off, -1 not known
uint64_t env_steal_ms(void);         // of all CPUs, since boot
double env_load(void);               // average of the last minute

// All of it, for a result. Spins for 0.2 s on each CPU of the list. NULL without memory.
json_t *env_json(const char *cpus);
