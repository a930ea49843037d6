#!/usr/bin/env python3
"""What is asked of a bucket while there is nothing new: 3 and 5 nodes, with gossip and without, counted at the
server. The interval is 2 s where it is 120 s in truth; each span is as many intervals as it says.

usage: tests/bucket/steady.py BINARY [INTERVALS]

Fails when anything is listed or uploaded, or more is read than docs/bucket.md says: each other node once an
interval, once in 5 while gossip with it is live and level; in 5 intervals the next name and the own folder; and in 15 three that
tell whether the bucket is what it was.
"""
import os, sys, time

from rig import MONTH, READ_USD, TRUE_INTERVAL, at_rest, cluster, running, scratch, side_by_side

INTERVAL = 2
RARELY = 5
SELDOM, CHECKS = 15, 3


def counted(binary, folder, count, gossip, intervals):
    with running(folder) as (bucket, nodes):
        nodes += cluster(binary, folder, count, bucket.url())
        for node in nodes:
            node.start(INTERVAL, *(other for other in nodes if gossip and other is not node))
        for node in nodes:
            node.batch("x", 20)
        at_rest(nodes, 120)
        # What is said of peers, and what is looked at rarely, comes to rest.
        time.sleep(3 * RARELY * INTERVAL)
        bucket.ask("reset")
        time.sleep(intervals * INTERVAL)
        told = bucket.ask("counts")["deep"]
        if any(node.lacks() for node in nodes):
            raise SystemExit("something is not in the bucket")
    return told


def judge(told, count, gossip, intervals):
    kinds = {kind: sum(n for key, n in told.items() if key.startswith(kind + " ")) for kind in ("GET", "PUT", "LIST", "HEAD")}
    peers = count - 1
    names = sum(n for key, n in told.items() if "/nodes" in key)
    rounds = intervals / RARELY
    looks = peers * (rounds if gossip else intervals)
    checks = intervals / SELDOM * CHECKS
    each = (kinds["GET"] - names) / count - rounds - checks
    month = kinds["GET"] / count / intervals * MONTH / TRUE_INTERVAL
    print(f"{count} nodes, {'gossip' if gossip else 'no gossip'}, {intervals} intervals: LIST {kinds['LIST']},"
          f" PUT {kinds['PUT']}, HEAD {kinds['HEAD']}, GET {kinds['GET']}: a node and interval"
          f" {kinds['GET'] / count / intervals:.2f}, that is {each / peers / intervals:.2f} a peer (expected"
          f" {looks / peers / intervals:.2f}), its own folder {1 / RARELY:.2f}, checks {CHECKS / SELDOM:.2f} and names"
          f" {names / count / intervals:.2f}; at {TRUE_INTERVAL} s {month:,.0f} reads a node and month:"
          f" {month * READ_USD:.4f} USD", flush=True)
    wrong = [key for key in told if not key.startswith("GET ")]
    # One more of each for where the span begins and ends.
    most = count * (looks + peers + 2 * (rounds + 1) + checks + CHECKS)
    if kinds["GET"] > most:
        wrong.append(f"{kinds['GET']} reads where {most:.0f} are the most")
    if kinds["GET"] < 0.6 * count * (looks + 2 * rounds):
        wrong.append(f"{kinds['GET']} reads: hardly anybody asks")
    return [f"{count} nodes, gossip {gossip}: {what}" for what in wrong]


def main(binary, intervals, folder):
    told = {}

    def one(count, gossip):
        told[count, gossip] = counted(binary, os.path.join(folder, f"{count}{gossip}"), count, gossip, intervals)

    runs = [(3, True), (3, False), (5, True), (5, False)]
    side_by_side(*(lambda run=run: one(*run) for run in runs))
    wrong = [what for run in runs for what in judge(told[run], *run, intervals)]
    for what in wrong:
        print(f"broken: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    with scratch() as folder:
        sys.exit(main(os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 30, folder))
