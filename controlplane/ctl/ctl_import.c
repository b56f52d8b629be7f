// SPDX-License-Identifier: BSD-3-Clause
// `pool import`, `pool remove`: one piece of the file, whole lines, per request. Control thread; CTL_IMPORT_STEP
// lines a turn, and the answer once all records are durable. What was read from the file comes over
// the socket: this process opens no file that an operator names. A piece knows nothing of the one
// before, so that an import can end anywhere, and begin again.
#include "ctl/ctl_int.h"

#include <errno.h>
#include <stdlib.h>

#define CTL_IMPORT_STEP 128
#define CTL_REFUSALS 100 // that are told one by one

struct ctl_import {
	struct ctl_client *for_client; // NULL = it has gone
	enum pool_format format;
	uint16_t pool;
	struct rg_slice rest; // of the text, in req.args
	uint64_t line;        // of the piece, from 1
	uint64_t n_pending;   // records that the store has not answered
	bool is_removal;
	// done: new, or removed; idle: there already, or not there; leased ones are among the refused
	uint64_t n_done, n_idle, n_refused, n_leased, n_failed;
	int failed_rc;
	json_t *refusals;
};

static void import_free(struct ctl_import *im) {
	json_decref(im->refusals);
	free(im);
}

void ctl_import_drop(struct ctl_client *cl) {
	struct ctl_import *im = cl->req.import;

	if (im == NULL)
		return;
	im->for_client = NULL;
	if (im->n_pending == 0)
		import_free(im);
}

static void log_it(const struct ctl_import *im, const struct ctl *c) {
	log_put(c->deps.log, LOG_INFO, im->is_removal ? "pool.removed" : "pool.imported",
		LOG_S("pool", c->deps.conf->pools[im->pool].name),
		LOG_U(im->is_removal ? "removed" : "new", im->n_done),
		LOG_U(im->is_removal ? "gone" : "there", im->n_idle),
		LOG_U("refused", im->n_refused));
}

static json_t *counts_json(const struct ctl_import *im) {
	if (im->is_removal)
		return json_pack("{s:I, s:I, s:I, s:I, s:I, s:O}", "lines", (json_int_t)im->line,
				 "removed", (json_int_t)im->n_done, "gone", (json_int_t)im->n_idle,
				 "refused", (json_int_t)im->n_refused, "leased",
				 (json_int_t)im->n_leased, "refusals", im->refusals);
	return json_pack("{s:I, s:I, s:I, s:I, s:O}", "lines", (json_int_t)im->line, "new",
			 (json_int_t)im->n_done, "there", (json_int_t)im->n_idle, "refused",
			 (json_int_t)im->n_refused, "refusals", im->refusals);
}

// Answers when all is known. True when it has.
static bool finish(struct ctl_import *im) {
	struct ctl_client *cl = im->for_client;

	if (im->rest.len > 0 || im->n_pending > 0)
		return false;
	log_it(im, cl->ctl);
	if (im->n_failed > 0)
		ctl_refuse(cl, RG_CTL_REFUSED,
			   "%s: %ju pairs could not be stored (%s): mend the store, then %s the "
			   "same file again; what is done stays",
			   cl->req.cmd->name, (uintmax_t)im->n_failed, rg_strerror(im->failed_rc),
			   im->is_removal ? "remove" : "import");
	else
		ctl_answer(cl, counts_json(im));
	return true;
}

static void on_stored(void *arg, int rc) {
	struct ctl_import *im = arg;
	struct ctl_client *cl = im->for_client;

	im->n_pending--;
	if (rc == 0) {
		im->n_done++;
	} else if (rc == RG_E_CONFLICT) { // another gateway has given it out
		im->n_refused++;
		im->n_leased++;
	} else {
		im->n_failed++;
		im->failed_rc = rc;
	}
	if (cl == NULL && im->n_pending == 0)
		import_free(im);
	else if (cl != NULL && finish(im))
		ctl_client_run(cl);
}

static void refuse_line(struct ctl_import *im, const char *why) {
	im->n_refused++;
	if (json_array_size(im->refusals) < CTL_REFUSALS)
		ctl_json_add(&im->refusals,
			     json_pack("{s:I, s:s}", "line", (json_int_t)im->line, "error", why));
}

static void remove_pair(struct ctl_import *im, const struct pool_pair *pair) {
	int rc = lease_remove(im->for_client->ctl->deps.leases, im->pool, pair->impi, pair->impu,
			      on_stored, im);

	im->n_pending += rc == 0;
	im->n_idle += rc == RG_E_STALE;
	im->n_leased += rc == -EBUSY;
	if (rc == -EBUSY)
		refuse_line(im,
			    "leased or in quarantine: `lease suspect` it, or drain its pool, and "
			    "remove it later");
	else if (rc == RG_E_CONFLICT)
		refuse_line(im, "its IMPI or IMPU belongs to another pair or pool");
	else if (rc == RG_E_UNSUPPORTED)
		refuse_line(im, "it comes from the pool's file: take it out there and restart");
	else if (rc == -EALREADY)
		refuse_line(im, "it is being imported or removed: try again");
	else if (rc != 0 && rc != RG_E_STALE)
		refuse_line(im, rg_strerror(rc));
}

static void import_pair(struct ctl_import *im, const struct pool_pair *pair) {
	int rc = lease_import(im->for_client->ctl->deps.leases, im->pool, pair->impi, pair->impu,
			      on_stored, im);

	if (rc == 0)
		im->n_pending++;
	else if (rc == LEASE_IS_THERE)
		im->n_idle++;
	else if (rc == RG_E_CONFLICT)
		refuse_line(im, "its IMPI or IMPU belongs to another pair or pool, and one pair is "
				"one subscription: leave one of the two out");
	else if (rc == RG_E_LIMIT)
		refuse_line(im, "no room for more pairs: raise leases.max and restart");
	else
		refuse_line(im, rc == -EBUSY ? "somebody else is importing it: import again"
					     : rg_strerror(rc));
}

static void take_line(struct ctl_import *im) {
	const uint8_t *end = memchr(im->rest.p, '\n', im->rest.len);
	struct rg_slice line =
		rg_slice(im->rest.p, end == NULL ? im->rest.len : (size_t)(end - im->rest.p));
	struct pool_pair pair;
	const char *why;
	int rc;

	im->line++;
	im->rest = rg_skip(im->rest, line.len + 1);
	rc = pool_line_parse(im->format, line, &pair, &why);
	if (rc == RG_OK && im->is_removal)
		remove_pair(im, &pair);
	else if (rc == RG_OK)
		import_pair(im, &pair);
	else if (rc != RG_MORE)
		refuse_line(im, why);
}

// Serves a step. True when the answer is made.
static bool import_step(struct ctl_client *cl) {
	struct ctl_import *im = cl->req.import;

	for (unsigned i = 0; i < CTL_IMPORT_STEP && im->rest.len > 0; i++)
		take_line(im);
	return finish(im);
}

static void on_step(struct env_timer *t, uint64_t now_ns) {
	struct ctl_client *cl = ctl_client_of_step(t);

	(void)now_ns;
	if (import_step(cl))
		ctl_client_run(cl);
	else if (cl->req.import->rest.len > 0)
		ctl_go_on(cl, on_step);
}

void ctl_pool_import(struct ctl_client *cl) {
	struct ctl_req *r = &cl->req;
	struct ctl_import *im;
	uint16_t pool;

	if (!ctl_pool_arg(cl, &pool))
		return;
	im = calloc(1, sizeof(*im));
	if (im == NULL) {
		ctl_answer(cl, NULL);
		return;
	}
	*im = (struct ctl_import){
		.for_client = cl,
		.format = ctl_arg_format(r),
		.is_removal = r->id == CTL_POOL_REMOVE,
		.pool = pool,
		.rest = rg_slice(ctl_arg_str(r, "file"),
				 json_string_length(json_object_get(r->args, "file"))),
		.refusals = json_array(),
	};
	r->import = im;
	if (!import_step(cl) && im->rest.len > 0)
		ctl_go_on(cl, on_step);
}
