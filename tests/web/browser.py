#!/usr/bin/env python3
"""`cocli web` in headless Chromium: every page, search, live updates, editing, conflicts, injection, phone and keyboard.

usage: tests/web/browser.py COCLI
"""
import json, os, sys

sys.path.insert(0, os.path.dirname(__file__))
from chrome import Chrome, there
from rig import Pair, get

EVIL = "<img src=x onerror=document.title='owned'>\"'><script>document.title='owned'</script>&amp;{{7*7}}"
PAGES = ["/", "/live", "/companies", "/people", "/conflicts", "/companies/acme-inc", "/people/jane-doe", "/node/laptop", "/node/pi1",
         "/companies?q=evil", "/companies?where=tags%3Dlead"]


def prepare(pair):
    here, there_ = pair.here, pair.there
    for name, city in [("Acme Inc.", "Dallas"), ("Apple", "Cupertino"), ("Müller & Söhne", "Köln")]:
        here.call("add", "company", name, "--set", f"city={city}", "--set", "domain=" + name.split()[0].lower().replace("ü", "u") + ".example")
    here.call("set", "companies/acme-inc", "tags+=lead", "tags+=north", "next_step=send the offer", "phone_1=+1 214 555 0100", "email=info@acme.example")
    here.call("set", "companies/acme-inc", "description=They make everything.\nSince 1949.")
    here.call("add", "person", "Jane Doe", "--company", "acme-inc", "--set", "role=CTO", "--set", "email=jane@acme.example")
    here.call("note", "acme-inc", "they ring back on Monday")
    here.call("meeting", "add", "acme-inc", "tomorrow 14:30", "Kick off")
    # What an attacker may put into data, in each place where data is shown.
    here.call("add", "company", EVIL, "--slug", "evil", "--set", "city=" + EVIL, "--set", "website_url=javascript:document.title='owned'",
              "--set", "email=" + EVIL, "--set", "phone_1=" + EVIL, "--set", "description=" + EVIL + "\n</textarea>" + EVIL,
              "--set", "domain=" + EVIL)
    here.call("set", "companies/evil", "tags+=" + EVIL, "next_step=" + EVIL, "odd=" + EVIL, "tech_stack=" + json.dumps([EVIL]),
              "email_contexts=" + json.dumps({EVIL: EVIL}))
    here.call("add", "person", EVIL, "--slug", "evil-person", "--company", "evil", "--set", "role=" + EVIL, "--set", "email=" + EVIL)
    here.call("note", "add", "companies/evil", EVIL, "--body", EVIL)
    here.call("meeting", "add", "companies/evil", "tomorrow 9:00", EVIL, "--type", EVIL)
    here.call("campaign", "exclude", "companies/evil", codes=(0, 1, 2, 3, 4))


def collide(pair):
    """Both write a field while neither hears the other."""
    for field in ("city", "state"):
        pair.here.call("set", "companies/acme-inc", f"{field}=Here {EVIL}")
        pair.there.call("set", "companies/acme-inc", f"{field}=There {EVIL}")


def unharmed(chrome, url):
    """Nothing that was data ran, and the console has nothing to say."""
    assert chrome.run("return document.title") != "owned", url
    assert chrome.run("return document.querySelectorAll('main script, img, [onerror], [style]').length") == 0, url
    bad = chrome.run("return [...document.links].filter(a => !/^(https?|mailto|tel):/.test(a.href)).map(a => a.outerHTML)")
    assert not bad, (url, bad)
    assert not (said := chrome.console()), (url, said)


def each_page(chrome, base):
    for page in PAGES + ["/companies/evil", "/people/evil-person"]:
        chrome.open(base + page)
        assert chrome.text("h1"), page
        unharmed(chrome, page)
        # Every field that can be filled in says what it is for.
        nameless = chrome.run("""return [...document.querySelectorAll('input:not([type=hidden]), textarea')]
            .filter(e => !e.labels.length && !e.ariaLabel).map(e => e.outerHTML)""")
        assert not nameless, (page, nameless)
        twice = chrome.run("const ids = [...document.querySelectorAll('[id]')].map(e => e.id); return ids.filter((id, at) => ids.indexOf(id) != at)")
        assert not twice, (page, twice)
        status, _, body, _ = get(base + page.replace(" ", "%20"))
        assert status == 200 and len(body) < 80_000, (page, status, len(body))
    chrome.open(base + "/companies/evil")
    assert EVIL in chrome.text(), "what was typed is shown as it was typed"
    turns = chrome.run("return [...document.querySelectorAll('q, .people a, bdi')].map(e => getComputedStyle(e).unicodeBidi)")
    assert turns and set(turns) == {"isolate"}, ("a letter that turns the direction of writing turns what stands behind", turns)
    chrome.open(base + "/nowhere")
    assert "no such page" in chrome.text()
    # Chromium notes each answer that is a refusal.
    chrome.console()
    print("pages: each opens, nothing of the data runs, the console is quiet")


def on_a_phone(chrome, base):
    chrome.look(360, 740, phone=True)
    for page in PAGES + ["/companies/evil"]:
        chrome.open(base + page)
        wide = chrome.run("return document.documentElement.scrollWidth")
        assert wide <= 360, (page, wide, chrome.run("""return [...document.querySelectorAll('body *')]
            .filter(e => e.getBoundingClientRect().right > 361).slice(0, 3).map(e => e.outerHTML.slice(0, 200))"""))
    chrome.look(1200, 900)
    print("phone: no page scrolls sideways at 360 px")


def by_keyboard(chrome, base):
    chrome.open(base + "/companies")
    tab = {"actions": [{"type": "key", "id": "k", "actions": [{"type": "keyDown", "value": "\ue004"}, {"type": "keyUp", "value": "\ue004"}]}]}
    chrome.call("POST", "/actions", tab)
    assert chrome.run("return document.activeElement.className") == "skip", "the first stop leads to the content"
    seen = set()
    for _ in range(12):
        chrome.call("POST", "/actions", tab)
        seen.add(chrome.run("""const e = document.activeElement, s = getComputedStyle(e);
            return (e.innerText || e.name || e.id) + '|' + (s.outlineStyle != 'none')"""))
    assert all(one.endswith("|true") for one in seen), ("no focus is seen", seen)
    assert any(one.startswith("Companies") for one in seen), seen
    print("keyboard: the focus goes through the page and is seen")


def searching(chrome, base):
    chrome.open(base + "/companies")
    chrome.type("#q", "mull")
    chrome.run("document.querySelector('form.search').requestSubmit()")
    chrome.until(lambda: "hit" in chrome.text() or "Müller" in chrome.text("tbody"), "the hits")
    assert "Müller & Söhne" in chrome.text("tbody"), chrome.text()
    chrome.open(base + "/companies?q=aple")
    assert "Apple" in chrome.text("tbody") and "Nearly so" in chrome.text(), chrome.text()
    chrome.open(base + "/companies?field=domain&value=acme.example")
    assert "Acme Inc." in chrome.text("tbody") and "Apple" not in chrome.text("tbody"), chrome.text()
    print("search: parts, what is nearly so, and conditions")


def editing(chrome, base, pair):
    chrome.open(base + "/companies/acme-inc")
    chrome.click("#edit-f-domain summary")
    chrome.type("#v-domain", "acme.test")
    chrome.click("#edit-f-domain button")
    chrome.until(lambda: "domain is acme.test now" in chrome.text(), "what was saved")
    card = os.path.join(pair.there.path, "companies", "acme-inc", "_index.md")
    chrome.until(lambda: "acme.test" in open(card).read(), "the file of the other node")
    chrome.click("form.notice button")
    chrome.until(lambda: "is as it was before" in chrome.text(), "that it was undone")
    chrome.until(lambda: "acme.example" in open(card).read(), "the file of the other node again")
    # A tag more, while another node takes one in, too: both stay.
    chrome.open(base + "/companies/acme-inc")
    chrome.click("#edit-f-tags summary")
    chrome.type("#v-tags", "lead\nsouth")
    pair.there.call("tag", "add", "companies/acme-inc", "east")
    chrome.until(lambda: "changed meanwhile" in chrome.text(), "a word that it is not shown as it is")
    chrome.click("#edit-f-tags button")
    chrome.until(lambda: chrome.run("return location.search").startswith("?saved"), "the saved page")
    tags = pair.here.call("get", "companies/acme-inc", "tags")
    assert all(tag in tags for tag in ("lead", "south", "east")) and "north" not in tags, tags
    # A value that somebody else changed is not written over.
    chrome.open(base + "/companies/apple")
    chrome.click("#edit-f-city summary")
    chrome.type("#v-city", "Mine")
    pair.there.call("set", "companies/apple", "city=Theirs")
    chrome.until(lambda: pair.here.call("get", "companies/apple", "city") == "Theirs\n", "the change of the other node here")
    chrome.click("#edit-f-city button")
    chrome.until(lambda: "changed meanwhile by pi1" in chrome.text(), "the refusal")
    said = chrome.console()
    assert all("409" in one for one in said), said
    print("editing: in the other node's file; undone; tags of both stay; nobody's value is written over")


def adding(chrome, base, pair):
    chrome.open(base + "/companies")
    chrome.click("#add summary")
    chrome.type("#add-name", "Nordwind " + EVIL[:20])
    chrome.type("#add-city", "Kiel")
    chrome.click("#add button")
    chrome.until(lambda: "Added: Nordwind" in chrome.text(), "the new company")
    target = chrome.run("return location.pathname").strip("/")
    unharmed(chrome, target)
    assert pair.here.call("get", target, "city") == "Kiel\n"
    chrome.click("#add summary")
    chrome.type("#add-name", "Nora Wind")
    chrome.click("#add button")
    chrome.until(lambda: "Added: Nora Wind" in chrome.text(), "the new person")
    chrome.until(lambda: target in pair.there.call("get", "people/nora-wind", "company", codes=(0, 1, 3)), "her company on the other node")
    chrome.click("#add-note summary")
    chrome.type("#note-text", "Likes tea\nand scones")
    # Who clicks twice notes it once.
    chrome.run("for (const n of [1, 2]) document.querySelector('#add-note button').click()")
    chrome.until(lambda: "Noted: Likes tea" in chrome.text(), "the note")
    assert pair.here.call("note", "list", "people/nora-wind").count("Likes tea") == 1
    print("adding: a company, a person of it, and a note, once")


def not_disturbed(chrome, base, pair):
    """What is typed, focused or pressed stays so while others write."""
    chrome.open(base + "/companies")
    chrome.until(lambda: chrome.text("#link") == "live", "that it is live")
    chrome.type(".filter input[name=value]", "half a w")
    pair.there.call("set", "companies/apple", "city=Elsewhere")
    chrome.until(lambda: "changed meanwhile" in chrome.text(), "a word that it is not shown as it is")
    assert chrome.run("return document.querySelector('.filter input[name=value]').value") == "half a w"
    chrome.open(base + "/companies/apple")
    chrome.until(lambda: chrome.text("#link") == "live", "that it is live")
    chrome.run("""window.pressed = document.querySelector('#edit-f-city summary');
        window.pressed.dispatchEvent(new PointerEvent('pointerdown', { button: 0, bubbles: true }));
        new EventSource('/events?of=companies/apple').addEventListener('changed', () => { window.heard = true; })""")
    pair.there.call("set", "companies/apple", "city=Nowhere")
    chrome.until(lambda: chrome.run("return window.heard"), "that it is otherwise")
    # As long as loading the page takes.
    chrome.run("const ask = new XMLHttpRequest(); ask.open('GET', location.href, false); ask.send()")
    assert chrome.run("return window.pressed.isConnected"), "what is pressed is not taken away"
    chrome.run("window.pressed.dispatchEvent(new PointerEvent('pointerup', { button: 0, bubbles: true }))")
    chrome.until(lambda: chrome.text("#f-city .is") == "Nowhere", "what came meanwhile")
    print("not disturbed: what is typed into a filter stays, and so does what is pressed")


def live(chrome, base, pair):
    took = []
    chrome.open(base + "/live")
    chrome.until(lambda: chrome.text("#link") == "live", "that it is live")
    for n in range(5):
        pair.there.call("set", "companies/apple", f"state=n{n} {EVIL}")
        took.append(chrome.until(lambda: f"n{n} <img" in chrome.text("#live"), "the row"))
    unharmed(chrome, "/live")
    chrome.until(lambda: "half within" in chrome.text("#delays"), "the latency")
    assert chrome.run("return document.querySelectorAll('#delays rect.bar').length") > 5
    for page, where in [("/companies/apple", "#f-city"), ("/companies?where=state%3D", "tbody"), ("/companies", "tbody")]:
        chrome.open(base + page)
        chrome.until(lambda: chrome.text("#link") == "live", "that it is live")
        pair.there.call("set", "companies/apple", f"city=live {page[:12]}", "state=")
        took.append(chrome.until(lambda: f"live {page[:12]}" in chrome.text(where), page))
    # Who stands on the page of a company.
    chrome.open(base + "/companies/acme-inc")
    chrome.until(lambda: chrome.text("#link") == "live", "that it is live")
    pair.there.call("set", "people/jane-doe", "role=CEO")
    took.append(chrome.until(lambda: "CEO" in chrome.text(".people"), "her role on the page of her company"))
    # From the end of a command on the other node: far below a second, of which starting it is a part.
    print("live: without loading the page again, within", ", ".join(f"{one * 1000:.0f}" for one in took), "ms")
    assert max(took) < 1.0, took


def conflicts(chrome, base, pair):
    chrome.open(base + "/conflicts")
    chrome.until(lambda: "2 conflicts" in chrome.text("h1"), "both conflicts")
    unharmed(chrome, "/conflicts")
    lost = "There" if "Here" in chrome.text(".conflict .choices li") else "Here"
    chrome.click(".conflict .choices li:nth-child(2) button")
    chrome.until(lambda: "1 conflict" in chrome.text("h1"), "one less")
    assert pair.here.call("get", "companies/acme-inc", "city").startswith(lost)
    assert len(pair.here.call("conflicts").split("stands")) == 2
    assert "Settled: companies/acme-inc" in chrome.text(".notice"), chrome.text()
    print("conflicts: one click takes the other value")


def daemon_down(chrome, base, pair):
    chrome.open(base + "/companies/apple")
    daemon = pair.here.children[0]
    daemon.terminate()
    daemon.wait()
    chrome.until(lambda: "no daemon runs" in chrome.text("#link"), "that no daemon runs")
    chrome.open(base + "/")
    assert "no daemon runs (cocli daemon)" in chrome.text(), chrome.text()
    chrome.open(base + "/companies/apple")
    chrome.click("#edit-f-city summary")
    chrome.type("#v-city", "alone")
    chrome.click("#edit-f-city button")
    chrome.until(lambda: "city is alone now" in chrome.text(), "an edit without a daemon")
    pair.here.daemon()
    chrome.until(lambda: chrome.text("#link") == "live", "that it is live again")
    unharmed(chrome, "/companies/apple")
    print("daemon down: said, editing works, and live comes back by itself")


def main():
    if not there():
        print("skipped: no chromium and chromium-driver here (apt-get install chromium chromium-driver)")
        return
    pair, chrome = Pair(os.path.abspath(sys.argv[1])), None
    try:
        prepare(pair)
        pair.daemons()
        pair.level()
        pair.apart(collide)
        pair.level()
        _, base = pair.here.web()
        chrome = Chrome()
        each_page(chrome, base)
        on_a_phone(chrome, base)
        by_keyboard(chrome, base)
        searching(chrome, base)
        editing(chrome, base, pair)
        live(chrome, base, pair)
        adding(chrome, base, pair)
        not_disturbed(chrome, base, pair)
        conflicts(chrome, base, pair)
        daemon_down(chrome, base, pair)
    finally:
        if chrome:
            chrome.close()
        pair.end()


main()
