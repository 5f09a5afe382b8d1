#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each flag that a header defines with a name of the kernel's has one row in a
# man page's table, which says what it means there and what here; and no row
# names a flag that no header has.
# shellcheck source=tests/docs/lib.sh
. "$(dirname "$0")/lib.sh"

flags='(__GFP|GFP|SLAB|SHRINKER)_[A-Z0-9_]+'

sed -nE "s/^#define[ 	]+($flags)[ 	].*/\1/p" "${headers[@]}" |
	sort >"$tmp/defined"

# The rows of tables that begin with such a line, and all of whose cells have
# something in them.  A letter may stand behind the name.
awk '
	/^\.Bl/ { inside = 0 }
	/^\.It Sy (flag|combination) Ta Sy in the kernel Ta Sy here$/ { inside = 1 }
	/^\.El/ { inside = 0 }
	inside' "${pages[@]}" |
	sed -nE "s/^\.It Dv ($flags)( , [A-Z])? Ta [^ ].* Ta [^ ].*/\1/p" |
	sort >"$tmp/rows"

if ! diff -U0 "$tmp/defined" "$tmp/rows" >"$tmp/diff"; then
	grep '^[-+][A-Z_]' "$tmp/diff" >&2
	bad "the headers' flags (-) and the tables' rows (+) differ"
fi

# The groups of flags that there are.
for group in __GFP GFP SLAB SHRINKER; do
	grep -q "^${group}_" "$tmp/rows" || bad "no table has ${group}_ flags"
done
finish "$(wc -l <"$tmp/defined")"
