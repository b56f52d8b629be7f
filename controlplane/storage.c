// SPDX-License-Identifier: BSD-3-Clause
#include "storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regate/err.h"

#define FILE_MAX (1u << 20)

// A file that is named has to be readable; keep takes its bytes, which end in NUL, or is NULL.
static int read_file(struct env *env, const char *key, const char *path, char **keep, char *err,
		     size_t err_len) {
	uint8_t *data = NULL;
	size_t len = 0;
	int rc = path == NULL ? 0 : env_read_file(env, path, FILE_MAX, &data, &len);

	if (rc != 0) {
		snprintf(err, err_len, "store.%s: %s: %s; correct the path, or make it readable",
			 key, path, rg_strerror(rc));
		return rc;
	}
	if (keep != NULL && path != NULL) {
		*keep = strndup((const char *)data, len);
		if (*keep != NULL)
			(*keep)[strcspn(*keep, "\r\n")] = '\0';
	}
	if (data != NULL)
		explicit_bzero(data, len);
	free(data);
	return keep != NULL && path != NULL && *keep == NULL ? -ENOMEM : 0;
}

int storage_init(struct storage *st, const struct conf *conf, struct env *env, char *err,
		 size_t err_len) {
	int rc;

	if (!conf->store.is_etcd) {
		snprintf(st->place, sizeof(st->place), "store.path: %s", conf->store_path);
		return 0;
	}
	snprintf(st->place, sizeof(st->place), "store.prefix: %s", conf->store.prefix);
	st->etcd = (struct store_etcd_cfg){
		.endpoints = (const char *const *)conf->store.endpoints,
		.n_endpoints = conf->store.n_endpoints,
		.prefix = conf->store.prefix,
		.name = conf->gateway_id,
		.ca = conf->store.ca,
		.certificate = conf->store.certificate,
		.key = conf->store.key,
		.user = conf->store.user,
	};
	rc = read_file(env, "ca", conf->store.ca, NULL, err, err_len);
	if (rc == 0)
		rc = read_file(env, "certificate", conf->store.certificate, NULL, err, err_len);
	if (rc == 0)
		rc = read_file(env, "key", conf->store.key, NULL, err, err_len);
	if (rc == 0)
		rc = read_file(env, "password_file", conf->store.password_file, &st->password, err,
			       err_len);
	st->etcd.password = st->password;
	return rc;
}

int storage_open(struct storage *st, const struct conf *conf, struct env *env, struct store **out,
		 char *err, size_t err_len) {
	return conf->store.is_etcd ? store_etcd_open(env, &st->etcd, out, err, err_len)
				   : store_sqlite_open(env, conf->store_path, out, err, err_len);
}

static void on_marked(void *arg, int rc, uint64_t) {
	*(int *)arg = rc;
}

static int mark_etcd(struct storage *st, const struct conf *conf, struct env *env, char *err,
		     size_t err_len) {
	struct store *s = NULL;
	int put_rc = 0, rc = storage_open(st, conf, env, &s, err, err_len);

	if (rc != 0)
		return rc;
	rc = store_put(s, STORE_LOST, &(uint8_t){1}, 1, false, on_marked, &put_rc);
	if (rc == 0)
		store_flush(s);
	rc = rc == 0 ? put_rc : rc;
	if (rc != 0)
		snprintf(err, err_len, "%s: cannot be written (%s); mend etcd, then try again",
			 st->place, rg_strerror(rc));
	store_close(s);
	return rc;
}

int storage_replace(const struct conf *conf, struct env *env, const char *backup, FILE *out,
		    char *err, size_t err_len) {
	struct storage st = {0};
	char kept[4096] = "";
	int rc;

	if (conf->store.is_etcd && backup != NULL) {
		snprintf(err, err_len,
			 "--restore is for store.type sqlite: restore etcd with etcdctl snapshot "
			 "restore, then run regated --store-lost");
		return RG_E_UNSUPPORTED;
	}
	rc = storage_init(&st, conf, env, err, err_len);
	if (rc == 0 && conf->store.is_etcd)
		rc = mark_etcd(&st, conf, env, err, err_len);
	else if (rc == 0)
		rc = store_sqlite_replace(conf->store_path, backup, kept, sizeof(kept), err,
					  err_len);
	if (rc == 0)
		fprintf(out,
			"%s: %s%s%s%s; from the next start on no pair is given out until all "
			"leases of before are over\n",
			st.place, backup == NULL ? "counts as lost" : "now has the records of ",
			backup == NULL ? "" : backup, *kept == '\0' ? "" : "; the old one is ",
			kept);
	storage_fini(&st);
	return rc;
}

void storage_fini(struct storage *st) {
	if (st->password != NULL)
		explicit_bzero(st->password, strlen(st->password));
	free(st->password);
	st->password = NULL;
}
