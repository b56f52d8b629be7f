// SPDX-License-Identifier: BSD-3-Clause
// Reads /proc; starts commands.
#include "target.h"

#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "regate/err.h"

#define MAX_PROCS 4096

struct proc {
	int pid, parent;
	bool is_target;
};

int target_pid(const struct scenario *sc, char *err, size_t err_len) {
	int pid = (int)sc->target_pid;
	char path[64];
	FILE *f;

	if (sc->target_pidfile != NULL) {
		f = fopen(sc->target_pidfile, "re");
		if (f == NULL || fscanf(f, "%d", &pid) != 1)
			pid = -1;
		if (f != NULL)
			(void)fclose(f);
		if (pid <= 0) {
			snprintf(err, err_len, "target_pidfile: %s: no process id stands there",
				 sc->target_pidfile);
			return -EINVAL;
		}
	}
	if (pid == 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "re");
	if (f == NULL) {
		snprintf(err, err_len, "target_pid: %s: %s", path, strerror(errno));
		return -EINVAL;
	}
	(void)fclose(f);
	return pid;
}

static int parent_of(int pid) {
	char path[64], text[512] = "";
	const char *end;
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	(void)!fread(text, 1, sizeof(text) - 1, f);
	(void)fclose(f);
	end = strrchr(text, ')'); // a name can have blanks
	if (end == NULL || sscanf(end, ") %*c %d", &parent) != 1)
		return 0;
	return parent;
}

static unsigned list_procs(struct proc *p) {
	DIR *d = opendir("/proc");
	struct dirent *e;
	unsigned n = 0;

	while (d != NULL && n < MAX_PROCS && (e = readdir(d)) != NULL) {
		int pid = atoi(e->d_name);

		if (pid > 0)
			p[n++] = (struct proc){pid, parent_of(pid), false};
	}
	if (d != NULL)
		(void)closedir(d);
	return n;
}

// Marks a process and all that descend from it.
static void mark(struct proc *p, unsigned n, int pid) {
	for (unsigned i = 0; i < n; i++) {
		if (p[i].is_target || (p[i].pid != pid && p[i].parent != pid))
			continue;
		p[i].is_target = true;
		if (p[i].pid != pid)
			mark(p, n, p[i].pid);
	}
}

static uint64_t pss_of(int pid) {
	char path[64], line[128];
	uint64_t kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Pss: %lu", &kib) == 1)
			break;
	if (f != NULL)
		(void)fclose(f);
	return kib * 1024;
}

static uint64_t cpu_of(int pid) {
	char path[320];
	uint64_t sum = 0, ns;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", pid, e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fscanf(f, "%lu", &ns) == 1)
			sum += ns;
		(void)fclose(f);
	}
	if (d != NULL)
		(void)closedir(d);
	return sum;
}

struct target_use target_use(int pid) {
	struct proc *p = pid <= 0 ? NULL : calloc(MAX_PROCS, sizeof(*p));
	unsigned n = p == NULL ? 0 : list_procs(p);
	struct target_use u = {0};

	mark(p, n, pid);
	for (unsigned i = 0; i < n; i++)
		if (p[i].is_target) {
			u.n++;
			u.cpu_ns += cpu_of(p[i].pid);
			u.bytes += pss_of(p[i].pid);
		}
	free(p);
	return u;
}

int command_begin(struct command *c, char *err, size_t err_len) {
	char shell[] = "sh", flag[] = "-c", *text = strdup(c->text);
	char *const argv[] = {shell, flag, text, NULL};
	posix_spawn_file_actions_t files;
	int rc = text == NULL ? ENOMEM : posix_spawn_file_actions_init(&files);

	if (rc == 0) {
		rc = posix_spawn_file_actions_adddup2(&files, 2, 1); // stdout is the result's
		if (rc == 0)
			rc = posix_spawn(&c->pid, "/bin/sh", &files, NULL, argv, environ);
		(void)posix_spawn_file_actions_destroy(&files);
	}
	free(text);
	if (rc != 0)
		snprintf(err, err_len, "%s: %s", c->name, strerror(rc));
	return -rc;
}

int command_check(struct command *c, bool is_waited_for, char *err, size_t err_len) {
	int status = 0;
	pid_t rc;

	if (c->pid == 0)
		return 0;
	do
		rc = waitpid(c->pid, &status, is_waited_for ? 0 : WNOHANG);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return RG_MORE;
	c->pid = 0;
	if (rc > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	snprintf(err, err_len, "%s: '%s' ended with %s %d", c->name, c->text,
		 WIFSIGNALED(status) ? "signal" : "code",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return -ECHILD;
}
