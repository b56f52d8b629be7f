// SPDX-License-Identifier: BSD-3-Clause
// The harness and the stand-ins that every ctl test needs: dataplane, core, web.
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct fake fake;

int rg_dp_reload_certs(struct rg_dp *dp, char *err, size_t err_len) {
	(void)dp;
	fake.n_reloads++;
	if (fake.reload_rc != 0)
		snprintf(err, err_len, "key /etc/gw.key: does not match");
	return fake.reload_rc;
}

bool rg_dp_cert_info(const struct rg_dp *dp, size_t i, struct rg_cert_info *out) {
	(void)dp;
	if (i >= fake.n_certs)
		return false;
	*out = fake.certs[i];
	return true;
}

unsigned rg_dp_n_workers(const struct rg_dp *dp) {
	(void)dp;
	return fake.n_workers;
}

const struct rg_stats *rg_dp_stats(const struct rg_dp *dp, unsigned worker) {
	(void)dp;
	return &fake.stats[worker];
}

const struct rg_stages *rg_dp_stages(const struct rg_dp *dp, unsigned worker) {
	(void)dp;
	return &fake.stages[worker];
}

double rg_dp_cycles_per_ns(const struct rg_dp *dp) {
	(void)dp;
	return 2;
}

int rg_dp_reply(struct rg_dp *dp, const struct rg_reply *r, struct rg_slice payload) {
	(void)dp;
	ck_assert_uint_eq(payload.len, 0);
	if (fake.refuse_replies > 0) {
		fake.refuse_replies--;
		return -EAGAIN;
	}
	ck_assert_uint_lt(fake.n_replies, 16);
	fake.replies[fake.n_replies++] = *r;
	return 0;
}

bool ims_is_connected(const struct ims *ims) {
	(void)ims;
	return fake.is_core_connected;
}

const struct ims_stats *ims_get_stats(const struct ims *ims) {
	(void)ims;
	return &fake.ims;
}

const struct kpi *ims_get_kpi(const struct ims *ims) {
	(void)ims;
	return &fake.kpi;
}

const struct wwsf_stats *wwsf_get_stats(const struct wwsf *w) {
	(void)w;
	return &fake.wwsf;
}

void harness_start(struct harness *h, bool has_dp) {
	static char *origins[] = {"https://demo.example.net"};
	static struct conf_wwsf wwsfs[] = {{.id = "demo", .origins = origins, .n_origins = 1}};
	static struct conf_pool pools[] = {{.name = "main"}, {.name = "guests"}};
	char err[256];
	int fd = open("/dev/null", O_WRONLY);

	*h = (struct harness){.env = env_sim_new(1), .log = log_new(fd, LOG_INFO), .log_fd = fd};
	h->conf.ctl_socket = SOCKET_PATH;
	h->conf.wwsfs = wwsfs;
	h->conf.n_wwsfs = 1;
	h->conf.pools = pools;
	h->conf.n_pools = 2;
	h->conf.dp.address = rg_addr_v4(0, 0);
	h->conf.core.address = rg_addr_v4(0, 5060);
	h->deps = (struct ctl_deps){.conf = &h->conf, .env = h->env, .log = h->log};
	fake = (struct fake){.n_workers = FAKE_WORKERS};
	if (has_dp)
		h->deps.dp = (struct rg_dp *)&fake; // never looked into
	h->ctl = ctl_new(&h->deps, err, sizeof(err));
	ck_assert_ptr_nonnull(h->ctl);
}

void harness_stop(struct harness *h) {
	ctl_free(h->ctl);
	log_free(h->log);
	close(h->log_fd);
	env_sim_free(h->env);
	free(fake.pairs);
}

struct env_sim_end *harness_connect(struct harness *h) {
	struct env_sim_end *end = env_sim_connect_unix(h->env, SOCKET_PATH);

	ck_assert_ptr_nonnull(end);
	env_sim_settle(h->env);
	return end;
}

void harness_send(struct env_sim_end *end, const char *json) {
	uint8_t head[4];
	struct rg_wr w = rg_wr(head, sizeof(head));

	rg_put_be(&w, strlen(json), 4);
	ck_assert_int_eq(env_sim_write(end, rg_wr_slice(&w)), 0);
	ck_assert_int_eq(env_sim_write(end, rg_str(json)), 0);
}

json_t *harness_read(struct env_sim_end *end) {
	uint8_t head[4];
	struct rg_rd rd = rg_rd(rg_slice(head, sizeof(head)));
	ssize_t n = env_sim_read(end, head, sizeof(head));
	json_t *a;
	size_t len;
	char *text;

	if (n <= 0)
		return NULL;
	ck_assert_int_eq(n, 4);
	len = rg_rd_be(&rd, 4);
	ck_assert_uint_le(len, RG_CTL_MAX);
	text = malloc(len);
	ck_assert_int_eq(env_sim_read(end, text, len), (ssize_t)len);
	a = json_loadb(text, len, 0, NULL);
	ck_assert(json_is_object(a));
	for (size_t i = 0; i < len; i++)
		ck_assert(text[i] >= ' ' && text[i] < 0x7f);
	free(text);
	return a;
}

json_t *harness_ask(struct harness *h, struct env_sim_end *end, const char *json) {
	json_t *a;

	harness_send(end, json);
	env_sim_settle(h->env);
	a = harness_read(end);
	ck_assert_ptr_nonnull(a);
	return a;
}

void harness_refused(json_t *a, int code, const char *part) {
	const char *error = json_string_value(json_object_get(a, "error"));

	ck_assert_ptr_nonnull(a);
	ck_assert_str_eq(json_string_value(json_object_get(a, "schema")), "regate.error/1");
	ck_assert(json_is_false(json_object_get(a, "ok")));
	ck_assert_int_eq(json_integer_value(json_object_get(a, "code")), code);
	ck_assert_msg(strstr(error, part) != NULL, "%s lacks %s", error, part);
	json_decref(a);
}

void harness_data(json_t *a, const char *text) {
	char *got = json_dumps(json_object_get(a, "data"), JSON_COMPACT | JSON_ENSURE_ASCII);

	ck_assert_pstr_eq(got, text);
	free(got);
	json_decref(a);
}

bool harness_is_closed(struct env_sim_end *end) {
	uint8_t b;

	return env_sim_read(end, &b, 1) == 0;
}
