// SPDX-License-Identifier: BSD-3-Clause
// Answers of the lease API as complete bytes. Loop thread. Nothing is ever left unanswered: without
// memory the answer is a 500 from the stack.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "wwsf/wwsf_int.h"

static void send_bytes(struct wwsf *w, const struct wwsf_to *to, struct rg_slice bytes) {
	struct rg_reply reply = {
		.kind = RG_REPLY_HTTP,
		.flags = to->is_keep_alive ? 0 : RG_REPLY_F_END,
		.conn = to->conn,
		.bound = {.lease_idx = RG_LEASE_NONE},
		.len = (uint32_t)bytes.len,
	};

	w->port.reply(w->port.ctx, &reply, bytes);
}

static void put_headers(struct rg_wr *h, const struct wwsf_to *to, bool has_body,
			const char *headers) {
	if (has_body)
		rg_puts(h, "Content-Type: application/json\r\n");
	if (to->cache_s == 0) {
		rg_puts(h, "Cache-Control: no-store\r\n");
	} else {
		rg_puts(h, "Cache-Control: public, max-age=");
		rg_put_u64(h, to->cache_s);
		rg_puts(h, "\r\n");
	}
	rg_puts(h, "X-Content-Type-Options: nosniff\r\n"
		   "Strict-Transport-Security: max-age=31536000\r\nVary: Origin\r\n");
	if (to->origin != NULL) { // Fetch standard, CORS protocol: the one origin, never "*"
		rg_puts(h, "Access-Control-Allow-Origin: ");
		rg_puts(h, to->origin);
		rg_puts(h, "\r\nAccess-Control-Expose-Headers: Retry-After, WWW-Authenticate\r\n");
	}
	if (!to->is_keep_alive)
		rg_puts(h, "Connection: close\r\n");
	rg_puts(h, headers);
	rg_put_be(h, 0, 1);
}

static void send_without_memory(struct wwsf *w, const struct wwsf_to *to) {
	char buf[256];
	struct rg_wr out = rg_wr(buf, sizeof(buf));

	w->stats.refused++;
	http_put_head(&out, 500, 0, "Cache-Control: no-store\r\n");
	send_bytes(w, to, rg_wr_slice(&out));
}

void wwsf_answer(struct wwsf *w, const struct wwsf_to *to, unsigned status, const char *headers,
		 json_t *body) {
	char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
	size_t text_len = text == NULL ? 0 : strlen(text);
	char lines[2048];
	struct rg_wr h = rg_wr(lines, sizeof(lines));
	size_t cap = text_len + sizeof(lines) + 128;
	uint8_t *bytes = malloc(cap);
	struct rg_wr out = rg_wr(bytes, bytes == NULL ? 0 : cap);

	put_headers(&h, to, text != NULL, headers);
	if (h.overflow || (text == NULL && status != 204)) {
		send_without_memory(w, to);
	} else {
		http_put_head(&out, status, text_len, lines);
		if (!to->is_head) // RFC 9110 9.3.2
			rg_put(&out, rg_slice(text, text_len));
		if (out.overflow)
			send_without_memory(w, to);
		else
			send_bytes(w, to, rg_wr_slice(&out));
	}
	// Both may hold a token.
	if (text != NULL)
		explicit_bzero(text, text_len);
	if (bytes != NULL)
		explicit_bzero(bytes, cap);
	free(bytes);
	free(text);
	json_decref(body);
}

void wwsf_refuse(struct wwsf *w, const struct wwsf_to *to, unsigned status, const char *headers,
		 const char *error, const char *message) {
	char ip[64];
	struct rg_wr wr = rg_wr(ip, sizeof(ip));

	w->stats.refused++;
	rg_put_ip(&wr, &to->peer);
	log_put(w->log, LOG_INFO, "wwsf.refused", LOG_U("status", status), LOG_S("error", error),
		LOG_B("peer", rg_wr_slice(&wr)));
	wwsf_answer(w, to, status, headers,
		    json_pack("{s:s, s:s}", "error", error, "message", message));
}

#define RETRY_UNKNOWN_S 60 // no pair is in quarantine: somebody has to leave first
#define JITTER_MIN_S 5
#define TELL_NS (60 * RG_NS_PER_S)

// Seconds from now, and up to half as many more: not all of them come back at once.
static uint64_t retry_s(struct wwsf *w, uint64_t at_ns) {
	uint64_t now_ns = env_now_ns(w->env), s = RETRY_UNKNOWN_S;
	uint32_t random;

	if (at_ns != RG_NEVER)
		s = at_ns <= now_ns ? 1 : (at_ns - now_ns + RG_NS_PER_S - 1) / RG_NS_PER_S;
	env_random(w->env, &random, sizeof(random));
	return s + random % ((s / 2 > JITTER_MIN_S ? s / 2 : JITTER_MIN_S) + 1);
}

// What was refused since the last line.
static void tell_short(struct wwsf *w) {
	const uint64_t *n = w->stats.short_of;
	uint64_t *told = w->short_of_told, now_ns = env_now_ns(w->env);

	if (w->short_of_ns != 0 && now_ns - w->short_of_ns < TELL_NS)
		return;
	w->short_of_ns = now_ns;
	log_put(w->log, LOG_WARN, "wwsf.short",
		LOG_U("source", n[QUOTA_SOURCE] - told[QUOTA_SOURCE]),
		LOG_U("wwsf", n[QUOTA_WWSF] - told[QUOTA_WWSF]),
		LOG_U("reserve", n[QUOTA_RESERVE] - told[QUOTA_RESERVE]),
		LOG_U("dry", n[QUOTA_DRY] - told[QUOTA_DRY]));
	memcpy(told, n, sizeof(w->short_of_told));
}

void wwsf_refuse_short(struct wwsf *w, const struct wwsf_to *to, enum quota_verdict why,
		       uint64_t at_ns) {
	static const struct {
		unsigned status;
		const char *error, *message;
	} texts[QUOTA_N_VERDICTS] = {
		[QUOTA_SOURCE] = {429, "too_many", // RFC 6585 4
				  "Too many leases for your network address; ask again later."},
		[QUOTA_WWSF] = {503, "busy", "Too many leases for this page; ask again later."},
		[QUOTA_RESERVE] = {503, "pool_dry",
				   "All identities for guests are in use; ask again later."},
		[QUOTA_DRY] = {503, "pool_dry", "All identities are in use; ask again later."},
	};
	char line[64];

	w->stats.short_of[why]++;
	w->stats.refused++;
	tell_short(w);
	(void)snprintf(line, sizeof(line), "Retry-After: %" PRIu64 "\r\n", retry_s(w, at_ns));
	wwsf_answer(w, to, texts[why].status, line,
		    json_pack("{s:s, s:s}", "error", texts[why].error, "message",
			      texts[why].message));
}

void wwsf_refuse_later(struct wwsf *w, const struct wwsf_to *to, unsigned status,
		       uint64_t retry_after_s, const char *error, const char *message) {
	char line[64];

	(void)snprintf(line, sizeof(line), "Retry-After: %" PRIu64 "\r\n", retry_after_s);
	wwsf_refuse(w, to, status, line, error, message);
}

void wwsf_challenge(struct wwsf *w, const struct wwsf_to *to, bool has_token, const char *message) {
	char line[512];

	(void)snprintf(line, sizeof(line), "WWW-Authenticate: Bearer realm=\"%.253s\"%s\r\n",
		       w->conf->reg.domain, has_token ? ", error=\"invalid_token\"" : "");
	wwsf_refuse(w, to, 401, line, has_token ? "invalid_token" : "unauthorized", message);
}
