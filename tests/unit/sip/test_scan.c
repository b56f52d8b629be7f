// SPDX-License-Identifier: BSD-3-Clause
// The byte classes against the grammar in characters, and the spans against a plain loop.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "sip/low.h"
#include "sip/marks.h"
#include "sip/text.h"

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define MARK "-_.!~*'()"
#define UNRESERVED ALNUM MARK

static const struct {
	const char *name;
	const struct sip_class *class;
	const char *chars;
} classes[] = {
	{"token", &SIP_TOKEN, ALNUM "-.!%*_+`'~"},
	{"display name", &SIP_NAME_LWS, ALNUM "-.!%*_+`'~ \t\r\n"},
	{"word", &SIP_WORD, ALNUM "-.!%*_+`'~()<>:\\\"/[]?{}"},
	{"uric", &SIP_URIC, UNRESERVED ";/?:@&=+$,[]%"},
	{"bare addr-spec", &SIP_ADDR, UNRESERVED "/:@&=+$[]%"},
	{"scheme", &SIP_SCHEME, ALNUM "+-."},
	{"user", &SIP_USER, UNRESERVED "&=+$,;?/"},
	{"password", &SIP_PASSWORD, UNRESERVED "&=+$,"},
	{"paramchar", &SIP_PCHAR, UNRESERVED "[]/:&+$"},
	{"hnv", &SIP_HCHAR, UNRESERVED "[]/?:+$"},
	{"gen-value", &SIP_VALUE, ALNUM "-.!%*_+`'~[]:"},
	{"quote", &SIP_QUOTE, "\"\\"},
	{"list", &SIP_LIST, ",\"<"},
	{"b64token", &SIP_B64, ALNUM "-._~+/"},
	{"host", &SIP_HOST, ALNUM "-."},
};

START_TEST(class_bytes) {
	for (unsigned c = 0; c < 256; c++) {
		bool want = c != 0 && strchr(classes[_i].chars, (int)c) != NULL && c < 128;

		ck_assert_msg(sip_is(classes[_i].class, (uint8_t)c) == want, "%s, byte %u",
			      classes[_i].name, c);
	}
}
END_TEST

#define N_CLASSES (sizeof(classes) / sizeof(*classes))

static uint64_t next(uint64_t *seed) {
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *seed >> 33;
}

// The spans of a text: that it ends where more of the same may be read changes nothing.
static void check_text(struct rg_slice in, struct rg_slice out, size_t at) {
	for (size_t end = in.len; end + 70 > in.len; end -= 7) {
		struct sip_text a = {in.p, in.p + end, in.p + in.len};
		struct sip_text b = {out.p, out.p + end, out.p + out.len};
		size_t want = at < end ? at : end;

		ck_assert_uint_eq((size_t)(sip_past(&SIP_TOKEN, a) - in.p), want);
		ck_assert_uint_eq((size_t)(sip_seek(&SIP_TOKEN, b) - out.p), want);
		ck_assert_uint_eq((size_t)(sip_seek_byte('z', b) - out.p), want);
		if (end < 7)
			break;
	}
}

// Every length, every place of the one byte that differs, against a guard page.
START_TEST(span_lengths) {
	for (size_t len = 0; len <= 100; len++) {
		struct rg_slice in, out;
		uint8_t a[128], b[128];

		memset(a, 'a', sizeof(a));
		memset(b, ' ', sizeof(b));
		in = guard_copy(rg_slice(a, len));
		out = guard_copy(rg_slice(b, len));
		ck_assert_uint_eq(sip_span(&SIP_TOKEN, in), len);
		check_text(in, out, len);
		for (size_t i = 0; i < len; i++) {
			((uint8_t *)in.p)[i] = 0x80 | 'a';
			((uint8_t *)out.p)[i] = 'z';
			ck_assert_uint_eq(sip_span(&SIP_TOKEN, in), i);
			check_text(in, out, i);
			((uint8_t *)in.p)[i] = 'a';
			((uint8_t *)out.p)[i] = ' ';
		}
	}
}
END_TEST

START_TEST(mask_random) {
	uint64_t seed = 1;

	for (unsigned round = 0; round < 500; round++) {
		const struct sip_class *c = classes[round % N_CLASSES].class;
		struct rg_slice s;
		uint8_t buf[32];
		uint32_t m;

		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = (uint8_t)next(&seed);
		s = guard_copy(rg_slice(buf, round % 33));
		m = sip_mask(c, s);
		for (size_t i = 0; i < 32; i++)
			ck_assert_int_eq(m >> i & 1, i < s.len && sip_is(c, s.p[i]));
	}
}
END_TEST

START_TEST(all_lengths) {
	uint8_t buf[100];

	for (size_t len = 0; len < sizeof(buf); len++) {
		memset(buf, 'a', sizeof(buf));
		ck_assert(sip_all(&SIP_B64, guard_copy(rg_slice(buf, len))));
		for (size_t at = 0; at < len; at++) {
			buf[at] = ',';
			ck_assert(!sip_all(&SIP_B64, guard_copy(rg_slice(buf, len))));
			buf[at] = 'a';
		}
	}
}
END_TEST

#define COPY_AND_CLEAR(n)                                                      \
	do {                                                                   \
		memset(buf, 7, sizeof(buf));                                   \
		sip_copy(buf + 1, from, n);                                    \
		ck_assert(memcmp(buf + 1, from, n) == 0 && buf[n + 1] == 7);   \
		sip_clear(buf + 1, n);                                         \
		for (size_t i = 0; i < sizeof(buf); i++)                       \
			ck_assert_uint_eq(buf[i], i >= 1 && i <= (n) ? 0 : 7); \
	} while (0)

START_TEST(wide_stores) {
	uint8_t buf[140], from[140];

	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(100 + i);
	COPY_AND_CLEAR(32);
	COPY_AND_CLEAR(33);
	COPY_AND_CLEAR(64);
	COPY_AND_CLEAR(127);
	COPY_AND_CLEAR(128);
}
END_TEST

static bool is_ctl(uint8_t c) {
	return (c < 0x20 && c != '\t') || c == 0x7f;
}

// A mark is where a run of control characters but HT starts.
static bool is_mark(struct rg_slice s, size_t i) {
	return is_ctl(s.p[i]) && (i == 0 || !is_ctl(s.p[i - 1]));
}

START_TEST(marks_random) {
	static const uint8_t bytes[] = {'a', 'b', 0x80, 0xff, '\t', ' ', '~', '\r', '\n', 0, 0x7f};
	uint64_t seed = 7;

	for (unsigned round = 0; round < 600; round++) {
		uint64_t map[MARKS_WORDS(300)];
		uint8_t buf[300];
		struct marks k;
		size_t i = 0;

		for (size_t j = 0; j < sizeof(buf); j++) // mostly plain
			buf[j] = bytes[next(&seed) % (next(&seed) % 4 == 0 ? sizeof(bytes) : 5)];
		marks_init(&k, guard_copy(rg_slice(buf, round % 300)), map);
		for (;; i++) {
			while (i < k.in.len && !is_mark(k.in, i))
				i++;
			ck_assert_ptr_eq(marks_next(&k), k.in.p + i);
			if (i == k.in.len)
				break;
		}
	}
}
END_TEST

// Behind any mark the scan can start again; a run it cuts counts as one of its own.
START_TEST(marks_again) {
	uint64_t map[MARKS_WORDS(200)];
	uint8_t buf[200];
	struct marks k;

	for (size_t at = 0; at < sizeof(buf); at++) {
		memset(buf, 'a', sizeof(buf));
		buf[sizeof(buf) - 1] = 1;
		if (at > 0)
			buf[at - 1] = 1;
		buf[at] = 1;
		marks_init(&k, guard_copy(rg_slice(buf, sizeof(buf))), map);
		(void)marks_next(&k);
		marks_restart(&k, k.in.p + at);
		ck_assert_ptr_eq(marks_next(&k), k.in.p + at);
		ck_assert_ptr_eq(marks_next(&k), k.in.p + (at >= 198 ? 200 : 199));
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_scan");
	TCase *t = tcase_create("scan");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, class_bytes, 0, sizeof(classes) / sizeof(*classes));
	tcase_add_test(t, span_lengths);
	tcase_add_test(t, mask_random);
	tcase_add_test(t, all_lengths);
	tcase_add_test(t, wide_stores);
	tcase_add_test(t, marks_random);
	tcase_add_test(t, marks_again);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
