/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pagers: what each call does for each answer of a pager, in each state of a
 * page.  No daemon runs here.
 */
#include "tests/vm/disk.h"

#define N VM_ALLOC_NORMAL

static vm_page_t
new_page(vm_object_t o, vm_pindex_t at)
{
	vm_page_t m = vm_page_grab_unlocked(o, at, N);

	REQUIRE(m != NULL);
	return m;
}

static int
flags(vm_page_t m)
{
	return vm_page_flags(m) & (PG_VALID | PG_DIRTY);
}

static void
drop(vm_object_t o, vm_page_t m)
{
	VM_OBJECT_WLOCK(o);
	vm_page_free(m);
	VM_OBJECT_WUNLOCK(o);
}

static void
has_page(void *arg)
{
	struct vm_object_attr attr = { .size = 10, .domain = VM_DOMAIN_HOME };
	struct pagerops some = disk_ops;
	struct disk *d = disk_new();
	int before = 7, after = 7;
	vm_object_t o;

	boot(arg);
	d->blocks = 5;
	o = disk_object(d, 10);
	CHECK(vm_pager_has_page(o, 0, NULL, NULL));
	CHECK(vm_pager_has_page(o, 3, &before, &after));
	CHECK_EQ(before, 3);
	CHECK_EQ(after, 1);
	CHECK(!vm_pager_has_page(o, 5, &before, &after));
	CHECK(!vm_pager_has_page(o, 10, NULL, NULL));
	vm_object_destroy(o);

	/* Without an answer there is each block of the object, alone. */
	some.pgo_haspage = NULL;
	attr.pager = &some;
	o = vm_object_create(&attr);
	before = after = 7;
	CHECK(vm_pager_has_page(o, 9, &before, &after));
	CHECK(before == 0 && after == 0);
	CHECK(!vm_pager_has_page(o, 10, NULL, NULL));
	vm_object_destroy(o);
	attr.pager = NULL;
	o = vm_object_create(&attr);
	CHECK(!vm_pager_has_page(o, 0, NULL, NULL));
	vm_object_destroy(o);
	free(d);
}

static void
reading(void *arg)
{
	struct disk *d = disk_new();
	vm_page_t m[4];
	vm_object_t o;

	boot(arg);
	o = disk_object(d, 100);
	for (vm_pindex_t i = 0; i < 4; i++)
		m[i] = new_page(o, 10 + i);
	CHECK_EQ(vm_pager_get_pages(o, m, 4, NULL, NULL), VM_PAGER_OK);
	for (uint64_t i = 0; i < 4; i++) {
		CHECK_EQ(*word_of(m[i]), 11 + i);
		CHECK_EQ(flags(m[i]), PG_VALID);
		CHECK(vm_page_xbusied(m[i]));
		drop(o, m[i]);
	}
	/* What fails is not valid, and the caller's still. */
	m[0] = new_page(o, 20);
	d->gets_fail = VM_PAGER_ERROR;
	CHECK_EQ(vm_pager_get_pages(o, m, 1, NULL, NULL), VM_PAGER_ERROR);
	CHECK_EQ(flags(m[0]), 0);
	CHECK(vm_page_xbusied(m[0]));
	d->gets_fail = VM_PAGER_OK;
	/* Read again, it is clean again. */
	vm_page_dirty(m[0]);
	CHECK_EQ(vm_pager_get_pages(o, m, 1, NULL, NULL), VM_PAGER_OK);
	CHECK_EQ(flags(m[0]), PG_VALID);
	vm_page_xunbusy(m[0]);
	CHECK_EQ(vm_object_resident(o), 1);
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

static void
read_ahead(void *arg)
{
	struct disk *d = disk_new();
	int behind = 3, ahead = 5;
	vm_page_t m[2], k;
	vm_object_t o;

	boot(arg);
	d->blocks = 17;
	o = disk_object(d, 100);
	/* A page that is there ends it: 8.  So does the last block: 16. */
	vm_page_xunbusy(new_page(o, 8));
	m[0] = new_page(o, 10);
	m[1] = new_page(o, 11);
	CHECK_EQ(vm_pager_get_pages(o, m, 2, &behind, &ahead), VM_PAGER_OK);
	CHECK_EQ(behind, 1);
	CHECK_EQ(ahead, 5);
	CHECK_EQ(d->reads, 8);
	for (vm_pindex_t i = 9; i <= 16; i++) {
		k = vm_page_lookup(o, i);
		REQUIRE(k != NULL);
		CHECK_EQ(flags(k), PG_VALID);
		CHECK_EQ(*word_of(k), i + 1);
		CHECK_EQ(vm_page_busied(k), i == 10 || i == 11);
		CHECK_EQ(vm_page_inactive(k), i != 10 && i != 11);
	}
	CHECK_EQ(vm_page_lookup(o, 7), NULL);
	CHECK_EQ(vm_page_lookup(o, 17), NULL);
	drop(o, m[0]);
	drop(o, m[1]);

	/* At the ends of the object, and with more than a call takes. */
	m[0] = new_page(o, 0);
	behind = ahead = 1000;
	CHECK_EQ(vm_pager_get_pages(o, m, 1, &behind, &ahead), VM_PAGER_OK);
	CHECK_EQ(behind, 0);
	CHECK_EQ(ahead, 7);
	/* None of it stays when it fails. */
	m[1] = new_page(o, 11);
	behind = ahead = 1;
	d->gets_fail = VM_PAGER_ERROR;
	CHECK_EQ(vm_pager_get_pages(o, m + 1, 1, &behind, &ahead),
		 VM_PAGER_ERROR);
	CHECK(behind == 0 && ahead == 0);
	CHECK_EQ(vm_page_lookup(o, 10), NULL);
	vm_page_xunbusy(m[0]);
	vm_page_xunbusy(m[1]);
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

/* As many as a call takes of others, but any number of the caller's. */
static void
read_many(void *arg)
{
	static const int counts[] = { 1, 63, 64, 65, 200 };
	struct disk *d = disk_new();
	vm_page_t m[200];
	vm_object_t o;

	boot(arg);
	for (size_t i = 0; i < NS_ARRAY_LEN(counts); i++) {
		int n = counts[i], behind = 70, ahead = 70;
		int extra = n < 64 ? 64 - n : 0;

		o = disk_object(d, 1000);
		for (int k = 0; k < n; k++)
			m[k] = new_page(o, 300 + (vm_pindex_t)k);
		CHECK_EQ(vm_pager_get_pages(o, m, n, &behind, &ahead),
			 VM_PAGER_OK);
		CHECK_EQ(ahead, extra);
		CHECK_EQ(behind, 0);
		for (int k = 0; k < n; k++)
			CHECK_EQ(*word_of(m[k]), 301 + (uint64_t)k);
		CHECK_EQ(vm_object_resident(o), (uint64_t)(n + extra));
		behind = ahead = -3; /* that is none */
		CHECK_EQ(vm_pager_get_pages(o, m, n, &behind, &ahead),
			 VM_PAGER_OK);
		CHECK_EQ(vm_object_resident(o), (uint64_t)(n + extra));
		for (int k = 0; k < n; k++)
			vm_page_xunbusy(m[k]);
		vm_object_destroy(o);
	}
	ns_vm_check(0);
	free(d);
}

/* Each answer of a pager, for a page of the laundry. */
static void
writing(void *arg)
{
	static const struct {
		int status, flags;
		uint8_t queue;
	} want[] = {
		{ VM_PAGER_OK, PG_VALID, PQ_INACTIVE },
		{ VM_PAGER_BAD, PG_VALID, PQ_INACTIVE },
		{ VM_PAGER_FAIL, PG_VALID | PG_DIRTY, PQ_ACTIVE },
		{ VM_PAGER_ERROR, PG_VALID | PG_DIRTY, PQ_ACTIVE },
		{ VM_PAGER_AGAIN, PG_VALID | PG_DIRTY, PQ_LAUNDRY },
	};
	struct disk *d = disk_new();
	struct ns_vm_stat st;
	int rtvals[2];
	vm_page_t m[2];
	vm_object_t o;

	boot(arg);
	o = disk_object(d, 100);
	for (size_t i = 0; i < NS_ARRAY_LEN(want); i++) {
		for (vm_pindex_t k = 0; k < 2; k++) {
			m[k] = new_page(o, 2 * i + k);
			*word_of(m[k]) = 1000 + i;
			vm_page_dirty(m[k]);
			vm_page_busy_downgrade(m[k]);
		}
		vm_page_launder(m[0]);
		d->fails = want[i].status;
		vm_pager_put_pages(o, m, 2, 0, rtvals);
		for (size_t k = 0; k < 2; k++) {
			CHECK_EQ(rtvals[k], want[i].status);
			CHECK_EQ(flags(m[k]), want[i].flags);
			CHECK(vm_page_sbusied(m[k]));
			vm_page_sunbusy(m[k]);
		}
		CHECK_EQ(m[0]->queue, want[i].queue);
		CHECK_EQ(m[1]->queue, PQ_NONE);
		CHECK_EQ(d->word[2 * i], i == 0 ? 1000 : 2 * i + 1);
	}
	ns_vm_stat(0, &st);
	CHECK_EQ(st.work.laundered, 4);
	CHECK_EQ(st.work.failed, 6);
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

/* A page that a sharer changes while it is written stays dirty. */
static void
changing(vm_object_t o, vm_page_t *ma, int count, int flags, int *rtvals)
{
	disk_put(o, ma, count, flags, rtvals);
	for (int i = 0; i < count; i++)
		if (vm_page_pindex(ma[i]) == 1)
			vm_page_dirty(ma[i]);
}

static void
dirty_again(void *arg)
{
	struct pagerops ops = disk_ops;
	struct vm_object_attr attr = { .size = 10, .domain = VM_DOMAIN_HOME };
	struct disk *d = disk_new();
	vm_page_t m[3];
	int rtvals[3];
	vm_object_t o;

	boot(arg);
	ops.pgo_putpages = changing;
	attr.handle = d;
	attr.pager = &ops;
	o = vm_object_create(&attr);
	for (vm_pindex_t i = 0; i < 3; i++) {
		m[i] = new_page(o, i);
		vm_page_dirty(m[i]);
	}
	vm_pager_put_pages(o, m, 3, VM_PAGER_PUT_SYNC, rtvals);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(rtvals[i], VM_PAGER_OK);
		CHECK_EQ(flags(m[i]), PG_VALID | (i == 1 ? PG_DIRTY : 0));
		vm_page_xunbusy(m[i]);
	}
	vm_object_destroy(o);
	free(d);
}

static void
done_twice(void *m)
{
	vm_pager_put_done(m, VM_PAGER_OK);
}

static void
done_pending(void *m)
{
	vm_page_trysbusy(m);
	vm_pager_put_done(m, VM_PAGER_PEND);
}

static void
pending(void *arg)
{
	struct disk *d = disk_new();
	vm_page_t m[3];
	int rtvals[3];
	vm_object_t o;

	boot(arg);
	o = disk_object(d, 10);
	for (vm_pindex_t i = 0; i < 3; i++) {
		m[i] = new_page(o, i);
		*word_of(m[i]) = 77;
		vm_page_dirty(m[i]);
		vm_page_busy_downgrade(m[i]);
		vm_page_launder(m[i]);
	}
	d->pends = 1;
	vm_pager_put_pages(o, m, 3, 0, rtvals);
	CHECK_EQ(d->npending, 3);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(rtvals[i], VM_PAGER_PEND);
		CHECK_EQ(flags(m[i]), PG_VALID | PG_DIRTY);
		CHECK(vm_page_sbusied(m[i]) && vm_page_in_laundry(m[i]));
	}
	vm_page_trysbusy(m[1]);
	vm_page_dirty(m[1]);
	vm_page_sunbusy(m[1]);
	vm_pager_put_done(m[0], VM_PAGER_OK);
	vm_pager_put_done(m[1], VM_PAGER_OK);
	vm_pager_put_done(m[2], VM_PAGER_ERROR);
	CHECK_EQ(flags(m[0]), PG_VALID);
	CHECK_EQ(flags(m[1]), PG_VALID | PG_DIRTY);
	CHECK_EQ(flags(m[2]), PG_VALID | PG_DIRTY);
	CHECK(vm_page_inactive(m[0]));
	CHECK(vm_page_in_laundry(m[1]));
	CHECK(vm_page_active(m[2]));
	for (int i = 0; i < 3; i++)
		CHECK(!vm_page_busied(m[i]));
	CHECK_ABORTS(done_twice, m[0], "it is not being written");
	CHECK_ABORTS(done_pending, m[0], "it is not being written");
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

/* Without an operation: nothing is read, and nothing is lost. */
static void
no_operations(void *arg)
{
	static const struct pagerops none;
	struct vm_object_attr attr = { .size = 10,
				       .domain = VM_DOMAIN_HOME,
				       .pager = &none };
	vm_object_t o;
	vm_page_t m;
	int rtval;

	boot(arg);
	for (int i = 0; i < 2; i++) {
		o = vm_object_create(&attr);
		m = new_page(o, 0);
		CHECK_EQ(vm_pager_get_pages(o, &m, 1, NULL, NULL),
			 VM_PAGER_BAD);
		CHECK_EQ(flags(m), 0);
		vm_page_dirty(m);
		vm_pager_put_pages(o, &m, 1, 0, &rtval);
		CHECK_EQ(rtval, VM_PAGER_FAIL);
		CHECK_EQ(flags(m), PG_VALID | PG_DIRTY);
		vm_page_xunbusy(m);
		CHECK(!vm_object_page_clean(o, 0, 0));
		vm_object_destroy(o);
		attr.pager = NULL;
	}
}

static void
grab_valid(void *arg)
{
	struct disk *d = disk_new();
	vm_object_t o;
	vm_page_t m, k;

	boot(arg);
	d->blocks = 50;
	o = disk_object(d, 100);
	/* Read once, then found. */
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(
		    vm_page_grab_valid_unlocked(&m, o, 7, N | VM_ALLOC_SBUSY),
		    VM_PAGER_OK);
		CHECK(vm_page_sbusied(m));
		CHECK_EQ(*word_of(m), 8);
		CHECK_EQ(d->reads, 1);
		vm_page_sunbusy(m);
	}
	CHECK_EQ(vm_page_grab_valid_unlocked(&k, o, 7, N), VM_PAGER_OK);
	CHECK_EQ(k, m);
	CHECK(vm_page_xbusied(k));
	CHECK_ERRNO(vm_page_grab_valid_unlocked(
			&m, o, 7, N | VM_ALLOC_SBUSY | VM_ALLOC_NOWAIT),
		    VM_PAGER_FAIL, EBUSY);
	CHECK_EQ(m, NULL);
	vm_page_xunbusy(k);
	/* A block that there is not is zero. */
	CHECK_EQ(vm_page_grab_valid_unlocked(&m, o, 50, N), VM_PAGER_OK);
	CHECK(all_zero(vm_page_addr(m), ns_page_size));
	CHECK_EQ(flags(m), PG_VALID);
	vm_page_xunbusy(m);
	/* One that cannot be read is not there afterwards. */
	d->gets_fail = VM_PAGER_ERROR;
	for (int i = 0; i < 2; i++) {
		CHECK_ERRNO(
		    vm_page_grab_valid_unlocked(&m, o, 9,
						i == 0 ? N | VM_ALLOC_SBUSY
						       : N | VM_ALLOC_WIRED),
		    VM_PAGER_ERROR, EIO);
		CHECK_EQ(m, NULL);
		CHECK_EQ(vm_page_lookup(o, 9), NULL);
	}
	d->gets_fail = VM_PAGER_OK;
	CHECK_ERRNO(vm_page_grab_valid_unlocked(&m, o, 9, N | VM_ALLOC_NOCREAT),
		    VM_PAGER_FAIL, ENOENT);
	CHECK_ERRNO(vm_page_grab_valid_unlocked(
			&m, o, 9, N | VM_ALLOC_NOCREAT | VM_ALLOC_SBUSY),
		    VM_PAGER_FAIL, ENOENT);
	CHECK_ERRNO(vm_page_grab_valid_unlocked(&m, o, 100, N), VM_PAGER_FAIL,
		    EINVAL);
	/* A page that is there and not valid is read. */
	vm_page_xunbusy(new_page(o, 11));
	CHECK_EQ(vm_page_grab_valid_unlocked(
		     &m, o, 11, N | VM_ALLOC_NOCREAT | VM_ALLOC_SBUSY),
		 VM_PAGER_OK);
	CHECK_EQ(*word_of(m), 12);
	vm_page_sunbusy(m);
	/* So is one of the cache, without. */
	VM_OBJECT_WLOCK(o);
	m = vm_page_grab(o, 7, N);
	vm_page_cache(m);
	VM_OBJECT_WUNLOCK(o);
	d->word[7] = 0;
	CHECK_EQ(vm_page_grab_valid_unlocked(&m, o, 7, N | VM_ALLOC_WIRED),
		 VM_PAGER_OK);
	CHECK_EQ(*word_of(m), 8);
	CHECK(vm_page_wired(m));
	vm_page_unwire(m, PQ_ACTIVE);
	CHECK(vm_page_active(m));
	vm_page_xunbusy(m);
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

static void *
unbusy_later(void *m)
{
	usleep(20000);
	*word_of(m) = 555;
	vm_page_xunbusy(m);
	return NULL;
}

static void
page_clean(void *arg)
{
	struct disk *d = disk_new();
	pthread_t thread;
	vm_object_t o;
	vm_page_t m;

	boot(arg);
	o = disk_object(d, 1000);
	for (vm_pindex_t i = 0; i < 300; i++) {
		m = new_page(o, i);
		*word_of(m) = 5000 + i;
		vm_page_valid(m);
		if (i % 100 != 99)
			vm_page_dirty(m);
		vm_page_xunbusy(m);
	}
	/* Only that range, and only what is dirty, a cluster at a time. */
	CHECK(vm_object_page_clean(o, 10, 20));
	CHECK_EQ(d->writes, 10);
	CHECK_EQ(d->calls, 1);
	CHECK_EQ(d->word[9], 10);
	CHECK_EQ(d->word[10], 5010);
	CHECK_EQ(d->word[20], 21);
	/* A failure is told, and the page dirty still. */
	d->fails = VM_PAGER_ERROR;
	CHECK(!vm_object_page_clean(o, 0, 1));
	CHECK_EQ(flags(vm_page_lookup(o, 0)), PG_VALID | PG_DIRTY);
	d->fails = VM_PAGER_OK;
	/* Pages that are busy are waited for.  Pending writes, too. */
	d->pends = 1;
	m = new_page(o, 150);
	REQUIRE(pthread_create(&thread, NULL, unbusy_later, m) == 0);
	CHECK(vm_object_page_clean(o, 0, 0));
	pthread_join(thread, NULL);
	CHECK_EQ(d->word[150], 555);
	CHECK_EQ(d->writes, 297);
	CHECK(d->calls <= 2 + 300 / 32 + 5);
	for (vm_pindex_t i = 0; i < 300; i++) {
		CHECK_EQ(flags(vm_page_lookup(o, i)), PG_VALID);
		CHECK(!vm_page_busied(vm_page_lookup(o, i)));
		CHECK_EQ(d->word[i], i % 100 == 99
					 ? i + 1
					 : *word_of(vm_page_lookup(o, i)));
	}
	vm_object_destroy(o);
	ns_vm_check(0);
	free(d);
}

#ifdef NS_DEBUG
static vm_page_t rule_page[2];

static void
get(void *o)
{
	vm_pager_get_pages(o, rule_page, 2, NULL, NULL);
}

static void
put(void *o)
{
	int rtvals[2];

	vm_pager_put_pages(o, rule_page, 2, 0, rtvals);
}

static void
get_locked(void *o)
{
	VM_OBJECT_WLOCK(o);
	get(o);
}

static void
rules(void *arg)
{
	struct disk *d = disk_new();
	vm_object_t o;

	boot(arg);
	o = disk_object(d, 100);
	rule_page[0] = new_page(o, 1);
	rule_page[1] = new_page(o, 3);
	CHECK_ABORTS(get_locked, o, "the thread has locked it");
	CHECK_ABORTS(get, o, "vm_pager_get_pages: page ");
	CHECK_ABORTS(get, o, "it is not next in the object");
	CHECK_ABORTS(put, o, "vm_pager_put_pages: page ");
	CHECK_ABORTS(put, o, "it is not next in the object");
	rule_page[1] = new_page(o, 2);
	vm_page_busy_downgrade(rule_page[1]);
	CHECK_ABORTS(get, o, "it is not exclusively busy");
	vm_page_sunbusy(rule_page[1]);
	CHECK_ABORTS(put, o, "it is not busy");
}
#endif

int
main(void)
{
	static struct machine alone = { .alone = true };
	static struct machine large = { .alone = true, .page_size = 65536 };

	CASE(has_page, &alone);
	CASE(reading, &alone);
	CASE(reading, &large);
	CASE(read_ahead, &alone);
	CASE(read_many, &alone);
	CASE(writing, &alone);
	CASE(dirty_again, &alone);
	CASE(pending, &alone);
	CASE(no_operations, &alone);
	CASE(grab_valid, &alone);
	CASE(page_clean, &alone);
#ifdef NS_DEBUG
	CASE(rules, &alone);
#endif
	return test_done();
}
