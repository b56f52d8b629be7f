// SPDX-License-Identifier: BSD-3-Clause
// Values: text of one scalar by the type of its key into the field of struct conf. Every refusal
// says what to write instead.
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/un.h>

#include "conf/conf_impl.h"
#include "regate/err.h"

#define PATH_BYTES 4096

struct type_info {
	const char *name;
	bool is_list;
	bool (*set)(struct conf_value *v);
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct conf_value *v, const char *fmt,
							 ...) {
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
	return false;
}

static void *field(const struct conf_value *v) {
	return (char *)v->base + v->key->off;
}

static bool store_text(struct conf_value *v, struct rg_slice s) {
	char **p = field(v);

	free(*p);
	*p = conf_strdup(s);
	return true;
}

static void store_number(const struct conf_value *v, uint64_t n) {
	void *p = field(v);

	switch (v->key->size) {
	case 1:
		*(uint8_t *)p = (uint8_t)n;
		break;
	case 2:
		*(uint16_t *)p = (uint16_t)n;
		break;
	case 4:
		*(uint32_t *)p = (uint32_t)n;
		break;
	default:
		*(uint64_t *)p = n;
	}
}

static bool is_word_char(char c) {
	return c > ' ' && c < 0x7f && c != '"' && c != '\\';
}

static bool is_alnum(char c) {
	return (c >= '0' && c <= '9') ||
	       (rg_lower((uint8_t)c) >= 'a' && rg_lower((uint8_t)c) <= 'z');
}

static bool all_of(const char *s, bool (*is_good)(char c)) {
	while (*s != '\0' && is_good(*s))
		s++;
	return *s == '\0';
}

static bool set_word(struct conf_value *v) {
	if (!all_of(v->text, is_word_char))
		return refuse(v,
			      "'%s' has blanks, quotes or characters outside ASCII: "
			      "write one word",
			      v->text);
	return store_text(v, rg_str(v->text));
}

static bool set_text(struct conf_value *v) {
	for (const char *c = v->text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return refuse(v, "a control character is in it: write one line of text");
	return store_text(v, rg_str(v->text));
}

static bool is_name_char(char c) {
	return is_alnum(c) || c == '.' || c == '-' || c == '_';
}

static bool set_name(struct conf_value *v) {
	if (strlen(v->text) > 64 || !all_of(v->text, is_name_char))
		return refuse(v, "'%s' is no name: write 1 to 64 letters, digits, '.', '-' or '_'",
			      v->text);
	return store_text(v, rg_str(v->text));
}

static bool is_domain(struct rg_slice s) {
	bool is_start = true;

	// RFC 1035 2.3.4 and RFC 1123 2.1: labels of 1 to 63 letters, digits and inner hyphens
	for (size_t i = 0, label = 0; i < s.len; i++) {
		char c = (char)s.p[i];
		bool is_end = i + 1 == s.len || s.p[i + 1] == '.';

		if (c == '.') {
			if (is_start)
				return false;
			is_start = true;
			label = 0;
			continue;
		}
		if ((!is_alnum(c) && (c != '-' || is_start || is_end)) || ++label > 63)
			return false;
		is_start = false;
	}
	return s.len > 0 && s.len <= 253 && !is_start;
}

bool conf_is_host(struct rg_slice s) {
	struct rg_addr a;

	if (s.len > 0 && s.p[0] == '[')
		return rg_addr_parse(s, &a) == RG_OK && s.p[s.len - 1] == ']';
	return is_domain(s);
}

static bool set_domain(struct conf_value *v) {
	if (!is_domain(rg_str(v->text)))
		return refuse(v, "'%s' is no domain name: write one such as ims.example.net",
			      v->text);
	return store_text(v, rg_str(v->text));
}

// Splits "host:port". False without a good port.
static bool cut_port(struct rg_slice s, struct rg_slice *host, uint64_t *port) {
	const uint8_t *colon = s.len == 0 ? NULL : memrchr(s.p, ':', s.len);

	if (colon == NULL)
		return false;
	*host = rg_slice(s.p, (size_t)(colon - s.p));
	return rg_parse_u64(rg_skip(s, host->len + 1), port) && *port >= 1 && *port <= 65535;
}

static bool set_hostport(struct conf_value *v) {
	struct rg_slice host;
	uint64_t port;

	if (!cut_port(rg_str(v->text), &host, &port) || !conf_is_host(host))
		return refuse(v,
			      "'%s' is no host:port: write one such as "
			      "epcscf1.ims.example.net:5060",
			      v->text);
	return store_text(v, rg_str(v->text));
}

// path[] becomes v->text, seen from the configuration file's folder.
static bool parse_path(struct conf_value *v, char path[PATH_BYTES]) {
	bool is_relative = v->text[0] != '/' && v->dir != NULL;

	for (const char *c = v->text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return refuse(v, "a control character is in the path: remove it");
	if (snprintf(path, PATH_BYTES, "%s%s%s", is_relative ? v->dir : "", is_relative ? "/" : "",
		     v->text) >= PATH_BYTES)
		return refuse(v, "the path is too long: write less than %d bytes", PATH_BYTES);
	return true;
}

static bool set_path(struct conf_value *v) {
	char path[PATH_BYTES];

	return parse_path(v, path) && store_text(v, rg_str(path));
}

static bool set_socket(struct conf_value *v) {
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	char **p = field(v);

	if (!set_path(v))
		return false;
	if (strlen(*p) <= max)
		return true;
	return refuse(v,
		      "'%s' is %zu bytes long, a UNIX socket path has at most %zu: move it to a "
		      "shorter folder",
		      *p, strlen(*p), max);
}

// "scheme" then host[:port], then nothing or "/...".
static bool is_uri(const char *s, const char *scheme) {
	struct rg_slice rest = rg_str(s), host;
	uint64_t port;

	if (!rg_is_prefix(rest, rg_str(scheme)) || !all_of(s, is_word_char))
		return false;
	rest = rg_skip(rest, strlen(scheme));
	rest.len = strcspn((const char *)rest.p, "/?#");
	return conf_is_host(rest) || (cut_port(rest, &host, &port) && conf_is_host(host));
}

static bool set_https(struct conf_value *v) {
	if (!is_uri(v->text, "https://"))
		return refuse(v,
			      "'%s' is no https URI: write one such as "
			      "https://wwsf.example.net/login",
			      v->text);
	return store_text(v, rg_str(v->text));
}

static bool add_to_list(struct conf_value *v, char *text) {
	char ***list = field(v);
	size_t *n = (size_t *)((char *)v->base + v->key->off2);
	char **grown = conf_alloc((*n + 1) * sizeof(*grown));

	if (*n > 0)
		memcpy(grown, *list, *n * sizeof(*grown));
	grown[*n] = text;
	free(*list);
	*list = grown;
	++*n;
	return true;
}

static bool set_origin(struct conf_value *v) {
	char *origin = conf_origin(v->text, v->why, sizeof(v->why));

	return origin != NULL && add_to_list(v, origin);
}

static bool set_wss(struct conf_value *v) {
	if (!is_uri(v->text, "wss://"))
		return refuse(v, "'%s' is no wss URI: write one such as wss://rtc.example.net/w2",
			      v->text);
	return add_to_list(v, conf_strdup(rg_str(v->text)));
}

static bool set_paths(struct conf_value *v) {
	char path[PATH_BYTES];

	return parse_path(v, path) && add_to_list(v, conf_strdup(rg_str(path)));
}

static bool set_https_host(struct conf_value *v) {
	bool is_good = is_uri(v->text, "https://") || is_uri(v->text, "http://");
	const char *host = is_good ? strchr(v->text, ':') + 3 : "";

	if (!is_good || strpbrk(host, "/?#@") != NULL)
		return refuse(v,
			      "'%s' is no URI of a host: write one such as https://10.0.0.1:2379",
			      v->text);
	return add_to_list(v, conf_strdup(rg_str(v->text)));
}

static bool set_wwsf(struct conf_value *) {
	return true; // conf_check() knows all of them
}

static bool out_of_range(struct conf_value *v) {
	char range[64];

	conf_key_range(v->key, range, sizeof(range));
	return refuse(v, "'%s' is out of range: write %s", v->text, range);
}

// Digits at the start of v->text and the unit behind them. Too large a number becomes UINT64_MAX.
static bool cut_number(struct conf_value *v, uint64_t *n, const char **unit) {
	size_t len = strspn(v->text, "0123456789");

	*unit = v->text + len;
	if (len == 0)
		return refuse(v, "'%s' is no number: write digits%s", v->text,
			      v->key->type == CONF_T_COUNT ? " only" : " and a unit");
	if (len > 1 && v->text[0] == '0')
		return refuse(v, "'%s' begins with 0, which some read as octal: remove the zeros",
			      v->text);
	if (!rg_parse_u64(rg_slice(v->text, len), n))
		*n = UINT64_MAX;
	return true;
}

static bool set_ranged(struct conf_value *v, uint64_t n) {
	if (n < v->key->min || n > v->key->max)
		return out_of_range(v);
	store_number(v, n);
	return true;
}

static bool set_count(struct conf_value *v) {
	const char *unit = "";
	uint64_t n = 0;

	if (!cut_number(v, &n, &unit))
		return false;
	if (*unit != '\0')
		return refuse(v, "'%s' is no whole number: write digits only", v->text);
	return set_ranged(v, n);
}

static bool set_seconds(struct conf_value *v) {
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	const char *unit = "";
	uint64_t n = 0;

	if (!cut_number(v, &n, &unit))
		return false;
	if (*unit == '\0')
		return refuse(v, "'%s' has no unit: write %ss, or use ms, m, h or d", v->text,
			      v->text);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(n, units[i].ms, &n))
			return out_of_range(v);
		if (n % 1000 != 0)
			return refuse(v, "'%s' is no whole number of seconds: write %llus", v->text,
				      (unsigned long long)n / 1000 + 1);
		return set_ranged(v, n / 1000);
	}
	return refuse(v, "'%s' has an unknown unit '%s': use ms, s, m, h or d", v->text, unit);
}

static bool set_bytes(struct conf_value *v) {
	const char *unit = "";
	uint64_t n = 0;

	if (!cut_number(v, &n, &unit))
		return false;
	if (*unit == '\0')
		return refuse(v, "'%s' has no unit: use MiB or GiB", v->text);
	if (strcmp(unit, "MiB") != 0 && strcmp(unit, "GiB") != 0)
		return refuse(v, "'%s' has an unknown unit '%s': use MiB or GiB", v->text, unit);
	if (__builtin_mul_overflow(n, *unit == 'M' ? 1u << 20 : 1u << 30, &n))
		return out_of_range(v);
	return set_ranged(v, n);
}

static bool set_enum(struct conf_value *v) {
	struct rg_slice rest = rg_str(v->key->choices);
	char range[128];

	for (uint64_t i = 0; rest.len > 0; i++) {
		struct rg_slice word = rg_slice(rest.p, strcspn((const char *)rest.p, "|"));

		if (rg_eq(word, rg_str(v->text))) {
			store_number(v, i);
			return true;
		}
		rest = rg_skip(rest, word.len + 1);
	}
	conf_key_range(v->key, range, sizeof(range));
	return refuse(v, "'%s' is not offered: write one of %s", v->text, range);
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)rg_lower((uint8_t)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool set_mac(struct conf_value *v) {
	static const uint8_t zero[6];
	uint8_t mac[6];

	if (strlen(v->text) != 17)
		goto bad;
	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(v->text[3 * i]), low = hex_digit(v->text[3 * i + 1]);

		if (high < 0 || low < 0 || (i < 5 && v->text[3 * i + 2] != ':'))
			goto bad;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	// IEEE 802: the lowest bit of the first byte marks a group
	if ((mac[0] & 1) != 0 || memcmp(mac, zero, 6) == 0)
		return refuse(v,
			      "'%s' is no station's address: write a unicast one such as "
			      "02:00:00:00:00:99",
			      v->text);
	memcpy(field(v), mac, 6);
	return true;
bad:
	return refuse(v, "'%s' is no MAC address: write one such as 02:00:00:00:00:99", v->text);
}

// "address/prefix" of one family, without port.
static bool parse_net(const char *text, bool is_v4, struct rg_addr *a, uint64_t *prefix) {
	struct rg_slice s = rg_str(text), ip;
	const uint8_t *slash = s.len == 0 ? NULL : memchr(s.p, '/', s.len);

	if (slash == NULL)
		return false;
	ip = rg_slice(s.p, (size_t)(slash - s.p));
	return rg_parse_u64(rg_skip(s, ip.len + 1), prefix) && ip.len > 0 && ip.p[0] != '[' &&
	       rg_addr_parse(ip, a) == RG_OK && a->port == 0 &&
	       (memchr(ip.p, ':', ip.len) == NULL) == is_v4;
}

static bool set_net4(struct conf_value *v) {
	struct rg_addr a = {0};
	uint32_t ip_be, host;
	uint64_t prefix;

	if (!parse_net(v->text, true, &a, &prefix))
		return refuse(v, "'%s' is no IPv4 address/prefix: write one such as 10.77.0.2/24",
			      v->text);
	if (prefix < 1 || prefix > 30)
		return refuse(v, "prefix length %llu is out of range: write 1 to 30",
			      (unsigned long long)prefix);
	memcpy(&ip_be, a.ip + 12, 4);
	host = ntohl(ip_be) & (UINT32_MAX >> prefix);
	if (host == 0 || host == UINT32_MAX >> prefix || a.ip[12] == 0 || a.ip[12] >= 224)
		return refuse(v,
			      "'%s' is no host's address: it names the network, all hosts or a "
			      "group",
			      v->text);
	memcpy(field(v), &a, sizeof(a));
	return true;
}

// RFC 4291 2.6.1: the interface part all zero is every router of that network, but not between two
// hosts (RFC 6164).
static bool is_host6(const struct rg_addr *a, uint64_t prefix) {
	for (uint64_t bit = prefix; bit < 128 && prefix < 127; bit++)
		if ((a->ip[bit / 8] & 0x80 >> bit % 8) != 0)
			return true;
	return prefix == 127;
}

static bool set_net6(struct conf_value *v) {
	static const uint8_t zero[10];
	struct rg_addr a = {0};
	uint64_t prefix;

	if (!parse_net(v->text, false, &a, &prefix))
		return refuse(v, "'%s' is no IPv6 address/prefix: write one such as 2001:db8::2/64",
			      v->text);
	if (prefix < 1 || prefix > 127)
		return refuse(v, "prefix length %llu is out of range: write 1 to 127",
			      (unsigned long long)prefix);
	// What begins with ten zero bytes is unspecified, loopback, or holds an IPv4 address.
	if (a.ip[0] == 0xff || memcmp(a.ip, zero, sizeof(zero)) == 0 || !is_host6(&a, prefix))
		return refuse(v,
			      "'%s' is no host's address: it names the network, a group, or this "
			      "host itself",
			      v->text);
	if (a.ip[0] == 0xfe && (a.ip[1] & 0xc0) == 0x80)
		return refuse(v,
			      "'%s' is link-local: write an address that clients can reach, the "
			      "link-local one is made from mac",
			      v->text);
	memcpy(field(v), &a, sizeof(a));
	return true;
}

static bool set_addr(struct conf_value *v) {
	struct rg_addr a;

	if (rg_addr_parse(rg_str(v->text), &a) != RG_OK)
		return refuse(v,
			      "'%s' is no IP address and port: write one such as "
			      "10.77.0.3:5060 (names are not looked up)",
			      v->text);
	if (a.port == 0 && v->key->type == CONF_T_ADDR)
		return refuse(v, "'%s' has no port: add one, such as :5060", v->text);
	memcpy(field(v), &a, sizeof(a));
	return true;
}

static bool set_refused(struct conf_value *v) {
	return refuse(v, "%s", v->key->text);
}

static const struct type_info types[] = {
	[CONF_T_WORD] = {"a word", false, set_word},
	[CONF_T_TEXT] = {"one line", false, set_text},
	[CONF_T_NAME] = {"a name", false, set_name},
	[CONF_T_DOMAIN] = {"a domain name", false, set_domain},
	[CONF_T_HOSTPORT] = {"host:port", false, set_hostport},
	[CONF_T_PATH] = {"a path", false, set_path},
	[CONF_T_SOCKET] = {"a path", false, set_socket},
	[CONF_T_HTTPS] = {"an https URI", false, set_https},
	[CONF_T_COUNT] = {"a whole number", false, set_count},
	[CONF_T_SECONDS] = {"a duration", false, set_seconds},
	[CONF_T_BYTES] = {"a size", false, set_bytes},
	[CONF_T_ENUM] = {"one of", false, set_enum},
	[CONF_T_MAC] = {"a MAC address", false, set_mac},
	[CONF_T_NET4] = {"an IPv4 address/prefix", false, set_net4},
	[CONF_T_NET6] = {"an IPv6 address/prefix", false, set_net6},
	[CONF_T_ADDR] = {"an IP address:port", false, set_addr},
	[CONF_T_LOCAL] = {"an IP address, :port if fixed", false, set_addr},
	[CONF_T_ORIGINS] = {"a list of origins", true, set_origin},
	[CONF_T_WSS] = {"a list of wss URIs", true, set_wss},
	[CONF_T_PATHS] = {"a list of paths", true, set_paths},
	[CONF_T_HTTPS_HOSTS] = {"a list of http or https URIs", true, set_https_host},
	[CONF_T_WWSF] = {"the id of a WWSF", false, set_wwsf},
	[CONF_T_REFUSED] = {"refused", false, set_refused},
};

bool conf_value_set(struct conf_value *v) {
	v->why[0] = '\0';
	return types[v->key->type].set(v);
}

bool conf_type_is_list(enum conf_type type) {
	return types[type].is_list;
}

const char *conf_type_name(enum conf_type type) {
	return types[type].name;
}
