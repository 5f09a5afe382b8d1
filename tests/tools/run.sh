#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# numaslab run: environment, arguments, exit status.
. "$(dirname "$0")/lib.sh"

# The program takes the command's place, with the library of this build.
want 0 "$numaslab" run -- env
shows "^LD_PRELOAD=$library\$"
! grep -q '^NUMASLAB_' <<<"$out" || fail "a policy out of nowhere: $out"
said ''
want 0 env LD_PRELOAD=/usr/lib/none.so "$numaslab" run env
shows "^LD_PRELOAD=$library:/usr/lib/none.so\$"
want 0 "$numaslab" run --policy interleave -- env
shows '^NUMASLAB_POLICY=interleave$'
want 0 "$numaslab" run cat /proc/self/maps
shows 'libnumaslab_malloc'

# Whatever follows the command is the command's.
want 0 "$numaslab" run printf '%s|' --stats 'a b' '' --policy
[ "$out" = '--stats|a b||--policy|' ] || fail "arguments: $out"
want 0 "$numaslab" run -- printf '%s|' -- -x
[ "$out" = '--|-x|' ] || fail "arguments: $out"

# As a shell.
: >"$work/plain"
mkdir "$work/directory"
mkdir -m 0 "$work/locked"
for stats in '' --stats; do
	# shellcheck disable=SC2086
	run() { want "$1" "$numaslab" run $stats -- "${@:2}"; }
	run 127 "$work/no-such-program"
	said "numaslab run: $work/no-such-program: No such file or directory"
	run 127 no-such-program
	said "numaslab run: no-such-program: No such file or directory"
	PATH=$work/locked:$PATH run 127 no-such-program
	said "numaslab run: no-such-program: No such file or directory"
	PATH=$work:$PATH run 126 plain
	said "numaslab run: plain: Permission denied"
	run 126 "$work/plain"
	said "numaslab run: $work/plain: Permission denied"
	run 126 "$work/directory"
	said "numaslab run: $work/directory: Permission denied"
	run 0 true
	run 7 sh -c 'exit 7'
	run 255 sh -c 'exit 255'
	run 143 sh -c 'kill -TERM $$'
	run 137 sh -c 'kill -KILL $$'
done

# A library that is elsewhere: beside the command, in ../lib, or missing.
mkdir -p "$work/tree/bin" "$work/tree/lib" "$work/a b"
cp "$numaslab" "$work/tree/bin/"
cp "$library" "$work/tree/lib/"
cp "$numaslab" "$library" "$work/a b/"
want 0 "$work/tree/bin/numaslab" run env
shows "^LD_PRELOAD=$work/tree/bin/../lib/libnumaslab_malloc.so.0\$"
want 1 "$work/a b/numaslab" run env
said "numaslab run: $work/a b/libnumaslab_malloc.so.0 cannot be preloaded: \
its path has a space or a colon"
finish
