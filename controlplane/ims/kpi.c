// SPDX-License-Identifier: BSD-3-Clause
// Key figures: counted in one place, named and explained in the tables of this one.
#include "ims/kpi.h"

#include <stdbool.h>
#include <stdio.h>

#include "regate/clock.h"

static const struct {
	const char *name, *tried, *done, *failed;
	const char *text[3];
} kinds[KPI_N_KINDS] = {
	[KPI_INITIAL] = {"initial",
			 "UR.AttInitReg",
			 "UR.SuccInitReg",
			 "UR.FailInitReg",
			 {"initial registrations answered", "of these with 200", "with another"}},
	[KPI_RE] = {"re",
		    "UR.AttReReg",
		    "UR.SuccReReg",
		    "UR.FailReReg",
		    {"re-registrations that a worker passed on, answered", "of these with 200",
		     "with another"}},
	[KPI_DEREG] = {"dereg",
		       "UR.AttDeRegUe",
		       "UR.SuccDeRegUe",
		       "UR.FailDeRegUe",
		       {"de-registrations by the user, answered", "of these with 200",
			"with another"}},
	[KPI_FETCH] = {"fetch",
		       "regate.AttFetch",
		       "regate.SuccFetch",
		       "regate.FailFetch",
		       {"questions what is registered, answered", "of these with 200",
			"with another"}},
	[KPI_GW_RE] = {"gateway-re",
		       "regate.AttReRegGw",
		       "regate.SuccReRegGw",
		       "regate.FailReRegGw",
		       {"re-registrations by the gateway, behind a local 200 (rule 11)",
			"of these done", "failed"}},
	[KPI_GW_DEREG] = {"gateway-dereg",
			  "regate.AttDeRegGw",
			  "regate.SuccDeRegGw",
			  "regate.FailDeRegGw",
			  {"de-registrations by the gateway", "of these done", "failed"}},
};

static const char *const scenarios[KPI_N_SCENARIOS] = {
	[KPI_UNKNOWN] = "none",
	[KPI_ACCOUNT] = "account",
	[KPI_POOL] = "pool",
	[KPI_ANONYMOUS] = "anonymous",
};

static const char *const sources[KPI_N_SOURCES] = {[KPI_LOCAL] = "local", [KPI_CORE] = "core"};

static const unsigned causes[KPI_N_CAUSES] = {400, 401, 403, 500, 503, 504, 513, 0}; // 0: others

// Upper ends in milliseconds; 0: no end.
static const unsigned steps_ms[KPI_N_STEPS] = {1,   2,   5,    10,   20,   50,    100,
					       200, 500, 1000, 2000, 5000, 10000, 0};

static const struct {
	const char *name, *text;
} tokens[KPI_N_TOKENS] =
	{
		[KPI_TOKEN_OK] = {"reason=ok", "tokens of other issuers taken"},
		[KPI_TOKEN_NO_LEASE] = {"reason=no-lease", "refused: no lease has it"},
		[KPI_TOKEN_MALFORMED] = {"reason=malformed", "refused: no token, or too long"},
		[KPI_TOKEN_INACTIVE] = {"reason=inactive", "refused: withdrawn, or its lease over"},
		[KPI_TOKEN_ENDED] = {"reason=ended", "refused: expired, or not valid yet"},
		[KPI_TOKEN_FORGED] = {"reason=forged", "refused: signature, issuer or audience"},
		[KPI_TOKEN_TAKEN] = {"reason=taken", "put off: its pair has an owner still"},
		[KPI_TOKEN_UNJUDGED] = {"reason=unjudged", "put off: nobody to ask, or no memory"},
},
  counts[KPI_N_COUNTS] = {
	  [KPI_CORE_2XX] = {"class=2xx", "final answers of the core to REGISTER"},
	  [KPI_CORE_3XX] = {"class=3xx", "final answers of the core to REGISTER"},
	  [KPI_CORE_4XX] = {"class=4xx", "final answers of the core to REGISTER"},
	  [KPI_CORE_5XX] = {"class=5xx", "final answers of the core to REGISTER"},
	  [KPI_CORE_6XX] = {"class=6xx", "final answers of the core to REGISTER"},
	  [KPI_CORE_423] = {"core.423", "of these 423 Interval Too Brief"},
	  [KPI_UNKNOWN_ENDS] = {"safety.unknown_outcomes",
				"requests to the core of which nobody knows what they did"},
	  [KPI_STALE_GEN] = {"safety.generation_rejects",
			     "answers of the core for an assignment that had ended"},
	  [KPI_EARLY_RELEASES] =
		  {"safety.early_releases",
		   "pairs given back on the core's word, before the time that holds without"},
	  [KPI_AUDIT_LOST] = {"audit.suppressed", "audit records over log.audit_rate"},
};

const char *kpi_type_name(enum kpi_type type) {
	static const char *const names[] = {"counter", "gauge", "bucket", "micros"};

	return names[type];
}

const char *kpi_kind_name(enum kpi_kind kind) {
	return kinds[kind].name;
}

const char *kpi_scenario_name(enum kpi_scenario who) {
	return scenarios[who];
}

const char *kpi_source_name(enum kpi_source source) {
	return sources[source];
}

void kpi_answered(struct kpi *k, enum kpi_kind kind, enum kpi_scenario who, enum kpi_source source,
		  unsigned status) {
	unsigned i = 0;

	if (status >= 200 && status < 300) {
		k->ok[kind][who][source]++;
		return;
	}
	while (causes[i] != 0 && causes[i] != status)
		i++;
	k->failed[kind][who][source][i]++;
}

void kpi_took(struct kpi *k, enum kpi_source source, uint64_t ns) {
	unsigned i = 0;

	while (steps_ms[i] != 0 && ns > steps_ms[i] * RG_NS_PER_MS)
		i++;
	k->rrd[source][i]++;
	k->rrd_us[source] += ns / 1000;
}

void kpi_core_answered(struct kpi *k, unsigned status) {
	if (status >= 200 && status < 700)
		k->count[KPI_CORE_2XX + status / 100 - 2]++;
	k->count[KPI_CORE_423] += status == 423;
}

// --- rows

struct walk {
	void (*row)(void *arg, const struct kpi_row *r);
	void *arg;
};

static void put(const struct walk *w, const char *name, const char *labels, const char *text,
		uint64_t value) {
	struct kpi_row r = {name, labels, text, value, KPI_COUNTER};

	w->row(w->arg, &r);
}

static void put_kind(const struct walk *w, const struct kpi *k, unsigned kind, unsigned who,
		     unsigned source) {
	const uint64_t *failed = k->failed[kind][who][source];
	uint64_t ok = k->ok[kind][who][source], n = ok;
	char labels[64];
	int len = snprintf(labels, sizeof(labels), "scenario=%s,source=%s", scenarios[who],
			   sources[source]);

	for (unsigned i = 0; i < KPI_N_CAUSES; i++)
		n += failed[i];
	put(w, kinds[kind].tried, labels, kinds[kind].text[0], n);
	put(w, kinds[kind].done, labels, kinds[kind].text[1], ok);
	for (unsigned i = 0; i < KPI_N_CAUSES; i++) {
		if (failed[i] == 0)
			continue;
		if (causes[i] != 0)
			snprintf(labels + len, sizeof(labels) - (size_t)len, ",cause=%u",
				 causes[i]);
		else
			snprintf(labels + len, sizeof(labels) - (size_t)len, ",cause=other");
		put(w, kinds[kind].failed, labels, kinds[kind].text[2], failed[i]);
	}
}

// Cumulative, as OpenMetrics has it.
static void put_rrd(const struct walk *w, const struct kpi *k, unsigned source) {
	uint64_t n = 0;
	char labels[64];
	struct kpi_row r = {"RRD.seconds", labels, "time from REGISTER to 200 (RFC 6076 4.1)", 0,
			    KPI_BUCKET};

	for (unsigned i = 0; i < KPI_N_STEPS; i++) {
		n += k->rrd[source][i];
		if (steps_ms[i] != 0)
			snprintf(labels, sizeof(labels), "source=%s,le=%g", sources[source],
				 steps_ms[i] / 1000.0);
		else
			snprintf(labels, sizeof(labels), "source=%s,le=+Inf", sources[source]);
		r.value = n;
		w->row(w->arg, &r);
	}
	snprintf(labels, sizeof(labels), "source=%s", sources[source]);
	r.value = k->rrd_us[source];
	r.type = KPI_MICROS;
	w->row(w->arg, &r);
}

void kpi_walk(const struct kpi *k, void (*row)(void *arg, const struct kpi_row *r), void *arg) {
	struct walk w = {row, arg};

	for (unsigned kind = 0; kind < KPI_N_KINDS; kind++)
		for (unsigned i = 0; i < KPI_N_SCENARIOS * KPI_N_SOURCES; i++)
			put_kind(&w, k, kind, i / KPI_N_SOURCES, i % KPI_N_SOURCES);
	for (unsigned i = 0; i < KPI_N_SOURCES; i++)
		put_rrd(&w, k, i);
	for (unsigned i = 0; i < KPI_N_TOKENS; i++)
		put(&w, "token.verified", tokens[i].name, tokens[i].text, k->token[i]);
	for (unsigned i = 0; i < KPI_N_COUNTS; i++) {
		bool is_class = i <= KPI_CORE_6XX;

		put(&w, is_class ? "core.answers" : counts[i].name, is_class ? counts[i].name : "",
		    counts[i].text, k->count[i]);
	}
}
