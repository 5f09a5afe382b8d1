#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# "man NAME" works for each name that a page describes: the page is called so
# or a link is; no link leads elsewhere; and each reference from one of our
# pages to another of ours has a page.
# shellcheck source=tests/docs/lib.sh
. "$(dirname "$0")/lib.sh"

links=("$top_builddir"/man/*.[1-9])
looked=0
: >"$tmp/known"
for page in "${pages[@]}"; do
	file=${page##*/}
	section=${file##*.}
	for name in $(page_names "$page"); do
		looked=$((looked + 1))
		echo "$name.$section" >>"$tmp/known"
		[ "$name.$section" != "$file" ] || continue
		link=$top_builddir/man/$name.$section
		if [ ! -f "$link" ]; then
			bad "$file describes $name: man/Makemodule.am makes no" \
			    "man/$name.$section"
		elif [ "$(cat "$link")" != ".so man$section/$file" ]; then
			bad "man/$name.$section does not lead to $file"
		fi
	done
	page_names "$page" | grep -qx "${file%.*}" ||
		bad "$file does not describe ${file%.*}"
done

for link in "${links[@]}"; do
	[ -f "$top_srcdir/man/${link##*/}" ] ||
		grep -qx "${link##*/}" "$tmp/known" ||
		bad "${link##*/} is a name that no page describes"
done

ours='^(lib)?numaslab|^kmem_|^vm_page|^k[a-z]*alloc|^kfree$|^ksize$'
for page in "${pages[@]}"; do
	awk '$1 == ".Xr" || ($1 ~ /^\.(Pq|It)$/ && /Xr/) {
		for (i = 1; i < NF; i++)
			if ($i ~ /^\.?Xr$/)
				print $(i + 1) "." $(i + 2)
	}' "$page" | sort -u | grep -E "$ours" >"$tmp/refs" || :
	while read -r ref; do
		looked=$((looked + 1))
		grep -qx "$ref" "$tmp/known" ||
			bad "${page##*/} refers to $ref, which does not exist"
	done <"$tmp/refs"
done
finish "$looked"
