// SPDX-License-Identifier: BSD-3-Clause
// The command table and what both ends need of it: look-up, nearest name, check of one argument.
#include "ctl/grammar.h"

#include <stdio.h>
#include <string.h>

#include "regate/err.h"

// As lease_state_name() says them, in the order of enum lease_state (test_engine.c compares).
static const char *const states[] = {"free",          "offered", "pending",    "active",
				     "dereg-pending", "unknown", "quarantine", NULL};
static const char *const formats[] = {"csv", "json", NULL}; // in the order of enum pool_format
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

#define LEASE_ARG                                                                                  \
	{                                                                                          \
		.name = "lease", .kind = CTL_ARG_WORD, .is_positional = true, .is_required = true, \
		.metavar = "IDX|IMPU|IMPI",                                                        \
		.help = "index, public identity or private identity of the pair"                   \
	}
#define LIMIT_ARG(most)                                                                           \
	{                                                                                         \
		.name = "limit", .kind = CTL_ARG_NUMBER, .min = 1, .max = (most), .metavar = "N", \
		.help = "rows at most, default 200"                                               \
	}

#define POOL_ARG                                                                                  \
	{                                                                                         \
		.name = "pool", .kind = CTL_ARG_WORD, .is_positional = true, .is_required = true, \
		.metavar = "POOL", .help = "name of a pool of the configuration"                  \
	}
#define INPUT_ARG                                                                                  \
	{                                                                                          \
		.name = "file", .kind = CTL_ARG_INPUT, .is_positional = true, .is_required = true, \
		.metavar = "FILE", .help = "file of pairs; - reads standard input"                 \
	}
#define FORMAT_ARG                                                                                 \
	{                                                                                          \
		.name = "format", .kind = CTL_ARG_CHOICE, .choices = formats, .metavar = "FORMAT", \
		.help = "csv: impi,impu (default); json: one object per line"                      \
	}

static const struct ctl_cmd cmds[CTL_N_CMDS] = {
	[CTL_STATUS] = {.name = "status",
			.schema = "regate.status/1",
			.help = "version, uptime, leases by state, core, store, configuration"},
	[CTL_STATS] =
		{.name = "stats",
		 .schema = "regate.stats/1",
		 .help = "counters of workers, core, web and store; those above zero",
		 .args = {{.name = "all", .kind = CTL_ARG_FLAG, .help = "counters at zero too"}}},
	[CTL_METRICS] = {.name = "metrics",
			 .schema = "regate.stats/1",
			 .help = "all of stats as OpenMetrics text, for a collector of metrics"},
	[CTL_STAGES] =
		{.name = "stages",
		 .schema = "regate.stages/1",
		 .help = "where the workers' time went since they started, by stage of a packet"},
	[CTL_TOP] = {.name = "top",
		     .schema = "regate.top/1",
		     .help = "rates, busy share of workers, stages of the last seconds; live on a "
			     "terminal",
		     .args = {{.name = "once",
			       .kind = CTL_ARG_FLAG,
			       .help = "not live on a terminal either"},
			      {.name = "interval",
			       .kind = CTL_ARG_NUMBER,
			       .min = 1,
			       .max = 30,
			       .metavar = "S",
			       .help = "seconds to look at, default 1"}}},
	[CTL_POOL_LIST] = {.name = "pool list",
			   .schema = "regate.pool/1",
			   .help = "pools with free, leased and quarantined pairs"},
	[CTL_POOL_SHOW] = {.name = "pool show",
			   .schema = "regate.pool/1",
			   .help = "one pool with free, leased and quarantined pairs",
			   .args = {POOL_ARG}},
	[CTL_POOL_IMPORT] = {.name = "pool import",
			     .schema = "regate.import/1",
			     .help = "add the identity pairs of a file; those that are there stay",
			     .is_write = true,
			     .args = {POOL_ARG, INPUT_ARG, FORMAT_ARG}},
	[CTL_POOL_REMOVE] = {.name = "pool remove",
			     .schema = "regate.remove/1",
			     .help = "take imported pairs of a file back; leased ones are refused",
			     .is_write = true,
			     .args = {POOL_ARG, INPUT_ARG, FORMAT_ARG}},
	[CTL_POOL_EXPORT] = {.name = "pool export",
			     .schema = "regate.export/1",
			     .help = "write the identity pairs of a pool to a new file",
			     .args = {POOL_ARG,
				      {.name = "file",
				       .kind = CTL_ARG_OUTPUT,
				       .is_positional = true,
				       .is_required = true,
				       .metavar = "FILE",
				       .help = "new file; - writes to standard output"},
				      FORMAT_ARG,
				      {.name = "after",
				       .kind = CTL_ARG_NUMBER,
				       .max = UINT32_MAX,
				       .metavar = "IDX",
				       .help = "continue behind this index"}}},
	[CTL_POOL_DRAIN] =
		{.name = "pool drain",
		 .schema = "regate.pool/1",
		 .help = "give out no more of a pool, also after a restart; leases run on",
		 .is_write = true,
		 .args = {POOL_ARG}},
	[CTL_POOL_UNDRAIN] = {.name = "pool undrain",
			      .schema = "regate.pool/1",
			      .help = "give out pairs of a drained pool again",
			      .is_write = true,
			      .args = {POOL_ARG}},
	[CTL_LEASE_LIST] = {.name = "lease list",
			    .schema = "regate.lease/1",
			    .help = "leases by index; pairs in state free on request",
			    .args = {{.name = "pool",
				      .kind = CTL_ARG_WORD,
				      .metavar = "POOL",
				      .help = "of this pool only"},
				     {.name = "state",
				      .kind = CTL_ARG_CHOICE,
				      .choices = states,
				      .metavar = "STATE",
				      .help = "in this state only"},
				     {.name = "wwsf",
				      .kind = CTL_ARG_WORD,
				      .metavar = "WWSF",
				      .help = "of this WWSF only"},
				     {.name = "sub",
				      .kind = CTL_ARG_WORD,
				      .metavar = "SUB",
				      .help = "of this owner only: account or anonymous id"},
				     {.name = "impu",
				      .kind = CTL_ARG_WORD,
				      .metavar = "PREFIX",
				      .help = "whose public identity begins so"},
				     {.name = "suspect",
				      .kind = CTL_ARG_FLAG,
				      .help = "out of rotation only, also those in state free"},
				     LIMIT_ARG(1000),
				     {.name = "after",
				      .kind = CTL_ARG_NUMBER,
				      .max = UINT32_MAX,
				      .metavar = "IDX",
				      .help = "continue behind this index"}}},
	[CTL_LEASE_SHOW] = {.name = "lease show",
			    .schema = "regate.lease/1",
			    .help = "one pair with its lease, times, registration and flow",
			    .args = {LEASE_ARG}},
	[CTL_LEASE_REVOKE] = {.name = "lease revoke",
			      .schema = "regate.lease/1",
			      .help = "end a lease now: tokens void, flow closed, core told",
			      .is_write = true,
			      .args = {LEASE_ARG}},
	[CTL_LEASE_RELEASE] =
		{.name = "lease release",
		 .schema = "regate.lease/1",
		 .help = "give a pair back early, or say until when it is held and why",
		 .is_write = true,
		 .args = {LEASE_ARG}},
	[CTL_LEASE_SUSPECT] = {.name = "lease suspect",
			       .schema = "regate.lease/1",
			       .help = "take a pair out of rotation; a lease of it runs on",
			       .is_write = true,
			       .args = {LEASE_ARG}},
	[CTL_LEASE_CLEAR] = {.name = "lease clear",
			     .schema = "regate.lease/1",
			     .help = "put a suspect pair back into rotation",
			     .is_write = true,
			     .args = {LEASE_ARG}},
	[CTL_LEASE_HISTORY] = {.name = "lease history",
			       .schema = "regate.history/1",
			       .help = "to whom a pair was given before, newest first",
			       .args = {LEASE_ARG}},
	[CTL_STORE_SHOW] =
		{.name = "store show",
		 .schema = "regate.store/1",
		 .help = "where the records are, how many, and the last backup or check"},
	[CTL_STORE_BACKUP] =
		{.name = "store backup",
		 .schema = "regate.store/1",
		 .help = "copy the store to a file while it is in use, and check the copy",
		 .is_write = true,
		 .args = {{.name = "file",
			   .kind = CTL_ARG_WORD,
			   .is_positional = true,
			   .is_required = true,
			   .metavar = "FILE",
			   .help = "new file, in a directory that regated may write to"},
			  {.name = "force",
			   .kind = CTL_ARG_FLAG,
			   .help = "replace an older backup of that name"}}},
	[CTL_STORE_CHECK] = {.name = "store check",
			     .schema = "regate.store/1",
			     .help = "read all of the store, from a copy that goes again",
			     .is_write = true},
	[CTL_CONN_LIST] = {.name = "conn list",
			   .schema = "regate.conn/1",
			   .help = "client connections of all workers",
			   .args = {LIMIT_ARG(2000)}},
	[CTL_LOG_LEVEL] = {.name = "log level",
			   .schema = "regate.log/1",
			   .help = "show the log level, or set it until the next restart",
			   .is_write = true,
			   .args = {{.name = "level",
				     .kind = CTL_ARG_CHOICE,
				     .is_positional = true,
				     .choices = levels,
				     .metavar = "LEVEL",
				     .help = "new level"}}},
	[CTL_TLS_SHOW] = {.name = "tls show",
			  .schema = "regate.tls/1",
			  .help = "server certificates: names, serial, expiry"},
	[CTL_TLS_RELOAD] = {.name = "tls reload",
			    .schema = "regate.tls/1",
			    .help = "read the certificate files again; connections stay",
			    .is_write = true},
	[CTL_TOKEN_KEYS] = {.name = "token keys",
			    .schema = "regate.token/1",
			    .help = "keys of our tokens: which signs, which are still published"},
	[CTL_TOKEN_RELOAD] =
		{.name = "token reload",
		 .schema = "regate.token/1",
		 .help = "read the keys again, ours and those of other issuers, and secrets: "
			 "what an issuer withdrew ends",
		 .is_write = true},
	[CTL_HELP] = {.name = "help", .schema = "regate.help/1", .help = "list of commands"},
};

const struct ctl_cmd *ctl_cmd_at(enum ctl_cmd_id id) {
	return &cmds[id];
}

const struct ctl_cmd *ctl_cmd_find(struct rg_slice name, enum ctl_cmd_id *id) {
	for (unsigned i = 0; i < CTL_N_CMDS; i++) {
		if (!rg_eq(name, rg_str(cmds[i].name)))
			continue;
		if (id != NULL)
			*id = (enum ctl_cmd_id)i;
		return &cmds[i];
	}
	return NULL;
}

const struct ctl_arg *ctl_arg_find(const struct ctl_cmd *c, struct rg_slice name) {
	for (const struct ctl_arg *a = c->args; a->name != NULL; a++)
		if (rg_eq(name, rg_str(a->name)))
			return a;
	return NULL;
}

#define NAME_MAX_LEN 32

static unsigned min3(unsigned a, unsigned b, unsigned c) {
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

// Edits between a and b, where a swap of two neighbours is one edit (optimal string alignment).
static unsigned distance(struct rg_slice a, struct rg_slice b) {
	unsigned d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];

	for (unsigned i = 0; i <= a.len; i++)
		d[i][0] = i;
	for (unsigned j = 0; j <= b.len; j++)
		d[0][j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned cost = rg_lower(a.p[i - 1]) != b.p[j - 1];

			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost);
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] && d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[a.len][b.len];
}

const struct ctl_cmd *ctl_cmd_nearest(struct rg_slice name) {
	const struct ctl_cmd *best = NULL;
	unsigned best_d = UINT32_MAX;

	if (name.len == 0 || name.len > NAME_MAX_LEN)
		return NULL;
	for (unsigned i = 0; i < CTL_N_CMDS; i++) {
		unsigned d = distance(name, rg_str(cmds[i].name));

		// A third of the letters wrong is another word.
		if (d < best_d && d <= 1 + strlen(cmds[i].name) / 3) {
			best = &cmds[i];
			best_d = d;
		}
	}
	return best;
}

static int check_choice(const struct ctl_arg *a, struct rg_slice value, char *err, size_t err_len) {
	size_t n = 0;

	for (const char *const *c = a->choices; *c != NULL; c++)
		if (rg_eq(value, rg_str(*c)))
			return RG_OK;
	n = (size_t)snprintf(err, err_len, "%s must be one of", a->name);
	for (const char *const *c = a->choices; *c != NULL && n < err_len; c++)
		n += (size_t)snprintf(err + n, err_len - n, "%s %s", c == a->choices ? "" : ",",
				      *c);
	return RG_E_PROTO;
}

static int check_len(const struct ctl_arg *a, struct rg_slice value, size_t max, char *err,
		     size_t err_len) {
	if (value.len > 0 && value.len <= max)
		return RG_OK;
	snprintf(err, err_len, "%s must have 1 to %zu bytes", a->name, max);
	return RG_E_PROTO;
}

int ctl_arg_check(const struct ctl_arg *a, struct rg_slice value, char *err, size_t err_len) {
	uint64_t v;

	switch (a->kind) {
	case CTL_ARG_FLAG:
		break;
	case CTL_ARG_NUMBER:
		if (!rg_parse_u64(value, &v) || v < a->min || v > a->max) {
			snprintf(err, err_len, "%s must be a number from %ju to %ju", a->name,
				 (uintmax_t)a->min, (uintmax_t)a->max);
			return RG_E_PROTO;
		}
		break;
	case CTL_ARG_WORD:
		return check_len(a, value, CTL_WORD_MAX, err, err_len);
	case CTL_ARG_INPUT:
	case CTL_ARG_OUTPUT:
		return check_len(a, value, CTL_TEXT_MAX, err, err_len);
	case CTL_ARG_CHOICE:
		return check_choice(a, value, err, err_len);
	}
	return RG_OK;
}

static const char *const kind_names[] = {
	[CTL_ARG_FLAG] = "flag",     [CTL_ARG_NUMBER] = "number", [CTL_ARG_WORD] = "word",
	[CTL_ARG_CHOICE] = "choice", [CTL_ARG_INPUT] = "input",   [CTL_ARG_OUTPUT] = "output",
};

static json_t *arg_json(const struct ctl_arg *a) {
	json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:s}", "name", a->name, "kind",
			      kind_names[a->kind], "positional", a->is_positional, "required",
			      a->is_required, "help", a->help);
	json_t *choices;

	if (a->kind == CTL_ARG_NUMBER &&
	    (json_object_set_new(o, "min", json_integer((json_int_t)a->min)) != 0 ||
	     json_object_set_new(o, "max", json_integer((json_int_t)a->max)) != 0))
		goto err;
	if (a->kind == CTL_ARG_CHOICE) {
		choices = json_array();
		for (const char *const *c = a->choices; *c != NULL; c++)
			if (json_array_append_new(choices, json_string(*c)) != 0)
				goto err_choices;
		if (json_object_set_new(o, "choices", choices) != 0)
			goto err;
	}
	return o;
err_choices:
	json_decref(choices);
err:
	json_decref(o);
	return NULL;
}

static json_t *cmd_json(const struct ctl_cmd *c) {
	json_t *args = json_array();

	for (const struct ctl_arg *a = c->args; a->name != NULL; a++) {
		if (json_array_append_new(args, arg_json(a)) != 0) {
			json_decref(args);
			return NULL;
		}
	}
	return json_pack("{s:s, s:b, s:s, s:s, s:o}", "command", c->name, "writes", c->is_write,
			 "help", c->help, "schema", c->schema, "args", args);
}

json_t *ctl_grammar_json(void) {
	json_t *list = json_array();

	for (unsigned i = 0; i < CTL_N_CMDS; i++) {
		if (json_array_append_new(list, cmd_json(&cmds[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:o}", "commands", list);
}
