/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/pager.c - pages read and written by their object's pager.
 *
 * 1. A page is busied while its pager has it, exclusively to be read, in any
 *    way to be written, so it stays what it is without the object's lock.
 * 2. A page is written by one thread at a time (NS_VM_WRITING): of two writes
 *    at once the older one could reach the disk last.  vm_page_dirty marks it
 *    (NS_VM_CHANGED), and it is clean after its write only if it is not
 *    marked.  So even a sharer may change a page while it is written.
 * 3. What became of a write is settled under [q]: what was in the laundry goes
 *    to the head of the inactive queue, for it was unused long enough; what
 *    could not be written is active, so that others come first.
 * 4. What a pager answers is not believed.  A status that is none counts as
 *    VM_PAGER_ERROR, a read that failed leaves the pages as valid and as dirty
 *    as they were, whatever it did to them meanwhile, and a page that it was
 *    not to let go ends the process, since it may be somebody else's by now.
 *    In a debug build a wrong answer ends it as well.
 * 5. fork: what the library's threads write is noted in their writer, under
 *    [q], which fork() holds; the child undoes it.  What the program's threads
 *    were reading and writing stays busy in the child, as all that others
 *    busied.
 */
#include "vm/check.h"

#include <errno.h>
#include <string.h>

#define ROW_MAX 64u /* pages of a read with what is read ahead */
#define NAP_MS  1u  /* while another thread writes the page */

static struct ns_vm_node *
node_of(const struct vm_page *m)
{
	return ns_vm_node_of(m);
}

/* They are pages of the object, one index after the other, and keep @rules. */
static void
require_pages(const char *call, vm_object_t object, vm_page_t *ma, int count,
	      unsigned rules)
{
	for (int i = 0; i < count; i++) {
		ns_vm_require(call, ma[i], NS_VM_IN_USE | NS_VM_PLACED);
		if (!ns_vm_is_at(ma[i], object, ma[0]->pindex + (vm_pindex_t)i))
			ns_vm_die(call, ma[i], "it is not next in the object");
		ns_vm_require(call, ma[i], rules);
	}
}

/* The caller has them, and not the object's lock. */
static void
require_row(const char *call, vm_object_t object, vm_page_t *ma, int count,
	    unsigned rules)
{
	ns_vm_require_object(call, object, NS_VM_OBJ_UNLOCKED);
	ns_vm_require_arg(call, ma, "ma");
	if (count < 1)
		ns_vm_die_object(call, object, "there is no page to it");
	require_pages(call, object, ma, count, rules);
}

/* What became of a page, as @op said; @pends: it may be still under way. */
static int
answer(const char *op, const struct vm_page *m, int status, bool pends)
{
	bool known = status >= VM_PAGER_OK && status <= VM_PAGER_AGAIN;

	if (ns_likely(known && (pends || status != VM_PAGER_PEND)))
		return status;
#ifdef NS_DEBUG
	ns_vm_die(op, m,
		  known ? "it may not be pending" : "it has no such status");
#else
	(void)op, (void)m;
	/* Of one that is pending there will be an end. */
	return known ? status : VM_PAGER_ERROR;
#endif
}

/* Reading. */

/* @n, but not less than 0 and not more than there are. */
static int
limit(int n, vm_pindex_t most)
{
	if (n <= 0)
		return 0;
	return (vm_pindex_t)n < most ? n : (int)most;
}

static bool
has_page(vm_object_t object, vm_pindex_t pindex, int *before, int *after)
{
	const struct pagerops *ops = object->pager;
	vm_pindex_t last = object->size - 1;

	*before = *after = 0;
	if (ops == NULL || pindex > last)
		return false;
	if (ops->pgo_haspage == NULL)
		return true;
	if (!ops->pgo_haspage(object, pindex, before, after)) {
		*before = *after = 0;
		return false;
	}
	*before = limit(*before, pindex);
	*after = limit(*after, last - pindex);
	return true;
}

ns_export bool
vm_pager_has_page(vm_object_t object, vm_pindex_t pindex, int *before,
		  int *after)
{
	int none[2];

	ns_vm_require_object("vm_pager_has_page", object, NS_VM_OBJ_UNLOCKED);
	return has_page(object, pindex, before != NULL ? before : &none[0],
			after != NULL ? after : &none[1]);
}

/* See 4: what the page is before its read. */
static void
begin_read(struct vm_page *m)
{
	int now = ns_load_relaxed(&m->flags) & (PG_VALID | PG_DIRTY);

	/* Others may be set: by who was in a read when a child was forked. */
	ns_vm_set_flags(m, now << NS_VM_WAS,
			NS_VM_WAS_MASK & ~(now << NS_VM_WAS));
}

static void
end_read(struct vm_page *m, bool good)
{
	int was = (ns_load_relaxed(&m->flags) & NS_VM_WAS_MASK) >> NS_VM_WAS;

	ns_vm_set_flags(m, good ? PG_VALID : was,
			NS_VM_WAS_MASK |
			    ((PG_VALID | PG_DIRTY) & ~(good ? PG_VALID : was)));
}

static int
read_row(vm_object_t object, vm_page_t *ma, int count)
{
	const struct pagerops *ops = object->pager;
	bool was;
	int status, i;

	if (ops == NULL || ops->pgo_getpages == NULL)
		return VM_PAGER_BAD;
	for (i = 0; i < count; i++)
		begin_read(ma[i]);
	was = vm_pager_thread(true);
	status = ops->pgo_getpages(object, ma, count);
	vm_pager_thread(was);
	require_pages("pgo_getpages", object, ma, count, NS_VM_XBUSY);
	status = answer("pgo_getpages", ma[0], status, false);
	if (status == VM_PAGER_PEND)
		status = VM_PAGER_ERROR;
	for (i = 0; i < count; i++)
		end_read(ma[i], status == VM_PAGER_OK);
	return status;
}

/*
 * New pages from @at on, in the direction of @step, into @row likewise; as
 * many as there are.  They are exclusively busy.
 */
static int
add_pages(vm_object_t object, vm_pindex_t at, int step, vm_page_t *row,
	  int count)
{
	int n;

	for (n = 0; n < count; n++, row += step, at += (vm_pindex_t)step)
		if (at >= object->size ||
		    ns_vm_tree_get(&object->tree, at).page != NULL ||
		    (*row = vm_page_alloc(
			 object, at, VM_ALLOC_NORMAL | VM_ALLOC_NORECLAIM)) ==
			NULL)
			break;
	return n;
}

/* The pages that were read besides are everybody's, or not there. */
static void
release(const char *call, vm_object_t object, vm_page_t *row, int count,
	bool valid)
{
	for (int i = 0; i < count; i++) {
		if (valid) {
			ns_vm_enqueue(call, row[i], PQ_INACTIVE, false);
			vm_page_xunbusy(row[i]);
			continue;
		}
		ns_vm_wlock(call, object);
		ns_vm_free_page(call, row[i], false);
		VM_OBJECT_WUNLOCK(object);
	}
}

/* As far as the pager has blocks, and a row has room for them. */
static void
limit_extra(vm_object_t object, vm_page_t *ma, int count, int *before,
	    int *after)
{
	int has[2], none, room = (int)ROW_MAX - limit(count, ROW_MAX);

	has_page(object, ma[0]->pindex, &has[0], &none);
	has_page(object, ma[count - 1]->pindex, &none, &has[1]);
	*after = limit(limit(*after, (vm_pindex_t)has[1]), (vm_pindex_t)room);
	*before = limit(limit(*before, (vm_pindex_t)has[0]),
			(vm_pindex_t)(room - *after));
}

static int
get_pages(const char *call, vm_object_t object, vm_page_t *ma, int count,
	  int *rbehind, int *rahead)
{
	int before = rbehind != NULL ? *rbehind : 0;
	int after = rahead != NULL ? *rahead : 0;
	int status = VM_PAGER_FAIL, saved = errno;
	vm_page_t row[ROW_MAX], *from;

	require_row(call, object, ma, count, NS_VM_XBUSY);
	if (before > 0 || after > 0)
		limit_extra(object, ma, count, &before, &after);
	if (before > 0 || after > 0) {
		from = row + before;
		memcpy(from, ma, (size_t)count * sizeof(*ma));
		ns_vm_wlock(call, object);
		before =
		    add_pages(object, ma[0]->pindex - 1, -1, from - 1, before);
		after = add_pages(object, ma[count - 1]->pindex + 1, 1,
				  from + count, after);
		VM_OBJECT_WUNLOCK(object);
		status =
		    read_row(object, from - before, before + count + after);
		release(call, object, from - before, before,
			status == VM_PAGER_OK);
		release(call, object, from + count, after,
			status == VM_PAGER_OK);
	}
	/* What failed may be what nobody needs. */
	if (status != VM_PAGER_OK) {
		before = after = 0;
		status = read_row(object, ma, count);
	}
	if (rbehind != NULL)
		*rbehind = before;
	if (rahead != NULL)
		*rahead = after;
	errno = saved;
	return status;
}

ns_export int
vm_pager_get_pages(vm_object_t object, vm_page_t *ma, int count, int *rbehind,
		   int *rahead)
{
	return get_pages("vm_pager_get_pages", object, ma, count, rbehind,
			 rahead);
}

/* Makes a page valid that is exclusively busy: read, or zero. */
static int
fill(const char *call, vm_object_t object, vm_page_t m)
{
	int before, after;

	if (has_page(object, m->pindex, &before, &after))
		return get_pages(call, object, &m, 1, NULL, NULL);
	if (!m->zero)
		memset(m->addr, 0, ns_vm_bytes(m));
	ns_vm_set_flags(m, PG_VALID, 0);
	return VM_PAGER_OK;
}

static bool
is_valid(const struct vm_page *m)
{
	return (ns_load_acquire(&m->flags) & PG_VALID) != 0;
}

/* One that could not be read goes. */
static void
drop(const char *call, vm_object_t object, vm_page_t m, int req)
{
	if ((req & VM_ALLOC_WIRED) != 0)
		ns_vm_unwire(call, m, PQ_NONE);
	ns_vm_wlock(call, object);
	if (ns_vm_broken(m, NS_VM_UNWIRED | NS_VM_FREEABLE) != NULL)
		vm_page_xunbusy(m);
	else
		ns_vm_free_page(call, m, false);
	VM_OBJECT_WUNLOCK(object);
}

ns_export int
vm_page_grab_valid_unlocked(vm_page_t *mp, vm_object_t object,
			    vm_pindex_t pindex, int req)
{
	const char *call = "vm_page_grab_valid_unlocked";
	int shared = req & VM_ALLOC_SBUSY, status;
	vm_page_t m;

	ns_vm_require_arg(call, mp, "mp");
	*mp = NULL;
	if (shared != 0) {
		m = ns_vm_grab(call, object, pindex, req | VM_ALLOC_NOCREAT);
		if (m != NULL && is_valid(m)) {
			*mp = m;
			return VM_PAGER_OK;
		}
		if (m != NULL && (req & VM_ALLOC_WIRED) != 0)
			ns_vm_unwire(call, m, PQ_NONE);
		if (m != NULL)
			vm_page_sunbusy(m);
		else if (errno != ENOENT || (req & VM_ALLOC_NOCREAT) != 0)
			return VM_PAGER_FAIL;
	}
	m = ns_vm_grab(call, object, pindex, req & ~VM_ALLOC_SBUSY);
	if (m == NULL)
		return VM_PAGER_FAIL;
	status = is_valid(m) ? VM_PAGER_OK : fill(call, object, m);
	if (status != VM_PAGER_OK) {
		drop(call, object, m, req);
		errno = EIO;
		return status;
	}
	if (shared != 0)
		vm_page_busy_downgrade(m);
	*mp = m;
	return VM_PAGER_OK;
}

/* Writing. */

/* The page is busy; false: somebody writes it already. */
bool
ns_vm_write_begin(struct vm_page *m)
{
	uint16_t seen = ns_load_relaxed(&m->flags);

	while ((seen & NS_VM_WRITING) == 0)
		if (ns_cas_acq_rel(
			&m->flags, &seen,
			(uint16_t)((seen | NS_VM_WRITING) & ~NS_VM_CHANGED)))
			return true;
	return false;
}

/* True: the page is clean. */
static bool
end_write(struct vm_page *m, bool done)
{
	uint16_t seen = ns_load_relaxed(&m->flags), next;

	do {
		next = seen & (uint16_t) ~(NS_VM_WRITING | NS_VM_CHANGED);
		if (done && (seen & NS_VM_CHANGED) == 0)
			next &= (uint16_t)~PG_DIRTY;
	} while (!ns_cas_acq_rel(&m->flags, &seen, next));
	return (next & PG_DIRTY) == 0;
}

/* See 3.  [q] */
static void
settle(struct vm_page *m, int status)
{
	bool done = status == VM_PAGER_OK || status == VM_PAGER_BAD;
	bool clean = end_write(m, done), queued = m->queue == PQ_LAUNDRY;
	struct ns_vm_work *work = &node_of(m)->work;

	if (done)
		ns_owner_add(&work->laundered, 1);
	else
		ns_owner_add(&work->failed, 1);
	if (clean && (queued || m->queue == NS_VM_PQ_UNSWAPPABLE))
		ns_vm_queue_move(m, PQ_INACTIVE, true);
	else if (queued && !done && status != VM_PAGER_AGAIN) {
		ns_store_relaxed(&m->act_count, NS_VM_ACT_INIT);
		ns_vm_queue_move(m, PQ_ACTIVE, false);
	}
}

/* The pages are being written by the caller. */
static void
put_row(vm_object_t object, vm_page_t *ma, int count, int flags, int *rtvals)
{
	const struct pagerops *ops = object->pager;
	bool none = ops == NULL || ops->pgo_putpages == NULL, was;
	int saved = errno;

	for (int i = 0; i < count; i++)
		rtvals[i] = none ? VM_PAGER_FAIL : VM_PAGER_AGAIN;
	if (none)
		return;
	was = vm_pager_thread(true);
	ops->pgo_putpages(object, ma, count, flags, rtvals);
	vm_pager_thread(was);
	for (int i = 0; i < count; i++)
		rtvals[i] = answer("pgo_putpages", ma[i], rtvals[i],
				   (flags & VM_PAGER_PUT_SYNC) == 0);
	errno = saved;
}

/* A page that is not pending is still the writer's. */
static void
require_writing(const char *call, const struct vm_page *m, unsigned rules)
{
	ns_vm_require(call, m, NS_VM_IN_USE);
	if ((ns_load_relaxed(&m->flags) & NS_VM_WRITING) == 0 ||
	    ns_vm_broken(m, rules) != NULL)
		ns_vm_die(call, m, "it is not being written");
}

static void
put_pages(const char *call, vm_object_t object, vm_page_t *ma, int count,
	  int flags, int *rtvals)
{
	require_row(call, object, ma, count, NS_VM_BUSY);
	ns_vm_require_arg(call, rtvals, "rtvals");
	/* In rising order, so that no two wait for each other. */
	for (int i = 0; i < count; i++)
		while (!ns_vm_write_begin(ma[i]))
			ns_os_sleep_on(&ma[i]->busy,
				       ns_load_relaxed(&ma[i]->busy), NAP_MS);
	put_row(object, ma, count, flags, rtvals);
	for (int i = 0; i < count; i++) {
		if (rtvals[i] == VM_PAGER_PEND)
			continue;
		require_writing("pgo_putpages", ma[i], NS_VM_BUSY);
		ns_lock(&node_of(ma[i])->qlock);
		settle(ma[i], rtvals[i]);
		ns_unlock(&node_of(ma[i])->qlock);
	}
}

ns_export void
vm_pager_put_pages(vm_object_t object, vm_page_t *ma, int count, int flags,
		   int *rtvals)
{
	put_pages("vm_pager_put_pages", object, ma, count, flags, rtvals);
}

ns_export void
vm_pager_put_done(vm_page_t m, int status)
{
	const char *call = "vm_pager_put_done";

	require_writing(call, m, NS_VM_SHARED);
	if (status == VM_PAGER_PEND)
		ns_vm_die(call, m, "it may not be pending");
	status = answer(call, m, status, false);
	ns_lock(&node_of(m)->qlock);
	settle(m, status);
	vm_page_sunbusy(m);
	ns_unlock(&node_of(m)->qlock);
	ns_vm_freed();
}

/*
 * After a write of the library's: when the next one of the object may be.  At
 * once, but later and later, up to 64 ms, while nothing but failures come.
 */
static uint64_t
next_write(vm_object_t object, bool some, bool failed)
{
	uint32_t failures = ns_load_relaxed(&object->failures);

	failures = failed && !some ? ns_min(failures + 1, 8) : 0;
	ns_store_relaxed(&object->failures, failures);
	return failures > 1 ? ns_os_now_ms() + (1u << (failures - 2)) : 0;
}

/* Writes what the library picked; true: some of it is clean. */
bool
ns_vm_write(struct ns_vm_writer *w)
{
	int rtvals[NS_VM_RESERVE_MAX];
	bool some = false, failed = false;
	unsigned i;

	put_row(w->object, w->page, (int)w->n, 0, rtvals);
	for (i = 0; i < w->n; i++) {
		some |= rtvals[i] == VM_PAGER_OK || rtvals[i] == VM_PAGER_BAD;
		failed |= rtvals[i] == VM_PAGER_FAIL ||
			  rtvals[i] == VM_PAGER_ERROR ||
			  rtvals[i] == VM_PAGER_AGAIN;
	}
	/* While a page of it is busy the object is there. */
	ns_store_relaxed(&w->object->launder_at,
			 next_write(w->object, some, failed));
	while (w->n > 0) {
		struct vm_page *m = w->page[w->n - 1];
		struct ns_vm_node *n = node_of(m);

		if (rtvals[w->n - 1] != VM_PAGER_PEND)
			require_writing("pgo_putpages", m, NS_VM_SHARED);
		ns_lock(&n->qlock);
		if (rtvals[--w->n] != VM_PAGER_PEND) {
			settle(m, rtvals[w->n]);
			vm_page_sunbusy(m);
		}
		ns_unlock(&n->qlock);
	}
	return some;
}

/* In a fork's child: nobody writes them, and they are dirty as before. */
void
ns_vm_write_undo(struct ns_vm_writer *w)
{
	for (; w->n > 0; w->n--) {
		struct vm_page *m = w->page[w->n - 1];

		if ((ns_load_relaxed(&m->flags) & NS_VM_WRITING) == 0)
			continue; /* its pager was done with it */
		end_write(m, false);
		vm_page_sunbusy(m);
	}
	if (w->object != NULL)
		ns_store_relaxed(&w->object->launder_at, 0);
}

static bool
is_dirty(const struct vm_page *m)
{
	return (ns_load_acquire(&m->flags) & PG_DIRTY) != 0;
}

/* The first dirty page in [@at, @end), or NULL.  The object is locked. */
static vm_page_t
next_dirty(vm_object_t object, vm_pindex_t at, vm_pindex_t end)
{
	vm_page_t m;

	while ((m = vm_page_find_least(object, at)) != NULL) {
		if (m->pindex >= end)
			return NULL;
		if (is_dirty(m))
			return m;
		at = m->pindex + 1;
	}
	return NULL;
}

/* @m, busied, and the dirty pages after it; how many. */
static int
gather_row(vm_page_t *row, vm_page_t m, vm_pindex_t end)
{
	int n = 0;

	do {
		row[n++] = m;
		m = vm_page_next(m);
	} while (n < (int)NS_VM_RESERVE_MAX && m != NULL && m->pindex < end &&
		 is_dirty(m) && vm_page_trysbusy(m));
	return n;
}

static bool
write_row(vm_object_t object, vm_page_t *row, int count)
{
	int rtvals[NS_VM_RESERVE_MAX];
	bool good = true;

	put_pages("vm_object_page_clean", object, row, count, VM_PAGER_PUT_SYNC,
		  rtvals);
	for (int i = 0; i < count; i++) {
		good &= rtvals[i] == VM_PAGER_OK || rtvals[i] == VM_PAGER_BAD;
		if (rtvals[i] != VM_PAGER_PEND)
			vm_page_sunbusy(row[i]);
	}
	return good;
}

ns_export bool
vm_object_page_clean(vm_object_t object, vm_pindex_t start, vm_pindex_t end)
{
	vm_page_t m, row[NS_VM_RESERVE_MAX];
	bool good = true;
	int n;

	ns_vm_require_object("vm_object_page_clean", object,
			     NS_VM_OBJ_UNLOCKED);
	if (end == 0)
		end = object->size;
	for (;;) {
		ns_vm_rlock("vm_object_page_clean", object);
		m = next_dirty(object, start, end);
		if (m == NULL)
			break;
		start = m->pindex;
		n = vm_page_trysbusy(m) ? gather_row(row, m, end) : 0;
		VM_OBJECT_RUNLOCK(object);
		if (n == 0)
			vm_page_busy_sleep(m, VM_ALLOC_SBUSY);
		else
			good &= write_row(object, row, n);
		start += (vm_pindex_t)n;
	}
	VM_OBJECT_RUNLOCK(object);
	return good;
}
