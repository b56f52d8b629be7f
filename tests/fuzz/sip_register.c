// SPDX-License-Identifier: BSD-3-Clause
// REGISTER view: all of it lies inside the message and obeys its own limits; the key of a contact
// does not depend on how long it is to live, and is itself a contact. A REGISTER that is cut stays
// good with anything else where it was cut, and says the same.
#include "fuzz.h"
#include "regate/sip.h"
#include "regate/sip_again.h"
#include "regate/token.h"

static void check_in(struct rg_slice in, const struct sip_register *r) {
	const struct rg_slice parts[] = {r->via.transport, r->via.host, r->via.branch,
					 r->via.params,    r->from_uri, r->from_tag,
					 r->to_uri,        r->to_tag,   r->call_id,
					 r->contact,       r->bearer};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		fuzz_check_in(in, parts[i]);
	fuzz_check_in(r->contact, r->contact_uri);
	fuzz_check_in(r->contact, r->contact_params);
	fuzz_check_in(r->contact, r->instance);
}

static void check_values(const struct sip_register *r) {
	FUZZ_CHECK(r->from_uri.len > 0 && r->from_tag.len > 0 && r->to_uri.len > 0);
	FUZZ_CHECK(r->via.host.len > 0 && r->call_id.len > 0 && r->cseq <= INT32_MAX);
	FUZZ_CHECK(r->n_contacts <= 1 && (r->n_contacts == 1) == (r->contact.len > 0));
	FUZZ_CHECK(!r->is_star || (r->has_expires && r->expires == 0));
	FUZZ_CHECK(r->reg_id <= INT32_MAX);
	FUZZ_CHECK(r->instance.len == 0 || (r->instance.len >= 3 && r->instance.p[0] == '"'));
	FUZZ_CHECK(r->n_bearer > 0 || r->bearer.len == 0);
	for (size_t i = 0; i < r->bearer.len; i++)
		FUZZ_CHECK(r->bearer.p[i] > ' ' && r->bearer.p[i] < 0x7f && r->bearer.p[i] != '"');
}

static void check_tag(const struct sip_msg *m, enum sip_hdr_id id, struct rg_slice tag) {
	struct sip_nameaddr n;
	struct rg_slice value;

	FUZZ_CHECK(sip_nameaddr_parse(sip_hdr_first(m, id)->value, &n) == RG_OK);
	if (sip_param(n.params, RG_LIT("tag"), &value))
		FUZZ_CHECK(value.len > 0 && rg_eq(value, tag));
	else
		FUZZ_CHECK(tag.len == 0);
}

static void check_key(const struct sip_register *r) {
	static uint8_t buf[2][2 * SIP_MAX_MSG];
	struct rg_wr key = rg_wr(buf[0], sizeof(buf[0])), again = rg_wr(buf[1], sizeof(buf[1]));
	struct sip_register other = *r;
	struct sip_nameaddr n;

	sip_put_contact_key(&key, r);
	FUZZ_CHECK(!key.overflow && key.len <= r->contact.len + 3);
	FUZZ_CHECK(memchr(key.p, '\n', key.len) == NULL && memchr(key.p, '\r', key.len) == NULL);
	if (r->n_contacts == 0 || r->is_star) {
		FUZZ_CHECK(key.len == 0);
		return;
	}
	FUZZ_CHECK(sip_nameaddr_parse(rg_wr_slice(&key), &n) == RG_OK);
	FUZZ_CHECK(rg_eq(n.uri, r->contact_uri));
	other.contact = rg_wr_slice(&key);
	other.contact_params = n.params;
	sip_put_contact_key(&again, &other);
	FUZZ_CHECK(rg_eq(rg_wr_slice(&again), rg_wr_slice(&key)));
}

// With another branch, tag and number.
static size_t put_again(const struct sip_again *a, uint8_t *out, size_t cap) {
	struct rg_wr w = rg_wr(out, cap);

	rg_put(&w, a->same[0]);
	rg_puts(&w, "z9hG4bK-%[1]:+.~!");
	rg_put(&w, a->same[1]);
	rg_puts(&w, "9*'`_x");
	rg_put(&w, a->same[2]);
	rg_puts(&w, a->r.cseq % 2 == 0 ? "999999999" : "3");
	rg_put(&w, a->same[3]);
	return w.overflow ? 0 : w.len;
}

static void check_again(struct rg_slice in, const struct sip_register *r) {
	static uint8_t buf[2 * SIP_AGAIN_MAX];
	static struct sip_msg m, m2, mx;
	struct sip_again a, b;
	struct sip_register r2;
	struct rg_slice in2;

	if (!sip_again_cut(in, &a, &m) || !sip_again_is(&a, r))
		return;
	in2 = fuzz_guard(1, rg_slice(buf, put_again(&a, buf, sizeof(buf))));
	if (in2.len == 0 || in2.len > SIP_AGAIN_MAX || in2.len < in.len)
		return;
	FUZZ_CHECK(sip_parse(in2, &m2) == RG_OK && sip_register_parse(&m2, &r2) == RG_OK);
	FUZZ_CHECK(sip_again_cut(in2, &b, &mx) && sip_again_is(&b, &r2));
	for (unsigned i = 0; i < SIP_AGAIN_PARTS; i++)
		FUZZ_CHECK(rg_eq(a.same[i], b.same[i]));
	FUZZ_CHECK(rg_eq(r->from_uri, r2.from_uri) && rg_eq(r->to_uri, r2.to_uri));
	FUZZ_CHECK(rg_eq(r->call_id, r2.call_id) && rg_eq(r->contact, r2.contact));
	FUZZ_CHECK(rg_eq(r->bearer, r2.bearer) && r->expires == r2.expires);
	FUZZ_CHECK(r->n_contacts == r2.n_contacts && r->n_bearer == r2.n_bearer);
	FUZZ_CHECK(r->is_star == r2.is_star && rg_eq(r->to_tag, r2.to_tag));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	static struct sip_msg m, cut;
	struct sip_register r;
	struct sip_again a;
	struct rg_slice in;
	int rc;

	if (len > SIP_MAX_MSG)
		return 0;
	in = fuzz_guard(0, rg_slice(p, len));
	(void)!sip_again_cut(in, &a, &cut); // reads no more than there is
	if (sip_parse(in, &m) != RG_OK)
		return 0;
	rc = sip_register_parse(&m, &r);
	FUZZ_CHECK(rc == RG_OK || rc == RG_E_PROTO || rc == RG_E_UNSUPPORTED);
	if (rc != RG_OK)
		return 0;
	FUZZ_CHECK(m.is_request && m.method == SIP_REGISTER && r.msg == &m);
	check_in(in, &r);
	check_values(&r);
	check_tag(&m, SIP_HDR_FROM, r.from_tag);
	check_tag(&m, SIP_HDR_TO, r.to_tag);
	check_key(&r);
	check_again(m.raw, &r);
	return 0;
}
