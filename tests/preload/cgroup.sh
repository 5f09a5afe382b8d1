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
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
	group=/sys/fs/cgroup/$name
	file=memory.max
	grep -qw memory /sys/fs/cgroup/cgroup.controllers ||
		not_here "no memory controller"
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
elif [ -f /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
	group=/sys/fs/cgroup/memory/$name
	file=memory.limit_in_bytes
else
	not_here "no memory cgroup is mounted"
fi
mkdir "$group" 2>/dev/null || not_here "cgroups are read-only here"
undo+=("rmdir $group")
[ -f "$group/$file" ] || not_here "no memory controller for a child group"
echo "$limit" >"$group/$file"

# shellcheck disable=SC2016
within=(bash -c 'echo $$ >"$1" && shift && exec "$@"' --
	"$group/cgroup.procs")
small_all

say "redis-server, evicting"
start redis ours redis-server --port 0 --save '' --maxmemory 80mb \
	--maxmemory-policy allkeys-lru --dir "$work" \
	--unixsocket "$work/redis.sock"
until_true "redis listens" test -S "$work/redis.sock"
loaded "$pid"
grep -q "^$pid\$" "$group/cgroup.procs" || fail "redis is not in the cgroup"
for size in 100 3000 900 12000 40 5000; do
	redis-benchmark -s "$work/redis.sock" -q -n 40000 -r 1000000 -P 8 \
		-d "$size" -t set >/dev/null
	say "values of $size: $(rss_kb "$pid") kB resident"
done
[ "$(redis-cli -s "$work/redis.sock" ping)" = PONG ] ||
	fail "redis-server was killed"
finish "$pid"
silent "$work/redis.log"
