// SPDX-License-Identifier: BSD-3-Clause
// Places where a process may die between two steps that belong together. In the release they are
// nothing; where REGATE_CRASH_POINTS is defined (regated-test, regate-kill), each is listed and can be
// made to kill.
#pragma once

#include <stdbool.h>

#ifdef REGATE_CRASH_POINTS
void crash_point(const char *name); // any thread
#define CRASH_POINT(name)                                                        \
	do {                                                                     \
		static const char *const crash_name                              \
			__attribute__((section("crash_points"), used)) = (name); \
		crash_point(crash_name);                                         \
	} while (0)

const char *crash_point_name(unsigned i); // NULL past the end
void crash_points_print(void);
// From now on the process kills itself where it comes to that place for the nth time, from 1. False
// when there is no such place. Before threads begin; name is borrowed, NULL = nowhere.
[[nodiscard]] bool crash_point_arm(const char *name, unsigned nth);
// The same by the environment, REGATE_CRASH_POINT=NAME or NAME:NTH, if it is there.
[[nodiscard]] bool crash_point_arm_env(void);
#else
#define CRASH_POINT(name) ((void)0)

static inline void crash_points_print(void) {
}

static inline bool crash_point_arm_env(void) {
	return true;
}
#endif
