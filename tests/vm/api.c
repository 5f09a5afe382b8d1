/* SPDX-License-Identifier: BSD-2-Clause */
/* The page calls as a program sees them: installed headers, shared library. */
#include <numaslab/numaslab.h>
#include <numaslab/vm_page.h>

#include "tests/test.h"

#include <limits.h>

#define NORMAL (VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ)

static void
test_requests(void)
{
	static const int good[] = {
		NORMAL,
		VM_ALLOC_SYSTEM | VM_ALLOC_NOOBJ,
		VM_ALLOC_INTERRUPT | VM_ALLOC_NOOBJ,
		NORMAL | VM_ALLOC_ZERO,
		NORMAL | VM_ALLOC_NOBUSY,
		NORMAL | VM_ALLOC_IFNOTCACHED,
		NORMAL | VM_ALLOC_WIRED,
		NORMAL | VM_ALLOC_ZERO | VM_ALLOC_NOBUSY | VM_ALLOC_WIRED |
		    VM_ALLOC_IFNOTCACHED,
	};
	vm_page_t m;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		errno = 4711;
		/* Object and index are ignored without an object. */
		m = vm_page_alloc((vm_object_t)(uintptr_t)0x123, 0xabcdef,
				  good[i]);
		REQUIRE(m != NULL);
		memset(vm_page_addr(m), (int)i, vm_page_size());
		CHECK_EQ(vm_page_wired(m), (good[i] & VM_ALLOC_WIRED) != 0);
		if (vm_page_wired(m))
			CHECK_EQ(vm_page_unwire(m, PQ_NONE), true);
		vm_page_free(m);
		CHECK_EQ(errno, 4711);
	}
}

static void
test_bad_requests(void)
{
	static const int bad[] = {
		0,
		VM_ALLOC_NOOBJ,
		VM_ALLOC_NORMAL,
		VM_ALLOC_INTERRUPT,
		NORMAL | VM_ALLOC_SYSTEM,
		NORMAL | VM_ALLOC_INTERRUPT,
		VM_ALLOC_SYSTEM | VM_ALLOC_INTERRUPT | VM_ALLOC_NOOBJ,
		VM_ALLOC_CLASS_MASK | VM_ALLOC_NOOBJ,
		NORMAL | 0x0008,
		NORMAL | 0x40000,
		NORMAL | INT_MIN,
		-1,
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_ERRNO(vm_page_alloc(NULL, 0, bad[i]), NULL, EINVAL);
		CHECK_ERRNO(vm_page_alloc_domain(NULL, 0, 0, bad[i]), NULL,
			    EINVAL);
	}
	/* A page without object is never in a cache. */
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_IFCACHED), NULL,
		    ENOENT);
	CHECK_ERRNO(
	    vm_page_alloc_domain(NULL, 0, 0, NORMAL | VM_ALLOC_IFCACHED), NULL,
	    ENOENT);
}

static void
test_domains(void)
{
	static const int bad[] = { -1, -2, INT_MIN, INT_MAX, 1023, 1024, 4096 };
	int node, served = 0;
	vm_page_t m;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ERRNO(vm_page_alloc_domain(NULL, 0, bad[i], NORMAL), NULL,
			    EINVAL);
	for (node = 0; node <= numaslab_max_node() + 1; node++) {
		if (!numaslab_node_allowed(node)) {
			CHECK_ERRNO(vm_page_alloc_domain(NULL, 0, node, NORMAL),
				    NULL, EINVAL);
			continue;
		}
		m = vm_page_alloc_domain(NULL, 0, node, NORMAL);
		REQUIRE(m != NULL);
		CHECK_EQ(vm_page_domain(m), node);
		CHECK_EQ(numaslab_node_of(vm_page_addr(m)), node);
		CHECK_EQ(numaslab_node_of((char *)vm_page_addr(m) +
					  vm_page_size() - 1),
			 node);
		vm_page_free(m);
		served++;
	}
	CHECK_EQ(served, 4);
}

static void
test_memory(void)
{
	vm_page_t m = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_ZERO);
	const char *p;

	REQUIRE(m != NULL);
	CHECK_EQ(vm_page_size(), sysconf(_SC_PAGESIZE));
	CHECK_EQ((uintptr_t)vm_page_addr(m) % vm_page_size(), 0);
	CHECK_EQ(vm_page_flags(m), PG_ZERO);
	p = vm_page_addr(m);
	for (size_t i = 0; i < vm_page_size(); i++)
		CHECK_EQ(p[i], 0);
	vm_page_free(m);
}

static void
free_twice(void *m)
{
	vm_page_free(m);
	vm_page_free(m);
}

int
main(int argc, char **argv)
{
	vm_page_t m;

	(void)argc;
	/* Options are what the process was started with. */
	if (getenv("NUMASLAB_FAKE_NODES") == NULL) {
		setenv("NUMASLAB_FAKE_NODES", "4", 1);
		execv("/proc/self/exe", argv);
		REQUIRE(!"execv");
	}
	test_bad_requests();
	test_requests();
	test_domains();
	test_memory();
	m = vm_page_alloc(NULL, 0, NORMAL);
	REQUIRE(m != NULL);
	CHECK_ABORTS(free_twice, m, "it is free");
	return test_done();
}
