#!/usr/bin/env python3
"""Five nodes, each a host of its own on one switch: loss, partitions, a changed address, a laptop that sleeps.

usage: tests/net/cluster.py BINARY        (as root: it makes network namespaces, and takes them away again)

That all become equal is the claim; how long it took is printed beside the goal. With --partition also two
sides that are apart for longer than a peer may be silent. Where namespaces or packet filters are not to
be had, it says so and ends well.
"""
import os, signal, sys, tempfile, time

from hosts import NET, Node, address, clear, filtered, lossy, network, possible, roam, slow, until_level

HOSTS = 5


def tell(what, took, goal):
    print(f"{what}: all equal after {took:.2f} s (goal {goal} s)", flush=True)


def loss(nodes, percent):
    lossy(HOSTS, percent)
    for node in nodes:
        node.batch(f"loss{percent}_{node.host}_", 200)
    took = until_level(nodes, 60)
    clear(HOSTS)
    tell(f"{percent} % lost each way, 1,000 datagrams", took, 5)


def partition(nodes):
    one, other = nodes[:2], nodes[2:]
    for a in one:
        for b in other:
            filtered(a.host, "-s", f"{NET}.{b.host}")
            filtered(b.host, "-s", f"{NET}.{a.host}")
    one[0].batch("left", 10_000)
    other[0].batch("right", 10_000)
    until_level(one, 60), until_level(other, 60)
    # Longer than a peer may be silent and still count as live.
    time.sleep(35)
    clear(HOSTS)
    tell("2 + 3 apart, 10,000 datagrams on each side, healed", until_level(nodes, 90), 3)


def one_way(nodes):
    """The last hears nothing of the first, and heals through the others."""
    filtered(nodes[-1].host, "-s", f"{NET}.{nodes[0].host}")
    nodes[0].batch("oneway", 100)
    took = until_level(nodes, 60)
    clear(HOSTS)
    tell("one that is deaf to the writer, through the others", took, 5)


def behind_a_slow_link(nodes):
    """A writer whose link takes half a minute for what it writes in a moment: its daemon answers all the while."""
    longest = 0
    with slow(nodes[0].host, "128kbit"):
        for turn in range(5):
            nodes[0].batch(f"slow{turn}_", 600)
            began = time.monotonic()
            nodes[0].status()
            longest = max(longest, time.monotonic() - began)
    print(f"a writer behind a slow link: its daemon answers after {longest:.2f} s at the longest (limit 3 s)", flush=True)
    if longest > 3:
        raise SystemExit("the daemon waits for the link")
    tell("the slow link made fast", until_level(nodes, 60), 10)


def moved(nodes):
    """A laptop on another network address: nobody was told."""
    node = nodes[-1]
    address(node.host, f"{NET}.{100 + node.host}")
    node.batch("moved", 50)
    nodes[0].batch("stayed", 50)
    tell("one at another address, whose peers follow", until_level(nodes, 60), 10)


def slept(nodes):
    """A laptop whose lid is closed for longer than a peer may be silent, and opened on another network."""
    node = nodes[-1]
    node.batch("lid", 50)
    node.daemon.send_signal(signal.SIGSTOP)
    nodes[0].batch("asleep", 2_000)
    until_level(nodes[:-1], 60)
    time.sleep(35)
    roam(node.host, f"10.77.32.{node.host}", HOSTS)
    node.daemon.send_signal(signal.SIGCONT)
    node.batch("woke", 50)
    tell("one that slept and woke on another network", until_level(nodes, 60), 10)


def killed(nodes):
    node = nodes[1]
    node.stop()
    nodes[0].batch("away", 2_000)
    node.start(*(other.host for other in nodes if other is not node))
    tell("one that was killed while 2,000 datagrams came", until_level(nodes, 60), 10)


def main(folder):
    first = Node(BINARY, folder, 1)
    ticket = first.run("ticket")
    nodes = [first, *(Node(BINARY, folder, host, ticket) for host in range(2, HOSTS + 1))]
    try:
        for node in nodes:
            node.start(*(other.host for other in nodes if other is not node))
        first.batch("first", 100)
        tell("five nodes", until_level(nodes, 60), 10)
        for percent in (10, 30):
            loss(nodes, percent)
        one_way(nodes)
        behind_a_slow_link(nodes)
        killed(nodes)
        moved(nodes)
        slept(nodes)
        if "--partition" in sys.argv:
            address(nodes[-1].host, f"{NET}.{nodes[-1].host}")
            partition(nodes)
    finally:
        for node in nodes:
            node.stop()


if not possible():
    sys.exit(0)
BINARY = os.path.abspath(sys.argv[1])
with tempfile.TemporaryDirectory() as home, network(HOSTS):
    main(home)
