// SPDX-License-Identifier: BSD-3-Clause
// The log: level filter, clock, and one write(2) per line. It reads CLOCK_REALTIME itself (with
// env_real*.c the only file of the control plane that may): a line tells when it was written, not
// when the loop's turn began. Nothing depends on that time.
// XXX a full pipe on a blocking fd stalls the control loop until its reader goes on; the workers
// keep answering refreshes.
#include "core/log.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/log_format.h"
#include "regate/err.h"

struct log {
	int fd;
	enum log_level level;
};

static const char *const names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

struct log *log_new(int fd, enum log_level level) {
	struct log *l = malloc(sizeof(*l));

	if (l != NULL)
		*l = (struct log){fd, level};
	return l;
}

void log_free(struct log *l) {
	free(l);
}

void log_set_level(struct log *l, enum log_level level) {
	l->level = level;
}

enum log_level log_get_level(const struct log *l) {
	return l->level;
}

int log_level_parse(struct rg_slice s, enum log_level *out) {
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!rg_eq(s, rg_str(names[i])))
			continue;
		*out = (enum log_level)i;
		return RG_OK;
	}
	return RG_E_PROTO;
}

const char *log_level_name(enum log_level level) {
	return names[level];
}

static int64_t now_ms(void) {
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void put(struct log *l, enum log_level level, const char *msg, const struct log_kv *kv) {
	uint8_t line[LOG_LINE_MAX];
	struct rg_wr w = rg_wr(line, sizeof(line));
	ssize_t n;

	log_format(&w, now_ms(), level, msg, kv);
	do
		n = write(l->fd, line, w.len);
	while (n < 0 && errno == EINTR);
	// A line that the disk or the reader does not take is lost: the log holds up no service.
}

void log_event(struct log *l, enum log_level level, const char *msg, const struct log_kv *kv) {
	if (l != NULL && level <= l->level)
		put(l, level, msg, kv);
}

void log_record(struct log *l, const char *msg, const struct log_kv *kv) {
	if (l != NULL)
		put(l, LOG_INFO, msg, kv);
}
