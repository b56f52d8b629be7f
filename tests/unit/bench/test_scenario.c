// SPDX-License-Identifier: BSD-3-Clause
// Scenario files: defaults, limits, and for each kind of mistake the one line that it deserves.
#include "scenario.h"

#include <check.h>
#include <stdlib.h>

#include "conf/conf_impl.h"
#include "scenario_int.h"

#define RING "driver: ring\nkind: refresh\n"
#define SOCK "driver: socket\nkind: refresh\n" // wants a target
#define TARGET "target: gw.example.net:443\n"

static struct scenario *load(const char *text, const char *key, const char *value, char **errors) {
	struct scenario_set set = {key, value};
	size_t len;
	FILE *f = open_memstream(errors, &len);
	struct scenario *sc = scenario_load("dir/f.yaml", text, &set, key != NULL, f);

	fclose(f);
	return sc;
}

static struct scenario *good(const char *text, const char *key, const char *value) {
	char *errors;
	struct scenario *sc = load(text, key, value, &errors);

	ck_assert_msg(sc != NULL, "%s", errors);
	ck_assert_str_eq(errors, "");
	free(errors);
	return sc;
}

START_TEST(defaults) {
	struct scenario *sc = good(RING, NULL, NULL);

	ck_assert_str_eq(sc->name, "f"); // by its file
	ck_assert_ptr_null(sc->about);
	ck_assert_uint_eq(sc->driver, DRIVER_RING);
	ck_assert_uint_eq(sc->kind, KIND_REFRESH);
	ck_assert_uint_eq(sc->conns, 1000);
	ck_assert_uint_eq(sc->rate, 0);
	ck_assert_uint_eq(sc->loop, LOOP_CLOSED);
	ck_assert_uint_eq(sc->warmup, 1);
	ck_assert_uint_eq(sc->runs, 7);
	ck_assert_uint_eq(sc->window, 256);
	ck_assert_uint_eq(sc->seed, 1);
	ck_assert_uint_eq(sc->search_loss, LOSS_OFF);
	ck_assert_uint_eq(sc->memory_bytes, 192u << 20);
	ck_assert_uint_eq(sc->is_sum_by_port, 0);
	ck_assert_str_eq(sc->cpus, "0,1");
	ck_assert_str_eq(sc->path, "/w2");
	scenario_free(sc);
	scenario_free(NULL);
}
END_TEST

START_TEST(everything_of_a_socket) {
	struct scenario *sc =
		good("name: x\nabout: two words\ndriver: socket\nkind: cold\n"
		     "conns: 16000000\nrate: 5000\nduration: 2m\nwarmup: 0\nruns: 101\n"
		     "target: '[2001:db8::1]:443'\nca: ca.pem\nuser: u%u\n"
		     "tokens: account\npassword: secret\nmisbehaviour: slow_head\n"
		     "misbehaving: 3\ntimeout: 2s\nsuite: chacha20\ngroup: p256\n",
		     NULL, NULL);
	json_t *echo = scenario_json(sc);
	char word[SCENARIO_WORD];

	ck_assert_str_eq(sc->about, "two words");
	ck_assert_uint_eq(sc->conns, SCENARIO_MAX_CONNS);
	ck_assert_uint_eq(sc->loop, LOOP_OPEN); // there is a rate
	ck_assert_uint_eq(sc->duration_s, 120);
	ck_assert_uint_eq(sc->misbehaviour, MISBEHAVE_SLOW_HEAD);
	ck_assert_uint_eq(sc->suite, SUITE_CHACHA20);
	ck_assert_str_eq(scenario_word(sc, "kind", word), "cold");
	ck_assert_str_eq(json_string_value(json_object_get(echo, "kind")), "cold");
	ck_assert_int_eq(json_integer_value(json_object_get(echo, "duration")), 120);
	ck_assert(json_is_null(json_object_get(echo, "origin")));
	ck_assert_str_eq(json_string_value(json_object_get(echo, "password")), "(not shown)");
	ck_assert_ptr_null(json_object_get(echo, "acks")); // not this driver's
	json_decref(echo);
	scenario_free(sc);
}
END_TEST

START_TEST(a_map_is_its_keys_with_dots) {
	struct scenario *sc = good(RING "search: {loss: 0.025, from: 1000}\n", NULL, NULL);

	ck_assert_uint_eq(sc->search_loss, LOSS_ISC);
	ck_assert_double_eq(scenario_loss_share(sc->search_loss), 0.025);
	ck_assert_uint_eq(sc->search_from, 1000);
	ck_assert_uint_eq(sc->loop, LOOP_OPEN);
	scenario_free(sc);
}
END_TEST

START_TEST(the_command_line_comes_last) {
	struct scenario *sc = good(RING "conns: 5\n", "conns", "6");

	ck_assert_uint_eq(sc->conns, 6);
	scenario_free(sc);
}
END_TEST

// Each gets exactly one line.
static const struct {
	const char *text, *key, *value; // of --set
	const char *want;               // of the line; what follows the place
} bad[] = {
	{"", NULL, NULL, "dir/f.yaml:1:1: no scenario is in it"},
	{"just text\n", NULL, NULL, "dir/f.yaml:1:1: no scenario is in it"},
	{"a: [\n", NULL, NULL, "dir/f.yaml:2:1: YAML syntax: "},
	{"kind: refresh\n", NULL, NULL,
	 "dir/f.yaml:1:1: key 'driver' is missing: add one of socket"},
	{"driver: ring\n", NULL, NULL, "dir/f.yaml:1:1: key 'kind' is missing: add one of refresh"},
	{RING "cons: 5\n", NULL, NULL, "dir/f.yaml:3:1: key 'cons' unknown, did you mean 'conns'?"},
	{RING "zzz: 5\n", NULL, NULL, "dir/f.yaml:3:1: key 'zzz' unknown: remove it"},
	{RING "conns: 5\nconns: 6\n", NULL, NULL, "dir/f.yaml:4:1: key 'conns' stands here twice"},
	{RING "conns: 0\n", NULL, NULL, "dir/f.yaml:3:8: conns: '0' is out of range"},
	{RING "conns: 16000001\n", NULL, NULL, "dir/f.yaml:3:8: conns: '16000001' is out of range"},
	{RING "conns: many\n", NULL, NULL, "dir/f.yaml:3:8: conns: 'many' is no number"},
	{RING "conns: -1\n", NULL, NULL, "dir/f.yaml:3:8: conns: '-1' is no number"},
	{RING "conns: 99999999999999999999\n", NULL, NULL, "dir/f.yaml:3:8: conns: "},
	{RING "conns:\n", NULL, NULL, "dir/f.yaml:3:7: conns has no value"},
	{RING "conns: [5]\n", NULL, NULL, "dir/f.yaml:3:8: conns: a list stands here"},
	{RING "runs: 102\n", NULL, NULL, "dir/f.yaml:3:7: runs: '102' is out of range"},
	{RING "search: {los: 0}\n", NULL, NULL,
	 "dir/f.yaml:3:10: key 'search.los' unknown, did you mean 'search.loss'?"},
	{RING "search: 5\n", NULL, NULL, "dir/f.yaml:3:1: key 'search' unknown"},
	{RING "search: {loss: 0.5}\n", NULL, NULL,
	 "dir/f.yaml:3:16: search.loss: '0.5' is not offered: write one of off, 0"},
	{"driver: rings\nkind: refresh\n", NULL, NULL,
	 "dir/f.yaml:1:9: driver: 'rings' is not offered"},
	{RING "memory: 192\n", NULL, NULL, "dir/f.yaml:3:9: memory: '192' has no unit"},
	{RING TARGET, NULL, NULL, "dir/f.yaml:3:1: key 'target' means nothing to driver ring"},
	{SOCK TARGET "acks: after\n", NULL, NULL,
	 "dir/f.yaml:4:1: key 'acks' means nothing to driver socket"},
	{SOCK, NULL, NULL, "dir/f.yaml:1:1: key 'target' is missing"},
	{SOCK "target: gw\n", NULL, NULL, "dir/f.yaml:3:9: target: 'gw' is no host:port"},
	{SOCK TARGET "duration: 10\n", NULL, NULL, "dir/f.yaml:4:11: duration: '10' has no unit"},
	{SOCK TARGET "tokens: account\npassword: p\n", NULL, NULL,
	 "dir/f.yaml:1:1: key 'user' is missing, tokens are those of an account"},
	{SOCK TARGET "tokens: file\n", NULL, NULL, "dir/f.yaml:1:1: key 'token_file' is missing"},
	{SOCK TARGET "misbehaving: 3\n", NULL, NULL, "dir/f.yaml:4:1: say how"},
	{SOCK TARGET "misbehaviour: replay\n", NULL, NULL, "dir/f.yaml:4:1: say how many"},
	{"driver: ring\nkind: storm\n", NULL, NULL,
	 "dir/f.yaml:2:1: driver ring cannot do kind storm"},
	{"driver: nic\nkind: refresh\nport: a\n", NULL, NULL,
	 "dir/f.yaml:1:1: key 'generator_port' is missing"},
	{RING "loop: open\n", NULL, NULL, "dir/f.yaml:3:1: an open loop needs a rate"},
	{RING "loop: closed\nrate: 5\n", NULL, NULL, "dir/f.yaml:3:1: a closed loop has no rate"},
	{RING "rate: 5\nsearch: {loss: 0}\n", NULL, NULL,
	 "dir/f.yaml:3:1: the search finds the rate"},
	{"driver: ring\nkind: flood\nsearch: {loss: 0}\n", NULL, NULL,
	 "dir/f.yaml:3:10: only kind refresh"},
	{RING "cpus: 0\n", NULL, NULL, "dir/f.yaml:3:1: '0' names one CPU"},
	{RING "cpus: a,b\n", NULL, NULL, "dir/f.yaml:3:1: 'a,b' is no list of CPUs"},
	{RING, "cons", "5", "--set cons: key 'cons' unknown, did you mean 'conns'?"},
	{RING, "conns", "x", "--set conns: 'x' is no number"},
	{RING, "conns", "", "--set conns: has no value"},
	{RING, "loop", "open", "--set loop: an open loop needs a rate"},
	{RING, "target", "a:1", "--set target: key 'target' means nothing to driver ring"},
};

START_TEST(bad_scenarios) {
	char *errors;
	struct scenario *sc = load(bad[_i].text, bad[_i].key, bad[_i].value, &errors);
	const char *end = strchr(errors, '\n');

	ck_assert_ptr_null(sc);
	ck_assert_msg(rg_is_prefix(rg_str(errors), rg_str(bad[_i].want)), "%s", errors);
	ck_assert_msg(end != NULL && end[1] == '\0', "not one line: %s", errors);
	free(errors);
}
END_TEST

START_TEST(a_file_that_is_not_there) {
	char *errors;
	size_t len;
	FILE *f = open_memstream(&errors, &len);

	ck_assert_ptr_null(scenario_load("/nowhere/x.yaml", NULL, NULL, 0, f));
	fclose(f);
	ck_assert_str_eq(errors,
			 "/nowhere/x.yaml:1:1: cannot read it: No such file or directory\n");
	free(errors);
}
END_TEST

// Enums and the choices in the table are in step.
START_TEST(choices_of_the_table) {
	static const struct {
		const char *key;
		unsigned n;
		const char *last;
	} want[] = {
		{"driver", N_DRIVERS, "nic"},
		{"kind", N_KINDS, "memory"},
		{"misbehaviour", N_MISBEHAVIOURS, "oversize"},
		{"loop", LOOP_CLOSED + 1, "closed"},
		{"tokens", TOKENS_NONE + 1, "none"},
		{"suite", SUITE_CHACHA20 + 1, "chacha20"},
		{"group", GROUP_P256 + 1, "p256"},
		{"search.loss", LOSS_ISC + 1, "0.025"},
	};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		const char *choices = scenario_key(want[i].key)->k.choices;
		unsigned n = 1;

		for (const char *c = choices; *c != '\0'; c++)
			n += *c == '|';
		ck_assert_uint_eq(n, want[i].n);
		ck_assert(rg_eq(scenario_choice(choices, n - 1), rg_str(want[i].last)));
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("scenario");
	TCase *tc = tcase_create("scenario");
	SRunner *sr = srunner_create(s);
	int n_failed;

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, everything_of_a_socket);
	tcase_add_test(tc, a_map_is_its_keys_with_dots);
	tcase_add_test(tc, the_command_line_comes_last);
	tcase_add_loop_test(tc, bad_scenarios, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tc, a_file_that_is_not_there);
	tcase_add_test(tc, choices_of_the_table);
	suite_add_tcase(s, tc);
	srunner_run_all(sr, CK_ENV);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
