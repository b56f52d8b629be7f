// SPDX-License-Identifier: BSD-3-Clause
// The record ring in one thread: order, wrap, padding, full, and a random run against a queue. The
// memory ends against a guard page.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/ring.h"

#define SIZE 256

static struct rg_ring ring;

static void setup_of(uint64_t size) {
	static const uint8_t zero[4096];

	rg_ring_init(&ring, (void *)(uintptr_t)guard_copy(rg_slice(zero, size)).p, size);
}

static void setup(void) {
	setup_of(SIZE);
}

static int put(const char *head, const char *body) {
	return rg_ring_put(&ring, rg_str(head), rg_str(body));
}

static int put_len(size_t len) {
	static const uint8_t zero[SIZE];

	return rg_ring_put(&ring, rg_slice(zero, len), rg_slice(NULL, 0));
}

// Takes the oldest record, which must be `want`.
static void take(struct rg_slice want) {
	struct rg_slice got, again;

	ck_assert(!rg_ring_is_empty(&ring));
	ck_assert(rg_ring_peek(&ring, &got));
	ck_assert(rg_ring_peek(&ring, &again)); // looking takes nothing
	ck_assert(got.p == again.p && rg_eq(got, want));
	ck_assert_uint_eq((uintptr_t)got.p % RG_RING_ALIGN, 0);
	ck_assert(got.p >= ring.mem && got.p + got.len <= ring.mem + ring.size);
	rg_ring_next(&ring, got);
}

static void check_empty(void) {
	struct rg_slice got;

	ck_assert(rg_ring_is_empty(&ring));
	ck_assert(!rg_ring_peek(&ring, &got));
}

START_TEST(order) {
	check_empty();
	ck_assert_int_eq(put("head", "body"), 0);
	ck_assert_int_eq(put("", "b"), 0);
	ck_assert_int_eq(put("h", ""), 0);
	ck_assert_int_eq(put("", ""), 0);
	ck_assert_int_eq(rg_ring_put(&ring, rg_slice(NULL, 0), rg_slice(NULL, 0)), 0);
	take(RG_LIT("headbody"));
	take(RG_LIT("b"));
	take(RG_LIT("h"));
	take(RG_LIT(""));
	take(RG_LIT(""));
	check_empty();
}
END_TEST

// 8 records of 24 + 8 bytes fill it to the last byte.
START_TEST(full) {
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(put("123456789012", "345678901234"), 0);
	ck_assert_int_eq(put("", ""), -EAGAIN);
	take(RG_LIT("123456789012345678901234"));
	ck_assert_int_eq(put("12345678901234567890", "12345"), -EAGAIN); // one byte too many
	ck_assert_int_eq(put("abcdefghijkl", "345678901234"), 0);
	ck_assert_int_eq(put("", ""), -EAGAIN);
	for (int i = 0; i < 7; i++)
		take(RG_LIT("123456789012345678901234"));
	take(RG_LIT("abcdefghijkl345678901234"));
	check_empty();
}
END_TEST

// The end of the memory holds the length word only, then one word of a record, then more.
START_TEST(padding) {
	static const uint8_t zero[SIZE];
	size_t left = 8 * (size_t)_i; // up to the end of the memory

	ck_assert_int_eq(put_len(SIZE / 2 - 8), 0);
	take(rg_slice(zero, SIZE / 2 - 8));
	if (left < SIZE / 2) {
		ck_assert_int_eq(put_len(SIZE / 2 - left - 8), 0);
		take(rg_slice(zero, SIZE / 2 - left - 8));
	}
	check_empty();
	ck_assert_int_eq(put("this record needs", " forty-eight bytes"), 0);
	ck_assert_int_eq(put("next", ""), 0);
	take(RG_LIT("this record needs forty-eight bytes"));
	take(RG_LIT("next"));
	check_empty();
}
END_TEST

// Padding counts as used, from the put that makes it until the reader is past it.
START_TEST(padding_when_nearly_full) {
	static const uint8_t zero[SIZE];
	struct rg_slice got;

	ck_assert_int_eq(put_len(120), 0); // 128
	ck_assert_int_eq(put_len(88), 0);  // 224, 32 left
	ck_assert_int_eq(put_len(40), -EAGAIN);
	take(rg_slice(zero, 120));
	ck_assert_int_eq(put_len(120), 0); // 32 of padding and 128 from the start: full
	ck_assert_int_eq(put("", ""), -EAGAIN);
	take(rg_slice(zero, 88));
	ck_assert_int_eq(put_len(120), -EAGAIN); // 96 free, and the padding
	ck_assert(rg_ring_peek(&ring, &got));
	ck_assert_ptr_eq(got.p, ring.mem + RG_RING_ALIGN);
	ck_assert_int_eq(put_len(120), 0); // the padding is behind the reader now
	take(rg_slice(zero, 120));
	take(rg_slice(zero, 120));
	check_empty();
}
END_TEST

// The largest record goes in from every position of an empty ring.
START_TEST(largest) {
	static const uint8_t zero[SIZE];

	for (int i = 0; i < SIZE / 8 - 1; i++) {
		ck_assert_int_eq(put_len(SIZE / 2 - 8), 0);
		take(rg_slice(zero, SIZE / 2 - 8));
		ck_assert_int_eq(put_len(0), 0);
		take(rg_slice(zero, 0));
	}
	ck_assert_int_eq(put_len(SIZE), -EAGAIN); // never
	check_empty();
}
END_TEST

// A length that 32 bits do not hold: refused, not cut.
START_TEST(huge) {
	static const uint8_t byte;
	volatile size_t len = UINT32_MAX; // hidden from the compiler, which sees no such bytes

	ck_assert_int_eq(rg_ring_put(&ring, rg_slice(&byte, 1), rg_slice(&byte, len)), -EAGAIN);
	check_empty();
}
END_TEST

static uint32_t next_random(uint64_t *seed) {
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

#define QUEUE 4096

struct model {
	uint8_t *rec[QUEUE];
	size_t len[QUEUE];
	unsigned first, end;
	size_t n_bytes; // with length words and alignment, without padding
};

static size_t cost(size_t len) {
	return (len + 15) / 8 * 8;
}

static void model_put(struct model *m, uint64_t *seed, size_t max) {
	size_t len = next_random(seed) % (max + 1);
	size_t cut = next_random(seed) % (len + 1);
	uint8_t rec[SIZE];
	int rc;

	for (size_t i = 0; i < len; i++)
		rec[i] = (uint8_t)next_random(seed);
	rc = rg_ring_put(&ring, rg_slice(rec, cut), rg_slice(rec + cut, len - cut));
	if (rc == -EAGAIN) { // only when it is fairly full: padding is less than the record
		ck_assert_uint_gt(m->n_bytes + 2 * cost(len) + cost(max), ring.size);
		ck_assert_uint_gt(m->n_bytes, 0);
		return;
	}
	ck_assert_int_eq(rc, 0);
	m->rec[m->end % QUEUE] = malloc(len + 1);
	memcpy(m->rec[m->end % QUEUE], rec, len);
	m->len[m->end++ % QUEUE] = len;
	m->n_bytes += cost(len);
	ck_assert_uint_le(m->n_bytes, ring.size);
}

static void model_take(struct model *m) {
	unsigned i = m->first % QUEUE;

	if (m->first == m->end) {
		check_empty();
		return;
	}
	take(rg_slice(m->rec[i], m->len[i]));
	free(m->rec[i]);
	m->n_bytes -= cost(m->len[i]);
	m->first++;
}

START_TEST(random_run) {
	static const uint64_t sizes[] = {64, 256, 1024};
	static struct model m;
	uint64_t size = sizes[_i % 3];
	uint64_t seed = (uint64_t)_i + 1;

	setup_of(size);
	for (int i = 0; i < 1500; i++) {
		unsigned bias = i / 100 % 2 == 0 ? 3 : 1; // fill up, then drain

		if (next_random(&seed) % 4 < bias)
			model_put(&m, &seed, size / 2 - 8 < SIZE ? size / 2 - 8 : SIZE);
		else
			model_take(&m);
	}
	while (m.first != m.end)
		model_take(&m);
	check_empty();
}
END_TEST

int main(void) {
	Suite *s = suite_create("ring");
	TCase *t = tcase_create("ring");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, order);
	tcase_add_test(t, full);
	tcase_add_loop_test(t, padding, 1, 17);
	tcase_add_test(t, padding_when_nearly_full);
	tcase_add_test(t, largest);
	tcase_add_test(t, huge);
	tcase_add_loop_test(t, random_run, 0, 30);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
