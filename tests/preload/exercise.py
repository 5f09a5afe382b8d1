# SPDX-License-Identifier: BSD-2-Clause
"""Exercises an allocator through Python: containers, threads, fork, ctypes.

usage: exercise.py SCALE.  Prints only what no allocator may change.
"""
import ctypes
import hashlib
import json
import multiprocessing
import os
import random
import re
import sys
import threading
import zlib

SCALE = int(sys.argv[1])


def digest(value):
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def churn(seed, rounds=20000):
    """Lists, dicts, strings and bytes that come and go in random order."""
    rng = random.Random(seed)
    live = {}
    for i in range(rounds * SCALE):
        key = rng.randrange(2000)
        kind = rng.randrange(5)
        if kind == 0:
            live[key] = "x%d" % i * rng.randrange(1, 60)
        elif kind == 1:
            live[key] = bytes(rng.randrange(5000))
        elif kind == 2:
            live[key] = [i] * rng.randrange(300)
        elif kind == 3:
            live[key] = {j: str(j) for j in range(rng.randrange(40))}
        else:
            live.pop(key, None)
    return digest(sorted((k, digest(v)) for k, v in live.items()))


def in_threads():
    result = [None] * 4

    def work(i):
        result[i] = churn(100 + i, 6000)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return digest(result)


def in_processes():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return digest(pool.map(churn, range(8)))


def forks():
    """Children of a process with a thread that never stops allocating."""
    done = threading.Event()

    def busy():
        while not done.wait(0.0001):
            [bytes(n * 10) for n in range(500)]

    thread = threading.Thread(target=busy)
    thread.start()
    statuses = []
    for i in range(20):
        pid = os.fork()
        if pid == 0:
            data = [str(n) * 9 for n in range(5000)]
            os._exit(len(data) % 256)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    done.set()
    thread.join()
    return statuses


def c_library():
    """The malloc family itself, called by name."""
    libc = ctypes.CDLL(None)
    for name in ("malloc", "calloc", "realloc", "aligned_alloc"):
        getattr(libc, name).restype = ctypes.c_void_p
    size = ctypes.c_size_t
    out = []
    for n in (1, 24, 100, 4096, 70000, 1 << 20, 5 << 20):
        p = libc.calloc(size(n), size(1))
        out.append(ctypes.string_at(p, n) == bytes(n))
        ctypes.memset(p, 7, n)
        p = libc.realloc(ctypes.c_void_p(p), size(3 * n))
        out.append(ctypes.string_at(p, n) == b"\7" * n)
        libc.free(ctypes.c_void_p(p))
        p = libc.aligned_alloc(size(4096), size((n + 4095) & ~4095))
        out.append(p % 4096)
        libc.free(ctypes.c_void_p(p))
    return out


def libraries():
    text = " ".join(str(n * 7919 % 10007) for n in range(20000 * SCALE))
    packed = zlib.compress(text.encode(), 9)
    tree = json.loads(json.dumps({str(n): [n] * 5 for n in range(5000)}))
    words = re.findall(r"\b\d*7\d*\b", text)
    return [zlib.decompress(packed).decode() == text, digest(tree),
            len(words), 3 ** 20000 % 1000000007]


print("churn", churn(1))
print("threads", in_threads())
print("processes", in_processes())
print("forks", forks())
print("ctypes", c_library())
print("libraries", libraries())
