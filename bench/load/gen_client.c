// SPDX-License-Identifier: BSD-3-Clause
// What the engine tells of a client's connection, and the records in its stream. Generator's thread.
#include "gen.h"
#include "tls/tls_int.h"

#define CHECK_EVERY 64

// rec is empty when it came in pieces: then nobody looks into it.
static void take_record(struct gen *g, uint32_t client, struct rg_slice rec) {
	struct client *c = &g->clients[client];

	if (g->s.n_replies++ % CHECK_EVERY == 0 && rec.len > 0) {
		g->s.n_checked++;
		g->s.n_bad += !gen_check(g, client, rec);
	}
	if (g->hist != NULL)
		hist_add(g->hist, g->came_tsc - c->due_tsc);
	c->n_opened++;
}

// Nothing is kept of a record that goes on in the next segment but how much of it is to come.
static void take_records(struct gen *g, uint32_t client, struct rg_slice d) {
	struct client *c = &g->clients[client];

	while (d.len > 0) {
		const uint8_t *begin = c->n_head == 0 ? d.p : NULL;
		struct rg_slice rec = {0};
		size_t n;

		for (; c->n_head < TLS_HEADER_LEN && d.len > 0; c->n_head++, d = rg_skip(d, 1))
			if (c->n_head >= TLS_HEADER_LEN - 2)
				c->left = (uint16_t)(c->left << 8 | *d.p);
		n = RTE_MIN(d.len, (size_t)c->left);
		d = rg_skip(d, n);
		c->left -= (uint16_t)n;
		if (c->n_head < TLS_HEADER_LEN || c->left > 0)
			return;
		c->n_head = 0;
		if (begin != NULL)
			rec = rg_slice(begin, (size_t)(d.p - begin));
		take_record(g, client, rec);
	}
}

int client_opened(void *ctx, uint32_t conn, uint64_t now_ns) {
	struct gen *g = ctx;
	uint32_t client = g->owners[conn];

	(void)now_ns;
	g->s.n_opened++;
	if (g->clients[client].flow != 0)
		ssl_opened(g, client);
	return 0;
}

void client_data(void *ctx, uint32_t conn, struct rg_slice d, uint64_t now_ns) {
	struct gen *g = ctx;
	uint32_t client = g->owners[conn];

	(void)now_ns;
	if (g->clients[client].flow != 0)
		ssl_data(g, client, d);
	else
		take_records(g, client, d);
}

void client_sent(void *ctx, uint32_t conn, uint64_t now_ns) {
	(void)ctx;
	(void)conn;
	(void)now_ns;
}

// No client wants that.
void client_peer_closed(void *ctx, uint32_t conn, uint64_t now_ns) {
	struct gen *g = ctx;

	g->s.n_ended++;
	tcp_abort(g->tcp, conn, now_ns);
}

void client_ended(void *ctx, uint32_t conn, enum tcp_end why, uint64_t now_ns) {
	struct gen *g = ctx;
	uint32_t client = g->owners[conn];

	(void)now_ns;
	g->s.n_ended += why != TCP_END_ABORTED;
	if (g->clients[client].flow != 0)
		ssl_ended(g, client);
}
