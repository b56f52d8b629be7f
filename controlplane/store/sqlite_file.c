// SPDX-License-Identifier: BSD-3-Clause
// PATH.lock: a flock() against a second regated, and one byte since there was a store.
#include "store/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "regate/err.h"

int sqlite_file_lock(const char *path, int *fd, char *err, size_t err_len) {
	char name[4096];
	int rc;

	if ((size_t)snprintf(name, sizeof(name), "%s.lock", path) >= sizeof(name)) {
		snprintf(err, err_len, "store.path is too long");
		return -ENAMETOOLONG;
	}
	*fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0) {
		rc = -errno;
		snprintf(err, err_len, "%s: %s; the directory must exist and be writable", name,
			 rg_strerror(rc));
		return rc;
	}
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	rc = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (rc == -EBUSY)
		snprintf(err, err_len, "%s: in use by another regated; stop it first", path);
	else
		snprintf(err, err_len, "%s: %s; the file system must support locks", name,
			 rg_strerror(rc));
	return rc;
}

static bool is_marked(int lock_fd) {
	struct stat st;

	return fstat(lock_fd, &st) == 0 && st.st_size > 0;
}

int sqlite_file_mark(const char *path, int lock_fd, char *err, size_t err_len) {
	int rc = 0;

	if (is_marked(lock_fd))
		return 0;
	if (write(lock_fd, "1", 1) != 1 || fsync(lock_fd) != 0)
		rc = -errno;
	if (rc == 0)
		rc = sqlite_file_sync_dir_of(path);
	if (rc != 0)
		snprintf(err, err_len, "%s.lock: %s; it must be writable and its disk have room",
			 path, rg_strerror(rc));
	return rc;
}

int sqlite_file_lost(const char *path, int lock_fd, char *err, size_t err_len) {
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	int is_there = 0; // with something in it

	if (!is_marked(lock_fd) ||
	    (vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &is_there) == SQLITE_OK && is_there))
		return 0;
	snprintf(err, err_len,
		 "%s: is gone, though there was one, and with it who has which pair: put it back, "
		 "or "
		 "run regated --restore BACKUP, or, without any, regated --store-lost",
		 path);
	return RG_E_STALE;
}

int sqlite_file_sync_path(const char *path) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) != 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

int sqlite_file_sync_dir_of(const char *path) {
	const char *end = strrchr(path, '/');
	char *dir = end == NULL ? strdup(".") : strndup(path, (size_t)(end - path) + 1);
	int rc = dir == NULL ? -ENOMEM : sqlite_file_sync_path(dir);

	free(dir);
	return rc;
}
