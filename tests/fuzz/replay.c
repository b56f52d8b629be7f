// SPDX-License-Identifier: BSD-3-Clause
// Runs a fuzz target over a corpus, then over seeded mutations of it: the same ones every time. When
// it dies it says over which bytes.
//   replay_TARGET N_MUTATIONS FOLDER...
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_FILES 4096
#define MAX_BYTES 65536

struct file {
	char *name;
	uint8_t *p;
	size_t len;
};

static struct file files[MAX_FILES];
static unsigned n_files;

static struct { // in hand
	const char *name;
	unsigned n; // mutation; 0: the file as it is
	struct rg_slice bytes;
} now;

// From a signal handler, and from the sanitizers.
static void say_what(void) {
	static const char digits[] = "0123456789abcdef";
	static char text[2 * MAX_BYTES + PATH_MAX];
	size_t n = (size_t)snprintf(text, PATH_MAX, "replay: %s, mutation %u: %zu bytes\n",
				    now.name, now.n, now.bytes.len);

	for (size_t i = 0; i < now.bytes.len; i++) {
		text[n++] = digits[now.bytes.p[i] >> 4];
		text[n++] = digits[now.bytes.p[i] & 15];
	}
	text[n++] = '\n';
	if (write(STDERR_FILENO, text, n) < 0)
		_exit(2);
}

static void on_signal(int sig) {
	signal(sig, SIG_DFL);
	say_what();
	raise(sig);
}

// There in sanitizer builds only.
extern void __sanitizer_set_death_callback(void (*fn)(void));
#pragma weak __sanitizer_set_death_callback

static void watch(void) {
	static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};

	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(say_what);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (__sanitizer_set_death_callback == NULL || signals[i] == SIGABRT)
			signal(signals[i], on_signal);
}

static void load_file(const char *folder, const char *name) {
	static uint8_t buf[MAX_BYTES];
	char path[PATH_MAX];
	struct file *file = &files[n_files];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (f == NULL || n_files++ == MAX_FILES)
		abort();
	file->name = strdup(path);
	file->len = fread(buf, 1, sizeof(buf), f);
	file->p = malloc(file->len + 1);
	memcpy(file->p, buf, file->len);
	fclose(f);
}

// In the order of their names, so that a mutation is the same one everywhere.
static void load_folder(const char *folder) {
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);

	if (n < 0) {
		perror(folder);
		exit(2);
	}
	for (int i = 0; i < n; i++) {
		if (entries[i]->d_name[0] != '.')
			load_file(folder, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static uint32_t next(void) {
	static uint64_t seed = 1;

	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(seed >> 33);
}

// Makes room for n bytes at `at`, or takes as much as there is.
static size_t open_gap(uint8_t *b, size_t *len, size_t at, size_t n) {
	if (n > MAX_BYTES - *len)
		n = MAX_BYTES - *len;
	memmove(b + at + n, b + at, *len - at);
	*len += n;
	return n;
}

static size_t mutate_once(uint8_t *b, size_t len) {
	static const uint8_t hot[] = "\0\1\x7f\x80\xfe\xff\r\n\t \"\\<>()[]{},;:=@?%*/&-.09aZ";
	size_t at = next() % (len + 1), n, from;
	const struct file *other;
	uint8_t piece[256];

	switch (next() % 7) {
	case 0: // any bit
		if (at < len)
			b[at] ^= (uint8_t)(1 << next() % 8);
		return len;
	case 1: // a byte that means something
		if (at < len)
			b[at] = hot[next() % (sizeof(hot) - 1)];
		return len;
	case 2: // a number a little larger or smaller
		if (at < len)
			b[at] = (uint8_t)(b[at] + next() % 9 - 4);
		return len;
	case 3: // cut
		return at;
	case 4: // a piece gone
		n = next() % (len - at + 1);
		memmove(b + at, b + at + n, len - at - n);
		return len - n;
	case 5: // a piece twice
		from = next() % (len + 1);
		n = next() % (len - from + 1);
		n = n < sizeof(piece) ? n : sizeof(piece);
		memcpy(piece, b + from, n);
		n = open_gap(b, &len, at, n);
		memcpy(b + at, piece, n);
		return len;
	default: // a piece of another one
		other = &files[next() % n_files];
		from = next() % (other->len + 1);
		n = open_gap(b, &len, at, next() % (other->len - from + 1));
		memcpy(b + at, other->p + from, n);
		return len;
	}
}

static void run(const char *name, unsigned mutation, const uint8_t *p, size_t len) {
	now.name = name;
	now.n = mutation;
	now.bytes = rg_slice(p, len);
	if (LLVMFuzzerTestOneInput(p, len) != 0)
		abort();
}

int main(int argc, char **argv) {
	static uint8_t buf[MAX_BYTES];
	unsigned n_mutations = argc < 3 ? 0 : (unsigned)strtoul(argv[1], NULL, 10);

	for (int i = 2; i < argc; i++)
		load_folder(argv[i]);
	if (n_files == 0) {
		fprintf(stderr, "usage: %s N_MUTATIONS FOLDER...: no corpus\n", argv[0]);
		return 2;
	}
	watch();
	for (unsigned i = 0; i < n_files; i++)
		run(files[i].name, 0, files[i].p, files[i].len);
	for (unsigned i = 1; i <= n_mutations; i++) {
		const struct file *file = &files[next() % n_files];
		size_t len = file->len;

		memcpy(buf, file->p, len);
		for (unsigned n = 1 + next() % 4; n > 0; n--)
			len = mutate_once(buf, len);
		run(file->name, i, buf, len);
	}
	for (unsigned i = 0; i < n_files; i++) {
		free(files[i].name);
		free(files[i].p);
	}
	printf("%u files, %u mutations\n", n_files, n_mutations);
	return 0;
}
