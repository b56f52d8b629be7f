// SPDX-License-Identifier: BSD-3-Clause
// Control-plane log: one event, one line, on stderr:
//   2026-01-02T03:04:05.678Z level=info msg=lease.granted lease=17 gen=42 impu=sip:...
// Values are escaped so that no field can start a new line or field. No secret is ever an argument.
#pragma once

#include <stdint.h>

#include "regate/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log;
[[nodiscard]] struct log *log_new(int fd, enum log_level level); // fd stays the caller's
void log_free(struct log *l);
void log_set_level(struct log *l, enum log_level level);
enum log_level log_get_level(const struct log *l);
// 0 or RG_E_PROTO for "error", "warn", "info", "debug".
[[nodiscard]] int log_level_parse(struct rg_slice s, enum log_level *out);
const char *log_level_name(enum log_level level);

struct log_kv {
	const char *key; // NULL ends a list
	enum { LOG_KV_STR, LOG_KV_SLICE, LOG_KV_U64, LOG_KV_I64 } type;
	union {
		const char *str;
		struct rg_slice slice;
		uint64_t u64;
		int64_t i64;
	};
};
#define LOG_S(k, v) ((struct log_kv){.key = (k), .type = LOG_KV_STR, .str = (v)})
#define LOG_B(k, v) ((struct log_kv){.key = (k), .type = LOG_KV_SLICE, .slice = (v)})
#define LOG_U(k, v) ((struct log_kv){.key = (k), .type = LOG_KV_U64, .u64 = (v)})
#define LOG_I(k, v) ((struct log_kv){.key = (k), .type = LOG_KV_I64, .i64 = (v)})

void log_event(struct log *l, enum log_level level, const char *msg, const struct log_kv *kv);
// The same whatever the level: what was asked for by a key of its own. Shown as level=info.
void log_record(struct log *l, const char *msg, const struct log_kv *kv);
// log_put(l, LOG_INFO, "lease.granted", LOG_U("lease", 17), LOG_U("gen", 42));  l may be NULL
#define log_put(l, level, msg, ...)    \
	log_event((l), (level), (msg), \
		  (const struct log_kv[]){{.key = NULL}, ##__VA_ARGS__, {.key = NULL}} + 1)
