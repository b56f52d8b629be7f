// SPDX-License-Identifier: BSD-3-Clause
// Each allocation of a REGISTER's way fails once: the client has one answer all the same. Linked
// with malloc, calloc and ims_register wrapped.
#include <check.h>
#include <stdlib.h>

#include "rig.h"

static long left = -1;  // allocations until one fails; -1 = none does
static long armed = -1; // the same, from the next ims_register() on

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void __real_ims_register(struct ims *ims, const struct rg_punt *p, struct rg_slice message);
void __wrap_ims_register(struct ims *ims, const struct rg_punt *p, struct rg_slice message);

static bool is_failing(void) {
	return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t n) {
	return is_failing() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
	return is_failing() ? NULL : __real_calloc(n, size);
}

// Nothing but the code under test is short of memory.
void __wrap_ims_register(struct ims *ims, const struct rg_punt *p, struct rg_slice message) {
	left = armed;
	armed = -1;
	__real_ims_register(ims, p, message);
	left = -1;
}

// The request, the operation, the transaction, the message in the queue.
#define N_FAILURES 4

START_TEST(request_without_memory) {
	struct rig_lease c = rig_grant(7200);
	struct rig_reply *r;

	armed = _i;
	rig_send(&c, &(struct rig_register){0});
	r = rig_reply();
	ck_assert_uint_ge(r->m.status, 500);
	ck_assert_uint_eq(r->r.kind, RG_REPLY_SIP);
	ck_assert(rg_conn_eq(r->r.conn, c.conn));
	ck_assert_uint_eq(r->r.flags, 0);
	rig_expect_silence();
	rig_register_well(&c);
}
END_TEST

static void add(void *suite) {
	TCase *t = tcase_create("memory");

	tcase_add_checked_fixture(t, rig_start, rig_stop);
	tcase_add_loop_test(t, request_without_memory, 0, N_FAILURES);
	suite_add_tcase(suite, t);
}

int main(void) {
	return rig_main("ims_memory", add);
}
