// SPDX-License-Identifier: BSD-3-Clause
// Which slots of an array are free, and how many of them each source has. Made before the worker
// runs, the worker's from then on.
#include <openssl/crypto.h>

#include "tls_int.h"

bool tls_pool_init(struct tls_pool *p, uint32_t n) {
	p->n = n;
	p->free = OPENSSL_malloc(n * sizeof(p->free[0]));
	if (p->free == NULL)
		return false;
	p->n_free = n;
	for (uint32_t i = 0; i < n; i++)
		p->free[i] = n - 1 - i;
	return true;
}

void tls_pool_fini(struct tls_pool *p) {
	OPENSSL_free(p->free);
	*p = (struct tls_pool){0};
}

uint32_t tls_pool_take(struct tls_pool *p) {
	return p->n_free == 0 ? TLS_NO_REF : p->free[--p->n_free];
}

void tls_pool_put(struct tls_pool *p, uint32_t i) {
	p->free[p->n_free++] = i;
}

static_assert(TLS_N_SOURCES == 1 << (32 - 20), "the rows look at different bits");

bool tls_quota_take(struct tls_quota *q, uint32_t source, unsigned max) {
	uint16_t *a = &q->n[0][source % TLS_N_SOURCES], *b = &q->n[1][source >> 20];

	// Never too low: a source that shares one cell with others shares the second with nobody,
	// most likely.
	if (max > 0 && (*a < *b ? *a : *b) >= max)
		return false;
	++*a;
	++*b;
	return true;
}

void tls_quota_put(struct tls_quota *q, uint32_t source) {
	q->n[0][source % TLS_N_SOURCES]--;
	q->n[1][source >> 20]--;
}
