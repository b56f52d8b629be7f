// SPDX-License-Identifier: BSD-3-Clause
// Response heads and reason phrases.
#include <check.h>
#include <stdlib.h>

#include "guard.h"
#include "regate/http.h"

static const struct {
	unsigned status;
	size_t len;
	const char *headers, *want;
} heads[] = {
	{200, 5, "X: y\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\n"},
	{404, 0, NULL, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
	{101, 0, "Upgrade: websocket\r\n",
	 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"},
	{204, 0, "", "HTTP/1.1 204 No Content\r\n\r\n"},
	{599, 0, "", "HTTP/1.1 599 Unknown\r\nContent-Length: 0\r\n\r\n"},
};

START_TEST(put_head) {
	char buf[256];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	size_t len = strlen(heads[_i].want);

	http_put_head(&w, heads[_i].status, heads[_i].len, heads[_i].headers);
	ck_assert(!w.overflow);
	ck_assert_msg(rg_eq(rg_wr_slice(&w), rg_str(heads[_i].want)), "%s", heads[_i].want);
	for (size_t cap = 0; cap < len; cap++) {
		w = rg_wr(buf, cap);
		http_put_head(&w, heads[_i].status, heads[_i].len, heads[_i].headers);
		ck_assert(w.overflow);
	}
}
END_TEST

START_TEST(reasons) {
	static const struct {
		unsigned status;
		const char *text;
	} some[] = {{400, "Bad Request"},
		    {403, "Forbidden"},
		    {413, "Content Too Large"},
		    {426, "Upgrade Required"},
		    {431, "Request Header Fields Too Large"},
		    {503, "Service Unavailable"},
		    {505, "HTTP Version Not Supported"},
		    {0, "Unknown"}};

	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		ck_assert_str_eq(http_reason(some[i].status), some[i].text);
}
END_TEST

int main(void) {
	Suite *s = suite_create("http_reply");
	TCase *t = tcase_create("reply");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, put_head, 0, sizeof(heads) / sizeof(heads[0]));
	tcase_add_test(t, reasons);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
