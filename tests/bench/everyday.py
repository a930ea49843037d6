#!/usr/bin/env python3
"""How long the verbs of a day take on the listed companies: whole processes, files in memory, medians of many runs.

usage: tests/bench/everyday.py BINARY [CSV [RUNS]]

By turns with `git --version`, so that the machine's hour shows. Fails where one takes 30 ms or longer.
"""
import os, shutil, statistics, subprocess, sys, tempfile, time

MOST_MS = 30
LISTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/listed-companies.csv")


def main(binary, listed, runs, folder):
    home = os.path.join(folder, "home")
    environment = dict(os.environ, XDG_CONFIG_HOME=os.path.join(folder, "config"), EDITOR="true", COCLI_DATA_HOME=home)
    environment.pop("VISUAL", None)

    def run(*words):
        done = subprocess.run(words, env=environment, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode not in (0, 5):
            sys.exit(f"{' '.join(words)}: {done.stdout}{done.stderr}")

    run(binary, "init", home, "--node", "laptop")
    run(binary, "import", "csv", listed)
    day = [
        ("add", lambda n: ["add", "company", f"Acme {n} Inc", "--set", "city=Paris"]),
        ("note", lambda n: ["note", "apple-inc", f"call {n}: they ring back on Monday"]),
        ("meeting", lambda n: ["meeting", "add", "apple-inc", "tomorrow 14:30", f"Kick off {n}"]),
        ("tag", lambda n: ["tag", "add", "apple-inc", f"lead-{n}"]),
        ("set next_at", lambda n: ["set", "apple-inc", f"next_step=step {n}", "next_at=next tue"]),
        ("edit", lambda n: ["edit", "apple-inc"]),
        ("show", lambda n: ["show", "apple-inc"]),
        ("note list", lambda n: ["note", "list", "apple-inc"]),
        ("today", lambda n: ["today"]),
        ("undo", lambda n: ["undo"]),
    ]
    took = {name: [] for name, _ in day} | {"git --version": []}
    for n in range(runs + 1):
        for name, words in [*day, ("git --version", None)]:
            began = time.perf_counter()
            run(*(["git", "--version"] if words is None else [binary, *words(n)]))
            if n:
                took[name].append((time.perf_counter() - began) * 1000)
    slow = 0
    for name, times in took.items():
        median = statistics.median(times)
        slow += name != "git --version" and median >= MOST_MS
        print(f"{name:14} median {median:6.1f} ms, least {min(times):6.1f}, most {max(times):6.1f}", flush=True)
    return 1 if slow else 0


if __name__ == "__main__":
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    folder = tempfile.mkdtemp(prefix="cocli-everyday-", dir=place)
    try:
        words = sys.argv[2:]
        sys.exit(main(os.path.abspath(sys.argv[1]), os.path.abspath(words[0]) if words else LISTED, int(words[1]) if len(words) > 1 else 20, folder))
    finally:
        shutil.rmtree(folder)
