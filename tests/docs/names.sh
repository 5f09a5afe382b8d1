#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every public function is in one man page, with the header's prototype, and
# has a comment in its header; every macro and every member of a public
# struct is in a man page; and no page describes what no header has.
# shellcheck source=tests/docs/lib.sh
. "$(dirname "$0")/lib.sh"

# The prototypes of a page's SYNOPSIS, as prototypes() prints a header's.
page_prototypes()
{
	sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "$1" | awk '
	function words(line,   n, i, inside, c, w) {
		n = 0; w = ""; inside = 0
		for (i = 1; i <= length(line) + 1; i++) {
			c = substr(line, i, 1)
			if (c == "\"") {
				inside = !inside
			} else if ((c == " " && !inside) || c == "") {
				if (w != "") arg[++n] = w
				w = ""
			} else {
				w = w c
			}
		}
		return n
	}
	function show(   s) {
		s = type name "(" list ")"
		gsub(/ /, "", s)
		print name, s
	}
	/^\.(Ft|Fn|Fo|Fa|Fc)/ {
		n = words($0)
		first = 2
		if (arg[1] == ".Ft")
			type = arg[2]
		if (arg[1] == ".Fn" || arg[1] == ".Fo") {
			name = arg[2]; list = ""; first = 3
		}
		if (arg[1] ~ /Fn|Fa/)
			for (i = first; i <= n; i++)
				list = list (list == "" ? "" : ",") arg[i]
		if (arg[1] == ".Fn" || arg[1] == ".Fc")
			show()
	}'
}

for page in "${pages[@]}"; do
	page_prototypes "$page"
done | sort >"$tmp/page"
for header in "${headers[@]}"; do
	prototypes "$header"
done | sort >"$tmp/header"
if ! diff -U0 "$tmp/header" "$tmp/page" >"$tmp/diff"; then
	grep '^[-+][a-z]' "$tmp/diff" >&2
	bad "a header (-) and a SYNOPSIS (+) differ"
fi

# Every function is a name of the page in whose SYNOPSIS it is.
for page in "${pages[@]}"; do
	page_prototypes "$page" | while read -r name _; do
		page_names "$page" | grep -qx "$name" ||
			echo "$name is not in the NAME section of ${page##*/}"
	done
done >"$tmp/unnamed"
while read -r line; do
	bad "$line"
done <"$tmp/unnamed"

# A function's comment stands in the same paragraph of the header: several
# functions may share one.
for header in "${headers[@]}"; do
	prototypes "$header" | while read -r name _; do
		awk -v RS= -v name="$name" '
		{
			code = $0
			while (match(code, /\/\*([^*]|\*+[^*\/])*\*+\//))
				code = substr(code, 1, RSTART - 1) \
				    substr(code, RSTART + RLENGTH)
			if (code ~ ("(^|[^a-z_])" name "\\(")) {
				found = 1
				if ($0 !~ /\*\//)
					print name " has no comment"
			}
		}
		END { if (!found) print name " was not found" }' "$header" |
			sed "s|\$| in ${header##*/}|"
	done
done >"$tmp/uncommented"
while read -r line; do
	bad "$line"
done <"$tmp/uncommented"

# A header's inline functions, whose bodies are not a contract, are at least
# named in a page as what they are, and have a comment.
for header in "${headers[@]}"; do
	awk -v header="${header##*/}" '
	/^$/ { comment = 0 }
	/\*\/[ 	]*$/ { comment = 1 }
	/^static inline/ { above = comment; line = NR }
	line && NR <= line + 2 && match($0, /^[a-z_0-9]+\(/) {
		print substr($0, 1, RLENGTH - 1), header, above
		line = 0
	}' "$header"
done >"$tmp/inlines"
while read -r name header above; do
	grep -q "^\.Fn $name\>" "${pages[@]}" ||
		bad "no page has the function $name of $header"
	[ "$above" = 1 ] || bad "$name of $header has no comment"
done <"$tmp/inlines"
[ -s "$tmp/inlines" ] || bad "no header has an inline function"

# Macros and members.
things=$(cat "$tmp/header" "$tmp/inlines" | wc -l)
for header in "${headers[@]}"; do
	sed -n 's/^#define[ 	]*\([A-Za-z_0-9]*\).*/\1/p' "$header" |
		grep -v '_H$' || :
	awk '/^struct [a-z_]+ \{/, /^\}/' "$header" |
		sed -n 's/^	[^;]*[ *]\([a-z_0-9]*\)\(\[.*\]\)\{0,1\};.*/\1/p'
done >"$tmp/words"
while read -r word; do
	things=$((things + 1))
	grep -qw -- "$word" "${pages[@]}" || bad "no page mentions $word"
done <"$tmp/words"
finish "$things"
