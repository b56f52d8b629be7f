// SPDX-License-Identifier: BSD-3-Clause
#include "bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "regate/err.h"
#include "store/store_etcd.h"

#define LIFE_NS (7200 * RG_NS_PER_S)

_Noreturn void bed_die(const char *what, int rc) {
	fprintf(stderr, "bench-lease: %s: %s\n", what, rc == -1 ? "no memory" : rg_strerror(rc));
	exit(1);
}

double bed_now_s(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

double bed_cpu_s(void) {
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bed_median(double *v, unsigned n) {
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

uint64_t bed_rss(void) {
	unsigned long long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f != NULL) {
		if (fscanf(f, "%llu %llu", &size, &pages) != 2)
			pages = 0;
		fclose(f);
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void bed_remove(const char *db) {
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char path[600];

	for (unsigned i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s%s", db, ends[i]);
		unlink(path);
	}
}

// Without snprintf(), which would be most of adding a pair.
static void identity(char out[64], const char *scheme, uint32_t i) {
	struct rg_wr w = rg_wr(out, 64);

	rg_puts(&w, scheme);
	rg_puts(&w, "pool-");
	for (uint32_t d = 10000000; d > 0; d /= 10)
		rg_putc(&w, (char)('0' + i / d % 10));
	rg_puts(&w, "@ims.example.net");
	rg_putc(&w, '\0');
}

void bed_impi(char out[64], uint32_t i) {
	identity(out, "", i);
}

void bed_impu(char out[64], uint32_t i) {
	identity(out, "sip:", i);
}

static void on_deregister(void *, const struct lease *) {
}

static void on_close_flow(void *, struct rg_conn_id, uint16_t) {
}

// Over etcd each time is under a prefix of its own.
static int open_store(struct env *env, const char *db, struct store **out, char *err,
		      size_t err_len) {
	static const char *endpoints[9];
	static struct store_etcd_cfg cfg = {.endpoints = endpoints, .name = "bench"};
	static char list[1024], prefix[64];
	static unsigned n;
	const char *e = getenv("ETCD_ENDPOINTS");

	if (e == NULL)
		return store_sqlite_open(env, db, out, err, err_len);
	snprintf(list, sizeof(list), "%s", e);
	cfg.n_endpoints = 0;
	for (char *at = list, *one; (one = strsep(&at, ",")) != NULL && cfg.n_endpoints < 9;)
		endpoints[cfg.n_endpoints++] = one;
	snprintf(prefix, sizeof(prefix), "/bench/%d-%u", getpid(), n++);
	cfg.prefix = prefix;
	return store_etcd_open(env, &cfg, out, err, err_len);
}

void bed_open(struct bed *b, const char *db) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = "bench";
	char err[256];

	b->env = env_real_new();
	b->digester = rg_digester_new(key);
	if (b->env == NULL || b->digester == NULL)
		bed_die("a loop", -1);
	if (db == NULL) {
		b->store = bed_store_null(b->env);
		if (b->store == NULL)
			bed_die("a store", -1);
	} else if (open_store(b->env, db, &b->store, err, sizeof(err)) != 0) {
		fprintf(stderr, "bench-lease: %s\n", err);
		exit(1);
	}
}

void bed_engine(struct bed *b, uint32_t n_pairs) {
	static const char *const names[] = {"demo"};
	const struct lease_cfg cfg = {.clock_error_ns = 5 * RG_NS_PER_S,
				      .t_sip_ns = 69 * RG_NS_PER_S,
				      .core_slack_ns = 360 * RG_NS_PER_S,
				      .release_guard_ns = 5 * RG_NS_PER_S,
				      .flow_grace_ns = 60 * RG_NS_PER_S,
				      .reg_max_ns = 3600 * RG_NS_PER_S};
	const struct lease_ops ops = {NULL, on_deregister, on_close_flow};

	b->n_pairs = n_pairs;
	b->leases = lease_engine_new(&cfg, b->env, b->store, NULL, &ops, n_pairs);
	if (b->leases == NULL)
		bed_die("an engine", -1);
	lease_set_pool_names(b->leases, names, 1);
	for (uint32_t i = 0; i < n_pairs; i++) {
		char impi[64], impu[64];
		int rc;

		bed_impi(impi, i);
		bed_impu(impu, i);
		rc = lease_add_pair(b->leases, 0, 0, impi, impu, NULL);
		if (rc != 0)
			bed_die("a pair", rc);
	}
}

void bed_load(struct bed *b) {
	int rc = lease_engine_load(b->leases);

	if (rc != 0)
		bed_die("leases", rc);
}

void bed_close(struct bed *b) {
	lease_engine_free(b->leases);
	store_close(b->store);
	token_signer_put(b->signer);
	token_key_free(b->key);
	rg_digester_free(b->digester);
	env_real_free(b->env);
	*b = (struct bed){0};
}

static int issue(void *arg, const struct lease *l, uint64_t, struct rg_wr *token) {
	struct bed *b = arg;
	const struct token_claims claims = {.iss = "https://10.77.0.2",
					    .aud = "ep-cscf.ims.example.net",
					    .sub = l->sub,
					    .impi = l->impi,
					    .impu = l->impu,
					    .wwsf = "demo",
					    .pool = "demo",
					    .iat = env_wall_ms(b->env) / 1000,
					    .nbf = env_wall_ms(b->env) / 1000,
					    .exp = env_wall_ms(b->env) / 1000 + 7200,
					    .idx = l->idx,
					    .gen = l->gen,
					    .scenario = l->scenario};
	uint8_t jti[16];

	if (b->key != NULL) {
		env_random(b->env, jti, sizeof(jti));
		return token_prepare(b->key, &claims, jti, token);
	}
	rg_puts(token, l->impu);
	rg_putc(token, '.');
	rg_put_u64(token, l->gen);
	return 0;
}

static int sign(void *arg, struct rg_wr *token) {
	const struct bed *b = arg;

	return token_sign(b->signer, token);
}

static void ask(struct bed *b);

static void done(void *arg, int rc, const struct lease *, struct rg_slice) {
	struct bed *b = arg;

	b->n_done++;
	if (rc != 0) {
		b->n_failed++;
		b->rc = rc;
	}
	if (b->n_done == b->n_wanted)
		env_stop(b->env);
	else if (b->n_asked < b->n_wanted)
		ask(b);
}

static void ask(struct bed *b) {
	char sub[32];
	const struct lease_ask a = {.sub = sub,
				    .token_life_ns = LIFE_NS,
				    .issue = issue,
				    .sign = b->key == NULL ? NULL : sign,
				    .done = done,
				    .arg = b,
				    .digester = b->digester};

	snprintf(sub, sizeof(sub), "anon-%016llx",
		 (unsigned long long)b->n_asked * 0x9e3779b97f4a7c15ull);
	b->n_asked++;
	lease_grant(b->leases, &a);
}

void bed_grant(struct bed *b, uint64_t n, unsigned window) {
	b->n_wanted = b->n_done + n;
	while (b->n_asked < b->n_wanted && b->n_asked < b->n_done + window)
		ask(b);
	(void)env_real_run(b->env);
	if (b->n_failed > 0)
		bed_die("a grant", b->rc);
}

void bed_register(struct bed *b, uint32_t idx) {
	const struct lease *l = lease_at(b->leases, idx);
	uint64_t now_ns = env_now_ns(b->env), end_ns = lease_token_end_ns(l);
	char headers[512], contact[256], call_id[32];
	struct lease_binding k = {.to_tag = RG_LIT("6b8b4567"),
				  .core_refresh_ns = now_ns + (end_ns - now_ns) / 2,
				  .core_low_ns = end_ns,
				  .core_high_ns = end_ns};
	int rc;

	snprintf(contact, sizeof(contact),
		 "<sip:%08x@x9y8z7.invalid;transport=ws>;reg-id=1;"
		 "+sip.instance=\"<urn:uuid:0c67446f-f1a1-11d9-94d3-%012x>\"",
		 idx, idx);
	snprintf(call_id, sizeof(call_id), "4fzsu5p0%08x", idx);
	snprintf(headers, sizeof(headers),
		 "Path: <sip:%08x@epcscf1.ims.example.net:5060;lr>\r\n"
		 "Service-Route: <sip:orig@scscf.ims.example.net:6060;lr>\r\n"
		 "P-Associated-URI: <%s>\r\n",
		 idx, l->impu);
	k.contact = rg_str(contact);
	k.call_id = rg_str(call_id);
	k.headers = rg_str(headers);
	rc = lease_register_begin(b->leases, idx, l->gen, end_ns);
	if (rc == 0) {
		lease_set_core_dialog(b->leases, idx, "rg0123456789abcdef01234567", 1);
		rc = lease_register_done(b->leases, idx, l->gen, &k,
					 (struct rg_conn_id){.idx = idx, .gen = 1},
					 now_ns + 300 * RG_NS_PER_S);
	}
	if (rc != 0)
		bed_die("a registration", rc);
}

static struct env *stopped;

static void on_stop(struct env_timer *, uint64_t) {
	env_stop(stopped);
}

void bed_run_ms(struct bed *b, unsigned ms) {
	struct env_timer t = {.fn = on_stop};

	stopped = b->env;
	env_timer_set(b->env, &t, env_now_ns(b->env) + ms * RG_NS_PER_MS);
	(void)env_real_run(b->env);
	env_timer_cancel(b->env, &t);
}
