// SPDX-License-Identifier: BSD-3-Clause
// What the digest of a bearer token costs, at the size the WWSF mints, and its tag.
#include "bench.h"
#include "reg/reg.h"

#define TOKEN_LEN 200

struct work {
	struct rg_digester *digester;
	struct reg_tag_key key;
	uint8_t token[TOKEN_LEN];
};

static void run(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	struct rg_digest out = {0};

	for (uint64_t i = 0; i < n_ops; i++) {
		w->token[0] = out.b[0]; // each digest waits for the one before
		rg_token_digest(w->digester, rg_slice(w->token, TOKEN_LEN), &out);
	}
	bench_keep(out.b[0]);
}

static void run_tag(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	uint64_t tag = 0;

	for (uint64_t i = 0; i < n_ops; i++) {
		w->token[0] = (uint8_t)tag; // each tag waits for the one before
		tag = reg_token_tag(&w->key, rg_slice(w->token, TOKEN_LEN));
	}
	bench_keep(tag);
}

int main(int argc, char **argv) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = {1, 2, 3};
	struct work w = {.digester = rg_digester_new(key)};
	struct bench_case cases[] = {{"token_digest", TOKEN_LEN, run, &w},
				     {"token_tag", TOKEN_LEN, run_tag, &w}};
	int rc;

	if (w.digester == NULL) {
		fprintf(stderr, "no memory for a digester\n");
		return 1;
	}
	memset(w.token, 'a', sizeof(w.token));
	memset(&w.key, 0x5a, sizeof(w.key));
	rc = bench_main(argc, argv, cases, 2);
	rg_digester_free(w.digester);
	return rc;
}
