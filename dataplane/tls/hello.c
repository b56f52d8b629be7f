// SPDX-License-Identifier: BSD-3-Clause
// The look at a ClientHello. Runs on a worker, on bytes of anybody: no allocation, linear in what
// came, however small the pieces. Checks what decides whether OpenSSL is worth its cost; the rest is
// OpenSSL's.
#include "hello.h"

#include <string.h>

#include "regate/err.h"

#define HEADER_LEN 5
#define MESSAGE_HEADER_LEN 4
#define MAX_MESSAGE (TLS_HELLO_MAX - HEADER_LEN - MESSAGE_HEADER_LEN)
#define MAX_FRAGMENT 16384

#define VERSION_10 0x0301
#define VERSION_12 0x0303
#define VERSION_13 0x0304

enum { TYPE_CCS = 20, TYPE_ALERT = 21, TYPE_HANDSHAKE = 22 };

enum { // RFC 8446 6
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_DECODE_ERROR = 50,
	ALERT_PROTOCOL_VERSION = 70,
};

enum { // RFC 8446 4.2
	EXT_SERVER_NAME = 0,
	EXT_ALPN = 16,
	EXT_SESSION_TICKET = 35,
	EXT_PRE_SHARED_KEY = 41,
	EXT_EARLY_DATA = 42,
	EXT_SUPPORTED_VERSIONS = 43,
};

static int refuse(struct tls_refusal *why, int rc, uint8_t alert) {
	*why = (struct tls_refusal){TLS_SAY_ALERT, alert, VERSION_12};
	return rc;
}

// A browser that was sent to http://host:443, or somebody's probe. RG_OK, RG_MORE, RG_E_PROTO.
static int match_http(struct rg_slice in) {
	static const struct rg_slice starts[] = {
		RG_LIT("GET "),    RG_LIT("HEAD "),    RG_LIT("POST "),  RG_LIT("PUT "),
		RG_LIT("PRI "),    RG_LIT("OPTIONS "), RG_LIT("TRACE "), RG_LIT("PATCH "),
		RG_LIT("DELETE "), RG_LIT("CONNECT "),
	};
	int rc = RG_E_PROTO;

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		if (rg_is_prefix(in, starts[i]))
			return RG_OK;
		if (rg_is_prefix(starts[i], in))
			rc = RG_MORE;
	}
	return rc;
}

// What starts with something else than a handshake record.
static int refuse_stranger(struct rg_slice in, struct tls_refusal *why) {
	int rc = match_http(in);

	if (rc == RG_MORE)
		return RG_MORE;
	if (rc == RG_OK) {
		*why = (struct tls_refusal){.kind = TLS_SAY_HTTP};
		return RG_E_PROTO;
	}
	if ((in.p[0] & 0x80) != 0) { // SSL 2.0 (RFC 8446 D.5: MUST NOT), or noise
		if (in.len < 3)
			return RG_MORE;
		*why = (struct tls_refusal){TLS_SAY_ALERT, ALERT_PROTOCOL_VERSION, VERSION_10};
		if (in.p[2] != 1)
			why->kind = TLS_SAY_NOTHING;
		return RG_E_PROTO;
	}
	*why = (struct tls_refusal){TLS_SAY_NOTHING, ALERT_UNEXPECTED_MESSAGE, VERSION_12};
	if (in.p[0] > TYPE_HANDSHAKE + 1 || in.p[0] < TYPE_CCS)
		return RG_E_PROTO; // no record at all
	if (in.p[0] != TYPE_ALERT) // nobody answers an alert with one
		why->kind = TLS_SAY_ALERT;
	return RG_E_PROTO;
}

// The header of a record (RFC 8446 5.1) at the start of in. RG_OK and the length of its fragment.
static int read_header(struct rg_slice in, size_t *n, struct tls_refusal *why) {
	if (in.len >= 1 && in.p[0] != TYPE_HANDSHAKE)
		return refuse(why, RG_E_PROTO, ALERT_UNEXPECTED_MESSAGE);
	if (in.len >= 2 && in.p[1] != VERSION_12 >> 8)
		return refuse(why, RG_E_PROTO, ALERT_PROTOCOL_VERSION);
	if (in.len < HEADER_LEN)
		return RG_MORE;
	*n = (size_t)in.p[3] << 8 | in.p[4];
	if (*n == 0)
		return refuse(why, RG_E_PROTO, ALERT_UNEXPECTED_MESSAGE);
	if (*n > MAX_FRAGMENT)
		return refuse(why, RG_E_PROTO, ALERT_RECORD_OVERFLOW);
	return RG_OK;
}

// Length of the message that m begins, as far as m tells; 0 = not yet.
static int read_message_header(struct rg_slice m, size_t *len, struct tls_refusal *why) {
	size_t n;

	*len = 0;
	if (m.len >= 1 && m.p[0] != 1)
		return refuse(why, RG_E_PROTO, ALERT_UNEXPECTED_MESSAGE);
	if (m.len < MESSAGE_HEADER_LEN)
		return RG_OK;
	n = (size_t)m.p[1] << 16 | (size_t)m.p[2] << 8 | m.p[3];
	if (n > MAX_MESSAGE)
		return refuse(why, RG_E_LIMIT, ALERT_ILLEGAL_PARAMETER);
	*len = MESSAGE_HEADER_LEN + n;
	return RG_OK;
}

// The message, up to whose end s has come: in place when one record holds it, else put together in
// scratch.
static struct rg_slice gather(struct rg_slice in, const struct tls_hello_scan *s,
			      uint8_t *scratch) {
	size_t len = 0;

	if (s->pos == HEADER_LEN + s->len)
		return rg_slice(in.p + HEADER_LEN, s->len);
	while (len < s->len) {
		size_t n = (size_t)in.p[3] << 8 | in.p[4];

		memcpy(scratch + len, in.p + HEADER_LEN, n);
		len += n;
		in = rg_skip(in, HEADER_LEN + n);
	}
	return rg_slice(scratch, len);
}

static struct rg_rd vector(struct rg_rd *rd, unsigned n) {
	return rg_rd(rg_rd_bytes(rd, rg_rd_be(rd, n)));
}

static bool is_at_end(const struct rg_rd *rd) {
	return !rd->bad && rd->p == rd->end;
}

// RFC 6066 3: one name of type host_name; a list of others is not for us.
static bool read_server_name(struct rg_rd rd, struct rg_slice *name) {
	struct rg_rd list = vector(&rd, 2);
	uint64_t type = rg_rd_be(&list, 1);

	*name = rg_rd_bytes(&list, rg_rd_be(&list, 2));
	return type == 0 && name->len > 0 && is_at_end(&list) && is_at_end(&rd);
}

// RFC 8446 4.2.1
static bool read_versions(struct rg_rd rd, bool *is_13) {
	struct rg_rd list = vector(&rd, 1);
	size_t n = (size_t)(list.end - list.p);

	if (rd.bad || n == 0 || n % 2 != 0 || !is_at_end(&rd))
		return false;
	while (list.p < list.end)
		*is_13 = rg_rd_be(&list, 2) == VERSION_13 || *is_13;
	return true;
}

struct extensions {
	bool is_13;
	uint8_t seen[65536 / 8];
};

// One extension. 0, or the alert.
static uint8_t read_extension(struct rg_rd *rd, struct tls_hello *h, struct extensions *x) {
	uint64_t type = rg_rd_be(rd, 2);
	struct rg_rd body = vector(rd, 2);
	uint8_t bit = (uint8_t)(1u << (type & 7));

	if (rd->bad)
		return ALERT_DECODE_ERROR;
	if ((x->seen[type >> 3] & bit) != 0 || h->has_psk) // RFC 8446 4.2: once; 4.2.11: the last
		return ALERT_ILLEGAL_PARAMETER;
	x->seen[type >> 3] |= bit;
	switch (type) {
	case EXT_SERVER_NAME:
		return read_server_name(body, &h->sni) ? 0 : ALERT_DECODE_ERROR;
	case EXT_SUPPORTED_VERSIONS:
		return read_versions(body, &x->is_13) ? 0 : ALERT_DECODE_ERROR;
	case EXT_ALPN:
		h->has_alpn = true;
		return 0;
	case EXT_SESSION_TICKET:
		h->has_ticket = true;
		return 0;
	case EXT_PRE_SHARED_KEY:
		h->has_psk = true;
		return 0;
	case EXT_EARLY_DATA:
		h->has_early_data = true;
		return 0;
	default:
		return 0;
	}
}

// RFC 8446 4.1.2
static int read_hello(struct rg_slice body, struct tls_hello *h, struct tls_refusal *why) {
	struct rg_rd rd = rg_rd(body);
	struct extensions x = {0};
	struct rg_rd session, suites, methods, list;

	h->legacy_version = (uint16_t)rg_rd_be(&rd, 2);
	(void)rg_rd_bytes(&rd, 32);
	session = vector(&rd, 1);
	suites = vector(&rd, 2);
	methods = vector(&rd, 1);
	if (rd.bad || session.end - session.p > 32 || suites.p == suites.end ||
	    (suites.end - suites.p) % 2 != 0 || methods.p == methods.end)
		return refuse(why, RG_E_PROTO, ALERT_DECODE_ERROR);
	if (rd.p < rd.end) { // before TLS 1.2 there may be none
		list = vector(&rd, 2);
		if (!is_at_end(&rd))
			return refuse(why, RG_E_PROTO, ALERT_DECODE_ERROR);
		while (list.p < list.end) {
			uint8_t alert = read_extension(&list, h, &x);

			if (alert != 0)
				return refuse(why, RG_E_PROTO, alert);
		}
	}
	if (x.is_13)
		return RG_OK;
	(void)refuse(why, RG_E_UNSUPPORTED, ALERT_PROTOCOL_VERSION);
	if (h->legacy_version >= 0x0300 && h->legacy_version < VERSION_12)
		why->version = h->legacy_version;
	return RG_E_UNSUPPORTED;
}

int tls_hello_scan(struct rg_slice in, struct tls_hello_scan *s, struct tls_refusal *why) {
	if (in.len > 0 && in.p[0] != TYPE_HANDSHAKE && s->pos == 0)
		return refuse_stranger(in, why);
	for (;;) {
		struct rg_slice rest = rg_skip(in, s->pos);
		size_t n, part, want;
		int rc = read_header(rest, &n, why);

		if (rc != RG_OK)
			return rc;
		rest = rg_skip(rest, HEADER_LEN);
		part = n < rest.len ? n : rest.len;
		if (s->len + part > TLS_HELLO_MAX)
			return refuse(why, RG_E_LIMIT, ALERT_ILLEGAL_PARAMETER);
		for (size_t i = 0; i < part && s->len + i < MESSAGE_HEADER_LEN; i++)
			s->header[s->len + i] = rest.p[i];
		rc = read_message_header(rg_slice(s->header, s->len + part), &want, why);
		if (rc != RG_OK)
			return rc;
		if (want > 0 && s->len + n > want) // RFC 8446 5.1: it ends its record
			return refuse(why, RG_E_PROTO, ALERT_UNEXPECTED_MESSAGE);
		if (part < n)
			return RG_MORE;
		s->pos += (uint32_t)(HEADER_LEN + n);
		s->len += (uint32_t)n;
		if (s->len == want)
			return RG_OK;
	}
}

int tls_hello_peek(struct rg_slice in, uint8_t *scratch, struct tls_hello *out,
		   struct tls_refusal *why) {
	struct tls_hello_scan scan = {0};
	struct tls_hello h = {0};
	int rc = tls_hello_scan(in, &scan, why);

	if (rc != RG_OK)
		return rc;
	h.len = scan.pos;
	rc = read_hello(rg_skip(gather(in, &scan, scratch), MESSAGE_HEADER_LEN), &h, why);
	if (rc == RG_OK)
		*out = h;
	return rc;
}
