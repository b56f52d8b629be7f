// SPDX-License-Identifier: BSD-3-Clause
// The lease protocol of gateways that share a store, for one identity pair: grant, renew, register and
// move, revoke, expire, release, failover. Two gateways, one store with compare-and-swap, a core that
// holds one binding per generation, requests that reach it late.
//
// Checked exhaustively: never two owners, no binding of an old generation beside a new owner, an old
// generation is fenced (I1, I4, INV-5, INV-7). tests/spin/run changes one line of it (MUTANT) after the
// other and expects spin to find the fault.
//
// Time is counted in steps of the clock process: a token lives LIFE, a request may be under way for
// T_SIP, and the record's reassign is end of token + GUARD, so GUARD > T_SIP.

#ifndef MUTANT
#define MUTANT 0
#endif
#define M_NO_CAS 1
#define M_SHORT_GUARD 2
#define M_ACK_BEFORE_COMMIT 3
#define M_RELEASE_WITHOUT_EVIDENCE 4
#define M_MOVE_WITHOUT_COMMIT 5
#define M_RELEASE_BY_OTHER 6 // STORE_MOVED not written, or not looked at
#define M_SAME_GENERATION 7

#define LIFE 1
#define T_SIP 1
#if MUTANT == M_SHORT_GUARD
#define GUARD 0
#else
#define GUARD 2
#endif
#define MAX_GEN 3
#define MAX_TIME 6
#define MAX_MOVES 2 // per generation: there and back
#define NONE 2

// --- the store: one record
byte rev, gen, reassign; // durable
byte holder = NONE;      // the gateway that the record names
byte n_moved; // 0: STORE_MOVED is not set
bool is_ended;

// --- what is true: who was told that it has the pair, and what the core holds
byte now;
byte owner_gen;     // newest generation acknowledged; 0 = none
byte owner_end;     // its token's end
byte bound_gen;     // the core's binding; 0 = none
byte bound_end;
bool is_sent[2];    // a REGISTER of gateway g is on its way
byte sent_gen[2], sent_life[2]; // counts from its arrival, as Expires does
byte sent_late[2];              // reaches the core until then, or never

inline judge_grant(g) {
	// a new owner: the old one's token is over or given up, and the core has nothing of it
	assert(owner_gen < g);
	assert(owner_end <= now);
	assert(bound_gen == 0 || bound_end <= now);
	assert(!is_sent[0] || sent_gen[0] >= g);
	assert(!is_sent[1] || sent_gen[1] >= g)
}

// Two REGISTERs of one generation may be under way; those of an older one must not arrive.
proctype gateway(byte me) {
	byte my_rev, my_gen, my_reassign, my_holder; // as the watch told last
	byte my_moved;
	bool my_ended;
	byte want;

	do
	:: // the watch tells, late; or a crash and a restart: memory is what is durable
	   atomic { my_rev = rev; my_gen = gen; my_reassign = reassign;
		my_holder = holder; my_moved = n_moved; my_ended = is_ended }

	:: // grant: commit generation + 1 by compare-and-swap, then answer. The first one is gateway 0's:
	   // they are alike
	   my_gen < MAX_GEN && (my_gen > 0 || me == 0) && now >= my_reassign && now + LIFE + GUARD <= MAX_TIME ->
#if MUTANT == M_SAME_GENERATION
		want = (my_gen == 0 -> 1 : my_gen);
#else
		want = my_gen + 1;
#endif
#if MUTANT == M_ACK_BEFORE_COMMIT
		atomic { judge_grant(want); owner_gen = want; owner_end = now + LIFE };
#endif
		atomic {
			if
			:: (MUTANT == M_NO_CAS || rev == my_rev) ->
				rev++; gen = want; reassign = now + LIFE + GUARD;
				holder = me; n_moved = 0; is_ended = false;
#if MUTANT != M_ACK_BEFORE_COMMIT
				judge_grant(want);
				owner_gen = want; owner_end = now + LIFE;
#endif
			:: else
			fi;
			my_rev = rev; my_gen = gen; my_reassign = reassign;
			my_holder = holder; my_moved = n_moved; my_ended = is_ended
		}

	:: // renew: a later end of the same generation
	   atomic { my_gen > 0 && !my_ended && now < owner_end && owner_gen == my_gen &&
		    now + LIFE + GUARD <= MAX_TIME ->
		if
		:: rev == my_rev && reassign < now + LIFE + GUARD ->
			rev++; reassign = now + LIFE + GUARD; owner_end = now + LIFE
		:: else
		fi;
		my_rev = rev; my_gen = gen; my_reassign = reassign;
		my_holder = holder; my_moved = n_moved; my_ended = is_ended }

	:: // move: before the first REGISTER here, the record names this gateway
	   atomic { my_gen > 0 && my_holder != me && my_moved < MAX_MOVES && !my_ended && MUTANT != M_MOVE_WITHOUT_COMMIT ->
		if
		:: rev == my_rev -> rev++; holder = me; n_moved = n_moved + 1
		:: else
		fi;
		my_rev = rev; my_gen = gen; my_reassign = reassign;
		my_holder = holder; my_moved = n_moved; my_ended = is_ended }

	:: // REGISTER: for no longer than the token, by the gateway that the record named last
	   atomic { my_gen > 0 && (my_holder == me || MUTANT == M_MOVE_WITHOUT_COMMIT) && !my_ended &&
		    !is_sent[me] && my_reassign > now + GUARD ->
		is_sent[me] = true; sent_gen[me] = my_gen;
		sent_life[me] = my_reassign - GUARD - now; sent_late[me] = now + T_SIP }

	:: // revoke: durable first; the time of the formula stands
	   atomic { my_gen > 0 && !my_ended ->
		if
		:: rev == my_rev -> rev++; is_ended = true; owner_end = now
		:: else
		fi;
		my_rev = rev; my_gen = gen; my_reassign = reassign;
		my_holder = holder; my_moved = n_moved; my_ended = is_ended }

	:: // release: early, with the core's word, by the gateway that alone has registered it
	   atomic { my_gen > 0 && my_ended && my_gen == gen && my_reassign > now &&
		    (my_moved == 0 || MUTANT == M_RELEASE_BY_OTHER) && my_holder == me &&
		    (!is_sent[me] || MUTANT == M_RELEASE_WITHOUT_EVIDENCE) ->
#if MUTANT != M_RELEASE_WITHOUT_EVIDENCE
		if :: bound_gen == my_gen -> bound_gen = 0 :: else fi;
#endif
		if
		:: rev == my_rev -> rev++; reassign = now
		:: else
		fi;
		my_rev = rev; my_gen = gen; my_reassign = reassign;
		my_holder = holder; my_moved = n_moved; my_ended = is_ended }
	:: now == MAX_TIME -> break
	od
}

// A REGISTER arrives, or never does. What a gateway may not know of is worth nothing in the core:
// an old generation beside a new owner is the fault.
active proctype core() {
	byte i;

	do
	:: atomic { is_sent[0] -> i = 0;
		if
		:: skip // lost
		:: assert(sent_gen[i] >= owner_gen);
		   bound_gen = sent_gen[i]; bound_end = now + sent_life[i]
		fi;
		is_sent[i] = false }
	:: atomic { is_sent[1] -> i = 1;
		if
		:: skip
		:: assert(sent_gen[i] >= owner_gen);
		   bound_gen = sent_gen[i]; bound_end = now + sent_life[i]
		fi;
		is_sent[i] = false }
	:: now == MAX_TIME -> break
	od
}

// Time goes on, but not past a request that is under way (T_SIP).
active proctype clock() {
	do
	:: atomic { now < MAX_TIME && (!is_sent[0] || sent_late[0] > now) &&
		    (!is_sent[1] || sent_late[1] > now) -> now++ }
	:: now == MAX_TIME -> break
	od
}

init {
	atomic { run gateway(0); run gateway(1) }
}
