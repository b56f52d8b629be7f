// SPDX-License-Identifier: BSD-3-Clause
// Clients: they log in, renew, register through the gateways, leave, are thrown out. What they do and
// what they hear goes into the history.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lease/operator.h"
#include "regate/err.h"
#include "world.h"

static struct history_event event_of(const struct user *c, uint8_t kind, uint8_t op) {
	return (struct history_event){.kind = kind,
				      .op = op,
				      .client = c->id,
				      .pair = c->idx,
				      .gen = c->has_lease ? c->gen : 0};
}

struct user *user_new(struct world *w, const char *sub, uint16_t pool) {
	struct user *c = &w->users[++w->n_users];

	world_assert(w, w->n_users < MAX_USERS, 0);
	*c = (struct user){.id = (uint16_t)w->n_users, .pool = pool};
	if (sub != NULL)
		snprintf(c->sub, sizeof(c->sub), "%s", sub);
	else
		snprintf(c->sub, sizeof(c->sub), "u%u", c->id);
	return c;
}

// --- grants and renewals

static int issue(void *arg, const struct lease *l, uint64_t token_end_ns, struct rg_wr *token) {
	struct ask *a = arg;
	struct world *w = a->g->w;
	struct history_event e = event_of(&w->users[a->client], EV_ISSUE, a->op);

	a->token.number = ++w->n_tokens;
	a->token.end_ns = gateway_to_true(a->g, token_end_ns);
	snprintf(a->token.text, sizeof(a->token.text), "token-%u", a->token.number);
	rg_puts(token, a->token.text);
	rg_token_digest(w->digester, rg_wr_slice(token), &a->token.digest);
	world_assert(w, w->n_tokens < HISTORY_TOKENS, l->idx);
	w->digests[w->n_tokens] = a->token.digest;
	e.pair = l->idx;
	e.gen = l->gen;
	e.token = a->token.number;
	e.end_ns = a->token.end_ns;
	e.gateway = (uint8_t)a->g->id;
	world_log(w, e);
	world_extend(w, a->token.end_ns + w->rules.guard_ns);
	return world_chance(w, w->is_calm ? 0 : 2) ? RG_E_LIMIT : 0;
}

static void take_token(struct user *c, const struct ask *a) {
	memmove(c->tokens + 1, c->tokens, (USER_TOKENS - 1) * sizeof(c->tokens[0]));
	c->tokens[0] = a->token;
}

static void on_token(void *arg, int rc, const struct lease *l, struct rg_slice) {
	struct ask *a = arg;
	struct world *w = a->g->w;
	struct user *c = &w->users[a->client];
	struct history_event e;

	world_assert(w, !a->is_done, 0);
	a->is_done = true;
	if (rc == 0 && (!c->has_lease || c->gen != l->gen || c->idx != l->idx)) {
		c->has_lease = true;
		c->idx = l->idx;
		c->gen = l->gen;
		memset(c->tokens, 0, sizeof(c->tokens));
		c->promise_end_ns = 0;
		w->n.reassigned += l->gen > 1;
	}
	e = event_of(c, rc == 0 ? EV_OK : rc == -ECANCELED ? EV_UNKNOWN : EV_FAIL, a->op);
	e.gateway = (uint8_t)a->g->id;
	e.status = rc < 0 ? (uint16_t)-rc : 0;
	if (rc == 0) {
		world_assert(w, strcmp(l->sub, c->sub) == 0, l->idx);
		e.token = a->token.number;
		e.end_ns = a->token.end_ns;
		e.pool = l->pool;
		take_token(c, a);
		w->n.granted += a->op == OP_GRANT;
		w->n.renewed += a->op == OP_RENEW;
	}
	world_log(w, e);
}

static struct lease_ask ask_new(struct world *w, struct gateway *g, struct user *c, uint8_t op) {
	struct ask *a = &w->asks[w->n_asks++];
	struct history_event e = event_of(c, EV_INVOKE, op);

	world_assert(w, w->n_asks <= MAX_ASKS, 0);
	*a = (struct ask){.g = g, .client = c->id, .op = op};
	e.gateway = (uint8_t)g->id;
	world_log(w, e);
	return (struct lease_ask){.is_account = c->pool == POOL_ACCOUNTS,
				  .pool = c->pool,
				  .sub = c->sub,
				  .token_life_ns =
					  TOKEN_LEAST_S * RG_NS_PER_S +
					  world_random(w,
						       TOKEN_MAX_NS - TOKEN_LEAST_S * RG_NS_PER_S),
				  .issue = issue,
				  .done = on_token,
				  .arg = a,
				  .digester = w->digester};
}

void user_login(struct world *w, struct gateway *g, struct user *c) {
	struct lease_ask ask = ask_new(w, g, c, OP_GRANT);

	lease_grant(g->e, &ask);
}

void user_grant(struct world *w) {
	struct gateway *g = gateway_any(w);
	struct user *c;

	if (g == NULL)
		return;
	if (world_chance(w, 30)) // accounts are the first clients
		c = &w->users[1 + world_random(w, N_ACCOUNTS)];
	else
		c = user_new(w, NULL, world_chance(w, 15));
	user_login(w, g, c);
}

// One that has a token which may be good still; NULL when none was found.
static struct user *any_holder(struct world *w) {
	for (unsigned i = 0; i < 6; i++) {
		struct user *c = &w->users[1 + world_random(w, w->n_users)];

		if (c->has_lease && (c->tokens[0].end_ns > w->now_ns || world_chance(w, 10)))
			return c;
	}
	return NULL;
}

void user_renew(struct world *w) {
	struct gateway *g = gateway_any(w);
	struct user *c = any_holder(w);
	struct lease_ask ask;

	if (g == NULL || c == NULL)
		return;
	ask = ask_new(w, g, c, OP_RENEW);
	lease_renew(g->e, c->idx, c->gen, &ask);
}

// --- REGISTER

static uint32_t conn_new(struct world *w, const struct gateway *g, const struct user *c) {
	world_assert(w, ++w->n_conns < MAX_CONNS, 0);
	w->conns[w->n_conns] = (struct conn){.is_open = true,
					     .client = c->id,
					     .gateway = (uint8_t)g->id,
					     .life = g->life,
					     .bound = {.lease_idx = RG_LEASE_NONE}};
	return w->n_conns;
}

static void send(struct world *w, struct gateway *g, struct user *c, uint32_t conn, bool is_end) {
	const struct user_token *t = &c->tokens[world_chance(w, 15)];
	struct history_event e = event_of(c, EV_INVOKE, is_end ? OP_DEREGISTER : OP_REGISTER);
	char text[1024];
	int len;

	if (t->number == 0)
		t = &c->tokens[0];
	len = snprintf(text, sizeof(text),
		       "REGISTER sip:ims.example.net SIP/2.0\r\n"
		       "Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK%u\r\nMax-Forwards: 69\r\n"
		       "To: <sip:pair-%u@ims.example.net>\r\n"
		       "From: <sip:pair-%u@ims.example.net>;tag=t\r\n"
		       "Call-ID: call-%u-%u\r\nCSeq: %u REGISTER\r\n"
		       "Authorization: Bearer %s\r\n"
		       "Contact: <sip:c%u@x.invalid;transport=ws>;reg-id=1;"
		       "+sip.instance=\"<urn:uuid:%u>\";expires=%u\r\n"
		       "Supported: path,gruu,outbound\r\nContent-Length: 0\r\n\r\n",
		       conn, c->idx, c->idx, c->id, c->n_pages, ++c->cseq, t->text,
		       c->id * 1000u + c->n_pages, c->id, is_end ? 0 : 600);
	c->op = e.op;
	c->asked_on = conn;
	c->asked_token = e.token = t->number;
	c->is_asked_late = gateway_is_behind(g);
	c->asked_gen = c->gen;
	e.gateway = (uint8_t)g->id;
	world_log(w, e);
	gateway_register(g, c, conn, t, rg_slice(text, (size_t)len));
}

// Mostly on the connection it has; else, and after a move to another gateway, on a new one. The old
// one is forgotten, not closed.
static uint32_t conn_for(struct world *w, struct gateway *g, struct user *c) {
	const struct conn *old = &w->conns[c->conn];

	if (c->conn != 0 && old->is_open && old->gateway == g->id && !world_chance(w, 15))
		return c->conn;
	if (world_chance(w, 30))
		c->n_pages++; // a reload: Contact and Call-ID are new
	return c->conn = conn_new(w, g, c);
}

void user_register(struct world *w) {
	struct user *c = any_holder(w);
	struct gateway *g;

	if (c == NULL || c->op != 0)
		return;
	g = gateway_any(w);
	if (c->conn != 0 && w->conns[c->conn].is_open && !world_chance(w, 20))
		g = &w->gw[w->conns[c->conn].gateway - 1];
	if (g == NULL || !gateway_serves(g))
		return;
	send(w, g, c, conn_for(w, g, c), false);
}

void user_deregister(struct world *w) {
	struct user *c = any_holder(w);
	const struct conn *conn;

	if (c == NULL || c->op != 0 || c->conn == 0)
		return;
	conn = &w->conns[c->conn];
	if (conn->is_open && gateway_serves(&w->gw[conn->gateway - 1]))
		send(w, &w->gw[conn->gateway - 1], c, c->conn, true);
}

void user_on_answer(struct world *w, uint32_t conn, unsigned status, uint64_t promise_end_ns) {
	struct user *c = &w->users[w->conns[conn].client];
	bool is_heard = w->conns[conn].is_open;
	struct history_event e = event_of(c,
					  !is_heard       ? EV_UNKNOWN
					  : status == 200 ? EV_OK
							  : EV_FAIL,
					  c->op);

	world_assert(w, c->op != 0 && c->asked_on == conn, c->idx); // once
	e.gateway = w->conns[conn].gateway;
	e.token = c->asked_token;
	e.gen = c->asked_gen;
	e.status = (uint16_t)status;
	e.is_late = c->is_asked_late || gateway_is_behind(&w->gw[e.gateway - 1]);
	if (is_heard && status == 200 && c->op == OP_REGISTER) {
		e.end_ns = c->promise_end_ns = promise_end_ns;
		w->n.registered++;
	} else if (is_heard && status == 200) {
		c->promise_end_ns = 0;
		w->n.deregistered++;
	}
	world_log(w, e);
	if (status != 200 && c->op == OP_REGISTER) { // without a flow the grace may begin
		e.kind = EV_FLOW_LOST;
		world_log(w, e);
	}
	c->op = 0;
}

void user_flow_lost(struct world *w, uint32_t conn, const struct rg_binding *b) {
	world_log(w, (struct history_event){.kind = EV_FLOW_LOST,
					    .client = w->conns[conn].client,
					    .pair = b->lease_idx,
					    .gen = b->gen,
					    .gateway = w->conns[conn].gateway});
}

// The gateway closes a connection.
void user_on_close(struct world *w, uint32_t conn) {
	w->conns[conn].is_open = false;
	if (w->conns[conn].bound.lease_idx == RG_LEASE_NONE)
		return;
	world_log(w, (struct history_event){.kind = EV_FLOW_END,
					    .client = w->conns[conn].client,
					    .pair = w->conns[conn].bound.lease_idx,
					    .gen = w->conns[conn].bound.gen,
					    .token = conn,
					    .gateway = w->conns[conn].gateway});
}

void user_on_crash(struct world *w, const struct gateway *g) {
	for (unsigned i = 1; i <= w->n_conns; i++)
		if (w->conns[i].gateway == g->id)
			w->conns[i].is_open = false;
	for (unsigned i = 1; i <= w->n_users; i++) {
		struct user *c = &w->users[i];

		if (c->op == 0 || w->conns[c->asked_on].gateway != g->id)
			continue;
		world_log(w, event_of(c, EV_UNKNOWN, c->op));
		c->op = 0;
	}
}

// --- ends

static void on_revoked(struct lease_wait *wait, int rc) {
	struct revocation *r = (struct revocation *)wait;

	r->e.kind = rc == 0 ? EV_OK : EV_UNKNOWN;
	world_log(r->w, r->e);
}

static int end_lease(struct gateway *g, const struct user *c, bool is_release) {
	return is_release ? lease_release(g->e, c->idx) : lease_revoke(g->e, c->idx, c->gen);
}

void user_end(struct world *w, struct gateway *g, struct user *c, bool is_release) {
	struct revocation *r = &w->revocations[w->n_revocations];
	struct history_event e = event_of(c, EV_INVOKE, OP_REVOKE);

	e.gateway = (uint8_t)g->id;
	if (end_lease(g, c, is_release) != 0)
		return;
	world_log(w, e);
	e.kind = EV_OK;
	*r = (struct revocation){.wait.done = on_revoked, .w = w, .e = e};
	if (lease_await(g->e, c->idx, &r->wait) == RG_MORE)
		world_assert(w, ++w->n_revocations < MAX_REVOCATIONS, c->idx);
	else
		world_log(w, e);
	w->n.revoked++;
}

void user_revoke(struct world *w) {
	struct gateway *g = gateway_any(w);
	struct user *c = any_holder(w);

	if (g != NULL && c != NULL)
		user_end(w, g, c, false);
}

static struct conn *any_flow(struct world *w) {
	for (unsigned i = 0; i < 6 && w->n_conns > 0; i++) {
		struct conn *conn = &w->conns[1 + world_random(w, w->n_conns)];

		if (conn->is_open && conn->bound.lease_idx != RG_LEASE_NONE &&
		    gateway_serves(&w->gw[conn->gateway - 1]))
			return conn;
	}
	return NULL;
}

void user_flow(struct world *w) {
	struct conn *conn = any_flow(w);
	struct rg_conn_id id;
	struct gateway *g;

	if (conn == NULL)
		return;
	id = (struct rg_conn_id){.idx = (uint32_t)(conn - w->conns), .gen = 1};
	g = &w->gw[conn->gateway - 1];
	if (world_chance(w, 60)) {
		user_flow_lost(w, id.idx, &conn->bound);
		user_on_close(w, id.idx);
		lease_flow_closed(g->e, conn->bound.lease_idx, conn->bound.gen, id);
	} else if (conn->bound.promise_end_ns <= env_now_ns(g->env)) {
		user_flow_lost(w, id.idx, &conn->bound);
		lease_flow_expired(g->e, conn->bound.lease_idx, conn->bound.gen, id);
	}
}
