/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/figures.h - the figures that mallinfo and mallctl are made of.
 */
#ifndef NS_MALLOC_FIGURES_H
#define NS_MALLOC_FIGURES_H

#include "slab/slab.h"

#define NS_NBINS (NS_NCLASS - 1) /* jemalloc's bin i is class i + 1 */

/* One size class on one node. */
struct ns_class_figures {
	uint64_t live;    /* objects */
	uint64_t slabs;   /* in any state */
	uint64_t nonfull; /* those with a free object */
};

/* Adds up @n nodes; node and the limits mean nothing in the sum. */
void ns_figures_sum(const struct ns_node_figures *node, unsigned n,
		    struct ns_node_figures *sum);

/* The descriptors of @slot's committed units, in bytes. */
uint64_t ns_figures_metadata(const struct ns_node_figures *node);

/*
 * The snapshot: what all stats.* of mallctl are read from between two
 * writes of epoch.  @slot may be NS_NO_SLOT for all nodes.
 */
void ns_snapshot_node(unsigned slot, struct ns_node_figures *out);
void ns_snapshot_class(unsigned slot, unsigned class,
		       struct ns_class_figures *out);
uint64_t ns_snapshot_epoch(void);
void ns_snapshot_refresh(void);

#endif
