// SPDX-License-Identifier: BSD-3-Clause
// The end of a struct conf, whole or half-built: the schema knows which fields own memory.
#include <stdlib.h>

#include "conf/conf_impl.h"

static bool owns_text(const struct conf_key *k) {
	switch (k->type) {
	case CONF_T_WORD:
	case CONF_T_NAME:
	case CONF_T_DOMAIN:
	case CONF_T_HOSTPORT:
	case CONF_T_PATH:
	case CONF_T_SOCKET:
	case CONF_T_HTTPS:
		return true;
	default:
		return false;
	}
}

static void free_fields(const struct conf_section *s, char *base) {
	for (size_t i = 0; i < s->n_keys; i++) {
		const struct conf_key *k = &s->keys[i];

		if (owns_text(k))
			free(*(char **)(base + k->off));
		if (!conf_type_is_list(k->type))
			continue;
		for (size_t j = 0; j < *(size_t *)(base + k->off2); j++)
			free((*(char ***)(base + k->off))[j]);
		free(*(char ***)(base + k->off));
	}
}

void conf_free(struct conf *c) {
	if (c == NULL)
		return;
	for (size_t i = 0; i < conf_n_sections; i++) {
		const struct conf_section *s = &conf_sections[i];
		char *elems;

		if (s->elem_size == 0) {
			free_fields(s, (char *)c);
			continue;
		}
		elems = *(char **)((char *)c + s->list_off);
		for (size_t j = 0; j < *(size_t *)((char *)c + s->n_off); j++)
			free_fields(s, elems + j * s->elem_size);
		free(elems);
	}
	free(c);
}
