#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Every public header compiles alone, twice in a row and together with the
# others, as strict C11 and as C++ old and new, without a warning.
set -eu
: "${top_srcdir:?}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

headers=()
for header in "$top_srcdir"/include/numaslab/*.h; do
	headers+=("numaslab/$(basename "$header")")
	printf '#include <%s>\n#include <%s>\nint unused_;\n' \
		"${headers[-1]}" "${headers[-1]}" \
		>"$work/$(basename "$header" .h).c"
done
printf '#include <%s>\n' "${headers[@]}" >"$work/all.c"
cat >>"$work/all.c" <<'END'
/* Each kind of thing is used once, so that types and linkage are checked. */
int use(void);
int
use(void)
{
	struct kmem_cache *c = kmem_cache_create("c", 64, 0,
						 SLAB_HWCACHE_ALIGN, 0);
	static struct kmem_cache_args args;
	struct kmem_cache *d = kmem_cache_create("d", 64, &args, 0);
	void *p = kmem_cache_alloc(c, GFP_KERNEL | __GFP_ZERO);
	vm_page_t m = vm_page_alloc(0, 0, VM_ALLOC_NORMAL | VM_ALLOC_NOOBJ);
	struct numaslab_node_stat st;

	kmem_cache_free(c, p);
	kmem_cache_destroy(d);
	vm_page_free(m);
	return numaslab_node_stat(numaslab_node_of(p), &st) +
	       ZERO_OR_NULL_PTR(ZERO_SIZE_PTR);
}
END
[ ${#headers[@]} -ge 3 ]

failed=0
compile() { # the compiler and its flags
	local file
	for file in "$work"/*.c; do
		if ! "$@" -Wall -Wextra -pedantic -Werror -fsyntax-only \
			-I"$top_srcdir/include" "$file"; then
			echo "headers.sh: $* does not take $(basename "$file")"
			failed=1
		fi
	done
}

compile gcc -std=c11 -Wstrict-prototypes
compile gcc -std=gnu11
compile clang -std=c11 -Wstrict-prototypes
for std in c++11 c++20; do
	compile g++ -std=$std -x c++
	compile clang++ -std=$std -x c++
done
exit $failed
