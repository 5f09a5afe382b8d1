/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A constructed object may point at itself.  Were kmem_cache_alloc declared
 * with attribute malloc, an optimising compiler would take for granted that
 * it does not, and read a stale member.
 */
#include "numaslab/kmem.h"
#include "tests/test.h"

struct node {
	struct node *self;
	int value;
};

static void
construct(void *p)
{
	struct node *n = p;

	n->self = n;
	n->value = 0;
}

#define STORE_THROUGH_SELF(how)        \
	do {                           \
		struct node *n = how;  \
                                       \
		REQUIRE(n != NULL);    \
		n->value = 1;          \
		n->self->value = 2;    \
		CHECK_EQ(n->value, 2); \
	} while (0)

int
main(void)
{
	struct kmem_cache *cache =
	    kmem_cache_create("node", sizeof(struct node), 0, 0, construct);

	REQUIRE(cache != NULL);
	STORE_THROUGH_SELF(kmem_cache_alloc(cache, GFP_KERNEL));
	STORE_THROUGH_SELF(kmem_cache_alloc_node(cache, GFP_KERNEL, -1));
	return test_done();
}
