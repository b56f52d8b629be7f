#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# For the self-tests of scripts/check-*: a small tree in which violations and look-alikes are
# planted; one run of the check must then report the violations, each in its place, and no more.
# Sourced; $1 is the script under test.
set -eu

CHECK=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
n_planted=0

fail() {
	echo "not ok: $1" >&2
	exit 1
}

# put FILE TEXT
put() {
	[ -d "$tree/${1%/*}" ] || mkdir -p "$tree/${1%/*}"
	printf '%s\n' "$2" >"$tree/$1"
}

# Plants TEXT in a FILE of which there may be many: x.c becomes x17.c. Sets $planted to its name.
plant() {
	planted=$1
	case $1 in
	*x.[ch])
		n_planted=$((n_planted + 1))
		planted=${1%.?}$n_planted.${1##*.}
		;;
	esac
	[ ! -e "$tree/$planted" ] || fail "$planted is planted twice"
	put "$planted" "$2"
}

caught() { # FILE LINE RULE TEXT
	plant "$1" "$4"
	echo "$planted:$2: $3" >>"$tree/want"
}

passes() { # FILE TEXT
	plant "$1" "$2"
}

# clean: what is there so far is in order.
clean() {
	"$CHECK" "$tree" >"$tree/got" 2>&1 || fail "a tree in order is refused: $(cat "$tree/got")"
	[ ! -s "$tree/got" ] || fail "a tree in order is complained of: $(cat "$tree/got")"
}

finish() {
	! "$CHECK" "$tree" >"$tree/out" 2>&1 || fail "exit code 0 for $(wc -l <"$tree/want") violations"
	! grep -vE '^[^:]+:[0-9]+: [a-z]+: .+[,:] .+$' "$tree/out" || fail "form of the lines above"
	sed 's/^\([^:]*:[0-9]*: [a-z]*\):.*/\1/' "$tree/out" | sort >"$tree/got"
	sort "$tree/want" | diff - "$tree/got" >"$tree/diff" ||
		fail "< was not seen, > should not be: $(cat "$tree/diff")"
}
