// SPDX-License-Identifier: BSD-3-Clause
// A lease engine of many pairs on the real loop, over SQLite or over a store that keeps nothing, and
// what the benches do with it. One thread. What cannot be had ends the program with a line.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/env.h"
#include "lease/lease.h"
#include "token/token.h"

struct bed {
	struct env *env;
	struct store *store;
	struct lease_engine *leases;
	struct rg_digester *digester;
	struct token_key *key; // NULL: tokens are texts without a signature
	struct token_signer *signer;
	uint32_t n_pairs;
	uint64_t n_asked, n_done, n_wanted; // grants
	unsigned n_failed;
	int rc; // of the last one that failed
};

_Noreturn void bed_die(const char *what, int rc);

// Durable at once, on the next turn; keeps no record. NULL without memory.
struct store *bed_store_null(struct env *e);
void bed_open(struct bed *b, const char *db); // db NULL: bed_store_null()
void bed_engine(struct bed *b, uint32_t n_pairs);
void bed_load(struct bed *b);    // what the store knows
void bed_close(struct bed *b);   // all of it
void bed_remove(const char *db); // the files of a database

// The identities of pair i, of at most 64 bytes.
void bed_impi(char out[64], uint32_t i);
void bed_impu(char out[64], uint32_t i);

void bed_grant(struct bed *b, uint64_t n, unsigned window); // n leases, `window` at once
void bed_register(struct bed *b, uint32_t idx);             // as the core's 200 would
void bed_run_ms(struct bed *b, unsigned ms);
uint64_t bed_rss(void); // bytes

double bed_now_s(void);
double bed_cpu_s(void); // of the process, all threads: what a busy machine leaves alone
double bed_median(double *v, unsigned n); // sorts v

int bed_memory(uint32_t n);
int bed_grants(uint32_t n, unsigned rounds, const char *dir);
int bed_fill(uint32_t n, const char *dir);
int bed_start(uint32_t n, unsigned rounds, const char *dir);
int bed_list(uint32_t n, unsigned rounds);
