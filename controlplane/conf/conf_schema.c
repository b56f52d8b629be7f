// SPDX-License-Identifier: BSD-3-Clause
// The schema: every key, its type, range, default and text. Parser, defaults, messages and
// `regated --help-config` come from this table and nothing else does.
#include "conf/conf_impl.h"
#include "regate/ctlproto.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FIELD(f) .off = offsetof(struct conf, f), .size = sizeof(((struct conf *)0)->f)
#define FIELD2(f) .off2 = offsetof(struct conf, f)
#define OF_WWSF(f) .off = offsetof(struct conf_wwsf, f), .size = sizeof(((struct conf_wwsf *)0)->f)
#define OF_CERT(f) .off = offsetof(struct conf_cert, f), .size = sizeof(((struct conf_cert *)0)->f)
#define OF_POOL(f) .off = offsetof(struct conf_pool, f), .size = sizeof(((struct conf_pool *)0)->f)
#define OF_CLIENT(f) \
	.off = offsetof(struct conf_client, f), .size = sizeof(((struct conf_client *)0)->f)
#define MIB (UINT64_C(1) << 20)
#define DAY UINT64_C(86400) // seconds
#define REQUIRED .is_required = true

// INV-8 (ims.md 6.3): the IMS operator need not remember different periods for every WWSF.
#define ONE_T_REG                                                                                  \
	"the maximum registration duration is one number for all WWSFs (INV-8): remove this, and " \
	"set registration.max"

static const struct conf_key dataplane_keys[] = {
	{"port", CONF_T_WORD, FIELD(dp.port), REQUIRED,
	 .text = "DPDK port: PCI address (0000:03:00.0) or virtual device with arguments "
		 "(net_tap0,iface=dtap0)"},
	{"lcores", CONF_T_WORD, FIELD(dp.lcores), .def = "0",
	 .text = "CPUs of the workers, one each: 1,2; a CPU may be named more than once"},
	{"workers", CONF_T_COUNT, FIELD(dp.workers), .def = "1", .min = 1, .max = 64,
	 .text = "worker threads; each owns its connections"},
	{"memory", CONF_T_BYTES, FIELD(dp.memory_bytes), .def = "256MiB", .min = 64 * MIB,
	 .max = MIB * MIB, .text = "memory given to DPDK for packets"},
	{"hugepages", CONF_T_ENUM, FIELD(dp.hugepages), .def = "auto", .choices = "auto|yes|no",
	 .text = "auto uses them when enough are free"},
	{"idle", CONF_T_ENUM, FIELD(dp.is_busy), .def = "adaptive", .choices = "adaptive|busy",
	 .text = "adaptive lets an idle worker sleep; busy polls all the time for the least "
		 "latency"},
	{"checksums", CONF_T_ENUM, FIELD(dp.checksums), .def = "auto",
	 .choices = "auto|software|port",
	 .text = "who computes them: auto leaves to a PCI port what it can do, port to a virtual "
		 "one as well"},
	{"mac", CONF_T_MAC, FIELD(dp.mac), .def = "02:00:00:00:00:99",
	 .text = "our Ethernet address"},
	{"address", CONF_T_NET4, FIELD(dp.address),
	 .text = "our IPv4 address and prefix length, not one of the kernel's; needed unless "
		 "address6 is there"},
	{"address6", CONF_T_NET6, FIELD(dp.address6),
	 .text = "our IPv6 address and prefix length, not one of the kernel's; beside or instead "
		 "of address"},
	{"vlan", CONF_T_COUNT, FIELD(dp.vlan), .def = "0", .min = 0, .max = 4094,
	 .text = "only tagged frames of this VLAN are served; 0: untagged ones"},
	{"listen", CONF_T_COUNT, FIELD(dp.listen), .def = "443", .min = 1, .max = 65535,
	 .text = "TCP port for https and wss"},
	{"connections", CONF_T_COUNT, FIELD(dp.connections), .def = "4096", .min = 1,
	 .max = 16777215, // TCP_MAX_CONNS
	 .text = "connections of one worker at most; memory for them is taken at start"},
	{"ping", CONF_T_SECONDS, FIELD(dp.ping_s), .def = "25s", .min = 1, .max = 3600,
	 .text = "time between WebSocket pings to a silent client"},
	{"pong_misses", CONF_T_COUNT, FIELD(dp.pong_misses), .def = "2", .min = 1, .max = 10,
	 .text = "unanswered pings until the connection counts as lost"},
	{"head_timeout", CONF_T_SECONDS, FIELD(dp.head_timeout_s), .def = "10s", .min = 1,
	 .max = 120,
	 .text = "time for TLS handshake and HTTP request head, and for one WebSocket message"},
	{"idle_timeout", CONF_T_SECONDS, FIELD(dp.idle_timeout_s), .def = "60s", .min = 1,
	 .max = 3600, .text = "time an HTTP connection may wait for its next request"},
	{"unbound_timeout", CONF_T_SECONDS, FIELD(dp.unbound_timeout_s), .def = "600s", .min = 1,
	 .max = DAY, .text = "time a WebSocket may stay open without a registration"},
	{"tcp_keepalive", CONF_T_SECONDS, FIELD(dp.tcp_keepalive_s), .def = "0s", .min = 0,
	 .max = 7 * DAY,
	 .text = "silence until TCP asks whether the peer still lives; six questions without an "
		 "answer, 10s apart, end the connection. 0s: never, for WebSocket pings ask the "
		 "same"},
};

static const struct conf_key tls_keys[] = {
	{"certificate", CONF_T_PATH, FIELD(tls.certificate), REQUIRED,
	 .text = "PEM file: server certificate, then its chain"},
	{"key", CONF_T_PATH, FIELD(tls.key), REQUIRED,
	 .text = "PEM file: private key of the certificate"},
	{"handshake_share", CONF_T_COUNT, FIELD(tls.handshake_share), .def = "25", .min = 1,
	 .max = 100,
	 .text = "percent of a worker's time that TLS handshakes may take; more wait for their "
		 "turn, so that they never stand between a client and its refresh"},
	{"tickets", CONF_T_COUNT, FIELD(tls.tickets), .def = "1", .min = 0, .max = 1,
	 .text = "session tickets per handshake, with which a client that comes back need not "
		 "check "
		 "the certificate again"},
	{"ticket_lifetime", CONF_T_SECONDS, FIELD(tls.ticket_life_s), .def = "3600s", .min = 60,
	 .max = 7 * DAY, .text = "how long a ticket is good for; its key changes as often"},
	{"ticket_secret", CONF_T_PATH, FIELD(tls.ticket_secret),
	 .text = "file of 32 random bytes that all gateways of one name share, so that each takes "
		 "the others' tickets; without it a new secret is made at every start"},
	{"max_half_open", CONF_T_COUNT, FIELD(tls.max_half_open), .def = "4096", .min = 1,
	 .max = 1048576,
	 .text = "connections of one worker amid their handshake at most; newer ones are reset"},
	{"half_open_per_source", CONF_T_COUNT, FIELD(tls.half_open_per_source), .def = "256",
	 .min = 0, .max = 65535,
	 .text = "of these, from one source: an IPv4 address, which may be a NAT with thousands of "
		 "clients, or an IPv6 /64. 256 of 100 ms each are 2000 handshakes a second, which "
		 "is more than handshake_share has time for; with longer paths, or a larger share, "
		 "raise it. With a limit a source may also hold an eighth of the buffers for TLS "
		 "records of which a part has come; 0: no limit on either, for gateways behind a "
		 "proxy that hides addresses"},
};

static const struct conf_key certs_keys[] = {
	{"certificate", CONF_T_PATH, OF_CERT(certificate), REQUIRED,
	 .text = "PEM file: for clients that ask for one of its names (SNI), others get that of "
		 "tls; its chain behind it"},
	{"key", CONF_T_PATH, OF_CERT(key), REQUIRED,
	 .text = "PEM file: private key of the certificate"},
};

static const struct conf_key registration_keys[] = {
	{"domain", CONF_T_DOMAIN, FIELD(reg.domain), REQUIRED,
	 .text = "home domain of the IMS: host of Request-URI, To and From, realm of challenges"},
	{"authz_server", CONF_T_HTTPS, FIELD(reg.authz_server), REQUIRED,
	 .text = "where a client without a good token is sent for one (authz_server of the "
		 "challenge)"},
	{"client_max", CONF_T_SECONDS, FIELD(reg.client_max_s), .def = "300s", .min = 1, .max = DAY,
	 .text = "longest registration granted to a client; it refreshes in this time"},
	{"client_min", CONF_T_SECONDS, FIELD(reg.client_min_s), .def = "60s", .min = 1, .max = DAY,
	 .text = "shortest registration granted to a client"},
	{"max", CONF_T_SECONDS, FIELD(reg.max_s), .def = "3600s", .min = 1, .max = 30 * DAY,
	 .text = "maximum registration duration agreed with the IMS operator; one number for all "
		 "WWSFs"},
	{"guard", CONF_T_SECONDS, FIELD(reg.guard_s), .def = "10s", .min = 0, .max = 3600,
	 .text = "nothing is promised to a client in the last part of the core's binding"},
	{"flow_grace", CONF_T_SECONDS, FIELD(reg.flow_grace_s), .def = "60s", .min = 0, .max = DAY,
	 .text = "time from the loss of a connection to de-registration; the client may come back "
		 "in it"},
	{"rate", CONF_T_COUNT, FIELD(reg.rate_per_s), .def = "2", .min = 1, .max = 1000,
	 .text = "REGISTERs of one connection per second, on average"},
	{"rate_burst", CONF_T_COUNT, FIELD(reg.rate_burst), .def = "5", .min = 1, .max = 1000,
	 .text = "REGISTERs of one connection at once"},
	{"cseq", CONF_T_ENUM, FIELD(reg.is_cseq_strict), .def = "lenient",
	 .choices = "lenient|strict",
	 .text = "a REGISTER whose CSeq is lower than its Call-ID's last on the connection: "
		 "lenient answers it like any other, as registrars in use do; strict with 500 "
		 "(RFC 3261 10.3)"},
	{"origin", CONF_T_ENUM, FIELD(reg.is_origin_optional), .def = "require",
	 .choices = "require|allow",
	 .text = "require: a WebSocket must come from an origin listed in wwsfs; allow: also "
		 "without Origin"},
};

static const struct conf_key core_keys[] = {
	{"address", CONF_T_ADDR, FIELD(core.address), REQUIRED,
	 .text = "I-CSCF: where REGISTER requests go"},
	{"transport", CONF_T_ENUM, FIELD(core.is_udp), .def = "tcp", .choices = "tcp|udp",
	 .text = "towards the I-CSCF"},
	{"local", CONF_T_LOCAL, FIELD(core.local),
	 .text = "our address towards the core; without it, and for port 0, the kernel chooses"},
	{"host", CONF_T_HOSTPORT, FIELD(core.host), REQUIRED,
	 .text = "our name and port in Via and Path: what the core reaches us by"},
	{"visited_network", CONF_T_WORD, FIELD(core.visited_network), REQUIRED,
	 .text = "P-Visited-Network-ID, as agreed with the core"},
	{"integrity_protected", CONF_T_WORD, FIELD(core.integrity_protected), .def = "auth-done",
	 .text = "integrity-protected value of Trusted Node Authentication"},
	{"timer_f", CONF_T_SECONDS, FIELD(core.timer_f_s), .def = "8s", .min = 1, .max = 32,
	 .text = "time until a request without an answer has failed"},
	{"at_start", CONF_T_ENUM, FIELD(core.is_required), .def = "warn", .choices = "warn|require",
	 .text = "a core that refuses TCP at start: warn and serve what needs no core, or end"},
};

static const struct conf_key token_keys[] = {
	{"keys", CONF_T_PATHS, FIELD(token.keys), FIELD2(token.n_keys),
	 .text = "PEM files: EC P-256 or Ed25519 private keys. The first signs tokens, the others "
		 "are still published for those who verify"},
	{"key", CONF_T_PATH, FIELD(token.key), .text = "short for keys with one file"},
	{"issuer", CONF_T_WORD, FIELD(token.issuer), REQUIRED,
	 .text = "iss of tokens; others are refused"},
	{"audience", CONF_T_WORD, FIELD(token.audience), REQUIRED,
	 .text = "aud of tokens; others are refused"},
	{"life", CONF_T_SECONDS, FIELD(token.life_s), .def = "7200s", .min = 1, .max = 30 * DAY,
	 .text = "life of a token for an account; twice client_max or more lets clients refresh in "
		 "peace"},
	{"anonymous_life", CONF_T_SECONDS, FIELD(token.anonymous_life_s), .def = "1800s", .min = 1,
	 .max = 30 * DAY, .text = "life of a token for a pool identity"},
};

static const struct conf_key lifetimes_keys[] = {
	{"clock_error", CONF_T_SECONDS, FIELD(life.clock_error_s), .def = "5s", .min = 0,
	 .max = 300, .text = "how far the clocks of gateways and WWSFs may differ"},
	{"t_sip", CONF_T_SECONDS, FIELD(life.t_sip_s), .def = "69s", .min = 1, .max = 600,
	 .text = "longest time an accepted REGISTER is still on its way to the registrar"},
	{"core_slack", CONF_T_SECONDS, FIELD(life.core_slack_s), .def = "360s", .min = 0,
	 .max = DAY, .text = "how late the core may be in ending a binding"},
	{"release_guard", CONF_T_SECONDS, FIELD(life.release_guard_s), .def = "5s", .min = 0,
	 .max = 3600, .text = "time a pair rests after a confirmed de-registration"},
};

static const struct conf_key wwsfs_keys[] = {
	{"id", CONF_T_NAME, OF_WWSF(id), REQUIRED, .text = "name of the WWSF, in tokens and pools"},
	{"origins", CONF_T_ORIGINS, OF_WWSF(origins), .off2 = offsetof(struct conf_wwsf, n_origins),
	 REQUIRED,
	 .text = "web origins of its pages, such as https://wwsf.example.net; no origin has two "
		 "WWSFs"},
	{"issuer", CONF_T_WORD, OF_WWSF(issuer),
	 .text = "iss of the tokens that it issues for its pools by itself; with jwks_uri, jwks or "
		 "introspection_uri. "
		 "They must end within token.life"},
	{"jwks_uri", CONF_T_HTTPS, OF_WWSF(jwks_uri),
	 .text = "where its public keys are, polled every 15 minutes"},
	{"jwks_ca", CONF_T_PATH, OF_WWSF(jwks_ca),
	 .text = "PEM file: who may certify the server of jwks_uri; default: the system's"},
	{"jwks", CONF_T_PATH, OF_WWSF(jwks),
	 .text = "file with its keys instead of jwks_uri, as a JWK set. HS256 secrets are taken "
		 "here, where issuer and gateway are one"},
	{"introspection_uri", CONF_T_HTTPS, OF_WWSF(introspection.uri),
	 .text = "where the gateway asks about each of its tokens instead (RFC 7662); they may be "
		 "opaque"},
	{"introspection_id", CONF_T_WORD, OF_WWSF(introspection.id),
	 .text = "who the gateway is there, for HTTP Basic"},
	{"introspection_secret_file", CONF_T_PATH, OF_WWSF(introspection.secret_file),
	 .text = "file with the secret of that in its first line"},
	{"introspection_ca", CONF_T_PATH, OF_WWSF(introspection.ca),
	 .text = "PEM file: who may certify the server of introspection_uri; default: the "
		 "system's"},
	{"introspection_cache", CONF_T_SECONDS, OF_WWSF(introspection.cache_s), .def = "300s",
	 .min = 2, .max = DAY,
	 .text = "how long an answer holds; it is asked again after half of that, so a token that "
		 "was withdrawn there ends within it. More than twice client_min and guard "
		 "together, longer than the core's Min-Expires, and at most token.life"},
	{"max", CONF_T_REFUSED, .text = ONE_T_REG},
	{"registration", CONF_T_REFUSED, .text = ONE_T_REG},
	{"registration_max", CONF_T_REFUSED, .text = ONE_T_REG},
	{"max_registration", CONF_T_REFUSED, .text = ONE_T_REG},
	{"max_expires", CONF_T_REFUSED, .text = ONE_T_REG},
	{"expires", CONF_T_REFUSED, .text = ONE_T_REG},
	{"t_reg", CONF_T_REFUSED, .text = ONE_T_REG},
};

static const struct conf_key pools_keys[] = {
	{"name", CONF_T_NAME, OF_POOL(name), REQUIRED, .text = "name of the pool"},
	{"wwsf", CONF_T_WWSF, OF_POOL(wwsf), REQUIRED, .text = "the WWSF that owns it"},
	{"file", CONF_T_PATH, OF_POOL(file),
	 .text = "identity pairs, one per line: impi impu; without it there are those of "
		 "`regatectl "
		 "pool import`"},
	{"anonymous", CONF_T_ENUM, OF_POOL(is_anonymous), .def = "deny", .choices = "deny|allow",
	 .text = "allow: anybody who opens the page gets an identity"},
	{"reserve", CONF_T_COUNT, OF_POOL(reserve), .def = "0", .min = 0, .max = 100,
	 .text = "percent of the pairs that anonymous users leave to those with a name"},
	{"max", CONF_T_REFUSED, .text = ONE_T_REG},
	{"registration", CONF_T_REFUSED, .text = ONE_T_REG},
	{"registration_max", CONF_T_REFUSED, .text = ONE_T_REG},
	{"max_expires", CONF_T_REFUSED, .text = ONE_T_REG},
};

static const struct conf_key clients_keys[] = {
	{"id", CONF_T_NAME, OF_CLIENT(id), REQUIRED, .text = "name of the server, for HTTP Basic"},
	{"secret_file", CONF_T_PATH, OF_CLIENT(secret_file), REQUIRED,
	 .text = "file with its secret in the first line, 32 characters or more: `openssl rand "
		 "-hex "
		 "32`"},
	{"wwsf", CONF_T_WWSF, OF_CLIENT(wwsf),
	 .text = "the WWSF whose tokens it may ask about; default: all of them"},
};

static const struct conf_key quotas_keys[] = {
	{"source_rate", CONF_T_COUNT, FIELD(quotas.source_rate), .def = "300", .min = 0,
	 .max = 1000000,
	 .text = "anonymous leases per minute for one address (IPv6: one /64); 0: no limit"},
	{"source_burst", CONF_T_COUNT, FIELD(quotas.source_burst), .def = "300", .min = 1,
	 .max = 1000000, .text = "leases that an address may take at once before that rate holds"},
	{"source_max", CONF_T_COUNT, FIELD(quotas.source_max), .def = "256", .min = 0,
	 .max = 1000000,
	 .text = "anonymous leases that one address may hold at a time; many users may share one; "
		 "0: no limit"},
	{"wwsf_rate", CONF_T_COUNT, FIELD(quotas.wwsf_rate), .def = "1000", .min = 0,
	 .max = 1000000, .text = "anonymous leases per second for one WWSF; 0: no limit"},
	{"wwsf_burst", CONF_T_COUNT, FIELD(quotas.wwsf_burst), .def = "5000", .min = 1,
	 .max = 1000000, .text = "leases that a WWSF may take at once before that rate holds"},
	{"wwsf_max", CONF_T_COUNT, FIELD(quotas.wwsf_max), .def = "0", .min = 0, .max = 16777216,
	 .text = "leases of all pools of a WWSF at a time from which on anonymous users get none; "
		 "0: no limit"},
};

static const struct conf_key accounts_keys[] = {
	{"file", CONF_T_PATH, FIELD(accounts_file), REQUIRED,
	 .text = "accounts, one per line: user hash impi impu"},
	{"wwsf", CONF_T_WWSF, FIELD(accounts_wwsf), REQUIRED,
	 .text = "the WWSF at which they log in"},
};

static const struct conf_key leases_keys[] = {
	{"max", CONF_T_COUNT, FIELD(leases_max), .def = "1000000", .min = 1, .max = 16777216,
	 .text = "identity pairs of all pools and accounts at most; memory for them is reserved at "
		 "start and taken as they come"},
};

static const struct conf_key gateway_keys[] = {
	{"id", CONF_T_NAME, FIELD(gateway_id),
	 .text = "name of this gateway in records of leases, never two with one store; default: "
		 "core.host, which no two have either, as the core answers there"},
};

static const struct conf_key store_keys[] = {
	{"type", CONF_T_ENUM, FIELD(store.is_etcd), .def = "sqlite", .choices = "sqlite|etcd",
	 .text = "sqlite: a file of this gateway alone; etcd: shared with other gateways"},
	{"path", CONF_T_PATH, FIELD(store_path),
	 .text = "sqlite: the file that remembers leases; its folder must be writable"},
	{"endpoints", CONF_T_HTTPS_HOSTS, FIELD(store.endpoints), FIELD2(store.n_endpoints),
	 .text = "etcd: URIs of all members, such as https://10.0.0.1:2379"},
	{"prefix", CONF_T_WORD, FIELD(store.prefix), .def = "/regate",
	 .text = "etcd: start of all keys; the gateways that share pools have one"},
	{"ca", CONF_T_PATH, FIELD(store.ca),
	 .text = "etcd: PEM file of who signed its certificates; else the system's"},
	{"certificate", CONF_T_PATH, FIELD(store.certificate),
	 .text = "etcd: PEM file, our certificate as a client"},
	{"key", CONF_T_PATH, FIELD(store.key), .text = "etcd: PEM file, key of store.certificate"},
	{"user", CONF_T_WORD, FIELD(store.user), .text = "etcd: name to log in with"},
	{"password_file", CONF_T_PATH, FIELD(store.password_file),
	 .text = "etcd: file with the password of store.user in its first line"},
};

static const struct conf_key ctl_keys[] = {
	{"socket", CONF_T_SOCKET, FIELD(ctl_socket), .def = RG_CTL_SOCKET,
	 .text = "UNIX socket of regatectl"},
};

static const struct conf_key wic_keys[] = {
	{"dir", CONF_T_PATH, FIELD(wic_dir),
	 .text = "folder of the web page; without it none is served"},
	{"wss", CONF_T_WSS, FIELD(wss_urls), FIELD2(n_wss_urls),
	 .text = "wss URIs handed to clients; "
		 "default wss://<dataplane.address>[:listen]/w2 and that of address6"},
};

static const struct conf_key log_keys[] = {
	{"level", CONF_T_ENUM, FIELD(log_level), .def = "info", .choices = "error|warn|info|debug",
	 .text = "least important events that are logged"},
	{"audit", CONF_T_ENUM, FIELD(audit), .def = "off", .choices = "off|all|sampled",
	 .text = "one record msg=audit.register to each REGISTER that reached the control plane, "
		 "at "
		 "any log.level: who, from where, how it ended; never a token. What workers answer "
		 "alone is counted only"},
	{"audit_sample", CONF_T_COUNT, FIELD(audit_sample), .def = "100", .min = 1, .max = 1000000,
	 .text = "audit: sampled records one in so many that went well, and all that did not"},
	{"audit_rate", CONF_T_COUNT, FIELD(audit_rate), .def = "1000", .min = 1, .max = 100000,
	 .text = "audit records per second at most; `regatectl stats` counts the others as "
		 "audit.suppressed"},
};

static const struct conf_key test_keys[] = {
	{"impair", CONF_T_WORD, FIELD(test.impair),
	 .text = "what happens to packets: seed=1,loss=15,corrupt=15,dup=2,reorder=5 (per cent), "
		 "delay=10 (ms)"},
	{"echo", CONF_T_ENUM, FIELD(test.is_echo), .def = "false", .choices = "false|true",
	 .text = "offer a WebSocket subprotocol that echoes"},
};

#define KEYS(k) .keys = (k), .n_keys = COUNT(k)
const struct conf_section conf_sections[] = {
	{"dataplane", "DPDK port, workers and connections", KEYS(dataplane_keys)},
	{"tls", "what clients see of us", KEYS(tls_keys)},
	{"certificates", "certificates for further names", KEYS(certs_keys), .is_optional = true,
	 .elem_size = sizeof(struct conf_cert), .list_off = offsetof(struct conf, certs),
	 .n_off = offsetof(struct conf, n_certs), .max_len = 100},
	{"registration", "what clients are granted", KEYS(registration_keys)},
	{"core", "the IMS core", KEYS(core_keys)},
	{"token", "tokens that we issue", KEYS(token_keys)},
	{"lifetimes", "when an identity may have its next owner", KEYS(lifetimes_keys)},
	{"wwsfs", "WWSFs, the web sides", KEYS(wwsfs_keys), .elem_size = sizeof(struct conf_wwsf),
	 .list_off = offsetof(struct conf, wwsfs), .n_off = offsetof(struct conf, n_wwsfs),
	 .min_len = 1, .max_len = 1000},
	{"pools", "pools of identities that are lent out", KEYS(pools_keys), .is_optional = true,
	 .elem_size = sizeof(struct conf_pool), .list_off = offsetof(struct conf, pools),
	 .n_off = offsetof(struct conf, n_pools), .max_len = 1000},
	{"clients", "servers that may introspect and revoke tokens", KEYS(clients_keys),
	 .is_optional = true, .elem_size = sizeof(struct conf_client),
	 .list_off = offsetof(struct conf, clients), .n_off = offsetof(struct conf, n_clients),
	 .max_len = 1000},
	{"quotas", "what anonymous users may take", KEYS(quotas_keys)},
	{"accounts", "users with a password", KEYS(accounts_keys), .is_optional = true},
	{"leases", "how many", KEYS(leases_keys)},
	{"gateway", "which one this is", KEYS(gateway_keys), .is_optional = true},
	{"store", "durable state", KEYS(store_keys)},
	{"ctl", "operator access", KEYS(ctl_keys)},
	{"wic", "the web page", KEYS(wic_keys)},
	{"log", "events on stderr", KEYS(log_keys)},
	{"test", "for regated-test only", KEYS(test_keys), .is_optional = true},
};
const size_t conf_n_sections = COUNT(conf_sections);

static void put_choices(struct rg_wr *w, const char *choices) {
	for (; *choices != '\0'; choices++) {
		if (*choices == '|')
			rg_puts(w, ", ");
		else
			rg_putc(w, *choices);
	}
}

void conf_key_range(const struct conf_key *k, char *out, size_t out_len) {
	struct rg_wr w = rg_wr(out, out_len - 1);

	switch (k->type) {
	case CONF_T_ENUM:
		put_choices(&w, k->choices);
		break;
	case CONF_T_COUNT:
	case CONF_T_SECONDS:
	case CONF_T_BYTES: {
		const char *unit = k->type == CONF_T_SECONDS ? "s" : "MiB";
		uint64_t scale = k->type == CONF_T_BYTES ? MIB : 1;

		if (k->type == CONF_T_COUNT)
			unit = "";
		rg_put_u64(&w, k->min / scale);
		rg_puts(&w, unit);
		rg_puts(&w, " to ");
		rg_put_u64(&w, k->max / scale);
		rg_puts(&w, unit);
		break;
	}
	default:
		break;
	}
	out[w.len] = '\0';
}

static void print_key(const struct conf_key *k, bool is_first_of_elem, bool is_elem, FILE *out) {
	char range[128];

	conf_key_range(k, range, sizeof(range));
	fprintf(out, "  %s%s: ", is_first_of_elem ? "- " : is_elem ? "  " : "", k->name);
	fprintf(out, "%s%s%s", conf_type_name(k->type), *range == '\0' ? "" : " ", range);
	if (k->def != NULL)
		fprintf(out, ", default %s\n", k->def);
	else
		fprintf(out, ", %s\n", k->is_required ? "required" : "optional");
	fprintf(out, "      %s\n", k->text);
}

void conf_print_schema(FILE *out) {
	for (size_t i = 0; i < conf_n_sections; i++) {
		const struct conf_section *s = &conf_sections[i];

		fprintf(out, "%s%s:  # %s%s\n", i == 0 ? "" : "\n", s->name, s->text,
			s->is_optional ? "; the section may be left out" : "");
		for (size_t j = 0; j < s->n_keys; j++)
			if (s->keys[j].type != CONF_T_REFUSED)
				print_key(&s->keys[j], s->elem_size != 0 && j == 0,
					  s->elem_size != 0, out);
	}
}
