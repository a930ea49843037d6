#!/usr/bin/env python3
"""Ten hosts on one switch with nothing to do: what each sends a second, heads of IP and UDP included; after how
long the others hold a killed one for dead; and whether at 10 % loss anybody is held for dead who lives.

usage: tests/net/idle.py BINARY [SECONDS]      (as root; build it first: cargo build --release)
"""
import os, statistics, sys, tempfile, time

from hosts import NET, Node, inside, lossy, network, possible, sh, until_level

HOSTS = 10
ETHERNET_BYTES = 14


def sent(host):
    """Bytes and packets that a host has sent."""
    lines = sh(*inside(host, "cat", "/proc/net/dev")).stdout.splitlines()
    line = next(line for line in lines if line.strip().startswith("eth"))
    fields = line.split(":")[1].split()
    return int(fields[8]) - ETHERNET_BYTES * int(fields[9])


def dead(node):
    return {peer["node"] for peer in node.status()["peers"] if peer["standing"] == "down"}


def main(folder, seconds):
    first = Node(BINARY, folder, 1, options=["--no-cards"])
    ticket = first.run("ticket")
    nodes = [first, *(Node(BINARY, folder, host, ticket, ["--no-cards"]) for host in range(2, HOSTS + 1))]
    try:
        for node in nodes:
            node.start(*(other.host for other in nodes if other is not node))
        until_level(nodes, 60)
        time.sleep(40)
        before = [sent(node.host) for node in nodes]
        time.sleep(seconds)
        rates = [(sent(node.host) - was) / seconds for node, was in zip(nodes, before)]
        print(f"at rest each sends {statistics.mean(rates):.0f} B/s, the most {max(rates):.0f} (goal 250)", flush=True)
        nodes[-1].stop()
        killed, times, live = time.monotonic(), [], nodes[:-1]
        waiting = list(live)
        while waiting and time.monotonic() - killed < 60:
            for node in list(waiting):
                if f"n{HOSTS}" in dead(node):
                    times.append(time.monotonic() - killed)
                    waiting.remove(node)
            time.sleep(0.05)
        if waiting:
            raise SystemExit(f"{len(waiting)} never noticed")
        print(f"a killed one is noticed after {min(times):.1f} to {max(times):.1f} s (goal 10)", flush=True)
        lossy(HOSTS - 1, 10)
        false, until = set(), time.monotonic() + seconds
        while time.monotonic() < until:
            for node in live:
                false |= dead(node) - {f"n{HOSTS}"}
            time.sleep(0.5)
        print(f"at 10 % loss, in {seconds} s: {len(false)} held for dead that live (goal 0)")
    finally:
        for node in nodes:
            node.stop()


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv[1])
    if possible():
        with tempfile.TemporaryDirectory() as folder, network(HOSTS):
            main(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 60)
