// SPDX-License-Identifier: BSD-3-Clause
// Section store: the keys of one type of store, and none of the other's.
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

#define LONG "a12345678901234567890123456789012345678901234567890123456789.example"
#define REST                                                                                     \
	"dataplane: {port: net_null0, address: 10.77.0.2/24}\n"                                  \
	"tls: {certificate: c, key: k}\n"                                                        \
	"registration: {domain: a.example, authz_server: 'https://a.example'}\n"                 \
	"core: {address: '10.0.0.1:5060', host: 'a.example:5060', visited_network: a.example}\n" \
	"token: {key: k, issuer: i, audience: a}\n"                                              \
	"wwsfs: [{id: w, origins: ['https://a.example']}]\n"

// The messages, which the caller frees; "" when there is none.
static char *messages(const char *store, struct conf **out) {
	char text[2048], *errors;
	size_t len;
	FILE *f = open_memstream(&errors, &len);

	snprintf(text, sizeof(text), "%s\n" REST, store);
	*out = conf_parse("f", text, strlen(text), f);
	fclose(f);
	return errors;
}

static const struct {
	const char *text, *place, *phrase; // place NULL: good
} cases[] = {
	{"store: {path: s.db}", NULL, NULL},
	{"store: {type: sqlite, path: s.db}", NULL, NULL},
	{"store: {type: etcd, endpoints: ['http://a:1', 'https://[::1]:2379']}", NULL, NULL},
	{"store: {type: etcd, endpoints: ['http://a:1'], certificate: c, key: k, ca: a}", NULL,
	 NULL},
	{"store: {type: etcd, endpoints: ['http://a:1'], user: u, password_file: p}", NULL, NULL},
	{"gateway: {id: gw-1.a_b}\nstore: {path: s.db}", NULL, NULL},
	{"gateway: {id: 'gw 1'}\nstore: {path: s.db}", "f:1:15:", "'gw 1' is no name"},
	{"gateway: {id: " LONG "}\nstore: {path: s.db}", "f:1:15:", "is no name: write 1 to 64"},
	{"", "f:1:1:", "store has no path: add a file"},
	{"store: {}", "f:1:1:", "store has no path: add a file"},
	{"store: {type: etcd}", "f:1:1:", "store has no endpoints: add the URIs of all members"},
	{"store: {type: redis, path: x}", "f:1:15:", "'redis'"},
	{"store: {type: etcd, endpoints: ['http://a:1'], path: x}",
	 "f:1:48:", "store.path is of the other store: remove it, or say type: sqlite"},
	{"store: {path: x, endpoints: ['http://a:1']}",
	 "f:1:18:", "store.endpoints is of the other store: remove it, or say type: etcd"},
	{"store: {type: etcd, endpoints: ['a:1']}", "f:1:33:", "'a:1' is no URI of a host"},
	{"store: {type: etcd, endpoints: ['http://a/b']}", "f:1:33:", "'http://a/b' is no URI"},
	{"store: {type: etcd, endpoints: ['http://u@a:1']}", "f:1:33:", "is no URI"},
	{"store: {type: etcd, endpoints: ['http://a:1'], key: k}",
	 "f:1:48:", "store.key needs store.certificate beside it"},
	{"store: {type: etcd, endpoints: ['http://a:1'], certificate: k}",
	 "f:1:48:", "store.certificate needs store.key beside it"},
	{"store: {type: etcd, endpoints: ['http://a:1'], user: u}",
	 "f:1:48:", "store.user needs store.password_file beside it"},
};

START_TEST(store_keys) {
	struct conf *c;
	char *errors = messages(cases[_i].text, &c);

	ck_assert_msg((c != NULL) == (cases[_i].place == NULL), "%s: %s", cases[_i].text, errors);
	if (c == NULL)
		ck_assert_msg(strncmp(errors, cases[_i].place, strlen(cases[_i].place)) == 0 &&
				      strstr(errors, cases[_i].phrase) != NULL &&
				      strchr(errors, '\n') == errors + strlen(errors) - 1,
			      "%s: %s", cases[_i].text, errors);
	conf_free(c);
	free(errors);
}
END_TEST

START_TEST(defaults) {
	struct conf *c;

	free(messages("store: {type: etcd, endpoints: ['http://a:1']}", &c));
	ck_assert(c->store.is_etcd);
	ck_assert_uint_eq(c->store.n_endpoints, 1);
	ck_assert_str_eq(c->store.endpoints[0], "http://a:1");
	ck_assert_str_eq(c->store.prefix, "/regate");
	ck_assert_str_eq(c->gateway_id, "a.example:5060");
	ck_assert_ptr_null(c->store_path);
	conf_free(c);
	free(messages("gateway: {id: gw}\nstore: {path: s.db}", &c));
	ck_assert_str_eq(c->gateway_id, "gw");
	conf_free(c);
}
END_TEST

// As a host it may be longer than a name in records.
START_TEST(default_id) {
	static const char core[] = "core: {address: '10.0.0.1:5060', host: '%s:5060', "
				   "visited_network: a.example}\n";
	char text[2048], *errors;
	const char *at = strstr(REST, "core:");
	struct conf *c;
	size_t len;

	for (int is_etcd = 0; is_etcd < 2; is_etcd++) {
		FILE *f = open_memstream(&errors, &len);
		size_t n =
			(size_t)snprintf(text, sizeof(text), "%s\n%.*s",
					 is_etcd ? "store: {type: etcd, endpoints: ['http://a:1']}"
						 : "store: {path: s.db}",
					 (int)(at - REST), REST);

		n += (size_t)snprintf(text + n, sizeof(text) - n, core, LONG);
		snprintf(text + n, sizeof(text) - n, "%s", strchr(at, '\n') + 1);
		c = conf_parse("f", text, strlen(text), f);
		fclose(f);
		ck_assert_msg((c == NULL) == is_etcd, "%s", errors);
		if (is_etcd)
			ck_assert_msg(strstr(errors, "f:5:40: gateway.id is missing") == errors,
				      "%s", errors);
		conf_free(c);
		free(errors);
	}
}
END_TEST

int main(void) {
	Suite *suite = suite_create("conf_store");
	TCase *tc = tcase_create("store");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, store_keys, 0, (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, default_id);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
