// SPDX-License-Identifier: BSD-3-Clause
// The gateway's stage histograms in a result.
#pragma once

#include "regate/stage.h"
#include "result.h"

// s: what came in one run. Of each stage that has samples, histogram stage_NAME (ns) grows by them,
// and series stage_NAME_share gets its part of the time.
void stages_report(struct result *r, const struct rg_stages *s, double cycles_per_ns);
