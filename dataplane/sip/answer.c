// SPDX-License-Identifier: BSD-3-Clause
// Writes one answer to a request, from the request's own bytes. Any thread; never allocates.
#include "low.h"
#include "regate/err.h"
#include "value.h"

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

static void put_status_line(struct rg_wr *w, const struct sip_answer *a) {
	rg_put(w, RG_LIT("SIP/2.0 "));
	rg_put_u64(w, a->status);
	rg_putc(w, ' ');
	rg_puts(w, a->reason == NULL ? sip_reason(a->status) : a->reason);
	rg_put(w, RG_LIT("\r\n"));
}

// A header as the request has it.
static void put_header(struct rg_wr *w, const struct sip_hdr *h) {
	rg_put(w, rg_slice(h->name.p, (size_t)(h->value.p + h->value.len - h->name.p)));
	rg_put(w, RG_LIT("\r\n"));
}

static void put_ip(struct rg_wr *w, const struct rg_addr *a) {
	if (!rg_addr_is_v4(a)) {
		rg_put_ip(w, a);
		return;
	}
	for (unsigned i = 12; i < 16; i++) { // the library's formatting costs more than the rest
		if (i > 12)
			rg_putc(w, '.');
		rg_put_u64(w, a->ip[i]);
	}
}

static bool is_peer_param(struct rg_slice name) {
	return SIP_IS(name, "received") || SIP_IS(name, "rport");
}

// The topmost Via as we saw it come (RFC 3261 18.2.1, RFC 3581 4): what the client wrote into
// received and rport gives way to the truth. False when its parameters do not parse.
static bool put_top_via(struct rg_wr *w, struct sip_text list, const struct rg_addr *peer) {
	const uint8_t *start;
	struct sip_text top;
	struct sip_pv pv;
	int rc;

	if (!sip_list_cut(&list, &top))
		return false;
	start = top.p;
	top.p = sip_seek_byte(';', top); // nothing before the parameters has one
	rg_put(w, sip_piece(start, top.p));
	while (start = top.p, (rc = sip_param_cut(&top, &pv)) == RG_MORE)
		if (!is_peer_param(pv.name))
			rg_put(w, sip_piece(start, top.p));
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

static void put_via(struct rg_wr *w, const struct sip_hdr *h, const uint8_t *lim,
		    const struct rg_addr *peer) {
	size_t len = w->len;

	if (peer != NULL) {
		rg_put(w, RG_LIT("Via: "));
		if (put_top_via(w, sip_text(h->value, lim), peer))
			return;
		w->len = len; // only an error answer gets here: give it back as it came
	}
	put_header(w, h);
}

static bool has_tag(struct rg_slice to) {
	struct sip_nameaddr n;
	struct rg_slice tag;

	if (to.len > 0 && to.p[to.len - 1] == '>') // no parameters
		return false;
	return sip_nameaddr_cut(sip_text_alone(to), &n) == RG_OK &&
	       sip_param(n.params, RG_LIT("tag"), &tag);
}

static void put_to(struct rg_wr *w, const struct sip_hdr *h, struct rg_slice tag) {
	if (tag.len == 0 || has_tag(h->value)) {
		put_header(w, h);
		return;
	}
	rg_put(w, RG_LIT("To: "));
	rg_put(w, h->value);
	rg_put(w, RG_LIT(";tag="));
	rg_put(w, tag);
	rg_put(w, RG_LIT("\r\n"));
}

void sip_put_answer(struct rg_wr *w, const struct sip_msg *req, const struct sip_answer *a) {
	const struct rg_addr *peer = a->peer;

	put_status_line(w, a);
	for (unsigned i = 0; i < req->n_hdrs; i++) { // RFC 3261 8.2.6.2; all Vias, in their order
		const struct sip_hdr *h = &req->hdrs[i];

		switch (h->id) {
		case SIP_HDR_VIA:
			put_via(w, h, req->raw.p + req->raw.len, peer);
			peer = NULL;
			break;
		case SIP_HDR_TO:
			put_to(w, h, a->to_tag);
			break;
		case SIP_HDR_FROM:
		case SIP_HDR_CALL_ID:
		case SIP_HDR_CSEQ:
			put_header(w, h);
			break;
		default:
			break;
		}
	}
	if (a->contact.len > 0) {
		rg_put(w, RG_LIT("Contact: "));
		rg_put(w, a->contact);
		rg_put(w, RG_LIT(";expires="));
		rg_put_u64(w, a->expires);
		rg_put(w, RG_LIT("\r\n"));
	}
	rg_put(w, a->headers);
	rg_put(w, RG_LIT("Content-Length: 0\r\n\r\n"));
}
