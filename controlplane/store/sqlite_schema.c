// SPDX-License-Identifier: BSD-3-Clause
// Tables, their version, and the way from one version to the next. An older regated refuses a newer
// file; a newer one rewrites an older file in one transaction, or leaves it as it was.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regate/err.h"
#include "store/sqlite_impl.h"

// Rows by IMPI. UNIQUE: no IMPU has two owners, whatever writes here (ims.md INV-2).
#define TABLES                                                                              \
	"CREATE TABLE value (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL,"          \
	" checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;"                                \
	"CREATE TABLE lease ("                                                              \
	" impi TEXT NOT NULL PRIMARY KEY CHECK (impi <> ''),"                               \
	" impu TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (impu <> ''),"                     \
	" pool TEXT NOT NULL, sub TEXT NOT NULL, gateway TEXT NOT NULL,"                    \
	" gen INTEGER NOT NULL CHECK (gen >= 0), rev INTEGER NOT NULL CHECK (rev > 0),"     \
	" state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 6),"                            \
	" flags INTEGER NOT NULL CHECK (flags BETWEEN 0 AND 255),"                          \
	" scenario INTEGER NOT NULL CHECK (scenario BETWEEN 0 AND 3),"                      \
	" granted_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL,"                          \
	" reassign_ms INTEGER NOT NULL,"                                                    \
	" digest_0 BLOB NOT NULL CHECK (length(digest_0) = 16), end_0_ms INTEGER NOT NULL," \
	" digest_1 BLOB NOT NULL CHECK (length(digest_1) = 16), end_1_ms INTEGER NOT NULL," \
	" checksum INTEGER NOT NULL, past BLOB) STRICT, WITHOUT ROWID;"                     \
	"CREATE TABLE total (n INTEGER NOT NULL, sum INTEGER NOT NULL,"                     \
	" opened INTEGER NOT NULL) STRICT;"                                                 \
	"INSERT INTO total VALUES (0, 0, 0);"

int sqlite_complain(const char *path, int rc, char *err, size_t err_len) {
	if (rc == RG_E_UNSUPPORTED) // tables or columns that are not ours
		rc = RG_E_PROTO;
	if (rc == RG_E_PROTO)
		snprintf(err, err_len,
			 "%s: damaged, or not a store of regate; restore a backup or set another "
			 "store.path",
			 path);
	else if (rc == -EBUSY)
		snprintf(err, err_len, "%s: held by another program; end it", path);
	else
		snprintf(err, err_len,
			 "%s: %s; its directory must exist, be writable and have room", path,
			 rg_strerror(rc));
	return rc;
}

// --- version 1: no revision, gateway, flags; FNV-1a over the columns

static uint64_t fnv(uint64_t h, const void *p, size_t len) {
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t fnv_int(uint64_t h, int64_t v) {
	uint64_t le = htole64((uint64_t)v);

	return fnv(h, &le, sizeof(le));
}

static int read_lease_1(sqlite3_stmt *st, struct store_lease *l) {
	const char **const texts[] = {&l->impi, &l->impu, &l->pool, &l->sub};
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (int i = 0; i < 4; i++) {
		*texts[i] = (const char *)sqlite3_column_text(st, i);
		if (*texts[i] == NULL)
			return RG_E_PROTO;
		h = fnv(h, *texts[i], strlen(*texts[i]) + 1);
	}
	for (int i = 4; i < 9; i++)
		h = fnv_int(h, sqlite3_column_int64(st, i));
	*l = (struct store_lease){
		.impi = l->impi,
		.impu = l->impu,
		.pool = l->pool,
		.sub = l->sub,
		.gateway = "",
		.gen = (uint64_t)sqlite3_column_int64(st, 4),
		.state = (uint8_t)sqlite3_column_int(st, 5),
		.scenario = (uint16_t)sqlite3_column_int(st, 6),
		.granted_ms = sqlite3_column_int64(st, 7),
		.reassign_ms = sqlite3_column_int64(st, 8),
	};
	for (int i = 0; i < STORE_TOKENS; i++) {
		if (sqlite3_column_bytes(st, 9 + 2 * i) != RG_DIGEST_LEN)
			return RG_E_PROTO;
		memcpy(l->tokens[i].digest.b, sqlite3_column_blob(st, 9 + 2 * i), RG_DIGEST_LEN);
		l->tokens[i].end_ms = sqlite3_column_int64(st, 10 + 2 * i);
		h = fnv(h, l->tokens[i].digest.b, RG_DIGEST_LEN);
		h = fnv_int(h, l->tokens[i].end_ms);
	}
	return sqlite3_column_int64(st, 13) == (int64_t)h ? 0 : RG_E_PROTO;
}

static int add_lease(sqlite3_stmt *from, sqlite3_stmt *to, struct sqlite_total *t) {
	struct store_lease l = {0};
	int rc = read_lease_1(from, &l);

	if (rc != 0)
		return rc;
	sqlite_bind_lease(to, &l);
	l.rev = 1;
	t->n++;
	t->sum += (uint64_t)sqlite_lease_sum(&l);
	return sqlite_finish(to);
}

static int add_value(sqlite3_stmt *from, sqlite3_stmt *to, struct sqlite_total *t) {
	const char *name = (const char *)sqlite3_column_text(from, 0);
	const void *value = sqlite3_column_blob(from, 1);
	int len = sqlite3_column_bytes(from, 1);

	if (name == NULL)
		return RG_E_PROTO;
	sqlite3_bind_text(to, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(to, 2, len == 0 ? "" : value, len, SQLITE_STATIC);
	sqlite3_bind_int64(to, 3, sqlite_value_sum(name, value, (size_t)len));
	t->n++;
	t->sum += (uint64_t)sqlite_value_sum(name, value, (size_t)len);
	return sqlite_finish(to);
}

static int copy_rows(sqlite3 *h, const char *select, const char *insert, struct sqlite_total *t,
		     int (*add)(sqlite3_stmt *, sqlite3_stmt *, struct sqlite_total *)) {
	sqlite3_stmt *from = NULL, *to = NULL;
	int rc = sqlite3_prepare_v2(h, select, -1, &from, NULL), code = 0;

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(h, insert, -1, &to, NULL);
	while (rc == SQLITE_OK && code == 0 && (rc = sqlite3_step(from)) == SQLITE_ROW) {
		code = add(from, to, t);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(from);
	sqlite3_finalize(to);
	if (code != 0)
		return code;
	return rc == SQLITE_DONE ? 0 : sqlite_error(rc);
}

// Version 1 has no total: what SQLite sees of a damage has to do.
static int migrate_1(sqlite3 *h) {
	struct sqlite_total t = {0};
	char text[128];
	int rc = sqlite_ask_text(h, "PRAGMA quick_check(1)", text, sizeof(text));

	if (rc == 0 && strcmp(text, "ok") != 0)
		rc = RG_E_PROTO;
	if (rc == 0)
		rc = sqlite_exec(h, "ALTER TABLE lease RENAME TO lease_1;"
				    "ALTER TABLE value RENAME TO value_1;" TABLES);
	if (rc == 0)
		rc = copy_rows(h, "SELECT name, value FROM value_1",
			       "INSERT INTO value VALUES (?,?,?)", &t, add_value);
	if (rc == 0)
		rc = copy_rows(
			h, "SELECT * FROM lease_1",
			"INSERT INTO lease VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,NULL)", &t,
			add_lease);
	snprintf(text, sizeof(text),
		 "DROP TABLE lease_1; DROP TABLE value_1; UPDATE total SET n = %lld, sum = %lld",
		 (long long)t.n, (long long)t.sum);
	return rc == 0 ? sqlite_exec(h, text) : rc;
}

// --- any version

static int bring_up(sqlite3 *h, int64_t version) {
	int rc = 0;

	if (version == 0)
		rc = sqlite_exec(h, "CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT;"
				    "INSERT INTO schema_version VALUES (0);" TABLES);
	if (version == 1)
		rc = migrate_1(h);
	return rc != 0 ? rc : sqlite_exec(h, "UPDATE schema_version SET version = 2");
}

static int find_version(sqlite3 *h, int64_t *version) {
	int64_t n;
	int rc = sqlite_ask_int(h, "SELECT count(*) FROM sqlite_master", &n);

	*version = 0;
	if (rc != 0 || n == 0)
		return rc;
	rc = sqlite_ask_int(h, "SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'",
			    &n);
	if (rc == 0 && n == 0)
		return RG_E_PROTO;
	if (rc == 0)
		rc = sqlite_ask_int(h, "SELECT version FROM schema_version", version);
	return rc == RG_E_STALE || (rc == 0 && *version < 1) ? RG_E_PROTO : rc;
}

// Version 1 did not forbid it.
static int complain_twice(sqlite3 *h, const char *path, char *err, size_t err_len) {
	char text[256] = "";

	(void)!sqlite_ask_text(h,
			       "SELECT impu || ' of ' || group_concat(impi, ' and ') FROM lease "
			       "GROUP BY impu COLLATE NOCASE HAVING count(*) > 1",
			       text, sizeof(text));
	snprintf(err, err_len,
		 "%s: two records have one IMPU: %s; delete the one that is over: sqlite3 %s "
		 "\"DELETE FROM lease WHERE impi = '...'\"",
		 path, text, path);
	return RG_E_CONFLICT;
}

int sqlite_schema(sqlite3 *h, const char *path, char *err, size_t err_len) {
	int64_t version;
	int rc = find_version(h, &version);

	if (rc != 0)
		return sqlite_complain(path, rc, err, err_len);
	if (version == SQLITE_SCHEMA_VERSION)
		return 0;
	if (version > SQLITE_SCHEMA_VERSION) {
		snprintf(err, err_len,
			 "%s: schema version %lld, this regated knows %d; run the version that "
			 "wrote it or set another store.path",
			 path, (long long)version, SQLITE_SCHEMA_VERSION);
		return RG_E_UNSUPPORTED;
	}
	rc = sqlite_exec(h, "BEGIN IMMEDIATE");
	if (rc == 0)
		rc = bring_up(h, version);
	if (rc == 0)
		rc = sqlite_exec(h, "COMMIT");
	if (rc == 0)
		return 0;
	(void)sqlite_exec(h, "ROLLBACK");
	if (rc == -EEXIST)
		return complain_twice(h, path, err, err_len);
	return sqlite_complain(path, rc == -EINVAL ? RG_E_PROTO : rc, err, err_len);
}
