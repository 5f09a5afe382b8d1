#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every benchmark runs, as briefly as it can, and prints sane JSON; and so
# do the drivers.  Nothing here asserts a time.
set -eu

json=
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
	echo "smoke: $*" >&2
	exit 1
}

# A loop of every thread ended, every number is one, and no two are named
# alike.
check_json() {
	python3 - "$1" "$2" <<'END' || fail "$1: its JSON is not sane"
import json, math, sys
name, path = sys.argv[1:]
results = json.load(open(path))["benchmarks"]
assert results, "no benchmarks"
names = [b["name"] for b in results]
assert len(set(names)) == len(names), "two benchmarks of one name"
for b in results:
    assert not b.get("error_occurred"), (b["name"], b.get("error_message"))
    assert b["iterations"] > 0, b["name"]
    for key, value in b.items():
        if isinstance(value, float):
            assert math.isfinite(value) and value >= 0, (b["name"], key)
print(f"{name}: {len(results)} benchmarks")
END
}

run() {
	local name=$1 preload=${2-}

	LD_PRELOAD=$preload "${top_builddir:?}/bench/$name" \
	    --benchmark_min_time=0.0005 --benchmark_out="$dir/$name.json" \
	    --benchmark_out_format=json >"$dir/log" 2>&1 || {
		cat "$dir/log" >&2
		fail "$name fails${preload:+ under $preload}"
	}
	check_json "$name" "$dir/$name.json"
}

ours=$top_builddir/.libs/libnumaslab_malloc.so
test -e "$ours" || fail "$ours is missing"
for name in overhead pairs remote threads latency structures lifetimes \
	blocks sharing patterns; do
	run $name
	run $name "$ours"
done
for name in kmem vm color; do
	run $name
	run $name "$ours"
done

compare=${top_srcdir:?}/bench/compare
common=(--build "$top_builddir" --json "$dir/out.json" --rounds 1
    --allocators "glibc,numaslab")
python3 "$compare" "${common[@]}" -- true >"$dir/log"
grep -q '^numaslab ' "$dir/log" || fail "compare prints no table"
python3 "$compare" "${common[@]}" --start --runs 2 >"$dir/log"
grep -q '^numaslab ' "$dir/log" || fail "compare --start prints no table"
python3 "$compare" "${common[@]}" --memory --idle 0.1 drift blocks >"$dir/log"
grep -q '^blocks_idle_mb ' "$dir/log" || fail "compare --memory prints no table"
python3 "$compare" "${common[@]}" --micro --min-time 0.0005 pairs >"$dir/log"
grep -q '^numaslab to the best of' "$dir/log" ||
	fail "compare --micro prints no summary"
python3 "$top_srcdir/bench/caches" --build "$top_builddir" \
    --json "$dir/caches.json" --rounds 1 --time 0.0005 >"$dir/log"
grep -q '^bulk of 16 / one by one ' "$dir/log" ||
	fail "caches prints no table"
python3 -c 'import json, sys
table = open(sys.argv[2]).read().split("\n\n")[0].splitlines()[1:]
results = json.load(open(sys.argv[1]))["results"]
assert len(results) == len(table), (len(results), len(table))
assert len({row["what"] for row in results}) == len(table), "equal titles"
for row, line in zip(results, table):
    assert line.startswith(row["what"]) and row["ratio"] > 0, line
' "$dir/caches.json" "$dir/log" || fail "caches.json is not its table"
python3 "$top_srcdir/bench/pages" --build "$top_builddir" \
    --json "$dir/pages.json" --rounds 1 --time 0.0005 --blocks 512 \
    --seconds 0.05 --allocators glibc,numaslab >"$dir/log"
python3 -c 'import json, sys
results = json.load(open(sys.argv[1]))["results"]
assert set(results) == {"requests", "lookup", "pool"}, "parts"
for part, rows in results.items():
    for row in rows:
        assert len(row) == 7 and row[1] >= 0 and row[2] >= 0, (part, row)
        assert bool(row[4]) == (row[5] in ("held", "NOT HELD")), row
rows = {row[0]: row for rows in results.values() for row in rows}
# The table that is compared with takes locks, if they could be counted.
n = rows.get("locked instructions a lookup, 8 threads")
assert n is None or (n[1] == 0 and n[2] >= 2), n
' "$dir/pages.json" || fail "what bench/pages measures is not sane"
python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
for key in "machine", "commit", "allocators", "results":
    assert d[key], key
assert d["machine"]["kernel"] and d["allocators"]["glibc"]["version"]
assert len(d["results"]["pairs"]["pair/size:64"]["time"]["numaslab"]) == 1
' "$dir/out.json" || fail "the result file is not as documented"

# Needs more tools than a build does.
mkdir "$dir/results"
if command -v strace && command -v objdump && command -v valgrind; then
	json=$dir/results/scale.json
	python3 "$top_srcdir/bench/scale" --build "$top_builddir" \
	    --json "$json" --allocators glibc,numaslab --threads 1,3 \
	    --operations 30000 >"$dir/log"
	python3 -c 'import json, sys
results = json.load(open(sys.argv[1]))["results"]
assert set(results) == {"own", "swap", "large"}, "workloads"
for workload, allocators in results.items():
    for name, rows in allocators.items():
        for n, row in rows.items():
            assert all(v >= 0 for v in row.values()), (workload, name, n, row)
            assert row["instructions"] > 10, (workload, name, n, row)
# What locks is found: a process of three threads takes locks in glibc.
assert results["swap"]["glibc"]["3"]["locked"] > 0.1
# A block that glibc gets by mmap costs two system calls.
assert results["large"]["glibc"]["1"]["syscalls"] > 1000
' "$json" || fail "what bench/scale counts is not sane"
fi

# The report needs Debian's matplotlib.
if /usr/bin/python3 -c 'import matplotlib' 2>/dev/null; then
	common[3]=$dir/results/micro.json
	python3 "$compare" "${common[@]}" --micro --min-time 0.0005 \
	    sharing latency >"$dir/log"
	common[3]=$dir/results/memory.json
	python3 "$compare" "${common[@]}" --memory --idle 0.1 drift >"$dir/log"
	common[3]=$dir/results/start.json
	python3 "$compare" "${common[@]}" --start --runs 2 >"$dir/log"
	common[3]=$dir/results/macro.json
	python3 "$compare" "${common[@]}" --macro --quick gcc >"$dir/log"
	"$top_srcdir/bench/report" --results "$dir/results" \
	    --out "$dir/report" >"$dir/log"
	grep -q '^| drift, idle: under 150 MiB | .* MiB | [a-z]* |$' \
	    "$dir/report/report.md" || fail "the report has no summary"
	for name in micro latency memory memory-over-time start macro \
	    ${json:+scale}; do
		grep -qF "($name.svg)" "$dir/report/report.md" ||
			fail "the report has no plot $name"
		test -s "$dir/report/$name.png" || fail "no $name.png"
	done
	common[3]=$dir/out.json
fi

if python3 "$compare" "${common[@]}" -- false >"$dir/log" 2>&1; then
	fail "compare accepts a command that fails"
fi
python3 "$top_srcdir/bench/instructions" --build "$top_builddir" \
    --json "$dir/out.json" --allocators glibc,numaslab --batch 4 >"$dir/log"
grep -q '^numaslab ' "$dir/log" || fail "instructions prints no table"
