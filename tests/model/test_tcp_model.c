// SPDX-License-Identifier: BSD-3-Clause
// Our TCP engine against a small client written for this test alone, over a seeded link that drops,
// duplicates, delays, reorders and corrupts, on a virtual clock. Every run checks each byte both
// ways, that the windows and the MSS were kept, both closes, and that no slot, chunk or timer is
// left. CK_RUN_CASE=case, REGATE_SEED=n runs one seed, REGATE_RUNS=n that many of them.
#include <stdio.h>

#include "tcp_model.h"

// Upper layer of the engine.

static void app_pump(struct world *w, uint32_t idx) {
	struct app *a = &w->apps[idx];
	uint8_t b[5000];

	while (a->is_up && !a->has_closed && a->n_sent < a->p->n_rx) {
		size_t room = tcp_send_room(w->t, idx), n = 1 + rnd(w, sizeof(b));

		n = n < a->p->n_rx - a->n_sent ? n : a->p->n_rx - a->n_sent;
		n = n < room ? n : room;
		if (n == 0)
			return;
		for (size_t i = 0; i < n; i++)
			b[i] = pattern(a->p, true, a->n_sent + (uint32_t)i);
		a->n_sent += (uint32_t)n; // first: the call comes back to us
		MUST(tcp_send(w->t, idx, rg_slice(b, n), w->now_ns) == 0);
	}
	if (a->is_up && !a->has_closed && a->n_sent == a->p->n_rx &&
	    (a->has_peer_fin || (!a->p->is_first_to_close && a->n_got == a->p->n_tx))) {
		a->has_closed = true;
		tcp_close(w->t, idx, w->now_ns);
	}
}

static int on_opened(void *ctx, uint32_t idx, uint64_t) {
	struct world *w = ctx;
	unsigned peer = tcp_peer(w->t, idx)->port - 1000u;

	MUST(!w->apps[idx].is_up);
	MUST(peer < w->n_peers);
	MUST(!w->peers[peer].has_opened); // no late copy of its third packet brings it back
	w->peers[peer].has_opened = true;
	w->apps[idx] = (struct app){.is_up = true, .p = &w->peers[peer]};
	w->n_opened++;
	app_pump(w, idx);
	return 0;
}

static void on_data(void *ctx, uint32_t idx, struct rg_slice d, uint64_t) {
	struct world *w = ctx;
	struct app *a = &w->apps[idx];

	MUST(a->is_up && !a->has_peer_fin);
	MUST(d.len > 0);
	MUST(a->n_got + d.len <= a->p->n_tx);
	if (a->n_got == 0 && d.p[0] != pattern(a->p, false, 0)) {
		// Of packets that overtake the third, one in 65536 passes for it (tcp_cookie.c).
		w->n_overtaken++;
		a->p->is_given_up = true;
		tcp_abort(w->t, idx, w->now_ns);
		return;
	}
	for (size_t i = 0; i < d.len; i++)
		MUST(d.p[i] == pattern(a->p, false, a->n_got + (uint32_t)i));
	a->n_got += (uint32_t)d.len;
	app_pump(w, idx);
}

static void on_sent(void *ctx, uint32_t idx, uint64_t) {
	app_pump(ctx, idx);
}

static void on_peer_closed(void *ctx, uint32_t idx, uint64_t) {
	struct world *w = ctx;
	struct app *a = &w->apps[idx];

	MUST(a->is_up && !a->has_peer_fin);
	MUST(a->n_got == a->p->n_tx);
	a->has_peer_fin = true;
	app_pump(w, idx);
}

static void on_ended(void *ctx, uint32_t idx, enum tcp_end why, uint64_t) {
	struct world *w = ctx;
	struct app *a = &w->apps[idx];

	MUST(a->is_up);
	a->is_up = false;
	w->n_ended++;
	if (a->p->is_given_up)
		return;
	if (w->is_bad && why == TCP_END_TIMEOUT) {
		a->p->is_given_up = true;
		w->n_given_up++;
		return;
	}
	MUST(why == TCP_END_CLOSED);
	MUST(a->n_got == a->p->n_tx);
	MUST(a->n_sent == a->p->n_rx);
}

static void on_output(void *ctx, const struct tcp_out *o) {
	struct world *w = ctx;
	uint8_t b[1600];
	size_t n = o->header_len;

	memcpy(b, o->header, n);
	for (unsigned i = 0; i < o->n_data; i++) {
		MUST(n + o->data[i].len <= sizeof(b));
		memcpy(b + n, o->data[i].p, o->data[i].len);
		n += o->data[i].len;
	}
	link_put(w, o->dst.port - 1000u, true, b, n);
}

// World.

static void deliver(struct world *w, unsigned i) {
	struct packet k = w->packets[i];
	struct net_rx rx;
	uint8_t *b;

	w->packets[i] = w->packets[--w->n_packets];
	if (!link_take(w, &k, &rx))
		return;
	if (k.is_to_peer) {
		peer_input(w, &w->peers[k.peer], rx.l4.p, rx.l4.len);
		return;
	}
	b = malloc(rx.l4.len); // exact, for ASan
	memcpy(b, rx.l4.p, rx.l4.len);
	tcp_input(w->t,
		  &(struct tcp_in){.src = rx.src, .dst = rx.dst, .seg = rg_slice(b, rx.l4.len)},
		  w->now_ns);
	free(b);
}

static uint64_t min_ns(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

// Goes to the next event and lets everything that is due happen.
static void step(struct world *w) {
	uint64_t next = w->now_ns + (w->is_over ? RG_NS_PER_S : 10 * MS);

	next = min_ns(next, tcp_next_deadline(w->t));

	for (unsigned i = 0; i < w->n_packets; i++)
		next = min_ns(next, w->packets[i].at_ns);
	w->now_ns = next > w->now_ns ? next : w->now_ns;
	for (unsigned i = 0; i < w->n_packets;)
		if (w->packets[i].at_ns <= w->now_ns)
			deliver(w, i);
		else
			i++;
	if (tcp_next_deadline(w->t) <= w->now_ns)
		tcp_tick(w->t, w->now_ns, 1 + rnd(w, 3));
	for (unsigned i = 0; i < w->n_peers; i++)
		peer_tick(w, &w->peers[i]);
	for (uint32_t i = 0; i < w->cfg.max_conns; i++)
		app_pump(w, i);
}

static bool is_done(const struct world *w) {
	for (unsigned i = 0; i < w->n_peers; i++)
		if (!peer_is_done(&w->peers[i]))
			return false;
	return w->n_ended == w->n_peers;
}

static void run(uint64_t seed, bool is_bad, struct world_sum *sum) {
	static struct world w;
	struct tcp_ops ops = {&w, on_output, on_opened, on_data, on_sent, on_peer_closed, on_ended};
	struct rg_addr local;
	uint64_t end_ns;

	world_init(&w, seed, is_bad);
	local = link_addr(&w, true, 0);
	w.cfg.locals = &local;
	w.t = tcp_new(&w.cfg, &ops, &w.stats);
	MUST(w.t != NULL);
	for (unsigned i = 0; i < w.n_peers; i++)
		peer_init(&w, &w.peers[i], i);
	end_ns = w.now_ns + 4000 * RG_NS_PER_S;
	while (!is_done(&w)) {
		step(&w);
		MUST(w.now_ns < end_ns);
	}
	end_ns = w.now_ns + 200 * RG_NS_PER_S; // TIME-WAIT, and ghosts of old SYNs
	w.is_over = true;
	while (w.now_ns < end_ns)
		step(&w);
	MUST(w.n_opened == w.n_ended);
	MUST(tcp_n_conns(w.t) == 0);
	MUST(tcp_n_time_wait(w.t) == 0);
	MUST(tcp_n_free_buffers(w.t) == w.cfg.n_buffers);
	MUST(tcp_next_deadline(w.t) == RG_NEVER);
	tcp_free(w.t);
	world_add(&w, sum);
}

typedef void run_fn(uint64_t seed, bool is_bad, struct world_sum *sum);

static struct world_sum run_all(uint64_t n, bool is_bad, run_fn *run_one) {
	const char *seed = getenv("REGATE_SEED"), *runs = getenv("REGATE_RUNS");
	uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : 0;
	struct world_sum sum = {0};

	n = seed != NULL ? 1 : runs != NULL ? strtoull(runs, NULL, 10) : n;
	for (uint64_t i = 0; i < n; i++)
		run_one(first + i, is_bad, &sum);
	printf("seeds %lu to %lu: %u dialogues, %u given up; %u packets refused for their "
	       "checksums, %u more would have passed\n",
	       (unsigned long)first, (unsigned long)(first + n - 1), sum.n_dialogues,
	       sum.n_given_up, sum.n_refused, sum.n_missed);
	ck_assert_uint_le(sum.n_overtaken, sum.n_dialogues / 2000 + 1);
	return sum;
}

START_TEST(lossy_link) {
	(void)run_all(4000, false, run);
}
END_TEST

// 15 % lost and 15 % corrupted each way: a retransmission fails as often as not, so that now and
// then nine in a row do.
// Two random flips may cancel each other out; anything much above that is a checksum not looked at.
static void check_bad(const struct world_sum *sum) {
	ck_assert_uint_le(sum->n_given_up, sum->n_dialogues / 50 + 1);
	ck_assert_uint_le(sum->n_missed, sum->n_refused / 200 + 5);
}

START_TEST(bad_link) {
	struct world_sum sum = run_all(10000, true, run);

	check_bad(&sum);
}
END_TEST

START_TEST(pair_lossy_link) {
	struct world_sum sum = run_all(4000, false, pair_run);

	ck_assert_uint_le(sum.n_given_up, sum.n_dialogues / 1000 + 1);
}
END_TEST

START_TEST(pair_bad_link) {
	struct world_sum sum = run_all(5000, true, pair_run);

	check_bad(&sum);
}
END_TEST

static void add_case(Suite *s, const TTest *test, const char *name) {
	TCase *tc = tcase_create(name);

	tcase_add_test(tc, test);
	tcase_set_timeout(tc, 3600);
	suite_add_tcase(s, tc);
}

int main(void) {
	Suite *s = suite_create("tcp_model");
	SRunner *sr;
	int failed;

	add_case(s, lossy_link, "lossy_link");
	add_case(s, bad_link, "bad_link");
	add_case(s, pair_lossy_link, "pair_lossy_link");
	add_case(s, pair_bad_link, "pair_bad_link");
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
