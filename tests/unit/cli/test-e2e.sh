#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# regatectl against a served ctl (serve.c): output, exit codes, batch. usage: REGATECTL SOCKET
set -u
regatectl=$1
socket=$2
n_failed=0

# ctl CODE PATTERN ARGS...: exit code, and a line of stdout or stderr that matches.
ctl() {
	code=$1
	pattern=$2
	shift 2
	out=$("$regatectl" --socket "$socket" "$@" 2>&1)
	rc=$?
	if [ "$rc" -ne "$code" ]; then
		echo "not ok: $*: exit $rc, not $code: $out" >&2
		n_failed=$((n_failed + 1))
	elif ! printf '%s\n' "$out" | grep -q -- "$pattern"; then
		echo "not ok: $*: no '$pattern' in: $out" >&2
		n_failed=$((n_failed + 1))
	fi
}

ctl 0 '^version  *[0-9]' status
ctl 0 '"schema":"regate.status/1"' --json status
ctl 0 '^dataplane  *none' stats
ctl 0 'POOL  *KIND  *WWSF' pool list
ctl 0 '^  0   *0\|^  0    7  active' lease list
ctl 0 '^next after  199' lease list
ctl 0 '^next after  -' lease list --after 300
ctl 0 'in 1h5[89]m' lease show 3
ctl 0 'contact  *<sip:\\\\x1b\[2J\|contact  *<sip:\\x1b\[2J' lease show 3
ctl 0 '^idx  *499' lease show p499@example.net
ctl 5 'no pair has this identity' lease show sip:nobody
ctl 5 '"code":5' --json lease show sip:nobody
ctl 1 'lease 700 is not leased (state: free)' lease revoke 700
ctl 0 'dereg-pending' lease revoke 8
ctl 1 'no dataplane' conn list
ctl 1 'stages: no dataplane' stages
ctl 1 'top: no dataplane' top
ctl 2 'from 1 to 30' top --interval 31
ctl 0 '^level  *info' log level
ctl 0 '^level  *debug' log level debug
ctl 2 'did you mean .lease list' lease lst
ctl 2 'from 1 to 1000' lease list --limit 0

# A tty's escape codes and raw control characters never come out.
if "$regatectl" --socket "$socket" lease show 3 | tr -d '\n' | grep -q '[[:cntrl:]]'; then
	echo "not ok: control characters in the output" >&2
	n_failed=$((n_failed + 1))
fi

# Batch: stops at the first line that fails and names it.
out=$(printf '# comment\n\nlog level warn\nlease show 5000\nlog level info\n' |
	"$regatectl" --socket "$socket" 2>&1)
rc=$?
if [ $rc -ne 5 ] || ! printf '%s' "$out" | grep -q 'line 4: lease show: no pair 5000'; then
	echo "not ok: batch: $rc: $out" >&2
	n_failed=$((n_failed + 1))
fi
ctl 0 '^level  *warn' log level

# An answer that could not be written is no success.
"$regatectl" --socket "$socket" status >/dev/full 2>/dev/null
if [ $? -ne 1 ]; then
	echo "not ok: full disk unnoticed" >&2
	n_failed=$((n_failed + 1))
fi
socket=$socket.none
ctl 3 'start regated' status
[ "$n_failed" -eq 0 ]
