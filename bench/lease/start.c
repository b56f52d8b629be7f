// SPDX-License-Identifier: BSD-3-Clause
#include "bed.h"

int bed_start(uint32_t n, unsigned rounds, const char *dir) {
	(void)n;
	(void)rounds;
	(void)dir;
	return 2;
}
