#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Does scripts/check-format see a file that clang-format would change, in every folder?
# shellcheck source=plant.sh
. "$(dirname "$0")/plant.sh"

cp "$(dirname "$CHECK")/../.clang-format" "$tree/.clang-format"
put dataplane/tcp/tcp.c 'int x(void) {
	return 1;
}'
clean
for f in dataplane/tcp/x.c controlplane/ims/x.h include/regate/x.h common/x.c imscore/x.c \
	tests/unit/ims/x.c bench/micro/x.c; do
	put "$f" 'int x( void );'
	rc=0
	"$CHECK" "$tree" >"$tree/out" 2>&1 || rc=$?
	[ "$rc" -eq 1 ] || fail "$f: exit code $rc, not 1"
	grep -q "^$f:1:" "$tree/out" || fail "$f: not named: $(cat "$tree/out")"
	rm "$tree/$f"
done
