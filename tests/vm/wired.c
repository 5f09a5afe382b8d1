/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wired pages: counted, locked in memory where the kernel allows it and
 * truthfully flagged where it does not, however many threads wire at once.
 */
#include "tests/vm/vm_test.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define WIRED (NORMAL | VM_ALLOC_WIRED)

/* In front of the sanitizers', which do nothing. */
int
mlock(const void *addr, size_t size)
{
	return (int)syscall(SYS_mlock, addr, size);
}

int
munlock(const void *addr, size_t size)
{
	return (int)syscall(SYS_munlock, addr, size);
}

/* "VmLck:" of this process, in bytes: what the kernel says is locked. */
static size_t
locked_bytes(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char text[256];
	size_t kib = 0;

	REQUIRE(f != NULL);
	while (fgets(text, sizeof(text), f) != NULL)
		if (sscanf(text, "VmLck: %zu kB", &kib) == 1)
			break;
	fclose(f);
	return kib << 10;
}

/* Some ordinary user: root may lock whatever the limit is. */
static void
limit_locked(rlim_t bytes)
{
	struct rlimit rl = { bytes, bytes };

	REQUIRE(setrlimit(RLIMIT_MEMLOCK, &rl) == 0);
	if (geteuid() == 0)
		REQUIRE(setuid(65534) == 0);
}

static void
granted(void *arg)
{
	size_t before, p;
	vm_page_t m, w;

	boot(arg);
	p = vm_page_size();
	m = vm_page_alloc(NULL, 0, NORMAL);
	REQUIRE(m != NULL);
	before = locked_bytes();
	CHECK(!vm_page_wired(m));
	CHECK_EQ(vm_page_flags(m) & PG_MLOCKED, 0);

	w = vm_page_alloc(NULL, 0, WIRED);
	REQUIRE(w != NULL);
	CHECK(vm_page_wired(w));
	CHECK_EQ(vm_page_flags(w) & PG_MLOCKED, PG_MLOCKED);
	CHECK_EQ(locked_bytes(), before + p);
	vm_page_wire(m);
	vm_page_wire(m);
	CHECK_EQ(locked_bytes(), before + 2 * p);
	CHECK_EQ(vm_page_unwire(m, PQ_NONE), false);
	CHECK(vm_page_wired(m));
	CHECK_EQ(locked_bytes(), before + 2 * p);
	CHECK_EQ(vm_page_unwire(m, PQ_NONE), true);
	CHECK(!vm_page_wired(m));
	CHECK_EQ(vm_page_flags(m) & PG_MLOCKED, 0);
	CHECK_EQ(locked_bytes(), before + p);
	CHECK_EQ(vm_page_unwire(w, PQ_NONE), true);
	CHECK_EQ(locked_bytes(), before);
	vm_page_free(m);
	vm_page_free(w);
	ns_vm_check(0);
}

/* No page of this process may be locked. */
static void
refused(void *arg)
{
	vm_page_t m;

	limit_locked(0);
	boot(arg);
	errno = 0;
	m = vm_page_alloc(NULL, 0, WIRED);
	REQUIRE(m != NULL);
	CHECK_EQ(errno, 0);
	CHECK(vm_page_wired(m));
	CHECK_EQ(vm_page_flags(m) & PG_MLOCKED, 0);
	CHECK_EQ(locked_bytes(), 0);
	vm_page_wire(m);
	CHECK_EQ(vm_page_flags(m) & PG_MLOCKED, 0);
	CHECK_EQ(vm_page_unwire(m, PQ_NONE), false);
	CHECK_EQ(vm_page_unwire(m, PQ_NONE), true);
	CHECK_EQ(errno, 0);
	vm_page_free(m);
}

/* The limit is in the middle of the pages that are asked for. */
static void
partly_granted(void *arg)
{
	size_t p, some = 0;
	vm_page_t m[8];

	limit_locked(4 * 4096);
	boot(arg);
	p = vm_page_size();
	for (int i = 0; i < 8; i++) {
		m[i] = vm_page_alloc(NULL, 0, WIRED);
		REQUIRE(m[i] != NULL);
		some += (vm_page_flags(m[i]) & PG_MLOCKED) != 0;
	}
	CHECK_EQ(some, 4 * 4096 / p);
	CHECK_EQ(locked_bytes(), some * p);
	/* Room again: the next wiring asks the kernel again. */
	CHECK_EQ(vm_page_unwire(m[0], PQ_NONE), true);
	vm_page_wire(m[7]);
	CHECK_EQ(vm_page_flags(m[7]) & PG_MLOCKED, PG_MLOCKED);
	CHECK_EQ(vm_page_unwire(m[7], PQ_NONE), false);
	for (int i = 1; i < 8; i++)
		CHECK_EQ(vm_page_unwire(m[i], PQ_NONE), true);
	CHECK_EQ(locked_bytes(), 0);
}

/* INTERRUPT does not wait for the kernel: wired in the books. */
static void
interrupt(void *arg)
{
	size_t before;
	vm_page_t m;

	boot(arg);
	vm_page_free(vm_page_alloc(NULL, 0, NORMAL));
	before = locked_bytes();
	m = vm_page_alloc(NULL, 0, INTERRUPT | VM_ALLOC_WIRED);
	REQUIRE(m != NULL);
	CHECK(vm_page_wired(m));
	CHECK_EQ(vm_page_flags(m) & PG_MLOCKED, 0);
	CHECK_EQ(locked_bytes(), before);
	vm_page_wire(m);
	CHECK_EQ(vm_page_flags(m) & PG_MLOCKED, PG_MLOCKED);
	CHECK_EQ(vm_page_unwire(m, PQ_NONE), false);
	CHECK_EQ(vm_page_unwire(m, PQ_NONE), true);
	CHECK_EQ(locked_bytes(), before);
	vm_page_free(m);
}

static vm_page_t shared[4];

static void *
wire_and_unwire(void *arg)
{
	uint64_t rnd = (uintptr_t)arg;

	for (int i = 0; i < 3000; i++) {
		vm_page_t m = shared[test_random(&rnd) % 4];

		vm_page_wire(m);
		CHECK(vm_page_wired(m));
		CHECK_EQ(vm_page_flags(m) & PG_MLOCKED, PG_MLOCKED);
		vm_page_unwire(m, PQ_NONE);
	}
	return NULL;
}

/* Whoever comes first and last, a wired page is locked. */
static void
at_once(void *arg)
{
	pthread_t thread[4];
	size_t before;

	boot(arg);
	before = locked_bytes();
	for (int i = 0; i < 4; i++) {
		shared[i] = vm_page_alloc(NULL, 0, NORMAL);
		REQUIRE(shared[i] != NULL);
	}
	for (uintptr_t i = 0; i < 4; i++)
		REQUIRE(pthread_create(&thread[i], NULL, wire_and_unwire,
				       (void *)(i + 1)) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	CHECK_EQ(locked_bytes(), before);
	for (int i = 0; i < 4; i++) {
		CHECK(!vm_page_wired(shared[i]));
		CHECK_EQ(vm_page_flags(shared[i]) & PG_MLOCKED, 0);
		vm_page_free(shared[i]);
	}
}

int
main(void)
{
	static struct machine one = { .limit = 0 };
	static struct machine large = { .page_size = 16384 };

	CASE(granted, &one);
	CASE(granted, &large);
	CASE(refused, &one);
	CASE(partly_granted, &one);
	CASE(interrupt, &one);
	CASE(at_once, &one);
	return test_done();
}
