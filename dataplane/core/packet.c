// SPDX-License-Identifier: BSD-3-Clause
// Frames of a worker: builds and sends those of TCP, reads those that came. Never allocates but
// from the worker's pool of packet buffers.
#include <rte_ip.h>
#include <rte_prefetch.h>
#include <rte_tcp.h>

#include "hooks.h"
#include "packet.h"

#define TX_RETRIES 8
#define SPARE_FETCH 768 // bytes: an answer to a REGISTER
#define AHEAD 2u        // segments: what they bring is fetched that early

// Without a queue of its own: to the worker that sends for it. Returns how many it took.
static unsigned relay(struct worker *w) {
	unsigned n = rte_ring_sp_enqueue_burst(w->tx_rings[w->id], (void **)w->tx, w->n_tx, NULL);

	idle_wake(&w->peers[w->id % w->n_tx_queues]);
	rg_stat_add(w->stats, RG_STAT_relayed, n);
	return n;
}

static unsigned transmit(struct worker *w) {
	unsigned sent = 0;

	for (unsigned i = 0; i < TX_RETRIES && sent < w->n_tx; i++)
		sent += hooks_tx(w, w->tx + sent, (uint16_t)(w->n_tx - sent));
	rg_stat_add(w->stats, RG_STAT_tx_packets, sent);
	return sent;
}

void packet_flush(struct worker *w) {
	unsigned sent;

	if (w->n_tx == 0)
		return;
	sent = w->has_tx ? transmit(w) : relay(w);
	rg_stat_add(w->stats, RG_DROP_tx_full, w->n_tx - sent);
	for (; sent < w->n_tx; sent++)
		rte_pktmbuf_free(w->tx[sent]); // TCP sends it again
	w->n_tx = 0;
}

unsigned packet_relay(struct worker *w) {
	unsigned sum = 0;

	for (unsigned from = w->id + w->n_tx_queues; w->has_tx && from < w->n_workers;
	     from += w->n_tx_queues) {
		unsigned n = rte_ring_sc_dequeue_burst(w->tx_rings[from], (void **)w->tx + w->n_tx,
						       RTE_DIM(w->tx) - w->n_tx, NULL);

		w->n_tx += n;
		sum += n;
		if (w->n_tx == RTE_DIM(w->tx))
			packet_flush(w);
	}
	return sum;
}

// m is consumed.
static void tx_put(struct worker *w, struct rte_mbuf *m) {
	rg_stat_add(w->stats, RG_STAT_tx_bytes, m->pkt_len);
	w->tx[w->n_tx++] = m;
	if (w->n_tx == RTE_DIM(w->tx))
		packet_flush(w);
}

static void tx_checksums(const struct worker *w, struct rte_mbuf *m, const struct tcp_out *o,
			 uint8_t *l3, size_t l4_len) {
	bool is_v4 = rg_addr_is_v4(&o->dst);
	size_t l3_len = is_v4 ? NET_IP4_LEN : NET_IP6_LEN;
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(l3 + l3_len);

	if (!w->has_tx_checksum) {
		tcp->cksum = net_tcp_checksum(&o->src, &o->dst, rg_slice(tcp, l4_len));
		return;
	}
	m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM |
		      (is_v4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM : RTE_MBUF_F_TX_IPV6);
	m->l2_len = w->net.l2_len;
	m->l3_len = l3_len;
	m->l4_len = o->header_len;
	if (is_v4)
		((struct rte_ipv4_hdr *)l3)->hdr_checksum = 0;
	tcp->cksum = net_tcp_pseudo_sum(&o->src, &o->dst, l4_len);
}

// An empty one.
static struct rte_mbuf *spare_take(struct worker *w) {
	struct rte_mbuf *m;

	if (w->n_spare == 0)
		return rte_pktmbuf_alloc(w->pool);
	w->n_fetched -= w->n_fetched > 0;
	m = w->spare[--w->n_spare];
	rte_pktmbuf_reset(m);
	return m;
}

// Raw ones: another core has used them last, and they are fetched before they are written.
static void spare_fill(struct worker *w) {
	if (w->n_spare < BURST &&
	    rte_mempool_get_bulk(w->pool, (void **)w->spare + w->n_spare, BURST) == 0)
		w->n_spare += BURST;
	w->n_fetched = 0;
}

// The one that an answer under way is going to be written to.
static void spare_fetch(struct worker *w) {
	struct rte_mbuf *m;
	const uint8_t *p;

	if (w->n_fetched == w->n_spare)
		return;
	m = w->spare[w->n_spare - ++w->n_fetched];
	p = (const uint8_t *)rte_mbuf_buf_addr(m, w->pool) + RTE_PKTMBUF_HEADROOM;
	__builtin_prefetch(m, 1);
	__builtin_prefetch(&m->next, 1);
	for (size_t at = 0; at < SPARE_FETCH; at += 64)
		__builtin_prefetch(p + at, 1);
}

static void output(struct worker *w, const struct tcp_out *o) {
	struct rte_mbuf *m = spare_take(w);
	size_t l4_len = o->header_len + o->data_len, head_len = net_head_len(&w->net, &o->dst);
	uint8_t *frame, *p;

	if (m == NULL) {
		rg_stat_inc(w->stats, RG_DROP_no_mbuf);
		return;
	}
	frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(head_len + l4_len));
	if (frame == NULL) { // cannot be: an MSS fits a buffer
		rte_pktmbuf_free(m);
		rg_stat_inc(w->stats, RG_DROP_no_mbuf);
		return;
	}
	net_put_headers(frame, &w->net, o->mac, &o->src, &o->dst, l4_len);
	p = frame + head_len;
	memcpy(p, o->header, sizeof(o->header)); // of known length is faster; data follows over it
	p += o->header_len;
	for (unsigned i = 0; i < o->n_data; i++) {
		memcpy(p, o->data[i].p, o->data[i].len);
		p += o->data[i].len;
	}
	tx_checksums(w, m, o, frame + w->net.l2_len, l4_len);
	tx_put(w, m);
}

void packet_output(void *ctx, const struct tcp_out *o) {
	struct worker *w = ctx;

	stage_to(&w->stages, RG_STAGE_tx);
	output(w, o);
	stage_to(&w->stages, RG_STAGE_tcp);
}

void packet_announce(struct worker *w) {
	uint8_t frame[NET_ANNOUNCE_MAX];
	size_t len;

	for (unsigned i = 0; (len = net_announce(&w->net, i, frame)) > 0; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

		if (m == NULL)
			return; // they only make us known sooner
		memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
		tx_put(w, m);
	}
	packet_flush(w);
}

static bool is_checksum_good(const struct rte_mbuf *m, const struct net_rx *rx) {
	uint64_t known = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	// NONE: there is no sum in it, and none is needed, since it has not left the machine.
	if (known != RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN)
		return known != RTE_MBUF_F_RX_L4_CKSUM_BAD;
	return net_tcp_checksum(&rx->src, &rx->dst, rx->l4) == 0;
}

// One TCP segment of a burst, on its way through the stages below.
struct job {
	struct rte_mbuf *m;
	struct tcp_in in;
	bool has_data;
};

static void icmp_error(struct worker *w, const struct net_rx *rx) {
	static const enum tcp_icmp kinds[] = {
		[NET_TOO_BIG] = TCP_ICMP_TOO_BIG,
		[NET_HARD] = TCP_ICMP_HARD,
		[NET_SOFT] = TCP_ICMP_SOFT,
	};
	struct tcp_error e = {
		.kind = kinds[rx->error.kind],
		.mtu = rx->error.mtu,
		.local = rx->dst,
		.peer = rx->src,
		.seq = rx->error.seq,
	};

	stage_to(&w->stages, RG_STAGE_tcp);
	tcp_icmp_error(w->tcp, &e, w->now_ns);
	stage_to(&w->stages, RG_STAGE_rx);
}

// First stage: what is no TCP segment for us ends here. m is consumed unless it returns true.
static bool begin(struct worker *w, struct rte_mbuf *m, struct job *j) {
	size_t len = rte_pktmbuf_data_len(m);
	struct net_rx rx = {.event = RG_DROP_ip_bad};
	enum net_verdict v = NET_DROP;

	if (m->nb_segs == 1) // else larger than our MTU
		v = net_input(&w->net, rte_pktmbuf_mtod(m, uint8_t *), len,
			      len + rte_pktmbuf_tailroom(m), &rx);
	if (v == NET_REPLY) {
		rg_stat_inc(w->stats, rx.event);
		m->pkt_len = m->data_len = (uint16_t)rx.reply_len;
		m->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT; // whose memory it is
		tx_put(w, m);
		return false;
	}
	if (v == NET_TCP && is_checksum_good(m, &rx)) {
		j->m = m;
		j->in = (struct tcp_in){.src = rx.src, .dst = rx.dst, .seg = rx.l4};
		memcpy(j->in.mac, rx.mac, sizeof(rx.mac));
		j->has_data = tcp_has_data(rx.l4);
		tcp_rx_hash(w->tcp, &j->in);
		return true;
	}
	if (v == NET_ERROR)
		icmp_error(w, &rx);
	rg_stat_inc(w->stats, v == NET_TCP     ? RG_DROP_tcp_checksum
			      : v == NET_ERROR ? RG_STAT_icmp_errors
					       : rx.event);
	rte_pktmbuf_free(m);
	return false;
}

static void fetch_payload(struct worker *w, const struct job *j) {
	if (!j->has_data)
		return;
	for (size_t at = 0; at < j->in.seg.len; at += 64)
		rte_prefetch0(j->in.seg.p + at);
	spare_fetch(w);
}

// Stages over a burst: each fetches what the next one reads. The loops are short on purpose. A fetch
// may have to wait for its page to be found, and only those that follow close on it wait along.
// A guess that an earlier segment made wrong costs the later one a wait, no more.
static void fetch_state(struct worker *w, struct job *j, unsigned n) {
	const struct conn *data[BURST]; // the segments with data are probably for these
	unsigned n_data = 0;

	for (unsigned i = 0; i < n; i++)
		tcp_rx_prefetch_entry(w->tcp, &j[i].in);
	for (unsigned i = 0; i < n; i++) {
		uint32_t slot = tcp_rx_prefetch(w->tcp, &j[i].in);

		if (slot == TCP_NO_SLOT)
			continue;
		conn_prefetch(&w->conns[slot], j[i].has_data);
		data[n_data] = &w->conns[slot];
		n_data += j[i].has_data;
	}
	for (unsigned i = 0; i < n_data; i++)
		reg_prefetch(w->cfg->leases, &data[i]->flow);
	for (unsigned i = 0; i < n; i++)
		rte_mbuf_prefetch_part2(j[i].m);
	for (unsigned i = 0; i < n_data; i++)
		reg_prefetch_lease(w->cfg->leases, &data[i]->flow);
}

static void work(struct worker *w, const struct job *j, unsigned n) {
	for (unsigned i = 0; i < RTE_MIN(n, AHEAD); i++)
		fetch_payload(w, &j[i]);
	for (unsigned i = 0; i < n; i++) {
		if (i + AHEAD < n)
			fetch_payload(w, &j[i + AHEAD]);
		stage_unit(&w->stages, RG_STAGE_tcp);
		tcp_input(w->tcp, &j[i].in, w->now_ns);
		stage_unit(&w->stages, RG_STAGE_rx);
	}
}

void packet_input(struct worker *w, struct rte_mbuf *const *m, unsigned n) {
	struct rte_mbuf *done[BURST];
	struct job jobs[BURST];
	unsigned n_jobs = 0;

	if (n == 0)
		return;
	for (unsigned i = 0; i < n; i++) { // the headers
		rte_prefetch0(rte_pktmbuf_mtod(m[i], const uint8_t *));
		rte_prefetch0(rte_pktmbuf_mtod_offset(m[i], const uint8_t *, 64));
	}
	stage_to(&w->stages, RG_STAGE_tx);
	spare_fill(w);
	stage_to(&w->stages, RG_STAGE_rx);
	for (unsigned i = 0; i < n; i++)
		n_jobs += begin(w, m[i], &jobs[n_jobs]);
	fetch_state(w, jobs, n_jobs);
	work(w, jobs, n_jobs);
	for (unsigned i = 0; i < n_jobs; i++)
		done[i] = jobs[i].m;
	rte_pktmbuf_free_bulk(done, n_jobs);
}
