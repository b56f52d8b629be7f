// SPDX-License-Identifier: BSD-3-Clause
// The VFS. Locks are granted: there is one user. SQLite asks for no shared memory, since the store
// has the file to itself.
#include "disk.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct handle {
	sqlite3_file base;
	unsigned file;
	bool is_dir_due; // the first sync of a log or journal is one of its directory, as in os_unix.c
};

static struct {
	struct disk_image now; // as read back
	struct disk_op *log;
	size_t n, room;
	bool is_logging, is_failing, is_staying, has_failed;
	uint64_t n_calls, fail_at;
	enum disk_fault how;
	int n_pages;
} disk;

static void *need(void *p) {
	if (p == NULL)
		abort();
	return p;
}

void disk_bytes_resize(struct disk_bytes *b, size_t len) {
	if (len > b->room) {
		b->room = 2 * len;
		b->p = need(realloc(b->p, b->room));
	}
	if (len > b->len)
		memset(b->p + b->len, 0, len - b->len);
	b->len = len;
}

static void put(enum disk_what what, unsigned file, uint64_t at, const void *data, size_t len) {
	struct disk_op *op;

	if (!disk.is_logging)
		return;
	if (disk.n == disk.room) {
		disk.room = 2 * disk.room + 64;
		disk.log = need(realloc(disk.log, disk.room * sizeof(*disk.log)));
	}
	op = &disk.log[disk.n++];
	*op = (struct disk_op){what, file, at, len, NULL};
	if (len > 0)
		op->data = memcpy(need(malloc(len)), data, len);
}

// Whether this call fails.
static bool is_bad(void) {
	bool bad = disk.is_failing && (disk.n_calls == disk.fail_at ||
				       (disk.is_staying && disk.n_calls > disk.fail_at));

	disk.n_calls++;
	disk.has_failed |= bad;
	return bad;
}

// --- a file

static int f_close(sqlite3_file *f) {
	if (((struct handle *)f)->file == DISK_FILES - 1)
		disk.now.files[DISK_FILES - 1].len = 0;
	return SQLITE_OK;
}

static int f_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
	const struct disk_bytes *b = &disk.now.files[((struct handle *)f)->file];
	size_t len = (size_t)at >= b->len ? 0 : b->len - (size_t)at;

	if (is_bad())
		return SQLITE_IOERR_READ;
	if (len > (size_t)n)
		len = (size_t)n;
	if (len > 0)
		memcpy(p, b->p + at, len);
	memset((uint8_t *)p + len, 0, (size_t)n - len);
	return len == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int f_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
	unsigned file = ((struct handle *)f)->file;
	struct disk_bytes *b = &disk.now.files[file];
	bool bad = is_bad();
	size_t len = bad ? (size_t)n / 2 : (size_t)n; // half of it, and no more

	if ((size_t)at + len > b->len)
		disk_bytes_resize(b, (size_t)at + len);
	memcpy(b->p + at, p, len);
	put(DISK_WRITE, file, (uint64_t)at, p, len);
	if (!bad)
		return SQLITE_OK;
	return disk.how == DISK_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int f_truncate(sqlite3_file *f, sqlite3_int64 size) {
	unsigned file = ((struct handle *)f)->file;

	if (is_bad())
		return SQLITE_IOERR_TRUNCATE;
	disk_bytes_resize(&disk.now.files[file], (size_t)size);
	put(DISK_CUT, file, (uint64_t)size, NULL, 0);
	return SQLITE_OK;
}

static int f_sync(sqlite3_file *f, int) {
	struct handle *h = (struct handle *)f;
	bool bad = is_bad();

	put(bad ? DISK_SYNC_FAILED : DISK_SYNC, h->file, 0, NULL, 0);
	if (!bad && h->is_dir_due) {
		put(DISK_SYNC_DIR, 0, 0, NULL, 0);
		h->is_dir_due = false;
	}
	return bad ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int f_size(sqlite3_file *f, sqlite3_int64 *size) {
	if (is_bad())
		return SQLITE_IOERR_FSTAT;
	*size = (sqlite3_int64)disk.now.files[((struct handle *)f)->file].len;
	return SQLITE_OK;
}

static int f_lock(sqlite3_file *, int) {
	return SQLITE_OK;
}

static int f_is_reserved(sqlite3_file *, int *out) {
	*out = 0;
	return SQLITE_OK;
}

static int f_control(sqlite3_file *, int op, void *arg) {
	const char *const *pragma = arg;

	// the test's own, see on_open()
	if (op == SQLITE_FCNTL_PRAGMA && strcmp(pragma[1], "wal_autocheckpoint") == 0)
		return SQLITE_OK;
	return SQLITE_NOTFOUND;
}

static int f_sector(sqlite3_file *) {
	return DISK_SECTOR;
}

static int f_traits(sqlite3_file *) {
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE; // as SQLite takes every disk of Linux for
}

// --- the disk

static unsigned file_of(const char *name) {
	size_t n = name == NULL ? 0 : strlen(name);

	if (name == NULL)
		return DISK_FILES - 1;
	if (n > 4 && strcmp(name + n - 4, "-wal") == 0)
		return 1;
	return n > 8 && strcmp(name + n - 8, "-journal") == 0 ? 2 : 0;
}

static int v_open(sqlite3_vfs *, const char *name, sqlite3_file *f, int flags, int *out_flags) {
	static const sqlite3_io_methods io = {
		.iVersion = 1,
		.xClose = f_close,
		.xRead = f_read,
		.xWrite = f_write,
		.xTruncate = f_truncate,
		.xSync = f_sync,
		.xFileSize = f_size,
		.xLock = f_lock,
		.xUnlock = f_lock,
		.xCheckReservedLock = f_is_reserved,
		.xFileControl = f_control,
		.xSectorSize = f_sector,
		.xDeviceCharacteristics = f_traits,
	};
	struct handle *h = (struct handle *)f;

	f->pMethods = NULL;
	h->file = file_of(name);
	h->is_dir_due = h->file == 1 || h->file == 2;
	if (is_bad())
		return SQLITE_CANTOPEN;
	if (!disk.now.files[h->file].exists && (flags & SQLITE_OPEN_CREATE) == 0)
		return SQLITE_CANTOPEN;
	disk.now.files[h->file].exists = true;
	f->pMethods = &io;
	if (out_flags != NULL)
		*out_flags = flags;
	return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *, const char *name, int) {
	unsigned file = file_of(name);

	if (is_bad())
		return SQLITE_IOERR_DELETE;
	if (!disk.now.files[file].exists)
		return SQLITE_IOERR_DELETE_NOENT;
	disk.now.files[file].exists = false;
	disk.now.files[file].len = 0;
	put(DISK_DELETE, file, 0, NULL, 0);
	return SQLITE_OK;
}

static int v_access(sqlite3_vfs *, const char *name, int, int *out) {
	const struct disk_bytes *b = &disk.now.files[file_of(name)];

	if (is_bad())
		return SQLITE_IOERR_ACCESS;
	*out = b->exists && b->len > 0;
	return SQLITE_OK;
}

static int v_path(sqlite3_vfs *, const char *name, int n, char *out) {
	return sqlite3_snprintf(n, out, "%s", name) == NULL ? SQLITE_CANTOPEN : SQLITE_OK;
}

static int v_random(sqlite3_vfs *, int n, char *out) {
	memset(out, 7, (size_t)n); // the same run every time
	return n;
}

static int v_sleep(sqlite3_vfs *, int us) {
	return us;
}

static int v_time(sqlite3_vfs *, double *out) {
	*out = 2461000.0;
	return SQLITE_OK;
}

static int v_error(sqlite3_vfs *, int, char *) {
	return 0;
}

static int on_open(sqlite3 *h, char **, const struct sqlite3_api_routines *) {
	return sqlite3_wal_autocheckpoint(h, disk.n_pages);
}

void disk_use(int n_pages) {
	static sqlite3_vfs vfs = {
		.iVersion = 1,
		.szOsFile = sizeof(struct handle),
		.mxPathname = 512,
		.zName = "disk",
		.xOpen = v_open,
		.xDelete = v_delete,
		.xAccess = v_access,
		.xFullPathname = v_path,
		.xRandomness = v_random,
		.xSleep = v_sleep,
		.xCurrentTime = v_time,
		.xGetLastError = v_error,
	};

	disk.n_pages = n_pages;
	if (sqlite3_vfs_register(&vfs, 1) != SQLITE_OK ||
	    sqlite3_auto_extension((void (*)(void))on_open) != SQLITE_OK)
		abort();
	disk_reset();
}

static void forget_log(void) {
	for (size_t i = 0; i < disk.n; i++)
		free(disk.log[i].data);
	disk.n = 0;
}

void disk_reset(void) {
	forget_log();
	disk_image_free(&disk.now);
	disk.is_logging = true;
	disk.n_calls = 0;
	disk_repair();
}

void disk_load(const struct disk_image *im) {
	disk.is_logging = false;
	disk_repair();
	for (size_t i = 0; i < DISK_FILES; i++) {
		struct disk_bytes *to = &disk.now.files[i];
		const struct disk_bytes *from = &im->files[i];

		to->len = 0;
		disk_bytes_resize(to, from->len);
		if (from->len > 0)
			memcpy(to->p, from->p, from->len);
		to->exists = from->exists;
	}
}

void disk_mark(uint64_t number) {
	put(DISK_MARK, 0, number, NULL, 0);
}

const struct disk_op *disk_log(size_t *n) {
	*n = disk.n;
	return disk.log;
}

void disk_fail(uint64_t n, enum disk_fault how, bool is_staying) {
	disk.fail_at = disk.n_calls + n;
	disk.how = how;
	disk.is_staying = is_staying;
	disk.has_failed = false;
	disk.is_failing = true;
}

void disk_repair(void) {
	disk.is_failing = false;
}

uint64_t disk_n_calls(void) {
	return disk.n_calls;
}

bool disk_has_failed(void) {
	return disk.has_failed;
}
