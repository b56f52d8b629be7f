// SPDX-License-Identifier: BSD-3-Clause
// One function for a timed run of each kind of scenario.
#include <stdio.h>

#include "bench.h"

#define TRACK_MS 100
#define STORM_MAX_S 120

static unsigned job_of(const struct bench *b) {
	if (b->sc->kind == KIND_HANDSHAKE && b->sc->is_tls_only)
		return JOB_TLS;
	return b->plan->job;
}

// Latencies of single steps, where a job has several.
static const struct {
	uint8_t step;
	const char *name;
} parts[] = {
	{STEP_CONNECT, "connect"},       {STEP_TLS, "tls_handshake"},
	{STEP_UPGRADE, "upgrade"},       {STEP_REGISTER, "register"},
	{STEP_LEASE_TAKE, "lease_take"}, {STEP_LEASE_RENEW, "lease_renew"},
	{STEP_LEASE_GIVE, "lease_give"},
};

static void want_parts(struct bench *b, struct tally *t) {
	char name[48];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!sock_job_has(job_of(b), parts[i].step))
			continue;
		snprintf(name, sizeof(name), "%s_latency", parts[i].name);
		t->parts[parts[i].step] = result_hist(b->r, name, "us", 1e-3);
	}
}

// What misbehaves begins with the counted runs; the warm-ups show how it is without it.
static int run_paced(struct bench *b, int run) {
	bool is_attacked = b->sc->misbehaving > 0 && run >= 0;
	struct tally t = bench_tally(b, b->plan->op), reopened = {.name = "reopen"};
	unsigned list = b->plan->is_open ? LIST_READY : LIST_OUT, n = 1;
	struct stream st[SOCK_MAX_STREAMS] = {bench_stream(b, job_of(b), list, &t)};
	int rc;

	if (b->sc->search_loss != LOSS_OFF)
		return bench_search(b, run);
	if (b->plan->is_open)
		st[n++] = bench_repair(b, &reopened);
	else if (run >= 0)
		want_parts(b, &t);
	if (is_attacked)
		st[n++] = bench_attack(b);
	bench_begin(b);
	rc = sock_run(b->s, st, n, bench_until(b), true);
	sock_attack_stop(b->s, &b->attack);
	if (b->sc->misbehaving > 0 && run < 0)
		bench_tell_latency(b, t.name, "_alone", t.h);
	if (run >= 0 && reopened.sent > 0)
		tally_tell(&reopened, b->r);
	return bench_end(b, run, &t, rc);
}

static int run_mixed(struct bench *b, int run) {
	struct tally t = bench_tally(b, "refresh"), reopened = {.name = "reopen"};
	struct tally churn = {.name = "churn"}, reconnect = {.name = "reconnect"};
	double a = b->sc->churn / 100.0, c = b->sc->reconnects / 100.0;
	struct stream st[] = {bench_stream(b, JOB_REFRESH, LIST_READY, &t),
			      bench_repair(b, &reopened)};
	int rc;

	st[0].n_mix = 3;
	st[0].mix[0].share = 1 - a - c;
	st[0].mix[1].job = JOB_CHURN;
	st[0].mix[1].share = a;
	st[0].mix[1].tally = &churn;
	st[0].mix[2].job = JOB_RECONNECT;
	st[0].mix[2].share = c;
	st[0].mix[2].tally = &reconnect;
	if (run >= 0) {
		churn.h = result_hist(b->r, "churn_latency", "us", 1e-3);
		reconnect.h = result_hist(b->r, "reconnect_latency", "us", 1e-3);
	}
	bench_begin(b);
	rc = sock_run(b->s, st, 2, bench_until(b), true);
	if (run >= 0) {
		tally_tell(&churn, b->r);
		tally_tell(&reconnect, b->r);
		if (reopened.sent > 0)
			tally_tell(&reopened, b->r);
	}
	return bench_end(b, run, &t, rc);
}

static int run_idle(struct bench *b, int run) {
	uint64_t lost = b->s->lost.failed, pings = b->s->n_pings;
	struct target_use u;
	uint32_t n, later;
	int rc;

	if (run < 0)
		return 0;
	bench_begin(b);
	rc = sock_run(b->s, NULL, 0, sock_clock() + bench_duration(b), false);
	u = target_use(b->pid);
	n = b->s->n_clients;
	later = n - n / 10; // since b->use[1]
	if (u.n > 0 && n >= 10)
		result_add(b->r, "bytes_per_connection", "B", BETTER_LOWER,
			   ((double)u.bytes - (double)b->use[1].bytes) / later);
	if (u.n > 0) {
		result_add(b->r, "target_bytes", "B", BETTER_LOWER, (double)u.bytes);
		result_add(b->r, "target_cpu_share", "1", BETTER_LOWER,
			   (double)(u.cpu_ns - b->cpu_ns) / (double)bench_duration(b));
	}
	result_add(b->r, "connections_held", "1", BETTER_HIGHER, b->s->n_registered);
	result_count(b->r, "lost", b->s->lost.failed - lost);
	result_count(b->r, "pings_answered", b->s->n_pings - pings);
	return rc;
}

// All connections break at once, or with the target.
static int break_all(struct bench *b, struct command *restart) {
	struct sock *s = b->s;

	if (b->sc->restart != NULL)
		return command_begin(restart, s->err, s->err_len);
	for (uint32_t i = 0; i < s->n_clients; i++) {
		sock_close(s, &s->conns[i], true);
		list_put(s, &s->conns[i], LIST_OUT);
	}
	return 0;
}

// While the command runs, clients come back as they find out; then those that did not find out break
// off as well.
static int wait_restart(struct bench *b, struct stream *st, struct command *restart) {
	struct sock *s = b->s;
	int rc = 0, ended = restart->pid == 0 ? 0 : RG_MORE;

	st->is_beside = true; // there is no end until then
	while (rc == 0 && ended == RG_MORE) {
		rc = sock_run(s, st, 1, sock_clock() + 20 * RG_NS_PER_MS, false);
		ended = command_check(restart, false, s->err, s->err_len);
	}
	st->is_beside = false;
	for (uint32_t i = 0; i < s->n_clients; i++) {
		struct conn *c = &s->conns[i];

		if (c->job != JOB_NONE || c->due_ns == st->due_ns)
			continue;
		sock_close(s, c, true);
		list_put(s, c, LIST_OUT);
	}
	return rc != 0 ? rc : ended;
}

static int run_storm(struct bench *b, int run) {
	struct command restart = {.name = "restart", .text = b->sc->restart};
	struct tally t = bench_tally(b, b->plan->op);
	struct stream st = bench_stream(b, JOB_OPEN, LIST_OUT, &t);
	uint64_t most_s = b->sc->duration_s > 0 ? b->sc->duration_s : STORM_MAX_S;
	int rc;

	bench_begin(b);
	st.limit = b->s->n_clients;
	st.is_limit_done = true;
	st.due_ns = b->begin_ns;
	if (run == 0) {
		t.track = result_track(b->r, "registered_again", "1", TRACK_MS);
		t.track_ns = b->begin_ns;
	}
	b->s->is_lenient = true;
	rc = break_all(b, &restart);
	if (rc == 0)
		rc = wait_restart(b, &st, &restart);
	if (rc == 0)
		rc = sock_run(b->s, &st, 1, b->begin_ns + most_s * RG_NS_PER_S, true);
	b->s->is_lenient = false;
	if (run >= 0 && rc == 0) {
		result_add(b->r, "half_registered_again", "s", BETTER_LOWER,
			   (double)hist_quantile(t.h, 0.5) / 1e9);
		result_add(b->r, "all_registered_again", "s", BETTER_LOWER,
			   (double)(t.last_ns - b->begin_ns) / 1e9);
		result_count(b->r, "not_registered_again", b->s->n_clients - b->s->n_registered);
	}
	return bench_end(b, run, &t, rc);
}

static int run_dereg(struct bench *b, int run) {
	struct tally t = bench_tally(b, b->plan->op);
	struct stream st = bench_stream(b, JOB_DEREGISTER, LIST_READY, &t);
	int rc;

	if (st.limit == 0 || st.limit > b->s->n_clients)
		st.limit = b->s->n_clients;
	bench_begin(b);
	rc = sock_run(b->s, &st, 1, RG_NEVER, true);
	rc = bench_end(b, run, &t, rc);
	return rc == 0 ? bench_open(b, b->s->n_clients - b->s->n_registered) : rc;
}

// A third of the time with the core, a third without, a third with it again.
static int run_outage(struct bench *b, int run) {
	static const char *const names[] = {"refresh", "refresh_in_outage", "refresh_after_outage"};
	struct command commands[] = {{0},
				     {.name = "outage_begin", .text = b->sc->outage_begin},
				     {.name = "outage_end", .text = b->sc->outage_end}};
	struct tally t[3] = {{0}, {.name = names[1]}, {.name = names[2]}},
		     reopened = {.name = "reopen"};
	struct stream st[3][2]; // each is over when all are: answers may be late
	uint64_t third_ns = bench_duration(b) / 3;
	int rc = 0;

	t[0] = bench_tally(b, names[0]);
	b->s->is_lenient = true;
	bench_begin(b);
	for (unsigned i = 0; i < 3 && rc == 0; i++) {
		if (i > 0 && run >= 0)
			t[i].h = result_hist(b->r,
					     i == 1 ? "latency_in_outage" : "latency_after_outage",
					     "us", 1e-3);
		st[i][0] = bench_stream(b, JOB_REFRESH, LIST_READY, &t[i]);
		st[i][0].limit = 0;
		st[i][1] = bench_repair(b, &reopened);
		if (commands[i].text != NULL)
			rc = command_begin(&commands[i], b->s->err, b->s->err_len);
		if (rc == 0)
			rc = sock_run(b->s, st[i], 2, sock_clock() + third_ns, i == 2);
	}
	b->s->is_lenient = false;
	for (unsigned i = 1; i < 3; i++)
		if (command_check(&commands[i], true, b->s->err, b->s->err_len) < 0)
			rc = -ECHILD;
	for (unsigned i = 1; i < 3 && run >= 0; i++)
		tally_tell(&t[i], b->r);
	return bench_end(b, run, &t[0], rc);
}

const struct plan sock_plans[N_KINDS] = {
	[KIND_REFRESH] = {true, true, JOB_REFRESH, "refresh", "refreshes_per_s", run_paced},
	[KIND_COLD] = {false, true, JOB_COLD, "registration", "registrations_per_s", run_paced},
	[KIND_RESUMPTION] = {false, true, JOB_COLD, "registration", "registrations_per_s",
			     run_paced},
	[KIND_IDLE] = {true, true, JOB_NONE, "hold", "", run_idle},
	[KIND_MIXED] = {true, true, JOB_REFRESH, "refresh", "refreshes_per_s", run_mixed},
	[KIND_STORM] = {true, true, JOB_OPEN, "reconnect", "reconnects_per_s", run_storm},
	[KIND_DEREG] = {true, true, JOB_DEREGISTER, "deregistration", "deregistrations_per_s",
			run_dereg},
	[KIND_LEASE_API] = {false, false, JOB_LEASE, "lease", "leases_per_s", run_paced},
	[KIND_CORE_OUTAGE] = {true, true, JOB_REFRESH, "refresh", "refreshes_per_s", run_outage},
	[KIND_HANDSHAKE] = {false, false, JOB_HANDSHAKE, "handshake", "handshakes_per_s",
			    run_paced},
};
