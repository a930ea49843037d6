#!/usr/bin/env python3
"""A home of the Python program, put into real S3 servers, comes in from there as it does from its folder.

    tests/bucket/servers.py -- tests/bucket/bring.py COCLI

Also: names that are no paths, more objects than one listing tells, an import that is killed, and what is refused."""
import json, os, subprocess, sys, tempfile, time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.config

BINARY = os.path.abspath(sys.argv[1])
KEYS = dict(aws_access_key_id="test", aws_secret_access_key="secret-of-test")
COMPANIES = 520
ODD = ["companies//slashes/_index.md", "companies/a/../../../out/_index.md"]


def files():
    yield "campaigns/road-map/config.toml", b'[campaign]\nname = "Road Map"\ntag = "road-map"\n'
    yield "wal/20260219_vm.usv", b"".join(
        f"2026-02-19T10:00:{n % 60:02}+00:00\x1fvm\x1fcompanies/c{n % COMPANIES}\x1ff{n // COMPANIES}\x1f{'v' * 150}{n}\x1f\x1e".encode()
        for n in range(8000))
    for n in range(COMPANIES):
        yield f"companies/c{n}/_index.md", f"---\nname: Company {n}\ndomain: c{n}.example\n---\n".encode()
        yield f"companies/c{n}/tags.lst", b"lead\nroad-map\n"
    yield "companies/c0/notes/2026-02-18T17-04-00Z-call.md", b"---\ntitle: Call\n---\nthey ring back\n"
    yield "companies/c0/enrichments/website.md", b"not read" * 1000
    yield "people/jane/jane.md", b"---\nname: Jane\nemail: jane@c0.example\n---\n"
    yield "scraped_data/large", b"nobody asks for this"


class Home:
    def __init__(self, root, name):
        self.path = root / name
        self.environment = dict(os.environ, XDG_CONFIG_HOME=str(root / "config"), HOME=str(root),
                                AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="secret-of-test")
        self.run("init", str(self.path), "--node", "n1")

    def words(self, *words):
        return [BINARY, "--json", *([] if words[0] == "init" else ["--data", str(self.path)]), *words]

    def run(self, *words, code=0):
        done = subprocess.run(self.words(*words), env=self.environment, capture_output=True, text=True)
        if done.returncode != code:
            raise SystemExit(f"{' '.join(words)}: {done.returncode}: {done.stdout[-500:]}{done.stderr[-2000:]}")
        return json.loads(done.stdout) if code == 0 else done.stderr

    def state(self):
        lines = subprocess.run(self.words("list", "companies"), env=self.environment, capture_output=True).stdout
        return lines + subprocess.run(self.words("list", "people"), env=self.environment, capture_output=True).stdout

    def killed_after(self, seconds, *words):
        process = subprocess.Popen(self.words(*words), env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.kill()
        process.wait()


def check(so, what):
    if not so:
        raise SystemExit(f"not so: {what}")


def server(root, address, by_folder, expected):
    endpoint = parse_qs(urlsplit(address).query)["endpoint"][0]
    bucket, said = address.split("?")[0].removeprefix("s3://"), address.split("?")[1]
    config = botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=config, **KEYS)
    name = root.name
    for path, data in files():
        s3.put_object(Bucket=bucket, Key=f"{name}/{path}", Body=data)
    # s3s-fs keeps objects as files: such names are others there.
    for path in () if address in os.environ.get("COCLI_TEST_S3_LAX", "") else ODD:
        s3.put_object(Bucket=bucket, Key=f"{name}/{path}", Body=b"---\nname: Odd\n---\n")
    listed = [one["Key"].removeprefix(f"{name}/") for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{name}/")
              for one in page.get("Contents", [])]
    odd = sorted(key for key in listed if key in ODD)
    url = f"s3://{bucket}/{name}?{said}"
    home = Home(root, "from-" + endpoint.rsplit(":")[-1])
    began = time.monotonic()
    dry = home.run("import", "cocli", url, "--dry-run")
    took = time.monotonic() - began
    for turn in range(1):
        home.killed_after(took * (turn + 1) / 2, "import", "cocli", url)
    done = home.run("import", "cocli", url)
    check(dry["written"] == by_folder["written"], f"a dry run tells what a folder would: {dry['written']}, {by_folder['written']}")
    check(sorted(one["path"] for one in done["odd"]) == odd, f"what is no path is named: {done['odd']}, {odd}")
    check(done["passed_over"] == {"companies/*/enrichments": 1}, done["passed_over"])
    check(home.state() == expected, "the state is that of a folder")
    check(not (home.path / ".cocli/fetched").exists() and not (root / "out").exists(), "nothing stays")
    check(home.run("import", "cocli", url)["written"] == 0, "a second one writes nothing")
    after = sum(page["KeyCount"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{name}/"))
    check(after == len(listed), "nothing is written there")
    print("  ", home.run("import", "cocli", f"s3://{bucket}/{name}/nobody?{said}", code=1).strip())
    print("  ", home.run("import", "cocli", f"s3://no-such-bucket?{said}", code=1).strip())
    print(f"{endpoint}: {len(listed)} objects, {len(odd)} of them odd: {took:.1f} s, as from a folder")


def main():
    with tempfile.TemporaryDirectory(prefix="cocli-bring-") as root:
        root = Path(root)
        for path, data in files():
            (root / "old" / path).parent.mkdir(parents=True, exist_ok=True)
            (root / "old" / path).write_bytes(data)
        home = Home(root, "from-folder")
        by_folder = home.run("import", "cocli", f"file://{root}/old")
        for address in os.environ.get("COCLI_TEST_S3", "").split():
            server(root, address, by_folder, home.state())


main()
