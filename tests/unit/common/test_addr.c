// SPDX-License-Identifier: BSD-3-Clause
// Text form of addresses, both ways.
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/addr.h"
#include "regate/err.h"

static const struct {
	const char *in, *ip; // NULL: refused
	uint16_t port;
} cases[] = {
	{"192.0.2.7", "192.0.2.7", 0},
	{"192.0.2.7:5060", "192.0.2.7", 5060},
	{"0.0.0.0:0", "0.0.0.0", 0},
	{"255.255.255.255:65535", "255.255.255.255", 65535},
	{"2001:db8::1", "2001:db8::1", 0},
	{"2001:DB8:0:0::1", "2001:db8::1", 0},
	{"::", "::", 0},
	{"[::1]", "::1", 0},
	{"[2001:db8::1]:443", "2001:db8::1", 443},
	{"2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:1111:2222:3333:4444:5555:6666", 0},
	{"::ffff:192.0.2.7", "192.0.2.7", 0},
	{"[::ffff:192.0.2.7]:1", "192.0.2.7", 1},
	{"", NULL, 0},
	{":", NULL, 0},
	{":5060", NULL, 0},
	{"192.0.2", NULL, 0},
	{"192.0.2.7.1", NULL, 0},
	{"192.0.2.256", NULL, 0},
	{"192.0.2.7:", NULL, 0},
	{"192.0.2.7:65536", NULL, 0},
	{"192.0.2.7:-1", NULL, 0},
	{"192.0.2.7:5060x", NULL, 0},
	{"192.0.2.7 ", NULL, 0},
	{" 192.0.2.7", NULL, 0},
	{"localhost", NULL, 0},
	{"[", NULL, 0},
	{"[]", NULL, 0},
	{"[]:1", NULL, 0},
	{"[::1", NULL, 0},
	{"::1]", NULL, 0},
	{"[::1]5060", NULL, 0},
	{"[::1]:", NULL, 0},
	{"[::1]:65536", NULL, 0},
	{"[::1]]:1", NULL, 0},
	{"[[::1]:1", NULL, 0},
	{"[192.0.2.7]:5060", NULL, 0},
	{"1:2", NULL, 0},
	{"1::2::3", NULL, 0},
	{"fe80::1%eth0", NULL, 0},
	{"2001:db8:1111:2222:3333:4444:5555:6666:7777:8888:9999", NULL, 0},
};

START_TEST(embedded_nul) {
	struct rg_addr a;

	ck_assert_int_eq(rg_addr_parse(RG_LIT("1.2.3.4\0x"), &a), RG_E_PROTO);
}
END_TEST

START_TEST(parse) {
	struct rg_slice in = guard_str(cases[_i].in);
	struct rg_addr a, untouched;
	uint8_t text[64];
	struct rg_wr w = rg_wr(text, sizeof(text));

	memset(&a, 0xa5, sizeof(a));
	untouched = a;
	if (cases[_i].ip == NULL) {
		ck_assert_msg(rg_addr_parse(in, &a) == RG_E_PROTO, "%s", cases[_i].in);
		ck_assert_mem_eq(&a, &untouched, sizeof(a));
		return;
	}
	ck_assert_msg(rg_addr_parse(in, &a) == RG_OK, "%s", cases[_i].in);
	ck_assert_uint_eq(a.port, cases[_i].port);
	rg_put_ip(&w, &a);
	ck_assert_msg(rg_eq(rg_wr_slice(&w), rg_str(cases[_i].ip)), "%.*s", (int)w.len, text);
	ck_assert(rg_addr_is_v4(&a) == (strchr(cases[_i].ip, ':') == NULL));
}
END_TEST

START_TEST(v4) {
	struct rg_addr a = rg_addr_v4(htonl(0xc0000207), 5060);
	struct rg_addr b;

	ck_assert_int_eq(rg_addr_parse(RG_LIT("192.0.2.7:5060"), &b), RG_OK);
	ck_assert_mem_eq(a.ip, b.ip, sizeof(a.ip));
	ck_assert_uint_eq(a.port, b.port);
	ck_assert(rg_addr_is_v4(&a));
}
END_TEST

START_TEST(print_overflow) {
	struct rg_addr a = rg_addr_v4(htonl(0xc0000207), 0);
	char text[8];
	struct rg_wr w = rg_wr(text, sizeof(text));

	rg_put_ip(&w, &a);
	ck_assert(w.overflow && w.len == 0);
}
END_TEST

int main(void) {
	Suite *s = suite_create("addr");
	TCase *t = tcase_create("addr");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, parse, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_test(t, embedded_nul);
	tcase_add_test(t, v4);
	tcase_add_test(t, print_overflow);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
