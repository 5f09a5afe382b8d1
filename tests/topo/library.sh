#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# library.sh - every machine of numa-tests, as the kernel and hwloc tell of it:
# the same topology, homes and spill orders that its description implies.
# Then descriptions that are wrong, each of which is named with its line.
set -eu

numa=${top_srcdir:-.}/numa-tests
tmp=$(mktemp -d "${TMPDIR:-/tmp}/numaslab-library.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
failed=0

for file in "$numa"/machines/*.machine; do
	name=$(basename "$file")
	"$numa/machine" recorded "$file" >"$tmp/$name" || failed=1
	[ -n "$("$numa/machine" why "$file")" ] || failed=1
done
"${top_builddir:-.}/tests/topo/machines" "$tmp" || failed=1

# wrong LINE TEXT: a description with these lines is refused with this text.
wrong()
{
	{
		echo "why it is wrong"
		cat
	} >"$tmp/wrong"
	if "$numa/machine" check "$tmp/wrong" 2>"$tmp/error" ||
	    ! grep -qF "wrong:$1: $2" "$tmp/error"; then
		echo "not refused with $1: $2, but:"
		cat "$tmp/error"
		failed=1
	fi
}

wrong 2 "unknown key 'nodes'" <<<"nodes 0 cpus=0 mem=1M"
wrong 2 "unknown key 'speed' of a node" <<<"node 0 cpus=0 speed=3"
wrong 2 "'512' is not a size such as 512M" <<<"node 0 cpus=0 mem=512"
wrong 2 "'0-x' is not a list" <<<"node 0 cpus=0-x mem=512M"
wrong 2 "'3-1' is not a range" <<<"node 3-1 cpus=0 mem=512M"
wrong 2 "'tape' is not dram, hbm or cxl" <<<"node 0 cpus=0 mem=1M kind=tape"
wrong 2 "node 0 has nothing" <<<"node 0"
wrong 3 "node 0 is there already" <<'END'
node 0 cpus=0 mem=1M
node 0 cpus=1 mem=1M
END
wrong 3 "CPU 0 is on two nodes" <<'END'
node 0 cpus=0 mem=1M
node 1 cpus=0 mem=1M
END
wrong 3 "there is no CPU 1" <<'END'
node 0 cpus=0 mem=1M
node 1 cpus=2 mem=1M
END
wrong 2 "there is no node 0" <<<"node 1 cpus=0 mem=1M"
wrong 3 "node 1 has CPUs and node 0 has none" <<'END'
node 0 mem=1M
node 1 cpus=0 mem=1M
END
wrong 2 "only a node of memory can be lost" <<<"node 0 cpus=0 mem=1M lost"
wrong 2 "more than 2816M" <<<"node 0 cpus=0 mem=4000M"
wrong 3 "'5' is not a distance of 11 to 254" <<'END'
node 0-1 mem=1M
distance 0 1 5
END
wrong 4 "there is no such node" <<'END'
node 0 cpus=0 mem=1M
node 1 cpus=1 mem=1M
distance 0 2 20
END
wrong 5 "no distance from 0 to 2" <<'END'
node 0 cpus=0 mem=1M
node 1 cpus=1 mem=1M
node 2 cpus=2 mem=1M
distance 0 1 20
END
wrong 3 "node 1 wants an initiator" <<'END'
node 0 cpus=0 mem=1M
node 1 mem=1M
latency 0 0 80
END
wrong 4 "no bandwidth from 0 to 0" <<'END'
node 0 cpus=0 mem=1M
latency 0 0 80

END
wrong 3 "'1000' is not a multiple of 1024" <<'END'
node 0 cpus=0 mem=1M
bandwidth 0 0 1000
END
echo "node 0 cpus=0 mem=1M" >"$tmp/wrong"
! "$numa/machine" check "$tmp/wrong" 2>/dev/null || failed=1

# The page names every key, and no other.
grep -oE '(\$1|name|word) == "[a-z]+"' "$numa/machine.awk" |
	sed 's/.*"\(.*\)"/\1/' | sort -u >"$tmp/keys"
sed -n 's/^\.It [CI][mc] \([a-z]*\).*/\1/p' \
	"${top_srcdir:-.}/man/numaslab_machine.5" | sort -u >"$tmp/page"
diff "$tmp/keys" "$tmp/page" || failed=1
[ "$(wc -l <"$tmp/keys")" -gt 8 ] || failed=1
exit $failed
