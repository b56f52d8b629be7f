// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "regate/err.h"
#include "regate/sip.h"

// Of other schemes only the scheme is looked at.
static bool is_uri(struct rg_slice uri, struct said *s) {
	struct sip_uri u;

	if (rg_ieq(rg_slice(uri.p, uri.len < 4 ? uri.len : 4), RG_LIT("sip:")) ||
	    rg_ieq(rg_slice(uri.p, uri.len < 5 ? uri.len : 5), RG_LIT("sips:")))
		return sip_uri_parse(uri, &u) == RG_OK;
	s->is_foreign = true;
	return true;
}

static bool is_element(enum sip_hdr_id id, struct rg_slice element, struct said *s) {
	struct sip_nameaddr n;
	struct sip_via v;

	if (id == SIP_HDR_VIA)
		return sip_via_parse(element, &v) == RG_OK;
	return rg_eq(element, RG_LIT("*")) ||
	       (sip_nameaddr_parse(element, &n) == RG_OK && is_uri(n.uri, s));
}

// The view of a registrar is of the topmost Via and the first Contact: here all of them count.
static bool are_all_good(const struct sip_msg *m, struct said *s) {
	for (unsigned i = 0; i < m->n_hdrs; i++) {
		struct rg_slice list = m->hdrs[i].value, element;
		enum sip_hdr_id id = m->hdrs[i].id;

		if (id == SIP_HDR_FROM || id == SIP_HDR_TO) {
			if (!is_element(id, list, s))
				return false;
		} else if (id == SIP_HDR_VIA || id == SIP_HDR_CONTACT) {
			while (sip_list_next(&list, &element))
				if (!is_element(id, element, s))
					return false;
		}
	}
	return true;
}

static void read_contact(const struct sip_register *r, struct said *s) {
	struct rg_slice expires = {NULL, 0};

	said_uri(s, F_CONTACT_URI, r->is_star ? RG_LIT("*") : r->contact_uri);
	if (!r->is_star)
		sip_param(r->contact_params, RG_LIT("expires"), &expires);
	said_digits(s, F_CONTACT_EXPIRES, expires);
}

void own_read(struct rg_slice in, struct said *s) {
	static struct sip_msg m;
	const struct sip_hdr *h;
	struct sip_register r;
	int rc;

	memset(s, 0, sizeof(*s));
	if (sip_parse(in, &m) != RG_OK)
		return;
	rc = sip_register_parse(&m, &r);
	// more than one Contact is good SIP, but not for us
	s->is_good =
		(rc == RG_OK || rc == RG_E_UNSUPPORTED) && are_all_good(&m, s) && is_uri(m.ruri, s);
	if (!s->is_good || rc != RG_OK)
		return;
	said_slice(s, F_METHOD, m.method_name);
	said_uri(s, F_REQUEST_URI, m.ruri);
	said_uri(s, F_FROM_URI, r.from_uri);
	said_slice(s, F_FROM_TAG, r.from_tag);
	said_uri(s, F_TO_URI, r.to_uri);
	said_slice(s, F_TO_TAG, r.to_tag);
	said_slice(s, F_CALL_ID, r.call_id);
	said_number(s, F_CSEQ, r.cseq);
	said_host(s, r.via.host);
	if (r.via.port != 0)
		said_number(s, F_VIA_PORT, r.via.port);
	else
		said_text(s, F_VIA_PORT, NULL);
	said_slice(s, F_BRANCH, r.via.branch);
	read_contact(&r, s);
	h = sip_hdr_first(&m, SIP_HDR_EXPIRES);
	said_digits(s, F_EXPIRES, h == NULL ? rg_slice(NULL, 0) : h->value);
	if (r.n_bearer == 0 || r.bearer.len > 0) // else the token is malformed: a 401
		said_slice(s, F_BEARER, r.bearer);
}
