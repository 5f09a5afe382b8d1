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
	bool cpus[NS_MAX_SLOTS];             /* [I] the node has some */
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

/* The same for a CPU of which discovery was told; else NS_NO_SLOT. */
unsigned ns_topo_slot_of_known_cpu(unsigned cpu);

/* The spill order of @slot: all slots, itself first, then by distance. */
const uint8_t *ns_topo_order(unsigned slot);

/* SLIT distance between slots; 10 is local. */
unsigned ns_topo_distance(unsigned from, unsigned to);

/*
 * A node's memory (topo/memory.c), as its nearest CPUs see it: 0 is unknown.
 * It is read when first asked for, never inside malloc unless the policy asks.
 */
enum ns_memory_kind { NS_MEMORY_DRAM, NS_MEMORY_HBM, NS_MEMORY_CXL };

struct ns_memory {
	uint64_t capacity;  /* bytes */
	uint32_t latency;   /* of a read, ns */
	uint32_t bandwidth; /* of reads, MiB/s */
	uint8_t kind;       /* enum ns_memory_kind */
};

const struct ns_memory *ns_topo_memory(unsigned slot);

/* What the kernel says of the memory of @node, in bytes; 0: nothing. */
uint64_t ns_topo_capacity(unsigned node);

/*
 * Policies: topo/parse.c reads what numaslab_policy(7) describes, and
 * topo/policy.c makes of it, on this machine, a rank for each slot.
 *
 * A *rule* is one term of a policy's text, its nodes looked up.
 */
enum ns_policy_word {
	NS_WORD_LOCAL,
	NS_WORD_BIND,
	NS_WORD_PREFERRED,
	NS_WORD_PREFERRED_MANY,
	NS_WORD_INTERLEAVE,
	NS_WORD_WEIGHTED,
	NS_WORD_LATENCY,
	NS_WORD_BANDWIDTH,
	NS_WORD_CAPACITY,
};

struct ns_rule {
	enum ns_policy_word word;
	bool weights; /* are given */
	size_t at;    /* where in the text its nodes begin, or it */
	uint8_t weight[NS_MAX_SLOTS]; /* 0: the slot is not named */
};

struct ns_rules {
	struct ns_rule small, large;
	uint64_t threshold; /* bytes from which on a block is large */
};

/* Why a node may not be named, or NULL. */
typedef const char *ns_node_check(unsigned node);

/*
 * ns_policy_parse - the rules of @text; one term alone is for both sizes.
 * @check, which may be NULL, is asked of each node that is named by number.
 * Returns 0, or -EINVAL with *pos at the offending character (0-based) and
 * *why a static reason.  Looks at the topology, and changes nothing.
 */
int ns_policy_parse(const char *text, ns_node_check *check,
		    struct ns_rules *rules, size_t *pos, const char **why);

enum ns_policy_mode { NS_POLICY_LOCAL, NS_POLICY_RANKED, NS_POLICY_INTERLEAVE };

#define NS_RANK_NEVER 0xffu
#define NS_MAX_TURNS  (2u * NS_MAX_SLOTS)

struct ns_policy {
	enum ns_policy_mode mode;   /* [a] */
	uint32_t turns;             /* [I] under interleave, at least 1 */
	uint8_t rank[NS_MAX_SLOTS]; /* [I] lower ones first; equal ones nearest
				       first; NS_RANK_NEVER: not at all */
	uint8_t home[NS_MAX_SLOTS]; /* [I] by the slot that a thread is near */
	uint8_t turn[NS_MAX_TURNS]; /* [I] the slots, as often as they weigh */
};

/*
 * ns_policy_make - what @rule means here.  -EINVAL and *why: the process may
 * use none of its nodes, or the machine does not tell what it asks for.
 */
int ns_policy_make(const struct ns_rule *rule, struct ns_policy *policy,
		   const char **why);

/*
 * The process's policy, and that of its large blocks.  ns_policy_init makes
 * them of the options; one that does not parse or cannot be is warned of once
 * and local holds.  It runs after ns_topo_init, and again when the options
 * were first readable only later.
 */
extern struct ns_policy ns_policy, ns_policy_large;
extern uint64_t ns_policy_threshold; /* [a] bytes */
void ns_policy_init(void);

/* Can it be said and be?  As ns_policy_parse; installs it, or does not. */
int ns_policy_try(const char *text, ns_node_check *check, bool installs,
		  size_t *pos, const char **why);

/*
 * A policy of somebody's own: one term.  It is kept for ever, and shared by all
 * who say the same; there may be NS_POLICIES different ones.  -EINVAL: it does
 * not parse or cannot be; -ENOMEM: too many.
 */
#define NS_POLICIES 128u
int ns_policy_read(const char *text, const struct ns_policy **policy);

/* The home slot under the process's policy for a thread running on @cpu. */
unsigned ns_policy_home(unsigned cpu);

/*
 * Interleave: the slot at @turn, any number; and a turn that is the home of a
 * thread near @slot.
 */
unsigned ns_policy_turn(const struct ns_policy *policy, uint32_t turn);
uint32_t ns_policy_first(const struct ns_policy *policy, unsigned slot);

/*
 * ns_policy_pick - where a request of a thread that is near @here goes; under
 * interleave *@turn moves on.
 * ns_policy_allows - may it be served from @slot?
 * ns_policy_order - the slots that it may be served from, @from first and then
 * as it prefers them, into @order; returns how many.
 */
unsigned ns_policy_pick(const struct ns_policy *policy, unsigned here,
			uint32_t *turn);
bool ns_policy_allows(const struct ns_policy *policy, unsigned slot);
unsigned ns_policy_order(const struct ns_policy *policy, unsigned from,
			 uint8_t order[NS_MAX_SLOTS]);

#pragma GCC visibility pop
#endif
