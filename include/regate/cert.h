// SPDX-License-Identifier: BSD-3-Clause
// Server certificates between the planes: which files, and what is in them.
#pragma once

#include <stdint.h>

// A certificate that ends sooner is worth a warning.
#define RG_CERT_WARN_S (14 * 86400)

struct rg_cert_file { // PEM
	const char *certificate, *key;
};

struct rg_cert_info {
	const char *file; // of the certificate; borrowed from the configuration
	char subject[256];
	char names[1024];   // "gw.example.net, *.example.net"; cut when there are more
	char serial[64];    // hex
	int64_t not_before; // UTC, seconds since 1970
	int64_t not_after;
};
