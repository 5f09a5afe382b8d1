/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that are longer, in a row, at a place of their own, never freed or
 * left out of core dumps.
 */
#include "tests/vm/vm_test.h"

#include <limits.h>

#define N VM_ALLOC_NORMAL

static vm_object_t
make(vm_pindex_t size, size_t page_size, bool contiguous)
{
	struct vm_object_attr attr = { .size = size,
				       .domain = VM_DOMAIN_HOME,
				       .page_size = page_size,
				       .contiguous = contiguous };
	vm_object_t o = vm_object_create(&attr);

	REQUIRE(o != NULL);
	return o;
}

static void
check_all(void)
{
	struct ns_vm_node *n;

	ns_vm_for_each (n)
		if (n->used)
			ns_vm_check((unsigned)(n - ns_vm_nodes));
}

/* Every page size: allocated, written, found, freed, cached, and back. */
static void
one_size(size_t size)
{
	vm_object_t o = make(1000, size, false), p = make(1000, 0, false);
	vm_page_t m, k;

	CHECK_EQ(vm_object_page_size(o), size);
	CHECK_EQ(vm_object_addr(o), NULL);
	VM_OBJECT_WLOCK(o);
	VM_OBJECT_WLOCK(p);
	for (vm_pindex_t i = 0; i < 40; i++) {
		m = vm_page_alloc(o, i, N | VM_ALLOC_ZERO);
		REQUIRE(m != NULL);
		CHECK_EQ(vm_page_length(m), size);
		CHECK_EQ((uintptr_t)vm_page_addr(m) % size, 0);
		if ((vm_page_flags(m) & PG_ZERO) != 0)
			CHECK(all_zero(vm_page_addr(m), size));
		memset(vm_page_addr(m), (int)i + 1, size);
		CHECK_EQ(vm_page_of(vm_page_addr(m)), m);
		CHECK_EQ(vm_page_of((char *)vm_page_addr(m) + size - 1), m);
		vm_page_valid(m);
	}
	for (vm_pindex_t i = 0; i < 40; i++) {
		m = vm_page_lookup(o, i);
		CHECK_EQ(*(char *)vm_page_addr(m), (char)i + 1);
		CHECK_EQ(((char *)vm_page_addr(m))[size - 1], (char)i + 1);
		if (i % 2 == 0)
			vm_page_cache(m);
		else
			vm_page_free(m);
	}
	m = vm_page_alloc(o, 2, N | VM_ALLOC_IFCACHED);
	REQUIRE(m != NULL);
	CHECK_EQ(*(char *)vm_page_addr(m), 3);
	CHECK_EQ(vm_page_rename(m, o, 900), 0);
	/* A page goes where pages are as long, only. */
	k = vm_page_alloc_noobj(N);
	REQUIRE(k != NULL);
	CHECK_EQ(vm_page_length(k), vm_page_size());
	if (size != vm_page_size()) {
		CHECK_ERRNO(vm_page_insert(k, o, 5), -1, EINVAL);
		CHECK_ERRNO(vm_page_rename(m, p, 5), -1, EINVAL);
	} else {
		CHECK_EQ(vm_page_rename(m, p, 5), 0);
		CHECK_EQ(vm_page_rename(m, o, 900), 0);
	}
	vm_page_free(k);
	vm_page_xunbusy(m);
	VM_OBJECT_WUNLOCK(p);
	VM_OBJECT_WUNLOCK(o);
	check_all();
	vm_object_destroy(o);
	vm_object_destroy(p);
	check_all();
}

static void
sizes(void *arg)
{
	struct vm_object_attr attr = { .size = 1, .domain = VM_DOMAIN_HOME };

	boot(arg);
	for (size_t size = vm_page_size(); size <= 1ul << 20; size *= 2)
		one_size(size);
	attr.page_size = 2ul << 20;
	CHECK_ERRNO(vm_object_create(&attr), NULL, EINVAL);
	attr.page_size = vm_page_size() / 2;
	CHECK_ERRNO(vm_object_create(&attr), NULL, EINVAL);
	attr.page_size = 3 * vm_page_size();
	CHECK_ERRNO(vm_object_create(&attr), NULL, EINVAL);
}

static size_t
drain_object(vm_object_t o, vm_pindex_t *at, int class)
{
	size_t n = 0;
	vm_page_t m;

	while ((m = vm_page_alloc(o, *at, class)) != NULL) {
		*(vm_pindex_t *)vm_page_addr(m) = *at;
		++*at;
		n++;
	}
	CHECK_EQ(errno, ENOMEM);
	return n;
}

/* A full node has the watermarks for long pages as well, to the page. */
static void
marks_of_long_pages(void *arg)
{
	struct ns_vm_stat st;
	vm_pindex_t at = 0;
	unsigned node;
	vm_object_t o;
	vm_page_t m;
	size_t size;

	boot(arg);
	size = 4 * vm_page_size();
	o = make(1 << 20, size, false);
	node = (unsigned)(ns_vm_node(0, 2) - ns_vm_nodes);
	VM_OBJECT_WLOCK(o);
	CHECK(drain_object(o, &at, VM_ALLOC_NORMAL) > 0);
	ns_vm_stat(node, &st);
	CHECK_EQ(drain_object(o, &at, VM_ALLOC_SYSTEM), st.low - st.interrupt);
	CHECK_EQ(drain_object(o, &at, VM_ALLOC_INTERRUPT), st.interrupt);
	for (vm_pindex_t i = 0; i < at; i++)
		CHECK_EQ(*(vm_pindex_t *)vm_page_addr(vm_page_lookup(o, i)), i);
	/* A cached one is taken, and another of the object back. */
	m = vm_page_lookup(o, 0);
	vm_page_valid(m);
	for (vm_pindex_t i = 0; i <= st.low; i++) {
		m = vm_page_lookup(o, i);
		vm_page_valid(m);
		vm_page_cache(m);
	}
	CHECK_ERRNO(vm_page_alloc(o, at, N | VM_ALLOC_NORECLAIM), NULL, ENOMEM);
	m = vm_page_alloc(o, at, N);
	REQUIRE(m != NULL);
	CHECK_EQ(vm_page_length(m), size);
	CHECK_ERRNO(vm_page_alloc(o, 0, N | VM_ALLOC_IFCACHED), NULL, ENOENT);
	for (vm_pindex_t i = 0; i <= at; i++)
		if ((m = vm_page_lookup(o, i)) != NULL)
			vm_page_xunbusy(m);
	VM_OBJECT_WUNLOCK(o);
	check_all();
	vm_object_destroy(o);
	check_all();
}

/* @n pages from @m on are in a row, distinct, and as asked for. */
static void
check_row(vm_page_t m, size_t n, size_t align, size_t boundary)
{
	char *base = vm_page_addr(m);
	size_t size = vm_page_length(m);
	vm_page_t k;

	CHECK_EQ((uintptr_t)base % align, 0);
	if (boundary != 0)
		CHECK_EQ((uintptr_t)base / boundary,
			 ((uintptr_t)base + n * size - 1) / boundary);
	for (size_t i = 0; i < n; i++) {
		k = vm_page_of(base + i * size);
		REQUIRE(k != NULL);
		CHECK_EQ(vm_page_addr(k), base + i * size);
		*(vm_page_t *)vm_page_addr(k) = k;
	}
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(*(vm_page_t *)(void *)(base + i * size),
			 vm_page_of(base + i * size));
}

static void
free_row(vm_page_t m, size_t n)
{
	char *base = vm_page_addr(m);
	size_t size = vm_page_length(m);

	/* In another order than they came. */
	for (size_t i = 0; i < n; i += 2)
		vm_page_free(vm_page_of(base + i * size));
	for (size_t i = 1; i < n; i += 2)
		vm_page_free(vm_page_of(base + i * size));
}

static void
rows(void *arg)
{
	static const struct {
		size_t n, align, boundary; /* in pages */
	} row[] = {
		{ 1, 1, 0 },   { 2, 1, 0 },     { 3, 2, 4 },
		{ 16, 16, 0 }, { 17, 1, 32 },   { 100, 64, 128 },
		{ 511, 1, 0 }, { 512, 512, 0 }, { 513, 1, 0 },
		{ 700, 4, 0 }, { 1500, 1, 0 },  { 1500, 2048, 4096 },
		{ 4, 1, 4 },   { 2, 1024, 2 },
	};
	vm_page_t m[NS_ARRAY_LEN(row)], other[64];
	size_t size;

	boot(arg);
	size = vm_page_size();
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < NS_ARRAY_LEN(row); i++) {
			m[i] = vm_page_alloc_contig(NULL, 0, NORMAL, row[i].n,
						    row[i].align * size,
						    row[i].boundary * size);
			REQUIRE(m[i] != NULL);
			check_row(m[i], row[i].n, row[i].align * size,
				  row[i].boundary * size);
			if (i < 64)
				other[i] = vm_page_alloc_noobj(N);
		}
		check_all();
		for (size_t i = 0; i < NS_ARRAY_LEN(row); i++) {
			free_row(m[i], row[i].n);
			vm_page_free(other[i]);
		}
		check_all();
	}
}

/* A gap among pages in use is found, when there is nothing else. */
static void
gaps(void *arg)
{
	struct set s = { NULL, 0, 0 };
	char *base;
	vm_page_t m;
	size_t i, at;

	boot(arg);
	drain(&s, 0, NORMAL);
	drain(&s, 0, SYSTEM);
	drain(&s, 0, INTERRUPT);
	CHECK_ERRNO(vm_page_alloc_contig(NULL, 0, NORMAL, 5, 1, 0), NULL,
		    ENOMEM);
	/* Every other page: no two in a row. */
	for (i = 0; i < s.n; i++) {
		at = (size_t)((char *)vm_page_addr(s.page[i]) - ns_base) /
		     vm_page_size();
		if (at % 2 == 0)
			continue;
		vm_page_free(s.page[i]);
		s.page[i--] = s.page[--s.n];
	}
	CHECK_ERRNO(vm_page_alloc_contig(NULL, 0, NORMAL, 2, 1, 0), NULL,
		    ENOMEM);
	m = vm_page_alloc_contig(NULL, 0, NORMAL, 1, 1, 0);
	REQUIRE(m != NULL);
	vm_page_free(m);
	/* Four more somewhere in the middle: nine in a row. */
	base = (char *)((uintptr_t)vm_page_addr(s.page[s.n / 2]) &
			-(16 * vm_page_size()));
	for (i = 0; i < 16; i++)
		if ((m = vm_page_of(base + i * vm_page_size())) != NULL)
			for (at = 0; at < s.n; at++)
				if (s.page[at] == m) {
					vm_page_free(m);
					s.page[at--] = s.page[--s.n];
				}
	m = vm_page_alloc_contig(NULL, 0, NORMAL, 9, 1, 0);
	REQUIRE(m != NULL);
	check_row(m, 9, 1, 0);
	check_all();
	free_row(m, 9);
	/* INTERRUPT finds it as well, unless a magazine has part of it. */
	ns_vm_mag_drain(&ns_vm_nodes[0]);
	m = vm_page_alloc_contig(NULL, 0, INTERRUPT, 9, 1, 0);
	REQUIRE(m != NULL);
	free_row(m, 9);
	set_free(&s);
	free(s.page);
	check_all();
}

static void
rows_of_objects(void *arg)
{
	vm_object_t o;
	vm_page_t m;
	size_t size;
	int saved;

	boot(arg);
	o = make(100, 2 * vm_page_size(), false);
	size = vm_object_page_size(o);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc_contig(o, 10, N | VM_ALLOC_WIRED, 20, 4 * size, 0);
	REQUIRE(m != NULL);
	check_row(m, 20, 4 * size, 0);
	for (vm_pindex_t i = 0; i < 20; i++) {
		vm_page_t k = vm_page_lookup(o, 10 + i);

		CHECK_EQ(vm_page_addr(k), (char *)vm_page_addr(m) + i * size);
		CHECK_EQ(vm_page_wired(k), true);
		CHECK_EQ(vm_page_xbusied(k), true);
		vm_page_unwire(k, PQ_NONE);
	}
	CHECK_EQ(vm_object_resident(o), 20);
	/* All or none. */
	CHECK_ERRNO(vm_page_alloc_contig(o, 5, N, 6, size, 0), NULL, EEXIST);
	CHECK_EQ(vm_page_lookup(o, 5), NULL);
	CHECK_ERRNO(vm_page_alloc_contig(o, 95, N, 6, size, 0), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc_contig(o, 40, N, 0, size, 0), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc_contig(o, 40, N, 2, 3, 0), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc_contig(o, 40, N, 2, 0, 0), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc_contig(o, 40, N, 2, size, 3), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc_contig(o, 40, N, 2, size, size), NULL,
		    EINVAL);
	CHECK_ERRNO(
	    vm_page_alloc_contig(o, 40, N | VM_ALLOC_IFCACHED, 2, size, 0),
	    NULL, EINVAL);
	CHECK_ERRNO(
	    vm_page_alloc_contig(o, 40, N | VM_ALLOC_NOFREE, 2, size, 0), NULL,
	    EINVAL);
	CHECK_ERRNO(vm_page_alloc_contig(o, 40, 0, 2, size, 0), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc_contig(NULL, 0, NORMAL, ULONG_MAX, 1, 0),
		    NULL, ENOMEM);
	CHECK_ERRNO(vm_page_alloc_contig_domain(o, 40, 999, N, 2, size, 0),
		    NULL, EINVAL);
	/* What is cached there goes. */
	m = vm_page_alloc(o, 50, N);
	vm_page_valid(m);
	vm_page_cache(m);
	m = vm_page_alloc_contig_domain(o, 49, 1, N | VM_ALLOC_SBUSY, 3, size,
					0);
	REQUIRE(m != NULL);
	CHECK_EQ(vm_page_domain(m), 1);
	CHECK_EQ(vm_page_flags(vm_page_lookup(o, 50)) & PG_VALID, 0);
	CHECK_EQ(vm_page_sbusied(m), true);
	for (vm_pindex_t i = 49; i < 52; i++)
		vm_page_sunbusy(vm_page_lookup(o, i));
	for (vm_pindex_t i = 10; i < 30; i++)
		vm_page_xunbusy(vm_page_lookup(o, i));
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);

	errno = saved = 77;
	m = vm_page_alloc_noobj_contig(N | VM_ALLOC_ZERO | VM_ALLOC_WAITOK, 33,
				       vm_page_size(), 0);
	REQUIRE(m != NULL);
	CHECK(all_zero(vm_page_addr(m), 33 * vm_page_size()));
	memset(vm_page_addr(m), 1, 33 * vm_page_size());
	free_row(m, 33);
	m = vm_page_alloc_noobj_contig_domain(1, N | VM_ALLOC_ZERO, 33,
					      vm_page_size(), 0);
	REQUIRE(m != NULL);
	CHECK(all_zero(vm_page_addr(m), 33 * vm_page_size()));
	CHECK_EQ(vm_page_domain(m), 1);
	free_row(m, 33);
	CHECK_EQ(errno, saved);
	CHECK_ERRNO(vm_page_alloc_noobj_contig_domain(-1, N, 1, 1, 0), NULL,
		    EINVAL);
	CHECK_ERRNO(vm_page_alloc_noobj_contig(
			N | VM_ALLOC_WAITOK | VM_ALLOC_NOWAIT, 1, 1, 0),
		    NULL, EINVAL);
	check_all();
}

/* A contiguous object: every page at its place, whatever happens to it. */
static void
one_segment(vm_pindex_t size, size_t page, vm_pindex_t step)
{
	vm_object_t o = make(size, page, true);
	char *base = vm_object_addr(o);
	vm_page_t m;

	REQUIRE(base != NULL);
	CHECK_EQ((uintptr_t)base % page, 0);
	VM_OBJECT_WLOCK(o);
	for (int round = 0; round < 3; round++) {
		for (vm_pindex_t i = 0; i < size; i += step) {
			m = vm_page_alloc(o, i, N | VM_ALLOC_ZERO);
			REQUIRE(m != NULL);
			CHECK_EQ(vm_page_addr(m), base + i * page);
			CHECK_EQ(vm_page_length(m), page);
			CHECK_EQ(vm_page_of(base + i * page + page - 1), m);
			if (round == 0)
				CHECK((vm_page_flags(m) & PG_ZERO) != 0);
			if ((vm_page_flags(m) & PG_ZERO) != 0)
				CHECK(all_zero(vm_page_addr(m), page));
			memset(vm_page_addr(m), 0x5a, page);
			vm_page_valid(m);
		}
		for (vm_pindex_t i = 0; i < size; i += step) {
			m = vm_page_lookup(o, i);
			if (i % 3 == 0) {
				vm_page_cache(m);
				m = vm_page_alloc(o, i, N | VM_ALLOC_IFCACHED);
				REQUIRE(m != NULL);
				CHECK_EQ(*(char *)vm_page_addr(m), 0x5a);
			}
			vm_page_free(m);
			CHECK_EQ(vm_page_of(base + i * page), NULL);
		}
		CHECK_EQ(vm_object_resident(o), 0);
	}
	/* Left behind: one in use, one cached. */
	m = vm_page_alloc(o, 0, N | VM_ALLOC_NOBUSY);
	CHECK_EQ(vm_page_addr(m), base);
	if (size > 1) {
		m = vm_page_alloc(o, size - 1, N);
		CHECK_EQ(vm_page_addr(m), base + (size - 1) * page);
		vm_page_valid(m);
		vm_page_cache(m);
	}
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	check_all();
}

static void
segments(void *arg)
{
	struct ns_pool_stat before, after;
	vm_object_t o;
	size_t page;
	vm_page_t m;

	boot(arg);
	page = vm_page_size();
	one_segment(1, page, 1);
	one_segment(512, page, 1);
	one_segment(513, page, 1);
	one_segment(5000, page, 7);
	one_segment(70, 16 * page, 1);
	one_segment(5, 1ul << 20, 1);
	ns_pool_stat(0, &before);
	one_segment(1 << 20, page, 1 << 14);
	ns_pool_stat(0, &after);
	CHECK(after.used <= before.used + 4 * NS_EXTENT);

	/* Rows are as the addresses are. */
	o = make(100, page, true);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc_contig(o, 8, N, 16, page, 0);
	REQUIRE(m != NULL);
	CHECK_EQ(vm_page_addr(m), (char *)vm_object_addr(o) + 8 * page);
	check_row(m, 16, page, 0);
	CHECK_ERRNO(vm_page_alloc_contig(o, 31, N, 4, 2 * page, 0), NULL,
		    EINVAL);
	CHECK_ERRNO(vm_page_alloc_contig(o, 31, N, 2, page, 2 * page), NULL,
		    EINVAL);
	/* Nothing comes in, nor from another node. */
	m = vm_page_alloc_noobj(N);
	CHECK_ERRNO(vm_page_insert(m, o, 50), -1, EINVAL);
	vm_page_free(m);
	CHECK_ERRNO(vm_page_alloc_domain(o, 50, 999, N), NULL, EINVAL);
	m = vm_page_lookup(o, 8);
	CHECK_ERRNO(vm_page_rename(m, o, 50), -1, EINVAL);
	for (vm_pindex_t i = 8; i < 24; i++)
		vm_page_xunbusy(vm_page_lookup(o, i));
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	check_all();
}

/* What is too long fails, at once and without a trace. */
static void
segment_bounds(void *arg)
{
	struct vm_object_attr attr = { .size = UINT64_MAX,
				       .domain = VM_DOMAIN_HOME,
				       .contiguous = true };
	struct ns_pool_stat before, after;

	boot(arg);
	ns_pool_stat(0, &before);
	CHECK_ERRNO(vm_object_create(&attr), NULL, ENOMEM);
	attr.size = 1ul << 40;
	CHECK_ERRNO(vm_object_create(&attr), NULL, ENOMEM);
	attr.size = (64ul << 20) / vm_page_size(); /* more than the limit */
	CHECK_ERRNO(vm_object_create(&attr), NULL, ENOMEM);
	ns_pool_stat(0, &after);
	CHECK(after.used <= before.used + NS_UNIT);
}

/* A page of a contiguous object is in no queue, whatever is asked for. */
static void
no_queue(void *arg)
{
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(10, 0, true);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc(o, 3, N);
	vm_page_activate(m);
	CHECK_EQ(vm_page_active(m), false);
	vm_page_deactivate(m);
	CHECK_EQ(vm_page_inactive(m), false);
	vm_page_dirty(m);
	vm_page_launder(m);
	CHECK_EQ(vm_page_in_laundry(m), false);
	vm_page_xunbusy(m);
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	check_all();
}

static void
do_free(void *m)
{
	vm_page_free(m);
}

static void
do_cache(void *m)
{
	vm_page_valid(m);
	vm_page_cache(m);
}

static void
do_remove(void *m)
{
	vm_page_remove(m);
}

static void
do_replace(void *arg)
{
	vm_page_t m = arg;

	vm_page_replace(vm_page_alloc_noobj(N), vm_page_object(m),
			vm_page_pindex(m), m);
}

static void
never_freed(void *arg)
{
	struct ns_vm_node *n = &ns_vm_nodes[0];
	vm_page_t m[3000];
	vm_object_t o;

	boot(arg);
	for (size_t i = 0; i < NS_ARRAY_LEN(m); i++) {
		m[i] = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_NOFREE);
		REQUIRE(m[i] != NULL);
		CHECK((vm_page_flags(m[i]) & PG_NOFREE) != 0);
		*(size_t *)vm_page_addr(m[i]) = i;
		/* Others come and go, elsewhere. */
		vm_page_free(vm_page_alloc(NULL, 0, NORMAL));
	}
	for (size_t i = 0; i < NS_ARRAY_LEN(m); i++)
		CHECK_EQ(*(size_t *)vm_page_addr(m[i]), i);
	CHECK_EQ(n->nnofree >= NS_ARRAY_LEN(m), true);
	CHECK_EQ(n->npages - n->nnofree < 1024, true);
	CHECK_ABORTS(do_free, m[0], "it was allocated never to be freed");
	o = make(4, 0, false);
	VM_OBJECT_WLOCK(o);
	m[0] = vm_page_alloc(o, 0, N | VM_ALLOC_NOFREE);
	CHECK_ABORTS(do_free, m[0], "vm_page_free: page");
	CHECK_ABORTS(do_cache, m[0], "it was allocated never to be freed");
	VM_OBJECT_WUNLOCK(o);
	ns_vm_check(0);
}

/* A full node gives ordinary pages for it, and keeps its watermarks. */
static void
never_freed_when_full(void *arg)
{
	struct set s = { NULL, 0, 0 };
	struct ns_vm_stat st;
	vm_page_t m;

	boot(arg);
	drain(&s, 0, NORMAL);
	ns_vm_stat(0, &st);
	CHECK_EQ(held(0), st.low);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_NOFREE), NULL,
		    ENOMEM);
	m = vm_page_alloc(NULL, 0, SYSTEM | VM_ALLOC_NOFREE);
	REQUIRE(m != NULL);
	CHECK((vm_page_flags(m) & PG_NOFREE) != 0);
	m = vm_page_alloc(NULL, 0, INTERRUPT | VM_ALLOC_NOFREE);
	REQUIRE(m != NULL);
	CHECK((vm_page_flags(m) & PG_NOFREE) != 0);
	ns_vm_check(0);
}

static void
fixed_pages(void *arg)
{
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(10, 0, true);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc(o, 3, N);
	CHECK_ABORTS(do_remove, m, "vm_page_remove: page");
	CHECK_ABORTS(do_remove, m, "its object is contiguous");
	CHECK_ABORTS(do_replace, m, "vm_page_replace: page");
	VM_OBJECT_WUNLOCK(o);
	o = make(10, 2 * vm_page_size(), false);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc(o, 3, N);
	CHECK_ABORTS(do_replace, m, "it is of another size");
	VM_OBJECT_WUNLOCK(o);
}

/* Has the kernel "dd" (do not dump) for this address in its VmFlags? */
static bool
is_left_out(const void *addr)
{
	char line[256];
	unsigned long from, to;
	bool here = false, dd = false;
	FILE *f = fopen("/proc/self/smaps", "r");

	REQUIRE(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (uintptr_t)addr >= from && (uintptr_t)addr < to;
		if (here && strncmp(line, "VmFlags:", 8) == 0)
			dd = strstr(line, " dd ") != NULL;
	}
	fclose(f);
	return dd;
}

static void
dumps(void *arg)
{
	char *addr;
	vm_page_t m;
	vm_object_t o;

	boot(arg);
	m = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_NODUMP);
	REQUIRE(m != NULL);
	addr = vm_page_addr(m);
	CHECK((vm_page_flags(m) & PG_NODUMP) != 0);
	CHECK(is_left_out(addr));
	vm_page_free(m);
	/* The same page, from the magazine. */
	m = vm_page_alloc(NULL, 0, NORMAL);
	CHECK_EQ(vm_page_addr(m), addr);
	CHECK((vm_page_flags(m) & PG_NODUMP) == 0);
	CHECK(!is_left_out(addr));
	vm_page_free(m);
	/* A row of them, and back to the pool; then malloc's or another's. */
	m = vm_page_alloc_contig(NULL, 0, NORMAL | VM_ALLOC_NODUMP, 2048,
				 vm_page_size(), 0);
	REQUIRE(m != NULL);
	addr = vm_page_addr(m);
	CHECK(is_left_out(addr + 2047 * vm_page_size()));
	free_row(m, 2048);
	CHECK(!is_left_out(addr + 100 * vm_page_size()));

	o = make(600, 0, true);
	addr = vm_object_addr(o);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc(o, 599, N | VM_ALLOC_NODUMP);
	vm_page_xunbusy(m);
	CHECK(is_left_out(vm_page_addr(m)));
	CHECK(!is_left_out(addr));
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	CHECK(!is_left_out(addr + 599 * vm_page_size()));
}

/* The hint: one growth for all of them. */
static void
counts(void *arg)
{
	uint64_t pages;
	vm_page_t m[301];

	boot(arg);
	CHECK_EQ(ns_vm_count(VM_ALLOC_COUNT(0)), 0);
	CHECK_EQ(ns_vm_count(NORMAL | VM_ALLOC_COUNT(300)), 300);
	CHECK_EQ(ns_vm_count(NORMAL | VM_ALLOC_COUNT(100000)), 2047);
	m[0] = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_COUNT(300));
	REQUIRE(m[0] != NULL);
	pages = ns_vm_nodes[0].npages;
	CHECK(pages > 300);
	for (int i = 1; i <= 300; i++)
		m[i] = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_COUNT(300 - i));
	CHECK_EQ(ns_vm_nodes[0].npages, pages);
	for (int i = 0; i <= 300; i++)
		vm_page_free(m[i]);
	ns_vm_check(0);
}

int
main(void)
{
	static struct machine plain = { .purge_now = false };
	static struct machine small = { .limit = 32ul << 20 };
	static struct machine two = { .nodes = 2 };
	static struct machine purged = { .purge_now = true };
	static struct machine big_pages = { .page_size = 16384,
					    .purge_now = true };

	CASE(sizes, &plain);
	CASE(sizes, &big_pages);
	CASE(marks_of_long_pages, &small);
	CASE(rows, &plain);
	CASE(rows, &big_pages);
	CASE(gaps, &small);
	CASE(rows_of_objects, &two);
	CASE(segments, &purged);
	CASE(segments, &big_pages);
	CASE(segment_bounds, &small);
	CASE(no_queue, &plain);
	CASE(never_freed, &plain);
	CASE(never_freed_when_full, &small);
	CASE(fixed_pages, &plain);
	CASE(dumps, &plain);
	CASE(counts, &plain);
	return test_done();
}
