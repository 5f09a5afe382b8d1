#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# numaslab run --stats: the table at the end, and nothing changed by it.
. "$(dirname "$0")/lib.sh"

header='^node +live +resident +retained +spilled +local_frees +remote_frees$'

want 0 "$numaslab" run --stats -- sh -c 'echo out; echo err >&2'
[ "$out" = out ] || fail "stdout: $out"
complains '^err$'
complains '^process [0-9]+ \(sh\): [0-9]+ nodes?, [0-9]+ mappings'
complains "$header"
complains '^[0-9]+ +[0-9.]+[KMG]? '
complains '^total +[0-9.]+[KMG]? '

# What the program held when it ended is in the table.
want 0 env NUMASLAB_FAKE_NODES=2 "$numaslab" run --stats --policy bind=1 -- \
	perl -e '@a = map { "x" x 1000 } 1 .. 20000; exit 0'
complains '^1 +[0-9.]{4,}M '
complains '^0 +[0-9.]+K? '

# One that leaves numaslab behind has no table; its status is its own.
want 0 "$numaslab" run --stats -- env -u LD_PRELOAD cat /dev/null
complains '^numaslab run: --stats: no table: process [0-9]+ \(cat\) does not '
want 3 "$numaslab" run --stats -- env -u LD_PRELOAD sh -c 'exit 3'

# Where ptrace is refused the program runs all the same.
want 5 "$helpers/without" ptrace "$numaslab" run --stats -- sh -c 'exit 5'
said 'numaslab run: --stats: no table, since ptrace is refused:'\
' Operation not permitted'

# background: run --stats on a hold, itself in the background, for which bash
# ignores SIGINT, as nohup does SIGHUP.
background() {
	: >"$work/ready"
	env --default-signal=INT,HUP "$numaslab" run --stats -- sh -c 'echo $$; exec "$0" "$1"' \
		"$helpers/hold" $held_bytes >"$work/ready" 2>"$work/err" &
	tool=$!
	started+=("$tool")
	until_true grep -q ready "$work/ready"
	child=$(head -n 1 "$work/ready")
	started+=("$child")
}

ended() {
	status=0
	wait "$tool" || status=$?
	err=$(cat "$work/err")
	[ "$status" = "$1" ] || fail "exit status $status, not $1: $err"
	! kill -0 "$child" 2>/dev/null || fail "the program is still there"
	complains "$header"
}

# Signals reach the program, whoever they are sent to.
for signal in TERM:143 HUP:129 INT:130 USR1:138 ALRM:142; do
	background
	kill -"${signal%:*}" "$tool"
	ended "${signal#*:}"
	background
	kill -"${signal%:*}" "$child"
	ended "${signal#*:}"
done

# A stopped program stays stopped, and goes on.
state() {
	[ "$(awk '{ print $3 }' "/proc/$child/stat")" = "$1" ]
}
background
kill -STOP "$child"
until_true eval 'state T || state t'
kill -CONT "$child"
until_true state S
kill -TERM "$child"
ended 143

# A caller that ignores its children's ends gets the status all the same.
want 6 sh -c 'trap "" CHLD; exec "$0" run --stats -- sh -c "exit 6"' \
	"$numaslab"
finish
