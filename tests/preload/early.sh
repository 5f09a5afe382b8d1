#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Fork handlers that allocate and that were there before the allocator's.
. "$(dirname "$0")/lib.sh"

early=$build/tests/preload/.libs/early.so
[ -e "$early" ] || early=$build/tests/preload/early.so
forks='for i in 1 2 3 4 5 6 7 8; do (:); done; echo $(echo all of them)'

for order in "$lib $early" "$early $lib"; do
	said=$(LD_PRELOAD=$order timeout 60 bash -c "$forks" 2>&1) || true
	[ "$said" = "all of them" ] || fail "$order: $said"
done
