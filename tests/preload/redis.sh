#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# redis-server, which is linked against jemalloc: taken over wholly, the same
# answers, true figures, and memory that comes back.
. "$(dirname "$0")/lib.sh"
. "$tests/small.sh"
need redis-benchmark

cli() {
	redis-cli -s "$work/redis.sock" "$@"
}

# info FIELD: a number of INFO memory.
info() {
	cli info memory | tr -d '\r' | awk -F: -v f="$1" '$1 == f { print $2 }'
}

redis() { # NAME plain|ours [OPTION...]
	local name=$1 how=$2

	shift 2
	start "$name" "$how" redis-server --port 0 --save '' --dir "$work" \
		--unixsocket "$work/redis.sock" "$@"
	until_true "redis answers" ready
	[ "$how" = plain ] || loaded "$pid"
}

ready() {
	[ "$(cli ping)" = PONG ]
}

persistence() {
	cli info persistence | grep -q "$1"
}

# 1. The same answers: every data type, the server's own word on its memory
# (defragmentation included), a saved and reloaded database.
answers() {
	redis "answers-$1" "$1"
	redis_script 3000 | cli
	cli memory doctor
	cli memory purge
	cli config set activedefrag yes 2>&1
	cli config get activedefrag
	cli save
	cli bgsave
	until_true "bgsave" persistence rdb_bgsave_in_progress:0
	persistence last_bgsave_status:ok
	finish "$pid"
	redis "reload-$1" "$1"
	cli dbsize
	for key in l:1 x:1 b:2 p:0 s:100; do
		cli dump $key
	done
	cli sort u:3 alpha
	finish "$pid"
	rm "$work/dump.rdb"
}

# 2. Every allocation call of the server and its libraries binds to us.
bindings() {
	local calls='malloc|calloc|realloc|free|posix_memalign|aligned_alloc'

	calls+='|memalign|valloc|malloc_usable_size|malloc_stats_print'
	calls+='|mallctl[a-z]*|[a-z]*allocx'
	env LD_PRELOAD="$lib" LD_BIND_NOW=1 LD_DEBUG=bindings \
		LD_DEBUG_OUTPUT="$work/bindings" redis-server --version \
		>/dev/null
	grep -hE "symbol \`($calls)'" "$work"/bindings.* >"$work/bound"
	if grep -vF " to $lib " "$work/bound" >"$work/elsewhere"; then
		head -n 5 "$work/elsewhere" >&2
		fail "allocation calls are bound elsewhere"
	fi
	for call in malloc free mallctl malloc_usable_size; do
		grep -q "redis-server \[0\] to $lib .*\`$call'" "$work/bound" ||
			fail "redis-server's $call is not ours"
	done
}

# near A B PERCENT: A and B differ by at most that.
near() {
	awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN {
		d = a > b ? a - b : b - a; exit !(d * 100 <= b * p) }'
}

# The server samples its figures ten times a second, and only then: wait for
# a sample taken after the work.
settled() {
	sleep 0.5
}

# 3. 200 MB come and go.
memory() {
	local start_kb used allocated active resident rss peak maps

	redis memory ours
	start_kb=$(rss_kb "$pid")
	redis-benchmark -s "$work/redis.sock" -q -n 40000 -r 1000000 -d 3000 \
		-P 8 -t set >/dev/null
	for type in rpush sadd hset zadd lpush; do
		redis-benchmark -s "$work/redis.sock" -q -n 100000 -r 1000000 \
			-P 8 -d 200 -t $type >/dev/null
	done
	settled
	used=$(info used_memory)
	[ "$used" -gt 180000000 ] || fail "only $used bytes were filled in"
	allocated=$(info allocator_allocated)
	active=$(info allocator_active)
	resident=$(info allocator_resident)
	rss=$(info used_memory_rss)
	peak=$(rss_kb "$pid")
	maps=$(maps_of "$pid")
	say "used $used allocated $allocated active $active" \
		"resident $resident rss $rss ($peak kB), $maps mappings"
	near "$rss" $((peak * 1024)) 5 ||
		fail "used_memory_rss is not what the kernel says"
	near "$allocated" "$used" 5 ||
		fail "allocator_allocated is not what redis counted"
	[ "$allocated" -le "$active" ] || fail "allocated is above active"
	[ "$active" -le "$resident" ] || fail "active is above resident"
	near "$resident" "$rss" 10 || fail "resident is not near the RSS"
	near "$rss" "$used" 25 || fail "the RSS is not near what is used"
	[ "$maps" -lt 400 ] || fail "$maps mappings"
	cli memory stats | grep -q allocator.allocated ||
		fail "no allocator figures in MEMORY STATS"
	[ "$(cli memory usage mylist)" -gt 1000000 ] || fail "MEMORY USAGE"
	[ -n "$(cli memory malloc-stats)" ] || fail "no MEMORY MALLOC-STATS"

	# A snapshot by a forked child while the parent writes.
	cli bgsave >/dev/null
	redis-benchmark -s "$work/redis.sock" -q -n 20000 -r 1000000 -d 3000 \
		-P 8 -t set,incr,lpop,spop >/dev/null
	until_true "bgsave" persistence rdb_bgsave_in_progress:0
	persistence last_bgsave_status:ok ||
		fail "BGSAVE failed"

	cli flushall >/dev/null
	cli memory purge >/dev/null
	for _ in $(seq 75); do
		[ "$(rss_kb "$pid")" -ge 30000 ] || break
		sleep 0.2
	done
	rss=$(rss_kb "$pid")
	say "RSS: $start_kb kB at start, $peak kB full, $rss kB flushed"
	[ "$rss" -lt 30000 ] || fail "$rss kB are still resident after FLUSHALL"
	settled
	[ "$(info used_memory)" -lt 5000000 ] || fail "used_memory is not back"
	near "$(info used_memory_rss)" $((rss * 1024)) 10 ||
		fail "used_memory_rss is wrong after FLUSHALL"
	finish "$pid"
	rm "$work/dump.rdb"
	silent "$work"/*.log
}

# 4. The benchmark's own tests; then with threads that read, write and free,
# evicting, with a log that is rewritten.
benchmark() {
	redis benchmark ours
	redis-benchmark -s "$work/redis.sock" --csv -n 5000 -r 20000 -c 30 \
		-P 4 -d 500 >"$work/benchmark"
	[ "$(grep -c '^"' "$work/benchmark")" -ge 20 ] ||
		fail "redis-benchmark did not finish its tests"
	finish "$pid"

	redis threads ours --appendonly yes --appendfsync no \
		--io-threads 2 --io-threads-do-reads yes \
		--lazyfree-lazy-user-del yes --lazyfree-lazy-eviction yes \
		--maxmemory 30mb --maxmemory-policy allkeys-lru
	redis-benchmark -s "$work/redis.sock" -q -n 20000 -r 20000 -c 20 \
		-P 4 -d 2000 -t set,get,incr,mset >"$work/benchmark"
	cli bgrewriteaof >/dev/null
	until_true "the rewrite" persistence aof_rewrite_in_progress:0
	persistence aof_last_bgrewrite_status:ok || fail "BGREWRITEAOF failed"
	finish "$pid"
	silent "$work"/*.log
}

for part in bindings memory benchmark; do
	say "$part"
	doing=$part
	"$part"
done
both answers answers
