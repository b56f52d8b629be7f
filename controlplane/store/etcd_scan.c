// SPDX-License-Identifier: BSD-3-Clause
// All keys of a range in pages, so that neither side holds all of it at once. When the revision of the
// first page is compacted under way the rest is read as it is then, and the watch, which begins at
// the first page's, brings what changed before.
#include <errno.h>
#include <stdio.h>

#include "regate/err.h"
#include "store/etcd_impl.h"

#define PAGE 10000
#define PAGE_MS 15000

static void ask_page(struct etcd_scan *sc);

static void finish(struct etcd_scan *sc, int rc) {
	sc->is_busy = false;
	sc->rc = rc;
	if (sc->done != NULL)
		sc->done(sc->arg, rc);
}

static void again(struct etcd_scan *sc, int rc) {
	uint64_t now_ns = env_now_ns(sc->s->env);

	if (now_ns >= sc->end_ns || (rc == -EACCES && sc->end_ns != RG_NEVER))
		finish(sc, rc == -EAGAIN ? -ETIMEDOUT : rc);
	else
		env_timer_set(sc->s->env, &sc->timer, now_ns + ETCD_RETRY_NS);
}

static void on_retry(struct env_timer *t, uint64_t now_ns) {
	(void)now_ns;
	ask_page((struct etcd_scan *)t);
}

// The next page begins right behind key.
static bool continue_behind(struct etcd_scan *sc, struct rg_slice key) {
	if (key.len >= sizeof(sc->key))
		return false;
	memcpy(sc->key, key.p, key.len);
	sc->key[key.len] = 0;
	sc->key_len = key.len + 1;
	return true;
}

static int take_page(struct etcd_scan *sc, struct etcd_reply *r) {
	struct etcd_kv kv = {0};
	int rc = 0;

	if (sc->first_revision == 0)
		sc->first_revision = r->revision;
	sc->revision = r->revision;
	for (size_t i = 0; i < r->n && rc == 0; i++) {
		rc = etcd_reply_kv(r, i, &kv);
		if (rc == 0)
			rc = sc->kv(sc->arg, &kv);
	}
	if (rc == 0 && r->more && (r->n == 0 || !continue_behind(sc, kv.key)))
		rc = RG_E_PROTO;
	return rc;
}

static void on_page(void *arg, const struct http_answer *a) {
	struct etcd_scan *sc = arg;
	uint64_t revision = sc->revision;
	struct etcd_reply r;
	int rc;

	sc->req = NULL;
	switch (etcd_judge(sc->s, a, &r, &rc)) {
	case ETCD_GOOD:
		rc = take_page(sc, &r);
		if (revision != 0)
			sc->revision = revision; // the header has the newest
		if (rc == 0 && r.more)
			ask_page(sc);
		else
			finish(sc, rc);
		etcd_reply_fini(&r);
		break;
	case ETCD_AGAIN:
		etcd_leave(sc->s, sc->member);
		again(sc, rc);
		break;
	case ETCD_REFUSED:
		if (rc == RG_E_EXPIRED && sc->revision != 0) {
			sc->revision = 0;
			ask_page(sc);
		} else if (sc->end_ns == RG_NEVER) {
			again(sc, rc);
		} else {
			finish(sc, rc);
		}
		break;
	}
}

static void ask_page(struct etcd_scan *sc) {
	struct store_etcd *s = sc->s;
	uint8_t body[4 * ETCD_KEY_MAX];
	struct rg_wr w = rg_wr(body, sizeof(body));
	struct etcd_ask ask = {.path = "/v3/kv/range",
			       .member = s->member,
			       .timeout_ms = PAGE_MS,
			       .done = on_page,
			       .arg = sc};
	int rc;

	etcd_put_range(&w, &(struct etcd_range){rg_slice(sc->key, sc->key_len),
						rg_slice(sc->end, sc->end_len), sc->revision,
						sc->min_mod_revision, PAGE});
	ask.body = rg_wr_slice(&w);
	sc->member = s->member;
	rc = etcd_ask(s, &ask, &sc->req);
	if (rc != 0)
		again(sc, rc);
}

void etcd_scan_start(struct etcd_scan *sc, const char *from, const char *to) {
	sc->timer.fn = on_retry;
	sc->revision = sc->first_revision = 0;
	sc->key_len = etcd_key(sc->s, from, "", sc->key);
	sc->end_len = etcd_key(sc->s, to, "", sc->end);
	sc->is_busy = true;
	ask_page(sc);
}

int etcd_scan_run(struct etcd_scan *sc, const char *from, const char *to) {
	int rc = 0;

	etcd_scan_start(sc, from, to);
	while (sc->is_busy && rc == 0)
		rc = env_real_turn(sc->s->env);
	return rc == 0 ? sc->rc : rc;
}

void etcd_scan_stop(struct etcd_scan *sc) {
	if (sc->req != NULL)
		http_request_cancel(sc->req);
	sc->req = NULL;
	env_timer_cancel(sc->s->env, &sc->timer);
	sc->is_busy = false;
}
