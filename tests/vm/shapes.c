/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects of longer pages, and contiguous ones. */
#include "numaslab/kmem.h"
#include "tests/vm/row.h"

#define N VM_ALLOC_NORMAL

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
do_replace(void *arg)
{
	vm_page_t m = arg;

	vm_page_replace(vm_page_alloc_noobj(N), vm_page_object(m),
			vm_page_pindex(m), m);
}

/* A page takes the place of one that is as long, only. */
static void
other_size(void *arg)
{
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(10, 2 * vm_page_size(), false);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc(o, 3, N);
	CHECK_ABORTS(do_replace, m, "vm_page_replace: page ");
	CHECK_ABORTS(do_replace, m, ": it is of another size\n");
	VM_OBJECT_WUNLOCK(o);
}

/* Fills magazines with pages of @size, dirty and zero, @bytes of each. */
static void
fill_magazines(size_t size, size_t bytes)
{
	vm_object_t o = make(bytes / size, size, false);
	unsigned rounds = 2 * 12; /* they earn what they hold */
	vm_page_t m;
	vm_pindex_t i;

	VM_OBJECT_WLOCK(o);
	while (rounds-- > 0) {
		for (i = 0; i < bytes / size; i++)
			if (vm_page_alloc(o, i, N) == NULL)
				break;
		while (i-- > 0) {
			m = vm_page_lookup(o, i);
			memset(vm_page_addr(m), 0, size);
			if (rounds % 2 == 0)
				vm_page_free(m);
			else
				vm_page_free_zero(m);
		}
	}
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
}

static void
fill_all_magazines(void *arg)
{
	boot(arg);
	pin_home();
	for (size_t size = 8192; size <= 512u * 1024; size *= 2)
		fill_magazines(size, 5u << 20);
}

/* What magazines hold of one size can be had for another. */
static void
pages_share(void *arg)
{
	size_t had = 0;

	fill_all_magazines(arg);
	while (vm_page_alloc(NULL, 0, NORMAL) != NULL)
		had += vm_page_size();
	CHECK_MSG(had > ns_options.node_limit / 2, "%zu bytes", had);
	check_all();
}

/* And by kmalloc. */
static void
kmalloc_shares(void *arg)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_THISNODE | __GFP_NOWARN;
	const size_t size = 65536;
	size_t had = 0;

	fill_all_magazines(arg);
	while (kmalloc_node(size, gfp, ns_topo.node_of_slot[0]) != NULL)
		had += size;
	CHECK_MSG(had > ns_options.node_limit / 2, "%zu bytes", had);
}

int
main(void)
{
	static struct machine plain = { .purge_now = false };
	static struct machine small = { .limit = 32ul << 20 };
	static struct machine short_one = { .limit = 64ul << 20,
					    .alone = true };
	static struct machine purged = { .purge_now = true };
	static struct machine big_pages = { .page_size = 16384,
					    .purge_now = true };

	CASE(sizes, &plain);
	CASE(sizes, &big_pages);
	CASE(marks_of_long_pages, &small);
	CASE(segments, &purged);
	CASE(segments, &big_pages);
	CASE(segment_bounds, &small);
	CASE(no_queue, &plain);
	CASE(kmalloc_shares, &short_one);
	CASE(pages_share, &short_one);
	CASE(other_size, &plain);
	return test_done();
}
