/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies: what parses, where the others are wrong, what they do. */
#include "base/options.h"
#include "tests/test.h"
#include "topo/internal.h"

static void
parses(const char *text, enum ns_policy_mode mode, const char *nodes)
{
	struct ns_policy p = { 0 };
	const char *why = NULL;
	size_t pos = 99;
	unsigned a, b;

	CHECK_MSG(ns_policy_parse(text, &p, &pos, &why) == 0, "%s: %s at %zu",
		  text, why, pos);
	CHECK_MSG(p.mode == mode, "%s: mode %d", text, (int)p.mode);
	while ((nodes = ns_range_next(nodes, &a, &b)) != NULL)
		for (; a <= b; a++) {
			CHECK_MSG(ns_mask_test(&p.nodes, a), "%s: no node %u",
				  text, a);
			p.nodes.word[a / 64] &= ~(1ul << (a % 64));
		}
	for (a = 0; a < NS_MAX_NODES; a++)
		CHECK_MSG(!ns_mask_test(&p.nodes, a), "%s: node %u", text, a);
}

static void
fails(const char *text, size_t position, const char *reason)
{
	struct ns_policy p = { NS_POLICY_BIND, { { 1 } } };
	const char *why = "";
	size_t pos = 99;

	CHECK_MSG(ns_policy_parse(text, &p, &pos, &why) == -EINVAL,
		  "\"%s\" parses", text);
	CHECK_MSG(pos == position, "\"%s\": position %zu, not %zu", text, pos,
		  position);
	CHECK_MSG(strstr(why, reason) != NULL, "\"%s\": %s", text, why);
	CHECK_MSG(p.mode == NS_POLICY_BIND && p.nodes.word[0] == 1,
		  "\"%s\" changed the policy", text);
}

static void
parser(void)
{
	parses("local", NS_POLICY_LOCAL, "");
	parses("interleave", NS_POLICY_INTERLEAVE, "");
	parses("bind=0", NS_POLICY_BIND, "0");
	parses("bind=0,2-3", NS_POLICY_BIND, "0,2-3");
	parses("bind=1023", NS_POLICY_BIND, "1023");
	parses("bind=7-7,0", NS_POLICY_BIND, "0,7");
	parses("bind=all", NS_POLICY_BIND, "0-1023");
	parses("preferred=64", NS_POLICY_PREFERRED, "64");

	fails("", 0, "expected local");
	fails("x", 0, "expected local");
	fails("bund=0", 1, "expected local");
	fails("locale", 5, "nothing may follow");
	fails("loca", 4, "expected local");
	fails("local ", 5, "nothing may follow");
	fails(" local", 0, "expected local");
	fails("Local", 0, "expected local");
	fails("interleave=0", 10, "nothing may follow");
	fails("bind", 4, "expected =");
	fails("bind=", 5, "node number");
	fails("bind:0", 4, "expected =");
	fails("bind=0,", 7, "node number");
	fails("bind=0,,1", 7, "node number");
	fails("bind=0-", 7, "node number");
	fails("bind=3-1", 7, "backwards");
	fails("bind=0x", 6, "expected a list");
	fails("bind=0 1", 6, "expected a list");
	fails("bind=-1", 5, "node number");
	fails("bind=1024", 5, "above 1023");
	fails("bind=0,99999999999999999999", 7, "above 1023");
	fails("bind=all,0", 8, "expected a list");
	fails("preferred", 9, "expected =");
	fails("preferred=all", 10, "node number");
	fails("preferred=0,1", 11, "only one");
	fails("preferred=0-1", 11, "only one");
	fails("preferred=1 ", 11, "nothing may follow");
}

static void
install(const char *text)
{
	ns_options.policy = text;
	ns_policy_init();
}

/* Four fake nodes in a row; CPU c is on node c % 4. */
static void
tables(void)
{
	static const unsigned ring[] = { 1, 2, 3, 0 };
	unsigned s;

	install("local");
	for (s = 0; s < 4; s++) {
		CHECK_EQ(ns_policy_home(s), s);
		CHECK_EQ(ns_policy_home(s + 400), s);
		CHECK_EQ(ns_policy_next(s), s);
		CHECK(ns_policy_permits(s));
	}
	install("interleave");
	for (s = 0; s < 4; s++) {
		CHECK_EQ(ns_policy_home(s), s);
		CHECK_EQ(ns_policy_next(s), ring[s]);
		CHECK(ns_policy_permits(s));
	}
	install("bind=1,3,9");
	CHECK_EQ(ns_policy_home(0), 1);
	CHECK_EQ(ns_policy_home(1), 1);
	CHECK_EQ(ns_policy_home(2), 3);
	CHECK_EQ(ns_policy_home(3), 3);
	CHECK_EQ(ns_policy_next(3), 3);
	CHECK(!ns_policy_permits(0));
	CHECK(ns_policy_permits(1));
	CHECK(!ns_policy_permits(2));
	CHECK(ns_policy_permits(3));
	install("preferred=2");
	for (s = 0; s < 4; s++) {
		CHECK_EQ(ns_policy_home(s), 2);
		CHECK(ns_policy_permits(s));
	}
}

/* A cpuset leaves out nodes 0 and 2. */
static void
narrow(void)
{
	ns_topo.allowed[0] = ns_topo.allowed[2] = false;
	install("interleave");
	CHECK_EQ(ns_policy_next(1), 3);
	CHECK_EQ(ns_policy_next(3), 1);
	CHECK_EQ(ns_policy_next(0), 1);
	CHECK(!ns_policy_permits(0));
	CHECK(ns_policy_permits(3));
	install("bind=all");
	CHECK_EQ(ns_policy_home(1), 1);
	CHECK(!ns_policy_permits(2));
	ns_topo.allowed[0] = ns_topo.allowed[2] = true;
}

static void
wrong(void *text)
{
	install(text);
	ns_policy_init(); /* again, as the constructor does: no second line */
	CHECK_EQ(ns_policy.mode, NS_POLICY_LOCAL);
	CHECK_EQ(ns_policy_home(2), 2);
	CHECK(ns_policy_permits(2));
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
	check_warning("interleave,", "numaslab: NUMASLAB_POLICY=interleave,: "
				     "nothing may follow here at position "
				     "11; local holds\n");
	check_warning("local", "");
}

int
main(void)
{
	parser();
	ns_options.fake_nodes = 4;
	ns_topo_discover();
	tables();
	narrow();
	warnings();
	return test_done();
}
