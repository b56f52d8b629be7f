// SPDX-License-Identifier: BSD-3-Clause
// What a registrar reads in a REGISTER. Any thread; borrows, never allocates.
#include "hdr.h"
#include "quick.h"
#include "regate/err.h"
#include "value.h"

#define MALFORMED_EXPIRES_S 3600 // RFC 3261 20.10

struct walk { // what is read so far
	struct sip_register r;
	const uint8_t *lim; // of the message
	bool has_contact_expires;
	uint32_t contact_expires;
};

// "SIP/2.0/WSS host;branch=value[;rport]"
static bool quick_via(struct sip_text t, struct sip_via *v) {
	const uint8_t *p = t.p + 10, *host;
	uint32_t other;

	if (t.lim - t.p < 128 || !SIP_AT(t.p, "SIP/2.0/WS"))
		return false;
	p += *p == 'S';
	if (*p != ' ')
		return false;
	v->transport = sip_piece(t.p + 8, p);
	host = p + 1;
	p = host + sip_quick_host(host, t.end);
	if (p == host || !SIP_AT(p, ";branch="))
		return false;
	v->host = sip_piece(host, p);
	v->params = sip_piece(p, t.end);
	p += 8;
	other = ~sip_match32(&SIP_VALUE, p);
	if (other == 0 || (other & 1) != 0)
		return false;
	v->branch = rg_slice(p, (unsigned)__builtin_ctz(other));
	v->port = 0;
	p += v->branch.len;
	return p == t.end || (t.end - p == 6 && SIP_AT(p, ";rport"));
}

static int take_via(struct sip_register *r, struct sip_text value) {
	struct sip_text top;
	struct sip_via via;

	if (quick_via(value, &via)) {
		r->via = via;
		return RG_OK;
	}
	return sip_list_cut(&value, &top) ? sip_via_cut(top, &r->via) : RG_E_PROTO;
}

// Bytes of a SIP URI in URIC, "sip:" and more, in "<" ">" at t; 0 when it is none, or longer than 59.
static inline size_t quick_brackets(struct sip_text t) {
	uint64_t other;
	size_t n;

	if (t.lim - t.p < 65 || !SIP_AT(t.p, "<sip:"))
		return 0;
	other = ~sip_match64(&SIP_URIC, t.p + 1);
	n = (size_t)__builtin_ctzll(other | UINT64_C(1) << 63);
	return n > 4 && t.p[n + 1] == '>' ? n : 0;
}

// "<uri>[;tag=value]"
static inline __attribute__((always_inline)) bool quick_party(struct sip_text t,
							      struct rg_slice *uri,
							      struct rg_slice *tag) {
	size_t n = quick_brackets(t);
	const uint8_t *p = t.p + n + 2;
	uint32_t other;

	if (n == 0)
		return false;
	if (p < t.end) {
		if (t.lim - p < 40 || !SIP_AT(p, ";tag="))
			return false;
		p += 5;
		other = ~sip_match32(&SIP_VALUE, p);
		if (other == 0 || (other & 1) != 0 || p + __builtin_ctz(other) != t.end)
			return false;
		*tag = sip_piece(p, t.end);
	}
	*uri = rg_slice(t.p + 1, n);
	return true;
}

// As take_party(), in any form.
static __attribute__((noinline)) int party_any(struct sip_text value, struct rg_slice *uri,
					       struct rg_slice *tag) {
	struct sip_nameaddr n;
	struct sip_text params;
	struct sip_pv pv;
	int rc;

	if (sip_nameaddr_cut(value, &n) < 0)
		return RG_E_PROTO;
	params = sip_text(n.params, value.lim);
	while ((rc = sip_param_cut(&params, &pv)) == RG_MORE) {
		if (!SIP_IS(pv.name, "tag"))
			continue;
		if (tag->len > 0 || pv.value.len == 0)
			return RG_E_PROTO;
		*tag = pv.value;
	}
	*uri = n.uri;
	return rc;
}

// From and To: the URI and the tag.
static inline int take_party(struct sip_text value, struct rg_slice *uri, struct rg_slice *tag) {
	return quick_party(value, uri, tag) ? RG_OK : party_any(value, uri, tag);
}

// Such a number and what may follow it in a Contact. NULL when it is something else.
static inline const uint8_t *quick_number(const uint8_t *p, const uint8_t *end, uint32_t *v) {
	p = sip_quick_number(p, v);
	return p != NULL && (p == end || (p < end && *p == ';')) ? p : NULL;
}

struct contact_params {
	struct rg_slice instance;
	uint32_t reg_id, expires;
	bool has_expires;
};

// Behind a parameter without a value at p, of another name than those we want; NULL when it is none.
static inline const uint8_t *quick_flag(const uint8_t *p, const uint8_t *end) {
	uint32_t other = ~sip_match32(&SIP_TOKEN, p + 1);
	unsigned n = (unsigned)__builtin_ctzll(other | UINT64_C(1) << 32);

	if (*p != ';' || n == 0 || n == 6 || n == 7 || n == 13) // reg-id, expires, +sip.instance
		return NULL;
	p += n + 1;
	return p == end || (p < end && *p == ';') ? p : NULL;
}

// Cuts one parameter, plainly written, off *p.
static inline bool quick_contact_param(const uint8_t **p, const uint8_t *end,
				       struct contact_params *c) {
	uint64_t quote;
	unsigned n;

	if (SIP_AT(*p, ";expires=") && !c->has_expires) {
		c->has_expires = true;
		*p = quick_number(*p + 9, end, &c->expires);
		return *p != NULL;
	}
	if (SIP_AT(*p, ";reg-id=") && c->reg_id == 0) {
		*p = quick_number(*p + 8, end, &c->reg_id);
		return *p != NULL && c->reg_id != 0;
	}
	if (!SIP_AT(*p, ";+sip.instance=\"") || c->instance.len > 0) {
		*p = quick_flag(*p, end);
		return *p != NULL;
	}
	quote = sip_match64(&SIP_QUOTE, *p + 16);
	n = (unsigned)__builtin_ctzll(quote | UINT64_C(1) << 63);
	c->instance = rg_slice(*p + 15, n + 2);
	*p += n + 17;
	return n > 0 && *p <= end && (*p)[-1] == '"';
}

// "<uri>" with such parameters, and nothing else.
static bool quick_contact(struct walk *w, struct sip_text t) {
	struct contact_params c = {.has_expires = false};
	const uint8_t *start, *p;
	size_t n;

	if (t.lim - t.end < 80 || t.lim - t.p < SIP_QUICK_URI || *t.p != '<')
		return false;
	n = _tzcnt_u64(sip_match_byte64('>', t.p + 1));
	if (n == 64 || !sip_quick_uri(t.p + 1, t.p + 1 + n, t.lim))
		return false;
	p = start = t.p + n + 2;
	while (p != t.end)
		if (!quick_contact_param(&p, t.end, &c))
			return false;
	w->has_contact_expires = c.has_expires;
	w->contact_expires = c.expires;
	w->r.contact = sip_piece(t.p, t.end);
	w->r.contact_uri = rg_slice(t.p + 1, n);
	w->r.contact_params = sip_piece(start, t.end);
	w->r.instance = c.instance;
	w->r.reg_id = c.reg_id;
	return true;
}

// Every Contact element is counted; the first is kept.
static int take_contact(struct walk *w, struct sip_text value) {
	struct sip_text element;

	if (value.p == value.end)
		return RG_E_PROTO;
	if (w->r.n_contacts == 0 && quick_contact(w, value)) {
		w->r.n_contacts = 1;
		return RG_OK;
	}
	while (sip_list_cut(&value, &element)) {
		if (element.p == element.end)
			return RG_E_PROTO;
		if (w->r.n_contacts++ == 0)
			w->r.contact = sip_piece(element.p, element.end);
	}
	return RG_OK;
}

// One parameter of the Contact. A parameter stands once (RFC 3261 7.3.1).
static int take_contact_param(struct walk *w, const struct sip_pv *pv) {
	struct sip_register *r = &w->r;

	if (SIP_IS(pv->name, "expires")) {
		if (w->has_contact_expires)
			return RG_E_PROTO;
		w->has_contact_expires = true;
		if (!sip_seconds(pv->value, &w->contact_expires))
			w->contact_expires = MALFORMED_EXPIRES_S;
	} else if (SIP_IS(pv->name, "reg-id")) { // RFC 5626 11.1: 1 to 2^31-1
		if (r->reg_id != 0 || !sip_seconds(pv->value, &r->reg_id) || r->reg_id == 0 ||
		    r->reg_id > INT32_MAX)
			return RG_E_PROTO;
	} else if (SIP_IS(pv->name, "+sip.instance")) {
		if (r->instance.len > 0 || pv->value.len < 3 || *pv->value.p != '"')
			return RG_E_PROTO;
		r->instance = pv->value;
	}
	return RG_OK;
}

// The one Contact, once all headers are read.
static int parse_contact(struct walk *w) {
	struct sip_register *r = &w->r;
	struct sip_text params;
	struct sip_nameaddr n;
	struct sip_pv pv;
	struct sip_uri u;
	int rc;

	if (sip_nameaddr_cut(sip_text(r->contact, w->lim), &n) < 0)
		return RG_E_PROTO;
	if (sip_is_sip_uri(n.uri) && sip_uri_cut(sip_text(n.uri, w->lim), &u) < 0)
		return RG_E_PROTO;
	r->contact_uri = n.uri;
	r->contact_params = n.params;
	params = sip_text(n.params, w->lim);
	while ((rc = sip_param_cut(&params, &pv)) == RG_MORE) {
		rc = take_contact_param(w, &pv);
		if (rc < 0)
			return rc;
	}
	return rc;
}

// "*" stands alone and removes everything (RFC 3261 10.2.2).
static int check_contacts(struct walk *w) {
	struct sip_register *r = &w->r;
	int rc = RG_OK;

	if (r->n_contacts == 0)
		return RG_OK;
	if (rg_eq(r->contact, RG_LIT("*"))) {
		r->is_star = true;
		return r->n_contacts == 1 && r->has_expires && r->expires == 0 ? RG_OK : RG_E_PROTO;
	}
	if (r->n_contacts > 1)
		return RG_E_UNSUPPORTED;
	if (r->contact_uri.len == 0) // it was not quick
		rc = parse_contact(w);
	if (w->has_contact_expires) { // before that of the header
		r->has_expires = true;
		r->expires = w->contact_expires;
	}
	return rc;
}

// b64token of RFC 6750 2.1: at least one character, then any number of "=".
static inline bool is_b64token(struct sip_text t) {
	while (t.end > t.p && t.end[-1] == '=')
		t.end--;
	return t.end > t.p && sip_all(&SIP_B64, sip_piece(t.p, t.end));
}

// access_token="..." among the parameters of the credentials (3GPP TS 24.371 A.3.2). Empty when they
// are malformed or have none.
static struct sip_text access_token(struct sip_text params) {
	struct sip_text element, none = {params.p, params.p, params.lim}, found = none;

	while (sip_list_cut(&params, &element)) {
		const uint8_t *name = element.p;
		struct rg_slice n;

		n = sip_piece(name, sip_past(&SIP_TOKEN, element));
		element.p = sip_past_ws(n.p + n.len, element.end);
		if (element.p == element.end || *element.p != '=')
			return none;
		if (!rg_ieq(n, RG_LIT("access_token")))
			continue;
		element.p = sip_past_ws(element.p + 1, element.end);
		if (found.end > found.p || element.end - element.p < 3 || *element.p != '"' ||
		    sip_past_quoted(element) != element.end)
			return none;
		found = (struct sip_text){element.p + 1, element.end - 1, element.lim};
	}
	return found;
}

// Credentials of another scheme are none of ours. A Bearer token that is malformed counts, with
// len 0: it is answered like a bad token, not like none.
static void take_authorization(struct sip_register *r, struct sip_text t) {
	const uint8_t *p = t.p + 6;

	if (t.end - t.p < 6 || !sip_low_eq(t.p, "bearer", 6))
		return;
	t.p = sip_past_ws(p, t.end);
	if (p < t.end && t.p == p) // a longer word
		return;
	if (r->n_bearer++ > 0)
		return;
	if (!is_b64token(t)) {
		t = access_token(t);
		if (!is_b64token(t))
			return;
	}
	r->bearer = sip_piece(t.p, t.end);
}

static void take_option(struct sip_register *r, struct rg_slice option) {
	r->has_outbound |= SIP_IS(option, "outbound");
	r->has_path |= SIP_IS(option, "path");
}

// Option tags are tokens, so whatever is none separates them.
static void take_supported(struct sip_register *r, struct sip_text t) {
	uint64_t token, first;

	if (t.lim - t.p >= 64 && t.end - t.p < 64) {
		token = sip_match64(&SIP_TOKEN, t.p) & ((UINT64_C(1) << (t.end - t.p)) - 1);
		for (; token != 0; token &= token + first) { // the first run of bits goes
			first = token & -token;
			take_option(r, sip_piece(t.p + __builtin_ctzll(token),
						 t.p + __builtin_ctzll(token + first)));
		}
		return;
	}
	for (; t.p < t.end; t.p++) {
		struct rg_slice option = sip_piece(t.p, sip_past(&SIP_TOKEN, t));

		take_option(r, option);
		t.p += option.len;
		if (t.p == t.end)
			return;
	}
}

// Via, From, To and Call-ID, which the parser made sure of.
static inline int take_dialogue(struct walk *w, const struct sip_msg *m) {
	const struct sip_hdr *h = sip_hdr_one(m, SIP_HDR_VIA); // the topmost only
	struct sip_register *r = &w->r;
	int rc = h == NULL ? RG_E_PROTO : take_via(r, sip_text(h->value, w->lim));

	h = sip_hdr_one(m, SIP_HDR_FROM);
	if (rc < 0 || h == NULL ||
	    take_party(sip_text(h->value, w->lim), &r->from_uri, &r->from_tag) < 0)
		return RG_E_PROTO;
	h = sip_hdr_one(m, SIP_HDR_TO);
	if (h == NULL || take_party(sip_text(h->value, w->lim), &r->to_uri, &r->to_tag) < 0)
		return RG_E_PROTO;
	h = sip_hdr_one(m, SIP_HDR_CALL_ID);
	if (h == NULL || r->from_tag.len == 0) // RFC 3261 8.1.1.3
		return RG_E_PROTO;
	r->call_id = h->value;
	return RG_OK;
}

static inline int take_registration(struct walk *w, const struct sip_msg *m) {
	const struct sip_hdr *h = sip_hdr_one(m, SIP_HDR_EXPIRES);
	struct sip_register *r = &w->r;

	if (h != NULL) {
		r->has_expires = true;
		if (!sip_number(h->value, &r->expires))
			return RG_E_PROTO;
	}
	for (h = sip_hdr_one(m, SIP_HDR_CONTACT); h != NULL; h = sip_hdr_more(m, h))
		if (take_contact(w, sip_text(h->value, w->lim)) < 0)
			return RG_E_PROTO;
	for (h = sip_hdr_one(m, SIP_HDR_AUTHORIZATION); h != NULL; h = sip_hdr_more(m, h))
		take_authorization(r, sip_text(h->value, w->lim));
	for (h = sip_hdr_one(m, SIP_HDR_SUPPORTED); h != NULL; h = sip_hdr_more(m, h))
		take_supported(r, sip_text(h->value, w->lim));
	return RG_OK;
}

int sip_register_parse(const struct sip_msg *m, struct sip_register *r) {
	struct walk w;
	int rc;

	if (!m->is_request || m->method != SIP_REGISTER)
		return RG_E_PROTO;
	sip_clear(&w, sizeof(w));
	w.r.msg = m;
	w.r.cseq = m->cseq;
	w.lim = m->raw.p + m->raw.len;
	if (take_dialogue(&w, m) < 0 || take_registration(&w, m) < 0)
		return RG_E_PROTO;
	rc = check_contacts(&w);
	if (rc == RG_OK)
		sip_copy(r, &w.r, sizeof(*r));
	return rc;
}

// Without the line breaks of a folded value; the blanks behind them stay.
static void put_unfolded(struct rg_wr *out, struct rg_slice s) {
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] != '\r' && s.p[i] != '\n')
			rg_putc(out, (char)s.p[i]);
}

void sip_put_contact_key(struct rg_wr *out, const struct sip_register *r) {
	struct sip_text params = sip_text_alone(r->contact_params);
	struct sip_nameaddr n;
	struct sip_pv pv;

	if (sip_nameaddr_cut(sip_text_alone(r->contact), &n) < 0) // "*" or none
		return;
	if (n.display.len > 0) {
		put_unfolded(out, n.display);
		rg_putc(out, ' ');
	}
	rg_putc(out, '<');
	rg_put(out, n.uri);
	rg_putc(out, '>');
	while (sip_param_cut(&params, &pv) == RG_MORE) {
		if (SIP_IS(pv.name, "expires"))
			continue;
		rg_putc(out, ';');
		rg_put(out, pv.name);
		if (pv.value.len > 0) {
			rg_putc(out, '=');
			put_unfolded(out, pv.value);
		}
	}
}
