/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm/page.c - the calls of vm_page.h that give out pages and tell about them.
 *
 * What they do on one node is in node.c.  Here a request finds its nodes:
 * the home node first, then the others as the policy has them, the object's or
 * the process's; vm_page_alloc_domain has one node only, and the policy, which
 * is for those who do not say where, no say.  An object that has a node is the
 * home of its pages.
 */
#include "vm/check.h"
#include "vm/magazine.h"

#include <errno.h>

#define KNOWN_FLAGS                                                \
	(VM_ALLOC_CLASS_MASK | VM_ALLOC_ZERO | VM_ALLOC_NOOBJ |    \
	 VM_ALLOC_WIRED | VM_ALLOC_NOBUSY | VM_ALLOC_IFCACHED |    \
	 VM_ALLOC_IFNOTCACHED | VM_ALLOC_SBUSY | VM_ALLOC_NOWAIT | \
	 VM_ALLOC_NORECLAIM | VM_ALLOC_NODUMP | VM_ALLOC_NOFREE |  \
	 VM_ALLOC_COUNT_MASK)
/* What a row of pages cannot be. */
#define NOT_IN_RUN (VM_ALLOC_IFCACHED | VM_ALLOC_IFNOTCACHED | VM_ALLOC_NOFREE)
/* These have pages of their own. */
#define NOT_OF_MAGAZINE (VM_ALLOC_INTERRUPT | VM_ALLOC_NOFREE)

/* Each of these says what the other denies. */
static const int contrary[] = {
	VM_ALLOC_NOBUSY | VM_ALLOC_SBUSY,
	VM_ALLOC_IFCACHED | VM_ALLOC_IFNOTCACHED,
};

static __thread ns_tls_model uint32_t turn; /* of interleave, or 0: none yet */
static __thread ns_tls_model bool is_pager;

static const struct ns_vm_place anywhere = { .slot = NS_NO_SLOT };

static unsigned
current_cpu(void)
{
	const uint32_t *word = ns_os_rseq_cpu();
	unsigned cpu = 0;

	if (word != NULL)
		return ns_load_relaxed(word);
	ns_os_getcpu(&cpu, NULL);
	return cpu;
}

unsigned
ns_vm_home(void)
{
	unsigned cpu;

	if (ns_topo.one_node)
		return 0;
	if (ns_policy.mode == NS_POLICY_INTERLEAVE && turn != 0)
		return ns_policy_turn(&ns_policy, ++turn);
	cpu = current_cpu();
	if (ns_policy.mode == NS_POLICY_INTERLEAVE)
		turn = ns_policy.turns +
		       ns_policy_first(&ns_policy, ns_topo_slot_of_cpu(cpu));
	return ns_policy_home(cpu);
}

/* Under interleave the index decides, so that a page is where it was before. */
static unsigned
pick(const struct ns_policy *policy, vm_pindex_t pindex)
{
	uint32_t at = 0;

	if (policy->mode == NS_POLICY_INTERLEAVE)
		at = (uint32_t)(pindex % policy->turns);
	return ns_policy_pick(policy, ns_topo_slot_of_cpu(current_cpu()), &at);
}

unsigned
ns_vm_first_slot(unsigned slot, const struct ns_policy *policy)
{
	if (slot != NS_NO_SLOT)
		return slot;
	return policy != NULL ? pick(policy, 0) : ns_vm_home();
}

struct ns_vm_place
ns_vm_place_in(vm_object_t object, vm_pindex_t pindex, unsigned slot)
{
	const struct ns_policy *policy = object->policy;

	if (slot == NS_NO_SLOT && policy != NULL)
		return (struct ns_vm_place){
			.order = object->order,
			.slot = pick(policy, pindex),
			.policy = policy,
		};
	return (struct ns_vm_place){
		.order = object->order,
		.slot = slot != NS_NO_SLOT ? slot : object->home,
		.strict = slot != NS_NO_SLOT,
	};
}

unsigned
ns_vm_order(const struct ns_vm_place *place, unsigned home,
	    uint8_t order[NS_MAX_SLOTS])
{
	order[0] = (uint8_t)home;
	if (place->strict || ns_topo.nslots == 1)
		return 1;
	return ns_policy_order(
	    place->policy != NULL ? place->policy : &ns_policy, home, order);
}

unsigned
ns_vm_slot_of(int domain)
{
	unsigned slot = NS_NO_SLOT;

	if (domain >= 0 && domain < NS_MAX_NODES)
		slot = ns_topo.slot_of_node[domain];
	return slot != NS_NO_SLOT && ns_topo.allowed[slot] ? slot : NS_NO_SLOT;
}

static bool
is_contrary(int req)
{
	bool is = false;

	for (size_t i = 0; i < NS_ARRAY_LEN(contrary); i++)
		is |= (req & contrary[i]) == contrary[i];
	return is;
}

/* 0, or what is wrong with the request. */
int
ns_vm_request_error(vm_object_t object, int req)
{
	unsigned class = (unsigned)req & VM_ALLOC_CLASS_MASK;

	if (!ns_is_pow2(class) || ((unsigned)req & ~KNOWN_FLAGS) != 0 ||
	    is_contrary(req))
		return EINVAL;
	if ((req & VM_ALLOC_NOOBJ) == 0)
		return object != NULL ? 0 : EINVAL;
	return (req & VM_ALLOC_IFCACHED) != 0 ? ENOENT : 0;
}

ns_export bool
vm_pager_thread(bool on)
{
	bool was = is_pager;

	is_pager = on;
	return was;
}

bool
ns_vm_is_pager(void)
{
	return is_pager;
}

static struct vm_page *
from_node(struct ns_vm_node *n, int req, const struct ns_vm_run *run)
{
	return ns_likely(run == NULL) ? ns_vm_alloc(n, req)
				      : ns_vm_alloc_run(n, req, run);
}

static ns_noinline struct vm_page *
spill(const struct ns_vm_place *place, unsigned home, int req,
      const struct ns_vm_run *run)
{
	uint8_t order[NS_MAX_SLOTS];
	unsigned i, n = ns_vm_order(place, home, order);
	struct vm_page *m = NULL;
	struct ns_vm_node *node;

	for (i = 1; m == NULL && i < n; i++) {
		node = ns_vm_node(order[i], place->order);
		m = from_node(node, req, run);
		if (m != NULL)
			ns_add_relaxed(&node->spilled,
				       run != NULL ? run->count : 1);
	}
	return m;
}

struct vm_page *
ns_vm_from(const struct ns_vm_place *place, int req,
	   const struct ns_vm_run *run)
{
	unsigned home = place->slot;
	struct vm_page *m;

	if (ns_unlikely(is_pager) && (req & VM_ALLOC_NORMAL) != 0)
		req ^= VM_ALLOC_NORMAL | VM_ALLOC_SYSTEM;
	if (home == NS_NO_SLOT) {
		if ((req & NOT_OF_MAGAZINE) == 0 && run == NULL &&
		    (m = ns_vm_mag_get(place->order,
				       (req & VM_ALLOC_ZERO) != 0)) != NULL)
			return m;
		home = ns_vm_home();
	}
	m = from_node(ns_vm_node(home, place->order), req, run);
	return ns_likely(m != NULL) ? m : spill(place, home, req, run);
}

/*
 * The kernel leaves the page out of core dumps, or no more: it is asked only
 * when that changes, and not by INTERRUPT.
 */
static ns_cold void
set_dump(struct vm_page *m, bool nodump)
{
	struct ns_vm_chunk *c = (struct ns_vm_chunk *)ns_run_of(m->addr)->body;

	if (ns_os_dump(m->addr, ns_vm_bytes(m), !nodump) != 0)
		return;
	m->nodump = nodump;
	if (nodump)
		ns_store_relaxed(&c->nodump, true);
}

vm_page_t
ns_vm_finish(struct vm_page *m, int req)
{
	bool nodump = (req & VM_ALLOC_NODUMP) != 0;

	if (ns_unlikely(m == NULL)) {
		errno = ENOMEM;
		return NULL;
	}
	if (ns_unlikely(m->nodump != nodump) && (req & VM_ALLOC_INTERRUPT) == 0)
		set_dump(m, nodump);
	if ((req & VM_ALLOC_WIRED) != 0)
		ns_vm_wire_new(m, (req & VM_ALLOC_INTERRUPT) == 0);
	return m;
}

static vm_page_t
refuse(int error)
{
	errno = error;
	return NULL;
}

/* Is it what a magazine serves as it is? */
ns_inline bool
is_plain(int req)
{
	int rest = req & ~VM_ALLOC_ZERO;

	return rest == (VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ) ||
	       rest == (VM_ALLOC_SYSTEM | VM_ALLOC_NOOBJ);
}

static vm_page_t
alloc(const char *call, vm_object_t object, vm_pindex_t pindex, int req)
{
	int error = ns_vm_request_error(object, req);

	if (ns_unlikely(error != 0))
		return refuse(error);
	if ((req & VM_ALLOC_NOOBJ) == 0)
		return ns_vm_object_alloc(call, object, pindex, NS_NO_SLOT,
					  req);
	if (ns_unlikely(ns_vm_init() != 0))
		return refuse(ENOMEM);
	return ns_vm_finish(ns_vm_from(&anywhere, req, NULL), req);
}

ns_export vm_page_t
vm_page_alloc(vm_object_t object, vm_pindex_t pindex, int req)
{
	vm_page_t m;

	if (ns_likely(is_plain(req))) {
		m = (req & VM_ALLOC_ZERO) == 0 ? ns_vm_mag_pop(false)
					       : ns_vm_mag_pop(true);
		if (ns_likely(m != NULL && !m->nodump))
			return m;
		if (m != NULL)
			return ns_vm_finish(m, req);
	}
	return alloc("vm_page_alloc", object, pindex, req);
}

ns_export vm_page_t
vm_page_alloc_after(vm_object_t object, vm_pindex_t pindex, int req,
		    vm_page_t mpred)
{
	const char *call = "vm_page_alloc_after";

	if (mpred != NULL) {
		ns_vm_require(call, mpred, NS_VM_IN_USE | NS_VM_PLACED);
		if (ns_load_relaxed(&mpred->object) != object ||
		    ns_load_relaxed(&mpred->pindex) >= pindex)
			ns_vm_die(call, mpred, "it is not before that index");
	}
	return alloc(call, object, pindex, req & ~VM_ALLOC_NOOBJ);
}

ns_export vm_page_t
vm_page_alloc_domain(vm_object_t object, vm_pindex_t pindex, int domain,
		     int req)
{
	int error = ns_vm_request_error(object, req);
	unsigned slot;

	if (ns_unlikely(error == EINVAL))
		return refuse(error);
	if (ns_unlikely(ns_vm_init() != 0))
		return refuse(ENOMEM);
	slot = ns_vm_slot_of(domain);
	if (slot == NS_NO_SLOT)
		return refuse(EINVAL);
	if (ns_unlikely(error != 0))
		return refuse(error);
	if ((req & VM_ALLOC_NOOBJ) == 0)
		return ns_vm_object_alloc("vm_page_alloc_domain", object,
					  pindex, slot, req);
	return ns_vm_finish(
	    ns_vm_from(&(struct ns_vm_place){ .slot = slot, .strict = true },
		       req, NULL),
	    req);
}

/* Pages in a row, from @slot or, NS_NO_SLOT, from where others come from. */
static vm_page_t
alloc_run(const char *call, vm_object_t object, vm_pindex_t pindex,
	  unsigned slot, int req, const struct ns_vm_run *run)
{
	struct ns_vm_place place = { .slot = slot,
				     .strict = slot != NS_NO_SLOT };
	int error = ns_vm_request_error(object, req);
	vm_page_t first;

	if (error != 0 || (req & NOT_IN_RUN) != 0)
		return refuse(EINVAL);
	if ((req & VM_ALLOC_NOOBJ) == 0)
		return ns_vm_object_run(call, object, pindex, slot, req, run);
	error = ns_vm_run_error(run, ns_page_size);
	if (error != 0)
		return refuse(error);
	first = ns_vm_from(&place, req, run);
	for (size_t i = 0; i < run->count && first != NULL; i++)
		ns_vm_finish(ns_vm_page_of(first->addr + i * ns_page_size),
			     req);
	return first != NULL ? first : refuse(ENOMEM);
}

ns_export vm_page_t
vm_page_alloc_contig(vm_object_t object, vm_pindex_t pindex, int req,
		     unsigned long npages, unsigned long alignment,
		     unsigned long boundary)
{
	struct ns_vm_run run = { npages, alignment, boundary };

	if (ns_unlikely(ns_vm_init() != 0))
		return refuse(ENOMEM);
	return alloc_run("vm_page_alloc_contig", object, pindex, NS_NO_SLOT,
			 req, &run);
}

ns_export vm_page_t
vm_page_alloc_contig_domain(vm_object_t object, vm_pindex_t pindex, int domain,
			    int req, unsigned long npages,
			    unsigned long alignment, unsigned long boundary)
{
	struct ns_vm_run run = { npages, alignment, boundary };
	unsigned slot;

	if (ns_unlikely(ns_vm_init() != 0))
		return refuse(ENOMEM);
	slot = ns_vm_slot_of(domain);
	if (slot == NS_NO_SLOT)
		return refuse(EINVAL);
	return alloc_run("vm_page_alloc_contig_domain", object, pindex, slot,
			 req, &run);
}

#ifdef NS_DEBUG
static void
assert_zero(const char *call, const struct vm_page *m)
{
	const uint64_t *w = (const uint64_t *)(void *)m->addr;

	for (size_t i = 0; i < ns_vm_bytes(m) / sizeof(*w); i++)
		if (w[i] != 0)
			ns_vm_die(call, m, "it is not zero");
}
#else
#define assert_zero(call, m) ((void)0)
#endif

ns_noinline void
ns_vm_free_page(const char *call, struct vm_page *m, bool zero)
{
	ns_vm_chunk_of(call, m);
	if (ns_load_relaxed(&m->object) != NULL)
		ns_vm_leave(call, m);
	if (m->fixed || !ns_vm_may_free(m) || !ns_vm_mag_put(m, zero))
		ns_vm_free(call, m, zero);
	ns_vm_freed();
}

ns_export void
vm_page_free(vm_page_t m)
{
	if (ns_likely(ns_vm_mag_push(m, false)))
		ns_vm_freed();
	else
		ns_vm_free_page("vm_page_free", m, false);
}

ns_export void
vm_page_free_zero(vm_page_t m)
{
	ns_vm_expect("vm_page_free_zero", m, NS_VM_IN_USE);
	assert_zero("vm_page_free_zero", m);
	if (ns_likely(ns_vm_mag_push(m, true)))
		ns_vm_freed();
	else
		ns_vm_free_page("vm_page_free_zero", m, true);
}

ns_export void *
vm_page_addr(vm_page_t m)
{
	ns_vm_expect("vm_page_addr", m, NS_VM_IN_USE);
	return m->addr;
}

ns_export size_t
vm_page_size(void)
{
	ns_vm_init();
	return ns_page_size;
}

ns_export size_t
vm_page_length(vm_page_t m)
{
	ns_vm_expect("vm_page_length", m, NS_VM_IN_USE);
	return ns_vm_bytes(m);
}

ns_export vm_page_t
vm_page_of(const void *addr)
{
	struct vm_page *m = ns_vm_page_of(addr);

	return m != NULL && ns_load_relaxed(&m->state) == NS_VM_ALLOCATED
		   ? m
		   : NULL;
}

ns_export int
vm_page_domain(vm_page_t m)
{
	ns_vm_expect("vm_page_domain", m, NS_VM_IN_USE);
	return ns_topo.node_of_slot[ns_slot_of(m)];
}

ns_export int
vm_page_flags(vm_page_t m)
{
	ns_vm_expect("vm_page_flags", m, NS_VM_IN_USE);
	return (m->zero ? PG_ZERO : 0) | (ns_vm_mlocked(m) ? PG_MLOCKED : 0) |
	       (m->nodump ? PG_NODUMP : 0) |
	       (ns_load_relaxed(&m->flags) & NS_VM_FLAGS);
}

ns_export vm_object_t
vm_page_object(vm_page_t m)
{
	ns_vm_expect("vm_page_object", m, NS_VM_ANY);
	return ns_load_relaxed(&m->object);
}

ns_export vm_pindex_t
vm_page_pindex(vm_page_t m)
{
	ns_vm_expect("vm_page_pindex", m, NS_VM_ANY);
	return ns_load_relaxed(&m->pindex);
}

void
ns_vm_set_flags(struct vm_page *m, int set, int clear)
{
	uint16_t seen = ns_load_relaxed(&m->flags);

	/* Pairs with the acquiring busy of who looks at them next. */
	while (!ns_cas_release(&m->flags, &seen,
			       (uint16_t)((seen | set) & ~clear)))
		;
}

/* What was laid aside because it was dirty is inactive now. */
void
ns_vm_undirty(struct vm_page *m)
{
	ns_vm_set_flags(m, 0, PG_DIRTY);
	ns_vm_queue_again(m, PQ_INACTIVE);
}

ns_export void
vm_page_valid(vm_page_t m)
{
	ns_vm_expect("vm_page_valid", m, NS_VM_IN_USE | NS_VM_BUSY);
	ns_vm_set_flags(m, PG_VALID, 0);
}

ns_export void
vm_page_dirty(vm_page_t m)
{
	ns_vm_expect("vm_page_dirty", m, NS_VM_IN_USE | NS_VM_BUSY);
	ns_vm_set_flags(m, PG_DIRTY | PG_VALID | NS_VM_CHANGED, 0);
}

ns_export void
vm_page_undirty(vm_page_t m)
{
	ns_vm_expect("vm_page_undirty", m, NS_VM_IN_USE | NS_VM_BUSY);
	ns_vm_undirty(m);
}
