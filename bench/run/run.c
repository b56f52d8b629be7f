// SPDX-License-Identifier: BSD-3-Clause
// `regate-bench run`, `list` and `keys`: from a scenario file to a result file.
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "env.h"
#include "regate/err.h"
#include "scenario_int.h"

#define MAX_SETS 64
#define PATH_LEN 1024

static const struct driver *const drivers[] = {&driver_socket, &driver_ring, &driver_memif,
					       &driver_nic};

struct command_line {
	const char *scenario; // file
	const char *json, *hgrm;
	struct scenario_set sets[MAX_SETS];
	size_t n_sets;
};

static int usage(const char *what, const char *cure) {
	fprintf(stderr, "regate-bench: %s: %s\n", what, cure);
	return BENCH_USAGE;
}

static const struct driver *find_driver(const struct scenario *sc) {
	char name[SCENARIO_WORD];

	scenario_word(sc, "driver", name);
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		if (strcmp(drivers[i]->name, name) == 0)
			return drivers[i];
	return NULL;
}

// What else happened on the machine meanwhile.
struct disturbance {
	uint64_t steal_ms, n_switches;
	double begin_s;
};

static struct disturbance disturbance_now(void) {
	struct disturbance d = {.steal_ms = env_steal_ms()};
	struct rusage self = {0}, children = {0};
	struct timespec ts;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	d.n_switches = (uint64_t)(self.ru_nivcsw + children.ru_nivcsw);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	d.begin_s = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	return d;
}

// Without a file the table is what there is; with "-" the JSON takes its place.
static int write_all(const struct result *r, const struct command_line *c) {
	int rc = 0;

	if (c->json == NULL || strcmp(c->json, "-") != 0)
		result_print(r, stdout);
	if (c->json != NULL)
		rc = result_write(r, c->json);
	if (rc != 0) {
		fprintf(stderr, "regate-bench: %s: %s\n", c->json, rg_strerror(rc));
		return rc;
	}
	if (c->hgrm != NULL)
		rc = result_write_hgrm(r, c->hgrm);
	if (rc != 0)
		fprintf(stderr, "regate-bench: %s: %s\n", c->hgrm, rg_strerror(rc));
	return rc;
}

static int measure(const struct driver *d, const struct command_line *c, struct result *r) {
	struct disturbance before, after;
	struct progress p;
	int rc;

	progress_init(&p, stderr);
	progress_phase(&p, "looking at the machine");
	r->environment = env_json(r->sc->cpus);
	before = disturbance_now();
	rc = d->run(r->sc, r, &p, r->why, sizeof(r->why));
	after = disturbance_now();
	progress_fini(&p);
	r->seconds = after.begin_s - before.begin_s;
	r->is_partial = rc != 0;
	if (rc == -ECANCELED)
		snprintf(r->why, sizeof(r->why), "interrupted");
	result_count(r, "host_steal_ms", after.steal_ms - before.steal_ms);
	result_count(r, "involuntary_switches", after.n_switches - before.n_switches);
	if (rc != 0)
		fprintf(stderr, "regate-bench: %s\n", r->why);
	if (write_all(r, c) != 0)
		return BENCH_FAILED;
	if (rc == 0)
		return BENCH_DONE;
	return r->n_series + r->n_hists > 0 ? BENCH_PARTIAL : BENCH_FAILED;
}

// Before anything is measured: can the result be kept?
static bool is_writable(const char *file) {
	FILE *f;

	if (file == NULL || strcmp(file, "-") == 0)
		return true;
	f = fopen(file, "ae");
	if (f == NULL)
		fprintf(stderr, "regate-bench: %s: %s\n", file, rg_strerror(-errno));
	return f != NULL && fclose(f) == 0;
}

static int run(const struct command_line *c) {
	struct scenario *sc = scenario_load(c->scenario, NULL, c->sets, c->n_sets, stderr);
	const struct driver *d = sc == NULL ? NULL : find_driver(sc);
	struct result *r = NULL;
	int code = BENCH_USAGE;

	if (sc != NULL && d == NULL)
		fprintf(stderr, "regate-bench: this build has no such driver\n");
	if (d != NULL && is_writable(c->json) && is_writable(c->hgrm)) {
		code = BENCH_FAILED;
		if (d->prepare == NULL || d->prepare())
			r = result_new(sc);
		if (r != NULL)
			code = measure(d, c, r);
	}
	result_free(r);
	scenario_free(sc);
	return code;
}

static int add_set(struct command_line *c, const char *key, const char *value) {
	if (c->n_sets == MAX_SETS)
		return usage("too many --set", "write a scenario file");
	c->sets[c->n_sets++] = (struct scenario_set){key, value};
	return 0;
}

// "KEY=VALUE" is cut in place.
static int add_pair(struct command_line *c, char *pair) {
	char *equals = strchr(pair, '=');

	if (equals == NULL)
		return usage(pair, "write --set KEY=VALUE");
	*equals = '\0';
	return add_set(c, pair, equals + 1);
}

// A word without '/' and '.' is a file of bench/scenarios.
static const char *find_file(const char *name, char path[PATH_LEN]) {
	if (strpbrk(name, "/.") != NULL)
		return name;
	snprintf(path, PATH_LEN, "%s/%s.yaml", BENCH_SCENARIOS, name);
	return access(path, R_OK) == 0 ? path : name;
}

// is_short: any --KEY VALUE is a --set.
static int parse(int argc, char **argv, bool is_short, struct command_line *c) {
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
		int rc = 0;

		if (strncmp(arg, "--", 2) != 0 && c->scenario == NULL) {
			c->scenario = arg;
			continue;
		}
		if (strncmp(arg, "--", 2) != 0)
			return usage(arg, "one scenario at a time");
		if (value == NULL)
			return usage(arg, "a value is missing behind it");
		i++;
		if (strcmp(arg, "--json") == 0)
			c->json = value;
		else if (strcmp(arg, "--hgrm") == 0)
			c->hgrm = value;
		else if (strcmp(arg, "--set") == 0)
			rc = add_pair(c, argv[i]);
		else if (is_short)
			rc = add_set(c, arg + 2, value);
		else
			rc = usage(arg, "no such option (`regate-bench --help`)");
		if (rc != 0)
			return rc;
	}
	return 0;
}

int run_main(int argc, char **argv) {
	struct command_line c = {0};
	char path[PATH_LEN];
	int rc = parse(argc, argv, false, &c);

	if (rc != 0)
		return rc;
	if (c.scenario == NULL)
		return usage("run", "name a scenario file, or one of `regate-bench list`");
	c.scenario = find_file(c.scenario, path);
	if (c.scenario != path && strpbrk(c.scenario, "/.") == NULL)
		return usage(c.scenario, "no such scenario (`regate-bench list`, or name a file)");
	return run(&c);
}

bool run_is_scenario(const char *name) {
	char path[PATH_LEN];

	return find_file(name, path) == path;
}

int run_short_main(int argc, char **argv) {
	struct command_line c = {0};
	char path[PATH_LEN];
	int rc;

	c.scenario = find_file(argv[0], path);
	rc = parse(argc, argv, true, &c);
	return rc == 0 ? run(&c) : rc;
}

static int is_scenario(const struct dirent *e) {
	const char *dot = strrchr(e->d_name, '.');

	return dot != NULL && strcmp(dot, ".yaml") == 0;
}

int list_main(int argc, char **argv) {
	const char *dir = argc > 1 ? argv[1] : BENCH_SCENARIOS;
	struct dirent **list = NULL;
	int code = BENCH_DONE, n = argc > 2 ? -1 : scandir(dir, &list, is_scenario, alphasort);

	if (argc > 2)
		return usage("list", "name one folder at most");
	if (n < 0)
		return usage(dir, rg_strerror(-errno));
	for (int i = 0; i < n; i++) {
		char path[PATH_LEN], driver[SCENARIO_WORD];
		struct scenario *sc;

		snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
		sc = scenario_load(path, NULL, NULL, 0, stderr);
		if (sc == NULL)
			code = BENCH_USAGE;
		else
			printf("%-20s %-7s %s\n", sc->name, scenario_word(sc, "driver", driver),
			       sc->about == NULL ? "" : sc->about);
		scenario_free(sc);
		free(list[i]);
	}
	free(list);
	return code;
}

int keys_main(int argc, char **argv) {
	bool is_markdown = argc == 2 && strcmp(argv[1], "--markdown") == 0;

	if (argc > 1 && !is_markdown)
		return usage("keys", "takes --markdown or nothing");
	scenario_print_keys(stdout, is_markdown);
	return BENCH_DONE;
}
