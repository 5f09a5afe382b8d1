#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# numaslab topology: of described machines, of pretended nodes, and of this.
. "$(dirname "$0")/lib.sh"

# is EXPECTED: all of $out behind the first line, which names the source.
is() {
	[ "$(tail -n +2 <<<"$out")" = "$1" ] ||
		depth=1 fail "not:"$'\n'"$1"$'\n'"but:"$'\n'"$out"
}

machines=$top/tests/topo/machines
want 0 env HWLOC_XMLFILE="$machines/cpuless.xml" "$numaslab" topology
said ''
shows '^source: hwloc 2\.[0-9.]+, from HWLOC_XMLFILE, not this machine$'
is 'policy: local

node     memory allowed    CPUs
0        953.7M yes        0
1        953.7M yes        1
2        953.7M yes        2
3        953.7M yes        0-2

distances
node     0    1    2    3
0       10   21   31   21
1       21   10   21   21
2       31   21   10   21
3       21   21   21   10

spill order
0        0    3    1    2
1        1    3    2    0
2        2    3    1    0
3        3    0    1    2

node  kind   capacity  latency       bandwidth
0     DRAM     953.7M        -     90000 MiB/s
1     DRAM     953.7M        -     90000 MiB/s
2     DRAM     953.7M        -     90000 MiB/s
3     CXL      953.7M        -     60000 MiB/s

preference, by the node of the thread; = is a tie
0     0=3=1=2
1     1=3=2=0
2     2=3=1=0
3     3=0=1=2'

# A description without sizes.
want 0 env HWLOC_XMLFILE="$machines/two.xml" NUMASLAB_POLICY=interleave \
	"$numaslab" topology
shows '^policy: interleave$'
shows '^1 +0 yes +1$'
shows '^0 +10 +32$'

want 0 env HWLOC_XMLFILE="$machines/four-latency.xml" "$numaslab" topology
shows '^0 +0 +2 +3 +1$'
want 0 env HWLOC_XMLFILE="$machines/eight.xml" "$numaslab" topology
shows '^5 +22 +16 +22 +22 +16 +10 +22 +16$'
shows '^5 +5 +7 +1 +4 +6 +0 +2 +3$'

want 0 env HWLOC_SYNTHETIC='group:2 numa:2 core:2 pu:1' "$numaslab" topology
shows '^source: hwloc 2\.[0-9.]+, from HWLOC_SYNTHETIC, not this machine$'
shows '^3 +1\.0G yes +6-7$'
shows '^2 +2 +3 +0 +1$'
want 0 env HWLOC_SYNTHETIC='numa:2(indexes=5,900) core:1 pu:1' \
	"$numaslab" topology
shows '^node +5 +900$'
shows '^900 +900 +5$'
want 0 env HWLOC_SYNTHETIC='numa:1 core:2 pu:1' "$numaslab" topology
! grep -q distances <<<"$out" || fail "one node has distances: $out"

want 0 env NUMASLAB_FAKE_NODES=3 "$numaslab" topology
shows '^source: NUMASLAB_FAKE_NODES: counted apart, bound to nothing$'
shows '^2 +22 +21 +10$'
shows '^1 +1 +2 +0$'

# Tiers, and how their ties are broken; both sizes of blocks.
"$top/numa-tests/machine" xml hbm >"$work/hbm.xml"
export HWLOC_XMLFILE=$work/hbm.xml
want 0 env NUMASLAB_POLICY=bandwidth "$numaslab" topology
shows '^2 +HBM +256\.0M +120 ns +409600 MiB/s$'
shows '^1 +3=2 1=0$'
want 0 env NUMASLAB_POLICY=latency "$numaslab" topology
shows '^3 +1=0 3=2$'
want 0 env NUMASLAB_POLICY=weighted-interleave "$numaslab" topology
shows '^turns 2 3 0 2 3 1 2 3 2 3$'
want 0 env NUMASLAB_POLICY='small=local large=interleave:hbm threshold=1M' \
	"$numaslab" topology
shows '^preference of blocks of 1\.0M or more$'
shows '^0 +2=3 0=1$'
shows '^turns 2 3$'
unset HWLOC_XMLFILE

# This machine, as the kernel has it.
want 0 "$numaslab" topology
said ''
shows '^source: hwloc 2\.[0-9.]+, from the kernel$'
here=$(sed -n 's/^node//p' < <(cd /sys/devices/system/node 2>/dev/null &&
	printf '%s\n' node[0-9]*) | sort -n)
listed=$(awk '/^node/ { on = 1; next } /^$/ { if (on) exit }
	on { print $1 }' <<<"$out")
[ -z "$here" ] || [ "$listed" = "$here" ] || fail "nodes $here: $out"

# A malformed policy is named once.
want 0 env NUMASLAB_POLICY=bind=x "$numaslab" topology
said 'numaslab: NUMASLAB_POLICY=bind=x: expected a node number at position 6;'\
' local holds'
finish
