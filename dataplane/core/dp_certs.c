// SPDX-License-Identifier: BSD-3-Clause
// Certificates read again while the workers run: a set for each is made whole first, then all are
// exchanged; the old ones go when no worker can be looking at them. Control thread.
#include <stdlib.h>
#include <urcu/urcu-qsbr.h>

#include "core_int.h"

struct retired { // one set of each worker
	struct rcu_head rcu;
	unsigned n;
	struct tls_certs *sets[];
};

static void retired_free(struct retired *r) {
	for (unsigned i = 0; i < r->n; i++)
		tls_certs_free(r->sets[i]);
	free(r);
}

static void on_passed(struct rcu_head *head) {
	retired_free((struct retired *)((uint8_t *)head - offsetof(struct retired, rcu)));
}

int rg_dp_reload_certs(struct rg_dp *dp, char *err, size_t err_len) {
	const struct rg_dp_cfg *cfg = dp->cfg;
	struct retired *r = calloc(1, sizeof(*r) + dp->n_workers * sizeof(struct tls_certs *));

	if (r == NULL) {
		snprintf(err, err_len, "TLS: no memory");
		return -ENOMEM;
	}
	for (; r->n < dp->n_workers; r->n++) {
		r->sets[r->n] = tls_certs_new(dp->workers[r->n].tls, cfg->certs, cfg->n_certs, err,
					      err_len);
		if (r->sets[r->n] == NULL) { // all or none
			retired_free(r);
			return -EINVAL;
		}
	}
	for (unsigned i = 0; i < r->n; i++)
		r->sets[i] = tls_certs_swap(dp->workers[i].tls, r->sets[i]);
	dp->is_retiring = true;
	urcu_qsbr_call_rcu(&r->rcu, on_passed);
	return 0;
}

void certs_stop(struct rg_dp *dp) {
	if (dp->is_retiring)
		urcu_qsbr_barrier();
}

bool rg_dp_cert_info(const struct rg_dp *dp, size_t i, struct rg_cert_info *out) {
	const struct rg_cert_info *info = tls_certs_info(tls_certs_of(dp->workers[0].tls), i);

	if (info != NULL)
		*out = *info;
	return info != NULL;
}
