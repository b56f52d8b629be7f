// SPDX-License-Identifier: BSD-3-Clause
// The etcd store keeps the contract, over the etcd that ETCD_ENDPOINTS names (scripts/etcd run). Each
// case has a prefix of its own.
#include <stdio.h>
#include <stdlib.h>

#include "contract.h"
#include "store/store_etcd.h"

static char prefix[64];
static const char *endpoints[1];
static const struct store_etcd_cfg cfg = {.endpoints = endpoints,
					  .n_endpoints = 1,
					  .prefix = prefix};

static void start(void) {
	static unsigned n;

	snprintf(prefix, sizeof(prefix), "/contract/%u-%d", n++, rand());
}

static void stop(void) {
}

static struct store *open_handle(struct env *e) {
	struct store *s;
	char err[256];
	int rc = store_etcd_open(e, &cfg, &s, err, sizeof(err));

	ck_assert_msg(rc == 0, "%s", err);
	return s;
}

struct nap {
	struct env_timer timer;
	bool is_over;
};

static void on_nap(struct env_timer *t, uint64_t) {
	((struct nap *)t)->is_over = true;
}

static void turn(struct env *e) {
	struct nap nap = {.timer.fn = on_nap};

	env_timer_set(e, &nap.timer, env_now_ns(e) + 50 * RG_NS_PER_MS);
	while (!nap.is_over)
		ck_assert_int_eq(env_real_turn(e), 0);
}

int main(void) {
	static const struct contract c = {"etcd",      start, stop, env_real_new, env_real_free,
					  open_handle, turn,  true, true};
	Suite *suite = suite_create("contract_etcd");
	SRunner *sr;
	int failed;

	endpoints[0] = getenv("ETCD_ENDPOINTS");
	if (endpoints[0] == NULL) {
		fprintf(stderr, "ETCD_ENDPOINTS is not set: scripts/etcd run --members 1 -- ...\n");
		return 2;
	}
	contract_add(suite, &c);
	sr = srunner_create(suite);
	srunner_set_fork_status(sr, CK_NOFORK);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
