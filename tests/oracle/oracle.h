// SPDX-License-Identifier: BSD-3-Clause
// What a SIP parser says of a REGISTER, in words that can be compared: ours, libosip2's, sofia-sip's.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/slice.h"

enum field {
	F_METHOD,
	F_REQUEST_URI, // URIs are in the canonical form of sip_aor(); other schemes as they stand
	F_FROM_URI,
	F_FROM_TAG,
	F_TO_URI,
	F_TO_TAG,
	F_CALL_ID,
	F_CSEQ,
	F_VIA_HOST, // of the topmost
	F_VIA_PORT,
	F_BRANCH,
	F_CONTACT_URI, // of the only Contact
	F_CONTACT_EXPIRES,
	F_EXPIRES, // the header
	F_BEARER,  // the token of the first Bearer credentials
	N_FIELDS,
};

extern const char *const field_names[N_FIELDS];

#define FIELD_ROOM 1024

struct said {
	bool is_good;                    // else the fields say nothing
	bool is_foreign;                 // there is a URI that is none of SIP
	bool is_known[N_FIELDS];         // false: this parser does not tell
	char text[N_FIELDS][FIELD_ROOM]; // "" = not there
};

void own_read(struct rg_slice in, struct said *s);
void osip_read(struct rg_slice in, struct said *s);
void sofia_read(struct rg_slice in, struct said *s);
void oracles_init(void);

// For the readers: what they found, NULL = it is not there.
void said_text(struct said *s, enum field f, const char *text);
void said_slice(struct said *s, enum field f, struct rg_slice text);
// Without leading zeros, if it is a number.
void said_digits(struct said *s, enum field f, struct rg_slice text);
void said_number(struct said *s, enum field f, uint64_t v);
void said_host(struct said *s, struct rg_slice host);
void said_uri(struct said *s, enum field f, struct rg_slice uri);
