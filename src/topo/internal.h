/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topo/internal.h - inside the topology layer, and what its tests replay.
 */
#ifndef NS_TOPO_INTERNAL_H
#define NS_TOPO_INTERNAL_H

#include "base/atomic.h"
#include "topo/topo.h"

/*
 * Who is how far from whom, by slot.  A view is written before it is
 * published and never again; see ns_topo_publish().
 */
struct ns_topo_view {
	uint8_t distance[NS_MAX_SLOTS][NS_MAX_SLOTS];
	uint8_t tie[NS_MAX_SLOTS][NS_MAX_SLOTS]; /* rank at equal distance */
	uint8_t order[NS_MAX_SLOTS][NS_MAX_SLOTS];
	struct ns_memory memory[NS_MAX_SLOTS]; /* the first: see memory.c */
};

/* Where the kernel tells; tests point them at recorded machines. */
extern const char *ns_topo_sysfs;  /* "/sys/devices/system/node" */
extern const char *ns_topo_status; /* "/proc/self/status" */
/* "/sys/kernel/mm/mempolicy/weighted_interleave" */
extern const char *ns_topo_weights;

/* nodeN/NAME of sysfs; a length or -errno.  For any thread. */
long ns_topo_read(unsigned node, const char *name, char *buf, size_t size);

/*
 * topo/memory.c: the kernel's view of all slots' memory, into the first view,
 * once for each discovery; and what kinds they are, as their figures and the
 * nodes that have CPUs tell.
 */
void ns_memory_forget(void);
void ns_memory_read(struct ns_memory *memory);
void ns_memory_kinds(struct ns_memory *memory, const bool *cpus);

/* What is published now. */
const struct ns_topo_view *ns_topo_view(void);
/* A kernel's number, behind blanks; 0 when there is none. */
uint64_t ns_topo_number(const char *s);

/* What ns_topo_init does once; tests do it for each recorded machine. */
void ns_topo_discover(void);

/* What ns_topo_refine does once. */
int ns_hwloc_refine(void);

/*
 * Takes @memory for the nodes of the machine, all equally far: the command
 * shows, after ns_hwloc_refine(), how another machine would be used.
 */
void ns_topo_assume(const struct ns_nodemask *memory);

/*
 * The view that ns_hwloc_refine fills, its distances those of now, and its
 * publication: sorts the orders and swaps the pointer that readers follow.
 */
struct ns_topo_view *ns_topo_draft(void);
void ns_topo_publish(struct ns_topo_view *view);

/*
 * The next range of a kernel list such as "0-3,8\n".  Returns what follows
 * it, or NULL at the end or at the first thing that is not a list.
 */
const char *ns_range_next(const char *s, unsigned *first, unsigned *last);

/*
 * A once that survives fork: true means the caller does the work and calls
 * ns_once_end(); false that it is done.  Waits while another thread is at
 * it.  A child forked meanwhile finds its parent's pid and starts again.
 */
bool ns_once_begin(uint32_t *word);
void ns_once_end(uint32_t *word);

#endif
