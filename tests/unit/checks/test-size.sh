#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Does scripts/check-size see files and functions over their ceilings?
# shellcheck source=plant.sh
. "$(dirname "$0")/plant.sh"

lines() { # N TEXT
	awk -v n="$1" -v text="$2" 'BEGIN { for (i = 0; i < n; i++) print text }'
}
function_of() { # N: lines in all
	echo 'static int x(int a) {'
	lines $(($1 - 2)) '	a++;'
	echo '}'
}

put dataplane/tcp/tcp.c "$(lines 600 'int a;')"
clean
caught controlplane/ims/x.c 601 file "$(lines 601 'int a;')"
caught tests/unit/ims/x.c 601 file "$(lines 601 'int a;')"
passes controlplane/ims/x.h "$(lines 200 'int a;')"
caught controlplane/ims/x.h 201 file "$(lines 201 'int a;')"
passes include/regate/sip.h "$(lines 201 'int a;')"
passes dataplane/tcp/x.c "$(function_of 80)"
caught dataplane/tcp/x.c 1 function "$(function_of 81)"
passes dataplane/tcp/x.c "int declared(int a,
	     int b);
$(function_of 80)"
caught dataplane/tcp/x.c 125 function "int declared(int a,
	     int b);
$(function_of 20)
static const int table[] = {
$(lines 100 '	1,')
};
$(function_of 81)"
caught dataplane/tcp/x.c 1 function "[[nodiscard]] int x(int a,
	int b) {
$(lines 100 '	a++;')
}"
finish
