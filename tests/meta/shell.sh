#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every script is valid, says its license, and stops at its first error.
. "$(dirname "$0")/lib.sh"

seen=0
while read -r file; do
	head -n 1 "$file" | grep -qE '^#!/bin/(ba)?sh' || continue
	seen=$((seen + 1))
	name=${file#"$top_srcdir"/}
	"$(sed -n '1s/^#!\([a-z/]*\).*/\1/p' "$file")" -n "$file" ||
		fail "$name: syntax"
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: BSD-2-Clause' ||
		fail "$name: no license line"
	shellcheck -S warning -e SC1090,SC1091,SC2034,SC2154,SC2164 "$file" || fail "$name"
done < <(find "$top_srcdir"/check "$top_srcdir"/autogen.sh \
	"$top_srcdir"/scripts "$top_srcdir"/tests "$top_srcdir"/numa-tests \
	"$top_srcdir"/bench -type f | sort)
[ $seen -gt 20 ] || fail "only $seen scripts seen"
exit $failed
