/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm_page_alloc(9) as it was in 2010, sentence by sentence: each is a case.
 * The arguments' and flags' names are put before their sentences.
 */
#include "tests/vm/cell.h"
#include "tests/vm/disk.h"

#define N VM_ALLOC_NORMAL

static const int classes[] = { VM_ALLOC_NORMAL, VM_ALLOC_SYSTEM,
			       VM_ALLOC_INTERRUPT };

static vm_object_t o;
static struct set all;

/* A page of the object with contents, cached. */
static vm_page_t
cached_at(vm_pindex_t at, uint64_t value)
{
	vm_page_t m = vm_page_alloc(o, at, N);

	REQUIRE(m != NULL);
	*word_of(m) = value;
	vm_page_valid(m);
	vm_page_cache(m);
	return m;
}

/* No page is left above @class's mark. */
static void
fill_node(int class)
{
	drain(&all, 0, VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ);
	if (class != VM_ALLOC_NORMAL)
		drain(&all, 0, VM_ALLOC_SYSTEM | VM_ALLOC_NOOBJ);
	if (class == VM_ALLOC_INTERRUPT)
		drain(&all, 0, VM_ALLOC_INTERRUPT | VM_ALLOC_NOOBJ);
}

static struct ns_vm_stat
stat_now(void)
{
	struct ns_vm_stat st;

	ns_vm_stat(0, &st);
	return st;
}

static void
allocates(void)
{
	vm_page_t m = vm_page_alloc(o, 7, N);

	REQUIRE(m != NULL);
	CHECK_EQ(vm_page_object(m), o);
	CHECK_EQ(vm_page_pindex(m), 7);
	memset(vm_page_addr(m), 1, vm_page_length(m));
}

#ifdef NS_DEBUG
static void
alloc_again(void *arg)
{
	vm_page_alloc(arg, 7, N);
}
#endif

static void
not_already(void)
{
	vm_page_t m = vm_page_alloc(o, 7, N);

#ifdef NS_DEBUG
	CHECK_ABORTS(alloc_again, o, "vm_page_alloc: page ");
	CHECK_ABORTS(alloc_again, o, ": it is at that index already\n");
#else
	CHECK_ERRNO(vm_page_alloc(o, 7, N), NULL, EEXIST);
#endif
	CHECK_EQ(vm_page_lookup(o, 7), m);
}

static void
inserted(void)
{
	vm_page_t m = vm_page_alloc(o, 7, N);
	vm_page_t k = vm_page_alloc(o, 8, N | VM_ALLOC_NOOBJ);

	CHECK_EQ(vm_page_lookup(o, 7), m);
	CHECK(k != NULL && vm_page_object(k) == NULL);
	CHECK_EQ(vm_page_lookup(o, 8), NULL);
	CHECK_EQ(vm_object_resident(o), 1);
}

static void
reactivated(void)
{
	vm_page_t m = cached_at(7, 77);

	CHECK_EQ(vm_object_resident(o), 0);
	CHECK_EQ(stat_now().cached, 1);
	for (size_t i = 0; i < NS_ARRAY_LEN(classes); i++) {
		CHECK_EQ(vm_page_alloc(o, 7, classes[i]), m);
		CHECK_EQ(*word_of(m), 77);
		CHECK(vm_page_flags(m) & PG_VALID);
		CHECK_EQ(vm_page_lookup(o, 7), m);
		CHECK_EQ(vm_object_resident(o), 1);
		CHECK_EQ(stat_now().cached, 0);
		vm_page_cache(m);
	}
}

/* Neither with memory, nor without, nor with pages that could be written. */
static void
sleepless(void)
{
	vm_pindex_t at = 100;
	vm_page_t m;

	die_asleep();
	ns_vm_nodes[0].zeroing = 1; /* by a thread that gets no processor */
	for (size_t i = 0; i < NS_ARRAY_LEN(classes); i++) {
		while ((m = vm_page_alloc(o, at, classes[i])) != NULL) {
			vm_page_dirty(m);
			vm_page_launder(m);
			vm_page_xunbusy(m);
			at++;
		}
		CHECK_EQ(errno, ENOMEM);
		CHECK_EQ(vm_page_alloc(NULL, 0, classes[i] | VM_ALLOC_NOOBJ),
			 NULL);
	}
	for (size_t i = 0; i < NS_ARRAY_LEN(classes); i++)
		for (int flag = VM_ALLOC_WAITOK; flag <= VM_ALLOC_WAITFAIL;
		     flag <<= 1)
			CHECK_ERRNO(vm_page_alloc(o, at, classes[i] | flag),
				    NULL, EINVAL);
	CHECK(at > 200);
	ns_vm_nodes[0].zeroing = 0;
}

static void
for_an_object(void)
{
	struct vm_object_attr attr = { .size = 10,
				       .domain = VM_DOMAIN_HOME,
				       .page_size = 4 * vm_page_size() };
	vm_object_t large = vm_object_create(&attr);
	vm_page_t m;

	VM_OBJECT_WLOCK(large);
	m = vm_page_alloc(large, 0, N);
	CHECK_EQ(vm_page_object(m), large);
	CHECK_EQ(vm_page_length(m), attr.page_size);
	m = vm_page_alloc(o, 0, N);
	CHECK_EQ(vm_page_object(m), o);
	CHECK_EQ(vm_page_length(m), vm_page_size());
	CHECK_ERRNO(vm_page_alloc(NULL, 0, N), NULL, EINVAL);
}

static void
alloc_it(void *arg)
{
	vm_page_alloc(arg, 7, N);
}

static void
locked(void)
{
	const char *rule = "the thread has not locked it for writing";

	VM_OBJECT_WUNLOCK(o);
	CHECK_ABORTS(alloc_it, o, "vm_page_alloc: object ");
	CHECK_ABORTS(alloc_it, o, rule);
	VM_OBJECT_RLOCK(o);
	CHECK_ABORTS(alloc_it, o, rule);
	VM_OBJECT_RUNLOCK(o);
	CHECK(vm_page_alloc(o, 7, N | VM_ALLOC_NOOBJ) != NULL);
	VM_OBJECT_WLOCK(o);
	CHECK(vm_page_alloc(o, 7, N) != NULL);
}

static void
at_the_index(void)
{
	static const vm_pindex_t at[] = { 0, 1, 63, 64, 4095, 9999 };

	for (size_t i = 0; i < NS_ARRAY_LEN(at); i++) {
		vm_page_t m = vm_page_alloc(o, at[i], N);

		REQUIRE(m != NULL);
		CHECK_EQ(vm_page_pindex(m), at[i]);
		CHECK_EQ(vm_page_lookup(o, at[i]), m);
	}
	CHECK_ERRNO(vm_page_alloc(o, 10000, N), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc(o, UINT64_MAX, N), NULL, EINVAL);
}

/* Any class with any set of the manual's flags: each does its part. */
static void
any_flags(void)
{
	static const int flags[] = { VM_ALLOC_ZERO,     VM_ALLOC_NOOBJ,
				     VM_ALLOC_NOBUSY,   VM_ALLOC_WIRED,
				     VM_ALLOC_IFCACHED, VM_ALLOC_IFNOTCACHED };

	for (size_t c = 0; c < NS_ARRAY_LEN(classes); c++)
		for (unsigned set = 0; set < 1u << NS_ARRAY_LEN(flags); set++) {
			int req = classes[c], error = 0;
			vm_page_t m;

			for (size_t i = 0; i < NS_ARRAY_LEN(flags); i++)
				req |= (set >> i & 1) != 0 ? flags[i] : 0;
			if ((req & VM_ALLOC_IFCACHED) != 0)
				error = ENOENT;
			if ((req & VM_ALLOC_IFCACHED) != 0 &&
			    (req & VM_ALLOC_IFNOTCACHED) != 0)
				error = EINVAL;
			errno = 0;
			m = vm_page_alloc(o, 7, req);
			CHECK_EQ(errno, error);
			CHECK_EQ(m == NULL, error != 0);
			if (m == NULL)
				continue;
			CHECK_EQ(vm_page_object(m) == NULL,
				 (req & VM_ALLOC_NOOBJ) != 0);
			CHECK_EQ(vm_page_busied(m),
				 (req & (VM_ALLOC_NOOBJ | VM_ALLOC_NOBUSY)) ==
				     0);
			CHECK_EQ(vm_page_wired(m), (req & VM_ALLOC_WIRED) != 0);
			if (vm_page_wired(m))
				vm_page_unwire(m, PQ_NONE);
			if ((req & VM_ALLOC_NOOBJ) == 0 && !vm_page_busied(m))
				vm_page_xbusy(m);
			vm_page_free(m);
		}
}

static void
exactly_one(void)
{
	for (int set = 0; set <= VM_ALLOC_CLASS_MASK; set++) {
		int count = __builtin_popcount((unsigned)set);
		vm_page_t m;

		errno = 0;
		m = vm_page_alloc(o, (vm_pindex_t)set, set);
		CHECK_EQ(m != NULL, count == 1);
		CHECK_EQ(errno, count == 1 ? 0 : EINVAL);
		m = vm_page_alloc(NULL, 0, set | VM_ALLOC_NOOBJ);
		CHECK_EQ(m != NULL, count == 1);
	}
	CHECK_EQ(VM_ALLOC_CLASS_MASK,
		 VM_ALLOC_NORMAL | VM_ALLOC_SYSTEM | VM_ALLOC_INTERRUPT);
}

static void
normal(void)
{
	fill_node(VM_ALLOC_NORMAL);
	CHECK_EQ(held(0), stat_now().low);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL), NULL, ENOMEM);
	set_free_last(&all);
	CHECK(vm_page_alloc(NULL, 0, NORMAL) != NULL);
}

static void
system_class(void)
{
	struct ns_vm_stat st;
	vm_page_t m;

	fill_node(VM_ALLOC_NORMAL);
	st = stat_now();
	CHECK_EQ(st.cached, 0);
	for (uint64_t i = st.low; i > st.interrupt; i--) {
		CHECK_EQ(held(0), i);
		m = vm_page_alloc(NULL, 0, SYSTEM);
		REQUIRE(m != NULL);
		set_add(&all, m);
	}
	CHECK_EQ(held(0), st.interrupt);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, SYSTEM), NULL, ENOMEM);
}

/* So requests of others that do not need theirs leave it pages. */
static void
really_needed(void)
{
	struct ns_vm_stat st = stat_now();

	fill_node(VM_ALLOC_NORMAL);
	CHECK_EQ(drain(&all, 0, SYSTEM), st.low - st.interrupt);
	check_distinct(&all);
}

static vm_page_t in_handler;

static void
handler(int sig)
{
	(void)sig;
	in_handler = vm_page_alloc(NULL, 0, INTERRUPT);
}

/* Whatever it interrupts: here, who has the node's lock. */
static void
during_an_interrupt(void)
{
	vm_page_free(vm_page_alloc(NULL, 0, NORMAL));
	signal(SIGUSR1, handler);
	die_asleep();
	ns_lock(&ns_vm_nodes[0].lock);
	raise(SIGUSR1);
	ns_unlock(&ns_vm_nodes[0].lock);
	REQUIRE(in_handler != NULL);
	memset(vm_page_addr(in_handler), 1, vm_page_size());
	vm_page_free(in_handler);
}

static void
above_zero(void)
{
	vm_page_t m;
	uint64_t n;

	fill_node(VM_ALLOC_SYSTEM);
	for (n = held(0); n > 0; n--) {
		m = vm_page_alloc(NULL, 0, INTERRUPT);
		REQUIRE(m != NULL);
		*(vm_page_t *)vm_page_addr(m) = m;
		set_add(&all, m);
		CHECK_EQ(held(0), n - 1);
	}
	CHECK_ERRNO(vm_page_alloc(NULL, 0, INTERRUPT), NULL, ENOMEM);
	check_distinct(&all);
}

/* A zeroed one is taken if there is one, and else another. */
static void
prefers_zero(void)
{
	vm_page_t m, k;

	m = vm_page_alloc(NULL, 0, NORMAL);
	memset(vm_page_addr(m), 0, vm_page_size());
	vm_page_free_zero(m);
	k = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_ZERO);
	CHECK(vm_page_flags(k) & PG_ZERO);
	/* None is there, and none made: it is no error. */
	fill_node(VM_ALLOC_NORMAL);
	for (size_t i = 0; i < all.n; i++)
		memset(vm_page_addr(all.page[i]), 1, vm_page_size());
	while (all.n > 0)
		set_free_last(&all);
	fill_node(VM_ALLOC_NORMAL);
	set_free_last(&all);
	m = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_ZERO);
	CHECK(m != NULL);
}

static void
flag_is_true(void)
{
	size_t zero = 0, other = 0;

	for (int i = 0; i < 5000; i++) {
		int req = NORMAL | (i % 3 != 0 ? VM_ALLOC_ZERO : 0);
		vm_page_t m = vm_page_alloc(NULL, 0, req);

		REQUIRE(m != NULL);
		if ((vm_page_flags(m) & PG_ZERO) != 0) {
			CHECK(all_zero(vm_page_addr(m), vm_page_size()));
			zero++;
		} else {
			other++;
		}
		memset(vm_page_addr(m), 0xa5, vm_page_size());
		if (all.n > 100 || i % 2 == 0)
			vm_page_free(m);
		else
			set_add(&all, m);
	}
	CHECK(zero > 0 && other > 0);
}

static void
no_object(void)
{
	vm_page_t m = vm_page_alloc(NULL, 0, NORMAL);

	CHECK_EQ(vm_page_object(m), NULL);
	CHECK(!vm_page_tryxbusy(m) && !vm_page_trysbusy(m));
	vm_page_free(m);
}

static void
object_ignored(void)
{
	vm_page_t m =
	    vm_page_alloc((vm_object_t)(uintptr_t)0x123, UINT64_MAX, NORMAL);

	REQUIRE(m != NULL);
	CHECK_EQ(vm_page_object(m), NULL);
	vm_page_free(m);
}

static void
not_busy(void)
{
	vm_page_t m = vm_page_alloc(o, 0, N | VM_ALLOC_NOBUSY);

	CHECK(!vm_page_busied(m));
	CHECK(vm_page_tryxbusy(m));
	CHECK(vm_page_xbusied(vm_page_alloc(o, 1, N)));
}

static void
is_wired(void)
{
	vm_page_t m = vm_page_alloc(o, 0, N | VM_ALLOC_WIRED);

	CHECK(vm_page_wired(m));
	CHECK(vm_page_unwire(m, PQ_NONE));
	CHECK(!vm_page_wired(vm_page_alloc(o, 1, N)));
	m = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_WIRED);
	CHECK(vm_page_wired(m));
}

static void
only_if_cached(void)
{
	vm_page_t m = cached_at(7, 77);

	CHECK_EQ(vm_page_alloc(o, 7, N | VM_ALLOC_IFCACHED), m);
	CHECK_EQ(*word_of(m), 77);
}

static void
otherwise_null(void)
{
	CHECK_ERRNO(vm_page_alloc(o, 7, N | VM_ALLOC_IFCACHED), NULL, ENOENT);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_IFCACHED), NULL,
		    ENOENT);
	CHECK_EQ(vm_page_lookup(o, 7), NULL);
}

static void
only_if_not_cached(void)
{
	vm_page_t m = vm_page_alloc(o, 7, N | VM_ALLOC_IFNOTCACHED);

	CHECK(m != NULL && vm_page_lookup(o, 7) == m);
}

static void
null_if_cached(void)
{
	vm_page_t m = cached_at(7, 77);

	CHECK_ERRNO(vm_page_alloc(o, 7, N | VM_ALLOC_IFNOTCACHED), NULL,
		    EEXIST);
	/* It is still there. */
	CHECK_EQ(vm_page_alloc(o, 7, N), m);
	CHECK_EQ(*word_of(m), 77);
}

static void
returned(void)
{
	vm_page_t m;

	fill_node(VM_ALLOC_INTERRUPT);
	for (size_t i = 0; i < NS_ARRAY_LEN(classes); i++) {
		CHECK_ERRNO(vm_page_alloc(o, 7, classes[i]), NULL, ENOMEM);
		CHECK_EQ(vm_page_lookup(o, 7), NULL);
	}
	set_free_last(&all);
	m = vm_page_alloc(NULL, 0, INTERRUPT);
	CHECK(m != NULL && vm_page_of(vm_page_addr(m)) == m);
}

static void
pager_upgraded(void)
{
	struct ns_vm_stat st;
	vm_page_t m;

	fill_node(VM_ALLOC_NORMAL);
	st = stat_now();
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL), NULL, ENOMEM);
	/* Nor may it have a page back from the cache. */
	m = vm_page_alloc(o, 7, VM_ALLOC_SYSTEM);
	REQUIRE(m != NULL);
	vm_page_valid(m);
	vm_page_cache(m);
	CHECK_ERRNO(vm_page_alloc(o, 7, N), NULL, ENOMEM);
	CHECK_EQ(vm_pager_thread(true), false);
	CHECK_EQ(vm_page_alloc(o, 7, N), m);
	vm_page_free(m);
	for (uint64_t i = st.interrupt; i < st.low; i++) {
		m = vm_page_alloc(NULL, 0, NORMAL);
		REQUIRE(m != NULL);
		set_add(&all, m);
	}
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL), NULL, ENOMEM);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, SYSTEM), NULL, ENOMEM);
	/* It is not made less. */
	for (uint64_t i = 0; i < st.interrupt; i++)
		REQUIRE(vm_page_alloc(NULL, 0, INTERRUPT) != NULL);
	CHECK_EQ(held(0), 0);
	CHECK_EQ(vm_pager_thread(false), true);
}

static const struct {
	const char *sentence;
	void (*fn)(void);
} manual[] = {
	{ "The vm_page_alloc() function allocates a page at pindex within "
	  "object.",
	  allocates },
	{ "It is assumed that a page has not already been allocated at pindex.",
	  not_already },
	{ "The page returned is inserted into the object, unless "
	  "VM_ALLOC_NOOBJ is specified in the req.",
	  inserted },
	{ "The page may exist in the vm object cache, in which case it will "
	  "be reactivated instead, moving from the cache into the object page "
	  "list.",
	  reactivated },
	{ "vm_page_alloc() will not sleep.", sleepless },
	{ "object: The VM object to allocate the page for.", for_an_object },
	{ "object: The object must be locked if VM_ALLOC_NOOBJ is not "
	  "specified.",
	  locked },
	{ "pindex: The index into the object at which the page should be "
	  "inserted.",
	  at_the_index },
	{ "req: The bitwise-inclusive OR of a class and any optional flags "
	  "indicating how the page should be allocated.",
	  any_flags },
	{ "Exactly one of the following classes must be specified:",
	  exactly_one },
	{ "VM_ALLOC_NORMAL: The page should be allocated with no special "
	  "treatment.",
	  normal },
	{ "VM_ALLOC_SYSTEM: The page can be allocated if the cache is empty "
	  "and the free page count is above the interrupt reserved water mark.",
	  system_class },
	{ "VM_ALLOC_SYSTEM: This flag should be used only when the system "
	  "really needs the page.",
	  really_needed },
	{ "VM_ALLOC_INTERRUPT: vm_page_alloc() is being called during an "
	  "interrupt.",
	  during_an_interrupt },
	{ "VM_ALLOC_INTERRUPT: A page will be returned successfully if the "
	  "free page count is greater than zero.",
	  above_zero },
	{ "VM_ALLOC_ZERO: Indicate a preference for a pre-zeroed page.",
	  prefers_zero },
	{ "VM_ALLOC_ZERO: There is no guarantee that the returned page will "
	  "be zeroed, but it will have the PG_ZERO flag set if it is zeroed.",
	  flag_is_true },
	{ "VM_ALLOC_NOOBJ: Do not associate the allocated page with a vm "
	  "object.",
	  no_object },
	{ "VM_ALLOC_NOOBJ: The object argument is ignored.", object_ignored },
	{ "VM_ALLOC_NOBUSY: The returned page will not have the VPO_BUSY flag "
	  "set.",
	  not_busy },
	{ "VM_ALLOC_WIRED: The returned page will be wired.", is_wired },
	{ "VM_ALLOC_IFCACHED: Allocate the page only if it is cached.",
	  only_if_cached },
	{ "VM_ALLOC_IFCACHED: Otherwise, return NULL.", otherwise_null },
	{ "VM_ALLOC_IFNOTCACHED: Only allocate the page if it is not cached "
	  "in the object.",
	  only_if_not_cached },
	{ "VM_ALLOC_IFNOTCACHED: If the page at the specified pindex is "
	  "cached, NULL is returned instead.",
	  null_if_cached },
	{ "The vm_page_t that was allocated is returned if successful; "
	  "otherwise, NULL is returned.",
	  returned },
	{ "The pager process is always upgraded to VM_ALLOC_SYSTEM unless "
	  "VM_ALLOC_INTERRUPT is set.",
	  pager_upgraded },
};

static void
one(void *arg)
{
	static struct machine small = { .alone = true, .limit = 4 << 20 };

	boot(&small);
	o = disk_object(disk_new(), 10000);
	VM_OBJECT_WLOCK(o);
	vm_page_free(vm_page_alloc(o, 9, N)); /* the node is set up */
	manual[*(const size_t *)arg].fn();
	ns_vm_check(0);
}

int
main(void)
{
	for (size_t i = 0; i < NS_ARRAY_LEN(manual); i++)
		test_case(manual[i].sentence, one, &i);
	return test_done();
}
