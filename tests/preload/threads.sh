#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Forks while threads allocate, and threads that come and go.
. "$(dirname "$0")/lib.sh"

say "1000 forks of a process whose threads all allocate"
run ours "$(helper forks)" 1000 2>"$work/forks.err" ||
	fail "forks: status $?: $(cat "$work/forks.err")"
say "threads of a child that fork() does not know of"
for _ in 1 2 3 4 5; do
	run ours "$(helper clone)" >/dev/null 2>"$work/clone.err" ||
		fail "clone: status $?: $(cat "$work/clone.err")"
done
say "100000 threads"
run ours "$(helper churn)" 100000 2>"$work/churn.err" ||
	fail "churn: status $?: $(cat "$work/churn.err")"
silent "$work/clone.err" "$work/forks.err" "$work/churn.err"
