// SPDX-License-Identifier: BSD-3-Clause
// Bytes to and from the core: one TCP connection, made when first needed and again after a loss,
// and a UDP socket when the configuration asks for UDP. Whole SIP messages come out.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "core/env.h"
#include "core/log.h"
#include "regate/sip.h"

#define TRANSPORT_UDP_MAX 1300         // RFC 3261 18.1.1: larger requests go over TCP
#define TRANSPORT_QUEUE_MAX (4u << 20) // bytes waiting for the TCP connection

struct transport_out; // one message on its way to the TCP connection

struct transport_ops { // all on the loop, never inside a call of ours
	void *ctx;
	// is_udp: from is the source of the datagram.
	void (*message)(void *ctx, const struct sip_msg *m, bool is_udp,
			const struct rg_addr *from);
	// The TCP connection has gone (is_attempt false: what was not begun stays queued and goes out
	// over the next one) or could not be made (true: the queue is empty now).
	void (*lost)(void *ctx, int rc, bool is_attempt);
	uint64_t *n_connects;
};

struct transport;
[[nodiscard]] struct transport *transport_new(struct env *env, struct log *log,
					      const struct conf *conf,
					      const struct transport_ops *ops);
void transport_free(struct transport *t); // accepts NULL

// Copies m. *out (may be NULL) stays valid until the message has left, when it turns NULL.
// 0, -ENOBUFS (queue full), -ENOMEM.
[[nodiscard]] int transport_send_tcp(struct transport *t, struct rg_slice m,
				     struct transport_out **out);
// Nothing of it has left.
bool transport_out_is_unsent(const struct transport_out *out);
// The owner lets go: an unsent message is taken back.
void transport_out_drop(struct transport *t, struct transport_out *out);
[[nodiscard]] int transport_send_udp(struct transport *t, struct rg_slice m,
				     const struct rg_addr *to); // 0, -errno
bool transport_is_up(const struct transport *t);                // TCP
