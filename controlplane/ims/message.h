// SPDX-License-Identifier: BSD-3-Clause
// The REGISTER towards the core, header by header (ims.md 1.5), and what its 200 says (1.6).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "ims/contact.h"
#include "regate/sip.h"
#include "regate/token.h"

#define MESSAGE_MAX_REMOVED 4 // Contacts ended by one REGISTER

struct message_register {
	const struct conf *conf;
	const char *impi, *impu;
	struct rg_slice handle;  // user part of the Path
	bool has_ob;             // Path is a flow of RFC 5626: the client offered all of it
	bool is_outbound_hidden; // do not list outbound in Supported
	bool is_udp;             // Via; the Path says what conf says
	struct rg_slice branch, from_tag, call_id, icid;
	uint32_t cseq;
	uint32_t expires;                             // of contact and of the Expires header
	struct rg_slice contact;                      // element without expires; len 0 = none
	struct rg_slice removed[MESSAGE_MAX_REMOVED]; // elements without expires, sent with 0
	unsigned n_removed;
	bool is_star; // Contact: * (RFC 3261 10.2.2); expires is 0
};

// l<idx>.g<gen>.<MAC>: names the assignment, cannot be made up by others (RFC 5626 5.2).
void message_put_handle(struct rg_wr *w, struct rg_digester *d, uint32_t idx, uint64_t gen);
// The lease that such a handle names. False: it is none of this process's.
bool message_read_handle(struct rg_slice handle, struct rg_digester *d, uint32_t *idx,
			 uint64_t *gen);
void message_put_path(struct rg_wr *w, const struct message_register *r); // the value
void message_put_register(struct rg_wr *w, const struct message_register *r);

struct message_granted { // of a 200 to our REGISTER; slices borrow the message
	bool is_bound;   // our contact is among them
	uint32_t expires;
	struct contact foreign[MESSAGE_MAX_REMOVED]; // bound, and not ours
	unsigned n_foreign;
};

// requested: what the core grants when it names no time at all.
void message_parse_granted(const struct sip_msg *m, const struct contact *ours, uint32_t requested,
			   struct message_granted *out);
// Whole lines for the client's 200: Service-Route, P-Associated-URI, Path, Supported, Require.
// own_path stands in when the core did not echo it (RFC 3327 5.3 asks it to).
void message_put_client_lines(struct rg_wr *w, const struct sip_msg *m, struct rg_slice own_path,
			      bool has_ob);
// Value of a header that holds seconds (Min-Expires, Retry-After: "5 (busy);duration=60").
bool message_seconds(const struct sip_msg *m, enum sip_hdr_id id, uint32_t *out);
// sip: URIs of P-Associated-URI that are not impu (INV-2 wants none for a pool pair).
unsigned message_count_other_ids(const struct sip_msg *m, const char *impu);
// The i-th of them; false past the last.
bool message_other_id(const struct sip_msg *m, const char *impu, unsigned i, struct rg_slice *uri);
