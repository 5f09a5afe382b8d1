/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies: what parses, where the others are wrong, what they do. */
#include "base/options.h"
#include "tests/test.h"
#include "topo/internal.h"

static struct ns_rules rules;

/* The weights of @rule as "3-1" for node 3 at weight 1, and so on. */
static void
check_rule(const char *text, const struct ns_rule *rule,
	   enum ns_policy_word word, const char *nodes)
{
	char is[64 * 8] = "";

	for (unsigned s = 0; s < ns_topo.nslots; s++)
		if (rule->weight[s] != 0)
			sprintf(is + strlen(is),
				rule->weight[s] != 1 ? "%u@%u " : "%u ", s,
				rule->weight[s]);
	CHECK_MSG(rule->word == word, "%s: word %d", text, (int)rule->word);
	CHECK_MSG(strcmp(is, nodes) == 0, "%s: nodes %s, not %s", text, is,
		  nodes);
}

static bool
parse(const char *text)
{
	const char *why = NULL;
	size_t pos = 99;
	int error = ns_policy_parse(text, NULL, &rules, &pos, &why);

	CHECK_MSG(error == 0, "%s: %s at %zu", text, why, pos);
	return error == 0;
}

/* One term, of both sizes. */
static void
parses(const char *text, enum ns_policy_word word, const char *nodes)
{
	if (!parse(text))
		return;
	check_rule(text, &rules.small, word, nodes);
	check_rule(text, &rules.large, word, nodes);
	CHECK_EQ(rules.threshold, 16ul << 20);
}

static const char *
odd(unsigned node)
{
	return node % 2 != 0 ? NULL : "even nodes are not for you";
}

static void
fails_by(ns_node_check *check, const char *text, size_t position,
	 const char *reason)
{
	const char *why = "";
	size_t pos = 99;

	CHECK_MSG(ns_policy_parse(text, check, &rules, &pos, &why) == -EINVAL,
		  "\"%s\" parses", text);
	CHECK_MSG(pos == position, "\"%s\": position %zu, not %zu", text, pos,
		  position);
	CHECK_MSG(strstr(why, reason) != NULL, "\"%s\": %s", text, why);
}

static void
fails(const char *text, size_t position, const char *reason)
{
	fails_by(NULL, text, position, reason);
}

/* On four nodes. */
static void
terms(void)
{
	parses("local", NS_WORD_LOCAL, "0 1 2 3 ");
	parses("interleave", NS_WORD_INTERLEAVE, "0 1 2 3 ");
	parses("interleave=0-2", NS_WORD_INTERLEAVE, "0 1 2 ");
	parses("interleave:2", NS_WORD_INTERLEAVE, "2 ");
	parses("bind=0", NS_WORD_BIND, "0 ");
	parses("bind=0,2-3", NS_WORD_BIND, "0 2 3 ");
	parses("bind=1023", NS_WORD_BIND, "");
	parses("bind=3-3,0", NS_WORD_BIND, "0 3 ");
	parses("bind=all", NS_WORD_BIND, "0 1 2 3 ");
	parses("bind=all,0", NS_WORD_BIND, "0 1 2 3 ");
	parses("bind:allowed", NS_WORD_BIND, "0 1 2 3 ");
	parses("bind=hbm,1,cxl", NS_WORD_BIND, "1 ");
	parses("preferred=3", NS_WORD_PREFERRED, "3 ");
	parses("preferred=64", NS_WORD_PREFERRED, "");
	parses("preferred-many=1,3", NS_WORD_PREFERRED_MANY, "1 3 ");
	parses("weighted-interleave", NS_WORD_WEIGHTED, "0 1 2 3 ");
	parses("weighted-interleave=0-1@3,2", NS_WORD_WEIGHTED, "0@3 1@3 2 ");
	parses("weighted-interleave:all@7,2@255", NS_WORD_WEIGHTED,
	       "0@7 1@7 2@255 3@7 ");
	parses("latency", NS_WORD_LATENCY, "0 1 2 3 ");
	parses("bandwidth", NS_WORD_BANDWIDTH, "0 1 2 3 ");
	parses("capacity", NS_WORD_CAPACITY, "0 1 2 3 ");
}

static void
settings(void)
{
	if (parse("small=local large=interleave:0-2 threshold=64K")) {
		check_rule("split", &rules.small, NS_WORD_LOCAL, "0 1 2 3 ");
		check_rule("split", &rules.large, NS_WORD_INTERLEAVE, "0 1 2 ");
		CHECK_EQ(rules.threshold, 65536);
	}
	if (parse("threshold=2G  large=bind=1 ")) {
		check_rule("split", &rules.small, NS_WORD_LOCAL, "0 1 2 3 ");
		check_rule("split", &rules.large, NS_WORD_BIND, "1 ");
		CHECK_EQ(rules.threshold, 2ul << 30);
	}
	if (parse("small=bind:2")) {
		check_rule("split", &rules.small, NS_WORD_BIND, "2 ");
		check_rule("split", &rules.large, NS_WORD_BIND, "2 ");
	}
	if (parse("interleave=1 threshold=1M")) {
		check_rule("both", &rules.large, NS_WORD_INTERLEAVE, "1 ");
		CHECK_EQ(rules.threshold, 1ul << 20);
	}
	CHECK_EQ(ns_policy_parse("bind=1,3", odd, &rules, &(size_t){ 0 },
				 &(const char *){ NULL }),
		 0);
}

static void
errors(void)
{
	fails("", 0, "expected local");
	fails("x", 0, "expected local");
	fails("bund=0", 1, "expected local");
	fails("locale", 5, "nothing may follow");
	fails("loca", 4, "expected local");
	fails(" local", 0, "expected local");
	fails("Local", 0, "expected local");
	fails("local=0", 5, "nothing may follow");
	fails("latency=0", 7, "nothing may follow");
	fails("interleave=", 11, "node number");
	fails("interleaved", 10, "nothing may follow");
	fails("bind", 4, "expected =");
	fails("bind=", 5, "node number");
	fails("bind;0", 4, "expected =");
	fails("bind=0,", 7, "node number");
	fails("bind=0,,1", 7, "node number");
	fails("bind=0-", 7, "node number");
	fails("bind=3-1", 7, "backwards");
	fails("bind=0x", 6, "expected a list");
	fails("bind=0 1", 7, "expected local");
	fails("bind=-1", 5, "node number");
	fails("bind=1024", 5, "above 1023");
	fails("bind=0,99999999999999999999", 7, "above 1023");
	fails("bind=alla", 8, "expected a list");
	fails("bind=hbn", 5, "node number");
	fails("bind=0@2", 6, "only weighted-interleave");
	fails("preferred", 9, "expected =");
	fails("preferred-", 9, "expected =");
	fails("preferred=all", 10, "node number");
	fails("preferred=0,1", 11, "only one");
	fails("preferred=0-1", 11, "only one");
	fails("preferred=1x", 11, "expected a list");
	fails("preferred-many", 14, "expected =");
	fails("weighted-interleave=1@", 22, "expected a weight");
	fails("weighted-interleave=1@0", 22, "least weight");
	fails("weighted-interleave=1@256", 22, "above 255");
	fails("local local", 6, "said before");
	fails("small=local small=local", 12, "said before");
	fails("small=local bind=1", 12, "said before");
	fails("large=local large=local", 12, "said before");
	fails("threshold=1M threshold=1M", 13, "said before");
	fails("large=", 6, "expected local");
	fails("large=bind:9x", 12, "expected a list");
	fails("threshold=", 10, "expected a size");
	fails("threshold=16Q", 12, "expected a size");
	fails("threshold=65535", 10, "least threshold");
	fails_by(odd, "bind=1,2-3", 7, "not for you");
	fails_by(odd, "large=interleave:3-5", 17, "not for you");
}

/* The turns of @text. */
static void
check_turns(const char *text, const char *want)
{
	const struct ns_policy *p;
	char is[NS_MAX_TURNS * 4] = "";

	CHECK_MSG(ns_policy_read(text, &p) == 0, "%s", text);
	for (uint32_t t = 0; t < p->turns && t < 64; t++)
		sprintf(is + strlen(is), "%u ", p->turn[t]);
	CHECK_MSG(strcmp(is, want) == 0, "%s: %s, not %s", text, is, want);
}

static void
turns(void)
{
	unsigned count[4] = { 0 };
	const struct ns_policy *p;

	check_turns("interleave", "0 1 2 3 ");
	check_turns("interleave=3,1", "1 3 ");
	check_turns("weighted-interleave", "0 1 2 3 ");
	check_turns("weighted-interleave=1@1", "1 ");
	check_turns("weighted-interleave=0@2,1@4", "1 0 1 ");
	check_turns("weighted-interleave=0@3,3@1", "0 0 3 0 ");
	CHECK_EQ(ns_policy_read("weighted-interleave=0-1@255,2@1,3@254", &p),
		 0);
	CHECK(p->turns <= 258);
	for (uint32_t t = 0; t < p->turns; t++)
		count[p->turn[t]]++;
	CHECK_EQ(count[2], 1);
	CHECK_EQ(count[0], count[1]);
	CHECK(count[0] >= 84 && count[3] >= 84);
}

/* One's own: shared by all who mean the same, and only one term. */
static void
own(void)
{
	const struct ns_policy *a, *b;
	char text[64];
	unsigned n;

	CHECK_EQ(ns_policy_read("bind=0-1", &a), 0);
	CHECK_EQ(ns_policy_read("bind:1,0", &b), 0);
	CHECK(a == b);
	CHECK_EQ(ns_policy_read("bind=9", &b), -EINVAL);
	CHECK_EQ(ns_policy_read("bind", &b), -EINVAL);
	CHECK_EQ(ns_policy_read("small=local", &b), -EINVAL);
	CHECK_EQ(ns_policy_read("local threshold=1M", &b), -EINVAL);
	for (n = 1; n <= 200; n++) {
		sprintf(text, "weighted-interleave=0@%u,1@255", n);
		if (ns_policy_read(text, &b) != 0)
			break;
	}
	CHECK(n > 100 && n <= NS_POLICIES);
	CHECK_EQ(ns_policy_read(text, &b), -ENOMEM);
	CHECK_EQ(ns_policy_read("bind=0-1", &b), 0);
	CHECK(a == b);
}

static void
install(const char *text)
{
	ns_options.policy = text;
	ns_policy_init();
}

static unsigned
home(unsigned cpu)
{
	return ns_policy_home(cpu);
}

static bool
permits(unsigned slot)
{
	return ns_policy_allows(&ns_policy, slot);
}

static void
check_order(unsigned from, const char *want)
{
	uint8_t order[NS_MAX_SLOTS];
	char is[64] = "";
	unsigned n = ns_policy_order(&ns_policy, from, order);

	for (unsigned i = 0; i < n; i++)
		sprintf(is + strlen(is), "%u ", order[i]);
	CHECK_MSG(strcmp(is, want) == 0, "%s: order from %u: %s, not %s",
		  ns_options.policy, from, is, want);
}

/* Four fake nodes in a row; CPU c is on node c % 4. */
static void
tables(void)
{
	uint32_t turn = 2;
	unsigned s;

	install("local");
	for (s = 0; s < 4; s++) {
		CHECK_EQ(home(s), s);
		CHECK_EQ(home(s + 400), s);
		CHECK_EQ(ns_policy_pick(&ns_policy, s, &turn), s);
		CHECK(permits(s));
	}
	check_order(1, "1 2 0 3 ");
	install("interleave");
	for (s = 0; s < 4; s++) {
		CHECK_EQ(home(s), s);
		CHECK_EQ(ns_policy_turn(&ns_policy, s + 5), (s + 5) % 4);
		CHECK_EQ(ns_policy_first(&ns_policy, s), s);
		CHECK(permits(s));
	}
	CHECK_EQ(turn, 2);
	CHECK_EQ(ns_policy_pick(&ns_policy, 0, &turn), 2);
	CHECK_EQ(ns_policy_pick(&ns_policy, 0, &turn), 3);
	CHECK_EQ(ns_policy_pick(&ns_policy, 0, &turn), 0);
	install("interleave=1,2");
	CHECK_EQ(home(3), 2);
	CHECK_EQ(ns_policy_first(&ns_policy, 3), 1);
	check_order(2, "2 1 3 0 ");
	install("bind=1,3,9");
	CHECK_EQ(home(0), 1);
	CHECK_EQ(home(1), 1);
	CHECK_EQ(home(2), 3);
	CHECK_EQ(home(3), 3);
	CHECK(!permits(0));
	CHECK(permits(1));
	CHECK(!permits(2));
	CHECK(permits(3));
	check_order(1, "1 3 ");
	check_order(0, "0 1 3 ");
	install("preferred=2");
	for (s = 0; s < 4; s++) {
		CHECK_EQ(home(s), 2);
		CHECK(permits(s));
	}
	check_order(2, "2 3 1 0 ");
	install("preferred-many=0,3");
	CHECK_EQ(home(1), 0);
	CHECK_EQ(home(2), 3);
	check_order(3, "3 0 2 1 ");
	check_order(0, "0 3 1 2 ");
	install("small=preferred=1 large=bind:2 threshold=1M");
	CHECK_EQ(home(3), 1);
	CHECK_EQ(ns_policy_large.home[3], 2);
	CHECK(!ns_policy_allows(&ns_policy_large, 1));
	CHECK_EQ(ns_policy_threshold, 1ul << 20);
}

/* A cpuset leaves out nodes 0 and 2. */
static void
narrow(void)
{
	ns_topo.allowed[0] = ns_topo.allowed[2] = false;
	install("interleave");
	CHECK_EQ(ns_policy.turns, 2);
	CHECK_EQ(ns_policy.turn[0], 1);
	CHECK_EQ(ns_policy.turn[1], 3);
	CHECK(!permits(0));
	CHECK(permits(3));
	install("bind=all");
	CHECK_EQ(home(1), 1);
	CHECK(!permits(2));
	install("weighted-interleave=allowed@3,3@1");
	CHECK_EQ(ns_policy.turns, 4);
	check_order(1, "1 3 ");
	ns_topo.allowed[0] = ns_topo.allowed[2] = true;
}

/* The kernel's weights count, if it has one for each node. */
static void
kernel_weights(void)
{
	char dir[300], path[320];
	FILE *f;

	snprintf(dir, sizeof(dir), "%s/weights-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	REQUIRE(mkdtemp(dir) != NULL);
	ns_topo_weights = ns_topo_sysfs = dir;
	ns_topo.fake = false;
	for (unsigned n = 0; n < 4; n++) {
		check_turns("weighted-interleave=0-2",
			    n < 3 ? "0 1 2 " : "1 0 2 1 ");
		snprintf(path, sizeof(path), "%s/node%u", dir, n);
		f = fopen(path, "w");
		REQUIRE(f != NULL);
		fprintf(f, "%u\n", n == 1 ? 10 : 5);
		fclose(f);
	}
	check_turns("weighted-interleave=0-2@1", "0 1 2 ");
	ns_topo.fake = true;
	for (unsigned n = 0; n < 4; n++) {
		snprintf(path, sizeof(path), "%s/node%u", dir, n);
		unlink(path);
	}
	rmdir(dir);
}

static void
wrong(void *text)
{
	install(text);
	ns_policy_init(); /* again, as the constructor does: no second line */
	CHECK_EQ(ns_policy.mode, NS_POLICY_LOCAL);
	CHECK_EQ(home(2), 2);
	CHECK(permits(2));
}

static void
check_warning(const char *text, const char *line)
{
	struct test_output out;

	CHECK_EQ(run_child(wrong, (void *)(uintptr_t)text, &out), 0);
	CHECK_STR(out.text, line);
}

static void
warnings(void)
{
	check_warning("bind=0,x", "numaslab: NUMASLAB_POLICY=bind=0,x: "
				  "expected a node number at position 8; "
				  "local holds\n");
	check_warning("preferred=9", "numaslab: NUMASLAB_POLICY=preferred=9: "
				     "this process may not use any such node "
				     "at position 11; local holds\n");
	check_warning("bind=4-1023", "numaslab: NUMASLAB_POLICY=bind=4-1023: "
				     "this process may not use any such node "
				     "at position 6; local holds\n");
	check_warning("local threshold=7 ",
		      "numaslab: NUMASLAB_POLICY=local threshold=7 : the least "
		      "threshold is 64K at position 17; local holds\n");
	check_warning("bandwidth", "numaslab: NUMASLAB_POLICY=bandwidth: this "
				   "machine does not tell that of its memory "
				   "at position 1; local holds\n");
	check_warning("large=bind:hbm", "numaslab: NUMASLAB_POLICY=large=bind:"
					"hbm: this process may not use any "
					"such node at position 12; local "
					"holds\n");
	check_warning("local", "");
}

int
main(void)
{
	ns_options.fake_nodes = 4;
	ns_topo_discover();
	terms();
	settings();
	errors();
	turns();
	kernel_weights();
	tables();
	narrow();
	warnings();
	own();
	return test_done();
}
