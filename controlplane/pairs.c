// SPDX-License-Identifier: BSD-3-Clause
#include "pairs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pool/pool.h"
#include "regate/err.h"

#define MIB (UINT64_C(1) << 20)
#define FILE_MAX 65536

struct pairs_one {
	uint16_t pool;
	const char *impi, *impu;
};

// A number of bytes in the text of a file, behind `name`; RG_NEVER when it does not tell.
static uint64_t read_bytes(struct env *env, const char *path, const char *name, uint64_t unit) {
	uint64_t v = RG_NEVER;
	struct rg_slice s;
	uint8_t *text;
	size_t len, n = 0;

	if (env_read_file(env, path, FILE_MAX, &text, &len) != 0)
		return RG_NEVER;
	s = rg_slice(text, len);
	while (s.len > 0 && !rg_is_prefix(s, rg_str(name)))
		s = rg_skip(s, 1);
	s = rg_trim(rg_skip(s, strlen(name)));
	while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	if (!rg_parse_u64(rg_slice(s.p, n), &v) || v > RG_NEVER / unit)
		v = RG_NEVER / unit;
	free(text);
	return v * unit;
}

// Of the machine, or what is left of a container's share.
static uint64_t free_bytes(struct env *env) {
	uint64_t all = read_bytes(env, "/proc/meminfo", "MemAvailable:", 1024);
	uint64_t max = read_bytes(env, "/sys/fs/cgroup/memory.max", "", 1);
	uint64_t now = read_bytes(env, "/sys/fs/cgroup/memory.current", "", 1);
	uint64_t left = max <= now ? 0 : max - now;

	if (max == RG_NEVER || now == RG_NEVER)
		return all;
	return left < all ? left : all;
}

int pairs_check_room(const struct conf *conf, struct env *env, struct log *log, char *err,
		     size_t err_len) {
	uint64_t idle = lease_engine_bytes(conf->leases_max, false);
	uint64_t busy = lease_engine_bytes(conf->leases_max, true), room = free_bytes(env);

	if (idle > room) {
		snprintf(err, err_len,
			 "leases.max: %u pairs take %ju MiB when all are free and %ju MiB when all "
			 "are "
			 "leased, and %ju MiB are free; lower leases.max, or add memory",
			 conf->leases_max, (uintmax_t)(idle / MIB), (uintmax_t)(busy / MIB),
			 (uintmax_t)(room / MIB));
		return -ENOMEM;
	}
	if (busy > room)
		log_put(log, LOG_WARN, "lease.memory", LOG_U("leases_max", conf->leases_max),
			LOG_U("mib_for_all", busy / MIB), LOG_U("mib_free", room / MIB),
			LOG_S("effect", "not all of them can be leased at once"));
	return 0;
}

static int add(void *arg, const char *impi, const char *impu) {
	struct pairs *p = arg;
	struct pairs_one *one;

	if (p->n == p->conf->leases_max)
		return RG_E_LIMIT;
	if (p->n == p->room) {
		size_t room = p->room == 0 ? 1024 : p->room * 2;

		one = realloc(p->all, room * sizeof(*one));
		if (one == NULL)
			return -ENOMEM;
		p->all = one;
		p->room = room;
	}
	p->all[p->n++] = (struct pairs_one){p->pool, impi, impu};
	return 0;
}

int pairs_load(struct pairs *p, char *err, size_t err_len) {
	struct pool_sink to = {.add = add, .arg = p};

	p->texts = calloc(p->conf->n_pools + 1, sizeof(*p->texts));
	if (p->texts == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < p->conf->n_pools; i++) {
		const struct conf_pool *pool = &p->conf->pools[i];
		long n;

		if (pool->file == NULL)
			continue;
		p->pool = (uint16_t)i;
		n = pool_load(p->env, pool->file, &to, err, err_len);
		p->texts[i] = to.text;
		if (n < 0)
			return (int)n;
		log_put(p->log, LOG_INFO, "pool.loaded", LOG_S("pool", pool->name),
			LOG_U("pairs", (uint64_t)n));
	}
	return 0;
}

static int give_accounts(const struct conf *conf, struct lease_engine *leases,
			 const struct account_db *accounts, char *err, size_t err_len) {
	size_t n = accounts == NULL ? 0 : account_count(accounts);

	for (size_t i = 0; i < n; i++) {
		const struct account *a = account_at(accounts, i);
		int rc = lease_add_pair(leases, PAIRS_POOL_ACCOUNTS, conf->accounts_wwsf, a->impi,
					a->impu, a->user);

		if (rc == RG_E_LIMIT)
			snprintf(err, err_len,
				 "accounts.file: account '%s' is beyond leases.max, %u pairs of "
				 "pools and accounts: raise it",
				 a->user, conf->leases_max);
		else if (rc != 0)
			snprintf(err, err_len,
				 "accounts.file: account '%s' has a pair that is in use already "
				 "(%s); each IMPI and IMPU belongs to one",
				 a->user, rg_strerror(rc));
		if (rc != 0)
			return rc;
	}
	return 0;
}

int pairs_give(struct pairs *p, struct lease_engine *leases, const struct account_db *accounts,
	       char *err, size_t err_len) {
	for (size_t i = 0; i < p->n; i++) {
		const struct pairs_one *one = &p->all[i];
		const struct conf_pool *pool = &p->conf->pools[one->pool];
		int rc = lease_add_pair(leases, one->pool, pool->wwsf, one->impi, one->impu, NULL);

		if (rc != 0) {
			snprintf(err, err_len,
				 "pools: %s: pair '%s %s' is given twice over all pools and "
				 "accounts (%s); each IMPI and IMPU belongs to one",
				 pool->file, one->impi, one->impu, rg_strerror(rc));
			return rc;
		}
	}
	pairs_fini(p);
	return give_accounts(p->conf, leases, accounts, err, err_len);
}

void pairs_fini(struct pairs *p) {
	for (size_t i = 0; p->texts != NULL && i < p->conf->n_pools; i++)
		free(p->texts[i]);
	free(p->texts);
	free(p->all);
	p->texts = NULL;
	p->all = NULL;
	p->n = p->room = 0;
}
