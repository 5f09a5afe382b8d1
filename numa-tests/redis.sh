#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# redis.sh - a redis-server, its memory on its own node.
NUMASLAB_BUILDDIR=${top_builddir:-.} \
	exec "$(dirname "$0")/boot" -t 600 four guest-redis
