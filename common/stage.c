// SPDX-License-Identifier: BSD-3-Clause
// Reads the stage histograms: sums, differences, mean and quantiles. No thread of its own.
#include "regate/stage.h"

static const struct {
	const char *name, *text;
} stages[RG_N_STAGES] = {
#define X(n, t) [RG_STAGE_##n] = {#n, t},
	RG_STAGE_LIST(X)
#undef X
};

const char *rg_stage_name(enum rg_stage i) {
	return stages[i].name;
}

const char *rg_stage_text(enum rg_stage i) {
	return stages[i].text;
}

static uint64_t load(const _Atomic(uint64_t) *v) {
	return atomic_load_explicit(v, memory_order_relaxed);
}

// *sum belongs to the caller alone.
static void grow(_Atomic(uint64_t) *sum, uint64_t by) {
	atomic_store_explicit(sum, load(sum) + by, memory_order_relaxed);
}

// times: 1 or -1, in arithmetic modulo 2^64.
static void add_times(struct rg_stages *sum, const struct rg_stages *s, uint64_t times) {
	for (unsigned i = 0; i < RG_N_STAGES; i++) {
		grow(&sum->of[i].cycles, times * load(&s->of[i].cycles));
		for (unsigned k = 0; k < RG_STAGE_N; k++)
			grow(&sum->of[i].v[k], times * load(&s->of[i].v[k]));
	}
}

void rg_stages_add(struct rg_stages *sum, const struct rg_stages *s) {
	add_times(sum, s, 1);
}

void rg_stages_sub(struct rg_stages *sum, const struct rg_stages *s) {
	add_times(sum, s, UINT64_MAX);
}

uint64_t rg_stage_count(const struct rg_stage_hist *h) {
	uint64_t n = 0;

	for (unsigned k = 0; k < RG_STAGE_N; k++)
		n += load(&h->v[k]);
	return n;
}

double rg_stage_mean(const struct rg_stage_hist *h) {
	uint64_t n = rg_stage_count(h);

	return n == 0 ? 0 : (double)load(&h->cycles) / (double)n;
}

uint64_t rg_stage_at(const struct rg_stage_hist *h, unsigned step) {
	return load(&h->v[step]);
}

uint64_t rg_stage_lower(unsigned step) {
	return rg_loglin_lower(step, RG_STAGE_STEP_BITS);
}

uint64_t rg_stage_upper(unsigned step) {
	return rg_loglin_upper(step, RG_STAGE_STEP_BITS);
}

uint64_t rg_stage_quantile(const struct rg_stage_hist *h, double share) {
	double want = share * (double)rg_stage_count(h);
	uint64_t sum = 0;

	for (unsigned k = 0; k < RG_STAGE_N; k++) {
		sum += load(&h->v[k]);
		if (sum > 0 && (double)sum >= want)
			return rg_stage_upper(k);
	}
	return 0;
}

double rg_stage_share(const struct rg_stages *s, enum rg_stage i) {
	uint64_t sum = 0;

	for (unsigned k = 0; k < RG_N_STAGES; k++)
		sum += load(&s->of[k].cycles);
	return sum == 0 ? 0 : (double)load(&s->of[i].cycles) / (double)sum;
}
