#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# The house style, as far as a program can see it: license line, no trailing
# blanks, 80 columns, and what clang-format says.
. "$(dirname "$0")/lib.sh"

# Laid out by hand: tables that clang-format would spread.
by_hand=" src/base/options.def "

sources() {
	(cd "$top_srcdir" &&
		find include src tests numa-tests bench -name '*.[ch]' -o \
			-name '*.cc' -o -name '*.def' | sort)
}

seen=0
while read -r file; do
	path=$top_srcdir/$file
	seen=$((seen + 1))
	head -n 2 "$path" | grep -q 'SPDX-License-Identifier: BSD-2-Clause' ||
		fail "$file: no license line"
	if grep -nE '[ 	]+$' "$path"; then
		fail "$file: trailing blanks"
	fi
	long=$(expand -t 8 "$path" | grep -nE '^.{81}' | head -n 1 || true)
	[ -z "$long" ] || fail "$file: over 80 columns: ${long%%:*}"
	[[ $by_hand == *" $file "* ]] && continue
	if ! clang-format --style=file --dry-run -Werror "$path" \
		>/dev/null 2>&1; then
		fail "$file: clang-format -i would change it"
	fi
done < <(sources)
[ $seen -gt 60 ] || fail "only $seen files seen"
exit $failed
