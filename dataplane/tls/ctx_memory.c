// SPDX-License-Identifier: BSD-3-Clause
// Memory for OpenSSL, wiped when it is given back: OpenSSL 3.0 frees an SSL object with the secrets
// of its connection still in it. For the whole process, set before OpenSSL's first allocation.
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"

static void *take(size_t n, const char *file, int line) {
	(void)file;
	(void)line;
	return n == 0 ? NULL : malloc(n);
}

static void wipe(void *p, const char *file, int line) {
	(void)file;
	(void)line;
	if (p == NULL)
		return;
	explicit_bzero(p, malloc_usable_size(p)); // OPENSSL_cleanse() goes by words
	free(p);
}

// Never grows in place by realloc(): that might move, and leave the old bytes behind.
static void *resize(void *p, size_t n, const char *file, int line) {
	size_t len = p == NULL ? 0 : malloc_usable_size(p);
	void *bigger;

	if (n > 0 && n <= len)
		return p;
	bigger = take(n, file, line);
	if (n > 0 && bigger == NULL)
		return NULL;
	if (len > 0 && n > 0)
		memcpy(bigger, p, len);
	wipe(p, file, line);
	return bigger;
}

bool tls_wipe_freed(void) {
	return CRYPTO_set_mem_functions(take, resize, wipe) == 1;
}
