// SPDX-License-Identifier: BSD-3-Clause
// Shared texts of leases, by their hash. Control thread; the workers read them by way of entries.
//
// Uses are counted as entries enter and leave the table, not as they are freed, so the count needs no
// atomics: who still reads an entry that left is within the grace period that begins after that.
#include "lease/lease_shared.h"

#include <errno.h>
#include <stdlib.h>

#define ENTRIES_PER_BUCKET 4 // if no two shared anything
#define OWN_MAX UINT8_MAX    // bytes of user and handle

static struct rg_slice until(struct rg_slice s, size_t n) {
	return rg_slice(s.p, n);
}

// Where `what` begins in s; s.len when nowhere.
static size_t seek(struct rg_slice s, struct rg_slice what) {
	const uint8_t *at =
		s.len == 0 || what.len == 0 ? NULL : memmem(s.p, s.len, what.p, what.len);

	return at == NULL ? s.len : (size_t)(at - s.p);
}

static void cut_impu(struct rg_slice impu, struct lease_texts *x) {
	size_t user = seek(impu, RG_LIT(":")), len;

	user = user == impu.len ? 0 : user + 1;
	len = seek(rg_skip(impu, user), RG_LIT("@"));
	if (len > OWN_MAX)
		len = 0;
	x->part[RG_PART_SCHEME] = until(impu, user);
	x->user = until(rg_skip(impu, user), len);
	x->part[RG_PART_DOMAIN] = rg_skip(impu, user + len);
}

// The user part of the first URI of a Path: our handle, or what the core made of it.
static void cut_path(struct rg_slice lines, struct lease_texts *x) {
	static const struct rg_slice name = RG_LIT("Path: <sip:");
	size_t at = seek(lines, name), len;

	at = at == lines.len ? at : at + name.len;
	len = seek(rg_skip(lines, at), RG_LIT("@"));
	if (len > OWN_MAX || len == lines.len - at)
		len = 0;
	x->part[RG_PART_LINES_1] = until(lines, at);
	x->handle = until(rg_skip(lines, at), len);
	x->part[RG_PART_LINES_2] = rg_skip(lines, at + len);
}

struct lease_texts lease_texts_cut(struct rg_slice impu, struct rg_slice lines) {
	struct lease_texts x = {0};
	size_t at = seek(lines, impu);

	cut_impu(impu, &x);
	if (at < lines.len) {
		x.has_user = true;
		at += x.part[RG_PART_SCHEME].len;
		x.part[RG_PART_LINES_0] = until(lines, at);
		lines = rg_skip(lines, at + x.user.len);
	}
	cut_path(lines, &x);
	return x;
}

int lease_shared_init(struct rg_lease_table *t, uint64_t max_entries) {
	uint64_t n = 1;

	while (n * ENTRIES_PER_BUCKET < max_entries)
		n *= 2;
	t->shared = calloc(n, sizeof(struct rg_lease_shared *));
	t->shared_mask = n - 1;
	return t->shared == NULL ? -ENOMEM : 0;
}

void lease_shared_fini(struct rg_lease_table *t) {
	for (uint64_t i = 0; t->shared != NULL && i <= t->shared_mask; i++)
		for (struct rg_lease_shared *s = t->shared[i], *next; s != NULL; s = next) {
			next = s->next;
			free(s);
		}
	free(t->shared);
	t->shared = NULL;
}

static uint64_t hash_of(const struct lease_texts *x) {
	uint64_t h = x->has_user;

	for (unsigned i = 0; i < RG_LEASE_N_PARTS; i++)
		h = rg_text_hash(x->part[i], h);
	return h;
}

static bool is_of(const struct rg_lease_shared *s, uint64_t hash, const struct lease_texts *x) {
	const uint8_t *at = s->bytes;

	if (s->hash != hash || s->has_user != x->has_user)
		return false;
	for (unsigned i = 0; i < RG_LEASE_N_PARTS; at += s->len[i++])
		if (!rg_eq(rg_slice(at, s->len[i]), x->part[i]))
			return false;
	return true;
}

static struct rg_lease_shared *shared_new(uint64_t hash, const struct lease_texts *x) {
	struct rg_lease_shared *s;
	size_t len = 0;
	uint8_t *at;

	for (unsigned i = 0; i < RG_LEASE_N_PARTS; i++)
		len += x->part[i].len;
	s = calloc(1, sizeof(*s) + len);
	if (s == NULL)
		return NULL;
	s->hash = hash;
	s->has_user = x->has_user;
	at = s->bytes;
	for (unsigned i = 0; i < RG_LEASE_N_PARTS; at += s->len[i++]) {
		s->len[i] = (uint16_t)x->part[i].len;
		if (s->len[i] > 0)
			memcpy(at, x->part[i].p, s->len[i]);
	}
	return s;
}

struct rg_lease_shared *lease_shared_take(struct rg_lease_table *t, const struct lease_texts *x) {
	uint64_t hash = hash_of(x);
	struct rg_lease_shared **bucket = &t->shared[hash & t->shared_mask], *s = *bucket;

	while (s != NULL && !is_of(s, hash, x))
		s = s->next;
	if (s == NULL) {
		s = shared_new(hash, x);
		if (s == NULL)
			return NULL;
		s->next = *bucket;
		*bucket = s;
	}
	s->n_uses++;
	return s;
}

// Poisoned first, as entries are.
static void free_cb(struct rcu_head *head) {
	struct rg_lease_shared *s =
		(struct rg_lease_shared *)((uint8_t *)head - offsetof(struct rg_lease_shared, rcu));
	size_t len = 0;

	for (unsigned i = 0; i < RG_LEASE_N_PARTS; i++)
		len += s->len[i];
	explicit_bzero(s, sizeof(*s) + len);
	free(s);
}

void lease_shared_drop(struct rg_lease_table *t, struct rg_lease_shared *s) {
	struct rg_lease_shared **at = &t->shared[s->hash & t->shared_mask];

	if (--s->n_uses > 0)
		return;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	urcu_qsbr_call_rcu(&s->rcu, free_cb);
}
