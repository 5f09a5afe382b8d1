#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Forks while threads allocate, and threads that come and go.
. "$(dirname "$0")/lib.sh"

say "1000 forks of a process whose threads all allocate"
run ours "$(helper forks)" 1000 2>"$work/forks.err" ||
	fail "forks: status $?: $(cat "$work/forks.err")"
say "100000 threads"
run ours "$(helper churn)" 100000 2>"$work/churn.err" ||
	fail "churn: status $?: $(cat "$work/churn.err")"
silent "$work/forks.err" "$work/churn.err"
