// SPDX-License-Identifier: BSD-3-Clause
// Configuration: whatever is refused is refused with its place, whatever is taken is taken without a
// word; comments and a blank line at the end change nothing.
#include <stdio.h>
#include <stdlib.h>

#include "conf/conf.h"
#include "fuzz.h"

static struct conf *parse(struct rg_slice in, char **said, size_t *n_said) {
	FILE *err = open_memstream(said, n_said);
	struct conf *c = conf_parse("f", (const char *)in.p, in.len, err);

	fclose(err);
	return c;
}

static void check_refusal(const char *said, size_t n) {
	FUZZ_CHECK(n > 0 && said[n - 1] == '\n');
	for (const char *line = said; *line != '\0'; line = strchr(line, '\n') + 1)
		FUZZ_CHECK(strncmp(line, "f:", 2) == 0);
	for (size_t i = 0; i < n; i++)
		FUZZ_CHECK(said[i] == '\n' || (uint8_t)said[i] >= ' ');
}

static void check_taken(const struct conf *c) {
	FUZZ_CHECK(c->dp.port != NULL && c->dp.workers >= 1 && c->dp.workers <= 64);
	FUZZ_CHECK(c->tls.certificate != NULL && c->tls.key != NULL && c->ctl_socket != NULL);
	FUZZ_CHECK(c->reg.client_min_s <= c->reg.client_max_s);
	for (size_t i = 0; i < c->n_pools; i++)
		FUZZ_CHECK(c->pools[i].wwsf < c->n_wwsfs && c->pools[i].name != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len) {
	static const char tail[] = "\n# end\n\n";
	char *said = NULL, *again = NULL;
	uint8_t longer[8192];
	size_t n, n_again;
	struct conf *c, *d;

	if (len > sizeof(longer) - sizeof(tail))
		return 0;
	c = parse(fuzz_guard(0, rg_slice(p, len)), &said, &n);
	if (c == NULL)
		check_refusal(said, n);
	else
		check_taken(c);
	FUZZ_CHECK(c == NULL || n == 0);
	if (c != NULL) {
		memcpy(longer, p, len);
		memcpy(longer + len, tail, sizeof(tail) - 1);
		d = parse(rg_slice(longer, len + sizeof(tail) - 1), &again, &n_again);
		FUZZ_CHECK(d != NULL);
		conf_free(d);
		free(again);
	}
	conf_free(c);
	free(said);
	return 0;
}
