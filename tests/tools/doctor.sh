#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# numaslab doctor: it says what does not work, and does not mind.
. "$(dirname "$0")/lib.sh"

want 0 "$numaslab" doctor
said ''
for what in kernel CPUs 'page size' nodes policy 'NUMA balancing' \
	get_mempolicy mbind set_mempolicy move_pages rseq getcpu ptrace \
	'huge pages' overcommit max_map_count RLIMIT_AS reservation hwloc \
	libnuma library; do
	shows "^$what  *[^ ]"
done
shows "^library +$library\$"
[ "$(wc -l <<<"$out")" -le 40 ] || fail "more than a page: $out"

want 0 "$helpers/without" mbind,get_mempolicy,move_pages,ptrace \
	"$numaslab" doctor
shows '^get_mempolicy +Operation not permitted: allowed nodes are read from'
shows '^mbind +Operation not permitted: memory lies where it is touched'
shows '^move_pages +Operation not permitted: '
shows '^ptrace +Operation not permitted: no table'
want 0 env GLIBC_TUNABLES=glibc.pthread.rseq=0 "$numaslab" doctor
shows '^rseq +not registered by libc'
want 0 env NUMASLAB_FAKE_NODES=4 HWLOC_SYNTHETIC='numa:4 core:1 pu:1' \
	"$numaslab" doctor
shows '^nodes +4, pretended'
shows '^hwloc +.*refining the spill order works$'
want 0 env NUMASLAB_FAKE_NODES=4 HWLOC_SYNTHETIC='numa:2 core:1 pu:1' \
	"$numaslab" doctor
shows '^hwloc +.*refining the spill order fails: distances alone decide$'
want 0 bash -c 'ulimit -v 1000000 && exec "$0" doctor' "$numaslab"
shows '^RLIMIT_AS +976\.6M$'
shows '^reservation +[0-9.]+M for each node$'
finish
