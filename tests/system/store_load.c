// SPDX-License-Identifier: BSD-3-Clause
// One client of an etcd store, as a gateway is: gives pairs out, renews, takes them back, as fast as
// answers come, and says on standard output what was acknowledged. test_etcd.py starts several and
// holds what they say against each other.
//
//   store_load ENDPOINTS PREFIX NAME PAIRS DEPTH    until SIGTERM; then "V" lines, its view
//   store_load ENDPOINTS PREFIX fill PAIRS DEPTH    makes the records
//
//   A kind impi gen sub sent done   acknowledged; times in ns of CLOCK_MONOTONIC
//   U kind impi gen sub sent why    unknown
//   C kind impi gen sub sent why    somebody else was first, or came after it
//   B impi gen sub what             a promise was broken
//   V impi gen sub state rev        what it knows at the end
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/env.h"
#include "regate/err.h"
#include "store/store_etcd.h"

#define MAX_ENDPOINTS 9
#define HELD 1
#define SETTLE_NS (5 * RG_NS_PER_S)

struct pair {
	char impi[24], impu[32], sub[48];
	uint64_t gen, rev;
	uint8_t state;
	bool is_busy, is_mine; // mine: in the store it is ours
	bool is_back;          // the client has given it back: the store has to learn it
	char kind;             // of what is under way: g, n, r
	char new_sub[48];
	uint64_t new_gen, sent_ns;
};

static struct env *env;
static struct store *store;
static struct pair *pairs;
static unsigned n_pairs, depth, n_out, n_subs;
static const char *name;
static bool is_filling, is_ending;
static volatile sig_atomic_t is_told;
static struct env_timer timer;

static uint64_t now(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * RG_NS_PER_S + (uint64_t)ts.tv_nsec;
}

static bool is_ours(const char *sub) {
	size_t len = strlen(name);

	return strncmp(sub, name, len) == 0 && sub[len] == '-';
}

static void take(struct pair *p, const struct store_lease *l) {
	if (l->rev <= p->rev)
		return;
	if (p->is_mine && !p->is_back && l->gen != p->gen)
		printf("B %s %" PRIu64 " %s taken-by-%s\n", p->impi, p->gen, p->sub, l->sub);
	p->rev = l->rev;
	p->gen = l->gen;
	p->state = l->state;
	snprintf(p->sub, sizeof(p->sub), "%s", l->sub);
	// What we wrote and were not told of, too: nobody has it, so it is taken back.
	p->is_mine = p->state == HELD && is_ours(p->sub);
	p->is_back = p->is_back && p->is_mine;
}

static void on_told(void *arg, const struct store_lease *l) {
	(void)arg;
	take(&pairs[atoi(l->impi + 1)], l);
}

static int on_row(void *arg, const struct store_lease *l) {
	unsigned i = (unsigned)atoi(l->impi + 1);

	(void)arg;
	if (i >= n_pairs)
		return -EINVAL;
	take(&pairs[i], l);
	return 0;
}

static void pump(void);

static void on_done(void *arg, int rc, uint64_t rev) {
	struct pair *p = arg;
	struct store_lease l = {.gen = p->new_gen, .rev = rev, .sub = p->new_sub};

	n_out--;
	p->is_busy = false;
	if (rc != 0) {
		printf("%c %c %s %" PRIu64 " %s %" PRIu64 " %s\n", rc == RG_E_CONFLICT ? 'C' : 'U',
		       p->kind, p->impi, p->new_gen, p->new_sub, p->sent_ns, rg_strerror(rc));
	} else {
		printf("A %c %s %" PRIu64 " %s %" PRIu64 " %" PRIu64 "\n", p->kind, p->impi,
		       p->new_gen, p->new_sub, p->sent_ns, now());
		l.state = p->kind == 'r' || is_filling ? 0 : HELD;
		p->is_mine = false; // until it is taken
		take(p, &l);
	}
	env_timer_set(env, &timer, env_now_ns(env));
}

static void commit(struct pair *p, char kind) {
	struct store_lease l = {.impi = p->impi,
				.impu = p->impu,
				.pool = "pool",
				.gateway = name,
				.rev = p->rev,
				.scenario = 3,
				.reassign_ms = 1};

	p->kind = kind;
	p->is_back = kind == 'r';
	p->new_gen = p->gen + (kind == 'g');
	p->sent_ns = now();
	if (kind == 'g')
		snprintf(p->new_sub, sizeof(p->new_sub), "%s-%u", name, n_subs++);
	else
		snprintf(p->new_sub, sizeof(p->new_sub), "%s", p->sub);
	l.gen = p->new_gen;
	l.sub = p->new_sub;
	l.state = kind == 'r' || kind == 'f' ? 0 : HELD;
	l.tokens[0].end_ms = 1;
	memset(&l.tokens[0].digest, (int)n_subs, sizeof(l.tokens[0].digest));
	if (store_commit(store, &l, on_done, p) != 0)
		return;
	p->is_busy = true;
	n_out++;
}

static void pump(void) {
	for (unsigned tries = 0; n_out < depth && tries < 8 * depth && !is_ending; tries++) {
		struct pair *p = &pairs[(unsigned)rand() % n_pairs];

		if (p->is_busy || (p->state == HELD && !p->is_mine))
			continue;
		commit(p, !p->is_mine ? 'g' : p->is_back || rand() % 4 == 0 ? 'r' : 'n');
	}
}

static void fill(void) {
	for (unsigned i = 0; n_out < depth && i < n_pairs; i++)
		if (pairs[i].rev == 0 && !pairs[i].is_busy)
			commit(&pairs[i], 'f');
	if (n_out == 0)
		env_stop(env);
}

static void on_timer(struct env_timer *t, uint64_t now_ns) {
	static uint64_t end_ns;

	if (is_told && !is_ending) {
		is_ending = true;
		end_ns = now_ns + SETTLE_NS; // what others still write is told by then
	}
	if (is_ending && n_out == 0 && now_ns >= end_ns) {
		env_stop(env);
		return;
	}
	if (is_filling)
		fill();
	else
		pump();
	env_timer_set(env, t, now_ns + 20 * RG_NS_PER_MS);
}

static void on_signal(int sig) {
	(void)sig;
	is_told = 1;
}

static int start(const char *prefix, char *list) {
	static const char *endpoints[MAX_ENDPOINTS];
	static struct store_etcd_cfg cfg;
	const struct store_watch watch = {.lease = on_told};
	const struct store_load load = {on_row, NULL};
	char err[256];
	int rc;

	cfg = (struct store_etcd_cfg){.endpoints = endpoints, .prefix = prefix, .name = name};
	for (char *e = strtok(list, ","); e != NULL && cfg.n_endpoints < MAX_ENDPOINTS;
	     e = strtok(NULL, ","))
		endpoints[cfg.n_endpoints++] = e;
	rc = store_etcd_open(env, &cfg, &store, err, sizeof(err));
	if (rc != 0) {
		fprintf(stderr, "store_load: %s\n", err);
		return rc;
	}
	store_set_watch(store, &watch);
	return store_load_all(store, &load);
}

static void init_pairs(void) {
	pairs = calloc(n_pairs, sizeof(*pairs));
	for (unsigned i = 0; i < n_pairs; i++) {
		snprintf(pairs[i].impi, sizeof(pairs[i].impi), "p%u@x", i);
		snprintf(pairs[i].impu, sizeof(pairs[i].impu), "sip:p%u@x", i);
	}
}

int main(int argc, char **argv) {
	if (argc != 6) {
		fprintf(stderr, "usage: store_load ENDPOINTS PREFIX NAME|fill PAIRS DEPTH\n");
		return 2;
	}
	name = argv[3];
	is_filling = strcmp(name, "fill") == 0;
	n_pairs = (unsigned)atoi(argv[4]);
	depth = (unsigned)atoi(argv[5]);
	srand((unsigned)now());
	init_pairs();
	signal(SIGTERM, on_signal);
	signal(SIGPIPE, SIG_IGN);
	env = env_real_new();
	timer.fn = on_timer;
	if (start(argv[2], argv[1]) != 0)
		return 1;
	puts("ready");
	fflush(stdout);
	env_timer_set(env, &timer, env_now_ns(env));
	env_real_run(env);
	for (unsigned i = 0; i < n_pairs && !is_filling; i++)
		printf("V %s %" PRIu64 " %s %u %" PRIu64 "\n", pairs[i].impi, pairs[i].gen,
		       pairs[i].sub[0] == '\0' ? "-" : pairs[i].sub, pairs[i].state, pairs[i].rev);
	store_close(store);
	env_real_free(env);
	free(pairs);
	return 0;
}
