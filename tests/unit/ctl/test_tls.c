// SPDX-License-Identifier: BSD-3-Clause
// `tls show` and `tls reload` over stand-ins for the dataplane.
#include "harness.h"

static struct harness h;

static void setup(void) {
	memset(&fake, 0, sizeof(fake));
	harness_start(&h, true);
	fake.n_certs = 2;
	fake.certs[0] = (struct rg_cert_info){.file = "/etc/gw.crt",
					      .subject = "CN=gw",
					      .names = "gw.example.net",
					      .serial = "0A",
					      .not_before = 0,
					      .not_after = 4102444800};
	fake.certs[1] = (struct rg_cert_info){.file = "/etc/b.crt", .subject = "CN=\xff"};
}

static void teardown(void) {
	harness_stop(&h);
}

#define FIRST                                                                           \
	"{\"file\":\"/etc/gw.crt\",\"subject\":\"CN=gw\",\"names\":\"gw.example.net\"," \
	"\"serial\":\"0A\",\"valid_from_at\":\"1970-01-01T00:00:00Z\",\"expires_at\":"  \
	"\"2100-01-01T00:00:00Z\",\"is_expiring\":false}"

START_TEST(show) {
	struct env_sim_end *end = harness_connect(&h);

	fake.n_certs = 1;
	harness_data(harness_ask(&h, end, "{\"cmd\":\"tls show\"}"),
		     "{\"certificates\":[" FIRST "]}");
	fake.n_certs = 0;
	harness_data(harness_ask(&h, end, "{\"cmd\":\"tls show\"}"), "{\"certificates\":[]}");
	ck_assert_uint_eq(fake.n_reloads, 0);
}
END_TEST

START_TEST(expiring) {
	struct env_sim_end *end = harness_connect(&h);
	json_t *a, *list;

	fake.certs[0].not_after = env_wall_ms(h.env) / 1000 + RG_CERT_WARN_S;
	fake.certs[1].not_after = fake.certs[0].not_after - 1;
	a = harness_ask(&h, end, "{\"cmd\":\"tls show\"}");
	list = json_object_get(json_object_get(a, "data"), "certificates");
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert(json_is_false(json_object_get(json_array_get(list, 0), "is_expiring")));
	ck_assert(json_is_true(json_object_get(json_array_get(list, 1), "is_expiring")));
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "subject")),
			 "CN=\\xff");
	json_decref(a);
}
END_TEST

START_TEST(reload) {
	struct env_sim_end *end = harness_connect(&h);

	fake.n_certs = 1;
	harness_data(harness_ask(&h, end, "{\"cmd\":\"tls reload\"}"),
		     "{\"certificates\":[" FIRST "]}");
	ck_assert_uint_eq(fake.n_reloads, 1);
	fake.reload_rc = -22;
	harness_refused(harness_ask(&h, end, "{\"cmd\":\"tls reload\"}"), RG_CTL_REFUSED,
			"nothing changed: key /etc/gw.key: does not match");
	ck_assert_uint_eq(fake.n_reloads, 2);
}
END_TEST

START_TEST(no_dataplane) {
	struct env_sim_end *end;

	harness_stop(&h);
	harness_start(&h, false);
	end = harness_connect(&h);
	harness_refused(harness_ask(&h, end, "{\"cmd\":\"tls reload\"}"), RG_CTL_REFUSED,
			"no dataplane");
	harness_data(harness_ask(&h, end, "{\"cmd\":\"tls show\"}"), "{\"certificates\":[]}");
}
END_TEST

int main(void) {
	Suite *s = suite_create("ctl_tls");
	TCase *t = tcase_create("tls");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, show);
	tcase_add_test(t, expiring);
	tcase_add_test(t, reload);
	tcase_add_test(t, no_dataplane);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
