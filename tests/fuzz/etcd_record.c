// SPDX-License-Identifier: BSD-3-Clause
// A record and a history as they lie in etcd: what is taken can be written again, and then is the same.
#include "store/etcd_record.h"
#include "fuzz.h"

static void check_record(struct rg_slice in) {
	static uint8_t text[2][ETCD_RECORD_MAX];
	static struct etcd_record r[2];
	struct rg_wr w[2];
	int rc = etcd_record_read(RG_LIT("p@x"), in, &r[0]);

	FUZZ_CHECK(rc == 0 || rc == RG_E_PROTO || rc == RG_E_LIMIT || rc == RG_E_VERSION);
	if (rc != 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		w[i] = rg_wr(text[i], sizeof(text[i]));
		etcd_record_put(&w[i], &r[i].lease, r[i].author);
		FUZZ_CHECK(!w[i].overflow);
		if (i == 0)
			FUZZ_CHECK(etcd_record_read(RG_LIT("p@x"),
						    fuzz_guard(1, rg_wr_slice(&w[0])), &r[1]) == 0);
	}
	FUZZ_CHECK(rg_eq(rg_wr_slice(&w[0]), rg_wr_slice(&w[1])));
}

static void check_pasts(struct rg_slice in) {
	static uint8_t text[3 * ETCD_TEXT_MAX + 128];
	static struct etcd_past p;
	size_t left = in.len + 1;
	int rc;

	while ((rc = etcd_past_read(&in, &p)) == 0) {
		struct rg_wr w = rg_wr(text, sizeof(text));

		FUZZ_CHECK(in.len < left);
		left = in.len;
		etcd_past_put(&w, &p.past);
		FUZZ_CHECK(!w.overflow);
	}
	FUZZ_CHECK(rc == RG_E_STALE || rc == RG_E_PROTO || rc == RG_E_LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	struct rg_slice in;

	if (len > 2 * ETCD_TEXT_MAX)
		return 0;
	in = fuzz_guard(0, rg_slice(p, len));
	check_record(in);
	check_pasts(in);
	return 0;
}
