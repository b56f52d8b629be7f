// SPDX-License-Identifier: BSD-3-Clause
// Unmasking at every length and alignment against the definition; UTF-8 against a decoder that
// follows the table of RFC 3629 the slow way.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "ws/ws.h"

START_TEST(unmask_every_length) {
	static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
	uint8_t plain[200];

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 31 + 7);
	for (size_t len = 0; len <= 150; len++) {
		uint8_t *p = (uint8_t *)(uintptr_t)guard_copy(rg_slice(plain, len)).p;
		size_t wrong = 0;

		ws_unmask(p, len, key);
		for (size_t i = 0; i < len; i++)
			wrong += p[i] != (plain[i] ^ key[i % 4]);
		ck_assert_uint_eq(wrong, 0);
	}
}
END_TEST

START_TEST(unmask_stays_inside) {
	static const uint8_t key[4] = {1, 2, 3, 4};
	uint8_t buf[96];

	for (size_t at = 0; at < 32; at++) {
		for (size_t len = 0; at + len < sizeof(buf); len++) {
			memset(buf, 0, sizeof(buf));
			ws_unmask(buf + at, len, key);
			for (size_t i = 0; i < sizeof(buf); i++)
				if ((buf[i] != 0) != (i >= at && i < at + len))
					ck_abort_msg("at %zu len %zu: %zu", at, len, i);
		}
	}
}
END_TEST

static const struct {
	const char *hex;
	bool is;
} texts[] = {
	{"", true},          {"00", true},        {"7f", true},           {"c280", true},
	{"dfbf", true},      {"e0a080", true},    {"ed9fbf", true},       {"ee8080", true},
	{"efbfbf", true},    {"f0908080", true},  {"f48fbfbf", true},     {"80", false},
	{"bf", false},       {"c0af", false},     {"c1bf", false},        {"c2", false},
	{"c241", false},     {"c2c0", false},     {"e0a0", false},        {"e09fbf", false},
	{"eda080", false},   {"edbfbf", false},   {"f08fbfbf", false},    {"f0908041", false},
	{"f4908080", false}, {"f5808080", false}, {"f8888080 80", false}, {"fe", false},
	{"ff", false},
};

// Alone, and at every place of a longer text, so that each path sees it.
START_TEST(utf8_table) {
	struct rg_slice s = guard_hex(texts[_i].hex);
	uint8_t buf[160];

	ck_assert_msg(ws_is_utf8(s) == texts[_i].is, "%s", texts[_i].hex);
	for (size_t before = 0; before < 100; before++) {
		for (size_t after = 0; after < 40; after += 13) {
			memset(buf, 'a', sizeof(buf));
			memcpy(buf + before, s.p, s.len);
			if (ws_is_utf8(guard_copy(rg_slice(buf, before + s.len + after))) !=
			    texts[_i].is)
				ck_abort_msg("%s after %zu", texts[_i].hex, before);
		}
	}
}
END_TEST

// Decodes by value: RFC 3629 3.
static bool slow_is_char(const uint8_t *p, size_t len) {
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = p[0] < 0x80   ? 1
		   : p[0] < 0xc0 ? 0
		   : p[0] < 0xe0 ? 2
		   : p[0] < 0xf0 ? 3
		   : p[0] < 0xf8 ? 4
				 : 0;
	uint32_t v = n == 1 ? p[0] : n == 0 ? 0 : p[0] & (0x7fu >> n);

	if (n != len)
		return false;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
		v = v << 6 | (p[i] & 0x3f);
	}
	return v >= least[n] && v <= 0x10ffff && (v < 0xd800 || v > 0xdfff);
}

// Every sequence of 2 bytes and, over the interesting values, of 3 and 4, that no cut makes valid.
START_TEST(utf8_against_decoder) {
	static const uint8_t edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0};
	uint8_t b[4];

	for (unsigned first = 0xc0; first < 0x100; first++) {
		for (unsigned second = 0; second < 0x100; second++) {
			b[0] = (uint8_t)first;
			b[1] = (uint8_t)second;
			if (ws_is_utf8(rg_slice(b, 2)) != slow_is_char(b, 2))
				ck_abort_msg("%02x %02x", first, second);
			for (unsigned i = 0; i < 100; i++) {
				b[2] = edges[i / 10];
				b[3] = edges[i % 10];
				if (first >= 0xe0 && first < 0xf0 &&
				    ws_is_utf8(rg_slice(b, 3)) != slow_is_char(b, 3))
					ck_abort_msg("%02x %02x %02x", first, second, b[2]);
				if (first >= 0xf0 &&
				    ws_is_utf8(rg_slice(b, 4)) != slow_is_char(b, 4))
					ck_abort_msg("%02x %02x %02x %02x", first, second, b[2],
						     b[3]);
			}
		}
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("ws_text");
	TCase *t = tcase_create("text");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, unmask_every_length);
	tcase_add_test(t, unmask_stays_inside);
	tcase_add_loop_test(t, utf8_table, 0, sizeof(texts) / sizeof(texts[0]));
	tcase_add_test(t, utf8_against_decoder);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
