// SPDX-License-Identifier: BSD-3-Clause
// Serves a ctl on the real environment, between stand-ins, while a script runs against it.
// usage: serve SCRIPT REGATECTL; the script gets REGATECTL and the socket's path. Its exit code is
// ours. Nothing polls: the script starts once the socket is there, and its end is the end of a pipe.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../ctl/harness.h"

static struct env *env;

static void on_script_end(void *arg, struct env_sock *s, unsigned events) {
	(void)arg;
	(void)s;
	(void)events;
	env_stop(env);
}

static void fill(void) {
	static char names[1000][32];

	fake.n_workers = FAKE_WORKERS;
	fake.n_pairs = 1000;
	fake.pairs = calloc(fake.n_pairs, sizeof(*fake.pairs));
	for (uint32_t i = 0; i < fake.n_pairs; i++) {
		snprintf(names[i], sizeof(names[i]), "sip:p%u@example.net", i);
		fake.pairs[i] = (struct lease){.idx = i,
					       .state = i < 500 ? LEASE_ACTIVE : LEASE_FREE,
					       .gen = 7,
					       .impu = names[i],
					       .impi = names[i] + 4,
					       .sub = i < 500 ? "alice" : NULL};
		fake.pairs[i].tokens[0].end_ns = env_now_ns(env) + 7199 * RG_NS_PER_S;
	}
	fake.pairs[3].binding.contact = RG_LIT("<sip:\033[2J\xff\n@x>");
}

static pid_t start_script(char **argv, const char *socket, int go, int end) {
	pid_t pid = fork();
	char byte;

	if (pid != 0)
		return pid;
	close(end);
	if (read(go, &byte, 1) == 1)
		execl(argv[1], argv[1], argv[2], socket, NULL);
	_exit(127);
}

int main(int argc, char **argv) {
	static char *origins[] = {"https://demo.example.net"};
	static struct conf_wwsf wwsfs[] = {{.id = "demo", .origins = origins, .n_origins = 1}};
	static struct conf_pool pools[] = {{.name = "main"}};
	char dir[] = "/tmp/regate-serve-XXXXXX", path[64], err[256];
	struct conf conf = {
		.ctl_socket = path, .wwsfs = wwsfs, .n_wwsfs = 1, .pools = pools, .n_pools = 1};
	struct env_sock *watch;
	struct ctl_deps deps;
	struct ctl *ctl;
	int go[2], end[2], status = -1;
	pid_t pid;

	if (argc != 3 || mkdtemp(dir) == NULL || pipe(go) != 0 || pipe(end) != 0)
		return 99;
	snprintf(path, sizeof(path), "%s/ctl", dir);
	pid = start_script(argv, path, go[0], end[0]);
	close(end[1]); // from now on only the script holds it open
	env = env_real_new();
	fill();
	deps = (struct ctl_deps){.conf = &conf,
				 .env = env,
				 .log = log_new(open("/dev/null", O_WRONLY), LOG_INFO)};
	ctl = ctl_new(&deps, err, sizeof(err));
	if (pid < 0 || ctl == NULL || env_watch_fd(env, end[0], on_script_end, NULL, &watch) != 0)
		return 99;
	if (write(go[1], "", 1) != 1 || env_real_run(env) != 0)
		return 99;
	waitpid(pid, &status, 0);
	ctl_free(ctl);
	env_sock_close(watch);
	env_real_free(env);
	log_free(deps.log);
	free(fake.pairs);
	unlink(path);
	rmdir(dir);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}
