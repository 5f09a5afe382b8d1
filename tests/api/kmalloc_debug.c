/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NUMASLAB_SLAB_DEBUG for the classes of kmalloc, or with TEST_MALLOC for
 * malloc, which are the same.  Each planted bug is found, in a child of its
 * own, in lines that name the class, the block and the size it was asked for,
 * its node and the call stacks of who allocated and who freed it.
 */
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>

#include "tests/api/planted.h"

#ifdef TEST_MALLOC
#define ALLOC(n)      malloc(n)
#define ZALLOC(n)     calloc(1, n)
#define REALLOC(p, n) realloc(p, n)
#define FREE(p)       free(p)
#define ALIGNED_MAX   2048 /* whole pages are spread */
#define PAGE_CLASS    "kmalloc-4096"
#else
#define ALLOC(n)      kmalloc(n, GFP_KERNEL)
#define ZALLOC(n)     kzalloc(n, GFP_KERNEL)
#define REALLOC(p, n) krealloc(p, n, GFP_KERNEL)
#define FREE(p)       kfree(p)
#define ALIGNED_MAX   4096
#define PAGE_CLASS    "kmalloc-4096-aligned"
#endif

void *allocator_of_it(size_t n);
void freer_of_it(void *p);

__attribute__((noinline)) void *
allocator_of_it(size_t n)
{
	void *p = ALLOC(n);

	REQUIRE(p != NULL);
	return p;
}

__attribute__((noinline)) void
freer_of_it(void *p)
{
	FREE(p);
	__asm__ volatile("" ::: "memory"); /* no tail call: a frame */
}

static struct kmem_cache *other;

static void
free_one(void *p)
{
	freer_of_it(p);
}

static void
free_obj(void)
{
	free_one((void *)obj);
}

static void
until_it_comes(void)
{
	for (int i = 0; i < 100; i++)
		allocator_of_it(size);
}

/* --- the bugs --- */

static void
overflow_by_zero(void)
{
	obj[size] = 0;
	free_obj();
}

static void
overflow_string(void)
{
	memset((char *)obj, 'x', size);
	obj[size] = '\0';
	free_obj();
}

static void
overflow_realloc(void)
{
	obj[size] = 1;
	obj = REALLOC((void *)obj, 3 * size);
}

static void
double_free(void)
{
	freer_of_it((void *)freed);
}

static void
double_free_realloc(void)
{
	obj = REALLOC((void *)freed, 5 * size);
}

static void
interior_1(void)
{
	freer_of_it((char *)obj + 1);
}

static void
interior_16(void)
{
	freer_of_it((char *)obj + 16);
}

static void
wrong_cache(void)
{
	kmem_cache_free(other, (void *)obj);
}

static void
size_of_freed(void)
{
	CHECK_EQ(ksize((void *)freed), 0);
}

struct bug {
	const char *name;
	void (*plant)(void);
	const char *says;
	volatile char **about;
	size_t size;
	const char *class;
};

static const char behind[] = "behind its end", before[] = "before its start",
		  after[] = "after it was freed", twice[] = "already free",
		  inside[] = "not the start";

static const struct bug bugs[] = {
	{ "overflow", overflow_1, behind, &obj, 64, "kmalloc-64" },
	{ "overflow, odd", overflow_1, behind, &obj, 50, "kmalloc-64" },
	{ "overflow, one", overflow_1, behind, &obj, 1, "kmalloc-16" },
	{ "overflow, 200", overflow_1, behind, &obj, 200, "kmalloc-208" },
	{ "overflow, page", overflow_1, behind, &obj, 4096, PAGE_CLASS },
	{ "overflow, 5000", overflow_1, behind, &obj, 5000, "kmalloc-5120" },
	{ "overflow, 60001", overflow_1, behind, &obj, 60001, "kmalloc-61440" },
	{ "overflow, most", overflow_1, behind, &obj, 65536, "kmalloc-65536" },
	{ "overflow by a 0", overflow_by_zero, behind, &obj, 24, "kmalloc-32" },
	{ "overflow by 8", overflow_8, behind, &obj, 96, "kmalloc-96" },
	{ "overflow, string", overflow_string, behind, &obj, 11, "kmalloc-16" },
	{ "overflow, realloc", overflow_realloc, behind, &obj, 40,
	  "kmalloc-48" },
	{ "overflow, thread", overflow_elsewhere, behind, &obj, 40,
	  "kmalloc-48" },
	{ "underflow", underflow_1, before, &obj, 200, "kmalloc-208" },
	{ "underflow, page", underflow_1, before, &obj, 4096, PAGE_CLASS },
	{ "underflow by 16", underflow_16, before, &obj, 100, "kmalloc-112" },
	{ "late write, first", late_write_first, after, &freed, 100,
	  "kmalloc-112" },
	{ "late write, last", late_write_last, after, &freed, 100,
	  "kmalloc-112" },
	{ "late write, only", late_write_last, after, &freed, 1, "kmalloc-16" },
	{ "late write, slack", late_write_behind, after, &freed, 100,
	  "kmalloc-112" },
	{ "late write, behind", late_write_behind, behind, &freed, 112,
	  "kmalloc-112" },
	{ "late write, before", late_write_before, before, &freed, 100,
	  "kmalloc-112" },
	{ "late zeros", late_zero, after, &freed, 512, "kmalloc-512" },
	{ "double free", double_free, twice, &freed, 100, "kmalloc-112" },
	{ "double free, thread", double_free_thread, twice, &freed, 100,
	  "kmalloc-112" },
	{ "interior", interior_16, inside, &obj, 100, "kmalloc-112" },
	{ "interior, odd", interior_1, inside, &obj, 100, "kmalloc-112" },
	{ "wrong cache", wrong_cache, "(other, 0x", &obj, 100, "kmalloc-112" },
	{ "realloc of freed", double_free_realloc, twice, &freed, 40,
	  "kmalloc-48" },
	{ "size of freed", size_of_freed, twice, &freed, 100, "kmalloc-112" },
};

/* Each was allocated and freed once before. */
static void
set_up(const struct bug *b)
{
	size = b->size;
	obj = allocator_of_it(size);
	freed = allocator_of_it(size);
	freer_of_it((void *)freed);
	freer_of_it((void *)obj);
	obj = allocator_of_it(size);
	freed = allocator_of_it(size);
	freer_of_it((void *)freed);
}

static void
plant(void *arg)
{
	((const struct bug *)arg)->plant();
}

static void
check_bug(const struct bug *b, int has_stacks)
{
	char about[64], class[32];
	const char *const needles[] = { b->says,
					about,
					class,
					"node 2",
					has_stacks ? "allocated by thread"
						   : NULL,
					"allocator_of_it",
					"freed by thread",
					"freer_of_it",
					NULL };

	set_up(b);
	snprintf(about, sizeof(about), "object %p of %zu bytes",
		 (void *)*b->about, size);
	snprintf(class, sizeof(class), "cache %s,", b->class);
	check_planted(b->name, plant, (void *)b, needles);
	freer_of_it((void *)obj);
}

static enum finder
finder_of(const struct bug *b)
{
	return b->says == behind || b->says == before ? BY_ZONE
	       : b->says == after                     ? BY_POISON
						      : BY_CHECKS;
}

/* In a program that was started with that flag alone: the bugs it finds. */
static int
find_alone(enum finder by)
{
	for (size_t i = 0; i < sizeof(bugs) / sizeof(*bugs); i++)
		if (finder_of(&bugs[i]) == by)
			check_bug(&bugs[i], 0);
	return test_done();
}

static void
start_alone(void *flag)
{
	char *const argv[] = { "alone", flag, NULL };

	REQUIRE(setenv("NUMASLAB_SLAB_DEBUG", flag, 1) == 0);
	execv("/proc/self/exe", argv);
	REQUIRE(!"exec of this program");
}

static void
test_alone(void)
{
	static char *const flags[] = { "F", "Z", "P" };
	struct test_output out;

	for (int i = 0; i < 3; i++)
		CHECK_MSG(run_child(start_alone, flags[i], &out) == 0,
			  "%s alone: %s", flags[i], out.text);
}

/* --- leaks, failures, and what is not watched --- */

static void
leave_two(void *arg)
{
	(void)arg;
	freer_of_it(allocator_of_it(1000));
	obj = allocator_of_it(1000);
	freed = allocator_of_it(1001);
	exit(0);
}

static void
test_leak(void)
{
	struct test_output out;

	CHECK_EQ(run_child(leave_two, NULL, &out), 0);
	CHECK(strstr(out.text, "of 1000 bytes, cache kmalloc-1024, node") !=
	      NULL);
	CHECK(strstr(out.text, "of 1001 bytes, cache kmalloc-1024, node") !=
	      NULL);
	CHECK(strstr(out.text, "allocator_of_it") != NULL);
	CHECK(strstr(out.text, "freer_of_it") != NULL);
	CHECK(strstr(out.text, "node 2: in use") != NULL);
	CHECK(strstr(out.text, "numaslab: exit: 2 objects of cache "
			       "kmalloc-1024 are still live\n") != NULL);
	CHECK(strstr(out.text, "cache kmalloc-112") == NULL);
}

#define FAIL_EVERY 3

static void
test_failslab(void)
{
	void *p[12];
	int failed = 0;

	for (int i = 0; i < 12; i++) {
		errno = 0;
		p[i] = i % 2 == 0 ? ALLOC(2000) : ZALLOC(2000);
		failed += p[i] == NULL;
		CHECK_EQ(errno, p[i] == NULL ? ENOMEM : 0);
	}
	CHECK_EQ(failed, 12 / FAIL_EVERY);
	for (int i = 0; i < 12; i++)
		FREE(p[i]);
#ifndef TEST_MALLOC
	for (int i = 0; i < 12; i++) {
		p[i] = kmalloc(2000, GFP_KERNEL | __GFP_NOFAIL);
		CHECK(p[i] != NULL);
	}
	kfree_bulk(12, p);
#endif
}

static void
overflow_unwatched(void *arg)
{
	volatile size_t n = 3000;
	char *p = ALLOC(n);

	(void)arg;
	REQUIRE(p != NULL);
	p[n] = 1; /* within the class's size */
	FREE(p);
}

static void
test_unwatched(void)
{
	struct test_output out;

	CHECK_EQ(run_child(overflow_unwatched, NULL, &out), 0);
	CHECK_STR(out.text, "");
}

/* --- and without a bug nothing is found --- */

static void
check_block(char *p, size_t n)
{
	REQUIRE(p != NULL);
	CHECK_EQ((uintptr_t)p % 16, 0);
	if (n != 0 && (n & (n - 1)) == 0 && n <= ALIGNED_MAX)
		CHECK_EQ((uintptr_t)p % n, 0);
	CHECK_EQ(ksize(p), n);
	memset(p, 0x33, n);
}

static void
test_right_use(void)
{
	static const size_t sizes[] = { 1, 8, 63, 64, 100, 4096, 9000, 65536 };
	char *p[64];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (int j = 0; j < 64; j++) {
			p[j] = j % 2 ? ALLOC(sizes[i]) : ZALLOC(sizes[i]);
			REQUIRE(p[j] != NULL);
			if (j % 2 == 0)
				CHECK_EQ(p[j][sizes[i] - 1], 0);
			check_block(p[j], sizes[i]);
		}
		for (int j = 0; j < 64; j += 2) {
			p[j] = REALLOC(p[j], sizes[i] + 5);
			REQUIRE(p[j] != NULL);
			CHECK_EQ(p[j][sizes[i] - 1], 0x33);
			p[j][sizes[i] + 4] = 1;
		}
		for (int j = 0; j < 64; j++)
			FREE(p[j]);
		CHECK(kmalloc_size_roundup(sizes[i]) >= sizes[i]);
		CHECK(kmalloc_size_roundup(sizes[i]) <= 2 * sizes[i] + 16);
	}
}

#ifdef TEST_MALLOC
static void
test_aligned(void)
{
	for (size_t align = 32; align <= 65536; align *= 2)
		for (size_t n = align; n <= 65536; n *= 2) {
			char *p = n != 2048 ? aligned_alloc(align, n) : NULL;

			if (n == 2048)
				continue; /* of the class that fails */
			REQUIRE(p != NULL);
			CHECK_EQ((uintptr_t)p % align, 0);
			memset(p, 1, n);
			free(p);
		}
}
#endif

int
main(int argc, char **argv)
{
	if (argc == 2) {
		other = kmem_cache_create("other", 100, 0, 0, NULL);
		return find_alone(argv[1][0] == 'Z'   ? BY_ZONE
				  : argv[1][0] == 'P' ? BY_POISON
						      : BY_CHECKS);
	}
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_env(argv, "NUMASLAB_POLICY", "preferred=2");
	test_env(argv, "NUMASLAB_FAILSLAB", "3");
	test_env(argv, "NUMASLAB_SLAB_DEBUG",
		 "LU,kmalloc-1024;A,kmalloc-2048;-,kmalloc-3072;FZPU");
	other = kmem_cache_create("other", 100, 0, 0, NULL);
	REQUIRE(other != NULL);
	for (size_t i = 0; i < sizeof(bugs) / sizeof(*bugs); i++)
		check_bug(&bugs[i], 1);
	test_alone();
	test_leak();
	test_failslab();
	test_unwatched();
	test_right_use();
#ifdef TEST_MALLOC
	test_aligned();
#endif
	kmem_cache_destroy(other);
	return test_done();
}
