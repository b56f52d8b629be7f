// SPDX-License-Identifier: BSD-3-Clause
// What every world of the TCP model test begins with, by its seed, and what all of them add up to.
#include "tcp_model.h"

uint64_t seed_now;

uint32_t rnd(struct world *w, uint32_t n) { // below n
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return n == 0 ? 0 : (uint32_t)((w->rng >> 16) % n);
}

uint8_t pattern(const struct peer *p, bool is_to_peer, uint32_t i) {
	uint32_t v = (i + p->port * 31u + (is_to_peer ? 77 : 0)) * 2654435761u;

	return (uint8_t)(v >> 24);
}

void world_init(struct world *w, uint64_t seed, bool is_bad) {
	static struct packet packets[MAX_PACKETS];
	static const uint32_t wnds[] = {2000, 20000, 65535, 300000};

	seed_now = seed;
	memset(w, 0, sizeof(*w));
	w->packets = packets;
	w->rng = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	w->now_ns = rnd(w, UINT32_MAX) * UINT64_C(1000000); // also near the wrap of 32-bit times
	w->n_peers = 1 + rnd(w, N_PEERS);
	w->is_v6 = rnd(w, 2) == 0;
	w->is_bad = is_bad;
	w->max_bytes = is_bad ? 40000 : MAX_BYTES;
	w->loss = is_bad ? 150 : rnd(w, 3) == 0 ? 0 : rnd(w, 151);
	w->corrupt = is_bad ? 150 : 0;
	w->dup = rnd(w, 3) == 0 ? 0 : rnd(w, 100);
	w->jitter_ms = rnd(w, 3) == 0 ? 0 : rnd(w, 40);
	w->has_renegers = rnd(w, 8) == 0;
	w->cfg = (struct tcp_cfg){.max_conns = 8,
				  .n_buffers = rnd(w, 2) == 0 ? 256 : 8 + rnd(w, 30),
				  .listen_port = 443,
				  .n_locals = 1,
				  .mss = 1460,
				  .rcv_wnd = wnds[rnd(w, 4)],
				  .snd_max = 500 + rnd(w, 100000)};
	w->cfg.secret[0] = (uint8_t)seed;
	link_init(w);
}

void world_add(const struct world *w, struct world_sum *sum) {
	sum->n_dialogues += w->n_peers;
	sum->n_given_up += w->n_given_up;
	sum->n_refused += w->n_refused;
	sum->n_missed += w->n_missed;
	sum->n_overtaken += w->n_overtaken;
}
