/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/vm/row.h - for tests of pages in a row, and of more than one size. */
#ifndef VM_ROW_H
#define VM_ROW_H

#include "tests/vm/vm_test.h"

TEST_INLINE vm_object_t
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

TEST_INLINE void
check_all(void)
{
	struct ns_vm_node *n;

	ns_vm_for_each (n)
		if (n->used)
			ns_vm_check((unsigned)(n - ns_vm_nodes));
}

/* @n pages from @m on are in a row, distinct, and as asked for. */
TEST_INLINE void
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

TEST_INLINE void
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

#endif
