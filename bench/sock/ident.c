// SPDX-License-Identifier: BSD-3-Clause
// Who the clients are: by pattern, from a file, or from the target's lease API (ims.md 2.6).
#include <jansson.h>
#include <stdio.h>

#include "sock_int.h"

static int too_few(struct sock *s, uint32_t n, char *err, size_t err_len) {
	snprintf(err, err_len, "token_file: %s: %u lines for %u clients: add some, or lower conns",
		 s->sc->token_file, n, s->n_clients);
	return -EINVAL;
}

// "impu impi token"; blank lines and those that begin with # are left out.
static int read_file(struct sock *s, FILE *f, char *err, size_t err_len) {
	char line[8192], impu[256], impi[256], token[4096];
	unsigned number = 0;
	uint32_t n = 0;

	while (n < s->n_clients && fgets(line, sizeof(line), f) != NULL) {
		number++;
		if (line[strspn(line, " \t\r\n")] == '\0' || line[0] == '#')
			continue;
		if (sscanf(line, "%255s %255s %4095s", impu, impi, token) != 3) {
			snprintf(err, err_len,
				 "token_file: %s:%u: no \"impu impi token\" stands here",
				 s->sc->token_file, number);
			return -EINVAL;
		}
		s->idents[n] = (struct ident){strdup(impu), strdup(token)};
		if (s->idents[n].impu == NULL || s->idents[n].token == NULL)
			return -ENOMEM;
		n++;
	}
	return n < s->n_clients ? too_few(s, n, err, err_len) : 0;
}

int sock_idents_init(struct sock *s, char *err, size_t err_len) {
	FILE *f;
	int rc;

	if (s->sc->tokens == TOKENS_NONE)
		return 0;
	s->n_idents = s->n_clients;
	s->idents = calloc(s->n_idents, sizeof(*s->idents));
	if (s->idents == NULL)
		return -ENOMEM;
	if (s->sc->tokens != TOKENS_FILE)
		return 0;
	f = fopen(s->sc->token_file, "re");
	if (f == NULL) {
		snprintf(err, err_len, "token_file: %s: %s", s->sc->token_file, strerror(errno));
		return -EINVAL;
	}
	rc = read_file(s, f, err, err_len);
	(void)fclose(f);
	return rc;
}

void sock_idents_fini(struct sock *s) {
	for (uint32_t i = 0; i < s->n_idents; i++) {
		free(s->idents[i].impu);
		free(s->idents[i].token);
	}
	free(s->idents);
}

struct rg_slice sock_impu(struct sock *s, uint32_t ident, char *room, size_t room_len) {
	if (ident < s->n_idents && s->idents[ident].impu != NULL)
		return rg_str(s->idents[ident].impu);
	snprintf(room, room_len, "sip:user%06u@%.80s", ident, s->sc->domain);
	return rg_str(room);
}

struct rg_slice sock_token(struct sock *s, uint32_t ident) {
	return ident < s->n_idents ? rg_str(s->idents[ident].token) : (struct rg_slice){0};
}

// --- the lease API

// The account of one client: %u is its number.
static void put_user(struct rg_wr *w, const char *pattern, uint32_t number) {
	const char *at = strstr(pattern, "%u");

	rg_put(w, rg_slice(pattern, at == NULL ? strlen(pattern) : (size_t)(at - pattern)));
	if (at == NULL)
		return;
	rg_put_u64(w, number);
	rg_puts(w, at + 2);
}

static void put_body(const struct sock *s, const struct conn *c, struct rg_wr *w) {
	char user[256] = "";
	struct rg_wr u = rg_wr(user, sizeof(user) - 1);
	json_t *body;
	char *text;

	if (c->step != STEP_LEASE_TAKE || s->sc->tokens != TOKENS_ACCOUNT) {
		rg_puts(w, c->step == STEP_LEASE_TAKE ? "{\"anonymous\":true}" : "{}");
		return;
	}
	put_user(&u, s->sc->user, c->ident);
	user[u.len] = '\0';
	body = json_pack("{s:s, s:s}", "account", user, "password", s->sc->password);
	text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
	rg_puts(w, text == NULL ? "{}" : text);
	free(text);
	json_decref(body);
}

void sock_lease_put(struct sock *s, struct conn *c, struct rg_wr *w) {
	char body[1024];
	struct rg_wr b = rg_wr(body, sizeof(body));

	if (c->step != STEP_LEASE_GIVE)
		put_body(s, c, &b);
	rg_puts(w, c->step == STEP_LEASE_GIVE ? "DELETE " : "POST ");
	rg_puts(w, s->sc->api);
	rg_puts(w, c->step == STEP_LEASE_RENEW ? "/lease/refresh" : "/lease");
	rg_puts(w, " HTTP/1.1\r\nHost: ");
	rg_puts(w, s->host);
	if (s->sc->origin != NULL) {
		rg_puts(w, "\r\nOrigin: ");
		rg_puts(w, s->sc->origin);
	}
	if (c->step != STEP_LEASE_TAKE) {
		rg_puts(w, "\r\nAuthorization: Bearer ");
		rg_put(w, sock_token(s, c->ident));
	}
	if (b.len > 0)
		rg_puts(w, "\r\nContent-Type: application/json");
	rg_puts(w, "\r\nContent-Length: ");
	rg_put_u64(w, b.len);
	rg_puts(w, "\r\n\r\n");
	rg_put(w, rg_wr_slice(&b));
}

bool sock_lease_answer(struct sock *s, struct conn *c, const struct wire_http *a,
		       const char **why) {
	struct ident *id = &s->idents[c->ident];
	const char *impu = NULL, *token = NULL;
	json_t *body = NULL;
	bool is_ok;

	if (c->step == STEP_LEASE_GIVE) {
		free(id->token);
		id->token = NULL;
		return true;
	}
	body = json_loadb((const char *)a->body.p, a->body.len, 0, NULL);
	if (body != NULL)
		(void)json_unpack(body, "{s:s, s:s}", "impu", &impu, "token", &token);
	is_ok = impu != NULL && token != NULL;
	if (is_ok) {
		free(id->impu);
		free(id->token);
		*id = (struct ident){strdup(impu), strdup(token)};
		is_ok = id->impu != NULL && id->token != NULL;
	}
	json_decref(body);
	*why = "an answer of the lease API without impu and token";
	return is_ok;
}
