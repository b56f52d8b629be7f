// SPDX-License-Identifier: BSD-3-Clause
// POST /v1/lease, POST /v1/lease/refresh, DELETE /v1/lease (ims.md 2.6). Loop thread. A DELETE is a
// hint: it starts the gateway's own de-registration and frees nothing (ims.md 9 T23).
#include "regate/err.h"
#include "wwsf/wwsf_int.h"

#define JWKS_CACHE_S 300

// The pool an anonymous user draws from. Negative after a refusal was sent.
static int pool_choose(struct wwsf *w, const struct wwsf_to *to, const char *name) {
	const struct conf *conf = w->conf;
	int first = -1;

	for (size_t i = 0; i < conf->n_pools; i++) {
		const struct conf_pool *p = &conf->pools[i];
		bool is_ours = p->wwsf == to->wwsf && p->is_anonymous;

		if (name != NULL && strcmp(name, p->name) == 0) {
			if (is_ours)
				return (int)i;
			wwsf_refuse(w, to, 403, "", "pool",
				    "This pool is not open here; leave out \"pool\".");
			return -1;
		}
		if (is_ours && first < 0)
			first = (int)i;
	}
	// A name that nobody has is ignored.
	if (first < 0)
		wwsf_refuse(w, to, 403, "", "anonymous",
			    "Anonymous use is not allowed here; log in with an account.");
	return first;
}

static void ask_account(struct wwsf *w, const struct wwsf_to *to, const struct wwsf_form *f) {
	if (w->accounts == NULL || w->conf->accounts_wwsf != to->wwsf)
		wwsf_refuse(w, to, 403, "", "accounts",
			    "Accounts are not offered here; try {\"anonymous\":true}.");
	else
		wwsf_call_account(w, to, f->account, f->password);
}

void wwsf_lease_post(struct wwsf *w, const struct wwsf_req *r) {
	struct wwsf_form f;
	unsigned status;
	const char *why;
	int pool;

	if (!wwsf_form_parse(r, &f, &status, &why)) {
		wwsf_refuse(w, &r->to, status, "", status == 415 ? "media_type" : "bad_request",
			    why);
		return;
	}
	if (r->to.wwsf == UINT16_MAX) {
		wwsf_refuse(w, &r->to, 403, "", "origin",
			    "Send an Origin header: several WWSFs are served here.");
	} else if (!f.is_anonymous) {
		ask_account(w, &r->to, &f);
	} else {
		pool = pool_choose(w, &r->to, f.pool);
		if (pool >= 0)
			wwsf_call_anonymous(w, &r->to, (uint16_t)pool);
	}
	json_decref(f.json);
}

// The b64token of the only Authorization header (RFC 6750 2.1); len 0 when it is not that.
static struct rg_slice bearer_get(const struct http_req *h) {
	struct rg_slice v = http_header(h, "Authorization");

	if (http_header_count(h, "Authorization") != 1 || v.len <= 7 ||
	    !rg_ieq(rg_slice(v.p, 7), RG_LIT("Bearer ")))
		return rg_slice(NULL, 0);
	v = rg_trim(rg_skip(v, 7));
	return v.len > RG_TOKEN_MAX ? rg_slice(NULL, 0) : v;
}

// RFC 7517 5: for whoever verifies our tokens. A key is published before it signs, or found when its
// name turns up.
void wwsf_jwks_get(struct wwsf *w, const struct wwsf_req *r) {
	struct wwsf_to to = r->to;

	to.cache_s = JWKS_CACHE_S;
	wwsf_answer(w, &to, 200, "", token_keys_jwks(w->keys));
}

// The lease whose token the request carries. NULL after a refusal was sent.
static const struct lease *bearer_lease(struct wwsf *w, const struct wwsf_req *r,
					struct rg_digest *d) {
	struct rg_slice token = bearer_get(&r->http);
	const struct lease *l;

	if (token.len == 0) {
		wwsf_challenge(w, &r->to, false, "Send Authorization: Bearer with your token.");
		return NULL;
	}
	rg_token_digest(w->digester, token, d);
	l = lease_by_digest(w->leases, d);
	if (l == NULL) {
		wwsf_challenge(w, &r->to, true, "This token has ended; ask for a new lease.");
		return NULL;
	}
	if (r->to.origin != NULL && r->to.wwsf != l->wwsf) { // 33.203 REQ 3.2, 3.3
		wwsf_refuse(w, &r->to, 403, "", "origin",
			    "This token belongs to another WWSF; use the page that got it.");
		return NULL;
	}
	return l;
}

void wwsf_lease_refresh(struct wwsf *w, const struct wwsf_req *r) {
	struct rg_digest d;
	const struct lease *l = bearer_lease(w, r, &d);

	if (l != NULL)
		wwsf_call_renew(w, &r->to, l, &d);
}

void wwsf_lease_delete(struct wwsf *w, const struct wwsf_req *r) {
	struct rg_digest d;
	const struct lease *l = bearer_lease(w, r, &d);

	if (l != NULL)
		wwsf_call_end(w, &r->to, l, 202);
}
