// SPDX-License-Identifier: BSD-3-Clause
// The registrar behind regate-imscore: what an I-/S-CSCF pair answers to a trusted node, and the
// failures a test asks for by the name of the user. No I/O, no clock: messages and times in,
// answers out.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/addr.h"
#include "regate/sip.h"

struct registrar_cfg {
	const char *domain;
	uint32_t min_expires, max_expires;
};

struct registrar_stats {
	uint64_t requests, registers, refreshes, deregisters, retransmits, other;
	uint64_t answers[7]; // by hundreds: answers[2] counts 2xx
	uint64_t unanswered;
	uint64_t n_bindings; // now, expired ones included until their user is next seen
};

struct registrar_answer {
	unsigned status;   // 0 = none is sent
	uint64_t delay_ns; // send it that much later
	size_t len;
	uint8_t bytes[SIP_MAX_MSG];
};

struct registrar;
[[nodiscard]] struct registrar *registrar_new(const struct registrar_cfg *cfg);
void registrar_free(struct registrar *r); // accepts NULL
// peer: where the request came from; NULL on TCP (nothing is added to its Via then).
void registrar_serve(struct registrar *r, const struct sip_msg *m, const struct rg_addr *peer,
		     uint64_t now_ns, struct registrar_answer *out);
const struct registrar_stats *registrar_get_stats(const struct registrar *r);
