# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# lib.sh - what the preload tests share; sourced, never run.
#
# A test runs a real program twice, plain and with the library preloaded, and
# compares what the two say.  Two words describe how a program is run:
#
#   $1 of run, start: "plain" (the C library's malloc) or "ours" (preloaded);
#   within=(...):     a prefix for "ours": a limit, a filter, a namespace.
#                     Every word of it must exec the next, so that the process
#                     started is the program itself.
#
# Everything a test makes is under $work, and every process it starts is in
# the array pids: both are gone when it ends, however it ends.

set -eu
unset LD_PRELOAD MAKEFLAGS MFLAGS MAKELEVEL NUMASLAB_POLICY
export LC_ALL=C TZ=UTC

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$tests/../.." && pwd)
build=${NUMASLAB_BUILD:-${top_builddir:-$PWD}}
self=$(basename "$0" .sh)
doing=
pids=()
undo=()
within=()

say() {
	printf '%s: %s\n' "$self" "$*"
}

fail() {
	say "FAIL: $*" >&2
	exit 1
}

# not_here WHY: automake's exit code for a test that this user cannot run.
not_here() {
	say "SKIP: $*"
	exit 77
}

# stop PID: ask it to end, insist after five seconds.
stop() {
	local n=0

	kill -TERM "$1" 2>/dev/null || return 0
	while kill -0 "$1" 2>/dev/null && [ $n -lt 100 ]; do
		sleep 0.05
		n=$((n + 1))
	done
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# What the test changed outside of $work is put back, the last first.
undo_all() {
	local i

	for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
		eval "${undo[i]}"
	done
	undo=()
}

cleanup() {
	local status=$? pid

	trap '' INT TERM
	set +e
	for pid in "${pids[@]}"; do
		stop "$pid"
	done
	undo_all
	if [ $status -ne 0 ] && [ $status -ne 77 ]; then
		say "FAIL: exit $status${doing:+ in: $doing}" >&2
		tail -n 20 "$work"/*.log "$work"/*.err >&2 2>/dev/null
	fi
	rm -rf "$work"
	exit $status
}

work=$(mktemp -d "${TMPDIR:-/tmp}/numaslab-$self.XXXXXX")
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 755 "$work"

# The library is copied: the build may be where another user cannot look.
lib=${NUMASLAB_LIB:-$build/.libs/libnumaslab_malloc.so}
[ -e "$lib" ] || fail "no library at $lib (set NUMASLAB_LIB or NUMASLAB_BUILD)"
cp -L "$lib" "$work/$(basename "$lib")"
lib=$work/$(basename "$lib")
chmod 755 "$lib"

# helper NAME: the path of a program that this folder builds.
helper() {
	local path=$build/tests/preload/$1

	[ -x "$path" ] || fail "$path is not built: make check builds it"
	echo "$path"
}

need() {
	local tool

	for tool in "$@"; do
		command -v "$tool" >/dev/null ||
			fail "$tool is missing: scripts/deps installs it"
	done
}

# run plain|ours COMMAND...: run it; the caller sees its output and status.
run() {
	local how=$1

	shift
	if [ "$how" = ours ]; then
		"${within[@]}" env LD_PRELOAD="$lib" "$@"
	else
		"$@"
	fi
}

# start NAME plain|ours COMMAND...: run in the background.  Sets $pid; what it
# prints goes to $work/NAME.log.
start() {
	local name=$1 how=$2

	shift 2
	if [ "$how" = ours ]; then
		"${within[@]}" env LD_PRELOAD="$lib" "$@" \
			>"$work/$name.log" 2>&1 </dev/null &
	else
		"$@" >"$work/$name.log" 2>&1 </dev/null &
	fi
	pid=$!
	pids+=("$pid")
}

# finish PID: end a server that start() started, and wait for it.
finish() {
	local one left=()

	stop "$1"
	for one in "${pids[@]}"; do
		[ "$one" = "$1" ] || left+=("$one")
	done
	pids=("${left[@]}")
}

# until_true WHAT COMMAND...: try for up to 30 s.
until_true() {
	local what=$1 n=0

	shift
	until "$@" >/dev/null 2>&1; do
		n=$((n + 1))
		[ $n -lt 300 ] || fail "$what: not after 30 s"
		sleep 0.1
	done
}

# loaded PID: the library really is in that process.
loaded() {
	grep -q " $lib\$" "/proc/$1/maps" ||
		fail "the library is not in process $1 ($(cat "/proc/$1/comm"))"
}

rss_kb() {
	awk '/^Rss:/ { print $2 }' "/proc/$1/smaps_rollup"
}

maps_of() {
	wc -l <"/proc/$1/maps"
}

# same NAME: what the two runs said, in $work/NAME.plain and NAME.ours.
same() {
	[ -s "$work/$1.plain" ] || fail "$1: the plain run said nothing"
	cmp "$work/$1.plain" "$work/$1.ours" || {
		diff "$work/$1.plain" "$work/$1.ours" | head -n 20 >&2
		fail "$1: the results differ from those without preload"
	}
}

# both NAME FUNCTION: run FUNCTION plain and FUNCTION ours, compare the output.
both() {
	say "$1"
	if [ ! -e "$work/$1.plain" ]; then
		doing="$1, plain"
		"$2" plain >"$work/$1.plain"
	fi
	doing="$1, preloaded"
	"$2" ours >"$work/$1.ours"
	doing=
	same "$1"
}

# silent FILE...: the library said nothing in any of them.
silent() {
	if grep -n 'numaslab: ' "$@"; then
		fail "the library wrote to standard error"
	fi
}

# as_nobody COMMAND...: PostgreSQL refuses root; any other user is itself.
if [ "$(id -u)" = 0 ]; then
	as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --)
	give_nobody() {
		chown -R 65534:65534 "$@"
	}
else
	as_nobody=()
	give_nobody() {
		:
	}
fi

python=/usr/bin/python3
[ -x $python ] || python=python3
