// SPDX-License-Identifier: BSD-3-Clause
// Brings up gateway and generator, and takes them down again: on two lcores of one process with a
// pair of rings or two cabled ports between them, or in two processes with net_memif. Main thread,
// and the generator's where it says so.
#include <rte_cycles.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bed.h"
#include "env.h"

#define RING_LEN 4096
#define GATEWAY_LCORE 1
#define GENERATOR_LCORE 2
#define RING_GATEWAY "net_ring_gateway"
#define RING_GENERATOR "net_ring_generator"
// No file: the socket's name is abstract. The server would crash if its client left while it polls
// (dpdk.md 2.5): the generator leaves last.
#define MEMIF "net_memif0,role=%s,id=0,socket=regate-bench-%d,rsize=10,bsize=2048"
#define LINK_MS 5000
#define LOOK_US 100000
#define DRAW_S 1

// On n of the CPUs of the scenario.
static int start_eal(struct bed *b, unsigned first, unsigned n) {
	int cpus[ENV_MAX_CPUS];
	char lcores[32];
	const struct rg_dp_cfg cfg = {
		.port = b->sc->driver == DRIVER_NIC ? b->sc->port : RING_GATEWAY, // no PCI
		.lcores = lcores,
		.n_workers = n,
		.memory_mib = (unsigned)(b->sc->memory_bytes >> 20),
		.hugepages = b->sc->hugepages,
	};
	int rc;

	(void)env_cpus(b->sc->cpus, cpus); // at least two: the scenario was looked at
	snprintf(lcores, sizeof(lcores), n == 1 ? "%d" : "%d,%d", cpus[first], cpus[first + n - 1]);
	b->eal.cfg = &cfg;
	eal_log_begin(&b->eal);
	rc = eal_start(&b->eal, b->err, b->err_len);
	b->eal.cfg = NULL;
	return rc;
}

static int make_ports(struct bed *b) {
	unsigned flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
	struct rte_ring *up = rte_ring_create("up", RING_LEN, SOCKET_ID_ANY, flags);
	struct rte_ring *down = rte_ring_create("down", RING_LEN, SOCKET_ID_ANY, flags);

	if (up == NULL || down == NULL ||
	    rte_eth_from_rings("gateway", &up, 1, &down, 1, SOCKET_ID_ANY) < 0 ||
	    rte_eth_from_rings("generator", &down, 1, &up, 1, SOCKET_ID_ANY) < 0) {
		snprintf(b->err, b->err_len, "no memory for the rings; raise 'memory'");
		return -ENOMEM;
	}
	return 0;
}

static int generator_main(void *arg) {
	struct bed *b = arg;

	gateway_mark(b->sh, MARK_READY);
	b->rc = b->what->measure(b);
	gateway_tell(b->sh, LOAD_QUIT);
	gateway_wait(b->sh);
	sem_post(&b->is_done);
	return 0;
}

// Starts the generator on an lcore, and waits for its end. (rte_eal_mp_wait_lcore() alone would burn
// a third of two CPUs.)
static int run_generator(struct bed *b, unsigned lcore) {
	int rc = rte_eal_remote_launch(generator_main, b, lcore);
	struct timespec until;

	while (rc == 0) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += DRAW_S;
		if (sem_timedwait(&b->is_done, &until) == 0)
			break;
		progress_draw(b->p);
	}
	rte_eal_mp_wait_lcore();
	return rc == 0 ? b->rc : rc;
}

static int port_missing(struct bed *b, const char *key, const char *port, int rc) {
	const char *said = eal_log_first(&b->eal);

	snprintf(b->err, b->err_len,
		 "%s: '%s' does not exist or cannot be opened (%s): name a PCI address bound to "
		 "vfio-pci, or net_af_packet0,iface=..",
		 key, port, said[0] == '\0' ? strerror(-rc) : said);
	return rc;
}

// Both ports of driver nic exist from here on. name: of the generator's.
static int probe_ports(struct bed *b, char *name, size_t len) {
	const char *ports[] = {b->sc->port, b->sc->generator_port};
	uint16_t id;

	for (unsigned i = 0; i < RTE_DIM(ports); i++) {
		int rc;

		snprintf(name, len, "%.*s", (int)strcspn(ports[i], ","), ports[i]);
		rc = rte_eth_dev_get_port_by_name(name, &id);
		if (rc != 0)
			rc = rte_dev_probe(ports[i]);
		if (rc == 0)
			rc = rte_eth_dev_get_port_by_name(name, &id);
		if (rc != 0)
			return port_missing(b, i == 0 ? "port" : "generator_port", ports[i], rc);
	}
	return 0;
}

// Both in this process.
static int run_here(struct bed *b) {
	bool is_nic = b->sc->driver == DRIVER_NIC;
	char generator[64] = RING_GENERATOR;
	int rc = gateway_init(&b->gw, &b->plan, b->sh, b->err, b->err_len);

	if (rc == 0)
		rc = start_eal(b, 0, 2);
	if (rc != 0)
		return rc;
	(void)eal_log_first(&b->eal); // what EAL said is not about the ports
	rc = is_nic ? probe_ports(b, generator, sizeof(generator)) : make_ports(b);
	if (rc == 0)
		rc = gateway_start(&b->gw, is_nic ? b->sc->port : RING_GATEWAY, b->err, b->err_len);
	if (rc == 0)
		rc = gen_init(&b->gen, &b->plan, generator, b->err, b->err_len);
	if (rc == 0)
		rc = rte_eal_remote_launch(gateway_main, &b->gw, GATEWAY_LCORE);
	if (rc == 0)
		rc = run_generator(b, GENERATOR_LCORE);
	gateway_fini(&b->gw);
	gen_fini(&b->gen);
	eal_stop();
	return rc;
}

// The gateway's process, from beginning to end.
static int memif_gateway(struct bed *b) {
	char port[128];
	int rc = gateway_init(&b->gw, &b->plan, b->sh, b->err, b->err_len);

	signal(SIGINT, SIG_IGN); // the generator ends us
	signal(SIGTERM, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(port, sizeof(port), MEMIF, "server", getppid());
	if (rc == 0)
		rc = start_eal(b, 0, 1);
	if (rc == 0)
		rc = gateway_start(&b->gw, port, b->err, b->err_len);
	if (rc == 0)
		rc = rte_eal_remote_launch(gateway_main, &b->gw, GATEWAY_LCORE);
	if (rc != 0) {
		fprintf(stderr, "regate-bench: gateway: %s\n", b->err);
		return rc;
	}
	atomic_store_explicit(&b->sh->is_up, true, memory_order_release);
	while (rte_eal_get_lcore_state(GATEWAY_LCORE) != WAIT)
		rte_delay_us_sleep(LOOK_US);
	gateway_fini(&b->gw);
	eal_stop();
	return 0;
}

// The gateway takes its hugepages before we look how many are free.
static int memif_wait(struct bed *b) {
	while (!atomic_load_explicit(&b->sh->is_up, memory_order_acquire)) {
		if (gateway_is_gone(b->sh)) {
			snprintf(b->err, b->err_len, "the gateway did not start");
			return -EIO;
		}
		rte_delay_us_sleep(LOOK_US);
	}
	return 0;
}

// Opens our end, and waits until both are connected.
static int memif_connect(struct bed *b) {
	struct rte_eth_link link = {0};
	char port[128];
	int rc;

	snprintf(port, sizeof(port), MEMIF, "client", getpid());
	rc = rte_dev_probe(port);
	if (rc == 0)
		rc = gen_init(&b->gen, &b->plan, "net_memif0", b->err, b->err_len);
	for (unsigned i = 0; rc == 0 && i < LINK_MS && link.link_status == 0; i++) {
		rte_delay_us_sleep(1000);
		rc = rte_eth_link_get_nowait(b->gen.port, &link);
	}
	if (rc == 0 && link.link_status != 0)
		return 0;
	snprintf(b->err, b->err_len, "memif: the two processes did not connect");
	return rc == 0 ? -ENOLINK : rc;
}

static int run_memif(struct bed *b) {
	pid_t pid;
	int rc;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(memif_gateway(b) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
	if (pid < 0)
		return -errno;
	b->sh->pid = pid;
	rc = memif_wait(b);
	if (rc == 0)
		rc = start_eal(b, 1, 1);
	if (rc == 0)
		rc = memif_connect(b);
	if (rc == 0)
		rc = run_generator(b, GATEWAY_LCORE);
	else
		gateway_tell(b->sh, LOAD_QUIT);
	if (!gateway_is_gone(b->sh))
		waitpid(pid, NULL, 0);
	gen_fini(&b->gen);
	eal_stop();
	return rc;
}

int bed_run(struct bed *b) {
	int rc;

	b->gen.progress = b->p;
	b->sh = mmap(NULL, sizeof(*b->sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (b->sh == MAP_FAILED)
		return -errno;
	sem_init(&b->is_done, 0, 0);
	rc = b->sc->driver == DRIVER_MEMIF ? run_memif(b) : run_here(b);
	eal_log_end(&b->eal);
	sem_destroy(&b->is_done);
	munmap(b->sh, sizeof(*b->sh));
	return rc;
}

void bed_settle(struct bed *b) {
	uint64_t begin = rte_rdtsc();

	while (rg_stat_get(&b->sh->stats.s, RG_STAT_rx_packets) < b->gen.s.n_packets &&
	       rte_rdtsc() - begin < rte_get_tsc_hz())
		rte_pause();
}

double bed_busy_ns(const struct bed *b) {
	return (double)b->sh->cpu_ns * (double)b->sh->busy_ns / (double)b->sh->wall_ns;
}

int bed_silent(struct bed *b, const char *when) {
	if (gateway_is_gone(b->sh)) {
		snprintf(b->err, b->err_len, "the gateway's process ended %s", when);
		return -EPIPE;
	}
	gateway_stop(b->sh);
	if (progress_is_stopped())
		return -ECANCELED;
	if (b->gen.s.n_ended > 0) {
		snprintf(b->err, b->err_len, "the gateway ended %lu connections %s",
			 b->gen.s.n_ended, when);
		return -ECONNRESET;
	}
	snprintf(b->err, b->err_len,
		 "the gateway fell silent %s; its counters are in the result, and %lu packets had "
		 "no buffer",
		 when, b->gen.s.n_lost);
	return -ETIMEDOUT;
}

int bed_open(struct bed *b, uint32_t from, uint32_t to) {
	progress_phase(b->p, "opening %u connections", to - from);
	gateway_tell(b->sh, LOAD_RUN);
	if (!gen_open(&b->gen, from, to))
		return bed_silent(b, "while connections were opened");
	bed_settle(b);
	gateway_stop(b->sh);
	gateway_mark(b->sh, MARK_OPEN);
	gateway_tell(b->sh, LOAD_PRESET);
	gateway_wait(b->sh);
	gateway_mark(b->sh, MARK_SET);
	if (b->sh->n_conns >= to)
		return 0;
	snprintf(b->err, b->err_len,
		 "%u of %u connections are open: the port lost the last packet of others",
		 b->sh->n_conns, to);
	return -EIO;
}
