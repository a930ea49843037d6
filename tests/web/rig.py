"""Two homes of one cluster on this machine, their daemons, and `cocli web` of the first."""
import http.client, json, os, signal, subprocess, tempfile, time


class Home:
    def __init__(self, cocli, folder, node, ticket=None):
        self.cocli, self.folder, self.path, self.children = cocli, folder, os.path.join(folder, node), []
        words = ["init", self.path, "--node", node] + (["--join", "-"] if ticket else [])
        self.call(*words, home=False, input=ticket or "")

    def command(self, words, home=True):
        return [self.cocli, *(["--data", self.path] if home else []), *words]

    def env(self):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("COCLI_")}
        return {**clean, "HOME": self.folder, "XDG_CONFIG_HOME": self.folder + "/config", "TZ": "UTC"}

    def call(self, *words, home=True, input="", codes=(0,)):
        ran = subprocess.run(self.command(words, home), input=input, capture_output=True, text=True, env=self.env())
        assert ran.returncode in codes, f"{words}: {ran.returncode}: {ran.stdout}{ran.stderr}"
        return ran.stdout

    def start(self, *words):
        child = subprocess.Popen(self.command(("--json", *words)), stdout=subprocess.PIPE, text=True, env=self.env())
        self.children.append(child)
        return child, json.loads(child.stdout.readline())

    def daemon(self, *peers):
        words = [word for peer in peers for word in ("--peer", peer)]
        child, ready = self.start("daemon", "--bind", "127.0.0.1", "--port", "0", *words)
        return child, ready["listening"]

    def web(self, *words):
        child, ready = self.start("web", "--listen", "127.0.0.1:0", *words)
        return child, ready["url"].rstrip("/")

    def end(self):
        for child in self.children:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in self.children:
            child.wait(20)


class Pair:
    def __init__(self, cocli, nodes=("laptop", "pi1")):
        self.folder = tempfile.TemporaryDirectory()
        self.here = Home(cocli, self.folder.name, nodes[0])
        self.others = []
        for node in nodes[1:]:
            self.others.append(Home(cocli, self.folder.name, node, self.here.call("ticket")))
        self.there = self.others[0]

    def daemons(self):
        _, address = self.here.daemon()
        for other in self.others:
            other.daemon(address)

    def apart(self, what):
        """Does something while no daemon runs."""
        for home in [self.here, *self.others]:
            home.end()
            home.children.clear()
        what(self)
        self.daemons()

    def level(self, within=60):
        began = time.monotonic()
        homes = [self.here, *self.others]
        while len({json.loads(home.call("--json", "state", "--digest"))["digest"] for home in homes}) > 1:
            assert time.monotonic() - began < within, "not level"
            time.sleep(0.1)

    def end(self):
        for home in [self.here, *self.others]:
            home.end()
        self.folder.cleanup()


def get(url, headers={}):
    """Status, headers, body and seconds of one request."""
    host, _, path = url.removeprefix("http://").partition("/")
    began = time.monotonic()
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("GET", "/" + path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body, time.monotonic() - began
