// SPDX-License-Identifier: BSD-3-Clause
// Pieces of header values that more than one file of this folder takes apart.
#pragma once

#include "regate/sip.h"
#include "text.h"

// Behind the quoted-string at the start of t; NULL when it does not end.
const uint8_t *sip_past_quoted(struct sip_text t);

// As sip_list_next().
bool sip_list_cut(struct sip_text *list, struct sip_text *element);

struct sip_pv { // one ";name=value"
	struct rg_slice name, value;
};
// Cuts the first parameter off *params. RG_MORE = done, RG_OK = none left, RG_E_PROTO.
int sip_param_cut(struct sip_text *params, struct sip_pv *pv);

// As sip_nameaddr_parse(), but leaves the parameters unread; they start with SWS ";".
int sip_nameaddr_cut(struct sip_text t, struct sip_nameaddr *n);

int sip_via_cut(struct sip_text t, struct sip_via *v); // as sip_via_parse()
int sip_uri_cut(struct sip_text t, struct sip_uri *u); // as sip_uri_parse()

// absoluteURI by its bytes: a scheme, a colon, something (RFC 3261 25.1).
bool sip_is_uri(struct sip_text t);
// Has it the scheme sip or sips?
bool sip_is_sip_uri(struct rg_slice s);

// Behind the host (RFC 3261 25.1: hostname, IPv4address, IPv6reference) at the start of t; NULL when
// there is none.
const uint8_t *sip_past_host(struct sip_text t);
// A port, 1 to 65535.
bool sip_port(struct rg_slice s, uint16_t *port);

// CSeq (RFC 3261 20.16: the number is below 2^31) up to its method, of which a byte is there.
bool sip_cseq_cut(struct rg_slice s, uint32_t *number, struct rg_slice *method);
int sip_cseq_parse(struct rg_slice s, uint32_t *number, struct rg_slice *method);

// Digits; larger than 2^32-1 is cut to it (RFC 3261 20.19). False when something else is there.
bool sip_seconds(struct rg_slice s, uint32_t *out);
