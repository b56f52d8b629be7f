// SPDX-License-Identifier: BSD-3-Clause
// What a batch asks and what the answers mean for its jobs. Each write is a compare and swap, so it may
// be sent again when its answer was lost: then the record is there already, with the author that only
// this write has.
#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"
#include "store/etcd_impl.h"

#define APART 16 // after a conflict so many batches expect one
#define GEN_MASK ((UINT64_C(1) << ETCD_GEN_BITS) - 1)
#define NO_REVISION (UINT64_MAX >> ETCD_GEN_BITS) // no record ever has it

static struct rg_slice key_of(const struct etcd_batch *b, const char *kind, const char *name,
			      uint8_t room[ETCD_KEY_MAX]) {
	return rg_slice(room, etcd_key(b->s, kind, name, room));
}

unsigned etcd_job_ops(const struct store_job *j) {
	return j->name == NULL && (j->rev == 0 || etcd_job_begins(j)) ? 2 : 1;
}

bool etcd_job_begins(const struct store_job *j) {
	uint64_t old = j->rev & GEN_MASK;

	return j->name == NULL && j->history == NULL && old != 0 &&
	       old != (j->lease.gen & GEN_MASK);
}

static bool must_read(const struct etcd_slot *slot) {
	const struct store_job *j = slot->job;

	return j != NULL && !slot->has_read &&
	       (j->history != NULL || (j->name != NULL && !j->is_new) || etcd_job_begins(j));
}

bool etcd_batch_must_read(const struct etcd_batch *b) {
	for (size_t i = 0; i < b->n; i++)
		if (must_read(&b->slots[i]))
			return true;
	return false;
}

// --- reading

void etcd_batch_put_reads(const struct etcd_batch *b, struct rg_wr *w) {
	uint8_t room[ETCD_KEY_MAX];

	etcd_txn_begin(w);
	for (size_t i = 0; i < b->n; i++) {
		const struct store_job *j = b->slots[i].job;

		if (!must_read(&b->slots[i]))
			continue;
		if (j->name != NULL) {
			etcd_txn_range(w, key_of(b, "value/", j->name, room));
			continue;
		}
		etcd_txn_range(w, key_of(b, "lease/", j->lease.impi, room));
		etcd_txn_range(w, key_of(b, "history/", j->lease.impi, room));
	}
	etcd_txn_end(w);
}

static int add_pasts(struct store_history *h, struct rg_slice text) {
	struct etcd_past p;
	int rc;

	while ((rc = etcd_past_read(&text, &p)) == 0) {
		rc = store_history_add(h, &p.past);
		if (rc != 0)
			return rc;
	}
	return rc == RG_E_STALE ? 0 : rc;
}

static int answer_history(struct store_job *j, const struct etcd_record *now,
			  struct rg_slice pasts) {
	struct store_past p = store_past_of(&now->lease);
	int rc = store_history_add(j->history, &p);

	return rc != 0 ? rc : add_pasts(j->history, pasts);
}

// The assignment that ends with this write goes to the history, if it is still the last.
static int prepare_past(struct etcd_slot *slot, const struct etcd_record *now, uint64_t rev,
			struct rg_slice pasts) {
	struct store_past p = store_past_of(&now->lease);
	struct rg_wr w;

	if (rev != slot->job->rev) { // the write has to fail, and says what is there
		slot->job->rev = UINT64_MAX;
		return 0;
	}
	w = rg_wr(malloc(ETCD_PASTS_MAX), ETCD_PASTS_MAX);
	if (w.p == NULL)
		return -ENOMEM;
	etcd_pasts_put(&w, &p, pasts);
	slot->past_len = w.len;
	slot->past = w.overflow ? NULL : realloc(w.p, w.len);
	if (slot->past != NULL)
		return 0;
	free(w.p);
	return w.overflow ? RG_E_LIMIT : -ENOMEM;
}

// rc: of reading the record.
static int have_lease(struct etcd_slot *slot, int rc, const struct etcd_kv *lease,
		      const struct etcd_kv *pasts) {
	struct store_job *j = slot->job;
	struct etcd_record now;

	if (rc == RG_E_STALE)
		return j->history != NULL ? rc : 0;
	if (rc == 0)
		rc = etcd_record_read(rg_str(j->lease.impi), lease->value, &now);
	if (rc != 0)
		return rc;
	if (j->history != NULL)
		return answer_history(j, &now, pasts->value);
	return prepare_past(slot, &now, etcd_rev(lease->mod_revision, now.lease.gen), pasts->value);
}

void etcd_batch_have_read(struct etcd_batch *b, struct etcd_reply *r) {
	struct etcd_kv kv, pasts;
	size_t at = 0;

	for (size_t i = 0; i < b->n; i++) {
		struct etcd_slot *slot = &b->slots[i];
		struct store_job *j = slot->job;
		int rc;

		if (!must_read(slot))
			continue;
		rc = etcd_reply_read(r, at++, &kv);
		slot->has_read = true;
		if (j->name != NULL) {
			if (rc == RG_E_PROTO)
				etcd_slot_end(b, i, rc, 0);
			else
				j->rev = kv.mod_revision;
			continue;
		}
		if (etcd_reply_read(r, at++, &pasts) == RG_E_PROTO)
			rc = RG_E_PROTO;
		rc = have_lease(slot, rc, &kv, &pasts);
		if (rc != 0 || j->history != NULL)
			etcd_slot_end(b, i, rc, 0);
	}
}

// --- writing

// A revision that is none of ours replaces nothing.
static uint64_t replaced(const struct store_job *j) {
	uint64_t mod_revision = j->rev >> ETCD_GEN_BITS;

	return j->rev != 0 && mod_revision == 0 ? NO_REVISION : mod_revision;
}

typedef void put_fn(struct rg_wr *w, const struct etcd_put *p);

static void put_lease(const struct etcd_batch *b, const struct etcd_slot *slot, struct rg_wr *w,
		      put_fn *put) {
	const struct store_lease *l = &slot->job->lease;
	uint8_t key[ETCD_KEY_MAX], impu[ETCD_KEY_MAX], history[ETCD_KEY_MAX];
	uint8_t text[ETCD_RECORD_MAX];
	struct rg_wr t = rg_wr(text, sizeof(text));
	struct etcd_put p = {.mod_revision = replaced(slot->job)};

	etcd_record_put(&t, l, (struct etcd_author){b->s->author.tag, slot->job->seq});
	p.key = key_of(b, "lease/", l->impi, key);
	p.value = rg_wr_slice(&t);
	if (slot->job->rev == 0) {
		p.new_key = key_of(b, "impu/", l->impu, impu);
		p.new_value = rg_str(l->impi);
	}
	if (slot->past != NULL) {
		p.also_key = key_of(b, "history/", l->impi, history);
		p.also_value = rg_slice(slot->past, slot->past_len);
	}
	put(w, &p);
}

static void put_all(const struct etcd_batch *b, struct rg_wr *w, put_fn *put) {
	uint8_t key[ETCD_KEY_MAX];

	for (size_t i = 0; i < b->n; i++) {
		const struct store_job *j = b->slots[i].job;

		if (j == NULL)
			continue;
		if (j->name == NULL)
			put_lease(b, &b->slots[i], w, put);
		else
			put(w, &(struct etcd_put){
				       .key = key_of(b, "value/", j->name, key),
				       .value = rg_slice(j->bytes, j->len),
				       .mod_revision = j->rev,
			       });
	}
}

void etcd_batch_put_writes(const struct etcd_batch *b, struct rg_wr *w) {
	if (b->is_together) {
		etcd_txn_begin_together(w);
		put_all(b, w, etcd_txn_if);
		etcd_txn_then(w);
		put_all(b, w, etcd_txn_do);
	} else {
		etcd_txn_begin(w);
		put_all(b, w, etcd_txn_put);
	}
	etcd_txn_end(w);
}

// Another record is there, or none: or ours, written by an attempt whose answer was lost.
static void refused_lease(struct etcd_batch *b, size_t i, const struct etcd_kv *now) {
	const struct store_job *j = b->slots[i].job;
	const struct store_watch *watch = &b->s->s.watch;
	struct etcd_record r;
	int rc;

	if (now->key.len == 0) { // created by nobody: then its IMPU is another's
		etcd_slot_end(b, i, j->rev == 0 ? -EEXIST : RG_E_CONFLICT, 0);
		return;
	}
	rc = etcd_record_read(rg_str(j->lease.impi), now->value, &r);
	if (rc != 0) {
		etcd_slot_end(b, i, rc, 0);
		return;
	}
	if (r.author.tag == b->s->author.tag && r.author.seq == j->seq) {
		etcd_slot_end(b, i, 0, now->mod_revision);
		return;
	}
	r.lease.rev = etcd_rev(now->mod_revision, r.lease.gen);
	if (watch->lease != NULL)
		watch->lease(watch->arg, &r.lease);
	etcd_slot_end(b, i, RG_E_CONFLICT, now->mod_revision);
}

static void refused_value(struct etcd_batch *b, size_t i, const struct etcd_kv *now) {
	struct store_job *j = b->slots[i].job;
	int rc;

	if (b->n_tries > 1 && rg_eq(now->value, rg_slice(j->bytes, j->len)) && now->key.len > 0) {
		etcd_slot_end(b, i, 0, now->mod_revision);
	} else if (!j->is_new) { // replaces whatever is there
		j->rev = now->mod_revision;
	} else {
		rc = etcd_take_value(b->s, rg_str(j->name), now, false);
		etcd_slot_end(b, i, rc == 0 ? RG_E_CONFLICT : rc, 0);
	}
}

// Nothing was written when one of them would not have been; which one is to be asked.
static void have_written_together(struct etcd_batch *b, const struct etcd_reply *r) {
	b->is_together = false;
	etcd_contact(b->s, r->has_succeeded ? r->revision : 0);
	if (!r->has_succeeded) {
		b->s->n_apart = APART;
		return;
	}
	for (size_t i = 0; i < b->n; i++)
		if (b->slots[i].job != NULL)
			etcd_slot_end(b, i, 0, r->revision);
}

void etcd_batch_have_written(struct etcd_batch *b, struct etcd_reply *r) {
	struct etcd_kv now, impu;
	size_t at = 0, n_done = 0;

	if (b->is_together) {
		have_written_together(b, r);
		return;
	}
	for (size_t i = 0; i < b->n; i++) {
		const struct store_job *j = b->slots[i].job;
		int rc;

		if (j == NULL)
			continue;
		rc = etcd_reply_put(r, at++, &now, &impu);
		n_done += rc == 0;
		if (rc == 0 || rc == RG_E_PROTO)
			etcd_slot_end(b, i, rc, r->revision);
		else if (j->name == NULL)
			refused_lease(b, i, &now);
		else
			refused_value(b, i, &now);
	}
	etcd_contact(b->s, n_done > 0 ? r->revision : 0);
}
