# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# lib.sh - what the tests of the numaslab command share; sourced, never run.
#
#   try COMMAND...       run it: $status, $out and $err are what came of it
#   want STATUS COMMAND...	the same, and the status must be that
#   said TEXT            $err is this line (or lines), exactly
#   hold [WORD...]       start a program on numaslab that holds memory and
#                        waits, through the command WORD...: $held is its pid
set -eu
unset LD_PRELOAD NUMASLAB_POLICY NUMASLAB_FAKE_NODES NUMASLAB_STATS
unset HWLOC_XMLFILE HWLOC_SYNTHETIC HWLOC_FSROOT HWLOC_COMPONENTS
export LC_ALL=C

top=${top_srcdir:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
build=${top_builddir:-$PWD}
numaslab=$build/numaslab
library=$build/.libs/libnumaslab_malloc.so.0
helpers=$build/tests/tools
held_bytes=4000000
failures=0
started=()

work=$(mktemp -d "${TMPDIR:-/tmp}/numaslab-tools.XXXXXX")

clean() {
	for pid in "${started[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap clean EXIT
trap 'exit 1' INT TERM HUP

fail() {
	printf '%s:%s: %s\n' "$0" "${BASH_LINENO[${depth:-0}]}" "$*" >&2
	failures=$((failures + 1))
}

try() {
	status=0
	"$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
	out=$(cat "$work/out")
	err=$(cat "$work/err")
}

want() {
	local wanted=$1

	shift
	try "$@"
	[ "$status" = "$wanted" ] || depth=1 fail \
		"exit status $status, not $wanted, of: $*"$'\n'"$out$err"
}

said() {
	[ "$err" = "$1" ] || depth=1 fail "stderr is not: $1"$'\n'"but: $err"
}

# A pattern of grep -E in stdout or in stderr.
shows() {
	grep -Eq -e "$1" <<<"$out" ||
		depth=1 fail "stdout has no: $1"$'\n'"$out"
}

complains() {
	grep -Eq -e "$1" <<<"$err" ||
		depth=1 fail "stderr has no: $1"$'\n'"$err"
}

# until_true COMMAND...: wait for it, half a minute at most.
until_true() {
	local n

	for ((n = 0; n < 600; n++)); do
		if "$@" >/dev/null 2>&1; then
			return 0
		fi
		sleep 0.05
	done
	depth=1 fail "never came true: $*"
}

hold() {
	local program=${program:-$helpers/hold}

	: >"$work/ready"
	"$@" "$program" $held_bytes >"$work/ready" &
	held=$!
	started+=("$held")
	until_true grep -q ready "$work/ready"
}

# cell COLUMN ROW: of the table in $out.
cell() {
	awk -v column="$1" -v row="$2" '
		!at { for (i = 1; i <= NF; i++) if ($i == column) at = i; next }
		$1 == row { print $at; exit }' <<<"$out"
}

finish() {
	[ $failures = 0 ] || exit 1
}
