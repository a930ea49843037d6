#!/usr/bin/env python3
"""How much memory a daemon at rest takes that holds many datagrams, with a card for each company and without.

usage: tests/memory.py BINARY [COMPANIES]      (ten fields each; build it first: cargo build --release)
"""
import json, os, subprocess, sys, tempfile, time

REST = 45
FIELDS = 10


def run(home, *words, stdin=None):
    done = subprocess.run([BINARY, "--data", home, *words], input=stdin, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")


def fill(home, companies, options):
    run(home, "init", "--node", "one", *options)
    for first in range(0, companies, 10_000):
        lines = (json.dumps({"target": f"companies/c{company}", "field": f"field_{field}", "value": f"value {company} {field}"})
                 for company in range(first, min(companies, first + 10_000)) for field in range(FIELDS))
        run(home, "set", "--from", "-", stdin="\n".join(lines))
    run(home, "compact")


def memory(home):
    daemon = subprocess.Popen([BINARY, "--data", home, "daemon", "--port", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(REST)
        with open(f"/proc/{daemon.pid}/status") as status:
            sizes = dict(line.split(":", 1) for line in status)
        return [int(sizes[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon", "VmHWM")]
    finally:
        daemon.terminate()
        daemon.wait()


def main(folder, companies):
    for name, options in (("without cards", ["--no-cards"]), ("with a card each", [])):
        home = os.path.join(folder, name.replace(" ", "-"))
        fill(home, companies, options)
        now, own, most = memory(home)
        print(f"{companies} companies, {companies * FIELDS} datagrams, {name}: {now:.1f} MiB at rest ({own:.1f} of its own),"
              f" {most:.1f} at most (goal 15)", flush=True)


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        main(folder, int(sys.argv[2]) if len(sys.argv) > 2 else 100_000)
