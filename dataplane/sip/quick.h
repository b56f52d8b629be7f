// SPDX-License-Identifier: BSD-3-Clause
// The forms that clients of today write, recognised by masks of 64 bytes and literals. What costs
// time is a chain of spans, each waiting for the end of the one before; a literal is predicted. Each
// says no to whatever has another form, good or bad: then the grammar decides.
#pragma once

#include "low.h"
#include "text.h"
#include "value.h"

#define SIP_HOST_LONG SIZE_MAX

static inline uint64_t sip_match_byte64(uint8_t b, const uint8_t *p) {
	return sip_match_byte(b, p) | (uint64_t)sip_match_byte(b, p + 32) << 32;
}

// Behind one to nine digits at p; NULL when there are none, or more. What ends them can be read.
static inline const uint8_t *sip_quick_number(const uint8_t *p, uint32_t *v) {
	const uint8_t *start = p;
	uint32_t digit, sum = 0;

	for (; (digit = (uint32_t)*p - '0') <= 9; p++)
		sum = sum * 10 + digit;
	*v = sum;
	return (size_t)(p - start) - 1 < 9 ? p : NULL;
}

// The value of a header in the message, as such digits.
static inline bool sip_quick_u32(struct rg_slice value, uint32_t *v) {
	return sip_quick_number(value.p, v) == value.p + value.len;
}

// The same, of any size: as sip_seconds().
static inline bool sip_number(struct rg_slice value, uint32_t *v) {
	return sip_quick_u32(value, v) || sip_seconds(value, v);
}

// Bytes of the hostname at the start of 64, at most max; 0 when it is none, SIP_HOST_LONG when they
// do not hold its end. Labels are not empty and have no hyphen at their edges; the root's dot may
// end the name. *last is where the last label starts.
static inline size_t sip_host_len64(const uint8_t *p, size_t max, size_t *last) {
	uint64_t host = sip_match32(&SIP_HOST, p), dot = sip_match_byte('.', p);
	uint64_t hyphen = sip_match_byte('-', p);
	size_t n;

	if (host == UINT32_MAX) {
		host |= (uint64_t)sip_match32(&SIP_HOST, p + 32) << 32;
		dot |= (uint64_t)sip_match_byte('.', p + 32) << 32;
		hyphen |= (uint64_t)sip_match_byte('-', p + 32) << 32;
	}
	n = _tzcnt_u64(~host);
	if (n == 64)
		return SIP_HOST_LONG;
	n = n < max ? n : max;
	if (n == 0)
		return 0;
	dot = _bzhi_u64(dot, (unsigned)n);
	hyphen = _bzhi_u64(hyphen, (unsigned)n);
	// neither follows a dot or the start; no hyphen stands before a dot or the end
	if ((((dot << 1 | 1) & (dot | hyphen)) | (hyphen << 1 & (dot | UINT64_C(1) << n))) != 0)
		return 0;
	*last = 64 - _lzcnt_u64(_bzhi_u64(dot, (unsigned)n - 1));
	return n;
}

// Bytes of a hostname that is no IPv4 address; 0 when there is none, or it is long.
static inline size_t sip_quick_host(const uint8_t *p, const uint8_t *end) {
	size_t last, n = sip_host_len64(p, (size_t)(end - p), &last);

	return n == 0 || n == SIP_HOST_LONG || (uint8_t)(p[last] - '0') <= 9 ? 0 : n;
}

#define SIP_QUICK_URI 200 // bytes that sip_quick_uri() may read

// Is [p, end) a SIP URI, "sip:[user@]host[;transport=ws]", its user below 32 bytes?
static inline bool sip_quick_uri(const uint8_t *p, const uint8_t *end, const uint8_t *lim) {
	unsigned n;
	size_t len;

	if (lim - p < SIP_QUICK_URI || end - p < 5 || end - p > 64 || !SIP_AT(p, "sip:"))
		return false;
	p += 4;
	n = _tzcnt_u32(sip_match_byte('@', p)); // 32 when there is none
	if (n < end - p && n < 32) {
		if (n == 0 || _bzhi_u32(~sip_match32(&SIP_USER, p), n) != 0)
			return false;
		p += n + 1;
	}
	len = sip_quick_host(p, end);
	p += len;
	return len > 0 && (p == end || (end - p == 13 && SIP_AT(p, ";transport=ws")));
}
