// SPDX-License-Identifier: BSD-3-Clause
#include "gen.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name, *compact;
} names[N_PARTS] = {
	[P_VIA] = {"Via", "v"},
	[P_FROM] = {"From", "f"},
	[P_TO] = {"To", "t"},
	[P_CALL_ID] = {"Call-ID", "i"},
	[P_CSEQ] = {"CSeq", "CSeq"},
	[P_MAX_FORWARDS] = {"Max-Forwards", "Max-Forwards"},
	[P_CONTACT] = {"Contact", "m"},
	[P_EXPIRES] = {"Expires", "Expires"},
	[P_AUTHORIZATION] = {"Authorization", "Authorization"},
	[P_SUPPORTED] = {"Supported", "k"},
	[P_CONTENT_LENGTH] = {"Content-Length", "l"},
	[P_OTHER] = {"User-Agent", "s"},
};

uint32_t gen_next(struct gen *g) {
	g->seed = g->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(g->seed >> 33);
}

#define ONE_OF(g, table) table[gen_next(g) % (sizeof(table) / sizeof(*(table)))]

// Blanks as the grammar's LWS, or SWS when they may be none.
static void put_blanks(struct gen *g, struct rg_wr *w, bool is_needed) {
	static const char *const blanks[] = {"",   "",      " ",       " ",        "  ",
					     "\t", "\r\n ", " \r\n\t", "\r\n  \t "};
	const char *b = ONE_OF(g, blanks);

	rg_puts(w, is_needed && *b == '\0' ? " " : b);
}

static void put_random(struct gen *g, struct rg_wr *w, const char *alphabet, size_t least) {
	size_t n = least + gen_next(g) % 24, n_letters = strlen(alphabet);

	for (size_t i = 0; i < n; i++)
		rg_putc(w, alphabet[gen_next(g) % n_letters]);
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static void put_placeholder(struct gen *g, struct rg_wr *w, char which) {
	static const char *const users[] = {"alice",         "pool-00017",  "+12015550123",
					    "a.b_c~d*e'(f)", "a&b=c+d$e,f", "a?b/c",
					    "%61lice",       "a%23b"};
	static const char *const hosts[] = {"ims.example.net",
					    "a",
					    "x-1.invalid",
					    "192.0.2.17",
					    "EXAMPLE.Com",
					    "ims.mnc001.mcc001.3gppnetwork.org",
					    "a.b.",
					    "1a.example"};

	switch (which) {
	case 'u':
		rg_puts(w, ONE_OF(g, users));
		break;
	case 's':
		put_random(g, w, ALNUM "-_.!~*'()&=+$/", 1);
		break;
	case 'h':
		rg_puts(w, ONE_OF(g, hosts));
		break;
	case 't':
		put_random(g, w, ALNUM "-.!%*_+`'~", 1);
		break;
	case 'n':
		rg_put_u64(w, 1 + gen_next(g) % 65535);
		break;
	case 'b':
		put_random(g, w, ALNUM "-._~+/", 8);
		break;
	default:
		abort();
	}
}

static char any_case(struct gen *g, char c) {
	if (gen_next(g) % 2 == 0)
		return (char)rg_lower((uint8_t)c);
	return c >= 'a' && c <= 'z' ? (char)(c - 0x20) : c;
}

static void put_name(struct gen *g, struct rg_wr *w, enum part part) {
	const char *name = gen_next(g) % 4 == 0 ? names[part].compact : names[part].name;
	bool is_odd = gen_next(g) % 2 == 0;

	for (; *name != '\0'; name++)
		rg_putc(w, is_odd ? any_case(g, *name) : *name);
	if (gen_next(g) % 8 == 0)
		rg_puts(w, gen_next(g) % 2 == 0 ? " " : "\t ");
	rg_putc(w, ':');
	if (gen_next(g) % 8 == 0)
		put_blanks(g, w, false);
	else
		rg_putc(w, ' ');
}

static void put_part(struct gen *g, struct rg_wr *w, const struct form *f) {
	const char *p = f->text;

	if (p == NULL)
		return;
	if (f->part != P_START)
		put_name(g, w, f->part);
	for (; *p != '\0'; p++) {
		if (*p == '$') {
			put_placeholder(g, w, *++p);
		} else if (*p == '^' || *p == '|') {
			put_blanks(g, w, *p == '|');
		} else if (*p == '#') {
			rg_puts(w, "\r\n");
			put_name(g, w, f->part);
		} else {
			rg_putc(w, *p);
		}
	}
	rg_puts(w, "\r\n");
}

// Of those that all read alike.
static const struct form *any_good(struct gen *g, enum part part) {
	const struct form *f;

	do
		f = &forms[gen_next(g) % n_forms];
	while (f->part != part || !f->is_good || f->differs != 0);
	return f;
}

void gen_message(struct gen *g, const struct form *form) {
	struct rg_wr w = rg_wr(g->text, sizeof(g->text));
	enum part order[N_PARTS], x;
	unsigned at;

	for (enum part p = 0; p < N_PARTS; p++)
		order[p] = p;
	for (unsigned i = N_PARTS - 1; i > 1; i--) { // the start line stays
		at = 1 + gen_next(g) % i;
		x = order[at];
		order[at] = order[i];
		order[i] = x;
	}
	for (unsigned i = 0; i < N_PARTS; i++) {
		bool is_given = form != NULL && form->part == order[i];

		put_part(g, &w, is_given ? form : any_good(g, order[i]));
	}
	rg_puts(&w, "\r\n");
	if (w.overflow)
		abort();
	g->len = w.len;
}

void gen_damage(struct gen *g) {
	static const char hot[] = "\r\n\t \0\"\\<>()[],;:=@?%*/&-.0129aZ\x7f\x80\xff";
	size_t at, n;

	for (unsigned i = 1 + gen_next(g) % 3; i > 0 && g->len > 1; i--) {
		at = gen_next(g) % g->len;
		n = gen_next(g) % 40;
		switch (gen_next(g) % 4) {
		case 0:
			g->text[at] ^= (uint8_t)(1 << gen_next(g) % 8);
			break;
		case 1:
			g->text[at] = (uint8_t)hot[gen_next(g) % (sizeof(hot) - 1)];
			break;
		case 2: // a piece gone
			n = n < g->len - at ? n : g->len - at;
			memmove(g->text + at, g->text + at + n, g->len - at - n);
			g->len -= n;
			break;
		default: // a piece twice
			n = n < g->len - at ? n : g->len - at;
			if (g->len + n > sizeof(g->text))
				break;
			memmove(g->text + at + n, g->text + at, g->len - at);
			g->len += n;
		}
	}
}
