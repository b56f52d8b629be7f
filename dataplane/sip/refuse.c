// SPDX-License-Identifier: BSD-3-Clause
// What can be said of a message that sip_parse() refused: a request gets its 400 when there is a Via to
// send it along (RFC 3261 21.4.1). And of one that wants more than we have. Any thread; borrows, never
// allocates.
#include "hdr.h"
#include "low.h"
#include "regate/err.h"
#include "text.h"

// To the CRLF that ends the line at p with its folds, or the end of the input.
static const uint8_t *line_end(const uint8_t *p, const uint8_t *lim) {
	for (; lim - p > 1; p++)
		if (SIP_AT(p, "\r\n") && (lim - p == 2 || (p[2] != ' ' && p[2] != '\t')))
			return p;
	return lim;
}

// May it stand in an answer? Nothing in it but text, blanks and folds.
static bool is_clean(struct rg_slice s) {
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\r' && i + 2 < s.len && s.p[i + 1] == '\n' &&
		    (s.p[i + 2] == ' ' || s.p[i + 2] == '\t'))
			i += 2;
		else if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	}
	return true;
}

// A request by its first word, which is no method's, and its last, which is a version.
static int start_line(struct rg_slice line, struct sip_msg *m) {
	size_t n = sip_span(&SIP_TOKEN, line);
	struct rg_slice version;

	m->is_request = n > 0 && n < line.len && (line.p[n] == ' ' || line.p[n] == '\t');
	if (!m->is_request) // "SIP/2.0 200 OK" is none: never answered
		return line.len > 4 && sip_low_eq(line.p, "sip", 3) && line.p[3] == '/'
			       ? 0
			       : RG_E_PROTO;
	m->method = rg_eq(rg_slice(line.p, n), RG_LIT("ACK")) ? SIP_ACK : SIP_OTHER_METHOD;
	line = rg_trim(line);
	for (n = line.len; n > 0 && line.p[n - 1] != ' ' && line.p[n - 1] != '\t'; n--)
		;
	version = rg_skip(line, n);
	if (version.len < 4 || !sip_low_eq(version.p, "sip", 3) || version.p[3] != '/')
		return RG_E_PROTO;
	if (m->method == SIP_ACK) // RFC 3261 17.1.1.3
		return 0;
	return SIP_IS(version, "sip/2.0") ? 400 : 505;
}

// Keeps what an answer copies; of what stands once the first.
static void take_header(struct rg_slice line, struct sip_msg *m) {
	struct sip_hdr *h = &m->hdrs[m->n_hdrs];
	size_t n = sip_span(&SIP_TOKEN, line);

	h->name = rg_slice(line.p, n);
	h->id = sip_hdr_id(h->name);
	line = rg_trim(rg_skip(line, n));
	if (line.len == 0 || *line.p != ':')
		return;
	h->value = rg_trim(rg_skip(line, 1));
	switch (h->id) {
	case SIP_HDR_FROM:
	case SIP_HDR_TO:
	case SIP_HDR_CALL_ID:
	case SIP_HDR_CSEQ:
		if ((m->seen >> h->id & 1) != 0)
			return;
		break;
	case SIP_HDR_VIA:
		break;
	default:
		return;
	}
	if (h->value.len == 0 || !is_clean(sip_piece(h->name.p, h->value.p + h->value.len)))
		return;
	m->seen |= 1u << h->id;
	m->n_hdrs++;
}

int sip_refusal(struct rg_slice in, struct sip_msg *m) {
	const uint8_t *p = in.p, *lim = in.p + in.len, *end = line_end(p, lim);
	int status = start_line(sip_piece(p, end), m);

	m->raw = in;
	m->seen = 0;
	m->n_hdrs = 0;
	while (end < lim && m->n_hdrs < SIP_MAX_HEADERS) {
		p = end + 2;
		if (lim - p > 1 && SIP_AT(p, "\r\n")) // the body, also one that looks like a fold
			break;
		end = line_end(p, lim);
		take_header(sip_piece(p, end), m);
	}
	return status <= 0 || (m->seen >> SIP_HDR_VIA & 1) != 0 ? status : RG_E_PROTO;
}

static bool is_supported(struct rg_slice option) {
	return SIP_IS(option, "path") || SIP_IS(option, "outbound") || SIP_IS(option, "gruu");
}

static void put_unsupported(struct rg_wr *w, const struct sip_msg *m, enum sip_hdr_id id) {
	for (const struct sip_hdr *h = sip_hdr_one(m, id); h != NULL; h = sip_hdr_more(m, h)) {
		struct rg_slice list = h->value, option;

		while (sip_list_next(&list, &option)) {
			if (option.len == 0 || is_supported(option) || !sip_all(&SIP_TOKEN, option))
				continue;
			rg_puts(w, w->len == 0 ? "Unsupported: " : ", ");
			rg_put(w, option);
		}
	}
}

void sip_put_unsupported(struct rg_wr *w, const struct sip_msg *m) {
	put_unsupported(w, m, SIP_HDR_REQUIRE);
	put_unsupported(w, m, SIP_HDR_PROXY_REQUIRE);
	if (w->len > 0)
		rg_puts(w, "\r\n");
}
