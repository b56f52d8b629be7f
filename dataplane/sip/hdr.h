// SPDX-License-Identifier: BSD-3-Clause
// Header names to ids, compact forms (RFC 3261 7.3.3) too: a hash of length, first and last letter
// without collisions, then one comparison. Inline, because the message parser asks for every header.
#pragma once

#include "regate/sip.h"
#include "scan.h"

#define SIP_NAME_MAX 29

struct sip_name {
	uint8_t low[30]; // lower case, the rest 0
	uint8_t len;
	uint8_t id; // enum sip_hdr_id
};

// The factor is found by trial: the names below are all in different places. Two in one place do not
// compile (-Woverride-init).
#define SIP_NAME_AT(len, first, last)                                                    \
	((uint32_t)(((uint32_t)(len) | (uint32_t)(first) << 8 | (uint32_t)(last) << 16 | \
		     0x202000) *                                                         \
		    0x3bd69d4fu) >>                                                      \
	 26)
#define SIP_NAME(first, last, name, id) \
	[SIP_NAME_AT(sizeof(name) - 1, first, last)] = {name, sizeof(name) - 1, id}

// clang-format off
static const struct sip_name sip_names[64] __attribute__((aligned(64))) = {
	SIP_NAME('v', 'a', "via", SIP_HDR_VIA),
	SIP_NAME('f', 'm', "from", SIP_HDR_FROM),
	SIP_NAME('t', 'o', "to", SIP_HDR_TO),
	SIP_NAME('c', 'd', "call-id", SIP_HDR_CALL_ID),
	SIP_NAME('c', 'q', "cseq", SIP_HDR_CSEQ),
	SIP_NAME('c', 't', "contact", SIP_HDR_CONTACT),
	SIP_NAME('m', 's', "max-forwards", SIP_HDR_MAX_FORWARDS),
	SIP_NAME('e', 's', "expires", SIP_HDR_EXPIRES),
	SIP_NAME('m', 's', "min-expires", SIP_HDR_MIN_EXPIRES),
	SIP_NAME('a', 'n', "authorization", SIP_HDR_AUTHORIZATION),
	SIP_NAME('w', 'e', "www-authenticate", SIP_HDR_WWW_AUTHENTICATE),
	SIP_NAME('c', 'h', "content-length", SIP_HDR_CONTENT_LENGTH),
	SIP_NAME('c', 'e', "content-type", SIP_HDR_CONTENT_TYPE),
	SIP_NAME('r', 'e', "route", SIP_HDR_ROUTE),
	SIP_NAME('r', 'e', "record-route", SIP_HDR_RECORD_ROUTE),
	SIP_NAME('p', 'h', "path", SIP_HDR_PATH),
	SIP_NAME('s', 'e', "service-route", SIP_HDR_SERVICE_ROUTE),
	SIP_NAME('p', 'i', "p-associated-uri", SIP_HDR_P_ASSOCIATED_URI),
	SIP_NAME('s', 'd', "supported", SIP_HDR_SUPPORTED),
	SIP_NAME('r', 'e', "require", SIP_HDR_REQUIRE),
	SIP_NAME('p', 'e', "proxy-require", SIP_HDR_PROXY_REQUIRE),
	SIP_NAME('u', 'd', "unsupported", SIP_HDR_UNSUPPORTED),
	SIP_NAME('r', 'r', "retry-after", SIP_HDR_RETRY_AFTER),
	SIP_NAME('e', 't', "event", SIP_HDR_EVENT),
	SIP_NAME('p', 'y', "p-asserted-identity", SIP_HDR_P_ASSERTED_IDENTITY),
	SIP_NAME('p', 's', "p-charging-function-addresses", SIP_HDR_P_CHARGING_FUNCTION_ADDRESSES),
	SIP_NAME('v', 'v', "v", SIP_HDR_VIA),
	SIP_NAME('f', 'f', "f", SIP_HDR_FROM),
	SIP_NAME('t', 't', "t", SIP_HDR_TO),
	SIP_NAME('i', 'i', "i", SIP_HDR_CALL_ID),
	SIP_NAME('m', 'm', "m", SIP_HDR_CONTACT),
	SIP_NAME('l', 'l', "l", SIP_HDR_CONTENT_LENGTH),
	SIP_NAME('c', 'c', "c", SIP_HDR_CONTENT_TYPE),
	SIP_NAME('k', 'k', "k", SIP_HDR_SUPPORTED), // RFC 3261 20.37
	SIP_NAME('o', 'o', "o", SIP_HDR_EVENT), // RFC 6665 8.2.1
};
// clang-format on

// Are the first n bytes of v, but for case, those of the name? Setting bit 5 is exact for letters,
// digits and "-" unless v has control characters, which no name has.
static inline bool sip_name_eq(const struct sip_name *name, __m256i v, size_t n) {
	__m256i low = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
	__m256i want = _mm256_load_si256((const __m256i *)name);
	uint32_t eq = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, want));

	return ((name->len ^ n) | _bzhi_u32(~eq, (unsigned)n)) == 0;
}

// The id of the n bytes at p, SIP_HDR_OTHER when they have none; 32 bytes can be read there.
static inline enum sip_hdr_id sip_hdr_id32(const uint8_t *p, size_t n) {
	const struct sip_name *name;

	if (n == 0 || n > SIP_NAME_MAX)
		return SIP_HDR_OTHER;
	name = &sip_names[SIP_NAME_AT(n, p[0], p[n - 1])];
	return sip_name_eq(name, _mm256_loadu_si256((const __m256i *)p), n) ? name->id
									    : SIP_HDR_OTHER;
}

static inline enum sip_hdr_id sip_hdr_id(struct rg_slice name) {
	uint8_t pad[32] = {0};

	if (name.len == 0 || name.len > SIP_NAME_MAX)
		return SIP_HDR_OTHER;
	memcpy(pad, name.p, name.len);
	return sip_hdr_id32(pad, name.len);
}

// sip_hdr_first() and sip_hdr_next(), quick when there is one of that id.
static inline const struct sip_hdr *sip_hdr_one(const struct sip_msg *m, enum sip_hdr_id id) {
	if ((m->seen >> id & 1) == 0)
		return NULL;
	return (m->repeated >> id & 1) != 0 ? sip_hdr_first(m, id) : &m->hdrs[m->last[id]];
}

static inline const struct sip_hdr *sip_hdr_more(const struct sip_msg *m, const struct sip_hdr *h) {
	return (m->repeated >> h->id & 1) != 0 ? sip_hdr_next(m, h) : NULL;
}
