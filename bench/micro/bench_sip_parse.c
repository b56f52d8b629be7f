// SPDX-License-Identifier: BSD-3-Clause
// What the SIP work of one REGISTER refresh costs: 862 bytes with a token of about 200, as a WIC
// sends it. The messages differ between operations, so that branches are not learnt by heart.
#include "bench.h"
#include "reg/reg.h"
#include "regate/clock.h"

#define MSG_LEN 862
#define N_MSGS 32 // fits the first-level cache together with what is written
#define NOW_NS (UINT64_C(5000) * RG_NS_PER_S)

#define CONTACT_FMT                                                    \
	"<sip:k%07u@w%05uqzv.invalid;transport=ws>;+sip.ice;reg-id=1;" \
	"+sip.instance=\"<urn:uuid:6f0d2c1e-93ab-4b57-8e21-5d7c%08u>\""

struct work {
	char text[N_MSGS][MSG_LEN + 1];
	struct sip_msg msg[N_MSGS];
	struct sip_register reg[N_MSGS];
	struct rg_lease_view lease;
	char contact[256], impu[128], call_id[64];
};

static const struct rg_reg_cfg cfg = {
	.realm = "ims.example.net",
	.authz_server = "https://wwsf.example.net",
	.client_max_s = 600,
	.client_min_s = 60,
	.guard_s = 30,
};

// The same client each time: what changes between its REGISTERs changes.
static void write_message(struct work *w, unsigned i) {
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	static const char end[] = {'\r', '\n', '\r', '\n'}; // no string: no NUL behind it
	char *text = w->text[i];
	int n = snprintf(text, MSG_LEN,
			 "REGISTER sip:ims.mnc001.mcc001.3gppnetwork.org SIP/2.0\r\n"
			 "Via: SIP/2.0/WSS w%05uqzv.invalid;branch=z9hG4bK%07u\r\n"
			 "Max-Forwards: 69\r\n"
			 "To: <%s>\r\n"
			 "From: <%s>;tag=%08x\r\n"
			 "Call-ID: %s\r\n"
			 "CSeq: %u REGISTER\r\n"
			 "Expires: 600\r\n"
			 "Contact: %s;expires=600\r\n"
			 "Supported: path,gruu,outbound\r\n"
			 "User-Agent: JsSIP 3.13.8\r\n"
			 "Content-Length: 0\r\n"
			 "Authorization: Bearer ",
			 7u, 1000003 * (i + 1) % 9999999, w->impu, w->impu, 0x9e3779b9u * (i + 1),
			 w->call_id, 1000 + i, w->contact);

	for (unsigned k = 0; n < MSG_LEN - 4; k++, n++)
		text[n] = k == 36 || k == 150 ? '.' : digits[(k * 7 + i) % 62];
	memcpy(text + n, end, sizeof(end));
}

static int work_init(struct work *w) {
	snprintf(w->contact, sizeof(w->contact), CONTACT_FMT, 4711u, 7u, 12345678u);
	snprintf(w->impu, sizeof(w->impu), "sip:pool-%07u@ims.mnc001.mcc001.3gppnetwork.org", 17u);
	snprintf(w->call_id, sizeof(w->call_id), "kqct9mrk04l9g2q5ngism7");
	for (unsigned i = 0; i < N_MSGS; i++) {
		write_message(w, i);
		if (sip_parse(rg_slice(w->text[i], MSG_LEN), &w->msg[i]) != 0 ||
		    sip_register_parse(&w->msg[i], &w->reg[i]) != 0 || w->reg[i].n_bearer != 1)
			return -1;
	}
	w->lease.idx = 17;
	w->lease.gen = 42;
	w->lease.state = RG_LEASE_ACTIVE;
	w->lease.token_end_ns = w->lease.core_end_ns = NOW_NS + 3600 * RG_NS_PER_S;
	w->lease.core_refresh_ns = NOW_NS + 1800 * RG_NS_PER_S;
	w->lease.impu[0] = rg_slice(w->impu, 4);
	w->lease.impu[1] = rg_slice(w->impu + 4, 12);
	w->lease.impu[2] = rg_str(w->impu + 16);
	w->lease.client = rg_client_hash(rg_call_id_hash(rg_str(w->call_id)), rg_str(w->contact));
	w->lease.to_tag = RG_LIT("ep1.17.42");
	w->lease.headers[0] = RG_LIT("Service-Route: <sip:orig@scscf.ims.example.net:6060;lr>\r\n"
				     "P-Associated-URI: <sip:pool-00017@ims.example.net>\r\n"
				     "Supported: path, outbound\r\nRequire: outbound\r\n");
	return 0;
}

static void run_parse(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	static struct sip_msg m;

	for (uint64_t i = 0; i < n_ops; i++) {
		bench_keep(sip_parse(rg_slice(w->text[i % N_MSGS], MSG_LEN), &m));
		bench_keep(&m);
	}
}

static void run_register(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	struct sip_register r;

	for (uint64_t i = 0; i < n_ops; i++) {
		bench_keep(sip_register_parse(&w->msg[i % N_MSGS], &r));
		bench_keep(&r);
	}
}

static void run_both(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	static struct sip_msg m;
	struct sip_register r;

	for (uint64_t i = 0; i < n_ops; i++) {
		bench_keep(sip_parse(rg_slice(w->text[i % N_MSGS], MSG_LEN), &m));
		bench_keep(sip_register_parse(&m, &r));
		bench_keep(&r);
	}
}

static void run_answer(void *arg, uint64_t n_ops) {
	struct work *w = arg;
	struct reg_flow f = {.bound = {17, 42, NOW_NS}, .wwsf = UINT16_MAX};
	struct rg_addr peer = rg_addr_v4(0x0100a8c0, 52144);
	static struct reg_out out;
	uint8_t buf[2048];

	for (uint64_t i = 0; i < n_ops; i++) {
		struct rg_wr wr = rg_wr(buf, sizeof(buf));

		f.last_cseq = 0;
		reg_decide(&cfg, &f, &w->reg[i % N_MSGS], &peer, &w->lease, NOW_NS, &out);
		if (out.answer.status != 200)
			abort();
		sip_put_answer(&wr, &w->msg[i % N_MSGS], &out.answer);
		bench_keep(wr.len);
	}
}

int main(int argc, char **argv) {
	static struct work w;
	struct bench_case cases[] = {
		{"sip_parse", MSG_LEN, run_parse, &w},
		{"sip_register_parse", MSG_LEN, run_register, &w},
		{"sip_parse+register_parse", MSG_LEN, run_both, &w},
		{"reg_decide+sip_put_answer", MSG_LEN, run_answer, &w},
	};

	if (work_init(&w) != 0) {
		fprintf(stderr, "the REGISTER does not parse\n");
		return 1;
	}
	return bench_main(argc, argv, cases, sizeof(cases) / sizeof(*cases));
}
