/* SPDX-License-Identifier: BSD-2-Clause */
/* tools/table.c - figures as a table for people, or as JSON. */
#include "tools/tools.h"

#include "numaslab/numaslab.h"

#include <string.h>

/* Resident is used plus retained: what is kept from the operating system. */
static uint64_t
resident(const struct ns_node_figures *f)
{
	return f->used + f->retained;
}

const char *
ns_human(char *buf, uint64_t bytes)
{
	static const char unit[] = "KMGTPE";
	double value = (double)bytes;
	int i = -1;

	while (value >= 1023.95 && i < 5) {
		value /= 1024;
		i++;
	}
	if (i < 0)
		sprintf(buf, "%u", (unsigned)bytes);
	else
		sprintf(buf, "%.1f%c", value, unit[i]);
	return buf;
}

static void
print_size(FILE *out, uint64_t bytes, bool exact)
{
	char buf[16];

	if (exact)
		fprintf(out, " %15lu", bytes);
	else
		fprintf(out, " %9s", ns_human(buf, bytes));
}

static void
print_row(FILE *out, const char *name, const struct ns_node_figures *f,
	  bool exact)
{
	fprintf(out, "%-5s", name);
	print_size(out, f->live, exact);
	print_size(out, resident(f), exact);
	print_size(out, f->retained, exact);
	print_size(out, f->spilled, exact);
	fprintf(out, " %13lu %13lu\n", f->local_frees, f->remote_frees);
}

static void
print_table(FILE *out, const struct ns_target *t, const struct ns_snapshot *s,
	    bool exact)
{
	char name[16];

	fprintf(out,
		"process %d (%s): %u node%s, %zu mappings, %zu of them "
		"numaslab's\n",
		(int)t->pid, t->name, s->nodes, s->nodes == 1 ? "" : "s",
		s->mappings, s->ours);
	if (exact)
		fprintf(out, "%-5s %15s %15s %15s %15s %13s %13s\n", "node",
			"live_bytes", "resident_bytes", "retained_bytes",
			"spilled_bytes", "local_frees", "remote_frees");
	else
		fprintf(out, "%-5s %9s %9s %9s %9s %13s %13s\n", "node", "live",
			"resident", "retained", "spilled", "local_frees",
			"remote_frees");
	for (unsigned i = 0; i < s->nodes; i++) {
		snprintf(name, sizeof(name), "%d", s->node[i].node);
		print_row(out, name, &s->node[i], exact);
	}
	print_row(out, "total", &s->total, exact);
}

/* --- JSON: one object, one line --- */

static void
print_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void
print_members(FILE *out, const struct ns_node_figures *f)
{
	fprintf(out,
		"\"live\":%lu,\"used\":%lu,\"resident\":%lu,"
		"\"retained\":%lu,\"committed\":%lu,\"spilled\":%lu,"
		"\"purged\":%lu,\"reclaimable\":%lu,"
		"\"local_frees\":%lu,\"remote_frees\":%lu",
		f->live, f->used, resident(f), f->retained, f->committed,
		f->spilled, f->purged, f->reclaimable, f->local_frees,
		f->remote_frees);
}

static void
print_json(FILE *out, const struct ns_target *t, const struct ns_snapshot *s)
{
	fprintf(out,
		"{\"version\":\"%s\",\"pid\":%d,\"command\":", NUMASLAB_VERSION,
		(int)t->pid);
	print_string(out, t->name);
	fprintf(out, ",\"mappings\":%zu,\"own_mappings\":%zu,\"nodes\":[",
		s->mappings, s->ours);
	for (unsigned i = 0; i < s->nodes; i++) {
		fprintf(out, "%s{\"node\":%d,", i > 0 ? "," : "",
			s->node[i].node);
		print_members(out, &s->node[i]);
		fputc('}', out);
	}
	fputs("],\"total\":{", out);
	print_members(out, &s->total);
	fputs("}}\n", out);
}

void
ns_table_print(FILE *out, const struct ns_target *t,
	       const struct ns_snapshot *s, enum ns_table_style style)
{
	if (style == NS_TABLE_JSON)
		print_json(out, t, s);
	else
		print_table(out, t, s, style == NS_TABLE_BYTES);
}
