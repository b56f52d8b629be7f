// SPDX-License-Identifier: BSD-3-Clause
#include <stdio.h>

#include "oracle.h"
#include "regate/err.h"
#include "regate/sip.h"

const char *const field_names[N_FIELDS] = {
	"method", "Request-URI", "From URI",    "From tag", "To URI",
	"To tag", "Call-ID",     "CSeq",        "Via host", "Via port",
	"branch", "Contact",     "its expires", "Expires",  "token",
};

void said_slice(struct said *s, enum field f, struct rg_slice text) {
	s->is_known[f] = true;
	snprintf(s->text[f], FIELD_ROOM, "%.*s", (int)text.len, (const char *)text.p);
}

void said_text(struct said *s, enum field f, const char *text) {
	said_slice(s, f, rg_str(text == NULL ? "" : text));
}

void said_digits(struct said *s, enum field f, struct rg_slice text) {
	uint64_t v;

	if (rg_parse_u64(text, &v))
		said_number(s, f, v);
	else
		said_slice(s, f, text);
}

void said_number(struct said *s, enum field f, uint64_t v) {
	s->is_known[f] = true;
	snprintf(s->text[f], FIELD_ROOM, "%llu", (unsigned long long)v);
}

// Without the brackets of an IPv6 reference, which not everybody keeps.
void said_host(struct said *s, struct rg_slice host) {
	bool is_ip6 = host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';

	said_slice(s, F_VIA_HOST, is_ip6 ? rg_slice(host.p + 1, host.len - 2) : host);
}

void said_uri(struct said *s, enum field f, struct rg_slice uri) {
	uint8_t buf[FIELD_ROOM];
	struct rg_wr w = rg_wr(buf, sizeof(buf));

	if (sip_aor(uri, &w) == RG_OK)
		said_slice(s, f, rg_wr_slice(&w));
}
