// SPDX-License-Identifier: BSD-3-Clause
// The hooks of regated: none. Costs a worker one call per burst.
#include "hooks.h"

#include <rte_ethdev.h>
#include <stdio.h>

int hooks_check(const struct rg_dp_test *cfg, char *err, size_t err_len) {
	if (cfg->impair == NULL && !cfg->is_echo)
		return 0;
	snprintf(err, err_len,
		 "test: this is regated, which does nothing under 'test:'; start regated-test, or "
		 "remove the section");
	return -EINVAL;
}

int hooks_init(struct worker *) {
	return 0;
}

void hooks_fini(struct worker *) {
}

uint16_t hooks_rx(struct worker *w, struct rte_mbuf **m, uint16_t max) {
	return rte_eth_rx_burst(w->port_id, w->queue, m, max);
}

uint16_t hooks_tx(struct worker *w, struct rte_mbuf **m, uint16_t n) {
	return rte_eth_tx_burst(w->port_id, w->queue, m, n);
}

uint64_t hooks_deadline(const struct worker *) {
	return RG_NEVER;
}

void hooks_echo(struct worker *, struct conn *, struct buf *, struct ws_event *) {
}
