// SPDX-License-Identifier: BSD-3-Clause
// Store in a SQLite file. A thread of its own takes all queued commits at once, writes them in one
// transaction with one fsync, and wakes the loop by an eventfd. After a failure every commit fails
// until the file has been closed and opened anew, which is tried again and again.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/crash_point.h"
#include "regate/err.h"
#include "store/sqlite_ahead.h"
#include "store/sqlite_backup.h"
#include "store/sqlite_file.h"
#include "store/store_impl.h"

#define RETRY_NS UINT64_C(250000000) // between attempts to open the file after a failure
#define RETRY_DOUBLINGS 3 // where it can be opened, and fails again: half of what G4 allows

struct store_sqlite {
	struct store s;
	struct env *env;
	char *path;
	struct env_sock *watch;
	int lock_fd, event_fd;
	pthread_t thread;
	bool has_thread;

	unsigned n_failed; // batches since the last one that was durable; the thread's
	uint64_t retry_ns; // CLOCK_MONOTONIC; after a failure: open the file then; the thread's

	pthread_mutex_t db_lock; // held for a whole transaction or load; guards the next four
	struct sqlite_db *db;    // NULL after a failure
	int failed_rc;           // 0 = good
	struct sqlite_total acked, in_flight; // of the file at the failure

	pthread_mutex_t lock; // guards all below
	pthread_cond_t wake, is_done;
	struct store_queue queue;    // loop to thread
	struct store_queue finished; // thread to loop
	bool is_stopping;
	struct store_stats stats;
	uint64_t n_rows;   // of the file; values are among them
	int64_t commit_ms; // of the last commit
	struct store_backup backup;
	struct sqlite_backup *copy; // the thread's while COPYING, then the checker's; not guarded
	struct sqlite_backup
		*copying;  // the same for the thread alone: NULL once the checker has it
	char *backup_file; // owned; of backup
	pthread_t checker;
	bool has_checker;
};

static struct store_sqlite *self(struct store *s) {
	return (struct store_sqlite *)s;
}

// --- store thread

static int write_batch(struct sqlite_db *db, const struct store_queue *batch) {
	int rc = sqlite_db_begin(db);

	if (rc != 0)
		return rc;
	for (struct store_job *j = batch->first; j != NULL && rc == 0; j = j->next)
		rc = sqlite_db_run(db, j);
	CRASH_POINT("store.before_commit");
	if (rc == 0)
		return sqlite_db_commit(db);
	sqlite_db_rollback(db);
	return rc;
}

// What is in the file now is what was acknowledged, or that and the commit that failed.
static bool is_whole(const struct store_sqlite *s, const struct sqlite_db *db) {
	struct sqlite_total now = sqlite_db_total(db);

	return memcmp(&now, &s->acked, sizeof(now)) == 0 ||
	       memcmp(&now, &s->in_flight, sizeof(now)) == 0;
}

// A new descriptor, and everything written again: nothing is known of what an old one holds after a
// failure (reliability.md I2).
static void try_reopen(struct store_sqlite *s) {
	char err[256];
	int rc;

	pthread_mutex_lock(&s->db_lock);
	rc = sqlite_db_open(s->path, &s->db, err, sizeof(err));
	if (rc == 0 && !is_whole(s, s->db)) {
		sqlite_db_abandon(s->db);
		s->db = NULL;
		rc = RG_E_PROTO;
	}
	s->failed_rc = rc;
	pthread_mutex_unlock(&s->db_lock);
}

// With db_lock.
static void fail(struct store_sqlite *s, int rc) {
	s->failed_rc = rc;
	s->acked = sqlite_db_total(s->db);
	s->in_flight = sqlite_db_in_flight(s->db);
	sqlite_backup_leave(s->copying);
	sqlite_db_abandon(s->db);
	s->db = NULL;
}

static int64_t wall_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void count(struct store_stats *st, const struct store_job *j) {
	if (j->history != NULL)
		return;
	st->commits += j->rc == 0;
	st->conflicts += j->rc == RG_E_CONFLICT;
	st->failures += j->rc != 0 && j->rc != RG_E_CONFLICT;
}

// True when the file failed just now.
static bool run_batch(struct store_sqlite *s, struct store_queue *batch) {
	bool was_good;
	uint64_t one = 1, n_rows = 0;
	int rc;

	pthread_mutex_lock(&s->db_lock);
	rc = s->failed_rc;
	was_good = rc == 0;
	if (was_good) {
		rc = write_batch(s->db, batch);
		n_rows = sqlite_db_total(s->db).n;
		if (rc != 0)
			fail(s, rc);
	}
	pthread_mutex_unlock(&s->db_lock);
	CRASH_POINT("store.after_commit");

	pthread_mutex_lock(&s->lock);
	for (struct store_job *j = batch->first; j != NULL; j = j->next) {
		if (rc != 0)
			j->rc = rc;
		count(&s->stats, j);
		s->stats.queued--;
	}
	s->stats.batches++;
	s->stats.is_up = rc == 0;
	if (rc == 0) {
		s->n_rows = n_rows;
		s->commit_ms = wall_ms();
	}
	store_queue_move(&s->finished, batch);
	pthread_cond_signal(&s->is_done);
	pthread_mutex_unlock(&s->lock);
	// Fails only when the counter is near 2^64, and then the loop is awake already.
	(void)!write(s->event_fd, &one, sizeof(one));
	return was_good && rc != 0;
}

static uint64_t now_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// With lock. True when there is something in the queue, false at the end or, after a failure, when
// it is time to try the file again, or to copy some of it.
static bool wait_for_work(struct store_sqlite *s) {
	const struct timespec until = {(time_t)(s->retry_ns / 1000000000),
				       (long)(s->retry_ns % 1000000000)};
	int rc = 0;

	while (s->queue.first == NULL && !s->is_stopping && rc == 0 &&
	       s->backup.state != STORE_BACKUP_COPYING)
		rc = s->stats.is_up ? pthread_cond_wait(&s->wake, &s->lock)
				    : pthread_cond_timedwait(&s->wake, &s->lock, &until);
	return s->queue.first != NULL;
}

// At once, unless opening it has not helped: a full disk has room for a moment when the log is
// emptied, and each grant that fails costs a pair.
static void note_batch(struct store_sqlite *s, bool is_failed) {
	unsigned n;

	if (!is_failed) {
		s->n_failed = s->stats.is_up ? 0 : s->n_failed;
		return;
	}
	n = s->n_failed++;
	s->retry_ns = now_ns();
	if (n > 0)
		s->retry_ns += RETRY_NS << (n > RETRY_DOUBLINGS ? RETRY_DOUBLINGS : n - 1);
}

// Whatever is queued meanwhile: it fails, and must not put off the next try.
static void recover(struct store_sqlite *s) {
	if (s->stats.is_up || now_ns() < s->retry_ns)
		return;
	try_reopen(s);
	s->retry_ns = now_ns() + RETRY_NS;
	pthread_mutex_lock(&s->lock);
	s->stats.is_up = s->failed_rc == 0; // written by this thread only
	pthread_mutex_unlock(&s->lock);
}

// --- a copy, a piece between two batches

static void backup_end(struct store_sqlite *s, int rc) {
	sqlite_backup_free(s->copy);
	s->copy = NULL;
	pthread_mutex_lock(&s->lock);
	s->backup.state = rc == 0 ? STORE_BACKUP_DONE : STORE_BACKUP_FAILED;
	s->backup.rc = rc;
	s->backup.ended_ms = wall_ms();
	pthread_mutex_unlock(&s->lock);
}

static void *checker_main(void *arg) {
	struct store_sqlite *s = arg;

	backup_end(s, sqlite_backup_finish(s->copy));
	return NULL;
}

// The check of a large copy takes long: no commit waits for it.
static void copy_some(struct store_sqlite *s) {
	int rc;

	pthread_mutex_lock(&s->db_lock);
	rc = s->db == NULL ? s->failed_rc : sqlite_backup_step(s->copy, s->db);
	if (rc != RG_MORE)
		s->copying = NULL;
	pthread_mutex_unlock(&s->db_lock);
	pthread_mutex_lock(&s->lock);
	s->backup.percent = sqlite_backup_percent(s->copy);
	if (rc == 0) {
		s->backup.state = STORE_BACKUP_CHECKING;
		rc = -pthread_create(&s->checker, NULL, checker_main, s);
		s->has_checker = rc == 0;
	}
	pthread_mutex_unlock(&s->lock);
	if (rc != 0 && rc != RG_MORE)
		backup_end(s, rc);
}

static void *thread_main(void *arg) {
	struct store_sqlite *s = arg;
	struct store_queue batch;

	store_queue_init(&batch);
	pthread_mutex_lock(&s->lock);
	for (;;) {
		bool has_work = wait_for_work(s);
		bool is_copying = s->backup.state == STORE_BACKUP_COPYING;

		if (!has_work && s->is_stopping)
			break;
		if (is_copying)
			s->copying = s->copy;
		store_queue_move(&batch, &s->queue);
		pthread_mutex_unlock(&s->lock);
		if (has_work)
			note_batch(s, run_batch(s, &batch));
		recover(s);
		if (is_copying)
			copy_some(s);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

// --- loop

static void deliver(struct store_sqlite *s) {
	struct store_queue done;
	struct store_job *j;

	store_queue_init(&done);
	pthread_mutex_lock(&s->lock);
	store_queue_move(&done, &s->finished);
	pthread_mutex_unlock(&s->lock);
	while ((j = store_queue_pop(&done)) != NULL)
		store_job_end(&s->s, j);
}

static void on_event(void *arg, struct env_sock *, unsigned) {
	struct store_sqlite *s = arg;
	uint64_t n;

	(void)!read(s->event_fd, &n, sizeof(n)); // non-blocking; only clears the counter
	deliver(s);
}

static int sqlite_queue(struct store *base, struct store_job *j) {
	struct store_sqlite *s = self(base);

	if (s->is_stopping) // written by this thread only
		return -ESHUTDOWN;
	pthread_mutex_lock(&s->lock);
	if (s->queue.first == NULL)
		pthread_cond_signal(&s->wake);
	store_queue_push(&s->queue, j);
	s->stats.queued++;
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static void sqlite_flush(struct store *base) {
	struct store_sqlite *s = self(base);

	pthread_mutex_lock(&s->lock);
	while (s->stats.queued > 0 || s->finished.first != NULL) {
		if (s->finished.first == NULL)
			pthread_cond_wait(&s->is_done, &s->lock);
		pthread_mutex_unlock(&s->lock);
		deliver(s);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

static int sqlite_load_all(struct store *base, const struct store_load *cb) {
	struct store_sqlite *s = self(base);
	int rc;

	pthread_mutex_lock(&s->db_lock);
	rc = s->failed_rc != 0 ? s->failed_rc : sqlite_load_ahead(s->db, cb);
	pthread_mutex_unlock(&s->db_lock);
	return rc;
}

static void sqlite_get_stats(const struct store *base, struct store_stats *out) {
	struct store_sqlite *s = (struct store_sqlite *)base;

	pthread_mutex_lock(&s->lock);
	*out = s->stats;
	pthread_mutex_unlock(&s->lock);
}

static void join_checker(struct store_sqlite *s) {
	if (s->has_checker)
		pthread_join(s->checker, NULL);
	s->has_checker = false;
}

static int sqlite_backup(struct store *base, const char *file, bool is_forced) {
	struct store_sqlite *s = self(base);
	bool is_busy;
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	is_busy =
		s->backup.state == STORE_BACKUP_COPYING || s->backup.state == STORE_BACKUP_CHECKING;
	pthread_mutex_unlock(&s->lock);
	if (is_busy)
		return -EBUSY;
	join_checker(s); // it has ended
	free(s->backup_file);
	s->backup_file = strdup(file == NULL ? "" : file);
	rc = s->backup_file == NULL ? -ENOMEM
				    : sqlite_backup_new(s->path, file, is_forced, &s->copy);
	pthread_mutex_lock(&s->lock);
	s->backup = (struct store_backup){
		.file = s->backup_file == NULL ? "" : s->backup_file,
		.state = rc == 0 ? STORE_BACKUP_COPYING : STORE_BACKUP_FAILED,
		.rc = rc,
		.ended_ms = rc == 0 ? 0 : wall_ms(),
	};
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

static uint64_t size_of(const char *path, const char *end) {
	char name[4096];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, end);
	return stat(name, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void sqlite_get_info(struct store *base, struct store_info *out) {
	struct store_sqlite *s = self(base);

	pthread_mutex_lock(&s->lock);
	out->n_records = s->n_rows - store_n_values(base);
	out->commit_ms = s->commit_ms;
	out->backup = s->backup;
	pthread_mutex_unlock(&s->lock);
	out->schema = SQLITE_SCHEMA_VERSION;
	out->n_bytes = size_of(s->path, "") + size_of(s->path, "-wal");
}

static void sqlite_close(struct store *base) {
	struct store_sqlite *s = self(base);

	pthread_mutex_lock(&s->lock);
	s->is_stopping = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	if (s->has_thread) {
		pthread_join(s->thread, NULL);
		deliver(s);
	}
	join_checker(s);
	sqlite_backup_free(s->copy);
	env_sock_close(s->watch);
	sqlite_db_close(s->db);
	if (s->event_fd >= 0)
		close(s->event_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd); // the file stays: removing it would race with the next process
	pthread_mutex_destroy(&s->db_lock);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->is_done);
	store_forget(base);
	free(s->backup_file);
	free(s->path);
	free(s);
}

// --- opening

// SQLite's files take their mode from the first one: digests are nobody else's business.
static int create_private(const char *path, char *err, size_t err_len) {
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		int rc = -errno;

		snprintf(err, err_len, "%s: %s; the file must be readable and writable", path,
			 rg_strerror(rc));
		return rc;
	}
	close(fd);
	return 0;
}

static int keep(void *arg, const char *name, const void *value, size_t len) {
	struct store_sqlite *s = arg;

	return store_keep(&s->s, name, value, len);
}

static int load_values(struct store_sqlite *s, const char *path, char *err, size_t err_len) {
	int rc = sqlite_db_load_values(s->db, keep, s);

	s->n_rows = sqlite_db_total(s->db).n;
	if (rc != 0)
		snprintf(err, err_len, "%s: cannot be read: %s", path, rg_strerror(rc));
	return rc;
}

static int start_thread(struct store_sqlite *s, char *err, size_t err_len) {
	int rc;

	s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	rc = s->event_fd < 0 ? -errno : env_watch_fd(s->env, s->event_fd, on_event, s, &s->watch);
	if (rc == 0) {
		rc = sqlite_thread_start(&s->thread, thread_main, s);
		s->has_thread = rc == 0;
	}
	if (rc != 0)
		snprintf(err, err_len, "store: cannot start its thread: %s", rg_strerror(rc));
	return rc;
}

int store_sqlite_open(struct env *e, const char *path, struct store **out, char *err,
		      size_t err_len) {
	static const struct store_ops ops = {sqlite_close,  sqlite_load_all,  sqlite_queue,
					     sqlite_flush,  sqlite_get_stats, sqlite_get_info,
					     sqlite_backup, "sqlite"};
	struct store_sqlite *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	int rc;

	if (s == NULL || (s->path = strdup(path)) == NULL) {
		snprintf(err, err_len, "%s: out of memory", path);
		free(s);
		return -ENOMEM;
	}
	s->s.ops = &ops;
	s->env = e;
	s->lock_fd = -1;
	s->event_fd = -1;
	pthread_mutex_init(&s->db_lock, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&s->is_done, NULL);
	s->stats.is_up = true;
	s->backup.file = "";
	store_queue_init(&s->queue);
	store_queue_init(&s->finished);
	if ((rc = sqlite_file_lock(path, &s->lock_fd, err, err_len)) != 0 ||
	    (rc = sqlite_file_lost(path, s->lock_fd, err, err_len)) != 0 ||
	    (rc = create_private(path, err, err_len)) != 0 ||
	    (rc = sqlite_db_open(path, &s->db, err, err_len)) != 0 ||
	    (rc = sqlite_file_mark(path, s->lock_fd, err, err_len)) != 0 ||
	    (rc = load_values(s, path, err, err_len)) != 0 ||
	    (rc = start_thread(s, err, err_len)) != 0) {
		sqlite_close(&s->s);
		return rc;
	}
	*out = &s->s;
	return 0;
}
