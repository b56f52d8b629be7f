// SPDX-License-Identifier: BSD-3-Clause
// regate-kill: kill -9 of a process with the lease engine and SQLite under load, again and again, at
// random instants and at every crash point. Nothing acknowledged may be lost, nothing given twice.
#include "kill.h"
#include "core/crash_point.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "regate/clock.h"

#define ROUNDING_NS (2 * RG_NS_PER_MS) // records have milliseconds

static struct kill_world world;
static uint64_t n_acked, n_kills, serving_ns, longest_ns;

static uint64_t now_ns(void) {
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * RG_NS_PER_S + (uint64_t)t.tv_nsec;
}

static _Noreturn void die(const char *what, uint32_t idx) {
	fprintf(stderr, "FAILED kill %llu, pair %u: %s (file kept: %s)\n",
		(unsigned long long)n_kills, idx, what, world.path);
	exit(1);
}

static void on_granted(const struct note *n) {
	struct known_pair *p = &world.pairs[n->idx];

	if (n->gen <= p->gen)
		die("the generation did not grow", n->idx);
	// The two newest tokens are good; one that was stored without an answer may be among them.
	for (unsigned i = 0; i < 2 && i + p->n_unsure < 2; i++)
		if (!p->is_ending && p->token_end_ns[i] > n->at_ns + ROUNDING_NS)
			die("given twice", n->idx);
	*p = (struct known_pair){.gen = n->gen,
				 .sub = n->sub,
				 .tokens = {n->digest},
				 .token_end_ns = {n->end_ns}};
}

static void on_renewed(const struct note *n) {
	struct known_pair *p = &world.pairs[n->idx];

	if (n->gen != p->gen || n->sub != p->sub)
		die("renewed for somebody else", n->idx);
	// One that was stored without an answer may stand between.
	p->tokens[1] = p->tokens[0];
	p->token_end_ns[1] = p->n_unsure > 1 ? 0 : p->token_end_ns[0];
	p->tokens[0] = n->digest;
	p->token_end_ns[0] = n->end_ns;
	p->n_unsure = 0;
}

static void on_note(const struct note *n, uint64_t born_ns) {
	struct known_pair *p = &world.pairs[n->idx % KILL_PAIRS];
	uint64_t ns;

	switch (n->kind) {
	case NOTE_SERVING:
		ns = now_ns() - born_ns;
		serving_ns += ns;
		longest_ns = ns > longest_ns ? ns : longest_ns;
		return;
	case NOTE_IMPORTED:
		world.is_imported[n->idx] = true;
		return;
	case NOTE_GRANTED:
		n_acked++;
		on_granted(n);
		return;
	case NOTE_RENEWED:
		n_acked++;
		on_renewed(n);
		return;
	case NOTE_RENEWING:
		p->n_unsure += n->gen == p->gen;
		return;
	case NOTE_ENDING:
		p->is_ending |= n->gen == p->gen;
		return;
	case NOTE_SWAPPING:
		world.is_swapping = true;
		return;
	case NOTE_SWAPPED:
		world.is_swapping = false;
		world.is_there = n->gen != 0;
		return;
	default:
		die(n->text, n->idx);
	}
}

// One life: killed kill_ns after it serves, or by itself at world.point. False: it did not get there.
static bool live(uint64_t kill_ns) {
	uint64_t born_ns = now_ns(), serves_ns = 0;
	struct note n;
	int fds[2], status;
	bool is_killed = false;
	pid_t pid;

	world.life++;
	world.n_subs += 1000000;
	if (pipe(fds) != 0 || (pid = fork()) < 0)
		die("no process", 0);
	if (pid == 0) {
		close(fds[0]);
		kill_life(&world, fds[1]);
	}
	close(fds[1]);
	for (;;) {
		struct pollfd pfd = {.fd = fds[0], .events = POLLIN};
		uint64_t at_ns = serves_ns + kill_ns,
			 left = at_ns > now_ns() ? at_ns - now_ns() : 0;
		const struct timespec t = {(time_t)(left / RG_NS_PER_S),
					   (long)(left % RG_NS_PER_S)};

		if (!is_killed && serves_ns != 0 && left == 0) {
			kill(pid, SIGKILL);
			is_killed = true;
		}
		if (ppoll(&pfd, 1, is_killed || serves_ns == 0 ? NULL : &t, NULL) == 0)
			continue;
		if (read(fds[0], &n, sizeof(n)) != sizeof(n))
			break;
		on_note(&n, born_ns);
		if (n.kind == NOTE_SERVING)
			serves_ns = now_ns();
	}
	close(fds[0]);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		die("it ended by itself", 0);
	n_kills++;
	return !is_killed;
}

static void visit_points(void) {
	for (unsigned i = 0; crash_point_name(i) != NULL; i++) {
		world.point = crash_point_name(i);
		world.at = 1 + i % 3;
		if (!live(10 * RG_NS_PER_S)) {
			fprintf(stderr, "FAILED crash point %s was never reached\n", world.point);
			exit(1);
		}
	}
	world.point = NULL;
	(void)live(0); // looks at what the last one left
}

int main(int argc, char **argv) {
	char dir[] = "/tmp/regate-kill.XXXXXX", path[64], command[96];
	uint64_t end_ns, n_max = UINT64_MAX;
	unsigned seconds = 45, seed = 1;

	if (argc == 2 && strcmp(argv[1], "--crash-points") == 0) {
		crash_points_print();
		return 0;
	}
	for (int i = 1; i < argc; i += 2) {
		bool has_value = i + 1 < argc;

		if (has_value && strcmp(argv[i], "--seconds") == 0) {
			seconds = (unsigned)atoi(argv[i + 1]);
		} else if (has_value && strcmp(argv[i], "--kills") == 0) {
			n_max = strtoull(argv[i + 1], NULL, 10);
			seconds = 86400;
		} else if (has_value && strcmp(argv[i], "--seed") == 0) {
			seed = (unsigned)atoi(argv[i + 1]);
		} else {
			fputs("usage: regate-kill [--seconds N | --kills N] [--seed N] | "
			      "--crash-points\n",
			      stderr);
			return 2;
		}
	}
	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/db", dir);
	world.path = path;
	end_ns = now_ns() + seconds * RG_NS_PER_S;
	visit_points();
	srand(seed);
	while (n_kills < n_max && now_ns() < end_ns)
		// Mostly while it is new; now and then with much under way.
		(void)live((uint64_t)rand() % ((rand() % 4 == 0 ? 60 : 4) * RG_NS_PER_MS));
	printf("%llu kills, %llu acknowledged: 0 double, 0 lost; from start to serving %.1f ms, "
	       "at most %.1f ms\n",
	       (unsigned long long)n_kills, (unsigned long long)n_acked,
	       (double)serving_ns / (double)n_kills / 1e6, (double)longest_ns / 1e6);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) == 0 ? 0 : 1;
}
