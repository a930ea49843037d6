#!/usr/bin/env python3
"""Five hosts on one switch, each writing at a steady rate: from a write to written, and to durable, in the
journals of all the others; without loss, with loss, with a disk whose syncs take long; and, one at a time,
until four others hold a write durably.

usage: tests/net/latency.py BINARY [SECONDS]      (as root; build it first: cargo build --release)

The homes stand on the disk below $TMPDIR. Two cores for five writers, five daemons and the measuring are
part of what is measured.
"""
import json, os, subprocess, sys, tempfile, time

from hosts import NET, Node, clear, lossy, network, possible, until_level

HOSTS = 5
RATE = 200
SLOW_SYNC = """
#include <unistd.h>
#include <sys/syscall.h>
static void wait_long(void) { usleep(400000); }
int fdatasync(int fd) { wait_long(); return syscall(SYS_fdatasync, fd); }
int fsync(int fd) { wait_long(); return syscall(SYS_fsync, fd); }
"""


def measured(nodes, seconds):
    """Writes on all nodes; gives what was seen in the homes of all. What earlier runs left is merged first:
    else this one would measure how long a journal each write reads."""
    for node in nodes:
        node.run("compact")
    watch = subprocess.Popen([BINARY, "bench", "watch", "--seconds", str(seconds + 2), *(n.home for n in nodes)],
                             stdout=subprocess.PIPE)
    time.sleep(1)
    writers = [subprocess.Popen(n.words("bench", "pace", "--rate", str(RATE), "--seconds", str(seconds)),
                                stdout=subprocess.PIPE) for n in nodes]
    paced = [json.loads(writer.communicate()[0]) for writer in writers]
    seen = json.loads(watch.communicate()[0])
    return paced, seen


def tell(what, paced, seen, goals):
    writes = sum(p["writes"] for p in paced)
    written, durable = seen["written"], seen["durable"]
    print(f"{what}: {writes} writes, {sum(p['late'] for p in paced)} of them late; written elsewhere"
          f" p50 {written['p50_ms']:.1f} ms, p99 {written['p99_ms']:.1f} ms;"
          f" durable there p50 {durable['p50_ms']:.0f} ms, p99 {durable['p99_ms']:.0f} ms"
          f" (goal {goals})", flush=True)


def all_alive(nodes):
    """Nobody is held for dead by anybody."""
    for node in nodes:
        for peer in node.status()["peers"]:
            if peer["standing"] == "down":
                raise SystemExit(f"n{node.host} holds {peer['node']} for dead")


def main(folder, seconds):
    first = Node(BINARY, folder, 1, options=["--no-cards"])
    ticket = first.run("ticket")
    nodes = [first, *(Node(BINARY, folder, host, ticket, ["--no-cards"]) for host in range(2, HOSTS + 1))]

    def start(preload=None):
        for node in nodes:
            others = (other.host for other in nodes if other is not node)
            node.start(*others, preload=preload if node is nodes[-1] else None)

    try:
        start()
        first.batch("first", 100)
        until_level(nodes, 60)
        tell("no loss", *measured(nodes, seconds), "written p50 5, p99 50; durable p99 300")
        waits = json.loads(first.run("bench", "pace", "--wait", "4", "--rate", "4", "--seconds", str(seconds)))
        spread = waits["spread"]
        print(f"--wait 4, one at a time: {spread['count']} writes, p50 {spread['p50_ms']:.1f} ms,"
              f" p99 {spread['p99_ms']:.1f} ms (goal p50 10)", flush=True)
        for percent, goal in ((10, "500"), (30, "2000")):
            lossy(HOSTS, percent)
            tell(f"{percent} % lost each way", *measured(nodes, seconds), f"written p99 {goal}")
            time.sleep(5)
            if len({node.digest() for node in nodes}) != 1:
                raise SystemExit("something is missing after 5 s of quiet")
            clear(HOSTS)
        for node in nodes:
            node.stop()
        start(preload=slow_disk(folder))
        until_level(nodes, 60)
        tell("one disk that takes 400 ms a sync", *measured(nodes, seconds), "written p99 50, nobody dead")
        all_alive(nodes)
    finally:
        for node in nodes:
            node.stop()


def slow_disk(folder):
    source, library = os.path.join(folder, "slow.c"), os.path.join(folder, "slow.so")
    with open(source, "w") as text:
        text.write(SLOW_SYNC)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return library


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv[1])
    if possible():
        with tempfile.TemporaryDirectory() as folder, network(HOSTS):
            main(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 20)
