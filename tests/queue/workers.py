#!/usr/bin/env python3
"""Workers on several homes take tasks from one queue and are killed at random moments (kill -9); each that dies is
replaced.

    tests/queue/workers.py COCLI [TASKS [WORKERS]]

Four ways: homes of their own at one bucket, which hear each other through it now and then only, a folder and an S3
server; one home with a bucket; one home without. Of a task that is done the worker notes it in a file of its own, before and behind `queue
done`. Counts: every task is done; none was told as done to two workers; and how often one was begun twice, which is
what kills are for. The server is s3s-fs behind the proxy of tests/bucket, which lets PUTs through one at a time: it
looks whether an object is there, and writes it, in two steps, so a race of creates would not be told as stores tell it."""
import json, os, random, subprocess, sys, tempfile, threading, time
from collections import Counter
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bucket"))
import rig, servers

binary = os.path.abspath(sys.argv[1])
tasks = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
workers = int(sys.argv[3]) if len(sys.argv) > 3 else 8
seed = int(os.environ.get("SEED", "1"))
EXPIRES_S = 2.0

# What a worker does: a shell, so that it is one process group, and dies whole.
WORKER = r"""
while :; do
    line=$("$COCLI" queue claim work --wait 1 2>>"$LOG.err") || { [ $? -eq 3 ] && continue || { sleep 0.1; continue; }; }
    id=$(printf %s "$line" | cut -f1) claim=$(printf %s "$line" | cut -f3)
    echo "began $id $claim" >>"$LOG"
    "$COCLI" queue done "$id" --claim "$claim" >/dev/null 2>>"$LOG.err"
    echo "ended $? $id $claim" >>"$LOG"
done
"""


class Run:
    def __init__(self, root, homes, bucket):
        self.root, self.homes = root, [root / f"h{k}" for k in range(homes)]
        self.environment = dict(os.environ, XDG_CONFIG_HOME=str(root / "config"), COCLI=binary, COCLI_CAMPAIGN="test",
                                AWS_ACCESS_KEY_ID=servers.ACCESS, AWS_SECRET_ACCESS_KEY=servers.SECRET)
        self.server = rig.Bucket(str(root / "server")) if bucket == "server" else None
        url = self.server.url() if self.server else f"file://{root}/bucket"
        self.objects = root / "server" / "s3s" / servers.BUCKET if self.server else root / "bucket"
        words = ["--bucket", url] if bucket else []
        self.cocli(0, "init", "--node", "h0", "--no-cards", *words)
        ticket = json.loads(self.cocli(0, "--json", "ticket"))["ticket"] if homes > 1 else None
        for k in range(1, homes):
            self.cocli(k, "init", "--node", f"h{k}", "--no-cards", "--join", ticket, *words)
        self.bucket = bucket

    def cocli(self, home, *words, stdin=None, codes=(0,)):
        done = subprocess.run([binary, "--data", str(self.homes[home]), *words], input=stdin, env=self.environment,
                              capture_output=True, text=True)
        if done.returncode not in codes:
            raise SystemExit(f"h{home}: {' '.join(words)}: {done.stderr}")
        return done.stdout

    def settle_rules(self):
        for home in self.homes:
            folder = home / "campaigns" / "test"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "config.toml").write_text(f"[queue]\nexpires = {EXPIRES_S}\nattempts = 100\nsettle = 0\n")

    def prepare(self):
        self.cocli(0, "campaign", "new", "test")
        lines = "\n".join(json.dumps({"n": n}) for n in range(tasks))
        self.ids = json.loads(self.cocli(0, "--json", "queue", "push", "work", stdin=lines))["ids"]
        if len(self.homes) > 1:
            self.sync()
        self.settle_rules()

    def sync(self):
        self.cocli(0, "sync", codes=(0, 1))
        for k in range(1, len(self.homes)):
            self.cocli(k, "sync", codes=(0, 1))

    def worker(self, n):
        at = n % len(self.homes)
        log = self.root / f"worker{n}.log"
        log.touch()
        environment = dict(self.environment, COCLI_DATA_HOME=str(self.homes[at]), LOG=str(log))
        return subprocess.Popen(["bash", "-c", WORKER], env=environment, start_new_session=True)

    def done(self):
        """Tasks that a worker was told are done."""
        ended = Counter()
        for log in self.root.glob("worker*.log"):
            for line in log.read_text().splitlines():
                words = line.split()
                if len(words) == 4 and words[:2] == ["ended", "0"]:
                    ended[words[2]] += 1
        return ended

    def over(self):
        """Tasks that the first home knows to be done."""
        lines = self.cocli(0, "--json", "queue", "list", "work").splitlines()
        return {task["id"] for task in map(json.loads, lines) if task["state"] == "done"}


def work(run, kills_a_second):
    dice, began, kills, number = random.Random(seed), time.monotonic(), 0, 0
    alive = []
    next_sync = began + 5
    while True:
        while len(alive) < workers:
            alive.append(run.worker(number))
            number += 1
        time.sleep(dice.expovariate(kills_a_second))
        victim = alive.pop(dice.randrange(len(alive)))
        os.killpg(victim.pid, 9)
        victim.wait()
        kills += 1
        if len(run.homes) > 1 and time.monotonic() > next_sync:
            threading.Thread(target=run.sync).start()
            next_sync = time.monotonic() + 5
        if kills % 5 == 0 and len(run.over()) == tasks:
            break
        if time.monotonic() - began > 900:
            raise SystemExit(f"after 900 s {len(run.over())} of {tasks} tasks are done")
    took = time.monotonic() - began
    for one in alive:
        os.killpg(one.pid, 9)
        one.wait()
    return took, kills


def check(run, what, took, kills, strict):
    told, over = run.done(), run.over()
    begun = Counter()
    for log in run.root.glob("worker*.log"):
        for line in log.read_text().splitlines():
            if line.startswith("began") and len(line.split()) == 3:
                begun[line.split()[1]] += 1
    twice = [task for task, count in told.items() if count > 1]
    missing = set(run.ids) - over
    chains = list((run.objects / "claims" / "test" / "work").glob("*")) if run.bucket else []
    ends = Counter(json.loads(one.read_text())["state"] for chain in chains for one in chain.iterdir())
    print(f"{what}: {tasks} tasks, {workers} workers, {kills} killed, seed {seed}: {len(over)} done in {took:.0f} s "
          f"({tasks / took:.0f} a second), {len(twice)} told as done to two, {sum(c > 1 for c in begun.values())} begun again"
          + (f"; in the bucket {dict(ends)}" if run.bucket else ""), flush=True)
    if missing or (strict and twice) or (run.bucket and ends["done"] != tasks):
        raise SystemExit(f"a promise is broken: missing {sorted(missing)[:3]}, twice {twice[:3]}")
    if not set(told) <= set(run.ids):
        raise SystemExit("a task that nobody pushed")


def main():
    ways = [("homes of their own at a folder", workers, "folder"), ("homes of their own at an S3 server", workers, "server"),
            ("one home with a folder", 1, "folder"), ("one home without", 1, None)]
    for what, homes, bucket in ways:
        with tempfile.TemporaryDirectory(prefix="cocli-queue-", ignore_cleanup_errors=True) as folder:
            run = Run(Path(folder), homes, bucket)
            run.prepare()
            took, kills = work(run, float(os.environ.get("KILLS_A_SECOND", "2")))
            if homes > 1:
                time.sleep(1)
                run.sync()
                run.sync()
            check(run, what, took, kills, strict=True)
            if run.server:
                run.server.stop()


main()
