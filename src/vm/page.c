/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/page.c - the calls of vm_page.h that give out pages and tell about them.
 *
 * What they do on one node is in node.c.  Here a request finds its nodes:
 * the home node first, then the others by distance as far as the policy
 * permits; vm_page_alloc_domain has one node only, and the policy, which is
 * for those who do not say where, no say.
 */
#include "vm/vm.h"

#include <errno.h>

#define KNOWN_FLAGS                                             \
	(VM_ALLOC_CLASS_MASK | VM_ALLOC_ZERO | VM_ALLOC_NOOBJ | \
	 VM_ALLOC_WIRED | VM_ALLOC_NOBUSY | VM_ALLOC_IFCACHED | \
	 VM_ALLOC_IFNOTCACHED)

static __thread ns_tls_model uint32_t turn; /* interleave: last slot, or 0 */

static unsigned
home_slot(void)
{
	const uint32_t *word = ns_os_rseq_cpu();
	unsigned cpu = 0;

	if (ns_topo.one_node)
		return 0;
	if (ns_policy.mode == NS_POLICY_INTERLEAVE && turn != 0)
		return (turn = ns_policy_next(turn - 1) + 1) - 1;
	if (word != NULL)
		cpu = ns_load_relaxed(word);
	else
		ns_os_getcpu(&cpu, NULL);
	turn = ns_policy_home(cpu) + 1;
	return turn - 1;
}

/* 0, or what is wrong with the request. */
static int
request_error(int req)
{
	unsigned class = (unsigned)req & VM_ALLOC_CLASS_MASK;

	if (!ns_is_pow2(class) || ((unsigned)req & ~KNOWN_FLAGS) != 0 ||
	    (req & VM_ALLOC_NOOBJ) == 0)
		return EINVAL;
	return (req & VM_ALLOC_IFCACHED) != 0 ? ENOENT : 0;
}

static struct vm_page *
from_nearest(int req)
{
	unsigned home = home_slot(), i;
	struct vm_page *m = ns_vm_alloc(&ns_vm_nodes[home], req);
	const uint8_t *order;

	if (ns_likely(m != NULL) || ns_topo.nslots == 1)
		return m;
	order = ns_topo_order(home);
	for (i = 1; m == NULL && i < ns_topo.nslots; i++) {
		if (!ns_policy_permits(order[i]))
			continue;
		m = ns_vm_alloc(&ns_vm_nodes[order[i]], req);
		if (m != NULL)
			ns_add_relaxed(&ns_vm_nodes[order[i]].spilled, 1);
	}
	return m;
}

static vm_page_t
finish(struct vm_page *m, int req)
{
	if (ns_unlikely(m == NULL))
		errno = ENOMEM;
	else if ((req & VM_ALLOC_WIRED) != 0)
		ns_vm_wire_new(m, (req & VM_ALLOC_INTERRUPT) == 0);
	return m;
}

static vm_page_t
refuse(int error)
{
	errno = error;
	return NULL;
}

ns_export vm_page_t
vm_page_alloc(vm_object_t object, vm_pindex_t pindex, int req)
{
	int error = request_error(req);

	(void)object;
	(void)pindex;
	if (ns_unlikely(error != 0))
		return refuse(error);
	if (ns_unlikely(ns_vm_init() != 0))
		return refuse(ENOMEM);
	return finish(from_nearest(req), req);
}

ns_export vm_page_t
vm_page_alloc_domain(vm_object_t object, vm_pindex_t pindex, int domain,
		     int req)
{
	int error = request_error(req);
	unsigned slot;

	(void)object;
	(void)pindex;
	if (ns_unlikely(error == EINVAL))
		return refuse(error);
	if (ns_unlikely(ns_vm_init() != 0))
		return refuse(ENOMEM);
	if (domain < 0 || domain >= NS_MAX_NODES)
		return refuse(EINVAL);
	slot = ns_topo.slot_of_node[domain];
	if (slot == NS_NO_SLOT || !ns_topo.allowed[slot])
		return refuse(EINVAL);
	if (ns_unlikely(error != 0))
		return refuse(error);
	return finish(ns_vm_alloc(&ns_vm_nodes[slot], req), req);
}

ns_export void
vm_page_free(vm_page_t m)
{
	ns_vm_free(m);
}

ns_export void *
vm_page_addr(vm_page_t m)
{
	ns_vm_assert_allocated("vm_page_addr", m);
	return m->addr;
}

ns_export size_t
vm_page_size(void)
{
	ns_vm_init();
	return ns_page_size;
}

ns_export int
vm_page_domain(vm_page_t m)
{
	ns_vm_assert_allocated("vm_page_domain", m);
	return ns_topo.node_of_slot[ns_slot_of(m)];
}

ns_export int
vm_page_flags(vm_page_t m)
{
	ns_vm_assert_allocated("vm_page_flags", m);
	return (m->zero ? PG_ZERO : 0) | (ns_vm_mlocked(m) ? PG_MLOCKED : 0);
}
