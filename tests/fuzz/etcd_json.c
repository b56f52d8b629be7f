// SPDX-License-Identifier: BSD-3-Clause
// An answer of etcd: whatever it is, each part is read once without harm; what a range has is within
// what was given, and is the same after another way there and back.
#include "store/etcd_json.h"
#include "fuzz.h"
#include "regate/base64.h"

static void check_kv(struct rg_slice in, const struct etcd_kv *kv) {
	static uint8_t text[FUZZ_GUARD_MAX], back[FUZZ_GUARD_MAX];
	struct rg_wr w = rg_wr(text, sizeof(text));
	size_t n;

	FUZZ_CHECK(kv->key.len > 0 && kv->key.len + kv->value.len < in.len);
	rg_b64_put(&w, RG_B64_PADDED, kv->value);
	FUZZ_CHECK(!w.overflow);
	FUZZ_CHECK(rg_b64_read(rg_wr_slice(&w), RG_B64_PADDED, back, sizeof(back), &n) == 0);
	FUZZ_CHECK(rg_eq(rg_slice(back, n), kv->value));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	struct etcd_reply r;
	struct etcd_kv kv, other;
	struct rg_slice in;
	int rc;

	if (len > FUZZ_GUARD_MAX / 2)
		return 0;
	in = fuzz_guard(0, rg_slice(p, len));
	for (unsigned how = 0; how < 3; how++) {
		rc = etcd_reply_parse(in, &r);
		FUZZ_CHECK(rc == 0 || rc == RG_E_PROTO);
		if (rc != 0)
			return 0;
		FUZZ_CHECK(r.code <= 16 && r.message != NULL && r.token != NULL);
		for (size_t i = 0; i <= r.n; i++) {
			rc = how == 0   ? etcd_reply_kv(&r, i, &kv)
			     : how == 1 ? etcd_reply_read(&r, i, &kv)
					: etcd_reply_put(&r, i, &kv, &other);
			FUZZ_CHECK(rc == 0 || rc == RG_E_PROTO || rc == RG_E_STALE ||
				   rc == RG_E_CONFLICT);
			FUZZ_CHECK(i < r.n || rc == RG_E_PROTO);
			if (rc == 0 && how < 2)
				check_kv(in, &kv);
		}
		etcd_reply_fini(&r);
	}
	return 0;
}
