/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Eight threads on two objects of which a quarter fits into memory, while the
 * daemon reclaims and writes, by a pager that fails, is late, and leaves
 * writes pending.
 *
 * The model is a shadow of each block: who changes a block, exclusively busy,
 * changes its shadow; who reads it, shared busy, finds the two equal.  A write
 * that were lost, a page that were two blocks at once, or one that were
 * dropped while it was dirty, would show.  In the end all that is dirty is
 * written, and the disk is the shadow.  And so it is in the children of forks
 * in the midst of it, for each page that no thread had in hand.
 */
#include "slab/slab.h"
#include "tests/vm/disk.h"

#define THREADS 8
#define BLOCKS  2000 /* of each object */
#define OWN     32
#ifdef TEST_SANITIZED
#define STEPS 6000
#define FORKS 5
#else
#define STEPS 60000
#define FORKS 30
#endif

#define N VM_ALLOC_NORMAL

static struct disk *disk[2];
static vm_object_t object[2];
static uint64_t shadow[2][BLOCKS]; /* [a] written exclusively busy */
static uint64_t stamp, found, changed, renamed; /* [a] */
static uint32_t stop;                           /* [a] */
static bool renames;                            /* [I] */

struct thread {
	pthread_t id;
	uint64_t rnd;
	size_t n;
	vm_page_t own[OWN];
};

static uint64_t
roll(struct thread *t, uint64_t sides)
{
	return test_random(&t->rnd) % sides;
}

/* The page as the program likes it, more or less often used. */
static void
use(struct thread *t, vm_page_t m)
{
	switch (roll(t, 8)) {
	case 0:
		vm_page_activate(m);
		break;
	case 1:
		vm_page_launder(m);
		break;
	case 2:
	case 3:
		vm_page_deactivate(m);
		break;
	default:
		if (ns_load_relaxed(&m->queue) == PQ_NONE)
			vm_page_deactivate(m);
		vm_page_reference(m);
	}
}

static void
read_one(struct thread *t, int i, vm_pindex_t at)
{
	vm_page_t m;

	if (vm_page_grab_valid_unlocked(&m, object[i], at,
					N | VM_ALLOC_SBUSY) != VM_PAGER_OK) {
		CHECK(errno == EIO);
		return;
	}
	CHECK_EQ(ns_load_relaxed(word_of(m)), ns_load_relaxed(&shadow[i][at]));
	use(t, m);
	vm_page_sunbusy(m);
	ns_add_relaxed(&found, 1);
}

static void
change_one(struct thread *t, int i, vm_pindex_t at)
{
	uint64_t value = ns_add_relaxed(&stamp, 1);
	vm_page_t m;

	if (vm_page_grab_valid_unlocked(&m, object[i], at, N) != VM_PAGER_OK)
		return;
	CHECK_EQ(ns_load_relaxed(word_of(m)), ns_load_relaxed(&shadow[i][at]));
	ns_store_relaxed(word_of(m), value);
	ns_store_relaxed(&shadow[i][at], value);
	vm_page_dirty(m);
	use(t, m);
	if (roll(t, 4) == 0)
		sched_yield();
	ns_add_relaxed(&changed, 1);
	vm_page_xunbusy(m);
}

/* Its changes are lost, and known to be. */
static void
free_one(int i, vm_pindex_t at)
{
	vm_page_t m = vm_page_grab_unlocked(
	    object[i], at, N | VM_ALLOC_NOCREAT | VM_ALLOC_NOWAIT);

	if (m == NULL)
		return;
	ns_store_relaxed(&shadow[i][at], ns_load_relaxed(&disk[i]->word[at]));
	VM_OBJECT_WLOCK(object[i]);
	vm_page_free(m);
	VM_OBJECT_WUNLOCK(object[i]);
}

/* To where no page is; the block it comes from is what the disk has. */
static void
rename_one(struct thread *t, int i, vm_pindex_t at)
{
	vm_pindex_t to = roll(t, BLOCKS);
	int j = (int)roll(t, 2);
	vm_page_t m;

	VM_OBJECT_WLOCK(object[0]);
	VM_OBJECT_WLOCK(object[1]);
	m = vm_page_lookup(object[i], at);
	if (m != NULL && vm_page_tryxbusy(m)) {
		if ((vm_page_flags(m) & PG_VALID) != 0 &&
		    vm_page_rename(m, object[j], to) == 0) {
			ns_store_relaxed(&shadow[j][to],
					 ns_load_relaxed(&shadow[i][at]));
			ns_store_relaxed(&shadow[i][at],
					 ns_load_relaxed(&disk[i]->word[at]));
			ns_add_relaxed(&renamed, 1);
		}
		vm_page_xunbusy(m);
	}
	VM_OBJECT_WUNLOCK(object[1]);
	VM_OBJECT_WUNLOCK(object[0]);
}

/* Pages without object, so that there are more and less. */
static void
press(struct thread *t)
{
	vm_page_t m;

	if (t->n < OWN && roll(t, 2) == 0) {
		m = vm_page_alloc_noobj(N | VM_ALLOC_WAITFAIL);
		if (m == NULL)
			return;
		*word_of(m) = (uintptr_t)m;
		t->own[t->n++] = m;
	} else if (t->n > 0) {
		m = t->own[--t->n];
		CHECK_EQ(*word_of(m), (uintptr_t)m);
		vm_page_free(m);
	}
}

static void *
work(void *arg)
{
	struct thread *t = arg;

	for (int step = 0; step < STEPS; step++) {
		uint64_t r = roll(t, 1000);
		vm_pindex_t at = roll(t, roll(t, 2) == 0 ? BLOCKS : 100);
		int i = (int)roll(t, 2);

		if (r < 600)
			read_one(t, i, at);
		else if (r < 850)
			change_one(t, i, at);
		else if (r < 880)
			free_one(i, at);
		else if (r < 910 && renames)
			rename_one(t, i, at);
		else if (r < 911)
			vm_object_page_clean(object[i], at, 0);
		else
			press(t);
	}
	while (t->n > 0)
		vm_page_free(t->own[--t->n]);
	return NULL;
}

/* The device: completes what is pending, and has its good and bad times. */
static void *
device(void *arg)
{
	static const int moods[] = { VM_PAGER_OK,   VM_PAGER_OK,
				     VM_PAGER_OK,   VM_PAGER_ERROR,
				     VM_PAGER_FAIL, VM_PAGER_AGAIN };
	uint32_t done[2] = { 0, 0 };
	uint64_t rnd = 77;

	while (ns_load_relaxed(&stop) == 0) {
		for (int i = 0; i < 2; i++) {
			struct disk *d = disk[i];

			disk_complete(d, &done[i]);
			if (test_random(&rnd) % 64 != 0)
				continue;
			ns_store_relaxed(&d->fails,
					 moods[test_random(&rnd) % 6]);
			ns_store_relaxed(&d->pends,
					 (int)(test_random(&rnd) % 2));
			ns_store_relaxed(
			    &d->gets_fail,
			    test_random(&rnd) % 8 == 0 ? VM_PAGER_ERROR : 0);
		}
		usleep(100);
	}
	for (int i = 0; i < 2; i++) {
		ns_store_relaxed(&disk[i]->fails, VM_PAGER_OK);
		ns_store_relaxed(&disk[i]->flaky, 0);
		ns_store_relaxed(&disk[i]->pends, 0);
		disk_complete(disk[i], &done[i]);
	}
	return arg;
}

static void
check_end(void)
{
	struct ns_vm_stat st;
	uint64_t reclaimed = 0, laundered = 0, failed = 0;

	for (int i = 0; i < 2; i++) {
		CHECK(vm_object_page_clean(object[i], 0, 0));
		for (vm_pindex_t at = 0; at < BLOCKS; at++)
			CHECK_EQ(disk[i]->word[at], shadow[i][at]);
		vm_object_destroy(object[i]);
	}
	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		ns_vm_check(s);
		ns_vm_stat(s, &st);
		CHECK_EQ(st.free + st.reserve, st.pages);
		reclaimed += st.work.reclaimed;
		laundered += st.work.laundered;
		failed += st.work.failed;
	}
	CHECK(found > 0 && changed > 0 && (renamed > 0) == renames);
	CHECK(reclaimed > 0 && laundered > 0 && failed > 0);
}

/* A block in a fork's child, if it is in memory and nobody had it in hand. */
static bool
check_in_child(int i, vm_pindex_t at)
{
	vm_page_t m = vm_page_grab_unlocked(
	    object[i], at,
	    N | VM_ALLOC_SBUSY | VM_ALLOC_NOCREAT | VM_ALLOC_NOWAIT);
	bool valid;

	if (m == NULL)
		return false;
	valid = (vm_page_flags(m) & PG_VALID) != 0;
	if (valid)
		CHECK_EQ(ns_load_relaxed(word_of(m)), shadow[i][at]);
	/* What is clean is on the disk; what was being written is dirty. */
	if (valid && (vm_page_flags(m) & PG_DIRTY) == 0)
		CHECK_EQ(disk[i]->word[at], shadow[i][at]);
	vm_page_sunbusy(m);
	return valid;
}

static void
in_child(void *arg)
{
	size_t n = 0;

	(void)arg;
	ns_options.purge_thread = 0; /* sanitizers allow no threads here */
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		ns_vm_check(s);
	for (int i = 0; i < 2; i++) {
		disk[i]->fails = disk[i]->flaky = disk[i]->gets_fail = 0;
		for (vm_pindex_t at = 0; at < BLOCKS; at++)
			n += check_in_child(i, at);
	}
	CHECK(n > 0);
	for (int k = 0; k < 1000; k++) {
		vm_page_t m = vm_page_alloc_noobj(N | VM_ALLOC_WAITFAIL);

		if (m != NULL)
			vm_page_free(m);
	}
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		ns_vm_check(s);
}

static void
fork_some(void)
{
	struct test_output out;

	while (ns_load_relaxed(&found) < 1000)
		sched_yield();
	for (int i = 0; i < FORKS; i++) {
		CHECK_MSG(run_child(in_child, NULL, &out) == 0, "%s", out.text);
		usleep(1000);
	}
}

static void
run(struct machine *mc, bool forks)
{
	static struct thread t[THREADS];
	pthread_t dev;

	boot(mc);
	renames = !forks;
	REQUIRE(!forks || ns_init() == 0);
	if (forks)
		ns_fork_init();
	for (size_t i = 0; i < 2; i++) {
		disk[i] = disk_new();
		object[i] = disk_object(disk[i], BLOCKS);
		disk[i]->flaky = 1;
		for (uint64_t at = 0; at < BLOCKS; at++)
			shadow[i][at] = at + 1;
	}
	stamp = 1000000;
	REQUIRE(pthread_create(&dev, NULL, device, NULL) == 0);
	for (size_t i = 0; i < THREADS; i++) {
		t[i].rnd = i + 1;
		REQUIRE(pthread_create(&t[i].id, NULL, work, &t[i]) == 0);
	}
	if (forks)
		fork_some();
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(t[i].id, NULL);
	ns_store_relaxed(&stop, 1u);
	pthread_join(dev, NULL);
	check_end();
}

static void
threads(void *arg)
{
	run(arg, false);
}

static void
forks(void *arg)
{
	run(arg, true);
}

int
main(void)
{
	static struct machine machines[] = {
		{ .limit = 4 << 20 },
		{ .limit = 3 << 20, .nodes = 2 },
		{ .limit = 16 << 20, .page_size = 16384 },
		{ .limit = 4 << 20, .alone = true },
	};

	for (size_t i = 0; i < NS_ARRAY_LEN(machines); i++)
		CASE(threads, &machines[i]);
	for (size_t i = 0; i < NS_ARRAY_LEN(machines); i++)
		CASE(forks, &machines[i]);
	return test_done();
}
