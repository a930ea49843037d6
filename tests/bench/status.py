#!/usr/bin/env python3
"""What a look at a cluster takes: `cocli status --cluster`, whole processes, at the first of several nodes that all
hold the same companies; with its daemon, and without.

usage: tests/bench/status.py COCLI GENERATE [COMPANIES [NODES [ROUNDS]]]        (.ci/long status builds both)

The first node keeps cards and watches them; the others keep none. It is waited for until all hold the same, and until
the first has looked at its cards once.
"""
import json, os, statistics, subprocess, sys, tempfile, time

COCLI, GENERATE = map(os.path.abspath, sys.argv[1:3])
COMPANIES, NODES, ROUNDS = (int(word) for word in (sys.argv[3:] + ["100000", "8", "30"][len(sys.argv) - 3:]))
# Ten records a company.
RECORDS = 10 * COMPANIES
PATIENCE_S = 900


def run(home, *words, codes=(0,)):
    began = time.perf_counter()
    done = subprocess.run([COCLI, "--data", home, *words], capture_output=True, text=True, env=ENV)
    if done.returncode not in codes:
        sys.exit(f"{home}: cocli {' '.join(words)}: {done.stderr}")
    return time.perf_counter() - began, done.stdout


def init(home, *words, ticket=""):
    words = [COCLI, "init", home, "--node", os.path.basename(home), *words]
    done = subprocess.run(words, input=ticket, capture_output=True, text=True, env=ENV)
    if done.returncode:
        sys.exit(f"{home}: {done.stderr}")


def daemon(home, *peers):
    words = [COCLI, "--json", "--data", home, "daemon", "--bind", "127.0.0.1", "--port", "0", "--log-level", "error"]
    words += [word for peer in peers for word in ("--peer", peer)]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=ENV)
    return running, json.loads(running.stdout.readline())["listening"]


def status(home):
    return json.loads(run(home, "--json", "status", codes=(0, 5))[1].splitlines()[0])


def until(what, so):
    began = time.monotonic()
    while not so():
        if time.monotonic() - began > PATIENCE_S:
            sys.exit(f"not within {PATIENCE_S} s: {what}")
        time.sleep(1)


def rounds(title, *words):
    took = [run(HOMES[0], *words, codes=(0, 5))[0] * 1000 for _ in range(ROUNDS + 1)][1:]
    print(f"{title}: median {statistics.median(took):.0f} ms, least {min(took):.0f}, most {max(took):.0f}", flush=True)


with tempfile.TemporaryDirectory() as folder:
    ENV = dict(os.environ, XDG_CONFIG_HOME=os.path.join(folder, "config"))
    HOMES = [os.path.join(folder, f"n{number}") for number in range(NODES)]
    init(HOMES[0])
    subprocess.run([GENERATE, HOMES[0], str(RECORDS), str(COMPANIES)], check=True, stdout=subprocess.DEVNULL)
    print(f"{COMPANIES} companies, cards put in place in {run(HOMES[0], 'compact')[0]:.0f} s", flush=True)
    ticket = run(HOMES[0], "ticket")[1]
    running = []
    try:
        first, address = daemon(HOMES[0])
        running.append(first)
        for home in HOMES[1:]:
            init(home, "--no-cards", "--join", "-", ticket=ticket)
            running.append(daemon(home, address)[0])
        level = lambda: len({status(home)["digest"] for home in HOMES}) == 1
        until("all hold the same", level)
        until("the cards were looked at", lambda: status(HOMES[0])["daemon"]["touched"] == [])
        until("each tells what it holds", lambda: (status(HOMES[0])["sameness"] or {}).get("state") != "unknown")
        print(run(HOMES[0], "status", "--cluster", codes=(0, 5))[1].splitlines()[0])
        rounds(f"status --cluster, {NODES} nodes", "status", "--cluster")
        rounds("status --metrics", "status", "--metrics")
        first.terminate()
        first.wait()
        rounds("status --cluster without a daemon, which looks at all cards", "status", "--cluster")
    finally:
        for one in running:
            one.kill()
            one.wait()
