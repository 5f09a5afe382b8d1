#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# git: a repository of this source tree's files, cloned, repacked with
# threads, checked and read back.
. "$(dirname "$0")/lib.sh"
need git

export GIT_CONFIG_NOSYSTEM=1 HOME=$work
git config --global user.name t
git config --global user.email t@example.org
git config --global gc.auto 0
git config --global pack.threads 2

# Fifty versions of some files of changing size.
history() {
	local i

	run "$1" git init -q -b main "$work/origin"
	cp -r "$top/include" "$top/tests/preload" "$work/origin"
	for i in $(seq 50); do
		seq "$i" $((i * 997 % 20000)) >"$work/origin/numbers"
		seq 1 $((i * 7)) >"$work/origin/file$((i % 20))"
		run "$1" git -C "$work/origin" add .
		GIT_AUTHOR_DATE="@$i +0000" GIT_COMMITTER_DATE="@$i +0000" \
			run "$1" git -C "$work/origin" commit -q -m "number $i"
	done
}

whole() {
	rm -rf "$work/origin" "$work/clone"
	history "$1"
	run "$1" git clone -q --no-local "$work/origin" "$work/clone" 2>&1
	cd "$work/clone"
	run "$1" git repack -q -a -d -f --depth=20 --window=20
	run "$1" git gc -q --prune=now
	run "$1" git fsck --full --strict 2>&1
	run "$1" git log -p --stat -M | sha256sum
	run "$1" git rev-list --objects --all | sha256sum
	run "$1" git cat-file --batch-all-objects --batch-check | sha256sum
	run "$1" git grep -c numaslab HEAD
	run "$1" git blame --porcelain preload/lib.sh | sha256sum
	run "$1" git archive HEAD | sha256sum
	cd "$work"
}

both repository whole
