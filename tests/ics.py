#!/usr/bin/env python3
"""That another program reads what `cocli today --ics` prints: the parser of PyPI's icalendar.

    tests/ics.py target/debug/cocli
"""
import datetime
import os
import subprocess
import sys
import tempfile

from icalendar import Calendar

binary = os.path.abspath(sys.argv[1])
folder = tempfile.TemporaryDirectory(prefix="cocli-calendar-")
env = {**os.environ, "HOME": folder.name, "XDG_CONFIG_HOME": folder.name, "TZ": "Europe/Berlin"}
env.pop("COCLI_DATA_HOME", None)


def cocli(*words):
    command = [binary, "--data", os.path.join(folder.name, "home"), *words]
    return subprocess.run(command, env=env, check=True, capture_output=True).stdout


TITLE = "Kick-off; „Größe“, \\ and more: " + "日本語" * 40
subprocess.run([binary, "init", os.path.join(folder.name, "home"), "--node", "pi1"], env=env, check=True,
               capture_output=True)
cocli("add", "company", "Söhne, Inc.", "--set", "next_step=send offer", "--set", "next_at=2026-12-01")
cocli("set", "companies/sohne-inc/meetings/m-a1b2", "timestamp=2026-12-01 14:30", f"title={TITLE}",
      "content=one\ntwo; three, four\\n")
text = cocli("today", "--ics")
assert text == cocli("today", "--ics"), "two exports of one state differ"
assert b"\n" not in text.replace(b"\r\n", b""), "a line does not end with CRLF"
assert max(map(len, text.split(b"\r\n"))) <= 75, "a line has over 75 octets"
calendar = Calendar.from_ical(text)
assert calendar["VERSION"] == "2.0" and "PRODID" in calendar
events = {str(event["UID"]).split("@")[0]: event for event in calendar.walk("VEVENT")}
assert set(events) == {"companies/sohne-inc/meetings/m-a1b2", "companies/sohne-inc#next"}, events
meeting, step = events["companies/sohne-inc/meetings/m-a1b2"], events["companies/sohne-inc#next"]
assert str(meeting["SUMMARY"]) == f"{TITLE} (Söhne, Inc.)", meeting["SUMMARY"]
assert str(meeting["DESCRIPTION"]) == "one\ntwo; three, four\\n", repr(str(meeting["DESCRIPTION"]))
# 14:30 in Berlin.
assert meeting["DTSTART"].dt == datetime.datetime(2026, 12, 1, 13, 30, tzinfo=datetime.timezone.utc)
assert step["DTSTART"].dt == datetime.date(2026, 12, 1) and "DTSTAMP" in step
assert all(not event.errors for event in events.values())
print(f"read by icalendar: {len(events)} events, {len(text)} bytes")
