// SPDX-License-Identifier: BSD-3-Clause
#include "fixture.h"

#include <check.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu/urcu-qsbr.h>

#include "guard.h"
#include "wwsf/wwsf.h"

static void on_reply(void *ctx, const struct rg_reply *r, struct rg_slice payload) {
	struct fx *f = ctx;

	ck_assert_uint_eq(r->kind, RG_REPLY_HTTP);
	ck_assert_uint_eq(r->conn.gen, 7);
	ck_assert_uint_eq(r->bound.lease_idx, RG_LEASE_NONE);
	ck_assert_uint_lt(payload.len, sizeof(f->text));
	memcpy(f->text, payload.p, payload.len);
	f->text[payload.len] = '\0';
	f->reply = *r;
	f->n_replies++;
}

static void on_deregister(void *ctx, const struct lease *l) {
	struct fx *f = ctx;

	f->n_deregs++;
	f->dereg_idx = l->idx;
	f->dereg_gen = l->gen;
}

static void on_close(void *ctx, struct rg_conn_id, uint16_t code) {
	struct fx *f = ctx;

	f->n_closes++;
	f->close_code = code;
}

static void conf_init(struct fx *f) {
	static char *demo[] = {(char *)"https://wic.example.net", (char *)"https://10.77.0.2"};
	static char *other[] = {(char *)"https://other.example.net"};
	static char *urls[] = {(char *)"wss://10.77.0.2/w2", (char *)"wss://10.77.0.3/w2"};

	f->wwsfs[0] = (struct conf_wwsf){.id = (char *)"demo", .origins = demo, .n_origins = 2};
	f->wwsfs[1] = (struct conf_wwsf){.id = (char *)"other", .origins = other, .n_origins = 1};
	f->pools[POOL_CLOSED] = (struct conf_pool){.name = (char *)"closed", .wwsf = 0};
	f->pools[POOL_OPEN] =
		(struct conf_pool){.name = (char *)"open", .wwsf = 0, .is_anonymous = true};
	f->pools[POOL_OTHER] =
		(struct conf_pool){.name = (char *)"far", .wwsf = 1, .is_anonymous = true};
	f->conf = (struct conf){
		.reg = {.domain = (char *)"ims.example.net", .max_s = 3600},
		.token = {.issuer = (char *)"https://gw.example.net",
			  .audience = (char *)"ep-cscf.ims.example.net",
			  .life_s = 7200,
			  .anonymous_life_s = 1800},
		.wwsfs = f->wwsfs,
		.n_wwsfs = 2,
		.pools = f->pools,
		.n_pools = N_POOLS,
		.accounts_wwsf = 0,
		.wss_urls = urls,
		.n_wss_urls = 2,
	};
}

static struct token_keys *keys_make(struct env *e) {
	static char *const paths[] = {(char *)"token.key"};
	EVP_PKEY *pkey = EVP_EC_gen("P-256");
	BIO *bio = BIO_new(BIO_s_mem());
	struct token_keys *keys;
	char *pem, err[128];
	long len;

	ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
	len = BIO_get_mem_data(bio, &pem);
	env_sim_file(e, paths[0], rg_slice(pem, (size_t)len));
	keys = token_keys_new(e, paths, 1, 7200, err, sizeof(err));
	ck_assert_msg(keys != NULL, "%s", err);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return keys;
}

// Hashed as cheaply as can be: what is tested here is not the hash.
static void accounts_make(struct fx *f) {
	char hash[crypto_pwhash_STRBYTES], line[512], err[128];

	ck_assert_int_ge(sodium_init(), 0);
	ck_assert_int_eq(crypto_pwhash_str_alg(hash, "secret", 6, crypto_pwhash_OPSLIMIT_MIN,
					       crypto_pwhash_MEMLIMIT_MIN,
					       crypto_pwhash_ALG_ARGON2ID13),
			 0);
	(void)snprintf(line, sizeof(line),
		       "alice %s alice@ims.example.net sip:alice@ims.example.net\n", hash);
	env_sim_file(f->env, "/accounts", rg_str(line));
	f->accounts = account_load(f->env, "/accounts", err, sizeof(err));
	ck_assert_msg(f->accounts != NULL, "%s", err);
}

static void pair_add(struct fx *f, uint16_t pool, uint16_t wwsf, const char *name,
		     const char *sub) {
	char impi[64], impu[64];

	(void)snprintf(impi, sizeof(impi), "%s@ims.example.net", name);
	(void)snprintf(impu, sizeof(impu), "sip:%s@ims.example.net", name);
	ck_assert_int_eq(lease_add_pair(f->leases, pool, wwsf, impi, impu, sub), 0);
}

static void engine_make(struct fx *f) {
	static const char *const names[N_POOLS] = {"closed", "open", "far"};
	struct lease_cfg cfg = {
		.clock_error_ns = 5 * RG_NS_PER_S,
		.t_sip_ns = 69 * RG_NS_PER_S,
		.core_slack_ns = 360 * RG_NS_PER_S,
		.release_guard_ns = 5 * RG_NS_PER_S,
		.flow_grace_ns = 60 * RG_NS_PER_S,
		.reg_max_ns = 3600 * RG_NS_PER_S,
	};
	struct lease_ops ops = {f, on_deregister, on_close};

	ck_assert_int_eq(store_mem_open(f->env, &f->store), 0);
	f->leases = lease_engine_new(&cfg, f->env, f->store, NULL, &ops, 16);
	ck_assert_ptr_nonnull(f->leases);
	lease_set_pool_names(f->leases, names, N_POOLS);
	pair_add(f, POOL_CLOSED, 0, "closed-0", NULL);
	for (unsigned i = 0; i < OPEN_PAIRS; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "open-%u", i);
		pair_add(f, POOL_OPEN, 0, name, NULL);
	}
	pair_add(f, POOL_OTHER, 1, "far-0", NULL);
	pair_add(f, UINT16_MAX, 0, "alice", "alice");
	ck_assert_int_eq(lease_engine_load(f->leases), 0);
}

void fx_init(struct fx *f) {
	static const uint8_t digest_key[RG_DIGEST_KEY_LEN] = {1};

	memset(f, 0, sizeof(*f));
	urcu_qsbr_register_thread();
	f->env = env_sim_new(1);
	conf_init(f);
	f->keys = keys_make(f->env);
	f->digester = rg_digester_new(digest_key);
	accounts_make(f);
	engine_make(f);
	fx_replace(f, f->accounts);
}

void fx_replace(struct fx *f, struct account_db *accounts) {
	struct dpport port = {f, on_reply};

	wwsf_free(f->w);
	f->w = wwsf_new(&f->conf, f->env, NULL, f->leases, accounts, f->keys, f->digester, &port);
	ck_assert_ptr_nonnull(f->w);
}

void fx_fini(struct fx *f) {
	wwsf_free(f->w);
	lease_engine_free(f->leases);
	store_close(f->store);
	account_free(f->accounts);
	token_keys_free(f->keys);
	rg_digester_free(f->digester);
	env_sim_free(f->env);
	urcu_qsbr_unregister_thread();
}

void fx_send_raw(struct fx *f, struct rg_slice request) {
	struct rg_punt p = {
		.kind = RG_PUNT_HTTP,
		.wwsf = UINT16_MAX,
		.conn = {.idx = 3, .gen = 7, .worker = 1},
		.peer = rg_addr_v4(0x0100000a, 50000),
		.now_ns = env_now_ns(f->env),
		.len = (uint32_t)request.len,
	};

	f->n_sent++;
	wwsf_request(f->w, &p, guard_copy(request));
}

void fx_send(struct fx *f, const char *method, const char *path, const char *headers,
	     const char *body) {
	size_t body_len = body == NULL ? 0 : strlen(body);
	size_t cap = body_len + strlen(headers) + 512;
	char *request = malloc(cap);
	int len = snprintf(request, cap,
			   "%s %s HTTP/1.1\r\nHost: 10.77.0.2\r\n%sContent-Length: %zu\r\n\r\n%s",
			   method, path, headers, body_len, body == NULL ? "" : body);

	fx_send_raw(f, rg_slice(request, (size_t)len));
	free(request);
}

void fx_run(struct fx *f) {
	env_sim_advance(f->env, 2 * RG_NS_PER_MS); // a commit takes one
}

unsigned fx_ask(struct fx *f, const char *method, const char *path, const char *headers,
		const char *body) {
	unsigned before = f->n_replies;

	fx_send(f, method, path, headers, body);
	fx_run(f);
	ck_assert_uint_eq(f->n_replies, before + 1);
	return fx_status(f);
}

unsigned fx_status(const struct fx *f) {
	unsigned status;

	ck_assert_int_eq(sscanf(f->text, "HTTP/1.1 %u ", &status), 1);
	return status;
}

const char *fx_body(const struct fx *f) {
	const char *end = strstr(f->text, "\r\n\r\n");

	ck_assert_ptr_nonnull(end);
	return end + 4;
}

bool fx_has_line(const struct fx *f, const char *line) {
	char with_ends[512];
	const char *at;

	(void)snprintf(with_ends, sizeof(with_ends), "\r\n%s\r\n", line);
	at = strstr(f->text, with_ends);
	return at != NULL && at < fx_body(f);
}

const char *fx_header(const struct fx *f, const char *name) {
	static char value[512];
	char start[128];
	const char *at;

	(void)snprintf(start, sizeof(start), "\r\n%s: ", name);
	at = strstr(f->text, start);
	if (at == NULL || at >= fx_body(f))
		return "";
	at += strlen(start);
	(void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
	return value;
}

static json_t *member(const struct fx *f, const char *name, json_t **root) {
	json_t *m;

	*root = json_loads(fx_body(f), JSON_REJECT_DUPLICATES, NULL);
	m = json_object_get(*root, name);
	ck_assert_msg(m != NULL, "no %s in %s", name, f->text);
	return m;
}

const char *fx_str(const struct fx *f, const char *name) {
	static char values[8][RG_TOKEN_MAX + 1];
	static unsigned next;
	char *value = values[next++ % 8];
	json_t *root, *m = member(f, name, &root);

	ck_assert_msg(json_is_string(m), "%s in %s", name, f->text);
	(void)snprintf(value, sizeof(values[0]), "%s", json_string_value(m));
	json_decref(root);
	return value;
}

long long fx_int(const struct fx *f, const char *name) {
	json_t *root, *m = member(f, name, &root);
	long long value = json_integer_value(m);

	ck_assert_msg(json_is_integer(m), "%s in %s", name, f->text);
	json_decref(root);
	return value;
}

const char *fx_bearer(const struct fx *f, const char *origin) {
	static char lines[4][RG_TOKEN_MAX + 128];
	static unsigned next;
	char *line = lines[next++ % 4];

	(void)snprintf(line, sizeof(lines[0]), "%sAuthorization: Bearer %s\r\n", origin,
		       fx_str(f, "token"));
	return line;
}

const struct lease *fx_lease(const struct fx *f) {
	struct rg_digest d;
	const struct lease *l;

	rg_token_digest(f->digester, rg_str(fx_str(f, "token")), &d);
	l = lease_by_digest(f->leases, &d);
	ck_assert_ptr_nonnull(l);
	return l;
}

void fx_register(struct fx *f, const struct lease *l) {
	uint64_t now = env_now_ns(f->env);
	struct lease_binding b = {
		.contact = RG_LIT("<sip:x@y.invalid;transport=ws>"),
		.call_id = RG_LIT("abc"),
		.to_tag = RG_LIT("t"),
		.core_refresh_ns = now + 300 * RG_NS_PER_S,
		.core_low_ns = now + 600 * RG_NS_PER_S,
		.core_high_ns = now + 700 * RG_NS_PER_S,
	};
	struct rg_conn_id flow = {.idx = 9, .gen = 1, .worker = 0};

	ck_assert_int_ge(lease_register_begin(f->leases, l->idx, l->gen, b.core_high_ns), 0);
	ck_assert_int_eq(lease_register_done(f->leases, l->idx, l->gen, &b, flow,
					     now + 300 * RG_NS_PER_S),
			 0);
	fx_run(f);
	ck_assert_int_eq(l->state, LEASE_ACTIVE);
}
