#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sparse.sh - exact placement when a node number is missing.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 sparse guest-exact
