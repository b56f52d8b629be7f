// SPDX-License-Identifier: BSD-3-Clause
// libosip2. It asks for no header, so what RFC 3261 8.1.1 wants is asked for here; of credentials it
// keeps what Digest has.
#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_port.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"

static void say_nothing(const char *file, int line, osip_trace_level_t level, const char *format,
			va_list args) {
	(void)file, (void)line, (void)level, (void)format, (void)args;
}

void oracles_init(void) {
	osip_trace_initialize_func(TRACE_LEVEL0, say_nothing);
	if (parser_init() != OSIP_SUCCESS)
		abort();
}

static void say_uri(struct said *s, enum field f, const osip_uri_t *uri) {
	char *text = NULL;

	if (uri == NULL || osip_uri_to_str(uri, &text) != OSIP_SUCCESS)
		return;
	said_uri(s, f, rg_str(text));
	osip_free(text);
}

static void say_param(struct said *s, enum field f, const osip_list_t *params, const char *name) {
	osip_generic_param_t *p = NULL;

	osip_generic_param_get_byname((osip_list_t *)params, (char *)name, &p);
	if (f == F_CONTACT_EXPIRES)
		said_digits(s, f, rg_str(p == NULL || p->gvalue == NULL ? "" : p->gvalue));
	else
		said_text(s, f, p == NULL ? NULL : p->gvalue);
}

static void say_call_id(struct said *s, osip_call_id_t *id) {
	char *text = NULL;

	if (osip_call_id_to_str(id, &text) != OSIP_SUCCESS)
		return;
	said_text(s, F_CALL_ID, text);
	osip_free(text);
}

static void say_contact(struct said *s, const osip_message_t *m) {
	osip_contact_t *c = osip_list_get(&m->contacts, 0);

	if (osip_list_size(&m->contacts) > 1)
		return;
	if (c == NULL) {
		said_text(s, F_CONTACT_URI, NULL);
		said_text(s, F_CONTACT_EXPIRES, NULL);
		return;
	}
	if (c->url == NULL)
		said_text(s, F_CONTACT_URI, c->displayname); // "*"
	else
		say_uri(s, F_CONTACT_URI, c->url);
	say_param(s, F_CONTACT_EXPIRES, &c->gen_params, "expires");
}

static void say_all(struct said *s, const osip_message_t *m) {
	osip_via_t *via = osip_list_get(&m->vias, 0);
	osip_header_t *expires = NULL;

	said_text(s, F_METHOD, m->sip_method);
	say_uri(s, F_REQUEST_URI, m->req_uri);
	say_uri(s, F_FROM_URI, m->from->url);
	say_param(s, F_FROM_TAG, &m->from->gen_params, "tag");
	say_uri(s, F_TO_URI, m->to->url);
	say_param(s, F_TO_TAG, &m->to->gen_params, "tag");
	say_call_id(s, m->call_id);
	said_number(s, F_CSEQ, strtoull(m->cseq->number, NULL, 10));
	said_host(s, rg_str(via->host == NULL ? "" : via->host));
	said_digits(s, F_VIA_PORT, rg_str(via->port == NULL ? "" : via->port));
	say_param(s, F_BRANCH, &via->via_params, "branch");
	say_contact(s, m);
	osip_message_header_get_byname(m, "expires", 0, &expires);
	said_digits(s, F_EXPIRES,
		    rg_str(expires == NULL || expires->hvalue == NULL ? "" : expires->hvalue));
}

void osip_read(struct rg_slice in, struct said *s) {
	osip_message_t *m = NULL;

	memset(s, 0, sizeof(*s));
	if (osip_message_init(&m) != OSIP_SUCCESS)
		abort();
	s->is_good = osip_message_parse(m, (const char *)in.p, in.len) == OSIP_SUCCESS &&
		     m->sip_method != NULL && m->from != NULL && m->to != NULL &&
		     m->call_id != NULL && m->cseq != NULL && osip_list_size(&m->vias) > 0;
	if (s->is_good)
		say_all(s, m);
	osip_message_free(m);
}
