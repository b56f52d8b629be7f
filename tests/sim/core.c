// SPDX-License-Identifier: BSD-3-Clause
// The core: a registrar that holds bindings in true time and keeps them up to its slack longer than
// it says. By its mood it is dead, slow, busy, refuses, or loses answers; requests may reach it as
// late as T_sip allows, answers may come when nobody waits any more.
#include <stdio.h>
#include <stdlib.h>

#include "ims/contact.h"
#include "ims/message.h"
#include "regate/err.h"
#include "world.h"

#define SEC RG_NS_PER_S

uint64_t core_next_ns(const struct world *w) {
	return w->n_jobs == 0 ? RG_NEVER : w->jobs[0].due_ns;
}

static void job_add(struct world *w, struct core_job job, const void *bytes, size_t len) {
	unsigned i = w->n_jobs;

	if (i == MAX_CORE_JOBS)
		world_fail(w, "too many requests under way in the core", N_PAIRS);
	job.len = len;
	job.bytes = malloc(len + 1);
	world_assert(w, job.bytes != NULL, 0);
	memcpy(job.bytes, bytes, len);
	for (; i > 0 && w->jobs[i - 1].due_ns > job.due_ns; i--)
		w->jobs[i] = w->jobs[i - 1];
	w->jobs[i] = job;
	w->n_jobs++;
}

// --- requests

struct request {
	uint32_t pair;
	uint64_t gen, call_id; // as a hash
	bool is_star;
	const struct sip_msg *m;
};

// Whose it is says the handle in the Path: l<idx>.g<gen>.
static bool parse_request(const struct sip_msg *m, struct request *r) {
	const struct sip_hdr *path = sip_hdr_first(m, SIP_HDR_PATH);
	const struct sip_hdr *contact = sip_hdr_first(m, SIP_HDR_CONTACT);
	unsigned long long gen;
	char text[64];
	size_t n;

	if (path == NULL || contact == NULL)
		return false;
	n = path->value.len < sizeof(text) - 1 ? path->value.len : sizeof(text) - 1;
	memcpy(text, path->value.p, n);
	text[n] = '\0';
	*r = (struct request){.m = m,
			      .call_id = rg_call_id_hash(sip_hdr_first(m, SIP_HDR_CALL_ID)->value),
			      .is_star = rg_eq(contact->value, RG_LIT("*"))};
	if (sscanf(text, "<sip:l%u.g%llu.", &r->pair, &gen) != 2 || r->pair >= N_PAIRS)
		return false;
	r->gen = gen;
	return true;
}

static struct history_event event_of(const struct core_job *j, const struct request *r,
				     uint8_t kind) {
	return (struct history_event){.kind = kind,
				      .gateway = (uint8_t)j->g->id,
				      .pair = r->pair,
				      .gen = r->gen,
				      .is_star = r->is_star};
}

static void expire(struct world *w, uint32_t pair) {
	for (unsigned i = 0; i < MAX_BINDINGS; i++)
		if (w->bindings[pair][i].end_ns <= w->now_ns)
			w->bindings[pair][i].is_used = false;
}

static unsigned n_bound(const struct world *w, uint32_t pair) {
	unsigned n = 0;

	for (unsigned i = 0; i < MAX_BINDINGS; i++)
		n += w->bindings[pair][i].is_used;
	return n;
}

static uint64_t grant_ns(struct world *w, const struct core_job *j, uint32_t asked_s) {
	uint64_t ns = asked_s * SEC;

	if (w->is_calm || j->is_late || world_chance(w, 80))
		return ns;
	w->n.core_faults++;
	if (world_chance(w, 60) || w->mood != CORE_WELL || !gateway_serves(j->g) ||
	    j->life != j->g->life || j->end != j->g->core)
		return (30 + world_random(w, asked_s)) * SEC;
	// Longer than asked: the gateway notes it before anything else goes wrong (known limit).
	w->calm_until_ns = w->now_ns + 200 * SEC;
	gateway_heal(j->g);
	return ns + world_random(w, 3000) * SEC;
}

static void bind(struct world *w, const struct core_job *j, const struct request *r, uint32_t no,
		 struct rg_slice element, uint32_t asked_s) {
	struct binding *b = NULL;
	struct history_event e = event_of(j, r, EV_BIND);
	uint64_t ns = grant_ns(w, j, asked_s);

	for (unsigned i = MAX_BINDINGS; i-- > 0;)
		if (!w->bindings[r->pair][i].is_used)
			b = &w->bindings[r->pair][i];
	for (unsigned i = 0; i < MAX_BINDINGS; i++)
		if (w->bindings[r->pair][i].contact == no)
			b = &w->bindings[r->pair][i];
	world_assert(w, b != NULL && element.len < sizeof(b->element), r->pair);
	if (b->is_used && b->call_id == r->call_id && r->m->cseq <= b->cseq)
		return; // RFC 3261 10.3 step 7: overtaken
	// The gateway promises by the binding of before until it has the answer, also by one that the
	// core has dropped.
	e.is_late = j->is_late || (b->contact == no && b->told_ns > w->now_ns + ns);
	*b = (struct binding){.is_used = true,
			      .contact = no,
			      .gen = r->gen,
			      .call_id = r->call_id,
			      .cseq = r->m->cseq};
	memcpy(b->element, element.p, element.len);
	b->told_ns = w->now_ns + ns;
	b->end_ns = b->told_ns + world_random(w, w->cfg.core_slack_ns - 10 * SEC);
	e.token = no;
	e.end_ns = b->end_ns;
	e.told_ns = b->told_ns;
	e.asked_ns = asked_s * SEC;
	world_log(w, e);
	b->high_ns = w->now_ns + (ns > asked_s * SEC ? ns : asked_s * SEC);
	world_extend(w, b->high_ns + w->cfg.core_slack_ns + 2 * w->cfg.t_sip_ns);
}

static void unbind(struct world *w, const struct core_job *j, const struct request *r,
		   uint32_t no) {
	struct history_event e = event_of(j, r, EV_UNBIND);

	for (unsigned i = 0; i < MAX_BINDINGS; i++)
		if (no == 0 || w->bindings[r->pair][i].contact == no)
			w->bindings[r->pair][i].is_used = false;
	e.token = no;
	e.n_left = (uint16_t)n_bound(w, r->pair);
	world_log(w, e);
}

// "sip:c<number>@x.invalid"
static uint32_t contact_number(struct rg_slice uri) {
	uint64_t no = 0;
	size_t n = 0;

	if (uri.len < 6 || memcmp(uri.p, "sip:c", 5) != 0)
		return 0;
	uri = rg_skip(uri, 5);
	while (n < uri.len && uri.p[n] >= '0' && uri.p[n] <= '9')
		n++;
	return rg_parse_u64(rg_slice(uri.p, n), &no) ? (uint32_t)no : 0;
}

static void apply(struct world *w, const struct core_job *j, const struct request *r) {
	struct rg_slice v;
	struct contact c;
	uint64_t s;

	expire(w, r->pair);
	if (r->is_star) {
		unbind(w, j, r, 0);
		return;
	}
	for (const struct sip_hdr *h = sip_hdr_first(r->m, SIP_HDR_CONTACT); h != NULL;
	     h = sip_hdr_next(r->m, h)) {
		world_assert(w, contact_parse(h->value, &c) == RG_OK, r->pair);
		world_assert(w, sip_param(c.params, RG_LIT("expires"), &v), r->pair);
		world_assert(w, rg_parse_u64(v, &s), r->pair);
		if (s == 0)
			unbind(w, j, r, contact_number(c.uri));
		else // the element is everything before ";expires="
			bind(w, j, r, contact_number(c.uri),
			     rg_slice(h->value.p, (size_t)(v.p - h->value.p) - 9), (uint32_t)s);
	}
}

// --- answers

static void put_bindings(const struct world *w, uint32_t pair, struct rg_wr *out) {
	for (unsigned i = 0; i < MAX_BINDINGS; i++) {
		const struct binding *b = &w->bindings[pair][i];

		if (!b->is_used)
			continue;
		rg_puts(out, "Contact: ");
		rg_puts(out, b->element);
		rg_puts(out, ";expires=");
		// past what was told it is late, and bound still
		rg_put_u64(out, b->told_ns > w->now_ns + SEC ? (b->told_ns - w->now_ns) / SEC : 1);
		rg_puts(out, "\r\n");
	}
}

static void answer(struct world *w, const struct core_job *j, const struct request *r,
		   unsigned status, uint64_t delay_ns) {
	uint8_t lines[2048], buf[SIP_MAX_MSG];
	struct rg_wr lw = rg_wr(lines, sizeof(lines)), out = rg_wr(buf, sizeof(buf));
	struct sip_answer a = {.status = status, .to_tag = RG_LIT("core")};
	struct core_job later = *j;

	if (status == 200) {
		put_bindings(w, r->pair, &lw);
		if (w->other_id_ns[r->pair] != 0)
			rg_puts(&lw,
				r->pair == 1
					? "P-Associated-URI: <sip:pair-0@ims.example.net>\r\n"
					: "P-Associated-URI: <sip:pair-1@ims.example.net>\r\n");
		rg_puts(&lw, "Service-Route: <sip:orig@scscf.ims.example.net;lr>\r\n");
	} else if (status == 503 && world_chance(w, 50)) {
		rg_puts(&lw, "Retry-After: ");
		rg_put_u64(&lw, 1 + world_random(w, 20));
		rg_puts(&lw, "\r\n");
	} else if (status == 423) {
		rg_puts(&lw, "Min-Expires: ");
		rg_put_u64(&lw, 60 + world_random(w, 7200));
		rg_puts(&lw, "\r\n");
	}
	a.headers = rg_wr_slice(&lw);
	sip_put_answer(&out, r->m, &a);
	world_assert(w, !out.overflow && !lw.overflow, r->pair);
	later.kind = JOB_ANSWER;
	later.due_ns = w->now_ns + delay_ns;
	job_add(w, later, out.p, out.len);
	if (status != 200) {
		struct history_event e = event_of(j, r, EV_CORE_REFUSE);

		e.status = (uint16_t)status;
		world_log(w, e);
	}
}

// The core has the request: it is done, refused, or lost.
static void on_request(struct world *w, const struct core_job *j, const struct sip_msg *m) {
	static const uint16_t refusals[] = {403, 404, 408, 423, 480, 500, 504};
	enum core_mood mood = w->is_calm ? CORE_WELL : w->mood;
	struct request r;

	world_assert(w, parse_request(m, &r), N_PAIRS);
	if (mood == CORE_BUSY || mood == CORE_REFUSES) {
		w->n.core_faults++;
		answer(w, j, &r, mood == CORE_BUSY ? 503 : refusals[world_random(w, 7)],
		       world_random(w, 50 * RG_NS_PER_MS));
		return;
	}
	apply(w, j, &r);
	if (mood == CORE_LOSES && world_chance(w, 50)) {
		w->n.core_faults++;
		return;
	}
	answer(w, j, &r, 200, world_random(w, mood == CORE_SLOW ? 15 * SEC : 50 * RG_NS_PER_MS));
}

static void run_job(struct world *w, const struct core_job *j) {
	struct sip_msg m;

	if (j->kind == JOB_APPLY) {
		world_assert(w, sip_parse(rg_slice(j->bytes, j->len), &m) == RG_OK, N_PAIRS);
		on_request(w, j, &m);
	} else if (j->end != NULL && j->life == j->g->life) {
		(void)env_sim_write(j->end, rg_slice(j->bytes, j->len));
	}
}

bool core_run(struct world *w) {
	bool is_any = core_next_ns(w) <= w->now_ns;

	while (core_next_ns(w) <= w->now_ns) {
		struct core_job job = w->jobs[0];

		memmove(w->jobs, w->jobs + 1, --w->n_jobs * sizeof(job));
		run_job(w, &job);
		free(job.bytes);
	}
	return is_any;
}

// On its way: most arrive at once, some as late as they may (T_sip), some never.
static void take_request(struct gateway *g, const struct sip_msg *m) {
	struct world *w = g->w;
	struct core_job j = {.kind = JOB_APPLY,
			     .g = g,
			     .end = g->core,
			     .life = g->life,
			     .due_ns = w->now_ns + world_random(w, 20 * RG_NS_PER_MS)};

	history_note(&w->h, m->raw.p, m->raw.len);
	if (!w->is_calm && w->mood == CORE_DEAD) {
		w->n.core_faults++;
		if (world_chance(w, 70))
			return;
	}
	if (!w->is_calm && w->mood != CORE_WELL && world_chance(w, 20)) {
		j.due_ns = w->now_ns + world_random(w, w->cfg.t_sip_ns - SEC);
		j.is_late = true;
	}
	job_add(w, j, m->raw.p, m->size);
}

void core_read(struct gateway *g) {
	struct env_sim_end *end;
	struct sip_msg m;
	ssize_t n;

	if (g->env == NULL)
		return;
	while ((end = env_sim_accept(g->env, &g->conf.core.address)) != NULL) {
		g->core = end;
		g->in_len = 0;
	}
	if (g->core == NULL)
		return;
	while ((n = env_sim_read(g->core, g->in + g->in_len, sizeof(g->in) - g->in_len)) > 0) {
		g->in_len += (size_t)n;
		while (g->in_len > 0 && sip_parse_stream(rg_slice(g->in, g->in_len), &m) == RG_OK) {
			take_request(g, &m);
			g->in_len -= m.size;
			memmove(g->in, g->in + m.size, g->in_len);
		}
	}
}

void core_forget(struct world *w, struct gateway *g, bool is_reboot) {
	for (unsigned i = 0; i < w->n_jobs; i++)
		if (w->jobs[i].g == g && (is_reboot || g->core == NULL))
			w->jobs[i].end = NULL;
	g->core = NULL;
	g->in_len = 0;
}

void core_deregister(struct world *w) {
	uint32_t pair = (uint32_t)world_random(w, N_PAIRS);

	expire(w, pair);
	if (n_bound(w, pair) == 0)
		return;
	for (unsigned i = 0; i < MAX_BINDINGS; i++)
		w->bindings[pair][i].is_used = false;
	w->n.core_faults++;
	world_log(w, (struct history_event){.kind = EV_NET_DEREG, .pair = pair});
}

void core_fini(struct world *w) {
	for (unsigned i = 0; i < w->n_jobs; i++)
		free(w->jobs[i].bytes);
}
