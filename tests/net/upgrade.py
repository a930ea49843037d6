#!/usr/bin/env python3
"""Three nodes that run OLD; one after the other goes on with NEW, while all of them are written to. Then one back.

usage: tests/net/upgrade.py OLD NEW        (as root: it makes network namespaces, and takes them away again)

Two binaries, as `.ci/long upgrade` builds them. In each mixture a write on either is durable on both others, and at
the end every value that was acknowledged is on every node. That OLD reads what NEW wrote is no promise: where it does
not, it has to say so and end, and NEW goes on with what stands there.
"""
import json, os, sys, tempfile, threading, time

from hosts import Node, network, possible, until_level

HOSTS = 3
BATCH = 20


class Writers(threading.Thread):
    """Writes to each node in turn, whatever runs there, until it is told to end."""

    def __init__(self, nodes):
        super().__init__(daemon=True)
        self.nodes, self.written, self.failed, self.over = nodes, {}, None, threading.Event()

    def run(self):
        turn = 0
        while not self.over.is_set():
            node, prefix = self.nodes[turn % len(self.nodes)], f"w{turn}x"
            try:
                node.batch(prefix, BATCH)
            except SystemExit as failure:
                self.failed = failure
                return
            self.written.update({(f"companies/c{n % 50}", f"{prefix}{n}"): f"v{n}" for n in range(BATCH)})
            turn += 1

    def end(self):
        self.over.set()
        self.join()
        if self.failed:
            raise self.failed


def peers(nodes, node):
    return [other.host for other in nodes if other is not node]


def turn_over(nodes, node, binary):
    """As an upgrade does it: ended, replaced, begun again. Whether the other binary takes the home."""
    node.daemon.terminate()
    if node.daemon.wait(30) != 0:
        raise SystemExit(f"n{node.host} does not end well")
    node.binary = binary
    return node.start(*peers(nodes, node))


def reaches(nodes, what):
    """A write on each is durable on both others."""
    began = time.monotonic()
    for node in nodes:
        node.run("set", "companies/c0", f"reach={what} {node.host}", "--wait", str(HOSTS - 1), "--timeout", "60")
    print(f"{what}: a write on each is on both others, {time.monotonic() - began:.1f} s for all three", flush=True)


def lacks(node, written):
    """What was acknowledged anywhere and is not on this node."""
    held = {}
    for target in {target for target, _ in written}:
        held[target] = json.loads(node.run("--json", "get", target))
    return [key for key, value in written.items() if value != held[key[0]].get(key[1])]


def back(nodes, old, new):
    """One goes back, after the newer one compacted."""
    node = nodes[0]
    node.run("compact")
    if turn_over(nodes, node, old):
        reaches(nodes, "one back at the old one")
        if not turn_over(nodes, node, new):
            raise SystemExit("the new one does not take its home back")
        return
    with open(node.home + ".notes") as notes:
        said = notes.read().strip().splitlines()[-1:]
    print(f"the old one does not read what the new one wrote, and says: {' '.join(said)}", flush=True)
    node.daemon.wait(30)
    node.binary = new
    if not node.start(*peers(nodes, node)):
        raise SystemExit("and the new one does not take its home back")


def main(old, new, folder):
    first = Node(old, folder, 1)
    ticket = first.run("ticket")
    nodes = [first, *(Node(old, folder, host, ticket) for host in range(2, HOSTS + 1))]
    writers = Writers(nodes)
    try:
        for node in nodes:
            node.start(*peers(nodes, node))
        reaches(nodes, "all old")
        writers.start()
        for count, node in enumerate(nodes, 1):
            if not turn_over(nodes, node, new):
                raise SystemExit(f"n{node.host}: the new one does not take the home")
            reaches(nodes, f"{count} of {HOSTS} new")
        writers.end()
        back(nodes, old, new)
        reaches(nodes, "all new")
        took = until_level(nodes, 60)
        for node in nodes:
            if lost := lacks(node, writers.written):
                raise SystemExit(f"n{node.host} lacks {len(lost)} values, as {lost[0]}")
        print(f"all the same after {took:.1f} s: {len(writers.written)} values written meanwhile, all on all", flush=True)
    finally:
        writers.over.set()
        for node in nodes:
            node.stop()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    if possible():
        with tempfile.TemporaryDirectory() as home, network(HOSTS):
            main(*(os.path.abspath(binary) for binary in sys.argv[1:]), home)
