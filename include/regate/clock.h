// SPDX-License-Identifier: BSD-3-Clause
// Units of time. `now_ns` and every deadline inside the process are CLOCK_BOOTTIME nanoseconds,
// read once per burst or loop turn and passed down; wall time appears in tokens and on disk only.
#pragma once

#include <stdint.h>

#define RG_NS_PER_US UINT64_C(1000)
#define RG_NS_PER_MS UINT64_C(1000000)
#define RG_NS_PER_S UINT64_C(1000000000)
#define RG_NEVER UINT64_MAX // a deadline that does not come
