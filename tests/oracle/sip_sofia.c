// SPDX-License-Identifier: BSD-3-Clause
// sofia-sip. It keeps going where a header is bad and says so at the end.
#include <sofia-sip/msg_header.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/su_alloc.h>
#include <stdlib.h>

#include "oracle.h"

static void say_uri(struct said *s, enum field f, su_home_t *home, const url_t *url) {
	char *text = url_as_string(home, url);

	if (text == NULL)
		abort();
	said_uri(s, f, rg_str(text));
}

static void say_token(struct said *s, const sip_authorization_t *au) {
	const char *token;

	for (; au != NULL; au = au->au_next)
		if (rg_ieq(rg_str(au->au_scheme), RG_LIT("Bearer")))
			break;
	if (au == NULL || au->au_params == NULL) {
		said_text(s, F_BEARER, NULL);
		return;
	}
	token = msg_params_find(au->au_params, "access_token=");
	if (token == NULL)
		said_text(s, F_BEARER, au->au_params[0]);
	else if (*token == '"')
		said_slice(s, F_BEARER, rg_slice(token + 1, strlen(token) - 2));
}

static void say_contact(struct said *s, su_home_t *home, const sip_contact_t *c) {
	if (c != NULL && c->m_next != NULL)
		return;
	if (c == NULL)
		said_text(s, F_CONTACT_URI, NULL);
	else
		say_uri(s, F_CONTACT_URI, home, c->m_url);
	said_digits(s, F_CONTACT_EXPIRES,
		    rg_str(c == NULL || c->m_expires == NULL ? "" : c->m_expires));
}

static void say_all(struct said *s, su_home_t *home, const sip_t *sip) {
	said_text(s, F_METHOD, sip->sip_request->rq_method_name);
	say_uri(s, F_REQUEST_URI, home, sip->sip_request->rq_url);
	say_uri(s, F_FROM_URI, home, sip->sip_from->a_url);
	said_text(s, F_FROM_TAG, sip->sip_from->a_tag);
	say_uri(s, F_TO_URI, home, sip->sip_to->a_url);
	said_text(s, F_TO_TAG, sip->sip_to->a_tag);
	said_text(s, F_CALL_ID, sip->sip_call_id->i_id);
	said_number(s, F_CSEQ, sip->sip_cseq->cs_seq);
	said_host(s, rg_str(sip->sip_via->v_host));
	said_digits(s, F_VIA_PORT,
		    rg_str(sip->sip_via->v_port == NULL ? "" : sip->sip_via->v_port));
	said_text(s, F_BRANCH, sip->sip_via->v_branch);
	say_contact(s, home, sip->sip_contact);
	if (sip->sip_expires == NULL)
		said_text(s, F_EXPIRES, NULL);
	else
		said_number(s, F_EXPIRES, sip->sip_expires->ex_delta);
	if (sip->sip_error == NULL)
		say_token(s, sip->sip_authorization);
}

// The name of the header that is this line.
static struct rg_slice name_of(const sip_error_t *e) {
	struct rg_slice line = rg_slice(e->er_common->h_data, e->er_common->h_len);
	size_t n = 0;

	while (n < line.len && line.p[n] != ':' && line.p[n] != ' ' && line.p[n] != '\t')
		n++;
	return rg_slice(line.p, n);
}

// Is there a header that it could not read, of those that we read? It keeps those that are repeated,
// too, although they stand once.
static bool is_damaged(const sip_t *sip) {
	static const char *const names[] = {
		"Via", "v",    "From",    "f", "To",           "t",       "Call-ID",
		"i",   "CSeq", "Contact", "m", "Max-Forwards", "Expires", "Content-Length",
		"l"};

	for (const sip_error_t *e = sip->sip_error; e != NULL; e = (const sip_error_t *)e->er_next)
		for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
			if (rg_ieq(name_of(e), rg_str(names[i])))
				return true;
	return false;
}

void sofia_read(struct rg_slice in, struct said *s) {
	msg_t *msg = msg_make(sip_default_mclass(), MSG_DO_EXTRACT_COPY, in.p, (ssize_t)in.len);
	sip_t *sip = msg == NULL ? NULL : sip_object(msg);

	memset(s, 0, sizeof(*s));
	s->is_good = sip != NULL && !is_damaged(sip) && sip->sip_request != NULL &&
		     sip->sip_via != NULL && sip_sanity_check(sip) == 0;
	if (s->is_good)
		say_all(s, msg_home(msg), sip);
	if (msg != NULL)
		msg_destroy(msg);
}
