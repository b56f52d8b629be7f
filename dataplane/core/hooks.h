// SPDX-License-Identifier: BSD-3-Clause
// Where a test build reaches into a worker. regated links hooks_none.c, which only passes on;
// regated-test links hooks_test.c. meson chooses; nothing else differs between the two programs.
#pragma once

#include "core_int.h"

// Can this program do what the configuration's `test` section asks for? 0, or negative with one
// line in err. Needs no EAL.
[[nodiscard]] int hooks_check(const struct rg_dp_test *cfg, char *err, size_t err_len);
[[nodiscard]] int hooks_init(struct worker *w); // 0 or -ENOMEM
void hooks_fini(struct worker *w);              // also before hooks_init()

// The port's bursts. tx returns how many were taken: those are consumed.
uint16_t hooks_rx(struct worker *w, struct rte_mbuf **m, uint16_t max);
uint16_t hooks_tx(struct worker *w, struct rte_mbuf **m, uint16_t n);
// Sends the message of ev back. b keeps it until it has gone: see conn_pump().
void hooks_echo(struct worker *w, struct conn *c, struct buf *b, struct ws_event *ev);
uint64_t hooks_deadline(const struct worker *w); // poll again by then; RG_NEVER: whenever you like
