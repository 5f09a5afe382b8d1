/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shrinker.h: every function, what a shrinker is asked, when, and by whom.
 * Four nodes of 8 MiB.  A cache of objects that may go is kept in a list;
 * its shrinker frees them from there.
 */
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>
#include <numaslab/shrinker.h>

#include "tests/test.h"

#include <pthread.h>

#define NODES 4
#define SIZE  4000u
#define MOST  20000u

static struct kmem_cache *cache, *plain;

static void *kept[MOST]; /* that the shrinker may free */
static unsigned nkept;
static void *objs[MOST];
static unsigned n;

/* What the shrinker was asked. */
static unsigned counts, scans;
static unsigned long scanned, most_at_once;
static gfp_t last_gfp;
static int last_nid;

static unsigned long
count_kept(struct shrinker *s, struct shrink_control *sc)
{
	(void)s;
	counts++;
	last_gfp = sc->gfp_mask;
	last_nid = sc->nid;
	return nkept;
}

static unsigned long
free_kept(struct shrinker *s, struct shrink_control *sc)
{
	unsigned long freed = 0;

	(void)s;
	scans++;
	CHECK_EQ(sc->nr_scanned, sc->nr_to_scan);
	scanned += sc->nr_to_scan;
	if (sc->nr_to_scan > most_at_once)
		most_at_once = sc->nr_to_scan;
	for (; freed < sc->nr_to_scan && nkept > 0; freed++)
		kmem_cache_free(cache, kept[--nkept]);
	return freed;
}

static void
reset(void)
{
	counts = scans = 0;
	scanned = most_at_once = 0;
	last_gfp = 0;
	last_nid = -1;
}

static struct shrinker *
new_shrinker(unsigned flags)
{
	struct shrinker *s = shrinker_alloc(flags, "test-%d", 1);

	REQUIRE(s != NULL);
	s->count_objects = count_kept;
	s->scan_objects = free_kept;
	return s;
}

static void
keep(unsigned more, gfp_t flags)
{
	while (more-- > 0 &&
	       (kept[nkept] = kmem_cache_alloc(cache, flags)) != NULL)
		REQUIRE(++nkept < MOST);
}

static void
free_all(void)
{
	while (n > 0)
		kmem_cache_free(plain, objs[--n]);
	while (nkept > 0)
		kmem_cache_free(cache, kept[--nkept]);
	kmem_cache_shrink(plain);
	kmem_cache_shrink(cache);
}

/* --- shrinker_alloc, _register, _free --- */

static void
test_alloc(void)
{
	const char *volatile no_name = NULL;
	struct shrinker *s;

	CHECK_ERRNO(shrinker_alloc(0x80u, "bad"), NULL, EINVAL);
	CHECK_ERRNO(shrinker_alloc(0, no_name, 1), NULL, EINVAL);
	s = shrinker_alloc(SHRINKER_NUMA_AWARE, "%s-%d", "ok", 3);
	REQUIRE(s != NULL);
	CHECK_EQ(s->seeks, DEFAULT_SEEKS);
	CHECK_EQ(s->batch, 0);
	CHECK_EQ(s->flags, SHRINKER_NUMA_AWARE);
	CHECK_EQ(s->count_objects, NULL);
	CHECK_EQ(s->private_data, NULL);
	shrinker_free(s); /* never registered */
	shrinker_free(NULL);
}

static void
register_bad(void *which)
{
	struct shrinker *s = shrinker_alloc(0, "bad");

	s->count_objects = count_kept;
	s->scan_objects = free_kept;
	switch (*(int *)which) {
	case 0:
		s->count_objects = NULL;
		break;
	case 1:
		s->scan_objects = NULL;
		break;
	case 2:
		s->seeks = -1;
		break;
	case 3:
		s->batch = -1;
		break;
	default:
		shrinker_register(s);
		break;
	}
	shrinker_register(s);
}

static unsigned long
free_itself(struct shrinker *s, struct shrink_control *sc)
{
	(void)sc;
	shrinker_free(s);
	return 0;
}

static void
free_inside(void *arg)
{
	struct shrinker *s = shrinker_alloc(0, "suicide");

	(void)arg;
	s->count_objects = free_itself;
	s->scan_objects = free_kept;
	shrinker_register(s);
	drop_slab();
}

static void
free_twice(void *again)
{
	struct shrinker *s = new_shrinker(0);

	shrinker_register(s);
	shrinker_free(s);
	if (*(int *)again)
		shrinker_free(s);
	else
		shrinker_register(s);
}

static void
test_rules(void)
{
	static const char *const rules[] = {
		"shrinker_register(bad): count_objects is NULL",
		"shrinker_register(bad): scan_objects is NULL",
		"shrinker_register(bad): seeks or batch is negative",
		"shrinker_register(bad): seeks or batch is negative",
		"shrinker_register(bad): registered already",
	};

	for (int i = 0; i < 5; i++)
		CHECK_ABORTS(register_bad, &i, rules[i]);
	for (int i = 0; i < 2; i++)
		CHECK_ABORTS(free_twice, &i,
			     i ? "shrinker_free(0x" : "shrinker_register(0x");
	CHECK_ABORTS(free_inside, NULL,
		     "shrinker_free(suicide): called from its own functions");
}

/* --- drop_slab --- */

static void
test_drop(void)
{
	struct shrinker *s = new_shrinker(0);
	struct kmem_cache_stat st;

	reset();
	keep(1000, GFP_KERNEL);
	for (int round = 0; round < 4; round++) { /* so that some stay */
		while (n < 400)
			objs[n++] = kmem_cache_alloc(plain, GFP_KERNEL);
		while (n > 0)
			kmem_cache_free(plain, objs[--n]);
	}
	REQUIRE(kmem_cache_stat(plain, NUMA_NO_NODE, &st) == 0);
	CHECK(st.slabs > 0);
	CHECK_EQ(drop_slab(), 0); /* not registered yet */
	REQUIRE(kmem_cache_stat(plain, NUMA_NO_NODE, &st) == 0);
	CHECK_EQ(st.slabs, 0); /* nor at hand any more */
	CHECK_EQ(counts, 0);
	shrinker_register(s);
	CHECK_EQ(drop_slab(), 1000);
	CHECK_EQ(nkept, 0);
	CHECK_EQ(most_at_once, SHRINK_BATCH);
	CHECK_EQ(last_gfp, GFP_KERNEL);
	s->batch = 10;
	reset();
	keep(95, GFP_KERNEL);
	CHECK_EQ(drop_slab(), 95);
	CHECK_EQ(most_at_once, 10);
	shrinker_free(s);
	reset();
	keep(10, GFP_KERNEL);
	CHECK_EQ(drop_slab(), 0);
	CHECK_EQ(counts, 0);
	free_all();
}

/* What SHRINK_STOP, SHRINK_EMPTY, and seeks of 0 do. */
static unsigned long answer;

static unsigned long
count_answer(struct shrinker *s, struct shrink_control *sc)
{
	(void)s;
	(void)sc;
	counts++;
	return answer;
}

static unsigned long
stop_at_once(struct shrinker *s, struct shrink_control *sc)
{
	(void)s;
	(void)sc;
	scans++;
	return SHRINK_STOP;
}

/* Looks at fewer than it was asked to, and frees none. */
static unsigned long
look_at_one(struct shrinker *s, struct shrink_control *sc)
{
	(void)s;
	scans++;
	sc->nr_scanned = 1;
	return 0;
}

static void
test_answers(void)
{
	struct shrinker *s = new_shrinker(0);

	s->count_objects = count_answer;
	s->scan_objects = stop_at_once;
	shrinker_register(s);
	reset();
	answer = SHRINK_EMPTY;
	CHECK_EQ(drop_slab(), 0);
	answer = 0;
	CHECK_EQ(drop_slab(), 0);
	CHECK_EQ(counts, 2);
	CHECK_EQ(scans, 0);
	answer = 100000;
	CHECK_EQ(drop_slab(), 0);
	CHECK_EQ(scans, 1);
	/* Twice what there is, one by one, until less than a batch is due. */
	s->scan_objects = look_at_one;
	answer = 200;
	reset();
	CHECK_EQ(drop_slab(), 0);
	CHECK_MSG(scans == 400 - SHRINK_BATCH + 1, "%u scans", scans);
	shrinker_free(s);
}

static void
test_seeks(void)
{
	struct shrinker *s = new_shrinker(0);

	s->count_objects = count_answer;
	s->scan_objects = look_at_one;
	s->batch = 1;
	s->seeks = 0; /* half */
	shrinker_register(s);
	answer = 1000;
	reset();
	drop_slab();
	CHECK_EQ(scans, 500);
	shrinker_free(s);
	s = new_shrinker(0);
	s->count_objects = count_answer;
	s->scan_objects = look_at_one;
	s->batch = 1;
	s->seeks = 16; /* 4n / seeks */
	shrinker_register(s);
	reset();
	drop_slab();
	CHECK_EQ(scans, 250);
	shrinker_free(s);
}

static unsigned asked[NODES];

static unsigned long
count_by_node(struct shrinker *s, struct shrink_control *sc)
{
	(void)s;
	asked[sc->nid]++;
	return 0;
}

static void
test_nodes(void)
{
	struct shrinker *s = new_shrinker(SHRINKER_NUMA_AWARE);

	s->count_objects = count_by_node;
	shrinker_register(s);
	drop_slab();
	for (int i = 0; i < NODES; i++)
		CHECK_EQ(asked[i], 1);
	shrinker_free(s);
	s = new_shrinker(0);
	shrinker_register(s);
	reset();
	drop_slab();
	CHECK_EQ(counts, 1);
	shrinker_free(s);
}

/* --- when memory is short --- */

static void
fill(gfp_t flags)
{
	while ((objs[n] = kmem_cache_alloc(plain, flags)) != NULL)
		REQUIRE(++n < MOST);
	CHECK_EQ(errno, ENOMEM);
}

/* Half of memory is kept; then requests of another cache want it. */
static void
test_pressure(void)
{
	static const gfp_t never[] = { GFP_NOWAIT, GFP_NOIO, GFP_NOFS,
				       __GFP_DIRECT_RECLAIM | __GFP_FS,
				       GFP_ATOMIC | __GFP_NOMEMALLOC };
	struct shrinker *s = new_shrinker(0);
	unsigned before, had;

	shrinker_register(s);
	keep(NODES * 1000, GFP_KERNEL);
	had = nkept;
	reset();
	for (unsigned i = 0; i < sizeof(never) / sizeof(*never); i++)
		fill(never[i]);
	/* A magazine may have some: those first. */
	for (unsigned i = 0; i < sizeof(never) / sizeof(*never); i++)
		CHECK_ERRNO(
		    kmem_cache_alloc_bulk(plain, never[i], 20, objs + n), 0,
		    ENOMEM);
	CHECK_EQ(counts, 0);
	CHECK_EQ(nkept, had);
	before = n;
	objs[n] = kmem_cache_alloc(plain, GFP_KERNEL);
	CHECK(objs[n] != NULL);
	n++;
	CHECK(counts > 0);
	CHECK_EQ(last_gfp, GFP_KERNEL);
	CHECK_MSG(nkept > had / 2, "one object cost %u of %u", had - nkept,
		  had);
	fill(GFP_KERNEL);
	CHECK_EQ(nkept, 0);
	CHECK_MSG(n - before > had * 3 / 4, "%u objects from %u", n - before,
		  had);
	shrinker_free(s);
	free_all();
}

/* A strict request asks for objects of its node alone; kmalloc as well. */
static void
test_strict(void)
{
	struct shrinker *s = new_shrinker(SHRINKER_NUMA_AWARE);

	s->count_objects = count_by_node;
	shrinker_register(s);
	memset(asked, 0, sizeof(asked));
	CHECK_ERRNO(kmalloc_node(64ul << 20, GFP_KERNEL | __GFP_THISNODE, 2),
		    NULL, ENOMEM);
	CHECK(asked[2] > 0);
	CHECK_EQ(asked[0] + asked[1] + asked[3], 0);
	CHECK_ERRNO(kmalloc(64ul << 20, GFP_KERNEL), NULL, ENOMEM);
	for (int i = 0; i < NODES; i++)
		CHECK(asked[i] > 0);
	shrinker_free(s);
}

/* A shrinker allocates: from the reserve, and without being called for it. */
static unsigned depth, got;

static unsigned long
free_and_allocate(struct shrinker *s, struct shrink_control *sc)
{
	void *p[40];
	unsigned i;

	CHECK_EQ(depth++, 0);
	for (i = 0; i < 40; i++) {
		p[i] = kmem_cache_alloc(plain, GFP_KERNEL);
		got += p[i] != NULL;
	}
	CHECK_EQ(drop_slab(), 0);
	CHECK_ERRNO(kmalloc(64ul << 20, GFP_KERNEL), NULL, ENOMEM);
	while (i > 0)
		kmem_cache_free(plain, p[--i]);
	depth--;
	return free_kept(s, sc);
}

static void
test_recursion(void)
{
	struct shrinker *s = new_shrinker(0);
	void *p;

	s->scan_objects = free_and_allocate;
	shrinker_register(s);
	keep(1000, GFP_KERNEL);
	fill(GFP_NOWAIT);
	reset();
	p = kmem_cache_alloc(plain, GFP_KERNEL);
	CHECK(p != NULL);
	CHECK(scans > 0);
	CHECK_EQ(got, 40 * scans);
	kmem_cache_free(plain, p);
	shrinker_free(s);
	free_all();
}

/* --- shrinker_free waits for who is inside --- */

static pthread_barrier_t barrier;
static int inside, was_inside;

static unsigned long
count_slowly(struct shrinker *s, struct shrink_control *sc)
{
	(void)s;
	(void)sc;
	__atomic_store_n(&inside, 1, __ATOMIC_SEQ_CST);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	__atomic_store_n(&inside, 0, __ATOMIC_SEQ_CST);
	return 0;
}

static void *
free_it(void *s)
{
	pthread_barrier_wait(&barrier);
	shrinker_free(s);
	was_inside = __atomic_load_n(&inside, __ATOMIC_SEQ_CST);
	return NULL;
}

static void
test_free_waits(void)
{
	struct shrinker *s = new_shrinker(0);
	pthread_t t;

	s->count_objects = count_slowly;
	shrinker_register(s);
	pthread_barrier_init(&barrier, NULL, 2);
	REQUIRE(pthread_create(&t, NULL, free_it, s) == 0);
	drop_slab();
	REQUIRE(pthread_join(t, NULL) == 0);
	CHECK_EQ(was_inside, 0);
}

/* A child that was made while another thread was in a shrinker can free it. */
static struct shrinker *slow;

static void
free_in_child(void *arg)
{
	(void)arg;
	shrinker_free(slow);
	CHECK_EQ(drop_slab(), 0);
}

static unsigned long
count_until_forked(struct shrinker *s, struct shrink_control *sc)
{
	(void)s;
	(void)sc;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return 0;
}

static void *
drop(void *arg)
{
	drop_slab();
	return arg;
}

static void
test_fork(void)
{
	struct test_output out;
	pthread_t t;

	slow = new_shrinker(0);
	slow->count_objects = count_until_forked;
	shrinker_register(slow);
	REQUIRE(pthread_create(&t, NULL, drop, NULL) == 0);
	pthread_barrier_wait(&barrier);
	CHECK_EQ(run_child(free_in_child, NULL, &out), 0);
	pthread_barrier_wait(&barrier);
	REQUIRE(pthread_join(t, NULL) == 0);
	shrinker_free(slow);
}

/* --- SLAB_RECLAIM_ACCOUNT --- */

static uint64_t
reclaimable(void)
{
	struct numaslab_node_stat st;
	uint64_t sum = 0;

	for (int i = 0; i < NODES; i++) {
		REQUIRE(numaslab_node_stat(i, &st) == 0);
		sum += st.reclaimable;
	}
	return sum;
}

static void
test_reclaim_account(void)
{
	struct kmem_cache_stat st;

	CHECK_EQ(reclaimable(), 0);
	objs[n++] = kmem_cache_alloc(plain, GFP_KERNEL);
	CHECK_EQ(reclaimable(), 0);
	keep(1000, GFP_KERNEL);
	REQUIRE(kmem_cache_stat(cache, NUMA_NO_NODE, &st) == 0);
	CHECK(st.bytes >= 1000 * SIZE);
	CHECK_EQ(reclaimable(), st.bytes);
	free_all();
	CHECK_EQ(reclaimable(), 0);
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "4");
	test_env(argv, "NUMASLAB_NODE_LIMIT", "8M");
	cache = kmem_cache_create("kept", SIZE, 0, SLAB_RECLAIM_ACCOUNT, NULL);
	plain = kmem_cache_create("plain", SIZE, 0, 0, NULL);
	REQUIRE(cache != NULL && plain != NULL);
	test_alloc();
	test_rules();
	test_drop();
	test_answers();
	test_seeks();
	test_nodes();
	test_pressure();
	test_strict();
	test_recursion();
	test_free_waits();
	test_fork();
	test_reclaim_account();
	kmem_cache_destroy(cache);
	kmem_cache_destroy(plain);
	return test_done();
}
