// SPDX-License-Identifier: BSD-3-Clause
// HTTP/1.1 client over the loop (libcurl multi): many requests at once, connections kept. Loop thread.
// Certificates are always checked, TLS is 1.2 or later, redirects are never followed, proxies of the
// environment are not used. Callbacks run on the loop, never inside a call of this header.
#pragma once

#include "core/env.h"
#include "regate/slice.h"

struct http_client;
struct http_request; // under way: until its done() or http_request_cancel()

struct http_answer {
	int rc; // 0: a whole answer, whatever its status. RG_E_AUTH: TLS refused the peer;
		// RG_E_LIMIT: larger than max_body; -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH
		// (no such name), -EINVAL (url), -EIO
	unsigned status;      // 0 when none came
	struct rg_slice body; // empty if it went to piece(); valid for the call
	const char *error;    // rc != 0: what happened, one line; valid for the call
};

struct http_ask {              // all is copied
	const char *method;    // "GET"
	const char *url;       // http or https
	const char **headers;  // "Name: value", the last is NULL; may be NULL
	struct rg_slice body;  // with other methods than GET
	const char *ca_file;   // PEM; NULL: those of the system
	const char *cert_file; // PEM with chain, ours; NULL: none
	const char *key_file;  // of cert_file
	uint64_t timeout_ms;   // of all of it; 0: none, for an answer that goes on and on
	size_t max_body;       // bytes; of what waits for piece() when there is one
	// Long answers: the bytes as they come. NULL: the body goes to done().
	void (*piece)(void *arg, unsigned status, struct rg_slice bytes);
	void (*done)(void *arg, const struct http_answer *a); // once, unless cancelled
	void *arg;
};

[[nodiscard]] struct http_client *http_client_new(struct env *env); // NULL without memory
void http_client_free(struct http_client *c); // cancels what is under way; accepts NULL
// 0 or -ENOMEM. All else that is wrong, a bad url too, is told by done().
[[nodiscard]] int http_client_ask(struct http_client *c, const struct http_ask *ask,
				  struct http_request **out);
// No callback after this. Also from a callback, of the same request too.
void http_request_cancel(struct http_request *r);
