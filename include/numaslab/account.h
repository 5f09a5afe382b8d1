/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accounts: how much memory a tenant, a session or a query may hold, as the
 * Linux kernel charges memory cgroups.
 *
 * Objects of caches with SLAB_ACCOUNT, and those that are asked for with
 * __GFP_ACCOUNT, are charged to an account when they are allocated: the
 * cache's own (kmem_cache_args), or else the thread's (numaslab_account_use).
 * When there is neither, nothing is charged.  Whoever frees an object
 * uncharges the account that it was charged to.
 *
 * Charged is the room that an object takes up: exactly, object by object,
 * for a slab's objects may be of many accounts.
 *
 * Thread safety: every function may be called by any thread at any time.
 * Errors: an account that was destroyed aborts with one line on stderr.
 */
#ifndef NUMASLAB_ACCOUNT_H
#define NUMASLAB_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct numaslab_account;

/*
 * What a request calls that would pass the limit, if its flags let the
 * program's code run (as for shrinkers: GFP_KERNEL does, GFP_NOFS does not).
 * @want: the bytes that it needs.  Returns other than 0 if it is worth trying
 * again, because something was freed or the limit raised; it is called 16
 * times at most for a request.  Runs with no lock held, perhaps in several
 * threads at once.  It may allocate; its own requests pass the limit.
 */
typedef int numaslab_over_t(struct numaslab_account *account, size_t want,
			    void *arg);

/*
 * numaslab_account_create - an account with nothing charged to it.
 * @name:  copied, of which 31 bytes are kept; not NULL.
 * @limit: bytes that may be charged; SIZE_MAX is no limit but 64 TiB.
 * @over:  called with @arg when a request would pass it, or NULL.
 * The caller owns it until numaslab_account_destroy.  NULL with errno EINVAL
 * (no name) or ENOMEM.
 */
struct numaslab_account *numaslab_account_create(const char *name, size_t limit,
						 numaslab_over_t *over,
						 void *arg)
    __attribute__((warn_unused_result));

/*
 * numaslab_account_destroy - the caller is done with it; NULL is ignored.  The
 * account goes with the last object charged to it, the last cache that has it
 * and the last thread that uses it.
 */
void numaslab_account_destroy(struct numaslab_account *account);

/*
 * numaslab_account_use - charge the calling thread's requests to @account from
 * now on, or to none (NULL).  Returns the one before, which the caller may put
 * back if its owner still has it.  After Linux's set_active_memcg.
 */
struct numaslab_account *numaslab_account_use(struct numaslab_account *account);

/*
 * numaslab_account_set_limit - another limit, in bytes.  What is charged above
 * it stays.
 */
void numaslab_account_set_limit(struct numaslab_account *account, size_t limit);

/* An account's figures. */
struct numaslab_account_stat {
	char name[32];
	size_t limit;      /* bytes */
	size_t bytes;      /* charged now */
	size_t peak;       /* the most that ever was */
	uint64_t failures; /* requests that failed because of the limit */
};

/*
 * numaslab_account_stat - fill *@st.  Each figure is right at some moment of
 * the call.  Returns 0, or -1 with errno EINVAL: no account.
 */
int numaslab_account_stat(const struct numaslab_account *account,
			  struct numaslab_account_stat *st);

#ifdef __cplusplus
}
#endif
#endif
