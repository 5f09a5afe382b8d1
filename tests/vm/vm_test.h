/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/vm/vm_test.h - for tests that see the inside of the vm layer.
 *
 * Each case runs in a process of its own, so that it can have its options,
 * its page size and its full node.
 */
#ifndef VM_TEST_H
#define VM_TEST_H

#include "base/options.h"
#include "tests/test.h"
#include "vm/vm.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>

#define NORMAL    (VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ)
#define SYSTEM    (VM_ALLOC_SYSTEM | VM_ALLOC_NOOBJ)
#define INTERRUPT (VM_ALLOC_INTERRUPT | VM_ALLOC_NOOBJ)

struct machine {
	size_t limit;       /* of a node, or 0 */
	unsigned nodes;     /* that are made believe, or 0 */
	const char *policy; /* or NULL: local */
	size_t page_size;   /* 0: the system's; else a larger one */
	bool purge_now;     /* what is free goes back to the kernel at once */
	bool alone;         /* no thread of the library's */
};

/* In front of libc's: machines of a larger page size than this one's. */
static unsigned long fake_page_size;

unsigned long
getauxval(unsigned long type)
{
	unsigned long (*real)(unsigned long) =
	    (unsigned long (*)(unsigned long))dlsym(RTLD_NEXT, "getauxval");

	return type == AT_PAGESZ && fake_page_size != 0 ? fake_page_size
							: real(type);
}

/* Call it first in a process. */
TEST_INLINE void
boot(const struct machine *mc)
{
	ns_options_read(environ);
	ns_options.node_limit = mc->limit;
	ns_options.fake_nodes = mc->nodes;
	ns_options.policy = mc->policy != NULL ? mc->policy : "local";
	if (mc->purge_now)
		ns_options.purge_ms = 0;
	if (mc->alone)
		ns_options.purge_thread = 0;
	fake_page_size = mc->page_size;
	REQUIRE(ns_page_init() == 0);
	REQUIRE(ns_vm_init() == 0);
	CHECK(mc->page_size == 0 || vm_page_size() == mc->page_size);
}

/* fn(arg) in a child process; what it says and a bad end are failures. */
TEST_INLINE void
test_case(const char *name, void (*fn)(void *), void *arg)
{
	struct test_output out;
	int status = run_child(fn, arg, &out);

	if (status != 0)
		test_fail(__FILE__, __LINE__, "%s: wait status 0x%x\n%s", name,
			  (unsigned)status, out.text);
}

#define CASE(fn, arg) test_case(#fn "(" #arg ")", (fn), (arg))

/* Both may be NULL. */
TEST_INLINE vm_object_t
object_with(vm_pindex_t size, const struct pagerops *pager, void *handle)
{
	struct vm_object_attr attr = { .size = size,
				       .domain = VM_DOMAIN_HOME,
				       .handle = handle,
				       .pager = pager };
	vm_object_t o = vm_object_create(&attr);

	REQUIRE(o != NULL);
	return o;
}

TEST_INLINE vm_object_t
object_of(vm_pindex_t size)
{
	return object_with(size, NULL, NULL);
}

/* A valid page with @value in it, exclusively busy; the object is locked. */
TEST_INLINE vm_page_t
filled_page(vm_object_t o, vm_pindex_t at, uint64_t value)
{
	vm_page_t m = vm_page_alloc(o, at, VM_ALLOC_NORMAL);

	REQUIRE(m != NULL);
	*(uint64_t *)vm_page_addr(m) = value;
	vm_page_valid(m);
	return m;
}

/* The thread stays on one CPU, so that its home is one node. */
TEST_INLINE unsigned
pin_home(void)
{
	unsigned cpu;
	cpu_set_t set;

	REQUIRE(ns_os_getcpu(&cpu, NULL) == 0);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	REQUIRE(sched_setaffinity(0, sizeof(set), &set) == 0);
	return ns_policy_home(cpu);
}

TEST_INLINE bool
all_zero(const void *p, size_t size)
{
	const uint64_t *w = p;

	for (size_t i = 0; i < size / sizeof(*w); i++)
		if (w[i] != 0)
			return false;
	return true;
}

/* A growing set of pages. */
struct set {
	vm_page_t *page;
	size_t n, room;
};

TEST_INLINE void
set_add(struct set *s, vm_page_t m)
{
	if (s->n == s->room) {
		s->room = s->room != 0 ? 2 * s->room : 1024;
		s->page = realloc(s->page, s->room * sizeof(vm_page_t));
		REQUIRE(s->page != NULL);
	}
	s->page[s->n++] = m;
}

TEST_INLINE void
set_free_last(struct set *s)
{
	vm_page_free(s->page[--s->n]);
}

TEST_INLINE void
set_free(struct set *s)
{
	while (s->n > 0)
		set_free_last(s);
}

/* Pages of @slot until there is none; how many. */
TEST_INLINE size_t
drain(struct set *s, unsigned slot, int req)
{
	size_t n = 0;
	vm_page_t m;

	errno = 0;
	while ((m = vm_page_alloc_domain(NULL, 0, ns_topo.node_of_slot[slot],
					 req))) {
		CHECK_EQ(errno, 0);
		CHECK_EQ(ns_slot_of(vm_page_addr(m)), slot);
		*(vm_page_t *)vm_page_addr(m) = m;
		set_add(s, m);
		n++;
	}
	CHECK_EQ(errno, ENOMEM);
	return n;
}

/* No page of a set that drain filled was given out twice. */
TEST_INLINE void
check_distinct(const struct set *s)
{
	for (size_t i = 0; i < s->n; i++)
		CHECK_EQ(*(vm_page_t *)vm_page_addr(s->page[i]), s->page[i]);
}

TEST_INLINE uint64_t
held(unsigned slot)
{
	struct ns_vm_stat st;

	ns_vm_stat(slot, &st);
	return st.free + st.reserve;
}

#endif
