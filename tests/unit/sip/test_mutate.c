// SPDX-License-Identifier: BSD-3-Clause
// Good messages with seeded damage, each ending right before a guard page: nothing may crash, every
// slice stays inside the input, what parses as a datagram agrees with the stream parser, and what a
// REGISTER's view has is what the grammar finds in each value on its own.
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/err.h"
#include "regate/sip.h"
#include "sample.h"

#define N_ROUNDS 12000
#define MAX_SEEDS 64

#define N_PLAIN 12 // as a part of all seeds

static struct rg_slice seeds[MAX_SEEDS];
static unsigned n_seeds;
static struct rg_slice area; // SIP_MAX_MSG bytes before the guard page

static void add_seed(struct rg_slice s) {
	ck_assert_uint_lt(n_seeds, MAX_SEEDS);
	seeds[n_seeds++] = guard_copy(s);
}

static void load_seeds(void) {
	static uint8_t buf[SIP_MAX_MSG];
	DIR *d = opendir(RFC4475_DIR);
	struct dirent *e;

	add_seed(rg_str(SAMPLE_REGISTER));
	add_seed(rg_str(SAMPLE_RESPONSE));
	for (unsigned i = 0; i < N_PLAIN; i++)
		add_seed(rg_str(SAMPLE_PLAIN(SAMPLE_VIA, SAMPLE_FROM, SAMPLE_CONTACT)));
	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)) != NULL) {
		char path[512];
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", RFC4475_DIR, e->d_name);
		f = fopen(path, "rb");
		ck_assert_ptr_nonnull(f);
		add_seed(rg_slice(buf, fread(buf, 1, sizeof(buf), f)));
		fclose(f);
	}
	closedir(d);
	ck_assert_uint_gt(n_seeds, 40);
	memset(buf, 0, sizeof(buf));
	area = guard_copy(rg_slice(buf, sizeof(buf)));
}

static uint32_t next(uint64_t *seed) {
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(*seed >> 33);
}

static struct rg_slice damaged(uint64_t *seed) {
	static const char hot[] = "\r\n\t \0\"\\<>()[],;:=@?%*/&-.0129aZ\x7f\x80\xff";
	static uint8_t buf[SIP_MAX_MSG];
	struct rg_slice s = seeds[next(seed) % n_seeds];
	size_t len = s.len, n = next(seed) % 4, at, from, count;

	memcpy(buf, s.p, len);
	for (; n > 0 && len > 1; n--) {
		at = next(seed) % len;
		switch (next(seed) % 5) {
		case 0: // any bit
			buf[at] ^= (uint8_t)(1 << next(seed) % 8);
			break;
		case 1: // a byte that means something
			buf[at] = (uint8_t)hot[next(seed) % (sizeof(hot) - 1)];
			break;
		case 2: // cut
			len = at;
			break;
		case 3: // a piece gone
			count = next(seed) % (len - at);
			memmove(buf + at, buf + at + count, len - at - count);
			len -= count;
			break;
		default: // a piece twice
			from = next(seed) % len;
			count = next(seed) % (len - from);
			if (len + count > sizeof(buf))
				break;
			memmove(buf + at + count, buf + at, len - at);
			memmove(buf + at, buf + (from < at ? from : from + count) % len, count);
			len += count;
		}
	}
	memcpy((uint8_t *)area.p + area.len - len, buf, len);
	return rg_slice(area.p + area.len - len, len);
}

static void check_in(struct rg_slice in, struct rg_slice s) {
	if (s.len > 0)
		ck_assert(s.p >= in.p && s.p + s.len <= in.p + in.len);
}

static void check_value(struct rg_slice in, struct rg_slice value) {
	struct sip_nameaddr n = {.display = {NULL, 0}};
	struct rg_slice list = value, e, v = {NULL, 0};
	struct sip_via via = {.port = 0};
	struct sip_uri u;

	while (sip_list_next(&list, &e)) {
		check_in(in, e);
		if (sip_via_parse(e, &via) == RG_OK) {
			check_in(in, via.transport);
			check_in(in, via.host);
			check_in(in, via.branch);
			check_in(in, via.params);
		}
		if (sip_nameaddr_parse(e, &n) < 0)
			continue;
		check_in(in, n.display);
		check_in(in, n.uri);
		check_in(in, n.params);
		if (sip_param(n.params, RG_LIT("tag"), &v))
			check_in(in, v);
		if (sip_uri_parse(n.uri, &u) == RG_OK) {
			check_in(in, u.user);
			check_in(in, u.host);
			check_in(in, u.params);
			check_in(in, u.headers);
		}
	}
}

static bool same(struct rg_slice a, struct rg_slice b) {
	return a.len == b.len && (a.len == 0 || a.p == b.p);
}

static void check_party(const struct sip_msg *m, enum sip_hdr_id id, struct rg_slice uri,
			struct rg_slice tag) {
	struct rg_slice v = {NULL, 0};
	struct sip_nameaddr n = {.display = {NULL, 0}};

	ck_assert_int_eq(sip_nameaddr_parse(sip_hdr_first(m, id)->value, &n), RG_OK);
	ck_assert(same(n.uri, uri));
	sip_param(n.params, RG_LIT("tag"), &v);
	ck_assert(same(v, tag));
}

static void check_via(const struct sip_msg *m, const struct sip_via *via) {
	struct rg_slice list = sip_hdr_first(m, SIP_HDR_VIA)->value, top = {NULL, 0};
	struct sip_via v = {.port = 0};

	ck_assert(sip_list_next(&list, &top));
	ck_assert_int_eq(sip_via_parse(top, &v), RG_OK);
	ck_assert(same(v.transport, via->transport) && same(v.host, via->host) &&
		  same(v.branch, via->branch) && same(v.params, via->params) &&
		  v.port == via->port);
}

// A number as it is or as RFC 3261 20.10 has it.
static uint32_t number_of(struct rg_slice s) {
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return 3600;
		v = v * 10 + (s.p[i] - '0');
		v = v > UINT32_MAX ? UINT32_MAX : v;
	}
	return s.len == 0 ? 3600 : (uint32_t)v;
}

static void check_contact(const struct sip_msg *m, const struct sip_register *r) {
	struct rg_slice list = sip_hdr_first(m, SIP_HDR_CONTACT)->value, e = {NULL, 0};
	struct rg_slice v = {NULL, 0}, instance = {NULL, 0};
	struct sip_nameaddr n = {.display = {NULL, 0}};
	struct sip_uri u;

	ck_assert(sip_list_next(&list, &e));
	ck_assert(same(e, r->contact));
	ck_assert(!sip_list_next(&list, &v));
	ck_assert_int_eq(sip_nameaddr_parse(e, &n), RG_OK);
	ck_assert(same(n.uri, r->contact_uri) && same(n.params, r->contact_params));
	if (n.uri.len > 4 && rg_ieq(rg_slice(n.uri.p, 4), RG_LIT("sip:")))
		ck_assert_int_eq(sip_uri_parse(n.uri, &u), RG_OK);
	sip_param(n.params, RG_LIT("+sip.instance"), &instance);
	ck_assert(same(instance, r->instance));
	if (sip_param(n.params, RG_LIT("expires"), &v))
		ck_assert(r->has_expires && r->expires == number_of(v));
	if (sip_param(n.params, RG_LIT("reg-id"), &v))
		ck_assert(r->reg_id > 0 && r->reg_id == number_of(v));
	else
		ck_assert_uint_eq(r->reg_id, 0);
}

static void check_request_uri(const struct sip_msg *m) {
	struct sip_uri u;

	if (m->is_request && m->ruri.len > 4 && rg_ieq(rg_slice(m->ruri.p, 4), RG_LIT("sip:")))
		ck_assert(sip_uri_parse(m->ruri, &u) == RG_OK && u.headers.p == NULL);
}

static void check_register(struct rg_slice in, const struct sip_msg *m) {
	static uint8_t buf[SIP_MAX_MSG], canonical[2 * SIP_MAX_MSG];
	struct rg_wr key = rg_wr(buf, sizeof(buf)), aor = rg_wr(canonical, sizeof(canonical));
	struct sip_register r;

	if (sip_register_parse(m, &r) != RG_OK)
		return;
	ck_assert_uint_le(r.n_contacts, 1);
	check_via(m, &r.via);
	check_party(m, SIP_HDR_FROM, r.from_uri, r.from_tag);
	check_party(m, SIP_HDR_TO, r.to_uri, r.to_tag);
	if (r.n_contacts == 1 && !r.is_star)
		check_contact(m, &r);
	check_in(in, r.via.host);
	check_in(in, r.from_uri);
	check_in(in, r.from_tag);
	check_in(in, r.to_uri);
	check_in(in, r.contact);
	check_in(in, r.contact_uri);
	check_in(in, r.contact_params);
	check_in(in, r.instance);
	check_in(in, r.bearer);
	sip_put_contact_key(&key, &r);
	ck_assert(!key.overflow);
	ck_assert_ptr_null(memchr(key.p, '\n', key.len));
	ck_assert_int_ne(sip_aor(r.to_uri, &aor), RG_E_LIMIT);
}

// The answer to what parsed parses again, as a response with the same Vias.
static void check_answer(const struct sip_msg *m) {
	static uint8_t buf[2 * SIP_MAX_MSG];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct rg_addr peer = rg_addr_v4(0, 9);
	struct sip_answer a = {.status = 200, .peer = &peer, .to_tag = RG_LIT("t")};
	const struct sip_hdr *h, *g;
	static struct sip_msg back;

	sip_put_answer(&w, m, &a);
	ck_assert(!w.overflow);
	if (w.len > SIP_MAX_MSG)
		return;
	ck_assert_msg(sip_parse_stream(rg_wr_slice(&w), &back) == RG_OK, "%.*s", (int)w.len, buf);
	ck_assert_uint_eq(back.size, w.len);
	h = sip_hdr_first(m, SIP_HDR_VIA);
	g = sip_hdr_first(&back, SIP_HDR_VIA);
	for (; h != NULL; h = sip_hdr_next(m, h), g = sip_hdr_next(&back, g))
		ck_assert_ptr_nonnull(g);
	ck_assert_ptr_null(g);
}

static void check_one(struct rg_slice in, unsigned *n_good) {
	static struct sip_msg m, stream;
	int rc = sip_parse(in, &m), rs = sip_parse_stream(in, &stream);

	ck_assert_int_ne(rc, RG_MORE);
	if (rs == RG_OK) // not the other way round: leading CRLFs, or no Content-Length
		ck_assert(rc == RG_OK || in.p[0] == '\r');
	if (rc == RG_OK && rs == RG_OK)
		ck_assert(m.size == stream.size && m.n_hdrs == stream.n_hdrs);
	if (rc != RG_OK)
		return;
	++*n_good;
	ck_assert_uint_le(m.size, in.len);
	check_in(in, m.raw);
	check_in(in, m.body);
	check_in(in, m.ruri);
	check_in(in, m.method_name);
	check_in(in, m.reason);
	for (unsigned i = 0; i < m.n_hdrs; i++) {
		check_in(in, m.hdrs[i].name);
		check_in(in, m.hdrs[i].value);
		check_value(in, m.hdrs[i].value);
	}
	check_request_uri(&m);
	check_register(in, &m);
	check_answer(&m);
}

START_TEST(damage) {
	uint64_t seed = (uint64_t)_i + 1;
	unsigned n_good = 0;

	load_seeds();
	for (unsigned i = 0; i < N_ROUNDS; i++)
		check_one(damaged(&seed), &n_good);
	// the damage is neither harmless nor all there is
	ck_assert_uint_gt(n_good, N_ROUNDS / 20);
	ck_assert_uint_lt(n_good, N_ROUNDS * 9 / 10);
}
END_TEST

int main(void) {
	Suite *s = suite_create("sip_mutate");
	TCase *t = tcase_create("mutate");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, damage, 0, 3);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
