// SPDX-License-Identifier: BSD-3-Clause
// Which worker owns a flow, against a port that was programmed to the same (net_null can) and DPDK's
// own Toeplitz hash; and what a port is told about checksums. EAL starts once per process, so the
// cases run in order in one process (CK_NOFORK).
#include <check.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_thash.h>
#include <stdlib.h>

#include "core/packet.h"

#define N_WORKERS 3
#define N_FLOWS 500

static struct rg_lease_bucket bucket;
static const struct rg_lease_table leases = {.buckets = &bucket};
static struct rg_dp_cfg cfg = {
	.port = "net_null0",
	.lcores = "0,0,0",
	.n_workers = N_WORKERS,
	.memory_mib = 128,
	.hugepages = RG_HUGE_NO,
	.mac = {2, 0, 0, 0, 0, 0x99},
	.ip_be = 0x0200000a,
	.ip6 = {0x20, 1, 0xd, 0xb8, [15] = 0x99},
	.listen_port = 443,
	.max_conns = 64,
	.tls = {.max_half_open = 4, .handshake_share = 25},
	.ws_path = "/w2",
	.leases = &leases,
	.secret = "not all zero, and longer than 16",
	.ws_ping_s = 25,
	.ws_pong_misses = 2,
	.head_timeout_s = 10,
	.idle_timeout_s = 60,
	.unbound_timeout_s = 600,
};
static struct rg_dp *dp;

START_TEST(starts) {
	char err[1024];

	ck_assert_msg(rg_dp_start(&cfg, &dp, err, sizeof(err)) == 0, "%s", err);
}
END_TEST

// Every case behind `starts` needs it.
static void need_dp(void) {
	ck_assert_msg(dp != NULL, "the dataplane did not start");
}

static struct rg_addr peer(unsigned i, bool is_v4) {
	struct rg_addr a = {.ip = {0x20, 1, 0xd, 0xb8, [14] = (uint8_t)(i >> 8), (uint8_t)i}};

	if (is_v4)
		a = rg_addr_v4(htobe32(0xc6336400 + i), 0);
	a.port = (uint16_t)(1024 + 7 * i);
	return a;
}

static struct rg_addr ours(bool is_v4) {
	struct rg_addr a = {.port = 443};

	if (is_v4)
		return rg_addr_v4(cfg.ip_be, 443);
	memcpy(a.ip, cfg.ip6, sizeof(a.ip));
	return a;
}

// A frame of the peer's, as rss_owner() sees one; only what it reads.
static struct rte_mbuf *segment(const struct rg_addr *src, const struct rg_addr *dst) {
	struct rte_mbuf *m;
	struct worker *w;
	size_t head_len;
	uint8_t *p;

	need_dp();
	w = &dp->workers[0];
	head_len = net_head_len(&w->net, dst);
	m = rte_pktmbuf_alloc(w->pool);
	ck_assert_ptr_nonnull(m);
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(head_len + 20));
	memset(p, 0, head_len + 20);
	net_put_headers(p, &w->net, w->net.mac, src, dst, 20);
	p += head_len;
	p[0] = (uint8_t)(src->port >> 8);
	p[1] = (uint8_t)src->port;
	p[2] = (uint8_t)(dst->port >> 8);
	p[3] = (uint8_t)dst->port;
	return m;
}

// What the port would do: DPDK's hash under the key it has, its table.
static uint32_t port_hash(const struct rg_addr *src, const struct rg_addr *dst,
			  const uint8_t key[40]) {
	size_t skip = rg_addr_is_v4(src) ? 12 : 0, n = 0;
	uint32_t in[9];

	for (size_t i = skip; i < 16; i += 4)
		in[n++] = rte_be_to_cpu_32(*(const unaligned_uint32_t *)(src->ip + i));
	for (size_t i = skip; i < 16; i += 4)
		in[n++] = rte_be_to_cpu_32(*(const unaligned_uint32_t *)(dst->ip + i));
	in[n++] = (uint32_t)src->port << 16 | dst->port;
	return rte_softrss(in, (uint32_t)n, key);
}

START_TEST(owner_is_where_the_port_puts_it) {
	struct rte_eth_rss_reta_entry64 table[2] = {{.mask = UINT64_MAX}, {.mask = UINT64_MAX}};
	uint8_t key[40];
	struct rte_eth_rss_conf conf = {.rss_key = key, .rss_key_len = sizeof(key)};
	unsigned per_worker[N_WORKERS] = {0};

	need_dp();
	ck_assert(dp->rss.is_in_port);
	ck_assert_uint_eq(dp->rss.table_len, 128);
	ck_assert_int_eq(rte_eth_dev_rss_hash_conf_get(dp->port_id, &conf), 0);
	ck_assert_mem_eq(key, dp->rss.key, sizeof(key));
	ck_assert_mem_ne(key, key + 8, 8); // no pattern
	ck_assert_int_eq(rte_eth_dev_rss_reta_query(dp->port_id, table, 128), 0);
	for (unsigned i = 0; i < N_FLOWS; i++) {
		struct rg_addr src = peer(i, i % 2 == 0), dst = ours(i % 2 == 0);
		uint32_t bucket_at = port_hash(&src, &dst, key) & 127;
		struct rte_mbuf *m = segment(&src, &dst);
		unsigned owner = rss_owner(&dp->workers[1], m);

		ck_assert_uint_eq(owner, table[bucket_at / 64].reta[bucket_at % 64]);
		per_worker[owner]++;
		rte_pktmbuf_free(m);
	}
	for (unsigned i = 0; i < N_WORKERS; i++)
		ck_assert_uint_gt(per_worker[i], N_FLOWS / N_WORKERS / 2);
}
END_TEST

// A port's word counts for TCP, and only from one that was told how to hash.
START_TEST(hash_of_the_port) {
	struct rg_addr src = peer(1, true), dst = ours(true);
	struct rte_mbuf *m = segment(&src, &dst);
	unsigned own = rss_owner(&dp->workers[0], m), other = (own + 1) % N_WORKERS;
	bool was = dp->rss.is_port_hash;

	m->ol_flags = RTE_MBUF_F_RX_RSS_HASH;
	m->packet_type = RTE_PTYPE_L4_TCP;
	m->hash.rss = other;
	dp->rss.is_port_hash = false;
	ck_assert_uint_eq(rss_owner(&dp->workers[0], m), own);
	dp->rss.is_port_hash = true;
	ck_assert_uint_eq(rss_owner(&dp->workers[0], m), other);
	m->packet_type = RTE_PTYPE_L4_FRAG;
	ck_assert_uint_eq(rss_owner(&dp->workers[0], m), own);
	m->packet_type = RTE_PTYPE_L4_TCP;
	m->ol_flags = 0;
	ck_assert_uint_eq(rss_owner(&dp->workers[0], m), own);
	dp->rss.is_port_hash = was;
	rte_pktmbuf_free(m);
}
END_TEST

// What is of no flow is answered where it came in.
START_TEST(no_flow_stays) {
	struct rg_addr src = peer(1, true), dst = ours(true);
	struct rte_mbuf *m = segment(&src, &dst);

	rte_pktmbuf_mtod(m, uint8_t *)[NET_ETH_LEN + 9] = 17;
	for (unsigned i = 0; i < N_WORKERS; i++)
		ck_assert_uint_eq(rss_owner(&dp->workers[i], m), i);
	rte_pktmbuf_free(m);
}
END_TEST

// packet_output() of a worker that is not running: the frame, by software and as a port that
// computes checksums wants it.
static struct rte_mbuf *output(bool has_tx_checksum, bool is_v4) {
	struct worker w = {.pool = dp->workers[0].pool,
			   .net = dp->workers[0].net,
			   .stats = &dp->stats[0].s,
			   .has_tx = true,
			   .has_tx_checksum = has_tx_checksum};
	struct tcp_out o = {.src = ours(is_v4),
			    .dst = peer(7, is_v4),
			    .mac = w.net.mac,
			    .header = {1, 0xbb, 4, 0x31, [12] = 0x50},
			    .header_len = 20,
			    .n_data = 2,
			    .data = {RG_LIT("hello, "), RG_LIT("peers")},
			    .data_len = 12};

	packet_output(&w, &o);
	ck_assert_uint_eq(w.n_tx, 1);
	return w.tx[0];
}

START_TEST(checksums) {
	need_dp();
	for (unsigned is_v4 = 0; is_v4 < 2; is_v4++) {
		struct rte_mbuf *soft = output(false, is_v4), *port = output(true, is_v4);
		size_t l3_len = is_v4 ? 20 : 40;
		uint8_t *s = rte_pktmbuf_mtod(soft, uint8_t *),
			*p = rte_pktmbuf_mtod(port, uint8_t *);
		void *l3 = s + NET_ETH_LEN, *l4 = s + NET_ETH_LEN + l3_len;
		uint16_t sum, was;

		ck_assert_uint_eq(soft->pkt_len, NET_ETH_LEN + l3_len + 32);
		ck_assert_uint_eq(soft->ol_flags, 0);
		memcpy(&was, (uint8_t *)l4 + 16, 2);
		memset((uint8_t *)l4 + 16, 0, 2);
		ck_assert_uint_eq(was, is_v4 ? rte_ipv4_udptcp_cksum(l3, l4)
					     : rte_ipv6_udptcp_cksum(l3, l4));
		memcpy((uint8_t *)l4 + 16, &was, 2);
		ck_assert_uint_eq(port->l2_len, NET_ETH_LEN);
		ck_assert_uint_eq(port->l3_len, l3_len);
		ck_assert_uint_eq(port->l4_len, 20);
		ck_assert_uint_eq(port->ol_flags,
				  RTE_MBUF_F_TX_TCP_CKSUM |
					  (is_v4 ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM
						 : RTE_MBUF_F_TX_IPV6));
		// The port sums from the TCP header on, its field holding the pseudo-header's sum.
		sum = (uint16_t)~rte_raw_cksum(p + NET_ETH_LEN + l3_len, 32);
		memcpy(p + NET_ETH_LEN + l3_len + 16, &sum, 2);
		if (is_v4) {
			sum = rte_ipv4_cksum((void *)(p + NET_ETH_LEN));
			memcpy(p + NET_ETH_LEN + 10, &sum, 2);
		}
		ck_assert_mem_eq(p, s, soft->pkt_len);
		rte_pktmbuf_free(soft);
		rte_pktmbuf_free(port);
	}
}
END_TEST

START_TEST(stops) {
	rg_dp_stop(dp);
}
END_TEST

int main(int argc, char **argv) {
	TCase *tc = tcase_create("rss");
	Suite *suite = suite_create("rss");
	static struct rg_cert_file cert;
	SRunner *runner;
	int n_failed;

	if (argc != 3)
		return EXIT_FAILURE;
	cert = (struct rg_cert_file){argv[1], argv[2]};
	cfg.certs = &cert;
	cfg.n_certs = 1;
	suite_add_tcase(suite, tc);
	tcase_set_timeout(tc, 0);
	tcase_add_test(tc, starts);
	tcase_add_test(tc, owner_is_where_the_port_puts_it);
	tcase_add_test(tc, hash_of_the_port);
	tcase_add_test(tc, no_flow_stays);
	tcase_add_test(tc, checksums);
	tcase_add_test(tc, stops);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
