/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topo/policy.c - the process's placement policy: parsed, then made tables.
 *
 * A policy changes two things: which slot a thread is at home on, and onto
 * which slots a request may spill.  Both are looked up by slot, so the
 * machine is looked at only once, in ns_policy_init().  That runs before
 * there is a second thread to speak of; the mode is stored last, with
 * release, so that a thread that sees a mode sees its tables.
 *
 *  local       home: the CPU's slot.           Spill: any allowed slot.
 *  interleave  home: the CPU's slot, then the next allowed one at each
 *              refill (ns_policy_next).        Spill: any allowed slot.
 *  bind        home: the nearest of the set.   Spill: the set only.
 *  preferred   home: the chosen slot.          Spill: any allowed slot.
 */
#include "topo/internal.h"

#include "base/options.h"

#include <errno.h>
#include <string.h>

struct ns_policy ns_policy; /* local */

static uint8_t home_of_slot[NS_MAX_SLOTS]; /* bind, preferred */
static uint8_t next_slot[NS_MAX_SLOTS];    /* interleave */
static bool chosen[NS_MAX_SLOTS];          /* bind, preferred */

/* --- the parser --- */

static const struct word {
	const char *text;
	enum ns_policy_mode mode;
} words[] = {
	{ "local", NS_POLICY_LOCAL },
	{ "interleave", NS_POLICY_INTERLEAVE },
	{ "bind", NS_POLICY_BIND },
	{ "preferred", NS_POLICY_PREFERRED },
};

struct parser {
	const char *text, *at;
	const char *why;
};

static bool
fail(struct parser *p, const char *at, const char *why)
{
	p->at = at;
	p->why = why;
	return false;
}

/* An unknown word is wrong where it leaves the last word it could be. */
static bool
parse_word(struct parser *p, enum ns_policy_mode *mode)
{
	size_t common, longest = 0, i;

	for (i = 0; i < NS_ARRAY_LEN(words); i++) {
		const char *word = words[i].text;

		for (common = 0; word[common] != '\0'; common++)
			if (p->text[common] != word[common])
				break;
		longest = ns_max(longest, common);
		if (word[common] == '\0') {
			*mode = words[i].mode;
			p->at = p->text + common;
			return true;
		}
	}
	return fail(p, p->text + longest,
		    "expected local, interleave, bind=NODES or "
		    "preferred=NODE");
}

static bool
parse_node(struct parser *p, unsigned *node)
{
	const char *s = p->at;
	unsigned n = 0;

	if (*s < '0' || *s > '9')
		return fail(p, s, "expected a node number");
	for (; *s >= '0' && *s <= '9'; s++) {
		n = n * 10 + (unsigned)(*s - '0');
		if (n >= NS_MAX_NODES)
			return fail(p, p->at, "node number above 1023");
	}
	p->at = s;
	*node = n;
	return true;
}

static bool
parse_range(struct parser *p, struct ns_nodemask *nodes)
{
	unsigned first, last;
	const char *start;

	if (!parse_node(p, &first))
		return false;
	last = first;
	if (*p->at == '-') {
		start = ++p->at;
		if (!parse_node(p, &last))
			return false;
		if (last < first)
			return fail(p, start, "the range runs backwards");
	}
	for (; first <= last; first++)
		ns_mask_set(nodes, first);
	return true;
}

static bool
parse_nodes(struct parser *p, struct ns_nodemask *nodes)
{
	if (strncmp(p->at, "all", 3) == 0) {
		memset(nodes, 0xff, sizeof(*nodes));
		p->at += 3;
		return true;
	}
	while (parse_range(p, nodes)) {
		if (*p->at != ',')
			return true;
		p->at++;
	}
	return false;
}

static bool
parse_argument(struct parser *p, struct ns_policy *policy)
{
	unsigned node;

	if (policy->mode != NS_POLICY_BIND &&
	    policy->mode != NS_POLICY_PREFERRED)
		return true;
	if (*p->at != '=')
		return fail(p, p->at, "expected = and a node");
	p->at++;
	if (policy->mode == NS_POLICY_BIND)
		return parse_nodes(p, &policy->nodes);
	if (!parse_node(p, &node))
		return false;
	ns_mask_set(&policy->nodes, node);
	return true;
}

static bool
parse_end(struct parser *p, const struct ns_policy *policy)
{
	if (*p->at == '\0')
		return true;
	if (policy->mode == NS_POLICY_PREFERRED &&
	    (*p->at == ',' || *p->at == '-'))
		return fail(p, p->at, "only one node can be preferred");
	if (policy->mode == NS_POLICY_BIND)
		return fail(p, p->at, "expected a list such as 0,2-3 or all");
	return fail(p, p->at, "nothing may follow here");
}

int
ns_policy_parse(const char *text, struct ns_policy *policy, size_t *pos,
		const char **why)
{
	struct parser p = { text, text, NULL };
	struct ns_policy result = { 0 };

	if (parse_word(&p, &result.mode) && parse_argument(&p, &result) &&
	    parse_end(&p, &result)) {
		*policy = result;
		return 0;
	}
	*pos = (size_t)(p.at - text);
	*why = p.why;
	return -EINVAL;
}

/* --- the machine's tables --- */

static bool
has_nodes(const struct ns_policy *policy)
{
	return policy->mode == NS_POLICY_BIND ||
	       policy->mode == NS_POLICY_PREFERRED;
}

/* The policy names it, and the process may use it. */
static bool
is_named(const struct ns_policy *policy, unsigned slot)
{
	return ns_topo.allowed[slot] &&
	       ns_mask_test(&policy->nodes, ns_topo.node_of_slot[slot]);
}

/* The nearest slot that the policy names; nslots when there is none. */
static unsigned
nearest(const struct ns_policy *policy, unsigned slot)
{
	const uint8_t *order = ns_topo_order(slot);

	for (unsigned i = 0; i < ns_topo.nslots; i++)
		if (is_named(policy, order[i]))
			return order[i];
	return ns_topo.nslots;
}

static unsigned
next_allowed(unsigned slot)
{
	unsigned t = slot;

	do {
		t = (t + 1) % ns_topo.nslots;
	} while (!ns_topo.allowed[t] && t != slot);
	return t;
}

static bool
is_possible(const struct ns_policy *policy)
{
	return !has_nodes(policy) || nearest(policy, 0) < ns_topo.nslots;
}

static void
install(const struct ns_policy *policy)
{
	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		next_slot[s] = (uint8_t)next_allowed(s);
		if (!has_nodes(policy))
			continue;
		chosen[s] = is_named(policy, s);
		home_of_slot[s] = (uint8_t)nearest(policy, s);
	}
	ns_policy.nodes = policy->nodes;
	/* Pairs with the acquire in mode(). */
	ns_store_release(&ns_policy.mode, policy->mode);
}

void
ns_policy_init(void)
{
	static const char *warned; /* the text that was complained of */
	const char *text = ns_options.policy, *why;
	struct ns_policy policy;
	size_t pos;

	if (text == warned)
		return;
	if (ns_policy_parse(text, &policy, &pos, &why) != 0) {
		ns_warn("NUMASLAB_POLICY=%s: %s at position %zu; local holds",
			text, why, pos + 1);
	} else if (!is_possible(&policy)) {
		ns_warn("NUMASLAB_POLICY=%s: this process may not use any "
			"such node at position %zu; local holds",
			text, (size_t)(strchr(text, '=') - text) + 2);
	} else {
		install(&policy);
		return;
	}
	warned = text;
	ns_store_release(&ns_policy.mode, NS_POLICY_LOCAL);
}

/* --- what the layers above ask --- */

static enum ns_policy_mode
mode(void)
{
	return ns_load_acquire(&ns_policy.mode);
}

unsigned
ns_policy_home(unsigned cpu)
{
	unsigned slot = ns_topo_slot_of_cpu(cpu);

	switch (mode()) {
	case NS_POLICY_BIND:
	case NS_POLICY_PREFERRED:
		return home_of_slot[slot];
	default:
		return slot;
	}
}

unsigned
ns_policy_next(unsigned slot)
{
	return mode() == NS_POLICY_INTERLEAVE ? next_slot[slot] : slot;
}

bool
ns_policy_permits(unsigned slot)
{
	if (mode() == NS_POLICY_BIND)
		return chosen[slot];
	return ns_topo.allowed[slot];
}

int
ns_policy_read(const char *text, struct ns_policy *policy)
{
	const char *why;
	size_t pos;

	if (ns_policy_parse(text, policy, &pos, &why) != 0 ||
	    !is_possible(policy))
		return -EINVAL;
	return 0;
}

unsigned
ns_policy_pick(const struct ns_policy *policy, unsigned here, unsigned last)
{
	if (policy->mode == NS_POLICY_INTERLEAVE)
		return next_allowed(last);
	return has_nodes(policy) ? nearest(policy, here) : here;
}

bool
ns_policy_allows(const struct ns_policy *policy, unsigned slot)
{
	if (policy->mode == NS_POLICY_BIND)
		return is_named(policy, slot);
	return ns_topo.allowed[slot];
}
