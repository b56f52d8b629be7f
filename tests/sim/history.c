// SPDX-License-Identifier: BSD-3-Clause
// The history of a run: log, hash, print.
#include "history.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const kinds[] = {
	"invoke",    "ok",       "fail",      "unknown",    "issue",     "bind",  "unbind",
	"net-dereg", "refuse",   "flow-lost", "start",      "crash",     "pause", "wall-step",
	"flow",      "flow-end", "record",    "store-lost", "provision", "free",  "other-id",
	"clear",     "suspect",  "import",    "drain",
};
static const char *const ops[] = {"",           "grant",  "renew",  "register",
				  "deregister", "revoke", "release"};

void history_clear(struct history *h) {
	h->n = 0;
	h->hash = UINT64_C(0xcbf29ce484222325);
}

void history_note(struct history *h, const void *p, size_t len) {
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++) // FNV-1a
		h->hash = (h->hash ^ b[i]) * UINT64_C(0x100000001b3);
}

void history_add(struct history *h, const struct history_event *e) {
	const uint64_t all[] = {e->at_ns, e->end_ns, e->asked_ns, e->gen,    e->pair,
				e->token, e->token2, e->client,   e->n_left, e->status,
				e->kind,  e->op,     e->gateway,  e->flags};

	if (h->n == HISTORY_MAX) {
		fputs("history: too long\n", stderr);
		abort();
	}
	history_note(h, all, sizeof(all));
	h->ev[h->n++] = *e;
}

static void print_event(size_t i, const struct history_event *e) {
	fprintf(stderr, "%5zu %12.3f gw%u %-9s %-10s", i, (double)e->at_ns / 1e9, e->gateway,
		kinds[e->kind], ops[e->op]);
	if (e->client != 0)
		fprintf(stderr, " client %u", e->client);
	if (e->gen != 0)
		fprintf(stderr, " pair %u gen %llu", e->pair, (unsigned long long)e->gen);
	if (e->token != 0)
		fprintf(stderr, " token %u", e->token);
	if (e->status != 0)
		fprintf(stderr, " status %u", e->status);
	if (e->end_ns != 0)
		fprintf(stderr, " until %.3f", (double)e->end_ns / 1e9);
	if (e->kind == EV_UNBIND)
		fprintf(stderr, " left %u%s", e->n_left, e->is_star ? " star" : "");
	if (e->kind == EV_RECORD)
		fprintf(stderr, " and %u%s flags %02x guard %.3f", e->token2,
			e->is_over ? " over" : "", e->flags, (double)e->told_ns / 1e9);
	fputc('\n', stderr);
}

// Of no pair: what happens to gateways, and to clients without one.
static bool is_of(const struct history_event *e, uint32_t pair) {
	return e->pair == pair || (e->gen == 0 && e->kind <= EV_UNKNOWN) ||
	       (e->kind >= EV_START && e->kind <= EV_WALL_STEP) || e->kind == EV_STORE_LOST;
}

void history_print(const struct history *h, uint32_t pair) {
	for (size_t i = 0; i < h->n; i++)
		if (is_of(&h->ev[i], pair))
			print_event(i, &h->ev[i]);
}
