// SPDX-License-Identifier: BSD-3-Clause
// Does the time of a refusal tell what was wrong (reliability.md F16, G19)? After Reparaz, Balasch,
// Verbauwhede, "Dude, is my code constant time?" (2017): one REGISTER in two variants, in random order
// at the same addresses, each refused by what a worker does, and Welch's t of the two times without
// the slowest tenth. |t| >= 4.5 tells them apart. `control` compares bytes until one differs: a
// machine on which it goes unnoticed is too noisy to say anything. Exit status 1: some variants can be
// told apart, or the control cannot. --samples N: of each pair of variants, 1000000.
//
// Samples show many tokens. One that ended is in the table until the control plane's timer takes
// it out, milliseconds later; `ended` is from then on.
#include <math.h>
#include <urcu/urcu-qsbr.h>

#include "bench.h"
#include "lease/lease_table.h"
#include "reg/reg.h"
#include "regate/clock.h"
#include "regate/err.h"

#define N_LEASES 4096
#define N_ENDED 4096
#define TOKEN_LEN 43
#define NEAR 35 // bytes that a near token has of the good one
#define NOW (1000 * RG_NS_PER_S)
#define T_MAX 4.5
#define CUT 0.9 // of the samples are looked at
#define N_PILOT 20000

enum text_of {
	T_ENDED,
	T_WRONG, // of the same kinds of bytes as an ended one
	T_NEAR,  // begins as the good one
	T_FAR,   // with the same kinds of bytes
};

struct variant {
	enum text_of token;
	const char *user; // of the To
};

struct pair {
	const char *name;
	struct variant variants[2];
	bool is_control;
};

struct rig {
	struct reg_tokens tokens;
	struct reg_tag_key key;
	struct rg_reg_cfg cfg;
	char ended[N_ENDED][TOKEN_LEN + 1];
	char good[TOKEN_LEN + 1];
	uint8_t buf[2048];
	struct sip_msg msg;
	struct sip_register reg;
	struct reg_out out;
	uint64_t rng;
};

struct sums { // Welford's mean and squares
	double n, mean, m2;
};

static uint64_t draw(struct rig *r) {
	r->rng = r->rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return r->rng >> 33;
}

// Beginning with the first n bytes of the good one.
static void draw_token(struct rig *r, char out[TOKEN_LEN + 1], unsigned n) {
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	for (unsigned i = 0; i < TOKEN_LEN; i++)
		out[i] = i < n ? r->good[i] : digits[draw(r) % 62];
	out[TOKEN_LEN] = '\0';
}

static int add_lease(struct rig *r, struct rg_lease_table *t, uint32_t i, const char *token) {
	struct lease_entry e = {.idx = i,
				.gen = 1,
				.state = RG_LEASE_ACTIVE,
				.token_end_ns = NOW + 3600 * RG_NS_PER_S,
				.core_end_ns = NOW + 3600 * RG_NS_PER_S,
				.core_refresh_ns = NOW + 1800 * RG_NS_PER_S,
				.contact = RG_LIT("<sip:c@d>"),
				.call_id = RG_LIT("call"),
				.to_tag = RG_LIT("tag"),
				.headers = RG_LIT("H: v\r\n")};
	char impu[64];
	int rc;

	snprintf(impu, sizeof(impu), "sip:pool-%05u@ims.example.net", i);
	e.impu = rg_str(impu);
	rg_token_digest(r->tokens.digester, rg_str(token), &e.digest);
	rc = lease_table_put(t, &e);
	if (rc == 0 && i < N_ENDED)
		rc = lease_table_del(t, &e.digest);
	return rc;
}

static int rig_init(struct rig *r) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = {1, 2, 3};
	struct rg_lease_table *t = lease_table_new(N_LEASES + 1);
	int rc = 0;

	r->rng = 1;
	memset(&r->key, 0x5a, sizeof(r->key));
	r->tokens = (struct reg_tokens){t, rg_digester_new(key), &r->key};
	r->cfg = (struct rg_reg_cfg){.realm = "ims.example.net",
				     .authz_server = "https://wwsf.example.net",
				     .client_max_s = 600,
				     .client_min_s = 60,
				     .guard_s = 30,
				     .rate_per_s = 2,
				     .rate_burst = 5};
	if (t == NULL || r->tokens.digester == NULL)
		return -1;
	for (uint32_t i = 0; i < N_ENDED + N_LEASES && rc == 0; i++) {
		char *token = i < N_ENDED ? r->ended[i] : r->good;

		draw_token(r, token, 0);
		rc = add_lease(r, t, i, token);
	}
	return rc;
}

// The next of its kind: which bytes are letters is no secret, and takes time to tell.
static char next_of(char c) {
	switch (c) {
	case 'Z':
		return 'A';
	case 'z':
		return 'a';
	case '9':
		return '0';
	default:
		return (char)(c + 1);
	}
}

// Always of the same length, at the same place.
static void write_message(struct rig *r, const struct variant *v) {
	struct rg_wr w = rg_wr(r->buf, sizeof(r->buf));
	char token[TOKEN_LEN + 1];

	draw_token(r, token, NEAR);
	if (v->token == T_ENDED || v->token == T_WRONG)
		memcpy(token, r->ended[draw(r) % N_ENDED], sizeof(token));
	for (unsigned i = 0; i < TOKEN_LEN; i++)
		if (v->token == T_WRONG || (v->token == T_FAR && i < NEAR))
			token[i] = next_of(token[i]);
	for (unsigned i = 0; i < 2; i++) {
		rg_puts(&w, i == 0 ? "REGISTER sip:ims.example.net SIP/2.0\r\n"
				     "Via: SIP/2.0/WSS h;branch=b\r\nFrom: <sip:"
				   : ";tag=f\r\nTo: <sip:");
		rg_puts(&w, v->user);
		rg_puts(&w, "@ims.example.net>");
	}
	rg_puts(&w, "\r\nCall-ID: call\r\nCSeq: 7 REGISTER\r\nAuthorization: Bearer ");
	rg_puts(&w, token);
	rg_puts(&w, "\r\nContact: <sip:c@d>;expires=300\r\n\r\n");
	if (sip_parse(rg_wr_slice(&w), &r->msg) != RG_OK ||
	    sip_register_parse(&r->msg, &r->reg) != RG_OK)
		abort();
}

static uint64_t time_refusal(struct rig *r) {
	struct reg_flow flow = {.bound.lease_idx = RG_LEASE_NONE, .wwsf = UINT16_MAX};
	static const struct rg_addr peer;
	struct rg_lease_view view;
	struct rg_digest digest;
	uint64_t t = bench_ticks();
	bool is_found = reg_find_lease(&r->tokens, &flow, r->reg.bearer, &digest, &view);

	reg_decide(&r->cfg, &flow, &r->reg, &peer, is_found ? &view : NULL, NOW, &r->out);
	t = bench_ticks() - t;
	urcu_qsbr_quiescent_state();
	if (r->out.verdict != REG_ANSWER || r->out.answer.status != 401)
		abort();
	return t;
}

// What must never be.
static uint64_t time_control(struct rig *r) {
	uint64_t t = bench_ticks();
	size_t i = 0;

	while (i < TOKEN_LEN &&
	       ((const volatile uint8_t *)r->reg.bearer.p)[i] == (uint8_t)r->good[i])
		i++;
	bench_keep(i);
	return bench_ticks() - t;
}

static uint64_t sample(struct rig *r, const struct pair *p, unsigned k) {
	write_message(r, &p->variants[k]);
	return p->is_control ? time_control(r) : time_refusal(r);
}

static void add(struct sums *s, double x) {
	double d = x - s->mean;

	s->n++;
	s->mean += d / s->n;
	s->m2 += d * (x - s->mean);
}

static double welch(const struct sums s[2]) {
	double error = sqrt(s[0].m2 / (s[0].n - 1) / s[0].n + s[1].m2 / (s[1].n - 1) / s[1].n);

	return error == 0 ? 0 : (s[0].mean - s[1].mean) / error;
}

static int run(struct rig *r, const struct pair *p, uint64_t n, double ticks_per_ns) {
	static double pilot[N_PILOT];
	struct sums s[2] = {0};
	double t;
	bool is_ok;

	for (unsigned i = 0; i < N_PILOT; i++)
		pilot[i] = (double)sample(r, p, draw(r) & 1);
	qsort(pilot, N_PILOT, sizeof(*pilot), bench_cmp);
	for (uint64_t i = 0; i < n; i++) {
		unsigned k = draw(r) & 1;
		double x = (double)sample(r, p, k);

		if (x <= pilot[(size_t)(N_PILOT * CUT)])
			add(&s[k], x);
	}
	t = welch(s);
	is_ok = (fabs(t) < T_MAX) != p->is_control;
	printf("{\"bench\":\"token_timing\",\"what\":\"%s\",\"samples\":%llu,\"ns\":[%.2f,%.2f],"
	       "\"t\":%.2f,\"passed\":%s}\n",
	       p->name, (unsigned long long)n, s[0].mean / ticks_per_ns, s[1].mean / ticks_per_ns,
	       t, is_ok ? "true" : "false");
	return is_ok ? 0 : 1;
}

int main(int argc, char **argv) {
	static const struct pair pairs[] = {
		{"control", {{T_FAR, "pool-05000"}, {T_NEAR, "pool-05000"}}, true},
		{"identity, known or unknown",
		 {{T_WRONG, "pool-05000"}, {T_WRONG, "nobody-500"}},
		 false},
		{"token, all or the last bytes wrong",
		 {{T_FAR, "pool-05000"}, {T_NEAR, "pool-05000"}},
		 false},
		{"token, wrong or ended",
		 {{T_WRONG, "pool-05000"}, {T_ENDED, "pool-05000"}},
		 false},
	};
	uint64_t n = 1000000;
	static struct rig r;
	double ticks_per_ns;
	int rc = 0;

	if (argc == 3 && strcmp(argv[1], "--samples") == 0)
		n = strtoull(argv[2], NULL, 10);
	if ((argc != 1 && argc != 3) || n < 1000) {
		fprintf(stderr, "usage: %s [--samples 1000..]\n", argv[0]);
		return 2;
	}
	urcu_qsbr_register_thread();
	if (rig_init(&r) != 0) {
		fprintf(stderr, "no memory for leases\n");
		return 1;
	}
	ticks_per_ns = bench_calibrate();
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		rc |= run(&r, &pairs[i], n, ticks_per_ns);
	urcu_qsbr_unregister_thread();
	lease_table_free((struct rg_lease_table *)r.tokens.leases);
	rg_digester_free(r.tokens.digester);
	return rc;
}
