// SPDX-License-Identifier: BSD-3-Clause
// Scenario files: whatever is refused is refused with its place; whatever is taken is taken without a
// word, lies in the limits of the table, and says the same with a comment behind it.
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "scenario_int.h"

static struct scenario *load(const char *text, char **said, size_t *n_said) {
	FILE *err = open_memstream(said, n_said);
	struct scenario *sc = scenario_load("f", text, NULL, 0, err);

	fclose(err);
	return sc;
}

static void check_refusal(const char *said, size_t n) {
	FUZZ_CHECK(n > 0 && said[n - 1] == '\n');
	for (const char *line = said; *line != '\0'; line = strchr(line, '\n') + 1)
		FUZZ_CHECK(strncmp(line, "f:", 2) == 0);
}

static void check_taken(const struct scenario *sc) {
	FUZZ_CHECK(sc->name != NULL && sc->loop != LOOP_AUTO && sc->cpus != NULL);
	FUZZ_CHECK((scenario_kinds_of[sc->driver] >> sc->kind & 1) != 0);
	for (size_t i = 0; i < scenario_n_keys; i++) {
		const struct conf_key *k = &scenario_keys[i].k;

		if (k->max > 0)
			FUZZ_CHECK(scenario_number(sc, k) >= k->min &&
				   scenario_number(sc, k) <= k->max);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	static const char tail[] = "\n# end\n\n";
	char text[8192] = "", *said = NULL, *again = NULL;
	struct scenario *sc, *same;
	json_t *echo, *echo_again;
	size_t n;

	if (len > sizeof(text) - sizeof(tail))
		return 0;
	memcpy(text, p, len);
	sc = load(text, &said, &n);
	if (sc == NULL) {
		check_refusal(said, n);
		free(said);
		return 0;
	}
	FUZZ_CHECK(n == 0);
	check_taken(sc);
	memcpy(text + strlen(text), tail, sizeof(tail));
	same = load(text, &again, &n);
	FUZZ_CHECK(same != NULL);
	echo = scenario_json(sc);
	echo_again = scenario_json(same);
	FUZZ_CHECK(json_equal(echo, echo_again));
	json_decref(echo);
	json_decref(echo_again);
	scenario_free(sc);
	scenario_free(same);
	free(said);
	free(again);
	return 0;
}
