#!/usr/bin/env python3
"""A flood that only the cipher could tell from packets of the cluster, and what it does to own traffic.

usage: tests/net/flood.py BINARY FLOOD [SECONDS [PACKETS A SECOND]]
    (cargo build --release -p cocli-crm && cargo build --release -p cocli-net --example flood)

Two daemons on loopback; one of them is flooded with packets that bear the right version and key id. In the
same run: `set --wait 1` on each of both, by turns, at rest and under floods from one source and from many.
It fails when a daemon died, answered, or grew.
"""
import json, os, statistics, subprocess, sys, tempfile, time

BINARY, FLOOD = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 10
RATE = int(sys.argv[4]) if len(sys.argv) > 4 else 200_000
GROWTH_KIB_MAX = 4096


def run(home, *words, stdin=None):
    env = dict(os.environ, XDG_CONFIG_HOME=os.path.join(home, "..", "config"))
    return subprocess.run([BINARY, "--data", home, *words], env=env, input=stdin, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def start(home, *peers):
    words = [BINARY, "--data", home, "--json", "daemon", "--bind", "127.0.0.1", "--port", "0"]
    for peer in peers:
        words += ["--peer", peer]
    daemon = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return daemon, json.loads(daemon.stdout.readline())["listening"]


def memory(daemon):
    """KiB that a process has in memory."""
    with open(f"/proc/{daemon.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def processor(daemon):
    """Seconds of the processor that a process has had."""
    with open(f"/proc/{daemon.pid}/stat") as stat:
        user, system = stat.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def own(homes, seconds, count):
    """Milliseconds of each `set --wait 1`, whole process, on both homes by turns."""
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        run(homes[count[0] % 2], "set", "companies/acme", f"n={count[0]}", "--wait", "1")
        took.append((time.perf_counter() - began) * 1e3)
        count[0] += 1
        time.sleep(0.02)
    return took


def shown(took):
    return (f"p50 {statistics.median(took):.1f} ms, p99 {statistics.quantiles(took, n=100)[98]:.1f} ms,"
            f" longest {max(took):.0f} ms of {len(took)} writes")


def main(folder):
    one, two = os.path.join(folder, "one"), os.path.join(folder, "two")
    run(one, "init", "--node", "one", "--no-cards")
    run(two, "init", "--node", "two", "--no-cards", "--join", "-", stdin=run(one, "ticket"))
    key = run(one, "key", "list").decode()[:8]
    flooded, address = start(one)
    other, _ = start(two, address)
    count = [0]
    try:
        own((one, two), 2, count)
        print(f"at rest: {shown(own((one, two), SECONDS, count))}", flush=True)
        for sources in (1, 500):
            before, worked = memory(flooded), processor(flooded)
            flood = subprocess.Popen([FLOOD, address, key, str(SECONDS), str(RATE), str(sources), "1200"],
                                     stdout=subprocess.PIPE)
            took = own((one, two), SECONDS, count)
            sent = json.loads(flood.communicate()[0])
            after, worked = memory(flooded), processor(flooded) - worked
            status = json.loads(run(one, "--json", "status"))["daemon"]
            print(f"{sent['sent'] / sent['seconds']:,.0f} packets/s from {sources} sources: {shown(took)};"
                  f" memory {before} to {after} KiB; {worked / sent['seconds'] * 100:.0f} % of a processor;"
                  f" so far {status['packets_shed']:,} shed, {status['packets_refused']:,} refused,"
                  f" {status['packets_dropped']:,} dropped", flush=True)
            if flooded.poll() is not None or other.poll() is not None:
                raise SystemExit("a daemon died")
            if sent["answers"]:
                raise SystemExit(f"{sent['answers']} answers to somebody without the key")
            if after - before > GROWTH_KIB_MAX:
                raise SystemExit(f"memory grew by {after - before} KiB")
    finally:
        for daemon in (flooded, other):
            daemon.kill()
            daemon.wait()


with tempfile.TemporaryDirectory(dir=os.environ.get("FIGURES_DIR")) as home:
    main(home)
