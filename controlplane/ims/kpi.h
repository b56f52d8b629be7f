// SPDX-License-Identifier: BSD-3-Clause
// Key figures of registration (ims.md 5.3), of what reaches the control plane: who tried what, how it
// ended, and who answered. What a worker answers alone is in its own counters (regate/stats.h).
// Names after 3GPP TS 32.409 where it has one. Control loop; no I/O.
#pragma once

#include <stdint.h>

enum kpi_kind {
	KPI_INITIAL,
	KPI_RE,       // Contact, Call-ID or time left: the core is asked again
	KPI_DEREG,    // by the user
	KPI_FETCH,    // what is bound? (RFC 3261 10.2.3)
	KPI_GW_RE,    // by the gateway, while the client is answered in the worker
	KPI_GW_DEREG, // by the gateway: the client left, or an operator said so
	KPI_N_KINDS,
};

enum kpi_scenario {  // who (ims.md 1.2)
	KPI_UNKNOWN, // no lease was found
	KPI_ACCOUNT,
	KPI_POOL,
	KPI_ANONYMOUS,
	KPI_N_SCENARIOS,
};

enum kpi_source { // of the answer
	KPI_LOCAL,
	KPI_CORE,
	KPI_N_SOURCES,
};

enum kpi_token { // of a token that no lease had
	KPI_TOKEN_OK,
	KPI_TOKEN_NO_LEASE, // and no issuer but ourselves can have made it
	KPI_TOKEN_MALFORMED,
	KPI_TOKEN_INACTIVE, // its issuer says, or its generation has gone
	KPI_TOKEN_ENDED,
	KPI_TOKEN_FORGED,   // signature, issuer, audience
	KPI_TOKEN_TAKEN,    // its pair has another owner still (INV-4)
	KPI_TOKEN_UNJUDGED, // its issuer could not be asked, or no memory
	KPI_N_TOKENS,
};

enum kpi_count {
	KPI_CORE_2XX,
	KPI_CORE_3XX,
	KPI_CORE_4XX,
	KPI_CORE_5XX,
	KPI_CORE_6XX,
	KPI_CORE_423,       // in 4xx, too
	KPI_UNKNOWN_ENDS,   // the core may or may not hold a binding
	KPI_STALE_GEN,      // an answer came for an assignment that had ended
	KPI_EARLY_RELEASES, // back on the core's word, before the time that holds without it
	KPI_AUDIT_LOST,     // records over log.audit_rate
	KPI_N_COUNTS,
};

#define KPI_N_CAUSES 8
#define KPI_N_STEPS 14

struct kpi {
	uint64_t ok[KPI_N_KINDS][KPI_N_SCENARIOS][KPI_N_SOURCES];
	uint64_t failed[KPI_N_KINDS][KPI_N_SCENARIOS][KPI_N_SOURCES][KPI_N_CAUSES];
	uint64_t rrd[KPI_N_SOURCES][KPI_N_STEPS]; // REGISTER to 200 (RFC 6076 4.1)
	uint64_t rrd_us[KPI_N_SOURCES];           // sum
	uint64_t token[KPI_N_TOKENS];
	uint64_t count[KPI_N_COUNTS];
};

void kpi_answered(struct kpi *k, enum kpi_kind kind, enum kpi_scenario who, enum kpi_source source,
		  unsigned status);
void kpi_took(struct kpi *k, enum kpi_source source, uint64_t ns);
void kpi_core_answered(struct kpi *k, unsigned status);

const char *kpi_kind_name(enum kpi_kind kind);
const char *kpi_scenario_name(enum kpi_scenario who);
const char *kpi_source_name(enum kpi_source source);

enum kpi_type {
	KPI_COUNTER,
	KPI_GAUGE,
	KPI_BUCKET, // of a histogram: cumulative, upper end in the label le
	KPI_MICROS, // sum of a histogram in seconds, here in microseconds
};

struct kpi_row {
	const char *name;   // "UR.FailInitReg"
	const char *labels; // "scenario=pool,source=core,cause=504", "" = none
	const char *text;   // for operators
	uint64_t value;
	enum kpi_type type;
};
const char *kpi_type_name(enum kpi_type type);
// Every figure there is, also those at zero but for causes that never occurred, in one order; a row is
// good for the call.
void kpi_walk(const struct kpi *k, void (*row)(void *arg, const struct kpi_row *r), void *arg);
