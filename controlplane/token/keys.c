// SPDX-License-Identifier: BSD-3-Clause
// Own keys and their rotation: a table made anew at each reload from the files and from what was there.
#include "token/keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "regate/err.h"
#include "token/key.h"

#define FILE_MAX 65536 // bytes

struct slot {
	struct token_key *key;
	const char *path;
	enum token_key_state state;
	int64_t since_s, until_s;
};

struct table {
	struct slot slots[TOKEN_KEYS_MAX];
	size_t n;
};

struct token_keys {
	struct env *env;
	char *const *paths;
	size_t n_paths;
	uint32_t life_s;
	struct table now;
};

static int64_t now_s(const struct token_keys *s) {
	return env_wall_ms(s->env) / 1000;
}

static void table_free(struct table *t) {
	for (size_t i = 0; i < t->n; i++)
		token_key_free(t->slots[i].key);
	t->n = 0;
}

static struct slot *find(struct table *t, const char *kid) {
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(token_key_kid(t->slots[i].key), kid) == 0)
			return &t->slots[i];
	return NULL;
}

static int add_file(struct token_keys *s, struct table *t, size_t i, char *err, size_t err_len) {
	const char *path = s->paths[i];
	struct token_key *key;
	uint8_t *pem;
	size_t len;
	int rc = env_read_file(s->env, path, FILE_MAX, &pem, &len);

	if (rc != 0) {
		snprintf(err, err_len, "%s: %s; correct token.keys, or make the key", path,
			 rg_strerror(rc));
		return rc;
	}
	key = token_key_parse(path, rg_slice(pem, len), err, err_len);
	explicit_bzero(pem, len);
	free(pem);
	if (key == NULL)
		return -EINVAL;
	if (find(t, token_key_kid(key)) != NULL) {
		snprintf(err, err_len, "%s: has the key of another file of token.keys: remove one",
			 path);
		token_key_free(key);
		return RG_E_CONFLICT;
	}
	t->slots[t->n++] = (struct slot){
		.key = key,
		.path = path,
		.state = i == 0 ? TOKEN_KEY_SIGNS : TOKEN_KEY_KEPT,
		.since_s = now_s(s),
	};
	return 0;
}

// Is there room for those that no file has any more? Each has tokens that others verify with it.
static int check_room(struct token_keys *s, struct table *t, char *err, size_t err_len) {
	size_t n = t->n;
	int64_t until_s = INT64_MAX;

	for (size_t i = 0; i < s->now.n; i++) {
		const struct slot *old = &s->now.slots[i];

		if (find(t, token_key_kid(old->key)) != NULL)
			continue;
		n++;
		if (old->state == TOKEN_KEY_ENDING && old->until_s < until_s)
			until_s = old->until_s;
	}
	if (n <= TOKEN_KEYS_MAX)
		return 0;
	if (until_s == INT64_MAX)
		until_s = now_s(s) + s->life_s;
	snprintf(err, err_len,
		 "token.keys: %zu keys would be published, more than %d, for those of before still "
		 "have tokens; reload again in %" PRId64 " s, when the next of them ends",
		 n, TOKEN_KEYS_MAX, until_s - now_s(s));
	return RG_E_LIMIT;
}

// What was there goes over into t: its age, or itself until its tokens have ended.
static void carry_over(struct token_keys *s, struct table *t) {
	for (size_t i = 0; i < s->now.n; i++) {
		struct slot *old = &s->now.slots[i];
		struct slot *same = find(t, token_key_kid(old->key));

		if (same != NULL) {
			same->since_s = old->since_s;
		} else {
			t->slots[t->n] = *old;
			if (old->state != TOKEN_KEY_ENDING)
				t->slots[t->n].until_s = now_s(s) + s->life_s;
			t->slots[t->n++].state = TOKEN_KEY_ENDING;
			old->key = NULL;
		}
	}
}

static void drop_ended(struct token_keys *s) {
	struct table *t = &s->now;
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->slots[i].state == TOKEN_KEY_ENDING && t->slots[i].until_s <= now_s(s))
			token_key_free(t->slots[i].key);
		else
			t->slots[n++] = t->slots[i];
	}
	t->n = n;
}

int token_keys_reload(struct token_keys *s, char *err, size_t err_len) {
	struct table t = {0};
	int rc = 0;

	for (size_t i = 0; i < s->n_paths && rc == 0; i++)
		rc = add_file(s, &t, i, err, err_len);
	drop_ended(s);
	if (rc == 0)
		rc = check_room(s, &t, err, err_len);
	if (rc != 0) {
		table_free(&t);
		return rc;
	}
	carry_over(s, &t);
	table_free(&s->now);
	s->now = t;
	return 0;
}

struct token_keys *token_keys_new(struct env *env, char *const *paths, size_t n_paths,
				  uint32_t life_s, char *err, size_t err_len) {
	struct token_keys *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		snprintf(err, err_len, "no memory");
		return NULL;
	}
	*s = (struct token_keys){.env = env, .paths = paths, .n_paths = n_paths, .life_s = life_s};
	if (token_keys_reload(s, err, err_len) == 0)
		return s;
	token_keys_free(s);
	return NULL;
}

void token_keys_free(struct token_keys *s) {
	if (s == NULL)
		return;
	table_free(&s->now);
	free(s);
}

const struct token_key *token_keys_signer(const struct token_keys *s) {
	return s->now.slots[0].key;
}

bool token_keys_info(struct token_keys *s, size_t i, struct token_key_info *out) {
	const struct slot *slot;

	drop_ended(s);
	if (i >= s->now.n)
		return false;
	slot = &s->now.slots[i];
	*out = (struct token_key_info){
		.kid = token_key_kid(slot->key),
		.alg = jws_alg_name(token_key_jws(slot->key)->alg),
		.file = slot->path,
		.state = slot->state,
		.since_s = slot->since_s,
		.until_s = slot->until_s,
	};
	return true;
}

const char *token_key_state_name(enum token_key_state state) {
	static const char *const names[] = {"signs", "kept", "ending"};

	return names[state];
}

json_t *token_keys_jwks(struct token_keys *s) {
	json_t *list = json_array();

	drop_ended(s);
	for (size_t i = 0; i < s->now.n; i++) {
		if (json_array_append_new(list, jwk_export(token_key_jws(s->now.slots[i].key))) !=
		    0) {
			json_decref(list);
			return NULL;
		}
	}
	return json_pack("{s:o}", "keys", list);
}
