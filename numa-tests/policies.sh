#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# policies.sh - policies, spill, balancing, refused placement.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 four guest-policies
