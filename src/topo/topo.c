/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * topo/topo.c - the machine as the kernel tells it, for the first malloc.
 *
 *  1. Which nodes may this process use?  get_mempolicy(2); refused, the
 *     Mems_allowed_list of /proc/self/status.  One node: one slot, and
 *     nothing else is read.  This is every process on a one-node machine.
 *  2. Which nodes have memory?  Each becomes a slot, in rising node order,
 *     whether allowed or not: a pointer's span must have an owner even if
 *     the cpuset is widened later.
 *  3. For each node that is online: the distances from it, the nearest
 *     allowed slot with memory (itself, mostly), and its CPUs, which are
 *     at home on that slot.
 *
 * Whatever the kernel does not tell has a default: distance 20, one slot,
 * node 0.  A CPU that no node lists (hot-plugged since, no sysfs) is looked
 * up with getcpu(2) when a thread first runs there.
 *
 * Nothing is allocated or printed: the tables are static and demand-zero,
 * and a process of one node touches none of them.
 *
 * Readers take no lock.  All is immutable after ns_topo_init(), except the
 * CPU table, whose entries go from unknown to their one value, and the view
 * of distances: ns_topo_publish() stores a pointer to a second, complete
 * view with release, once in the process's life, and the first stays valid,
 * so that a reader sees one order or the other and never a mixture.
 *
 * Given up: nodes beyond the first NS_MAX_SLOTS with memory have no slot;
 * memory that is hot-plugged into a node that had none is not noticed.
 */
#include "topo/internal.h"

#include "base/options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LOCAL  10 /* SLIT's distance of a node to itself */
#define REMOTE 20 /* the kernel's default for any other */

struct ns_topo ns_topo = { .nslots = 1, .one_node = true };

const char *ns_topo_sysfs = "/sys/devices/system/node";
const char *ns_topo_status = "/proc/self/status";
const char *ns_topo_weights = "/sys/kernel/mm/mempolicy/weighted_interleave";

static struct ns_topo_view views[2];        /* [I] once published */
static struct ns_topo_view *view = views;   /* [a] what readers follow */
static uint16_t cpu_slot[NS_MAX_CPUS];      /* [a] slot + 1; 0: not seen */
static uint16_t home_of_node[NS_MAX_NODES]; /* [I] slot + 1; 0: unknown */
static char scratch[16384];                 /* discovery's file buffer */

/* --- once --- */

#define ONCE_DONE 2u /* any other value but 0 is somebody's pid * 4 + 1 */

bool
ns_once_begin(uint32_t *word)
{
	uint32_t mine = (uint32_t)getpid() * 4u + 1u;
	uint32_t seen = ns_load_acquire(word);

	while (seen != ONCE_DONE) {
		if (seen == mine) {
			ns_os_sleep_on(word, mine, 10);
			seen = ns_load_acquire(word);
		} else if (ns_cas_acquire(word, &seen, mine)) {
			return true;
		}
	}
	return false;
}

void
ns_once_end(uint32_t *word)
{
	/* Pairs with the acquiring load in ns_once_begin. */
	ns_store_release(word, ONCE_DONE);
	ns_os_wake(word);
}

/* --- lists and masks --- */

static const char *
number(const char *s, unsigned *value)
{
	unsigned n = 0;

	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++)
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (unsigned)(*s - '0'), &n))
			return NULL;
	*value = n;
	return s;
}

const char *
ns_range_next(const char *s, unsigned *first, unsigned *last)
{
	s = number(s, first);
	if (s == NULL)
		return NULL;
	*last = *first;
	if (*s == '-')
		s = number(s + 1, last);
	if (s == NULL || *last < *first)
		return NULL;
	if (*s == ',')
		return s + 1;
	return *s == '\0' || *s == '\n' ? s : NULL;
}

static void
mask_of_list(struct ns_nodemask *mask, const char *s)
{
	unsigned a, b;

	while ((s = ns_range_next(s, &a, &b)) != NULL)
		for (; a <= b && a < NS_MAX_NODES; a++)
			ns_mask_set(mask, a);
}

static unsigned
mask_count(const struct ns_nodemask *mask)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NS_MASK_WORDS; i++)
		n += (unsigned)__builtin_popcountll(mask->word[i]);
	return n;
}

static unsigned
mask_first(const struct ns_nodemask *mask)
{
	for (unsigned i = 0; i < NS_MASK_WORDS; i++)
		if (mask->word[i] != 0)
			return i * 64 + ns_ctz(mask->word[i]);
	return 0;
}

static struct ns_nodemask
mask_and(const struct ns_nodemask *a, const struct ns_nodemask *b)
{
	struct ns_nodemask m;

	for (unsigned i = 0; i < NS_MASK_WORDS; i++)
		m.word[i] = a->word[i] & b->word[i];
	return m;
}

static struct ns_nodemask
mask_or(const struct ns_nodemask *a, const struct ns_nodemask *b)
{
	struct ns_nodemask m;

	for (unsigned i = 0; i < NS_MASK_WORDS; i++)
		m.word[i] = a->word[i] | b->word[i];
	return m;
}

/* --- what the kernel tells --- */

/* Into scratch.  A list that did not fit loses its last, cut number. */
static bool
read_scratch(const char *path)
{
	long n = ns_os_read_file(path, scratch, sizeof(scratch));
	char *comma;

	if (n <= 0)
		return false;
	if ((size_t)n == sizeof(scratch) - 1) {
		comma = strrchr(scratch, ',');
		if (comma != NULL)
			*comma = '\0';
	}
	return true;
}

static bool
read_attribute(const char *name)
{
	char path[256];

	ns_format(path, sizeof(path), "%s/%s", ns_topo_sysfs, name);
	return read_scratch(path);
}

static bool
read_node_attribute(unsigned node, const char *name)
{
	char path[256];

	ns_format(path, sizeof(path), "%s/node%u/%s", ns_topo_sysfs, node,
		  name);
	return read_scratch(path);
}

long
ns_topo_read(unsigned node, const char *name, char *buf, size_t size)
{
	char path[256];

	ns_format(path, sizeof(path), "%s/node%u/%s", ns_topo_sysfs, node,
		  name);
	return ns_os_read_file(path, buf, size);
}

static bool
read_mask(const char *name, struct ns_nodemask *mask)
{
	*mask = (struct ns_nodemask){ { 0 } };
	if (read_attribute(name))
		mask_of_list(mask, scratch);
	return mask_count(mask) > 0;
}

uint64_t
ns_topo_number(const char *s)
{
	uint64_t n = 0;

	for (; *s == ' ' || *s == '\t'; s++)
		;
	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (uint64_t)(*s - '0');
	return n;
}

/* has_memory came with Linux 3.8, has_normal_memory with 2.6.24. */
static bool
read_memory_nodes(struct ns_nodemask *memory)
{
	struct ns_nodemask online;

	if (read_mask("has_memory", memory) ||
	    read_mask("has_normal_memory", memory))
		return true;
	if (!read_mask("online", &online))
		return false;
	for (unsigned n = 0; n < NS_MAX_NODES; n++)
		if (ns_mask_test(&online, n) && ns_topo_capacity(n) > 0)
			ns_mask_set(memory, n);
	return mask_count(memory) > 0;
}

/* Leaves the mask empty when nobody tells. */
static void
read_allowed_nodes(struct ns_nodemask *allowed)
{
	static const char key[] = "Mems_allowed_list:";
	const char *s;

	if (ns_os_allowed_nodes(allowed) == 0 && mask_count(allowed) > 0)
		return;
	*allowed = (struct ns_nodemask){ { 0 } };
	if (!read_scratch(ns_topo_status))
		return;
	s = strstr(scratch, key);
	if (s == NULL)
		return;
	for (s += sizeof(key) - 1; *s == ' ' || *s == '\t'; s++)
		;
	mask_of_list(allowed, s);
}

/*
 * nodeN/distance has a column for each online node, in rising order.  A row
 * of another length, or with a value no SLIT has, is not believed.
 */
static void
read_distances(unsigned node, const struct ns_nodemask *online, uint8_t *row)
{
	uint8_t believed[NS_MAX_SLOTS];
	unsigned column = 0, value, slot;
	const char *s = scratch;

	memcpy(believed, row, sizeof(believed));
	if (!read_node_attribute(node, "distance"))
		return;
	while (column < NS_MAX_NODES && !ns_mask_test(online, column))
		column++;
	while (column < NS_MAX_NODES) {
		for (; *s == ' ' || *s == '\t'; s++)
			;
		s = number(s, &value);
		if (s == NULL || value < LOCAL || value > UINT8_MAX)
			return;
		slot = ns_topo.slot_of_node[column];
		if (slot != NS_NO_SLOT)
			believed[slot] = (uint8_t)value;
		do {
			column++;
		} while (column < NS_MAX_NODES &&
			 !ns_mask_test(online, column));
	}
	for (; *s == ' ' || *s == '\n'; s++)
		;
	if (*s == '\0')
		memcpy(row, believed, sizeof(believed));
}

/* Are there any? */
static bool
map_cpus(unsigned node, unsigned slot)
{
	const char *s = scratch;
	bool any = false;
	unsigned a, b;

	if (!read_node_attribute(node, "cpulist"))
		return true; /* nobody tells: an ordinary node */
	for (; (s = ns_range_next(s, &a, &b)) != NULL; any = true)
		for (; a <= b && a < NS_MAX_CPUS; a++)
			ns_store_relaxed(&cpu_slot[a], (uint16_t)(slot + 1));
	return any;
}

/* --- the tables --- */

/* Itself if it may be used, else the first of the nearest that may. */
static unsigned
nearest_allowed(unsigned own, const uint8_t *row)
{
	unsigned best = NS_NO_SLOT, s;

	if (own != NS_NO_SLOT && ns_topo.allowed[own])
		return own;
	for (s = 0; s < ns_topo.nslots; s++)
		if (ns_topo.allowed[s] &&
		    (best == NS_NO_SLOT || row[s] < row[best]))
			best = s;
	return best == NS_NO_SLOT ? 0 : best;
}

/*
 * Nearest first.  What is equally near comes in ring order from @slot, so
 * that not every node spills onto the lowest.
 */
static void
sort_order(struct ns_topo_view *v, unsigned slot)
{
	const uint8_t *distance = v->distance[slot], *tie = v->tie[slot];
	uint8_t *order = v->order[slot];
	unsigned i, j, s;

	for (i = 0; i < ns_topo.nslots; i++) {
		s = (slot + i) % ns_topo.nslots;
		for (j = i; j > 1; j--) {
			unsigned before = order[j - 1];

			if (distance[before] < distance[s] ||
			    (distance[before] == distance[s] &&
			     tie[before] <= tie[s]))
				break;
			order[j] = (uint8_t)before;
		}
		order[j] = (uint8_t)s;
	}
}

static void
add_slot(unsigned node, bool allowed)
{
	unsigned slot = ns_topo.nslots;

	if (slot == NS_MAX_SLOTS)
		return;
	ns_topo.node_of_slot[slot] = (uint16_t)node;
	ns_topo.slot_of_node[node] = (uint16_t)slot;
	ns_topo.allowed[slot] = allowed;
	ns_topo.cpus[slot] = true;
	ns_store_relaxed(&ns_topo.usable[node],
			 (uint16_t)(allowed ? slot : NS_NO_SLOT));
	home_of_node[node] = (uint16_t)(slot + 1);
	ns_topo.nslots++;
}

static void
one_slot(unsigned node)
{
	add_slot(node, true);
	ns_topo.one_node = true;
}

static uint8_t
fake_distance(unsigned a, unsigned b)
{
	if (a == b)
		return LOCAL;
	return (uint8_t)(REMOTE + (a < b ? b - a : a - b));
}

static void
fake_machine(unsigned n)
{
	struct ns_topo_view *v = views;
	unsigned i, j;

	ns_topo.fake = true;
	for (i = 0; i < n; i++) {
		add_slot(i, true);
		for (j = 0; j < n; j++)
			v->distance[i][j] = fake_distance(i, j);
	}
	ns_topo.one_node = n == 1;
	for (i = 0; i < n; i++)
		sort_order(v, i);
}

static void
describe_node(unsigned node, const struct ns_nodemask *online)
{
	unsigned own = ns_topo.slot_of_node[node], home;
	uint8_t row[NS_MAX_SLOTS];
	bool any;

	memset(row, REMOTE, sizeof(row));
	if (own != NS_NO_SLOT)
		row[own] = LOCAL;
	read_distances(node, online, row);
	if (own != NS_NO_SLOT)
		memcpy(views->distance[own], row, ns_topo.nslots);
	home = nearest_allowed(own, row);
	home_of_node[node] = (uint16_t)(home + 1);
	any = map_cpus(node, home);
	if (own != NS_NO_SLOT)
		ns_topo.cpus[own] = any;
}

static void
many_slots(const struct ns_nodemask *memory, const struct ns_nodemask *allowed)
{
	struct ns_nodemask online, known;
	unsigned n;

	for (n = 0; n < NS_MAX_NODES; n++)
		if (ns_mask_test(memory, n))
			add_slot(n, ns_mask_test(allowed, n));
	read_mask("online", &online);
	known = mask_or(&online, memory);
	for (n = 0; n < NS_MAX_NODES; n++)
		if (ns_mask_test(&known, n))
			describe_node(n, &online);
	for (n = 0; n < ns_topo.nslots; n++)
		sort_order(views, n);
}

static void
forget(void)
{
	if (home_of_node[ns_topo.node_of_slot[0]] != 0) {
		memset(views, 0, sizeof(views));
		memset(cpu_slot, 0, sizeof(cpu_slot));
		memset(home_of_node, 0, sizeof(home_of_node));
	}
	memset(&ns_topo, 0, offsetof(struct ns_topo, usable));
	memset(ns_topo.slot_of_node, 0xff, sizeof(ns_topo.slot_of_node));
	for (unsigned n = 0; n < NS_MAX_NODES; n++)
		ns_store_relaxed(&ns_topo.usable[n], NS_NO_SLOT);
	ns_store_release(&view, views);
	ns_memory_forget();
}

void
ns_topo_discover(void)
{
	struct ns_nodemask allowed, memory = { { 0 } }, usable;

	forget();
	if (ns_options.fake_nodes > 0) {
		fake_machine((unsigned)ns_options.fake_nodes);
		return;
	}
	read_allowed_nodes(&allowed);
	if (mask_count(&allowed) == 1) {
		one_slot(mask_first(&allowed));
		return;
	}
	if (!read_memory_nodes(&memory))
		memory = allowed;
	usable = mask_and(&memory, &allowed);
	if (mask_count(&usable) == 0)
		usable = memory;
	if (mask_count(&usable) <= 1)
		one_slot(mask_first(&usable));
	else
		many_slots(&memory, &usable);
}

void
ns_topo_assume(const struct ns_nodemask *memory)
{
	unsigned i, n;

	forget();
	for (n = 0; n < NS_MAX_NODES; n++)
		if (ns_mask_test(memory, n))
			add_slot(n, true);
	if (ns_topo.nslots == 0)
		add_slot(0, true);
	n = ns_topo.nslots;
	ns_topo.one_node = n == 1;
	for (i = 0; i < n; i++) {
		memset(views->distance[i], REMOTE, n);
		views->distance[i][i] = LOCAL;
		sort_order(views, i);
	}
}

void
ns_topo_init(void)
{
	static uint32_t once;

	if (!ns_once_begin(&once))
		return;
	ns_options_read(environ);
	ns_topo_discover();
	ns_once_end(&once);
}

/* --- the views --- */

struct ns_topo_view *
ns_topo_draft(void)
{
	unsigned n = ns_topo.nslots;

	for (unsigned s = 0; s < n; s++) {
		memcpy(views[1].distance[s], views[0].distance[s], n);
		memset(views[1].tie[s], 0, n);
		views[1].memory[s] = *ns_topo_memory(s);
	}
	return &views[1];
}

void
ns_topo_publish(struct ns_topo_view *v)
{
	for (unsigned s = 0; s < ns_topo.nslots; s++)
		sort_order(v, s);
	/* Pairs with the acquiring loads of view below. */
	ns_store_release(&view, v);
}

const struct ns_topo_view *
ns_topo_view(void)
{
	return ns_load_acquire(&view);
}

/* --- what the layers above ask --- */

static ns_cold unsigned
learn_cpu(unsigned cpu)
{
	unsigned now, node, slot;

	if (ns_topo.one_node)
		return 0;
	if (ns_topo.fake) {
		slot = cpu % ns_topo.nslots;
	} else {
		slot = nearest_allowed(NS_NO_SLOT, views->distance[0]);
		if (ns_os_getcpu(&now, &node) != 0)
			return slot;
		if (node < NS_MAX_NODES && home_of_node[node] != 0)
			slot = home_of_node[node] - 1u;
		if (now != cpu) /* moved meanwhile: right for now only */
			return slot;
	}
	if (cpu < NS_MAX_CPUS)
		ns_store_relaxed(&cpu_slot[cpu], (uint16_t)(slot + 1));
	return slot;
}

unsigned
ns_topo_slot_of_known_cpu(unsigned cpu)
{
	bool exists = cpu < (unsigned)sysconf(_SC_NPROCESSORS_CONF);

	if (ns_topo.fake || ns_topo.one_node)
		return exists ? cpu % ns_topo.nslots : NS_NO_SLOT;
	if (cpu >= NS_MAX_CPUS || ns_load_relaxed(&cpu_slot[cpu]) == 0)
		return NS_NO_SLOT;
	return ns_load_relaxed(&cpu_slot[cpu]) - 1u;
}

unsigned
ns_topo_slot_of_cpu(unsigned cpu)
{
	unsigned known = 0;

	if (ns_likely(cpu < NS_MAX_CPUS))
		known = ns_load_relaxed(&cpu_slot[cpu]);
	return ns_likely(known != 0) ? known - 1 : learn_cpu(cpu);
}

const struct ns_memory *
ns_topo_memory(unsigned slot)
{
	ns_memory_read(views->memory);
	return &ns_topo_view()->memory[slot];
}

const uint8_t *
ns_topo_order(unsigned slot)
{
	return ns_topo_view()->order[slot];
}

unsigned
ns_topo_distance(unsigned from, unsigned to)
{
	if (from == to)
		return LOCAL;
	return ns_topo_view()->distance[from][to];
}
