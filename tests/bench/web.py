#!/usr/bin/env python3
"""What `cocli web` costs: first page, lists and search among many companies, a change of another node on its stream, bytes of pages,
memory of open streams, and how long it takes to end.

usage: tests/bench/web.py COCLI GENERATE [COMPANIES [STREAMS]]        (.ci/long web builds both)

Times are those of whole requests, each on a connection of its own; median and least of ten, the first apart. Beside them a
page that reads nothing, and `cocli find` and `cocli list` as processes.
"""
import os, signal, socket, statistics, subprocess, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../web"))
from rig import Home, Pair, get

COCLI, GENERATE = map(os.path.abspath, sys.argv[1:3])
COMPANIES = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
STREAMS = int(sys.argv[4]) if len(sys.argv) > 4 else 100
ROUNDS = 10
PAGES = {"a page that reads nothing": "/live", "first page": "/", "companies": "/companies", "companies, a page in the middle": "/companies?after=m",
         "search, a part": "/companies?q=acme", "search, mistyped": "/companies?q=acmee", "where": "/companies?where=city%3DDallas",
         "where, none has it": "/companies?where=zip_code%3D", "people": "/people"}


def told(all):
    return f"median {statistics.median(all) * 1000:.1f} ms, least {min(all) * 1000:.1f} ms"


def pages(base):
    for name, page in PAGES.items():
        status, _, body, first = get(base + page)
        assert status == 200, (page, status)
        took = [get(base + page)[3] for _ in range(ROUNDS)]
        print(f"{name}: {told(took)}, the first {first * 1000:.1f} ms, {len(body) / 1000:.1f} kB", flush=True)
    assets = sum(len(get(base + "/assets/" + name)[2]) for name in ("style.css", "script.js", "icon.svg"))
    print(f"assets of all pages: {assets / 1000:.1f} kB")


def commands(home):
    for words in (["find", "acme"], ["list", "companies", "--where", "city=Dallas"]):
        took = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            home.call("--json", *words)
            took.append(time.perf_counter() - began)
        print(f"beside them `cocli {' '.join(words)}`: {told(took)}")


def resident(child):
    with open(f"/proc/{child.pid}/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    # What the kernel holds for sockets is not of the process.
    return int(lines["VmRSS"].split()[0]) / 1024


def stream(base, topic):
    host, port = base.removeprefix("http://").split(":")
    open_ = socket.create_connection((host, int(port)), timeout=30)
    open_.sendall(f"GET /events?of={topic} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    heard = b""
    while b"event: link" not in heard:
        heard += open_.recv(4096)
    return open_


def streams(child, base):
    before = resident(child)
    every = ["live", "cluster", "companies", "companies/acme"]
    all_ = [stream(base, every[n % len(every)]) for n in range(STREAMS)]
    time.sleep(3)
    after = resident(child)
    print(f"{STREAMS} open streams: {after - before:.1f} MiB (resident {before:.1f}, then {after:.1f})")
    began = time.perf_counter()
    child.send_signal(signal.SIGTERM)
    child.wait(20)
    print(f"ends with them open in {(time.perf_counter() - began) * 1000:.0f} ms")
    return all_


def latency():
    pair = Pair(COCLI)
    try:
        pair.here.call("add", "company", "Acme")
        pair.daemons()
        pair.level()
        _, base = pair.here.web()
        watching, took = stream(base, "companies/acme"), []
        time.sleep(1)
        for n in range(30):
            began = time.perf_counter()
            pair.there.call("set", "companies/acme", f"city=n{n}")
            heard = b""
            while b"event: changed" not in heard:
                heard += watching.recv(4096)
            assert f"n{n}".encode() in get(base + "/companies/acme")[2]
            took.append(time.perf_counter() - began)
            time.sleep(0.1)
        print(f"from the start of `cocli set` on another node to the page with its value: {told(took)}, most {max(took) * 1000:.0f} ms")
    finally:
        pair.end()


class Filled(Home):
    """A home of many companies."""

    def __init__(self, folder):
        super().__init__(COCLI, folder, "n0")
        subprocess.run([GENERATE, self.path, str(10 * COMPANIES), str(COMPANIES), "10", "0", "crm"], check=True, stdout=subprocess.DEVNULL)
        self.call("compact", "--no-cards")


def main():
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        home = Filled(folder)
        child, base = home.web()
        print(f"{COMPANIES} targets:")
        pages(base)
        commands(home)
        held = streams(child, base)
        home.end()
        del held
    latency()


main()
