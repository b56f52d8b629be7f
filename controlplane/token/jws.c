// SPDX-License-Identifier: BSD-3-Clause
// JWS compact serialisation. Everything is bounded by RG_TOKEN_MAX; jansson bounds the nesting.
#include "token/jws.h"

#include "regate/base64.h"
#include "regate/err.h"
#include "token/es256.h"

int jws_prepare(struct rg_slice header, struct rg_slice payload, struct rg_wr *out) {
	rg_put(out, header);
	rg_putc(out, '.');
	rg_b64_put(out, RG_B64_URL, payload);
	return out->overflow ? RG_E_LIMIT : 0;
}

int jws_seal(const struct jws_key *key, size_t start, struct rg_wr *out) {
	uint8_t sig[JWS_SIG_MAX];
	size_t len;
	int rc = jws_key_sign(key, rg_slice(out->p + start, out->len - start), sig, &len);

	if (rc != 0)
		return rc;
	rg_putc(out, '.');
	rg_b64_put(out, RG_B64_URL, rg_slice(sig, len));
	return out->overflow || out->len - start > RG_TOKEN_MAX ? RG_E_LIMIT : 0;
}

int jws_sign(const struct jws_key *key, struct rg_slice header, struct rg_slice payload,
	     struct rg_wr *out) {
	size_t start = out->len;
	int rc = jws_prepare(header, payload, out);

	return rc != 0 ? rc : jws_seal(key, start, out);
}

// The text up to the next dot, which is skipped; false without a dot.
static bool take_part(struct rg_slice *s, struct rg_slice *part) {
	const uint8_t *dot = s->len == 0 ? NULL : memchr(s->p, '.', s->len);

	if (dot == NULL)
		return false;
	*part = rg_slice(s->p, (size_t)(dot - s->p));
	*s = rg_skip(*s, part->len + 1);
	return true;
}

json_t *jws_parse_object(struct rg_slice text) {
	json_t *j;

	// jansson takes UTF-8 only (RFC 8725 3.7) and refuses bytes after the object.
	j = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES, NULL);
	if (j != NULL && !json_is_object(j)) {
		json_decref(j);
		j = NULL;
	}
	return j;
}

// RFC 7515 4.1.10, 4.1.11; RFC 7516 4.1.3; RFC 7797 3: what would change the meaning of the payload
static int check_header(const json_t *h) {
	static const char *const refused[] = {"crit", "b64", "zip", "cty"};

	if (!json_is_string(json_object_get(h, "alg")))
		return RG_E_AUTH;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (json_object_get(h, refused[i]) != NULL)
			return RG_E_AUTH;
	return 0;
}

static int read_header(struct rg_slice text, json_t **out) {
	uint8_t raw[RG_TOKEN_MAX];
	size_t len;
	json_t *h;
	int rc = rg_b64_read(text, RG_B64_URL, raw, sizeof(raw), &len);

	if (rc != 0)
		return rc;
	h = jws_parse_object(rg_slice(raw, len));
	if (h == NULL)
		return RG_E_PROTO;
	rc = check_header(h);
	if (rc != 0)
		json_decref(h);
	else
		*out = h;
	return rc;
}

int jws_parse(struct rg_slice token, struct jws *out) {
	struct rg_slice rest = token, header, payload;
	int rc;

	if (token.len > RG_TOKEN_MAX)
		return RG_E_LIMIT;
	// A fourth dot stays in rest and is no base64url.
	if (!take_part(&rest, &header) || !take_part(&rest, &payload))
		return RG_E_PROTO;
	rc = rg_b64_read(rest, RG_B64_URL, out->sig, sizeof(out->sig), &out->sig_len);
	if (rc == 0 && out->sig_len == 0)
		rc = RG_E_PROTO;
	if (rc == 0)
		rc = rg_b64_read(payload, RG_B64_URL, out->payload, sizeof(out->payload),
				 &out->payload_len);
	if (rc == 0)
		rc = read_header(header, &out->header);
	out->signed_part = rg_slice(token.p, header.len + 1 + payload.len);
	return rc;
}

int jws_verify(const struct jws *jws, const struct jws_key *key) {
	const char *alg = json_string_value(json_object_get(jws->header, "alg"));

	if (strcmp(alg, jws_alg_name(key->alg)) != 0)
		return RG_E_AUTH;
	if (key->is_ours && key->alg == JWS_ES256 && jws->sig_len == ES256_SIG_LEN &&
	    !es256_is_low_s(jws->sig))
		return RG_E_AUTH;
	return jws_key_verify(key, jws->signed_part, rg_slice(jws->sig, jws->sig_len));
}

void jws_close(struct jws *jws) {
	json_decref(jws->header);
	jws->header = NULL;
}
