// SPDX-License-Identifier: BSD-3-Clause
// What a loss of power leaves.
#include <stdlib.h>
#include <string.h>

#include "disk.h"

static size_t n_sectors(const struct disk_op *op) {
	return op->len == 0 ? 1 : (op->at % DISK_SECTOR + op->len - 1) / DISK_SECTOR + 1;
}

static void apply(struct disk_image *im, const struct disk_op *op, size_t at_op,
		  bool (*is_there)(void *arg, size_t op, size_t sector), void *arg) {
	struct disk_bytes *b = &im->files[op->file];
	uint64_t first = op->at / DISK_SECTOR;

	if (op->what != DISK_WRITE) {
		if (is_there != NULL && !is_there(arg, at_op, 0))
			return;
		disk_bytes_resize(b, op->what == DISK_CUT ? (size_t)op->at : 0);
		b->exists = op->what == DISK_CUT;
		return;
	}
	for (size_t i = 0; i < n_sectors(op); i++) {
		uint64_t from = (first + i) * DISK_SECTOR, to = from + DISK_SECTOR;

		if (is_there != NULL && !is_there(arg, at_op, i))
			continue;
		from = from < op->at ? op->at : from;
		to = to > op->at + op->len ? op->at + op->len : to;
		if (to > b->len)
			disk_bytes_resize(b, (size_t)to);
		memcpy(b->p + from, op->data + (from - op->at), (size_t)(to - from));
		b->exists = true;
	}
}

// Takes out what is pending of a file; into the durable image when it was synced.
static void settle(struct disk_walk *w, unsigned file, bool is_durable) {
	size_t n, kept = 0;
	const struct disk_op *log = disk_log(&n);

	for (size_t i = 0; i < w->n_pending; i++) {
		if (log[w->pending[i]].file != file)
			w->pending[kept++] = w->pending[i];
		else if (is_durable)
			apply(&w->durable, &log[w->pending[i]], 0, NULL, NULL);
	}
	w->n_pending = kept;
	w->durable.files[file].exists |= is_durable;
}

// What was deleted stays deleted.
static void settle_dir(struct disk_walk *w) {
	size_t n;
	const struct disk_op *log = disk_log(&n);

	for (size_t i = w->n_pending; i-- > 0;) {
		const struct disk_op *op = &log[w->pending[i]];
		size_t kept = 0;

		if (op->what != DISK_DELETE)
			continue;
		apply(&w->durable, op, 0, NULL, NULL);
		for (size_t k = 0; k < w->n_pending; k++)
			if (k > i || log[w->pending[k]].file != op->file)
				w->pending[kept++] = w->pending[k];
		i = i < kept ? i : kept;
		w->n_pending = kept;
	}
}

void disk_walk_init(struct disk_walk *w) {
	*w = (struct disk_walk){0};
}

void disk_walk_fini(struct disk_walk *w) {
	disk_image_free(&w->durable);
	free(w->pending);
}

void disk_walk_step(struct disk_walk *w) {
	size_t n;
	const struct disk_op *op = &disk_log(&n)[w->at++];

	if (op->what == DISK_SYNC || op->what == DISK_SYNC_FAILED)
		settle(w, op->file, op->what == DISK_SYNC);
	if (op->what == DISK_SYNC_DIR)
		settle_dir(w);
	if (op->what >= DISK_SYNC)
		return;
	if (w->n_pending == w->room) {
		w->room = 2 * w->room + 64;
		w->pending = realloc(w->pending, w->room * sizeof(*w->pending));
		if (w->pending == NULL)
			abort();
	}
	w->pending[w->n_pending++] = w->at - 1;
}

void disk_walk_image(const struct disk_walk *w, struct disk_image *out,
		     bool (*is_there)(void *arg, size_t op, size_t sector), void *arg) {
	size_t n;
	const struct disk_op *log = disk_log(&n);

	for (size_t i = 0; i < DISK_FILES; i++) {
		struct disk_bytes *to = &out->files[i];
		const struct disk_bytes *from = &w->durable.files[i];

		to->len = 0;
		disk_bytes_resize(to, from->len);
		if (from->len > 0)
			memcpy(to->p, from->p, from->len);
		to->exists = from->exists;
	}
	for (size_t i = 0; i < w->n_pending; i++)
		apply(out, &log[w->pending[i]], w->pending[i], is_there, arg);
}

void disk_image_free(struct disk_image *im) {
	for (size_t i = 0; i < DISK_FILES; i++)
		free(im->files[i].p);
	*im = (struct disk_image){0};
}
