# SPDX-License-Identifier: BSD-2-Clause
# tests/docs/lib.sh - what the tests of the documentation share.
# shellcheck shell=bash disable=SC2034
set -eu
unset LD_PRELOAD NUMASLAB_POLICY
export LC_ALL=C

top_srcdir=${top_srcdir:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
top_builddir=${top_builddir:-$PWD}
CC=${CC:-cc}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

failures=0

# One finding; the test goes on.
bad()
{
	echo "FAIL: $*" >&2
	failures=$((failures + 1))
}

# The last line of every test: how many findings, how many things looked at.
finish()
{
	local looked=$1

	[ "$looked" -gt 0 ] || bad "nothing was looked at"
	echo "$looked looked at, $failures found wrong"
	[ "$failures" -eq 0 ]
}

need()
{
	command -v "$1" >/dev/null && return
	echo "FAIL: $1 is missing; scripts/deps installs it" >&2
	exit 1
}

shopt -s nullglob
pages=("$top_srcdir"/man/*.[1-9])
headers=("$top_srcdir"/include/numaslab/*.h)
texts=("$top_srcdir"/*.md)

# Pages that are sources; a build inside the tree puts links beside them.
for i in "${!pages[@]}"; do
	case $(head -c 4 "${pages[i]}") in
	".so ") unset "pages[i]" ;;
	esac
done
pages=("${pages[@]}")

# The names that a page says it describes.
page_names()
{
	sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([^ ]*\).*/\1/p' "$1"
}

# What a header declares itself, preprocessed, one statement a line, without
# attributes and bodies.
statements()
{
	$CC -E -I"$top_srcdir/include" -x c "$1" |
		awk -v header="${1##*/}" '
			/^# [0-9]+ "/ { mine = index($3, "/" header "\"") }
			!/^#/ && mine { printf "%s ", $0 }' |
		sed -e ':again' -e 's/{[^{}]*}/ /' -e 't again' |
		tr ';' '\n' |
		sed -e 's/__attribute__.*//' -e 's/\<_Bool\>/bool/g' \
		    -e 's/[[:space:]][[:space:]]*/ /g' -e 's/^ //' -e 's/ $//'
}

# A header's functions: "name prototype", the prototype without blanks.
prototypes()
{
	statements "$1" |
		sed -n -e '/^typedef/d' \
		    -e 's/^\([^(]*[ *]\)\([A-Za-z_0-9]*\) *(\(.*\))$/\2 \1\2(\3)/p' |
		awk '{ name = $1; $1 = ""; gsub(/ /, ""); print name, $0 }'
}
