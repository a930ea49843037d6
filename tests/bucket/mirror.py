#!/usr/bin/env python3
"""What the mirror of all listed companies costs when each of them changes every day, counted at the server; and the
rest of that round, by the hub's own meter.

usage: tests/bucket/mirror.py BINARY [CSV]

A day passes by what is kept of the last one, in .cocli/bucket.json, being set back. Fails at 0.30 USD for 30 such
mirrors, or when a card is not in the bucket as it is at the hub.
"""
import json, os, sys

import servers
from rig import WRITE_USD, Node, running, scratch

DAYS, MOST_USD = 30, 0.30
LISTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/listed-companies.csv")


def a_day_passes(hub):
    path = os.path.join(hub.home, ".cocli/bucket.json")
    with open(path) as file:
        seen = json.load(file)
    seen.update(looked_after=[0, 0], put_since=[0, 0])
    with open(path, "w") as file:
        json.dump(seen, file)


def spent(hub):
    return hub.status()["bucket"]["usd_so_far"]


def is_mirrors(key):
    """Whether a request that was counted is a write of a card, or a listing: whose that is, is not counted."""
    kind, path = key.split(" ", 1)
    return kind == "LIST" or (kind == "PUT" and ("/companies" in path or "/people" in path))


def change_all(hub, companies, text):
    lines = (json.dumps({"target": f"companies/{slug}", "field": "next_step", "value": text}) for slug in companies)
    hub.run("set", "--from", "-", stdin="\n".join(lines))


def lacking(hub, bucket, companies):
    """Cards that are not in the bucket as they are here."""
    top = os.path.join(bucket.folder, "s3s", servers.BUCKET)
    def read(folder, slug):
        with open(os.path.join(folder, "companies", slug, "_index.md"), "rb") as file:
            return file.read()
    return [slug for slug in companies if read(top, slug) != read(hub.home, slug)]


def main(binary, listed, folder):
    with running(folder) as (bucket, nodes):
        hub = Node(binary, folder, "hub", bucket.url())
        nodes.append(hub)
        with open(os.path.join(hub.home, ".cocli/config.toml")) as file:
            config = file.read()
        with open(os.path.join(hub.home, ".cocli/config.toml"), "w") as file:
            file.write(config.replace('project = "none"', 'project = "all"'))
        hub.run("import", "csv", listed)
        companies = sorted(os.listdir(os.path.join(hub.home, "companies")))
        hub.run("hub", "once")
        wrong = []
        for day in range(2):
            change_all(hub, companies, f"call on day {day}")
            a_day_passes(hub)
            bucket.ask("reset")
            before, told = spent(hub), json.loads(hub.run("--json", "hub", "once"))
            after = spent(hub)
            counted = bucket.ask("counts")["deep"]
            mirror = sum(n for key, n in counted.items() if is_mirrors(key))
            month = DAYS * mirror * WRITE_USD
            print(f"day {day + 1}: {len(companies)} companies changed, {told['mirror']['put']} cards put by {mirror}"
                  f" requests: {month:.3f} USD for {DAYS} such days (goal {MOST_USD}); the whole round"
                  f" {DAYS * (after - before):.3f} USD", flush=True)
            if month >= MOST_USD:
                wrong.append("too dear")
            late = lacking(hub, bucket, companies)
            if late:
                wrong.append(f"{len(late)} cards are not as they are here: {late[:3]}")
    for what in wrong:
        print(f"broken: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    with scratch() as folder:
        sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else LISTED, folder))
