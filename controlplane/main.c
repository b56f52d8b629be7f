// SPDX-License-Identifier: BSD-3-Clause
// regated: command line, signals, and the loop's start and end.
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account/account.h"
#include "core/crash_point.h"
#include "gateway.h"
#include "regate/dp.h"
#include "regate/err.h"
#include "storage.h"

#define EXIT_USAGE 2
#define SMALL_PAGES "REGATE_SMALL_PAGES" // the process before this one found no hugepages left

static const char usage[] =
	"usage: regated [--config FILE] [--check-config | --restore BACKUP | --store-lost]\n"
	"  --config FILE     configuration, default /etc/regate/regated.yaml\n"
	"  --check-config    check it and every file it names, then end: 0 good, 1 not\n"
	"  --restore BACKUP  put what `regatectl store backup` wrote in place of the store, then "
	"end;\n"
	"                    the next start gives out nothing until all leases of before are over\n"
	"  --store-lost      the same without a backup: begin anew where the store is gone\n"
	"  --help-config     print every key with type, range, default and meaning\n"
	"  --hash-password   read a password from standard input, print its hash for "
	"accounts.file\n"
	"  --version, --help\n";

// The loop that a signal ends; set before the handlers are, never cleared while they are.
static struct env *signalled;
static volatile sig_atomic_t is_told_to_end; // by a signal; outlives the loop

static void on_signal(int sig) {
	(void)sig;
	is_told_to_end = 1;
	env_stop(signalled);
}

static void signals_set(struct env *env) {
	struct sigaction sa = {.sa_handler = on_signal};

	signalled = env;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); // a closed terminal is no reason to drop registrations
}

static int hash_password(void) {
	char password[256], hash[128];
	size_t n;

	if (fgets(password, sizeof(password), stdin) == NULL) {
		fprintf(stderr, "regated: no password on standard input\n");
		return EXIT_FAILURE;
	}
	n = strcspn(password, "\r\n");
	if (n == 0 || n == sizeof(password) - 1) {
		fprintf(stderr, "regated: the password must have 1 to %zu bytes\n",
			sizeof(password) - 2);
		return EXIT_FAILURE;
	}
	password[n] = '\0';
	if (account_hash(password, hash, sizeof(hash)) != 0) {
		fprintf(stderr, "regated: no memory to hash the password\n");
		return EXIT_FAILURE;
	}
	puts(hash);
	return EXIT_SUCCESS;
}

// Another process took the hugepages between our look at them and their use, and EAL starts once in a
// process: the same program goes on from its beginning, under the same number, with small pages.
static int begin_anew(char **argv) {
	setenv(SMALL_PAGES, "1", 1);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	execv("/proc/self/exe", argv);
	fprintf(stderr, "regated: /proc/self/exe: %s; set dataplane.hugepages: no\n",
		strerror(errno));
	return EXIT_FAILURE;
}

// What was told to end before its own end does not begin anew.
static int after_taken(struct log *log) {
	signal(SIGINT, SIG_DFL); // what they would end is about to go
	signal(SIGTERM, SIG_DFL);
	if (is_told_to_end)
		return EXIT_SUCCESS;
	log_put(log, LOG_WARN, "dataplane.hugepages_taken", LOG_S("effect", "small pages"),
		LOG_S("cure", "reserve more of them, or set dataplane.hugepages: no"));
	return RG_E_TAKEN;
}

// EXIT_SUCCESS, EXIT_FAILURE or RG_E_TAKEN.
static int run(const struct conf *conf, bool is_check) {
	struct log *log;
	struct env *env;
	struct gateway *g = NULL;
	char err[1024] = "no memory";
	int rc = -1;

	log = log_new(STDERR_FILENO, is_check ? LOG_ERROR : conf->log_level);
	env = env_real_new();
	if (log == NULL || env == NULL)
		goto done;
	signals_set(env);
	rc = gateway_new(conf, env, log, &g, err, sizeof(err));
	if (rc != 0 || is_check)
		goto done;
	rc = gateway_start(g, err, sizeof(err));
	if (rc != 0)
		goto done;
	log_put(log, LOG_INFO, "gateway.ready", LOG_S("version", REGATE_VERSION),
		LOG_U("workers", conf->dp.workers), LOG_S("port", conf->dp.port));
	rc = env_real_run(env);
	if (rc == 0 && gateway_failure(g) != NULL) {
		snprintf(err, sizeof(err), "%s", gateway_failure(g));
		rc = -1;
	}
	log_put(log, LOG_INFO, "gateway.stopping");
done:
	if (rc == RG_E_TAKEN) {
		rc = after_taken(log);
	} else if (rc != 0) {
		fprintf(stderr, "regated: %s\n", err);
		rc = EXIT_FAILURE;
	}
	gateway_free(g);
	env_real_free(env);
	log_free(log);
	return rc;
}

static int replace_store(const struct conf *conf, const char *backup) {
	struct env *env = env_real_new();
	char err[1024] = "no memory";
	int rc = env == NULL ? -1 : storage_replace(conf, env, backup, stdout, err, sizeof(err));

	if (rc != 0)
		fprintf(stderr, "regated: %s\n", err);
	env_real_free(env);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check-config", no_argument, NULL, 'k'},
		{"help-config", no_argument, NULL, 's'},
		{"restore", required_argument, NULL, 'r'},
		{"store-lost", no_argument, NULL, 'l'},
		{"hash-password", no_argument, NULL, 'p'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"list-crash-points", no_argument, NULL, 'n'}, // the release has none
		{NULL, 0, NULL, 0},
	};
	const char *path = "/etc/regate/regated.yaml";
	const char *backup = NULL;
	bool is_check = false, is_replacing = false;
	struct conf *conf;
	int opt, rc;

	if (!rg_dp_prepare_process()) { // cannot be: nothing has run yet
		fprintf(stderr,
			"regated: OpenSSL is in use already; its secrets would stay in memory\n");
		return EXIT_FAILURE;
	}
	while ((opt = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case 'k':
			is_check = true;
			break;
		case 'r':
			backup = optarg;
			is_replacing = true;
			break;
		case 'l':
			is_replacing = true;
			break;
		case 's':
			conf_print_schema(stdout);
			return EXIT_SUCCESS;
		case 'p':
			return hash_password();
		case 'v':
			puts("regated " REGATE_VERSION);
			return EXIT_SUCCESS;
		case 'n':
			crash_points_print();
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (is_replacing && is_check) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (optind != argc) {
		fprintf(stderr, "regated: unexpected argument '%s'\n%s", argv[optind], usage);
		return EXIT_USAGE;
	}
	if (!crash_point_arm_env())
		return EXIT_USAGE;
	conf = conf_load(path, stderr);
	if (conf == NULL)
		return EXIT_FAILURE;
	if (conf->dp.hugepages == RG_HUGE_AUTO && getenv(SMALL_PAGES) != NULL)
		conf->dp.hugepages = RG_HUGE_NO;
	rc = is_replacing ? replace_store(conf, backup) : run(conf, is_check);
	if (is_check && rc == EXIT_SUCCESS)
		printf("%s: ok\n", path);
	conf_free(conf);
	return rc == RG_E_TAKEN ? begin_anew(argv) : rc;
}
