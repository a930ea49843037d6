#!/usr/bin/env python3
"""A laptop that only sees the bucket, and two nodes that gossip, of which one sees the bucket too: 5,000 datagrams
each, at once, and then byte-identical states and journals on all three. The interval is 1 s where it is 120 s.

usage: tests/bucket/three.py BINARY [DATAGRAMS]
"""
import os, sys, time

from rig import TRUE_INTERVAL, Node, level, running, scratch, side_by_side, until

INTERVAL = 1


def main(binary, count, folder):
    with running(folder) as (bucket, nodes):
        b = Node(binary, folder, "b", bucket.url())
        ticket = b.run("ticket")
        a, laptop = Node(binary, folder, "a", None, ticket), Node(binary, folder, "laptop", bucket.url(), ticket)
        nodes += [a, b, laptop]
        a.start(None, b)
        b.start(INTERVAL, a)
        laptop.start(INTERVAL)
        began = time.monotonic()
        side_by_side(*(lambda node=node: node.batch("x", count) for node in nodes))
        wrote = time.monotonic() - began
        same = until(300, "one state on all three", lambda: level(nodes))
        held = [node.journals() for node in nodes]
        if held[0] != held[1] or held[1] != held[2]:
            names = {name for one in held for name in one if any(one.get(name) != other.get(name) for other in held)}
            print(f"broken: one state, but these journals differ: {sorted(names)}")
            return 1
        told, stored = bucket.ask("counts"), bucket.stored()
        print(f"3 x {count:,} datagrams written in {wrote:.1f} s; {same:.1f} s later one state ({nodes[0].digest()[:16]}…)"
              f" and the same {sum(map(len, held[0].values())):,} bytes in {len(held[0])} journals on all three;"
              f" {told['total']} requests, {stored:,} bytes in the bucket. Interval {INTERVAL} s; at {TRUE_INTERVAL} s"
              f" it would be at most {same * TRUE_INTERVAL / INTERVAL / 60:.0f} min, most of it until what a wrote is"
              f" carried by b")
    return 0


if __name__ == "__main__":
    with scratch() as folder:
        sys.exit(main(os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5000, folder))
