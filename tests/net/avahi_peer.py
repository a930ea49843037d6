"""Avahi as the other implementation of mDNS, run by other_mdns.py in a host of its own.

usage: avahi_peer.py ADDRESS CLUSTER

Its daemon gets a message bus and a /run of its own, so that it meets no Avahi of this machine. It tells of two
services at ADDRESS: one of the cluster at port 4321, one of another cluster at port 4322. Each service that
it hears of is a line on standard output. The end of standard input is the end, with a goodbye.
"""
import json, os, shlex, subprocess, sys, tempfile, threading, time

TYPE = "_cocli-gossip._udp"
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={0}/bus</listen><auth>EXTERNAL</auth><policy context="default"><allow user="*"/>
<allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
"""
AVAHI = """[server]
host-name=other
allow-interfaces=lan0
use-ipv4=yes
use-ipv6=no
[wide-area]
enable-wide-area=no
"""


def tell(**what):
    print(json.dumps(what), flush=True)


def listen(browser):
    """Each line of `avahi-browse`: what happened, where, and of which service."""
    for line in browser.stdout:
        happened, _, _, name, *more = line.rstrip("\n").split(";")
        if happened == "=":
            _, _, _, at, port, text = (*more[:5], ";".join(more[5:]))
            pairs = (pair.partition("=") for pair in shlex.split(text))
            tell(heard=name, port=int(port), addresses=[at], text={key: value for key, _, value in pairs})
        elif happened == "-":
            tell(gone=name)


def until(what, holds):
    end = time.monotonic() + 10
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"not within 10 s: {what}")
        time.sleep(0.05)


def main(folder, address, cluster):
    # The mounts of this process are its own: `ip netns exec` sees to it.
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    os.makedirs("/run/avahi-daemon")
    for name, text in (("bus.conf", BUS.format(folder)), ("avahi.conf", AVAHI)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={folder}/bus"
    running = []

    def run(*words, **options):
        running.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options))
        return running[-1]

    try:
        run("dbus-daemon", "--nofork", f"--config-file={folder}/bus.conf")
        until("the bus", lambda: os.path.exists(f"{folder}/bus"))
        run("avahi-daemon", "--no-drop-root", "--no-chroot", "--no-rlimits", f"--file={folder}/avahi.conf")
        until("avahi", lambda: os.path.exists("/run/avahi-daemon/socket"))
        for name, port, whose in (("other", "4321", cluster), ("stranger", "4322", "0" * 32)):
            run("avahi-publish-service", name, TYPE, port, f"node_id={name}", "v=1", f"cluster={whose}",
                stdout=subprocess.DEVNULL)
        browser = run("avahi-browse", "--resolve", "--parsable", "--no-db-lookup", TYPE,
                      stdout=subprocess.PIPE, text=True)
        threading.Thread(target=listen, args=(browser,), daemon=True).start()
        sys.stdin.read()
    finally:
        # The services first, so that they say goodbye; then Avahi, then the bus.
        for process in reversed(running):
            process.terminate()
            process.wait()


with tempfile.TemporaryDirectory() as place:
    main(place, *sys.argv[1:])
