/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pagers, with the semantics of FreeBSD's vm/vm_pager.h: who reads and writes
 * an object's pages.  vm_pager_put_done is this library's own.
 *
 * An object gets its pager when it is created (vm_object.h).  The program
 * calls the functions below; the page daemon calls vm_pager_put_pages for
 * dirty pages of the laundry queue when its node runs short of pages.  All of
 * them sleep as long as the pager does, and are called without the object's
 * lock, which a pager may take.  Pages are a row: each one index after the one
 * before.
 *
 * A thread is a pager's (vm_pager_thread) while it is in one of these.
 */
#ifndef NUMASLAB_VM_PAGER_H
#define NUMASLAB_VM_PAGER_H

#include <stdbool.h>

#include <numaslab/vm_page.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What became of a page. */
#define VM_PAGER_OK    0 /* it was read, or written */
#define VM_PAGER_BAD   1 /* there is no such block */
#define VM_PAGER_FAIL  2 /* there is no room for it */
#define VM_PAGER_PEND  3 /* its write was begun: vm_pager_put_done */
#define VM_PAGER_ERROR 4 /* input or output failed */
#define VM_PAGER_AGAIN 5 /* not now */

#define VM_PAGER_PUT_SYNC 0x1 /* all is done on return: no VM_PAGER_PEND */

/*
 * What they answer is not believed: a status that is none counts as
 * VM_PAGER_ERROR (a debug build aborts), a read that failed leaves pages as
 * valid and as dirty as they were, and a page that the pager let go aborts.
 *
 * The operations.  Any of them may be NULL, and any may be called by several
 * threads at once, by the library's own, which have all signals blocked and a
 * stack of 1 MiB, or by a thread that waits for memory.
 *
 * pgo_getpages - fill the pages, exclusively busy, with their contents.
 * Returns VM_PAGER_OK if all are, else any other value but VM_PAGER_PEND; the
 * pages stay busy.  NULL: VM_PAGER_BAD.
 *
 * pgo_putpages - write the pages out, shared busy, and say in rtvals[] what
 * became of each, which VM_PAGER_AGAIN is in before.  A page that is
 * VM_PAGER_PEND is the pager's to finish.  @flags: VM_PAGER_PUT_SYNC or 0.
 * NULL: VM_PAGER_FAIL.
 *
 * pgo_haspage - is there a block at @pindex?  *before and *after: how many
 * right before and after it there are as well, as far as it is good to read
 * them with it; both are 0 before, and never NULL.  NULL: there is, alone.
 */
struct pagerops {
	int (*pgo_getpages)(vm_object_t object, vm_page_t *ma, int count);
	void (*pgo_putpages)(vm_object_t object, vm_page_t *ma, int count,
			     int flags, int *rtvals);
	bool (*pgo_haspage)(vm_object_t object, vm_pindex_t pindex, int *before,
			    int *after);
};

/*
 * vm_pager_get_pages - read pages.
 * @ma:      @count pages of @object, at least one, exclusively busied by the
 *           caller.
 * @rbehind, @rahead: NULL, or how many more may be read with them, before and
 *           after, and on return how many were.
 *
 * What is read in addition is where there was no page, as far as there is free
 * memory and pgo_haspage says; these pages are valid and inactive then, and
 * not busy.  Returns VM_PAGER_OK, and the caller's pages are valid and clean;
 * else what the pager said, and they are as before.
 */
int vm_pager_get_pages(vm_object_t object, vm_page_t *ma, int count,
		       int *rbehind, int *rahead);

/*
 * vm_pager_put_pages - write pages.
 * @ma:     @count pages of @object, at least one, busied by the caller in any
 *          way, and still so on return, except those that are VM_PAGER_PEND.
 * @flags:  VM_PAGER_PUT_SYNC or 0.
 * @rtvals: on return, a VM_PAGER_* for each page.
 *
 * Sleeps, too, while another thread writes one of them.  A page is clean when
 * it is VM_PAGER_OK, unless vm_page_dirty was called meanwhile, or
 * VM_PAGER_BAD: its block is gone.  After all else it is dirty as before, is
 * never reclaimed, and tried again when the daemon finds it next.
 */
void vm_pager_put_pages(vm_object_t object, vm_page_t *ma, int count, int flags,
			int *rtvals);

/*
 * vm_pager_put_done - the end of a write that pgo_putpages left VM_PAGER_PEND.
 * @status: as in rtvals[], and not VM_PAGER_PEND, which aborts.
 *
 * Called by the pager for each such page, from any thread, which may be before
 * pgo_putpages returns.  The page is not shared busy by it any more.
 */
void vm_pager_put_done(vm_page_t m, int status);

/*
 * vm_pager_has_page - pgo_haspage's answer; false for an object without
 * pager.  @before and @after may be NULL; they count blocks of the object.
 * The object is not locked by the caller.
 */
bool vm_pager_has_page(vm_object_t object, vm_pindex_t pindex, int *before,
		       int *after);

/*
 * vm_page_grab_valid_unlocked - the page at @pindex, with its contents.
 * @req: as for vm_page_grab_unlocked.
 *
 * The object is not locked by the caller.  A page that is not valid is read
 * by the pager, or is zero if that has no such block or there is none.
 * Returns VM_PAGER_OK and the page in *mp, busied as @req says; else NULL in
 * *mp and what the pager said, with errno EIO, or VM_PAGER_FAIL with errno as
 * for vm_page_grab.
 */
int vm_page_grab_valid_unlocked(vm_page_t *mp, vm_object_t object,
				vm_pindex_t pindex, int req);

/*
 * vm_object_page_clean - write an object's dirty pages out.
 * @start, @end: the indices, @end not included, and 0 for the object's size.
 *
 * The object is not locked by the caller.  Each page that was dirty when the
 * call began is written, in order and with its neighbours; the call sleeps for
 * those that are exclusively busy.  Returns false if a page is dirty still,
 * because its write failed: there may be more.
 */
bool vm_object_page_clean(vm_object_t object, vm_pindex_t start,
			  vm_pindex_t end);

#ifdef __cplusplus
}
#endif
#endif
