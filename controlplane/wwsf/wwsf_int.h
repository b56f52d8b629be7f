// SPDX-License-Identifier: BSD-3-Clause
// What the files of this folder share: the request being answered, and the answers. Loop thread.
#pragma once

#include <jansson.h>

#include "regate/http.h"
#include "wwsf/clients.h"
#include "wwsf/wwsf.h"

struct wwsf_call;

struct wwsf {
	const struct conf *conf;
	struct env *env;
	struct log *log;
	struct lease_engine *leases;
	struct account_db *accounts; // NULL: nobody can log in
	struct token_keys *keys;
	struct rg_digester *digester;
	struct dpport port;
	struct wwsf_stats stats;
	struct wwsf_call *calls; // under way
	struct quota *quota;
	struct wwsf_clients *clients; // NULL: there are none
	uint64_t short_of_ns;         // when the log told of short_of last; 0 = never
	uint64_t short_of_told[QUOTA_N_VERDICTS];
};

struct wwsf_to { // where an answer goes; outlives the request, and maybe the client
	struct rg_conn_id conn;
	struct rg_addr peer;
	const char *origin; // allowed Origin of the request, of conf; NULL = none was sent
	uint16_t wwsf;      // whose page asks; UINT16_MAX = cannot be told
	uint32_t cache_s;   // how long anybody may keep the answer; 0 = not at all
	bool is_keep_alive;
	bool is_head;
};

// One request with its parts, valid while it is handled.
struct wwsf_req {
	struct wwsf_to to;
	struct http_req http;
	struct rg_slice body;
};

// --- answer.c: each answers once. headers: whole lines.
void wwsf_answer(struct wwsf *w, const struct wwsf_to *to, unsigned status, const char *headers,
		 json_t *body); // body consumed; NULL with status 204 only
// error is a word for programs, message one sentence with the cure.
void wwsf_refuse(struct wwsf *w, const struct wwsf_to *to, unsigned status, const char *headers,
		 const char *error, const char *message);
void wwsf_refuse_later(struct wwsf *w, const struct wwsf_to *to, unsigned status,
		       uint64_t retry_after_s, const char *error, const char *message);
// No lease, for want of pairs or quota; ask again from at_ns on (RG_NEVER = nobody knows). Told by
// the log once a minute, whatever the flood.
void wwsf_refuse_short(struct wwsf *w, const struct wwsf_to *to, enum quota_verdict why,
		       uint64_t at_ns);
// 401 with a Bearer challenge (RFC 6750 3); has_token adds error="invalid_token".
void wwsf_challenge(struct wwsf *w, const struct wwsf_to *to, bool has_token, const char *message);

// --- cors.c
// Fills to->origin and to->wwsf. False when the request was refused.
[[nodiscard]] bool wwsf_origin_check(struct wwsf *w, struct wwsf_req *r);
// Answers OPTIONS for a path that has these methods ("POST, DELETE").
void wwsf_preflight(struct wwsf *w, const struct wwsf_req *r, const char *methods);

// --- lease_api.c: the handlers
void wwsf_lease_post(struct wwsf *w, const struct wwsf_req *r);
void wwsf_lease_refresh(struct wwsf *w, const struct wwsf_req *r);
void wwsf_lease_delete(struct wwsf *w, const struct wwsf_req *r);

// --- oauth.c: the handlers
void wwsf_introspect_post(struct wwsf *w, const struct wwsf_req *r);
void wwsf_revoke_post(struct wwsf *w, const struct wwsf_req *r);

void wwsf_jwks_get(struct wwsf *w, const struct wwsf_req *r);

// --- form.c
struct wwsf_form { // strings are owned by json
	json_t *json;
	bool is_anonymous;
	const char *account, *password; // !is_anonymous
	const char *pool;               // NULL = not given
};
// Parses the body of POST /v1/lease. NULL with what is wrong in *why and *status.
[[nodiscard]] bool wwsf_form_parse(const struct wwsf_req *r, struct wwsf_form *out,
				   unsigned *status, const char **why);

// --- call.c: a grant or renewal under way
void wwsf_call_anonymous(struct wwsf *w, const struct wwsf_to *to, uint16_t pool);
void wwsf_call_account(struct wwsf *w, const struct wwsf_to *to, const char *account,
		       const char *password);
// used: the token that the client showed.
void wwsf_call_renew(struct wwsf *w, const struct wwsf_to *to, const struct lease *l,
		     const struct rg_digest *used);
// Ends the lease early; status once that is durable.
void wwsf_call_end(struct wwsf *w, const struct wwsf_to *to, const struct lease *l,
		   unsigned status);
void wwsf_call_orphan_all(struct wwsf *w); // their completions find no wwsf any more
