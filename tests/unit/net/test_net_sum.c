// SPDX-License-Identifier: BSD-3-Clause
// Checksums against the sum as RFC 1071 spells it, headers, SipHash against its authors' vectors.
#include "net/net_int.h"
#include "net_test.h"
#include "regate/siphash.h"

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
	static const struct {
		uint16_t vlan;
		const char *dst, *want;
	} t[] = {
		{0, "10.9.0.2:50000",
		 "525400123456 020000000099 0800 4500 0028 0000 4000 4006 26bc 0a090001 0a090002"},
		{4094, "10.9.0.2:50000",
		 "525400123456 020000000099 8100 0ffe 0800 4500 0028 0000 4000 4006 26bc 0a090001 "
		 "0a090002"},
		{0, "[2001:db8::2]:50000",
		 "525400123456 020000000099 86dd 6000 0000 0014 06 40 "
		 "20010db8000000000000000000000099 20010db8000000000000000000000002"},
		{1, "[2001:db8::2]:50000",
		 "525400123456 020000000099 8100 0001 86dd 6000 0000 0014 06 40 "
		 "20010db8000000000000000000000099 20010db8000000000000000000000002"},
	};
	struct net_cfg c = net_test_cfg(t[_i].vlan);
	struct rg_slice want = guard_hex(t[_i].want);
	struct rg_addr src = rg_addr_v4(c.ip_be, 443), dst;
	uint8_t f[NET_HEAD_MAX], *ip = f + c.l2_len;

	ck_assert_int_eq(rg_addr_parse(rg_str(t[_i].dst), &dst), 0);
	if (!rg_addr_is_v4(&dst))
		memcpy(src.ip, c.ip6, 16);
	net_put_headers(f, &c, (const uint8_t[]){0x52, 0x54, 0, 0x12, 0x34, 0x56}, &src, &dst, 20);
	if (!rg_addr_is_v4(&dst)) { // flow label: there, and the test below says more
		ck_assert_uint_eq(ip[1] & 0xf0, 0);
		ck_assert(ip[1] != 0 || ip[2] != 0 || ip[3] != 0);
		memset(ip + 1, 0, 3);
	}
	ck_assert_uint_eq(net_head_len(&c, &dst), want.len);
	ck_assert_mem_eq(f, want.p, want.len);
}
END_TEST

static uint32_t label(uint64_t key, const struct rg_addr *dst) {
	struct net_cfg c = net_test_cfg(0);
	struct rg_addr src = {.port = 443};
	uint8_t f[NET_HEAD_MAX];

	c.label_key = key;
	memcpy(src.ip, c.ip6, 16);
	net_put_headers(f, &c, c.mac, &src, dst, 20);
	return net_load32(f + NET_ETH_LEN) & 0xfffff;
}

// One label per flow, others for other flows and another key.
START_TEST(flow_labels) {
	struct rg_addr dst = {.ip = {0x20, 1}, .port = 50000};
	unsigned n_same = 0, n_bit[20] = {0};
	uint32_t first = label(1, &dst);

	ck_assert_uint_eq(label(1, &dst), first);
	ck_assert_uint_ne(label(2, &dst), first);
	dst.ip[15] ^= 1;
	ck_assert_uint_ne(label(1, &dst), first);
	dst.ip[15] ^= 1;
	for (unsigned i = 0; i < 4096; i++) {
		uint32_t l;

		dst.port = (uint16_t)(1024 + i);
		l = label(0x5bd1e995a3c59ac3, &dst);
		n_same += l == first;
		for (unsigned bit = 0; bit < 20; bit++)
			n_bit[bit] += l >> bit & 1;
	}
	ck_assert_uint_lt(n_same, 4);
	for (unsigned bit = 0; bit < 20; bit++)
		ck_assert_msg(n_bit[bit] > 1600 && n_bit[bit] < 2500, "bit %u: %u of 4096", bit,
			      n_bit[bit]);
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

// Word by word the same as over the bytes; the fast one as Python 3.11 has it, key zero.
START_TEST(siphash_flows) {
	static const uint64_t fast[2] = {0x3982f8e16a726165, 0x7ebff19591c7a8d5};
	static const uint8_t zero[16];
	uint8_t key[16], in[36] = {1000 & 255, 1000 >> 8, 443 & 255, 443 >> 8};
	size_t len = _i == 0 ? 12 : 36;
	struct rg_addr a = rg_addr_v4(htonl(0xc0000207), 1000),
		       b = rg_addr_v4(htonl(0x0a000001), 443);

	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; _i == 1 && i < 16; i++) {
		a.ip[i] = i;
		b.ip[i] = 16 + i;
	}
	memcpy(in + 4, _i == 0 ? a.ip + 12 : a.ip, len / 2 - 2);
	memcpy(in + 4 + len / 2 - 2, _i == 0 ? b.ip + 12 : b.ip, len / 2 - 2);
	ck_assert_uint_eq(rg_siphash_flow(key, &a, &b), rg_siphash(key, in, len));
	ck_assert_uint_eq(rg_siphash_flow_fast(zero, &a, &b), fast[_i]);
}
END_TEST

static void add(TCase *tc) {
	tcase_add_test(tc, rfc1071_example);
	tcase_add_loop_test(tc, against_slow_sum, 0, 2);
	tcase_add_loop_test(tc, tcp_checksum, 0, 2);
	tcase_add_loop_test(tc, headers, 0, 4);
	tcase_add_test(tc, flow_labels);
	tcase_add_test(tc, siphash_vectors);
	tcase_add_loop_test(tc, siphash_flows, 0, 2);
}

int main(void) {
	return net_test_run("net_sum", add);
}
