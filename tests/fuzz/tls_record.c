// SPDX-License-Identifier: BSD-3-Clause
// Record layer under known keys. The input is a script: records of any kind, well sealed, some bent
// on their way, cut in pieces. What is delivered is what was sealed, up to the first bent byte; how it
// is cut changes nothing; nothing stays behind.
#include <stdlib.h>

#include "fuzz.h"
#include "peer.h"
#include "wire.h"

#define MAX_STREAM 60000

struct script {
	int combo; // suite and engine
	size_t cut;
	bool is_bent, is_odd; // a record was bent; was anything but application data
	size_t n_sure;        // bytes that must be delivered: those before
	size_t n_plain, n_stream;
	uint8_t plain[MAX_STREAM]; // of good application data
	uint8_t stream[MAX_STREAM + WIRE_MAX];
};

static struct tls_ctx *context(void) {
	static struct tls_ctx *ctx;
	char err[256];

	if (ctx == NULL) {
		make_pair("fuzz", false, NULL);
		ctx = ctx_new(tmp_path("fuzz.crt"), tmp_path("fuzz.key"), err, sizeof(err));
		tmp_remove();
		FUZZ_CHECK(ctx != NULL);
	}
	return ctx;
}

// One record of the script: kind and length, then its content, unless that is made up.
static void add_record(struct script *s, struct wire_key *k, struct rg_rd *rd) {
	static const uint8_t types[8] = {23, 23, 22, 21, 20, 24, 0, 23};
	uint8_t kind = (uint8_t)rg_rd_be(rd, 1), *at = s->stream + s->n_stream;
	size_t n = (size_t)rg_rd_be(rd, kind & 0x10 ? 2 : 1) % (TLS_MAX_PLAIN + 300);
	size_t n_padding = kind & 0x20 ? (size_t)rg_rd_be(rd, 1) : 0, n_here;
	static uint8_t content[TLS_MAX_PLAIN + 300];
	uint8_t type = types[kind & 7];
	struct rg_slice d;

	n_here = kind & 8 ? 0 : (size_t)(rd->end - rd->p) < n ? (size_t)(rd->end - rd->p) : n;
	d = rg_rd_bytes(rd, n_here);
	memset(content, 'x', sizeof(content));
	if (d.len > 0)
		memcpy(content, d.p, d.len);
	s->n_stream += wire_seal(k, type, rg_slice(content, n), n_padding, at);
	while (type == 0 && n > 0) // what stands before the zeroes is the type
		type = content[--n];
	if (type == 22 && n == 5 && memcmp(content, "\x18\0\0\1", 4) == 0 && content[4] < 2)
		wire_update(k);
	if ((kind & 0xc0) == 0xc0) { // bent somewhere
		at[rg_rd_be(rd, 1) % (s->stream + s->n_stream - at)] ^= 1 + (kind & 7);
		s->is_bent = true;
	}
	s->is_odd |= s->is_bent || type != 23 || n == 0 || n + n_padding > TLS_MAX_PLAIN;
	if (type == 23 && n <= TLS_MAX_PLAIN && !s->is_bent) {
		memcpy(s->plain + s->n_plain, content, n);
		s->n_plain += n;
		s->n_sure += s->is_odd ? 0 : n;
	}
}

static void build(struct script *s, struct rg_rd *rd) {
	uint8_t first = (uint8_t)rg_rd_be(rd, 1);
	struct wire *w;

	*s = (struct script){.combo = first % WIRE_N_COMBOS};
	s->cut = 1 + (size_t)rg_rd_be(rd, 1) * (first & 0x80 ? 64 : 1);
	w = wire_new(context(), s->combo);
	while (!rd->bad && rd->p < rd->end && s->n_stream < MAX_STREAM - 2 * WIRE_MAX)
		add_record(s, &w->keys[TLS_RD], rd);
	wire_free(w);
}

static struct wire *feed(const struct script *s, size_t cut, int *rc) {
	struct wire *w = wire_new(context(), s->combo);
	const struct tls_sink sink = wire_sink(w);
	struct rg_slice rest = rg_slice(s->stream, s->n_stream);

	*rc = RG_OK;
	while (rest.len > 0 && *rc == RG_OK) {
		size_t n = rest.len < cut ? rest.len : cut;

		*rc = tls_input(context(), w->server, fuzz_guard(0, rg_slice(rest.p, n)), &sink);
		rest = rg_skip(rest, n);
	}
	return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	static struct script s;
	struct rg_rd rd = rg_rd(rg_slice(p, len));
	struct wire *whole, *part;
	int rc, rc_part;

	build(&s, &rd);
	whole = feed(&s, SIZE_MAX, &rc);
	FUZZ_CHECK(rc == RG_OK || rc == RG_E_PROTO || rc == RG_E_CLOSED);
	FUZZ_CHECK(whole->n_plain <= s.n_plain &&
		   memcmp(whole->plain, s.plain, whole->n_plain) == 0);
	FUZZ_CHECK(whole->n_plain >= (rc == RG_OK ? s.n_plain : s.n_sure));
	FUZZ_CHECK(rc == RG_OK || s.is_odd);
	part = feed(&s, s.cut, &rc_part);
	FUZZ_CHECK((s.is_bent && rc == RG_OK) ||
		   (!tls_has_partial(whole->server) && !tls_has_partial(part->server)));
	FUZZ_CHECK(rc_part == rc && part->n_plain == whole->n_plain);
	FUZZ_CHECK(part->n_cipher == whole->n_cipher &&
		   memcmp(part->cipher, whole->cipher, part->n_cipher) == 0);
	for (struct rg_slice d; whole->n_cipher > 0;) // all that the server said opens
		FUZZ_CHECK(wire_next(whole, &d) >= 0);
	wire_free(whole); // with what is left of a record whose length was bent
	wire_free(part);
	FUZZ_CHECK(context()->free_partials.n_free == TLS_MAX_PARTIAL);
	return 0;
}
