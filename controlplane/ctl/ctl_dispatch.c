// SPDX-License-Identifier: BSD-3-Clause
// From one request message to its handler: JSON, command, arguments checked against the grammar.
// Control thread. Handlers never see an argument that the grammar does not allow.
#include "ctl/ctl_int.h"

#include <stdlib.h>

static void help(struct ctl_client *cl) {
	ctl_answer(cl, ctl_grammar_json());
}

static void (*const handlers[CTL_N_CMDS])(struct ctl_client *cl) = {
	[CTL_STATUS] = ctl_status,
	[CTL_STATS] = ctl_stats,
	[CTL_METRICS] = ctl_metrics,
	[CTL_STAGES] = ctl_stages,
	[CTL_TOP] = ctl_top,
	[CTL_POOL_LIST] = ctl_pool_list,
	[CTL_POOL_SHOW] = ctl_pool_show,
	[CTL_POOL_IMPORT] = ctl_pool_import,
	[CTL_POOL_REMOVE] = ctl_pool_import,
	[CTL_POOL_EXPORT] = ctl_pool_export,
	[CTL_POOL_DRAIN] = ctl_pool_drain,
	[CTL_POOL_UNDRAIN] = ctl_pool_drain,
	[CTL_LEASE_LIST] = ctl_lease_list,
	[CTL_LEASE_SHOW] = ctl_lease_show,
	[CTL_LEASE_REVOKE] = ctl_lease_show,
	[CTL_LEASE_RELEASE] = ctl_lease_show,
	[CTL_LEASE_SUSPECT] = ctl_lease_show,
	[CTL_LEASE_CLEAR] = ctl_lease_show,
	[CTL_LEASE_HISTORY] = ctl_lease_show,
	[CTL_STORE_SHOW] = ctl_store_show,
	[CTL_STORE_BACKUP] = ctl_store_backup,
	[CTL_STORE_CHECK] = ctl_store_backup,
	[CTL_CONN_LIST] = ctl_conn_list,
	[CTL_LOG_LEVEL] = ctl_log_level,
	[CTL_TLS_SHOW] = ctl_tls_show,
	[CTL_TLS_RELOAD] = ctl_tls_reload,
	[CTL_TOKEN_KEYS] = ctl_token_keys,
	[CTL_TOKEN_RELOAD] = ctl_token_reload,
	[CTL_HELP] = help,
};

const char *ctl_arg_str(const struct ctl_req *r, const char *name) {
	return json_string_value(json_object_get(r->args, name));
}

uint64_t ctl_arg_u64(const struct ctl_req *r, const char *name, uint64_t dflt) {
	const char *s = ctl_arg_str(r, name);

	// check_args() has made sure of digits and range.
	return s == NULL ? dflt : strtoull(s, NULL, 10);
}

uint32_t ctl_arg_after(const struct ctl_req *r) {
	uint64_t next = ctl_arg_str(r, "after") == NULL ? 0 : ctl_arg_u64(r, "after", 0) + 1;

	return next > UINT32_MAX ? UINT32_MAX : (uint32_t)next;
}

enum pool_format ctl_arg_format(const struct ctl_req *r) {
	const char *format = ctl_arg_str(r, "format");

	return format != NULL && strcmp(format, "json") == 0 ? POOL_JSON : POOL_CSV;
}

// Makes a JSON integer the text that regatectl would have sent, so that one check serves both.
static json_t *as_text(json_t *v) {
	char text[24];
	struct rg_wr w = rg_wr(text, sizeof(text));

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return json_incref(v);
	rg_put_u64(&w, (uint64_t)json_integer_value(v));
	return json_stringn(text, w.len);
}

static int check_arg(const struct ctl_arg *a, const json_t *v, char *err, size_t err_len) {
	const char *s = json_string_value(v);

	if (a->kind == CTL_ARG_FLAG ? !json_is_boolean(v) : s == NULL) {
		snprintf(err, err_len, "%s must be a JSON %s", a->name,
			 a->kind == CTL_ARG_FLAG ? "true or false" : "string");
		return RG_E_PROTO;
	}
	if (s == NULL)
		return RG_OK;
	return ctl_arg_check(a, rg_slice(s, json_string_length(v)), err, err_len);
}

// Copies what the grammar knows of `args` to *out. 0, RG_E_PROTO with err, -ENOMEM.
static int take_args(const struct ctl_cmd *cmd, json_t *args, json_t **out, char *err,
		     size_t err_len) {
	json_t *taken = json_object();
	const char *key;
	json_t *v;
	int rc = RG_OK;

	json_object_foreach(args, key, v) {
		const struct ctl_arg *a = ctl_arg_find(cmd, rg_str(key));
		json_t *text = as_text(v);

		if (a == NULL) {
			snprintf(err, err_len, "unknown argument: `help` lists those of `%s`",
				 cmd->name);
			rc = RG_E_PROTO;
		} else {
			rc = check_arg(a, text, err, err_len);
		}
		if (rc != RG_OK) {
			json_decref(text);
			break;
		}
		if (json_object_set_new(taken, key, text) != 0) {
			snprintf(err, err_len, "out of memory");
			rc = RG_E_PROTO;
			break;
		}
	}
	for (const struct ctl_arg *a = cmd->args; rc == RG_OK && a->name != NULL; a++) {
		if (a->is_required && a->kind != CTL_ARG_OUTPUT &&
		    json_object_get(taken, a->name) == NULL) {
			snprintf(err, err_len, "argument %s is missing: %s", a->name, a->help);
			rc = RG_E_PROTO;
		}
	}
	if (rc != RG_OK) {
		json_decref(taken);
		return rc;
	}
	*out = taken;
	return RG_OK;
}

static void dispatch_object(struct ctl_client *cl, json_t *o) {
	const char *name = json_string_value(json_object_get(o, "cmd"));
	json_t *args = json_object_get(o, "args");
	const struct ctl_cmd *near;
	char err[256];

	if (name == NULL || (args != NULL && !json_is_object(args))) {
		ctl_refuse(cl, RG_CTL_USAGE,
			   "request without \"cmd\" (string) or with \"args\" that are no object");
		return;
	}
	cl->req.cmd = ctl_cmd_find(rg_str(name), &cl->req.id);
	if (cl->req.cmd == NULL) {
		near = ctl_cmd_nearest(rg_str(name));
		ctl_refuse(cl, RG_CTL_USAGE, "unknown command: try `%s`",
			   near == NULL ? "help" : near->name);
		return;
	}
	if (take_args(cl->req.cmd, args, &cl->req.args, err, sizeof(err)) != RG_OK) {
		ctl_refuse(cl, RG_CTL_USAGE, "%s: %s", cl->req.cmd->name, err);
		return;
	}
	handlers[cl->req.id](cl);
}

void ctl_dispatch(struct ctl_client *cl, struct rg_slice msg) {
	json_error_t at;
	json_t *o = json_loadb((const char *)msg.p, msg.len, JSON_REJECT_DUPLICATES, &at);

	if (!json_is_object(o))
		ctl_refuse(cl, RG_CTL_USAGE,
			   "request is not one JSON object (byte %d): see ctlproto.h",
			   o == NULL ? at.position : 0);
	else
		dispatch_object(cl, o);
	json_decref(o);
}
