// SPDX-License-Identifier: BSD-3-Clause
#include "guard.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct rg_slice guard_copy(struct rg_slice s) {
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (s.len + page) / page * page;
	uint8_t *m =
		mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED || mprotect(m + room, page, PROT_NONE) != 0)
		abort();
	if (s.len > 0)
		memcpy(m + room - s.len, s.p, s.len);
	return rg_slice(m + room - s.len, s.len);
}

static int digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	abort();
}

struct rg_slice guard_hex(const char *hex) {
	uint8_t buf[65536];
	size_t n = 0;

	for (; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		if (n == sizeof(buf))
			abort();
		buf[n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
		hex++;
	}
	return guard_copy(rg_slice(buf, n));
}
