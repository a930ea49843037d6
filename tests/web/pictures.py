#!/usr/bin/env python3
"""Pictures of every page of `cocli web`, of three nodes at work: docs/web/.

usage: tests/web/pictures.py COCLI FOLDER
"""
import os, sys, time

sys.path.insert(0, os.path.dirname(__file__))
from chrome import Chrome
from rig import Pair

PAGES = {"cluster": "/", "live": "/live", "companies": "/companies", "search": "/companies?q=micro", "people": "/people",
         "company": "/companies/apple-inc", "person": "/people/jane-doe", "conflicts": "/conflicts", "node": "/node/laptop",
         "missing": "/companies/aple-inc"}
LOOKS = {"": (1100, 800, False, False), "-dark": (1100, 800, True, False), "-phone": (360, 740, False, True)}
# Of all pages one picture; of these in each look.
IN_EACH_LOOK = ("cluster", "company", "live")


def story(pair):
    call = pair.here.call
    call("import", "csv", os.path.join(os.path.dirname(__file__), "../../examples/listed-companies.csv"))
    call("add", "person", "Jane Doe", "--company", "apple-inc", "--set", "role=CTO", "--set", "email=jane@apple.example", "--set", "phone=+1 214 555 0134")
    call("add", "person", "Juan Pérez", "--company", "apple-inc", "--set", "role=Buyer")
    call("set", "companies/apple-inc", "next_step=send the offer", "next_at=next tue", "tags+=lead", "phone_1=+1 408 996 1010", "description=They ask for samples first.")
    call("note", "apple-inc", "they ring back on Monday")
    call("meeting", "add", "apple-inc", "tomorrow 14:30", "Kick off")


def collide(pair):
    pair.here.call("set", "companies/apple-inc", "city=Cupertino")
    pair.there.call("set", "companies/apple-inc", "city=Austin")
    pair.there.call("set", "companies/microsoft", "phone_1=+1 425 882 8080", codes=(0, 1, 2, 3))


def main():
    cocli, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    pair, chrome = Pair(os.path.abspath(cocli), ("laptop", "pi1", "cloud1")), None
    try:
        story(pair)
        pair.daemons()
        pair.level()
        pair.apart(collide)
        pair.level()
        _, base = pair.here.web()
        chrome = Chrome()
        chrome.open(base + "/live")
        chrome.until(lambda: chrome.text("#link") == "live", "that it is live")
        for n in range(12):
            for home in pair.others:
                home.call("set", "companies/apple-inc", f"visits_per_day={n}")
        pair.others[1].call("set", "companies/apple-inc", "next_step=ask for the invoice")
        pair.others[0].call("add", "company", "Northwind")
        pair.level()
        for name, page in PAGES.items():
            for look, size in LOOKS.items():
                if look and name not in IN_EACH_LOOK:
                    continue
                chrome.look(*size)
                chrome.open(base + page)
                if name == "company" and not look:
                    chrome.run("for (const id of ['edit-f-city', 'past-city']) document.getElementById(id).open = true")
                time.sleep(0.4)
                chrome.picture(os.path.join(folder, f"{name}{look}.png"))
    finally:
        if chrome:
            chrome.close()
        pair.end()


main()
