// SPDX-License-Identifier: BSD-3-Clause
// rg_lease_find() and rg_lease_at() on tables of several sizes: digests drawn at random, all present,
// or none, one by one or as a worker's batch with prefetch. The bytes that an answer takes are read.
// One thread, registered as a QSBR reader.
#include "bench.h"
#include "lease/lease_table.h"

#define N_SIZES 3
#define PASS 8 // lookups between quiescent states, as a worker's batch

struct table {
	struct rg_lease_table *t;
	uint64_t n, rng;
	bool is_miss;
	uint32_t *at; // places by number
};

static struct rg_digest digest_of(uint64_t i) {
	uint64_t z = i * UINT64_C(0x9e3779b97f4a7c15), w[2];
	struct rg_digest d;

	for (unsigned k = 0; k < 2; k++) { // splitmix64
		z += UINT64_C(0x9e3779b97f4a7c15);
		w[k] = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		w[k] = (w[k] ^ w[k] >> 27) * UINT64_C(0x94d049bb133111eb);
		w[k] ^= w[k] >> 31;
	}
	memcpy(d.b, w, sizeof(d.b));
	return d;
}

static struct rg_lease_table *fill(uint64_t n) {
	struct rg_lease_table *t = lease_table_new(n);
	struct lease_entry e = {
		.state = RG_LEASE_ACTIVE,
		.impu = RG_LIT("sip:pool-00017@ims.example.net"),
		.contact = RG_LIT("<sip:a1b2c3d4@x9y8z7.invalid;transport=ws>;reg-id=1;"
				  "+sip.instance=\"<urn:uuid:0c67446f-f1a1-11d9-94d3-000a95a>\""),
		.call_id = RG_LIT("4fzsu5p0ceq3m9s8"),
		.to_tag = RG_LIT("6b8b4567"),
		.headers = RG_LIT("Service-Route: <sip:orig@scscf.ims.example.net:6060;lr>\r\n"
				  "P-Associated-URI: <sip:pool-00017@ims.example.net>\r\n"),
	};

	for (uint64_t i = 0; t != NULL && i < n; i++) {
		e.digest = digest_of(i);
		e.idx = (uint32_t)i;
		e.gen = i + 1;
		if (lease_table_put(t, &e) != 0) {
			lease_table_free(t);
			return NULL;
		}
	}
	return t;
}

static uint64_t draw(struct table *b) {
	b->rng = b->rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (b->rng >> 33) % b->n + (b->is_miss ? b->n : 0);
}

// What an answer reads of an entry: everything.
static void use(const struct rg_lease_view *v) {
	uint64_t sum = 0;

	for (unsigned i = 0; i < 3; i++)
		sum += v->impu[i].len > 0 ? *v->impu[i].p : 0;
	for (unsigned i = 0; i < 5; i++)
		for (size_t k = 0; k < v->headers[i].len; k += 32)
			sum += v->headers[i].p[k];
	bench_keep(sum);
}

static void run(void *arg, uint64_t n_ops) {
	struct table *b = arg;
	struct rg_lease_view v;

	for (uint64_t i = 0; i < n_ops; i++) {
		struct rg_digest d = digest_of(draw(b));

		if (rg_lease_find(b->t, &d, &v))
			use(&v);
		if (i % PASS == 0)
			urcu_qsbr_quiescent_state();
	}
}

static void run_batch(void *arg, uint64_t n_ops) {
	struct table *b = arg;
	struct rg_digest d[PASS];
	struct rg_lease_view v;

	for (uint64_t i = 0; i < n_ops; i += PASS) {
		for (unsigned k = 0; k < PASS; k++) {
			d[k] = digest_of(draw(b));
			rg_lease_prefetch(b->t, &d[k]);
		}
		for (unsigned k = 0; k < PASS; k++)
			rg_lease_prefetch_entry(b->t, &d[k]);
		for (unsigned k = 0; k < PASS; k++)
			if (rg_lease_find(b->t, &d[k], &v))
				use(&v);
		urcu_qsbr_quiescent_state();
	}
}

static void run_batch_at(void *arg, uint64_t n_ops) {
	struct table *b = arg;
	struct rg_lease_view v;
	uint32_t at[PASS];

	for (uint64_t i = 0; i < n_ops; i += PASS) {
		for (unsigned k = 0; k < PASS; k++) {
			at[k] = b->at[draw(b)];
			rg_lease_prefetch_at(b->t, at[k]);
		}
		for (unsigned k = 0; k < PASS; k++)
			rg_lease_prefetch_entry_at(b->t, at[k]);
		for (unsigned k = 0; k < PASS; k++)
			if (rg_lease_at(b->t, at[k], &v))
				use(&v);
		urcu_qsbr_quiescent_state();
	}
}

// Where everything is. NULL without memory.
static uint32_t *places(const struct rg_lease_table *t, uint64_t n) {
	uint32_t *at = malloc(n * sizeof(*at));
	struct rg_lease_view v;

	for (uint64_t i = 0; at != NULL && i < n; i++) {
		struct rg_digest d = digest_of(i);

		if (rg_lease_find(t, &d, &v))
			at[i] = v.at;
	}
	return at;
}

int main(int argc, char **argv) {
	static const uint64_t sizes[N_SIZES] = {1000, 50000, 1000000};
	static const char *const names[N_SIZES] = {"lease_lookup_1k", "lease_lookup_50k",
						   "lease_lookup_1m"};
	static struct table tables[N_SIZES + 1];
	struct table *largest = &tables[N_SIZES - 1];
	struct bench_case cases[N_SIZES + 3];
	int rc;

	urcu_qsbr_register_thread();
	for (size_t i = 0; i < N_SIZES; i++) {
		tables[i] = (struct table){.t = fill(sizes[i]), .n = sizes[i], .rng = 1};
		cases[i] = (struct bench_case){names[i], 0, run, &tables[i]};
		if (tables[i].t == NULL)
			return 1;
	}
	largest->at = places(largest->t, largest->n);
	if (largest->at == NULL)
		return 1;
	tables[N_SIZES] = *largest;
	tables[N_SIZES].is_miss = true;
	cases[N_SIZES] = (struct bench_case){"lease_lookup_1m_miss", 0, run, &tables[N_SIZES]};
	cases[N_SIZES + 1] = (struct bench_case){"lease_lookup_1m_batch", 0, run_batch, largest};
	cases[N_SIZES + 2] = (struct bench_case){"lease_at_1m_batch", 0, run_batch_at, largest};
	rc = bench_main(argc, argv, cases, N_SIZES + 3);
	urcu_qsbr_unregister_thread();
	free(largest->at);
	for (size_t i = 0; i < N_SIZES; i++)
		lease_table_free(tables[i].t);
	return rc;
}
