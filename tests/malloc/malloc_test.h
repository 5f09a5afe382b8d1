/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/malloc/malloc_test.h - for the tests of the malloc layer, C and C++.
 *
 * Each program runs twice: linked with libnumaslab_malloc, and plain under
 * LD_PRELOAD.  What libc's headers do not declare is looked up at run time.
 */
#ifndef NUMASLAB_MALLOC_TEST_H
#define NUMASLAB_MALLOC_TEST_H

#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>

#include "tests/test.h"

/* The compiler must forget what it knows of @p or @n. */
TEST_INLINE void *
hide(void *p)
{
	__asm__ volatile("" : "+r"(p));
	return p;
}

TEST_INLINE size_t
hide_size(size_t n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

TEST_INLINE void *
need(const char *name)
{
	void *fn = dlsym(RTLD_DEFAULT, name);

	if (fn == NULL)
		test_fail(__FILE__, __LINE__, "there is no %s", name);
	REQUIRE(fn != NULL);
	return fn;
}

/* Assigns the function called @name to the pointer @fn. */
#define NEED(fn, name)                                    \
	do {                                              \
		void *need_fn = need(name);               \
		memcpy(&(fn), &need_fn, sizeof(need_fn)); \
	} while (0)

/* Is malloc ours?  Not when a test runs on real jemalloc, to be tested. */
TEST_INLINE bool
is_ours(void)
{
	return dlsym(RTLD_DEFAULT, "numaslab_version") != NULL;
}

/* Does @p lie in our heap? */
TEST_INLINE bool
in_heap(const void *p)
{
	static int (*node_of)(const void *);

	if (node_of == NULL)
		NEED(node_of, "numaslab_node_of");
	return node_of(p) >= 0;
}

/* A pattern that tells blocks apart and moves apart within one. */
TEST_INLINE void
fill(void *p, size_t n, unsigned seed)
{
	unsigned char *c = (unsigned char *)p;
	size_t i;

	for (i = 0; i < n; i++)
		c[i] = (unsigned char)(seed + i * 7 + (i >> 8));
}

/* The index of the first byte that is not the pattern's, or @n. */
TEST_INLINE size_t
filled(const void *p, size_t n, unsigned seed)
{
	const unsigned char *c = (const unsigned char *)p;
	size_t i;

	for (i = 0; i < n; i++)
		if (c[i] != (unsigned char)(seed + i * 7 + (i >> 8)))
			break;
	return i;
}

/* The index of the first byte that is not zero, or @n. */
TEST_INLINE size_t
zeroed(const void *p, size_t n)
{
	const unsigned char *c = (const unsigned char *)p;
	size_t i = 0;

	while (i < n && c[i] == 0)
		i++;
	return i;
}

#endif
