/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every block is aligned as promised, and no two blocks overlap: each is
 * filled to its end while others live.
 */
#include "tests/malloc/malloc_test.h"

#define MAX_ALIGN (4ul << 20)
#define KEEP      64

static struct {
	unsigned char *p;
	size_t size;
	unsigned seed;
} kept[KEEP];
static unsigned next;

/* Checks @p, fills it and keeps it; what it displaces is verified. */
static void
keep(void *p, size_t size, size_t align, const char *what)
{
	unsigned at = next++ % KEEP;
	size_t n;

	if (p == NULL || ((uintptr_t)p & (align - 1)) != 0 || !in_heap(p))
		test_fail(__FILE__, __LINE__, "%s: %zu bytes, align %zu: %p",
			  what, size, align, p);
	REQUIRE(p != NULL);
	if (kept[at].p != NULL) {
		n = filled(kept[at].p, kept[at].size, kept[at].seed);
		CHECK_MSG(n == kept[at].size,
			  "block %p of %zu: byte %zu was overwritten",
			  (void *)kept[at].p, kept[at].size, n);
		free(kept[at].p);
	}
	/* Long blocks: their first and last pages are enough. */
	if (size > 1 << 20)
		size = 1 << 20;
	fill(p, size, next);
	kept[at].p = p;
	kept[at].size = size;
	kept[at].seed = next;
}

static size_t
natural(size_t size)
{
	if (size == 0 || (size & (size - 1)) != 0 || size < 16)
		return 16;
	return size < 4096 ? size : 64;
}

static void
test_plain(void)
{
	size_t n;
	void *p;

	for (n = 0; n <= 9000; n += n < 2100 ? 1 : 37) {
		keep(malloc(n), n, natural(n), "malloc");
		keep(calloc(1, n), n, 16, "calloc");
		p = realloc(malloc(1), n + 1);
		keep(p, n + 1, 16, "realloc");
	}
	for (n = 16; n <= 8ul << 20; n *= 2) {
		keep(malloc(n - 1), n - 1, 16, "malloc");
		keep(malloc(n), n, natural(n), "malloc");
		keep(malloc(n + 1), n + 1, 16, "malloc");
		keep(malloc(n + n / 2), n + n / 2, 16, "malloc");
	}
}

static void
test_aligned(size_t align)
{
	const size_t size[] = { 0,         1,        7,         48,
				align - 1, align,    align + 1, align / 2,
				3 * align, 5 * 1024, 100000 };
	size_t i;
	void *p;

	for (i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		p = NULL;
		CHECK_EQ(posix_memalign(&p, align, size[i]), 0);
		keep(p, size[i], align, "posix_memalign");
		keep(memalign(align, size[i]), size[i], align, "memalign");
		keep(aligned_alloc(align, size[i]), size[i], align,
		     "aligned_alloc");
		/* A block that moves is aligned like any other. */
		p = realloc(aligned_alloc(align, size[i]), size[i] + 1);
		keep(p, size[i] + 1, 16, "realloc");
	}
}

static void
test_usable(void)
{
	size_t align, u;
	char *p;

	for (align = 32; align <= 65536; align *= 2) {
		p = aligned_alloc(align, 100);
		REQUIRE(p != NULL);
		u = malloc_usable_size(p);
		CHECK(u >= 100);
		keep(p, u, align, "aligned_alloc, all of it");
	}
}

int
main(void)
{
	size_t align;

	REQUIRE(is_ours());
	test_plain();
	for (align = sizeof(void *); align <= MAX_ALIGN; align *= 2)
		test_aligned(align);
	test_usable();
	return test_done();
}
