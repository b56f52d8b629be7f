// SPDX-License-Identifier: BSD-3-Clause
// Look-up of headers in a parsed message. Any thread.
#include "hdr.h"

static const struct sip_hdr *find(const struct sip_msg *m, const struct sip_hdr *h,
				  enum sip_hdr_id id) {
	for (; h < m->hdrs + m->n_hdrs; h++)
		if (h->id == id)
			return h;
	return NULL;
}

const struct sip_hdr *sip_hdr_first(const struct sip_msg *m, enum sip_hdr_id id) {
	return find(m, m->hdrs, id);
}

const struct sip_hdr *sip_hdr_next(const struct sip_msg *m, const struct sip_hdr *h) {
	return find(m, h + 1, h->id);
}

// Long name of a registered compact form that has no id here, else empty.
static struct rg_slice long_name(struct rg_slice name) {
	static const struct {
		uint8_t compact;
		const char *name;
	} names[] = {
		{'e', "content-encoding"},    // RFC 3261 20.12
		{'s', "subject"},             // RFC 3261 20.36
		{'u', "allow-events"},        // RFC 6665 8.2.2
		{'r', "refer-to"},            // RFC 3515 2.1
		{'b', "referred-by"},         // RFC 3892 3
		{'x', "session-expires"},     // RFC 4028 4
		{'a', "accept-contact"},      // RFC 3841 9.2
		{'j', "reject-contact"},      // RFC 3841 9.3
		{'d', "request-disposition"}, // RFC 3841 9.1
		{'y', "identity"},            // RFC 8224 4
	};

	for (size_t i = 0; name.len == 1 && i < sizeof(names) / sizeof(*names); i++)
		if (rg_lower(*name.p) == names[i].compact)
			return rg_str(names[i].name);
	return name;
}

const struct sip_hdr *sip_hdr_named(const struct sip_msg *m, struct rg_slice name) {
	enum sip_hdr_id id = sip_hdr_id(name);

	if (id != SIP_HDR_OTHER)
		return sip_hdr_first(m, id);
	name = long_name(name);
	for (unsigned i = 0; i < m->n_hdrs; i++)
		if (m->hdrs[i].id == SIP_HDR_OTHER && rg_ieq(long_name(m->hdrs[i].name), name))
			return &m->hdrs[i];
	return NULL;
}
