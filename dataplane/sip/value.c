// SPDX-License-Identifier: BSD-3-Clause
// Header values: lists, parameters, name-addr, Via, CSeq, numbers. Any thread; borrows, never
// allocates.
#include "value.h"

#include "low.h"
#include "regate/err.h"

const uint8_t *sip_past_quoted(struct sip_text t) {
	for (t.p++; t.p < t.end; t.p += 2) {
		t.p = sip_seek(&SIP_QUOTE, t);
		if (t.p == t.end)
			break;
		if (*t.p == '"')
			return t.p + 1;
		// quoted-pair takes any byte but CR and LF (RFC 3261 25.1)
		if (t.p + 1 == t.end || t.p[1] == '\r' || t.p[1] == '\n')
			break;
	}
	return NULL;
}

// Of the first element of a list with quotes or brackets before its first comma.
static __attribute__((noinline)) const uint8_t *past_element(struct sip_text t) {
	const uint8_t *end;

	for (;;) {
		t.p = sip_seek(&SIP_LIST, t);
		if (t.p == t.end || *t.p == ',')
			return t.p;
		if (*t.p == '"') {
			end = sip_past_quoted(t);
		} else {
			end = sip_seek_byte('>', t);
			end = end == t.end ? NULL : end + 1;
		}
		if (end == NULL)
			return t.end; // never closed: whoever parses the element refuses it
		t.p = end;
	}
}

bool sip_list_cut(struct sip_text *list, struct sip_text *element) {
	struct sip_text t = {sip_past_ws(list->p, list->end), list->end, list->lim};
	const uint8_t *end;

	if (t.p == t.end)
		return false;
	end = sip_seek_byte(',', t); // the usual case, quickly
	if (end < t.end)
		end = past_element(t);
	list->p = end < t.end ? end + 1 : end;
	t.end = end;
	*element = sip_trim(t);
	return true;
}

bool sip_list_next(struct rg_slice *list, struct rg_slice *element) {
	struct sip_text t = sip_text_alone(*list), e;

	if (!sip_list_cut(&t, &e))
		return false;
	*element = sip_piece(e.p, e.end);
	*list = sip_piece(t.p, t.end);
	return true;
}

static __attribute__((noinline)) int param_any(struct sip_text *params, struct sip_pv *pv) {
	struct sip_text t = *params;
	const uint8_t *p;

	t.p = sip_past_ws(t.p, t.end);
	if (t.p == t.end)
		return RG_OK;
	if (*t.p != ';')
		return RG_E_PROTO;
	t.p = sip_past_ws(t.p + 1, t.end);
	p = sip_past(&SIP_TOKEN, t);
	if (p == t.p)
		return RG_E_PROTO;
	pv->name = sip_piece(t.p, p);
	pv->value = rg_slice(NULL, 0);
	t.p = sip_past_ws(p, t.end);
	if (t.p < t.end && *t.p == '=') {
		t.p = sip_past_ws(t.p + 1, t.end);
		if (t.p == t.end)
			return RG_E_PROTO;
		p = *t.p == '"' ? sip_past_quoted(t) : sip_past(&SIP_VALUE, t); // gen-value
		if (p == NULL || p == t.p)
			return RG_E_PROTO;
		pv->value = sip_piece(t.p, p);
	}
	params->p = p;
	return RG_MORE;
}

// Quick for ";name=value" without blanks and quotes, both short.
int sip_param_cut(struct sip_text *params, struct sip_pv *pv) {
	const uint8_t *p = params->p, *end = params->end, *value;
	uint32_t name_m, value_m;

	if (p == end)
		return RG_OK;
	if (params->lim - p < 72 || *p != ';')
		return param_any(params, pv);
	name_m = ~sip_match32(&SIP_TOKEN, p + 1);
	value = p + 2 + __builtin_ctzll(name_m | UINT64_C(1) << 32);
	value_m = ~sip_match32(&SIP_VALUE, value);
	if (value == p + 2 || value[-1] != '=' || (value_m & 1) != 0 || value_m == 0)
		return param_any(params, pv);
	pv->name = sip_piece(p + 1, value - 1);
	pv->value = rg_slice(value, (unsigned)__builtin_ctz(value_m));
	if (value + pv->value.len > end)
		return param_any(params, pv);
	params->p = value + pv->value.len;
	return RG_MORE;
}

bool sip_param(struct rg_slice params, struct rg_slice name, struct rg_slice *value) {
	struct sip_text t = sip_text_alone(params);
	struct sip_pv pv;

	while (sip_param_cut(&t, &pv) == RG_MORE) {
		if (!rg_ieq(pv.name, name))
			continue;
		*value = pv.value;
		return true;
	}
	return false;
}

// scheme ":" something, in a text of URIC.
static bool has_scheme(struct sip_text t) {
	const uint8_t *p;

	if (t.end - t.p > 4 && memcmp(t.p, "sip:", 4) == 0)
		return true;
	p = sip_past(&SIP_SCHEME, t);
	return p > t.p && p + 1 < t.end && *p == ':' && rg_lower(*t.p) >= 'a' &&
	       rg_lower(*t.p) <= 'z';
}

bool sip_is_uri(struct sip_text t) {
	return sip_past(&SIP_URIC, t) == t.end && has_scheme(t);
}

// Takes the display name off *t, which then starts with "<"; or leaves *t when there is none.
static bool cut_display(struct sip_text *t, struct rg_slice *display) {
	const uint8_t *p;

	if (*t->p == '"') {
		p = sip_past_quoted(*t);
		if (p == NULL)
			return false;
		*display = sip_piece(t->p, p);
		t->p = sip_past_ws(p, t->end);
		return t->p < t->end && *t->p == '<';
	}
	p = sip_past(&SIP_NAME_LWS, *t);
	if (p < t->end && *p == '<') {
		*display = rg_trim(sip_piece(t->p, p));
		t->p = p;
	}
	return true;
}

int sip_nameaddr_cut(struct sip_text t, struct sip_nameaddr *n) {
	struct rg_slice display = {NULL, 0};
	const uint8_t *p;
	bool is_bare;

	t = sip_trim(t);
	if (t.p == t.end || (*t.p != '<' && !cut_display(&t, &display)))
		return RG_E_PROTO;
	is_bare = *t.p != '<'; // RFC 3261 20.10: then it has no comma, question mark or semicolon
	t.p += !is_bare;
	p = sip_past(is_bare ? &SIP_ADDR : &SIP_URIC, t);
	if ((!is_bare && (p == t.end || *p != '>')) ||
	    !has_scheme((struct sip_text){t.p, p, t.lim}))
		return RG_E_PROTO;
	n->display = display;
	n->uri = sip_piece(t.p, p);
	n->params = sip_piece(p + !is_bare, t.end);
	return RG_OK;
}

int sip_nameaddr_parse(struct rg_slice s, struct sip_nameaddr *n) {
	struct sip_text params;
	struct sip_nameaddr out;
	struct sip_pv pv;
	int rc;

	if (sip_nameaddr_cut(sip_text_alone(s), &out) < 0)
		return RG_E_PROTO;
	params = sip_text_alone(out.params);
	while ((rc = sip_param_cut(&params, &pv)) == RG_MORE)
		;
	if (rc == RG_OK)
		*n = out;
	return rc;
}

// Takes "name SLASH version SLASH transport LWS" off *t (RFC 3261 25.1, sent-protocol).
static bool cut_protocol(struct sip_text *t, struct rg_slice *transport) {
	unsigned i = 0;
	const uint8_t *p;

	if (t->end - t->p > 8 && memcmp(t->p, "SIP/2.0/", 8) == 0) {
		t->p = sip_past_ws(t->p + 8, t->end);
		i = 2;
	}
	for (;; i++) {
		p = sip_past(&SIP_TOKEN, *t);
		if (p == t->p)
			return false;
		*transport = sip_piece(t->p, p);
		t->p = sip_past_ws(p, t->end);
		if (i == 2)
			return t->p > p;
		if (t->p == t->end || *t->p != '/')
			return false;
		t->p = sip_past_ws(t->p + 1, t->end);
	}
}

// Takes "host [COLON port]" off *t.
static bool cut_sent_by(struct sip_text *t, struct sip_via *v) {
	const uint8_t *p = sip_past_host(*t), *end = t->end;

	if (p == NULL)
		return false;
	v->host = sip_piece(t->p, p);
	t->p = p;
	p = sip_past_ws(p, end);
	if (p == end || *p != ':')
		return true;
	t->p = p = sip_past_ws(p + 1, end);
	while (t->p < end && *t->p >= '0' && *t->p <= '9')
		t->p++;
	return sip_port(sip_piece(p, t->p), &v->port);
}

int sip_via_cut(struct sip_text t, struct sip_via *v) {
	struct sip_via out = {0};
	struct sip_pv pv;
	int rc;

	t = sip_trim(t);
	if (!cut_protocol(&t, &out.transport) || !cut_sent_by(&t, &out))
		return RG_E_PROTO;
	out.params = sip_piece(t.p, t.end);
	while ((rc = sip_param_cut(&t, &pv)) == RG_MORE) {
		if (!SIP_IS(pv.name, "branch"))
			continue;
		if (out.branch.len > 0 || pv.value.len == 0)
			return RG_E_PROTO;
		out.branch = pv.value;
	}
	if (rc == RG_OK)
		*v = out;
	return rc;
}

int sip_via_parse(struct rg_slice s, struct sip_via *v) {
	return sip_via_cut(sip_text_alone(s), v);
}

bool sip_cseq_cut(struct rg_slice s, uint32_t *number, struct rg_slice *method) {
	const uint8_t *p = s.p, *end = s.p + s.len, *digits;
	uint64_t v = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (*p - '0');
		if (v > INT32_MAX) // RFC 3261 8.1.1.5
			return false;
	}
	digits = p;
	p = sip_past_ws(p, end);
	if (digits == s.p || p == digits || p == end)
		return false;
	*number = (uint32_t)v;
	*method = sip_piece(p, end);
	return true;
}

int sip_cseq_parse(struct rg_slice s, uint32_t *number, struct rg_slice *method) {
	struct rg_slice rest;
	uint32_t v;

	if (!sip_cseq_cut(s, &v, &rest) || sip_span(&SIP_TOKEN, rest) != rest.len)
		return RG_E_PROTO;
	*number = v;
	*method = rest;
	return RG_OK;
}

bool sip_seconds(struct rg_slice s, uint32_t *out) {
	uint64_t v = 0;
	size_t i = 0;

	for (; i < s.len && (uint8_t)(s.p[i] - '0') <= 9; i++) {
		v = v * 10 + (uint8_t)(s.p[i] - '0');
		v = v > UINT32_MAX ? UINT32_MAX : v;
	}
	if (s.len == 0 || i < s.len)
		return false;
	*out = (uint32_t)v;
	return true;
}
