// SPDX-License-Identifier: BSD-3-Clause
// Whole configurations: values and defaults, and for each kind of mistake exactly the errors that
// it deserves, at their place (F21).
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/conf_impl.h"
#include "guard.h"

#define DP "dataplane:\n  port: net_null0\n  address: 10.77.0.2/24\n" // lines 1-3
#define TLS "tls: {certificate: c.pem, key: k.pem}\n"                 // line 4
#define REG                                                        \
	"registration:\n  domain: ims.example.net\n"    /* 5, 6 */ \
	"  authz_server: https://w.example.net/login\n" /* 7 */
#define CORE                                                                        \
	"core:\n  address: 10.77.0.3:5060\n  host: e.example.net:5060\n" /* 8-10 */ \
	"  visited_network: v.example.net\n"                             /* 11 */
#define TOKEN \
	"token:\n  key: t.pem\n  issuer: https://w.example.net\n  audience: regate\n" /* 12-15 */
#define WWSFS "wwsfs:\n  - id: demo\n    origins: [https://w.example.net]\n"          // 16-18
#define STORE "store: {path: s.db}\n"                                                 // 19
#define GOOD DP TLS REG CORE TOKEN WWSFS STORE // more: from line 20

// Parses text; the messages go to *errors, which the caller frees.
static struct conf *parse(const char *text, char **errors) {
	struct rg_slice s = guard_str(text);
	size_t len;
	FILE *f = open_memstream(errors, &len);
	struct conf *c = conf_parse("f", (const char *)s.p, s.len, f);

	fclose(f);
	return c;
}

static struct conf *good(const char *text) {
	char *errors;
	struct conf *c = parse(text, &errors);

	ck_assert_msg(c != NULL, "%s", errors);
	ck_assert_str_eq(errors, "");
	free(errors);
	return c;
}

START_TEST(defaults) {
	struct conf *c = good(GOOD);
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x99};

	ck_assert_str_eq(c->dp.port, "net_null0");
	ck_assert_str_eq(c->dp.lcores, "0");
	ck_assert_uint_eq(c->dp.workers, 1);
	ck_assert_uint_eq(c->dp.memory_bytes, 256u << 20);
	ck_assert_int_eq(c->dp.hugepages, 0);
	ck_assert(!c->dp.is_busy);
	ck_assert_mem_eq(c->dp.mac, mac, 6);
	ck_assert_uint_eq(c->dp.address.ip[12], 10);
	ck_assert_uint_eq(c->dp.address.ip[15], 2);
	ck_assert_mem_eq(c->dp.address6.ip, (uint8_t[16]){0}, 16);
	ck_assert_uint_eq(c->dp.vlan, 0);
	ck_assert_uint_eq(c->dp.listen, 443);
	ck_assert_uint_eq(c->dp.connections, 4096);
	ck_assert(c->quotas.source_rate == 300 && c->quotas.wwsf_burst == 5000);
	ck_assert(c->dp.ping_s == 25 && c->dp.pong_misses == 2);
	ck_assert_uint_eq(c->tls.half_open_per_source, 256);
	ck_assert_uint_eq(c->dp.head_timeout_s, 10);
	ck_assert_uint_eq(c->dp.idle_timeout_s, 60);
	ck_assert_uint_eq(c->dp.tcp_keepalive_s, 0);
	ck_assert_str_eq(c->tls.certificate, "c.pem"); // conf_parse() has no folder
	ck_assert_uint_eq(c->reg.client_max_s, 300);
	ck_assert_uint_eq(c->reg.client_min_s, 60);
	ck_assert_uint_eq(c->reg.max_s, 3600);
	ck_assert_uint_eq(c->reg.guard_s, 10);
	ck_assert_uint_eq(c->reg.flow_grace_s, 60);
	ck_assert_uint_eq(c->reg.rate_per_s, 2);
	ck_assert_uint_eq(c->reg.rate_burst, 5);
	ck_assert(!c->reg.is_origin_optional && !c->reg.is_cseq_strict);
	ck_assert_uint_eq(c->core.address.port, 5060);
	ck_assert(!c->core.is_udp);
	ck_assert(rg_addr_is_v4(&c->core.local));
	ck_assert_uint_eq(c->core.local.port, 0);
	ck_assert_str_eq(c->core.integrity_protected, "auth-done");
	ck_assert_uint_eq(c->core.timer_f_s, 8);
	ck_assert_uint_eq(c->token.life_s, 7200);
	ck_assert_uint_eq(c->token.anonymous_life_s, 1800);
	ck_assert_uint_eq(c->life.clock_error_s, 5);
	ck_assert_uint_eq(c->life.t_sip_s, 69);
	ck_assert_uint_eq(c->life.core_slack_s, 360);
	ck_assert_uint_eq(c->life.release_guard_s, 5);
	ck_assert_uint_eq(c->n_wwsfs, 1);
	ck_assert_str_eq(c->wwsfs[0].id, "demo");
	ck_assert_uint_eq(c->wwsfs[0].n_origins, 1);
	ck_assert_uint_eq(c->n_pools, 0);
	ck_assert_ptr_null(c->accounts_file);
	ck_assert_ptr_null(c->wic_dir);
	ck_assert_str_eq(c->ctl_socket, "/run/regate/regate.sock");
	ck_assert_uint_eq(c->n_wss_urls, 1);
	ck_assert_str_eq(c->wss_urls[0], "wss://10.77.0.2/w2");
	ck_assert(c->log_level == LOG_INFO && c->audit == CONF_AUDIT_OFF);
	conf_free(c);
	conf_free(NULL);
}
END_TEST

static const char everything[] =
	"%YAML 1.1\n---\n# comment\n"
	"dataplane:\n"
	"  {port: 'net_tap0,iface=dtap0', lcores: 1-2, workers: 2, memory: 1GiB, hugepages: no,\n"
	"   idle: busy, mac: 02:AB:00:00:00:01, address: 192.0.2.6/30, listen: 8443,\n"
	"   address6: '2001:db8::6/64', vlan: 4094,\n"
	"   connections: 100, ping: 1m, pong_misses: 3, head_timeout: 5000ms, idle_timeout: 1h, "
	"tcp_keepalive: 2h}\n"
	"tls: {certificate: /c.pem, key: k.pem}\n"
	"registration:\n"
	"  {domain: ims.example.net, authz_server: 'https://[2001:db8::1]:8443/x?y=1',\n"
	"   client_max: 10m, client_min: 30s, max: 1d, guard: 0s, flow_grace: 0s, rate: 10,\n"
	"   rate_burst: 20, cseq: strict, origin: allow}\n"
	"core:\n"
	"  {address: '[2001:db8::3]:5060', transport: udp, local: '[2001:db8::2]:5070',\n"
	"   host: '[2001:db8::2]:5070', visited_network: v, integrity_protected: tls-yes,\n"
	"   timer_f: 32s}\n"
	"token: {key: t.pem, issuer: i, audience: a, life: 2d, anonymous_life: 31s}\n"
	"lifetimes: {clock_error: 1s, t_sip: 32s, core_slack: 2m, release_guard: 0s}\n"
	"wwsfs:\n"
	"  - id: one\n"
	"    origins: [HTTPS://One.example.net:443, 'http://localhost:8080']\n"
	"  - {id: two, origins: ['https://[2001:DB8:0::1]']}\n"
	"pools:\n"
	"  - {name: p1, wwsf: two, file: p1.txt, anonymous: allow}\n"
	"  - {name: p2, wwsf: one, file: /p2.txt}\n"
	"accounts: {file: a.txt, wwsf: two}\n"
	"store: {path: s.db}\n"
	"ctl: {socket: s.sock}\n"
	"wic: {dir: page, wss: ['wss://a.example.net/w2', 'wss://b.example.net:8443']}\n"
	"log: {level: debug}\n"
	"...\n";

START_TEST(all_set) {
	struct conf *c = good(everything);

	ck_assert_str_eq(c->dp.port, "net_tap0,iface=dtap0");
	ck_assert_str_eq(c->dp.lcores, "1-2");
	ck_assert_uint_eq(c->dp.workers, 2);
	ck_assert_uint_eq(c->dp.memory_bytes, 1u << 30);
	ck_assert_int_eq(c->dp.hugepages, 2);
	ck_assert(c->dp.is_busy);
	ck_assert_uint_eq(c->dp.mac[1], 0xab);
	ck_assert_uint_eq(c->dp.address.ip[15], 6);
	ck_assert_uint_eq(c->dp.address6.ip[15], 6);
	ck_assert_uint_eq(c->dp.vlan, 4094);
	ck_assert_uint_eq(c->dp.listen, 8443);
	ck_assert_uint_eq(c->dp.connections, 100);
	ck_assert_uint_eq(c->dp.ping_s, 60);
	ck_assert_uint_eq(c->dp.head_timeout_s, 5);
	ck_assert_uint_eq(c->dp.idle_timeout_s, 3600);
	ck_assert_uint_eq(c->dp.tcp_keepalive_s, 7200);
	ck_assert_uint_eq(c->reg.max_s, 86400);
	ck_assert_uint_eq(c->reg.guard_s, 0);
	ck_assert(c->reg.is_origin_optional && c->reg.is_cseq_strict);
	ck_assert(c->core.is_udp);
	ck_assert_uint_eq(c->core.local.port, 5070);
	ck_assert_uint_eq(c->core.local.ip[15], 2);
	ck_assert_str_eq(c->core.host, "[2001:db8::2]:5070");
	ck_assert_uint_eq(c->life.core_slack_s, 120);
	ck_assert_uint_eq(c->n_wwsfs, 2);
	ck_assert_str_eq(c->wwsfs[0].origins[0], "https://one.example.net");
	ck_assert_str_eq(c->wwsfs[0].origins[1], "http://localhost:8080");
	ck_assert_str_eq(c->wwsfs[1].origins[0], "https://[2001:db8::1]");
	ck_assert_uint_eq(c->n_pools, 2);
	ck_assert_uint_eq(c->pools[0].wwsf, 1);
	ck_assert(c->pools[0].is_anonymous);
	ck_assert_uint_eq(c->pools[1].wwsf, 0);
	ck_assert(!c->pools[1].is_anonymous);
	ck_assert_str_eq(c->accounts_file, "a.txt");
	ck_assert_uint_eq(c->accounts_wwsf, 1);
	ck_assert_str_eq(c->ctl_socket, "s.sock");
	ck_assert_uint_eq(c->n_wss_urls, 2);
	ck_assert_str_eq(c->wss_urls[1], "wss://b.example.net:8443");
	ck_assert_int_eq(c->log_level, LOG_DEBUG);
	conf_free(c);
}
END_TEST

START_TEST(derived) {
	struct conf *c = good(
		"dataplane: {port: p, address: 10.0.0.1/8, listen: 8443}\n" TLS REG
		"core: {address: '[2001:db8::3]:5060', host: 'e:1', visited_network: v}\n" TOKEN
			WWSFS STORE "pools:\nwic: {}\naccounts: {file: f, wwsf: demo}\n");

	ck_assert_str_eq(c->wss_urls[0], "wss://10.0.0.1:8443/w2");
	ck_assert_uint_eq(c->n_wss_urls, 1);
	ck_assert(!rg_addr_is_v4(&c->core.local)); // [::], as the peer is IPv6
	conf_free(c);
	c = good("dataplane: {port: p, address6: '2001:db8:0::2/64'}\n" TLS REG
		 "core: {address: '10.0.0.3:5060', host: 'e:1', visited_network: v}\n" TOKEN WWSFS
			 STORE);
	ck_assert_uint_eq(c->n_wss_urls, 1);
	ck_assert_str_eq(c->wss_urls[0], "wss://[2001:db8::2]/w2");
	conf_free(c);
	c = good("dataplane: {port: p, address6: '2001:db8::2/64', address: 10.0.0.1/8, listen: "
		 "8443}\n" TLS REG
		 "core: {address: '10.0.0.3:5060', host: 'e:1', visited_network: v}\n" TOKEN WWSFS
			 STORE);
	ck_assert_uint_eq(c->n_wss_urls, 2);
	ck_assert_str_eq(c->wss_urls[0], "wss://10.0.0.1:8443/w2");
	ck_assert_str_eq(c->wss_urls[1], "wss://[2001:db8::2]:8443/w2");
	conf_free(c);
}
END_TEST

#define SET(section, line) GOOD section ":\n  " line "\n" // lines 20, 21: value behind "  key: "

// Each text has exactly these errors: place and a phrase of the message.
static const struct {
	const char *text;
	struct {
		const char *place, *phrase;
	} want[4];
} errors[] = {
	// --- YAML itself
	{"", {{"f:1:1:", "no configuration is in it"}}},
	{"# nothing\n", {{"f:1:1:", "no configuration is in it"}}},
	{"- a\n", {{"f:1:1:", "no configuration is in it"}}},
	{"just text\n", {{"f:1:1:", "no configuration is in it"}}},
	{GOOD "log: {level: info\n", {{"f:21:1:", "YAML syntax"}}},
	{GOOD "log:\n\tlevel: info\n", {{"f:21:1:", "YAML syntax"}}},
	{GOOD "log: 'x\n", {{"f:21:1:", "YAML syntax"}}},
	{GOOD "log:\n  level: in\xffo\n", {{"f:21:12:", "not UTF-8"}}},
	{GOOD "log:\n  level: \xc3\xa9\xff\n", {{"f:21:11:", "not UTF-8"}}},
	{GOOD "log:\n  level: &x info\n", {{"f:21:10:", "anchors ('&x') are not supported"}}},
	{GOOD "log: &y {level: info}\n", {{"f:20:6:", "anchors ('&y')"}}},
	{GOOD "wic:\n  wss: &z [wss://a/w2]\n", {{"f:21:8:", "anchors ('&z')"}}},
	{GOOD "log:\n  level: *x\n", {{"f:21:10:", "aliases ('*x') are not supported"}}},
	{GOOD "log:\n  level: !!str info\n", {{"f:21:10:", "tags ('tag:yaml.org,2002:str')"}}},
	{GOOD "log:\n  level: ! info\n", {{"f:21:10:", "tags ('!')"}}},
	{GOOD "log: !t {level: info}\n", {{"f:20:6:", "tags ('!t')"}}},
	{GOOD "log:\n  <<: {level: info}\n", {{"f:21:3:", "key '<<' unknown in log"}}},
	{"%TAG !e! tag:x\n---\n" GOOD, {{"f:1:1:", "%TAG directives are not supported"}}},
	{GOOD "---\nlog: {}\n", {{"f:20:1:", "a second document begins here"}}},
	{GOOD "? [a]\n: b\n", {{"f:20:3:", "a key must be a plain word"}}},
	{GOOD "log:\n  level: \"in\\0fo\"\n", {{"f:21:10:", "NUL character"}}},
	{GOOD "x: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n",
	 {{"f:20:19:", "nested deeper than 16"}}},
	{GOOD "log: {level: info, level: loud}\n",
	 {{"f:20:20:", "key 'level' stands here twice, first in line 20"}}},
	{GOOD "store: {path: other}\n",
	 {{"f:20:1:", "key 'store' stands here twice, first in line 19"}}},
	// --- unknown keys
	{GOOD "loog: {}\n", {{"f:20:1:", "section 'loog' unknown, did you mean 'log'?"}}},
	{GOOD "lifetiem: {}\n", {{"f:20:1:", "did you mean 'lifetimes'?"}}},
	{GOOD "listen: 443\n", {{"f:20:1:", "'listen' is a key of dataplane, indent it"}}},
	{GOOD "kubernetes: {}\n", {{"f:20:1:", "section 'kubernetes' unknown: remove it"}}},
	{SET("log", "levle: info"),
	 {{"f:21:3:", "key 'levle' unknown in log, did you mean 'level'?"}}},
	{SET("log", "elvle: info"), {{"f:21:3:", "did you mean 'level'?"}}}, // two swaps
	{SET("lifetimes", "tsip: 3s"), {{"f:21:3:", "did you mean 't_sip'?"}}},
	{SET("lifetimes", "client_max: 3s"), {{"f:21:3:", "it belongs under registration"}}},
	{SET("ctl", "id: 3"), {{"f:21:3:", "it belongs under wwsfs"}}},
	{SET("lifetimes", "quarantine: 3s"),
	 {{"f:21:3:", "use one of clock_error, t_sip, core_slack, release_guard"}}},
	// --- missing
	{TLS REG CORE TOKEN WWSFS STORE,
	 {{"f:1:1:", "dataplane.port is missing: add it, a word"},
	  {"f:1:1:", "dataplane has no address: add address, address6, or both"}}},
	{DP "tls:\n  key: k\n" REG CORE TOKEN WWSFS STORE,
	 {{"f:4:1:", "tls.certificate is missing"}}},
	{DP TLS REG CORE TOKEN STORE, {{"f:1:1:", "wwsfs needs at least one element"}}},
	{DP TLS REG CORE TOKEN STORE "wwsfs: []\npools: [{name: p, wwsf: d, file: f}]\n",
	 {{"f:17:1:", "wwsfs needs at least one element"}}},
	{DP TLS REG CORE TOKEN STORE "wwsfs:\n", {{"f:17:1:", "wwsfs needs at least one element"}}},
	{GOOD "pools:\n  - name: p\n    file: f\n", {{"f:21:5:", "pools.wwsf is missing"}}},
	{GOOD "accounts:\n",
	 {{"f:20:1:", "accounts.file is missing"}, {"f:20:1:", "accounts.wwsf is missing"}}},
	// --- wrong kinds
	{GOOD "log: info\n",
	 {{"f:20:6:", "log: a single value stands here, write its keys below"}}},
	{GOOD "log: [info]\n", {{"f:20:6:", "log: a list stands here"}}},
	{GOOD "pools: {name: p}\n",
	 {{"f:20:8:", "pools: a map stands here, write a list of maps"}}},
	{GOOD "pools: [p]\n",
	 {{"f:20:9:", "pools: a single value stands here, write '- name: ...'"}}},
	{SET("log", "level: [info]"),
	 {{"f:21:10:", "log.level: a list stands here, write one of"}}},
	{SET("log", "level: {a: b}"), {{"f:21:10:", "log.level: a map stands here"}}},
	{SET("log", "level:"), {{"f:21:9:", "log.level has no value"}}},
	{SET("log", "level: ~"), {{"f:21:10:", "log.level has no value"}}},
	{SET("log", "level: ''"), {{"f:21:10:", "log.level has no value"}}},
	{SET("wic", "wss: wss://a/w2"),
	 {{"f:21:8:", "wic.wss: a single value stands here, write a list"}}},
	{SET("wic", "wss: []"), {{"f:21:8:", "wic.wss is an empty list"}}},
	{SET("wic", "wss: [{a: b}]"), {{"f:21:9:", "a map stands here, write a single value"}}},
	{SET("wic", "wss: [wss://a, x, ws://b]"),
	 {{"f:21:18:", "'x' is no wss URI"}, {"f:21:21:", "'ws://b' is no wss URI"}}},
	// --- single values reach the message with section and key; see test_conf_value.c for all types
	{SET("lifetimes", "t_sip: 69"),
	 {{"f:21:10:", "lifetimes.t_sip: '69' has no unit: write 69s"}}},
	{SET("lifetimes", "t_sip: 0s"), {{"f:21:10:", "'0s' is out of range: write 1s to 600s"}}},
	{SET("log", "level: loud"),
	 {{"f:21:10:", "'loud' is not offered: write one of error, warn"}}},
	// --- across keys
	{GOOD "pools: [{name: p, wwsf: dmo, file: f}]\n",
	 {{"f:20:25:", "pools.wwsf: no WWSF has the id 'dmo'"}}},
	{GOOD "accounts: {file: f, wwsf: x}\n",
	 {{"f:20:27:", "accounts.wwsf: no WWSF has the id 'x'"}}},
	{GOOD "pools:\n- {name: p, wwsf: demo, file: f}\n- {name: q, wwsf: demo, file: f}\n"
	      "- {name: p, wwsf: demo, file: g}\n",
	 {{"f:23:10:", "pools.name: 'p' is there already"}}},
	{DP TLS REG CORE TOKEN WWSFS "  - id: demo\n    origins: [https://x.example.net]\n" STORE,
	 {{"f:19:9:", "wwsfs.id: 'demo' is there already"}}},
	{DP TLS REG CORE TOKEN WWSFS
	 "  - id: two\n    origins: [https://x, HTTPS://W.example.net:443]\n" STORE,
	 {{"f:20:26:", "'https://w.example.net' is an origin of WWSF 'demo' already"}}},
	{DP TLS REG CORE TOKEN WWSFS "  - id: two\n    origins: [https://x, https://x]\n" STORE,
	 {{"f:20:26:", "'https://x' is an origin of WWSF 'two' already"}}},
	{DP TLS REG CORE TOKEN WWSFS
	 "  - id: two\n    origins: [ftp://x, https://w.example.net]\n" STORE,
	 {{"f:20:15:", "begins neither with https:// nor http://"}}},
	{DP TLS REG CORE TOKEN "wwsfs:\n  - id: a b\n    origins: [https://x]\n" STORE
			       "accounts: {file: f, wwsf: a b}\n",
	 {{"f:17:9:", "'a b' is no name"}}},
	{DP TLS REG "  client_min: 301s\n" CORE TOKEN WWSFS STORE,
	 {{"f:8:15:",
	   "registration.client_min (301s) must be at most registration.client_max (300s)"}}},
	{DP TLS REG "  max: 299s\n" CORE TOKEN WWSFS STORE,
	 {{"f:5:1:", "registration.client_max (300s) must be at most registration.max (299s)"}}},
	{DP TLS REG "  client_max: 2h\n" CORE TOKEN WWSFS STORE,
	 {{"f:8:15:", "registration.client_max (7200s) must be at most registration.max (3600s)"}}},
	{DP TLS REG "  guard: 1h\n" CORE TOKEN WWSFS STORE,
	 {{"f:8:10:", "registration.guard (3600s) must be less than registration.max (3600s)"}}},
	{SET("lifetimes", "t_sip: 7s"),
	 {{"f:21:10:", "core.timer_f (8s) must be at most lifetimes.t_sip (7s)"}}},
	{DP TLS REG CORE TOKEN "  life: 60s\n  anonymous_life: 1m\n" WWSFS STORE,
	 {{"f:16:9:", "registration.client_min (60s) must be less than token.life (60s)"},
	  {"f:17:19:", "must be less than token.anonymous_life (60s)"}}},
	{DP TLS REG CORE "  local: '[::1]:5060'\n" TOKEN WWSFS STORE,
	 {{"f:12:10:", "one is IPv4, the other IPv6"}}},
	// --- INV-8: the maximum registration duration is one number
	{DP TLS REG CORE TOKEN WWSFS "    max: 600s\n" STORE,
	 {{"f:19:5:",
	   "wwsfs.max: the maximum registration duration is one number for all WWSFs (INV-8)"}}},
	{DP TLS REG CORE TOKEN WWSFS "    registration: {max: 600s}\n" STORE,
	 {{"f:19:5:", "(INV-8)"}}},
	{DP TLS REG CORE TOKEN WWSFS "    registration_max: 600s\n" STORE,
	 {{"f:19:5:", "(INV-8)"}}},
	{DP TLS REG CORE TOKEN WWSFS "    t_reg: 600s\n" STORE, {{"f:19:5:", "(INV-8)"}}},
	{GOOD "pools: [{name: p, wwsf: demo, file: f, max: 600s}]\n",
	 {{"f:20:40:", "set registration.max"}}},
	// --- many at once, in the order of the file
	{"registration: {client_min: 400s, guard: 5}\n" DP TLS CORE TOKEN WWSFS STORE "loog: {}\n",
	 {{"f:1:1:", "registration.domain is missing"},
	  {"f:1:1:", "registration.authz_server is missing"},
	  {"f:1:28:", "must be at most registration.client_max (300s)"},
	  {"f:1:41:", "'5' has no unit"}}},
};

// The last row has one error more than its list has room for: the misspelt section.
static size_t n_wanted(size_t i) {
	size_t n = 0;

	while (n < 4 && errors[i].want[n].place != NULL)
		n++;
	return n;
}

START_TEST(error_table) {
	char *text, *line, *rest;
	size_t i = (size_t)_i, n = 0;

	ck_assert_ptr_null(parse(errors[i].text, &text));
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		if (n == 4)
			ck_assert_msg(strstr(line, "'loog'") != NULL, "%s", line);
		else
			ck_assert_msg(n < n_wanted(i) &&
					      strncmp(line, errors[i].want[n].place,
						      strlen(errors[i].want[n].place)) == 0 &&
					      strstr(line, errors[i].want[n].phrase) != NULL,
				      "error %zu: got '%s' for\n%s", n, line, errors[i].text);
		n++;
	}
	ck_assert_msg(n >= n_wanted(i), "%zu errors only for\n%s", n, errors[i].text);
	free(text);
}
END_TEST

START_TEST(token_keys) {
	static const struct {
		const char *keys, *error; // NULL: good, with a.pem and /b.pem
	} cases[] = {
		{"keys: [a.pem, /b.pem]", NULL},
		{"issuer_: x", "token has no key: add keys"},
		{"key: a.pem, keys: [/b.pem]", "token.key and token.keys are the same"},
		{"keys: [a, b, c, d, e, f, g, h, i]", "token.keys has 9 files: write at most 8"},
	};
	const char *at = strstr(everything, "key: t.pem");
	char text[8192], *errs;
	struct conf *c;

	for (size_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - everything), everything,
			 cases[i].keys, at + strlen("key: t.pem"));
		c = parse(text, &errs);
		ck_assert_msg((c != NULL) == (cases[i].error == NULL), "%s", errs);
		ck_assert_msg(c != NULL || strstr(errs, cases[i].error) != NULL, "%s", errs);
		ck_assert(c == NULL || strcmp(c->token.keys[1], "/b.pem") == 0);
		conf_free(c);
		free(errs);
	}
}
END_TEST

// By the schema, so that no key can be forgotten.
START_TEST(every_required_key_is_missed) {
	for (size_t i = 0; i < conf_n_sections; i++) {
		const struct conf_section *s = &conf_sections[i];
		char text[64], want[128], *errs;

		snprintf(text, sizeof(text), "%s: %s\n", s->name,
			 s->elem_size != 0 ? "[{}]" : "{}");
		ck_assert_ptr_null(parse(text, &errs));
		for (size_t j = 0; j < s->n_keys; j++) {
			ck_assert(s->name != NULL && s->keys[j].name != NULL);
			snprintf(want, sizeof(want), "f:1:%d: %s.%s is missing: add it, ",
				 s->elem_size != 0 ? (int)strlen(s->name) + 4 : 1, s->name,
				 s->keys[j].name);
			ck_assert_msg((strstr(errs, want) != NULL) == s->keys[j].is_required,
				      "'%s' in\n%s", want, errs);
		}
		free(errs);
	}
}
END_TEST

START_TEST(every_key_refuses_a_control_character) {
	for (size_t i = 0; i < conf_n_sections; i++) {
		const struct conf_section *s = &conf_sections[i];

		for (size_t j = 0; j < s->n_keys; j++) {
			char text[256], want[128], *errs;

			snprintf(text, sizeof(text), "%s:\n  %s%s: \"a\\nb\"\n", s->name,
				 s->elem_size != 0 ? "- " : "", s->keys[j].name);
			snprintf(want, sizeof(want), "%s.%s: ", s->name, s->keys[j].name);
			ck_assert_ptr_null(parse(text, &errs));
			if (s->keys[j].type != CONF_T_WWSF) // nothing to refer to here
				ck_assert_msg(strstr(errs, want) != NULL, "no '%s' in\n%s", want,
					      errs);
			ck_assert_ptr_null(strstr(errs, "bad default"));
			free(errs);
		}
	}
}
END_TEST

START_TEST(messages_are_clean) {
	char *errs;

	ck_assert_ptr_null(parse(GOOD "log: {level: \"\\e[31m\\nx\"}\n", &errs));
	ck_assert_str_eq(errs, "f:20:14: log.level: '\\x1b[31m\\x0ax' is not offered: write one of "
			       "error, warn, info, debug\n");
	free(errs);
}
END_TEST

START_TEST(too_large) {
	size_t len = (1u << 20) + 1;
	char *text = malloc(len), *errs;
	FILE *f;

	memset(text, '#', len);
	f = open_memstream(&errs, &(size_t){0});
	ck_assert_ptr_null(conf_parse("f", text, len, f));
	fclose(f);
	ck_assert_ptr_nonnull(strstr(errs, "f:1:1: larger than 1 MiB"));
	free(errs);
	free(text);
}
END_TEST

// Whatever is cut off, the parser ends, tells at least one error, and reads nothing past the end.
START_TEST(every_prefix) {
	size_t n_good = 0;

	for (size_t len = 0; len < sizeof(everything) - 1; len++) {
		struct rg_slice s = guard_copy(rg_slice(everything, len));
		FILE *f;
		char *errs;
		size_t errs_len;
		struct conf *c;

		f = open_memstream(&errs, &errs_len);
		c = conf_parse("f", (const char *)s.p, s.len, f);
		fclose(f);
		ck_assert((c != NULL) == (errs_len == 0));
		n_good += c != NULL;
		conf_free(c);
		free(errs);
	}
	ck_assert_uint_ge(n_good, 1);
}
END_TEST

static void write_file(const char *path, const char *text) {
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

START_TEST(load_takes_paths_from_its_folder) {
	char dir[] = "/tmp/regate-test-XXXXXX", path[64], want[64], *errs;
	size_t errs_len;
	struct conf *c;
	FILE *f = open_memstream(&errs, &errs_len);

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/r.yaml", dir);
	write_file(path, everything);
	c = conf_load(path, f);
	ck_assert_ptr_nonnull(c);
	ck_assert_str_eq(c->tls.certificate, "/c.pem");
	snprintf(want, sizeof(want), "%s/k.pem", dir);
	ck_assert_str_eq(c->tls.key, want);
	snprintf(want, sizeof(want), "%s/p1.txt", dir);
	ck_assert_str_eq(c->pools[0].file, want);
	ck_assert_str_eq(c->pools[1].file, "/p2.txt");
	snprintf(want, sizeof(want), "%s/s.sock", dir);
	ck_assert_str_eq(c->ctl_socket, want);
	conf_free(c);
	ck_assert_int_eq(chdir(dir), 0);
	c = conf_load("r.yaml", f);
	ck_assert_ptr_nonnull(c);
	ck_assert_str_eq(c->tls.key, "./k.pem");
	conf_free(c);
	write_file(path, "log: {level: x}\n");
	ck_assert_ptr_null(conf_load("r.yaml", f));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_ptr_null(conf_load("r.yaml", f));
	fclose(f);
	ck_assert_ptr_nonnull(strstr(errs, "r.yaml:1:14: log.level: 'x' is not offered"));
	ck_assert_ptr_nonnull(strstr(errs, "r.yaml:1:1: cannot read it: No such file"));
	free(errs);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(schema_is_printed) {
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	conf_print_schema(f);
	fclose(f);
	for (size_t i = 0; i < conf_n_sections; i++) {
		for (size_t j = 0; j < conf_sections[i].n_keys; j++) {
			const struct conf_key *k = &conf_sections[i].keys[j];

			ck_assert((strstr(text, k->text) != NULL) == (k->type != CONF_T_REFUSED));
		}
	}
	ck_assert_ptr_nonnull(strstr(text, "  workers: a whole number 1 to 64, default 1\n"));
	ck_assert_ptr_nonnull(
		strstr(text, "  memory: a size 64MiB to 1048576MiB, default 256MiB\n"));
	ck_assert_ptr_nonnull(strstr(text, "  hugepages: one of auto, yes, no, default auto\n"));
	ck_assert_ptr_nonnull(strstr(text, "  - id: a name, required\n"));
	ck_assert_ptr_nonnull(strstr(text, "    origins: a list of origins, required\n"));
	ck_assert_ptr_nonnull(strstr(text, "  dir: a path, optional\n"));
	free(text);
}
END_TEST

int main(void) {
	Suite *s = suite_create("conf");
	TCase *tc = tcase_create("conf");
	SRunner *sr = srunner_create(s);
	int n_failed;

	suite_add_tcase(s, tc);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, all_set);
	tcase_add_test(tc, derived);
	tcase_add_loop_test(tc, error_table, 0, sizeof(errors) / sizeof(errors[0]));
	tcase_add_test(tc, token_keys);
	tcase_add_test(tc, every_required_key_is_missed);
	tcase_add_test(tc, every_key_refuses_a_control_character);
	tcase_add_test(tc, messages_are_clean);
	tcase_add_test(tc, too_large);
	tcase_add_test(tc, every_prefix);
	tcase_add_test(tc, load_takes_paths_from_its_folder);
	tcase_add_test(tc, schema_is_printed);
	srunner_run_all(sr, CK_NORMAL);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
