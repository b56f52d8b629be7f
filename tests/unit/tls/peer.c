// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

#include <dirent.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sanitizer/lsan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guard.h"
#include "regate/clock.h"
#include "regate/err.h"

static long n_live, n_calls, fail_in;
static bool is_client; // its allocations neither count nor fail

static bool is_failing(void) {
	if (is_client)
		return false;
	n_calls++;
	return fail_in > 0 && --fail_in == 0;
}

static void *count_malloc(size_t n, const char *file, int line) {
	(void)file;
	(void)line;
	if (n == 0 || is_failing())
		return NULL;
	n_live++;
	return malloc(n);
}

static void count_free(void *p, const char *file, int line) {
	(void)file;
	(void)line;
	n_live -= p != NULL;
	free(p);
}

static void *count_realloc(void *p, size_t n, const char *file, int line) {
	if (p == NULL)
		return count_malloc(n, file, line);
	if (n == 0) {
		count_free(p, file, line);
		return NULL;
	}
	return is_failing() ? NULL : realloc(p, n);
}

void alloc_init(void) {
	if (CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) != 1)
		abort();
}

long alloc_live(void) {
	return n_live;
}

long alloc_calls(void) {
	return n_calls;
}

// The leak checker is there in sanitizer builds only.
#pragma weak __lsan_disable
#pragma weak __lsan_enable

void alloc_fail_at(long n) {
	// OpenSSL 3.0 itself loses names of algorithms when memory runs out while it loads them, so
	// blocks made while a failure is due are not reported. alloc_live() sees them all the same.
	if (n != 0 && __lsan_disable != NULL)
		__lsan_disable();
	if (n == 0 && __lsan_enable != NULL)
		__lsan_enable();
	fail_in = n;
}

static char tmp_dir[256];

const char *tmp_path(const char *name) {
	static char paths[8][512];
	static unsigned next;
	char *path = paths[next++ % 8];

	if (tmp_dir[0] == '\0') {
		snprintf(tmp_dir, sizeof(tmp_dir), "%s/tls-XXXXXX", TEST_TMP);
		if (mkdtemp(tmp_dir) == NULL)
			abort();
	}
	snprintf(path, sizeof(paths[0]), "%s/%s", tmp_dir, name);
	return path;
}

void tmp_put(const char *name, const char *text) {
	FILE *f = fopen(tmp_path(name), "wb");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

void tmp_remove(void) {
	DIR *d = opendir(tmp_dir);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			(void)unlink(tmp_path(e->d_name));
	if (d != NULL)
		closedir(d);
	(void)rmdir(tmp_dir);
}

static void make(const char *name, bool is_rsa, const char *password, const char *names,
		 long serial) {
	EVP_PKEY *key = is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	char file[64];
	FILE *f;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(x, subject);
	if (names != NULL) {
		X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
							(char *)(uintptr_t)names);

		if (e == NULL || X509_add_ext(x, e, -1) != 1)
			abort();
		X509_EXTENSION_free(e);
	}
	if (X509_sign(x, key, EVP_sha256()) == 0)
		abort();
	snprintf(file, sizeof(file), "%s.crt", name);
	f = fopen(tmp_path(file), "wb");
	if (f == NULL || PEM_write_X509(f, x) != 1 || fclose(f) != 0)
		abort();
	snprintf(file, sizeof(file), "%s.key", name);
	f = fopen(tmp_path(file), "wb");
	if (f == NULL ||
	    PEM_write_PrivateKey(f, key, password == NULL ? NULL : EVP_aes_128_cbc(), NULL, 0, NULL,
				 (void *)(uintptr_t)password) != 1 ||
	    fclose(f) != 0)
		abort();
	X509_free(x);
	EVP_PKEY_free(key);
}

void make_pair(const char *name, bool is_rsa, const char *password) {
	make(name, is_rsa, password, NULL, 1);
}

void make_named(const char *name, const char *names, long serial) {
	make(name, false, NULL, names, serial);
}

static uint8_t secrets[2][48];
static size_t secret_len;

static void on_secret(const SSL *ssl, const char *line) {
	static const struct rg_slice labels[] = {RG_LIT("CLIENT_TRAFFIC_SECRET_0 "),
						 RG_LIT("SERVER_TRAFFIC_SECRET_0 ")};
	struct rg_slice secret;

	(void)ssl;
	for (int dir = 0; dir < 2; dir++)
		if (rg_is_prefix(rg_str(line), labels[dir])) {
			secret = guard_hex(strrchr(line, ' ') + 1);
			secret_len = secret.len;
			memcpy(secrets[dir], secret.p, secret.len);
		}
}

struct rg_slice client_secret(int dir) {
	return rg_slice(secrets[dir], secret_len);
}

#define N_SLOTS 256

unsigned ctx_tickets;
uint64_t pair_now_ns = RG_NS_PER_S;

struct tls_ctx *ctx_new(const char *certificate, const char *key, char *err, size_t err_len) {
	const struct rg_cert_file file = {certificate, key};
	const struct tls_cfg cfg = {
		.certs = &file,
		.n_certs = 1,
		.max_conns = N_SLOTS,
		.max_half_open = 8,
		.share = 100,
		.n_tickets = ctx_tickets,
		.ticket_life_s = 3600,
		.ticket_secret = (const uint8_t *)"32 bytes that only the test knows",
	};

	return tls_ctx_new(&cfg, err, err_len);
}

uint32_t slot_take(void) {
	static uint32_t slot;

	return slot++ % N_SLOTS;
}

SSL_CTX *client_ctx_new(void) {
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	if (c == NULL)
		abort();
	SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_keylog_callback(c, on_secret);
	return c;
}

struct pair *pair_new(struct tls_ctx *ctx, SSL_CTX *client) {
	struct pair *p = calloc(1, sizeof(*p));

	p->ctx = ctx;
	p->server = &p->conn;
	tls_conn_init(p->server, slot_take());
	p->client = SSL_new(client);
	p->cut = SIZE_MAX;
	if (p->client == NULL)
		abort();
	SSL_set_bio(p->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(p->client);
	return p;
}

void pair_end(struct pair *p) {
	if (p->server != NULL)
		tls_conn_fini(p->ctx, p->server);
	p->server = NULL;
}

void pair_free(struct pair *p) {
	pair_end(p);
	SSL_free(p->client);
	free(p);
}

static void take_plain(void *arg, struct rg_slice d) {
	struct pair *p = arg;

	if (d.len > sizeof(p->plain) - p->n_plain)
		abort();
	memcpy(p->plain + p->n_plain, d.p, d.len);
	p->n_plain += d.len;
	if (p->echo != NULL && p->echo[0] == '\0')
		tls_close(p->ctx, p->server, pair_sink(p));
	else if (p->echo != NULL)
		p->echo_rc = tls_write(p->ctx, p->server, rg_str(p->echo), pair_sink(p));
}

static int take_cipher(void *arg, struct rg_slice d) {
	struct pair *p = arg;

	if (p->n_refuse > 0 && --p->n_refuse == 0)
		return -1;
	p->n_cipher += d.len;
	is_client = true;
	if (BIO_write(SSL_get_rbio(p->client), d.p, (int)d.len) != (int)d.len)
		abort();
	is_client = false;
	return 0;
}

static uint32_t source_of(void *arg) {
	return ((struct pair *)arg)->source;
}

const struct tls_sink *pair_sink(struct pair *p) {
	static struct tls_sink sinks[4];
	static unsigned next;
	struct tls_sink *s = &sinks[next++ % 4];

	*s = (struct tls_sink){p, take_plain, take_cipher, source_of};
	return s;
}

int pair_input(struct pair *p, struct rg_slice in) {
	int rc = tls_input(p->ctx, p->server, in, pair_sink(p));

	while (rc == RG_OK && tls_ready(p->ctx, pair_now_ns) == p->server->slot)
		rc = tls_step(p->ctx, p->server, pair_sink(p));
	return rc;
}

void pair_to_server(struct pair *p) {
	static uint8_t buf[65536];
	struct rg_slice in;
	int n;

	while ((n = BIO_read(SSL_get_wbio(p->client), buf, sizeof(buf))) > 0) {
		in = guard_copy(rg_slice(buf, (size_t)n));
		while (in.len > 0 && p->rc == RG_OK) {
			size_t len = in.len < p->cut ? in.len : p->cut;

			p->rc = pair_input(p, rg_slice(in.p, len));
			in = rg_skip(in, len);
		}
	}
}

bool pair_handshake(struct pair *p) {
	for (int i = 0; i < 4; i++) {
		ERR_clear_error();
		(void)SSL_do_handshake(p->client);
		pair_to_server(p);
	}
	return SSL_is_init_finished(p->client) && tls_is_established(p->server);
}

bool pair_client_write(struct pair *p, const void *d, size_t len) {
	size_t n;

	ERR_clear_error();
	if (SSL_write_ex(p->client, d, len, &n) != 1)
		return false;
	pair_to_server(p);
	return true;
}

bool pair_client_read(struct pair *p, void *d, size_t len) {
	size_t done = 0;
	size_t n;

	ERR_clear_error();
	while (done < len) {
		if (SSL_read_ex(p->client, (uint8_t *)d + done, len - done, &n) != 1)
			return false;
		done += n;
	}
	return true;
}

int pair_client_reason(struct pair *p) {
	uint8_t byte;

	ERR_clear_error();
	(void)SSL_read(p->client, &byte, 1);
	return ERR_GET_REASON(ERR_peek_error());
}
