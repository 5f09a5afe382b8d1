/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topo/parse.c - the one grammar of policies; numaslab_policy(7) explains it.
 *
 *	policy  = setting { " " setting }
 *	setting = term | "small=" term | "large=" term | "threshold=" size
 *	term    = word [ ("=" | ":") nodes ]
 *	nodes   = item { "," item }
 *	item    = ( number [ "-" number ] | "all" | "allowed" | "hbm" | "cxl" )
 *		  [ "@" weight ]
 *
 * A recursive descent, each function leaving the cursor behind what it took,
 * or at what does not fit.  Nodes become slots here; what the whole means,
 * and whether it can be, is asked in policy.c.
 */
#include "topo/internal.h"

#include "base/options.h"

#include <errno.h>
#include <string.h>

#define THRESHOLD       (16ul << 20)
#define THRESHOLD_LEAST (64ul << 10) /* above all that slabs hold */

struct parser {
	const char *text, *at;
	const char *why;
	ns_node_check *check;
};

enum nodes { NONE, MAYBE, ONE, SOME };

static const struct word {
	const char *text;
	enum ns_policy_word word;
	enum nodes nodes;
} words[] = {
	{ "local", NS_WORD_LOCAL, NONE },
	{ "bind", NS_WORD_BIND, SOME },
	{ "preferred", NS_WORD_PREFERRED, ONE },
	{ "preferred-many", NS_WORD_PREFERRED_MANY, SOME },
	{ "interleave", NS_WORD_INTERLEAVE, MAYBE },
	{ "weighted-interleave", NS_WORD_WEIGHTED, MAYBE },
	{ "latency", NS_WORD_LATENCY, NONE },
	{ "bandwidth", NS_WORD_BANDWIDTH, NONE },
	{ "capacity", NS_WORD_CAPACITY, NONE },
};

static bool
fail(struct parser *p, const char *at, const char *why)
{
	p->at = at;
	p->why = why;
	return false;
}

static bool
is_end(char c)
{
	return c == '\0' || c == ' ';
}

/* How much of @word the cursor is at. */
static size_t
common(const struct parser *p, const char *word)
{
	size_t n = 0;

	while (word[n] != '\0' && word[n] == p->at[n])
		n++;
	return n;
}

static bool
take(struct parser *p, const char *word)
{
	size_t n = common(p, word);

	if (word[n] != '\0')
		return false;
	p->at += n;
	return true;
}

/* The longest that fits; an unknown one is wrong where it leaves the last
 * that it could be. */
static const struct word *
parse_word(struct parser *p)
{
	const struct word *found = NULL;
	size_t n, longest = 0;

	for (size_t i = 0; i < NS_ARRAY_LEN(words); i++) {
		n = common(p, words[i].text);
		if (words[i].text[n] == '\0' &&
		    (found == NULL || n > strlen(found->text)))
			found = &words[i];
		longest = ns_max(longest, n);
	}
	if (found != NULL) {
		p->at += strlen(found->text);
		return found;
	}
	fail(p, p->at + longest,
	     "expected local, bind, preferred, preferred-many, interleave, "
	     "weighted-interleave, latency, bandwidth or capacity");
	return NULL;
}

static bool
parse_number(struct parser *p, const char *what, unsigned most,
	     const char *above, unsigned *number)
{
	const char *s = p->at;
	unsigned n = 0;

	if (*s < '0' || *s > '9')
		return fail(p, s, what);
	for (; *s >= '0' && *s <= '9'; s++) {
		n = n * 10 + (unsigned)(*s - '0');
		if (n > most)
			return fail(p, p->at, above);
	}
	p->at = s;
	*number = n;
	return true;
}

static bool
parse_node(struct parser *p, unsigned *node)
{
	return parse_number(p, "expected a node number", NS_MAX_NODES - 1,
			    "node number above 1023", node);
}

static bool
parse_range(struct parser *p, bool *slots)
{
	const char *start = p->at, *end, *why;
	unsigned first, last, slot;

	if (!parse_node(p, &first))
		return false;
	last = first;
	if (*p->at == '-') {
		end = ++p->at;
		if (!parse_node(p, &last))
			return false;
		if (last < first)
			return fail(p, end, "the range runs backwards");
	}
	for (; first <= last; first++) {
		why = p->check != NULL ? p->check(first) : NULL;
		if (why != NULL)
			return fail(p, start, why);
		slot = ns_topo.slot_of_node[first];
		if (slot != NS_NO_SLOT)
			slots[slot] = true;
	}
	return true;
}

static void
add_kind(enum ns_memory_kind kind, bool *slots)
{
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		slots[s] |= ns_topo_memory(s)->kind == kind;
}

/* All nodes, and those that the process may use: of others no rule tells. */
static bool
parse_named(struct parser *p, bool *slots)
{
	if (take(p, "allowed") || take(p, "all")) {
		memset(slots, true, ns_topo.nslots);
		return true;
	}
	if (take(p, "hbm"))
		add_kind(NS_MEMORY_HBM, slots);
	else if (take(p, "cxl"))
		add_kind(NS_MEMORY_CXL, slots);
	else
		return parse_range(p, slots);
	return true;
}

static bool
parse_weight(struct parser *p, struct ns_rule *rule, unsigned *weight)
{
	*weight = 1;
	if (*p->at != '@')
		return true;
	if (rule->word != NS_WORD_WEIGHTED)
		return fail(p, p->at, "only weighted-interleave has weights");
	p->at++;
	rule->weights = true;
	if (*p->at == '0')
		return fail(p, p->at, "the least weight is 1");
	return parse_number(p, "expected a weight", 255, "weight above 255",
			    weight);
}

static bool
parse_nodes(struct parser *p, struct ns_rule *rule)
{
	unsigned weight;

	for (;; p->at++) {
		bool slots[NS_MAX_SLOTS] = { false };

		if (!parse_named(p, slots) || !parse_weight(p, rule, &weight))
			return false;
		for (unsigned s = 0; s < ns_topo.nslots; s++)
			if (slots[s])
				rule->weight[s] = (uint8_t)weight;
		if (*p->at != ',')
			return true;
	}
}

static bool
parse_one(struct parser *p, struct ns_rule *rule)
{
	bool slots[NS_MAX_SLOTS] = { false };
	const char *start = p->at;

	if (!parse_range(p, slots))
		return false;
	if (*p->at == ',' || memchr(start, '-', (size_t)(p->at - start)))
		return fail(p, start + strcspn(start, ",-"),
			    "only one node can be preferred");
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		rule->weight[s] = slots[s];
	return true;
}

static bool
parse_argument(struct parser *p, enum nodes nodes, struct ns_rule *rule)
{
	bool given = *p->at == '=' || *p->at == ':';

	memset(rule->weight, nodes == NONE || nodes == MAYBE, ns_topo.nslots);
	if (nodes == NONE || (nodes == MAYBE && !given))
		return true;
	if (!given)
		return fail(p, p->at, "expected = and a node");
	memset(rule->weight, 0, ns_topo.nslots);
	rule->at = (size_t)(++p->at - p->text);
	return nodes == ONE ? parse_one(p, rule) : parse_nodes(p, rule);
}

static bool
parse_term(struct parser *p, struct ns_rule *rule)
{
	size_t at = (size_t)(p->at - p->text);
	const struct word *w = parse_word(p);

	if (w == NULL)
		return false;
	*rule = (struct ns_rule){ .word = w->word, .at = at };
	if (!parse_argument(p, w->nodes, rule))
		return false;
	if (is_end(*p->at))
		return true;
	return fail(p, p->at,
		    rule->at != at ? "expected a list such as 0,2-3 or all"
				   : "nothing may follow here");
}

static bool
parse_threshold(struct parser *p, uint64_t *threshold)
{
	size_t n = strcspn(p->at, " "), pos = 0;
	char text[24];
	int error;

	if (n >= sizeof(text))
		return fail(p, p->at, "expected a size such as 16M");
	memcpy(text, p->at, n);
	text[n] = '\0';
	error = ns_parse_size(text, threshold, &pos);
	if (error == -EINVAL)
		return fail(p, p->at + pos, "expected a size such as 16M");
	if (error != 0 || *threshold < THRESHOLD_LEAST)
		return fail(p, p->at, "the least threshold is 64K");
	p->at += n;
	return true;
}

/* What has been said so far: a bit each. */
enum { SMALL = 1, LARGE = 2, SIZE = 4 };

static bool
parse_setting(struct parser *p, struct ns_rules *rules, unsigned *said)
{
	const char *start = p->at;
	unsigned what = SMALL | LARGE;
	bool ok;

	if (take(p, "small="))
		what = SMALL;
	else if (take(p, "large="))
		what = LARGE;
	else if (take(p, "threshold="))
		what = SIZE;
	if (what == SIZE)
		ok = parse_threshold(p, &rules->threshold);
	else
		ok = parse_term(p,
				what == LARGE ? &rules->large : &rules->small);
	if (ok && what == (SMALL | LARGE))
		rules->large = rules->small;
	if (ok && (*said & what) != 0)
		return fail(p, start, "that was said before");
	*said |= what;
	return ok;
}

static bool
parse_policy(struct parser *p, struct ns_rules *rules)
{
	struct parser local = { "local", "local", NULL, NULL };
	unsigned said = 0;

	do {
		if (!parse_setting(p, rules, &said))
			return false;
		p->at += strspn(p->at, " ");
	} while (*p->at != '\0');
	if ((said & SMALL) == 0)
		parse_term(&local, &rules->small);
	if ((said & LARGE) == 0)
		rules->large = rules->small;
	return true;
}

int
ns_policy_parse(const char *text, ns_node_check *check, struct ns_rules *rules,
		size_t *pos, const char **why)
{
	struct parser p = { text, text, NULL, check };

	*rules = (struct ns_rules){ .threshold = THRESHOLD };
	if (parse_policy(&p, rules))
		return 0;
	*pos = (size_t)(p.at - text);
	*why = p.why;
	return -EINVAL;
}
