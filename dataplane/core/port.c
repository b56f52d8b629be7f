// SPDX-License-Identifier: BSD-3-Clause
// Finds, configures and starts the port: one rx and one tx queue per worker, as far as it has them.
// Control thread only.
#include <dirent.h>
#include <fcntl.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core_int.h"

#define N_RX_DESC 1024
#define N_TX_DESC 1024
#define N_MBUFS 8191 // per worker: both rings full, plus what is in flight between workers
#define MBUF_CACHE 256

// net_tap arms O_ASYNC and a real-time signal on each queue; every packet then costs a signal
// (100 % of a core at 90 kpps). Blocked in all threads, disarmed once the port is started.
bool rg_dp_prepare_process(void) {
	sigset_t s;

	sigemptyset(&s);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		sigaddset(&s, i);
	sigaddset(&s, SIGIO);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
	return tls_wipe_freed();
}

// Clears O_ASYNC on every tun descriptor and ignores the signals that were queued meanwhile.
static void port_signals_disarm(void) {
	DIR *d = opendir("/proc/self/fd");
	struct sigaction sa;
	struct dirent *e;
	char link[64];

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		int fd = atoi(e->d_name), flags;
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		flags = strcmp(link, "/dev/net/tun") == 0 ? fcntl(fd, F_GETFL) : -1;
		if (flags >= 0 && (flags & O_ASYNC) != 0)
			(void)fcntl(fd, F_SETFL, flags & ~O_ASYNC);
	}
	closedir(d);
	for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
		if (sigaction(i, NULL, &sa) == 0 && (sa.sa_flags & SA_SIGINFO) != 0)
			signal(i, SIG_IGN); // drops pending ones as well
}

// Makes the device and finds its port id.
static int port_probe(struct rg_dp *dp, char *err, size_t err_len) {
	const char *port = dp->cfg->port;
	char name[64];
	size_t len = strcspn(port, ",");
	const char *said;
	int rc;

	snprintf(name, sizeof(name), "%.*s", (int)RTE_MIN(len, sizeof(name) - 1), port);
	(void)eal_log_first(dp); // what EAL said is not about the port
	rc = rte_eth_dev_get_port_by_name(name, &dp->port_id);
	if (rc != 0 && rte_dev_probe(port) == 0)
		rc = rte_eth_dev_get_port_by_name(name, &dp->port_id);
	if (rc == 0)
		return 0;
	said = eal_log_first(dp);
	snprintf(err, err_len,
		 "dataplane.port: '%s' does not exist or cannot be opened%s%s; name a vdev "
		 "(net_tap0,iface=dtap0) or a PCI address bound to vfio-pci",
		 port, said[0] != '\0' ? ": " : "", said);
	return rc;
}

static int port_queues(struct rg_dp *dp, const struct rte_eth_dev_info *info, char *err,
		       size_t err_len) {
	char name[32];
	int rc;

	for (unsigned i = 0; i < dp->n_workers; i++) {
		struct worker *w = &dp->workers[i];

		snprintf(name, sizeof(name), "mbufs%u", i);
		w->pool = rte_pktmbuf_pool_create(name, N_MBUFS, MBUF_CACHE, 0,
						  RTE_MBUF_DEFAULT_BUF_SIZE,
						  rte_eth_dev_socket_id(dp->port_id));
		if (w->pool == NULL) {
			snprintf(err, err_len,
				 "dataplane.memory: no room for the packet buffers of worker %u "
				 "(%s); raise it",
				 i, rte_strerror(rte_errno));
			return -ENOMEM;
		}
		w->port_id = dp->port_id;
		w->queue = (uint16_t)i;
		w->has_rx = i < dp->n_rx_queues;
		w->has_tx = i < dp->n_tx_queues;
		w->n_tx_queues = dp->n_tx_queues;
		rc = 0;
		if (w->has_rx)
			rc = rte_eth_rx_queue_setup(dp->port_id, w->queue, N_RX_DESC, SOCKET_ID_ANY,
						    &info->default_rxconf, w->pool);
		if (rc == 0 && w->has_tx)
			rc = rte_eth_tx_queue_setup(dp->port_id, w->queue, N_TX_DESC, SOCKET_ID_ANY,
						    NULL);
		if (rc != 0) {
			snprintf(err, err_len, "dataplane.port: queue %u of '%s' was refused (%s)",
				 i, dp->cfg->port, strerror(-rc));
			return rc;
		}
	}
	return 0;
}

// A virtual port would do it in software, once more over a copy: cheaper in our own pass.
static bool want_offload(const struct rg_dp *dp, const struct rte_eth_dev_info *info) {
	const struct rte_bus *bus = rte_dev_bus(info->device);

	if (dp->cfg->checksums == RG_SUM_AUTO)
		return bus != NULL && strcmp(rte_bus_name(bus), "vdev") != 0;
	return dp->cfg->checksums == RG_SUM_PORT;
}

static void offload_configure(struct rg_dp *dp, const struct rte_eth_dev_info *info,
			      struct rte_eth_conf *conf) {
	const uint64_t tx = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	const uint64_t rx = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	bool is_wanted = want_offload(dp, info);
	bool has_tx = is_wanted && (info->tx_offload_capa & tx) == tx;

	if (has_tx)
		conf->txmode.offloads |= tx;
	if (is_wanted)
		conf->rxmode.offloads |= rx & info->rx_offload_capa;
	for (unsigned i = 0; i < dp->n_workers; i++)
		dp->workers[i].has_tx_checksum = has_tx;
}

static int port_configure(struct rg_dp *dp, struct rte_eth_dev_info *info, char *err,
			  size_t err_len) {
	struct rte_eth_conf conf = {.intr_conf.rxq = 1};
	int rc = rte_eth_dev_info_get(dp->port_id, info);

	if (rc == 0) {
		dp->n_rx_queues = (uint16_t)RTE_MIN(dp->n_workers, info->max_rx_queues);
		dp->n_tx_queues = (uint16_t)RTE_MIN(dp->n_workers, info->max_tx_queues);
		offload_configure(dp, info, &conf);
		rss_configure(dp, info, &conf);
		rc = rte_eth_dev_configure(dp->port_id, dp->n_rx_queues, dp->n_tx_queues, &conf);
	}
	if (rc != 0)
		snprintf(err, err_len, "dataplane.port: '%s' refused its configuration (%s)",
			 dp->cfg->port, strerror(-rc));
	return rc;
}

int port_start(struct rg_dp *dp, char *err, size_t err_len) {
	struct rte_eth_dev_info info;
	int rc = port_probe(dp, err, err_len);

	if (rc != 0)
		return rc;
	dp->is_port_up = true;
	rc = port_configure(dp, &info, err, err_len);
	if (rc == 0)
		rc = port_queues(dp, &info, err, err_len);
	if (rc != 0)
		return rc;
	rc = rte_eth_dev_start(dp->port_id);
	if (rc != 0) {
		snprintf(err, err_len, "dataplane.port: '%s' did not start (%s)", dp->cfg->port,
			 strerror(-rc));
		return rc;
	}
	rss_program(dp);
	(void)rte_eth_promiscuous_enable(dp->port_id); // our MAC is not the port's; filtered in net
	port_signals_disarm();
	return 0;
}

void port_stop(struct rg_dp *dp) {
	if (!dp->is_port_up)
		return;
	(void)rte_eth_dev_stop(dp->port_id);
	(void)rte_eth_dev_close(dp->port_id);
	for (unsigned i = 0; i < dp->n_workers; i++)
		rte_mempool_free(dp->workers[i].pool);
}
