-- SPDX-License-Identifier: BSD-2-Clause
set client_min_messages = warning;
set work_mem = '8MB';
create table t as select i as id, i % 97 as grp, 'name ' || i * 7919 % 30011
	as name, repeat(md5(i::text), i % 20) as body
	from generate_series(1, 30000) i;
create index on t (name);
create index on t using gin (to_tsvector('simple', name));
analyze t;
select count(*), sum(length(body)), md5(string_agg(body, '' order by id)) from t;
select grp, count(*), max(name) from t group by grp order by grp limit 5;
select count(*) from t a join t b on a.name = b.name;
select md5(string_agg(name, ',' order by name, id)) from t;
select md5(jsonb_agg(jsonb_build_object('id', id, 'name', name)
	order by id)::text) from t;
do $$ declare n int := 0; begin
	for i in 1..2000 loop
		begin
			n := n + 1 / (i % 2);
		exception when division_by_zero then
			n := n - 1;
		end;
	end loop;
	raise notice 'n is %', n;
end $$;
delete from t where id % 3 = 0;
vacuum full t;
select count(*), sum(hashtext(name)) from t;
