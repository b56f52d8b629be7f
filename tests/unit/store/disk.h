// SPDX-License-Identifier: BSD-3-Clause
// A disk in memory under SQLite, with everything that real ones do to those who trust them. It keeps
// a log of what was asked of it; from that it makes the images that a loss of power could leave at
// any point: what was synced, and of the rest any part, in 512-byte sectors, in any order. It fails
// on demand: a call, or all until it is repaired. After a failed sync what it should have written is
// read back as if nothing were wrong, and is gone after a loss of power, as with Linux.
// One store at a time; its thread writes, and whoever looks has waited for it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_what {
	DISK_WRITE,
	DISK_CUT,
	DISK_DELETE,
	DISK_SYNC,
	DISK_SYNC_FAILED,
	DISK_SYNC_DIR,
	DISK_MARK
};

#define DISK_FILES 4 // main, log, journal, and one that has no name
#define DISK_SECTOR 512

struct disk_op {
	enum disk_what what;
	unsigned file;
	uint64_t at;   // of a write; size of a cut; number of a mark
	size_t len;    // of a write
	uint8_t *data; // owned
};

struct disk_bytes {
	uint8_t *p;
	size_t len, room;
	bool exists;
};

struct disk_image { // of all files
	struct disk_bytes files[DISK_FILES];
};

// Makes it the disk of SQLite in this process, with a log checkpoint every n_pages.
void disk_use(int n_pages);
void disk_reset(void);                       // empty, good, nothing logged
void disk_load(const struct disk_image *im); // a copy; nothing is logged from here on
void disk_mark(uint64_t number);             // into the log
const struct disk_op *disk_log(size_t *n);

// The n-th call from now on fails (from 0), and all after it when it is to stay broken.
enum disk_fault { DISK_FULL, DISK_EIO };
void disk_fail(uint64_t n, enum disk_fault how, bool is_staying);
void disk_repair(void);
uint64_t disk_n_calls(void); // since disk_reset()
bool disk_has_failed(void);  // since disk_fail()

// --- images: durable is what was synced up to a point of the log, walked forward op by op
struct disk_walk {
	struct disk_image durable;
	size_t at;       // ops done
	size_t *pending; // ops that no sync followed
	size_t n_pending, room;
};
void disk_walk_init(struct disk_walk *w);
void disk_walk_fini(struct disk_walk *w);
void disk_walk_step(struct disk_walk *w);
// What is left where of each pending sector is_there() says so.
void disk_walk_image(const struct disk_walk *w, struct disk_image *out,
		     bool (*is_there)(void *arg, size_t op, size_t sector), void *arg);
// More of it reads as zeros.
void disk_bytes_resize(struct disk_bytes *b, size_t len);
void disk_image_free(struct disk_image *im);
