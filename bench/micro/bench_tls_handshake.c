// SPDX-License-Identifier: BSD-3-Clause
// What a full TLS 1.3 handshake costs a server: ours, through tls_input() and tls_step() to an
// established connection, and OpenSSL's alone over memory BIOs with the same settings; then ours
// with a ticket, and resumed with one. The client's half is not timed. Rounds are interleaved, so
// that the ratios hold on a shared machine; each is the median of its handshakes.
#include <openssl/err.h>

#include "bench.h"
#include "tls/tls_int.h"

#define N_ROUNDS 41
#define N_PER_ROUND 40

// Of this thread only: others may have the core meanwhile.
static uint64_t cpu_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

enum kind { BARE, OURS, TICKET, RESUMED, N_KINDS };

struct side {
	struct tls_ctx *ctx; // of ours
	SSL_CTX *bare;
	SSL_CTX *client;
	SSL_SESSION *session;
};

static const char *const names[N_KINDS] = {"bare OpenSSL", "ours", "ours, with a ticket",
					   "ours, resumed"};

static int on_session(SSL *ssl, SSL_SESSION *s) {
	struct side *side = SSL_get_app_data(ssl);

	SSL_SESSION_free(side->session);
	side->session = s;
	return 1;
}

static int to_client(void *arg, struct rg_slice d) {
	return BIO_write(SSL_get_rbio(arg), d.p, (int)d.len) == (int)d.len ? 0 : -1;
}

static void no_plain(void *arg, struct rg_slice d) {
	(void)arg;
	(void)d;
}

static uint32_t one_source(void *arg) {
	(void)arg;
	return 0;
}

static uint64_t bare_step(SSL *s, struct rg_slice in, SSL *client) {
	uint64_t t = cpu_ns();
	char buf[4096];
	int n;

	BIO_write(SSL_get_rbio(s), in.p, (int)in.len);
	(void)SSL_do_handshake(s);
	t = cpu_ns() - t;
	while ((n = BIO_read(SSL_get_wbio(s), buf, sizeof(buf))) > 0)
		BIO_write(SSL_get_rbio(client), buf, n);
	return t;
}

static uint64_t our_step(struct side *side, struct tls_conn *c, struct rg_slice in, SSL *client) {
	const struct tls_sink sink = {client, no_plain, to_client, one_source};
	static uint64_t now_ns;
	uint64_t t = cpu_ns();

	if (tls_input(side->ctx, c, in, &sink) != 0 ||
	    tls_ready(side->ctx, now_ns += 1000000000) != c->slot ||
	    tls_step(side->ctx, c, &sink) != 0)
		abort();
	return cpu_ns() - t;
}

// One handshake; the nanoseconds of the server's half. Making and freeing its objects is part of it.
static uint64_t handshake(struct side *side, bool is_bare, bool is_resumed) {
	SSL *client = SSL_new(side->client);
	SSL *server = NULL;
	struct tls_conn c;
	uint64_t t = cpu_ns(), sum;
	char buf[4096];

	tls_conn_init(&c, 0);
	if (is_bare) {
		server = SSL_new(side->bare);
		SSL_set_bio(server, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		SSL_set_accept_state(server);
	}
	sum = cpu_ns() - t;
	SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client);
	SSL_set_app_data(client, side);
	if (is_resumed)
		SSL_set_session(client, side->session);
	for (int flight = 0; flight < 2; flight++) {
		struct rg_slice in;

		(void)SSL_do_handshake(client);
		in = rg_slice(buf, (size_t)BIO_read(SSL_get_wbio(client), buf, sizeof(buf)));
		sum += is_bare ? bare_step(server, in, client) : our_step(side, &c, in, client);
	}
	if ((is_bare ? SSL_is_init_finished(server) : tls_is_established(&c)) != 1 ||
	    SSL_session_reused(client) != is_resumed)
		abort();
	(void)SSL_read(client, buf, 1); // its ticket
	(void)SSL_shutdown(client);
	SSL_free(client);
	t = cpu_ns();
	SSL_free(server);
	sum += cpu_ns() - t;
	tls_conn_fini(side->ctx, &c);
	return sum;
}

static struct tls_ctx *our_ctx(const struct rg_cert_file *file, unsigned n_tickets) {
	static const uint8_t secret[32];
	const struct tls_cfg cfg = {
		.certs = file,
		.n_certs = 1,
		.max_conns = 1,
		.max_half_open = 1,
		.share = 100,
		.n_tickets = n_tickets,
		.ticket_life_s = 1000000000,
		.ticket_secret = secret,
	};
	char err[256];
	struct tls_ctx *x = tls_ctx_new(&cfg, err, sizeof(err));

	if (x == NULL)
		fprintf(stderr, "%s\n", err);
	return x;
}

static SSL_CTX *bare_ctx(const struct rg_cert_file *file) {
	SSL_CTX *s = SSL_CTX_new_ex(OSSL_LIB_CTX_new(), NULL, TLS_server_method());

	SSL_CTX_set_min_proto_version(s, TLS1_3_VERSION);
	SSL_CTX_set_options(s, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(s, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(s, 0);
	if (SSL_CTX_set1_groups_list(s, "X25519:P-256") != 1 ||
	    SSL_CTX_set_ciphersuites(s, "TLS_AES_128_GCM_SHA256") != 1 ||
	    SSL_CTX_use_certificate_chain_file(s, file->certificate) != 1 ||
	    SSL_CTX_use_PrivateKey_file(s, file->key, SSL_FILETYPE_PEM) != 1)
		return NULL;
	return s;
}

static void print(double per_op[N_KINDS][N_ROUNDS]) {
	double ratio[N_ROUNDS];

	printf("%-22s %10s %28s\n", "handshake", "us", "times bare: median (range)");
	for (int kind = 0; kind < N_KINDS; kind++) {
		double median[N_ROUNDS];

		for (int i = 0; i < N_ROUNDS; i++) {
			ratio[i] = per_op[kind][i] / per_op[BARE][i];
			median[i] = per_op[kind][i];
		}
		qsort(ratio, N_ROUNDS, sizeof(ratio[0]), bench_cmp);
		qsort(median, N_ROUNDS, sizeof(median[0]), bench_cmp);
		printf("%-22s %10.1f %12.3f (%.3f to %.3f)\n", names[kind],
		       median[N_ROUNDS / 2] / 1000, ratio[N_ROUNDS / 2], ratio[0],
		       ratio[N_ROUNDS - 1]);
	}
}

int main(int argc, char **argv) {
	static double per_op[N_KINDS][N_ROUNDS];
	struct rg_cert_file file;
	struct side plain = {0}, tickets = {0};

	if (argc != 3) {
		fprintf(stderr, "usage: %s CERTIFICATE KEY\n", argv[0]);
		return 2;
	}
	file = (struct rg_cert_file){argv[1], argv[2]};
	if (!tls_wipe_freed()) // as the daemon does: both pay for it
		return 1;
	plain.ctx = our_ctx(&file, 0);
	tickets.ctx = our_ctx(&file, 1);
	plain.bare = bare_ctx(&file);
	plain.client = tickets.client = SSL_CTX_new(TLS_client_method());
	if (plain.ctx == NULL || tickets.ctx == NULL || plain.bare == NULL)
		return 1;
	SSL_CTX_set_session_cache_mode(plain.client,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(plain.client, on_session);
	for (int round = -1; round < N_ROUNDS; round++) { // the first warms up
		double took[N_KINDS][N_PER_ROUND];

		for (int i = 0; i < N_PER_ROUND * N_KINDS; i++) {
			int kind = i % N_KINDS;

			took[kind][i / N_KINDS] =
				(double)handshake(kind < TICKET ? &plain : &tickets, kind == BARE,
						  kind == RESUMED);
		}
		for (int kind = 0; round >= 0 && kind < N_KINDS; kind++) {
			qsort(took[kind], N_PER_ROUND, sizeof(took[0][0]), bench_cmp);
			per_op[kind][round] = took[kind][N_PER_ROUND / 2];
		}
	}
	print(per_op);
	return 0;
}
