// SPDX-License-Identifier: BSD-3-Clause
// The target's processes on this machine, and the commands of a scenario.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "scenario.h"

// What a process and its children have taken.
struct target_use {
	uint64_t cpu_ns;
	uint64_t bytes; // of memory, each shared page once (Pss)
	unsigned n;     // processes; 0: not known
};

// The process of the scenario; 0: none was named, negative: it cannot be read or is gone, with err.
[[nodiscard]] int target_pid(const struct scenario *sc, char *err, size_t err_len);
struct target_use target_use(int pid);

// A shell command in the background.
struct command {
	const char *name, *text; // name: the scenario's key
	pid_t pid;               // 0: not begun, or over
};
[[nodiscard]] int command_begin(struct command *c, char *err, size_t err_len);
// RG_MORE: not over yet. Negative with err: it failed.
[[nodiscard]] int command_check(struct command *c, bool is_waited_for, char *err, size_t err_len);
