/* SPDX-License-Identifier: BSD-2-Clause */
/* vm/record.c - tree nodes and objects: see struct ns_vm_record in vm.h. */
#include "vm/vm.h"

#include <string.h>

/* Cuts a run into records, which are zero but for their links. */
static bool
refill(struct ns_vm_node *n, enum ns_vm_kind kind)
{
	struct ns_unit *u = ns_run_alloc(n->slot, 1, 1, NS_RUN_OWN);
	char *at;

	if (u == NULL)
		return false;
	at = ns_unit_addr(u);
	if (!u->zero)
		memset(at, 0, NS_UNIT);
	((struct ns_vm_meta *)u->body)->role = NS_VM_RECORDS;
	ns_run_publish(u, NS_KIND_VM);
	ns_lock(&n->lock);
	for (size_t i = 0; i < NS_UNIT / NS_VM_RECORD; i++) {
		struct ns_vm_record *r = (void *)(at + i * NS_VM_RECORD);

		ns_store_relaxed(&r->next, n->records[kind]);
		n->records[kind] = r;
	}
	ns_unlock(&n->lock);
	return true;
}

void *
ns_vm_record_get(unsigned slot, enum ns_vm_kind kind)
{
	struct ns_vm_node *n = &ns_vm_nodes[slot];
	struct ns_vm_record *r;

	do {
		ns_lock(&n->lock);
		r = n->records[kind];
		if (r != NULL)
			n->records[kind] = ns_load_relaxed(&r->next);
		ns_unlock(&n->lock);
	} while (r == NULL && refill(n, kind));
	if (r != NULL)
		ns_store_relaxed(&r->next, NULL);
	return r;
}

/* Its first word may be anything; the rest is zero again. */
void
ns_vm_record_put(void *record, enum ns_vm_kind kind)
{
	struct ns_vm_node *n = &ns_vm_nodes[ns_slot_of(record)];
	struct ns_vm_record *r = record;

	ns_lock(&n->lock);
	ns_store_relaxed(&r->next, n->records[kind]);
	n->records[kind] = r;
	ns_unlock(&n->lock);
}
