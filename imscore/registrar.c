// SPDX-License-Identifier: BSD-3-Clause
// Registrar of regate-imscore (RFC 3261 10.3, 3327, 3608, 5626 6; TS 33.203 Annex U). One thread.
#include "registrar.h"

#include <stdio.h>
#include <stdlib.h>

#include "regate/clock.h"
#include "regate/err.h"
#include "table.h"

#define SLOW_NS (2 * RG_NS_PER_S)
#define SHORT_MIN_S 1200
#define MORE_S 7200
#define BELOW_HOUR_S 3600 // RFC 3261 10.3: only what is shorter may be called too brief
#define TAG_MAX 48

enum script { // by the first letters of the user
	SCRIPT_NONE,
	SCRIPT_SHORT,
	SCRIPT_BUSY,
	SCRIPT_DENY,
	SCRIPT_GONE,
	SCRIPT_MUTE,
	SCRIPT_SLOW,
	SCRIPT_LESS,
	SCRIPT_MORE,
	SCRIPT_ALIEN,
	SCRIPT_LOST200,
	SCRIPT_TNA,
};

struct registrar {
	struct registrar_cfg cfg;
	struct table *table;
	struct registrar_stats stats;
	uint64_t n_tags;
};

// One REGISTER under way.
struct job {
	struct registrar *r;
	const struct sip_msg *m;
	uint64_t now_ns;
	enum script script;
	struct rg_slice to_uri, call_id;
	uint32_t cseq;
	bool is_outbound; // Supported says so and the first Path has ob
	struct aor *aor;
	struct rg_wr lines; // of the answer
	uint8_t lines_buf[SIP_MAX_MSG / 2];
};

static enum script script_of(struct rg_slice user) {
	static const struct {
		const char *prefix;
		enum script script;
	} scripts[] = {
		{"short", SCRIPT_SHORT},     {"busy", SCRIPT_BUSY}, {"deny", SCRIPT_DENY},
		{"gone", SCRIPT_GONE},       {"mute", SCRIPT_MUTE}, {"slow", SCRIPT_SLOW},
		{"less", SCRIPT_LESS},       {"more", SCRIPT_MORE}, {"alien", SCRIPT_ALIEN},
		{"lost200", SCRIPT_LOST200}, {"tna", SCRIPT_TNA},
	};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++)
		if (rg_is_prefix(user, rg_str(scripts[i].prefix)))
			return scripts[i].script;
	return SCRIPT_NONE;
}

static bool lists(const struct sip_msg *m, enum sip_hdr_id id, struct rg_slice tag) {
	struct rg_slice list, element;

	for (const struct sip_hdr *h = sip_hdr_first(m, id); h != NULL; h = sip_hdr_next(m, h)) {
		list = h->value;
		while (sip_list_next(&list, &element))
			if (rg_ieq(element, tag))
				return true;
	}
	return false;
}

static void put_line(struct job *j, const char *name, struct rg_slice value) {
	rg_puts(&j->lines, name);
	rg_puts(&j->lines, ": ");
	rg_put(&j->lines, value);
	rg_puts(&j->lines, "\r\n");
}

static void put_number(struct job *j, const char *name, uint64_t value) {
	rg_puts(&j->lines, name);
	rg_puts(&j->lines, ": ");
	rg_put_u64(&j->lines, value);
	rg_puts(&j->lines, "\r\n");
}

// --- who asks: trusted node with auth-done, Path, and one of our users

// Value of name="value" among the parameters of a Digest Authorization; len 0 = absent.
static struct rg_slice auth_param(struct rg_slice list, struct rg_slice name) {
	struct rg_slice element;

	while (sip_list_next(&list, &element)) {
		if (element.len > name.len + 2 && rg_ieq(rg_slice(element.p, name.len), name) &&
		    element.p[name.len] == '=' && element.p[name.len + 1] == '"')
			return rg_slice(element.p + name.len + 2, element.len - name.len - 3);
	}
	return rg_slice(NULL, 0);
}

static bool is_trusted(const struct job *j) {
	const struct sip_hdr *h = sip_hdr_first(j->m, SIP_HDR_AUTHORIZATION);
	struct rg_slice list, user;

	if (h == NULL || sip_hdr_next(j->m, h) != NULL ||
	    !rg_is_prefix(h->value, RG_LIT("Digest ")))
		return false;
	list = rg_skip(h->value, 7);
	user = auth_param(list, RG_LIT("username"));
	return rg_eq(auth_param(list, RG_LIT("integrity-protected")), RG_LIT("auth-done")) &&
	       rg_eq(auth_param(list, RG_LIT("realm")), rg_str(j->r->cfg.domain)) && user.len > 0 &&
	       memchr(user.p, '@', user.len) != NULL;
}

static unsigned refuse_untrusted(struct job *j) {
	rg_puts(&j->lines, "WWW-Authenticate: Digest realm=\"");
	rg_puts(&j->lines, j->r->cfg.domain);
	rg_puts(&j->lines, "\", nonce=\"aW1zY29yZQ==\", algorithm=MD5, qop=\"auth\"\r\n");
	return 401;
}

// 0, or the status that refuses the request as such.
static unsigned check(struct job *j) {
	struct sip_uri to;

	if (sip_uri_parse(j->to_uri, &to) != RG_OK)
		return 400;
	if (!rg_ieq(to.host, rg_str(j->r->cfg.domain)))
		return 404;
	j->script = script_of(to.user);
	if (j->script == SCRIPT_TNA || !is_trusted(j))
		return refuse_untrusted(j);
	if (sip_hdr_first(j->m, SIP_HDR_PATH) == NULL ||
	    !lists(j->m, SIP_HDR_REQUIRE, RG_LIT("path"))) {
		put_line(j, "Unsupported", RG_LIT("path"));
		return 420;
	}
	if (j->script == SCRIPT_DENY || j->script == SCRIPT_MUTE) // mute: nobody hears it
		return 403;
	if (j->script == SCRIPT_GONE)
		return 404;
	if (j->script == SCRIPT_BUSY) {
		put_number(j, "Retry-After", 1);
		return 503;
	}
	return 0;
}

// --- what is asked

struct wish { // one Contact element
	struct rg_slice element, uri, params, instance;
	uint32_t reg_id, expires;
};

static uint32_t to_u32(struct rg_slice s, uint32_t otherwise) {
	uint64_t v;

	if (!rg_parse_u64(s, &v))
		return otherwise;
	return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static bool wish_parse(struct job *j, struct rg_slice element, struct wish *w) {
	const struct sip_hdr *h = sip_hdr_first(j->m, SIP_HDR_EXPIRES);
	struct sip_nameaddr n;
	struct rg_slice v;

	if (sip_nameaddr_parse(element, &n) != RG_OK)
		return false;
	*w = (struct wish){.element = element, .uri = n.uri, .params = n.params};
	w->expires = h != NULL ? to_u32(h->value, j->r->cfg.max_expires) : j->r->cfg.max_expires;
	if (sip_param(n.params, RG_LIT("expires"), &v))
		w->expires = to_u32(v, w->expires);
	// RFC 5626 6: without outbound support on the way, a reg-id means nothing.
	if (j->is_outbound && sip_param(n.params, RG_LIT("+sip.instance"), &v)) {
		w->instance = v;
		if (sip_param(n.params, RG_LIT("reg-id"), &v))
			w->reg_id = to_u32(v, 0);
	}
	return true;
}

// The expires to bind for; 0 with *status set when that is refused.
static uint32_t grant(struct job *j, uint32_t asked, unsigned *status) {
	uint32_t min = j->script == SCRIPT_SHORT ? SHORT_MIN_S : j->r->cfg.min_expires;

	if (asked < min && asked < BELOW_HOUR_S) {
		put_number(j, "Min-Expires", min);
		*status = 423;
		return 0;
	}
	if (j->script == SCRIPT_MORE)
		return MORE_S;
	if (asked > j->r->cfg.max_expires)
		asked = j->r->cfg.max_expires;
	return j->script == SCRIPT_LESS ? asked / 2 : asked;
}

// Appends the Path values of the request, comma-separated.
static void put_paths(struct rg_wr *w, const struct sip_msg *m) {
	for (const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_PATH); h != NULL;
	     h = sip_hdr_next(m, h)) {
		if (w->len > 0)
			rg_puts(w, ", ");
		rg_put(w, h->value);
	}
}

// The element without its expires parameter.
static void put_element(struct rg_wr *w, const struct wish *wish) {
	struct rg_slice rest = wish->params, one;
	const uint8_t *end;
	bool is_quoted;

	rg_putc(w, '<');
	rg_put(w, wish->uri);
	rg_putc(w, '>');
	while (rest.len > 0) {
		is_quoted = false;
		for (end = rest.p + 1; end < rest.p + rest.len && (is_quoted || *end != ';'); end++)
			is_quoted ^= *end == '"';
		one = rg_slice(rest.p, (size_t)(end - rest.p));
		rest = rg_skip(rest, one.len);
		if (one.len < 8 || !rg_ieq(rg_slice(one.p, 8), RG_LIT(";expires")))
			rg_put(w, one);
	}
}

static bool bind(struct job *j, const struct wish *w, uint32_t expires) {
	struct binding *b = table_find(j->aor, w->uri, w->instance, w->reg_id);
	uint8_t paths[1024], element[2048];
	struct rg_wr pw = rg_wr(paths, sizeof(paths)), ew = rg_wr(element, sizeof(element));

	if (b == NULL)
		b = table_add(j->r->table, j->aor);
	else
		j->r->stats.refreshes++;
	put_paths(&pw, j->m);
	put_element(&ew, w);
	if (b == NULL || !table_set(&b->uri, w->uri) || !table_set(&b->instance, w->instance) ||
	    !table_set(&b->element, rg_wr_slice(&ew)) || !table_set(&b->path, rg_wr_slice(&pw)) ||
	    !table_set(&b->call_id, j->call_id))
		return false;
	b->reg_id = w->instance.len > 0 ? w->reg_id : 0;
	b->cseq = j->cseq;
	b->end_ns = j->now_ns + expires * RG_NS_PER_S;
	return true;
}

static void unbind(struct job *j, const struct wish *w) {
	struct binding *b = table_find(j->aor, w->uri, w->instance, w->reg_id);

	j->r->stats.deregisters++;
	if (b != NULL)
		table_del(j->r->table, j->aor, b);
}

static unsigned apply_one(struct job *j, struct rg_slice element) {
	unsigned status = 0;
	uint32_t expires;
	struct wish w;

	if (!wish_parse(j, element, &w))
		return 400;
	if (w.expires == 0) {
		unbind(j, &w);
		return 0;
	}
	expires = grant(j, w.expires, &status);
	if (status == 0 && !bind(j, &w, expires))
		status = 500;
	return status;
}

static unsigned apply_star(struct job *j) {
	const struct sip_hdr *h = sip_hdr_first(j->m, SIP_HDR_EXPIRES);

	if (h == NULL || !rg_eq(h->value, RG_LIT("0"))) // RFC 3261 10.3 step 6
		return 400;
	j->r->stats.deregisters++;
	while (j->aor->bindings != NULL)
		table_del(j->r->table, j->aor, j->aor->bindings);
	return 0;
}

static unsigned apply(struct job *j) {
	struct rg_slice list, element;
	unsigned status = 0;

	for (const struct sip_hdr *h = sip_hdr_first(j->m, SIP_HDR_CONTACT); h != NULL;
	     h = sip_hdr_next(j->m, h)) {
		if (rg_eq(h->value, RG_LIT("*")))
			return apply_star(j);
		list = h->value;
		while (status == 0 && sip_list_next(&list, &element))
			status = apply_one(j, element);
	}
	return status;
}

// RFC 3261 10.3 step 7. An equal CSeq is taken for a retransmission.
static unsigned check_order(struct job *j) {
	for (struct binding *b = j->aor->bindings; b != NULL; b = b->next) {
		if (b->call_id == NULL || !rg_eq(rg_str(b->call_id), j->call_id))
			continue;
		if (j->cseq < b->cseq)
			return 500;
		j->r->stats.retransmits += j->cseq == b->cseq;
	}
	return 0;
}

static bool add_alien(struct job *j) {
	struct binding *b;

	if (j->script != SCRIPT_ALIEN || j->aor->had_alien)
		return true;
	b = table_add(j->r->table, j->aor);
	if (b == NULL || !table_set(&b->uri, RG_LIT("sip:alien@198.51.100.66:5060")) ||
	    !table_set(&b->element, RG_LIT("<sip:alien@198.51.100.66:5060>")))
		return false;
	b->end_ns = j->now_ns + MORE_S * RG_NS_PER_S;
	return j->aor->had_alien = true;
}

// --- the 200

static void put_bindings(struct job *j) {
	bool is_flow = false;

	for (struct binding *b = j->aor->bindings; b != NULL; b = b->next) {
		is_flow |= b->reg_id != 0;
		rg_puts(&j->lines, "Contact: ");
		rg_puts(&j->lines, b->element);
		rg_puts(&j->lines, ";expires=");
		rg_put_u64(&j->lines, (b->end_ns - j->now_ns + RG_NS_PER_S - 1) / RG_NS_PER_S);
		rg_puts(&j->lines, "\r\n");
	}
	if (is_flow)
		put_line(j, "Require", RG_LIT("outbound"));
}

static void put_routes(struct job *j) {
	for (const struct sip_hdr *h = sip_hdr_first(j->m, SIP_HDR_PATH); h != NULL;
	     h = sip_hdr_next(j->m, h))
		put_line(j, "Path", h->value);
	rg_puts(&j->lines, "Service-Route: <sip:orig@scscf.");
	rg_puts(&j->lines, j->r->cfg.domain);
	rg_puts(&j->lines, ":6060;lr>\r\nP-Associated-URI: <");
	rg_put(&j->lines, j->to_uri);
	rg_puts(&j->lines, ">\r\nSupported: path, outbound\r\n");
}

static unsigned serve_register(struct job *j) {
	unsigned status = check(j);

	if (status != 0)
		return status;
	j->aor = table_get(j->r->table, j->to_uri, j->now_ns);
	if (j->aor == NULL || !add_alien(j))
		return 500;
	status = check_order(j);
	if (status == 0)
		status = apply(j);
	if (status != 0)
		return status;
	put_bindings(j);
	put_routes(j);
	return 200;
}

// --- one message

static bool job_init(struct job *j) {
	const struct sip_hdr *to = sip_hdr_first(j->m, SIP_HDR_TO);
	const struct sip_hdr *cseq = sip_hdr_first(j->m, SIP_HDR_CSEQ);
	const struct sip_hdr *path = sip_hdr_first(j->m, SIP_HDR_PATH);
	struct sip_nameaddr n;
	struct sip_uri u;
	struct rg_slice v;
	size_t digits = 0;

	j->lines = rg_wr(j->lines_buf, sizeof(j->lines_buf));
	if (sip_nameaddr_parse(to->value, &n) != RG_OK)
		return false;
	j->to_uri = n.uri;
	j->call_id = sip_hdr_first(j->m, SIP_HDR_CALL_ID)->value;
	while (digits < cseq->value.len && cseq->value.p[digits] >= '0' &&
	       cseq->value.p[digits] <= '9')
		digits++;
	j->cseq = to_u32(rg_slice(cseq->value.p, digits), 0);
	if (path == NULL || sip_nameaddr_parse(path->value, &n) != RG_OK ||
	    sip_uri_parse(n.uri, &u) != RG_OK)
		return true;
	j->is_outbound = lists(j->m, SIP_HDR_SUPPORTED, RG_LIT("outbound")) &&
			 sip_param(u.params, RG_LIT("ob"), &v);
	return true;
}

// Does the script swallow the answer?
static bool is_swallowed(struct job *j, unsigned status) {
	if (j->script == SCRIPT_MUTE)
		return true;
	if (j->script != SCRIPT_LOST200 || status != 200 || j->aor->had_lost)
		return false;
	return j->aor->had_lost = true;
}

static void put_answer(struct job *j, unsigned status, const struct rg_addr *peer,
		       struct registrar_answer *out) {
	struct rg_wr w = rg_wr(out->bytes, sizeof(out->bytes));
	char tag[TAG_MAX];
	struct sip_answer a = {
		.status = status,
		.peer = peer,
		.headers = j->lines.overflow ? rg_slice(NULL, 0) : rg_wr_slice(&j->lines),
	};

	snprintf(tag, sizeof(tag), "core.%llx", (unsigned long long)++j->r->n_tags);
	a.to_tag = rg_str(tag);
	sip_put_answer(&w, j->m, &a);
	out->len = w.overflow ? 0 : w.len;
	out->status = w.overflow ? 0 : status;
	out->delay_ns = j->script == SCRIPT_SLOW ? SLOW_NS : 0;
}

void registrar_serve(struct registrar *r, const struct sip_msg *m, const struct rg_addr *peer,
		     uint64_t now_ns, struct registrar_answer *out) {
	struct job j = {.r = r, .m = m, .now_ns = now_ns};
	unsigned status = 400;

	out->status = 0;
	out->len = 0;
	r->stats.requests++;
	if (m->method == SIP_ACK)
		return;
	if (m->method != SIP_REGISTER) {
		r->stats.other++;
		j.lines = rg_wr(j.lines_buf, sizeof(j.lines_buf));
		put_line(&j, "Allow", RG_LIT("REGISTER, OPTIONS"));
		status = m->method == SIP_OPTIONS ? 200 : 405;
	} else {
		r->stats.registers++;
		if (job_init(&j))
			status = serve_register(&j);
	}
	r->stats.n_bindings = table_n_bindings(r->table);
	if (is_swallowed(&j, status)) {
		r->stats.unanswered++;
		return;
	}
	r->stats.answers[status / 100]++;
	put_answer(&j, status, peer, out);
}

const struct registrar_stats *registrar_get_stats(const struct registrar *r) {
	return &r->stats;
}

struct registrar *registrar_new(const struct registrar_cfg *cfg) {
	struct registrar *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->cfg = *cfg;
	r->table = table_new();
	if (r->table == NULL) {
		registrar_free(r);
		return NULL;
	}
	return r;
}

void registrar_free(struct registrar *r) {
	if (r == NULL)
		return;
	table_free(r->table);
	free(r);
}
