// SPDX-License-Identifier: BSD-3-Clause
// Ranges of keys read page by page; part of the etcd store.
#pragma once

#include "core/http_client.h"
#include "store/etcd_json.h"

#define ETCD_KEY_MAX 2048

struct store_etcd;

struct etcd_scan { // all keys of a range, page by page
	struct env_timer timer;
	struct store_etcd *s;
	struct http_request *req;
	uint64_t end_ns; // gives up; RG_NEVER: does not
	uint64_t revision, first_revision, min_mod_revision;
	unsigned member;
	uint8_t key[ETCD_KEY_MAX], end[ETCD_KEY_MAX];
	size_t key_len, end_len;
	int rc;
	bool is_busy;
	int (*kv)(void *arg, const struct etcd_kv *kv); // nonzero ends it
	void (*done)(void *arg, int rc);
	void *arg;
};

// [PREFIX/from, PREFIX/to) at one revision, unless that is compacted meanwhile. The rest of sc is set.
void etcd_scan_start(struct etcd_scan *sc, const char *from, const char *to);
// The same, and waits for its end.
[[nodiscard]] int etcd_scan_run(struct etcd_scan *sc, const char *from, const char *to);
void etcd_scan_stop(struct etcd_scan *sc);
