/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a look of the page daemon does with the pages of a node that is short.
 * No daemon runs: the test does its work.
 */
#include "tests/vm/disk.h"

#include <limits.h>

#define N VM_ALLOC_NORMAL

/* The page is used once more. */
static void
use(vm_object_t o, vm_pindex_t at)
{
	VM_OBJECT_RLOCK(o);
	vm_page_reference(vm_page_lookup(o, at));
	VM_OBJECT_RUNLOCK(o);
}

/*
 * A node with nothing left but @count pages of an object, from index 0 on,
 * which are valid, not busy, and dirty if asked for.
 */
static vm_object_t
full_node(struct disk *d, vm_pindex_t *count, bool dirty)
{
	vm_object_t o = disk_object(d, DISK_BLOCKS);
	vm_pindex_t at;
	vm_page_t m;

	VM_OBJECT_WLOCK(o);
	for (at = 0; (m = vm_page_alloc(o, at, N)) != NULL; at++) {
		*word_of(m) = 1000000 + at;
		vm_page_valid(m);
		if (dirty)
			vm_page_dirty(m);
		vm_page_xunbusy(m);
	}
	VM_OBJECT_WUNLOCK(o);
	CHECK_EQ(errno, ENOMEM);
	*count = at;
	return o;
}

/* All of the daemon's work that can be done at once. */
static void
work(void)
{
	static struct ns_vm_writer w;
	enum ns_vm_verdict verdict;

	while ((verdict = ns_vm_pageout(&ns_vm_nodes[0], &w)) == NS_VM_WRITE)
		ns_vm_write(&w);
	ns_vm_check(0);
}

static struct ns_vm_stat
stat_now(void)
{
	struct ns_vm_stat st;

	ns_vm_stat(0, &st);
	return st;
}

static void
queue_all(vm_object_t o, vm_pindex_t count, uint8_t queue)
{
	VM_OBJECT_WLOCK(o);
	for (vm_pindex_t i = 0; i < count; i++)
		disk_queue(vm_page_lookup(o, i), queue);
	VM_OBJECT_WUNLOCK(o);
}

/* What a program sees is what the library counts. */
static void
figures(void *arg)
{
	struct disk *d = disk_new();
	struct vm_domain_stat v;
	struct ns_vm_stat st;
	vm_pindex_t count;
	vm_object_t o;

	boot(arg);
	o = full_node(d, &count, true);
	queue_all(o, count / 4, PQ_INACTIVE);
	queue_all(o, count / 8, PQ_ACTIVE);
	d->fails = VM_PAGER_ERROR;
	work();
	d->fails = VM_PAGER_OK;
	ns_store_relaxed(&o->launder_at, 0);
	for (vm_pindex_t i = 0; i < count; i += 16)
		use(o, i);
	work();
	work();
	st = stat_now();
	CHECK_EQ(vm_domain_stat(ns_topo.node_of_slot[0], &v), 0);
	CHECK_EQ(v.domain, ns_topo.node_of_slot[0]);
	CHECK_EQ(v.page_count,
		 v.free_count + v.cache_count + vm_object_resident(o));
	CHECK_EQ(v.free_count, st.free + st.reserve);
	CHECK_EQ(v.cache_count, st.cached);
	CHECK_EQ(v.active_count, st.queued[PQ_ACTIVE]);
	CHECK_EQ(v.inactive_count, st.queued[PQ_INACTIVE]);
	CHECK_EQ(v.laundry_count, st.queued[PQ_LAUNDRY]);
	CHECK(v.interrupt_free_min < v.free_min && v.free_min < v.free_target);
	CHECK_EQ(v.laundered, d->writes);
	CHECK(v.failed > 0 && v.reactivated > 0 && v.deactivated > 0);
	CHECK(v.scanned >= v.reclaimed && v.reclaimed > 0);
	CHECK_EQ(v.evicted + v.cache_count, v.reclaimed);
	CHECK_EQ(v.denied, 1);
	/* Numbers of which no two are the same. */
	ns_vm_nodes[0].spilled = 1001;
	ns_vm_nodes[0].zero_asked = 3000;
	ns_vm_nodes[0].zero_given = 2000;
	ns_vm_nodes[0].zero_made = 4000;
	st = stat_now();
	CHECK_EQ(vm_domain_stat(ns_topo.node_of_slot[0], &v), 0);
	CHECK_EQ(v.zero_asked, st.zero_asked);
	CHECK_EQ(v.zero_given, st.zero_given);
	CHECK_EQ(v.zeroed, st.zero_made);
	CHECK_EQ(v.spilled, 1001);
	CHECK_EQ(v.free_min, st.low);
	CHECK_EQ(v.interrupt_free_min, st.interrupt);
	CHECK_EQ(v.free_target, st.target);
	CHECK_EQ(v.scanned, st.work.scanned);
	CHECK_EQ(v.deactivated, st.work.deactivated);
	CHECK_EQ(v.reactivated, st.work.reactivated);
	CHECK_EQ(v.failed, st.work.failed);
	CHECK_ERRNO(vm_domain_stat(-1, &v), -1, EINVAL);
	CHECK_ERRNO(vm_domain_stat(5000, &v), -1, EINVAL);
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

/* Pages in no queue are left alone, whatever the need. */
static void
left_alone(void *arg)
{
	struct disk *d = disk_new();
	vm_pindex_t count;
	vm_object_t o;

	boot(arg);
	o = full_node(d, &count, false);
	work();
	CHECK_EQ(vm_object_resident(o), count);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL), NULL, ENOMEM);
	vm_object_destroy(o);
	free(d);
}

/*
 * Clean inactive pages go, oldest first, until the targets are met; those
 * that are referenced, busy or wired stay, and so do all of an object that is
 * locked.  What is cached comes back with its contents.
 */
static void
reclaiming(void *arg)
{
	struct disk *d = disk_new();
	struct ns_vm_stat st;
	vm_pindex_t count, i, gone = 0;
	uint64_t target;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = full_node(d, &count, false);
	queue_all(o, count, PQ_INACTIVE);
	VM_OBJECT_RLOCK(o);
	work();
	CHECK_EQ(vm_object_resident(o), count);
	VM_OBJECT_RUNLOCK(o);

	use(o, 1);
	vm_page_xbusy(vm_page_lookup(o, 2));
	vm_page_sbusy(vm_page_lookup(o, 3));
	VM_OBJECT_RLOCK(o);
	vm_page_wire(vm_page_lookup(o, 4));
	VM_OBJECT_RUNLOCK(o);
	work();
	st = stat_now();
	target = ns_vm_target(&ns_vm_nodes[0]);
	CHECK(st.free + st.reserve >= target);
	CHECK(st.free + st.reserve + st.cached >= 2 * target);
	CHECK(st.work.reclaimed > 0 && st.work.scanned > 0);
	CHECK_EQ(st.work.reactivated, 1);
	CHECK_EQ(vm_object_resident(o), count - st.work.reclaimed);
	CHECK(vm_page_active(vm_page_lookup(o, 1)));
	CHECK_EQ(vm_page_flags(vm_page_lookup(o, 1)) & PG_REFERENCED, 0);
	for (i = 2; i < 4; i++)
		CHECK(vm_page_inactive(vm_page_lookup(o, i)));
	CHECK_EQ(vm_page_lookup(o, 4)->queue, PQ_NONE);
	/* What is gone are the first ones; the last of them are cached. */
	VM_OBJECT_WLOCK(o);
	for (i = 5; i < count && vm_page_lookup(o, i) == NULL; i++)
		gone = i;
	CHECK_EQ(gone, st.work.reclaimed + 3);
	for (; i < count; i++)
		CHECK(vm_page_lookup(o, i) != NULL);
	m = vm_page_alloc(o, gone, N | VM_ALLOC_IFCACHED);
	REQUIRE(m != NULL);
	CHECK_EQ(*word_of(m), 1000000 + gone);
	CHECK_EQ(vm_page_flags(m) & PG_VALID, PG_VALID);
	vm_page_free(m);
	CHECK_ERRNO(vm_page_alloc(o, 5, N | VM_ALLOC_IFCACHED), NULL, ENOENT);
	vm_page_xunbusy(vm_page_lookup(o, 2));
	vm_page_sunbusy(vm_page_lookup(o, 3));
	vm_page_unwire(vm_page_lookup(o, 4), PQ_NONE);
	VM_OBJECT_WUNLOCK(o);
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

/* Active pages lose to those that are used; a second chance for each. */
static void
aging(void *arg)
{
	struct disk *d = disk_new();
	vm_pindex_t count, i, hot = 0;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = full_node(d, &count, false);
	queue_all(o, count, PQ_ACTIVE);
	for (int round = 0; round < 20 && vm_object_resident(o) == count;
	     round++) {
		for (i = 0; i < count; i += 4)
			use(o, i);
		work();
	}
	CHECK(vm_object_resident(o) < count);
	for (i = 0; i < count; i += 4)
		hot += vm_page_lookup(o, i) != NULL;
	CHECK_EQ(hot, (count + 3) / 4);
	CHECK(stat_now().work.deactivated > 0);
	/* Used no more, they go as well. */
	for (int round = 0; round < 100 && vm_object_resident(o) > count / 8;
	     round++) {
		m = vm_page_alloc(NULL, 0, NORMAL);
		REQUIRE(m != NULL);
		work();
	}
	vm_object_destroy(o);
	free(d);
}

/* The kernel gives no more, without any limit of ours; and then it does. */
static void
refused_memory(void *arg)
{
	struct disk *d = disk_new();
	struct ns_vm_stat st;
	vm_object_t o;
	vm_pindex_t at;
	vm_page_t m;

	boot(arg);
	o = disk_object(d, DISK_BLOCKS);
	for (at = 0; at < 2000; at++)
		vm_page_xunbusy(disk_page(o, at));
	ns_os_inject(NS_OS_COMMIT, ENOMEM, 0, UINT_MAX);
	VM_OBJECT_WLOCK(o);
	for (; (m = vm_page_alloc(o, at, N)) != NULL; at++) {
		vm_page_valid(m);
		vm_page_xunbusy(m);
	}
	VM_OBJECT_WUNLOCK(o);
	queue_all(o, at, PQ_INACTIVE);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL), NULL, ENOMEM);
	work();
	st = stat_now();
	CHECK(st.work.reclaimed > 0);
	CHECK(st.free + st.reserve >= st.target);
	CHECK(vm_page_alloc(NULL, 0, NORMAL) != NULL);
	/* It is asked again before anything else is taken. */
	ns_os_inject(NS_OS_COMMIT, 0, 0, 0);
	while (stat_now().free + stat_now().reserve >= st.target)
		REQUIRE(vm_page_alloc(NULL, 0, NORMAL) != NULL);
	work();
	CHECK_EQ(stat_now().work.reclaimed, st.work.reclaimed);
	CHECK(stat_now().pages > st.pages);
	vm_object_destroy(o);
	free(d);
}

/* All pages are used all the time: there is still room for one more. */
static uint32_t stop; /* [a] */

static void *
hammer(void *arg)
{
	vm_object_t o = arg;
	vm_page_t m;

	while (ns_load_relaxed(&stop) == 0)
		for (vm_pindex_t at = 0; at < 2000; at++) {
			m = vm_page_grab_unlocked(o, at,
						  N | VM_ALLOC_SBUSY |
						      VM_ALLOC_NOCREAT |
						      VM_ALLOC_NOWAIT);
			if (m == NULL)
				continue;
			vm_page_activate(m);
			vm_page_reference(m);
			vm_page_sunbusy(m);
		}
	return NULL;
}

static void
all_hot(void *arg)
{
	struct disk *d = disk_new();
	pthread_t thread;
	vm_pindex_t count;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = full_node(d, &count, true);
	queue_all(o, count, PQ_ACTIVE);
	REQUIRE(pthread_create(&thread, NULL, hammer, o) == 0);
	for (vm_pindex_t at = count; at < count + 500; at++) {
		m = disk_page(o, at);
		if (at % 2 == 0)
			vm_page_dirty(m);
		vm_page_activate(m);
		vm_page_xunbusy(m);
	}
	ns_store_relaxed(&stop, 1u);
	pthread_join(thread, NULL);
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

/* Dirty pages are written, in clusters, before they go; none without. */
static void
laundering(void *arg)
{
	struct disk *d = disk_new();
	struct ns_vm_stat st;
	vm_pindex_t count, i;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = full_node(d, &count, true);
	queue_all(o, count, PQ_INACTIVE);
	work();
	st = stat_now();
	CHECK(d->writes > 0);
	CHECK_EQ(st.work.laundered, d->writes);
	CHECK_EQ(st.work.failed, 0);
	CHECK(d->calls <=
	      d->writes / ns_max(NS_VM_CLUSTER / ns_page_size, 1) + 2);
	CHECK(st.free + st.reserve >= ns_vm_target(&ns_vm_nodes[0]));
	for (i = 0; i < count; i++) {
		m = vm_page_lookup(o, i);
		if (m == NULL || (vm_page_flags(m) & PG_DIRTY) == 0)
			CHECK_EQ(d->word[i], 1000000 + i);
		else
			CHECK_EQ(d->word[i], i + 1);
		CHECK(m == NULL || !vm_page_busied(m));
	}
	/* All of it is found again. */
	for (i = 0; i < count; i++) {
		CHECK_EQ(vm_page_grab_valid_unlocked(&m, o, i, N), VM_PAGER_OK);
		if (m == NULL)
			break;
		CHECK_EQ(*word_of(m), 1000000 + i);
		vm_page_launder(m);
		vm_page_xunbusy(m);
		if (i % 16 == 0)
			work();
	}
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

/* What cannot be written is not dropped, and not tried again at once. */
static void
failing(void *arg)
{
	static const int status[] = { VM_PAGER_ERROR, VM_PAGER_FAIL,
				      VM_PAGER_AGAIN };
	struct disk *d = disk_new();
	uint64_t calls;
	vm_pindex_t count, i;
	vm_object_t o;

	boot(arg);
	o = full_node(d, &count, true);
	queue_all(o, count, PQ_LAUNDRY);
	for (size_t k = 0; k < NS_ARRAY_LEN(status); k++) {
		d->fails = status[k];
		calls = d->calls;
		ns_store_relaxed(&o->launder_at, 0);
		work();
		CHECK(d->calls > calls && d->calls <= calls + 3);
		CHECK_EQ(vm_object_resident(o), count);
		for (i = 0; i < count; i++) {
			vm_page_t m = vm_page_lookup(o, i);

			REQUIRE(m != NULL);
			CHECK(vm_page_flags(m) & PG_DIRTY);
			CHECK(!vm_page_busied(m));
			CHECK_EQ(*word_of(m), 1000000 + i);
			CHECK_EQ(d->word[i], i + 1);
		}
	}
	/* The device is well again. */
	d->fails = VM_PAGER_OK;
	ns_store_relaxed(&o->launder_at, 0);
	for (int round = 0; round < 10; round++)
		work();
	CHECK(vm_object_resident(o) < count);
	for (i = 0; i < count; i++)
		if (vm_page_lookup(o, i) == NULL)
			CHECK_EQ(d->word[i], 1000000 + i);
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

/* Without pager dirty pages are laid aside, until they are clean. */
static void
unswappable(void *arg)
{
	struct vm_object_attr attr = { .size = DISK_BLOCKS,
				       .domain = VM_DOMAIN_HOME };
	struct disk *d = disk_new();
	vm_object_t o, p;
	vm_pindex_t at;
	vm_page_t m;

	boot(arg);
	o = vm_object_create(&attr);
	p = disk_object(d, 10);
	VM_OBJECT_WLOCK(o);
	for (at = 0; (m = vm_page_alloc(o, at, N)) != NULL; at++) {
		vm_page_dirty(m);
		vm_page_launder(m);
		vm_page_xunbusy(m);
	}
	VM_OBJECT_WUNLOCK(o);
	work();
	CHECK_EQ(vm_object_resident(o), at);
	CHECK_EQ(stat_now().queued[NS_VM_PQ_UNSWAPPABLE], at);
	/* One that gets a pager is written like others. */
	VM_OBJECT_WLOCK(o);
	VM_OBJECT_WLOCK(p);
	m = vm_page_lookup(o, --at);
	vm_page_xbusy(m);
	*word_of(m) = 4711;
	CHECK_EQ(vm_page_rename(m, p, 7), 0);
	CHECK_EQ(m->queue, PQ_LAUNDRY);
	vm_page_xunbusy(m);
	VM_OBJECT_WUNLOCK(p);
	VM_OBJECT_WUNLOCK(o);
	work();
	CHECK_EQ(d->word[7], 4711);
	for (vm_pindex_t i = 0; i < at; i++) {
		m = vm_page_lookup(o, i);
		CHECK(vm_page_in_laundry(m));
		vm_page_xbusy(m);
		vm_page_undirty(m);
		CHECK(vm_page_inactive(m));
		vm_page_xunbusy(m);
	}
	work();
	CHECK(vm_object_resident(o) < at);
	vm_object_destroy(o);
	vm_object_destroy(p);
	ns_vm_check(0);
	free(d);
}

/*
 * Who waits for memory reclaims clean pages itself, and where no daemon may
 * be has dirty ones written.
 */
static void
helping(void *arg)
{
	const struct ns_vm_place home = { .slot = NS_NO_SLOT };
	struct disk *d = disk_new();
	vm_pindex_t count;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = full_node(d, &count, false);
	queue_all(o, count / 2, PQ_INACTIVE);
	CHECK_ERRNO(vm_page_alloc(NULL, 0, NORMAL), NULL, ENOMEM);
	CHECK_ERRNO(
	    vm_page_alloc_noobj(N | VM_ALLOC_WAITFAIL | VM_ALLOC_NORECLAIM),
	    NULL, ENOMEM);
	CHECK_EQ(vm_object_resident(o), count);
	m = vm_page_alloc_noobj(N | VM_ALLOC_WAITOK);
	REQUIRE(m != NULL);
	vm_page_free(m);
	CHECK(vm_object_resident(o) < count);
	/* The same by a grab in the very object, whose lock it drops. */
	for (vm_pindex_t i = count; i < count + 100; i++)
		vm_page_xunbusy(disk_page(o, i));
	vm_object_destroy(o);

	o = full_node(d, &count, true);
	queue_all(o, count, PQ_LAUNDRY);
	CHECK_EQ(d->writes, 0);
	vm_page_xunbusy(disk_page(o, count));
	CHECK(d->writes > 0);
	/* A pager that waits does not call pagers. */
	vm_pager_thread(true);
	while (ns_vm_help(&home))
		;
	d->writes = 0;
	CHECK_EQ(ns_vm_help(&home), false);
	CHECK_EQ(d->writes, 0);
	vm_pager_thread(false);
	while (vm_page_alloc(NULL, 0, NORMAL) != NULL)
		;
	vm_wait(o);
	CHECK(d->writes > 0);
	CHECK(vm_page_alloc(NULL, 0, NORMAL) != NULL);
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

int
main(void)
{
	static struct machine one = { .alone = true };
	static struct machine small[] = {
		{ .alone = true, .limit = 4 << 20 },
		{ .alone = true, .limit = 16 << 20, .page_size = 16384 },
	};

	CASE(refused_memory, &one);
	for (size_t i = 0; i < NS_ARRAY_LEN(small); i++) {
		CASE(figures, &small[i]);
		CASE(left_alone, &small[i]);
		CASE(reclaiming, &small[i]);
		CASE(aging, &small[i]);
		CASE(all_hot, &small[i]);
		CASE(laundering, &small[i]);
		CASE(failing, &small[i]);
		CASE(unswappable, &small[i]);
		CASE(helping, &small[i]);
	}
	return test_done();
}
