// SPDX-License-Identifier: BSD-3-Clause
// regate-responder: what plain epoll and OpenSSL make of the same traffic, on one thread. TLS 1.3, an
// upgrade, and a 200 for whatever text frame comes; no token, no binding, no timer. For loopback and
// benches only: it believes every byte of its client.
//   regate-responder --certificate FILE --key FILE [--port N] [--connections N]
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "regate/slice.h"

#define INPUT_CAP 16384 // bytes of a request not yet whole
#define ANSWER_CAP 4096
#define N_EVENTS 256
#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 1.3

struct conn {
	SSL *ssl;
	uint8_t *rest; // of a frame that is not whole yet, or NULL
	size_t n_rest;
	int fd;
	bool is_open;   // the handshake is over
	bool is_framed; // the upgrade is
};

struct responder {
	const char *certificate, *key;
	unsigned port, max_conns;
	SSL_CTX *tls;
	struct conn *conns; // by descriptor
	int listener, epoll;
};

static volatile sig_atomic_t is_ending;

static void on_signal(int sig) {
	(void)sig;
	is_ending = 1;
}

static void conn_close(struct conn *c) {
	SSL_free(c->ssl);
	free(c->rest);
	close(c->fd);
	*c = (struct conn){0};
}

static void accept_all(struct responder *r) {
	struct epoll_event e = {.events = EPOLLIN};
	int fd, one = 1;

	while ((fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct conn *c = &r->conns[fd];

		e.data.fd = fd;
		c->fd = fd;
		c->ssl = SSL_new(r->tls);
		if (c->ssl == NULL || SSL_set_fd(c->ssl, fd) != 1 ||
		    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) != 0 ||
		    epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e) != 0)
			conn_close(c);
		else
			SSL_set_accept_state(c->ssl);
	}
}

// The value of a header in a head of whole lines; its name with the colon. Empty: there is none.
static struct rg_slice header(struct rg_slice head, const char *name) {
	size_t n = strlen(name);
	const uint8_t *end = head.p + head.len, *line = head.p, *eol;

	for (; (eol = memchr(line, '\r', (size_t)(end - line))) != NULL && eol + 2 <= end;
	     line = eol + 2) {
		const uint8_t *value = line + n;

		if (value > eol || !rg_ieq(rg_slice(line, n), rg_str(name)))
			continue;
		while (value < eol && *value == ' ')
			value++;
		return rg_slice(value, (size_t)(eol - value));
	}
	return rg_slice(NULL, 0);
}

static bool answer(struct conn *c, const uint8_t *p, size_t len) {
	return SSL_write(c->ssl, p, (int)len) == (int)len;
}

// RFC 6455 4.2.2. Bytes that are used up; 0: more must come; negative: no upgrade.
static ssize_t on_upgrade(struct conn *c, struct rg_slice in) {
	const uint8_t *end = memmem(in.p, in.len, "\r\n\r\n", 4);
	uint8_t sum[SHA_DIGEST_LENGTH], text[64], accept[32], out[256];
	struct rg_slice key;
	int n;

	if (end == NULL)
		return in.len < INPUT_CAP ? 0 : -EMSGSIZE;
	in.len = (size_t)(end - in.p) + 4;
	key = header(in, "Sec-WebSocket-Key:");
	if (key.len != 24)
		return -EPROTO;
	memcpy(text, key.p, key.len);
	memcpy(text + key.len, WS_GUID, sizeof(WS_GUID) - 1);
	SHA1(text, key.len + sizeof(WS_GUID) - 1, sum);
	EVP_EncodeBlock(accept, sum, sizeof(sum));
	n = snprintf((char *)out, sizeof(out),
		     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		     "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
		     "Sec-WebSocket-Protocol: sip\r\n\r\n",
		     accept);
	c->is_framed = true;
	return answer(c, out, (size_t)n) ? (ssize_t)in.len : -EIO;
}

static const struct {
	const char *name, *after; // what a 200 adds to the value of the request
} copied[] = {
	{"Via:", ""},  {"To:", ";tag=6b8b4567"}, {"From:", ""}, {"Call-ID:", ""},
	{"CSeq:", ""}, {"Contact:", ""},
};

// A 200 as long as the gateway's; 0: the request does not fit.
static size_t put_ok(struct rg_slice request, uint8_t *out, size_t cap) {
	static const char first[] = "SIP/2.0 200 OK\r\n",
			  last[] = "Service-Route: <sip:orig@scscf.example.net:6060;lr>\r\n"
				   "Supported: path,outbound\r\nContent-Length: 0\r\n\r\n";
	size_t n = sizeof(first) - 1;

	memcpy(out, first, n);
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
		struct rg_slice value = header(request, copied[i].name);

		if (n + value.len + 64 + sizeof(last) > cap)
			return 0;
		n += (size_t)sprintf((char *)out + n, "%s %.*s%s\r\n", copied[i].name,
				     (int)value.len, (const char *)value.p, copied[i].after);
	}
	memcpy(out + n, last, sizeof(last) - 1);
	return n + sizeof(last) - 1;
}

// One masked frame (RFC 6455 5.2), at most 64 KiB long, unmasked in place. As on_upgrade().
static ssize_t on_frame(struct conn *c, uint8_t *in, size_t len) {
	uint8_t out[ANSWER_CAP], *mask, *body;
	size_t n_head = 6, n_body, n;

	if (len < 2)
		return 0;
	n_body = in[1] & 0x7f;
	if (n_body == 126) {
		n_head = 8;
		if (len < 4)
			return 0;
		n_body = (size_t)in[2] << 8 | in[3];
	}
	if (n_body == 127 || (in[1] & 0x80) == 0 || n_head + n_body > INPUT_CAP)
		return -EPROTO;
	if (len < n_head + n_body)
		return 0;
	mask = in + n_head - 4;
	body = in + n_head;
	for (size_t i = 0; i < n_body; i++)
		body[i] ^= mask[i % 4];
	if (in[0] != 0x81)
		return -EPROTO; // a close as well: the connection ends
	n = put_ok(rg_slice(body, n_body), out + 4, sizeof(out) - 4);
	if (n <= 125) // put_ok() never writes so little
		return -EMSGSIZE;
	out[0] = 0x81;
	out[1] = 126;
	out[2] = (uint8_t)(n >> 8);
	out[3] = (uint8_t)n;
	return answer(c, out, n + 4) ? (ssize_t)(n_head + n_body) : -EIO;
}

// Keeps what is not whole. False: there is no room.
static bool keep(struct conn *c, const uint8_t *p, size_t len) {
	if (len == 0) {
		free(c->rest);
		c->rest = NULL;
	} else {
		uint8_t *rest = malloc(len);

		if (rest == NULL)
			return false;
		memcpy(rest, p, len);
		free(c->rest);
		c->rest = rest;
	}
	c->n_rest = len;
	return true;
}

// All that has come. False: the connection is over.
static bool serve(struct conn *c) {
	uint8_t buf[2 * INPUT_CAP];
	size_t len = c->n_rest, at = 0;
	ssize_t used = 1;
	int n;

	if (len > 0)
		memcpy(buf, c->rest, len);
	n = SSL_read(c->ssl, buf + len, INPUT_CAP);
	if (n <= 0)
		return SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ;
	len += (size_t)n;
	while (at < len && used > 0) {
		used = c->is_framed ? on_frame(c, buf + at, len - at)
				    : on_upgrade(c, rg_slice(buf + at, len - at));
		if (used > 0)
			at += (size_t)used;
	}
	return used >= 0 && len - at < INPUT_CAP &&
	       ((len == at && c->n_rest == 0) || keep(c, buf + at, len - at));
}

static void on_event(struct conn *c) {
	if (!c->is_open) {
		int rc = SSL_accept(c->ssl);

		if (rc != 1) {
			if (SSL_get_error(c->ssl, rc) != SSL_ERROR_WANT_READ)
				conn_close(c);
			return;
		}
		c->is_open = true;
	}
	do {
		if (!serve(c)) {
			conn_close(c);
			return;
		}
	} while (SSL_pending(c->ssl) > 0);
}

static void run(struct responder *r) {
	struct epoll_event events[N_EVENTS];

	while (!is_ending) {
		int n = epoll_wait(r->epoll, events, N_EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == r->listener)
				accept_all(r);
			else
				on_event(&r->conns[events[i].data.fd]);
		}
	}
	for (unsigned i = 0; i < r->max_conns; i++)
		if (r->conns[i].ssl != NULL)
			conn_close(&r->conns[i]);
}

// NULL, or what failed.
static const char *start_tls(struct responder *r) {
	r->tls = SSL_CTX_new(TLS_server_method());
	if (r->tls == NULL || SSL_CTX_set_min_proto_version(r->tls, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(r->tls, "TLS_AES_128_GCM_SHA256") != 1 ||
	    SSL_CTX_set1_groups_list(r->tls, "X25519") != 1 ||
	    SSL_CTX_set_num_tickets(r->tls, 0) != 1)
		return "OpenSSL";
	SSL_CTX_set_mode(r->tls, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(r->tls, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_use_certificate_chain_file(r->tls, r->certificate) != 1)
		return "--certificate";
	if (SSL_CTX_use_PrivateKey_file(r->tls, r->key, SSL_FILETYPE_PEM) != 1)
		return "--key";
	return NULL;
}

static const char *start(struct responder *r) {
	struct rlimit files = {r->max_conns, r->max_conns};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)r->port)};
	struct epoll_event e = {.events = EPOLLIN};
	const char *failed = start_tls(r);
	int one = 1;

	if (failed != NULL)
		return failed;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->conns = calloc(r->max_conns, sizeof(*r->conns));
	if (r->conns == NULL || setrlimit(RLIMIT_NOFILE, &files) != 0)
		return "--connections";
	r->listener = e.data.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	r->epoll = epoll_create1(0);
	if (setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
	    bind(r->listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(r->listener, 4096) != 0 ||
	    epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->listener, &e) != 0)
		return "--port";
	return NULL;
}

int main(int argc, char **argv) {
	static const struct option options[] = {
		{"certificate", required_argument, NULL, 'c'},
		{"key", required_argument, NULL, 'k'},
		{"port", required_argument, NULL, 'p'},
		{"connections", required_argument, NULL, 'n'},
		{0},
	};
	struct responder r = {.certificate = "", .key = "", .port = 8443, .max_conns = 20000};
	const char *failed;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			r.certificate = optarg;
			break;
		case 'k':
			r.key = optarg;
			break;
		case 'p':
			r.port = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			r.max_conns = (unsigned)strtoul(optarg, NULL, 10) + 16;
			break;
		default:
			return 2;
		}
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	signal(SIGPIPE, SIG_IGN);
	failed = start(&r);
	if (failed == NULL)
		run(&r);
	else
		fprintf(stderr, "regate-responder: %s: %s\n", failed, strerror(errno));
	free(r.conns);
	SSL_CTX_free(r.tls);
	return failed == NULL ? EXIT_SUCCESS : EXIT_FAILURE; // descriptors end with the process
}
