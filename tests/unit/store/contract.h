// SPDX-License-Identifier: BSD-3-Clause
// What store.h promises, as cases that every store has to pass. A store's test says how to get an
// empty one, and adds them:
//
//   static const struct contract c = {"mem", start, stop, env_new, env_free, open, turn, ...};
//   contract_add(suite, &c);
//
// One contract per program.
#pragma once

#include <check.h>

#include "store/store.h"

struct contract {
	const char *name;
	void (*start)(void), (*stop)(void); // around each case: the records are empty, then gone
	struct env *(*env_new)(void);
	void (*env_free)(struct env *e);
	struct store *(*open)(struct env *e); // one more handle on the records; fails the case
	void (*turn)(struct env *e);          // the loop runs for a while, say 50 ms
	bool survives;                        // records stay when no handle is open
	bool is_shared;                       // several handles at a time
};

void contract_add(Suite *suite, const struct contract *c);
