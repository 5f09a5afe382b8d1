#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The programs still run where glibc does not register rseq.
. "$(dirname "$0")/lib.sh"
. "$tests/small.sh"

within=(env GLIBC_TUNABLES=glibc.pthread.rseq=0)
small_all
