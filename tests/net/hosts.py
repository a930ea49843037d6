"""Hosts on one switch, by network namespaces, and nodes on them. All of it goes at the end."""
import contextlib, json, os, subprocess, time

NET = "10.77.31"
SWITCH = f"cocli-{os.getpid()}-switch"


def sh(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


def namespace(host):
    return f"cocli-{os.getpid()}-{host}"


def inside(host, *words):
    return ("ip", "netns", "exec", namespace(host), *words)


@contextlib.contextmanager
def network(hosts):
    """A switch and hosts 1 to `hosts` on it. All of it goes, whatever happens."""
    names = [SWITCH, *(namespace(host) for host in range(1, hosts + 1))]
    try:
        for name in names:
            sh("ip", "netns", "add", name)
        switch = ("ip", "-n", SWITCH, "link")
        sh(*switch, "add", "switch", "type", "bridge")
        sh(*switch, "set", "switch", "up")
        for host in range(1, hosts + 1):
            plug(host)
        yield
    finally:
        for name in names:
            with contextlib.suppress(OSError):
                sh("ip", "netns", "del", name, check=False)


def plug(host):
    name, port = namespace(host), f"port{host}"
    sh("ip", "-n", SWITCH, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
    sh("ip", "-n", SWITCH, "link", "set", port, "master", "switch", "up")
    sh("ip", "-n", name, "link", "set", "lo", "up")
    sh("ip", "-n", name, "link", "set", "eth0", "up")
    address(host, f"{NET}.{host}")


def address(host, ip):
    """The one address of a host from now on."""
    sh("ip", "-n", namespace(host), "addr", "flush", "dev", "eth0")
    sh("ip", "-n", namespace(host), "addr", "add", f"{ip}/24", "dev", "eth0")


def roam(host, ip, hosts):
    """The host is on another network from now on, behind a router that all others know."""
    address(host, ip)
    for other in range(1, hosts + 1):
        there = f"{NET}.0/24" if other == host else f"{ip}/32"
        sh("ip", "-n", namespace(other), "route", "replace", there, "dev", "eth0")


def filtered(host, *rule):
    sh(*inside(host, "iptables", "-A", "INPUT", *rule, "-j", "DROP"))


def clear(hosts):
    for host in range(1, hosts + 1):
        sh(*inside(host, "iptables", "-F", "INPUT"))


def lossy(hosts, percent):
    """Every host loses so much of what comes to it."""
    for host in range(1, hosts + 1):
        filtered(host, "-m", "statistic", "--mode", "random", "--probability", str(percent / 100))


@contextlib.contextmanager
def slow(host, rate):
    """What leaves the host waits before a slow link for so long as it takes: nothing of it is dropped."""
    device = ("dev", "eth0", "root")
    sh("tc", "-n", namespace(host), "qdisc", "add", *device, "tbf", "rate", rate, "burst", "4kb", "limit", "10mb")
    try:
        yield
    finally:
        sh("tc", "-n", namespace(host), "qdisc", "del", *device)


def possible():
    """Whether this machine lets us make hosts and lose their packets."""
    try:
        with network(1):
            filtered(1, "-m", "statistic", "--mode", "random", "--probability", "0.5")
        return True
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"skipped: network namespaces and packet filters need root, `ip` and `iptables`: {error}")
        return False


class Node:
    def __init__(self, binary, folder, host, ticket=None, options=()):
        self.binary, self.host, self.home, self.daemon = binary, host, os.path.join(folder, f"n{host}"), None
        words = ["init", "--node", f"n{host}", *options, *(["--join", "-"] if ticket else [])]
        self.run(*words, stdin=ticket)

    def environment(self):
        return dict(os.environ, XDG_CONFIG_HOME=os.path.join(self.home, "..", "config"))

    def words(self, *words):
        return [self.binary, "--data", self.home, *words]

    def run(self, *words, stdin=None):
        done = subprocess.run(self.words(*words), input=stdin, env=self.environment(),
                              capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"n{self.host}: {' '.join(words)}: {done.stderr}")
        return done.stdout

    def start(self, *peers, preload=None):
        """Whether it came so far as to listen."""
        words = inside(self.host, *self.words("--json", "daemon"))
        for peer in peers:
            words += ("--peer", f"{NET}.{peer}")
        env = dict(self.environment(), **({"LD_PRELOAD": preload} if preload else {}))
        with open(self.home + ".notes", "a") as notes:
            self.daemon = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=notes, env=env)
        return self.daemon.stdout.readline() != b""

    def stop(self):
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()
            self.daemon = None

    def says(self, words):
        """Whether its daemon said so."""
        with open(self.home + ".notes") as notes:
            return words in notes.read()

    def status(self):
        return json.loads(self.run("--json", "status"))["daemon"]

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
