// SPDX-License-Identifier: BSD-3-Clause
// The files of the server certificates, and the daily look at them. Control thread.
#include "certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regate/clock.h"
#include "regate/err.h"

#define DAY_S 86400

struct rg_cert_file *certs_files(const struct conf *conf) {
	struct rg_cert_file *files = calloc(1 + conf->n_certs, sizeof(files[0]));

	if (files == NULL)
		return NULL;
	files[0] = (struct rg_cert_file){conf->tls.certificate, conf->tls.key};
	for (size_t i = 0; i < conf->n_certs; i++)
		files[1 + i] =
			(struct rg_cert_file){conf->certs[i].certificate, conf->certs[i].key};
	return files;
}

int certs_ticket_secret(struct env *env, const struct conf *conf, uint8_t out[32], char *err,
			size_t err_len) {
	const char *path = conf->tls.ticket_secret;
	uint8_t *data = NULL;
	size_t len = 0;
	int rc;

	if (path == NULL) {
		env_random(env, out, 32);
		return 0;
	}
	rc = env_read_file(env, path, 32, &data, &len);
	if (rc == 0 && len != 32)
		rc = RG_E_LIMIT;
	if (rc != 0)
		snprintf(err, err_len,
			 "tls.ticket_secret: %s: %s; it has to hold 32 bytes: openssl rand -out %s "
			 "32",
			 path, rc == RG_E_LIMIT ? "not 32 bytes" : rg_strerror(rc), path);
	else
		memcpy(out, data, 32);
	if (data != NULL)
		explicit_bzero(data, len);
	free(data);
	return rc;
}

static void look(struct env_timer *t, uint64_t now_ns) {
	struct certs_watch *w =
		(struct certs_watch *)((uint8_t *)t - offsetof(struct certs_watch, timer));
	struct rg_cert_info info;

	for (size_t i = 0; rg_dp_cert_info(w->dp, i, &info); i++) {
		int64_t left_s = info.not_after - env_wall_ms(w->env) / 1000;

		if (left_s < RG_CERT_WARN_S)
			log_put(w->log, LOG_WARN, "tls.expiring", LOG_S("file", info.file),
				LOG_S("subject", info.subject), LOG_I("days", left_s / DAY_S),
				LOG_S("cure", "renew it, then: regatectl tls reload"));
	}
	env_timer_set(w->env, t, now_ns + DAY_S * RG_NS_PER_S);
}

void certs_watch_start(struct certs_watch *w, struct env *env, struct log *log,
		       const struct rg_dp *dp) {
	*w = (struct certs_watch){.env = env, .log = log, .dp = dp, .timer.fn = look};
	look(&w->timer, env_now_ns(env));
}

void certs_watch_stop(struct certs_watch *w) {
	if (w->env != NULL)
		env_timer_cancel(w->env, &w->timer);
}
