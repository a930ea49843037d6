"""Nodes on loopback, and one S3 server behind a proxy that counts, for the figures of the bucket."""
import contextlib, json, os, subprocess, sys, tempfile, threading, time, urllib.request

import servers

PROXY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "proxy.py")
TRUE_INTERVAL = 120
MONTH = 720 * 3600
READ_USD, WRITE_USD, OUT_GB_USD, STORED_GB_USD = 0.4e-6, 5e-6, 0.09, 0.023


class Bucket:
    """A server with one empty bucket, and the proxy before it."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.port = folder, 0
        self.server, self.upstream = servers.start_s3s(folder)
        if not servers.answers(self.upstream):
            raise SystemExit("s3s-fs does not answer")
        self.open()

    def open(self):
        words = [sys.executable, PROXY, str(self.upstream), str(self.port)]
        self.proxy = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.port = int(self.proxy.stdout.readline())

    def close(self):
        """Whoever asks finds nobody there."""
        self.proxy.kill()
        self.proxy.wait()

    def stop(self):
        self.close()
        servers.stop([self.server])

    def url(self):
        return f"s3://{servers.BUCKET}?endpoint=http://127.0.0.1:{self.port}&region=us-east-1"

    def ask(self, verb, body=None):
        data = None if verb == "counts" else json.dumps(body or []).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/__{verb}", data, timeout=10) as answer:
            return json.load(answer)

    def stored(self):
        """Bytes of all objects there, as they stand on the server's disk."""
        top = os.path.join(self.folder, "s3s", servers.BUCKET)
        files = (os.path.join(at, name) for at, _, names in os.walk(top) for name in names)
        return sum(os.path.getsize(path) for path in files)


class Node:
    def __init__(self, binary, folder, name, url=None, ticket=None):
        self.binary, self.name, self.home, self.daemon = binary, name, os.path.join(folder, name), None
        self.bucket, self.port = bool(url), servers.free_port()
        self.environment = dict(os.environ, XDG_CONFIG_HOME=os.path.join(folder, "config"),
                                AWS_ACCESS_KEY_ID=servers.ACCESS, AWS_SECRET_ACCESS_KEY=servers.SECRET)
        words = ["init", "--node", name, "--no-cards", *(["--bucket", url] if url else [])]
        self.run(*words, *(["--join", "-"] if ticket else []), stdin=ticket)

    def words(self, *words):
        return [self.binary, "--data", self.home, *words]

    def run(self, *words, stdin=None):
        done = subprocess.run(self.words(*words), input=stdin, env=self.environment, capture_output=True, text=True)
        if done.returncode not in (0, 5):
            raise SystemExit(f"{self.name}: {' '.join(words)}: {done.stderr}")
        return done.stdout

    def start(self, interval, *peers):
        """On loopback, where there is no mDNS; without peers it is alone."""
        words = self.words("--json", "daemon", "--bind", "127.0.0.1", "--port", str(self.port))
        words += ["--bucket-interval", str(interval)] if interval else []
        for peer in peers:
            words += ["--peer", f"127.0.0.1:{peer.port}"]
        with open(self.home + ".notes", "a") as notes:
            self.daemon = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=notes, env=self.environment)
        self.daemon.stdout.readline()

    def stop(self):
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()
            self.daemon = None

    def status(self):
        return json.loads(self.run("--json", "status"))

    def digest(self):
        return json.loads(self.run("--json", "state", "--digest"))["digest"]

    def batch(self, prefix, count):
        lines = (json.dumps({"target": f"companies/c{n % 50}", "field": f"{self.name}{prefix}{n}", "value": f"value {n}"})
                 for n in range(count))
        self.run("set", "--from", "-", stdin="\n".join(lines))

    def lacks(self):
        """Whether the bucket lacks anything of what it holds, by what it knows."""
        said = self.status()["bucket"]
        return said["own_bytes_not_there"] != 0 or said["logs_of_others_not_there"] != 0

    def journals(self):
        """Name to bytes of all in wal/."""
        folder = os.path.join(self.home, "wal")
        return {name: open(os.path.join(folder, name), "rb").read() for name in sorted(os.listdir(folder))}


def cluster(binary, folder, count, url):
    """Nodes n1 to n`count`, each at the bucket."""
    first = Node(binary, folder, "n1", url)
    ticket = first.run("ticket")
    return [first, *(Node(binary, folder, f"n{k}", url, ticket) for k in range(2, count + 1))]


def until(seconds, what, so):
    """Seconds until it is so."""
    began = time.monotonic()
    while not so():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"not so after {seconds} s: {what}")
        time.sleep(0.1)
    return time.monotonic() - began


def level(nodes):
    return len({node.digest() for node in nodes}) == 1


def at_rest(nodes, seconds):
    """All have one state, and the bucket lacks nothing of it."""
    until(seconds, "level", lambda: level(nodes))
    until(seconds, "all of it in the bucket", lambda: not any(node.lacks() for node in nodes if node.bucket))


@contextlib.contextmanager
def running(folder):
    """A bucket; and a list of nodes, which are stopped in the end."""
    bucket, nodes = Bucket(os.path.join(folder, "server")), []
    try:
        yield bucket, nodes
    finally:
        for node in nodes:
            node.stop()
        bucket.stop()


def side_by_side(*acts):
    """Runs them at once; the first that fails fails all."""
    failed = []

    def run(act):
        try:
            act()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if failed:
        raise failed[0]


def scratch():
    return tempfile.TemporaryDirectory(prefix="cocli-bucket-")
