/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/ctl.c - what mallctl knows: the table of names and their answers.
 *
 * 1. A name is here only if its answer is true.  Events that our fast path
 *    does not count (thread.allocated, nmalloc, nrequests) are unknown names,
 *    as they are in a jemalloc built without statistics.  So is
 *    experimental.utilization: a server that moves its objects by jemalloc's
 *    slab geometry must be told that it cannot.
 * 2. An arena is a node: arena i is slot i.  Index narenas, or
 *    MALLCTL_ARENAS_ALL, is all of them.  A bin is a malloc size class.
 * 3. stats.* come from the snapshot that writing "epoch" takes.
 */
#include "malloc/ctl.h"

#include <errno.h>
#include <string.h>

#include "base/options.h"
#include "numaslab/numaslab.h"
#include "malloc/figures.h"

#define NEVER (1ull << 62) /* a decay time of -1 */

static int
constant(const struct ns_ctl_call *c, uint64_t *value)
{
	*value = c->ctl->text != NULL ? (uintptr_t)c->ctl->text : c->ctl->arg;
	return 0;
}

/* arg: offset of a uint64_t in ns_options. */
static int
option(const struct ns_ctl_call *c, uint64_t *value)
{
	const char *at = (const char *)&ns_options + c->ctl->arg;

	*value = ns_load_relaxed((const uint64_t *)(const void *)at);
	return 0;
}

static int
decay(const struct ns_ctl_call *c, uint64_t *value)
{
	(void)c;
	*value = ns_load_relaxed(&ns_options.purge_ms);
	if (*value >= NEVER)
		*value = UINT64_MAX;
	return 0;
}

/* One decay time for all nodes, whichever arena is named. */
static int
set_decay(const struct ns_ctl_call *c, uint64_t value)
{
	(void)c;
	if ((int64_t)value < -1)
		return EFAULT;
	ns_store_relaxed(&ns_options.purge_ms,
			 (int64_t)value == -1 ? NEVER : value);
	return 0;
}

static int
set_background(const struct ns_ctl_call *c, uint64_t value)
{
	(void)c;
	ns_store_relaxed(&ns_options.purge_thread, value);
	return 0;
}

/* What can only be what it is: arg. */
static int
set_same(const struct ns_ctl_call *c, uint64_t value)
{
	return value == c->ctl->arg ? 0 : EFAULT;
}

static int
set_disabled(const struct ns_ctl_call *c, uint64_t value)
{
	(void)c;
	return value != 0 &&
		       strcmp((const char *)(uintptr_t)value, "disabled") == 0
		   ? 0
		   : EFAULT;
}

static int
nothing(const struct ns_ctl_call *c, uint64_t value)
{
	(void)c;
	(void)value;
	return 0;
}

static int
impossible(const struct ns_ctl_call *c, uint64_t value)
{
	(void)c;
	(void)value;
	return EFAULT;
}

static int
again(const struct ns_ctl_call *c, uint64_t *value)
{
	(void)c;
	(void)value;
	return EAGAIN;
}

static int
epoch(const struct ns_ctl_call *c, uint64_t *value)
{
	(void)c;
	*value = ns_snapshot_epoch();
	return 0;
}

static int
set_epoch(const struct ns_ctl_call *c, uint64_t value)
{
	(void)c;
	(void)value;
	ns_snapshot_refresh();
	return 0;
}

static int
narenas(const struct ns_ctl_call *c, uint64_t *value)
{
	(void)c;
	*value = ns_topo.nslots;
	return 0;
}

static int
page_size(const struct ns_ctl_call *c, uint64_t *value)
{
	(void)c;
	*value = ns_page_size;
	return 0;
}

static int
home(const struct ns_ctl_call *c, uint64_t *value)
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
set_home(const struct ns_ctl_call *c, uint64_t value)
{
	(void)c;
	return value < ns_topo.nslots ? EPERM : EFAULT;
}

static int
lookup(const struct ns_ctl_call *c, uint64_t *value)
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

static int
flush(const struct ns_ctl_call *c, uint64_t value)
{
	(void)c;
	(void)value;
	ns_magazines_flush();
	return 0;
}

/* Explicit caches are names without effect: a thread has its magazines. */
static int
tcache_create(const struct ns_ctl_call *c, uint64_t *value)
{
	static unsigned last;

	(void)c;
	*value = ns_add_relaxed(&last, 1u) % 4095;
	return 0;
}

/* The slot that '#' number 0 names; NS_NO_SLOT: all. */
static unsigned
slot_of(const struct ns_ctl_call *c)
{
	return c->index[0] < ns_topo.nslots ? (unsigned)c->index[0]
					    : NS_NO_SLOT;
}

static int
purge(const struct ns_ctl_call *c, uint64_t value)
{
	unsigned slot = slot_of(c);

	(void)value;
	if (slot == NS_NO_SLOT) {
		numaslab_trim(0);
	} else {
		ns_magazines_flush();
		ns_pool_purge(slot, 0);
	}
	return 0;
}

static int
decay_now(const struct ns_ctl_call *c, uint64_t value)
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
class_shape(const struct ns_ctl_call *c, uint64_t *value)
{
	const struct kmem_cache *cache = &ns_caches[c->index[0] + 1];

	switch (c->ctl->arg) {
	case CLASS_SIZE:
		*value = cache->objsize;
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
class_figure(const struct ns_ctl_call *c, uint64_t *value)
{
	struct ns_class_figures f;

	ns_snapshot_class(slot_of(c), (unsigned)c->index[1] + 1, &f);
	memcpy(value, (const char *)&f + c->ctl->arg, sizeof(*value));
	return 0;
}

/* Bytes in objects of size classes, those in magazines included. */
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
	CACHED,
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
		return f.live + f.cached;
	case ACTIVE:
		return f.used;
	case RESIDENT:
		return held + ns_figures_metadata(&f);
	case RETAINED: /* address space that holds no memory */
		return f.committed > held ? f.committed - held : 0;
	case METADATA:
		return ns_figures_metadata(&f);
	case SMALL:
		return ns_min(small_bytes(slot), f.live + f.cached);
	case LARGE:
		f.live += f.cached;
		return f.live - ns_min(small_bytes(slot), f.live);
	case CACHED:
		return f.cached;
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
total(const struct ns_ctl_call *c, uint64_t *value)
{
	*value = compute((enum figure)c->ctl->arg, NS_NO_SLOT);
	return 0;
}

static int
figure(const struct ns_ctl_call *c, uint64_t *value)
{
	*value = compute((enum figure)c->ctl->arg, slot_of(c));
	return 0;
}

/* The table. */

#define NONE     NS_CTL_NONE
#define BOOL     NS_CTL_BOOL
#define UNSIGNED NS_CTL_UNSIGNED
#define U64      NS_CTL_U64
#define SIZE     NS_CTL_SIZE
#define SSIZE    NS_CTL_SSIZE
#define STRING   NS_CTL_STRING

#define ROW(name, type, get, set, arg)             \
	{                                          \
		name, type, get, set, arg, NULL, 0 \
	}
#define NUM(name, type, value) ROW(name, type, constant, NULL, value)
#define TXT(name, value)                                  \
	{                                                 \
		name, STRING, constant, NULL, 0, value, 0 \
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

const struct ns_ctl ns_ctl_table[] = {
	TXT("version", "5.3.0-0-numaslab" NUMASLAB_VERSION),
	{ "epoch", U64, epoch, set_epoch, 0, NULL, NS_CTL_SET_FIRST },
	ROW("background_thread", BOOL, option, set_background,
	    offsetof(struct ns_options, purge_thread)),
	ROW("max_background_threads", SIZE, constant, set_same, 1),

	ROW("thread.arena", UNSIGNED, home, set_home, 0),
	ROW("thread.idle", NONE, NULL, flush, 0),
	ROW("thread.tcache.enabled", BOOL, constant, set_same, 1),
	ROW("thread.tcache.flush", NONE, NULL, flush, 0),

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
	NUM("opt.stats_print", BOOL, 0),
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
	{ "arena.#.dss", STRING, constant, set_disabled, 0, "disabled", 0 },
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
	{ "arenas.lookup", UNSIGNED, lookup, nothing, 0, NULL, NS_CTL_POINTER },

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
	ROW("stats.arenas.#.tcache_bytes", SIZE, figure, NULL, CACHED),
	ROW("stats.arenas.#.resident", SIZE, figure, NULL, RESIDENT),
	ROW("stats.arenas.#.dirty_purged", U64, figure, NULL, PURGED),
	NUM("stats.arenas.#.muzzy_purged", U64, 0),
	ROW("stats.arenas.#.small.allocated", SIZE, figure, NULL, SMALL),
	ROW("stats.arenas.#.large.allocated", SIZE, figure, NULL, LARGE),
	CLASS("stats.arenas.#.bins.#.curregs", live),
	CLASS("stats.arenas.#.bins.#.curslabs", slabs),
	CLASS("stats.arenas.#.bins.#.nonfull_slabs", nonfull),
};

const size_t ns_ctl_rows = NS_ARRAY_LEN(ns_ctl_table);
