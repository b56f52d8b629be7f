// SPDX-License-Identifier: BSD-3-Clause
// What the files of this folder share: collected errors, the tree of a YAML file, the schema.
// Start and reload only; without memory the process ends, as it could not start anyway.
#pragma once

#include "conf/conf.h"

void *conf_alloc(size_t len); // zeroed, never NULL
char *conf_strdup(struct rg_slice s);

// --- errors: collected, then printed in the order of the file
struct conf_pos {
	unsigned line, col; // from 1
};

struct conf_error {
	struct conf_pos pos;
	unsigned seq; // keeps the order of errors at one place
	char *text;
};

struct conf_errors {
	struct conf_error *list;
	size_t n, cap;
};

__attribute__((format(printf, 3, 4))) void conf_error(struct conf_errors *errs, struct conf_pos pos,
						      const char *fmt, ...);
void conf_errors_print(struct conf_errors *errs, const char *name, FILE *out);
void conf_errors_fini(struct conf_errors *errs);

// --- near misses
struct conf_near {
	const char *name; // NULL: none so far
	unsigned distance;
};
// Is candidate nearer to word than the best so far?
void conf_near(struct conf_near *best, const char *word, const char *candidate);

// --- tree
enum conf_kind { CONF_SCALAR, CONF_MAP, CONF_LIST };

struct conf_node {
	enum conf_kind kind;
	struct conf_pos pos;
	char *text;    // SCALAR
	bool is_plain; // SCALAR: without quotes
	bool is_bad;   // an error about it was told: say nothing more
	char *key;     // child of a MAP
	struct conf_pos key_pos;
	struct conf_node *first, *last, *next; // children of MAP and LIST
	size_t n;
};

// NULL on a syntax error (told), or when there is nothing in it (not told).
struct conf_node *conf_tree_read(const char *text, size_t len, struct conf_errors *errs);
void conf_tree_free(struct conf_node *n);
// Child of a map; NULL without n, without that key, or when n is no map.
const struct conf_node *conf_node_get(const struct conf_node *n, const char *key);
const char *conf_kind_name(enum conf_kind kind); // "a list"

// --- schema
enum conf_type {
	CONF_T_WORD,     // printable, no blanks
	CONF_T_TEXT,     // one line
	CONF_T_NAME,     // of a WWSF or pool
	CONF_T_DOMAIN,   // "ims.example.net"
	CONF_T_HOSTPORT, // "host:port", stays text
	CONF_T_PATH,     // relative to the configuration file's folder
	CONF_T_SOCKET,   // path that fits into sockaddr_un
	CONF_T_HTTPS,    // https URI
	CONF_T_COUNT,
	CONF_T_SECONDS,
	CONF_T_BYTES,
	CONF_T_ENUM,
	CONF_T_MAC,
	CONF_T_NET4,        // "10.77.0.2/24"
	CONF_T_NET6,        // "2001:db8::2/64"
	CONF_T_ADDR,        // "10.77.0.3:5060"
	CONF_T_LOCAL,       // "10.77.0.2" or "10.77.0.2:5070"
	CONF_T_ORIGINS,     // list
	CONF_T_WSS,         // list of wss URIs
	CONF_T_HTTPS_HOSTS, // list of "http[s]://host:port"
	CONF_T_PATHS,       // list
	CONF_T_WWSF,        // id of one of wwsfs:, resolved by conf_check()
	CONF_T_REFUSED,     // a key that somebody will try; text says why not
};

struct conf_key {
	const char *name;
	enum conf_type type;
	bool is_required;
	const char *def;     // as it would stand in the file; NULL = none
	uint64_t min, max;   // COUNT, SECONDS, BYTES
	const char *choices; // ENUM: "tcp|udp", stored as 0, 1, ...
	size_t off, size;    // of the field in struct conf, or in the element of a list
	size_t off2;         // lists: number of elements (size_t)
	const char *text;
};

struct conf_section {
	const char *name;
	const char *text;
	const struct conf_key *keys;
	size_t n_keys;
	bool is_optional; // may be missing although it has required keys
	// A list of maps:
	size_t elem_size;        // 0 = a map
	size_t list_off, n_off;  // pointer and size_t in struct conf
	size_t min_len, max_len; // number of elements
};

extern const struct conf_section conf_sections[];
extern const size_t conf_n_sections;

// --- values
struct conf_value {
	const struct conf_key *key;
	const char *text;
	const char *dir; // of the configuration file, NULL = leave relative paths alone
	void *base;      // struct that key->off counts from
	char why[256];   // on failure: what is wrong and the cure
};

// Parses v->text by v->key and stores it. Lists get their elements one by one, and append.
bool conf_value_set(struct conf_value *v);
bool conf_type_is_list(enum conf_type type);
const char *conf_type_name(enum conf_type type); // "a whole number"
// What may stand there: "1 to 64", "tcp, udp", or "". For messages and --help-config.
void conf_key_range(const struct conf_key *k, char *out, size_t out_len);

// Lower case, no default port. NULL when s is no origin; why then says what is wrong.
char *conf_origin(const char *s, char *why, size_t why_len);
bool conf_is_host(struct rg_slice s); // domain name, IPv4 address, or IPv6 address in brackets

// --- checks over several keys; resolves names of WWSFs
void conf_check(struct conf *c, const struct conf_node *root, struct conf_errors *errs);
