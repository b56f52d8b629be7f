// SPDX-License-Identifier: BSD-3-Clause
// Test rig of ims/.
#include "rig.h"

#include <check.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <urcu/urcu-qsbr.h>

#include "lease/adopt.h"
#include "store/store_mem.h"
#include "token/key.h"

#define PAIRS 10

struct rig rig;

static void on_reply(void *ctx, const struct rg_reply *r, struct rg_slice payload) {
	struct rig_reply *out = &rig.replies[rig.n_replies++];

	(void)ctx;
	ck_assert_uint_le(rig.n_replies, 8);
	out->r = *r;
	ck_assert_uint_lt(payload.len, sizeof(out->text));
	memcpy(out->text, payload.p, payload.len);
	out->text[payload.len] = '\0';
	ck_assert_int_eq(sip_parse(rg_slice(out->text, payload.len), &out->m), RG_OK);
}

static void on_deregister(void *ctx, const struct lease *l) {
	(void)ctx;
	ims_deregister(rig.ims, l);
}

static void on_close(void *ctx, struct rg_conn_id conn, uint16_t code) {
	(void)ctx;
	(void)conn;
	(void)code;
	rig.n_closed++;
}

static void make_conf(bool is_udp) {
	static char domain[] = "ims.example.net", host[] = "epcscf1.ims.example.net:5060",
		    integrity[] = "auth-done", server[] = "https://wwsf.example.net",
		    audience[] = "ep-cscf.ims.example.net", ours[] = "ours", theirs[] = "theirs";
	static struct conf_pool pools[] = {{.name = ours}, {.name = theirs}};

	rig.conf = (struct conf){
		.reg = {.domain = domain,
			.authz_server = server,
			.client_max_s = 300,
			.client_min_s = 60,
			.max_s = 3600,
			.guard_s = 10,
			.flow_grace_s = 60},
		.core = {.is_udp = is_udp,
			 .host = host,
			 .visited_network = domain,
			 .integrity_protected = integrity,
			 .timer_f_s = 8},
		.token = {.issuer = server, .audience = audience},
		.pools = pools,
		.n_pools = 2,
		.life = {.clock_error_s = 5,
			 .t_sip_s = 69,
			 .core_slack_s = 360,
			 .release_guard_s = 5},
	};
	ck_assert_int_eq(rg_addr_parse(RG_LIT("192.0.2.20:5060"), &rig.conf.core.address), 0);
	ck_assert_int_eq(rg_addr_parse(RG_LIT("192.0.2.10:5060"), &rig.conf.core.local), 0);
}

static struct lease_engine *make_engine(struct store *store, const char *name,
					const struct lease_ops *ops) {
	static char names[PAIRS + 1][2][64];
	static const char *const pools[] = {"ours", "theirs"};
	struct lease_cfg cfg = {
		.clock_error_ns = 5 * RG_NS_PER_S,
		.t_sip_ns = 69 * RG_NS_PER_S,
		.core_slack_ns = 360 * RG_NS_PER_S,
		.release_guard_ns = 5 * RG_NS_PER_S,
		.flow_grace_ns = 60 * RG_NS_PER_S,
		.reg_max_ns = 3600 * RG_NS_PER_S,
		.gateway = name,
		.is_shared = rig.is_shared,
	};
	struct lease_engine *e = lease_engine_new(&cfg, rig.env, store, rig.log, ops, PAIRS + 2);

	ck_assert_ptr_nonnull(e);
	for (unsigned i = 0; i < PAIRS; i++) {
		snprintf(names[i][0], 64, "pool-0000%u@ims.example.net", i);
		snprintf(names[i][1], 64, "sip:pool-0000%u@ims.example.net", i);
		ck_assert_int_eq(lease_add_pair(e, 0, 0, names[i][0], names[i][1], NULL), 0);
	}
	ck_assert_int_eq(lease_add_pair(e, UINT16_MAX, 1, "alice@ims.example.net",
					"sip:alice@ims.example.net", "alice"),
			 0);
	lease_set_pool_names(e, pools, 2);
	ck_assert_int_eq(lease_set_pool_foreign(e, 1), 0);
	ck_assert_int_eq(lease_add_pair(e, 1, 2, "their-0@ims.example.net",
					"sip:their-0@ims.example.net", NULL),
			 0);
	ck_assert_int_eq(lease_engine_load(e), 0);
	return e;
}

static void end_no_binding(void *, const struct lease *) {
}

static void close_no_flow(void *, struct rg_conn_id, uint16_t) {
}

static void make_leases(void) {
	static const struct lease_ops ops = {.deregister = on_deregister, .close_flow = on_close};
	static const struct lease_ops none = {.deregister = end_no_binding,
					      .close_flow = close_no_flow};

	rig.leases = make_engine(rig.store, "here", &ops);
	if (rig.is_shared)
		rig.other = make_engine(rig.other_store, "there", &none);
}

static void make_ims(void) {
	static const struct dpport port = {.reply = on_reply};
	char err[256];

	rig.ims = ims_new(&rig.conf, rig.env, rig.log, rig.leases, &port, err, sizeof(err));
	ck_assert_msg(rig.ims != NULL, "%s", err);
}

static struct token_key *make_key(void) {
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	struct token_key *key;
	char err[256], *pem;
	long len;

	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &pem);
	key = token_key_parse("test", rg_slice(pem, (size_t)len), err, sizeof(err));
	ck_assert_msg(key != NULL, "%s", err);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return key;
}

static void start(bool is_udp, bool is_shared) {
	static const uint8_t key[RG_DIGEST_KEY_LEN] = {7};

	memset(&rig, 0, sizeof(rig));
	urcu_qsbr_register_thread();
	rig.env = env_sim_new(1);
	rig.log_fd = memfd_create("log", MFD_CLOEXEC);
	rig.log = log_new(rig.log_fd, LOG_INFO);
	make_conf(is_udp);
	ck_assert_int_eq(store_mem_open(rig.env, &rig.store), 0);
	store_mem_set_delay(rig.store, 0);
	rig.is_shared = is_shared;
	if (is_shared)
		ck_assert_int_eq(store_mem_join(rig.store, rig.env, &rig.other_store), 0);
	make_leases();
	rig.digester = rg_digester_new(key);
	rig.key = make_key();
	make_ims();
}

void rig_restart(void) {
	ims_free(rig.ims);
	lease_engine_free(rig.leases);
	env_sim_settle(rig.env);
	rig.core = NULL;
	rig.in_len = 0;
	make_leases();
	make_ims();
}

void rig_start(void) {
	start(false, false);
}

void rig_start_udp(void) {
	start(true, false);
}

void rig_start_shared(void) {
	start(false, true);
}

void rig_stop(void) {
	const char *broken = lease_engine_check(rig.leases);

	ck_assert_msg(broken == NULL, "%s", broken);
	ims_free(rig.ims);
	lease_engine_free(rig.leases);
	lease_engine_free(rig.other);
	store_close(rig.other_store);
	store_close(rig.store);
	token_key_free(rig.key);
	rg_digester_free(rig.digester);
	log_free(rig.log);
	close(rig.log_fd);
	env_sim_free(rig.env);
	urcu_qsbr_unregister_thread();
}

// --- leases

static int issue(void *arg, const struct lease *l, uint64_t token_end_ns, struct rg_wr *token) {
	uint64_t life_s = (token_end_ns - env_now_ns(rig.env)) / RG_NS_PER_S;
	int64_t now_s = env_wall_ms(rig.env) / 1000;
	uint8_t jti[16];
	struct token_claims c = {
		.iss = rig.conf.token.issuer,
		.aud = rig.conf.token.audience,
		.sub = l->sub,
		.impi = l->impi,
		.impu = l->impu,
		.wwsf = "w",
		.pool = "p",
		.iat = now_s,
		.nbf = now_s,
		.exp = now_s + (int64_t)life_s,
		.idx = l->idx,
		.gen = l->gen,
		.scenario = l->scenario,
	};

	(void)arg;
	env_random(rig.env, jti, sizeof(jti));
	return token_issue(rig.key, &c, jti, token);
}

static void on_granted(void *arg, int rc, const struct lease *l, struct rg_slice token) {
	struct rig_lease *out = arg;

	ck_assert_int_eq(rc, 0);
	out->idx = l->idx;
	out->gen = l->gen;
	out->impu = l->impu;
	ck_assert_uint_lt(token.len, sizeof(out->token));
	memcpy(out->token, token.p, token.len);
	rg_token_digest(rig.digester, token, &out->digest);
}

static struct rig_lease grant(bool is_account, uint64_t life_s) {
	static uint32_t n_conns;
	struct rig_lease c = {.conn = {.idx = ++n_conns, .gen = 1}};
	struct lease_ask ask = {
		.is_account = is_account,
		.sub = is_account ? "alice" : "anon-1",
		.token_life_ns = life_s * RG_NS_PER_S,
		.issue = issue,
		.done = on_granted,
		.arg = &c,
		.digester = rig.digester,
	};

	lease_grant(rig.leases, &ask);
	env_sim_settle(rig.env);
	ck_assert_uint_gt(c.gen, 0);
	return c;
}

struct rig_lease rig_grant(uint64_t life_s) {
	return grant(false, life_s);
}

struct rig_lease rig_grant_account(uint64_t life_s) {
	return grant(true, life_s);
}

const struct lease *rig_lease_of(const struct rig_lease *c) {
	const struct lease *l = lease_at(rig.leases, c->idx);

	ck_assert_ptr_nonnull(l);
	ck_assert_uint_eq(l->gen, c->gen);
	return l;
}

// --- client

static int put_contact(char *out, size_t cap, const struct rig_register *r) {
	const char *contact = r->contact != NULL ? r->contact : RIG_CONTACT;
	int expires = r->expires == 0 ? 600 : r->expires == -1 ? 0 : r->expires;

	if (contact[0] == '\0')
		return 0;
	if (expires < 0)
		return snprintf(out, cap, "Contact: %s\r\n", contact);
	if (strcmp(contact, "*") == 0)
		return snprintf(out, cap, "Contact: *\r\nExpires: %d\r\n", expires);
	return snprintf(out, cap, "Contact: %s;expires=%d\r\n", contact, expires);
}

void rig_send(const struct rig_lease *c, const struct rig_register *r) {
	static unsigned cseq;
	char text[SIP_MAX_MSG], contact[4096] = "", auth[RG_TOKEN_MAX + 64] = "";
	const char *to = r->to != NULL ? r->to : c->impu;

	put_contact(contact, sizeof(contact), r);
	if (!r->has_no_token)
		snprintf(auth, sizeof(auth), "Authorization: Bearer %s\r\n", c->token);
	snprintf(text, sizeof(text),
		 "REGISTER sip:ims.example.net SIP/2.0\r\n"
		 "Via: SIP/2.0/WSS 4ejhaldknkb7.invalid;branch=z9hG4bK2812950\r\n"
		 "Max-Forwards: 69\r\nTo: <%s>\r\nFrom: <%s>;tag=39du4ih86e\r\n"
		 "Call-ID: kqct9mrk04l9g2q5ngism7\r\nCSeq: %u REGISTER\r\n%s%s%s"
		 "Supported: path,gruu%s\r\nUser-Agent: JsSIP 3.13.8\r\nContent-Length: 0\r\n\r\n",
		 to, r->from != NULL ? r->from : to, ++cseq, auth, contact,
		 r->more != NULL ? r->more : "", r->has_no_outbound ? "" : ",outbound");
	rig_send_text(c, r, text);
}

void rig_send_text(const struct rig_lease *c, const struct rig_register *r, const char *text) {
	struct rg_punt p = {
		.kind = RG_PUNT_REGISTER,
		.reason = r->reason != 0 ? r->reason : RG_WHY_INITIAL,
		.wwsf = r->wwsf != NULL ? *r->wwsf : rig_lease_of(c)->wwsf,
		.has_digest = !r->has_no_token,
		.conn = r->conn != NULL ? *r->conn : c->conn,
		.digest = c->digest,
		.bound = {.lease_idx = RG_LEASE_NONE},
		.now_ns = env_now_ns(rig.env),
		.len = (uint32_t)strlen(text),
	};

	ck_assert_int_eq(rg_addr_parse(RG_LIT("198.51.100.9:52144"), &p.peer), 0);
	if (r->is_bound)
		p.bound = (struct rg_binding){c->idx, c->gen, r->promise_end_ns};
	ims_register(rig.ims, &p, rg_str(text));
	env_sim_settle(rig.env);
}

struct rig_reply *rig_reply(void) {
	ck_assert_msg(rig.n_taken < rig.n_replies, "no answer to the client");
	return &rig.replies[rig.n_taken++];
}

void rig_expect_status(unsigned status) {
	struct rig_reply *r = rig_reply();

	ck_assert_msg(r->m.status == status, "%u expected in\n%s", status, r->text);
}

void rig_expect_silence(void) {
	ck_assert_uint_eq(rig.n_taken, rig.n_replies);
	ck_assert(rig_core_is_idle());
}

// --- core

static void core_read(void) {
	struct env_sim_end *end = env_sim_accept(rig.env, &rig.conf.core.address);
	ssize_t n;

	if (end != NULL)
		rig.core = end;
	if (rig.conf.core.is_udp && rig.in_len == 0) {
		n = env_sim_udp_take(rig.env, rig.in, sizeof(rig.in), NULL, NULL);
		rig.in_len = n > 0 ? (size_t)n : 0;
	}
	if (rig.core == NULL)
		return;
	n = env_sim_read(rig.core, rig.in + rig.in_len, sizeof(rig.in) - rig.in_len);
	rig.in_len += n > 0 ? (size_t)n : 0;
}

bool rig_core_is_idle(void) {
	core_read();
	return rig.in_len == 0;
}

const struct sip_msg *rig_core_next(void) {
	struct sip_msg m;

	core_read();
	ck_assert_msg(rig.in_len > 0, "no request to the core");
	ck_assert_int_eq(sip_parse_stream(rg_slice(rig.in, rig.in_len), &m), RG_OK);
	memcpy(rig.request_text, rig.in, m.size);
	rig.request_text[m.size] = '\0';
	rig.in_len -= m.size;
	memmove(rig.in, rig.in + m.size, rig.in_len);
	ck_assert_int_eq(sip_parse(rg_str(rig.request_text), &rig.request), RG_OK);
	return &rig.request;
}

void rig_core_answer(unsigned status, const char *lines) {
	struct sip_answer a = {.status = status,
			       .to_tag = RG_LIT("core"),
			       .headers = rg_str(lines)};
	uint8_t buf[SIP_MAX_MSG];
	struct rg_wr w = rg_wr(buf, sizeof(buf));
	struct sip_via via;

	ck_assert_int_eq(sip_via_parse(sip_hdr_first(&rig.request, SIP_HDR_VIA)->value, &via),
			 RG_OK);
	sip_put_answer(&w, &rig.request, &a);
	ck_assert(!w.overflow);
	if (rg_eq(via.transport, RG_LIT("UDP")))
		ck_assert_int_eq(env_sim_udp_deliver(rig.env, &rig.conf.core.local,
						     &rig.conf.core.address, rg_wr_slice(&w)),
				 0);
	else
		ck_assert_int_eq(env_sim_write(rig.core, rg_wr_slice(&w)), 0);
	env_sim_settle(rig.env);
}

void rig_core_ok(unsigned expires) {
	char lines[1024];

	rig_core_next();
	snprintf(lines, sizeof(lines),
		 "Contact: " RIG_CONTACT ";expires=%u\r\n"
		 "Service-Route: <sip:orig@scscf.ims.example.net:6060;lr>\r\n"
		 "P-Associated-URI: <sip:pool-00000@ims.example.net>\r\n",
		 expires);
	rig_core_answer(200, lines);
}

void rig_expect_line(const char *line) {
	char want[2048];

	snprintf(want, sizeof(want), "\r\n%s\r\n", line);
	ck_assert_msg(strstr(rig.request_text, want) != NULL, "missing\n%s\nin\n%s", line,
		      rig.request_text);
}

void rig_expect_no(const char *text) {
	ck_assert_msg(rig_count(text) == 0, "unwanted %s in\n%s", text, rig.request_text);
}

unsigned rig_count(const char *text) {
	unsigned n = 0;

	for (const char *s = rig.request_text; (s = strstr(s, text)) != NULL; s++)
		n++;
	return n;
}

unsigned rig_register_well(const struct rig_lease *c) {
	struct rig_register usual = {0};
	const char *at;

	rig_send(c, &usual);
	rig_core_ok(3600);
	rig_expect_status(200);
	at = strstr(rig.replies[rig.n_taken - 1].text, ";expires=");
	ck_assert_ptr_nonnull(at);
	rig.n_taken = rig.n_replies = 0;
	return (unsigned)atoi(at + 9);
}

bool rig_said(const char *text) {
	static char said[1 << 16];
	ssize_t n = pread(rig.log_fd, said, sizeof(said) - 1, 0);

	said[n < 0 ? 0 : n] = '\0';
	return strstr(said, text) != NULL;
}

void rig_core_send(const char *text) {
	ck_assert_int_eq(env_sim_write(rig.core, rg_str(text)), 0);
	env_sim_settle(rig.env);
}

const char *rig_core_text(void) {
	core_read();
	rig.in[rig.in_len] = '\0';
	rig.in_len = 0;
	return rig.in;
}

int rig_main(const char *name, void (*add)(void *suite)) {
	Suite *s = suite_create(name);
	SRunner *r = srunner_create(s);
	int n_failed;

	add(s);
	srunner_run_all(r, CK_NORMAL);
	n_failed = srunner_ntests_failed(r);
	srunner_free(r);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
