// SPDX-License-Identifier: BSD-3-Clause
// YAML into a small tree that knows the place of everything. Only the part of YAML that reads the
// same to everybody: no anchors, aliases, tags, or second documents, and no key twice.
#include <stdlib.h>
#include <yaml.h>

#include "conf/conf_impl.h"

#define DEPTH_MAX 16
#define ENTRIES_MAX 4096 // of one map or list: duplicate keys are found by comparing all

struct reader {
	yaml_parser_t parser;
	struct conf_errors *errs;
	const char *text;
	size_t len;
	unsigned depth;
};

static struct conf_pos pos_of(yaml_mark_t mark) {
	return (struct conf_pos){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

// libyaml tells the place of a byte it cannot decode as an offset only.
static struct conf_pos pos_of_offset(const struct reader *r, size_t offset) {
	struct conf_pos pos = {1, 1};

	for (size_t i = 0; i < offset && i < r->len; i++) {
		if (r->text[i] == '\n')
			pos = (struct conf_pos){pos.line + 1, 1};
		else if (((unsigned char)r->text[i] & 0xc0) != 0x80) // not inside a character
			pos.col++;
	}
	return pos;
}

static void syntax_error(struct reader *r) {
	const yaml_parser_t *p = &r->parser;

	if (p->error == YAML_READER_ERROR)
		conf_error(r->errs, pos_of_offset(r, p->problem_offset),
			   "not UTF-8 text (%s): save the file as plain UTF-8", p->problem);
	else
		conf_error(r->errs, pos_of(p->problem_mark),
			   "YAML syntax: %s%s%s; check the indentation, colons and quotes here",
			   p->problem, p->context == NULL ? "" : " ",
			   p->context == NULL ? "" : p->context);
}

static bool next_event(struct reader *r, yaml_event_t *ev) {
	if (yaml_parser_parse(&r->parser, ev))
		return true;
	syntax_error(r);
	return false;
}

static struct conf_node *node_new(enum conf_kind kind, yaml_mark_t mark) {
	struct conf_node *n = conf_alloc(sizeof(*n));

	n->kind = kind;
	n->pos = pos_of(mark);
	return n;
}

void conf_tree_free(struct conf_node *n) {
	struct conf_node *child;

	if (n == NULL)
		return;
	while ((child = n->first) != NULL) {
		n->first = child->next;
		conf_tree_free(child);
	}
	free(n->text);
	free(n->key);
	free(n);
}

const struct conf_node *conf_node_get(const struct conf_node *n, const char *key) {
	if (n == NULL || n->kind != CONF_MAP)
		return NULL;
	for (const struct conf_node *c = n->first; c != NULL; c = c->next)
		if (strcmp(c->key, key) == 0)
			return c;
	return NULL;
}

const char *conf_kind_name(enum conf_kind kind) {
	static const char *const names[] = {
		[CONF_SCALAR] = "a single value", [CONF_MAP] = "a map", [CONF_LIST] = "a list"};

	return names[kind];
}

static void append(struct conf_node *parent, struct conf_node *child) {
	if (parent->last != NULL)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n++;
}

static void refuse_marks(struct reader *r, const yaml_event_t *ev, const yaml_char_t *anchor,
			 const yaml_char_t *tag) {
	if (anchor != NULL)
		conf_error(r->errs, pos_of(ev->start_mark),
			   "anchors ('&%s') are not supported: write the value where it is needed",
			   (const char *)anchor);
	if (tag != NULL)
		conf_error(r->errs, pos_of(ev->start_mark),
			   "tags ('%s') are not supported: remove the tag", (const char *)tag);
}

static struct conf_node *read_node(struct reader *r, const yaml_event_t *ev);

static struct conf_node *read_scalar(struct reader *r, const yaml_event_t *ev) {
	struct conf_node *n = node_new(CONF_SCALAR, ev->start_mark);

	refuse_marks(r, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
	n->text = conf_strdup(rg_slice(ev->data.scalar.value, ev->data.scalar.length));
	n->is_plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (strlen(n->text) != ev->data.scalar.length) { // "\0" in double quotes
		conf_error(r->errs, n->pos, "a NUL character is in the value: remove it");
		n->is_bad = true;
	}
	return n;
}

static struct conf_node *read_alias(struct reader *r, const yaml_event_t *ev) {
	struct conf_node *n = node_new(CONF_SCALAR, ev->start_mark);

	conf_error(r->errs, n->pos, "aliases ('*%s') are not supported: write the value out",
		   (const char *)ev->data.alias.anchor);
	n->text = conf_strdup(rg_str(""));
	n->is_bad = true;
	return n;
}

static bool check_room(struct reader *r, const struct conf_node *n) {
	if (n->n < ENTRIES_MAX)
		return true;
	conf_error(r->errs, n->pos, "more than %d entries: split the configuration", ENTRIES_MAX);
	return false;
}

static bool read_list(struct reader *r, struct conf_node *list) {
	struct conf_node *child;
	yaml_event_t ev;
	bool is_end;

	while (next_event(r, &ev)) {
		is_end = ev.type == YAML_SEQUENCE_END_EVENT;
		child = is_end || !check_room(r, list) ? NULL : read_node(r, &ev);
		yaml_event_delete(&ev);
		if (child == NULL)
			return is_end;
		append(list, child);
	}
	return false;
}

// One "key: value" whose key is ev. A second use of a key is told and marked bad.
static bool read_entry(struct reader *r, struct conf_node *map, const yaml_event_t *key) {
	const struct conf_node *twin;
	struct conf_node *child;
	yaml_event_t ev;

	if (key->type != YAML_SCALAR_EVENT) {
		conf_error(r->errs, pos_of(key->start_mark), "a key must be a plain word");
		return false;
	}
	refuse_marks(r, key, key->data.scalar.anchor, key->data.scalar.tag);
	if (!check_room(r, map) || !next_event(r, &ev))
		return false;
	child = read_node(r, &ev);
	yaml_event_delete(&ev);
	if (child == NULL)
		return false;
	child->key = conf_strdup(rg_slice(key->data.scalar.value, key->data.scalar.length));
	child->key_pos = pos_of(key->start_mark);
	twin = conf_node_get(map, child->key);
	if (twin != NULL) {
		child->is_bad = true;
		conf_error(r->errs, child->key_pos,
			   "key '%s' stands here twice, first in line %u: remove one of them",
			   child->key, twin->key_pos.line);
	}
	append(map, child);
	return true;
}

static bool read_map(struct reader *r, struct conf_node *map) {
	yaml_event_t ev;
	bool is_end, is_good;

	while (next_event(r, &ev)) {
		is_end = ev.type == YAML_MAPPING_END_EVENT;
		is_good = is_end || read_entry(r, map, &ev);
		yaml_event_delete(&ev);
		if (is_end || !is_good)
			return is_good;
	}
	return false;
}

static struct conf_node *read_nested(struct reader *r, const yaml_event_t *ev) {
	bool is_map = ev->type == YAML_MAPPING_START_EVENT;
	struct conf_node *n = node_new(is_map ? CONF_MAP : CONF_LIST, ev->start_mark);
	bool is_good = false;

	if (is_map)
		refuse_marks(r, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
	else
		refuse_marks(r, ev, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
	if (++r->depth > DEPTH_MAX)
		conf_error(r->errs, n->pos, "nested deeper than %d levels", DEPTH_MAX);
	else
		is_good = is_map ? read_map(r, n) : read_list(r, n);
	r->depth--;
	if (is_good)
		return n;
	conf_tree_free(n);
	return NULL;
}

// The node that begins with ev; NULL when reading cannot go on (told).
static struct conf_node *read_node(struct reader *r, const yaml_event_t *ev) {
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return read_scalar(r, ev);
	case YAML_ALIAS_EVENT:
		return read_alias(r, ev);
	default: // the parser gives nothing else here but the start of a map or list
		return read_nested(r, ev);
	}
}

static void refuse_directives(struct reader *r, const yaml_event_t *ev) {
	if (ev->data.document_start.tag_directives.start !=
	    ev->data.document_start.tag_directives.end)
		conf_error(r->errs, pos_of(ev->start_mark),
			   "%%TAG directives are not supported: remove the line");
}

// Reads to the end of the stream; *root becomes the first document.
static bool read_stream(struct reader *r, struct conf_node **root) {
	enum { START, ROOT, END } at = START;
	yaml_event_t ev;
	bool is_good = true;

	while (is_good && next_event(r, &ev)) {
		yaml_event_type_t type = ev.type;

		if (type == YAML_DOCUMENT_START_EVENT && at == START) {
			refuse_directives(r, &ev);
			at = ROOT;
		} else if (type == YAML_DOCUMENT_START_EVENT) {
			conf_error(r->errs, pos_of(ev.start_mark),
				   "a second document begins here: one file is one configuration, "
				   "remove the '---'");
			yaml_event_delete(&ev);
			return true;
		} else if (at == ROOT && type != YAML_DOCUMENT_END_EVENT) {
			*root = read_node(r, &ev);
			is_good = *root != NULL;
			at = END;
		}
		yaml_event_delete(&ev);
		if (type == YAML_STREAM_END_EVENT)
			return true;
	}
	return false;
}

struct conf_node *conf_tree_read(const char *text, size_t len, struct conf_errors *errs) {
	struct reader r = {.errs = errs, .text = text, .len = len};
	struct conf_node *root = NULL;

	if (!yaml_parser_initialize(&r.parser)) {
		conf_error(errs, (struct conf_pos){1, 1}, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	if (!read_stream(&r, &root)) {
		conf_tree_free(root);
		root = NULL;
	}
	yaml_parser_delete(&r.parser);
	return root;
}
