// SPDX-License-Identifier: BSD-3-Clause
// Whether a REGISTER repeats the one that the lease has, of which the worker knows a hash, and what
// Contact its answer has.
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"

static struct ask a;

#define INSTANCE ";+sip.instance=\"<urn:uuid:17>\""

// The answer has the lease's Contact, however the client wrote it.
START_TEST(contact_of_200) {
	static const char *const forms[] = {
		ASK_CONTACT ";expires=300",
		ASK_CONTACT,
		ASK_CONTACT ";Expires=300",
		ASK_CONTACT ";expires=x",
		ASK_CONTACT ";expires",
		"<sip:dgtq@4ej.invalid;transport=ws>;expires=300;reg-id=1" INSTANCE,
		ASK_CONTACT ";expires=18446744073709551616",
	};
	char line[300];

	ask_init(&a);
	snprintf(line, sizeof(line), "Contact: %s\r\n", forms[_i]);
	ask_write(&a, &(struct ask_text){.contact = line});
	ask_decide(&a);
	ck_assert_uint_eq(a.out.answer.status, 200);
	ck_assert(rg_eq(a.out.answer.contact, RG_LIT(ASK_CONTACT)));
}
END_TEST

// One letter of the Call-ID or the Contact, wherever it stands, makes another registration; and bytes
// that wander from one to the other do, too.
START_TEST(each_byte_counts) {
	char contact[] = "Contact: " ASK_CONTACT ";expires=300\r\n", call_id[] = "call-1";
	size_t from = strlen("Contact: <sip:"), to = strlen("Contact: " ASK_CONTACT) - 2;

	ask_init(&a);
	for (size_t i = from; i < to; i++) {
		char was = contact[i];

		contact[i] = was == 'e' ? 'E' : 'e';
		if (rg_lower((uint8_t)was) >= 'a' && rg_lower((uint8_t)was) <= 'z') {
			ask_write(&a, &(struct ask_text){.contact = contact});
			ask_decide(&a);
			ck_assert_msg(a.out.reason == RG_WHY_CHANGED, "%s", contact);
		}
		contact[i] = was;
	}
	for (size_t i = 0; i < strlen(call_id); i++) {
		char was = call_id[i];

		call_id[i] = 'x';
		ask_write(&a, &(struct ask_text){.call_id = call_id});
		ask_decide(&a);
		ck_assert_msg(a.out.reason == RG_WHY_CHANGED, "%s", call_id);
		call_id[i] = was;
	}
	ask_client(&a, "call-", "1" ASK_CONTACT);
	ask_write(&a, &(struct ask_text){0});
	ask_decide(&a);
	ck_assert_int_eq(a.out.reason, RG_WHY_CHANGED);
}
END_TEST

// In another form than the stored one, up to what the control plane stores.
START_TEST(long_contact) {
	static char key[RG_CONTACT_MAX + 8], line[RG_CONTACT_MAX + 64];

	for (unsigned extra = 0; extra < 2; extra++) {
		size_t n = (size_t)sprintf(key, "<sip:a@b>;reg-id=1;x=");

		memset(key + n, 'x', RG_CONTACT_MAX + extra - n);
		key[RG_CONTACT_MAX + extra] = '\0';
		sprintf(line, "Contact: <sip:a@b>;expires=300%s\r\n", key + strlen("<sip:a@b>"));
		ask_init(&a);
		ask_client(&a, "call-1", key);
		ask_write(&a, &(struct ask_text){.contact = line});
		ask_decide(&a);
		ck_assert_int_eq(a.out.verdict, extra == 0 ? REG_ANSWER : REG_PUNT);
		if (extra == 0)
			ck_assert(rg_eq(a.out.answer.contact, rg_str(key)));
		key[RG_CONTACT_MAX] = '\0'; // what of it there is room for
		ask_client(&a, "call-1", key);
		ask_decide(&a);
		ck_assert_int_eq(a.out.verdict, extra == 0 ? REG_ANSWER : REG_PUNT);
	}
}
END_TEST

START_TEST(query) {
	ask_init(&a);
	ask_client(&a, "call-1", "");
	ask_write(&a, &(struct ask_text){.contact = ""});
	ask_decide(&a);
	ck_assert_int_eq(a.out.reason, RG_WHY_CHANGED);
}
END_TEST

int main(void) {
	Suite *s = suite_create("reg_client");
	TCase *t = tcase_create("client");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, contact_of_200, 0, 7);
	tcase_add_test(t, each_byte_counts);
	tcase_add_test(t, long_contact);
	tcase_add_test(t, query);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
