#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# cpuset.sh - cpuset.mems narrower than the machine.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 four guest-cpuset
