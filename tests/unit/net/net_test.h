// SPDX-License-Identifier: BSD-3-Clause
// What the tests of dataplane/net share: our addresses, a frame through net_input().
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "net/net.h"
#include "net_frames.h"

static inline struct net_cfg net_test_cfg(uint16_t vlan) {
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x99};
	static const uint8_t ip6[16] = {0x20, 1, 0xd, 0xb8, [15] = 0x99};
	struct net_cfg c;

	net_cfg_init(&c, mac, htonl(0x0a090001), ip6, vlan, 0x0123456789abcdef);
	return c;
}

// The frame ends against a guard page: nothing of the peer's is read beyond it. What an answer needs
// more than that (NET_ANNOUNCE_MAX) it may not have here.
static inline enum net_verdict net_test_input(uint16_t vlan, const char *hex, struct net_rx *rx,
					      struct rg_slice *frame) {
	struct net_cfg c = net_test_cfg(vlan);

	*frame = guard_hex(hex);
	memset(rx, 0, sizeof(*rx));
	return net_input(&c, (uint8_t *)(uintptr_t)frame->p, frame->len, frame->len, rx);
}

// The same with room for a longer answer, which is compared with want. 0 when it is that.
static inline void net_test_answer(uint16_t vlan, const char *hex, const char *want_hex,
				   enum rg_stat event) {
	struct rg_slice asked = guard_hex(hex), want = guard_hex(want_hex);
	struct net_cfg c = net_test_cfg(vlan);
	uint8_t frame[256];
	struct net_rx rx;

	memcpy(frame, asked.p, asked.len);
	ck_assert_int_eq(net_input(&c, frame, asked.len, sizeof(frame), &rx), NET_REPLY);
	ck_assert_uint_eq(rx.event, event);
	ck_assert_uint_eq(rx.reply_len, want.len);
	ck_assert_mem_eq(frame, want.p, want.len);
}

// Sum of 16-bit words as the RFC spells it.
static inline uint16_t slow_sum(const uint8_t *p, size_t len) {
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | (i + 1 < len ? p[i + 1] : 0);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline int net_test_run(const char *name, void (*add)(TCase *tc)) {
	Suite *s = suite_create(name);
	TCase *tc = tcase_create(name);
	SRunner *sr;
	int failed;

	add(tc);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
