// SPDX-License-Identifier: BSD-3-Clause
// Access tokens (RFC 9068 profile of ims.md 2.5): claims to JWS and back. No state but the key.
#include "token/token.h"

#include <errno.h>
#include <stdlib.h>

#include "regate/base64.h"
#include "regate/err.h"
#include "regate/token.h"
#include "token/jwk.h"
#include "token/jws.h"
#include "token/key.h"

#define SCOPE "ims.register"
#define CLIENT_ID "wic-web"    // RFC 9068 2.2 wants one; every page is the same client
#define NOT_BEFORE_LEEWAY_S 60 // ims.md 2.5: on nbf and iat only, never on exp
#define DATE_MAX (INT64_C(1) << 53)

// What is no plain ASCII is jansson's to escape, and to refuse.
static bool is_plain(const char *s) {
	for (; *s != '\0'; s++)
		if ((uint8_t)*s < ' ' || (uint8_t)*s > '~' || *s == '"' || *s == '\\')
			return false;
	return true;
}

static int put_odd(struct rg_wr *w, const char *s) {
	json_t *j = json_string(s);
	size_t room = w->cap - w->len, n;

	if (j == NULL)
		return RG_E_UTF8; // or no memory: jansson does not tell
	n = json_dumpb(j, (char *)w->p + w->len, room, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(j);
	if (n == 0 || n > room)
		return RG_E_LIMIT;
	w->len += n;
	return 0;
}

// A member with its comma.
static void put_text(struct rg_wr *w, const char *name, const char *s, int *rc) {
	rg_puts(w, name);
	if (*rc == 0 && !is_plain(s)) {
		*rc = w->overflow ? RG_E_LIMIT : put_odd(w, s);
	} else {
		rg_putc(w, '"');
		rg_puts(w, s);
		rg_putc(w, '"');
	}
}

static void put_int(struct rg_wr *w, const char *name, int64_t v) {
	rg_puts(w, name);
	if (v < 0)
		rg_putc(w, '-');
	rg_put_u64(w, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

static int claims_put(const struct token_claims *c, const uint8_t jti[16], struct rg_wr *w) {
	int rc = 0;

	put_text(w, "{\"iss\":", c->iss, &rc);
	put_text(w, ",\"aud\":", c->aud, &rc);
	put_text(w, ",\"sub\":", c->sub, &rc);
	rg_puts(w, ",\"client_id\":\"" CLIENT_ID "\"");
	put_int(w, ",\"iat\":", c->iat);
	put_int(w, ",\"nbf\":", c->nbf);
	put_int(w, ",\"exp\":", c->exp);
	rg_puts(w, ",\"jti\":\"");
	rg_b64_put(w, RG_B64_URL, rg_slice(jti, 16));
	rg_puts(w, "\",\"scope\":\"" SCOPE "\"");
	put_text(w, ",\"ims\":{\"impi\":", c->impi, &rc);
	put_text(w, ",\"impu\":[", c->impu, &rc);
	put_text(w, "],\"wwsf\":", c->wwsf, &rc);
	put_text(w, ",\"pool\":", c->pool, &rc);
	put_int(w, ",\"idx\":", c->idx);
	put_int(w, ",\"gen\":", (int64_t)c->gen);
	put_int(w, ",\"scn\":", c->scenario);
	rg_puts(w, "}}");
	return rc == 0 && w->overflow ? RG_E_LIMIT : rc;
}

int token_prepare(const struct token_key *k, const struct token_claims *c, const uint8_t jti[16],
		  struct rg_wr *out) {
	char text[RG_TOKEN_MAX];
	struct rg_wr w = rg_wr(text, sizeof(text));
	int rc;

	if (c->gen > INT64_MAX)
		return RG_E_LIMIT; // JSON integers are signed here
	rc = claims_put(c, jti, &w);
	return rc != 0 ? rc : jws_prepare(token_key_header(k), rg_wr_slice(&w), out);
}

int token_issue(const struct token_key *k, const struct token_claims *c, const uint8_t jti[16],
		struct rg_wr *out) {
	size_t start = out->len;
	int rc = token_prepare(k, c, jti, out);

	return rc != 0 ? rc : jws_seal(token_key_jws(k), start, out);
}

struct token_signer { // OpenSSL counts who holds the key with atomics, and signs on any thread
	struct jws_key key;
};

struct token_signer *token_signer_get(const struct token_key *k) {
	struct token_signer *s = malloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	s->key = *token_key_jws(k);
	if (EVP_PKEY_up_ref(s->key.pkey) == 1)
		return s;
	free(s);
	return NULL;
}

void token_signer_put(struct token_signer *s) {
	if (s == NULL)
		return;
	jws_key_fini(&s->key);
	free(s);
}

int token_sign(struct token_signer *s, struct rg_wr *out) {
	return jws_seal(&s->key, 0, out);
}

static bool is_string(const json_t *obj, const char *name, const char *want) {
	const char *s = json_string_value(json_object_get(obj, name));

	return s != NULL && strcmp(s, want) == 0;
}

// RFC 9068 4, RFC 8725 3.11: not another kind of token; RFC 7515 4.1.4: and signed by this key
static int check_signature(const struct jwk_set *keys, const struct jws *jws) {
	const char *kid = json_string_value(json_object_get(jws->header, "kid"));
	const struct jws_key *key;

	if (!is_string(jws->header, "typ", "at+jwt") || kid == NULL)
		return RG_E_AUTH;
	key = jwk_set_find(keys, kid);
	return key == NULL ? RG_E_STALE : jws_verify(jws, key);
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

// One of them (RFC 7519 4.1.3).
static bool is_for(const json_t *aud, const char *want) {
	const json_t *one;
	size_t i;

	if (json_is_string(aud))
		return strcmp(json_string_value(aud), want) == 0;
	json_array_foreach(aud, i, one) {
		if (json_is_string(one) && strcmp(json_string_value(one), want) == 0)
			return true;
	}
	return false;
}

// RFC 7662 2.2: all but active may be left out; what this gateway cannot do without, it asks for.
static int read_answer(const json_t *j, const char *iss, const char *aud, struct token_claims *c) {
	const json_t *to = json_object_get(j, "aud");

	*c = (struct token_claims){.iss = iss, .aud = aud, .sub = take_string(j, "sub")};
	if (json_object_get(j, "iss") != NULL)
		c->iss = take_string(j, "iss");
	if (c->iss == NULL || c->sub == NULL || !take_int(j, "exp", 0, DATE_MAX, &c->exp) ||
	    (json_object_get(j, "nbf") != NULL && !take_int(j, "nbf", 0, DATE_MAX, &c->nbf)) ||
	    (json_object_get(j, "iat") != NULL && !take_int(j, "iat", 0, DATE_MAX, &c->iat)))
		return RG_E_PROTO;
	if (to != NULL && !is_for(to, aud))
		return RG_E_AUTH;
	return read_identity(json_object_get(j, "ims"), c);
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

int token_introspected(struct rg_slice answer, const char *iss, const char *aud, int64_t now,
		       struct token_claims *out) {
	json_t *j = jws_parse_object(answer), *active = json_object_get(j, "active");
	struct token_claims c = {0};
	int rc = json_is_boolean(active) ? 0 : RG_E_PROTO;

	if (rc == 0 && !json_is_true(active))
		rc = RG_E_STALE;
	if (rc == 0)
		rc = read_answer(j, iss, aud, &c);
	if (rc == 0)
		rc = check_claims(j, &c, iss, aud, now);
	if (rc == 0)
		rc = own(&c);
	json_decref(j);
	if (rc == 0)
		*out = c;
	return rc;
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

int token_verify(const struct jwk_set *keys, struct rg_slice token, const char *iss,
		 const char *aud, int64_t now, struct token_claims *out) {
	struct jws jws;
	int rc = jws_parse(token, &jws);

	if (rc == RG_E_LIMIT)
		return RG_E_PROTO;
	if (rc != 0)
		return rc;
	rc = check_signature(keys, &jws);
	if (rc == 0)
		rc = verify_payload(&jws, iss, aud, now, out);
	jws_close(&jws);
	return rc;
}

bool token_peek(struct rg_slice token, const char *iss, struct token_claims *out) {
	struct token_claims c = {0};
	struct jws jws;
	bool is_good;
	json_t *j;

	if (jws_parse(token, &jws) != 0)
		return false;
	j = jws_parse_object(rg_slice(jws.payload, jws.payload_len));
	is_good = j != NULL && read_claims(j, &c) == 0 && strcmp(c.iss, iss) == 0 && own(&c) == 0;
	json_decref(j);
	jws_close(&jws);
	if (is_good)
		*out = c;
	return is_good;
}

void token_claims_free(struct token_claims *c) {
	const char **s[] = {&c->iss, &c->aud, &c->sub, &c->impi, &c->impu, &c->wwsf, &c->pool};

	for (size_t i = 0; i < sizeof(s) / sizeof(*s); i++) {
		free((char *)*s[i]);
		*s[i] = NULL;
	}
}
