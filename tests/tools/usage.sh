#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The command line: what is wrong with it is said in one line, status 2.
. "$(dirname "$0")/lib.sh"

wrong() {
	local line=$1

	shift
	want 2 "$numaslab" "$@"
	said "numaslab$line"
	[ -z "$out" ] || fail "stdout: $out"
}

want 2 "$numaslab"
complains '^usage: numaslab COMMAND'
wrong ": unknown command 'rnu' (numaslab --help)" rnu
wrong " run: a command is expected" run
wrong " run: a command is expected" run --stats --
wrong " run: unknown option --colour" run --colour true
wrong " run: --policy wants an argument" run --policy
wrong " stat: one process number is expected" stat
wrong " stat: one process number is expected" stat 1 2
wrong " stat: 'redis' is not a process number" stat redis
wrong " stat: '12x' is not a process number" stat 12x
wrong " stat: '0' is not a process number" stat 0
wrong " stat: '99999999999' is not a process number" stat 99999999999
wrong " stat: unknown option --wide" stat --wide 1
wrong " stat: --interval wants an argument" stat --interval
wrong " stat: --interval 0: seconds are expected" stat --interval 0 1
wrong " stat: --interval x: seconds are expected" stat --interval x 1
wrong " stat: --interval 1s: seconds are expected" stat --interval 1s 1
wrong " topology: unexpected argument 'x'" topology x
wrong " doctor: unexpected argument '--x'" doctor --x

want 0 "$numaslab" --version
shows '^numaslab [0-9]+\.[0-9]+\.[0-9]+$'
want 0 "$numaslab" --help
shows '^usage: numaslab COMMAND'
for command in run stat topology doctor; do
	shows "^  $command "
done
for command in run stat topology doctor; do
	want 0 "$numaslab" $command --help
	shows "^usage: numaslab $command"
	said ''
done

# Output that is lost is no success.
if [ -w /dev/full ]; then
	status=0
	"$numaslab" --help >/dev/full 2>"$work/err" || status=$?
	err=$(cat "$work/err")
	[ "$status" = 1 ] || fail "status $status on a full disk"
	complains 'No space left on device'
fi
finish
