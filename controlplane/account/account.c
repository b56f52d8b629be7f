// SPDX-License-Identifier: BSD-3-Clause
// Account data base and password checks. The loop owns everything; the crypto pool sees a hash and
// a copy of the password, nothing else.
#include "account/account.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "account/parse.h"
#include "regate/err.h"

#define FILE_MAX_BYTES ((size_t)1 << 30)
#define PASSWORD_MAX 1024 // longer ones are wrong

struct account_db {
	struct env *env;
	struct account_list list;
	struct account **by_user; // sorted
	size_t n_checks;          // under way
	bool is_dead;             // account_free() was called; goes with the last check
};

struct check {
	struct account_db *db;
	const struct account *account; // NULL: unknown user
	const char *hash;
	bool is_good;
	void (*done)(void *arg, const struct account *a);
	void *arg;
	size_t len;
	char password[];
};

static int compare_users(const void *a, const void *b) {
	const struct account *const *x = a, *const *y = b;

	return strcmp((*x)->user, (*y)->user);
}

// By line, so that the later of two accounts with one name is the one reported.
static int compare_places(const void *a, const void *b) {
	const struct account *const *x = a, *const *y = b;
	int c = compare_users(a, b);

	return c != 0 ? c : (*x > *y) - (*x < *y);
}

static int index_users(struct account_db *db, const char *path, char *err, size_t err_len) {
	size_t n = db->list.n;

	db->by_user = calloc(n + 1, sizeof(struct account *));
	if (db->by_user == NULL) {
		snprintf(err, err_len, "%s: out of memory", path);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		db->by_user[i] = &db->list.v[i];
	qsort(db->by_user, n, sizeof(struct account *), compare_places);
	for (size_t i = 1; i < n; i++)
		if (compare_users(&db->by_user[i - 1], &db->by_user[i]) == 0) {
			snprintf(err, err_len, "%s:%u: the user is in line %u already; remove one",
				 path, db->list.lines[db->by_user[i] - db->list.v],
				 db->list.lines[db->by_user[i - 1] - db->list.v]);
			return RG_E_CONFLICT;
		}
	return 0;
}

static int load(struct account_db *db, const char *path, char *err, size_t err_len) {
	uint8_t *text;
	size_t len;
	int rc = env_read_file(db->env, path, FILE_MAX_BYTES, &text, &len);

	if (rc != 0) {
		snprintf(err, err_len, "%s: %s; check accounts.file", path, rg_strerror(rc));
		return rc;
	}
	rc = account_parse(path, rg_slice(text, len), &db->list, err, err_len);
	free(text);
	return rc != 0 ? rc : index_users(db, path, err, err_len);
}

struct account_db *account_load(struct env *e, const char *path, char *err, size_t err_len) {
	struct account_db *db = calloc(1, sizeof(*db));

	if (db == NULL || sodium_init() < 0) {
		snprintf(err, err_len, "%s: out of memory or randomness", path);
		free(db);
		return NULL;
	}
	db->env = e;
	if (load(db, path, err, err_len) != 0) {
		account_free(db);
		return NULL;
	}
	return db;
}

static void db_free(struct account_db *db) {
	account_list_fini(&db->list);
	free(db->by_user);
	free(db);
}

void account_free(struct account_db *db) {
	if (db == NULL)
		return;
	db->is_dead = true;
	if (db->n_checks == 0)
		db_free(db);
}

size_t account_count(const struct account_db *db) {
	return db->list.n;
}

const struct account *account_at(const struct account_db *db, size_t i) {
	return i < db->list.n ? &db->list.v[i] : NULL;
}

static const struct account *find(const struct account_db *db, struct rg_slice user) {
	size_t lo = 0, hi = db->list.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		struct rg_slice u = rg_str(db->by_user[mid]->user);
		size_t n = u.len < user.len ? u.len : user.len;
		int c = n == 0 ? 0 : memcmp(user.p, u.p, n);

		if (c == 0 && u.len == user.len)
			return db->by_user[mid];
		if (c < 0 || (c == 0 && user.len < u.len))
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

// A hash to burn the same time on for an unknown user: that of the first account, whose cost is
// that of its neighbours, whatever the operator chose.
static const char *dummy_hash(const struct account_db *db) {
	static const char fixed[] = "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
				    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

	return db->list.n > 0 ? db->list.v[0].hash : fixed;
}

// crypto pool
static void run(void *arg) {
	struct check *c = arg;
	int rc = crypto_pwhash_str_verify(c->hash, c->password, c->len);

	c->is_good = rc == 0;
	sodium_memzero(c->password, c->len);
}

static void done(void *arg) {
	struct check *c = arg;
	struct account_db *db = c->db;

	db->n_checks--;
	c->done(c->arg, c->is_good && !db->is_dead ? c->account : NULL);
	if (db->is_dead && db->n_checks == 0)
		db_free(db);
	sodium_memzero(c->password, c->len); // also when run() never came
	free(c);
}

int account_check(struct account_db *db, struct rg_slice user, struct rg_slice password,
		  void (*fn)(void *arg, const struct account *a), void *arg) {
	size_t len = password.len > PASSWORD_MAX ? PASSWORD_MAX : password.len;
	struct check *c = calloc(1, sizeof(*c) + len);
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->db = db;
	// Cut short it would be another password, and that one may be right.
	c->account = password.len > PASSWORD_MAX ? NULL : find(db, user);
	c->hash = c->account == NULL ? dummy_hash(db) : c->account->hash;
	c->done = fn;
	c->arg = arg;
	c->len = len;
	if (len > 0)
		memcpy(c->password, password.p, len);
	rc = env_work(db->env, run, done, c);
	if (rc != 0) {
		sodium_memzero(c->password, len);
		free(c);
		return rc;
	}
	db->n_checks++;
	return 0;
}

int account_hash(const char *password, char *out, size_t len) {
	char hash[crypto_pwhash_STRBYTES];

	if (sodium_init() < 0 || len < sizeof(hash) ||
	    crypto_pwhash_str_alg(hash, password, strlen(password),
				  crypto_pwhash_OPSLIMIT_INTERACTIVE,
				  crypto_pwhash_MEMLIMIT_INTERACTIVE,
				  crypto_pwhash_ALG_ARGON2ID13) != 0)
		return -ENOMEM;
	memcpy(out, hash, sizeof(hash));
	return 0;
}
