// SPDX-License-Identifier: BSD-3-Clause
// Rows for the store tests: everything follows from a number.
#pragma once

#include <check.h>
#include <stdio.h>

#include "store/store.h"

struct row {
	char impi[24], impu[24], sub[24], gateway[24];
	struct store_lease l;
};

static inline void row_make(struct row *r, unsigned i, uint64_t gen) {
	snprintf(r->impi, sizeof(r->impi), "p%u@x", i);
	snprintf(r->impu, sizeof(r->impu), "sip:p%u@x", i);
	snprintf(r->sub, sizeof(r->sub), "sub-%llu", (unsigned long long)gen);
	snprintf(r->gateway, sizeof(r->gateway), "gw-%u", i % 3);
	r->l = (struct store_lease){.impi = r->impi,
				    .impu = r->impu,
				    .pool = "pool",
				    .sub = r->sub,
				    .gateway = r->gateway,
				    .gen = gen,
				    .state = 3,
				    .flags = gen % 4,
				    .scenario = 2,
				    .granted_ms = (int64_t)gen * 7,
				    .ended_ms = gen % 2 == 0 ? 0 : (int64_t)gen * 9,
				    .reassign_ms = INT64_MAX - (int64_t)gen};
	for (unsigned k = 0; k < STORE_TOKENS; k++) {
		memset(r->l.tokens[k].digest.b, (int)(gen + k), RG_DIGEST_LEN);
		r->l.tokens[k].end_ms = (int64_t)(gen + 10 * k);
	}
}

static inline void row_check(const struct store_lease *l, unsigned i, uint64_t gen) {
	struct row want;

	row_make(&want, i, gen);
	ck_assert_str_eq(l->impi, want.l.impi);
	ck_assert_str_eq(l->impu, want.l.impu);
	ck_assert_str_eq(l->pool, want.l.pool);
	ck_assert_str_eq(l->sub, want.l.sub);
	ck_assert_str_eq(l->gateway, want.l.gateway);
	ck_assert_uint_eq(l->gen, want.l.gen);
	ck_assert_uint_eq(l->flags, want.l.flags);
	ck_assert_int_eq(l->ended_ms, want.l.ended_ms);
	ck_assert_uint_eq(l->state, want.l.state);
	ck_assert_uint_eq(l->scenario, want.l.scenario);
	ck_assert_int_eq(l->granted_ms, want.l.granted_ms);
	ck_assert_int_eq(l->reassign_ms, want.l.reassign_ms);
	for (unsigned k = 0; k < STORE_TOKENS; k++) {
		ck_assert_mem_eq(l->tokens[k].digest.b, want.l.tokens[k].digest.b, RG_DIGEST_LEN);
		ck_assert_int_eq(l->tokens[k].end_ms, want.l.tokens[k].end_ms);
	}
}
