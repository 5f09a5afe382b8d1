-- SPDX-License-Identifier: BSD-2-Clause
pragma journal_mode = off;
pragma synchronous = off;
pragma cache_size = -65536;
create table account (id integer primary key, owner text, balance int);
begin;
with recursive n(i) as (select 1 union all select i + 1 from n
	where i < 1000000)
insert into account select i, printf('owner %d of %x', i * 7919 % 1000003, i),
	i * 31 % 10007 from n;
create index account_owner on account(owner);
create table big as select balance % 101 as grp, count(*) as n,
	sum(balance) as total, group_concat(id) as ids from account group by 1;
commit;
update account set owner = owner || ' changed' where id % 50 = 0;
select count(*), sum(balance), min(owner), max(owner) from account;
select grp, n, total, length(ids) from big order by grp limit 20;
select count(*) from account a join account b on b.id = a.id + 1
	where a.balance > b.balance;
