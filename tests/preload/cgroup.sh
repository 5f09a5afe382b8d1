#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The programs still run in a memory cgroup of 256 MiB, and a redis-server
# that evicts stays below it under a long load.
. "$(dirname "$0")/lib.sh"
. "$tests/small.sh"
need redis-benchmark

[ "$(id -u)" = 0 ] || not_here "only root can make a cgroup"
limit=$((256 << 20))
name=numaslab-test-$$
group=
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
	file=memory.max
	parent=/sys/fs/cgroup
	(echo +memory >$parent/cgroup.subtree_control) 2>/dev/null || true
else
	file=memory.limit_in_bytes
	parent=/sys/fs/cgroup/memory
fi
# A machine without a memory cgroup that root can use has no such limit.
if mkdir "$parent/$name" 2>/dev/null; then
	undo+=("rmdir $parent/$name")
	if [ -f "$parent/$name/$file" ]; then
		group=$parent/$name
		echo "$limit" >"$group/$file"
		# shellcheck disable=SC2016
		within=(bash -c 'echo $$ >"$1" && shift && exec "$@"' --
			"$group/cgroup.procs")
	fi
fi
[ -n "$group" ] || say "no memory cgroup can be made here: no limit"
small_all

say "redis-server, evicting"
start redis ours redis-server --port 0 --save '' --maxmemory 80mb \
	--maxmemory-policy allkeys-lru --dir "$work" \
	--unixsocket "$work/redis.sock"
until_true "redis listens" test -S "$work/redis.sock"
loaded "$pid"
[ -z "$group" ] || grep -q "^$pid\$" "$group/cgroup.procs" ||
	fail "redis is not in the cgroup"
for size in 100 3000 900 12000 40 5000; do
	redis-benchmark -s "$work/redis.sock" -q -n 40000 -r 1000000 -P 8 \
		-d "$size" -t set >/dev/null
	say "values of $size: $(rss_kb "$pid") kB resident"
done
[ "$(redis-cli -s "$work/redis.sock" ping)" = PONG ] ||
	fail "redis-server was killed"
finish "$pid"
silent "$work/redis.log"
