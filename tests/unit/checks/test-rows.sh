#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Does scripts/check-rows see tests that are not there?
# shellcheck source=plant.sh
. "$(dirname "$0")/plant.sh"

row() { # NUMBER TESTS
	echo "| T$1 | what | $2 |"
}

! "$CHECK" "$tree" >"$tree/out" 2>&1 || fail 'exit code 0 without tests/README.md'
grep -q '^tests/README.md:1: file: ' "$tree/out" || fail 'another line without tests/README.md'

put tests/unit/a.c 'START_TEST(t17_a) {
START_TEST(t17_never_run) {
START_TEST(T17-b) {
	tcase_add_loop_test(t, t17_a, 0, 2); tcase_add_test(t, T17-b);'
put tests/system/b.py '    def test_t17_b(self):'
good=$(
	for n in $(seq 15 25); do
		[ "$n" -eq 17 ] || row "$n" "t${n}_"
	done
	# shellcheck disable=SC2016
	row 17 '`unit/a.c t17_a` `system/b.py test_t17_b` `unit/a.c T17-b`'
)
put tests/README.md "$good"
clean
# shellcheck disable=SC2016
put tests/README.md "$(echo "$good" | grep -v T21)
$(row 17 '`unit/a.c t17_b`')
$(row 17 '`unit/none.c t17_a`')
$(row 17 '`unit/a.c a`')
$(row 17 'none')
$(row 17 '`unit/a.c t17_never_run`')
$(row 17 '`unit/a.c t17_A`')
$(row 17 '`unit/A-a.c t17_a`')
$(row 17 '`unit/a.c t17_a-c`')"
cat >"$tree/want" <<'END'
tests/README.md:11: test
tests/README.md:12: test
tests/README.md:13: row
tests/README.md:13: test
tests/README.md:14: row
tests/README.md:15: test
tests/README.md:16: test
tests/README.md:17: test
tests/README.md:18: test
tests/README.md:1: row
END
finish
