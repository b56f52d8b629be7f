// SPDX-License-Identifier: BSD-3-Clause
// `token reload` over real keys and a stand-in for those of other issuers.
#include <errno.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include "ctl/ctl_int.h"
#include "harness.h"

static char *const paths[] = {(char *)"a.key"};
static struct harness h;
static struct token_keys *keys;
static struct env_sim_end *end;
static unsigned n_reloads;
static int theirs_rc;
static const char *pending[3];

static int on_reload(void *, char *err, size_t err_len) {
	n_reloads++;
	if (theirs_rc != 0)
		snprintf(err, err_len, "wwsfs.jwks: t.json: bad");
	return theirs_rc;
}

static const char *on_pending(void *, size_t n) {
	return pending[n];
}

static void setup(void) {
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	char err[256], *pem;
	long len;

	harness_start(&h, false);
	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &pem);
	env_sim_file(h.env, "a.key", rg_slice(pem, (size_t)len));
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	keys = token_keys_new(h.env, paths, 1, 7200, err, sizeof(err));
	ck_assert_msg(keys != NULL, "%s", err);
	h.ctl->deps.keys = keys;
	h.ctl->deps.reload_issuers = on_reload;
	h.ctl->deps.issuer_pending = on_pending;
	end = harness_connect(&h);
	n_reloads = 0;
	theirs_rc = 0;
	memset(pending, 0, sizeof(pending));
}

static void teardown(void) {
	token_keys_free(keys);
	harness_stop(&h);
}

static json_t *reload(void) {
	return harness_ask(&h, end, "{\"cmd\":\"token reload\"}");
}

START_TEST(good) {
	json_t *a = reload();

	ck_assert(json_is_true(json_object_get(a, "ok")));
	ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(a, "data"), "keys")), 1);
	ck_assert_uint_eq(n_reloads, 1);
	json_decref(a);
}
END_TEST

// Each part is done whatever becomes of the other, and each error told.
START_TEST(one_is_bad) {
	theirs_rc = -ENOENT;
	harness_refused(reload(), RG_CTL_REFUSED, "token.keys are in use; wwsfs.jwks: t.json: bad");
	env_sim_file_error(h.env, "a.key", ENOENT);
	harness_refused(reload(), RG_CTL_REFUSED, "token.keys as before: ");
	harness_refused(reload(), RG_CTL_REFUSED, "; wwsfs.jwks: t.json: bad");
	ck_assert_uint_eq(n_reloads, 3);
	theirs_rc = 0;
	harness_refused(reload(), RG_CTL_REFUSED, "a.key");
	ck_assert_uint_eq(n_reloads, 4);
}
END_TEST

START_TEST(not_all_is_withdrawn_yet) {
	static const char *const cmds[] = {"{\"cmd\":\"token reload\"}",
					   "{\"cmd\":\"token keys\"}"};

	for (unsigned n = 0; n < 3; n++) {
		json_t *a, *list;

		pending[0] = n > 0 ? "w1" : NULL;
		pending[1] = n > 1 ? "w2" : NULL;
		a = harness_ask(&h, end, cmds[_i]);
		list = json_object_get(json_object_get(a, "data"), "withdrawal_pending");
		ck_assert(json_is_array(list));
		ck_assert_uint_eq(json_array_size(list), n);
		ck_assert_pstr_eq(json_string_value(json_array_get(list, 1)), pending[1]);
		json_decref(a);
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_token");
	TCase *tc = tcase_create("token");
	SRunner *sr;
	int n_failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, good);
	tcase_add_test(tc, one_is_bad);
	tcase_add_loop_test(tc, not_all_is_withdrawn_yet, 0, 2);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
