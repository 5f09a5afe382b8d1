-- SPDX-License-Identifier: BSD-2-Clause
create table t (id integer primary key, grp int, name text, body blob);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000)
insert into t select i, i % 97, 'name ' || (i * 7919 % 30011), zeroblob(i % 300)
from n;
create index t_name on t(name);
create index t_grp on t(grp, name);
update t set body = hex(name) where id % 3 = 0;
delete from t where id % 11 = 0;
select count(*), sum(length(body)), min(name), max(name) from t;
select grp, count(*), group_concat(id) from t where grp < 3 group by grp;
select length(group_concat(name, ',')) from (select name from t order by name);
pragma integrity_check;
