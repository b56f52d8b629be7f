// SPDX-License-Identifier: BSD-3-Clause
#include "store/etcd_record.h"

#include "regate/err.h"

#define FORMAT 1

// --- writing

static void put_text(struct rg_wr *w, const char *s) {
	for (; *s != '\0'; s++) {
		uint8_t c = (uint8_t)*s;

		if (c < 0x20 || c == 0x7f || c == '%') {
			rg_putc(w, '%');
			rg_put_hex(w, rg_slice(&c, 1));
		} else {
			rg_putc(w, *s);
		}
	}
	rg_putc(w, '\t');
}

static void put_u64(struct rg_wr *w, uint64_t v) {
	rg_put_u64(w, v);
	rg_putc(w, '\t');
}

static void put_i64(struct rg_wr *w, int64_t v) {
	if (v < 0)
		rg_putc(w, '-');
	put_u64(w, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void etcd_record_put(struct rg_wr *w, const struct store_lease *l, struct etcd_author a) {
	put_u64(w, FORMAT);
	put_text(w, l->impu);
	put_text(w, l->pool);
	put_text(w, l->sub);
	put_text(w, l->gateway);
	put_u64(w, l->gen);
	put_u64(w, l->state);
	put_u64(w, l->flags);
	put_u64(w, l->scenario);
	put_i64(w, l->granted_ms);
	put_i64(w, l->ended_ms);
	put_i64(w, l->reassign_ms);
	for (unsigned i = 0; i < STORE_TOKENS; i++) {
		put_i64(w, l->tokens[i].end_ms);
		rg_put_hex(w, rg_slice(l->tokens[i].digest.b, RG_DIGEST_LEN));
		rg_putc(w, '\t');
	}
	put_u64(w, a.tag);
	rg_put_u64(w, a.seq);
}

void etcd_past_put(struct rg_wr *w, const struct store_past *p) {
	put_u64(w, p->gen);
	put_text(w, p->sub);
	put_text(w, p->gateway);
	put_i64(w, p->granted_ms);
	put_i64(w, p->ended_ms);
	put_i64(w, p->reassign_ms);
	rg_putc(w, '\n');
}

void etcd_pasts_put(struct rg_wr *w, const struct store_past *p, struct rg_slice old) {
	size_t n = 0;

	etcd_past_put(w, p);
	for (unsigned lines = 1; n < old.len && lines < STORE_PASTS - 1; n++)
		lines += old.p[n] == '\n';
	rg_put(w, rg_slice(old.p, n));
}

// --- reading: fields in order; the first that is wrong decides

struct fields {
	struct rg_slice rest;
	char *room;
	size_t left; // bytes of room
	int rc;
};

static struct rg_slice next(struct fields *f) {
	const uint8_t *tab = f->rest.len == 0 ? NULL : memchr(f->rest.p, '\t', f->rest.len);
	struct rg_slice s = f->rest;

	if (tab != NULL)
		s.len = (size_t)(tab - s.p);
	if (f->rest.p == NULL && f->rc == 0)
		f->rc = RG_E_PROTO;
	f->rest = tab == NULL ? rg_slice(NULL, 0) : rg_skip(f->rest, s.len + 1);
	return s;
}

static int hex(uint8_t c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_pair(struct rg_slice s, size_t at) {
	int hi, lo;

	if (s.len < 2 || at > s.len - 2)
		return -1;
	hi = hex(s.p[at]);
	lo = hex(s.p[at + 1]);
	return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

static const char *keep(struct fields *f, struct rg_slice s) {
	char *out = f->room;
	size_t n = 0;

	if (f->rc == 0 && s.len >= f->left)
		f->rc = RG_E_LIMIT;
	for (size_t i = 0; i < s.len && f->rc == 0; i++, n++) {
		int c = s.p[i];

		if (c == '%') {
			c = hex_pair(s, i + 1);
			i += 2;
		}
		if (c <= 0)
			f->rc = RG_E_PROTO;
		else
			out[n] = (char)c;
	}
	if (f->rc != 0)
		return "";
	out[n] = '\0';
	f->room += n + 1;
	f->left -= n + 1;
	return out;
}

static const char *get_text(struct fields *f) {
	return keep(f, next(f));
}

static uint64_t get_u64(struct fields *f, uint64_t max) {
	uint64_t v = 0;

	if ((!rg_parse_u64(next(f), &v) || v > max) && f->rc == 0)
		f->rc = RG_E_PROTO;
	return v;
}

static int64_t get_i64(struct fields *f) {
	struct rg_slice s = next(f);
	bool is_negative = s.len > 0 && s.p[0] == '-';
	uint64_t v = 0;

	if ((!rg_parse_u64(rg_skip(s, is_negative), &v) || v > INT64_MAX) && f->rc == 0)
		f->rc = RG_E_PROTO;
	return is_negative ? -(int64_t)(v & INT64_MAX) : (int64_t)(v & INT64_MAX);
}

static void get_digest(struct fields *f, struct rg_digest *out) {
	struct rg_slice s = next(f);

	if (s.len != 2 * RG_DIGEST_LEN && f->rc == 0)
		f->rc = RG_E_PROTO;
	for (size_t i = 0; i < RG_DIGEST_LEN && f->rc == 0; i++) {
		int c = hex_pair(s, 2 * i);

		if (c < 0)
			f->rc = RG_E_PROTO;
		out->b[i] = (uint8_t)c;
	}
}

int etcd_record_read(struct rg_slice impi, struct rg_slice text, struct etcd_record *out) {
	struct fields f = {text, out->text, sizeof(out->text), 0};
	struct store_lease *l = &out->lease;
	uint64_t format = get_u64(&f, UINT64_MAX);

	if (f.rc == 0 && format != FORMAT)
		return RG_E_VERSION;
	*l = (struct store_lease){.impu = get_text(&f)};
	l->pool = get_text(&f);
	l->sub = get_text(&f);
	l->gateway = get_text(&f);
	l->gen = get_u64(&f, UINT64_MAX);
	l->state = (uint8_t)get_u64(&f, UINT8_MAX);
	l->flags = (uint8_t)get_u64(&f, UINT8_MAX);
	l->scenario = (uint16_t)get_u64(&f, UINT16_MAX);
	l->granted_ms = get_i64(&f);
	l->ended_ms = get_i64(&f);
	l->reassign_ms = get_i64(&f);
	for (unsigned i = 0; i < STORE_TOKENS; i++) {
		l->tokens[i].end_ms = get_i64(&f);
		get_digest(&f, &l->tokens[i].digest);
	}
	out->author.tag = get_u64(&f, UINT64_MAX);
	out->author.seq = get_u64(&f, UINT64_MAX);
	if (f.rc == 0 && f.rest.p != NULL)
		f.rc = RG_E_PROTO;
	if (f.rc == 0 && (impi.len >= f.left || memchr(impi.p, '\0', impi.len) != NULL))
		f.rc = impi.len >= f.left ? RG_E_LIMIT : RG_E_PROTO;
	if (f.rc != 0)
		return f.rc;
	memcpy(f.room, impi.p, impi.len);
	f.room[impi.len] = '\0';
	l->impi = f.room;
	return 0;
}

int etcd_past_read(struct rg_slice *rest, struct etcd_past *out) {
	const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->p, '\n', rest->len);
	struct fields f = {*rest, out->text, sizeof(out->text), 0};
	struct store_past *p = &out->past;

	if (rest->len == 0)
		return RG_E_STALE;
	if (end == NULL)
		return RG_E_PROTO;
	f.rest.len = (size_t)(end - rest->p);
	*rest = rg_skip(*rest, f.rest.len + 1);
	p->gen = get_u64(&f, UINT64_MAX);
	p->sub = get_text(&f);
	p->gateway = get_text(&f);
	p->granted_ms = get_i64(&f);
	p->ended_ms = get_i64(&f);
	p->reassign_ms = get_i64(&f);
	return f.rc;
}
