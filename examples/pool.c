/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * examples/pool.c - a buffer pool in the terms of vm_page.
 *
 *	the file		an object, whose page size is a block
 *	a block's number	its pindex
 *	a frame			a page
 *	the lookup		vm_page_grab_valid_unlocked
 *	a read latch, a pin	shared busy
 *	a write latch		exclusively busy
 *	the clock		vm_page_reference and the queues
 *	eviction, writers	the page daemon
 *	a checkpoint		vm_object_page_clean
 *
 * What is left is below: reading and writing blocks, as pool.h promises.
 *
 * The page daemon's writes are a row of blocks each, mostly of one.  So they
 * are only begun there (VM_PAGER_PEND), and a thread of the pool's writes them
 * together with others of the laundry queue, in the order of the file.
 *
 * Order of a write: the pages are shared busy, so nobody changes them; they are
 * copied into a journal area, which only this write has, and summed up there;
 * the area is written to the journal; then, and not before, its blocks in
 * place; then the area is free.  Pages of one block are never written by two
 * at once with different contents, since to change them one must wait for both.
 */
#include "examples/pool.h"

#include "examples/io.h"

#include <numaslab/vm_pager.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AREAS   8u  /* writes at once */
#define ROW     32u /* blocks in one write, at most */
#define QUEUE   (4 * ROW)
#define REST_NS 10000000 /* of the writer, when it has little to do */
#define LOOK    1024u    /* pages that the writer looks at for more */

struct area {
	pthread_mutex_t lock;
	char *copy; /* ROW blocks, under the lock */
};

/* Pages whose write is begun. */
struct queue {
	pthread_mutex_t lock;
	pthread_cond_t more, room;
	unsigned n; /* in this order, under the lock */
	bool stop;  /* written under the lock */
	vm_page_t page[QUEUE];
	pthread_t writer;
	bool runs;
};

struct pool {
	vm_object_t object;
	int fd, journal; /* the journal's: -1 if there is none */
	struct io *io;
	uint64_t blocks;
	uint64_t reads, writes;
	vm_pindex_t hand; /* the writer's */
	struct area area[AREAS];
	struct queue queue;
};

/* Blocks as they are in the file. */

static uint64_t
sum_up(const void *block)
{
	const uint64_t *w = block;
	uint64_t h[4] = { 1, 2, 3, 4 };

	/* The sum itself is the first word. */
	for (unsigned i = 4; i < POOL_BLOCK / 8; i++)
		h[i % 4] = (h[i % 4] ^ w[i]) * 0x9e3779b97f4a7c15u;
	h[0] ^= w[1] * 0xff51afd7ed558ccdu ^ w[2] * 0xc4ceb9fe1a85ec53u ^ w[3];
	return h[0] ^ (h[1] << 16 | h[1] >> 48) ^ (h[2] << 32 | h[2] >> 32) ^
	       (h[3] << 48 | h[3] >> 16);
}

static bool
is_empty(const void *block)
{
	static const char zero[POOL_BLOCK];

	return memcmp(block, zero, POOL_BLOCK) == 0;
}

static bool
is_whole(const void *block, uint64_t number)
{
	const struct pool_head *head = block;

	return head->version != 0 && head->number == number &&
	       head->sum == sum_up(block);
}

/* The pager. */

static __thread bool was_read; /* by this thread, since it last looked */

static int
get(vm_object_t object, vm_page_t *ma, int count)
{
	struct pool *p = vm_object_handle(object);
	struct io_part part[ROW];

	if (count > (int)ROW)
		return VM_PAGER_FAIL;
	for (int i = 0; i < count; i++)
		part[i] =
		    (struct io_part){ vm_page_addr(ma[i]), POOL_BLOCK,
				      vm_page_pindex(ma[i]) * POOL_BLOCK };
	if (!io_run(p->io, false, part, (unsigned)count))
		return VM_PAGER_ERROR;
	for (int i = 0; i < count; i++) {
		struct pool_head *head = part[i].addr;

		if (!is_whole(head, vm_page_pindex(ma[i])) && !is_empty(head))
			return VM_PAGER_ERROR;
		head->number = vm_page_pindex(ma[i]);
		vm_page_deactivate(ma[i]);
	}
	was_read = true;
	__atomic_fetch_add(&p->reads, (uint64_t)count, __ATOMIC_RELAXED);
	return VM_PAGER_OK;
}

static struct area *
take_area(struct pool *p)
{
	for (unsigned i = 0; i < AREAS; i++)
		if (pthread_mutex_trylock(&p->area[i].lock) == 0)
			return &p->area[i];
	pthread_mutex_lock(&p->area[0].lock);
	return &p->area[0];
}

/* The whole area at once. */
static bool
write_journal(struct pool *p, const struct area *a, size_t bytes)
{
	uint64_t at = (uint64_t)(a - p->area) * ROW * POOL_BLOCK;

	return p->journal < 0 ||
	       pwrite(p->journal, a->copy, bytes, (off_t)at) == (ssize_t)bytes;
}

static bool
write_pages(struct pool *p, vm_page_t *ma, int count)
{
	struct area *a = take_area(p);
	struct io_part part[ROW];
	bool good;

	for (int i = 0; i < count; i++) {
		struct pool_head *copy =
		    (void *)(a->copy + (size_t)i * POOL_BLOCK);

		memcpy(copy, vm_page_addr(ma[i]), POOL_BLOCK);
		copy->sum = sum_up(copy);
		part[i] =
		    (struct io_part){ copy, POOL_BLOCK,
				      vm_page_pindex(ma[i]) * POOL_BLOCK };
	}
	good = write_journal(p, a, (size_t)count * POOL_BLOCK) &&
	       io_run(p->io, true, part, (unsigned)count);
	pthread_mutex_unlock(&a->lock);
	__atomic_fetch_add(&p->writes, (uint64_t)count, __ATOMIC_RELAXED);
	return good;
}

/* Sleeps while the writer is that far behind; false: it takes no more. */
static bool
begin_write(struct queue *q, vm_page_t m)
{
	bool stop;

	pthread_mutex_lock(&q->lock);
	while (q->n == QUEUE && !q->stop)
		pthread_cond_wait(&q->room, &q->lock);
	stop = q->stop;
	if (!stop)
		q->page[q->n++] = m;
	pthread_cond_signal(&q->more);
	pthread_mutex_unlock(&q->lock);
	return !stop;
}

static void
put(vm_object_t object, vm_page_t *ma, int count, int flags, int *rtvals)
{
	struct pool *p = vm_object_handle(object);
	int n, i;

	for (; count > 0; count -= n, ma += n, rtvals += n) {
		n = count < (int)ROW ? count : (int)ROW;
		if ((flags & VM_PAGER_PUT_SYNC) != 0) {
			bool good = write_pages(p, ma, n);

			for (i = 0; i < n; i++)
				rtvals[i] = good ? VM_PAGER_OK : VM_PAGER_ERROR;
			continue;
		}
		for (i = 0; i < n; i++) {
			rtvals[i] = VM_PAGER_PEND;
			if (!begin_write(&p->queue, ma[i]))
				rtvals[i] = VM_PAGER_AGAIN;
		}
	}
}

/*
 * Up to @max pages of the queue; if it may wait for some, not for long.  False:
 * there are none and will be none.
 */
static bool
take_begun(struct queue *q, vm_page_t *m, unsigned max, bool wait, unsigned *n)
{
	struct timespec until;
	bool more;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += REST_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&q->lock);
	if (wait && q->n == 0 && !q->stop)
		pthread_cond_timedwait(&q->more, &q->lock, &until);
	more = q->n > 0 || !q->stop;
	*n = q->n < max ? q->n : max;
	memcpy(m, q->page, *n * sizeof(*m));
	q->n -= *n;
	memmove(q->page, q->page + *n, q->n * sizeof(*m));
	pthread_cond_broadcast(&q->room);
	pthread_mutex_unlock(&q->lock);
	return more;
}

/* Dirty and not used, and nobody writes it.  Then it is busied. */
static bool
joins(vm_page_t m)
{
	return (vm_page_flags(m) & PG_DIRTY) != 0 && vm_page_in_laundry(m) &&
	       !vm_page_busied(m) && vm_page_trysbusy(m);
}

/* Fills @m up with other pages to write, from the hand on; how many now. */
static unsigned
add_more(struct pool *p, vm_page_t *m, unsigned n)
{
	vm_page_t next;

	VM_OBJECT_RLOCK(p->object);
	for (unsigned i = 0; i < LOOK && n < ROW; i++) {
		next = vm_page_find_least(p->object, p->hand);
		p->hand = next != NULL ? vm_page_pindex(next) + 1 : 0;
		if (next != NULL && joins(next))
			m[n++] = next;
	}
	VM_OBJECT_RUNLOCK(p->object);
	return n;
}

/* The daemon does not know of the write; nobody changed it meanwhile. */
static void
end_own(vm_page_t m, bool good)
{
	if (good) {
		vm_page_undirty(m);
		vm_page_deactivate(m);
	}
	vm_page_sunbusy(m);
}

static void *
writer(void *arg)
{
	struct pool *p = arg;
	vm_page_t m[ROW];
	unsigned begun, n = 0, i;
	bool good;

	vm_pager_thread(true);
	while (take_begun(&p->queue, m, ROW, n < ROW, &begun)) {
		n = add_more(p, m, begun);
		if (n == 0)
			continue;
		good = write_pages(p, m, (int)n);
		for (i = 0; i < begun; i++)
			vm_pager_put_done(m[i],
					  good ? VM_PAGER_OK : VM_PAGER_ERROR);
		for (; i < n; i++)
			end_own(m[i], good);
	}
	return NULL;
}

static const struct pagerops pager = { .pgo_getpages = get,
				       .pgo_putpages = put };

/* Opening. */

/* What is newer or whole in the journal only goes to its place. */
static bool
mend(struct pool *p, char *journal, char *place)
{
	struct pool_head *head = (void *)journal, *there = (void *)place;
	struct io_part part = { place, POOL_BLOCK, head->number * POOL_BLOCK };

	if (head->number >= p->blocks || !is_whole(journal, head->number))
		return true; /* its write had not begun in place */
	if (!io_run(p->io, false, &part, 1))
		return false;
	if (is_whole(place, head->number) && there->version >= head->version)
		return true;
	part.addr = journal;
	return io_run(p->io, true, &part, 1);
}

static bool
mend_all(struct pool *p)
{
	char *journal = p->area[0].copy, *place = p->area[1].copy;
	ssize_t n;

	for (off_t at = 0; at < (off_t)(AREAS * ROW * POOL_BLOCK);
	     at += POOL_BLOCK) {
		n = pread(p->journal, journal, POOL_BLOCK, at);
		if (n < 0)
			return false;
		if (n == (ssize_t)POOL_BLOCK && !mend(p, journal, place))
			return false;
	}
	return true;
}

/* O_DIRECT is a wish. */
static int
open_file(const char *path, int flags)
{
	int how = O_RDWR | O_CREAT | O_CLOEXEC, fd = -1;

	if ((flags & POOL_DURABLE) != 0)
		how |= O_DSYNC;
	if ((flags & POOL_DIRECT) != 0)
		fd = open(path, how | O_DIRECT, 0666);
	return fd >= 0 ? fd : open(path, how, 0666);
}

static bool
open_journal(struct pool *p, const char *path, int flags)
{
	char *name;
	bool good;

	p->journal = -1;
	if ((flags & POOL_VOLATILE) != 0)
		return true;
	if (asprintf(&name, "%s.journal", path) < 0)
		return false;
	p->journal = open_file(name, flags);
	free(name);
	good = p->journal >= 0 && mend_all(p);
	return good;
}

static bool
open_all(struct pool *p, const char *path, int flags)
{
	struct vm_object_attr attr = { .size = p->blocks,
				       .domain = VM_DOMAIN_HOME,
				       .handle = p,
				       .pager = &pager,
				       .page_size = POOL_BLOCK };
	struct stat st;

	for (unsigned i = 0; i < AREAS; i++) {
		pthread_mutex_init(&p->area[i].lock, NULL);
		p->area[i].copy = aligned_alloc(POOL_BLOCK, ROW * POOL_BLOCK);
		if (p->area[i].copy == NULL)
			return false;
	}
	p->fd = open_file(path, flags);
	/*
	 * The lock is let go when nothing refers to the file any more: so it
	 * waits for writes that are under way still after a kill.
	 */
	if (p->fd < 0 || flock(p->fd, LOCK_EX) != 0 || fstat(p->fd, &st) != 0 ||
	    ((uint64_t)st.st_size < p->blocks * POOL_BLOCK &&
	     ftruncate(p->fd, (off_t)(p->blocks * POOL_BLOCK)) != 0))
		return false;
	p->io = io_open(p->fd);
	if (p->io == NULL || !open_journal(p, path, flags))
		return false;
	p->object = vm_object_create(&attr);
	p->queue.runs = p->object != NULL &&
			pthread_create(&p->queue.writer, NULL, writer, p) == 0;
	return p->queue.runs;
}

static void
release(struct pool *p)
{
	if (p->queue.runs) {
		pthread_mutex_lock(&p->queue.lock);
		p->queue.stop = true;
		pthread_cond_signal(&p->queue.more);
		pthread_cond_broadcast(&p->queue.room);
		pthread_mutex_unlock(&p->queue.lock);
		pthread_join(p->queue.writer, NULL);
	}
	if (p->object != NULL)
		vm_object_destroy(p->object);
	if (p->io != NULL)
		io_close(p->io);
	if (p->fd >= 0)
		close(p->fd);
	if (p->journal >= 0)
		close(p->journal);
	for (unsigned i = 0; i < AREAS; i++)
		free(p->area[i].copy);
	free(p);
}

struct pool *
pool_open(const char *path, uint64_t blocks, int flags)
{
	struct pool *p = calloc(1, sizeof(*p));
	int error;

	if (p == NULL)
		return NULL;
	p->blocks = blocks;
	pthread_mutex_init(&p->queue.lock, NULL);
	pthread_cond_init(&p->queue.more, NULL);
	pthread_cond_init(&p->queue.room, NULL);
	p->fd = p->journal = -1;
	if (open_all(p, path, flags))
		return p;
	error = errno;
	release(p);
	errno = error;
	return NULL;
}

bool
pool_close(struct pool *p)
{
	bool good = pool_sync(p);

	release(p);
	return good;
}

/* Use. */

/*
 * A block that was read for the first time is inactive: one that is used only
 * once goes first.  Its second use counts, and that of a page which came back
 * from the cache, where it is in no queue.
 */
static void
use_again(vm_page_t m)
{
	if (vm_page_active(m) || vm_page_inactive(m) || vm_page_in_laundry(m))
		vm_page_reference(m);
	else
		vm_page_activate(m);
}

static void *
grab(struct pool *p, uint64_t number, int req)
{
	vm_page_t m;

	was_read = false;
	if (vm_page_grab_valid_unlocked(&m, p->object, number, req) !=
	    VM_PAGER_OK)
		return NULL;
	if (!was_read)
		use_again(m);
	return vm_page_addr(m);
}

void *
pool_read(struct pool *p, uint64_t number)
{
	return grab(p, number, VM_ALLOC_NORMAL | VM_ALLOC_SBUSY);
}

void
pool_read_done(void *block)
{
	vm_page_sunbusy(vm_page_of(block));
}

void *
pool_write(struct pool *p, uint64_t number)
{
	return grab(p, number, VM_ALLOC_NORMAL);
}

void
pool_write_done(void *block)
{
	struct pool_head *head = block;
	vm_page_t m = vm_page_of(block);

	head->version++;
	vm_page_dirty(m);
	vm_page_xunbusy(m);
}

bool
pool_sync(struct pool *p)
{
	bool good = vm_object_page_clean(p->object, 0, 0);

	if (!good)
		errno = EIO;
	return good;
}

void
pool_stat(struct pool *p, struct pool_stat *st)
{
	st->reads = __atomic_load_n(&p->reads, __ATOMIC_RELAXED);
	st->writes = __atomic_load_n(&p->writes, __ATOMIC_RELAXED);
	st->resident = vm_object_resident(p->object);
}
