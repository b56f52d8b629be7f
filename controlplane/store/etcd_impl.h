// SPDX-License-Identifier: BSD-3-Clause
// The parts of the etcd store: link (requests, members, login), write (transactions), mark (records that
// the watch has yet to bring), scan (ranges page by page), pulse, watch. Loop thread.
#pragma once

#include "core/http_client.h"
#include "store/etcd_json.h"
#include "store/etcd_record.h"
#include "store/etcd_scan.h"
#include "store/store_etcd.h"
#include "store/store_impl.h"

// A record's revision is etcd's mod_revision, and below it the low bits of the record's generation: so
// a write tells without reading whether it begins an assignment, and the one before is to be kept.
#define ETCD_GEN_BITS 20
#define ETCD_TRY_MS 1000               // one request to one member
#define ETCD_OPS_MAX 126               // keys of a transaction; etcd's own limit is 128
#define ETCD_BATCHES 4                 // transactions under way
#define ETCD_QUEUE_MAX 65536           // jobs
#define ETCD_WAIT_NS (3 * RG_NS_PER_S) // in the queue, and then once more in a transaction
#define ETCD_RETRY_NS (100 * RG_NS_PER_MS)
#define ETCD_BODY_MAX (2u << 20)

struct store_etcd;

// What became of a request.
enum etcd_verdict {
	ETCD_GOOD,
	ETCD_AGAIN,   // ask (another) member again
	ETCD_REFUSED, // by all members alike; nothing was done
};

struct etcd_mark { // of one record, while a write is under way or the watch lags behind
	const char *impi;
	struct store_job *job; // NULL: none under way
	uint64_t known_rev;    // told to, or written by, the engine, and not yet seen in the watch
	uint64_t seen_rev;     // of the job, when the watch saw it before its answer came
	char text[];           // impi
};

struct etcd_slot {             // one job of a batch
	struct store_job *job; // NULL: ended
	bool has_read;         // what it had to
	uint8_t *past;         // the new PREFIX/history/IMPI, or NULL
	size_t past_len;
};

struct etcd_batch {
	struct env_timer timer; // until the next attempt
	struct store_etcd *s;
	struct http_request *req;
	uint64_t end_ns; // gives up
	unsigned member, n_tries;
	bool is_writing;  // the request; else it reads what has to be known before
	bool is_together; // all or nothing: a third less for etcd to parse
	size_t n;         // 0: idle
	struct etcd_slot slots[ETCD_OPS_MAX];
};

enum etcd_watch_state { // CATCHING_UP: what came is compacted, so records are read instead
	WATCH_OFF,
	WATCH_ASKED,
	WATCH_LIVE,
	WATCH_WAITING,
	WATCH_CATCHING_UP,
};
struct etcd_watch {
	struct env_timer timer; // until it is asked again
	struct http_request *req;
	enum etcd_watch_state state;
	unsigned member;
	uint64_t rev;      // all up to it has been told
	uint64_t since_ns; // it was asked; or is behind what we wrote and said nothing; 0: is not
	uint8_t *line;     // not yet whole
	size_t len, cap;
};

struct etcd_pulse {
	struct http_request *req;
	enum { PULSE_OFF, PULSE_CLAIMING, PULSE_OURS, PULSE_TAKEN } state;
	unsigned member, n_still;
	int rc;                           // it was refused
	uint64_t revision, seen, sent_ns; // of ours, or of what may be replaced; of another's
};

struct etcd_value { // revision of a value known
	struct etcd_value *next;
	uint64_t rev;
	char name[];
};

struct store_etcd {
	struct store s;
	struct env *env;
	const struct store_etcd_cfg *cfg;
	struct http_client *http;
	struct etcd_author author; // seq: of the last job
	unsigned member;           // in use
	uint64_t *left_ns;         // of each member: when it failed
	char *token;               // of the login
	struct http_request *login;
	int login_rc;  // it was refused
	char why[256]; // of the last failure
	struct env_timer tick, flush;
	struct etcd_pulse pulse;
	uint64_t ok_ns;                 // last answer to a write or pulse
	uint64_t acked_rev;             // highest revision that the watch must come to
	struct store_queue queue, slow; // records; values and questions, one at a time
	struct etcd_batch batches[ETCD_BATCHES], one;
	size_t n_single; // jobs to be sent alone, as etcd refused them together
	unsigned
		n_apart; // batches to be sent as transactions within one, so that each job may fail
	void *marks;     // tsearch() tree
	struct etcd_value *values;
	struct etcd_scan load, resync;
	struct etcd_watch watch;
	struct store_load load_cb;
	struct store_stats stats;
	uint8_t *body; // scratch of ETCD_BODY_MAX
	bool is_closing;
};

// --- link
struct etcd_ask {
	const char *path; // "/v3/kv/txn"
	struct rg_slice body;
	unsigned member;
	uint64_t timeout_ms;
	void (*piece)(void *arg, unsigned status, struct rg_slice bytes);
	void (*done)(void *arg, const struct http_answer *a);
	void *arg;
};
// 0, -EAGAIN (not logged in yet: come back), -EACCES (login refused: come back all the same) or -ENOMEM.
[[nodiscard]] int etcd_ask(struct store_etcd *s, const struct etcd_ask *ask,
			   struct http_request **out);
// Judges an answer. On ETCD_GOOD *r is the caller's to end. *rc then, or why it was refused.
enum etcd_verdict etcd_judge(struct store_etcd *s, const struct http_answer *a,
			     struct etcd_reply *r, int *rc);
// This member failed: whoever asks next asks the one that failed longest ago.
void etcd_leave(struct store_etcd *s, unsigned member);
// PREFIX/kind/name. Returns its length, 0 when too long.
size_t etcd_key(const struct store_etcd *s, const char *kind, const char *name, uint8_t *out);
// What follows PREFIX/kind/ in key, if it does.
bool etcd_key_is(const struct store_etcd *s, struct rg_slice key, const char *kind,
		 struct rg_slice *name);
static inline struct store_etcd *etcd_self(struct store *s) {
	return (struct store_etcd *)s;
}

// --- write: batches, when they are sent, and when they end
void etcd_write_init(struct store_etcd *s);
int etcd_write_queue(struct store *base, struct store_job *j);
void etcd_write_run(struct store_etcd *s);                   // sends what may be sent
void etcd_write_tick(struct store_etcd *s, uint64_t now_ns); // gives up what waited too long
void etcd_write_stop(struct store_etcd *s);
// etcd answered a write or pulse. revision: of ours, durable; 0: nothing was written.
void etcd_contact(struct store_etcd *s, uint64_t revision);
void etcd_slot_end(struct etcd_batch *b, size_t i, int rc, uint64_t mod_revision); // once

// --- batch: what is in the requests and answers
bool etcd_batch_must_read(const struct etcd_batch *b);
void etcd_batch_put_reads(const struct etcd_batch *b, struct rg_wr *w);
void etcd_batch_put_writes(const struct etcd_batch *b, struct rg_wr *w);
// Take answers in, end jobs; what is left has to be written, or asked again.
void etcd_batch_have_read(struct etcd_batch *b, struct etcd_reply *r);
void etcd_batch_have_written(struct etcd_batch *b, struct etcd_reply *r);
bool etcd_job_begins(const struct store_job *j);  // an assignment, and there was one before
unsigned etcd_job_ops(const struct store_job *j); // keys that it writes

// --- marks
// A write begins. 0, -EBUSY (one is under way) or -ENOMEM.
[[nodiscard]] int etcd_mark_start(struct store_etcd *s, struct store_job *j);
// It is over. known_rev: etcd's, of what the engine knows of the record now; 0: no news.
void etcd_mark_end(struct store_etcd *s, const struct store_job *j, uint64_t known_rev);
// etcd's revision of this write, when the watch has seen it; else 0.
uint64_t etcd_mark_seen(const struct store_etcd *s, const struct store_job *j);
// A record from the watch: is it news for the engine?
bool etcd_mark_is_news(struct store_etcd *s, const struct etcd_record *r, uint64_t mod_revision);
void etcd_marks_free(struct store_etcd *s);
uint64_t etcd_value_rev(const struct store_etcd *s, const char *name);
[[nodiscard]] int etcd_value_set_rev(struct store_etcd *s, const char *name, uint64_t rev);
static inline uint64_t etcd_rev(uint64_t mod_revision, uint64_t gen) {
	return mod_revision << ETCD_GEN_BITS | (gen & ((1u << ETCD_GEN_BITS) - 1));
}

// --- pulse
// Makes cfg->name ours. 0, RG_E_CONFLICT (a handle that lives has it) or as etcd answers; blocks.
[[nodiscard]] int etcd_pulse_claim(struct store_etcd *s);
void etcd_pulse_tick(struct store_etcd *s, uint64_t now_ns);
void etcd_pulse_end(struct store_etcd *s); // gives the name back; blocks

// --- watch
int etcd_load_all(struct store *base, const struct store_load *cb);
void etcd_watch_init(struct store_etcd *s);
void etcd_watch_behind(struct store_etcd *s); // acked_rev was raised
void etcd_watch_tick(struct store_etcd *s, uint64_t now_ns);
void etcd_watch_stop(struct store_etcd *s);
// A value that is in the store; kept, and told when is_told, unless it is known. 0 or negative.
[[nodiscard]] int etcd_take_value(struct store_etcd *s, struct rg_slice name,
				  const struct etcd_kv *kv, bool is_told);
