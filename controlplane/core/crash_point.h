// SPDX-License-Identifier: BSD-3-Clause
// Places where a process may die between two steps that belong together. In the release they are
// nothing; where REGATE_CRASH_POINTS is defined (tests/sim), each is listed and can be made to kill.
#pragma once

#ifdef REGATE_CRASH_POINTS
void crash_point(const char *name); // any thread
#define CRASH_POINT(name)                                                        \
	do {                                                                     \
		static const char *const crash_name                              \
			__attribute__((section("crash_points"), used)) = (name); \
		crash_point(crash_name);                                         \
	} while (0)
#else
#define CRASH_POINT(name) ((void)0)
#endif
