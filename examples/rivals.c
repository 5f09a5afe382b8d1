/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * examples/rivals.c - frames of malloc with an LRU list, and mmap of the file.
 *
 * lru: a hash table of frames and a list in the order of use, both under one
 * mutex, which is not held while a block is read or written.  Each frame has a
 * latch for many readers or one writer.  Whoever needs a frame takes the one
 * that was used longest ago, and writes its block first if that is dirty.
 *
 * mmap: the kernel has the blocks.  A latch for each makes it the same
 * workload: a block is not read while another thread changes it.
 */
#include "examples/rivals.h"

#include "examples/pool.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A latch: readers, or WRITER. */
#define WRITER 0x80000000u

static void
latch(uint32_t *word, uint32_t by)
{
	uint32_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);

	for (;;) {
		while (by == WRITER ? seen != 0 : seen >= WRITER) {
			sched_yield();
			seen = __atomic_load_n(word, __ATOMIC_RELAXED);
		}
		if (__atomic_compare_exchange_n(word, &seen, seen + by, false,
						__ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return;
	}
}

static void
unlatch(uint32_t *word, uint32_t by)
{
	__atomic_fetch_sub(word, by, __ATOMIC_RELEASE);
}

/* lru */

struct frame {
	struct frame *next, *prev; /* the list, the last used first */
	struct frame *chain;       /* in its bucket */
	uint64_t number;           /* or NONE */
	uint32_t pins;
	uint32_t latch;
	bool dirty, moving; /* being read or written: wait */
	void *block;
};

#define NONE UINT64_MAX

static struct {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct frame *frames, list;
	struct frame **bucket;
	uint64_t mask, nframes, used, brought;
	int fd;
} lru = { .lock = PTHREAD_MUTEX_INITIALIZER,
	  .moved = PTHREAD_COND_INITIALIZER };

static struct frame **
bucket_of(uint64_t number)
{
	return &lru.bucket[(number * 0x9e3779b97f4a7c15u >> 32) & lru.mask];
}

static void
unlink_frame(struct frame *f)
{
	f->prev->next = f->next;
	f->next->prev = f->prev;
}

static void
to_front(struct frame *f)
{
	f->next = lru.list.next;
	f->prev = &lru.list;
	f->next->prev = f;
	lru.list.next = f;
}

static bool
lru_open(const char *path, uint64_t blocks, uint64_t frames)
{
	(void)blocks;
	lru.fd = open(path, O_RDWR | O_DIRECT);
	if (lru.fd < 0)
		lru.fd = open(path, O_RDWR);
	lru.nframes = frames;
	for (lru.mask = 1; lru.mask < frames; lru.mask *= 2)
		;
	lru.bucket = calloc(lru.mask--, sizeof(*lru.bucket));
	lru.frames = calloc(frames, sizeof(*lru.frames));
	lru.list.next = lru.list.prev = &lru.list;
	for (uint64_t i = 0; i < frames; i++) {
		struct frame *f = &lru.frames[i];

		f->number = NONE;
		f->block = aligned_alloc(POOL_BLOCK, POOL_BLOCK);
		if (f->block == NULL)
			return false;
		to_front(f);
	}
	return lru.fd >= 0;
}

static struct frame *
find(uint64_t number)
{
	struct frame *f = *bucket_of(number);

	while (f != NULL && f->number != number)
		f = f->chain;
	return f;
}

static void
unhash(struct frame *f)
{
	struct frame **at = bucket_of(f->number);

	while (*at != f)
		at = &(*at)->chain;
	*at = f->chain;
}

/* The frame used longest ago that nobody has, or NULL. */
static struct frame *
victim(void)
{
	struct frame *f;

	for (f = lru.list.prev; f != &lru.list; f = f->prev)
		if (f->pins == 0 && !f->moving)
			return f;
	return NULL;
}

/* A frame without block, or NULL: look again.  The mutex may be dropped. */
static struct frame *
free_frame(void)
{
	struct frame *f = victim();

	if (f == NULL || !f->dirty)
		return f;
	f->moving = true;
	f->dirty = false;
	pthread_mutex_unlock(&lru.lock);
	if (pwrite(lru.fd, f->block, POOL_BLOCK,
		   (off_t)(f->number * POOL_BLOCK)) != POOL_BLOCK)
		abort();
	pthread_mutex_lock(&lru.lock);
	f->moving = false;
	pthread_cond_broadcast(&lru.moved);
	return NULL;
}

static struct frame *
bring(struct frame *f, uint64_t number)
{
	if (f->number != NONE)
		unhash(f);
	f->number = number;
	f->chain = *bucket_of(number);
	*bucket_of(number) = f;
	f->moving = true;
	f->pins = 1;
	lru.brought++;
	pthread_mutex_unlock(&lru.lock);
	if (pread(lru.fd, f->block, POOL_BLOCK, (off_t)(number * POOL_BLOCK)) !=
	    POOL_BLOCK)
		abort();
	pthread_mutex_lock(&lru.lock);
	f->moving = false;
	pthread_cond_broadcast(&lru.moved);
	return f;
}

static void *
lru_get(uint64_t number, uint32_t by)
{
	struct frame *f;

	pthread_mutex_lock(&lru.lock);
	for (;;) {
		f = find(number);
		if (f != NULL && f->moving) {
			pthread_cond_wait(&lru.moved, &lru.lock);
			continue;
		}
		if (f != NULL) {
			f->pins++;
			break;
		}
		f = free_frame();
		if (f != NULL && find(number) == NULL) {
			bring(f, number);
			break;
		}
	}
	unlink_frame(f);
	to_front(f);
	f->dirty |= by == WRITER;
	pthread_mutex_unlock(&lru.lock);
	latch(&f->latch, by);
	return f;
}

static void
lru_put(struct frame *f, uint32_t by)
{
	unlatch(&f->latch, by);
	pthread_mutex_lock(&lru.lock);
	f->pins--;
	pthread_mutex_unlock(&lru.lock);
}

/* The frame is in front of the block, as far as the caller is concerned. */
static __thread struct frame *mine;

static void *
lru_read(uint64_t number)
{
	mine = lru_get(number, 1);
	return mine->block;
}

static void
lru_read_done(uint64_t number, void *block)
{
	(void)number, (void)block;
	lru_put(mine, 1);
}

static void *
lru_write(uint64_t number)
{
	mine = lru_get(number, WRITER);
	return mine->block;
}

static void
lru_write_done(uint64_t number, void *block)
{
	(void)number, (void)block;
	lru_put(mine, WRITER);
}

static uint64_t
lru_brought(void)
{
	return lru.brought;
}

static uint64_t
lru_resident(void)
{
	return lru.brought < lru.nframes ? lru.brought : lru.nframes;
}

const struct store store_lru = {
	"malloc+lru", lru_open,       lru_read,    lru_read_done,
	lru_write,    lru_write_done, lru_brought, lru_resident,
};

/* mmap */

static char *map;
static uint32_t *latches;
static uint64_t map_frames;

static bool
map_open(const char *path, uint64_t blocks, uint64_t frames)
{
	int fd = open(path, O_RDWR);

	map_frames = frames;
	map = mmap(NULL, blocks * POOL_BLOCK, PROT_READ | PROT_WRITE,
		   MAP_SHARED, fd, 0);
	latches = calloc(blocks, sizeof(*latches));
	if (fd < 0 || map == MAP_FAILED || latches == NULL)
		return false;
	return madvise(map, blocks * POOL_BLOCK, MADV_RANDOM) == 0;
}

static void *
map_read(uint64_t number)
{
	latch(&latches[number], 1);
	return map + number * POOL_BLOCK;
}

static void
map_read_done(uint64_t number, void *block)
{
	(void)block;
	unlatch(&latches[number], 1);
}

static void *
map_write(uint64_t number)
{
	latch(&latches[number], WRITER);
	return map + number * POOL_BLOCK;
}

static void
map_write_done(uint64_t number, void *block)
{
	(void)block;
	unlatch(&latches[number], WRITER);
}

/* What the process had the device read. */
static uint64_t
map_brought(void)
{
	FILE *f = fopen("/proc/self/io", "r");
	unsigned long bytes = 0;
	char line[128];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "read_bytes: %lu", &bytes) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return bytes / POOL_BLOCK;
}

static uint64_t
map_resident(void)
{
	uint64_t brought = map_brought();

	return brought < map_frames ? brought : map_frames;
}

const struct store store_mmap = {
	"mmap",    map_open,       map_read,    map_read_done,
	map_write, map_write_done, map_brought, map_resident,
};
