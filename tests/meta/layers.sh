#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Each file of src/LAYER includes only headers of its own or a lower layer.
# slab/ and vm/ are siblings: neither includes the other.  Below malloc/ only
# the public headers of the layer's own functions are used.
. "$(dirname "$0")/lib.sh"

declare -A below=(
	[base]="base"
	[os]="base os"
	[topo]="base os topo"
	[page]="base os topo page"
	[slab]="base os topo page slab"
	[vm]="base os topo page vm"
	[malloc]="base os topo page slab malloc"
	[tools]="base os topo page slab vm malloc tools"
)

for dir in "$top_srcdir"/src/*/; do
	layer=$(basename "$dir")
	[ -n "${below[$layer]-}" ] || fail "src/$layer is no known layer"
done

files=0
includes=0
for layer in "${!below[@]}"; do
	for file in "$top_srcdir/src/$layer"/*.[ch]; do
		[ -e "$file" ] || continue
		files=$((files + 1))
		while read -r header; do
			includes=$((includes + 1))
			if [[ $header != */* ]]; then
				fail "$file: \"$header\" without its layer"
			elif [[ $header == numaslab/* ]]; then
				[ -e "$top_srcdir/include/$header" ] ||
					fail "$file: no $header"
			elif [[ " ${below[$layer]} " != *" ${header%%/*} "* ]]
			then
				fail "$file: $layer/ must not know $header"
			fi
		done < <(sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\(.*\)".*/\1/p' \
			"$file")
	done
done
# The test itself works only if it saw something.
[ $files -gt 30 ] || fail "only $files files seen"
[ $includes -gt 50 ] || fail "only $includes includes seen"

# A public header includes no private one.
if grep -n '#include "' "$top_srcdir"/include/numaslab/*.h; then
	fail "a public header includes a private one"
fi
exit $failed
