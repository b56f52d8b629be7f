// SPDX-License-Identifier: BSD-3-Clause
// The WIC page as ready responses, made once at start and answered by the workers. The table names
// the files, because env has no directory listing. index.html names its scripts with
// integrity="{{sri:wic.js}}", filled here (SRI), so that a page and its scripts always belong together.
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"
#include "regate/http.h"
#include "wwsf/wwsf.h"

#define PAGE_FILE_MAX ((size_t)1024 * 1024)
#define SRI_LEN (7 + 64) // "sha384-" and base64 of 48 bytes
#define SRI_OPEN "{{sri:"
#define SRI_CLOSE "}}"

#define TYPE_JS "text/javascript; charset=utf-8"

static const struct page_entry {
	const char *name, *path, *type;
	bool is_required;
} entries[] = {
	{"index.html", "/", "text/html; charset=utf-8", true},
	{"index.html", "/index.html", "text/html; charset=utf-8", true},
	{"wic.css", "/wic.css", "text/css; charset=utf-8", true},
	{"wic.js", "/wic.js", TYPE_JS, true},
	{"session.js", "/session.js", TYPE_JS, true},
	{"jssip.min.js", "/jssip.min.js", TYPE_JS, true},
	{"icon.svg", "/icon.svg", "image/svg+xml", false},
	{"licenses.txt", "/licenses.txt", "text/plain; charset=utf-8", false},
};
#define N_ENTRIES (sizeof(entries) / sizeof(entries[0]))

struct page { // what is under way; all of it is freed at the end
	uint8_t *data[N_ENTRIES];
	size_t len[N_ENTRIES];
	char *headers; // shared by all files but for Content-Type
	struct rg_file *files;
	size_t n_files;
	char *err;
	size_t err_len;
};

// CSP separates with ';', ',' and blanks: such a URL would change the policy itself.
static bool is_csp_source(const char *url) {
	return *url != '\0' && url[strcspn(url, ";, \t\r\n'\"")] == '\0';
}

static int headers_make(struct page *pg, const struct conf *conf) {
	size_t len = 0;
	FILE *f = open_memstream(&pg->headers, &len);

	if (f == NULL)
		return -ENOMEM;
	(void)fputs("Content-Security-Policy: default-src 'none'; script-src 'self'; "
		    "style-src 'self'; img-src 'self'; connect-src 'self'",
		    f);
	// XXX the policy has no form for an IPv6 address: such a URL works for the page that came
	// from there ('self'), not for a page of another address.
	for (size_t i = 0; i < conf->n_wss_urls; i++)
		if (strncmp(conf->wss_urls[i], "wss://[", 7) != 0)
			(void)fprintf(f, " %s", conf->wss_urls[i]);
	(void)fputs("; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
		    "X-Content-Type-Options: nosniff\r\n"
		    "Referrer-Policy: same-origin\r\n"
		    "Strict-Transport-Security: max-age=31536000\r\n"
		    "Cache-Control: no-cache\r\n",
		    f);
	if (fclose(f) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < conf->n_wss_urls; i++)
		if (!is_csp_source(conf->wss_urls[i])) {
			(void)snprintf(pg->err, pg->err_len,
				       "wic.wss: \"%s\" cannot stand in a content security policy; "
				       "write it without blanks, quotes, ';' and ','",
				       conf->wss_urls[i]);
			return RG_E_PROTO;
		}
	return 0;
}

static int page_read(struct page *pg, struct env *e, const char *dir) {
	for (size_t i = 0; i < N_ENTRIES; i++) {
		char path[4096];
		int n = snprintf(path, sizeof(path), "%s/%s", dir, entries[i].name);
		int rc = n < (int)sizeof(path)
				 ? env_read_file(e, path, PAGE_FILE_MAX, &pg->data[i], &pg->len[i])
				 : -ENAMETOOLONG;

		if (rc == -ENOENT && !entries[i].is_required)
			continue;
		if (rc != 0) {
			(void)snprintf(
				pg->err, pg->err_len,
				"%s: %s; build the page (npm run build) or set wic.dir to it", path,
				rg_strerror(rc));
			return rc;
		}
	}
	return 0;
}

static int sri_put(const struct page *pg, struct rg_slice name, FILE *out) {
	char text[SRI_LEN + 1] = "sha384-";
	uint8_t hash[48];

	for (size_t i = 0; i < N_ENTRIES; i++) {
		if (pg->data[i] == NULL || !rg_eq(name, rg_str(entries[i].name)))
			continue;
		if (EVP_Digest(pg->data[i], pg->len[i], hash, NULL, EVP_sha384(), NULL) != 1)
			return -ENOMEM;
		(void)EVP_EncodeBlock((uint8_t *)text + 7, hash, sizeof(hash));
		(void)fputs(text, out);
		return 0;
	}
	(void)snprintf(pg->err, pg->err_len, "index.html: %s%.*s%s names no file of the page",
		       SRI_OPEN, (int)name.len, (const char *)name.p, SRI_CLOSE);
	return RG_E_PROTO;
}

// Copies html to out with every placeholder filled.
static int sri_fill(const struct page *pg, struct rg_slice html, FILE *out) {
	while (html.len > 0) {
		const uint8_t *open = memmem(html.p, html.len, SRI_OPEN, strlen(SRI_OPEN));
		size_t text = open == NULL ? html.len : (size_t)(open - html.p);
		struct rg_slice name = rg_skip(html, text + strlen(SRI_OPEN));
		const uint8_t *close = memmem(name.p, name.len, SRI_CLOSE, strlen(SRI_CLOSE));
		int rc;

		(void)fwrite(html.p, 1, text, out);
		if (open == NULL)
			break;
		if (close == NULL) {
			(void)snprintf(pg->err, pg->err_len,
				       "index.html: " SRI_OPEN " without " SRI_CLOSE);
			return RG_E_PROTO;
		}
		html = rg_skip(name, (size_t)(close - name.p) + strlen(SRI_CLOSE));
		name.len = (size_t)(close - name.p);
		rc = sri_put(pg, name, out);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int index_fill(struct page *pg, size_t i) {
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int rc = f == NULL ? -ENOMEM : sri_fill(pg, rg_slice(pg->data[i], pg->len[i]), f);

	if (f != NULL && fclose(f) != 0 && rc == 0)
		rc = -ENOMEM;
	if (rc != 0) {
		free(text);
		return rc;
	}
	free(pg->data[i]);
	pg->data[i] = (uint8_t *)text;
	pg->len[i] = len;
	return 0;
}

static int file_add(struct page *pg, size_t i) {
	size_t lines_len = strlen(pg->headers) + strlen(entries[i].type) + 32;
	size_t cap = lines_len + pg->len[i] + 128;
	char *lines = malloc(lines_len);
	uint8_t *bytes = malloc(cap);
	struct rg_wr out = rg_wr(bytes, cap);
	size_t head_len;

	if (lines == NULL || bytes == NULL) {
		free(lines);
		free(bytes);
		return -ENOMEM;
	}
	(void)snprintf(lines, lines_len, "Content-Type: %s\r\n%s", entries[i].type, pg->headers);
	http_put_head(&out, 200, pg->len[i], lines);
	free(lines);
	head_len = out.len;
	rg_put(&out, rg_slice(pg->data[i], pg->len[i]));
	pg->files[pg->n_files++] = (struct rg_file){entries[i].path, rg_wr_slice(&out), head_len};
	return 0;
}

static int page_make(struct page *pg, struct env *e, const char *dir, const struct conf *conf) {
	int rc = headers_make(pg, conf);

	pg->files = calloc(N_ENTRIES, sizeof(*pg->files));
	if (pg->files == NULL)
		return -ENOMEM;
	if (rc == 0)
		rc = page_read(pg, e, dir);
	for (size_t i = 0; i < N_ENTRIES && rc == 0; i++) {
		if (strcmp(entries[i].name, "index.html") == 0)
			rc = index_fill(pg, i);
		if (rc == 0 && pg->data[i] != NULL)
			rc = file_add(pg, i);
	}
	return rc;
}

int wwsf_page_load(struct env *e, const char *dir, const struct conf *conf, struct rg_file **files,
		   size_t *n, char *err, size_t err_len) {
	struct page pg = {.err = err, .err_len = err_len};
	int rc;

	(void)snprintf(err, err_len, "%s: out of memory", dir);
	rc = page_make(&pg, e, dir, conf);
	for (size_t i = 0; i < N_ENTRIES; i++)
		free(pg.data[i]);
	free(pg.headers);
	if (rc != 0) {
		wwsf_page_free(pg.files, pg.n_files);
		return rc;
	}
	if (err_len > 0)
		*err = '\0';
	*files = pg.files;
	*n = pg.n_files;
	return 0;
}

void wwsf_page_free(struct rg_file *files, size_t n) {
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)files[i].response.p);
	free(files);
}
