// SPDX-License-Identifier: BSD-3-Clause
// Bindings by address of record. Owns its strings.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "regate/sip.h"

struct binding {
	struct binding *next;
	char *uri;      // of the Contact
	char *instance; // with its quotes; NULL = none
	uint32_t reg_id;
	char *element; // Contact without expires
	char *path;    // values, comma-separated; NULL = none
	char *call_id;
	uint32_t cseq;
	uint64_t end_ns;
};

struct aor {
	struct aor *next;
	char *name;
	struct binding *bindings; // newest first
	bool had_alien, had_lost; // script steps that happen once
};

struct table;
[[nodiscard]] struct table *table_new(void);
void table_free(struct table *t); // accepts NULL
// The user's entry, made when absent; NULL without memory. Ended bindings are dropped.
struct aor *table_get(struct table *t, struct rg_slice name, uint64_t now_ns);
// By flow (RFC 5626 6) when both have one, else by URI.
struct binding *table_find(struct aor *a, struct rg_slice uri, struct rg_slice instance,
			   uint32_t reg_id);
struct binding *table_add(struct table *t, struct aor *a); // empty; NULL without memory
void table_del(struct table *t, struct aor *a, struct binding *b);
uint64_t table_n_bindings(const struct table *t);
// Replaces *field by a copy of s; an empty s makes it NULL. False without memory.
bool table_set(char **field, struct rg_slice s);
