// SPDX-License-Identifier: BSD-3-Clause
// Opening and closing of the etcd store.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"
#include "store/etcd_impl.h"

#define OPEN_NS (10 * RG_NS_PER_S)
#define TICK_NS (250 * RG_NS_PER_MS)
#define AWAY_NS (2500 * RG_NS_PER_MS) // no answer for so long: etcd is away
#define FORMAT_NAME "format"
#define FORMAT "1"

void etcd_contact(struct store_etcd *s, uint64_t revision) {
	s->ok_ns = env_now_ns(s->env);
	if (revision <= s->acked_rev)
		return;
	s->acked_rev = revision;
	etcd_watch_behind(s);
}

static void on_tick(struct env_timer *t, uint64_t now_ns) {
	struct store_etcd *s = (struct store_etcd *)((char *)t - offsetof(struct store_etcd, tick));

	etcd_write_tick(s, now_ns);
	etcd_watch_tick(s, now_ns);
	etcd_pulse_tick(s, now_ns);
	env_timer_set(s->env, &s->tick, now_ns + TICK_NS);
}

static void etcd_flush(struct store *base) {
	struct store_etcd *s = etcd_self(base);

	while (s->stats.queued > 0 && env_real_turn(s->env) == 0) {
	}
}

static void etcd_get_stats(const struct store *base, struct store_stats *out) {
	const struct store_etcd *s = (const struct store_etcd *)base;

	*out = s->stats;
	out->is_up = env_now_ns(s->env) - s->ok_ns < AWAY_NS;
}

static void etcd_close(struct store *base) {
	struct store_etcd *s = etcd_self(base);

	etcd_flush(base);
	etcd_pulse_end(s);
	s->is_closing = true;
	etcd_write_stop(s);
	etcd_watch_stop(s);
	etcd_scan_stop(&s->load);
	env_timer_cancel(s->env, &s->tick);
	http_client_free(s->http);
	etcd_marks_free(s);
	store_forget(base);
	free(s->token);
	free(s->body);
	free(s->left_ns);
	free(s);
}

// --- opening

static int keep_value(void *arg, const struct etcd_kv *kv) {
	struct store_etcd *s = arg;
	struct rg_slice name;

	return etcd_key_is(s, kv->key, "value/", &name) ? etcd_take_value(s, name, kv, false) : 0;
}

static void on_format(void *arg, int rc, uint64_t) {
	*(int *)arg = rc;
}

// The first one says what all after it have to understand.
static int check_format(struct store_etcd *s) {
	char text[16];
	size_t len = sizeof(text);
	int rc = store_get(&s->s, FORMAT_NAME, text, &len), put_rc = 0;

	if (rc == RG_E_STALE) {
		rc = store_put(&s->s, FORMAT_NAME, FORMAT, strlen(FORMAT), true, on_format,
			       &put_rc);
		etcd_flush(&s->s);
		if (rc == 0 && put_rc != 0 && put_rc != RG_E_CONFLICT)
			rc = put_rc;
		if (rc == 0)
			rc = store_get(&s->s, FORMAT_NAME, text, &len);
	}
	if (rc != 0)
		return rc;
	return rg_eq(rg_slice(text, len), rg_str(FORMAT)) ? 0 : RG_E_VERSION;
}

// One line with what to do; returns rc.
static int complain(const struct store_etcd *s, int rc, char *err, size_t err_len) {
	const struct store_etcd_cfg *c = s->cfg;
	const char *why = s->why[0] != '\0' ? s->why : rg_strerror(rc);

	switch (rc) {
	case RG_E_VERSION:
		snprintf(err, err_len,
			 "store.prefix: what is under %s/ was written by another version of "
			 "regated; "
			 "use that, or another prefix",
			 c->prefix);
		break;
	case RG_E_CONFLICT:
		snprintf(err, err_len,
			 "gateway.id: a gateway named '%s' is running with the same store (%s/); "
			 "end it, or give each its own gateway.id",
			 c->name, c->prefix);
		break;
	case RG_E_AUTH:
		snprintf(err, err_len,
			 "store.endpoints: %s is not trusted, or does not trust us (%s); correct "
			 "store.ca, store.certificate or store.key",
			 c->endpoints[s->member], why);
		break;
	case -EACCES:
	case -EINVAL:
		snprintf(err, err_len,
			 "store.user: etcd refuses user '%s' for keys under %s/ (%s); correct user "
			 "and "
			 "password_file, or the user's role in etcd",
			 c->user == NULL ? "" : c->user, c->prefix, why);
		break;
	default:
		snprintf(
			err, err_len,
			"store.endpoints: no etcd with a leader at %s%s (%s); start it, or correct "
			"the endpoints",
			c->endpoints[0], c->n_endpoints > 1 ? " and the others" : "", why);
	}
	return rc;
}

int store_etcd_open(struct env *e, const struct store_etcd_cfg *cfg, struct store **out, char *err,
		    size_t err_len) {
	static const struct store_ops ops = {etcd_close, etcd_load_all,  etcd_write_queue,
					     etcd_flush, etcd_get_stats, NULL,
					     NULL,       "etcd"};
	struct store_etcd *s = calloc(1, sizeof(*s));
	int rc = -ENOMEM;

	if (s == NULL) {
		snprintf(err, err_len, "store: no memory");
		return rc;
	}
	s->s.ops = &ops;
	s->env = e;
	s->cfg = cfg;
	env_random(e, &s->author.tag, sizeof(s->author.tag));
	s->tick.fn = on_tick;
	etcd_write_init(s);
	etcd_watch_init(s);
	s->http = http_client_new(e);
	s->body = malloc(ETCD_BODY_MAX);
	s->left_ns = calloc(cfg->n_endpoints, sizeof(*s->left_ns));
	if (s->http != NULL && s->body != NULL && s->left_ns != NULL) {
		s->load = (struct etcd_scan){.s = s,
					     .end_ns = env_now_ns(e) + OPEN_NS,
					     .kv = keep_value,
					     .arg = s};
		env_timer_set(e, &s->tick, env_now_ns(e) + TICK_NS);
		rc = etcd_scan_run(&s->load, "value/", "value0");
	}
	if (rc == 0)
		rc = check_format(s);
	if (rc == 0)
		rc = etcd_pulse_claim(s);
	if (rc != 0) {
		complain(s, rc, err, err_len);
		etcd_close(&s->s);
		return rc;
	}
	s->ok_ns = env_now_ns(e);
	*out = &s->s;
	return 0;
}
