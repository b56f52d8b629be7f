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

static struct token_key *key_new(const char *dir, bool is_eddsa) {
	EVP_PKEY *k = is_eddsa ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen("P-256");
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

static void set_key(struct bed *b, const char *dir, bool is_eddsa) {
	b->key = key_new(dir, is_eddsa);
	b->signer = token_signer_get(b->key);
}

static void make_tokens(struct bed *b) {
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

	for (unsigned i = 0; i < N_TOKENS; i++) {
		struct rg_wr w = rg_wr(out, sizeof(out));

		if (token_issue(b->key, &c, jti, &w) != 0)
			bed_die("a token", RG_E_AUTH);
	}
}

static struct { uint32_t n, n_asked, n_done; } records;

static void store_one(struct bed *b);

static void stored(void *arg, int rc, uint64_t) {
	struct bed *b = arg;

	if (rc != 0)
		bed_die("a record", rc);
	if (++records.n_done == records.n)
		env_stop(b->env);
	else if (records.n_asked < records.n)
		store_one(b);
}

static void store_one(struct bed *b) {
	uint32_t i = records.n_asked++;
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

// As many waiting as of grants: what waits for etcd longer than 3 s is given up.
static void make_records(struct bed *b, uint32_t n) {
	records.n = n;
	records.n_asked = records.n_done = 0;
	while (records.n_asked < n && records.n_asked < WINDOW)
		store_one(b);
	(void)env_real_run(b->env);
}

struct figures { // of each round
	double per_s[MAX_ROUNDS];
	double cpu_us[MAX_ROUNDS]; // of all threads, for each: what a busy machine leaves alone
};

static void print(const char *name, struct figures *f, unsigned n) {
	double *v = f->per_s, *us = f->cpu_us;
	double median = bed_median(v, n), median_us = bed_median(us, n);

	printf("{\"bench\":\"lease_grants\",\"what\":\"%s\",\"rounds\":%u,"
	       "\"per_s\":{\"median\":%.0f,\"min\":%.0f,\"max\":%.0f},"
	       "\"cpu_us\":{\"median\":%.2f,\"min\":%.2f,\"max\":%.2f}}\n",
	       name, n, median, v[0], v[n - 1], median_us, us[0], us[n - 1]);
}

enum { ES256, EDDSA, UNSIGNED, BARE, TOKEN, RECORD, N_WHATS };

static const char *const whats[N_WHATS] = {
	[ES256] = "grant, ES256",
	[EDDSA] = "grant, EdDSA",
	[UNSIGNED] = "grant, tokens not signed",
	[BARE] = "grant, tokens not signed, nothing stored",
	[TOKEN] = "token alone, ES256",
	[RECORD] = "record alone",
};

// One round over pairs none of which had a lease before.
static void run(unsigned what, uint32_t n, const char *dir, const char *db, struct figures *f,
		unsigned round) {
	bool is_signed = what == ES256 || what == EDDSA || what == TOKEN;
	uint32_t n_done = what == TOKEN ? N_TOKENS : n;
	struct bed b = {0};
	double t, cpu;

	bed_remove(db);
	bed_open(&b, what == BARE ? NULL : db);
	if (is_signed)
		set_key(&b, dir, what == EDDSA);
	bed_engine(&b, n);
	bed_load(&b);
	t = bed_now_s();
	cpu = bed_cpu_s();
	if (what == TOKEN)
		make_tokens(&b);
	else if (what == RECORD)
		make_records(&b, n);
	else
		bed_grant(&b, n, WINDOW);
	f->per_s[round] = n_done / (bed_now_s() - t);
	f->cpu_us[round] = (bed_cpu_s() - cpu) * 1e6 / n_done;
	bed_close(&b);
	bed_remove(db);
}

int bed_grants(uint32_t n, unsigned rounds, const char *dir) {
	static struct figures all[N_WHATS];
	char db[512];

	snprintf(db, sizeof(db), "%s/bench-lease.db", dir);
	for (unsigned i = 0; i < rounds; i++)
		for (unsigned what = 0; what < N_WHATS; what++)
			run(what, n, dir, db, &all[what], i);
	for (unsigned what = 0; what < N_WHATS; what++)
		print(whats[what], &all[what], rounds);
	return 0;
}
