#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What README.md and its companions name is there: files, links, make
# targets, configure options, subcommands.
# shellcheck source=tests/docs/lib.sh
. "$(dirname "$0")/lib.sh"

looked=0

# Code spans and code blocks, one word a line.
code()
{
	awk '/^```/ { block = !block; next }
	block { print; next }
	{
		n = split($0, part, "`")
		for (i = 2; i <= n; i += 2)
			print part[i]
	}' "$1" | tr -s ' \t"'"'"'(),;' '\n'
}

# Is $1, which may have wildcards, in the tree or in the build?
exists()
{
	compgen -G "$top_srcdir/$1" >/dev/null ||
		compgen -G "$top_builddir/$1" >/dev/null
}

check_paths()
{
	local text=$1 word path

	{
		sed -n 's/[^]]*\](\([^)#]*\)[^)]*)/\1\n/gp' "$text" |
			grep -v '^http' || :
		sed -n 's/.*src="\([^"]*\)".*/\1/p' "$text"
		code "$text" | grep -E '^\./|^[.a-zA-Z_-]+/[^/]|\.(md|sh|def)$' ||
			:
	} | sort -u >"$tmp/words"
	while read -r word; do
		path=${word#./}
		path=${path#../}
		path=${path%/}
		path=${path%%:*}
		[ -n "$path" ] || continue
		# A path that begins in none of our folders is not ours.
		case $word in
		./* | *.md | *.def) ;;
		*) exists "${path%%/*}" || continue ;;
		esac
		looked=$((looked + 1))
		exists "$path" ||
			bad "${text##*/} names $word, which is not in the tree"
	done <"$tmp/words"
}

check_words()
{
	local text=$1 word

	code "$text" >"$tmp/code"
	awk 'before == "make" && /^[a-z][a-z-]*$/ { print }
	     { before = $0 }' "$tmp/code" | sort -u >"$tmp/words"
	while read -r word; do
		looked=$((looked + 1))
		grep -q "^\(\.PHONY:.* \)\?$word\( .*\)\?:" \
		    "$top_builddir/Makefile" ||
			bad "${text##*/} names the target $word: there is none"
	done <"$tmp/words"
	grep -o -E '^--(enable|with|without)-[a-z-]+' "$tmp/code" |
		sort -u >"$tmp/words" || :
	while read -r word; do
		looked=$((looked + 1))
		"$top_srcdir/configure" --help | grep -q -e " $word\b" ||
			bad "${text##*/} names $word: configure does not know it"
	done <"$tmp/words"
}

for text in "${texts[@]}"; do
	check_paths "$text"
	check_words "$text"
done

for command in ./quickstart ./check; do
	grep -qF "$command" "$top_srcdir/README.md" ||
		bad "README.md does not name $command"
done
finish "$looked"
