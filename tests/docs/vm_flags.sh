#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each constant that the headers of the page layer define has a row in a table
# "Kernel and user space" of their pages: the name, its meaning there and here.
# And each is a row of one table only.  A name that is left out is not there.
. "$(dirname "$0")/lib.sh"

tables=$tmp/rows
left_out=$tmp/left_out
for page in "${pages[@]}"; do
	[[ ${page##*/} == vm_* ]] || continue
	awk '/^\.Ss / { in_table = $0 == ".Ss Kernel and user space" }
		/^\.Sh / { in_table = 0 }
		in_table && /^\.It Dv / && split($0, cell, " Ta ") == 3 {
			print $3
		}' "$page"
done >"$tables"
awk '/^\.S[sh] / { in_table = $0 == ".Ss Left out" }
	in_table && /^\.It / { sub(/^\.It /, ""); sub(/ Ta .*/, ""); print }' \
	"$top_srcdir/man/vm_page_alloc.3" | tr -d ' ' | tr ',' '\n' >"$left_out"
[ "$(wc -l <"$left_out")" -gt 20 ] || bad "the table of what is left out"

things=0
for header in "${headers[@]}"; do
	[[ ${header##*/} == vm_* ]] || continue
	while read -r name; do
		things=$((things + 1))
		rows=$(grep -cx -- "$name" "$tables" || :)
		[ "$rows" -eq 1 ] ||
			bad "$name of ${header##*/} has $rows rows, not one"
		! grep -qx -- "$name" "$left_out" || bad "$name is not left out"
	done < <(sed -n 's/^#define[ 	]*\([A-Z][A-Z_0-9]*\).*/\1/p' "$header" |
		grep -v '_H$' || :)
	while read -r name _; do
		! grep -qx -- "$name" "$left_out" || bad "$name is not left out"
	done < <(prototypes "$header")
done
while read -r name; do
	grep -qw -- "$name" "${headers[@]}" || bad "a row for $name, of no header"
done <"$tables"
finish "$things"
