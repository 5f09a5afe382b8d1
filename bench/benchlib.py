# SPDX-License-Identifier: BSD-2-Clause
"""What bench/compare and bench/instructions share: which allocators there
are, how a command is run under one, and how numbers become tables."""

import datetime
import glob
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

OURS = "numaslab"
# Whom the project measures itself against; others are shown beside them.
PEERS = ("glibc", "jemalloc", "mimalloc", "tcmalloc", "tbbmalloc")

# In the order of the tables.
LIBRARIES = {
    "jemalloc": ["libjemalloc.so.2"],
    "mimalloc": ["libmimalloc.so.2", "libmimalloc.so.2.0"],
    "tcmalloc": ["libtcmalloc_minimal.so.4"],
    "tbbmalloc": ["libtbbmalloc_proxy.so.2"],
}

# How each is told never to give memory back.
NO_PURGE = {
    OURS: {"NUMASLAB_PURGE_MS": "3600000", "NUMASLAB_PURGE_THREAD": "0"},
    "glibc": {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1099511627776:"
                                "glibc.malloc.mmap_threshold=1073741824"},
    "jemalloc": {"MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1"},
    "mimalloc": {"MIMALLOC_ALLOW_DECOMMIT": "0", "MIMALLOC_PAGE_RESET": "0"},
    "tcmalloc": {"TCMALLOC_RELEASE_RATE": "0"},
}


def die(message):
    print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)
    sys.exit(2)


class Allocator:
    """A name, the library to preload (empty: none), and its settings."""

    def __init__(self, name, library="", env=None):
        self.name = name
        self.library = library
        self.env = env or {}

    def environment(self, preload=True):
        env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
        if preload and self.library:
            env["LD_PRELOAD"] = self.library
        env.update(self.env)
        return env

    def check(self):
        """ld.so only warns of what it cannot preload; we stop."""
        if not self.library:
            return
        maps = subprocess.run(["cat", "/proc/self/maps"], text=True,
                              env=self.environment(), capture_output=True)
        if os.path.realpath(self.library) not in maps.stdout:
            die(f"{self.library} cannot be preloaded: "
                f"{maps.stderr.strip() or 'it is not in the process'}")

    def version(self):
        if self.name.startswith(OURS):
            return "commit " + commit()
        if not self.library:
            return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
        return package_version(os.path.realpath(self.library))


def package_version(path):
    """Debian's package of a file and its version, else the file's name."""
    for p in (path, path.removeprefix("/usr")):
        try:
            owner = subprocess.run(["dpkg-query", "-S", p], text=True,
                                   capture_output=True).stdout.split(":")[0]
        except OSError:
            break
        if owner:
            return subprocess.run(
                ["dpkg-query", "-W", "-f", "${Package} ${Version}", owner],
                text=True, capture_output=True).stdout
    return os.path.basename(path)


def commit():
    def git(*args):
        return subprocess.run(["git", "-C", SOURCE, *args], text=True,
                              capture_output=True).stdout.strip()
    try:
        head = git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if git("status", "--porcelain", "-uno") else "") \
            if head else "unknown"
    except OSError:
        return "unknown"


def find_library(names):
    dirs = ["/usr/local/lib", *sorted(glob.glob("/usr/lib/*-linux-gnu*")),
            "/usr/lib64", "/usr/lib"]
    for name in names:
        for d in dirs:
            if os.path.exists(os.path.join(d, name)):
                return os.path.join(d, name)
    return None


def find_allocators(build, only=None, extra=(), no_purge=False):
    """glibc, the installed peers, numaslab from the build tree, extras."""
    found = [Allocator("glibc")]
    for name, files in LIBRARIES.items():
        library = find_library(files)
        if library:
            found.append(Allocator(name, library))
    own = os.path.join(build, ".libs", "libnumaslab_malloc.so")
    if os.path.exists(own):
        found.insert(0, Allocator(OURS, os.path.abspath(own)))
    for pair in extra:
        name, _, library = pair.partition("=")
        found.append(Allocator(name, os.path.abspath(library)
                               if library else ""))
    if no_purge:
        found += [Allocator(a.name + "-nopurge", a.library, NO_PURGE[a.name])
                  for a in found if a.name in NO_PURGE]
    if only:
        known = {a.name: a for a in found}
        missing = [n for n in only if n not in known]
        if missing:
            die(f"no allocator {missing[0]}; there are: {' '.join(known)}")
        found = [known[n] for n in only]
    for a in found:
        a.check()
    return found


def find_build(given):
    """The build tree: as given, as make says, or where we are."""
    for d in (given, os.environ.get("top_builddir"), ".", SOURCE):
        if d and os.path.exists(os.path.join(d, "config.status")):
            return os.path.abspath(d)
    if given:
        die(f"{given}: not a build tree")
    die("no build tree here: run this in one, or give --build DIR")


def helper(build, name):
    path = os.path.join(build, "bench", name)
    if not os.path.exists(path):
        die(f"{path} is missing: run `make bench-build' in {build}")
    return path


def rotated(things, by):
    """Each round begins with another one, so that none is always first."""
    by %= len(things)
    return things[by:] + things[:by]


def start(build, pairs, runs, command, env=None, stdout=None):
    """bench/start: {name: (wall s, p10, p90, cpu s, rss bytes, status)}"""
    with tempfile.NamedTemporaryFile("r") as out:
        done = subprocess.run(
            [helper(build, "start"), "-o", out.name, str(runs),
             *[f"{n}={lib}" for n, lib in pairs], "--", *command],
            env=env, stdout=stdout)
        if done.returncode:
            die(f"cannot run {' '.join(command)}")
        rows = [line.split() for line in out.read().splitlines()]
    return {r[0]: (int(r[1]) / 1e9, int(r[2]) / 1e9, int(r[3]) / 1e9,
                   int(r[4]) / 1e6, int(r[5]) * 1024, int(r[6]))
            for r in rows}


def median(values):
    return statistics.median(values) if values else float("nan")


def paired(samples, base):
    """The median over rounds of each one's ratio to @base in that round."""
    return median([s / b for s, b in zip(samples, base) if b])


def geomean(values):
    return statistics.geometric_mean(values) if values else float("nan")


def number(value):
    """Four digits or so, whatever the size."""
    if value != value:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def print_table(header, rows, out=None):
    table = [header] + [[c if isinstance(c, str) else number(c) for c in r]
                        for r in rows]
    widths = [max(len(r[i]) for r in table) for i in range(len(header))]
    for r in table:
        cells = [r[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(r[1:], widths[1:])]
        print("  ".join(cells).rstrip(), file=out)


def first_line(path, key=None):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                if key is None:
                    return line.strip()
                if line.startswith(key):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return "unknown"


def machine():
    return {
        "cpu": first_line("/proc/cpuinfo", "model name"),
        "cpus": os.cpu_count(),
        "memory": first_line("/proc/meminfo", "MemTotal"),
        "nodes": len(glob.glob("/sys/devices/system/node/node[0-9]*")) or 1,
        "thp": first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        "kernel": platform.release(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "")
        if hasattr(platform, "freedesktop_os_release") else "",
        "load": os.getloadavg()[0],
    }


def save(path, allocators, what, rounds, results):
    """The JSON result: what was run, where, on what, and all samples."""
    document = {
        "what": what,
        "date": datetime.datetime.now(datetime.timezone.utc)
                .isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "allocators": {a.name: {"library": a.library, "env": a.env,
                                "version": a.version()} for a in allocators},
        "rounds": rounds,
        "results": results,
    }
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(document, f, indent=1)
        f.write("\n")
    print(f"\nresult: {path}")


def need(program):
    if not shutil.which(program):
        die(f"{program} is not installed")
