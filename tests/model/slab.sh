#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Exhausts the interleavings of slab.pml, and sees that it finds what is planted.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/numaslab-model.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

command -v spin >/dev/null || { echo "model: spin is not installed"; exit 1; }

# verify NAME DEFINES...: runs pan, leaves its report in NAME.out
verify() {
	local name=$1
	shift
	spin -a "$@" "$here/slab.pml" >"$name.spin"
	"${CC:-gcc}" -O2 -w -DSAFETY -DCOLLAPSE -o "$name.pan" pan.c
	./"$name.pan" -m100000 >"$name.out"
}

verify right -DOBJS=2 -DSTEPS=3
grep -q 'errors: 0' right.out || {
	echo "model: the protocol fails:"
	cat right.out
	exit 1
}
if grep -q 'error: max search depth' right.out; then
	echo "model: not exhausted"
	exit 1
fi
grep -E 'states, stored|errors:' right.out

for bug in 1 2 3 4 5 6; do
	verify "bug$bug" -DOBJS=2 -DSTEPS=3 -DBUG=$bug
	if grep -q 'errors: 0' "bug$bug.out"; then
		echo "model: planted mistake $bug was not found"
		exit 1
	fi
	echo "planted mistake $bug: found"
done
