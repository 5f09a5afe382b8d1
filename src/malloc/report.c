/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * malloc/report.c - malloc_stats_print: the figures as text or as JSON.
 *
 * The options are jemalloc's letters: J for JSON; g, m, a and b leave out
 * what is general, the sums, the nodes and the classes; others mean nothing
 * here.  Names are jemalloc's where it has one for the same thing, so that
 * what reads its JSON reads ours.  Nothing is allocated.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"
#include "numaslab/numaslab.h"
#include "malloc/figures.h"

typedef void (*write_fn)(void *ctx, const char *text);

extern void (*malloc_message)(void *ctx, const char *text);
void malloc_stats_print(write_fn write, void *ctx, const char *opts);

ns_export void (*malloc_message)(void *ctx, const char *text);

struct report {
	write_fn write;
	void *ctx;
	const char *opts;
	bool comma; /* JSON: something precedes in this object */
};

static ns_printf(2, 3) void put(struct report *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->write(r->ctx, text);
}

static bool
wants(const struct report *r, int letter)
{
	return r->opts == NULL || strchr(r->opts, letter) == NULL;
}

/* Text. */

static void
text_node(struct report *r, const struct ns_node_figures *f)
{
	put(r,
	    "allocated: %lu, active: %lu, metadata: %lu, resident: %lu, "
	    "mapped: %lu, retained: %lu\n",
	    f->live + f->cached, f->used, ns_figures_metadata(f),
	    f->used + f->retained + ns_figures_metadata(f), f->used,
	    f->committed - ns_min(f->used + f->retained, f->committed));
	put(r,
	    "dirty: %lu, purged: %lu, spilled: %lu, local frees: %lu, "
	    "remote frees: %lu, slabs: %lu, large blocks: %lu\n",
	    f->retained, f->purged, f->spilled, f->local_frees, f->remote_frees,
	    f->slabs, f->large_runs);
}

static void
text_classes(struct report *r)
{
	struct ns_class_figures f;
	unsigned c;

	put(r, "%8s %10s %10s %10s %6s\n", "size", "objects", "slabs",
	    "nonfull", "nregs");
	for (c = 1; c < NS_NCLASS; c++) {
		ns_snapshot_class(NS_NO_SLOT, c, &f);
		if (f.slabs == 0)
			continue;
		put(r, "%8u %10lu %10lu %10lu %6u\n", ns_caches[c].objsize,
		    f.live, f.slabs, f.nonfull, ns_caches[c].nobj);
	}
}

static void
text(struct report *r)
{
	struct ns_node_figures f;
	unsigned s;

	put(r, "___ Begin numaslab statistics ___\n");
	if (wants(r, 'g'))
		put(r,
		    "numaslab %s, nodes: %u, page size: %zu, decay: %lu ms\n",
		    numaslab_version(), ns_topo.nslots, ns_page_size,
		    ns_options.purge_ms);
	if (wants(r, 'm')) {
		ns_snapshot_node(NS_NO_SLOT, &f);
		text_node(r, &f);
	}
	for (s = 0; s < ns_topo.nslots && wants(r, 'a'); s++) {
		ns_snapshot_node(s, &f);
		put(r, "node %d:\n", f.node);
		text_node(r, &f);
	}
	if (wants(r, 'b'))
		text_classes(r);
	put(r, "___ End numaslab statistics ___\n");
}

/* JSON. */

static void
open_object(struct report *r, const char *name)
{
	put(r, "%s\"%s\":{", r->comma ? "," : "", name);
	r->comma = false;
}

static void
close_object(struct report *r)
{
	put(r, "}");
	r->comma = true;
}

static void
number(struct report *r, const char *name, uint64_t value)
{
	put(r, "%s\"%s\":%lu", r->comma ? "," : "", name, value);
	r->comma = true;
}

static void
string(struct report *r, const char *name, const char *value)
{
	put(r, "%s\"%s\":\"%s\"", r->comma ? "," : "", name, value);
	r->comma = true;
}

static void
json_node(struct report *r, const struct ns_node_figures *f)
{
	number(r, "allocated", f->live + f->cached);
	number(r, "active", f->used);
	number(r, "metadata", ns_figures_metadata(f));
	number(r, "resident", f->used + f->retained + ns_figures_metadata(f));
	number(r, "mapped", f->used);
	number(r, "retained",
	       f->committed - ns_min(f->used + f->retained, f->committed));
	number(r, "dirty", f->retained);
	number(r, "purged", f->purged);
	number(r, "spilled", f->spilled);
	number(r, "local_frees", f->local_frees);
	number(r, "remote_frees", f->remote_frees);
}

static void
json_classes(struct report *r)
{
	struct ns_class_figures f;
	unsigned c;

	put(r, "%s\"bins\":[", r->comma ? "," : "");
	r->comma = false;
	for (c = 1; c < NS_NCLASS; c++) {
		ns_snapshot_class(NS_NO_SLOT, c, &f);
		put(r, "%s{", r->comma ? "," : "");
		r->comma = false;
		number(r, "size", ns_caches[c].objsize);
		number(r, "nregs", ns_caches[c].nobj);
		number(r, "curregs", f.live);
		number(r, "curslabs", f.slabs);
		number(r, "nonfull_slabs", f.nonfull);
		close_object(r);
	}
	put(r, "]");
}

static void
json(struct report *r)
{
	struct ns_node_figures f;
	char name[24];
	unsigned s;

	put(r, "{");
	open_object(r, "jemalloc");
	if (wants(r, 'g')) {
		string(r, "version", "numaslab " NUMASLAB_VERSION);
		open_object(r, "arenas");
		number(r, "narenas", ns_topo.nslots);
		number(r, "page", ns_page_size);
		number(r, "nbins", NS_NBINS);
		close_object(r);
	}
	if (wants(r, 'm')) {
		open_object(r, "stats");
		ns_snapshot_node(NS_NO_SLOT, &f);
		json_node(r, &f);
		close_object(r);
	}
	open_object(r, "stats.arenas");
	for (s = 0; s < ns_topo.nslots && wants(r, 'a'); s++) {
		ns_snapshot_node(s, &f);
		snprintf(name, sizeof(name), "%u", s);
		open_object(r, name);
		number(r, "node", (uint64_t)f.node);
		json_node(r, &f);
		close_object(r);
	}
	if (wants(r, 'b')) {
		open_object(r, "merged");
		json_classes(r);
		close_object(r);
	}
	close_object(r);
	close_object(r);
	put(r, "}\n");
}

static void
to_stderr(void *ctx, const char *s)
{
	(void)ctx;
	if (write(STDERR_FILENO, s, strlen(s)) < 0)
		return;
}

ns_export void
malloc_stats_print(write_fn write_cb, void *ctx, const char *opts)
{
	struct report r = { write_cb, ctx, opts, false };

	if (r.write == NULL)
		r.write = malloc_message != NULL ? malloc_message : to_stderr;
	if (ns_init() != 0)
		return;
	ns_snapshot_refresh();
	if (opts != NULL && strchr(opts, 'J') != NULL)
		json(&r);
	else
		text(&r);
}
