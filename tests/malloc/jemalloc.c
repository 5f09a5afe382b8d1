/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jemalloc's allocation calls.  The same program runs on the real jemalloc,
 * so what is checked here is what jemalloc does; what only we promise is
 * under ours.
 */
#include "tests/malloc/malloc_test.h"

#include <pthread.h>

#define LG_ALIGN(la) (la)
#define ZERO         0x40
#define TCACHE_NONE  (1 << 8)
#define ARENA(a)     (int)(((unsigned)(a) + 1) << 20)
#define TOO_LARGE    ((size_t)PTRDIFF_MAX + 1)

static void *(*mallocx)(size_t, int);
static void *(*rallocx)(void *, size_t, int);
static size_t (*xallocx)(void *, size_t, size_t, int);
static size_t (*sallocx)(const void *, int);
static void (*dallocx)(void *, int);
static void (*sdallocx)(void *, size_t, int);
static size_t (*nallocx)(size_t, int);
static bool ours;

static const int hints[] = { 0, TCACHE_NONE, ARENA(0), ARENA(0) | TCACHE_NONE };

#define NHINTS (sizeof(hints) / sizeof(hints[0]))

/* nallocx foretells the real size, which three calls agree on. */
static void
test_sizes(void)
{
	size_t n, real, h;
	void *p;

	for (n = 1; n < 3000000; n += n / 11 + 1) {
		for (h = 0; h < NHINTS; h++) {
			p = mallocx(n, hints[h]);
			REQUIRE(p != NULL);
			real = sallocx(p, 0);
			CHECK(real >= n);
			CHECK_EQ(real, nallocx(n, hints[h]));
			CHECK_EQ(real, malloc_usable_size(p));
			memset(p, 0xee, real);
			if (h % 2 == 0)
				dallocx(p, hints[h]);
			else
				sdallocx(p, n, hints[h]);
		}
	}
	p = mallocx(100, 0);
	sdallocx(p, sallocx(p, 0), 0);
	free(mallocx(100, 0)); /* one heap */
	dallocx(malloc(100), 0);
}

static void
test_aligned(void)
{
	size_t n, real;
	int la, flags;
	void *p;

	for (la = 0; la <= 22; la++) {
		for (n = 1; n < 200000; n = n * 3 + 1) {
			flags = LG_ALIGN(la) | (la % 2 != 0 ? ARENA(0) : 0) |
				(la % 3 == 0 ? ZERO : 0);
			p = mallocx(n, flags);
			REQUIRE(p != NULL);
			CHECK_MSG(((uintptr_t)p & ((1ul << la) - 1)) == 0,
				  "mallocx(%zu, lg_align %d): %p", n, la, p);
			real = sallocx(p, flags);
			CHECK(real >= n);
			CHECK_EQ(real, nallocx(n, flags));
			if ((flags & ZERO) != 0)
				CHECK_EQ(zeroed(p, n), n);
			memset(p, 0xee, real);
			dallocx(p, flags);
		}
	}
}

static void
test_zero(void)
{
	size_t n, real;
	void *p;
	int i;

	for (n = 1; n < 3000000; n += n / 5 + 1) {
		for (i = 0; i < 3; i++) {
			p = mallocx(n, ZERO);
			REQUIRE(p != NULL);
			real = sallocx(p, 0);
			CHECK_EQ(zeroed(p, n), n);
			memset(p, 0xee, real);
			dallocx(p, 0);
		}
	}
}

static void
test_absurd(void)
{
	void *p = mallocx(100, 0);

	fill(p, 100, 1);
	CHECK_EQ(mallocx(hide_size(TOO_LARGE), 0), NULL);
	CHECK_EQ(mallocx(hide_size(SIZE_MAX), 0), NULL);
	CHECK_EQ(mallocx(hide_size(SIZE_MAX), LG_ALIGN(12)), NULL);
	CHECK_EQ(mallocx(hide_size(TOO_LARGE), ZERO), NULL);
	CHECK_EQ(nallocx(TOO_LARGE, 0), 0);
	CHECK_EQ(nallocx(SIZE_MAX, 0), 0);
	CHECK_EQ(nallocx(SIZE_MAX, LG_ALIGN(12)), 0);
	CHECK_EQ(rallocx(p, hide_size(TOO_LARGE), 0), NULL);
	CHECK_EQ(rallocx(p, hide_size(SIZE_MAX), ZERO), NULL);
	CHECK_EQ(filled(p, 100, 1), 100);
	dallocx(p, 0);
	if (!ours)
		return;
	CHECK_ERRNO(mallocx(hide_size(SIZE_MAX), 0), NULL, ENOMEM);
	CHECK_ERRNO(mallocx(1, LG_ALIGN(63)), NULL, ENOMEM);
	CHECK_EQ(nallocx(1, LG_ALIGN(63)), 0);
	CHECK_ERRNO(mallocx(1, ARENA(4000)), NULL, EINVAL);
}

/* Contents stay; with ZERO what is beyond the old real size is zero. */
static void
test_rallocx(void)
{
	size_t n, old, real;
	int la, flags;
	char *p, *q;

	for (la = 0; la <= 13; la++) {
		flags = LG_ALIGN(la) | ZERO;
		p = mallocx(1, flags);
		REQUIRE(p != NULL);
		fill(p, sallocx(p, 0), 7);
		for (n = 2; n < 2000000; n += n / 3 + 1) {
			old = sallocx(p, 0);
			q = rallocx(p, n, flags);
			REQUIRE(q != NULL);
			real = sallocx(q, 0);
			CHECK(real >= n);
			CHECK(((uintptr_t)q & ((1ul << la) - 1)) == 0);
			if (real >= old) {
				CHECK_EQ(filled(q, old, 7), old);
				CHECK_EQ(zeroed(q + old, real - old),
					 real - old);
			}
			fill(q, real, 7);
			p = q;
		}
		for (n = sallocx(p, 0); n > 0; n -= n / 3 + 1) {
			q = rallocx(p, n, LG_ALIGN(la));
			REQUIRE(q != NULL);
			CHECK_EQ(filled(q, n, 7), n);
			p = q;
		}
		dallocx(p, 0);
	}
}

/* Never moves; the result is the real size, whether it changed or not. */
static void
test_xallocx(void)
{
	size_t n, before, after;
	char *p;

	for (n = 1; n < 3000000; n += n / 2 + 1) {
		p = mallocx(n, 0);
		REQUIRE(p != NULL);
		before = sallocx(p, 0);
		fill(p, before, 3);
		CHECK_EQ(xallocx(p, before, 0, 0), before);
		CHECK_EQ(xallocx(p, hide_size(TOO_LARGE), 0, 0), before);
		after = xallocx(p, n + 1, SIZE_MAX / 4, ZERO);
		CHECK(after >= before);
		CHECK_EQ(after, sallocx(p, 0));
		CHECK_EQ(filled(p, before, 3), before);
		CHECK_EQ(zeroed(p + before, after - before), after - before);
		memset(p, 0xee, after);
		after = xallocx(p, 4 * n, 0, 0);
		CHECK_EQ(after, sallocx(p, 0));
		CHECK(after >= before);
		memset(p, 0xee, after);
		after = xallocx(p, n, 0, 0);
		CHECK_EQ(after, sallocx(p, 0));
		CHECK(after >= n);
		dallocx(p, 0);
	}
	p = mallocx(100, 0);
	CHECK_EQ(xallocx(p, 100, SIZE_MAX - 100, 0), sallocx(p, 0));
	dallocx(p, 0);
}

/* Arena i is a node: what is asked of it lies there. */
static void
test_arenas(void)
{
	int (*node_of)(const void *);
	int (*ctl)(const char *, void *, size_t *, void *, size_t);
	unsigned narenas, a, found;
	size_t n, len = sizeof(narenas);
	void *p;

	NEED(node_of, "numaslab_node_of");
	NEED(ctl, "mallctl");
	REQUIRE(ctl("arenas.narenas", &narenas, &len, NULL, 0) == 0);
	for (a = 0; a < narenas; a++) {
		for (n = 1; n < 1000000; n = n * 5 + 1) {
			p = mallocx(n, ARENA(a));
			REQUIRE(p != NULL);
			len = sizeof(found);
			CHECK_EQ(
			    ctl("arenas.lookup", &found, &len, &p, sizeof(p)),
			    0);
			CHECK_EQ(found, a);
			p = rallocx(p, 2 * n, ARENA((a + 1) % narenas) | ZERO);
			REQUIRE(p != NULL);
			CHECK_EQ(
			    ctl("arenas.lookup", &found, &len, &p, sizeof(p)),
			    0);
			CHECK_EQ(found, (a + 1) % narenas);
			CHECK(node_of(p) >= 0);
			dallocx(p, ARENA(a));
		}
	}
	CHECK_ERRNO(mallocx(1, ARENA(narenas)), NULL, EINVAL);
}

int
main(int argc, char **argv)
{
	(void)argc;
	NEED(mallocx, "mallocx");
	NEED(rallocx, "rallocx");
	NEED(xallocx, "xallocx");
	NEED(sallocx, "sallocx");
	NEED(dallocx, "dallocx");
	NEED(sdallocx, "sdallocx");
	NEED(nallocx, "nallocx");
	ours = is_ours();
	if (ours)
		test_env(argv, "NUMASLAB_FAKE_NODES", "3");
	test_sizes();
	test_aligned();
	test_zero();
	test_absurd();
	test_rallocx();
	test_xallocx();
	if (ours)
		test_arenas();
	return test_done();
}
