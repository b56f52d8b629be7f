// SPDX-License-Identifier: BSD-3-Clause
// Import files: the first byte tells the format, the rest are lines. What is taken is a pair that a
// pool file may hold, comes back the same when it is written, and is not taken as the other format;
// what is refused has a reason.
#include "fuzz.h"
#include "pool/pool.h"

static void check_taken(enum pool_format format, const struct pool_pair *pair) {
	struct pool_pair again;
	const char *why;
	char text[2 * POOL_ID_MAX + 64];
	struct rg_wr w = rg_wr(text, sizeof(text));

	FUZZ_CHECK(pool_is_impi(pair->impi) && pool_is_impu(pair->impu));
	pool_line_put(&w, format, pair->impi, pair->impu);
	FUZZ_CHECK(!w.overflow && w.len > 0 && text[w.len - 1] == '\n');
	FUZZ_CHECK(pool_line_parse(format, rg_slice(text, w.len - 1), &again, &why) == RG_OK);
	FUZZ_CHECK(strcmp(pair->impi, again.impi) == 0 && strcmp(pair->impu, again.impu) == 0);
}

static void check_line(enum pool_format format, struct rg_slice line) {
	struct pool_pair pair, other;
	const char *why = NULL, *why_other;
	int rc = pool_line_parse(format, fuzz_guard(0, line), &pair, &why);

	FUZZ_CHECK(rc == RG_OK || rc == RG_MORE || rc == RG_E_PROTO);
	if (rc == RG_E_PROTO)
		FUZZ_CHECK(why != NULL && strchr(why, '\n') == NULL);
	if (rc != RG_OK)
		return;
	check_taken(format, &pair);
	FUZZ_CHECK(pool_line_parse(format == POOL_CSV ? POOL_JSON : POOL_CSV, line, &other,
				   &why_other) != RG_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	struct rg_slice in = {p, len};
	enum pool_format format;

	if (len == 0)
		return 0;
	format = p[0] % 2 == 0 ? POOL_CSV : POOL_JSON;
	in = rg_skip(in, 1);
	while (in.len > 0) {
		const uint8_t *end = memchr(in.p, '\n', in.len);
		size_t n = end == NULL ? in.len : (size_t)(end - in.p);

		check_line(format, rg_slice(in.p, n));
		in = rg_skip(in, n + 1);
	}
	return 0;
}
