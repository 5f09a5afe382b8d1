/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/fast.h: ns_is_object against its definition, at every byte of a slab
 * and before and behind it, for every class and for odd distances, as the
 * slab is carved.
 */
#include "slab/fast.h"
#include "tests/test.h"

static struct kmem_cache cache;

/* Nothing is dereferenced: the slab may lie anywhere. */
static void
check_at(const struct ns_slab *s, uint32_t carved, char *p)
{
	size_t off = (size_t)(p - s->first);
	bool is = p >= s->first && off % s->size == 0 && off / s->size < carved;

	if (ns_is_object(s, p) != is)
		CHECK_MSG(false, "distance %u, %u carved, offset %ld: not %d",
			  s->size, carved, (long)(p - s->first), is);
}

static void
check_distance(unsigned size)
{
	static char base[1];
	struct ns_slab s;
	char *p, *end;

	memset(&cache, 0, sizeof(cache));
	CHECK_EQ(ns_cache_setup(&cache, size, size, 8, 0), 0);
	s.size = size = cache.size; /* spread, perhaps */
	s.inverse = cache.inverse;
	for (unsigned i = 0; i < 5; i++) {
		uint32_t carved = cache.nobj * i / 4;

		s.first = base + (size_t)i * 192;
		s.bound = carved * (s.inverse * s.size);
		end = s.first + (size_t)cache.units * NS_UNIT + size;
		for (p = s.first - 4096; p < s.first + 3 * size; p++)
			check_at(&s, carved, p);
		for (p = s.first; p < end; p += size) {
			check_at(&s, carved, p - 1);
			check_at(&s, carved, p);
			check_at(&s, carved, p + 1);
			check_at(&s, carved, p + size / 2);
		}
		for (p = s.first; p > s.first - 4 * NS_SLAB_SPAN; p -= size)
			check_at(&s, carved, p);
		check_at(&s, carved, NULL);
		check_at(&s, carved, (char *)UINTPTR_MAX);
	}
}

int
main(void)
{
	for (unsigned size = 16; size <= 2048; size += 8)
		check_distance(size);
	for (unsigned c = ns_class_of(2048); c < NS_NSIZES; c++) {
		unsigned size = 0;

		/* The largest size of the class. */
		for (unsigned n = 2048; n <= NS_SLAB_MAX; n += 16)
			if (ns_class_of(n) == c)
				size = n;
		check_distance(size);
		check_distance(size + 24);
	}
	return test_done();
}
