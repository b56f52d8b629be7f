// SPDX-License-Identifier: BSD-3-Clause
// Loading, and from there on the watch: one request whose answer does not end, a line of JSON per
// message. It goes on where it was after a loss. A member that tells nothing although we wrote is left:
// it was stopped, or is on the wrong side of a cut.
#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"
#include "store/etcd_impl.h"

#define LINE_MAX_BYTES (64u << 20)
#define SILENCE_NS (2 * RG_NS_PER_S)
#define LOAD_NS (60 * RG_NS_PER_S)
// What lies between is watched and loaded: records, pulses and values.
#define FROM "lease/"
#define TO "value0"

static void watch_ask(struct store_etcd *s);

// --- what comes in

int etcd_take_value(struct store_etcd *s, struct rg_slice name, const struct etcd_kv *kv,
		    bool is_told) {
	char text[ETCD_KEY_MAX];
	int rc;

	if (name.len >= sizeof(text) || kv->value.len > STORE_VALUE_MAX)
		return RG_E_LIMIT;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	if (etcd_value_rev(s, text) >= kv->mod_revision)
		return 0;
	rc = store_keep(&s->s, text, kv->value.p, kv->value.len);
	if (rc == 0)
		rc = etcd_value_set_rev(s, text, kv->mod_revision);
	if (rc == 0 && is_told && s->s.watch.value != NULL)
		s->s.watch.value(s->s.watch.arg, text);
	return rc;
}

static int tell(void *arg, const struct etcd_kv *kv) {
	struct store_etcd *s = arg;
	struct etcd_record r;
	struct rg_slice name;

	if (kv->is_delete)
		return 0;
	if (etcd_key_is(s, kv->key, "value/", &name))
		return etcd_take_value(s, name, kv, true);
	if (!etcd_key_is(s, kv->key, "lease/", &name))
		return 0;
	if (etcd_record_read(name, kv->value, &r) != 0)
		return 0; // of a later version; a write of ours would be refused
	r.lease.rev = etcd_rev(kv->mod_revision, r.lease.gen);
	if (etcd_mark_is_news(s, &r, kv->mod_revision) && s->s.watch.lease != NULL)
		s->s.watch.lease(s->s.watch.arg, &r.lease);
	return 0;
}

static int on_loaded(void *arg, const struct etcd_kv *kv) {
	struct store_etcd *s = arg;
	struct etcd_record r;
	struct rg_slice name;
	int rc;

	if (etcd_key_is(s, kv->key, "value/", &name))
		return etcd_take_value(s, name, kv, false);
	if (!etcd_key_is(s, kv->key, "lease/", &name))
		return 0;
	rc = etcd_record_read(name, kv->value, &r);
	if (rc != 0)
		return rc;
	r.lease.rev = etcd_rev(kv->mod_revision, r.lease.gen);
	return s->load_cb.lease(s->load_cb.arg, &r.lease);
}

// --- the watch

static void watch_stop(struct store_etcd *s) {
	struct etcd_watch *w = &s->watch;

	if (w->req != NULL)
		http_request_cancel(w->req);
	w->req = NULL;
	w->len = 0;
	w->state = WATCH_OFF;
	env_timer_cancel(s->env, &w->timer);
	etcd_scan_stop(&s->resync);
}

static void watch_again(struct store_etcd *s) {
	watch_stop(s);
	etcd_leave(s, s->watch.member);
	s->watch.state = WATCH_WAITING;
	env_timer_set(s->env, &s->watch.timer, env_now_ns(s->env) + ETCD_RETRY_NS);
}

static void on_retry(struct env_timer *t, uint64_t now_ns) {
	(void)now_ns;
	watch_ask((struct store_etcd *)((char *)t - offsetof(struct store_etcd, watch.timer)));
}

static void on_caught_up(void *arg, int rc) {
	struct store_etcd *s = arg;

	if (rc == 0)
		s->watch.rev = s->resync.first_revision;
	watch_ask(s);
}

// All that was written since, in place of its events.
static void catch_up(struct store_etcd *s) {
	watch_stop(s);
	s->watch.state = WATCH_CATCHING_UP;
	s->resync = (struct etcd_scan){.s = s,
				       .end_ns = RG_NEVER,
				       .min_mod_revision = s->watch.rev + 1,
				       .kv = tell,
				       .done = on_caught_up,
				       .arg = s};
	etcd_scan_start(&s->resync, FROM, TO);
}

static void take_events(struct store_etcd *s, struct etcd_reply *r) {
	struct etcd_watch *w = &s->watch;
	struct etcd_kv kv;

	for (size_t i = 0; i < r->n; i++) {
		if (etcd_reply_kv(r, i, &kv) != 0 || tell(s, &kv) == -ENOMEM) {
			watch_again(s); // from where it was
			return;
		}
		if (kv.mod_revision > w->rev + r->is_fragment)
			w->rev = kv.mod_revision - r->is_fragment;
	}
	w->since_ns = w->rev < s->acked_rev ? env_now_ns(s->env) : 0;
}

// False: this request is over.
static bool take_line(struct store_etcd *s, struct rg_slice line) {
	struct etcd_watch *w = &s->watch;
	struct etcd_reply r;
	bool is_bad = etcd_reply_parse(line, &r) != 0;

	if (is_bad || r.code != 0 || (r.is_canceled && r.compact_revision == 0)) {
		watch_again(s);
	} else if (r.is_canceled) {
		catch_up(s);
	} else {
		if (r.is_created)
			w->state = WATCH_LIVE;
		take_events(s, &r);
	}
	if (!is_bad)
		etcd_reply_fini(&r);
	return w->state == WATCH_LIVE || w->state == WATCH_ASKED;
}

static bool keep_bytes(struct etcd_watch *w, struct rg_slice bytes) {
	size_t cap = w->cap == 0 ? 65536 : w->cap;
	uint8_t *line;

	if (bytes.len > LINE_MAX_BYTES - w->len)
		return false;
	while (cap < w->len + bytes.len)
		cap *= 2;
	if (cap != w->cap) {
		line = realloc(w->line, cap);
		if (line == NULL)
			return false;
		w->line = line;
		w->cap = cap;
	}
	memcpy(w->line + w->len, bytes.p, bytes.len);
	w->len += bytes.len;
	return true;
}

static void on_piece(void *arg, unsigned status, struct rg_slice bytes) {
	struct store_etcd *s = arg;
	struct etcd_watch *w = &s->watch;
	size_t from = 0, at;

	(void)status;
	at = w->len;
	if (!keep_bytes(w, bytes)) {
		watch_again(s);
		return;
	}
	for (; at < w->len; at++) {
		if (w->line[at] != '\n')
			continue;
		if (!take_line(s, rg_slice(w->line + from, at - from)))
			return;
		from = at + 1;
	}
	w->len -= from;
	memmove(w->line, w->line + from, w->len);
}

static void on_end(void *arg, const struct http_answer *a) {
	struct store_etcd *s = arg;

	(void)a;
	s->watch.req = NULL;
	watch_again(s);
}

static void watch_ask(struct store_etcd *s) {
	struct etcd_watch *w = &s->watch;
	uint8_t from[ETCD_KEY_MAX], to[ETCD_KEY_MAX], body[4 * ETCD_KEY_MAX];
	struct rg_wr wr = rg_wr(body, sizeof(body));
	struct etcd_ask ask = {.path = "/v3/watch",
			       .member = s->member,
			       .piece = on_piece,
			       .done = on_end,
			       .arg = s};

	etcd_put_watch(&wr, rg_slice(from, etcd_key(s, FROM, "", from)),
		       rg_slice(to, etcd_key(s, TO, "", to)), w->rev + 1);
	ask.body = rg_wr_slice(&wr);
	w->member = s->member;
	w->len = 0;
	w->state = WATCH_ASKED;
	w->since_ns = env_now_ns(s->env);
	if (etcd_ask(s, &ask, &w->req) != 0)
		watch_again(s);
}

void etcd_watch_behind(struct store_etcd *s) {
	struct etcd_watch *w = &s->watch;

	if (w->state == WATCH_LIVE && w->since_ns == 0 && w->rev < s->acked_rev)
		w->since_ns = env_now_ns(s->env);
}

void etcd_watch_tick(struct store_etcd *s, uint64_t now_ns) {
	struct etcd_watch *w = &s->watch;

	if ((w->state == WATCH_ASKED || w->state == WATCH_LIVE) && w->since_ns != 0 &&
	    now_ns - w->since_ns > SILENCE_NS)
		watch_again(s);
}

void etcd_watch_init(struct store_etcd *s) {
	s->watch.timer.fn = on_retry;
	s->load.s = s->resync.s = s;
}

void etcd_watch_stop(struct store_etcd *s) {
	watch_stop(s);
	free(s->watch.line);
	s->watch.line = NULL;
}

int etcd_load_all(struct store *base, const struct store_load *cb) {
	struct store_etcd *s = etcd_self(base);
	int rc;

	watch_stop(s);
	s->load_cb = *cb;
	s->load = (struct etcd_scan){.s = s,
				     .end_ns = env_now_ns(s->env) + LOAD_NS,
				     .kv = on_loaded,
				     .arg = s};
	rc = etcd_scan_run(&s->load, FROM, TO);
	if (rc != 0)
		return rc;
	s->watch.rev = s->load.first_revision;
	watch_ask(s);
	return 0;
}
