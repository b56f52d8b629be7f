// SPDX-License-Identifier: BSD-3-Clause
// Header values: URI, address of record, name-addr, Via, lists and parameters. Whatever parses lies
// inside, is found again when it is written out, and a canonical form is its own canonical form.
#include "fuzz.h"
#include "regate/sip.h"

static uint8_t buf[2][3 * FUZZ_GUARD_MAX];

static void check_uri(struct rg_slice in) {
	struct rg_wr aor = rg_wr(buf[0], sizeof(buf[0])), again = rg_wr(buf[1], sizeof(buf[1]));
	struct sip_uri u, back;

	if (sip_uri_parse(in, &u) != RG_OK) {
		FUZZ_CHECK(sip_aor(in, &aor) == RG_E_PROTO && aor.len == 0);
		return;
	}
	fuzz_check_in(in, u.scheme);
	fuzz_check_in(in, u.user);
	fuzz_check_in(in, u.host);
	fuzz_check_in(in, u.params);
	fuzz_check_in(in, u.headers);
	FUZZ_CHECK(u.host.len > 0);
	FUZZ_CHECK(sip_aor(in, &aor) == RG_OK && aor.len <= in.len);
	FUZZ_CHECK(sip_aor(fuzz_guard(1, rg_wr_slice(&aor)), &again) == RG_OK);
	FUZZ_CHECK(rg_eq(rg_wr_slice(&aor), rg_wr_slice(&again)));
	FUZZ_CHECK(sip_uri_parse(rg_wr_slice(&aor), &back) == RG_OK);
	FUZZ_CHECK(rg_ieq(back.host, u.host) && back.params.len == 0 && back.headers.len == 0);
}

static void check_nameaddr(struct rg_slice in) {
	struct rg_wr w = rg_wr(buf[0], sizeof(buf[0]));
	struct sip_nameaddr n, back;

	if (sip_nameaddr_parse(in, &n) != RG_OK)
		return;
	fuzz_check_in(in, n.display);
	fuzz_check_in(in, n.uri);
	fuzz_check_in(in, n.params);
	rg_put(&w, n.display);
	rg_puts(&w, " <");
	rg_put(&w, n.uri);
	rg_puts(&w, ">");
	rg_put(&w, n.params);
	FUZZ_CHECK(sip_nameaddr_parse(fuzz_guard(1, rg_wr_slice(&w)), &back) == RG_OK);
	FUZZ_CHECK(rg_eq(back.display, n.display) && rg_eq(back.uri, n.uri) &&
		   rg_eq(back.params, n.params));
}

static void check_via(struct rg_slice in) {
	struct rg_wr w = rg_wr(buf[0], sizeof(buf[0]));
	struct sip_via v, back;
	struct rg_slice branch;

	if (sip_via_parse(in, &v) != RG_OK)
		return;
	fuzz_check_in(in, v.transport);
	fuzz_check_in(in, v.host);
	fuzz_check_in(v.params, v.branch);
	fuzz_check_in(in, v.params);
	FUZZ_CHECK(v.host.len > 0 && v.transport.len > 0);
	FUZZ_CHECK(sip_param(v.params, RG_LIT("BRANCH"), &branch) == (v.branch.len > 0));
	rg_puts(&w, "SIP/2.0/");
	rg_put(&w, v.transport);
	rg_puts(&w, " ");
	rg_put(&w, v.host);
	if (v.port != 0) {
		rg_puts(&w, ":");
		rg_put_u64(&w, v.port);
	}
	rg_put(&w, v.params);
	FUZZ_CHECK(sip_via_parse(fuzz_guard(1, rg_wr_slice(&w)), &back) == RG_OK);
	FUZZ_CHECK(rg_eq(back.host, v.host) && back.port == v.port &&
		   rg_eq(back.branch, v.branch) && rg_eq(back.transport, v.transport));
}

// Each element is a part of the list, behind the one before, and holds no other one.
static void check_list(struct rg_slice in) {
	struct rg_slice list = in, e, one, rest;
	const uint8_t *end = in.p;

	while (sip_list_next(&list, &e)) {
		fuzz_check_in(in, e);
		FUZZ_CHECK(e.len == 0 || e.p >= end);
		end = e.len == 0 ? end : e.p + e.len;
		rest = e;
		if (e.len > 0 && sip_list_next(&rest, &one))
			FUZZ_CHECK(rg_eq(one, e) && rest.len == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	struct rg_slice in;
	struct rg_addr a;

	if (len > 4096)
		return 0;
	in = fuzz_guard(0, rg_slice(p, len));
	check_uri(in);
	check_nameaddr(in);
	check_via(in);
	check_list(in);
	if (rg_addr_parse(in, &a) == RG_OK) {
		struct rg_wr w = rg_wr(buf[0], 64);
		struct rg_addr back;

		rg_put_ip(&w, &a);
		FUZZ_CHECK(!w.overflow && rg_addr_parse(rg_wr_slice(&w), &back) == RG_OK);
		FUZZ_CHECK(memcmp(back.ip, a.ip, 16) == 0 && back.port == 0);
	}
	return 0;
}
