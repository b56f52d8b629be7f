// SPDX-License-Identifier: BSD-3-Clause
// `token keys`, `token reload`: the keys of our own tokens, and whose of other issuers are still to be
// fetched. Control thread; answers at once.
#include <errno.h>

#include "ctl/ctl_int.h"

static json_t *key_json(const struct token_key_info *info) {
	json_t *until = info->until_s == 0 ? json_null() : ctl_json_utc(info->until_s);

	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "kid", info->kid, "alg", info->alg,
			 "state", token_key_state_name(info->state), "since_at",
			 ctl_json_utc(info->since_s), "until_at", until, "file",
			 ctl_json_text(rg_str(info->file)));
}

// The WWSFs whose withdrawn keys are good still.
static json_t *pending_json(const struct ctl_deps *d) {
	json_t *list = json_array();
	const char *id;

	for (size_t i = 0;
	     d->issuer_pending != NULL && (id = d->issuer_pending(d->reload_arg, i)) != NULL; i++)
		ctl_json_add(&list, json_string(id));
	return list;
}

void ctl_token_keys(struct ctl_client *cl) {
	struct token_keys *keys = cl->ctl->deps.keys;
	json_t *list = json_array();
	struct token_key_info info;

	for (size_t i = 0; keys != NULL && token_keys_info(keys, i, &info); i++)
		ctl_json_add(&list, key_json(&info));
	ctl_answer(cl, json_pack("{s:o, s:o}", "keys", list, "withdrawal_pending",
				 pending_json(&cl->ctl->deps)));
}

static int reload_ours(const struct ctl_deps *d, char *err, size_t err_len) {
	int rc;

	snprintf(err, err_len, "there are no keys in this process");
	rc = d->keys == NULL ? -ENOENT : token_keys_reload(d->keys, err, err_len);
	if (rc != 0)
		log_put(d->log, LOG_ERROR, "token.reload_failed", LOG_S("cause", err));
	else
		log_put(d->log, LOG_INFO, "token.reloaded",
			LOG_S("kid", token_key_kid(token_keys_signer(d->keys))));
	return rc;
}

static int reload_theirs(const struct ctl_deps *d, char *err, size_t err_len) {
	int rc = d->reload_issuers == NULL ? 0 : d->reload_issuers(d->reload_arg, err, err_len);

	if (rc != 0)
		log_put(d->log, LOG_ERROR, "token.reload_failed", LOG_S("cause", err));
	return rc;
}

// Both, whatever becomes of one: a bad file of ours does not keep a key of theirs that leaked.
void ctl_token_reload(struct ctl_client *cl) {
	const struct ctl_deps *d = &cl->ctl->deps;
	char ours[512], theirs[512];
	int rc = reload_ours(d, ours, sizeof(ours));
	int rc_theirs = reload_theirs(d, theirs, sizeof(theirs));

	if (rc == 0 && rc_theirs == 0)
		ctl_token_keys(cl);
	else if (rc_theirs == 0)
		ctl_refuse(cl, RG_CTL_REFUSED, "token reload: token.keys as before: %s", ours);
	else
		ctl_refuse(cl, RG_CTL_REFUSED, "token reload: %s%s; %s",
			   rc == 0 ? "token.keys are in use" : "token.keys as before: ",
			   rc == 0 ? "" : ours, theirs);
}
