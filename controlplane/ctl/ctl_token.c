// SPDX-License-Identifier: BSD-3-Clause
// `token keys`, `token reload`: the keys of our own tokens. Control thread; answers at once.
#include "ctl/ctl_int.h"

static json_t *key_json(const struct token_key_info *info) {
	json_t *until = info->until_s == 0 ? json_null() : ctl_json_utc(info->until_s);

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "kid", info->kid, "alg", info->alg,
			 "state", token_key_state_name(info->state), "since_at",
			 ctl_json_utc(info->since_s), "until_at", until, "file",
			 ctl_json_text(rg_str(info->file)));
}

void ctl_token_keys(struct ctl_client *cl) {
	struct token_keys *keys = cl->ctl->deps.keys;
	json_t *list = json_array();
	struct token_key_info info;

	for (size_t i = 0; keys != NULL && token_keys_info(keys, i, &info); i++)
		ctl_json_add(&list, key_json(&info));
	ctl_answer(cl, json_pack("{s:o}", "keys", list));
}

void ctl_token_reload(struct ctl_client *cl) {
	const struct ctl *c = cl->ctl;
	char err[512] = "there are no keys in this process";

	if (c->deps.keys == NULL || token_keys_reload(c->deps.keys, err, sizeof(err)) != 0) {
		log_put(c->deps.log, LOG_ERROR, "token.reload_failed", LOG_S("cause", err));
		ctl_refuse(cl, RG_CTL_REFUSED, "token reload: nothing changed: %s", err);
		return;
	}
	log_put(c->deps.log, LOG_INFO, "token.reloaded",
		LOG_S("kid", token_key_kid(token_keys_signer(c->deps.keys))));
	if (c->deps.reload_issuers != NULL &&
	    c->deps.reload_issuers(c->deps.reload_arg, err, sizeof(err)) != 0) {
		log_put(c->deps.log, LOG_ERROR, "token.reload_failed", LOG_S("cause", err));
		ctl_refuse(cl, RG_CTL_REFUSED, "token reload: token.keys are in use; %s", err);
		return;
	}
	ctl_token_keys(cl);
}
