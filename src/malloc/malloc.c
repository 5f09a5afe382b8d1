/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/malloc.c - the C library's malloc family.
 *
 * 1. There is no second allocator in here: every function checks what its
 *    standard wants checked and calls slab/ (alloc.c), whose fast paths are
 *    inlined into malloc and free.
 * 2. The whole family is ours.  A function left to libc would hand out
 *    pointers of libc's heap, and free() would abort on them.  __libc_malloc
 *    and its like are old back doors into the same heap.
 * 3. Errors.  Failure is NULL with ENOMEM; an alignment that is none is
 *    EINVAL.  free keeps errno.  posix_memalign returns the error, and
 *    touches neither errno nor *result when it fails.
 * 4. Where the standards leave a choice we do what glibc does, because that
 *    is what a preloaded program was tested with: realloc(p, 0) frees,
 *    malloc(0) is a unique pointer, memalign rounds its alignment up.
 *    aligned_alloc is C17's, as in glibc since 2.38: a power of two or
 *    EINVAL; any size.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "malloc/alias.h"
#include "malloc/aligned.h"

/* C23, and what glibc's headers no longer declare. */
void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t align, size_t size);
void cfree(void *p);

static ns_cold void *
fail(int error)
{
	errno = error;
	return NULL;
}

ns_export void *
malloc(size_t size)
{
	return ns_malloc_fast(size);
}

ns_export void
free(void *p)
{
	ns_free_fast(p, __func__);
}

ns_export void *
calloc(size_t n, size_t size)
{
	size_t total;
	void *p;

	if (ns_unlikely(__builtin_mul_overflow(n, size, &total)))
		return fail(ENOMEM);
	if (total > NS_DIRECT_MAX)
		return ns_alloc_zero(total);
	p = ns_malloc_fast(total);
	return p != NULL ? memset(p, 0, total) : NULL;
}

ns_export void *
realloc(void *p, size_t size)
{
	if (p == NULL)
		return ns_likely(size < NS_GROWING) ? ns_malloc_fast(size)
						    : ns_alloc_growing(size);
	if (ns_unlikely(size == 0)) {
		ns_free_fast(p, __func__);
		return NULL;
	}
	return ns_realloc(p, size, __func__);
}

ns_export void *
reallocarray(void *p, size_t n, size_t size)
{
	size_t total;

	if (ns_unlikely(__builtin_mul_overflow(n, size, &total)))
		return fail(ENOMEM);
	return realloc(p, total);
}

ns_export void *
memalign(size_t align, size_t size)
{
	if (ns_unlikely(align > SIZE_MAX / 2 + 1))
		return fail(EINVAL);
	if (ns_unlikely(!ns_is_pow2(align)))
		align = align == 0 ? 1 : 2ul << ns_log2_floor(align);
	return ns_malloc_aligned(align, size);
}

ns_export void *
aligned_alloc(size_t align, size_t size)
{
	if (ns_unlikely(!ns_is_pow2(align)))
		return fail(EINVAL);
	return ns_malloc_aligned(align, size);
}

ns_export int
posix_memalign(void **result, size_t align, size_t size)
{
	int saved = errno;
	void *p;

	if (!ns_is_pow2(align) || align % sizeof(void *) != 0)
		return EINVAL;
	p = ns_malloc_aligned(align, size);
	errno = saved;
	if (p == NULL)
		return ENOMEM;
	*result = p;
	return 0;
}

static size_t
page_size(void)
{
	if (ns_page_size == 0)
		ns_os_init();
	return ns_page_size;
}

ns_export void *
valloc(size_t size)
{
	return ns_malloc_aligned(page_size(), size);
}

/* Rounded up to whole pages, at least one. */
ns_export void *
pvalloc(size_t size)
{
	size_t page = page_size();

	if (ns_unlikely(size > PTRDIFF_MAX - page))
		return fail(ENOMEM);
	return ns_malloc_aligned(page, ns_max(ns_round_up(size, page), page));
}

ns_export size_t
malloc_usable_size(void *p)
{
	return ns_usable_size(p, __func__);
}

/* The size is the caller's promise; the slab knows it anyway. */
ns_export void
free_sized(void *p, size_t size)
{
	ns_assert(p == NULL || size <= ns_usable_size(p, __func__));
	(void)size;
	ns_free_fast(p, __func__);
}

ns_export void
free_aligned_sized(void *p, size_t align, size_t size)
{
	ns_assert(p == NULL || size <= ns_usable_size(p, __func__));
	(void)align;
	(void)size;
	ns_free_fast(p, __func__);
}

NS_ALIAS(free) void cfree(void *p);
NS_ALIAS(free) void __libc_free(void *p);
NS_ALIAS(malloc) void *__libc_malloc(size_t size);
NS_ALIAS(calloc) void *__libc_calloc(size_t n, size_t size);
NS_ALIAS(realloc) void *__libc_realloc(void *p, size_t size);
NS_ALIAS(reallocarray)
void *__libc_reallocarray(void *p, size_t n, size_t size);
NS_ALIAS(memalign) void *__libc_memalign(size_t align, size_t size);
NS_ALIAS(valloc) void *__libc_valloc(size_t size);
NS_ALIAS(pvalloc) void *__libc_pvalloc(size_t size);
NS_ALIAS(posix_memalign) int __posix_memalign(void **, size_t, size_t);
