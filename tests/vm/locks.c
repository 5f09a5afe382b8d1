/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every call that asks for an object's lock, or for no lock of it, by a thread
 * that has it in each way: what happens, or the rule in the line that it died
 * with.  Each cell is a process of its own.
 *
 * The columns: the object is locked by nobody; for reading, for writing by the
 * thread; for reading, for writing by another one.  A cell:
 *
 *	. it was served   F it was refused   Z it waits
 *
 * or the letter of a rule.  A release build does not know readers, so there
 * some wait for themselves: see the second column of cells.
 */
#include "tests/vm/cell.h"
#include "tests/vm/disk.h"

#include <sys/mman.h>

#define N VM_ALLOC_NORMAL

enum hold { NOBODY, READS, WRITES, OTHER_READS, OTHER_WRITES, HOLDS };

static const char *const names[HOLDS] = {
	"locked by nobody",
	"read-locked",
	"write-locked",
	"read-locked by another thread",
	"write-locked by another thread",
};

static const struct cell_rule rules[] = {
	{ 'w', "the thread has not locked it for writing" },
	{ 'r', "the thread has not locked it for reading" },
	{ 'l', "the thread has not locked it" },
	{ 'h', "the thread has locked it" },
	{ 't', "the thread has locked it already" },
	{ 'W', "the thread has not locked its object for writing" },
	{ 'H', "the thread has locked its object" },
	{ 'k', "it is neither busy nor wired, nor its object locked" },
	{ 'o', "it is not exclusively busy, nor its object locked" },
};

static vm_object_t o, q; /* in question; and always locked for writing */
static vm_page_t x, i;   /* of o: exclusively busy, idle */
static vm_page_t y, k;   /* of q, exclusively busy; and without object */
static enum hold hold;
static uint32_t is_held; /* [a] by the other thread */
static vm_page_t out[1];
static int rtval, before;

#define CALL(name, expr)              \
	static bool call_##name(void) \
	{                             \
		(void)(expr);         \
		return true;          \
	}
#define TRY(name, expr)               \
	static bool call_##name(void) \
	{                             \
		return (expr);        \
	}

TRY(alloc, vm_page_alloc(o, 50, N) != NULL)
TRY(alloc_after, vm_page_alloc_after(o, 50, N, NULL) != NULL)
TRY(alloc_domain, vm_page_alloc_domain(o, 50, 0, N) != NULL)
TRY(alloc_contig, vm_page_alloc_contig(o, 50, N, 2, 1, 0) != NULL)
TRY(contig_domain, vm_page_alloc_contig_domain(o, 50, 0, N, 2, 1, 0) != NULL)
TRY(grab, vm_page_grab(o, 50, N) != NULL)
TRY(grab_pages, vm_page_grab_pages(o, 50, N, out, 1) == 1)
TRY(grab_unlocked, vm_page_grab_unlocked(o, 50, N) != NULL)
TRY(lookup, vm_page_lookup(o, 0) == x)
TRY(find_least, vm_page_find_least(o, 0) == x)
TRY(insert, vm_page_insert(k, o, 50) == 0)
TRY(remove, vm_page_remove(x))
TRY(rename_from, vm_page_rename(x, q, 50) == 0)
TRY(rename_to, vm_page_rename(y, o, 50) == 0)
CALL(replace, (vm_page_replace(k, o, 0, x), 0))
CALL(cache, (vm_page_cache(x), 0))
CALL(free, (vm_page_free(x), 0))
CALL(free_zero, (vm_page_free_zero(x), 0))
CALL(activate, (vm_page_activate(i), 0))
CALL(deactivate, (vm_page_deactivate(i), 0))
CALL(launder, (vm_page_launder(i), 0))
CALL(reference, (vm_page_reference(i), 0))
CALL(wire, (vm_page_wire(i), 0))
CALL(dontneed, (vm_page_advise(i, MADV_DONTNEED), 0))
CALL(sleep_idle, (vm_page_busy_sleep(i, 0), 0))
CALL(sleep, (vm_page_busy_sleep(x, 0), 0))
TRY(acquire, vm_page_busy_acquire(x, VM_ALLOC_NOWAIT))
CALL(wait, (vm_wait(NULL), 0))
CALL(wait_for, (vm_wait(o), 0))
TRY(has_page, vm_pager_has_page(o, 0, &before, NULL))
TRY(get, vm_pager_get_pages(o, &x, 1, NULL, NULL) == VM_PAGER_OK)
CALL(put, (vm_pager_put_pages(o, &x, 1, 0, &rtval), 0))
TRY(grab_valid, vm_page_grab_valid_unlocked(out, o, 50, N) == VM_PAGER_OK)
TRY(page_clean, vm_object_page_clean(o, 0, 0))
CALL(destroy, (vm_page_xunbusy(x), vm_object_destroy(o), 0))
CALL(wlock, (VM_OBJECT_WLOCK(o), 0))
CALL(rlock, (VM_OBJECT_RLOCK(o), 0))
TRY(trywlock, VM_OBJECT_TRYWLOCK(o))
TRY(tryrlock, VM_OBJECT_TRYRLOCK(o))
CALL(wunlock, (VM_OBJECT_WUNLOCK(o), 0))
CALL(runlock, (VM_OBJECT_RUNLOCK(o), 0))
TRY(upgrade, VM_OBJECT_TRYUPGRADE(o))
CALL(downgrade, (VM_OBJECT_LOCK_DOWNGRADE(o), 0))
TRY(wowned, VM_OBJECT_WOWNED(o))

/* clang-format off */
static const struct row {
	const char *call;
	bool (*fn)(void);
	const char *want, *release;
} rows[] = {
	{ "vm_page_alloc", call_alloc,                  "ww.ww", NULL },
	{ "vm_page_alloc_after", call_alloc_after,      "ww.ww", NULL },
	{ "vm_page_alloc_domain", call_alloc_domain,    "ww.ww", NULL },
	{ "vm_page_alloc_contig", call_alloc_contig,    "ww.ww", NULL },
	{ "vm_page_alloc_contig_domain", call_contig_domain,
	                                                "ww.ww", NULL },
	{ "vm_page_grab", call_grab,                    "ww.ww", NULL },
	{ "vm_page_grab_pages", call_grab_pages,        "ww.ww", NULL },
	{ "vm_page_grab_unlocked", call_grab_unlocked,  ".hhZZ", ".ZtZZ" },
	{ "vm_page_lookup", call_lookup,                ".....", NULL },
	{ "vm_page_find_least", call_find_least,        "l..ll", "....." },
	{ "vm_page_insert", call_insert,                "ww.ww", NULL },
	{ "vm_page_remove", call_remove,                "WW.WW", NULL },
	{ "vm_page_rename", call_rename_from,           "WW.WW", NULL },
	{ "vm_page_rename", call_rename_to,             "ww.ww", NULL },
	{ "vm_page_replace", call_replace,              "WW.WW", NULL },
	{ "vm_page_cache", call_cache,                  "WW.WW", NULL },
	{ "vm_page_free", call_free,                    "WW.WW", NULL },
	{ "vm_page_free_zero", call_free_zero,          "WW.WW", NULL },
	{ "vm_page_activate", call_activate,            "k..kk", "....." },
	{ "vm_page_deactivate", call_deactivate,        "k..kk", "....." },
	{ "vm_page_launder", call_launder,              "k..kk", "....." },
	{ "vm_page_reference", call_reference,          "k..kk", "....." },
	{ "vm_page_wire", call_wire,                    "k..kk", "....." },
	{ "vm_page_advise", call_dontneed,              "o..oo", "....." },
	{ "vm_page_busy_sleep", call_sleep_idle,        ".HH..", "....." },
	{ "vm_page_busy_sleep", call_sleep,             "ZHHZZ", "ZZZZZ" },
	{ "vm_page_busy_acquire", call_acquire,         "FHFFF", "FFFFF" },
	{ "vm_wait", call_wait,                         ".hh..", "....." },
	{ "vm_wait", call_wait_for,                     ".hh..", "..h.." },
	{ "vm_pager_has_page", call_has_page,           ".hh..", "..h.." },
	{ "vm_pager_get_pages", call_get,               ".hh..", "..h.." },
	{ "vm_pager_put_pages", call_put,               ".hh..", "..h.." },
	{ "vm_page_grab_valid_unlocked", call_grab_valid,
	                                                ".hhZZ", ".ZtZZ" },
	{ "vm_object_page_clean", call_page_clean,      ".hh.Z", "..h.Z" },
	{ "vm_object_destroy", call_destroy,            ".hhZZ", ".ZhZZ" },
	{ "VM_OBJECT_WLOCK", call_wlock,                ".ttZZ", ".ZtZZ" },
	{ "VM_OBJECT_RLOCK", call_rlock,                ".tt.Z", "..t.Z" },
	{ "VM_OBJECT_TRYWLOCK", call_trywlock,          ".FFFF", NULL },
	{ "VM_OBJECT_TRYRLOCK", call_tryrlock,          "..F.F", NULL },
	{ "VM_OBJECT_WUNLOCK", call_wunlock,            "ww.ww", NULL },
	{ "VM_OBJECT_RUNLOCK", call_runlock,            "r.rrr", "r.r.r" },
	{ "VM_OBJECT_TRYUPGRADE", call_upgrade,         "r.rrr", "r.r.r" },
	{ "VM_OBJECT_LOCK_DOWNGRADE", call_downgrade,   "ww.ww", NULL },
	{ "VM_OBJECT_WOWNED", call_wowned,              "FF.FF", NULL },
};
/* clang-format on */

static void *
other(void *arg)
{
	if (hold == OTHER_READS)
		VM_OBJECT_RLOCK(o);
	else
		VM_OBJECT_WLOCK(o);
	ns_store_release(&is_held, 1u);
	for (;;)
		pause();
	return arg;
}

static void
lock(void)
{
	pthread_t thread;

	VM_OBJECT_WUNLOCK(o);
	if (hold == READS)
		VM_OBJECT_RLOCK(o);
	if (hold == WRITES)
		VM_OBJECT_WLOCK(o);
	if (hold != OTHER_READS && hold != OTHER_WRITES)
		return;
	REQUIRE(pthread_create(&thread, NULL, other, NULL) == 0);
	while (ns_load_acquire(&is_held) == 0)
		sched_yield();
}

static void
cell(void *arg)
{
	const struct row *row = arg;

	o = disk_object(disk_new(), 100);
	q = disk_object(NULL, 100);
	VM_OBJECT_WLOCK(o);
	x = vm_page_alloc(o, 0, N | VM_ALLOC_ZERO);
	i = vm_page_alloc(o, 1, N | VM_ALLOC_NOBUSY);
	vm_page_valid(x);
	k = vm_page_alloc(NULL, 0, NORMAL);
	if (row->fn == call_rename_to || row->fn == call_rename_from) {
		VM_OBJECT_WLOCK(q);
		y = vm_page_alloc(q, 0, N);
	}
	lock();
	die_asleep();
	fprintf(stderr, "%c", row->fn() ? '.' : 'F');
}

static void
check_row(const struct row *row, const char *want)
{
	for (hold = 0; hold < HOLDS; hold++)
		check_cell(row->call, names[hold], cell, (void *)row, rules,
			   NS_ARRAY_LEN(rules), want[hold]);
}

int
main(void)
{
	static struct machine alone = { .alone = true };

	boot(&alone);
	vm_page_free(vm_page_alloc(NULL, 0, NORMAL));
	for (size_t at = 0; at < NS_ARRAY_LEN(rows); at++) {
#ifdef NS_DEBUG
		check_row(&rows[at], rows[at].want);
#else
		check_row(&rows[at], rows[at].release != NULL ? rows[at].release
							      : rows[at].want);
#endif
	}
	return test_done();
}
