// SPDX-License-Identifier: BSD-3-Clause
// sqlite3_backup_*() on the connection that the store writes by: no other one could read its file.
#include "store/sqlite_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regate/err.h"
#include "store/sqlite_file.h"
#include "store/sqlite_impl.h"

#define STEP_PAGES 64 // 256 KiB: what a grant may have to wait for
#define MAGIC "SQLite format 3"

struct sqlite_backup {
	char *file, *part; // file NULL: a check
	bool is_forced, has_part;
	sqlite3 *to;
	sqlite3_backup *copy;
	unsigned percent;
};

static char *join(const char *a, const char *b) {
	char *s = NULL;

	return asprintf(&s, "%s%s", a, b) < 0 ? NULL : s;
}

// --- files

// Only an older copy is replaced: neither the store nor somebody's other file.
static int check_target(const struct sqlite_backup *b, const char *place) {
	char magic[sizeof(MAGIC)] = "";
	struct stat file, store;
	int fd;

	if (b->file == NULL || lstat(b->file, &file) != 0)
		return b->file == NULL || errno == ENOENT ? 0 : -errno;
	if (!b->is_forced)
		return -EEXIST;
	if (!S_ISREG(file.st_mode) || (stat(place, &store) == 0 && store.st_ino == file.st_ino &&
				       store.st_dev == file.st_dev))
		return -ENOTSUP;
	fd = open(b->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	(void)!read(fd, magic, sizeof(magic)); // too short is not one
	close(fd);
	return memcmp(magic, MAGIC, sizeof(MAGIC)) == 0 ? 0 : -ENOTSUP;
}

static int create_part(struct sqlite_backup *b) {
	int fd;

	(void)unlink(b->part); // of one that was cut short
	fd = open(b->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	b->has_part = true;
	close(fd);
	return 0;
}

int sqlite_backup_new(const char *place, const char *file, bool is_forced,
		      struct sqlite_backup **out) {
	struct sqlite_backup *b = calloc(1, sizeof(*b));
	int rc = -ENOMEM;

	if (b == NULL)
		return rc;
	b->is_forced = is_forced;
	b->file = file == NULL ? NULL : strdup(file);
	b->part = file == NULL ? join(place, ".check") : join(file, ".part");
	if (b->part != NULL && (file == NULL || b->file != NULL))
		rc = check_target(b, place);
	if (rc == 0)
		rc = create_part(b);
	if (rc != 0) {
		sqlite_backup_free(b);
		return rc;
	}
	*out = b;
	return 0;
}

void sqlite_backup_leave(struct sqlite_backup *b) {
	if (b == NULL)
		return;
	sqlite3_backup_finish(b->copy);
	b->copy = NULL;
}

void sqlite_backup_free(struct sqlite_backup *b) {
	if (b == NULL)
		return;
	sqlite_backup_leave(b);
	sqlite3_close(b->to);
	if (b->has_part)
		(void)unlink(b->part);
	free(b->file);
	free(b->part);
	free(b);
}

// --- copying

// No journal: a copy that is cut short is thrown away.
static int begin(struct sqlite_backup *b, struct sqlite_db *db) {
	int rc = sqlite_error(sqlite3_open_v2(b->part, &b->to,
					      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));

	if (rc == 0)
		rc = sqlite_exec(b->to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
	if (rc != 0)
		return rc;
	b->copy = sqlite3_backup_init(b->to, "main", db->h, "main");
	return b->copy == NULL ? sqlite_error(sqlite3_extended_errcode(b->to)) : 0;
}

int sqlite_backup_step(struct sqlite_backup *b, struct sqlite_db *db) {
	int rc = b->copy != NULL ? 0 : b->to != NULL ? -EIO : begin(b, db), n;

	if (rc != 0)
		return rc;
	rc = sqlite3_backup_step(b->copy, STEP_PAGES);
	n = sqlite3_backup_pagecount(b->copy);
	if (n > 0)
		b->percent = (unsigned)(100 - INT64_C(100) * sqlite3_backup_remaining(b->copy) / n);
	if (rc == SQLITE_OK)
		return RG_MORE;
	if (rc == SQLITE_DONE)
		rc = SQLITE_OK;
	sqlite_backup_leave(b);
	return sqlite_error(rc);
}

unsigned sqlite_backup_percent(const struct sqlite_backup *b) {
	return b->percent;
}

// --- the whole copy

// Read anew from the file, which stands alone from here on, without a log.
static int look_through(struct sqlite_backup *b) {
	char mode[16] = "";
	int rc;

	sqlite3_close(b->to);
	b->to = NULL;
	rc = sqlite_error(sqlite3_open_v2(b->part, &b->to,
					  SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL));
	if (rc == 0)
		rc = sqlite_exec(b->to, "PRAGMA locking_mode=EXCLUSIVE");
	if (rc == 0)
		rc = sqlite_ask_text(b->to, "PRAGMA journal_mode=DELETE", mode, sizeof(mode));
	if (rc == 0)
		rc = sqlite_check(b->to);
	sqlite3_close(b->to);
	b->to = NULL;
	return rc == RG_E_UNSUPPORTED || rc == RG_E_STALE ? RG_E_PROTO : rc;
}

// Somebody may have made a file of that name meanwhile.
static int give_name(struct sqlite_backup *b) {
	unsigned flags = b->is_forced ? 0 : RENAME_NOREPLACE;

	if (renameat2(AT_FDCWD, b->part, AT_FDCWD, b->file, flags) != 0)
		return -errno;
	b->has_part = false;
	return sqlite_file_sync_dir_of(b->file);
}

int sqlite_backup_finish(struct sqlite_backup *b) {
	int rc = look_through(b);

	if (rc != 0 || b->file == NULL)
		return rc;
	rc = sqlite_file_sync_path(b->part);
	return rc == 0 ? give_name(b) : rc;
}
