// SPDX-License-Identifier: BSD-3-Clause
// Client transactions by branch. Control loop. The states Trying and Proceeding are one (1xx change
// nothing here); Completed is none: an answer that matches no transaction is dropped, and that is
// all Timer K is for.
#include "ims/client.h"

#include <errno.h>
#include <stdlib.h>

#include "ims/contact.h"
#include "ims/transport.h"
#include "regate/err.h"

#define N_BUCKETS 4096
#define T1_NS (500 * RG_NS_PER_MS)
#define T2_NS (4 * RG_NS_PER_S)
#define ANSWER_MAX 4096

struct tx {
	struct tx *next;
	struct client *client;
	client_done_fn *done;
	void *arg;
	struct transport_out *out; // TCP: what is still queued
	struct env_timer timer_e, timer_f;
	uint64_t interval_ns;
	bool is_udp;
	uint32_t cseq;
	uint8_t branch[CLIENT_BRANCH_MAX], call_id[CLIENT_CALL_ID_MAX];
	size_t branch_len, call_id_len;
	size_t len; // UDP: of the copy for retransmission
	uint8_t bytes[];
};

struct client {
	struct env *env;
	struct transport *transport;
	bool is_udp, is_answering; // is_answering: UDP, the last transaction was answered
	struct rg_addr peer;
	uint64_t timer_f_ns;
	struct ims_stats *stats;
	struct tx *buckets[N_BUCKETS];
	bool (*is_flow)(void *arg, struct rg_slice handle);
	void *flow_arg;
};

static size_t bucket(struct rg_slice branch) {
	uint32_t h = 2166136261u; // FNV-1a; our own branches only, so nobody can aim

	for (size_t i = 0; i < branch.len; i++)
		h = (h ^ branch.p[i]) * 16777619u;
	return h % N_BUCKETS;
}

static void tx_unlink(struct tx *tx) {
	struct tx **at = &tx->client->buckets[bucket(rg_slice(tx->branch, tx->branch_len))];

	while (*at != tx)
		at = &(*at)->next;
	*at = tx->next;
}

static void tx_free(struct tx *tx) {
	env_timer_cancel(tx->client->env, &tx->timer_e);
	env_timer_cancel(tx->client->env, &tx->timer_f);
	transport_out_drop(tx->client->transport, tx->out);
	free(tx);
}

// tx is off the table already: done may start new transactions.
static void tx_finish(struct tx *tx, struct client_result r) {
	client_done_fn *done = tx->done;
	void *arg = tx->arg;

	if (tx->is_udp)
		tx->client->is_answering = r.rc == 0;
	tx_free(tx);
	done(arg, &r);
}

static void on_timer_f(struct env_timer *t, uint64_t now_ns) {
	struct tx *tx = (struct tx *)((char *)t - offsetof(struct tx, timer_f));

	(void)now_ns;
	tx->client->stats->core_timeouts++;
	tx_unlink(tx);
	tx_finish(tx, (struct client_result){
			      .rc = -ETIMEDOUT,
			      .is_sent = tx->is_udp || !transport_out_is_unsent(tx->out),
		      });
}

// Timer E: T1, doubled up to T2 (RFC 3261 17.1.2.2). A datagram that cannot leave is a lost one.
static void on_timer_e(struct env_timer *t, uint64_t now_ns) {
	struct tx *tx = (struct tx *)((char *)t - offsetof(struct tx, timer_e));

	tx->client->stats->core_retransmits++;
	(void)transport_send_udp(tx->client->transport, rg_slice(tx->bytes, tx->len), NULL);
	tx->interval_ns = tx->interval_ns * 2 > T2_NS ? T2_NS : tx->interval_ns * 2;
	env_timer_set(tx->client->env, t, now_ns + tx->interval_ns);
}

static bool cseq_is(const struct sip_msg *m, uint32_t cseq) {
	const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_CSEQ);
	struct rg_slice s;
	uint64_t v;
	size_t n = 0;

	if (h == NULL)
		return false;
	s = h->value;
	while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return rg_parse_u64(rg_slice(s.p, n), &v) && v == cseq &&
	       rg_eq(rg_trim(rg_skip(s, n)), RG_LIT("REGISTER"));
}

static bool call_id_is(const struct sip_msg *m, struct rg_slice call_id) {
	const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_CALL_ID);

	return h != NULL && rg_eq(h->value, call_id);
}

// The transaction a response belongs to, taken off the table when the response is final. One Via
// only: we are the first and the last hop (RFC 3261 8.1.3.3).
static struct tx *tx_match(struct client *c, const struct sip_msg *m) {
	const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_VIA);
	struct sip_via via;
	struct tx **at, *tx;

	if (h == NULL || sip_hdr_next(m, h) != NULL || sip_via_parse(h->value, &via) != RG_OK)
		return NULL;
	for (at = &c->buckets[bucket(via.branch)]; (tx = *at) != NULL; at = &tx->next) {
		if (!rg_eq(rg_slice(tx->branch, tx->branch_len), via.branch))
			continue;
		if (!call_id_is(m, rg_slice(tx->call_id, tx->call_id_len)) || !cseq_is(m, tx->cseq))
			return NULL;
		if (m->status >= 200)
			*at = tx->next;
		return tx;
	}
	return NULL;
}

void client_set_flows(struct client *c, bool (*is_flow)(void *arg, struct rg_slice handle),
		      void *arg) {
	c->is_flow = is_flow;
	c->flow_arg = arg;
}

// Has it the form of message_put_handle(), marks with numbers between? Else the core addresses us.
static bool is_handle(struct rg_slice user) {
	static const char *const marks[] = {"l", ".g", "."};

	for (unsigned i = 0; i < 3; i++) {
		if (!rg_is_prefix(user, rg_str(marks[i])))
			return false;
		user = rg_skip(user, strlen(marks[i]));
		while (user.len > 0 && *user.p >= '0' && *user.p <= '9')
			user = rg_skip(user, 1);
	}
	return true;
}

// The user part of the first Route: whom the Path of a registration names. len 0 when there is none.
static struct rg_slice handle_of(const struct sip_msg *m) {
	const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_ROUTE);
	struct rg_slice list, first;
	struct contact c;
	const uint8_t *at;

	if (h == NULL)
		return rg_slice(NULL, 0);
	list = h->value;
	if (!sip_list_next(&list, &first) || contact_parse(first, &c) != RG_OK ||
	    !rg_is_prefix(c.uri, RG_LIT("sip:")))
		return rg_slice(NULL, 0);
	c.uri = rg_skip(c.uri, 4);
	at = memchr(c.uri.p, '@', c.uri.len);
	return at == NULL ? rg_slice(NULL, 0) : rg_slice(c.uri.p, (size_t)(at - c.uri.p));
}

// A flow that has gone, or is another owner's by now, gets 430 (RFC 5626 5.3, ims.md 6.4).
static unsigned status_of(const struct client *c, const struct sip_msg *m) {
	struct rg_slice handle = handle_of(m);

	if (is_handle(handle) && c->is_flow != NULL && !c->is_flow(c->flow_arg, handle))
		return 430;
	return m->method == SIP_OPTIONS ? 200 : 405;
}

// We offer the core nothing but an end of its waiting (RFC 3261 8.2.1, 11.2).
static void answer_request(struct client *c, const struct sip_msg *m, bool is_udp,
			   const struct rg_addr *from) {
	struct sip_answer a = {
		.status = status_of(c, m),
		.peer = is_udp ? from : NULL,
		.to_tag = RG_LIT("epcscf"),
		.headers = RG_LIT("Allow: OPTIONS\r\n"),
	};
	uint8_t buf[ANSWER_MAX];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	if (m->method == SIP_ACK)
		return;
	// A datagram of somebody else's gets no answer: we would be a reflector.
	if (is_udp && memcmp(from->ip, c->peer.ip, sizeof(from->ip)) != 0)
		return;
	sip_put_answer(&w, m, &a);
	if (w.overflow)
		return;
	if (is_udp)
		(void)transport_send_udp(c->transport, rg_wr_slice(&w), from);
	else
		(void)transport_send_tcp(c->transport, rg_wr_slice(&w), NULL);
}

static void on_message(void *ctx, const struct sip_msg *m, bool is_udp,
		       const struct rg_addr *from) {
	struct client *c = ctx;
	struct tx *tx;

	if (m->is_request) {
		answer_request(c, m, is_udp, from);
		return;
	}
	tx = tx_match(c, m);
	if (tx == NULL || m->status < 200)
		return;
	c->stats->core_answers++;
	tx_finish(tx, (struct client_result){.is_sent = true, .answer = m});
}

// Ends the TCP transactions that a lost connection took with it.
static void on_lost(void *ctx, int rc, bool is_attempt) {
	struct client *c = ctx;
	struct tx **at, *tx, *lost = NULL;

	for (size_t i = 0; i < N_BUCKETS; i++) {
		for (at = &c->buckets[i]; (tx = *at) != NULL;) {
			if (tx->is_udp || (!is_attempt && tx->out != NULL)) {
				at = &tx->next;
				continue;
			}
			*at = tx->next;
			tx->next = lost;
			lost = tx;
		}
	}
	while ((tx = lost) != NULL) {
		lost = tx->next;
		tx_finish(tx, (struct client_result){.rc = rc, .is_sent = !is_attempt});
	}
}

struct client *client_new(const struct conf *conf, struct env *env, struct log *log,
			  struct ims_stats *stats) {
	struct client *c = calloc(1, sizeof(*c));
	struct transport_ops ops = {.ctx = c,
				    .message = on_message,
				    .lost = on_lost,
				    .n_connects = &stats->core_connects};

	if (c == NULL)
		return NULL;
	c->env = env;
	c->stats = stats;
	c->is_udp = conf->core.is_udp;
	c->peer = conf->core.address;
	c->timer_f_ns = conf->core.timer_f_s * RG_NS_PER_S;
	c->transport = transport_new(env, log, conf, &ops);
	if (c->transport == NULL) {
		client_free(c);
		return NULL;
	}
	return c;
}

void client_free(struct client *c) {
	struct tx *tx;

	if (c == NULL)
		return;
	for (size_t i = 0; i < N_BUCKETS; i++) {
		while ((tx = c->buckets[i]) != NULL) {
			c->buckets[i] = tx->next;
			tx_free(tx);
		}
	}
	transport_free(c->transport);
	free(c);
}

bool client_is_udp(const struct client *c, size_t len) {
	return c->is_udp && len <= TRANSPORT_UDP_MAX;
}

static struct tx *tx_new(struct client *c, struct rg_slice copy, const struct client_id *id) {
	struct tx *tx = calloc(1, sizeof(*tx) + copy.len);

	if (tx == NULL)
		return NULL;
	tx->client = c;
	tx->cseq = id->cseq;
	tx->branch_len = id->branch.len;
	memcpy(tx->branch, id->branch.p, id->branch.len);
	tx->call_id_len = id->call_id.len;
	memcpy(tx->call_id, id->call_id.p, id->call_id.len);
	tx->len = copy.len;
	if (copy.len > 0)
		memcpy(tx->bytes, copy.p, copy.len);
	tx->timer_e.fn = on_timer_e;
	tx->timer_f.fn = on_timer_f;
	return tx;
}

static int tx_transmit(struct tx *tx, struct rg_slice request, uint64_t now_ns) {
	struct client *c = tx->client;
	int rc;

	if (!tx->is_udp)
		return transport_send_tcp(c->transport, request, &tx->out);
	rc = transport_send_udp(c->transport, request, NULL);
	if (rc != 0)
		return rc;
	tx->interval_ns = T1_NS;
	env_timer_set(c->env, &tx->timer_e, now_ns + T1_NS);
	return 0;
}

int client_send(struct client *c, struct rg_slice request, bool is_udp, const struct client_id *id,
		client_done_fn *done, void *arg) {
	uint64_t now_ns = env_now_ns(c->env);
	struct tx *tx;
	size_t i;
	int rc;

	if (id->branch.len > CLIENT_BRANCH_MAX || id->call_id.len > CLIENT_CALL_ID_MAX)
		return RG_E_LIMIT;
	tx = tx_new(c, is_udp ? request : rg_slice(NULL, 0), id);
	if (tx == NULL)
		return -ENOMEM;
	tx->is_udp = is_udp;
	tx->done = done;
	tx->arg = arg;
	rc = tx_transmit(tx, request, now_ns);
	if (rc != 0) {
		tx_free(tx);
		return rc;
	}
	env_timer_set(c->env, &tx->timer_f, now_ns + c->timer_f_ns);
	i = bucket(id->branch);
	tx->next = c->buckets[i];
	c->buckets[i] = tx;
	c->stats->core_requests++;
	return 0;
}

bool client_is_connected(const struct client *c) {
	return c->is_udp ? c->is_answering : transport_is_up(c->transport);
}
