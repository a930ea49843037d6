#!/usr/bin/env python3
"""Another implementation of mDNS and ours hear each other, in two hosts on one switch.

usage: tests/net/other_mdns.py BINARY zeroconf|avahi   (as root: it makes network namespaces, and takes them away)

Python's `zeroconf` is installed into a temporary folder; Avahi has to be there (`apt-get install avahi-daemon
avahi-utils`). Where the other one or namespaces are not to be had, it says so and ends well.
"""
import contextlib, json, os, shutil, subprocess, sys, tempfile, time, venv

BINARY, OTHER_IS = os.path.abspath(sys.argv[1]), sys.argv[2]
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{OTHER_IS}_peer.py")
WANTED = {"avahi": ("avahi-daemon", "avahi-browse", "avahi-publish-service", "dbus-daemon")}
OURS, OTHER = "10.77.32.1", "10.77.32.2"
NAMES = [f"cocli-{os.getpid()}-{name}" for name in ("lan", "ours", "other")]
PATIENCE_S = 20


def sh(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


@contextlib.contextmanager
def network():
    """A switch and two hosts on it. All of it goes, whatever happens."""
    lan = NAMES[0]
    try:
        for name in NAMES:
            sh("ip", "netns", "add", name)
        sh("ip", "-n", lan, "link", "add", "switch", "type", "bridge")
        sh("ip", "-n", lan, "link", "set", "switch", "up")
        for name, address in zip(NAMES[1:], (OURS, OTHER)):
            port = f"port{NAMES.index(name)}"
            sh("ip", "-n", lan, "link", "add", port, "type", "veth", "peer", "name", "lan0", "netns", name)
            sh("ip", "-n", lan, "link", "set", port, "master", "switch", "up")
            sh("ip", "-n", name, "link", "set", "lo", "up")
            sh("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "lan0")
            sh("ip", "-n", name, "link", "set", "lan0", "up")
        yield
    finally:
        for name in NAMES:
            with contextlib.suppress(OSError):
                sh("ip", "netns", "del", name, check=False)


def python(folder):
    """A Python that has what the other implementation wants."""
    for program in WANTED.get(OTHER_IS, ()):
        if not shutil.which(program):
            raise OSError(f"no {program} here")
    if OTHER_IS != "zeroconf":
        return sys.executable
    where = os.path.join(folder, "venv")
    venv.create(where, with_pip=True)
    own = os.path.join(where, "bin", "python")
    sh(own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "zeroconf")
    return own


def run(home, *words):
    env = dict(os.environ, HOME=os.path.dirname(home), XDG_CONFIG_HOME=os.path.join(home, "..", "config"))
    return subprocess.run([BINARY, "--data", home, *words], env=env, capture_output=True, text=True).stdout


def told(home):
    """What mDNS gave to our node: address by name of the service."""
    daemon = json.loads(run(home, "--json", "doctor", "net"))["daemon"] or {"addresses": []}
    return {source["name"]: entry["address"] for entry in daemon["addresses"] for source in entry["from"]
            if source["layer"] == "mdns"}


def within(what, ask):
    end = time.monotonic() + PATIENCE_S
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise SystemExit(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.2)


def heard(log, name):
    with open(log) as lines:
        return [line for line in map(json.loads, lines) if name in line.get("heard", line.get("gone", ""))]


def main(folder, runs):
    home, log = os.path.join(folder, "pi1"), os.path.join(folder, "heard")
    run(home, "init", "--node", "pi1")
    with open(os.path.join(home, ".cocli", "id")) as text:
        cluster = json.load(text)["cluster"]
    inside = lambda name: ["ip", "netns", "exec", name]
    env = dict(os.environ, HOME=folder)
    ours = subprocess.Popen([*inside(NAMES[1]), BINARY, "--data", home, "daemon", "--port", "9977"], env=env,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(log, "w") as lines:
        other = subprocess.Popen([*inside(NAMES[2]), runs, PEER, OTHER, cluster], stdin=subprocess.PIPE, stdout=lines)
    try:
        service = within("it hears of our service", lambda: heard(log, "pi1-"))[-1]
        expected = {"node_id": "pi1", "v": "1", "cluster": cluster}
        if (service["text"], service["port"], service["addresses"]) != (expected, 9977, [OURS]):
            raise SystemExit(f"our service as it was heard: {service}")
        print(f"{OTHER_IS} hears node, version, cluster, address and port of our service")
        names = within("we hear of its service", lambda: told(home))
        time.sleep(2)
        if list(told(home).values()) != [f"{OTHER}:4321"]:
            raise SystemExit(f"as we heard its services: {told(home)}")
        print(f"we hear of its service {', '.join(names)}, and pass over that of another cluster")
        ours.terminate()
        ours.wait()
        within("it hears our goodbye", lambda: any("gone" in line for line in heard(log, "pi1-")))
        print("it hears our goodbye")
        ours = subprocess.Popen(ours.args, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        within("we hear of it again", lambda: told(home))
        other.stdin.close()
        other.wait()
        within("we hear its goodbye", lambda: not told(home))
        print("we hear its goodbye")
    finally:
        # The end of its input is its end: it has processes of its own.
        other.stdin.close()
        ours.kill()
        for process in (ours, other):
            process.wait()


with tempfile.TemporaryDirectory() as place:
    try:
        has = python(place)
        with network():
            pass
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"skipped: it wants root, `ip`, and {OTHER_IS}: {error}")
        sys.exit(0)
    with network():
        main(place, has)
