// SPDX-License-Identifier: BSD-3-Clause
// What tests do to a memory store, besides store_mem_fail().
#pragma once

#include "store/store.h"

// How long a commit takes from now on; 1 ms at first.
void store_mem_set_delay(struct store *s, uint64_t delay_ns);
// As store_mem_fail(), but the records become durable all the same: a lost answer.
void store_mem_fail_late(struct store *s, unsigned n, int rc);
// The machine stops: of the queued commits the first n_durable stay, the rest is lost. Whoever
// still listens is told -EIO.
void store_mem_crash(struct store *s, unsigned n_durable);
