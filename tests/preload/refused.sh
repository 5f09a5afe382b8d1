#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The programs still run where a filter refuses every memory-policy call.
. "$(dirname "$0")/lib.sh"
. "$tests/small.sh"

for error in EPERM ENOSYS; do
	say "refused with $error"
	within=("$(helper refuse)" "$error")
	small_all
done
