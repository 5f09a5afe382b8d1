#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# numaslab stat: the figures of a process, and each way it can have none.
. "$(dirname "$0")/lib.sh"

# The figures, for each way of being on numaslab.
check_held() {
	local live resident

	want 0 "$numaslab" stat --bytes "$held"
	said ''
	live=$(cell live_bytes total)
	resident=$(cell resident_bytes total)
	if [ "${live:-0}" -lt $held_bytes ] ||
		[ "$live" -gt $((held_bytes * 3 / 2)) ]; then
		fail "live bytes of $1: $live"
	fi
	[ "${resident:-0}" -ge "$live" ] || fail "resident of $1: $resident"
	kill -KILL "$held"
	wait "$held" 2>/dev/null || true
}

hold "$numaslab" run --
check_held "a preloaded program"
program=$helpers/hold-linked hold env
check_held "a program linked with the static library"
program=$helpers/hold-static hold env
check_held "a static program"
cp "$library" "$work/gone.so"
hold env LD_PRELOAD="$work/gone.so"
rm "$work/gone.so"
check_held "a program whose library was deleted"

program=$helpers/hold hold env BY_THREAD=1 "$numaslab" run --
first_ended() { [ "$(awk '{ print $3 }' "/proc/$held/stat")" = Z ]; }
until_true first_ended
check_held "a program whose first thread has ended"

# For people, exactly, and for programs.
hold env NUMASLAB_FAKE_NODES=3 "$numaslab" run --policy preferred=1 --
want 0 "$numaslab" stat "$held"
shows "^process $held \(hold\): 3 nodes, [0-9]+ mappings, [0-9]+ of them"
shows '^node +live +resident +retained +spilled +local_frees +remote_frees$'
shows '^1 +[34]\.[0-9]M +'
shows '^total '
[ "$(wc -l <<<"$out")" = 6 ] || fail "lines: $out"
want 0 "$numaslab" stat --json "$held"
[ "$(wc -l <<<"$out")" = 1 ] || fail "not one line: $out"
printf '%s' "$out" >"$work/json"
want 0 python3 -c '
import json, sys
j = json.load(open(sys.argv[1]))
assert j["pid"] == int(sys.argv[2]) and j["command"] == "hold", j
assert [n["node"] for n in j["nodes"]] == [0, 1, 2], j
assert j["nodes"][1]["live"] >= int(sys.argv[3]), j
for k in j["total"]:
    assert j["total"][k] == sum(n[k] for n in j["nodes"]), k
for n in j["nodes"]:
    assert n["resident"] == n["used"] + n["retained"], n
assert 0 < j["own_mappings"] < j["mappings"] < 1000, j
' "$work/json" "$held" $held_bytes

# Again and again, until it ends.
"$numaslab" stat --interval 0.05 "$held" >"$work/many" 2>"$work/many.err" &
tool=$!
started+=("$tool")
many() { [ "$(grep -c ^total "$work/many")" -ge 3 ]; }
until_true many
kill -KILL "$held"
status=0
wait "$tool" || status=$?
err=$(cat "$work/many.err")
[ "$status" = 1 ] || fail "exit status $status of --interval"
complains "^numaslab stat: process $held \(hold\) (ended meanwhile|has ended)\$"
[ "$(wc -l <<<"$err")" = 1 ] || fail "not one line: $err"
wait "$held" 2>/dev/null || true

# Those that have no figures, each in one line.
want 1 "$numaslab" stat "$held"
said "numaslab stat: process $held does not exist"
want 1 "$numaslab" stat 2147483647
said "numaslab stat: process 2147483647 does not exist"

sleep 1000 &
plain=$!
started+=("$plain")
until_true grep -q sleep "/proc/$plain/comm"
want 1 "$numaslab" stat $plain
said "numaslab stat: process $plain (sleep) does not run on numaslab"

bash -c 'sleep 0.5 & echo $! >"$0"; exec sleep 1000' "$work/pid" &
started+=("$!")
until_true test -s "$work/pid"
zombie=$(cat "$work/pid")
zombied() { [ "$(awk '{ print $3 }' "/proc/$zombie/stat")" = Z ]; }
until_true zombied
want 1 "$numaslab" stat "$zombie"
said "numaslab stat: process $zombie (sleep) has ended"

hold "$numaslab" run --
want 1 "$helpers/without" process_vm_readv "$numaslab" stat "$held"
complains "^numaslab stat: process $held \(hold\) may not be read: Operation"
[ "$(wc -l <<<"$err")" = 1 ] || fail "not one line: $err"

# Another user's: ours for somebody else, or the first process for us.
if [ "$(id -u)" = 0 ]; then
	chmod 755 "$work"
	cp "$numaslab" "$work/numaslab"
	want 1 setpriv --reuid=65534 --regid=65534 --clear-groups \
		"$work/numaslab" stat "$held"
	said "numaslab stat: process $held (hold) belongs to another user,\
 $(id -nu)"
else
	want 1 "$numaslab" stat 1
	complains '^numaslab stat: process 1 \(.*\) belongs to another user, '
fi
finish
