// SPDX-License-Identifier: BSD-3-Clause
// The engine's slots: generations, many connections, want of memory at the start.
#include "tcp_rig.h"

static int n_until_failure = -1; // allocations that still succeed; negative: all do

void *__real_calloc(size_t n, size_t size);
void *__real_rg_huge_alloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_rg_huge_alloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size) {
	return n_until_failure >= 0 && n_until_failure-- == 0 ? NULL : __real_calloc(n, size);
}

void *__wrap_rg_huge_alloc(size_t n, size_t size) {
	return n_until_failure >= 0 && n_until_failure-- == 0 ? NULL
							      : __real_rg_huge_alloc(n, size);
}

START_TEST(every_allocation_fails_once) {
	struct tcp_ops ops = {0};
	struct rg_stats stats = {0};
	struct tcp *t = NULL;
	int n;

	for (n = 0; n < 20 && t == NULL; n++) {
		n_until_failure = n;
		t = tcp_new(&rig_cfg, &ops, &stats);
	}
	n_until_failure = -1;
	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(n - 1, 7); // engine; slots, chunks and records with a table each
	tcp_free(t);
	tcp_free(NULL);
}
END_TEST

START_TEST(generations) {
	struct rig *r = rig_new();
	uint32_t gen, first;

	ck_assert_uint_ne(tcp_gen(r->t, 0), 0);
	ck_assert(!tcp_is_open(r->t, 0));
	ck_assert_int_eq(tcp_send(r->t, 0, RG_LIT("x"), r->now_ns), RG_E_STALE);
	rig_open(r);
	first = r->idx;
	gen = tcp_gen(r->t, first);
	IN(r, F_R, 1, 0);
	ck_assert_uint_ne(tcp_gen(r->t, first), gen);
	r->t->conns[first].gen = UINT32_MAX - 1; // next is the last, then it goes round
	for (unsigned i = 0; i < 3; i++) {
		IN(r, F_S, 0, 0);
		rig_expect(r, F_SA, 0, 1, 0);
		IN(r, F_A, 1, 1);
		ck_assert_uint_eq(r->idx, first);
		ck_assert_uint_ne(tcp_gen(r->t, first), 0);
		IN(r, F_R, 1, 0);
		ck_assert_uint_ne(tcp_gen(r->t, first), 0);
	}
	rig_free_clean(r);
}
END_TEST

START_TEST(many_connections) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;

	cfg.max_conns = 3000;
	r = rig_new_cfg(&cfg);
	for (unsigned round = 0; round < 2; round++) {
		uint32_t *iss = calloc(3000, sizeof(*iss));

		for (unsigned i = 0; i < 3000; i++) {
			r->peer_port = (uint16_t)(10000 + i);
			IN(r, F_S, 0, 0);
			r->n_read = r->n_out = 0;
			IN(r, F_A, 1, 1);
			iss[i] = r->iss;
		}
		ck_assert_uint_eq(tcp_n_conns(r->t), 3000);
		for (unsigned i = 0; i < 3000; i++) {
			unsigned k = i * 1237 % 3000;

			r->peer_port = (uint16_t)(10000 + k);
			r->iss = iss[k];
			IN(r, F_PA, 1, 1, .data = RG_LIT("x"));
			if (r->n_got != i % 1000 + 1)
				ck_abort_msg("connection %u lost", k);
			r->n_got = i % 1000 == 999 ? 0 : r->n_got;
			IN(r, F_R, 2, 0);
		}
		free(iss);
	}
	ck_assert_uint_eq(r->n_opened, 6000);
	ck_assert_uint_eq(r->n_ended, 6000);
	rig_free_clean(r);
}
END_TEST

// The highest indices there are, of a connection, a chunk of the send queue, one of reassembly.
START_TEST(largest_engine) {
	struct tcp_cfg cfg = rig_cfg;
	struct rig *r;
	struct tcp_conn *c;
	uint32_t iss;

	cfg.max_conns = TCP_MAX_CONNS;
	cfg.n_buffers = TCP_MAX_BUFFERS;
	r = rig_new_cfg(&cfg);
	r->t->n_used = TCP_MAX_CONNS - 1;
	r->t->pool.n_used = TCP_MAX_BUFFERS - 2;
	rig_open(r);
	ck_assert_uint_eq(r->idx, TCP_MAX_CONNS - 1);
	c = &r->t->conns[r->idx];
	rig_send(r, 10);
	rig_expect(r, F_PA, 1, 1, 10);
	ck_assert_uint_eq(c->q.head, TCP_MAX_BUFFERS - 2);
	IN(r, F_PA, 3, 1, .data = RG_LIT("cd"));
	rig_expect(r, F_A, 11, 1, 0);
	ck_assert_uint_eq(c->ooo, TCP_MAX_BUFFERS - 1);
	IN(r, F_PA, 1, 11, .data = RG_LIT("ab"));
	rig_expect(r, F_A, 11, 5, 0);
	ck_assert_mem_eq(r->got, "abcd", 4);
	ck_assert_uint_eq(tcp_n_free_buffers(r->t), TCP_MAX_BUFFERS);
	iss = r->iss;
	r->peer_port++;
	IN(r, F_S, 0, 0); // the table is full only at the third packet
	rig_expect(r, F_SA, 0, 1, 0);
	IN(r, F_A, 1, 1);
	rig_expect(r, F_R, 1, 0, 0);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_table_full), 1);
	r->iss = iss;
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 11, 5, 0);
	rig_free(r);
}
END_TEST

START_TEST(beyond_the_largest) {
	struct tcp_ops ops = {0};
	struct rg_stats stats = {0};
	struct tcp_cfg cfg = rig_cfg;

	uint32_t *fields[] = {&cfg.max_conns, &cfg.n_buffers, &cfg.max_time_wait};

	if (_i < 3)
		*fields[_i] = TCP_MAX_CONNS + 1;
	cfg.keepalive_s = _i == 3 ? TCP_KEEP_MAX_S + 1 : 0;
	cfg.n_locals = _i == 4 ? TCP_MAX_LOCALS + 1 : 1; // refused before they are read
	ck_assert_ptr_null(tcp_new(&cfg, &ops, &stats));
}
END_TEST

// Each of our addresses is its own; what is for another one is not served.
START_TEST(local_addresses) {
	struct tcp_cfg cfg = rig_cfg;
	struct rg_addr locals[TCP_MAX_LOCALS], other;
	struct rig *r;
	uint32_t first;

	for (uint32_t i = 0; i < TCP_MAX_LOCALS; i++)
		locals[i] = rg_addr_v4(htonl(0x0a010000 + i), 9);
	cfg.locals = locals;
	cfg.n_locals = TCP_MAX_LOCALS;
	r = rig_new_cfg(&cfg);
	rig_open(r);
	first = r->idx;
	r->local = locals[TCP_MAX_LOCALS - 1];
	rig_open_opts(r, RIG_MSS_1460);
	ck_assert_uint_eq(r->n_opened, 2);
	ck_assert_uint_ne(r->idx, first);
	rig_send(r, 5);
	other = rig_expect(r, F_PA, 1, 1, 5)->src;
	ck_assert_mem_eq(other.ip, locals[TCP_MAX_LOCALS - 1].ip, 16);
	ck_assert_uint_eq(other.port, 443);
	r->local = rg_addr_v4(htonl(0x0a000064), 0);
	IN(r, F_S, 0, 0);
	ck_assert_uint_eq(r->out[0].src.ip[15], 0x64);
	rig_expect(r, F_RA, -r->iss, 1, 0);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_port), 1);
	tcp_abort(r->t, r->idx, r->now_ns);
	r->n_read = r->n_out = 0;
	tcp_abort(r->t, first, r->now_ns);
	other = r->out[0].src;
	ck_assert_mem_eq(other.ip, cfg.locals[0].ip, 16);
	r->n_read = r->n_out = 0;
	rig_free_clean(r);
}
END_TEST

// A burst through the stages; all of one flow, each segment changing what the next one meets.
struct burst {
	struct rig *r;
	struct tcp_in in[8];
	uint8_t seg[8][24];
	unsigned n;
};

static void burst_add(struct burst *b, uint8_t flags, uint32_t seq, uint32_t ack, bool has_data) {
	struct tcp_in *in = &b->in[b->n];
	struct rg_wr w = rg_wr(b->seg[b->n++], sizeof(*b->seg));

	rg_put_be(&w, b->r->peer_port, 2);
	rg_put_be(&w, 443, 2);
	rg_put_be(&w, b->r->peer_isn + seq, 4);
	rg_put_be(&w, ack == 0 ? 0 : b->r->iss + ack, 4);
	rg_put_be(&w, 0x5000 | flags, 2);
	rg_put_be(&w, 65535, 2);
	rg_put_be(&w, 0, 4);
	if (has_data)
		rg_put_be(&w, 'x', 1);
	*in = (struct tcp_in){.src = b->r->peer,
			      .dst = b->r->local,
			      .seg = rg_slice(b->seg[b->n - 1], w.len)};
	in->src.port = b->r->peer_port;
	in->dst.port = 443;
}

// Returns what tcp_rx_prefetch() said of the last one.
static uint32_t burst_run(struct burst *b) {
	uint32_t slot = 0;

	for (unsigned i = 0; i < b->n; i++)
		tcp_rx_hash(b->r->t, &b->in[i]);
	for (unsigned i = 0; i < b->n; i++)
		slot = tcp_rx_prefetch(b->r->t, &b->in[i]);
	for (unsigned i = 0; i < b->n; i++)
		tcp_input(b->r->t, &b->in[i], b->r->now_ns);
	b->n = 0;
	b->r->n_read = b->r->n_out = 0;
	return slot;
}

START_TEST(stages) {
	struct burst b = {.r = rig_new()};
	struct rig *r = b.r;

	burst_add(&b, F_S, 0, 0, false);
	ck_assert_uint_eq(burst_run(&b), TCP_NO_SLOT);
	burst_add(&b, F_A, 1, 1, false); // the connection begins in the middle of the burst
	burst_add(&b, F_PA, 1, 1, true);
	burst_add(&b, F_PA, 2, 1, true);
	ck_assert_uint_eq(burst_run(&b), TCP_NO_SLOT);
	ck_assert_uint_eq(r->n_opened, 1);
	ck_assert_uint_eq(r->n_got, 2);
	burst_add(&b, F_PA, 3, 1, true); // and ends in the middle of one
	burst_add(&b, F_R, 4, 0, false);
	burst_add(&b, F_PA, 4, 1, true);
	burst_add(&b, F_S, 0, 0, false);
	ck_assert_uint_eq(burst_run(&b), r->idx);
	ck_assert_uint_eq(r->n_got, 3);
	ck_assert_uint_eq(r->n_ended, 1);
	ck_assert_uint_eq(rig_stat(r, RG_DROP_tcp_no_conn), 1);
	burst_add(&b, F_A, 1, 1, false);
	burst_add(&b, F_R, 1, 0, false);
	ck_assert_uint_eq(burst_run(&b), TCP_NO_SLOT);
	ck_assert_uint_eq(r->n_opened, 2);
	rig_free_clean(r);
}
END_TEST

// Equal hashes are no equal addresses.
START_TEST(collision) {
	struct burst b = {.r = rig_new()};
	struct rig *r = b.r;

	rig_open(r);
	for (unsigned i = 0; i < 5; i++) {
		struct tcp_in *in = &b.in[0];
		uint32_t hash;

		burst_add(&b, F_PA, 1, 1, true);
		tcp_rx_hash(r->t, in);
		hash = in->hash;
		in->src.port += i == 0;
		in->dst.port += i == 1;
		in->src.ip[15] += i == 2;
		in->dst.ip[15] += i == 3;
		ck_assert(hash == in->hash && in->has_hash);
		tcp_input(r->t, in, r->now_ns);
		b.n = 0;
		ck_assert_uint_eq(r->n_got, i == 4);
	}
	r->n_read = r->n_out = 0;
	tcp_abort(r->t, r->idx, r->now_ns);
	rig_expect(r, F_RA, 1, 2, 0);
	rig_free_clean(r);
}
END_TEST

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(every_allocation_fails_once),
		RIG_CASE(generations),
		RIG_CASE(many_connections),
		RIG_CASE(largest_engine),
		RIG_ROWS(beyond_the_largest, 5),
		RIG_CASE(local_addresses),
		RIG_CASE(stages),
		RIG_CASE(collision),
	};

	return rig_main("tcp_engine", cases, RIG_LEN(cases));
}
