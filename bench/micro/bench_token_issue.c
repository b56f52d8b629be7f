// SPDX-License-Identifier: BSD-3-Clause
// What a token costs to issue, and its signature alone; bare OpenSSL is the yardstick.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <unistd.h>

#include "bench.h"
#include "regate/token.h"
#include "token/es256.h"
#include "token/token.h"

#define TEXT_LEN 500 // bytes signed: header and claims

struct work {
	EVP_PKEY *pkey;
	EC_KEY *ec;
	struct token_key *key;
	uint8_t text[TEXT_LEN];
};

static void run_issue(void *arg, uint64_t n_ops) {
	static const struct token_claims c = {.iss = "https://10.77.0.2",
					      .aud = "ep-cscf.ims.example.net",
					      .sub = "anon-0123456789abcdef",
					      .impi = "pool-00000000@ims.example.net",
					      .impu = "sip:pool-00000000@ims.example.net",
					      .wwsf = "demo",
					      .pool = "demo",
					      .iat = 1790000000,
					      .nbf = 1790000000,
					      .exp = 1790007200,
					      .gen = 1,
					      .scenario = 3};
	static const uint8_t jti[16] = {1, 2, 3};
	struct work *w = arg;
	uint8_t out[RG_TOKEN_MAX];

	for (uint64_t i = 0; i < n_ops; i++) {
		struct rg_wr wr = rg_wr(out, sizeof(out));

		if (token_issue(w->key, &c, jti, &wr) != 0)
			abort();
	}
}

static void run_sign(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	uint8_t sig[ES256_SIG_LEN];

	for (uint64_t i = 0; i < n_ops; i++)
		if (es256_sign(w->pkey, rg_slice(w->text, TEXT_LEN), sig) != 0)
			abort();
}

static void run_bare(void *arg, uint64_t n_ops) {
	struct work *w = arg;

	for (uint64_t i = 0; i < n_ops; i++) {
		ECDSA_SIG *s = ECDSA_do_sign(w->text, 32, w->ec);

		if (s == NULL)
			abort();
		ECDSA_SIG_free(s);
	}
}

static int make_key(struct work *w) {
	char path[] = "/tmp/bench-token-XXXXXX", err[256] = "no key";
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	w->pkey = EVP_EC_gen("P-256");
	if (f == NULL || w->pkey == NULL ||
	    PEM_write_PrivateKey(f, w->pkey, NULL, NULL, 0, NULL, NULL) != 1 || fclose(f) != 0)
		return -1;
	w->ec = EVP_PKEY_get1_EC_KEY(w->pkey);
	w->key = token_key_load(path, err, sizeof(err));
	unlink(path);
	if (w->key == NULL)
		fprintf(stderr, "%s\n", err);
	return w->key == NULL || w->ec == NULL ? -1 : 0;
}

int main(int argc, char **argv) {
	struct work w = {0};
	struct bench_case cases[] = {{"token_issue", 0, run_issue, &w},
				     {"es256_sign", TEXT_LEN, run_sign, &w},
				     {"ecdsa_p256_bare", 32, run_bare, &w}};
	int rc;

	if (make_key(&w) != 0)
		return 1;
	rc = bench_main(argc, argv, cases, 3);
	token_key_free(w.key);
	EC_KEY_free(w.ec);
	EVP_PKEY_free(w.pkey);
	return rc;
}
