// SPDX-License-Identifier: BSD-3-Clause
// Checksums against the sum as RFC 1071 spells it, headers, SipHash against its authors' vectors.
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "net/net.h"
#include "net/net_int.h"
#include "regate/siphash.h"

static uint16_t slow_sum(const uint8_t *p, size_t len) {
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | (i + 1 < len ? p[i + 1] : 0);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

// RFC 1071 section 3: 0001 f203 f4f5 f6f7 sums to ddf2.
START_TEST(rfc1071_example) {
	struct rg_slice s = guard_hex("0001 f203 f4f5 f6f7");

	ck_assert_uint_eq(ntohs(net_sum_fold(net_sum(s.p, s.len))), (uint16_t)~0xddf2);
}
END_TEST

// Every length up to a jumbo's, at every alignment the guard page gives, odd ones included.
START_TEST(against_slow_sum) {
	static uint8_t b[2000];
	uint32_t rng = 1;

	for (size_t len = 0; len < sizeof(b); len += len < 200 ? 1 : 37) {
		struct rg_slice s;

		for (size_t i = 0; i < len; i++) {
			rng = rng * 1664525 + 1013904223;
			b[i] = _i == 0 ? (uint8_t)(rng >> 24) : 0xff; // all ones: most carries
		}
		s = guard_copy(rg_slice(b, len));
		ck_assert_uint_eq(ntohs(net_sum_fold(net_sum(s.p, len))), slow_sum(b, len));
	}
}
END_TEST

// A new segment gets a checksum with which it sums to 0; one flipped bit shows.
START_TEST(tcp_checksum) {
	struct rg_addr a[2] = {rg_addr_v4(htonl(0xc0000201), 1), rg_addr_v4(htonl(0xc6336407), 2)};
	uint8_t pseudo[2100] = {192, 0, 2, 1, 198, 51, 100, 7, 0, 6};
	uint8_t seg[1480];
	uint16_t sum;

	if (_i == 1) { // IPv6
		ck_assert_int_eq(rg_addr_parse(rg_str("2001:db8::1"), &a[0]), 0);
		ck_assert_int_eq(rg_addr_parse(rg_str("2001:db8::2"), &a[1]), 0);
	}
	for (size_t len = 20; len < sizeof(seg); len += 13) {
		for (size_t i = 0; i < len; i++)
			seg[i] = (uint8_t)(i * 37 + len);
		memset(seg + 16, 0, 2);
		sum = net_tcp_checksum(&a[0], &a[1], rg_slice(seg, len));
		if (_i == 0) {
			pseudo[10] = (uint8_t)(len >> 8);
			pseudo[11] = (uint8_t)len;
			memcpy(pseudo + 12, seg, len);
			ck_assert_uint_eq(ntohs(sum), slow_sum(pseudo, 12 + len));
		}
		memcpy(seg + 16, &sum, 2);
		ck_assert_uint_eq(net_tcp_checksum(&a[0], &a[1], rg_slice(seg, len)), 0);
		ck_assert_uint_eq(net_tcp_checksum(&a[1], &a[0], rg_slice(seg, len)), 0);
		seg[len - 1] ^= 4;
		ck_assert_uint_ne(net_tcp_checksum(&a[0], &a[1], rg_slice(seg, len)), 0);
	}
}
END_TEST

START_TEST(headers) {
	struct net_cfg c = {{2, 0, 0, 0, 0, 0x99}, htonl(0x0a090001)};
	struct rg_addr dst = rg_addr_v4(htonl(0x0a090002), 50000);
	struct rg_slice want = guard_hex("525400123456 020000000099 0800 4500 0028 0000 4000 4006 "
					 "26bc 0a090001 0a090002");
	uint8_t f[34];

	net_put_headers(f, &c, (const uint8_t[]){0x52, 0x54, 0, 0x12, 0x34, 0x56}, &dst, 20);
	ck_assert_uint_eq(slow_sum(f + 14, 20), 0);
	ck_assert_mem_eq(f, want.p, 34);
}
END_TEST

// From the appendix of the SipHash paper and the reference's table, key 00..0f, input 00, 01, ...
START_TEST(siphash_vectors) {
	static const struct {
		size_t len;
		uint64_t hash;
	} v[] = {{0, 0x726fdb47dd0e0e31},
		 {1, 0x74f839c593dc67fd},
		 {7, 0xab0200f58b01d137},
		 {8, 0x93f5f5799a932462},
		 {15, 0xa129ca6149be45e5}};
	uint8_t key[16], in[16];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = in[i] = i;
	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		ck_assert_msg(rg_siphash(key, guard_copy(rg_slice(in, v[i].len)).p, v[i].len) ==
				      v[i].hash,
			      "length %zu", v[i].len);
}
END_TEST

START_TEST(flow_hash) {
	uint8_t key[16] = {1}, other[16] = {2};
	struct rg_addr a = rg_addr_v4(1, 1000), b = rg_addr_v4(2, 443), six = a;
	unsigned per_worker[4] = {0};
	uint32_t h = net_flow_hash(key, &a, &b);

	ck_assert_uint_eq(net_flow_hash(key, &a, &b), h);
	ck_assert_uint_ne(net_flow_hash(other, &a, &b), h);
	ck_assert_uint_ne(net_flow_hash(key, &b, &a), h);
	six.ip[0] = 0x20;
	ck_assert_uint_ne(net_flow_hash(key, &six, &b), h);
	six.ip[0] = 0x21;
	h = net_flow_hash(key, &six, &b);
	six.ip[15] ^= 1;
	ck_assert_uint_ne(net_flow_hash(key, &six, &b), h);
	for (unsigned i = 0; i < 4096; i++) {
		a.port = (uint16_t)(1024 + i);
		per_worker[net_flow_hash(key, &a, &b) % 4]++;
	}
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_gt(per_worker[i], 900);
}
END_TEST

int main(void) {
	Suite *s = suite_create("net_sum");
	TCase *tc = tcase_create("sum");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, rfc1071_example);
	tcase_add_loop_test(tc, against_slow_sum, 0, 2);
	tcase_add_loop_test(tc, tcp_checksum, 0, 2);
	tcase_add_test(tc, headers);
	tcase_add_test(tc, siphash_vectors);
	tcase_add_test(tc, flow_hash);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
