// SPDX-License-Identifier: BSD-3-Clause
// Requests to the members: one is in use until it fails, then the next. A member that has lost its
// leader says so (hasleader), instead of answering late or, to a watch, not at all.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"
#include "store/etcd_impl.h"

#define ANSWER_MAX (256u << 20) // a page of records is some MiB

enum grpc { // google.golang.org/grpc/codes
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_UNAUTHENTICATED = 16,
};

static int send_ask(struct store_etcd *s, const struct etcd_ask *ask, struct http_request **out) {
	const struct store_etcd_cfg *c = s->cfg;
	char url[512], auth[512];
	const char *headers[] = {"Grpc-Metadata-hasleader: true", "Expect:", NULL, NULL};
	struct http_ask h = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.body = ask->body,
		.ca_file = c->ca,
		.cert_file = c->certificate,
		.key_file = c->key,
		.timeout_ms = ask->timeout_ms,
		.max_body = ANSWER_MAX,
		.piece = ask->piece,
		.done = ask->done,
		.arg = ask->arg,
	};

	snprintf(url, sizeof(url), "%s%s", c->endpoints[ask->member], ask->path);
	if (s->token != NULL) {
		snprintf(auth, sizeof(auth), "Authorization: %s", s->token);
		headers[2] = auth;
	}
	return http_client_ask(s->http, &h, out);
}

static void on_login(void *arg, const struct http_answer *a) {
	struct store_etcd *s = arg;
	struct etcd_reply r;
	int rc;

	s->login = NULL;
	switch (etcd_judge(s, a, &r, &rc)) {
	case ETCD_GOOD:
		break;
	case ETCD_REFUSED:
		s->login_rc = -EACCES;
		return;
	case ETCD_AGAIN:
		etcd_leave(s, s->member);
		return;
	}
	if (r.token[0] != '\0')
		s->token = strdup(r.token);
	etcd_reply_fini(&r);
}

static void start_login(struct store_etcd *s) {
	uint8_t body[2048];
	struct rg_wr w = rg_wr(body, sizeof(body));
	struct etcd_ask ask = {.path = "/v3/auth/authenticate",
			       .member = s->member,
			       .timeout_ms = ETCD_TRY_MS,
			       .done = on_login,
			       .arg = s};

	etcd_put_login(&w, s->cfg->user, s->cfg->password);
	ask.body = rg_wr_slice(&w);
	if (s->login == NULL && send_ask(s, &ask, &s->login) != 0)
		s->login = NULL;
	explicit_bzero(body, sizeof(body));
}

int etcd_ask(struct store_etcd *s, const struct etcd_ask *ask, struct http_request **out) {
	if (s->cfg->user != NULL && s->token == NULL) {
		int rc = s->login_rc == 0 ? -EAGAIN : s->login_rc;

		s->login_rc = 0;
		start_login(s);
		return rc;
	}
	return send_ask(s, ask, out);
}

void etcd_leave(struct store_etcd *s, unsigned member) {
	unsigned n = (unsigned)s->cfg->n_endpoints, best = (member + 1) % n;

	s->left_ns[member] = env_now_ns(s->env);
	if (s->member != member)
		return;
	for (unsigned i = 0; i < n; i++)
		if (s->left_ns[(member + 1 + i) % n] < s->left_ns[best])
			best = (member + 1 + i) % n;
	s->member = best;
}

static enum etcd_verdict judge_error(struct store_etcd *s, const struct etcd_reply *r, int *rc) {
	snprintf(s->why, sizeof(s->why), "%s", r->message);
	switch (r->code) {
	case GRPC_UNAUTHENTICATED: // the login is over, or was of before a restart
		free(s->token);
		s->token = NULL;
		*rc = RG_E_AUTH;
		return s->cfg->user == NULL ? ETCD_REFUSED : ETCD_AGAIN;
	case GRPC_PERMISSION_DENIED:
		*rc = -EACCES;
		return ETCD_REFUSED;
	case GRPC_RESOURCE_EXHAUSTED: // too many requests, or no space
		*rc = -ENOSPC;
		return strstr(r->message, "space exceeded") != NULL ? ETCD_REFUSED : ETCD_AGAIN;
	case GRPC_OUT_OF_RANGE: // compacted: RG_E_EXPIRED; a member that lags behind: ask again
		*rc = RG_E_EXPIRED;
		return strstr(r->message, "compacted") != NULL ? ETCD_REFUSED : ETCD_AGAIN;
	case GRPC_INVALID_ARGUMENT:
	case GRPC_FAILED_PRECONDITION:
	case GRPC_UNIMPLEMENTED:
		*rc = -EINVAL;
		return ETCD_REFUSED;
	default:
		*rc = -EIO;
		return ETCD_AGAIN;
	}
}

enum etcd_verdict etcd_judge(struct store_etcd *s, const struct http_answer *a,
			     struct etcd_reply *r, int *rc) {
	enum etcd_verdict verdict;

	*rc = a->rc;
	if (a->rc != 0) {
		snprintf(s->why, sizeof(s->why), "%s", a->error);
		return ETCD_AGAIN;
	}
	*rc = etcd_reply_parse(a->body, r);
	if (*rc != 0) {
		snprintf(s->why, sizeof(s->why), "HTTP status %u, not as etcd answers", a->status);
		return ETCD_AGAIN;
	}
	if (r->code == 0 && a->status == 200)
		return ETCD_GOOD;
	verdict = judge_error(s, r, rc);
	etcd_reply_fini(r);
	return verdict;
}

// --- keys

size_t etcd_key(const struct store_etcd *s, const char *kind, const char *name, uint8_t *out) {
	struct rg_wr w = rg_wr(out, ETCD_KEY_MAX);

	rg_puts(&w, s->cfg->prefix);
	rg_putc(&w, '/');
	rg_puts(&w, kind);
	rg_puts(&w, name);
	return w.overflow ? 0 : w.len;
}

bool etcd_key_is(const struct store_etcd *s, struct rg_slice key, const char *kind,
		 struct rg_slice *name) {
	uint8_t start[ETCD_KEY_MAX];
	size_t len = etcd_key(s, kind, "", start);

	*name = rg_skip(key, len);
	return rg_is_prefix(key, rg_slice(start, len));
}
