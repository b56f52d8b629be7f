// SPDX-License-Identifier: BSD-3-Clause
// Operator protocol on the UNIX stream socket: each message is a 4-byte big-endian length and one
// JSON object of that length. One request, one answer, any number per connection.
//   request  {"cmd":"lease show","args":{"lease":"17"}}
//   answer   {"schema":"regate.lease/1","ok":true,"data":{...}}
//            {"schema":"regate.error/1","ok":false,"code":1,"error":"lease 17 is not leased"}
#pragma once

#define RG_CTL_MAX (1u << 20) // bytes of one message
#define RG_CTL_SOCKET "/run/regate/regate.sock"

enum rg_ctl_exit { // exit codes of regatectl, "code" of an answer
	RG_CTL_DONE = 0,
	RG_CTL_REFUSED = 1,
	RG_CTL_USAGE = 2,
	RG_CTL_NO_DAEMON = 3,
	RG_CTL_NOT_FOUND = 5,
	RG_CTL_PARTIAL = 7, // part of it was refused
};
