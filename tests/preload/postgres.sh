#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# PostgreSQL: a cluster made and run by an ordinary user, pgbench for 30
# seconds with 8 clients, and the sums that every transaction must keep.
. "$(dirname "$0")/lib.sh"
. "$tests/small.sh"

db=(-h "$work/pg" -U postgres)

sql() {
	"$pg/psql" -XqAt "${db[@]}" -d bench -v ON_ERROR_STOP=1 -c "$1"
}

pg_create ours
pg_start ours -c shared_buffers=64MB -c max_connections=40
server=$pid
loaded "$server"
"$pg/createdb" "${db[@]}" bench
run ours "$pg/pgbench" "${db[@]}" -i -q -s 5 bench 2>"$work/init.log"
[ "$(sql 'select count(*) from pgbench_accounts')" = 500000 ] ||
	fail "pgbench -i filled in another number of accounts"

# The processes that the server forked have the library too.
seen=0
# shellcheck disable=SC2013
for child in $(cat "/proc/$server/task/$server/children"); do
	if grep -qaE 'checkpointer|background writer|walwriter' \
		"/proc/$child/cmdline" 2>/dev/null; then
		loaded "$child"
		seen=$((seen + 1))
	fi
done
[ $seen = 3 ] || fail "saw $seen of the server's 3 lasting processes"

say "pgbench for 30 s"
run ours "$pg/pgbench" "${db[@]}" -T "${SECONDS_OF_PGBENCH:-30}" -c 8 -j 2 bench \
	>"$work/pgbench.out" 2>"$work/pgbench.log"
count=$(awk '/^number of transactions actually processed:/ { print $NF }' \
	"$work/pgbench.out")
grep -q '^number of failed transactions: 0 ' "$work/pgbench.out" ||
	fail "pgbench counted failed transactions"
[ "$count" -gt 0 ] || fail "pgbench processed nothing"
say "$count transactions"
[ "$(sql 'select count(*) from pgbench_history')" = "$count" ] ||
	fail "history does not hold the $count transactions"
sql 'select (select sum(abalance) from pgbench_accounts) =
	(select sum(delta) from pgbench_history),
	(select sum(bbalance) from pgbench_branches) =
	(select sum(delta) from pgbench_history),
	(select sum(tbalance) from pgbench_tellers) =
	(select sum(delta) from pgbench_history)' >"$work/sums"
[ "$(cat "$work/sums")" = 't|t|t' ] || fail "the sums differ: $(cat "$work/sums")"
say "prepared statements, many connections"
run ours "$pg/pgbench" "${db[@]}" -n -M prepared -S -C -t 25 -c 16 -j 2 bench \
	>"$work/pgbench.out" 2>>"$work/pgbench.log"
grep -q 'processed: 400/400' "$work/pgbench.out" ||
	fail "select-only transactions were lost"
say "parallel query, vacuum, reindex"
sql "set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0;
	set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;
	select count(*), sum(hashtext(filler || aid)) from pgbench_accounts" \
	>"$work/query.ours"
sql 'reindex table pgbench_accounts'
sql 'vacuum full pgbench_accounts'
pid=$server
pg_stop
silent "$work"/*.log

# The same cluster under the C library's malloc says the same.
pg_start plain
sql "select count(*), sum(hashtext(filler || aid)) from pgbench_accounts" \
	>"$work/query.plain"
pg_stop
same query

both sql small_postgres
