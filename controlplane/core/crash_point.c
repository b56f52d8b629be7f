// SPDX-License-Identifier: BSD-3-Clause
// The crash points of a test program. No part of the release.
#include "core/crash_point.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Of the section, by the linker.
extern const char *const points[] __asm__("__start_crash_points");
extern const char *const points_end[] __asm__("__stop_crash_points");

static const char *die_at;
static unsigned die_in;

void crash_point(const char *name) {
	if (die_at != NULL && strcmp(name, die_at) == 0 &&
	    __atomic_fetch_sub(&die_in, 1, __ATOMIC_SEQ_CST) == 1)
		kill(getpid(), SIGKILL);
}

const char *crash_point_name(unsigned i) {
	size_t n = ((uintptr_t)points_end - (uintptr_t)points) / sizeof(*points);

	return i < n ? points[i] : NULL;
}

void crash_points_print(void) {
	for (unsigned i = 0; crash_point_name(i) != NULL; i++)
		puts(crash_point_name(i));
}

bool crash_point_arm(const char *name, unsigned nth) {
	const char *known = NULL;

	for (unsigned i = 0; name != NULL && (known = crash_point_name(i)) != NULL; i++)
		if (strcmp(name, known) == 0)
			break;
	die_in = nth;
	die_at = known;
	return name == NULL || known != NULL;
}

bool crash_point_arm_env(void) {
	static char name[64];
	const char *text = getenv("REGATE_CRASH_POINT"), *colon;

	if (text == NULL)
		return true;
	colon = strchr(text, ':');
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, ":"), text);
	if (crash_point_arm(name, colon == NULL ? 1 : (unsigned)atoi(colon + 1)))
		return true;
	fprintf(stderr, "REGATE_CRASH_POINT: no crash point '%s': --list-crash-points names them\n",
		name);
	return false;
}
