#!/usr/bin/env python3
"""Five nodes, each a host of its own on one switch, watched at the doors of their daemons.

usage: tests/net/watching.py BINARY        (as root: it makes network namespaces, and takes them away again)

A node that is killed is down within 10 s; two sides that cannot reach each other are named, by both; one that only
others hear is unheard; and all are identical again when nothing is between them.
"""
import json, os, socket, sys, tempfile, time

from hosts import NET, Node, clear, filtered, network, possible

HOSTS = 5


def cluster(node):
    with open(os.path.join(node.home, ".cocli/id")) as file:
        known = json.load(file)
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(os.path.join(node.home, ".cocli/sock"))
        request = {"door": 1, "home": f"{known['node']}@{known['cluster']}", "verb": "cluster"}
        door.sendall((json.dumps(request) + "\n").encode())
        return json.loads(door.makefile().readline())


def standing(told, node):
    return next(one["standing"] for one in told["nodes"] if one["node"] == f"n{node.host}")


def until(what, so, seconds):
    """Waits until it is so, and tells how long that took."""
    began = time.monotonic()
    while not so():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"{what}: not so after {seconds} s")
        time.sleep(0.1)
    print(f"{what}: after {time.monotonic() - began:.1f} s", flush=True)


def identical(nodes):
    def whole(told):
        same = told["sameness"]
        return same["state"] == "identical" and same["of"] == len(nodes) and told["parts"] is None
    return all(whole(cluster(node)) for node in nodes)


def apart(one, other):
    for a in one:
        for b in other:
            filtered(a.host, "-s", f"{NET}.{b.host}")
            filtered(b.host, "-s", f"{NET}.{a.host}")


def watch(nodes):
    until("all identical at the start", lambda: identical(nodes), 30)
    left, right = nodes[:2], nodes[2:]
    sides = [["n1", "n2"], ["n3", "n4", "n5"]]
    apart(left, right)
    named = lambda: all(sorted(cluster(node)["parts"] or []) == sides for node in nodes)
    until("2 + 3 apart, and both sides name both", named, 15)
    left[0].batch("left", 50)
    right[0].batch("right", 50)
    clear(HOSTS)
    until("healed, and all identical", lambda: identical(nodes), 75)
    apart(nodes[:1], nodes[4:])
    unheard = lambda: standing(cluster(nodes[0]), nodes[4]) == "unheard" and cluster(nodes[0])["parts"] is None
    until("one that only others hear is unheard", unheard, 40)
    clear(HOSTS)
    until("heard again, and all identical", lambda: identical(nodes), 75)
    nodes[4].daemon.kill()
    down = lambda: all(standing(cluster(node), nodes[4]) == "down" for node in nodes[:4])
    until("one that was killed is down for all", down, 10)


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    if not possible():
        return
    with tempfile.TemporaryDirectory() as folder, network(HOSTS):
        nodes = [Node(os.path.abspath(sys.argv[1]), folder, 1)]
        ticket = nodes[0].run("ticket")
        nodes += [Node(os.path.abspath(sys.argv[1]), folder, host, ticket) for host in range(2, HOSTS + 1)]
        try:
            for node in nodes:
                node.start(*(other.host for other in nodes if other is not node))
            watch(nodes)
        finally:
            for node in nodes:
                node.stop()


if __name__ == "__main__":
    main()
