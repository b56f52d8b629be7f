// SPDX-License-Identifier: BSD-3-Clause
// imscore/server.c and journal.c on the simulated environment: framing, held-back answers, lines.
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/env_sim.h"
#include "journal.h"
#include "server.h"

static struct env *env;
static struct rg_addr listen_addr;
static struct registrar *registrar;
static struct server *server;
static FILE *journal;
static char *lines;
static size_t lines_len;

static void setup(void) {
	struct registrar_cfg cfg = {.domain = "ims.example.net",
				    .min_expires = 60,
				    .max_expires = 3600};
	char err[256];

	env = env_sim_new(1);
	ck_assert_int_eq(rg_addr_parse(RG_LIT("127.0.0.1:6060"), &listen_addr), 0);
	registrar = registrar_new(&cfg);
	journal = open_memstream(&lines, &lines_len);
	ck_assert_int_eq(server_new(env, &listen_addr, registrar, journal, &server, err,
				    sizeof(err)),
			 0);
}

static void teardown(void) {
	server_free(server);
	registrar_free(registrar);
	fclose(journal);
	free(lines);
	env_sim_free(env);
}

static struct rg_slice request(const char *user, unsigned cseq) {
	static char text[2048];
	int n = snprintf(text, sizeof(text),
			 "REGISTER sip:ims.example.net SIP/2.0\r\n"
			 "Via: SIP/2.0/TCP gw;branch=z9hG4bK%s%u;rport\r\n"
			 "From: <sip:%s@ims.example.net>;tag=1\r\nTo: <sip:%s@ims.example.net>\r\n"
			 "Call-ID: c\r\nCSeq: %u REGISTER\r\n"
			 "Contact: \"A \\\"B\\\" \xc3\xa9\" <sip:a@b>;expires=600\r\n"
			 "Path: <sip:l1@gw;lr>\r\nRequire: path\r\n"
			 "Authorization: Digest username=\"u@d\", realm=\"ims.example.net\", "
			 "integrity-protected=\"auth-done\"\r\nContent-Length: 0\r\n\r\n",
			 user, cseq, user, user, cseq);

	return rg_slice(text, (size_t)n);
}

static unsigned count_answers(struct env_sim_end *end) {
	char buf[1 << 16] = {0};
	unsigned n = 0;
	ssize_t len = env_sim_read(end, buf, sizeof(buf) - 1);

	if (len <= 0)
		return 0;
	for (const char *s = buf; (s = strstr(s, "SIP/2.0 200 OK\r\n")) != NULL; s++)
		n++;
	return n;
}

START_TEST(tcp_framing) {
	struct env_sim_end *end = env_sim_connect(env, &listen_addr);
	struct rg_slice m = request("u", 1);

	for (size_t i = 0; i < m.len; i++) {
		env_sim_write(end, rg_slice(m.p + i, 1));
		env_sim_settle(env);
	}
	ck_assert_uint_eq(count_answers(end), 1);
	env_sim_write(end, request("u", 2));
	env_sim_write(end, RG_LIT("\r\n\r\n"));
	env_sim_write(end, request("u", 3));
	env_sim_settle(env);
	ck_assert_uint_eq(count_answers(end), 2);
	env_sim_write(end, RG_LIT("rubbish\r\n\r\n"));
	env_sim_settle(env);
	ck_assert_int_eq(env_sim_write(end, RG_LIT("x")), -EPIPE); // closed
}
END_TEST

START_TEST(held_back) {
	struct env_sim_end *end = env_sim_connect(env, &listen_addr);
	struct env_sim_end *gone = env_sim_connect(env, &listen_addr);

	env_sim_write(end, request("slow1", 1));
	env_sim_write(gone, request("slow2", 1));
	env_sim_settle(env);
	env_sim_hangup(gone);
	env_sim_advance(env, 2 * RG_NS_PER_S - 1);
	ck_assert_uint_eq(count_answers(end), 0);
	env_sim_advance(env, 1);
	ck_assert_uint_eq(count_answers(end), 1);
	env_sim_write(end, request("slow1", 2)); // and one that never leaves
	env_sim_settle(env);
}
END_TEST

START_TEST(partial_answers) {
	struct env_sim_end *end = env_sim_connect(env, &listen_addr);

	env_sim_set_room(end, 10);
	env_sim_write(end, request("u", 1));
	env_sim_write(end, request("u", 2));
	env_sim_settle(env);
	env_sim_stall(end, false);
	env_sim_settle(env);
	ck_assert_uint_eq(count_answers(end), 2);
}
END_TEST

START_TEST(udp) {
	struct rg_addr peer, to;
	char buf[2048] = {0};

	ck_assert_int_eq(rg_addr_parse(RG_LIT("127.0.0.1:5070"), &peer), 0);
	ck_assert_int_eq(env_sim_udp_deliver(env, &listen_addr, &peer, request("u", 1)), 0);
	env_sim_settle(env);
	ck_assert_int_gt(env_sim_udp_take(env, buf, sizeof(buf) - 1, NULL, &to), 0);
	ck_assert_int_eq(memcmp(&to, &peer, sizeof(to)), 0);
	ck_assert_ptr_nonnull(strstr(buf, ";rport=5070"));
}
END_TEST

START_TEST(journal_lines) {
	struct env_sim_end *end = env_sim_connect(env, &listen_addr);

	env_sim_write(end, request("u", 1));
	env_sim_write(end, request("mute1", 1));
	env_sim_settle(env);
	ck_assert_str_eq(
		lines,
		"{\"ms\":1000000,\"transport\":\"tcp\",\"method\":\"REGISTER\","
		"\"to\":\"<sip:u@ims.example.net>\","
		"\"contact\":[\"\\\"A \\\\\\\"B\\\\\\\" \\u00c3\\u00a9\\\" "
		"<sip:a@b>;expires=600\"],"
		"\"path\":[\"<sip:l1@gw;lr>\"],\"expires\":null,"
		"\"integrity_protected\":\"auth-done\",\"callid\":\"c\",\"cseq\":\"1 REGISTER\","
		"\"via\":\"SIP/2.0/TCP gw;branch=z9hG4bKu1;rport\",\"status\":200}\n"
		"{\"ms\":1000000,\"transport\":\"tcp\",\"method\":\"REGISTER\","
		"\"to\":\"<sip:mute1@ims.example.net>\","
		"\"contact\":[\"\\\"A \\\\\\\"B\\\\\\\" \\u00c3\\u00a9\\\" "
		"<sip:a@b>;expires=600\"],"
		"\"path\":[\"<sip:l1@gw;lr>\"],\"expires\":null,"
		"\"integrity_protected\":\"auth-done\",\"callid\":\"c\",\"cseq\":\"1 REGISTER\","
		"\"via\":\"SIP/2.0/TCP gw;branch=z9hG4bKmute11;rport\",\"status\":0}\n");
}
END_TEST

START_TEST(counters) {
	struct env_sim_end *end = env_sim_connect(env, &listen_addr);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	env_sim_write(end, request("u", 1));
	env_sim_write(end, request("u", 2));
	env_sim_write(end, request("deny1", 1));
	env_sim_settle(env);
	journal_counters(out, registrar_get_stats(registrar));
	fclose(out);
	ck_assert_str_eq(text, "{\"requests\":3,\"registers\":3,\"refreshes\":1,\"deregisters\":0,"
			       "\"retransmits\":0,\"other\":0,\"bindings\":1,\"unanswered\":0,"
			       "\"answers_2xx\":2,\"answers_3xx\":0,\"answers_4xx\":1,"
			       "\"answers_5xx\":0,\"answers_6xx\":0}\n");
	free(text);
}
END_TEST

START_TEST(address_in_use) {
	struct server *other = NULL;
	char err[256];

	ck_assert_int_eq(server_new(env, &listen_addr, registrar, NULL, &other, err, sizeof(err)),
			 -EADDRINUSE);
	ck_assert_ptr_null(other);
	ck_assert_ptr_nonnull(strstr(err, "choose another --listen"));
}
END_TEST

int main(void) {
	Suite *s = suite_create("imscore_server");
	TCase *t = tcase_create("server");
	SRunner *r;
	int n_failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, tcp_framing);
	tcase_add_test(t, held_back);
	tcase_add_test(t, partial_answers);
	tcase_add_test(t, udp);
	tcase_add_test(t, journal_lines);
	tcase_add_test(t, counters);
	tcase_add_test(t, address_in_use);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	n_failed = srunner_ntests_failed(r);
	srunner_free(r);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
