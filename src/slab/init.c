/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab/init.c - waking up.
 *
 * The first slow path of the process calls ns_init(): address space,
 * topology (the cheap half), pools, then the depots of malloc's classes in
 * one run.  Nothing of it allocates, so there is no recursion to break; a
 * second thread that comes meanwhile waits.
 *
 * The constructor runs later, when libc is ready: options again, in case the
 * first malloc came before environ was set, and the fork handlers.  It does
 * not wake the library up: a program that never allocates pays nothing.
 */
#include "slab/slab.h"

#include "base/options.h"

#include <errno.h>

static uint32_t state; /* [a] 0 asleep, 1 waking, 2 awake, 3 failed */

uint64_t ns_key;

static int
wake(void)
{
	unsigned nslots;
	struct ns_unit *u;
	size_t size;

	if (ns_page_init() != 0)
		return -ENOMEM;
	nslots = ns_topo.nslots;
	size = NS_NCLASS * nslots * sizeof(struct ns_depot);
	u = ns_run_alloc(0, (size + NS_UNIT - 1) >> NS_UNIT_SHIFT, 1,
			 NS_RUN_ZERO | NS_RUN_OVER);
	if (u == NULL || ns_registry_init() != 0)
		return -ENOMEM;
	ns_run_publish(u, NS_KIND_HEAP);
	ns_key = ns_os_random();
	ns_classes_init((struct ns_depot *)(void *)ns_unit_addr(u), nslots);
	return 0;
}

int
ns_init(void)
{
	uint32_t expected = 0, s = ns_load_acquire(&state);

	if (ns_likely(s == 2))
		return 0;
	if (s == 0 && ns_cas_acquire(&state, &expected, 1u)) {
		s = wake() == 0 ? 2 : 3;
		ns_store_release(&state, s);
		ns_os_wake(&state);
	}
	while ((s = ns_load_acquire(&state)) == 1)
		ns_os_sleep_on(&state, 1, 10);
	return s == 2 ? 0 : -ENOMEM;
}

bool
ns_is_awake(void)
{
	return ns_load_acquire(&state) == 2;
}

__attribute__((constructor)) static void
construct(int argc, char **argv, char **envp)
{
	(void)argc;
	(void)argv;
	if (!ns_options_read(NULL) && ns_options_read(envp) && ns_is_awake())
		ns_policy_init();
	ns_fork_init();
}
