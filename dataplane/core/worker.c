// SPDX-License-Identifier: BSD-3-Clause
// The worker: one lcore, one rx and tx queue if there are enough, its own connections. Polls, hands
// packets to the worker that owns the flow, runs TCP, sends. Never allocates, locks or logs once it
// runs.
#include <rte_prefetch.h>
#include <urcu/urcu-qsbr.h>

#include "hooks.h"
#include "packet.h"

static unsigned poll_port(struct worker *w) {
	struct rte_mbuf *m[BURST], *own[BURST];
	unsigned n = w->has_rx ? hooks_rx(w, m, BURST) : 0, n_own = 0;
	uint64_t woken = 0;

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(m[i]);
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (unsigned i = 0; i < n; i++) {
		unsigned owner = rss_owner(w, m[i]);

		rg_stat_add(w->stats, RG_STAT_rx_bytes, m[i]->pkt_len);
		if (owner == w->id) {
			own[n_own++] = m[i];
		} else if (rte_ring_sp_enqueue(w->handoff[w->id * w->n_workers + owner], m[i]) ==
			   0) {
			rg_stat_inc(w->stats, RG_STAT_handoff);
			woken |= UINT64_C(1) << owner;
		} else {
			rg_stat_inc(w->stats, RG_DROP_handoff_full);
			rte_pktmbuf_free(m[i]);
		}
	}
	for (; woken != 0; woken &= woken - 1)
		idle_wake(&w->peers[__builtin_ctzll(woken)]);
	packet_input(w, own, n_own);
	rg_stat_add(w->stats, RG_STAT_rx_packets, n);
	return n;
}

static unsigned poll_handoff(struct worker *w) {
	struct rte_mbuf *m[BURST];
	unsigned sum = 0;

	for (unsigned from = 0; from < w->n_workers; from++) {
		unsigned n;

		if (from == w->id)
			continue;
		n = rte_ring_sc_dequeue_burst(w->handoff[from * w->n_workers + w->id], (void **)m,
					      BURST, NULL);
		packet_input(w, m, n);
		sum += n;
	}
	return sum;
}

static unsigned poll_packets(struct worker *w) {
	unsigned n;

	stage_to(&w->stages, RG_STAGE_rx);
	n = poll_port(w);
	n += poll_handoff(w);
	stage_to(&w->stages, RG_STAGE_poll);
	return n;
}

static void poll_timers(struct worker *w) {
	if (tcp_next_deadline(w->tcp) <= w->now_ns) {
		stage_to(&w->stages, RG_STAGE_tcp);
		tcp_tick(w->tcp, w->now_ns, BURST);
		stage_unit(&w->stages, RG_STAGE_poll);
	}
	due_run(w);
	stage_unit(&w->stages, RG_STAGE_tx);
}

// The one clock reading of a poll; it ends the one before.
static void tell_time(struct worker *w) {
	uint64_t now_ns = idle_now_ns();

	if (w->idle_since_ns == w->now_ns)
		rg_stat_add(w->stats, RG_STAT_busy_ns, now_ns - w->now_ns);
	w->now_ns = now_ns;
}

static void poll_once(struct worker *w) {
	unsigned n_packets, n;

	stages_begin(&w->stages);
	tell_time(w);
	n_packets = poll_packets(w);
	n = n_packets + punt_poll_replies(w);
	poll_timers(w);
	n += packet_relay(w);
	packet_flush(w);
	stage_to(&w->stages, RG_STAGE_poll);
	if (tls_is_waiting(w->tls)) { // what was answered does not wait for it
		n += conn_handshake(w);
		stage_to(&w->stages, RG_STAGE_tx);
		packet_flush(w);
		stage_to(&w->stages, RG_STAGE_poll);
	}
	if (w->is_punted) {
		w->is_punted = false;
		idle_kick_ctl(w);
	}
	urcu_qsbr_quiescent_state();
	rg_stat_inc(w->stats, RG_STAT_polls);
	stages_end(&w->stages, n > 0, n_packets);
	if (n > 0) {
		rg_stat_inc(w->stats, RG_STAT_polls_busy);
		w->idle_since_ns = w->now_ns;
	} else if (!tls_is_waiting(w->tls)) {
		idle_wait(w);
	}
}

int worker_run(void *arg) {
	struct worker *w = arg;

	urcu_qsbr_register_thread();
	w->now_ns = w->idle_since_ns = idle_now_ns();
	if (w->id == 0)
		packet_announce(w);
	atomic_store_explicit(&w->is_up, 1, memory_order_release);
	while (!atomic_load_explicit(w->is_stopping, memory_order_relaxed))
		poll_once(w);
	urcu_qsbr_unregister_thread();
	return 0;
}
