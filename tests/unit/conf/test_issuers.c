// SPDX-License-Identifier: BSD-3-Clause
// WWSFs that issue their own tokens, servers that ask about tokens: what belongs together.
#include <check.h>
#include <stdlib.h>

#include "conf/conf.h"

static const char head[] =
	"dataplane: {port: p, address: 10.77.0.2/24}\n"
	"tls: {certificate: c, key: k}\n"
	"registration: {domain: ims.example.net, authz_server: https://a.example.net}\n"
	"core: {address: '10.77.0.3:5060', host: 'e.example.net:5060', visited_network: v}\n"
	"token: {keys: [t.pem], issuer: https://gw.example.net, audience: a}\n"
	"store: {path: s.db}\n";

#define W "wwsfs: [{id: w, origins: ['https://w.example.net'], "
#define P "pools: [{name: p, wwsf: w, file: p.txt"
#define ASKED                                                                          \
	"issuer: i, introspection_uri: https://w.example.net/i, introspection_id: g, " \
	"introspection_secret_file: s"
#define URI "jwks_uri: https://w.example.net/jwks.json"

static const struct {
	const char *text, *error; // NULL: good
} cases[] = {
	{W "issuer: https://w.example.net, " URI "}]\n" P "}]\n", NULL},
	{W "issuer: https://w.example.net, " URI ", jwks_ca: ca.pem}]\n", NULL},
	{W "issuer: https://w.example.net, jwks: w.json}]\n", NULL},
	{W "issuer: https://w.example.net}]\n", "issuer and its keys belong together"},
	{W URI "}]\n", "issuer and its keys belong together"},
	{W "issuer: i, jwks: w.json, " URI "}]\n", "issuer and its keys belong together"},
	{W "issuer: i, jwks: w.json, jwks_ca: ca.pem}]\n", "jwks_ca is for jwks_uri"},
	{W "issuer: i, jwks_uri: http://w.example.net/}]\n", "no https URI"},
	{W "issuer: https://gw.example.net, jwks: j}]\n", "is that of token.issuer"},
	{W "issuer: i, jwks: j}, {id: x, origins: ['https://x'], issuer: i, jwks: j}]\n",
	 "is that of another WWSF"},
	{W "issuer: i, jwks: j}]\n" P ", anonymous: allow}]\n", "hands it out by itself"},
	{W ASKED "}]\n" P "}]\n", NULL},
	{W ASKED ", introspection_ca: ca.pem, introspection_cache: 141s}]\n",
	 "must be more than twice"},
	{W ASKED ", introspection_cache: 142s}]\n", NULL},
	{W ASKED ", introspection_cache: 7200s}]\n", NULL},
	{W ASKED ", introspection_cache: 7201s}]\n", "must be at most token.life (7200s)"},
	{W ASKED ", jwks: j}]\n", "issuer and its keys belong together"},
	{W "issuer: i, introspection_uri: https://w, introspection_id: g}]\n",
	 "introspection_uri needs introspection_secret_file beside it"},
	{W "introspection_id: g}]\n", "is for introspection_uri"},
	{W "issuer: i, jwks: j}]\nclients: [{id: a, secret_file: s}, {id: b, secret_file: s, wwsf: "
	   "w}]\n",
	 NULL},
	{W "issuer: i, jwks: j}]\nclients: [{id: a, secret_file: s, wwsf: q}]\n",
	 "clients.wwsf: no WWSF has the id 'q'"},
	{W "issuer: i, jwks: j}]\nclients: [{id: a, secret_file: s}, {id: a, secret_file: t}]\n",
	 "clients.id: 'a' is there already"},
	{W "issuer: i, jwks: j}]\nclients: [{id: a}]\n", "clients.secret_file is missing"},
	{W "issuer: i, jwks: j}]\nclients: [{id: 'a:b', secret_file: s}]\n", "is no name"},
};

START_TEST(issuers) {
	char text[2048], *errs = NULL;
	size_t len;
	FILE *err = open_memstream(&errs, &len);
	struct conf *c;

	snprintf(text, sizeof(text), "%s%s", head, cases[_i].text);
	c = conf_parse("f", text, strlen(text), err);
	fclose(err);
	ck_assert_msg((c != NULL) == (cases[_i].error == NULL), "%s", errs);
	ck_assert_msg(c != NULL || strstr(errs, cases[_i].error) != NULL, "%s", errs);
	ck_assert(c != NULL || strchr(errs, '\n') == errs + strlen(errs) - 1); // one error
	conf_free(c);
	free(errs);
}
END_TEST

int main(void) {
	Suite *s = suite_create("conf_issuers");
	TCase *tc = tcase_create("issuers");
	SRunner *sr;
	int n_failed;

	tcase_add_loop_test(tc, issuers, 0, sizeof(cases) / sizeof(*cases));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
