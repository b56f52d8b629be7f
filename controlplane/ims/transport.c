// SPDX-License-Identifier: BSD-3-Clause
// Sockets towards the core. Control loop. A failing send never calls back from inside: it leaves
// the clean-up to the timer.
// XXX A path that swallows everything without a reset is noticed by the kernel's own retransmission
// limit only (minutes); until then each request ends by Timer F.
#include "ims/transport.h"

#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"

#define BACKOFF_MIN_NS (100 * RG_NS_PER_MS)
#define BACKOFF_MAX_NS (2 * RG_NS_PER_S)
#define CONNECT_NS (4 * RG_NS_PER_S) // longer than the second SYN of a lossy path (RFC 6298)
#define IN_BYTES (2 * SIP_MAX_MSG)

struct transport_out {
	struct transport_out *next;
	struct transport_out **owner; // set to NULL when this goes
	size_t len, off;
	uint8_t bytes[];
};

enum tcp_state {
	TCP_IDLE,
	TCP_CONNECTING, // timer: give up with fail_rc
	TCP_UP,
	TCP_FAILED, // timer: now, clean up outside the call that found it
	TCP_PAUSE,  // timer: next attempt
};

struct transport {
	struct env *env;
	struct log *log;
	struct transport_ops ops;
	struct rg_addr peer, local;
	struct env_sock *udp, *tcp;
	enum tcp_state state;
	int fail_rc;
	uint64_t backoff_ns;
	struct env_timer timer;
	struct transport_out *head, **tail;
	size_t queued_bytes, in_len;
	bool is_down_logged;
	uint8_t in[IN_BYTES];
};

static void out_unlink(struct transport *t, struct transport_out **at) {
	struct transport_out *o = *at;

	*at = o->next;
	if (t->tail == &o->next)
		t->tail = at;
	t->queued_bytes -= o->len;
	if (o->owner != NULL)
		*o->owner = NULL;
	free(o);
}

// Drops what must not go out over another connection: half-sent messages, or all of them.
static void out_flush(struct transport *t, bool is_all) {
	while (t->head != NULL && (is_all || t->head->off > 0))
		out_unlink(t, &t->head);
}

// Once per outage. A core may well end an idle connection.
static void log_down(struct transport *t, int rc) {
	if (t->is_down_logged || rc == RG_E_CLOSED)
		return;
	log_put(t->log, LOG_WARN, "core_down", LOG_S("error", rg_strerror(rc)));
	t->is_down_logged = true;
}

static void tcp_lost(struct transport *t, int rc) {
	bool is_attempt = t->state == TCP_CONNECTING;

	env_sock_close(t->tcp);
	t->tcp = NULL;
	t->in_len = 0;
	t->state = TCP_PAUSE;
	env_timer_set(t->env, &t->timer, env_now_ns(t->env) + t->backoff_ns);
	t->backoff_ns = t->backoff_ns * 2 > BACKOFF_MAX_NS ? BACKOFF_MAX_NS : t->backoff_ns * 2;
	log_down(t, rc);
	out_flush(t, is_attempt);
	t->ops.lost(t->ops.ctx, rc, is_attempt);
}

static void fail_later(struct transport *t, int rc) {
	t->state = TCP_FAILED;
	t->fail_rc = rc;
	env_timer_set(t->env, &t->timer, env_now_ns(t->env));
}

static void tcp_write(struct transport *t) {
	ssize_t n;

	while (t->state == TCP_UP && t->head != NULL) {
		struct transport_out *o = t->head;

		n = env_send(t->tcp, o->bytes + o->off, o->len - o->off);
		if (n == -EAGAIN) {
			env_sock_want(t->tcp, ENV_READ | ENV_WRITE);
			return;
		}
		if (n < 0) {
			fail_later(t, (int)n);
			return;
		}
		o->off += (size_t)n;
		if (o->off == o->len)
			out_unlink(t, &t->head);
	}
	if (t->state == TCP_UP)
		env_sock_want(t->tcp, ENV_READ);
}

// Hands on the messages in t->in. RG_OK, or why the stream cannot go on (RFC 3261 18.3).
static int tcp_deliver(struct transport *t) {
	size_t off = 0;
	struct sip_msg m;
	int rc = RG_OK;

	while (rc == RG_OK && off < t->in_len) {
		if (t->in[off] == '\r' || t->in[off] == '\n') { // keep-alive or stray CRLF
			off++;
			continue;
		}
		rc = sip_parse_stream(rg_slice(t->in + off, t->in_len - off), &m);
		if (rc != RG_OK)
			break;
		off += m.size;
		t->ops.message(t->ops.ctx, &m, false, &t->peer);
	}
	t->in_len -= off;
	memmove(t->in, t->in + off, t->in_len);
	if (rc == RG_MORE)
		rc = t->in_len < sizeof(t->in) ? RG_OK : RG_E_LIMIT;
	return rc;
}

static void tcp_read(struct transport *t) {
	ssize_t n;
	int rc;

	while (t->state == TCP_UP) {
		n = env_recv(t->tcp, t->in + t->in_len, sizeof(t->in) - t->in_len);
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			tcp_lost(t, n == 0 ? RG_E_CLOSED : (int)n);
			return;
		}
		t->in_len += (size_t)n;
		rc = tcp_deliver(t);
		if (rc != RG_OK) {
			tcp_lost(t, rc);
			return;
		}
	}
}

static void tcp_connected(struct transport *t) {
	t->state = TCP_UP;
	t->backoff_ns = BACKOFF_MIN_NS;
	(*t->ops.n_connects)++;
	env_timer_cancel(t->env, &t->timer);
	if (t->is_down_logged)
		log_put(t->log, LOG_INFO, "core_up");
	t->is_down_logged = false;
}

static void on_tcp(void *arg, struct env_sock *s, unsigned events) {
	struct transport *t = arg;
	int rc;

	if (t->state == TCP_FAILED)
		return;
	if (t->state == TCP_CONNECTING && (events & ENV_WRITE) != 0)
		tcp_connected(t);
	if ((events & ENV_READ) != 0) // before the error: answers may have come first
		tcp_read(t);
	if ((events & ENV_ERROR) != 0 && t->tcp == s) {
		rc = env_sock_error(s);
		tcp_lost(t, rc != 0 ? rc : -ECONNRESET);
	}
	if (t->state == TCP_UP)
		tcp_write(t);
}

static bool is_any(const struct rg_addr *a) {
	static const struct rg_addr any;

	return memcmp(a->ip, any.ip, sizeof(any.ip)) == 0;
}

static void tcp_connect(struct transport *t) {
	struct rg_addr local = t->local;
	int rc;

	local.port =
		0; // core.local's port is for UDP: one connection after another cannot share it
	rc = env_tcp_connect(t->env, &t->peer, &local, on_tcp, t, &t->tcp);
	t->state = TCP_CONNECTING;
	t->fail_rc = rc != 0 ? rc : -ETIMEDOUT;
	if (rc != 0)
		t->tcp = NULL;
	env_timer_set(t->env, &t->timer, env_now_ns(t->env) + (rc == 0 ? CONNECT_NS : 0));
}

static void on_timer(struct env_timer *timer, uint64_t now_ns) {
	struct transport *t =
		(struct transport *)((char *)timer - offsetof(struct transport, timer));

	(void)now_ns;
	switch (t->state) {
	case TCP_CONNECTING:
	case TCP_FAILED:
		tcp_lost(t, t->fail_rc);
		break;
	case TCP_PAUSE:
		t->state = TCP_IDLE;
		if (t->head != NULL)
			tcp_connect(t);
		break;
	case TCP_IDLE:
	case TCP_UP:
		break;
	}
}

int transport_send_tcp(struct transport *t, struct rg_slice m, struct transport_out **out) {
	struct transport_out *o;

	if (t->queued_bytes + m.len > TRANSPORT_QUEUE_MAX)
		return -ENOBUFS;
	o = malloc(sizeof(*o) + m.len);
	if (o == NULL)
		return -ENOMEM;
	*o = (struct transport_out){.owner = out, .len = m.len};
	memcpy(o->bytes, m.p, m.len);
	if (out != NULL)
		*out = o;
	*t->tail = o;
	t->tail = &o->next;
	t->queued_bytes += m.len;
	if (t->state == TCP_IDLE)
		tcp_connect(t);
	else if (t->state == TCP_UP)
		tcp_write(t);
	return 0;
}

bool transport_out_is_unsent(const struct transport_out *out) {
	return out != NULL && out->off == 0;
}

void transport_out_drop(struct transport *t, struct transport_out *out) {
	struct transport_out **at = &t->head;

	if (out == NULL)
		return;
	if (out->off > 0) { // the stream needs the rest of it
		out->owner = NULL;
		return;
	}
	while (*at != out)
		at = &(*at)->next;
	out_unlink(t, at);
}

static void on_udp(void *arg, struct env_sock *s, unsigned events) {
	struct transport *t = arg;
	uint8_t buf[SIP_MAX_MSG + 1];
	struct rg_addr from;
	struct sip_msg m;
	ssize_t n;

	if ((events & ENV_ERROR) != 0)
		(void)env_sock_error(s); // an ICMP message: Timer F judges, not one datagram
	while ((n = env_recvfrom(s, buf, sizeof(buf), &from)) >= 0)
		if (sip_parse(rg_slice(buf, (size_t)n), &m) == RG_OK)
			t->ops.message(t->ops.ctx, &m, true, &from);
}

int transport_send_udp(struct transport *t, struct rg_slice m, const struct rg_addr *to) {
	ssize_t n = env_sendto(t->udp, m.p, m.len, to != NULL ? to : &t->peer);

	return n < 0 ? (int)n : 0;
}

bool transport_is_up(const struct transport *t) {
	return t->state == TCP_UP;
}

struct transport *transport_new(struct env *env, struct log *log, const struct conf *conf,
				const struct transport_ops *ops) {
	struct transport *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->env = env;
	t->log = log;
	t->ops = *ops;
	t->peer = conf->core.address;
	t->local = conf->core.local;
	if (is_any(&t->local) && rg_addr_is_v4(&t->peer)) // not given: any of the peer's family
		t->local = rg_addr_v4(0, t->local.port);
	t->backoff_ns = BACKOFF_MIN_NS;
	t->timer.fn = on_timer;
	t->tail = &t->head;
	if (conf->core.is_udp && env_udp_open(env, &t->local, on_udp, t, &t->udp) != 0) {
		transport_free(t);
		return NULL;
	}
	return t;
}

void transport_free(struct transport *t) {
	if (t == NULL)
		return;
	env_timer_cancel(t->env, &t->timer);
	out_flush(t, true);
	env_sock_close(t->tcp);
	env_sock_close(t->udp);
	free(t);
}
