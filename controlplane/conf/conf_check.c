// SPDX-License-Identifier: BSD-3-Clause
// What no single key can tell: references to WWSFs, names used twice, and the order of times.
#include <inttypes.h>

#include "conf/conf_impl.h"

#define KEY_FILES_MAX 8   // those that a reload replaces need room beside them
#define GATEWAY_ID_MAX 64 // as of a name

struct checker {
	struct conf *conf;
	const struct conf_node *root;
	struct conf_errors *errs;
};

static const struct conf_node *node(const struct checker *c, const char *section, const char *key) {
	return conf_node_get(conf_node_get(c->root, section), key);
}

// Place of a value, or of its section when it is a default.
static struct conf_pos pos(const struct checker *c, const char *section, const char *key) {
	const struct conf_node *n = node(c, section, key);

	if (n != NULL)
		return n->pos;
	n = conf_node_get(c->root, section);
	return n != NULL ? n->key_pos : (struct conf_pos){1, 1};
}

static const struct conf_node *elements(const struct checker *c, const char *section) {
	const struct conf_node *list = conf_node_get(c->root, section);

	return list != NULL && list->kind == CONF_LIST ? list->first : NULL;
}

// Index of the WWSF that n names. A bad n was told by others; and while an id is missing or bad,
// that is what to mend first.
static uint16_t resolve(const struct checker *c, const char *what, const struct conf_node *n) {
	bool are_known = c->conf->n_wwsfs > 0;

	if (n == NULL || n->kind != CONF_SCALAR || n->is_bad || n->text[0] == '\0')
		return 0;
	for (size_t i = 0; i < c->conf->n_wwsfs; i++) {
		if (c->conf->wwsfs[i].id == NULL)
			are_known = false;
		else if (strcmp(c->conf->wwsfs[i].id, n->text) == 0)
			return (uint16_t)i;
	}
	if (are_known)
		conf_error(c->errs, n->pos,
			   "%s: no WWSF has the id '%s': add it under wwsfs, or correct it", what,
			   n->text);
	return 0;
}

static void check_wwsf_ids(const struct checker *c) {
	const struct conf_node *n = elements(c, "wwsfs");

	for (size_t i = 0; i < c->conf->n_wwsfs; i++, n = n->next) {
		for (size_t j = 0; j < i; j++) {
			const char *a = c->conf->wwsfs[i].id, *b = c->conf->wwsfs[j].id;

			if (a == NULL || b == NULL || strcmp(a, b) != 0)
				continue;
			conf_error(c->errs, conf_node_get(n, "id")->pos,
				   "wwsfs.id: '%s' is there already: give every WWSF its own id",
				   a);
			break;
		}
	}
}

// The id of the WWSF that has this origin before place (i, k); NULL when none has.
static const char *owner_before(const struct conf *conf, size_t i, size_t k) {
	const char *origin = conf->wwsfs[i].origins[k];

	for (size_t j = 0; j <= i; j++) {
		size_t n = j == i ? k : conf->wwsfs[j].n_origins;

		for (size_t m = 0; m < n; m++)
			if (strcmp(conf->wwsfs[j].origins[m], origin) == 0)
				return conf->wwsfs[j].id == NULL ? "" : conf->wwsfs[j].id;
	}
	return NULL;
}

// The k-th origin in conf is not the k-th in the file when one before it was bad; then the errors
// told about that are enough.
static void check_origins(const struct checker *c) {
	const struct conf_node *n = elements(c, "wwsfs");

	for (size_t i = 0; i < c->conf->n_wwsfs; i++, n = n->next) {
		const struct conf_node *list = conf_node_get(n, "origins");
		const struct conf_node *o;
		size_t k = 0;

		if (list == NULL || list->n != c->conf->wwsfs[i].n_origins)
			continue;
		for (o = list->first; o != NULL; o = o->next, k++) {
			const char *owner = owner_before(c->conf, i, k);

			if (owner != NULL)
				conf_error(c->errs, o->pos,
					   "wwsfs.origins: '%s' is an origin of WWSF '%s' already: "
					   "an origin tells which WWSF a client belongs to, remove "
					   "one",
					   c->conf->wwsfs[i].origins[k], owner);
		}
	}
}

static const char *issuer_before(const struct conf *k, size_t i) {
	const char *issuer = k->wwsfs[i].issuer;

	if (k->token.issuer != NULL && strcmp(k->token.issuer, issuer) == 0)
		return "token.issuer";
	for (size_t j = 0; j < i; j++)
		if (k->wwsfs[j].issuer != NULL && strcmp(k->wwsfs[j].issuer, issuer) == 0)
			return "another WWSF";
	return NULL;
}

// The three that belong to an introspection endpoint, and how long its word must hold at least.
static void check_introspection(const struct checker *c, const struct conf_wwsf *w,
				const struct conf_node *n) {
	static const char *const keys[] = {"introspection_id", "introspection_secret_file",
					   "introspection_ca", "introspection_cache"};
	bool is_asked = conf_node_get(n, "introspection_uri") != NULL;
	const struct conf_node *cache = conf_node_get(n, "introspection_cache");
	uint32_t least_s = c->conf->reg.client_min_s + c->conf->reg.guard_s;

	for (unsigned i = 0; i < 4; i++) {
		const struct conf_node *key = conf_node_get(n, keys[i]);

		if (key != NULL && !is_asked)
			conf_error(c->errs, key->key_pos,
				   "wwsfs.%s is for introspection_uri: add that, or remove this",
				   keys[i]);
		else if (key == NULL && is_asked && i < 2)
			conf_error(c->errs, n->pos,
				   "wwsfs.introspection_uri needs %s beside it: add that", keys[i]);
	}
	if (!is_asked || (cache != NULL && cache->is_bad))
		return;
	// It is asked again at half time; what is left then must still register.
	if (w->introspection.cache_s / 2 <= least_s)
		conf_error(c->errs, cache == NULL ? n->pos : cache->pos,
			   "wwsfs.introspection_cache (%" PRIu32
			   "s) must be more than twice registration.client_min and guard "
			   "together (%" PRIu32 "s): change one of them",
			   w->introspection.cache_s, least_s);
	// A token that lives longer than any of ours is not reckoned with.
	if (w->introspection.cache_s > c->conf->token.life_s)
		conf_error(c->errs, cache == NULL ? n->pos : cache->pos,
			   "wwsfs.introspection_cache (%" PRIu32
			   "s) must be at most token.life (%" PRIu32 "s): change one of them",
			   w->introspection.cache_s, c->conf->token.life_s);
}

// A WWSF that issues its own tokens: one name, one place of the keys.
static void check_issuers(const struct checker *c) {
	const struct conf_node *n = elements(c, "wwsfs");

	for (size_t i = 0; i < c->conf->n_wwsfs; i++, n = n->next) {
		const struct conf_wwsf *w = &c->conf->wwsfs[i];
		const char *twin = w->issuer == NULL ? NULL : issuer_before(c->conf, i);

		bool has_uri = conf_node_get(n, "jwks_uri") != NULL;
		bool has_file = conf_node_get(n, "jwks") != NULL;
		bool is_asked = conf_node_get(n, "introspection_uri") != NULL;

		check_introspection(c, w, n);
		if ((conf_node_get(n, "issuer") != NULL) != (has_uri + has_file + is_asked == 1))
			conf_error(c->errs, n->pos,
				   "wwsfs: issuer and its keys belong together: write issuer and "
				   "one of jwks_uri, jwks, introspection_uri, or none of them");
		if (w->jwks_ca != NULL && !has_uri)
			conf_error(c->errs, n->pos,
				   "wwsfs.jwks_ca is for jwks_uri: add that, or remove this");
		if (twin != NULL)
			conf_error(
				c->errs, conf_node_get(n, "issuer")->pos,
				"wwsfs.issuer: '%s' is that of %s: an issuer tells whose a token "
				"is, give each its own",
				w->issuer, twin);
	}
}

static void check_pools(const struct checker *c) {
	const struct conf_node *n = elements(c, "pools");
	struct conf_pool *pools = c->conf->pools;

	for (size_t i = 0; i < c->conf->n_pools; i++, n = n->next) {
		pools[i].wwsf = resolve(c, "pools.wwsf", conf_node_get(n, "wwsf"));
		if (pools[i].is_anonymous && pools[i].wwsf < c->conf->n_wwsfs &&
		    c->conf->wwsfs[pools[i].wwsf].issuer != NULL)
			conf_error(c->errs, conf_node_get(n, "anonymous")->pos,
				   "pools.anonymous: the WWSF of this pool hands it out by itself "
				   "(issuer): write deny");
		for (size_t j = 0; j < i; j++) {
			if (pools[i].name == NULL || pools[j].name == NULL ||
			    strcmp(pools[i].name, pools[j].name) != 0)
				continue;
			conf_error(
				c->errs, conf_node_get(n, "name")->pos,
				"pools.name: '%s' is there already: give every pool its own name",
				pools[i].name);
			break;
		}
	}
}

static void check_clients(const struct checker *c) {
	const struct conf_node *n = elements(c, "clients");
	struct conf_client *clients = c->conf->clients;

	for (size_t i = 0; i < c->conf->n_clients; i++, n = n->next) {
		const struct conf_node *wwsf = conf_node_get(n, "wwsf");

		clients[i].wwsf = wwsf == NULL ? UINT16_MAX : resolve(c, "clients.wwsf", wwsf);
		for (size_t j = 0; j < i; j++) {
			if (clients[i].id == NULL || clients[j].id == NULL ||
			    strcmp(clients[i].id, clients[j].id) != 0)
				continue;
			conf_error(c->errs, conf_node_get(n, "id")->pos,
				   "clients.id: '%s' is there already: give every server its own "
				   "id",
				   clients[i].id);
			break;
		}
	}
}

// "a.x (120s) must be <relation> b.y (60s)", told at the place of a.x. Times that were not set,
// because their values are bad, are 0 and were told.
struct order {
	const char *a_section, *a_key;
	uint32_t a_s;
	const char *b_section, *b_key;
	uint32_t b_s;
	bool is_strict; // a < b, not a <= b
	bool is_at_b;   // tell it at the place of b
};

static void check_order(const struct checker *c, const struct order *o) {
	if (o->a_s == 0 || o->b_s == 0)
		return;
	if (o->is_strict ? o->a_s < o->b_s : o->a_s <= o->b_s)
		return;
	conf_error(c->errs,
		   o->is_at_b ? pos(c, o->b_section, o->b_key) : pos(c, o->a_section, o->a_key),
		   "%s.%s (%" PRIu32 "s) must be %s %s.%s (%" PRIu32 "s): change one of them",
		   o->a_section, o->a_key, o->a_s, o->is_strict ? "less than" : "at most",
		   o->b_section, o->b_key, o->b_s);
}

static void check_times(const struct checker *c) {
	const struct conf *k = c->conf;
	const struct order orders[] = {
		{"registration", "client_min", k->reg.client_min_s, "registration", "client_max",
		 k->reg.client_max_s, false, false},
		{"registration", "client_max", k->reg.client_max_s, "registration", "max",
		 k->reg.max_s, false, false},
		{"registration", "guard", k->reg.guard_s, "registration", "max", k->reg.max_s, true,
		 false},
		// A request that we still wait for may still arrive (ims.md 6.1).
		{"core", "timer_f", k->core.timer_f_s, "lifetimes", "t_sip", k->life.t_sip_s, false,
		 true},
		// A token that ends before the shortest registration never registers anybody.
		{"registration", "client_min", k->reg.client_min_s, "token", "life",
		 k->token.life_s, true, true},
		{"registration", "client_min", k->reg.client_min_s, "token", "anonymous_life",
		 k->token.anonymous_life_s, true, true},
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		check_order(c, &orders[i]);
}

static void check_families(const struct checker *c) {
	struct conf *k = c->conf;
	static const struct rg_addr none;

	if (k->core.address.port == 0)
		return; // missing or bad, and told
	if (node(c, "core", "local") == NULL) {
		if (rg_addr_is_v4(&k->core.address))
			k->core.local = rg_addr_v4(0, 0);
	} else if (memcmp(&k->core.local, &none, sizeof(none)) != 0 &&
		   rg_addr_is_v4(&k->core.local) != rg_addr_is_v4(&k->core.address)) {
		conf_error(
			c->errs, pos(c, "core", "local"),
			"core.local and core.address: one is IPv4, the other IPv6: use one kind");
	}
}

// token.key is token.keys with one element.
static void check_token_keys(const struct checker *c) {
	struct conf *k = c->conf;
	const struct conf_node *key = node(c, "token", "key"), *keys = node(c, "token", "keys");
	const struct conf_node *section = conf_node_get(c->root, "token");

	if (section != NULL && section->kind != CONF_MAP)
		return;
	if (key != NULL && keys != NULL)
		conf_error(c->errs, key->key_pos,
			   "token.key and token.keys are the same: write all files under keys");
	else if (key == NULL && keys == NULL)
		conf_error(c->errs, pos(c, "token", "keys"),
			   "token has no key: add keys, a list of PEM files of private keys, of "
			   "which the first signs");
	else if (k->token.n_keys > KEY_FILES_MAX)
		conf_error(c->errs, pos(c, "token", "keys"),
			   "token.keys has %zu files: write at most %d", k->token.n_keys,
			   KEY_FILES_MAX);
	if (k->token.key == NULL || k->token.n_keys > 0)
		return;
	k->token.keys = conf_alloc(sizeof(*k->token.keys));
	k->token.keys[0] = conf_strdup(rg_str(k->token.key));
	k->token.n_keys = 1;
}

// Without any address there is nothing to serve on.
static void check_has_address(const struct checker *c) {
	const struct conf_node *dp = conf_node_get(c->root, "dataplane");

	if ((dp != NULL && dp->kind != CONF_MAP) || node(c, "dataplane", "address") != NULL ||
	    node(c, "dataplane", "address6") != NULL)
		return;
	conf_error(c->errs, pos(c, "dataplane", "address"),
		   "dataplane has no address: add address, address6, or both");
}

static bool is_none(const struct rg_addr *a) {
	static const struct rg_addr none;

	return memcmp(a->ip, none.ip, sizeof(none.ip)) == 0;
}

static void add_wss(struct conf *c, const struct rg_addr *a) {
	bool is_v4 = rg_addr_is_v4(a);
	char text[128];
	struct rg_wr w = rg_wr(text, sizeof(text));

	rg_puts(&w, is_v4 ? "wss://" : "wss://[");
	rg_put_ip(&w, a);
	rg_puts(&w, is_v4 ? "" : "]");
	if (c->dp.listen != 443) {
		rg_putc(&w, ':');
		rg_put_u64(&w, c->dp.listen);
	}
	rg_puts(&w, "/w2");
	c->wss_urls[c->n_wss_urls++] = conf_strdup(rg_wr_slice(&w));
}

// wic.wss: what a client reaches when the operator says nothing else.
static void default_wss(struct conf *c) {
	if (c->n_wss_urls > 0)
		return;
	c->wss_urls = conf_alloc(2 * sizeof(*c->wss_urls));
	if (!is_none(&c->dp.address))
		add_wss(c, &c->dp.address);
	if (!is_none(&c->dp.address6))
		add_wss(c, &c->dp.address6);
}

// Keys of the other type of store are mistakes: they would be without effect.
static void check_store(const struct checker *c) {
	static const char *const sqlite_keys[] = {"path", NULL};
	static const char *const etcd_keys[] = {"endpoints",     "prefix", "ca",
						"certificate",   "key",    "user",
						"password_file", NULL};
	static const char *const pairs[][2] = {{"certificate", "key"},
					       {"key", "certificate"},
					       {"user", "password_file"},
					       {"password_file", "user"}};
	bool is_etcd = c->conf->store.is_etcd;
	const struct conf_node *section = conf_node_get(c->root, "store");
	const struct conf_node *type = node(c, "store", "type");
	const char *needs = is_etcd ? "endpoints" : "path";

	if ((type != NULL && type->is_bad) || (section != NULL && section->kind != CONF_MAP))
		return; // told
	for (const char *const *k = is_etcd ? sqlite_keys : etcd_keys; *k != NULL; k++)
		if (node(c, "store", *k) != NULL)
			conf_error(c->errs, node(c, "store", *k)->key_pos,
				   "store.%s is of the other store: remove it, or say type: %s", *k,
				   is_etcd ? "sqlite" : "etcd");
	if (node(c, "store", needs) == NULL)
		conf_error(c->errs, pos(c, "store", needs), "store has no %s: add %s", needs,
			   is_etcd ? "the URIs of all members" : "a file in a writable folder");
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]) && is_etcd; i++)
		if (node(c, "store", pairs[i][0]) != NULL && node(c, "store", pairs[i][1]) == NULL)
			conf_error(c->errs, node(c, "store", pairs[i][0])->key_pos,
				   "store.%s needs store.%s beside it: add that, or remove this",
				   pairs[i][0], pairs[i][1]);
}

// core.host is this gateway's alone: the core sends what is for its clients there.
static void default_gateway_id(const struct checker *c) {
	struct conf *k = c->conf;

	if (node(c, "gateway", "id") != NULL || k->core.host == NULL)
		return; // said, or told
	if (k->store.is_etcd && strlen(k->core.host) > GATEWAY_ID_MAX)
		conf_error(c->errs, pos(c, "core", "host"),
			   "gateway.id is missing, and core.host is longer than its %d characters: "
			   "add gateway.id, a name that no other gateway has",
			   GATEWAY_ID_MAX);
	k->gateway_id = conf_strdup(rg_str(k->core.host));
}

void conf_check(struct conf *conf, const struct conf_node *root, struct conf_errors *errs) {
	const struct checker c = {conf, root, errs};

	check_wwsf_ids(&c);
	check_origins(&c);
	check_issuers(&c);
	check_pools(&c);
	check_clients(&c);
	check_token_keys(&c);
	conf->accounts_wwsf = resolve(&c, "accounts.wwsf", node(&c, "accounts", "wwsf"));
	check_times(&c);
	check_has_address(&c);
	check_store(&c);
	check_families(&c);
	default_gateway_id(&c);
	default_wss(conf);
}
