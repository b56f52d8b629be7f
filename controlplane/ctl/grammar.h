// SPDX-License-Identifier: BSD-3-Clause
// The operator commands as data: names, arguments, help, reads or writes. Compiled into the daemon
// (which adds the handlers) and into regatectl (parsing, help, completion), so that they agree.
// Nothing here does I/O.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "regate/slice.h"

enum ctl_cmd_id {
	CTL_STATUS,
	CTL_STATS,
	CTL_METRICS,
	CTL_STAGES,
	CTL_TOP,
	CTL_POOL_LIST,
	CTL_POOL_SHOW,
	CTL_POOL_IMPORT,
	CTL_POOL_REMOVE,
	CTL_POOL_EXPORT,
	CTL_POOL_DRAIN,
	CTL_POOL_UNDRAIN,
	CTL_LEASE_LIST,
	CTL_LEASE_SHOW,
	CTL_LEASE_REVOKE,
	CTL_LEASE_RELEASE,
	CTL_LEASE_SUSPECT,
	CTL_LEASE_CLEAR,
	CTL_LEASE_HISTORY,
	CTL_STORE_SHOW,
	CTL_STORE_BACKUP,
	CTL_STORE_CHECK,
	CTL_CONN_LIST,
	CTL_LOG_LEVEL,
	CTL_TLS_SHOW,
	CTL_TLS_RELOAD,
	CTL_TOKEN_KEYS,
	CTL_TOKEN_RELOAD,
	CTL_HELP,
	CTL_N_CMDS,
};

enum ctl_arg_kind {
	CTL_ARG_FLAG,   // --name, JSON true
	CTL_ARG_NUMBER, // decimal, min..max; JSON string or integer
	CTL_ARG_WORD,   // 1..CTL_WORD_MAX bytes of text
	CTL_ARG_CHOICE, // one of choices
	CTL_ARG_INPUT, // regatectl: a file to read; here: 1..CTL_TEXT_MAX bytes of its text, whole lines
	CTL_ARG_OUTPUT, // regatectl: a file to write; never sent
};

#define CTL_WORD_MAX 256
#define CTL_TEXT_MAX 65536
#define CTL_ARGS_MAX 8

struct ctl_arg {
	const char *name; // key in "args"; "--name" unless positional; NULL ends the list
	enum ctl_arg_kind kind;
	bool is_positional, is_required;
	uint64_t min, max;          // NUMBER
	const char *const *choices; // CHOICE: NULL ends the list
	const char *metavar, *help;
};

struct ctl_cmd {
	const char *name;   // "lease show"
	const char *schema; // of the answer
	const char *help;
	bool is_write; // changes something; logged
	struct ctl_arg args[CTL_ARGS_MAX + 1];
};

const struct ctl_cmd *ctl_cmd_at(enum ctl_cmd_id id);
// Exact name, or NULL. id may be NULL.
const struct ctl_cmd *ctl_cmd_find(struct rg_slice name, enum ctl_cmd_id *id);
// The command whose name is closest, or NULL when none is close.
const struct ctl_cmd *ctl_cmd_nearest(struct rg_slice name);
const struct ctl_arg *ctl_arg_find(const struct ctl_cmd *c, struct rg_slice name);
// 0, or RG_E_PROTO with one sentence in err: what is wrong and what would be right.
[[nodiscard]] int ctl_arg_check(const struct ctl_arg *a, struct rg_slice value, char *err,
				size_t err_len);
// The table as JSON, data of `help`. NULL without memory.
[[nodiscard]] json_t *ctl_grammar_json(void);
