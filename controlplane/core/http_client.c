// SPDX-License-Identifier: BSD-3-Clause
// libcurl's multi interface on the loop: it says which descriptors to watch and when to wake it. What
// it brings is kept until it has returned, so that callbacks may start and cancel requests.
#include "core/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "regate/err.h"

#define CONNECT_TIMEOUT_MS 5000L
#define MAX_IDLE_CONNECTIONS 8L

struct http_client {
	struct env *env;
	CURLM *multi;
	struct env_timer timer;
	struct http_request *first;
};

struct http_request {
	struct http_client *client;
	struct http_request *prev, *next;
	CURL *easy;
	struct curl_slist *headers;
	void (*piece)(void *arg, unsigned status, struct rg_slice bytes);
	void (*done)(void *arg, const struct http_answer *a);
	void *arg;
	size_t max_body;
	uint8_t *body;
	size_t body_len, body_cap;
	bool is_over_limit, is_oom;
	char error[CURL_ERROR_SIZE];
};

static unsigned status_of(const struct http_request *r) {
	long status = 0;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	return (unsigned)status;
}

static void request_free(struct http_request *r) {
	if (r == NULL)
		return;
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	free(r->body);
	free(r);
}

// Off the list and out of libcurl's hands; the caller frees it.
static void request_unlink(struct http_request *r) {
	curl_multi_remove_handle(r->client->multi, r->easy);
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		r->client->first = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
}

void http_request_cancel(struct http_request *r) {
	request_unlink(r);
	request_free(r);
}

// --- what libcurl brought, told after it has returned

// The first that has bytes for piece(); looked for anew each time, as a callback may end any request.
static struct http_request *next_with_piece(const struct http_client *c) {
	for (struct http_request *r = c->first; r != NULL; r = r->next)
		if (r->piece != NULL && r->body_len > 0)
			return r;
	return NULL;
}

static void deliver_pieces(struct http_client *c) {
	struct http_request *r;

	while ((r = next_with_piece(c)) != NULL) {
		uint8_t *body = r->body; // survives r
		size_t len = r->body_len;

		r->body = NULL;
		r->body_len = r->body_cap = 0;
		r->piece(r->arg, status_of(r), rg_slice(body, len));
		free(body);
	}
}

static int rc_of(const struct http_request *r, CURLcode code) {
	if (r->is_over_limit)
		return RG_E_LIMIT;
	if (r->is_oom)
		return -ENOMEM;
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
		return -EHOSTUNREACH;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -EINVAL;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return RG_E_AUTH;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static void finish(struct http_request *r, CURLcode code) {
	struct http_answer a = {
		.rc = rc_of(r, code),
		.status = status_of(r),
		.body = rg_slice(r->body, r->body_len),
	};

	if (a.rc != 0 && (r->is_over_limit || r->error[0] == '\0'))
		a.error = r->is_over_limit ? "the answer is too large" : curl_easy_strerror(code);
	else if (a.rc != 0)
		a.error = r->error;
	request_unlink(r);
	r->done(r->arg, &a);
	request_free(r);
}

static void deliver(struct http_client *c) {
	struct http_request *r;
	CURLMsg *msg;
	int left;

	deliver_pieces(c);
	while ((msg = curl_multi_info_read(c->multi, &left)) != NULL) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &r);
		finish(r, msg->data.result);
	}
}

// --- libcurl's callbacks

static void on_fd(void *arg, struct env_sock *s, unsigned events);

struct watch { // one descriptor of libcurl's
	struct http_client *client;
	struct env_sock *sock;
	curl_socket_t fd;
};

static int on_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *old) {
	struct http_client *c = arg;
	struct watch *w = old;
	(void)easy;

	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			env_sock_close(w->sock);
		free(w);
		curl_multi_assign(c->multi, fd, NULL);
		return 0;
	}
	if (w == NULL) {
		w = malloc(sizeof(*w));
		if (w == NULL)
			return -1; // libcurl gives the transfers up
		*w = (struct watch){.client = c, .fd = fd};
		if (env_watch_fd(c->env, fd, on_fd, w, &w->sock) != 0) {
			free(w);
			return -1;
		}
		curl_multi_assign(c->multi, fd, w);
	}
	env_sock_want(w->sock, (what & CURL_POLL_IN ? (unsigned)ENV_READ : 0) |
				       (what & CURL_POLL_OUT ? (unsigned)ENV_WRITE : 0));
	return 0;
}

static void on_fd(void *arg, struct env_sock *s, unsigned events) {
	struct watch *w = arg;
	struct http_client *c = w->client; // w may go inside
	int n, mask = (events & ENV_READ ? CURL_CSELECT_IN : 0) |
		      (events & ENV_WRITE ? CURL_CSELECT_OUT : 0) |
		      (events & ENV_ERROR ? CURL_CSELECT_ERR : 0);

	(void)s;
	curl_multi_socket_action(c->multi, w->fd, mask, &n);
	deliver(c);
}

static void on_timer(struct env_timer *t, uint64_t now_ns) {
	struct http_client *c =
		(struct http_client *)((char *)t - offsetof(struct http_client, timer));
	int n;

	(void)now_ns;
	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &n);
	deliver(c);
}

static int on_deadline(CURLM *multi, long ms, void *arg) {
	struct http_client *c = arg;

	(void)multi;
	if (ms < 0)
		env_timer_cancel(c->env, &c->timer);
	else
		env_timer_set(c->env, &c->timer, env_now_ns(c->env) + (uint64_t)ms * RG_NS_PER_MS);
	return 0;
}

static bool body_reserve(struct http_request *r, size_t len) {
	size_t cap = r->body_cap == 0 ? 1024 : r->body_cap;
	uint8_t *body;

	while (cap < len)
		cap *= 2;
	if (cap == r->body_cap)
		return true;
	body = realloc(r->body, cap);
	if (body == NULL)
		return false;
	r->body = body;
	r->body_cap = cap;
	return true;
}

// Any number but size * n ends the transfer.
static size_t on_bytes(char *p, size_t size, size_t n, void *arg) {
	struct http_request *r = arg;
	size_t len = size * n;

	r->is_over_limit = len > r->max_body - r->body_len;
	if (r->is_over_limit)
		return 0;
	r->is_oom = !body_reserve(r, r->body_len + len);
	if (r->is_oom)
		return 0;
	memcpy(r->body + r->body_len, p, len);
	r->body_len += len;
	return len;
}

// --- requests

static bool set_headers(struct http_request *r, const struct http_ask *ask) {
	struct curl_slist *list;

	for (const char **h = ask->headers; h != NULL && *h != NULL; h++) {
		list = curl_slist_append(r->headers, *h);
		if (list == NULL)
			return false;
		r->headers = list;
	}
	return curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers) == CURLE_OK;
}

static bool set_body(CURL *easy, const struct http_ask *ask) {
	if (strcmp(ask->method, "GET") == 0)
		return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	return curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.len) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS,
				ask->body.len == 0 ? "" : (const char *)ask->body.p) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, ask->method) == CURLE_OK;
}

static bool set_tls(CURL *easy, const struct http_ask *ask) {
	if (curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) != CURLE_OK)
		return false;
	if (ask->ca_file != NULL &&
	    (curl_easy_setopt(easy, CURLOPT_CAINFO, ask->ca_file) != CURLE_OK ||
	     curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK))
		return false;
	return ask->cert_file == NULL ||
	       (curl_easy_setopt(easy, CURLOPT_SSLCERT, ask->cert_file) == CURLE_OK &&
		curl_easy_setopt(easy, CURLOPT_SSLKEY, ask->key_file) == CURLE_OK);
}

static bool set_options(struct http_request *r, const struct http_ask *ask) {
	CURL *easy = r->easy;

	return curl_easy_setopt(easy, CURLOPT_URL, ask->url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       // else who asks no longer waits for a name server that does not answer
	       curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)ask->timeout_ms) == CURLE_OK &&
	       // A peer that vanished is noticed also when nothing is due from it.
	       curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PRIVATE, r) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, r) == CURLE_OK && set_body(easy, ask) &&
	       set_tls(easy, ask) && set_headers(r, ask);
}

int http_client_ask(struct http_client *c, const struct http_ask *ask, struct http_request **out) {
	struct http_request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	r->client = c;
	r->piece = ask->piece;
	r->done = ask->done;
	r->arg = ask->arg;
	r->max_body = ask->max_body;
	r->easy = curl_easy_init();
	// Begins from a timer that libcurl sets for now.
	if (r->easy == NULL || !set_options(r, ask) ||
	    curl_multi_add_handle(c->multi, r->easy) != CURLM_OK) {
		request_free(r);
		return -ENOMEM;
	}
	r->next = c->first;
	if (c->first != NULL)
		c->first->prev = r;
	c->first = r;
	*out = r;
	return 0;
}

struct http_client *http_client_new(struct env *env) {
	struct http_client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(c);
		return NULL;
	}
	c->env = env;
	c->timer.fn = on_timer;
	c->multi = curl_multi_init();
	if (c->multi == NULL ||
	    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_watch) != CURLM_OK ||
	    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK ||
	    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_deadline) != CURLM_OK ||
	    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) != CURLM_OK ||
	    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, MAX_IDLE_CONNECTIONS) != CURLM_OK) {
		http_client_free(c);
		return NULL;
	}
	return c;
}

void http_client_free(struct http_client *c) {
	if (c == NULL)
		return;
	for (struct http_request *r = c->first, *next; r != NULL; r = next) {
		next = r->next;
		http_request_cancel(r);
	}
	curl_multi_cleanup(c->multi);
	env_timer_cancel(c->env, &c->timer);
	curl_global_cleanup();
	free(c);
}
