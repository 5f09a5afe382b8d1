#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# A program linked with libnumaslab and preloaded with libnumaslab_malloc has
# one heap: malloc's blocks are numaslab's, kfree takes them, and a cache's
# objects may be given to free.
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/heap.c" <<'END'
#include <numaslab/kmem.h>
#include <numaslab/numaslab.h>
#include <stdio.h>
#include <stdlib.h>

int
main(void)
{
	struct kmem_cache *c = kmem_cache_create("one", 96, 0, 0, NULL);
	void *volatile p = malloc(100), *volatile q = kmalloc(100, GFP_KERNEL);
	void *volatile r = kmem_cache_alloc(c, GFP_KERNEL);

	printf("%d %d %d\n", numaslab_node_of(p) != NUMA_NO_NODE,
	       numaslab_node_of(q) != NUMA_NO_NODE,
	       numaslab_node_of(r) != NUMA_NO_NODE);
	if (numaslab_node_of(p) == NUMA_NO_NODE)
		return 0;
	kfree(p);
	free(q);
	free(r);
	return 0;
}
END
libs=$top_builddir/.libs
# shellcheck disable=SC2086 # CC may have options
${CC:-gcc} -I"$top_srcdir/include" "$work/heap.c" -o "$work/heap" \
	-L"$libs" -lnumaslab
alone=$(LD_LIBRARY_PATH=$libs "$work/heap")
[ "$alone" = "0 1 1" ] || fail "alone: $alone, not 0 1 1"
both=$(LD_LIBRARY_PATH=$libs LD_PRELOAD=$libs/libnumaslab_malloc.so \
	"$work/heap")
[ "$both" = "1 1 1" ] || fail "preloaded: $both, not 1 1 1"
exit $failed
