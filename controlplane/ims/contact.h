// SPDX-License-Identifier: BSD-3-Clause
// Contact elements of both sides, compared as a registrar compares them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/sip.h"

struct contact {                     // slices borrow the element
	struct rg_slice element;     // whole, as parsed
	struct rg_slice uri, params; // params without the URI's own
	struct rg_slice instance;    // +sip.instance without its quotes; len 0 = none
	uint32_t reg_id;             // 0 = none; quotes tolerated (ims.md 0.5)
};

[[nodiscard]] int contact_parse(struct rg_slice element, struct contact *out); // 0, RG_E_PROTO

// URI comparison of RFC 3261 19.1.4.
bool contact_uri_eq(struct rg_slice a, struct rg_slice b);
// The binding key of RFC 5626 6: both name an instance and a reg-id, and the same ones.
bool contact_flow_eq(const struct contact *a, const struct contact *b);
// One registrar or another would take them for the same binding.
bool contact_is_same(const struct contact *a, const struct contact *b);

// The value without line breaks: folding (RFC 3261 7.3.1) becomes blanks.
void contact_put_line(struct rg_wr *w, struct rg_slice value);
