// SPDX-License-Identifier: BSD-3-Clause
// Pieces of header values that more than one file of this folder takes apart.
#pragma once

#include "regate/sip.h"

// Bytes of the quoted-string at the start of s, both quotes included; 0 when it does not end.
size_t sip_quoted_len(struct rg_slice s);

struct sip_pv { // one ";name=value"
	struct rg_slice name, value;
};
// Cuts the first parameter off *params. RG_MORE = done, RG_OK = none left, RG_E_PROTO.
int sip_param_next(struct rg_slice *params, struct sip_pv *pv);

// As sip_nameaddr_parse(), but leaves the parameters unread; they start with SWS ";".
int sip_nameaddr_head(struct rg_slice s, struct sip_nameaddr *n);

// absoluteURI by its bytes: a scheme, a colon, something (RFC 3261 25.1).
bool sip_is_uri(struct rg_slice s);
// Has it the scheme sip or sips?
bool sip_is_sip_uri(struct rg_slice s);

// Bytes of the host (RFC 3261 25.1: hostname, IPv4address, IPv6reference) at the start of s; 0
// when there is none.
size_t sip_host_len(struct rg_slice s);
// A port, 1 to 65535.
bool sip_port(struct rg_slice s, uint16_t *port);

// CSeq (RFC 3261 20.16: the number is below 2^31).
int sip_cseq_parse(struct rg_slice s, uint32_t *number, struct rg_slice *method);

// Digits; larger than 2^32-1 is cut to it (RFC 3261 20.19). False when something else is there.
bool sip_seconds(struct rg_slice s, uint32_t *out);
