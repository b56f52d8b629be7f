// SPDX-License-Identifier: BSD-3-Clause
// Journal of regate-imscore. One thread.
#include "journal.h"

#include "regate/clock.h"

static void put_string(FILE *out, struct rg_slice s) {
	putc('"', out);
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			putc('\\', out);
		if (s.p[i] < 0x20 || s.p[i] >= 0x7f)
			fprintf(out, "\\u%04x", s.p[i]);
		else
			putc(s.p[i], out);
	}
	putc('"', out);
}

// The first value of a header, or null.
static void put_header(FILE *out, const char *name, const struct sip_msg *m, enum sip_hdr_id id) {
	const struct sip_hdr *h = sip_hdr_first(m, id);

	fprintf(out, ",\"%s\":", name);
	if (h != NULL)
		put_string(out, h->value);
	else
		fputs("null", out);
}

// All values of a header, as a list.
static void put_headers(FILE *out, const char *name, const struct sip_msg *m, enum sip_hdr_id id) {
	const char *between = "";

	fprintf(out, ",\"%s\":[", name);
	for (const struct sip_hdr *h = sip_hdr_first(m, id); h != NULL; h = sip_hdr_next(m, h)) {
		fputs(between, out);
		put_string(out, h->value);
		between = ",";
	}
	putc(']', out);
}

// integrity-protected of the Authorization; never the whole header.
static void put_integrity(FILE *out, const struct sip_msg *m) {
	static const char name[] = "integrity-protected=\"";
	const struct sip_hdr *h = sip_hdr_first(m, SIP_HDR_AUTHORIZATION);
	const uint8_t *at = NULL, *end = NULL;

	if (h != NULL)
		at = memmem(h->value.p, h->value.len, name, sizeof(name) - 1);
	if (at != NULL) {
		at += sizeof(name) - 1;
		end = memchr(at, '"', (size_t)(h->value.p + h->value.len - at));
	}
	fputs(",\"integrity_protected\":", out);
	if (end != NULL)
		put_string(out, rg_slice(at, (size_t)(end - at)));
	else
		fputs("null", out);
}

void journal_exchange(FILE *out, const struct sip_msg *m, const char *transport, uint64_t now_ns,
		      unsigned status) {
	if (out == NULL)
		return;
	fprintf(out, "{\"ms\":%llu,\"transport\":\"%s\",\"method\":",
		(unsigned long long)(now_ns / RG_NS_PER_MS), transport);
	put_string(out, m->method_name);
	put_header(out, "to", m, SIP_HDR_TO);
	put_headers(out, "contact", m, SIP_HDR_CONTACT);
	put_headers(out, "path", m, SIP_HDR_PATH);
	put_header(out, "expires", m, SIP_HDR_EXPIRES);
	put_integrity(out, m);
	put_header(out, "callid", m, SIP_HDR_CALL_ID);
	put_header(out, "cseq", m, SIP_HDR_CSEQ);
	put_header(out, "via", m, SIP_HDR_VIA);
	fprintf(out, ",\"status\":%u}\n", status);
	fflush(out);
}

void journal_counters(FILE *out, const struct registrar_stats *s) {
	fprintf(out,
		"{\"requests\":%llu,\"registers\":%llu,\"refreshes\":%llu,\"deregisters\":%llu,",
		(unsigned long long)s->requests, (unsigned long long)s->registers,
		(unsigned long long)s->refreshes, (unsigned long long)s->deregisters);
	fprintf(out, "\"retransmits\":%llu,\"other\":%llu,\"bindings\":%llu,\"unanswered\":%llu",
		(unsigned long long)s->retransmits, (unsigned long long)s->other,
		(unsigned long long)s->n_bindings, (unsigned long long)s->unanswered);
	for (unsigned i = 2; i < 7; i++)
		fprintf(out, ",\"answers_%uxx\":%llu", i, (unsigned long long)s->answers[i]);
	fputs("}\n", out);
	fflush(out);
}
