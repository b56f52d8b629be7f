// SPDX-License-Identifier: BSD-3-Clause
// SIP and SIPS URIs (RFC 3261 19.1 and 25.1) and the canonical form of an address of record.
// Any thread; borrows, never allocates.
#include "low.h"
#include "quick.h"
#include "regate/addr.h"
#include "regate/err.h"
#include "value.h"

static int hex_digit(uint8_t c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	c = rg_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Value of "%" HEXDIG HEXDIG at the start of s, or -1.
static int escaped(struct rg_slice s) {
	int high, low;

	if (s.len < 3 || *s.p != '%')
		return -1;
	high = hex_digit(s.p[1]);
	low = hex_digit(s.p[2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

// Behind the leading bytes that are of the class or escaped.
static inline const uint8_t *past_escaped(const struct sip_class *c, struct sip_text t) {
	for (;;) {
		t.p = sip_past(c, t);
		if (t.p == t.end || *t.p != '%' || escaped(sip_piece(t.p, t.end)) < 0)
			return t.p;
		t.p += 3;
	}
}

bool sip_port(struct rg_slice s, uint16_t *port) {
	uint64_t v;

	if (!rg_parse_u64(s, &v) || v == 0 || v > UINT16_MAX)
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool is_digit(uint8_t c) {
	return c >= '0' && c <= '9';
}

// In brackets. The grammar of RFC 3261 put a third colon before an IPv4 address at the end, and RFC 5118
// 4.10 wants it tolerated.
static bool is_ipv6(struct rg_slice s) {
	const uint8_t *colons, *rest, *end = s.p + s.len;
	uint8_t text[64];
	struct rg_wr w = rg_wr(text, sizeof(text));
	struct rg_addr a;

	if (rg_addr_parse(s, &a) == RG_OK)
		return true;
	colons = memmem(s.p, s.len, ":::", 3);
	if (colons == NULL)
		return false;
	rest = colons + 3;
	if (memchr(rest, '.', (size_t)(end - rest)) == NULL)
		return false;
	rg_put(&w, sip_piece(s.p, rest - 1));
	rg_put(&w, sip_piece(rest, end));
	return !w.overflow && rg_addr_parse(rg_wr_slice(&w), &a) == RG_OK;
}

static const uint8_t *past_ipv6(struct sip_text t) {
	const uint8_t *end = sip_seek_byte(']', t);

	return end < t.end && is_ipv6(sip_piece(t.p, end + 1)) ? end + 1 : NULL;
}

// As sip_host_len64(), of any length, a byte at a time.
static size_t host_len_any(const uint8_t *p, const uint8_t *end, size_t *last) {
	size_t n = sip_span(&SIP_HOST, sip_piece(p, end));

	if (n == 0 || p[n - 1] == '-')
		return 0;
	*last = 0;
	for (size_t i = 0; i < n; i++) {
		bool is_after_dot = i == 0 || p[i - 1] == '.';

		if ((is_after_dot && (p[i] == '.' || p[i] == '-')) ||
		    (i > 0 && p[i - 1] == '-' && p[i] == '.'))
			return 0;
		if (p[i] == '.' && i + 1 < n)
			*last = i + 1;
	}
	return n;
}

const uint8_t *sip_past_host(struct sip_text t) {
	size_t n, last, max = (size_t)(t.end - t.p);
	struct rg_addr a;

	if (max > 0 && *t.p == '[')
		return past_ipv6(t);
	n = t.lim - t.p >= 64 ? sip_host_len64(t.p, max, &last) : SIP_HOST_LONG;
	if (n == SIP_HOST_LONG)
		n = host_len_any(t.p, t.end, &last);
	if (n == 0)
		return NULL;
	// toplabel starts with a letter, so this is an IPv4address or nothing
	if (is_digit(t.p[last]) && rg_addr_parse(rg_slice(t.p, n), &a) < 0)
		return NULL;
	return t.p + n;
}

// "sip:" or "sips:", without case (RFC 3261 19.1.4).
static size_t scheme_len(struct rg_slice s) {
	if (s.len >= 4 && s.p[3] == ':')
		return sip_low_eq(s.p, "sip", 3) ? 3 : 0;
	return s.len >= 5 && s.p[4] == ':' && sip_low_eq(s.p, "sips", 4) ? 4 : 0;
}

bool sip_is_sip_uri(struct rg_slice s) {
	return scheme_len(s) > 0;
}

// Takes "user[:password]@" off *t.
static bool cut_userinfo(struct sip_text *t, struct sip_uri *u) {
	const uint8_t *at = sip_seek_byte('@', *t), *p;
	struct sip_text info = {t->p, at, t->lim};

	if (at == t->end)
		return true;
	p = past_escaped(&SIP_USER, info);
	if (p == info.p)
		return false;
	u->user = sip_piece(info.p, p);
	t->p = at + 1;
	if (p == at)
		return true;
	info.p = p + 1;
	return *p == ':' && past_escaped(&SIP_PASSWORD, info) == at;
}

static bool cut_hostport(struct sip_text *t, struct sip_uri *u) {
	const uint8_t *p = sip_past_host(*t);

	if (p == NULL)
		return false;
	u->host = sip_piece(t->p, p);
	t->p = p;
	if (p == t->end || *p != ':')
		return true;
	for (p++, t->p = p; t->p < t->end && is_digit(*t->p);)
		t->p++;
	return sip_port(sip_piece(p, t->p), &u->port);
}

// *( ";" pname [ "=" pvalue ] )
static bool cut_params(struct sip_text *t, struct sip_uri *u) {
	const uint8_t *start = t->p, *p;

	while (t->p < t->end && *t->p == ';') {
		t->p++;
		p = past_escaped(&SIP_PCHAR, *t);
		if (p == t->p)
			return false;
		t->p = p;
		if (p == t->end || *p != '=')
			continue;
		t->p++;
		p = past_escaped(&SIP_PCHAR, *t);
		if (p == t->p)
			return false;
		t->p = p;
	}
	u->params = sip_piece(start, t->p);
	return true;
}

// "?" hname "=" hvalue *( "&" hname "=" hvalue ); hvalue may be empty
static bool are_headers(struct sip_text t) {
	const uint8_t *p;

	do {
		p = past_escaped(&SIP_HCHAR, t);
		if (p == t.p || p == t.end || *p != '=')
			return false;
		t.p = p + 1;
		t.p = past_escaped(&SIP_HCHAR, t);
		if (t.p == t.end)
			return true;
	} while (*t.p++ == '&');
	return false;
}

int sip_uri_cut(struct sip_text t, struct sip_uri *u) {
	struct sip_uri out = {0};
	size_t n = scheme_len(sip_piece(t.p, t.end));

	if (n == 0)
		return RG_E_PROTO;
	out.scheme = rg_slice(t.p, n);
	t.p += n + 1;
	if (!cut_userinfo(&t, &out) || !cut_hostport(&t, &out) || !cut_params(&t, &out))
		return RG_E_PROTO;
	if (t.p < t.end) {
		if (*t.p++ != '?' || !are_headers(t))
			return RG_E_PROTO;
		out.headers = sip_piece(t.p, t.end);
	}
	*u = out;
	return RG_OK;
}

int sip_uri_parse(struct rg_slice s, struct sip_uri *u) {
	return sip_uri_cut(sip_text_alone(s), u);
}

static void put_lower(struct rg_wr *w, struct rg_slice s) {
	for (size_t i = 0; i < s.len; i++)
		rg_putc(w, (char)rg_lower(s.p[i]));
}

// RFC 3261 10.3 step 5: what need not be escaped is written plainly; the rest keeps its escape,
// with upper-case digits, so that two users never become one text.
static void put_user(struct rg_wr *w, struct rg_slice s) {
	static const char digits[] = "0123456789ABCDEF";
	int c;

	for (; s.len > 0; s = rg_skip(s, c < 0 ? 1 : 3)) {
		c = escaped(s);
		if (c < 0) {
			rg_putc(w, (char)*s.p);
		} else if (sip_is(&SIP_USER, (uint8_t)c)) {
			rg_putc(w, (char)c);
		} else {
			rg_putc(w, '%');
			rg_putc(w, digits[c >> 4]);
			rg_putc(w, digits[c & 15]);
		}
	}
}

int sip_aor(struct rg_slice uri, struct rg_wr *out) {
	struct sip_uri u;

	if (sip_uri_parse(uri, &u) < 0)
		return RG_E_PROTO;
	put_lower(out, u.scheme);
	rg_putc(out, ':');
	if (u.user.len > 0) {
		put_user(out, u.user);
		rg_putc(out, '@');
	}
	put_lower(out, u.host);
	if (u.port != 0 && u.port != 5060) {
		rg_putc(out, ':');
		rg_put_u64(out, u.port);
	}
	return out->overflow ? RG_E_LIMIT : RG_OK;
}
