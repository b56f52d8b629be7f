// SPDX-License-Identifier: BSD-3-Clause
// regate-imscore: a stand-in for the I-/S-CSCF, for tests, the bench and the quick start. Trusts
// whoever can reach it: loopback and lab networks only.
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "journal.h"
#include "regate/err.h"
#include "server.h"

static const char help[] =
	"Usage: regate-imscore [options]\n"
	"\n"
	"A stand-in for the I-/S-CSCF: registers what a trusted node (auth-done) asks for.\n"
	"\n"
	"  --listen ADDR:PORT   UDP and TCP, default 127.0.0.1:6060\n"
	"  --domain NAME        home domain, default ims.example.net\n"
	"  --min-expires N      seconds; shorter is refused with 423, default 60\n"
	"  --max-expires N      seconds; longer is cut, default 3600\n"
	"  --log FILE           one JSON line per request and its answer\n"
	"  --help, --version\n"
	"\n"
	"SIGUSR1 prints the counters as one JSON line, and so does the end (SIGINT, SIGTERM).\n"
	"\n"
	"Users whose name begins with one of these words meet a failure:\n"
	"  short    423 with Min-Expires 1200         busy     503 with Retry-After\n"
	"  deny     403                               gone     404\n"
	"  tna      401 Digest                        mute     no answer\n"
	"  slow     answers after 2 s                 lost200  registers, first answer is lost\n"
	"  less     grants half                       more     grants 7200\n"
	"  alien    a Contact of somebody else is bound, too\n";

struct options {
	struct rg_addr listen;
	const char *listen_text, *log_path;
	struct registrar_cfg cfg;
};

struct program {
	struct env *env;
	struct registrar *registrar;
	struct server *server;
	FILE *journal;
	int signal_fd;
	struct env_sock *signals;
};

static int usage(const char *what, const char *value) {
	fprintf(stderr, "regate-imscore: %s: %s (see --help)\n", what, value);
	return 2;
}

static bool seconds(const char *text, uint32_t *out) {
	uint64_t v;

	if (!rg_parse_u64(rg_str(text), &v) || v == 0 || v > INT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

// -1 = go on, else the exit status.
static int parse_options(int argc, char **argv, struct options *o) {
	static const struct option longs[] = {
		{"listen", required_argument, NULL, 'l'},
		{"domain", required_argument, NULL, 'd'},
		{"min-expires", required_argument, NULL, 'm'},
		{"max-expires", required_argument, NULL, 'M'},
		{"log", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'l':
			o->listen_text = optarg;
			break;
		case 'd':
			o->cfg.domain = optarg;
			break;
		case 'm':
			if (!seconds(optarg, &o->cfg.min_expires))
				return usage("--min-expires is not a number of seconds", optarg);
			break;
		case 'M':
			if (!seconds(optarg, &o->cfg.max_expires))
				return usage("--max-expires is not a number of seconds", optarg);
			break;
		case 'f':
			o->log_path = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'v':
			puts("regate-imscore " REGATE_VERSION);
			return 0;
		default:
			return 2;
		}
	}
	if (optind < argc)
		return usage("unexpected argument", argv[optind]);
	if (rg_addr_parse(rg_str(o->listen_text), &o->listen) != RG_OK || o->listen.port == 0)
		return usage("--listen is not ADDR:PORT", o->listen_text);
	if (o->cfg.min_expires > o->cfg.max_expires)
		return usage("--min-expires", "above --max-expires");
	return -1;
}

static void on_signal(void *arg, struct env_sock *s, unsigned events) {
	struct program *p = arg;
	struct signalfd_siginfo info;

	(void)s;
	(void)events;
	while (read(p->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			journal_counters(stdout, registrar_get_stats(p->registrar));
		else
			env_stop(p->env);
	}
}

static int watch_signals(struct program *p) {
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;
	p->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return p->signal_fd < 0 ? -errno : 0;
}

static int start(struct program *p, const struct options *o, char *err, size_t err_len) {
	int rc = watch_signals(p); // before env_real_new(): its threads must not take them

	snprintf(err, err_len, "no memory or descriptors");
	if (rc != 0)
		return rc;
	if (o->log_path != NULL && (p->journal = fopen(o->log_path, "a")) == NULL) {
		snprintf(err, err_len, "--log %s: %s", o->log_path, strerror(errno));
		return -errno;
	}
	p->env = env_real_new();
	p->registrar = registrar_new(&o->cfg);
	if (p->env == NULL || p->registrar == NULL)
		return -ENOMEM;
	rc = env_watch_fd(p->env, p->signal_fd, on_signal, p, &p->signals);
	if (rc != 0)
		return rc;
	return server_new(p->env, &o->listen, p->registrar, p->journal, &p->server, err, err_len);
}

static void stop(struct program *p) {
	server_free(p->server);
	env_sock_close(p->signals);
	env_real_free(p->env);
	registrar_free(p->registrar);
	if (p->journal != NULL)
		fclose(p->journal);
	if (p->signal_fd >= 0)
		close(p->signal_fd);
}

int main(int argc, char **argv) {
	struct options o = {
		.listen_text = "127.0.0.1:6060",
		.cfg = {.domain = "ims.example.net", .min_expires = 60, .max_expires = 3600},
	};
	struct program p = {.signal_fd = -1};
	char err[256];
	int rc = parse_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	rc = start(&p, &o, err, sizeof(err));
	if (rc == 0) {
		fprintf(stderr, "regate-imscore: listening on %s (udp, tcp)\n", o.listen_text);
		rc = env_real_run(p.env);
		journal_counters(stdout, registrar_get_stats(p.registrar));
		snprintf(err, sizeof(err), "%s", rg_strerror(rc));
	}
	if (rc != 0)
		fprintf(stderr, "regate-imscore: %s: %s\n", o.listen_text, err);
	stop(&p);
	return rc == 0 ? 0 : 1;
}
