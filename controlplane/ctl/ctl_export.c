// SPDX-License-Identifier: BSD-3-Clause
// `pool export`: a page of lines per request, which regatectl writes to its file. Control thread; the
// walk goes on in steps, as that of `lease list`.
#include "ctl/ctl_int.h"

#include <stdlib.h>

struct ctl_text {
	enum pool_format format;
	uint16_t pool;
	uint64_t n_pairs;
	size_t len;
	char bytes[CTL_TEXT_MAX];
};

// False when the page is full: this pair begins the next one.
static bool put_pair(struct ctl_text *t, const struct lease *l) {
	struct rg_wr w = rg_wr(t->bytes + t->len, sizeof(t->bytes) - t->len);

	if (l->pool != t->pool)
		return true;
	pool_line_put(&w, t->format, l->impi, l->impu);
	if (w.overflow)
		return false;
	t->len += w.len;
	t->n_pairs++;
	return true;
}

// Serves a step. True when the answer is made.
static bool export_step(struct ctl_client *cl) {
	const struct lease_engine *e = cl->ctl->deps.leases;
	struct ctl_req *r = &cl->req;
	uint32_t n = lease_n_pairs(e);
	bool is_full = false;
	json_t *after;

	for (unsigned i = 0; i < CTL_SCAN_STEP && r->next_idx < n && !is_full; i++) {
		is_full = !lease_is_removed(e, r->next_idx) &&
			  !put_pair(r->text, lease_at(e, r->next_idx));
		r->next_idx += !is_full;
	}
	if (!is_full && r->next_idx < n)
		return false;
	after = r->next_idx >= n ? json_null() : json_integer((json_int_t)r->next_idx - 1);
	ctl_answer(cl, json_pack("{s:I, s:o, s:s%}", "pairs", (json_int_t)r->text->n_pairs,
				 "next_after", after, "text", r->text->bytes, r->text->len));
	return true;
}

void ctl_pool_export(struct ctl_client *cl) {
	struct ctl_req *r = &cl->req;
	uint16_t pool;

	if (!ctl_pool_arg(cl, &pool))
		return;
	r->text = malloc(sizeof(*r->text));
	if (r->text == NULL) {
		ctl_answer(cl, NULL);
		return;
	}
	r->text->format = ctl_arg_format(r);
	r->text->pool = pool;
	r->text->n_pairs = r->text->len = 0;
	r->next_idx = ctl_arg_after(r);
	ctl_walk(cl, export_step);
}
