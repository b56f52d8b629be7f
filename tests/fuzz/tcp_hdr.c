// SPDX-License-Identifier: BSD-3-Clause
// TCP header and options: cut inside the header it is refused, cut inside the data nothing else
// changes; written out and read again it says the same.
#include "tcp/tcp_hdr.h"
#include "fuzz.h"

static void check_same(const struct tcp_seg *a, const struct tcp_seg *b) {
	FUZZ_CHECK(a->seq == b->seq && a->ack == b->ack && a->wnd == b->wnd);
	FUZZ_CHECK(a->flags == b->flags && a->wscale == b->wscale && a->mss == b->mss);
	FUZZ_CHECK(a->has_sack_ok == b->has_sack_ok && a->has_ts == b->has_ts);
	FUZZ_CHECK(!a->has_ts || (a->ts_val == b->ts_val && a->ts_ecr == b->ts_ecr));
	FUZZ_CHECK(a->n_sack == b->n_sack);
	for (unsigned i = 0; i < a->n_sack; i++)
		FUZZ_CHECK(a->sack[i].seq == b->sack[i].seq && a->sack[i].end == b->sack[i].end);
}

static void check_cuts(struct rg_slice in, const struct tcp_seg *s) {
	size_t header_len = in.len - s->data.len;
	struct tcp_seg cut;

	for (size_t n = 0; n < in.len; n = fuzz_next_cut(n)) {
		int rc = tcp_hdr_parse(fuzz_guard(1, rg_slice(in.p, n)), &cut);

		FUZZ_CHECK(rc == (n < header_len ? RG_E_PROTO : RG_OK));
		if (rc != RG_OK)
			continue;
		FUZZ_CHECK(cut.data.len == n - header_len);
		check_same(s, &cut);
	}
}

static void check_written(const struct tcp_seg *s) {
	struct tcp_out o = {.src = {.port = 443}, .dst = {.port = 50000}};
	struct tcp_seg back;

	tcp_hdr_put(&o, s);
	FUZZ_CHECK(o.header_len >= TCP_HDR_LEN && o.header_len <= sizeof(o.header));
	FUZZ_CHECK(tcp_hdr_parse(fuzz_guard(1, rg_slice(o.header, o.header_len)), &back) == RG_OK);
	FUZZ_CHECK(back.data.len == 0);
	check_same(s, &back);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	struct tcp_seg s, before;
	struct rg_slice in;
	int rc;

	if (len > 2048)
		return 0;
	in = fuzz_guard(0, rg_slice(p, len));
	memset(&before, 0xa5, sizeof(before));
	memcpy(&s, &before, sizeof(s));
	rc = tcp_hdr_parse(in, &s);
	if (rc != RG_OK) {
		FUZZ_CHECK(rc == RG_E_PROTO && memcmp(&s, &before, sizeof(s)) == 0);
		return 0;
	}
	FUZZ_CHECK(s.n_sack <= TCP_SACK_MAX && s.data.len <= len - TCP_HDR_LEN);
	FUZZ_CHECK(s.data.len == 0 || s.data.p + s.data.len == in.p + in.len);
	FUZZ_CHECK(s.wscale <= TCP_WSCALE_MAX || s.wscale == TCP_WSCALE_NONE);
	check_cuts(in, &s);
	check_written(&s);
	return 0;
}
