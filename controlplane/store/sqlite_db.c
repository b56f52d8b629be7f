// SPDX-License-Identifier: BSD-3-Clause
// SQLite side of the store. WAL with synchronous=FULL: a commit is one fsync of the log. A transaction
// also writes the total of all rows' checksums, so that none can be lost or of yesterday unnoticed.
#include "store/sqlite_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regate/err.h"
#include "store/sqlite_impl.h"

int sqlite_error(int rc) {
	if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
		return -EEXIST;
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
	case SQLITE_CONSTRAINT:
		return -EINVAL;
	case SQLITE_ERROR: // other tables or columns than ours
		return RG_E_UNSUPPORTED;
	default:
		return -EIO;
	}
}

int sqlite_exec(sqlite3 *h, const char *sql) {
	return sqlite_error(sqlite3_exec(h, sql, NULL, NULL, NULL));
}

static int ask(sqlite3 *h, const char *sql, sqlite3_stmt **st) {
	int rc = sqlite3_prepare_v2(h, sql, -1, st, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(*st);
	if (rc == SQLITE_ROW)
		return 0;
	sqlite3_finalize(*st);
	return rc == SQLITE_DONE ? RG_E_STALE : sqlite_error(rc);
}

// A statement that writes, such as a change of mode, does so behind its row.
static int ask_end(sqlite3_stmt *st) {
	int rc = sqlite3_step(st);

	sqlite3_finalize(st);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : sqlite_error(rc);
}

int sqlite_ask_text(sqlite3 *h, const char *sql, char *out, size_t len) {
	sqlite3_stmt *st = NULL;
	int rc = ask(h, sql, &st);

	if (rc != 0)
		return rc;
	snprintf(out, len, "%s", (const char *)sqlite3_column_text(st, 0));
	return ask_end(st);
}

int sqlite_ask_int(sqlite3 *h, const char *sql, int64_t *out) {
	sqlite3_stmt *st = NULL;
	int rc = ask(h, sql, &st);

	if (rc != 0)
		return rc;
	*out = sqlite3_column_int64(st, 0);
	return ask_end(st);
}

int sqlite_finish(sqlite3_stmt *st) {
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return rc == SQLITE_DONE ? 0 : sqlite_error(rc);
}

// --- open, close

// Exclusive: nobody else reads or writes while we are open, so that no reader keeps the log from being
// emptied, and memory knows what the file holds.
static int set_modes(sqlite3 *h) {
	char mode[16] = "";
	int rc = sqlite_exec(h, "PRAGMA busy_timeout=1000; PRAGMA locking_mode=EXCLUSIVE");

	if (rc == 0)
		rc = sqlite_ask_text(h, "PRAGMA journal_mode=WAL", mode, sizeof(mode));
	if (rc == 0 && strcmp(mode, "wal") != 0)
		rc = -EROFS;
	return rc != 0 ? rc
		       : sqlite_exec(h, "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;"
					"PRAGMA cell_size_check=ON; PRAGMA cache_size=-32768;"
					"PRAGMA wal_autocheckpoint=4000");
}

static int prepare(struct sqlite_db *db) {
	static const struct {
		size_t field;
		const char *sql;
	} all[] = {
		{offsetof(struct sqlite_db, begin), "BEGIN IMMEDIATE"},
		{offsetof(struct sqlite_db, commit), "COMMIT"},
		{offsetof(struct sqlite_db, get_lease),
		 "SELECT " SQLITE_LEASE_COLUMNS " FROM lease WHERE impi = ?"},
		{offsetof(struct sqlite_db, add_lease),
		 "INSERT INTO lease (" SQLITE_LEASE_COLUMNS
		 ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
		{offsetof(struct sqlite_db, set_lease),
		 "UPDATE lease SET sub = ?4, gateway = ?5, gen = ?6, rev = ?7, state = ?8,"
		 " flags = ?9, scenario = ?10, granted_ms = ?11, ended_ms = ?12,"
		 " reassign_ms = ?13, digest_0 = ?14, end_0_ms = ?15, digest_1 = ?16,"
		 " end_1_ms = ?17, checksum = ?18, past = coalesce(?19, past) WHERE impi = ?1"},
		{offsetof(struct sqlite_db, drop_lease), "DELETE FROM lease WHERE impi = ?"},
		{offsetof(struct sqlite_db, get_value),
		 "SELECT value, checksum FROM value WHERE name = ?"},
		{offsetof(struct sqlite_db, set_value),
		 "INSERT OR REPLACE INTO value (name, value, checksum) VALUES (?,?,?)"},
		{offsetof(struct sqlite_db, set_total), "UPDATE total SET n = ?, sum = ?"},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		sqlite3_stmt **st = (sqlite3_stmt **)((uint8_t *)db + all[i].field);
		int rc = sqlite3_prepare_v3(db->h, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, st,
					    NULL);

		if (rc != SQLITE_OK)
			return sqlite_error(rc);
	}
	return 0;
}

static int load_total(struct sqlite_db *db) {
	int64_t n, sum;
	int rc = sqlite_ask_int(db->h, "SELECT n FROM total", &n);

	if (rc == 0)
		rc = sqlite_ask_int(db->h, "SELECT sum FROM total", &sum);
	if (rc == 0)
		db->total = db->next = (struct sqlite_total){(uint64_t)n, (uint64_t)sum};
	return rc == RG_E_STALE ? RG_E_PROTO : rc;
}

static int write_total(struct sqlite_db *db) {
	sqlite3_bind_int64(db->set_total, 1, (int64_t)db->next.n);
	sqlite3_bind_int64(db->set_total, 2, (int64_t)db->next.sum);
	return sqlite_finish(db->set_total);
}

// A commit that counts: whether one succeeds. What changes no byte would not be written.
static int probe(struct sqlite_db *db) {
	return sqlite_exec(db->h, "UPDATE total SET opened = opened + 1");
}

int sqlite_db_open(const char *path, struct sqlite_db **out, char *err, size_t err_len) {
	struct sqlite_db *db = calloc(1, sizeof(*db));
	int rc;

	if (db == NULL)
		return sqlite_complain(path, -ENOMEM, err, err_len);
	rc = sqlite_error(
		sqlite3_open_v2(path, &db->h,
				SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				NULL));
	if (rc == 0)
		rc = sqlite_error(sqlite3_extended_result_codes(db->h, 1));
	if (rc == 0)
		rc = set_modes(db->h);
	if (rc == 0)
		rc = sqlite_wal_settle(db->h);
	if (rc != 0) {
		rc = sqlite_complain(path, rc, err, err_len);
		goto err;
	}
	rc = sqlite_schema(db->h, path, err, err_len);
	if (rc != 0)
		goto err;
	rc = prepare(db);
	if (rc == 0)
		rc = load_total(db);
	if (rc == 0)
		rc = probe(db);
	if (rc != 0) {
		rc = sqlite_complain(path, rc, err, err_len);
		goto err;
	}
	*out = db;
	return 0;
err:
	sqlite_db_abandon(db);
	return rc;
}

void sqlite_db_close(struct sqlite_db *db) {
	if (db == NULL)
		return;
	sqlite3_finalize(db->begin);
	sqlite3_finalize(db->commit);
	sqlite3_finalize(db->get_lease);
	sqlite3_finalize(db->add_lease);
	sqlite3_finalize(db->set_lease);
	sqlite3_finalize(db->drop_lease);
	sqlite3_finalize(db->get_value);
	sqlite3_finalize(db->set_value);
	sqlite3_finalize(db->set_total);
	sqlite3_close(db->h);
	free(db->past);
	free(db);
}

void sqlite_db_abandon(struct sqlite_db *db) {
	if (db != NULL && db->h != NULL)
		sqlite3_db_config(db->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite_db_close(db);
}

struct sqlite_total sqlite_db_total(const struct sqlite_db *db) {
	return db->total;
}

struct sqlite_total sqlite_db_in_flight(const struct sqlite_db *db) {
	return db->next;
}

// --- transactions

int sqlite_db_begin(struct sqlite_db *db) {
	db->next = db->total;
	return sqlite_finish(db->begin);
}

int sqlite_db_commit(struct sqlite_db *db) {
	bool is_same = memcmp(&db->next, &db->total, sizeof(db->total)) == 0;
	int rc = is_same ? 0 : write_total(db);

	if (rc == 0)
		rc = sqlite_finish(db->commit);
	if (rc == 0)
		db->total = db->next;
	else
		sqlite_db_rollback(db);
	return rc;
}

void sqlite_db_rollback(struct sqlite_db *db) {
	(void)sqlite_exec(db->h,
			  "ROLLBACK"); // none may be open: SQLite may have rolled back itself
}

// The record of impi, its SELECT left open. 0, RG_E_STALE (none), RG_E_PROTO in *damage, or negative.
static int find(struct sqlite_db *db, const char *impi, struct store_lease *l, int *damage) {
	int rc;

	sqlite3_bind_text(db->get_lease, 1, impi, -1, SQLITE_STATIC);
	rc = sqlite3_step(db->get_lease);
	*l = (struct store_lease){0};
	*damage = 0;
	if (rc == SQLITE_ROW) {
		*damage = sqlite_read_lease(db->get_lease, l);
		return 0;
	}
	return rc == SQLITE_DONE ? RG_E_STALE : sqlite_error(rc);
}

// What a statement says of one row is that row's answer; all else ends the transaction.
static int of_row(int rc, struct store_job *j) {
	if (rc != -EEXIST && rc != -EINVAL)
		return rc;
	j->rc = rc;
	return 0;
}

static int add(struct sqlite_db *db, struct store_job *j) {
	sqlite_bind_lease(db->add_lease, &j->lease);
	return sqlite_finish(db->add_lease);
}

// A pair that was put together anew: the same row cannot keep its place in the index.
static int replace(struct sqlite_db *db, struct store_job *j) {
	int rc = sqlite_exec(db->h, "SAVEPOINT one");

	sqlite3_bind_text(db->drop_lease, 1, j->lease.impi, -1, SQLITE_STATIC);
	if (rc == 0)
		rc = sqlite_finish(db->drop_lease);
	if (rc == 0)
		rc = add(db, j);
	if (rc == -EEXIST || rc == -EINVAL)
		(void)sqlite_exec(db->h, "ROLLBACK TO one");
	if (rc == 0 || rc == -EEXIST || rc == -EINVAL)
		(void)sqlite_exec(db->h, "RELEASE one");
	return rc;
}

static int write_lease(struct sqlite_db *db, struct store_job *j, const struct store_lease *old) {
	bool is_new = old->impi == NULL, is_renewal = old->gen == j->lease.gen || old->gen == 0;
	bool is_moved = !is_new && (strcmp(old->impu, j->lease.impu) != 0 ||
				    strcmp(old->pool, j->lease.pool) != 0);
	sqlite3_stmt *st = is_new || is_moved ? db->add_lease : db->set_lease;
	uint64_t old_sum = is_new ? 0 : (uint64_t)sqlite_lease_sum(old);
	int rc = 0;

	sqlite3_bind_null(st, sqlite3_bind_parameter_count(st));
	if (is_moved || !is_renewal)
		rc = sqlite_bind_past(db, st, db->get_lease, is_renewal ? NULL : old);
	if (rc == RG_E_PROTO) { // a history that is damaged is over
		sqlite3_bind_zeroblob(st, sqlite3_bind_parameter_count(st), 0);
		rc = 0;
	}
	if (rc != 0)
		return rc;
	if (is_new) {
		rc = add(db, j);
	} else if (is_moved) {
		sqlite3_reset(db->get_lease); // it reads the row that goes
		rc = replace(db, j);
	} else {
		sqlite_bind_lease(st, &j->lease);
		rc = sqlite_finish(st);
	}
	if (rc != 0)
		return of_row(rc, j);
	j->rev = ++j->lease.rev;
	db->next.n += is_new;
	db->next.sum += (uint64_t)sqlite_lease_sum(&j->lease) - old_sum;
	return 0;
}

static int run_lease(struct sqlite_db *db, struct store_job *j) {
	struct store_lease old;
	int rc = find(db, j->lease.impi, &old, &j->rc);

	if (rc == RG_E_STALE) {
		rc = 0;
		if (j->lease.rev != 0)
			j->rc = RG_E_CONFLICT;
	} else if (rc == 0 && j->rc == 0 && old.rev != j->lease.rev) {
		j->rc = RG_E_CONFLICT;
		j->found = store_job_new(&old, NULL, NULL);
		rc = j->found == NULL ? -ENOMEM : 0;
	}
	if (rc == 0 && j->rc == 0)
		rc = write_lease(db, j, &old);
	sqlite3_reset(db->get_lease);
	return rc;
}

static int run_history(struct sqlite_db *db, struct store_job *j) {
	struct store_lease now;
	int rc = find(db, j->lease.impi, &now, &j->rc);

	if (rc == RG_E_STALE) {
		j->rc = RG_E_STALE;
		rc = 0;
	} else if (rc == 0 && j->rc == 0) {
		struct store_past newest = store_past_of(&now);

		j->rc = store_history_add(j->history, &newest);
		if (j->rc == 0)
			j->rc = sqlite_read_past(db->get_lease, j->history);
	}
	sqlite3_reset(db->get_lease);
	return rc;
}

static int write_value(struct sqlite_db *db, struct store_job *j, bool is_new, uint64_t old_sum) {
	int64_t sum = sqlite_value_sum(j->name, j->bytes, j->len);
	int rc;

	sqlite3_bind_text(db->set_value, 1, j->name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(db->set_value, 2, j->bytes, (int)j->len, SQLITE_STATIC);
	sqlite3_bind_int64(db->set_value, 3, sum);
	rc = sqlite_finish(db->set_value);
	if (rc != 0)
		return of_row(rc, j);
	db->next.n += is_new;
	db->next.sum += (uint64_t)sum - old_sum;
	return 0;
}

static int run_value(struct sqlite_db *db, struct store_job *j) {
	sqlite3_stmt *st = db->get_value;
	uint64_t old_sum = 0;
	int rc;

	sqlite3_bind_text(st, 1, j->name, -1, SQLITE_STATIC);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW && j->is_new) {
		j->rc = RG_E_CONFLICT;
		j->found = store_job_value(j->name, sqlite3_column_blob(st, 0),
					   (size_t)sqlite3_column_bytes(st, 0));
		sqlite3_reset(st);
		return j->found == NULL ? -ENOMEM : 0;
	}
	if (rc == SQLITE_ROW)
		old_sum = (uint64_t)sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sqlite_error(rc);
	return write_value(db, j, rc == SQLITE_DONE, old_sum);
}

int sqlite_db_run(struct sqlite_db *db, struct store_job *j) {
	if (j->history != NULL)
		return run_history(db, j);
	return j->name != NULL ? run_value(db, j) : run_lease(db, j);
}

// --- loading

struct values {
	sqlite_keep_fn *keep;
	void *arg;
	struct sqlite_total *total;
};

static int on_value(sqlite3_stmt *st, void *arg) {
	const struct values *v = arg;
	const char *name = (const char *)sqlite3_column_text(st, 0);
	const void *value = sqlite3_column_blob(st, 1);
	size_t len = (size_t)sqlite3_column_bytes(st, 1);
	int64_t sum = sqlite3_column_int64(st, 2);

	if (name == NULL || sum != sqlite_value_sum(name, value, len))
		return RG_E_PROTO;
	v->total->n++;
	v->total->sum += (uint64_t)sum;
	return v->keep == NULL ? 0 : v->keep(v->arg, name, value, len);
}

struct leases {
	const struct store_load *cb;
	struct sqlite_total *total;
};

static int on_lease(sqlite3_stmt *st, void *arg) {
	const struct leases *all = arg;
	struct store_lease l = {0};
	int rc = sqlite_read_lease(st, &l);

	if (rc != 0)
		return rc;
	all->total->n++;
	all->total->sum += (uint64_t)sqlite3_column_int64(st, 17);
	return all->cb->lease(all->cb->arg, &l);
}

static int for_all(struct sqlite_db *db, const char *sql, int (*fn)(sqlite3_stmt *st, void *arg),
		   void *arg) {
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db->h, sql, -1, &st, NULL), code = 0;

	while (rc == SQLITE_OK && code == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		code = fn(st, arg);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	if (code != 0)
		return code;
	return rc == SQLITE_DONE ? 0 : sqlite_error(rc);
}

int sqlite_db_load_values(struct sqlite_db *db, sqlite_keep_fn *keep, void *arg) {
	struct sqlite_total total = {0};
	struct values v = {keep, arg, &total};

	return for_all(db, "SELECT name, value, checksum FROM value", on_value, &v);
}

int sqlite_db_load(struct sqlite_db *db, const struct store_load *cb) {
	struct sqlite_total total = {0};
	struct values values = {NULL, NULL, &total};
	struct leases leases = {cb, &total};
	int rc = for_all(db, "SELECT name, value, checksum FROM value", on_value, &values);

	if (rc == 0)
		rc = for_all(db, "SELECT " SQLITE_LEASE_COLUMNS " FROM lease", on_lease, &leases);
	if (rc == 0 && memcmp(&total, &db->total, sizeof(total)) != 0)
		rc = RG_E_PROTO;
	return rc;
}

static int pass_over(void *, const struct store_lease *) {
	return 0;
}

int sqlite_check(sqlite3 *h) {
	const struct store_load cb = {pass_over, NULL};
	struct sqlite_db db = {.h = h};
	char text[128] = "";
	int rc = sqlite_ask_text(h, "PRAGMA integrity_check(1)", text, sizeof(text));

	if (rc == 0 && strcmp(text, "ok") != 0)
		rc = RG_E_PROTO;
	if (rc == 0)
		rc = load_total(&db);
	return rc == 0 ? sqlite_db_load(&db, &cb) : rc;
}
