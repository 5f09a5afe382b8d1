/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topo/hwloc.c - hwloc's finer view of who is near whom.
 *
 * The kernel's SLIT is coarse: on many machines all remote nodes are equally
 * far.  hwloc also knows latencies and bandwidths (ACPI HMAT) and which
 * nodes share a package, a group or a socket.  So the spill order becomes
 *
 *	distance, then latency, then bandwidth, then the deepest common
 *	ancestor in the tree, then ring order,
 *
 * each deciding only among what the one before leaves equal.  What each
 * node's memory is like, as its best initiator sees it, comes from there too.
 *
 * libhwloc is loaded, used once and closed again: nobody pays for it before
 * (nor at all in a process of one node), and it brings some 20 mappings that
 * would otherwise stay.  It allocates, so this never runs inside malloc, and
 * it is told not to bind the calling thread, as it may otherwise do.
 *
 * HWLOC_SYNTHETIC and HWLOC_XMLFILE replace the machine that hwloc sees.
 * Only orders and distances among the nodes that exist come from there, and
 * only when that machine has exactly our nodes with memory: nothing is ever
 * bound to a node because of them.  A process with raised privileges does
 * not load hwloc, which would read files that the environment names.
 *
 * Readers: see topo.c.  The draft is private until ns_topo_publish().
 */
#include "topo/internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <hwloc.h>
#include <string.h>
#include <sys/auxv.h>

#if HWLOC_API_VERSION >> 16 != 2
#error "libhwloc.so.15 is hwloc 2"
#endif
#define SONAME "libhwloc.so.15"

#define HAVE_MEMATTRS (HWLOC_API_VERSION >= 0x00020300)
#if HWLOC_API_VERSION >= 0x00020500
#define LOAD_FLAGS                                \
	(HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED | \
	 HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING)
#else
#define LOAD_FLAGS HWLOC_TOPOLOGY_FLAG_WHOLE_SYSTEM
#endif

#define UNKNOWN UINT64_MAX

/* hwloc's own types: the header and the library cannot disagree unseen. */
#define FUNCTIONS(X)              \
	X(topology_init)          \
	X(topology_set_flags)     \
	X(topology_load)          \
	X(topology_destroy)       \
	X(topology_is_thissystem) \
	X(get_nbobjs_by_depth)    \
	X(get_obj_by_depth)       \
	X(distances_get_by_type)  \
	X(distances_release)

struct hwloc {
	void *handle;
#define X(name) __typeof__(hwloc_##name) *name;
	FUNCTIONS(X)
#undef X
#if HAVE_MEMATTRS
	__typeof__(hwloc_memattr_get_value) *memattr_get_value; /* or NULL */
	__typeof__(hwloc_memattr_get_best_initiator)
	    *memattr_get_best; /* too */
#endif
	hwloc_topology_t topology;
	hwloc_obj_t node[NS_MAX_SLOTS]; /* by slot */
};

static int
open_library(struct hwloc *h)
{
	h->handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
	if (h->handle == NULL)
		return -ENOENT;
#define X(name)                                     \
	h->name = dlsym(h->handle, "hwloc_" #name); \
	if (h->name == NULL)                        \
		return -ENOSYS;
	FUNCTIONS(X)
#undef X
#if HAVE_MEMATTRS
	h->memattr_get_value = dlsym(h->handle, "hwloc_memattr_get_value");
	h->memattr_get_best =
	    dlsym(h->handle, "hwloc_memattr_get_best_initiator");
#endif
	return 0;
}

/*
 * With hwloc's default filters: a described machine may hang its nodes under
 * any object, and a node whose object is filtered out loses its locality.
 */
static int
load_topology(struct hwloc *h)
{
	if (h->topology_init(&h->topology) != 0) {
		h->topology = NULL;
		return -ENOMEM;
	}
	if (h->topology_set_flags(h->topology, LOAD_FLAGS) != 0)
		return -ENOSYS;
	return h->topology_load(h->topology) == 0 ? 0 : -EINVAL;
}

/* Our nodes with memory and hwloc's must be the same ones. */
static int
match_nodes(struct hwloc *h)
{
	int depth = HWLOC_TYPE_DEPTH_NUMANODE;
	unsigned n = (unsigned)h->get_nbobjs_by_depth(h->topology, depth);
	unsigned slot, matched = 0;
	hwloc_obj_t obj;

	for (unsigned i = 0; i < n; i++) {
		obj = h->get_obj_by_depth(h->topology, depth, i);
		slot = NS_NO_SLOT;
		if (obj->os_index < NS_MAX_NODES)
			slot = ns_topo.slot_of_node[obj->os_index];
		if (slot == NS_NO_SLOT) {
			if (obj->attr->numanode.local_memory > 0)
				return -ENODEV;
			continue;
		}
		if (h->node[slot] == NULL)
			matched++;
		h->node[slot] = obj;
	}
	return matched == ns_topo.nslots ? 0 : -ENODEV;
}

/* --- distances --- */

static int
index_of(const struct hwloc_distances_s *d, hwloc_obj_t obj)
{
	for (unsigned i = 0; i < d->nbobjs; i++)
		if (d->objs[i] == obj)
			return (int)i;
	return -1;
}

/* In SLIT's units, in which local is 10; 0 when that makes no sense. */
static uint8_t
slit(uint64_t value, uint64_t local)
{
	uint64_t scaled;

	if (local == 0 || value < local || value > UINT32_MAX)
		return 0;
	scaled = value * 10 / local;
	return scaled < UINT8_MAX ? (uint8_t)scaled : UINT8_MAX;
}

static void
use_row(const struct hwloc *h, const struct hwloc_distances_s *d, unsigned from,
	uint8_t *row)
{
	int i = index_of(d, h->node[from]), j;
	const hwloc_uint64_t *values;
	uint8_t value;

	if (i < 0)
		return;
	values = d->values + (size_t)i * d->nbobjs;
	for (unsigned to = 0; to < ns_topo.nslots; to++) {
		j = index_of(d, h->node[to]);
		if (j < 0 || to == from)
			continue;
		value = slit(values[j], values[i]);
		if (value != 0)
			row[to] = value;
	}
}

static void
use_distances(const struct hwloc *h, struct ns_topo_view *v)
{
	struct hwloc_distances_s *d = NULL;
	unsigned count = 1;

	if (h->distances_get_by_type(h->topology, HWLOC_OBJ_NUMANODE, &count,
				     &d, HWLOC_DISTANCES_KIND_MEANS_LATENCY,
				     0) != 0 ||
	    count == 0)
		return;
	for (unsigned from = 0; from < ns_topo.nslots; from++)
		use_row(h, d, from, v->distance[from]);
	h->distances_release(h->topology, d);
}

/* --- ties --- */

struct cost {
	uint64_t latency;           /* ns, or UNKNOWN */
	uint64_t inverse_bandwidth; /* UNKNOWN - MiB/s, or UNKNOWN */
	unsigned levels; /* up from the initiator to what they share */
};

static uint64_t
attribute(const struct hwloc *h, int id, unsigned from, unsigned to)
{
#if HAVE_MEMATTRS
	struct hwloc_location initiator = {
		.type = HWLOC_LOCATION_TYPE_CPUSET,
		.location.cpuset = h->node[from]->cpuset,
	};
	hwloc_uint64_t value;

	if (h->memattr_get_value != NULL &&
	    h->memattr_get_value(h->topology, (hwloc_memattr_id_t)id,
				 h->node[to], &initiator, 0, &value) == 0)
		return value;
#else
	(void)h, (void)id, (void)from, (void)to;
#endif
	return UNKNOWN;
}

static unsigned
levels_up(hwloc_obj_t from, hwloc_obj_t to)
{
	unsigned levels = 0;

	for (hwloc_obj_t a = from; a != NULL; a = a->parent, levels++)
		for (hwloc_obj_t b = to; b != NULL; b = b->parent)
			if (a == b)
				return levels;
	return levels;
}

static struct cost
cost_of(const struct hwloc *h, unsigned from, unsigned to)
{
	struct cost c = { UNKNOWN, UNKNOWN,
			  levels_up(h->node[from], h->node[to]) };
#if HAVE_MEMATTRS
	uint64_t bandwidth;

	c.latency = attribute(h, HWLOC_MEMATTR_ID_LATENCY, from, to);
	bandwidth = attribute(h, HWLOC_MEMATTR_ID_BANDWIDTH, from, to);
	if (bandwidth != UNKNOWN)
		c.inverse_bandwidth = UNKNOWN - bandwidth;
#endif
	return c;
}

static bool
cheaper(const struct cost *a, const struct cost *b)
{
	if (a->latency != b->latency)
		return a->latency < b->latency;
	if (a->inverse_bandwidth != b->inverse_bandwidth)
		return a->inverse_bandwidth < b->inverse_bandwidth;
	return a->levels < b->levels;
}

/* A slot's tie rank: how many others are cheaper. */
static void
use_costs(const struct hwloc *h, struct ns_topo_view *v)
{
	static struct cost cost[NS_MAX_SLOTS]; /* under the once */
	unsigned n = ns_topo.nslots, from, a, b;

	for (from = 0; from < n; from++) {
		for (a = 0; a < n; a++)
			cost[a] = cost_of(h, from, a);
		for (a = 0; a < n; a++)
			for (b = 0; b < n; b++)
				v->tie[from][a] += cheaper(&cost[b], &cost[a]);
	}
}

/* --- memory --- */

#if HAVE_MEMATTRS
static void
use_best(const struct hwloc *h, int id, unsigned slot, uint32_t *figure)
{
	struct hwloc_location best;
	hwloc_uint64_t value;

	if (h->memattr_get_best != NULL &&
	    h->memattr_get_best(h->topology, (hwloc_memattr_id_t)id,
				h->node[slot], 0, &best, &value) == 0 &&
	    value > 0 && value <= UINT32_MAX)
		*figure = (uint32_t)value;
}
#endif

static bool
is_inside(hwloc_obj_t obj, hwloc_obj_t outer)
{
	while (obj != NULL && obj != outer)
		obj = obj->parent;
	return obj == outer;
}

/*
 * A description gives each node the CPUs near to it.  Of several nodes that are
 * near to the same CPUs, these are on the one that is near to the fewest, and
 * among equals on the first.
 */
static bool
has_cpus(const struct hwloc *h, unsigned slot)
{
	hwloc_obj_t mine = h->node[slot]->parent;

	if (h->topology_is_thissystem(h->topology) && !ns_topo.fake)
		return ns_topo.cpus[slot];
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		if (s != slot && is_inside(h->node[s]->parent, mine) &&
		    (s < slot || h->node[s]->parent != mine))
			return false;
	return true;
}

static void
use_name(const char *name, uint8_t *kind)
{
	if (name == NULL)
		return;
	if (strcmp(name, "HBM") == 0 || strcmp(name, "MCDRAM") == 0)
		*kind = NS_MEMORY_HBM;
	else if (strncmp(name, "CXL", 3) == 0)
		*kind = NS_MEMORY_CXL;
	else if (strcmp(name, "DRAM") == 0)
		*kind = NS_MEMORY_DRAM;
}

static void
use_memory(const struct hwloc *h, struct ns_topo_view *v)
{
	static bool cpus[NS_MAX_SLOTS]; /* under the once */
	unsigned s;

	for (s = 0; s < ns_topo.nslots; s++) {
		cpus[s] = has_cpus(h, s);
		v->memory[s].capacity = h->node[s]->attr->numanode.local_memory;
#if HAVE_MEMATTRS
		use_best(h, HWLOC_MEMATTR_ID_LATENCY, s, &v->memory[s].latency);
		use_best(h, HWLOC_MEMATTR_ID_BANDWIDTH, s,
			 &v->memory[s].bandwidth);
#endif
	}
	ns_memory_kinds(v->memory, cpus);
	for (s = 0; s < ns_topo.nslots; s++)
		use_name(h->node[s]->subtype, &v->memory[s].kind);
}

int
ns_hwloc_refine(void)
{
	static struct hwloc h; /* too large for a small thread's stack */
	struct ns_topo_view *draft;
	int error;

	h = (struct hwloc){ 0 };
	error = open_library(&h);
	if (error == 0)
		error = load_topology(&h);
	if (error == 0)
		error = match_nodes(&h);
	if (error == 0) {
		draft = ns_topo_draft();
		use_distances(&h, draft);
		use_costs(&h, draft);
		use_memory(&h, draft);
		ns_topo_publish(draft);
	}
	if (h.topology != NULL)
		h.topology_destroy(h.topology);
	if (h.handle != NULL)
		dlclose(h.handle);
	return error;
}

int
ns_topo_refine(void)
{
	static uint32_t once;
	static int result; /* [I] once done */
	int saved = errno;

	if (ns_topo.one_node)
		return 0;
	if (ns_once_begin(&once)) {
		if (getauxval(AT_SECURE) != 0)
			result = -EPERM;
		else
			result = ns_hwloc_refine();
		ns_once_end(&once);
	}
	errno = saved;
	return result;
}
