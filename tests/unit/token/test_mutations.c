// SPDX-License-Identifier: BSD-3-Clause
// Valid tokens, changed at random: none verifies but the very same. TOKEN_MUTATIONS=1000000 does as many
// (about a minute), TOKEN_SEED another series.
#include <inttypes.h>
#include <openssl/hmac.h>

#include "token/jwk.h"
#include "tokens.h"

#define N_MUTATIONS 20000
#define N_TOKENS 4
#define ROOM (2 * RG_TOKEN_MAX)

static struct jws_key keys[N_TOKENS];
static struct {
	uint8_t p[RG_TOKEN_MAX];
	size_t len;
} tokens[N_TOKENS];
static uint64_t state;

static uint32_t below(uint32_t n) {
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) % n);
}

static void make(unsigned i, enum jws_alg alg, EVP_PKEY *pkey) {
	const char payload[] =
		"{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"sub\":\"u\",\"client_id\":\"c\","
		"\"jti\":\"j\",\"iat\":1760000000,\"nbf\":1760000000,\"exp\":1760003600,"
		"\"scope\":\"ims.register\",\"ims\":{\"impi\":\"a@b\",\"impu\":[\"sip:a@b\"],"
		"\"wwsf\":\"w\",\"pool\":\"p\",\"idx\":1,\"gen\":1,\"scn\":3}}";
	struct rg_wr w = rg_wr(tokens[i].p, sizeof(tokens[i].p));
	uint8_t sig[JWS_SIG_MAX];
	char header[128];
	unsigned len = 32;
	size_t n;

	keys[i] = (struct jws_key){.alg = alg, .pkey = pkey, .secret_len = 32};
	memset(keys[i].secret, 7, 32);
	snprintf(keys[i].kid, sizeof(keys[i].kid), "k%u", i);
	snprintf(header, sizeof(header), "{\"typ\":\"at+jwt\",\"alg\":\"%s\",\"kid\":\"k%u\"}",
		 jws_alg_name(alg), i);
	rg_b64_put(&w, RG_B64_URL, rg_str(header));
	rg_putc(&w, '.');
	rg_b64_put(&w, RG_B64_URL, rg_str(payload));
	if (alg == JWS_HS256) {
		HMAC(EVP_sha256(), keys[i].secret, 32, w.p, w.len, sig, &len);
		n = len;
	} else {
		ck_assert_int_eq(jws_key_sign(&keys[i], rg_wr_slice(&w), sig, &n), 0);
	}
	rg_putc(&w, '.');
	rg_b64_put(&w, RG_B64_URL, rg_slice(sig, n));
	tokens[i].len = w.len;
}

static int verify(const uint8_t *p, size_t len) {
	const struct jwk_set set = {keys, N_TOKENS};
	struct token_claims c;
	int rc = token_verify(&set, rg_slice(p, len), ISS, AUD, NOW, &c);

	if (rc == 0)
		token_claims_free(&c);
	return rc;
}

// --- one change each; len may grow by half at most

static size_t flip(uint8_t *t, size_t len) {
	t[below((uint32_t)len)] ^= (uint8_t)(1 << below(8));
	return len;
}

static size_t other_digit(uint8_t *t, size_t len) {
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/";

	t[below((uint32_t)len)] = (uint8_t)digits[below(sizeof(digits) - 1)];
	return len;
}

static size_t swap(uint8_t *t, size_t len) {
	uint32_t a = below((uint32_t)len), b = below((uint32_t)len);
	uint8_t c = t[a];

	t[a] = t[b];
	t[b] = c;
	return len;
}

static size_t cut(uint8_t *t, size_t len) {
	uint32_t at = below((uint32_t)len), n = 1 + below(8);

	if (at + n > len)
		n = (uint32_t)len - at;
	memmove(t + at, t + at + n, len - at - n);
	return len - n;
}

static size_t repeat(uint8_t *t, size_t len) {
	uint32_t at = below((uint32_t)len), n = 1 + below(64);

	if (at + n > len)
		n = (uint32_t)len - at;
	memmove(t + at + n, t + at, len - at);
	return len + n;
}

static size_t insert(uint8_t *t, size_t len) {
	uint32_t at = below((uint32_t)len + 1);

	memmove(t + at + 1, t + at, len - at);
	t[at] = (uint8_t)below(256);
	return len + 1;
}

static size_t after(const uint8_t *t, size_t len, unsigned n_dots) {
	for (size_t i = 0; i < len; i++)
		if (t[i] == '.' && --n_dots == 0)
			return i;
	return len;
}

// The tail of another token from one of its dots on.
static size_t splice(uint8_t *t, size_t len) {
	unsigned other = below(N_TOKENS), dot = 1 + below(2);
	size_t at = after(t, len, dot);
	size_t from = after(tokens[other].p, tokens[other].len, dot);

	memcpy(t + at, tokens[other].p + from, tokens[other].len - from);
	return at + tokens[other].len - from;
}

static size_t (*const changes[])(uint8_t *t, size_t len) = {flip,   other_digit, swap,  cut,
							    repeat, insert,      splice};
#define N_CHANGES (sizeof(changes) / sizeof(*changes))

static bool is_token(const uint8_t *p, size_t len) {
	for (unsigned i = 0; i < N_TOKENS; i++)
		if (rg_eq(rg_slice(p, len), rg_slice(tokens[i].p, tokens[i].len)))
			return true;
	return false;
}

START_TEST(no_mutation_verifies) {
	const char *n_text = getenv("TOKEN_MUTATIONS"), *seed_text = getenv("TOKEN_SEED");
	unsigned long n = n_text == NULL ? N_MUTATIONS : strtoul(n_text, NULL, 10), n_same = 0;
	uint64_t seed = seed_text == NULL ? 1 : strtoull(seed_text, NULL, 10);
	uint8_t t[ROOM];

	state = seed * 0x9e3779b97f4a7c15;
	make(0, JWS_ES256, EVP_EC_gen("P-256"));
	make(1, JWS_ES256, EVP_EC_gen("P-256"));
	make(2, JWS_EDDSA, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
	make(3, JWS_HS256, NULL);
	for (unsigned i = 0; i < N_TOKENS; i++)
		ck_assert_int_eq(verify(tokens[i].p, tokens[i].len), 0);
	for (unsigned long i = 0; i < n; i++) {
		unsigned which = below(N_TOKENS);
		size_t len = tokens[which].len;

		memcpy(t, tokens[which].p, len);
		for (unsigned k = 1 + below(3); k > 0 && len > 0; k--)
			len = changes[below(N_CHANGES)](t, len);
		if (is_token(t, len))
			n_same++;
		else
			ck_assert_msg(verify(t, len) != 0, "seed %" PRIu64 ", %lu: %.*s", seed, i,
				      (int)len, (const char *)t);
	}
	ck_assert_uint_lt(n_same, n / 5 + 1); // else nothing was tried
	for (unsigned i = 0; i < N_TOKENS; i++)
		jws_key_fini(&keys[i]);
}
END_TEST

int main(void) {
	Suite *s = suite_create("token_mutations");
	TCase *tc = tcase_create("mutations");

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, no_mutation_verifies);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
