// SPDX-License-Identifier: BSD-3-Clause
// rg_lease_find() and rg_lease_at() on tables of several sizes: digests drawn at random, all present,
// or none, one by one or as a worker's batch with prefetch. The bytes that an answer takes are read.
// Then the writer: an entry out, another in. The yardstick is a plain hash table with chains over
// blocks of the same size. One thread, registered as a QSBR reader. --entries N: the largest table,
// 1000000; 10000000 takes 5 GB.
#include "bench.h"
#include "lease/lease_table.h"

#define N_SIZES 3
#define PASS 8 // lookups between quiescent states, as a worker's batch
#define BULK 32

struct table {
	struct rg_lease_table *t;
	uint64_t n, rng;
	bool is_miss;
	uint32_t *at;   // places by number
	uint64_t first; // writer: the oldest that is in
};

struct plain { // the yardstick
	struct plain_node {
		struct plain_node *next;
		struct rg_digest digest;
		uint8_t rest[120]; // as much as a lease has
	} * *heads;
	uint64_t n, mask, rng;
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

static struct lease_entry entry_of(uint64_t i) {
	return (struct lease_entry){
		.digest = digest_of(i),
		.idx = (uint32_t)i,
		.gen = i + 1,
		.state = RG_LEASE_ACTIVE,
		.impu = RG_LIT("sip:pool-00017@ims.example.net"),
		.contact = RG_LIT("<sip:a1b2c3d4@x9y8z7.invalid;transport=ws>;reg-id=1;"
				  "+sip.instance=\"<urn:uuid:0c67446f-f1a1-11d9-94d3-000a95a>\""),
		.call_id = RG_LIT("4fzsu5p0ceq3m9s8"),
		.to_tag = RG_LIT("6b8b4567"),
		.headers = RG_LIT("Service-Route: <sip:orig@scscf.ims.example.net:6060;lr>\r\n"
				  "P-Associated-URI: <sip:pool-00017@ims.example.net>\r\n"),
	};
}

static struct rg_lease_table *fill(uint64_t n) {
	struct rg_lease_table *t = lease_table_new(n);

	for (uint64_t i = 0; t != NULL && i < n; i++) {
		const struct lease_entry e = entry_of(i);

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

// What drawing costs, which is in all others.
static void run_draw(void *arg, uint64_t n_ops) {
	struct table *b = arg;

	for (uint64_t i = 0; i < n_ops; i++) {
		struct rg_digest d = digest_of(draw(b));

		bench_keep(d.b[0]);
	}
}

static inline void lookup_batch(struct table *b, unsigned n) {
	struct rg_digest d[BULK];
	struct rg_lease_view v;

	for (unsigned k = 0; k < n; k++) {
		d[k] = digest_of(draw(b));
		rg_lease_prefetch(b->t, &d[k]);
	}
	for (unsigned k = 0; k < n; k++)
		rg_lease_prefetch_entry(b->t, &d[k]);
	for (unsigned k = 0; k < n; k++)
		if (rg_lease_find(b->t, &d[k], &v))
			use(&v);
	urcu_qsbr_quiescent_state();
}

static void run_batch(void *arg, uint64_t n_ops) {
	for (uint64_t i = 0; i < n_ops; i += PASS)
		lookup_batch(arg, PASS);
}

static void run_bulk(void *arg, uint64_t n_ops) {
	for (uint64_t i = 0; i < n_ops; i += BULK)
		lookup_batch(arg, BULK);
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

// What a plain look-up reads: everything, too.
static void run_plain(void *arg, uint64_t n_ops) {
	struct plain *b = arg;

	for (uint64_t i = 0; i < n_ops; i++) {
		struct table t = {.n = b->n, .rng = b->rng};
		struct rg_digest d = digest_of(draw(&t));
		struct plain_node *n = b->heads[rg_digest_word(&d, 0) & b->mask];
		uint64_t sum = 0;

		b->rng = t.rng;
		while (n != NULL && memcmp(&n->digest, &d, sizeof(d)) != 0)
			n = n->next;
		for (size_t k = 0; n != NULL && k < sizeof(n->rest); k += 32)
			sum += n->rest[k];
		bench_keep(sum);
	}
}

static bool plain_fill(struct plain *b, uint64_t n) {
	uint64_t size = 1;

	while (size < n)
		size *= 2;
	*b = (struct plain){calloc(size, sizeof(struct plain_node *)), n, size - 1, 1};
	for (uint64_t i = 0; b->heads != NULL && i < n; i++) {
		struct plain_node *node = calloc(1, sizeof(*node)), **head;

		if (node == NULL)
			return false;
		node->digest = digest_of(i);
		head = &b->heads[rg_digest_word(&node->digest, 0) & b->mask];
		node->next = *head;
		*head = node;
	}
	return b->heads != NULL;
}

static void plain_free(struct plain *b) {
	for (uint64_t i = 0; b->heads != NULL && i <= b->mask; i++)
		for (struct plain_node *n = b->heads[i], *next; n != NULL; n = next) {
			next = n->next;
			free(n);
		}
	free(b->heads);
}

// The oldest goes, a new one comes.
static void run_write(void *arg, uint64_t n_ops) {
	struct table *b = arg;
	struct lease_entry e = entry_of(0);

	for (uint64_t i = 0; i < n_ops; i++) {
		struct rg_digest d = digest_of(b->first);

		e.digest = digest_of(b->first + b->n);
		e.idx = (uint32_t)b->first++;
		e.gen++;
		if (lease_table_del(b->t, &d) != 0 || lease_table_put(b->t, &e) != 0)
			abort();
		if (i % PASS == 0)
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

// Takes --entries N out of the arguments.
static uint64_t entries(int *argc, char **argv) {
	uint64_t n = 1000000;

	if (*argc < 3 || strcmp(argv[1], "--entries") != 0)
		return n;
	n = strtoull(argv[2], NULL, 10);
	argv[2] = argv[0];
	memmove(argv, argv + 2, (size_t)(*argc - 1) * sizeof(*argv));
	*argc -= 2;
	return n < 1000 ? 1000 : n > 50000000 ? 50000000 : n;
}

int main(int argc, char **argv) {
	const uint64_t sizes[N_SIZES] = {1000, 50000, entries(&argc, argv)};
	static struct table tables[N_SIZES + 1];
	static struct plain plain;
	struct table *all = &tables[N_SIZES - 1];
	int rc;

	urcu_qsbr_register_thread();
	for (size_t i = 0; i < N_SIZES; i++) {
		tables[i] = (struct table){.t = fill(sizes[i]), .n = sizes[i], .rng = 1};
		if (tables[i].t == NULL)
			return 1;
	}
	all->at = places(all->t, all->n);
	if (all->at == NULL || !plain_fill(&plain, all->n))
		return 1;
	tables[N_SIZES] = *all;
	tables[N_SIZES].is_miss = true;
	rc = bench_main(argc, argv,
			(struct bench_case[]){{"draw", 0, run_draw, &tables[0]},
					      {"lease_lookup_1k", 0, run, &tables[0]},
					      {"lease_lookup_50k", 0, run, &tables[1]},
					      {"lease_lookup_all", 0, run, all},
					      {"lease_lookup_all_miss", 0, run, &tables[N_SIZES]},
					      {"lease_lookup_all_batch", 0, run_batch, all},
					      {"lease_lookup_all_bulk", 0, run_bulk, all},
					      {"lease_at_all_batch", 0, run_batch_at, all},
					      {"plain_lookup_all", 0, run_plain, &plain},
					      {"lease_delete_insert", 0, run_write, all}},
			10);
	urcu_qsbr_unregister_thread();
	free(all->at);
	plain_free(&plain);
	for (size_t i = 0; i < N_SIZES; i++)
		lease_table_free(tables[i].t);
	return rc;
}
