// SPDX-License-Identifier: BSD-3-Clause
// What WebSocket does to every byte: unmasking, which the compiler makes vector instructions of, and
// UTF-8. Runs on a worker; never allocates.
#include <immintrin.h>

#include "regate/err.h"
#include "ws.h"

void ws_unmask(uint8_t *p, size_t len, const uint8_t key[4]) {
	uint64_t word, key64;
	uint32_t key32;
	size_t i = 0;

	memcpy(&key32, key, sizeof(key32));
	key64 = (uint64_t)key32 << 32 | key32;
	for (; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		word ^= key64;
		memcpy(p + i, &word, sizeof(word));
	}
	for (; i < len; i++)
		p[i] ^= ((const uint8_t *)&key32)[i & 3];
}

static bool is_ascii64(const uint8_t *p) {
	const __m256i *v = (const __m256i *)p;

	return _mm256_movemask_epi8(
		       _mm256_or_si256(_mm256_loadu_si256(v), _mm256_loadu_si256(v + 1))) == 0;
}

static uint32_t high_bits(const uint8_t *p) { // of 32 bytes
	return (uint32_t)_mm256_movemask_epi8(_mm256_loadu_si256((const __m256i *)p));
}

static uint32_t high_bits8(const uint8_t *p) { // of 8
	return (uint32_t)_mm_movemask_epi8(_mm_loadl_epi64((const __m128i *)p));
}

// How many bytes at p are ASCII; of the last seven perhaps not all are counted. What is left of a
// block is looked at together with bytes before it.
static size_t skip_ascii(const uint8_t *p, size_t len) {
	uint32_t high = 0;
	size_t n = 0;

	while (len - n >= 64 && is_ascii64(p + n))
		n += 64;
	for (; len - n >= 32; n += 32)
		if ((high = high_bits(p + n)) != 0)
			return n + (unsigned)__builtin_ctz(high);
	if (len >= 32)
		return high_bits(p + len - 32) == 0 ? len : n;
	for (; len - n >= 8; n += 8)
		if ((high = high_bits8(p + n)) != 0)
			return n + (unsigned)__builtin_ctz(high);
	return len >= 8 && high_bits8(p + len - 8) == 0 ? len : n;
}

// Length of the character at p (RFC 3629 4), which may go on behind len; 0 when there is none.
static size_t char_len(const uint8_t *p, size_t len) {
	uint8_t low = 0x80, high = 0xbf; // of the second byte
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4) // a tail byte, overlong, or above U+10FFFF
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0; // overlong
	else if (p[0] == 0xed)
		high = 0x9f; // surrogates
	else if (p[0] == 0xf0)
		low = 0x90; // overlong
	else if (p[0] == 0xf4)
		high = 0x8f; // above U+10FFFF
	if (len > 1 && (p[1] < low || p[1] > high))
		return 0;
	for (size_t i = 2; i < n && i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

int ws_utf8_check(struct rg_slice s, size_t *n_whole) {
	for (*n_whole = 0; s.len > 0;) {
		size_t n = skip_ascii(s.p, s.len);

		if (n == 0)
			n = char_len(s.p, s.len);
		if (n == 0)
			return RG_E_UTF8;
		if (n > s.len)
			return RG_MORE;
		s = rg_skip(s, n);
		*n_whole += n;
	}
	return RG_OK;
}

bool ws_is_utf8(struct rg_slice s) {
	size_t n;

	return ws_utf8_check(s, &n) == RG_OK;
}
