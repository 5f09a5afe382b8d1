/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pagers that do not keep to what they are asked for.  A debug build names the
 * operation, the page and the rule; a release build takes a wrong answer for a
 * failure, and no dirty page is lost in either.
 */
#include "tests/vm/disk.h"

#define N     VM_ALLOC_NORMAL
#define STATE (PG_VALID | PG_DIRTY)

/* What the pager does to the page, and then answers. */
static void (*act)(vm_page_t);
static int status, has[2];
static vm_object_t elsewhere;

static int
lying_get(vm_object_t object, vm_page_t *ma, int count)
{
	(void)object, (void)count;
	if (act != NULL)
		act(ma[0]);
	return status;
}

static void
lying_put(vm_object_t object, vm_page_t *ma, int count, int flags, int *rtvals)
{
	(void)object, (void)flags;
	for (int i = 0; i < count; i++) {
		if (act != NULL)
			act(ma[i]);
		rtvals[i] = status;
	}
}

static bool
lying_has(vm_object_t object, vm_pindex_t pindex, int *before, int *after)
{
	(void)object;
	*before = has[0];
	*after = has[1];
	return pindex != 13;
}

static const struct pagerops liar = { lying_get, lying_put, lying_has };

static vm_object_t
make(vm_pindex_t size)
{
	return object_with(size, &liar, NULL);
}

/* At 5, exclusively busy. */
static vm_page_t
new_page(vm_object_t o, int flags)
{
	vm_page_t m = vm_page_grab_unlocked(o, 5, N);

	REQUIRE(m != NULL);
	vm_page_undirty(m);
	if ((flags & PG_VALID) != 0)
		vm_page_valid(m);
	if ((flags & PG_DIRTY) != 0)
		vm_page_dirty(m);
	return m;
}

static void
drop(vm_page_t m)
{
	vm_object_t o = vm_page_object(m);

	VM_OBJECT_WLOCK(o);
	vm_page_free(m);
	VM_OBJECT_WUNLOCK(o);
}

static void
get(void *arg)
{
	vm_page_t m = arg;

	vm_pager_get_pages(vm_page_object(m), &m, 1, NULL, NULL);
}

static void
put(void *arg)
{
	vm_page_t m = arg;
	int rtval;

	vm_pager_put_pages(vm_page_object(m), &m, 1, 0, &rtval);
}

static void
clean(void *arg)
{
	vm_page_t m = arg;

	vm_page_xunbusy(m);
	vm_object_page_clean(vm_page_object(m), 0, 0);
}

static void
done(void *arg)
{
	vm_page_t m = arg;
	int rtval;

	vm_page_busy_downgrade(m);
	vm_pager_put_pages(vm_page_object(m), &m, 1, 0, &rtval);
	vm_pager_put_done(m, 77);
}

static const int nonsense[] = { -1, 6, 42, -2147483647 };

/* A read that fails leaves the page as it was, whatever was done to it. */
static void
read_status(void *arg)
{
	static const int before[] = { 0, PG_VALID, STATE };
	static void (*const acts[])(vm_page_t) = { NULL, vm_page_valid,
						   vm_page_dirty,
						   vm_page_undirty };
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(10);
	for (size_t i = 0; i < NS_ARRAY_LEN(before); i++)
		for (size_t k = 0; k < NS_ARRAY_LEN(acts); k++) {
			m = new_page(o, before[i]);
			act = acts[k];
			status = VM_PAGER_ERROR;
			CHECK_EQ(vm_pager_get_pages(o, &m, 1, NULL, NULL),
				 VM_PAGER_ERROR);
			CHECK_EQ(vm_page_flags(m) & STATE, before[i]);
			status = VM_PAGER_OK;
			CHECK_EQ(vm_pager_get_pages(o, &m, 1, NULL, NULL),
				 VM_PAGER_OK);
			CHECK_EQ(vm_page_flags(m) & STATE, PG_VALID);
			drop(m);
		}
	act = NULL;
	for (size_t i = 0; i < NS_ARRAY_LEN(nonsense); i++) {
		m = new_page(o, 0);
		status = nonsense[i];
#ifdef NS_DEBUG
		CHECK_ABORTS(get, m, "pgo_getpages: page ");
		CHECK_ABORTS(get, m, ": it has no such status\n");
#else
		CHECK_EQ(vm_pager_get_pages(o, &m, 1, NULL, NULL),
			 VM_PAGER_ERROR);
		CHECK_EQ(vm_page_flags(m) & STATE, 0);
		vm_page_xunbusy(m);
		CHECK_ERRNO(vm_page_grab_valid_unlocked(&m, o, 5, N),
			    VM_PAGER_ERROR, EIO);
		CHECK_EQ(vm_page_lookup(o, 5), NULL);
		m = new_page(o, 0);
#endif
		drop(m);
	}
	m = new_page(o, 0);
	status = VM_PAGER_PEND;
#ifdef NS_DEBUG
	CHECK_ABORTS(get, m, ": it may not be pending\n");
#else
	CHECK_EQ(vm_pager_get_pages(o, &m, 1, NULL, NULL), VM_PAGER_ERROR);
#endif
	drop(m);
	vm_object_destroy(o);
	ns_vm_check(0);
}

static void
write_status(void *arg)
{
	vm_object_t o;
	vm_page_t m;
	int rtval;

	boot(arg);
	o = make(10);
	for (size_t i = 0; i < NS_ARRAY_LEN(nonsense); i++) {
		m = new_page(o, PG_DIRTY);
		status = nonsense[i];
#ifdef NS_DEBUG
		CHECK_ABORTS(put, m, "pgo_putpages: page ");
		CHECK_ABORTS(put, m, ": it has no such status\n");
		CHECK_ABORTS(clean, m, ": it has no such status\n");
		(void)rtval;
#else
		vm_pager_put_pages(o, &m, 1, 0, &rtval);
		CHECK_EQ(rtval, VM_PAGER_ERROR);
		CHECK_EQ(vm_page_flags(m) & STATE, STATE);
		vm_page_xunbusy(m);
		CHECK(!vm_object_page_clean(o, 0, 0));
		CHECK_EQ(vm_page_flags(m) & STATE, STATE);
		vm_page_xbusy(m);
#endif
		drop(m);
	}
	/* Pending, though it should be done. */
	m = new_page(o, PG_DIRTY);
	status = VM_PAGER_PEND;
#ifdef NS_DEBUG
	CHECK_ABORTS(clean, m, "pgo_putpages: page ");
	CHECK_ABORTS(clean, m, ": it may not be pending\n");
	CHECK_ABORTS(done, m, "vm_pager_put_done: page ");
	CHECK_ABORTS(done, m, ": it has no such status\n");
#else
	(void)clean;
	vm_page_xunbusy(m);
	CHECK(!vm_object_page_clean(o, 0, 0));
	CHECK_EQ(vm_page_flags(m) & STATE, STATE);
	CHECK(vm_page_sbusied(m));
	vm_pager_put_done(m, VM_PAGER_OK);
	CHECK_EQ(vm_page_flags(m) & STATE, PG_VALID);
	vm_page_xbusy(m);
	vm_page_dirty(m);
	vm_page_busy_downgrade(m);
	vm_pager_put_pages(o, &m, 1, 0, &rtval);
	CHECK_EQ(rtval, VM_PAGER_PEND);
	vm_pager_put_done(m, 77); /* no end, so it failed */
	CHECK_EQ(vm_page_flags(m) & STATE, STATE);
	vm_page_xbusy(m);
	(void)done, (void)put, (void)get;
#endif
	drop(m);
	vm_object_destroy(o);
	ns_vm_check(0);
}

/* What a pager may not do to a page that it was lent. */

static void
move(vm_page_t m)
{
	VM_OBJECT_WLOCK(vm_page_object(m));
	VM_OBJECT_WLOCK(elsewhere);
	vm_page_rename(m, elsewhere, 1);
}

static void
end(vm_page_t m)
{
	vm_pager_put_done(m, VM_PAGER_OK);
	vm_page_trysbusy(m);
}

static void
kept_pages(void *arg)
{
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(10);
	elsewhere = make(10);
	m = new_page(o, PG_DIRTY);
	status = VM_PAGER_OK;
	act = vm_page_xunbusy;
	CHECK_ABORTS(get, m, "pgo_getpages: page ");
	CHECK_ABORTS(get, m, ": it is not exclusively busy\n");
	CHECK_ABORTS(put, m, "pgo_putpages: page ");
	CHECK_ABORTS(put, m, ": it is not being written\n");
	act = drop;
	CHECK_ABORTS(get, m, "pgo_getpages: page ");
	CHECK_ABORTS(put, m, "pgo_putpages: page ");
	act = move;
	CHECK_ABORTS(get, m, "pgo_getpages: page ");
	CHECK_ABORTS(get, m, ": it is not next in the object\n");
	/* Its end was told, and then that it is not pending. */
	vm_page_busy_downgrade(m);
	act = end;
	CHECK_ABORTS(put, m, "pgo_putpages: page ");
	CHECK_ABORTS(put, m, ": it is not being written\n");
	vm_page_sunbusy(m);
	vm_object_destroy(o);
	vm_object_destroy(elsewhere);
}

/* How much there is beside a page is no more than the object has. */
static void
has_page(void *arg)
{
	static const struct {
		int has[2], want[2];
	} cases[] = {
		{ { 0, 0 }, { 0, 0 } },
		{ { -5, -1 }, { 0, 0 } },
		{ { 3, 3 }, { 3, 3 } },
		{ { 100, 100 }, { 5, 14 } },
		{ { 2147483647, -2147483647 }, { 5, 0 } },
	};
	int before, after, behind, ahead;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(20);
	for (size_t i = 0; i < NS_ARRAY_LEN(cases); i++) {
		has[0] = cases[i].has[0];
		has[1] = cases[i].has[1];
		CHECK(vm_pager_has_page(o, 5, &before, &after));
		CHECK_EQ(before, cases[i].want[0]);
		CHECK_EQ(after, cases[i].want[1]);
		CHECK(!vm_pager_has_page(o, 13, &before, &after));
		CHECK(before == 0 && after == 0);
		/* So are those that are read. */
		m = new_page(o, 0);
		behind = ahead = 1000;
		CHECK_EQ(vm_pager_get_pages(o, &m, 1, &behind, &ahead),
			 VM_PAGER_OK);
		CHECK_EQ(behind, cases[i].want[0]);
		CHECK_EQ(ahead, cases[i].want[1]);
		CHECK_EQ(vm_object_resident(o), (uint64_t)(1 + behind + ahead));
		vm_page_xunbusy(m);
		vm_object_destroy(o);
		o = make(20);
	}
	vm_object_destroy(o);
	ns_vm_check(0);
}

#ifndef NS_DEBUG
/* The daemon's writes, to a pager that answers nonsense, and then sense. */
static void
laundry(void *arg)
{
	static struct ns_vm_writer w;
	vm_pindex_t count = 0;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(1 << 20);
	VM_OBJECT_WLOCK(o);
	for (; (m = vm_page_alloc(o, count, N)) != NULL; count++) {
		vm_page_dirty(m);
		vm_page_launder(m);
		vm_page_xunbusy(m);
	}
	VM_OBJECT_WUNLOCK(o);
	for (size_t i = 0; i < NS_ARRAY_LEN(nonsense); i++) {
		status = nonsense[i];
		ns_store_relaxed(&o->launder_at, 0);
		while (ns_vm_pageout(&ns_vm_nodes[0], &w) == NS_VM_WRITE)
			ns_vm_write(&w);
		CHECK_EQ(vm_object_resident(o), count);
		for (vm_pindex_t at = 0; at < count; at++)
			CHECK(vm_page_flags(vm_page_lookup(o, at)) & PG_DIRTY);
	}
	ns_vm_check(0);
	status = VM_PAGER_OK;
	ns_store_relaxed(&o->launder_at, 0);
	while (ns_vm_pageout(&ns_vm_nodes[0], &w) == NS_VM_WRITE)
		ns_vm_write(&w);
	CHECK(vm_object_resident(o) < count);
	vm_object_destroy(o);
	ns_vm_check(0);
}
#endif

int
main(void)
{
	static struct machine alone = { .alone = true };

	CASE(read_status, &alone);
	CASE(write_status, &alone);
	CASE(kept_pages, &alone);
	CASE(has_page, &alone);
#ifndef NS_DEBUG
	static struct machine small = { .alone = true, .limit = 4 << 20 };

	CASE(laundry, &small);
#endif
	return test_done();
}
