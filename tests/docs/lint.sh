#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The man pages are clean to mandoc's lint, in style as well, and to groff, which
# is what most systems show them with.
# Whether a page that one refers to exists is asked of our own pages only, in
# links.sh: the answer for others depends on the machine.
# shellcheck source=tests/docs/lib.sh
. "$(dirname "$0")/lib.sh"
need mandoc
need groff

for page in "${pages[@]}"; do
	mandoc -Tlint -Wstyle "$page" >"$tmp/lint" 2>&1 || :
	if grep -v -e 'referenced manual not found' -e 'outdated mandoc.db' \
	    "$tmp/lint" >&2; then
		bad "${page##*/} is not clean"
	fi
	groff -ww -mdoc -Tutf8 -z "$page" >"$tmp/groff" 2>&1 || :
	if [ -s "$tmp/groff" ]; then
		cat "$tmp/groff" >&2
		bad "${page##*/} is not clean to groff"
	fi
	for section in NAME SYNOPSIS DESCRIPTION EXAMPLES "SEE ALSO"; do
		grep -qx "\.Sh $section" "$page" ||
			bad "${page##*/} has no $section"
	done
	case $page in
	*.3)
		for section in "RETURN VALUES" ERRORS STANDARDS CAVEATS; do
			grep -qx "\.Sh $section" "$page" ||
				bad "${page##*/} has no $section"
		done
		grep -qx '\.Ss Thread safety' "$page" ||
			bad "${page##*/} says nothing of thread safety"
		;;
	esac
done
finish ${#pages[@]}
