// SPDX-License-Identifier: BSD-3-Clause
// A connection's socket: opened, read, written, closed. Edge-triggered events for both directions,
// asked for once: what was read is handed to talk.c in plain text, what does not fit is kept.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sock_int.h"

#define SMALL_BUFFER 4096

static void set_int(int fd, int level, int name, int value) {
	(void)setsockopt(fd, level, name, &value, sizeof(value)); // only makes it quicker
}

static void fail_errno(struct sock *s, struct conn *c, int code) {
	struct sock_end end = {.why = code == ECONNRESET ? WHY_RST : WHY_ERRNO,
			       .code = (uint16_t)code};

	sock_fail(s, c, end, NULL);
}

void sock_connect(struct sock *s, struct conn *c) {
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	struct sockaddr_storage from;
	int fd = socket(s->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		fail_errno(s, c, errno);
		return;
	}
	c->fd = fd;
	c->serial++;
	c->state = CONN_CONNECTING;
	ev.data.u64 = (uint64_t)c->serial << 32 | sock_index(s, c);
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (c->job == JOB_NO_READ)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, SMALL_BUFFER);
	if (sock_addr_next(s, &from)) {
		set_int(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1); // the port comes with the peer
		if (bind(fd, (struct sockaddr *)&from, s->to_len) != 0) {
			fail_errno(s, c, errno);
			return;
		}
	}
	if ((connect(fd, (struct sockaddr *)&s->to, s->to_len) != 0 && errno != EINPROGRESS) ||
	    epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) != 0)
		fail_errno(s, c, errno);
}

void sock_close(struct sock *s, struct conn *c, bool is_rst) {
	const struct linger reset = {.l_onoff = 1};

	if (c->fd < 0)
		return;
	if (is_rst)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	sock_tls_free(c);
	(void)close(c->fd);
	c->fd = -1;
	c->serial++;
	c->state = CONN_CLOSED;
	c->end = (struct sock_end){0};
	s->n_registered -= c->is_registered;
	c->is_registered = false;
	sock_bytes_drop(&c->in);
	sock_bytes_drop(&c->plain);
	sock_bytes_drop(&c->joined);
	sock_bytes_drop(&c->out);
}

// --- out

void sock_send_raw(struct sock *s, struct conn *c, struct rg_slice d) {
	struct bytes *out = c->out;
	ssize_t n = 0;

	if (out == NULL)
		n = send(c->fd, d.p, d.len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN) {
		int code = errno;

		sock_ended(s, c, code == ECONNRESET || code == EPIPE ? WHY_RST : WHY_ERRNO, code);
		return;
	}
	d = rg_skip(d, n < 0 ? 0 : (size_t)n);
	// Without memory a record is missing, and the target ends it.
	if (d.len > 0 && (out == NULL || out->len < 4 * SOCK_MAX_OUT))
		(void)sock_bytes_add(&c->out, d);
}

static void flush(struct sock *s, struct conn *c) {
	struct bytes *out = c->out;
	ssize_t n = send(c->fd, out->b, out->len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		sock_ended(s, c, WHY_RST, errno);
	} else if (n == (ssize_t)out->len) {
		sock_bytes_drop(&c->out);
	} else if (n > 0) {
		out->len -= (uint32_t)n;
		memmove(out->b, out->b + n, out->len);
	}
}

void sock_send(struct sock *s, struct conn *c, struct rg_slice plain) {
	size_t n;

	if (c->ssl == NULL) {
		n = sock_seal(s, c, SSL3_RT_APPLICATION_DATA, plain, s->out);
		sock_send_raw(s, c, rg_slice(s->out, n));
	} else if (SSL_write_ex(c->ssl, plain.p, plain.len, &n) != 1) { // an empty buffer is enough
		sock_ended(s, c, WHY_RST, ECONNRESET);
	}
}

void sock_send_text(struct sock *s, struct conn *c, size_t len) {
	sock_send(s, c, rg_slice(s->text + WIRE_FRAME_HEAD, len));
}

void sock_send_frame(struct sock *s, struct conn *c, uint8_t op, size_t len) {
	sock_send(s, c, wire_frame_put(s->text, op, len, (uint32_t)pace_random(&s->random)));
}

// --- in

static void on_alert(struct sock *s, struct conn *c, struct rg_slice d) {
	if (d.len != 2)
		sock_fail(s, c, (struct sock_end){.why = WHY_RUBBISH},
			  "a TLS alert without 2 bytes");
	else if (d.p[1] == SSL_AD_CLOSE_NOTIFY && !sock_is_misbehaving(c))
		sock_ended(s, c, WHY_FIN, 0); // those that misbehave wait for TCP's end
	else if (d.p[1] != SSL_AD_CLOSE_NOTIFY && c->end.why == WHY_NOTHING)
		c->end = (struct sock_end){.why = WHY_ALERT, .code = d.p[1]};
}

static void on_record(struct sock *s, struct conn *c, uint8_t type, struct rg_slice d) {
	const char *why = "a TLS record of a type that has no place here";

	if (type == SSL3_RT_APPLICATION_DATA)
		sock_plain(s, c, d);
	else if (type == SSL3_RT_ALERT)
		on_alert(s, c, d);
	else if (type != SSL3_RT_HANDSHAKE || d.len == 0 || d.p[0] != SSL3_MT_NEWSESSION_TICKET)
		sock_fail(s, c, (struct sock_end){.why = WHY_RUBBISH},
			  type == SSL3_RT_HANDSHAKE ? "a TLS key update, which is not done here"
						    : why);
}

// All whole records in s->in; the rest is kept. False: the connection is no longer what it was.
static bool read_records(struct sock *s, struct conn *c, struct rg_slice d) {
	uint32_t serial = c->serial;
	const char *why = NULL;
	struct rg_slice plain;
	uint8_t type;
	size_t len;
	int rc;

	while ((rc = sock_open(s, c, d, &len, &type, &plain, &why)) == RG_OK) {
		on_record(s, c, type, plain);
		if (c->serial != serial)
			return false;
		d = rg_skip(d, len);
	}
	if (rc != RG_MORE) {
		sock_fail(s, c, (struct sock_end){.why = WHY_RUBBISH}, why);
		return false;
	}
	if (d.len == 0)
		sock_bytes_drop(&c->in);
	else if (!sock_bytes_keep(&c->in, d))
		fail_errno(s, c, ENOMEM);
	return c->serial == serial;
}

// is_ended: a FIN or RST is behind the data, and no other event will tell of it.
static void read_keyed(struct sock *s, struct conn *c, bool is_ended) {
	for (;;) {
		size_t have = c->in == NULL ? 0 : c->in->len;
		ssize_t n;

		if (have > 0)
			memcpy(s->in, c->in->b, have);
		n = recv(c->fd, s->in + have, SOCK_MAX_IN, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			sock_ended(s, c,
				   n == 0                ? WHY_FIN
				   : errno == ECONNRESET ? WHY_RST
							 : WHY_ERRNO,
				   n == 0 ? 0 : errno);
			return;
		}
		if (!read_records(s, c, rg_slice(s->in, have + (size_t)n)))
			return;
		if (n < SOCK_MAX_IN && !is_ended)
			return;
	}
}

// Application data while OpenSSL has the keys.
static void read_ssl(struct sock *s, struct conn *c) {
	uint32_t serial = c->serial;
	struct sock_end end;
	const char *why;
	size_t n;
	int rc;

	while ((rc = sock_tls_read(c, s->plain, sizeof(s->plain), &n, &end, &why)) == RG_OK) {
		sock_plain(s, c, rg_slice(s->plain, n));
		if (c->serial != serial)
			return;
		if (c->ssl == NULL) { // handed over; what is left is in the socket
			read_keyed(s, c, true);
			return;
		}
	}
	if (rc == RG_MORE)
		return;
	if (end.why == WHY_TLS || end.why == WHY_ALERT)
		sock_fail(s, c, end, why);
	else
		sock_ended(s, c, end.why, end.code);
}

// Bytes that nobody decrypts: has anything come, has it ended?
static void read_blind(struct sock *s, struct conn *c) {
	ssize_t n;

	while ((n = recv(c->fd, s->in, SOCK_MAX_IN, 0)) > 0)
		if (c->step == STEP_HELLO) {
			sock_step_done(s, c);
			return;
		}
	if (n == 0)
		sock_ended(s, c, WHY_FIN, 0);
	else if (errno != EAGAIN)
		sock_ended(s, c, errno == ECONNRESET ? WHY_RST : WHY_ERRNO, errno);
}

static void on_handshake(struct sock *s, struct conn *c) {
	struct sock_end end;
	const char *why;
	int rc = sock_tls_step(c, &end, &why);

	if (rc == RG_MORE)
		return;
	if (rc != RG_OK) {
		sock_fail(s, c, end, why);
		return;
	}
	c->state = CONN_TLS;
	s->n_resumed += sock_tls_is_resumed(c);
	if (!s->has_tickets && !sock_tls_take_over(s, c)) {
		fail_errno(s, c, ENOMEM);
		return;
	}
	sock_step_done(s, c);
}

static int error_of(const struct conn *c) {
	socklen_t len = sizeof(int);
	int code = 0;

	(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &code, &len);
	return code;
}

void sock_event(struct sock *s, struct conn *c, uint32_t events) {
	uint32_t serial = c->serial;
	int code;

	if (c->state == CONN_CONNECTING) {
		code = error_of(c);
		if (code != 0) {
			fail_errno(s, c, code);
		} else if ((events & EPOLLOUT) != 0) {
			c->state = CONN_TCP;
			sock_step_done(s, c);
		}
		return;
	}
	if ((events & EPOLLOUT) != 0 && c->out != NULL)
		flush(s, c);
	if (c->serial != serial || (events & ~(uint32_t)EPOLLOUT) == 0)
		return;
	if (c->step == STEP_NO_READ) {
		if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) {
			code = error_of(c);
			sock_ended(s, c, code != 0 || (events & EPOLLERR) != 0 ? WHY_RST : WHY_FIN,
				   code);
		}
	} else if (c->step == STEP_HELLO || c->step == STEP_HUSH) {
		read_blind(s, c);
	} else if (c->state == CONN_TCP) {
		on_handshake(s, c);
	} else if (c->ssl != NULL) {
		read_ssl(s, c);
	} else {
		read_keyed(s, c, (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
	}
}
