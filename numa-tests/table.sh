#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# table.sh - the cases under numaslab and its peers.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 four guest-table
