// SPDX-License-Identifier: BSD-3-Clause
// Two handles and what is done to them, for the cases of contract.c.
#pragma once

#include "contract.h"
#include "rows.h"

#define N_MANY 500u
#define N_TURNS 100 // until the watch must have told

struct contract_bed {
	const struct contract *c;
	struct env *env, *env_t; // of s, of t
	struct store *s, *t;     // t: after bed_open_second()
};
extern struct contract_bed bed;

struct answer {
	unsigned n;
	int rc;
	uint64_t rev;
};

struct told { // by a watch
	unsigned n, n_values;
	uint64_t gen, rev;
	const struct answer *before; // this one
};

struct found {
	unsigned n, n_of[N_MANY];
	uint64_t gen[N_MANY], rev[N_MANY];
	int stop_rc;
};

void bed_setup(void);
void bed_teardown(void);
void bed_open_second(void);
void bed_reopen(void); // nothing where records do not survive that
void bed_on_done(void *answer, int rc, uint64_t rev);
// Commits a record of row_make(); the store's answer.
struct answer bed_commit_to(struct store *to, unsigned i, uint64_t gen, uint64_t rev);
uint64_t bed_commit(unsigned i, uint64_t gen, uint64_t rev); // to s; must succeed; its revision
int bed_put(struct store *to, const char *name, const void *value, size_t len, bool is_new);
int bed_on_row(void *found, const struct store_lease *l); // store_load.lease
struct found bed_load(void);                              // from s
void bed_watch(struct store *of, struct told *w);
