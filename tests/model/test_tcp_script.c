// SPDX-License-Identifier: BSD-3-Clause
// Runs scripted TCP scenarios (tcp/*.tcp, described in tcp/README.md) against the engine, each of
// them twice: see the variants in script_world.c.
//   test_tcp_script [-v] [-n PART_OF_NAME] FILE...     -v shows every segment
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regate/err.h"
#include "script.h"

#define MAX_LINE 512
#define N_VARIANTS 2
#define TCP_MINUTE_NS (60 * RG_NS_PER_S)
#define LATE_NS (8 * MS) // a timer fires within its tick, and never early

struct script {
	const char *path;
	char **lines;
	unsigned n;
};

struct statement {
	const char *name;
	void (*run)(struct world *w, char *args);
};

static char *word(char **s) {
	char *w = *s + strspn(*s, " \t");

	*s = w + strcspn(w, " \t");
	if (**s != '\0')
		*(*s)++ = '\0';
	*s += strspn(*s, " \t");
	return w;
}

static uint32_t number(struct world *w, const char *s) {
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*s == '\0' || *end != '\0')
		fail(w, "'%s' is no number", s);
	return (uint32_t)n;
}

// --- what came

// Takes the first of the queue away.
static void drop_sent(struct world *w, unsigned i) {
	memmove(&w->sent[i], &w->sent[i + 1], (--w->n_sent - i) * sizeof(*w->sent));
}

static void drop_event(struct world *w) {
	memmove(&w->events[0], &w->events[1], --w->n_events * sizeof(*w->events));
}

static void expect_silence(struct world *w) {
	char text[256];

	if (w->n_sent > 0) {
		seg_format(&w->sent[0].seg, NULL, text, sizeof(text));
		fail(w, "before this came: > %s", text);
	}
	if (w->n_events > 0)
		fail(w, "before this came: event %s",
		     event_text(&w->events[0], text, sizeof(text)));
}

static struct sent *first_sent(struct world *w) {
	for (unsigned i = 0; i < w->n_sent; i++)
		if (w->sent[i].peer == w->peer)
			return &w->sent[i];
	return NULL;
}

static void expect_one(struct world *w, const struct seg *want) {
	struct sent *came = first_sent(w);
	char text[2][256], all[256];

	seg_format(want, want, text[0], sizeof(text[0]));
	if (came == NULL)
		fail(w, "expected > %s; nothing came", text[0]);
	seg_format(&came->seg, want, text[1], sizeof(text[1]));
	seg_format(&came->seg, NULL, all, sizeof(all));
	if (strcmp(text[0], text[1]) != 0)
		fail(w, "expected > %s; came > %s", text[0], all);
	drop_sent(w, (unsigned)(came - w->sent));
}

static struct seg parse(struct world *w, char *args) {
	struct seg s;
	const char *why;

	if (!seg_parse(args, &s, &why))
		fail(w, "not understood: %s", why);
	return s;
}

// --- statements; the clock stands at their time, the queues hold what has come

static void do_expect(struct world *w, char *args) {
	struct seg s = parse(w, args), part = s;

	if (s.each == 0) {
		expect_one(w, &s);
		return;
	}
	for (uint32_t at = 0; at < s.len; at += s.each) {
		bool is_last = s.len - at <= s.each;

		part.seq = s.seq + at;
		part.len = is_last ? s.len - at : s.each;
		part.flags = is_last ? s.flags : s.flags & ~9; // FIN and PSH with the last
		expect_one(w, &part);
	}
}

static void do_inject(struct world *w, char *args) {
	struct seg s = parse(w, args);

	world_inject(w, &s);
}

static void do_event(struct world *w, char *args) {
	char text[64];
	const char *came;

	if (w->n_events == 0)
		fail(w, "expected event %s; nothing came", args);
	came = event_text(&w->events[0], text, sizeof(text));
	if (w->events[0].peer != w->peer || strcmp(came, args) != 0)
		fail(w, "expected event %s of peer %u; came %s of peer %u", args, w->peer, came,
		     w->events[0].peer);
	drop_event(w);
}

static void do_call(struct world *w, char *args) {
	const struct peer *p = &w->peers[w->peer];
	const char *what = word(&args);

	if (strcmp(what, "connect") == 0) {
		world_connect(w, strcmp(args, "inuse") == 0    ? -EADDRINUSE
				 : strcmp(args, "nobufs") == 0 ? -ENOBUFS
							       : 0);
	} else if (strcmp(what, "close") == 0) {
		tcp_close(w->t, p->idx, w->now_ns);
	} else if (strcmp(what, "abort") == 0) {
		tcp_abort(w->t, p->idx, w->now_ns);
	} else if (strcmp(what, "send") == 0) {
		uint32_t n = number(w, word(&args));

		world_send(w, n,
			   strcmp(args, "nobufs") == 0  ? -ENOBUFS
			   : strcmp(args, "stale") == 0 ? RG_E_STALE
							: 0);
	} else {
		fail(w, "no call '%s'", what);
	}
}

// in opened|data|closed: refuse|close|abort|send N ...
static void do_in(struct world *w, char *args) {
	static const char *const names[] = {"opened", "data", "closed"};
	const char *name = word(&args);
	struct reaction r = {0};

	while (*args != '\0') {
		const char *what = word(&args);

		r.is_refused |= strcmp(what, "refuse") == 0;
		r.is_close |= strcmp(what, "close") == 0;
		r.is_abort |= strcmp(what, "abort") == 0;
		if (strcmp(what, "send") == 0)
			r.send = number(w, word(&args));
	}
	for (unsigned i = 0; i < N_WHEN; i++)
		if (strcmp(name, names[i]) == 0)
			w->reactions[i] = r;
}

// open [<options>] [win N]: a handshake, its third packet included.
static void do_open(struct world *w, char *args) {
	struct peer *p = &w->peers[w->peer];
	char line[MAX_LINE];
	struct seg s;
	bool has_ts;

	snprintf(line, sizeof(line), "S 0:0(0) %s", args);
	s = parse(w, line);
	if (s.n_opts == 0) // what IPv4 assumes then, so that a script holds for both
		s.opts[s.n_opts++] = (struct opt){.kind = OPT_MSS, .v = {536}};
	expect_silence(w);
	world_inject(w, &s);
	if (w->n_sent != 1 || w->sent[0].seg.flags != 18 || w->sent[0].seg.ack != 1)
		fail(w, "no SYN-ACK came");
	has_ts = p->has_ts_iss;
	w->n_sent = 0;
	s.flags = 16;
	s.seq = s.ack = 1;
	for (unsigned i = 0; i < s.n_opts; i++)
		if (s.opts[i].kind == OPT_TS && has_ts) { // the only option it keeps
			s.opts[0] = s.opts[i];
			s.opts[0].v[1] = 0;
			break;
		}
	s.n_opts = has_ts;
	world_inject(w, &s);
	if (w->n_events == 0 || w->events[0].kind != EV_OPENED)
		fail(w, "no connection was opened");
	drop_event(w);
}

// icmp big MTU SEQ, icmp hard SEQ, icmp soft SEQ: an error about our segment of that number.
static void do_icmp(struct world *w, char *args) {
	const char *what = word(&args);
	enum tcp_icmp kind = strcmp(what, "big") == 0    ? TCP_ICMP_TOO_BIG
			     : strcmp(what, "hard") == 0 ? TCP_ICMP_HARD
							 : TCP_ICMP_SOFT;
	uint32_t mtu = kind == TCP_ICMP_TOO_BIG ? number(w, word(&args)) : 0;

	world_icmp(w, kind, mtu, number(w, word(&args)));
}

// only 4, only 6: a scenario of one address family.
static void do_only(struct world *w, char *args) {
	w->is_skipped = (number(w, word(&args)) == 6) != w->is_v6;
}

static void do_peer(struct world *w, char *args) {
	w->peer = number(w, word(&args));
	if (w->peer >= MAX_PEERS)
		fail(w, "there are %u peers", MAX_PEERS);
}

static void do_isn(struct world *w, char *args) {
	w->peers[w->peer].isn = number(w, word(&args));
}

static void do_rebase(struct world *w, char *) {
	w->peers[w->peer].has_iss = false;
}

// Looks for a number of the peer's to which the engine's answer is near its wrap: no further than
// N before it.
static void do_wrap(struct world *w, char *args) {
	uint32_t near = number(w, word(&args));
	struct peer *p = &w->peers[w->peer];
	struct seg syn = {.flags = 2, .win = -1, .dport = -1, .doff = -1, .cut = -1};

	w->is_traced = false;
	for (unsigned i = 0; i < 10000000; i++) {
		p->has_iss = false;
		world_inject(w, &syn);
		p->has_iss = false;
		w->n_sent = 0;
		if (p->iss > UINT32_MAX - near)
			return;
		if ((p->iss >> 24 & 127) == 127)
			p->isn += 7919;
		else // these bits are the same all through a minute
			w->now_ns += TCP_MINUTE_NS;
	}
	fail(w, "no number near the wrap was found");
}

static void do_skip(struct world *w, char *) {
	w->n_sent = w->n_events = 0;
}

static void do_nothing(struct world *w, char *) {
	expect_silence(w);
}

// have conns N, have timewait N, have buffers N (in use), have room N, have drop_X N
static void do_have(struct world *w, char *args) {
	const char *what = word(&args);
	uint32_t want = number(w, word(&args)), n = 0;
	enum rg_stat i = 0;

	if (strcmp(what, "conns") == 0) {
		n = tcp_n_conns(w->t);
	} else if (strcmp(what, "timewait") == 0) {
		n = tcp_n_time_wait(w->t);
	} else if (strcmp(what, "buffers") == 0) {
		n = w->cfg.n_buffers - tcp_n_free_buffers(w->t);
	} else if (strcmp(what, "room") == 0) {
		n = (uint32_t)tcp_send_room(w->t, w->peers[w->peer].idx);
	} else {
		while (i < RG_N_STATS && strcmp(rg_stat_name(i), what) != 0)
			i++;
		if (i == RG_N_STATS)
			fail(w, "no counter '%s'", what);
		n = (uint32_t)rg_stat_get(&w->stats, i);
	}
	if (n != want)
		fail(w, "%s is %u, not %u", what, n, want);
}

// cfg NAME N: before anything else.
static void do_cfg(struct world *w, char *args) {
	const struct {
		const char *name;
		uint32_t *to;
	} words[] = {{"conns", &w->cfg.max_conns},       {"buffers", &w->cfg.n_buffers},
		     {"window", &w->cfg.rcv_wnd},        {"queue", &w->cfg.snd_max},
		     {"records", &w->cfg.max_time_wait}, {"keepalive", &w->cfg.keepalive_s}};
	const char *name = word(&args);
	uint32_t n = number(w, word(&args));

	if (w->t != NULL)
		fail(w, "cfg comes first");
	if (strcmp(name, "mss") == 0)
		w->cfg.mss = (uint16_t)n;
	else if (strcmp(name, "quick") == 0)
		w->cfg.quick_acks = (uint8_t)n;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(name, words[i].name) == 0)
			*words[i].to = n;
}

static const struct statement statements[] = {
	{">", do_expect},      {"<", do_inject},  {"event", do_event}, {"call", do_call},
	{"in", do_in},         {"open", do_open}, {"peer", do_peer},   {"isn", do_isn},
	{"rebase", do_rebase}, {"wrap", do_wrap}, {"skip", do_skip},   {"nothing", do_nothing},
	{"have", do_have},     {"icmp", do_icmp},
};

// --- lines

// "+200ms", "+3s"
static uint64_t parse_delay(struct world *w, const char *s) {
	char *end;
	unsigned long n = strtoul(s + 1, &end, 10);

	if (strcmp(end, "s") == 0)
		n *= 1000;
	else if (strcmp(end, "ms") != 0)
		fail(w, "'%s' is no time: +20ms or +3s", s);
	return n * MS;
}

// What is expected at a time comes then; anything else waits until it is over.
static void pass_time(struct world *w, uint64_t ns, const char *name) {
	bool is_awaited = strcmp(name, ">") == 0 || strcmp(name, "event") == 0;
	uint64_t at_ns = w->now_ns + ns;

	if (strcmp(name, "skip") != 0)
		expect_silence(w);
	world_advance(w, at_ns + (is_awaited ? LATE_NS : 0), is_awaited);
	if (is_awaited && w->n_sent + w->n_events > 0 && w->now_ns < at_ns)
		fail(w, "something came %lu ms early", (unsigned long)((at_ns - w->now_ns) / MS));
	if (!is_awaited && strcmp(name, "skip") != 0)
		expect_silence(w);
}

static void run_line(struct world *w, char *line) {
	char *name = word(&line);
	uint64_t ns = 0;

	if (strcmp(name, "cfg") == 0 || strcmp(name, "only") == 0) {
		(*name == 'c' ? do_cfg : do_only)(w, line);
		return;
	}
	world_start(w);
	if (*name == '+') {
		ns = parse_delay(w, name);
		name = word(&line);
		pass_time(w, ns, name);
		if (*name == '\0')
			return;
	}
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (strcmp(name, statements[i].name) == 0) {
			statements[i].run(w, line);
			return;
		}
	fail(w, "no statement '%s'", name);
}

static bool is_start(const char *line) {
	return strncmp(line, "scenario ", 9) == 0;
}

static void run_lines(struct world *w, const struct script *s, unsigned from) {
	for (unsigned i = from; i < s->n && !is_start(s->lines[i]) && !w->is_skipped; i++) {
		char line[MAX_LINE];

		w->line = i + 1;
		snprintf(line, sizeof(line), "%s", s->lines[i]);
		line[strcspn(line, "#\r\n")] = '\0';
		for (size_t n = strlen(line); n > 0 && line[n - 1] <= ' ';)
			line[--n] = '\0';
		if (line[strspn(line, " \t")] != '\0')
			run_line(w, line + strspn(line, " \t"));
	}
	if (w->is_skipped)
		return;
	expect_silence(w);
	world_end(w);
}

// The scenario whose first line is `first`. True: it went as written.
static bool run_scenario(const struct script *s, unsigned first, unsigned variant, bool is_traced) {
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.file = s->path;
	w.is_traced = is_traced;
	world_init(&w, variant);
	if (is_traced)
		printf("--- %s\n", s->lines[first]);
	if (setjmp(w.failed) == 0)
		run_lines(&w, s, first + 1);
	else
		w.has_failed = true;
	tcp_free(w.t);
	return !w.has_failed;
}

// --- files

static bool load(const char *path, struct script *s) {
	FILE *f = fopen(path, "r");
	char line[MAX_LINE];

	*s = (struct script){.path = path};
	if (f == NULL)
		return false;
	while (fgets(line, sizeof(line), f) != NULL) {
		s->lines = realloc(s->lines, (s->n + 1) * sizeof(*s->lines));
		line[strcspn(line, "\n")] = '\0';
		s->lines[s->n++] = strdup(line);
	}
	fclose(f);
	return true;
}

static void unload(struct script *s) {
	for (unsigned i = 0; i < s->n; i++)
		free(s->lines[i]);
	free(s->lines);
}

struct tally {
	unsigned n, n_failed;
};

static void run_file(const char *path, const char *part, bool is_traced, struct tally *sum) {
	struct tally t = {0};
	struct script s;

	if (!load(path, &s)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		sum->n_failed++;
		return;
	}
	for (unsigned i = 0; i < s.n; i++) {
		bool is_good = true;

		if (!is_start(s.lines[i]) || (part != NULL && strstr(s.lines[i], part) == NULL))
			continue;
		for (unsigned v = 0; v < N_VARIANTS && is_good; v++)
			is_good = run_scenario(&s, i, v, is_traced);
		if (!is_good)
			fprintf(stderr, "    in %s\n", s.lines[i]);
		t.n++;
		t.n_failed += !is_good;
	}
	printf("%s: %u scenarios, %u failed\n", path, t.n, t.n_failed);
	sum->n += t.n;
	sum->n_failed += t.n_failed;
	unload(&s);
}

int main(int argc, char **argv) {
	struct tally sum = {0};
	const char *part = NULL;
	bool is_traced = false;
	int opt;

	while ((opt = getopt(argc, argv, "vn:")) != -1) {
		is_traced |= opt == 'v';
		part = opt == 'n' ? optarg : part;
	}
	for (int i = optind; i < argc; i++)
		run_file(argv[i], part, is_traced, &sum);
	printf("%u scenarios, each in %u rounds, %u failed\n", sum.n, N_VARIANTS, sum.n_failed);
	return sum.n == 0 || sum.n_failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
