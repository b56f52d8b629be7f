// SPDX-License-Identifier: BSD-3-Clause
// One command from its words to an exit code of ctlproto.h: check here, ask the daemon, print.
// Every command has a connection of its own: the daemon ends idle ones.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "regate/err.h"

void cli_complain(const char *place, const char *text) {
	size_t width;
	char *safe = cli_escape(rg_str(text), &width);

	fprintf(stderr, "regatectl: %s%s\n", place, safe == NULL ? "out of memory" : safe);
	free(safe);
}

int cli_no_daemon(const char *place, const char *path, int rc) {
	char text[512];
	const char *cure = rc == -EACCES ? "join the group of the socket, or run as root"
			   : rc == -ENOENT || rc == -ECONNREFUSED
				   ? "start regated, or name its socket with --socket"
				   : "see the log of regated";

	snprintf(text, sizeof(text), "%s: %s: %s", path,
		 rc == RG_E_CLOSED ? "closed without an answer" : rg_strerror(rc), cure);
	cli_complain(place, text);
	return RG_CTL_NO_DAEMON;
}

char *cli_encode(const struct cli_request *r) {
	json_t *o = json_pack("{s:s, s:O}", "cmd", r->cmd->name, "args", r->args);
	char *text = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);

	json_decref(o);
	return text;
}

// Exit code of an answer, after printing it.
static int show(const struct cli_opts *o, const struct cli_request *r, const char *place,
		const char *text, const json_t *a, FILE *out) {
	bool is_ok = json_is_true(json_object_get(a, "ok"));
	json_t *code = json_object_get(a, "code");
	const char *error = json_string_value(json_object_get(a, "error"));

	if (o->is_json)
		fprintf(out, "%s\n", text);
	else if (!is_ok)
		cli_complain(place, error == NULL ? "refused without a reason" : error);
	else if ((r->id == CTL_METRICS ? cli_print_metrics(a, out)
				       : cli_print(a, time(NULL), out)) != 0)
		cli_complain(place, "out of memory");
	if (is_ok)
		return RG_CTL_DONE;
	return json_integer_value(code) > 0 && json_integer_value(code) < 126
		       ? (int)json_integer_value(code)
		       : RG_CTL_REFUSED;
}

int cli_ask(const struct cli_opts *o, const struct cli_request *r, const char *place, int stop_fd,
	    FILE *out) {
	char *request = cli_encode(r);
	char *text = NULL;
	size_t len = 0;
	json_t *answer = NULL;
	int fd = -1, rc = -ENOMEM;

	if (request != NULL)
		rc = fd = cli_connect(o->socket);
	if (rc >= 0)
		rc = cli_call(fd, stop_fd, rg_str(request), &text, &len);
	if (rc == 0) {
		answer = json_loadb(text, len, 0, NULL);
		rc = json_is_object(answer) ? 0 : RG_E_PROTO;
	}
	if (rc == 0)
		rc = show(o, r, place, text, answer, out);
	else
		rc = rc == -ECANCELED ? CLI_STOPPED : cli_no_daemon(place, o->socket, rc);
	if (fd >= 0)
		close(fd);
	json_decref(answer);
	free(text);
	free(request);
	return rc;
}

// `help` needs no daemon.
static int help(const struct cli_opts *o) {
	json_t *list;

	if (!o->is_json) {
		cli_print_help(stdout);
		return RG_CTL_DONE;
	}
	list = json_pack("{s:s, s:b, s:o}", "schema", ctl_cmd_at(CTL_HELP)->schema, "ok", 1, "data",
			 ctl_grammar_json());
	json_dumpf(list, stdout, JSON_COMPACT);
	fputc('\n', stdout);
	json_decref(list);
	return RG_CTL_DONE;
}

int cli_run(const struct cli_opts *o, int n, char *const *words, const char *place) {
	struct cli_request r;
	char err[256];
	int rc;

	if (cli_parse(n, words, &r, err, sizeof(err)) != RG_OK) {
		cli_complain(place, err);
		return RG_CTL_USAGE;
	}
	if (r.id == CTL_HELP)
		rc = help(o);
	else if (r.id == CTL_POOL_IMPORT || r.id == CTL_POOL_REMOVE)
		rc = cli_import(o, &r, place);
	else if (r.id == CTL_POOL_EXPORT)
		rc = cli_export(o, &r, place);
	else if (r.id == CTL_STORE_BACKUP || r.id == CTL_STORE_CHECK)
		rc = cli_store_copy(o, &r, place);
	else if (cli_is_live(o, &r))
		rc = cli_live(o, &r, place);
	else
		rc = cli_ask(o, &r, place, -1, stdout);
	json_decref(r.args);
	return rc;
}
