// SPDX-License-Identifier: BSD-3-Clause
// `pool import`, `pool remove` and `pool export`: a file in pieces of whole lines, one request and one connection each,
// so that neither who writes the file nor who reads it has to hurry. The file is opened here, with the
// rights of who asks.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "regate/err.h"

#define PROGRESS_NS UINT64_C(200000000)
#define TOLD_MAX 100  // refused lines that are printed
#define PAUSE_MS 1000 // nothing more to read for so long: what there is is sent

#define COUNTS_MAX 4

static const struct count { // what an answer says of its piece, and how the sum is told
	const char *name, *text;
} import_counts[COUNTS_MAX + 1] = {{"refused", "refused"},
				   {"new", "new"},
				   {"there", "there already"}},
			     remove_counts[COUNTS_MAX + 1] = {{"refused", "refused"},
							      {"removed", "removed"},
							      {"gone", "not there"},
							      {"leased", "of the refused leased"}};

struct transfer {
	const struct cli_opts *o;
	const struct cli_request *r;
	const char *place;
	const char *path; // the file
	int fd;
	const struct count *counts; // import, remove; the first: refused
	uint64_t lines, n[COUNTS_MAX];
	uint64_t pairs;                 // export
	uint64_t done_bytes, all_bytes; // all_bytes 0 = not known
	uint64_t start_ns, shown_ns;
	bool is_shown; // a line of progress stands on the terminal
};

static uint64_t now_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void progress(struct transfer *t, uint64_t n) {
	uint64_t at_ns = now_ns();

	if (!isatty(STDERR_FILENO) || at_ns - t->shown_ns < PROGRESS_NS)
		return;
	t->shown_ns = at_ns;
	t->is_shown = true;
	fprintf(stderr, "\r%ju lines, %ju/s", (uintmax_t)n,
		(uintmax_t)(n * UINT64_C(1000000000) / (at_ns - t->start_ns)));
	if (t->all_bytes > 0)
		fprintf(stderr, ", %ju %%", (uintmax_t)(t->done_bytes * 100 / t->all_bytes));
	fputs("\033[K", stderr);
}

static void progress_end(struct transfer *t) {
	if (t->is_shown)
		fputs("\r\033[K", stderr);
	t->is_shown = false;
}

static int fail(struct transfer *t, int code, const char *what, const char *cure) {
	char text[4300];

	progress_end(t);
	snprintf(text, sizeof(text), "%s: %s: %s", t->path, what, cure);
	cli_complain(t->place, text);
	return code;
}

static uint64_t number(const json_t *data, const char *name) {
	return (uint64_t)json_integer_value(json_object_get(data, name));
}

// One request. *data (owned by *answer, which the caller frees) on RG_CTL_DONE; else the exit code
// of what has been said.
static int call(struct transfer *t, json_t **answer, const json_t **data) {
	char *request = cli_encode(t->r), *text = NULL;
	size_t len;
	int sock = request == NULL ? -ENOMEM : cli_connect(t->o->socket);
	int rc = sock < 0 ? sock : cli_call(sock, -1, rg_str(request), &text, &len);

	if (sock >= 0)
		close(sock);
	free(request);
	*data = NULL;
	*answer = rc == 0 ? json_loadb(text, len, 0, NULL) : NULL;
	free(text);
	progress_end(t);
	if (rc != 0 || !json_is_object(*answer)) {
		json_decref(*answer);
		return cli_no_daemon(t->place, t->o->socket, rc == 0 ? RG_E_PROTO : rc);
	}
	if (json_is_true(json_object_get(*answer, "ok"))) {
		*data = json_object_get(*answer, "data");
		return RG_CTL_DONE;
	}
	rc = (int)json_integer_value(json_object_get(*answer, "code"));
	if (t->o->is_json && json_dumpf(*answer, stdout, JSON_COMPACT) == 0)
		putchar('\n');
	else
		cli_complain(t->place, json_string_value(json_object_get(*answer, "error")));
	json_decref(*answer);
	return rc > 0 && rc < 126 ? rc : RG_CTL_REFUSED;
}

// --- import

static void tell_refusals(struct transfer *t, const json_t *data) {
	const json_t *one;
	char text[512];
	size_t i;

	json_array_foreach(json_object_get(data, "refusals"), i, one) {
		if (t->n[0] + i >= TOLD_MAX)
			break;
		snprintf(text, sizeof(text), "%s:%ju: %s", t->path,
			 (uintmax_t)(t->lines + number(one, "line")),
			 json_string_value(json_object_get(one, "error")));
		cli_complain(t->place, text);
	}
}

// Bytes that JSON does not carry become '?': in an identity they are refused all the same.
static json_t *text_json(char *p, size_t len) {
	json_t *v;

	for (size_t i = 0; i < len; i++)
		if ((uint8_t)p[i] < ' ' && p[i] != '\t' && p[i] != '\r' && p[i] != '\n')
			p[i] = '?';
	v = json_stringn(p, len);
	for (size_t i = 0; v == NULL && i < len; i++)
		if ((uint8_t)p[i] >= 0x80)
			p[i] = '?';
	return v == NULL ? json_stringn(p, len) : v;
}

static int send_piece(struct transfer *t, char *p, size_t len) {
	json_t *answer;
	const json_t *data;
	int rc;

	if (json_object_set_new(t->r->args, "file", text_json(p, len)) != 0)
		return fail(t, RG_CTL_REFUSED, "out of memory", "end other programs");
	rc = call(t, &answer, &data);
	if (rc != RG_CTL_DONE)
		return rc;
	tell_refusals(t, data);
	t->lines += number(data, "lines");
	for (unsigned i = 0; t->counts[i].name != NULL; i++)
		t->n[i] += number(data, t->counts[i].name);
	t->done_bytes += len;
	progress(t, t->lines);
	json_decref(answer);
	return RG_CTL_DONE;
}

// Bytes of whole lines at the start of p; all of it at the end of the file.
static size_t whole_lines(const char *p, size_t len, bool is_end) {
	const char *last = is_end ? NULL : memrchr(p, '\n', len);

	return is_end ? len : last == NULL ? 0 : (size_t)(last - p) + 1;
}

// Reads on until buf is full, the file ends (*is_end), or nothing comes for a while.
static int fill(struct transfer *t, char *buf, size_t *len, bool *is_end) {
	while (*len < CTL_TEXT_MAX) {
		struct pollfd pfd = {.fd = t->fd, .events = POLLIN};
		ssize_t n;

		if (*len > 0 && poll(&pfd, 1, PAUSE_MS) == 0)
			return RG_CTL_DONE;
		n = read(t->fd, buf + *len, CTL_TEXT_MAX - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(t, RG_CTL_REFUSED, strerror(errno), "import it again");
		*len += (size_t)n;
		*is_end = n == 0;
		if (n == 0)
			break;
	}
	return RG_CTL_DONE;
}

static int send_file(struct transfer *t) {
	char *buf = malloc(CTL_TEXT_MAX);
	size_t len = 0, piece;
	int rc = buf == NULL ? RG_CTL_REFUSED : RG_CTL_DONE;
	bool is_end = false;

	while (rc == RG_CTL_DONE && !is_end) {
		rc = fill(t, buf, &len, &is_end);
		if (rc != RG_CTL_DONE)
			break;
		piece = whole_lines(buf, len, is_end);
		if (piece == 0 && len == CTL_TEXT_MAX)
			rc = fail(t, RG_CTL_REFUSED, "a line of over 64 KiB",
				  "this is no file of pairs");
		else if (piece > 0)
			rc = send_piece(t, buf, piece);
		len -= piece;
		memmove(buf, buf + piece, len);
	}
	free(buf);
	return rc;
}

static void print_counts(const struct transfer *t) {
	const struct count *c = t->counts;

	if (t->o->is_json)
		printf("{\"schema\":\"%s\",\"ok\":true,\"data\":{\"lines\":%ju", t->r->cmd->schema,
		       (uintmax_t)t->lines);
	else
		printf("%ju lines in %.1f s:", (uintmax_t)t->lines,
		       (double)(now_ns() - t->start_ns) / 1e9);
	for (unsigned i = 1; c[i].name != NULL; i++)
		if (t->o->is_json)
			printf(",\"%s\":%ju", c[i].name, (uintmax_t)t->n[i]);
		else
			printf(" %ju %s,", (uintmax_t)t->n[i], c[i].text);
	if (t->o->is_json)
		printf(",\"refused\":%ju}}\n", (uintmax_t)t->n[0]);
	else
		printf(" %ju refused\n", (uintmax_t)t->n[0]);
}

static int tell_import(struct transfer *t, int rc) {
	char text[4300];

	progress_end(t);
	if (t->n[0] > TOLD_MAX) {
		snprintf(text, sizeof(text), "%ju more lines were refused",
			 (uintmax_t)(t->n[0] - TOLD_MAX));
		cli_complain(t->place, text);
	}
	if (rc == RG_CTL_NO_DAEMON) {
		snprintf(
			text, sizeof(text),
			"%s: stopped behind line %ju; what is done stays: give the same file again",
			t->path, (uintmax_t)t->lines);
		cli_complain(t->place, text);
	}
	if (rc == RG_CTL_DONE || (!t->o->is_json && t->lines > 0))
		print_counts(t);
	return rc == RG_CTL_DONE && t->n[0] > 0 ? RG_CTL_PARTIAL : rc;
}

// A copy: the argument gives way to what is sent. NULL without memory.
static char *take_path(const struct cli_request *r) {
	return strdup(json_string_value(json_object_get(r->args, "file")));
}

int cli_import(const struct cli_opts *o, const struct cli_request *r, const char *place) {
	char *path = take_path(r);
	struct transfer t = {.o = o, .r = r, .place = place, .path = path, .start_ns = now_ns()};
	struct stat st;
	int rc;

	if (path == NULL)
		return RG_CTL_REFUSED;
	t.counts = r->id == CTL_POOL_REMOVE ? remove_counts : import_counts;
	t.fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (t.fd >= 0 && fstat(t.fd, &st) == 0 && S_ISREG(st.st_mode))
		t.all_bytes = (uint64_t)st.st_size;
	rc = t.fd < 0 ? fail(&t, RG_CTL_USAGE, strerror(errno), "name a file to read")
		      : tell_import(&t, send_file(&t));
	if (t.fd >= 0)
		close(t.fd);
	free(path);
	return rc;
}

// --- export

static int write_all(int fd, const char *p, size_t len) {
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int take_page(struct transfer *t, bool *is_end) {
	const json_t *data, *text;
	json_t *answer, *after;
	int rc = call(t, &answer, &data);

	if (rc != RG_CTL_DONE)
		return rc;
	text = json_object_get(data, "text");
	after = json_object_get(data, "next_after");
	*is_end = !json_is_integer(after);
	t->pairs += number(data, "pairs");
	if (write_all(t->fd, json_string_value(text), json_string_length(text)) != 0)
		rc = fail(t, RG_CTL_REFUSED, strerror(errno), "make room, then export again");
	else if (!*is_end && json_object_set(t->r->args, "after", after) != 0)
		rc = fail(t, RG_CTL_REFUSED, "out of memory", "end other programs");
	progress(t, t->pairs);
	json_decref(answer);
	return rc;
}

static int take_pages(struct transfer *t) {
	const char *format = json_string_value(json_object_get(t->r->args, "format"));
	bool is_end = false;
	int rc = RG_CTL_DONE;

	json_object_del(t->r->args, "file"); // not the daemon's business
	if ((format == NULL || strcmp(format, "csv") == 0) &&
	    write_all(t->fd, "impi,impu\n", 10) != 0)
		rc = fail(t, RG_CTL_REFUSED, strerror(errno), "make room, then export again");
	while (rc == RG_CTL_DONE && !is_end)
		rc = take_page(t, &is_end);
	progress_end(t);
	return rc;
}

// Under another name until it is whole.
static int export_to_file(struct transfer *t, const char *path) {
	char part[4200];
	int rc;

	if ((size_t)snprintf(part, sizeof(part), "%s.part", path) >= sizeof(part))
		return fail(t, RG_CTL_USAGE, strerror(ENAMETOOLONG), "name another file");
	if (access(path, F_OK) == 0)
		return fail(t, RG_CTL_USAGE, strerror(EEXIST), "name a new file, or remove it");
	t->fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (t->fd < 0)
		return fail(t, RG_CTL_USAGE, strerror(errno), "name a file that can be written");
	rc = take_pages(t);
	if (rc == RG_CTL_DONE && (fsync(t->fd) != 0 || link(part, path) != 0))
		rc = fail(t, RG_CTL_REFUSED, strerror(errno), "name another file");
	close(t->fd);
	unlink(part);
	return rc;
}

int cli_export(const struct cli_opts *o, const struct cli_request *r, const char *place) {
	char *path = take_path(r);
	struct transfer t = {.o = o, .r = r, .place = place, .path = path, .start_ns = now_ns()};
	int rc;

	if (path == NULL)
		return RG_CTL_REFUSED;
	t.fd = STDOUT_FILENO;
	rc = strcmp(path, "-") == 0 ? take_pages(&t) : export_to_file(&t, path);
	if (rc == RG_CTL_DONE)
		fprintf(stderr, "%ju pairs\n", (uintmax_t)t.pairs);
	free(path);
	return rc;
}
