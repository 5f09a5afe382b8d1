#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# numaslab run --policy: what is wrong, and where.
. "$(dirname "$0")/lib.sh"

# wrong POLICY POSITION WHY
wrong() {
	want 2 "$numaslab" run --policy "$1" -- echo ran
	said "numaslab run: --policy $1: $3 at position $2
    $1
    $(printf '%*s' $(($2 - 1)) '')^"
	[ -z "$out" ] || fail "it ran: $out"
}

words='expected local, bind, preferred, preferred-many, interleave, '
words+='weighted-interleave, latency, bandwidth or capacity'
wrong '' 1 "$words"
wrong lokal 3 "$words"
wrong bnid=0 2 "$words"
wrong local,0 6 'nothing may follow here'
wrong interleave= 12 'expected a node number'
wrong capacity=0 9 'nothing may follow here'
wrong bind=0@2 7 'only weighted-interleave has weights'
wrong 'small=local large=interleave:x' 30 'expected a node number'
wrong 'local threshold=1K' 17 'the least threshold is 64K'
wrong bind 5 'expected = and a node'
wrong bind= 6 'expected a node number'
wrong bind=0,x 8 'expected a node number'
wrong bind=0-x 8 'expected a node number'
wrong bind=0x 7 'expected a list such as 0,2-3 or all'
wrong bind=3-1 8 'the range runs backwards'
wrong bind=1024 6 'node number above 1023'
wrong preferred=0,1 12 'only one node can be preferred'
wrong preferred=all 11 'expected a node number'

# Nodes that this machine cannot have, or that were not pretended.
wrong bind=1023 6 'there is no such node'
wrong preferred=1023 11 'there is no such node'
for n in 65 4x 99999999999; do
	NUMASLAB_FAKE_NODES=$n wrong bind=60 6 'there is no such node'
done
export NUMASLAB_FAKE_NODES=4
wrong bind=4 6 'there is no such node'
wrong bind=0,1,2-4 10 'there is no such node'
wrong bind=0-1,7,9 10 'there is no such node'

wrong 'small=local large=bind:1,5' 26 'there is no such node'
wrong bind=hbm 6 'this process may not use any such node'
wrong latency 1 'this machine does not tell that of its memory'

for policy in local interleave bind=0 bind=0,2-3 bind=all preferred=3 \
	capacity interleave:0-2 preferred-many=1,3 weighted-interleave=0@3,1 \
	bind=allowed 'small=local large=interleave:0-3 threshold=16M'; do
	want 0 "$numaslab" run --policy "$policy" -- \
		sh -c 'echo "$NUMASLAB_POLICY"'
	[ "$out" = "$policy" ] || fail "NUMASLAB_POLICY: $out"
	said ''
done

# It is more than a variable: memory comes from that node.
hold "$numaslab" run --policy preferred=2 --
want 0 "$numaslab" stat --bytes "$held"
[ "$(cell live_bytes 2)" -ge $held_bytes ] || fail "not on node 2: $out"
[ "$(cell live_bytes 0)" -lt $held_bytes ] || fail "on node 0: $out"
finish
