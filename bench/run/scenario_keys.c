// SPDX-License-Identifier: BSD-3-Clause
// The keys of a scenario: type, range, default, who looks at them, meaning.
#include <assert.h>

#include "scenario_int.h"

#define FIELD(f) .off = offsetof(struct scenario, f), .size = sizeof(((struct scenario *)0)->f)
#define MIB (UINT64_C(1) << 20)
#define SOCK (1u << DRIVER_SOCKET)
#define RING (1u << DRIVER_RING)
#define MEMIF (1u << DRIVER_MEMIF)
#define NIC (1u << DRIVER_NIC)
#define LOAD (RING | MEMIF | NIC)
#define ALL (SOCK | LOAD)

const struct scenario_key scenario_keys[] = {
	{{"name", CONF_T_NAME, FIELD(name), .text = "of the scenario; default: the file's"}, ALL},
	{{"about", CONF_T_TEXT, FIELD(about), .text = "one line for `regate-bench list`"}, ALL},
	{{"driver", CONF_T_ENUM, FIELD(driver), .is_required = true,
	  .choices = "socket|ring|memif|nic",
	  .text = "who makes the load: kernel sockets against any target, or a generator of "
		  "packets for one gateway worker, over rings in one process, over memif from "
		  "another, over two ports"},
	 ALL},
	{{"kind", CONF_T_ENUM, FIELD(kind), .is_required = true,
	  .choices = "refresh|cold|resumption|idle|mixed|storm|dereg|lease_api|core_outage|"
		     "handshake|latency|flood|memory",
	  .text = "what is measured"},
	 ALL},
	{{"conns", CONF_T_COUNT, FIELD(conns), .def = "1000", .min = 1, .max = SCENARIO_MAX_CONNS,
	  .text = "connections held open, or clients that take turns"},
	 ALL},
	{{"rate", CONF_T_COUNT, FIELD(rate), .def = "0", .max = 100000000,
	  .text = "per second; 0: as fast as answers come (latency: half of that)"},
	 ALL},
	{{"loop", CONF_T_ENUM, FIELD(loop), .def = "auto", .choices = "auto|open|closed",
	  .text = "open: sent when it is due, whether or not answers come; auto: open with a rate "
		  "or a search, else closed"},
	 ALL},
	{{"duration", CONF_T_SECONDS, FIELD(duration_s), .def = "0s", .max = 86400,
	  .text = "of one run; 0s: until all requests are answered"},
	 SOCK},
	{{"requests", CONF_T_COUNT, FIELD(requests), .def = "0", .max = 100000000,
	  .text = "of one run (handshake, cold, resumption: handshakes); 0: what suits the kind"},
	 ALL},
	{{"warmup", CONF_T_COUNT, FIELD(warmup), .def = "1", .max = 10,
	  .text = "runs before those that count"},
	 ALL},
	{{"runs", CONF_T_COUNT, FIELD(runs), .def = "7", .min = 1, .max = SCENARIO_MAX_RUNS,
	  .text = "runs that count: median, least and most are told"},
	 ALL},
	{{"window", CONF_T_COUNT, FIELD(window), .def = "256", .min = 1, .max = 65536,
	  .text = "under way at once in a closed loop; in a search, what is due while as many are "
		  "unanswered is lost, as at a full queue"},
	 ALL},
	{{"seed", CONF_T_COUNT, FIELD(seed), .def = "1", .max = UINT32_MAX,
	  .text = "of all that is random"},
	 ALL},
	{{"search.loss", CONF_T_ENUM, FIELD(search_loss), .def = "off",
	  .choices = "off|0|0.00001|0.025",
	  .text = "find the highest rate that loses no more than this share"},
	 ALL},
	{{"search.from", CONF_T_COUNT, FIELD(search_from), .def = "0", .max = 100000000,
	  .text = "first rate of the search; 0: what a closed loop reached"},
	 ALL},
	{{"misbehaviour", CONF_T_ENUM, FIELD(misbehaviour), .def = "none",
	  .choices = "none|half_handshake|handshake_flood|slow_head|slow_frame|no_read|no_close|"
		     "bad_token|replay|oversize",
	  .text = "what further clients do meanwhile; for SYNs see kind flood"},
	 SOCK},
	{{"misbehaving", CONF_T_COUNT, FIELD(misbehaving), .def = "0", .max = 1000000,
	  .text = "clients that misbehave"},
	 SOCK},
	{{"misbehave_rate", CONF_T_COUNT, FIELD(misbehave_rate), .def = "0", .max = 1000000,
	  .text = "handshakes begun, or messages sent, per second by all of them; 0: as fast as "
		  "it goes"},
	 SOCK},
	{{"cpus", CONF_T_WORD, FIELD(cpus), .def = "0,1",
	  .text = "gateway's, generator's; driver socket takes the last for itself"},
	 ALL},

	{{"target", CONF_T_HOSTPORT, FIELD(target), .text = "host:port of what is measured"}, SOCK},
	{{"server_name", CONF_T_DOMAIN, FIELD(server_name),
	  .text = "in SNI and in the certificate; default: the host of target"},
	 SOCK},
	{{"ca", CONF_T_PATH, FIELD(ca),
	  .text = "PEM file that the target's certificate is checked against; without it nothing "
		  "is checked"},
	 SOCK},
	{{"path", CONF_T_WORD, FIELD(path), .def = "/w2", .text = "of the WebSocket"}, SOCK},
	{{"origin", CONF_T_WORD, FIELD(origin), .text = "Origin of the upgrade; default: none"},
	 SOCK},
	{{"domain", CONF_T_DOMAIN, FIELD(domain), .def = "ims.example.net",
	  .text = "home domain in the REGISTER"},
	 SOCK},
	{{"source", CONF_T_WORD, FIELD(source),
	  .text = "local addresses taken in turn, such as 127.1.0.0/24: one has at most some 28000 "
		  "ports; default: the kernel's choice"},
	 SOCK},
	{{"tokens", CONF_T_ENUM, FIELD(tokens), .def = "anonymous",
	  .choices = "anonymous|account|file|none",
	  .text = "where a client's identity and token are from: the lease API without or with an "
		  "account, a file; none: a REGISTER without one"},
	 SOCK},
	{{"api", CONF_T_WORD, FIELD(api), .def = "/v1", .text = "path prefix of the lease API"},
	 SOCK},
	{{"user", CONF_T_WORD, FIELD(user),
	  .text = "account; %u in it becomes the number of the client"},
	 SOCK},
	{{"password", CONF_T_TEXT, FIELD(password), .text = "of the account; never shown"}, SOCK},
	{{"token_file", CONF_T_PATH, FIELD(token_file), .text = "lines 'impu impi token'"}, SOCK},
	{{"suite", CONF_T_ENUM, FIELD(suite), .def = "aes128", .choices = "aes128|aes256|chacha20",
	  .text = "cipher of TLS 1.3"},
	 SOCK},
	{{"group", CONF_T_ENUM, FIELD(group), .def = "x25519", .choices = "x25519|p256",
	  .text = "key exchange"},
	 SOCK},
	{{"expires", CONF_T_SECONDS, FIELD(expires_s), .def = "600s", .max = 86400,
	  .text = "asked for in a REGISTER"},
	 SOCK},

	{{"timeout", CONF_T_SECONDS, FIELD(timeout_s), .def = "10s", .min = 1, .max = 3600,
	  .text = "an answer that takes longer does not come"},
	 SOCK},
	{{"close", CONF_T_ENUM, FIELD(close), .def = "rst", .choices = "rst|fin|ws",
	  .text = "how a client leaves: rst leaves no port behind that waits (TIME_WAIT); ws: with "
		  "a close frame"},
	 SOCK},
	{{"upgrade", CONF_T_ENUM, FIELD(is_tls_only), .def = "yes", .choices = "yes|no",
	  .text = "of handshake: no ends behind TLS, for targets without WebSocket"},
	 ALL},
	{{"churn", CONF_T_COUNT, FIELD(churn), .def = "5", .max = 100,
	  .text = "of mixed: per cent that de-register, leave, come back and register"},
	 SOCK},
	{{"reconnects", CONF_T_COUNT, FIELD(reconnects), .def = "5", .max = 100,
	  .text = "of mixed: per cent that break off, come back and register"},
	 SOCK},
	{{"restart", CONF_T_TEXT, FIELD(restart),
	  .text = "of storm: shell command that restarts the target; default: every client breaks "
		  "off by RST"},
	 SOCK},
	{{"outage_begin", CONF_T_TEXT, FIELD(outage_begin),
	  .text = "of core_outage: shell command after a third of the time"},
	 SOCK},
	{{"outage_end", CONF_T_TEXT, FIELD(outage_end),
	  .text = "of core_outage: shell command after two thirds"},
	 SOCK},
	{{"target_pid", CONF_T_COUNT, FIELD(target_pid), .def = "0", .max = 1u << 22,
	  .text = "process of the target on this machine: what it and its children take is told"},
	 SOCK},
	{{"target_pidfile", CONF_T_PATH, FIELD(target_pidfile),
	  .text = "the same, in a file; read again for each run"},
	 SOCK},

	{{"port", CONF_T_WORD, FIELD(port),
	  .text = "DPDK port of the gateway: PCI address or net_af_packet0,iface=.."},
	 NIC},
	{{"generator_port", CONF_T_WORD, FIELD(generator_port),
	  .text = "DPDK port of the generator, joined to the other by a cable"},
	 NIC},
	{{"checksums", CONF_T_ENUM, FIELD(is_sum_by_port), .def = "software",
	  .choices = "software|port",
	  .text = "port: the gateway neither verifies nor makes them, as with a NIC that does"},
	 RING},
	{{"acks", CONF_T_ENUM, FIELD(is_ack_after), .def = "timed", .choices = "timed|after",
	  .text = "timed: one for each answer, at once; after: after the run"},
	 LOAD},
	{{"batch", CONF_T_COUNT, FIELD(batch), .def = "8", .min = 1, .max = 32,
	  .text = "of the yardstick"},
	 LOAD},
	{{"share", CONF_T_COUNT, FIELD(share), .def = "25", .min = 1, .max = 100,
	  .text = "of latency: per cent of the gateway's time for handshakes"},
	 LOAD},
	{{"syns", CONF_T_COUNT, FIELD(syns), .def = "16", .max = 10000,
	  .text = "of flood: SYNs for each packet of a client"},
	 LOAD},
	{{"memory", CONF_T_BYTES, FIELD(memory_bytes), .def = "192MiB", .min = 64 * MIB,
	  .max = MIB * MIB, .text = "of EAL"},
	 LOAD},
	{{"hugepages", CONF_T_ENUM, FIELD(hugepages), .def = "auto", .choices = "auto|yes|no",
	  .text = "for packet buffers; auto: when enough are free"},
	 LOAD},
	{{"certificate", CONF_T_PATH, FIELD(certificate), .def = BENCH_CERTIFICATE,
	  .text = "PEM file of the gateway; default: one made by the build"},
	 LOAD},
	{{"key", CONF_T_PATH, FIELD(key), .def = BENCH_KEY, .text = "PEM file of its key"}, LOAD},
};
const size_t scenario_n_keys = sizeof(scenario_keys) / sizeof(scenario_keys[0]);
static_assert(sizeof(scenario_keys) / sizeof(scenario_keys[0]) <= SCENARIO_MAX_KEYS, "room");

#define BIT(k) (1u << KIND_##k)
const unsigned scenario_kinds_of[N_DRIVERS] = {
	[DRIVER_SOCKET] = BIT(REFRESH) | BIT(COLD) | BIT(RESUMPTION) | BIT(IDLE) | BIT(MIXED) |
			  BIT(STORM) | BIT(DEREG) | BIT(LEASE_API) | BIT(CORE_OUTAGE) |
			  BIT(HANDSHAKE),
	[DRIVER_RING] = BIT(REFRESH) | BIT(HANDSHAKE) | BIT(LATENCY) | BIT(FLOOD) | BIT(MEMORY),
	[DRIVER_MEMIF] = BIT(REFRESH) | BIT(HANDSHAKE) | BIT(LATENCY),
	[DRIVER_NIC] = BIT(REFRESH) | BIT(HANDSHAKE) | BIT(LATENCY),
};

const struct scenario_key *scenario_key(const char *name) {
	for (size_t i = 0; i < scenario_n_keys; i++)
		if (strcmp(scenario_keys[i].k.name, name) == 0)
			return &scenario_keys[i];
	return NULL;
}

struct rg_slice scenario_choice(const char *choices, uint64_t n) {
	while (n-- > 0 && choices[strcspn(choices, "|")] == '|')
		choices += strcspn(choices, "|") + 1;
	return rg_slice(choices, strcspn(choices, "|"));
}

uint64_t scenario_number(const struct scenario *sc, const struct conf_key *k) {
	const void *p = (const char *)sc + k->off;

	return k->size == sizeof(unsigned) ? *(const unsigned *)p : *(const uint64_t *)p;
}

const char *scenario_text(const struct scenario *sc, const struct conf_key *k) {
	return *(const char *const *)((const char *)sc + k->off);
}

const char *scenario_word(const struct scenario *sc, const char *key, char out[SCENARIO_WORD]) {
	const struct conf_key *k = &scenario_key(key)->k;
	struct rg_slice s = scenario_choice(k->choices, scenario_number(sc, k));

	snprintf(out, SCENARIO_WORD, "%.*s", (int)s.len, (const char *)s.p);
	return out;
}

double scenario_loss_share(unsigned loss) {
	static const double shares[] = {
		[LOSS_OFF] = -1, [LOSS_NONE] = 0, [LOSS_NDR] = 1e-5, [LOSS_ISC] = 0.025};

	return shares[loss];
}
