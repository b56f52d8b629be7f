// SPDX-License-Identifier: BSD-3-Clause
// Header names: dispatch by length and first letter to at most two comparisons, compact forms
// (RFC 3261 7.3.3), look-up in a parsed message. Any thread.
#include "hdr.h"

#include "scan.h"

#define IS(low) sip_low_eq(name.p, low, sizeof(low) - 1)
#define ONE(low, id) (IS(low) ? (id) : SIP_HDR_OTHER)

static enum sip_hdr_id compact_id(uint8_t c) {
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

// One switch over the length; names of one length differ in their first letter, but for Call-ID
// and Contact.
enum sip_hdr_id sip_hdr_id(struct rg_slice name) {
	uint8_t c = name.len > 0 ? rg_lower(*name.p) : 0;

	switch (name.len) {
	case 1:
		return compact_id(c);
	case 2:
		return ONE("to", SIP_HDR_TO);
	case 3:
		return ONE("via", SIP_HDR_VIA);
	case 4:
		if (c == 'f')
			return ONE("from", SIP_HDR_FROM);
		return c == 'c' ? ONE("cseq", SIP_HDR_CSEQ) : ONE("path", SIP_HDR_PATH);
	case 5:
		return c == 'r' ? ONE("route", SIP_HDR_ROUTE) : ONE("event", SIP_HDR_EVENT);
	case 7:
		if (c == 'c')
			return IS("contact") ? SIP_HDR_CONTACT : ONE("call-id", SIP_HDR_CALL_ID);
		return c == 'e' ? ONE("expires", SIP_HDR_EXPIRES) : ONE("require", SIP_HDR_REQUIRE);
	case 9:
		return ONE("supported", SIP_HDR_SUPPORTED);
	case 11:
		if (c == 'm')
			return ONE("min-expires", SIP_HDR_MIN_EXPIRES);
		return c == 'r' ? ONE("retry-after", SIP_HDR_RETRY_AFTER)
				: ONE("unsupported", SIP_HDR_UNSUPPORTED);
	case 12:
		if (c == 'm')
			return ONE("max-forwards", SIP_HDR_MAX_FORWARDS);
		return c == 'c' ? ONE("content-type", SIP_HDR_CONTENT_TYPE)
				: ONE("record-route", SIP_HDR_RECORD_ROUTE);
	case 13:
		if (c == 'a')
			return ONE("authorization", SIP_HDR_AUTHORIZATION);
		return c == 's' ? ONE("service-route", SIP_HDR_SERVICE_ROUTE)
				: ONE("proxy-require", SIP_HDR_PROXY_REQUIRE);
	case 14:
		return ONE("content-length", SIP_HDR_CONTENT_LENGTH);
	case 16:
		return c == 'w' ? ONE("www-authenticate", SIP_HDR_WWW_AUTHENTICATE)
				: ONE("p-associated-uri", SIP_HDR_P_ASSOCIATED_URI);
	case 19:
		return ONE("p-asserted-identity", SIP_HDR_P_ASSERTED_IDENTITY);
	case 29:
		return ONE("p-charging-function-addresses", SIP_HDR_P_CHARGING_FUNCTION_ADDRESSES);
	default:
		return SIP_HDR_OTHER;
	}
}

static const struct sip_hdr *find(const struct sip_msg *m, const struct sip_hdr *h,
				  enum sip_hdr_id id) {
	for (; h < m->hdrs + m->n_hdrs; h++)
		if (h->id == id)
			return h;
	return NULL;
}

const struct sip_hdr *sip_hdr_first(const struct sip_msg *m, enum sip_hdr_id id) {
	return find(m, m->hdrs, id);
}

const struct sip_hdr *sip_hdr_next(const struct sip_msg *m, const struct sip_hdr *h) {
	return find(m, h + 1, h->id);
}

// Long name of a registered compact form that has no id here, else empty.
static struct rg_slice long_name(struct rg_slice name) {
	static const struct {
		char compact;
		const char *name;
	} names[] = {
		{'e', "content-encoding"},    // RFC 3261 20.12
		{'s', "subject"},             // RFC 3261 20.36
		{'u', "allow-events"},        // RFC 6665 8.2.2
		{'r', "refer-to"},            // RFC 3515 2.1
		{'b', "referred-by"},         // RFC 3892 3
		{'x', "session-expires"},     // RFC 4028 4
		{'a', "accept-contact"},      // RFC 3841 9.2
		{'j', "reject-contact"},      // RFC 3841 9.3
		{'d', "request-disposition"}, // RFC 3841 9.1
		{'y', "identity"},            // RFC 8224 4
	};

	for (size_t i = 0; name.len == 1 && i < sizeof(names) / sizeof(*names); i++)
		if (rg_lower(*name.p) == names[i].compact)
			return rg_str(names[i].name);
	return name;
}

const struct sip_hdr *sip_hdr_named(const struct sip_msg *m, struct rg_slice name) {
	enum sip_hdr_id id = sip_hdr_id(name);

	if (id != SIP_HDR_OTHER)
		return sip_hdr_first(m, id);
	name = long_name(name);
	for (unsigned i = 0; i < m->n_hdrs; i++)
		if (m->hdrs[i].id == SIP_HDR_OTHER && rg_ieq(long_name(m->hdrs[i].name), name))
			return &m->hdrs[i];
	return NULL;
}
