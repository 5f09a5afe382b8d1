/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects and their pages: each flag of a request with and without effect,
 * moves, cached pages, and the watermarks with cached pages.
 */
#include "tests/vm/vm_test.h"

#define N VM_ALLOC_NORMAL

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
		m = filled_page(o, i, i);
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
	o = object_of(UINT64_MAX);
	VM_OBJECT_WLOCK(o);
	for (i = 0; i < n; i++)
		vm_page_xunbusy(m[i] = filled_page(o, at[i], at[i]));
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
	o = object_of(100);
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
	o = object_of(1);
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
	VM_OBJECT_WUNLOCK(o);
	vm_page_busy_sleep(m, 0); /* it is not: at once */
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
	a = object_of(1000);
	b = object_of(1000);
	VM_OBJECT_WLOCK(a);
	VM_OBJECT_WLOCK(b);
	m = filled_page(a, 5, 55);
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
	k = filled_page(b, 998, 1);
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
	o = object_of(100);
	VM_OBJECT_WLOCK(o);
	m = filled_page(o, 7, 77);
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
	vm_page_cache(filled_page(o, 9, 99));
	vm_page_xunbusy(filled_page(o, 10, 0));
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
	o = object_of(1 << 20);
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

static void
object_lock(void *arg)
{
	vm_object_t o;

	boot(arg);
	o = object_of(1);
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
	CASE(object_lock, &one);
	return test_done();
}
