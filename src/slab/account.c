/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/account.c - charging objects to accounts with a limit.
 *
 * 1. Each object is charged by itself, with the distance of objects and its
 *    note of who pays.  Charging whole slabs would be cheaper, and wrong: a
 *    slab's objects are of many accounts, and it comes and goes with the last
 *    of them.
 * 2. Caches with SLAB_ACCOUNT are special (slab.h), so that fast paths need
 *    not ask.  A request with __GFP_ACCOUNT of any other cache, kmalloc's too,
 *    is served by the cache's *twin*, made at the first such request: the same
 *    cache with SLAB_ACCOUNT (cache.c).
 * 3. A request is charged before it looks for memory, and its thread holds no
 *    lock.  Over the limit it calls the program, which may free; the requests
 *    that it makes itself then pass the limit, as do those with __GFP_NOFAIL
 *    or __GFP_HIGH and those of a shrinker.
 * 4. An account is there as long as it has holders (its owner, caches, threads)
 *    or bytes charged to it.  Both are counted in one word, so that a charge
 *    is one atomic operation, and whoever makes the word 0 frees the account.
 */
#include "slab/account.h"

#include "slab/gfp.h"

#include <errno.h>
#include <string.h>

#define TRIES 16u

/* The word: bytes below, up to 64 TiB, and holders above, up to 262143. */
#define HOLDER (1ul << 46)
#define BYTES  (HOLDER - 1)

struct numaslab_account {
	uint64_t spare[2];     /* where a freed block has its link and mark */
	struct ns_tag tag;     /* [a] until it is destroyed */
	uint64_t word;         /* [a] holders and bytes: see above */
	uint64_t limit;        /* [a] */
	uint64_t peak;         /* [a] */
	uint64_t failures;     /* [a] */
	numaslab_over_t *over; /* [I] or NULL */
	void *arg;             /* [I] */
	char name[32];         /* [I] */
};

static __thread struct numaslab_account *active ns_tls_model;
static __thread bool calling ns_tls_model; /* this thread is in an over() */

static void
check(const struct numaslab_account *a, const char *call)
{
	ns_check_thing(a, offsetof(struct numaslab_account, tag), NS_ACCOUNT,
		       call);
}

void
ns_account_get(struct numaslab_account *a)
{
	if (a != NULL)
		ns_add_relaxed(&a->word, HOLDER);
}

/* For a cache that the program makes. */
void
ns_account_attach(struct numaslab_account *a)
{
	if (a != NULL)
		check(a, "kmem_cache_create");
	ns_account_get(a);
}

/* Whoever frees it has seen what the others did. */
static void
take_away(struct numaslab_account *a, uint64_t what)
{
	if (__atomic_sub_fetch(&a->word, what, __ATOMIC_ACQ_REL) == 0)
		kfree(a);
}

void
ns_account_put(struct numaslab_account *a)
{
	if (a != NULL)
		take_away(a, HOLDER);
}

struct numaslab_account *
ns_account_for(const struct kmem_cache *c)
{
	return c != NULL && c->account != NULL ? c->account : active;
}

/* Charges if that is within @limit; *@now are the bytes then. */
static bool
fits(struct numaslab_account *a, size_t bytes, uint64_t limit, uint64_t *now)
{
	uint64_t old = ns_load_relaxed(&a->word);

	limit = ns_min(limit, BYTES);
	do
		if (bytes > limit || (old & BYTES) > limit - bytes)
			return false;
	while (!ns_cas_acquire(&a->word, &old, old + bytes));
	*now = (old & BYTES) + bytes;
	return true;
}

/* The program's turn.  True: it is worth trying again. */
static bool
call_over(struct numaslab_account *a, size_t bytes, gfp_t gfp)
{
	int saved = errno;
	bool again;

	if (a->over == NULL || !ns_gfp_may_call(gfp))
		return false;
	calling = true;
	again = a->over(a, bytes, a->arg) != 0;
	calling = false;
	errno = saved;
	return again;
}

static void
note_peak(struct numaslab_account *a, uint64_t now)
{
	uint64_t peak = ns_load_relaxed(&a->peak);

	while (now > peak && !ns_cas_acquire(&a->peak, &peak, now))
		;
}

bool
ns_account_try(struct numaslab_account *a, size_t bytes)
{
	uint64_t now;

	if (a == NULL)
		return true;
	if (!fits(a, bytes, ns_load_relaxed(&a->limit), &now))
		return false;
	note_peak(a, now);
	return true;
}

bool
ns_account_charge(struct numaslab_account *a, size_t bytes, gfp_t gfp)
{
	bool force = calling || ns_is_shrinking();
	unsigned tries = 0;
	uint64_t now;

	if (a == NULL)
		return true;
	while (!fits(a, bytes, ns_load_relaxed(&a->limit), &now)) {
		if (!force && tries++ < TRIES && call_over(a, bytes, gfp))
			continue;
		force |= (gfp & (__GFP_NOFAIL | __GFP_HIGH)) != 0;
		if (!force || !fits(a, bytes, BYTES, &now)) {
			ns_add_relaxed(&a->failures, 1ul);
			return false;
		}
		break;
	}
	note_peak(a, now);
	return true;
}

void
ns_account_uncharge(struct numaslab_account *a, size_t bytes)
{
	if (a != NULL)
		take_away(a, bytes);
}

ns_export struct numaslab_account *
numaslab_account_create(const char *name, size_t limit, numaslab_over_t *over,
			void *arg)
{
	struct numaslab_account *a;

	if (name == NULL) {
		errno = EINVAL;
		return NULL;
	}
	a = kzalloc(sizeof(*a), GFP_KERNEL);
	if (a == NULL)
		return NULL;
	ns_tag_set(&a->tag, NS_ACCOUNT);
	a->limit = limit;
	a->word = HOLDER;
	a->over = over;
	a->arg = arg;
	ns_format(a->name, sizeof(a->name), "%s", name);
	return a;
}

ns_export void
numaslab_account_destroy(struct numaslab_account *a)
{
	if (a == NULL)
		return;
	check(a, __func__);
	ns_tag_end(&a->tag, NS_ACCOUNT);
	ns_account_put(a);
}

ns_export struct numaslab_account *
numaslab_account_use(struct numaslab_account *a)
{
	struct numaslab_account *old = active;

	if (a != NULL) {
		check(a, __func__);
		ns_heap_home(); /* so that the thread's end is noticed */
	}
	ns_account_get(a);
	active = a;
	ns_account_put(old);
	return old;
}

ns_export void
numaslab_account_set_limit(struct numaslab_account *a, size_t limit)
{
	check(a, __func__);
	ns_store_relaxed(&a->limit, limit);
}

ns_export int
numaslab_account_stat(const struct numaslab_account *a,
		      struct numaslab_account_stat *st)
{
	if (a == NULL) {
		errno = EINVAL;
		return -1;
	}
	check(a, __func__);
	if (st == NULL)
		ns_broken(__func__, a->name, NULL, "no struct to fill");
	memcpy(st->name, a->name, sizeof(st->name));
	st->limit = ns_load_relaxed(&a->limit);
	st->bytes = ns_load_relaxed(&a->word) & BYTES;
	st->peak = ns_load_relaxed(&a->peak);
	st->failures = ns_load_relaxed(&a->failures);
	return 0;
}
