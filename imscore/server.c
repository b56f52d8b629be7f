// SPDX-License-Identifier: BSD-3-Clause
// Sockets of regate-imscore. One thread, the env loop. A connection that does not read its answers
// is closed.
#include "server.h"

#include <errno.h>
#include <stdlib.h>

#include "journal.h"
#include "regate/err.h"

#define OUT_MAX (1u << 20)
#define IN_BYTES ((size_t)2 * SIP_MAX_MSG)

struct conn {
	struct conn *next;
	struct server *server;
	struct env_sock *sock;
	size_t in_len, out_len, out_cap;
	uint8_t *out;
	uint8_t in[IN_BYTES];
};

struct late { // an answer that a script holds back
	struct late *next;
	struct server *server;
	struct conn *conn; // NULL: UDP, or the connection has gone
	bool is_udp;
	struct rg_addr peer;
	struct env_timer timer;
	size_t len;
	uint8_t bytes[];
};

struct server {
	struct env *env;
	struct registrar *registrar;
	FILE *journal;
	struct env_sock *udp, *listener;
	struct conn *conns;
	struct late *late;
};

static void conn_close(struct conn *c) {
	struct conn **at = &c->server->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	for (struct late *l = c->server->late; l != NULL; l = l->next)
		if (l->conn == c)
			l->conn = NULL;
	env_sock_close(c->sock);
	free(c->out);
	free(c);
}

// False when the connection has failed; the caller closes it.
static bool conn_flush(struct conn *c) {
	ssize_t n = 0;
	size_t off = 0;

	while (off < c->out_len) {
		n = env_send(c->sock, c->out + off, c->out_len - off);
		if (n < 0)
			break;
		off += (size_t)n;
	}
	c->out_len -= off;
	if (off > 0)
		memmove(c->out, c->out + off, c->out_len);
	env_sock_want(c->sock, c->out_len > 0 ? ENV_READ | ENV_WRITE : ENV_READ);
	return n >= 0 || n == -EAGAIN;
}

static bool conn_put(struct conn *c, struct rg_slice m) {
	size_t cap = c->out_cap;
	uint8_t *p;

	while (cap < c->out_len + m.len)
		cap = cap == 0 ? IN_BYTES : cap * 2;
	if (cap > OUT_MAX)
		return false;
	if (cap > c->out_cap) {
		p = realloc(c->out, cap);
		if (p == NULL)
			return false;
		c->out = p;
		c->out_cap = cap;
	}
	memcpy(c->out + c->out_len, m.p, m.len);
	c->out_len += m.len;
	return true;
}

static void late_free(struct late *l) {
	struct late **at = &l->server->late;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	env_timer_cancel(l->server->env, &l->timer);
	free(l);
}

static void on_late(struct env_timer *t, uint64_t now_ns) {
	struct late *l = (struct late *)((char *)t - offsetof(struct late, timer));
	struct rg_slice m = rg_slice(l->bytes, l->len);

	(void)now_ns;
	if (l->is_udp)
		(void)env_sendto(l->server->udp, m.p, m.len, &l->peer);
	else if (l->conn != NULL && (!conn_put(l->conn, m) || !conn_flush(l->conn)))
		conn_close(l->conn);
	late_free(l);
}

static void hold_back(struct server *s, struct conn *c, const struct rg_addr *peer,
		      const struct registrar_answer *a) {
	struct late *l = calloc(1, sizeof(*l) + a->len);

	if (l == NULL)
		return;
	l->server = s;
	l->conn = c;
	l->is_udp = peer != NULL;
	if (peer != NULL)
		l->peer = *peer;
	l->len = a->len;
	memcpy(l->bytes, a->bytes, a->len);
	l->timer.fn = on_late;
	l->next = s->late;
	s->late = l;
	env_timer_set(s->env, &l->timer, env_now_ns(s->env) + a->delay_ns);
}

// Serves one message. c is NULL for UDP, peer NULL for TCP. False: close c.
static bool serve(struct server *s, const struct sip_msg *m, struct conn *c,
		  const struct rg_addr *peer) {
	uint64_t now_ns = env_now_ns(s->env);
	struct registrar_answer a;

	if (!m->is_request)
		return true;
	registrar_serve(s->registrar, m, peer, now_ns, &a);
	journal_exchange(s->journal, m, c == NULL ? "udp" : "tcp", now_ns, a.status);
	if (a.status == 0)
		return true;
	if (a.delay_ns > 0)
		hold_back(s, c, peer, &a);
	else if (c == NULL)
		(void)env_sendto(s->udp, a.bytes, a.len, peer);
	else
		return conn_put(c, rg_slice(a.bytes, a.len));
	return true;
}

static bool conn_serve(struct conn *c) {
	size_t off = 0;
	struct sip_msg m;
	int rc = RG_OK;

	while (off < c->in_len) {
		rc = sip_parse_stream(rg_slice(c->in + off, c->in_len - off), &m);
		if (rc != RG_OK)
			break;
		off += m.size;
		if (!serve(c->server, &m, c, NULL))
			return false;
	}
	c->in_len -= off;
	memmove(c->in, c->in + off, c->in_len);
	return rc >= 0 && c->in_len < sizeof(c->in);
}

static bool conn_read(struct conn *c) {
	ssize_t n;

	while ((n = env_recv(c->sock, c->in + c->in_len, sizeof(c->in) - c->in_len)) > 0) {
		c->in_len += (size_t)n;
		if (!conn_serve(c))
			return false;
	}
	return n == -EAGAIN;
}

static void on_conn(void *arg, struct env_sock *sock, unsigned events) {
	struct conn *c = arg;

	(void)sock;
	if (((events & ENV_READ) != 0 && !conn_read(c)) || (events & ENV_ERROR) != 0 ||
	    !conn_flush(c))
		conn_close(c);
}

static void on_listener(void *arg, struct env_sock *sock, unsigned events) {
	struct server *s = arg;
	struct conn *c;

	(void)events;
	while ((c = calloc(1, sizeof(*c))) != NULL) {
		c->server = s;
		if (env_accept(s->env, sock, on_conn, c, &c->sock) != 0) {
			free(c);
			return;
		}
		c->next = s->conns;
		s->conns = c;
	}
}

static void on_udp(void *arg, struct env_sock *sock, unsigned events) {
	struct server *s = arg;
	uint8_t buf[SIP_MAX_MSG + 1];
	struct rg_addr peer;
	struct sip_msg m;
	ssize_t n;

	(void)events;
	while ((n = env_recvfrom(sock, buf, sizeof(buf), &peer)) >= 0)
		if (sip_parse(rg_slice(buf, (size_t)n), &m) == RG_OK)
			serve(s, &m, NULL, &peer);
}

int server_new(struct env *env, const struct rg_addr *listen, struct registrar *registrar,
	       FILE *journal, struct server **out, char *err, size_t err_len) {
	struct server *s = calloc(1, sizeof(*s));
	const char *what = "memory";
	int rc = -ENOMEM;

	if (s == NULL)
		goto err;
	s->env = env;
	s->registrar = registrar;
	s->journal = journal;
	what = "udp";
	rc = env_udp_open(env, listen, on_udp, s, &s->udp);
	if (rc != 0)
		goto err;
	what = "tcp";
	rc = env_tcp_listen(env, listen, on_listener, s, &s->listener);
	if (rc != 0)
		goto err;
	*out = s;
	return 0;
err:
	snprintf(err, err_len, "cannot listen (%s): %s%s", what, rg_strerror(rc),
		 rc == -EADDRINUSE ? "; end the program that holds it, or choose another --listen"
				   : "");
	server_free(s);
	return rc;
}

void server_free(struct server *s) {
	struct late *l;
	struct conn *c;

	if (s == NULL)
		return;
	while ((l = s->late) != NULL) {
		s->late = l->next;
		env_timer_cancel(s->env, &l->timer);
		free(l);
	}
	while ((c = s->conns) != NULL) {
		s->conns = c->next;
		env_sock_close(c->sock);
		free(c->out);
		free(c);
	}
	env_sock_close(s->udp);
	env_sock_close(s->listener);
	free(s);
}
