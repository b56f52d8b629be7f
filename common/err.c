// SPDX-License-Identifier: BSD-3-Clause
// Texts of the shared return codes.
#include "regate/err.h"

#include <string.h>

const char *rg_strerror(int rc) {
	switch (rc) {
	case RG_OK:
		return "ok";
	case RG_MORE:
		return "more input needed";
	case RG_E_PROTO:
		return "malformed";
	case RG_E_LIMIT:
		return "over a limit";
	case RG_E_UNSUPPORTED:
		return "not supported";
	case RG_E_UTF8:
		return "not UTF-8";
	case RG_E_AUTH:
		return "not authentic";
	case RG_E_EXPIRED:
		return "expired";
	case RG_E_CONFLICT:
		return "conflict";
	case RG_E_EXHAUSTED:
		return "nothing free";
	case RG_E_STALE:
		return "gone";
	case RG_E_CLOSED:
		return "closed";
	case RG_E_VERSION:
		return "version not spoken";
	case RG_E_TAKEN:
		return "taken meanwhile";
	default:
		return rc < 0 && rc > -1000 ? strerror(-rc) : "unknown error";
	}
}
