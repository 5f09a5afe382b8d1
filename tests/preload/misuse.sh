#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A pointer that cannot be freed ends the program with SIGABRT and exactly
# one line, which names it.
. "$(dirname "$0")/lib.sh"

misuse=$(helper misuse)
# A core file of each would only fill the disk.
ulimit -c 0
count=0
for case in $("$misuse" --list); do
	status=0
	# The braces take what bash says of it.
	{
		env LD_PRELOAD="$lib" "$misuse" "$case" >"$work/out" \
			2>"$work/err" || status=$?
	} 2>/dev/null
	pointer=$(cat "$work/out")
	lines=$(wc -l <"$work/err")
	say "$case: $(cat "$work/err")"
	[ "$status" = 134 ] || fail "$case: status $status, not SIGABRT's 134"
	[ "$lines" = 1 ] || fail "$case: $lines lines on standard error"
	grep -q '^numaslab: ' "$work/err" || fail "$case: not our line"
	grep -qE "$pointer([^0-9a-f]|\$)" "$work/err" ||
		fail "$case: the line does not name $pointer"
	count=$((count + 1))
done
[ "$count" -ge 20 ] || fail "only $count cases"
