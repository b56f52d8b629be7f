// SPDX-License-Identifier: BSD-3-Clause
// Another file in place of a store. It is made whole beside it, says STORE_LOST of itself, and only
// then gets the name: a crash on the way leaves the old store, or none, which regated refuses.
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

#define CHUNK 65536

struct replace {
	const char *path, *backup;
	char part[4096];
	int lock_fd;
	char *err;
	size_t err_len;
};

static int complain(const struct replace *r, const char *name, int rc, const char *cure) {
	snprintf(r->err, r->err_len, "%s: %s; %s", name, rg_strerror(rc), cure);
	return rc;
}

// --- the new file

static int copy_bytes(int from, int to) {
	uint8_t *buf = malloc(CHUNK);
	ssize_t n = 0;
	int rc = buf == NULL ? -ENOMEM : 0;

	while (rc == 0 && (n = read(from, buf, CHUNK)) > 0)
		for (ssize_t at = 0, done; rc == 0 && at < n; at += done)
			if ((done = write(to, buf + at, (size_t)(n - at))) < 0)
				rc = -errno;
	if (rc == 0 && n < 0)
		rc = -errno;
	free(buf);
	return rc;
}

// A log beside it: not what `store backup` wrote, but part of a store that was in use.
static int check_backup(const struct replace *r, int fd) {
	struct stat st, store;
	char log[4096];

	snprintf(log, sizeof(log), "%s-wal", r->backup);
	if (fd < 0)
		return complain(r, r->backup, -errno, "name a backup that can be read");
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return complain(r, r->backup, RG_E_PROTO, "name a file that `store backup` wrote");
	if (stat(r->path, &store) == 0 && store.st_ino == st.st_ino && store.st_dev == st.st_dev)
		return complain(r, r->backup, -EINVAL, "it is the store itself; name a backup");
	if (stat(log, &st) == 0 && st.st_size > 0)
		return complain(r, log, -EINVAL,
				"a store that was copied while in use; name a file that `store "
				"backup` wrote");
	return 0;
}

static int copy_backup(const struct replace *r, int to) {
	int from = open(r->backup, O_RDONLY | O_CLOEXEC), rc = check_backup(r, from);

	if (rc == 0) {
		rc = copy_bytes(from, to);
		if (rc != 0)
			rc = complain(r, r->part, rc, "its disk must have room for another copy");
	}
	if (from >= 0)
		close(from);
	return rc;
}

static void drop_part(const struct replace *r) {
	static const char *const ends[] = {"", "-wal", "-journal"};
	char name[4200];

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		snprintf(name, sizeof(name), "%s%s", r->part, ends[i]);
		(void)unlink(name);
	}
}

static int make_part(const struct replace *r) {
	int fd, rc = 0;

	drop_part(r);
	fd = open(r->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return complain(r, r->part, -errno, "the directory must exist and be writable");
	if (r->backup != NULL)
		rc = copy_backup(r, fd);
	close(fd);
	return rc;
}

static int write_lost(struct sqlite_db *db) {
	struct store_job *j = store_job_value(STORE_LOST, &(uint8_t){1}, 1);
	int rc = j == NULL ? -ENOMEM : sqlite_db_begin(db);

	if (rc == 0)
		rc = sqlite_db_run(db, j);
	if (rc == 0)
		rc = j->rc != 0 ? j->rc : sqlite_db_commit(db);
	free(j);
	return rc;
}

// Closing empties the log into the file.
static int mark_part(const struct replace *r) {
	struct sqlite_db *db = NULL;
	char log[4200];
	int rc = sqlite_db_open(r->part, &db, r->err, r->err_len);

	if (rc != 0)
		return rc;
	rc = sqlite_check(db->h);
	if (rc != 0) {
		sqlite_db_abandon(db);
		return complain(r, r->backup == NULL ? r->part : r->backup, rc,
				"it is not whole; name another backup");
	}
	rc = write_lost(db);
	sqlite_db_close(db);
	snprintf(log, sizeof(log), "%s-wal", r->part);
	if (rc == 0 && access(log, F_OK) == 0)
		rc = -EIO;
	if (rc == 0)
		rc = sqlite_file_sync_path(r->part);
	return rc == 0 ? 0 : complain(r, r->part, rc, "its disk must have room and be in order");
}

// --- its name

static int move(const struct replace *r, const char *from, const char *to) {
	if (rename(from, to) == 0 || errno == ENOENT)
		return 0;
	return complain(r, from, -errno, "its directory must be writable");
}

// First the file, then its log: a store without its log would look whole. Where a crash came between, the
// log follows.
static int put_aside(const struct replace *r, char *kept, size_t kept_len) {
	char log[4200], kept_log[4200];
	bool is_there = access(r->path, F_OK) == 0;
	unsigned n = 0;
	int rc = 0;

	do
		snprintf(kept, kept_len, "%s.old-%u", r->path, ++n);
	while (access(kept, F_OK) == 0);
	snprintf(log, sizeof(log), "%s-wal", r->path);
	if (is_there)
		rc = move(r, r->path, kept);
	else if (n > 1 && access(log, F_OK) == 0)
		snprintf(kept, kept_len, "%s.old-%u", r->path, n - 1);
	snprintf(kept_log, sizeof(kept_log), "%s-wal", kept);
	if (rc == 0)
		rc = move(r, log, kept_log);
	if (!is_there)
		kept[0] = '\0';
	if (rc != 0)
		return rc;
	rc = sqlite_file_sync_dir_of(r->path);
	return rc == 0 ? 0 : complain(r, r->path, rc, "its disk must be in order");
}

static int take_place(const struct replace *r, char *kept, size_t kept_len) {
	int rc = put_aside(r, kept, kept_len);
	size_t len;

	if (rc == 0)
		rc = move(r, r->part, r->path);
	if (rc != 0) {
		len = strlen(r->err);
		if (kept[0] != '\0')
			snprintf(r->err + len, r->err_len - len, "; the old store is %s", kept);
		return rc;
	}
	rc = sqlite_file_sync_dir_of(r->path);
	return rc == 0 ? sqlite_file_mark(r->path, r->lock_fd, r->err, r->err_len)
		       : complain(r, r->path, rc, "its disk must be in order");
}

static int replace(const struct replace *r, char *kept, size_t kept_len) {
	struct stat st;
	int rc;

	if (r->backup == NULL && stat(r->path, &st) == 0 && st.st_size > 0)
		return complain(r, r->path, -EEXIST,
				"a store that is there is not lost; if it is damaged, restore a "
				"backup or move it away");
	rc = make_part(r);
	if (rc == 0)
		rc = mark_part(r);
	return rc == 0 ? take_place(r, kept, kept_len) : rc;
}

int store_sqlite_replace(const char *path, const char *backup, char *kept, size_t kept_len,
			 char *err, size_t err_len) {
	struct replace r = {path, backup, "", -1, err, err_len};
	int rc = sqlite_file_lock(path, &r.lock_fd, err, err_len);

	kept[0] = '\0';
	if (rc == 0) {
		snprintf(r.part, sizeof(r.part), "%s.new", path);
		rc = replace(&r, kept, kept_len);
		if (rc != 0)
			drop_part(&r);
	}
	if (r.lock_fd >= 0)
		close(r.lock_fd);
	return rc;
}
