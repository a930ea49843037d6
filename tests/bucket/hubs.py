#!/usr/bin/env python3
"""Two hubs at one bucket, again and again: one of them is stopped for twice its time to live, or killed, at some
step of its round, while the other takes over.

    tests/bucket/hubs.py COCLI [ROUNDS]

Counts publications: each number of a manifest once, its generations never falling; who woke late publishes nothing
after the one who took over; at the end a clone of the bucket is what both homes are, and nothing is lost."""
import json, os, random, signal, subprocess, sys, tempfile, time
from pathlib import Path

TIME_TO_LIVE_S = 0.3
binary, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
seed = int(os.environ.get("SEED", "1"))
dice = random.Random(seed)
root = Path(tempfile.mkdtemp(prefix="cocli-hubs-"))
environment = dict(os.environ, XDG_CONFIG_HOME=str(root / "config"))
bucket = f"file://{root}/bucket"


def cocli(home, *words, check=True):
    done = subprocess.run([binary, "--data", str(root / home), *words], env=environment, capture_output=True, text=True)
    if check and done.returncode != 0:
        sys.exit(f"{home}: cocli {' '.join(words)}: {done.stderr}")
    return done


def hub(home):
    words = [binary, "--data", str(root / home), "--json", "hub", "once", "--time-to-live", str(int(TIME_TO_LIVE_S * 1000))]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process, published):
    out, err = process.communicate(timeout=120)
    if process.returncode == 0:
        told = json.loads(out)
        if told["manifest"] is not None:
            published.append((told["manifest"], told["generation"]))
        return "published"
    return "refused" if "is the hub by now" in err else err.strip()


def prepare():
    subprocess.run([binary, "init", str(root / "one"), "--node", "one", "--no-cards", "--bucket", bucket], env=environment, check=True, capture_output=True)
    ticket = json.loads(cocli("one", "--json", "ticket").stdout)["ticket"]
    subprocess.run([binary, "init", str(root / "two"), "--node", "two", "--no-cards", "--join", ticket, "--bucket", bucket], env=environment, check=True, capture_output=True)
    for home in ("one", "two"):
        config = root / home / ".cocli/config.toml"
        config.write_text(config.read_text().replace("[bucket]", "[bucket]\nmirror = \"off\""))


def round_of(n, kill, length, published, ends):
    late, other = ("one", "two") if n % 2 else ("two", "one")
    for home in (late, other):
        cocli(home, "set", f"companies/{home}-{n}", f"name=Company {n}")
    begun = hub(late)
    time.sleep(dice.random() * length)
    if kill:
        begun.kill()
        begun.communicate()
    elif begun.poll() is None:
        begun.send_signal(signal.SIGSTOP)
    taken = time.monotonic()
    end = ended(hub(other), published)
    took = time.monotonic() - taken
    if end != "published":
        sys.exit(f"round {n}: the one who took over: {end}")
    if not kill:
        time.sleep(max(0, 2 * TIME_TO_LIVE_S - took))
        begun.send_signal(signal.SIGCONT)
        end = ended(begun, published)
        ends[end] = ends.get(end, 0) + 1
    return took


def main():
    prepare()
    cocli("one", "set", "companies/first", "name=First")
    began = time.monotonic()
    cocli("one", "hub", "once")
    length = 1.2 * (time.monotonic() - began)
    for kill in (False, True):
        published, ends, longest = [], {}, 0.0
        for n in range(rounds):
            longest = max(longest, round_of(f"{'k' if kill else 's'}{n}" and n + (1_000_000 if kill else 0), kill, length, published, ends))
        numbers = [n for n, _ in published]
        line = sorted(published)
        linear = len(set(numbers)) == len(numbers) and all(a[1] <= b[1] for a, b in zip(line, line[1:]))
        for _ in range(2):
            for home in ("one", "two"):
                cocli(home, "sync")
        what = "killed" if kill else "stopped for 0.6 s"
        print(f"{rounds} rounds, seed {seed}, one hub {what} at a random step: {len(published)} manifests with something new, "
              f"linear: {linear}; the late one: {ends or '-'}; the next published after at most {longest:.2f} s", flush=True)
        if not linear or set(ends) - {"published", "refused"}:
            sys.exit("a promise is broken")
        if longest > TIME_TO_LIVE_S + 5:
            sys.exit(f"the next hub took {longest:.2f} s")
    cocli("one", "hub", "once")
    subprocess.run([binary, "clone", bucket, str(root / "clone"), "--node", "third"], env=environment, check=True, capture_output=True)
    names = [{line.split("\t")[0].split()[0] for line in cocli(home, "list", "companies").stdout.splitlines()} for home in ("one", "two", "clone")]
    lost = (names[0] | names[1]) - names[2]
    print(f"{len(names[2])} companies in a clone, {len(lost)} lost")
    if lost or len(names[2]) != 4 * rounds + 1:
        sys.exit("something is lost")


main()
