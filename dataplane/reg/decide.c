// SPDX-License-Identifier: BSD-3-Clause
// The decision table of ims.md 4.3 for one REGISTER, as far as a worker can decide: answer, refuse,
// or punt. A pure function of its arguments and the flow; worker thread.
#include "reg.h"
#include "regate/clock.h"

#define AOR_MAX 512 // bytes of a canonical address of record

struct ask {           // the question, so that each rule has one argument
	bool is_again; // it repeats one that was accepted: see reg_find_again()
	const struct rg_reg_cfg *cfg;
	struct reg_flow *f;
	const struct sip_register *r;
	const struct rg_lease_view *lease; // NULL until rule 5 has passed, or for good
	uint64_t now_ns;
	uint64_t call_id_hash;   // of it the flow keeps 32 bits: two of one value share their CSeqs
	struct rg_slice contact; // of the answer, once it is known to be the lease's
	struct reg_out *out;
	struct rg_wr text;
};

// This and the refusals below return true: it is decided. Judges return false to pass the question
// on.
static bool punt(struct ask *a, enum rg_punt_reason reason) {
	a->out->verdict = REG_PUNT;
	a->out->reason = reason;
	return true;
}

static void put_quoted(struct rg_wr *w, const char *name, const char *value) {
	rg_puts(w, name);
	rg_put(w, RG_LIT("=\""));
	rg_puts(w, value);
	rg_putc(w, '"');
}

void reg_put_challenge(struct rg_wr *w, const struct rg_reg_cfg *cfg, const char *error) {
	rg_put(w, RG_LIT("WWW-Authenticate: Bearer "));
	put_quoted(w, "realm", cfg->realm);
	put_quoted(w, ", authz_server", cfg->authz_server);
	put_quoted(w, ", scope", "ims.register");
	if (error != NULL)
		put_quoted(w, ", error", error);
	rg_put(w, RG_LIT("\r\n"));
}

// A refusal needs a To tag too (RFC 3261 8.2.6.2); the same one for the same transaction.
static struct rg_slice put_tag(struct ask *a) {
	size_t at = a->text.len;

	rg_put_be(&a->text, rg_text_hash(a->r->from_tag, a->call_id_hash), 8);
	rg_put_hex(&a->text, rg_slice(a->text.p + at, 8));
	return rg_slice(a->text.p + at + 8, 16);
}

static bool refuse(struct ask *a, unsigned status, enum rg_punt_reason why) {
	a->out->reason = why;
	a->out->answer.status = status;
	a->out->answer.to_tag = put_tag(a);
	return true;
}

// 401; error NULL asks for a token, else the one given is at fault (RFC 8898 2.1.2).
static bool challenge(struct ask *a, enum rg_punt_reason why, const char *error) {
	size_t at;

	refuse(a, 401, why);
	at = a->text.len;
	reg_put_challenge(&a->text, a->cfg, error);
	if (a->text.overflow) // a bare scheme makes clients drop the answer (ims.md 0.7)
		a->out->answer.headers =
			RG_LIT("WWW-Authenticate: Bearer scope=\"ims.register\"\r\n");
	else
		a->out->answer.headers = rg_slice(a->text.p + at, a->text.len - at);
	return true;
}

static bool refuse_token(struct ask *a, enum rg_punt_reason why) {
	return challenge(a, why, "invalid_token");
}

static bool is_bound_here(const struct ask *a) {
	return a->f->bound.lease_idx == a->lease->idx && a->f->bound.gen == a->lease->gen;
}

static bool is_base64url(uint8_t c) {
	return (rg_lower(c) >= 'a' && rg_lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

// Three parts of base64url, none empty (RFC 7515 3.1).
static bool has_jwt_shape(struct rg_slice s) {
	unsigned n_dots = 0;
	size_t part = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.') {
			if (part == 0 || ++n_dots > 2)
				return false;
			part = 0;
		} else if (is_base64url(s.p[i])) {
			part++;
		} else {
			return false;
		}
	}
	return n_dots == 2 && part > 0;
}

static bool is_same_aor(struct rg_slice x, struct rg_slice y) {
	uint8_t bx[AOR_MAX], by[AOR_MAX];
	struct rg_wr wx = rg_wr(bx, sizeof(bx)), wy = rg_wr(by, sizeof(by));

	if (rg_eq(x, y))
		return true;
	return sip_aor(x, &wx) == 0 && sip_aor(y, &wy) == 0 &&
	       rg_eq(rg_wr_slice(&wx), rg_wr_slice(&wy));
}

static bool is_impu(struct rg_slice uri, const struct rg_slice impu[3]) {
	uint8_t buf[AOR_MAX];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	size_t user = impu[0].len, domain = user + impu[1].len;

	if (rg_is_prefix(uri, impu[0]) && rg_is_prefix(rg_skip(uri, user), impu[1]) &&
	    rg_eq(rg_skip(uri, domain), impu[2]))
		return true;
	for (unsigned i = 0; i < 3; i++)
		rg_put(&w, impu[i]);
	return !w.overflow && is_same_aor(uri, rg_wr_slice(&w));
}

static bool is_dereg(const struct sip_register *r) {
	return r->is_star || (r->n_contacts > 0 && r->has_expires && r->expires == 0);
}

// Rule 5: what can be said of the token without its lease. True when that decides.
static bool judge_token(struct ask *a) {
	const struct sip_register *r = a->r;

	if (r->n_bearer > 1)
		return refuse(a, 400, RG_WHY_TWO_TOKENS);
	if (is_dereg(r) && reg_is_bound(a->f) &&
	    a->lease == NULL) // ims.md 0.8: SIP.js sends no token
		return punt(a, RG_WHY_DEREG);
	if (r->n_bearer == 0)
		return challenge(a, RG_WHY_NO_TOKEN, NULL);
	if (r->bearer.len == 0 || r->bearer.len > RG_TOKEN_MAX)
		return refuse_token(a, RG_WHY_BAD_TOKEN);
	if (a->lease == NULL && (a->cfg->has_opaque || has_jwt_shape(r->bearer)))
		return punt(a, RG_WHY_TOKEN_NEW);
	if (a->lease == NULL)
		return refuse_token(a, RG_WHY_BAD_TOKEN);
	return false;
}

static uint64_t seconds_until(uint64_t end_ns, uint64_t now_ns) {
	return end_ns > now_ns ? (end_ns - now_ns) / RG_NS_PER_S : 0;
}

static uint64_t token_left_s(const struct ask *a) {
	return seconds_until(a->lease->token_end_ns, a->now_ns);
}

static uint64_t core_left_s(const struct ask *a) {
	uint64_t guard_ns = a->cfg->guard_s * RG_NS_PER_S, end_ns = a->lease->core_end_ns;

	return end_ns > guard_ns ? seconds_until(end_ns - guard_ns, a->now_ns) : 0;
}

// Rules 5 and 6: is this client who the token says, and is the token good for long enough?
static bool judge_identity(struct ask *a) {
	const struct rg_lease_view *l = a->lease;
	bool is_ending_dereg = is_dereg(a->r) && is_bound_here(a); // needs no token at all

	if (l->token_end_ns <= a->now_ns && !is_ending_dereg)
		return refuse_token(a, RG_WHY_TOKEN_ENDED);
	if (!a->is_again &&
	    (!is_impu(a->r->to_uri, l->impu) ||
	     !is_same_aor(a->r->from_uri, a->r->to_uri))) // ims.md 1.3: no third parties
		return refuse(a, 403, RG_WHY_IDENTITY);
	if (a->f->wwsf != UINT16_MAX && a->f->wwsf != l->wwsf) // REQ 3.3
		return refuse(a, 403, RG_WHY_FOREIGN_PAGE);
	if (is_dereg(a->r)) // rule 4
		return punt(a, RG_WHY_DEREG);
	if (token_left_s(a) < a->cfg->client_min_s)
		return refuse_token(a, RG_WHY_TOKEN_ENDING);
	return false;
}

// Rules 8 and 10.
static bool judge_state(struct ask *a) {
	switch (a->lease->state) {
	case RG_LEASE_ACTIVE:
		return false;
	case RG_LEASE_OFFERED:
		return punt(a, RG_WHY_INITIAL);
	case RG_LEASE_STALE:
		return punt(a, RG_WHY_STALE);
	default:
		return refuse_token(a, RG_WHY_LEASE_ENDING);
	}
}

static bool accept(struct ask *a, uint64_t expires_s) {
	struct sip_answer *w = &a->out->answer;

	w->status = 200;
	w->to_tag = a->lease->to_tag;
	w->contact = a->contact;
	w->expires = (uint32_t)expires_s;
	w->more = a->lease->headers;
	w->n_more = sizeof(a->lease->headers) / sizeof(*a->lease->headers);
	return true;
}

// Without an expires parameter at its end, where the usual client has it.
static struct rg_slice cut_expires(struct rg_slice s) {
	static const struct rg_slice name = RG_LIT(";expires=");
	size_t n = s.len;

	while (n > 0 && s.p[n - 1] >= '0' && s.p[n - 1] <= '9')
		n--;
	if (n == s.len || n < name.len || memcmp(s.p + n - name.len, name.p, name.len) != 0)
		return s;
	return rg_slice(s.p, n - name.len);
}

static bool is_lease_contact(struct ask *a, struct rg_slice contact) {
	a->contact = contact;
	return rg_client_hash(a->call_id_hash, contact) == a->lease->client;
}

// Is this the registration that the lease has? As it stands, or else in the form that is stored.
// Without Contact it is none, and asks what is registered (RFC 3261 10.2.3): the control plane knows.
static bool is_same_client(struct ask *a) {
	struct rg_wr key = rg_wr(a->out->contact, sizeof(a->out->contact));

	if (a->r->n_contacts == 0)
		return false;
	a->contact = cut_expires(a->r->contact);
	if (a->is_again || is_lease_contact(a, a->contact))
		return true;
	sip_put_contact_key(&key, a->r);
	return !key.overflow && is_lease_contact(a, rg_wr_slice(&key));
}

static uint64_t min(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

// Seconds that the client asks for, within our limits and the token's life.
static uint64_t wanted_s(const struct ask *a) {
	uint64_t floor_s = min(a->cfg->client_min_s, a->cfg->client_max_s);
	uint64_t s = a->cfg->client_max_s;

	if (a->r->has_expires && a->r->expires < s)
		s = a->r->expires < floor_s ? floor_s : a->r->expires;
	return min(s, token_left_s(a));
}

static bool is_core_due(const struct ask *a) {
	return a->now_ns >= a->lease->core_refresh_ns;
}

// Rules 9, 11 and 12.
static bool judge_binding(struct ask *a) {
	bool is_elsewhere = reg_is_bound(a->f) && a->f->bound.lease_idx != a->lease->idx;

	if (is_elsewhere || !is_same_client(a))
		return punt(a, RG_WHY_CHANGED);
	if (is_core_due(a) && core_left_s(a) <= wanted_s(a))
		return punt(a, RG_WHY_CORE_DUE);
	// RFC 3261 10.3 step 7, where it is wanted; an equal one came twice: same answer.
	if (a->f->call_id_hash == (uint32_t)a->call_id_hash && a->r->cseq < a->f->last_cseq &&
	    a->cfg->is_cseq_strict)
		return refuse(a, 500, RG_WHY_CSEQ);
	return false;
}

// Seconds for the client: what it wants, within the core's binding (INV-9), less 0 to 10 % so that a
// herd spreads. 0 when the core's binding is too short.
static uint64_t granted_s(const struct ask *a) {
	uint64_t floor_s = min(a->cfg->client_min_s, a->cfg->client_max_s);
	uint64_t core_s = core_left_s(a), s = min(wanted_s(a), core_s);
	uint64_t seed = rg_hash_mix(a->call_id_hash, a->r->cseq);

	if (core_s < floor_s)
		return 0;
	s -= s * (seed % 101) / 1000;
	return s < floor_s ? floor_s : s;
}

// 11 bits that tell due times apart. Two of one mark in a row, 1 in 2048: the control plane is not
// told of the second, and hears of it by the REGISTER that the core's binding does not last for.
static unsigned due_mark(const struct rg_lease_view *l) {
	return (unsigned)(l->core_refresh_ns * UINT64_C(0x9e3779b97f4a7c15) >> 53);
}

void reg_core_asked(struct reg_flow *f, const struct rg_lease_view *lease) {
	f->core_asked = due_mark(lease) & 0x7ff;
}

// Rules 13 and 14.
static bool register_locally(struct ask *a) {
	uint64_t expires_s = granted_s(a);

	if (expires_s == 0)
		return punt(a, RG_WHY_SHORT);
	a->out->is_bind = true;
	// After its promise the control plane was told that it is over.
	a->out->is_moved = !is_bound_here(a) || a->f->bound.promise_end_ns <= a->now_ns;
	a->out->is_core_due = is_core_due(a) && a->f->core_asked != due_mark(a->lease);
	a->out->bound.lease_idx = a->lease->idx;
	a->out->bound.gen = a->lease->gen;
	a->out->bound.promise_end_ns = a->now_ns + expires_s * RG_NS_PER_S;
	return accept(a, expires_s);
}

static bool decide(struct ask *a) {
	return (!a->is_again && judge_token(a)) || judge_identity(a) || judge_state(a) ||
	       judge_binding(a) || register_locally(a);
}

// What passed, here or to the control plane, sets the mark for rule 12.
static void note_cseq(struct ask *a) {
	bool is_passed = a->out->verdict == REG_PUNT || a->out->answer.status == 200;

	if (a->lease == NULL || !is_passed)
		return;
	if (a->f->call_id_hash == (uint32_t)a->call_id_hash && a->r->cseq < a->f->last_cseq)
		return;
	a->f->call_id_hash = (uint32_t)a->call_id_hash;
	a->f->last_cseq = a->r->cseq;
}

static void answer(struct ask *a, const struct rg_addr *peer) {
	struct reg_out *out = a->out;

	out->verdict = REG_ANSWER;
	out->reason = RG_WHY_NONE;
	out->answer = (struct sip_answer){.peer = peer};
	out->is_bind = out->is_moved = out->is_core_due = false;
	out->bound = a->f->bound;
	(void)decide(a);
	note_cseq(a);
}

static struct ask ask_of(const struct rg_reg_cfg *cfg, struct reg_flow *f,
			 const struct sip_register *r, const struct rg_lease_view *lease,
			 uint64_t now_ns, struct reg_out *out) {
	return (struct ask){
		.cfg = cfg,
		.f = f,
		.r = r,
		.lease = lease,
		.now_ns = now_ns,
		.call_id_hash = rg_call_id_hash(r->call_id),
		.out = out,
		.text = rg_wr(out->text, sizeof(out->text)),
	};
}

void reg_decide(const struct rg_reg_cfg *cfg, struct reg_flow *f, const struct sip_register *r,
		const struct rg_addr *peer, const struct rg_lease_view *lease, uint64_t now_ns,
		struct reg_out *out) {
	struct ask a = ask_of(cfg, f, r, lease, now_ns, out);

	answer(&a, peer);
}

void reg_decide_again(const struct rg_reg_cfg *cfg, struct reg_flow *f,
		      const struct sip_register *r, const struct rg_addr *peer,
		      const struct rg_lease_view *lease, uint64_t now_ns, struct reg_out *out) {
	struct ask a = ask_of(cfg, f, r, lease, now_ns, out);

	a.is_again = true;
	answer(&a, peer);
}
