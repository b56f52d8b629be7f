// SPDX-License-Identifier: BSD-3-Clause
// Comparison of Contact elements. Control loop; pure functions over borrowed bytes.
#include "ims/contact.h"

#include "regate/err.h"

static struct rg_slice unquote(struct rg_slice s) {
	if (s.len >= 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
		return rg_slice(s.p + 1, s.len - 2);
	return s;
}

int contact_parse(struct rg_slice element, struct contact *out) {
	struct contact c = {.element = element};
	struct sip_nameaddr n;
	struct rg_slice v;
	uint64_t reg_id;

	if (sip_nameaddr_parse(element, &n) != RG_OK)
		return RG_E_PROTO;
	c.uri = n.uri;
	c.params = n.params;
	if (sip_param(n.params, RG_LIT("+sip.instance"), &v))
		c.instance = unquote(v);
	if (sip_param(n.params, RG_LIT("reg-id"), &v) && rg_parse_u64(unquote(v), &reg_id) &&
	    reg_id <= UINT32_MAX)
		c.reg_id = (uint32_t)reg_id;
	*out = c;
	return RG_OK;
}

// Cuts the first ";name=value" off *params. False at the end.
static bool next_param(struct rg_slice *params, struct rg_slice *name, struct rg_slice *value) {
	size_t n = 0, eq;

	while (params->len > 0 && *params->p == ';')
		*params = rg_skip(*params, 1);
	if (params->len == 0)
		return false;
	while (n < params->len && params->p[n] != ';')
		n++;
	for (eq = 0; eq < n && params->p[eq] != '=';)
		eq++;
	*name = rg_trim(rg_slice(params->p, eq));
	*value = eq < n ? rg_trim(rg_slice(params->p + eq + 1, n - eq - 1)) : rg_slice(NULL, 0);
	*params = rg_skip(*params, n);
	return true;
}

static bool find_param(struct rg_slice params, struct rg_slice name, struct rg_slice *value) {
	struct rg_slice n;

	while (next_param(&params, &n, value))
		if (rg_ieq(n, name))
			return true;
	return false;
}

// RFC 3261 19.1.4: these count even when only one of the two URIs has them.
static bool is_decisive(struct rg_slice name) {
	return rg_ieq(name, RG_LIT("transport")) || rg_ieq(name, RG_LIT("user")) ||
	       rg_ieq(name, RG_LIT("ttl")) || rg_ieq(name, RG_LIT("method")) ||
	       rg_ieq(name, RG_LIT("maddr"));
}

// No parameter of a contradicts b.
static bool params_agree(struct rg_slice a, struct rg_slice b) {
	struct rg_slice name, va, vb;

	while (next_param(&a, &name, &va)) {
		if (find_param(b, name, &vb)) {
			if (!rg_ieq(va, vb))
				return false;
		} else if (is_decisive(name)) {
			return false;
		}
	}
	return true;
}

bool contact_uri_eq(struct rg_slice a, struct rg_slice b) {
	struct sip_uri ua, ub;

	if (sip_uri_parse(a, &ua) != RG_OK || sip_uri_parse(b, &ub) != RG_OK)
		return rg_eq(a, b);
	return rg_ieq(ua.scheme, ub.scheme) && rg_eq(ua.user, ub.user) &&
	       rg_ieq(ua.host, ub.host) && ua.port == ub.port && rg_eq(ua.headers, ub.headers) &&
	       params_agree(ua.params, ub.params) && params_agree(ub.params, ua.params);
}

bool contact_flow_eq(const struct contact *a, const struct contact *b) {
	return a->instance.len > 0 && a->reg_id != 0 && a->reg_id == b->reg_id &&
	       rg_ieq(a->instance, b->instance);
}

bool contact_is_same(const struct contact *a, const struct contact *b) {
	return contact_uri_eq(a->uri, b->uri) || contact_flow_eq(a, b);
}

void contact_put_line(struct rg_wr *w, struct rg_slice value) {
	for (size_t i = 0; i < value.len; i++)
		rg_putc(w, value.p[i] == '\r' || value.p[i] == '\n' ? ' ' : (char)value.p[i]);
}
