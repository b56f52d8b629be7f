// SPDX-License-Identifier: BSD-3-Clause
// SIP messages, as a datagram and from a stream: the two readers agree, a prefix of a message is
// RG_MORE, written out and read again it is the same, and its answer is a response of its own. What is
// refused is answered by what is clean in it.
#include "fuzz.h"
#include "regate/sip.h"

static void check_in(struct rg_slice in, const struct sip_msg *m) {
	FUZZ_CHECK(m->size <= in.len && m->n_hdrs <= SIP_MAX_HEADERS);
	in.len = m->size;
	fuzz_check_in(in, m->raw);
	fuzz_check_in(in, m->body);
	fuzz_check_in(in, m->ruri);
	fuzz_check_in(in, m->method_name);
	fuzz_check_in(in, m->reason);
	for (unsigned i = 0; i < m->n_hdrs; i++) {
		fuzz_check_in(in, m->hdrs[i].name);
		fuzz_check_in(in, m->hdrs[i].value);
		FUZZ_CHECK(rg_eq(rg_trim(m->hdrs[i].value), m->hdrs[i].value));
	}
	FUZZ_CHECK(m->is_request || (m->status >= 100 && m->status <= 699));
}

static void check_same(const struct sip_msg *a, const struct sip_msg *b) {
	FUZZ_CHECK(a->is_request == b->is_request && a->n_hdrs == b->n_hdrs);
	FUZZ_CHECK(a->is_request ? a->method == b->method && rg_eq(a->ruri, b->ruri)
				 : a->status == b->status && rg_eq(a->reason, b->reason));
	for (unsigned i = 0; i < a->n_hdrs; i++)
		FUZZ_CHECK(a->hdrs[i].id == b->hdrs[i].id &&
			   rg_eq(a->hdrs[i].name, b->hdrs[i].name) &&
			   rg_eq(a->hdrs[i].value, b->hdrs[i].value));
	FUZZ_CHECK(rg_eq(a->body, b->body));
}

// `gap` stands before each value.
static void check_written(const struct sip_msg *m, const char *gap) {
	static uint8_t buf[SIP_MAX_MSG];
	static struct sip_msg back;
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	if (m->is_request) {
		rg_put(&w, m->method_name);
		rg_puts(&w, " ");
		rg_put(&w, m->ruri);
		rg_puts(&w, " SIP/2.0\r\n");
	} else {
		rg_puts(&w, "SIP/2.0 ");
		rg_put_u64(&w, m->status);
		rg_puts(&w, " ");
		rg_put(&w, m->reason);
		rg_puts(&w, "\r\n");
	}
	for (unsigned i = 0; i < m->n_hdrs; i++) {
		rg_put(&w, m->hdrs[i].name);
		rg_puts(&w, ":");
		rg_puts(&w, gap);
		rg_put(&w, m->hdrs[i].value);
		rg_puts(&w, "\r\n");
	}
	rg_puts(&w, "\r\n");
	rg_put(&w, m->body);
	FUZZ_CHECK(*gap != '\0' || (!w.overflow && w.len <= m->raw.len));
	if (w.overflow)
		return;
	FUZZ_CHECK(sip_parse(fuzz_guard(1, rg_wr_slice(&w)), &back) == RG_OK);
	check_same(m, &back);
}

static void check_answer(const struct sip_msg *m) {
	static uint8_t buf[2 * SIP_MAX_MSG];
	static struct sip_msg back;
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct rg_addr peer = rg_addr_v4(0, 9);
	struct sip_answer a = {.status = 200, .peer = &peer, .to_tag = RG_LIT("t")};
	const struct sip_hdr *h, *g;

	sip_put_answer(&w, m, &a);
	FUZZ_CHECK(!w.overflow);
	if (w.len > SIP_MAX_MSG)
		return;
	FUZZ_CHECK(sip_parse_stream(rg_wr_slice(&w), &back) == RG_OK && back.size == w.len);
	FUZZ_CHECK(!back.is_request && back.status == 200 && back.body.len == 0);
	FUZZ_CHECK(rg_eq(sip_hdr_first(&back, SIP_HDR_CALL_ID)->value,
			 sip_hdr_first(m, SIP_HDR_CALL_ID)->value));
	h = sip_hdr_first(m, SIP_HDR_VIA);
	g = sip_hdr_first(&back, SIP_HDR_VIA);
	for (; h != NULL; h = sip_hdr_next(m, h), g = sip_hdr_next(&back, g))
		FUZZ_CHECK(g != NULL);
	FUZZ_CHECK(g == NULL);
}

// Lines as many as headers and three more, of text, from its head, whatever the request has.
static void check_refusal(struct rg_slice in) {
	static uint8_t buf[2 * SIP_MAX_MSG];
	static struct sip_msg m;
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct rg_addr peer = rg_addr_v4(0, 9);
	int status = sip_refusal(in, &m);
	struct sip_answer a = {.status = (unsigned)status, .peer = &peer, .to_tag = RG_LIT("t")};
	unsigned n_lines = 0;
	const uint8_t *end;

	FUZZ_CHECK(status == RG_E_PROTO || status == 0 || status == 400 || status == 505);
	if (status <= 0)
		return;
	end = memmem(in.p, in.len, "\r\n\r\n", 4);
	for (unsigned i = 0; i < m.n_hdrs; i++) {
		fuzz_check_in(in, m.hdrs[i].value);
		FUZZ_CHECK(end == NULL || m.hdrs[i].value.p + m.hdrs[i].value.len <= end);
	}
	sip_put_answer(&w, &m, &a);
	FUZZ_CHECK(!w.overflow && m.is_request);
	for (size_t i = 0; i < w.len; i++) {
		FUZZ_CHECK(buf[i] >= ' ' || buf[i] == '\t' || buf[i] == '\r' || buf[i] == '\n');
		FUZZ_CHECK(buf[i] != '\r' || (i + 1 < w.len && buf[i + 1] == '\n'));
		FUZZ_CHECK(buf[i] != '\n' || (i > 0 && buf[i - 1] == '\r'));
		n_lines += buf[i] == '\n' &&
			   (i + 1 == w.len || (buf[i + 1] != ' ' && buf[i + 1] != '\t'));
	}
	FUZZ_CHECK(n_lines == m.n_hdrs + 3);
}

// The whole was found to be rc, in `size` bytes when RG_OK.
static void check_prefixes(struct rg_slice in, int rc, size_t size) {
	static struct sip_msg m;

	for (size_t n = 0; n < in.len; n = fuzz_next_cut(n)) {
		int part = sip_parse_stream(fuzz_guard(1, rg_slice(in.p, n)), &m);

		FUZZ_CHECK(part == RG_MORE || part == rc);
		FUZZ_CHECK(rc != RG_OK || (part == RG_OK) == (n >= size));
		FUZZ_CHECK(part != RG_OK || m.size == size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	static struct sip_msg m, s;
	struct rg_slice in;
	int rc, rs;

	if (len > SIP_MAX_MSG + 512)
		return 0;
	in = fuzz_guard(0, rg_slice(p, len));
	rc = sip_parse(in, &m);
	rs = sip_parse_stream(in, &s);
	FUZZ_CHECK(rc == RG_OK || rc == RG_E_PROTO || rc == RG_E_LIMIT);
	FUZZ_CHECK(rs == RG_MORE || rs == RG_OK || rs == RG_E_PROTO || rs == RG_E_LIMIT);
	if (rs == RG_OK)
		check_in(in, &s);
	check_prefixes(in, rs, s.size);
	if (rs == RG_OK && rc == RG_OK) {
		FUZZ_CHECK(m.size == s.size);
		check_same(&m, &s);
	}
	if (rc != RG_OK) {
		check_refusal(in);
		return 0;
	}
	check_in(in, &m);
	check_written(&m, "");
	check_written(&m, "\r\n ");
	check_written(&m, " \r\n\t");
	if (m.is_request)
		check_answer(&m);
	(void)sip_is_keepalive(in);
	return 0;
}
