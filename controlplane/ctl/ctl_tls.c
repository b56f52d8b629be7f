// SPDX-License-Identifier: BSD-3-Clause
// `tls show`, `tls reload`: the server certificates in use. Control thread; answers at once.
#include "ctl/ctl_int.h"

static json_t *cert_json(const struct ctl *c, const struct rg_cert_info *info) {
	int64_t left_s = info->not_after - env_wall_ms(c->deps.env) / 1000;

	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:b}", "file",
			 ctl_json_text(rg_str(info->file)), "subject",
			 ctl_json_text(rg_str(info->subject)), "names",
			 ctl_json_text(rg_str(info->names)), "serial", info->serial,
			 "valid_from_at", ctl_json_utc(info->not_before), "expires_at",
			 ctl_json_utc(info->not_after), "is_expiring", left_s < RG_CERT_WARN_S);
}

void ctl_tls_show(struct ctl_client *cl) {
	struct rg_dp *dp = cl->ctl->deps.dp;
	json_t *list = json_array();
	struct rg_cert_info info;

	for (size_t i = 0; dp != NULL && rg_dp_cert_info(dp, i, &info); i++)
		ctl_json_add(&list, cert_json(cl->ctl, &info));
	ctl_answer(cl, json_pack("{s:o}", "certificates", list));
}

void ctl_tls_reload(struct ctl_client *cl) {
	const struct ctl *c = cl->ctl;
	char err[512] = "there is no dataplane in this process";

	if (c->deps.dp == NULL || rg_dp_reload_certs(c->deps.dp, err, sizeof(err)) != 0) {
		log_put(c->deps.log, LOG_ERROR, "tls.reload_failed", LOG_S("cause", err));
		ctl_refuse(cl, RG_CTL_REFUSED, "tls reload: nothing changed: %s", err);
		return;
	}
	log_put(c->deps.log, LOG_INFO, "tls.reloaded");
	ctl_tls_show(cl);
}
