/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/mallctl.c - jemalloc's mallctl: names to figures and switches.
 *
 * 1. One table of full names; '#' stands for an index.  Rows that share a
 *    prefix are together.  In a MIB a word's number is the first row with
 *    that prefix, and an index is itself; so a MIB is checked against the
 *    table by the same code that made it.
 * 2. An arena is a node: arena i is slot i.  Index narenas, or
 *    MALLCTL_ARENAS_ALL, is all of them.  A bin is a malloc size class.
 * 3. stats.* come from the snapshot that writing "epoch" takes.
 * 4. A name is here only if its answer is true.  Events that our fast path
 *    does not count (thread.allocated, nmalloc, nrequests) are unknown names,
 *    as they are in a jemalloc built without statistics.  So is
 *    experimental.utilization: a server that moves its objects by jemalloc's
 *    slab geometry must be told that it cannot.
 * 5. Errors are those of jemalloc(3): ENOENT no such name; EPERM reading what
 *    is write-only or writing what is read-only; EINVAL a length that does
 *    not fit (as much as fits is copied nevertheless), or a value; EFAULT a
 *    thing that cannot be done; EAGAIN no memory.
 */
#include <errno.h>
#include <string.h>

#include "base/options.h"
#include "numaslab/numaslab.h"
#include "malloc/figures.h"

int mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
	    size_t newlen);
int mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp);
int mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
		 void *newp, size_t newlen);

extern const char *malloc_conf;

/* Programs may define it; what it says of jemalloc means nothing here. */
ns_export __attribute__((weak)) const char *malloc_conf;

#define ARENAS_ALL 4096u
#define MAX_DEPTH  7
#define NEVER      (1ull << 62) /* a decay time of -1 */

enum type { NONE, BOOL, UNSIGNED, U64, SIZE, SSIZE, STRING };

struct call;

struct ctl {
	const char *name;
	enum type type;
	int (*get)(const struct call *c, uint64_t *value); /* NULL: EPERM */
	int (*set)(const struct call *c, uint64_t value);  /* NULL: EPERM */
	uint64_t arg;
	const char *text; /* a constant string */
};

struct call {
	const struct ctl *ctl;
	size_t index[2]; /* what the name's '#' are */
	void *oldp;
	size_t *oldlenp;
	const void *newp;
	size_t newlen;
};

/* Answers. */

static int
constant(const struct call *c, uint64_t *value)
{
	*value = c->ctl->text != NULL ? (uintptr_t)c->ctl->text : c->ctl->arg;
	return 0;
}

/* arg: offset of a uint64_t in ns_options. */
static int
option(const struct call *c, uint64_t *value)
{
	const char *at = (const char *)&ns_options + c->ctl->arg;

	*value = ns_load_relaxed((const uint64_t *)(const void *)at);
	return 0;
}

static int
decay(const struct call *c, uint64_t *value)
{
	(void)c;
	*value = ns_load_relaxed(&ns_options.purge_ms);
	if (*value >= NEVER)
		*value = UINT64_MAX;
	return 0;
}

/* One decay time for all nodes, whichever arena is named. */
static int
set_decay(const struct call *c, uint64_t value)
{
	(void)c;
	if ((int64_t)value < -1)
		return EFAULT;
	ns_store_relaxed(&ns_options.purge_ms,
			 (int64_t)value == -1 ? NEVER : value);
	return 0;
}

static int
set_background(const struct call *c, uint64_t value)
{
	(void)c;
	ns_store_relaxed(&ns_options.purge_thread, value);
	return 0;
}

/* What can only be what it is: arg. */
static int
set_same(const struct call *c, uint64_t value)
{
	return value == c->ctl->arg ? 0 : EFAULT;
}

static int
set_disabled(const struct call *c, uint64_t value)
{
	(void)c;
	return value != 0 &&
		       strcmp((const char *)(uintptr_t)value, "disabled") == 0
		   ? 0
		   : EFAULT;
}

static int
nothing(const struct call *c, uint64_t value)
{
	(void)c;
	(void)value;
	return 0;
}

static int
impossible(const struct call *c, uint64_t value)
{
	(void)c;
	(void)value;
	return EFAULT;
}

static int
again(const struct call *c, uint64_t *value)
{
	(void)c;
	(void)value;
	return EAGAIN;
}

static int
epoch(const struct call *c, uint64_t *value)
{
	(void)c;
	*value = ns_snapshot_epoch();
	return 0;
}

static int
set_epoch(const struct call *c, uint64_t value)
{
	(void)c;
	(void)value;
	ns_snapshot_refresh();
	return 0;
}

static int
narenas(const struct call *c, uint64_t *value)
{
	(void)c;
	*value = ns_topo.nslots;
	return 0;
}

static int
page_size(const struct call *c, uint64_t *value)
{
	(void)c;
	*value = ns_page_size;
	return 0;
}

static int
home(const struct call *c, uint64_t *value)
{
	struct ns_heap *h = ns_heap_home();

	(void)c;
	if (h == NULL)
		return EAGAIN;
	*value = h->slot;
	return 0;
}

/* A thread's arena follows its CPU, as with jemalloc's percpu_arena. */
static int
set_home(const struct call *c, uint64_t value)
{
	(void)c;
	return value < ns_topo.nslots ? EPERM : EFAULT;
}

static int
lookup(const struct call *c, uint64_t *value)
{
	void *p;

	if (c->newp == NULL)
		return EINVAL;
	memcpy(&p, c->newp, sizeof(p));
	if (ns_run_of(p) == NULL)
		return EINVAL;
	*value = ns_slot_of(p);
	return 0;
}

/* Thread caches are names without effect: our lists are in the slabs. */
static int
tcache_create(const struct call *c, uint64_t *value)
{
	static unsigned last;

	(void)c;
	*value = ns_add_relaxed(&last, 1u) % 4095;
	return 0;
}

/* The slot that '#' number 0 names; NS_NO_SLOT: all. */
static unsigned
slot_of(const struct call *c)
{
	return c->index[0] < ns_topo.nslots ? (unsigned)c->index[0]
					    : NS_NO_SLOT;
}

static int
purge(const struct call *c, uint64_t value)
{
	unsigned slot = slot_of(c);

	(void)value;
	if (slot == NS_NO_SLOT)
		numaslab_trim(0);
	else
		ns_pool_purge(slot, 0);
	return 0;
}

static int
decay_now(const struct call *c, uint64_t value)
{
	unsigned s, slot = slot_of(c);
	uint64_t now = ns_os_now_ms();

	(void)value;
	for (s = 0; s < ns_topo.nslots; s++)
		if (slot == NS_NO_SLOT || slot == s)
			ns_pool_decay(s, now);
	return 0;
}

/* Size classes. */

enum { CLASS_SIZE, CLASS_NREGS, CLASS_SLAB };

static int
class_shape(const struct call *c, uint64_t *value)
{
	const struct kmem_cache *cache = &ns_caches[c->index[0] + 1];

	switch (c->ctl->arg) {
	case CLASS_SIZE:
		*value = cache->size;
		break;
	case CLASS_NREGS:
		*value = cache->nobj;
		break;
	default:
		*value = (uint64_t)cache->units << NS_UNIT_SHIFT;
		break;
	}
	return 0;
}

/* arg: offset in struct ns_class_figures. */
static int
class_figure(const struct call *c, uint64_t *value)
{
	struct ns_class_figures f;

	ns_snapshot_class(slot_of(c), (unsigned)c->index[1] + 1, &f);
	memcpy(value, (const char *)&f + c->ctl->arg, sizeof(*value));
	return 0;
}

/* Bytes in live objects of size classes. */
static uint64_t
small_bytes(unsigned slot)
{
	struct ns_class_figures f;
	uint64_t sum = 0;
	unsigned i;

	for (i = 1; i < NS_NCLASS; i++) {
		ns_snapshot_class(slot, i, &f);
		sum += f.live * ns_caches[i].size;
	}
	return sum;
}

/* Figures of one node or all. */

enum figure {
	ALLOCATED,
	ACTIVE,
	RESIDENT,
	RETAINED,
	METADATA,
	SMALL,
	LARGE,
	PACTIVE, /* from here on in pages */
	PDIRTY,
	PURGED
};

static uint64_t
compute(enum figure what, unsigned slot)
{
	struct ns_node_figures f;
	uint64_t held;

	ns_snapshot_node(slot, &f);
	held = f.used + f.retained;
	switch (what) {
	case ALLOCATED:
		return f.live;
	case ACTIVE:
		return f.used;
	case RESIDENT:
		return held + ns_figures_metadata(&f);
	case RETAINED: /* address space that holds no memory */
		return f.committed > held ? f.committed - held : 0;
	case METADATA:
		return ns_figures_metadata(&f);
	case SMALL:
		return ns_min(small_bytes(slot), f.live);
	case LARGE:
		return f.live - ns_min(small_bytes(slot), f.live);
	case PACTIVE:
		return f.used / ns_page_size;
	case PDIRTY:
		return f.retained / ns_page_size;
	case PURGED:
		return f.purged / ns_page_size;
	}
	return 0;
}

static int
total(const struct call *c, uint64_t *value)
{
	*value = compute((enum figure)c->ctl->arg, NS_NO_SLOT);
	return 0;
}

static int
figure(const struct call *c, uint64_t *value)
{
	*value = compute((enum figure)c->ctl->arg, slot_of(c));
	return 0;
}

/* The table. */

#define ROW(name, type, get, set, arg)          \
	{                                       \
		name, type, get, set, arg, NULL \
	}
#define NUM(name, type, value)                          \
	{                                               \
		name, type, constant, NULL, value, NULL \
	}
#define TXT(name, value)                               \
	{                                              \
		name, STRING, constant, NULL, 0, value \
	}
#define OPT(name, type, field) \
	ROW(name, type, option, NULL, offsetof(struct ns_options, field))
#define CLASS(name, field)                  \
	ROW(name, SIZE, class_figure, NULL, \
	    offsetof(struct ns_class_figures, field))

#ifdef NS_DEBUG
#define IS_DEBUG 1
#else
#define IS_DEBUG 0
#endif

static const struct ctl table[] = {
	TXT("version", "5.3.0-0-numaslab" NUMASLAB_VERSION),
	ROW("epoch", U64, epoch, set_epoch, 0),
	ROW("background_thread", BOOL, option, set_background,
	    offsetof(struct ns_options, purge_thread)),
	ROW("max_background_threads", SIZE, constant, set_same, 1),

	ROW("thread.arena", UNSIGNED, home, set_home, 0),
	ROW("thread.idle", NONE, NULL, nothing, 0),
	ROW("thread.tcache.enabled", BOOL, constant, set_same, 1),
	ROW("thread.tcache.flush", NONE, NULL, nothing, 0),

	NUM("config.cache_oblivious", BOOL, 1),
	NUM("config.debug", BOOL, IS_DEBUG),
	NUM("config.fill", BOOL, 0),
	NUM("config.lazy_lock", BOOL, 0),
	TXT("config.malloc_conf", ""),
	NUM("config.opt_safety_checks", BOOL, 1),
	NUM("config.prof", BOOL, 0),
	NUM("config.prof_libgcc", BOOL, 0),
	NUM("config.prof_libunwind", BOOL, 0),
	NUM("config.stats", BOOL, 1),
	NUM("config.utrace", BOOL, 0),
	NUM("config.xmalloc", BOOL, 0),

	NUM("opt.abort", BOOL, 0),
	NUM("opt.abort_conf", BOOL, 0),
	NUM("opt.confirm_conf", BOOL, 0),
	OPT("opt.background_thread", BOOL, purge_thread),
	OPT("opt.cache_oblivious", BOOL, color),
	ROW("opt.dirty_decay_ms", SSIZE, decay, NULL, 0),
	TXT("opt.dss", "disabled"),
	NUM("opt.hpa", BOOL, 0),
	TXT("opt.junk", "false"),
	NUM("opt.max_background_threads", SIZE, 1),
	TXT("opt.metadata_thp", "disabled"),
	NUM("opt.muzzy_decay_ms", SSIZE, 0),
	ROW("opt.narenas", UNSIGNED, narenas, NULL, 0),
	NUM("opt.oversize_threshold", SIZE, 0),
	TXT("opt.percpu_arena", "percpu"),
	NUM("opt.retain", BOOL, 1),
	OPT("opt.stats_print", BOOL, stats),
	TXT("opt.stats_print_opts", ""),
	NUM("opt.tcache", BOOL, 1),
	NUM("opt.tcache_max", SIZE, NS_SLAB_MAX),
	TXT("opt.thp", "default"),
	NUM("opt.trust_madvise", BOOL, 0),
	NUM("opt.zero", BOOL, 0),
	TXT("opt.zero_realloc", "free"),

	ROW("tcache.create", UNSIGNED, tcache_create, NULL, 0),
	ROW("tcache.flush", UNSIGNED, NULL, nothing, 0),
	ROW("tcache.destroy", UNSIGNED, NULL, nothing, 0),

	NUM("arena.#.initialized", BOOL, 1),
	ROW("arena.#.decay", NONE, NULL, decay_now, 0),
	ROW("arena.#.purge", NONE, NULL, purge, 0),
	ROW("arena.#.reset", NONE, NULL, impossible, 0),
	ROW("arena.#.destroy", NONE, NULL, impossible, 0),
	{ "arena.#.dss", STRING, constant, set_disabled, 0, "disabled" },
	ROW("arena.#.dirty_decay_ms", SSIZE, decay, set_decay, 0),
	ROW("arena.#.muzzy_decay_ms", SSIZE, constant, set_same, 0),

	ROW("arenas.narenas", UNSIGNED, narenas, NULL, 0),
	ROW("arenas.dirty_decay_ms", SSIZE, decay, set_decay, 0),
	ROW("arenas.muzzy_decay_ms", SSIZE, constant, set_same, 0),
	NUM("arenas.quantum", SIZE, 16),
	ROW("arenas.page", SIZE, page_size, NULL, 0),
	NUM("arenas.tcache_max", SIZE, NS_SLAB_MAX),
	NUM("arenas.nbins", UNSIGNED, NS_NBINS),
	NUM("arenas.nhbins", UNSIGNED, NS_NBINS),
	ROW("arenas.bin.#.size", SIZE, class_shape, NULL, CLASS_SIZE),
	ROW("arenas.bin.#.nregs", UNSIGNED, class_shape, NULL, CLASS_NREGS),
	ROW("arenas.bin.#.slab_size", SIZE, class_shape, NULL, CLASS_SLAB),
	NUM("arenas.bin.#.nshards", UNSIGNED, 1),
	NUM("arenas.nlextents", UNSIGNED, 0),
	ROW("arenas.create", UNSIGNED, again, NULL, 0),
	ROW("arenas.lookup", UNSIGNED, lookup, nothing, 0),

	ROW("stats.allocated", SIZE, total, NULL, ALLOCATED),
	ROW("stats.active", SIZE, total, NULL, ACTIVE),
	ROW("stats.metadata", SIZE, total, NULL, METADATA),
	NUM("stats.metadata_thp", SIZE, 0),
	ROW("stats.resident", SIZE, total, NULL, RESIDENT),
	ROW("stats.mapped", SIZE, total, NULL, ACTIVE),
	ROW("stats.retained", SIZE, total, NULL, RETAINED),
	TXT("stats.arenas.#.dss", "disabled"),
	ROW("stats.arenas.#.dirty_decay_ms", SSIZE, decay, NULL, 0),
	NUM("stats.arenas.#.muzzy_decay_ms", SSIZE, 0),
	ROW("stats.arenas.#.pactive", SIZE, figure, NULL, PACTIVE),
	ROW("stats.arenas.#.pdirty", SIZE, figure, NULL, PDIRTY),
	NUM("stats.arenas.#.pmuzzy", SIZE, 0),
	ROW("stats.arenas.#.mapped", SIZE, figure, NULL, ACTIVE),
	ROW("stats.arenas.#.retained", SIZE, figure, NULL, RETAINED),
	ROW("stats.arenas.#.base", SIZE, figure, NULL, METADATA),
	NUM("stats.arenas.#.internal", SIZE, 0),
	NUM("stats.arenas.#.metadata_thp", SIZE, 0),
	NUM("stats.arenas.#.tcache_bytes", SIZE, 0),
	ROW("stats.arenas.#.resident", SIZE, figure, NULL, RESIDENT),
	ROW("stats.arenas.#.dirty_purged", U64, figure, NULL, PURGED),
	NUM("stats.arenas.#.muzzy_purged", U64, 0),
	ROW("stats.arenas.#.small.allocated", SIZE, figure, NULL, SMALL),
	ROW("stats.arenas.#.large.allocated", SIZE, figure, NULL, LARGE),
	CLASS("stats.arenas.#.bins.#.curregs", live),
	CLASS("stats.arenas.#.bins.#.curslabs", slabs),
	CLASS("stats.arenas.#.bins.#.nonfull_slabs", nonfull),
};

#define NROWS NS_ARRAY_LEN(table)

/* Names. */

/* Word @n of @name (from 0) and its length; NULL: it has fewer. */
static const char *
word_of(const char *name, unsigned n, size_t *len)
{
	for (;; name += *len + 1, n--) {
		*len = strcspn(name, ".");
		if (n == 0)
			return name;
		if (name[*len] == '\0')
			return NULL;
	}
}

/* Do rows @a and @b begin with the same @n words? */
static bool
same_prefix(size_t a, size_t b, unsigned n)
{
	const char *x = table[a].name, *end;
	size_t len;

	if (n == 0 || a == b)
		return true;
	end = word_of(x, n - 1, &len);
	if (end == NULL)
		return false;
	len += (size_t)(end - x);
	return strncmp(table[b].name, x, len) == 0 &&
	       (table[b].name[len] == '.' || table[b].name[len] == '\0');
}

/* Is @index good for the '#' that is word @depth of @row? */
static bool
index_ok(size_t row, unsigned depth, size_t index)
{
	size_t len;
	const char *of = word_of(table[row].name, depth - 1, &len);

	if (strncmp(of, "bin", 3) == 0)
		return index < NS_NBINS;
	return index <= ns_topo.nslots || index == ARENAS_ALL;
}

static bool
parse_index(const char *s, size_t len, size_t *index)
{
	*index = 0;
	if (len == 0 || len > 9)
		return false;
	for (; len > 0; len--, s++) {
		if (*s < '0' || *s > '9')
			return false;
		*index = *index * 10 + (size_t)(*s - '0');
	}
	return true;
}

/*
 * One step down: the first row that begins like @row up to @depth words and
 * goes on with @word.  Returns the row, or NROWS.
 */
static size_t
descend(size_t row, unsigned depth, const char *word, size_t len, size_t *mib)
{
	const char *at;
	size_t n, index;

	for (; row < NROWS; row++) {
		at = word_of(table[row].name, depth, &n);
		if (at == NULL)
			continue;
		if (*at == '#') {
			if (!parse_index(word, len, &index) ||
			    !index_ok(row, depth, index))
				return NROWS;
			*mib = index;
			return row;
		}
		if (n == len && strncmp(at, word, n) == 0) {
			*mib = row;
			return row;
		}
		if (row + 1 < NROWS && !same_prefix(row, row + 1, depth))
			break;
	}
	return NROWS;
}

/* Translates up to *@depth words; returns 0 or ENOENT. */
static int
translate(const char *name, size_t *mib, size_t *depth)
{
	const char *word = name;
	size_t row = 0, len;
	unsigned d;

	for (d = 0; d < *depth; d++) {
		len = strcspn(word, ".");
		row = descend(row, d, word, len, &mib[d]);
		if (row == NROWS)
			return ENOENT;
		word += len;
		if (*word++ == '\0') {
			*depth = d + 1;
			return 0;
		}
	}
	return 0;
}

/* The row that a complete MIB names, its indices in @c. */
static int
resolve(const size_t *mib, size_t depth, struct call *c)
{
	size_t row = 0, len;
	unsigned d, n = 0;
	const char *at;

	for (d = 0; d < depth; d++) {
		at = word_of(table[row].name, d, &len);
		if (at != NULL && *at == '#') {
			if (n == 2 || !index_ok(row, d, mib[d]))
				return ENOENT;
			c->index[n++] = mib[d];
			continue;
		}
		if (mib[d] >= NROWS || !same_prefix(mib[d], row, d))
			return ENOENT;
		row = mib[d];
		if (word_of(table[row].name, d, &len) == NULL ||
		    (row > 0 && same_prefix(row, row - 1, d + 1)))
			return ENOENT;
	}
	if (depth == 0 || word_of(table[row].name, d - 1, &len)[len] != '\0')
		return ENOENT;
	c->ctl = &table[row];
	return 0;
}

/* Values in and out. */

static size_t
size_of(enum type type)
{
	switch (type) {
	case BOOL:
		return sizeof(bool);
	case UNSIGNED:
		return sizeof(unsigned);
	default:
		return sizeof(uint64_t);
	}
}

static int
copy_out(const struct call *c, uint64_t value)
{
	size_t size = size_of(c->ctl->type), n;
	const void *from = &value;
	unsigned u = (unsigned)value;
	bool b = value != 0;

	if (c->oldp == NULL || c->oldlenp == NULL)
		return 0;
	if (size == sizeof(u))
		from = &u;
	else if (size == sizeof(b))
		from = &b;
	n = ns_min(size, *c->oldlenp);
	memcpy(c->oldp, from, n);
	if (*c->oldlenp == size)
		return 0;
	*c->oldlenp = n;
	return EINVAL;
}

static uint64_t
copy_in(const struct call *c)
{
	uint64_t value;
	unsigned u;
	bool b;

	switch (c->newlen) {
	case sizeof(b):
		memcpy(&b, c->newp, sizeof(b));
		return b;
	case sizeof(u):
		memcpy(&u, c->newp, sizeof(u));
		return u;
	default:
		memcpy(&value, c->newp, sizeof(value));
		return value;
	}
}

static int
write_value(const struct call *c)
{
	/* What arenas.lookup is given is a pointer, not its own type. */
	size_t size =
	    c->ctl->get == lookup ? sizeof(void *) : size_of(c->ctl->type);

	if (c->newp == NULL)
		return c->ctl->get == NULL ? EINVAL : 0;
	if (c->newlen != size)
		return EINVAL;
	return c->ctl->set(c, copy_in(c));
}

static int
read_value(const struct call *c)
{
	uint64_t value = 0;
	int error;

	if (c->ctl->get == NULL)
		return 0;
	error = c->ctl->get(c, &value);
	return error != 0 ? error : copy_out(c, value);
}

/* The old value is read before the new one is set, except epoch's. */
static int
run(const struct call *c)
{
	bool reads = c->oldp != NULL || c->oldlenp != NULL;
	bool writes = c->newp != NULL || c->newlen != 0;
	int error;

	if (c->ctl->type == NONE)
		return reads || writes ? EPERM : c->ctl->set(c, 0);
	if ((reads && c->ctl->get == NULL) || (writes && c->ctl->set == NULL))
		return EPERM;
	if (c->ctl->get == epoch) {
		error = write_value(c);
		return error != 0 ? error : read_value(c);
	}
	error = read_value(c);
	return error != 0 || c->ctl->set == NULL ? error : write_value(c);
}

ns_export int
mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
	     void *newp, size_t newlen)
{
	struct call c = { NULL, { 0, 0 }, oldp, oldlenp, newp, newlen };
	int saved = errno, error = EAGAIN;

	if (ns_init() == 0)
		error = resolve(mib, miblen, &c);
	if (error == 0)
		error = run(&c);
	errno = saved;
	return error;
}

ns_export int
mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	return ns_init() == 0 ? translate(name, mibp, miblenp) : EAGAIN;
}

ns_export int
mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
	size_t newlen)
{
	size_t mib[MAX_DEPTH], depth = MAX_DEPTH;
	int error = mallctlnametomib(name, mib, &depth);

	return error != 0
		   ? error
		   : mallctlbymib(mib, depth, oldp, oldlenp, newp, newlen);
}
