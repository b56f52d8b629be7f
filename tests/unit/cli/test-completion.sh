#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The packaged bash completion is the one that the program prints, and it completes.
# usage: test-completion.sh REGATECTL COMPLETION
set -eu

"$1" --completion bash | diff - "$2" || {
	echo "write it anew: regatectl --completion bash >scripts/completion/regatectl.bash" >&2
	exit 1
}
# shellcheck source=/dev/null
. "$2"

check() { # WANT WORDS...: completes the last of WORDS
	local want=$1
	shift
	COMP_WORDS=(regatectl "$@")
	COMP_CWORD=$#
	COMPREPLY=()
	_regatectl
	if [ "${COMPREPLY[*]}" != "$want" ]; then
		echo "$*: got '${COMPREPLY[*]}', not '$want'" >&2
		exit 1
	fi
}
check 'status stats stages' sta
check '--once --interval' top --
check '--socket --json --help --version' --
check 'list show revoke release suspect clear history' lease ''
check 'list show revoke release suspect clear history' --json --socket x lease ''
check '--pool --state --wwsf --sub --impu --suspect --limit --after' lease list --
check 'dereg-pending' lease list --state d
check 'debug' log level d
check '--limit' lease list --state active --l
check '' lease show ''
check '' nonsense ''
