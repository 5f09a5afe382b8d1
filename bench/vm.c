/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench/vm.c - page requests against aligned_alloc and mmap.
 *
 * Each case allocates n pages, uses each, and frees them all; time is for
 * one page.  A page is used by writing its first word, or all of it as a
 * buffer pool does when it reads a block.
 *
 *	page	   vm_page_alloc, contents as they come
 *	page_zero  with VM_ALLOC_ZERO, and memset when PG_ZERO is not set,
 *		   so that the page is zero in every case
 *	aligned, aligned_zero	aligned_alloc, without and with memset
 *	mmap	   mmap and munmap: zero by nature
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <numaslab/vm_page.h>

#include "gbench.h"

#define MAX_PAGES 1024

static size_t page_size;

static inline void
use_page(void *addr, int64_t whole)
{
	if (whole)
		memset(addr, 1, page_size);
	else
		*(volatile char *)addr = 1;
	gbench_use(addr);
}

static inline __attribute__((always_inline)) void
pages(struct gbench *b, int req)
{
	int64_t n = b->arg[0], zeroed = 0;
	vm_page_t m[MAX_PAGES];

	gbench_loop_batch(b, n) {
		for (int64_t i = 0; i < n; i++) {
			void *addr;

			m[i] = vm_page_alloc(NULL, 0, req);
			addr = vm_page_addr(m[i]);
			if (req & VM_ALLOC_ZERO) {
				if (vm_page_flags(m[i]) & PG_ZERO)
					zeroed++;
				else
					memset(addr, 0, page_size);
			}
			use_page(addr, b->arg[1]);
		}
		for (int64_t i = 0; i < n; i++)
			vm_page_free(m[i]);
	}
	gbench_set_items(b, b->iterations);
	if (req & VM_ALLOC_ZERO)
		gbench_set_counter(b, "already_zero",
				   (double)zeroed / (double)b->iterations,
				   GBENCH_AVERAGE);
}

static void
page(struct gbench *b)
{
	pages(b, VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ);
}

static void
page_zero(struct gbench *b)
{
	pages(b, VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ | VM_ALLOC_ZERO);
}

static inline __attribute__((always_inline)) void
aligned_pages(struct gbench *b, int zero)
{
	int64_t n = b->arg[0];
	void *p[MAX_PAGES];

	gbench_loop_batch(b, n) {
		for (int64_t i = 0; i < n; i++) {
			p[i] = aligned_alloc(page_size, page_size);
			if (zero)
				memset(p[i], 0, page_size);
			use_page(p[i], b->arg[1]);
		}
		for (int64_t i = 0; i < n; i++)
			free(p[i]);
	}
	gbench_set_items(b, b->iterations);
}

static void
aligned(struct gbench *b)
{
	aligned_pages(b, 0);
}

static void
aligned_zero(struct gbench *b)
{
	aligned_pages(b, 1);
}

static void
mapped(struct gbench *b)
{
	int64_t n = b->arg[0];
	void *p[MAX_PAGES];

	gbench_loop_batch(b, n) {
		for (int64_t i = 0; i < n; i++) {
			p[i] = mmap(NULL, page_size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			use_page(p[i], b->arg[1]);
		}
		for (int64_t i = 0; i < n; i++)
			munmap(p[i], page_size);
	}
	gbench_set_items(b, b->iterations);
}

#define ARGS                                          \
	.args = { GBENCH_LIST("n", 1, 64, MAX_PAGES), \
		  GBENCH_LIST("whole", 0, 1) }

static const struct gbench_case cases[] = {
	{ .name = "page", .run = page, ARGS },
	{ .name = "page_zero", .run = page_zero, ARGS },
	{ .name = "aligned", .run = aligned, ARGS },
	{ .name = "aligned_zero", .run = aligned_zero, ARGS },
	{ .name = "mmap", .run = mapped, ARGS },
	{ .name = "page_2t", .run = page, .threads = { 2 }, ARGS },
	{ .name = "aligned_2t", .run = aligned, .threads = { 2 }, ARGS },
	{ 0 }
};

int
main(int argc, char **argv)
{
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	return gbench_main(argc, argv, cases);
}
