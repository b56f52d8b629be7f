// SPDX-License-Identifier: BSD-3-Clause
// `store show`, `store backup`, `store check`. Control thread; a copy goes on in the store, `store show`
// tells how far it is. The file of a backup is new, private, or an older backup: nothing else that
// an operator names is opened.
#include "ctl/ctl_int.h"

#include <errno.h>

static const char *const states[] = {
	[STORE_BACKUP_COPYING] = "copying",
	[STORE_BACKUP_CHECKING] = "checking",
	[STORE_BACKUP_DONE] = "done",
	[STORE_BACKUP_FAILED] = "failed",
};

// What came of it, and the cure.
static void why(const struct store_backup *b, char *out, size_t len) {
	const char *file = *b->file == '\0' ? "a copy beside the store" : b->file;

	if (b->rc == -EEXIST)
		snprintf(out, len, "%s: exists; name a new file, or --force it over a backup",
			 file);
	else if (b->rc == -ENOTSUP)
		snprintf(out, len, "%s: exists, and is no backup; name another file", file);
	else if (b->rc == -EBUSY)
		snprintf(out, len, "another one is under way; see `store show`, then try again");
	else if (b->rc == RG_E_UNSUPPORTED)
		snprintf(out, len, "etcd has its own tool; use etcdctl snapshot save");
	else if (b->rc == RG_E_PROTO)
		snprintf(out, len, "the store is damaged; stop regated, then regated --restore");
	else
		snprintf(out, len,
			 "%s: %s; its directory must be writable to regated and have room", file,
			 rg_strerror(b->rc));
}

static json_t *backup_json(const struct store_backup *b) {
	char error[CTL_WORD_MAX + 160] = "";

	if (b->state == STORE_BACKUP_NONE)
		return NULL;
	if (b->state == STORE_BACKUP_FAILED)
		why(b, error, sizeof(error));
	return json_pack("{s:s, s:o, s:I, s:o, s:o*}", "state", states[b->state], "file",
			 *b->file == '\0' ? json_null() : ctl_json_text(rg_str(b->file)), "percent",
			 (json_int_t)b->percent, "ended_at",
			 b->ended_ms == 0 ? json_null() : ctl_json_utc(b->ended_ms / 1000), "error",
			 *error == '\0' ? NULL : ctl_json_text(rg_str(error)));
}

static json_t *place_json(const struct conf *conf) {
	json_t *list;

	if (!conf->store.is_etcd)
		return json_string(conf->store_path);
	list = json_array();
	for (size_t i = 0; i < conf->store.n_endpoints; i++)
		ctl_json_add(&list, json_string(conf->store.endpoints[i]));
	return list;
}

static json_t *number(uint64_t n) { // 0: not known
	return n == 0 ? NULL : json_integer((json_int_t)n);
}

void ctl_store_show(struct ctl_client *cl) {
	const struct conf *conf = cl->ctl->deps.conf;
	struct store_stats st;
	struct store_info info;

	store_get_stats(cl->ctl->deps.store, &st);
	store_get_info(cl->ctl->deps.store, &info);
	ctl_answer(cl,
		   json_pack("{s:s, s:o, s:s*, s:o*, s:b, s:o*, s:o*, s:o*, s:I, s:o*}", "kind",
			     info.kind, conf->store.is_etcd ? "endpoints" : "file",
			     place_json(conf), "prefix",
			     conf->store.is_etcd ? conf->store.prefix : NULL, "schema_version",
			     number((uint64_t)info.schema), "up", st.is_up, "records",
			     number(info.n_records), "bytes", number(info.n_bytes),
			     "last_commit_at",
			     info.commit_ms == 0 ? NULL : ctl_json_utc(info.commit_ms / 1000),
			     "queued", (json_int_t)st.queued, "backup", backup_json(&info.backup)));
}

void ctl_store_backup(struct ctl_client *cl) { // and `store check`
	const char *file = ctl_arg_str(&cl->req, "file");
	struct store_backup b = {.file = file == NULL ? "" : file};
	char text[CTL_WORD_MAX + 160];

	if (file != NULL && *file != '/') {
		ctl_refuse(cl, RG_CTL_USAGE,
			   "%s: file must begin with /: regated has another "
			   "working directory",
			   cl->req.cmd->name);
		return;
	}
	b.rc = store_backup(cl->ctl->deps.store, file,
			    json_is_true(json_object_get(cl->req.args, "force")));
	if (b.rc == 0) {
		log_put(cl->ctl->deps.log, LOG_INFO, "ctl.store_backup", LOG_S("file", b.file));
		ctl_store_show(cl);
		return;
	}
	why(&b, text, sizeof(text));
	ctl_refuse(cl, RG_CTL_REFUSED, "%s: %s", cl->req.cmd->name, text);
}
