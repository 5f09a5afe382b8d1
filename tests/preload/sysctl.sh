#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The programs still run under vm.overcommit_memory=2, where what is committed
# is what is charged, and with a low vm.max_map_count.  Both are the whole
# machine's: only root can set them, and the test runs after the others.
. "$(dirname "$0")/lib.sh"
. "$tests/small.sh"

[ "$(id -u)" = 0 ] || not_here "only root can set vm.overcommit_memory"

# set_vm NAME VALUE: until this test ends.
set_vm() {
	undo+=("echo $(cat "/proc/sys/vm/$1") >/proc/sys/vm/$1")
	echo "$2" >"/proc/sys/vm/$1" || fail "vm.$1 cannot be set"
	[ "$(cat "/proc/sys/vm/$1")" = "$2" ] || fail "vm.$1 is not $2"
}

# The plain runs first, while the machine is as it was.
within=()
for name in python perl sqlite git gcc redis memcached postgres; do
	doing="$name, plain"
	small_$name plain >"$work/$name.plain"
done

say "vm.max_map_count=1000"
set_vm max_map_count 1000
small_all
undo_all

say "vm.overcommit_memory=2"
set_vm overcommit_ratio 90
set_vm overcommit_memory 2
start charged ours sleep 60
until_true "sleep starts" grep -q " $lib\$" "/proc/$pid/maps"
charged=$(awk '/^Size:/ { size = $2 } /^VmFlags:.* ac/ { sum += size }
	END { print sum }' "/proc/$pid/smaps")
finish "$pid"
say "an idle process is charged $charged kB"
[ "$charged" -lt 32768 ] || fail "that is over 32 MB"
small_all
