// SPDX-License-Identifier: BSD-3-Clause
// UNIX stream server of ctlproto.h on env: clients in a fixed array, one request of each at a time.
// Control thread. Bounded: clients, bytes per message, time to send a request and to take an
// answer. A client that does not read is not read from.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/ctl_int.h"

#define HEAD_LEN 4
#define IN_STEP 4096
#define IN_MAX (HEAD_LEN + RG_CTL_MAX) // one whole message of the largest size
#define DUMP_FLAGS (JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12))

static struct ctl_client *client_of_idle(struct env_timer *t) {
	return (struct ctl_client *)((char *)t - offsetof(struct ctl_client, idle));
}

static void req_end(struct ctl_client *cl) {
	json_decref(cl->req.args);
	json_decref(cl->req.rows);
	free(cl->req.look);
	free(cl->req.text);
	ctl_import_drop(cl);
	ctl_later_drop(cl);
	cl->req = (struct ctl_req){0};
}

static void client_close(struct ctl_client *cl) {
	struct env *e = cl->ctl->deps.env;

	ctl_conn_drop(cl);
	env_timer_cancel(e, &cl->idle);
	env_timer_cancel(e, &cl->step);
	env_sock_close(cl->sock);
	req_end(cl);
	free(cl->in);
	free(cl->out);
	*cl = (struct ctl_client){.ctl = cl->ctl};
}

static void on_idle(struct env_timer *t, uint64_t now_ns) {
	(void)now_ns;
	client_close(client_of_idle(t));
}

static void idle_restart(struct ctl_client *cl) {
	struct env *e = cl->ctl->deps.env;

	env_timer_set(e, &cl->idle, env_now_ns(e) + CTL_IDLE_NS);
}

// The message that carries o, malloc'd, of HEAD_LEN + len bytes; NULL without memory.
static uint8_t *encode(const json_t *o, size_t len) {
	uint8_t *out = len == 0 ? NULL : malloc(HEAD_LEN + len);
	struct rg_wr w = rg_wr(out, HEAD_LEN);

	if (out == NULL)
		return NULL;
	rg_put_be(&w, len, HEAD_LEN);
	// Writing allocates again and may fail where measuring did not.
	if (json_dumpb(o, (char *)out + HEAD_LEN, len, DUMP_FLAGS) != len) {
		free(out);
		return NULL;
	}
	return out;
}

// Makes `answer` (consumed) the message to send. Without memory the client is cut off: there is
// nothing to tell it with.
static void queue(struct ctl_client *cl, json_t *answer) {
	size_t len = json_dumpb(answer, NULL, 0, DUMP_FLAGS);

	if (len > RG_CTL_MAX) {
		json_decref(answer);
		ctl_refuse(cl, RG_CTL_REFUSED,
			   "the answer is over %u bytes: ask for less with --limit", RG_CTL_MAX);
		return;
	}
	cl->out = encode(answer, len);
	cl->out_len = HEAD_LEN + len;
	cl->out_sent = 0;
	cl->is_ending |= cl->out == NULL;
	json_decref(answer);
	req_end(cl);
	idle_restart(cl);
}

void ctl_answer(struct ctl_client *cl, json_t *data) {
	json_t *now = ctl_json_time(cl->ctl, env_now_ns(cl->ctl->deps.env));

	queue(cl, json_pack("{s:s, s:b, s:o, s:o}", "schema", cl->req.cmd->schema, "ok", 1,
			    "now_at", now, "data", data));
}

void ctl_refuse(struct ctl_client *cl, enum rg_ctl_exit code, const char *fmt, ...) {
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	queue(cl, json_pack("{s:s, s:b, s:i, s:o}", "schema", "regate.error/1", "ok", 0, "code",
			    (int)code, "error", ctl_json_text(rg_str(text))));
}

// Sends what is queued. True when nothing is left to send.
static bool flush(struct ctl_client *cl) {
	while (cl->out != NULL) {
		ssize_t n = env_send(cl->sock, cl->out + cl->out_sent, cl->out_len - cl->out_sent);

		if (n == -EAGAIN)
			return false;
		if (n <= 0) {
			cl->is_ending = true;
			return true;
		}
		cl->out_sent += (size_t)n;
		if (cl->out_sent < cl->out_len)
			continue;
		free(cl->out);
		cl->out = NULL;
		idle_restart(cl);
	}
	return true;
}

static void in_drop(struct ctl_client *cl, size_t n) {
	cl->in_len -= n;
	if (cl->in_len > 0) {
		memmove(cl->in, cl->in + n, cl->in_len);
		return;
	}
	free(cl->in);
	cl->in = NULL;
	cl->in_cap = 0;
}

// Is there a whole request (or a length that never makes one)?
static bool has_message(const struct ctl_client *cl, uint64_t *len) {
	struct rg_rd rd = rg_rd(rg_slice(cl->in, cl->in_len));

	*len = rg_rd_be(&rd, HEAD_LEN);
	return !rd.bad && (*len > RG_CTL_MAX || cl->in_len - HEAD_LEN >= *len);
}

static void serve(struct ctl_client *cl, uint64_t len) {
	if (len > RG_CTL_MAX) {
		cl->is_ending = true; // the stream is lost: the next message cannot be found
		ctl_refuse(cl, RG_CTL_USAGE, "request of %ju bytes: at most %u are taken",
			   (uintmax_t)len, RG_CTL_MAX);
		return;
	}
	env_timer_cancel(cl->ctl->deps.env, &cl->idle);
	ctl_dispatch(cl, rg_slice(cl->in + HEAD_LEN, len));
	in_drop(cl, HEAD_LEN + len);
}

static void on_step(struct env_timer *t, uint64_t now_ns) {
	(void)now_ns;
	ctl_client_run(ctl_client_of_step(t));
}

void ctl_go_on(struct ctl_client *cl, void (*fn)(struct env_timer *t, uint64_t now_ns)) {
	cl->step.fn = fn;
	env_timer_set(cl->ctl->deps.env, &cl->step, env_now_ns(cl->ctl->deps.env));
}

static void on_walk(struct env_timer *t, uint64_t now_ns) {
	struct ctl_client *cl = ctl_client_of_step(t);

	(void)now_ns;
	if (cl->req.step(cl))
		ctl_client_run(cl);
	else
		ctl_go_on(cl, on_walk);
}

void ctl_walk(struct ctl_client *cl, bool (*step)(struct ctl_client *cl)) {
	cl->req.step = step;
	if (!step(cl))
		ctl_go_on(cl, on_walk);
}

// One request per loop turn and client, so that a pile of small ones cannot hold up the loop.
void ctl_client_run(struct ctl_client *cl) {
	uint64_t len;
	bool is_sent = flush(cl);
	bool is_next;

	if (is_sent && !cl->is_ending && cl->req.cmd == NULL && has_message(cl, &len)) {
		serve(cl, len);
		is_sent = flush(cl);
	}
	if (!is_sent) {
		env_sock_want(cl->sock, ENV_WRITE);
		return;
	}
	if (cl->req.cmd != NULL) {
		// Reads on, so that it hears of a client that leaves: nobody waits for the answer.
		env_sock_want(cl->sock, cl->is_eof || cl->in_len == IN_MAX ? 0 : ENV_READ);
		return;
	}
	is_next = has_message(cl, &len);
	if (cl->is_ending || (cl->is_eof && !is_next)) {
		client_close(cl);
		return;
	}
	if (is_next) {
		ctl_go_on(cl, on_step);
	}
	env_sock_want(cl->sock, is_next ? 0 : ENV_READ);
}

// Takes what the socket has, IN_MAX bytes at most. False at the end
// of the stream or on failure.
static bool receive(struct ctl_client *cl) {
	while (cl->in_len < IN_MAX) {
		ssize_t n;

		if (cl->in_len == cl->in_cap) {
			// Room follows the bytes that came, never the length they announce.
			size_t cap = cl->in_cap == 0 ? IN_STEP : 2 * cl->in_cap;
			uint8_t *p;

			if (cap > IN_MAX)
				cap = IN_MAX;
			p = realloc(cl->in, cap);
			if (p == NULL)
				return false;
			cl->in = p;
			cl->in_cap = cap;
		}
		n = env_recv(cl->sock, cl->in + cl->in_len, cl->in_cap - cl->in_len);
		if (n == -EAGAIN)
			return true;
		if (n <= 0)
			return false;
		cl->in_len += (size_t)n;
		if (cl->in_len < cl->in_cap)
			return true;
	}
	return true;
}

static void on_client(void *arg, struct env_sock *s, unsigned events) {
	struct ctl_client *cl = arg;

	(void)s;
	if ((events & ENV_ERROR) != 0) {
		client_close(cl);
		return;
	}
	// The end of what it sends is no end yet: it may wait for answers.
	if ((events & ENV_READ) != 0 && cl->out == NULL && !receive(cl))
		cl->is_eof = true;
	ctl_client_run(cl);
}

static struct ctl_client *free_slot(struct ctl *c) {
	for (unsigned i = 0; i < CTL_MAX_CLIENTS; i++)
		if (c->clients[i].sock == NULL)
			return &c->clients[i];
	return NULL;
}

static void on_nobody(void *arg, struct env_sock *s, unsigned events) {
	(void)arg;
	(void)s;
	(void)events;
}

// Tells one client too many why, as far as its empty socket buffer takes it, and ends it.
static int turn_away(struct ctl *c) {
	struct ctl_client cl = {.ctl = c};
	int rc = env_accept(c->deps.env, c->listener, on_nobody, NULL, &cl.sock);

	if (rc != 0)
		return rc;
	ctl_refuse(&cl, RG_CTL_REFUSED, "%d clients are connected already: end one, then try again",
		   CTL_MAX_CLIENTS);
	(void)flush(&cl);
	client_close(&cl);
	return 0;
}

static int take_in(struct ctl *c, struct ctl_client *cl) {
	int rc = env_accept(c->deps.env, c->listener, on_client, cl, &cl->sock);

	if (rc != 0)
		return rc;
	cl->idle.fn = on_idle;
	idle_restart(cl);
	return 0;
}

static void on_pause(struct env_timer *t, uint64_t now_ns) {
	struct ctl *c = (struct ctl *)((char *)t - offsetof(struct ctl, pause));

	(void)now_ns;
	env_sock_want(c->listener, ENV_READ);
}

static void on_listener(void *arg, struct env_sock *s, unsigned events) {
	struct ctl *c = arg;
	int rc;

	(void)events;
	do {
		struct ctl_client *cl = free_slot(c);

		rc = cl == NULL ? turn_away(c) : take_in(c, cl);
	} while (rc == 0);
	if (rc == -EAGAIN)
		return;
	// Out of descriptors, say: the listener stays readable, so look away for a while.
	log_put(c->deps.log, LOG_WARN, "ctl.accept", LOG_S("error", rg_strerror(rc)));
	env_sock_want(s, 0);
	env_timer_set(c->deps.env, &c->pause, env_now_ns(c->deps.env) + CTL_PAUSE_NS);
}

struct ctl *ctl_new(const struct ctl_deps *deps, char *err, size_t err_len) {
	struct ctl *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL) {
		snprintf(err, err_len, "ctl: out of memory");
		return NULL;
	}
	c->deps = *deps;
	c->start_ns = env_now_ns(deps->env);
	c->pause.fn = on_pause;
	for (unsigned i = 0; i < CTL_MAX_CLIENTS; i++)
		c->clients[i].ctl = c;
	rc = env_unix_listen(deps->env, deps->conf->ctl_socket, 0660, on_listener, c, &c->listener);
	if (rc != 0) {
		snprintf(err, err_len, "%s: cannot listen (%s): %s", deps->conf->ctl_socket,
			 rg_strerror(rc),
			 rc == -EADDRINUSE ? "another regated uses it; stop that one"
					   : "create its folder or change ctl.socket");
		ctl_free(c);
		return NULL;
	}
	return c;
}

void ctl_free(struct ctl *c) {
	if (c == NULL)
		return;
	for (unsigned i = 0; i < CTL_MAX_CLIENTS; i++)
		client_close(&c->clients[i]);
	ctl_conn_fini(c);
	env_timer_cancel(c->deps.env, &c->pause);
	env_sock_close(c->listener);
	free(c);
}
