/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topo/policy.c - what a policy means on this machine.
 *
 * A policy gives each slot a *rank*: requests go to the slots of the lowest
 * rank, and within a rank to the nearest, as the order of distances has it.
 * That is all that differs between policies, but for interleave:
 *
 *  local           every slot 0: the thread's own, then the nearest
 *  bind            the set 0, others never
 *  preferred       the set 0, others 1
 *  interleave      the same, and the slots of the set take turns, each as
 *                  often in a round as it weighs, spread evenly over it
 *  latency, ...    the best figure 0, the next 1, and so on: a tie of figures
 *                  is a tie of ranks, and broken by distance
 *
 * A slot that the process may not use is never used.
 *
 * The machine is looked at only once, when a policy is made.  The process's is
 * made before there is a second thread to speak of; its mode is stored last,
 * with release, so that a thread that sees a mode sees its tables.  Others are
 * kept in a list that only grows: an entry is claimed, filled, and then ready.
 *
 * Weights that nobody gives are the kernel's for its own weighted interleave
 * (Linux 6.9), else the nodes' bandwidths, else all 1.
 */
#include "topo/internal.h"

#include "base/options.h"

#include <errno.h>
#include <string.h>

struct ns_policy ns_policy, ns_policy_large; /* local */
uint64_t ns_policy_threshold = UINT64_MAX;

static struct {
	uint32_t ready;          /* [a] */
	struct ns_policy policy; /* [I] once ready */
} shared[NS_POLICIES];
static uint32_t nshared; /* [a] claimed; may run past the end */

/* --- ranks --- */

/* Of the largest: the kernel keeps a little of each node, of some more. */
static uint64_t
sixteenths(uint64_t capacity)
{
	uint64_t most = 1;

	for (unsigned s = 0; s < ns_topo.nslots; s++)
		most = ns_max(most, ns_topo_memory(s)->capacity);
	return (capacity * 16 + most / 2) / most;
}

/* The figure that a word is about; the larger the better, 0 unknown. */
static uint64_t
figure(enum ns_policy_word word, unsigned slot)
{
	const struct ns_memory *m = ns_topo_memory(slot);

	switch (word) {
	case NS_WORD_LATENCY:
		return m->latency != 0 ? UINT32_MAX - m->latency : 0;
	case NS_WORD_BANDWIDTH:
		return m->bandwidth;
	default:
		return sixteenths(m->capacity);
	}
}

/* How many different figures of usable slots are better. */
static unsigned
rank_by_figure(enum ns_policy_word word, unsigned slot)
{
	uint64_t mine = figure(word, slot), f, next, last = UINT64_MAX;
	unsigned rank = 0, s;

	for (;; rank++, last = next) {
		next = mine;
		for (s = 0; s < ns_topo.nslots; s++) {
			f = figure(word, s);
			if (ns_topo.allowed[s] && f > next && f < last)
				next = f;
		}
		if (next == mine)
			return ns_min(rank, NS_RANK_NEVER - 1);
	}
}

static uint8_t
rank_of(const struct ns_rule *rule, unsigned slot)
{
	bool named = rule->weight[slot] != 0;

	if (!ns_topo.allowed[slot])
		return NS_RANK_NEVER;
	switch (rule->word) {
	case NS_WORD_LATENCY:
	case NS_WORD_BANDWIDTH:
	case NS_WORD_CAPACITY:
		return (uint8_t)rank_by_figure(rule->word, slot);
	case NS_WORD_BIND:
		return named ? 0 : NS_RANK_NEVER;
	default:
		return !named;
	}
}

/* Does the machine tell what a tier asks for? */
static bool
is_told(enum ns_policy_word word)
{
	if ((word != NS_WORD_LATENCY && word != NS_WORD_BANDWIDTH) ||
	    ns_topo.nslots == 1)
		return true;
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		if (ns_topo.allowed[s] && figure(word, s) != 0)
			return true;
	return false;
}

/* --- turns --- */

static bool
kernel_weights(uint32_t *weight)
{
	char path[256], text[32];
	unsigned s;

	for (s = 0; s < ns_topo.nslots; s++) {
		if (weight[s] == 0)
			continue;
		ns_format(path, sizeof(path), "%s/node%u", ns_topo_weights,
			  ns_topo.node_of_slot[s]);
		if (ns_topo.fake ||
		    ns_os_read_file(path, text, sizeof(text)) <= 0)
			return false;
		weight[s] = (uint32_t)ns_topo_number(text);
		if (weight[s] == 0)
			return false;
	}
	return true;
}

static bool
bandwidths(uint32_t *weight)
{
	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		if (weight[s] == 0)
			continue;
		weight[s] = ns_topo_memory(s)->bandwidth;
		if (weight[s] == 0)
			return false;
	}
	return true;
}

static uint32_t
gcd(uint32_t a, uint32_t b)
{
	uint32_t t;

	for (; b != 0; b = t) {
		t = a % b;
		a = b;
	}
	return a;
}

/* To no more than NS_MAX_SLOTS in all, but at least 1 each. */
static uint32_t
scale(uint32_t *weight)
{
	uint32_t divisor = 0, n = 0;
	uint64_t sum = 0;
	unsigned s;

	for (s = 0; s < ns_topo.nslots; s++)
		divisor = gcd(weight[s], divisor);
	for (s = 0; s < ns_topo.nslots; s++)
		sum += weight[s] / ns_max(divisor, 1);
	for (s = 0; s < ns_topo.nslots; s++) {
		if (weight[s] == 0)
			continue;
		weight[s] /= divisor;
		if (sum > NS_MAX_SLOTS)
			weight[s] = (uint32_t)ns_max(
			    weight[s] * (uint64_t)NS_MAX_SLOTS / sum, 1);
		n += weight[s];
	}
	return n;
}

/* Each slot gains its weight at each turn; the richest has it, and pays. */
static void
make_turns(struct ns_policy *policy, const uint32_t *weight)
{
	int64_t credit[NS_MAX_SLOTS] = { 0 };
	unsigned s, best;

	for (uint32_t t = 0; t < policy->turns; t++) {
		best = NS_NO_SLOT;
		for (s = 0; s < ns_topo.nslots; s++) {
			credit[s] += weight[s];
			if (weight[s] != 0 &&
			    (best == NS_NO_SLOT || credit[s] > credit[best]))
				best = s;
		}
		credit[best] -= policy->turns;
		policy->turn[t] = (uint8_t)best;
	}
}

static void
interleave(const struct ns_rule *rule, struct ns_policy *policy)
{
	uint32_t weight[NS_MAX_SLOTS] = { 0 }, even[NS_MAX_SLOTS];
	unsigned s;

	for (s = 0; s < ns_topo.nslots; s++)
		if (policy->rank[s] == 0)
			weight[s] = rule->weight[s];
	memcpy(even, weight, sizeof(even));
	if (rule->word == NS_WORD_WEIGHTED && !rule->weights &&
	    !kernel_weights(weight)) {
		memcpy(weight, even, sizeof(even));
		if (!bandwidths(weight))
			memcpy(weight, even, sizeof(even));
	}
	policy->mode = NS_POLICY_INTERLEAVE;
	policy->turns = scale(weight);
	make_turns(policy, weight);
}

/* --- a policy --- */

unsigned
ns_policy_order(const struct ns_policy *policy, unsigned from,
		uint8_t order[NS_MAX_SLOTS])
{
	const uint8_t *near = ns_topo_order(from);
	unsigned n = 1, left = ns_topo.nslots - 1, i, rank;

	order[0] = (uint8_t)from;
	for (rank = 0; rank < NS_RANK_NEVER && left > 0; rank++)
		for (left = 0, i = 1; i < ns_topo.nslots; i++) {
			if (policy->rank[near[i]] == rank)
				order[n++] = near[i];
			left += policy->rank[near[i]] > rank &&
				policy->rank[near[i]] != NS_RANK_NEVER;
		}
	return n;
}

/* The nearest of the lowest rank that there is. */
static unsigned
first_choice(const struct ns_policy *policy, unsigned slot)
{
	const uint8_t *near = ns_topo_order(slot);
	unsigned best = near[0], i;

	for (i = 1; i < ns_topo.nslots; i++)
		if (policy->rank[near[i]] < policy->rank[best])
			best = near[i];
	return best;
}

int
ns_policy_make(const struct ns_rule *rule, struct ns_policy *policy,
	       const char **why)
{
	unsigned s, usable = 0;

	*policy = (struct ns_policy){ .mode = NS_POLICY_RANKED };
	if (rule->word == NS_WORD_LOCAL)
		policy->mode = NS_POLICY_LOCAL;
	for (s = 0; s < ns_topo.nslots; s++) {
		policy->rank[s] = rank_of(rule, s);
		usable += policy->rank[s] == 0;
	}
	if (usable == 0)
		*why = "this process may not use any such node";
	else if (!is_told(rule->word))
		*why = "this machine does not tell that of its memory";
	else {
		for (s = 0; s < ns_topo.nslots; s++)
			policy->home[s] = (uint8_t)first_choice(policy, s);
		if (rule->word == NS_WORD_INTERLEAVE ||
		    rule->word == NS_WORD_WEIGHTED)
			interleave(rule, policy);
		return 0;
	}
	return -EINVAL;
}

/* --- the process's --- */

static void
install(struct ns_policy *to, const struct ns_policy *from)
{
	memcpy(to->rank, from->rank, sizeof(to->rank));
	memcpy(to->home, from->home, sizeof(to->home));
	memcpy(to->turn, from->turn, sizeof(to->turn));
	to->turns = from->turns;
	/* Pairs with the acquire in mode(). */
	ns_store_release(&to->mode, from->mode);
}

int
ns_policy_try(const char *text, ns_node_check *check, bool installs,
	      size_t *pos, const char **why)
{
	static struct ns_policy small, large; /* too large for a small stack */
	static struct ns_rules rules;

	if (ns_policy_parse(text, check, &rules, pos, why) != 0)
		return -EINVAL;
	*pos = rules.small.at;
	if (ns_policy_make(&rules.small, &small, why) != 0)
		return -EINVAL;
	*pos = rules.large.at;
	if (ns_policy_make(&rules.large, &large, why) != 0)
		return -EINVAL;
	if (installs) {
		install(&ns_policy, &small);
		install(&ns_policy_large, &large);
		ns_store_relaxed(&ns_policy_threshold, rules.threshold);
	}
	return 0;
}

void
ns_policy_init(void)
{
	static const char *warned; /* the text that was complained of */
	const char *text = ns_options.policy, *why;
	size_t pos;

	/* Most processes: the tables are not touched, and nobody asks them. */
	if (ns_topo.one_node && strcmp(text, "local") == 0)
		return;
	if (text == warned || ns_policy_try(text, NULL, true, &pos, &why) == 0)
		return;
	ns_warn("NUMASLAB_POLICY=%s: %s at position %zu; local holds", text,
		why, pos + 1);
	warned = text;
	ns_policy_try("local", NULL, true, &pos, &why);
}

/* --- others' --- */

static const struct ns_policy *
find_shared(const struct ns_policy *policy)
{
	uint32_t n = ns_min(ns_load_relaxed(&nshared), NS_POLICIES);

	for (uint32_t i = 0; i < n; i++)
		if (ns_load_acquire(&shared[i].ready) != 0 &&
		    memcmp(&shared[i].policy, policy, sizeof(*policy)) == 0)
			return &shared[i].policy;
	return NULL;
}

int
ns_policy_read(const char *text, const struct ns_policy **policy)
{
	struct ns_policy made;
	struct ns_rules rules;
	const char *why;
	uint32_t i;
	size_t pos;

	if (strchr(text, ' ') != NULL || strncmp(text, "small=", 6) == 0 ||
	    strncmp(text, "large=", 6) == 0 ||
	    strncmp(text, "threshold=", 10) == 0 ||
	    ns_policy_parse(text, NULL, &rules, &pos, &why) != 0 ||
	    ns_policy_make(&rules.small, &made, &why) != 0)
		return -EINVAL;
	*policy = find_shared(&made);
	if (*policy != NULL)
		return 0;
	if (ns_load_relaxed(&nshared) >= NS_POLICIES)
		return -ENOMEM;
	i = ns_add_relaxed(&nshared, 1u) - 1;
	if (i >= NS_POLICIES)
		return -ENOMEM;
	shared[i].policy = made;
	/* Pairs with the acquire in find_shared. */
	ns_store_release(&shared[i].ready, 1u);
	*policy = &shared[i].policy;
	return 0;
}

/* --- what the layers above ask --- */

static enum ns_policy_mode
mode(const struct ns_policy *policy)
{
	return ns_load_acquire(&policy->mode);
}

unsigned
ns_policy_home(unsigned cpu)
{
	unsigned slot = ns_topo_slot_of_cpu(cpu);

	return mode(&ns_policy) == NS_POLICY_LOCAL ? slot
						   : ns_policy.home[slot];
}

unsigned
ns_policy_turn(const struct ns_policy *policy, uint32_t turn)
{
	return policy->turn[turn % policy->turns];
}

uint32_t
ns_policy_first(const struct ns_policy *policy, unsigned slot)
{
	uint32_t turn = 0;

	while (turn + 1 < policy->turns &&
	       policy->turn[turn] != policy->home[slot])
		turn++;
	return turn;
}

unsigned
ns_policy_pick(const struct ns_policy *policy, unsigned here, uint32_t *turn)
{
	uint32_t now;

	switch (mode(policy)) {
	case NS_POLICY_LOCAL:
		return here;
	case NS_POLICY_INTERLEAVE:
		now = ns_load_relaxed(turn);
		ns_store_relaxed(turn, now + 1 < policy->turns ? now + 1 : 0u);
		return ns_policy_turn(policy, now);
	default:
		return policy->home[here];
	}
}

bool
ns_policy_allows(const struct ns_policy *policy, unsigned slot)
{
	return policy->rank[slot] != NS_RANK_NEVER;
}
