/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers without a lock, in a cache with SLAB_TYPESAFE_BY_RCU: others free
 * what they look at, use it again, shrink and destroy the cache.
 *
 * Each object has a word that its constructor sets and nobody changes: a
 * reader that ever finds another value looks at memory that is no object any
 * more.  A reader that wants an object takes a reference, which fails for a
 * free one, and looks at the key again, as the kernel's readers do.
 *
 * Built with the engine of epoch.h, and with flavors of liburcu (TEST_URCU is
 * the header).
 */
#include "tests/stress/stress.h"

#ifdef TEST_URCU
#include TEST_URCU

#include <numaslab/urcu.h>

static void
engine_start(void)
{
	REQUIRE(kmem_rcu_set_ops(&kmem_urcu_ops) == 0);
}
#else
#include "tests/stress/epoch.h"
#endif

#define ROUNDS 12
#define OPS    OPERATIONS(60000)
#define KEYS   512
#define BURST  400
#define PASSES 10

#define SCRIBBLES 40
#define MAGIC     0x6d79206f626a6563ul

struct row {
	uint64_t magic; /* [I] */
	uint32_t refs;  /* [a] 0: nobody's, and to be freed or free */
	uint32_t key;   /* [a] */
	uint64_t value; /* [a] */
	struct kmem_rcu_head rcu;
	char more[100];
};

static struct kmem_cache *rows;
static struct row *table[KEYS]; /* [a] */
static struct row *passing;     /* [a] of a cache that is destroyed soon */
static struct row *seen;        /* [a] */
static unsigned stop;           /* [a] */
static unsigned found;          /* [a] rows, by readers */

#define load(p)     __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define store(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define relaxed(p)  __atomic_load_n((p), __ATOMIC_RELAXED)

static void
construct(void *p)
{
	struct row *r = p;

	memset(r, 0, sizeof(*r));
	r->magic = MAGIC;
}

static uint64_t
value_of(uint32_t key)
{
	return key * 0x9e3779b97f4a7c15ul;
}

static int
is_row(const struct row *r)
{
	return relaxed(&r->magic) == MAGIC;
}

static int
take(struct row *r)
{
	uint32_t refs = relaxed(&r->refs);

	do
		if (refs == 0)
			return 0;
	while (!__atomic_compare_exchange_n(
	    &r->refs, &refs, refs + 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return 1;
}

static void
drop(struct row *r)
{
	if (__atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) == 0)
		kmem_cache_free(rows, r);
}

/* What a row is, looked at without a reference and then with one. */
static void
look_up(uint32_t key)
{
	struct row *r;

	rcu_read_lock();
	r = load(&table[key]);
	if (r == NULL) {
		rcu_read_unlock();
		return;
	}
	CHECK(is_row(r));
	if (!take(r)) {
		CHECK(is_row(r));
		rcu_read_unlock();
		return;
	}
	if (relaxed(&r->key) == key) {
		CHECK_EQ(relaxed(&r->value), value_of(key));
		__atomic_add_fetch(&found, 1, __ATOMIC_RELAXED);
	}
	CHECK(is_row(r));
	rcu_read_unlock();
	drop(r);
}

static struct row *
new_row(uint32_t key)
{
	struct row *r =
	    kmem_cache_alloc_node(rows, GFP_KERNEL, (int)(key % NODES));

	REQUIRE(r != NULL);
	CHECK(is_row(r));
	__atomic_store_n(&r->key, key, __ATOMIC_RELAXED);
	__atomic_store_n(&r->value, value_of(key), __ATOMIC_RELAXED);
	__atomic_store_n(&r->refs, 1, __ATOMIC_RELEASE);
	return r;
}

static void
put(uint32_t key, struct row *r)
{
	struct row *old = __atomic_exchange_n(&table[key], r, __ATOMIC_SEQ_CST);

	if (old != NULL)
		drop(old);
}

/* What a reader has found is freed and another row before it looks again. */
static void
reuse(void)
{
	struct row *r, *others[BURST];
	unsigned n = 0;

	put(0, new_row(0));
	rcu_read_lock();
	r = load(&table[0]);
	put(0, NULL);
	CHECK(!take(r));
	do
		others[n] = new_row(NODES); /* of the same node */
	while (others[n++] != r && n < BURST);
	CHECK(take(r));
	CHECK_EQ(relaxed(&r->key), NODES);
	CHECK(is_row(r));
	rcu_read_unlock();
	drop(r);
	while (n > 0)
		drop(others[--n]);
}

/* Whole slabs of rows come and go. */
static void
burst(void)
{
	struct row *r[BURST];

	for (uint32_t i = 0; i < BURST; i++)
		r[i] = new_row(i % KEYS);
	for (uint32_t i = 0; i < BURST; i++)
		drop(r[i]);
	kmem_cache_shrink(rows);
}

static void *
work(void *arg)
{
	uint64_t seed = (uintptr_t)arg + 11, r;
	uint32_t key;

	rcu_register_thread();
	for (unsigned i = 0; i < OPS; i++) {
		r = test_random(&seed);
		key = (uint32_t)(r >> 32) % KEYS;
		if (r % 1024 == 0)
			burst();
		else if (r % 8 == 0)
			put(key, NULL);
		else if (r % 2 == 0)
			put(key, new_row(key));
		else
			look_up(key);
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return NULL;
}

/* Looks at a row as long as it is shown, whatever is done to it. */
static void *
watch(void *arg)
{
	struct row *r;

	rcu_register_thread();
	while (!load(&stop)) {
		rcu_read_lock();
		r = load(&passing);
		store(&seen, r);
		while (r != NULL && load(&passing) == r) {
			CHECK(is_row(r));
			sched_yield();
		}
		for (int i = 0; r != NULL && i < 20; i++) {
			CHECK(is_row(r));
			sched_yield();
		}
		rcu_read_unlock();
		rcu_quiescent_state();
	}
	rcu_unregister_thread();
	return arg;
}

/* Whatever slabs have gone back is somebody else's now. */
static void
scribble(void)
{
	void *p[SCRIBBLES];

	for (int i = 0; i < SCRIBBLES; i++) {
		p[i] = kmalloc(60000, GFP_KERNEL);
		REQUIRE(p[i] != NULL);
		memset(p[i], 0xee, 60000);
	}
	kfree_bulk(SCRIBBLES, p);
}

/* Freed by who waits for the reader. */
static void
pass_by_waiting(void)
{
	struct row *r = kmalloc(sizeof(*r), GFP_KERNEL);

	REQUIRE(r != NULL);
	construct(r);
	store(&passing, r);
	while (load(&seen) != r)
		sched_yield();
	store(&passing, NULL);
	kfree_rcu_mightsleep(r);
	scribble();
}

/* A cache with one row: freed, shrunk and destroyed while somebody looks. */
static void
pass_by(void)
{
	struct kmem_cache *c = kmem_cache_create(
	    "passing", sizeof(struct row), 0, SLAB_TYPESAFE_BY_RCU, construct);
	struct kmem_rcu_head *h = kmalloc(sizeof(*h), GFP_KERNEL);
	struct row *r;

	REQUIRE(c != NULL && h != NULL);
	r = kmem_cache_alloc(c, GFP_KERNEL);
	REQUIRE(r != NULL);
	store(&passing, r);
	while (load(&seen) != r)
		sched_yield();
	kmem_cache_free(c, r);
	CHECK_EQ(kmem_cache_shrink(c), 0);
	kfree_rcu_at(h, 0);
	scribble();
	store(&passing, NULL);
	kmem_cache_destroy(c);
	scribble();
}

static void
one_round(void)
{
	pthread_t watcher;

	rows = kmem_cache_create("rows", sizeof(struct row), 0,
				 SLAB_TYPESAFE_BY_RCU, construct);
	REQUIRE(rows != NULL);
	reuse();
	store(&stop, 0);
	REQUIRE(pthread_create(&watcher, NULL, watch, NULL) == 0);
	rcu_thread_offline(); /* a reader that sleeps holds up nobody */
	run_threads(THREADS, work);
	rcu_thread_online();
	for (int i = 0; i < PASSES; i++) {
		pass_by();
		pass_by_waiting();
	}
	store(&stop, 1);
	rcu_thread_offline();
	REQUIRE(pthread_join(watcher, NULL) == 0);
	rcu_thread_online();
	for (uint32_t key = 0; key < KEYS; key++)
		put(key, NULL);
	kmem_cache_destroy(rows);
}

int
main(int argc, char **argv)
{
	(void)argc;
	stress_start(argv);
	engine_start();
	rcu_register_thread();
	for (int i = 0; i < ROUNDS; i++)
		one_round();
	CHECK_EQ(sum_stats(live_of), 0);
	CHECK(found > OPS / 10);
	rcu_unregister_thread();
	return test_done();
}
