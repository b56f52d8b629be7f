// SPDX-License-Identifier: BSD-3-Clause
// The log that a crash or a failed fsync left. What is read from it may be in the page cache only:
// after a failed fsync the kernel holds pages for clean that never reached the disk, and commits that
// were appended behind them would be lost with them. So all of it is written and synced once more
// before anything follows.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "regate/err.h"
#include "store/sqlite_impl.h"

// The format: sqlite.org/fileformat2.html, section 4.1. Integers are big-endian.
#define HEADER 32
#define FRAME_HEADER 24
#define CHUNK 65536

static uint32_t get_be(const uint8_t *p) {
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static int write_again(sqlite3_file *f, sqlite3_int64 size) {
	uint8_t *buf = malloc(CHUNK);
	int rc = buf == NULL ? SQLITE_NOMEM : SQLITE_OK;

	for (sqlite3_int64 at = 0; at < size && rc == SQLITE_OK; at += CHUNK) {
		int n = size - at < CHUNK ? (int)(size - at) : CHUNK;

		rc = f->pMethods->xRead(f, buf, n, at);
		if (rc == SQLITE_OK)
			rc = f->pMethods->xWrite(f, buf, n, at);
	}
	free(buf);
	if (rc == SQLITE_OK)
		rc = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
	return rc;
}

static bool is_good_header(const uint8_t *p) {
	bool is_big = (get_be(p) & 1) != 0;
	uint32_t a = 0, b = 0;

	for (size_t i = 0; i < 24; i += 8) {
		uint32_t x = get_be(p + i), y = get_be(p + i + 4);

		a += (is_big ? x : __builtin_bswap32(x)) + b;
		b += (is_big ? y : __builtin_bswap32(y)) + a;
	}
	return get_be(p) >> 1 == 0x377f0682 >> 1 && get_be(p + 24) == a && get_be(p + 28) == b;
}

// SQLite takes the frames up to the first bad one, as if that were where the power went. But each
// commit was synced before the next began: with two commits behind it, it was good once.
static int look_behind(sqlite3_file *f, sqlite3_int64 size, sqlite3_int64 n_good, int page_size) {
	sqlite3_int64 frame = FRAME_HEADER + page_size, at = HEADER + n_good * frame;
	uint8_t header[HEADER], h[FRAME_HEADER];
	int rc = f->pMethods->xRead(f, header, HEADER, 0), n_commits = 0;
	const uint8_t *salt = header + 16;

	if (rc == SQLITE_OK && !is_good_header(header)) {
		rc = f->pMethods->xRead(f, header, FRAME_HEADER, HEADER);
		salt = header + 8;
	}
	for (; rc == SQLITE_OK && at + frame <= size; at += frame) {
		rc = f->pMethods->xRead(f, h, FRAME_HEADER, at);
		if (rc == SQLITE_OK && memcmp(h + 8, salt, 8) == 0 && get_be(h + 4) != 0)
			n_commits++;
	}
	if (rc == SQLITE_OK && n_commits > 1)
		rc = SQLITE_CORRUPT;
	return rc;
}

int sqlite_wal_settle(sqlite3 *h) {
	sqlite3_file *f = NULL;
	sqlite3_int64 size = 0;
	int64_t page_size = 0;
	int rc = sqlite_ask_int(h, "PRAGMA page_size", &page_size), n_log = 0;

	if (rc == 0) // opens the log
		rc = sqlite_exec(h, "SELECT count(*) FROM sqlite_master");
	if (rc != 0)
		return rc;
	rc = sqlite3_file_control(h, "main", SQLITE_FCNTL_JOURNAL_POINTER, &f);
	if (rc == SQLITE_OK && f != NULL && f->pMethods != NULL)
		rc = f->pMethods->xFileSize(f, &size);
	if (rc == SQLITE_OK && size > HEADER)
		rc = write_again(f, size);
	if (rc == SQLITE_OK)
		rc = sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_PASSIVE, &n_log, NULL);
	if (rc == SQLITE_OK && size > HEADER + FRAME_HEADER)
		rc = look_behind(f, size, n_log < 0 ? 0 : n_log, (int)page_size);
	if (rc == SQLITE_OK)
		rc = sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	return sqlite_error(rc);
}
