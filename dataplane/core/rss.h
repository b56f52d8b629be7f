// SPDX-License-Identifier: BSD-3-Clause
// Which worker owns a flow. Written at start by the control thread, then read by all workers.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "net/net.h"

struct rg_dp;
struct worker;
struct rte_mbuf;
struct rte_eth_conf;
struct rte_eth_dev_info;

struct rss {
	uint8_t key[52]; // as long as any port wants; our hash uses the first 40
	struct net_toeplitz toeplitz;
	uint8_t key_len;    // of the port, 0: it spreads as it likes
	uint16_t table_len; // of hash values to workers, a power of 2
	bool is_in_port;    // the port hashes like this
	bool is_port_hash;  // what a port says of a packet is this very hash
};

// A number nobody knows who does not know the secret. Labels tell its uses apart.
enum { SECRET_RSS = 64, SECRET_FLOW_LABEL = 96 };
uint64_t secret_derive(const uint8_t secret[32], uint8_t label);

void rss_init(struct rg_dp *dp);
void rss_configure(struct rg_dp *dp, const struct rte_eth_dev_info *info,
		   struct rte_eth_conf *conf); // asks the port for it if it can
void rss_program(struct rg_dp *dp);            // once the port is started
unsigned rss_owner(const struct worker *w, const struct rte_mbuf *m); // worker of its flow
