#!/usr/bin/env python3
"""What a binary built for size costs in time: the same verbs on the same home by that of `release` and that of `dist`,
whole processes, by turns, the first round dropped.

usage: tests/bench/size.py RELEASE DIST GENERATE [COMPANIES [ROUNDS]]        (.ci/long size builds all three)
"""
import os, shutil, statistics, subprocess, sys, tempfile, time

RELEASE, DIST, GENERATE = map(os.path.abspath, sys.argv[1:4])
COMPANIES, ROUNDS = (int(word) for word in (sys.argv[4:] + ["100000", "7"][len(sys.argv) - 4:]))
LISTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/listed-companies.csv")
MOST_BYTES = 20_000_000


def main(folder):
    environment = dict(os.environ, XDG_CONFIG_HOME=os.path.join(folder, "config"))
    home, fresh = os.path.join(folder, "home"), os.path.join(folder, "fresh")

    def run(*words):
        began = time.perf_counter()
        done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return time.perf_counter() - began

    def prepare(binary):
        shutil.rmtree(fresh, ignore_errors=True)
        run(binary, "init", fresh, "--node", "laptop")

    run(RELEASE, "init", home, "--node", "laptop")
    run(GENERATE, home, str(10 * COMPANIES), str(COMPANIES), "10", "0", "crm")
    run(RELEASE, "--data", home, "compact")
    verbs = {
        "state --digest": (None, ["--data", home, "state", "--digest"]),
        "export leads --all": (None, ["--data", home, "export", "leads", "--all", "--output", os.path.join(folder, "leads.csv")]),
        "find, mistyped": (None, ["--data", home, "find", "borealsi"]),
        "import csv, 1,837": (prepare, ["--data", fresh, "import", "csv", LISTED]),
        "show": (None, ["--data", fresh, "show", "apple-inc"]),
    }
    took = {(name, binary): [] for name in verbs for binary in (RELEASE, DIST)}
    for turn in range(ROUNDS + 1):
        for name, (before, words) in verbs.items():
            for binary in (RELEASE, DIST)[:: 1 if turn % 2 else -1]:
                if before:
                    before(binary)
                seconds = run(binary, *words)
                if turn:
                    took[name, binary].append(seconds)
    print(f"bytes: release {os.path.getsize(RELEASE):,}, dist {os.path.getsize(DIST):,}")
    for name in verbs:
        release, dist = (statistics.median(took[name, binary]) for binary in (RELEASE, DIST))
        print(f"{name:20} release {1000 * release:8.1f} ms, dist {1000 * dist:8.1f} ms: {dist / release:.2f}", flush=True)
    return os.path.getsize(DIST) > MOST_BYTES


folder = tempfile.mkdtemp(prefix="cocli-size-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
try:
    sys.exit(main(folder))
finally:
    shutil.rmtree(folder)
