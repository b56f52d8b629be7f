// SPDX-License-Identifier: BSD-3-Clause
// What tests do to a memory store, besides store_mem_fail(): how long things take, what gets lost,
// and several handles on the same records, as gateways have that share a store.
#pragma once

#include "store/store.h"

// One more handle on the records of s, for another gateway; both see each other's writes through
// the watch. Each handle is closed by itself. e may be another environment. 0 or -ENOMEM.
[[nodiscard]] int store_mem_join(struct store *s, struct env *e, struct store **out);

// How long a commit takes from now on until it is durable; 1 ms at first.
void store_mem_set_delay(struct store *s, uint64_t delay_ns);
// And from there until its answer; 0 at first.
void store_mem_set_answer_delay(struct store *s, uint64_t delay_ns);
// How long until the watch of s tells what others wrote; 1 ms at first. The order is kept.
void store_mem_set_watch_delay(struct store *s, uint64_t delay_ns);
// As store_mem_fail(), but the records become durable all the same: a lost answer. Where there are
// other handles, the watch tells s its own record then.
void store_mem_fail_late(struct store *s, unsigned n, int rc);
// Cut off from the records: every commit fails with -ETIMEDOUT, and so does loading; what was queued
// before becomes durable, though its answer is lost. The watch is silent, and tells all that it
// missed, in order, when the cut is over.
void store_mem_cut(struct store *s, bool is_cut);
bool store_mem_is_cut(const struct store *s);
// As a server with several transactions under way: from now on records overtake each other, though
// none one of its own, values only each other never; and of those under way any may survive a crash.
void store_mem_set_any_order(struct store *s, bool is_so);
unsigned store_mem_n_overtaken(const struct store *s); // commits that one of after them left behind
// What store_has_taken_name() says; false at first.
void store_mem_set_taken_name(struct store *s, bool has_taken);
// Is there anything that s has not told, or not answered?
bool store_mem_is_behind(const struct store *s);
// Calls fn with each record, of whatever handle, once it is durable; NULL: no more.
typedef void store_mem_trace_fn(void *arg, const struct store_lease *l);
void store_mem_set_trace(struct store *s, store_mem_trace_fn *fn, void *arg);
// The machine stops: of the queued commits the first n_durable stay, and those that were durable
// already, the rest is lost. Whoever still listens is told -EIO.
void store_mem_crash(struct store *s, unsigned n_durable);
// The same in any order: is_durable says which; of the values a first part.
void store_mem_crash_any(struct store *s, bool (*is_durable)(void *arg), void *arg);
