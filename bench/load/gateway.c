// SPDX-License-Identifier: BSD-3-Clause
// The gateway under load: one production worker with its own tables, made by hand instead of by
// rg_dp_start(), so that port and EAL can be shared with the generator. What would come from the
// control plane or from a handshake is put into its connections between two runs of worker_run(),
// on the worker's own thread.
#include <arpa/inet.h>
#include <rte_cycles.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lease/lease_table.h"
#include "limit.h"
#include "load.h"
#include "tls/tls_int.h"

#define NAP_US 20

// Adds up the lines "NAME: n kB" of a file in /proc.
static uint64_t proc_bytes(const char *file, const char *const *names, size_t n_names) {
	FILE *f = fopen(file, "re");
	char line[256];
	uint64_t sum = 0;

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		for (size_t i = 0; i < n_names; i++) {
			size_t len = strlen(names[i]);

			if (strncmp(line, names[i], len) == 0)
				sum += strtoull(line + len, NULL, 10) * 1024;
		}
	if (f != NULL)
		fclose(f);
	return sum;
}

void gateway_mark(struct load_shared *sh, enum load_mark m) {
	static const char *const all[] = {"Rss:", "Shared_Hugetlb:", "Private_Hugetlb:"};
	static const char *const huge[] = {"AnonHugePages:", "Shared_Hugetlb:", "Private_Hugetlb:"};

	sh->marks[m].rss = proc_bytes("/proc/self/smaps_rollup", all, RTE_DIM(all));
	sh->marks[m].huge = proc_bytes("/proc/self/smaps_rollup", huge, RTE_DIM(huge));
}

static const uint8_t digest_key[RG_DIGEST_KEY_LEN] = "sixteen octets.";

static int fill_leases(struct gateway *g, uint32_t n) {
	struct rg_digester *d = rg_digester_new(digest_key);
	int rc = -ENOMEM;

	g->leases = lease_table_new(n);
	if (g->leases != NULL && d != NULL)
		rc = load_leases(g->leases, d, 0, n, idle_now_ns());
	rg_digester_free(d);
	g->cfg.leases = g->leases;
	return rc;
}

int gateway_init(struct gateway *g, const struct load_plan *plan, struct load_shared *sh, char *err,
		 size_t err_len) {
	const struct scenario *sc = plan->sc;
	int rc;

	g->sh = sh;
	g->limit_batch = sc->batch;
	g->cert = (struct rg_cert_file){sc->certificate, sc->key};
	g->cfg = (struct rg_dp_cfg){
		.n_workers = 1,
		.is_busy = true,
		.mac = {2, 0, 0, 0, 0, 0x99},
		.ip_be = htonl(LOAD_GATEWAY_IP),
		.listen_port = LOAD_GATEWAY_PORT,
		.max_conns = plan->n_conns + plan->n_spare,
		.certs = &g->cert,
		.n_certs = 1,
		.tls = {.max_half_open = 1024, .handshake_share = plan->share},
		.is_origin_optional = true,
		.ws_path = "/w2",
		.reg = {.realm = "ims.mnc001.mcc001.3gppnetwork.org",
			.authz_server = "https://wwsf.example.net",
			.client_max_s = 600,
			.client_min_s = 60,
			.guard_s = 30,
			.rate_per_s = 1000,
			.rate_burst = 1000},
		.secret = "thirty-two octets, not a secret",
		// Nothing of these may fall due in a run.
		.ws_ping_s = 3600,
		.ws_pong_misses = 2,
		.head_timeout_s = 3600,
		.idle_timeout_s = 3600,
		.unbound_timeout_s = 3600,
	};
	memcpy(g->cfg.digest_key, digest_key, sizeof(digest_key));
	g->dp.cfg = &g->cfg;
	g->dp.n_workers = 1;
	g->dp.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); // nobody reads our punts
	g->dp.stats = &sh->stats;
	g->dp.workers = aligned_alloc(64, sizeof(*g->dp.workers));
	g->dp.origins = calloc(1, sizeof(*g->dp.origins));
	if (g->dp.workers == NULL || g->dp.origins == NULL)
		return -ENOMEM;
	memset(g->dp.workers, 0, sizeof(*g->dp.workers));
	gateway_mark(sh, MARK_BEGIN);
	rc = fill_leases(g, g->cfg.max_conns);
	if (rc != 0) {
		snprintf(err, err_len, "no memory for %u leases", g->cfg.max_conns);
		return rc;
	}
	gateway_mark(sh, MARK_LEASES);
	rc = worker_init(&g->dp, 0, err, err_len);
	gateway_mark(sh, MARK_WORKER);
	g->is_sum_by_port = sc->is_sum_by_port;
	return rc;
}

int gateway_start(struct gateway *g, const char *port, char *err, size_t err_len) {
	int rc;

	g->cfg.port = port;
	g->dp.is_eal_up = true;
	g->dp.workers->is_stopping = &g->sh->is_stopping;
	rc = port_start(&g->dp, err, err_len);
	g->dp.workers->has_tx_checksum |= g->is_sum_by_port;
	return rc;
}

void gateway_fini(struct gateway *g) {
	if (g->dp.workers != NULL)
		worker_fini(g->dp.workers);
	port_stop(&g->dp);
	if (g->dp.event_fd > 0)
		close(g->dp.event_fd);
	free(g->dp.workers);
	free(g->dp.origins);
	lease_table_free(g->leases);
	limit_free(g->limit);
}

// Declared here, since the library may be absent.
int mallctl(const char *name, void *old, size_t *old_len, void *new, size_t new_len)
	__attribute__((weak));

// As after a handshake, an upgrade and a first REGISTER, half of whose time is over.
static void preset_conn(struct worker *w, struct conn *c, uint32_t client) {
	struct tls_conn *t = &c->tls;
	struct load_keys k;

	load_keys(client, &k);
	t->suite = TLS_AES128;
	t->is_established = true;
	for (int dir = 0; dir < TLS_N_DIRS; dir++) {
		memcpy(t->key[dir], k.key[dir], sizeof(k.key[dir]));
		memcpy(t->iv[dir], k.iv[dir], sizeof(k.iv[dir]));
		t->seq[dir] = 0;
	}
	c->phase = RG_PHASE_WS;
	conn_deadline(w, c, w->cfg->ws_ping_s);
	c->flow.wwsf = 0;
	c->flow.bound = (struct rg_binding){
		.lease_idx = client,
		.gen = client + 1,
		.promise_end_ns = w->now_ns + w->cfg->reg.client_max_s / 2 * RG_NS_PER_S,
	};
	due_bound(w, c);
}

static void preset(struct worker *w) {
	for (uint32_t i = 0; i < w->cfg->max_conns; i++) {
		struct conn *c = &w->conns[i];

		if (c->is_open && c->phase == RG_PHASE_TLS)
			preset_conn(w, c, load_client(tcp_peer(w->tcp, i)));
	}
}

static uint64_t cpu_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * RG_NS_PER_S + (uint64_t)ts.tv_nsec;
}

// Bytes that the calling thread ever took from the heap and gave back, as jemalloc counts them; 0
// without jemalloc, as under a sanitizer.
static uint64_t heap_traffic(void) {
	static const char *const names[] = {"thread.allocated", "thread.deallocated"};
	uint64_t sum = 0;

	for (unsigned i = 0; mallctl != NULL && i < RTE_DIM(names); i++) {
		uint64_t n = 0;
		size_t len = sizeof(n);

		(void)mallctl(names[i], &n, &len, NULL, 0);
		sum += n;
	}
	return sum;
}

static void run(struct gateway *g) {
	struct load_shared *sh = g->sh;
	struct rg_stats *s = &sh->stats.s;
	uint64_t busy_ns = rg_stat_get(s, RG_STAT_busy_ns);
	uint64_t polls_busy = rg_stat_get(s, RG_STAT_polls_busy);
	uint64_t heap = heap_traffic(), ns = cpu_ns(), wall_ns = idle_now_ns();

	(void)worker_run(g->dp.workers);
	sh->allocated = heap_traffic() - heap;
	sh->is_heap_counted = mallctl != NULL;
	sh->cpu_ns = cpu_ns() - ns;
	sh->wall_ns = idle_now_ns() - wall_ns;
	sh->busy_ns = rg_stat_get(s, RG_STAT_busy_ns) - busy_ns;
	sh->polls_busy = rg_stat_get(s, RG_STAT_polls_busy) - polls_busy;
}

static void run_limit(struct gateway *g) {
	if (g->limit == NULL) {
		g->limit = limit_new(g->sh->n_conns, g->limit_batch);
		if (g->limit != NULL)
			(void)limit_refresh_ns(g->limit, g->sh->n_limit); // warm-up
	}
	g->sh->limit_ns = g->limit == NULL ? -1 : limit_refresh_ns(g->limit, g->sh->n_limit);
}

int gateway_main(void *arg) {
	struct gateway *g = arg;

	for (;;) {
		int cmd = atomic_load_explicit(&g->sh->cmd, memory_order_acquire);

		if (cmd == LOAD_RUN)
			run(g);
		else if (cmd == LOAD_PRESET)
			preset(g->dp.workers);
		else if (cmd == LOAD_LIMIT)
			run_limit(g);
		else if (cmd == LOAD_LIMIT_HANDSHAKE)
			g->sh->limit_ns = limit_handshake_ns(g->cert.certificate, g->cert.key,
							     g->sh->n_limit);
		g->sh->n_conns = g->dp.workers->n_conns;
		if (cmd != LOAD_IDLE)
			atomic_store_explicit(&g->sh->cmd, LOAD_IDLE, memory_order_release);
		if (cmd == LOAD_QUIT)
			return 0;
		if (cmd == LOAD_IDLE)
			rte_delay_us_sleep(NAP_US);
	}
}

bool gateway_is_gone(struct load_shared *sh) {
	if (sh->pid != 0 && waitpid(sh->pid, NULL, WNOHANG) == sh->pid)
		atomic_store_explicit(&sh->is_gone, true, memory_order_relaxed);
	return atomic_load_explicit(&sh->is_gone, memory_order_relaxed);
}

void gateway_wait(struct load_shared *sh) {
	while (atomic_load_explicit(&sh->cmd, memory_order_acquire) != LOAD_IDLE &&
	       !gateway_is_gone(sh))
		rte_delay_us_sleep(NAP_US);
}

void gateway_tell(struct load_shared *sh, enum load_cmd cmd) {
	gateway_wait(sh);
	atomic_store_explicit(&sh->is_stopping, false, memory_order_relaxed);
	atomic_store_explicit(&sh->cmd, cmd, memory_order_release);
}

void gateway_stop(struct load_shared *sh) {
	atomic_store_explicit(&sh->is_stopping, true, memory_order_relaxed);
	gateway_wait(sh);
}
