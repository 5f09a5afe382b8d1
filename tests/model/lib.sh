# SPDX-License-Identifier: BSD-2-Clause
# tests/model/lib.sh - runs a model, and one for each mistake planted in it.
# shellcheck shell=bash
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/numaslab-model.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

command -v spin >/dev/null || { echo "model: spin is not installed"; exit 1; }

# verify MODEL NAME DEFINES...: runs pan, leaves its report in NAME.out
verify() {
	local model=$1 name=$2
	shift 2
	spin -a "$@" "$here/$model.pml" >"$name.spin"
	"${CC:-gcc}" -O2 -w -DSAFETY -DCOLLAPSE -o "$name.pan" pan.c
	./"$name.pan" -m100000 >"$name.out"
}

# check MODEL BUGS DEFINES...: exhausts its interleavings without an error, and
# sees that each of its planted mistakes, 1 to BUGS, is found.
check() {
	local model=$1 bugs=$2 bug
	shift 2
	verify "$model" right "$@"
	grep -q 'errors: 0' right.out || {
		echo "$model: the protocol fails:"
		cat right.out
		exit 1
	}
	if grep -q 'error: max search depth' right.out; then
		echo "$model: not exhausted"
		exit 1
	fi
	grep -E 'states, stored|errors:' right.out

	for ((bug = 1; bug <= bugs; bug++)); do
		verify "$model" "bug$bug" "$@" "-DBUG=$bug"
		if grep -q 'errors: 0' "bug$bug.out"; then
			echo "$model: planted mistake $bug was not found"
			exit 1
		fi
		echo "planted mistake $bug: found"
	done
}
