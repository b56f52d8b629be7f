// SPDX-License-Identifier: BSD-3-Clause
// Access tokens (RFC 9068 profile of ims.md 2.5): claims to JWS and back. No state but the key.
#include "token/token.h"

#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"
#include "regate/token.h"
#include "token/b64url.h"
#include "token/jws.h"
#include "token/key.h"

#define SCOPE "ims.register"
#define CLIENT_ID "wic-web"    // RFC 9068 2.2 wants one; every page is the same client
#define NOT_BEFORE_LEEWAY_S 60 // ims.md 2.5: on nbf and iat only, never on exp
#define DATE_MAX (INT64_C(1) << 53)

static json_t *claims_to_json(const struct token_claims *c, const char *jti) {
	return json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:s,s:s,s:{s:s,s:[s],s:s,s:s,s:I,s:I,s:i}}",
			 "iss", c->iss, "aud", c->aud, "sub", c->sub, "client_id", CLIENT_ID, "iat",
			 (json_int_t)c->iat, "nbf", (json_int_t)c->nbf, "exp", (json_int_t)c->exp,
			 "jti", jti, "scope", SCOPE, "ims", "impi", c->impi, "impu", c->impu,
			 "wwsf", c->wwsf, "pool", c->pool, "idx", (json_int_t)c->idx, "gen",
			 (json_int_t)c->gen, "scn", (int)c->scenario);
}

int token_issue(const struct token_key *k, const struct token_claims *c, const uint8_t jti[16],
		struct rg_wr *out) {
	char id[24], text[RG_TOKEN_MAX];
	struct rg_wr w = rg_wr(id, sizeof(id) - 1);
	json_t *j;
	size_t n;

	if (c->gen > INT64_MAX)
		return RG_E_LIMIT; // JSON integers are signed here
	b64url_put(&w, rg_slice(jti, 16));
	id[w.len] = '\0';
	j = claims_to_json(c, id);
	if (j == NULL)
		return RG_E_UTF8; // or no memory: jansson does not tell
	n = json_dumpb(j, text, sizeof(text), JSON_COMPACT);
	json_decref(j);
	if (n == 0 || n > sizeof(text))
		return RG_E_LIMIT;
	return jws_sign(token_key_pkey(k), token_key_header(k), rg_slice(text, n), out);
}

static bool is_string(const json_t *obj, const char *name, const char *want) {
	const char *s = json_string_value(json_object_get(obj, name));

	return s != NULL && strcmp(s, want) == 0;
}

// RFC 9068 4, RFC 8725 3.11: not another kind of token; and signed by this key, not one like it
static int check_header(const struct token_key *k, const struct jws *jws) {
	if (!is_string(jws->header, "typ", "at+jwt") ||
	    !is_string(jws->header, "kid", token_key_kid(k)))
		return RG_E_AUTH;
	return jws->is_canonical ? 0 : RG_E_AUTH;
}

static bool take_int(const json_t *obj, const char *name, int64_t min, int64_t max, int64_t *out) {
	const json_t *j = json_object_get(obj, name);

	// A real ("1e9", "17.0") is refused: one value, one text
	if (!json_is_integer(j) || json_integer_value(j) < min || json_integer_value(j) > max)
		return false;
	*out = json_integer_value(j);
	return true;
}

static const char *take_string(const json_t *obj, const char *name) {
	const char *s = json_string_value(json_object_get(obj, name));

	return s == NULL || *s == '\0' ? NULL : s;
}

// RFC 6749 3.3: a list separated by single spaces
static bool has_scope(const json_t *claims) {
	const char *s = json_string_value(json_object_get(claims, "scope"));

	while (s != NULL) {
		const char *end = strchrnul(s, ' ');

		if (rg_eq(rg_slice(s, (size_t)(end - s)), RG_LIT(SCOPE)))
			return true;
		s = *end == '\0' ? NULL : end + 1;
	}
	return false;
}

static int read_identity(const json_t *ims, struct token_claims *c) {
	const json_t *impu = json_object_get(ims, "impu");
	int64_t idx, gen, scenario;

	// S003: one subscription, one pair
	if (!json_is_array(impu) || json_array_size(impu) != 1)
		return RG_E_PROTO;
	c->impu = json_string_value(json_array_get(impu, 0));
	c->impi = take_string(ims, "impi");
	c->wwsf = take_string(ims, "wwsf");
	c->pool = json_string_value(json_object_get(ims, "pool")); // "": an account's
	if (c->impu == NULL || *c->impu == '\0' || c->impi == NULL || c->wwsf == NULL ||
	    c->pool == NULL || !take_int(ims, "idx", 0, UINT32_MAX - 1, &idx) ||
	    !take_int(ims, "gen", 1, INT64_MAX, &gen) || !take_int(ims, "scn", 2, 3, &scenario))
		return RG_E_PROTO;
	c->idx = (uint32_t)idx;
	c->gen = (uint64_t)gen;
	c->scenario = (uint16_t)scenario;
	return 0;
}

// RFC 9068 2.2: all of these are required
static int read_claims(const json_t *j, struct token_claims *c) {
	c->iss = take_string(j, "iss");
	c->aud = take_string(j, "aud"); // an array is refused: these tokens have one audience
	c->sub = take_string(j, "sub");
	if (c->iss == NULL || c->aud == NULL || c->sub == NULL || take_string(j, "jti") == NULL ||
	    take_string(j, "client_id") == NULL || !take_int(j, "iat", 0, DATE_MAX, &c->iat) ||
	    !take_int(j, "nbf", 0, DATE_MAX, &c->nbf) || !take_int(j, "exp", 0, DATE_MAX, &c->exp))
		return RG_E_PROTO;
	return read_identity(json_object_get(j, "ims"), c);
}

// RFC 9068 4, RFC 7519 4.1, RFC 8725 3.8 to 3.10
static int check_claims(const json_t *j, const struct token_claims *c, const char *iss,
			const char *aud, int64_t now) {
	if (strcmp(c->iss, iss) != 0 || strcmp(c->aud, aud) != 0 || !has_scope(j))
		return RG_E_AUTH;
	if (c->exp <= now)
		return RG_E_EXPIRED;
	if (c->nbf > now + NOT_BEFORE_LEEWAY_S || c->iat > now + NOT_BEFORE_LEEWAY_S)
		return RG_E_AUTH;
	return 0;
}

// Strings of c become the caller's.
static int own(struct token_claims *c) {
	const char **s[] = {&c->iss, &c->aud, &c->sub, &c->impi, &c->impu, &c->wwsf, &c->pool};
	bool is_short = false;

	for (size_t i = 0; i < sizeof(s) / sizeof(*s); i++) {
		*s[i] = strdup(*s[i]);
		is_short |= *s[i] == NULL;
	}
	if (is_short)
		token_claims_free(c);
	return is_short ? -ENOMEM : 0;
}

static int verify_payload(const struct jws *jws, const char *iss, const char *aud, int64_t now,
			  struct token_claims *out) {
	struct token_claims c = {0};
	json_t *j = jws_parse_object(rg_slice(jws->payload, jws->payload_len));
	int rc = j == NULL ? RG_E_PROTO : read_claims(j, &c);

	if (rc == 0)
		rc = check_claims(j, &c, iss, aud, now);
	if (rc == 0)
		rc = own(&c);
	json_decref(j);
	if (rc == 0)
		*out = c;
	return rc;
}

int token_verify(const struct token_key *k, struct rg_slice token, const char *iss, const char *aud,
		 int64_t now, struct token_claims *out) {
	struct jws jws;
	int rc = jws_open(token_key_pkey(k), token, &jws);

	if (rc == RG_E_LIMIT)
		return RG_E_PROTO;
	if (rc != 0)
		return rc;
	rc = check_header(k, &jws);
	if (rc == 0)
		rc = verify_payload(&jws, iss, aud, now, out);
	json_decref(jws.header);
	return rc;
}

void token_claims_free(struct token_claims *c) {
	const char **s[] = {&c->iss, &c->aud, &c->sub, &c->impi, &c->impu, &c->wwsf, &c->pool};

	for (size_t i = 0; i < sizeof(s) / sizeof(*s); i++) {
		free((char *)*s[i]);
		*s[i] = NULL;
	}
}
