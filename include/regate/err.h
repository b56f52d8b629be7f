// SPDX-License-Identifier: BSD-3-Clause
// Return codes that every folder shares. 0 is success, RG_MORE asks for more input, negative is
// failure: -errno, or one of RG_E_*, counted up from -1000, which no errno reaches.
#pragma once

enum rg_rc {
	RG_OK = 0,
	RG_MORE = 1,        // the input is a prefix of something good: come back with more bytes
	RG_E_PROTO = -1000, // the peer broke a protocol rule
	RG_E_LIMIT = -999,  // a limit of ours was reached: size, count, depth
	RG_E_UNSUPPORTED = -998, // well-formed, but not offered here
	RG_E_UTF8 = -997,        // text that is not UTF-8
	RG_E_AUTH = -996,        // a signature, tag or password did not verify
	RG_E_EXPIRED = -995,     // past its end
	RG_E_CONFLICT = -994,    // somebody else owns it, or its generation moved on
	RG_E_EXHAUSTED = -993,   // nothing free
	RG_E_STALE = -992,       // the object named is gone
	RG_E_CLOSED = -991,      // the peer ended the conversation in good order
	RG_E_VERSION = -990,     // a version that is not spoken here
	RG_E_TAKEN = -989, // somebody was faster; this process cannot do without it, a new one can
};

// A short lower-case text for any code above, or strerror() for -errno. Never NULL, never freed.
const char *rg_strerror(int rc);
