// SPDX-License-Identifier: BSD-3-Clause
// Replays tests/data/http/cases.txt against parser and body reader: whole, byte by byte, and cut in
// two at every place, with the same result.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"
#include "regate/http.h"

#define MAX_CASES 400
#define MAX_BYTES 100000

struct http_case {
	char category[16], expect[16], name[80];
	uint8_t *bytes;
	size_t len;
};
static struct http_case cases[MAX_CASES];
static int n_cases;

// Check reports nothing before its tests run.
static void need(bool is_good, const char *what) {
	if (!is_good) {
		fprintf(stderr, "test_cases: not understood: %s\n", what);
		exit(1);
	}
}

static const char *decode(const char *s, const char *end, struct rg_wr *out);

static const char *decode_repeat(const char *s, struct rg_wr *out) {
	char *text;
	unsigned long n = strtoul(s + 1, &text, 10);
	const char *end = strchr(text, '}');

	need(*text == ':' && end != NULL, s);
	for (unsigned long i = 0; i < n; i++)
		(void)decode(text + 1, end, out);
	return end + 1;
}

static const char *decode_escape(const char *s, struct rg_wr *out) {
	static const char names[] = "rnt0\\~", bytes[] = "\r\n\t\0\\~";
	const char *at = strchr(names, s[1]);
	char hex[3] = {0};

	if (s[1] == 'x') {
		memcpy(hex, s + 2, 2);
		rg_putc(out, (char)strtoul(hex, NULL, 16));
		return s + 4;
	}
	need(at != NULL, s);
	rg_putc(out, bytes[at - names]);
	return s + 2;
}

static const char *decode(const char *s, const char *end, struct rg_wr *out) {
	while (s < end) {
		if (*s == '{') {
			s = decode_repeat(s, out);
		} else if (*s == '\\') {
			s = decode_escape(s, out);
		} else {
			rg_puts(out, *s == '~' ? "\r\n" : (char[]){*s, '\0'});
			s++;
		}
	}
	return s;
}

static void load(void) {
	FILE *f = fopen(CASES, "r");
	char line[4096], bytes[2048];

	need(f != NULL, CASES);
	while (fgets(line, sizeof(line), f) != NULL) {
		struct http_case *c = &cases[n_cases];
		struct rg_wr out;

		if (line[0] == '#' || line[0] == '\n')
			continue;
		need(n_cases < MAX_CASES, CASES);
		need(sscanf(line, "%15[^|]| %15[^|]| %79[^|]| %2047[^\n]", c->category, c->expect,
			    c->name, bytes) == 4,
		     line);
		if (strncmp(c->category, "gateway", 7) == 0)
			continue; // judged by dataplane/core and ws
		c->bytes = malloc(MAX_BYTES);
		out = rg_wr(c->bytes, MAX_BYTES);
		(void)decode(bytes, bytes + strlen(bytes), &out);
		need(!out.overflow, c->name);
		c->len = out.len;
		n_cases++;
	}
	(void)fclose(f);
}

struct reader { // a connection
	uint8_t buf[HTTP_MAX_HEAD + HTTP_MAX_BODY + HTTP_MAX_FRAMING];
	size_t len;
	struct http_rx rx;
	struct http_req req;
	bool is_ended;
	char said[256];
};

static void say(struct reader *r, const char *word) {
	ck_assert_uint_lt(strlen(r->said) + strlen(word), sizeof(r->said) - 2);
	strcat(r->said, word);
	strcat(r->said, " ");
}

static void refuse(struct reader *r, unsigned status) {
	char word[16];

	snprintf(word, sizeof(word), "%u", status);
	say(r, word);
	r->is_ended = true;
}

// One step as conn_http_input() of dataplane/core takes it. False: more bytes are needed.
static bool step(struct reader *r, bool is_last) {
	bool is_new = r->rx.head_len == 0;
	struct rg_slice in = rg_slice(r->buf, r->len);
	unsigned expectation;
	size_t used;
	int rc = RG_OK;

	if (is_new) {
		rc = http_req_parse(in, &r->req);
		if (rc == RG_MORE)
			return false;
		if (rc != RG_OK)
			return refuse(r, http_refusal(rc, in)), false;
		if (http_body_begin(&r->req, &r->rx) != RG_OK)
			return refuse(r, 413), false;
		expectation = http_expectation(&r->req);
		if (expectation == 417)
			return refuse(r, 417), false;
		if (expectation == 100 && r->len == r->req.head_len && is_last)
			say(r, "100");
	}
	rc = http_body(&r->rx, r->buf, &r->len);
	if (rc == RG_MORE)
		return false;
	if (rc != RG_OK)
		return refuse(r, rc == RG_E_LIMIT ? 413 : 400), false;
	used = r->rx.head_len + r->rx.n_body;
	if (http_req_parse(rg_slice(r->buf, r->rx.head_len), &r->req) != RG_OK)
		ck_abort_msg("a good head is good no more");
	r->is_ended = !r->req.is_keep_alive;
	say(r, r->is_ended ? "close" : r->req.method == HTTP_HEAD ? "head" : "ok");
	r->len -= used;
	memmove(r->buf, r->buf + used, r->len);
	r->rx = (struct http_rx){0};
	return true;
}

// Feeds the case in a first piece of `cut` bytes, then in pieces of `piece`.
static void replay(const struct http_case *c, size_t cut, size_t piece) {
	static struct reader r;
	size_t at = 0, n;
	char want[32];

	memset(&r, 0, sizeof(r));
	while (at < c->len && !r.is_ended) {
		n = at < cut ? cut - at : piece;
		n = n < c->len - at ? n : c->len - at;
		n = n < sizeof(r.buf) - r.len ? n : sizeof(r.buf) - r.len;
		ck_assert_msg(n > 0, "%s: asks for more than the longest request", c->name);
		memcpy(r.buf + r.len, c->bytes + at, n);
		r.len += n;
		at += n;
		while (!r.is_ended && r.len > 0 && step(&r, at == c->len))
			;
	}
	if (!r.is_ended && r.len > 0)
		say(&r, "more");
	snprintf(want, sizeof(want), "%s", c->expect);
	ck_assert_msg(strcmp(r.said, want) == 0, "%s, cut at %zu, then by %zu: %s, not %s", c->name,
		      cut, piece, r.said, want);
}

START_TEST(one) {
	const struct http_case *c = &cases[_i];

	replay(c, c->len, 1);
	replay(c, 0, 1);
	replay(c, 0, 16384);
	for (size_t cut = 1; cut<c->len; cut += c->len> 2000 ? c->len / 97 : 1)
		replay(c, cut, c->len);
}
END_TEST

START_TEST(there_are_many) {
	ck_assert_int_ge(n_cases, 200);
}
END_TEST

int main(void) {
	Suite *s = suite_create("http_cases");
	TCase *t = tcase_create("cases");
	SRunner *r = srunner_create(s);
	int failed;

	load();
	tcase_add_loop_test(t, one, 0, n_cases);
	tcase_add_test(t, there_are_many);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
