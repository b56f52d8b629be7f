// SPDX-License-Identifier: BSD-3-Clause
// Frames of a worker (packet.c).
#pragma once

#include "core_int.h"

void packet_input(struct worker *w, struct rte_mbuf *const *m, unsigned n); // all are consumed
void packet_output(void *ctx, const struct tcp_out *o);                     // tcp_ops.output
void packet_flush(struct worker *w);     // sends what the poll has put together
unsigned packet_relay(struct worker *w); // takes what peers without a tx queue have to send
void packet_announce(struct worker *w);  // tells the link where we are
