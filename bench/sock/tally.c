// SPDX-License-Identifier: BSD-3-Clause
// Counts what became of jobs, and tells it.
#include <stdio.h>

#include "sock_int.h"

void tally_end(struct tally *t, const struct sock_end *e) {
	unsigned i = 0;

	while (i < t->n_ends && (t->ends[i].step != e->step || t->ends[i].why != e->why ||
				 t->ends[i].tcp != e->tcp || t->ends[i].code != e->code))
		i++;
	if (i == SOCK_MAX_ENDS)
		i--; // the last one stands for all others
	if (i == t->n_ends) {
		t->ends[i] = *e;
		t->ends[i].n = 0;
		t->n_ends++;
	}
	t->ends[i].n++;
}

void sock_end_text(const struct sock_end *e, char *out, size_t len) {
	static const char *const plain[] = {
		[WHY_NOTHING] = " not ended by the target",
		[WHY_FIN] = ": the target ended the connection (FIN)",
		[WHY_RST] = ": the target reset the connection",
		[WHY_TIMEOUT] = ": no answer in time",
		[WHY_TLS] = ": OpenSSL refused it",
		[WHY_RUBBISH] = " there came",
	};
	static const char *const numbered[] = {
		[WHY_HTTP] = "HTTP", [WHY_SIP] = "SIP", [WHY_CLOSE_FRAME] = "WebSocket close"};
	const char *behind = e->tcp == WHY_FIN   ? ", then FIN"
			     : e->tcp == WHY_RST ? ", then RST"
						 : "";

	if (e->why == WHY_ERRNO)
		snprintf(out, len, ": %s", strerror(e->code));
	else if (e->why == WHY_ALERT)
		snprintf(out, len, ": TLS alert %u (%s)%s", e->code,
			 SSL_alert_desc_string_long(e->code), behind);
	else if (e->why == WHY_HTTP || e->why == WHY_SIP || e->why == WHY_CLOSE_FRAME)
		snprintf(out, len, ": %s %u%s", numbered[e->why], e->code, behind);
	else
		snprintf(out, len, "%s", plain[e->why]);
}

static void count(struct result *r, const struct tally *t, const char *what, uint64_t n) {
	char name[48];

	snprintf(name, sizeof(name), "%s_%s", t->name, what);
	result_count(r, name, n);
}

void tally_tell(const struct tally *t, struct result *r) {
	char end[128], text[256];

	count(r, t, "sent", t->sent);
	count(r, t, "ok", t->ok);
	count(r, t, "failed", t->failed);
	count(r, t, "sent_late", t->late);
	for (unsigned i = 0; i < t->n_ends; i++) {
		sock_end_text(&t->ends[i], end, sizeof(end));
		snprintf(text, sizeof(text), "%s: %s%s", t->name, sock_step_name(t->ends[i].step),
			 end);
		result_errors(r, t->ends[i].n, text);
	}
}
