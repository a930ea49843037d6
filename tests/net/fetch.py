#!/usr/bin/env python3
"""A node that was away for long: a log of many bytes comes to it over a stream, from the start of its daemon
until it is durable there; and by turns, the rivals, copies of the same file over plain TCP to a synced file: one
that reads and sends, as ours must, and one by sendfile, for which the bytes never leave the kernel.
Prints seconds, the ratios, and the most memory that each daemon took.

usage: tests/net/fetch.py BINARY [MEGABYTES]      (as root; build it first: cargo build --release)

Beside it stands three times that room below $TMPDIR.
"""
import json, os, shutil, socket, statistics, subprocess, sys, tempfile, time

from hosts import NET, Node, inside, network, possible

ROUNDS = 3
LOG = "scraper"
HOW = ("a copy that reads and sends", "sendfile")
SENDS = """
import os, socket, sys
buffer = bytearray(1 << 20)
with socket.create_server(("", 7000)) as server, open(sys.argv[1], "rb", 0) as file:
    print("ready", flush=True)
    client, _ = server.accept()
    with client:
        if sys.argv[2] == "sendfile":
            client.sendfile(file)
        else:
            while count := file.readinto(buffer):
                client.sendall(memoryview(buffer)[:count])
"""
TAKES = """
import os, socket, sys
buffer = bytearray(1 << 20)
with socket.create_connection((sys.argv[1], 7000)) as server, open(sys.argv[2], "wb", 0) as file:
    while count := server.recv_into(buffer):
        file.write(memoryview(buffer)[:count])
    os.fdatasync(file.fileno())
"""


def journal(path, size):
    """Records as another program writes them: without a check and without causality."""
    at, block, count = 0, [], 0
    with open(path, "wb") as file:
        while at < size:
            text = (f"2026-01-{1 + count % 28:02}T12:{count // 60 % 60:02}:{count % 60:02}.{count % 1000000:06}+00:00\x1f{LOG}\x1f"
                    f"companies/c{count % 100_000}\x1ff{count % 20}\x1fvalue {count}\x1f\x1e").encode()
            block.append(text)
            at, count = at + len(text), count + 1
            if len(block) == 10_000:
                file.write(b"".join(block))
                block.clear()
        file.write(b"".join(block))
        file.flush()
        os.fsync(file.fileno())
    return at


def reached(node, position):
    """Waits until the daemon says that it holds the log durably up to there."""
    with open(os.path.join(node.home, ".cocli", "id")) as file:
        home = json.load(file)
    ask = {"door": 1, "home": f"{home['node']}@{home['cluster']}", "verb": "reach", "log": LOG, "position": position, "timeout_ms": 600_000}
    path = os.path.join(node.home, ".cocli", "sock")
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(path)
        door.sendall(json.dumps(ask).encode() + b"\n")
        answer = json.loads(door.makefile().readline())
    if answer.get("reached") is not True:
        raise SystemExit(f"n{node.host}: {answer}")


def merged(node):
    """Waits until the daemon has merged all that it holds: that is not what is measured, and takes both cores."""
    until = time.monotonic() + 300
    while json.loads(node.run("--json", "status"))["tail_bytes"]:
        if time.monotonic() > until:
            raise SystemExit(f"n{node.host} merges nothing")
        time.sleep(2)


def memory(node):
    with open(f"/proc/{node.daemon.pid}/status") as status:
        return max(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def ours(first, folder, ticket, position):
    home = os.path.join(folder, "n2")
    shutil.rmtree(home, ignore_errors=True)
    second = Node(BINARY, folder, 2, ticket, ["--no-cards"])
    os.sync()
    began = time.monotonic()
    second.start(1)
    reached(second, position)
    took = time.monotonic() - began
    peak = memory(second)
    second.stop()
    # What the killed daemon had begun beside it goes on for a moment.
    while os.path.exists(home):
        shutil.rmtree(home, ignore_errors=True)
    return took, peak


def plain(source, folder, how):
    target = os.path.join(folder, "copy")
    os.sync()
    sender = subprocess.Popen(inside(1, sys.executable, "-c", SENDS, source, how), stdout=subprocess.PIPE)
    sender.stdout.readline()
    began = time.monotonic()
    subprocess.run(inside(2, sys.executable, "-c", TAKES, f"{NET}.1", target), check=True)
    took = time.monotonic() - began
    sender.wait()
    os.remove(target)
    return took


def main(folder, megabytes):
    first = Node(BINARY, folder, 1, options=["--no-cards"])
    ticket = first.run("ticket")
    path = os.path.join(first.home, "wal", f"20260131_{LOG}.usv")
    size = journal(path, megabytes * 1_000_000)
    first.start(2)
    try:
        reached(first, size)
        merged(first)
        print(f"the first node took {size / 1e6:.0f} MB in, {memory(first):.0f} MiB at most", flush=True)
        copies, fetches = {how: [] for how in HOW}, []
        for number in range(ROUNDS + 1):
            took, peak = ours(first, folder, ticket, size)
            print(f"round {number}: fetched in {took:.2f} s ({size / took / 1e6:.0f} MB/s, {peak:.0f} MiB at most)", end="")
            for how in HOW:
                copy = plain(path, folder, how)
                print(f", {how} over TCP in {copy:.2f} s ({size / copy / 1e6:.0f} MB/s)", end="", flush=True)
                copies[how].append(copy)
            print()
            fetches.append(took)
        for how in HOW:
            share = statistics.median(copies[how][1:]) / statistics.median(fetches[1:])
            print(f"{share:.0%} of the rate of {how} (goal 40 %)")
        print(f"the node that serves: {memory(first):.0f} MiB at most (goal 64)")
    finally:
        first.stop()


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv[1])
    if possible():
        with tempfile.TemporaryDirectory() as folder, network(2):
            main(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
