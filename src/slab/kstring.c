/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/kstring.c - blocks that begin as a copy, and the kvmalloc names: here
 * every large block is made of pages, so kvmalloc is kmalloc.
 */
#include "slab/fast.h"

#include <string.h>

/* @n bytes of @src and room for @more. */
static void *
copy(const void *src, size_t n, size_t more, gfp_t flags, const char *call)
{
	size_t size = n <= SIZE_MAX - more ? n + more : SIZE_MAX;
	void *p;

	if (ns_unlikely(src == NULL && n != 0))
		ns_broken(call, NULL, NULL, "nothing to copy");
	p = kmalloc(size, flags);
	return p != NULL && n != 0 ? memcpy(p, src, n) : p;
}

static char *
copy_string(const char *s, size_t n, gfp_t flags, const char *call)
{
	char *p = copy(s, n, 1, flags, call);

	if (p != NULL)
		p[n] = '\0';
	return p;
}

ns_export void *
kmemdup(const void *src, size_t size, gfp_t flags)
{
	return copy(src, size, 0, flags, __func__);
}

ns_export void *
kmemdup_array(const void *src, size_t n, size_t size, gfp_t flags)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return kmalloc(SIZE_MAX,
			       flags); /* fails, as such a block does */
	return copy(src, bytes, 0, flags, __func__);
}

ns_export char *
kmemdup_nul(const char *s, size_t size, gfp_t flags)
{
	return s != NULL ? copy_string(s, size, flags, __func__) : NULL;
}

ns_export char *
kstrdup(const char *s, gfp_t flags)
{
	return s != NULL ? copy_string(s, strlen(s), flags, __func__) : NULL;
}

ns_export char *
kstrndup(const char *s, size_t most, gfp_t flags)
{
	return s != NULL ? copy_string(s, strnlen(s, most), flags, __func__)
			 : NULL;
}

ns_export void *
kvmalloc(size_t size, gfp_t flags)
{
	return kmalloc(size, flags);
}

ns_export void *
kvmalloc_node(size_t size, gfp_t flags, int node)
{
	return kmalloc_node(size, flags, node);
}

ns_export void *
kvzalloc(size_t size, gfp_t flags)
{
	return kzalloc(size, flags);
}

ns_export void *
kvzalloc_node(size_t size, gfp_t flags, int node)
{
	return kzalloc_node(size, flags, node);
}

ns_export void *
kvmalloc_array(size_t n, size_t size, gfp_t flags)
{
	return kmalloc_array(n, size, flags);
}

ns_export void *
kvcalloc(size_t n, size_t size, gfp_t flags)
{
	return kcalloc(n, size, flags);
}

ns_export void *
kvcalloc_node(size_t n, size_t size, gfp_t flags, int node)
{
	return kcalloc_node(n, size, flags, node);
}

ns_export void *
kvrealloc(const void *p, size_t size, gfp_t flags)
{
	return ns_krealloc(p, size, flags, __func__);
}

ns_export void *
kvmemdup(const void *src, size_t size, gfp_t flags)
{
	return copy(src, size, 0, flags, __func__);
}

ns_export void
kvfree(const void *p)
{
	ns_kfree(p, __func__);
}

ns_export void
kvfree_sensitive(const void *p, size_t size)
{
	(void)size; /* all of the block is wiped */
	ns_kfree_sensitive(p, __func__);
}
