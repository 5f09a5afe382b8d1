#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# vm_page_lookup shares nothing with other readers: no instruction of it, nor
# of what it calls, locks a cache line, however many threads there are.
lib=$top_builddir/.libs/libnumaslab.so
if [ "$(uname -m)" != x86_64 ] || ! command -v objdump >/dev/null ||
	[ ! -f "$lib" ]; then
	echo "needs objdump, and a shared library of x86-64"
	exit 77
fi

failed=0
seen=
look()
{
	local name=$1 code callee

	[[ " $seen " != *" $name "* ]] || return 0
	seen="$seen $name"
	code=$(objdump -d --no-show-raw-insn --disassemble="$name" "$lib" |
		sed -n '/^[0-9a-f]* <.*>:/,$p')
	if [ -z "$code" ]; then
		echo "FAIL: no code of $name" >&2
		failed=1
	fi
	if grep -E $'\t(lock |xchg .*\\()' <<<"$code"; then
		echo "FAIL: $name locks a cache line" >&2
		failed=1
	fi
	for callee in $(sed -n 's/.*\t\(call\|jmp\) .*<\([a-z_0-9]*\)\(@plt\)*>$/\2/p' \
		<<<"$code"); do
		look "$callee"
	done
}
look vm_page_lookup
echo "looked at:$seen"
exit $failed
