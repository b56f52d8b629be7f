// SPDX-License-Identifier: BSD-3-Clause
// POST /v1/introspect (RFC 7662) and POST /v1/revoke (RFC 7009), for the servers under clients: alone.
// Loop thread. A token that is unknown, over, or another WWSF's gets one and the same answer, after
// the same work.
#include "regate/err.h"
#include "token/jws.h"
#include "wwsf/urlform.h"
#include "wwsf/wwsf_int.h"

#define SCOPE "ims.register"

static bool is_form(const struct http_req *h) {
	struct rg_slice type = http_header(h, "Content-Type");
	const uint8_t *semi = type.len == 0 ? NULL : memchr(type.p, ';', type.len);

	if (semi != NULL)
		type.len = (size_t)(semi - type.p);
	return http_header_count(h, "Content-Type") == 1 &&
	       rg_ieq(rg_trim(type), RG_LIT("application/x-www-form-urlencoded"));
}

// NULL after a refusal was sent (RFC 6749 5.2, RFC 7662 2.3).
static const struct wwsf_client *client_of(struct wwsf *w, const struct wwsf_req *r) {
	const struct wwsf_client *c = NULL;
	char line[512];

	if (w->clients != NULL && http_header_count(&r->http, "Authorization") == 1)
		c = wwsf_clients_find(w->clients, http_header(&r->http, "Authorization"));
	if (c != NULL)
		return c;
	(void)snprintf(line, sizeof(line), "WWW-Authenticate: Basic realm=\"%.253s\"\r\n",
		       w->conf->reg.domain);
	wwsf_refuse(w, &r->to, 401, line, "invalid_client",
		    "Send Authorization: Basic with an id and its secret from clients.");
	return NULL;
}

// False after a refusal was sent. token_type_hint is of no use here: there is one kind of token.
static bool token_of(struct wwsf *w, const struct wwsf_req *r, struct rg_wr *token) {
	int rc;

	if (!is_form(&r->http)) {
		wwsf_refuse(w, &r->to, 415, "", "invalid_request",
			    "Send Content-Type: application/x-www-form-urlencoded.");
		return false;
	}
	rc = urlform_get(r->body, "token", token);
	if (rc == RG_E_LIMIT) { // unknown, as any that is too long
		token->len = 0;
		token->overflow = false;
		return true;
	}
	if (rc == 0 && token->len > 0)
		return true;
	wwsf_refuse(w, &r->to, 400, "", "invalid_request",
		    "Send one parameter \"token\" with the token.");
	return false;
}

// The lease that has this token now, if the client may know.
static const struct lease *lease_of(struct wwsf *w, const struct wwsf_client *c,
				    struct rg_slice token, struct lease_token *out) {
	struct rg_digest d;
	const struct lease *l;

	rg_token_digest(w->digester, token, &d);
	l = lease_by_digest(w->leases, &d);
	if (l == NULL || (c->wwsf != UINT16_MAX && c->wwsf != l->wwsf))
		return NULL;
	for (unsigned i = 0; i < STORE_TOKENS; i++) {
		*out = l->tokens[i];
		if (out->end_ns > env_now_ns(w->env) && memcmp(&out->digest, &d, sizeof(d)) == 0)
			return l;
	}
	return NULL;
}

// --- introspection

// The digest of the whole token was found: it is the one that was signed.
static int add_claims(json_t *answer, struct rg_slice token) {
	static const char *const names[] = {"iss", "sub", "aud", "client_id", "iat",
					    "nbf", "exp", "jti", "scope",     "ims"};
	struct jws jws;
	json_t *claims;
	int rc = 0;

	if (jws_parse(token, &jws) != 0)
		return RG_E_PROTO; // opaque
	claims = jws_parse_object(rg_slice(jws.payload, jws.payload_len));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		json_t *value = json_object_get(claims, names[i]);

		if (value != NULL)
			rc |= json_object_set(answer, names[i], value);
	}
	if (claims == NULL)
		rc = RG_E_PROTO;
	json_decref(claims);
	jws_close(&jws);
	return rc;
}

// What the lease knows of a token that says nothing itself.
static int add_lease(struct wwsf *w, json_t *answer, const struct lease *l,
		     const struct lease_token *t) {
	const char *issuer = w->conf->wwsfs[l->wwsf].issuer;
	int64_t exp =
		(env_wall_ms(w->env) + (int64_t)((t->end_ns - env_now_ns(w->env)) / RG_NS_PER_MS)) /
		1000;
	json_t *more = json_pack("{s:s*, s:s, s:s, s:I, s:s, s:{s:s, s:[s], s:I}}", "iss", issuer,
				 "sub", l->sub, "aud", w->conf->token.audience, "exp",
				 (json_int_t)exp, "scope", SCOPE, "ims", "impi", l->impi, "impu",
				 l->impu, "gen", (json_int_t)l->gen);
	int rc = more == NULL ? -1 : json_object_update(answer, more);

	json_decref(more);
	return rc;
}

// RFC 7662 2.2
void wwsf_introspect_post(struct wwsf *w, const struct wwsf_req *r) {
	const struct wwsf_client *c = client_of(w, r);
	char text[RG_TOKEN_MAX];
	struct rg_wr token = rg_wr(text, sizeof(text));
	const struct lease *l;
	struct lease_token t;
	json_t *answer;

	if (c == NULL || !token_of(w, r, &token))
		return;
	l = lease_of(w, c, rg_wr_slice(&token), &t);
	if (l == NULL) {
		wwsf_answer(w, &r->to, 200, "", json_pack("{s:b}", "active", 0));
	} else {
		answer = json_pack("{s:b, s:s}", "active", 1, "token_type", "Bearer");
		if (add_claims(answer, rg_wr_slice(&token)) != 0)
			(void)add_lease(w, answer, l, &t);
		wwsf_answer(w, &r->to, 200, "", answer);
	}
	explicit_bzero(text, sizeof(text));
}

// --- revocation

// RFC 7009 2.2: done as soon as it is certain that the token does not come back.
void wwsf_revoke_post(struct wwsf *w, const struct wwsf_req *r) {
	const struct wwsf_client *c = client_of(w, r);
	char text[RG_TOKEN_MAX];
	struct rg_wr token = rg_wr(text, sizeof(text));
	const struct lease *l;
	struct lease_token t;

	if (c == NULL || !token_of(w, r, &token))
		return;
	l = lease_of(w, c, rg_wr_slice(&token), &t);
	explicit_bzero(text, sizeof(text));
	if (l == NULL) {
		wwsf_answer(w, &r->to, 200, "", json_object());
		return;
	}
	log_put(w->log, LOG_INFO, "wwsf.revoked", LOG_S("client", c->id), LOG_U("lease", l->idx),
		LOG_U("gen", l->gen));
	wwsf_call_end(w, &r->to, l, 200);
}
