/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *	machines [DIRECTORY]
 *
 * Replays each recorded machine: its files go to a temporary directory, the
 * discovery reads them there instead of /sys and /proc, and what it found is
 * compared with the machine's "expect" section:
 *
 *	slots NODE...		the nodes that have a slot, in slot order
 *	allowed NODE...		those that may be used
 *	home CPU:NODE...	where a CPU is at home
 *	distance FROM TO D
 *	order NODE NODE...	the spill order from the first
 *	refined NODE NODE...	the same once hwloc has read the file "xml"
 *	memory NODE KIND MIB NS MIB/S
 *	prefer POLICY NODE NODE...	the home of a thread near the node,
 *				and where that spills
 *	here			the CPU we run on, from getcpu(2)
 */
#include "tests/test.h"
#include "topo/internal.h"

#include <dirent.h>
#include <ftw.h>
#include <sched.h>
#include <sys/stat.h>

static const char *machine; /* for messages */
static char root[256];
static bool refined; /* the machine in hand, by its XML */

static void
make_parents(char *path)
{
	for (char *p = path + strlen(root) + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		REQUIRE(mkdir(path, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
}

static FILE *
create(const char *name)
{
	char path[sizeof(root) + 4096];
	FILE *f;

	REQUIRE(snprintf(path, sizeof(path), "%s/%s", root, name) <
		(int)sizeof(path));
	make_parents(path);
	f = fopen(path, "w");
	REQUIRE(f != NULL);
	return f;
}

/* Everything behind "== NAME" up to the next is the file NAME. */
static void
unpack(const char *file)
{
	char line[4096];
	FILE *in = fopen(file, "r"), *out = NULL;

	REQUIRE(in != NULL);
	while (fgets(line, sizeof(line), in) != NULL) {
		if (strncmp(line, "== ", 3) == 0) {
			if (out != NULL)
				fclose(out);
			line[strcspn(line, "\n")] = '\0';
			out = create(line + 3);
		} else if (out != NULL) {
			fputs(line, out);
		}
	}
	REQUIRE(out != NULL);
	fclose(out);
	fclose(in);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

/* --- expectations --- */

static unsigned
slot_of(int node)
{
	unsigned slot = NS_NO_SLOT;

	if (node >= 0 && node < NS_MAX_NODES)
		slot = ns_topo.slot_of_node[node];
	if (slot == NS_NO_SLOT) {
		test_fail(machine, 0, "node %d has no slot", node);
		return 0;
	}
	return slot;
}

static int
next_number(char **s)
{
	char *end;
	long n = strtol(*s, &end, 10);

	if (end == *s)
		return -1;
	*s = end;
	return (int)n;
}

static void
expect_slots(char *s)
{
	unsigned slot;
	int node;

	for (slot = 0; (node = next_number(&s)) >= 0; slot++) {
		CHECK_MSG(slot < ns_topo.nslots &&
			      ns_topo.node_of_slot[slot] == node,
			  "%s: slot %u is not node %d", machine, slot, node);
		CHECK_MSG(ns_topo.slot_of_node[node] == slot,
			  "%s: node %d is not slot %u", machine, node, slot);
	}
	CHECK_MSG(slot == ns_topo.nslots, "%s: %u slots, not %u", machine,
		  ns_topo.nslots, slot);
	CHECK_MSG(ns_topo.one_node == (slot == 1), "%s: one_node", machine);
	CHECK_MSG(!ns_topo.fake, "%s: fake", machine);
}

static void
expect_allowed(char *s)
{
	bool allowed[NS_MAX_SLOTS] = { false };
	int node;

	while ((node = next_number(&s)) >= 0)
		allowed[slot_of(node)] = true;
	for (unsigned i = 0; i < ns_topo.nslots; i++)
		CHECK_MSG(allowed[i] == ns_topo.allowed[i],
			  "%s: allowed of node %d is %d", machine,
			  ns_topo.node_of_slot[i], ns_topo.allowed[i]);
}

static void
expect_home(char *s)
{
	unsigned slot;
	int cpu, node;

	while ((cpu = next_number(&s)) >= 0) {
		REQUIRE(*s++ == ':');
		node = next_number(&s);
		slot = ns_topo_slot_of_cpu((unsigned)cpu);
		CHECK_MSG(ns_topo.node_of_slot[slot] == node,
			  "%s: CPU %d is at home on %d, not %d", machine, cpu,
			  ns_topo.node_of_slot[slot], node);
	}
}

static void
expect_distance(char *s)
{
	int from = next_number(&s), to = next_number(&s);
	unsigned want = (unsigned)next_number(&s);
	unsigned is = ns_topo_distance(slot_of(from), slot_of(to));

	CHECK_MSG(is == want, "%s: distance from %d to %d is %u, not %u",
		  machine, from, to, is, want);
}

static void
expect_order(char *s)
{
	const uint8_t *order = ns_topo_order(slot_of(next_number(&s)));
	unsigned i;
	int node;

	for (i = 0; (node = next_number(&s)) >= 0; i++)
		CHECK_MSG(ns_topo.node_of_slot[order[i]] == node,
			  "%s: place %u of the order is node %d, not %d",
			  machine, i, ns_topo.node_of_slot[order[i]], node);
	CHECK_MSG(i == ns_topo.nslots, "%s: the order lists %u nodes of %u",
		  machine, i, ns_topo.nslots);
}

/* The same of the other view, which all lines from here on are about. */
static void
expect_refined(char *s)
{
	if (!refined)
		CHECK_MSG(ns_hwloc_refine() == 0, "%s: hwloc does not refine",
			  machine);
	refined = true;
	expect_order(s);
}

static void
expect_memory(char *s)
{
	static const char *const kinds[] = { "dram", "hbm", "cxl" };
	unsigned long capacity, latency, bandwidth;
	const struct ns_memory *m;
	char kind[8];
	int node;

	REQUIRE(sscanf(s, "%d %7s %lu %lu %lu", &node, kind, &capacity,
		       &latency, &bandwidth) == 5);
	m = ns_topo_memory(slot_of(node));
	CHECK_MSG(strcmp(kinds[m->kind], kind) == 0,
		  "%s: node %d is %s, not %s", machine, node, kinds[m->kind],
		  kind);
	CHECK_MSG(m->capacity >> 20 == capacity && m->latency == latency &&
		      m->bandwidth == bandwidth,
		  "%s: node %d has %lu bytes, %u ns, %u MiB/s", machine, node,
		  m->capacity, m->latency, m->bandwidth);
}

static void
expect_prefer(char *s)
{
	uint8_t order[NS_MAX_SLOTS];
	const char *why = "";
	unsigned i, n, home;
	char policy[32];
	size_t pos;
	int len, node;

	REQUIRE(sscanf(s, "%31s%n", policy, &len) == 1);
	s += len;
	if (ns_policy_try(policy, NULL, true, &pos, &why) != 0) {
		test_fail(machine, 0, "%s: %s", policy, why);
		return;
	}
	home = ns_policy.home[slot_of(next_number(&s))];
	n = ns_policy_order(&ns_policy, home, order);
	for (i = 0; (node = next_number(&s)) >= 0; i++)
		CHECK_MSG(i < n && ns_topo.node_of_slot[order[i]] == node,
			  "%s: %s: place %u is node %d, not %d", machine,
			  policy, i, ns_topo.node_of_slot[order[i]], node);
	CHECK_MSG(i == n, "%s: %s: %u nodes of %u", machine, policy, n, i);
}

/* Pinned, so that the answer may be remembered; twice, so that it is. */
static void
expect_here(void)
{
	unsigned cpu, node, want;
	cpu_set_t old, one;

	REQUIRE(sched_getaffinity(0, sizeof(old), &old) == 0);
	REQUIRE(ns_os_getcpu(&cpu, &node) == 0);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
	REQUIRE(ns_os_getcpu(&cpu, &node) == 0);
	want = node < 2 ? slot_of((int)node) : 0;
	CHECK_EQ(ns_topo_slot_of_cpu(cpu), want);
	CHECK_EQ(ns_topo_slot_of_cpu(cpu), want);
	CHECK(ns_topo_slot_of_cpu(NS_MAX_CPUS + 5) < ns_topo.nslots);
	REQUIRE(sched_setaffinity(0, sizeof(old), &old) == 0);
}

static bool
expect_line(char *line)
{
	static const struct {
		const char *word;
		void (*check)(char *);
	} checks[] = {
		{ "slots", expect_slots },       { "allowed", expect_allowed },
		{ "home", expect_home },         { "order", expect_order },
		{ "distance", expect_distance }, { "refined", expect_refined },
		{ "memory", expect_memory },     { "prefer", expect_prefer },
	};

	for (unsigned i = 0; i < NS_ARRAY_LEN(checks); i++) {
		size_t n = strlen(checks[i].word);

		if (strncmp(line, checks[i].word, n) == 0 && line[n] == ' ') {
			checks[i].check(line + n);
			return true;
		}
	}
	if (strcmp(line, "here\n") == 0)
		expect_here();
	else
		CHECK_MSG(line[0] == '\n', "%s: not understood: %s", machine,
			  line);
	return line[0] != '\n';
}

/* Every order is a permutation that starts at home. */
static void
check_orders(void)
{
	for (unsigned s = 0; s < ns_topo.nslots; s++) {
		const uint8_t *order = ns_topo_order(s);
		bool seen[NS_MAX_SLOTS] = { false };

		CHECK_EQ(order[0], s);
		for (unsigned i = 0; i < ns_topo.nslots; i++) {
			CHECK_MSG(order[i] < ns_topo.nslots && !seen[order[i]],
				  "%s: order of slot %u", machine, s);
			seen[order[i]] = true;
		}
		CHECK_EQ(ns_topo_distance(s, s), 10);
	}
}

static void
replay(const char *dir, const char *name)
{
	static char sysfs[300], status[300], xml[300], path[1024], line[4096];
	unsigned lines = 0;
	FILE *f;

	machine = name;
	snprintf(root, sizeof(root), "%s/topo-XXXXXX",
		 getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	REQUIRE(mkdtemp(root) != NULL);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unpack(path);
	snprintf(sysfs, sizeof(sysfs), "%s/node", root);
	snprintf(status, sizeof(status), "%s/status", root);
	snprintf(xml, sizeof(xml), "%s/xml", root);
	setenv("HWLOC_XMLFILE", xml, 1);
	refined = false;
	ns_topo_sysfs = sysfs;
	ns_topo_status = status;
	ns_topo_discover();

	check_orders();
	snprintf(path, sizeof(path), "%s/expect", root);
	f = fopen(path, "r");
	CHECK_MSG(f != NULL, "%s: nothing is expected", name);
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		lines += expect_line(line);
	CHECK_MSG(lines >= 2, "%s: nothing is expected", name);
	if (f != NULL)
		fclose(f);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int
main(int argc, char **argv)
{
	char dir[512];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/tests/topo/machines",
		 getenv("top_srcdir") ? getenv("top_srcdir") : ".");
	if (argc > 1)
		snprintf(dir, sizeof(dir), "%s", argv[1]);
	d = opendir(dir);
	REQUIRE(d != NULL);
	/* get_mempolicy tells of this machine: status tells of the others. */
	ns_os_inject(NS_OS_ALLOWED, EPERM, 0, 1000000);
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".machine") == NULL)
			continue;
		replay(dir, e->d_name);
		n++;
	}
	closedir(d);
	CHECK_MSG(n >= 12, "only %u machines", n);
	return test_done();
}
