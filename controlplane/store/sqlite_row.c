// SPDX-License-Identifier: BSD-3-Clause
// Rows. Each carries a checksum over all that it says, because SQLite's pages do not: a flipped bit
// must not become a generation. Earlier assignments are a packed column with a checksum of its own:
// they cost a grant no page of their own, and loading does not look at them.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "regate/err.h"
#include "store/sqlite_impl.h"

enum { C_IMPI, C_IMPU, C_POOL, C_SUB, C_GATEWAY, C_GEN, C_REV, C_STATE, C_FLAGS, C_SCENARIO };
enum { C_GRANTED = C_SCENARIO + 1, C_ENDED, C_REASSIGN, C_TOKENS };
enum { C_CHECKSUM = C_TOKENS + 2 * STORE_TOKENS, C_PAST };

#define N_TEXTS 5
#define SEED UINT64_C(0xcbf29ce484222325)

// Each step is a bijection of what came before and one of the word: a change within one word always
// shows.
static uint64_t mix_word(uint64_t h, uint64_t w) {
	h = (h ^ w) * UINT64_C(0x9fb21c651e98df25);
	return h ^ h >> 28;
}

uint64_t sqlite_mix(uint64_t h, const void *p, size_t len) {
	const uint8_t *b = p;
	uint64_t w;

	for (; len >= sizeof(w); b += sizeof(w), len -= sizeof(w)) {
		memcpy(&w, b, sizeof(w));
		h = mix_word(h, le64toh(w));
	}
	w = 0;
	if (len > 0)
		memcpy(&w, b, len);
	return mix_word(h, le64toh(w) | (uint64_t)len << 56);
}

int64_t sqlite_lease_sum(const struct store_lease *l) {
	const char *const texts[N_TEXTS] = {l->impi, l->impu, l->pool, l->sub, l->gateway};
	uint64_t h = SEED;

	for (size_t i = 0; i < N_TEXTS; i++)
		h = sqlite_mix(h, texts[i], strlen(texts[i]));
	h = mix_word(h, l->gen);
	h = mix_word(h, l->rev);
	h = mix_word(h, (uint64_t)l->state | (uint64_t)l->flags << 8 | (uint64_t)l->scenario << 16);
	h = mix_word(h, (uint64_t)l->granted_ms);
	h = mix_word(h, (uint64_t)l->ended_ms);
	h = mix_word(h, (uint64_t)l->reassign_ms);
	for (size_t i = 0; i < STORE_TOKENS; i++) {
		h = sqlite_mix(h, l->tokens[i].digest.b, RG_DIGEST_LEN);
		h = mix_word(h, (uint64_t)l->tokens[i].end_ms);
	}
	return (int64_t)h;
}

int64_t sqlite_value_sum(const char *name, const void *value, size_t len) {
	return (int64_t)sqlite_mix(sqlite_mix(SEED, name, strlen(name)), value, len);
}

int sqlite_read_lease(sqlite3_stmt *st, struct store_lease *l) {
	const char **const texts[N_TEXTS] = {&l->impi, &l->impu, &l->pool, &l->sub, &l->gateway};

	for (int i = 0; i < N_TEXTS; i++) {
		*texts[i] = (const char *)sqlite3_column_text(st, C_IMPI + i);
		if (*texts[i] == NULL)
			return RG_E_PROTO;
	}
	l->gen = (uint64_t)sqlite3_column_int64(st, C_GEN);
	l->rev = (uint64_t)sqlite3_column_int64(st, C_REV);
	l->state = (uint8_t)sqlite3_column_int(st, C_STATE);
	l->flags = (uint8_t)sqlite3_column_int(st, C_FLAGS);
	l->scenario = (uint16_t)sqlite3_column_int(st, C_SCENARIO);
	l->granted_ms = sqlite3_column_int64(st, C_GRANTED);
	l->ended_ms = sqlite3_column_int64(st, C_ENDED);
	l->reassign_ms = sqlite3_column_int64(st, C_REASSIGN);
	for (int i = 0; i < STORE_TOKENS; i++) {
		const void *digest = sqlite3_column_blob(st, C_TOKENS + 2 * i);

		if (digest == NULL || sqlite3_column_bytes(st, C_TOKENS + 2 * i) != RG_DIGEST_LEN)
			return RG_E_PROTO;
		memcpy(l->tokens[i].digest.b, digest, RG_DIGEST_LEN);
		l->tokens[i].end_ms = sqlite3_column_int64(st, C_TOKENS + 2 * i + 1);
	}
	return sqlite3_column_int64(st, C_CHECKSUM) == sqlite_lease_sum(l) ? 0 : RG_E_PROTO;
}

// Parameters count from 1. The row that is written is of the next revision.
void sqlite_bind_lease(sqlite3_stmt *st, const struct store_lease *l) {
	const char *const texts[N_TEXTS] = {l->impi, l->impu, l->pool, l->sub, l->gateway};
	struct store_lease next = *l;

	next.rev = l->rev + 1;
	for (int i = 0; i < N_TEXTS; i++)
		sqlite3_bind_text(st, 1 + C_IMPI + i, texts[i], -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 1 + C_GEN, (int64_t)l->gen);
	sqlite3_bind_int64(st, 1 + C_REV, (int64_t)next.rev);
	sqlite3_bind_int(st, 1 + C_STATE, l->state);
	sqlite3_bind_int(st, 1 + C_FLAGS, l->flags);
	sqlite3_bind_int(st, 1 + C_SCENARIO, l->scenario);
	sqlite3_bind_int64(st, 1 + C_GRANTED, l->granted_ms);
	sqlite3_bind_int64(st, 1 + C_ENDED, l->ended_ms);
	sqlite3_bind_int64(st, 1 + C_REASSIGN, l->reassign_ms);
	for (int i = 0; i < STORE_TOKENS; i++) {
		sqlite3_bind_blob(st, 1 + C_TOKENS + 2 * i, l->tokens[i].digest.b, RG_DIGEST_LEN,
				  SQLITE_STATIC);
		sqlite3_bind_int64(st, 1 + C_TOKENS + 2 * i + 1, l->tokens[i].end_ms);
	}
	sqlite3_bind_int64(st, 1 + C_CHECKSUM, sqlite_lease_sum(&next));
}

// --- earlier assignments: per one gen, granted_ms, ended_ms, reassign_ms, little-endian, then sub
// and gateway with their ends; newest first. A checksum of 8 bytes at the end.

#define PAST_INTS 4
#define PAST_FIXED (PAST_INTS * sizeof(uint64_t))

static uint64_t get_le(const uint8_t *p) {
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static uint8_t *put_le(uint8_t *p, uint64_t v) {
	v = htole64(v);
	return (uint8_t *)memcpy(p, &v, sizeof(v)) + sizeof(v);
}

// Bytes of one, 0 when it does not end within len.
static size_t past_len(const uint8_t *p, size_t len) {
	size_t n = PAST_FIXED;

	for (int i = 0; i < 2; i++) {
		const uint8_t *end = n < len ? memchr(p + n, '\0', len - n) : NULL;

		if (end == NULL)
			return 0;
		n = (size_t)(end - p) + 1;
	}
	return n;
}

// The column without its checksum. 0, or RG_E_PROTO.
static int get_past(sqlite3_stmt *st, const uint8_t **p, size_t *len) {
	*p = sqlite3_column_blob(st, C_PAST);
	*len = (size_t)sqlite3_column_bytes(st, C_PAST);
	if (*len == 0)
		return 0;
	if (*len < sizeof(uint64_t))
		return RG_E_PROTO;
	*len -= sizeof(uint64_t);
	return get_le(*p + *len) == sqlite_mix(SEED, *p, *len) ? 0 : RG_E_PROTO;
}

static uint8_t *put_past(uint8_t *p, const struct store_past *past) {
	size_t n = strlen(past->sub) + 1, m = strlen(past->gateway) + 1;

	p = put_le(p, past->gen);
	p = put_le(p, (uint64_t)past->granted_ms);
	p = put_le(p, (uint64_t)past->ended_ms);
	p = put_le(p, (uint64_t)past->reassign_ms);
	memcpy(p, past->sub, n);
	memcpy(p + n, past->gateway, m);
	return p + n + m;
}

int sqlite_bind_past(struct sqlite_db *db, sqlite3_stmt *to, sqlite3_stmt *st,
		     const struct store_lease *old) {
	struct store_past newest = {0};
	size_t room = sizeof(uint64_t), len, kept = 0, n;
	const uint8_t *p;
	uint8_t *end;

	if (old != NULL)
		newest = store_past_of(old);
	if (get_past(st, &p, &len) != 0)
		return RG_E_PROTO;
	for (int i = 0; i < STORE_PASTS - (old == NULL ? 1 : 2) && kept < len; i++, kept += n)
		if ((n = past_len(p + kept, len - kept)) == 0)
			return RG_E_PROTO;
	room += kept;
	if (old != NULL)
		room += PAST_FIXED + strlen(old->sub) + strlen(old->gateway) + 2;
	if (room > db->past_room) {
		uint8_t *more = realloc(db->past, room);

		if (more == NULL)
			return -ENOMEM;
		db->past = more;
		db->past_room = room;
	}
	end = old == NULL ? db->past : put_past(db->past, &newest);
	if (kept > 0)
		memcpy(end, p, kept);
	end = put_le(end + kept, sqlite_mix(SEED, db->past, (size_t)(end - db->past) + kept));
	sqlite3_bind_blob(to, 1 + C_PAST, db->past, (int)(end - db->past), SQLITE_STATIC);
	return 0;
}

int sqlite_read_past(sqlite3_stmt *st, struct store_history *out) {
	const uint8_t *p;
	size_t len, n;
	int rc = get_past(st, &p, &len);

	for (; rc == 0 && len > 0; p += n, len -= n) {
		struct store_past past;

		n = past_len(p, len);
		if (n == 0)
			return RG_E_PROTO;
		past.gen = get_le(p);
		past.granted_ms = (int64_t)get_le(p + 8);
		past.ended_ms = (int64_t)get_le(p + 16);
		past.reassign_ms = (int64_t)get_le(p + 24);
		past.sub = (const char *)p + PAST_FIXED;
		past.gateway = past.sub + strlen(past.sub) + 1;
		rc = store_history_add(out, &past);
	}
	return rc;
}
