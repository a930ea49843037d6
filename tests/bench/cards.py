#!/usr/bin/env python3
"""Measures what docs/figures.md tells of many cards: putting new ones in place beside a bare loop that writes the
same bytes to as many files, looks at all of them, and edits of a tenth by a script.

usage: .ci/long cards [COMPANIES]        (100,000 when nothing is said)
"""
import json, os, resource, shutil, subprocess, sys, tempfile, time

COCLI, BARE = sys.argv[1:3]
COMPANIES = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
ROUNDS = 3


def measure(words):
    """Wall and CPU time in seconds, and what was printed. Status may say that something waits."""
    env = dict(os.environ, XDG_CONFIG_HOME=os.path.join(FOLDER, "config"))
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, env=env, capture_output=True, text=True)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 5):
        sys.exit(f"{words}: status {done.returncode}: {done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return took, cpu, done.stdout.strip()


def cocli(*words, stdin=None):
    env = dict(os.environ, XDG_CONFIG_HOME=os.path.join(FOLDER, "config"))
    subprocess.run([COCLI, "--data", HOME, *words], env=env, input=stdin, check=True, capture_output=True, text=True)


def fields(company):
    yield "name", f"Company {company} Ltd"
    yield "domain", f"c{company}.example"
    yield "city", f"Town {company % 977}"
    yield "phone_1", f"+1 555 {company:07}"
    yield "status", "won" if company % 5 == 0 else "open"
    yield "tags.lead", "true"
    yield "website", f"https://www.c{company}.example/about"
    yield "description", f"Makes things of kind {company % 31}. " * 4


def fill():
    cocli("init", "--node", "one", "--no-cards")
    for first in range(0, COMPANIES, 10_000):
        lines = (json.dumps({"target": f"companies/c{company}", "field": field, "value": value})
                 for company in range(first, min(first + 10_000, COMPANIES)) for field, value in fields(company))
        cocli("set", "--from", "-", stdin="\n".join(lines))
    cocli("compact")
    settings = os.path.join(HOME, ".cocli", "config.toml")
    with open(settings) as file:
        text = file.read()
    with open(settings, "w") as file:
        file.write(text.replace('project = "none"', 'project = "all"'))


def without_cards():
    for folder in ("companies", ".cocli/cards", ".cocli/swap"):
        shutil.rmtree(os.path.join(HOME, folder), ignore_errors=True)
    os.mkdir(os.path.join(HOME, "companies"))
    os.sync()


def placing():
    """Each loop says itself how long it wrote and synced; ours is the whole process, the reading of the state included."""
    times = {"ours": [], "bare": []}
    for number in range(ROUNDS):
        without_cards()
        took, cpu, told = measure([COCLI, "--data", HOME, "compact"])
        print(f"  round {number}: ours: {took:.2f} s ({cpu:.2f} s CPU): {told}")
        times["ours"].append(took)
        copy = os.path.join(FOLDER, "copy")
        os.sync()
        _, _, told = measure([BARE, os.path.join(HOME, "companies"), copy])
        files, seconds = told.split()
        shutil.rmtree(copy)
        print(f"  round {number}: bare loop: {float(seconds):.2f} s, {files} files")
        times["bare"].append(float(seconds))
    ours, bare = (sum(took[1:]) / (ROUNDS - 1) for took in (times["ours"], times["bare"]))
    print(f"{COMPANIES} new cards: ours {ours:.2f} s, a bare loop {bare:.2f} s: {bare / ours:.2f} of its rate (goal 0.5)")


def looks():
    for words in ([], ["status"], ["compact"]):
        runs = [measure([COCLI, "--data", HOME, *words])[:2] for _ in range(ROUNDS)][1:]
        print(f"cocli {' '.join(words)}: " + ", ".join(f"{took:.2f} s ({cpu:.2f} s CPU)" for took, cpu in runs))


def edits():
    count = COMPANIES // 10
    for company in range(count):
        path = os.path.join(HOME, "companies", f"c{company}", "_index.md")
        with open(path) as file:
            text = file.read()
        with open(path, "w") as file:
            file.write(text.replace("status: ", "status: re"))
    for what in ("taken in", "looked at again"):
        took, cpu, told = measure([COCLI, "--data", HOME, "compact"])
        print(f"{count} cards edited by a script, {what}: {took:.2f} s ({cpu:.2f} s CPU): {told}")


with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as FOLDER:
    HOME = os.path.join(FOLDER, "home")
    fill()
    placing()
    looks()
    edits()
