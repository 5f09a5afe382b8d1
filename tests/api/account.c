/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * account.h: every function; what is charged, to whom, by whom it is given
 * back, and what happens at the limit.
 */
#include <numaslab/account.h>
#include <numaslab/kmem.h>
#include <numaslab/mempool.h>
#include <numaslab/numaslab.h>
#include <numaslab/shrinker.h>

#include "tests/test.h"

#include <pthread.h>

#define SIZE  200u
#define PRICE (SIZE + sizeof(void *))
#define MANY  2000u

static struct kmem_cache *charged, *plain;
static void *objs[MANY];

static struct numaslab_account *
create(const char *name, size_t limit, numaslab_over_t *over, void *arg)
{
	struct numaslab_account *a =
	    numaslab_account_create(name, limit, over, arg);

	REQUIRE(a != NULL);
	return a;
}

static struct numaslab_account_stat
stat_of(const struct numaslab_account *a)
{
	struct numaslab_account_stat st;

	REQUIRE(numaslab_account_stat(a, &st) == 0);
	return st;
}

static size_t
bytes_of(const struct numaslab_account *a)
{
	return stat_of(a).bytes;
}

static void
test_create(void)
{
	char name[] = "a name that is longer than what is kept";
	struct numaslab_account_stat st;
	struct numaslab_account *a;

	CHECK_ERRNO(numaslab_account_create(NULL, 1, NULL, NULL), NULL, EINVAL);
	CHECK_ERRNO(numaslab_account_stat(NULL, &st), -1, EINVAL);
	a = create(name, 12345, NULL, NULL);
	memset(name, 'X', 5);
	st = stat_of(a);
	CHECK_STR(st.name, "a name that is longer than what");
	CHECK_EQ(st.limit, 12345);
	CHECK_EQ(st.bytes + st.peak + st.failures, 0);
	numaslab_account_set_limit(a, 1);
	CHECK_EQ(stat_of(a).limit, 1);
	numaslab_account_destroy(a);
	numaslab_account_destroy(NULL);
}

/* --- who pays, and what --- */

static void
test_use(void)
{
	struct numaslab_account *a = create("a", SIZE_MAX, NULL, NULL);
	struct numaslab_account *b = create("b", SIZE_MAX, NULL, NULL);
	void *p[4];

	CHECK_EQ(numaslab_account_use(NULL), NULL);
	p[0] = kmem_cache_alloc(charged, GFP_KERNEL); /* nobody's */
	CHECK_EQ(numaslab_account_use(a), NULL);
	p[1] = kmem_cache_alloc(charged, GFP_KERNEL);
	CHECK_EQ(bytes_of(a), PRICE);
	CHECK_EQ(numaslab_account_use(b), a);
	p[2] = kmem_cache_zalloc(charged, GFP_KERNEL);
	p[3] = kmem_cache_alloc_node(charged, GFP_KERNEL, 1);
	CHECK_EQ(numaslab_node_of(p[3]), 1);
	CHECK_EQ(bytes_of(a), PRICE);
	CHECK_EQ(bytes_of(b), 2 * PRICE);
	kmem_cache_free(charged, p[0]);
	kmem_cache_free(charged, p[1]); /* a's, though b is in use */
	CHECK_EQ(bytes_of(a), 0);
	CHECK_EQ(bytes_of(b), 2 * PRICE);
	kfree(p[2]);
	kmem_cache_free(charged, p[3]);
	CHECK_EQ(bytes_of(b), 0);
	CHECK_EQ(stat_of(b).peak, 2 * PRICE);
	CHECK_EQ(numaslab_account_use(NULL), b);
	numaslab_account_destroy(a);
	numaslab_account_destroy(b);
}

/* A cache's own account pays, whatever the thread's is. */
static void
test_of_cache(void)
{
	struct numaslab_account *a = create("cache's", SIZE_MAX, NULL, NULL);
	struct numaslab_account *b = create("thread's", SIZE_MAX, NULL, NULL);
	struct kmem_cache_args args = { .account = a };
	struct kmem_cache *c = kmem_cache_create("own", SIZE, &args, 0);
	struct kmem_cache_stat st;

	REQUIRE(c != NULL);
	numaslab_account_use(b);
	REQUIRE(kmem_cache_alloc_bulk(c, GFP_KERNEL, MANY, objs) == MANY);
	CHECK_EQ(bytes_of(a), MANY * PRICE);
	CHECK_EQ(bytes_of(b), 0);
	REQUIRE(kmem_cache_stat(c, NUMA_NO_NODE, &st) == 0);
	CHECK_EQ(st.active, MANY);
	kmem_cache_free_bulk(c, MANY / 2, objs);
	CHECK_EQ(bytes_of(a), MANY / 2 * PRICE);
	numaslab_account_destroy(a); /* the cache still has it */
	kmem_cache_free_bulk(c, MANY / 2, objs + MANY / 2);
	numaslab_account_use(NULL);
	numaslab_account_destroy(b);
	kmem_cache_destroy(c);
}

/* __GFP_ACCOUNT of caches that charge nothing by themselves. */
static void
test_flag(void)
{
	struct numaslab_account *a = create("flag", SIZE_MAX, NULL, NULL);
	void *p = kmem_cache_alloc(plain, GFP_KERNEL_ACCOUNT), *q;

	kmem_cache_free(plain, p); /* nobody pays */
	numaslab_account_use(a);
	p = kmem_cache_alloc(plain, GFP_KERNEL);
	CHECK_EQ(bytes_of(a), 0);
	q = kmem_cache_alloc(plain, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	CHECK_EQ(bytes_of(a), PRICE);
	for (unsigned i = 0; i < SIZE; i++)
		REQUIRE(((char *)q)[i] == 0);
	CHECK(ksize(q) >= SIZE);
	numaslab_account_use(NULL);
	kmem_cache_free(plain, q);
	kmem_cache_free(plain, p);
	CHECK_EQ(bytes_of(a), 0);

	numaslab_account_use(a);
	CHECK_EQ(kmem_cache_alloc_bulk(plain, GFP_KERNEL_ACCOUNT, MANY, objs),
		 MANY);
	CHECK_EQ(bytes_of(a), MANY * PRICE);
	kmem_cache_free_bulk(plain, MANY / 2, objs);
	kmem_cache_free_bulk(NULL, MANY / 2, objs + MANY / 2);
	CHECK_EQ(bytes_of(a), 0);
	CHECK_EQ(kmem_cache_shrink(plain), 0);
	numaslab_account_use(NULL);
	numaslab_account_destroy(a);
}

static void
test_kmalloc(void)
{
	static const size_t sizes[] = { 1,    16,    17,    64,    100,
					4096, 10000, 65536, 65537, 3000000 };
	struct numaslab_account *a = create("kmalloc", SIZE_MAX, NULL, NULL);
	char *p, *q;

	numaslab_account_use(a);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		size_t size = sizes[i];

		p = kmalloc(size, GFP_KERNEL_ACCOUNT);
		REQUIRE(p != NULL);
		memset(p, 1, ksize(p));
		CHECK_EQ(ksize(p), kmalloc_size_roundup(size));
		CHECK_MSG(bytes_of(a) >= ksize(p) &&
			      bytes_of(a) <= ksize(p) + sizeof(void *),
			  "%zu of %zu bytes", bytes_of(a), size);
		if ((size & (size - 1)) == 0 && size <= 4096)
			CHECK_EQ((uintptr_t)p % size, 0);
		kfree(p);
		CHECK_EQ(bytes_of(a), 0);
		p = kzalloc_node(size, GFP_KERNEL_ACCOUNT, 1);
		CHECK_EQ(numaslab_node_of(p), 1);
		for (size_t j = 0; j < size; j += 61)
			REQUIRE(p[j] == 0);
		/* Grows and shrinks: the block that is left pays. */
		q = krealloc(p, 3 * size, GFP_KERNEL_ACCOUNT);
		REQUIRE(q != NULL);
		CHECK(bytes_of(a) >= 3 * size);
		q = krealloc(q, size, GFP_KERNEL_ACCOUNT);
		CHECK(bytes_of(a) <= ksize(q) + sizeof(void *));
		kfree(q);
		CHECK_EQ(bytes_of(a), 0);
	}
	CHECK_EQ(kmalloc(0, GFP_KERNEL_ACCOUNT), ZERO_SIZE_PTR);
	numaslab_account_use(NULL);
	numaslab_account_destroy(a);
}

static void
test_sheaf(void)
{
	struct numaslab_account *a = create("sheaf", 20 * PRICE, NULL, NULL);
	struct slab_sheaf *s;
	void *p;

	numaslab_account_use(a);
	CHECK_ERRNO(kmem_cache_prefill_sheaf(charged, GFP_KERNEL, 21), NULL,
		    ENOMEM);
	CHECK_EQ(bytes_of(a), 0); /* all or nothing */
	s = kmem_cache_prefill_sheaf(charged, GFP_KERNEL, 20);
	REQUIRE(s != NULL);
	CHECK_EQ(bytes_of(a), 20 * PRICE);
	p = kmem_cache_alloc_from_sheaf(charged, GFP_KERNEL, s);
	kmem_cache_return_sheaf(charged, GFP_KERNEL, s);
	CHECK_EQ(bytes_of(a), PRICE);
	kmem_cache_free(charged, p);
	numaslab_account_use(NULL);
	numaslab_account_destroy(a);
}

/* --- at the limit --- */

struct eviction {
	unsigned calls, nkept;
	size_t want;
	int retry; /* what to return when nothing is kept */
	gfp_t with;
	void *kept[8];
};

static int
evict(struct numaslab_account *a, size_t want, void *arg)
{
	struct eviction *e = arg;
	void *p;

	e->calls++;
	e->want = want;
	CHECK(bytes_of(a) + want > stat_of(a).limit);
	if (e->with != 0) { /* its own requests pass the limit */
		p = kmem_cache_alloc(charged, e->with);
		CHECK(p != NULL);
		CHECK(bytes_of(a) > stat_of(a).limit);
		kmem_cache_free(charged, p);
	}
	if (e->nkept == 0)
		return e->retry;
	kmem_cache_free(charged, e->kept[--e->nkept]);
	return 1;
}

static void
test_limit(void)
{
	static const gfp_t silent[] = { GFP_NOWAIT,
					GFP_NOIO,
					GFP_NOFS,
					__GFP_DIRECT_RECLAIM,
					__GFP_DIRECT_RECLAIM | __GFP_FS,
					__GFP_IO | __GFP_FS };
	struct eviction e = { 0 };
	struct numaslab_account *a = create("limit", 8 * PRICE, evict, &e);
	void *p, *q;

	numaslab_account_use(a);
	for (e.nkept = 0; e.nkept < 8; e.nkept++)
		e.kept[e.nkept] = kmem_cache_alloc(charged, GFP_KERNEL);
	CHECK_EQ(bytes_of(a), 8 * PRICE);
	CHECK_EQ(e.calls, 0);
	for (unsigned i = 0; i < sizeof(silent) / sizeof(*silent); i++)
		CHECK_ERRNO(kmem_cache_alloc(charged, silent[i]), NULL, ENOMEM);
	CHECK_EQ(e.calls, 0);
	CHECK_EQ(stat_of(a).failures, sizeof(silent) / sizeof(*silent));

	e.with = GFP_KERNEL;
	p = kmem_cache_alloc(charged, GFP_KERNEL); /* one makes room */
	CHECK(p != NULL);
	CHECK_EQ(e.calls, 1);
	CHECK_EQ(e.want, PRICE);
	CHECK_EQ(e.nkept, 7);
	CHECK_EQ(bytes_of(a), 8 * PRICE);
	e.with = 0;
	q = kmalloc(3 * SIZE, GFP_KERNEL_ACCOUNT); /* several do */
	CHECK(q != NULL);
	CHECK_MSG(e.nkept == 3, "%u are kept", e.nkept);
	while (e.nkept > 0)
		kmem_cache_free(charged, e.kept[--e.nkept]);

	e.calls = 0; /* nothing to free */
	CHECK_ERRNO(kmalloc(100000, GFP_KERNEL_ACCOUNT), NULL, ENOMEM);
	CHECK_EQ(e.calls, 1);
	e.calls = 0;
	e.retry = 1; /* it says it has, and has not */
	CHECK_ERRNO(kmalloc(100000, GFP_KERNEL_ACCOUNT), NULL, ENOMEM);
	CHECK_EQ(e.calls, 16);
	kfree(q);
	kmem_cache_free(charged, p);
	CHECK_EQ(bytes_of(a), 0);
	numaslab_account_use(NULL);
	numaslab_account_destroy(a);
}

/* Who may not fail, or is privileged, passes it. */
static void
test_force(void)
{
	struct numaslab_account *a = create("force", 0, NULL, NULL);
	void *p, *q;

	numaslab_account_use(a);
	CHECK_ERRNO(kmem_cache_alloc(charged, GFP_KERNEL), NULL, ENOMEM);
	CHECK_ERRNO(kmem_cache_alloc(charged, GFP_KERNEL | __GFP_RETRY_MAYFAIL),
		    NULL, ENOMEM);
	p = kmem_cache_alloc(charged, GFP_KERNEL | __GFP_NOFAIL);
	q = kmem_cache_alloc(charged, GFP_ATOMIC);
	CHECK(p != NULL && q != NULL);
	CHECK_EQ(bytes_of(a), 2 * PRICE);
	kmem_cache_free(charged, p);
	kmem_cache_free(charged, q);
	numaslab_account_set_limit(a, PRICE);
	p = kmem_cache_alloc(charged, GFP_KERNEL);
	CHECK(p != NULL);
	numaslab_account_set_limit(a, 0); /* what is charged stays */
	CHECK_EQ(bytes_of(a), PRICE);
	CHECK_ERRNO(kmem_cache_alloc(charged, GFP_KERNEL), NULL, ENOMEM);
	kmem_cache_free(charged, p);
	numaslab_account_use(NULL);
	numaslab_account_destroy(a);
}

/* Without memory nothing stays charged. */
static void
test_no_memory(void)
{
	struct numaslab_account *a = create("full", SIZE_MAX, NULL, NULL);
	size_t huge = 1ul << 45, most = 1ul << 46; /* no account pays that */

	numaslab_account_use(a);
	CHECK_ERRNO(kmalloc(huge, GFP_KERNEL_ACCOUNT), NULL, ENOMEM);
	CHECK_EQ(bytes_of(a), 0);
	CHECK_EQ(stat_of(a).peak, huge);
	CHECK_EQ(stat_of(a).failures, 0);
	CHECK_ERRNO(kmalloc(most, GFP_KERNEL_ACCOUNT), NULL, ENOMEM);
	CHECK_ERRNO(kmalloc(most, GFP_ATOMIC | __GFP_ACCOUNT), NULL, ENOMEM);
	CHECK_EQ(stat_of(a).failures, 2);
	CHECK_EQ(bytes_of(a), 0);
	numaslab_account_use(NULL);
	numaslab_account_destroy(a);
}

/* --- with the rest of a cache --- */

static void
ctor(void *p)
{
	memset(p, 0x42, SIZE);
}

static void
test_constructed(void)
{
	struct numaslab_account *a = create("ctor", SIZE_MAX, NULL, NULL);
	struct kmem_cache *c = kmem_cache_create("ctor", SIZE, 0, 0, ctor);
	struct kmem_cache_args args = { .limit = 3 };
	unsigned char *p;

	numaslab_account_use(a);
	for (unsigned i = 0; i < 500; i++) {
		p = objs[i] = kmem_cache_alloc(c, GFP_KERNEL_ACCOUNT);
		REQUIRE(p != NULL);
		CHECK(p[0] == 0x42 && p[SIZE - 1] == 0x42);
	}
	CHECK_ERRNO(kmem_cache_zalloc(c, GFP_KERNEL_ACCOUNT), NULL, EINVAL);
	kmem_cache_free_bulk(c, 500, objs);
	kmem_cache_destroy(c);
	/* A limit counts both kinds of objects. */
	c = kmem_cache_create("both", SIZE, &args, 0);
	objs[0] = kmem_cache_alloc(c, GFP_KERNEL);
	objs[1] = kmem_cache_alloc(c, GFP_KERNEL_ACCOUNT);
	objs[2] = kmem_cache_alloc(c, GFP_KERNEL_ACCOUNT);
	CHECK(objs[0] != NULL && objs[1] != NULL && objs[2] != NULL);
	CHECK_ERRNO(kmem_cache_alloc(c, GFP_NOWAIT), NULL, ENOMEM);
	CHECK_ERRNO(kmem_cache_alloc(c, GFP_NOWAIT | __GFP_ACCOUNT), NULL,
		    ENOMEM);
	CHECK_EQ(bytes_of(a), 2 * PRICE);
	kmem_cache_free_bulk(c, 3, objs);
	objs[0] = kmem_cache_alloc(c, GFP_NOWAIT | __GFP_ACCOUNT);
	CHECK(objs[0] != NULL);
	kmem_cache_free(c, objs[0]);
	kmem_cache_destroy(c);
	numaslab_account_use(NULL);
	numaslab_account_destroy(a);
}

/* Watched as well: the notes and the zones do not touch each other. */
static void
test_watched(void)
{
	struct numaslab_account *a = create("watched", SIZE_MAX, NULL, NULL);
	struct kmem_cache *c = kmem_cache_create(
	    "watched", SIZE, 64,
	    SLAB_ACCOUNT | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER, NULL);

	REQUIRE(c != NULL);
	numaslab_account_use(a);
	for (unsigned i = 0; i < MANY; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		REQUIRE(objs[i] != NULL);
		CHECK_EQ((uintptr_t)objs[i] % 64, 0);
		memset(objs[i], (int)i, SIZE);
	}
	CHECK(bytes_of(a) >= MANY * PRICE);
	for (unsigned i = 0; i < MANY; i++)
		kmem_cache_free(c, objs[i]);
	CHECK_EQ(bytes_of(a), 0);
	numaslab_account_use(NULL);
	numaslab_account_destroy(a);
	kmem_cache_destroy(c);
}

static int
count_leaky(struct kmem_cache *c, void *arg)
{
	*(int *)arg += strncmp(kmem_cache_name(c), "leaky", 5) == 0;
	return 0;
}

static void
leak(void *arg)
{
	struct numaslab_account *a = create("leak", SIZE_MAX, NULL, NULL);
	struct kmem_cache *c = kmem_cache_create("leaky", SIZE, 0, 0, NULL);
	int names = 0;
	char *p;

	(void)arg;
	numaslab_account_use(a);
	p = kmem_cache_alloc(c, GFP_KERNEL_ACCOUNT);
	kmem_cache_for_each(count_leaky, &names);
	CHECK_EQ(names, 2);
	kmem_cache_destroy(c);
	kmem_cache_for_each(count_leaky, &names);
	CHECK_EQ(names, 2); /* none any more */
	memset(p, 1, SIZE); /* stays valid */
	CHECK_EQ(bytes_of(a), PRICE);
}

static void
free_to_other(void *arg)
{
	struct numaslab_account *a = create("other", SIZE_MAX, NULL, NULL);

	(void)arg;
	numaslab_account_use(a);
	kmem_cache_free(charged, kmem_cache_alloc(plain, GFP_KERNEL_ACCOUNT));
}

static void
free_twice(void *arg)
{
	struct numaslab_account *a = create("twice", SIZE_MAX, NULL, NULL);
	void *p;

	(void)arg;
	numaslab_account_use(a);
	p = kmem_cache_alloc(charged, GFP_KERNEL);
	kmem_cache_free(charged, p);
	kmem_cache_free(charged, p);
}

static void
destroy_twice(void *arg)
{
	struct numaslab_account *a = create("gone", SIZE_MAX, NULL, NULL);

	numaslab_account_use(*(int *)arg ? a : NULL); /* still in use, or not */
	numaslab_account_destroy(a);
	numaslab_account_destroy(a);
}

static void
use_destroyed(void *arg)
{
	struct numaslab_account *a = create("gone", SIZE_MAX, NULL, NULL);
	struct numaslab_account_stat st;

	numaslab_account_destroy(a);
	switch (*(int *)arg) {
	case 0:
		numaslab_account_use(a);
		break;
	case 1:
		numaslab_account_set_limit(a, 0);
		break;
	case 2:
		(void)!kmem_cache_create(
		    "late", 64, &(struct kmem_cache_args){ .account = a },
		    SLAB_ACCOUNT);
		break;
	default:
		numaslab_account_stat(a, &st);
		break;
	}
}

static void
test_misuse_of_accounts(void)
{
	static const char *const calls[] = { "numaslab_account_use(0x",
					     "numaslab_account_set_limit(0x",
					     "kmem_cache_create(0x",
					     "numaslab_account_stat(0x" };
	int i = 0;

	CHECK_ABORTS(destroy_twice, &i, "): the account was destroyed");
	i = 1;
	CHECK_ABORTS(destroy_twice, &i, "numaslab_account_destroy(0x");
	for (i = 0; i < 4; i++)
		CHECK_ABORTS(use_destroyed, &i, calls[i]);
}

static void
test_misuse(void)
{
	struct test_output out;

	CHECK_EQ(run_child(leak, NULL, &out), 0);
	CHECK_MSG(strstr(out.text, "kmem_cache_destroy(leaky): 1 objects") !=
		      NULL,
		  "%s", out.text);
	CHECK_EQ(run_child(free_to_other, NULL, &out), SIGABRT);
	CHECK_MSG(strstr(out.text,
			 "an object of another cache (cache plain-cg") != NULL,
		  "%s", out.text);
	CHECK_EQ(run_child(free_twice, NULL, &out), SIGABRT);
	CHECK_MSG(strstr(out.text, "already free (cache charged") != NULL, "%s",
		  out.text);
}

/* --- threads --- */

#define THREADS 4
#define ROUNDS  2000

static struct numaslab_account *own[THREADS];
static void *handed[THREADS][64];

static void *
churn(void *arg)
{
	unsigned t = (unsigned)(uintptr_t)arg;
	uint64_t seed = t + 1;
	void **slot, *p;

	numaslab_account_use(own[t]);
	for (unsigned i = 0; i < ROUNDS; i++) {
		slot = &handed[test_random(&seed) % THREADS]
			      [test_random(&seed) % 64];
		p = i % 2 ? kmem_cache_alloc(charged, GFP_KERNEL)
			  : kmalloc(test_random(&seed) % 5000,
				    GFP_KERNEL_ACCOUNT);
		p = __atomic_exchange_n(slot, p, __ATOMIC_ACQ_REL);
		kfree(p);
	}
	return NULL; /* the thread's account goes with it */
}

static void
test_threads(void)
{
	pthread_t threads[THREADS];
	uintptr_t t;

	for (t = 0; t < THREADS; t++)
		own[t] = create("own", 64 * 5000, NULL, NULL);
	for (t = 0; t < THREADS; t++)
		REQUIRE(pthread_create(&threads[t], NULL, churn, (void *)t) ==
			0);
	for (t = 0; t < THREADS; t++)
		REQUIRE(pthread_join(threads[t], NULL) == 0);
	for (t = 0; t < THREADS; t++)
		for (unsigned i = 0; i < 64; i++)
			kfree(handed[t][i]);
	for (t = 0; t < THREADS; t++) {
		CHECK_EQ(bytes_of(own[t]), 0);
		CHECK(stat_of(own[t]).peak > 0);
		numaslab_account_destroy(own[t]);
	}
}

int
main(int argc, char **argv)
{
	(void)argc;
	test_env(argv, "NUMASLAB_FAKE_NODES", "2");
	charged = kmem_cache_create("charged", SIZE, 0, SLAB_ACCOUNT, NULL);
	plain = kmem_cache_create("plain", SIZE, 0, SLAB_NO_MERGE, NULL);
	REQUIRE(charged != NULL && plain != NULL);
	test_create();
	test_use();
	test_of_cache();
	test_flag();
	test_kmalloc();
	test_sheaf();
	test_limit();
	test_force();
	test_no_memory();
	test_constructed();
	test_watched();
	test_misuse();
	test_misuse_of_accounts();
	test_threads();
	kmem_cache_destroy(charged);
	kmem_cache_destroy(plain);
	return test_done();
}
