// SPDX-License-Identifier: BSD-3-Clause
// Messages the tests of this folder share.
#pragma once

// As JsSIP writes it (ims.md 3.1).
#define SAMPLE_REGISTER                                                                       \
	"REGISTER sip:ims.example.net SIP/2.0\r\n"                                            \
	"Via: SIP/2.0/WSS 4ejhaldknkb7.invalid;branch=z9hG4bK2812950\r\n"                     \
	"Max-Forwards: 69\r\n"                                                                \
	"To: <sip:pool-00017@ims.example.net>\r\n"                                            \
	"From: <sip:pool-00017@ims.example.net>;tag=39du4ih86e\r\n"                           \
	"Call-ID: kqct9mrk04l9g2q5ngism7\r\n"                                                 \
	"CSeq: 1 REGISTER\r\n"                                                                \
	"Authorization: Bearer abc.def.ghi\r\n"                                               \
	"Expires: 600\r\n"                                                                    \
	"Contact: <sip:dgtq535e@4ejhaldknkb7.invalid;transport=ws>;+sip.ice;reg-id=1;"        \
	"+sip.instance=\"<urn:uuid:17951779-fb82-4c33-8e3b-a3f1e4121a63>\";expires=600\r\n"   \
	"Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY,SUBSCRIBE\r\n" \
	"Supported: path,gruu,outbound\r\n"                                                   \
	"User-Agent: JsSIP 3.13.8\r\n"                                                        \
	"Content-Length: 0\r\n"                                                               \
	"\r\n"

// With enough behind each header for the quick forms.
#define SAMPLE_VIA "SIP/2.0/WSS w00007qzv.invalid;branch=z9hG4bK0014711;rport"
#define SAMPLE_FROM "<sip:pool-17@ims.mnc001.mcc001.3gppnetwork.org>;tag=9e3779b9"
#define SAMPLE_CONTACT                                              \
	"<sip:k4711@w-7qzv.invalid;transport=ws>;+sip.ice;reg-id=1" \
	";+sip.instance=\"<urn:uuid:6f0d2c1e-93ab-4b57>\";expires=600"
#define SAMPLE_PLAIN(via, from, contact)                                            \
	"REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\n"                \
	"Via: " via "\r\n"                                                          \
	"From: " from "\r\n"                                                        \
	"Contact: " contact "\r\n"                                                  \
	"Max-Forwards: 69\r\n"                                                      \
	"To: <sip:pool-17@ims.mnc001.mcc001.3gppnetwork.org>\r\n"                   \
	"Call-ID: kqct9mrk04l9g2q5ngism7\r\n"                                       \
	"CSeq: 1001 REGISTER\r\n"                                                   \
	"Expires: 300\r\n"                                                          \
	"Supported: path,gruu, outbound\r\n"                                        \
	"Content-Length: 0\r\n"                                                     \
	"Subject: \"quoted\"\r\n"                                                   \
	"Authorization: Bearer abcdefghijklmnopqrstuvwxyz012345.6789ABCDEFGHIJKLMN" \
	"OPQRSTUVWXYZ-_.abcdefghijklmnopqrstuvwxyz0123456789==\r\n\r\n"

#define SAMPLE_RESPONSE                                                                          \
	"SIP/2.0 200 OK\r\n"                                                                     \
	"v: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK1, SIP/2.0/TCP [2001:db8::1];branch=z9\r\n" \
	"f: \"A, \\\"B\\\"\" <sip:a@example.net>;tag=1\r\n"                                      \
	"t: sip:a@example.net;tag=2\r\n"                                                         \
	"i: 1@example.net\r\n"                                                                   \
	"CSeq: 7\r\n\tREGISTER\r\n"                                                              \
	"m: <sip:a@[2001:db8::2]:5062;transport=tcp>;expires=3600, <sip:b@example.net>\r\n"      \
	"Service-Route: <sip:orig@scscf.example.net;lr>\r\n"                                     \
	"l: 4\r\n"                                                                               \
	"\r\n"                                                                                   \
	"body"
