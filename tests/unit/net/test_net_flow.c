// SPDX-License-Identifier: BSD-3-Clause
// Which connection a frame is about; the Toeplitz hash against Microsoft's vectors ("Verifying the
// RSS Hash Calculation").
#include "net_test.h"

static const uint8_t ms_key[NET_TOEPLITZ_KEY_LEN] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static struct rg_addr addr(const char *s) {
	struct rg_addr a;

	ck_assert_int_eq(rg_addr_parse(rg_str(s), &a), 0);
	return a;
}

START_TEST(toeplitz_vectors) {
	static const struct {
		const char *src, *dst;
		uint32_t hash;
	} v[] = {
		{"66.9.149.187:2794", "161.142.100.80:1766", 0x51ccc178},
		{"199.92.111.2:14230", "65.69.140.83:4739", 0xc626b0ea},
		{"24.19.198.95:12898", "12.22.207.184:38024", 0x5c2b394a},
		{"38.27.205.30:48228", "209.142.163.6:2217", 0xafc7327f},
		{"153.39.163.191:44251", "202.188.127.2:1303", 0x10e828a2},
		{"[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x40207d3d},
		{"[3ffe:501:8::260:97ff:fe40:efab]:14230", "[ff02::1]:4739", 0xdde51bbf},
		{"[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", "[fe80::200:f8ff:fe21:67cf]:38024",
		 0x02d1feef},
	};
	struct rg_addr src = addr(v[_i].src), dst = addr(v[_i].dst);
	struct net_toeplitz t;

	net_toeplitz_init(&t, ms_key);
	ck_assert_uint_eq(net_toeplitz_hash(&t, &src, &dst), v[_i].hash);
}
END_TEST

START_TEST(spreads) {
	struct rg_addr a = addr("10.0.0.1"), b = addr("10.0.0.2:443");
	unsigned per_worker[4] = {0};
	struct net_toeplitz t;

	net_toeplitz_init(&t, ms_key);
	for (unsigned i = 0; i < 4096; i++) {
		a.port = (uint16_t)(1024 + i);
		per_worker[net_toeplitz_hash(&t, &a, &b) % 4]++;
	}
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_gt(per_worker[i], 900);
}
END_TEST

#define ETH "020000000099 525400123456 "

// As net_input() names it, tagged or not.
START_TEST(same_as_input) {
	static const char *const frames[] = {F_TCP4, F_TCP6,    F_TCP6_EXT, F_PTB6,
					     F_UNR6, F_TOOBIG4, F_TE4};
	struct rg_slice whole = guard_hex(frames[_i]), f;
	uint8_t tagged[256], tag[4] = {0x81, 0, 0, 7};
	struct rg_addr src, dst;
	struct net_rx rx;

	net_test_input(0, frames[_i], &rx, &f);
	ck_assert(net_flow(whole.p, whole.len, &src, &dst));
	ck_assert(memcmp(src.ip, rx.src.ip, 16) == 0 && src.port == rx.src.port);
	ck_assert(memcmp(dst.ip, rx.dst.ip, 16) == 0 && dst.port == rx.dst.port);
	memcpy(tagged, whole.p, 12);
	memcpy(tagged + 12, tag, 4);
	memcpy(tagged + 16, whole.p + 12, whole.len - 12);
	f = guard_copy(rg_slice(tagged, whole.len + 4));
	ck_assert(net_flow(f.p, f.len, &src, &dst));
	ck_assert(memcmp(src.ip, rx.src.ip, 16) == 0 && src.port == rx.src.port);
}
END_TEST

START_TEST(no_flow) {
	static const char *const frames[] = {"",     ETH,    F_ARPQ, F_ECHO,   F_NS,
					     F_UDP6, F_FRAG, F_MLDQ, F_QUENCH4};
	struct rg_slice f = guard_hex(frames[_i]);
	struct rg_addr src, dst;

	ck_assert(!net_flow(f.p, f.len, &src, &dst));
}
END_TEST

static void add(TCase *tc) {
	tcase_add_loop_test(tc, toeplitz_vectors, 0, 8);
	tcase_add_test(tc, spreads);
	tcase_add_loop_test(tc, same_as_input, 0, 7);
	tcase_add_loop_test(tc, no_flow, 0, 9);
}

int main(void) {
	return net_test_run("net_flow", add);
}
