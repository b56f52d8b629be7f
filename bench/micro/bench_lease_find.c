// SPDX-License-Identifier: BSD-3-Clause
// What a worker pays to find a lease among a million: digests in random order, so that bucket and entry
// come from memory; and again and again the same one, from the cache.
#include <urcu/urcu-qsbr.h>

#include "bench.h"
#include "lease/lease_table.h"

#define N_LEASES (UINT64_C(1) << 20)
#define N_HOT 16

struct work {
	struct rg_lease_table *t;
	uint64_t rng, n_found, n_of;
	struct rg_lease_view view;
};

static uint64_t mix(uint64_t x) { // splitmix64
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static struct rg_digest digest_of(uint64_t i) {
	uint64_t w[2] = {mix(i), mix(~i)};
	struct rg_digest d;

	memcpy(d.b, w, sizeof(d.b));
	return d;
}

static void find(void *arg, uint64_t n_ops) {
	struct work *w = arg;

	for (uint64_t i = 0; i < n_ops; i++) {
		struct rg_digest d = digest_of(mix(w->rng++) % w->n_of);

		w->n_found += rg_lease_find(w->t, &d, &w->view);
	}
	bench_keep(w->n_found);
}

static void miss(void *arg, uint64_t n_ops) {
	struct work *w = arg;

	for (uint64_t i = 0; i < n_ops; i++) {
		struct rg_digest d = digest_of(N_LEASES + w->rng++);

		w->n_found += rg_lease_find(w->t, &d, &w->view);
	}
	bench_keep(w->n_found);
}

// An entry as a registered JsSIP leaves it.
static int fill(struct rg_lease_table *t) {
	struct lease_entry e = {
		.state = RG_LEASE_ACTIVE,
		.impu = RG_LIT("sip:pool-00017@ims.example.net"),
		.contact =
			RG_LIT("<sip:dgtq535e@4ejhaldknkb7.invalid;transport=ws>;+sip.ice;reg-id=1;"
			       "+sip.instance=\"<urn:uuid:17951779-fb82-4c33-8e3b-a3f1e4121a63>\""),
		.call_id = RG_LIT("kqct9mrk04l9g2q5ngism7"),
		.to_tag = RG_LIT("1f2e3d4c"),
		.headers = RG_LIT("Service-Route: <sip:orig@scscf.ims.example.net:6060;lr>\r\n"
				  "P-Associated-URI: <sip:pool-00017@ims.example.net>\r\n"
				  "Path: <sip:l17.g42.9b1c@epcscf1.ims.example.net:5060;lr;ob>\r\n"
				  "Supported: path, outbound\r\nRequire: outbound\r\n"),
	};
	int rc = 0;

	for (uint64_t i = 0; i < N_LEASES && rc == 0; i++) {
		e.digest = digest_of(i);
		e.idx = (uint32_t)i;
		rc = lease_table_put(t, &e);
	}
	return rc;
}

int main(int argc, char **argv) {
	struct work all = {.n_of = N_LEASES}, hot = {.n_of = N_HOT}, none = {0};
	struct bench_case cases[] = {{"lease_find_1m", 0, find, &all},
				     {"lease_find_1m_hot", 0, find, &hot},
				     {"lease_find_1m_miss", 0, miss, &none}};
	struct rg_lease_table *t;
	int rc;

	urcu_qsbr_register_thread();
	t = lease_table_new(N_LEASES);
	if (t == NULL || fill(t) != 0) {
		fprintf(stderr, "no memory for %llu leases\n", (unsigned long long)N_LEASES);
		return 1;
	}
	all.t = hot.t = none.t = t;
	rc = bench_main(argc, argv, cases, sizeof(cases) / sizeof(*cases));
	lease_table_free(t);
	urcu_qsbr_unregister_thread();
	return none.n_found == 0 ? rc : 1;
}
