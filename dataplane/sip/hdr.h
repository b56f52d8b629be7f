// SPDX-License-Identifier: BSD-3-Clause
// Header names to ids: dispatch by length and first letter to at most two comparisons; compact
// forms (RFC 3261 7.3.3). Inline, because the message parser asks for every header.
#pragma once

#include "low.h"
#include "regate/sip.h"

#define SIP_HDR_IS(low) sip_low_eq(name.p, low, sizeof(low) - 1)
#define SIP_HDR_ONE(low, id) (SIP_HDR_IS(low) ? (id) : SIP_HDR_OTHER)

static inline enum sip_hdr_id sip_hdr_compact_id(uint8_t c) {
	switch (rg_lower(c)) {
	case 'v':
		return SIP_HDR_VIA;
	case 'f':
		return SIP_HDR_FROM;
	case 't':
		return SIP_HDR_TO;
	case 'i':
		return SIP_HDR_CALL_ID;
	case 'm':
		return SIP_HDR_CONTACT;
	case 'l':
		return SIP_HDR_CONTENT_LENGTH;
	case 'c':
		return SIP_HDR_CONTENT_TYPE;
	case 'k': // RFC 3261 20.37
		return SIP_HDR_SUPPORTED;
	case 'o': // RFC 6665 8.2.1
		return SIP_HDR_EVENT;
	default:
		return SIP_HDR_OTHER;
	}
}

// The id of a name, SIP_HDR_OTHER when it has none. One switch over the length; names of one length differ in their first letter, but for Call-ID
// and Contact.
static inline enum sip_hdr_id sip_hdr_id(struct rg_slice name) {
	uint8_t c = name.len > 0 ? rg_lower(*name.p) : 0;

	switch (name.len) {
	case 1:
		return sip_hdr_compact_id(c);
	case 2:
		return SIP_HDR_ONE("to", SIP_HDR_TO);
	case 3:
		return SIP_HDR_ONE("via", SIP_HDR_VIA);
	case 4:
		if (c == 'f')
			return SIP_HDR_ONE("from", SIP_HDR_FROM);
		return c == 'c' ? SIP_HDR_ONE("cseq", SIP_HDR_CSEQ)
				: SIP_HDR_ONE("path", SIP_HDR_PATH);
	case 5:
		return c == 'r' ? SIP_HDR_ONE("route", SIP_HDR_ROUTE)
				: SIP_HDR_ONE("event", SIP_HDR_EVENT);
	case 7:
		if (c == 'c')
			return SIP_HDR_IS("contact") ? SIP_HDR_CONTACT
						     : SIP_HDR_ONE("call-id", SIP_HDR_CALL_ID);
		return c == 'e' ? SIP_HDR_ONE("expires", SIP_HDR_EXPIRES)
				: SIP_HDR_ONE("require", SIP_HDR_REQUIRE);
	case 9:
		return SIP_HDR_ONE("supported", SIP_HDR_SUPPORTED);
	case 11:
		if (c == 'm')
			return SIP_HDR_ONE("min-expires", SIP_HDR_MIN_EXPIRES);
		return c == 'r' ? SIP_HDR_ONE("retry-after", SIP_HDR_RETRY_AFTER)
				: SIP_HDR_ONE("unsupported", SIP_HDR_UNSUPPORTED);
	case 12:
		if (c == 'm')
			return SIP_HDR_ONE("max-forwards", SIP_HDR_MAX_FORWARDS);
		return c == 'c' ? SIP_HDR_ONE("content-type", SIP_HDR_CONTENT_TYPE)
				: SIP_HDR_ONE("record-route", SIP_HDR_RECORD_ROUTE);
	case 13:
		if (c == 'a')
			return SIP_HDR_ONE("authorization", SIP_HDR_AUTHORIZATION);
		return c == 's' ? SIP_HDR_ONE("service-route", SIP_HDR_SERVICE_ROUTE)
				: SIP_HDR_ONE("proxy-require", SIP_HDR_PROXY_REQUIRE);
	case 14:
		return SIP_HDR_ONE("content-length", SIP_HDR_CONTENT_LENGTH);
	case 16:
		return c == 'w' ? SIP_HDR_ONE("www-authenticate", SIP_HDR_WWW_AUTHENTICATE)
				: SIP_HDR_ONE("p-associated-uri", SIP_HDR_P_ASSOCIATED_URI);
	case 19:
		return SIP_HDR_ONE("p-asserted-identity", SIP_HDR_P_ASSERTED_IDENTITY);
	case 29:
		return SIP_HDR_ONE("p-charging-function-addresses",
				   SIP_HDR_P_CHARGING_FUNCTION_ADDRESSES);
	default:
		return SIP_HDR_OTHER;
	}
}

#undef SIP_HDR_IS
#undef SIP_HDR_ONE
