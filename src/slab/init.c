/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/init.c - waking up.
 *
 * The first slow path of the process calls ns_init(): address space,
 * topology (the cheap half), pools, then the depots of malloc's classes in
 * one run.  Nothing of it allocates, so there is no recursion to break; a
 * second thread that comes meanwhile waits, and so does fork().
 *
 * The fork handlers are registered then, early: few others run while we hold
 * the locks.
 *
 * The constructor runs later, when libc is ready: options again, in case the
 * first malloc came before environ was set.  It does not wake the library up:
 * a program that never allocates pays nothing.
 */
#include "slab/debug.h"

#include "base/options.h"

#include <errno.h>
#include <string.h>

enum { ASLEEP, AWAKE, FAILED };
static uint32_t state; /* [a] written under ns_wake_lock */

uint64_t ns_key;

static int
wake(void)
{
	unsigned nslots;
	struct ns_unit *u;
	size_t size;

	if (ns_page_init_locked() != 0)
		return -ENOMEM;
	nslots = ns_topo.nslots;
	size = NS_NCLASS * nslots * sizeof(struct ns_depot);
	u = ns_run_alloc(0, (size + NS_UNIT - 1) >> NS_UNIT_SHIFT, 1,
			 NS_RUN_ZERO | NS_RUN_OVER);
	if (u == NULL || ns_registry_init() != 0)
		return -ENOMEM;
	ns_run_publish(u, NS_KIND_HEAP);
	ns_key = ns_os_random();
	ns_store_release(&ns_maint_idle[NS_MAINT_SLAB], ns_idle_trim);
	ns_classes_init((struct ns_depot *)(void *)ns_unit_addr(u), nslots);
	return 0;
}

int
ns_init(void)
{
	bool woke = false;

	/* Pairs with the release below. */
	if (ns_likely(ns_load_acquire(&state) == AWAKE))
		return 0;
	ns_lock(&ns_wake_lock);
	if (state == ASLEEP) {
		woke = wake() == 0;
		ns_store_release(&state, woke ? AWAKE : FAILED);
	}
	ns_unlock(&ns_wake_lock);
	if (woke)
		ns_fork_init();
	return ns_is_awake() ? 0 : -ENOMEM;
}

bool
ns_is_awake(void)
{
	return ns_load_acquire(&state) == AWAKE;
}

__attribute__((constructor)) static void
construct(int argc, char **argv, char **envp)
{
	(void)argc;
	(void)argv;
	if (!ns_options_read(NULL) && ns_options_read(envp) && ns_is_awake())
		ns_policy_init();
	ns_fork_init();
	/* malloc cannot, in the middle of who knows what. */
	if (strcmp(ns_options.slab_debug, "-") != 0)
		ns_debug_prepare(SLAB_STORE_USER);
}

__attribute__((destructor)) static void
destruct(void)
{
	ns_debug_exit();
}
