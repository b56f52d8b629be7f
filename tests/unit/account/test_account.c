// SPDX-License-Identifier: BSD-3-Clause
// Accounts: what the file may say, and who gets in. Hashes in here are the cheapest argon2id knows,
// but for the one that account_hash() makes.
#include <check.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/account.h"
#include "core/env_sim.h"
#include "regate/err.h"

static struct env *env;
static char alice_hash[crypto_pwhash_STRBYTES], bob_hash[crypto_pwhash_STRBYTES];
static char err[256];

static void make_hash(const char *password, char *out) {
	ck_assert_int_eq(crypto_pwhash_str(out, password, strlen(password),
					   crypto_pwhash_OPSLIMIT_MIN, crypto_pwhash_MEMLIMIT_MIN),
			 0);
}

static void setup(void) {
	ck_assert_int_ge(sodium_init(), 0);
	env = env_sim_new(1);
	make_hash("wonderland", alice_hash);
	make_hash("", bob_hash);
}

static void teardown(void) {
	env_sim_free(env);
}

static struct account_db *load_text(const char *text) {
	err[0] = '\0';
	env_sim_file(env, "accounts", rg_str(text));
	return account_load(env, "accounts", err, sizeof(err));
}

// Text where %s is alice's hash.
static struct account_db *load(const char *format) {
	char text[2048];

	snprintf(text, sizeof(text), format, alice_hash, bob_hash);
	return load_text(text);
}

#define TWO                              \
	"# users\n"                      \
	"alice %s alice@x sip:alice@x\n" \
	"\n"                             \
	"  bob\t%s\tbob@x  tel:+4930123\r\n"

START_TEST(good_file) {
	struct account_db *db = load(TWO);

	ck_assert_msg(db != NULL, "%s", err);
	ck_assert_uint_eq(account_count(db), 2);
	ck_assert_str_eq(account_at(db, 0)->user, "alice");
	ck_assert_str_eq(account_at(db, 0)->hash, alice_hash);
	ck_assert_str_eq(account_at(db, 1)->user, "bob");
	ck_assert_str_eq(account_at(db, 1)->impi, "bob@x");
	ck_assert_str_eq(account_at(db, 1)->impu, "tel:+4930123");
	ck_assert_ptr_null(account_at(db, 2));
	account_free(db);
}
END_TEST

static const struct {
	const char *text, *err;
} bad[] = {
	{"alice", "accounts:1: a line needs four fields"},
	{"\n\nalice %s alice@x", "accounts:3: a line needs four fields"},
	{"alice %s alice@x sip:alice@x x", "accounts:1: a line needs four fields"},
	{"alice secret alice@x sip:alice@x", "accounts:1: the second field is no argon2id hash"},
	{"alice $argon2id$v=19$m=8,t=1,p=1$AAAA alice@x sip:a@x", "no argon2id hash"},
	{"alice $argon2i$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
	 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA alice@x sip:a@x",
	 "no argon2id hash"},
	{"alice %s alice sip:alice@x", "accounts:1: the IMPI"},
	{"alice %s alice@x alice@x", "accounts:1: the IMPU"},
	{"alice %s alice@x SIP:alice@x", "accounts:1: the IMPU"},
	{"al\033ice %s alice@x sip:alice@x", "accounts:1: there is a control character"},
	{"bob %s b@x sip:b@x\nalice %s a@x sip:a@x\nbob %1$s c@x sip:c@x",
	 "accounts:3: the user is in line 1 already"},
};

START_TEST(bad_file) {
	ck_assert_ptr_null(load(bad[_i].text));
	ck_assert_msg(strstr(err, bad[_i].err) != NULL, "%s", err);
	ck_assert_ptr_null(strchr(err, '\n'));
}
END_TEST

START_TEST(no_file) {
	ck_assert_ptr_null(account_load(env, "nowhere", err, sizeof(err)));
	ck_assert_msg(strstr(err, "nowhere: ") == err && strstr(err, "accounts.file") != NULL, "%s",
		      err);
}
END_TEST

START_TEST(empty_file) {
	struct account_db *db = load_text("# nobody\n");

	ck_assert_ptr_nonnull(db);
	ck_assert_uint_eq(account_count(db), 0);
	account_free(db);
	account_free(NULL);
}
END_TEST

static unsigned n_done;
static const struct account *got;

static void on_done(void *arg, const struct account *a) {
	ck_assert_ptr_eq(arg, &n_done);
	n_done++;
	got = a;
}

static const char *check(struct account_db *db, struct rg_slice user, struct rg_slice password) {
	n_done = 0;
	got = (const struct account *)&n_done;
	ck_assert_int_eq(account_check(db, user, password, on_done, &n_done), 0);
	ck_assert_uint_eq(n_done, 0); // never within the call
	env_sim_settle(env);
	ck_assert_uint_eq(n_done, 1);
	return got == NULL ? NULL : got->user;
}

START_TEST(passwords) {
	static char big[4096];
	struct account_db *db = load(TWO);

	memset(big, 'x', sizeof(big));
	ck_assert_str_eq(check(db, RG_LIT("alice"), RG_LIT("wonderland")), "alice");
	ck_assert_str_eq(check(db, RG_LIT("bob"), RG_LIT("")), "bob");
	ck_assert_ptr_null(check(db, RG_LIT("alice"), RG_LIT("wonderlan")));
	ck_assert_ptr_null(check(db, RG_LIT("alice"), RG_LIT("wonderland\0")));
	ck_assert_ptr_null(check(db, RG_LIT("alice"), RG_LIT("")));
	ck_assert_ptr_null(check(db, RG_LIT("bob"), RG_LIT("wonderland")));
	// the unknown user is checked against alice's hash, and is not alice
	ck_assert_ptr_null(check(db, RG_LIT("mallory"), RG_LIT("wonderland")));
	ck_assert_ptr_null(check(db, RG_LIT("Alice"), RG_LIT("wonderland")));
	ck_assert_ptr_null(check(db, RG_LIT("alic"), RG_LIT("wonderland")));
	ck_assert_ptr_null(check(db, RG_LIT("alice\0"), RG_LIT("wonderland")));
	ck_assert_ptr_null(check(db, RG_LIT(""), RG_LIT("wonderland")));
	ck_assert_ptr_null(check(db, RG_LIT("alice"), rg_slice(big, sizeof(big))));
	account_free(db);
}
END_TEST

START_TEST(long_password_is_not_cut) {
	char password[1025], hash[crypto_pwhash_STRBYTES], text[512];
	struct account_db *db;

	memset(password, 'x', 1024);
	password[1024] = '\0';
	make_hash(password, hash);
	snprintf(text, sizeof(text), "carol %s carol@x sip:carol@x", hash);
	db = load_text(text);
	ck_assert_str_eq(check(db, RG_LIT("carol"), rg_slice(password, 1024)), "carol");
	password[1024] = 'x';
	ck_assert_ptr_null(check(db, RG_LIT("carol"), rg_slice(password, 1025)));
	account_free(db);
}
END_TEST

START_TEST(too_many_checks) {
	struct account_db *db = load(TWO);
	unsigned n = 0;
	int rc;

	n_done = 0;
	do
		rc = account_check(db, RG_LIT("alice"), RG_LIT("x"), on_done, &n_done);
	while (rc == 0 && ++n < 10000);
	ck_assert_int_eq(rc, -EAGAIN);
	env_sim_settle(env);
	ck_assert_uint_eq(n_done, n);
	account_free(db);
}
END_TEST

START_TEST(freed_while_checking) {
	struct account_db *db = load(TWO);

	n_done = 0;
	ck_assert_int_eq(account_check(db, RG_LIT("alice"), RG_LIT("x"), on_done, &n_done), 0);
	ck_assert_int_eq(account_check(db, RG_LIT("bob"), RG_LIT("x"), on_done, &n_done), 0);
	account_free(db);
	env_sim_settle(env);
	ck_assert_uint_eq(n_done, 2); // each is told, so that it can free its call
}
END_TEST

START_TEST(hash_for_the_file) {
	char hash[128], text[512];
	struct account_db *db;

	ck_assert_int_eq(account_hash("wonderland", hash, sizeof(hash)), 0);
	ck_assert_int_eq(strncmp(hash, "$argon2id$v=19$m=65536,t=2,p=1$", 31), 0);
	ck_assert_int_eq(account_hash("wonderland", hash, 127), -ENOMEM);
	snprintf(text, sizeof(text), "alice %s alice@x sip:alice@x", hash);
	db = load_text(text);
	ck_assert_ptr_nonnull(db);
	ck_assert_str_eq(check(db, RG_LIT("alice"), RG_LIT("wonderland")), "alice");
	account_free(db);
}
END_TEST

START_TEST(check_without_accounts) {
	struct account_db *db = load_text("");

	ck_assert_ptr_null(check(db, RG_LIT("alice"), RG_LIT("x"))); // burns its time all the same
	account_free(db);
}
END_TEST

int main(void) {
	Suite *s = suite_create("account");
	TCase *tc = tcase_create("account");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, good_file);
	tcase_add_loop_test(tc, bad_file, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_test(tc, no_file);
	tcase_add_test(tc, empty_file);
	tcase_add_test(tc, passwords);
	tcase_add_test(tc, long_password_is_not_cut);
	tcase_add_test(tc, too_many_checks);
	tcase_add_test(tc, freed_while_checking);
	tcase_add_test(tc, hash_for_the_file);
	tcase_add_test(tc, check_without_accounts);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
