/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * numaslab: a NUMA-aware allocator library for database servers.
 *
 * Facts about placement that hold for every kind of memory numaslab hands
 * out: malloc blocks, kmem_cache objects and vm pages alike.  Node numbers
 * are always the operating system's (the ones numactl -H prints).
 *
 * All functions here may be called from any thread at any time, take no
 * lock unless their comment says so, and never sleep.
 */
#ifndef NUMASLAB_NUMASLAB_H
#define NUMASLAB_NUMASLAB_H

#include <stddef.h>
#include <stdint.h>

#define NUMASLAB_VERSION "0.1.0"

#define NUMA_NO_NODE (-1)

#ifdef __cplusplus
extern "C" {
#endif

/*
 * numaslab_node_of - the node that a pointer's memory was taken from.
 * @p: any address, interior ones included.
 *
 * Pure arithmetic: no syscall, no lookup, no access to *p.  It says the
 * intended node; the kernel may have placed the page elsewhere (see
 * numaslab(1) and move_pages(2)).  Returns the node number, or
 * NUMA_NO_NODE when the address is not numaslab's.  errno is not changed.
 */
int numaslab_node_of(const void *p);

/*
 * numaslab_home_node - the node that the calling thread's next default
 * allocation comes from: the current CPU's node under the local policy,
 * the chosen one under bind and preferred, the next in turn under
 * interleave.  Asking changes nothing.  Never fails.
 */
int numaslab_home_node(void);

/*
 * numaslab_max_node - the highest node number numaslab serves, so that
 * arrays indexed by node have numaslab_max_node() + 1 entries.
 */
int numaslab_max_node(void);

/* numaslab_node_allowed - 1 if this process may allocate on @node, else 0. */
int numaslab_node_allowed(int node);

/*
 * numaslab_distance - the SLIT distance between two nodes (10 is local).
 * The first call on a machine of many nodes may load hwloc: milliseconds,
 * and it allocates.
 * Returns 0 and sets errno to EINVAL for a node that is not served.
 */
int numaslab_distance(int from, int to);

/* Per-node figures, in bytes and events since the process started. */
struct numaslab_node_stat {
	int node;              /* operating system's number */
	uint64_t live;         /* bytes in objects now allocated */
	uint64_t used;         /* bytes in page runs that hold objects */
	uint64_t resident;     /* used plus retained: bytes kept from the OS */
	uint64_t retained;     /* bytes free but not yet given back */
	uint64_t committed;    /* bytes of address space made accessible */
	uint64_t spilled;      /* bytes here that another node was asked for */
	uint64_t local_frees;  /* objects freed by a thread at home here */
	uint64_t remote_frees; /* objects freed by threads at home elsewhere */
	uint64_t purged;       /* bytes given back to the OS, ever */
	uint64_t reclaimable;  /* bytes of SLAB_RECLAIM_ACCOUNT caches */
	uint64_t spare[5];     /* 0 */
};

/*
 * numaslab_node_stat - fill *@st for @node.
 *
 * The figures are a moment's, consistent to within what other threads do
 * meanwhile.  Takes time in proportion to the memory in use (it reads 128
 * bytes for each 64 KiB), and the registry's lock while it adds up what the
 * threads counted.
 * Returns 0, or -1 with errno EINVAL when the node is not served.
 */
int numaslab_node_stat(int node, struct numaslab_node_stat *st);

/*
 * numaslab_trim - give free memory back to the operating system now.
 * @keep: bytes each node may keep.  Returns the bytes given back.
 * May take milliseconds: one madvise(2) per free range.
 */
size_t numaslab_trim(size_t keep);

/* numaslab_version - the library's version, a static string. */
const char *numaslab_version(void);

#ifdef __cplusplus
}
#endif
#endif
