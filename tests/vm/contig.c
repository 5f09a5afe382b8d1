/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages in a row: where they come from, how they lie, and what they refuse. */
#include "tests/vm/row.h"

#include <limits.h>

#define N VM_ALLOC_NORMAL

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

int
main(void)
{
	static struct machine plain = { .purge_now = false };
	static struct machine small = { .limit = 32ul << 20 };
	static struct machine two = { .nodes = 2 };
	static struct machine big_pages = { .page_size = 16384,
					    .purge_now = true };

	CASE(rows, &plain);
	CASE(rows, &big_pages);
	CASE(gaps, &small);
	CASE(rows_of_objects, &two);
	return test_done();
}
