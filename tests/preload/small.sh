# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2154,SC2012
#
# small.sh - each of the programs once, small; sourced after lib.sh by the
# tests that run them in a hostile environment (set `within`, call small_all).
#
# Each small_X prints only what must not depend on the allocator.

need sqlite3 perl git gcc make redis-server redis-cli memcached

pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$pg" ] || fail "PostgreSQL is missing: scripts/deps installs it"

small_python() {
	PYTHONMALLOC=malloc run "$1" "$python" -B "$tests/exercise.py" 1
}

small_perl() {
	run "$1" perl "$tests/exercise.pl" 20000
}

small_sqlite() {
	run "$1" sqlite3 :memory: <"$tests/small.sql"
}

small_git() {
	local dir=$work/git-$1

	rm -rf "$dir"
	mkdir "$dir"
	git_in() {
		run "$1" git -C "$dir" -c user.name=t -c user.email=t@t \
			-c gc.auto=0 "${@:2}"
	}
	git_in "$1" init -q -b main
	for i in 1 2 3; do
		seq "$i" 20000 >"$dir/numbers"
		cp "$tests"/*.sh "$dir"
		git_in "$1" add .
		GIT_AUTHOR_DATE="@$i +0000" GIT_COMMITTER_DATE="@$i +0000" \
			git_in "$1" commit -q -m "number $i"
	done
	git_in "$1" gc -q
	git_in "$1" fsck --full
	git_in "$1" rev-list --objects HEAD
}

small_gcc() {
	local dir=$work/gcc

	mkdir -p "$dir"
	cp "$tests/mcload.c" "$tests/refuse.c" "$dir"
	for how in -O0 '-O2 -g'; do
		for name in mcload refuse; do
			# shellcheck disable=SC2086
			(cd "$dir" && run "$1" gcc -D_GNU_SOURCE $how -c $name.c)
		done
		(cd "$dir" && sha256sum ./*.o)
	done
}

small_redis() {
	start redis "$1" redis-server --port 0 --save '' --appendonly no \
		--dir "$work" --unixsocket "$work/small.sock"
	until_true "redis listens" test -S "$work/small.sock"
	[ "$1" = plain ] || loaded "$pid"
	redis_script 500 | redis-cli -s "$work/small.sock"
	finish "$pid"
	silent "$work/redis.log"
}

small_memcached() {
	local user=()

	mkdir -p "$work/mc"
	rm -f "$work/mc/sock"
	give_nobody "$work/mc"
	[ "$(id -u)" != 0 ] || user=(-u nobody)
	start memcached "$1" memcached -s "$work/mc/sock" -m 64 -t 2 -c 64 \
		"${user[@]}"
	until_true "memcached listens" test -S "$work/mc/sock"
	[ "$1" = plain ] || loaded "$pid"
	"$(helper mcload)" "$work/mc/sock" 2 3000
	finish "$pid"
	silent "$work/memcached.log"
}

small_postgres() {
	pg_create "$1"
	pg_start "$1" -c shared_buffers=16MB -c max_connections=20
	[ "$1" = plain ] || loaded "$pid"
	run "$1" "$pg/psql" -XqAt -h "$work/pg" -U postgres -d postgres \
		-v ON_ERROR_STOP=1 -f "$tests/small.pg.sql"
	pg_stop
	silent "$work/postgres.log" "$work/initdb.log"
}

# pg_create plain|ours: a new cluster in $work/pg/data.
pg_create() {
	local saved=("${within[@]}")

	rm -rf "$work/pg"
	mkdir -p "$work/pg"
	give_nobody "$work/pg"
	within+=("${as_nobody[@]}")
	if [ "$1" = plain ]; then
		"${as_nobody[@]}" "$pg/initdb" -D "$work/pg/data" -U postgres \
			-A trust -N --no-locale -E UTF8 \
			>"$work/initdb.log" 2>&1 </dev/null
	else
		run ours "$pg/initdb" -D "$work/pg/data" -U postgres \
			-A trust -N --no-locale -E UTF8 \
			>"$work/initdb.log" 2>&1 </dev/null
	fi
	within=("${saved[@]}")
}

# pg_start plain|ours [-c NAME=VALUE]...: the server, on a unix socket only.
pg_start() {
	local saved=("${within[@]}") how=$1 args

	shift
	args=(-D "$work/pg/data" -k "$work/pg" -c listen_addresses=
		-c fsync=off "$@")
	within+=("${as_nobody[@]}")
	if [ "$how" = plain ]; then
		start postgres plain "${as_nobody[@]}" "$pg/postgres" "${args[@]}"
	else
		start postgres ours "$pg/postgres" "${args[@]}"
	fi
	within=("${saved[@]}")
	until_true "PostgreSQL answers" "$pg/psql" -XqAt -h "$work/pg" \
		-U postgres -d postgres -c 'select 1'
}

# pg_stop: a fast shutdown; the log must not tell of a crash.
pg_stop() {
	kill -INT "$pid"
	wait "$pid" || fail "PostgreSQL ended with status $?"
	finish "$pid"
	if grep -E 'PANIC|terminated by signal|corrupt|out of memory' \
		"$work/postgres.log" >&2; then
		fail "PostgreSQL's log tells of trouble"
	fi
}

# redis_script COUNT: commands over every data type whose answers are fixed.
redis_script() {
	awk -v n="$1" 'BEGIN {
		for (i = 1; i <= n; i++) {
			printf "SET s:%d %0*d\n", i, i % 500 + 1, i
			printf "APPEND s:%d tail\n", i % 97 + 1
			printf "INCRBY c:%d %d\n", i % 13, i
			printf "RPUSH l:%d a%d b%d c%d\n", i % 7, i, i * 3, i * 5
			printf "SADD u:%d %d x%d\n", i % 5, i * 11, i % 50
			printf "HSET h:%d f%d %d g%d v%d\n", i % 9, i % 300, i, \
				i, i
			printf "ZADD z:%d %d m%d\n", i % 3, i * 7919 % 1000, i
			printf "SETBIT b:%d %d 1\n", i % 4, i * 31
			printf "PFADD p:%d e%d\n", i % 2, i
			printf "XADD x:%d %d-1 k v%d\n", i % 2, i, i
			printf "GEOADD g 13.%d 38.%d p%d\n", i % 90, i % 70, i
			if (i % 10 == 0) {
				printf "LTRIM l:%d 5 -5\n", i % 7
				printf "DEL s:%d\n", i / 2
				printf "SPOP nothing\n"
				printf "GETRANGE s:%d 0 9\n", i
				printf "ZRANGEBYSCORE z:%d 100 120\n", i % 3
				printf "LRANGE l:%d 0 4\n", i % 7
				printf "SORT u:%d ALPHA LIMIT 0 9\n", i % 5
				printf "EVAL \"local s = 0 for i = 1, 1000 do s" \
					" = s + #tostring(i * %d) end return" \
					" s\" 0\n", i
			}
		}
		print "DBSIZE\nMULTI\nINCR t\nGET c:3\nEXEC"
		print "BITCOUNT b:1\nPFCOUNT p:0\nXLEN x:1\nHLEN h:4"
		print "SORT u:1 ALPHA\nZCARD z:0\nSTRLEN s:99\nLLEN l:3"
		print "GEODIST g p1 p2\nDUMP s:1\nDUMP x:0"
	}'
}

small_all() {
	both python small_python
	both perl small_perl
	both sqlite small_sqlite
	both git small_git
	both gcc small_gcc
	both redis small_redis
	both memcached small_memcached
	both postgres small_postgres
}
