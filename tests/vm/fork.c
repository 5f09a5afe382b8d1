/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork() while other threads allocate, wire and free pages: the child has
 * whole books, can allocate in every class, and knows that its parent's
 * memory locks are not its own.
 */
#include "tests/vm/vm_test.h"

#include "slab/slab.h"

#define THREADS 3
#define FORKS   150

static uint32_t stop; /* [a] */

static void *
busy(void *arg)
{
	uint64_t rnd = (uintptr_t)arg;
	vm_page_t own[200];
	size_t n = 0;

	while (ns_load_relaxed(&stop) == 0) {
		if (n < NS_ARRAY_LEN(own) && test_random(&rnd) % 2 == 0) {
			own[n] = vm_page_alloc(
			    NULL, 0,
			    test_random(&rnd) % 4 == 0 ? INTERRUPT : NORMAL);
			n += own[n] != NULL;
		} else if (n > 0) {
			if (test_random(&rnd) % 64 == 0) {
				vm_page_wire(own[n - 1]);
				vm_page_unwire(own[n - 1], PQ_NONE);
			}
			vm_page_free(own[--n]);
		}
		if (test_random(&rnd) % 1000 == 0)
			usleep(50);
	}
	while (n > 0)
		vm_page_free(own[--n]);
	return NULL;
}

/* Locked by another thread at every fork, and free in the child. */
static vm_object_t object;

static void *
use_object(void *arg)
{
	uint64_t rnd = 99;
	vm_page_t m;

	while (ns_load_relaxed(&stop) == 0) {
		VM_OBJECT_WLOCK(object);
		m = vm_page_grab(object, test_random(&rnd) % 1000,
				 VM_ALLOC_NORMAL | VM_ALLOC_NOWAIT);
		if (m != NULL && test_random(&rnd) % 2 == 0)
			vm_page_free(m);
		else if (m != NULL)
			vm_page_xunbusy(m);
		VM_OBJECT_WUNLOCK(object);
	}
	return arg;
}

/* What the other thread had in hand is busy for ever; all else works. */
static void
use_object_of_parent(void)
{
	size_t stuck = 0;
	vm_page_t m;

	for (vm_pindex_t i = 0; i < 1000; i++) {
		m = vm_page_grab_unlocked(object, i,
					  VM_ALLOC_NORMAL | VM_ALLOC_NOWAIT);
		if (m == NULL) {
			CHECK_EQ(errno, EBUSY);
			stuck++;
			continue;
		}
		CHECK_EQ(vm_page_pindex(m), i);
		VM_OBJECT_WLOCK(object);
		vm_page_free(m);
		VM_OBJECT_WUNLOCK(object);
	}
	CHECK(stuck <= 1);
}

/* Everything once, in a child that must not hang: the alarm ends it. */
static void
use_all(vm_page_t wired)
{
	static const int reqs[] = { NORMAL, SYSTEM, INTERRUPT,
				    NORMAL | VM_ALLOC_WIRED };
	struct set s = { NULL, 0, 0 };

	alarm(60);
	CHECK(vm_page_wired(wired));
	CHECK_EQ(vm_page_flags(wired) & PG_MLOCKED, 0);
	vm_page_wire(wired);
	CHECK_EQ(vm_page_flags(wired) & PG_MLOCKED, PG_MLOCKED);
	vm_page_unwire(wired, PQ_NONE);
	for (unsigned node = 0; node < ns_topo.nslots; node++)
		for (size_t i = 0; i < NS_ARRAY_LEN(reqs); i++) {
			vm_page_t m =
			    vm_page_alloc_domain(NULL, 0, (int)node, reqs[i]);

			REQUIRE(m != NULL);
			stpcpy(vm_page_addr(m), "the child's");
			if (vm_page_wired(m))
				vm_page_unwire(m, PQ_NONE);
			set_add(&s, m);
		}
	set_free(&s);
	use_object_of_parent();
	for (unsigned slot = 0; slot < ns_topo.nslots; slot++)
		ns_vm_check(slot);
}

static void
fork_and_wait(vm_page_t wired)
{
	int status;
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0) {
		test_failures = 0;
		use_all(wired);
		_exit(test_done());
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	CHECK_MSG(status == 0, "child: wait status 0x%x", (unsigned)status);
}

static void
forks(void *arg)
{
	struct vm_object_attr attr = { .size = 1000, .domain = VM_DOMAIN_HOME };
	pthread_t thread[THREADS], user;
	vm_page_t wired;
	size_t i;

	boot(arg);
	object = vm_object_create(&attr);
	REQUIRE(object != NULL);
	REQUIRE(ns_init() == 0);
	ns_fork_init();
	wired = vm_page_alloc(NULL, 0, NORMAL | VM_ALLOC_WIRED);
	REQUIRE(wired != NULL);
	for (i = 0; i < THREADS; i++)
		REQUIRE(pthread_create(&thread[i], NULL, busy,
				       (void *)(i + 1)) == 0);
	REQUIRE(pthread_create(&user, NULL, use_object, NULL) == 0);
	for (i = 0; i < FORKS; i++)
		fork_and_wait(wired);
	ns_store_relaxed(&stop, 1u);
	pthread_join(user, NULL);
	vm_object_destroy(object);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(vm_page_flags(wired) & PG_MLOCKED, PG_MLOCKED);
	CHECK_EQ(vm_page_unwire(wired, PQ_NONE), true);
	vm_page_free(wired);
	for (unsigned slot = 0; slot < ns_topo.nslots; slot++)
		ns_vm_check(slot);
}

/* ThreadSanitizer's children may not start threads, the library's either. */
#ifdef __SANITIZE_THREAD__
#define ALONE true
#else
#define ALONE false
#endif

int
main(void)
{
	static struct machine one = { .limit = 64 << 20, .alone = ALONE };
	static struct machine three = { .nodes = 3,
					.limit = 16 << 20,
					.alone = ALONE };

	CASE(forks, &one);
	CASE(forks, &three);
	return test_done();
}
