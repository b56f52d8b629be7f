// SPDX-License-Identifier: BSD-3-Clause
// Jobs: what a client does, step by step, and what becomes of it.
#include <stdio.h>
#include <sys/epoll.h>

#include "sock_int.h"

#define RETRY_NS RG_NS_PER_S
#define DRIP_NS (200 * RG_NS_PER_MS)
#define OVERSIZE_BYTES (128 * 1024)

static const struct job {
	uint8_t steps[8];
} jobs[N_JOBS] = {
	[JOB_OPEN] = {{STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_REGISTER, STEP_DONE}},
	[JOB_COLD] = {{STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_REGISTER, STEP_DONE, STEP_CLOSE}},
	[JOB_HANDSHAKE] = {{STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_DONE, STEP_CLOSE}},
	[JOB_TLS] = {{STEP_CONNECT, STEP_TLS, STEP_DONE, STEP_CLOSE}},
	[JOB_REFRESH] = {{STEP_REGISTER, STEP_DONE}},
	[JOB_CHURN] = {{STEP_UNREGISTER, STEP_CLOSE, STEP_CONNECT, STEP_TLS, STEP_UPGRADE,
			STEP_REGISTER, STEP_DONE}},
	[JOB_DEREGISTER] = {{STEP_UNREGISTER, STEP_DONE}},
	[JOB_RECONNECT] = {{STEP_CUT, STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_REGISTER,
			    STEP_DONE}},
	[JOB_LEASE] = {{STEP_CONNECT, STEP_TLS, STEP_LEASE_TAKE, STEP_LEASE_RENEW, STEP_LEASE_GIVE,
			STEP_DONE}},
	[JOB_LEASE_TAKE] = {{STEP_CONNECT, STEP_TLS, STEP_LEASE_TAKE, STEP_DONE, STEP_CUT}},
	[JOB_LEASE_GIVE] = {{STEP_CONNECT, STEP_TLS, STEP_LEASE_GIVE, STEP_DONE, STEP_CUT}},
	[JOB_HALF_HANDSHAKE] = {{STEP_CONNECT, STEP_HUSH, STEP_DONE}},
	[JOB_HANDSHAKE_FLOOD] = {{STEP_CONNECT, STEP_HELLO, STEP_DONE, STEP_CUT}},
	[JOB_SLOW_HEAD] = {{STEP_CONNECT, STEP_TLS, STEP_HEAD, STEP_DONE}},
	[JOB_SLOW_FRAME] = {{STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_FRAME, STEP_DONE}},
	[JOB_NO_READ] = {{STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_NO_READ, STEP_DONE}},
	[JOB_NO_CLOSE] = {{STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_UNMASKED, STEP_DONE}},
	[JOB_BAD_TOKEN] = {{STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_BAD_TOKEN, STEP_DONE}},
	[JOB_REPLAY] = {{STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_FOREIGN_TOKEN, STEP_DONE}},
	[JOB_OVERSIZE] = {{STEP_CONNECT, STEP_TLS, STEP_UPGRADE, STEP_OVERSIZE, STEP_DONE}},
};

static const struct step {
	const char *name;
	uint8_t is_had; // enum sock_state from which on there is nothing to do
	bool is_timed;  // an answer is due
} steps[N_STEPS] = {
	[STEP_END] = {"nothing under way", 0, false},
	[STEP_CONNECT] = {"TCP connect", CONN_TCP, true},
	[STEP_TLS] = {"TLS handshake", CONN_TLS, true},
	[STEP_UPGRADE] = {"upgrade", CONN_OPEN, true},
	[STEP_REGISTER] = {"REGISTER", 0, true},
	[STEP_UNREGISTER] = {"de-REGISTER", 0, true},
	[STEP_LEASE_TAKE] = {"POST of a lease", 0, true},
	[STEP_LEASE_RENEW] = {"renewal of a lease", 0, true},
	[STEP_LEASE_GIVE] = {"DELETE of a lease", 0, true},
	[STEP_BAD_TOKEN] = {"REGISTER with a bad token", 0, true},
	[STEP_FOREIGN_TOKEN] = {"REGISTER with another's token", 0, true},
	[STEP_HELLO] = {"ClientHello", 0, true},
	[STEP_HUSH] = {"silence", 0, false},
	[STEP_HEAD] = {"slow head", 0, false},
	[STEP_FRAME] = {"slow frame", 0, false},
	[STEP_NO_READ] = {"reading nothing", 0, false},
	[STEP_UNMASKED] = {"waiting for the close", 0, false},
	[STEP_OVERSIZE] = {"oversized message", 0, false},
};

const char *sock_step_name(unsigned step) {
	return steps[step].name == NULL ? "leaving" : steps[step].name;
}

void sock_expire(struct sock *s) {
	struct sock_end end = {.why = WHY_TIMEOUT};

	const struct list *l = &s->lists[LIST_TIMED];

	while (l->head != SOCK_NONE && s->conns[l->head].step_ns + s->timeout_ns <= s->now_ns)
		sock_fail(s, &s->conns[l->head], end, NULL);
}

bool sock_job_has(unsigned job, unsigned step) {
	return memchr(jobs[job].steps, (int)step, sizeof(jobs[job].steps)) != NULL;
}

// --- steps

struct wire_register sock_register_of(struct sock *s, struct conn *c, char *room, size_t room_len) {
	uint32_t other = c->step == STEP_FOREIGN_TOKEN ? c->ident % s->n_clients : c->ident;

	return (struct wire_register){
		.domain = s->sc->domain,
		.impu = sock_impu(s, c->ident, room, room_len),
		.token = c->step == STEP_BAD_TOKEN ? RG_LIT("eyJ0eXAiOiJub25lIn0.e30.bm8gdG9rZW4")
						   : sock_token(s, other),
		.salt = s->salt,
		.client = sock_index(s, c),
		.cseq = c->cseq,
		.expires_s = c->step == STEP_UNREGISTER ? 0 : s->sc->expires_s,
		.padding = c->step == STEP_OVERSIZE ? OVERSIZE_BYTES : 0,
	};
}

struct wire_upgrade sock_upgrade_of(const struct sock *s, const struct conn *c) {
	struct wire_upgrade u = {.host = s->host, .path = s->sc->path, .origin = s->sc->origin};
	uint64_t number = s->salt + c->serial;

	memcpy(u.nonce, &number, sizeof(number));
	number = sock_index(s, c);
	memcpy(u.nonce + 8, &number, sizeof(number));
	return u;
}

static struct rg_wr writer(struct sock *s) {
	return rg_wr(s->text + WIRE_FRAME_HEAD, sizeof(s->text) - WIRE_FRAME_HEAD);
}

static void send_register(struct sock *s, struct conn *c) {
	struct rg_wr w = writer(s);
	struct wire_register r;
	char impu[128];

	c->cseq++;
	r = sock_register_of(s, c, impu, sizeof(impu));
	wire_register_put(&w, &r);
	sock_send_frame(s, c, OP_TEXT, w.len);
}

static void send_upgrade(struct sock *s, struct conn *c) {
	struct wire_upgrade u = sock_upgrade_of(s, c);
	struct rg_wr w = writer(s);

	wire_upgrade_put(&w, &u);
	sock_send_text(s, c, w.len);
}

// One more byte of what a slow client says; it never comes to an end.
static void send_drip(struct sock *s, struct conn *c) {
	static const char head[] = "GET / HTTP/1.1\r\nHost: x\r\nX: ";
	static const uint8_t frame[] = {0x81, 0xfe, 0x03, 0xe8, 1, 2, 3, 4};
	uint32_t i = c->n_dripped++;
	uint8_t byte = 'x';

	if (c->step == STEP_HEAD && i < sizeof(head) - 1)
		byte = (uint8_t)head[i];
	if (c->step == STEP_FRAME && i < sizeof(frame))
		byte = frame[i];
	sock_send(s, c, rg_slice(&byte, 1));
}

void sock_drip(struct sock *s) {
	if (s->now_ns < s->drip_ns)
		return;
	s->drip_ns = s->now_ns + DRIP_NS;
	for (uint32_t i = s->n_clients; i < s->n_conns; i++) {
		struct conn *c = &s->conns[i];

		if (c->step == STEP_HEAD || (c->step == STEP_FRAME && c->n_dripped < 900))
			send_drip(s, c);
		for (unsigned k = 0; k < 8 && c->step == STEP_NO_READ && c->out == NULL; k++)
			send_register(s, c);
	}
}

static void leave(struct sock *s, struct conn *c, unsigned how) {
	struct rg_wr w = writer(s);

	if (c->state == CONN_OPEN && how == CLOSE_WS) {
		rg_put_be(&w, 1000, 2);
		sock_send_frame(s, c, OP_CLOSE, w.len);
	}
	sock_close(s, c, how == CLOSE_RST);
}

static void start_step(struct sock *s, struct conn *c) {
	static const uint8_t unmasked[] = {0x81, 0};
	struct rg_wr w = writer(s);

	switch (c->step) {
	case STEP_CONNECT:
		sock_connect(s, c);
		break;
	case STEP_TLS:
		if (sock_tls_begin(s, c))
			sock_event(s, c, EPOLLIN);
		else
			sock_fail(s, c, (struct sock_end){.why = WHY_ERRNO, .code = ENOMEM}, NULL);
		break;
	case STEP_UPGRADE:
		send_upgrade(s, c);
		break;
	case STEP_LEASE_TAKE:
	case STEP_LEASE_RENEW:
	case STEP_LEASE_GIVE:
		sock_lease_put(s, c, &w);
		sock_send_text(s, c, w.len);
		break;
	case STEP_HELLO:
	case STEP_HUSH:
		sock_send_raw(s, c, s->hello);
		break;
	case STEP_HEAD:
	case STEP_FRAME:
		c->n_dripped = 0;
		break;
	case STEP_NO_READ:
		break;
	case STEP_UNMASKED:
		sock_send(s, c, rg_slice(unmasked, sizeof(unmasked)));
		break;
	default:
		send_register(s, c);
	}
}

static unsigned list_of(const struct sock *s, const struct conn *c) {
	if (sock_index(s, c) >= s->n_clients)
		return LIST_ATTACK;
	return c->is_registered ? LIST_READY : LIST_OUT;
}

static void job_end(struct sock *s, struct conn *c, bool is_ok) {
	struct stream *st = c->stream;

	c->job = JOB_NONE;
	c->step = STEP_END;
	st->n_busy--;
	s->n_busy -= sock_index(s, c) < s->n_clients;
	st->done += is_ok;
	list_put(s, c, list_of(s, c));
}

static void count_done(struct sock *s, struct conn *c) {
	struct tally *t = c->tally;
	uint64_t ns = s->now_ns > c->due_ns ? s->now_ns - c->due_ns : 0;

	t->ok++;
	t->slow += ns > RG_NS_PER_S;
	t->last_ns = s->now_ns;
	if (t->h != NULL)
		hist_add(t->h, ns);
	if (t->track != NULL)
		result_track_add(t->track,
				 (unsigned)((s->now_ns - t->track_ns) /
					    (t->track->step_ms * RG_NS_PER_MS)),
				 1);
}

// Goes on until a step has to wait.
static void advance(struct sock *s, struct conn *c) {
	for (;;) {
		c->step = jobs[c->job].steps[c->at++];
		if (c->step == STEP_END) {
			job_end(s, c, true);
			return;
		}
		if (c->step == STEP_DONE)
			count_done(s, c);
		else if (c->step == STEP_CUT)
			sock_close(s, c, true);
		else if (c->step == STEP_CLOSE)
			leave(s, c, s->sc->close);
		else if (steps[c->step].is_had == 0 || c->state < steps[c->step].is_had)
			break;
	}
	c->step_ns = s->now_ns;
	list_put(s, c, steps[c->step].is_timed ? LIST_TIMED : LIST_NONE);
	start_step(s, c);
}

void sock_begin(struct sock *s, struct conn *c, struct stream *st, unsigned mix, uint64_t due_ns) {
	c->job = st->mix[mix].job;
	c->tally = st->mix[mix].tally;
	c->stream = st;
	c->at = 0;
	c->due_ns = due_ns;
	c->tally->sent++;
	c->tally->late += s->now_ns > due_ns + SOCK_LATE_NS && st->pace.rate > 0;
	st->begun++;
	st->n_busy++;
	s->n_busy += sock_index(s, c) < s->n_clients;
	advance(s, c);
}

void sock_step_done(struct sock *s, struct conn *c) {
	struct hist *part = c->tally->parts[c->step];

	s->now_ns = sock_clock();
	if (part != NULL)
		hist_add(part, s->now_ns - c->step_ns);
	if (c->step == STEP_REGISTER || c->step == STEP_UNREGISTER) {
		s->n_registered -= c->is_registered;
		c->is_registered = c->step == STEP_REGISTER;
		s->n_registered += c->is_registered;
	}
	advance(s, c);
}

// --- what goes wrong

static const char *cure_of(const struct sock_end *e) {
	if (e->why == WHY_ERRNO && e->code == ECONNREFUSED)
		return "; is the target running, on that port?";
	if (e->why == WHY_ERRNO && e->code == EADDRNOTAVAIL)
		return "; give more local addresses (source), or let them end by RST (close: rst)";
	if (e->why == WHY_ERRNO && (e->code == EMFILE || e->code == ENFILE))
		return "; allow more open files (ulimit -n)";
	if (e->why == WHY_TIMEOUT)
		return "; is the way there open, or timeout too short?";
	if (e->step == STEP_TLS)
		return "; does it speak TLS 1.3 with this suite and group there?";
	if (e->step == STEP_UPGRADE)
		return "; are path and origin right, and is it SIP over WebSocket there?";
	if (e->why == WHY_SIP && (e->code == 401 || e->code == 403))
		return "; are domain and tokens the target's?";
	return "";
}

static void fatal(struct sock *s, struct conn *c, const struct sock_end *e, const char *why) {
	char text[128];

	if (*s->err != '\0')
		return;
	sock_end_text(e, text, sizeof(text));
	snprintf(s->err, s->err_len, "%s: client %u: %s%s%s%s%s", s->sc->target, sock_index(s, c),
		 sock_step_name(e->step), text, why != NULL ? ": " : "", why != NULL ? why : "",
		 cure_of(e));
}

// Does this one end the run? What is no such server always does. In the set-up whatever a second
// try cannot mend, and failures that outnumber the successes.
static bool is_fatal(const struct sock *s, const struct conn *c, const struct sock_end *e) {
	if (sock_index(s, c) >= s->n_clients)
		return false;
	if (e->why >= WHY_TLS)
		return !s->is_lenient;
	if (!s->is_strict || c->job == JOB_NONE)
		return false;
	return ((e->why == WHY_SIP || e->why == WHY_HTTP) && e->code < 500) ||
	       e->why == WHY_ERRNO || c->tally->failed >= c->tally->ok;
}

void sock_fail(struct sock *s, struct conn *c, struct sock_end end, const char *why) {
	bool is_open = end.why == WHY_SIP || (end.why == WHY_HTTP && c->step >= STEP_LEASE_TAKE &&
					      c->step <= STEP_LEASE_GIVE);
	bool is_idle = c->job == JOB_NONE;

	end.step = c->step;
	if (is_fatal(s, c, &end))
		fatal(s, c, &end, why);
	tally_end(is_idle ? &s->lost : c->tally, &end);
	if (is_idle)
		s->lost.failed++;
	else
		c->tally->failed++;
	if (end.why == WHY_SIP && (end.code == 401 || end.code == 403 || end.code == 404)) {
		s->n_registered -= c->is_registered;
		c->is_registered = false;
	}
	if (!is_open)
		sock_close(s, c, true);
	if (!is_open || sock_index(s, c) < s->n_clients)
		c->retry_ns = s->now_ns + RETRY_NS;
	if (is_idle)
		list_put(s, c, list_of(s, c));
	else
		job_end(s, c, false);
}

void sock_ended(struct sock *s, struct conn *c, unsigned tcp, int code) {
	struct sock_end end = {.why = (uint8_t)tcp, .code = (uint16_t)code};
	bool is_cut = tcp == WHY_FIN && (c->in != NULL || c->plain != NULL || c->joined != NULL);

	if (c->end.why != WHY_NOTHING) {
		end = c->end;
		end.tcp = (uint8_t)tcp;
	} else if (tcp != WHY_ERRNO) {
		end.code = 0;
	}
	end.step = c->step;
	if (sock_is_misbehaving(c)) { // what it is here to see
		tally_end(c->tally, &end);
		if (c->tally->ended != NULL)
			hist_add(c->tally->ended, s->now_ns - c->step_ns);
		sock_close(s, c, true);
		sock_step_done(s, c);
	} else if (is_cut) {
		sock_fail(s, c, (struct sock_end){.why = WHY_RUBBISH},
			  c->in != NULL      ? "the end amid a TLS record"
			  : c->plain != NULL ? "the end amid a WebSocket frame or an HTTP answer"
					     : "the end amid the fragments of a message");
	} else {
		sock_fail(s, c, end, NULL);
	}
}
