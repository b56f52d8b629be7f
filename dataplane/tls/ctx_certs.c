// SPDX-License-Identifier: BSD-3-Clause
// Certificates of one worker, each in an SSL_CTX of its own with the same policy, and which of them
// a name asks for. A set is made whole by the control plane, at start and for every reload, and
// never changes; the worker reads it by one pointer.
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tls_int.h"

// Where the reason of a failed tls_certs_new() goes.
struct report {
	char *text;
	size_t len;
};

static void complain(const struct report *err, const char *what, const char *file, const char *why,
		     const char *cure) {
	if (err->len > 0)
		snprintf(err->text, err->len, "%s %s: %s; %s", what, file, why, cure);
}

// The first error is the cause; the ones after it come from the callers of what failed.
static const char *openssl_reason(void) {
	const char *text = ERR_reason_error_string(ERR_peek_error());

	return text == NULL ? "no reason given" : text;
}

// RFC 7301 3.2: http/1.1 when offered; else no_application_protocol. A client without the
// extension never gets here.
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned in_len, void *arg) {
	static const struct rg_slice http = RG_LIT("http/1.1");
	struct rg_rd rd = rg_rd(rg_slice(in, in_len));

	(void)ssl;
	(void)arg;
	while (!rd.bad && rd.p < rd.end) {
		struct rg_slice name = rg_rd_bytes(&rd, rg_rd_be(&rd, 1));

		if (!rg_eq(name, http))
			continue;
		*out = name.p;
		*out_len = (unsigned char)name.len;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// TLS 1.3 only, so no renegotiation; no early data, so that nothing can be replayed. X25519 and AES-128 first: performance.md 2.
static bool set_policy(SSL_CTX *s, struct tls_ctx *x) {
	SSL_CTX_set_app_data(s, x);
	SSL_CTX_set_options(s, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(s, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(s, select_alpn, NULL);
	SSL_CTX_set_msg_callback(s, tls_on_message);
	return SSL_CTX_set_min_proto_version(s, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(s, TLS1_3_VERSION) == 1 && tls_tickets_policy(x, s) &&
	       SSL_CTX_set_max_early_data(s, 0) == 1 &&
	       SSL_CTX_set1_groups_list(s, "X25519:P-256") == 1 &&
	       SSL_CTX_set_ciphersuites(s, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
					   "TLS_CHACHA20_POLY1305_SHA256") == 1;
}

// Can the file be read at all? OpenSSL's own words for that name no cure.
static bool is_readable(const char *what, const char *file, const struct report *err) {
	FILE *f = fopen(file, "rb");
	char byte;
	bool is_ok = f != NULL && fread(&byte, 1, 1, f) == 1;
	int error = errno;

	if (f == NULL && error == ENOENT)
		complain(err, what, file, strerror(error), "create it or name another file");
	else if (f == NULL)
		complain(err, what, file, strerror(error), "make it readable for the daemon");
	else if (!is_ok && ferror(f))
		complain(err, what, file, strerror(error), "name a regular file");
	else if (!is_ok)
		complain(err, what, file, "the file is empty", "write PEM into it");
	if (f != NULL)
		fclose(f);
	return is_ok;
}

static bool load_certificate(SSL_CTX *s, const char *file, const struct report *err) {
	if (!is_readable("certificate", file, err))
		return false;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(s, file) == 1)
		return true;
	if (ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_PEM)
		complain(err, "certificate", file, "no PEM certificate in it",
			 "convert it: openssl x509 -inform DER -outform PEM");
	else
		complain(err, "certificate", file, openssl_reason(),
			 "use one with an ECDSA P-256 key, its chain behind it");
	return false;
}

// A daemon has nobody to ask for a password; without this OpenSSL would ask the terminal.
static int refuse_password(char *buf, int size, int is_write, void *was_asked) {
	(void)buf;
	(void)size;
	(void)is_write;
	*(bool *)was_asked = true;
	return -1;
}

static bool use_key(SSL_CTX *s, EVP_PKEY *key, const char *file, const char *certificate,
		    const struct report *err) {
	char why[512];

	if (X509_check_private_key(SSL_CTX_get0_certificate(s), key) != 1) {
		snprintf(why, sizeof(why), "does not match certificate %s", certificate);
		complain(err, "key", file, why, "name the key that the certificate was made for");
		return false;
	}
	if (SSL_CTX_use_PrivateKey(s, key) == 1)
		return true;
	complain(err, "key", file, openssl_reason(), "use an ECDSA P-256 key");
	return false;
}

static bool load_key(struct tls_ctx *x, SSL_CTX *s, const char *file, const char *certificate,
		     const struct report *err) {
	bool is_encrypted = false;
	bool is_ok = false;
	EVP_PKEY *key = NULL;
	BIO *in;

	if (!is_readable("key", file, err))
		return false;
	in = BIO_new_file(file, "rb");
	if (in != NULL)
		key = PEM_read_bio_PrivateKey_ex(in, NULL, refuse_password, &is_encrypted, x->lib,
						 NULL);
	BIO_free(in);
	if (key != NULL)
		is_ok = use_key(s, key, file, certificate, err);
	else if (is_encrypted)
		complain(err, "key", file, "is encrypted", "decrypt it: openssl pkey -in");
	else
		complain(err, "key", file, "no PEM private key in it",
			 "convert it: openssl pkey -inform DER -outform PEM");
	EVP_PKEY_free(key);
	return is_ok;
}

static int64_t seconds_of(const ASN1_TIME *t) {
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void put_serial(const ASN1_INTEGER *serial, char *out, size_t len) {
	BIGNUM *n = ASN1_INTEGER_to_BN(serial, NULL);
	char *hex = n == NULL ? NULL : BN_bn2hex(n);

	snprintf(out, len, "%s", hex == NULL ? "" : hex);
	OPENSSL_free(hex);
	BN_free(n);
}

// A name takes one line of the operator's: OpenSSL escapes what is not printable.
static void put_subject(const X509 *x, char *out, size_t len) {
	BIO *b = BIO_new(BIO_s_mem());
	int n = 0;

	if (b != NULL && X509_NAME_print_ex(b, X509_get_subject_name(x), 0, XN_FLAG_RFC2253) >= 0)
		n = BIO_read(b, out, (int)len - 1);
	out[n < 0 ? 0 : n] = '\0';
	BIO_free(b);
}

// A dNSName: letters, digits, hyphens and dots, "*." in front of them or not.
static bool is_name(struct rg_slice s) {
	if (rg_is_prefix(s, RG_LIT("*.")))
		s = rg_skip(s, 2);
	for (size_t i = 0; i < s.len; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789-._", rg_lower(s.p[i])) == NULL ||
		    s.p[i] == '\0')
			return false;
	return s.len > 0 && s.len <= TLS_MAX_NAME;
}

static bool add_name(struct tls_certs *set, uint32_t cert, struct rg_slice s) {
	struct tls_name *names =
		OPENSSL_realloc(set->names, (set->n_names + 1) * sizeof(set->names[0]));
	struct tls_name *n;

	if (names == NULL)
		return false;
	set->names = names;
	n = &names[set->n_names++];
	n->cert = cert;
	n->is_wildcard = rg_is_prefix(s, RG_LIT("*."));
	if (n->is_wildcard)
		s = rg_skip(s, 1); // keeps the dot
	n->len = (uint8_t)s.len;
	memcpy(n->text, s.p, s.len);
	return true;
}

// RFC 6125 6.4: the names of the subjectAltName, not those of the subject.
static bool read_names(struct tls_certs *set, uint32_t cert, const X509 *x) {
	GENERAL_NAMES *list = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	struct rg_cert_info *info = &set->info[cert];
	struct rg_wr w = rg_wr(info->names, sizeof(info->names) - 1);
	bool is_ok = true;

	for (int i = 0; is_ok && i < sk_GENERAL_NAME_num(list); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(list, i);
		struct rg_slice s;

		if (g->type != GEN_DNS)
			continue;
		s = rg_slice(ASN1_STRING_get0_data(g->d.dNSName),
			     (size_t)ASN1_STRING_length(g->d.dNSName));
		if (!is_name(s))
			continue;
		is_ok = add_name(set, cert, s);
		if (w.len > 0)
			rg_puts(&w, ", ");
		rg_put(&w, s);
	}
	info->names[w.len] = '\0';
	GENERAL_NAMES_free(list);
	return is_ok;
}

static bool describe(struct tls_certs *set, uint32_t i, const char *file) {
	const X509 *x = SSL_CTX_get0_certificate(set->ssl[i]);
	struct rg_cert_info *info = &set->info[i];

	info->file = file;
	put_subject(x, info->subject, sizeof(info->subject));
	put_serial(X509_get0_serialNumber(x), info->serial, sizeof(info->serial));
	info->not_before = seconds_of(X509_get0_notBefore(x));
	info->not_after = seconds_of(X509_get0_notAfter(x));
	return read_names(set, i, x);
}

struct tls_certs *tls_certs_new(struct tls_ctx *x, const struct rg_cert_file *files, size_t n,
				char *err, size_t err_len) {
	const struct report report = {err, err_len};
	struct tls_certs *set = OPENSSL_zalloc(sizeof(*set));

	if (err_len > 0)
		snprintf(err, err_len, "TLS: no memory; give the daemon more");
	if (set == NULL)
		goto err;
	set->ssl = OPENSSL_zalloc(n * sizeof(void *));
	set->info = OPENSSL_zalloc(n * sizeof(set->info[0]));
	if (set->ssl == NULL || set->info == NULL)
		goto err;
	for (; set->n < n; set->n++) {
		const struct rg_cert_file *f = &files[set->n];
		SSL_CTX *s = SSL_CTX_new_ex(x->lib, NULL, TLS_server_method());

		set->ssl[set->n] = s;
		if (s == NULL || !set_policy(s, x) ||
		    !load_certificate(s, f->certificate, &report) ||
		    !load_key(x, s, f->key, f->certificate, &report) ||
		    !describe(set, (uint32_t)set->n, f->certificate)) {
			set->n++;
			goto err;
		}
	}
	ERR_clear_error();
	return set;
err:
	tls_certs_free(set);
	ERR_clear_error();
	return NULL;
}

void tls_certs_free(struct tls_certs *set) {
	if (set == NULL)
		return;
	for (size_t i = 0; i < set->n; i++)
		SSL_CTX_free(set->ssl[i]);
	OPENSSL_free(set->ssl);
	OPENSSL_free(set->info);
	OPENSSL_free(set->names);
	OPENSSL_free(set);
}

const struct tls_certs *tls_certs_of(const struct tls_ctx *x) {
	return atomic_load_explicit(&x->certs, memory_order_relaxed); // its own writing
}

const struct rg_cert_info *tls_certs_info(const struct tls_certs *set, size_t i) {
	return i < set->n ? &set->info[i] : NULL;
}

struct tls_certs *tls_certs_swap(struct tls_ctx *x, struct tls_certs *set) {
	// Pairs with the load in tls_certs_pick(): it sees a set that is whole.
	return atomic_exchange_explicit(&x->certs, set, memory_order_acq_rel);
}

// RFC 6125 6.4.3: a wildcard stands for one label.
static bool is_match(const struct tls_name *n, struct rg_slice asked) {
	const uint8_t *dot;

	if (!n->is_wildcard)
		return rg_ieq(asked, rg_slice(n->text, n->len));
	dot = asked.len == 0 ? NULL : memchr(asked.p, '.', asked.len);
	return dot != NULL && dot > asked.p &&
	       rg_ieq(rg_skip(asked, (size_t)(dot - asked.p)), rg_slice(n->text, n->len));
}

SSL_CTX *tls_certs_pick(struct tls_ctx *x, struct rg_slice asked) {
	const struct tls_certs *set = atomic_load_explicit(&x->certs, memory_order_acquire);
	uint32_t best = 0; // RFC 6066 3: whom nobody knows may have the first

	for (size_t i = 0; i < set->n_names; i++) {
		if (!is_match(&set->names[i], asked))
			continue;
		best = set->names[i].cert;
		if (!set->names[i].is_wildcard)
			break;
	}
	return set->ssl[best];
}
