// SPDX-License-Identifier: BSD-3-Clause
// What the peer has told us by SACK (RFC 2018), and what RFC 6675 makes of it: how much is under
// way, what to send again. Runs in a worker. The scoreboard is one chunk of the pool, taken when the
// first block comes and given back when nothing is left of it; without a free chunk blocks are
// ignored and the retransmission timer does the work.
#include "tcp/tcp_int.h"

#define DUP_THRESH 3 // RFC 6675 section 2

// Ranges by rising seq, apart from each other, all between snd_una and snd_max.
struct tcp_board {
	uint32_t n;
	uint32_t high_rxt; // end of what this recovery has sent again
	uint32_t rescue;   // RescueRxt: one rescue segment until snd_una is above it
	uint32_t n_bytes;  // in the ranges
	struct tcp_range r[];
};
#define BOARD_MAX ((TCP_CHUNK_BYTES - sizeof(struct tcp_board)) / sizeof(struct tcp_range))

static struct tcp_board *board_of(const struct tcp *t, const struct tcp_conn *c) {
	return (struct tcp_board *)(void *)tcp_pool_mem(&t->pool, c->board);
}

void tcp_sack_free(struct tcp *t, struct tcp_conn *c) {
	if (c->board == TCP_NIL)
		return;
	tcp_pool_put(&t->pool, c->board);
	c->board = TCP_NIL;
}

// Replaces ranges i to k - 1 by nothing.
static void cut(struct tcp_board *b, uint32_t i, uint32_t k) {
	for (uint32_t j = i; j < k; j++)
		b->n_bytes -= b->r[j].end - b->r[j].seq;
	memmove(&b->r[i], &b->r[k], (b->n - k) * sizeof(*b->r));
	b->n -= k - i;
}

// True: something of it was new.
static bool add(struct tcp_board *b, struct tcp_range x) {
	uint32_t i = 0, k, before = b->n_bytes;

	while (i < b->n && tcp_seq_lt(b->r[i].end, x.seq))
		i++;
	for (k = i; k < b->n && tcp_seq_leq(b->r[k].seq, x.end); k++) { // they touch
		if (tcp_seq_lt(b->r[k].seq, x.seq))
			x.seq = b->r[k].seq;
		if (tcp_seq_lt(x.end, b->r[k].end))
			x.end = b->r[k].end;
	}
	if (k == i && b->n == BOARD_MAX)
		return false;
	cut(b, i, k);
	memmove(&b->r[i + 1], &b->r[i], (b->n - i) * sizeof(*b->r));
	b->r[i] = x;
	b->n++;
	b->n_bytes += x.end - x.seq;
	return b->n_bytes != before;
}

bool tcp_sack_take(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *s) {
	bool is_news = false;

	for (unsigned i = 0; i < s->n_sack; i++) {
		struct tcp_range x = s->sack[i];

		// What was acknowledged, or never sent, is no news, nor is what the acknowledgement
		// denies. That takes care of reports of duplicates too: they lie there, or in the
		// second block (RFC 2883 section 4).
		if (!tcp_seq_lt(x.seq, x.end) || tcp_seq_leq(x.seq, c->snd_una) ||
		    tcp_seq_lt(c->snd_max, x.end))
			continue;
		if (c->board == TCP_NIL) {
			if (t->pool.n_free <= tcp_reserve(t))
				return false;
			c->board = tcp_pool_take(&t->pool);
			*board_of(t, c) = (struct tcp_board){.high_rxt = c->snd_una};
		}
		is_news = add(board_of(t, c), x) || is_news;
	}
	return is_news;
}

void tcp_sack_trim(struct tcp *t, struct tcp_conn *c) {
	struct tcp_board *b;
	uint32_t k = 0;

	if (c->board == TCP_NIL)
		return;
	b = board_of(t, c);
	while (k < b->n && tcp_seq_leq(b->r[k].end, c->snd_una))
		k++;
	cut(b, 0, k);
	if (b->n > 0 && tcp_seq_lt(b->r[0].seq, c->snd_una)) {
		b->n_bytes -= c->snd_una - b->r[0].seq;
		b->r[0].seq = c->snd_una;
	}
	if (tcp_seq_lt(b->high_rxt, c->snd_una))
		b->high_rxt = c->snd_una;
	if (b->n == 0 && (c->flags & TCP_F_RECOVERY) == 0)
		tcp_sack_free(t, c);
}

// IsLost() of the octets below a number of ranges with so many bytes.
static bool is_lost(const struct tcp_conn *c, uint32_t n_above, uint32_t n_bytes_above) {
	return n_above >= DUP_THRESH || n_bytes_above > (DUP_THRESH - 1u) * c->mss;
}

bool tcp_sack_is_lost(const struct tcp *t, const struct tcp_conn *c) {
	const struct tcp_board *b;

	if (c->board == TCP_NIL)
		return false;
	b = board_of(t, c);
	return is_lost(c, b->n, b->n_bytes);
}

void tcp_sack_enter(struct tcp *t, struct tcp_conn *c) {
	board_of(t, c)->high_rxt = c->snd_una;
	board_of(t, c)->rescue = c->snd_una - 1;
}

void tcp_sack_resent(struct tcp *t, struct tcp_conn *c, uint32_t end) {
	board_of(t, c)->high_rxt = end;
}

// The octets below range i that nobody has: from the range before it, or snd_una, to the range, or
// snd_nxt.
static struct tcp_range gap_of(const struct tcp_conn *c, const struct tcp_board *b, uint32_t i) {
	struct tcp_range g = {.seq = i == 0 ? c->snd_una : b->r[i - 1].end,
			      .end = i == b->n ? c->snd_nxt : b->r[i].seq};

	if (tcp_seq_lt(c->snd_nxt, g.end))
		g.end = c->snd_nxt;
	if (tcp_seq_lt(g.end, g.seq))
		g.end = g.seq;
	return g;
}

uint32_t tcp_sack_pipe(const struct tcp *t, const struct tcp_conn *c) {
	const struct tcp_board *b;
	uint32_t pipe = 0, n_bytes_above;

	if (c->board == TCP_NIL)
		return c->snd_nxt - c->snd_una;
	b = board_of(t, c);
	n_bytes_above = b->n_bytes;
	for (uint32_t i = 0; i <= b->n; i++) {
		struct tcp_range g = gap_of(c, b, i);
		bool is_recovery = (c->flags & TCP_F_RECOVERY) != 0;

		if (!is_recovery || !is_lost(c, b->n - i, n_bytes_above))
			pipe += g.end - g.seq;
		if (is_recovery && tcp_seq_lt(g.seq, b->high_rxt)) // sent again
			pipe += (tcp_seq_lt(b->high_rxt, g.end) ? b->high_rxt : g.end) - g.seq;
		if (i < b->n)
			n_bytes_above -= b->r[i].end - b->r[i].seq;
	}
	return pipe;
}

bool tcp_sack_next(const struct tcp *t, const struct tcp_conn *c, bool is_any,
		   struct tcp_range *out) {
	const struct tcp_board *b = board_of(t, c);
	uint32_t n_bytes_above = b->n_bytes;

	for (uint32_t i = 0; i < b->n; i++) {
		struct tcp_range g = gap_of(c, b, i);

		if (tcp_seq_lt(g.seq, b->high_rxt))
			g.seq = b->high_rxt;
		if (tcp_seq_lt(g.seq, g.end)) {
			*out = g;
			return is_any || is_lost(c, b->n - i, n_bytes_above);
		}
		n_bytes_above -= b->r[i].end - b->r[i].seq;
	}
	return false;
}

bool tcp_sack_rescue(const struct tcp *t, const struct tcp_conn *c, struct tcp_range *out) {
	struct tcp_board *b = board_of(t, c);

	if (!tcp_seq_lt(b->rescue, c->snd_una))
		return false;
	for (uint32_t i = b->n + 1; i-- > 0;) {
		struct tcp_range g = gap_of(c, b, i);

		if (g.seq == g.end)
			continue;
		if (!tcp_seq_lt(b->high_rxt, g.end))
			return false; // this recovery has sent it again already
		if (g.end - g.seq > c->mss)
			g.seq = g.end - c->mss;
		b->rescue = c->recover;
		*out = g;
		return true;
	}
	return false;
}

struct tcp_range tcp_sack_gap(const struct tcp *t, const struct tcp_conn *c, uint32_t seq) {
	struct tcp_range g = {seq, c->snd_max};
	const struct tcp_board *b;

	if (c->board == TCP_NIL)
		return g;
	b = board_of(t, c);
	for (uint32_t i = 0; i < b->n; i++) {
		if (tcp_seq_lt(g.seq, b->r[i].seq)) {
			g.end = b->r[i].seq;
			break;
		}
		if (tcp_seq_lt(g.seq, b->r[i].end))
			g.seq = b->r[i].end;
	}
	return g;
}
