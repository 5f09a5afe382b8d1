/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every call on a page in every state: what it returns, or which rule it says
 * was broken.  Each cell of the table is a process of its own, which makes the
 * page, calls, and has the node's books checked.
 *
 * The page is at index AT of an object, and on its own there.  The columns:
 *
 *	fresh     just allocated, exclusively busy, not valid
 *	valid     exclusively busy, as all the next ones
 *	dirty
 *	wired     valid, and wired once
 *	active    valid, in this queue
 *	inactive  likewise
 *	laundry   dirty, likewise
 *	sbusy     valid, shared busy once
 *	idle      valid, not busy
 *	cached
 *	freed
 *	loose     without object; busy it can not be
 *
 * A cell is what the call returned:
 *
 *	. nothing   T F a truth   m this page   p another   0 none, or 0
 *	B EBUSY     E EEXIST      I EINVAL      N ENOENT    M ENOMEM
 *	Z it sleeps
 *
 * or, a digit or a small letter, the rule in the line that it died with.  What
 * a release build does not look at is in a second row.
 */
#include "tests/vm/cell.h"
#include "tests/vm/disk.h"

#include <sys/mman.h>

#define N  VM_ALLOC_NORMAL
#define AT 5

enum state {
	FRESH,
	VALID,
	DIRTY,
	WIRED,
	ACTIVE,
	INACTIVE,
	LAUNDRY,
	SBUSY,
	IDLE,
	CACHED,
	FREED,
	LOOSE,
	STATES
};

static const char *const names[STATES] = { "fresh",   "valid",  "dirty",
					   "wired",   "active", "inactive",
					   "laundry", "sbusy",  "idle",
					   "cached",  "freed",  "loose" };

static const struct cell_rule rules[] = {
	{ 'f', "it is free" },
	{ 'c', "it is cached" },
	{ 'o', "it is in no object" },
	{ 'i', "it is in an object" },
	{ 'x', "it is not exclusively busy" },
	{ 's', "it is not shared" },
	{ 'b', "it is busy" },
	{ 'e', "it is exclusively busy" },
	{ 'n', "it is not busy" },
	{ 'k', "it is neither busy nor wired, nor its object locked" },
	{ 'd', "it is dirty" },
	{ 'w', "it is wired" },
	{ 'u', "it is not wired" },
	{ 't', "it is at that index already" },
	{ 'g', "it is not being written" },
	{ 'q', "a page without object goes on PQ_NONE only" },
	{ 'h', "it is not next in the object" },
	{ 'l', "it is not before that index" },
};

static vm_object_t o, p; /* the page's, and another */
static vm_page_t k;      /* without object */
static enum state state;

static vm_page_t
make(enum state s)
{
	vm_page_t m;

	if (s == LOOSE)
		return vm_page_alloc(NULL, 0, NORMAL);
	m = vm_page_alloc(o, AT, N | VM_ALLOC_ZERO);
	REQUIRE(m != NULL);
	if (s == DIRTY || s == LAUNDRY)
		vm_page_dirty(m);
	else if (s != FRESH)
		vm_page_valid(m);
	switch (s) {
	case WIRED:
		vm_page_wire(m);
		break;
	case ACTIVE:
		vm_page_activate(m);
		break;
	case INACTIVE:
		vm_page_deactivate(m);
		break;
	case LAUNDRY:
		vm_page_launder(m);
		break;
	case SBUSY:
		vm_page_busy_downgrade(m);
		break;
	case IDLE:
		vm_page_xunbusy(m);
		break;
	case CACHED:
		vm_page_cache(m);
		break;
	case FREED:
		vm_page_free(m);
		break;
	default:
		break;
	}
	return m;
}

/* Results. */

static int
truth(bool is)
{
	return is ? 'T' : 'F';
}

static int
error(void)
{
	switch (errno) {
	case EBUSY:
		return 'B';
	case EEXIST:
		return 'E';
	case EINVAL:
		return 'I';
	case ENOENT:
		return 'N';
	case ENOMEM:
		return 'M';
	default:
		return '0';
	}
}

/* A page that was freed may come back, or another. */
static int
page(vm_page_t m, vm_page_t got)
{
	if (got == NULL)
		return error();
	return got == m && state != FREED ? 'm' : 'p';
}

static int
number(int value)
{
	return value == -1 ? error() : '0' + value;
}

#define VOID(name, call)                    \
	static int call_##name(vm_page_t m) \
	{                                   \
		(void)m;                    \
		call;                       \
		return '.';                 \
	}
#define BOOL(name, call)                    \
	static int call_##name(vm_page_t m) \
	{                                   \
		(void)m;                    \
		return truth(call);         \
	}
#define PAGE(name, call)                    \
	static int call_##name(vm_page_t m) \
	{                                   \
		return page(m, call);       \
	}
#define NUMBER(name, call)                  \
	static int call_##name(vm_page_t m) \
	{                                   \
		(void)m;                    \
		return number(call);        \
	}

#define NOW (N | VM_ALLOC_NOWAIT)

static vm_page_t out[1];
static int rtval;

PAGE(alloc, vm_page_alloc(o, AT, N))
PAGE(alloc_ifcached, vm_page_alloc(o, AT, N | VM_ALLOC_IFCACHED))
PAGE(alloc_ifnotcached, vm_page_alloc(o, AT, N | VM_ALLOC_IFNOTCACHED))
/* Whatever page it is, it is as the flag says. */
static vm_page_t
flagged(int flag)
{
	vm_page_t m = vm_page_alloc(o, AT, N | flag);

	if (m == NULL)
		return NULL;
	CHECK_EQ(vm_page_object(m) == NULL, flag == VM_ALLOC_NOOBJ);
	CHECK_EQ(vm_page_xbusied(m), flag != VM_ALLOC_NOOBJ &&
					 flag != VM_ALLOC_NOBUSY &&
					 flag != VM_ALLOC_SBUSY);
	CHECK_EQ(vm_page_sbusied(m), flag == VM_ALLOC_SBUSY);
	CHECK_EQ(vm_page_wired(m), flag == VM_ALLOC_WIRED);
	CHECK_EQ((vm_page_flags(m) & PG_NODUMP) != 0, flag == VM_ALLOC_NODUMP);
	CHECK_EQ((vm_page_flags(m) & PG_NOFREE) != 0, flag == VM_ALLOC_NOFREE);
	if ((vm_page_flags(m) & PG_ZERO) != 0)
		CHECK(all_zero(vm_page_addr(m), vm_page_size()));
	return m;
}

PAGE(alloc_noobj, flagged(VM_ALLOC_NOOBJ))
PAGE(alloc_nobusy, flagged(VM_ALLOC_NOBUSY))
PAGE(alloc_sbusy, flagged(VM_ALLOC_SBUSY))
PAGE(alloc_wired, flagged(VM_ALLOC_WIRED))
PAGE(alloc_nodump, flagged(VM_ALLOC_NODUMP))
PAGE(alloc_nofree, flagged(VM_ALLOC_NOFREE))
PAGE(alloc_zero, flagged(VM_ALLOC_ZERO))
PAGE(alloc_noreclaim, flagged(VM_ALLOC_NORECLAIM))
PAGE(alloc_count, flagged(VM_ALLOC_COUNT(3)))
PAGE(grab_ifcached, vm_page_grab(o, AT, NOW | VM_ALLOC_IFCACHED))
PAGE(grab_ifnotcached, vm_page_grab(o, AT, NOW | VM_ALLOC_IFNOTCACHED))
PAGE(alloc_after, vm_page_alloc_after(o, AT + 1, N, m))
PAGE(alloc_domain, vm_page_alloc_domain(o, AT, 0, N))
PAGE(alloc_contig, vm_page_alloc_contig(o, AT, N, 1, 1, 0))
PAGE(contig_domain, vm_page_alloc_contig_domain(o, AT, 0, N, 1, 1, 0))
PAGE(grab, vm_page_grab(o, AT, NOW))
PAGE(grab_sbusy, vm_page_grab(o, AT, NOW | VM_ALLOC_SBUSY))
PAGE(grab_nobusy, vm_page_grab(o, AT, NOW | VM_ALLOC_NOBUSY))
PAGE(grab_nocreat, vm_page_grab(o, AT, NOW | VM_ALLOC_NOCREAT))
PAGE(grab_wired, vm_page_grab(o, AT, NOW | VM_ALLOC_WIRED))
PAGE(grab_sleeping, vm_page_grab(o, AT, N))
PAGE(grab_unlocked, vm_page_grab_unlocked(o, AT, NOW))
PAGE(lookup, vm_page_lookup(o, AT))
PAGE(find_least, vm_page_find_least(o, 1))
PAGE(next, vm_page_next(m))
PAGE(prev, vm_page_prev(m))
PAGE(of, vm_page_of((char *)m->addr + 7))
NUMBER(grab_pages, vm_page_grab_pages(o, AT, NOW, out, 1))
NUMBER(insert, vm_page_insert(m, p, 1))
NUMBER(insert_there, vm_page_insert(k, o, AT))
NUMBER(rename, vm_page_rename(m, p, 1))
NUMBER(resident, (int)vm_object_resident(o))
NUMBER(domain, vm_page_domain(m))
BOOL(remove, vm_page_remove(m))
VOID(replace, vm_page_replace(k, o, AT, m))
VOID(cache, vm_page_cache(m))
VOID(free, vm_page_free(m))
VOID(free_zero, vm_page_free_zero(m))
BOOL(addr, vm_page_addr(m) != NULL)
BOOL(length, vm_page_length(m) == vm_page_size())
BOOL(object, vm_page_object(m) == o)
BOOL(pindex, vm_page_pindex(m) == AT)
BOOL(tryxbusy, vm_page_tryxbusy(m))
BOOL(trysbusy, vm_page_trysbusy(m))
VOID(xbusy, vm_page_xbusy(m))
VOID(sbusy, vm_page_sbusy(m))
VOID(xunbusy, vm_page_xunbusy(m))
VOID(sunbusy, vm_page_sunbusy(m))
VOID(downgrade, vm_page_busy_downgrade(m))
BOOL(tryupgrade, vm_page_busy_tryupgrade(m))
BOOL(xbusied, vm_page_xbusied(m))
BOOL(sbusied, vm_page_sbusied(m))
BOOL(busied, vm_page_busied(m))
BOOL(acquire, vm_page_busy_acquire(m, 0))
BOOL(acquire_nowait, vm_page_busy_acquire(m, VM_ALLOC_NOWAIT))
BOOL(acquire_sbusy, vm_page_busy_acquire(m, VM_ALLOC_SBUSY))
VOID(busy_sleep, vm_page_busy_sleep(m, 0))
VOID(sleep_sbusy, vm_page_busy_sleep(m, VM_ALLOC_SBUSY))
VOID(valid, vm_page_valid(m))
VOID(dirty, vm_page_dirty(m))
VOID(undirty, vm_page_undirty(m))
VOID(activate, vm_page_activate(m))
VOID(deactivate, vm_page_deactivate(m))
VOID(launder, vm_page_launder(m))
VOID(reference, vm_page_reference(m))
VOID(dontneed, vm_page_advise(m, MADV_DONTNEED))
VOID(advise_free, vm_page_advise(m, MADV_FREE))
VOID(willneed, vm_page_advise(m, MADV_WILLNEED))
BOOL(active, vm_page_active(m))
BOOL(inactive, vm_page_inactive(m))
BOOL(in_laundry, vm_page_in_laundry(m))
BOOL(flags_valid, (vm_page_flags(m) & PG_VALID) != 0)
BOOL(flags_dirty, (vm_page_flags(m) & PG_DIRTY) != 0)
BOOL(wired, vm_page_wired(m))
VOID(wire, vm_page_wire(m))
BOOL(unwire, vm_page_unwire(m, PQ_NONE))
BOOL(unwire_active, vm_page_unwire(m, PQ_ACTIVE))
NUMBER(get_pages, vm_pager_get_pages(o, &m, 1, NULL, NULL))
NUMBER(put_pages, (vm_pager_put_pages(o, &m, 1, 0, &rtval), rtval))
VOID(put_done, vm_pager_put_done(m, VM_PAGER_OK))
NUMBER(grab_valid, vm_page_grab_valid_unlocked(out, o, AT, NOW))
BOOL(page_clean, vm_object_page_clean(o, 0, 0))
VOID(destroy, vm_object_destroy(o))

struct row {
	const char *call; /* as a line of a broken rule names it */
	int (*fn)(vm_page_t);
	bool unlocked; /* the thread has not locked the objects */
	const char *want;
	const char *release; /* or NULL: the same */
};

/* With the objects locked for writing, or not by this thread. */
#define LOCKED(call, name, want, release)                      \
	{                                                      \
		"vm_" #call, call_##name, false, want, release \
	}
#define UNLOCKED(call, name, want, release)                   \
	{                                                     \
		"vm_" #call, call_##name, true, want, release \
	}

/* clang-format off */
static const struct row rows[] = {
	LOCKED(page_alloc, alloc,                       "tttttttttmpp",
	                                                "EEEEEEEEEmpp"),
	LOCKED(page_alloc, alloc_ifcached,              "tttttttttmNN",
	                                                "EEEEEEEEEmNN"),
	LOCKED(page_alloc, alloc_ifnotcached,           "tttttttttEpp",
	                                                "EEEEEEEEEEpp"),
	LOCKED(page_alloc, alloc_noobj,                 "pppppppppppp", NULL),
	LOCKED(page_alloc, alloc_nobusy,                "tttttttttmpp",
	                                                "EEEEEEEEEmpp"),
	LOCKED(page_alloc, alloc_sbusy,                 "tttttttttmpp",
	                                                "EEEEEEEEEmpp"),
	LOCKED(page_alloc, alloc_wired,                 "tttttttttmpp",
	                                                "EEEEEEEEEmpp"),
	LOCKED(page_alloc, alloc_nodump,                "tttttttttmpp",
	                                                "EEEEEEEEEmpp"),
	LOCKED(page_alloc, alloc_nofree,                "tttttttttmpp",
	                                                "EEEEEEEEEmpp"),
	LOCKED(page_alloc, alloc_zero,                  "tttttttttmpp",
	                                                "EEEEEEEEEmpp"),
	LOCKED(page_alloc, alloc_noreclaim,             "tttttttttmpp",
	                                                "EEEEEEEEEmpp"),
	LOCKED(page_alloc, alloc_count,                 "tttttttttmpp",
	                                                "EEEEEEEEEmpp"),
	LOCKED(page_grab, grab_ifcached,                "BBBBBBBBmmNN", NULL),
	LOCKED(page_grab, grab_ifnotcached,             "BBBBBBBBmEpp", NULL),
	LOCKED(page_alloc_after, alloc_after,           "pppppppppcfo", NULL),
	LOCKED(page_alloc_domain, alloc_domain,         "tttttttttmpp",
	                                                "EEEEEEEEEmpp"),
	LOCKED(page_alloc_contig, alloc_contig,         "EEEEEEEEEmpp", NULL),
	LOCKED(page_alloc_contig_domain, contig_domain,
	                                                "EEEEEEEEEmpp", NULL),
	LOCKED(page_grab, grab,                         "BBBBBBBBmmpp", NULL),
	LOCKED(page_grab, grab_sbusy,                   "BBBBBBBmmmpp", NULL),
	LOCKED(page_grab, grab_nobusy,                  "BBBBBBBmmmpp", NULL),
	LOCKED(page_grab, grab_nocreat,                 "BBBBBBBBmNNN", NULL),
	LOCKED(page_grab, grab_wired,                   "BBBBBBBBmmpp", NULL),
	LOCKED(page_grab, grab_sleeping,                "ZZZZZZZZmmpp", NULL),
	UNLOCKED(page_grab_unlocked, grab_unlocked,     "BBBBBBBBmmpp", NULL),
	LOCKED(page_lookup, lookup,                     "mmmmmmmmm000", NULL),
	LOCKED(page_find_least, find_least,             "mmmmmmmmm000", NULL),
	LOCKED(page_next, next,                         "000000000cf0",
	                                                "000000000000"),
	LOCKED(page_prev, prev,                         "000000000cf0",
	                                                "000000000000"),
	LOCKED(page_of, of,                             "mmmmmmmmm00m", NULL),
	LOCKED(page_grab_pages, grab_pages,             "000000001111", NULL),
	LOCKED(page_insert, insert,                     "iiiiiiiiicf0", NULL),
	LOCKED(page_insert, insert_there,               "EEEEEEEEE000", NULL),
	LOCKED(page_rename, rename,                     "0000000xxcfo", NULL),
	LOCKED(object_resident, resident,               "111111111000", NULL),
	LOCKED(page_domain, domain,                     "000000000cf0",
	                                                "000000000000"),
	LOCKED(page_remove, remove,                     "TTTFTTTxxcfo", NULL),
	LOCKED(page_replace, replace,                   ".......xxcfo", NULL),
	LOCKED(page_cache, cache,                       "..dw..dxxcfo", NULL),
	LOCKED(page_free, free,                         "...w...xxcf.", NULL),
	LOCKED(page_free_zero, free_zero,               "...w...xxcf.", NULL),
	LOCKED(page_addr, addr,                         "TTTTTTTTTcfT",
	                                                "TTTTTTTTTTTT"),
	LOCKED(page_length, length,                     "TTTTTTTTTcfT",
	                                                "TTTTTTTTTTTT"),
	LOCKED(page_object, object,                     "TTTTTTTTTTFF", NULL),
	LOCKED(page_pindex, pindex,                     "TTTTTTTTTTTF", NULL),
	LOCKED(page_tryxbusy, tryxbusy,                 "FFFFFFFFTFFF", NULL),
	LOCKED(page_trysbusy, trysbusy,                 "FFFFFFFTTFFF", NULL),
	LOCKED(page_xbusy, xbusy,                       "bbbbbbbb.cfo", NULL),
	LOCKED(page_sbusy, sbusy,                       "eeeeeee..cfo", NULL),
	LOCKED(page_xunbusy, xunbusy,                   ".......xxxxx", NULL),
	LOCKED(page_sunbusy, sunbusy,                   "sssssss.ssss", NULL),
	LOCKED(page_busy_downgrade, downgrade,          ".......xxxxx", NULL),
	LOCKED(page_busy_tryupgrade, tryupgrade,        "sssssssTssss", NULL),
	LOCKED(page_xbusied, xbusied,                   "TTTTTTTFFFFF", NULL),
	LOCKED(page_sbusied, sbusied,                   "FFFFFFFTFFFF", NULL),
	LOCKED(page_busied, busied,                     "TTTTTTTTFFFF", NULL),
	LOCKED(page_busy_acquire, acquire,              "ZZZZZZZZTFFF", NULL),
	LOCKED(page_busy_acquire, acquire_nowait,       "FFFFFFFFTFFF", NULL),
	LOCKED(page_busy_acquire, acquire_sbusy,        "ZZZZZZZTTFFF", NULL),
	UNLOCKED(page_busy_sleep, busy_sleep,           "ZZZZZZZZ....", NULL),
	UNLOCKED(page_busy_sleep, sleep_sbusy,          "ZZZZZZZ.....", NULL),
	LOCKED(page_valid, valid,                       "........ncfn",
	                                                "............"),
	LOCKED(page_dirty, dirty,                       "........ncfn",
	                                                "............"),
	LOCKED(page_undirty, undirty,                   "........ncfn",
	                                                "............"),
	LOCKED(page_activate, activate,                 ".........cfo", NULL),
	LOCKED(page_deactivate, deactivate,             ".........cfo", NULL),
	LOCKED(page_launder, launder,                   ".........cfo", NULL),
	LOCKED(page_reference, reference,               ".........cfo",
	                                                "............"),
	LOCKED(page_advise, dontneed,                   ".........cfo", NULL),
	LOCKED(page_advise, advise_free,                ".........cfo", NULL),
	LOCKED(page_advise, willneed,                   ".........cfo", NULL),
	LOCKED(page_active, active,                     "FFFFTFFFFcfF",
	                                                "FFFFTFFFFFFF"),
	LOCKED(page_inactive, inactive,                 "FFFFFTFFFcfF",
	                                                "FFFFFTFFFFFF"),
	LOCKED(page_in_laundry, in_laundry,             "FFFFFFTFFcfF",
	                                                "FFFFFFTFFFFF"),
	LOCKED(page_flags, flags_valid,                 "FTTTTTTTTcfF",
	                                                "FTTTTTTTTTTF"),
	LOCKED(page_flags, flags_dirty,                 "FFTFFFTFFcfF",
	                                                "FFTFFFTFFFFF"),
	LOCKED(page_wired, wired,                       "FFFTFFFFFcfF",
	                                                "FFFTFFFFFFFF"),
	LOCKED(page_wire, wire,                         ".........cf.", NULL),
	LOCKED(page_unwire, unwire,                     "uuuTuuuuucfu", NULL),
	LOCKED(page_unwire, unwire_active,              "uuuTuuuuucfq", NULL),
	UNLOCKED(pager_get_pages, get_pages,            "0000000xxcfo", NULL),
	UNLOCKED(pager_put_pages, put_pages,            "00000000ncfo", NULL),
	LOCKED(pager_put_done, put_done,                "gggggggggcfg", NULL),
	UNLOCKED(page_grab_valid_unlocked, grab_valid,  "222222220000", NULL),
	UNLOCKED(object_page_clean, page_clean,         "TTZTTTZTTTTT", NULL),
	UNLOCKED(object_destroy, destroy,               "ZZZZZZZZ....", NULL),
};
/* clang-format on */

static void
cell(void *arg)
{
	const struct row *row = arg;
	vm_page_t m;
	int got;

	o = disk_object(disk_new(), 100);
	p = disk_object(NULL, 100);
	VM_OBJECT_WLOCK(o);
	VM_OBJECT_WLOCK(p);
	k = vm_page_alloc(NULL, 0, NORMAL);
	m = make(state);
	if (row->unlocked) {
		VM_OBJECT_WUNLOCK(p);
		VM_OBJECT_WUNLOCK(o);
	}
	die_asleep();
	errno = 0;
	got = row->fn(m);
	ns_vm_check(0);
	fprintf(stderr, "%c", got);
}

static void
check_row(const struct row *row, const char *want)
{
	for (state = 0; state < STATES; state++)
		check_cell(row->call, names[state], cell, (void *)row, rules,
			   NS_ARRAY_LEN(rules), want[state]);
}

int
main(void)
{
	static struct machine alone = { .alone = true };

	boot(&alone);
	vm_page_free(vm_page_alloc(NULL, 0, NORMAL));
	for (size_t i = 0; i < NS_ARRAY_LEN(rows); i++) {
#ifdef NS_DEBUG
		check_row(&rows[i], rows[i].want);
#else
		check_row(&rows[i], rows[i].release != NULL ? rows[i].release
							    : rows[i].want);
#endif
	}
	return test_done();
}
