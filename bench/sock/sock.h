// SPDX-License-Identifier: BSD-3-Clause
// Kernel-socket clients of a SIP-over-WSS server: one thread, one epoll. OpenSSL does a client's TLS
// handshake; then a record layer of a few hundred bytes takes over its keys. A client works through
// jobs, lists of steps (job.c), which streams begin at their pace (loop.c).
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#include "hist.h"
#include "pace.h"
#include "progress.h"
#include "regate/clock.h"
#include "regate/slice.h"
#include "tls/tls_int.h"

#define SOCK_NONE UINT32_MAX
#define SOCK_MAX_IN (256 * 1024)     // read at once
#define SOCK_MAX_MESSAGE (64 * 1024) // WebSocket message or HTTP answer, of the target
#define SOCK_MAX_OUT (256 * 1024)    // sent at once, plain
#define SOCK_LATE_NS (100 * RG_NS_PER_US)
#define SOCK_MAX_ENDS 48
#define SOCK_MAX_STREAMS 3

// In the order of the table in job.c.
enum sock_step {
	STEP_END, // of the list
	STEP_CONNECT,
	STEP_TLS,
	STEP_UPGRADE,
	STEP_REGISTER,
	STEP_UNREGISTER,
	STEP_LEASE_TAKE,
	STEP_LEASE_RENEW,
	STEP_LEASE_GIVE,
	STEP_BAD_TOKEN,
	STEP_FOREIGN_TOKEN,
	STEP_HELLO,    // a recorded ClientHello, until the target says something
	STEP_HUSH,     // the same, until the target ends the connection, as all that follow
	STEP_HEAD,     // a request, byte by byte
	STEP_FRAME,    // a frame, byte by byte
	STEP_NO_READ,  // REGISTERs now and then, and no answer is read
	STEP_UNMASKED, // a frame that the target has to close for
	STEP_OVERSIZE, // a message that no target can want
	STEP_DONE,     // what is measured ends here
	STEP_CUT,      // RST
	STEP_CLOSE,    // as the scenario says
	N_STEPS
};

// What a client does from when it is due. In the order of the table in job.c.
enum sock_job {
	JOB_NONE,
	JOB_OPEN,      // whatever is missing, up to the REGISTER
	JOB_COLD,      // the same, then it leaves
	JOB_HANDSHAKE, // up to the upgrade, then it leaves
	JOB_TLS,       // up to the end of the handshake, then it leaves
	JOB_REFRESH,
	JOB_CHURN, // leaves in good order and comes back
	JOB_DEREGISTER,
	JOB_RECONNECT, // breaks off and comes back
	JOB_LEASE,     // taken, renewed, given back
	JOB_LEASE_TAKE,
	JOB_LEASE_GIVE,
	JOB_HALF_HANDSHAKE, // from here on: misbehaviour, in the order of the scenario's choices
	JOB_HANDSHAKE_FLOOD,
	JOB_SLOW_HEAD,
	JOB_SLOW_FRAME,
	JOB_NO_READ,
	JOB_NO_CLOSE,
	JOB_BAD_TOKEN,
	JOB_REPLAY,
	JOB_OVERSIZE,
	N_JOBS
};

// How an attempt or a connection ended.
enum sock_why {
	WHY_NOTHING,
	WHY_ERRNO,
	WHY_FIN,
	WHY_RST,
	WHY_TIMEOUT,
	WHY_ALERT,
	WHY_HTTP,
	WHY_SIP,
	WHY_CLOSE_FRAME,
	WHY_TLS,     // OpenSSL did not like what came
	WHY_RUBBISH, // this is no such server
};

struct sock_end {
	uint8_t step, why;
	uint8_t tcp;   // WHY_FIN or WHY_RST behind WHY_ALERT and the like; WHY_NOTHING
	uint16_t code; // errno, alert, HTTP or SIP status, close code
	uint64_t n;    // of the like
};

// What became of the jobs of one kind.
struct tally {
	const char *name; // "refresh"
	uint64_t sent, ok, failed;
	uint64_t late;               // begun more than SOCK_LATE_NS after they were due
	uint64_t slow;               // done more than a second after that
	uint64_t last_ns;            // when the last one was done
	struct hist *h;              // ns from when they were due; NULL: not wanted
	struct hist *parts[N_STEPS]; // ns of single steps; NULL: not wanted
	struct hist *ended;          // ns until the target ended what misbehaved; NULL: not wanted
	struct track *track;         // done per step of time; NULL: not wanted
	uint64_t track_ns;           // when it begins
	unsigned n_ends;
	struct sock_end ends[SOCK_MAX_ENDS];
};

// Begins jobs at a pace.
struct stream {
	struct pace pace;
	uint8_t list;  // enum sock_list: whose jobs
	uint8_t n_mix; // which job: by share
	struct {
		uint8_t job;
		double share;
		struct tally *tally;
	} mix[4];
	uint64_t limit;     // jobs that are done, or begun, until it ends; 0: none
	bool is_limit_done; // they have to be done, failures are made up for
	uint64_t begun, done;
	bool is_dropping;   // what is due while `window` are under way is lost
	uint64_t n_dropped; // so many
	uint32_t n_busy;
	uint64_t due_ns; // of all jobs; 0: by the pace
	bool is_beside;  // nobody waits for it
};

struct bytes { // of one connection, that wait for more; malloc()ed
	uint32_t len;
	uint8_t b[];
};

struct keys { // of one direction
	uint64_t seq;
	uint8_t iv[TLS_NONCE_LEN];
	uint8_t key[TLS_MAX_KEY];
};

// CONN_TLS: the handshake is over and HTTP is spoken. CONN_OPEN: WebSocket.
enum sock_state { CONN_CLOSED, CONN_CONNECTING, CONN_TCP, CONN_TLS, CONN_OPEN };

struct conn {
	int fd;          // negative: none
	uint32_t serial; // of fd: events of an earlier one are dropped
	uint8_t state, job, at, step, list, suite;
	bool is_registered;
	struct sock_end end; // what the target said about the end, so far
	uint32_t ident, cseq;
	uint32_t prev, next;
	uint32_t n_dripped;       // bytes
	uint64_t due_ns, step_ns; // when the job was due, when its step began
	uint64_t retry_ns;        // not before, after a failure
	struct stream *stream;
	struct tally *tally;
	SSL *ssl;                                // until its keys are taken over
	SSL_SESSION *session;                    // to be resumed
	struct bytes *in, *plain, *joined, *out; // joined: fragments of a message
	struct keys keys[TLS_N_DIRS];
};

// LIST_OUT: not registered, open or not. LIST_ATTACK: those that misbehave. LIST_TIMED: an answer is
// due, in the order in which it is.
enum sock_list { LIST_NONE, LIST_OUT, LIST_READY, LIST_ATTACK, LIST_TIMED, N_LISTS };

struct list { // first in, first out, by conn.prev and next
	uint32_t head, tail;
};

struct ident {
	char *impu, *token; // impu NULL: by pattern; token NULL: none
};
