// SPDX-License-Identifier: BSD-3-Clause
// Store in etcd (3.4 or later), shared by gateways; its JSON gateway over HTTP, on the loop, no thread.
//
//   PREFIX/lease/IMPI     the record (etcd_record.h); its revision is etcd's, see ETCD_GEN_BITS
//   PREFIX/impu/IMPU      the IMPI that has it: no two pairs have one IMPU
//   PREFIX/history/IMPI   earlier assignments
//   PREFIX/value/NAME     values
//   PREFIX/pulse/NAME     written by the gateway of that name each second
//
// etcd's leases and times are never used: a record ends by what is in it, not because a gateway was slow.
#pragma once

#include "store/store.h"

struct store_etcd_cfg {               // all stays as it is until the store is closed
	const char *const *endpoints; // "https://10.0.0.1:2379"
	size_t n_endpoints;
	const char *prefix;                 // "/regate", no slash at its end
	const char *name;                   // of this handle; no two that live have one name
	const char *ca, *certificate, *key; // PEM files; may be NULL
	const char *user, *password;        // NULL: no login
	// Another handle took the name, as this one was not heard of for seconds. May be NULL.
	void (*name_lost)(void *arg);
	void *arg;
};

// Needs the real environment. Waits for etcd, up to 10 s, and 4 s when who had the name before did not
// close its handle. RG_E_CONFLICT: the name is another's.
[[nodiscard]] int store_etcd_open(struct env *e, const struct store_etcd_cfg *cfg,
				  struct store **out, char *err, size_t err_len);
