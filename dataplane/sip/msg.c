// SPDX-License-Identifier: BSD-3-Clause
// SIP messages: one pass over the head that finds the lines, refuses control characters, names the
// headers and checks those that decide what the message is. Any thread; borrows, never allocates,
// never reads past its input.
#include "hdr.h"
#include "low.h"
#include "marks.h"
#include "quick.h"
#include "regate/err.h"
#include "value.h"

#define BIT(id) (1u << (id))
#define MAX_ODD 16 // control characters in a message: each costs a look at its whole line

enum {
	MANDATORY = BIT(SIP_HDR_VIA) | BIT(SIP_HDR_FROM) | BIT(SIP_HDR_TO) | BIT(SIP_HDR_CALL_ID) |
		    BIT(SIP_HDR_CSEQ), // RFC 3261 8.1.1; a missing Max-Forwards is tolerated
	SINGLE = BIT(SIP_HDR_FROM) | BIT(SIP_HDR_TO) | BIT(SIP_HDR_CALL_ID) | BIT(SIP_HDR_CSEQ) |
		 BIT(SIP_HDR_MAX_FORWARDS) | BIT(SIP_HDR_EXPIRES) | BIT(SIP_HDR_MIN_EXPIRES) |
		 BIT(SIP_HDR_CONTENT_LENGTH) | BIT(SIP_HDR_CONTENT_TYPE) |
		 BIT(SIP_HDR_RETRY_AFTER) | BIT(SIP_HDR_EVENT), // RFC 3261 7.3.1
};

// What one pass over the head gathers.
struct head {
	struct rg_slice in;
	const uint8_t *lim; // its end
	const uint8_t *p;   // the line that is next
	struct marks k;     // over map
	uint64_t map[MARKS_WORDS(SIP_MAX_MSG)];
	unsigned n_odd;
	size_t len; // of the head with its empty line
	bool is_request;
	enum sip_method method;
	struct rg_slice method_name, ruri, reason;
	unsigned status;
	uint32_t seen; // BIT(id)
	uint32_t cseq;
	uint64_t content_len; // when seen
	uint32_t repeated;
	unsigned n_hdrs;
	uint32_t empty;
	uint8_t last[SIP_N_HDR_IDS]; // index of the last one of that id, when seen
	struct sip_hdr hdrs[SIP_MAX_HEADERS];
};

// Is the byte after s escaped by a backslash inside a quoted-string or comment of s? Only there the
// grammar has control characters (RFC 3261 25.1, quoted-pair).
static bool is_quoted_pair(struct rg_slice s) {
	bool is_quoted = false, is_escaped = false;
	unsigned depth = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (is_escaped)
			is_escaped = false;
		else if (s.p[i] == '\\')
			is_escaped = is_quoted || depth > 0;
		else if (s.p[i] == '"' && depth == 0)
			is_quoted = !is_quoted;
		else if (s.p[i] == '(' && !is_quoted)
			depth++;
		else if (s.p[i] == ')' && !is_quoted && depth > 0)
			depth--;
	}
	return is_escaped;
}

// What is not the CRLF of a line is good in a quoted-pair only; then the scan goes on behind it.
static int odd_mark(struct head *h, const uint8_t *start, const uint8_t *at) {
	if (*at == '\r' || *at == '\n')
		return RG_E_PROTO;
	if (++h->n_odd > MAX_ODD)
		return RG_E_LIMIT;
	if (!is_quoted_pair(sip_piece(start, at)))
		return RG_E_PROTO;
	marks_restart(&h->k, at + 1);
	return RG_OK;
}

// Where the CRLF is that ends the line at `start` together with its folds (RFC 3261 7.3.1: a line
// that starts with a blank continues the one before); `at` is its first mark. At least one byte
// follows that CRLF. RG_OK, RG_MORE, RG_E_PROTO, RG_E_LIMIT.
static int line_end(struct head *h, const uint8_t *start, const uint8_t *at, const uint8_t **end) {
	int rc;

	for (;; at = marks_next(&h->k)) {
		if (h->lim - at > 2 && SIP_AT(at, "\r\n")) {
			if (at[2] == ' ' || at[2] == '\t')
				continue;
			*end = at;
			return RG_OK;
		}
		if (at == h->lim || (*at == '\r' && (at + 1 == h->lim || at[1] == '\n')))
			return RG_MORE;
		rc = odd_mark(h, start, at);
		if (rc != RG_OK)
			return rc;
	}
}

static const struct {
	struct rg_slice name;
} methods[] = {
	[SIP_REGISTER] = {RG_LIT("REGISTER")},
	[SIP_INVITE] = {RG_LIT("INVITE")},
	[SIP_ACK] = {RG_LIT("ACK")},
	[SIP_BYE] = {RG_LIT("BYE")},
	[SIP_CANCEL] = {RG_LIT("CANCEL")},
	[SIP_OPTIONS] = {RG_LIT("OPTIONS")},
	[SIP_SUBSCRIBE] = {RG_LIT("SUBSCRIBE")},
	[SIP_NOTIFY] = {RG_LIT("NOTIFY")},
	[SIP_MESSAGE] = {RG_LIT("MESSAGE")},
	[SIP_UPDATE] = {RG_LIT("UPDATE")},
	[SIP_PRACK] = {RG_LIT("PRACK")},
	[SIP_INFO] = {RG_LIT("INFO")},
	[SIP_REFER] = {RG_LIT("REFER")},
	[SIP_PUBLISH] = {RG_LIT("PUBLISH")},
};

const char *sip_method_name(enum sip_method m) {
	return m < SIP_OTHER_METHOD ? (const char *)methods[m].name.p : "OTHER";
}

static enum sip_method method_of(struct rg_slice name) {
	for (unsigned i = 0; i < SIP_OTHER_METHOD; i++)
		if (rg_eq(name, methods[i].name))
			return i;
	return SIP_OTHER_METHOD;
}

// The Request-URI: a SIP URI without headers (RFC 3261 19.1.1 table 1), or another absoluteURI.
static bool is_request_uri(struct sip_text t) {
	struct sip_uri u;

	if (!sip_is_sip_uri(sip_piece(t.p, t.end)))
		return sip_is_uri(t);
	return sip_uri_cut(t, &u) == RG_OK && u.headers.p == NULL;
}

static bool is_version(struct rg_slice s) {
	return SIP_IS(s, "sip/2.0");
}

// "REGISTER sip:host SIP/2.0"
static inline bool quick_register(struct head *h, struct sip_text t) {
	const uint8_t *host = t.p + 13, *end;

	if (t.lim - t.p < 13 + 64 + 8 || !SIP_AT(t.p, "REGISTER sip:"))
		return false;
	end = host + sip_quick_host(host, t.end);
	if (end == host || t.end - end != 8 || !SIP_AT(end, " SIP/2.0"))
		return false;
	h->is_request = true;
	h->method = SIP_REGISTER;
	h->method_name = rg_slice(t.p, 8);
	h->ruri = sip_piece(t.p + 9, end);
	return true;
}

// Method SP Request-URI SP SIP-Version (RFC 3261 7.1): single spaces, nothing behind.
static int request_line(struct head *h, struct sip_text t) {
	const uint8_t *p;

	if (quick_register(h, t))
		return RG_OK;
	p = sip_past(&SIP_TOKEN, t);
	if (p == t.p || p == t.end || *p != ' ')
		return RG_E_PROTO;
	h->method_name = sip_piece(t.p, p);
	h->method = method_of(h->method_name);
	t.p = p + 1;
	p = sip_past(&SIP_URIC, t);
	h->ruri = sip_piece(t.p, p);
	if (p == t.end || *p != ' ' || !is_version(sip_piece(p + 1, t.end)) ||
	    !is_request_uri((struct sip_text){t.p, p, t.lim}))
		return RG_E_PROTO;
	h->is_request = true;
	return RG_OK;
}

// No fold and no quoted-pair, which the line scan lets pass.
static bool is_phrase(struct rg_slice s) {
	for (size_t i = 0; i < s.len; i++)
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

// SIP-Version SP 3DIGIT SP Reason-Phrase (RFC 3261 7.2); the phrase may be empty.
static int status_line(struct head *h, struct rg_slice line) {
	uint64_t status;

	if (line.len < 12 || !is_version(rg_slice(line.p, 7)) || line.p[7] != ' ' ||
	    line.p[11] != ' ' || !rg_parse_u64(rg_slice(line.p + 8, 3), &status) || status < 100 ||
	    status > 699)
		return RG_E_PROTO;
	h->status = (unsigned)status;
	h->reason = rg_skip(line, 12);
	return is_phrase(h->reason) ? RG_OK : RG_E_PROTO;
}

static int start_line(struct head *h, struct sip_text t) {
	// no method has a slash
	return t.end - t.p > 4 && t.p[3] == '/' && sip_low_eq(t.p, "sip", 3)
		       ? status_line(h, sip_piece(t.p, t.end))
		       : request_line(h, t);
}

// word [ "@" word ] (RFC 3261 25.1)
static bool is_call_id(struct sip_text t) {
	const uint8_t *p = sip_past(&SIP_WORD, t);

	if (p == t.p || p == t.end)
		return p > t.p;
	t.p = p + 1;
	return *p == '@' && t.p < t.end && sip_past(&SIP_WORD, t) == t.end;
}

// "1 REGISTER"
static inline bool quick_cseq(struct head *h, struct rg_slice value) {
	const uint8_t *p = sip_quick_number(value.p, &h->cseq);

	return p != NULL && h->method == SIP_REGISTER && value.p + value.len - p == 9 &&
	       SIP_AT(p, " REGISTER");
}

// RFC 3261 8.1.1.5: the method is that of the request
static bool is_cseq(struct head *h, struct rg_slice value) {
	struct rg_slice method;

	if (quick_cseq(h, value))
		return true;
	if (!h->is_request)
		return sip_cseq_parse(value, &h->cseq, &method) == RG_OK;
	return sip_cseq_cut(value, &h->cseq, &method) && method.len == h->method_name.len &&
	       memcmp(method.p, h->method_name.p, method.len) == 0;
}

static inline bool is_content_length(struct head *h, struct rg_slice value) {
	uint32_t v;

	if (!sip_quick_u32(value, &v))
		return rg_parse_u64(value, &h->content_len);
	h->content_len = v;
	return true;
}

static inline struct rg_slice last_value(const struct head *h, enum sip_hdr_id id) {
	return h->hdrs[h->last[id]].value;
}

// Of the headers read so far: those that stand once, those that have a value, those that decide
// what the message is.
static bool are_values_good(struct head *h) {
	uint32_t number;

	if (((h->repeated & SINGLE) | (h->empty & MANDATORY)) != 0)
		return false;
	if ((h->seen & BIT(SIP_HDR_CALL_ID)) != 0 &&
	    !is_call_id(sip_text(last_value(h, SIP_HDR_CALL_ID), h->lim)))
		return false;
	if ((h->seen & BIT(SIP_HDR_CSEQ)) != 0 && !is_cseq(h, last_value(h, SIP_HDR_CSEQ)))
		return false;
	if ((h->seen & BIT(SIP_HDR_MAX_FORWARDS)) != 0 && // RFC 3261 20.22: 0 to 255
	    (!sip_number(last_value(h, SIP_HDR_MAX_FORWARDS), &number) || number > 255))
		return false;
	return (h->seen & BIT(SIP_HDR_CONTENT_LENGTH)) == 0 ||
	       is_content_length(h, last_value(h, SIP_HDR_CONTENT_LENGTH));
}

// Name and colon of the header line [p, end): name HCOLON value; HCOLON is *( SP / HTAB ) ":" SWS
// (RFC 3261 25.1). NULL when it is none; else what follows the colon.
static const uint8_t *name_of(const uint8_t *p, const uint8_t *end, const uint8_t *lim,
			      struct sip_hdr *x) {
	const uint8_t *start = p;

	p = sip_past(&SIP_TOKEN, (struct sip_text){p, end, lim});
	x->name = sip_piece(start, p);
	x->id = sip_hdr_id(x->name);
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return x->name.len > 0 && p < end && *p == ':' ? p + 1 : NULL;
}

// The header at h->p, whose first mark is at `at`, in any form. h->p is then behind it.
static __attribute__((noinline)) int take_header(struct head *h, const uint8_t *at) {
	struct sip_hdr *x = &h->hdrs[h->n_hdrs];
	const uint8_t *end, *value;
	int rc = line_end(h, h->p, at, &end);

	if (rc != RG_OK)
		return rc;
	if (h->n_hdrs == SIP_MAX_HEADERS)
		return RG_E_LIMIT;
	value = name_of(h->p, end, h->lim, x);
	if (value == NULL)
		return RG_E_PROTO;
	x->value = rg_trim(sip_piece(value, end));
	h->empty |= x->value.len == 0 ? BIT(x->id) : 0;
	h->repeated |= h->seen & BIT(x->id);
	h->seen |= BIT(x->id);
	h->last[x->id] = (uint8_t)h->n_hdrs++;
	h->p = end + 2;
	return RG_OK;
}

// A header "Name: value" on one line from p to its first mark; false for any other. A known name is
// a token. 32 bytes can be read at p, and 3 at `at`.
static inline bool quick_header(struct sip_hdr *x, const uint8_t *p, const uint8_t *at,
				enum sip_hdr_id *id) {
	const uint8_t *value;
	unsigned n = _tzcnt_u32(sip_match_byte(':', p)); // 32 when there is none

	if (n - 1 >= SIP_NAME_MAX || !SIP_AT(at, "\r\n") || (at[2] <= ' ' && at[2] != '\r'))
		return false;
	x->name = rg_slice(p, n);
	x->id = *id = sip_hdr_id32(p, n);
	if (*id == SIP_HDR_OTHER && _bzhi_u32(~sip_match32(&SIP_TOKEN, p), n) != 0)
		return false;
	value = p + n + 1;
	value += *value == ' ';
	x->value = sip_piece(value, at);
	return *value > ' ' && at[-1] > ' ';
}

// The headers of that form from h->p on. NULL when they end at the empty line, else the first mark
// of one that has another. Calls nothing, so that all it has stays in registers.
static __attribute__((noinline)) const uint8_t *quick_headers(struct head *h) {
	const uint8_t *p = h->p, *at = NULL, *last_p = h->lim - 32, *last_at = h->lim - 3;
	struct sip_hdr *x = &h->hdrs[h->n_hdrs];
	uint32_t seen = h->seen, bit;
	unsigned n = h->n_hdrs;
	struct marks k = h->k;
	enum sip_hdr_id id;

	for (; *p != '\r'; p = at + 2, at = NULL) {
		at = marks_next(&k);
		if (p > last_p || at > last_at || n == SIP_MAX_HEADERS ||
		    !quick_header(x, p, at, &id))
			break;
		bit = BIT(id);
		h->repeated |= seen & bit;
		seen |= bit;
		h->last[id] = (uint8_t)n++;
		x++;
	}
	h->p = p;
	h->seen = seen;
	h->n_hdrs = n;
	h->k.base = k.base;
	h->k.bits = k.bits;
	h->k.word = k.word;
	return at;
}

// The same; of a short message none has that form.
static const uint8_t *next_headers(struct head *h) {
	if (h->in.len >= 32)
		return quick_headers(h);
	return *h->p == '\r' ? NULL : marks_next(&h->k);
}

// The line at h->p begins with a CR, of the run that line_end() found.
static int end_head(struct head *h) {
	if (h->p + 1 == h->lim)
		return RG_MORE;
	h->len = (size_t)(h->p + 2 - h->in.p);
	return h->p[1] == '\n' && (h->seen & MANDATORY) == MANDATORY ? RG_OK : RG_E_PROTO;
}

// Start line and headers, up to and with the empty line.
static int parse_head(struct head *h) {
	const uint8_t *end, *at;
	int rc;

	marks_init(&h->k, h->in, h->map);
	rc = line_end(h, h->in.p, marks_next(&h->k), &end);
	if (rc == RG_OK)
		rc = start_line(h, (struct sip_text){h->in.p, end, h->lim});
	if (rc != RG_OK)
		return rc;
	h->p = end + 2;
	while (rc == RG_OK && (at = next_headers(h)) != NULL)
		rc = take_header(h, at);
	if (!are_values_good(h)) // of what was read before the walk failed
		return RG_E_PROTO;
	return rc == RG_OK ? end_head(h) : rc;
}

static void head_init(struct head *h, struct rg_slice in) {
	h->in = in;
	h->lim = in.p + in.len;
	h->is_request = false;
	h->method = SIP_OTHER_METHOD;
	h->method_name = h->ruri = h->reason = rg_slice(NULL, 0);
	h->status = 0;
	h->seen = h->repeated = h->empty = 0;
	h->cseq = 0;
	h->content_len = 0;
	h->n_hdrs = 0;
	h->n_odd = 0;
}

static void publish(const struct head *h, size_t skipped, size_t body_len, struct sip_msg *m) {
	m->raw = rg_slice(h->in.p, h->len + body_len);
	m->is_request = h->is_request;
	m->method = h->method;
	m->method_name = h->method_name;
	m->ruri = h->ruri;
	m->status = h->status;
	m->reason = h->reason;
	m->cseq = h->cseq;
	m->n_hdrs = h->n_hdrs;
	m->seen = h->seen;
	m->repeated = h->repeated;
	memcpy(m->last, h->last, sizeof(m->last));
	memcpy(m->hdrs, h->hdrs, h->n_hdrs * sizeof(*h->hdrs));
	m->body = rg_slice(h->in.p + h->len, body_len);
	m->size = skipped + h->len + body_len;
}

int sip_parse(struct rg_slice in, struct sip_msg *m) {
	struct head h;
	size_t body_len;
	int rc;

	if (in.len > SIP_MAX_MSG)
		return RG_E_LIMIT;
	head_init(&h, in);
	rc = parse_head(&h);
	if (rc != RG_OK)
		return rc == RG_MORE ? RG_E_PROTO : rc; // nothing will follow
	body_len = in.len - h.len;
	if (h.seen & BIT(SIP_HDR_CONTENT_LENGTH)) {
		if (h.content_len > body_len) // RFC 3261 18.3
			return RG_E_PROTO;
		body_len = h.content_len;
	}
	publish(&h, 0, body_len, m);
	return RG_OK;
}

// CRLFs before the start line (RFC 3261 7.5).
static size_t leading_crlfs(struct rg_slice in) {
	size_t n = 0;

	while (n + 1 < in.len && in.p[n] == '\r' && in.p[n + 1] == '\n')
		n += 2;
	return n;
}

int sip_parse_stream(struct rg_slice in, struct sip_msg *m) {
	size_t skipped = leading_crlfs(in);
	struct rg_slice rest = rg_skip(in, skipped);
	struct head h;
	int rc;

	if (skipped > SIP_MAX_MSG)
		return RG_E_LIMIT;
	head_init(&h, rg_slice(rest.p, rest.len < SIP_MAX_MSG ? rest.len : SIP_MAX_MSG));
	rc = parse_head(&h);
	if (rc == RG_MORE && rest.len >= SIP_MAX_MSG)
		return RG_E_LIMIT;
	if (rc != RG_OK)
		return rc;
	if (!(h.seen & BIT(SIP_HDR_CONTENT_LENGTH))) // RFC 3261 20.14
		return RG_E_PROTO;
	if (h.content_len > SIP_MAX_MSG - h.len)
		return RG_E_LIMIT;
	if (h.content_len > rest.len - h.len)
		return RG_MORE;
	publish(&h, skipped, h.content_len, m);
	return RG_OK;
}

bool sip_is_keepalive(struct rg_slice in) {
	return in.len >= 2 && leading_crlfs(in) == in.len;
}
