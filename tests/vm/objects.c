/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Eight threads on one object, and on two: lookups without the lock against
 * allocation, free, caching, reclaim under pressure, rename and replacement.
 *
 * The model is in the pages: a valid page says which object and index it is,
 * a page that a thread has alone says which thread's, a page without object
 * that it is nobody's else.  A page that were two things at once would lose
 * one of these; and in the end the numbers of all pages agree.
 */
#include "tests/vm/vm_test.h"

#define THREADS 8
#define SIZE    300
#define OWN     64
#ifdef TEST_SANITIZED
#define STEPS 15000
#else
#define STEPS 200000
#endif

#define N VM_ALLOC_NORMAL

static vm_object_t object[2];
static unsigned objects;                /* [I] 1 or 2 */
static uint64_t found, reread, renamed; /* [a] */

struct thread {
	pthread_t id;
	uint64_t rnd, name;
	size_t n;
	vm_page_t own[OWN];
};

struct words {
	uint64_t place, holder;
};

static struct words *
words(vm_page_t m)
{
	return vm_page_addr(m);
}

static uint64_t
place(vm_object_t o, vm_pindex_t at)
{
	return (uint64_t)(o == object[1]) << 32 | (at + 1);
}

/* The page is exclusively busy, ours: nobody else writes to it. */
static void
hold(struct thread *t, vm_page_t m)
{
	ns_store_relaxed(&words(m)->holder, t->name);
	if (test_random(&t->rnd) % 64 == 0)
		sched_yield();
	CHECK_EQ(ns_load_relaxed(&words(m)->holder), t->name);
	if ((vm_page_flags(m) & PG_VALID) != 0)
		CHECK_EQ(ns_load_relaxed(&words(m)->place),
			 place(vm_page_object(m), vm_page_pindex(m)));
}

static void
settle(vm_page_t m)
{
	ns_store_relaxed(&words(m)->place,
			 place(vm_page_object(m), vm_page_pindex(m)));
	vm_page_valid(m);
}

static void
read_one(struct thread *t, vm_object_t o, vm_pindex_t at)
{
	vm_page_t m = vm_page_grab_unlocked(
	    o, at, N | VM_ALLOC_SBUSY | VM_ALLOC_NOCREAT | VM_ALLOC_NOWAIT);

	(void)t;
	if (m == NULL)
		return;
	CHECK(vm_page_object(m) == o && vm_page_pindex(m) == at);
	if ((vm_page_flags(m) & PG_VALID) != 0)
		CHECK_EQ(ns_load_relaxed(&words(m)->place), place(o, at));
	ns_add_relaxed(&found, 1);
	vm_page_sunbusy(m);
}

static void
change_one(struct thread *t, vm_object_t o, vm_pindex_t at)
{
	int flags = N | (test_random(&t->rnd) % 512 != 0 ? VM_ALLOC_NOWAIT
							 : VM_ALLOC_WAITFAIL);
	vm_page_t m = vm_page_grab_unlocked(o, at, flags);

	if (m == NULL)
		return;
	if ((vm_page_flags(m) & PG_VALID) != 0)
		ns_add_relaxed(&reread, 1);
	hold(t, m);
	settle(m);
	if (test_random(&t->rnd) % 4 != 0) {
		vm_page_xunbusy(m);
		return;
	}
	VM_OBJECT_WLOCK(o);
	if (test_random(&t->rnd) % 3 == 0) {
		ns_store_relaxed(&words(m)->place, 0);
		vm_page_free(m);
	} else {
		vm_page_undirty(m);
		vm_page_cache(m);
	}
	VM_OBJECT_WUNLOCK(o);
}

/* To the other object, or another index of this one. */
static void
rename_one(struct thread *t, vm_object_t o, vm_pindex_t at)
{
	vm_pindex_t to = test_random(&t->rnd) % SIZE;
	vm_object_t other = object[test_random(&t->rnd) % objects];
	vm_page_t m;

	for (unsigned i = 0; i < objects; i++)
		VM_OBJECT_WLOCK(object[i]);
	m = vm_page_lookup(o, at);
	if (m != NULL && vm_page_tryxbusy(m)) {
		hold(t, m);
		if (vm_page_rename(m, other, to) == 0) {
			settle(m);
			vm_page_undirty(m);
			ns_add_relaxed(&renamed, 1);
		}
		vm_page_xunbusy(m);
	}
	for (unsigned i = objects; i-- > 0;)
		VM_OBJECT_WUNLOCK(object[i]);
}

static void
replace_one(struct thread *t, vm_object_t o, vm_pindex_t at)
{
	vm_page_t m = vm_page_grab_unlocked(
		      o, at, N | VM_ALLOC_NOCREAT | VM_ALLOC_NOWAIT),
		  k;

	if (m == NULL)
		return;
	hold(t, m);
	k = vm_page_alloc(NULL, 0, N | VM_ALLOC_NOOBJ);
	if (k == NULL) {
		vm_page_xunbusy(m);
		return;
	}
	VM_OBJECT_WLOCK(o);
	vm_page_replace(k, o, at, m);
	VM_OBJECT_WUNLOCK(o);
	settle(k);
	vm_page_xunbusy(k);
}

/* Pages without object, so that the node is full most of the time. */
static void
press(struct thread *t)
{
	vm_page_t m;

	if (t->n < OWN && test_random(&t->rnd) % 3 != 0) {
		m = vm_page_alloc(NULL, 0, N | VM_ALLOC_NOOBJ);
		if (m == NULL)
			return;
		ns_store_relaxed(&words(m)->place, (uintptr_t)m);
		ns_store_relaxed(&words(m)->holder, t->name);
		t->own[t->n++] = m;
	} else if (t->n > 0) {
		m = t->own[--t->n];
		CHECK_EQ(ns_load_relaxed(&words(m)->place), (uintptr_t)m);
		CHECK_EQ(ns_load_relaxed(&words(m)->holder), t->name);
		CHECK(!vm_page_busied(m) && vm_page_object(m) == NULL);
		vm_page_free(m);
	}
}

static void *
work(void *arg)
{
	struct thread *t = arg;

	for (int step = 0; step < STEPS; step++) {
		uint64_t r = test_random(&t->rnd) % 100;
		vm_object_t o = object[test_random(&t->rnd) % objects];
		vm_pindex_t at = test_random(&t->rnd) % SIZE;

		if (r < 50)
			read_one(t, o, at);
		else if (r < 75)
			change_one(t, o, at);
		else if (r < 80)
			rename_one(t, o, at);
		else if (r < 85)
			replace_one(t, o, at);
		else
			press(t);
	}
	while (t->n > 0)
		vm_page_free(t->own[--t->n]);
	return NULL;
}

static size_t
count(vm_object_t o)
{
	vm_pindex_t at = 0;
	size_t n = 0;
	vm_page_t m;

	VM_OBJECT_RLOCK(o);
	while ((m = vm_page_find_least(o, at)) != NULL) {
		CHECK(!vm_page_busied(m));
		CHECK_EQ(vm_page_object(m), o);
		at = vm_page_pindex(m) + 1;
		n++;
	}
	VM_OBJECT_RUNLOCK(o);
	return n;
}

static void
run(void *arg, unsigned n)
{
	static struct thread t[THREADS];
	struct vm_object_attr attr = { .size = SIZE, .domain = VM_DOMAIN_HOME };
	struct ns_vm_stat st;
	size_t resident = 0;

	boot(arg);
	objects = n;
	for (size_t i = 0; i < n; i++)
		object[i] = vm_object_create(&attr);
	for (size_t i = 0; i < THREADS; i++) {
		t[i].rnd = i + 1;
		t[i].name = i + 1;
		REQUIRE(pthread_create(&t[i].id, NULL, work, &t[i]) == 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t[i].id, NULL);
	for (size_t i = 0; i < n; i++) {
		CHECK_EQ(count(object[i]), vm_object_resident(object[i]));
		resident += vm_object_resident(object[i]);
	}
	ns_vm_stat(0, &st);
	CHECK_EQ(st.free + st.reserve + st.cached + resident, st.pages);
	ns_vm_check(0);
	CHECK(found > 0 && reread > 0 && renamed > 0);
	if (((const struct machine *)arg)->limit != 0)
		CHECK(st.reclaimed > 0 && st.denied > 0);
	for (size_t i = 0; i < n; i++)
		vm_object_destroy(object[i]);
	ns_vm_stat(0, &st);
	CHECK_EQ(st.free + st.reserve, st.pages);
	ns_vm_check(0);
}

static void
one_object(void *arg)
{
	run(arg, 1);
}

static void
two_objects(void *arg)
{
	run(arg, 2);
}

int
main(void)
{
	static struct machine machines[] = {
		{ .limit = 0 },
		{ .limit = 2 << 20 },
		{ .limit = 1 << 20, .purge_now = true },
	};

	for (size_t i = 0; i < NS_ARRAY_LEN(machines); i++) {
		CASE(one_object, &machines[i]);
		CASE(two_objects, &machines[i]);
	}
	return test_done();
}
