// SPDX-License-Identifier: BSD-3-Clause
// The page as ready responses: headers, integrity values, what is required, and every error.
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "core/env_sim.h"
#include "regate/err.h"
#include "regate/http.h"
#include "wwsf/wwsf.h"

static const char html[] = "<link href=/wic.css integrity=\"{{sri:wic.css}}\">"
			   "<script src=/wic.js integrity=\"{{sri:wic.js}}\"></script>end";

static struct env *env;
static struct rg_file *files;
static size_t n_files;
static char err[256];
static char *urls[3];
static struct conf conf;

static void setup(void) {
	env = env_sim_new(1);
	urls[0] = (char *)"wss://10.77.0.2/w2";
	urls[1] = (char *)"wss://gw2.example.net:8443/w2";
	urls[2] = (char *)"wss://[2001:db8::2]/w2"; // has no place in the policy
	conf = (struct conf){.wss_urls = urls, .n_wss_urls = 3};
	files = NULL;
	n_files = 0;
	env_sim_file(env, "/wic/index.html", rg_str(html));
	env_sim_file(env, "/wic/wic.css", RG_LIT("body{}"));
	env_sim_file(env, "/wic/wic.js", RG_LIT("alert(1)"));
	env_sim_file(env, "/wic/session.js", RG_LIT("let s"));
	env_sim_file(env, "/wic/jssip.min.js", RG_LIT("let j"));
}

static void teardown(void) {
	wwsf_page_free(files, n_files);
	env_sim_free(env);
}

static int load(void) {
	return wwsf_page_load(env, "/wic", &conf, &files, &n_files, err, sizeof(err));
}

// The response as a string; fails when path is not served.
static const char *response(const char *path, size_t *head_len) {
	for (size_t i = 0; i < n_files; i++) {
		static char text[8192];

		if (strcmp(files[i].path, path) != 0)
			continue;
		ck_assert_uint_lt(files[i].response.len, sizeof(text));
		memcpy(text, files[i].response.p, files[i].response.len);
		text[files[i].response.len] = '\0';
		if (head_len != NULL)
			*head_len = files[i].head_len;
		return text;
	}
	ck_abort_msg("%s is not served", path);
}

START_TEST(serves_every_file) {
	static const char *const paths[] = {"/",       "/index.html", "/wic.css",
					    "/wic.js", "/session.js", "/jssip.min.js"};

	ck_assert_int_eq(load(), 0);
	ck_assert_str_eq(err, "");
	ck_assert_uint_eq(n_files, 6);
	for (size_t i = 0; i < 6; i++)
		(void)response(paths[i], NULL);
}
END_TEST

START_TEST(serves_the_optional_ones) {
	env_sim_file(env, "/wic/icon.svg", RG_LIT("<svg/>"));
	env_sim_file(env, "/wic/licenses.txt", RG_LIT("MIT"));
	ck_assert_int_eq(load(), 0);
	ck_assert_uint_eq(n_files, 8);
	ck_assert_ptr_nonnull(strstr(response("/icon.svg", NULL), "Content-Type: image/svg+xml"));
	ck_assert_ptr_nonnull(strstr(response("/licenses.txt", NULL), "Content-Type: text/plain"));
}
END_TEST

START_TEST(has_the_headers) {
	static const char *const lines[] = {
		"HTTP/1.1 200 OK\r\n",
		"Content-Length: 8\r\n",
		"Content-Type: text/javascript; charset=utf-8\r\n",
		"X-Content-Type-Options: nosniff\r\n",
		"Referrer-Policy: same-origin\r\n",
		"Strict-Transport-Security: max-age=31536000\r\n",
		"Cache-Control: no-cache\r\n",
		"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
		"img-src 'self'; connect-src 'self' wss://10.77.0.2/w2 "
		"wss://gw2.example.net:8443/w2; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'\r\n",
	};
	size_t head_len;
	const char *text;

	ck_assert_int_eq(load(), 0);
	text = response("/wic.js", &head_len);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		ck_assert_msg(strstr(text, lines[i]) != NULL, "%s not in %s", lines[i], text);
	ck_assert_ptr_null(strstr(text, "unsafe-inline"));
	ck_assert_str_eq(text + head_len, "alert(1)");
	ck_assert_int_eq(memcmp(text + head_len - 4, "\r\n\r\n", 4), 0);
}
END_TEST

START_TEST(fills_the_integrity) {
	// openssl dgst -sha384 -binary | base64
	static const char filled[] =
		"<link href=/wic.css integrity=\"sha384-"
		"myyg/hQ74aSgjBBvVME/QXAXEkT4Y9dHbVQ5C0lIyGpldvNLJV2IWc5ElXbqLi06\">"
		"<script src=/wic.js integrity=\"sha384-"
		"HT2E9NfWiuQ/w1PRai+hTyqW16NIoCGA/m8VQDUopfAtcz6YQjtsMmQd5uRbVDpW\"></script>end";
	size_t head_len;
	const char *text;
	char line[64];

	ck_assert_int_eq(load(), 0);
	text = response("/", &head_len);
	ck_assert_str_eq(text + head_len, filled);
	(void)snprintf(line, sizeof(line), "Content-Length: %zu\r\n", strlen(filled));
	ck_assert_ptr_nonnull(strstr(text, line));
	text = response("/index.html", &head_len);
	ck_assert_str_eq(text + head_len, filled);
}
END_TEST

static const struct {
	const char *name, *html, *say;
} bad_html[] = {
	{"unknown file", "<p>{{sri:other.js}}</p>", "{{sri:other.js}}"},
	{"optional file that is absent", "{{sri:icon.svg}}", "{{sri:icon.svg}}"},
	{"never closed", "<p>{{sri:wic.js", "without }}"},
};

START_TEST(refuses_bad_placeholders) {
	env_sim_file(env, "/wic/index.html", rg_str(bad_html[_i].html));
	ck_assert_msg(load() == RG_E_PROTO, "%s", bad_html[_i].name);
	ck_assert_msg(strstr(err, bad_html[_i].say) != NULL, "%s: %s", bad_html[_i].name, err);
	ck_assert_ptr_null(files);
}
END_TEST

static const char *const required[] = {"index.html", "wic.css", "wic.js", "session.js",
				       "jssip.min.js"};

START_TEST(needs_the_required) {
	char path[64];

	(void)snprintf(path, sizeof(path), "/wic/%s", required[_i]);
	env_sim_file_error(env, path, ENOENT);
	ck_assert_int_eq(load(), -ENOENT);
	ck_assert_msg(strstr(err, path) != NULL && strstr(err, "npm run build") != NULL, "%s", err);
	ck_assert_ptr_null(files);
}
END_TEST

START_TEST(an_unreadable_optional_is_an_error) {
	env_sim_file_error(env, "/wic/icon.svg", EACCES);
	ck_assert_int_eq(load(), -EACCES);
	ck_assert_ptr_nonnull(strstr(err, "/wic/icon.svg"));
}
END_TEST

START_TEST(refuses_too_big) {
	size_t len = 1024 * 1024 + 1;
	void *big = calloc(1, len);

	env_sim_file(env, "/wic/wic.js", rg_slice(big, len));
	free(big);
	ck_assert_int_eq(load(), -EFBIG);
}
END_TEST

static const char *const bad_urls[] = {"wss://gw/w2; script-src *", "wss://a,wss://b", "wss://gw /",
				       "wss://gw\r\nX: y",          "'unsafe-inline'", ""};

START_TEST(refuses_urls_that_change_the_policy) {
	urls[1] = (char *)bad_urls[_i];
	ck_assert_int_eq(load(), RG_E_PROTO);
	ck_assert_ptr_nonnull(strstr(err, "wic.wss"));
}
END_TEST

// The page of this source tree, with a stand-in for the bundle that npm makes.
START_TEST(loads_the_real_page) {
	static const char *const names[] = {"index.html", "wic.css", "wic.js", "session.js",
					    "icon.svg"};
	const char *text;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char path[512];
		uint8_t *data;
		size_t len;

		(void)snprintf(path, sizeof(path), WIC_SRC "/%s", names[i]);
		ck_assert_int_eq(env_real_read_file(path, 1 << 20, &data, &len), 0);
		(void)snprintf(path, sizeof(path), "/wic/%s", names[i]);
		env_sim_file(env, path, rg_slice(data, len));
		free(data);
	}
	ck_assert_int_eq(load(), 0);
	text = response("/", NULL);
	ck_assert_ptr_null(strstr(text, "{{"));
	// Nothing inline, and nothing without integrity.
	ck_assert_ptr_null(strstr(text, "<style"));
	ck_assert_ptr_null(strstr(text, " style="));
	ck_assert_ptr_null(strstr(text, " onclick="));
	ck_assert_ptr_null(strstr(text, " onload="));
	for (const char *at = text; (at = strstr(at, "<script")) != NULL; at++) {
		const char *end = strchr(at, '>');

		ck_assert(memmem(at, (size_t)(end - at), "integrity=\"sha384-", 18) != NULL);
		ck_assert_int_eq(strncmp(end, "></script>", 10), 0);
	}
}
END_TEST

START_TEST(free_accepts_nothing) {
	wwsf_page_free(NULL, 0);
}
END_TEST

int main(void) {
	Suite *s = suite_create("page");
	TCase *t = tcase_create("page");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, serves_every_file);
	tcase_add_test(t, serves_the_optional_ones);
	tcase_add_test(t, has_the_headers);
	tcase_add_test(t, fills_the_integrity);
	tcase_add_loop_test(t, refuses_bad_placeholders, 0, 3);
	tcase_add_loop_test(t, needs_the_required, 0, 5);
	tcase_add_test(t, an_unreadable_optional_is_an_error);
	tcase_add_test(t, refuses_too_big);
	tcase_add_loop_test(t, refuses_urls_that_change_the_policy, 0, 6);
	tcase_add_test(t, loads_the_real_page);
	tcase_add_test(t, free_accepts_nothing);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
