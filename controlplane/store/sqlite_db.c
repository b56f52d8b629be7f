// SPDX-License-Identifier: BSD-3-Clause
// SQLite side of the store. WAL with synchronous=FULL: a commit is one fsync of the log. Every row
// carries a checksum, because SQLite's pages do not: a flipped bit must not become a generation.
#include "store/sqlite_db.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regate/err.h"
#include "store/store_impl.h"

#define SCHEMA_VERSION 1

struct sqlite_db {
	sqlite3 *h;
	sqlite3_stmt *begin, *commit, *put_lease, *put_value;
};

static int map_error(int rc) {
	switch (rc & 0xff) {
	case SQLITE_OK:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return RG_E_PROTO;
	default:
		return -EIO;
	}
}

static int run(sqlite3 *h, const char *sql) {
	return map_error(sqlite3_exec(h, sql, NULL, NULL, NULL));
}

// Text of the first column of the first row; 0, RG_E_STALE without a row, or the error.
static int ask_text(sqlite3 *h, const char *sql, char *out, size_t len) {
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(h, sql, -1, &st, NULL);

	if (rc != SQLITE_OK)
		return map_error(rc);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		snprintf(out, len, "%s", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	if (rc == SQLITE_DONE)
		return RG_E_STALE;
	return rc == SQLITE_ROW ? 0 : map_error(rc);
}

static int create(sqlite3 *h) {
	return run(h,
		   "BEGIN IMMEDIATE;"
		   "CREATE TABLE schema_version (version INTEGER NOT NULL);"
		   "INSERT INTO schema_version VALUES (1);"
		   "CREATE TABLE value (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
		   "CREATE TABLE lease ("
		   " impi TEXT PRIMARY KEY, impu TEXT NOT NULL, pool TEXT NOT NULL,"
		   " sub TEXT NOT NULL, gen INTEGER NOT NULL, state INTEGER NOT NULL,"
		   " scenario INTEGER NOT NULL, granted_ms INTEGER NOT NULL,"
		   " reassign_ms INTEGER NOT NULL, digest_0 BLOB NOT NULL,"
		   " end_0_ms INTEGER NOT NULL, digest_1 BLOB NOT NULL,"
		   " end_1_ms INTEGER NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID;"
		   "COMMIT");
}

// One line with what to do; returns rc.
static int complain(const char *path, int rc, char *err, size_t err_len) {
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

static int check_schema(struct sqlite_db *db, const char *path, char *err, size_t err_len) {
	char text[64];
	int rc = ask_text(db->h, "SELECT name FROM sqlite_master", text, sizeof(text));

	if (rc == RG_E_STALE)
		rc = create(db->h);
	if (rc != 0)
		return complain(path, rc, err, err_len);
	rc = ask_text(db->h, "SELECT name FROM sqlite_master WHERE name = 'schema_version'", text,
		      sizeof(text));
	if (rc == 0)
		rc = ask_text(db->h, "SELECT version FROM schema_version", text, sizeof(text));
	if (rc != 0)
		return complain(path, rc == RG_E_STALE ? RG_E_PROTO : rc, err, err_len);
	if (atoi(text) != SCHEMA_VERSION) {
		snprintf(err, err_len,
			 "%s: schema version %s, this regated knows %d; run the version that "
			 "wrote it or set another store.path",
			 path, text, SCHEMA_VERSION);
		return RG_E_UNSUPPORTED;
	}
	rc = ask_text(db->h, "PRAGMA quick_check(1)", text, sizeof(text));
	if (rc == 0 && strcmp(text, "ok") != 0)
		rc = RG_E_PROTO;
	return rc == 0 ? 0 : complain(path, rc, err, err_len);
}

static int set_modes(sqlite3 *h) {
	char mode[16];
	int rc = ask_text(h, "PRAGMA journal_mode=WAL", mode, sizeof(mode));

	if (rc == 0 && strcmp(mode, "wal") != 0)
		rc = -EROFS;
	// A reader of somebody else's (a backup) may hold up a checkpoint, not a commit.
	return rc != 0 ? rc
		       : run(h, "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;"
				"PRAGMA cell_size_check=ON; PRAGMA busy_timeout=1000");
}

static int prepare(struct sqlite_db *db) {
	static const struct {
		size_t field;
		const char *sql;
	} all[] = {
		{offsetof(struct sqlite_db, begin), "BEGIN IMMEDIATE"},
		{offsetof(struct sqlite_db, commit), "COMMIT"},
		{offsetof(struct sqlite_db, put_lease),
		 "INSERT OR REPLACE INTO lease VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
		{offsetof(struct sqlite_db, put_value),
		 "INSERT OR REPLACE INTO value VALUES (?,?)"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		sqlite3_stmt **st = (sqlite3_stmt **)((uint8_t *)db + all[i].field);
		int rc = sqlite3_prepare_v3(db->h, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, st,
					    NULL);

		if (rc != SQLITE_OK)
			return map_error(rc);
	}
	return 0;
}

int sqlite_db_open(const char *path, struct sqlite_db **out, char *err, size_t err_len) {
	struct sqlite_db *db = calloc(1, sizeof(*db));
	int rc;

	if (db == NULL)
		return complain(path, -ENOMEM, err, err_len);
	rc = map_error(
		sqlite3_open_v2(path, &db->h,
				SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				NULL));
	if (rc == 0)
		rc = set_modes(db->h);
	if (rc != 0) {
		complain(path, rc, err, err_len);
		goto err;
	}
	rc = check_schema(db, path, err, err_len);
	if (rc != 0)
		goto err;
	rc = prepare(db);
	if (rc != 0) { // other tables or columns than ours
		rc = complain(path, rc == -EIO ? RG_E_PROTO : rc, err, err_len);
		goto err;
	}
	*out = db;
	return 0;
err:
	sqlite_db_close(db);
	return rc;
}

void sqlite_db_close(struct sqlite_db *db) {
	if (db == NULL)
		return;
	sqlite3_finalize(db->begin);
	sqlite3_finalize(db->commit);
	sqlite3_finalize(db->put_lease);
	sqlite3_finalize(db->put_value);
	sqlite3_close(db->h);
	free(db);
}

// Steps a statement that gives no rows and makes it ready for the next use.
static int finish(sqlite3_stmt *st) {
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : map_error(rc);
}

int sqlite_db_begin(struct sqlite_db *db) {
	return finish(db->begin);
}

int sqlite_db_commit(struct sqlite_db *db) {
	int rc = finish(db->commit);

	if (rc != 0)
		sqlite_db_rollback(db);
	return rc;
}

void sqlite_db_rollback(struct sqlite_db *db) {
	(void)run(db->h, "ROLLBACK"); // none may be open: SQLite may have rolled back itself
}

// FNV-1a over all columns: each step is a bijection, so any change within one byte shows.
static uint64_t mix(uint64_t h, const void *p, size_t len) {
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++)
		h = (h ^ b[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t mix_int(uint64_t h, uint64_t v) {
	uint8_t b[8];

	for (size_t i = 0; i < 8; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	return mix(h, b, sizeof(b));
}

static int64_t checksum(const struct store_lease *l) {
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	h = mix(h, l->impi, strlen(l->impi) + 1);
	h = mix(h, l->impu, strlen(l->impu) + 1);
	h = mix(h, l->pool, strlen(l->pool) + 1);
	h = mix(h, l->sub, strlen(l->sub) + 1);
	h = mix_int(h, l->gen);
	h = mix_int(h, l->state);
	h = mix_int(h, l->scenario);
	h = mix_int(h, (uint64_t)l->granted_ms);
	h = mix_int(h, (uint64_t)l->reassign_ms);
	for (size_t i = 0; i < STORE_TOKENS; i++) {
		h = mix(h, l->tokens[i].digest.b, RG_DIGEST_LEN);
		h = mix_int(h, (uint64_t)l->tokens[i].end_ms);
	}
	return (int64_t)h;
}

// l's strings must not be NULL and must live until the call returns.
int sqlite_db_put_lease(struct sqlite_db *db, const struct store_lease *l) {
	sqlite3_stmt *st = db->put_lease;

	sqlite3_bind_text(st, 1, l->impi, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, l->impu, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 3, l->pool, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 4, l->sub, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 5, (int64_t)l->gen);
	sqlite3_bind_int(st, 6, l->state);
	sqlite3_bind_int(st, 7, l->scenario);
	sqlite3_bind_int64(st, 8, l->granted_ms);
	sqlite3_bind_int64(st, 9, l->reassign_ms);
	for (int i = 0; i < STORE_TOKENS; i++) {
		sqlite3_bind_blob(st, 10 + 2 * i, l->tokens[i].digest.b, RG_DIGEST_LEN,
				  SQLITE_STATIC);
		sqlite3_bind_int64(st, 11 + 2 * i, l->tokens[i].end_ms);
	}
	sqlite3_bind_int64(st, 14, checksum(l));
	return finish(st);
}

int sqlite_db_put_value(struct sqlite_db *db, const char *name, const void *value, size_t len) {
	sqlite3_bind_text(db->put_value, 1, name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(db->put_value, 2, len == 0 ? "" : value, (int)len, SQLITE_STATIC);
	return finish(db->put_value);
}

int sqlite_db_load_values(struct sqlite_db *db,
			  int (*keep)(void *arg, const char *name, const void *value, size_t len),
			  void *arg) {
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(db->h, "SELECT name, value FROM value", -1, &st, NULL);

	if (rc != SQLITE_OK)
		return map_error(rc);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		int code = keep(arg, (const char *)sqlite3_column_text(st, 0),
				sqlite3_column_blob(st, 1), (size_t)sqlite3_column_bytes(st, 1));

		if (code != 0) {
			sqlite3_finalize(st);
			return code;
		}
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : map_error(rc);
}

static int read_row(sqlite3_stmt *st, struct store_lease *l) {
	const char **text[] = {&l->impi, &l->impu, &l->pool, &l->sub};

	for (int i = 0; i < 4; i++) {
		*text[i] = (const char *)sqlite3_column_text(st, i);
		if (*text[i] == NULL)
			return RG_E_PROTO;
	}
	l->gen = (uint64_t)sqlite3_column_int64(st, 4);
	l->state = (uint8_t)sqlite3_column_int(st, 5);
	l->scenario = (uint16_t)sqlite3_column_int(st, 6);
	l->granted_ms = sqlite3_column_int64(st, 7);
	l->reassign_ms = sqlite3_column_int64(st, 8);
	for (int i = 0; i < STORE_TOKENS; i++) {
		if (sqlite3_column_bytes(st, 9 + 2 * i) != RG_DIGEST_LEN)
			return RG_E_PROTO;
		memcpy(l->tokens[i].digest.b, sqlite3_column_blob(st, 9 + 2 * i), RG_DIGEST_LEN);
		l->tokens[i].end_ms = sqlite3_column_int64(st, 10 + 2 * i);
	}
	return sqlite3_column_int64(st, 13) == checksum(l) ? 0 : RG_E_PROTO;
}

int sqlite_db_load(struct sqlite_db *db, const struct store_load *cb) {
	sqlite3_stmt *st;
	int rc = sqlite3_prepare_v2(db->h, "SELECT * FROM lease", -1, &st, NULL);

	if (rc != SQLITE_OK)
		return map_error(rc);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		struct store_lease l = {0};
		int code = read_row(st, &l);

		if (code == 0)
			code = cb->lease(cb->arg, &l);
		if (code != 0) {
			sqlite3_finalize(st);
			return code;
		}
	}
	sqlite3_finalize(st);
	return rc == SQLITE_DONE ? 0 : map_error(rc);
}
