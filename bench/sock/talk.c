// SPDX-License-Identifier: BSD-3-Clause
// What the target says inside TLS: HTTP until the upgrade, WebSocket behind it. Strict: whatever no
// such server may send is named, and fails the step that was under way.
#include "sock_int.h"

void sock_bytes_drop(struct bytes **b) {
	free(*b);
	*b = NULL;
}

bool sock_bytes_keep(struct bytes **b, struct rg_slice d) {
	struct bytes *kept = malloc(sizeof(*kept) + d.len);

	if (kept == NULL)
		return false;
	kept->len = (uint32_t)d.len;
	memcpy(kept->b, d.p, d.len); // may lie in *b
	free(*b);
	*b = kept;
	return true;
}

bool sock_bytes_add(struct bytes **b, struct rg_slice d) {
	uint32_t len = *b == NULL ? 0 : (*b)->len;
	struct bytes *more = realloc(*b, sizeof(*more) + len + d.len);

	if (more == NULL)
		return false;
	if (d.len > 0)
		memcpy(more->b + len, d.p, d.len);
	more->len = len + (uint32_t)d.len;
	*b = more;
	return true;
}

static void rubbish(struct sock *s, struct conn *c, const char *why) {
	sock_fail(s, c, (struct sock_end){.why = WHY_RUBBISH}, why);
}

// --- HTTP

static void on_http(struct sock *s, struct conn *c, const struct wire_http *a) {
	struct wire_upgrade u = sock_upgrade_of(s, c);
	struct sock_end end = {.why = WHY_HTTP, .code = (uint16_t)a->status};
	const char *why = NULL;

	if (a->status < 200 && a->status != 101)
		return; // 100 Continue and the like (RFC 9110 15.2)
	if (sock_is_misbehaving(c)) {
		c->end = end;
	} else if (c->step == STEP_UPGRADE) {
		if (a->status != 101) {
			sock_fail(s, c, end, NULL);
		} else if (!wire_upgrade_check(a, &u, &why)) {
			rubbish(s, c, why);
		} else if (c->ssl != NULL && !sock_tls_take_over(s, c)) {
			sock_fail(s, c, (struct sock_end){.why = WHY_ERRNO, .code = ENOMEM}, NULL);
		} else {
			c->state = CONN_OPEN;
			sock_step_done(s, c);
		}
	} else if (c->step >= STEP_LEASE_TAKE && c->step <= STEP_LEASE_GIVE) {
		if (a->status >= 300)
			sock_fail(s, c, end, NULL);
		else if (!sock_lease_answer(s, c, a, &why))
			rubbish(s, c, why);
		else
			sock_step_done(s, c);
	} else {
		rubbish(s, c, "an HTTP answer that nobody asked for");
	}
}

// --- WebSocket

static void on_sip(struct sock *s, struct conn *c, struct rg_slice m) {
	char impu[128];
	struct wire_register r = sock_register_of(s, c, impu, sizeof(impu));
	struct wire_sip sip;
	const char *why = NULL;

	if (sock_is_misbehaving(c))
		return;
	if (wire_sip_check(m, &r, &sip, &why) != RG_OK) {
		rubbish(s, c, why);
	} else if (sip.status == 0) {
		s->n_requests++;
	} else if (c->step < STEP_REGISTER || c->step > STEP_FOREIGN_TOKEN) {
		rubbish(s, c, "a SIP answer that nobody asked for");
	} else if (sip.status >= 300) {
		sock_fail(s, c, (struct sock_end){.why = WHY_SIP, .code = (uint16_t)sip.status},
			  NULL);
	} else if (sip.status >= 200) {
		sock_step_done(s, c);
	}
}

static void on_close(struct sock *s, struct conn *c, struct rg_slice d) {
	uint16_t code = d.len < 2 ? 1005 : (uint16_t)(d.p[0] << 8 | d.p[1]);

	if (d.len == 1) {
		rubbish(s, c, "a close frame of one byte");
		return;
	}
	c->end = (struct sock_end){.why = WHY_CLOSE_FRAME, .code = code};
	if (c->job == JOB_NO_CLOSE)
		return;
	memmove(s->text + WIRE_FRAME_HEAD, d.p, d.len);
	sock_send_frame(s, c, OP_CLOSE, d.len < 2 ? 0 : 2);
}

// One more piece of a message, or all of it.
static void on_data(struct sock *s, struct conn *c, const struct wire_frame *f) {
	struct bytes *joined = c->joined;

	if ((f->op == OP_CONT) != (joined != NULL)) {
		rubbish(s, c,
			joined == NULL ? "a continuation of no message"
				       : "a new message amid the fragments of another");
	} else if (f->is_fin && joined == NULL) {
		on_sip(s, c, f->data);
	} else if (joined != NULL && joined->len + f->data.len > SOCK_MAX_MESSAGE) {
		rubbish(s, c, "a message of more than 64 KiB");
	} else if (!sock_bytes_add(&c->joined, f->data)) {
		sock_fail(s, c, (struct sock_end){.why = WHY_ERRNO, .code = ENOMEM}, NULL);
	} else if (f->is_fin) {
		joined = c->joined;
		c->joined = NULL;
		on_sip(s, c, rg_slice(joined->b, joined->len));
		sock_bytes_drop(&joined);
	}
}

static void on_frame(struct sock *s, struct conn *c, const struct wire_frame *f) {
	if (c->end.why == WHY_CLOSE_FRAME) {
		rubbish(s, c, "a frame behind the close frame");
	} else if (f->op == OP_CLOSE) {
		on_close(s, c, f->data);
	} else if (f->op == OP_PING) {
		s->n_pings++;
		if (f->data.len > 0)
			memmove(s->text + WIRE_FRAME_HEAD, f->data.p, f->data.len);
		sock_send_frame(s, c, OP_PONG, f->data.len);
	} else if (f->op != OP_PONG) {
		on_data(s, c, f);
	}
}

// The first HTTP answer or frame in d, if it is whole; *len: its bytes.
static int next(struct sock *s, struct conn *c, struct rg_slice d, size_t *len) {
	const char *why = NULL;
	struct wire_frame f;
	struct wire_http a;
	int rc;

	if (c->state == CONN_OPEN) {
		rc = wire_frame_parse(d, SOCK_MAX_MESSAGE, &f, &why);
		*len = f.len;
		if (rc == RG_OK)
			on_frame(s, c, &f);
	} else {
		rc = wire_http_parse(d, &a, &why);
		*len = a.len;
		if (rc == RG_OK)
			on_http(s, c, &a);
	}
	if (rc < 0)
		rubbish(s, c, why);
	return rc;
}

void sock_plain(struct sock *s, struct conn *c, struct rg_slice d) {
	uint32_t serial = c->serial;
	struct bytes *kept = c->plain;
	size_t len = 0;
	int rc = RG_OK;

	if (kept != NULL && !sock_bytes_add(&kept, d))
		return; // as if it had not come
	c->plain = NULL;
	if (kept != NULL)
		d = rg_slice(kept->b, kept->len);
	while (d.len > 0 && rc == RG_OK) {
		rc = next(s, c, d, &len);
		if (c->serial != serial)
			break;
		if (rc == RG_OK)
			d = rg_skip(d, len);
	}
	if (c->serial == serial && rc == RG_MORE && !sock_bytes_keep(&c->plain, d))
		sock_fail(s, c, (struct sock_end){.why = WHY_ERRNO, .code = ENOMEM}, NULL);
	free(kept);
}
