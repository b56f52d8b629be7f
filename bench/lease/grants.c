// SPDX-License-Identifier: BSD-3-Clause
// Durable grants per second: engine, token, SQLite. Beside it what the parts take alone, in the same
// minute: tokens without an engine, records without an engine, the engine without either.
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <unistd.h>

#include "bed.h"
#include "regate/err.h"

#define WINDOW 4096 // grants waiting for the store at once
#define N_TOKENS 5000
#define MAX_ROUNDS 100

static struct token_key *key_new(const char *dir) {
	EVP_PKEY *k = EVP_EC_gen("P-256");
	struct token_key *key;
	char path[512], err[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/bench-lease.key", dir);
	f = fopen(path, "w");
	if (k == NULL || f == NULL || PEM_write_PrivateKey(f, k, NULL, NULL, 0, NULL, NULL) != 1 ||
	    fclose(f) != 0)
		bed_die(path, RG_E_AUTH);
	EVP_PKEY_free(k);
	key = token_key_load(path, err, sizeof(err));
	unlink(path);
	if (key == NULL) {
		fprintf(stderr, "bench-lease: %s\n", err);
		bed_die("a key", RG_E_AUTH);
	}
	return key;
}

static void set_key(struct bed *b, const char *dir) {
	b->key = key_new(dir);
	b->signer = token_signer_get(b->key);
}

static double tokens_per_s(struct bed *b) {
	const struct token_claims c = {.iss = "https://10.77.0.2",
				       .aud = "ep-cscf.ims.example.net",
				       .sub = "anon-0123456789abcdef",
				       .impi = "pool-00000000@ims.example.net",
				       .impu = "sip:pool-00000000@ims.example.net",
				       .wwsf = "demo",
				       .pool = "demo",
				       .gen = 1,
				       .scenario = 3};
	static const uint8_t jti[16] = {0};
	uint8_t out[RG_TOKEN_MAX];
	double t = bed_now_s();

	for (unsigned i = 0; i < N_TOKENS; i++) {
		struct rg_wr w = rg_wr(out, sizeof(out));

		if (token_issue(b->key, &c, jti, &w) != 0)
			bed_die("a token", RG_E_AUTH);
	}
	return N_TOKENS / (bed_now_s() - t);
}

static uint64_t n_left;

static void stored(void *arg, int rc, uint64_t) {
	struct bed *b = arg;

	if (rc != 0)
		bed_die("a record", rc);
	if (--n_left == 0)
		env_stop(b->env);
}

static double records_per_s(struct bed *b, uint32_t n) {
	double t = bed_now_s();

	n_left = n;
	for (uint32_t i = 0; i < n; i++) {
		char impi[64], impu[64];
		const struct store_lease l = {.impi = impi,
					      .impu = impu,
					      .pool = "demo",
					      .sub = "anon-0123456789abcdef",
					      .gen = 1};
		int rc;

		bed_impi(impi, i);
		bed_impu(impu, i);
		rc = store_commit(b->store, &l, stored, b);
		if (rc != 0)
			bed_die("a record", rc);
	}
	(void)env_real_run(b->env);
	return n / (bed_now_s() - t);
}

static void print(const char *name, double *v, unsigned n) {
	double median = bed_median(v, n);

	printf("{\"bench\":\"lease_grants\",\"what\":\"%s\",\"rounds\":%u,"
	       "\"per_s\":{\"median\":%.0f,\"min\":%.0f,\"max\":%.0f}}\n",
	       name, n, median, v[0], v[n - 1]);
}

// One round: each n pairs, none of which had a lease before.
static double engine_per_s(const char *db, const char *key_dir, uint32_t n) {
	struct bed b = {0};
	double t;

	if (db != NULL)
		bed_remove(db);
	bed_open(&b, db);
	if (key_dir != NULL)
		set_key(&b, key_dir);
	bed_engine(&b, n);
	bed_load(&b);
	t = bed_now_s();
	bed_grant(&b, n, WINDOW);
	t = n / (bed_now_s() - t);
	bed_close(&b);
	if (db != NULL)
		bed_remove(db);
	return t;
}

int bed_grants(uint32_t n, unsigned rounds, const char *dir) {
	double whole[MAX_ROUNDS], unsigned_[MAX_ROUNDS], bare[MAX_ROUNDS], tokens[MAX_ROUNDS],
		records[MAX_ROUNDS];
	char db[512];

	snprintf(db, sizeof(db), "%s/bench-lease.db", dir);
	for (unsigned i = 0; i < rounds; i++) {
		struct bed b = {0};

		whole[i] = engine_per_s(db, dir, n);
		unsigned_[i] = engine_per_s(db, NULL, n);
		bare[i] = engine_per_s(NULL, NULL, n);
		bed_open(&b, db);
		set_key(&b, dir);
		tokens[i] = tokens_per_s(&b);
		records[i] = records_per_s(&b, n);
		bed_close(&b);
		bed_remove(db);
	}
	print("grant", whole, rounds);
	print("grant, tokens not signed", unsigned_, rounds);
	print("grant, tokens not signed, nothing stored", bare, rounds);
	print("token alone", tokens, rounds);
	print("record alone", records, rounds);
	return 0;
}
