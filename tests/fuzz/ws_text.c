// SPDX-License-Identifier: BSD-3-Clause
// What WebSocket does to every byte: UTF-8 as a second reader sees it (RFC 3629), and an XOR that
// undoes itself.
#include "fuzz.h"
#include "ws/ws.h"

// Bytes of the character at p, 0: none. Decodes it and looks whether it had to be that long.
static size_t char_len(const uint8_t *p, size_t len) {
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80       ? 1
		   : p[0] >> 5 == 6  ? 2
		   : p[0] >> 4 == 14 ? 3
		   : p[0] >> 3 == 30 ? 4
				     : 0;
	uint32_t c;

	if (n < 2)
		return n;
	if (n > len)
		return 0;
	c = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || c >> 11 == 0x1b ? 0 : n;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	struct rg_slice in = fuzz_guard(0, rg_slice(p, len > 4096 ? 4096 : len));
	struct rg_slice other = fuzz_guard(1, in);
	uint8_t key[4] = {0};
	size_t at = 0, n;

	while (at < in.len && (n = char_len(in.p + at, in.len - at)) > 0) {
		at += n;
		if (at < 512) { // whole characters up to here
			FUZZ_CHECK(ws_is_utf8(rg_slice(in.p, at)));
			FUZZ_CHECK(n == 1 || !ws_is_utf8(rg_slice(in.p, at - 1)));
		}
	}
	FUZZ_CHECK(ws_is_utf8(in) == (at == in.len));
	memcpy(key, in.p, in.len < 4 ? in.len : 4);
	ws_unmask((uint8_t *)(uintptr_t)other.p, other.len, key);
	for (size_t i = 0; i < in.len; i++)
		FUZZ_CHECK(other.p[i] == (in.p[i] ^ key[i % 4]));
	return 0;
}
