// SPDX-License-Identifier: BSD-3-Clause
// SIP and SIPS URIs (RFC 3261 19.1 and 25.1) and the canonical form of an address of record.
// Any thread; borrows, never allocates.
#include "regate/addr.h"
#include "regate/err.h"
#include "scan.h"
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

// Leading bytes that are of the class or escaped.
static size_t span_escaped(const struct sip_class *c, struct rg_slice s) {
	size_t i = 0;

	for (;;) {
		i += sip_span(c, rg_skip(s, i));
		if (i >= s.len || escaped(rg_skip(s, i)) < 0)
			return i;
		i += 3;
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

static size_t ipv6_len(struct rg_slice s) {
	const uint8_t *end = memchr(s.p, ']', s.len);
	struct rg_addr a;
	size_t n;

	if (end == NULL)
		return 0;
	n = (size_t)(end - s.p) + 1;
	return rg_addr_parse(rg_slice(s.p, n), &a) == RG_OK ? n : 0;
}

// Labels are not empty and have no hyphen at their edges; the root's dot may end the name. *last
// is where the last label starts.
static bool are_labels(struct rg_slice s, size_t *last) {
	if (*s.p == '.' || *s.p == '-' || s.p[s.len - 1] == '-')
		return false;
	*last = 0;
	for (size_t base = 0; base < s.len; base += 32) {
		size_t rest = s.len - base;
		uint32_t m = sip_mask(&SIP_DOTS, rg_slice(s.p + base, rest < 32 ? rest : 32));

		for (; m != 0; m &= m - 1) {
			size_t next = base + (unsigned)__builtin_ctz(m) + 1;
			bool is_dot = s.p[next - 1] == '.';

			if (next == s.len)
				break;
			if (s.p[next] == '.' || (is_dot && s.p[next] == '-'))
				return false;
			*last = is_dot ? next : *last;
		}
	}
	return true;
}

size_t sip_host_len(struct rg_slice s) {
	struct rg_addr a;
	size_t n, last;

	if (s.len > 0 && *s.p == '[')
		return ipv6_len(s);
	n = sip_span(&SIP_HOST, s);
	if (n == 0 || !are_labels(rg_slice(s.p, n), &last))
		return 0;
	// toplabel starts with a letter, so this is an IPv4address or nothing
	if (is_digit(s.p[last]) && rg_addr_parse(rg_slice(s.p, n), &a) < 0)
		return 0;
	return n;
}

// "sip:" or "sips:", without case (RFC 3261 19.1.4).
static size_t scheme_len(struct rg_slice s) {
	if (s.len >= 4 && rg_ieq(rg_slice(s.p, 4), RG_LIT("sip:")))
		return 3;
	return s.len >= 5 && rg_ieq(rg_slice(s.p, 5), RG_LIT("sips:")) ? 4 : 0;
}

bool sip_is_sip_uri(struct rg_slice s) {
	return scheme_len(s) > 0;
}

// Takes "user[:password]@" off *s.
static bool cut_userinfo(struct rg_slice *s, struct sip_uri *u) {
	const uint8_t *at = memchr(s->p, '@', s->len);
	struct rg_slice info, password;
	size_t n;

	if (at == NULL)
		return true;
	info = rg_slice(s->p, (size_t)(at - s->p));
	n = span_escaped(&SIP_USER, info);
	if (n == 0)
		return false;
	u->user = rg_slice(info.p, n);
	*s = rg_skip(*s, info.len + 1);
	if (n == info.len)
		return true;
	password = rg_skip(info, n + 1);
	return info.p[n] == ':' && span_escaped(&SIP_PASSWORD, password) == password.len;
}

static bool cut_hostport(struct rg_slice *s, struct sip_uri *u) {
	size_t n = sip_host_len(*s);

	if (n == 0)
		return false;
	u->host = rg_slice(s->p, n);
	*s = rg_skip(*s, n);
	if (s->len == 0 || *s->p != ':')
		return true;
	*s = rg_skip(*s, 1);
	for (n = 0; n < s->len && is_digit(s->p[n]);)
		n++;
	if (!sip_port(rg_slice(s->p, n), &u->port))
		return false;
	*s = rg_skip(*s, n);
	return true;
}

// *( ";" pname [ "=" pvalue ] )
static bool cut_params(struct rg_slice *s, struct sip_uri *u) {
	struct rg_slice r = *s;
	size_t n;

	while (r.len > 0 && *r.p == ';') {
		r = rg_skip(r, 1);
		n = span_escaped(&SIP_PCHAR, r);
		if (n == 0)
			return false;
		r = rg_skip(r, n);
		if (r.len == 0 || *r.p != '=')
			continue;
		r = rg_skip(r, 1);
		n = span_escaped(&SIP_PCHAR, r);
		if (n == 0)
			return false;
		r = rg_skip(r, n);
	}
	u->params = rg_slice(s->p, s->len - r.len);
	*s = r;
	return true;
}

// "?" hname "=" hvalue *( "&" hname "=" hvalue ); hvalue may be empty
static bool are_headers(struct rg_slice s) {
	size_t n;

	do {
		n = span_escaped(&SIP_HCHAR, s);
		if (n == 0 || n == s.len || s.p[n] != '=')
			return false;
		s = rg_skip(s, n + 1);
		s = rg_skip(s, span_escaped(&SIP_HCHAR, s));
		if (s.len == 0)
			return true;
		if (*s.p != '&')
			return false;
		s = rg_skip(s, 1);
	} while (true);
}

int sip_uri_parse(struct rg_slice s, struct sip_uri *u) {
	struct sip_uri out = {0};
	size_t n = scheme_len(s);

	if (n == 0)
		return RG_E_PROTO;
	out.scheme = rg_slice(s.p, n);
	s = rg_skip(s, n + 1);
	if (!cut_userinfo(&s, &out) || !cut_hostport(&s, &out) || !cut_params(&s, &out))
		return RG_E_PROTO;
	if (s.len > 0) {
		out.headers = rg_skip(s, 1);
		if (*s.p != '?' || !are_headers(out.headers))
			return RG_E_PROTO;
	}
	*u = out;
	return RG_OK;
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
