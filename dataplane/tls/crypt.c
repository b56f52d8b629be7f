// SPDX-License-Identifier: BSD-3-Clause
// The cryptography of one worker: made once, with everything that can be fetched or allocated
// beforehand, and the choice of the engine. Called by the control plane before and after the
// worker runs.
#include <openssl/core_names.h>

#include "tls_int.h"

size_t tls_hash_len(enum tls_hash hash) {
	return hash == TLS_SHA384 ? 48 : 32;
}

// NULL when the processor lacks something, when the library does not trust itself, or without
// memory: then EVP does the work.
static IMB_MGR *imb_mgr_new(void) {
	static const uint64_t need = IMB_CPUFLAGS_AVX2 | IMB_FEATURE_SELF_TEST_PASS;
	IMB_MGR *m = alloc_mb_mgr(0);

	if (m == NULL)
		return NULL;
	init_mb_mgr_auto(m, NULL);
	if ((m->features & need) == need && imb_get_errno(m) == 0)
		return m;
	free_mb_mgr(m);
	return NULL;
}

static bool start_ciphers(struct tls_crypt *x, OSSL_LIB_CTX *lib) {
	static const char *const names[TLS_N_SUITES] = {
		[TLS_AES128] = "AES-128-GCM",
		[TLS_AES256] = "AES-256-GCM",
		[TLS_CHACHA] = "ChaCha20-Poly1305",
	};

	for (int i = 0; i < TLS_N_SUITES; i++) {
		EVP_CIPHER *cipher = EVP_CIPHER_fetch(lib, names[i], NULL);
		bool is_ok = cipher != NULL;

		for (int dir = 0; is_ok && dir < TLS_N_DIRS; dir++) {
			x->evp[i][dir] = EVP_CIPHER_CTX_new();
			is_ok = x->evp[i][dir] != NULL &&
				EVP_CipherInit_ex2(x->evp[i][dir], cipher, NULL, NULL,
						   dir == TLS_WR, NULL) == 1;
		}
		EVP_CIPHER_free(cipher); // the contexts hold it
		if (!is_ok)
			return false;
	}
	return true;
}

static bool start_hmacs(struct tls_crypt *x, OSSL_LIB_CTX *lib) {
	static char *const names[TLS_N_HASHES] = {"SHA256", "SHA384"};
	EVP_MAC *mac = EVP_MAC_fetch(lib, "HMAC", NULL);
	bool is_ok = mac != NULL;

	for (int i = 0; is_ok && i < TLS_N_HASHES; i++) {
		const OSSL_PARAM params[] = {
			OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, names[i], 6),
			OSSL_PARAM_END,
		};

		x->hmac[i] = EVP_MAC_CTX_new(mac);
		is_ok = x->hmac[i] != NULL && EVP_MAC_CTX_set_params(x->hmac[i], params) == 1;
	}
	EVP_MAC_free(mac);
	return is_ok;
}

struct tls_crypt *tls_crypt_new(OSSL_LIB_CTX *lib) {
	const size_t align = alignof(struct tls_crypt); // more than OPENSSL_malloc() promises
	uint8_t *block = OPENSSL_zalloc(sizeof(struct tls_crypt) + align);
	struct tls_crypt *x;

	if (block == NULL)
		return NULL;
	x = (struct tls_crypt *)(block + (align - (uintptr_t)block % align));
	x->block = block;
	if (!start_ciphers(x, lib) || !start_hmacs(x, lib))
		goto err;
	x->imb = imb_mgr_new();
	x->aeads = x->imb != NULL ? tls_aead_imb() : tls_aead_evp();
	return x;
err:
	tls_crypt_free(x);
	return NULL;
}

void tls_crypt_free(struct tls_crypt *x) {
	if (x == NULL)
		return;
	for (int i = 0; i < TLS_N_SUITES; i++)
		for (int dir = 0; dir < TLS_N_DIRS; dir++)
			EVP_CIPHER_CTX_free(x->evp[i][dir]);
	for (int i = 0; i < TLS_N_HASHES; i++)
		EVP_MAC_CTX_free(x->hmac[i]);
	if (x->imb != NULL)
		free_mb_mgr(x->imb);
	OPENSSL_clear_free(x->block, sizeof(*x) + alignof(struct tls_crypt));
}
