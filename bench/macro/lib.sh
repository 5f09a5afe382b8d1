# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the scenarios of bench/compare --macro share.
#
# A scenario is run with BENCH_PRELOAD, the library to put under the program
# that is measured (empty: none), and BENCH_BUILD, the build tree.  It writes
# one line for each thing it measures,
#
#	metric NAME VALUE higher|lower
#
# of which the last word says what is better.
set -eu

parts=${BENCH_PARTS:-1}
dir=$(mktemp -d)
server=
trap finish EXIT

finish() {
	stop_server
	rm -rf "$dir"
}

need() {
	local program

	for program; do
		command -v "$program" >/dev/null || {
			echo "$0: $program is not installed" >&2
			exit 2
		}
	done
	[ "$parts" -gt 0 ] || exit 0
}

# part N: that part of N.
part() {
	echo $(($1 / parts))
}

metric() {
	echo "metric $1 $2 $3"
}

# time_command NAME COMMAND...: its wall and CPU time, and its peak memory.
time_command() {
	local name=$1 wall cpu rss status
	shift

	"$BENCH_BUILD/bench/start" -o "$dir/time" 1 "x=$BENCH_PRELOAD" -- \
	    "$@" >"$dir/log" 2>&1
	read -r _ wall _ _ cpu rss status <"$dir/time"
	if [ "$status" -ne 0 ]; then
		cat "$dir/log" >&2
		echo "$0: $1 exits with $status" >&2
		exit 1
	fi
	metric "${name}_wall_s" "$(seconds "$wall" 1000000000)" lower
	metric "${name}_cpu_s" "$(seconds "$cpu" 1000000)" lower
	metric "${name}_rss_mb" "$(seconds "$rss" 1024)" lower
}

seconds() {
	awk -v n="$1" -v d="$2" 'BEGIN { printf "%.4f", n / d }'
}

# start_server COMMAND...: in the background, with the library.
start_server() {
	LD_PRELOAD=$BENCH_PRELOAD "$@" >"$dir/server.log" 2>&1 &
	server=$!
}

# wait_for COMMAND...: until it succeeds, ten seconds at most.
wait_for() {
	local i

	for ((i = 0; i < 100; i++)); do
		if "$@" >/dev/null 2>&1; then
			return
		fi
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	cat "$dir/server.log" >&2
	echo "$0: the server did not start" >&2
	exit 1
}

# server_cost NAME: what the server has used so far.
server_cost() {
	local ticks peak

	ticks=$(awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$server/stat")
	peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$server/status")
	metric "${1}_cpu_s" "$(seconds "$ticks" "$(getconf CLK_TCK)")" lower
	metric "${1}_peak_mb" "$(seconds "$peak" 1024)" lower
}

server_rss() {
	metric "$1" "$(seconds "$(awk '/^VmRSS/ { print $2 }' \
	    "/proc/$server/status")" 1024)" lower
}

stop_server() {
	[ -n "$server" ] || return 0
	kill "$server" 2>/dev/null || :
	wait "$server" 2>/dev/null || :
	server=
}
