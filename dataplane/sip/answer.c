// SPDX-License-Identifier: BSD-3-Clause
// Writes one answer to a request, from the request's own bytes. Any thread; never allocates.
#include "low.h"
#include "regate/err.h"
#include "value.h"

// The writer of an answer stays in registers when all that writes is one function.
#define INLINE inline __attribute__((always_inline))

const char *sip_reason(unsigned status) {
	static const struct {
		unsigned status;
		const char *reason;
	} reasons[] = {
		{200, "OK"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{500, "Server Internal Error"},
		{503, "Service Unavailable"},
		{100, "Trying"},
		{180, "Ringing"},
		{181, "Call Is Being Forwarded"},
		{182, "Queued"},
		{183, "Session Progress"},
		{202, "Accepted"},
		{300, "Multiple Choices"},
		{301, "Moved Permanently"},
		{302, "Moved Temporarily"},
		{305, "Use Proxy"},
		{380, "Alternative Service"},
		{400, "Bad Request"},
		{402, "Payment Required"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{407, "Proxy Authentication Required"},
		{408, "Request Timeout"},
		{410, "Gone"},
		{413, "Request Entity Too Large"},
		{414, "Request-URI Too Long"},
		{415, "Unsupported Media Type"},
		{416, "Unsupported URI Scheme"},
		{420, "Bad Extension"},
		{421, "Extension Required"},
		{423, "Interval Too Brief"},
		{430, "Flow Failed"},
		{439, "First Hop Lacks Outbound Support"},
		{480, "Temporarily Unavailable"},
		{481, "Call/Transaction Does Not Exist"},
		{482, "Loop Detected"},
		{483, "Too Many Hops"},
		{484, "Address Incomplete"},
		{485, "Ambiguous"},
		{486, "Busy Here"},
		{487, "Request Terminated"},
		{488, "Not Acceptable Here"},
		{489, "Bad Event"},
		{491, "Request Pending"},
		{493, "Undecipherable"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{504, "Server Time-out"},
		{505, "Version Not Supported"},
		{513, "Message Too Large"},
		{600, "Busy Everywhere"},
		{603, "Decline"},
		{604, "Does Not Exist Anywhere"},
		{606, "Not Acceptable"},
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static INLINE void put_status_line(struct rg_wr *w, const struct sip_answer *a) {
	if (a->status == 200 && a->reason == NULL) {
		rg_put(w, RG_LIT("SIP/2.0 200 OK\r\n"));
		return;
	}
	rg_put(w, RG_LIT("SIP/2.0 "));
	rg_put_u64(w, a->status);
	rg_putc(w, ' ');
	rg_puts(w, a->reason == NULL ? sip_reason(a->status) : a->reason);
	rg_put(w, RG_LIT("\r\n"));
}

// Bytes of the request that are copied together, because the headers in question often stand side
// by side.
struct run {
	const uint8_t *from, *to;
};

static INLINE void run_end(struct rg_wr *w, struct run *r) {
	if (r->to > r->from)
		rg_put(w, sip_piece(r->from, r->to));
	r->from = r->to = NULL;
}

// A header as the request has it, up to its line end.
static INLINE void put_line(struct rg_wr *w, struct run *r, const struct sip_hdr *h) {
	const uint8_t *end = h->value.p + h->value.len;

	if (r->to == NULL || h->name.p != r->to + 2) {
		if (r->to != NULL) {
			run_end(w, r);
			rg_put(w, RG_LIT("\r\n"));
		}
		r->from = h->name.p;
	}
	r->to = end;
}

// Ends the line that put_line() began.
static INLINE void end_line(struct rg_wr *w, struct run *r) {
	if (r->to == NULL)
		return;
	run_end(w, r);
	rg_put(w, RG_LIT("\r\n"));
}

// Number below 1000 in decimal.
static INLINE uint8_t *put_small(uint8_t *p, unsigned v) {
	if (v >= 100)
		*p++ = (uint8_t)('0' + v / 100);
	if (v >= 10)
		*p++ = (uint8_t)('0' + v / 10 % 10);
	*p++ = (uint8_t)('0' + v % 10);
	return p;
}

static INLINE void put_ip(struct rg_wr *w, const struct rg_addr *a) {
	uint8_t text[64], *p = text;

	if (!rg_addr_is_v4(a)) {
		struct rg_wr ip6 = rg_wr(text, sizeof(text));

		rg_put_ip(&ip6, a);
		rg_put(w, rg_wr_slice(&ip6));
		return;
	}
	for (unsigned i = 12; i < 16; i++) { // the library's formatting costs more than the rest
		p = put_small(p, a->ip[i]);
		*p++ = '.';
	}
	rg_put(w, sip_piece(text, p - 1));
}

static bool is_peer_param(struct rg_slice name) {
	return SIP_IS(name, "received") || SIP_IS(name, "rport");
}

// The topmost Via as we saw it come (RFC 3261 18.2.1, RFC 3581 4): what the client wrote into
// received and rport gives way to the truth. False when its parameters do not parse.
static INLINE bool put_top_via(struct rg_wr *w, struct sip_text list, const struct rg_addr *peer) {
	struct sip_text top;
	struct sip_pv pv;
	struct run run;
	int rc;

	if (!sip_list_cut(&list, &top))
		return false;
	run.from = top.p;
	top.p = sip_seek_byte(';', top); // nothing before the parameters has one
	while (run.to = top.p, (rc = sip_param_cut(&top, &pv)) == RG_MORE) {
		if (!is_peer_param(pv.name))
			continue;
		run_end(w, &run);
		run.from = top.p;
	}
	run_end(w, &run);
	rg_put(w, RG_LIT(";received="));
	put_ip(w, peer);
	rg_put(w, RG_LIT(";rport="));
	rg_put_u64(w, peer->port);
	if (list.p < list.end) {
		rg_put(w, RG_LIT(", "));
		rg_put(w, sip_piece(list.p, list.end));
	}
	rg_put(w, RG_LIT("\r\n"));
	return rc == RG_OK;
}

// False when it does not parse: only an error answer gets here, and it goes back as it came.
static INLINE bool put_via(struct rg_wr *w, const struct sip_hdr *h, const uint8_t *lim,
			   const struct rg_addr *peer) {
	size_t len = w->len;

	rg_put(w, RG_LIT("Via: "));
	if (put_top_via(w, sip_text(h->value, lim), peer))
		return true;
	w->len = len;
	return false;
}

static bool has_tag(struct rg_slice to) {
	struct sip_nameaddr n;
	struct rg_slice tag;

	if (to.len > 0 && to.p[to.len - 1] == '>') // no parameters
		return false;
	return sip_nameaddr_cut(sip_text_alone(to), &n) == RG_OK &&
	       sip_param(n.params, RG_LIT("tag"), &tag);
}

// RFC 3261 8.2.6.2; all Vias, in their order.
static INLINE void put_copied(struct rg_wr *w, const struct sip_msg *req,
			      const struct sip_answer *a) {
	const struct rg_addr *peer = a->peer;
	struct run run = {NULL, NULL};

	for (unsigned i = 0; i < req->n_hdrs; i++) {
		const struct sip_hdr *h = &req->hdrs[i];

		switch (h->id) {
		case SIP_HDR_VIA:
			if (peer != NULL) {
				end_line(w, &run);
				if (!put_via(w, h, req->raw.p + req->raw.len, peer))
					put_line(w, &run, h);
				peer = NULL;
				break;
			}
			put_line(w, &run, h);
			break;
		case SIP_HDR_TO:
			put_line(w, &run, h);
			if (a->to_tag.len == 0 || has_tag(h->value))
				break;
			run_end(w, &run);
			rg_put(w, RG_LIT(";tag="));
			rg_put(w, a->to_tag);
			rg_put(w, RG_LIT("\r\n"));
			break;
		case SIP_HDR_FROM:
		case SIP_HDR_CALL_ID:
		case SIP_HDR_CSEQ:
			put_line(w, &run, h);
			break;
		default:
			break;
		}
	}
	end_line(w, &run);
}

void sip_put_answer(struct rg_wr *out, const struct sip_msg *req, const struct sip_answer *a) {
	struct rg_wr w = *out;

	put_status_line(&w, a);
	put_copied(&w, req, a);
	if (a->contact.len > 0) {
		rg_put(&w, RG_LIT("Contact: "));
		rg_put(&w, a->contact);
		rg_put(&w, RG_LIT(";expires="));
		rg_put_u64(&w, a->expires);
		rg_put(&w, RG_LIT("\r\n"));
	}
	rg_put(&w, a->headers);
	for (unsigned i = 0; i < a->n_more; i++)
		rg_put(&w, a->more[i]);
	rg_put(&w, RG_LIT("Content-Length: 0\r\n\r\n"));
	*out = w;
}
