// SPDX-License-Identifier: BSD-3-Clause
// Who client i is: address, keys, token, lease and REGISTER, all computed from i, so that a million
// of them need no memory. The sizes are those of performance.md section 1.
#include <arpa/inet.h>

#include "lease/lease_table.h"
#include "load.h"

#define LEASE_S 86400
#define DIGITS 8

// ######## becomes the client's number, $$$$$$$$ that of the request, the run of * its token.
static const char request_text[] =
	"REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\n"
	"Via: SIP/2.0/WSS w########.invalid;branch=z9hG4bK$$$$$$$$\r\n"
	"Max-Forwards: 69\r\n"
	"To: <sip:p########@ims.mnc001.mcc001.3gppnetwork.org>\r\n"
	"From: <sip:p########@ims.mnc001.mcc001.3gppnetwork.org>;tag=t$$$$$$$$\r\n"
	"Call-ID: kqct9mrk04l9g2q5ngism########\r\n"
	"CSeq: $$$$$$$$ REGISTER\r\n"
	"Contact: <sip:k########@w########.invalid;transport=ws>;+sip.ice;reg-id=1;"
	"+sip.instance=\"<urn:uuid:6f0d2c1e-93ab-4b57-8e21-5d7c########>\";expires=600\r\n"
	"Expires: 600\r\n"
	"Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\n"
	"Supported: path,gruu,outbound\r\n"
	"User-Agent: JsSIP 3.13.8\r\n"
	"Authorization: Bearer "
	"**************************************************"
	"**************************************************"
	"**************************************************"
	"**************************************************\r\n"
	"Content-Length: 0\r\n\r\n";
static_assert(sizeof(request_text) - 1 == LOAD_REQUEST_LEN, "the size that limit.c works on");

// What the control plane would have stored for the client after its first REGISTER.
static const char impu_text[] = "sip:p########@ims.mnc001.mcc001.3gppnetwork.org";
static const char call_id_text[] = "kqct9mrk04l9g2q5ngism########";
static const char contact_text[] =
	"<sip:k########@w########.invalid;transport=ws>;+sip.ice;reg-id=1;"
	"+sip.instance=\"<urn:uuid:6f0d2c1e-93ab-4b57-8e21-5d7c########>\"";
static const char headers_text[] =
	"Service-Route: <sip:orig@scscf.ims.mnc001.mcc001.3gppnetwork.org:6060;lr>\r\n"
	"P-Associated-URI: <sip:p########@ims.mnc001.mcc001.3gppnetwork.org>\r\n"
	"Path: <sip:l########.g########.6f0d2c1e@epcscf.ims.mnc001.mcc001.3gppnetwork.org"
	";transport=tcp;lr;ob>\r\n"
	"Supported: path, outbound\r\n"
	"Require: outbound\r\n";

uint64_t load_mix(uint64_t x) {
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

struct rg_addr load_addr(uint32_t client) {
	return rg_addr_v4(htonl(LOAD_CLIENT_NET + client % LOAD_N_ADDRS),
			  (uint16_t)(LOAD_FIRST_PORT + client / LOAD_N_ADDRS));
}

uint32_t load_client(const struct rg_addr *a) {
	return (a->port - LOAD_FIRST_PORT) * LOAD_N_ADDRS + a->ip[15];
}

void load_keys(uint32_t client, struct load_keys *out) {
	uint64_t w[sizeof(*out) / 8] = {0};

	static_assert(sizeof(w) == sizeof(*out), "whole words");
	for (unsigned i = 0; i < sizeof(w) / 8; i++)
		w[i] = load_mix((uint64_t)client << 8 | i);
	memcpy(out, w, sizeof(w));
}

// Base64url with two dots, as a signed token looks.
static void put_token(uint32_t client, uint8_t *out) {
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint64_t w = 0;

	for (unsigned i = 0; i < LOAD_TOKEN_LEN; i++) {
		if (i % 10 == 0)
			w = load_mix((uint64_t)client << 8 | (128 + i / 10));
		out[i] = (uint8_t)(i == 36 || i == 110 ? '.' : digits[w & 63]);
		w >>= 6;
	}
}

static void put_number(uint8_t *out, uint32_t v) {
	for (unsigned i = DIGITS; i-- > 0; v /= 10)
		out[i] = (uint8_t)('0' + v % 10);
}

// Fills in a text; out has room for it.
static struct rg_slice fill(const char *text, size_t len, uint32_t client, uint32_t n,
			    uint8_t *out) {
	memcpy(out, text, len);
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '#' && text[i] != '$' && text[i] != '*')
			continue;
		if (text[i] == '*') {
			put_token(client, out + i);
			i += LOAD_TOKEN_LEN - 1;
		} else {
			put_number(out + i, text[i] == '#' ? client : n);
			i += DIGITS - 1;
		}
	}
	return rg_slice(out, len);
}

void load_request(uint32_t client, uint32_t n, uint8_t out[LOAD_REQUEST_LEN]) {
	fill(request_text, LOAD_REQUEST_LEN, client, n, out);
}

struct rg_slice load_call_id(uint32_t client, uint8_t out[LOAD_CALL_ID_LEN]) {
	static_assert(sizeof(call_id_text) - 1 == LOAD_CALL_ID_LEN, "as declared");
	return fill(call_id_text, LOAD_CALL_ID_LEN, client, 0, out);
}

int load_leases(struct rg_lease_table *t, struct rg_digester *d, uint32_t from, uint32_t to,
		uint64_t now_ns) {
	uint8_t token[LOAD_TOKEN_LEN], impu[64], contact[160], call_id[LOAD_CALL_ID_LEN],
		headers[sizeof(headers_text)];

	for (uint32_t i = from; i < to; i++) {
		struct lease_entry e = {
			.idx = i,
			.gen = i + 1,
			.state = RG_LEASE_ACTIVE,
			.token_end_ns = now_ns + LEASE_S * RG_NS_PER_S,
			.core_end_ns = now_ns + LEASE_S * RG_NS_PER_S,
			.core_refresh_ns = now_ns + LEASE_S / 2 * RG_NS_PER_S,
			.impu = fill(impu_text, sizeof(impu_text) - 1, i, 0, impu),
			.contact = fill(contact_text, sizeof(contact_text) - 1, i, 0, contact),
			.call_id = load_call_id(i, call_id),
			.to_tag = RG_LIT("6b8b4567"),
			.headers = fill(headers_text, sizeof(headers_text) - 1, i, 0, headers),
		};
		int rc;

		put_token(i, token);
		rg_token_digest(d, rg_slice(token, sizeof(token)), &e.digest);
		rc = lease_table_put(t, &e);
		if (rc != 0)
			return rc;
	}
	return 0;
}
