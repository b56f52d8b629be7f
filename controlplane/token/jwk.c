// SPDX-License-Identifier: BSD-3-Clause
// Keys from JSON and to JSON. Numbers are base64url of big-endian bytes throughout.
#include "token/jwk.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/base64.h"
#include "regate/err.h"
#include "token/es256.h"
#include "token/jws.h"

#define NUMBER_MAX 1024 // bytes of one
#define RSA_N_MIN 256   // the same, of RSA: jws_alg_of() looks closer
#define RSA_N_MAX 513   // one may be zero
#define RSA_E_MAX 9

static const char *string_of(const json_t *obj, const char *name) {
	return json_string_value(json_object_get(obj, name));
}

static bool is_string(const json_t *obj, const char *name, const char *want) {
	const char *s = string_of(obj, name);

	return s != NULL && strcmp(s, want) == 0;
}

struct number {
	uint8_t b[NUMBER_MAX];
	size_t len;
};

static int take_number(const json_t *jwk, const char *name, struct number *out) {
	const char *s = string_of(jwk, name);

	if (s == NULL ||
	    rg_b64_read(rg_str(s), RG_B64_URL, out->b, sizeof(out->b), &out->len) != 0 ||
	    out->len == 0)
		return RG_E_PROTO;
	return 0;
}

static int from_params(const char *kind, OSSL_PARAM_BLD *bld, EVP_PKEY **out) {
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL), *check = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY *pkey = NULL;
	int rc = RG_E_AUTH;

	if (ctx != NULL && params != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1)
		check = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	if (check != NULL && EVP_PKEY_public_check(check) == 1) // a point on the curve
		rc = 0;
	EVP_PKEY_CTX_free(check);
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	if (rc == 0)
		*out = pkey;
	else
		EVP_PKEY_free(pkey);
	return rc;
}

// RFC 7518 6.2.1: the coordinates have the full length
static int import_ec(const json_t *jwk, EVP_PKEY **out) {
	uint8_t point[1 + 2 * ES256_COORD_LEN] = {4};
	OSSL_PARAM_BLD *bld;
	struct number x, y;
	int rc;

	if (!is_string(jwk, "crv", "P-256"))
		return RG_E_UNSUPPORTED;
	if (take_number(jwk, "x", &x) != 0 || take_number(jwk, "y", &y) != 0 ||
	    x.len != ES256_COORD_LEN || y.len != ES256_COORD_LEN)
		return RG_E_PROTO;
	memcpy(point + 1, x.b, x.len);
	memcpy(point + 1 + x.len, y.b, y.len);
	bld = OSSL_PARAM_BLD_new();
	rc = bld != NULL &&
			     OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
							     "prime256v1", 0) == 1 &&
			     OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point,
							      sizeof(point)) == 1
		     ? from_params("EC", bld, out)
		     : -ENOMEM;
	OSSL_PARAM_BLD_free(bld);
	return rc;
}

static int import_rsa(const json_t *jwk, EVP_PKEY **out) {
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *bn_n = NULL, *bn_e = NULL;
	struct number n, e;
	int rc = RG_E_PROTO;

	if (take_number(jwk, "n", &n) != 0 || take_number(jwk, "e", &e) != 0)
		goto done;
	rc = RG_E_AUTH; // before OpenSSL checks it, which takes the longer the larger it is
	if (n.len < RSA_N_MIN || n.len > RSA_N_MAX || e.len > RSA_E_MAX)
		goto done;
	bn_n = BN_bin2bn(n.b, (int)n.len, NULL);
	bn_e = BN_bin2bn(e.b, (int)e.len, NULL);
	rc = bld != NULL && bn_n != NULL && bn_e != NULL &&
			     OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
			     OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1
		     ? from_params("RSA", bld, out)
		     : -ENOMEM;
done:
	BN_free(bn_n);
	BN_free(bn_e);
	OSSL_PARAM_BLD_free(bld);
	return rc;
}

// RFC 8037 2
static int import_okp(const json_t *jwk, EVP_PKEY **out) {
	struct number x;

	if (!is_string(jwk, "crv", "Ed25519"))
		return RG_E_UNSUPPORTED;
	if (take_number(jwk, "x", &x) != 0 || x.len != 32)
		return RG_E_PROTO;
	*out = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.b, x.len);
	return *out == NULL ? RG_E_AUTH : 0;
}

// RFC 7518 6.4. Without alg nobody knows what the secret is for.
static int import_oct(const json_t *jwk, struct jws_key *k) {
	int rc;

	if (!is_string(jwk, "alg", "HS256"))
		return RG_E_UNSUPPORTED;
	rc = string_of(jwk, "k") == NULL
		     ? RG_E_PROTO
		     : rg_b64_read(rg_str(string_of(jwk, "k")), RG_B64_URL, k->secret,
				   sizeof(k->secret), &k->secret_len);
	if (rc != 0)
		return RG_E_PROTO;
	k->alg = JWS_HS256;
	return k->secret_len >= JWS_SECRET_MIN ? 0 : RG_E_AUTH;
}

static bool is_known_op(const char *op) {
	static const char *const known[] = {"sign",    "verify",    "encrypt",   "decrypt",
					    "wrapKey", "unwrapKey", "deriveKey", "deriveBits"};

	for (size_t i = 0; op != NULL && i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(op, known[i]) == 0)
			return true;
	return false;
}

// RFC 7517 4.2, 4.3: for signatures. Operations that nobody has heard of do not restrict anything.
static bool is_for_signatures(const json_t *jwk) {
	const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops");
	bool is_known = false, has_verify = false;
	size_t i;
	json_t *op;

	if (use != NULL && !is_string(jwk, "use", "sig"))
		return false;
	json_array_foreach(ops, i, op) {
		const char *s = json_string_value(op);

		is_known |= is_known_op(s);
		has_verify |= s != NULL && strcmp(s, "verify") == 0;
	}
	return ops == NULL || (json_is_array(ops) && (has_verify || !is_known));
}

static int take_kid(const json_t *jwk, char kid[JWS_KID_MAX + 1]) {
	const json_t *j = json_object_get(jwk, "kid");

	if (j == NULL)
		return 0; // found by nobody, and harmless
	if (!json_is_string(j) || json_string_length(j) == 0)
		return RG_E_PROTO;
	if (json_string_length(j) > JWS_KID_MAX)
		return RG_E_UNSUPPORTED;
	memcpy(kid, json_string_value(j), json_string_length(j));
	return 0;
}

static int import_public(const json_t *jwk, struct jws_key *k) {
	static const struct {
		const char *kty;
		int (*import)(const json_t *jwk, EVP_PKEY **out);
	} kinds[] = {{"EC", import_ec}, {"OKP", import_okp}, {"RSA", import_rsa}};
	const char *alg = string_of(jwk, "alg");
	int rc = RG_E_UNSUPPORTED;

	if (json_object_get(jwk, "d") != NULL)
		return RG_E_AUTH;
	if (json_object_get(jwk, "alg") != NULL && (alg == NULL || !jws_alg_find(alg, &k->alg)))
		return RG_E_UNSUPPORTED;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (is_string(jwk, "kty", kinds[i].kty))
			rc = kinds[i].import(jwk, &k->pkey);
	if (rc != 0)
		return rc;
	if (alg == NULL)
		return jws_alg_of(k->pkey, &k->alg) ? 0 : RG_E_AUTH;
	return jws_alg_fits(k->pkey, k->alg) ? 0 : RG_E_AUTH;
}

static int put_tag(struct jws_key *k) {
	uint8_t sha[32];
	char text[64];
	struct rg_wr w = rg_wr(text, sizeof(text));
	struct rg_slice what = rg_slice(k->secret, k->secret_len);

	if (k->pkey != NULL) {
		if (jwk_thumbprint(k->pkey, &w) != 0)
			return RG_E_AUTH;
		what = rg_wr_slice(&w);
	}
	if (EVP_Digest(what.p, what.len, sha, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	memcpy(&k->tag, sha, sizeof(k->tag));
	k->tag |= 1;
	return 0;
}

int jwk_import(const json_t *jwk, bool may_be_secret, struct jws_key *out) {
	struct jws_key k = {0};
	int rc;

	if (!json_is_object(jwk) || string_of(jwk, "kty") == NULL)
		return RG_E_PROTO;
	if (!is_for_signatures(jwk))
		return RG_E_UNSUPPORTED;
	rc = take_kid(jwk, k.kid);
	if (rc == 0 && is_string(jwk, "kty", "oct"))
		rc = may_be_secret ? import_oct(jwk, &k) : RG_E_AUTH;
	else if (rc == 0)
		rc = import_public(jwk, &k);
	if (rc == 0)
		rc = put_tag(&k);
	if (rc == 0)
		*out = k;
	else
		jws_key_fini(&k);
	return rc;
}

// --- sets

const struct jws_key *jwk_set_find(const struct jwk_set *s, const char *kid) {
	for (size_t i = 0; i < s->n; i++)
		if (kid[0] != '\0' && strcmp(s->keys[i].kid, kid) == 0)
			return &s->keys[i];
	return NULL;
}

void jwk_set_fini(struct jwk_set *s) {
	for (size_t i = 0; i < s->n; i++)
		jws_key_fini(&s->keys[i]);
	free(s->keys);
	*s = (struct jwk_set){0};
}

static const char *add_key(struct jwk_set *s, const json_t *jwk, bool may_be_secret) {
	struct jws_key *k = &s->keys[s->n];

	switch (jwk_import(jwk, may_be_secret, k)) {
	case 0:
		break;
	case RG_E_UNSUPPORTED:
		return NULL;
	case RG_E_AUTH:
		return "is weak, or not public: make a new one";
	default:
		return "is malformed";
	}
	if (k->kid[0] == '\0' || jwk_set_find(s, k->kid) != NULL) {
		bool is_nameless = k->kid[0] == '\0';

		jws_key_fini(k);
		return is_nameless ? "has no kid" : "has the kid of another";
	}
	s->n++;
	return (s->keys[0].alg == JWS_HS256) == (k->alg == JWS_HS256)
		       ? NULL
		       : "is symmetric beside others that are not";
}

static int parse_keys(const json_t *keys, bool may_be_secret, struct jwk_set *s, char *err,
		      size_t err_len) {
	size_t i, n = json_array_size(keys);
	const char *fault;
	json_t *jwk;

	if (!json_is_array(keys) || n > JWK_SET_MAX) {
		snprintf(err, err_len, "no JWK set of 1 to %d keys", JWK_SET_MAX);
		return RG_E_PROTO;
	}
	s->keys = calloc(n + 1, sizeof(*s->keys));
	if (s->keys == NULL) {
		snprintf(err, err_len, "no memory");
		return -ENOMEM;
	}
	json_array_foreach(keys, i, jwk) {
		fault = add_key(s, jwk, may_be_secret);
		if (fault != NULL) {
			snprintf(err, err_len, "key %zu of the set %s", i + 1, fault);
			return RG_E_PROTO;
		}
	}
	if (s->n > 0)
		return 0;
	snprintf(err, err_len, "no key for ES256, EdDSA, RS256 or PS256 in the set");
	return RG_E_UNSUPPORTED;
}

int jwk_set_parse(struct rg_slice text, bool may_be_secret, struct jwk_set *out, char *err,
		  size_t err_len) {
	json_t *j = jws_parse_object(text);
	struct jwk_set s = {0};
	int rc = parse_keys(json_object_get(j, "keys"), may_be_secret, &s, err, err_len);

	json_decref(j);
	if (rc == 0)
		*out = s;
	else
		jwk_set_fini(&s);
	return rc;
}

// --- export

static void put_number(json_t *jwk, const char *name, const uint8_t *p, size_t len) {
	char text[2 * NUMBER_MAX];
	struct rg_wr w = rg_wr(text, sizeof(text));

	rg_b64_put(&w, RG_B64_URL, rg_slice(p, len));
	json_object_set_new(jwk, name, json_stringn(text, w.len));
}

static void put_bn(json_t *jwk, const char *name, const EVP_PKEY *pkey, const char *param) {
	uint8_t bytes[NUMBER_MAX];
	BIGNUM *bn = NULL;
	int len = 0;

	if (EVP_PKEY_get_bn_param(pkey, param, &bn) == 1 && BN_num_bytes(bn) <= NUMBER_MAX)
		len = BN_bn2bin(bn, bytes);
	BN_free(bn);
	put_number(jwk, name, bytes, (size_t)len);
}

// The members that RFC 7638 3.2 asks for, in its order; NULL when OpenSSL has none.
static json_t *required_members(const EVP_PKEY *pkey) {
	uint8_t x[ES256_COORD_LEN], y[ES256_COORD_LEN];
	size_t len = sizeof(x);
	json_t *jwk = NULL;

	if (es256_is_p256(pkey) && es256_public(pkey, x, y) == 0) {
		jwk = json_pack("{s:s,s:s}", "crv", "P-256", "kty", "EC");
		put_number(jwk, "x", x, sizeof(x));
		put_number(jwk, "y", y, sizeof(y));
	} else if (EVP_PKEY_is_a(pkey, "ED25519") &&
		   EVP_PKEY_get_raw_public_key(pkey, x, &len) == 1) {
		jwk = json_pack("{s:s,s:s}", "crv", "Ed25519", "kty", "OKP");
		put_number(jwk, "x", x, len);
	} else if (EVP_PKEY_is_a(pkey, "RSA")) {
		jwk = json_pack("{s:s}", "kty", "RSA");
		put_bn(jwk, "e", pkey, OSSL_PKEY_PARAM_RSA_E);
		put_bn(jwk, "n", pkey, OSSL_PKEY_PARAM_RSA_N);
	}
	return jwk;
}

json_t *jwk_export(const struct jws_key *k) {
	json_t *jwk = k->pkey == NULL ? NULL : required_members(k->pkey);

	if (jwk == NULL)
		return NULL;
	json_object_set_new(jwk, "kid", json_string(k->kid));
	json_object_set_new(jwk, "alg", json_string(jws_alg_name(k->alg)));
	json_object_set_new(jwk, "use", json_string("sig"));
	return jwk;
}

int jwk_thumbprint(const EVP_PKEY *pkey, struct rg_wr *out) {
	json_t *jwk = required_members(pkey);
	char text[2 * NUMBER_MAX];
	size_t n = jwk == NULL ? 0
			       : json_dumpb(jwk, text, sizeof(text), JSON_COMPACT | JSON_SORT_KEYS);
	uint8_t sha[32];

	json_decref(jwk);
	if (n == 0 || n > sizeof(text) || EVP_Digest(text, n, sha, NULL, EVP_sha256(), NULL) != 1)
		return RG_E_AUTH;
	rg_b64_put(out, RG_B64_URL, rg_slice(sha, sizeof(sha)));
	return 0;
}
