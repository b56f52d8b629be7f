// SPDX-License-Identifier: BSD-3-Clause
// Which worker owns a flow: the Toeplitz hash of its 4-tuple under a key from the secret, looked up
// in a table that goes round the workers. A port that can is given key and table, so that it puts
// packets where they belong at once; any other hands them over by software. rss_owner() runs in
// workers, the rest on the control thread at start.
#include <rte_ethdev.h>

#include "core_int.h"
#include "regate/siphash.h"

#define SOFT_TABLE_LEN 128

uint64_t secret_derive(const uint8_t secret[32], uint8_t label) {
	uint8_t msg[24] = {[16] = label}; // longer than those of TCP

	memcpy(msg, secret + 16, 16);
	return rg_siphash(secret, msg, sizeof(msg));
}

void rss_init(struct rg_dp *dp) {
	struct rss *r = &dp->rss;

	for (uint8_t i = 0; i < NET_TOEPLITZ_KEY_LEN / 8; i++) {
		uint64_t part = secret_derive(dp->cfg->secret, SECRET_RSS + i);

		memcpy(r->key + (size_t)8 * i, &part, 8);
	}
	net_toeplitz_init(&r->toeplitz, r->key);
	r->table_len = SOFT_TABLE_LEN;
}

// TCP, the only thing that has an owner.
#define RSS_TYPES (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP)

void rss_configure(struct rg_dp *dp, const struct rte_eth_dev_info *info,
		   struct rte_eth_conf *conf) {
	// 0: the port does not say. Longer keys end in bits that no 4-tuple reaches.
	uint8_t key_len = info->hash_key_size == 0 ? NET_TOEPLITZ_KEY_LEN : info->hash_key_size;

	if (dp->n_rx_queues < 2 || (info->flow_type_rss_offloads & RSS_TYPES) != RSS_TYPES ||
	    info->reta_size == 0 || info->reta_size > RTE_ETH_RSS_RETA_SIZE_512 ||
	    !rte_is_power_of_2(info->reta_size) || key_len < NET_TOEPLITZ_KEY_LEN ||
	    key_len > sizeof(dp->rss.key))
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){.rss_key = dp->rss.key,
							       .rss_key_len = key_len,
							       .rss_hf = RSS_TYPES};
	if ((info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH) != 0) {
		conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_RSS_HASH;
		dp->rss.is_port_hash = key_len == NET_TOEPLITZ_KEY_LEN;
	}
	dp->rss.table_len = info->reta_size;
	dp->rss.key_len = key_len;
}

static unsigned worker_at(const struct rss *r, uint32_t hash, unsigned n_workers) {
	return (hash & (r->table_len - 1u)) % n_workers;
}

// Has the port taken our key? Not every driver looks at what rte_eth_dev_configure() was given.
static bool is_key_taken(const struct rg_dp *dp) {
	uint8_t key[sizeof(dp->rss.key)];
	struct rte_eth_rss_conf conf = {.rss_key_len = dp->rss.key_len, .rss_hf = RSS_TYPES};

	conf.rss_key = memcpy(key, dp->rss.key, sizeof(key));
	(void)rte_eth_dev_rss_hash_update(dp->port_id, &conf); // seen below
	memset(key, 0, sizeof(key));
	return rte_eth_dev_rss_hash_conf_get(dp->port_id, &conf) == 0 &&
	       memcmp(key, dp->rss.key, dp->rss.key_len) == 0;
}

void rss_program(struct rg_dp *dp) {
	struct rte_eth_rss_reta_entry64 table[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	struct rss *r = &dp->rss;

	if (r->key_len == 0)
		return;
	r->is_in_port = is_key_taken(dp);
	r->is_port_hash = r->is_in_port && r->is_port_hash;
	for (uint16_t i = 0; i < r->table_len; i++) {
		table[i / RTE_ETH_RETA_GROUP_SIZE].mask = UINT64_MAX;
		table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
			(uint16_t)(worker_at(r, i, dp->n_workers) % dp->n_rx_queues);
	}
	// Refused: the port spreads in its own way, and we hand over.
	(void)rte_eth_dev_rss_reta_update(dp->port_id, table, r->table_len);
}

// By connection; what belongs to none stays here.
unsigned rss_owner(const struct worker *w, const struct rte_mbuf *m) {
	const struct rss *r = w->rss;
	struct rg_addr src, dst;

	if (w->n_workers == 1)
		return w->id;
	if (r->is_port_hash && (m->ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0 &&
	    (m->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_TCP)
		return worker_at(r, m->hash.rss, w->n_workers);
	if (!net_flow(rte_pktmbuf_mtod(m, const uint8_t *), rte_pktmbuf_data_len(m), &src, &dst))
		return w->id;
	return worker_at(r, net_toeplitz_hash(&r->toeplitz, &src, &dst), w->n_workers);
}
