#!/usr/bin/env python3
"""What five nodes at one bucket cost, each writing 100 datagrams a minute, by the meters that `status` shows.

usage: tests/bucket/cost.py BINARY [MINUTES]           an hour by default, at sixty times the speed
       tests/bucket/cost.py BINARY --true MINUTES      at true speed

Sped up, the interval is 2 s for 120 s and a node writes 100 datagrams a second; the 30 s after which what no other
node holds is uploaded are then the interval itself, which only --true tells. Fails at 0.15 USD a node and month, for
requests and what is stored at the end of the month: the meter counts what goes out as S3's list does, free below 100 GB.
"""
import json, os, sys, time

from rig import MONTH, OUT_GB_USD, READ_USD, STORED_GB_USD, WRITE_USD, at_rest, cluster, running, scratch, side_by_side

NODES, BATCH, MOST_USD = 5, 100, 0.15
INTERVAL, SPEED = 2, 60


def meters(nodes):
    return [node.status()["bucket"] for node in nodes]


def write(node, minutes, speed):
    """A hundred a minute; at true speed one by one, else a batch a minute."""
    batch = 1 if speed == 1 else BATCH
    began = time.monotonic()
    for n in range(minutes * BATCH // batch):
        time.sleep(max(0, began + n * batch * 60 / BATCH / speed - time.monotonic()))
        lines = [{"target": f"companies/{node.name}-{k % 50}", "field": "note", "value": f"call {n} {k}: they ring back on Monday"}
                 for k in range(batch)]
        node.run("set", "--from", "-", stdin="\n".join(map(json.dumps, lines)))


def main(binary, minutes, speed, folder):
    with running(folder) as (bucket, nodes):
        nodes += cluster(binary, folder, NODES, bucket.url())
        for node in nodes:
            node.start(INTERVAL if speed > 1 else None, *(other for other in nodes if other is not node))
        # Of others' logs a node knows that they are there once it has looked, which it does every 10 minutes.
        at_rest(nodes, 200 if speed > 1 else 1500)
        bucket.ask("reset")
        before, stored = meters(nodes), bucket.stored()
        began, held = time.monotonic(), sum(len(text) for text in nodes[0].journals().values())
        side_by_side(*(lambda node=node: write(node, minutes, speed) for node in nodes))
        # Until the last minute is over, and not longer: what is asked afterwards is of another hour.
        time.sleep(max(0, began + minutes * 60 / speed - time.monotonic()))
        span = (time.monotonic() - began) * speed
        after, told = meters(nodes), bucket.ask("counts")
        stored = bucket.stored() - stored
        held = sum(len(text) for text in nodes[0].journals().values()) - held
        at_rest(nodes, 400 if speed > 1 else 1500)
    months = MONTH / span
    print(f"{NODES} nodes, {minutes} min{'' if speed == 1 else f' at {speed} times the speed'}, {held:,} bytes of"
          f" datagrams, {stored:,} bytes in the bucket ({stored / held:.2f}); at the server: {dict(told['deep'])}")
    dear = 0
    for node, was, now in zip(nodes, before, after):
        asked = {kind: now["requests"][kind] - was["requests"][kind] for kind in was["requests"]}
        up, down = (now[way] - was[way] for way in ("up_bytes", "down_bytes"))
        requests = ((asked["put"] + asked["list"]) * WRITE_USD + asked["get"] * READ_USD) * months
        traffic = down * months / 1e9 * OUT_GB_USD
        room = stored * months / NODES / 1e9 * STORED_GB_USD
        dear = max(dear, requests + room)
        print(f"{node.name}: {asked}, {up:,} bytes up, {down:,} down; a month: requests {requests:.4f} + stored"
              f" {room:.4f} = {requests + room:.4f} USD; with every byte out paid {requests + traffic + room:.4f}", flush=True)
    counted = sum(sum(m["requests"].values()) for m in after) - sum(sum(m["requests"].values()) for m in before)
    print(f"the meters say {counted} requests, the server {told['total']}; the dearest node {dear:.4f} USD (goal {MOST_USD})")
    if dear >= MOST_USD:
        print("broken: too dear")
    # A request may be on its way while the meters are read one after another.
    if abs(counted - told["total"]) > 0.1 * told["total"] + 5 * NODES:
        print("broken: the meters are wrong")
        return 1
    return 1 if dear >= MOST_USD else 0


if __name__ == "__main__":
    words = sys.argv[2:]
    true = words[:1] == ["--true"]
    minutes = int(words[-1]) if words else 60
    with scratch() as folder:
        sys.exit(main(os.path.abspath(sys.argv[1]), minutes, 1 if true else SPEED, folder))
