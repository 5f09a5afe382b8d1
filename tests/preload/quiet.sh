#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Nothing is printed at start, and start-up is a handful of system calls.
. "$(dirname "$0")/lib.sh"
need strace

for program in true 'ls /' 'sh -c :' 'git --version' 'perl -e 1' \
	'redis-server --version' 'memcached -V' 'sqlite3 -version'; do
	# shellcheck disable=SC2086
	run ours $program >/dev/null 2>"$work/err" || fail "$program failed"
	[ ! -s "$work/err" ] || fail "$program: said $(cat "$work/err")"
done

# calls LIBRARY: how many system calls `true` makes with it preloaded.
calls() {
	strace -f -o "$work/trace" -E LD_PRELOAD="$1" true
	grep -cvE '^[0-9]+ (\+\+\+|---)' "$work/trace"
}

none=$(calls '')
ours=$(calls "$lib")
mv "$work/trace" "$work/trace.ours"
say "system calls of true: $none alone, $ours with numaslab"
for peer in /usr/lib/*/libjemalloc.so.2 /usr/lib/*/libmimalloc.so.2.0 \
	/usr/lib/*/libtcmalloc_minimal.so.4; do
	[ ! -e "$peer" ] || say "  $(calls "$peer") with $(basename "$peer")"
done
if grep -E 'open(at)?\(.*(/sys/devices|hwloc|libnuma\.)' "$work/trace.ours" >&2; then
	fail "a short-lived child reads the machine's topology"
fi
if grep -E ' (clone|clone3|fork|vfork)\(' "$work/trace.ours" >&2; then
	fail "a short-lived child starts a thread"
fi
[ $((ours - none)) -le 40 ] || {
	cat "$work/trace.ours" >&2
	fail "$((ours - none)) more system calls than without, over 40"
}
