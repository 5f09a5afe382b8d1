#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every page has an example.  Those in C compile without a warning against
# the installed headers and this build's library, and run: alone, and with
# libnumaslab_malloc preloaded.  Those of the shell ("$ command") run.
# shellcheck source=tests/docs/lib.sh
. "$(dirname "$0")/lib.sh"

built=$top_builddir
[ -f "$built/libnumaslab.la" ] || {
	echo "FAIL: $built/libnumaslab.la is not built" >&2
	exit 1
}
preload=$built/.libs/libnumaslab_malloc.so

# Writes the blocks of a page as $tmp/PAGE-N.c or $tmp/PAGE-N.sh.
extract()
{
	awk -v stem="$tmp/${1##*/}" '
	/^\.Sh EXAMPLES/ { within = 1; next }
	/^\.Sh / { within = 0 }
	/^\.Bd -literal/ && within { fresh = 1; next }
	/^\.Ed/ { file = ""; next }
	fresh {
		fresh = 0
		file = ""
		if (/^#include/) file = stem "-" ++n ".c"
		if (/^\$ /) file = stem "-" ++n ".sh"
	}
	file ~ /sh$/ && !sub(/^\$ /, "") { next }
	file != "" {
		gsub(/\\e/, "\\"); gsub(/\\&/, ""); gsub(/\\-/, "-")
		gsub(/\\\(aq/, "\047"); gsub(/\\\(dq/, "\"")
		print > file
	}' "$1"
}

run()
{
	local what=$1 status=0
	shift

	timeout 60 "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	if [ "$status" -ne 0 ]; then
		cat "$tmp/out" "$tmp/err" >&2
		bad "$what: exit status $status"
	fi
}

try_c()
{
	local source=$1 name=${1##*/} library=libnumaslab.la
	local program=${1%.c} more=

	case $name in
	libnumaslab_malloc*) library=libnumaslab_malloc.la ;;
	esac
	! grep -q '^#include <urcu.h>' "$source" || more=-lurcu
	# shellcheck disable=SC2086
	if ! $CC -std=gnu11 -O2 -Wall -Wextra -Werror -pthread \
	    -I"$top_srcdir/include" -c "$source" -o "$source.o" ||
	    ! "$built/libtool" --silent --tag=CC --mode=link $CC -pthread \
		-o "$program" "$source.o" "$built/$library" $more; then
		bad "$name does not compile"
		return
	fi
	run "$name" "$program"
	run "$name, preloaded" env LD_PRELOAD="$preload" "$program"
	[ ! -s "$tmp/err" ] || {
		cat "$tmp/err" >&2
		bad "$name writes to standard error"
	}
}

looked=0
for page in "${pages[@]}"; do
	extract "$page"
	examples=("$tmp/${page##*/}"-*.c "$tmp/${page##*/}"-*.sh)
	[ ${#examples[@]} -gt 0 ] || bad "${page##*/} has no example to run"
	for example in "${examples[@]}"; do
		looked=$((looked + 1))
		case $example in
		*.c) try_c "$example" ;;
		*) PATH=$built:$PATH run "${example##*/}" \
			bash -e "$example" ;;
		esac
	done
done

# The README's snippets: includes first, the rest is a body of main.
awk -v stem="$tmp/README" '
	/^```c$/ { file = stem "-" ++n ".c"; next }
	/^```/ { file = "" }
	file != "" { print > file }' "$top_srcdir/README.md"
for snippet in "$tmp"/README-*.c; do
	looked=$((looked + 1))
	{
		grep '^#include' "$snippet" || :
		printf 'int\nmain(void)\n{\n'
		grep -v '^#include' "$snippet"
		printf '\treturn 0;\n}\n'
	} >"$tmp/full"
	mv "$tmp/full" "$snippet"
	try_c "$snippet"
done
finish "$looked"
