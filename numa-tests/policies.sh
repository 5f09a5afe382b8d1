#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# policies.sh - policies, spill, balancing, refused placement.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 300 four guest-policies
