// SPDX-License-Identifier: BSD-3-Clause
// From the tree of a file to struct conf, by the schema: unknown, missing and wrong keys, defaults.
// Control thread, at start. The one read of a file goes through env_real_read_file().
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>

#include "conf/conf_impl.h"
#include "core/env.h"
#include "regate/err.h"

#define FILE_MAX (1u << 20)

struct builder {
	struct conf *conf;
	struct conf_errors errs;
	const char *dir;
};

static const struct conf_key *find_key(const struct conf_section *s, const char *name) {
	for (size_t i = 0; i < s->n_keys; i++)
		if (strcmp(s->keys[i].name, name) == 0)
			return &s->keys[i];
	return NULL;
}

static void list_keys(const struct conf_section *s, char *out, size_t out_len) {
	struct rg_wr w = rg_wr(out, out_len - 1);

	for (size_t i = 0; i < s->n_keys; i++) {
		if (s->keys[i].type == CONF_T_REFUSED)
			continue;
		rg_puts(&w, i == 0 ? "" : ", ");
		rg_puts(&w, s->keys[i].name);
	}
	out[w.len] = '\0';
}

static void unknown_key(struct builder *b, const struct conf_section *s,
			const struct conf_node *n) {
	struct conf_near best = {0};
	char names[512];

	for (size_t i = 0; i < s->n_keys; i++)
		if (s->keys[i].type != CONF_T_REFUSED)
			conf_near(&best, n->key, s->keys[i].name);
	if (best.name != NULL) {
		conf_error(&b->errs, n->key_pos, "key '%s' unknown in %s, did you mean '%s'?",
			   n->key, s->name, best.name);
		return;
	}
	for (size_t i = 0; i < conf_n_sections; i++) {
		const struct conf_key *k = find_key(&conf_sections[i], n->key);

		if (k == NULL || k->type == CONF_T_REFUSED)
			continue;
		conf_error(&b->errs, n->key_pos, "key '%s' unknown in %s: it belongs under %s",
			   n->key, s->name, conf_sections[i].name);
		return;
	}
	list_keys(s, names, sizeof(names));
	conf_error(&b->errs, n->key_pos, "key '%s' unknown in %s: remove it, or use one of %s",
		   n->key, s->name, names);
}

static void unknown_section(struct builder *b, const struct conf_node *n) {
	struct conf_near best = {0};

	for (size_t i = 0; i < conf_n_sections; i++)
		conf_near(&best, n->key, conf_sections[i].name);
	if (best.name != NULL) {
		conf_error(&b->errs, n->key_pos, "section '%s' unknown, did you mean '%s'?", n->key,
			   best.name);
		return;
	}
	for (size_t i = 0; i < conf_n_sections; i++) {
		if (find_key(&conf_sections[i], n->key) == NULL)
			continue;
		conf_error(&b->errs, n->key_pos,
			   "section '%s' unknown: '%s' is a key of %s, indent it under that",
			   n->key, n->key, conf_sections[i].name);
		return;
	}
	conf_error(&b->errs, n->key_pos,
		   "section '%s' unknown: remove it (`regated --help-config` lists all)", n->key);
}

static bool is_null(const struct conf_node *n) {
	return n->is_plain &&
	       (n->text[0] == '\0' || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

// n must be a scalar with something in it.
static bool check_scalar(struct builder *b, const struct conf_section *s, const struct conf_key *k,
			 const struct conf_node *n) {
	if (n->is_bad)
		return false;
	if (n->kind != CONF_SCALAR)
		conf_error(&b->errs, n->pos, "%s.%s: %s stands here, write %s", s->name, k->name,
			   conf_kind_name(n->kind), conf_type_name(k->type));
	else if (is_null(n) || n->text[0] == '\0')
		conf_error(&b->errs, n->pos, "%s.%s has no value: write one or remove the key",
			   s->name, k->name);
	else
		return true;
	return false;
}

static void set_scalar(struct builder *b, const struct conf_section *s, const struct conf_key *k,
		       const struct conf_node *n, void *base) {
	struct conf_value v = {.key = k, .text = n->text, .dir = b->dir, .base = base};

	if (!conf_value_set(&v))
		conf_error(&b->errs, n->pos, "%s.%s: %s", s->name, k->name, v.why);
}

static void set_list(struct builder *b, const struct conf_section *s, const struct conf_key *k,
		     const struct conf_node *n, void *base) {
	if (n->kind != CONF_LIST) {
		conf_error(&b->errs, n->pos, "%s.%s: %s stands here, write %s: [a, b]", s->name,
			   k->name, conf_kind_name(n->kind), conf_type_name(k->type));
		return;
	}
	if (n->n == 0)
		conf_error(&b->errs, n->pos,
			   "%s.%s is an empty list: write at least one element or remove the key",
			   s->name, k->name);
	for (const struct conf_node *c = n->first; c != NULL; c = c->next) {
		if (c->kind != CONF_SCALAR && !c->is_bad)
			conf_error(&b->errs, c->pos, "%s.%s: %s stands here, write a single value",
				   s->name, k->name, conf_kind_name(c->kind));
		else if (check_scalar(b, s, k, c))
			set_scalar(b, s, k, c, base);
	}
}

static void set_key(struct builder *b, const struct conf_section *s, const struct conf_node *n,
		    void *base) {
	const struct conf_key *k = find_key(s, n->key);

	if (n->is_bad)
		return;
	if (k == NULL)
		unknown_key(b, s, n);
	else if (k->type == CONF_T_REFUSED)
		conf_error(&b->errs, n->key_pos, "%s.%s: %s", s->name, k->name, k->text);
	else if (conf_type_is_list(k->type))
		set_list(b, s, k, n, base);
	else if (check_scalar(b, s, k, n))
		set_scalar(b, s, k, n, base);
}

// Keys that are not there: defaults, or errors at pos.
static void fill_in(struct builder *b, const struct conf_section *s, const struct conf_node *map,
		    struct conf_pos pos, void *base) {
	for (size_t i = 0; i < s->n_keys; i++) {
		const struct conf_key *k = &s->keys[i];
		struct conf_value v = {.key = k, .text = k->def, .base = base};

		if (conf_node_get(map, k->name) != NULL)
			continue;
		if (k->is_required)
			conf_error(&b->errs, pos, "%s.%s is missing: add it, %s (%s)", s->name,
				   k->name, conf_type_name(k->type), k->text);
		else if (k->def != NULL && !conf_value_set(&v))
			conf_error(&b->errs, pos, "%s.%s: bad default: %s", s->name, k->name,
				   v.why);
	}
}

static void set_map(struct builder *b, const struct conf_section *s, const struct conf_node *map,
		    struct conf_pos pos, void *base) {
	for (const struct conf_node *n = map == NULL ? NULL : map->first; n != NULL; n = n->next)
		set_key(b, s, n, base);
	fill_in(b, s, map, pos, base);
}

static void set_elements(struct builder *b, const struct conf_section *s,
			 const struct conf_node *list) {
	char *elems = conf_alloc((list->n + 1) * s->elem_size);
	size_t i = 0;

	*(void **)((char *)b->conf + s->list_off) = elems;
	*(size_t *)((char *)b->conf + s->n_off) = list->n;
	for (const struct conf_node *n = list->first; n != NULL; n = n->next, i++) {
		if (n->kind == CONF_MAP)
			set_map(b, s, n, n->pos, elems + i * s->elem_size);
		else if (!n->is_bad)
			conf_error(
				&b->errs, n->pos,
				"%s: %s stands here, write '- %s: ...' with the other keys below",
				s->name, conf_kind_name(n->kind), s->keys[0].name);
	}
}

static void set_section_list(struct builder *b, const struct conf_section *s,
			     const struct conf_node *n, struct conf_pos pos) {
	if (n != NULL && n->kind != CONF_LIST && !(n->kind == CONF_SCALAR && is_null(n))) {
		conf_error(&b->errs, n->pos,
			   "%s: %s stands here, write a list of maps: '- %s: ...'", s->name,
			   conf_kind_name(n->kind), s->keys[0].name);
		return;
	}
	if (n == NULL || n->kind == CONF_SCALAR || n->n < s->min_len) {
		if (s->min_len > 0)
			conf_error(&b->errs, pos, "%s needs at least one element: add '- %s: ...'",
				   s->name, s->keys[0].name);
		return;
	}
	if (n->n > s->max_len)
		conf_error(&b->errs, n->pos, "%s has %zu elements: write at most %zu", s->name,
			   n->n, s->max_len);
	else
		set_elements(b, s, n);
}

static void set_section(struct builder *b, const struct conf_section *s,
			const struct conf_node *root) {
	const struct conf_node *n = conf_node_get(root, s->name);
	struct conf_pos pos = n == NULL ? (struct conf_pos){1, 1} : n->key_pos;

	if (n != NULL && n->is_bad)
		return;
	if (s->elem_size != 0)
		set_section_list(b, s, n, pos);
	else if (n != NULL && n->kind != CONF_MAP && !(n->kind == CONF_SCALAR && is_null(n)))
		conf_error(&b->errs, n->pos, "%s: %s stands here, write its keys below, indented",
			   s->name, conf_kind_name(n->kind));
	else if (n != NULL || !s->is_optional)
		set_map(b, s, n != NULL && n->kind == CONF_MAP ? n : NULL, pos, b->conf);
}

static void build(struct builder *b, const struct conf_node *root) {
	if (root == NULL || root->kind != CONF_MAP) {
		conf_error(&b->errs, (struct conf_pos){1, 1},
			   "no configuration is in it: write sections such as 'dataplane:' "
			   "(`regated --help-config` lists all)");
		return;
	}
	for (const struct conf_node *n = root->first; n != NULL; n = n->next) {
		size_t i = 0;

		while (i < conf_n_sections && strcmp(conf_sections[i].name, n->key) != 0)
			i++;
		if (i == conf_n_sections && !n->is_bad)
			unknown_section(b, n);
	}
	for (size_t i = 0; i < conf_n_sections; i++)
		set_section(b, &conf_sections[i], root);
	conf_check(b->conf, root, &b->errs);
}

static struct conf *parse(const char *name, const char *dir, struct rg_slice text, FILE *err) {
	struct builder b = {.conf = conf_alloc(sizeof(struct conf)), .dir = dir};
	struct conf_node *root = NULL;

	if (text.len > FILE_MAX)
		conf_error(&b.errs, (struct conf_pos){1, 1},
			   "larger than 1 MiB: this is no "
			   "configuration of regate");
	else
		root = conf_tree_read((const char *)text.p, text.len, &b.errs);
	if (root != NULL || b.errs.n == 0)
		build(&b, root);
	conf_tree_free(root);
	if (b.errs.n > 0) {
		conf_errors_print(&b.errs, name, err);
		conf_free(b.conf);
		b.conf = NULL;
	}
	conf_errors_fini(&b.errs);
	return b.conf;
}

struct conf *conf_parse(const char *name, const char *text, size_t len, FILE *err) {
	return parse(name, NULL, rg_slice(text, len), err);
}

struct conf *conf_load(const char *path, FILE *err) {
	const char *slash = strrchr(path, '/');
	struct conf *c;
	uint8_t *data;
	size_t len;
	char *dir;
	int rc = env_real_read_file(path, FILE_MAX, &data, &len);

	if (rc != 0) {
		fprintf(err, "%s:1:1: cannot read it: %s\n", path,
			rc == -EFBIG ? "larger than 1 MiB, this is no configuration of regate"
				     : rg_strerror(rc));
		return NULL;
	}
	if (slash == NULL)
		dir = conf_strdup(rg_str("."));
	else
		dir = conf_strdup(rg_slice(path, slash == path ? 1 : (size_t)(slash - path)));
	c = parse(path, dir, rg_slice(data, len), err);
	free(dir);
	free(data);
	return c;
}
