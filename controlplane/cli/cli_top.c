// SPDX-License-Identifier: BSD-3-Clause
// `top` on a terminal: asks again and again, and shows each answer in the place of the one before,
// until Ctrl-C, which ends the view and not the program: it may have been asked for at the prompt.
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"

#define HOME "\033[H"
#define NO_WRAP "\033[?7l"
#define WRAP "\033[?7h"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

bool cli_is_live(const struct cli_opts *o, const struct cli_request *r) {
	return r->id == CTL_TOP && !o->is_json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	       json_object_get(r->args, "once") == NULL;
}

void cli_paint(const char *text, unsigned rows, FILE *out) {
	fputs(HOME, out);
	for (; *text != '\0' && rows > 1; rows--) { // the cursor has the last one
		size_t len = strcspn(text, "\n");

		fprintf(out, "%.*s" CLEAR_LINE "\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
	fputs(CLEAR_BELOW, out);
	fflush(out);
}

static unsigned window_rows(void) {
	struct winsize size = {0};

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

// One answer. Exit code, or CLI_STOPPED.
static int show_once(const struct cli_opts *o, const struct cli_request *r, const char *place,
		     int stop_fd) {
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int rc = f == NULL ? RG_CTL_REFUSED : cli_ask(o, r, place, stop_fd, f);

	if (f == NULL)
		fputs("regatectl: out of memory\n", stderr);
	else
		fclose(f);
	if (rc == RG_CTL_DONE)
		cli_paint(text, window_rows(), stdout);
	free(text);
	return rc;
}

int cli_live(const struct cli_opts *o, const struct cli_request *r, const char *place) {
	struct signalfd_siginfo info;
	sigset_t ctrl_c, before;
	int fd, rc;

	sigemptyset(&ctrl_c);
	sigaddset(&ctrl_c, SIGINT);
	sigprocmask(SIG_BLOCK, &ctrl_c, &before);
	fd = signalfd(-1, &ctrl_c, SFD_CLOEXEC);
	if (fd < 0) {
		perror("regatectl: top");
		rc = RG_CTL_REFUSED;
	} else {
		fputs(NO_WRAP, stdout);
		do
			rc = show_once(o, r, place, fd);
		while (rc == RG_CTL_DONE);
		fputs(WRAP, stdout);
		if (rc == CLI_STOPPED && read(fd, &info, sizeof(info)) > 0)
			rc = RG_CTL_DONE;
		close(fd);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}
