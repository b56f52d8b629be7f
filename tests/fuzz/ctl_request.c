// SPDX-License-Identifier: BSD-3-Clause
// What comes over the operator's socket: however the bytes are cut, the same answers come back, each
// a JSON object of the protocol; and the server has no client left when its peer has gone.
#include <stdlib.h>

#include "ctl/ctl_int.h"
#include "fuzz.h"
#include "harness.h"

#define MAX_OUT 262144

struct run {
	struct rg_wr out;
	bool is_closed;
};

// Answers to the stream in pieces of `cut` bytes.
static void ask(struct rg_slice in, size_t cut, struct run *r, uint8_t *mem) {
	struct env_sim_end *end;
	struct harness h;
	ssize_t n;

	harness_start(&h, true);
	fake.n_pairs = 2;
	fake.pairs = calloc(2, sizeof(*fake.pairs));
	for (uint32_t i = 0; i < 2; i++)
		fake.pairs[i] = (struct lease){.idx = i, .impi = "a@b", .impu = "sip:a@b"};
	end = harness_connect(&h);
	r->out = rg_wr(mem, MAX_OUT);
	while (in.len > 0) {
		size_t k = in.len < cut ? in.len : cut;

		if (env_sim_write(end, rg_slice(in.p, k)) != 0)
			break;
		env_sim_settle(h.env);
		in = rg_skip(in, k);
	}
	env_sim_advance(h.env, 20 * RG_NS_PER_S); // the workers of the stand-in do not answer
	do {
		static uint8_t b[4096];

		n = env_sim_read(end, b, sizeof(b));
		if (n > 0)
			rg_put(&r->out, rg_slice(b, (size_t)n));
		env_sim_settle(h.env);
	} while (n > 0);
	r->is_closed = n == 0;
	env_sim_hangup(end);
	env_sim_advance(h.env, 2 * RG_NS_PER_S);
	for (unsigned i = 0; i < CTL_MAX_CLIENTS; i++)
		FUZZ_CHECK(h.ctl->clients[i].sock == NULL);
	harness_stop(&h);
}

static void check_answers(struct rg_slice out) {
	while (out.len > 0) {
		struct rg_rd rd = rg_rd(out);
		size_t n = rg_rd_be(&rd, 4);
		struct rg_slice text = rg_rd_bytes(&rd, n);
		json_t *o;

		FUZZ_CHECK(!rd.bad && n <= RG_CTL_MAX);
		o = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
		FUZZ_CHECK(json_is_string(json_object_get(o, "schema")));
		FUZZ_CHECK(json_is_boolean(json_object_get(o, "ok")));
		json_decref(o);
		out = rg_skip(out, 4 + n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	static uint8_t mem[2][MAX_OUT];
	struct run whole, part;

	if (len > 4096)
		return 0;
	ask(rg_slice(p, len), SIZE_MAX, &whole, mem[0]);
	ask(rg_slice(p, len), len < 200 ? 1 : 61, &part, mem[1]);
	FUZZ_CHECK(whole.is_closed == part.is_closed && whole.out.overflow == part.out.overflow);
	FUZZ_CHECK(rg_eq(rg_wr_slice(&whole.out), rg_wr_slice(&part.out)));
	if (!whole.out.overflow)
		check_answers(rg_wr_slice(&whole.out));
	return 0;
}
