// SPDX-License-Identifier: BSD-3-Clause
// The forms in which the parts of a REGISTER are written, good and bad.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum part {
	P_START,
	P_VIA,
	P_FROM,
	P_TO,
	P_CALL_ID,
	P_CSEQ,
	P_MAX_FORWARDS,
	P_CONTACT,
	P_EXPIRES,
	P_AUTHORIZATION,
	P_SUPPORTED,
	P_CONTENT_LENGTH,
	P_OTHER,
	N_PARTS,
};

enum { OSIP = 1, SOFIA = 2, BOTH = 3 };

struct form {
	enum part part;
	// The start line, or the value of the header. $u a user and $s one without reserved characters, $h a
	// host, $t a token, $n a number, $b a Bearer token; ^ blanks or none, | blanks, folds among them;
	// # begins another header of that name. NULL: no such header.
	const char *text;
	bool is_good;
	// Who takes it although it is bad, or refuses or misreads it although it is good; at times at least.
	unsigned differs;
	const char *clause; // that we go by, of RFC 3261 if it does not say of which
};

extern const struct form forms[];
extern const size_t n_forms;
