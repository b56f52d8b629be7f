// SPDX-License-Identifier: BSD-3-Clause
// The body of POST /v1/lease. Loop thread. Nothing of the body is ever repeated in an answer.
#include "wwsf/wwsf_int.h"

static const struct member {
	const char *name;
	bool is_string;
	size_t max; // bytes
} members[] = {
	{"anonymous", false, 0}, {"account", true, 128}, {"password", true, 256},
	{"pool", true, 64},      {"plmn", true, 16},
};
#define N_MEMBERS (sizeof(members) / sizeof(members[0]))

static const char *member_check(const char *name, const json_t *value) {
	for (size_t i = 0; i < N_MEMBERS; i++) {
		const struct member *m = &members[i];

		if (strcmp(name, m->name) != 0)
			continue;
		if (m->is_string ? !json_is_string(value) : !json_is_boolean(value))
			return "A member has the wrong type: anonymous is true or false, the "
			       "others are strings.";
		if (m->is_string && json_string_length(value) > m->max)
			return "A member is too long: account 128, password 256, pool 64, plmn 16 "
			       "bytes at most.";
		return NULL;
	}
	return "Unknown member; use anonymous, account, password, pool and plmn.";
}

static const char *members_check(json_t *json) {
	const char *name;
	json_t *value;

	if (!json_is_object(json))
		return "Send a JSON object such as {\"anonymous\":true}.";
	json_object_foreach(json, name, value) {
		const char *why = member_check(name, value);

		if (why != NULL)
			return why;
	}
	return NULL;
}

static const char *form_fill(struct wwsf_form *f) {
	static const char usage[] =
		"Send either {\"anonymous\":true} or an account with its password.";

	f->is_anonymous = json_is_true(json_object_get(f->json, "anonymous"));
	f->account = json_string_value(json_object_get(f->json, "account"));
	f->password = json_string_value(json_object_get(f->json, "password"));
	f->pool = json_string_value(json_object_get(f->json, "pool"));
	// XXX "plmn" is checked but chooses nothing: there is one list of WebSocket URLs (wic.wss).
	if (f->is_anonymous)
		return f->account == NULL && f->password == NULL ? NULL : usage;
	if (f->account == NULL || f->password == NULL || *f->account == '\0')
		return usage;
	return NULL;
}

static bool is_json(const struct http_req *h) {
	struct rg_slice type = http_header(h, "Content-Type");
	const uint8_t *semi = type.len == 0 ? NULL : memchr(type.p, ';', type.len);

	if (semi != NULL)
		type.len = (size_t)(semi - type.p);
	return http_header_count(h, "Content-Type") == 1 &&
	       rg_ieq(rg_trim(type), RG_LIT("application/json"));
}

bool wwsf_form_parse(const struct wwsf_req *r, struct wwsf_form *out, unsigned *status,
		     const char **why) {
	struct wwsf_form f = {0};

	if (!is_json(&r->http)) {
		*status = 415;
		*why = "Send the body with Content-Type: application/json.";
		return false;
	}
	*status = 400;
	// jansson's own error text repeats the input, which may be a password.
	f.json = json_loadb((const char *)r->body.p, r->body.len, JSON_REJECT_DUPLICATES, NULL);
	*why = f.json == NULL ? "The body is not JSON." : members_check(f.json);
	if (*why == NULL)
		*why = form_fill(&f);
	if (*why != NULL) {
		json_decref(f.json);
		return false;
	}
	*out = f;
	return true;
}
