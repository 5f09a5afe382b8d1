#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# memcached under a load of known answers, from eight clients.
. "$(dirname "$0")/lib.sh"
need memcached

user=()
[ "$(id -u)" != 0 ] || user=(-u nobody)
mkdir "$work/mc"
give_nobody "$work/mc"

load() {
	rm -f "$work/mc/sock"
	start "memcached-$1" "$1" memcached -s "$work/mc/sock" -m 256 -t 4 \
		-c 256 "${user[@]}"
	until_true "memcached listens" test -S "$work/mc/sock"
	[ "$1" = plain ] || loaded "$pid"
	"$(helper mcload)" "$work/mc/sock" 8 15000
	[ "$1" = plain ] || loaded "$pid"
	finish "$pid"
	silent "$work/memcached-$1.log"
}

both load load
