// SPDX-License-Identifier: BSD-3-Clause
// Near misses: which known word was meant.
#include <limits.h>

#include "conf/conf_impl.h"

#define WORD_MAX 32 // longer words have no near miss

static unsigned min3(unsigned a, unsigned b, unsigned c) {
	a = a < b ? a : b;
	return a < c ? a : c;
}

// Edit distance; a swap of neighbours counts as one.
static unsigned distance(const char *a, const char *b) {
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > WORD_MAX || m > WORD_MAX)
		return UINT_MAX;
	for (size_t i = 0; i <= n; i++) {
		for (size_t j = 0; j <= m; j++) {
			if (i == 0 || j == 0) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				       d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = min3(d[i][j], d[i - 2][j - 2] + 1, UINT_MAX);
		}
	}
	return d[n][m];
}

void conf_near(struct conf_near *best, const char *word, const char *candidate) {
	unsigned d = distance(word, candidate);

	// "id" is not a near miss of "up": part of the word must be right
	if (d <= 2 && d < strlen(candidate) && d < strlen(word) &&
	    (best->name == NULL || d < best->distance))
		*best = (struct conf_near){candidate, d};
}
