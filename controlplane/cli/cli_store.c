// SPDX-License-Identifier: BSD-3-Clause
// `store backup` and `store check`: begun, then looked at until they have ended.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "regate/err.h"

#define LOOK_US 100000

// The answer, and its text; the caller frees both. 0 or negative.
static int ask(int sock, const struct cli_request *r, json_t **answer, char **text) {
	char *request = cli_encode(r);
	size_t len;
	int rc = request == NULL ? -ENOMEM : cli_call(sock, -1, rg_str(request), text, &len);

	free(request);
	if (rc != 0)
		return rc;
	*answer = json_loadb(*text, len, 0, NULL);
	return json_is_object(*answer) ? 0 : RG_E_PROTO;
}

static bool is_under_way(const json_t *backup) {
	const char *state = json_string_value(json_object_get(backup, "state"));

	if (state == NULL || (strcmp(state, "copying") != 0 && strcmp(state, "checking") != 0))
		return false;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%s, %jd %%\033[K", state,
			(intmax_t)json_integer_value(json_object_get(backup, "percent")));
	return true;
}

static json_t *backup_of(const json_t *answer) {
	return json_object_get(json_object_get(answer, "data"), "backup");
}

// The daemon tells of the newest only: one that was begun since for another file says nothing of ours.
static int check_is_ours(const json_t *file, const json_t *answer) {
	return !json_is_true(json_object_get(answer, "ok")) ||
			       json_equal(file, json_object_get(backup_of(answer), "file"))
		       ? 0
		       : RG_E_CONFLICT;
}

static int tell(const struct cli_opts *o, const char *place, const json_t *answer,
		const char *text) {
	json_t *backup = backup_of(answer);
	const char *error = json_string_value(
		json_object_get(json_is_true(json_object_get(answer, "ok")) ? backup : answer,
				"error"));
	json_int_t code = json_integer_value(json_object_get(answer, "code"));
	json_t *shown = json_pack("{s:O?}", "data", backup);

	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (o->is_json)
		puts(text);
	else if (error != NULL)
		cli_complain(place, error);
	else if (cli_print(shown, time(NULL), stdout) != 0)
		cli_complain(place, "out of memory");
	json_decref(shown);
	if (error == NULL)
		return RG_CTL_DONE;
	return code > 0 && code < 126 ? (int)code : RG_CTL_REFUSED;
}

// The daemon has a working directory of its own.
static int make_absolute(const struct cli_request *r) {
	const char *file = json_string_value(json_object_get(r->args, "file"));
	char dir[4096], *path = NULL;
	int rc;

	if (file == NULL || *file == '/')
		return 0;
	if (getcwd(dir, sizeof(dir)) == NULL)
		return -errno;
	if (asprintf(&path, "%s/%s", dir, file) < 0)
		return -ENOMEM;
	rc = json_object_set_new(r->args, "file", json_string(path)) == 0 ? 0 : -ENOMEM;
	free(path);
	return rc;
}

int cli_store_copy(const struct cli_opts *o, const struct cli_request *r, const char *place) {
	const struct cli_request look = {ctl_cmd_at(CTL_STORE_SHOW), CTL_STORE_SHOW, json_object()};
	int sock = cli_connect(o->socket), rc = sock < 0 ? sock : make_absolute(r);
	json_t *answer = NULL, *file;
	char *text = NULL;

	if (rc == 0)
		rc = ask(sock, r, &answer, &text);
	file = json_incref(json_object_get(backup_of(answer), "file"));
	while (rc == 0 && is_under_way(backup_of(answer))) {
		json_decref(answer);
		free(text);
		answer = NULL;
		text = NULL;
		usleep(LOOK_US);
		rc = ask(sock, &look, &answer, &text);
		if (rc == 0)
			rc = check_is_ours(file, answer);
	}
	if (rc == RG_E_CONFLICT) {
		cli_complain(place, "another copy was begun, which hides how this one ended; try "
				    "again");
		rc = RG_CTL_REFUSED;
	} else {
		rc = rc == 0 ? tell(o, place, answer, text) : cli_no_daemon(place, o->socket, rc);
	}
	json_decref(file);
	json_decref(answer);
	json_decref(look.args);
	free(text);
	if (sock >= 0)
		close(sock);
	return rc;
}
