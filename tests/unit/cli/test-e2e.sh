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
ctl 1 'lease release: lease 9 is held until .*: the core is silent' lease release 9
ctl 1 'lease 700 is not leased (state: free)' lease release 700
ctl 5 'lease release: no pair has this identity' lease release sip:nobody
ctl 1 'no dataplane' conn list
ctl 1 'stages: no dataplane' stages
ctl 1 'top: no dataplane' top
ctl 2 'from 1 to 30' top --interval 31
ctl 0 '^level  *info' log level
ctl 0 '^level  *debug' log level debug
ctl 2 'did you mean .lease list' lease lst
ctl 2 'from 1 to 1000' lease list --limit 0

ctl 0 '"name":"file","kind":"input"' --json help

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
# Files of pairs. The stand-in has every pair but those called new.
dir=$(mktemp -d)
f=$dir/f.csv
printf 'impi,impu\nold@x,sip:old@x,M\374ller\nnew@x,sip:new@x\na\0b@x,sip:a@x\n\n' >"$f"
ctl 7 'f.csv:3: its IMPI or IMPU belongs to another' pool import main "$f"
ctl 7 'f.csv:4: the IMPI is none' pool import main "$f"
ctl 7 '^5 lines in .*: 0 new, 1 there already, 2 refused' pool import main "$f"
ctl 7 '"lines":5,"new":0,"there":1,"refused":2' --json pool import main "$f"
ctl 7 '^regatectl: -:3: ' pool import main - <"$f"
ctl 2 'none.csv: No such file or directory: name a file' pool import main "$dir/none.csv"
ctl 1 'Is a directory' pool import main "$dir"
ctl 5 'pool import: no such pool' pool import mian "$f"
ctl 2 'format must be one of csv, json' pool import main "$f" --format xml
awk 'BEGIN { for (i = 1; i <= 12000; i++)
	printf "%s%d@x.example.net,sip:%d@x.example.net\n", i % 100 == 0 ? "new" : "old", i, i }' >"$f"
ctl 7 'f.csv:9900: its IMPI' pool import main "$f" # several requests, one file
ctl 7 '^12000 lines in .* 11880 there already, 120 refused' pool import main "$f"
ctl 7 '20 more lines were refused' pool import main "$f"
ctl 7 '^12000 lines in .*: 0 removed, 11880 not there, 120 of the refused leased, 120 refused' \
	pool remove main "$f"
ctl 7 '"lines":12000,"removed":0,"gone":11880,"leased":120,"refused":120' --json pool remove main "$f"
ctl 7 'f.csv:9900: leased or in quarantine' pool remove main "$f"
ctl 5 'pool remove: no such pool' pool remove mian "$f"
printf '{"impi":"o@x","impu":"sip:o@x"}' >"$f"
ctl 0 ' 1 there already, 0 refused' pool import main "$f" --format json
head -c 70000 /dev/zero | tr '\0' x >"$f"
ctl 1 'a line of over 64 KiB: this is no file of pairs' pool import main "$f"
: >"$f"
ctl 0 '^0 lines in' pool import main "$f"
ctl 0 '^1000 pairs' pool export main "$dir/out.csv"
if [ "$(sed -n 1p "$dir/out.csv")" != impi,impu ] || [ "$(wc -l <"$dir/out.csv")" -ne 1001 ] ||
	[ "$(stat -c %a "$dir/out.csv")" != 600 ] || [ -e "$dir/out.csv.part" ]; then
	echo "not ok: export: $(ls -l "$dir")" >&2
	n_failed=$((n_failed + 1))
fi
ctl 2 'out.csv: File exists: name a new file' pool export main "$dir/out.csv"
ctl 0 '^{"impi":"p999@example.net","impu":"sip:p999@example.net"}' pool export main - --format json
ctl 2 'none/x.part\|none/x: No such file' pool export main "$dir/none/x"
ctl 5 'pool export: no such pool' pool export mian "$dir/y"
[ -e "$dir/y" ] || [ -e "$dir/y.part" ] && n_failed=$((n_failed + 1))
rm -r "$dir"

# A producer that is slow: what there is goes out at once, over a connection of its own.
out=$({ printf 'old1@x,sip:old1@x\n' && sleep 2 && printf 'old2@x,sip:old2@x\n'; } |
	"$regatectl" --socket "$socket" pool import main - 2>&1)
rc=$?
if [ $rc -ne 0 ] || ! printf '%s' "$out" | grep -q '^2 lines .* 2 there already'; then
	echo "not ok: slow import: $rc: $out" >&2
	n_failed=$((n_failed + 1))
fi

f=$(mktemp)
echo old1@x,sip:old1@x >"$f"
socket=$socket.none
ctl 3 'start regated' status
ctl 3 'stopped behind line 0; what is done stays: give the same file again' pool import main "$f"
rm "$f"
[ "$n_failed" -eq 0 ]
