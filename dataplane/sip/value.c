// SPDX-License-Identifier: BSD-3-Clause
// Header values: lists, parameters, name-addr, Via, CSeq, numbers. Any thread; borrows, never
// allocates.
#include "value.h"

#include "low.h"
#include "regate/err.h"
#include "scan.h"

size_t sip_quoted_len(struct rg_slice s) {
	size_t i = 1;

	while (s.len > i) {
		i += sip_find(&SIP_QUOTE, rg_skip(s, i));
		if (i >= s.len)
			break;
		if (s.p[i] == '"')
			return i + 1;
		// quoted-pair takes any byte but CR and LF (RFC 3261 25.1)
		if (i + 1 >= s.len || s.p[i + 1] == '\r' || s.p[i + 1] == '\n')
			break;
		i += 2;
	}
	return 0;
}

// Length of the first element of a list.
static size_t element_len(struct rg_slice s) {
	size_t i = 0, n;

	if (memchr(s.p, ',', s.len) == NULL) // the usual case, quickly
		return s.len;
	for (;;) {
		i += sip_find(&SIP_LIST, rg_skip(s, i));
		if (i >= s.len || s.p[i] == ',')
			return i;
		if (s.p[i] == '"') {
			n = sip_quoted_len(rg_skip(s, i));
		} else {
			const uint8_t *end = memchr(s.p + i, '>', s.len - i);

			n = end == NULL ? 0 : (size_t)(end - (s.p + i)) + 1;
		}
		if (n == 0)
			return s.len; // never closed: whoever parses the element refuses it
		i += n;
	}
}

bool sip_list_next(struct rg_slice *list, struct rg_slice *element) {
	struct rg_slice s = sip_skip_ws(*list);
	size_t n;

	if (s.len == 0)
		return false;
	n = element_len(s);
	*element = rg_trim(rg_slice(s.p, n));
	*list = rg_skip(s, n + 1);
	return true;
}

// Bytes of gen-value (RFC 3261 25.1); 0 when it is empty or a quote does not end.
static inline size_t value_len(struct rg_slice s) {
	return s.len > 0 && *s.p == '"' ? sip_quoted_len(s) : sip_span(&SIP_VALUE, s);
}

static inline const uint8_t *skip_ws(const uint8_t *p, const uint8_t *end) {
	while (p < end && sip_is_ws(*p))
		p++;
	return p;
}

int sip_param_next(struct rg_slice *params, struct sip_pv *pv) {
	const uint8_t *p = params->p, *end = p + params->len, *after;
	size_t n;

	p = skip_ws(p, end);
	if (p == end)
		return RG_OK;
	if (*p != ';')
		return RG_E_PROTO;
	p = skip_ws(p + 1, end);
	n = sip_span(&SIP_TOKEN, rg_slice(p, (size_t)(end - p)));
	if (n == 0)
		return RG_E_PROTO;
	pv->name = rg_slice(p, n);
	pv->value = rg_slice(NULL, 0);
	p += n;
	after = skip_ws(p, end);
	if (after < end && *after == '=') {
		p = skip_ws(after + 1, end);
		n = value_len(rg_slice(p, (size_t)(end - p)));
		if (n == 0)
			return RG_E_PROTO;
		pv->value = rg_slice(p, n);
		p += n;
	}
	*params = rg_slice(p, (size_t)(end - p));
	return RG_MORE;
}

bool sip_param(struct rg_slice params, struct rg_slice name, struct rg_slice *value) {
	struct sip_pv pv;

	while (sip_param_next(&params, &pv) == RG_MORE) {
		if (!rg_ieq(pv.name, name))
			continue;
		*value = pv.value;
		return true;
	}
	return false;
}

// scheme ":" something, in a slice of URIC.
static bool has_scheme(struct rg_slice s) {
	size_t n;

	if (s.len > 4 && memcmp(s.p, "sip:", 4) == 0)
		return true;
	n = sip_span(&SIP_SCHEME, s);
	return n > 0 && n + 1 < s.len && s.p[n] == ':' && rg_lower(*s.p) >= 'a' &&
	       rg_lower(*s.p) <= 'z';
}

bool sip_is_uri(struct rg_slice s) {
	return sip_span(&SIP_URIC, s) == s.len && has_scheme(s);
}

// Takes the display name off *s, which then starts with "<"; or leaves *s when there is none.
static int cut_display(struct rg_slice *s, struct rg_slice *display) {
	struct rg_slice rest;
	size_t n;

	if (*s->p == '"') {
		n = sip_quoted_len(*s);
		if (n == 0)
			return RG_E_PROTO;
		*display = rg_slice(s->p, n);
		rest = sip_skip_ws(rg_skip(*s, n));
		if (rest.len == 0 || *rest.p != '<')
			return RG_E_PROTO;
		*s = rest;
		return RG_OK;
	}
	n = sip_span(&SIP_NAME_LWS, *s);
	if (n < s->len && s->p[n] == '<') {
		*display = rg_trim(rg_slice(s->p, n));
		*s = rg_skip(*s, n);
	}
	return RG_OK;
}

int sip_nameaddr_head(struct rg_slice s, struct sip_nameaddr *n) {
	struct sip_nameaddr out = {0};
	size_t len;

	s = rg_trim(s);
	if (s.len == 0)
		return RG_E_PROTO;
	if (*s.p != '<' && cut_display(&s, &out.display) < 0)
		return RG_E_PROTO;
	if (*s.p == '<') {
		s = rg_skip(s, 1);
		len = sip_span(&SIP_URIC, s);
		out.uri = rg_slice(s.p, len);
		if (len == s.len || s.p[len] != '>')
			return RG_E_PROTO;
		out.params = rg_skip(s, len + 1);
	} else { // RFC 3261 20.10: a bare URI has no comma, question mark or semicolon
		len = sip_span(&SIP_ADDR, s);
		out.uri = rg_slice(s.p, len);
		out.params = rg_skip(s, len);
	}
	if (!has_scheme(out.uri))
		return RG_E_PROTO;
	*n = out;
	return RG_OK;
}

int sip_nameaddr_parse(struct rg_slice s, struct sip_nameaddr *n) {
	struct sip_nameaddr out;
	struct rg_slice params;
	struct sip_pv pv;
	int rc;

	if (sip_nameaddr_head(s, &out) < 0)
		return RG_E_PROTO;
	params = out.params;
	while ((rc = sip_param_next(&params, &pv)) == RG_MORE)
		;
	if (rc == RG_OK)
		*n = out;
	return rc;
}

// Takes "name SLASH version SLASH transport LWS" off *s (RFC 3261 25.1, sent-protocol).
static bool cut_protocol(struct rg_slice *s, struct rg_slice *transport) {
	struct rg_slice r = *s;
	size_t n;

	for (unsigned i = 0; i < 3; i++) {
		if (i == 0 && rg_is_prefix(r, RG_LIT("SIP/2.0/"))) {
			r = rg_skip(r, 8);
			i = 2;
		}
		n = sip_span(&SIP_TOKEN, r);
		if (n == 0)
			return false;
		*transport = rg_slice(r.p, n);
		*s = rg_skip(r, n);
		r = sip_skip_ws(*s);
		if (i < 2 && (r.len == 0 || *r.p != '/'))
			return false;
		if (i < 2)
			r = sip_skip_ws(rg_skip(r, 1));
	}
	if (r.p == s->p)
		return false;
	*s = r;
	return true;
}

// Takes "host [COLON port]" off *s.
static bool cut_sent_by(struct rg_slice *s, struct sip_via *v) {
	struct rg_slice r;
	size_t n = sip_host_len(*s);

	if (n == 0)
		return false;
	v->host = rg_slice(s->p, n);
	*s = rg_skip(*s, n);
	r = sip_skip_ws(*s);
	if (r.len == 0 || *r.p != ':')
		return true;
	r = sip_skip_ws(rg_skip(r, 1));
	for (n = 0; n < r.len && r.p[n] >= '0' && r.p[n] <= '9';)
		n++;
	*s = rg_skip(r, n);
	return sip_port(rg_slice(r.p, n), &v->port);
}

int sip_via_parse(struct rg_slice s, struct sip_via *v) {
	struct sip_via out = {0};
	struct rg_slice params;
	struct sip_pv pv;
	int rc;

	s = rg_trim(s);
	if (!cut_protocol(&s, &out.transport) || !cut_sent_by(&s, &out))
		return RG_E_PROTO;
	out.params = params = s;
	while ((rc = sip_param_next(&params, &pv)) == RG_MORE) {
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

int sip_cseq_parse(struct rg_slice s, uint32_t *number, struct rg_slice *method) {
	struct rg_slice rest;
	uint64_t v = 0;
	size_t n = 0;

	for (; n < s.len && s.p[n] >= '0' && s.p[n] <= '9'; n++) {
		v = v * 10 + (s.p[n] - '0');
		if (v > INT32_MAX) // RFC 3261 8.1.1.5
			return RG_E_PROTO;
	}
	rest = sip_skip_ws(rg_skip(s, n));
	if (n == 0 || rest.len == 0 || rest.p == s.p + n || sip_span(&SIP_TOKEN, rest) != rest.len)
		return RG_E_PROTO;
	*number = (uint32_t)v;
	*method = rest;
	return RG_OK;
}

bool sip_seconds(struct rg_slice s, uint32_t *out) {
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
		v = v > UINT32_MAX ? UINT32_MAX : v;
	}
	*out = (uint32_t)v;
	return true;
}
