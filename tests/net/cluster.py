#!/usr/bin/env python3
"""Five nodes, each a host of its own on one switch: loss, partitions, a changed address, a stopped disk.

usage: tests/net/cluster.py BINARY        (as root: it makes network namespaces, and takes them away again)

That all become equal is the claim; how long it took is printed beside the goal. With --partition also two
sides that are apart for longer than a peer may be silent. Where namespaces or packet filters are not to
be had, it says so and ends well.
"""
import contextlib, json, os, subprocess, sys, tempfile, time

HOSTS = 5
NET = "10.77.31"
SWITCH = f"cocli-{os.getpid()}-switch"


def sh(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


def namespaces(host):
    return f"cocli-{os.getpid()}-{host}"


@contextlib.contextmanager
def network():
    """A switch and hosts on it. All of it goes, whatever happens."""
    names = [SWITCH, *(namespaces(host) for host in range(1, HOSTS + 1))]
    try:
        for name in names:
            sh("ip", "netns", "add", name)
        switch = ("ip", "-n", SWITCH, "link")
        sh(*switch, "add", "switch", "type", "bridge")
        sh(*switch, "set", "switch", "up")
        for host in range(1, HOSTS + 1):
            plug(host)
        yield
    finally:
        for name in names:
            with contextlib.suppress(OSError):
                sh("ip", "netns", "del", name, check=False)


def plug(host):
    name, port = namespaces(host), f"port{host}"
    sh("ip", "-n", SWITCH, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
    sh("ip", "-n", SWITCH, "link", "set", port, "master", "switch", "up")
    sh("ip", "-n", name, "link", "set", "lo", "up")
    sh("ip", "-n", name, "link", "set", "eth0", "up")
    address(host, f"{NET}.{host}")


def address(host, ip):
    """The one address of a host from now on."""
    sh("ip", "-n", namespaces(host), "addr", "flush", "dev", "eth0")
    sh("ip", "-n", namespaces(host), "addr", "add", f"{ip}/24", "dev", "eth0")


def filtered(host, *rule):
    sh("ip", "netns", "exec", namespaces(host), "iptables", "-A", "INPUT", *rule, "-j", "DROP")


def clear():
    for host in range(1, HOSTS + 1):
        sh("ip", "netns", "exec", namespaces(host), "iptables", "-F", "INPUT")


class Node:
    def __init__(self, folder, host, ticket=None):
        self.host, self.home, self.daemon = host, os.path.join(folder, f"n{host}"), None
        words = ["init", "--node", f"n{host}", *(["--join", "-"] if ticket else [])]
        self.run(*words, stdin=ticket)

    def run(self, *words, stdin=None):
        env = dict(os.environ, XDG_CONFIG_HOME=os.path.join(self.home, "..", "config"))
        done = subprocess.run([BINARY, "--data", self.home, *words], input=stdin, env=env,
                              capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"n{self.host}: {' '.join(words)}: {done.stderr}")
        return done.stdout

    def start(self, *peers):
        words = ["ip", "netns", "exec", namespaces(self.host), BINARY, "--data", self.home, "--json", "daemon"]
        for peer in peers:
            words += ["--peer", f"{NET}.{peer}"]
        self.daemon = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.daemon.stdout.readline()

    def stop(self):
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()

    def digest(self):
        return json.loads(self.run("--json", "state", "--digest"))["digest"]

    def batch(self, prefix, count):
        lines = (json.dumps({"target": f"companies/c{n % 50}", "field": f"{prefix}{n}", "value": f"v{n}"})
                 for n in range(count))
        self.run("set", "--from", "-", stdin="\n".join(lines))


def until_level(nodes, seconds):
    """Seconds until all nodes have one digest."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if len({node.digest() for node in nodes}) == 1:
            return time.monotonic() - began
        time.sleep(0.05)
    raise SystemExit(f"not level after {seconds} s: {[node.digest() for node in nodes]}")


def tell(what, took, goal):
    print(f"{what}: all equal after {took:.2f} s (goal {goal} s)", flush=True)


def loss(nodes, percent):
    for host in range(1, HOSTS + 1):
        filtered(host, "-m", "statistic", "--mode", "random", "--probability", str(percent / 100))
    for node in nodes:
        node.batch(f"loss{percent}_{node.host}_", 200)
    took = until_level(nodes, 60)
    clear()
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
    clear()
    tell("2 + 3 apart, 10,000 datagrams on each side, healed", until_level(nodes, 90), 3)


def one_way(nodes):
    """The last hears nothing of the first, and heals through the others."""
    filtered(nodes[-1].host, "-s", f"{NET}.{nodes[0].host}")
    nodes[0].batch("oneway", 100)
    took = until_level(nodes, 60)
    clear()
    tell("one that is deaf to the writer, through the others", took, 5)


def moved(nodes):
    """A laptop on another network address: nobody was told."""
    node = nodes[-1]
    address(node.host, f"{NET}.{100 + node.host}")
    node.batch("moved", 50)
    nodes[0].batch("stayed", 50)
    tell("one at another address, whose peers follow", until_level(nodes, 60), 10)


def killed(nodes):
    node = nodes[1]
    node.stop()
    nodes[0].batch("away", 2_000)
    node.start(*(other.host for other in nodes if other is not node))
    tell("one that was killed while 2,000 datagrams came", until_level(nodes, 60), 10)


def main(folder):
    first = Node(folder, 1)
    ticket = first.run("ticket")
    nodes = [first, *(Node(folder, host, ticket) for host in range(2, HOSTS + 1))]
    try:
        for node in nodes:
            node.start(*(other.host for other in nodes if other is not node))
        first.batch("first", 100)
        tell("five nodes", until_level(nodes, 60), 10)
        for percent in (10, 30):
            loss(nodes, percent)
        one_way(nodes)
        killed(nodes)
        moved(nodes)
        if "--partition" in sys.argv:
            address(nodes[-1].host, f"{NET}.{nodes[-1].host}")
            partition(nodes)
    finally:
        for node in nodes:
            node.stop()


def possible():
    """Whether this machine lets us make hosts and lose their packets."""
    try:
        with network():
            filtered(1, "-m", "statistic", "--mode", "random", "--probability", "0.5")
        return True
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"skipped: network namespaces and packet filters need root, `ip` and `iptables`: {error}")
        return False


if not possible():
    sys.exit(0)
BINARY = os.path.abspath(sys.argv[1])
with tempfile.TemporaryDirectory() as home, network():
    main(home)
