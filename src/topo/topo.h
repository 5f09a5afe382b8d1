/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topo/topo.h - nodes, who is near whom, and where a thread is at home.
 *
 * The allocator knows nodes as dense *slots*, 0 to nslots-1, one for each
 * node with memory; public calls use the operating system's node numbers.
 *
 * Two stages.  ns_topo_init() runs inside the first malloc: raw syscalls
 * only.  One syscall tells whether more than one node is allowed; if not,
 * there is one slot and nothing else is read.  Otherwise nodes, CPU lists
 * and SLIT distances come from /sys/devices/system/node.  ns_topo_refine()
 * runs later, never inside malloc: it loads hwloc (dlopen, so that nobody
 * pays for it who does not use it) and improves distances and order; it
 * honours HWLOC_SYNTHETIC and HWLOC_XMLFILE for what the queries show.
 */
#ifndef NS_TOPO_H
#define NS_TOPO_H

#include "base/base.h"
#include "os/os.h"

#pragma GCC visibility push(hidden)

#define NS_MAX_SLOTS 256
#define NS_NO_SLOT   0xffffu
#define NS_MAX_CPUS  8192 /* the kernel's largest NR_CPUS */

struct ns_topo {
	unsigned nslots; /* [I] at least 1 */
	bool one_node;   /* [I] no CPU checks needed */
	bool fake;       /* [I] NUMASLAB_FAKE_NODES: no binding */
	uint16_t node_of_slot[NS_MAX_SLOTS]; /* [I] */
	uint16_t slot_of_node[NS_MAX_NODES]; /* [I] NS_NO_SLOT: no memory */
	bool allowed[NS_MAX_SLOTS];          /* [I] by cpuset at start */
	/* [I] slot_of_node, where allowed; else NS_NO_SLOT.  The last field:
	 * it alone is read, relaxed, by threads that may not yet know that
	 * topology was read; they use no more of it than a comparison. */
	uint16_t usable[NS_MAX_NODES];
};

extern struct ns_topo ns_topo;

void ns_topo_init(void);

/* Loads hwloc and refines.  Returns 0 or -errno; safe to call again. */
int ns_topo_refine(void);

/*
 * The slot nearest to @cpu that has memory and is allowed.  One load once
 * the CPU has been seen; getcpu(2)'s answer for a CPU that is not in sysfs.
 */
unsigned ns_topo_slot_of_cpu(unsigned cpu);

/* The spill order of @slot: all slots, itself first, then by distance. */
const uint8_t *ns_topo_order(unsigned slot);

/* SLIT distance between slots; 10 is local. */
unsigned ns_topo_distance(unsigned from, unsigned to);

/*
 * Policy (topo/policy.c): parsed from the option, applied to the home.
 *   local | interleave | bind=NODES | preferred=NODE
 * NODES is a list as in numactl: 0,2-3 or all.
 */
enum ns_policy_mode {
	NS_POLICY_LOCAL,
	NS_POLICY_INTERLEAVE,
	NS_POLICY_BIND,
	NS_POLICY_PREFERRED
};

struct ns_policy {
	enum ns_policy_mode mode;
	struct ns_nodemask nodes; /* for bind and preferred */
};

/*
 * Parses @text.  Returns 0, or -EINVAL with *pos at the offending character
 * (0-based) and *why a static reason.  Does not look at the machine.
 */
int ns_policy_parse(const char *text, struct ns_policy *policy, size_t *pos,
		    const char **why);

/*
 * Installs the policy of the options; a malformed one or one that names no
 * usable node is warned of once and local holds.  Runs after ns_topo_init,
 * and again when the options were first readable only later.
 */
void ns_policy_init(void);

/*
 * Policies of somebody's own.  ns_policy_read parses @text; -EINVAL also when
 * the process may use none of the nodes it names.  ns_policy_pick - where a
 * request of a thread that is near @here goes; interleave moves on from @last.
 * ns_policy_allows - may it be served from @slot?
 */
int ns_policy_read(const char *text, struct ns_policy *policy);
unsigned ns_policy_pick(const struct ns_policy *policy, unsigned here,
			unsigned last);
bool ns_policy_allows(const struct ns_policy *policy, unsigned slot);

extern struct ns_policy ns_policy;

/* The home slot under the policy for a thread running on @cpu. */
unsigned ns_policy_home(unsigned cpu);

/* Under interleave: the slot after @slot; else @slot itself. */
unsigned ns_policy_next(unsigned slot);

/* May a request for @wanted be served from @slot (spill)?  Bind is strict. */
bool ns_policy_permits(unsigned slot);

#pragma GCC visibility pop
#endif
