#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Does scripts/check-rows see tests that are not there?
# shellcheck source=plant.sh
. "$(dirname "$0")/plant.sh"

row() { # TESTS
	echo "| T17 | what | $1 |"
}

put tests/unit/a.c 'START_TEST(t17_a) {'
put tests/system/b.py '    def test_t17_b(self):'
# shellcheck disable=SC2016
good=$(row '`unit/a.c t17_a` `system/b.py test_t17_b`')
put tests/README.md "$good"
clean
# shellcheck disable=SC2016
put tests/README.md "$good
$(row '`unit/a.c t17_b`')
$(row '`unit/none.c t17_a`')
$(row '`unit/a.c a`')
$(row 'none')"
cat >"$tree/want" <<'END'
tests/README.md:2: test
tests/README.md:3: test
tests/README.md:4: row
tests/README.md:4: test
tests/README.md:5: row
END
finish
