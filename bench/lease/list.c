// SPDX-License-Identifier: BSD-3-Clause
#include "bed.h"

int bed_list(uint32_t n, unsigned rounds) {
	(void)n;
	(void)rounds;
	return 2;
}
