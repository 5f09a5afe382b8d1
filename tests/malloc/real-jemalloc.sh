#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the tests say of jemalloc's calls is true of the real jemalloc 5.3.
set -eu

here=${top_builddir:-.}
lib=libjemalloc.so.2
status=0

if ! LD_PRELOAD=$lib "$here/tests/malloc/p-version" 2>/dev/null |
	grep -q '^5\.3\.'; then
	echo "SKIP: no jemalloc 5.3 here"
	exit 77
fi
for test in jemalloc mallctl; do
	code=0
	LD_PRELOAD=$lib "$here/tests/malloc/p-$test" || code=$?
	echo "$test on the real jemalloc: status $code"
	[ $code = 0 ] || status=1
done
exit $status
