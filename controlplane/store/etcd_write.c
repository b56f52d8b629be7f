// SPDX-License-Identifier: BSD-3-Clause
// Writes: what is queued goes out in batches, a few at a time. A batch whose answer does not come is
// sent again, to another member, until it has had its time; then its jobs end without an answer.
#include <errno.h>
#include <stdlib.h>

#include "regate/err.h"
#include "store/etcd_impl.h"

static void send_batch(struct etcd_batch *b);

static size_t text_len(const struct store_lease *l) {
	return strlen(l->impi) + strlen(l->impu) + strlen(l->pool) + strlen(l->sub) +
	       strlen(l->gateway) + 5;
}

int etcd_write_queue(struct store *base, struct store_job *j) {
	struct store_etcd *s = etcd_self(base);
	bool is_record = j->name == NULL && j->history == NULL;
	int rc = 0;

	if (s->is_closing)
		return -ESHUTDOWN;
	if (s->stats.queued >= ETCD_QUEUE_MAX)
		return RG_E_LIMIT;
	if (j->name != NULL ? strlen(j->name) >= ETCD_KEY_MAX / 2
			    : text_len(&j->lease) > ETCD_TEXT_MAX ||
				      strlen(j->lease.impi) >= ETCD_KEY_MAX / 2 ||
				      strlen(j->lease.impu) >= ETCD_KEY_MAX / 2)
		return RG_E_LIMIT;
	if (is_record)
		rc = etcd_mark_start(s, j);
	if (rc != 0)
		return rc;
	j->seq = ++s->author.seq;
	j->end_ns = env_now_ns(s->env) + ETCD_WAIT_NS;
	store_queue_push(is_record ? &s->queue : &s->slow, j);
	s->stats.queued++;
	// Sent from the loop, so that all of this turn goes together.
	env_timer_set(s->env, &s->flush, env_now_ns(s->env));
	return 0;
}

// --- ends

static void job_end(struct store_etcd *s, struct store_job *j, int rc, uint64_t mod_revision) {
	bool is_record = j->name == NULL && j->history == NULL;
	uint64_t seen = is_record ? etcd_mark_seen(s, j) : 0;

	if (seen != 0) { // the watch knows better than an answer that did not come
		rc = 0;
		mod_revision = seen;
	}
	if (is_record)
		etcd_mark_end(s, j, mod_revision);
	j->rc = rc;
	if (rc == 0 && j->history == NULL)
		j->rev = is_record ? etcd_rev(mod_revision, j->lease.gen) : mod_revision;
	if (rc == 0 && j->name != NULL)
		j->is_outdated = etcd_value_rev(s, j->name) > mod_revision;
	if (rc == 0 && j->name != NULL && !j->is_outdated)
		j->rc = etcd_value_set_rev(s, j->name, mod_revision);
	s->stats.queued--;
	if (j->history == NULL) {
		s->stats.commits += rc == 0;
		s->stats.conflicts += rc == RG_E_CONFLICT;
		s->stats.failures += rc != 0 && rc != RG_E_CONFLICT;
	}
	store_job_end(&s->s, j);
}

void etcd_slot_end(struct etcd_batch *b, size_t i, int rc, uint64_t mod_revision) {
	struct etcd_slot *slot = &b->slots[i];
	struct store_job *j = slot->job;

	slot->job = NULL;
	free(slot->past);
	slot->past = NULL;
	job_end(b->s, j, rc, mod_revision);
}

static void batch_end(struct etcd_batch *b, int rc) {
	if (b->req != NULL)
		http_request_cancel(b->req);
	b->req = NULL;
	env_timer_cancel(b->s->env, &b->timer);
	for (size_t i = 0; i < b->n; i++)
		if (b->slots[i].job != NULL)
			etcd_slot_end(b, i, rc, 0);
	b->n = 0;
}

static bool is_over(const struct etcd_batch *b) {
	for (size_t i = 0; i < b->n; i++)
		if (b->slots[i].job != NULL)
			return false;
	return true;
}

// --- what is refused, or too large, together may go one by one

static void take_apart(struct etcd_batch *b) {
	struct store_etcd *s = b->s;
	struct store_queue q;

	store_queue_init(&q);
	for (size_t i = 0; i < b->n; i++) {
		if (b->slots[i].job == NULL)
			continue;
		free(b->slots[i].past);
		b->slots[i].job->end_ns = env_now_ns(s->env) + ETCD_WAIT_NS;
		store_queue_push(&q, b->slots[i].job);
		s->n_single++;
	}
	b->n = 0;
	store_queue_move(&q, &s->queue);
	store_queue_move(&s->queue, &q);
}

static void refuse(struct etcd_batch *b, int rc) {
	if ((rc == -EINVAL || rc == RG_E_LIMIT) && b->n > 1)
		take_apart(b);
	else
		batch_end(b, rc);
}

// --- answers

static void retry(struct etcd_batch *b, bool is_now) {
	struct store_etcd *s = b->s;
	uint64_t now_ns = env_now_ns(s->env);

	env_timer_set(s->env, &b->timer, is_now ? now_ns : now_ns + ETCD_RETRY_NS);
}

static void on_answer(void *arg, const struct http_answer *a) {
	struct etcd_batch *b = arg;
	struct store_etcd *s = b->s;
	struct etcd_reply r;
	int rc;

	b->req = NULL;
	switch (etcd_judge(s, a, &r, &rc)) {
	case ETCD_GOOD:
		if (b->is_writing)
			etcd_batch_have_written(b, &r);
		else
			etcd_batch_have_read(b, &r);
		etcd_reply_fini(&r);
		if (is_over(b))
			batch_end(b, 0);
		else
			send_batch(b);
		break;
	case ETCD_AGAIN:
		etcd_leave(s, b->member);
		retry(b, b->n_tries < s->cfg->n_endpoints);
		break;
	case ETCD_REFUSED:
		refuse(b, rc);
		break;
	}
	etcd_write_run(s);
}

static void send_batch(struct etcd_batch *b) {
	struct store_etcd *s = b->s;
	struct rg_wr w = rg_wr(s->body, ETCD_BODY_MAX);
	struct etcd_ask ask = {.path = "/v3/kv/txn",
			       .member = s->member,
			       .timeout_ms = ETCD_TRY_MS,
			       .done = on_answer,
			       .arg = b};

	b->is_writing = !etcd_batch_must_read(b);
	if (b->is_writing)
		etcd_batch_put_writes(b, &w);
	else
		etcd_batch_put_reads(b, &w);
	ask.body = rg_wr_slice(&w);
	b->member = s->member;
	b->n_tries++;
	if (w.overflow) {
		refuse(b, RG_E_LIMIT);
		return;
	}
	s->stats.batches += b->is_writing;
	if (etcd_ask(s, &ask, &b->req) != 0)
		retry(b, false);
}

static void on_retry(struct env_timer *t, uint64_t now_ns) {
	struct etcd_batch *b = (struct etcd_batch *)t;

	if (now_ns < b->end_ns) {
		send_batch(b);
		return;
	}
	batch_end(b, -ETIMEDOUT);
	etcd_write_run(b->s);
}

// --- batches

static void fill(struct etcd_batch *b, struct store_queue *q, size_t max) {
	size_t n_ops = 0;

	b->n_tries = 0;
	b->end_ns = env_now_ns(b->s->env) + ETCD_WAIT_NS;
	while (b->n < max && q->first != NULL) {
		n_ops += etcd_job_ops(q->first);
		if (n_ops > ETCD_OPS_MAX)
			break;
		b->slots[b->n++] = (struct etcd_slot){.job = store_queue_pop(q)};
	}
	b->is_together = b->n > 1 && b->s->n_apart == 0;
	b->s->n_apart -= b->n > 1 && b->s->n_apart > 0;
	b->s->n_single -= b->s->n_single > 0 && q == &b->s->queue;
}

void etcd_write_run(struct store_etcd *s) {
	for (unsigned i = 0; i < ETCD_BATCHES && s->queue.first != NULL; i++) {
		struct etcd_batch *b = &s->batches[i];

		if (b->n > 0)
			continue;
		fill(b, &s->queue, s->n_single > 0 ? 1 : ETCD_OPS_MAX);
		send_batch(b);
	}
	if (s->one.n == 0 && s->slow.first != NULL) {
		fill(&s->one, &s->slow, 1);
		send_batch(&s->one);
	}
}

static void on_flush(struct env_timer *t, uint64_t now_ns) {
	(void)now_ns;
	etcd_write_run((struct store_etcd *)((char *)t - offsetof(struct store_etcd, flush)));
}

static void give_up(struct store_etcd *s, struct store_queue *q, uint64_t now_ns) {
	while (q->first != NULL && q->first->end_ns <= now_ns)
		job_end(s, store_queue_pop(q), -ETIMEDOUT, 0);
}

void etcd_write_tick(struct store_etcd *s, uint64_t now_ns) {
	for (unsigned i = 0; i <= ETCD_BATCHES; i++) {
		struct etcd_batch *b = i < ETCD_BATCHES ? &s->batches[i] : &s->one;

		if (b->n > 0 && b->end_ns <= now_ns)
			batch_end(b, -ETIMEDOUT);
	}
	give_up(s, &s->queue, now_ns);
	give_up(s, &s->slow, now_ns);
	etcd_write_run(s);
}

void etcd_write_init(struct store_etcd *s) {
	store_queue_init(&s->queue);
	store_queue_init(&s->slow);
	s->flush.fn = on_flush;
	for (unsigned i = 0; i <= ETCD_BATCHES; i++) {
		struct etcd_batch *b = i < ETCD_BATCHES ? &s->batches[i] : &s->one;

		b->s = s;
		b->timer.fn = on_retry;
	}
}

void etcd_write_stop(struct store_etcd *s) {
	struct store_job *j;

	for (unsigned i = 0; i <= ETCD_BATCHES; i++)
		batch_end(i < ETCD_BATCHES ? &s->batches[i] : &s->one, -ESHUTDOWN);
	while ((j = store_queue_pop(&s->queue)) != NULL || (j = store_queue_pop(&s->slow)) != NULL)
		job_end(s, j, -ESHUTDOWN, 0);
	env_timer_cancel(s->env, &s->flush);
}
