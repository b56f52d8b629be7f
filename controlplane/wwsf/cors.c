// SPDX-License-Identifier: BSD-3-Clause
// Which page may ask, and what its browser is told (Fetch standard, CORS protocol; ims.md 2.2).
// Loop thread. An Origin is allowed only when it is in the list, and "null" never is.
#include "wwsf/wwsf_int.h"

static bool origin_find(const struct conf *conf, struct rg_slice origin, struct wwsf_to *to) {
	for (size_t i = 0; i < conf->n_wwsfs; i++) {
		for (size_t k = 0; k < conf->wwsfs[i].n_origins; k++) {
			if (!rg_ieq(origin, rg_str(conf->wwsfs[i].origins[k])))
				continue;
			to->origin = conf->wwsfs[i].origins[k];
			to->wwsf = (uint16_t)i;
			return true;
		}
	}
	return false;
}

bool wwsf_origin_check(struct wwsf *w, struct wwsf_req *r) {
	unsigned n = http_header_count(&r->http, "Origin");

	if (n == 0) { // not a browser, which sends it with every method but GET and HEAD
		r->to.wwsf = w->conf->n_wwsfs == 1 ? 0 : UINT16_MAX;
		return true;
	}
	if (n == 1 && origin_find(w->conf, http_header(&r->http, "Origin"), &r->to))
		return true;
	wwsf_refuse(w, &r->to, 403, "", "origin",
		    "This origin is not allowed; add it to the origins of a WWSF.");
	return false;
}

void wwsf_preflight(struct wwsf *w, const struct wwsf_req *r, const char *methods) {
	char lines[512];
	struct rg_wr h = rg_wr(lines, sizeof(lines));

	rg_puts(&h, "Allow: ");
	rg_puts(&h, methods);
	rg_puts(&h, ", OPTIONS\r\n");
	if (r->to.origin != NULL) {
		rg_puts(&h, "Access-Control-Allow-Methods: ");
		rg_puts(&h, methods);
		rg_puts(&h, "\r\nAccess-Control-Allow-Headers: authorization, content-type\r\n"
			    "Access-Control-Max-Age: 600\r\n");
	}
	rg_put_be(&h, 0, 1);
	wwsf_answer(w, &r->to, 204, lines, NULL);
}
