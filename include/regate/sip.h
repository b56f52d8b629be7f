// SPDX-License-Identifier: BSD-3-Clause
// SIP messages (RFC 3261 section 25 grammar): one parser for both planes, a REGISTER view, and
// the writers. Nothing allocates; every slice borrows the message's bytes. Header lookup knows the
// compact forms (RFC 3261 7.3.3). Implemented in dataplane/sip.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/addr.h"
#include "regate/slice.h"

#define SIP_MAX_MSG 8192 // bytes of one message (ims.md 2.1)
#define SIP_MAX_HEADERS 64

enum sip_method {
	SIP_REGISTER,
	SIP_INVITE,
	SIP_ACK,
	SIP_BYE,
	SIP_CANCEL,
	SIP_OPTIONS,
	SIP_SUBSCRIBE,
	SIP_NOTIFY,
	SIP_MESSAGE,
	SIP_UPDATE,
	SIP_PRACK,
	SIP_INFO,
	SIP_REFER,
	SIP_PUBLISH,
	SIP_OTHER_METHOD, // an extension token: see sip_msg.method_name
};

enum sip_hdr_id {
	SIP_HDR_OTHER,
	SIP_HDR_VIA,
	SIP_HDR_FROM,
	SIP_HDR_TO,
	SIP_HDR_CALL_ID,
	SIP_HDR_CSEQ,
	SIP_HDR_CONTACT,
	SIP_HDR_MAX_FORWARDS,
	SIP_HDR_EXPIRES,
	SIP_HDR_MIN_EXPIRES,
	SIP_HDR_AUTHORIZATION,
	SIP_HDR_WWW_AUTHENTICATE,
	SIP_HDR_CONTENT_LENGTH,
	SIP_HDR_CONTENT_TYPE,
	SIP_HDR_ROUTE,
	SIP_HDR_RECORD_ROUTE,
	SIP_HDR_PATH,
	SIP_HDR_SERVICE_ROUTE,
	SIP_HDR_P_ASSOCIATED_URI,
	SIP_HDR_SUPPORTED,
	SIP_HDR_REQUIRE,
	SIP_HDR_PROXY_REQUIRE,
	SIP_HDR_UNSUPPORTED,
	SIP_HDR_RETRY_AFTER,
	SIP_HDR_EVENT,
	SIP_HDR_P_ASSERTED_IDENTITY,
	SIP_HDR_P_CHARGING_FUNCTION_ADDRESSES,
	SIP_N_HDR_IDS,
};

struct sip_hdr {
	enum sip_hdr_id id;
	struct rg_slice name;
	struct rg_slice value; // trimmed; folded lines (RFC 3261 7.3.1) still contain their CRLF
};

struct sip_msg {
	struct rg_slice raw; // the whole message
	bool is_request;
	enum sip_method method;            // requests
	struct rg_slice method_name, ruri; // requests
	unsigned status;                   // responses, 100-699
	struct rg_slice reason;            // responses
	uint32_t cseq;                     // number of CSeq
	unsigned n_hdrs;
	struct sip_hdr hdrs[SIP_MAX_HEADERS];
	uint32_t seen, repeated;     // ids that stand there, more than once: bit 1 << id
	uint8_t last[SIP_N_HDR_IDS]; // index of the last header of that id, when seen
	struct rg_slice body;        // Content-Length cuts it; without one, the rest of the message
	size_t size;                 // bytes of this message in the input, body included
};

// Datagram and WebSocket input: `in` is exactly one message. RG_OK, RG_E_PROTO, RG_E_LIMIT.
[[nodiscard]] int sip_parse(struct rg_slice in, struct sip_msg *m);

// Stream input (RFC 3261 18.3): leading CRLFs are skipped and counted in m->size; Content-Length
// is required. RG_MORE while the message is a prefix. RG_OK, RG_MORE, RG_E_PROTO, RG_E_LIMIT.
[[nodiscard]] int sip_parse_stream(struct rg_slice in, struct sip_msg *m);

// What sip_parse() refused: the status that answers it, 400 or 505, and in *m what sip_put_answer()
// copies, as far as it is there and clean. 0: it gets no answer, being a response or an ACK; RG_E_PROTO:
// there is nothing to answer.
[[nodiscard]] int sip_refusal(struct rg_slice in, struct sip_msg *m);

// The header of a 420 (RFC 3261 8.2.2.3): what Require and Proxy-Require have and we do not support. w is
// empty, and stays so if that is nothing.
void sip_put_unsupported(struct rg_wr *w, const struct sip_msg *m);

// First header of that id, or NULL; sip_hdr_next() continues after h.
const struct sip_hdr *sip_hdr_first(const struct sip_msg *m, enum sip_hdr_id id);
const struct sip_hdr *sip_hdr_next(const struct sip_msg *m, const struct sip_hdr *h);
// By name, without case; for headers without an id.
const struct sip_hdr *sip_hdr_named(const struct sip_msg *m, struct rg_slice name);

// Splits a comma list (quotes and angle brackets respected): cuts the first element off *list.
// False when the list is empty.
bool sip_list_next(struct rg_slice *list, struct rg_slice *element);
// Value of parameter `name` in ";a=b;c" (quotes respected). *value keeps its quotes; len 0 when
// the parameter has none. False when absent.
bool sip_param(struct rg_slice params, struct rg_slice name, struct rg_slice *value);

// Without the password; params start with ";", headers behind the "?".
struct sip_uri { // sip:user:password@host:port;params?headers
	struct rg_slice scheme, user, host, params, headers;
	uint16_t port; // 0 = none
};
[[nodiscard]] int sip_uri_parse(struct rg_slice s, struct sip_uri *u); // RG_OK, RG_E_PROTO

// display keeps its quotes; params start with ";", perhaps behind blanks, as those of a Via.
struct sip_nameaddr { // "Display" <uri>;params  or  uri;params
	struct rg_slice display, uri, params;
};
[[nodiscard]] int sip_nameaddr_parse(struct rg_slice s, struct sip_nameaddr *n);

struct sip_via {
	struct rg_slice transport, host, branch, params;
	uint16_t port;
};
[[nodiscard]] int sip_via_parse(struct rg_slice s, struct sip_via *v);

// Canonical bytes of an AoR for comparison (RFC 3261 10.3 step 5): scheme and host lower case, no
// port 5060, parameters removed. Writes at most cap bytes; RG_OK, RG_E_PROTO, RG_E_LIMIT.
[[nodiscard]] int sip_aor(struct rg_slice uri, struct rg_wr *out);

// What a registrar wants to know of a REGISTER.
struct sip_register {
	const struct sip_msg *msg;
	struct sip_via via; // topmost
	struct rg_slice from_uri, from_tag, to_uri, to_tag, call_id;
	uint32_t cseq;
	unsigned n_contacts; // "*" counts
	bool is_star;        // Contact: *
	struct rg_slice
		contact; // the only Contact element, whole ("<sip:..>;reg-id=1;expires=600")
	struct rg_slice contact_uri, contact_params, instance; // instance keeps its quotes
	uint32_t reg_id;                                       // 0 = none
	bool has_expires;                                      // by parameter, else by header
	uint32_t expires;       // seconds; larger than 2^32-1 is cut to it (RFC 3261 20.19)
	unsigned n_bearer;      // Authorization headers with scheme Bearer
	struct rg_slice bearer; // token of the first; both syntaxes (ims.md 0.1); len 0 = malformed
	bool has_outbound;      // Supported lists outbound (RFC 5626)
	bool has_path;          // Supported lists path
};
// RG_OK; RG_E_PROTO for a missing, repeated or malformed mandatory part; RG_E_UNSUPPORTED for
// more than one Contact. m must outlive r.
[[nodiscard]] int sip_register_parse(const struct sip_msg *m, struct sip_register *r);

// The Contact element without its expires parameter, as compared and stored. Appends to out.
void sip_put_contact_key(struct rg_wr *out, const struct sip_register *r);

// One answer to a request: Via (with received and rport added, RFC 3581), From, To, Call-ID and
// CSeq are copied from it.
struct sip_answer {
	unsigned status;
	const char *reason;          // NULL = the standard phrase
	const struct rg_addr *peer;  // NULL = add no received and rport
	struct rg_slice to_tag;      // added when To has none
	struct rg_slice contact;     // Contact value without expires; len 0 = no Contact
	uint32_t expires;            // of that Contact
	struct rg_slice headers;     // whole lines, each ending in CRLF
	const struct rg_slice *more; // n_more pieces of more such lines
	unsigned n_more;
};
// Writes head, Content-Length: 0 and the empty line. Check w->overflow afterwards.
void sip_put_answer(struct rg_wr *w, const struct sip_msg *req, const struct sip_answer *a);

const char *sip_reason(unsigned status); // standard phrase, "Unknown" otherwise
const char *sip_method_name(enum sip_method m);

// True for a keep-alive of RFC 5626 3.5.1: only CR and LF, at least one CRLF.
bool sip_is_keepalive(struct rg_slice in);
