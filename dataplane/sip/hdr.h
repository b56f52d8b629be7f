// SPDX-License-Identifier: BSD-3-Clause
// Header names to ids.
#pragma once

#include "regate/sip.h"

enum sip_hdr_id sip_hdr_id(struct rg_slice name); // SIP_HDR_OTHER when it has none
