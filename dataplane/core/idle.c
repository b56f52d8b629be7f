// SPDX-License-Identifier: BSD-3-Clause
// Adaptive idle: spin a little, then sleep on the port's rx descriptor (where it has one) and an
// event descriptor, RCU offline. The only file of the worker's path that may call the system, and
// only when there is nothing to do, or to wake somebody who sleeps.
#include <rte_ethdev.h>
#include <rte_pause.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <urcu/urcu-qsbr.h>

#include "hooks.h"

#define SPIN_NS (50 * RG_NS_PER_US)
#define SHORT_NAP_NS (100 * RG_NS_PER_US) // ports that cannot wake us, idle for less than QUIET_NS
#define LONG_NAP_NS RG_NS_PER_MS          // the same, idle for longer
#define QUIET_NS (5 * RG_NS_PER_MS)
#define SLEEP_NS (100 * RG_NS_PER_MS) // ports that can: sweeps are late by this at most

uint64_t idle_now_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts); // vDSO: no system call
	return (uint64_t)ts.tv_sec * RG_NS_PER_S + (uint64_t)ts.tv_nsec;
}

int idle_init(struct worker *w) {
	struct epoll_event ev = {.events = EPOLLIN};
	int rx_fd;

	w->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->event_fd < 0 || w->epoll_fd < 0)
		return -errno;
	if (epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->event_fd, &ev) != 0)
		return -errno;
	// Edge-triggered: nobody reads a NIC's event descriptor, and a port that is gone stays in error.
	ev.events |= EPOLLET;
	rx_fd = w->has_rx ? rte_eth_dev_rx_intr_ctl_q_get_fd(w->port_id, w->queue) : -1;
	// Without a queue all comes from peers, who wake it.
	w->is_woken = !w->has_rx ||
		      (rx_fd >= 0 && epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, rx_fd, &ev) == 0);
	return 0;
}

void idle_fini(struct worker *w) {
	if (w->epoll_fd > 0)
		close(w->epoll_fd);
	if (w->event_fd > 0)
		close(w->event_fd);
}

// Is there anything that arrived after the last poll looked?
static bool has_work(struct worker *w) {
	if (!rg_ring_is_empty(&w->replies) || *w->is_stopping)
		return true;
	for (unsigned from = 0; from < w->n_workers; from++)
		if (from != w->id && !rte_ring_empty(w->handoff[from * w->n_workers + w->id]))
			return true;
	for (unsigned from = w->id + w->n_tx_queues; w->has_tx && from < w->n_workers;
	     from += w->n_tx_queues)
		if (!rte_ring_empty(w->tx_rings[from]))
			return true;
	return false;
}

static uint64_t nap_ns(const struct worker *w) {
	uint64_t max = SLEEP_NS, next = RTE_MIN(tcp_next_deadline(w->tcp), hooks_deadline(w));

	if (!w->is_woken)
		max = w->now_ns - w->idle_since_ns < QUIET_NS ? SHORT_NAP_NS : LONG_NAP_NS;
	if (w->n_backlog > 0)
		max = RTE_MIN(max, RG_NS_PER_MS);
	if (next <= w->now_ns)
		return 0;
	return RTE_MIN(max, next - w->now_ns);
}

void idle_wait(struct worker *w) {
	struct epoll_event ev[2];
	struct timespec ts;
	uint64_t ns, one;

	if (w->cfg->is_busy || w->now_ns - w->idle_since_ns < SPIN_NS) {
		rte_pause();
		return;
	}
	ns = nap_ns(w);
	if (ns == 0)
		return;
	// Pairs with idle_wake(): either it sees is_asleep, or has_work() sees what it brought.
	atomic_store_explicit(&w->is_asleep, 1, memory_order_seq_cst);
	atomic_thread_fence(memory_order_seq_cst);
	if (!has_work(w)) {
		rg_stat_inc(w->stats, RG_STAT_sleeps);
		urcu_qsbr_thread_offline();
		if (w->has_rx) // -ENOTSUP: wakes anyway
			(void)rte_eth_dev_rx_intr_enable(w->port_id, w->queue);
		ts = (struct timespec){.tv_sec = ns / RG_NS_PER_S, .tv_nsec = ns % RG_NS_PER_S};
		if (epoll_pwait2(w->epoll_fd, ev, 2, &ts, NULL) > 0 &&
		    read(w->event_fd, &one, sizeof(one)) < 0)
			one = 0; // the port woke us
		if (w->has_rx)
			(void)rte_eth_dev_rx_intr_disable(w->port_id, w->queue);
		urcu_qsbr_thread_online();
	}
	atomic_store_explicit(&w->is_asleep, 0, memory_order_relaxed);
}

void idle_wake(struct worker *w) {
	uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst); // pairs with idle_wait()
	if (atomic_load_explicit(&w->is_asleep, memory_order_seq_cst) != 0 &&
	    write(w->event_fd, &one, sizeof(one)) < 0)
		return; // counter at its maximum: it is awake anyway
}

void idle_kick_ctl(struct worker *w) {
	uint64_t one = 1;

	// At most one write until the control loop clears the flag and drains the ring.
	if (atomic_exchange_explicit(&w->is_kicked, 1, memory_order_seq_cst) == 0 &&
	    write(w->ctl_event_fd, &one, sizeof(one)) < 0)
		atomic_store_explicit(&w->is_kicked, 0, memory_order_seq_cst);
}
