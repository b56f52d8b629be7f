// SPDX-License-Identifier: BSD-3-Clause
// The identities of pairs, kept short: what pairs of one domain have in common is there once, and a
// pair has its user part, once where both identities have the same. The cuts are a guess that is
// never wrong: put together, it is the text that was given.
#include <errno.h>
#include <stdlib.h>

#include "lease/engine.h"
#include "regate/err.h"

#define SAME UINT8_MAX // user of the IMPU: as in the IMPI

struct lease_domain {
	uint16_t n_scheme, n_host,
		n_realm; // bytes of "sip:", "@host" of the IMPU, "@realm" of the IMPI
	uint8_t bytes[];
};

struct lease_text {
	uint8_t n_impi, n_impu; // bytes of the users; SAME
	char bytes[];           // users, then the account of a fixed pair and NUL
};

struct cut {
	struct rg_slice scheme, user, tail;
};

static size_t seek(struct rg_slice s, char c) {
	const uint8_t *at = s.len == 0 ? NULL : memchr(s.p, c, s.len);

	return at == NULL ? s.len : (size_t)(at - s.p);
}

// has_scheme: an IMPU. What has no user of a fitting length is all tail.
static struct cut cut(struct rg_slice s, bool has_scheme) {
	size_t at = has_scheme ? seek(s, ':') + 1 : 0, len;

	if (at > s.len)
		at = 0;
	len = seek(rg_skip(s, at), '@');
	if (len == s.len - at || len >= SAME)
		len = 0;
	return (struct cut){rg_slice(s.p, at), rg_slice(s.p + at, len), rg_skip(s, at + len)};
}

static struct rg_slice domain_bytes(const struct lease_domain *d) {
	return rg_slice(d, sizeof(*d) + d->n_scheme + d->n_host + d->n_realm);
}

struct lease_key lease_key_domain(const struct lease_engine *e, uint32_t i) {
	return (struct lease_key){{domain_bytes(e->domains[i])}};
}

static uint8_t *append(uint8_t *at, struct rg_slice s) {
	if (s.len > 0)
		memcpy(at, s.p, s.len);
	return at + s.len;
}

static int domain_room(struct lease_engine *e) {
	struct lease_domain **all;

	// Room for a power of two, doubled when it is full.
	if ((e->n_domains & (e->n_domains - 1)) == 0) {
		all = realloc(e->domains, (e->n_domains * 2 + 1) * sizeof(struct lease_domain *));
		if (all == NULL)
			return -ENOMEM;
		e->domains = all;
	}
	return lease_index_room(&e->by_domain, e);
}

static struct lease_domain *domain_new(const struct cut *impi, const struct cut *impu) {
	struct lease_domain *d =
		malloc(sizeof(*d) + impu->scheme.len + impu->tail.len + impi->tail.len);

	if (d == NULL)
		return NULL;
	d->n_scheme = (uint16_t)impu->scheme.len;
	d->n_host = (uint16_t)impu->tail.len;
	d->n_realm = (uint16_t)impi->tail.len;
	append(append(append(d->bytes, impu->scheme), impu->tail), impi->tail);
	return d;
}

static bool is_domain(const struct lease_domain *d, const struct cut *impi,
		      const struct cut *impu) {
	const uint8_t *host = d->bytes + d->n_scheme;

	return rg_eq(impu->scheme, rg_slice(d->bytes, d->n_scheme)) &&
	       rg_eq(impu->tail, rg_slice(host, d->n_host)) &&
	       rg_eq(impi->tail, rg_slice(host + d->n_host, d->n_realm));
}

// The domain of an identity's cuts, made if it is new; mostly that of the one before.
static int domain_get(struct lease_engine *e, const struct cut *impi, const struct cut *impu,
		      uint32_t *out) {
	struct lease_domain *d;
	uint32_t hash;
	int rc;

	*out = e->last_domain;
	if (e->n_domains > 0 && is_domain(e->domains[*out], impi, impu))
		return 0;

	if (impi->tail.len > UINT16_MAX || impu->tail.len > UINT16_MAX ||
	    impu->scheme.len > UINT16_MAX)
		return RG_E_LIMIT;
	d = domain_new(impi, impu);
	if (d == NULL)
		return -ENOMEM;
	hash = lease_index_hash(domain_bytes(d));
	*out = lease_index_find_hashed(&e->by_domain, e, domain_bytes(d), hash);
	rc = *out == LEASE_NO_PAIR ? domain_room(e) : 0;
	if (*out != LEASE_NO_PAIR || rc != 0) {
		free(d);
	} else {
		*out = e->n_domains++;
		e->domains[*out] = d;
		lease_index_add(&e->by_domain, hash, *out);
	}
	if (rc == 0)
		e->last_domain = *out;
	return rc;
}

int lease_identity_set(struct lease_engine *e, struct lease_slot *slot, const char *impi,
		       const char *impu, const char *fixed_sub) {
	struct cut i = cut(rg_str(impi), false), u = cut(rg_str(impu), true);
	bool is_same = rg_eq(i.user, u.user);
	struct lease_text *t = malloc(sizeof(*t) + i.user.len + (is_same ? 0 : u.user.len) +
				      (fixed_sub == NULL ? 0 : strlen(fixed_sub) + 1));
	uint8_t *at;
	int rc;

	if (t == NULL)
		return -ENOMEM;
	rc = domain_get(e, &i, &u, &slot->domain);
	if (rc != 0) {
		free(t);
		return rc;
	}
	t->n_impi = (uint8_t)i.user.len;
	t->n_impu = is_same ? SAME : (uint8_t)u.user.len;
	at = append((uint8_t *)t->bytes, i.user);
	if (!is_same)
		at = append(at, u.user);
	if (fixed_sub != NULL)
		append(at, rg_slice(fixed_sub, strlen(fixed_sub) + 1));
	slot->text = t;
	return 0;
}

static size_t users_len(const struct lease_text *t) {
	return (size_t)t->n_impi + (t->n_impu == SAME ? 0 : t->n_impu);
}

struct lease_key lease_key_impi(const struct lease_engine *e, uint32_t idx) {
	const struct lease_slot *slot = &e->slots[idx];
	const struct lease_domain *d = e->domains[slot->domain];

	return (struct lease_key){{rg_slice(slot->text->bytes, slot->text->n_impi),
				   rg_slice(d->bytes + d->n_scheme + d->n_host, d->n_realm)}};
}

struct lease_key lease_key_impu(const struct lease_engine *e, uint32_t idx) {
	const struct lease_slot *slot = &e->slots[idx];
	const struct lease_domain *d = e->domains[slot->domain];
	const struct lease_text *t = slot->text;
	struct rg_slice user = t->n_impu == SAME ? rg_slice(t->bytes, t->n_impi)
						 : rg_slice(t->bytes + t->n_impi, t->n_impu);

	return (struct lease_key){{rg_slice(d->bytes, d->n_scheme), user,
				   rg_slice(d->bytes + d->n_scheme, d->n_host)}};
}

const char *lease_fixed_sub(const struct lease_slot *slot) {
	return slot->is_fixed ? slot->text->bytes + users_len(slot->text) : NULL;
}

struct lease_key lease_key_sub(const struct lease_engine *e, uint32_t idx) {
	return (struct lease_key){{rg_str(lease_fixed_sub(&e->slots[idx]))}};
}

size_t lease_key_len(const struct lease_key *k) {
	size_t len = 0;

	for (unsigned i = 0; i < LEASE_KEY_PARTS; i++)
		len += k->part[i].len;
	return len;
}

// Mostly the IMPU is "sip:" and the IMPI: then one text has both.
static bool is_tail(const struct lease_engine *e, uint32_t idx) {
	const struct lease_slot *slot = &e->slots[idx];
	const struct lease_domain *d = e->domains[slot->domain];
	const uint8_t *host = d->bytes + d->n_scheme, *realm = host + d->n_host;

	return slot->text->n_impu == SAME &&
	       rg_eq(rg_slice(host, d->n_host), rg_slice(realm, d->n_realm));
}

size_t lease_identity_size(const struct lease_engine *e, uint32_t idx) {
	const struct lease_key impi = lease_key_impi(e, idx), impu = lease_key_impu(e, idx);

	return lease_key_len(&impu) + 1 + (is_tail(e, idx) ? 0 : lease_key_len(&impi) + 1);
}

static char *write(char *at, const struct lease_key *k) {
	for (unsigned i = 0; i < LEASE_KEY_PARTS; i++)
		at = (char *)append((uint8_t *)at, k->part[i]);
	*at = '\0';
	return at + 1;
}

void lease_identity_write(const struct lease_engine *e, struct lease *l, char *text) {
	const struct lease_key impi = lease_key_impi(e, l->idx), impu = lease_key_impu(e, l->idx);

	l->impu = text;
	l->impi = write(text, &impu);
	if (is_tail(e, l->idx))
		l->impi = l->impu + e->domains[e->slots[l->idx].domain]->n_scheme;
	else
		write((char *)l->impi, &impi);
}

void lease_identity_fini(struct lease_engine *e) {
	for (uint32_t i = 0; i < e->n_pairs; i++)
		free(e->slots[i].text);
	for (size_t i = 0; i < e->n_domains; i++)
		free(e->domains[i]);
	free(e->domains);
}
