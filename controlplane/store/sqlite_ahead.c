// SPDX-License-Identifier: BSD-3-Clause
// A ring of batches between the thread that reads and checks rows and the one that takes them.
#include "store/sqlite_ahead.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define N_BATCHES 16
#define ROWS 512            // of a batch
#define ROOM (ROWS * 256UL) // bytes for their texts

struct batch {
	struct store_lease rows[ROWS];
	size_t n, used, room;
	char *texts; // room
};

struct ahead {
	struct sqlite_db *db;
	const struct store_load *cb;
	pthread_mutex_t lock; // guards the next five
	pthread_cond_t moved;
	unsigned n_read, n_taken; // batches; at most N_BATCHES apart
	bool is_over;             // nothing more is read
	bool is_left;             // nothing more is taken
	int rc;                   // the reader's, for when all is taken
	struct batch ring[N_BATCHES];
};

int sqlite_thread_start(pthread_t *out, void *(*main)(void *arg), void *arg) {
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = -pthread_create(out, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

// --- the reader

static struct batch *reading(struct ahead *a) {
	return &a->ring[a->n_read % N_BATCHES];
}

// Hands over what was read, and waits for a batch that is free. False when nobody takes any more.
static bool hand_over(struct ahead *a) {
	bool is_left;

	pthread_mutex_lock(&a->lock);
	a->n_read++;
	pthread_cond_signal(&a->moved);
	while (a->n_read - a->n_taken == N_BATCHES && !a->is_left)
		pthread_cond_wait(&a->moved, &a->lock);
	is_left = a->is_left;
	pthread_mutex_unlock(&a->lock);
	reading(a)->n = reading(a)->used = 0;
	return !is_left;
}

static int make_room(struct batch *b, size_t room) {
	if (b->room >= room)
		return 0;
	free(b->texts);
	b->texts = malloc(room);
	b->room = b->texts == NULL ? 0 : room;
	return b->texts == NULL ? -ENOMEM : 0;
}

static int on_row(void *arg, const struct store_lease *row) {
	struct ahead *a = arg;
	struct batch *b = reading(a);
	size_t len = store_texts_len(row);
	int rc = 0;

	if (b->n == ROWS || (b->n > 0 && b->room - b->used < len)) {
		if (!hand_over(a))
			return -ECANCELED;
		b = reading(a);
	}
	if (b->n == 0)
		rc = make_room(b, len < ROOM ? ROOM : len);
	if (rc != 0)
		return rc;
	b->rows[b->n] = *row;
	store_texts_move(&b->rows[b->n++], b->texts + b->used);
	b->used += len;
	return 0;
}

static void *reader_main(void *arg) {
	struct ahead *a = arg;
	const struct store_load cb = {on_row, a};
	int rc = sqlite_db_load(a->db, &cb);

	pthread_mutex_lock(&a->lock);
	a->n_read += reading(a)->n > 0;
	a->is_over = true;
	a->rc = rc;
	pthread_cond_signal(&a->moved);
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

// --- the caller

// The next batch that is full; NULL at the end.
static const struct batch *next(struct ahead *a) {
	bool is_there;

	pthread_mutex_lock(&a->lock);
	while (a->n_read == a->n_taken && !a->is_over)
		pthread_cond_wait(&a->moved, &a->lock);
	is_there = a->n_read != a->n_taken;
	pthread_mutex_unlock(&a->lock);
	return is_there ? &a->ring[a->n_taken % N_BATCHES] : NULL;
}

// The reader is woken with half of the ring to fill: in lock-step the two would share a CPU.
static void give_back(struct ahead *a, bool is_left) {
	pthread_mutex_lock(&a->lock);
	a->n_taken++;
	a->is_left = is_left;
	if (is_left || a->n_read - a->n_taken <= N_BATCHES / 2)
		pthread_cond_signal(&a->moved);
	pthread_mutex_unlock(&a->lock);
}

static int take_all(struct ahead *a) {
	const struct batch *b;
	int rc = 0;

	while (rc == 0 && (b = next(a)) != NULL) {
		for (size_t i = 0; i < b->n && rc == 0; i++)
			rc = a->cb->lease(a->cb->arg, &b->rows[i]);
		give_back(a, rc != 0);
	}
	return rc;
}

int sqlite_load_ahead(struct sqlite_db *db, const struct store_load *cb) {
	struct ahead *a = calloc(1, sizeof(*a));
	pthread_t reader;
	int rc;

	if (a == NULL)
		return -ENOMEM;
	a->db = db;
	a->cb = cb;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->moved, NULL);
	rc = sqlite_thread_start(&reader, reader_main, a);
	if (rc == 0) {
		rc = take_all(a);
		pthread_join(reader, NULL);
		rc = rc == 0 ? a->rc : rc;
	}
	for (unsigned i = 0; i < N_BATCHES; i++)
		free(a->ring[i].texts);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->moved);
	free(a);
	return rc;
}
