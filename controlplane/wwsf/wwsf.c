// SPDX-License-Identifier: BSD-3-Clause
// The lease API: one table of routes, one answer per request. Loop thread; never blocks, and keeps
// no pointer to a connection: a client that has gone costs one answer that the worker drops.
#include "wwsf/wwsf.h"

#include <malloc.h>
#include <stdlib.h>

#include "regate/err.h"
#include "wwsf/wwsf_int.h"

#define LEASE "/v1/lease"
#define LEASE_REFRESH LEASE "/refresh"
#define INTROSPECT "/v1/introspect"
#define REVOKE "/v1/revoke"

static const struct route {
	const char *path;
	enum http_method method;
	const char *method_name;
	void (*handler)(struct wwsf *w, const struct wwsf_req *r);
} routes[] = {
	{LEASE, HTTP_POST, "POST", wwsf_lease_post},
	{LEASE, HTTP_DELETE, "DELETE", wwsf_lease_delete},
	{LEASE_REFRESH, HTTP_POST, "POST", wwsf_lease_refresh},
	{INTROSPECT, HTTP_POST, "POST", wwsf_introspect_post},
	{REVOKE, HTTP_POST, "POST", wwsf_revoke_post},
	{"/.well-known/jwks.json", HTTP_GET, "GET", wwsf_jwks_get},
	{"/.well-known/jwks.json", HTTP_HEAD, "HEAD", wwsf_jwks_get},
};
#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

const char *const *wwsf_post_paths(size_t *n) {
	static const char *const paths[] = {LEASE, LEASE_REFRESH, INTROSPECT, REVOKE};

	*n = sizeof(paths) / sizeof(paths[0]);
	return paths;
}

// jansson copies what it parses into buffers that only it knows, and passwords are among it.
static void free_wiped(void *p) {
	if (p != NULL)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

struct wwsf *wwsf_new(const struct conf *conf, struct env *env, struct log *log,
		      struct lease_engine *leases, struct account_db *accounts,
		      struct token_keys *keys, struct rg_digester *digester,
		      const struct dpport *port) {
	struct wwsf *w = calloc(1, sizeof(*w));
	uint8_t hash_key[16];

	if (w == NULL)
		return NULL;
	*w = (struct wwsf){
		.conf = conf,
		.env = env,
		.log = log,
		.leases = leases,
		.accounts = accounts,
		.keys = keys,
		.digester = digester,
		.port = *port,
	};
	env_random(env, hash_key, sizeof(hash_key));
	w->quota = quota_new(conf, env, leases, hash_key);
	if (w->quota == NULL) {
		free(w);
		return NULL;
	}
	json_set_alloc_funcs(malloc, free_wiped); // for the whole process
	return w;
}

void wwsf_set_clients(struct wwsf *w, struct wwsf_clients *clients) {
	w->clients = clients;
}

void wwsf_free(struct wwsf *w) {
	if (w == NULL)
		return;
	wwsf_call_orphan_all(w);
	quota_free(w->quota);
	free(w);
}

const struct wwsf_stats *wwsf_get_stats(const struct wwsf *w) {
	return &w->stats;
}

// "POST, DELETE": what path has. False when it has nothing.
static bool route_methods(struct rg_slice path, struct rg_wr *out) {
	for (size_t i = 0; i < N_ROUTES; i++) {
		if (!rg_eq(path, rg_str(routes[i].path)))
			continue;
		if (out->len > 0)
			rg_puts(out, ", ");
		rg_puts(out, routes[i].method_name);
	}
	rg_put_be(out, 0, 1);
	return out->len > 1;
}

static const struct route *route_find(const struct http_req *h) {
	for (size_t i = 0; i < N_ROUTES; i++)
		if (routes[i].method == h->method && rg_eq(h->path, rg_str(routes[i].path)))
			return &routes[i];
	return NULL;
}

static void route_run(struct wwsf *w, const struct wwsf_req *r) {
	const struct route *route = route_find(&r->http);
	char methods[64], allow[96];
	struct rg_wr m = rg_wr(methods, sizeof(methods));
	struct rg_wr a = rg_wr(allow, sizeof(allow));

	if (!route_methods(r->http.path, &m)) {
		wwsf_refuse(w, &r->to, 404, "", "not_found",
			    "There is nothing here; the lease API is at /v1/lease.");
		return;
	}
	if (r->http.method == HTTP_OPTIONS) {
		wwsf_preflight(w, r, methods);
		return;
	}
	if (route == NULL) { // RFC 9110 15.5.6
		rg_puts(&a, "Allow: ");
		rg_puts(&a, methods);
		rg_puts(&a, ", OPTIONS\r\n");
		rg_put_be(&a, 0, 1);
		wwsf_refuse(w, &r->to, 405, allow, "method_not_allowed",
			    "Use one of the methods in the Allow header.");
		return;
	}
	route->handler(w, r);
}

// Ends the connection: where the next request starts is not known.
static void refuse_malformed(struct wwsf *w, const struct wwsf_to *to, int rc,
			     struct rg_slice request) {
	unsigned status = http_refusal(rc, request);

	if (rc == RG_E_LIMIT)
		wwsf_refuse(w, to, status, "", "head_too_large", "Send fewer or shorter headers.");
	else if (rc == RG_E_VERSION)
		wwsf_refuse(w, to, status, "", "http_version", "Use HTTP/1.1.");
	else
		wwsf_refuse(w, to, status, "", "bad_request",
			    "Send a well-formed HTTP/1.1 request.");
}

void wwsf_request(struct wwsf *w, const struct rg_punt *p, struct rg_slice request) {
	struct wwsf_req r = {.to = {.conn = p->conn, .peer = p->peer, .wwsf = UINT16_MAX}};
	int rc = http_req_parse(request, &r.http);

	w->stats.requests++;
	if (rc != RG_OK) {
		refuse_malformed(w, &r.to, rc, request);
		return;
	}
	r.to.is_keep_alive = r.http.is_keep_alive;
	r.to.is_head = r.http.method == HTTP_HEAD;
	// The worker has judged the framing and joined the chunks: what follows the head is the body.
	r.body = rg_skip(request, r.http.head_len);
	if (!wwsf_origin_check(w, &r))
		return;
	if (r.body.len > HTTP_MAX_BODY) {
		wwsf_refuse(w, &r.to, 413, "", "too_large", "Send a body of at most 64 KiB.");
		return;
	}
	route_run(w, &r);
}
