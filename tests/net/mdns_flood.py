#!/usr/bin/env python3
"""Somebody on the local network tells of 100,000 nodes that are not there: memory grows little, it is noticed when
the flood ends at the latest, and two nodes that know each other by configuration notice nothing of it.

usage: tests/net/mdns_flood.py BINARY [NAMES]    (as root: it makes network namespaces, and takes them away again)

It fails when one of the two grows, takes more addresses from the liar than it should, or does not notice the flood.

Three hosts on one switch: two nodes and the liar, who knows the cluster's id, since mDNS tells it. Where
namespaces are not to be had, it says so and ends well.
"""
import json, os, socket, struct, subprocess, sys, tempfile, time

from hosts import NET, Node, inside, network, possible, until_level

LIAR = 3
NAMES = int(sys.argv[2]) if sys.argv[2:] and sys.argv[1] != "--lie" else 100_000
GROUP, PORT = "224.0.0.251", 5353
SERVICE = "_cocli-gossip._udp.local"
GROWTH_MAX_KIB = 24 * 1024
LEVEL_MAX_S = 3
NOTICED_MAX_S = 20
# What is told on at once, and then each second.
TOLD, TOLD_A_SECOND = 256, 16


def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def record(owner, kind, data, ttl=4500, flush=0x8000):
    return name(owner) + struct.pack("!HHIH", kind, 1 | flush, ttl, len(data)) + data


def service(number, cluster):
    """What mDNS says of one node: PTR, SRV, TXT and A."""
    node, host = f"liar{number:06}.{SERVICE}", f"liar{number:06}.local"
    text = b"".join(bytes([len(pair)]) + pair for pair in
                    (f"node_id=liar{number:06}".encode(), b"v=1", f"cluster={cluster}".encode()))
    at = struct.pack("!I", 0x0A640000 + number)
    return [record(SERVICE, 12, name(node), flush=0), record(node, 33, struct.pack("!HHH", 0, 0, 9999) + name(host)),
            record(node, 16, text), record(host, 1, at)]


def lie(cluster, names):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", PORT))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(f"{NET}.{LIAR}"))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    for first in range(0, names, 5):
        records = [one for number in range(first, first + 5) for one in service(number, cluster)]
        sock.sendto(struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records), (GROUP, PORT))
        if first % 500 == 0:
            time.sleep(0.05)


def resident(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def told(node):
    """Addresses that mDNS gave to a node."""
    net = json.loads(subprocess.run(node.words("--json", "doctor", "net"), env=node.environment(),
                                    capture_output=True, text=True).stdout)
    return sum(any(source["layer"] == "mdns" for source in entry["from"]) for entry in net["daemon"]["addresses"])


def main(folder):
    one = Node(BINARY, folder, 1)
    other = Node(BINARY, folder, 2, one.run("ticket"))
    nodes = [one, other]
    try:
        one.start(2), other.start(1)
        one.batch("first", 50)
        until_level(nodes, 30)
        with open(os.path.join(one.home, ".cocli", "id")) as text:
            cluster = json.load(text)["cluster"]
        before, began = resident(one.daemon), time.monotonic()
        liar = subprocess.Popen(inside(LIAR, sys.executable, __file__, "--lie", cluster, str(NAMES)))
        slowest, most, rounds = 0, before, 0
        while liar.poll() is None:
            other.batch(f"round{rounds}_", 50)
            slowest = max(slowest, until_level(nodes, 60))
            most, rounds = max(most, resident(one.daemon)), rounds + 1
        count, came = told(one), TOLD + TOLD_A_SECOND * (time.monotonic() - began + 1)
        print(f"{NAMES} names that are not there: {before} KiB before, {most} KiB at most (at most {GROWTH_MAX_KIB} more), "
              f"{rounds} rounds of 50 writes, the slowest level after {slowest:.2f} s (goal {LEVEL_MAX_S} s), "
              f"{count} told on (at most {came:.0f})")
        if most - before > GROWTH_MAX_KIB or count > came or liar.returncode:
            raise SystemExit("beyond what it may cost")
        # While packets come without a pause the responder does nothing but read them.
        end = time.monotonic() + NOTICED_MAX_S
        while not one.says("the local network tells of more names than are kept"):
            if time.monotonic() > end:
                raise SystemExit("it was not noticed that this is a flood")
            time.sleep(0.1)
        print(f"forgotten {time.monotonic() - end + NOTICED_MAX_S:.1f} s after its end: {resident(one.daemon)} KiB")
    finally:
        for node in nodes:
            node.stop()


if sys.argv[1] == "--lie":
    lie(sys.argv[2], int(sys.argv[3]))
    sys.exit(0)
if not possible():
    sys.exit(0)
BINARY = os.path.abspath(sys.argv[1])
with tempfile.TemporaryDirectory() as home, network(3):
    main(home)
