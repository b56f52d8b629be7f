// SPDX-License-Identifier: BSD-3-Clause
// The accounts file, line by line.
#pragma once

#include "account/account.h"

struct account_list {
	struct account *v;
	unsigned *lines; // where each came from
	size_t n, cap;
};

// 0, or negative with one line "name:line: what, cure" in err; the list is then still to be freed.
[[nodiscard]] int account_parse(const char *name, struct rg_slice text, struct account_list *out,
				char *err, size_t err_len);
void account_list_fini(struct account_list *l);
