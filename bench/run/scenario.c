// SPDX-License-Identifier: BSD-3-Clause
// From a YAML file and the command line to a scenario, by the table of keys. Main thread, before
// anything runs.
#include "scenario.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "core/env.h"
#include "env.h"
#include "regate/err.h"
#include "scenario_int.h"

#define FILE_MAX (1u << 20)

struct loader {
	struct scenario *sc;
	struct conf_errors errs; // those of the file
	const char *file;
	const char *dir;                        // that relative paths of the file begin in
	FILE *err;                              // of the command line
	struct conf_pos pos[SCENARIO_MAX_KEYS]; // where a key stands in the file; line 0: nowhere
	bool is_set[SCENARIO_MAX_KEYS];         // on the command line
	bool is_bad;                            // the command line is
};

static size_t index_of(const struct scenario_key *key) {
	return (size_t)(key - scenario_keys);
}

// An error at the place where a key was given.
__attribute__((format(printf, 3, 4))) static void wrong(struct loader *l, const char *name,
							const char *fmt, ...) {
	size_t i = index_of(scenario_key(name));
	struct conf_pos pos = l->pos[i].line > 0 ? l->pos[i] : (struct conf_pos){1, 1};
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!l->is_set[i]) {
		conf_error(&l->errs, pos, "%s", text);
		return;
	}
	fprintf(l->err, "--set %s: %s\n", name, text);
	l->is_bad = true;
}

static void say_unknown(const char *name, char *out, size_t len) {
	struct conf_near best = {0};

	for (size_t i = 0; i < scenario_n_keys; i++)
		conf_near(&best, name, scenario_keys[i].k.name);
	if (best.name != NULL)
		snprintf(out, len, "key '%s' unknown, did you mean '%s'?", name, best.name);
	else
		snprintf(out, len, "key '%s' unknown: remove it (`regate-bench keys` lists all)",
			 name);
}

static void set_defaults(struct scenario *sc) {
	for (size_t i = 0; i < scenario_n_keys; i++) {
		struct conf_value v = {.key = &scenario_keys[i].k,
				       .text = scenario_keys[i].k.def,
				       .base = sc};

		if (v.text != NULL && !conf_value_set(&v))
			abort(); // a mistake in the table
	}
}

static bool is_null(const struct conf_node *n) {
	return n->text[0] == '\0' ||
	       (n->is_plain && (strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0));
}

// name: with the map it stands in, "search.loss".
static void set_from_file(struct loader *l, const char *name, const struct conf_node *n) {
	const struct scenario_key *key = scenario_key(name);
	struct conf_value v = {.text = n->text, .dir = l->dir, .base = l->sc};
	char why[256];

	if (n->is_bad)
		return;
	if (key == NULL) {
		say_unknown(name, why, sizeof(why));
		conf_error(&l->errs, n->key_pos, "%s", why);
		return;
	}
	l->pos[index_of(key)] = n->key_pos;
	v.key = &key->k;
	if (n->kind != CONF_SCALAR)
		conf_error(&l->errs, n->pos, "%s: %s stands here, write %s", name,
			   conf_kind_name(n->kind), conf_type_name(key->k.type));
	else if (is_null(n))
		conf_error(&l->errs, n->pos, "%s has no value: write one or remove the key", name);
	else if (!conf_value_set(&v))
		conf_error(&l->errs, n->pos, "%s: %s", name, v.why);
}

static bool is_group(const char *name) {
	size_t len = strlen(name);

	for (size_t i = 0; i < scenario_n_keys; i++)
		if (strncmp(scenario_keys[i].k.name, name, len) == 0 &&
		    scenario_keys[i].k.name[len] == '.')
			return true;
	return false;
}

static void set_map(struct loader *l, const struct conf_node *map) {
	char name[128];

	for (const struct conf_node *n = map->first; n != NULL; n = n->next) {
		if (n->kind != CONF_MAP || !is_group(n->key)) {
			set_from_file(l, n->key, n);
			continue;
		}
		for (const struct conf_node *c = n->first; c != NULL; c = c->next) {
			snprintf(name, sizeof(name), "%s.%s", n->key, c->key);
			set_from_file(l, name, c);
		}
	}
}

static void parse(struct loader *l, const char *text, size_t len) {
	struct conf_node *root = conf_tree_read(text, len, &l->errs);

	if (root != NULL && root->kind == CONF_MAP)
		set_map(l, root);
	else if (l->errs.n == 0)
		conf_error(&l->errs, (struct conf_pos){1, 1},
			   "no scenario is in it: write keys such as 'kind: refresh' "
			   "(`regate-bench keys` lists all)");
	conf_tree_free(root);
}

static void set_from_line(struct loader *l, const struct scenario_set *set) {
	const struct scenario_key *key = scenario_key(set->key);
	struct conf_value v = {.text = set->value, .base = l->sc};

	if (key == NULL)
		say_unknown(set->key, v.why, sizeof(v.why));
	else {
		l->is_set[index_of(key)] = true;
		v.key = &key->k;
		if (*set->value != '\0' && conf_value_set(&v))
			return;
		if (*set->value == '\0')
			snprintf(v.why, sizeof(v.why), "has no value: write %s",
				 conf_type_name(key->k.type));
	}
	fprintf(l->err, "--set %s: %s\n", set->key, v.why);
	l->is_bad = true;
}

static bool is_given(const struct loader *l, const char *name) {
	size_t i = index_of(scenario_key(name));

	return l->pos[i].line > 0 || l->is_set[i];
}

// Keys that nobody would look at.
static void check_drivers(struct loader *l) {
	char driver[SCENARIO_WORD], kind[SCENARIO_WORD];

	scenario_word(l->sc, "driver", driver);
	if ((scenario_kinds_of[l->sc->driver] & 1u << l->sc->kind) == 0)
		wrong(l, "kind", "driver %s cannot do kind %s (`regate-bench keys` says who can)",
		      driver, scenario_word(l->sc, "kind", kind));
	for (size_t i = 0; i < scenario_n_keys; i++)
		if (is_given(l, scenario_keys[i].k.name) &&
		    (scenario_keys[i].drivers & 1u << l->sc->driver) == 0)
			wrong(l, scenario_keys[i].k.name,
			      "key '%s' means nothing to driver %s: remove it",
			      scenario_keys[i].k.name, driver);
}

static void need(struct loader *l, const char *name, bool is_needed, const char *why) {
	const struct conf_key *k = &scenario_key(name)->k;

	if (is_needed && scenario_text(l->sc, k) == NULL)
		wrong(l, name, "key '%s' is missing, %s: add %s (%s)", name, why,
		      conf_type_name(k->type), k->text);
}

static void check_loop(struct loader *l) {
	struct scenario *sc = l->sc;
	bool has_rate = sc->rate > 0 || sc->search_loss != LOSS_OFF || sc->kind == KIND_LATENCY;

	if (sc->loop == LOOP_OPEN && !has_rate)
		wrong(l, "loop", "an open loop needs a rate: add 'rate: 1000', or 'search:'");
	if (sc->loop == LOOP_CLOSED && has_rate)
		wrong(l, "loop",
		      "a closed loop has no rate: it sends when an answer comes; remove 'rate', "
		      "'search', or this");
	if (sc->loop == LOOP_AUTO)
		sc->loop = has_rate ? LOOP_OPEN : LOOP_CLOSED;
	if (sc->search_loss != LOSS_OFF && sc->kind != KIND_REFRESH)
		wrong(l, "search.loss", "only kind refresh has a rate to search for");
	if (sc->search_loss != LOSS_OFF && sc->rate > 0)
		wrong(l, "rate", "the search finds the rate: remove 'rate', or 'search'");
}

static void check_cpus(struct loader *l) {
	int cpus[ENV_MAX_CPUS];
	unsigned n = env_cpus(l->sc->cpus, cpus);

	if (n == 0)
		wrong(l, "cpus", "'%s' is no list of CPUs: write numbers, such as 0,1",
		      l->sc->cpus);
	else if (n < 2 && l->sc->driver != DRIVER_SOCKET)
		wrong(l, "cpus", "'%s' names one CPU: gateway and generator need one each",
		      l->sc->cpus);
}

// What no single key can tell.
static void check(struct loader *l) {
	struct scenario *sc = l->sc;

	for (size_t i = 0; i < scenario_n_keys; i++)
		if (scenario_keys[i].k.is_required && !is_given(l, scenario_keys[i].k.name)) {
			const struct conf_key *k = &scenario_keys[i].k;
			char range[256];

			conf_key_range(k, range, sizeof(range));
			wrong(l, k->name, "key '%s' is missing: add one of %s", k->name, range);
			return;
		}
	check_drivers(l);
	check_loop(l);
	check_cpus(l);
	need(l, "target", sc->driver == DRIVER_SOCKET, "driver socket has none of its own");
	need(l, "port", sc->driver == DRIVER_NIC, "driver nic has none of its own");
	need(l, "generator_port", sc->driver == DRIVER_NIC, "driver nic has none of its own");
	need(l, "user", sc->tokens == TOKENS_ACCOUNT, "tokens are those of an account");
	need(l, "password", sc->tokens == TOKENS_ACCOUNT, "tokens are those of an account");
	need(l, "token_file", sc->tokens == TOKENS_FILE, "tokens are from a file");
	need(l, "outage_begin", sc->kind == KIND_CORE_OUTAGE, "nothing else takes the core away");
	if (sc->churn + sc->reconnects > 100)
		wrong(l, "churn", "churn and reconnects are more than 100 per cent together");
	if (sc->misbehaviour != MISBEHAVE_NONE &&
	    (sc->kind == KIND_IDLE || sc->kind == KIND_MIXED || sc->kind == KIND_STORM ||
	     sc->kind == KIND_DEREG || sc->kind == KIND_CORE_OUTAGE))
		wrong(l, "misbehaviour",
		      "it goes with kinds refresh, cold, resumption, handshake and lease_api: "
		      "remove it, or take one of these");
	if (sc->misbehaving > 0 && sc->misbehaviour == MISBEHAVE_NONE)
		wrong(l, "misbehaving", "say how: add 'misbehaviour: slow_head'");
	if (sc->misbehaviour != MISBEHAVE_NONE && sc->misbehaving == 0)
		wrong(l, "misbehaviour", "say how many do it: add 'misbehaving: 100'");
}

// "scenarios/refresh.yaml" is called "refresh".
static void name_by_file(struct scenario *sc, const char *file) {
	const char *slash = strrchr(file, '/'), *base = slash == NULL ? file : slash + 1;
	const char *dot = strrchr(base, '.');

	if (sc->name == NULL)
		sc->name = conf_strdup(
			rg_slice(base, dot == NULL ? strlen(base) : (size_t)(dot - base)));
}

static void read_file(struct loader *l) {
	const char *slash = strrchr(l->file, '/');
	size_t dir_len = slash == NULL || slash == l->file ? 1 : (size_t)(slash - l->file);
	char *dir = conf_strdup(rg_slice(slash == NULL ? "." : l->file, dir_len));
	uint8_t *data = NULL;
	size_t len;
	int rc = env_real_read_file(l->file, FILE_MAX, &data, &len);

	l->dir = dir;
	if (rc == 0)
		parse(l, (const char *)data, len);
	else
		conf_error(&l->errs, (struct conf_pos){1, 1}, "cannot read it: %s",
			   rc == -EFBIG ? "larger than 1 MiB, this is no scenario"
					: rg_strerror(rc));
	l->dir = NULL;
	free(data);
	free(dir);
}

struct scenario *scenario_load(const char *file, const char *text, const struct scenario_set *sets,
			       size_t n_sets, FILE *err) {
	struct loader l = {.sc = conf_alloc(sizeof(*l.sc)), .file = file, .err = err};

	set_defaults(l.sc);
	if (text == NULL)
		read_file(&l);
	else
		parse(&l, text, strlen(text));
	for (size_t i = 0; i < n_sets; i++)
		set_from_line(&l, &sets[i]);
	name_by_file(l.sc, file);
	if (l.errs.n == 0 && !l.is_bad)
		check(&l);
	conf_errors_print(&l.errs, file, err);
	if (l.errs.n > 0 || l.is_bad) {
		scenario_free(l.sc);
		l.sc = NULL;
	}
	conf_errors_fini(&l.errs);
	return l.sc;
}

static bool is_number(const struct conf_key *k) {
	return k->type == CONF_T_COUNT || k->type == CONF_T_SECONDS || k->type == CONF_T_BYTES;
}

void scenario_free(struct scenario *sc) {
	for (size_t i = 0; sc != NULL && i < scenario_n_keys; i++) {
		const struct conf_key *k = &scenario_keys[i].k;

		if (!is_number(k) && k->type != CONF_T_ENUM)
			free(*(char **)((char *)sc + k->off));
	}
	free(sc);
}

static json_t *value_json(const struct scenario *sc, const struct conf_key *k) {
	const char *text;

	if (is_number(k))
		return json_integer((json_int_t)scenario_number(sc, k));
	if (k->type == CONF_T_ENUM) {
		struct rg_slice s = scenario_choice(k->choices, scenario_number(sc, k));

		return json_stringn((const char *)s.p, s.len);
	}
	text = scenario_text(sc, k);
	if (text != NULL && strcmp(k->name, "password") == 0)
		text = "(not shown)";
	return text == NULL ? json_null() : json_string(text);
}

json_t *scenario_json(const struct scenario *sc) {
	json_t *obj = json_object();

	for (size_t i = 0; i < scenario_n_keys; i++)
		if ((scenario_keys[i].drivers & 1u << sc->driver) != 0 &&
		    json_object_set_new(obj, scenario_keys[i].k.name,
					value_json(sc, &scenario_keys[i].k)) != 0) {
			json_decref(obj);
			return NULL;
		}
	return obj;
}
