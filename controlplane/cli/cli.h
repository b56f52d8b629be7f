// SPDX-License-Identifier: BSD-3-Clause
// regatectl in parts that a test can call: words, command line, answer to text, socket, completion.
// The program calls the operating system directly: it is no part of the daemon.
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/grammar.h"
#include "regate/ctlproto.h"
#include "regate/slice.h"

#define CLI_LINE_MAX 4096
#define CLI_WORDS_MAX 32

struct cli_opts {
	const char *socket;
	bool is_json;
};

// --- cli_parse.c
struct cli_words { // argv of a typed line; the words point into buf
	char buf[CLI_LINE_MAX];
	char *word[CLI_WORDS_MAX];
	int n;
};
// Splits at blanks; "..." and '...' keep theirs; # at the start of a word ends the line. 0 or
// RG_E_PROTO with one sentence in err.
[[nodiscard]] int cli_split(const char *line, struct cli_words *out, char *err, size_t err_len);

struct cli_request {
	const struct ctl_cmd *cmd;
	enum ctl_cmd_id id;
	json_t *args; // owned by the caller on 0
};
// The words of one command, checked against the grammar. 0 or RG_E_PROTO with one sentence in err.
[[nodiscard]] int cli_parse(int n, char *const *words, struct cli_request *out, char *err,
			    size_t err_len);

// --- cli_text.c: text that cannot break a terminal or a table
// Control characters, line separators and bidi overrides become \xNN or \uNNNN, \ becomes \\.
// malloc'd, or NULL without memory. *width: columns, one per code point.
[[nodiscard]] char *cli_escape(struct rg_slice s, size_t *width);
// "1h12m", "34s", "2d3h": the two largest units.
void cli_duration(uint64_t s, char *out, size_t out_len);
// "2026-01-02T03:04:05Z" to UNIX seconds. False when it is not of that form.
bool cli_time_parse(const char *s, int64_t *out);
// Local time and distance to `now`: "2026-01-02 04:04:05 (in 1h12m)".
void cli_time_print(int64_t t, int64_t now, char *out, size_t out_len);

// --- cli_table.c: aligned columns
struct cli_table;
[[nodiscard]] struct cli_table *cli_table_new(size_t n_cols); // NULL without memory
void cli_table_free(struct cli_table *t);                     // accepts NULL
// Next cell, row by row; text is escaped. Memory failure is sticky: cli_table_print() reports it.
void cli_table_add(struct cli_table *t, struct rg_slice text, bool is_number);
// 0 or -ENOMEM. Each line starts with `indent` blanks.
[[nodiscard]] int cli_table_print(const struct cli_table *t, FILE *out, int indent);

// --- cli_print.c: an answer for people. By the names of members: _at is a time, _s a duration, an
// array of objects a table. `now`: UNIX seconds that distances count from, unless the answer says.
[[nodiscard]] int cli_print(const json_t *answer, int64_t now, FILE *out);
void cli_print_help(FILE *out);

// --- cli_metrics.c: an answer to `stats --all` as OpenMetrics text. 0 or -ENOMEM.
[[nodiscard]] int cli_print_metrics(const json_t *answer, FILE *out);

// --- cli_client.c: one request, one answer over the socket
// Connects. Descriptor, or -errno.
[[nodiscard]] int cli_connect(const char *path);
// Sends one message and takes one. *answer is malloc'd, NUL-terminated. 0, -errno, RG_E_PROTO,
// RG_E_CLOSED; -ECANCELED when stop_fd, unless it is -1, became readable before the answer came.
[[nodiscard]] int cli_call(int fd, int stop_fd, struct rg_slice request, char **answer,
			   size_t *len);

// --- cli_complete.c
void cli_complete_bash(FILE *out);
// Calls found for every word that may stand where `last` (maybe empty) is begun behind words.
void cli_complete(int n, char *const *words, const char *last,
		  void (*found)(void *arg, const char *word), void *arg);

// --- cli_run.c: one command from words to exit code. place ("line 3: " or "") precedes errors.
[[nodiscard]] int cli_run(const struct cli_opts *o, int n, char *const *words, const char *place);
#define CLI_STOPPED (-1)
// Asks the daemon and prints the answer to out. Exit code; CLI_STOPPED as cli_call()'s -ECANCELED.
[[nodiscard]] int cli_ask(const struct cli_opts *o, const struct cli_request *r, const char *place,
			  int stop_fd, FILE *out);

// One line on stderr, in which nothing the daemon or the user wrote is a control character.
void cli_complain(const char *place, const char *text);
// Says why there is no answer, and the cure. RG_CTL_NO_DAEMON.
int cli_no_daemon(const char *place, const char *path, int rc);
// The request as text; malloc'd, NULL without memory.
[[nodiscard]] char *cli_encode(const struct cli_request *r);

// --- cli_pool.c: commands that carry a file over the socket, piece by piece. Exit code.
// pool import, pool remove
[[nodiscard]] int cli_import(const struct cli_opts *o, const struct cli_request *r,
			     const char *place);
[[nodiscard]] int cli_export(const struct cli_opts *o, const struct cli_request *r,
			     const char *place);

// --- cli_store.c: begun, then looked at until it has ended. Exit code.
[[nodiscard]] int cli_store_copy(const struct cli_opts *o, const struct cli_request *r,
				 const char *place);

// --- cli_top.c
// Is this to be shown again and again, on a terminal?
bool cli_is_live(const struct cli_opts *o, const struct cli_request *r);
[[nodiscard]] int cli_live(const struct cli_opts *o, const struct cli_request *r,
			   const char *place);
// Writes text over what a terminal of so many rows shows; what is below them is left out.
void cli_paint(const char *text, unsigned rows, FILE *out);

// --- cli_shell.c, cli_batch.c: commands from a terminal, commands from a file. Exit code.
[[nodiscard]] int cli_shell(const struct cli_opts *o);
[[nodiscard]] int cli_batch(const struct cli_opts *o, FILE *in);
