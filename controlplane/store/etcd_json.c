// SPDX-License-Identifier: BSD-3-Clause
#include "store/etcd_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "regate/base64.h"
#include "regate/err.h"

// --- requests

static void put_bytes(struct rg_wr *w, const char *name, struct rg_slice s) {
	rg_puts(w, name);
	rg_putc(w, '"');
	rg_b64_put(w, RG_B64_PADDED, s);
	rg_putc(w, '"');
}

static void put_number(struct rg_wr *w, const char *name, uint64_t v) {
	rg_puts(w, name);
	rg_put_u64(w, v);
}

void etcd_put_range(struct rg_wr *w, const struct etcd_range *r) {
	put_bytes(w, "{\"key\":", r->key);
	if (r->end.len > 0)
		put_bytes(w, ",\"range_end\":", r->end);
	if (r->revision != 0)
		put_number(w, ",\"revision\":", r->revision);
	if (r->min_mod_revision != 0)
		put_number(w, ",\"min_mod_revision\":", r->min_mod_revision);
	if (r->limit != 0)
		put_number(w, ",\"limit\":", r->limit);
	rg_putc(w, '}');
}

void etcd_put_watch(struct rg_wr *w, struct rg_slice key, struct rg_slice end, uint64_t revision) {
	put_bytes(w, "{\"create_request\":{\"key\":", key);
	put_bytes(w, ",\"range_end\":", end);
	put_number(w, ",\"start_revision\":", revision);
	rg_puts(w, ",\"fragment\":true}}");
}

void etcd_put_plain(struct rg_wr *w, struct rg_slice key, struct rg_slice value) {
	put_bytes(w, "{\"key\":", key);
	put_bytes(w, ",\"value\":", value);
	rg_putc(w, '}');
}

static void put_string(struct rg_wr *w, const char *name, const char *s) {
	rg_puts(w, name);
	rg_putc(w, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\') {
			rg_putc(w, '\\');
			rg_putc(w, *s);
		} else if ((uint8_t)*s < 0x20) {
			rg_puts(w, "\\u00");
			rg_put_hex(w, rg_slice(s, 1));
		} else {
			rg_putc(w, *s);
		}
	}
	rg_putc(w, '"');
}

void etcd_put_login(struct rg_wr *w, const char *user, const char *password) {
	put_string(w, "{\"name\":", user);
	put_string(w, ",\"password\":", password);
	rg_putc(w, '}');
}

// Between two elements of a list.
static void put_comma(struct rg_wr *w) {
	if (w->len > 0 && w->p[w->len - 1] != '[')
		rg_putc(w, ',');
}

void etcd_txn_begin(struct rg_wr *w) {
	rg_puts(w, "{\"success\":[");
}

void etcd_txn_begin_together(struct rg_wr *w) {
	rg_puts(w, "{\"compare\":[");
}

void etcd_txn_end(struct rg_wr *w) {
	rg_puts(w, "]}");
}

void etcd_txn_range(struct rg_wr *w, struct rg_slice key) {
	put_comma(w);
	rg_puts(w, "{\"request_range\":");
	etcd_put_range(w, &(struct etcd_range){.key = key});
	rg_putc(w, '}');
}

static void put_compare(struct rg_wr *w, struct rg_slice key, uint64_t mod_revision) {
	put_comma(w);
	put_bytes(w, "{\"key\":", key);
	put_number(w, ",\"target\":\"MOD\",\"mod_revision\":", mod_revision);
	rg_putc(w, '}');
}

static void put_put(struct rg_wr *w, struct rg_slice key, struct rg_slice value) {
	put_comma(w);
	rg_puts(w, "{\"request_put\":");
	etcd_put_plain(w, key, value);
	rg_putc(w, '}');
}

void etcd_txn_if(struct rg_wr *w, const struct etcd_put *p) {
	put_compare(w, p->key, p->mod_revision);
	if (p->new_key.len > 0)
		put_compare(w, p->new_key, 0);
}

void etcd_txn_then(struct rg_wr *w) {
	rg_puts(w, "],\"success\":[");
}

void etcd_txn_do(struct rg_wr *w, const struct etcd_put *p) {
	put_put(w, p->key, p->value);
	if (p->new_key.len > 0)
		put_put(w, p->new_key, p->new_value);
	if (p->also_key.len > 0)
		put_put(w, p->also_key, p->also_value);
}

void etcd_txn_put(struct rg_wr *w, const struct etcd_put *p) {
	put_comma(w);
	rg_puts(w, "{\"request_txn\":{\"compare\":[");
	etcd_txn_if(w, p);
	rg_puts(w, "],\"success\":[");
	etcd_txn_do(w, p);
	rg_puts(w, "],\"failure\":[");
	etcd_txn_range(w, p->key);
	if (p->new_key.len > 0)
		etcd_txn_range(w, p->new_key);
	rg_puts(w, "]}}");
}

// --- answers

// A number, or a string that is one; 0 when absent, as is the default.
static bool get_u64(const json_t *o, const char *name, uint64_t *out) {
	const json_t *v = json_object_get(o, name);

	*out = 0;
	if (v == NULL)
		return true;
	if (json_is_string(v))
		return rg_parse_u64(rg_slice(json_string_value(v), json_string_length(v)), out);
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return false;
	*out = (uint64_t)json_integer_value(v);
	return true;
}

static bool get_bool(const json_t *o, const char *name) {
	return json_is_true(json_object_get(o, name));
}

static const char *get_text(const json_t *o, const char *name) {
	const char *s = json_string_value(json_object_get(o, name));

	return s == NULL ? "" : s;
}

static bool get_bytes(struct etcd_reply *r, const json_t *o, const char *name,
		      struct rg_slice *out) {
	const json_t *v = json_object_get(o, name);
	size_t n;

	*out = rg_slice(NULL, 0);
	if (v == NULL)
		return true;
	if (!json_is_string(v) ||
	    rg_b64_read(rg_slice(json_string_value(v), json_string_length(v)), RG_B64_PADDED,
			r->room + r->used, r->cap - r->used, &n) != 0)
		return false;
	*out = rg_slice(r->room + r->used, n);
	r->used += n;
	return true;
}

static int get_kv(struct etcd_reply *r, const json_t *o, struct etcd_kv *out) {
	*out = (struct etcd_kv){0};
	if (!json_is_object(o) || !get_bytes(r, o, "key", &out->key) ||
	    !get_bytes(r, o, "value", &out->value) ||
	    !get_u64(o, "mod_revision", &out->mod_revision) || out->key.len == 0)
		return RG_E_PROTO;
	return 0;
}

// {"error": "text", "code": 5, "message": "text"}, and in a stream
// {"error": {"grpc_code": 5, "message": "text"}}
static bool get_error(const json_t *root, struct etcd_reply *out) {
	const json_t *error = json_object_get(root, "error");
	uint64_t code;

	if (error == NULL)
		return false;
	if (json_is_object(error)) {
		root = error;
		out->message = get_text(error, "message");
	} else {
		out->message = json_is_string(error) ? json_string_value(error) : "";
	}
	if (!get_u64(root, json_is_object(error) ? "grpc_code" : "code", &code) || code == 0 ||
	    code > 16)
		code = 2; // unknown
	out->code = (unsigned)code;
	return true;
}

static int read_reply(struct etcd_reply *r) {
	static const char *const lists[] = {"kvs", "events", "responses"};
	json_t *o = r->root, *result;

	if (!json_is_object(o))
		return RG_E_PROTO;
	if (get_error(o, r))
		return 0;
	result = json_object_get(o, "result"); // of a stream
	if (result != NULL)
		o = result;
	if (!get_u64(json_object_get(o, "header"), "revision", &r->revision) ||
	    !get_u64(o, "compact_revision", &r->compact_revision))
		return RG_E_PROTO;
	r->token = get_text(o, "token");
	r->more = get_bool(o, "more");
	r->has_succeeded = get_bool(o, "succeeded");
	r->is_created = get_bool(o, "created");
	r->is_canceled = get_bool(o, "canceled");
	if (r->is_canceled)
		r->message = get_text(o, "cancel_reason");
	r->is_fragment = get_bool(o, "fragment");
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists) && r->list == NULL; i++)
		r->list = json_object_get(o, lists[i]);
	r->n = json_array_size(r->list);
	return 0;
}

int etcd_reply_parse(struct rg_slice json, struct etcd_reply *out) {
	struct etcd_reply r = {.message = "", .token = ""};
	int rc;

	r.root = json_loadb((const char *)json.p, json.len, 0, NULL);
	if (r.root == NULL)
		return RG_E_PROTO;
	r.cap = json.len;
	r.room = malloc(r.cap);
	rc = r.room == NULL ? -ENOMEM : read_reply(&r);
	if (rc != 0) {
		etcd_reply_fini(&r);
		return rc;
	}
	*out = r;
	return 0;
}

void etcd_reply_fini(struct etcd_reply *r) {
	json_decref(r->root);
	free(r->room);
	r->root = NULL;
	r->room = NULL;
}

int etcd_reply_kv(struct etcd_reply *r, size_t i, struct etcd_kv *out) {
	const json_t *o = json_array_get(r->list, i), *kv = json_object_get(o, "kv");
	int rc = get_kv(r, kv == NULL ? o : kv, out);
	if (rc == 0)
		out->is_delete = strcmp(get_text(o, "type"), "DELETE") == 0;
	return rc;
}

// The only pair of a range among the responses of a transaction.
static int get_read(struct etcd_reply *r, const json_t *responses, size_t i, struct etcd_kv *out) {
	const json_t *o = json_object_get(json_array_get(responses, i), "response_range");
	const json_t *kvs = json_object_get(o, "kvs");

	*out = (struct etcd_kv){0};
	if (!json_is_object(o))
		return RG_E_PROTO;
	return json_array_size(kvs) == 0 ? RG_E_STALE : get_kv(r, json_array_get(kvs, 0), out);
}

int etcd_reply_read(struct etcd_reply *r, size_t i, struct etcd_kv *out) {
	return get_read(r, r->list, i, out);
}

int etcd_reply_put(struct etcd_reply *r, size_t i, struct etcd_kv *now, struct etcd_kv *new_now) {
	const json_t *o = json_object_get(json_array_get(r->list, i), "response_txn");
	const json_t *responses = json_object_get(o, "responses");
	int rc;

	*now = *new_now = (struct etcd_kv){0};
	if (!json_is_object(o))
		return RG_E_PROTO;
	if (get_bool(o, "succeeded"))
		return 0;
	rc = get_read(r, responses, 0, now);
	if ((rc == 0 || rc == RG_E_STALE) && json_array_size(responses) > 1)
		rc = get_read(r, responses, 1, new_now);
	return rc == RG_E_PROTO ? RG_E_PROTO : RG_E_CONFLICT;
}
