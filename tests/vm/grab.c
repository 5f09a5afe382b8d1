/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grabbing and busying pages, by who may sleep for another thread and for
 * memory: when it sleeps, when it is woken, and what it has then.
 */
#include "tests/vm/cell.h"

#define N VM_ALLOC_NORMAL

static void *
free_later(void *m)
{
	usleep(20000);
	vm_page_free(m);
	return NULL;
}

static void *
unbusy_later(void *m)
{
	usleep(20000);
	vm_page_xunbusy(m);
	return NULL;
}

/* Somebody busies, and ends it later, in one way or another. */
enum ending { UNBUSIED, FREED, CACHED, RENAMED };

struct holder {
	vm_page_t m;
	enum ending how;
	vm_object_t o;
};

static void *
end_later(void *arg)
{
	struct holder *h = arg;

	usleep(20000);
	VM_OBJECT_WLOCK(h->o); /* who sleeps has dropped it */
	if (h->how == FREED)
		vm_page_free(h->m);
	else if (h->how == CACHED)
		vm_page_cache(h->m);
	else if (h->how == RENAMED)
		CHECK_EQ(vm_page_rename(h->m, h->o, 50), 0);
	if (h->how == UNBUSIED || h->how == RENAMED)
		vm_page_xunbusy(h->m);
	VM_OBJECT_WUNLOCK(h->o);
	return NULL;
}

/* vm_page_busy_acquire of a page that is held, with each ending and flag. */
static void
acquiring(void *arg)
{
	static const int flags[] = { 0, VM_ALLOC_SBUSY, VM_ALLOC_WAITFAIL,
				     VM_ALLOC_NOWAIT };
	struct holder h;
	pthread_t thread;
	vm_object_t o;
	bool got;

	boot(arg);
	o = object_of(100);
	h.o = o;
	for (size_t f = 0; f < NS_ARRAY_LEN(flags); f++)
		for (int how = UNBUSIED; how <= RENAMED; how++) {
			VM_OBJECT_WLOCK(o);
			h.m = filled_page(o, 0, 7);
			h.how = (enum ending)how;
			REQUIRE(pthread_create(&thread, NULL, end_later, &h) ==
				0);
			got = vm_page_busy_acquire(h.m, flags[f]);
			CHECK(VM_OBJECT_WOWNED(o));
			CHECK_EQ(got, how == UNBUSIED &&
					  f < 2); /* it waits until then */
			if (got)
				CHECK(flags[f] == VM_ALLOC_SBUSY
					  ? vm_page_sbusied(h.m)
					  : vm_page_xbusied(h.m));
			VM_OBJECT_WUNLOCK(o);
			pthread_join(thread, NULL);
			if (got && flags[f] == VM_ALLOC_SBUSY)
				vm_page_sunbusy(h.m);
			else if (got)
				vm_page_xunbusy(h.m);
			vm_object_destroy(o);
			o = h.o = object_of(100);
		}
	/* One that is free to be busied, without the lock; one without object.
	 */
	h.m = vm_page_grab_unlocked(o, 0, N);
	vm_page_xunbusy(h.m);
	CHECK(vm_page_busy_acquire(h.m, VM_ALLOC_NOWAIT));
	CHECK(!vm_page_busy_acquire(h.m, VM_ALLOC_NOWAIT));
	vm_page_xunbusy(h.m);
	vm_object_destroy(o);
	h.m = vm_page_alloc(NULL, 0, NORMAL);
	CHECK(!vm_page_busy_acquire(h.m, 0));
	vm_page_free(h.m);
	ns_vm_check(0);
}

static void
grabbing(void *arg)
{
	struct set s = { NULL, 0, 0 };
	pthread_t thread;
	vm_object_t o;
	vm_page_t m, k, many[8];

	boot(arg);
	o = object_of(100);
	VM_OBJECT_WLOCK(o);
	CHECK_ERRNO(vm_page_grab(o, 0, N | VM_ALLOC_NOCREAT), NULL, ENOENT);
	CHECK_ERRNO(vm_page_grab(o, 100, N), NULL, EINVAL);
	CHECK_ERRNO(vm_page_grab(o, 0, N | VM_ALLOC_NOWAIT | VM_ALLOC_WAITOK),
		    NULL, EINVAL);
	m = vm_page_grab(o, 0, N | VM_ALLOC_ZERO);
	REQUIRE(m != NULL);
	CHECK(vm_page_xbusied(m) && all_zero(vm_page_addr(m), ns_page_size));
	CHECK_ERRNO(vm_page_grab(o, 0, N | VM_ALLOC_NOWAIT), NULL, EBUSY);
	vm_page_busy_downgrade(m);
	/* A request that is none is so for a page that is there, too. */
	CHECK_ERRNO(vm_page_grab(o, 0, VM_ALLOC_SBUSY), NULL, EINVAL);
	CHECK_ERRNO(vm_page_grab(o, 0, N | VM_ALLOC_SYSTEM | VM_ALLOC_SBUSY),
		    NULL, EINVAL);
	CHECK_ERRNO(vm_page_grab(o, 0, N | VM_ALLOC_SBUSY | VM_ALLOC_NOBUSY),
		    NULL, EINVAL);
	CHECK_EQ(vm_page_grab(o, 0, N | VM_ALLOC_SBUSY | VM_ALLOC_WIRED), m);
	CHECK(vm_page_wired(m));
	vm_page_unwire(m, PQ_NONE);
	vm_page_sunbusy(m);
	CHECK_EQ(vm_page_grab(o, 0, N | VM_ALLOC_NOBUSY), m);
	CHECK(vm_page_busy_tryupgrade(m));
	/* It sleeps until another thread ends it. */
	REQUIRE(pthread_create(&thread, NULL, unbusy_later, m) == 0);
	CHECK_EQ(vm_page_grab(o, 0, N), m);
	pthread_join(thread, NULL);
	CHECK_ERRNO(vm_page_grab(o, 0, N | VM_ALLOC_NOWAIT), NULL, EBUSY);
	VM_OBJECT_WUNLOCK(o);
	vm_page_xunbusy(m);

	CHECK_EQ(vm_page_grab_unlocked(o, 0, N), m);
	vm_page_xunbusy(m);
	CHECK_ERRNO(vm_page_grab_unlocked(o, 0, N | VM_ALLOC_NOBUSY), NULL,
		    EINVAL);
	CHECK_ERRNO(vm_page_grab_unlocked(o, 1, N | VM_ALLOC_NOCREAT), NULL,
		    ENOENT);
	m = vm_page_grab_unlocked(o, 1, N | VM_ALLOC_SBUSY);
	CHECK(vm_page_sbusied(m));
	vm_page_sunbusy(m);

	/* Many: in order, as far as it goes. */
	VM_OBJECT_WLOCK(o);
	CHECK_EQ(vm_page_grab_pages(o, 50, N, many, 8), 8);
	for (vm_pindex_t i = 0; i < 8; i++) {
		CHECK_EQ(vm_page_lookup(o, 50 + i), many[i]);
		CHECK(vm_page_xbusied(many[i]));
	}
	CHECK_EQ(vm_page_grab_pages(o, 48, N | VM_ALLOC_NOWAIT, many, 8), 2);
	CHECK_EQ(errno, EBUSY);
	CHECK_EQ(vm_page_grab_pages(o, 98, N, many, 8), 2);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(vm_page_pindex(many[1]), 99);
	m = vm_page_alloc_after(o, 60, N, vm_page_lookup(o, 57));
	CHECK_EQ(vm_page_lookup(o, 60), m);
	CHECK(vm_page_alloc_after(o, 61, N, NULL) != NULL);
	/* It is always with an object. */
	m = vm_page_alloc_after(o, 62, N | VM_ALLOC_NOOBJ, NULL);
	CHECK_EQ(vm_page_lookup(o, 62), m);
	for (m = vm_page_find_least(o, 48); m != NULL;
	     m = vm_page_find_least(o, vm_page_pindex(m) + 1))
		vm_page_xunbusy(m);
	VM_OBJECT_WUNLOCK(o);

	/* Memory: at once, at most one sleep, and until there is some. */
	drain(&s, 0, NORMAL);
	VM_OBJECT_WLOCK(o);
	CHECK_ERRNO(vm_page_grab(o, 2, N | VM_ALLOC_NOWAIT), NULL, ENOMEM);
	CHECK_ERRNO(vm_page_grab(o, 2, N | VM_ALLOC_WAITFAIL), NULL, ENOMEM);
	CHECK_ERRNO(vm_page_alloc_noobj(N), NULL, ENOMEM);
	CHECK_ERRNO(vm_page_alloc_noobj(N | VM_ALLOC_WAITFAIL), NULL, ENOMEM);
	REQUIRE(pthread_create(&thread, NULL, free_later, s.page[--s.n]) == 0);
	m = vm_page_grab(o, 2, N | VM_ALLOC_WAITOK);
	REQUIRE(m != NULL);
	pthread_join(thread, NULL);
	vm_page_xunbusy(m);
	REQUIRE(pthread_create(&thread, NULL, free_later, s.page[--s.n]) == 0);
	k = vm_page_alloc_noobj(N | VM_ALLOC_WAITOK | VM_ALLOC_ZERO);
	REQUIRE(k != NULL);
	CHECK(all_zero(vm_page_addr(k), ns_page_size));
	CHECK_EQ(vm_page_flags(k), PG_ZERO);
	pthread_join(thread, NULL);
	vm_page_free(k);
	k = vm_page_alloc_noobj_domain(0, N);
	CHECK(k != NULL);
	vm_page_free(k);
	CHECK_ERRNO(vm_page_alloc_noobj_domain(-1, N), NULL, EINVAL);
	set_free(&s);
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	ns_vm_check(0);
}

/* Each call that may sleep, when the node is full: does it? */

static vm_object_t full;
static int class;

static char
memory(vm_page_t m)
{
	return m != NULL ? '.' : errno == ENOMEM ? 'M' : '?';
}

#define CELL(name, result)                       \
	static void name(void *arg)              \
	{                                        \
		(void)arg;                       \
		die_asleep();                    \
		fprintf(stderr, "%c", (result)); \
	}

CELL(noobj, memory(vm_page_alloc_noobj(class)))
CELL(noobj_nowait, memory(vm_page_alloc_noobj(class | VM_ALLOC_NOWAIT)))
CELL(noobj_waitok, memory(vm_page_alloc_noobj(class | VM_ALLOC_WAITOK)))
CELL(noobj_waitfail, memory(vm_page_alloc_noobj(class | VM_ALLOC_WAITFAIL)))
CELL(domain, memory(vm_page_alloc_noobj_domain(0, class)))
CELL(domain_waitok,
     memory(vm_page_alloc_noobj_domain(0, class | VM_ALLOC_WAITOK)))
CELL(domain_waitfail,
     memory(vm_page_alloc_noobj_domain(0, class | VM_ALLOC_WAITFAIL)))
CELL(row, memory(vm_page_alloc_noobj_contig(class, 2, 1, 0)))
CELL(row_waitok,
     memory(vm_page_alloc_noobj_contig(class | VM_ALLOC_WAITOK, 2, 1, 0)))
CELL(row_waitfail,
     memory(vm_page_alloc_noobj_contig(class | VM_ALLOC_WAITFAIL, 2, 1, 0)))
CELL(grab, memory(vm_page_grab(full, 0, class)))
CELL(grab_nowait, memory(vm_page_grab(full, 0, class | VM_ALLOC_NOWAIT)))
CELL(grab_waitok, memory(vm_page_grab(full, 0, class | VM_ALLOC_WAITOK)))
CELL(grab_waitfail, memory(vm_page_grab(full, 0, class | VM_ALLOC_WAITFAIL)))
CELL(alloc, memory(vm_page_alloc(full, 0, class)))
CELL(waiting, (VM_OBJECT_WUNLOCK(full), vm_wait(full), '.'))

static void
sleepers(void *arg)
{
	/* The later ones go on where the former are at their mark. */
	static const int classes[] = { VM_ALLOC_NORMAL, VM_ALLOC_SYSTEM,
				       VM_ALLOC_INTERRUPT };
	static const struct {
		const char *name;
		void (*fn)(void *);
		char want;
		bool row; /* there may be none, or it does not matter */
	} cells[] = {
		{ "alloc_noobj", noobj, 'M', false },
		{ "alloc_noobj, NOWAIT", noobj_nowait, 'M', false },
		{ "alloc_noobj, WAITOK", noobj_waitok, ASLEEP, false },
		{ "alloc_noobj, WAITFAIL", noobj_waitfail, ASLEEP, false },
		{ "_domain", domain, 'M', false },
		{ "_domain, WAITOK", domain_waitok, ASLEEP, false },
		{ "_domain, WAITFAIL", domain_waitfail, ASLEEP, false },
		{ "_contig", row, 'M', true },
		{ "_contig, WAITOK", row_waitok, ASLEEP, true },
		{ "_contig, WAITFAIL", row_waitfail, ASLEEP, true },
		{ "grab", grab, ASLEEP, false },
		{ "grab, NOWAIT", grab_nowait, 'M', false },
		{ "grab, WAITOK", grab_waitok, ASLEEP, false },
		{ "grab, WAITFAIL", grab_waitfail, ASLEEP, false },
		{ "alloc", alloc, 'M', false },
		{ "vm_wait", waiting, ASLEEP, true },
	};
	struct set s = { NULL, 0, 0 };

	boot(arg);
	full = object_of(10);
	VM_OBJECT_WLOCK(full);
	vm_page_alloc(full, 1, N); /* the index's memory is there */
	for (size_t k = 0; k < NS_ARRAY_LEN(classes); k++) {
		drain(&s, 0, classes[k] | VM_ALLOC_NOOBJ);
		for (size_t i = 0; i < NS_ARRAY_LEN(cells); i++)
			for (size_t c = 0; c < NS_ARRAY_LEN(classes); c++) {
				if (c > k && cells[i].row)
					continue;
				class = classes[c];
				check_cell("a full node", cells[i].name,
					   cells[i].fn, NULL, NULL, 0,
					   c > k ? '.' : cells[i].want);
			}
	}
}

/*
 * Once is once: a page that is exclusively busy becomes shared while a thread
 * sleeps for it.  That is a change, though the page is busy still.
 */

static vm_page_t shared_later;

static void *
sleep_once(void *arg)
{
	vm_page_busy_sleep(shared_later, 0);
	return arg;
}

static void *
acquire_once(void *arg)
{
	CHECK(!vm_page_busy_acquire(shared_later, VM_ALLOC_WAITFAIL));
	return arg;
}

static void *
grab_once(void *o)
{
	CHECK_ERRNO(vm_page_grab_unlocked(o, 0, N | VM_ALLOC_WAITFAIL), NULL,
		    EBUSY);
	return NULL;
}

/* Who wants to share it has it then. */
static void *
grab_shared(void *o)
{
	CHECK_EQ(vm_page_grab_unlocked(o, 0, N | VM_ALLOC_SBUSY), shared_later);
	vm_page_sunbusy(shared_later);
	return NULL;
}

static void
once(void *arg)
{
	static void *(*const fns[])(void *) = { sleep_once, acquire_once,
						grab_once, grab_shared };
	pthread_t thread;
	vm_object_t o;

	boot(arg);
	o = object_of(10);
	shared_later = vm_page_grab_unlocked(o, 0, N);
	for (size_t i = 0; i < NS_ARRAY_LEN(fns); i++) {
		REQUIRE(pthread_create(&thread, NULL, fns[i], o) == 0);
		/* Until it sleeps, or is about to: busy.c, SLEEPS. */
		while ((ns_load_relaxed(&shared_later->busy) & 1u) == 0)
			sched_yield();
		vm_page_busy_downgrade(shared_later);
		pthread_join(thread, NULL);
		CHECK(vm_page_busy_tryupgrade(shared_later));
	}
	vm_page_xunbusy(shared_later);
	vm_object_destroy(o);
}

int
main(void)
{
	static struct machine one = { .limit = 0 };
	static struct machine small = { .limit = 2 << 20, .alone = true };

	CASE(acquiring, &one);
	CASE(grabbing, &small);
	CASE(sleepers, &small);
	CASE(once, &one);
	return test_done();
}
