// SPDX-License-Identifier: BSD-3-Clause
// A client's REGISTER in the control plane: whose lease it is, whether it may, what it wants.
// Control loop. The worker judged the message before; nothing of that is taken on trust.
#include <stdio.h>
#include <stdlib.h>

#include "ims/b2bua.h"
#include "ims/message.h"
#include "regate/err.h"
#include "token/token.h"

#define AOR_MAX 512
#define RECENT_S 10 // longer than news of a grant take
#define NEWS_S 1

static bool parse(struct rg_slice message, struct sip_msg *m) {
	return sip_parse(message, m) == RG_OK && m->is_request && m->method == SIP_REGISTER;
}

// NULL: answered; what does not even parse the worker has answered.
static struct request *request_new(struct ims *ims, const struct rg_punt *p,
				   struct rg_slice message) {
	struct request *r = malloc(sizeof(*r) + message.len);
	struct sip_msg m;

	if (r == NULL) {
		if (parse(message, &m))
			reply_without_memory(ims, p, &m);
		return NULL;
	}
	r->punt = *p;
	r->did_wait = r->did_see = r->did_ask = false;
	r->reg = (struct sip_register){0};
	r->kind = KPI_INITIAL;
	r->who = KPI_UNKNOWN;
	memcpy(r->bytes, message.p, message.len);
	if (parse(rg_slice(r->bytes, message.len), &r->msg))
		return r;
	log_put(ims->log, LOG_WARN, "ims.unparsed", LOG_U("bytes", message.len));
	free(r);
	return NULL;
}

static bool is_deregister(const struct sip_register *reg) {
	return reg->has_expires && reg->expires == 0 && (reg->is_star || reg->n_contacts > 0);
}

// End of the token that the request showed; a request without one ends with the lease's last.
static uint64_t token_end(const struct lease *l, const struct request *r) {
	for (unsigned i = 0; r->reg.n_bearer > 0 && i < STORE_TOKENS; i++)
		if (memcmp(&l->tokens[i].digest, &r->punt.digest, sizeof(r->punt.digest)) == 0)
			return l->tokens[i].end_ns;
	return lease_token_end_ns(l);
}

// A de-REGISTER may come without a token, but only on the flow that holds the lease (ims.md 0.8).
static const struct lease *lease_of_flow(struct ims *ims, const struct request *r) {
	const struct rg_binding *b = &r->punt.bound;
	const struct lease *l = NULL;

	if (is_deregister(&r->reg) && b->lease_idx != RG_LEASE_NONE)
		l = lease_get(ims->leases, b->lease_idx, b->gen);
	return l != NULL && rg_conn_eq(l->flow, r->punt.conn) ? l : NULL;
}

// Another gateway's grant is known here a moment after its client has it: no reason to drop the token,
// unless its lease is known to be over.
static bool is_news_late(const struct ims *ims, const struct request *r) {
	int64_t age_s, now_s = env_wall_ms(ims->env) / 1000;
	struct token_claims c;
	bool is_late;

	if (!ims->conf->store.is_etcd || !token_peek(r->reg.bearer, ims->conf->token.issuer, &c))
		return false;
	age_s = now_s - c.iat;
	is_late = age_s <= RECENT_S && age_s >= -RECENT_S &&
		  !lease_is_over(ims->leases, c.impi, c.gen);
	token_claims_free(&c);
	return is_late;
}

// The lease r is about, or NULL with r answered.
static const struct lease *find_lease(struct ims *ims, struct request *r) {
	const struct lease *l;

	if (r->reg.n_bearer == 0) {
		l = lease_of_flow(ims, r);
		if (l == NULL)
			reply_challenge(ims, r, NULL);
		return l;
	}
	l = r->punt.has_digest ? lease_by_digest(ims->leases, &r->punt.digest) : NULL;
	if (l == NULL && is_news_late(ims, r)) {
		reply_later(ims, r, 503, NEWS_S);
	} else if (l == NULL && !sight_begin(ims, r)) {
		ims->kpi.token[KPI_TOKEN_NO_LEASE]++;
		log_put(ims->log, LOG_INFO, "ims.token_refused", LOG_B("impu", r->reg.to_uri),
			LOG_S("why", "no lease has it"));
		reply_challenge(ims, r, "invalid_token");
	}
	return l;
}

static bool is_aor(struct rg_slice uri, const char *impu) {
	uint8_t a[AOR_MAX], b[AOR_MAX];
	struct rg_wr wa = rg_wr(a, sizeof(a)), wb = rg_wr(b, sizeof(b));

	return sip_aor(uri, &wa) == RG_OK && sip_aor(rg_str(impu), &wb) == RG_OK &&
	       rg_eq(rg_wr_slice(&wa), rg_wr_slice(&wb));
}

bool b2bua_is_foreign_page(const struct ims *ims, const struct request *r, uint16_t wwsf) {
	return r->punt.wwsf == UINT16_MAX ? !ims->conf->reg.is_origin_optional
					  : r->punt.wwsf != wwsf;
}

// ims.md 1.3: no third-party registration, no identity but the lease's, no other WWSF's token.
static const char *why_forbidden(const struct ims *ims, const struct lease *l,
				 const struct request *r) {
	if (!is_aor(r->reg.to_uri, l->impu))
		return "To is not the token's identity";
	if (!is_aor(r->reg.from_uri, l->impu))
		return "From is not To";
	if (b2bua_is_foreign_page(ims, r, l->wwsf))
		return "token of another WWSF";
	return NULL;
}

// May the core have a binding? STALE: it had one before a restart, perhaps.
static bool is_registered(const struct lease *l) {
	return l->is_stale || l->state == LEASE_PENDING || l->state == LEASE_ACTIVE ||
	       l->state == LEASE_DEREG_PENDING || l->state == LEASE_UNKNOWN;
}

// Does a de-REGISTER mean what is registered? An old page may end its own Contact after a new one
// took its place; that Contact has gone already (RFC 3261 10.3 step 7).
static bool is_about_binding(const struct lease *l, const struct sip_register *reg) {
	struct contact bound, named;

	if (reg->is_star || l->binding.contact.len == 0)
		return true;
	return contact_parse(l->binding.contact, &bound) == RG_OK &&
	       contact_parse(reg->contact, &named) == RG_OK && contact_is_same(&bound, &named);
}

static void serve_deregister(struct ims *ims, const struct lease *l, struct request *r) {
	if (!is_registered(l))
		reply_done(ims, r, true);
	else if (!is_about_binding(l, &r->reg))
		reply_done(ims, r, !rg_conn_eq(l->flow, r->punt.conn));
	else
		op_deregister(ims, l, r);
}

// Told last: here, or since then by the worker, on the flow that asks.
static uint64_t promise_end(const struct lease *l, const struct rg_binding *b) {
	bool is_here = b->lease_idx == l->idx && b->gen == l->gen;

	return is_here && b->promise_end_ns > l->promise_end_ns ? b->promise_end_ns
								: l->promise_end_ns;
}

// No Contact: the client asks what is bound (RFC 3261 10.2.3).
static void serve_fetch(struct ims *ims, const struct lease *l, struct request *r) {
	uint64_t now_ns = env_now_ns(ims->env), end_ns = promise_end(l, &r->punt.bound);

	if (l->state == LEASE_ACTIVE && l->binding.contact.len > 0 && end_ns > now_ns)
		reply_registered(ims, r, &l->binding, (uint32_t)((end_ns - now_ns) / RG_NS_PER_S),
				 NULL);
	else
		reply_done(ims, r, false);
}

// Has the operation that r waited for bound just what r asks for (ims.md 4.3 rule 7)? Then the core
// need not see it.
static bool is_bound_already(struct ims *ims, const struct lease *l, const struct request *r) {
	uint8_t key[RG_CONTACT_MAX];
	struct rg_wr w = rg_wr(key, sizeof(key));

	sip_put_contact_key(&w, &r->reg);
	return r->did_wait && l->state == LEASE_ACTIVE && !l->is_stale &&
	       env_now_ns(ims->env) < l->binding.core_refresh_ns &&
	       rg_eq(l->binding.call_id, r->reg.call_id) && !w.overflow &&
	       rg_eq(l->binding.contact, rg_wr_slice(&w));
}

void ims_refresh(struct ims *ims, uint32_t idx, uint64_t gen) {
	const struct lease *l = lease_get(ims->leases, idx, gen);

	// Another flow asked first, or it is over.
	if (l == NULL || l->state != LEASE_ACTIVE || l->is_stale ||
	    env_now_ns(ims->env) < l->binding.core_refresh_ns)
		return;
	op_refresh(ims, l);
}

enum kpi_scenario b2bua_scenario(const struct lease *l) {
	if (l == NULL)
		return KPI_UNKNOWN;
	if (l->is_fixed)
		return KPI_ACCOUNT;
	return l->sub != NULL && strncmp(l->sub, "anon-", 5) == 0 ? KPI_ANONYMOUS : KPI_POOL;
}

// Whose r is, and what it is to be counted as. Once: what waited is what it was when it came.
static void classify(struct request *r, const struct lease *l) {
	if (r->who != KPI_UNKNOWN)
		return;
	r->who = b2bua_scenario(l);
	if (r->kind == KPI_INITIAL && (l->binding.contact.len > 0 || l->is_stale))
		r->kind = KPI_RE;
}

void b2bua_serve(struct ims *ims, struct request *r) {
	const struct lease *l = find_lease(ims, r);
	const char *why;
	struct op *op;

	if (l == NULL)
		return;
	classify(r, l);
	why = why_forbidden(ims, l, r);
	if (why != NULL) {
		log_put(ims->log, LOG_WARN, "ims.forbidden", LOG_S("impu", l->impu),
			LOG_B("to", r->reg.to_uri), LOG_S("why", why));
		reply_status(ims, r, 403, rg_slice(NULL, 0));
		return;
	}
	recheck_see(ims, r, l);
	op = op_find(ims, l->idx);
	if (op != NULL) { // RFC 3261 10.2: one at a time
		if (!op_enqueue(op, r))
			reply_later(ims, r, 500, 1);
	} else if (is_deregister(&r->reg)) {
		serve_deregister(ims, l, r);
	} else if (r->reg.n_contacts == 0) {
		serve_fetch(ims, l, r);
	} else if (!is_bound_already(ims, l, r) || !register_again(ims, l, r, token_end(l, r))) {
		op_register(ims, l, r, token_end(l, r));
	}
}

// Parts that every later step relies on. 0 or the status that says what is wrong.
static unsigned check_register(struct request *r) {
	int rc = sip_register_parse(&r->msg, &r->reg);

	if (rc != RG_OK || r->reg.n_bearer > 1)
		return 400;
	if (r->reg.is_star && !is_deregister(&r->reg)) // RFC 3261 10.3 step 6
		return 400;
	if (r->reg.contact.len + 2 > RG_CONTACT_MAX || // the key may have two brackets more
	    r->reg.call_id.len > IMS_CALL_ID_MAX)
		return 513;
	return 0;
}

void ims_register(struct ims *ims, const struct rg_punt *p, struct rg_slice message) {
	struct request *r = request_new(ims, p, message);
	unsigned status;

	if (r == NULL)
		return;
	status = check_register(r);
	if (status == 0 && is_deregister(&r->reg))
		r->kind = KPI_DEREG;
	else if (status == 0 && r->reg.n_contacts == 0)
		r->kind = KPI_FETCH;
	if (status != 0)
		reply_status(ims, r, status, rg_slice(NULL, 0));
	else
		b2bua_serve(ims, r);
}

void ims_deregister(struct ims *ims, const struct lease *l) {
	op_deregister(ims, l, NULL);
}

static bool is_flow(void *arg, struct rg_slice handle) {
	const struct ims *ims = arg;
	const struct lease *l;
	uint64_t gen;
	uint32_t idx;

	if (!message_read_handle(handle, ims->mac, &idx, &gen))
		return false;
	l = lease_get(ims->leases, idx, gen);
	return l != NULL && l->flow.gen != 0;
}

struct ims *ims_new(const struct conf *conf, struct env *env, struct log *log,
		    struct lease_engine *leases, const struct dpport *port, char *err,
		    size_t err_len) {
	struct ims *ims = calloc(1, sizeof(*ims));
	uint8_t mac_key[RG_DIGEST_KEY_LEN];

	if (ims == NULL)
		goto err;
	ims->conf = conf;
	ims->env = env;
	ims->log = log;
	ims->leases = leases;
	ims->port = port;
	env_random(env, mac_key, sizeof(mac_key));
	env_random(env, &ims->secret, sizeof(ims->secret));
	ims->mac = rg_digester_new(mac_key);
	ims->client = client_new(conf, env, log, &ims->stats);
	ims->runs = calloc(conf->n_pools + 1, sizeof(*ims->runs));
	if (ims->mac == NULL || ims->client == NULL || ims->runs == NULL)
		goto err;
	client_set_flows(ims->client, is_flow, ims);
	return ims;
err:
	snprintf(err, err_len, "core: no memory, or core.local cannot be used: check core.local");
	ims_free(ims);
	return NULL;
}

void ims_set_issuers(struct ims *ims, struct token_issuers *issuers, struct rg_digester *digester) {
	ims->issuers = issuers;
	ims->digester = digester;
}

void ims_free(struct ims *ims) {
	if (ims == NULL)
		return;
	op_free_all(ims);
	sight_orphan_all(ims);
	recheck_free_all(ims);
	client_free(ims->client);
	rg_digester_free(ims->mac);
	free(ims->runs);
	free(ims);
}

const struct ims_stats *ims_get_stats(const struct ims *ims) {
	return &ims->stats;
}

const struct kpi *ims_get_kpi(const struct ims *ims) {
	return &ims->kpi;
}

bool ims_is_connected(const struct ims *ims) {
	return client_is_connected(ims->client);
}
