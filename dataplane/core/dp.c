// SPDX-License-Identifier: BSD-3-Clause
// The dataplane as one object (include/regate/dp.h): starts and stops it, and moves punts, replies
// and counters between the workers and the control thread, on which all of this runs.
#include <errno.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hooks.h"

static int handoff_start(struct rg_dp *dp) {
	unsigned n = dp->n_workers;
	char name[32];

	dp->handoff = calloc((size_t)n * n, sizeof(struct rte_ring *));
	if (dp->handoff == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < n * n; i++) {
		if (i / n == i % n)
			continue;
		snprintf(name, sizeof(name), "handoff%u", i);
		dp->handoff[i] = rte_ring_create(name, HANDOFF_LEN, SOCKET_ID_ANY,
						 RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (dp->handoff[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int tx_rings_start(struct rg_dp *dp) {
	char name[32];

	dp->tx_rings = calloc(dp->n_workers, sizeof(struct rte_ring *));
	if (dp->tx_rings == NULL)
		return -ENOMEM;
	for (unsigned i = dp->n_tx_queues; i < dp->n_workers; i++) {
		snprintf(name, sizeof(name), "tx%u", i);
		dp->tx_rings[i] = rte_ring_create(name, HANDOFF_LEN, SOCKET_ID_ANY,
						  RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (dp->tx_rings[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

// What needs no EAL comes first: certificate and memory errors are found before a port is touched.
static int dp_prepare(struct rg_dp *dp, char *err, size_t err_len) {
	const struct rg_dp_cfg *cfg = dp->cfg;
	int rc;

	dp->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	dp->workers = aligned_alloc(64, cfg->n_workers * sizeof(*dp->workers));
	dp->stats = aligned_alloc(64, cfg->n_workers * sizeof(*dp->stats));
	dp->origins = calloc(cfg->n_origins + 1, sizeof(*dp->origins));
	if (dp->event_fd < 0 || dp->workers == NULL || dp->stats == NULL || dp->origins == NULL) {
		snprintf(err, err_len, "dataplane: no memory or descriptors for %u workers",
			 cfg->n_workers);
		return -ENOMEM;
	}
	memset(dp->workers, 0, cfg->n_workers * sizeof(*dp->workers));
	memset(dp->stats, 0, cfg->n_workers * sizeof(*dp->stats));
	dp->n_workers = cfg->n_workers;
	rss_init(dp);
	for (size_t i = 0; i < cfg->n_origins; i++)
		dp->origins[i] =
			(struct ws_origin){rg_str(cfg->origins[i].origin), cfg->origins[i].wwsf};
	for (unsigned i = 0; i < dp->n_workers; i++) {
		rc = worker_init(dp, i, err, err_len);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int dp_launch(struct rg_dp *dp, char *err, size_t err_len) {
	int rc = handoff_start(dp);

	if (rc == 0)
		rc = tx_rings_start(dp);
	for (unsigned i = 0; rc == 0 && i < dp->n_workers; i++) {
		dp->workers[i].handoff = dp->handoff;
		dp->workers[i].tx_rings = dp->tx_rings;
		rc = idle_init(&dp->workers[i]);
	}
	for (unsigned i = 0; rc == 0 && i < dp->n_workers; i++)
		rc = rte_eal_remote_launch(worker_run, &dp->workers[i], i + 1);
	for (unsigned i = 0; rc == 0 && i < dp->n_workers; i++)
		while (atomic_load_explicit(&dp->workers[i].is_up, memory_order_acquire) == 0)
			usleep(100);
	if (rc != 0)
		snprintf(err, err_len, "dataplane: workers did not start (%s)", strerror(-rc));
	return rc;
}

int rg_dp_check(const struct rg_dp_cfg *cfg, char *err, size_t err_len) {
	const struct tls_cfg tc = {.certs = cfg->certs,
				   .n_certs = cfg->n_certs,
				   .max_conns = 1,
				   .max_half_open = 1};
	struct tls_ctx *tls = tls_ctx_new(&tc, err, err_len);

	tls_ctx_free(tls);
	return tls == NULL ? -EINVAL : hooks_check(&cfg->test, err, err_len);
}

int rg_dp_start(const struct rg_dp_cfg *cfg, struct rg_dp **out, char *err, size_t err_len) {
	struct rg_dp *dp = calloc(1, sizeof(*dp));
	int rc;

	if (dp == NULL) {
		snprintf(err, err_len, "dataplane: no memory");
		return -ENOMEM;
	}
	dp->cfg = cfg;
	dp->event_fd = -1;
	rc = dp_prepare(dp, err, err_len);
	if (rc != 0)
		goto err;
	eal_log_begin(dp);
	rc = eal_start(dp, err, err_len);
	if (rc != 0)
		goto err;
	dp->is_eal_up = true;
	rc = port_start(dp, err, err_len);
	if (rc != 0)
		goto err;
	rc = dp_launch(dp, err, err_len);
	if (rc != 0)
		goto err;
	eal_log_end(dp); // harmless remarks about what this machine lacks
	*out = dp;
	return 0;
err:
	rg_dp_stop(dp);
	return rc;
}

void rg_dp_stop(struct rg_dp *dp) {
	if (dp == NULL)
		return;
	atomic_store_explicit(&dp->is_stopping, true, memory_order_seq_cst);
	for (unsigned i = 0; i < dp->n_workers; i++)
		if (dp->workers[i].event_fd > 0)
			idle_wake(&dp->workers[i]);
	if (dp->is_eal_up)
		rte_eal_mp_wait_lcore();
	certs_stop(dp);
	for (unsigned i = 0; i < dp->n_workers; i++)
		worker_fini(&dp->workers[i]);
	port_stop(dp);
	for (unsigned i = 0; dp->handoff != NULL && i < dp->n_workers * dp->n_workers; i++)
		rte_ring_free(dp->handoff[i]);
	for (unsigned i = 0; dp->tx_rings != NULL && i < dp->n_workers; i++)
		rte_ring_free(dp->tx_rings[i]);
	if (dp->is_eal_up)
		eal_stop();
	eal_log_end(dp);
	if (dp->event_fd >= 0)
		close(dp->event_fd);
	free(dp->handoff);
	free(dp->tx_rings);
	free(dp->origins);
	free(dp->workers);
	free(dp->stats);
	free(dp);
}

int rg_dp_event_fd(const struct rg_dp *dp) {
	return dp->event_fd;
}

static unsigned poll_worker(struct worker *w, unsigned max, rg_punt_fn *fn, void *arg) {
	struct rg_slice rec;
	struct rg_punt p;
	unsigned n = 0;

	for (; n < max && rg_ring_peek(&w->punts, &rec); n++) {
		memcpy(&p, rec.p, sizeof(p));
		fn(arg, &p, rg_skip(rec, sizeof(p)));
		rg_ring_next(&w->punts, rec);
	}
	return n;
}

unsigned rg_dp_poll(struct rg_dp *dp, unsigned max, rg_punt_fn *fn, void *arg) {
	uint64_t count;
	unsigned n = 0;

	if (read(dp->event_fd, &count, sizeof(count)) < 0)
		count = 0; // polled without a kick
	for (unsigned i = 0; i < dp->n_workers; i++) {
		// Cleared before the ring is read: what comes later kicks again. An exchange, so
		// that it sees all that was put before the kick it takes back.
		(void)atomic_exchange_explicit(&dp->workers[i].is_kicked, 0, memory_order_seq_cst);
		n += poll_worker(&dp->workers[i], max, fn, arg);
		if (!rg_ring_is_empty(&dp->workers[i].punts))
			idle_kick_ctl(&dp->workers[i]); // more than max: come back soon
	}
	return n;
}

int rg_dp_reply(struct rg_dp *dp, const struct rg_reply *r, struct rg_slice payload) {
	struct worker *w;
	int rc;

	if (r->conn.worker >= dp->n_workers)
		return 0; // no such worker: nobody to tell
	w = &dp->workers[r->conn.worker];
	rc = rg_ring_put(&w->replies, rg_slice(r, sizeof(*r)), payload);
	if (rc == 0)
		idle_wake(w);
	return rc;
}

unsigned rg_dp_n_workers(const struct rg_dp *dp) {
	return dp->n_workers;
}

const struct rg_stats *rg_dp_stats(const struct rg_dp *dp, unsigned worker) {
	return &dp->stats[worker].s;
}

const struct rg_stages *rg_dp_stages(const struct rg_dp *dp, unsigned worker) {
	return &dp->stats[worker].stages;
}

double rg_dp_cycles_per_ns(const struct rg_dp *) {
	return (double)rte_get_tsc_hz() / RG_NS_PER_S;
}
