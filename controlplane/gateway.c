// SPDX-License-Identifier: BSD-3-Clause
// Assembly of regated: who knows whom, and in which order things start and end. Control thread.
#include "gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account/account.h"
#include "certs.h"
#include "core/dpport.h"
#include "ctl/ctl.h"
#include "ims/ims.h"
#include "issuers.h"
#include "lease/adopt.h"
#include "lease/lease.h"
#include "lease/rcu_fence.h"
#include "pairs.h"
#include "regate/dp.h"
#include "regate/err.h"
#include "storage.h"
#include "token/keys.h"
#include "wwsf/clients.h"
#include "wwsf/wwsf.h"

#define PUNTS_PER_TURN 256
#define RETRY_NS RG_NS_PER_MS
#define PROBE_NS (3 * RG_NS_PER_S)
#define DIGEST_KEY_NAME "token.digest_key"

struct pending { // a reply that found the worker's ring full
	struct pending *next;
	struct rg_reply reply;
	size_t len;
	uint8_t payload[];
};

struct gateway {
	const struct conf *conf;
	struct env *env;
	struct log *log;
	struct token_keys *keys;
	struct wwsf_clients *clients;
	struct issuers issuers;
	struct account_db *accounts;
	struct pairs pairs;
	const char **pool_names;
	uint16_t *pool_wwsfs;
	struct storage storage;
	struct store *store;
	struct rcu_fence *fence;
	struct lease_engine *leases;
	struct rg_digester *digester;
	struct ims *ims;
	struct wwsf *wwsf;
	struct ctl *ctl;
	struct rg_dp *dp;
	struct rg_cert_file *certs;
	struct certs_watch certs_watch;
	struct env_sock *dp_watch;
	struct dpport port;
	struct env_timer retry;
	struct pending *pending, **pending_end;
	struct rg_file *files;
	size_t n_files;
	struct rg_origin *origins;
	struct rg_dp_cfg dp_cfg;
	struct env_sock *probe; // first look at the core
	struct env_timer probe_end;
	char failure[256];
};

// --- replies to the workers

static void pending_add(struct gateway *g, const struct rg_reply *r, struct rg_slice payload) {
	struct pending *p = malloc(sizeof(*p) + payload.len);

	if (p == NULL) { // the client asks again
		log_put(g->log, LOG_ERROR, "dp.reply_lost", LOG_S("cause", "no memory"));
		return;
	}
	p->next = NULL;
	p->reply = *r;
	p->len = payload.len;
	if (payload.len > 0)
		memcpy(p->payload, payload.p, payload.len);
	*g->pending_end = p;
	g->pending_end = &p->next;
	if (!env_timer_is_set(&g->retry))
		env_timer_set(g->env, &g->retry, env_now_ns(g->env) + RETRY_NS);
}

static void pending_run(struct env_timer *t, uint64_t now_ns) {
	struct gateway *g = (struct gateway *)((char *)t - offsetof(struct gateway, retry));

	while (g->pending != NULL) {
		struct pending *p = g->pending;

		if (rg_dp_reply(g->dp, &p->reply, rg_slice(p->payload, p->len)) != 0) {
			env_timer_set(g->env, &g->retry, now_ns + RETRY_NS);
			return;
		}
		g->pending = p->next;
		free(p);
	}
	g->pending_end = &g->pending;
}

static void port_reply(void *ctx, const struct rg_reply *r, struct rg_slice payload) {
	struct gateway *g = ctx;
	struct rg_reply reply = *r;

	reply.len = (uint32_t)payload.len;
	if (g->dp == NULL)
		return; // shutting down
	if (g->pending != NULL || rg_dp_reply(g->dp, &reply, payload) != 0)
		pending_add(g, &reply, payload); // keeps the order
}

// --- punts from the workers

static void on_punt(void *arg, const struct rg_punt *p, struct rg_slice payload) {
	struct gateway *g = arg;

	switch ((enum rg_punt_kind)p->kind) {
	case RG_PUNT_REGISTER:
		ims_register(g->ims, p, payload);
		break;
	case RG_PUNT_HTTP:
		wwsf_request(g->wwsf, p, payload);
		break;
	case RG_PUNT_FLOW_BOUND:
		lease_flow_bound(g->leases, p->bound.lease_idx, p->bound.gen, p->conn,
				 p->bound.promise_end_ns);
		break;
	case RG_PUNT_FLOW_CLOSED:
		lease_flow_closed(g->leases, p->bound.lease_idx, p->bound.gen, p->conn);
		break;
	case RG_PUNT_FLOW_EXPIRED:
		lease_flow_expired(g->leases, p->bound.lease_idx, p->bound.gen, p->conn);
		break;
	case RG_PUNT_CORE_DUE:
		ims_refresh(g->ims, p->bound.lease_idx, p->bound.gen);
		break;
	case RG_PUNT_CONN_INFO:
	case RG_PUNT_CONN_END:
		ctl_conn_info(g->ctl, p, payload);
		break;
	}
}

static void on_dp_event(void *arg, struct env_sock *s, unsigned events) {
	struct gateway *g = arg;

	(void)s;
	(void)events;
	(void)rg_dp_poll(g->dp, PUNTS_PER_TURN, on_punt, g);
}

// --- effects of the lease engine

static void op_deregister(void *ctx, const struct lease *l) {
	struct gateway *g = ctx;

	ims_deregister(g->ims, l);
}

static void op_close_flow(void *ctx, struct rg_conn_id conn, uint16_t code) {
	struct rg_reply r = {.kind = RG_REPLY_CLOSE, .code = code, .conn = conn};

	port_reply(ctx, &r, (struct rg_slice){0});
}

// --- the name of this gateway

static void on_name_lost(void *ctx) {
	struct gateway *g = ctx;

	snprintf(g->failure, sizeof(g->failure),
		 "gateway.id: another gateway took the name '%s' while this one did not reach the "
		 "store; end one of them, or give each its own gateway.id",
		 g->conf->gateway_id);
	env_stop(g->env);
}

// --- first look at the core: it may be away, but not unnoticed. Only TCP can tell.

static void probe_done(struct gateway *g, const char *cause) {
	const struct conf *conf = g->conf;
	char ip[64];
	struct rg_wr w = rg_wr(ip, sizeof(ip) - 1);

	env_timer_cancel(g->env, &g->probe_end);
	env_sock_close(g->probe);
	g->probe = NULL;
	if (cause == NULL)
		return;
	rg_put_ip(&w, &conf->core.address);
	ip[w.len] = '\0';
	if (conf->core.is_required) {
		snprintf(g->failure, sizeof(g->failure),
			 "core.address: no core at %s:%u (%s); start it, correct the address, or "
			 "set "
			 "core.at_start: warn",
			 ip, conf->core.address.port, cause);
		env_stop(g->env);
		return;
	}
	log_put(g->log, LOG_WARN, "core.unreachable", LOG_S("address", ip),
		LOG_U("port", conf->core.address.port), LOG_S("cause", cause),
		LOG_S("effect", "initial registrations are answered 504 until it is there"));
}

static void probe_event(void *arg, struct env_sock *s, unsigned events) {
	int rc = env_sock_error(s);

	if (rc == 0 && (events & ENV_ERROR) != 0)
		rc = -ECONNREFUSED;
	probe_done(arg, rc == 0 ? NULL : rg_strerror(rc));
}

static void probe_timeout(struct env_timer *t, uint64_t now_ns) {
	(void)now_ns;
	probe_done((struct gateway *)((char *)t - offsetof(struct gateway, probe_end)),
		   "no answer within 3 s");
}

static void probe_start(struct gateway *g) {
	const struct conf *conf = g->conf;
	int rc;

	if (conf->core.is_udp)
		return;
	rc = env_tcp_connect(g->env, &conf->core.address, NULL, probe_event, g, &g->probe);
	if (rc != 0) {
		probe_done(g, rg_strerror(rc));
		return;
	}
	env_sock_want(g->probe, ENV_WRITE);
	env_timer_set(g->env, &g->probe_end, env_now_ns(g->env) + PROBE_NS);
}

const char *gateway_failure(const struct gateway *g) {
	return g->failure[0] == '\0' ? NULL : g->failure;
}

// --- files

static int load_pools(struct gateway *g, char *err, size_t err_len) {
	const struct conf *conf = g->conf;

	g->pool_names = calloc(conf->n_pools + 1, sizeof(*g->pool_names));
	g->pool_wwsfs = calloc(conf->n_pools + 1, sizeof(*g->pool_wwsfs));
	if (g->pool_names == NULL || g->pool_wwsfs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_pools; i++) {
		g->pool_names[i] = conf->pools[i].name;
		g->pool_wwsfs[i] = conf->pools[i].wwsf;
	}
	g->pairs = (struct pairs){.conf = conf, .env = g->env, .log = g->log};
	return pairs_load(&g->pairs, err, err_len);
}

static int load_origins(struct gateway *g) {
	const struct conf *conf = g->conf;
	size_t n = 0;

	for (size_t i = 0; i < conf->n_wwsfs; i++)
		n += conf->wwsfs[i].n_origins;
	g->origins = calloc(n + 1, sizeof(*g->origins));
	if (g->origins == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_wwsfs; i++)
		for (size_t k = 0; k < conf->wwsfs[i].n_origins; k++)
			g->origins[g->dp_cfg.n_origins++] =
				(struct rg_origin){conf->wwsfs[i].origins[k], (uint16_t)i};
	g->dp_cfg.origins = g->origins;
	return 0;
}

static int load_files(struct gateway *g, char *err, size_t err_len) {
	const struct conf *conf = g->conf;
	int rc;

	g->keys = token_keys_new(g->env, conf->token.keys, conf->token.n_keys,
				 conf->token.life_s > conf->token.anonymous_life_s
					 ? conf->token.life_s
					 : conf->token.anonymous_life_s,
				 err, err_len);
	if (g->keys == NULL)
		return -EINVAL;
	if (conf->accounts_file != NULL) {
		g->accounts = account_load(g->env, conf->accounts_file, err, err_len);
		if (g->accounts == NULL)
			return -EINVAL;
	}
	rc = storage_init(&g->storage, conf, g->env, err, err_len);
	g->storage.etcd.name_lost = on_name_lost;
	g->storage.etcd.arg = g;
	if (rc == 0)
		rc = issuers_load(&g->issuers, conf, g->env, err, err_len);
	if (rc == 0)
		rc = load_pools(g, err, err_len);
	if (rc == 0) {
		g->clients = wwsf_clients_load(conf, g->env, err, err_len);
		rc = g->clients == NULL ? -EINVAL : 0;
	}
	if (rc == 0 && conf->wic_dir != NULL)
		rc = wwsf_page_load(g->env, conf->wic_dir, conf, &g->files, &g->n_files, err,
				    err_len);
	return rc;
}

static void fill_dp_cfg(struct gateway *g) {
	const struct conf *conf = g->conf;
	struct rg_dp_cfg *d = &g->dp_cfg;

	d->port = conf->dp.port;
	d->lcores = conf->dp.lcores;
	d->n_workers = conf->dp.workers;
	d->memory_mib = (unsigned)(conf->dp.memory_bytes >> 20);
	d->hugepages = conf->dp.hugepages;
	d->is_busy = conf->dp.is_busy;
	d->checksums = conf->dp.checksums;
	memcpy(d->mac, conf->dp.mac, sizeof(d->mac));
	memcpy(&d->ip_be, conf->dp.address.ip + 12, sizeof(d->ip_be));
	memcpy(d->ip6, conf->dp.address6.ip, sizeof(d->ip6));
	d->vlan = conf->dp.vlan;
	d->listen_port = conf->dp.listen;
	d->max_conns = conf->dp.connections;
	d->certs = g->certs;
	d->n_certs = 1 + conf->n_certs;
	d->tls = (struct rg_tls_cfg){
		.max_half_open = conf->tls.max_half_open,
		.max_per_source = conf->tls.half_open_per_source,
		.handshake_share = conf->tls.handshake_share,
		.n_tickets = conf->tls.tickets,
		.ticket_life_s = conf->tls.ticket_life_s,
		.ticket_offset_ns =
			(uint64_t)env_wall_ms(g->env) * RG_NS_PER_MS - env_now_ns(g->env),
	};
	d->is_origin_optional = conf->reg.is_origin_optional;
	d->ws_path = "/w2";
	d->files = g->files;
	d->n_files = g->n_files;
	d->post_paths = wwsf_post_paths(&d->n_post_paths);
	d->reg = (struct rg_reg_cfg){
		.realm = conf->reg.domain,
		.authz_server = conf->reg.authz_server,
		.client_max_s = conf->reg.client_max_s,
		.client_min_s = conf->reg.client_min_s,
		.guard_s = conf->reg.guard_s,
		.rate_per_s = conf->reg.rate_per_s,
		.rate_burst = conf->reg.rate_burst,
		.is_cseq_strict = conf->reg.is_cseq_strict,
		.has_opaque = issuers_has_opaque(&g->issuers),
	};
	env_random(g->env, d->secret, sizeof(d->secret));
	d->ws_ping_s = conf->dp.ping_s;
	d->ws_pong_misses = conf->dp.pong_misses;
	d->head_timeout_s = conf->dp.head_timeout_s;
	d->idle_timeout_s = conf->dp.idle_timeout_s;
	d->unbound_timeout_s = conf->dp.unbound_timeout_s;
	d->tcp_keepalive_s = conf->dp.tcp_keepalive_s;
	d->test = (struct rg_dp_test){conf->test.impair, conf->test.is_echo};
}

int gateway_new(const struct conf *conf, struct env *env, struct log *log, struct gateway **out,
		char *err, size_t err_len) {
	struct gateway *g = calloc(1, sizeof(*g));
	int rc = -ENOMEM;

	snprintf(err, err_len, "no memory");
	if (g == NULL)
		return rc;
	g->conf = conf;
	g->env = env;
	g->log = log;
	g->port = (struct dpport){g, port_reply};
	g->retry.fn = pending_run;
	g->probe_end.fn = probe_timeout;
	g->pending_end = &g->pending;
	g->certs = certs_files(conf);
	rc = g->certs == NULL ? -ENOMEM : load_origins(g);
	if (rc == 0)
		rc = load_files(g, err, err_len);
	if (rc != 0) {
		gateway_free(g);
		return rc;
	}
	fill_dp_cfg(g);
	rc = certs_ticket_secret(env, conf, g->dp_cfg.tls.ticket_secret, err, err_len);
	if (rc == 0)
		rc = rg_dp_check(&g->dp_cfg, err, err_len);
	if (rc != 0) {
		gateway_free(g);
		return rc;
	}
	*out = g;
	return 0;
}

// --- start

static int start_digest(struct gateway *g, char *err, size_t err_len) {
	uint8_t *key = g->dp_cfg.digest_key;
	size_t len = sizeof(g->dp_cfg.digest_key);
	int rc = store_get(g->store, DIGEST_KEY_NAME, key, &len);

	if (rc == RG_E_STALE) { // a new store, for us and maybe for others
		env_random(g->env, key, len);
		rc = store_put(g->store, DIGEST_KEY_NAME, key, len, true, NULL, NULL);
		if (rc == 0) {
			store_flush(g->store);
			rc = store_get(g->store, DIGEST_KEY_NAME, key, &len);
		}
	}
	if (rc == 0)
		g->digester = rg_digester_new(g->dp_cfg.digest_key);
	if (rc == 0 && g->digester == NULL)
		rc = -ENOMEM;
	if (rc != 0)
		snprintf(err, err_len, "%s: the digest key cannot be kept (%s)", g->storage.place,
			 rg_strerror(rc));
	return rc;
}

static int start_leases(struct gateway *g, char *err, size_t err_len) {
	const struct conf *conf = g->conf;
	struct lease_cfg cfg = {
		.clock_error_ns = conf->life.clock_error_s * RG_NS_PER_S,
		.t_sip_ns = conf->life.t_sip_s * RG_NS_PER_S,
		.core_slack_ns = conf->life.core_slack_s * RG_NS_PER_S,
		.release_guard_ns = conf->life.release_guard_s * RG_NS_PER_S,
		.flow_grace_ns = conf->reg.flow_grace_s * RG_NS_PER_S,
		.reg_max_ns = conf->reg.max_s * RG_NS_PER_S,
		.token_max_ns = (conf->token.life_s > conf->token.anonymous_life_s
					 ? conf->token.life_s
					 : conf->token.anonymous_life_s) *
				RG_NS_PER_S,
		.gateway = conf->gateway_id,
		.is_shared = conf->store.is_etcd,
	};
	struct lease_ops ops = {g, op_deregister, op_close_flow};
	int rc = pairs_check_room(conf, g->env, g->log, err, err_len);

	if (rc != 0)
		return rc;
	g->fence = rcu_fence_new();
	g->leases = lease_engine_new(&cfg, g->env, g->store, g->log, &ops, conf->leases_max);
	if (g->leases == NULL || g->fence == NULL) {
		snprintf(err, err_len, "leases.max: no memory for %u pairs; lower it",
			 conf->leases_max);
		return -ENOMEM;
	}
	lease_set_fence(g->leases,
			&(struct lease_fence){g->fence, rcu_fence_ask, rcu_fence_is_passed});
	lease_set_pool_names(g->leases, g->pool_names, conf->n_pools);
	lease_set_pool_wwsfs(g->leases, g->pool_wwsfs);
	for (size_t i = 0; i < conf->n_pools; i++)
		if (conf->wwsfs[conf->pools[i].wwsf].issuer != NULL &&
		    lease_set_pool_foreign(g->leases, (uint16_t)i) != 0)
			return -ENOMEM;
	rc = pairs_give(&g->pairs, g->leases, g->accounts, err, err_len);
	if (rc != 0)
		return rc;
	rc = lease_engine_load(g->leases);
	if (rc != 0 && *lease_load_fault(g->leases) != '\0')
		snprintf(err, err_len, "%s: %s", g->storage.place, lease_load_fault(g->leases));
	else if (rc != 0)
		snprintf(err, err_len, "%s: leases cannot be read (%s)", g->storage.place,
			 rg_strerror(rc));
	return rc;
}

static int start_parts(struct gateway *g, char *err, size_t err_len) {
	g->ims = ims_new(g->conf, g->env, g->log, g->leases, &g->port, err, err_len);
	if (g->ims == NULL)
		return -EINVAL;
	g->wwsf = wwsf_new(g->conf, g->env, g->log, g->leases, g->accounts, g->keys, g->digester,
			   &g->port);
	if (g->wwsf == NULL) {
		snprintf(err, err_len, "no memory");
		return -ENOMEM;
	}
	wwsf_set_clients(g->wwsf, g->clients);
	return 0;
}

static int start_dp(struct gateway *g, char *err, size_t err_len) {
	int rc;

	g->dp_cfg.leases = lease_engine_table(g->leases);
	rc = rg_dp_start(&g->dp_cfg, &g->dp, err, err_len);
	if (rc == 0)
		rc = env_watch_fd(g->env, rg_dp_event_fd(g->dp), on_dp_event, g, &g->dp_watch);
	if (rc == 0)
		certs_watch_start(&g->certs_watch, g->env, g->log, g->dp);
	return rc;
}

static int on_reload_issuers(void *arg, char *err, size_t err_len) {
	struct gateway *g = arg;
	char second[512];
	int rc = issuers_reload(&g->issuers, g->conf, g->env, err, err_len);
	int rc_clients = wwsf_clients_reload(g->clients, g->conf, g->env, rc == 0 ? err : second,
					     rc == 0 ? err_len : sizeof(second));

	return rc == 0 ? rc_clients : rc;
}

static const char *on_issuer_pending(void *arg, size_t n) {
	const struct gateway *g = arg;

	return issuers_pending(&g->issuers, n);
}

static int start_ctl(struct gateway *g, char *err, size_t err_len) {
	struct ctl_deps deps = {
		.conf = g->conf,
		.env = g->env,
		.log = g->log,
		.leases = g->leases,
		.ims = g->ims,
		.wwsf = g->wwsf,
		.keys = g->keys,
		.reload_issuers = on_reload_issuers,
		.issuer_pending = on_issuer_pending,
		.reload_arg = g,
		.store = g->store,
		.dp = g->dp,
	};

	g->ctl = ctl_new(&deps, err, err_len);
	return g->ctl == NULL ? -EINVAL : 0;
}

int gateway_start(struct gateway *g, char *err, size_t err_len) {
	int rc = storage_open(&g->storage, g->conf, g->env, &g->store, err, err_len);

	if (rc == 0)
		rc = start_digest(g, err, err_len);
	if (rc == 0)
		rc = start_leases(g, err, err_len);
	if (rc == 0)
		rc = start_parts(g, err, err_len);
	if (rc == 0)
		rc = issuers_start(&g->issuers, g->conf, g->env, g->log, g->leases, g->store, err,
				   err_len);
	if (rc == 0 && g->issuers.issuers != NULL)
		ims_set_issuers(g->ims, g->issuers.issuers, g->digester);
	if (rc == 0)
		rc = start_dp(g, err, err_len);
	if (rc == 0)
		rc = start_ctl(g, err, err_len);
	if (rc == 0)
		probe_start(g);
	return rc;
}

void gateway_free(struct gateway *g) {
	if (g == NULL)
		return;
	env_sock_close(g->dp_watch);
	certs_watch_stop(&g->certs_watch);
	rg_dp_stop(g->dp);
	g->dp = NULL;
	ctl_free(g->ctl);
	wwsf_free(g->wwsf);
	wwsf_clients_free(g->clients);
	ims_free(g->ims);
	issuers_fini(&g->issuers);
	lease_engine_free(g->leases);
	store_close(g->store);
	storage_fini(&g->storage);
	rcu_fence_free(g->fence);
	env_timer_cancel(g->env, &g->retry);
	env_timer_cancel(g->env, &g->probe_end);
	env_sock_close(g->probe);
	while (g->pending != NULL) {
		struct pending *p = g->pending;

		g->pending = p->next;
		free(p);
	}
	rg_digester_free(g->digester);
	account_free(g->accounts);
	token_keys_free(g->keys);
	wwsf_page_free(g->files, g->n_files);
	pairs_fini(&g->pairs);
	free(g->pool_names);
	free(g->pool_wwsfs);
	free(g->origins);
	free(g->certs);
	explicit_bzero(&g->dp_cfg, sizeof(g->dp_cfg)); // keys
	free(g);
}
