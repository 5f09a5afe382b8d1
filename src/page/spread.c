/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page/spread.c - a run whose pages lie on several nodes in turn.
 *
 * 1. A large block can be spread over nodes, so that all of them serve its
 *    traffic.  Its addresses are of one span, whose node numaslab_node_of
 * tells; its pages are told to the kernel before they are touched first, and
 * told otherwise when they go back.  Both drop what memory is there.
 * 2. Slots of equal weight take turns page by page: one policy of the kernel's,
 *    and one mapping.  Others get stripes, few enough not to have many
 * mappings, as many of each slot as it has turns.
 * 3. A pool's limit is about its node's memory, so what lies elsewhere is
 * *lent* to the other nodes: taken off the pool's use and put onto theirs.  Of
 * the first n units of a run a slot has n times its turns, rounded by a sum
 *    that depends on n only.  So a run may be spread and gathered in other
 *    pieces, and nothing remains.
 *
 * Given up: memory that is locked cannot be dropped, and stays as it is.
 */
#include "page/pool.h"

#define STRIPES 64u /* of a run, mappings at most, unless it has more turns */

static bool
is_even(const struct ns_policy *policy)
{
	unsigned n = 0;

	for (unsigned s = 0; s < ns_topo.nslots; s++)
		n += policy->rank[s] == 0;
	return n == policy->turns;
}

static int
bind_evenly(char *p, size_t size, const struct ns_policy *policy)
{
	struct ns_nodemask nodes = { { 0 } };

	for (unsigned s = 0; s < ns_topo.nslots; s++)
		if (policy->rank[s] == 0)
			ns_mask_set(&nodes, ns_topo.node_of_slot[s]);
	return ns_os_interleave(p, size, &nodes);
}

static int
bind_stripes(char *p, size_t size, const struct ns_policy *policy)
{
	uint32_t rounds = (uint32_t)ns_max(STRIPES / policy->turns, 1);
	size_t stripe =
	    ns_round_up(size / (rounds * policy->turns) + 1, NS_UNIT);
	uint32_t turn = 0;
	int error = 0;

	for (size_t at = 0; at < size && error == 0; at += stripe, turn++)
		error = ns_os_bind(
		    p + at, ns_min(stripe, size - at),
		    ns_topo.node_of_slot[ns_policy_turn(policy, turn)]);
	return error;
}

static uint32_t
turns_of(const struct ns_policy *policy, unsigned slot)
{
	uint32_t n = 0;

	for (uint32_t t = 0; t < policy->turns; t++)
		n += policy->turn[t] == slot;
	return n;
}

/* Of a run's first @n units, those in the first @turns of each round. */
static uint64_t
units_in(size_t n, uint32_t turns, const struct ns_policy *policy)
{
	return (uint64_t)n * turns / policy->turns;
}

/* @sign 1: units [at, at + n) of @u are lent to others; -1: no more. */
static void
lend(const struct ns_unit *u, size_t at, size_t n,
     const struct ns_policy *policy, int64_t sign)
{
	uint32_t before = 0, after;
	uint64_t there;

	for (unsigned s = 0; s < ns_topo.nslots; s++, before = after) {
		after = before + turns_of(policy, s);
		there = units_in(at + n, after, policy) -
			units_in(at + n, before, policy) -
			units_in(at, after, policy) +
			units_in(at, before, policy);
		if (s == u->slot)
			there -= n;
		ns_add_relaxed(&ns_pools[s].lent, -(int64_t)there * sign);
	}
}

size_t
ns_spread_share(const struct ns_policy *policy, unsigned slot, size_t n)
{
	return n * turns_of(policy, slot) / policy->turns;
}

bool
ns_run_spread(struct ns_unit *u, size_t at, size_t n,
	      const struct ns_policy *policy)
{
	char *p = ns_unit_addr(u + at);
	size_t size = n << NS_UNIT_SHIFT;
	int error = 0;

	if (ns_os_purge(p, size) != 0)
		return false;
	if (!ns_topo.fake)
		error = is_even(policy) ? bind_evenly(p, size, policy)
					: bind_stripes(p, size, policy);
	if (error != 0) {
		ns_os_bind(p, size, ns_topo.node_of_slot[u->slot]);
		return false;
	}
	lend(u, at, n, policy, 1);
	return true;
}

bool
ns_run_gather(struct ns_unit *u, size_t at, size_t n,
	      const struct ns_policy *policy)
{
	char *p = ns_unit_addr(u + at);
	size_t size = n << NS_UNIT_SHIFT;
	bool clean = ns_os_purge(p, size) == 0;

	if (!ns_topo.fake)
		ns_os_bind(p, size, ns_topo.node_of_slot[u->slot]);
	lend(u, at, n, policy, -1);
	return clean;
}

/* Nodes with a limit that was asked for have room for their share of @n. */
bool
ns_spread_fits(const struct ns_policy *policy, size_t n)
{
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		if (policy->rank[s] == 0 && ns_pools[s].hard &&
		    ns_pool_available(s) < ns_spread_share(policy, s, n))
			return false;
	return true;
}

/* Of those that take turns, the one with the most room. */
unsigned
ns_spread_slot(const struct ns_policy *policy, size_t n)
{
	unsigned best = policy->turn[0], s;
	size_t room, most = 0;

	if (ns_os_placement() != 0 || !ns_spread_fits(policy, n))
		return NS_NO_SLOT;
	for (s = 0; s < ns_topo.nslots; s++) {
		if (policy->rank[s] != 0)
			continue;
		room = ns_pool_available(s);
		if (room > most) {
			most = room;
			best = s;
		}
	}
	return best;
}
