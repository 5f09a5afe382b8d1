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
 *	page_ready the same, and freed as a zero page again: vm_page_free_zero
 *	aligned, aligned_zero	aligned_alloc, without and with memset
 *	mmap	   mmap and munmap: zero by nature
 *
 * Requests alone, by any number of threads; with touch the address is asked
 * for and the first word is written, and written back to 0:
 *
 *	req_plain  vm_page_alloc and vm_page_free
 *	req_zero   the same with VM_ALLOC_ZERO and vm_page_free_zero
 *	req_mixed  n plain ones and n of VM_ALLOC_ZERO in turn, and vm_page_free
 *	req_malloc malloc and free of as many bytes
 *
 * VM_BENCH_HOLD=n has the process hold n pages all the time, as one does that
 * has been at work for a while.
 *
 * The others find one of n resident pages at random, by any number of threads:
 *
 *	lookup	   vm_page_lookup, without a lock
 *	grab	   vm_page_grab_unlocked and vm_page_sunbusy
 *	hash	   a hash table of 64 shards, each under a pthread_rwlock
 *	hash_spin  the same, under a word that counts readers
 *	count_...  a fixed number of these, for bench/pages to count
 *instructions
 */
#include <pthread.h>
#include <sched.h>
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

/* A warm pool: each page is zero again when it is freed, and freed as such. */
static void
page_ready(struct gbench *b)
{
	int64_t n = b->arg[0], zeroed = 0;
	vm_page_t m[MAX_PAGES];

	gbench_loop_batch(b, n) {
		for (int64_t i = 0; i < n; i++) {
			m[i] = vm_page_alloc(NULL, 0,
					     VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ |
						 VM_ALLOC_ZERO);
			zeroed += vm_page_flags(m[i]) & PG_ZERO;
			use_page(vm_page_addr(m[i]), 0);
			*(volatile char *)vm_page_addr(m[i]) = 0;
		}
		for (int64_t i = 0; i < n; i++)
			vm_page_free_zero(m[i]);
	}
	gbench_set_items(b, b->iterations);
	gbench_set_counter(b, "already_zero",
			   (double)zeroed / (double)b->iterations,
			   GBENCH_AVERAGE);
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

/* Requests alone. */

static inline void *
request(int req)
{
	return req != 0 ? vm_page_alloc(NULL, 0, req) : malloc(page_size);
}

static inline void
touch(void *got, int req)
{
	volatile char *at = req != 0 ? vm_page_addr(got) : got;

	at[0] = 1;
	at[0] = 0;
}

static inline void
release(void *got, int req)
{
	if (req == 0)
		free(got);
	else if (req & VM_ALLOC_ZERO)
		vm_page_free_zero(got);
	else
		vm_page_free(got);
}

/* Of several threads each has a CPU, as long as there are enough. */
static void
pin(const struct gbench *b)
{
	int cpu = -1;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0 ||
	    CPU_COUNT(&set) < b->threads)
		return;
	for (int i = 0; i <= b->thread; i++)
		while (!CPU_ISSET(++cpu, &set))
			;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* By turns as @req and as @other say, and freed as @as says. */
static inline __attribute__((always_inline)) void
requests(struct gbench *b, int req, int other, int as)
{
	int64_t n = b->arg[0];
	void *got[MAX_PAGES];
	int now = req;
	cpu_set_t all;

	pthread_getaffinity_np(pthread_self(), sizeof(all), &all);
	if (b->threads > 1)
		pin(b);
	gbench_loop_batch(b, n) {
		for (int64_t i = 0; i < n; i++) {
			got[i] = request(now);
			gbench_use(got[i]);
			if (b->arg[1])
				touch(got[i], now);
		}
		for (int64_t i = 0; i < n; i++)
			release(got[i], as);
		now = now == req ? other : req;
	}
	pthread_setaffinity_np(pthread_self(), sizeof(all), &all);
	gbench_set_items(b, b->iterations);
}

#define PLAIN (VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ)
#define ZERO  (PLAIN | VM_ALLOC_ZERO)

static void
req_plain(struct gbench *b)
{
	requests(b, PLAIN, PLAIN, PLAIN);
}

static void
req_zero(struct gbench *b)
{
	requests(b, ZERO, ZERO, ZERO);
}

static void
req_mixed(struct gbench *b)
{
	requests(b, PLAIN, ZERO, PLAIN);
}

static void
req_malloc(struct gbench *b)
{
	requests(b, 0, 0, 0);
}

/* Finding. */

#define MAX_BLOCKS (1 << 16)
#define SHARDS     64

struct entry {
	struct entry *next;
	uint64_t block;
	void *page;
};

static struct shard {
	pthread_rwlock_t lock;
	uint32_t readers; /* of the other lock; nobody writes */
	struct entry *bucket[MAX_BLOCKS / SHARDS];
} __attribute__((aligned(64))) shard[SHARDS];

static struct entry entries[MAX_BLOCKS];
static vm_object_t file;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t
hash(uint64_t block)
{
	return block * 0x9e3779b97f4a7c15u >> 32;
}

static struct entry **
bucket_of(uint64_t block)
{
	uint64_t h = hash(block);

	return &shard[h % SHARDS].bucket[h / SHARDS % (MAX_BLOCKS / SHARDS)];
}

/* The same blocks in an object and in the table. */
static void
fill(void)
{
	struct vm_object_attr attr = { .size = MAX_BLOCKS,
				       .domain = VM_DOMAIN_HOME };

	file = vm_object_create(&attr);
	for (uint64_t i = 0; i < SHARDS; i++)
		pthread_rwlock_init(&shard[i].lock, NULL);
	VM_OBJECT_WLOCK(file);
	for (uint64_t i = 0; i < MAX_BLOCKS; i++) {
		struct entry **b = bucket_of(i);

		entries[i].block = i;
		entries[i].page =
		    vm_page_alloc(file, i, VM_ALLOC_NORMAL | VM_ALLOC_NOBUSY);
		entries[i].next = *b;
		*b = &entries[i];
	}
	VM_OBJECT_WUNLOCK(file);
}

/* Not in line, so that callgrind can tell it from the loop. */
static __attribute__((noinline)) void *
by_lookup(uint64_t block)
{
	return vm_page_lookup(file, block);
}

static __attribute__((noinline)) void *
by_grab(uint64_t block)
{
	vm_page_t m = vm_page_grab_unlocked(
	    file, block, VM_ALLOC_NORMAL | VM_ALLOC_SBUSY | VM_ALLOC_NOCREAT);

	vm_page_sunbusy(m);
	return m;
}

static void *
find_entry(uint64_t block)
{
	struct entry *e;

	for (e = *bucket_of(block); e != NULL && e->block != block; e = e->next)
		;
	return e != NULL ? e->page : NULL;
}

static __attribute__((noinline)) void *
by_hash(uint64_t block)
{
	struct shard *s = &shard[hash(block) % SHARDS];
	void *page;

	pthread_rwlock_rdlock(&s->lock);
	page = find_entry(block);
	pthread_rwlock_unlock(&s->lock);
	return page;
}

static __attribute__((noinline)) void *
by_hash_spin(uint64_t block)
{
	struct shard *s = &shard[hash(block) % SHARDS];
	uint32_t seen = __atomic_load_n(&s->readers, __ATOMIC_RELAXED);
	void *page;

	/* The top bit would be a writer's. */
	while (seen >> 31 != 0 ||
	       !__atomic_compare_exchange_n(&s->readers, &seen, seen + 1, true,
					    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		;
	page = find_entry(block);
	__atomic_fetch_sub(&s->readers, 1, __ATOMIC_RELEASE);
	return page;
}

static inline __attribute__((always_inline)) void
find(struct gbench *b, void *(*fn)(uint64_t))
{
	uint64_t rnd = (uintptr_t)b | 1;

	pthread_once(&once, fill);
	gbench_loop(b) {
		rnd = rnd * 6364136223846793005u + 1442695040888963407u;
		gbench_use(fn((rnd >> 33) % (uint64_t)b->arg[0]));
	}
	gbench_set_items(b, b->iterations);
}

static void
lookup(struct gbench *b)
{
	find(b, by_lookup);
}

static void
grab(struct gbench *b)
{
	find(b, by_grab);
}

static void
hashed(struct gbench *b)
{
	find(b, by_hash);
}

static void
hashed_spin(struct gbench *b)
{
	find(b, by_hash_spin);
}

#define FIND_ARGS \
	.threads = { 1, 2, 8 }, .args = { GBENCH_LIST("n", 64, MAX_BLOCKS) }

#define COUNT_ARGS                                  \
	.threads = { 1, 8 }, .iterations = 1 << 13, \
	.args = { GBENCH_LIST("n", MAX_BLOCKS) }

#define REQ_ARGS                                               \
	.threads = { 1, 2 },                                   \
	.args = { GBENCH_LIST("n", 1, 16, 64, 256, MAX_PAGES), \
		  GBENCH_LIST("touch", 0, 1) }

#define ARGS                                          \
	.args = { GBENCH_LIST("n", 1, 64, MAX_PAGES), \
		  GBENCH_LIST("whole", 0, 1) }

static const struct gbench_case cases[] = {
	{ .name = "page", .run = page, ARGS },
	{ .name = "page_zero", .run = page_zero, ARGS },
	{ .name = "page_ready",
	  .run = page_ready,
	  .args = { GBENCH_LIST("n", 1, 64, MAX_PAGES) } },
	{ .name = "aligned", .run = aligned, ARGS },
	{ .name = "aligned_zero", .run = aligned_zero, ARGS },
	{ .name = "mmap", .run = mapped, ARGS },
	{ .name = "page_2t", .run = page, .threads = { 2 }, ARGS },
	{ .name = "aligned_2t", .run = aligned, .threads = { 2 }, ARGS },
	{ .name = "req_plain", .run = req_plain, REQ_ARGS },
	{ .name = "req_zero", .run = req_zero, REQ_ARGS },
	{ .name = "req_mixed", .run = req_mixed, REQ_ARGS },
	{ .name = "req_malloc", .run = req_malloc, REQ_ARGS },
	{ .name = "lookup", .run = lookup, FIND_ARGS },
	{ .name = "grab", .run = grab, FIND_ARGS },
	{ .name = "hash", .run = hashed, FIND_ARGS },
	{ .name = "hash_spin", .run = hashed_spin, FIND_ARGS },
	{ .name = "count_lookup", .run = lookup, COUNT_ARGS },
	{ .name = "count_hash", .run = hashed, COUNT_ARGS },
	{ 0 }
};

int
main(int argc, char **argv)
{
	const char *hold = getenv("VM_BENCH_HOLD");

	page_size = (size_t)sysconf(_SC_PAGESIZE);
	for (long i = hold != NULL ? atol(hold) : 0; i > 0; i--)
		vm_page_alloc(NULL, 0, PLAIN);
	return gbench_main(argc, argv, cases);
}
