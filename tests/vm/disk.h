/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/vm/disk.h - a pager for tests: a disk in memory, of a word a block.
 *
 * Block @at of a new disk says at + 1.  It can be made to fail, to be slow,
 * and to leave writes pending.
 */
#ifndef VM_DISK_H
#define VM_DISK_H

#include "tests/vm/vm_test.h"

#define DISK_BLOCKS  65536
#define DISK_PENDING 65536 /* at once */

struct disk {
	uint64_t word[DISK_BLOCKS]; /* [a] */
	uint64_t blocks;            /* that there are; 0: all */
	int fails, gets_fail;       /* [a] the status of writes, of reads */
	int flaky;                  /* [a] each 16th write of a page fails */
	uint64_t tries;             /* [a] */
	uint32_t gate;              /* [a] writes wait while it is 1 */
	uint32_t waiting;           /* [a] writes that wait */
	uint64_t reads, writes;     /* [a] blocks */
	uint64_t calls;             /* [a] of putpages */
	int pends;                  /* [a] writes are left pending */
	uint32_t npending;          /* [a] */
	vm_page_t pending[DISK_PENDING]; /* [a] NULL: not yet */
	uint64_t data[DISK_PENDING];     /* as it was when it was put */
};

TEST_INLINE struct disk *
disk_of(vm_object_t o)
{
	return vm_object_handle(o);
}

TEST_INLINE uint64_t *
word_of(vm_page_t m)
{
	return vm_page_addr(m);
}

TEST_INLINE int
disk_get(vm_object_t o, vm_page_t *ma, int count)
{
	struct disk *d = disk_of(o);

	for (int i = 0; i < count; i++) {
		vm_pindex_t at = vm_page_pindex(ma[i]);

		CHECK(vm_page_xbusied(ma[i]));
		CHECK_EQ(vm_page_object(ma[i]), o);
		ns_store_relaxed(word_of(ma[i]), ns_load_relaxed(&d->word[at]));
	}
	ns_add_relaxed(&d->reads, (uint64_t)count);
	return ns_load_relaxed(&d->gets_fail);
}

TEST_INLINE void
disk_write(struct disk *d, vm_page_t m, uint64_t data)
{
	ns_store_relaxed(&d->word[vm_page_pindex(m)], data);
	ns_add_relaxed(&d->writes, 1);
}

TEST_INLINE void
disk_put(vm_object_t o, vm_page_t *ma, int count, int flags, int *rtvals)
{
	struct disk *d = disk_of(o);
	bool pend =
	    ns_load_relaxed(&d->pends) != 0 && (flags & VM_PAGER_PUT_SYNC) == 0;
	int fails = ns_load_relaxed(&d->fails);

	ns_add_relaxed(&d->calls, 1);
	ns_add_relaxed(&d->waiting, 1u);
	while (ns_load_relaxed(&d->gate) != 0)
		ns_os_sleep_on(&d->gate, 1, UINT64_MAX);
	ns_sub_relaxed(&d->waiting, 1u);
	for (int i = 0; i < count; i++) {
		CHECK(vm_page_busied(ma[i]));
		CHECK_EQ(rtvals[i], VM_PAGER_AGAIN);
		rtvals[i] = fails;
		if (fails == VM_PAGER_OK && ns_load_relaxed(&d->flaky) != 0 &&
		    ns_add_relaxed(&d->tries, 1) % 16 == 0)
			rtvals[i] = VM_PAGER_ERROR;
		if (rtvals[i] != VM_PAGER_OK)
			continue;
		if (pend) {
			uint32_t at = ns_add_relaxed(&d->npending, 1u) - 1;

			rtvals[i] = VM_PAGER_PEND;
			d->data[at % DISK_PENDING] =
			    ns_load_relaxed(word_of(ma[i]));
			ns_store_release(&d->pending[at % DISK_PENDING], ma[i]);
		} else {
			disk_write(d, ma[i], ns_load_relaxed(word_of(ma[i])));
		}
	}
}

TEST_INLINE bool
disk_has(vm_object_t o, vm_pindex_t at, int *before, int *after)
{
	struct disk *d = disk_of(o);
	uint64_t blocks = d->blocks != 0 ? d->blocks : DISK_BLOCKS;

	if (at >= blocks)
		return false;
	CHECK(*before == 0 && *after == 0);
	*before = (int)at;
	*after = (int)(blocks - at - 1);
	return true;
}

static const struct pagerops disk_ops = {
	.pgo_getpages = disk_get,
	.pgo_putpages = disk_put,
	.pgo_haspage = disk_has,
};

/* Ends the pending writes, of which *done were before. */
TEST_INLINE void
disk_complete(struct disk *d, uint32_t *done)
{
	vm_page_t m;

	for (; *done < ns_load_acquire(&d->npending); ++*done) {
		uint32_t at = *done % DISK_PENDING;

		while ((m = ns_load_acquire(&d->pending[at])) == NULL)
			sched_yield();
		ns_store_relaxed(&d->pending[at], NULL);
		disk_write(d, m, d->data[at]);
		vm_pager_put_done(m, VM_PAGER_OK);
	}
}

TEST_INLINE struct disk *
disk_new(void)
{
	struct disk *d = calloc(1, sizeof(*d));

	REQUIRE(d != NULL);
	for (uint64_t i = 0; i < DISK_BLOCKS; i++)
		d->word[i] = i + 1;
	return d;
}

TEST_INLINE void
disk_open_gate(struct disk *d)
{
	ns_store_relaxed(&d->gate, 0u);
	ns_os_wake(&d->gate);
}

TEST_INLINE vm_object_t
disk_object(struct disk *d, vm_pindex_t size)
{
	return object_with(size, &disk_ops, d);
}

/* A new page as the disk has it, exclusively busy. */
TEST_INLINE vm_page_t
disk_page(vm_object_t o, vm_pindex_t at)
{
	vm_page_t m = vm_page_grab_unlocked(o, at, VM_ALLOC_NORMAL);

	REQUIRE(m != NULL);
	*word_of(m) = at + 1;
	vm_page_valid(m);
	return m;
}

/* Into any queue, from none. */
TEST_INLINE void
disk_queue(vm_page_t m, uint8_t queue)
{
	if (queue == PQ_ACTIVE)
		vm_page_activate(m);
	else if (queue == PQ_INACTIVE)
		vm_page_deactivate(m);
	else if (queue == PQ_LAUNDRY)
		vm_page_launder(m);
}

#endif
