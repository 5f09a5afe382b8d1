/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/list.h - circular doubly linked list, the head a link of its own.
 */
#ifndef NS_LIST_H
#define NS_LIST_H

#include "base/base.h"

struct ns_list {
	struct ns_list *next, *prev;
};

ns_inline void
ns_list_init(struct ns_list *head)
{
	head->next = head->prev = head;
}

ns_inline bool
ns_list_empty(const struct ns_list *head)
{
	return head->next == head;
}

ns_inline void
ns_list_insert_between(struct ns_list *n, struct ns_list *a, struct ns_list *b)
{
	n->prev = a;
	n->next = b;
	a->next = n;
	b->prev = n;
}

ns_inline void
ns_list_push(struct ns_list *head, struct ns_list *n)
{
	ns_list_insert_between(n, head, head->next);
}

ns_inline void
ns_list_append(struct ns_list *head, struct ns_list *n)
{
	ns_list_insert_between(n, head->prev, head);
}

/* The removed link is left self-linked, so that removing twice is harmless. */
ns_inline void
ns_list_remove(struct ns_list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	ns_list_init(n);
}

#define ns_list_first(head, type, member) \
	ns_container_of((head)->next, type, member)

#define ns_list_for_each(pos, head) \
	for (pos = (head)->next; pos != (head); pos = pos->next)

#define ns_list_for_each_safe(pos, tmp, head)                    \
	for (pos = (head)->next, tmp = pos->next; pos != (head); \
	     pos = tmp, tmp = pos->next)

#endif
