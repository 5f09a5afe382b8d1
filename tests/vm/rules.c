/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules that are no matter of a page's state or an object's lock: arguments
 * that are nothing, or something else; flags; pages that stay; pagers that do
 * not keep to what they are asked for.
 */
#include "tests/vm/disk.h"

#include <sys/mman.h>

#define N VM_ALLOC_NORMAL

#ifdef NS_DEBUG
#define DEBUG true
#else
#define DEBUG false
#endif

/* What is no page, or no object, given to each call. */

#define CALL(name, expr)                        \
	static void no_##name(void *arg)        \
	{                                       \
		vm_page_t m = arg;              \
		vm_object_t o = arg;            \
		(void)m, (void)o, (void)(expr); \
	}

static vm_page_t some[1];
static int rtvals[1];

CALL(alloc, vm_page_alloc(o, 0, N))
CALL(alloc_after, vm_page_alloc_after(o, 0, N, NULL))
CALL(mpred, vm_page_alloc_after(NULL, 1, N, m))
CALL(alloc_domain, vm_page_alloc_domain(o, 0, 0, N))
CALL(contig, vm_page_alloc_contig(o, 0, N, 1, 1, 0))
CALL(grab, vm_page_grab(o, 0, N))
CALL(grab_pages, vm_page_grab_pages(o, 0, N, some, 1))
CALL(grab_unlocked, vm_page_grab_unlocked(o, 0, N))
CALL(lookup, vm_page_lookup(o, 0))
CALL(find_least, vm_page_find_least(o, 0))
CALL(next, vm_page_next(m))
CALL(prev, vm_page_prev(m))
CALL(insert, vm_page_insert(m, NULL, 0))
CALL(insert_into, vm_page_insert(some[0], o, 0))
CALL(remove, vm_page_remove(m))
CALL(rename, vm_page_rename(m, NULL, 0))
CALL(mnew, (vm_page_replace(m, NULL, 0, some[0]), 0))
CALL(mold, (vm_page_replace(some[0], NULL, 0, m), 0))
CALL(cache, (vm_page_cache(m), 0))
CALL(free, (vm_page_free(m), 0))
CALL(free_zero, (vm_page_free_zero(m), 0))
CALL(addr, vm_page_addr(m))
CALL(length, vm_page_length(m))
CALL(domain, vm_page_domain(m))
CALL(object, vm_page_object(m))
CALL(pindex, vm_page_pindex(m))
CALL(tryxbusy, vm_page_tryxbusy(m))
CALL(trysbusy, vm_page_trysbusy(m))
CALL(xbusy, (vm_page_xbusy(m), 0))
CALL(sbusy, (vm_page_sbusy(m), 0))
CALL(xunbusy, (vm_page_xunbusy(m), 0))
CALL(sunbusy, (vm_page_sunbusy(m), 0))
CALL(downgrade, (vm_page_busy_downgrade(m), 0))
CALL(tryupgrade, vm_page_busy_tryupgrade(m))
CALL(xbusied, vm_page_xbusied(m))
CALL(sbusied, vm_page_sbusied(m))
CALL(busied, vm_page_busied(m))
CALL(acquire, vm_page_busy_acquire(m, 0))
CALL(busy_sleep, (vm_page_busy_sleep(m, 0), 0))
CALL(valid, (vm_page_valid(m), 0))
CALL(dirty, (vm_page_dirty(m), 0))
CALL(undirty, (vm_page_undirty(m), 0))
CALL(activate, (vm_page_activate(m), 0))
CALL(deactivate, (vm_page_deactivate(m), 0))
CALL(launder, (vm_page_launder(m), 0))
CALL(reference, (vm_page_reference(m), 0))
CALL(advise, (vm_page_advise(m, MADV_DONTNEED), 0))
CALL(active, vm_page_active(m))
CALL(inactive, vm_page_inactive(m))
CALL(in_laundry, vm_page_in_laundry(m))
CALL(flags, vm_page_flags(m))
CALL(wired, vm_page_wired(m))
CALL(wire, (vm_page_wire(m), 0))
CALL(unwire, vm_page_unwire(m, PQ_NONE))
CALL(wait, (vm_wait(o), 0))
CALL(get_pages, vm_pager_get_pages(o, some, 1, NULL, NULL))
CALL(put_pages, (vm_pager_put_pages(o, some, 1, 0, rtvals), 0))
CALL(put_done, (vm_pager_put_done(m, VM_PAGER_OK), 0))
CALL(has_page, vm_pager_has_page(o, 0, NULL, NULL))
CALL(grab_valid, vm_page_grab_valid_unlocked(some, o, 0, N))
CALL(page_clean, vm_object_page_clean(o, 0, 0))
CALL(destroy, (vm_object_destroy(o), 0))
CALL(size, vm_object_size(o))
CALL(page_size, vm_object_page_size(o))
CALL(handle, vm_object_handle(o))
CALL(object_addr, vm_object_addr(o))
CALL(resident, vm_object_resident(o))
CALL(wlock, (VM_OBJECT_WLOCK(o), 0))
CALL(rlock, (VM_OBJECT_RLOCK(o), 0))
CALL(trywlock, VM_OBJECT_TRYWLOCK(o))
CALL(tryrlock, VM_OBJECT_TRYRLOCK(o))
CALL(wunlock, (VM_OBJECT_WUNLOCK(o), 0))
CALL(runlock, (VM_OBJECT_RUNLOCK(o), 0))
CALL(upgrade, VM_OBJECT_TRYUPGRADE(o))
CALL(downgrade_lock, (VM_OBJECT_LOCK_DOWNGRADE(o), 0))
CALL(wowned, VM_OBJECT_WOWNED(o))

/* ALWAYS, or in a DEBUG_ONLY build. */
enum when { ALWAYS, DEBUG_ONLY, EINVAL_IF_NULL };

static const struct nothing {
	const char *call;
	void (*fn)(void *);
	enum when when;
} pages[] = {
	{ "vm_page_alloc_after", no_mpred, ALWAYS },
	{ "vm_page_next", no_next, DEBUG_ONLY },
	{ "vm_page_prev", no_prev, DEBUG_ONLY },
	{ "vm_page_insert", no_insert, ALWAYS },
	{ "vm_page_remove", no_remove, ALWAYS },
	{ "vm_page_rename", no_rename, ALWAYS },
	{ "vm_page_replace", no_mnew, ALWAYS },
	{ "vm_page_replace", no_mold, ALWAYS },
	{ "vm_page_cache", no_cache, ALWAYS },
	{ "vm_page_free", no_free, ALWAYS },
	{ "vm_page_free_zero", no_free_zero, ALWAYS },
	{ "vm_page_addr", no_addr, DEBUG_ONLY },
	{ "vm_page_length", no_length, DEBUG_ONLY },
	{ "vm_page_domain", no_domain, DEBUG_ONLY },
	{ "vm_page_object", no_object, DEBUG_ONLY },
	{ "vm_page_pindex", no_pindex, DEBUG_ONLY },
	{ "vm_page_tryxbusy", no_tryxbusy, DEBUG_ONLY },
	{ "vm_page_trysbusy", no_trysbusy, DEBUG_ONLY },
	{ "vm_page_xbusy", no_xbusy, DEBUG_ONLY },
	{ "vm_page_sbusy", no_sbusy, DEBUG_ONLY },
	{ "vm_page_xunbusy", no_xunbusy, DEBUG_ONLY },
	{ "vm_page_sunbusy", no_sunbusy, DEBUG_ONLY },
	{ "vm_page_busy_downgrade", no_downgrade, DEBUG_ONLY },
	{ "vm_page_busy_tryupgrade", no_tryupgrade, DEBUG_ONLY },
	{ "vm_page_xbusied", no_xbusied, DEBUG_ONLY },
	{ "vm_page_sbusied", no_sbusied, DEBUG_ONLY },
	{ "vm_page_busied", no_busied, DEBUG_ONLY },
	{ "vm_page_busy_acquire", no_acquire, DEBUG_ONLY },
	{ "vm_page_busy_sleep", no_busy_sleep, DEBUG_ONLY },
	{ "vm_page_valid", no_valid, DEBUG_ONLY },
	{ "vm_page_dirty", no_dirty, DEBUG_ONLY },
	{ "vm_page_undirty", no_undirty, DEBUG_ONLY },
	{ "vm_page_activate", no_activate, DEBUG_ONLY },
	{ "vm_page_deactivate", no_deactivate, ALWAYS },
	{ "vm_page_launder", no_launder, ALWAYS },
	{ "vm_page_reference", no_reference, DEBUG_ONLY },
	{ "vm_page_advise", no_advise, DEBUG_ONLY },
	{ "vm_page_active", no_active, DEBUG_ONLY },
	{ "vm_page_inactive", no_inactive, DEBUG_ONLY },
	{ "vm_page_in_laundry", no_in_laundry, DEBUG_ONLY },
	{ "vm_page_flags", no_flags, DEBUG_ONLY },
	{ "vm_page_wired", no_wired, DEBUG_ONLY },
	{ "vm_page_wire", no_wire, ALWAYS },
	{ "vm_page_unwire", no_unwire, ALWAYS },
	{ "vm_pager_put_done", no_put_done, ALWAYS },
}, objects[] = {
	{ "vm_page_alloc", no_alloc, EINVAL_IF_NULL },
	{ "vm_page_alloc_after", no_alloc_after, EINVAL_IF_NULL },
	{ "vm_page_alloc_domain", no_alloc_domain, EINVAL_IF_NULL },
	{ "vm_page_alloc_contig", no_contig, EINVAL_IF_NULL },
	{ "vm_page_grab", no_grab, ALWAYS },
	{ "vm_page_grab_pages", no_grab_pages, ALWAYS },
	{ "vm_page_grab_unlocked", no_grab_unlocked, DEBUG_ONLY },
	{ "vm_page_lookup", no_lookup, DEBUG_ONLY },
	{ "vm_page_find_least", no_find_least, DEBUG_ONLY },
	{ "vm_page_insert", no_insert_into, ALWAYS },
	{ "vm_wait", no_wait, ALWAYS },
	{ "vm_pager_get_pages", no_get_pages, ALWAYS },
	{ "vm_pager_put_pages", no_put_pages, ALWAYS },
	{ "vm_pager_has_page", no_has_page, ALWAYS },
	{ "vm_page_grab_valid_unlocked", no_grab_valid, DEBUG_ONLY },
	{ "vm_object_page_clean", no_page_clean, ALWAYS },
	{ "vm_object_destroy", no_destroy, ALWAYS },
	{ "vm_object_size", no_size, DEBUG_ONLY },
	{ "vm_object_page_size", no_page_size, DEBUG_ONLY },
	{ "vm_object_handle", no_handle, DEBUG_ONLY },
	{ "vm_object_addr", no_object_addr, DEBUG_ONLY },
	{ "vm_object_resident", no_resident, DEBUG_ONLY },
	{ "VM_OBJECT_WLOCK", no_wlock, DEBUG_ONLY },
	{ "VM_OBJECT_RLOCK", no_rlock, DEBUG_ONLY },
	{ "VM_OBJECT_TRYWLOCK", no_trywlock, DEBUG_ONLY },
	{ "VM_OBJECT_TRYRLOCK", no_tryrlock, DEBUG_ONLY },
	{ "VM_OBJECT_WUNLOCK", no_wunlock, DEBUG_ONLY },
	{ "VM_OBJECT_RUNLOCK", no_runlock, DEBUG_ONLY },
	{ "VM_OBJECT_TRYUPGRADE", no_upgrade, ALWAYS },
	{ "VM_OBJECT_LOCK_DOWNGRADE", no_downgrade_lock, ALWAYS },
	{ "VM_OBJECT_WOWNED", no_wowned, DEBUG_ONLY },
};

/* @arg is not @what: each call says so that can. */
static void
check_nothing(const struct nothing *calls, size_t n, void *arg,
	      const char *what)
{
	char line[128];

	for (size_t i = 0; i < n; i++) {
		if (calls[i].when == DEBUG_ONLY && !DEBUG)
			continue;
		if (calls[i].when == EINVAL_IF_NULL && arg == NULL)
			continue;
		if (arg == NULL && calls[i].fn == no_wait)
			continue; /* for pages without object */
		snprintf(line, sizeof(line), "%s: ", calls[i].call);
		CHECK_ABORTS(calls[i].fn, arg, line);
		CHECK_ABORTS(calls[i].fn, arg, what);
	}
}

static vm_object_t
make(vm_pindex_t size, bool contiguous)
{
	struct vm_object_attr attr = { .size = size,
				       .domain = VM_DOMAIN_HOME,
				       .contiguous = contiguous };
	vm_object_t o = vm_object_create(&attr);

	REQUIRE(o != NULL);
	return o;
}

static void
no_things(void *arg)
{
	static char data[2 * sizeof(struct vm_page)];
	vm_object_t gone;
	char *p;

	boot(arg);
	gone = make(10, false);
	vm_object_destroy(gone);
	some[0] = vm_page_alloc(NULL, 0, NORMAL);
	REQUIRE(some[0] != NULL);
	p = (char *)some[0];
	check_nothing(pages, NS_ARRAY_LEN(pages), data, "is not a page");
	check_nothing(pages, NS_ARRAY_LEN(pages), p + 8, "is not a page");
	check_nothing(pages, NS_ARRAY_LEN(pages), vm_page_addr(some[0]),
		      "is not a page");
	check_nothing(objects, NS_ARRAY_LEN(objects), data, "is not an object");
	check_nothing(objects, NS_ARRAY_LEN(objects), p, "is not an object");
	check_nothing(objects, NS_ARRAY_LEN(objects), gone, "is not an object");
	check_nothing(objects, NS_ARRAY_LEN(objects), NULL, "is not an object");
	/* A predecessor need not be given. */
	check_nothing(pages + 1, NS_ARRAY_LEN(pages) - 1, NULL,
		      "is not a page");
	CHECK_ERRNO(vm_page_alloc(NULL, 0, N), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc_after(NULL, 0, N, NULL), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc_domain(NULL, 0, 0, N), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc_contig(NULL, 0, N, 1, 1, 0), NULL, EINVAL);
	CHECK_EQ(vm_page_of(NULL), NULL);
	CHECK_EQ(vm_page_of(data), NULL);
	if (!DEBUG)
		CHECK_ERRNO(vm_page_grab_unlocked(NULL, 0, N), NULL, EINVAL);
}

/* Other arguments. */

static vm_object_t victim;
static vm_page_t victims[2];

static void
no_attr(void *arg)
{
	vm_object_create(arg);
}

static void
no_stat(void *arg)
{
	vm_domain_stat(0, arg);
}

static void
no_mp(void *arg)
{
	vm_page_grab_valid_unlocked(arg, victim, 0, N);
}

static void
no_ma_grab(void *arg)
{
	VM_OBJECT_WLOCK(victim);
	vm_page_grab_pages(victim, 0, N, arg, 1);
}

static void
no_ma_get(void *arg)
{
	vm_pager_get_pages(victim, arg, 1, NULL, NULL);
}

static void
no_ma_put(void *arg)
{
	vm_pager_put_pages(victim, arg, 1, 0, rtvals);
}

static void
no_rtvals(void *arg)
{
	vm_pager_put_pages(victim, victims, 1, 0, arg);
}

static void
none_to_get(void *arg)
{
	vm_pager_get_pages(victim, arg, 0, NULL, NULL);
}

static void
none_to_put(void *arg)
{
	vm_pager_put_pages(victim, arg, -1, 0, rtvals);
}

static void
row_with_hole(void *arg)
{
	vm_pager_get_pages(victim, arg, 2, NULL, NULL);
}

static void
other_queue(void *m)
{
	vm_page_wire(m);
	vm_page_unwire(m, 3);
}

static void
sleep_flag(void *m)
{
	vm_page_busy_sleep(m, VM_ALLOC_NOWAIT);
}

static void
acquire_flag(void *m)
{
	vm_page_busy_acquire(m, VM_ALLOC_ZERO);
}

static void
after_itself(void *m)
{
	VM_OBJECT_WLOCK(victim);
	vm_page_alloc_after(victim, vm_page_pindex(m), N, m);
}

static void
too_many_wirings(void *arg)
{
	vm_page_t m = arg;

	m->wire_count = UINT32_MAX;
	vm_page_wire(m);
}

static void
arguments(void *arg)
{
	boot(arg);
	victim = disk_object(disk_new(), 100);
	for (vm_pindex_t i = 0; i < 2; i++)
		victims[i] = vm_page_grab_unlocked(victim, 3 * i, N);
	CHECK_ABORTS(no_attr, NULL, "vm_object_create: attr is NULL");
	CHECK_ABORTS(no_stat, NULL, "vm_domain_stat: st is NULL");
	CHECK_ABORTS(no_mp, NULL, "vm_page_grab_valid_unlocked: mp is NULL");
	CHECK_ABORTS(no_ma_grab, NULL, "vm_page_grab_pages: ma is NULL");
	CHECK_ABORTS(no_ma_get, NULL, "vm_pager_get_pages: ma is NULL");
	CHECK_ABORTS(no_ma_put, NULL, "vm_pager_put_pages: ma is NULL");
	CHECK_ABORTS(no_rtvals, NULL, "vm_pager_put_pages: rtvals is NULL");
	CHECK_ABORTS(none_to_get, victims, "vm_pager_get_pages: object ");
	CHECK_ABORTS(none_to_get, victims, "there is no page to it");
	CHECK_ABORTS(none_to_put, victims, "vm_pager_put_pages: object ");
	CHECK_ABORTS(row_with_hole, victims, "vm_pager_get_pages: page ");
	CHECK_ABORTS(row_with_hole, victims, "it is not next in the object");
	CHECK_ABORTS(other_queue, victims[0], "vm_page_unwire: page ");
	CHECK_ABORTS(other_queue, victims[0], "there is no such queue");
	CHECK_ABORTS(after_itself, victims[0], "vm_page_alloc_after: page ");
	CHECK_ABORTS(after_itself, victims[0], "it is not before that index");
	CHECK_ABORTS(too_many_wirings, victims[0], "vm_page_wire: page ");
	CHECK_ABORTS(too_many_wirings, victims[0], "it has too many wirings");
	if (!DEBUG)
		return;
	CHECK_ABORTS(sleep_flag, victims[0], "vm_page_busy_sleep: page ");
	CHECK_ABORTS(sleep_flag, victims[0], "there is no such flag for it");
	CHECK_ABORTS(acquire_flag, victims[0], "vm_page_busy_acquire: page ");
}

/* Pages that stay where they are: never freed, wired, or of a row. */

static void
do_free(void *m)
{
	vm_page_free(m);
}

static void
do_free_zero(void *m)
{
	vm_page_free_zero(m);
}

static void
do_cache(void *m)
{
	vm_page_valid(m);
	vm_page_cache(m);
}

static void
do_remove(void *m)
{
	vm_page_remove(m);
}

static void
do_replace(void *m)
{
	vm_page_replace(vm_page_alloc(NULL, 0, NORMAL), vm_page_object(m),
			vm_page_pindex(m), m);
}

static void
do_destroy(void *m)
{
	vm_object_t o = vm_page_object(m);

	vm_page_xunbusy(m);
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
}

static const struct act {
	const char *call;
	void (*fn)(void *);
} acts[] = {
	{ "vm_page_free: page ", do_free },
	{ "vm_page_free_zero: page ", do_free_zero },
	{ "vm_page_cache: page ", do_cache },
	{ "vm_object_destroy: page ", do_destroy },
	{ "vm_page_replace: page ", do_replace },
};

static void
check_acts(size_t n, vm_page_t m, const char *rule)
{
	for (size_t i = 0; i < n; i++) {
		CHECK_ABORTS(acts[i].fn, m, acts[i].call);
		CHECK_ABORTS(acts[i].fn, m, rule);
	}
}

static void
staying(void *arg)
{
	const char *nofree = ": it was allocated never to be freed\n";
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(10, false);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc(o, 0, N | VM_ALLOC_WIRED | VM_ALLOC_ZERO);
	check_acts(4, m, ": it is wired\n");
	vm_page_unwire(m, PQ_NONE);
	vm_page_free(m);
	m = vm_page_alloc(o, 0, N | VM_ALLOC_NOFREE | VM_ALLOC_ZERO);
	check_acts(5, m, nofree);
	/* In no queue, so that the daemon leaves it alone, dirty or clean. */
	vm_page_valid(m);
	vm_page_deactivate(m);
	CHECK(!vm_page_inactive(m));
	vm_page_activate(m);
	CHECK(!vm_page_active(m));
	vm_page_advise(m, MADV_DONTNEED);
	CHECK(!vm_page_inactive(m));
	vm_page_dirty(m);
	vm_page_launder(m);
	CHECK(!vm_page_in_laundry(m));
	/* Out of its object it outlives that. */
	CHECK(vm_page_remove(m));
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	CHECK_ABORTS(do_free, m, nofree);

	o = make(10, true);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc(o, 3, N);
	CHECK_ABORTS(do_remove, m, "vm_page_remove: page ");
	CHECK_ABORTS(do_remove, m, ": its object is contiguous\n");
	CHECK_ABORTS(do_replace, m, "vm_page_replace: page ");
	CHECK_ABORTS(do_replace, m, ": its object is contiguous\n");
	VM_OBJECT_WUNLOCK(o);
	ns_vm_check(0);
}

int
main(void)
{
	static struct machine alone = { .alone = true };

	CASE(no_things, &alone);
	CASE(arguments, &alone);
	CASE(staying, &alone);
	return test_done();
}
