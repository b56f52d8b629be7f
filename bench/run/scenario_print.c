// SPDX-License-Identifier: BSD-3-Clause
// The table of keys, for people and for README.md.
#include "scenario_int.h"

#define WORD_LEN 640

static void list_drivers(unsigned drivers, char *out, size_t len) {
	const char *choices = scenario_key("driver")->k.choices;
	struct rg_wr w = rg_wr(out, len - 1);

	for (unsigned i = 0; i < N_DRIVERS; i++)
		if ((drivers & 1u << i) != 0) {
			rg_puts(&w, w.len == 0 ? "" : ", ");
			rg_put(&w, scenario_choice(choices, i));
		}
	if (drivers == (1u << N_DRIVERS) - 1)
		w = rg_wr(out, len - 1), rg_puts(&w, "all");
	out[w.len] = '\0';
}

// The default of a path is the build's own, and says so in its text.
static const char *default_of(const struct conf_key *k) {
	if (k->is_required)
		return "required";
	return k->def == NULL || k->type == CONF_T_PATH ? "" : k->def;
}

static void print_row(const struct scenario_key *key, bool is_markdown, FILE *out) {
	const struct conf_key *k = &key->k;
	char range[WORD_LEN], drivers[WORD_LEN];

	conf_key_range(k, range, sizeof(range));
	list_drivers(key->drivers, drivers, sizeof(drivers));
	if (is_markdown)
		fprintf(out, "| `%s` | %s%s%s | %s | %s | %s |\n", k->name, conf_type_name(k->type),
			*range == '\0' ? "" : " ", range, default_of(k), drivers, k->text);
	else
		fprintf(out, "%s: %s%s%s%s%s (%s)\n    %s\n", k->name, conf_type_name(k->type),
			*range == '\0' ? "" : " ", range, *default_of(k) == '\0' ? "" : ", ",
			default_of(k), drivers, k->text);
}

void scenario_print_keys(FILE *out, bool is_markdown) {
	const struct conf_key *kind = &scenario_key("kind")->k;

	if (is_markdown)
		fprintf(out, "| key | type | default | drivers | meaning |\n| --- | --- | --- | "
			     "--- | --- |\n");
	for (size_t i = 0; i < scenario_n_keys; i++)
		print_row(&scenario_keys[i], is_markdown, out);
	fprintf(out, is_markdown ? "\n| kind | drivers |\n| --- | --- |\n" : "\nkinds:\n");
	for (unsigned i = 0; i < N_KINDS; i++) {
		struct rg_slice name = scenario_choice(kind->choices, i);
		char list[WORD_LEN];
		unsigned drivers = 0;

		for (unsigned d = 0; d < N_DRIVERS; d++)
			drivers |= (scenario_kinds_of[d] >> i & 1) << d;
		list_drivers(drivers, list, sizeof(list));
		fprintf(out, is_markdown ? "| `%.*s` | %s |\n" : "  %.*s: %s\n", (int)name.len,
			(const char *)name.p, list);
	}
}
