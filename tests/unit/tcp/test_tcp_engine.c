// SPDX-License-Identifier: BSD-3-Clause
// The engine's slots: generations, many connections, want of memory at the start.
#include "tcp_rig.h"

static int n_until_failure = -1; // allocations that still succeed; negative: all do

void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

void *__wrap_calloc(size_t n, size_t size) {
	return n_until_failure >= 0 && n_until_failure-- == 0 ? NULL : __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size) {
	return n_until_failure >= 0 && n_until_failure-- == 0 ? NULL
							      : __real_aligned_alloc(align, size);
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

int main(void) {
	const struct rig_case cases[] = {
		RIG_CASE(every_allocation_fails_once),
		RIG_CASE(generations),
		RIG_CASE(many_connections),
	};

	return rig_main("tcp_engine", cases, RIG_LEN(cases));
}
