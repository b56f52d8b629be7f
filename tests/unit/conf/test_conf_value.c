// SPDX-License-Identifier: BSD-3-Clause
// Single values by type: what is stored, and what a refusal says.
#include <check.h>
#include <stdlib.h>

#include "conf/conf_impl.h"

union field { // what a value is stored in
	char *text;
	uint64_t n;
	uint8_t mac[6];
	struct rg_addr addr;
	struct {
		char **list;
		size_t n_list;
	};
};

struct target {
	union field f;
};

static const struct {
	enum conf_type type;
	const char *text;
	uint64_t n;      // good numbers
	const char *why; // NULL = good
} cases[] = {
	{CONF_T_WORD, "net_tap0,iface=dtap0", 0, NULL},
	{CONF_T_WORD, "two words", 0, "write one word"},
	{CONF_T_WORD, "caf\xc3\xa9", 0, "outside ASCII"},
	{CONF_T_WORD, "a\"b", 0, "quotes"},
	{CONF_T_TEXT, "two words, caf\xc3\xa9", 0, NULL},
	{CONF_T_TEXT, "two\nlines", 0, "write one line of text"},
	{CONF_T_NAME, "a-B_c.9", 0, NULL},
	{CONF_T_NAME, "a/b", 0, "'a/b' is no name"},
	{CONF_T_NAME, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0, NULL},
	{CONF_T_NAME, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0, "64"},
	{CONF_T_DOMAIN, "ims.example.net", 0, NULL},
	{CONF_T_DOMAIN, "ims.mnc001.mcc001.3gppnetwork.org", 0, NULL},
	{CONF_T_DOMAIN, "a", 0, NULL},
	{CONF_T_DOMAIN, "a..b", 0, "no domain name"},
	{CONF_T_DOMAIN, ".a", 0, "no domain name"},
	{CONF_T_DOMAIN, "a.", 0, "no domain name"},
	{CONF_T_DOMAIN, "-a.b", 0, "no domain name"},
	{CONF_T_DOMAIN, "a-.b", 0, "no domain name"},
	{CONF_T_DOMAIN, "a.b-", 0, "no domain name"},
	{CONF_T_DOMAIN, "a_b", 0, "no domain name"},
	{CONF_T_DOMAIN, "sip:a", 0, "no domain name"},
	{CONF_T_DOMAIN, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", 0,
	 NULL},
	{CONF_T_DOMAIN, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b", 0,
	 "no d"},
	{CONF_T_HOSTPORT, "e.example.net:5060", 0, NULL},
	{CONF_T_HOSTPORT, "192.0.2.1:1", 0, NULL},
	{CONF_T_HOSTPORT, "[2001:db8::1]:5060", 0, NULL},
	{CONF_T_HOSTPORT, "e.example.net", 0, "no host:port"},
	{CONF_T_HOSTPORT, "2001:db8::1:5060", 0, "no host:port"},
	{CONF_T_HOSTPORT, "[::1]", 0, "no host:port"},
	{CONF_T_HOSTPORT, "[::1]]:5060", 0, "no host:port"},
	{CONF_T_HOSTPORT, "e:0", 0, "no host:port"},
	{CONF_T_HOSTPORT, "e:65536", 0, "no host:port"},
	{CONF_T_HOSTPORT, "e:", 0, "no host:port"},
	{CONF_T_HOSTPORT, ":5060", 0, "no host:port"},
	{CONF_T_PATH, "a b/\xc3\xa9.pem", 0, NULL},
	{CONF_T_PATH, "a\tb", 0, "control character"},
	{CONF_T_SOCKET, "/run/x", 0, NULL},
	{CONF_T_SOCKET,
	 "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aa"
	 "aaaaaaaaaaaaaaaa",
	 0, NULL}, // 107
	{CONF_T_SOCKET,
	 "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aa"
	 "aaaaaaaaaaaaaaaaa",
	 0, "is 108 bytes long, a UNIX socket path has at most 107"},
	{CONF_T_HTTPS, "https://w.example.net", 0, NULL},
	{CONF_T_HTTPS, "https://w.example.net:8443/a?b#c", 0, NULL},
	{CONF_T_HTTPS, "https://[::1]/", 0, NULL},
	{CONF_T_HTTPS, "http://w.example.net", 0, "no https URI"},
	{CONF_T_HTTPS, "https://", 0, "no https URI"},
	{CONF_T_HTTPS, "https:///x", 0, "no https URI"},
	{CONF_T_HTTPS, "https://u@h/x", 0, "no https URI"},
	{CONF_T_HTTPS, "https://h:0/x", 0, "no https URI"},
	{CONF_T_HTTPS, "https://h/\"x", 0, "no https URI"},
	{CONF_T_COUNT, "10", 10, NULL},
	{CONF_T_COUNT, "100", 100, NULL},
	{CONF_T_COUNT, "9", 0, "'9' is out of range: write 10 to 100"},
	{CONF_T_COUNT, "101", 0, "'101' is out of range: write 10 to 100"},
	{CONF_T_COUNT, "18446744073709551626", 0, "out of range"}, // 2^64 + 10
	{CONF_T_COUNT, "010", 0, "read as octal"},
	{CONF_T_COUNT, "-10", 0, "'-10' is no number: write digits only"},
	{CONF_T_COUNT, "+10", 0, "is no number"},
	{CONF_T_COUNT, "ten", 0, "is no number"},
	{CONF_T_COUNT, "0x10", 0, "'0x10' is no whole number"},
	{CONF_T_COUNT, "10.5", 0, "is no whole number"},
	{CONF_T_COUNT, "1e1", 0, "is no whole number"},
	{CONF_T_COUNT, "1_0", 0, "is no whole number"},
	{CONF_T_COUNT, "10 ", 0, "is no whole number"},
	{CONF_T_COUNT, "10s", 0, "is no whole number"},
	{CONF_T_SECONDS, "10s", 10, NULL},
	{CONF_T_SECONDS, "100s", 100, NULL},
	{CONF_T_SECONDS, "1m", 60, NULL},
	{CONF_T_SECONDS, "20000ms", 20, NULL},
	{CONF_T_SECONDS, "9s", 0, "'9s' is out of range: write 10s to 100s"},
	{CONF_T_SECONDS, "2m", 0, "out of range"},
	{CONF_T_SECONDS, "1h", 0, "out of range"},
	{CONF_T_SECONDS, "1d", 0, "out of range"},
	{CONF_T_SECONDS, "307445734561825861m", 0, "out of range"}, // * 60000 is beyond 2^64
	{CONF_T_SECONDS, "99999999999999999999s", 0, "out of range"},
	{CONF_T_SECONDS, "20500ms", 0, "'20500ms' is no whole number of seconds: write 21s"},
	{CONF_T_SECONDS, "30", 0, "'30' has no unit: write 30s, or use ms, m, h or d"},
	{CONF_T_SECONDS, "30 s", 0, "unknown unit ' s'"},
	{CONF_T_SECONDS, "30S", 0, "unknown unit 'S'"},
	{CONF_T_SECONDS, "1w", 0, "unknown unit 'w': use ms, s, m, h or d"},
	{CONF_T_SECONDS, "s", 0, "'s' is no number: write digits and a unit"},
	{CONF_T_SECONDS, "030s", 0, "octal"},
	{CONF_T_BYTES, "1MiB", 1 << 20, NULL},
	{CONF_T_BYTES, "2GiB", UINT64_C(2) << 30, NULL},
	{CONF_T_BYTES, "5GiB", 0, "write 1MiB to 4096MiB"},
	{CONF_T_BYTES, "0MiB", 0, "out of range"},
	{CONF_T_BYTES, "17179869185GiB", 0, "out of range"}, // beyond 2^64
	{CONF_T_BYTES, "256", 0, "has no unit: use MiB or GiB"},
	{CONF_T_BYTES, "256MB", 0, "unknown unit 'MB': use MiB or GiB"},
	{CONF_T_BYTES, "256KiB", 0, "unknown unit 'KiB'"},
	{CONF_T_ENUM, "auto", 0, NULL},
	{CONF_T_ENUM, "no", 2, NULL},
	{CONF_T_ENUM, "n", 0, "'n' is not offered: write one of auto, yes, no"},
	{CONF_T_ENUM, "auto|yes", 0, "not offered"},
	{CONF_T_ENUM, "No", 0, "not offered"},
	{CONF_T_MAC, "02:00:00:00:00:99", 0, NULL},
	{CONF_T_MAC, "AA:bb:CC:dd:EE:0f", 0, NULL},
	{CONF_T_MAC, "02:00:00:00:00", 0, "no MAC address"},
	{CONF_T_MAC, "02:00:00:00:00:9g", 0, "no MAC address"},
	{CONF_T_MAC, "02-00-00-00-00-99", 0, "no MAC address"},
	{CONF_T_MAC, "02:00:00:00:00:990", 0, "no MAC address"},
	{CONF_T_MAC, "03:00:00:00:00:99", 0, "no station's address"},
	{CONF_T_MAC, "ff:ff:ff:ff:ff:ff", 0, "no station's address"},
	{CONF_T_MAC, "00:00:00:00:00:00", 0, "no station's address"},
	{CONF_T_NET4, "10.77.0.2/24", 0, NULL},
	{CONF_T_NET4, "10.77.0.2/30", 0, NULL},
	{CONF_T_NET4, "10.77.0.2/1", 0, NULL},
	{CONF_T_NET4, "10.77.0.2", 0, "no IPv4 address/prefix"},
	{CONF_T_NET4, "10.77.0.2/", 0, "no IPv4 address/prefix"},
	{CONF_T_NET4, "10.77.0.2/+24", 0, "no IPv4 address/prefix"},
	{CONF_T_NET4, "10.77.0.2:80/24", 0, "no IPv4 address/prefix"},
	{CONF_T_NET4, "10.77.0/24", 0, "no IPv4 address/prefix"},
	{CONF_T_NET4, "2001:db8::1/64", 0, "no IPv4 address/prefix"},
	{CONF_T_NET4, "10.77.0.2/31", 0, "prefix length 31 is out of range: write 1 to 30"},
	{CONF_T_NET4, "10.77.0.2/0", 0, "out of range"},
	{CONF_T_NET4, "10.77.0.0/24", 0, "no host's address"},
	{CONF_T_NET4, "10.77.0.255/24", 0, "no host's address"},
	{CONF_T_NET4, "224.0.0.1/8", 0, "no host's address"},
	{CONF_T_NET4, "0.0.0.1/8", 0, "no host's address"},
	{CONF_T_NET4, "::ffff:10.77.0.2/24", 0, "no IPv4 address/prefix"},
	{CONF_T_NET6, "2001:db8::2/64", 0, NULL},
	{CONF_T_NET6, "2001:db8::2/127", 0, NULL},
	{CONF_T_NET6, "2001:db8:0:0:0:0:0:2/1", 0, NULL},
	{CONF_T_NET6, "fd00::2/8", 0, NULL},
	{CONF_T_NET6, "2001:db8::2", 0, "no IPv6 address/prefix"},
	{CONF_T_NET6, "2001:db8::2/", 0, "no IPv6 address/prefix"},
	{CONF_T_NET6, "2001:db8::2/+64", 0, "no IPv6 address/prefix"},
	{CONF_T_NET6, "[2001:db8::2]/64", 0, "no IPv6 address/prefix"},
	{CONF_T_NET6, "[2001:db8::2]:80/64", 0, "no IPv6 address/prefix"},
	{CONF_T_NET6, "2001:db8::g/64", 0, "no IPv6 address/prefix"},
	{CONF_T_NET6, "10.77.0.2/24", 0, "no IPv6 address/prefix"},
	{CONF_T_NET6, "/64", 0, "no IPv6 address/prefix"},
	{CONF_T_NET6, "2001:db8::2/128", 0, "prefix length 128 is out of range: write 1 to 127"},
	{CONF_T_NET6, "2001:db8::2/0", 0, "out of range"},
	{CONF_T_NET6, "2001:db8::/64", 0, "no host's address"},
	{CONF_T_NET6, "ff02::2/64", 0, "no host's address"},
	{CONF_T_NET6, "::1/64", 0, "no host's address"},
	{CONF_T_NET6, "::ffff:10.77.0.2/96", 0, "no host's address"},
	{CONF_T_NET6, "fe80::2/64", 0, "link-local"},
	{CONF_T_NET6, "febf::2/10", 0, "link-local"},
	{CONF_T_ADDR, "10.77.0.3:5060", 5060, NULL},
	{CONF_T_ADDR, "[2001:db8::1]:5060", 5060, NULL},
	{CONF_T_ADDR, "10.77.0.3", 0, "has no port: add one, such as :5060"},
	{CONF_T_ADDR, "10.77.0.3:0", 0, "has no port"},
	{CONF_T_ADDR, "icscf.example.net:5060", 0, "names are not looked up"},
	{CONF_T_ADDR, "10.77.0.3:65536", 0, "no IP address and port"},
	{CONF_T_LOCAL, "10.77.0.2", 0, NULL},
	{CONF_T_LOCAL, "10.77.0.2:5070", 5070, NULL},
	{CONF_T_LOCAL, "eth0", 0, "no IP address and port"},
	{CONF_T_WSS, "wss://rtc.example.net/w2", 0, NULL},
	{CONF_T_WSS, "ws://rtc.example.net/w2", 0, "no wss URI"},
	{CONF_T_REFUSED, "x", 0, "because"},
};

static const struct {
	const char *text, *origin, *why;
} origins[] = {
	{"https://wwsf.example.net", "https://wwsf.example.net", NULL},
	{"HTTPS://WWSF.Example.NET", "https://wwsf.example.net", NULL},
	{"https://a:443", "https://a", NULL},
	{"https://a:0443", "https://a", NULL},
	{"https://a:80", "https://a:80", NULL},
	{"http://a:80", "http://a", NULL},
	{"http://localhost:8080", "http://localhost:8080", NULL},
	{"https://192.0.2.1", "https://192.0.2.1", NULL},
	{"https://[2001:DB8:0:0::1]:443", "https://[2001:db8::1]", NULL},
	{"https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", NULL},
	{"https://xn--caf-dma.example", "https://xn--caf-dma.example", NULL},
	{"null", NULL, "begins neither with https:// nor http://, such as"},
	{"wwsf.example.net", NULL, "begins neither"},
	{"wss://a", NULL, "begins neither"},
	{"https://a/", NULL, "has a path, an origin has none"},
	{"https://a/b", NULL, "has a path"},
	{"https://a?b", NULL, "has a path"},
	{"https://*.example.net", NULL, "has a wildcard"},
	{"*", NULL, "begins neither"},
	{"https://caf\xc3\xa9.example", NULL, "xn-- form"},
	{"https://", NULL, "has a bad host"},
	{"https://a:", NULL, "has a bad port"},
	{"https://a:0", NULL, "has a bad port"},
	{"https://a:65536", NULL, "has a bad port"},
	{"https://a:x", NULL, "has a bad port"},
	{"https://:443", NULL, "has a bad host"},
	{"https://u@a", NULL, "has a bad host"},
	{"https://[::1", NULL, "has a bad"},
	{"https://[]", NULL, "has a bad host"},
	{"https://a b", NULL, "has a bad host"},
};

static struct conf_key key_of(enum conf_type type) {
	static const uint64_t mib = 1 << 20;
	struct conf_key k = {.name = "k",
			     .type = type,
			     .size = 8,
			     .choices = "auto|yes|no",
			     .text = "because",
			     .min = 10,
			     .max = 100};

	if (type == CONF_T_BYTES)
		k.min = mib, k.max = 4096 * mib;
	if (conf_type_is_list(type))
		k.off2 = offsetof(struct target, f.n_list);
	return k;
}

static void check_stored(int i, const struct target *t) {
	switch (cases[i].type) {
	case CONF_T_COUNT:
	case CONF_T_SECONDS:
	case CONF_T_BYTES:
	case CONF_T_ENUM:
		ck_assert_uint_eq(t->f.n, cases[i].n);
		break;
	case CONF_T_NET4:
	case CONF_T_NET6:
		ck_assert(rg_addr_is_v4(&t->f.addr) == (cases[i].type == CONF_T_NET4));
		ck_assert_uint_eq(t->f.addr.ip[15], 2);
		break;
	case CONF_T_ADDR:
	case CONF_T_LOCAL:
		ck_assert_uint_eq(t->f.addr.port, cases[i].n);
		break;
	case CONF_T_MAC:
		ck_assert(t->f.mac[0] == 2 || t->f.mac[2] == 0xcc);
		break;
	case CONF_T_WSS:
		ck_assert_uint_eq(t->f.n_list, 1);
		ck_assert_str_eq(t->f.list[0], cases[i].text);
		free(t->f.list[0]);
		free(t->f.list);
		break;
	default:
		ck_assert_str_eq(t->f.text, cases[i].text);
		free(t->f.text);
	}
}

START_TEST(value_table) {
	struct conf_key k = key_of(cases[_i].type);
	struct target t = {0};
	struct conf_value v = {.key = &k, .text = cases[_i].text, .base = &t};

	if (cases[_i].why != NULL) {
		ck_assert_msg(!conf_value_set(&v), "%s", cases[_i].text);
		ck_assert_msg(strstr(v.why, cases[_i].why) != NULL, "%s", v.why);
		if (cases[_i].type == CONF_T_SOCKET)
			free(t.f.text);
		return;
	}
	ck_assert_msg(conf_value_set(&v), "%s: %s", cases[_i].text, v.why);
	check_stored(_i, &t);
}
END_TEST

START_TEST(origin_table) {
	char why[256] = "";
	char *origin = conf_origin(origins[_i].text, why, sizeof(why));

	if (origins[_i].origin == NULL) {
		ck_assert_ptr_null(origin);
		ck_assert_msg(strstr(why, origins[_i].why) != NULL, "%s", why);
		return;
	}
	ck_assert_msg(origin != NULL, "%s", why);
	ck_assert_str_eq(origin, origins[_i].origin);
	free(origin);
}
END_TEST

START_TEST(numbers_fit_their_fields) {
	struct conf_key k = key_of(CONF_T_COUNT);

	for (size_t size = 1; size <= 8; size *= 2) {
		struct target t;
		struct conf_value v = {.key = &k, .text = "100", .base = &t};

		k.size = size;
		memset(&t, 0xee, sizeof(t));
		ck_assert(conf_value_set(&v));
		ck_assert_uint_eq(((uint8_t *)&t)[0], 100);
		for (size_t i = 1; i < 9; i++)
			ck_assert_uint_eq(((uint8_t *)&t)[i], i < size ? 0 : 0xee);
	}
}
END_TEST

START_TEST(paths_by_folder) {
	static const struct {
		const char *dir, *text, *path;
	} rows[] = {
		{NULL, "a", "a"},
		{"/etc/regate", "a", "/etc/regate/a"},
		{"/etc/regate", "/a", "/a"},
		{".", "../a", "./../a"},
	};
	struct conf_key k = key_of(CONF_T_PATH);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct target t = {0};
		struct conf_value v = {.key = &k,
				       .text = rows[i].text,
				       .dir = rows[i].dir,
				       .base = &t};

		ck_assert(conf_value_set(&v));
		ck_assert_str_eq(t.f.text, rows[i].path);
		free(t.f.text);
	}
}
END_TEST

int main(void) {
	Suite *s = suite_create("conf_value");
	TCase *tc = tcase_create("value");
	SRunner *sr = srunner_create(s);
	int n_failed;

	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, value_table, 0, sizeof(cases) / sizeof(cases[0]));
	tcase_add_loop_test(tc, origin_table, 0, sizeof(origins) / sizeof(origins[0]));
	tcase_add_test(tc, numbers_fit_their_fields);
	tcase_add_test(tc, paths_by_folder);
	srunner_run_all(sr, CK_NORMAL);
	n_failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return n_failed != 0;
}
