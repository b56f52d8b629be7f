// SPDX-License-Identifier: BSD-3-Clause
// A REGISTER of the usual form, cut where one client's differ from each other: the branch of its Via,
// the tag of its From, the number of its CSeq. Whoever has accepted one needs no grammar for
// another that is the same in all the rest. Any thread; borrows, never allocates.
#pragma once

#include "regate/sip.h"

#define SIP_AGAIN_PARTS 4
#define SIP_AGAIN_MAX 2048 // bytes of such a message

struct sip_again {
	struct rg_slice
		same[SIP_AGAIN_PARTS]; // what is not cut out, in order; 16 bytes or more each
	struct sip_register r;         // see below
};

// False when in has another form, or perhaps none. Where it is true:
// - what is cut out is, for sip_parse() and sip_register_parse(), good in its place: another message
//   of the same parts that is cut, too, is as good as this one, and its view differs in nothing
//   but via.branch, from_tag and cseq;
// - a->r has, if the message is good, from_tag, call_id, cseq, n_contacts, contact, has_expires,
//   expires; the rest of it is 0. Does it agree with the view? sip_again_is() tells, which holds for
//   all messages of the same parts;
// - m has what sip_put_answer() reads, and what sip_parse() would have put into raw, method, cseq.
[[nodiscard]] bool sip_again_cut(struct rg_slice in, struct sip_again *a, struct sip_msg *m);

// Is a->r the view r of the same message, in what it has? And has r credentials, once?
bool sip_again_is(const struct sip_again *a, const struct sip_register *r);
