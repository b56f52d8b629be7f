// SPDX-License-Identifier: BSD-3-Clause
// Which slots of an array are free. Made before the worker runs, the worker's from then on.
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
