/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of objects: every call in every state of a page, each flag with and
 * without effect, the watermarks with cached pages, and what must not be done.
 */
#include "tests/vm/vm_test.h"

#define N VM_ALLOC_NORMAL

static vm_object_t
make(vm_pindex_t size)
{
	struct vm_object_attr attr = { .size = size, .domain = VM_DOMAIN_HOME };
	vm_object_t o = vm_object_create(&attr);

	REQUIRE(o != NULL);
	return o;
}

/* A valid page with @value in it, exclusively busy; the object is locked. */
static vm_page_t
fill(vm_object_t o, vm_pindex_t at, uint64_t value)
{
	vm_page_t m = vm_page_alloc(o, at, N);

	REQUIRE(m != NULL);
	*(uint64_t *)vm_page_addr(m) = value;
	vm_page_valid(m);
	return m;
}

static void
add_stamped(struct set *s, vm_page_t m)
{
	REQUIRE(m != NULL);
	*(vm_page_t *)vm_page_addr(m) = m;
	set_add(s, m);
}

static void
creation(void *arg)
{
	struct vm_object_attr attr = { .size = 7,
				       .domain = 1,
				       .handle = &attr };
	struct ns_vm_stat st;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = vm_object_create(&attr);
	REQUIRE(o != NULL);
	CHECK_EQ(vm_object_size(o), 7);
	CHECK_EQ(vm_object_handle(o), &attr);
	CHECK_EQ(vm_object_resident(o), 0);
	VM_OBJECT_WLOCK(o);
	for (vm_pindex_t i = 0; i < 7; i++) {
		m = fill(o, i, i);
		CHECK_EQ(vm_page_domain(m), 1);
		CHECK_EQ(vm_page_object(m), o);
		CHECK_EQ(vm_page_pindex(m), i);
		vm_page_xunbusy(m);
	}
	CHECK_ERRNO(vm_page_alloc(o, 7, N), NULL, EINVAL);
	CHECK_EQ(vm_page_lookup(o, 7), NULL);
	CHECK_EQ(vm_page_lookup(o, UINT64_MAX), NULL);
	CHECK_EQ(vm_object_resident(o), 7);
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	ns_vm_stat(1, &st);
	CHECK_EQ(held(1), st.pages);
	attr.size = 0;
	CHECK_ERRNO(vm_object_create(&attr), NULL, EINVAL);
	attr.size = 1;
	attr.domain = 2;
	CHECK_ERRNO(vm_object_create(&attr), NULL, EINVAL);
	attr.domain = -2;
	CHECK_ERRNO(vm_object_create(&attr), NULL, EINVAL);
	ns_vm_check(0);
	ns_vm_check(1);
}

/* Indices all over the width; neighbours; nodes that come and go. */
static void
indices(void *arg)
{
	static const vm_pindex_t at[] = {
		0,
		1,
		63,
		64,
		4095,
		4096,
		1ul << 30,
		(1ul << 30) + 1,
		1ul << 40,
		1ul << 63,
		UINT64_MAX - 2,
		UINT64_MAX - 1,
	};
	vm_page_t m[NS_ARRAY_LEN(at)];
	vm_object_t o;
	size_t i, n = NS_ARRAY_LEN(at);

	boot(arg);
	o = make(UINT64_MAX);
	VM_OBJECT_WLOCK(o);
	for (i = 0; i < n; i++)
		vm_page_xunbusy(m[i] = fill(o, at[i], at[i]));
	for (i = 0; i < n; i++) {
		CHECK_EQ(vm_page_lookup(o, at[i]), m[i]);
		CHECK_EQ(vm_page_find_least(o, at[i]), m[i]);
		if (i > 0)
			CHECK_EQ(vm_page_find_least(o, at[i - 1] + 1), m[i]);
		CHECK_EQ(vm_page_next(m[i]),
			 i + 1 < n && at[i + 1] == at[i] + 1 ? m[i + 1] : NULL);
		CHECK_EQ(vm_page_prev(m[i]),
			 i > 0 && at[i - 1] == at[i] - 1 ? m[i - 1] : NULL);
	}
	CHECK_EQ(vm_page_lookup(o, 2), NULL);
	for (i = 0; i < n; i += 2) {
		vm_page_xbusy(m[i]);
		vm_page_free(m[i]);
		CHECK_EQ(vm_page_lookup(o, at[i]), NULL);
		CHECK_EQ(vm_page_find_least(o, at[i]),
			 i + 1 < n ? m[i + 1] : NULL);
	}
	CHECK_EQ(vm_object_resident(o), n / 2);
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	ns_vm_check(0);
}

static void
request_flags(void *arg)
{
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(100);
	VM_OBJECT_WLOCK(o);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, N), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc(o, 0, N | VM_ALLOC_SYSTEM), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc(o, 0, 0), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc(o, 0, N | VM_ALLOC_WAITOK), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc(o, 0, N | VM_ALLOC_WAITFAIL), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc(o, 0, N | VM_ALLOC_NOCREAT), NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc(o, 0, N | VM_ALLOC_SBUSY | VM_ALLOC_NOBUSY),
		    NULL, EINVAL);
	CHECK_ERRNO(vm_page_alloc(o, 0, N | VM_ALLOC_IFCACHED), NULL, ENOENT);

	m = vm_page_alloc(o, 0, N | VM_ALLOC_ZERO | VM_ALLOC_IFNOTCACHED);
	CHECK(vm_page_xbusied(m) && vm_page_busied(m) && !vm_page_sbusied(m));
	CHECK_EQ(vm_page_flags(m), PG_ZERO);
	CHECK(all_zero(vm_page_addr(m), ns_page_size));
	vm_page_dirty(m);
	CHECK_EQ(vm_page_flags(m), PG_ZERO | PG_VALID | PG_DIRTY);
	vm_page_undirty(m);
	CHECK_EQ(vm_page_flags(m), PG_ZERO | PG_VALID);

	m = vm_page_alloc(o, 1, N | VM_ALLOC_SBUSY);
	CHECK(vm_page_sbusied(m) && !vm_page_xbusied(m));
	m = vm_page_alloc(o, 2, N | VM_ALLOC_NOBUSY);
	CHECK(!vm_page_busied(m) && !vm_page_wired(m));
	m = vm_page_alloc(o, 3, N | VM_ALLOC_NOBUSY | VM_ALLOC_WIRED);
	CHECK(vm_page_wired(m));
	vm_page_unwire(m, PQ_NONE);
	/* The object is ignored, and no index used. */
	m = vm_page_alloc(o, 0, N | VM_ALLOC_NOOBJ);
	CHECK_EQ(vm_page_object(m), NULL);
	CHECK(!vm_page_busied(m) && !vm_page_tryxbusy(m) &&
	      !vm_page_trysbusy(m));
	CHECK_EQ(vm_object_resident(o), 4);
	vm_page_free(m);
	vm_page_xunbusy(vm_page_lookup(o, 0));
	vm_page_sunbusy(vm_page_lookup(o, 1));
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	ns_vm_check(0);
}

static void
busy_states(void *arg)
{
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(1);
	VM_OBJECT_WLOCK(o);
	m = vm_page_alloc(o, 0, N);
	CHECK(!vm_page_tryxbusy(m) && !vm_page_trysbusy(m));
	vm_page_busy_downgrade(m);
	CHECK(vm_page_trysbusy(m) && !vm_page_tryxbusy(m));
	CHECK(!vm_page_busy_tryupgrade(m));
	vm_page_sunbusy(m);
	CHECK(vm_page_busy_tryupgrade(m) && vm_page_xbusied(m));
	vm_page_xunbusy(m);
	CHECK(!vm_page_busied(m));
	vm_page_sbusy(m);
	vm_page_sunbusy(m);
	vm_page_busy_sleep(m, 0); /* it is not: at once */
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
}

/* Sleeps for the busy page at 5, which is not there when it wakes. */
static void *
wait_at_5(void *o)
{
	CHECK_ERRNO(vm_page_grab_unlocked(o, 5, N | VM_ALLOC_NOCREAT), NULL,
		    ENOENT);
	return NULL;
}

static void
moves(void *arg)
{
	vm_object_t a, b;
	pthread_t thread;
	vm_page_t m, k;

	boot(arg);
	a = make(1000);
	b = make(1000);
	VM_OBJECT_WLOCK(a);
	VM_OBJECT_WLOCK(b);
	m = fill(a, 5, 55);
	VM_OBJECT_WUNLOCK(a);
	REQUIRE(pthread_create(&thread, NULL, wait_at_5, a) == 0);
	usleep(20000);
	VM_OBJECT_WLOCK(a);
	CHECK_EQ(vm_page_rename(m, a, 6), 0); /* beside, the only page */
	vm_page_xunbusy(m);
	VM_OBJECT_WUNLOCK(a);
	pthread_join(thread, NULL);
	VM_OBJECT_WLOCK(a);
	vm_page_xbusy(m);
	CHECK_EQ(vm_page_lookup(a, 5), NULL);
	CHECK_EQ(vm_page_lookup(a, 6), m);
	CHECK_EQ(vm_page_rename(m, b, 999), 0);
	CHECK_EQ(vm_object_resident(a), 0);
	CHECK_EQ(vm_page_lookup(a, 6), NULL);
	CHECK_EQ(vm_page_lookup(b, 999), m);
	CHECK(vm_page_xbusied(m) && (vm_page_flags(m) & PG_DIRTY) != 0);
	CHECK_EQ(*(uint64_t *)vm_page_addr(m), 55);
	CHECK_ERRNO(vm_page_rename(m, b, 1000), -1, EINVAL);
	k = fill(b, 998, 1);
	CHECK_ERRNO(vm_page_rename(m, b, 998), -1, EEXIST);
	/* Over a cached page: that one goes. */
	vm_page_cache(k);
	CHECK_EQ(vm_page_rename(m, b, 998), 0);
	CHECK_EQ(vm_object_resident(b), 1);

	CHECK_EQ(vm_page_remove(m), true);
	CHECK_EQ(vm_page_object(m), NULL);
	CHECK(!vm_page_busied(m));
	CHECK_EQ(vm_object_resident(b), 0);
	CHECK_EQ(vm_page_insert(m, a, 999), 0);
	CHECK(!vm_page_busied(m));
	CHECK_EQ(vm_page_lookup(a, 999), m);
	k = vm_page_alloc(NULL, 0, NORMAL);
	CHECK_ERRNO(vm_page_insert(k, a, 999), -1, EEXIST);
	CHECK_ERRNO(vm_page_insert(k, a, 1000), -1, EINVAL);
	vm_page_xbusy(m);
	vm_page_replace(k, a, 999, m);
	CHECK_EQ(vm_page_lookup(a, 999), k);
	CHECK(vm_page_xbusied(k));
	CHECK_EQ(vm_object_resident(a), 1);

	/* A wired page survives that. */
	m = vm_page_alloc(NULL, 0, NORMAL);
	vm_page_wire(k);
	vm_page_replace(m, a, 999, k);
	CHECK(vm_page_wired(k) && vm_page_object(k) == NULL);
	vm_page_unwire(k, PQ_NONE);
	vm_page_free(k);
	vm_page_wire(m);
	CHECK_EQ(vm_page_remove(m), false);
	vm_page_unwire(m, PQ_NONE);
	vm_page_free(m);
	VM_OBJECT_WUNLOCK(a);
	VM_OBJECT_WUNLOCK(b);
	vm_object_destroy(a);
	vm_object_destroy(b);
	ns_vm_check(0);
}

static void
cached(void *arg)
{
	struct ns_vm_stat st;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(100);
	VM_OBJECT_WLOCK(o);
	m = fill(o, 7, 77);
	vm_page_cache(m);
	ns_vm_stat(0, &st);
	CHECK_EQ(st.cached, 1);
	CHECK_EQ(vm_object_resident(o), 0);
	CHECK_EQ(vm_page_lookup(o, 7), NULL);
	CHECK_EQ(vm_page_find_least(o, 0), NULL);
	CHECK(!vm_page_trysbusy(m));
	CHECK_ERRNO(vm_page_alloc(o, 7, N | VM_ALLOC_IFNOTCACHED), NULL,
		    EEXIST);
	/* Back, with its contents, busied and wired as asked. */
	CHECK_EQ(vm_page_alloc(o, 7,
			       N | VM_ALLOC_IFCACHED | VM_ALLOC_SBUSY |
				   VM_ALLOC_WIRED | VM_ALLOC_ZERO),
		 m);
	CHECK(vm_page_sbusied(m) && vm_page_wired(m));
	CHECK((vm_page_flags(m) & (PG_VALID | PG_ZERO)) == PG_VALID);
	CHECK_EQ(*(uint64_t *)vm_page_addr(m), 77);
	vm_page_unwire(m, PQ_NONE);
	vm_page_busy_tryupgrade(m);
	/* What is not valid is not kept. */
	vm_page_cache(vm_page_alloc(o, 8, N));
	CHECK_ERRNO(vm_page_alloc(o, 8, N | VM_ALLOC_IFCACHED), NULL, ENOENT);
	vm_page_cache(m);
	vm_page_cache(fill(o, 9, 99));
	vm_page_xunbusy(fill(o, 10, 0));
	CHECK_EQ(vm_page_find_least(o, 0), vm_page_lookup(o, 10));
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	ns_vm_stat(0, &st);
	CHECK_EQ(st.cached, 0);
	CHECK_EQ(st.free + st.reserve, st.pages);
	ns_vm_check(0);
}

/* A full node with cached pages: each class goes to its mark, oldest first. */
static void
reclaim(void *arg)
{
	struct set s = { NULL, 0, 0 };
	struct ns_vm_stat st;
	size_t full, i, got;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = make(1 << 20);
	ns_vm_stat(0, &st);
	VM_OBJECT_WLOCK(o);
	for (full = 0; (m = vm_page_alloc(o, full, N)) != NULL; full++) {
		*(uint64_t *)vm_page_addr(m) = full;
		vm_page_valid(m);
		vm_page_xunbusy(m);
	}
	CHECK_EQ(errno, ENOMEM);
	CHECK_EQ(held(0), st.low);
	CHECK(full > 20);
	for (i = 0; i < 10; i++) {
		m = vm_page_lookup(o, i);
		vm_page_xbusy(m);
		vm_page_cache(m);
	}
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_NORECLAIM), NULL,
		    ENOMEM);
	/* Four NORMAL requests evict the four that were cached first. */
	for (i = 0; i < 4; i++)
		add_stamped(&s, vm_page_alloc(NULL, 0, NORMAL));
	for (i = 0; i < 4; i++)
		CHECK_ERRNO(vm_page_alloc(o, i, N | VM_ALLOC_IFCACHED), NULL,
			    ENOENT);
	/* One is brought back, which takes one as well. */
	m = vm_page_alloc(o, 9, N | VM_ALLOC_IFCACHED);
	REQUIRE(m != NULL);
	CHECK_EQ(*(uint64_t *)vm_page_addr(m), 9);
	vm_page_xunbusy(m);
	CHECK_EQ(drain(&s, 0, NORMAL), 5);
	ns_vm_stat(0, &st);
	CHECK_EQ(st.cached, 0);
	CHECK_EQ(st.reclaimed, 9);
	CHECK_EQ(st.free + st.reserve, st.low);
	/* At the mark NORMAL may not even bring back; SYSTEM may. */
	m = vm_page_lookup(o, 9);
	vm_page_xbusy(m);
	vm_page_cache(m);
	got = drain(&s, 0, SYSTEM);
	CHECK_EQ(got, st.low - st.interrupt + 1);
	CHECK_ERRNO(vm_page_alloc(o, 9, N), NULL, ENOMEM);
	m = vm_page_lookup(o, 11);
	vm_page_xbusy(m);
	vm_page_cache(m);
	CHECK_ERRNO(vm_page_alloc(o, 11, N), NULL, ENOMEM);
	/* A pager's thread counts as SYSTEM. */
	CHECK_EQ(vm_pager_thread(true), false);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_NORECLAIM), NULL,
		    ENOMEM);
	add_stamped(&s, vm_page_alloc(NULL, 0, NORMAL));
	CHECK_EQ(vm_pager_thread(false), true);
	CHECK_EQ(drain(&s, 0, INTERRUPT), st.interrupt);
	CHECK_EQ(held(0), 0);
	check_distinct(&s);
	for (i = 4; i < full; i++)
		if ((m = vm_page_lookup(o, i)) != NULL && i != 9)
			CHECK_EQ(*(uint64_t *)vm_page_addr(m), i);
	set_free(&s);
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	ns_vm_check(0);
}

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
	o = make(100);
	h.o = o;
	for (size_t f = 0; f < NS_ARRAY_LEN(flags); f++)
		for (int how = UNBUSIED; how <= RENAMED; how++) {
			VM_OBJECT_WLOCK(o);
			h.m = fill(o, 0, 7);
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
			o = h.o = make(100);
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
	o = make(100);
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

static void
object_lock(void *arg)
{
	vm_object_t o;

	boot(arg);
	o = make(1);
	VM_OBJECT_RLOCK(o);
	CHECK(VM_OBJECT_TRYRLOCK(o) && !VM_OBJECT_TRYWLOCK(o));
	CHECK(!VM_OBJECT_TRYUPGRADE(o));
	VM_OBJECT_RUNLOCK(o);
	CHECK(!VM_OBJECT_WOWNED(o) && VM_OBJECT_TRYUPGRADE(o));
	CHECK(VM_OBJECT_WOWNED(o) && !VM_OBJECT_TRYRLOCK(o));
	VM_OBJECT_LOCK_DOWNGRADE(o);
	CHECK(!VM_OBJECT_WOWNED(o) && VM_OBJECT_TRYRLOCK(o));
	VM_OBJECT_RUNLOCK(o);
	VM_OBJECT_RUNLOCK(o);
	CHECK(VM_OBJECT_TRYWLOCK(o));
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
}

/* What must not be done. */

static vm_object_t victim;

static void
wunlock(void *o)
{
	VM_OBJECT_WUNLOCK(o);
}

static void
runlock(void *o)
{
	VM_OBJECT_RUNLOCK(o);
}

static void
cache_it(void *m)
{
	vm_page_cache(m);
}

static void
free_it(void *m)
{
	vm_page_free(m);
}

static void
remove_it(void *m)
{
	vm_page_remove(m);
}

static void
xunbusy_it(void *m)
{
	vm_page_xunbusy(m);
}

static void
sunbusy_it(void *m)
{
	vm_page_sunbusy(m);
}

static void
xbusy_it(void *m)
{
	vm_page_xbusy(m);
}

static void
insert_it(void *m)
{
	vm_page_insert(m, victim, 50);
}

static void
after_it(void *m)
{
	vm_page_alloc_after(victim, 0, N, m);
}

#ifdef NS_DEBUG
static void
alloc_unlocked(void *o)
{
	vm_page_alloc(o, 20, N);
}

static void
alloc_again(void *o)
{
	VM_OBJECT_WLOCK(o);
	vm_page_alloc(o, 0, N);
}

static void
find_unlocked(void *o)
{
	vm_page_find_least(o, 0);
}
#endif

static void
violations(void)
{
	vm_page_t m;

	victim = make(100);
	CHECK_ABORTS(wunlock, victim, "VM_OBJECT_WUNLOCK: object ");
	CHECK_ABORTS(runlock, victim, "nobody has locked it for reading");
	VM_OBJECT_WLOCK(victim);
	m = fill(victim, 0, 1);
	CHECK_ABORTS(xbusy_it, m, "vm_page_xbusy: page ");
	CHECK_ABORTS(sunbusy_it, m, "it is not shared");
	CHECK_ABORTS(after_it, m, "it is not before that index");
	CHECK_ABORTS(insert_it, m, "it is free or in an object");
	vm_page_dirty(m);
	CHECK_ABORTS(cache_it, m, "vm_page_cache: page ");
	CHECK_ABORTS(cache_it, m, "it is dirty");
	vm_page_undirty(m);
	vm_page_wire(m);
	CHECK_ABORTS(cache_it, m, "it is wired");
	CHECK_ABORTS(free_it, m, "it is wired");
	vm_page_unwire(m, PQ_NONE);
	vm_page_xunbusy(m);
	CHECK_ABORTS(xunbusy_it, m, "it is not exclusively busy");
	CHECK_ABORTS(free_it, m, "it is not exclusively busy");
	CHECK_ABORTS(remove_it, m, "it is not exclusively busy");
	vm_page_xbusy(m);
	vm_page_cache(m);
	CHECK_ABORTS(free_it, m, "vm_page_free: page ");
	CHECK_ABORTS(cache_it, m, "it is free or cached");
	m = fill(victim, 0 + 1, 1);
	vm_page_remove(m);
	CHECK_ABORTS(remove_it, m, "it is in no object");
	vm_page_free(m);
#ifdef NS_DEBUG
	m = vm_page_alloc(victim, 0, N | VM_ALLOC_NOBUSY);
	VM_OBJECT_WUNLOCK(victim);
	CHECK_ABORTS(alloc_unlocked, victim, "vm_page_alloc: object ");
	CHECK_ABORTS(alloc_again, victim, "it is at that index already");
	CHECK_ABORTS(find_unlocked, victim, "it is not locked");
#else
	VM_OBJECT_WUNLOCK(victim);
#endif
	vm_object_destroy(victim);
}

int
main(void)
{
	static struct machine one = { .limit = 0 }, two = { .nodes = 2 };
	static struct machine small = { .limit = 2 << 20, .alone = true };
	static struct machine large = { .limit = 8 << 20,
					.page_size = 16384,
					.alone = true };

	CASE(creation, &two);
	CASE(indices, &one);
	CASE(request_flags, &one);
	CASE(busy_states, &one);
	CASE(moves, &one);
	CASE(cached, &one);
	CASE(reclaim, &small);
	CASE(reclaim, &large);
	CASE(acquiring, &one);
	CASE(grabbing, &small);
	CASE(object_lock, &one);
	boot(&one);
	violations();
	return test_done();
}
