// SPDX-License-Identifier: BSD-3-Clause
// Text form of transport addresses.
#include "regate/addr.h"

#include <arpa/inet.h>

#include "regate/err.h"

void rg_put_ip(struct rg_wr *w, const struct rg_addr *a) {
	char s[INET6_ADDRSTRLEN];

	if (rg_addr_is_v4(a))
		inet_ntop(AF_INET, a->ip + 12, s, sizeof(s));
	else
		inet_ntop(AF_INET6, a->ip, s, sizeof(s));
	rg_puts(w, s);
}

// Cuts ":port" off *s when there is one. False when what follows the colon is no port.
static bool cut_port(struct rg_slice *s, uint16_t *port) {
	uint64_t v;

	for (size_t i = s->len; i > 0 && s->p[i - 1] != ']'; i--) {
		if (s->p[i - 1] != ':')
			continue;
		if (!rg_parse_u64(rg_skip(*s, i), &v) || v > UINT16_MAX)
			return false;
		*port = (uint16_t)v;
		s->len = i - 1;
		return true;
	}
	return true;
}

int rg_addr_parse(struct rg_slice s, struct rg_addr *out) {
	struct rg_addr a = {.ip = {[10] = 0xff, [11] = 0xff}};
	char text[INET6_ADDRSTRLEN];
	bool is_bracketed = s.len > 1 && s.p[0] == '[';
	bool is_v6 =
		is_bracketed || (s.len > 0 && memchr(s.p, ':', s.len) != memrchr(s.p, ':', s.len));

	if ((is_bracketed || !is_v6) && !cut_port(&s, &a.port))
		return RG_E_PROTO;
	if (is_bracketed) {
		if (s.len < 2 || s.p[s.len - 1] != ']')
			return RG_E_PROTO;
		s = rg_slice(s.p + 1, s.len - 2);
	}
	if (s.len == 0 || s.len >= sizeof(text) || memchr(s.p, '\0', s.len) != NULL)
		return RG_E_PROTO;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, text, is_v6 ? a.ip : a.ip + 12) != 1)
		return RG_E_PROTO;
	*out = a;
	return RG_OK;
}
