// SPDX-License-Identifier: BSD-3-Clause
// Token digests against SHA-256 of another implementation.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/token.h"

static const uint8_t key[RG_DIGEST_KEY_LEN] = {0, 1, 2,  3,  4,  5,  6,  7,
					       8, 9, 10, 11, 12, 13, 14, 15};

// The first 16 bytes of SHA-256(key || n times c).
static const struct {
	size_t n;
	char c;
	const char *hex;
} vectors[] = {
	{0, 'a', "be45cb2605bf36bebde684841a28f0fd"},
	{200, 'a', "1e687ffdb14eb5bd5376331692959504"},
	{RG_TOKEN_MAX, 'x', "91a0334ffc64f991a33452751e338e0d"},
};

// One digester gives each digest, in any order.
START_TEST(digests) {
	struct rg_digester *d = rg_digester_new(key);
	uint8_t token[RG_TOKEN_MAX];
	struct rg_digest out;

	ck_assert_ptr_nonnull(d);
	for (int i = 0; i < 9; i++) {
		size_t k = (size_t)(i * 2 + i / 3) % 3;

		memset(token, vectors[k].c, vectors[k].n);
		rg_token_digest(d, guard_copy(rg_slice(token, vectors[k].n)), &out);
		ck_assert_mem_eq(out.b, guard_hex(vectors[k].hex).p, RG_DIGEST_LEN);
	}
	rg_digester_free(d);
	rg_digester_free(NULL);
}
END_TEST

START_TEST(key_counts) {
	uint8_t other[RG_DIGEST_KEY_LEN];
	struct rg_digester *a = rg_digester_new(key);
	struct rg_digester *b;
	struct rg_digest x, y;

	rg_token_digest(a, RG_LIT("token"), &x);
	for (size_t i = 0; i < sizeof(other); i++) {
		memcpy(other, key, sizeof(other));
		other[i] ^= 1;
		b = rg_digester_new(other);
		rg_token_digest(b, RG_LIT("token"), &y);
		ck_assert_mem_ne(x.b, y.b, sizeof(x.b));
		rg_digester_free(b);
	}
	rg_digester_free(a);
}
END_TEST

int main(void) {
	Suite *s = suite_create("digest");
	TCase *t = tcase_create("digest");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, digests);
	tcase_add_test(t, key_counts);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
